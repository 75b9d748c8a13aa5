"""The reference architecture (three tiers in two zones, five security groups) and a matrix of probes by real packets: from every tier
to every tier, to the internet and from there, each passing or failing as the rules say; the flow log, `virga trace` and Reachability
Analyzer tell the same.

`call(operation, **parameters)` asks EC2: boto3 and the AWS CLI make the same of it. The machines are small ones of the default image,
which serve and probe themselves."""
import concurrent.futures
import gzip
import json
import os
import subprocess
import sys

from virga import BINARY, wait_until

# Whose subnets each tier is in; by turns in the one zone and the other.
TIERS = {"external": "public", "web": "app", "internal": "app", "app": "app", "database": "database"}
# Who lets in whom (None: everybody), from which port to which.
RULES = [("external", None, 80, 80), ("external", None, 443, 443), ("web", "external", 80, 80), ("web", "external", 443, 443),
         ("internal", "external", 3000, 3000), ("internal", "external", 5000, 5000), ("app", "internal", 3000, 5000),
         ("database", "app", 5432, 5432)]
PORTS = [80, 443, 3000, 5000, 5432]
OUTSIDE, OUTSIDE_PORT = "198.51.100.1", 8080  # who speaks from the internet itself
# Tells each client who it seems to be. Python without modules of ours: it runs in the machines too.
SERVE = """
import selectors, socket, sys
sel = selectors.DefaultSelector()
for port in sys.argv[1:]:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", int(port)))
    s.listen(64)
    sel.register(s, selectors.EVENT_READ)
print("listening", flush=True)
while True:
    for key, _ in sel.select():
        c, who = key.fileobj.accept()
        try:
            c.sendall(who[0].encode())
        except OSError:
            pass
        c.close()
"""
# All at once, for so long at least, and for a minute while one of the first so many has not answered. Prints those that answered, and
# whom they saw.
PROBE = """
import selectors, socket, sys, time
sel, begun = selectors.DefaultSelector(), time.monotonic()
waiting = set(sys.argv[3:3 + int(sys.argv[2])])
for target in sys.argv[3:]:
    address, port = target.split(":")
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((address, int(port)))
    sel.register(s, selectors.EVENT_READ, target)
while sel.get_map() and time.monotonic() - begun < (60 if waiting else float(sys.argv[1])):
    for key, _ in sel.select(0.1):
        try:
            print(key.data, key.fileobj.recv(64).decode())
        except OSError:
            pass
        waiting.discard(key.data)
        sel.unregister(key.fileobj)
"""


