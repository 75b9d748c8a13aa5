"""RDS: the control plane, which needs no root; and real PostgreSQL servers, where virga runs as root: made, reached through the VPC
and from this machine, changed, stopped, deleted."""
import datetime
import json
import os
import subprocess
import time
import unittest

from rds_case import PASSWORD, Case, Servers
from virga import BINARY, wait_until

NEEDS_BOTO3 = (1, 40)


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
        self.assertEqual(names, {"opt", "default:postgres-15", "default:mariadb-10-11", "default:aurora-postgresql-15"})
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
                ("InvalidParameterCombination", {"ManageMasterUserPassword": True}), ("NotImplemented", {"EnablePerformanceInsights": True}),
                ("InvalidParameterValue", {"VpcSecurityGroupIds": ["sg-0123456789abcdef0"]})):
            self.refused(code, self.rds.create_db_instance, **{**kw, **change})
        self.assertEqual(self.rds.describe_db_instances()["DBInstances"], [])
        self.assertEqual([n for n in self.ec2.describe_network_interfaces()["NetworkInterfaces"] if n.get("RequesterId") == "amazon-rds"], [])
        self.refused("DBInstanceNotFound", self.describe, "db1")
        self.refused("DBInstanceNotFound", self.rds.delete_db_instance, DBInstanceIdentifier="db1", SkipFinalSnapshot=True)


@unittest.skipIf(os.geteuid() != 0, "servers need root")


class Life(Servers):
    def test_life(self):
        began = time.monotonic()
        d = self.create("life", DBName="shop", Tags=[{"Key": "team", "Value": "a"}], DeletionProtection=True, EnableCloudwatchLogsExports=["postgresql"])
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
        # The same in CloudWatch Logs, and metrics of what stands.
        logs, cw = self.virga.client("logs"), self.virga.client("cloudwatch")
        self.assertEqual(self.describe("life")["EnabledCloudwatchLogsExports"], ["postgresql"])

        def exported():
            try:
                events = logs.get_log_events(logGroupName="/aws/rds/instance/life/postgresql", logStreamName="life.0", startFromHead=True)["events"]
            except logs.exceptions.ResourceNotFoundException:
                return False
            return any('column "no_such_thing" does not exist' in e["message"] for e in events)
        self.assertTrue(wait_until(exported, 60, 0.2), self.virga.read_log()[-3000:])
        self.rds.modify_db_instance(DBInstanceIdentifier="life", CloudwatchLogsExportConfiguration={"DisableLogTypes": ["postgresql"]})
        self.assertNotIn("EnabledCloudwatchLogsExports", self.describe("life"))
        self.refused("InvalidParameterCombination", self.rds.modify_db_instance, DBInstanceIdentifier="life",
                     CloudwatchLogsExportConfiguration={"EnableLogTypes": ["audit"]})

        def metrics():
            subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "61s"], check=True, capture_output=True)
            found = cw.list_metrics(Namespace="AWS/RDS", Dimensions=[{"Name": "DBInstanceIdentifier", "Value": "life"}])["Metrics"]
            return {"CPUUtilization", "DatabaseConnections", "FreeStorageSpace", "FreeableMemory"} <= {m["MetricName"] for m in found}
        self.assertTrue(wait_until(metrics, 60, 0.5), self.virga.read_log()[-3000:])
        now = datetime.datetime.now(datetime.timezone.utc)
        [free] = cw.get_metric_data(StartTime=now - datetime.timedelta(hours=1), EndTime=now + datetime.timedelta(hours=2), MetricDataQueries=[
            {"Id": "free", "MetricStat": {"Metric": {"Namespace": "AWS/RDS", "MetricName": "FreeStorageSpace", "Dimensions": [
                {"Name": "DBInstanceIdentifier", "Value": "life"}]}, "Period": 60, "Stat": "Average"}}])["MetricDataResults"]
        self.assertTrue(free["Values"] and all(19 << 30 < v < 20 << 30 for v in free["Values"]), free)
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
        left = lambda: [n for n in os.listdir(os.path.join(self.virga.data, "rds")) if n.startswith(("db-", "snap-"))]
        self.assertTrue(wait_until(lambda: left() == [], 30), left())
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


if __name__ == "__main__":
    unittest.main()
