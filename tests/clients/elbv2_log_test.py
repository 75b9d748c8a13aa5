"""Access and connection logs of balancers: the bucket's policy, the test file, the lines. Needs root."""
import gzip
import json
import os
import re
import shlex
import unittest

from elbv2case import Place

NEEDS_BOTO3 = (1, 40)
ACCOUNT = "000000000000"


class Logs(Place):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.virga.client("s3")
        cls.buckets = 0

    def bucket(self, principal):
        type(self).buckets += 1
        name = f"elb-logs-{self.buckets}"
        self.s3.create_bucket(Bucket=name)
        if principal:
            self.s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": principal, "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{name}/logs/AWSLogs/{ACCOUNT}/*"}]}))
        return name

    def attributes(self, b, **kw):
        return self.elb.modify_load_balancer_attributes(LoadBalancerArn=b["LoadBalancerArn"], Attributes=[
            {"Key": k.replace("__", "."), "Value": v} for k, v in kw.items()])

    def on(self, b, bucket, kind="access_logs", prefix="logs"):
        return self.attributes(b, **{f"{kind}__s3__enabled": "true", f"{kind}__s3__bucket": bucket, f"{kind}__s3__prefix": prefix})

    def keys(self, bucket):
        return [o["Key"] for o in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def lines(self, bucket, part=""):
        out = []
        for k in self.keys(bucket):
            if k.endswith(".log.gz") and part in k:
                out += gzip.decompress(self.s3.get_object(Bucket=bucket, Key=k)["Body"].read()).decode().splitlines()
        return out

    def written(self):
        out = "\n"
        for at, _, files in os.walk(self.virga.data + "/elb"):
            if "access" in files:
                with open(at + "/access", errors="replace") as f:
                    out += f.read()
        return out

    def advance(self):
        self.assertEqual(self.virga.get("/_virga/clock?advance=6m", "POST")[0], 200)

    def test_asks_the_bucket(self):
        b = self.balancer()
        self.refused("InvalidConfigurationRequest", self.on, b=b, bucket="elb-logs-none")
        shut = self.bucket(None)
        self.assertIn(f"Access Denied for bucket: {shut}", self.refused("InvalidConfigurationRequest", self.on, b=b, bucket=shut))
        other = self.bucket({"AWS": "arn:aws:iam::033677994240:root"})
        self.refused("InvalidConfigurationRequest", self.on, b=b, bucket=other)
        for principal in ({"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}, {"AWS": "arn:aws:iam::127311923021:root"}):
            name = self.bucket(principal)
            self.refused("InvalidConfigurationRequest", self.on, b=b, bucket=name, prefix="AWSLogs")
            self.refused("InvalidConfigurationRequest", self.on, b=b, bucket=name, prefix="elsewhere")
            self.on(b, name)
            self.assertEqual(self.keys(name), [f"logs/AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"])
        net = self.balancer(Type="network", Subnets=self.subnets[:1])
        self.refused("InvalidConfigurationRequest", self.on, b=net, bucket=name)
        self.on(net, self.bucket({"Service": "delivery.logs.amazonaws.com"}))
        self.assertEqual(self.refused("ValidationError", self.on, b=net, bucket=name, kind="connection_logs")[:27],
                         "Load balancer attribute key")

    def test_lines(self):
        self.serve(self.places[0], 8001, "one")
        name = self.bucket({"Service": "logdelivery.elasticloadbalancing.amazonaws.com"})
        b, ips = self.inside()
        tg = self.quick(Port=8001)
        tg_h2 = self.quick(Port=8001)
        self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": self.places[0]["ip"]}])
        cert = self.acm.request_certificate(DomainName="one.example.com", ValidationMethod="DNS")["CertificateArn"]
        self.until(lambda: self.acm.describe_certificate(CertificateArn=cert)["Certificate"]["Status"] == "ISSUED")
        listener = self.listener(b, [{"Type": "forward", "TargetGroupArn": tg}])
        self.listener(b, [{"Type": "forward", "TargetGroupArn": tg}], Protocol="HTTPS", Port=443, Certificates=[{"CertificateArn": cert}])
        rules = [("/fixed", {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418", "MessageBody": "x"}}),
                 ("/old", {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Path": "/new"}}),
                 ("/none", {"Type": "forward", "TargetGroupArn": tg_h2})]
        for i, (path, action) in enumerate(rules):
            self.elb.create_rule(ListenerArn=listener, Priority=i + 7, Conditions=[{"Field": "path-pattern", "Values": [path]}], Actions=[action])
        self.elb.create_rule(ListenerArn=listener, Priority=20, Conditions=[{"Field": "path-pattern", "Values": ["/api/*"]}],
                             Actions=[{"Type": "forward", "TargetGroupArn": tg}], Transforms=[
            {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/api/(.*)$", "Replace": "/v1/$1"}]}}])
        self.on(b, name)
        self.on(b, name, kind="connection_logs")
        self.healthy(tg, 1)
        ca = os.path.join(self.virga.data, "ca.pem")
        where = ["--cacert", ca, "--resolve", f"one.example.com:443:{ips[0]}"]
        # The node takes the configuration that logs.
        self.until(lambda: b'"path": "/v1/ready"' in self.curl(f"http://{ips[0]}/api/ready")[2])
        self.until(lambda: self.curl("https://one.example.com/ready", *where)[0] == 200)
        url = f"http://{ips[0]}"
        for args in ([url + "/a?b=%22c", "-A", 'my "agent"\t\\', "-H", "X-Amzn-Trace-Id: Root=1-2-3", "-H", "Host: web.example:8080"],
                     [url + "/fixed"], [url + "/old?x=1", "-H", "Host: web.example"], [url + "/none"], [url + "/reset"], [url + "/api/x"],
                     [url + "/slow5", "-m", "1"]):
            self.curl(*args)
        self.curl("https://one.example.com/tls", "--http1.1", *where)
        self.curl("https://one.example.com/tls2", "--http2", *where)
        self.curl("https://one.example.com/untrusted", *where[2:], "--tls-max", "1.2")
        # A failed handshake and a request that was given up are written down when the node notices.
        self.until(lambda: "\nE\t" in self.written() and b"/slow5".hex().upper() in self.written())
        self.advance()
        self.until(lambda: any("/slow5" in x for x in self.lines(name)), lambda: self.lines(name))
        found = {}
        for x in self.lines(name, "/" + ACCOUNT + "_"):
            f = shlex.split(x.replace("\\", "\\\\"))
            self.assertEqual(len(f), 33, x)
            found[f[12].split(" ")[1].split("/", 3)[-1].split("?")[0] if "://" in f[12] else f[12]] = f
        me = self.places[2]["ip"]
        target = f"{self.places[0]['ip']}:8001"
        f = found["a"]
        self.assertRegex(f[1], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertEqual(f[0], "http")
        self.assertEqual(f[2], b["LoadBalancerArn"].split("loadbalancer/")[1])
        self.assertEqual((f[3].split(":")[0], f[4]), (me, target))
        self.assertTrue(all(re.match(r"^\d+\.\d{3}$", t) for t in f[5:8]), f)
        self.assertEqual(f[8:10], ["200", "200"])
        self.assertGreater(int(f[10]), 50)
        self.assertGreater(int(f[11]), 100)
        self.assertEqual(f[12], "GET http://web.example:80/a?b=%22c HTTP/1.1")
        self.assertEqual(f[13], r"my \x22agent\x22\x09\x5c")
        self.assertEqual(f[14:17], ["-", "-", tg])
        self.assertRegex(f[17], r"^Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-2-3$")
        self.assertEqual(f[18:21], ["-", "-", "0"])
        self.assertEqual(f[22:29], ["forward", "-", "-", target, "200", "-", "-"])
        self.assertRegex(f[29], r"^TID_[0-9a-f]{32}$")
        f = found["fixed"]
        self.assertEqual((f[4:10], f[16], f[20], f[22]), (["-", "-1", "-1", "-1", "418", "-"], "-", "7", "fixed-response"))
        f = found["old"]
        self.assertEqual((f[8], f[20], f[22], f[23]), ("301", "8", "redirect", "http://web.example:80/new?x=1"))
        f = found["none"]
        self.assertEqual((f[4], f[8:10], f[16], f[22]), ("-", ["503", "-"], tg_h2, "forward"))
        f = found["reset"]
        self.assertEqual((f[4:10], f[25:27]), ([target, "-1", "-1", "-1", "502", "-"], [target, "-"]))
        self.assertEqual(found["slow5"][8:10], ["460", "-"])
        f = found["api/x"]
        self.assertEqual((f[20], f[31:33]), ("20", ["/v1/x", "TransformSuccess"]))
        f = found["tls"]
        self.assertEqual((f[0], f[12]), ("https", "GET https://one.example.com:443/tls HTTP/1.1"))
        self.assertTrue(f[14].startswith("ECDHE") or f[14].startswith("TLS_"), f)
        self.assertEqual(f[15][:5], "TLSv1")
        self.assertEqual(f[18:20], ["one.example.com", cert])
        self.assertEqual((found["tls2"][0], found["tls2"][12]), ("h2", "GET https://one.example.com:443/tls2 HTTP/2.0"))
        [key] = {re.sub(r"\d{8}T\d{4}Z", "T", re.sub(r"/\d{4}/\d\d/\d\d/", "/DAY/", k)).rsplit("_", 1)[0]
                 for k in self.keys(name) if f"/{ACCOUNT}_" in k}
        self.assertEqual(key, f"logs/AWSLogs/{ACCOUNT}/elasticloadbalancing/us-east-1/DAY/{ACCOUNT}_elasticloadbalancing_us-east-1_"
                              f"{f[2].replace('/', '.')}_T_{ips[0]}")
        connections = [shlex.split(x) for x in self.lines(name, "/conn_log.")]
        self.assertEqual({len(x) for x in connections}, {12}, connections)
        by = {x[11]: x for x in connections}
        self.assertEqual(len(by), len(connections))
        self.assertEqual(by[found["a"][29]][1:11], [me, found["a"][3].split(":")[1], "80", "-", "-", "-", "-", "-", "-", "-"])
        self.assertEqual(by[found["tls"][29]][3:6], ["443", *reversed(found["tls"][14:16])])
        self.assertTrue(any(x[10].startswith("Failed:") and x[3] == "443" for x in connections), connections)
        # What was delivered is not delivered again.
        n = len(self.lines(name))
        self.advance()
        self.assertEqual(len(self.lines(name)), n)


if __name__ == "__main__":
    unittest.main()
