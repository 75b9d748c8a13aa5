"""RDS's servers failing and restored: standbys that take over, snapshots, moments of the past, replicas."""
import datetime
import os
import subprocess
import time
import unittest


from rds_case import Servers
from virga import BINARY, wait_until

NEEDS_BOTO3 = (1, 40)


class Recovery(Servers):
    WRITE = """
i=0
while [ ! -e "$2" ]; do
  i=$((i + 1))
  if psql "$1" -qXc "INSERT INTO w VALUES ($i)" 2>/dev/null; then echo $i $(date +%s%N); fi
done
"""

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
            self.whole("pair")  # a standby that may take over: a stream that broke off for a moment is caught up first
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
