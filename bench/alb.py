#!/usr/bin/env python3
"""An Application Load Balancer against the same HAProxy configured by hand with the same rules, in turns within one run; with access
logs on; a hundred changes of its targets under keep-alive load, and two hundred of its rules, attributes and certificates under
clients of every kind. As root.

    ninja -C build virga bench_load && bench/alb.py [SECONDS [ROUNDS [WORDS]]]      2 seconds a turn and 5 rounds, unless told

WORDS: of rules, alone, targets, logs, changes; all unless told. Client, balancer and targets share the machine's cores: what is
compared is what a request costs both, not what either could do alone. Both balancers are in the same control group, so that the kernel
gives both the same share. Processor time per request is what the balancer's processes took, of the kernel's work for them as much
as it counts as theirs; it hardly depends on what else the machine does.
"""
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/clients"))
from elbv2case import LOAD  # noqa: E402
from elbv2change import Changing  # noqa: E402

BENCH = os.path.join(HERE, "../build/bench_load")
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 2
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
PARTS = sys.argv[3:] or ["rules", "alone", "targets", "logs", "changes"]

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


class Processes:
    """What a balancer's processes have taken of the processors, in seconds."""

    def __init__(self, pids):
        self.pids = pids

    def seconds(self):
        total = 0
        for pid in self.pids:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                    total += int(f.read().split()[0])
        return total / 1e9


def children(pid):
    found = []
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{other}/stat") as f:
                if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(other))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def groups_of(pid):
    """The control groups of a process: paths of their cgroup.procs."""
    with open("/proc/mounts") as f:
        mounts = [x.split() for x in f if x.split()[2].startswith("cgroup")]
    found = []
    with open(f"/proc/{pid}/cgroup") as f:
        for line in f:
            _, names, path = line.strip().split(":", 2)
            for _, at, kind, options, *_ in mounts:
                if (kind == "cgroup2") if not names else kind == "cgroup" and set(names.split(",")) <= set(options.split(",")):
                    found.append(at + path + "/cgroup.procs")
                    break
    return found


