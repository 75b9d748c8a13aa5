"""SNS through boto3: topics, subscriptions of queues, filter policies, raw and signed messages, order and deduplication of FIFO
topics, dead letters, policies, events of S3, and what a crash leaves."""
import base64
import hashlib
import json
import os
import subprocess
import tempfile
import time
import unittest
import urllib.request


from virga import Virga, code_of

NEEDS_BOTO3 = (1, 40)
ACCOUNT = "000000000000"
OTHER = "111122223333"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)
        cls.sns, cls.sqs = cls.v.client("sns"), cls.v.client("sqs")

    def queue(self, name, topic=None, attributes=None):
        """A queue that topics may send to: its URL and ARN."""
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
        policy = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
             **({"Condition": {"ArnEquals": {"aws:SourceArn": topic}}} if topic else {})}]})
        return self.sqs.create_queue(QueueName=name, Attributes={"Policy": policy, **(attributes or {})})["QueueUrl"], arn

    def receive(self, url, n=1, **kw):
        """n messages, in the order in which they come; and then none."""
        got = []
        while len(got) < n:
            some = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=10,
                                            MessageAttributeNames=["All"], AttributeNames=["All"], **kw).get("Messages", [])
            if not some:
                break
            got += some
            for m in some:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
        if len(got) > n:  # a message may come twice: "at least once"
            got = list({json.dumps([m["Body"], m.get("MessageAttributes")], default=repr): m for m in got}.values())
        self.assertEqual(len(got), n)
        return got

    def assert_empty(self, url, marker):
        """Nothing but what is published now comes."""
        marker()
        return self.receive(url)


