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

        self.assertEqual(outputs(self.retag("vpc", Capabilities=["CAPABILITY_IAM"])), out, "nothing was replaced")
        self.assertIn({"Key": "team", "Value": "blue"}, self.ec2.describe_nat_gateways(NatGatewayIds=[out["Nat"]])["NatGateways"][0]["Tags"])
        self.assertIn({"Key": "team", "Value": "blue"}, self.iam.list_role_tags(RoleName=out["Role"])["Tags"])
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
            "BillingMode": "PAY_PER_REQUEST", "ImportSourceSpecification": {"InputFormat": "CSV", "S3BucketSource": {"S3Bucket": "b"}}}}}}, "ROLLBACK_COMPLETE")
        why = [r[2] for r in self.reasons(stack["StackId"]) if r[1] == "CREATE_FAILED"]
        self.assertIn("ImportSourceSpecification", why[0])
        self.assertEqual(self.dynamodb.list_tables()["TableNames"], [])


STORAGE = """
Resources:
  Logs:
    Type: AWS::S3::Bucket
    Properties: {OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerPreferred}]}, AccessControl: LogDeliveryWrite}
  Events: {Type: AWS::SQS::Queue}
  EventsPolicy:
    Type: AWS::SQS::QueueInlinePolicy
    Properties:
      Queue: !Ref Events
      PolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: 'sqs:SendMessage', Resource: !GetAtt Events.Arn}]}
  Site:
    Type: AWS::S3::Bucket
    DependsOn: EventsPolicy
    Properties:
      WebsiteConfiguration:
        IndexDocument: index.html
        ErrorDocument: error.html
        RoutingRules: [{RoutingRuleCondition: {KeyPrefixEquals: old/}, RedirectRule: {ReplaceKeyPrefixWith: new/}}]
      CorsConfiguration: {CorsRules: [{AllowedMethods: [GET], AllowedOrigins: ['*'], ExposedHeaders: [ETag], MaxAge: 60, Id: all}]}
      LoggingConfiguration: {DestinationBucketName: !Ref Logs, LogFilePrefix: site/}
      NotificationConfiguration:
        QueueConfigurations: [{Event: 's3:ObjectCreated:*', Queue: !GetAtt Events.Arn, Filter: {S3Key: {Rules: [{Name: prefix, Value: in/}]}}}]
      LifecycleConfiguration:
        Rules:
          - {Id: a, Status: Enabled, TagFilters: [{Key: k, Value: v}], ObjectSizeGreaterThan: 5, Transitions: [{StorageClass: GLACIER, TransitionInDays: 3}]}
          - {Id: b, Status: Enabled, NoncurrentVersionExpirationInDays: 9, AbortIncompleteMultipartUpload: {DaysAfterInitiation: 2}}
      MetricsConfigurations: [{Id: m, Prefix: x/}]
      IntelligentTieringConfigurations: [{Id: t, Status: Enabled, Prefix: y/, Tierings: [{AccessTier: ARCHIVE_ACCESS, Days: 90}]}]
      InventoryConfigurations:
        - {Id: i, Enabled: true, IncludedObjectVersions: All, ScheduleFrequency: Daily, Destination: {BucketArn: !GetAtt Logs.Arn, Format: CSV}}
      AnalyticsConfigurations: [{Id: n, Prefix: z/, StorageClassAnalysis: {}}]
      ObjectLockEnabled: false
      Tags: [{Key: a, Value: b}]
  Point: {Type: AWS::S3::AccessPoint, Properties: {Bucket: !Ref Site, Name: front}}
  Key:
    Type: AWS::KMS::Key
    Properties:
      Description: first
      EnableKeyRotation: true
      PendingWindowInDays: 7
      KeyPolicy: {Statement: [{Effect: Allow, Principal: {AWS: !Sub 'arn:aws:iam::${AWS::AccountId}:root'}, Action: 'kms:*', Resource: '*'}]}
  Alias: {Type: AWS::KMS::Alias, Properties: {AliasName: alias/first, TargetKeyId: !Ref Key}}
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      Name: the-secret
      KmsKeyId: !Ref Key
      GenerateSecretString: {SecretStringTemplate: '{"user": "me"}', GenerateStringKey: password, PasswordLength: 20, ExcludePunctuation: true}
  SecretPolicy:
    Type: AWS::SecretsManager::ResourcePolicy
    Properties:
      SecretId: !Ref Secret
      ResourcePolicy: {Version: 2012-10-17, Statement: [{Effect: Deny, Principal: '*', Action: 'secretsmanager:DeleteSecret', Resource: '*',
        Condition: {StringEquals: {'aws:username': nobody}}}]}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: hello, Subscription: [{Protocol: sqs, Endpoint: !GetAtt Events.Arn}]}
  TopicPolicy:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [!Ref Topic]
      PolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: 'sns:Publish', Resource: !Ref Topic}]}
  Fifo: {Type: AWS::SNS::Topic, Properties: {FifoTopic: true, ContentBasedDeduplication: true}}
  FifoPolicy:
    Type: AWS::SNS::TopicInlinePolicy
    Properties: {TopicArn: !Ref Fifo, PolicyDocument: {Statement: [{Effect: Allow, Principal: '*', Action: 'sns:Publish', Resource: !Ref Fifo}]}}
  Other: {Type: AWS::SQS::Queue}
  Subscription:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Topic, Protocol: sqs, Endpoint: !GetAtt Other.Arn, RawMessageDelivery: true, FilterPolicy: {kind: [a]}}
  TrailPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Logs
      PolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: cloudtrail.amazonaws.com}, Action: 's3:GetBucketAcl', Resource: !GetAtt Logs.Arn}
          - {Effect: Allow, Principal: {Service: cloudtrail.amazonaws.com}, Action: 's3:PutObject', Resource: !Sub '${Logs.Arn}/*'}
  Trail:
    Type: AWS::CloudTrail::Trail
    DependsOn: TrailPolicy
    Properties: {IsLogging: true, S3BucketName: !Ref Logs, EventSelectors: [{ReadWriteType: WriteOnly}]}
  Analyzer:
    Type: AWS::AccessAnalyzer::Analyzer
    Properties: {Type: ACCOUNT, AnalyzerName: mine, Tags: [{Key: a, Value: b}]}
  Global:
    Type: AWS::DynamoDB::GlobalTable
    Properties:
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      BillingMode: PAY_PER_REQUEST
      StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}
      Replicas: [{Region: us-east-1, PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}}, {Region: eu-west-1}]
Outputs:
  Url: {Value: !GetAtt Site.WebsiteURL}
  Key: {Value: !Ref Key}
  Secret: {Value: !Ref Secret}
  Topic: {Value: !Ref Topic}
  Site: {Value: !Ref Site}
  Fifo: {Value: !GetAtt Fifo.TopicName}
  Subscription: {Value: !Ref Subscription}
  Trail: {Value: !Ref Trail}
  Alias: {Value: !GetAtt Point.Alias}
  Global: {Value: !Ref Global}
  Analyzer: {Value: !Ref Analyzer}
"""


