"""Replication between buckets: rules and their checks, status, filters, markers, two ways, and a crash in between."""
import datetime
import json
import subprocess
import threading
import time
import unittest
import uuid

from s3case import MIB, S3Case, allow_role, make_role
from virga import BINARY, wait_until

ROLE = "arn:aws:iam::000000000000:role/replication"


class Replication(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_role(cls.virga, "replication", "s3.amazonaws.com", [{"Action": ["s3:*", "kms:*"], "Resource": "*"}])

    def setUp(self):
        super().setUp()
        self.versioning(self.bucket)
        self.other = self.make()

    def versioning(self, bucket, status="Enabled"):
        self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    def make(self, region=None, versions=True):
        name = "r-" + uuid.uuid4().hex[:20]
        self.s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": {"LocationConstraint": region}} if region else {}))
        if versions:
            c = self.virga.client("s3", region=region) if region else self.s3
            c.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def rule(self, to=None, markers=True, priority=1, filter=None, **more):
        return {"Status": "Enabled", "Priority": priority, "Filter": filter if filter is not None else {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Enabled" if markers else "Disabled"},
                "Destination": {"Bucket": f"arn:aws:s3:::{to or self.other}"}, **more}

    def set(self, *rules, bucket=None):
        return self.s3.put_bucket_replication(Bucket=bucket or self.bucket, ReplicationConfiguration={"Role": ROLE, "Rules": list(rules)})

    def status(self, key, bucket=None, **kw):
        return self.s3.head_object(Bucket=bucket or self.bucket, Key=key, **kw).get("ReplicationStatus")

    def done(self, key, **kw):
        self.assertTrue(wait_until(lambda: self.status(key, **kw) == "COMPLETED"), self.status(key, **kw))

    def versions(self, bucket, client=None):
        got = {}
        for page in (client or self.s3).get_paginator("list_object_versions").paginate(Bucket=bucket):
            for v in page.get("Versions", []):
                got.setdefault(v["Key"], []).append((v["VersionId"], v["ETag"], v["IsLatest"]))
            for v in page.get("DeleteMarkers", []):
                got.setdefault(v["Key"], []).append((v["VersionId"], "marker", v["IsLatest"]))
        return {k: sorted(v) for k, v in got.items()}

    def test_stored_and_deleted(self):
        self.fails("ReplicationConfigurationNotFoundError", self.s3.get_bucket_replication, Bucket=self.bucket)
        self.set(self.rule(ID="one", filter={"And": {"Prefix": "a", "Tags": [{"Key": "k", "Value": "v"}]}}, markers=False))
        got = self.s3.get_bucket_replication(Bucket=self.bucket)["ReplicationConfiguration"]
        self.assertEqual((got["Role"], got["Rules"][0]["ID"], got["Rules"][0]["Filter"]["And"]["Tags"]),
                         (ROLE, "one", [{"Key": "k", "Value": "v"}]))
        self.s3.delete_bucket_replication(Bucket=self.bucket)
        self.fails("ReplicationConfigurationNotFoundError", self.s3.get_bucket_replication, Bucket=self.bucket)

    def test_refusals(self):
        def bad(code, *rules, bucket=None):
            self.fails(code, self.set, *rules, bucket=bucket)
        plain = self.make(versions=False)
        bad("InvalidRequest", self.rule(), bucket=plain)
        bad("InvalidRequest", self.rule(plain))
        bad("InvalidRequest", self.rule("nobody-has-this-one"))
        bad("InvalidRequest", self.rule(self.bucket))
        bad("InvalidArgument", {**self.rule(), "Destination": {"Bucket": "no-arn"}})
        bad("InvalidRequest", self.rule(), self.rule())
        bad("InvalidRequest", self.rule(ID="a"), self.rule(ID="a", priority=2))
        bad("InvalidRequest", self.rule(filter={"Tag": {"Key": "k", "Value": "v"}}))
        bad("InvalidRequest", {k: v for k, v in self.rule().items() if k != "Priority"})
        bad("InvalidRequest", {k: v for k, v in self.rule().items() if k != "DeleteMarkerReplication"})
        old = {"Status": "Enabled", "Prefix": "a", "Destination": {"Bucket": f"arn:aws:s3:::{self.other}"}}
        bad("InvalidRequest", old, self.rule())
        bad("InvalidRequest", old, {**old, "Prefix": "ab"})
        bad("InvalidRequest", {**old, "Priority": 1})
        self.set(old, {**old, "Prefix": "b"})

    def test_objects_arrive_as_they_are(self):
        far = self.make("eu-central-1")
        self.set(self.rule(far))
        v = self.put("k", b"body", ContentType="text/x", Metadata={"a": "1"}, Tagging="t=1", StorageClass="STANDARD_IA")["VersionId"]
        self.done("k")
        c = self.virga.client("s3", region="eu-central-1")
        r = c.get_object(Bucket=far, Key="k")
        self.assertEqual((r["Body"].read(), r["VersionId"], r["ContentType"], r["Metadata"], r["TagCount"], r["StorageClass"],
                          r["ReplicationStatus"]), (b"body", v, "text/x", {"a": "1"}, 1, "STANDARD_IA", "REPLICA"))
        # what describes it follows
        self.s3.put_object_tagging(Bucket=self.bucket, Key="k", Tagging={"TagSet": [{"Key": "new", "Value": "2"}]})
        self.assertTrue(wait_until(lambda: c.get_object_tagging(Bucket=far, Key="k")["TagSet"] == [{"Key": "new", "Value": "2"}]))
        # the source's bytes may go: the replica has its own
        self.s3.delete_object(Bucket=self.bucket, Key="k", VersionId=v)
        self.assertEqual(c.get_object(Bucket=far, Key="k")["Body"].read(), b"body")
        # in parts
        u = self.s3.create_multipart_upload(Bucket=self.bucket, Key="m")["UploadId"]
        bodies = [b"a" * (5 * MIB), b"b" * MIB]
        parts = [{"PartNumber": i + 1, "ETag": self.s3.upload_part(Bucket=self.bucket, Key="m", UploadId=u, PartNumber=i + 1, Body=b)["ETag"]}
                 for i, b in enumerate(bodies)]
        e = self.s3.complete_multipart_upload(Bucket=self.bucket, Key="m", UploadId=u, MultipartUpload={"Parts": parts})["ETag"]
        self.done("m")
        self.s3.delete_object(Bucket=self.bucket, Key="m", VersionId=self.s3.head_object(Bucket=self.bucket, Key="m")["VersionId"])
        r = c.get_object(Bucket=far, Key="m")
        self.assertEqual((r["Body"].read(), r["ETag"]), (b"".join(bodies), e))
        self.assertEqual(c.head_object(Bucket=far, Key="m", PartNumber=2)["PartsCount"], 2)

    def test_filters_and_overrides(self):
        second = self.make()
        self.set(self.rule(filter={"Prefix": "a/"}, priority=1, Destination={"Bucket": f"arn:aws:s3:::{self.other}", "StorageClass": "GLACIER_IR"}),
                 self.rule(second, filter={"Tag": {"Key": "k", "Value": "v"}}, markers=False, priority=2),
                 self.rule(filter={"Prefix": "off/"}, priority=3, Status="Disabled"))
        self.put("a/1", b"1", Tagging="k=v")
        self.put("b/1", b"1", Tagging="k=w")
        self.put("b/2", b"1", Tagging="k=v")
        self.put("off/1", b"1")
        self.done("a/1")
        self.done("b/2")
        self.assertIsNone(self.status("b/1"))
        self.assertEqual(set(self.versions(self.other)), {"a/1"})
        self.assertEqual(set(self.versions(second)), {"a/1", "b/2"})
        self.assertEqual(self.s3.head_object(Bucket=self.other, Key="a/1")["StorageClass"], "GLACIER_IR")

    def test_markers(self):
        self.set(self.rule())
        v = self.put("k", b"1")["VersionId"]
        self.s3.delete_object(Bucket=self.bucket, Key="k")
        self.assertTrue(wait_until(lambda: self.versions(self.other) == self.versions(self.bucket)))
        self.fails("NoSuchKey", self.s3.get_object, Bucket=self.other, Key="k")
        # versions that are deleted for good are not
        self.s3.delete_object(Bucket=self.bucket, Key="k", VersionId=v)
        self.put("later", b"1")
        self.done("later")
        self.assertIn(v, [x[0] for x in self.versions(self.other)["k"]])
        self.set(self.rule(markers=False))
        self.s3.delete_object(Bucket=self.bucket, Key="later")
        self.put("last", b"1")
        self.done("last")
        self.assertEqual(len(self.versions(self.other)["later"]), 1)

    def test_a_destination_that_is_gone(self):
        self.set(self.rule())
        self.s3.delete_bucket(Bucket=self.other)
        self.put("k", b"1")
        self.assertTrue(wait_until(lambda: self.status("k") == "FAILED"))

    def test_two_ways_do_not_loop(self):
        self.set(self.rule())
        self.set(self.rule(self.bucket), bucket=self.other)
        self.put("a", b"1")
        self.s3.put_object(Bucket=self.other, Key="b", Body=b"2")
        self.assertTrue(wait_until(lambda: len(self.versions(self.bucket)) == 2 and len(self.versions(self.other)) == 2))
        time.sleep(1.5)
        self.assertEqual(self.versions(self.bucket), self.versions(self.other))
        self.assertEqual([len(v) for v in self.versions(self.bucket).values()], [1, 1])
        self.assertEqual((self.status("a"), self.status("a", self.other)), ("COMPLETED", "REPLICA"))
        self.assertEqual((self.status("b"), self.status("b", self.other)), ("REPLICA", "COMPLETED"))

    def test_what_describes_follows_both_ways(self):
        both = {"SourceSelectionCriteria": {"ReplicaModifications": {"Status": "Enabled"}}}
        a, b = (self.locked() for _ in range(2))
        self.set(self.rule(b, **both), bucket=a)
        self.set(self.rule(a, **both), bucket=b)
        v = self.s3.put_object(Bucket=a, Key="k", Body=b"1")["VersionId"]
        self.done("k", bucket=a)

        def tag(bucket, value):
            self.s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "t", "Value": value}]})

        def tags(bucket):
            return [t["Value"] for t in self.s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=v)["TagSet"]]
        tag(b, "from the replica")
        self.assertTrue(wait_until(lambda: tags(a) == ["from the replica"]))
        self.s3.put_object_legal_hold(Bucket=b, Key="k", LegalHold={"Status": "ON"})
        self.assertTrue(wait_until(lambda: self.s3.head_object(Bucket=a, Key="k").get("ObjectLockLegalHoldStatus") == "ON"))
        self.s3.put_object_legal_hold(Bucket=a, Key="k", LegalHold={"Status": "OFF"})
        self.assertTrue(wait_until(lambda: self.s3.head_object(Bucket=b, Key="k").get("ObjectLockLegalHoldStatus") == "OFF"))
        # at once, on both sides: the later one counts on both
        threads = [threading.Thread(target=lambda x=x: [tag(x, f"{x} {i}") for i in range(20)]) for x in (a, b)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertTrue(wait_until(lambda: tags(a) == tags(b) and self.status("k", bucket=a) == "COMPLETED"))
        tag(a, "last")
        self.assertTrue(wait_until(lambda: tags(b) == ["last"]))
        self.assertEqual(tags(a), ["last"])
        # without ReplicaModifications what is set on the replica stays there
        self.set(self.rule(a), bucket=b)
        tag(b, "mine")
        self.s3.put_object(Bucket=b, Key="after", Body=b"")
        self.done("after", bucket=b)
        self.assertEqual((tags(a), tags(b)), (["last"], ["mine"]))

    def locked(self):
        name = "r-" + uuid.uuid4().hex[:20]
        self.s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
        return name

    def test_under_another_key(self):
        far = self.make("eu-central-1")
        c, near_kms, far_kms = self.virga.client("s3", region="eu-central-1"), self.virga.client("kms"), self.virga.client("kms", region="eu-central-1")
        here, there = (k.create_key()["KeyMetadata"]["Arn"] for k in (near_kms, far_kms))
        # by default objects under KMS keys stay where they are
        self.set(self.rule(far))
        self.put("no", b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId=here)
        self.put("plain", b"1")
        self.done("plain")
        self.assertIsNone(self.status("no"))
        to = {"Bucket": f"arn:aws:s3:::{far}", "EncryptionConfiguration": {"ReplicaKmsKeyID": there}}
        opted = {"SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}}}
        self.fails("InvalidRequest", self.set, self.rule(far, **opted))
        self.fails("InvalidRequest", self.set, self.rule(far, Destination=to))
        self.set(self.rule(far, Destination=to, **opted))
        self.put("k", b"secret", ServerSideEncryption="aws:kms", SSEKMSKeyId=here)
        u = self.s3.create_multipart_upload(Bucket=self.bucket, Key="m", ServerSideEncryption="aws:kms", SSEKMSKeyId=here)["UploadId"]
        parts = [{"PartNumber": i + 1, "ETag": self.s3.upload_part(Bucket=self.bucket, Key="m", UploadId=u, PartNumber=i + 1, Body=b)["ETag"]}
                 for i, b in enumerate((b"a" * (5 * MIB), b"b" * 10))]
        self.s3.complete_multipart_upload(Bucket=self.bucket, Key="m", UploadId=u, MultipartUpload={"Parts": parts})
        for key in ("k", "m"):
            self.done(key)
        near_kms.disable_key(KeyId=here)
        self.fails("KMS.DisabledException", self.s3.get_object, Bucket=self.bucket, Key="k")
        r = c.get_object(Bucket=far, Key="k")
        self.assertEqual((r["Body"].read(), r["SSEKMSKeyId"], r["ServerSideEncryption"]), (b"secret", there, "aws:kms"))
        self.assertEqual(c.get_object(Bucket=far, Key="m")["Body"].read(), b"a" * (5 * MIB) + b"b" * 10)
        near_kms.enable_key(KeyId=here)
        far_kms.disable_key(KeyId=there)
        self.put("k2", b"secret", ServerSideEncryption="aws:kms", SSEKMSKeyId=here)
        self.assertTrue(wait_until(lambda: self.status("k2") == "FAILED"))

    def test_metrics_and_events(self):
        sqs, watch = self.virga.client("sqs"), self.virga.client("cloudwatch")
        url = sqs.create_queue(QueueName="q-" + self.bucket)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]})})
        self.s3.put_bucket_notification_configuration(Bucket=self.bucket, NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:Replication:*"]}]}, SkipDestinationValidation=True)
        to = {"Bucket": f"arn:aws:s3:::{self.other}", "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
              "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}}}
        self.set(self.rule(ID="timed", Destination=to))
        self.put("k", b"1234")
        self.done("k")
        dimensions = [{"Name": n, "Value": v} for n, v in
                      (("SourceBucket", self.bucket), ("DestinationBucket", self.other), ("RuleId", "timed"))]

        def points(name):
            now = datetime.datetime.now(datetime.timezone.utc)
            return [p for p in watch.get_metric_statistics(
                Namespace="AWS/S3", MetricName=name, Dimensions=dimensions, StartTime=now - datetime.timedelta(hours=1),
                EndTime=now + datetime.timedelta(hours=3), Period=60, Statistics=["Maximum", "Sum"])["Datapoints"]]
        (latency,) = points("ReplicationLatency")
        self.assertLess(latency["Maximum"], 60)
        subprocess.run([BINARY, "clock", "advance", "1m", "--endpoint", self.virga.endpoint], check=True, stdout=subprocess.DEVNULL)
        self.assertTrue(wait_until(lambda: [p["Maximum"] for p in points("OperationsPendingReplication")][:1] == [0.0]))
        self.assertEqual(points("BytesPendingReplication")[0]["Maximum"], 0)
        self.assertEqual(points("OperationsFailedReplication"), [])
        self.s3.delete_object(Bucket=self.other, Key="k", VersionId=self.versions(self.other)["k"][0][0])
        self.s3.delete_bucket(Bucket=self.other)
        self.put("lost", b"1")
        self.assertTrue(wait_until(lambda: self.status("lost") == "FAILED"))
        self.assertEqual(sum(p["Sum"] for p in points("OperationsFailedReplication")), 1)
        got = []

        def come():
            for m in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", []):
                got.extend(json.loads(m["Body"]).get("Records", []))  # the test event has none
            return got
        self.assertTrue(wait_until(come))
        (record,) = got
        self.assertEqual(record["eventName"], "Replication:OperationFailedReplication")
        data = record["replicationEventData"]
        self.assertEqual((data["replicationRuleId"], data["destinationBucket"], data["s3Operation"], data["failureReason"]),
                         ("timed", f"arn:aws:s3:::{self.other}", "OBJECT_PUT", "DstBucketNotFound"))

    def outcome(self, key):
        """Its replication status once it is no longer pending."""
        self.assertTrue(wait_until(lambda: self.status(key) in ("COMPLETED", "FAILED")), self.status(key))
        return self.status(key)

    def test_what_the_role_may(self):
        name = "r-" + self.bucket[2:]
        source, target = (f"arn:aws:s3:::{b}" for b in (self.bucket, self.other))
        needed = [{"Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"], "Resource": source},
                  {"Action": ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
                   "Resource": source + "/*"},
                  {"Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], "Resource": target + "/*"}]

        def without(action):
            return [{**s, "Action": [a for a in s["Action"] if a != action]} for s in needed]
        role = make_role(self.virga, name, "s3.amazonaws.com", needed)
        self.s3.put_bucket_replication(Bucket=self.bucket, ReplicationConfiguration={"Role": role, "Rules": [self.rule()]})
        self.put("all", b"1", Tagging="t=1")
        self.assertEqual(self.outcome("all"), "COMPLETED")
        for i, action in enumerate(("s3:GetReplicationConfiguration", "s3:ListBucket", "s3:GetObjectVersionForReplication",
                                    "s3:GetObjectVersionAcl", "s3:ReplicateObject")):
            allow_role(self.virga, name, without(action))
            self.put(f"no{i}", b"1")
            self.assertEqual((action, self.outcome(f"no{i}")), (action, "FAILED"))
        # markers
        allow_role(self.virga, name, without("s3:ReplicateDelete"))
        self.s3.delete_object(Bucket=self.bucket, Key="all")
        self.put("after", b"1")
        self.assertEqual(self.outcome("after"), "COMPLETED")
        self.assertEqual([v[1] == "marker" for v in self.versions(self.other)["all"]], [False])
        # without permission for tags the object goes, its tags stay
        for i, action in enumerate(("s3:GetObjectVersionTagging", "s3:ReplicateTags")):
            allow_role(self.virga, name, without(action))
            self.put(f"t{i}", b"1", Tagging="t=1")
            self.assertEqual(self.outcome(f"t{i}"), "COMPLETED")
            self.assertEqual(self.s3.get_object_tagging(Bucket=self.other, Key=f"t{i}")["TagSet"], [])
        # a destination's policy may refuse what the role allows
        allow_role(self.virga, name, needed)
        self.s3.put_bucket_policy(Bucket=self.other, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Principal": {"AWS": role}, "Action": "s3:ReplicateObject", "Resource": target + "/secret*"}]}))
        for key, end in (("secret1", "FAILED"), ("open", "COMPLETED")):
            self.put(key, b"1")
            self.assertEqual((key, self.outcome(key)), (key, end))
        # no such role
        self.s3.put_bucket_replication(Bucket=self.bucket, ReplicationConfiguration={
            "Role": "arn:aws:iam::000000000000:role/nobody-" + name, "Rules": [self.rule()]})
        self.put("nobody", b"1")
        self.assertEqual(self.outcome("nobody"), "FAILED")
        self.fails("NoSuchKey", self.s3.get_object, Bucket=self.other, Key="nobody")

    def test_into_another_account(self):
        theirs = "x-" + uuid.uuid4().hex[:20]
        other = self.virga.client("s3", key="111122223333")
        other.create_bucket(Bucket=theirs)
        other.put_bucket_versioning(Bucket=theirs, VersioningConfiguration={"Status": "Enabled"})
        self.set(self.rule(theirs))
        self.put("before", b"1")
        self.assertEqual(self.outcome("before"), "FAILED")
        other.put_bucket_policy(Bucket=theirs, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": ["s3:ReplicateObject", "s3:ReplicateDelete"],
             "Resource": f"arn:aws:s3:::{theirs}/*"}]}))
        self.put("k", b"1")
        self.assertEqual(self.outcome("k"), "COMPLETED")
        self.assertEqual(other.get_object(Bucket=theirs, Key="k")["Body"].read(), b"1")
        # whose the replica is says the rule
        to = {"Bucket": f"arn:aws:s3:::{theirs}", "Account": "111122223333", "AccessControlTranslation": {"Owner": "Destination"}}
        self.set(self.rule(theirs, Destination=to))
        self.put("owner", b"1")
        self.assertEqual(self.outcome("owner"), "FAILED")
        other.put_bucket_policy(Bucket=theirs, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Resource": f"arn:aws:s3:::{theirs}/*",
             "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ObjectOwnerOverrideToBucketOwner"]}]}))
        self.put("owner", b"1")
        self.assertEqual(self.outcome("owner"), "COMPLETED")

    def test_the_role_and_keys(self):
        kms, name = self.virga.client("kms"), "k-" + self.bucket[2:]
        here, there = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
        basic = [{"Action": "s3:*", "Resource": "*"}]
        decrypt = {"Action": "kms:Decrypt", "Resource": here, "Condition": {"StringLike": {
            "kms:ViaService": "s3.us-east-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{self.bucket}/a*"}}}
        encrypt = {"Action": "kms:Encrypt", "Resource": there, "Condition": {"StringLike": {
            "kms:ViaService": "s3.us-east-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{self.other}/*"}}}
        role = make_role(self.virga, name, "s3.amazonaws.com", basic)
        to = {"Bucket": f"arn:aws:s3:::{self.other}", "EncryptionConfiguration": {"ReplicaKmsKeyID": there}}
        rule = self.rule(Destination=to, SourceSelectionCriteria={"SseKmsEncryptedObjects": {"Status": "Enabled"}})
        self.s3.put_bucket_replication(Bucket=self.bucket, ReplicationConfiguration={"Role": role, "Rules": [rule]})
        for i, (more, key, end) in enumerate((([], "a", "FAILED"), ([decrypt], "a", "FAILED"), ([encrypt], "a", "FAILED"),
                                              ([decrypt, encrypt], "b", "FAILED"), ([decrypt, encrypt], "a", "COMPLETED"))):
            allow_role(self.virga, name, basic + more)
            self.put(f"{key}{i}", b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId=here)
            self.assertEqual((i, self.outcome(f"{key}{i}")), (i, end))
        self.assertEqual(self.s3.get_object(Bucket=self.other, Key="a4")["Body"].read(), b"1")

    def test_a_lock_needs_a_lock(self):
        source = self.locked()
        self.set(self.rule(), bucket=source)
        self.s3.put_object(Bucket=source, Key="k", Body=b"1")
        self.assertTrue(wait_until(lambda: self.status("k", source) == "FAILED"))
        there = self.locked()
        self.set(self.rule(there), bucket=source)
        self.s3.put_object(Bucket=source, Key="k", Body=b"1")
        self.done("k", bucket=source)

    def test_existing_objects_are_for_batch_jobs(self):
        self.fails("MalformedXML", self.set, self.rule(ExistingObjectReplication={"Status": "Enabled"}))

    def test_the_threshold(self):
        """What is still on its way after 15 minutes is told then, and once more when it has arrived."""
        sqs = self.virga.client("sqs")
        url = sqs.create_queue(QueueName="t-" + self.bucket)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]})})
        self.s3.put_bucket_notification_configuration(Bucket=self.bucket, NotificationConfiguration={"QueueConfigurations": [
            {"QueueArn": arn, "Events": ["s3:Replication:*"]}]}, SkipDestinationValidation=True)
        to = {"Bucket": f"arn:aws:s3:::{self.other}", "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
              "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}}}
        self.set(self.rule(ID="timed", Destination=to))
        events = []

        def come():
            for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
                events.extend(r for r in json.loads(m["Body"]).get("Records", []))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
            return events

        def keys(kind):
            return {(e["s3"]["object"]["key"], e["s3"]["object"]["versionId"]) for e in events
                    if e["eventName"] == "Replication:" + kind}
        # a thousand markers in one transaction take longer than the clock's jump, nearly always
        for attempt in range(10):
            self.s3.delete_objects(Bucket=self.bucket, Delete={"Quiet": True, "Objects": [
                {"Key": f"{attempt}-{i}"} for i in range(1000)]})
            subprocess.run([BINARY, "clock", "advance", "16m", "--endpoint", self.virga.endpoint], check=True,
                           stdout=subprocess.DEVNULL)
            if wait_until(come, 3):
                break
        self.assertTrue(events)
        self.assertTrue(wait_until(lambda: come() and keys("OperationMissedThreshold") == keys("OperationReplicatedAfterThreshold"), 60))
        data = events[0]["replicationEventData"]
        self.assertEqual((data["replicationRuleId"], data["threshold"]), ("timed", "15"))

    def test_a_crash_ends_identical(self):
        self.set(self.rule())
        self.set(self.rule(self.bucket), bucket=self.other)
        answered, stop = [], threading.Event()

        def write(n, s3):
            bucket = (self.bucket, self.other)[n % 2]
            for i in range(100000):
                if stop.is_set():
                    return
                try:
                    if i % 5 == 4:
                        s3.delete_object(Bucket=bucket, Key=f"k{i % 17}")
                    else:
                        s3.put_object(Bucket=bucket, Key=f"k{i % 17}", Body=b"%d/%d" % (n, i))
                    answered.append(i)
                except Exception:
                    return

        threads = [threading.Thread(target=write, args=(n, self.virga.client("s3"))) for n in range(4)]
        for t in threads:
            t.start()
        self.assertTrue(wait_until(lambda: len(answered) > 150))
        self.virga.kill()
        stop.set()
        for t in threads:
            t.join()
        self.virga.start(self.virga.port)
        self.assertTrue(wait_until(lambda: self.versions(self.bucket) == self.versions(self.other), 60))
        for key, vs in self.versions(self.bucket).items():
            for v, etag, _ in vs:
                if etag != "marker":
                    self.assertEqual(*(self.s3.get_object(Bucket=b, Key=key, VersionId=v)["Body"].read()
                                       for b in (self.bucket, self.other)))
        self.assertGreaterEqual(sum(map(len, self.versions(self.bucket).values())), len(answered))


if __name__ == "__main__":
    unittest.main()
