"""CloudFormation makes resources of the services that virga has: a reference VPC with what belongs to it, and each other type."""
import json
import unittest

from botocore.exceptions import ClientError
from cloudformation_case import Case, outputs

NETWORK = """
Parameters:
  Cidr: {Type: String, Default: 10.0.0.0/16}
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: !Ref Cidr, EnableDnsHostnames: true, EnableDnsSupport: true, Tags: [{Key: Name, Value: main}]}
  Igw: {Type: AWS::EC2::InternetGateway}
  IgwAttachment:
    Type: AWS::EC2::VPCGatewayAttachment
    Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Igw}
  PublicA:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: !Select [0, !Cidr [!Ref Cidr, 4, 8]], AvailabilityZone: !Select [0, !GetAZs ''], MapPublicIpOnLaunch: true}
  PublicB:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: !Select [1, !Cidr [!Ref Cidr, 4, 8]], AvailabilityZone: !Select [1, !GetAZs ''], MapPublicIpOnLaunch: true}
  PrivateA:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: !Select [2, !Cidr [!Ref Cidr, 4, 8]], AvailabilityZone: !Select [0, !GetAZs '']}
  PrivateB:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: !Select [3, !Cidr [!Ref Cidr, 4, 8]], AvailabilityZone: !Select [1, !GetAZs '']}
  PublicTable: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  PublicRoute:
    Type: AWS::EC2::Route
    DependsOn: IgwAttachment
    Properties: {RouteTableId: !Ref PublicTable, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref Igw}
  PublicAInTable: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {RouteTableId: !Ref PublicTable, SubnetId: !Ref PublicA}}
  PublicBInTable: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {RouteTableId: !Ref PublicTable, SubnetId: !Ref PublicB}}
  NatAddress:
    Type: AWS::EC2::EIP
    DependsOn: IgwAttachment
    Properties: {Domain: vpc}
  Nat:
    Type: AWS::EC2::NatGateway
    Properties: {SubnetId: !Ref PublicA, AllocationId: !GetAtt NatAddress.AllocationId}
  PrivateTable: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  PrivateRoute:
    Type: AWS::EC2::Route
    Properties: {RouteTableId: !Ref PrivateTable, DestinationCidrBlock: 0.0.0.0/0, NatGatewayId: !Ref Nat}
  PrivateAInTable: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {RouteTableId: !Ref PrivateTable, SubnetId: !Ref PrivateA}}
  PrivateBInTable: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {RouteTableId: !Ref PrivateTable, SubnetId: !Ref PrivateB}}
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: web
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0, Description: http}
        - {IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}
  App:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: app
      VpcId: !Ref Vpc
      SecurityGroupEgress:
        - {IpProtocol: tcp, FromPort: 5432, ToPort: 5432, CidrIp: !Ref Cidr}
  WebToApp:
    Type: AWS::EC2::SecurityGroupIngress
    Properties: {GroupId: !Ref App, IpProtocol: tcp, FromPort: 8080, ToPort: 8080, SourceSecurityGroupId: !GetAtt Web.GroupId}
  Acl: {Type: AWS::EC2::NetworkAcl, Properties: {VpcId: !Ref Vpc}}
  AclIn:
    Type: AWS::EC2::NetworkAclEntry
    Properties: {NetworkAclId: !Ref Acl, RuleNumber: 100, Protocol: -1, RuleAction: allow, CidrBlock: 0.0.0.0/0}
  AclForPrivateB:
    Type: AWS::EC2::SubnetNetworkAclAssociation
    Properties: {NetworkAclId: !Ref Acl, SubnetId: !Ref PrivateB}
  S3Endpoint:
    Type: AWS::EC2::VPCEndpoint
    Properties: {VpcId: !Ref Vpc, ServiceName: !Sub 'com.amazonaws.${AWS::Region}.s3', RouteTableIds: [!Ref PrivateTable]}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: 'sts:AssumeRole'}]
      Policies:
        - PolicyName: queue
          PolicyDocument: {Statement: [{Effect: Allow, Action: 'sqs:*', Resource: !GetAtt Queue.Arn}]}
  MorePolicy:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: table
      PolicyDocument: {Statement: [{Effect: Allow, Action: 'dynamodb:GetItem', Resource: !GetAtt Table.Arn}]}
      Roles: [!Ref Role]
  Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        InstanceType: t3.micro
        IamInstanceProfile: {Arn: !GetAtt Profile.Arn}
        SecurityGroupIds: [!Ref App]
        MetadataOptions: {HttpTokens: required}
  Queue: {Type: AWS::SQS::Queue}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      BillingMode: PAY_PER_REQUEST
      StreamSpecification: {StreamViewType: NEW_IMAGE}
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
      TimeToLiveSpecification: {AttributeName: ttl, Enabled: true}
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: {Status: Enabled}
      BucketEncryption: {ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: AES256}}]}
      PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true}
      LifecycleConfiguration: {Rules: [{Id: old, Status: Enabled, Prefix: logs/, ExpirationInDays: 30}]}
  BucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument: {Statement: [{Effect: Allow, Principal: {AWS: !GetAtt Role.Arn}, Action: 's3:GetObject', Resource: !Sub '${Bucket.Arn}/*'}]}
Outputs:
  Vpc: {Value: !Ref Vpc}
  Group: {Value: !GetAtt Vpc.DefaultSecurityGroup}
  App: {Value: !GetAtt App.GroupId}
  PublicTable: {Value: !Ref PublicTable}
  PrivateTable: {Value: !Ref PrivateTable}
  Nat: {Value: !Ref Nat}
  Bucket: {Value: !Ref Bucket}
  Stream: {Value: !GetAtt Table.StreamArn}
  Table: {Value: !Ref Table}
  Role: {Value: !Ref Role}
  Template: {Value: !Ref Template}
  Version: {Value: !GetAtt Template.LatestVersionNumber}
  PrivateB: {Value: !Ref PrivateB}
  Acl: {Value: !Ref Acl}
"""


