"""What the suites of RDS share: a virga with a VPC, and databases in it."""
import os
import subprocess
import unittest

from virga import Refusals, Virga, wait_until

PASSWORD = "correct-horse-7"


class Case(Refusals, unittest.TestCase):
    @classmethod
    def begin(cls, *args):
        cls.virga = Virga(*args).start()
        cls.addClassCleanup(cls.virga.close)
        cls.rds, cls.ec2 = cls.virga.client("rds"), cls.virga.client("ec2")

    def describe(self, i):
        return self.rds.describe_db_instances(DBInstanceIdentifier=i)["DBInstances"][0]

    def until(self, i, state="available", limit=120):
        seen = []

        def there():
            try:
                seen.append(self.describe(i)["DBInstanceStatus"])
            except self.rds.exceptions.DBInstanceNotFoundFault:
                seen.append("gone")
            self.assertNotIn(seen[-1], {"failed"} - {state}, self.virga.read_log()[-5000:])
            return seen[-1] == state
        self.assertTrue(wait_until(there, limit, 0.02), f"{seen[-1]}\n{self.virga.read_log()[-5000:]}")
        return self.describe(i) if state != "gone" else None


class Servers(Case):
    @classmethod
    def setUpClass(cls):
        cls.begin()
        ec2 = cls.ec2
        cls.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=cls.vpc, EnableDnsHostnames={"Value": True})
        cls.subnets = [ec2.create_subnet(VpcId=cls.vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
                       for i, z in ((1, "a"), (2, "b"))]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=cls.vpc)
        [table] = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [cls.vpc]}])["RouteTables"]
        ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        cls.app, cls.db = (ec2.create_security_group(GroupName=n, Description=n, VpcId=cls.vpc)["GroupId"] for n in ("app", "db"))
        ec2.authorize_security_group_ingress(GroupId=cls.db, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": cls.app}]}])
        cls.rds.create_db_subnet_group(DBSubnetGroupName="dbs", DBSubnetGroupDescription="d", SubnetIds=cls.subnets)
        # A place in the VPC to connect from: the interface of an endpoint, in the application's group.
        e = ec2.create_vpc_endpoint(VpcId=cls.vpc, VpcEndpointType="Interface", ServiceName="com.amazonaws.us-east-1.sqs",
                                    SubnetIds=[cls.subnets[0]], SecurityGroupIds=[cls.app])["VpcEndpoint"]
        cls.host = e["NetworkInterfaceIds"][0]

    def create(self, i, state="available", **kw):
        kw = {"DBInstanceClass": "db.t3.micro", "Engine": "postgres", "AllocatedStorage": 20, "MasterUsername": "boss",
              "MasterUserPassword": PASSWORD, "DBSubnetGroupName": "dbs", "VpcSecurityGroupIds": [self.db],
              "PubliclyAccessible": False, **kw}
        kw = {k: v for k, v in kw.items() if v is not None}
        made = self.rds.create_db_instance(DBInstanceIdentifier=i, **kw)["DBInstance"]
        self.assertEqual(made["DBInstanceStatus"], "creating")
        d = self.until(i, state)
        if "simulated" in self.virga.read_log():
            self.skipTest("compute is simulated here")
        return d

    def namespace(self, eni):
        names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.split()
        return next((n for n in names if n.endswith(eni)), None)

    def inside(self, *command, **kw):
        """Runs a command at the application's place in the VPC, which asks the VPC's resolver."""
        resolv = os.path.join(self.virga.folder, "resolv.conf")
        with open(resolv, "w") as f:
            f.write("nameserver 10.0.0.2\n")
        line = f"mount --bind {resolv} /etc/resolv.conf && exec \"$@\""
        return subprocess.run(["ip", "netns", "exec", self.namespace(self.host), "sh", "-c", line, "sh", *command], capture_output=True,
                              text=True, **kw)

    def url(self, d, user="boss", password=PASSWORD, database="postgres"):
        e = d["Endpoint"]
        return f"postgresql://{user}:{password}@{e['Address']}:{e['Port']}/{database}?connect_timeout=3"

    def sql(self, d, text, run=None, **kw):
        """The rows of a statement, from inside the VPC (or as run says)."""
        r = (run or self.inside)("psql", self.url(d, **kw), "-AtXq", "-v", "ON_ERROR_STOP=1", "-c", text)
        self.assertEqual(r.returncode, 0, r.stderr + self.virga.read_log()[-3000:])
        return r.stdout.strip()

    @staticmethod
    def outside(*command):
        return subprocess.run(command, capture_output=True, text=True)

    def delete(self, *ids):
        for i in ids:
            self.rds.delete_db_instance(DBInstanceIdentifier=i, SkipFinalSnapshot=True)
        for i in ids:
            self.until(i, "gone")

    def server(self, d, program=b"/usr/lib/postgresql/"):
        """The process of the server that answers: of an instance's own, where its zone has several."""
        own = os.path.join(self.virga.data, "rds", d["DbiResourceId"])
        folders = [os.stat(f) for f in (own, own + "/files") if os.path.exists(f)]  # a cluster's member has none

        def is_own(pid):
            try:
                return not folders or any(os.path.samestat(os.stat(f"/proc/{pid}/root/srv/engine"), f) for f in folders)
            except OSError:
                return False
        enis = self.ec2.describe_network_interfaces(Filters=[
            {"Name": "requester-id", "Values": ["amazon-rds"]}, {"Name": "availability-zone", "Values": [d["AvailabilityZone"]]},
            {"Name": "group-id", "Values": [self.db]}])["NetworkInterfaces"]
        places = [p for p in (self.namespace(n["NetworkInterfaceId"]) for n in enis) if p]
        pids = [p for place in places for p in subprocess.run(["ip", "netns", "pids", place], capture_output=True, text=True).stdout.split()]

        def parent(pid):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    return f.read().startswith(program)
            except FileNotFoundError:
                return False
        # A session that was forked a moment ago still looks like the server: the one whose parent is none of them is it.
        likely = [p for p in pids if parent(p) and is_own(p)]

        def forked(pid):
            try:
                with open(f"/proc/{pid}/stat") as f:
                    return f.read().rsplit(")", 1)[1].split()[1] in likely
            except FileNotFoundError:
                return True
        [pid] = [int(p) for p in likely if not forked(p)]
        return pid

    def whole(self, i):
        """Until a standby is there that may take over."""
        self.assertTrue(wait_until(lambda: "SecondaryAvailabilityZone" in self.describe(i), 120), self.virga.read_log()[-3000:])
        return self.describe(i)
