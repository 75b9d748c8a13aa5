"""What EC2 tells of what is there already, through boto3: a launch template's data of an instance, what instances were launched from,
tiers of snapshots, formats of ids. With simulated compute."""
import base64
import unittest

from ec2_instance_test import Case

NEEDS_BOTO3 = (1, 40)
ZONE = "us-east-1a"


class Described(Case):
    def test_launch_template_data(self):
        ec2 = self.ec2
        self.refused("InvalidInstanceID.NotFound", ec2.get_launch_template_data, InstanceId="i-" + "0" * 17)
        i = self.run_one(Placement={"AvailabilityZone": ZONE}, UserData="#!/bin/sh\necho hello", InstanceInitiatedShutdownBehavior="terminate",
                         DisableApiStop=True, BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {
                             "VolumeSize": 3, "VolumeType": "gp3", "DeleteOnTermination": False}}],
                         TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}])
        d = ec2.get_launch_template_data(InstanceId=i)["LaunchTemplateData"]
        self.assertEqual((d["ImageId"], d["InstanceType"], d["InstanceInitiatedShutdownBehavior"], d["DisableApiStop"], d["DisableApiTermination"]),
                         (self.image, "t3.micro", "terminate", True, False))
        self.assertEqual(base64.b64decode(d["UserData"]), b"#!/bin/sh\necho hello")
        self.assertEqual(d["TagSpecifications"], [{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}])
        self.assertEqual((d["Placement"]["AvailabilityZone"], d["Monitoring"]), (ZONE, {"Enabled": False}))
        told = self.describe(i)
        [n] = d["NetworkInterfaces"]
        self.assertEqual((n["DeviceIndex"], n["SubnetId"], n["PrivateIpAddresses"]), (0, told["SubnetId"], [
            {"Primary": True, "PrivateIpAddress": told["PrivateIpAddress"]}]))
        root, data = d["BlockDeviceMappings"]
        self.assertEqual((root["DeviceName"], root["Ebs"]["DeleteOnTermination"]), ("/dev/xvda", True))
        self.assertEqual((data["Ebs"]["VolumeSize"], data["Ebs"]["VolumeType"], data["Ebs"]["DeleteOnTermination"]), (3, "gp3", False))
        # Another one of it: all but the address, which is taken, and what only answers have.
        del n["PrivateIpAddresses"]
        d["MetadataOptions"].pop("State", None)
        t = ec2.create_launch_template(LaunchTemplateName="again", LaunchTemplateData=d)["LaunchTemplate"]["LaunchTemplateId"]
        j = ec2.run_instances(LaunchTemplate={"LaunchTemplateId": t}, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        self.wait(j, "running")
        self.assertEqual([b["DeviceName"] for b in self.describe(j)["BlockDeviceMappings"]], ["/dev/xvda", "/dev/sdf"])
        self.assertIn({"Key": "k", "Value": "v"}, self.describe(j)["Tags"])

    def test_image_metadata(self):
        i = self.run_one(Placement={"AvailabilityZone": ZONE})
        ask = self.ec2.describe_instance_image_metadata
        [m] = ask(InstanceIds=[i])["InstanceImageMetadata"]
        [image] = self.ec2.describe_images(ImageIds=[self.image])["Images"]
        self.assertEqual((m["InstanceId"], m["AvailabilityZone"], m["State"]["Name"], m["InstanceType"]), (i, ZONE, "running", "t3.micro"))
        self.assertEqual((m["ImageMetadata"]["ImageId"], m["ImageMetadata"]["Name"], m["ImageMetadata"]["OwnerId"], m["ImageMetadata"]["IsPublic"]),
                         (self.image, image["Name"], image["OwnerId"], True))
        self.assertEqual(ask(InstanceIds=[i], Filters=[{"Name": "instance-state-name", "Values": ["stopped"]}])["InstanceImageMetadata"], [])
        # An image that is gone since.
        own = self.ec2.create_image(InstanceId=i, Name="own", NoReboot=True)["ImageId"]
        self.until(lambda: self.ec2.describe_images(ImageIds=[own])["Images"][0]["State"] == "available")
        j = self.run_one(ImageId=own)
        self.ec2.deregister_image(ImageId=own)
        [m] = ask(InstanceIds=[j])["InstanceImageMetadata"]
        self.assertEqual((m["ImageMetadata"]["ImageId"], m["ImageMetadata"].get("Name")), (own, None))
        self.ec2.terminate_instances(InstanceIds=[j])
        self.wait(j, "terminated")
        self.assertNotIn(j, [m["InstanceId"] for m in ask()["InstanceImageMetadata"]])

    def test_tiers(self):
        v = self.ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
        self.volume(v)
        s = self.ec2.create_snapshot(VolumeId=v)["SnapshotId"]
        self.until(lambda: self.ec2.describe_snapshots(SnapshotIds=[s])["Snapshots"][0]["State"] == "completed")

        def told():
            return self.ec2.describe_snapshot_tier_status(Filters=[{"Name": "snapshot-id", "Values": [s]}])["SnapshotTierStatuses"][0]

        self.assertEqual((told()["StorageTier"], told()["Status"], told().get("LastTieringOperationStatus")), ("standard", "completed", None))
        self.ec2.modify_snapshot_tier(SnapshotId=s, StorageTier="archive")
        self.assertEqual((told()["StorageTier"], told()["LastTieringOperationStatus"]), ("archive", "archival-completed"))
        self.assertIn("ArchivalCompleteTime", told())
        self.ec2.restore_snapshot_tier(SnapshotId=s, TemporaryRestoreDays=2)
        self.assertEqual((told()["StorageTier"], told()["LastTieringOperationStatus"]), ("standard", "temporary-restore-completed"))
        self.assertIn("RestoreExpiryTime", told())
        self.advance("3d")
        self.until(lambda: told()["StorageTier"] == "archive")
        self.ec2.restore_snapshot_tier(SnapshotId=s, PermanentRestore=True)
        self.assertEqual(told()["LastTieringOperationStatus"], "permanent-restore-completed")

    def test_id_formats(self):
        told = self.ec2.describe_aggregate_id_format()
        self.assertTrue(told["UseLongIdsAggregated"])
        self.assertEqual(told["Statuses"], self.ec2.describe_id_format()["Statuses"])
        self.assertEqual(self.ec2.describe_id_format(Resource="vpc")["Statuses"], [{"Resource": "vpc", "UseLongIds": True}])
        self.assertEqual(self.ec2.describe_identity_id_format(PrincipalArn="all", Resource="instance")["Statuses"],
                         [{"Resource": "instance", "UseLongIds": True}])
        self.refused("InvalidParameterValue", self.ec2.describe_id_format, Resource="nothing")


if __name__ == "__main__":
    unittest.main()
