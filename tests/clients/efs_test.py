"""EFS through boto3: file systems, mount targets, access points; and, where virga runs as root, one file system in machines of
two zones, as far as security groups let them."""
import json
import os
import subprocess
import unittest

from ec2_instance_test import Case
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)


class Records(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.efs = cls.virga.client("efs")
        subnets = cls.ec2.describe_subnets()["Subnets"]
        cls.vpc = subnets[0]["VpcId"]
        cls.subnets = {s["AvailabilityZone"]: s["SubnetId"] for s in subnets}

    def test_file_systems(self):
        f = self.efs.create_file_system(CreationToken="one", Tags=[{"Key": "Name", "Value": "shared"}], Encrypted=False)
        i = f["FileSystemId"]
        self.assertEqual((f["LifeCycleState"], f["Name"], f["ThroughputMode"], f["PerformanceMode"]),
                         ("creating", "shared", "bursting", "generalPurpose"))
        self.assertFalse(f["Encrypted"])
        self.refused("NotImplemented", self.efs.create_file_system, CreationToken="two", Backup=True)
        self.refused("FileSystemAlreadyExists", self.efs.create_file_system, CreationToken="one")
        self.refused("BadRequest", self.efs.create_file_system, CreationToken="two", ThroughputMode="provisioned")
        self.refused("UnsupportedAvailabilityZone", self.efs.create_file_system, CreationToken="two", AvailabilityZoneName="us-east-1z")
        [told] = self.efs.describe_file_systems(CreationToken="one")["FileSystems"]
        self.assertEqual((told["FileSystemId"], told["LifeCycleState"], told["SizeInBytes"]["Value"] >= 6144), (i, "available", True))
        self.assertEqual(self.efs.update_file_system(FileSystemId=i, ThroughputMode="provisioned", ProvisionedThroughputInMibps=8)
                         ["ProvisionedThroughputInMibps"], 8)
        self.assertEqual(self.efs.update_file_system_protection(FileSystemId=i, ReplicationOverwriteProtection="DISABLED")
                         ["ReplicationOverwriteProtection"], "DISABLED")
        rules = [{"TransitionToIA": "AFTER_30_DAYS"}, {"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"}]
        self.efs.put_lifecycle_configuration(FileSystemId=i, LifecyclePolicies=rules)
        self.assertEqual(self.efs.describe_lifecycle_configuration(FileSystemId=i)["LifecyclePolicies"], rules)
        self.refused("NotImplemented", self.efs.put_backup_policy, FileSystemId=i, BackupPolicy={"Status": "ENABLED"})
        self.efs.put_backup_policy(FileSystemId=told["FileSystemArn"], BackupPolicy={"Status": "DISABLED"})
        self.assertEqual(self.efs.describe_backup_policy(FileSystemId=i)["BackupPolicy"], {"Status": "DISABLED"})
        self.efs.tag_resource(ResourceId=i, Tags=[{"Key": "a", "Value": "b"}])
        self.efs.untag_resource(ResourceId=i, TagKeys=["Name"])
        self.assertEqual(self.efs.list_tags_for_resource(ResourceId=i)["Tags"], [{"Key": "a", "Value": "b"}])
        self.efs.create_tags(FileSystemId=i, Tags=[{"Key": "c", "Value": "d"}])
        self.efs.delete_tags(FileSystemId=i, TagKeys=["a"])
        self.assertEqual(self.efs.describe_tags(FileSystemId=i)["Tags"], [{"Key": "c", "Value": "d"}])
        self.assertTrue(os.path.isdir(os.path.join(self.virga.data, "efs", i)))
        self.efs.delete_file_system(FileSystemId=i)
        self.refused("FileSystemNotFound", self.efs.describe_file_systems, FileSystemId=i)
        self.until(lambda: not os.path.exists(os.path.join(self.virga.data, "efs", i)))

    def test_policies(self):
        f = self.efs.create_file_system(CreationToken="policies")["FileSystemId"]
        self.refused("PolicyNotFound", self.efs.describe_file_system_policy, FileSystemId=f)
        self.refused("InvalidPolicyException", self.efs.put_file_system_policy, FileSystemId=f, Policy='{"Statement": 1}')
        text = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "elasticfilesystem:ClientMount"}]})
        self.efs.put_file_system_policy(FileSystemId=f, Policy=text)
        self.assertEqual(json.loads(self.efs.describe_file_system_policy(FileSystemId=f)["Policy"]), json.loads(text))
        self.efs.delete_file_system_policy(FileSystemId=f)
        self.refused("PolicyNotFound", self.efs.describe_file_system_policy, FileSystemId=f)

    def test_mount_targets(self):
        f = self.efs.create_file_system(CreationToken="targets")["FileSystemId"]
        make = lambda zone, **kw: self.efs.create_mount_target(FileSystemId=f, SubnetId=self.subnets[zone], **kw)
        t = make("us-east-1a")
        self.assertEqual((t["AvailabilityZoneName"], t["VpcId"]), ("us-east-1a", self.vpc))
        [n] = self.ec2.describe_network_interfaces(NetworkInterfaceIds=[t["NetworkInterfaceId"]])["NetworkInterfaces"]
        self.assertEqual((n["InterfaceType"], n["PrivateIpAddress"], n["RequesterManaged"]), ("efs", t["IpAddress"], True))
        self.refused("MountTargetConflict", make, zone="us-east-1a")
        self.refused("SubnetNotFound", self.efs.create_mount_target, FileSystemId=f, SubnetId="subnet-0123456789abcdef0")
        self.refused("SecurityGroupNotFound", make, zone="us-east-1b", SecurityGroups=["sg-0123456789abcdef0"])
        elsewhere = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        away = self.ec2.create_subnet(VpcId=elsewhere, CidrBlock="10.9.1.0/24", AvailabilityZone="us-east-1c")["Subnet"]["SubnetId"]
        self.refused("MountTargetConflict", self.efs.create_mount_target, FileSystemId=f, SubnetId=away)
        g = self.ec2.create_security_group(GroupName="nfs", Description="nfs", VpcId=self.vpc)["GroupId"]
        self.efs.modify_mount_target_security_groups(MountTargetId=t["MountTargetId"], SecurityGroups=[g])
        self.assertEqual(self.efs.describe_mount_target_security_groups(MountTargetId=t["MountTargetId"])["SecurityGroups"], [g])
        u = make("us-east-1b")
        self.assertEqual(len(self.efs.describe_mount_targets(FileSystemId=f)["MountTargets"]), 2)
        self.assertEqual(self.efs.describe_mount_targets(MountTargetId=u["MountTargetId"])["MountTargets"][0]["LifeCycleState"], "available")
        self.assertEqual(self.efs.describe_file_systems(FileSystemId=f)["FileSystems"][0]["NumberOfMountTargets"], 2)
        self.refused("FileSystemInUse", self.efs.delete_file_system, FileSystemId=f)
        for x in (t, u):
            self.efs.delete_mount_target(MountTargetId=x["MountTargetId"])
        self.refused("MountTargetNotFound", self.efs.describe_mount_targets, MountTargetId=u["MountTargetId"])
        self.refused("InvalidNetworkInterfaceID.NotFound", self.ec2.describe_network_interfaces,
                     NetworkInterfaceIds=[t["NetworkInterfaceId"]])
        self.efs.delete_file_system(FileSystemId=f)
        one = self.efs.create_file_system(CreationToken="one zone", AvailabilityZoneName="us-east-1a")["FileSystemId"]
        self.refused("AvailabilityZonesMismatch", self.efs.create_mount_target, FileSystemId=one, SubnetId=self.subnets["us-east-1b"])

    def test_access_points(self):
        f = self.efs.create_file_system(CreationToken="points")["FileSystemId"]
        root = {"Path": "/apps/one", "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "750"}}
        p = self.efs.create_access_point(ClientToken="p", FileSystemId=f, RootDirectory=root, PosixUser={"Uid": 1000, "Gid": 1000},
                                         Tags=[{"Key": "Name", "Value": "app"}])
        self.assertEqual((p["Name"], p["RootDirectory"], p["PosixUser"]), ("app", root, {"Uid": 1000, "Gid": 1000}))
        self.refused("AccessPointAlreadyExists", self.efs.create_access_point, ClientToken="p", FileSystemId=f)
        self.refused("ValidationException", self.efs.create_access_point, ClientToken="q", FileSystemId=f, RootDirectory={"Path": "/a/../b"})
        [told] = self.efs.describe_access_points(FileSystemId=f)["AccessPoints"]
        self.assertEqual((told["AccessPointId"], told["LifeCycleState"]), (p["AccessPointId"], "available"))
        self.efs.tag_resource(ResourceId=p["AccessPointId"], Tags=[{"Key": "k", "Value": "v"}])
        self.assertEqual(len(self.efs.list_tags_for_resource(ResourceId=p["AccessPointArn"])["Tags"]), 2)
        self.efs.delete_access_point(AccessPointId=p["AccessPointId"])
        self.refused("AccessPointNotFound", self.efs.describe_access_points, AccessPointId=p["AccessPointId"])


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Shared(Case):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2 = cls.virga.client("ec2")
        cls.image = cls.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]

    def ssh(self, i, command, code=0):
        run = subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, i, "--", "sh", "-c", command], capture_output=True,
                             text=True)
        if code is not None:
            self.assertEqual(run.returncode, code, run.stdout + run.stderr)
        return run.stdout if code is not None else run.returncode

    def test_shared(self):
        efs, ec2 = self.virga.client("efs"), self.ec2
        zones = ("us-east-1a", "us-east-1b")
        a, b = (self.run_one(state=None, Placement={"AvailabilityZone": z}) for z in zones)
        f = efs.create_file_system(CreationToken="shared")["FileSystemId"]
        vpc = self.describe(a)["VpcId"]
        g = ec2.create_security_group(GroupName="nfs", Description="nfs", VpcId=vpc)["GroupId"]
        targets = [efs.create_mount_target(FileSystemId=f, SubnetId=self.describe(i)["SubnetId"], SecurityGroups=[g]) for i in (a, b)]
        p = efs.create_access_point(ClientToken="p", FileSystemId=f, RootDirectory={
            "Path": "/app", "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "755"}})["AccessPointId"]
        q = efs.create_access_point(ClientToken="q", FileSystemId=f, PosixUser={"Uid": 7, "Gid": 7})["AccessPointId"]
        for i in (a, b):
            self.until(lambda: self.describe(i)["State"]["Name"] == "running", 120)
            if "StateReason" in self.describe(i):
                self.skipTest(self.describe(i)["StateReason"]["Message"])
        mount = f"mkdir -p /mnt/efs; mount -t nfs4 -o nfsvers=4.1,hard,noresvport {targets[0]['IpAddress']}:/ /mnt/efs"
        # Nobody opened the port: the mount waits, and fails.
        self.assertNotEqual(self.ssh(a, mount, None), 0)
        ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049, "IpRanges": [{"CidrIp": "172.31.0.0/16"}]}])
        self.until(lambda: self.ssh(a, mount, None) == 0, 60)
        self.until(lambda: self.ssh(b, f"mkdir -p /mnt/efs; mount -t efs {f}:/ /mnt/efs", None) == 0, 60)
        self.ssh(a, "echo from a > /mnt/efs/file; mkdir /mnt/efs/own; chown 1000:1000 /mnt/efs/own")
        self.assertEqual(self.ssh(b, "cat /mnt/efs/file; stat -c %u:%g /mnt/efs/own"), "from a\n1000:1000\n")
        self.ssh(b, "echo from b >> /mnt/efs/file; mkdir -p /mnt/own; "
                    f"mount -t nfs4 {f}.efs.us-east-1.amazonaws.com:/own /mnt/own; touch /mnt/own/x")
        self.assertEqual(self.ssh(a, "cat /mnt/efs/file; ls /mnt/efs/own"), "from a\nfrom b\nx\n")
        self.ssh(a, f"mkdir -p /mnt/app; mount -t efs -o tls,accesspoint={p} {f}:/ /mnt/app; stat -c %u:%a /mnt/app", 0)
        self.assertEqual(self.ssh(b, "stat -c %u:%a /mnt/efs/app"), "1000:755\n")
        # What is not to be: an access point with a user, a folder that is not there, device nodes, another's file system.
        self.ssh(a, f"mkdir -p /mnt/no; mount -t efs -o accesspoint={q} {f}:/ /mnt/no", 32)
        self.ssh(a, f"mount -t efs {f}:/absent /mnt/no", 32)
        other = self.virga.client("efs", key="111122223333").create_file_system(CreationToken="x")["FileSystemId"]
        self.ssh(a, f"mount -t efs {other}:/ /mnt/no", 32)
        names = self.ssh(a, f"getent ahostsv4 {f}.efs.us-east-1.amazonaws.com || true")
        for t in targets:
            self.assertIn(t["IpAddress"], names)
        # A policy: with TLS everybody may mount, and write only by the access point; without nobody.
        allow = lambda action, **condition: {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": f"elasticfilesystem:{action}",  # noqa: E731
                                             "Condition": {"Bool": {"aws:SecureTransport": "true"}, **condition}}
        arn = efs.describe_access_points(AccessPointId=p)["AccessPoints"][0]["AccessPointArn"]
        efs.put_file_system_policy(FileSystemId=f, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            allow("ClientMount"), allow("ClientWrite", StringEquals={"elasticfilesystem:AccessPointArn": arn})]}))
        self.until(lambda: self.ssh(a, f"mount -t efs {f}:/ /mnt/no && umount /mnt/no", None) != 0, 60)
        self.ssh(a, f"mkdir -p /mnt/ro /mnt/rw; mount -t efs -o tls {f}:/ /mnt/ro; cat /mnt/ro/file; ! touch /mnt/ro/x; umount /mnt/ro")
        self.ssh(a, f"mount -t efs -o tls,accesspoint={p} {f}:/ /mnt/rw; touch /mnt/rw/x; umount /mnt/rw")
        efs.delete_file_system_policy(FileSystemId=f)
        self.until(lambda: self.ssh(a, f"mount -t efs {f}:/ /mnt/no && umount /mnt/no", None) == 0, 60)
        # It outlives virga's death, and instances' reboots.
        self.virga.restart()
        self.assertEqual(self.ssh(b, "cat /mnt/efs/file"), "from a\nfrom b\n")
        self.assertGreater(efs.describe_file_systems(FileSystemId=f)["FileSystems"][0]["SizeInBytes"]["Value"], 6144)
        ec2.terminate_instances(InstanceIds=[a, b])
        for i in (a, b):
            self.until(lambda: self.describe(i)["State"]["Name"] == "terminated", 60)
        for t in targets:
            efs.delete_mount_target(MountTargetId=t["MountTargetId"])
        efs.delete_file_system(FileSystemId=f)
        self.until(lambda: not os.path.exists(os.path.join(self.virga.data, "efs", f)), 60)


del Case

if __name__ == "__main__":
    unittest.main()
