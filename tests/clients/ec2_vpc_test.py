"""The network half of EC2's control plane through boto3: regions and zones, tags, filters, pages, dry runs, and the resources of
a VPC with what they refuse."""
import json
import unittest

from botocore.exceptions import ClientError

from virga import Virga

NEEDS_BOTO3 = (1, 40)

ACCOUNT = "000000000000"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2 = cls.virga.client("ec2")

    def account(self, number, region="us-east-1"):
        return self.virga.client("ec2", key=f"{number:012d}", region=region)

    def refused(self, code, call, *args, **kw):
        with self.assertRaises(ClientError) as caught:
            call(*args, **kw)
        error = caught.exception.response
        self.assertEqual(error["Error"]["Code"], code, caught.exception)
        self.assertLess(error["ResponseMetadata"]["HTTPStatusCode"], 500)
        return error["Error"].get("Message", "")


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


if __name__ == "__main__":
    unittest.main()
