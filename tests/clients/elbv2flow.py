"""What suites of Network Load Balancers share: echo servers and clients in namespaces, over UDP and TCP. Needs root."""
import datetime
import json
import subprocess

from elbv2case import Place

# PORT NAME: tells by UDP and TCP who asked; over TCP each further line is answered, "bye" ends with a reset.
ECHO = r"""
import json, os, socket, struct, sys, threading
port, name = int(sys.argv[1]), sys.argv[2]
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("0.0.0.0", port))
def datagrams():
    while True:
        data, peer = u.recvfrom(2000)
        u.sendto(json.dumps({"name": name, "peer": peer[0], "port": peer[1], "said": data.decode()}).encode(), peer)
def stream(c, peer):
    f = c.makefile("rwb")
    try:
        for line in f:
            if line == b"bye\n":
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); f.close(); c.close(); return
            f.write(json.dumps({"name": name, "peer": peer[0], "port": peer[1], "said": line.decode("latin-1").strip()}).encode() + b"\n"); f.flush()
    except OSError: pass
    c.close()
threading.Thread(target=datagrams, daemon=True).start()
s = socket.create_server(("0.0.0.0", port), backlog=100)
while True: threading.Thread(target=stream, args=s.accept(), daemon=True).start()
"""
# Commands by lines: "open PROTOCOL HOST PORT" makes a socket, "say N TEXT" asks over it; each answers with one line.
CLIENT = r"""
import json, socket, sys
all = []
for line in sys.stdin:
    what, *rest = line.split()
    try:
        if what == "open":
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if rest[0] == "udp" else socket.SOCK_STREAM)
            s.settimeout(float(rest[3]))
            s.connect((rest[1], int(rest[2])))
            all.append((s, rest[0]))
            print(len(all) - 1, flush=True)
        elif what == "say":
            s, kind = all[int(rest[0])]
            s.sendall(rest[1].encode() + (b"" if kind == "udp" else b"\n"))
            said = s.recv(2000).decode().strip()
            print(said or "closed", flush=True)
    except OSError as e:
        print("error " + type(e).__name__, flush=True)
"""


class Talker:
    """A client in a namespace."""

    def __init__(self, space, limit=2):
        self.limit = limit
        self.p = subprocess.Popen(["ip", "netns", "exec", space, "python3", "-c", CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True)

    def do(self, *words):
        self.p.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def open(self, protocol, host, port):
        said = self.do("open", protocol, host, port, self.limit)
        return int(said) if said.isdigit() else said

    def say(self, n, text="hello"):
        said = self.do("say", n, text)
        return json.loads(said) if said.startswith("{") else said

    def ask(self, protocol, host, port):
        n = self.open(protocol, host, port)
        return self.say(n) if isinstance(n, int) else n

    def end(self):
        self.p.stdin.close()
        self.p.stdout.close()
        self.p.wait()


class Flows(Place):
    def setUp(self):
        super().setUp()
        self.talkers = []
        self.addCleanup(self.end_talkers)
        self.processes = {}

    def end_talkers(self):
        for t in self.talkers:
            t.end()

    def talker(self, space=None, limit=2):
        self.talkers.append(Talker(space or self.space(self.places[2]["eni"]), limit))
        return self.talkers[-1]

    def echo(self, place, port, name):
        p = subprocess.Popen(["ip", "netns", "exec", self.space(place["eni"]), "python3", "-c", ECHO, str(port), name])
        type(self).servers.append(p)
        self.processes[name] = p
        return p

    def internet(self):
        names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.split()
        prefix = self.space(self.places[0]["eni"]).rsplit("-eni-", 1)[0]
        return next(n for n in names if n == prefix + "-internet")

    def total(self, lb, name):
        """What CloudWatch has counted for a balancer."""
        now = datetime.datetime.now(datetime.timezone.utc)
        points = self.virga.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/NetworkELB", MetricName=name, StartTime=now - datetime.timedelta(hours=1), EndTime=now + datetime.timedelta(hours=1),
            Dimensions=[{"Name": "LoadBalancer", "Value": lb["LoadBalancerArn"].split("loadbalancer/")[1]}], Period=60, Statistics=["Sum"])
        return sum(p["Sum"] for p in points["Datapoints"])

    def network(self, protocol, port, target_port, places, internal=True, attributes=(), also=None, **kw):
        """A balancer, a group and its targets: (balancer, node's address, group)."""
        make = {"Type": "network", **kw}
        if internal:
            lb, ips = self.inside(**make)
        else:
            lb = self.balancer(**make)
            enis = self.ec2.describe_network_interfaces(Filters=[
                {"Name": "description", "Values": ["ELB " + lb["LoadBalancerArn"].split("loadbalancer/")[1]]}])["NetworkInterfaces"]
            ips = [e["Association"]["PublicIp"] for e in enis]
        tg = self.elb.create_target_group(
            Name=self.name("tg"), Protocol=protocol, Port=target_port, VpcId=self.vpc, TargetType="ip", HealthCheckProtocol="TCP",
            HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2,
            UnhealthyThresholdCount=2)["TargetGroups"][0]["TargetGroupArn"]
        self.set(tg, {"load_balancing.cross_zone.enabled": "true", **dict(attributes)})
        self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": p["ip"]} for p in places])
        self.listener(lb, [{"Type": "forward", "TargetGroupArn": tg}], Protocol=protocol, Port=port)
        if also:
            self.listener(lb, [{"Type": "forward", "TargetGroupArn": tg}], Protocol=also[0], Port=also[1], **also[2])
        self.healthy(tg, len(places))
        return lb, ips[0], tg

    def set(self, tg, attributes):
        self.elb.modify_target_group_attributes(TargetGroupArn=tg, Attributes=[{"Key": k, "Value": v} for k, v in attributes.items()])

    def rule(self, protocol, source, port=None, sg=None):
        kw = {"GroupId": sg or self.inner, "IpPermissions": [{
            "IpProtocol": protocol, "FromPort": port or 8000, "ToPort": port or 8999,
            **({"UserIdGroupPairs": [{"GroupId": source}]} if source.startswith("sg-") else {"IpRanges": [{"CidrIp": source}]})}]}
        self.ec2.authorize_security_group_ingress(**kw)
        return kw

    def regroup(self, place, old, new):
        endpoints = self.ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["VpcEndpoints"]
        [e] = [e["VpcEndpointId"] for e in endpoints if place["eni"] in e["NetworkInterfaceIds"]]
        self.ec2.modify_vpc_endpoint(VpcEndpointId=e, AddSecurityGroupIds=[new], RemoveSecurityGroupIds=[old])

    def answers(self, t, protocol, host, port, what):
        self.until(lambda: what(t.ask(protocol, host, port)), lambda: t.ask(protocol, host, port))
