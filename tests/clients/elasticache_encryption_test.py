"""ElastiCache's encryption at rest: what Redis is filled from, what is kept for the next start and what a snapshot holds show nowhere in
plain on disk."""
import os
import unittest

import elasticache_test as base
import ondisk
from virga import wait_until

SECRET = "kingfisher-under-the-bridge-at-noon"


def shows(virga):
    """The files of ElastiCache on disk that hold it."""
    return ondisk.shows(os.path.join(virga.data, "elasticache"), SECRET.encode(), mounted=False)


class Records(base.Case):
    @classmethod
    def setUpClass(cls):
        cls.begin("--simulated")

    def test_keys(self):
        kms = self.virga.client("kms")
        key = kms.create_key()["KeyMetadata"]
        kw = {"ReplicationGroupDescription": "d", "Engine": "redis", "CacheNodeType": "cache.t3.micro"}
        g = self.cache.create_replication_group(ReplicationGroupId="own", AtRestEncryptionEnabled=True, KmsKeyId=key["KeyId"], **kw)["ReplicationGroup"]
        self.assertEqual((g["AtRestEncryptionEnabled"], g["KmsKeyId"]), (True, key["Arn"]))
        self.assertFalse(self.cache.create_replication_group(ReplicationGroupId="plain", **kw)["ReplicationGroup"]["AtRestEncryptionEnabled"])
        self.refused("InvalidParameterCombination", self.cache.create_replication_group, ReplicationGroupId="x", KmsKeyId=key["KeyId"], **kw)
        self.refused("InvalidParameterValue", self.cache.create_replication_group, ReplicationGroupId="x", AtRestEncryptionEnabled=True, KmsKeyId="alias/none", **kw)
        for g in ("own", "plain"):
            self.until(self.group, g)
            self.cache.create_snapshot(SnapshotName=f"of-{g}", ReplicationGroupId=g)
        snapshot = lambda n: self.cache.describe_snapshots(SnapshotName=n)["Snapshots"][0]
        self.assertTrue(wait_until(lambda: {snapshot(f"of-{g}")["SnapshotStatus"] for g in ("own", "plain")} == {"available"}))
        self.assertEqual(snapshot("of-own")["KmsKeyId"], key["Arn"])
        self.assertNotIn("KmsKeyId", snapshot("of-plain"))
        other = kms.create_key()["KeyMetadata"]["Arn"]
        for source in ("of-own", "of-plain"):
            self.assertEqual(self.cache.copy_snapshot(SourceSnapshotName=source, TargetSnapshotName=source + "-copy", KmsKeyId=other)["Snapshot"]["KmsKeyId"], other)


@unittest.skipUnless(os.geteuid() == 0 and os.path.exists("/dev/fuse"), "encryption at rest of servers needs root, and FUSE")
class Sealed(base.Real):
    locals().update({n: None for n in dir(base.Real) if n.startswith("test_")})

    def test_at_rest(self):
        g = self.create("shut", NumCacheClusters=2, AutomaticFailoverEnabled=True, AtRestEncryptionEnabled=True)
        primary = g["NodeGroups"][0]["PrimaryEndpoint"]
        self.settle(lambda: self.redis(primary, "SET", "it", SECRET), "OK", 90)
        # The snapshot is a replica's: once it has what it shall have.
        [replica] = [m["ReadEndpoint"] for m in g["NodeGroups"][0]["NodeGroupMembers"] if m["CurrentRole"] == "replica"]
        self.settle(lambda: self.redis(replica, "GET", "it"), SECRET, 90)
        self.cache.create_snapshot(SnapshotName="one", ReplicationGroupId="shut")
        snapshot = lambda n: self.cache.describe_snapshots(SnapshotName=n)["Snapshots"][0]["SnapshotStatus"]
        self.assertTrue(wait_until(lambda: snapshot("one") == "available", 60), self.virga.read_log()[-3000:])
        self.until(self.group, "shut")
        self.cache.copy_snapshot(SourceSnapshotName="one", TargetSnapshotName="two")
        self.assertTrue(wait_until(lambda: snapshot("two") == "available", 60), self.virga.read_log()[-3000:])
        # What is not encrypted does lie there: whoever looks finds it.
        self.create("open", SnapshotName="two")
        self.settle(lambda: self.redis(self.group("open")["NodeGroups"][0]["PrimaryEndpoint"], "GET", "it"), SECRET, 90)
        # An orderly end keeps what the primaries hold: in plain where it was not encrypted, and only there.
        self.virga.stop()
        self.assertIn(set(shows(self.virga)), ({"keep.rdb"}, {"keep.rdb", "dump.rdb"}))
        self.virga.start(self.virga.port)
        self.until(self.group, "shut")
        self.settle(lambda: self.redis(primary, "GET", "it"), SECRET, 90)
        self.delete("open", "shut")
        self.assertEqual(shows(self.virga), [])
        for n in ("one", "two"):
            self.cache.delete_snapshot(SnapshotName=n)
        self.assertTrue(wait_until(lambda: not [f for f in os.listdir(os.path.join(self.virga.data, "elasticache")) if f.endswith(".sealed")], 30))


if __name__ == "__main__":
    unittest.main()
