"""DB clusters' control plane, which needs no root: what is asked, refused and told."""
import unittest

from rds_case import PASSWORD, Case
from virga import wait_until

NEEDS_BOTO3 = (1, 40)


class Records(Case):
    @classmethod
    def setUpClass(cls):
        cls.begin("--simulated")
        vpc = cls.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        cls.subnets = [cls.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
                       for i, z in ((1, "a"), (2, "b"), (3, "c"))]
        cls.rds.create_db_subnet_group(DBSubnetGroupName="three", DBSubnetGroupDescription="d", SubnetIds=cls.subnets)
        cls.rds.create_db_subnet_group(DBSubnetGroupName="two", DBSubnetGroupDescription="d", SubnetIds=cls.subnets[:2])

    def cluster(self, i):
        return self.rds.describe_db_clusters(DBClusterIdentifier=i)["DBClusters"][0]

    def until_cluster(self, i, state="available"):
        def there():
            try:
                return self.cluster(i)["Status"] == state
            except self.rds.exceptions.DBClusterNotFoundFault:
                return state == "gone"
        self.assertTrue(wait_until(there, 60), self.virga.read_log()[-3000:])

    def make(self, i, **kw):
        kw = {"Engine": "aurora-postgresql", "MasterUsername": "boss", "MasterUserPassword": PASSWORD, "DBSubnetGroupName": "three", **kw}
        return self.rds.create_db_cluster(DBClusterIdentifier=i, **{k: v for k, v in kw.items() if v is not None})["DBCluster"]

    def member(self, cluster, i, **kw):
        self.rds.create_db_instance(**{"DBInstanceIdentifier": i, "DBClusterIdentifier": cluster, "Engine": "aurora-postgresql",
                                       "DBInstanceClass": "db.r6g.large", **kw})

    def remove(self, cluster, *members):
        for i in members:
            self.rds.delete_db_instance(DBInstanceIdentifier=i)
        for i in members:
            self.until(i, "gone")
        self.rds.delete_db_cluster(DBClusterIdentifier=cluster, SkipFinalSnapshot=True)
        self.until_cluster(cluster, "gone")

    def test_refusals(self):
        r = self.refused
        r("InvalidParameterValue", self.make, "x", Engine="oracle-ee")
        r("NotImplemented", self.make, "x", Engine="aurora-mysql")
        r("NotImplemented", self.make, "x", BacktrackWindow=60)
        r("NotImplemented", self.make, "x", ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 2})
        r("NotImplemented", self.make, "x", EnablePerformanceInsights=True)
        r("InvalidParameterValue", self.make, "x", MasterUserPassword="short")
        r("InvalidParameterValue", self.make, "x", MasterUsername="rdsadmin")
        r("InvalidParameterCombination", self.make, "x", EngineVersion="9.6")
        r("InvalidParameterCombination", self.make, "x", AllocatedStorage=100)
        r("InvalidParameterValue", self.make, "x", BackupRetentionPeriod=0)
        r("DBParameterGroupNotFound", self.make, "x", DBClusterParameterGroupName="none")
        r("InvalidParameterCombination", self.make, "x", DBClusterParameterGroupName="default.postgres15")
        maz = {"Engine": "postgres", "DBClusterInstanceClass": "db.m5d.large", "AllocatedStorage": 100, "StorageType": "io1", "Iops": 1000}
        r("InvalidParameterCombination", self.make, "x", **{**maz, "DBClusterInstanceClass": None})
        r("DBSubnetGroupDoesNotCoverEnoughAZs", self.make, "x", **maz, DBSubnetGroupName="two")
        r("DBClusterNotFoundFault", self.rds.describe_db_clusters, DBClusterIdentifier="x")
        r("DBClusterNotFoundFault", self.member, "x", "y")
        r("InvalidParameterCombination", self.rds.create_db_instance, DBInstanceIdentifier="y", Engine="aurora-postgresql", DBInstanceClass="db.r6g.large",
          MasterUsername="boss", MasterUserPassword=PASSWORD, AllocatedStorage=20)
        self.assertEqual(self.rds.describe_db_clusters()["DBClusters"], [])

    def test_a_cluster(self):
        self.make("life", DeletionProtection=True, Tags=[{"Key": "k", "Value": "v"}], PreferredBackupWindow="03:00-10:00", CopyTagsToSnapshot=True)
        self.assertEqual(self.cluster("life")["PreferredMaintenanceWindow"][3:], ":10:00-" + self.cluster("life")["PreferredMaintenanceWindow"][:3] + ":10:30")  # drawn beside the other
        self.refused("DBClusterAlreadyExistsFault", self.make, "LIFE")
        self.until_cluster("life")
        c = self.cluster("life")
        self.assertEqual((c["Engine"], c["MultiAZ"], c["DBClusterMembers"], c["DBClusterParameterGroup"], c["TagList"], c["BackupRetentionPeriod"]),
                         ("aurora-postgresql", False, [], "default.aurora-postgresql15", [{"Key": "k", "Value": "v"}], 1))
        self.assertEqual(len(c["AvailabilityZones"]), 3)
        self.assertTrue(c["EngineVersion"].startswith("15."))
        self.refused("InvalidParameterCombination", self.member, "life", "one", AllocatedStorage=20)
        self.refused("InvalidParameterCombination", self.member, "life", "one", Engine="postgres")
        self.refused("InvalidParameterValue", self.member, "life", "one", PromotionTier=16)
        self.member("life", "one")
        self.member("life", "two", PromotionTier=0)
        for i in ("one", "two"):
            d = self.until(i)
            self.assertEqual((d["DBClusterIdentifier"], d["Engine"], d["Endpoint"]["Port"]), ("life", "aurora-postgresql", 5432))
        found = self.rds.describe_db_instances(Filters=[{"Name": "db-cluster-id", "Values": ["life"]}])["DBInstances"]
        self.assertEqual(sorted(d["DBInstanceIdentifier"] for d in found), ["one", "two"])
        writers = lambda: [m["DBInstanceIdentifier"] for m in self.cluster("life")["DBClusterMembers"] if m["IsClusterWriter"]]
        self.assertEqual(writers(), ["one"])
        self.refused("InvalidParameterCombination", self.rds.modify_db_instance, DBInstanceIdentifier="one", BackupRetentionPeriod=3)
        self.rds.modify_db_instance(DBInstanceIdentifier="one", PromotionTier=7)
        self.assertEqual(self.describe("one")["PromotionTier"], 7)
        self.refused("InvalidDBInstanceState", self.rds.create_db_snapshot, DBInstanceIdentifier="one", DBSnapshotIdentifier="s")
        self.refused("InvalidDBClusterStateFault", self.rds.stop_db_instance, DBInstanceIdentifier="one")
        self.rds.reboot_db_instance(DBInstanceIdentifier="two")
        self.until("two")
        self.refused("InvalidParameterCombination", self.rds.delete_db_cluster, DBClusterIdentifier="life", SkipFinalSnapshot=True)
        self.rds.modify_db_cluster(DBClusterIdentifier="life", DeletionProtection=False, BackupRetentionPeriod=7, ApplyImmediately=True)
        self.assertEqual(self.cluster("life")["BackupRetentionPeriod"], 7)
        self.refused("InvalidDBClusterStateFault", self.rds.delete_db_cluster, DBClusterIdentifier="life", SkipFinalSnapshot=True)
        self.refused("InvalidDBClusterStateFault", self.rds.start_db_cluster, DBClusterIdentifier="life")
        self.refused("DBInstanceNotFound", self.rds.failover_db_cluster, DBClusterIdentifier="life", TargetDBInstanceIdentifier="three")
        self.rds.stop_db_cluster(DBClusterIdentifier="life")
        self.until_cluster("life", "stopped")
        self.assertEqual(self.describe("one")["DBInstanceStatus"], "stopped")
        self.rds.start_db_cluster(DBClusterIdentifier="life")
        self.until_cluster("life")
        self.until("one")
        arn = c["DBClusterArn"]
        self.rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "x", "Value": "y"}])
        self.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["k"])
        self.assertEqual(self.rds.list_tags_for_resource(ResourceName=arn)["TagList"], [{"Key": "x", "Value": "y"}])
        # Snapshots: taken, copied, shared, deleted.
        s = self.rds.create_db_cluster_snapshot(DBClusterIdentifier="life", DBClusterSnapshotIdentifier="snap")["DBClusterSnapshot"]
        self.assertEqual((s["Status"], s["TagList"]), ("creating", [{"Key": "x", "Value": "y"}]))
        status = lambda n: self.rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=n)["DBClusterSnapshots"][0]["Status"]
        self.assertTrue(wait_until(lambda: status("snap") == "available", 60))
        self.refused("DBClusterSnapshotAlreadyExistsFault", self.rds.create_db_cluster_snapshot, DBClusterIdentifier="life", DBClusterSnapshotIdentifier="snap")
        self.rds.copy_db_cluster_snapshot(SourceDBClusterSnapshotIdentifier="snap", TargetDBClusterSnapshotIdentifier="copy", CopyTags=True)
        self.assertTrue(wait_until(lambda: status("copy") == "available", 60))
        other = self.virga.client("rds", key="222222222222")
        self.assertEqual(other.describe_db_cluster_snapshots(SnapshotType="shared")["DBClusterSnapshots"], [])
        self.rds.modify_db_cluster_snapshot_attribute(DBClusterSnapshotIdentifier="copy", AttributeName="restore", ValuesToAdd=["222222222222"])
        a = self.rds.describe_db_cluster_snapshot_attributes(DBClusterSnapshotIdentifier="copy")["DBClusterSnapshotAttributesResult"]["DBClusterSnapshotAttributes"]
        self.assertEqual(a, [{"AttributeName": "restore", "AttributeValues": ["222222222222"]}])
        self.assertEqual(len(other.describe_db_cluster_snapshots(SnapshotType="shared")["DBClusterSnapshots"]), 1)
        self.rds.restore_db_cluster_from_snapshot(DBClusterIdentifier="fromcopy", SnapshotIdentifier="copy", Engine="aurora-postgresql", DBSubnetGroupName="three")
        self.until_cluster("fromcopy")
        self.remove("fromcopy")
        for n in ("snap", "copy"):
            self.rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=n)
        self.refused("DBClusterSnapshotNotFoundFault", self.rds.delete_db_cluster_snapshot, DBClusterSnapshotIdentifier="snap")
        self.assertTrue(wait_until(lambda: "LatestRestorableTime" in self.cluster("life"), 60))
        self.refused("InvalidParameterCombination", self.rds.restore_db_cluster_to_point_in_time, DBClusterIdentifier="then", SourceDBClusterIdentifier="life")
        self.rds.restore_db_cluster_to_point_in_time(DBClusterIdentifier="then", SourceDBClusterIdentifier="life", UseLatestRestorableTime=True)
        self.until_cluster("then")
        self.remove("then")
        # The writer goes: the reader leads. The last one goes: the cluster stays.
        self.remove("life", "one", "two")
        messages = {e["Message"] for e in self.rds.describe_events(SourceType="db-cluster", SourceIdentifier="life")["Events"]}
        self.assertLessEqual({"DB cluster created", "DB cluster stopped", "DB cluster started", "DB cluster deleted"}, messages)

    def test_multi_az_members(self):
        self.make("three", Engine="postgres", DBClusterInstanceClass="db.m5d.large", AllocatedStorage=100, StorageType="io1", Iops=1000)
        self.until_cluster("three")
        c = self.cluster("three")
        self.assertEqual((len(c["DBClusterMembers"]), c["MultiAZ"], c["DBClusterInstanceClass"], c["StorageType"]), (3, True, "db.m5d.large", "io1"))
        self.refused("InvalidParameterCombination", self.member, "three", "four", Engine="postgres")
        self.rds.reboot_db_cluster(DBClusterIdentifier="three")
        self.until_cluster("three")
        self.rds.delete_db_cluster(DBClusterIdentifier="three", SkipFinalSnapshot=True)
        self.until_cluster("three", "gone")

    def test_secret(self):
        self.make("secret", MasterUserPassword=None, ManageMasterUserPassword=True)
        self.until_cluster("secret")
        s = self.cluster("secret")["MasterUserSecret"]
        self.assertIn("rds!cluster-", s["SecretArn"])
        self.assertEqual(s["SecretStatus"], "active")
        self.assertIn("boss", self.virga.client("secretsmanager").get_secret_value(SecretId=s["SecretArn"])["SecretString"])
        self.remove("secret")

    def test_parameter_groups(self):
        kw = {"DBClusterParameterGroupName": "mine", "DBParameterGroupFamily": "aurora-postgresql15", "Description": "d"}
        self.refused("InvalidParameterValue", self.rds.create_db_cluster_parameter_group, **{**kw, "DBParameterGroupFamily": "aurora-mysql8.0"})
        g = self.rds.create_db_cluster_parameter_group(**kw)["DBClusterParameterGroup"]
        self.assertTrue(g["DBClusterParameterGroupArn"].endswith(":cluster-pg:mine"), g)
        self.refused("DBParameterGroupAlreadyExists", self.rds.create_db_cluster_parameter_group, **kw)
        self.rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName="mine", Parameters=[
            {"ParameterName": "work_mem", "ParameterValue": "8192", "ApplyMethod": "immediate"},
            {"ParameterName": "max_connections", "ParameterValue": "200", "ApplyMethod": "pending-reboot"}])
        pages = self.rds.get_paginator("describe_db_cluster_parameters")
        user = lambda n: {p["ParameterName"]: p["ParameterValue"] for page in pages.paginate(DBClusterParameterGroupName=n, Source="user") for p in page["Parameters"]}
        self.assertEqual(user("mine"), {"work_mem": "8192", "max_connections": "200"})
        self.rds.copy_db_cluster_parameter_group(SourceDBClusterParameterGroupIdentifier="mine", TargetDBClusterParameterGroupIdentifier="copy",
                                                 TargetDBClusterParameterGroupDescription="c")
        self.assertEqual(user("copy"), user("mine"))
        self.rds.reset_db_cluster_parameter_group(DBClusterParameterGroupName="mine", Parameters=[{"ParameterName": "work_mem", "ApplyMethod": "immediate"}])
        self.assertEqual(user("mine"), {"max_connections": "200"})
        self.rds.reset_db_cluster_parameter_group(DBClusterParameterGroupName="mine", ResetAllParameters=True)
        self.assertEqual(user("mine"), {})
        self.refused("InvalidDBParameterGroupState", self.rds.reset_db_cluster_parameter_group, DBClusterParameterGroupName="default.postgres15",
                     ResetAllParameters=True)
        names = {g["DBClusterParameterGroupName"] for g in self.rds.describe_db_cluster_parameter_groups()["DBClusterParameterGroups"]}
        self.assertLessEqual({"default.aurora-postgresql15", "default.postgres15", "mine", "copy"}, names)
        d = self.rds.describe_engine_default_cluster_parameters(DBParameterGroupFamily="aurora-postgresql15")["EngineDefaults"]
        self.assertEqual(d["DBParameterGroupFamily"], "aurora-postgresql15")
        self.make("grouped", DBClusterParameterGroupName="copy")
        self.until_cluster("grouped")
        self.refused("InvalidDBParameterGroupState", self.rds.delete_db_cluster_parameter_group, DBClusterParameterGroupName="copy")
        self.remove("grouped")
        for n in ("mine", "copy"):
            self.rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName=n)
        self.refused("DBParameterGroupNotFound", self.rds.describe_db_cluster_parameter_groups, DBClusterParameterGroupName="mine")
        versions = self.rds.describe_db_engine_versions(Engine="aurora-postgresql")["DBEngineVersions"]
        self.assertEqual([v["DBParameterGroupFamily"] for v in versions], ["aurora-postgresql15"])


if __name__ == "__main__":
    unittest.main()
