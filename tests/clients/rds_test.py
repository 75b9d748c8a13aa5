"""RDS with real PostgreSQL servers, where virga runs as root: made, reached through the VPC and from this machine, changed, stopped,
failing, deleted; and the control plane, which needs no root."""
import datetime
import json
import os
import subprocess
import time
import unittest

from botocore.exceptions import ClientError
from virga import BINARY, Virga, wait_until

NEEDS_BOTO3 = (1, 40)
PASSWORD = "correct-horse-7"


class Case(unittest.TestCase):
    @classmethod
    def begin(cls, *args):
        cls.virga = Virga(*args).start()
        cls.addClassCleanup(cls.virga.close)
        cls.rds, cls.ec2 = cls.virga.client("rds"), cls.virga.client("ec2")

    def refused(self, code, call, *args, **kw):
        with self.assertRaises(ClientError) as e:
            call(*args, **kw)
        self.assertEqual(e.exception.response["Error"]["Code"], code, e.exception)
        return e.exception.response["Error"]["Message"]

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


class Records(Case):
    """What needs no server: the same with and without root."""

    @classmethod
    def setUpClass(cls):
        cls.begin("--simulated")

    def test_subnet_groups(self):
        v = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        a, b, c = (self.ec2.create_subnet(VpcId=v, CidrBlock=f"10.9.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
                   for i, z in ((1, "a"), (2, "b"), (3, "a")))
        kw = {"DBSubnetGroupName": "Web", "DBSubnetGroupDescription": "d"}
        self.refused("DBSubnetGroupDoesNotCoverEnoughAZs", self.rds.create_db_subnet_group, SubnetIds=[a, c], **kw)
        self.refused("InvalidSubnet", self.rds.create_db_subnet_group, SubnetIds=[a, "subnet-0123456789abcdef0"], **kw)
        g = self.rds.create_db_subnet_group(SubnetIds=[a, b], Tags=[{"Key": "k", "Value": "v"}], **kw)["DBSubnetGroup"]
        self.assertEqual((g["DBSubnetGroupName"], g["VpcId"], g["SubnetGroupStatus"], len(g["Subnets"])), ("web", v, "Complete", 2))
        self.refused("DBSubnetGroupAlreadyExists", self.rds.create_db_subnet_group, SubnetIds=[a, b], **kw)
        arn = g["DBSubnetGroupArn"]
        self.assertEqual(self.rds.list_tags_for_resource(ResourceName=arn)["TagList"], [{"Key": "k", "Value": "v"}])
        self.rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "x", "Value": "y"}])
        self.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["k"])
        self.assertEqual(self.rds.list_tags_for_resource(ResourceName=arn)["TagList"], [{"Key": "x", "Value": "y"}])
        self.rds.modify_db_subnet_group(DBSubnetGroupName="web", SubnetIds=[a, b, c])
        [g] = self.rds.describe_db_subnet_groups(DBSubnetGroupName="web")["DBSubnetGroups"]
        self.assertEqual({s["SubnetIdentifier"] for s in g["Subnets"]}, {a, b, c})
        self.rds.delete_db_subnet_group(DBSubnetGroupName="web")
        self.refused("DBSubnetGroupNotFoundFault", self.rds.describe_db_subnet_groups, DBSubnetGroupName="web")

    def test_parameter_groups(self):
        kw = {"DBParameterGroupName": "mine", "DBParameterGroupFamily": "postgres15", "Description": "d"}
        self.refused("InvalidParameterValue", self.rds.create_db_parameter_group, **{**kw, "DBParameterGroupFamily": "postgres99"})
        self.rds.create_db_parameter_group(**kw)
        self.refused("DBParameterGroupAlreadyExists", self.rds.create_db_parameter_group, **kw)

        def change(name, value, method="immediate"):
            return self.rds.modify_db_parameter_group(DBParameterGroupName="mine", Parameters=[
                {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}])

        change("work_mem", "8192")
        change("max_connections", "LEAST({DBInstanceClassMemory/9531392},50)", "pending-reboot")
        self.refused("InvalidParameterCombination", change, "max_connections", "10")
        for name, value in (("work_mem", "1"), ("work_mem", "lots"), ("nonsense", "1"), ("autovacuum", "maybe"), ("fsync", "0"),
                            ("max_connections", "LEAST({DBInstanceClassMemory/0},50)")):
            self.refused("InvalidParameterValue", change, name, value, "pending-reboot")
        pages = self.rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName="mine")
        found = {p["ParameterName"]: p for page in pages for p in page["Parameters"]}
        self.assertGreater(len(found), 200)
        self.assertEqual((found["work_mem"]["ParameterValue"], found["work_mem"]["Source"]), ("8192", "user"))
        self.assertEqual(found["max_connections"]["ApplyType"], "static")
        user = self.rds.describe_db_parameters(DBParameterGroupName="mine", Source="user")["Parameters"]
        self.assertEqual({p["ParameterName"] for p in user}, {"work_mem", "max_connections"})
        self.rds.copy_db_parameter_group(SourceDBParameterGroupIdentifier="mine", TargetDBParameterGroupIdentifier="other",
                                         TargetDBParameterGroupDescription="copy")
        self.rds.reset_db_parameter_group(DBParameterGroupName="mine", Parameters=[{"ParameterName": "work_mem", "ApplyMethod": "immediate"}])
        count = lambda g: len(self.rds.describe_db_parameters(DBParameterGroupName=g, Source="user")["Parameters"])
        self.assertEqual((count("mine"), count("other")), (1, 2))
        self.rds.reset_db_parameter_group(DBParameterGroupName="other", ResetAllParameters=True)
        self.assertEqual(count("other"), 0)
        names = {g["DBParameterGroupName"] for g in self.rds.describe_db_parameter_groups()["DBParameterGroups"]}
        self.assertLessEqual({"mine", "other", "default.postgres15"}, names)
        self.refused("InvalidDBParameterGroupState", self.rds.delete_db_parameter_group, DBParameterGroupName="default.postgres15")
        for g in ("mine", "other"):
            self.rds.delete_db_parameter_group(DBParameterGroupName=g)
        self.refused("DBParameterGroupNotFound", self.rds.describe_db_parameter_groups, DBParameterGroupName="mine")
        d = self.rds.describe_engine_default_parameters(DBParameterGroupFamily="postgres15")["EngineDefaults"]
        self.assertEqual((d["DBParameterGroupFamily"], len(d["Parameters"])), ("postgres15", 100))

    def test_offers(self):
        [v] = self.rds.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"]
        self.assertEqual(v["DBParameterGroupFamily"], "postgres15")
        self.refused("InvalidParameterValue", self.rds.describe_db_engine_versions, Engine="nosql")
        o = self.rds.describe_orderable_db_instance_options(Engine="postgres", DBInstanceClass="db.t3.micro")["OrderableDBInstanceOptions"]
        self.assertEqual({x["StorageType"] for x in o}, {"gp2", "gp3", "io1"})
        self.assertEqual(self.rds.describe_orderable_db_instance_options(Engine="mysql")["OrderableDBInstanceOptions"], [])

    def test_account(self):
        quotas = {q["AccountQuotaName"]: (q["Used"], q["Max"]) for q in self.rds.describe_account_attributes()["AccountQuotas"]}
        self.assertEqual((quotas["DBInstances"], quotas["ManualSnapshots"]), ((0, 40), (0, 100)))
        [m] = self.rds.describe_event_categories(SourceType="db-instance")["EventCategoriesMapList"]
        self.assertIn("failover", m["EventCategories"])

    def test_option_groups(self):
        self.rds.create_option_group(OptionGroupName="opt", EngineName="postgres", MajorEngineVersion="15", OptionGroupDescription="d")
        names = {g["OptionGroupName"] for g in self.rds.describe_option_groups()["OptionGroupsList"]}
        self.assertEqual(names, {"opt", "default:postgres-15"})
        self.rds.delete_option_group(OptionGroupName="opt")
        self.refused("OptionGroupNotFoundFault", self.rds.describe_option_groups, OptionGroupName="opt")

    def test_bad_instances(self):
        kw = {"DBInstanceIdentifier": "db1", "DBInstanceClass": "db.t3.micro", "Engine": "postgres", "AllocatedStorage": 20,
              "MasterUsername": "boss", "MasterUserPassword": PASSWORD}
        for code, change in (
                ("InvalidParameterValue", {"DBInstanceIdentifier": "1db"}), ("InvalidParameterValue", {"DBInstanceIdentifier": "a--b"}),
                ("InvalidParameterValue", {"DBInstanceClass": "db.t3.giant"}), ("InvalidParameterValue", {"Engine": "mysql"}),
                ("InvalidParameterCombination", {"EngineVersion": "9.6"}), ("InvalidParameterValue", {"AllocatedStorage": 5}),
                ("InvalidParameterValue", {"MasterUsername": "rdsadmin"}), ("InvalidParameterValue", {"MasterUserPassword": "short"}),
                ("InvalidParameterValue", {"MasterUserPassword": "with a / slash"}), ("InvalidParameterValue", {"Port": 80}),
                ("InvalidParameterValue", {"BackupRetentionPeriod": 36}), ("DBSubnetGroupNotFoundFault", {"DBSubnetGroupName": "none"}),
                ("DBParameterGroupNotFound", {"DBParameterGroupName": "none"}), ("OptionGroupNotFoundFault", {"OptionGroupName": "none"}),
                ("InvalidParameterValue", {"PreferredMaintenanceWindow": "someday"}),
                ("InvalidParameterValue", {"PreferredMaintenanceWindow": "sun:05:00-sun:06:00", "PreferredBackupWindow": "05:30-06:30"}),
                ("InvalidParameterCombination", {"MultiAZ": True, "AvailabilityZone": "us-east-1a"}),
                ("InvalidParameterCombination", {"ManageMasterUserPassword": True}), ("NotImplemented", {"StorageEncrypted": True}),
                ("InvalidParameterValue", {"VpcSecurityGroupIds": ["sg-0123456789abcdef0"]})):
            self.refused(code, self.rds.create_db_instance, **{**kw, **change})
        self.assertEqual(self.rds.describe_db_instances()["DBInstances"], [])
        self.assertEqual([n for n in self.ec2.describe_network_interfaces()["NetworkInterfaces"] if n.get("RequesterId") == "amazon-rds"], [])
        self.refused("DBInstanceNotFound", self.describe, "db1")
        self.refused("DBInstanceNotFound", self.rds.delete_db_instance, DBInstanceIdentifier="db1", SkipFinalSnapshot=True)


