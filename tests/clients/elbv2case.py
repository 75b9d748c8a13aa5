"""What suites of balancing share: servers in the namespaces of two endpoints' interfaces, a client in a third's. Needs root; no machine
is started."""
import json
import os
import signal
import subprocess
import unittest

from elbv2_test import Case
from virga import wait_until

# A target: what it is asked, it tells as JSON. /slow waits, /status/N answers N, /reset resets, /garbage is none; health by a file.
SERVER = r"""
import base64, hashlib, http.server, json, os, socket, socketserver, struct, sys, time
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers.get("Upgrade") == "websocket":
            key = self.headers["Sec-WebSocket-Key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(key).digest())
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            self.wfile.flush()
            self.wfile.write(self.connection.recv(100).upper())
            self.close_connection = True
            return
        if self.path.startswith("/slow"): time.sleep(float(self.path[5:]))
        code = int(self.path.split("/")[2]) if self.path.startswith("/status/") else 200
        if self.path == "/health" and os.path.exists(sys.argv[3]): code = 500
        if self.path == "/garbage":
            self.connection.sendall(b"\0\1nonsense\r\n\r\n"); self.close_connection = True; return
        if self.path == "/reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); self.connection.close()
            self.close_connection = True; return
        body = json.dumps({"name": sys.argv[2], "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                           "peer": self.client_address[0]}).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/cookie": self.send_header("Set-Cookie", "app=" + sys.argv[2])
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *a): pass
class S(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads, request_queue_size = True, 128
    def handle_error(self, *a): pass
S(("0.0.0.0", int(sys.argv[1])), H).serve_forever()
"""

# Keep-alive clients: until the file is there; how many requests went well, and what went wrong. The first that did makes FILE.began.
LOAD = r"""
import http.client, json, os, sys, threading
good, bad = [0] * 4, []
def client(i):
    c = None
    while not os.path.exists(sys.argv[2]):
        try:
            c = c or http.client.HTTPConnection(sys.argv[1], 80, timeout=20)
            c.request("GET", "/load")
            r = c.getresponse()
            body = r.read()
            if r.status == 200:
                good[i] += 1
                if good[i] == 1: open(sys.argv[2] + ".began", "w").close()
            else: bad.append([r.status, body.decode()])
            if r.will_close: c.close(); c = None
        except Exception as e:
            bad.append(repr(e)); c = None
threads = [threading.Thread(target=client, args=(i,)) for i in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(json.dumps({"good": sum(good), "bad": bad[:5], "n_bad": len(bad)}))
"""


