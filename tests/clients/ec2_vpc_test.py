"""The network half of EC2's control plane through boto3: regions and zones, tags, filters, pages, dry runs, and the resources of
a VPC with what they refuse."""
import json
import subprocess
import unittest
import xml.etree.ElementTree
import zlib


from virga import BINARY, Refusals, Virga

NEEDS_BOTO3 = (1, 40)

ACCOUNT = "000000000000"


class Case(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2 = cls.virga.client("ec2")

    def account(self, number, region="us-east-1"):
        return self.virga.client("ec2", key=f"{number:012d}", region=region)


class Basics(Case):
    def test_regions_and_zones(self):
        regions = {r["RegionName"]: r for r in self.ec2.describe_regions()["Regions"]}
        self.assertEqual(regions["us-east-1"], {"RegionName": "us-east-1", "Endpoint": "ec2.us-east-1.amazonaws.com",
                                                "OptInStatus": "opt-in-not-required"})
        self.assertEqual(regions["eu-south-1"]["OptInStatus"], "opted-in")
        self.assertNotIn("cn-north-1", regions)
        some = self.ec2.describe_regions(Filters=[{"Name": "region-name", "Values": ["eu-west-*"]}])["Regions"]
        self.assertEqual({r["RegionName"] for r in some}, {"eu-west-1", "eu-west-2", "eu-west-3"})
        self.refused("InvalidParameterValue", self.ec2.describe_regions, RegionNames=["mars-1"])
        zones = self.ec2.describe_availability_zones()["AvailabilityZones"]
        self.assertEqual([z["ZoneName"] for z in zones], [f"us-east-1{x}" for x in "abcdef"])
        self.assertEqual({z["ZoneId"] for z in zones}, {f"use1-az{i}" for i in range(1, 7)})
        self.assertEqual({z["State"] for z in zones}, {"available"})
        one = self.ec2.describe_availability_zones(ZoneNames=["us-east-1b"])["AvailabilityZones"]
        self.assertEqual([z["ZoneName"] for z in one], ["us-east-1b"])
        self.refused("InvalidParameterValue", self.ec2.describe_availability_zones, ZoneNames=["us-east-1z"])

    def test_tags_filters_and_pages(self):
        ec2 = self.account(1)
        ids = [ec2.create_vpc(CidrBlock=f"10.{i}.0.0/16", TagSpecifications=[
            {"ResourceType": "vpc", "Tags": [{"Key": "n", "Value": f"v{i}"}]}])["Vpc"]["VpcId"] for i in range(3)]
        for i in ids:
            self.assertRegex(i, r"^vpc-[0-9a-f]{17}$")

        def find(**kw):
            return [v["VpcId"] for v in ec2.describe_vpcs(**kw)["Vpcs"]]

        self.assertEqual(find(Filters=[{"Name": "tag:n", "Values": ["v1"]}]), [ids[1]])
        self.assertEqual(find(Filters=[{"Name": "tag:n", "Values": ["v?"]}, {"Name": "cidr", "Values": ["10.2.*", "10.0.*"]}]),
                         sorted([ids[0], ids[2]]))
        self.assertEqual(set(find(Filters=[{"Name": "tag-key", "Values": ["n"]}])), set(ids))
        self.assertEqual(find(Filters=[{"Name": "cidr-block-association.cidr-block", "Values": ["10.1.0.0/16"]}]), [ids[1]])
        self.assertEqual(set(find(VpcIds=ids[:2])), set(ids[:2]))
        self.refused("InvalidParameterValue", ec2.describe_vpcs, Filters=[{"Name": "color", "Values": ["red"]}])
        ec2.create_tags(Resources=ids[:2], Tags=[{"Key": "a", "Value": "1"}, {"Key": "n", "Value": "x"}])
        told = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [ids[0]]}])["Tags"]
        self.assertEqual({(t["Key"], t["Value"], t["ResourceType"]) for t in told}, {("a", "1", "vpc"), ("n", "x", "vpc")})
        ec2.delete_tags(Resources=[ids[0]], Tags=[{"Key": "a", "Value": "2"}, {"Key": "n"}])
        self.assertEqual(ec2.describe_vpcs(VpcIds=[ids[0]])["Vpcs"][0]["Tags"], [{"Key": "a", "Value": "1"}])
        self.refused("InvalidParameterValue", ec2.create_tags, Resources=[ids[0]], Tags=[{"Key": "aws:x", "Value": ""}])
        self.refused("InvalidVpcID.NotFound", ec2.create_tags, Resources=["vpc-0123456789abcdef0"], Tags=[{"Key": "k", "Value": ""}])
        self.refused("TagLimitExceeded", ec2.create_tags, Resources=[ids[0]],
                     Tags=[{"Key": f"k{i}", "Value": ""} for i in range(50)])
        tags, token = [], None
        while True:
            page = ec2.describe_tags(MaxResults=5, **({"NextToken": token} if token else {}))
            tags += page["Tags"]
            token = page.get("NextToken")
            if not token:
                break
        self.assertEqual(len(tags), len(ec2.describe_tags()["Tags"]))
        self.refused("InvalidNextToken", ec2.describe_vpcs, NextToken="x")
        self.refused("InvalidParameterCombination", ec2.describe_vpcs, VpcIds=ids, MaxResults=5)

    def test_ids_and_dry_runs(self):
        self.assertIn("does not exist", self.refused("InvalidVpcID.NotFound", self.ec2.describe_vpcs, VpcIds=["vpc-0123456789abcdef0"]))
        self.refused("InvalidVpcID.Malformed", self.ec2.describe_vpcs, VpcIds=["subnet-1"])
        before = len(self.ec2.describe_vpcs()["Vpcs"])
        self.refused("DryRunOperation", self.ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)
        self.refused("DryRunOperation", self.ec2.describe_vpcs, DryRun=True)
        self.assertEqual(len(self.ec2.describe_vpcs()["Vpcs"]), before)
        iam = self.virga.client("iam")
        iam.create_user(UserName="nobody")
        k = iam.create_access_key(UserName="nobody")["AccessKey"]
        ec2 = self.virga.client("ec2", key=k["AccessKeyId"], secret=k["SecretAccessKey"])
        self.refused("UnauthorizedOperation", ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)
        iam.put_user_policy(UserName="nobody", PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}))
        self.refused("DryRunOperation", ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)