class Bench(Changing):
    space_of = None

    def run_in(self, place, *argv, **kw):
        space = self.space_of(place) if self.space_of else self.space(place["eni"])
        return subprocess.run(["ip", "netns", "exec", space, *argv], capture_output=True, text=True, **kw)

    def haproxy(self, place, name, config):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(config)
        p = subprocess.Popen(["ip", "netns", "exec", self.space(place["eni"]), "haproxy", "-f", path], stderr=subprocess.DEVNULL)
        self.servers.append(p)
        return p.pid

    def node(self, eni):
        """The processes of a balancer's node: those in the group of the engine."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cgroup") as f:
                    if f"/engine-elb-{eni}" not in f.read():
                        continue
                yield int(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue

    def rate(self, url, who=None):
        """(requests a second, microseconds of processor time a request)."""
        before = who.seconds() if who else 0
        r = self.run_in(self.places[2], BENCH, "-J", "-c", "16", "-t", str(SECONDS), "get", url)
        took = who.seconds() - before if who else 0
        said = json.loads(r.stdout)
        assert not said.get("errors"), said
        return said["rps"], took * 1e6 / said["requests"]

    def compare(self, what, ours, theirs, us=None, them=None):
        self.rate(ours), self.rate(theirs)
        pairs = []
        for i in range(ROUNDS):
            pairs.append((self.rate(ours, us), self.rate(theirs, them)) if i % 2 else
                         tuple(reversed((self.rate(theirs, them), self.rate(ours, us)))))
        ratios = [a[0] / b[0] for a, b in pairs]
        best = [max(p[i][0] for p in pairs) for i in (0, 1)]
        print(f"{what}: {best[0]:.0f} requests/s, by hand {best[1]:.0f}; of it {statistics.median(ratios):.2f} (median of {ROUNDS} pairs: "
              f"{', '.join(f'{r:.2f}' for r in ratios)})", flush=True)
        if us:
            costs = [statistics.median(p[i][1] for p in pairs) for i in (0, 1)]
            print(f"  processor time a request: {costs[0]:.1f} us, by hand {costs[1]:.1f} us; by hand of it {costs[1] / costs[0]:.2f}", flush=True)

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
        # By hand in the very place of the balancer, and in its control groups: the same way for every packet, the same share of the processors.
        [node] = [e for e in self.ec2.describe_network_interfaces(Filters=[{"Name": "private-ip-address", "Values": [ips[0]]}])["NetworkInterfaces"]]
        hand = {"eni": node["NetworkInterfaceId"], "ip": ips[0]}
        by_hand = HAND.replace("RULES", rules).replace("SERVERS", servers)
        ours, theirs = f"http://{ips[0]}:80", f"http://{hand['ip']}:8080"
        them = self.haproxy(hand, "hand", by_hand)
        self.until(lambda: self.curl(theirs + "/x")[0] == self.curl(ours + "/x")[0] == 200)
        self.hand, self.node_eni = them, hand["eni"]
        for path in groups_of(min(self.node(hand["eni"]))):
            with open(path, "w") as f:
                f.write(str(them))
        time.sleep(1)
        if "rules" in PARTS:
            self.compare("five rules, the last fits", ours + "/v1/users/7", theirs + "/v1/users/7", *self.both())
            self.compare("five rules, none fits", ours + "/x", theirs + "/x", *self.both())
        if "alone" in PARTS:
            self.alone(hand, by_hand, [a["ip"], b["ip"]])
        if "targets" in PARTS:
            self.targets_change(tg, ips)
        if "logs" in PARTS:
            self.logs(lb, ours, theirs)
        if "changes" in PARTS:
            self.configuration_changes()

    def both(self):
        """Ours and theirs, as they run now."""
        return Processes([p for p in self.node(self.node_eni) if p != self.hand]), Processes([self.hand])

    def logs(self, lb, ours, theirs):
        s3 = self.virga.client("s3")
        s3.create_bucket(Bucket="alb-logs")
        s3.put_bucket_policy(Bucket="alb-logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}, "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::alb-logs/*"}]}))
        self.change(lb, self.elb.modify_load_balancer_attributes, LoadBalancerArn=lb["LoadBalancerArn"], Attributes=[
            {"Key": "access_logs.s3.enabled", "Value": "true"}, {"Key": "access_logs.s3.bucket", "Value": "alb-logs"}])
        time.sleep(3)  # the process before it has answered its last
        self.compare("with access logs", ours + "/x", theirs + "/x", *self.both())

    def targets_change(self, tg, ips):
        spare = [{"Id": p["ip"], "Port": 8002} for p in self.places[:2]]
        for i, p in enumerate(self.places[:2]):
            self.haproxy(p, f"spare{i}", TARGET.replace("8001", "8002"))
        stop = os.path.join(self.folder, "stop")
        load = subprocess.Popen(["ip", "netns", "exec", self.space(self.places[2]["eni"]), "python3", "-c", LOAD, ips[0], stop],
                                stdout=subprocess.PIPE, text=True)
        self.until(lambda: os.path.exists(stop + ".began"))
        start = time.monotonic()
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
        print(f"100 changes of targets in {seconds:.1f} s under 4 keep-alive clients: {said['good']} requests, {said['n_bad']} failed", flush=True)

    def configuration_changes(self):
        for p in self.servers:  # its own listen where these do
            p.kill()
            p.wait()
        self.stand()
        kinds = {}

        def change():
            start = time.monotonic()
            for kind in itertools.islice(self.changes(), 200):
                kinds[kind] = kinds.get(kind, 0) + 1
            self.seconds = time.monotonic() - start

        said = self.under_all_load(change)
        print(f"{sum(kinds.values())} changes of configuration in {self.seconds:.1f} s ({', '.join(f'{n} of {k}' for k, n in kinds.items())}), each "
              f"a reload of both nodes, under kept and new connections, in the clear and by TLS: {said['good']} requests, {said['n_bad']} failed "
              f"{said['bad']}", flush=True)

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
            self.compare("the same without a network", "http://127.0.0.1:80/v1/users/7", "http://127.0.0.1:8080/v1/users/7",
                         *(Processes([p.pid]) for p in started[1:]))
            del self.space_of
            for p in started:
                p.terminate()
                p.wait()
        finally:
            subprocess.run(["ip", "netns", "del", name], check=True)

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
