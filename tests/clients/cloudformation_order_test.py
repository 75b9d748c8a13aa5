"""What a template does not order by references, and AWS's seconds do; and where there is nothing to wait for."""
import json
import unittest

from cloudformation_case import Case


def policy(bucket):
    return {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": bucket, "PolicyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}}}


class Order(Case):
    SERVICES = ("s3", "ec2")

    def test_a_policy_waits_for_its_bucket(self):
        bucket = {"Type": "AWS::S3::Bucket", "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}}
        template = {"Resources": {
            "Policy": policy("ordered-by-nothing"),
            "Copies": bucket,
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": [
                {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}},
            # A rule with neither Filter nor Prefix is for all objects.
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {**bucket["Properties"], "BucketName": "ordered-by-nothing", "ReplicationConfiguration": {
                "Role": {"Fn::GetAtt": "Role.Arn"}, "Rules": [{"Status": "Enabled", "Destination": {"Bucket": {"Fn::GetAtt": "Copies.Arn"}}}]}}}}}
        stack = self.create("order", template, Capabilities=["CAPABILITY_IAM"])
        self.assertIn("SecureTransport", self.s3.get_bucket_policy(Bucket="ordered-by-nothing")["Policy"])
        [rule] = self.s3.get_bucket_replication(Bucket="ordered-by-nothing")["ReplicationConfiguration"]["Rules"]
        self.assertEqual((rule["Status"], rule.get("Prefix", "")), ("Enabled", ""))
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))

    def test_a_gateway_waits_for_its_attachment(self):
        template = {"Resources": {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
            "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"}},
            "Address": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}},
            "Nat": {"Type": "AWS::EC2::NatGateway", "Properties": {"SubnetId": {"Ref": "Subnet"}, "AllocationId": {"Fn::GetAtt": "Address.AllocationId"}}},
            "Gateway": {"Type": "AWS::EC2::InternetGateway"},
            # It comes last for sure.
            "Attachment": {"Type": "AWS::EC2::VPCGatewayAttachment", "DependsOn": ["Subnet", "Address"],
                           "Properties": {"VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Ref": "Gateway"}}}}}
        stack = self.create("nat", template)
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))

    def test_what_nothing_brings_fails(self):
        self.cfn.create_stack(StackName="missing", TemplateBody=json.dumps({"Resources": {"Policy": policy("nobody-makes-this"), "Other": policy("nor-this")}}))
        self.assertEqual(self.settle("missing", limit=120)["StackStatus"], "ROLLBACK_COMPLETE")
        self.assertIn("NoSuchBucket", " ".join(r[2] for r in self.failures("missing")))


if __name__ == "__main__":
    unittest.main()