class Vpcs(Case):
    def test_default_vpc(self):
        ec2 = self.account(2)
        [vpc] = ec2.describe_vpcs()["Vpcs"]
        self.assertEqual((vpc["CidrBlock"], vpc["IsDefault"], vpc["State"], vpc["OwnerId"]),
                         ("172.31.0.0/16", True, "available", f"{2:012d}"))
        subnets = ec2.describe_subnets()["Subnets"]
        self.assertEqual(len(subnets), 6)
        for s in subnets:
            self.assertEqual((s["AvailableIpAddressCount"], s["DefaultForAz"], s["MapPublicIpOnLaunch"]), (4091, True, True))
        self.assertEqual({s["CidrBlock"] for s in subnets}, {f"172.31.{16 * i}.0/20" for i in range(6)})
        [table] = ec2.describe_route_tables()["RouteTables"]
        [igw] = ec2.describe_internet_gateways()["InternetGateways"]
        self.assertEqual(igw["Attachments"], [{"State": "available", "VpcId": vpc["VpcId"]}])
        self.assertEqual({(r["DestinationCidrBlock"], r["GatewayId"], r["State"]) for r in table["Routes"]},
                         {("172.31.0.0/16", "local", "active"), ("0.0.0.0/0", igw["InternetGatewayId"], "active")})
        self.assertTrue(table["Associations"][0]["Main"])
        [acl] = ec2.describe_network_acls()["NetworkAcls"]
        self.assertEqual(len(acl["Associations"]), 6)
        self.assertEqual([(e["RuleNumber"], e["Egress"], e["RuleAction"]) for e in acl["Entries"]],
                         [(100, True, "allow"), (32767, True, "deny"), (100, False, "allow"), (32767, False, "deny")])
        [group] = ec2.describe_security_groups()["SecurityGroups"]
        self.assertEqual((group["GroupName"], group["Description"]), ("default", "default VPC security group"))
        self.assertEqual(group["IpPermissions"][0]["UserIdGroupPairs"], [{"GroupId": group["GroupId"], "UserId": f"{2:012d}"}])
        [dhcp] = ec2.describe_dhcp_options()["DhcpOptions"]
        self.assertEqual(vpc["DhcpOptionsId"], dhcp["DhcpOptionsId"])
        self.refused("DefaultVpcAlreadyExists", ec2.create_default_vpc)
        self.refused("DefaultSubnetAlreadyExistsInAvailabilityZone", ec2.create_default_subnet, AvailabilityZone="us-east-1a")
        gone = next(s for s in subnets if s["AvailabilityZone"] == "us-east-1c")
        ec2.delete_subnet(SubnetId=gone["SubnetId"])
        self.assertEqual(ec2.create_default_subnet(AvailabilityZone="us-east-1c")["Subnet"]["CidrBlock"], gone["CidrBlock"])
        self.refused("CannotDelete", ec2.delete_security_group, GroupName="default")
        self.refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc["VpcId"])
        ec2.detach_internet_gateway(InternetGatewayId=igw["InternetGatewayId"], VpcId=vpc["VpcId"])
        self.assertEqual({r["State"] for r in ec2.describe_route_tables()["RouteTables"][0]["Routes"]}, {"active", "blackhole"})
        for s in ec2.describe_subnets()["Subnets"]:
            ec2.delete_subnet(SubnetId=s["SubnetId"])
        ec2.delete_vpc(VpcId=vpc["VpcId"])
        for left in (ec2.describe_vpcs()["Vpcs"], ec2.describe_route_tables()["RouteTables"],
                     ec2.describe_network_acls()["NetworkAcls"], ec2.describe_security_groups()["SecurityGroups"],
                     ec2.describe_security_group_rules()["SecurityGroupRules"]):
            self.assertEqual(left, [])
        self.refused("VPCIdNotSpecified", ec2.create_security_group, GroupName="g", Description="d")
        self.assertTrue(ec2.create_default_vpc()["Vpc"]["IsDefault"])
        # another region has its own, the same after a crash
        west = self.account(2, "us-west-1")
        self.assertEqual(len(west.describe_subnets()["Subnets"]), 2)

    def test_vpc_and_its_blocks(self):
        ec2 = self.account(3)
        self.refused("InvalidVpc.Range", ec2.create_vpc, CidrBlock="10.0.0.0/8")
        self.refused("InvalidParameterValue", ec2.create_vpc, CidrBlock="10.0.0.0")
        self.refused("MissingParameter", ec2.create_vpc)
        vpc = ec2.create_vpc(CidrBlock="10.1.2.3/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
        v = vpc["VpcId"]
        self.assertEqual((vpc["CidrBlock"], vpc["InstanceTenancy"], vpc["IsDefault"]), ("10.1.0.0/16", "default", False))
        v6 = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        self.assertTrue(v6.endswith("/56"))

        def attribute(name):
            return list(x for k, x in ec2.describe_vpc_attribute(VpcId=v, Attribute=name).items()
                        if k not in ("VpcId", "ResponseMetadata"))[0]["Value"]

        self.assertEqual((attribute("enableDnsSupport"), attribute("enableDnsHostnames")), (True, False))
        ec2.modify_vpc_attribute(VpcId=v, EnableDnsHostnames={"Value": True})
        self.assertTrue(attribute("enableDnsHostnames"))
        more = ec2.associate_vpc_cidr_block(VpcId=v, CidrBlock="10.2.0.0/16")["CidrBlockAssociation"]
        self.refused("VpcCidrConflict", ec2.associate_vpc_cidr_block, VpcId=v, CidrBlock="10.2.3.0/24")
        table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [v]}])["RouteTables"][0]
        self.assertEqual({r.get("DestinationCidrBlock", r.get("DestinationIpv6CidrBlock")) for r in table["Routes"]},
                         {"10.1.0.0/16", "10.2.0.0/16", v6})
        s = ec2.create_subnet(VpcId=v, CidrBlock="10.2.7.0/28", Ipv6CidrBlock=v6.replace("00::/56", "07::/64"),
                              AvailabilityZone="us-east-1b")["Subnet"]
        self.assertEqual((s["AvailableIpAddressCount"], s["AvailabilityZone"], s["State"]), (11, "us-east-1b", "available"))
        self.refused("InvalidCidr.InUse", ec2.disassociate_vpc_cidr_block, AssociationId=more["AssociationId"])
        self.refused("OperationNotPermitted", ec2.disassociate_vpc_cidr_block,
                     AssociationId=vpc["CidrBlockAssociationSet"][0]["AssociationId"])
        for cidr, code in (("10.2.7.8/29", "InvalidSubnet.Range"), ("10.3.0.0/24", "InvalidSubnet.Range"),
                           ("10.2.7.0/24", "InvalidSubnet.Conflict"), ("x", "InvalidParameterValue")):
            self.refused(code, ec2.create_subnet, VpcId=v, CidrBlock=cidr)
        self.refused("InvalidParameterValue", ec2.create_subnet, VpcId=v, CidrBlock="10.1.0.0/24", AvailabilityZone="us-east-1z")
        ec2.modify_subnet_attribute(SubnetId=s["SubnetId"], MapPublicIpOnLaunch={"Value": True})
        ec2.modify_subnet_attribute(SubnetId=s["SubnetId"], AssignIpv6AddressOnCreation={"Value": True})
        s = ec2.describe_subnets(SubnetIds=[s["SubnetId"]])["Subnets"][0]
        self.assertTrue(s["MapPublicIpOnLaunch"] and s["AssignIpv6AddressOnCreation"])
        e = ec2.create_network_interface(SubnetId=s["SubnetId"])["NetworkInterface"]
        self.assertEqual(len(e["Ipv6Addresses"]), 1)
        ec2.delete_network_interface(NetworkInterfaceId=e["NetworkInterfaceId"])
        ec2.disassociate_subnet_cidr_block(AssociationId=s["Ipv6CidrBlockAssociationSet"][0]["AssociationId"])
        ec2.delete_subnet(SubnetId=s["SubnetId"])
        ec2.disassociate_vpc_cidr_block(AssociationId=more["AssociationId"])
        options = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["corp"]}])["DhcpOptions"]
        ec2.associate_dhcp_options(VpcId=v, DhcpOptionsId=options["DhcpOptionsId"])
        self.refused("DependencyViolation", ec2.delete_dhcp_options, DhcpOptionsId=options["DhcpOptionsId"])
        self.refused("InvalidParameterValue", ec2.create_dhcp_options, DhcpConfigurations=[{"Key": "colour", "Values": ["red"]}])
        ec2.associate_dhcp_options(VpcId=v, DhcpOptionsId="default")
        ec2.delete_dhcp_options(DhcpOptionsId=options["DhcpOptionsId"])
        ec2.modify_vpc_tenancy(VpcId=v, InstanceTenancy="default")
        ec2.delete_vpc(VpcId=v)
        self.refused("InvalidVpcID.NotFound", ec2.delete_vpc, VpcId=v)
        for i in range(4):
            ec2.create_vpc(CidrBlock="10.0.0.0/16")
        self.refused("VpcLimitExceeded", ec2.create_vpc, CidrBlock="10.0.0.0/16")

    def test_routes(self):
        ec2 = self.account(4)
        v = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        s = ec2.create_subnet(VpcId=v, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        t = ec2.create_route_table(VpcId=v)["RouteTable"]["RouteTableId"]
        igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.refused("InvalidParameterValue", ec2.create_route, RouteTableId=t, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
        ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=v)
        self.refused("Resource.AlreadyAssociated", ec2.attach_internet_gateway, InternetGatewayId=igw, VpcId=v)
        ec2.create_route(RouteTableId=t, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
        e = ec2.create_network_interface(SubnetId=s)["NetworkInterface"]["NetworkInterfaceId"]
        self.refused("RouteAlreadyExists", ec2.create_route, RouteTableId=t, DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=e)
        ec2.create_route(RouteTableId=t, DestinationCidrBlock="10.9.0.0/16", NetworkInterfaceId=e)
        routes = {r["DestinationCidrBlock"]: r for r in ec2.describe_route_tables(RouteTableIds=[t])["RouteTables"][0]["Routes"]}
        self.assertEqual(routes["10.9.0.0/16"]["State"], "blackhole")
        self.assertEqual((routes["10.0.0.0/16"]["Origin"], routes["0.0.0.0/0"]["Origin"]), ("CreateRouteTable", "CreateRoute"))
        ec2.replace_route(RouteTableId=t, DestinationCidrBlock="10.9.0.0/16", GatewayId=igw)
        ec2.delete_route(RouteTableId=t, DestinationCidrBlock="10.9.0.0/16")
        self.refused("InvalidRoute.NotFound", ec2.delete_route, RouteTableId=t, DestinationCidrBlock="10.9.0.0/16")
        self.refused("InvalidParameterValue", ec2.delete_route, RouteTableId=t, DestinationCidrBlock="10.0.0.0/16")
        a = ec2.associate_route_table(RouteTableId=t, SubnetId=s)["AssociationId"]
        self.assertEqual(ec2.associate_route_table(RouteTableId=t, SubnetId=s)["AssociationId"], a)
        other = ec2.create_route_table(VpcId=v)["RouteTable"]["RouteTableId"]
        self.refused("Resource.AlreadyAssociated", ec2.associate_route_table, RouteTableId=other, SubnetId=s)
        self.refused("DependencyViolation", ec2.delete_route_table, RouteTableId=t)
        b = ec2.replace_route_table_association(AssociationId=a, RouteTableId=other)["NewAssociationId"]
        [found] = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [s]}])["RouteTables"]
        self.assertEqual(found["RouteTableId"], other)
        ec2.disassociate_route_table(AssociationId=b)
        self.refused("InvalidAssociationID.NotFound", ec2.disassociate_route_table, AssociationId=b)
        [main] = ec2.describe_route_tables(Filters=[{"Name": "association.main", "Values": ["true"]},
                                                    {"Name": "vpc-id", "Values": [v]}])["RouteTables"]
        ec2.replace_route_table_association(AssociationId=main["Associations"][0]["RouteTableAssociationId"], RouteTableId=other)
        ec2.delete_route_table(RouteTableId=main["RouteTableId"])
        edge = ec2.associate_route_table(RouteTableId=t, GatewayId=igw)["AssociationId"]
        ec2.disassociate_route_table(AssociationId=edge)
        eigw = ec2.create_egress_only_internet_gateway(VpcId=v)["EgressOnlyInternetGateway"]
        ec2.create_route(RouteTableId=t, DestinationIpv6CidrBlock="::/0",
                         EgressOnlyInternetGatewayId=eigw["EgressOnlyInternetGatewayId"])
        self.assertEqual(len(ec2.describe_egress_only_internet_gateways()["EgressOnlyInternetGateways"]), 1)
        ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=eigw["EgressOnlyInternetGatewayId"])
        ec2.delete_route_table(RouteTableId=t)

    def test_network_acls(self):
        ec2 = self.account(5)
        v = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        s = ec2.create_subnet(VpcId=v, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        acl = ec2.create_network_acl(VpcId=v)["NetworkAcl"]
        n = acl["NetworkAclId"]
        self.assertEqual({e["RuleAction"] for e in acl["Entries"]}, {"deny"})
        entry = {"NetworkAclId": n, "RuleNumber": 10, "Protocol": "6", "RuleAction": "allow", "Egress": False,
                 "CidrBlock": "0.0.0.0/0", "PortRange": {"From": 80, "To": 90}}
        ec2.create_network_acl_entry(**entry)
        self.refused("NetworkAclEntryAlreadyExists", ec2.create_network_acl_entry, **entry)
        self.refused("MissingParameter", ec2.create_network_acl_entry,
                     **{**entry, "RuleNumber": 11, "PortRange": {"From": 80}})
        ec2.replace_network_acl_entry(**{**entry, "RuleAction": "deny"})
        [told] = ec2.describe_network_acls(NetworkAclIds=[n])["NetworkAcls"]
        self.assertEqual([e for e in told["Entries"] if e["RuleNumber"] == 10],
                         [{"CidrBlock": "0.0.0.0/0", "Egress": False, "PortRange": {"From": 80, "To": 90}, "Protocol": "6",
                           "RuleAction": "deny", "RuleNumber": 10}])
        [default] = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [s]}])["NetworkAcls"]
        self.assertTrue(default["IsDefault"])
        moved = ec2.replace_network_acl_association(
            AssociationId=default["Associations"][0]["NetworkAclAssociationId"], NetworkAclId=n)["NewAssociationId"]
        self.assertEqual(ec2.describe_network_acls(NetworkAclIds=[n])["NetworkAcls"][0]["Associations"][0]["SubnetId"], s)
        self.refused("DependencyViolation", ec2.delete_network_acl, NetworkAclId=n)
        ec2.replace_network_acl_association(AssociationId=moved, NetworkAclId=default["NetworkAclId"])
        ec2.delete_network_acl_entry(NetworkAclId=n, RuleNumber=10, Egress=False)
        self.refused("InvalidNetworkAclEntry.NotFound", ec2.delete_network_acl_entry, NetworkAclId=n, RuleNumber=10, Egress=False)
        self.refused("InvalidParameterValue", ec2.delete_network_acl, NetworkAclId=default["NetworkAclId"])
        ec2.delete_network_acl(NetworkAclId=n)


