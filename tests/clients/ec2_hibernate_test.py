"""Hibernation of a real machine, where virga runs as root: its processes go on where they were, also after a crash of virga; after
a stop of virga it boots anew."""
import os
import subprocess
import unittest

from ec2_machine_test import Machines as Real
from virga import BINARY

NEEDS_BOTO3 = (1, 40)
HELD = {"InstanceType": "m5.large", "HibernationOptions": {"Configured": True},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "VolumeSize": 10}}]}


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Hibernate(Real):
    test_life = None

    def hibernate(self, i):
        self.ec2.stop_instances(InstanceIds=[i], Hibernate=True)
        self.wait(i, "stopped")

    def start(self, i):
        self.ec2.start_instances(InstanceIds=[i])
        self.wait(i, "running")

    def test_memory_is_kept(self):
        i = self.launch(**HELD)
        other = self.launch(InstanceType="t3.micro")
        address = self.describe(i)["PrivateIpAddress"]
        group = self.describe(i)["SecurityGroups"][0]["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=8000, ToPort=8000, CidrIp="0.0.0.0/0")
        # What only memory has: a process, and a file below /run; and a server that answers others.
        self.ssh(i, "echo remembered > /run/note; echo written > /root/note; sync; "
                    "cd /run; setsid python3 -m http.server 8000 >/dev/null 2>&1 </dev/null & echo $! > /run/pid")
        fetch = f"curl -s -m 3 http://{address}:8000/note"
        self.until(lambda: self.ssh(other, f"{fetch} || true") == "remembered\n")
        pid = self.ssh(i, "cat /run/pid; cut -d' ' -f22 /proc/$(cat /run/pid)/stat")
        self.hibernate(i)
        self.assertEqual(self.describe(i)["StateReason"]["Code"], "Client.UserInitiatedHibernate")
        run = subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, i, "--", "true"], capture_output=True, text=True,
                             timeout=30)
        self.assertNotEqual(run.returncode, 0)
        self.until(lambda: self.ssh(other, f"{fetch} || true") == "")
        self.virga.restart()
        self.start(i)
        self.until(lambda: self.ssh(other, f"{fetch} || true") == "remembered\n")
        self.assertEqual(self.ssh(i, "cat /run/pid; cut -d' ' -f22 /proc/$(cat /run/pid)/stat"), pid)
        # Terminated while it is held still, nothing of it stays.
        self.ec2.terminate_instances(InstanceIds=[other])
        # A stop of virga ends its machines: then it boots from its disk.
        self.hibernate(i)
        self.virga.stop()
        self.virga.start(self.virga.port)
        self.start(i)
        self.until(lambda: self.ssh(i, "cat /root/note") == "written\n")
        self.ssh(i, "test ! -e /run/note")
        self.hibernate(i)
        self.ec2.terminate_instances(InstanceIds=[i])
        self.wait(i, "terminated")


del Real

if __name__ == "__main__":
    unittest.main()
