"""VPC Block Public Access: an account's mode and its exclusions through boto3 and CloudFormation; and, where virga runs as root, by
real packets: what an internet gateway and a NAT gateway carry then, what the flow log and `virga trace` tell of it."""
import gzip
import json
import os
import subprocess
import unittest

from ec2_instance_test import Case
from ec2_kill_test import OUTSIDE, TRY, Kill
from virga import BINARY

NEEDS_BOTO3 = (1, 40)


class Options(Case):
    def options(self):
        return self.ec2.describe_vpc_block_public_access_options()["VpcBlockPublicAccessOptions"]

    def mode(self, mode):
        return self.ec2.modify_vpc_block_public_access_options(InternetGatewayBlockMode=mode)["VpcBlockPublicAccessOptions"]

    def test_options_and_exclusions(self):
        ec2 = self.ec2
        told = self.options()
        self.assertEqual((told["State"], told["InternetGatewayBlockMode"], told["ManagedBy"], told["ExclusionsAllowed"]),
                         ("default-state", "off", "account", "allowed"))
        v = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        a, b = [ec2.create_subnet(VpcId=v, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"] for n in (1, 2)]
        create = ec2.create_vpc_block_public_access_exclusion
        self.refused("MissingParameter", create, InternetGatewayExclusionMode="allow-egress")
        self.refused("InvalidParameterCombination", create, InternetGatewayExclusionMode="allow-egress", VpcId=v, SubnetId=a)
        self.refused("InvalidSubnetID.NotFound", create, InternetGatewayExclusionMode="allow-egress", SubnetId="subnet-" + "0" * 17)
        made = create(InternetGatewayExclusionMode="allow-egress", SubnetId=a, TagSpecifications=[
            {"ResourceType": "vpc-block-public-access-exclusion", "Tags": [{"Key": "k", "Value": "v"}]}])["VpcBlockPublicAccessExclusion"]
        x = made["ExclusionId"]
        self.assertEqual(made["State"], "create-in-progress")
        self.assertTrue(made["ResourceArn"].endswith(f":subnet/{a}"))
        self.refused("InvalidParameterValue", create, InternetGatewayExclusionMode="allow-bidirectional", SubnetId=a)

        def states():
            shown = {s["SubnetId"]: s for s in ec2.describe_subnets(SubnetIds=[a, b])["Subnets"]}
            shown[v] = ec2.describe_vpcs(VpcIds=[v])["Vpcs"][0]
            return [shown[i]["BlockPublicAccessStates"]["InternetGatewayBlockMode"] for i in (v, a, b)]

        self.assertEqual(states(), ["off"] * 3)
        told = self.mode("block-bidirectional")
        self.assertEqual((told["State"], told["InternetGatewayBlockMode"]), ("update-complete", "block-bidirectional"))
        self.assertEqual(states(), ["block-bidirectional", "block-ingress", "block-bidirectional"])
        self.mode("block-ingress")
        self.assertEqual(states(), ["block-ingress"] * 3)
        self.assertEqual(self.virga.client("ec2", region="eu-west-1").describe_vpc_block_public_access_options()[
            "VpcBlockPublicAccessOptions"]["InternetGatewayBlockMode"], "off")
        ec2.modify_vpc_block_public_access_exclusion(ExclusionId=x, InternetGatewayExclusionMode="allow-bidirectional")
        self.assertEqual(states(), ["block-ingress", "off", "block-ingress"])
        [told] = ec2.describe_vpc_block_public_access_exclusions(Filters=[{"Name": "tag:k", "Values": ["v"]}])[
            "VpcBlockPublicAccessExclusions"]
        self.assertEqual((told["ExclusionId"], told["State"], told["InternetGatewayExclusionMode"]),
                         (x, "update-complete", "allow-bidirectional"))
        self.virga.restart()
        self.assertEqual(self.options()["InternetGatewayBlockMode"], "block-ingress")
        ec2.delete_vpc_block_public_access_exclusion(ExclusionId=x)
        self.refused("InvalidVpcBlockPublicAccessExclusionId.NotFound", ec2.describe_vpc_block_public_access_exclusions, ExclusionIds=[x])
        self.assertEqual(states(), ["block-ingress"] * 3)
        # One goes with its subnet.
        create(InternetGatewayExclusionMode="allow-egress", SubnetId=b)
        ec2.delete_subnet(SubnetId=b)
        self.assertEqual(ec2.describe_vpc_block_public_access_exclusions()["VpcBlockPublicAccessExclusions"], [])
        self.mode("off")

    def test_stack(self):
        stacks = self.virga.client("cloudformation", region="eu-west-1")
        ec2 = self.virga.client("ec2", region="eu-west-1")
        stacks.create_stack(StackName="s", TemplateBody=json.dumps({"Resources": {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
            "Off": {"Type": "AWS::EC2::VPCBlockPublicAccessExclusion", "Properties": {
                "VpcId": {"Ref": "Vpc"}, "InternetGatewayExclusionMode": "allow-egress"}},
            "On": {"Type": "AWS::EC2::VPCBlockPublicAccessOptions", "Properties": {"InternetGatewayBlockMode": "block-bidirectional"}}}}))
        self.until(lambda: stacks.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE")
        told = ec2.describe_vpc_block_public_access_options()["VpcBlockPublicAccessOptions"]
        self.assertEqual(told["InternetGatewayBlockMode"], "block-bidirectional")
        self.assertEqual(len(ec2.describe_vpc_block_public_access_exclusions()["VpcBlockPublicAccessExclusions"]), 1)
        stacks.delete_stack(StackName="s")
        self.until(lambda: ec2.describe_vpc_block_public_access_options()["VpcBlockPublicAccessOptions"]["InternetGatewayBlockMode"] == "off")
        self.until(lambda: not ec2.describe_vpc_block_public_access_exclusions()["VpcBlockPublicAccessExclusions"])


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Packets(Kill):
    test_kills_under_traffic = test_reset = None

    def ways(self):
        """In to the public machine, out from it, out by the NAT gateway, and between the two."""
        def out(i):
            return self.ssh(i, "python3", "-c", TRY, OUTSIDE, "8080").returncode == 0

        return self.passes("outside", 7000), out(self.a), out(self.b), self.passes(self.b, 7000)

    def traced(self, *words):
        run = subprocess.run([BINARY, "trace", "--endpoint", self.virga.endpoint, *words], capture_output=True, text=True)
        self.assertEqual("Block Public Access" in run.stdout, run.returncode == 1, run.stdout + run.stderr)
        return run.returncode == 0

    def test_packets(self):
        self.build()
        ec2, s3 = self.ec2, self.virga.client("s3")
        s3.create_bucket(Bucket="flows")
        ec2.create_flow_logs(ResourceIds=[self.vpc], ResourceType="VPC", TrafficType="REJECT", LogDestinationType="s3",
                             LogDestination="arn:aws:s3:::flows", MaxAggregationInterval=60,
                             LogFormat="${srcaddr} ${dstaddr} ${dstport} ${action} ${reject-reason}")
        near, far = [self.describe(i)["SubnetId"] for i in (self.a, self.b)]

        def mode(m):
            ec2.modify_vpc_block_public_access_options(InternetGatewayBlockMode=m)

        def exclude(subnet, m):
            return ec2.create_vpc_block_public_access_exclusion(SubnetId=subnet, InternetGatewayExclusionMode=m)[
                "VpcBlockPublicAccessExclusion"]["ExclusionId"]

        def becomes(*ways):
            self.until(lambda: self.ways() == ways)
            self.assertEqual((self.traced("internet", self.a, "7000"), self.traced(self.a, OUTSIDE, "8080"),
                              self.traced(self.b, OUTSIDE, "8080")), ways[:3])

        becomes(True, True, True, True)
        mode("block-ingress")
        becomes(False, False, True, True)
        mode("block-bidirectional")
        becomes(False, False, False, True)
        x = exclude(near, "allow-egress")
        becomes(False, True, True, True)
        ec2.modify_vpc_block_public_access_exclusion(ExclusionId=x, InternetGatewayExclusionMode="allow-bidirectional")
        becomes(True, True, True, True)
        ec2.delete_vpc_block_public_access_exclusion(ExclusionId=x)
        becomes(False, False, False, True)
        exclude(far, "allow-bidirectional")  # it is the NAT gateway's subnet that counts
        becomes(False, False, False, True)
        private = self.private

        def told():
            self.ways()
            subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "2m"], check=True, capture_output=True)
            lines = set()
            for o in s3.list_objects_v2(Bucket="flows").get("Contents", []):
                lines |= set(gzip.decompress(s3.get_object(Bucket="flows", Key=o["Key"])["Body"].read()).decode().splitlines())
            return lines

        wanted = {f"{OUTSIDE} {private} 7000 REJECT BPA", f"{private} {OUTSIDE} 8080 REJECT BPA"}
        self.until(lambda: wanted <= told())
        p = ec2.create_network_insights_path(Source=self.a, DestinationIp=OUTSIDE, Protocol="tcp", DestinationPort=8080)[
            "NetworkInsightsPath"]["NetworkInsightsPathId"]
        told = ec2.start_network_insights_analysis(NetworkInsightsPathId=p)["NetworkInsightsAnalysis"]
        self.assertEqual([e["ExplanationCode"] for e in told["Explanations"]], ["VPC_BLOCK_PUBLIC_ACCESS_ENABLED"])
        mode("off")
        becomes(True, True, True, True)


del Kill

if __name__ == "__main__":
    unittest.main()
