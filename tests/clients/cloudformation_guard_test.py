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
    SERVICES = ("sqs", "sns")

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


if __name__ == "__main__":
    unittest.main()
