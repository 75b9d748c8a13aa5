"""Load balancers that balance: targets are servers in the namespaces of two endpoints' interfaces, the client is in a third's, and
each request passes the VPC's rules. Needs root; no machine is started."""
import datetime
import json
import os
import subprocess
import unittest

from ec2_network_test import ASK
from elbv2case import LOAD, Place

NEEDS_BOTO3 = (1, 40)


class Nodes(Place):
    @classmethod
    def shared(cls):
        """One balancer with all that the tests ask of it: its groups' first checks take the most time."""
        if cls.lb:
            return
        self = cls("test_balances")
        self.setUp()
        cls.keep = self
        a, b = cls.places[:2]
        for place, port, name in ((a, 8001, "one"), (b, 8001, "two"), (a, 8002, "three"), (b, 8002, "four"), (a, 8003, "five")):
            cls.ill[name] = self.serve(place, port, name)[1]
        open(cls.ill["five"], "w").close()
        cls.lb, cls.ips = self.inside(clean=False)
        cls.main, cls.odd, cls.sticky, cls.app = (self.quick(Port=p) for p in (8001, 8002, 8001, 8001))
        cls.dead, cls.empty = self.quick(Port=8009), self.quick(Port=8001)
        for tg in (cls.main, cls.sticky, cls.app, cls.odd):
            self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": a["ip"]}, {"Id": b["ip"]}])
        cls.weak = self.quick(Port=8003)
        self.elb.register_targets(TargetGroupArn=cls.weak, Targets=[{"Id": a["ip"]}, {"Id": b["ip"], "Port": 8001}])
        self.elb.register_targets(TargetGroupArn=cls.dead, Targets=[{"Id": a["ip"]}])
        for tg, kind in ((cls.sticky, "lb_cookie"), (cls.app, "app_cookie")):
            self.elb.modify_target_group_attributes(TargetGroupArn=tg, Attributes=[
                {"Key": "stickiness.enabled", "Value": "true"}, {"Key": "stickiness.type", "Value": kind},
                *([{"Key": "stickiness.app_cookie.cookie_name", "Value": "app"}] if kind == "app_cookie" else [])])
        listener = self.listener(cls.lb, [{"Type": "forward", "TargetGroupArn": cls.main}])

        def to(tg):
            return [{"Type": "forward", "TargetGroupArn": tg}]

        def path(*v):
            return {"Field": "path-pattern", "Values": list(v)}

        weighted = {"TargetGroups": [{"TargetGroupArn": cls.main, "Weight": 0}, {"TargetGroupArn": cls.odd, "Weight": 5}]}
        split = {"TargetGroups": [{"TargetGroupArn": cls.main, "Weight": 1}, {"TargetGroupArn": cls.odd, "Weight": 1}],
                 "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60}}
        rules = [
            ([path("/old/*")], [{"Type": "redirect", "RedirectConfig": {
                "Protocol": "HTTPS", "Port": "443", "Host": "new.#{host}", "Path": "/x/#{path}", "StatusCode": "HTTP_302"}}]),
            ([path("/fixed")], [{"Type": "fixed-response", "FixedResponseConfig": {
                "StatusCode": "418", "ContentType": "application/json", "MessageBody": '{"100%": "it\'s\n\\"'}}]),
            ([{"Field": "host-header", "Values": ["*.odd.example"]}], to(cls.odd)),
            ([{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Canary", "Values": ["yes*"]}}], to(cls.odd)),
            ([{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2?"}]}}], to(cls.odd)),
            ([{"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}}, path("/post")], to(cls.odd)),
            ([{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.99.0.0/16"]}}], to(cls.odd)),
            ([path("/weak")], to(cls.weak)), ([path("/dead")], to(cls.dead)), ([path("/empty")], to(cls.empty)), ([path("/sticky")], to(cls.sticky)),
            ([path("/cookie", "/app")], to(cls.app)), ([path("/weighted")], [{"Type": "forward", "ForwardConfig": weighted}]),
            ([path("/split")], [{"Type": "forward", "ForwardConfig": split}])]
        for i, (conditions, actions) in enumerate(rules):
            self.elb.create_rule(ListenerArn=listener, Priority=i + 1, Conditions=conditions, Actions=actions)
        self.elb.create_rule(ListenerArn=listener, Priority=99, Conditions=[path("/api/*")], Actions=to(cls.main), Transforms=[
            {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/api/(.*)$", "Replace": "/v1/$1"}]}}])
        cls.certificates = [self.acm.request_certificate(DomainName=n, ValidationMethod="DNS", KeyAlgorithm="EC_prime256v1")["CertificateArn"]
                            for n in ("one.example.com", "two.example.com")]
        self.until(lambda: all(self.acm.describe_certificate(CertificateArn=x)["Certificate"]["Status"] == "ISSUED"
                               for x in cls.certificates))
        cls.secure = self.listener(cls.lb, to(cls.main), Protocol="HTTPS", Port=443, SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
                                   Certificates=[{"CertificateArn": cls.certificates[0]}])
        self.elb.add_listener_certificates(ListenerArn=cls.secure, Certificates=[{"CertificateArn": cls.certificates[1]}])
        for tg in (cls.main, cls.sticky, cls.app, cls.odd):
            self.healthy(tg, 2)
        self.healthy(cls.weak, 1)
        self.until(lambda: self.health(cls.weak)[a["ip"] + ":8003"] == ("unhealthy", "Target.ResponseCodeMismatch"))
        self.assertEqual({self.told(self.url + "/weak")["name"] for _ in range(4)}, {"two"})
        os.unlink(cls.ill["five"])

    lb, ill = None, {}

    @property
    def url(self):
        return f"http://{self.ips[0]}"

    def test_balances(self):
        self.shared()
        names = [self.told(f"http://{self.ips[i % 2]}/x")["name"] for i in range(8)]
        self.assertEqual(sorted(set(names)), ["one", "two"])
        h = self.told(self.url + "/x", "-H", "X-Forwarded-For: 1.2.3.4", "-H", "X-Amzn-Trace-Id: Root=1-2-3")["headers"]
        self.assertEqual((h["x-forwarded-for"], h["x-forwarded-proto"], h["x-forwarded-port"]),
                         (f"1.2.3.4, {self.places[2]['ip']}", "http", "80"))
        self.assertRegex(h["x-amzn-trace-id"], r"^Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-2-3$")
        self.assertRegex(self.told(self.url + "/x")["headers"]["x-amzn-trace-id"], r"^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$")

    def test_rules(self):
        self.shared()
        odd = {"three", "four"}
        self.assertIn(self.told(self.url + "/x", "-H", "Host: a.ODD.example:80")["name"], odd)
        self.assertIn(self.told(self.url + "/x", "-H", "X-Canary: YES please")["name"], odd)
        self.assertIn(self.told(self.url + "/x?a=1&v=23")["name"], odd)
        self.assertNotIn(self.told(self.url + "/x?v=2")["name"], odd)
        self.assertIn(self.told(self.url + "/post", "-X", "POST", "-d", "")["name"], odd)
        self.assertNotIn(self.told(self.url + "/post")["name"], odd)
        self.assertEqual({self.told(self.url + "/weighted")["name"] in odd for _ in range(4)}, {True})
        self.assertEqual(self.told(self.url + "/api/things?q=1")["path"], "/v1/things?q=1")
        code, h, _ = self.curl(self.url + "/old/a?b=c", "-H", "Host: site.example")
        self.assertEqual((code, h["location"]), (302, "https://new.site.example:443/x/old/a?b=c"))
        self.assertEqual(self.curl(self.url + "/old/a", "-H", "Host: s.example")[1]["location"], "https://new.s.example:443/x/old/a")
        code, h, body = self.curl(self.url + "/fixed")
        self.assertEqual((code, body.decode()), (418, '{"100%": "it\'s\n\\"'))
        self.assertEqual((h["content-type"], h["server"]), ("application/json; charset=utf-8", "awselb/2.0"))

    def test_sticks(self):
        self.shared()
        _, h, body = self.curl(self.url + "/sticky")
        first, cookie = json.loads(body)["name"], h["set-cookie"]
        self.assertTrue(cookie.startswith("AWSALB=") and "Max-Age=86400" in cookie, cookie)
        value = cookie.split(";")[0]
        self.assertEqual({self.told(f"http://{self.ips[i % 2]}/sticky", "-H", "Cookie: " + value)["name"] for i in range(6)}, {first})
        _, h, body = self.curl(self.url + "/cookie")
        first = json.loads(body)["name"]
        self.assertEqual({self.told(self.url + "/app", "-H", f"Cookie: app={first}")["name"] for _ in range(6)}, {first})
        _, h, body = self.curl(self.url + "/split")
        group = json.loads(body)["name"] in ("three", "four")
        value = h["set-cookie"].split(";")[0]
        self.assertTrue(value.startswith("AWSALBTG="), value)
        self.assertEqual({self.told(self.url + "/split", "-H", "Cookie: " + value)["name"] in ("three", "four") for _ in range(8)}, {group})

    def total(self, name):
        """What CloudWatch has counted for the balancer."""
        now = datetime.datetime.now(datetime.timezone.utc)
        hour = datetime.timedelta(hours=1)
        points = self.virga.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/ApplicationELB", MetricName=name, StartTime=now - hour, EndTime=now + hour, Period=60, Statistics=["Sum"],
            Dimensions=[{"Name": "LoadBalancer", "Value": self.lb["LoadBalancerArn"].split("loadbalancer/")[1]}])
        return sum(p["Sum"] for p in points["Datapoints"])

    def test_failures(self):
        self.shared()
        for path, want in (("/dead", 502), ("/empty", 503), ("/garbage", 502), ("/reset", 502), ("/status/404", 404)):
            code, h, body = self.curl(self.url + path)
            self.assertEqual(code, want, (path, body))
            if want > 500:
                self.assertIn(str(want).encode(), body)
                self.assertEqual(h["server"], "awselb/2.0")
        # What a target says itself stays its own.
        for code in (502, 503, 504):
            said, h, body = self.curl(f"{self.url}/status/{code}")
            self.assertEqual((said, json.loads(body)["path"]), (code, f"/status/{code}"))
            self.assertTrue(h["server"].startswith("BaseHTTP"), h)
        self.assertEqual(self.curl(self.url + "/x", "-H", "X-Forwarded-For: " + ", ".join(["1.2.3.4"] * 31))[0], 463)
        self.assertEqual(self.curl(self.url + "/x", "-H", "X-Forwarded-For: " + ", ".join(["1.2.3.4"] * 30))[0], 200)
        for path, name in (("/dead", "502"), ("/empty", "503")):
            self.until(lambda: self.curl(self.url + path)[0] and self.total(f"HTTPCode_ELB_{name}_Count") > 0)
        for path, code, name in (("/fixed", 418, "HTTP_Fixed_Response_Count"), ("/old/x", 302, "HTTP_Redirect_Count")):
            self.until(lambda: self.curl(self.url + path)[0] == code and self.total(name) > 0)
        self.assertEqual(self.total("HTTPCode_ELB_500_Count"), 0)
        self.elb.modify_load_balancer_attributes(LoadBalancerArn=self.lb["LoadBalancerArn"], Attributes=[
            {"Key": "idle_timeout.timeout_seconds", "Value": "1"}])
        self.until(lambda: self.curl(self.url + "/slow5")[0] == 504)
        self.elb.modify_load_balancer_attributes(LoadBalancerArn=self.lb["LoadBalancerArn"], Attributes=[
            {"Key": "idle_timeout.timeout_seconds", "Value": "60"}])
        self.assertEqual(self.health(self.dead)[self.places[0]["ip"] + ":8009"], ("unhealthy", "Target.FailedHealthChecks"))

    def test_secure(self):
        self.shared()
        ca = os.path.join(self.virga.data, "ca.pem")

        def ask(name, *args):
            return self.told(f"https://{name}/x", "--cacert", ca, "--resolve", f"{name}:443:{self.ips[1]}", *args)

        self.assertEqual(ask("one.example.com")["headers"]["x-forwarded-proto"], "https")
        self.until(lambda: self.curl("https://two.example.com/x", "--cacert", ca, "--resolve", f"two.example.com:443:{self.ips[1]}")[0] == 200)
        self.assertIn(ask("two.example.com", "--http2")["name"], ("one", "two"))
        self.assertEqual(self.curl("https://three.example.com/", "--cacert", ca, "--resolve", f"three.example.com:443:{self.ips[1]}")[0], 0)
        self.assertEqual(self.curl(f"https://{self.ips[1]}/x", "-k", "--tls-max", "1.1")[0], 0)

    def test_websocket(self):
        self.shared()
        code = """
import socket, sys
s = socket.create_connection((sys.argv[1], 80), timeout=10)
s.sendall(b"GET /ws HTTP/1.1\\r\\nHost: x\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n"
          b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n")
b = b""
while b"\\r\\n\\r\\n" not in b: b += s.recv(1000)
assert b.startswith(b"HTTP/1.1 101"), b
s.sendall(b"echo")
print(s.recv(100).decode())
"""
        run = subprocess.run(["ip", "netns", "exec", self.space(self.places[2]["eni"]), "python3", "-c", code, self.ips[0]],
                             capture_output=True, text=True)
        self.assertEqual(run.stdout.strip(), "ECHO", run.stderr)

    def test_groups_guard(self):
        """The balancer's security group decides who reaches it, the targets' who reaches them."""
        self.shared()
        shut = self.group([(81, 81)])
        self.elb.set_security_groups(LoadBalancerArn=self.lb["LoadBalancerArn"], SecurityGroups=[shut])
        self.until(lambda: self.curl(self.url + "/x", limit="1")[0] == 0)
        self.elb.set_security_groups(LoadBalancerArn=self.lb["LoadBalancerArn"], SecurityGroups=[self.sg])
        self.until(lambda: self.curl(self.url + "/x", limit="1")[0] == 200)

    def test_crash(self):
        """The death of virga is not the balancer's; who comes after it takes it over."""
        self.shared()
        main = [p["ip"] + ":8001" for p in self.places[:2]]
        pids = self.haproxies()
        self.virga.kill()
        for i in range(4):
            self.assertEqual(self.curl(f"http://{self.ips[i % 2]}/x")[0], 200)
        self.virga.start(self.virga.port)
        self.until(lambda: all(self.health(self.main)[t][0] == "healthy" for t in main), lambda: self.health(self.main))
        self.elb.deregister_targets(TargetGroupArn=self.odd, Targets=[{"Id": self.places[0]["ip"]}])
        self.until(lambda: {self.told(self.url + "/weighted")["name"] for _ in range(4)} == {"four"})
        self.assertEqual(self.health(self.odd)[self.places[0]["ip"] + ":8002"], ("draining", "Target.DeregistrationInProgress"))
        self.elb.register_targets(TargetGroupArn=self.odd, Targets=[{"Id": self.places[0]["ip"]}])
        self.healthy(self.odd, 2)
        self.assertEqual(self.haproxies(), pids)

    def haproxies(self):
        found = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f, open(f"/proc/{pid}/stat") as g:
                    folder = os.stat(f"/proc/{pid}/root/srv/engine").st_ino
                    if b"haproxy\0-W" in f.read() and folder in {os.stat(e).st_ino for e in os.scandir(self.virga.data + "/elb")}:
                        if os.readlink(f"/proc/{pid}/exe").endswith("haproxy") and "\tNSpid" not in g.read():
                            with open(f"/proc/{pid}/status") as s:
                                if any(x.startswith("NSpid") and x.split()[-1] == "1" for x in s):
                                    found.add(int(pid))
            except (FileNotFoundError, ProcessLookupError, NotADirectoryError, PermissionError):
                continue
        self.assertEqual(len(found), 2)
        return found

    def test_changes_lose_nothing(self):
        self.shared()
        stop = os.path.join(self.virga.folder, "stop")
        spare = [{"Id": p["ip"], "Port": 8002} for p in self.places[:2]]
        self.addCleanup(self.elb.deregister_targets, TargetGroupArn=self.main, Targets=spare)
        load = subprocess.Popen(["ip", "netns", "exec", self.space(self.places[2]["eni"]), "python3", "-c", LOAD, self.ips[0], stop],
                                stdout=subprocess.PIPE, text=True)
        try:
            self.until(lambda: os.path.exists(stop + ".began"))
            for i in range(50):
                one = spare[i % 2]
                name = f"{one['Id']}:{one['Port']}"
                self.elb.register_targets(TargetGroupArn=self.main, Targets=[one])
                # The node has taken it in.
                self.until(lambda: self.health(self.main)[name] not in (
                    ("initial", "Elb.RegistrationInProgress"), ("draining", "Target.DeregistrationInProgress")))
                self.elb.deregister_targets(TargetGroupArn=self.main, Targets=[one])
        finally:
            open(stop, "w").close()
            said = json.loads(load.communicate()[0])
        self.assertEqual(said["n_bad"], 0, said)
        self.assertGreater(said["good"], 50)

    def test_names(self):
        """From the user's machine through the edge's port, and in the VPC by its resolver; internal ones only there."""
        lb, tg = self.balancer(), self.quick(Port=8001)
        self.listener(lb, [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "out here"}}])
        name = lb["DNSName"]

        def get(*args):
            return subprocess.run(["curl", "-s", "-m", "5", "--noproxy", "*", *args], capture_output=True, text=True).stdout

        edge = f"{self.virga.port}"
        self.until(lambda: get("--resolve", f"{name}:{edge}:127.0.0.1", f"http://{name}:{edge}/") == "out here")
        self.shared()
        inside = self.lb["DNSName"]
        self.assertIn("No internet-facing", get("--resolve", f"{inside}:{edge}:127.0.0.1", f"http://{inside}:{edge}/x"))
        found = self.resolve(inside)
        self.assertEqual(sorted(found), sorted(self.ips))
        self.assertEqual(len(self.resolve(name)), 2)
        self.assertFalse(set(self.resolve(name)) & set(self.ips))
        self.elb.delete_target_group(TargetGroupArn=tg)

    def resolve(self, name):
        run = subprocess.run(["ip", "netns", "exec", self.space(self.places[2]["eni"]), "python3", "-c", ASK, name, "1", "10.20.0.2"],
                             capture_output=True, text=True)
        return run.stdout.split("\n")[1:-1]

    def test_network(self):
        self.shared()
        lb, ips = self.inside(Type="network", Subnets=self.subnets[:1])
        tg = self.quick(Protocol="TCP", Port=8001, HealthCheckPath="/health", HealthCheckProtocol="HTTP")
        self.listener(lb, [{"Type": "forward", "TargetGroupArn": tg}], Protocol="TCP", Port=8100)
        self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": self.places[0]["ip"]}])
        self.healthy(tg, 1)
        self.assertEqual(self.told(f"http://{ips[0]}:8100/x")["name"], "one")

    def test_recovers(self):
        self.shared()
        self.healthy(self.weak, 2)
        self.assertEqual({self.told(self.url + "/weak")["name"] for _ in range(4)}, {"two", "five"})


if __name__ == "__main__":
    unittest.main()
