"""A cluster from outside: tokens instead of passwords, its logs in CloudWatch Logs, its metrics; and that it goes on, and fails over, after
the host agent is killed while it is written to."""
import datetime
import json
import os
import signal
import subprocess
import unittest

from rds_cluster_case import Clusters
from virga import BINARY, wait_until

NEEDS_BOTO3 = (1, 40)


@unittest.skipIf(os.geteuid() != 0, "servers need root")
class Watched(Clusters):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rds.create_db_cluster(DBClusterIdentifier="au", Engine="aurora-postgresql", MasterUsername="boss", MasterUserPassword="correct-horse-7",
                                  DBSubnetGroupName="dbs", VpcSecurityGroupIds=[cls.db], EnableIAMDatabaseAuthentication=True,
                                  EnableCloudwatchLogsExports=["postgresql"])
        for i in ("one", "two"):
            cls.rds.create_db_instance(DBInstanceIdentifier=i, DBClusterIdentifier="au", Engine="aurora-postgresql", DBInstanceClass="db.t3.medium",
                                       PubliclyAccessible=False)

    def setUp(self):
        self.full("au", 2)
        self.writer_at = self.at(self.cluster("au")["Endpoint"])

    def connect(self, address, user, password):
        url = f"postgresql://{user}@{address}:5432/postgres?connect_timeout=10&sslmode=require"
        return self.inside("psql", url, "-AtXqc", "SELECT current_user", env={**os.environ, "PGPASSWORD": password})

    def test_tokens(self):
        c = self.cluster("au")
        self.assertTrue(c["IAMDatabaseAuthenticationEnabled"] and self.describe("one")["IAMDatabaseAuthenticationEnabled"])
        self.sql(self.writer_at, "CREATE USER jane; GRANT rds_iam TO jane")
        iam = self.virga.client("iam")
        iam.create_user(UserName="may")
        iam.put_user_policy(UserName="may", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "rds-db:connect", "Resource": f"arn:aws:rds-db:us-east-1:000000000000:dbuser:{c['DbClusterResourceId']}/jane"}]}))
        k = iam.create_access_key(UserName="may")["AccessKey"]
        may = self.virga.client("rds", key=k["AccessKeyId"], secret=k["SecretAccessKey"])
        token = lambda address: may.generate_db_auth_token(address, 5432, "jane")
        # By the writer's name, the readers', and a member's own.
        for address in (c["Endpoint"], c["ReaderEndpoint"], self.describe("two")["Endpoint"]["Address"]):
            self.assertTrue(wait_until(lambda: self.connect(address, "jane", token(address)).stdout.strip() == "jane", 30), self.virga.read_log()[-3000:])
        self.assertNotEqual(self.connect(c["Endpoint"], "jane", token("other.example.com")).returncode, 0)
        self.assertNotEqual(self.connect(c["Endpoint"], "jane", self.rds.generate_db_auth_token(c["Endpoint"], 5432, "joe")).returncode, 0)
        self.refused("InvalidParameterCombination", self.rds.create_db_instance, DBInstanceIdentifier="x", DBClusterIdentifier="au", Engine="aurora-postgresql",
                     DBInstanceClass="db.t3.medium", EnableIAMDatabaseAuthentication=False)

    def test_logs(self):
        self.assertEqual(self.cluster("au")["EnabledCloudwatchLogsExports"], ["postgresql"])
        logs, group = self.virga.client("logs"), "/aws/rds/cluster/au/postgresql"
        lines = lambda i: [e["message"] for e in logs.get_log_events(logGroupName=group, logStreamName=f"{i}.0", startFromHead=True)["events"]]

        def there(i, what):
            try:
                return any(what in m for m in lines(i))
            except logs.exceptions.ResourceNotFoundException:
                return False
        self.inside("psql", self.url(self.writer_at, password="wrong"), "-c", "SELECT 1")
        led = self.writer("au")
        self.assertTrue(wait_until(lambda: there(led, 'password authentication failed for user "boss"'), 60), self.virga.read_log()[-3000:])
        other = "two" if led == "one" else "one"
        self.assertTrue(wait_until(lambda: there(other, "database system is ready"), 60), self.virga.read_log()[-3000:])
        self.refused("InvalidParameterCombination", self.rds.modify_db_cluster, DBClusterIdentifier="au",
                     CloudwatchLogsExportConfiguration={"EnableLogTypes": ["audit"]})
        self.rds.modify_db_cluster(DBClusterIdentifier="au", CloudwatchLogsExportConfiguration={"DisableLogTypes": ["postgresql"]})
        self.assertNotIn("EnabledCloudwatchLogsExports", self.cluster("au"))

    def test_metrics(self):
        watch = self.virga.client("cloudwatch")

        def of(name, **dimensions):
            now = datetime.datetime.now(datetime.timezone.utc)
            return watch.get_metric_statistics(Namespace="AWS/RDS", MetricName=name, StartTime=now - datetime.timedelta(hours=1),
                                               EndTime=now + datetime.timedelta(hours=6), Period=60, Statistics=["Maximum"],
                                               Dimensions=[{"Name": k, "Value": v} for k, v in dimensions.items()])["Datapoints"]
        def later():
            subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "1m"], check=True, capture_output=True)
        led = self.writer("au")
        other = "two" if led == "one" else "one"
        for name, dimensions in (("DatabaseConnections", {"DBInstanceIdentifier": led}), ("CPUUtilization", {"DBInstanceIdentifier": other}),
                                 ("AuroraReplicaLag", {"DBInstanceIdentifier": other}), ("VolumeBytesUsed", {"DBClusterIdentifier": "au"}),
                                 ("DatabaseConnections", {"DBClusterIdentifier": "au", "Role": "WRITER"}),
                                 ("DatabaseConnections", {"DBClusterIdentifier": "au", "Role": "READER"})):
            # Once a minute; of a server that was started again the first look says nothing of its processors.
            self.assertTrue(wait_until(lambda: of(name, **dimensions) or later(), 60, 1), (name, dimensions))

    def test_backups(self):
        backups = lambda **kw: self.rds.describe_db_cluster_automated_backups(**kw)["DBClusterAutomatedBackups"]
        self.assertTrue(wait_until(lambda: backups(DBClusterIdentifier="au"), 90), self.virga.read_log()[-3000:])
        [b] = backups(DbClusterResourceId=self.cluster("au")["DbClusterResourceId"])
        self.assertEqual((b["Status"], b["DBClusterIdentifier"], b["Port"], b["StorageEncrypted"]), ("active", "au", 5432, False))
        self.assertLessEqual(b["RestoreWindow"]["EarliestTime"], b["RestoreWindow"]["LatestTime"])
        self.assertEqual(backups(DBClusterIdentifier="none"), [])
        known = {(v["Engine"], v["MajorEngineVersion"]) for v in self.rds.describe_db_major_engine_versions()["DBMajorEngineVersions"]}
        self.assertEqual(known, {("postgres", "15"), ("mariadb", "10.11"), ("aurora-postgresql", "15")})

    def test_agent(self):
        """kill -9 of the agent under writes: the servers do not notice, nothing that was answered is lost, and failovers work as before."""
        self.sql(self.writer_at, "CREATE TABLE w (i int)")
        answered, end = self.begin_writing("au")
        agent = self.virga.agent()
        os.kill(agent, signal.SIGKILL)
        self.assertTrue(wait_until(lambda: [a for a in self.virga.children("virga-agent") if a != agent], 60), self.virga.read_log()[-3000:])
        self.goes_on(answered)
        led = self.writer("au")
        os.kill(self.server(self.describe(led)), 9)
        self.assertTrue(wait_until(lambda: self.writer("au") != led, 60), self.virga.read_log()[-3000:])
        self.goes_on(answered)
        # Both at once, with the agent that would have started it again.
        self.full("au", 2)
        led, agent = self.writer("au"), self.virga.agent()
        os.kill(self.server(self.describe(led)), 9)
        os.kill(agent, signal.SIGKILL)
        self.goes_on(answered)
        self.full("au", 2)
        said = end()
        kept = set(map(int, self.sql(self.writer_at, "SELECT i FROM w").split()))
        self.assertEqual([i for i, _ in said if i not in kept], [], "rows that were answered are lost")


if __name__ == "__main__":
    unittest.main()
