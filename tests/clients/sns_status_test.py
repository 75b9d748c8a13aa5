"""Delivery status of SNS: success and failure in CloudWatch Logs, by the topic's roles, and in CloudWatch's metrics."""
import datetime
import hashlib
import json
import unittest

from botocore.exceptions import ClientError

from sns_http_test import ACCOUNT, Endpoint
from virga import Virga, wait_until

NEEDS_BOTO3 = (1, 40)


class Status(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)
        cls.sns, cls.sqs, cls.logs, cls.iam, cls.cw = (cls.v.client(s) for s in ("sns", "sqs", "logs", "iam", "cloudwatch"))
        cls.iam.create_role(RoleName="feedback", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))
        cls.iam.put_role_policy(RoleName="feedback", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": "*"}]}))
        cls.role = f"arn:aws:iam::{ACCOUNT}:role/feedback"

    def topic(self, name, **attributes):
        return self.sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]

    def queue(self, name, topic):
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}]})})
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return url, arn

    def logged(self, group, n):
        def all_of():
            try:
                return [json.loads(e["message"]) for e in self.logs.filter_log_events(logGroupName=group)["events"]]
            except self.logs.exceptions.ResourceNotFoundException:
                return []
        self.assertTrue(wait_until(lambda: len(all_of()) >= n, 60), all_of())
        return all_of()

    def test_queues(self):
        topic = self.topic("queues", SQSSuccessFeedbackRoleArn=self.role, SQSFailureFeedbackRoleArn=self.role,
            SQSSuccessFeedbackSampleRate="100")
        told = self.sns.get_topic_attributes(TopicArn=topic)["Attributes"]
        self.assertEqual(told["SQSSuccessFeedbackSampleRate"], "100")
        url, arn = self.queue("good", topic)
        message = self.sns.publish(TopicArn=topic, Message="hello")["MessageId"]
        one = self.logged(f"sns/us-east-1/{ACCOUNT}/queues", 1)[0]
        self.assertEqual((one["status"], one["delivery"]["statusCode"], one["delivery"]["destination"]), ("SUCCESS", 200, arn))
        self.assertEqual(one["notification"]["messageId"], message)
        self.assertEqual(one["notification"]["messageMD5Sum"], hashlib.md5(b"hello").hexdigest())
        self.assertEqual(one["notification"]["topicArn"], topic)
        datetime.datetime.strptime(one["notification"]["timestamp"], "%Y-%m-%d %H:%M:%S.%f")
        self.sqs.delete_queue(QueueUrl=url)
        self.sns.publish(TopicArn=topic, Message="lost")
        bad = self.logged(f"sns/us-east-1/{ACCOUNT}/queues/Failure", 1)[0]
        self.assertEqual((bad["status"], bad["delivery"]["statusCode"]), ("FAILURE", 400))
        self.assertIn("NonExistentQueue", bad["delivery"]["providerResponse"])
        # Nothing of successes at a rate of none.
        self.sns.set_topic_attributes(TopicArn=topic, AttributeName="SQSSuccessFeedbackSampleRate", AttributeValue="0")
        _, other = self.queue("other", topic)
        self.sns.publish(TopicArn=topic, Message="quiet")
        self.logged(f"sns/us-east-1/{ACCOUNT}/queues/Failure", 2)
        self.assertTrue(wait_until(lambda: self.sqs.receive_message(
            QueueUrl=self.sqs.get_queue_url(QueueName="other")["QueueUrl"]).get("Messages")))
        self.assertNotIn(other, [e["delivery"]["destination"] for e in self.logged(f"sns/us-east-1/{ACCOUNT}/queues", 1)])

        self.v.get("/_virga/clock?advance=61s", "POST")
        now = datetime.datetime.fromisoformat(json.loads(self.v.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))

        def total(metric):
            return sum(p["Sum"] for p in self.cw.get_metric_statistics(Namespace="AWS/SNS", MetricName=metric, Period=86400,
                Statistics=["Sum"], StartTime=now - datetime.timedelta(days=1), EndTime=now + datetime.timedelta(minutes=5),
                Dimensions=[{"Name": "TopicName", "Value": "queues"}])["Datapoints"])
        self.assertGreaterEqual(total("NumberOfNotificationsDelivered"), 2)  # it may deliver twice
        self.assertGreaterEqual(total("NumberOfNotificationsFailed"), 2)

    def test_http_endpoints(self):
        topic = self.topic("servers", HTTPSuccessFeedbackRoleArn=self.role, HTTPFailureFeedbackRoleArn=self.role,
            HTTPSuccessFeedbackSampleRate="100", DeliveryPolicy=json.dumps({"http": {"defaultHealthyRetryPolicy": {
                "minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 1, "numNoDelayRetries": 1}}}))
        endpoint = Endpoint()
        self.addCleanup(endpoint.close)
        self.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)
        token = json.loads(endpoint.wait(1)[0][2])["Token"]
        self.sns.confirm_subscription(TopicArn=topic, Token=token)
        endpoint.answers = [500]  # of two tries one is refused
        self.sns.publish(TopicArn=topic, Message="again")
        one = self.logged(f"sns/us-east-1/{ACCOUNT}/servers", 1)[0]
        self.assertEqual((one["status"], one["delivery"]["attempts"], one["delivery"]["statusCode"]), ("SUCCESS", 2, 200))
        endpoint.answers = [404]
        self.sns.publish(TopicArn=topic, Message="refused")
        bad = self.logged(f"sns/us-east-1/{ACCOUNT}/servers/Failure", 1)[0]
        self.assertEqual((bad["status"], bad["delivery"]["statusCode"], bad["delivery"]["destination"]),
            ("FAILURE", 404, endpoint.url))

    def test_the_role_decides(self):
        self.iam.create_role(RoleName="nothing", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))
        topic = self.topic("refused", SQSFailureFeedbackRoleArn=f"arn:aws:iam::{ACCOUNT}:role/nothing")
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:nowhere")
        self.sns.publish(TopicArn=topic, Message="x")
        self.assertTrue(wait_until(lambda: "status-not-logged" in self.v.read_log(), 60))
        self.assertEqual(self.logs.describe_log_groups(logGroupNamePrefix=f"sns/us-east-1/{ACCOUNT}/refused")["logGroups"], [])

    def test_bad_attributes(self):
        topic = self.topic("bad")
        for name, value in (("SQSSuccessFeedbackSampleRate", "101"), ("SQSSuccessFeedbackSampleRate", "x"),
                ("HTTPSuccessFeedbackRoleArn", "role"), ("XSuccessFeedbackRoleArn", self.role)):
            with self.assertRaises(ClientError) as caught:
                self.sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)
            self.assertEqual(caught.exception.response["Error"]["Code"], "InvalidParameter")


if __name__ == "__main__":
    unittest.main()
