"""EC2 Instance Connect: a key that opens an instance's sshd for one user, for a minute."""
import os
import subprocess
import unittest

from ec2_instance_test import Case
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)
SSH = "ssh -i /tmp/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"


class Simulated(Case):
    def test_refused(self):
        connect = self.virga.client("ec2-instance-connect")
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJfPG6CcjoTEWZRtnm5pJ4dmHhKpV4jkKoGGaOKzB8bC me"
        send = lambda i, k=key: connect.send_ssh_public_key(InstanceId=i, InstanceOSUser="ec2-user", SSHPublicKey=k)
        i = self.run_one()
        self.refused("EC2InstanceNotFoundException", send, i="i-0123456789abcdef0")
        self.refused("InvalidArgsException", send, i=i, k="x" * 100)
        self.refused("EC2InstanceUnavailableException", send, i=i)
        self.ec2.stop_instances(InstanceIds=[i])
        self.wait(i, "stopped")
        self.refused("EC2InstanceStateInvalidException", send, i=i)


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Connect(Case):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2 = cls.virga.client("ec2")
        cls.image = cls.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]

    def run_inside(self, i, command):
        return subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, i, "--", "sh", "-c", command], capture_output=True,
                              text=True)

    def test_a_minute(self):
        i = self.run_one(state=None)
        self.until(lambda: self.describe(i)["State"]["Name"] == "running", 120)
        if "StateReason" in self.describe(i):
            self.skipTest(self.describe(i)["StateReason"]["Message"])
        made = self.run_inside(i, "useradd -m -s /bin/sh other; ssh-keygen -q -t ed25519 -N '' -f /tmp/key && cat /tmp/key.pub")
        if made.returncode:
            self.skipTest("the image has no OpenSSH: " + made.stderr)
        enter = lambda user: self.run_inside(i, f"{SSH} {user}@127.0.0.1 id -un")
        self.assertEqual(enter("other").returncode, 255)
        connect = self.virga.client("ec2-instance-connect")
        got = connect.send_ssh_public_key(InstanceId=i, InstanceOSUser="other", SSHPublicKey=made.stdout)
        self.assertTrue(got["Success"])
        self.until(lambda: enter("other").stdout == "other\n")
        self.assertEqual(enter("root").returncode, 255)
        self.advance("61s")
        self.until(lambda: enter("other").returncode == 255)


del Case

if __name__ == "__main__":
    unittest.main()
