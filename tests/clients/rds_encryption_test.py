"""RDS storage that is encrypted at rest, through boto3; and, where virga runs as root, what servers write shows nowhere on disk: not in
data files, logs, archives or snapshots. It outlives virga, its agent and a key that is disabled for a while."""
import os
import subprocess
import time
import unittest

import ondisk
from rds_case import PASSWORD, Case, Servers
from virga import BINARY, wait_until

NEEDS_BOTO3 = (1, 40)
SECRET = "kingfisher-under-the-bridge-at-noon"
REAL = os.geteuid() == 0 and os.path.exists("/dev/fuse")


def shows(virga, secret=SECRET):
    """The files of RDS on disk that hold it."""
    return ondisk.shows(os.path.join(virga.data, "rds"), secret.encode(), mounted=False)


class Records(Case):
    @classmethod
    def setUpClass(cls):
        cls.begin("--simulated")
        cls.kms = cls.virga.client("kms")

    def test_keys(self):
        key = self.kms.create_key()["KeyMetadata"]
        kw = {"DBInstanceClass": "db.t3.micro", "Engine": "postgres", "AllocatedStorage": 20, "MasterUsername": "boss", "MasterUserPassword": PASSWORD}
        d = self.rds.create_db_instance(DBInstanceIdentifier="own", StorageEncrypted=True, KmsKeyId=key["KeyId"], **kw)["DBInstance"]
        self.assertEqual((d["StorageEncrypted"], d["KmsKeyId"]), (True, key["Arn"]))
        d = self.rds.create_db_instance(DBInstanceIdentifier="default", StorageEncrypted=True, **kw)["DBInstance"]
        [alias] = [a for a in self.kms.list_aliases()["Aliases"] if a["AliasName"] == "alias/aws/rds"]
        self.assertTrue(d["KmsKeyId"].endswith(alias["TargetKeyId"]))
        d = self.rds.create_db_instance(DBInstanceIdentifier="plain", **kw)["DBInstance"]
        self.assertEqual((d["StorageEncrypted"], "KmsKeyId" in d), (False, False))
        self.refused("KMSKeyNotAccessibleFault", self.rds.create_db_instance, DBInstanceIdentifier="x", StorageEncrypted=True, KmsKeyId="alias/none", **kw)
        self.refused("InvalidParameterCombination", self.rds.create_db_instance, DBInstanceIdentifier="x", StorageEncrypted=False, KmsKeyId=key["Arn"], **kw)
        for i in ("own", "default", "plain"):
            self.until(i)
            self.rds.create_db_snapshot(DBInstanceIdentifier=i, DBSnapshotIdentifier=f"of-{i}")
        snapshot = lambda n: self.rds.describe_db_snapshots(DBSnapshotIdentifier=n)["DBSnapshots"][0]
        for i in ("own", "default", "plain"):
            self.assertTrue(wait_until(lambda: snapshot(f"of-{i}")["Status"] == "available"))
        self.assertEqual((snapshot("of-own")["Encrypted"], snapshot("of-own")["KmsKeyId"]), (True, key["Arn"]))
        self.assertFalse(snapshot("of-plain")["Encrypted"])
        # A copy is encrypted by another key, or by one where its source was not.
        other = self.kms.create_key()["KeyMetadata"]["Arn"]
        copy = lambda source, name, **kw: self.rds.copy_db_snapshot(SourceDBSnapshotIdentifier=source, TargetDBSnapshotIdentifier=name, **kw)["DBSnapshot"]
        self.assertEqual(copy("of-own", "again")["KmsKeyId"], key["Arn"])
        self.assertEqual(copy("of-own", "by-other", KmsKeyId=other)["KmsKeyId"], other)
        self.assertEqual(copy("of-plain", "shut", KmsKeyId=other)["KmsKeyId"], other)
        # "Sharing encrypted snapshots": not publicly, and not what has the default key.
        share = lambda name, who: self.rds.modify_db_snapshot_attribute(DBSnapshotIdentifier=name, AttributeName="restore", ValuesToAdd=[who])
        self.refused("InvalidParameterValue", share, "of-own", "all")
        self.refused("InvalidParameterValue", share, "of-default", "222222222222")
        share("of-own", "222222222222")
        theirs = self.virga.client("rds", key="222222222222")
        arn = snapshot("of-own")["DBSnapshotArn"]
        self.refused("InvalidParameterCombination", theirs.copy_db_snapshot, SourceDBSnapshotIdentifier=arn, TargetDBSnapshotIdentifier="mine")
        own = self.virga.client("kms", key="222222222222").create_key()["KeyMetadata"]["Arn"]
        self.assertEqual(theirs.copy_db_snapshot(SourceDBSnapshotIdentifier=arn, TargetDBSnapshotIdentifier="mine", KmsKeyId=own)["DBSnapshot"]["KmsKeyId"], own)
        # Restores and replicas have their source's key.
        self.assertTrue(wait_until(lambda: snapshot("shut")["Status"] == "available"))
        r = self.rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="back", DBSnapshotIdentifier="shut")["DBInstance"]
        self.assertEqual((r["StorageEncrypted"], r["KmsKeyId"]), (True, other))
        self.refused("InvalidParameterCombination", self.rds.create_db_instance_read_replica, DBInstanceIdentifier="r", SourceDBInstanceIdentifier="own", KmsKeyId=other)
        self.refused("InvalidParameterCombination", self.rds.create_db_instance_read_replica, DBInstanceIdentifier="r", SourceDBInstanceIdentifier="plain", KmsKeyId=other)
        self.until("own")
        r = self.rds.create_db_instance_read_replica(DBInstanceIdentifier="r", SourceDBInstanceIdentifier="own")["DBInstance"]
        self.assertEqual(r["KmsKeyId"], key["Arn"])
        c = self.rds.create_db_cluster(DBClusterIdentifier="c", Engine="aurora-postgresql", MasterUsername="boss", MasterUserPassword=PASSWORD, StorageEncrypted=True,
                                       KmsKeyId=other)["DBCluster"]
        self.assertEqual((c["StorageEncrypted"], c["KmsKeyId"]), (True, other))
        m = self.rds.create_db_instance(DBInstanceIdentifier="m", DBClusterIdentifier="c", Engine="aurora-postgresql", DBInstanceClass="db.t3.medium")["DBInstance"]
        self.assertEqual((m["StorageEncrypted"], m["KmsKeyId"]), (True, other))
        self.refused("InvalidParameterCombination", self.rds.create_db_instance, DBInstanceIdentifier="n", DBClusterIdentifier="c", Engine="aurora-postgresql",
                     DBInstanceClass="db.t3.medium", StorageEncrypted=False)
        self.kms.disable_key(KeyId=key["KeyId"])
        self.refused("KMSKeyNotAccessibleFault", self.rds.create_db_instance, DBInstanceIdentifier="x", KmsKeyId=key["Arn"], **kw)


