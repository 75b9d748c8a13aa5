"""SQS through boto3: standard and FIFO queues, long polls, dead letters, batches, what is refused, what survives a crash."""
import hashlib
import json
import os
import random
import struct
import threading
import time
import unittest
import urllib.parse

from botocore.exceptions import ClientError

from virga import Refusals, Virga, sdk_knows, wait_until


moves = unittest.skipUnless(sdk_knows("sqs", "start_message_move_task"), "boto3 is older than message move tasks")


class Case(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.sqs = cls.virga.client("sqs")

    def queue(self, suffix="", **attributes):
        name = f"q-{random.getrandbits(48):x}{suffix}"
        if suffix == ".fifo":
            attributes["FifoQueue"] = "true"
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def arn(self, url):
        return self.attributes(url)["QueueArn"]

    def attributes(self, url):
        return self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    def counts(self, url):
        a = self.attributes(url)
        return tuple(int(a["ApproximateNumberOfMessages" + s]) for s in ("", "NotVisible", "Delayed"))

    def receive(self, url, n=10, **kw):
        return self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=n, **kw).get("Messages", [])


class Queues(Case):
    def test_life(self):
        url = self.queue(VisibilityTimeout="45")
        name = url.rsplit("/", 1)[1]
        self.assertEqual(self.sqs.get_queue_url(QueueName=name)["QueueUrl"], url)
        self.assertIn(url, self.sqs.list_queues(QueueNamePrefix=name[:10])["QueueUrls"])
        a = self.attributes(url)
        self.assertEqual((a["VisibilityTimeout"], a["MessageRetentionPeriod"], a["QueueArn"]),
                         ("45", "345600", f"arn:aws:sqs:us-east-1:000000000000:{name}"))
        # The same again is the same queue; other attributes are a conflict.
        self.assertEqual(self.sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "45"})["QueueUrl"], url)
        self.refused("QueueAlreadyExists", self.sqs.create_queue, QueueName=name, Attributes={"VisibilityTimeout": "46"})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "3"})
        self.assertEqual(self.attributes(url)["DelaySeconds"], "3")
        self.sqs.delete_queue(QueueUrl=url)
        for call in (self.sqs.get_queue_attributes, self.sqs.receive_message):
            self.refused("AWS.SimpleQueueService.NonExistentQueue", call, QueueUrl=url)
        self.refused("AWS.SimpleQueueService.QueueDeletedRecently", self.sqs.create_queue, QueueName=name)

    def test_pages(self):
        prefix = f"p{random.getrandbits(32):x}-"
        made = [self.sqs.create_queue(QueueName=f"{prefix}{i}")["QueueUrl"] for i in range(5)]
        seen, token = [], None
        while True:
            page = self.sqs.list_queues(QueueNamePrefix=prefix, MaxResults=2, **({"NextToken": token} if token else {}))
            seen += page["QueueUrls"]
            token = page.get("NextToken")
            if not token:
                break
        self.assertEqual(seen, made)

    def test_tags(self):
        url = self.queue()
        self.sqs.tag_queue(QueueUrl=url, Tags={"a": "1", "b": "2"})
        self.sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
        self.assertEqual(self.sqs.list_queue_tags(QueueUrl=url)["Tags"], {"b": "2"})

    def test_permissions_become_policy_statements(self):
        url = self.queue()
        self.sqs.add_permission(QueueUrl=url, Label="l", AWSAccountIds=["123456789012"], Actions=["SendMessage"])
        statement = json.loads(self.attributes(url)["Policy"])["Statement"][0]
        self.assertEqual((statement["Sid"], statement["Principal"]["AWS"], statement["Action"]),
                         ("l", ["arn:aws:iam::123456789012:root"], ["SQS:SendMessage"]))
        self.refused("InvalidParameterValue", self.sqs.add_permission, QueueUrl=url, Label="l",
                     AWSAccountIds=["123456789012"], Actions=["SendMessage"])
        self.sqs.remove_permission(QueueUrl=url, Label="l")
        self.assertNotIn("Policy", self.attributes(url))
        self.refused("InvalidParameterValue", self.sqs.remove_permission, QueueUrl=url, Label="l")

    def test_accounts_and_regions_are_apart(self):
        url = self.queue()
        name = url.rsplit("/", 1)[1]
        other = self.virga.client("sqs", key="111122223333")
        self.refused("AWS.SimpleQueueService.NonExistentQueue", other.get_queue_url, QueueName=name)
        ireland = self.virga.client("sqs", region="eu-west-1")
        self.refused("AWS.SimpleQueueService.NonExistentQueue", ireland.get_queue_url, QueueName=name)
        mine = other.create_queue(QueueName=name)["QueueUrl"]
        self.assertIn("/111122223333/", mine)

    def test_bad_attributes(self):
        url = self.queue()
        for name, value in (("VisibilityTimeout", "43201"), ("DelaySeconds", "-1"), ("MaximumMessageSize", "1023"),
                            ("MessageRetentionPeriod", "59"), ("ReceiveMessageWaitTimeSeconds", "21"), ("Policy", "{")):
            self.refused("InvalidAttributeValue", self.sqs.set_queue_attributes, QueueUrl=url, Attributes={name: value})
        self.refused("InvalidAttributeName", self.sqs.set_queue_attributes, QueueUrl=url, Attributes={"Colour": "red"})
        self.refused("InvalidAttributeName", self.sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["Colour"])
        for name in ("a b", "x" * 81, "a.b"):
            self.refused("InvalidParameterValue", self.sqs.create_queue, QueueName=name)
        self.refused("InvalidParameterValue", self.sqs.create_queue, QueueName="no-suffix", Attributes={"FifoQueue": "true"})


