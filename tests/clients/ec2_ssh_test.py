"""`virga ssh`: commands and shells in a real machine, with input, output, a terminal, signals, and virga's death meanwhile."""
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import time
import unittest

from ec2_instance_test import Case
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Ssh(Case):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2 = cls.virga.client("ec2")
        cls.image = cls.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
        cls.instance = cls.ec2.run_instances(ImageId=cls.image, InstanceType="t3.micro", MinCount=1,
                                             MaxCount=1)["Instances"][0]["InstanceId"]

    def setUp(self):
        self.until(lambda: self.describe(self.instance)["State"]["Name"] == "running", 120)
        if "StateReason" in self.describe(self.instance):
            self.skipTest(self.describe(self.instance)["StateReason"]["Message"])
        # Its state is told a moment before its init answers.
        self.until(lambda: subprocess.run(self.words("--", "true"), stdin=subprocess.DEVNULL, capture_output=True).returncode == 0, 60)

    def words(self, *rest):
        return [BINARY, "ssh", "--endpoint", self.virga.endpoint, self.instance, *rest]

    def test_streams_and_codes(self):
        content = os.urandom(3 << 20)
        run = subprocess.run(self.words("--", "sh", "-c", "cat; echo aside >&2; exit 9"), input=content, capture_output=True)
        self.assertEqual((run.returncode, run.stdout == content, run.stderr), (9, True, b"aside\n"))
        run = subprocess.run(self.words("--", "sh", "-c", "kill -TERM $$"), capture_output=True)
        self.assertEqual(run.returncode, 128 + signal.SIGTERM)
        self.assertEqual(subprocess.run(self.words("--", "/no/such"), capture_output=True).returncode, 127)
        run = subprocess.run(self.words("--user", "nobody", "--", "id", "-un"), capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout), (0, "nobody\n"))
        # Without a command and a terminal, a shell that reads its input.
        run = subprocess.run(self.words(), input=b"echo $((6 * 7)); tty; exit 3\n", capture_output=True)
        self.assertEqual((run.returncode, run.stdout), (3, b"42\nnot a tty\n"))
        # The command's end is the end, though it left something running with its output.
        run = subprocess.run(self.words("--", "sh", "-c", "sleep 600 & echo started"), capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout), (0, "started\n"))
        run = subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, "i-00000000000000000", "--", "true"],
                             capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stderr), (255, "virga: no such instance runs\n"))

    def test_terminal(self):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
        shell = subprocess.Popen(self.words(), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                                 preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), env={**os.environ, "TERM": "vt100"})
        before = termios.tcgetattr(theirs)
        seen = b""

        def read_until(text):
            nonlocal seen
            while text not in seen:
                seen += os.read(ours, 65536)

        os.write(ours, b"stty size; echo term-$TERM-; tty; echo mark''1\n")
        read_until(b"mark1\r\n")
        self.assertIn(b"33 101\r\n", seen)
        self.assertIn(b"term-vt100-", seen)
        self.assertIn(b"/dev/pts/", seen)
        # The terminal here is resized, and so is the one there.
        os.write(ours, b"trap 'echo resized; stty size' WINCH; echo mark''2\n")
        read_until(b"mark2\r\n")
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 55, 0, 0))
        os.write(ours, b"while ! stty size | grep -q 55; do :; done; stty size; echo mark''3\n")
        read_until(b"mark3\r\n")
        self.assertIn(b"20 55\r\n", seen)
        # ^C is the command's, not this side's.
        os.write(ours, b"cat\n")
        os.write(ours, b"\x03")
        os.write(ours, b"\necho mark''4; exit 6\n")
        read_until(b"mark4\r\n")
        self.assertEqual(shell.wait(30), 6)
        self.assertEqual(termios.tcgetattr(theirs)[3], before[3])
        os.close(ours)
        os.close(theirs)

    def test_outlives_virga(self):
        run = subprocess.Popen(self.words("--", "sh", "-c", "echo up; read line; echo got $line; exit 4"), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
        self.assertEqual(run.stdout.readline(), "up\n")
        self.virga.kill()
        out, _ = run.communicate("word\n", timeout=60)
        self.assertEqual((out, run.returncode), ("got word\n", 4))
        self.virga.start(self.virga.port)

    def test_signals(self):
        run = subprocess.Popen(self.words("--", "sh", "-c", "trap 'echo caught; exit 5' INT; echo up; while :; do sleep 0.1; done"),
                               stdout=subprocess.PIPE, text=True)
        self.assertEqual(run.stdout.readline(), "up\n")
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=60)
        self.assertEqual((out, run.returncode), ("caught\n", 5))
        # Who goes away hangs up.
        run = subprocess.Popen(self.words("--", "sh", "-c", "echo $$; exec sleep 600"), stdout=subprocess.PIPE, text=True)
        pid = run.stdout.readline().strip()
        run.kill()
        run.communicate()
        end = time.monotonic() + 60
        while subprocess.run(self.words("--", "test", "-e", f"/proc/{pid}")).returncode == 0:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