@unittest.skipIf(os.geteuid() != 0, "servers need root")
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

    def test_life(self):
        began = time.monotonic()
        d = self.create("life", DBName="shop", Tags=[{"Key": "team", "Value": "a"}], DeletionProtection=True)
        print(f"available after {time.monotonic() - began:.2f} s")
        self.assertRegex(d["Endpoint"]["Address"], r"^life\.c[0-9a-z]{11}\.us-east-1\.rds\.amazonaws\.com$")
        self.assertEqual((d["Endpoint"]["Port"], d["MasterUsername"], d["DBName"], d["MultiAZ"]), (5432, "boss", "shop", False))
        self.assertEqual(d["TagList"], [{"Key": "team", "Value": "a"}])
        # The VPC's own way: name, route, groups.
        self.assertEqual(self.sql(d, "CREATE TABLE t (x int); INSERT INTO t VALUES (7); SELECT x FROM t", database="shop"), "7")
        self.assertEqual(self.sql(d, "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = 'boss'"), "f|t")
        wrong = self.inside("psql", self.url(d, password="nonsense-9"), "-c", "SELECT 1")
        self.assertIn("password authentication failed", wrong.stderr)
        self.ec2.revoke_security_group_ingress(GroupId=self.db, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": self.app}]}])
        self.assertTrue(wait_until(lambda: self.inside("psql", self.url(d), "-c", "SELECT 1").returncode != 0, 30))
        self.ec2.authorize_security_group_ingress(GroupId=self.db, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": self.app}]}])
        self.assertTrue(wait_until(lambda: self.inside("psql", self.url(d), "-c", "SELECT 1").returncode == 0, 30))
        [eni] = self.ec2.describe_network_interfaces(Filters=[{"Name": "requester-id", "Values": ["amazon-rds"]},
                                                              {"Name": "group-id", "Values": [self.db]}])["NetworkInterfaces"]
        self.assertEqual((eni["Description"], eni["RequesterManaged"], eni["Status"]), ("RDSNetworkInterface", True, "in-use"))
        # A crash of virga is not the database's.
        up = self.sql(d, "SELECT pg_postmaster_start_time()")
        self.virga.restart()
        self.assertEqual(self.sql(d, "SELECT pg_postmaster_start_time()"), up)
        self.assertEqual(self.sql(d, "SELECT x FROM t", database="shop"), "7")
        # The master's password.
        self.rds.modify_db_instance(DBInstanceIdentifier="life", MasterUserPassword="another-horse-8")
        self.assertTrue(wait_until(lambda: self.inside("psql", self.url(d, password="another-horse-8"), "-c", "SELECT 1").returncode == 0, 30))
        self.assertNotEqual(self.inside("psql", self.url(d), "-c", "SELECT 1").returncode, 0)
        new = {"password": "another-horse-8"}
        # Parameters: dynamic ones at once, static ones with the restart.
        self.rds.create_db_parameter_group(DBParameterGroupName="pg", DBParameterGroupFamily="postgres15", Description="d")
        self.rds.modify_db_instance(DBInstanceIdentifier="life", DBParameterGroupName="pg", ApplyImmediately=True)
        status = lambda: self.describe("life")["DBParameterGroups"][0]["ParameterApplyStatus"]
        self.assertEqual(status(), "pending-reboot")
        self.rds.reboot_db_instance(DBInstanceIdentifier="life")
        self.until("life")
        self.assertEqual(status(), "in-sync")
        self.rds.modify_db_parameter_group(DBParameterGroupName="pg", Parameters=[
            {"ParameterName": "work_mem", "ParameterValue": "12345", "ApplyMethod": "immediate"},
            {"ParameterName": "max_connections", "ParameterValue": "77", "ApplyMethod": "pending-reboot"}])
        self.assertTrue(wait_until(lambda: self.sql(d, "SHOW work_mem", **new) == "12345kB", 30))
        self.assertTrue(wait_until(lambda: status() == "pending-reboot", 30))
        self.assertNotEqual(self.sql(d, "SHOW max_connections", **new), "77")
        self.rds.reboot_db_instance(DBInstanceIdentifier="life")
        self.until("life")
        self.assertEqual((self.sql(d, "SHOW max_connections", **new), status()), ("77", "in-sync"))
        # Logs.
        self.inside("psql", self.url(d, **new), "-c", "SELECT no_such_thing")
        logs = [f["LogFileName"] for f in self.rds.describe_db_log_files(DBInstanceIdentifier="life")["DescribeDBLogFiles"]]
        text = "".join(self.rds.download_db_log_file_portion(DBInstanceIdentifier="life", LogFileName=f, Marker="0")["LogFileData"] for f in logs)
        self.assertIn('column "no_such_thing" does not exist', text)
        self.assertNotIn("SCRAM-SHA-256", text)
        self.refused("DBLogFileNotFoundFault", self.rds.download_db_log_file_portion, DBInstanceIdentifier="life",
                     LogFileName="error/../data/pg_hba.conf")
        # Stopped and started.
        self.rds.stop_db_instance(DBInstanceIdentifier="life")
        self.until("life", "stopped")
        self.assertNotEqual(self.inside("psql", self.url(d, **new), "-c", "SELECT 1").returncode, 0)
        self.refused("InvalidDBInstanceState", self.rds.reboot_db_instance, DBInstanceIdentifier="life")
        self.rds.start_db_instance(DBInstanceIdentifier="life")
        self.until("life")
        self.assertEqual(self.sql(d, "SELECT x FROM t", database="shop", **new), "7")
        # A class is changed in the maintenance window, or at once.
        m = self.rds.modify_db_instance(DBInstanceIdentifier="life", DBInstanceClass="db.t3.small")["DBInstance"]
        self.assertEqual(m["PendingModifiedValues"]["DBInstanceClass"], "db.t3.small")
        self.assertEqual(self.describe("life")["DBInstanceClass"], "db.t3.micro")
        subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "8d"], check=True, capture_output=True)
        self.assertTrue(wait_until(lambda: self.describe("life")["DBInstanceClass"] == "db.t3.small", 60))
        self.until("life")
        # Deletion.
        self.refused("InvalidParameterCombination", self.rds.delete_db_instance, DBInstanceIdentifier="life", SkipFinalSnapshot=True)
        self.rds.modify_db_instance(DBInstanceIdentifier="life", DeletionProtection=False)
        self.refused("InvalidParameterCombination", self.rds.delete_db_instance, DBInstanceIdentifier="life")
        self.rds.delete_db_instance(DBInstanceIdentifier="life", FinalDBSnapshotIdentifier="last")
        self.until("life", "gone")
        [s] = self.rds.describe_db_snapshots(DBSnapshotIdentifier="last")["DBSnapshots"]
        self.assertEqual((s["Status"], s["SnapshotType"], s["DBInstanceIdentifier"]), ("available", "manual", "life"))
        messages = [e["Message"] for e in self.rds.describe_events(SourceType="db-instance", SourceIdentifier="life", Duration=20000)["Events"]]
        for m in ("DB instance created", "DB instance restarted", "DB instance stopped", "DB instance deleted"):
            self.assertIn(m, messages)
        self.rds.delete_db_snapshot(DBSnapshotIdentifier="last")
        self.assertTrue(wait_until(lambda: os.listdir(os.path.join(self.virga.data, "rds")) == ["template"], 30),
                        os.listdir(os.path.join(self.virga.data, "rds")))
        self.assertTrue(wait_until(lambda: self.namespace(eni["NetworkInterfaceId"]) is None, 30))

    def test_public(self):
        self.ec2.authorize_security_group_ingress(GroupId=self.db, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 6000, "ToPort": 6000, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        d = self.create("public", PubliclyAccessible=True, Port=6000, MasterUserPassword=None, ManageMasterUserPassword=True)
        self.assertRegex(d["Endpoint"]["Address"], r"^127\.")
        secrets = self.virga.client("secretsmanager")
        secret = lambda: json.loads(secrets.get_secret_value(SecretId=d["MasterUserSecret"]["SecretArn"])["SecretString"])
        first = secret()
        self.assertEqual(first["username"], "boss")
        self.assertTrue(wait_until(lambda: self.outside("psql", self.url(d, password=first["password"]), "-c", "SELECT 1").returncode == 0, 30))
        self.rds.modify_db_instance(DBInstanceIdentifier="public", RotateMasterUserPassword=True, ApplyImmediately=True)
        self.assertTrue(wait_until(lambda: secret() != first, 30))
        self.assertTrue(wait_until(lambda: self.outside("psql", self.url(d, password=secret()["password"]), "-c", "SELECT 1").returncode == 0, 30))
        self.assertNotEqual(self.outside("psql", self.url(d, password=first["password"]), "-c", "SELECT 1").returncode, 0)
        self.rds.reboot_db_instance(DBInstanceIdentifier="public")
        self.until("public")
        password = secret()["password"]
        self.url = lambda d, password=password, **kw: Servers.url(self, d, password=password, **kw)
        self.assertTrue(wait_until(lambda: self.outside("psql", self.url(d), "-c", "SELECT 1").returncode == 0, 30))
        big = self.sql(d, "SELECT length(repeat('x', 3000000)), repeat('y', 1000000)", run=self.outside)
        self.assertEqual((big[:8], len(big)), ("3000000|", 1000008))
        self.virga.restart()
        self.assertTrue(wait_until(lambda: self.outside("psql", self.url(d), "-c", "SELECT 1").returncode == 0, 30))
        self.ec2.revoke_security_group_ingress(GroupId=self.db, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 6000, "ToPort": 6000, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        self.assertTrue(wait_until(lambda: self.outside("psql", self.url(d), "-c", "SELECT 1").returncode != 0, 30))
        self.rds.modify_db_instance(DBInstanceIdentifier="public", PubliclyAccessible=False)
        self.assertTrue(self.describe("public")["Endpoint"]["Address"].endswith(".rds.amazonaws.com"))
        self.rds.modify_db_instance(DBInstanceIdentifier="public", PubliclyAccessible=True)
        self.assertEqual(self.describe("public")["Endpoint"], d["Endpoint"])
        self.delete("public")
        self.assertNotEqual(self.outside("psql", self.url(d), "-c", "SELECT 1").returncode, 0)

    # ── Multi-AZ ──

    WRITE = """
i=0
while [ ! -e "$2" ]; do
  i=$((i + 1))
  if psql "$1" -qXc "INSERT INTO w VALUES ($i)" 2>/dev/null; then echo $i $(date +%s%N); fi
done
"""

    def server(self, d):
        """The process of the server that answers."""
        [eni] = [n for n in self.ec2.describe_network_interfaces(Filters=[
            {"Name": "requester-id", "Values": ["amazon-rds"]}, {"Name": "availability-zone", "Values": [d["AvailabilityZone"]]},
            {"Name": "group-id", "Values": [self.db]}])["NetworkInterfaces"]]
        pids = subprocess.run(["ip", "netns", "pids", self.namespace(eni["NetworkInterfaceId"])], capture_output=True, text=True).stdout.split()

        def parent(pid):
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                return f.read().startswith(b"/usr/lib/postgresql/")
        [pid] = [int(p) for p in pids if parent(p)]
        return pid

    def whole(self, i):
        """Until a standby is there that may take over."""
        self.assertTrue(wait_until(lambda: "SecondaryAvailabilityZone" in self.describe(i), 120), self.virga.read_log()[-3000:])
        return self.describe(i)

    def test_multi_az(self):
        began = time.monotonic()
        d = self.create("pair", MultiAZ=True)
        print(f"Multi-AZ available after {time.monotonic() - began:.2f} s")
        self.assertNotEqual(d["AvailabilityZone"], d["SecondaryAvailabilityZone"])
        self.sql(d, "CREATE TABLE w (i int)")
        stop, told = (os.path.join(self.virga.folder, n) for n in ("stop", "told"))
        with open(told, "w") as f:
            writer = subprocess.Popen(["ip", "netns", "exec", self.namespace(self.host), "sh", "-c",
                                       f"mount --bind {self.virga.folder}/resolv.conf /etc/resolv.conf && {self.WRITE}", "sh",
                                       self.url(d).replace("connect_timeout=3", "connect_timeout=2"), stop], stdout=f)
        def answered():
            with open(told) as f:
                return [tuple(map(int, line.split())) for line in f if line.endswith("\n")]
        try:
            self.assertTrue(wait_until(lambda: len(answered()) > 10, 60))
            killed = time.time_ns()
            os.kill(self.server(d), 9)
            self.assertTrue(wait_until(lambda: answered()[-1][1] > killed + 500_000_000 and self.describe("pair")["AvailabilityZone"] != d["AvailabilityZone"], 60),
                            self.virga.read_log()[-3000:])
            first = next(t for _, t in answered() if t > killed + 50_000_000 and t > killed)
            e = self.whole("pair")
            self.assertEqual((e["AvailabilityZone"], e["Endpoint"]), (d["SecondaryAvailabilityZone"], d["Endpoint"]))
            # Again, on request; and by the failure of a zone (not of the one from which we look).
            if e["AvailabilityZone"] == "us-east-1a":
                self.rds.reboot_db_instance(DBInstanceIdentifier="pair", ForceFailover=True)
                e = self.until("pair")
                self.assertEqual(e["AvailabilityZone"], "us-east-1b")
                self.whole("pair")
            fault = lambda state: subprocess.run([BINARY, "fault", "--endpoint", self.virga.endpoint, "az", "us-east-1b", state],
                                                 check=True, capture_output=True)
            fault("down")
            self.assertTrue(wait_until(lambda: self.describe("pair")["AvailabilityZone"] == "us-east-1a", 60))
            n = answered()[-1][0]
            self.assertTrue(wait_until(lambda: answered()[-1][0] > n + 3, 60))
            self.assertNotIn("SecondaryAvailabilityZone", self.describe("pair"))
            fault("up")
            self.whole("pair")
        finally:
            open(stop, "w").close()
            writer.wait(60)
        said = answered()
        kept = set(map(int, self.sql(d, "SELECT i FROM w").split()))
        self.assertEqual([i for i, _ in said if i not in kept], [], "rows that were answered are lost")
        print(f"{len(said)} writes, none lost; {(first - killed) / 1e9:.2f} s from kill -9 to the next write")
        messages = [x["Message"] for x in self.rds.describe_events(SourceType="db-instance", SourceIdentifier="pair")["Events"]]
        self.assertIn("Multi-AZ instance failover completed", messages)
        self.delete("pair")

    # ── backups and replicas ──

    def test_backups(self):
        d = self.create("source", DBName="shop", BackupRetentionPeriod=3)
        subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "1h"], check=True, capture_output=True)
        self.sql(d, "CREATE TABLE t (x text); INSERT INTO t VALUES ('snap')", database="shop")
        self.rds.create_db_snapshot(DBInstanceIdentifier="source", DBSnapshotIdentifier="one")
        self.until("source")
        snapshot = lambda n: self.rds.describe_db_snapshots(DBSnapshotIdentifier=n)["DBSnapshots"][0]
        self.assertTrue(wait_until(lambda: snapshot("one")["Status"] == "available", 60))
        self.rds.copy_db_snapshot(SourceDBSnapshotIdentifier="one", TargetDBSnapshotIdentifier="two")
        self.assertTrue(wait_until(lambda: snapshot("two")["Status"] == "available", 60))
        self.refused("DBSnapshotAlreadyExists", self.rds.create_db_snapshot, DBInstanceIdentifier="source", DBSnapshotIdentifier="one")
        other = self.virga.client("rds", key="222222222222")
        arn = snapshot("two")["DBSnapshotArn"]
        self.assertEqual(other.describe_db_snapshots(SnapshotType="shared")["DBSnapshots"], [])
        self.rds.modify_db_snapshot_attribute(DBSnapshotIdentifier="two", AttributeName="restore", ValuesToAdd=["222222222222"])
        a = self.rds.describe_db_snapshot_attributes(DBSnapshotIdentifier="two")["DBSnapshotAttributesResult"]["DBSnapshotAttributes"]
        self.assertEqual(a, [{"AttributeName": "restore", "AttributeValues": ["222222222222"]}])
        self.assertEqual([s["DBSnapshotIdentifier"] for s in other.describe_db_snapshots(SnapshotType="shared")["DBSnapshots"]], [arn])
        self.assertTrue(wait_until(lambda: "LatestRestorableTime" in self.describe("source"), 60))
        [auto] = self.rds.describe_db_snapshots(DBInstanceIdentifier="source", SnapshotType="automated")["DBSnapshots"]
        self.assertTrue(auto["DBSnapshotIdentifier"].startswith("rds:source-"))
        [b] = self.rds.describe_db_instance_automated_backups(DBInstanceIdentifier="source")["DBInstanceAutomatedBackups"]
        self.assertEqual(b["Status"], "active")
        # A moment, by virga's clock: whole seconds, as the API takes them.
        now = lambda: datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        self.sql(d, "INSERT INTO t VALUES ('before')", database="shop")
        time.sleep(2)
        moment = now().replace(microsecond=0)
        time.sleep(1.1)
        self.sql(d, "DELETE FROM t; INSERT INTO t VALUES ('after')", database="shop")
        self.refused("InvalidRestoreFault", self.rds.restore_db_instance_to_point_in_time, SourceDBInstanceIdentifier="source",
                     TargetDBInstanceIdentifier="x", RestoreTime=now() - datetime.timedelta(days=2))
        kw = {"VpcSecurityGroupIds": [self.db], "PubliclyAccessible": False}
        self.rds.restore_db_instance_to_point_in_time(SourceDBInstanceIdentifier="source", TargetDBInstanceIdentifier="then",
                                                      RestoreTime=moment, **kw)
        self.rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="copy", DBSnapshotIdentifier="two", DBSubnetGroupName="dbs", **kw)
        self.rds.create_db_instance_read_replica(DBInstanceIdentifier="reader", SourceDBInstanceIdentifier="source", PubliclyAccessible=False)
        rows = lambda i: self.sql(self.describe(i), "SELECT x FROM t ORDER BY x", database="shop").split()
        self.until("then")
        self.assertEqual(rows("then"), ["before", "snap"])
        self.sql(self.describe("then"), "INSERT INTO t VALUES ('more')", database="shop")
        self.until("copy")
        self.assertEqual(rows("copy"), ["snap"])
        r = self.until("reader")
        self.assertEqual(r["ReadReplicaSourceDBInstanceIdentifier"], "source")
        self.assertEqual(self.describe("source")["ReadReplicaDBInstanceIdentifiers"], ["reader"])
        self.sql(d, "INSERT INTO t VALUES ('followed')", database="shop")
        self.assertTrue(wait_until(lambda: rows("reader") == ["after", "followed"], 30))
        write = self.inside("psql", self.url(r, database="shop"), "-c", "DELETE FROM t")
        self.assertIn("read-only transaction", write.stderr)
        self.rds.promote_read_replica(DBInstanceIdentifier="reader")
        self.until("reader", "modifying", 10) if self.describe("reader")["DBInstanceStatus"] != "available" else None
        r = self.until("reader")
        self.assertNotIn("ReadReplicaSourceDBInstanceIdentifier", r)
        self.sql(r, "INSERT INTO t VALUES ('own')", database="shop")
        self.assertEqual((rows("reader"), rows("source")), (["after", "followed", "own"], ["after", "followed"]))
        [ca] = self.rds.describe_certificates()["Certificates"]
        with open(os.path.join(self.virga.data, "ca.pem")) as f:
            authority = f.name
        sure = self.inside("psql", self.url(d) + f"&sslmode=verify-full&sslrootcert={authority}", "-Atc", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        self.assertEqual((sure.stdout.strip(), ca["CertificateIdentifier"]), ("t", d["CACertificateIdentifier"]), sure.stderr)
        self.assertIn("no encryption", self.inside("psql", self.url(d) + "&sslmode=disable", "-c", "SELECT 1").stderr)
        self.delete("then", "copy", "reader", "source")
        for n in ("one", "two"):
            self.rds.delete_db_snapshot(DBSnapshotIdentifier=n)


if __name__ == "__main__":
    unittest.main()
