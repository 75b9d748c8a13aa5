"""A database in a stack: its master's password from a generated secret, and the secret told where the database is."""
import glob
import json
import os
import unittest

from cloudformation_case import Case, outputs
from virga import wait_until

TEMPLATE = """
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  A: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: us-east-1a}}
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.2.0/24, AvailabilityZone: us-east-1b}}
  Subnets: {Type: AWS::RDS::DBSubnetGroup, Properties: {DBSubnetGroupDescription: both, SubnetIds: [!Ref A, !Ref B]}}
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties: {GenerateSecretString: {SecretStringTemplate: '{"username": "master"}', GenerateStringKey: password, ExcludePunctuation: true}}
  Database:
    Type: AWS::RDS::DBInstance
    Properties:
      Engine: postgres
      DBInstanceClass: db.t3.micro
      AllocatedStorage: '20'
      DBName: shop
      DBSubnetGroupName: !Ref Subnets
      MasterUsername: !Sub '{{resolve:secretsmanager:${Secret}:SecretString:username}}'
      MasterUserPassword: !Sub '{{resolve:secretsmanager:${Secret}:SecretString:password}}'
  Attachment:
    Type: AWS::SecretsManager::SecretTargetAttachment
    Properties: {SecretId: !Ref Secret, TargetId: !Ref Database, TargetType: AWS::RDS::DBInstance}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: 'sts:AssumeRole', Principal: {Service: rds.amazonaws.com}}]}
      Policies:
        - PolicyName: p
          PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: 'secretsmanager:GetSecretValue', Resource: !Ref Secret}]}
  Proxy:
    Type: AWS::RDS::DBProxy
    Properties:
      DBProxyName: front
      EngineFamily: POSTGRESQL
      RoleArn: !GetAtt Role.Arn
      VpcSubnetIds: [!Ref A, !Ref B]
      Auth: [{AuthScheme: SECRETS, SecretArn: !Ref Secret, IAMAuth: DISABLED}]
  Targets:
    Type: AWS::RDS::DBProxyTargetGroup
    Properties:
      DBProxyName: !Ref Proxy
      TargetGroupName: default
      DBInstanceIdentifiers: [!Ref Database]
      ConnectionPoolConfigurationInfo: {MaxConnectionsPercent: 40}
Outputs:
  Secret: {Value: !Ref Secret}
  Host: {Value: !GetAtt Database.Endpoint.Address}
  Database: {Value: !Ref Database}
"""

# What CDK's DatabaseCluster makes of a writer and a reader.
CLUSTER = """
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  A: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: us-east-1a}}
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.2.0/24, AvailabilityZone: us-east-1b}}
  Subnets: {Type: AWS::RDS::DBSubnetGroup, Properties: {DBSubnetGroupDescription: both, SubnetIds: [!Ref A, !Ref B]}}
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties: {GenerateSecretString: {SecretStringTemplate: '{"username": "master"}', GenerateStringKey: password, ExcludePunctuation: true}}
  Group: {Type: AWS::RDS::DBClusterParameterGroup, Properties: {Family: aurora-postgresql15, Description: d, Parameters: {work_mem: '8192'}}}
  Cluster:
    Type: AWS::RDS::DBCluster
    DeletionPolicy: Snapshot
    Properties:
      Engine: aurora-postgresql
      EngineVersion: '15.4'
      CopyTagsToSnapshot: true
      DatabaseName: shop
      DBSubnetGroupName: !Ref Subnets
      DBClusterParameterGroupName: !Ref Group
      MasterUsername: !Sub '{{resolve:secretsmanager:${Secret}:SecretString:username}}'
      MasterUserPassword: !Sub '{{resolve:secretsmanager:${Secret}:SecretString:password}}'
      Tags: [{Key: k, Value: v}]
  Writer:
    Type: AWS::RDS::DBInstance
    Properties: {DBClusterIdentifier: !Ref Cluster, DBInstanceClass: db.t3.medium, Engine: aurora-postgresql, PromotionTier: 0, PubliclyAccessible: false}
  Reader:
    Type: AWS::RDS::DBInstance
    DependsOn: Writer
    Properties: {DBClusterIdentifier: !Ref Cluster, DBInstanceClass: db.t3.medium, Engine: aurora-postgresql, PromotionTier: 2, PubliclyAccessible: false}
  Attachment:
    Type: AWS::SecretsManager::SecretTargetAttachment
    Properties: {SecretId: !Ref Secret, TargetId: !Ref Cluster, TargetType: AWS::RDS::DBCluster}
Outputs:
  Secret: {Value: !Ref Secret}
  Host: {Value: !GetAtt Cluster.Endpoint.Address}
  Port: {Value: !GetAtt Cluster.Endpoint.Port}
  Readers: {Value: !GetAtt Cluster.ReadEndpoint.Address}
  Cluster: {Value: !Ref Cluster}
"""


