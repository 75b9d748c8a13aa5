"""RDS: event subscriptions, whose messages go by SNS to a queue."""
import json
import unittest

from rds_case import PASSWORD, Case

NEEDS_BOTO3 = (1, 40)


class Subscriptions(Case):
    @classmethod
    def setUpClass(cls):
        cls.begin("--simulated")

    def setUp(self):
        sns, self.sqs = self.virga.client("sns"), self.virga.client("sqs")
        self.topic = sns.create_topic(Name="dbs")["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName="dbs")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]})})
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})

    def heard(self):
        """The next messages, until some have come."""
        for _ in range(30):
            got = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages", [])
            for m in got:
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=m["ReceiptHandle"])
            if got:
                return [json.loads(m["Body"]) for m in got]
        self.fail(self.virga.read_log()[-3000:])

    def until_heard(self, message, source):
        seen = []
        for _ in range(20):
            seen += self.heard()
            found = [m for m in seen if (m["Event Message"], m["Source ID"]) == (message, source)]
            if found:
                return found[0], seen
        self.fail(seen)

    def test_subscriptions(self):
        rds = self.rds
        kw = {"SubscriptionName": "Mine", "SnsTopicArn": self.topic}
        for code, change in (("SNSTopicArnNotFound", {"SnsTopicArn": self.topic + "x"}), ("SNSInvalidTopic", {"SnsTopicArn": "dbs"}),
                             ("InvalidParameterCombination", {"SourceIds": ["one"]}), ("InvalidParameterValue", {"SourceType": "db-toaster"}),
                             ("SourceNotFound", {"SourceType": "db-instance", "SourceIds": ["none"]}),
                             ("SubscriptionCategoryNotFound", {"SourceType": "db-instance", "EventCategories": ["weather"]})):
            self.refused(code, rds.create_event_subscription, **{**kw, **change})
        s = rds.create_event_subscription(**kw, SourceType="db-instance", EventCategories=["creation", "deletion"],
                                          Tags=[{"Key": "k", "Value": "v"}])["EventSubscription"]
        self.assertEqual((s["CustSubscriptionId"], s["Status"], s["Enabled"], s["CustomerAwsId"]), ("mine", "active", True, "000000000000"))
        self.assertEqual(s["EventSubscriptionArn"], "arn:aws:rds:us-east-1:000000000000:es:mine")
        self.assertEqual(rds.list_tags_for_resource(ResourceName=s["EventSubscriptionArn"])["TagList"], [{"Key": "k", "Value": "v"}])
        self.refused("SubscriptionAlreadyExist", rds.create_event_subscription, **kw)
        make = lambda i: rds.create_db_instance(DBInstanceIdentifier=i, DBInstanceClass="db.t3.micro", Engine="postgres", AllocatedStorage=20,
                                                MasterUsername="boss", MasterUserPassword=PASSWORD)
        make("one")
        m, seen = self.until_heard("DB instance created", "one")
        self.assertEqual((m["Event Source"], m["Source ARN"]), ("db-instance", "arn:aws:rds:us-east-1:000000000000:db:one"))
        self.assertTrue(m["Event ID"].endswith("#RDS-EVENT-0005"))
        # Only one instance from now on; and not of what is no category asked for.
        self.until("one")
        make("two")
        self.until_heard("DB instance created", "two")
        self.until("two")
        rds.add_source_identifier_to_subscription(SubscriptionName="mine", SourceIdentifier="two")
        self.refused("SourceNotFound", rds.add_source_identifier_to_subscription, SubscriptionName="mine", SourceIdentifier="three")
        [s] = rds.describe_event_subscriptions()["EventSubscriptionsList"]
        self.assertEqual((s["SourceIdsList"], s["EventCategoriesList"]), (["two"], ["creation", "deletion"]))
        rds.reboot_db_instance(DBInstanceIdentifier="two")
        self.until("two")
        for i in ("one", "two"):
            rds.delete_db_instance(DBInstanceIdentifier=i, SkipFinalSnapshot=True)
            self.until(i, "gone")
        _, seen = self.until_heard("DB instance deleted", "two")
        self.assertEqual({m["Source ID"] for m in seen}, {"two"})
        self.assertNotIn("DB instance restarted", {m["Event Message"] for m in seen})
        # Silent, then gone.
        rds.remove_source_identifier_from_subscription(SubscriptionName="mine", SourceIdentifier="two")
        s = rds.modify_event_subscription(SubscriptionName="mine", Enabled=False)["EventSubscription"]
        self.assertEqual((s["Enabled"], s["SourceIdsList"]), (False, []))
        self.virga.client("sns").delete_topic(TopicArn=self.topic)
        self.assertEqual(rds.describe_event_subscriptions(SubscriptionName="mine")["EventSubscriptionsList"][0]["Status"], "topic-not-exist")
        rds.delete_event_subscription(SubscriptionName="mine")
        self.refused("SubscriptionNotFound", rds.describe_event_subscriptions, SubscriptionName="mine")

    def test_maintenance(self):
        self.assertEqual(self.rds.describe_pending_maintenance_actions()["PendingMaintenanceActions"], [])
        self.refused("ResourceNotFoundFault", self.rds.describe_pending_maintenance_actions,
                     ResourceIdentifier="arn:aws:rds:us-east-1:000000000000:db:none")
        self.refused("InvalidParameterValue", self.rds.describe_pending_maintenance_actions, ResourceIdentifier="none")


if __name__ == "__main__":
    unittest.main()
