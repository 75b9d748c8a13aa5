"""A cache in a stack: its groups, a replication group whose endpoint is an output, a user; changed, and removed."""
import unittest

from cloudformation_case import Case, outputs

TEMPLATE = """
Parameters: {Policy: {Type: String, Default: allkeys-lru}}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  A: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: us-east-1a}}
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.2.0/24, AvailabilityZone: us-east-1b}}
  Subnets: {Type: AWS::ElastiCache::SubnetGroup, Properties: {Description: both, SubnetIds: [!Ref A, !Ref B]}}
  Parameters:
    Type: AWS::ElastiCache::ParameterGroup
    Properties: {CacheParameterGroupFamily: redis7, Description: mine, Properties: {maxmemory-policy: !Ref Policy}}
  App: {Type: AWS::ElastiCache::User, Properties: {UserId: app, UserName: app, Engine: redis, AccessString: on ~* +@read, NoPasswordRequired: true}}
  Team: {Type: AWS::ElastiCache::UserGroup, Properties: {UserGroupId: team, Engine: redis, UserIds: [default, !Ref App]}}
  Cache:
    Type: AWS::ElastiCache::ReplicationGroup
    Properties:
      ReplicationGroupDescription: the shop's
      Engine: redis
      CacheNodeType: cache.t3.micro
      NumCacheClusters: 2
      AutomaticFailoverEnabled: true
      TransitEncryptionEnabled: true
      CacheSubnetGroupName: !Ref Subnets
      CacheParameterGroupName: !Ref Parameters
      UserGroupIds: [!Ref Team]
  Sessions:
    Type: AWS::ElastiCache::CacheCluster
    Properties: {Engine: memcached, CacheNodeType: cache.t3.micro, NumCacheNodes: 1, CacheSubnetGroupName: !Ref Subnets}
Outputs:
  Host: {Value: !GetAtt Cache.PrimaryEndPoint.Address}
  Reader: {Value: !GetAtt Cache.ReaderEndPoint.Address}
  Sessions: {Value: !GetAtt Sessions.ConfigurationEndpoint.Address}
  Cache: {Value: !Ref Cache}
  Group: {Value: !Ref Parameters}
"""


class Caches(Case):
    SERVICES = ("elasticache",)

    def test_a_cache(self):
        stack = self.create("cache", TEMPLATE)
        out = outputs(stack)
        [g] = self.elasticache.describe_replication_groups(ReplicationGroupId=out["Cache"])["ReplicationGroups"]
        self.assertEqual((g["Status"], g["UserGroupIds"], g["NodeGroups"][0]["PrimaryEndpoint"]["Address"]), ("available", ["team"], out["Host"]))
        self.assertIn(".cfg.", out["Sessions"])
        user = lambda: [p["ParameterValue"] for p in self.elasticache.describe_cache_parameters(CacheParameterGroupName=out["Group"], Source="user")["Parameters"]]
        self.assertEqual(user(), ["allkeys-lru"])
        self.assertEqual(outputs(self.retag("cache")), out)
        arn = self.elasticache.describe_cache_parameter_groups(CacheParameterGroupName=out["Group"])["CacheParameterGroups"][0]["ARN"]
        self.assertIn({"Key": "team", "Value": "blue"}, self.elasticache.list_tags_for_resource(ResourceName=arn)["TagList"])
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))
        self.assertEqual(self.elasticache.describe_replication_groups()["ReplicationGroups"], [])
        self.assertEqual(self.elasticache.describe_cache_clusters()["CacheClusters"], [])


if __name__ == "__main__":
    unittest.main()
