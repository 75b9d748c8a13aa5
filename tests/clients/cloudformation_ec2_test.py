"""CloudFormation makes the less common resources of EC2, instances with what hangs on them, and organizations."""
import unittest

from cloudformation_case import Case, outputs

MORE = """
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Second: {Type: AWS::EC2::VPCCidrBlock, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.5.0.0/16}}
  Six: {Type: AWS::EC2::VPCCidrBlock, Properties: {VpcId: !Ref Vpc, AmazonProvidedIpv6CidrBlock: true}}
  Other: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.1.0.0/16}}
  Peering: {Type: AWS::EC2::VPCPeeringConnection, Properties: {VpcId: !Ref Vpc, PeerVpcId: !Ref Other}}
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: us-east-1a}}
  OtherSubnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Other, CidrBlock: 10.1.1.0/24}}
  Igw: {Type: AWS::EC2::InternetGateway}
  Attachment: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Igw}}
  Egress: {Type: AWS::EC2::EgressOnlyInternetGateway, Properties: {VpcId: !Ref Vpc}}
  Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  SixRoute: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref Table, DestinationIpv6CidrBlock: '::/0', EgressOnlyInternetGatewayId: !Ref Egress}}
  PeerRoute: {Type: AWS::EC2::Route, Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 10.1.0.0/16, VpcPeeringConnectionId: !Ref Peering}}
  Options: {Type: AWS::EC2::DHCPOptions, Properties: {DomainName: example.internal, DomainNameServers: [AmazonProvidedDNS], NtpServers: [169.254.169.123]}}
  OptionsUsed: {Type: AWS::EC2::VPCDHCPOptionsAssociation, Properties: {VpcId: !Ref Vpc, DhcpOptionsId: !Ref Options}}
  List: {Type: AWS::EC2::PrefixList, Properties: {PrefixListName: offices, AddressFamily: IPv4, MaxEntries: 5, Entries: [{Cidr: 192.0.2.0/24, Description: a}, {Cidr: 198.51.100.0/24}]}}
  Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: g, VpcId: !Ref Vpc, SecurityGroupIngress: [
    {IpProtocol: tcp, FromPort: 22, ToPort: 22, SourcePrefixListId: !Ref List}]}}
  Out: {Type: AWS::EC2::SecurityGroupEgress, Properties: {GroupId: !Ref Group, IpProtocol: tcp, FromPort: 1, ToPort: 2, CidrIpv6: '::/0', Description: first}}
  Eni: {Type: AWS::EC2::NetworkInterface, Properties: {SubnetId: !Ref Subnet, GroupSet: [!Ref Group], Description: mine, SourceDestCheck: false}}
  Address: {Type: AWS::EC2::EIP, DependsOn: Attachment, Properties: {Domain: vpc, Tags: [{Key: k, Value: v}]}}
  Associated: {Type: AWS::EC2::EIPAssociation, Properties: {AllocationId: !GetAtt Address.AllocationId, NetworkInterfaceId: !Ref Eni}}
  LogsBucket: {Type: AWS::S3::Bucket}
  Flow: {Type: AWS::EC2::FlowLog, Properties: {ResourceId: !Ref Vpc, ResourceType: VPC, TrafficType: REJECT, LogDestinationType: s3, LogDestination: !GetAtt LogsBucket.Arn}}
  Gateway: {Type: AWS::EC2::TransitGateway, Properties: {Description: hub, DefaultRouteTableAssociation: disable, DefaultRouteTablePropagation: disable}}
  Spoke: {Type: AWS::EC2::TransitGatewayAttachment, Properties: {TransitGatewayId: !Ref Gateway, VpcId: !Ref Other, SubnetIds: [!Ref OtherSubnet]}}
  Routes: {Type: AWS::EC2::TransitGatewayRouteTable, Properties: {TransitGatewayId: !Ref Gateway}}
  SpokeIn: {Type: AWS::EC2::TransitGatewayRouteTableAssociation, Properties: {TransitGatewayAttachmentId: !Ref Spoke, TransitGatewayRouteTableId: !Ref Routes}}
  SpokeOut: {Type: AWS::EC2::TransitGatewayRouteTablePropagation, Properties: {TransitGatewayAttachmentId: !Ref Spoke, TransitGatewayRouteTableId: !Ref Routes}}
  Static: {Type: AWS::EC2::TransitGatewayRoute, Properties: {TransitGatewayRouteTableId: !Ref Routes, DestinationCidrBlock: 172.16.0.0/12, Blackhole: true}}
  Key: {Type: AWS::EC2::KeyPair, Properties: {KeyName: made, KeyType: ed25519}}
  Disk: {Type: AWS::EC2::Volume, Properties: {AvailabilityZone: us-east-1a, Size: 1, VolumeType: gp3, Tags: [{Key: k, Value: v}]}}
  Spread: {Type: AWS::EC2::PlacementGroup, Properties: {Strategy: spread}}
Outputs:
  List: {Value: !Ref List}
  Eni: {Value: !GetAtt Eni.PrimaryPrivateIpAddress}
  KeyId: {Value: !GetAtt Key.KeyPairId}
  Address: {Value: !Ref Address}
  Group: {Value: !Ref Group}
  Peering: {Value: !Ref Peering}
  Disk: {Value: !Ref Disk}
"""

