"""EFS file systems that are encrypted at rest, through boto3; and, where virga runs as root, in machines that mount them: what they
write shows nowhere on disk, and outlives virga, its agent and a key that is disabled."""
import json
import os
import signal
import subprocess
import unittest

from ec2_encryption_test import Machines as Base, SECRET, shows
from ec2_instance_test import Case
from virga import BINARY

NEEDS_BOTO3 = (1, 40)


class Records(Case):
    def test_keys(self):
        efs, kms = self.virga.client("efs"), self.virga.client("kms")
        key = kms.create_key()["KeyMetadata"]
        f = efs.create_file_system(CreationToken="own", Encrypted=True, KmsKeyId=key["KeyId"])
        self.assertEqual((f["Encrypted"], f["KmsKeyId"]), (True, key["Arn"]))
        f = efs.create_file_system(CreationToken="default", Encrypted=True)
        self.assertTrue(f["KmsKeyId"].startswith("arn:aws:kms:"))
        [alias] = [a for a in kms.list_aliases()["Aliases"] if a["AliasName"] == "alias/aws/elasticfilesystem"]
        self.assertTrue(f["KmsKeyId"].endswith(alias["TargetKeyId"]))
        self.refused("BadRequest", efs.create_file_system, CreationToken="x", KmsKeyId=key["KeyId"])
        self.refused("BadRequest", efs.create_file_system, CreationToken="x", Encrypted=True, KmsKeyId="alias/none")
        kms.disable_key(KeyId=key["KeyId"])
        self.refused("BadRequest", efs.create_file_system, CreationToken="x", Encrypted=True, KmsKeyId=key["KeyId"])
        self.assertEqual({f["CreationToken"] for f in efs.describe_file_systems()["FileSystems"]}, {"own", "default"})
        for f in efs.describe_file_systems()["FileSystems"]:
            efs.delete_file_system(FileSystemId=f["FileSystemId"])

    def test_stack(self):
        stacks = self.virga.client("cloudformation")
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}]}
        stacks.create_stack(StackName="shut", TemplateBody=json.dumps({"Resources": {
            "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": policy}},
            "Files": {"Type": "AWS::EFS::FileSystem", "Properties": {"Encrypted": True, "KmsKeyId": {"Fn::GetAtt": ["Key", "Arn"]},
                                                                     "FileSystemTags": [{"Key": "n", "Value": "v"}]}}}}))
        self.until(lambda: stacks.describe_stacks(StackName="shut")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE")
        found = {r["LogicalResourceId"]: r["PhysicalResourceId"]
                 for r in stacks.describe_stack_resources(StackName="shut")["StackResources"]}
        [f] = self.virga.client("efs").describe_file_systems(FileSystemId=found["Files"])["FileSystems"]
        self.assertTrue(f["Encrypted"] and f["KmsKeyId"].endswith(found["Key"]))
        stacks.delete_stack(StackName="shut")
        self.until(lambda: not [s for s in self.virga.client("efs").describe_file_systems()["FileSystems"]
                                if s["FileSystemId"] == found["Files"]])


@unittest.skipIf(os.geteuid() != 0 or not os.path.exists("/dev/fuse"), "encrypted file systems of machines need root, and FUSE")
class Mounted(Base):
    test_life = None

    def mounts(self):
        with open("/proc/self/mountinfo") as f:
            return [line.split()[4] for line in f if self.virga.data in line.split()[4]]

    def test_mounted(self):
        efs, ec2, kms = self.virga.client("efs"), self.ec2, self.kms
        key = kms.create_key()["KeyMetadata"]
        i = self.launch()
        f = efs.create_file_system(CreationToken="shut", Encrypted=True, KmsKeyId=key["KeyId"])["FileSystemId"]
        told = lambda: efs.describe_file_systems(FileSystemId=f)["FileSystems"][0]
        self.until(lambda: told()["LifeCycleState"] == "available")
        d = self.describe(i)
        g = ec2.create_security_group(GroupName="nfs", Description="nfs", VpcId=d["VpcId"])["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049, "IpRanges": [{"CidrIp": "172.31.0.0/16"}]}])
        t = efs.create_mount_target(FileSystemId=f, SubnetId=d["SubnetId"], SecurityGroups=[g])["MountTargetId"]
        p = efs.create_access_point(ClientToken="p", FileSystemId=f, RootDirectory={
            "Path": "/app", "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "755"}})["AccessPointId"]
        mount = f"mkdir -p /mnt/efs; mount -t efs {f}:/ /mnt/efs"

        def mounted():
            run = subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, i, "--", "sh", "-c", mount], capture_output=True)
            return run.returncode == 0
        self.until(mounted)
        secret = SECRET.decode()
        self.ssh(i, f"echo {secret} > /mnt/efs/it; mkdir /mnt/efs/{secret.replace(' ', '-')}; chown 1000:1000 /mnt/efs/it; sync")
        self.ssh(i, f"mkdir -p /mnt/app; mount -t efs -o accesspoint={p} {f}:/ /mnt/app; stat -c %u:%a /mnt/app")
        # In plain it is seen through the mount alone; where that is not, only its sealed file is.
        own = os.path.join(self.virga.data, "efs", f)
        self.assertIn(own, self.mounts())
        self.assertEqual(shows(own, SECRET), ["it"])
        with open(own + ".sealed", "rb") as h:
            self.assertEqual(shows_in(h.fileno()), False)
        self.assertGreater(told()["SizeInBytes"]["Value"], 6144)
        # virga and the agent die; a disabled key changes nothing of what is mounted.
        agent = self.virga.agent()
        os.kill(agent, signal.SIGKILL)
        kms.disable_key(KeyId=key["KeyId"])
        self.virga.restart()
        self.ssh(i, f"grep -q '{secret}' /mnt/efs/it && stat -c %u /mnt/efs/it | grep -q 1000 && echo more > /mnt/efs/more")
        self.assertEqual(told()["KmsKeyId"], key["Arn"])
        kms.enable_key(KeyId=key["KeyId"])
        # A machine that comes later mounts the same one.
        j = self.launch()
        self.ssh(j, f"{mount}; cat /mnt/efs/more | grep -q more")
        ec2.terminate_instances(InstanceIds=[i, j])
        for x in (i, j):
            self.wait(x, "terminated")
        efs.delete_mount_target(MountTargetId=t)
        efs.delete_file_system(FileSystemId=f)
        self.until(lambda: not [x for x in os.listdir(os.path.join(self.virga.data, "efs")) if x.startswith(f)])
        self.assertNotIn(own, self.mounts())

    def test_closed(self):
        """Stopped and started again: the mount goes and comes with virga; with a key that does not serve it does not come."""
        efs, kms = self.virga.client("efs"), self.kms
        key = kms.create_key()["KeyMetadata"]
        f = efs.create_file_system(CreationToken="closed", Encrypted=True, KmsKeyId=key["KeyId"])["FileSystemId"]
        own = os.path.join(self.virga.data, "efs", f)
        # The folder within is made after the mount.
        opened = lambda: own in self.mounts() and os.path.isdir(os.path.join(own, "files"))
        self.until(opened)
        with open(os.path.join(own, "files", "kept"), "w") as h:
            h.write("kept")
        self.virga.stop()
        self.assertEqual(self.mounts(), [])
        self.assertEqual(os.listdir(own), [])
        self.virga.start(self.virga.port)
        self.until(opened)
        self.assertEqual(shows(own, b"kept"), ["kept"])
        kms.disable_key(KeyId=key["KeyId"])
        self.virga.stop()
        self.virga.start(self.virga.port)
        self.until(lambda: "not_open" in self.virga.read_log())
        self.assertFalse(opened())
        kms.enable_key(KeyId=key["KeyId"])
        self.advance("2m")
        self.until(opened)
        efs.delete_file_system(FileSystemId=f)
        self.until(lambda: not os.path.exists(own + ".sealed") and not os.path.exists(own))


def shows_in(fd):
    at = 0
    while True:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            return False
        if SECRET in os.pread(fd, (1 << 20) + len(SECRET), at):
            return True
        at += 1 << 20


del Base, Case

if __name__ == "__main__":
    unittest.main()
