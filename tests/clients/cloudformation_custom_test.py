"""CloudFormation's custom resources over SNS: requests that are taken from a queue, answers that are put at their URL; and what the
template language can do for them."""
import json
import re
import subprocess
import time
import unittest
import urllib.request

from cloudformation_case import Case, outputs
from virga import BINARY


class Custom(Case):
    SERVICES = ("sns", "sqs", "ssm", "s3", "dynamodb")

    def setUp(self):
        name = self.id().rsplit(".", 1)[1]
        self.topic = self.sns.create_topic(Name=name)["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}]}
        self.sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": json.dumps(policy)})
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        self.seen = set()

    def request(self, kind, limit=60):
        """The next request that was not seen yet; SNS may deliver one twice."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            for m in self.sqs.receive_message(QueueUrl=self.queue, WaitTimeSeconds=1).get("Messages", []):
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=m["ReceiptHandle"])
                r = json.loads(m["Body"])
                if r["RequestId"] in self.seen:
                    continue
                self.seen.add(r["RequestId"])
                self.assertEqual(r["RequestType"], kind, r)
                return r
        self.fail(f"no {kind} came")

    def answer(self, r, status="SUCCESS", **kw):
        body = {"Status": status, "RequestId": r["RequestId"], "StackId": r["StackId"], "LogicalResourceId": r["LogicalResourceId"], **kw}
        request = urllib.request.Request(r["ResponseURL"], data=json.dumps(body).encode(), method="PUT")
        self.assertEqual(urllib.request.urlopen(request).status, 200)

    def template(self, **properties):
        return {"Resources": {"Mine": {"Type": "Custom::Thing", "Properties": {"ServiceToken": self.topic, **properties}}},
                "Outputs": {"Id": {"Value": {"Ref": "Mine"}}, "Answer": {"Value": {"Fn::GetAtt": ["Mine", "Answer"]}}}}

    def begin(self, name, template):
        id = self.cfn.create_stack(StackName=name, TemplateBody=json.dumps(template))["StackId"]
        return id

    def test_the_life_of_a_custom_resource(self):
        id = self.begin("life", self.template(Size=3, Flag=True, Deep={"List": [1, "two"]}))
        r = self.request("Create")
        self.assertEqual((r["ResourceType"], r["LogicalResourceId"], r["StackId"]), ("Custom::Thing", "Mine", id))
        self.assertEqual(r["ResourceProperties"], {"ServiceToken": self.topic, "Size": "3", "Flag": "true", "Deep": {"List": ["1", "two"]}})
        self.assertNotIn("PhysicalResourceId", r)
        self.answer(r, PhysicalResourceId="thing-1", Data={"Answer": "42"})
        stack = self.settle(id)
        self.assertEqual((stack["StackStatus"], outputs(stack)), ("CREATE_COMPLETE", {"Id": "thing-1", "Answer": "42"}), self.failures(id))
        found = self.cfn.describe_stack_resources(PhysicalResourceId="thing-1")["StackResources"]
        self.assertEqual([(f["StackName"], f["LogicalResourceId"]) for f in found], [("life", "Mine")])
        # Changed in place.
        self.cfn.update_stack(StackName=id, TemplateBody=json.dumps(self.template(Size=4)))
        r = self.request("Update")
        self.assertEqual((r["PhysicalResourceId"], r["ResourceProperties"]["Size"], r["OldResourceProperties"]["Size"]), ("thing-1", "4", "3"))
        self.answer(r, PhysicalResourceId="thing-1", Data={"Answer": "43"})
        stack = self.settle(id)
        self.assertEqual((stack["StackStatus"], outputs(stack)["Answer"]), ("UPDATE_COMPLETE", "43"), self.failures(id))
        # Another id: a replacement, the old one is deleted in the clean-up; a crash between takes nothing away.
        self.cfn.update_stack(StackName=id, TemplateBody=json.dumps(self.template(Size=5)))
        r = self.request("Update")
        self.virga.restart()
        self.answer(r, PhysicalResourceId="thing-2", Data={"Answer": "44"}, NoEcho=True)
        r = self.request("Delete")
        self.assertEqual((r["PhysicalResourceId"], r["ResourceProperties"]["Size"]), ("thing-1", "4"))
        self.answer(r, PhysicalResourceId="thing-1")
        stack = self.settle(id)
        self.assertEqual((stack["StackStatus"], outputs(stack)), ("UPDATE_COMPLETE", {"Id": "thing-2", "Answer": "*****"}), self.failures(id))
        self.cfn.delete_stack(StackName=id)
        r = self.request("Delete")
        self.assertEqual(r["PhysicalResourceId"], "thing-2")
        self.answer(r, "FAILED", Reason="still needed", PhysicalResourceId="thing-2")
        self.assertEqual(self.settle(id)["StackStatus"], "DELETE_FAILED")
        self.assertIn("still needed", str(self.failures(id)))
        self.cfn.delete_stack(StackName=id)
        self.answer(self.request("Delete"), PhysicalResourceId="thing-2")
        self.assertEqual(self.settle(id)["StackStatus"], "DELETE_COMPLETE")

    def test_what_fails(self):
        id = self.begin("fails", self.template())
        r = self.request("Create")
        self.answer(r, "FAILED", Reason="no luck", PhysicalResourceId="half")
        r = self.request("Delete")
        self.assertEqual(r["PhysicalResourceId"], "half")
        self.answer(r, PhysicalResourceId="half")
        self.assertEqual(self.settle(id)["StackStatus"], "ROLLBACK_COMPLETE")
        self.assertIn(f"Received response status [FAILED] from custom resource. Message returned: no luck", str(self.failures(id)))
        id = self.begin("late", self.template(ServiceTimeout=120))
        self.request("Create")
        subprocess.run([BINARY, "clock", "advance", "3m", "--endpoint", self.virga.endpoint], check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(self.settle(id)["StackStatus"], "ROLLBACK_COMPLETE")
        self.assertIn("did not receive a response", str(self.failures(id)))
        for token, why in ((f"arn:aws:lambda:us-east-1:000000000000:function:f", "needs AWS Lambda"), ("arn:aws:sns:eu-west-1:000000000000:t", "not in this Region"),
                           (self.topic + "-none", "Topic does not exist")):
            template = self.template()
            template["Resources"]["Mine"]["Properties"]["ServiceToken"] = token
            id = self.begin("no" + str(len(why)), template)
            self.assertEqual(self.settle(id)["StackStatus"], "ROLLBACK_COMPLETE")
            self.assertIn(why, str(self.failures(id)))

    def test_language_extensions_settle_names_and_policies(self):
        template = {"Transform": "AWS::LanguageExtensions", "Parameters": {"Policy": {"Type": "String", "Default": "Retain"}, "Which": {"Type": "String", "Default": "A"}},
                    "Mappings": {"Delays": {"A": {"Delay": "3"}}},
                    "Resources": {"Fn::ForEach::Queues": ["Name", ["A", "B"], {"Queue${Name}": {
                        "Type": "AWS::SQS::Queue", "DeletionPolicy": {"Ref": "Policy"},
                        "Properties": {"DelaySeconds": {"Fn::FindInMap": ["Delays", "${Name}", "Delay", {"DefaultValue": "7"}]}}}}]},
                    "Outputs": {"Fn::ForEach::Told": ["Name", ["A", "B"], {"Fn::ForEach::Attributes": ["Att", ["Arn", "QueueName"], {
                        "Queue${Name}${Att}": {"Value": {"Fn::GetAtt": [{"Fn::Sub": "Queue${Name}"}, {"Ref": "Att"}]}}}]}],
                        "Chosen": {"Value": {"Ref": {"Fn::Sub": "Queue${Which}"}}}, "N": {"Value": {"Fn::Length": {"Fn::Split": [",", "a,b,c"]}}}}}
        stack = self.create("extended", template)
        told = outputs(stack)
        self.assertTrue(told["QueueAArn"].endswith(":" + told["QueueAQueueName"]), told)
        self.assertTrue(told["Chosen"].endswith("/" + told["QueueAQueueName"]), told)
        self.assertEqual(told["N"], "3")
        delays = [self.sqs.get_queue_attributes(QueueUrl=self.physical("extended", f"Queue{n}"), AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"] for n in "AB"]
        self.assertEqual(delays, ["3", "7"])
        url = told["Chosen"]
        self.remove(stack["StackId"])
        self.sqs.delete_queue(QueueUrl=url)  # it was retained

    def test_serverless_as_far_as_there_are_services(self):
        template = {"Transform": "AWS::Serverless-2016-10-31", "Globals": {"Function": {"Timeout": 3}},
                    "Resources": {"Table": {"Type": "AWS::Serverless::SimpleTable", "Properties": {
                        "PrimaryKey": {"Name": "key", "Type": "Number"}, "Tags": {"team": "a"}}},
                        "Plain": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"Name": {"Value": {"Ref": "Table"}}}}
        stack = self.create("sam", template, Capabilities=["CAPABILITY_AUTO_EXPAND"])
        table = self.dynamodb.describe_table(TableName=outputs(stack)["Name"])["Table"]
        self.assertEqual((table["KeySchema"], table["AttributeDefinitions"], table["BillingModeSummary"]["BillingMode"]), (
            [{"AttributeName": "key", "KeyType": "HASH"}], [{"AttributeName": "key", "AttributeType": "N"}], "PAY_PER_REQUEST"))
        template["Resources"]["F"] = {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "a.b"}}
        with self.assertRaisesRegex(self.cfn.exceptions.ClientError, r"\[F\] is invalid. virga does not have AWS Lambda"):
            self.cfn.create_stack(StackName="sam2", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_AUTO_EXPAND"])

    def test_a_preview_hides_only_what_the_change_makes(self):
        queue = {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": "{{resolve:ssm:/delay/none}}"}}
        with self.assertRaisesRegex(self.cfn.exceptions.ClientError, re.escape("[ssm:/delay/none] could not be read")):
            self.cfn.create_stack(StackName="hidden", TemplateBody=json.dumps({"Resources": {"P": {"Type": "AWS::SQS::Queue"}}}))
            self.settle("hidden")
            self.cfn.update_stack(StackName="hidden", TemplateBody=json.dumps({"Resources": {"P": {"Type": "AWS::SQS::Queue"}, "Q": queue}}))
        made = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/delay/none", "Type": "String", "Value": "5"}}
        self.update("hidden", {"Resources": {"P": {"Type": "AWS::SQS::Queue"}, "Made": made, "Q": {**queue, "DependsOn": "Made"}}})
        self.remove(self.cfn.describe_stacks(StackName="hidden")["Stacks"][0]["StackId"])


if __name__ == "__main__":
    unittest.main()
