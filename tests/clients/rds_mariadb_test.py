"""RDS for MariaDB: real servers, made, reached through the VPC by pymysql, changed, stopped, deleted."""
import os
import subprocess
import time
import unittest

from mariadb_case import MariaServers
from rds_case import PASSWORD, Case
from virga import BINARY, wait_until

NEEDS_BOTO3 = (1, 40)


class Records(Case):
    @classmethod
    def setUpClass(cls):
        cls.begin("--simulated")

    def test_offers(self):
        [v] = self.rds.describe_db_engine_versions(Engine="mariadb")["DBEngineVersions"]
        self.assertEqual((v["MajorEngineVersion"], v["DBParameterGroupFamily"]), ("10.11", "mariadb10.11"))
        self.assertEqual(v["ExportableLogTypes"], ["audit", "error", "general", "slowquery"])
        o = self.rds.describe_orderable_db_instance_options(Engine="mariadb", DBInstanceClass="db.t3.micro")["OrderableDBInstanceOptions"]
        self.assertEqual({x["LicenseModel"] for x in o}, {"general-public-license"})
        d = self.rds.describe_engine_default_parameters(DBParameterGroupFamily="mariadb10.11")["EngineDefaults"]
        self.assertEqual((d["DBParameterGroupFamily"], len(d["Parameters"])), ("mariadb10.11", 100))

    def test_groups(self):
        self.rds.create_db_parameter_group(DBParameterGroupName="my", DBParameterGroupFamily="mariadb10.11", Description="d")
        change = lambda name, value, method="immediate": self.rds.modify_db_parameter_group(DBParameterGroupName="my", Parameters=[
            {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}])
        change("max_connections", "50")
        change("sql_mode", "STRICT_ALL_TABLES,NO_ZERO_DATE")
        self.refused("InvalidParameterCombination", change, "performance_schema", "1")
        for name, value in (("max_connections", "0"), ("binlog_format", "TEXT"), ("datadir", "/tmp"), ("work_mem", "8192")):
            self.refused("InvalidParameterValue", change, name, value, "pending-reboot")
        kw = {"DBInstanceIdentifier": "m", "DBInstanceClass": "db.t3.micro", "Engine": "mariadb", "AllocatedStorage": 20,
              "MasterUsername": "admin", "MasterUserPassword": PASSWORD}
        for code, change in (("InvalidParameterValue", {"MasterUsername": "root"}), ("InvalidParameterValue", {"MasterUsername": "a" * 17}),
                             ("InvalidParameterCombination", {"EngineVersion": "10.6"}),
                             ("InvalidParameterCombination", {"DBParameterGroupName": "default.postgres15"}),
                             ("InvalidParameterCombination", {"EnableCloudwatchLogsExports": ["postgresql"]}),
                             ("NotImplemented", {"EnableIAMDatabaseAuthentication": True})):
            self.refused(code, self.rds.create_db_instance, **{**kw, **change})
        d = self.rds.create_db_instance(**kw, EngineVersion="10.11.6", DBParameterGroupName="my")["DBInstance"]
        self.assertEqual((d["EngineVersion"], d["LicenseModel"]), ("10.11.19", "general-public-license"))
        self.assertEqual(d["OptionGroupMemberships"][0]["OptionGroupName"], "default:mariadb-10-11")
        self.assertEqual(self.until("m")["Endpoint"]["Port"], 3306)


