"""kill -9 of the agent and of virga under traffic, and foreign hands in a router: connections between machines, through a NAT gateway
and through an internet gateway live on, state converges, and nothing stands after a stop or a reset. Needs root."""
import os
import signal
import subprocess
import sys
import unittest

from ec2_instance_test import Case
from ec2_soak_test import children
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)
ZONE = "us-east-1a"
OUTSIDE = "198.51.100.1"  # who speaks from the internet itself
# Says back what it hears, at each of the ports.
ECHO = """
import selectors, socket, sys
sel = selectors.DefaultSelector()
for port in sys.argv[1:]:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", int(port)))
    s.listen(64)
    sel.register(s, selectors.EVENT_READ, True)
print("listening", flush=True)
while True:
    for key, _ in sel.select():
        if key.data:
            sel.register(key.fileobj.accept()[0], selectors.EVENT_READ, False)
            continue
        try:
            heard = key.fileobj.recv(4096)
            key.fileobj.sendall(heard)
        except OSError:
            heard = b""
        if not heard:
            sel.unregister(key.fileobj)
            key.fileobj.close()
"""
# One connection that never rests: how many times it was answered stands in the file, or that it broke.
TALK = """
import os, socket, sys, time
address, port, told = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def tell(text):
    with open(told + ".new", "w") as f:
        f.write(str(text))
    os.rename(told + ".new", told)
n = 0
try:
    s = socket.create_connection((address, port), timeout=60)
    while True:
        s.sendall(b"%09d" % n)
        heard = b""
        while len(heard) < 9:
            more = s.recv(9 - len(heard))
            if not more:
                raise OSError("it was closed")
            heard += more
        if int(heard) != n:
            raise OSError("not what was said")
        n += 1
        tell(n)
        time.sleep(0.01)
except OSError as e:
    tell("broken: %s" % e)
"""
TRY = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1)"


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Kill(Case):
    def setUp(self):
        self.virga, self.own = Virga().start(), []
        self.addCleanup(self.virga.close)
        self.addCleanup(self.end_own)
        self.ec2 = self.virga.client("ec2")
        self.image = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]

    @classmethod
    def setUpClass(cls):
        pass

    def end_own(self):
        while self.own:
            p = self.own.pop()
            p.kill()
            p.communicate()

    def until(self, what, limit=120):
        return super().until(what, limit)

    def ssh(self, i, *words):
        return subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, i, "--", *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)

    # ── what stands ──

    def build(self):
        ec2 = self.ec2
        self.vpc = v = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        g = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=g, VpcId=v)
        near, far = [ec2.create_subnet(VpcId=v, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=ZONE)["Subnet"]["SubnetId"] for n in (1, 2)]
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = ec2.create_nat_gateway(SubnetId=near, AllocationId=address)["NatGateway"]["NatGatewayId"]
        for subnet, to in ((near, {"GatewayId": g}), (far, {"NatGatewayId": nat})):
            t = ec2.create_route_table(VpcId=v)["RouteTable"]["RouteTableId"]
            ec2.associate_route_table(RouteTableId=t, SubnetId=subnet)
            ec2.create_route(RouteTableId=t, DestinationCidrBlock="0.0.0.0/0", **to)
        self.group = ec2.create_security_group(GroupName="g", Description="d", VpcId=v)["GroupId"]
        self.rule(ec2.authorize_security_group_ingress, 7000)
        data = f"#!/bin/sh\npython3 -c '{ECHO}' 7000 7001 7002 7003 >/dev/null 2>&1 &\n"
        self.a, self.b = [self.run_one(state=None, InstanceType="t3.nano", UserData=data, NetworkInterfaces=[
            {"DeviceIndex": 0, "SubnetId": s, "Groups": [self.group], "AssociatePublicIpAddress": s == near}]) for s in (near, far)]
        for i in (self.a, self.b):
            self.wait(i, "running")
        told = self.describe(self.a)
        if "StateReason" in told:
            self.skipTest(told["StateReason"]["Message"])
        self.private, self.public = told["PrivateIpAddress"], told["PublicIpAddress"]
        self.prefix = next(n for n in os.listdir("/run/netns") if n.endswith(self.a))[:-len(self.a)]
        self.outside = ["ip", "netns", "exec", self.prefix + "internet", sys.executable, "-c"]
        self.child(*self.outside, ECHO, "8080", until="listening")
        self.until(lambda: self.passes(self.b, 7000))

    def rule(self, call, port):
        call(GroupId=self.group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp="0.0.0.0/0")

    def child(self, *words, until=None):
        p = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.own.append(p)
        if until:
            self.assertEqual(p.stdout.readline().strip(), until)

    def passes(self, source, port):
        """A new connection to the public machine: privately from the other one, publicly from outside."""
        if source == "outside":
            return subprocess.run([*self.outside, TRY, self.public, str(port)], capture_output=True).returncode == 0
        return self.ssh(source, "python3", "-c", TRY, self.private, str(port)).returncode == 0

    def talk(self):
        """Three connections that go on: between machines, out by the NAT gateway, in by the internet gateway."""
        for name, address, port in (("inside", self.private, 7000), ("nat", OUTSIDE, 8080)):
            self.ssh(self.b, "sh", "-c", f"python3 -c '{TALK}' {address} {port} /root/{name} >/dev/null 2>&1 &")
        self.child(*self.outside, TALK, self.public, "7000", os.path.join(self.virga.folder, "igw"))
        self.until(lambda: all(n > 0 for n in self.told().values()))

    def told(self):
        counts = self.ssh(self.b, "sh", "-c", "cat /root/inside; echo; cat /root/nat").stdout.splitlines() + ["0", "0"]
        try:
            with open(os.path.join(self.virga.folder, "igw")) as f:
                counts[2:] = [f.read()]
        except FileNotFoundError:
            counts[2:] = ["0"]
        self.assertFalse([c for c in counts if "broken" in c], (counts, self.virga.read_log()[-3000:]))
        return {k: int(c or 0) for k, c in zip(("inside", "nat", "igw"), counts)}

    def lives_on(self):
        before = self.told()
        self.until(lambda: all(n > before[k] for k, n in self.told().items()))

    def agent(self):
        def named(p, wanted):
            with open(f"/proc/{p}/comm") as f:
                return f.read().strip() == wanted

        return [p for p in children(self.virga.process.pid) if named(p, "virga-agent")]

    def kill_agent(self):
        [pid] = self.until(self.agent)
        os.kill(pid, signal.SIGKILL)
        return pid

    def standing(self):
        """All that is of this virga outside its processes."""
        groups = subprocess.run(["find", "/sys/fs/cgroup", "-maxdepth", "5", "-type", "d", "-path", f"*{self.prefix}*"],
                                capture_output=True, text=True).stdout.split()
        with open("/proc/mounts") as f:
            mounts = [m for m in f if self.virga.data in m or self.prefix in m]
        loops = subprocess.run(["losetup", "-l", "-n", "-O", "BACK-FILE"], capture_output=True, text=True).stdout
        return {"namespaces": [n for n in os.listdir("/run/netns") if n.startswith(self.prefix)], "groups": groups, "mounts": mounts,
                "loops": [x for x in loops.split() if x.startswith(self.virga.data)], "processes": self.processes()}

    def processes(self):
        """Those whose network namespace is none that the machine's own first process or this one has, by what they were before."""
        found = []
        for p in self.machine_pids:
            try:
                with open(f"/proc/{p}/stat") as f:
                    found += [p] if f.read().rpartition(")")[2].split()[0] not in "ZX" else []
            except OSError:
                pass
        return found

    def remember_machines(self):
        """The processes in the machines' network namespaces, as the host sees them."""
        self.machine_pids = []
        for i in (self.a, self.b):
            pids = subprocess.run(["ip", "netns", "pids", self.prefix + i], capture_output=True, text=True).stdout.split()
            self.assertTrue(pids)
            self.machine_pids += map(int, pids)

    def assert_clean(self):
        clean = {"namespaces": [], "groups": [], "mounts": [], "loops": [], "processes": []}
        self.until(lambda: self.standing() == clean or print(self.standing()), 60)

    # ── what happens ──

    def test_kills_under_traffic(self):
        ec2 = self.ec2
        self.build()
        self.talk()

        # The agent: a change that is asked for at once takes effect.
        first = self.kill_agent()
        self.rule(ec2.authorize_security_group_ingress, 7001)
        self.until(lambda: self.passes("outside", 7001) and self.passes(self.b, 7001))
        self.lives_on()
        self.assertNotEqual(self.until(self.agent), [first])
        self.assertFalse(self.passes("outside", 7002))

        # virga: likewise, one rule more and one less.
        self.virga.restart()
        self.rule(ec2.revoke_security_group_ingress, 7001)
        self.rule(ec2.authorize_security_group_ingress, 7002)
        self.until(lambda: self.passes("outside", 7002) and self.passes(self.b, 7002))
        self.until(lambda: not self.passes("outside", 7001) and not self.passes(self.b, 7001))
        self.lives_on()

        # Both at once.
        agent = self.kill_agent()
        self.virga.kill()
        self.virga.start(self.virga.port)
        self.rule(ec2.authorize_security_group_ingress, 7001)
        self.until(lambda: self.passes("outside", 7001) and self.passes(self.b, 7001))
        self.lives_on()
        self.assertNotIn(agent, self.until(self.agent))

        # Foreign hands: what they close opens again, what they open closes, and connections that stood go on.
        router = ["ip", "netns", "exec", self.prefix + self.vpc]
        for harm in ("nft flush ruleset", "nft insert rule inet virga arrive drop", "ip rule flush", "ip link set eth0 down"):
            words = harm.split()
            if "eth0" in words:
                links = subprocess.run([*router, "ip", "-o", "link"], capture_output=True, text=True).stdout
                words[3] = next(x.split(":")[1].split("@")[0].strip() for x in links.splitlines() if self.tail(self.a) in x)
            subprocess.run([*router, *words], check=True, capture_output=True)
            self.until(lambda: self.passes("outside", 7001) and not self.passes("outside", 7003) and self.passes(self.b, 7001)
                       and not self.passes(self.b, 7003))
            self.lives_on()

        # A machine that was made before all this, and one after it, reach each other.
        self.remember_machines()
        self.assertEqual(self.virga.stop(), 0)
        self.assert_clean()
        self.virga.start(self.virga.port)

    def tail(self, i):
        return self.describe(i)["NetworkInterfaces"][0]["NetworkInterfaceId"][-12:]

    def test_reset(self):
        self.build()
        self.remember_machines()
        self.end_own()
        subprocess.run([BINARY, "reset", "--endpoint", self.virga.endpoint], check=True, capture_output=True)
        self.assert_clean()
        self.assertEqual(self.ec2.describe_instances()["Reservations"], [])


if __name__ == "__main__":
    unittest.main()