class Storage(Case):
    SERVICES = ("s3", "kms", "secretsmanager", "sns", "sqs", "cloudtrail", "accessanalyzer", "dynamodb", "s3control")

    def test_storage_keys_and_messages(self):
        stack = self.create("storage", STORAGE)
        out = outputs(stack)
        site = out["Site"]
        self.assertEqual(out["Url"], f"http://{site}.s3-website-us-east-1.amazonaws.com")
        website = self.s3.get_bucket_website(Bucket=site)
        self.assertEqual((website["IndexDocument"]["Suffix"], website["RoutingRules"][0]["Redirect"]["ReplaceKeyPrefixWith"]), ("index.html", "new/"))
        [cors] = self.s3.get_bucket_cors(Bucket=site)["CORSRules"]
        self.assertEqual((cors["ID"], cors["MaxAgeSeconds"], cors["ExposeHeaders"]), ("all", 60, ["ETag"]))
        self.assertEqual(self.s3.get_bucket_logging(Bucket=site)["LoggingEnabled"]["TargetPrefix"], "site/")
        a, b = self.s3.get_bucket_lifecycle_configuration(Bucket=site)["Rules"]
        self.assertEqual(a["Filter"], {"And": {"Tags": [{"Key": "k", "Value": "v"}], "ObjectSizeGreaterThan": 5}})
        self.assertEqual((a["Transitions"], b["NoncurrentVersionExpiration"]), ([{"Days": 3, "StorageClass": "GLACIER"}], {"NoncurrentDays": 9}))
        self.assertEqual(self.s3.get_bucket_inventory_configuration(Bucket=site, Id="i")["InventoryConfiguration"]["Schedule"], {"Frequency": "Daily"})
        self.assertEqual(self.s3.get_bucket_metrics_configuration(Bucket=site, Id="m")["MetricsConfiguration"]["Filter"], {"Prefix": "x/"})
        self.assertEqual({t["Key"] for t in self.s3.get_bucket_tagging(Bucket=site)["TagSet"]},
                         {"a", "aws:cloudformation:stack-name", "aws:cloudformation:stack-id", "aws:cloudformation:logical-id"})
        self.s3.put_object(Bucket=site, Key="in/x", Body=b"1")
        [message] = self.sqs.receive_message(QueueUrl=self.physical("storage", "Events"), WaitTimeSeconds=10)["Messages"]
        while "Records" not in message["Body"]:  # S3's test event comes first
            [message] = self.sqs.receive_message(QueueUrl=self.physical("storage", "Events"), WaitTimeSeconds=10)["Messages"]
        self.s3.delete_object(Bucket=site, Key="in/x")
        self.assertTrue(self.kms.get_key_rotation_status(KeyId=out["Key"])["KeyRotationEnabled"])
        self.assertEqual(self.kms.describe_key(KeyId="alias/first")["KeyMetadata"]["KeyId"], out["Key"])
        secret = json.loads(self.secretsmanager.get_secret_value(SecretId=out["Secret"])["SecretString"])
        self.assertEqual((secret["user"], len(secret["password"])), ("me", 20))
        self.assertEqual(len(self.sns.list_subscriptions_by_topic(TopicArn=out["Topic"])["Subscriptions"]), 2)
        self.assertIn("s3.amazonaws.com", self.sns.get_topic_attributes(TopicArn=out["Topic"])["Attributes"]["Policy"])
        self.assertTrue(out["Fifo"].endswith(".fifo"))
        attributes = self.sns.get_subscription_attributes(SubscriptionArn=out["Subscription"])["Attributes"]
        self.assertEqual((attributes["RawMessageDelivery"], json.loads(attributes["FilterPolicy"])), ("true", {"kind": ["a"]}))
        self.assertTrue(self.cloudtrail.get_trail_status(Name=out["Trail"])["IsLogging"])
        replicas = self.dynamodb.describe_table(TableName=out["Global"])["Table"]["Replicas"]
        self.assertEqual([r["RegionName"] for r in replicas if r["RegionName"] != "us-east-1"], ["eu-west-1"])
        self.assertEqual(self.accessanalyzer.get_analyzer(analyzerName="mine")["analyzer"]["tags"]["a"], "b")

        self.assertEqual(outputs(self.retag("storage")), out, "nothing was replaced")
        self.assertIn({"Key": "team", "Value": "blue"}, self.s3.get_bucket_tagging(Bucket=site)["TagSet"])
        self.assertIn({"TagKey": "team", "TagValue": "blue"}, self.kms.list_resource_tags(KeyId=out["Key"])["Tags"])
        changed = (STORAGE.replace("MaxAge: 60", "MaxAge: 61").replace("Description: first", "Description: second").replace("EnableKeyRotation: true", "EnableKeyRotation: false")
                   .replace("{Key: a, Value: b}", "{Key: a, Value: c}").replace("DisplayName: hello, Subscription: [{Protocol: sqs, Endpoint: !GetAtt Events.Arn}]", "DisplayName: bye")
                   .replace("RawMessageDelivery: true, ", "").replace("IsLogging: true", "IsLogging: false").replace("Id: m, Prefix: x/", "Id: other, Prefix: x/")
                   .replace("      LoggingConfiguration: {DestinationBucketName: !Ref Logs, LogFilePrefix: site/}\n", "").replace("PasswordLength: 20", "PasswordLength: 24"))
        out2 = outputs(self.update("storage", changed))
        self.assertEqual(out2, out, "nothing was replaced")
        self.assertEqual(self.s3.get_bucket_cors(Bucket=site)["CORSRules"][0]["MaxAgeSeconds"], 61)
        self.assertNotIn("LoggingEnabled", self.s3.get_bucket_logging(Bucket=site))
        self.assertEqual([m["Id"] for m in self.s3.list_bucket_metrics_configurations(Bucket=site)["MetricsConfigurationList"]], ["other"])
        self.assertIn({"Key": "a", "Value": "c"}, self.s3.get_bucket_tagging(Bucket=site)["TagSet"])
        self.assertEqual(self.kms.describe_key(KeyId=out["Key"])["KeyMetadata"]["Description"], "second")
        self.assertFalse(self.kms.get_key_rotation_status(KeyId=out["Key"])["KeyRotationEnabled"])
        self.assertEqual(len(self.sns.list_subscriptions_by_topic(TopicArn=out["Topic"])["Subscriptions"]), 1)
        self.assertEqual(self.sns.get_subscription_attributes(SubscriptionArn=out["Subscription"])["Attributes"]["RawMessageDelivery"], "false")
        self.assertFalse(self.cloudtrail.get_trail_status(Name=out["Trail"])["IsLogging"])
        self.assertEqual(len(json.loads(self.secretsmanager.get_secret_value(SecretId=out["Secret"])["SecretString"])["password"]), 24)

        # Access logs and the trail's files come to the bucket when they are due; one that is not empty cannot be deleted.
        logs = self.physical("storage", "Logs")
        for _ in range(10):
            for o in self.s3.list_objects_v2(Bucket=logs).get("Contents", []):
                self.s3.delete_object(Bucket=logs, Key=o["Key"])
            removed = self.remove(stack["StackId"])["StackStatus"]
            if removed == "DELETE_COMPLETE":
                break
        self.assertEqual(removed, "DELETE_COMPLETE", self.failures(stack["StackId"]))
        self.assertEqual(self.kms.describe_key(KeyId=out["Key"])["KeyMetadata"]["KeyState"], "PendingDeletion")
        self.assertEqual((self.sns.list_topics()["Topics"], self.s3.list_buckets()["Buckets"], self.dynamodb.list_tables()["TableNames"]), ([], [], []))


