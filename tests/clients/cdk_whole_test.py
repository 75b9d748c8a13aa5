"""CDK from npm, unchanged, with a stack of all that an ordinary application has: a network, a balancer before an Auto Scaling group,
PostgreSQL, an Aurora cluster, a bucket, a queue, a table. Deployed, nothing differs; changed, exactly that differs; destroyed, nothing is left."""
import glob
import os
import unittest

from cdk_case import ABSENT, PRESENT, CdkCase

SERVERS = os.geteuid() == 0 and glob.glob("/usr/lib/postgresql/*/bin/postgres")


@unittest.skipUnless(PRESENT, ABSENT)
@unittest.skipUnless(SERVERS, "servers need root and PostgreSQL")
class Whole(CdkCase):
    SERVICES = ("s3", "sqs", "ec2", "rds", "dynamodb", "autoscaling", "elbv2")
    APP = "whole.js"

    def tags_of(self, where):
        return {t["Key"]: t["Value"] for t in where}

    def test_a_whole_application(self):
        out = self.deploy("first", "Whole")
        [cluster] = self.rds.describe_db_clusters(DBClusterIdentifier=out["ClusterName"])["DBClusters"]
        self.assertEqual((cluster["Engine"], cluster["Endpoint"], [m["IsClusterWriter"] for m in cluster["DBClusterMembers"]]),
                         ("aurora-postgresql", out["Writer"], [True]))
        [group] = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[out["GroupName"]])["AutoScalingGroups"]
        self.assertEqual((group["MinSize"], group["MaxSize"], len(group["Instances"]), len(group["TargetGroupARNs"])), (1, 2, 1, 1))
        self.assertEqual(self.tags_of(group["Tags"])["stage"], "one")
        # What was deployed is what the app says.
        self.assertIn("There were no differences", self.cdk(*self.app("first"), "diff", "--fail", "Whole"))
        said = self.cdk(*self.app("second"), "diff", "--fail", "Whole", status=(1,))
        for line in ("[~] AWS::SQS::Queue Jobs", "[~] AWS::RDS::DBInstance Database", "[+] AWS::RDS::DBInstance Cluster/Reader", "[~] AWS::S3::Bucket Images",
                     "[~] AWS::DynamoDB::Table Orders", "[~] AWS::AutoScaling::AutoScalingGroup Servers/ASG", "[~] AWS::RDS::DBClusterParameterGroup"):
            self.assertIn(line, said)
        self.assertEqual([line for line in said.splitlines() if line.startswith("[") and line.endswith("replace")], [])
        self.deploy("second", "Whole")
        self.assertIn("There were no differences", self.cdk(*self.app("second"), "diff", "--fail", "Whole"))
        [cluster] = self.rds.describe_db_clusters(DBClusterIdentifier=out["ClusterName"])["DBClusters"]
        self.assertEqual(sorted(m["IsClusterWriter"] for m in cluster["DBClusterMembers"]), [False, True])
        [database] = self.rds.describe_db_instances(DBInstanceIdentifier=out["DatabaseName"])["DBInstances"]
        self.assertEqual((database["AllocatedStorage"], self.tags_of(database["TagList"])["stage"]), (30, "two"))
        [group] = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[out["GroupName"]])["AutoScalingGroups"]
        self.assertEqual((group["MaxSize"], self.tags_of(group["Tags"])["stage"]), (3, "two"))
        self.cdk(*self.app("second"), "destroy", "--force", "Whole")
        self.assertEqual(self.cfn.describe_stacks()["Stacks"], [])
        self.assertEqual(self.rds.describe_db_clusters()["DBClusters"] + self.rds.describe_db_instances()["DBInstances"], [])
        self.assertEqual(self.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"] + self.elbv2.describe_load_balancers()["LoadBalancers"], [])
        self.assertEqual([v["IsDefault"] for v in self.ec2.describe_vpcs()["Vpcs"]], [True])
        self.assertNotIn(out["OrdersName"], self.dynamodb.list_tables()["TableNames"])
        self.assertNotIn(out["ImagesName"], [b["Name"] for b in self.s3.list_buckets()["Buckets"]])


if __name__ == "__main__":
    unittest.main()
