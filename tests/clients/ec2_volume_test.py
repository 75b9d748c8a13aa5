"""EC2's volumes, snapshots and images through boto3, with simulated compute: files and blocks are real all the same."""
import os
import unittest

from ec2_instance_test import Case, OTHER

NEEDS_BOTO3 = (1, 40)
ZONE = "us-east-1a"
BLOCK = 512 << 10


class Volumes(Case):
    def file(self, v):
        return os.path.join(self.virga.data, "ebs", v)

    def write(self, v, at, data):
        with open(self.file(v), "r+b") as f:
            f.seek(at)
            f.write(data)

    def read(self, v, at, n):
        with open(self.file(v), "rb") as f:
            f.seek(at)
            return f.read(n)

    def create(self, **kw):
        v = self.ec2.create_volume(**{"AvailabilityZone": ZONE, "Size": 1, **kw})["VolumeId"]
        self.volume(v)
        return v

    def snapshot(self, v, **kw):
        s = self.ec2.create_snapshot(VolumeId=v, **kw)["SnapshotId"]
        self.complete(s)
        return s

    def complete(self, s, ec2=None):
        self.until(lambda: (ec2 or self.ec2).describe_snapshots(SnapshotIds=[s])["Snapshots"][0]["State"] == "completed")

    def test_limits(self):
        make = lambda **kw: self.ec2.create_volume(AvailabilityZone=ZONE, **kw)
        v = make(Size=100, VolumeType="gp3")
        self.assertEqual((v["State"], v["Iops"], v["Throughput"], v["Encrypted"]), ("creating", 3000, 125, False))
        self.assertEqual(make(Size=500)["Iops"], 1500)
        self.assertEqual(make(Size=10, VolumeType="io2", Iops=5000, MultiAttachEnabled=True)["MultiAttachEnabled"], True)
        for code, kw in (("InvalidParameterValue", {"Size": 1 << 20}), ("InvalidParameterValue", {"Size": 10, "VolumeType": "st1"}),
                         ("MissingParameter", {"Size": 10, "VolumeType": "io1"}), ("MissingParameter", {}),
                         ("InvalidParameterValue", {"Size": 10, "VolumeType": "io1", "Iops": 5000}),
                         ("InvalidParameterCombination", {"Size": 10, "Iops": 500}),
                         ("InvalidParameterValue", {"Size": 10, "VolumeType": "gp3", "Throughput": 1000}),
                         ("InvalidParameterCombination", {"Size": 10, "VolumeType": "gp3", "MultiAttachEnabled": True}),
                         ("InvalidParameterDependency", {"Size": 10, "KmsKeyId": "alias/aws/ebs"}),
                         ("InvalidSnapshot.NotFound", {"SnapshotId": "snap-0123456789abcdef0"})):
            self.refused(code, make, **kw)
        self.refused("InvalidVolume.NotFound", self.ec2.describe_volumes, VolumeIds=["vol-0123456789abcdef0"])
        self.assertEqual(self.ec2.describe_volume_status(VolumeIds=[v["VolumeId"]])["VolumeStatuses"][0]["VolumeId"], v["VolumeId"])
        self.ec2.modify_volume_attribute(VolumeId=v["VolumeId"], AutoEnableIO={"Value": True})
        a = self.ec2.describe_volume_attribute(VolumeId=v["VolumeId"], Attribute="autoEnableIO")
        self.assertTrue(a["AutoEnableIO"]["Value"])

    def test_attach(self):
        i = self.run_one(Placement={"AvailabilityZone": ZONE})
        v, far = self.create(), self.create(AvailabilityZone="us-east-1b")
        attach = self.ec2.attach_volume
        self.refused("InvalidVolume.ZoneMismatch", attach, VolumeId=far, InstanceId=i, Device="/dev/sdf")
        self.refused("InvalidParameterValue", attach, VolumeId=v, InstanceId=i, Device="disk")
        self.refused("InvalidParameterValue", attach, VolumeId=v, InstanceId=i, Device="/dev/xvda")
        self.assertEqual(attach(VolumeId=v, InstanceId=i, Device="/dev/sdf")["State"], "attaching")
        self.until(lambda: self.volume(v, "in-use")["Attachments"][0]["State"] == "attached")
        self.assertEqual([m["DeviceName"] for m in self.describe(i)["BlockDeviceMappings"]], ["/dev/xvda", "/dev/sdf"])
        self.refused("VolumeInUse", attach, VolumeId=v, InstanceId=i, Device="/dev/sdg")
        self.refused("VolumeInUse", self.ec2.delete_volume, VolumeId=v)
        root = self.describe(i)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        self.refused("OperationNotPermitted", self.ec2.detach_volume, VolumeId=root)
        self.assertEqual(self.ec2.detach_volume(VolumeId=v)["State"], "detaching")
        self.assertEqual(self.volume(v)["Attachments"], [])
        self.refused("IncorrectState", self.ec2.detach_volume, VolumeId=v)
        self.ec2.attach_volume(VolumeId=v, InstanceId=i, Device="/dev/sdf")
        self.volume(v, "in-use")
        self.ec2.terminate_instances(InstanceIds=[i])
        self.wait(i, "terminated")
        self.volume(v)
        self.ec2.delete_volume(VolumeId=v)
        self.until(lambda: not os.path.exists(self.file(v)))
        self.refused("InvalidVolume.NotFound", self.ec2.describe_volumes, VolumeIds=[v])

    def test_modify(self):
        v = self.create(VolumeType="gp2", Size=8)
        m = self.ec2.modify_volume(VolumeId=v, Size=10, VolumeType="gp3", Iops=4000)["VolumeModification"]
        self.assertEqual((m["ModificationState"], m["OriginalSize"], m["TargetSize"], m["TargetIops"]), ("modifying", 8, 10, 4000))
        self.until(lambda: self.ec2.describe_volumes_modifications(VolumeIds=[v])["VolumesModifications"][0]["ModificationState"]
                   != "modifying")
        d = self.ec2.describe_volumes(VolumeIds=[v])["Volumes"][0]
        self.assertEqual((d["Size"], d["VolumeType"], d["Iops"]), (10, "gp3", 4000))
        self.assertEqual(os.path.getsize(self.file(v)), 10 << 30)
        self.advance("1m")
        self.until(lambda: self.ec2.describe_volumes_modifications(VolumeIds=[v])["VolumesModifications"][0]["ModificationState"]
                   == "completed")
        self.refused("VolumeModificationRateExceeded", self.ec2.modify_volume, VolumeId=v, Size=12)
        self.advance("6h")
        self.refused("InvalidParameterValue", self.ec2.modify_volume, VolumeId=v, Size=2)
        self.ec2.modify_volume(VolumeId=v, Size=12)

    def test_snapshots(self):
        v = self.create()
        one, two = os.urandom(BLOCK), os.urandom(BLOCK)
        self.write(v, 0, one)
        self.write(v, 100 * BLOCK, one)
        first = self.snapshot(v, Description="first", TagSpecifications=[
            {"ResourceType": "snapshot", "Tags": [{"Key": "n", "Value": "1"}]}])
        self.write(v, 100 * BLOCK, two)
        second = self.snapshot(v)
        for s, data in ((first, one), (second, two)):
            w = self.create(SnapshotId=s, Size=2)
            self.assertEqual((self.read(w, 0, BLOCK), self.read(w, 100 * BLOCK, BLOCK)), (one, data))
            self.assertEqual(self.read(w, BLOCK, BLOCK), bytes(BLOCK))
        self.until(lambda: not [f for f in os.listdir(os.path.join(self.virga.data, "ebs")) if "taken" in f])
        d = self.ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "tag:n", "Values": ["1"]}])["Snapshots"]
        self.assertEqual([(s["SnapshotId"], s["Progress"], s["VolumeSize"]) for s in d], [(first, "100%", 1)])
        # What the first has and the second shares stays when the first goes.
        self.ec2.delete_snapshot(SnapshotId=first)
        w = self.create(SnapshotId=second)
        self.assertEqual((self.read(w, 0, BLOCK), self.read(w, 100 * BLOCK, BLOCK)), (one, two))
        self.refused("InvalidSnapshot.NotFound", self.ec2.describe_snapshots, SnapshotIds=[first])
        west = self.virga.client("ec2", region="us-west-2")
        c = west.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=second)["SnapshotId"]
        self.complete(c, west)
        self.virga.restart()
        self.assertEqual(west.describe_snapshots(SnapshotIds=[c])["Snapshots"][0]["VolumeSize"], 1)
        x = west.create_volume(AvailabilityZone="us-west-2a", SnapshotId=c)["VolumeId"]
        self.until(lambda: west.describe_volumes(VolumeIds=[x])["Volumes"][0]["State"] == "available")
        self.assertEqual(self.read(x, 100 * BLOCK, BLOCK), two)

    def test_sharing_and_locks(self):
        s = self.snapshot(self.create())
        other = self.virga.client("ec2", key=OTHER)
        self.refused("InvalidSnapshot.NotFound", other.describe_snapshots, SnapshotIds=[s])
        self.ec2.modify_snapshot_attribute(SnapshotId=s, Attribute="createVolumePermission", OperationType="add", UserIds=[OTHER])
        self.assertEqual(self.ec2.describe_snapshot_attribute(SnapshotId=s, Attribute="createVolumePermission")
                         ["CreateVolumePermissions"], [{"UserId": OTHER}])
        self.assertEqual(other.describe_snapshots(SnapshotIds=[s])["Snapshots"][0]["OwnerId"], "000000000000")
        self.assertEqual(other.create_volume(AvailabilityZone=ZONE, SnapshotId=s)["Size"], 1)
        self.ec2.reset_snapshot_attribute(SnapshotId=s, Attribute="createVolumePermission")
        self.refused("InvalidSnapshot.NotFound", other.describe_snapshots, SnapshotIds=[s])
        self.ec2.enable_snapshot_block_public_access(State="block-all-sharing")
        self.assertEqual(self.ec2.get_snapshot_block_public_access_state()["State"], "block-all-sharing")
        self.refused("OperationNotPermitted", self.ec2.modify_snapshot_attribute, SnapshotId=s,
                     CreateVolumePermission={"Add": [{"Group": "all"}]})
        self.ec2.disable_snapshot_block_public_access()
        self.ec2.lock_snapshot(SnapshotId=s, LockMode="governance", LockDuration=2)
        self.refused("OperationNotPermitted", self.ec2.delete_snapshot, SnapshotId=s)
        self.ec2.unlock_snapshot(SnapshotId=s)
        self.ec2.modify_snapshot_tier(SnapshotId=s, StorageTier="archive")
        self.refused("IncorrectState", self.ec2.create_volume, AvailabilityZone=ZONE, SnapshotId=s)
        self.ec2.restore_snapshot_tier(SnapshotId=s, TemporaryRestoreDays=1)
        self.create(SnapshotId=s)
        self.advance("25h")
        self.until(lambda: self.ec2.describe_snapshots(SnapshotIds=[s])["Snapshots"][0]["StorageTier"] == "archive")
        self.ec2.delete_snapshot(SnapshotId=s)


