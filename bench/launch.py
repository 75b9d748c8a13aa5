#!/usr/bin/env python3
"""From RunInstances to the first HTTP answer of a web server in the instances' user data, for one and for many at once, seen
from another subnet of their VPC (a neighbour that asks for an address too early is asked to wait a second by its own ARP). As root, from anywhere, with a built virga:
    bench/launch.py [--many 50] [--rounds 7] [--server nc|python] [--log FILE]
VIRGA=FILE in the environment: another one than build/virga.
"One" is told twice: in a VPC that stands, and as the very first of a VPC. Beside the time on the clock stands the processors' time, which a busy machine
changes less: of virga, its agent and the machines' groups until the answer; "with its end" of all their processes until they are
terminated, also of those that only lived for a moment. Neither knows what the kernel's own threads did."""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/clients"))
from virga import Virga, wait_until  # noqa: E402

SERVERS = {
    "nc": "#!/bin/sh\nwhile :; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello' | nc -lN 80 >/dev/null; done\n",
    "python": "#!/usr/bin/python3\nimport http.server as h\n"
              "class S(h.BaseHTTPRequestHandler):\n"
              " def do_GET(s): s.send_response(200); s.end_headers(); s.wfile.write(b'hello')\n"
              " def log_message(s, *a): pass\n"
              "h.HTTPServer(('', 80), S).serve_forever()\n",
}
# Runs in the namespace whose name it is told first, once that stands: then reads "EVERY_MS ADDRESS…", answers "when the last one answered, when each did". An
# attempt that finds nobody is given up after EVERY_MS: TCP itself would ask again after a second.
PROBE = r"""
import ctypes, os, selectors, socket, sys, time
libc, name = ctypes.CDLL(None, use_errno=True), sys.stdin.readline().strip()
while True:
    found = [n for n in os.listdir("/run/netns") if n.endswith(name)]
    fd = os.open("/run/netns/" + found[0], os.O_RDONLY) if found else -1
    if fd >= 0 and libc.setns(fd, 0x40000000) == 0:
        break
    time.sleep(0.001)
for line in sys.stdin:
    every, *addresses = line.split()
    every = int(every) / 1000
    waiting, when = {}, {}
    sel = selectors.DefaultSelector()
    due = {a: time.monotonic() + every * i / len(addresses) for i, a in enumerate(addresses)}
    while len(when) < len(addresses):
        now = time.monotonic()
        for a in addresses:
            if a in when or due[a] > now:
                continue
            s = waiting.get(a)
            if s and not s[1]:
                sel.unregister(s[0]); s[0].close(); del waiting[a]
            elif s:
                due[a] = now + 1
                continue
            due[a] = now + every
            sock = socket.socket(); sock.setblocking(False)
            sock.connect_ex((a, 80))
            waiting[a] = [sock, False]
            sel.register(sock, selectors.EVENT_WRITE, a)
        left = min((due[a] for a in addresses if a not in when), default=now) - time.monotonic()
        for key, _ in sel.select(max(left, 0)):
            a, s = key.data, waiting[key.data]
            try:
                if s[1]:
                    got = s[0].recv(100)
                    if got.startswith(b"HTTP/1."):
                        when[a] = time.monotonic()
                    else:
                        due[a] = time.monotonic() + every
                else:
                    s[0].sendall(b"GET / HTTP/1.0\r\n\r\n")
                    s[1] = True
                    sel.modify(s[0], selectors.EVENT_READ, a)
                    continue
            except OSError:
                # Nobody listens yet: soon again; many are asked seldom, for asking takes a processor too.
                due[a] = time.monotonic() + min(every, 0.004 * len(addresses))
            sel.unregister(s[0]); s[0].close(); del waiting[a]
    print(max(when.values()), *when.values(), flush=True)
"""
TICKS = os.sysconf("SC_CLK_TCK")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return f.read().split()


def processor_ms(pid, with_ended=False):
    """Of a process; also of its children that have ended."""
    with open(f"/proc/{pid}/stat") as f:
        return sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:15 if with_ended else 13]) * 1000 / TICKS


def groups_ms(prefix):
    for path, unit in ("/sys/fs/cgroup/cpuacct/%s/cpuacct.usage", 1e6), ("/sys/fs/cgroup/%s/cpu.stat", 1e3):
        try:
            with open(path % prefix) as f:
                return int(f.read().split()[-1 if unit == 1e6 else 1]) / unit
        except OSError:
            continue
    return 0


