#!/usr/bin/env python3
"""An Application Load Balancer against the same HAProxy configured by hand with the same rules, in turns within one run; with access
logs on; and a hundred changes of its targets under keep-alive load. As root.

    ninja -C build virga bench_load && bench/alb.py [SECONDS [ROUNDS]]      2 seconds a turn and 5 rounds, unless told

Client, balancer and targets share the machine's cores: what is compared is what a request costs both, not what either could do alone.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/clients"))
from elbv2case import LOAD, Place  # noqa: E402

BENCH = os.path.join(HERE, "../build/bench_load")
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 2
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5

TARGET = """global
 maxconn 8000
defaults
 mode http
 timeout client 60s
 timeout http-keep-alive 60s
frontend f
 bind :8001
 http-request return status 200 content-type text/plain string "hello from a target"
"""
# What an Application Load Balancer does for a request, written by hand.
HAND = """global
 maxconn 8000
defaults
 mode http
 timeout connect 10s
 timeout client 60s
 timeout server 60s
 timeout http-request 60s
 option redispatch 1
 retries 3
frontend f
 bind :8080
 http-request set-header X-Forwarded-For "%[req.fhdr(X-Forwarded-For)], %[src]" if { req.fhdr(X-Forwarded-For) -m found }
 http-request set-header X-Forwarded-For "%[src]" if !{ req.fhdr(X-Forwarded-For) -m found }
 http-request set-header X-Forwarded-Proto http
 http-request set-header X-Forwarded-Port 8080
 http-request set-header X-Amzn-Trace-Id "Root=1-%[date,hex,lower,bytes(8,8)]-%[uuid,regsub(-,,g),bytes(0,24)]"
 http-response set-header Server awselb/2.0 if !{ res.hdr(Server) -m found }
RULES
 default_backend g
backend g
 balance roundrobin
 option httpchk GET /health