class Network(Case):
    SERVICES = ("ec2", "iam", "s3", "dynamodb", "sqs")

    def test_the_reference_vpc_is_made_changed_and_removed(self):
        stack = self.create("vpc", NETWORK, Capabilities=["CAPABILITY_IAM"])
        out = outputs(stack)
        [vpc] = self.ec2.describe_vpcs(VpcIds=[out["Vpc"]])["Vpcs"]
        tags = {t["Key"]: t["Value"] for t in vpc["Tags"]}
        self.assertEqual((tags["Name"], tags["aws:cloudformation:stack-name"], tags["aws:cloudformation:logical-id"]), ("main", "vpc", "Vpc"))
        self.assertTrue(self.ec2.describe_vpc_attribute(VpcId=out["Vpc"], Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"])
        self.assertRegex(out["Group"], "^sg-")
        routes = {r.get("NatGatewayId") for r in self.ec2.describe_route_tables(RouteTableIds=[out["PrivateTable"]])["RouteTables"][0]["Routes"]}
        self.assertIn(out["Nat"], routes)
        [app] = self.ec2.describe_security_groups(GroupIds=[out["App"]])["SecurityGroups"]
        self.assertEqual([(p["FromPort"], p["UserIdGroupPairs"][0]["GroupId"]) for p in app["IpPermissions"]],
                         [(8080, self.physical("vpc", "Web"))])
        self.assertEqual([p["FromPort"] for p in app["IpPermissionsEgress"]], [5432], "the rule that lets all out is gone")
        acl = self.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [out["PrivateB"]]}])["NetworkAcls"][0]
        self.assertEqual(acl["NetworkAclId"], out["Acl"])
        self.assertEqual(self.iam.list_role_policies(RoleName=out["Role"])["PolicyNames"], ["queue", "table"])
        self.assertEqual(self.s3.get_bucket_versioning(Bucket=out["Bucket"])["Status"], "Enabled")
        self.assertEqual(self.s3.get_bucket_lifecycle_configuration(Bucket=out["Bucket"])["Rules"][0]["Filter"], {"Prefix": "logs/"})
        self.assertEqual(self.dynamodb.describe_time_to_live(TableName=out["Table"])["TimeToLiveDescription"]["AttributeName"], "ttl")
        self.assertIn("/stream/", out["Stream"])
        self.assertEqual(out["Version"], "1")

        changed = (NETWORK.replace("FromPort: 443, ToPort: 443", "FromPort: 8443, ToPort: 8443").replace("t3.micro", "t3.small")
                   .replace("EnableDnsHostnames: true", "EnableDnsHostnames: false").replace("ExpirationInDays: 30", "ExpirationInDays: 7")
                   .replace("Value: main", "Value: other").replace("RuleAction: allow", "RuleAction: deny")
                   .replace("PolicyName: queue", "PolicyName: other").replace("'dynamodb:GetItem'", "'dynamodb:PutItem'")
                   .replace("      TimeToLiveSpecification: {AttributeName: ttl, Enabled: true}\n", "")
                   .replace("AttributeDefinitions: [{AttributeName: id, AttributeType: S}]",
                            "AttributeDefinitions: [{AttributeName: id, AttributeType: S}, {AttributeName: day, AttributeType: S}]")
                   .replace("      BillingMode: PAY_PER_REQUEST\n", "      BillingMode: PAY_PER_REQUEST\n      GlobalSecondaryIndexes: "
                            "[{IndexName: day, KeySchema: [{AttributeName: day, KeyType: HASH}], Projection: {ProjectionType: ALL}}]\n"))
        self.assertNotEqual(changed, NETWORK)
        out2 = outputs(self.update("vpc", changed, Capabilities=["CAPABILITY_IAM"]))
        self.assertEqual({k: v for k, v in out2.items() if k != "Version"}, {k: v for k, v in out.items() if k != "Version"}, "nothing was replaced")
        self.assertEqual(out2["Version"], "2")
        self.assertFalse(self.ec2.describe_vpc_attribute(VpcId=out["Vpc"], Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"])
        [web] = self.ec2.describe_security_groups(GroupIds=[self.physical("vpc", "Web")])["SecurityGroups"]
        self.assertEqual(sorted(p["FromPort"] for p in web["IpPermissions"]), [80, 8443])
        self.assertEqual(self.s3.get_bucket_lifecycle_configuration(Bucket=out["Bucket"])["Rules"][0]["Expiration"]["Days"], 7)
        self.assertEqual(self.iam.list_role_policies(RoleName=out["Role"])["PolicyNames"], ["other", "table"])
        document = self.iam.get_role_policy(RoleName=out["Role"], PolicyName="table")["PolicyDocument"]
        self.assertEqual(document["Statement"][0]["Action"], "dynamodb:PutItem")
        table = self.dynamodb.describe_table(TableName=out["Table"])["Table"]
        self.assertEqual([i["IndexName"] for i in table["GlobalSecondaryIndexes"]], ["day"])
        self.assertEqual(self.dynamodb.describe_time_to_live(TableName=out["Table"])["TimeToLiveDescription"]["TimeToLiveStatus"], "DISABLED")
        tags = {t["Key"]: t["Value"] for t in self.ec2.describe_vpcs(VpcIds=[out["Vpc"]])["Vpcs"][0]["Tags"]}
        self.assertEqual(tags["Name"], "other")

        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.reasons(stack["StackId"]))
        with self.assertRaises(ClientError):
            self.ec2.describe_vpcs(VpcIds=[out["Vpc"]])
        with self.assertRaises(ClientError):
            self.iam.get_role(RoleName=out["Role"])
        self.assertNotIn(out["Bucket"], [b["Name"] for b in self.s3.list_buckets()["Buckets"]])

    def test_a_property_that_is_not_supported_fails_by_name(self):
        stack = self.create("unsupported", {"Resources": {"T": {"Type": "AWS::DynamoDB::Table", "Properties": {
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST", "KinesisStreamSpecification": {"StreamArn": "arn:aws:kinesis:us-east-1:1:stream/s"}}}}}, "ROLLBACK_COMPLETE")
        why = [r[2] for r in self.reasons(stack["StackId"]) if r[1] == "CREATE_FAILED"]
        self.assertIn("KinesisStreamSpecification", why[0])
        self.assertEqual(self.dynamodb.list_tables()["TableNames"], [])


if __name__ == "__main__":
    unittest.main()
