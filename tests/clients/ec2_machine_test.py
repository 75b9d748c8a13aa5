"""EC2's instances as real machines, where virga runs as root: user data, disks that outlive a stop, volumes and snapshots with
their bytes, images, and that nothing is left."""
import os
import subprocess
import unittest

from ec2_instance_test import Case
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)
ZONE = "us-east-1a"


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Machines(Case):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2 = cls.virga.client("ec2")
        cls.image = cls.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]

    def until(self, what, limit=120):
        return super().until(what, limit)

    def ssh(self, i, command, code=0):
        run = subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, i, "--", "sh", "-c", command], capture_output=True,
                             text=True)
        self.assertEqual(run.returncode, code, run.stderr)
        return run.stdout

    def started(self, i):
        self.wait(i, "running")
        if "StateReason" in self.describe(i):
            self.skipTest(self.describe(i)["StateReason"]["Message"])
        return i

    def launch(self, **kw):
        return self.started(self.run_one(state=None, Placement={"AvailabilityZone": ZONE}, **kw))

    def test_life(self):
        i = self.launch(UserData="#!/bin/sh\necho hello from user data")
        self.until(lambda: "hello from user data" in self.ec2.get_console_output(InstanceId=i).get("Output", ""))
        token = "curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token"
        get = "curl -s -w ' %{http_code}' http://169.254.169.254/latest/meta-data/instance-id"
        self.assertEqual(self.ssh(i, f'{get} -H "X-aws-ec2-metadata-token: $({token})"'), f"{i} 200")
        self.assertTrue(self.ssh(i, get).endswith(" 401"))
        self.assertEqual(self.ssh(i, "id -u; echo to-error >&2").strip(), "0")
        # AWS by its own names, over TLS, trusted by what the image has.
        for host in ("sts.amazonaws.com", "sqs.us-east-1.amazonaws.com", "bucket.s3.eu-west-1.amazonaws.com"):
            self.assertEqual(self.ssh(i, f"curl -s -o /dev/null -w '%{{ssl_verify_result}}' https://{host}/"), "0", host)
        python = "import urllib.request as u; print(u.urlopen('https://s3.us-east-1.amazonaws.com/_virga/status').status)"
        self.assertEqual(self.ssh(i, f'python3 -c "{python}"').strip(), "200")
        self.ssh(i, "exit 7", code=7)
        # A second interface, plugged in while it runs.
        n = self.ec2.create_network_interface(SubnetId=self.describe(i)["SubnetId"])["NetworkInterface"]
        a = self.ec2.attach_network_interface(NetworkInterfaceId=n["NetworkInterfaceId"], InstanceId=i, DeviceIndex=1)["AttachmentId"]
        self.until(lambda: n["PrivateIpAddress"] in self.ssh(i, "cat /proc/net/fib_trie"))
        self.ec2.detach_network_interface(AttachmentId=a)
        self.until(lambda: n["PrivateIpAddress"] not in self.ssh(i, "cat /proc/net/fib_trie"))
        self.assertNotIn(self.virga.data, self.ssh(i, "cat /proc/mounts"))
        self.ssh(i, "echo kept > /root/file; sync")
        v = self.ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
        self.volume(v)
        self.ec2.attach_volume(VolumeId=v, InstanceId=i, Device="/dev/sdf")
        self.until(lambda: self.volume(v, "in-use")["Attachments"][0]["State"] == "attached")
        self.ssh(i, "printf 'on the volume' | dd of=/dev/xvdf conv=fsync 2>/dev/null")
        self.ec2.detach_volume(VolumeId=v)
        self.volume(v)
        self.ssh(i, "test ! -e /dev/xvdf")
        self.ec2.attach_volume(VolumeId=v, InstanceId=i, Device="/dev/sdg")
        self.until(lambda: self.volume(v, "in-use")["Attachments"][0]["State"] == "attached")
        self.assertEqual(self.ssh(i, "head -c 13 /dev/xvdg"), "on the volume")
        s = self.ec2.create_snapshot(VolumeId=v)["SnapshotId"]
        self.until(lambda: self.ec2.describe_snapshots(SnapshotIds=[s])["Snapshots"][0]["State"] == "completed")
        w = self.ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=s)["VolumeId"]
        self.volume(w)
        self.ec2.attach_volume(VolumeId=w, InstanceId=i, Device="/dev/sdh")
        self.until(lambda: self.volume(w, "in-use")["Attachments"][0]["State"] == "attached")
        self.assertEqual(self.ssh(i, "head -c 13 /dev/xvdh"), "on the volume")

        a = self.ec2.create_image(InstanceId=i, Name="golden", NoReboot=True)["ImageId"]
        self.until(lambda: self.ec2.describe_images(ImageIds=[a])["Images"][0]["State"] == "available")
        j = self.launch(ImageId=a)
        self.assertEqual(self.ssh(j, "cat /root/file").strip(), "kept")

        # The death of virga is not the machines'.
        booted = self.ssh(i, "cat /proc/1/stat | cut -d' ' -f22")
        self.virga.restart()
        self.started(i)
        self.assertEqual(self.ssh(i, "cat /proc/1/stat | cut -d' ' -f22"), booted)

        self.ec2.stop_instances(InstanceIds=[i])
        self.wait(i, "stopped")
        self.ec2.start_instances(InstanceIds=[i])
        self.started(i)
        self.assertEqual(self.ssh(i, "cat /root/file; head -c 13 /dev/xvdg"), "kept\non the volume")
        self.assertIn(i, self.ec2.get_console_output(InstanceId=i)["Output"])

        self.ec2.terminate_instances(InstanceIds=[i, j])
        for x in (i, j):
            self.wait(x, "terminated")
        # The roots went with their instances; what was attached later, and its like by the image, stays until it is deleted.
        self.until(lambda: {x["State"] for x in self.ec2.describe_volumes()["Volumes"]} == {"available"})
        left = [x["VolumeId"] for x in self.ec2.describe_volumes()["Volumes"]]
        self.assertTrue({v, w} <= set(left) and len(left) == 4, left)
        for x in left:
            self.ec2.delete_volume(VolumeId=x)
        self.until(lambda: not [f for f in os.listdir(os.path.join(self.virga.data, "ebs")) if f.startswith("vol-")])


if __name__ == "__main__":
    unittest.main()
