"""CloudFormation makes what only few stacks have: classic balancers with policies, VPN connections, reservations, hosts, peerings,
directory buckets, trust stores, archive rules, people of the directory. Made, changed without replacement, tagged anew, removed."""
import subprocess
import tempfile
import unittest

from cloudformation_case import Case, outputs
from s3case import control_client

NETWORKS = """
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Other: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.1.0.0/16}}
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: us-east-1a}}
  Second: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.2.0/24, AvailabilityZone: us-east-1b}}
  Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: g, VpcId: !Ref Vpc}}
  There: {Type: AWS::EC2::SecurityGroupVpcAssociation, Properties: {GroupId: !GetAtt Group.GroupId, VpcId: !Ref Other}}
  Reserved: {Type: AWS::EC2::SubnetCidrReservation, Properties: {SubnetId: !Ref Subnet, Cidr: 10.0.1.64/28, ReservationType: prefix, Description: for prefixes}}
  Gateway: {Type: AWS::EC2::VPNGateway, Properties: {Type: ipsec.1}}
  Attached: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, VpnGatewayId: !Ref Gateway}}
  Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  Propagated: {Type: AWS::EC2::VPNGatewayRoutePropagation, DependsOn: Attached, Properties: {VpnGatewayId: !Ref Gateway, RouteTableIds: [!Ref Table]}}
  Office: {Type: AWS::EC2::CustomerGateway, Properties: {Type: ipsec.1, IpAddress: 203.0.113.9, BgpAsn: 65000}}
  Connection: {Type: AWS::EC2::VPNConnection, Properties: {Type: ipsec.1, CustomerGatewayId: !Ref Office, VpnGatewayId: !Ref Gateway, StaticRoutesOnly: true}}
  Route: {Type: AWS::EC2::VPNConnectionRoute, Properties: {VpnConnectionId: !Ref Connection, DestinationCidrBlock: 172.16.0.0/12}}
  Hub: {Type: AWS::EC2::TransitGateway}
  Far: {Type: AWS::EC2::TransitGateway}
  Peering:
    Type: AWS::EC2::TransitGatewayPeeringAttachment
    Properties: {TransitGatewayId: !Ref Hub, PeerTransitGatewayId: !Ref Far, PeerAccountId: !Ref AWS::AccountId, PeerRegion: !Ref AWS::Region}
  Capacity: {Type: AWS::EC2::CapacityReservation, Properties: {InstanceType: t3.micro, InstancePlatform: Linux/UNIX, AvailabilityZone: us-east-1a, InstanceCount: 2}}
  Host: {Type: AWS::EC2::Host, Properties: {AvailabilityZone: us-east-1a, InstanceType: m5.large, AutoPlacement: 'off'}}
  Window: {Type: AWS::EC2::InstanceEventWindow, Properties: {Name: nights, CronExpression: '* 21-23 * * 2,3'}}
  Topic: {Type: AWS::SNS::Topic}
  MayTell:
    Type: AWS::SNS::TopicInlinePolicy
    Properties: {TopicArn: !Ref Topic, PolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: vpce.amazonaws.com}, Action: 'sns:Publish', Resource: !Ref Topic}]}}
  Endpoint:
    Type: AWS::EC2::VPCEndpoint
    Properties: {VpcId: !Ref Vpc, ServiceName: com.amazonaws.us-east-1.sqs, VpcEndpointType: Interface, PrivateDnsEnabled: false, SubnetIds: [!Ref Subnet]}
  Told: {Type: AWS::EC2::VPCEndpointConnectionNotification, DependsOn: MayTell, Properties: {VPCEndpointId: !Ref Endpoint, ConnectionNotificationArn: !Ref Topic, ConnectionEvents: [Accept]}}
Outputs:
  Capacity: {Value: !Ref Capacity}
  Host: {Value: !Ref Host}
  Window: {Value: !GetAtt Window.InstanceEventWindowId}
  Connection: {Value: !Ref Connection}
  Peering: {Value: !Ref Peering}
  Told: {Value: !Ref Told}
  Reserved: {Value: !GetAtt Reserved.SubnetCidrReservationId}
  Subnet: {Value: !Ref Subnet}
  Table: {Value: !Ref Table}
"""

