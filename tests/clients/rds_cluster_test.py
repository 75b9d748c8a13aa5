"""An Aurora cluster whose writer dies, steps back, loses its zone and its virga, and loses no row."""
import os
import subprocess
import time
import unittest

from rds_cluster_case import Clusters
from virga import BINARY, wait_until

NEEDS_BOTO3 = (1, 40)


class Aurora(Clusters):
    def test_aurora(self):
        began = time.monotonic()
        made = self.make("au", DatabaseName="shop")
        self.until_cluster("au")
        self.assertEqual((made["EngineMode"], self.cluster("au")["DBClusterMembers"]), ("provisioned", []))
        self.member("au", "one", PromotionTier=5)
        self.until("one")
        print(f"Aurora cluster with a writer after {time.monotonic() - began:.2f} s")
        began = time.monotonic()
        self.member("au", "two", PromotionTier=1)
        self.member("au", "three", PromotionTier=0)
        self.until("two")
        self.until("three")
        print(f"two readers after {time.monotonic() - began:.2f} s")
        c = self.cluster("au")
        self.assertEqual({m["DBInstanceIdentifier"]: m["IsClusterWriter"] for m in c["DBClusterMembers"]}, {"one": True, "two": False, "three": False})
        self.assertTrue(c["Endpoint"].startswith("au.cluster-") and c["ReaderEndpoint"].startswith("au.cluster-ro-"), c)
        self.assertEqual(c["EngineVersion"], self.describe("one")["EngineVersion"])
        zones = {self.describe(i)["AvailabilityZone"] for i in ("one", "two", "three")}
        self.assertEqual(len(zones), 3)
        writer, readers = self.at(c["Endpoint"]), self.at(c["ReaderEndpoint"])
        self.sql(writer, "CREATE TABLE w (i int); CREATE TABLE t (x text); INSERT INTO t VALUES ('kept')", database="shop")
        self.sql(writer, "CREATE TABLE w (i int)")
        self.assertTrue(wait_until(lambda: self.sql(self.describe("two"), "SELECT count(*) FROM pg_class WHERE relname = 'w'") == "1", 30))
        self.assertIn("read-only", self.inside("psql", self.url(self.describe("two")), "-c", "INSERT INTO w VALUES (0)").stderr)
        where = lambda: self.sql(readers, "SELECT pg_is_in_recovery() || ' ' || inet_server_addr()")
        seen = set()
        self.assertTrue(wait_until(lambda: seen.add(where()) or len(seen) == 2, 60), seen)
        self.assertEqual({s.split()[0] for s in seen}, {"true"})
        # A custom endpoint of one reader.
        e = self.rds.create_db_cluster_endpoint(DBClusterIdentifier="au", DBClusterEndpointIdentifier="reports", EndpointType="READER", StaticMembers=["two"])
        self.assertTrue(e["Endpoint"].startswith("reports.cluster-custom-"), e)
        self.assertTrue(wait_until(lambda: self.rds.describe_db_cluster_endpoints(DBClusterEndpointIdentifier="reports")["DBClusterEndpoints"][0]["Status"] == "available", 30))
        address = self.sql(self.describe("two"), "SELECT inet_server_addr()")
        self.assertEqual(self.sql(self.at(e["Endpoint"]), "SELECT inet_server_addr()"), address)
        self.rds.modify_db_cluster_endpoint(DBClusterEndpointIdentifier="reports", ExcludedMembers=["two"])
        other = self.sql(self.describe("three"), "SELECT inet_server_addr()")
        self.assertTrue(wait_until(lambda: self.sql(self.at(e["Endpoint"]), "SELECT inet_server_addr()") == other, 30))
        kinds = [k["EndpointType"] for k in self.rds.describe_db_cluster_endpoints(DBClusterIdentifier="au")["DBClusterEndpoints"]]
        self.assertEqual(sorted(kinds), ["CUSTOM", "READER", "WRITER"])
        self.rds.delete_db_cluster_endpoint(DBClusterEndpointIdentifier="reports")
        self.refused("DBClusterEndpointNotFoundFault", self.rds.delete_db_cluster_endpoint, DBClusterEndpointIdentifier="reports")
        # The writer dies: the reader of the first tier leads.
        answered, end = self.begin_writing("au")
        killed = time.time_ns()
        os.kill(self.server(self.describe("one")), 9)
        self.assertTrue(wait_until(lambda: self.writer("au") == "three", 60), self.virga.read_log()[-3000:])
        self.goes_on(answered)
        first = next(t for _, t in answered() if t > killed + 50_000_000)
        self.full("au", 3)
        # On request, to a target; then virga is killed and started again.
        self.rds.failover_db_cluster(DBClusterIdentifier="au", TargetDBInstanceIdentifier="two")
        self.assertTrue(wait_until(lambda: self.writer("au") == "two", 60), self.virga.read_log()[-3000:])
        self.goes_on(answered)
        self.full("au", 3)
        self.virga.restart()
        self.goes_on(answered)
        os.kill(self.server(self.describe("two")), 9)
        self.assertTrue(wait_until(lambda: self.writer("au") != "two", 60), self.virga.read_log()[-3000:])
        self.goes_on(answered)
        self.full("au", 3)
        # Its zone fails (not the one from which we look).
        if self.describe(self.writer("au"))["AvailabilityZone"] == "us-east-1a":
            self.rds.failover_db_cluster(DBClusterIdentifier="au", TargetDBInstanceIdentifier="two")
            self.assertTrue(wait_until(lambda: self.writer("au") == "two", 60))
            self.full("au", 3)
        w = self.writer("au")
        zone = self.describe(w)["AvailabilityZone"]
        fault = lambda state: subprocess.run([BINARY, "fault", "--endpoint", self.virga.endpoint, "az", zone, state], check=True, capture_output=True)
        fault("down")
        self.assertTrue(wait_until(lambda: self.writer("au") != w, 60), self.virga.read_log()[-3000:])
        self.goes_on(answered)
        fault("up")
        self.full("au", 3)
        said = end()
        kept = set(map(int, self.sql(writer, "SELECT i FROM w").split()))
        self.assertEqual([i for i, _ in said if i not in kept], [], "rows that were answered are lost")
        for i in ("one", "two", "three"):
            self.assertTrue(wait_until(lambda: set(map(int, self.sql(self.describe(i), "SELECT i FROM w").split())) == kept, 30))
        print(f"{len(said)} writes, none lost; {(first - killed) / 1e9:.2f} s from kill -9 to the next write")
        messages = [x["Message"] for x in self.rds.describe_events(SourceType="db-cluster", SourceIdentifier="au")["Events"]]
        self.assertIn("Completed failover to DB instance: three", messages)
        # The data outlive the instances.
        self.refused("InvalidDBClusterStateFault", self.rds.delete_db_cluster, DBClusterIdentifier="au", SkipFinalSnapshot=True)
        for i in ("one", "two", "three"):
            self.rds.delete_db_instance(DBInstanceIdentifier=i)
        for i in ("one", "two", "three"):
            self.until(i, "gone")
        self.member("au", "four")
        self.until("four")
        self.assertEqual(self.sql(writer, "SELECT x FROM t", database="shop"), "kept")
        # A final snapshot, and a cluster from it.
        self.rds.delete_db_instance(DBInstanceIdentifier="four")
        self.until("four", "gone")
        self.rds.delete_db_cluster(DBClusterIdentifier="au", FinalDBSnapshotIdentifier="last")
        self.until_cluster("au", "gone")
        [s] = self.rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="last")["DBClusterSnapshots"]
        self.assertEqual((s["Status"], s["SnapshotType"], s["DBClusterIdentifier"]), ("available", "manual", "au"))
        self.rds.restore_db_cluster_from_snapshot(DBClusterIdentifier="again", SnapshotIdentifier="last", Engine="aurora-postgresql",
                                                  DBSubnetGroupName="dbs", VpcSecurityGroupIds=[self.db])
        self.until_cluster("again")
        self.member("again", "five")
        self.until("five")
        self.assertEqual(self.sql(self.at(self.cluster("again")["Endpoint"]), "SELECT x FROM t", database="shop"), "kept")
        self.rds.delete_db_instance(DBInstanceIdentifier="five")
        self.until("five", "gone")
        self.rds.delete_db_cluster(DBClusterIdentifier="again", SkipFinalSnapshot=True)
        self.until_cluster("again", "gone")


if __name__ == "__main__":
    unittest.main()