class Groups(Case):
    def test_rules(self):
        ec2 = self.account(6)
        v = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

        def group(name):
            return ec2.create_security_group(GroupName=name, Description="d", VpcId=v)["GroupId"]

        g, h = group("web"), group("db")
        self.refused("InvalidGroup.Duplicate", ec2.create_security_group, GroupName="web", Description="d", VpcId=v)
        self.refused("InvalidParameterValue", ec2.create_security_group, GroupName="sg-x", Description="d", VpcId=v)
        web = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "all"}]}]
        made = ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=web, TagSpecifications=[
            {"ResourceType": "security-group-rule", "Tags": [{"Key": "a", "Value": "b"}]}])["SecurityGroupRules"]
        self.assertRegex(made[0]["SecurityGroupRuleId"], "^sgr-[0-9a-f]{17}$")
        self.assertEqual((made[0]["CidrIpv4"], made[0]["IsEgress"], made[0]["Tags"]), ("0.0.0.0/0", False, [{"Key": "a", "Value": "b"}]))
        self.assertIn('"peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW"',
                      self.refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=g, IpPermissions=web))
        ec2.authorize_security_group_ingress(GroupId=h, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": g}]},
            {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.7/24"}]}])
        [told] = ec2.describe_security_groups(GroupIds=[h])["SecurityGroups"]
        self.assertEqual(told["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"], g)
        self.assertEqual(told["IpPermissions"][1]["IpRanges"], [{"CidrIp": "10.0.0.0/24"}])
        self.assertEqual(told["IpPermissionsEgress"][0]["IpProtocol"], "-1")
        self.refused("DependencyViolation", ec2.delete_security_group, GroupId=g)
        for bad in ({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 70, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
                    {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0"}]},
                    {"IpProtocol": "bogus", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
                    {"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}):
            self.refused("InvalidParameterValue", ec2.authorize_security_group_ingress, GroupId=g, IpPermissions=[bad])
        self.refused("InvalidGroup.NotFound", ec2.authorize_security_group_ingress, GroupId=g, IpPermissions=[
            {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-0123456789abcdef0"}]}])
        rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [g]}])["SecurityGroupRules"]
        self.assertEqual({(r["IsEgress"], r["IpProtocol"], r["FromPort"]) for r in rules}, {(False, "tcp", 80), (True, "-1", -1)})
        rule = made[0]["SecurityGroupRuleId"]
        ec2.modify_security_group_rules(GroupId=g, SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": {
            "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "10.0.0.0/8", "Description": "inside"}}])
        [told] = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"]
        self.assertEqual((told["FromPort"], told["CidrIpv4"], told["Description"]), (443, "10.0.0.0/8", "inside"))
        ec2.update_security_group_rule_descriptions_ingress(GroupId=g, SecurityGroupRuleDescriptions=[
            {"SecurityGroupRuleId": rule, "Description": "new"}])
        ec2.update_security_group_rule_descriptions_egress(GroupId=g, IpPermissions=[
            {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "out"}]}])
        told = ec2.describe_security_groups(GroupIds=[g])["SecurityGroups"][0]
        self.assertEqual(told["IpPermissions"][0]["IpRanges"][0]["Description"], "new")
        self.assertEqual(told["IpPermissionsEgress"][0]["IpRanges"][0]["Description"], "out")
        self.refused("InvalidPermission.NotFound", ec2.revoke_security_group_ingress, GroupId=g, IpPermissions=web)
        gone = ec2.revoke_security_group_ingress(GroupId=g, SecurityGroupRuleIds=[rule])["RevokedSecurityGroupRules"]
        self.assertEqual(gone[0]["SecurityGroupRuleId"], rule)
        self.refused("InvalidSecurityGroupRuleId.NotFound", ec2.describe_security_group_rules, SecurityGroupRuleIds=[rule])
        ec2.revoke_security_group_egress(GroupId=g, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        ec2.authorize_security_group_egress(GroupId=g, IpPermissions=[
            {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}])
        self.refused("RulesPerSecurityGroupLimitExceeded", ec2.authorize_security_group_ingress, GroupId=g, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": i, "ToPort": i, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]} for i in range(61)])
        self.assertEqual(ec2.describe_security_groups(GroupIds=[g])["SecurityGroups"][0]["IpPermissions"], [])
        ec2.delete_security_group(GroupId=h)
        ec2.delete_security_group(GroupId=g)
        self.refused("InvalidGroup.NotFound", ec2.delete_security_group, GroupId=g)

    def test_prefix_lists(self):
        ec2 = self.account(7)
        aws = {p["PrefixListName"]: p for p in ec2.describe_managed_prefix_lists()["PrefixLists"]}
        self.assertEqual(aws["com.amazonaws.us-east-1.s3"]["OwnerId"], "AWS")
        self.assertEqual(len(ec2.describe_prefix_lists()["PrefixLists"]), 2)
        p = ec2.create_managed_prefix_list(PrefixListName="mine", MaxEntries=3, AddressFamily="IPv4", Entries=[
            {"Cidr": "10.0.0.0/8", "Description": "a"}])["PrefixList"]
        i = p["PrefixListId"]
        self.refused("PrefixListVersionMismatch", ec2.modify_managed_prefix_list, PrefixListId=i, CurrentVersion=7,
                     AddEntries=[{"Cidr": "1.2.3.4/32"}])
        ec2.modify_managed_prefix_list(PrefixListId=i, CurrentVersion=1, AddEntries=[{"Cidr": "1.2.3.4/32"}],
                                       RemoveEntries=[{"Cidr": "10.0.0.0/8"}])

        def entries(**kw):
            return [e["Cidr"] for e in ec2.get_managed_prefix_list_entries(PrefixListId=i, **kw)["Entries"]]

        self.assertEqual((entries(), entries(TargetVersion=1)), (["1.2.3.4/32"], ["10.0.0.0/8"]))
        ec2.restore_managed_prefix_list_version(PrefixListId=i, PreviousVersion=1, CurrentVersion=2)
        self.assertEqual(entries(), ["10.0.0.0/8"])
        g = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=[{"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": i}]}])
        self.assertEqual(ec2.get_managed_prefix_list_associations(PrefixListId=i)["PrefixListAssociations"][0]["ResourceId"], g)
        self.refused("DependencyViolation", ec2.delete_managed_prefix_list, PrefixListId=i)
        ec2.delete_security_group(GroupId=g)
        ec2.delete_managed_prefix_list(PrefixListId=i)
        self.refused("OperationNotPermitted", ec2.delete_managed_prefix_list,
                     PrefixListId=aws["com.amazonaws.us-east-1.s3"]["PrefixListId"])


class Interfaces(Case):
    def setUp(self):
        number = 100 + zlib.crc32(self.id().encode()) % 10 ** 9
        self.ec2 = self.account(number)
        self.v = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.s = self.ec2.create_subnet(VpcId=self.v, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]

    def eni(self, **kw):
        return self.ec2.create_network_interface(SubnetId=self.s, **kw)["NetworkInterface"]

    def gateway(self):
        igw = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=self.v)
        return igw

    def test_interfaces(self):
        ec2 = self.ec2
        e = self.eni(Description="x", PrivateIpAddress="10.0.1.10", SecondaryPrivateIpAddressCount=2)
        i = e["NetworkInterfaceId"]
        self.assertEqual((e["PrivateIpAddress"], len(e["PrivateIpAddresses"]), e["SourceDestCheck"], e["InterfaceType"]),
                         ("10.0.1.10", 3, True, "interface"))
        self.assertRegex(e["MacAddress"], "^02(:[0-9a-f]{2}){5}$")
        self.assertEqual(e["Groups"][0]["GroupName"], "default")
        self.assertEqual(ec2.describe_subnets(SubnetIds=[self.s])["Subnets"][0]["AvailableIpAddressCount"], 251 - 3)
        for address, code in (("10.0.1.10", "InvalidIPAddress.InUse"), ("10.0.1.3", "InvalidParameterValue"),
                              ("10.0.1.255", "InvalidParameterValue"), ("10.0.2.4", "InvalidParameterValue")):
            self.refused(code, self.eni, PrivateIpAddress=address)
        other = next(a for a in ("10.0.1.20", "10.0.1.21", "10.0.1.22") if a not in [p["PrivateIpAddress"] for p in e["PrivateIpAddresses"]])
        ec2.assign_private_ip_addresses(NetworkInterfaceId=i, PrivateIpAddresses=[other])
        f = self.eni()["NetworkInterfaceId"]
        self.refused("InvalidIPAddress.InUse", ec2.assign_private_ip_addresses, NetworkInterfaceId=f, PrivateIpAddresses=[other])
        ec2.assign_private_ip_addresses(NetworkInterfaceId=f, PrivateIpAddresses=[other], AllowReassignment=True)
        self.refused("InvalidParameterValue", ec2.unassign_private_ip_addresses, NetworkInterfaceId=i, PrivateIpAddresses=[other])
        self.refused("InvalidParameterValue", ec2.unassign_private_ip_addresses, NetworkInterfaceId=i, PrivateIpAddresses=["10.0.1.10"])
        ec2.unassign_private_ip_addresses(NetworkInterfaceId=f, PrivateIpAddresses=[other])
        g = ec2.create_security_group(GroupName="g", Description="d", VpcId=self.v)["GroupId"]
        ec2.modify_network_interface_attribute(NetworkInterfaceId=i, Groups=[g])
        ec2.modify_network_interface_attribute(NetworkInterfaceId=i, SourceDestCheck={"Value": False})
        ec2.modify_network_interface_attribute(NetworkInterfaceId=i, Description={"Value": "y"})
        [told] = ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": [g]}])["NetworkInterfaces"]
        self.assertEqual((told["Description"], told["SourceDestCheck"], told["Status"]), ("y", False, "available"))
        self.assertEqual(ec2.describe_network_interface_attribute(NetworkInterfaceId=i, Attribute="groupSet")["Groups"][0]["GroupId"], g)
        ec2.reset_network_interface_attribute(NetworkInterfaceId=i, SourceDestCheck="x")
        self.assertTrue(ec2.describe_network_interfaces(NetworkInterfaceIds=[i])["NetworkInterfaces"][0]["SourceDestCheck"])
        self.refused("DependencyViolation", ec2.delete_security_group, GroupId=g)
        self.refused("DependencyViolation", ec2.delete_subnet, SubnetId=self.s)
        for x in (i, f):
            ec2.delete_network_interface(NetworkInterfaceId=x)
        self.assertEqual(ec2.describe_subnets(SubnetIds=[self.s])["Subnets"][0]["AvailableIpAddressCount"], 251)
        small = ec2.create_subnet(VpcId=self.v, CidrBlock="10.0.9.0/28")["Subnet"]["SubnetId"]
        for _ in range(11):
            ec2.create_network_interface(SubnetId=small)
        self.refused("InsufficientFreeAddressesInSubnet", ec2.create_network_interface, SubnetId=small)

    def test_addresses(self):
        ec2 = self.ec2
        a = ec2.allocate_address(Domain="vpc")
        self.assertRegex(a["AllocationId"], "^eipalloc-[0-9a-f]{17}$")
        e, f = self.eni()["NetworkInterfaceId"], self.eni()["NetworkInterfaceId"]
        self.refused("Gateway.NotAttached", ec2.associate_address, AllocationId=a["AllocationId"], NetworkInterfaceId=e)
        igw = self.gateway()
        first = ec2.associate_address(AllocationId=a["AllocationId"], NetworkInterfaceId=e)["AssociationId"]
        self.assertEqual(ec2.describe_network_interfaces(NetworkInterfaceIds=[e])["NetworkInterfaces"][0]["Association"]["PublicIp"],
                         a["PublicIp"])
        self.refused("Resource.AlreadyAssociated", ec2.associate_address, AllocationId=a["AllocationId"], NetworkInterfaceId=f,
                     AllowReassociation=False)
        self.refused("DependencyViolation", ec2.detach_internet_gateway, InternetGatewayId=igw, VpcId=self.v)
        second = ec2.associate_address(AllocationId=a["AllocationId"], NetworkInterfaceId=f)["AssociationId"]
        self.assertNotEqual(first, second)
        self.assertNotIn("Association", ec2.describe_network_interfaces(NetworkInterfaceIds=[e])["NetworkInterfaces"][0])
        [told] = ec2.describe_addresses(PublicIps=[a["PublicIp"]])["Addresses"]
        self.assertEqual((told["NetworkInterfaceId"], told["AssociationId"]), (f, second))
        self.refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=a["AllocationId"])
        ec2.disassociate_address(AssociationId=second)
        self.refused("InvalidAssociationID.NotFound", ec2.disassociate_address, AssociationId=second)
        ec2.release_address(AllocationId=a["AllocationId"])
        self.refused("InvalidAllocationID.NotFound", ec2.describe_addresses, AllocationIds=[a["AllocationId"]])
        self.refused("InvalidAddress.NotFound", ec2.describe_addresses, PublicIps=["9.9.9.9"])
        for _ in range(5):
            ec2.allocate_address()
        self.refused("AddressLimitExceeded", ec2.allocate_address)

    def test_nat_gateways(self):
        ec2 = self.ec2
        self.gateway()
        a = ec2.allocate_address()["AllocationId"]
        self.refused("MissingParameter", ec2.create_nat_gateway, SubnetId=self.s)
        n = ec2.create_nat_gateway(SubnetId=self.s, AllocationId=a, ClientToken="t")["NatGateway"]["NatGatewayId"]
        self.assertEqual(ec2.create_nat_gateway(SubnetId=self.s, AllocationId=a, ClientToken="t")["NatGateway"]["NatGatewayId"], n)
        self.refused("Resource.AlreadyAssociated", ec2.create_nat_gateway, SubnetId=self.s, AllocationId=a)
        ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[n])
        [told] = ec2.describe_nat_gateways(NatGatewayIds=[n])["NatGateways"]
        [address] = told["NatGatewayAddresses"]
        self.assertEqual((told["ConnectivityType"], address["AllocationId"], address["IsPrimary"]), ("public", a, True))
        [e] = ec2.describe_network_interfaces(NetworkInterfaceIds=[address["NetworkInterfaceId"]])["NetworkInterfaces"]
        self.assertEqual((e["InterfaceType"], e["RequesterManaged"], e["Status"]), ("nat_gateway", True, "in-use"))
        self.refused("InvalidParameterValue", ec2.delete_network_interface, NetworkInterfaceId=e["NetworkInterfaceId"])
        b = ec2.allocate_address()["AllocationId"]
        more = ec2.associate_nat_gateway_address(NatGatewayId=n, AllocationIds=[b])["NatGatewayAddresses"][0]
        self.assertEqual(more["AllocationId"], b)
        ec2.disassociate_nat_gateway_address(NatGatewayId=n, AssociationIds=[more["AssociationId"]])
        t = ec2.create_route_table(VpcId=self.v)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=t, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=n)
        ec2.delete_nat_gateway(NatGatewayId=n)
        self.assertEqual(ec2.describe_nat_gateways(NatGatewayIds=[n])["NatGateways"][0]["State"], "deleted")
        routes = ec2.describe_route_tables(RouteTableIds=[t])["RouteTables"][0]["Routes"]
        self.assertEqual({r["DestinationCidrBlock"]: r["State"] for r in routes}["0.0.0.0/0"], "blackhole")
        self.assertNotIn("AssociationId", ec2.describe_addresses(AllocationIds=[a])["Addresses"][0])
        p = ec2.create_nat_gateway(SubnetId=self.s, ConnectivityType="private")["NatGateway"]["NatGatewayId"]
        got = ec2.assign_private_nat_gateway_address(NatGatewayId=p, PrivateIpAddressCount=1)["NatGatewayAddresses"][0]["PrivateIp"]
        ec2.unassign_private_nat_gateway_address(NatGatewayId=p, PrivateIpAddresses=[got])
        self.assertEqual(len(ec2.describe_nat_gateways(Filters=[{"Name": "state", "Values": ["available"]}])["NatGateways"]), 1)


class Between(Case):
    def test_peering(self):
        a, b = self.account(8), self.account(9, "eu-west-1")
        va = a.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        vb = b.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
        same = b.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        there = {"PeerOwnerId": f"{9:012d}", "PeerRegion": "eu-west-1"}
        bad = a.create_vpc_peering_connection(VpcId=va, PeerVpcId=same, **there)["VpcPeeringConnection"]
        self.assertEqual(bad["Status"]["Code"], "failed")
        p = a.create_vpc_peering_connection(VpcId=va, PeerVpcId=vb, **there)["VpcPeeringConnection"]
        i = p["VpcPeeringConnectionId"]
        self.assertEqual(p["Status"]["Code"], "initiating-request")
        [seen] = b.describe_vpc_peering_connections(VpcPeeringConnectionIds=[i])["VpcPeeringConnections"]
        self.assertEqual((seen["Status"]["Code"], seen["RequesterVpcInfo"]["OwnerId"]), ("pending-acceptance", f"{8:012d}"))
        self.refused("OperationNotPermitted", a.accept_vpc_peering_connection, VpcPeeringConnectionId=i)
        b.accept_vpc_peering_connection(VpcPeeringConnectionId=i)
        [seen] = a.describe_vpc_peering_connections(Filters=[{"Name": "status-code", "Values": ["active"]}])["VpcPeeringConnections"]
        self.assertEqual(seen["AccepterVpcInfo"]["CidrBlock"], "10.2.0.0/16")
        a.modify_vpc_peering_connection_options(VpcPeeringConnectionId=i, RequesterPeeringConnectionOptions={
            "AllowDnsResolutionFromRemoteVpc": True})
        t = a.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [va]}])["RouteTables"][0]["RouteTableId"]
        a.create_route(RouteTableId=t, DestinationCidrBlock="10.2.0.0/16", VpcPeeringConnectionId=i)
        self.refused("InvalidStateTransition", b.reject_vpc_peering_connection, VpcPeeringConnectionId=i)
        b.delete_vpc_peering_connection(VpcPeeringConnectionId=i)
        states = {r["DestinationCidrBlock"]: r["State"] for r in a.describe_route_tables(RouteTableIds=[t])["RouteTables"][0]["Routes"]}
        self.assertEqual(states["10.2.0.0/16"], "blackhole")
        p = a.create_vpc_peering_connection(VpcId=va, PeerVpcId=vb, **there)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        b.reject_vpc_peering_connection(VpcPeeringConnectionId=p)
        self.refused("InvalidStateTransition", b.accept_vpc_peering_connection, VpcPeeringConnectionId=p)

    def test_groups_across_a_peering(self):
        ec2 = self.account(10)
        v, w = (ec2.create_vpc(CidrBlock=f"10.{i}.0.0/16")["Vpc"]["VpcId"] for i in (1, 2))
        g = ec2.create_security_group(GroupName="g", Description="d", VpcId=v)["GroupId"]
        h = ec2.create_security_group(GroupName="h", Description="d", VpcId=w)["GroupId"]
        rule = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": h}]}]
        self.refused("InvalidGroup.NotFound", ec2.authorize_security_group_ingress, GroupId=g, IpPermissions=rule)
        p = ec2.create_vpc_peering_connection(VpcId=v, PeerVpcId=w)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=p)
        ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=rule)
        [pair] = ec2.describe_security_groups(GroupIds=[g])["SecurityGroups"][0]["IpPermissions"][0]["UserIdGroupPairs"]
        self.assertEqual(pair["VpcPeeringConnectionId"], p)
        [ref] = ec2.describe_security_group_references(GroupId=[h])["SecurityGroupReferenceSet"]
        self.assertEqual((ref["ReferencingVpcId"], ref["VpcPeeringConnectionId"]), (v, p))
        self.assertEqual(ec2.describe_stale_security_groups(VpcId=v)["StaleSecurityGroupSet"], [])
        ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=p)
        [stale] = ec2.describe_stale_security_groups(VpcId=v)["StaleSecurityGroupSet"]
        self.assertEqual(stale["GroupId"], g)

    def test_transit_gateways(self):
        ec2 = self.account(11)
        g = ec2.create_transit_gateway(Description="hub")["TransitGateway"]
        t = g["TransitGatewayId"]
        default = g["Options"]["AssociationDefaultRouteTableId"]
        attached = []
        for i in (1, 2):
            v = ec2.create_vpc(CidrBlock=f"10.{i}.0.0/16")["Vpc"]["VpcId"]
            s = ec2.create_subnet(VpcId=v, CidrBlock=f"10.{i}.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
            table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [v]}])["RouteTables"][0]["RouteTableId"]
            route = {"RouteTableId": table, "DestinationCidrBlock": "10.0.0.0/8", "TransitGatewayId": t}
            self.refused("InvalidTransitGatewayID.NotFound", ec2.create_route, **route)
            a = ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=t, VpcId=v, SubnetIds=[s])["TransitGatewayVpcAttachment"]
            ec2.create_route(**route)
            attached.append((a["TransitGatewayAttachmentId"], v, s))
        (a, v, s), (b, _, _) = attached
        self.assertEqual(ec2.describe_transit_gateway_attachments(
            TransitGatewayAttachmentIds=[a])["TransitGatewayAttachments"][0]["Association"]["TransitGatewayRouteTableId"], default)

        def routes(table, *filters):
            found = ec2.search_transit_gateway_routes(TransitGatewayRouteTableId=table, Filters=[
                {"Name": n, "Values": x} for n, x in filters or [("state", ["active", "blackhole"])]])["Routes"]
            return {r["DestinationCidrBlock"]: (r["Type"], r["State"]) for r in found}

        self.assertEqual(routes(default), {"10.1.0.0/16": ("propagated", "active"), "10.2.0.0/16": ("propagated", "active")})
        own = ec2.create_transit_gateway_route_table(TransitGatewayId=t)["TransitGatewayRouteTable"]["TransitGatewayRouteTableId"]
        self.refused("Resource.AlreadyAssociated", ec2.associate_transit_gateway_route_table, TransitGatewayRouteTableId=own,
                     TransitGatewayAttachmentId=a)
        ec2.disassociate_transit_gateway_route_table(TransitGatewayRouteTableId=default, TransitGatewayAttachmentId=a)
        ec2.associate_transit_gateway_route_table(TransitGatewayRouteTableId=own, TransitGatewayAttachmentId=a)
        self.assertEqual([x["TransitGatewayAttachmentId"] for x in ec2.get_transit_gateway_route_table_associations(
            TransitGatewayRouteTableId=own)["Associations"]], [a])
        ec2.create_transit_gateway_route(TransitGatewayRouteTableId=own, DestinationCidrBlock="10.2.0.0/16", Blackhole=True)
        self.assertEqual(routes(own), {"10.2.0.0/16": ("static", "blackhole")})
        ec2.replace_transit_gateway_route(TransitGatewayRouteTableId=own, DestinationCidrBlock="10.2.0.0/16",
                                          TransitGatewayAttachmentId=b)
        ec2.enable_transit_gateway_route_table_propagation(TransitGatewayRouteTableId=own, TransitGatewayAttachmentId=a)
        self.assertEqual(routes(own, ("route-search.longest-prefix-match", ["10.1.3.4/32"])), {"10.1.0.0/16": ("propagated", "active")})
        self.assertEqual(len(ec2.get_transit_gateway_route_table_propagations(
            TransitGatewayRouteTableId=own)["TransitGatewayRouteTablePropagations"]), 1)
        self.assertEqual(len(ec2.get_transit_gateway_attachment_propagations(
            TransitGatewayAttachmentId=a)["TransitGatewayAttachmentPropagations"]), 2)
        ec2.disable_transit_gateway_route_table_propagation(TransitGatewayRouteTableId=own, TransitGatewayAttachmentId=a)
        ec2.delete_transit_gateway_route(TransitGatewayRouteTableId=own, DestinationCidrBlock="10.2.0.0/16")
        self.assertEqual(routes(own), {})
        # A prefix list: each entry a route, behind static ones; it changes with the list.
        pl = ec2.create_managed_prefix_list(PrefixListName="p", MaxEntries=5, AddressFamily="IPv4", Entries=[
            {"Cidr": "10.2.0.0/16"}, {"Cidr": "10.9.0.0/16"}])["PrefixList"]["PrefixListId"]
        of = {"TransitGatewayRouteTableId": own, "PrefixListId": pl}
        self.refused("InvalidParameterCombination", ec2.create_transit_gateway_prefix_list_reference, **of)
        ec2.create_transit_gateway_route(TransitGatewayRouteTableId=own, DestinationCidrBlock="10.9.0.0/16", Blackhole=True)
        ec2.create_transit_gateway_prefix_list_reference(TransitGatewayAttachmentId=b, **of)
        self.refused("RouteAlreadyExists", ec2.create_transit_gateway_prefix_list_reference, Blackhole=True, **of)
        self.assertEqual(routes(own), {"10.2.0.0/16": ("static", "active"), "10.9.0.0/16": ("static", "blackhole")})
        self.assertEqual(list(routes(own, ("prefix-list-id", [pl]))), ["10.2.0.0/16"])
        ec2.modify_managed_prefix_list(PrefixListId=pl, CurrentVersion=1, AddEntries=[{"Cidr": "10.7.0.0/16"}])
        self.assertEqual(routes(own)["10.7.0.0/16"], ("static", "active"))
        ec2.modify_transit_gateway_prefix_list_reference(Blackhole=True, **of)
        self.assertEqual(routes(own)["10.2.0.0/16"], ("static", "blackhole"))
        [told] = ec2.get_transit_gateway_prefix_list_references(TransitGatewayRouteTableId=own)["TransitGatewayPrefixListReferences"]
        self.assertEqual((told["PrefixListId"], told["Blackhole"], told["State"]), (pl, True, "available"))
        ec2.delete_transit_gateway_prefix_list_reference(**of)
        ec2.delete_transit_gateway_route(TransitGatewayRouteTableId=own, DestinationCidrBlock="10.9.0.0/16")
        self.assertEqual(routes(own), {})
        s2 = ec2.create_subnet(VpcId=v, CidrBlock="10.1.2.0/24", AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]
        changed = ec2.modify_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=a, AddSubnetIds=[s2], RemoveSubnetIds=[s])
        self.assertEqual(changed["TransitGatewayVpcAttachment"]["SubnetIds"], [s2])
        ec2.modify_transit_gateway(TransitGatewayId=t, Description="new")
        self.assertEqual(ec2.describe_transit_gateways()["TransitGateways"][0]["Description"], "new")
        self.refused("IncorrectState", ec2.delete_transit_gateway, TransitGatewayId=t)
        for x, _, _ in attached:
            ec2.delete_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=x)
        self.assertEqual(ec2.describe_transit_gateway_vpc_attachments()["TransitGatewayVpcAttachments"], [])
        ec2.delete_transit_gateway_route_table(TransitGatewayRouteTableId=own)
        self.assertEqual(len(ec2.describe_transit_gateway_route_tables()["TransitGatewayRouteTables"]), 1)
        ec2.delete_transit_gateway(TransitGatewayId=t)

    def test_vpn_records(self):
        ec2 = self.account(12)
        c = ec2.create_customer_gateway(BgpAsn=65000, PublicIp="203.0.113.9", Type="ipsec.1")["CustomerGateway"]["CustomerGatewayId"]
        self.assertEqual(ec2.describe_customer_gateways(CustomerGatewayIds=[c])["CustomerGateways"][0]["State"], "available")
        g = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
        v = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        ec2.attach_vpn_gateway(VpnGatewayId=g, VpcId=v)
        self.assertEqual(ec2.describe_vpn_gateways()["VpnGateways"][0]["VpcAttachments"], [{"State": "attached", "VpcId": v}])
        self.refused("IncorrectState", ec2.delete_vpn_gateway, VpnGatewayId=g)
        [table] = [t["RouteTableId"] for t in ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [v]}])["RouteTables"]]
        ec2.enable_vgw_route_propagation(GatewayId=g, RouteTableId=table)
        self.assertEqual(ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["PropagatingVgws"], [{"GatewayId": g}])
        ec2.disable_vgw_route_propagation(GatewayId=g, RouteTableId=table)
        self.assertEqual(ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["PropagatingVgws"], [])
        # A connection: two tunnels with addresses and keys, and no packet that would pass.
        ask = {"CustomerGatewayId": c, "Type": "ipsec.1", "VpnGatewayId": g}
        self.refused("InvalidParameterValue", ec2.create_vpn_connection, **{**ask, "Type": "ipsec.9"})
        self.refused("InvalidParameterValue", ec2.create_vpn_connection, Options={"TunnelOptions": [{"TunnelInsideCidr": "10.0.0.0/30"}]}, **ask)
        self.refused("InvalidParameterValue", ec2.create_vpn_connection, Options={"TunnelOptions": [{"PreSharedKey": "short"}]}, **ask)
        n = ec2.create_vpn_connection(Options={"StaticRoutesOnly": True, "TunnelOptions": [
            {"TunnelInsideCidr": "169.254.44.0/30", "PreSharedKey": "abcdefgh1234"}]}, **ask)["VpnConnection"]
        i = n["VpnConnectionId"]
        self.assertEqual([t["Status"] for t in n["VgwTelemetry"]], ["DOWN", "DOWN"])
        one, two = n["Options"]["TunnelOptions"]
        self.assertEqual((one["TunnelInsideCidr"], one["PreSharedKey"], len(two["PreSharedKey"])), ("169.254.44.0/30", "abcdefgh1234", 32))
        self.assertNotEqual(one["OutsideIpAddress"], two["OutsideIpAddress"])
        root = xml.etree.ElementTree.fromstring(n["CustomerGatewayConfiguration"])
        self.assertEqual((root.get("id"), [x.text for x in root.iterfind("ipsec_tunnel/ike/pre_shared_key")]),
                         (i, ["abcdefgh1234", two["PreSharedKey"]]))
        self.assertEqual(root.find("ipsec_tunnel/customer_gateway/tunnel_inside_address/ip_address").text, "169.254.44.2")
        ec2.create_vpn_connection_route(VpnConnectionId=i, DestinationCidrBlock="192.168.0.0/16")
        [told] = ec2.describe_vpn_connections(Filters=[{"Name": "route.destination-cidr-block", "Values": ["192.168.0.0/16"]}])["VpnConnections"]
        self.assertEqual((told["VpnConnectionId"], told["Routes"][0]["State"]), (i, "available"))
        ec2.delete_vpn_connection_route(VpnConnectionId=i, DestinationCidrBlock="192.168.0.0/16")
        self.refused("InvalidRoute.NotFound", ec2.delete_vpn_connection_route, VpnConnectionId=i, DestinationCidrBlock="192.168.0.0/16")
        self.refused("IncorrectState", ec2.delete_customer_gateway, CustomerGatewayId=c)
        ec2.delete_vpn_connection(VpnConnectionId=i)
        self.refused("InvalidVpnConnectionID.NotFound", ec2.describe_vpn_connections, VpnConnectionIds=[i])
        ec2.detach_vpn_gateway(VpnGatewayId=g, VpcId=v)
        ec2.delete_vpn_gateway(VpnGatewayId=g)
        ec2.delete_customer_gateway(CustomerGatewayId=c)
        self.refused("InvalidCustomerGatewayID.NotFound", ec2.describe_customer_gateways, CustomerGatewayIds=[c])