BALANCER = """
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Igw: {Type: AWS::EC2::InternetGateway}
  Attached: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Igw}}
  A: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: us-east-1a}}
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.2.0/24, AvailabilityZone: us-east-1b}}
  Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: g, VpcId: !Ref Vpc}}
  Template: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {ImageId: IMAGE, InstanceType: t3.micro}}}
  Servers:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties: {MinSize: '0', MaxSize: '1', VPCZoneIdentifier: [!Ref A], LoadBalancerNames: [!Ref Balancer],
      LaunchTemplate: {LaunchTemplateId: !Ref Template, Version: '1'}}
  Balancer:
    Type: AWS::ElasticLoadBalancing::LoadBalancer
    DependsOn: Attached
    Properties:
      Subnets: [!Ref A]
      SecurityGroups: [!GetAtt Group.GroupId]
      CrossZone: true
      ConnectionSettings: {IdleTimeout: 30}
      HealthCheck: {Target: 'HTTP:80/health', HealthyThreshold: '3', UnhealthyThreshold: '5', Interval: '30', Timeout: '5'}
      Listeners:
        - {LoadBalancerPort: '80', InstancePort: '8080', Protocol: HTTP, PolicyNames: [sticky]}
        - {LoadBalancerPort: '81', InstancePort: '8081', Protocol: HTTP}
      LBCookieStickinessPolicy: [{PolicyName: sticky, CookieExpirationPeriod: '60'}]
      Policies: [{PolicyName: proxied, PolicyType: ProxyProtocolPolicyType, Attributes: [{Name: ProxyProtocol, Value: 'true'}], InstancePorts: ['8081']}]
Outputs:
  Name: {Value: !Ref Balancer}
  Host: {Value: !GetAtt Balancer.DNSName}
  Zone: {Value: !GetAtt Balancer.CanonicalHostedZoneNameID}
  Servers: {Value: !Ref Servers}
"""

REST = """
Resources:
  Store: {Type: AWS::ElasticLoadBalancingV2::TrustStore, Properties: {Name: mine, CaCertificatesBundleS3Bucket: certificates, CaCertificatesBundleS3Key: ca.pem}}
  Analyzer: {Type: AWS::AccessAnalyzer::Analyzer, Properties: {Type: ACCOUNT, AnalyzerName: watcher}}
  Rule: {Type: AWS::AccessAnalyzer::ArchiveRule, Properties: {AnalyzerName: watcher, RuleName: known, Filter: {resource: {Contains: [mine]}}}, DependsOn: Analyzer}
  Directory: {Type: AWS::S3Express::DirectoryBucket, Properties: {LocationName: use1-az4, DataRedundancy: SingleAvailabilityZone}}
  DirectoryPolicy:
    Type: AWS::S3Express::BucketPolicy
    Properties:
      Bucket: !Ref Directory
      PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {AWS: !Ref AWS::AccountId}, Action: 's3express:CreateSession', Resource: !GetAtt Directory.Arn}]}
  Identity: {Type: AWS::SSO::Instance, Properties: {Name: people}}
  Ann:
    Type: AWS::IdentityStore::User
    Properties: {IdentityStoreId: !GetAtt Identity.IdentityStoreId, UserName: ann, DisplayName: Ann, Name: {GivenName: Ann, FamilyName: Other}, Title: first}
  Stream: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1, MaxRecordSizeInKiB: 2048}}
  Consumer: {Type: AWS::Kinesis::StreamConsumer, Properties: {StreamARN: !GetAtt Stream.Arn, ConsumerName: reader, Tags: [{Key: a, Value: b}]}}
  Board: {Type: AWS::CloudWatch::Dashboard, Properties: {DashboardBody: '{"widgets": []}'}}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      ProvisionedThroughput: {ReadCapacityUnits: 1, WriteCapacityUnits: 1}
      ContributorInsightsSpecification: {Enabled: true}
      KinesisStreamSpecification: {StreamArn: !GetAtt Stream.Arn}
  Target:
    Type: AWS::ApplicationAutoScaling::ScalableTarget
    Properties: {ServiceNamespace: dynamodb, ResourceId: !Sub 'table/${Table}', ScalableDimension: 'dynamodb:table:ReadCapacityUnits', MinCapacity: 1, MaxCapacity: 5}
Outputs:
  Store: {Value: !Ref Store}
  Directory: {Value: !Ref Directory}
  Directory2: {Value: !GetAtt Identity.IdentityStoreId}
  Ann: {Value: !GetAtt Ann.UserId}
  Consumer: {Value: !Ref Consumer}
  Table: {Value: !Ref Table}
  Stream: {Value: !Ref Stream}
  Board: {Value: !Ref Board}
  Rule: {Value: !GetAtt Rule.Arn}
"""
BLUE = {"Key": "team", "Value": "blue"}


