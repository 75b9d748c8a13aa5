"""CloudFormation's stack policies, notifications, and drift."""
import json
import time
import unittest

from botocore.exceptions import ClientError
from cloudformation_case import Case

QUEUE = "AWS::SQS::Queue"


def two(delay_a=1, delay_b=1, **more):
    return {"Resources": {"A": {"Type": QUEUE, "Properties": {"DelaySeconds": delay_a, **more}}, "B": {"Type": QUEUE, "Properties": {"DelaySeconds": delay_b}}}}


class Guard(Case):
    SERVICES = ("sqs", "sns", "ec2", "dynamodb", "autoscaling")

    def delay(self, stack, name):
        return self.sqs.get_queue_attributes(QueueUrl=self.physical(stack, name), AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"]

    def test_a_stack_policy_forbids(self):
        policy = {"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},
                                {"Effect": "Deny", "Action": ["Update:Replace", "Update:Delete"], "Principal": "*", "Resource": "LogicalResourceId/A"},
                                {"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "LogicalResourceId/B",
                                 "Condition": {"StringEquals": {"ResourceType": [QUEUE]}}}]}
        with self.assertRaises(ClientError):
            self.cfn.create_stack(StackName="bad", TemplateBody=json.dumps(two()), StackPolicyBody='{"Statement": [{"Effect": "Maybe"}]}')
        self.create("guarded", two(), StackPolicyBody=json.dumps(policy))
        self.assertEqual(json.loads(self.cfn.get_stack_policy(StackName="guarded")["StackPolicyBody"]), policy)
        self.update("guarded", two(2))
        self.assertEqual(self.delay("guarded", "A"), "2")
        self.update("guarded", two(2, 5), "UPDATE_ROLLBACK_COMPLETE")
        self.assertIn("Action denied by stack policy", self.failures("guarded")[-1][2])
        self.assertEqual(self.delay("guarded", "B"), "1")
        self.update("guarded", two(2, 1, QueueName="named"), "UPDATE_ROLLBACK_COMPLETE")
        without = two(2)
        del without["Resources"]["A"]
        self.update("guarded", without, "UPDATE_ROLLBACK_COMPLETE")
        self.delay("guarded", "A")
        # For one update another policy stands in; then the old one counts again.
        free = json.dumps({"Statement": {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}})
        self.update("guarded", two(2, 6), StackPolicyDuringUpdateBody=free)
        self.assertEqual(self.delay("guarded", "B"), "6")
        self.update("guarded", two(2, 7), "UPDATE_ROLLBACK_COMPLETE")
        self.cfn.set_stack_policy(StackName="guarded", StackPolicyBody=free)
        self.update("guarded", two(2, 7))

    def test_events_are_notified(self):
        topic = self.sns.create_topic(Name="events")["TopicArn"]
        url = self.sqs.create_queue(QueueName="events")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]})})
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        stack = self.create("told", {"Resources": {"Q": {"Type": QUEUE}}}, NotificationARNs=[topic])
        wanted = {("told", "CREATE_IN_PROGRESS"), ("Q", "CREATE_IN_PROGRESS"), ("Q", "CREATE_COMPLETE"), ("told", "CREATE_COMPLETE")}
        seen, end = set(), time.monotonic() + 60
        while not wanted <= seen and time.monotonic() < end:
            for m in self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
                told = json.loads(m["Body"])
                self.assertEqual(told["Subject"], "AWS CloudFormation Notification")
                said = dict(line.split("='", 1) for line in told["Message"].strip().split("'\n") if "='" in line)
                self.assertEqual(said["StackId"], stack["StackId"])
                seen.add((said["LogicalResourceId"], said["ResourceStatus"]))
        self.assertLessEqual(wanted, seen)

    def drifts(self, stack):
        return {d["LogicalResourceId"]: d for d in self.cfn.describe_stack_resource_drifts(StackName=stack)["StackResourceDrifts"]}

    def test_drift(self):
        template = two(3)
        template["Resources"].update({
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
            "Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "g", "VpcId": {"Ref": "Vpc"}}},
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {
                "AttributeDefinitions": [{"AttributeName": "b", "AttributeType": "S"}, {"AttributeName": "a", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}, {"AttributeName": "b", "KeyType": "RANGE"}],
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}},
            "Wait": {"Type": "AWS::CloudFormation::WaitConditionHandle"}})
        stack = self.create("drift", template)
        self.assertEqual(stack["DriftInformation"]["StackDriftStatus"], "NOT_CHECKED")
        detect = lambda **kw: self.cfn.describe_stack_drift_detection_status(  # noqa: E731
            StackDriftDetectionId=self.cfn.detect_stack_drift(StackName="drift", **kw)["StackDriftDetectionId"])
        told = detect()
        self.assertEqual((told["DetectionStatus"], told["StackDriftStatus"], told["DriftedStackResourceCount"]), ("DETECTION_COMPLETE", "IN_SYNC", 0), self.drifts("drift"))
        self.assertEqual({k: v["StackResourceDriftStatus"] for k, v in self.drifts("drift").items()},
                         {"A": "IN_SYNC", "B": "IN_SYNC", "Vpc": "IN_SYNC", "Group": "IN_SYNC", "Table": "IN_SYNC", "Wait": "NOT_CHECKED"})
        self.sqs.set_queue_attributes(QueueUrl=self.physical("drift", "A"), Attributes={"DelaySeconds": "9"})
        self.ec2.delete_security_group(GroupId=self.physical("drift", "Group"))
        self.dynamodb.update_table(TableName=self.physical("drift", "Table"), ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 1})
        told = detect()
        self.assertEqual((told["StackDriftStatus"], told["DriftedStackResourceCount"]), ("DRIFTED", 3))
        found = self.drifts("drift")
        self.assertEqual((found["A"]["StackResourceDriftStatus"], found["A"]["PropertyDifferences"]), ("MODIFIED", [
            {"PropertyPath": "/DelaySeconds", "ExpectedValue": "3", "ActualValue": "9", "DifferenceType": "NOT_EQUAL"}]))
        self.assertEqual((found["Group"]["StackResourceDriftStatus"], found["Table"]["StackResourceDriftStatus"]), ("DELETED", "MODIFIED"))
        one = self.cfn.detect_stack_resource_drift(StackName="drift", LogicalResourceId="B")["StackResourceDrift"]
        self.assertEqual(one["StackResourceDriftStatus"], "IN_SYNC")
        self.assertEqual(self.cfn.describe_stacks(StackName="drift")["Stacks"][0]["DriftInformation"]["StackDriftStatus"], "DRIFTED")

    def test_a_group_is_updated_by_rolling(self):
        images = self.ec2.describe_images(Owners=["amazon"])["Images"]
        vpc = self.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]

        def template(kind):
            return {"Resources": {
                "T": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {"InstanceType": kind, "ImageId": images[0]["ImageId"]}}},
                "G": {"Type": "AWS::AutoScaling::AutoScalingGroup", "UpdatePolicy": {"AutoScalingRollingUpdate": {"MaxBatchSize": 1, "MinInstancesInService": 0}},
                      "Properties": {"MinSize": "1", "MaxSize": "2", "VPCZoneIdentifier": [subnet], "LaunchTemplate": {
                          "LaunchTemplateId": {"Ref": "T"}, "Version": {"Fn::GetAtt": "T.LatestVersionNumber"}}}}}}
        stack = self.create("rolling", template("t3.micro"))
        group = self.physical("rolling", "G")
        self.update("rolling", template("t3.small"))
        [g] = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
        self.assertEqual([i["InstanceType"] for i in g["Instances"] if i["LifecycleState"] == "InService"], ["t3.small"])
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))


if __name__ == "__main__":
    unittest.main()