class Endpoints(Case):
    def test_gateway_endpoint(self):
        ec2 = self.account(13)
        v = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        t, u = (ec2.create_route_table(VpcId=v)["RouteTable"]["RouteTableId"] for _ in range(2))
        names = ec2.describe_vpc_endpoint_services()["ServiceNames"]
        self.assertIn("com.amazonaws.us-east-1.s3", names)
        self.refused("InvalidServiceName", ec2.create_vpc_endpoint, VpcId=v, ServiceName="com.amazonaws.us-east-1.bogus")
        self.refused("InvalidServiceName", ec2.create_vpc_endpoint, VpcId=v, ServiceName="com.amazonaws.us-east-1.sqs")
        made = ec2.create_vpc_endpoint(VpcId=v, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[t])["VpcEndpoint"]
        e = made["VpcEndpointId"]
        self.assertEqual((made["State"], made["VpcEndpointType"], made["RouteTableIds"]), ("available", "Gateway", [t]))
        pl = ec2.describe_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": ["*.s3"]}])["PrefixLists"][0]["PrefixListId"]

        def routes(table):
            return {r.get("DestinationPrefixListId"): r.get("GatewayId")
                    for r in ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]}

        self.assertEqual(routes(t)[pl], e)
        self.refused("RouteAlreadyExists", ec2.create_vpc_endpoint, VpcId=v, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[t])
        self.refused("InvalidParameterValue", ec2.delete_route, RouteTableId=t, DestinationPrefixListId=pl)
        ec2.modify_vpc_endpoint(VpcEndpointId=e, AddRouteTableIds=[u], RemoveRouteTableIds=[t])
        self.assertNotIn(pl, routes(t))
        self.assertEqual(routes(u)[pl], e)
        [told] = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [v]}])["VpcEndpoints"]
        self.assertEqual(told["RouteTableIds"], [u])
        self.assertEqual(ec2.delete_vpc_endpoints(VpcEndpointIds=[e, "vpce-0123456789abcdef0"])["Unsuccessful"][0]["ResourceId"],
                         "vpce-0123456789abcdef0")
        self.assertNotIn(pl, routes(u))

    def test_interface_endpoint(self):
        ec2 = self.account(14)
        v = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        s = ec2.create_subnet(VpcId=v, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
        t = ec2.create_subnet(VpcId=v, CidrBlock="10.0.2.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
        u = ec2.create_subnet(VpcId=v, CidrBlock="10.0.3.0/24", AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]
        ask = {"VpcId": v, "ServiceName": "com.amazonaws.us-east-1.sqs", "VpcEndpointType": "Interface", "SubnetIds": [s]}
        self.refused("InvalidParameter", ec2.create_vpc_endpoint, **ask)
        ec2.modify_vpc_attribute(VpcId=v, EnableDnsHostnames={"Value": True})
        e = ec2.create_vpc_endpoint(**ask)["VpcEndpoint"]
        i = e["VpcEndpointId"]
        self.assertIn("sqs.us-east-1.amazonaws.com", [d["DnsName"] for d in e["DnsEntries"]])
        [n] = ec2.describe_network_interfaces(NetworkInterfaceIds=e["NetworkInterfaceIds"])["NetworkInterfaces"]
        self.assertEqual((n["InterfaceType"], n["Status"], n["RequesterManaged"]), ("vpc_endpoint", "in-use", True))
        self.refused("InvalidParameter", ec2.create_vpc_endpoint, **ask)
        self.refused("DuplicateSubnetsInSameZone", ec2.modify_vpc_endpoint, VpcEndpointId=i, AddSubnetIds=[t])
        g = ec2.create_security_group(GroupName="g", Description="d", VpcId=v)["GroupId"]
        ec2.modify_vpc_endpoint(VpcEndpointId=i, AddSubnetIds=[u], AddSecurityGroupIds=[g], RemoveSecurityGroupIds=[n["Groups"][0]["GroupId"]])
        [e] = ec2.describe_vpc_endpoints(VpcEndpointIds=[i])["VpcEndpoints"]
        self.assertEqual((e["SubnetIds"], [x["GroupId"] for x in e["Groups"]], len(e["NetworkInterfaceIds"])), ([s, u], [g], 2))
        self.refused("DependencyViolation", ec2.delete_subnet, SubnetId=u)
        ec2.delete_vpc_endpoints(VpcEndpointIds=[i])
        self.assertEqual(ec2.describe_network_interfaces()["NetworkInterfaces"], [])
        for x in (s, t, u):
            ec2.delete_subnet(SubnetId=x)

    def test_flow_logs(self):
        ec2, s3 = self.account(15), self.virga.client("s3", key=f"{15:012d}")
        v = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        s3.create_bucket(Bucket="flows-15")
        ask = {"ResourceIds": [v], "ResourceType": "VPC", "TrafficType": "ALL", "LogDestinationType": "s3",
               "LogDestination": "arn:aws:s3:::flows-15/x/"}
        self.refused("InvalidParameter", ec2.create_flow_logs, LogFormat="${srcaddr} ${nonsense}", **ask)
        self.refused("InvalidVpcID.NotFound", ec2.create_flow_logs, **{**ask, "ResourceIds": ["vpc-0123456789abcdef0"]})
        [f] = ec2.create_flow_logs(LogFormat="${srcaddr} ${action}", MaxAggregationInterval=60, **ask)["FlowLogIds"]
        self.refused("FlowLogAlreadyExists", ec2.create_flow_logs, **ask)
        [told] = ec2.describe_flow_logs(FlowLogIds=[f])["FlowLogs"]
        self.assertEqual((told["FlowLogStatus"], told["LogFormat"], told["TrafficType"]), ("ACTIVE", "${srcaddr} ${action}", "ALL"))
        ec2.delete_flow_logs(FlowLogIds=[f])
        self.assertEqual(ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [v]}])["FlowLogs"], [])
        # CloudWatch Logs is the default: a group by its name or its ARN, and a role.
        to = {"ResourceIds": [v], "ResourceType": "VPC", "TrafficType": "ALL", "DeliverLogsPermissionArn": f"arn:aws:iam::{15:012d}:role/r"}
        arn = f"arn:aws:logs:us-east-1:{15:012d}:log-group:g:*"
        self.refused("InvalidParameter", ec2.create_flow_logs, **to)
        self.refused("InvalidParameter", ec2.create_flow_logs, LogGroupName="g", LogDestination=arn, **to)
        self.refused("InvalidParameter", ec2.create_flow_logs, LogDestination="arn:aws:s3:::b", **to)
        self.refused("InvalidParameter", ec2.create_flow_logs, LogDestinationType="s3", LogDestination="arn:aws:s3:::b", **to)
        self.refused("MissingParameter", ec2.create_flow_logs, LogGroupName="g", **{**to, "DeliverLogsPermissionArn": ""})
        ec2.create_flow_logs(LogDestination=arn, **to)
        [told] = ec2.describe_flow_logs(Filters=[{"Name": "log-group-name", "Values": ["g"]}])["FlowLogs"]
        self.assertEqual((told["LogDestinationType"], told["LogGroupName"], told["LogDestination"]), ("cloud-watch-logs", "g", arn))
        self.assertEqual(told["DeliverLogsPermissionArn"], to["DeliverLogsPermissionArn"])
        self.assertNotIn("DestinationOptions", told)