class Topics(Case):
    def test_made_changed_listed_and_deleted(self):
        s = self.sns
        arn = s.create_topic(Name="one", Attributes={"DisplayName": "One"}, Tags=[{"Key": "a", "Value": "b"}])["TopicArn"]
        self.assertEqual(arn, f"arn:aws:sns:us-east-1:{ACCOUNT}:one")
        self.assertEqual(s.create_topic(Name="one")["TopicArn"], arn)
        self.assertEqual(code_of(s.create_topic, Name="one", Attributes={"DisplayName": "Two"}), "InvalidParameter")
        for name in ("", "a b", "x" * 257, "a.b"):
            self.assertEqual(code_of(s.create_topic, Name=name), "InvalidParameter", name)
        self.assertEqual(code_of(s.create_topic, Name="plain", Attributes={"FifoTopic": "true"}), "InvalidParameter")
        a = s.get_topic_attributes(TopicArn=arn)["Attributes"]
        self.assertEqual((a["DisplayName"], a["Owner"], a["SubscriptionsConfirmed"]), ("One", ACCOUNT, "0"))
        self.assertIn("SNS:Publish", a["Policy"])
        s.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="Uno")
        self.assertEqual(s.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"], "Uno")
        self.assertEqual(code_of(s.set_topic_attributes, TopicArn=arn, AttributeName="Nothing", AttributeValue="x"), "InvalidParameter")
        self.assertEqual(code_of(s.set_topic_attributes, TopicArn=arn, AttributeName="Policy", AttributeValue="{"), "InvalidParameter")
        s.tag_resource(ResourceArn=arn, Tags=[{"Key": "c", "Value": "d"}])
        s.untag_resource(ResourceArn=arn, TagKeys=["a"])
        self.assertEqual(s.list_tags_for_resource(ResourceArn=arn)["Tags"], [{"Key": "c", "Value": "d"}])
        for i in range(105):
            s.create_topic(Name=f"many{i}")
        listed = [t["TopicArn"] for page in s.get_paginator("list_topics").paginate() for t in page["Topics"]]
        self.assertGreaterEqual(len(listed), 106)
        self.assertEqual(len(set(listed)), len(listed))
        s.add_permission(TopicArn=arn, Label="them", AWSAccountId=[OTHER], ActionName=["Publish"])
        self.assertIn("them", s.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
        theirs = self.v.client("sns", aws_access_key_id=OTHER, aws_secret_access_key="x")
        theirs.publish(TopicArn=arn, Message="hello")
        self.assertEqual(code_of(theirs.get_topic_attributes, TopicArn=arn), "AuthorizationError")
        s.remove_permission(TopicArn=arn, Label="them")
        self.assertEqual(code_of(theirs.publish, TopicArn=arn, Message="hello"), "AuthorizationError")
        s.delete_topic(TopicArn=arn)
        s.delete_topic(TopicArn=arn)
        self.assertEqual(code_of(s.publish, TopicArn=arn, Message="x"), "NotFound")


class Delivery(Case):
    def test_messages_are_signed_and_raw_ones_are_as_they_are(self):
        s = self.sns
        topic = s.create_topic(Name="signed", Attributes={"SignatureVersion": "2"})["TopicArn"]
        url, arn = self.queue("wrapped", topic)
        raw_url, raw_arn = self.queue("raw")
        sub = s.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
        s.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=raw_arn, Attributes={"RawMessageDelivery": "true"})
        sent = s.publish(TopicArn=topic, Message="grüezi", Subject="Hello", MessageAttributes={
            "colour": {"DataType": "String", "StringValue": "red"}, "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01"}})
        m = json.loads(self.receive(url)[0]["Body"])
        self.assertEqual((m["Type"], m["MessageId"], m["TopicArn"], m["Subject"], m["Message"]),
                         ("Notification", sent["MessageId"], topic, "Hello", "grüezi"))
        self.assertEqual(m["MessageAttributes"], {"colour": {"Type": "String", "Value": "red"}, "bytes": {"Type": "Binary", "Value": "AAE="}})
        text = "".join(f"{k}\n{m[k]}\n" for k in ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"))
        with tempfile.TemporaryDirectory() as folder:
            def put(name, content):
                with open(os.path.join(folder, name), "wb") as f:
                    f.write(content)
                return f.name
            pem = urllib.request.urlopen(f"http://127.0.0.1:{self.v.port}" + "/_virga/" + m["SigningCertURL"].split("/_virga/")[1]).read()
            public = subprocess.run(["openssl", "x509", "-noout", "-pubkey", "-in", put("cert", pem)], check=True, capture_output=True).stdout
            subprocess.run(["openssl", "dgst", "-sha256", "-verify", put("key", public), "-signature",
                            put("signature", base64.b64decode(m["Signature"])), put("text", text.encode())], check=True, capture_output=True)
        got = self.receive(raw_url)[0]
        self.assertEqual(got["Body"], "grüezi")
        self.assertEqual(got["MessageAttributes"]["colour"], {"DataType": "String", "StringValue": "red"})
        self.assertEqual(got["MessageAttributes"]["bytes"], {"DataType": "Binary", "BinaryValue": b"\x00\x01"})
        structured = json.dumps({"default": "any", "sqs": "for queues"})
        s.publish(TopicArn=topic, Message=structured, MessageStructure="json")
        self.assertEqual(self.receive(raw_url)[0]["Body"], "for queues")
        self.receive(url)
        attributes = s.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]
        self.assertEqual((attributes["Protocol"], attributes["Endpoint"], attributes["RawMessageDelivery"]), ("sqs", arn, "false"))
        self.assertEqual(len(s.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]), 2)
        self.assertIn(sub, [x["SubscriptionArn"] for x in s.list_subscriptions()["Subscriptions"]])
        s.unsubscribe(SubscriptionArn=sub)
        s.publish(TopicArn=topic, Message="to one")
        self.assertEqual(self.receive(raw_url)[0]["Body"], "to one")
        self.assertEqual(code_of(s.get_subscription_attributes, SubscriptionArn=sub), "NotFound")
        for kw in ({"Message": ""}, {"Message": "x" * 262145}, {"Message": "x", "Subject": "a\nb"}, {"Message": "x", "MessageStructure": "json"},
                   {"Message": "{}", "MessageStructure": "json"}, {"Message": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d"}):
            self.assertEqual(code_of(s.publish, TopicArn=topic, **kw), "InvalidParameter", str(kw)[:80])
        self.assertEqual(code_of(s.publish, TopicArn=topic, Message="x", MessageAttributes={"n": {"DataType": "Number", "StringValue": "x"}}),
                         "ParameterValueInvalid")
        self.assertEqual(code_of(s.subscribe, TopicArn=topic, Protocol="pigeon", Endpoint="x"), "InvalidParameter")
        self.assertEqual(code_of(s.subscribe, TopicArn=topic, Protocol="email", Endpoint="a@example.com"), "NotImplemented")

    def test_batches(self):
        s = self.sns
        topic = s.create_topic(Name="batch")["TopicArn"]
        url, arn = self.queue("batched")
        s.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        r = s.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[
            *({"Id": str(i), "Message": f"m{i}"} for i in range(5)), {"Id": "bad", "Message": "x", "Subject": "\n"}])
        self.assertEqual(len(r["Successful"]), 5)
        self.assertEqual([(f["Id"], f["Code"], f["SenderFault"]) for f in r["Failed"]], [("bad", "InvalidParameter", True)])
        self.assertEqual({m["Body"] for m in self.receive(url, 5)}, {f"m{i}" for i in range(5)})
        batch = lambda *e: code_of(s.publish_batch, TopicArn=topic, PublishBatchRequestEntries=list(e))  # noqa: E731
        self.assertEqual(batch(), "EmptyBatchRequest")
        self.assertEqual(batch(*({"Id": str(i), "Message": "m"} for i in range(11))), "TooManyEntriesInBatchRequest")
        self.assertEqual(batch({"Id": "a", "Message": "m"}, {"Id": "a", "Message": "m"}), "BatchEntryIdsNotDistinct")
        self.assertEqual(batch({"Id": "a b", "Message": "m"}), "InvalidBatchEntryId")
        self.assertEqual(batch(*({"Id": str(i), "Message": "m" * 200000} for i in range(2))), "BatchRequestTooLong")

    def test_dead_letters_and_whom_queues_refuse(self):
        s = self.sns
        topic = s.create_topic(Name="dead")["TopicArn"]
        refused = self.sqs.create_queue(QueueName="refuses")["QueueUrl"]  # without a policy
        letters, letters_arn = self.queue("letters")
        s.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:refuses", Attributes={
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": letters_arn})})
        gone = s.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:gone")["SubscriptionArn"]
        s.set_subscription_attributes(SubscriptionArn=gone, AttributeName="RedrivePolicy",
                                      AttributeValue=json.dumps({"deadLetterTargetArn": letters_arn}))
        s.publish(TopicArn=topic, Message="lost")
        self.assertEqual({json.loads(m["Body"])["Message"] for m in self.receive(letters, 2)}, {"lost"})
        self.assertNotIn("Messages", self.sqs.receive_message(QueueUrl=refused))
        self.assertEqual(code_of(s.set_subscription_attributes, SubscriptionArn=gone, AttributeName="RedrivePolicy",
                                 AttributeValue='{"deadLetterTargetArn":"x"}'), "InvalidParameter")

    def test_events_of_buckets(self):
        s, s3 = self.sns, self.v.client("s3")
        s3.create_bucket(Bucket="eventful")
        topic = s.create_topic(Name="events")["TopicArn"]
        url, arn = self.queue("eventq")
        s.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        asked = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"],
                                          "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}}}]}
        put = lambda: s3.put_bucket_notification_configuration(Bucket="eventful", NotificationConfiguration=asked)  # noqa: E731
        self.assertEqual(code_of(put), "InvalidArgument")  # the default policy lets no service in
        s.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sns:Publish", "Resource": topic,
             "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::eventful"}}}]}))
        put()
        self.assertIn("s3:TestEvent", self.receive(url)[0]["Body"])
        s3.put_object(Bucket="eventful", Key="out/a", Body=b"1")
        s3.put_object(Bucket="eventful", Key="in/a", Body=b"1")
        m = json.loads(self.receive(url)[0]["Body"])
        self.assertEqual(m["Subject"], "Amazon S3 Notification")
        self.assertEqual(json.loads(m["Message"])["Records"][0]["s3"]["object"]["key"], "in/a")
        got = s3.get_bucket_notification_configuration(Bucket="eventful")["TopicConfigurations"]
        self.assertEqual(got[0]["TopicArn"], topic)


