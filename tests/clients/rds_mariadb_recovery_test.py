"""RDS for MariaDB: snapshots, moments, replicas, and what happens when a server or a zone is lost."""
import datetime
import os
import signal
import subprocess
import threading
import time
import unittest

from mariadb_case import MariaServers
from virga import BINARY, wait_until

NEEDS_BOTO3 = (1, 40)


@unittest.skipIf(os.geteuid() != 0, "servers need root")
class Recovery(MariaServers):
    def available(self, name):
        self.assertTrue(wait_until(lambda: self.rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]["Status"] == "available", 90),
                        self.virga.read_log()[-3000:])

    def test_snapshots_and_moments(self):
        d = self.create("one", DBName="shop")
        shop = {"database": "shop"}
        self.rows(d, "CREATE TABLE t (x INT)", "INSERT INTO t VALUES (1)", **shop)
        restorable = lambda: "LatestRestorableTime" in self.describe("one")
        self.assertTrue(wait_until(restorable, 90), self.virga.read_log()[-3000:])
        self.rds.create_db_snapshot(DBInstanceIdentifier="one", DBSnapshotIdentifier="s1")
        self.available("s1")
        self.rows(d, "INSERT INTO t VALUES (2)", **shop)
        self.rds.copy_db_snapshot(SourceDBSnapshotIdentifier="s1", TargetDBSnapshotIdentifier="s2")
        self.available("s2")
        # A mistake, two seconds after a moment when all was well.
        time.sleep(1.1)
        moment = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        time.sleep(1.1)
        self.rows(d, "DELETE FROM t", "INSERT INTO t VALUES (3)", **shop)
        kw = {"DBSubnetGroupName": "dbs", "VpcSecurityGroupIds": [self.db], "PubliclyAccessible": False}
        self.rds.restore_db_instance_to_point_in_time(SourceDBInstanceIdentifier="one", TargetDBInstanceIdentifier="then", RestoreTime=moment, **kw)
        self.rds.restore_db_instance_to_point_in_time(SourceDBInstanceIdentifier="one", TargetDBInstanceIdentifier="now", UseLatestRestorableTime=True, **kw)
        self.rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="copy", DBSnapshotIdentifier="s2", **kw)
        found = {i: self.rows(self.until(i), "SELECT x FROM t ORDER BY x", **shop) for i in ("copy", "then", "now")}
        self.assertEqual(found, {"copy": [[1]], "then": [[1], [2]], "now": [[3]]})
        # What was restored goes on by itself, and is backed up itself.
        self.rows(self.describe("then"), "INSERT INTO t VALUES (4)", **shop)
        self.assertTrue(wait_until(lambda: "LatestRestorableTime" in self.describe("then"), 90), self.virga.read_log()[-3000:])
        # Backups off and on: the log ends and begins with a restart.
        logged = lambda: self.ask(d, "SELECT @@GLOBAL.log_bin")[1]
        for days, on in ((0, 0), (1, 1)):
            self.rds.modify_db_instance(DBInstanceIdentifier="one", BackupRetentionPeriod=days, ApplyImmediately=True)
            self.assertTrue(wait_until(lambda: logged() == [[on]], 60, 0.2), self.virga.read_log()[-3000:])
            self.until("one")
        self.assertTrue(wait_until(restorable, 90), self.virga.read_log()[-3000:])
        self.delete("then", "now", "copy", "one")
        for s in ("s1", "s2"):
            self.rds.delete_db_snapshot(DBSnapshotIdentifier=s)

    def test_replica(self):
        d = self.create("source", DBName="shop")
        shop = {"database": "shop"}
        self.rows(d, "CREATE TABLE t (x INT)", "INSERT INTO t VALUES (1)", **shop)
        self.rds.create_db_instance_read_replica(DBInstanceIdentifier="replica", SourceDBInstanceIdentifier="source", PubliclyAccessible=False)
        r = self.until("replica")
        self.assertEqual(self.rows(r, "SELECT x FROM t", **shop), [[1]])
        self.rows(d, "INSERT INTO t VALUES (2)", **shop)
        has = lambda n: len(self.rows(r, "SELECT x FROM t", **shop)) == n
        self.assertTrue(wait_until(lambda: has(2), 30), self.virga.read_log()[-3000:])
        self.assertEqual(self.ask(r, "INSERT INTO t VALUES (9)", **shop)[0], "error")
        # It goes on after a crash of virga.
        self.virga.restart()
        self.rows(d, "INSERT INTO t VALUES (3)", **shop)
        self.assertTrue(wait_until(lambda: has(3), 60), self.virga.read_log()[-3000:])
        self.assertEqual(self.describe("source")["ReadReplicaDBInstanceIdentifiers"], ["replica"])
        self.rds.promote_read_replica(DBInstanceIdentifier="replica")
        self.until("replica")
        self.assertTrue(wait_until(lambda: self.ask(r, "INSERT INTO t VALUES (4)", **shop)[0] == "ok", 30))
        self.assertEqual(len(self.rows(d, "SELECT x FROM t", **shop)), 3)
        self.assertEqual(self.describe("source")["ReadReplicaDBInstanceIdentifiers"], [])
        self.delete("replica", "source")

    def test_failover(self):
        d = self.create("two", DBName="shop", MultiAZ=True)
        d = self.whole("two")
        self.rows(d, "CREATE TABLE t (x INT PRIMARY KEY)", database="shop")
        answered, end = [], threading.Event()

        def write():
            n = 0
            while not end.is_set():
                n += 1
                if self.ask(d, f"INSERT INTO t VALUES ({n})", database="shop")[0] == "ok":
                    answered.append(n)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            self.assertTrue(wait_until(lambda: len(answered) >= 3, 60))
            zone = self.describe("two")["AvailabilityZone"]
            os.kill(self.server(self.describe("two"), b"/usr/sbin/mariadbd"), signal.SIGKILL)
            began, so_far = time.monotonic(), len(answered)
            self.assertTrue(wait_until(lambda: len(answered) >= so_far + 3, 90, 0.01), self.virga.read_log()[-3000:])
            print(f"kill -9 to the third next write {time.monotonic() - began:.2f} s")
            self.assertTrue(wait_until(lambda: self.describe("two")["AvailabilityZone"] != zone, 30))
            self.whole("two")
            self.rds.reboot_db_instance(DBInstanceIdentifier="two", ForceFailover=True)
            self.until("two")
            self.assertEqual(self.whole("two")["AvailabilityZone"], zone)
            subprocess.run([BINARY, "fault", "--endpoint", self.virga.endpoint, "az", zone, "down"], check=True, capture_output=True)
            self.assertTrue(wait_until(lambda: self.describe("two")["AvailabilityZone"] != zone, 60), self.virga.read_log()[-3000:])
            subprocess.run([BINARY, "fault", "--endpoint", self.virga.endpoint, "az", zone, "up"], check=True, capture_output=True)
            so_far = len(answered)
            self.assertTrue(wait_until(lambda: len(answered) > so_far, 60), self.virga.read_log()[-3000:])
        finally:
            end.set()
            writer.join()
        there = {x for [x] in self.rows(d, "SELECT x FROM t", database="shop")}
        self.assertLessEqual(set(answered), there)
        self.whole("two")
        self.delete("two")


if __name__ == "__main__":
    unittest.main()