PEOPLE = {"Resources": {
    "Group": {"Type": "AWS::IAM::Group", "Properties": {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}},
    "User": {"Type": "AWS::IAM::User", "Properties": {"UserName": "ann", "Groups": [{"Ref": "Group"}], "LoginProfile": {"Password": "Sesame-Open-77"},
             "Policies": [{"PolicyName": "p", "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}}]}},
    "Bob": {"Type": "AWS::IAM::User"},
    "More": {"Type": "AWS::IAM::UserToGroupAddition", "Properties": {"GroupName": {"Ref": "Group"}, "Users": [{"Ref": "Bob"}]}},
    "Key": {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": {"Ref": "User"}}},
    "Managed": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": "m", "Users": [{"Ref": "User"}], "PolicyDocument": {
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}}},
    "Role": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r", "PermissionsBoundary": {"Ref": "Managed"}, "Tags": [{"Key": "a", "Value": "1"}],
             "AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}},
    "RolePolicy": {"Type": "AWS::IAM::RolePolicy", "Properties": {"RoleName": {"Ref": "Role"}, "PolicyName": "own", "PolicyDocument": {
        "Statement": [{"Effect": "Allow", "Action": "sns:*", "Resource": "*"}]}}},
    "Provider": {"Type": "AWS::IAM::OIDCProvider", "Properties": {"Url": "https://token.example.com", "ClientIdList": ["a"], "ThumbprintList": ["a" * 40]}},
}, "Outputs": {"Secret": {"Value": {"Fn::GetAtt": ["Key", "SecretAccessKey"]}}, "Id": {"Value": {"Ref": "Key"}}, "Policy": {"Value": {"Ref": "Managed"}},
               "Provider": {"Value": {"Ref": "Provider"}}}}


class People(Case):
    SERVICES = ("iam",)

    def test_users_groups_roles(self):
        stack = self.create("people", PEOPLE, Capabilities=["CAPABILITY_NAMED_IAM"])
        out = outputs(stack)
        sts = self.virga.client("sts", aws_access_key_id=out["Id"], aws_secret_access_key=out["Secret"])
        self.assertTrue(sts.get_caller_identity()["Arn"].endswith(":user/ann"))
        group = self.physical("people", "Group")
        self.assertEqual({u["UserName"] for u in self.iam.get_group(GroupName=group)["Users"]}, {"ann", self.physical("people", "Bob")})
        self.assertEqual(self.iam.get_role(RoleName="r")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"], out["Policy"])
        for action in ("s3:a", "s3:b", "s3:c", "s3:d", "s3:e", "s3:f"):
            PEOPLE["Resources"]["Managed"]["Properties"]["PolicyDocument"]["Statement"][0]["Action"] = action
            PEOPLE["Resources"]["RolePolicy"]["Properties"]["PolicyDocument"]["Statement"][0]["Action"] = action
            self.update("people", PEOPLE, Capabilities=["CAPABILITY_NAMED_IAM"])
        versions = self.iam.list_policy_versions(PolicyArn=out["Policy"])["Versions"]
        self.assertEqual(len(versions), 5)
        PEOPLE["Resources"]["Role"]["Properties"].pop("PermissionsBoundary")
        PEOPLE["Resources"]["Role"]["Properties"].update(Tags=[{"Key": "b", "Value": "2"}], MaxSessionDuration=7200)
        PEOPLE["Resources"]["User"]["Properties"].update(Policies=[], LoginProfile={"Password": "Sesame-Close-77"})
        PEOPLE["Resources"]["Provider"]["Properties"]["ClientIdList"] = ["b", "c"]
        self.update("people", PEOPLE, Capabilities=["CAPABILITY_NAMED_IAM"])
        role = self.iam.get_role(RoleName="r")["Role"]
        self.assertNotIn("PermissionsBoundary", role)
        self.assertEqual((role["MaxSessionDuration"], {t["Key"] for t in role["Tags"] if not t["Key"].startswith("aws:")}), (7200, {"b"}))
        self.assertEqual(self.iam.list_user_policies(UserName="ann")["PolicyNames"], [])
        self.assertEqual(set(self.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=out["Provider"])["ClientIDList"]), {"b", "c"})
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))
        self.assertEqual((self.iam.list_users()["Users"], self.iam.list_policies(Scope="Local")["Policies"]), ([], []))


if __name__ == "__main__":
    unittest.main()