@unittest.skipUnless(os.geteuid() == 0, "needs root for network namespaces")
@unittest.skipUnless(os.path.exists("/usr/sbin/haproxy"), "haproxy is not installed")
class Place(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = []
        cls.addClassCleanup(cls.end_servers)
        cls.inner = cls.group([(8000, 8999)])
        cls.places = [cls.endpoint(s, cls.subnets[i % 2]) for i, s in enumerate(("sqs", "kms", "sns"))]

    @classmethod
    def endpoint(cls, service, subnet):
        e = cls.ec2.create_vpc_endpoint(VpcId=cls.vpc, VpcEndpointType="Interface", ServiceName=f"com.amazonaws.us-east-1.{service}",
                                        SubnetIds=[subnet], SecurityGroupIds=[cls.inner], PrivateDnsEnabled=False)["VpcEndpoint"]
        [n] = cls.ec2.describe_network_interfaces(NetworkInterfaceIds=e["NetworkInterfaceIds"])["NetworkInterfaces"]
        return {"eni": n["NetworkInterfaceId"], "ip": n["PrivateIpAddress"]}

    @classmethod
    def end_servers(cls):
        for p in cls.servers:
            p.kill()
            p.wait()

    @staticmethod
    def space(place):
        names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.split()
        return next((n for n in names if n.endswith(place)), None)

    def setUp(self):
        if "simulated" in self.virga.read_log():
            self.skipTest("networks are simulated here")
        self.assertTrue(wait_until(lambda: all(self.space(p["eni"]) for p in self.places)))

    def serve(self, place, port, name):
        """A server in the namespace of an interface; its file of ill health."""
        ill = os.path.join(self.virga.folder, f"ill-{name}")
        p = subprocess.Popen(["ip", "netns", "exec", self.space(place["eni"]), "python3", "-c", SERVER, str(port), name, ill])
        type(self).servers.append(p)
        return p, ill

    def curl(self, url, *args, place=None, limit="10"):
        """(status, headers, body) from inside the third endpoint."""
        run = subprocess.run(["ip", "netns", "exec", self.space((place or self.places[2])["eni"]), "curl", "-s", "-i", "-m", limit,
                              "--noproxy", "*", *args, url], capture_output=True)
        head, _, body = run.stdout.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        code = int(lines[0].split()[1]) if run.returncode == 0 and lines[0] else 0
        return code, {k.lower(): v for k, v in (x.split(": ", 1) for x in lines[1:] if ": " in x)}, body

    def told(self, *args, **kw):
        code, _, body = self.curl(*args, **kw)
        self.assertEqual(code, 200, body)
        return json.loads(body)

    def health(self, tg):
        return {h["Target"]["Id"] + ":" + str(h["Target"]["Port"]): (h["TargetHealth"]["State"], h["TargetHealth"].get("Reason"))
                for h in self.elb.describe_target_health(TargetGroupArn=tg)["TargetHealthDescriptions"]}

    def until(self, what, *more):
        self.assertTrue(wait_until(what, limit=60), (*[m() for m in more], self.virga.read_log()[-2000:], self.engine_logs()))

    def engine_logs(self):
        """The ends of what the nodes' processes have to say."""
        out = ""
        for at, _, files in os.walk(self.virga.data + "/elb"):
            for name in {"log", "access"} & set(files):
                with open(f"{at}/{name}", errors="replace") as f:
                    out += f.read()[-1500:]
        return out

    def healthy(self, tg, n):
        self.until(lambda: sum(s == "healthy" for s, _ in self.health(tg).values()) == n, lambda: self.health(tg))

    def inside(self, **kw):
        b = self.balancer(Scheme="internal", **kw)
        enis = self.ec2.describe_network_interfaces(Filters=[
            {"Name": "description", "Values": ["ELB " + b["LoadBalancerArn"].split("loadbalancer/")[1]]}])["NetworkInterfaces"]
        return b, [e["PrivateIpAddress"] for e in sorted(enis, key=lambda e: e["AvailabilityZone"])]

    def taken(self, lb):
        """What the processes of its nodes run with."""
        found = []
        for n in self.ec2.describe_network_interfaces(Filters=[
                {"Name": "description", "Values": ["ELB " + lb["LoadBalancerArn"].split("loadbalancer/")[1]]}])["NetworkInterfaces"]:
            with open(f"{self.virga.data}/elb/{n['NetworkInterfaceId']}/taken.cfg") as f:
                found.append(next(x.split()[1] for x in f if x.strip().startswith("description")))
        return found

    def change(self, lb, what, **kw):
        """Returns when all nodes run with it."""
        had = self.taken(lb)
        said = what(**kw)
        self.until(lambda: all(now != before for now, before in zip(self.taken(lb), had)))
        return said

    def quick(self, **kw):
        return self.targets(**{"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2,
                               "UnhealthyThresholdCount": 2, "HealthCheckPath": "/health", **kw})


class Faulty(Place):
    """A balancer with a target in each zone, both known to both of its nodes; and clients that keep asking."""

    def setUp(self):
        super().setUp()
        a, b = self.places[:2]
        self.processes = {}
        for place, name, port in ((a, "one", 8001), (b, "two", 8001)):
            self.processes[name] = self.serve(place, port, name)[0]
        self.addCleanup(self.end_some)
        self.tg = self.quick(Port=8001)
        self.elb.register_targets(TargetGroupArn=self.tg, Targets=[{"Id": a["ip"]}, {"Id": b["ip"]}])
        self.lb, self.ips = self.inside()
        self.front = self.listener(self.lb, [{"Type": "forward", "TargetGroupArn": self.tg}])
        self.healthy(self.tg, 2)
        # Both of the nodes know both.
        for ip in self.ips:
            self.until(lambda: {self.told(f"http://{ip}/x")["name"] for _ in range(2)} == {"one", "two"})

    def end_some(self):
        for p in self.processes.values():
            p.send_signal(signal.SIGCONT)
            p.kill()
            p.wait()
            self.servers.remove(p)

    def timeout(self, seconds):
        self.change(self.lb, self.elb.modify_load_balancer_attributes, LoadBalancerArn=self.lb["LoadBalancerArn"], Attributes=[
            {"Key": "idle_timeout.timeout_seconds", "Value": str(seconds)}])

    def under_load(self, what, ip=None, least=20):
        """What four keep-alive clients have to tell of the time that what() took."""
        stop = os.path.join(self.virga.folder, self.name("stop"))
        load = subprocess.Popen(["ip", "netns", "exec", self.space(self.places[2]["eni"]), "python3", "-c", LOAD, ip or self.ips[0], stop],
                                stdout=subprocess.PIPE, text=True)
        try:
            self.until(lambda: os.path.exists(stop + ".began"))
            what()
        finally:
            open(stop, "w").close()
            said = json.loads(load.communicate()[0])
        self.assertGreaterEqual(said["good"], least, said)
        return said

    def state(self, place):
        return self.health(self.tg)[place["ip"] + ":8001"][0]