class Images(Case):
    def test_public(self):
        found = self.ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "name", "Values": ["al2023-ami-2023*-x86_64"]}])
        self.assertEqual(len(found["Images"]), 1)
        self.assertIn("Debian 12", found["Images"][0]["Description"])
        self.refused("InvalidAMIID.NotFound", self.ec2.describe_images, ImageIds=["ami-0123456789abcdef0"])
        i = self.ec2.run_instances(ImageId="resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
                                   InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]
        self.assertEqual(i["ImageId"], found["Images"][0]["ImageId"])
        self.ec2.terminate_instances(InstanceIds=[i["InstanceId"]])
        name = "/aws/service/debian/release/12/latest/amd64"
        self.assertEqual(self.virga.client("ssm").get_parameter(Name=name)["Parameter"]["Value"], self.image)

    def test_own(self):
        i = self.run_one()
        a = self.ec2.create_image(InstanceId=i, Name="mine", Description="d", TagSpecifications=[
            {"ResourceType": "image", "Tags": [{"Key": "k", "Value": "v"}]}])["ImageId"]
        available = lambda x, ec2: ec2.describe_images(ImageIds=[x])["Images"][0]["State"] == "available"
        self.until(lambda: available(a, self.ec2))
        d = self.ec2.describe_images(Owners=["self"])["Images"]
        self.assertEqual([(x["ImageId"], x["Name"], x["SourceInstanceId"], x["Tags"], x["Public"]) for x in d],
                         [(a, "mine", i, [{"Key": "k", "Value": "v"}], False)])
        snap = d[0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        self.refused("InvalidSnapshot.InUse", self.ec2.delete_snapshot, SnapshotId=snap)
        self.refused("InvalidAMIName.Duplicate", self.ec2.create_image, InstanceId=i, Name="mine")
        j = self.run_one(ImageId=a)
        self.assertEqual(self.ec2.describe_images(ImageIds=[a])["Images"][0]["ImageId"], a)
        other = self.virga.client("ec2", key=OTHER)
        self.refused("InvalidAMIID.NotFound", other.describe_images, ImageIds=[a])
        self.ec2.modify_image_attribute(ImageId=a, LaunchPermission={"Add": [{"UserId": OTHER}]})
        k = other.run_instances(ImageId=a, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        other.terminate_instances(InstanceIds=[k])
        self.assertEqual([x["ImageId"] for x in other.describe_images(ExecutableUsers=["self"])["Images"]], [a])
        p = self.ec2.describe_image_attribute(ImageId=a, Attribute="launchPermission")["LaunchPermissions"]
        self.assertEqual(p, [{"UserId": OTHER}])
        other.cancel_image_launch_permission(ImageId=a)
        self.refused("InvalidAMIID.NotFound", other.describe_images, ImageIds=[a])
        self.ec2.reset_image_attribute(ImageId=a, Attribute="launchPermission")
        west = self.virga.client("ec2", region="us-west-2")
        b = west.copy_image(SourceRegion="us-east-1", SourceImageId=a, Name="copy")["ImageId"]
        self.until(lambda: available(b, west))
        self.assertEqual(west.describe_images(ImageIds=[b])["Images"][0]["SourceImageId"], a)
        r = self.ec2.register_image(Name="again", Architecture="x86_64", RootDeviceName="/dev/xvda", VirtualizationType="hvm",
                                    BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snap}}])["ImageId"]
        self.ec2.enable_image_block_public_access(ImageBlockPublicAccessState="block-new-sharing")
        self.assertEqual(self.ec2.get_image_block_public_access_state()["ImageBlockPublicAccessState"], "block-new-sharing")
        self.refused("OperationNotPermitted", self.ec2.modify_image_attribute, ImageId=r,
                     LaunchPermission={"Add": [{"Group": "all"}]})
        self.ec2.disable_image_block_public_access()
        self.ec2.modify_image_attribute(ImageId=r, LaunchPermission={"Add": [{"Group": "all"}]})
        self.assertIn(r, [x["ImageId"] for x in other.describe_images(ExecutableUsers=["all"])["Images"]])
        self.ec2.enable_image_deprecation(ImageId=r, DeprecateAt="2030-01-01T00:00:00Z")
        self.assertIn("DeprecationTime", self.ec2.describe_images(ImageIds=[r])["Images"][0])
        self.ec2.disable_image_deprecation(ImageId=r)
        self.ec2.disable_image(ImageId=r)
        self.refused("InvalidAMIID.Unavailable", self.run_one, ImageId=r)
        self.ec2.enable_image(ImageId=r)
        self.ec2.enable_image_deregistration_protection(ImageId=r)
        self.refused("OperationNotPermitted", self.ec2.deregister_image, ImageId=r)
        self.ec2.disable_image_deregistration_protection(ImageId=r)
        self.ec2.deregister_image(ImageId=r)
        self.ec2.deregister_image(ImageId=a, DeleteAssociatedSnapshots=True)
        self.refused("InvalidSnapshot.NotFound", self.ec2.describe_snapshots, SnapshotIds=[snap])
        s = self.ec2.create_snapshots(InstanceSpecification={"InstanceId": j}, Description="all")["Snapshots"]
        self.assertEqual(len(s), 1)
        self.ec2.terminate_instances(InstanceIds=[i, j])


if __name__ == "__main__":
    unittest.main()