class Bench:
    def __init__(self, args):
        self.args = args
        self.virga = Virga().start()
        self.ec2 = self.virga.client("ec2")
        self.image = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
        self.prefix = None

    def vpc(self, block):
        """A VPC, a subnet of it and its security group, open on port 80."""
        v = self.ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=v, CidrBlock=block.replace("/16", "/24"), AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
        group = self.ec2.create_security_group(GroupName="web", Description="web", VpcId=v)["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0")
        return v, subnet, group

    def prober(self, v, block, group):
        subnet = self.ec2.create_subnet(VpcId=v, CidrBlock=block, AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]
        e = self.ec2.create_vpc_endpoint(VpcId=v, VpcEndpointType="Interface", ServiceName="com.amazonaws.us-east-1.sqs",
                                         SubnetIds=[subnet], SecurityGroupIds=[group], PrivateDnsEnabled=False)["VpcEndpoint"]
        eni = e["NetworkInterfaceIds"][0]
        p = self.process()
        p.stdin.write(eni + "\n")
        return p

    def process(self):
        p = subprocess.Popen([sys.executable, "-c", "print('up', flush=True)\n" + PROBE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        p.stdout.readline()
        return p

    def launch(self, subnet, group, count):
        """(ids, addresses, begun, answered)"""
        begun = time.monotonic()
        made = self.ec2.run_instances(ImageId=self.image, InstanceType="t3.nano", MinCount=count, MaxCount=count, SubnetId=subnet,
                                      SecurityGroupIds=[group], UserData=SERVERS[self.args.server])["Instances"]
        return [i["InstanceId"] for i in made], [i["PrivateIpAddress"] for i in made], begun, time.monotonic()

    def used(self):
        """(until now by those that live, by all that ever lived)"""
        pid = self.virga.process.pid
        if not self.prefix:
            return 0, 0
        # What machines took is in their groups: of the agent's children, only that.
        keepers = children(pid)
        own = [pid, *keepers, *(a for k in keepers for a in children(k))]
        return sum(map(processor_ms, own)) + groups_ms(self.prefix), sum(processor_ms(p, True) for p in own)

    def probe(self, p, addresses, every_ms):
        p.stdin.write(f"{every_ms} {' '.join(addresses)}\n")
        p.stdin.flush()
        return [float(x) for x in p.stdout.readline().split()]

    def end(self, ids):
        self.ec2.terminate_instances(InstanceIds=ids)
        states = lambda: {i["State"]["Name"] for r in self.ec2.describe_instances(InstanceIds=ids)["Reservations"] for i in r["Instances"]}
        assert wait_until(lambda: states() == {"terminated"}, 120)

    def turn(self, p, subnet, group, count, every_ms):
        before = self.used()
        ids, addresses, begun, answered = self.launch(subnet, group, count)
        last, *each = self.probe(p, addresses, every_ms)
        launched = self.used()
        if not self.prefix:
            self.prefix = next(n for n in os.listdir("/run/netns") if n.endswith(ids[0]))[:-len(ids[0]) - 1]
        self.end(ids)
        ended = self.used()
        return {"last": (last - begun) * 1000, "each": [(t - begun) * 1000 for t in each], "call": (answered - begun) * 1000,
                "used": (launched[0] - before[0]) / count, "whole": (ended[1] - before[1]) / count}

    @staticmethod
    def told_rest(turns):
        told("  RunInstances itself", [t["call"] for t in turns])
        told("  the processors' time, of each", [t["used"] for t in turns])
        told("  the same, with its end", [t["whole"] for t in turns])

    def run(self):
        a = self.args
        v, subnet, group = self.vpc("10.0.0.0/16")
        p = self.prober(v, "10.0.200.0/24", group)
        self.turn(p, subnet, group, 1, 5)  # the image, init, templates
        one = [self.turn(p, subnet, group, 1, 3) for _ in range(a.rounds)]
        told("one, in a VPC that stands", [t["last"] for t in one])
        self.told_rest(one)
        if a.many:
            many = [self.turn(p, subnet, group, a.many, 200) for _ in range(a.many_rounds)]
            told(f"{a.many} at once, the last", [t["last"] for t in many])
            told("  the median one", [statistics.median(t["each"]) for t in many])
            self.told_rest(many)
        p.stdin.close()
        p.wait()
        first = []
        for n in range(0 if a.no_first else 3):  # of five VPCs of a region, two are there
            w, inner, open_group = self.vpc(f"10.{n + 1}.0.0/16")
            q = self.process()
            ids, addresses, begun, answered = self.launch(inner, open_group, 1)
            # It has nobody beside it: it asks itself, by its own address.
            q.stdin.write(ids[0] + "\n")
            first.append((self.probe(q, addresses, 3)[0] - begun) * 1000)
            q.stdin.close()
            q.wait()
            self.end(ids)
        if first:
            told("one, the first of its VPC", first)
        if a.log:
            shutil.copy(self.virga.log, a.log)
        self.virga.close()


def told(what, ms):
    print(f"{what:36} median {statistics.median(ms):7.1f} ms, best {min(ms):7.1f}, worst {max(ms):7.1f} of {len(ms)}", flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("--many", type=int, default=50)
parser.add_argument("--many-rounds", type=int, default=3)
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--server", choices=SERVERS, default="nc")
parser.add_argument("--no-first", action="store_true")
parser.add_argument("--log")
Bench(parser.parse_args()).run()
