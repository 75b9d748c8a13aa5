"""Encrypted storage of MariaDB and of DB clusters: failures, restores, and nothing of it in plain on disk."""
import os
import signal
import unittest

from mariadb_case import MariaServers
from rds_cluster_case import Clusters
from rds_encryption_test import REAL, SECRET, shows
from virga import wait_until

NEEDS_BOTO3 = (1, 40)


@unittest.skipUnless(REAL, "encrypted storage of servers needs root, and FUSE")
class MariaDB(MariaServers):
    def test_mariadb(self):
        d = self.create("shut", DBName="shop", MultiAZ=True, StorageEncrypted=True)
        shop = {"database": "shop"}
        self.rows(d, "CREATE TABLE t (x VARCHAR(100))", f"INSERT INTO t VALUES ('{SECRET}')", "FLUSH TABLES", **shop)
        self.assertTrue(wait_until(lambda: "LatestRestorableTime" in self.describe("shut"), 90), self.virga.read_log()[-3000:])
        kw = {"DBSubnetGroupName": "dbs", "VpcSecurityGroupIds": [self.db], "PubliclyAccessible": False}
        self.rds.restore_db_instance_to_point_in_time(SourceDBInstanceIdentifier="shut", TargetDBInstanceIdentifier="now", UseLatestRestorableTime=True, **kw)
        self.rds.create_db_instance_read_replica(DBInstanceIdentifier="reader", SourceDBInstanceIdentifier="shut", PubliclyAccessible=False)
        for i in ("now", "reader"):
            e = self.until(i)
            self.assertEqual((e["StorageEncrypted"], e["KmsKeyId"]), (True, d["KmsKeyId"]))
            self.assertEqual(self.rows(e, "SELECT x FROM t", **shop), [[SECRET]])
        zone = self.whole("shut")["AvailabilityZone"]
        os.kill(self.server(self.describe("shut"), b"/usr/sbin/mariadbd"), signal.SIGKILL)
        self.assertTrue(wait_until(lambda: self.describe("shut")["AvailabilityZone"] != zone, 150), self.virga.read_log()[-3000:])
        self.assertTrue(wait_until(lambda: self.serves(d), 150), self.virga.read_log()[-3000:])
        self.virga.restart()
        self.rows(d, f"INSERT INTO t VALUES ('{SECRET}-2')", **shop)
        self.assertTrue(wait_until(lambda: len(self.rows(self.describe("reader"), "SELECT x FROM t", **shop)) == 2, 150), self.virga.read_log()[-3000:])
        self.assertEqual(shows(self.virga), [])
        self.delete("now", "reader", "shut")


@unittest.skipUnless(REAL, "encrypted storage of servers needs root, and FUSE")
class Aurora(Clusters):
    def test_cluster(self):
        key = self.virga.client("kms").create_key()["KeyMetadata"]["Arn"]
        made = self.make("au", StorageEncrypted=True, KmsKeyId=key)
        self.assertEqual((made["StorageEncrypted"], made["KmsKeyId"]), (True, key))
        for i in ("one", "two"):
            self.member("au", i)
        self.full("au", 2)
        writer = self.at(self.cluster("au")["Endpoint"])
        self.sql(writer, f"CREATE TABLE t (x text); INSERT INTO t VALUES ('{SECRET}'); CREATE TABLE w (i int); CHECKPOINT")
        answered, end = self.begin_writing("au")
        led = self.writer("au")
        os.kill(self.server(self.describe(led)), 9)
        self.assertTrue(wait_until(lambda: self.writer("au") != led, 150), self.virga.read_log()[-3000:])
        self.goes_on(answered)
        self.virga.restart()
        self.goes_on(answered)
        said = end()
        kept = set(map(int, self.sql(writer, "SELECT i FROM w").split()))
        self.assertEqual([i for i, _ in said if i not in kept], [], "rows that were answered are lost")
        self.rds.create_db_cluster_snapshot(DBClusterIdentifier="au", DBClusterSnapshotIdentifier="s")
        snapshot = lambda: self.rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="s")["DBClusterSnapshots"][0]
        self.assertTrue(wait_until(lambda: snapshot()["Status"] == "available", 150), self.virga.read_log()[-3000:])
        self.assertEqual((snapshot()["StorageEncrypted"], snapshot()["KmsKeyId"]), (True, key))
        kw = {"DBSubnetGroupName": "dbs", "VpcSecurityGroupIds": [self.db]}
        self.rds.restore_db_cluster_from_snapshot(DBClusterIdentifier="back", SnapshotIdentifier="s", Engine="aurora-postgresql", **kw)
        self.until_cluster("back")
        self.member("back", "three")
        self.until("three")
        self.assertEqual(self.sql(self.describe("three"), "SELECT x FROM t"), SECRET)
        self.assertEqual(shows(self.virga), [])
        for c, members in (("au", ("one", "two")), ("back", ("three",))):
            self.delete(*members)
            self.rds.delete_db_cluster(DBClusterIdentifier=c, SkipFinalSnapshot=True)
            self.until_cluster(c, "gone")
        self.rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="s")


if __name__ == "__main__":
    unittest.main()