def md5_of_attributes(attributes):
    """As AWS's developer guide describes it, told anew."""
    digest = hashlib.md5()
    for name in sorted(attributes):
        value = attributes[name]
        kind = value["DataType"]
        binary = "BinaryValue" in value
        data = value["BinaryValue"] if binary else value["StringValue"].encode()
        for part in (name.encode(), kind.encode()):
            digest.update(struct.pack(">I", len(part)) + part)
        digest.update(b"\x02" if binary else b"\x01")
        digest.update(struct.pack(">I", len(data)) + data)
    return digest.hexdigest()


class Standard(Case):
    def test_message_and_attributes(self):
        url = self.queue()
        attributes = {"s": {"DataType": "String", "StringValue": "wörld"}, "n": {"DataType": "Number.int", "StringValue": "-1.5e3"},
                      "b": {"DataType": "Binary.png", "BinaryValue": b"\0\xff"}}
        sent = self.sqs.send_message(QueueUrl=url, MessageBody="hällo", MessageAttributes=attributes, MessageSystemAttributes={
            "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}})
        self.assertEqual(sent["MD5OfMessageBody"], hashlib.md5("hällo".encode()).hexdigest())
        self.assertEqual(sent["MD5OfMessageAttributes"], md5_of_attributes(attributes))
        m, = self.receive(url, MessageAttributeNames=["All"], AttributeNames=["All"])
        self.assertEqual((m["Body"], m["MessageId"]), ("hällo", sent["MessageId"]))
        self.assertEqual(m["MessageAttributes"], attributes)
        self.assertEqual(m["Attributes"]["ApproximateReceiveCount"], "1")
        self.assertEqual(m["Attributes"]["SenderId"], "000000000000")
        self.assertIn("AWSTraceHeader", m["Attributes"])
        self.assertEqual(self.counts(url), (0, 1, 0))
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
        self.assertEqual(self.counts(url), (0, 0, 0))

    def test_some_attributes_only(self):
        url = self.queue()
        text = {"DataType": "String", "StringValue": "x"}
        self.sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes={"foo.a": text, "foo.b": text, "bar": text})
        m, = self.receive(url, MessageAttributeNames=["foo.*"], AttributeNames=["SentTimestamp"])
        self.assertEqual(set(m["MessageAttributes"]), {"foo.a", "foo.b"})
        self.assertEqual(set(m["Attributes"]), {"SentTimestamp"})

    def test_visibility(self):
        url = self.queue()
        self.sqs.send_message(QueueUrl=url, MessageBody="x")
        first, = self.receive(url, VisibilityTimeout=1)
        self.assertEqual(self.receive(url), [])
        second, = self.receive(url, WaitTimeSeconds=5)
        self.assertNotEqual(first["ReceiptHandle"], second["ReceiptHandle"])
        # The older handle deletes nothing; the newer one does.
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
        self.assertEqual(self.counts(url), (0, 1, 0))
        self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0)
        self.assertEqual(self.counts(url), (1, 0, 0))
        self.refused("AWS.SimpleQueueService.MessageNotInflight", self.sqs.change_message_visibility, QueueUrl=url,
                     ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=10)
        third, = self.receive(url)
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=third["ReceiptHandle"])
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=third["ReceiptHandle"])  # twice is fine

    def test_delay(self):
        url = self.queue()
        self.sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=1)
        self.assertEqual(self.counts(url), (0, 0, 1))
        self.assertEqual(self.receive(url), [])
        start = time.monotonic()
        self.assertEqual([m["Body"] for m in self.receive(url, WaitTimeSeconds=5)], ["later"])
        self.assertLess(time.monotonic() - start, 4)

    def test_long_poll_is_woken_by_a_message(self):
        url = self.queue()
        got = []
        threads = [threading.Thread(target=lambda: got.extend(self.virga.client("sqs").receive_message(
            QueueUrl=url, WaitTimeSeconds=20).get("Messages", []))) for _ in range(3)]
        for t in threads:
            t.start()
        time.sleep(0.5)
        start = time.monotonic()
        self.sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": str(i)} for i in range(3)])
        for t in threads:
            t.join()
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(sorted(m["Body"] for m in got), ["0", "1", "2"])

    def test_long_poll_ends_empty(self):
        url = self.queue(ReceiveMessageWaitTimeSeconds="1")
        start = time.monotonic()
        self.assertEqual(self.receive(url), [])
        self.assertGreater(time.monotonic() - start, 0.9)

    def test_who_hangs_up_gets_no_message(self):
        import socket
        url = self.queue()
        body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20}).encode()
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()).encode()
        s = socket.create_connection(("127.0.0.1", self.virga.port))
        s.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\n"
                  b"Content-Type: application/x-amz-json-1.0\r\nAuthorization: AWS4-HMAC-SHA256 Credential="
                  b"test/" + now[:8] + b"/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=00\r\n"
                  b"X-Amz-Date: " + now +
                  b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
        time.sleep(0.5)
        s.close()
        time.sleep(0.2)
        self.sqs.send_message(QueueUrl=url, MessageBody="kept")
        self.assertEqual([m["Body"] for m in self.receive(url, WaitTimeSeconds=2)], ["kept"])

    def test_batches_fail_in_part(self):
        url = self.queue()
        r = self.sqs.send_message_batch(QueueUrl=url, Entries=[
            {"Id": "good", "MessageBody": "x"}, {"Id": "bad", "MessageBody": "x\x01"}, {"Id": "slow", "MessageBody": "y", "DelaySeconds": 901}])
        self.assertEqual([e["Id"] for e in r["Successful"]], ["good"])
        self.assertEqual({e["Id"]: e["Code"] for e in r["Failed"]}, {"bad": "InvalidMessageContents", "slow": "InvalidParameterValue"})
        m, = self.receive(url)
        r = self.sqs.change_message_visibility_batch(QueueUrl=url, Entries=[
            {"Id": "a", "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 60}, {"Id": "b", "ReceiptHandle": "junk", "VisibilityTimeout": 1}])
        self.assertEqual(([e["Id"] for e in r["Successful"]], [e["Id"] for e in r["Failed"]]), (["a"], ["b"]))
        r = self.sqs.delete_message_batch(QueueUrl=url, Entries=[
            {"Id": "a", "ReceiptHandle": m["ReceiptHandle"]}, {"Id": "b", "ReceiptHandle": "junk"}])
        self.assertEqual([e["Code"] for e in r["Failed"]], ["ReceiptHandleIsInvalid"])
        self.assertEqual(self.counts(url), (0, 0, 0))

    def test_bad_batches(self):
        url = self.queue()
        prefix = "AWS.SimpleQueueService."
        send = self.sqs.send_message_batch
        self.refused(prefix + "EmptyBatchRequest", send, QueueUrl=url, Entries=[])
        self.refused(prefix + "TooManyEntriesInBatchRequest", send, QueueUrl=url,
                     Entries=[{"Id": str(i), "MessageBody": "x"} for i in range(11)])
        self.refused(prefix + "BatchEntryIdsNotDistinct", send, QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "x"}] * 2)
        self.refused(prefix + "InvalidBatchEntryId", send, QueueUrl=url, Entries=[{"Id": "a b", "MessageBody": "x"}])
        self.refused(prefix + "BatchRequestTooLong", send, QueueUrl=url,
                     Entries=[{"Id": str(i), "MessageBody": "x" * 600000} for i in range(2)])

    def test_bad_messages(self):
        url = self.queue(MaximumMessageSize="1024")
        send = self.sqs.send_message
        self.refused("InvalidParameterValue", send, QueueUrl=url, MessageBody="x" * 1025)
        self.refused("MissingParameter", send, QueueUrl=url, MessageBody="")
        self.refused("InvalidMessageContents", send, QueueUrl=url, MessageBody="a\x0bb")
        self.refused("InvalidParameterValue", send, QueueUrl=url, MessageBody="x", MessageDeduplicationId="d")
        for attribute in ({"DataType": "Text", "StringValue": "x"}, {"DataType": "Number", "StringValue": "ten"},
                          {"DataType": "String", "StringValue": ""}):
            self.refused("InvalidParameterValue", send, QueueUrl=url, MessageBody="x", MessageAttributes={"a": attribute})
        self.refused("InvalidParameterValue", send, QueueUrl=url, MessageBody="x",
                     MessageAttributes={f"a{i}": {"DataType": "String", "StringValue": "x"} for i in range(11)})
        self.refused("InvalidParameterValue", self.sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
        self.refused("InvalidParameterValue", self.sqs.receive_message, QueueUrl=url, WaitTimeSeconds=21)
        self.refused("ReceiptHandleIsInvalid", self.sqs.delete_message, QueueUrl=url, ReceiptHandle="AAAA")
        # A handle of another queue is foreign.
        self.sqs.send_message(QueueUrl=url, MessageBody="x")
        m, = self.receive(url)
        self.refused("ReceiptHandleIsInvalid", self.sqs.delete_message, QueueUrl=self.queue(), ReceiptHandle=m["ReceiptHandle"])

    def test_purge(self):
        url = self.queue()
        self.sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": "x"} for i in range(10)])
        self.sqs.purge_queue(QueueUrl=url)
        self.assertEqual(self.counts(url), (0, 0, 0))
        self.refused("AWS.SimpleQueueService.PurgeQueueInProgress", self.sqs.purge_queue, QueueUrl=url)

    def test_urls_of_every_form(self):
        url = self.queue()
        name = url.rsplit("/", 1)[1]
        self.sqs.send_message(QueueUrl=f"http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/{name}", MessageBody="1")
        self.sqs.send_message(QueueUrl=f"https://sqs.us-east-1.amazonaws.com/000000000000/{name}", MessageBody="2")
        self.sqs.send_message(QueueUrl=f"{self.virga.endpoint}/queue/us-east-1/000000000000/{name}", MessageBody="3")
        self.assertEqual(self.counts(url), (3, 0, 0))

    def test_legacy_query_protocol(self):
        def call(path="/", **parameters):
            body = urllib.parse.urlencode({"Version": "2012-11-05", **parameters}).encode()
            now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            return self.virga.get(path, "POST", {"Content-Type": "application/x-www-form-urlencoded", "Authorization":
                f"AWS4-HMAC-SHA256 Credential=test/{now[:8]}/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=00",
                "X-Amz-Date": now}, body)
        name = f"legacy-{random.getrandbits(32):x}"
        status, _, text = call(Action="CreateQueue", QueueName=name, **{"Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "0"})
        self.assertEqual(status, 200, text)
        self.assertIn(f"/000000000000/{name}</QueueUrl>".encode(), text)
        path = f"/000000000000/{name}"
        status, _, text = call(path, Action="SendMessage", MessageBody="a<b", **{"MessageAttribute.1.Name": "k",
            "MessageAttribute.1.Value.DataType": "String", "MessageAttribute.1.Value.StringValue": "v"},
            QueueUrl=self.virga.endpoint + path)
        self.assertIn(b"<MD5OfMessageBody>" + hashlib.md5(b"a<b").hexdigest().encode(), text)
        status, _, text = call(path, Action="ReceiveMessage", QueueUrl=self.virga.endpoint + path, **{"MessageAttributeName.1": "All"})
        self.assertIn(b"<Body>a&lt;b</Body>", text)
        self.assertIn(b"<Name>k</Name>", text)
        status, _, text = call("/", Action="GetQueueUrl", QueueName="no-such-queue")
        self.assertEqual(status, 400)
        self.assertIn(b"<Code>AWS.SimpleQueueService.NonExistentQueue</Code>", text)


class Fifo(Case):
    def test_order_by_group(self):
        url = self.queue(".fifo", ContentBasedDeduplication="true")
        for i in range(12):
            self.sqs.send_message(QueueUrl=url, MessageBody=f"{i}", MessageGroupId=f"g{i % 2}")
        got = self.receive(url, AttributeNames=["All"])
        groups = {}
        for m in got:
            groups.setdefault(m["Attributes"]["MessageGroupId"], []).append(int(m["Body"]))
        for numbers in groups.values():
            self.assertEqual(numbers, sorted(numbers))
        sequence = [int(m["Attributes"]["SequenceNumber"]) for m in got if m["Attributes"]["MessageGroupId"] == "g0"]
        self.assertEqual(sequence, sorted(sequence))
        self.assertTrue(all(len(m["Attributes"]["SequenceNumber"]) == 20 for m in got))
        # While a group's messages are in flight, nothing more of it comes.
        rest = self.receive(url, AttributeNames=["MessageGroupId"])
        self.assertTrue(all(m["Attributes"]["MessageGroupId"] not in groups for m in rest))

    def test_a_group_waits_for_its_first(self):
        url = self.queue(".fifo", ContentBasedDeduplication="true")
        for body in "abc":
            self.sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
        a, = self.receive(url, 1, VisibilityTimeout=1)
        self.assertEqual(self.receive(url, 1), [])
        again, = self.receive(url, 1, WaitTimeSeconds=5)
        self.assertEqual((a["Body"], again["Body"]), ("a", "a"))
        self.refused("InvalidParameterValue", self.sqs.delete_message, QueueUrl=url, ReceiptHandle=a["ReceiptHandle"])
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
        self.assertEqual([m["Body"] for m in self.receive(url)], ["b", "c"])

    def test_deduplication(self):
        url = self.queue(".fifo")
        send = lambda body, dedup, group="g": self.sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=dedup)
        first, second = send("x", "d"), send("y", "d", "other")
        self.assertEqual((first["MessageId"], first["SequenceNumber"]), (second["MessageId"], second["SequenceNumber"]))
        self.assertEqual(self.counts(url), (1, 0, 0))
        self.refused("InvalidParameterValue", self.sqs.send_message, QueueUrl=url, MessageBody="x", MessageGroupId="g")
        self.refused("MissingParameter", self.sqs.send_message, QueueUrl=url, MessageBody="x", MessageDeduplicationId="e")
        self.refused("InvalidParameterValue", self.sqs.send_message, QueueUrl=url, MessageBody="x", MessageGroupId="g",
                     MessageDeduplicationId="e", DelaySeconds=1)

    def test_deduplication_by_group(self):
        url = self.queue(".fifo", DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
        for group in ("a", "b", "a"):
            self.sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId=group, MessageDeduplicationId="same")
        self.assertEqual(self.counts(url), (2, 0, 0))

    def test_deduplication_ends_after_five_minutes_and_survives_a_crash(self):
        with Virga() as virga:
            sqs = virga.client("sqs")
            url = sqs.create_queue(QueueName="d.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
            send = lambda: sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d")
            first = send()
            virga.restart()
            self.assertEqual(send()["MessageId"], first["MessageId"])
            virga.get("/_virga/clock?advance=6m", "POST")
            self.assertNotEqual(send()["MessageId"], first["MessageId"])


class DeadLetters(Case):
    @moves
    def test_redrive_and_back(self):
        for suffix in ("", ".fifo"):
            with self.subTest(suffix=suffix):
                extra = {"MessageGroupId": "g", "MessageDeduplicationId": "d"} if suffix else {}
                dead = self.queue(suffix)
                url = self.queue(suffix, VisibilityTimeout="0", RedrivePolicy=json.dumps(
                    {"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": 2}))
                sent = self.sqs.send_message(QueueUrl=url, MessageBody="x", **extra)
                for _ in range(2):
                    self.assertEqual(len(self.receive(url)), 1)
                self.assertEqual(self.receive(url), [])
                self.assertEqual((self.counts(url), self.counts(dead)), ((0, 0, 0), (1, 0, 0)))
                self.assertEqual(self.sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [url])
                handle = self.sqs.start_message_move_task(SourceArn=self.arn(dead))["TaskHandle"]
                self.assertTrue(handle)
                self.assertTrue(wait_until(lambda: self.counts(url)[0] == 1), self.counts(url))
                task, = self.sqs.list_message_move_tasks(SourceArn=self.arn(dead))["Results"]
                self.assertTrue(wait_until(lambda: self.sqs.list_message_move_tasks(SourceArn=self.arn(dead))["Results"][0]["Status"] == "COMPLETED"))
                self.assertEqual(task["ApproximateNumberOfMessagesToMove"], 1)
                m, = self.receive(url)
                self.assertEqual((m["MessageId"], m["Body"]), (sent["MessageId"], "x"))

    def test_source_is_told(self):
        dead = self.queue()
        url = self.queue(VisibilityTimeout="0", RedrivePolicy=json.dumps({"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": "1"}))
        self.sqs.send_message(QueueUrl=url, MessageBody="x")
        self.receive(url)
        self.receive(url)
        m, = self.receive(dead, AttributeNames=["All"])
        self.assertEqual(m["Attributes"]["DeadLetterQueueSourceArn"], self.arn(url))

    @moves
    def test_slow_move_can_be_cancelled(self):
        dead = self.queue()
        self.queue(RedrivePolicy=json.dumps({"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": 1}))
        target = self.queue()
        for _ in range(3):
            self.sqs.send_message_batch(QueueUrl=dead, Entries=[{"Id": str(i), "MessageBody": "x"} for i in range(10)])
        handle = self.sqs.start_message_move_task(SourceArn=self.arn(dead), DestinationArn=self.arn(target),
                                                  MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
        self.refused("AWS.SimpleQueueService.UnsupportedOperation", self.sqs.start_message_move_task, SourceArn=self.arn(dead))
        self.sqs.cancel_message_move_task(TaskHandle=handle)
        status = lambda: self.sqs.list_message_move_tasks(SourceArn=self.arn(dead))["Results"][0]["Status"]
        self.assertTrue(wait_until(lambda: status() == "CANCELLED"), status())
        self.assertGreater(self.counts(dead)[0], 20)

    def test_bad_policies(self):
        url, fifo = self.queue(), self.queue(".fifo")
        for policy in ("{}", "[]", json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:none", "maxReceiveCount": 1}),
                       json.dumps({"deadLetterTargetArn": self.arn(fifo), "maxReceiveCount": 1}),
                       json.dumps({"deadLetterTargetArn": self.arn(url), "maxReceiveCount": 0})):
            self.refused("InvalidParameterValue", self.sqs.set_queue_attributes, QueueUrl=url, Attributes={"RedrivePolicy": policy})
        closed = self.queue(RedriveAllowPolicy='{"redrivePermission": "denyAll"}')
        self.refused("InvalidParameterValue", self.sqs.set_queue_attributes, QueueUrl=url, Attributes={
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": self.arn(closed), "maxReceiveCount": 1})})


class Survival(unittest.TestCase):
    def test_nothing_acknowledged_is_lost(self):
        with Virga() as virga:
            url = virga.client("sqs").create_queue(QueueName="q")["QueueUrl"]
            sent, deleted = set(), set()
            for _ in range(8):
                stop = threading.Event()

                def work(number):
                    sqs = virga.client("sqs")
                    while not stop.is_set():
                        try:
                            sent.add(sqs.send_message(QueueUrl=url, MessageBody=f"{number}")["MessageId"])
                            for m in sqs.receive_message(QueueUrl=url, VisibilityTimeout=600).get("Messages", []):
                                if random.random() < 0.5:
                                    deleted.add(m["MessageId"])  # from here on it may be gone
                                    sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
                        except Exception:
                            return

                threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
                for t in threads:
                    t.start()
                time.sleep(random.uniform(0.2, 0.6))
                virga.kill()
                stop.set()
                for t in threads:
                    t.join()
                virga.start(virga.port)
            virga.get("/_virga/clock?advance=11m", "POST")
            found, sqs = set(), virga.client("sqs")
            while True:
                messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=3600).get("Messages", [])
                if not messages:
                    break
                found |= {m["MessageId"] for m in messages}
            self.assertGreater(len(sent), 100)
            self.assertEqual((sent - deleted) - found, set())

    def test_bodies_at_rest_are_encrypted(self):
        with Virga() as virga:
            sqs = virga.client("sqs")

            def kept(text):
                virga.kill()
                found = False
                for folder, _, names in os.walk(virga.data):
                    for name in names:
                        with open(os.path.join(folder, name), "rb") as f:
                            found |= text.encode() in f.read()
                virga.start(virga.port)
                return found

            sealed = sqs.create_queue(QueueName="sealed")["QueueUrl"]
            plain = sqs.create_queue(QueueName="plain", Attributes={"SqsManagedSseEnabled": "false"})["QueueUrl"]
            sqs.send_message(QueueUrl=sealed, MessageBody="nobody-reads-this-secret")
            sqs.send_message(QueueUrl=plain, MessageBody="anybody-reads-this-text")
            self.assertTrue(kept("anybody-reads-this-text"))  # the search finds what is there
            self.assertFalse(kept("nobody-reads-this-secret"))
            m, = sqs.receive_message(QueueUrl=sealed)["Messages"]
            self.assertEqual(m["Body"], "nobody-reads-this-secret")
            kms = sqs.create_queue(QueueName="kms", Attributes={"KmsMasterKeyId": "alias/aws/sqs"})["QueueUrl"]
            sqs.send_message(QueueUrl=kms, MessageBody="kms-keeps-this-secret")
            self.assertFalse(kept("kms-keeps-this-secret"))
            m, = sqs.receive_message(QueueUrl=kms)["Messages"]
            self.assertEqual(m["Body"], "kms-keeps-this-secret")
            a = sqs.get_queue_attributes(QueueUrl=kms, AttributeNames=["All"])["Attributes"]
            self.assertEqual((a["KmsMasterKeyId"], a["KmsDataKeyReusePeriodSeconds"]), ("alias/aws/sqs", "300"))
            self.assertEqual(a["SqsManagedSseEnabled"], "false")

    def test_a_receive_is_tried_again(self):
        with Virga() as virga:
            sqs = virga.client("sqs")
            url = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
            for i in range(6):
                sqs.send_message(QueueUrl=url, MessageBody=f"m{i}", MessageGroupId=f"g{i % 2}")

            def receive(attempt):
                got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=3, ReceiveRequestAttemptId=attempt, VisibilityTimeout=60)
                return [(m["Body"], m["ReceiptHandle"]) for m in got.get("Messages", [])]

            first = receive("one")
            self.assertEqual(len(first), 3)
            virga.get("/_virga/clock?advance=50s", "POST")
            self.assertEqual(receive("one"), first)
            virga.restart()
            virga.get("/_virga/clock?advance=50s", "POST")  # past the first timeout, within the one that began anew
            self.assertEqual(receive("one"), first)
            other = receive("two")
            self.assertFalse({b for b, _ in other} & {b for b, _ in first})
            # A message that was deleted, or whose visibility was changed, ends the attempt.
            sqs.delete_message(QueueUrl=url, ReceiptHandle=first[0][1])
            again = receive("one")
            self.assertFalse({b for b, _ in again} & {b for b, _ in first})
            virga.get("/_virga/clock?advance=6m", "POST")
            self.assertNotEqual(receive("one"), first)
            plain = sqs.create_queue(QueueName="plain")["QueueUrl"]
            with self.assertRaises(ClientError):
                sqs.receive_message(QueueUrl=plain, ReceiveRequestAttemptId="x")

    def test_a_kms_key_rules_its_queue(self):
        with Virga() as virga:
            sqs, kms = virga.client("sqs"), virga.client("kms")
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            url = sqs.create_queue(QueueName="q", Attributes={"KmsMasterKeyId": key, "KmsDataKeyReusePeriodSeconds": "60"})["QueueUrl"]
            dead = sqs.create_queue(QueueName="dead", Attributes={"KmsMasterKeyId": key})["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody="before")
            kms.disable_key(KeyId=key)
            # Within the reuse period KMS is not asked again …
            sqs.send_message(QueueUrl=url, MessageBody="within")
            # … but another queue has to, and so has this one once it is over.
            for queue, wait in (dead, False), (url, True):
                if wait:
                    virga.get("/_virga/clock?advance=61s", "POST")
                with self.assertRaises(ClientError) as caught:
                    sqs.send_message(QueueUrl=queue, MessageBody="refused")
                self.assertIn("Disabled", caught.exception.response["Error"]["Code"])
            with self.assertRaises(ClientError) as caught:
                sqs.receive_message(QueueUrl=url)
            self.assertIn("Disabled", caught.exception.response["Error"]["Code"])
            kms.enable_key(KeyId=key)
            virga.restart()
            got = [m["Body"] for _ in range(2) for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])]
            self.assertEqual(sorted(got), ["before", "within"])
            # A dead-letter queue seals under its own key.
            arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            source = sqs.create_queue(QueueName="source", Attributes={
                "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1}), "VisibilityTimeout": "0"})["QueueUrl"]
            sqs.send_message(QueueUrl=source, MessageBody="dies")
            for _ in range(2):
                sqs.receive_message(QueueUrl=source)
            m, = sqs.receive_message(QueueUrl=dead)["Messages"]
            self.assertEqual(m["Body"], "dies")
            nowhere = sqs.create_queue(QueueName="nowhere", Attributes={"KmsMasterKeyId": "11111111-2222-3333-4444-555555555555"})["QueueUrl"]
            with self.assertRaises(ClientError) as caught:
                sqs.send_message(QueueUrl=nowhere, MessageBody="x")
            self.assertIn("NotFound", caught.exception.response["Error"]["Code"])

    def test_retention_on_the_virtual_clock(self):
        with Virga() as virga:
            sqs = virga.client("sqs")
            url = sqs.create_queue(QueueName="q", Attributes={"MessageRetentionPeriod": "3600"})["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody="x")
            virga.get("/_virga/clock?advance=61m", "POST")
            a = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            self.assertEqual(a["ApproximateNumberOfMessages"], "0")
            self.assertNotIn("Messages", sqs.receive_message(QueueUrl=url))

    def test_handles_and_hidden_messages_survive_a_restart(self):
        with Virga() as virga:
            sqs = virga.client("sqs")
            url = sqs.create_queue(QueueName="q")["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody="x")
            m, = sqs.receive_message(QueueUrl=url)["Messages"]
            virga.restart()
            self.assertNotIn("Messages", sqs.receive_message(QueueUrl=url))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
            a = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            self.assertEqual(a["ApproximateNumberOfMessagesNotVisible"], "0")


if __name__ == "__main__":
    unittest.main()
