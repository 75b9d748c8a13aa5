"""A zone that goes, behind a balancer, under keep-alive load. Needs root."""
import subprocess
import unittest

from elbv2case import Faulty
from virga import BINARY

NEEDS_BOTO3 = (1, 40)


class Zones(Faulty):
    def fault(self, state):
        subprocess.run([BINARY, "fault", "--endpoint", self.virga.endpoint, "az", "us-east-1b", state], check=True, capture_output=True)

    def test_zone(self):
        """The other zone's node goes on with its own targets; what was under way to the zone that went fails, and no more."""
        self.addCleanup(self.fault, "up")

        def down():
            self.fault("down")
            self.until(lambda: self.state(self.places[1]) == "unhealthy")

        said = self.under_load(down, least=4)
        self.assertLessEqual(said["n_bad"], 4, said)
        said = self.under_load(lambda: [self.told(f"http://{self.ips[0]}/x") for _ in range(20)])
        self.assertEqual(said["n_bad"], 0, said)
        # Kept connections into it are reset, not left to time out.
        self.fault("up")
        self.until(lambda: self.state(self.places[1]) == "healthy")
        code = """
import http.client, sys, time
c = http.client.HTTPConnection(sys.argv[1], 80, timeout=100)
c.request("GET", "/x"); c.getresponse().read()
print("kept", flush=True)
sys.stdin.readline()
try:
    c.sock.sendall(b"GET /x HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print("answered" if c.sock.recv(100) else "closed")
except ConnectionResetError: print("reset")
"""
        p = subprocess.Popen(["ip", "netns", "exec", self.space(self.places[0]["eni"]), "python3", "-c", code, self.ips[1]],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(p.stdout.readline(), "kept\n")
        self.fault("down")
        self.until(lambda: self.curl(f"http://{self.ips[1]}/x", place=self.places[0], limit="1")[0] == 0)  # the rules are there
        self.assertEqual(p.communicate("go\n", timeout=60)[0], "reset\n")


if __name__ == "__main__":
    unittest.main()
