"""Root volumes of running instances replaced: as they were launched, by a snapshot, by an image; with simulated compute, and with real
machines where virga runs as root, which boot from the new one and keep all else."""
import os
import subprocess
import unittest

from ec2_instance_test import Case
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)
ZONE = "us-east-1a"


class Tasks(Case):
    def task(self, t):
        return self.ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=[t])["ReplaceRootVolumeTasks"][0]

    def replace(self, i, state="succeeded", **kw):
        made = self.ec2.create_replace_root_volume_task(InstanceId=i, **kw)["ReplaceRootVolumeTask"]
        self.assertEqual((made["TaskState"], made["InstanceId"]), ("pending", i))
        self.until(lambda: self.task(made["ReplaceRootVolumeTaskId"])["TaskState"] in ("succeeded", "failed"))
        told = self.task(made["ReplaceRootVolumeTaskId"])
        self.assertEqual(told["TaskState"], state)
        self.assertIn("CompleteTime", told)
        self.until(lambda: self.describe(i)["State"]["Name"] == "running")
        return told

    def root(self, i):
        return self.describe(i)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]

    def launch(self, **kw):
        return self.run_one(Placement={"AvailabilityZone": ZONE}, **kw)

    def snapshot(self, v):
        s = self.ec2.create_snapshot(VolumeId=v)["SnapshotId"]
        self.until(lambda: self.ec2.describe_snapshots(SnapshotIds=[s])["Snapshots"][0]["State"] == "completed")
        return s

    def test_tasks(self):
        ec2 = self.ec2
        i = self.launch()
        first = self.root(i)
        s = self.snapshot(first)
        self.refused("InvalidParameterCombination", ec2.create_replace_root_volume_task, InstanceId=i, SnapshotId=s, ImageId=self.image)
        self.refused("InvalidInstanceID.NotFound", ec2.create_replace_root_volume_task, InstanceId="i-" + "0" * 17)
        self.refused("InvalidReplaceRootVolumeTaskId.NotFound", self.task, t="replacevol-" + "0" * 17)
        stranger = ec2.create_volume(AvailabilityZone=ZONE, Size=8)["VolumeId"]
        self.volume(stranger)
        self.refused("InvalidParameterValue", ec2.create_replace_root_volume_task, InstanceId=i, SnapshotId=self.snapshot(stranger))

        # As it was launched: the old one is kept, and does not go with the instance any more.
        told = self.replace(i, TagSpecifications=[{"ResourceType": "replace-root-volume-task", "Tags": [{"Key": "k", "Value": "v"}]}])
        self.assertEqual((told["Tags"], told["DeleteReplacedRootVolume"]), ([{"Key": "k", "Value": "v"}], False))
        second = self.root(i)
        self.assertNotEqual(first, second)
        self.assertEqual(self.volume(first)["Attachments"], [])
        [a] = self.volume(second, "in-use")["Attachments"]
        self.assertEqual((a["InstanceId"], a["Device"], a["State"], a["DeleteOnTermination"]), (i, "/dev/xvda", "attached", True))
        # A snapshot of a root that it had before; the one that is replaced goes.
        told = self.replace(i, SnapshotId=s, DeleteReplacedRootVolume=True)
        self.assertEqual(told["SnapshotId"], s)
        third = self.root(i)
        self.assertEqual(self.volume(third, "in-use")["SnapshotId"], s)
        self.until(lambda: not ec2.describe_volumes(Filters=[{"Name": "volume-id", "Values": [second]}])["Volumes"])
        # An image.
        image = ec2.create_image(InstanceId=i, Name="golden", NoReboot=True)["ImageId"]
        self.until(lambda: ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available")
        self.assertEqual(self.replace(i, ImageId=image)["ImageId"], image)
        [mapping] = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
        self.assertEqual(self.volume(self.root(i), "in-use")["SnapshotId"], mapping["Ebs"]["SnapshotId"])
        self.assertEqual(len(ec2.describe_replace_root_volume_tasks(Filters=[{"Name": "instance-id", "Values": [i]}])[
            "ReplaceRootVolumeTasks"]), 3)
        # A token asked again is the same task.
        one, two = [ec2.create_replace_root_volume_task(InstanceId=i, ClientToken="t")["ReplaceRootVolumeTask"] for _ in range(2)]
        self.assertEqual(one["ReplaceRootVolumeTaskId"], two["ReplaceRootVolumeTaskId"])
        self.until(lambda: self.task(one["ReplaceRootVolumeTaskId"])["TaskState"] == "succeeded")
        ec2.stop_instances(InstanceIds=[i])
        self.wait(i, "stopped")
        self.refused("IncorrectInstanceState", ec2.create_replace_root_volume_task, InstanceId=i)
        last = self.root(i)
        ec2.terminate_instances(InstanceIds=[i])
        self.wait(i, "terminated")
        self.until(lambda: not ec2.describe_volumes(Filters=[{"Name": "volume-id", "Values": [last]}])["Volumes"])
        self.volume(first)


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Machines(Tasks):
    test_tasks = None

    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2 = cls.virga.client("ec2")
        cls.image = cls.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]

    def until(self, what, limit=120):
        return super().until(what, limit)

    def ssh(self, i, command):
        run = subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, i, "--", "sh", "-c", command], capture_output=True,
                             text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout.strip()

    def test_machine(self):
        i = self.launch(BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}])
        if "StateReason" in self.describe(i):
            self.skipTest(self.describe(i)["StateReason"]["Message"])
        self.ssh(i, "echo one > /root/mark; printf kept | dd of=/dev/xvdf conv=fsync 2>/dev/null; sync")
        s = self.snapshot(self.root(i))
        self.ssh(i, "echo two > /root/mark; sync")
        address = self.describe(i)["PrivateIpAddress"]
        self.replace(i)
        self.assertEqual(self.ssh(i, "test ! -e /root/mark && head -c 4 /dev/xvdf && hostname -I"), "kept" + address)
        self.replace(i, SnapshotId=s, DeleteReplacedRootVolume=True)
        self.assertEqual(self.ssh(i, "cat /root/mark && head -c 4 /dev/xvdf"), "one\nkept")
        # virga dies in the middle of it.
        self.ec2.create_replace_root_volume_task(InstanceId=i)
        self.virga.restart()
        self.until(lambda: {t["TaskState"] for t in self.ec2.describe_replace_root_volume_tasks()["ReplaceRootVolumeTasks"]} == {"succeeded"})
        self.ssh(i, "test ! -e /root/mark")
        self.ec2.terminate_instances(InstanceIds=[i])
        self.wait(i, "terminated")


if __name__ == "__main__":
    unittest.main()