SERVERS
"""
PATHS = ["/api/*", "/img/*", "/static/*", "/admin/*", "/v1/users/*"]


class Bench(Place):
    space_of = None

    def run_in(self, place, *argv, **kw):
        space = self.space_of(place) if self.space_of else self.space(place["eni"])
        return subprocess.run(["ip", "netns", "exec", space, *argv], capture_output=True, text=True, **kw)

    def haproxy(self, place, name, config):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(config)
        self.servers.append(subprocess.Popen(["ip", "netns", "exec", self.space(place["eni"]), "haproxy", "-f", path], stderr=subprocess.DEVNULL))

    def rate(self, url):
        r = self.run_in(self.places[2], BENCH, "-J", "-c", "16", "-t", str(SECONDS), "get", url)
        said = json.loads(r.stdout)
        assert not said.get("errors"), said
        return said.get("per_second") or said.get("rate") or said["requests"] / said["seconds"]

    def compare(self, what, ours, theirs):
        self.rate(ours), self.rate(theirs)
        ratios, rates = [], []
        for i in range(ROUNDS):
            pair = (self.rate(ours), self.rate(theirs)) if i % 2 else tuple(reversed((self.rate(theirs), self.rate(ours))))
            ratios.append(pair[0] / pair[1])
            rates.append(pair)
        best = max(r[0] for r in rates), max(r[1] for r in rates)
        print(f"{what}: {best[0]:.0f} requests/s, by hand {best[1]:.0f}; of it {statistics.median(ratios):.2f} (median of {ROUNDS} pairs: "
              f"{', '.join(f'{r:.2f}' for r in ratios)})", flush=True)

    def measure(self):
        a, b = self.places[:2]
        self.folder = tempfile.mkdtemp(prefix="bench-alb-", dir=self.virga.folder)
        for i, p in enumerate((a, b)):
            self.haproxy(p, f"target{i}", TARGET)
        rules = "\n".join(f" use_backend g if {{ path -m reg ^{p.replace('*', '.*')}$ }}" for p in PATHS)
        servers = "\n".join(f" server s{i} {p['ip']}:8001 check" for i, p in enumerate((a, b)))
        tg = self.quick(Port=8001)
        self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": a["ip"]}, {"Id": b["ip"]}])
        lb, ips = self.inside()
        listener = self.listener(lb, [{"Type": "forward", "TargetGroupArn": tg}])
        for i, p in enumerate(PATHS):
            self.elb.create_rule(ListenerArn=listener, Priority=i + 1, Conditions=[{"Field": "path-pattern", "Values": [p]}],
                                 Actions=[{"Type": "forward", "TargetGroupArn": tg}])
        self.healthy(tg, 2)
        # By hand in the very place of the balancer: the same way for every packet.
        [node] = [e for e in self.ec2.describe_network_interfaces(Filters=[{"Name": "private-ip-address", "Values": [ips[0]]}])["NetworkInterfaces"]]
        hand = {"eni": node["NetworkInterfaceId"], "ip": ips[0]}
        by_hand = HAND.replace("RULES", rules).replace("SERVERS", servers)
        self.haproxy(hand, "hand", by_hand)
        ours, theirs = f"http://{ips[0]}:80", f"http://{hand['ip']}:8080"
        self.until(lambda: self.curl(theirs + "/x")[0] == self.curl(ours + "/x")[0] == 200)
        time.sleep(1)
        self.compare("five rules, the last fits", ours + "/v1/users/7", theirs + "/v1/users/7")
        self.compare("five rules, none fits", ours + "/x", theirs + "/x")
        self.alone(hand, by_hand, [a["ip"], b["ip"]])
        s3 = self.virga.client("s3")
        s3.create_bucket(Bucket="alb-logs")
        s3.put_bucket_policy(Bucket="alb-logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}, "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::alb-logs/*"}]}))
        spare = [{"Id": p["ip"], "Port": 8002} for p in (a, b)]
        for i, p in enumerate((a, b)):
            self.haproxy(p, f"spare{i}", TARGET.replace("8001", "8002"))
        stop, start = os.path.join(self.folder, "stop"), time.monotonic()
        load = subprocess.Popen(["ip", "netns", "exec", self.space(self.places[2]["eni"]), "python3", "-c", LOAD, ips[0], stop],
                                stdout=subprocess.PIPE, text=True)
        for i in range(50):
            one = spare[i % 2]
            name = f"{one['Id']}:{one['Port']}"
            self.elb.register_targets(TargetGroupArn=tg, Targets=[one])
            self.until(lambda: self.health(tg)[name] not in (
                ("initial", "Elb.RegistrationInProgress"), ("draining", "Target.DeregistrationInProgress")))
            self.elb.deregister_targets(TargetGroupArn=tg, Targets=[one])
        seconds = time.monotonic() - start
        open(stop, "w").close()
        said = json.loads(load.communicate()[0])
        print(f"100 changes of targets in {seconds:.1f} s under 4 keep-alive clients: {said['good']} requests, {said['n_bad']} failed")
        self.elb.modify_load_balancer_attributes(LoadBalancerArn=lb["LoadBalancerArn"], Attributes=[
            {"Key": "access_logs.s3.enabled", "Value": "true"}, {"Key": "access_logs.s3.bucket", "Value": "alb-logs"}])
        # 1 where the node writes its requests down.
        self.until(lambda: self.curl(ours + "/x")[0] == 200 and "log-format" in self.configurations())
        time.sleep(1)
        self.compare("with access logs", ours + "/x", theirs + "/x")

    def alone(self, node, by_hand, ips):
        """Both configurations with their targets on one loopback: no network at all."""
        with open(f"{self.virga.data}/elb/{node['eni']}/haproxy.cfg") as f:
            text = f.read()
        drop = ("description", "stats socket", "server-state-file", "load-server-state", "bind [::]")
        text = "\n".join(x for x in text.split("\n") if not x.strip().startswith(drop))
        name = f"bench-alb-{os.getpid()}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        try:
            run = ["ip", "netns", "exec", name]
            subprocess.run([*run, "ip", "link", "set", "lo", "up"], check=True)
            started = []
            for i, ip in enumerate(ips):
                text, by_hand = (t.replace(f"{ip}:8001", f"127.0.0.{i + 2}:8001") for t in (text, by_hand))
            for what, config in (("target", TARGET), ("ours", text), ("hand", by_hand)):
                path = os.path.join(self.folder, what + "-alone")
                with open(path, "w") as f:
                    f.write(config + "\n")
                started.append(subprocess.Popen([*run, "haproxy", "-f", path], stderr=subprocess.DEVNULL))
            time.sleep(12)
            self.space_of = lambda place: name
            self.compare("the same without a network", "http://127.0.0.1:80/v1/users/7", "http://127.0.0.1:8080/v1/users/7")
            del self.space_of
            for p in started:
                p.terminate()
                p.wait()
        finally:
            subprocess.run(["ip", "netns", "del", name], check=True)

    def configurations(self):
        out = ""
        for at, _, files in os.walk(self.virga.data + "/elb"):
            if "haproxy.cfg" in files:
                with open(at + "/haproxy.cfg") as f:
                    out += f.read()
        return out

    def runTest(self):
        self.measure()


if __name__ == "__main__":
    Bench.setUpClass()
    bench = Bench()
    try:
        bench.setUp()
        bench.measure()
    finally:
        bench.doCleanups()
        Bench.doClassCleanups()