class Filters(Case):
    def test_each_operator(self):
        s = self.sns
        topic = s.create_topic(Name="filtered")["TopicArn"]
        url, arn = self.queue("filterq")
        sub = s.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})["SubscriptionArn"]

        def attribute(v):
            if isinstance(v, list):
                return {"DataType": "String.Array", "StringValue": json.dumps(v)}
            return {"DataType": "Number" if isinstance(v, (int, float)) else "String", "StringValue": str(v)}

        n = 0

        def check(policy, passes, fails, body=False):
            nonlocal n
            # The scope that stands would refuse what the next one allows.
            s.set_subscription_attributes(SubscriptionArn=sub, AttributeName="FilterPolicy", AttributeValue="{}")
            s.set_subscription_attributes(SubscriptionArn=sub, AttributeName="FilterPolicyScope",
                                          AttributeValue="MessageBody" if body else "MessageAttributes")
            s.set_subscription_attributes(SubscriptionArn=sub, AttributeName="FilterPolicy", AttributeValue=json.dumps(policy))
            wanted = []
            for good, things in ((False, fails), (True, passes)):
                for thing in things:
                    n += 1
                    if body:
                        text = json.dumps({**thing, "n": n})
                        s.publish(TopicArn=topic, Message=text)
                    else:
                        text = f"m{n}"
                        s.publish(TopicArn=topic, Message=text, MessageAttributes={k: attribute(v) for k, v in thing.items()})
                    if good:
                        wanted.append(text)
            self.assertEqual({m["Body"] for m in self.receive(url, len(wanted))}, set(wanted), policy)

        check({"a": ["x", "y"]}, [{"a": "x"}, {"a": "y", "b": "z"}, {"a": ["q", "x"]}], [{"a": "z"}, {"b": "x"}, {}])
        check({"a": [{"prefix": "ab"}], "b": [{"exists": True}]}, [{"a": "abc", "b": "1"}], [{"a": "abc"}, {"a": "b", "b": "1"}])
        check({"a": [{"suffix": ".png"}, {"equals-ignore-case": "ALL"}]}, [{"a": "x.png"}, {"a": "all"}], [{"a": "x.jpg"}])
        check({"a": [{"anything-but": ["x", "y"]}]}, [{"a": "z"}], [{"a": "x"}, {}])
        check({"a": [{"anything-but": {"prefix": "no"}}]}, [{"a": "yes"}], [{"a": "nope"}])
        check({"a": [{"numeric": [">", 0, "<=", 5]}, 10]}, [{"a": 5}, {"a": 10}, {"a": 10.0}], [{"a": 0}, {"a": 6}, {"a": "x"}])
        check({"a": [{"exists": False}]}, [{"b": "1"}], [{"a": "1"}])
        check({"a": [{"wildcard": "x*y"}], "ip": [{"cidr": "10.0.0.0/24"}]}, [{"a": "x--y", "ip": "10.0.0.7"}],
              [{"a": "xz", "ip": "10.0.0.7"}, {"a": "xy", "ip": "10.0.1.7"}])
        check({"$or": [{"a": ["1"]}, {"b": ["2"]}], "c": ["3"]}, [{"a": "1", "c": "3"}, {"b": "2", "c": "3"}], [{"c": "3"}, {"a": "1"}])
        check({"o": {"k": [{"prefix": "v"}]}, "l": [1, True, None]}, [{"o": {"k": "vv"}, "l": True}, {"o": {"k": "v"}, "l": [7, 1]}],
              [{"o": {"k": "x"}, "l": 1}, {"o": "v", "l": 1}, {"l": None}], body=True)
        for bad in ("{", '{"a":"x"}', '{"a":[]}', '{"a":[{"like":"x"}]}', '{"a":[{"numeric":["~",1]}]}', '{"a":{"b":["x"]}}',
                    json.dumps({k: ["v"] for k in "abcdef"}), json.dumps({k: [str(i) for i in range(13)] for k in "abc"})):
            s.set_subscription_attributes(SubscriptionArn=sub, AttributeName="FilterPolicy", AttributeValue="{}")
            s.set_subscription_attributes(SubscriptionArn=sub, AttributeName="FilterPolicyScope", AttributeValue="MessageAttributes")
            self.assertEqual(code_of(s.set_subscription_attributes, SubscriptionArn=sub, AttributeName="FilterPolicy", AttributeValue=bad),
                             "InvalidParameter", bad)


