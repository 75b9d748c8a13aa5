"""Kinds of target groups through their balancer: HTTPS, HTTP/2, gRPC; algorithms, slow start; modes of desync mitigation. Needs root."""
import json
import os
import shutil
import subprocess
import unittest

from elbv2case import Place

NEEDS_BOTO3 = (1, 40)

# node: PORT KIND [KEY CERT]. h2 and h2s tell the version they were asked in; grpc answers /ok with a message and status 0, /late with a
# status 5 behind a message, and anything else as UNIMPLEMENTED in a head alone.
H2_SERVER = r"""
const http2 = require("http2"), fs = require("fs");
const [port, kind, key, cert] = process.argv.slice(1);
const server = kind === "h2s" ? http2.createSecureServer({key: fs.readFileSync(key), cert: fs.readFileSync(cert)}) : http2.createServer();
server.on("stream", (stream, headers) => {
  const path = headers[":path"];
  stream.on("error", () => {});
  if (kind === "grpc") {
    if (path === "/grpc.health.v1.Health/Check" || path === "/test.Echo/Say") {
      const chunks = [];
      stream.on("data", c => chunks.push(c));
      stream.on("end", () => {
        stream.respond({":status": 200, "content-type": "application/grpc"}, {waitForTrailers: true});
        stream.on("wantTrailers", () => stream.sendTrailers({"grpc-status": "0", "grpc-message": "fine"}));
        stream.end(Buffer.concat(chunks));
      });
      return;
    }
    stream.resume();
    stream.respond({":status": 200, "content-type": "application/grpc", "grpc-status": "12"}, {endStream: true});
    return;
  }
  stream.respond({":status": 200, "content-type": "application/json"});
  stream.end(JSON.stringify({version: stream.session.alpnProtocol || "h2c", path, headers}));
});
server.listen(Number(port), "0.0.0.0");
"""
# A gRPC call as it is on the wire: a length-prefixed message, its echo, the status in the trailers.
GRPC_CLIENT = r"""
const http2 = require("http2"), fs = require("fs");
const [address, name, ca, path] = process.argv.slice(1);
const client = http2.connect(`https://${name}`, {ca: fs.readFileSync(ca), servername: name,
  createConnection: () => require("tls").connect({host: address, port: 443, servername: name, ALPNProtocols: ["h2"], ca: fs.readFileSync(ca)})});
const call = client.request({":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers"});
const out = {body: ""};
call.on("response", h => { out.status = h[":status"]; out.code = h["grpc-status"]; });
call.on("trailers", t => { out.code = t["grpc-status"]; out.message = t["grpc-message"]; });
call.on("data", d => { out.body += d.toString("hex"); });
call.on("close", () => { console.log(JSON.stringify(out)); client.close(); });
call.end(Buffer.from("00000000036869ff", "hex"));
"""
RAW = r"""
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)
s.sendall(bytes.fromhex(sys.argv[3]))
print(s.recv(100)[:12].decode("latin-1"))
"""