class Reference:
    def __init__(self, virga, call, account="test"):
        self.virga, self.call, self.account = virga, call, account
        self.children, self.subnets, self.machines = [], {}, {}
        self.without = set()  # probes about which another tool's rules say more than these

    def find(self, vpc):
        """One that another tool has made."""
        self.vpc = vpc
        here = [{"Name": "vpc-id", "Values": [vpc]}]
        blocks = {s["CidrBlock"]: s["SubnetId"] for s in self.call("describe-subnets", Filters=here)["Subnets"]}
        for k, name in enumerate(("public", "app", "database")):
            self.subnets[name] = [blocks[f"10.0.{2 * k + 1 + z}.0/24"] for z in range(2)]
        groups = self.call("describe-security-groups", Filters=here)["SecurityGroups"]
        self.groups = {g["GroupName"]: g["GroupId"] for g in groups if g["GroupName"] in TIERS}

    def make(self):
        call = self.call
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            self.vpc = v = call("create-vpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
            gateway = pool.submit(call, "create-internet-gateway")
            subnets = [(name, pool.submit(call, "create-subnet", VpcId=v, CidrBlock=f"10.0.{2 * k + 1 + z}.0/24",
                                          AvailabilityZone=f"us-east-1{'ab'[z]}"))
                       for k, name in enumerate(("public", "app", "database")) for z in range(2)]
            tables = [pool.submit(call, "create-route-table", VpcId=v) for _ in range(3)]
            addresses = [pool.submit(call, "allocate-address", Domain="vpc") for _ in range(2)]
            groups = {t: pool.submit(call, "create-security-group", GroupName=t, Description=t, VpcId=v) for t in TIERS}
            gateway = gateway.result()["InternetGateway"]["InternetGatewayId"]
            call("attach-internet-gateway", InternetGatewayId=gateway, VpcId=v)
            for name, made in subnets:
                self.subnets.setdefault(name, []).append(made.result()["Subnet"]["SubnetId"])
            self.groups = {t: g.result()["GroupId"] for t, g in groups.items()}
            nats = [pool.submit(call, "create-nat-gateway", SubnetId=s, AllocationId=a.result()["AllocationId"])
                    for s, a in zip(self.subnets["public"], addresses)]
            public, *own = [t.result()["RouteTable"]["RouteTableId"] for t in tables]
            going = [pool.submit(call, "associate-route-table", RouteTableId=t, SubnetId=s)
                     for t, s in zip([public, public, *own], self.subnets["public"] + self.subnets["app"])]
            going.append(pool.submit(call, "create-route", RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway))
            for tier in TIERS:
                rules = [{"IpProtocol": "tcp", "FromPort": first, "ToPort": last,
                          **({"UserIdGroupPairs": [{"GroupId": self.groups[whom]}]} if whom else {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})}
                         for t, whom, first, last in RULES if t == tier]
                going.append(pool.submit(call, "authorize-security-group-ingress", GroupId=self.groups[tier], IpPermissions=rules))
            for t, n in zip(own, nats):
                going.append(pool.submit(call, "create-route", RouteTableId=t, DestinationCidrBlock="0.0.0.0/0",
                                         NatGatewayId=n.result()["NatGateway"]["NatGatewayId"]))
            for g in going:
                g.result()

    def stand(self, test):
        """A machine of each tier that serves all ports, and somebody on the internet; flows are logged from before."""
        self.s3 = self.virga.client("s3", key=self.account)
        self.bucket = "flows-" + self.vpc[-8:]
        self.s3.create_bucket(Bucket=self.bucket)
        self.call("create-flow-logs", ResourceIds=[self.vpc], ResourceType="VPC", TrafficType="ALL", LogDestinationType="s3",
                  LogDestination=f"arn:aws:s3:::{self.bucket}", MaxAggregationInterval=60,
                  LogFormat="${interface-id} ${srcaddr} ${dstaddr} ${dstport} ${action}")
        image = self.call("describe-images", Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
        data = f"#!/bin/sh\npython3 -c '{SERVE}' {' '.join(map(str, PORTS))} >/dev/null 2>&1 &\n"
        for k, (tier, subnet) in enumerate(TIERS.items()):
            [i] = self.call("run-instances", ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1, UserData=data,
                            NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": self.subnets[subnet][k % 2],
                                                "Groups": [self.groups[tier]], "AssociatePublicIpAddress": tier == "external"}])["Instances"]
            self.machines[tier] = i["InstanceId"]
        self.until(lambda: all(i["State"]["Name"] == "running" for i in self.described().values()))
        told = self.described()
        if "StateReason" in told["web"]:
            test.skipTest(told["web"]["StateReason"]["Message"])
        self.enis = {t: (i["NetworkInterfaces"][0]["NetworkInterfaceId"], i["PrivateIpAddress"]) for t, i in told.items()}
        self.public = told["external"]["PublicIpAddress"]
        self.nats = {n["NatGatewayAddresses"][0]["PublicIp"] for n in self.call(
            "describe-nat-gateways", Filter=[{"Name": "vpc-id", "Values": [self.vpc]}])["NatGateways"]}
        test.assertEqual(len(self.nats), 2)
        self.internet = next(n for n in os.listdir("/run/netns") if n.endswith(self.machines["web"]))[:-len(self.machines["web"])] + "internet"
        served = subprocess.Popen(["ip", "netns", "exec", self.internet, sys.executable, "-c", SERVE, str(OUTSIDE_PORT)],
                                  stdout=subprocess.PIPE, text=True)
        self.children.append(served)
        assert served.stdout.readline() == "listening\n"
        # It listens when it reaches itself.
        for tier in TIERS:
            ports = [f"127.0.0.1:{p}" for p in PORTS]
            self.until(lambda: len(self.probed(tier, 5, ports, [])) == len(PORTS))

    def described(self):
        told = self.call("describe-instances", InstanceIds=list(self.machines.values()))["Reservations"]
        by_id = {i["InstanceId"]: i for r in told for i in r["Instances"]}
        return {t: by_id[i] for t, i in self.machines.items()}

    def until(self, what):
        assert wait_until(what, limit=400, every=0.2), self.virga.read_log()[-3000:]

    def close(self):
        for p in self.children:
            p.kill()
            p.wait()
            p.stdout.close()

    def probed(self, source, patience, wanted, others):
        """Those that answered, and the address that each saw. Whoever should answer is given time; the others patience."""
        where = (["ip", "netns", "exec", self.internet, sys.executable] if source == "internet" else
                 [BINARY, "ssh", "--endpoint", self.virga.endpoint, self.machines[source], "--", "python3"])
        run = subprocess.run([*where, "-c", PROBE, str(patience), str(len(wanted)), *wanted, *others], capture_output=True, text=True,
                             stdin=subprocess.DEVNULL)
        return dict(line.split() for line in run.stdout.splitlines() if " " in line.strip())

    def targets(self, source):
        if source == "internet":
            known = {f"{self.public}:{p}": ("external", p) for p in PORTS}
            return known | {f"{a}:{p}": ("nat", p) for a in self.nats for p in PORTS}
        known = {f"{self.enis[t][1]}:{p}": (t, p) for t in TIERS if t != source for p in PORTS}
        return known | {f"{OUTSIDE}:{OUTSIDE_PORT}": ("internet", OUTSIDE_PORT)}

    def expected(self):
        passes = {(t, "internet", OUTSIDE_PORT) for t, s in TIERS.items() if s != "database"}
        for tier, whom, first, last in RULES:
            for source in [*TIERS, *(["internet"] if tier == "external" else [])]:
                if source != tier and whom in (None, source):
                    passes |= {(source, tier, p) for p in PORTS if first <= p <= last}
        return passes - self.without

    def seen(self, expected, patience=2):
        passes, wrong = set(), []
        sources = [*TIERS, "internet"]

        def ask(source):
            known = self.targets(source)
            wanted = [t for t, (tier, port) in known.items() if (source, tier, port) in expected]
            return self.probed(source, patience, wanted, [t for t in known if t not in wanted])

        with concurrent.futures.ThreadPoolExecutor(len(sources)) as pool:
            for source, answers in zip(sources, pool.map(ask, sources)):
                for target, who in answers.items():
                    tier, port = self.targets(source)[target]
                    passes.add((source, tier, port))
                    # What the other side sees: a private address inside, a NAT gateway's or the machine's own public one outside.
                    inside = {OUTSIDE} if source == "internet" else {self.enis[source][1]}
                    outside = {self.public} if source == "external" else self.nats
                    if who not in (outside if tier == "internet" else inside):
                        wrong.append((source, tier, port, who))
        assert not wrong, wrong
        return passes

    def check(self, test):
        expected = self.expected()
        if not wait_until(lambda: self.seen(expected) == expected, limit=90, every=1):
            seen = self.seen(expected, 5)
            test.assertEqual((sorted(seen - expected), sorted(expected - seen)), ([], []), self.virga.read_log()[-2000:])
        self.check_traced(test, expected)
        self.check_logged(test, expected)

    def pairs(self):
        return [(s, t, p) for s in TIERS for t in TIERS if s != t for p in PORTS if (s, t, p) not in self.without]

    def check_traced(self, test, expected):
        """`virga trace` of each probe, and Reachability Analyzer of each between tiers."""
        ec2 = self.virga.client("ec2", key=self.account)
        ids = {**self.machines, "internet": "internet"}

        def traced(probe):
            source, tier, port = probe
            to = OUTSIDE if tier == "internet" else ids[tier]
            return subprocess.run([BINARY, "trace", "--endpoint", self.virga.endpoint, ids[source], to, str(port)],
                                  capture_output=True, text=True, stdin=subprocess.DEVNULL).returncode

        def analysed(probe):
            source, tier, port = probe
            path = ec2.create_network_insights_path(Source=ids[source], Destination=ids[tier], Protocol="tcp", DestinationPort=port)
            told = ec2.start_network_insights_analysis(NetworkInsightsPathId=path["NetworkInsightsPath"]["NetworkInsightsPathId"])
            return told["NetworkInsightsAnalysis"].get("NetworkPathFound")

        probes = self.pairs()
        wider = (probes + [(s, "internet", OUTSIDE_PORT) for s in TIERS] + [("internet", "external", p) for p in PORTS])
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for probe, code in zip(wider, pool.map(traced, wider)):
                test.assertEqual(code, 0 if probe in expected else 1, f"trace {probe}")
            for probe, found in zip(probes, pool.map(analysed, probes)):
                test.assertIs(found, probe in expected, f"analysis {probe}")

    def check_logged(self, test, expected):
        """The receiver's interface tells of each probe between tiers, and of those from the internet that reach it."""
        def line(source, tier, port, action):
            return f"{self.enis[tier][0]} {OUTSIDE if source == 'internet' else self.enis[source][1]} {self.enis[tier][1]} {port} {action}"

        probes = self.pairs() + [("internet", "external", p) for p in PORTS]
        wanted = {line(*p, "ACCEPT" if p in expected else "REJECT") for p in probes}
        contrary = {line(*p, "ACCEPT") for p in probes if p not in expected}
        lines = set()

        def told():
            subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "2m"], check=True, capture_output=True)
            for o in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", []):
                body = self.s3.get_object(Bucket=self.bucket, Key=o["Key"])["Body"].read()
                lines.update(gzip.decompress(body).decode().splitlines())
            return wanted <= lines

        if not wait_until(told, limit=300, every=0.5):
            test.assertEqual(sorted(wanted - lines), [])
        test.assertEqual(sorted(contrary & lines), [])


def boto3_call(ec2):
    return lambda operation, **parameters: getattr(ec2, operation.replace("-", "_"))(**parameters)
