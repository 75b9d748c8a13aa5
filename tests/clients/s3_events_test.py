"""Event notifications to queues: configurations and their checks, what messages say, and that none is lost."""
import json
import threading
import time
import unittest

from s3case import MIB, S3Case
from virga import wait_until

NEEDS_BOTO3 = (1, 40)


class Events(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sqs = cls.virga.client("sqs")
        cls.queues = 0

    def queue(self, name=None, policy=True, **attributes):
        """policy: what lets S3 send, as on AWS."""
        type(self).queues += 1
        name = name or f"q-{self.queues}"
        if policy:
            attributes["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage",
                "Resource": f"arn:aws:sqs:us-east-1:000000000000:{name}",
                "Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"},
                              "ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:b-*"}}}]})
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return url, arn

    def configure(self, *queues, **kw):
        return self.s3.put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"QueueConfigurations": list(queues)}, **kw)

    def receive(self, url, n, limit=20):
        """n messages (test events are left out), in order of arrival."""
        got, end = [], time.monotonic() + limit
        while len(got) < n and time.monotonic() < end:
            for m in self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
                body = json.loads(m["Body"])
                got += body.get("Records", [])
        return got

    def nothing(self, url):
        self.assertEqual(self.receive(url, 1, 1.5), [])

    def test_test_event(self):
        url, arn = self.queue()
        self.configure({"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]})
        m = self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
        body = json.loads(m[0]["Body"])
        self.assertEqual((body["Service"], body["Event"], body["Bucket"]), ("Amazon S3", "s3:TestEvent", self.bucket))
        self.assertEqual(set(body), {"Service", "Event", "Time", "Bucket", "RequestId", "HostId"})

    def test_record(self):
        url, arn = self.queue()
        self.configure({"Id": "mine", "QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]})
        key = "ein schöner/Tag+1.txt"
        etag = self.put(key, b"12345")["ETag"].strip('"')
        r = self.receive(url, 1)[0]
        self.assertEqual((r["eventVersion"], r["eventSource"], r["awsRegion"], r["eventName"]),
                         ("2.1", "aws:s3", "us-east-1", "ObjectCreated:Put"))
        self.assertRegex(r["eventTime"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(r["requestParameters"]["sourceIPAddress"], "127.0.0.1")
        self.assertIn("principalId", r["userIdentity"])
        self.assertEqual(set(r["responseElements"]), {"x-amz-request-id", "x-amz-id-2"})
        s3 = r["s3"]
        self.assertEqual((s3["s3SchemaVersion"], s3["configurationId"]), ("1.0", "mine"))
        self.assertEqual((s3["bucket"]["name"], s3["bucket"]["arn"]), (self.bucket, f"arn:aws:s3:::{self.bucket}"))
        self.assertEqual(s3["object"]["key"], "ein+sch%C3%B6ner/Tag%2B1.txt")
        self.assertEqual((s3["object"]["size"], s3["object"]["eTag"]), (5, etag))
        self.assertNotIn("versionId", s3["object"])
        first = s3["object"]["sequencer"]
        self.s3.delete_object(Bucket=self.bucket, Key=key)
        r = self.receive(url, 1)[0]
        self.assertEqual(r["eventName"], "ObjectRemoved:Delete")
        self.assertEqual(set(r["s3"]["object"]), {"key", "sequencer"})
        self.assertGreater(r["s3"]["object"]["sequencer"], first)

    def test_kinds(self):
        url, arn = self.queue()
        self.configure({"QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]})
        self.put("a", b"1")
        self.s3.copy_object(Bucket=self.bucket, Key="b", CopySource=f"{self.bucket}/a")
        u = self.s3.create_multipart_upload(Bucket=self.bucket, Key="c")["UploadId"]
        e = self.s3.upload_part(Bucket=self.bucket, Key="c", UploadId=u, PartNumber=1, Body=b"x" * MIB)["ETag"]
        self.s3.complete_multipart_upload(Bucket=self.bucket, Key="c", UploadId=u,
                                          MultipartUpload={"Parts": [{"ETag": e, "PartNumber": 1}]})
        self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
        got = {(r["eventName"], r["s3"]["object"]["key"]) for r in self.receive(url, 5)}
        self.assertEqual(got, {("ObjectCreated:Put", "a"), ("ObjectCreated:Copy", "b"),
                               ("ObjectCreated:CompleteMultipartUpload", "c"), ("ObjectRemoved:Delete", "a"),
                               ("ObjectRemoved:Delete", "b")})
        # what fails makes no event
        self.fails("PreconditionFailed", self.put, "c", b"2", IfNoneMatch="*")
        self.nothing(url)

    def test_versions(self):
        url, arn = self.queue()
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        self.configure({"QueueArn": arn, "Events": ["s3:ObjectCreated:Put", "s3:ObjectRemoved:*"]})
        v = self.put("a", b"1")["VersionId"]
        m = self.s3.delete_object(Bucket=self.bucket, Key="a")["VersionId"]
        self.s3.delete_object(Bucket=self.bucket, Key="a", VersionId=v)
        got = sorted(((r["s3"]["object"]["sequencer"], r["eventName"], r["s3"]["object"]["versionId"])
                      for r in self.receive(url, 3)))
        self.assertEqual([g[1:] for g in got], [("ObjectCreated:Put", v), ("ObjectRemoved:DeleteMarkerCreated", m),
                                                ("ObjectRemoved:Delete", v)])

    def test_tags(self):
        url, arn = self.queue()
        self.configure({"QueueArn": arn, "Events": ["s3:ObjectTagging:*"]})
        self.put("a", b"1", Tagging="a=b")
        self.s3.put_object_tagging(Bucket=self.bucket, Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
        self.s3.delete_object_tagging(Bucket=self.bucket, Key="a")
        got = [(r["eventName"], r["eventVersion"]) for r in self.receive(url, 2)]
        self.assertEqual(sorted(got), [("ObjectTagging:Delete", "2.3"), ("ObjectTagging:Put", "2.3")])

    def test_filters(self):
        images, images_arn = self.queue()
        rest, rest_arn = self.queue()
        def rule(arn, event, **f):
            return {"QueueArn": arn, "Events": [event],
                    "Filter": {"Key": {"FilterRules": [{"Name": k, "Value": v} for k, v in f.items()]}}}
        self.configure(rule(images_arn, "s3:ObjectCreated:*", prefix="in/", suffix=".jpg"),
                       rule(rest_arn, "s3:ObjectCreated:Put", prefix="in/", suffix=".png"),
                       rule(rest_arn, "s3:ObjectRemoved:Delete", prefix="in/", suffix=".jpg"))
        for key in ("in/a.jpg", "in/a.png", "out/a.jpg", "in/a.gif"):
            self.put(key)
        self.s3.delete_object(Bucket=self.bucket, Key="in/a.jpg")
        self.assertEqual([r["s3"]["object"]["key"] for r in self.receive(images, 1)], ["in/a.jpg"])
        got = {(r["eventName"], r["s3"]["object"]["key"]) for r in self.receive(rest, 2)}
        self.assertEqual(got, {("ObjectCreated:Put", "in/a.png"), ("ObjectRemoved:Delete", "in/a.jpg")})
        self.nothing(images)
        self.nothing(rest)

    def test_configuration_is_told(self):
        _, arn = self.queue()
        self.assertNotIn("QueueConfigurations", self.s3.get_bucket_notification_configuration(Bucket=self.bucket))
        self.configure({"QueueArn": arn, "Events": ["s3:ObjectCreated:*"],
                        "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "a/"}]}}})
        q = self.s3.get_bucket_notification_configuration(Bucket=self.bucket)["QueueConfigurations"]
        self.assertEqual((q[0]["QueueArn"], q[0]["Events"]), (arn, ["s3:ObjectCreated:*"]))
        self.assertTrue(q[0]["Id"])
        self.assertEqual(q[0]["Filter"]["Key"]["FilterRules"][0]["Value"], "a/")
        self.configure()
        self.assertNotIn("QueueConfigurations", self.s3.get_bucket_notification_configuration(Bucket=self.bucket))

    def test_refusals(self):
        _, arn = self.queue()
        _, fifo = self.queue("f.fifo", FifoQueue="true")
        ok = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
        def bad(*queues, code="InvalidArgument"):
            self.fails(code, self.configure, *queues)
        def filtered(*rules, events=("s3:ObjectCreated:*",)):
            return {**ok, "Events": list(events),
                    "Filter": {"Key": {"FilterRules": [{"Name": n, "Value": v} for n, v in rules]}}}
        bad({**ok, "QueueArn": arn + "-gone"})
        bad({**ok, "QueueArn": "nonsense"})
        bad({**ok, "QueueArn": self.queue(policy=False)[1]})
        bad({**ok, "QueueArn": arn.replace("us-east-1", "eu-west-1")})
        bad({**ok, "QueueArn": fifo})
        bad({**ok, "Events": ["s3:ObjectRenamed:*"]})
        bad({**ok, "Id": "x" * 256})
        bad({**ok, "Id": "same"}, {**ok, "Id": "same", "Events": ["s3:ObjectRemoved:*"]})
        bad(ok, {**ok, "Events": ["s3:ObjectCreated:Put"]})
        bad(filtered(("prefix", "a")), filtered(("prefix", "ab")))
        bad(filtered(("suffix", ".jpg")), filtered(("prefix", "ab")))
        bad(filtered(("prefix", "a"), ("prefix", "b")))
        bad(filtered(("middle", "a")))
        bad(filtered(("prefix", "x" * 1025)))
        # no overlap: other events, prefixes that exclude each other, suffixes likewise
        self.configure(filtered(("prefix", "a")), filtered(("prefix", "b")),
                       filtered(("prefix", "a"), events=["s3:ObjectRemoved:*"]))
        self.configure(filtered(("prefix", "a"), ("suffix", ".jpg")), filtered(("prefix", "a"), ("suffix", ".png")))
        self.configure({**ok, "QueueArn": arn + "-gone"}, SkipDestinationValidation=True)
        self.fails("InvalidArgument", self.s3.put_bucket_notification_configuration, Bucket=self.bucket, NotificationConfiguration={
            "TopicConfigurations": [{"TopicArn": "arn:aws:sns:us-east-1:000000000000:none", "Events": ["s3:ObjectCreated:*"]}]})
        for other in ({"LambdaFunctionConfigurations": [{"LambdaFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
                                                         "Events": ["s3:ObjectCreated:*"]}]},
                      {"EventBridgeConfiguration": {}}):
            self.fails("NotImplemented", self.s3.put_bucket_notification_configuration, Bucket=self.bucket,
                       NotificationConfiguration=other)

    def test_a_target_that_is_gone_loses_nothing(self):
        url, arn = self.queue("away")
        self.configure({"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]})
        self.assertTrue(self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10).get("Messages"))
        self.sqs.delete_queue(QueueUrl=url)
        self.put("while-away")
        time.sleep(0.5)
        self.virga.get("/_virga/clock?advance=61s", "POST")
        try:
            url, _ = self.queue("away")
        except self.sqs.exceptions.QueueDeletedRecently:
            self.skipTest("the clock could not be moved")
        self.assertEqual([r["s3"]["object"]["key"] for r in self.receive(url, 1, 60)], ["while-away"])

    def test_nothing_is_lost_by_a_crash(self):
        url, arn = self.queue()
        self.configure({"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]})
        answered, stop = [], threading.Event()

        def write(n, s3):
            for i in range(10000):
                if stop.is_set():
                    return
                try:
                    s3.put_object(Bucket=self.bucket, Key=f"{n}/{i}", Body=b"x")
                    answered.append(f"{n}/{i}")
                except Exception:
                    return

        threads = [threading.Thread(target=write, args=(n, self.virga.client("s3"))) for n in range(4)]
        for t in threads:
            t.start()
        self.assertTrue(wait_until(lambda: len(answered) > 200))
        self.virga.kill()
        stop.set()
        for t in threads:
            t.join()
        self.virga.start(self.virga.port)
        stored = set()
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            stored |= {o["Key"] for o in page.get("Contents", [])}
        self.assertLessEqual(set(answered), stored)
        self.assertGreater(len(stored), 20)
        told = set()
        def all_told():
            told.update(r["s3"]["object"]["key"] for r in self.receive(url, 10, 0.1))
            return told >= stored
        self.assertTrue(wait_until(all_told, 60), f"{len(stored - told)} of {len(stored)} were never told")
        self.assertEqual(told, stored)


if __name__ == "__main__":
    unittest.main()