@unittest.skipUnless(shutil.which("node"), "node is not installed")
class Targets(Place):
    def h2(self, place, port, kind):
        key, cert = (os.path.join(self.virga.folder, x) for x in ("key.pem", "cert.pem"))
        if not os.path.exists(key):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                            "-out", cert, "-subj", "/CN=self", "-days", "10"], check=True, capture_output=True)
        type(self).servers.append(subprocess.Popen(["ip", "netns", "exec", self.space(place["eni"]), "node", "-e", H2_SERVER, str(port), kind,
                                                    key, cert], stderr=subprocess.DEVNULL))

    def within(self, *args):
        run = subprocess.run(["ip", "netns", "exec", self.space(self.places[2]["eni"]), *args], capture_output=True, text=True)
        return run.stdout.strip()

    def configuration(self):
        """What the nodes run with."""
        out = ""
        for at, _, files in os.walk(self.virga.data + "/elb"):
            if "haproxy.cfg" in files:
                with open(at + "/haproxy.cfg") as f:
                    out += f.read()
        return out

    def front(self, group, **kw):
        b, ips = self.inside()
        self.listener(b, [{"Type": "forward", "TargetGroupArn": group}], **kw)
        return b, ips

    def rule(self, listener, priority, path, group):
        self.elb.create_rule(ListenerArn=listener, Priority=priority, Conditions=[{"Field": "path-pattern", "Values": [path]}],
                             Actions=[{"Type": "forward", "TargetGroupArn": group}])

    def test_protocols(self):
        a, b = self.places[:2]
        self.h2(a, 8010, "h2")
        self.h2(b, 8011, "h2s")
        self.h2(a, 8012, "grpc")
        groups = {
            "h2": self.quick(Port=8010, ProtocolVersion="HTTP2"),
            "h2s": self.quick(Port=8011, Protocol="HTTPS", ProtocolVersion="HTTP2", HealthCheckProtocol="HTTPS"),
            "grpc": self.quick(Port=8012, ProtocolVersion="GRPC", HealthCheckPath="/AWS.ALB/healthcheck"),
            "grpc0": self.quick(Port=8012, ProtocolVersion="GRPC", HealthCheckPath="/grpc.health.v1.Health/Check", Matcher={"GrpcCode": "0"}),
            "bad": self.quick(Port=8012, ProtocolVersion="GRPC", HealthCheckPath="/AWS.ALB/healthcheck", Matcher={"GrpcCode": "0-5"})}
        for name, place in (("h2", a), ("h2s", b), ("grpc", a), ("grpc0", a), ("bad", a)):
            self.elb.register_targets(TargetGroupArn=groups[name], Targets=[{"Id": place["ip"]}])
        cert = self.acm.request_certificate(DomainName="grpc.example.com", ValidationMethod="DNS")["CertificateArn"]
        self.until(lambda: self.acm.describe_certificate(CertificateArn=cert)["Certificate"]["Status"] == "ISSUED")
        lb, ips = self.inside()
        listener = self.listener(lb, [{"Type": "forward", "TargetGroupArn": groups["grpc"]}], Protocol="HTTPS", Port=443,
                                 Certificates=[{"CertificateArn": cert}])
        for i, (path, name) in enumerate((("/h2/*", "h2"), ("/h2s/*", "h2s"), ("/none", "grpc0"), ("/bad", "bad"))):
            self.rule(listener, i + 1, path, groups[name])
        for name in ("h2", "h2s", "grpc", "grpc0"):
            self.healthy(groups[name], 1)
        self.until(lambda: list(self.health(groups["bad"]).values())[0][0] == "unhealthy")
        ca = os.path.join(self.virga.data, "ca.pem")
        where = ["--cacert", ca, "--resolve", f"grpc.example.com:443:{ips[0]}"]
        for path, version in (("/h2/x", "h2c"), ("/h2s/x", "h2")):
            for how in ("--http1.1", "--http2"):
                said = self.told("https://grpc.example.com" + path, how, *where)
                self.assertEqual((said["version"], said["path"]), (version, path))
                self.assertEqual(said["headers"]["x-forwarded-proto"], "https")
        for path, want in (("/test.Echo/Say", {"body": "00000000036869ff", "status": 200, "code": "0", "message": "fine"}),
                           ("/test.Echo/Other", {"body": "", "status": 200, "code": "12"})):
            self.assertEqual(json.loads(self.within("node", "-e", GRPC_CLIENT, ips[0], "grpc.example.com", ca, path)), want)

    def test_algorithms(self):
        a, b = self.places[:2]
        self.serve(a, 8001, "one")
        self.serve(b, 8001, "two")
        least, chance, slow = (self.quick(Port=8001) for _ in range(3))
        for tg, kind in ((least, "least_outstanding_requests"), (chance, "weighted_random")):
            self.elb.modify_target_group_attributes(TargetGroupArn=tg, Attributes=[{"Key": "load_balancing.algorithm.type", "Value": kind}])
        lb, ips = self.inside()
        listener = self.listener(lb, [{"Type": "forward", "TargetGroupArn": least}])
        self.rule(listener, 1, "/chance", chance)
        self.rule(listener, 2, "/ramp", slow)
        self.elb.register_targets(TargetGroupArn=chance, Targets=[{"Id": a["ip"]}, {"Id": b["ip"]}])
        for tg in (least, slow):
            self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": a["ip"]}])
            self.healthy(tg, 1)
        self.elb.modify_target_group_attributes(TargetGroupArn=slow, Attributes=[{"Key": "slow_start.duration_seconds", "Value": "900"}])
        self.refused("InvalidConfigurationRequest", self.elb.modify_target_group_attributes, TargetGroupArn=slow,
                     Attributes=[{"Key": "load_balancing.algorithm.type", "Value": "weighted_random"}])
        self.until(lambda: "slowstart" in self.configuration())
        url = f"http://{ips[0]}"
        # One has four requests to answer when two comes: two gets all until it has as many.
        busy = [subprocess.Popen(["ip", "netns", "exec", self.space(self.places[2]["eni"]), "curl", "-s", "-m", "300", url + "/slow280"],
                                 stdout=subprocess.DEVNULL) for _ in range(4)]
        try:
            for tg in (least, slow):
                self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": b["ip"]}])
                self.healthy(tg, 2)
            self.until(lambda: self.told(url + "/x")["name"] == "two")
            self.assertEqual({self.told(url + "/x")["name"] for _ in range(8)}, {"two"})
        finally:
            for p in busy:
                p.kill()
                p.wait()
        self.healthy(chance, 2)
        said = [self.told(url + "/chance")["name"] for _ in range(32)]
        self.assertEqual(set(said), {"one", "two"})
        self.assertTrue(any(x == y for x, y in zip(said, said[1:])), said)
        # A target that is new gets a sixteenth of an old one's, in the first minute of fifteen.
        said = [self.told(url + "/ramp")["name"] for _ in range(34)]
        self.assertGreater(said.count("one"), 24)
        self.until(lambda: self.told(url + "/ramp")["name"] == "two")

    def test_balancer(self):
        """A Network Load Balancer in front of an application's: by its nodes in all zones, or by that of the own zone."""
        if not any("one" in str(p.args) for p in self.servers):
            self.serve(self.places[0], 8001, "one")
        web = self.quick(Port=8001)
        self.elb.register_targets(TargetGroupArn=web, Targets=[{"Id": self.places[0]["ip"]}])
        app, inner = self.front(web)
        self.healthy(web, 1)
        tg = self.targets(Protocol="TCP", Port=80, TargetType="alb", HealthCheckProtocol="HTTP", HealthCheckPath="/health")
        self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": app["LoadBalancerArn"]}])
        # After the one that sends to it is deleted, and before it is.
        self.addCleanup(self.elb.deregister_targets, TargetGroupArn=tg, Targets=[{"Id": app["LoadBalancerArn"]}])
        lb, ips = self.inside(Type="network", Subnets=self.subnets[:1])
        self.listener(lb, [{"Type": "forward", "TargetGroupArn": tg}], Protocol="TCP", Port=8180)
        self.until(lambda: [h["TargetHealth"]["State"] for h in self.elb.describe_target_health(TargetGroupArn=tg)[
            "TargetHealthDescriptions"]] == ["healthy"])

        def nodes():
            return {self.told(f"http://{ips[0]}:8180/x")["peer"] for _ in range(24)}

        self.assertEqual(nodes(), {inner[0]})
        self.elb.modify_load_balancer_attributes(LoadBalancerArn=lb["LoadBalancerArn"], Attributes=[
            {"Key": "load_balancing.cross_zone.enabled", "Value": "true"}])
        self.until(lambda: nodes() == set(inner))

    def test_desync(self):
        tg = self.quick(Port=8001)
        a = self.places[0]
        if not any("one" in str(p.args) for p in self.servers):
            self.serve(a, 8001, "one")
        self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": a["ip"]}])
        lb, ips = self.front(tg)
        self.healthy(tg, 1)

        def ask(raw):
            return self.within("python3", "-c", RAW, ips[0], "80", raw.hex())

        odd = b"GET /a\xe4b HTTP/1.1\r\nHost: x\r\n\r\n"
        body = b"GET /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        smuggled = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"
        want = {"defensive": ("400", "200", "400"), "monitor": ("200", "200", "400"), "strictest": ("400", "400", "400")}
        for mode, codes in want.items():
            self.elb.modify_load_balancer_attributes(LoadBalancerArn=lb["LoadBalancerArn"], Attributes=[
                {"Key": "routing.http.desync_mitigation_mode", "Value": mode}])
            self.until(lambda: tuple(ask(x)[9:12] for x in (odd, body, smuggled)) == codes,
                       lambda: (mode, [ask(x) for x in (odd, body, smuggled)]))


if __name__ == "__main__":
    unittest.main()
