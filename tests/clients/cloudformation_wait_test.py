"""CloudFormation's resources that wait: nested stacks, wait conditions, creation policies; and a crash between."""
import json
import os
import subprocess
import time
import unittest
import urllib.request

from cloudformation_case import Case, outputs
from cloudformation_types_test import NETWORK
from virga import BINARY

CHILD = {"Parameters": {"Delay": {"Type": "Number", "Default": 0}, "Names": {"Type": "CommaDelimitedList", "Default": ""}},
         "Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": {"Ref": "Delay"}}}},
         "Outputs": {"Url": {"Value": {"Ref": "Q"}}, "Names": {"Value": {"Fn::Join": ["-", {"Ref": "Names"}]}}}}


def send(url, body):
    return urllib.request.urlopen(urllib.request.Request(url, data=body if isinstance(body, bytes) else json.dumps(body).encode(), method="PUT")).status


class Waiting(Case):
    SERVICES = ("s3", "sqs", "ec2")

    def put(self, url, body):
        """From outside of VPCs: a handle's name is AWS's, so its path is asked for at virga's own address."""
        return send(self.virga.endpoint + "/" + url.split("/", 3)[3], body)

    def event(self, stack, logical, status, limit=60):
        end = time.monotonic() + limit
        while (logical, status) not in [r[:2] for r in self.reasons(stack)]:
            self.assertLess(time.monotonic(), end, self.reasons(stack))
            time.sleep(0.02)

    def begin(self, name, template, **kw):
        id = self.cfn.create_stack(StackName=name, TemplateBody=json.dumps(template), **kw)["StackId"]
        self.addCleanup(self.remove, id)
        return id

    def test_a_wait_condition_takes_signals_at_its_handle(self):
        template = {"Resources": {
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Wait": {"Type": "AWS::CloudFormation::WaitCondition", "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "600", "Count": 2}}},
            "Outputs": {"Data": {"Value": {"Fn::GetAtt": ["Wait", "Data"]}}}}
        id = self.begin("wait", template)
        self.event(id, "Handle", "CREATE_COMPLETE")
        url = self.physical(id, "Handle")
        self.assertEqual(self.put(url, {"Status": "SUCCESS", "UniqueId": "1", "Data": "one", "Reason": "done"}), 200)
        self.put(url, {"Status": "SUCCESS", "UniqueId": "1", "Data": "again", "Reason": "done"})
        self.assertEqual(self.cfn.describe_stacks(StackName=id)["Stacks"][0]["StackStatus"], "CREATE_IN_PROGRESS")
        for bad in (url[:-1] + "?", url.rsplit("/", 1)[0]):
            with self.assertRaises(urllib.error.HTTPError):
                self.put(bad, {"Status": "SUCCESS", "UniqueId": "3"})
        with self.assertRaises(urllib.error.HTTPError):
            self.put(url, b"nonsense")
        self.put(url, {"Status": "SUCCESS", "UniqueId": "2", "Data": "two", "Reason": "done"})
        stack = self.settle(id)
        self.assertEqual((stack["StackStatus"], json.loads(outputs(stack)["Data"])), ("CREATE_COMPLETE", {"1": "one", "2": "two"}), self.failures(id))

    @unittest.skipIf(os.geteuid() != 0, "machines need root")
    def test_a_machine_signals_its_handle_from_inside(self):
        image = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
        signal = """{"Status":"SUCCESS","UniqueId":"inside","Data":"seen","Reason":"up"}"""
        script = f"#!/bin/sh\ncurl -sf -X PUT -H 'Content-Type:' --data-binary '{signal}' '${{Handle}}'\n"
        template = {"Resources": {
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Machine": {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": image, "InstanceType": "t3.micro", "UserData": {"Fn::Base64": {"Fn::Sub": script}}}},
            "Wait": {"Type": "AWS::CloudFormation::WaitCondition", "DependsOn": "Machine", "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "3600"}}},
            "Outputs": {"Data": {"Value": {"Fn::GetAtt": ["Wait", "Data"]}}}}
        id = self.begin("inside", template)
        self.event(id, "Machine", "CREATE_COMPLETE", limit=120)
        machine = self.ec2.describe_instances(InstanceIds=[self.physical(id, "Machine")])["Reservations"][0]["Instances"][0]
        if "StateReason" in machine and machine["StateReason"].get("Message"):
            self.skipTest(machine["StateReason"]["Message"])
        stack = self.settle(id)
        self.assertEqual((stack["StackStatus"], json.loads(outputs(stack)["Data"])), ("CREATE_COMPLETE", {"inside": "seen"}), self.failures(id))

    def test_a_failure_signal_and_a_timeout_fail(self):
        template = {"Resources": {
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Wait": {"Type": "AWS::CloudFormation::WaitCondition", "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "600"}}}}
        id = self.begin("sorry", template)
        self.event(id, "Handle", "CREATE_COMPLETE")
        self.put(self.physical(id, "Handle"), {"Status": "FAILURE", "UniqueId": "1", "Reason": "no luck"})
        self.assertEqual(self.settle(id)["StackStatus"], "ROLLBACK_COMPLETE")
        self.assertIn("no luck", self.failures(id)[0][2])
        id = self.begin("late", template)
        self.event(id, "Wait", "CREATE_IN_PROGRESS")
        self.event(id, "Handle", "CREATE_COMPLETE")
        subprocess.run([BINARY, "clock", "advance", "11m", "--endpoint", self.virga.endpoint], check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(self.settle(id)["StackStatus"], "ROLLBACK_COMPLETE")
        self.assertIn("timed out", self.failures(id)[0][2])

    def test_a_creation_policy_waits_for_signal_resource(self):
        template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "CreationPolicy": {"ResourceSignal": {"Count": 2, "Timeout": "PT10M"}}}}}
        id = self.begin("signals", template)
        self.event(id, "Q", "CREATE_IN_PROGRESS")
        for n in "ab":
            self.assertEqual(self.cfn.describe_stacks(StackName=id)["Stacks"][0]["StackStatus"], "CREATE_IN_PROGRESS")
            self.cfn.signal_resource(StackName="signals", LogicalResourceId="Q", UniqueId=n, Status="SUCCESS")
        self.assertEqual(self.settle(id)["StackStatus"], "CREATE_COMPLETE", self.failures(id))
        with self.assertRaises(self.cfn.exceptions.ClientError):
            self.cfn.signal_resource(StackName="signals", LogicalResourceId="Q", UniqueId="c", Status="SUCCESS")
        id = self.begin("failed-signal", template)
        self.event(id, "Q", "CREATE_IN_PROGRESS")
        self.cfn.signal_resource(StackName=id, LogicalResourceId="Q", UniqueId="a", Status="FAILURE")
        self.assertEqual(self.settle(id)["StackStatus"], "ROLLBACK_COMPLETE")
        self.assertIn("Received 1 FAILURE signal", self.failures(id)[0][2])

    def test_nested_stacks(self):
        self.s3.create_bucket(Bucket="templates")
        self.s3.put_object(Bucket="templates", Key="child.json", Body=json.dumps(CHILD).encode())
        url = "https://templates.s3.amazonaws.com/child.json"

        def parent(delay, **more):
            return {"Resources": {"Child": {"Type": "AWS::CloudFormation::Stack", "Properties": {
                "TemplateURL": url, "Parameters": {"Delay": delay, "Names": "a,b"}, "Tags": [{"Key": "k", "Value": "v"}]}}, **more},
                "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["Child", "Outputs.Url"]}}, "Names": {"Value": {"Fn::GetAtt": "Child.Outputs.Names"}}}}
        stack = self.create("parent", parent(1))
        out = outputs(stack)
        child = self.physical("parent", "Child")
        self.assertRegex(child, ":stack/parent-Child-[A-Z0-9]{12}/")
        [nested] = self.cfn.describe_stacks(StackName=child)["Stacks"]
        self.assertEqual((nested["ParentId"], nested["RootId"]), (stack["StackId"], stack["StackId"]))
        self.assertEqual({t["Key"]: t["Value"] for t in nested["Tags"]}, {"k": "v"})
        self.assertEqual(out["Names"], "a-b")
        delay = lambda: self.sqs.get_queue_attributes(QueueUrl=out["Url"], AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"]  # noqa: E731
        self.assertEqual(delay(), "1")
        self.update("parent", parent(2))
        self.assertEqual(delay(), "2")
        self.update("parent", parent(3, Bad={"Type": "AWS::SQS::Queue", "DependsOn": "Child", "Properties": {"DelaySeconds": 100000}}), "UPDATE_ROLLBACK_COMPLETE")
        self.assertEqual(delay(), "2", "the nested stack went back, too")
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE")
        self.assertEqual(self.cfn.describe_stacks(StackName=child)["Stacks"][0]["StackStatus"], "DELETE_COMPLETE")
        self.assertEqual(self.sqs.list_queues().get("QueueUrls", []), [])
        stack = self.create("unlucky", parent(100000), "ROLLBACK_COMPLETE")
        self.assertIn("Embedded stack", self.failures(stack["StackId"])[0][2])

    def test_a_crash_while_the_reference_vpc_is_made_and_removed(self):
        for pause in (0.05, 0.3, 0.6):
            name = f"crash{int(pause * 100)}"
            id = self.cfn.create_stack(StackName=name, TemplateBody=NETWORK, Capabilities=["CAPABILITY_IAM"])["StackId"]
            time.sleep(pause)
            self.virga.restart()
            self.assertEqual(self.settle(id)["StackStatus"], "CREATE_COMPLETE", self.failures(id))
            made = {r["PhysicalResourceId"] for r in self.cfn.describe_stack_resources(StackName=name)["StackResources"]}
            mine = [{"Name": "tag:aws:cloudformation:stack-id", "Values": [id]}]
            self.assertEqual({v["VpcId"] for v in self.ec2.describe_vpcs(Filters=mine)["Vpcs"]} - made, set(), "none was made twice")
            self.assertEqual({v["SubnetId"] for v in self.ec2.describe_subnets(Filters=mine)["Subnets"]} - made, set())
            self.assertEqual({v["GroupId"] for v in self.ec2.describe_security_groups(Filters=mine)["SecurityGroups"]} - made, set())
            self.cfn.delete_stack(StackName=id)
            time.sleep(pause)
            self.virga.restart()
            self.assertEqual(self.settle(id)["StackStatus"], "DELETE_COMPLETE", self.failures(id))
            self.assertEqual(self.ec2.describe_vpcs(Filters=mine)["Vpcs"], [])


if __name__ == "__main__":
    unittest.main()
