"""Changes of a balancer's configuration lose no request: of kept connections, of new ones, in the clear and by TLS. Needs root."""
import itertools
import subprocess
import unittest

from elbv2change import Changing

NEEDS_BOTO3 = (1, 40)

# Asks at once, and once more for each line that it reads.
KEPT = r"""
import http.client, sys
c = http.client.HTTPConnection(sys.argv[1], 80, timeout=60)
while True:
    c.request("GET", "/x")
    r = c.getresponse()
    r.read()
    print(r.status, "close" if r.will_close else "keep", flush=True)
    if not sys.stdin.readline(): break
"""


class Reload(Changing):
    def test_unhealthy(self):
        """A process that a newer one has replaced still answers what its kept connection asks: of a group without healthy targets, from all."""
        a = self.places[0]
        ill = self.serve(a, 8005, "ill")[1]
        open(ill, "w").close()
        tg = self.quick(Port=8005)
        self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": a["ip"]}])
        lb, ips = self.inside()
        front = self.listener(lb, [{"Type": "forward", "TargetGroupArn": tg}])
        self.until(lambda: list(self.health(tg).values())[0][0] == "unhealthy", lambda: self.health(tg))
        self.until(lambda: self.curl(f"http://{ips[0]}/x")[0] == 200)
        p = subprocess.Popen(["ip", "netns", "exec", self.space(self.places[2]["eni"]), "python3", "-c", KEPT, ips[0]],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(p.kill)
        self.assertEqual(p.stdout.readline(), "200 keep\n")
        self.change(lb, self.elb.create_rule, ListenerArn=front, Priority=1, Conditions=[{"Field": "path-pattern", "Values": ["/new"]}],
                    Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418"}}])
        self.until(lambda: self.curl(f"http://{ips[0]}/new")[0] == 418)
        self.assertEqual(p.communicate("\n", timeout=60)[0], "200 close\n")

    def test_changes(self):
        self.stand()
        made = []

        def some():
            made.extend(itertools.islice(self.changes(), 20))

        said = self.under_all_load(some)
        self.assertEqual(said["n_bad"], 0, said)
        self.assertEqual(len(made), 20)
        self.assertEqual(set(said["good"]), {"plain kept", "plain new", "tls kept", "tls new"}, said)


if __name__ == "__main__":
    unittest.main()