class Zones(Case):
    def test_a_zone_fails(self):
        def fault(*words):
            return subprocess.run([BINARY, "fault", "--endpoint", self.virga.endpoint, *words], capture_output=True, text=True)

        def states():
            return {z["ZoneName"]: z["State"] for z in self.ec2.describe_availability_zones()["AvailabilityZones"]}

        self.assertEqual(fault("az", "us-east-1b", "down").returncode, 0)
        self.assertEqual((states()["us-east-1a"], states()["us-east-1b"]), ("available", "impaired"))
        self.assertIn("us-east-1b is down", fault().stdout)
        self.virga.restart()
        self.assertEqual(states()["us-east-1b"], "impaired")
        self.assertEqual(fault("az", "us-east-1b", "up").returncode, 0)
        self.assertEqual(set(states().values()), {"available"})
        self.assertEqual(fault("az", "us-east-1z", "down").returncode, 1)
        self.assertEqual(fault("az", "us-east-1a", "sideways").returncode, 1)

    def test_trace_says_what_is_unknown(self):
        run = subprocess.run([BINARY, "trace", "--endpoint", self.virga.endpoint, "i-1", "10.0.0.1", "80"], capture_output=True, text=True)
        self.assertEqual(run.returncode, 1)
        self.assertTrue("i-1" in run.stderr or "root" in run.stderr or "simulated" in run.stderr, run.stderr)

    def test_account(self):
        told = {a["AttributeName"]: a["AttributeValues"][0]["AttributeValue"]
                for a in self.ec2.describe_account_attributes()["AccountAttributes"]}
        self.assertEqual(told["supported-platforms"], "VPC")
        self.assertTrue(told["default-vpc"].startswith("vpc-"))
        self.refused("InvalidParameterValue", self.ec2.describe_account_attributes, AttributeNames=["bogus"])
        a = self.ec2.allocate_address()
        [found] = self.ec2.describe_addresses_attribute(AllocationIds=[a["AllocationId"]], Attribute="domain-name")["Addresses"]
        self.assertEqual(found["PublicIp"], a["PublicIp"])

    def test_insights(self):
        ec2 = self.account(17)
        s = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        a, b = (ec2.create_network_interface(SubnetId=s)["NetworkInterface"]["NetworkInterfaceId"] for _ in range(2))
        self.refused("InvalidNetworkInterfaceID.NotFound", ec2.create_network_insights_path, Source="eni-0123456789abcdef0",
                     Destination=b, Protocol="tcp")
        p = ec2.create_network_insights_path(Source=a, Destination=b, Protocol="tcp", DestinationPort=22)["NetworkInsightsPath"]
        i = p["NetworkInsightsPathId"]
        self.assertEqual((p["Source"], p["DestinationPort"]), (a, 22))
        # Nothing is plugged in there, or networks are simulated: the analysis has no answer and says why.
        n = ec2.start_network_insights_analysis(NetworkInsightsPathId=i)["NetworkInsightsAnalysis"]
        self.assertEqual(n["Status"], "failed")
        self.assertTrue(n["StatusMessage"])
        self.refused("DependencyViolation", ec2.delete_network_insights_path, NetworkInsightsPathId=i)
        [told] = ec2.describe_network_insights_analyses(NetworkInsightsPathId=i)["NetworkInsightsAnalyses"]
        ec2.delete_network_insights_analysis(NetworkInsightsAnalysisId=told["NetworkInsightsAnalysisId"])
        ec2.delete_network_insights_path(NetworkInsightsPathId=i)
        self.assertEqual(ec2.describe_network_insights_paths()["NetworkInsightsPaths"], [])

    def test_everything_outlives_a_crash(self):
        ec2 = self.account(16)
        before = ec2.describe_subnets()["Subnets"]
        self.virga.restart()
        self.assertEqual(ec2.describe_subnets()["Subnets"], before)


if __name__ == "__main__":
    unittest.main()
