"""A Multi-AZ DB cluster whose servers die, start again and step back, and which loses no row."""
import os
import time
import unittest

from rds_cluster_case import Clusters
from virga import wait_until

NEEDS_BOTO3 = (1, 40)


class MultiAz(Clusters):
    def test_multi_az(self):
        began = time.monotonic()
        self.make("maz", Engine="postgres", DBClusterInstanceClass="db.m5d.large", AllocatedStorage=100, StorageType="io1", Iops=1000,
                  DBClusterParameterGroupName="default.postgres15")
        c = self.until_cluster("maz")
        print(f"Multi-AZ DB cluster available after {time.monotonic() - began:.2f} s")
        names = [f"maz-instance-{i}" for i in (1, 2, 3)]
        self.assertEqual(sorted(m["DBInstanceIdentifier"] for m in c["DBClusterMembers"]), names)
        self.assertEqual(len({self.describe(i)["AvailabilityZone"] for i in names}), 3)
        writer = self.at(c["Endpoint"])
        self.sql(writer, "CREATE TABLE w (i int)")
        self.assertTrue(self.sql(writer, "SHOW synchronous_standby_names").startswith("ANY 1 (node_"))
        self.assertTrue(wait_until(lambda: self.sql(self.at(c["ReaderEndpoint"]), "SELECT count(*) FROM pg_class WHERE relname = 'w'") == "1", 30))
        self.refused("InvalidDBInstanceState", self.rds.delete_db_instance, DBInstanceIdentifier=names[1], SkipFinalSnapshot=True)
        answered, end = self.begin_writing("maz")
        old, killed = self.writer("maz"), time.time_ns()
        os.kill(self.server(self.describe(old)), 9)
        self.assertTrue(wait_until(lambda: self.writer("maz") != old, 60), self.virga.read_log()[-3000:])
        self.goes_on(answered)
        first = next(t for _, t in answered() if t > killed + 50_000_000)
        self.full("maz", 3)
        # One standby dies: commits wait for the other one, and the dead one is not missed.
        reader = next(i for i in names if i != self.writer("maz"))
        os.kill(self.server(self.describe(reader)), 9)
        self.goes_on(answered)
        self.full("maz", 3)
        self.rds.reboot_db_cluster(DBClusterIdentifier="maz")
        self.until_cluster("maz")
        self.goes_on(answered)
        self.full("maz", 3)
        self.rds.failover_db_cluster(DBClusterIdentifier="maz")
        old = self.writer("maz")
        self.assertTrue(wait_until(lambda: self.writer("maz") != old, 60), self.virga.read_log()[-3000:])
        self.goes_on(answered)
        said = end()
        kept = set(map(int, self.sql(writer, "SELECT i FROM w").split()))
        self.assertEqual([i for i, _ in said if i not in kept], [], "rows that were answered are lost")
        print(f"{len(said)} writes, none lost; {(first - killed) / 1e9:.2f} s from kill -9 to the next write")
        self.rds.delete_db_cluster(DBClusterIdentifier="maz", SkipFinalSnapshot=True)
        self.until_cluster("maz", "gone")
        self.refused("DBInstanceNotFound", self.describe, names[0])


if __name__ == "__main__":
    unittest.main()