class Fifo(Case):
    def test_order_and_deduplication(self):
        s = self.sns
        topic = s.create_topic(Name="line.fifo", Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "false"})["TopicArn"]
        url, arn = self.queue("line.fifo", attributes={"FifoQueue": "true"})
        s.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        first = s.publish(TopicArn=topic, Message="0", MessageGroupId="g", MessageDeduplicationId="d0")
        for i in range(1, 20):
            s.publish(TopicArn=topic, Message=str(i), MessageGroupId="g", MessageDeduplicationId=f"d{i}")
        again = s.publish(TopicArn=topic, Message="other", MessageGroupId="g", MessageDeduplicationId="d0")
        self.assertEqual((again["MessageId"], again["SequenceNumber"]), (first["MessageId"], first["SequenceNumber"]))
        self.assertEqual([m["Body"] for m in self.receive(url, 20)], [str(i) for i in range(20)])
        self.assertEqual(code_of(s.publish, TopicArn=topic, Message="x", MessageGroupId="g"), "InvalidParameter")
        self.assertEqual(code_of(s.publish, TopicArn=topic, Message="x", MessageDeduplicationId="d"), "InvalidParameter")
        s.set_topic_attributes(TopicArn=topic, AttributeName="ContentBasedDeduplication", AttributeValue="true")
        s.publish(TopicArn=topic, Message="same", MessageGroupId="g")
        s.publish(TopicArn=topic, Message="same", MessageGroupId="g")
        s.publish(TopicArn=topic, Message="end", MessageGroupId="g")
        self.assertEqual([m["Body"] for m in self.receive(url, 2)], ["same", "end"])
        self.assertEqual(s.get_topic_attributes(TopicArn=topic)["Attributes"]["FifoTopic"], "true")
        plain = s.create_topic(Name="plain")["TopicArn"]
        self.assertEqual(code_of(s.subscribe, TopicArn=plain, Protocol="sqs", Endpoint=arn), "InvalidParameter")


class Crashes(unittest.TestCase):
    def test_what_was_answered_arrives(self):
        with Virga() as v:
            case = Delivery()
            case.v, case.sns, case.sqs = v, v.client("sns"), v.client("sqs")
            topic = case.sns.create_topic(Name="t")["TopicArn"]
            url, arn = case.queue("q")
            case.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
            for i in range(20):
                case.sns.publish(TopicArn=topic, Message=str(i))
            v.kill()
            v.start(v.port)
            got, until = set(), time.monotonic() + 60
            while len(got) < 20 and time.monotonic() < until:
                for m in case.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages", []):
                    got.add(m["Body"])  # a crash may deliver twice
            self.assertEqual(got, {str(i) for i in range(20)})


if __name__ == "__main__":
    unittest.main()