class MoreTypes(Case):
    ARGS = ("--durability", "relaxed", "--simulated")
    SERVICES = ("ec2", "elb", "elbv2", "s3", "identitystore", "accessanalyzer", "dynamodb", "kinesis", "cloudwatch", "autoscaling", "application-autoscaling")

    def test_networks(self):
        stack = self.create("networks", NETWORKS)
        out = outputs(stack)
        self.assert_nothing_drifted("networks")
        [c] = self.ec2.describe_vpn_connections(VpnConnectionIds=[out["Connection"]])["VpnConnections"]
        self.assertEqual((c["State"], c["Options"]["StaticRoutesOnly"], [r["DestinationCidrBlock"] for r in c["Routes"]]), ("available", True, ["172.16.0.0/12"]))
        self.assertEqual(len(self.ec2.describe_route_tables(RouteTableIds=[out["Table"]])["RouteTables"][0]["PropagatingVgws"]), 1)
        reserved = self.ec2.get_subnet_cidr_reservations(SubnetId=out["Subnet"])["SubnetIpv4CidrReservations"]
        self.assertEqual([r["SubnetCidrReservationId"] for r in reserved], [out["Reserved"]])
        self.assertEqual(self.ec2.describe_transit_gateway_peering_attachments(TransitGatewayAttachmentIds=[out["Peering"]])
                         ["TransitGatewayPeeringAttachments"][0]["State"], "pendingAcceptance")
        changed = (NETWORKS.replace("InstanceCount: 2", "InstanceCount: 3").replace("AutoPlacement: 'off'", "AutoPlacement: 'on'")
                   .replace("Name: nights", "Name: evenings").replace("ConnectionEvents: [Accept]", "ConnectionEvents: [Accept, Reject]"))
        self.assertEqual(outputs(self.update("networks", changed)), out, "nothing was replaced")
        self.assertEqual(self.ec2.describe_capacity_reservations(CapacityReservationIds=[out["Capacity"]])["CapacityReservations"][0]["TotalInstanceCount"], 3)
        self.assertEqual(self.ec2.describe_hosts(HostIds=[out["Host"]])["Hosts"][0]["AutoPlacement"], "on")
        self.assertEqual(self.ec2.describe_instance_event_windows(InstanceEventWindowIds=[out["Window"]])["InstanceEventWindows"][0]["Name"], "evenings")
        self.assertEqual(self.ec2.describe_vpc_endpoint_connection_notifications(ConnectionNotificationId=out["Told"])
                         ["ConnectionNotificationSet"][0]["ConnectionEvents"], ["Accept", "Reject"])
        self.assertEqual(outputs(self.retag("networks")), out)
        for id in (out["Host"], out["Window"], out["Connection"], out["Peering"], out["Reserved"]):
            tags = self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [id]}])["Tags"]
            self.assertIn(("team", "blue"), {(t["Key"], t["Value"]) for t in tags}, id)
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))
        self.assertEqual({h["State"] for h in self.ec2.describe_hosts()["Hosts"]} - {"released"}, set())
        self.assertEqual({c["State"] for c in self.ec2.describe_capacity_reservations()["CapacityReservations"]} - {"cancelled"}, set())

    def listeners(self, name):
        [b] = self.elb.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"]
        return b, {x["Listener"]["LoadBalancerPort"]: (x["Listener"]["InstancePort"], x["PolicyNames"]) for x in b["ListenerDescriptions"]}

    def test_a_classic_balancer(self):
        template = BALANCER.replace("IMAGE", self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"])
        stack = self.create("classic", template)
        out = outputs(stack)
        b, listeners = self.listeners(out["Name"])
        self.assertEqual(listeners, {80: (8080, ["sticky"]), 81: (8081, [])})
        self.assertEqual((b["DNSName"], b["HealthCheck"]["Target"], [(d["InstancePort"], d["PolicyNames"]) for d in b["BackendServerDescriptions"]]),
                         (out["Host"], "HTTP:80/health", [(8081, ["proxied"])]))
        attributes = self.elb.describe_load_balancer_attributes(LoadBalancerName=out["Name"])["LoadBalancerAttributes"]
        self.assertEqual((attributes["CrossZoneLoadBalancing"]["Enabled"], attributes["ConnectionSettings"]["IdleTimeout"]), (True, 30))
        self.assert_nothing_drifted("classic")
        changed = (template.replace("CookieExpirationPeriod: '60'", "CookieExpirationPeriod: '90'").replace("Subnets: [!Ref A]", "Subnets: [!Ref A, !Ref B]")
                   .replace("LoadBalancerPort: '81', InstancePort: '8081'", "LoadBalancerPort: '82', InstancePort: '8082'").replace("InstancePorts: ['8081']", "InstancePorts: ['8082']")
                   .replace("CrossZone: true", "CrossZone: false").replace("HTTP:80/health", "TCP:80"))
        self.assertEqual(outputs(self.update("classic", changed)), out, "nothing was replaced")
        b, listeners = self.listeners(out["Name"])
        self.assertEqual(listeners, {80: (8080, ["sticky"]), 82: (8082, [])})
        self.assertEqual((b["HealthCheck"]["Target"], len(b["Subnets"]), [(d["InstancePort"], d["PolicyNames"]) for d in b["BackendServerDescriptions"]]),
                         ("TCP:80", 2, [(8082, ["proxied"])]))
        [sticky] = self.elb.describe_load_balancer_policies(LoadBalancerName=out["Name"], PolicyNames=["sticky"])["PolicyDescriptions"]
        self.assertEqual(sticky["PolicyAttributeDescriptions"], [{"AttributeName": "CookieExpirationPeriod", "AttributeValue": "90"}])
        self.assertEqual(outputs(self.retag("classic")), out)
        self.assertIn(BLUE, self.elb.describe_tags(LoadBalancerNames=[out["Name"]])["TagDescriptions"][0]["Tags"])
        self.update("classic", changed.replace("LoadBalancerNames: [!Ref Balancer],", ""))
        self.assertEqual(self.autoscaling.describe_load_balancers(AutoScalingGroupName=out["Servers"])["LoadBalancers"], [])
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))
        self.assertEqual(self.elb.describe_load_balancers()["LoadBalancerDescriptions"], [])

    def test_the_rest(self):
        self.s3.create_bucket(Bucket="certificates")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ours", "-days", "30", "-keyout", f"{folder}/key",
                            "-out", f"{folder}/ca.pem"], check=True, capture_output=True)
            self.s3.upload_file(f"{folder}/ca.pem", "certificates", "ca.pem")
        stack = self.create("rest", REST)
        out = outputs(stack)
        self.assert_nothing_drifted("rest")
        person = lambda: self.identitystore.describe_user(IdentityStoreId=out["Directory2"], UserId=out["Ann"])  # noqa: E731
        self.assertEqual((person()["UserName"], person()["Title"]), ("ann", "first"))
        rule = lambda: self.accessanalyzer.get_archive_rule(analyzerName="watcher", ruleName="known")["archiveRule"]["filter"]  # noqa: E731
        self.assertEqual(rule(), {"resource": {"contains": ["mine"]}})
        self.assertRegex(out["Directory"], "--use1-az4--x-s3$")
        insights = lambda: self.dynamodb.describe_contributor_insights(TableName=out["Table"])["ContributorInsightsStatus"]  # noqa: E731
        self.assertIn(insights(), ("ENABLED", "ENABLING"))
        self.assertEqual(len(self.dynamodb.describe_kinesis_streaming_destination(TableName=out["Table"])["KinesisDataStreamDestinations"]), 1)
        size = lambda: self.kinesis.describe_stream_summary(StreamName=out["Stream"])["StreamDescriptionSummary"]["MaxRecordSizeInKiB"]  # noqa: E731
        self.assertEqual(size(), 2048)
        changed = (REST.replace("Title: first", "Title: second").replace("Contains: [mine]", "Eq: [other]").replace("Enabled: true", "Enabled: false")
                   .replace("MaxRecordSizeInKiB: 2048", "MaxRecordSizeInKiB: 4096").replace("MaxCapacity: 5", "MaxCapacity: 6"))
        self.assertEqual(outputs(self.update("rest", changed)), out, "nothing was replaced")
        self.assertEqual((person()["Title"], rule(), size()), ("second", {"resource": {"eq": ["other"]}}, 4096))
        self.assertIn(insights(), ("DISABLED", "DISABLING"))
        self.assertEqual(outputs(self.retag("rest")), out)
        self.assertIn(BLUE, self.elbv2.describe_tags(ResourceArns=[out["Store"]])["TagDescriptions"][0]["Tags"])
        self.assertIn(BLUE, control_client(self.virga, "test", "test").list_tags_for_resource(AccountId="000000000000", ResourceArn=f"arn:aws:s3:::{out['Directory']}")["Tags"])
        self.assertEqual(self.kinesis.list_tags_for_resource(ResourceARN=out["Consumer"])["Tags"][-1]["Key"], "team")
        self.assertIn(BLUE, self.cloudwatch.list_tags_for_resource(ResourceARN=f"arn:aws:cloudwatch::000000000000:dashboard/{out['Board']}")["Tags"])
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))
        self.assertEqual(self.elbv2.describe_trust_stores()["TrustStores"], [])


if __name__ == "__main__":
    unittest.main()
