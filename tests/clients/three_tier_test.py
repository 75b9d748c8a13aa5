"""The three-tier example as `make demo` deploys it, on real machines: orders in the database, pictures in S3, a crash of virga, a
failover of the database, and that nothing of it is left."""
import http.client
import json
import os
import shutil
import subprocess
import time
import unittest
import uuid

from virga import Virga

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/demo.sh")
MISSING = next((p for p in ("aws", "curl", "haproxy") if not shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin")), None)


@unittest.skipIf(os.geteuid() != 0 or MISSING or not os.path.exists("/usr/lib/postgresql/15/bin/postgres"),
                 "needs root, the AWS CLI, HAProxy and PostgreSQL")
class ThreeTier(unittest.TestCase):
    def demo(self, what):
        run = subprocess.run(["bash", DEMO, what], capture_output=True, text=True, timeout=600,
                             env={**os.environ, "VIRGA_ENDPOINT": self.virga.endpoint})
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return run.stdout

    def ask(self, path, body=None):
        """As a browser would, by the balancer's name at virga's port; asked again while servers or the database change."""
        until = time.monotonic() + 120
        while True:
            try:
                c = http.client.HTTPConnection("127.0.0.1", self.virga.port, timeout=60)
                c.request("POST" if body else "GET", path, json.dumps(body) if body else None, {"Host": self.host})
                r = c.getresponse()
                content = r.read()
                if r.status in (200, 201):
                    return content
                content = f"{r.status} {content[:200]}"
            except (OSError, http.client.HTTPException) as e:
                content = repr(e)
            self.assertLess(time.monotonic(), until, f"{path}: {content}")
            time.sleep(0.2)

    def order(self):
        cart, order = str(uuid.uuid4()), str(uuid.uuid4())
        self.ask(f"/api/carts/{cart}", {"product": 1})
        made = json.loads(self.ask("/api/orders", {"cart": cart, "order": order}))
        self.assertEqual(made["order"], order)
        self.ordered.add(order)

    def assert_orders(self):
        self.assertEqual({o["order"] for o in json.loads(self.ask("/api/orders"))}, self.ordered)

    def test_the_shop(self):
        self.virga, self.ordered = Virga().start(), set()
        self.addCleanup(self.virga.close)
        self.assertIn("served after", self.demo("up"))
        elb, rds = self.virga.client("elbv2"), self.virga.client("rds")
        self.host = next(b["DNSName"] for b in elb.describe_load_balancers()["LoadBalancers"] if b["Scheme"] == "internet-facing")
        self.assertIn(b"<title>Shop</title>", self.ask("/"))
        self.order()
        self.ask("/api/products", {"name": "Pictured", "price": 1, "picture": "data:image/png;base64,iVBORw0KGgo="})
        path = next(p["picture"] for p in json.loads(self.ask("/api/products")) if p["name"] == "Pictured")
        self.assertEqual(self.ask(path), b"\x89PNG\r\n\x1a\n")
        self.virga.kill()
        self.virga.start(self.virga.port)
        self.order()
        database = rds.describe_db_instances()["DBInstances"][0]
        self.assertTrue(database["MultiAZ"])
        before = json.loads(self.ask("/api/about"))["database"]
        until = time.monotonic() + 120
        while rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] != "available":
            self.assertLess(time.monotonic(), until)
            time.sleep(0.2)
        rds.reboot_db_instance(DBInstanceIdentifier=database["DBInstanceIdentifier"], ForceFailover=True)
        while json.loads(self.ask("/api/about"))["database"] == before:
            self.assertLess(time.monotonic(), until)
            time.sleep(0.2)
        self.order()
        self.assert_orders()
        self.assertIn("gone", self.demo("down"))
        self.assertEqual(self.virga.client("ec2").describe_instances(
            Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}])["Reservations"], [])


if __name__ == "__main__":
    unittest.main()