class More(Case):
    SERVICES = ("ec2", "ssm")

    def test_networks_and_disks(self):
        stack = self.create("more", MORE)
        out = outputs(stack)
        self.assertIn("PRIVATE KEY", self.ssm.get_parameter(Name="/ec2/keypair/" + out["KeyId"], WithDecryption=True)["Parameter"]["Value"])
        self.assertEqual(self.ec2.describe_addresses(PublicIps=[out["Address"]])["Addresses"][0]["PrivateIpAddress"], out["Eni"])
        self.assertEqual(self.ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[out["Peering"]])["VpcPeeringConnections"][0]["Status"]["Code"], "active")
        self.assertEqual(outputs(self.retag("more")), out, "nothing was replaced")
        self.assertIn({"Key": "team", "Value": "blue"}, self.ec2.describe_key_pairs()["KeyPairs"][0]["Tags"])
        changed = (MORE.replace("{Cidr: 198.51.100.0/24}", "{Cidr: 203.0.113.0/24}").replace("Description: mine, SourceDestCheck: false", "Description: yours")
                   .replace("Description: hub", "Description: wheel").replace("Size: 1,", "Size: 2,").replace("Description: first", "Description: second")
                   .replace("{Key: k, Value: v}", "{Key: k, Value: w}"))
        self.assertEqual(outputs(self.update("more", changed)), out, "nothing was replaced")
        entries = self.ec2.get_managed_prefix_list_entries(PrefixListId=out["List"])["Entries"]
        self.assertEqual({e["Cidr"] for e in entries}, {"192.0.2.0/24", "203.0.113.0/24"})
        [disk] = self.ec2.describe_volumes(VolumeIds=[out["Disk"]])["Volumes"]
        self.assertEqual((disk["Size"], {t["Value"] for t in disk["Tags"] if t["Key"] == "k"}), (2, {"w"}))
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))
        self.assertEqual(self.ec2.describe_key_pairs()["KeyPairs"], [])

    def test_an_instance_changes_its_type_and_profile(self):
        image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

        def template(kind, profile, monitoring):
            return {"Resources": {
                "V": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
                "S": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "V"}, "CidrBlock": "10.0.1.0/24"}},
                "G": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "g", "VpcId": {"Ref": "V"}}},
                "R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}},
                "P": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "R"}]}},
                "Q": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "R"}]}},
                "D": {"Type": "AWS::EC2::Volume", "Properties": {"AvailabilityZone": {"Fn::GetAtt": "S.AvailabilityZone"}, "Size": 1}},
                "I": {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": image, "InstanceType": kind, "SubnetId": {"Ref": "S"}, "SecurityGroupIds": [{"Ref": "G"}],
                      "IamInstanceProfile": {"Ref": profile}, "UserData": {"Fn::Base64": "#!/bin/sh\ntrue\n"}, "Monitoring": monitoring, "Tags": [{"Key": "Name", "Value": "one"}]}},
                "DI": {"Type": "AWS::EC2::VolumeAttachment", "Properties": {"Device": "/dev/sdf", "InstanceId": {"Ref": "I"}, "VolumeId": {"Ref": "D"}}}},
                "Outputs": {"Ip": {"Value": {"Fn::GetAtt": "I.PrivateIp"}}, "I": {"Value": {"Ref": "I"}}}}
        stack = self.create("instance", template("t3.micro", "P", False), Capabilities=["CAPABILITY_IAM"])
        out = outputs(stack)
        self.assertEqual(outputs(self.update("instance", template("t3.small", "Q", True), Capabilities=["CAPABILITY_IAM"])), out)
        i = self.ec2.describe_instances(InstanceIds=[out["I"]])["Reservations"][0]["Instances"][0]
        self.assertEqual((i["InstanceType"], i["State"]["Name"], i["Monitoring"]["State"]), ("t3.small", "running", "enabled"))
        self.assertTrue(i["IamInstanceProfile"]["Arn"].endswith("/" + self.physical("instance", "Q")))
        self.assertIn("/dev/sdf", [m["DeviceName"] for m in i["BlockDeviceMappings"]])
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))

    def test_an_organization(self):
        stack = self.create("org", {"Resources": {
            "Org": {"Type": "AWS::Organizations::Organization"},
            "Unit": {"Type": "AWS::Organizations::OrganizationalUnit", "Properties": {"Name": "dev", "ParentId": {"Fn::GetAtt": "Org.RootId"}}},
            "P": {"Type": "AWS::Organizations::Policy", "DependsOn": "Unit", "Properties": {"Name": "p", "Type": "SERVICE_CONTROL_POLICY", "Content": {
                "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}}}})
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))


if __name__ == "__main__":
    unittest.main()
