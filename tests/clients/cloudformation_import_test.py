"""CloudFormation takes existing resources in."""
import json
import unittest

from botocore.exceptions import ClientError
from cloudformation_case import Case


class Import(Case):
    SERVICES = ("sqs", "s3", "dynamodb", "ec2")

    def change_set(self, stack, template, type, **kw):
        made = self.cfn.create_change_set(StackName=stack, ChangeSetName="c", ChangeSetType=type, TemplateBody=json.dumps(template), **kw)
        told = self.cfn.describe_change_set(ChangeSetName=made["Id"])
        self.assertEqual(told["Status"], "CREATE_COMPLETE", told)
        actions = {c["ResourceChange"]["LogicalResourceId"]: (c["ResourceChange"]["Action"], c["ResourceChange"].get("PhysicalResourceId")) for c in told["Changes"]}
        self.cfn.execute_change_set(ChangeSetName=made["Id"])
        self.addCleanup(self.remove, made["StackId"])
        return actions, self.settle(made["StackId"])

    def test_resources_to_import(self):
        url = self.sqs.create_queue(QueueName="old", Attributes={"DelaySeconds": "7"})["QueueUrl"]
        vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        template = {"Resources": {
            "Q": {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain", "Properties": {"QueueName": "old", "DelaySeconds": 7}},
            "V": {"Type": "AWS::EC2::VPC", "DeletionPolicy": "Retain", "Properties": {"CidrBlock": "10.9.0.0/16"}}}}
        wanted = [{"ResourceType": "AWS::SQS::Queue", "LogicalResourceId": "Q", "ResourceIdentifier": {"QueueUrl": url}},
                  {"ResourceType": "AWS::EC2::VPC", "LogicalResourceId": "V", "ResourceIdentifier": {"VpcId": vpc}}]
        with self.assertRaises(ClientError):
            self.change_set("taken", template, "IMPORT", ResourcesToImport=[{**wanted[1], "ResourceIdentifier": {"VpcId": "vpc-0000000000000000a"}}, wanted[0]])
        actions, stack = self.change_set("taken", template, "IMPORT", ResourcesToImport=wanted)
        self.assertEqual((actions, stack["StackStatus"]), ({"Q": ("Import", url), "V": ("Import", vpc)}, "IMPORT_COMPLETE"), self.failures("taken"))
        template["Resources"]["Q"]["Properties"]["DelaySeconds"] = 8
        del template["Resources"]["V"]["DeletionPolicy"]
        self.update("taken", template)
        self.assertEqual(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"], "8")
        with self.assertRaises(ClientError, msg="it is another stack's"):
            self.change_set("thief", template, "IMPORT", ResourcesToImport=wanted)
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE")
        self.sqs.get_queue_attributes(QueueUrl=url)
        with self.assertRaises(ClientError):
            self.ec2.describe_vpcs(VpcIds=[vpc])

    def test_existing_resources_of_the_same_name(self):
        self.s3.create_bucket(Bucket="here-already")
        template = {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "here-already"}}, "Q": {"Type": "AWS::SQS::Queue"},
                                  "T": {"Type": "AWS::DynamoDB::Table", "Properties": {"BillingMode": "PAY_PER_REQUEST", "TableName": "new", "AttributeDefinitions": [
                                      {"AttributeName": "id", "AttributeType": "S"}], "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}}}}
        actions, stack = self.change_set("mixed", template, "CREATE", ImportExistingResources=True)
        self.assertEqual({k: v[0] for k, v in actions.items()}, {"B": "Import", "Q": "Add", "T": "Add"})
        self.assertEqual(stack["StackStatus"], "CREATE_COMPLETE", self.failures("mixed"))
        self.remove(stack["StackId"])
        self.s3.create_bucket(Bucket="here-already")
        template["Resources"]["Q"]["Properties"] = {"DelaySeconds": 100000}
        actions, stack = self.change_set("unlucky", template, "CREATE", ImportExistingResources=True)
        self.assertEqual(stack["StackStatus"], "ROLLBACK_COMPLETE")
        self.s3.head_bucket(Bucket="here-already")


if __name__ == "__main__":
    unittest.main()