@unittest.skipIf(os.geteuid() != 0 or not glob.glob("/usr/lib/postgresql/*/bin/postgres"), "servers need root and PostgreSQL")
class Database(Case):
    SERVICES = ("secretsmanager", "rds")

    def settle(self, name, limit=300):
        return super().settle(name, limit)

    def test_a_database_and_its_secret(self):
        stack = self.create("database", TEMPLATE, Capabilities=["CAPABILITY_IAM"])
        out = outputs(stack)
        self.assertEqual(self.rds.describe_db_instances(DBInstanceIdentifier=out["Database"])["DBInstances"][0]["DBInstanceStatus"], "available")
        secret = json.loads(self.secretsmanager.get_secret_value(SecretId=out["Secret"])["SecretString"])
        self.assertEqual((secret["username"], secret["host"], secret["port"], secret["dbname"], secret["engine"], secret["dbInstanceIdentifier"]),
                         ("master", out["Host"], 5432, "shop", "postgres", out["Database"]))
        self.assert_nothing_drifted("database")
        self.assertEqual(outputs(self.retag("database", Capabilities=["CAPABILITY_IAM"])), out)
        self.assertIn({"Key": "team", "Value": "blue"}, self.rds.describe_db_instances(DBInstanceIdentifier=out["Database"])["DBInstances"][0]["TagList"])
        # Its proxy reads the secret, and the default group lets it through to the database.
        [group] = self.rds.describe_db_proxy_target_groups(DBProxyName="front")["TargetGroups"]
        self.assertEqual(group["ConnectionPoolConfig"]["MaxConnectionsPercent"], 40)
        health = lambda: self.rds.describe_db_proxy_targets(DBProxyName="front")["Targets"][0]["TargetHealth"]
        self.assertTrue(wait_until(lambda: health()["State"] == "AVAILABLE", 90, 0.2), f"{health()}\n{self.virga.read_log()[-3000:]}")
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))
        self.assertEqual(self.rds.describe_db_instances()["DBInstances"], [])
        self.assertEqual(self.rds.describe_db_proxies()["DBProxies"], [])

    def test_a_cluster(self):
        stack = self.create("cluster", CLUSTER)
        out = outputs(stack)
        [c] = self.rds.describe_db_clusters(DBClusterIdentifier=out["Cluster"])["DBClusters"]
        self.assertEqual([m["IsClusterWriter"] for m in c["DBClusterMembers"]], [True, False])
        self.assertEqual((out["Host"], out["Readers"], out["Port"]), (c["Endpoint"], c["ReaderEndpoint"], "5432"))
        secret = json.loads(self.secretsmanager.get_secret_value(SecretId=out["Secret"])["SecretString"])
        self.assertEqual((secret["host"], secret["dbname"], secret["engine"], secret["dbClusterIdentifier"]),
                         (out["Host"], "shop", "aurora-postgresql", out["Cluster"]))
        self.assert_nothing_drifted("cluster")
        self.update("cluster", CLUSTER.replace("work_mem: '8192'", "work_mem: '16384'").replace("Value: v", "Value: w"))
        [c] = self.rds.describe_db_clusters(DBClusterIdentifier=out["Cluster"])["DBClusters"]
        self.assertIn({"Key": "k", "Value": "w"}, c["TagList"])
        [p] = [p for p in self.rds.get_paginator("describe_db_cluster_parameters").paginate(
            DBClusterParameterGroupName=c["DBClusterParameterGroup"], Source="user").build_full_result()["Parameters"]]
        self.assertEqual((p["ParameterName"], p["ParameterValue"]), ("work_mem", "16384"))
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))
        self.assertEqual(self.rds.describe_db_clusters()["DBClusters"], [])
        [s] = self.rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
        self.assertEqual(s["DBClusterIdentifier"], out["Cluster"])


if __name__ == "__main__":
    unittest.main()