@unittest.skipUnless(REAL, "encrypted storage of servers needs root, and FUSE")
class Sealed(Servers):
    def clean(self):
        self.assertEqual(shows(self.virga), [])

    def advance(self, by):
        subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", by], check=True, capture_output=True)

    def snapshot(self, n):
        return self.rds.describe_db_snapshots(DBSnapshotIdentifier=n)["DBSnapshots"][0]

    def test_pair(self):
        """A Multi-AZ pair with a replica, backups, and moments."""
        kms = self.virga.client("kms")
        key = kms.create_key()["KeyMetadata"]
        began = time.monotonic()
        d = self.create("shut", MultiAZ=True, StorageEncrypted=True, KmsKeyId=key["KeyId"], BackupRetentionPeriod=2)
        print(f"encrypted Multi-AZ available after {time.monotonic() - began:.2f} s")
        self.sql(d, f"CREATE TABLE t (x text); INSERT INTO t VALUES ('{SECRET}'); CHECKPOINT")
        plain = self.create("open")
        self.sql(plain, f"CREATE TABLE t (x text); INSERT INTO t VALUES ('{SECRET}-plain'); CHECKPOINT")
        # What looks finds it where nothing is encrypted, and does not where all is.
        self.assertTrue(shows(self.virga, SECRET + "-plain"))
        self.delete("open")
        self.assertTrue(wait_until(lambda: not shows(self.virga), 60, 1))  # its files go by a job of their own
        self.rds.create_db_snapshot(DBInstanceIdentifier="shut", DBSnapshotIdentifier="one")
        self.until("shut")
        self.assertTrue(wait_until(lambda: self.snapshot("one")["Status"] == "available", 150), self.virga.read_log()[-3000:])
        self.rds.copy_db_snapshot(SourceDBSnapshotIdentifier="one", TargetDBSnapshotIdentifier="two", KmsKeyId="alias/aws/rds")
        self.assertTrue(wait_until(lambda: "LatestRestorableTime" in self.describe("shut"), 150))
        time.sleep(1.1)
        kw = {"VpcSecurityGroupIds": [self.db], "PubliclyAccessible": False}
        self.rds.restore_db_instance_to_point_in_time(SourceDBInstanceIdentifier="shut", TargetDBInstanceIdentifier="then", UseLatestRestorableTime=True, **kw)
        self.rds.create_db_instance_read_replica(DBInstanceIdentifier="reader", SourceDBInstanceIdentifier="shut", PubliclyAccessible=False)
        self.assertTrue(wait_until(lambda: self.snapshot("two")["Status"] == "available", 150), self.virga.read_log()[-3000:])
        self.rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="copy", DBSnapshotIdentifier="two", DBSubnetGroupName="dbs", **kw)
        rows = lambda i: self.sql(self.describe(i), "SELECT x FROM t ORDER BY x").split()
        for i in ("then", "reader", "copy"):
            e = self.until(i)
            self.assertTrue(e["StorageEncrypted"])
            self.assertEqual(rows(i), [SECRET])
        self.clean()
        # The primary dies: its standby takes over. virga and its agent die: what is mounted stays, all go on.
        e = self.whole("shut")
        os.kill(self.server(e), 9)
        self.assertTrue(wait_until(lambda: self.describe("shut")["AvailabilityZone"] != d["AvailabilityZone"], 150), self.virga.read_log()[-3000:])
        self.assertTrue(wait_until(lambda: self.inside("psql", self.url(d), "-c", "SELECT 1").returncode == 0, 60))
        self.virga.restart()
        self.assertTrue(wait_until(lambda: self.describe("shut")["DBInstanceStatus"] == "available", 150))
        self.sql(d, f"INSERT INTO t VALUES ('{SECRET}-2')")
        self.assertTrue(wait_until(lambda: len(rows("reader")) == 2, 150), self.virga.read_log()[-3000:])
        self.delete("then", "copy")
        # Its key does not serve any more: it ends; and comes back by a start once the key serves again.
        lost = "inaccessible-encryption-credentials-recoverable"
        kms.disable_key(KeyId=key["KeyId"])
        self.advance("3m")
        self.until("shut", lost)
        self.until("reader", "inaccessible-encryption-credentials")  # a replica has no backups
        self.assertFalse(os.path.exists(os.path.join(self.virga.data, "rds", d["DbiResourceId"], "files")))
        self.clean()
        self.rds.delete_db_instance(DBInstanceIdentifier="reader", SkipFinalSnapshot=True)
        self.until("reader", "gone")
        kms.enable_key(KeyId=key["KeyId"])
        self.rds.start_db_instance(DBInstanceIdentifier="shut")
        self.until("shut")
        self.assertEqual(sorted(rows("shut")), [SECRET, SECRET + "-2"])
        # An orderly end closes it, the next start opens it.
        self.virga.stop()
        self.assertFalse(os.path.exists(os.path.join(self.virga.data, "rds", d["DbiResourceId"], "files")))
        self.clean()
        self.virga.start(self.virga.port)
        self.until("shut")
        self.assertTrue(wait_until(lambda: self.namespace(self.host), 60))
        self.assertTrue(wait_until(lambda: self.inside("psql", self.url(d), "-c", "SELECT 1").returncode == 0, 150), self.virga.read_log()[-3000:])
        self.assertEqual(sorted(rows("shut")), [SECRET, SECRET + "-2"])
        kms.disable_key(KeyId=key["KeyId"])
        self.advance("3m")
        self.until("shut", lost)
        self.advance("8d")
        self.until("shut", "inaccessible-encryption-credentials")
        self.refused("InvalidDBInstanceState", self.rds.start_db_instance, DBInstanceIdentifier="shut")
        self.delete("shut")
        for n in ("one", "two"):
            self.rds.delete_db_snapshot(DBSnapshotIdentifier=n)
        self.assertTrue(wait_until(lambda: not [n for n in os.listdir(os.path.join(self.virga.data, "rds")) if n.startswith(("db-", "snap-"))], 60))


if __name__ == "__main__":
    unittest.main()