@unittest.skipIf(os.geteuid() != 0, "servers need root")
class Life(MariaServers):
    def test_life(self):
        began = time.monotonic()
        d = self.create("life", DBName="shop", DeletionProtection=True, EnableCloudwatchLogsExports=["error", "slowquery"])
        print(f"available after {time.monotonic() - began:.2f} s")
        self.assertEqual((d["Engine"], d["EngineVersion"].rsplit(".", 1)[0], d["Endpoint"]["Port"]), ("mariadb", "10.11", 3306))
        self.assertEqual(self.rows(d, "CREATE TABLE t (x INT)", "INSERT INTO t VALUES (7)", "SELECT x FROM t", database="shop"), [[7]])
        said, what = self.ask(d, "SELECT 1", password="nonsense-9")
        self.assertEqual((said, what[0]), ("error", 1045))
        # The master user: all that RDS gives it, and no more.
        self.rows(d, "CREATE USER jane IDENTIFIED BY 'pw'", "GRANT ALL PRIVILEGES ON shop.* TO jane")
        self.assertEqual(self.ask(d, "SET GLOBAL max_connections = 1")[0], "error")
        self.assertEqual(self.rows(d, "SELECT x FROM t", database="shop", user="jane", password="pw"), [[7]])
        # TLS by virga's authority, for the endpoint's name.
        ca = os.path.join(self.virga.folder, "authority.pem")
        with open(ca, "wb") as f:
            f.write(self.virga.get("/_virga/ca")[2])
        self.assertTrue(self.rows(d, "SHOW STATUS LIKE 'Ssl_cipher'", ca=ca)[0][1].startswith("TLS_"))
        # A crash of virga is not the database's.
        up = lambda: self.rows(d, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME'")[0][0]
        before = int(up())
        self.virga.restart()
        self.assertGreaterEqual(int(up()), before)
        # The master's password.
        self.rds.modify_db_instance(DBInstanceIdentifier="life", MasterUserPassword="another-horse-8")
        new = {"password": "another-horse-8"}
        self.assertTrue(wait_until(lambda: self.serves(d, **new), 30))
        self.assertFalse(self.serves(d))
        # Parameters: dynamic ones at once, static ones with the restart.
        self.rds.create_db_parameter_group(DBParameterGroupName="my", DBParameterGroupFamily="mariadb10.11", Description="d")
        self.rds.modify_db_instance(DBInstanceIdentifier="life", DBParameterGroupName="my", ApplyImmediately=True)
        status = lambda: self.describe("life")["DBParameterGroups"][0]["ParameterApplyStatus"]
        self.assertEqual(status(), "pending-reboot")
        self.rds.reboot_db_instance(DBInstanceIdentifier="life")
        self.until("life")
        self.assertEqual(status(), "in-sync")
        value = lambda name: self.rows(d, f"SELECT @@GLOBAL.{name}", **new)[0][0]
        self.rds.modify_db_parameter_group(DBParameterGroupName="my", Parameters=[
            {"ParameterName": "long_query_time", "ParameterValue": "3.5", "ApplyMethod": "immediate"},
            {"ParameterName": "sql_mode", "ParameterValue": "ANSI_QUOTES", "ApplyMethod": "immediate"},
            {"ParameterName": "performance_schema", "ParameterValue": "1", "ApplyMethod": "pending-reboot"}])
        self.assertTrue(wait_until(lambda: (value("long_query_time"), value("sql_mode")) == (3.5, "ANSI_QUOTES"), 30), self.virga.read_log()[-3000:])
        self.assertTrue(wait_until(lambda: status() == "pending-reboot", 30))
        self.assertEqual(value("performance_schema"), 0)
        self.rds.reboot_db_instance(DBInstanceIdentifier="life")
        self.until("life")
        self.assertEqual((value("performance_schema"), value("sql_mode"), status()), (1, "ANSI_QUOTES", "in-sync"))
        self.rds.reset_db_parameter_group(DBParameterGroupName="my", Parameters=[{"ParameterName": "sql_mode", "ApplyMethod": "immediate"}])
        self.assertTrue(wait_until(lambda: "STRICT_TRANS_TABLES" in value("sql_mode"), 30))
        # Logs.
        text = self.rds.download_db_log_file_portion(DBInstanceIdentifier="life", LogFileName="error/mysql-error.log", Marker="0")["LogFileData"]
        self.assertIn("ready for connections", text)
        # The same in CloudWatch Logs: each kind in its group.
        self.rds.modify_db_parameter_group(DBParameterGroupName="my", Parameters=[
            {"ParameterName": n, "ParameterValue": v, "ApplyMethod": "immediate"} for n, v in (
                ("log_output", "FILE"), ("slow_query_log", "1"), ("long_query_time", "0.01"), ("min_examined_row_limit", "0"))])
        self.assertTrue(wait_until(lambda: (value("slow_query_log"), value("long_query_time"), value("log_output")) == (1, 0.01, "FILE"), 30))
        self.rows(d, "SELECT 'the slow one', SLEEP(0.2)", **new)
        logs = self.virga.client("logs")

        def exported(group, text):
            try:
                events = logs.get_log_events(logGroupName=f"/aws/rds/instance/life/{group}", logStreamName="life", startFromHead=True)["events"]
            except logs.exceptions.ResourceNotFoundException:
                return False
            return any(text in e["message"] for e in events)
        self.assertTrue(wait_until(lambda: exported("error", "ready for connections") and exported("slowquery", "the slow one"), 60, 0.2),
                        self.virga.read_log()[-3000:])
        names = {f["LogFileName"] for f in self.rds.describe_db_log_files(DBInstanceIdentifier="life")["DescribeDBLogFiles"]}
        self.assertLessEqual({"error/mysql-error.log", "slowquery/mysql-slowquery.log"}, names)
        slow = self.rds.download_db_log_file_portion(DBInstanceIdentifier="life", LogFileName="slowquery/mysql-slowquery.log", Marker="0")
        self.assertIn("the slow one", slow["LogFileData"])
        # Metrics of what stands.
        cw = self.virga.client("cloudwatch")

        def metrics():
            subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "61s"], check=True, capture_output=True)
            found = cw.list_metrics(Namespace="AWS/RDS", Dimensions=[{"Name": "DBInstanceIdentifier", "Value": "life"}])["Metrics"]
            return {"CPUUtilization", "DatabaseConnections", "FreeStorageSpace", "FreeableMemory", "BinLogDiskUsage"} <= {
                m["MetricName"] for m in found}
        self.assertTrue(wait_until(metrics, 60, 0.5), self.virga.read_log()[-3000:])
        # Stopped and started; a session ended by the procedure that RDS has for it.
        self.rds.stop_db_instance(DBInstanceIdentifier="life")
        self.until("life", "stopped")
        self.assertFalse(self.serves(d, **new))
        self.rds.start_db_instance(DBInstanceIdentifier="life")
        self.until("life")
        self.assertEqual(self.rows(d, "SELECT x FROM t", database="shop", **new), [[7]])
        said, what = self.ask(d, "CALL mysql.rds_kill(CONNECTION_ID())", **new)
        self.assertEqual(said, "error", what)
        # Deletion, with a snapshot that has it all.
        self.rds.modify_db_instance(DBInstanceIdentifier="life", DeletionProtection=False)
        self.rds.delete_db_instance(DBInstanceIdentifier="life", FinalDBSnapshotIdentifier="last")
        self.until("life", "gone")
        [s] = self.rds.describe_db_snapshots(DBSnapshotIdentifier="last")["DBSnapshots"]
        self.assertEqual((s["Status"], s["Engine"]), ("available", "mariadb"))
        self.rds.delete_db_snapshot(DBSnapshotIdentifier="last")
        left = lambda: [n for n in os.listdir(os.path.join(self.virga.data, "rds")) if n.startswith(("db-", "snap-"))]
        self.assertTrue(wait_until(lambda: left() == [], 30), left())


if __name__ == "__main__":
    unittest.main()
