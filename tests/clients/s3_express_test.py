"""Directory buckets: their names, sessions, permissions, and what their objects have and have not; rename and append."""
import json
import unittest
import uuid

from botocore.exceptions import ClientError
from s3case import MIB, S3Case
from virga import Virga, wait_until

NEEDS_BOTO3 = (1, 40)
ZONE = "use1-az4"


class Express(S3Case):
    def setUp(self):
        self.bucket = self.make()

    def make(self, zone=ZONE, client=None, **change):
        name = f"d-{uuid.uuid4().hex[:12]}--{zone}--x-s3"
        (client or self.s3).create_bucket(Bucket=name, CreateBucketConfiguration={
            "Location": {"Type": "AvailabilityZone", "Name": zone},
            "Bucket": {"Type": "Directory", "DataRedundancy": "SingleAvailabilityZone"}, **change})
        return name

    def names(self, client=None):
        return {b["Name"] for page in (client or self.s3).get_paginator("list_directory_buckets").paginate() for b in page["Buckets"]}

    def refused(self, code, status, call, *args, **kw):
        r = self.fails(code, call, *args, **kw)
        self.assertEqual(r["ResponseMetadata"]["HTTPStatusCode"], status)

    def test_buckets(self):
        far = self.virga.client("s3", region="eu-west-1")
        there = self.make("euw1-az1", far)
        self.assertIn(self.bucket, self.names())
        self.assertNotIn(there, self.names())
        self.assertEqual(self.names(far), {there})
        listed = [b["Name"] for b in self.s3.list_buckets()["Buckets"]]
        self.assertNotIn(self.bucket, listed)
        first = self.s3.list_directory_buckets(MaxDirectoryBuckets=1)
        self.assertEqual(len(first["Buckets"]), 1)
        h = self.s3.head_bucket(Bucket=self.bucket)
        self.assertEqual((h["BucketLocationType"], h["BucketLocationName"], h["BucketRegion"], h["BucketArn"]), (
            "AvailabilityZone", ZONE, "us-east-1", f"arn:aws:s3express:us-east-1:000000000000:bucket/{self.bucket}"))
        self.fails("BucketAlreadyOwnedByYou", self.s3.create_bucket, Bucket=self.bucket, CreateBucketConfiguration={
            "Location": {"Type": "AvailabilityZone", "Name": ZONE}, "Bucket": {"Type": "Directory"}})
        self.put("k", b"1")
        self.fails("BucketNotEmpty", self.s3.delete_bucket, Bucket=self.bucket)
        self.s3.delete_object(Bucket=self.bucket, Key="k")
        self.s3.delete_bucket(Bucket=self.bucket)
        self.assertNotIn(self.bucket, self.names())

    def test_names_and_places(self):
        def create(code, name, location, bucket=None):
            self.fails(code, self.s3.create_bucket, Bucket=name, CreateBucketConfiguration={
                "Location": {"Type": "AvailabilityZone", "Name": location}, "Bucket": bucket or {"Type": "Directory"}})
        create("InvalidRequest", "aaa--use1-az4--x-s3", "use1-az5")
        create("InvalidRequest", "aaa--euw1-az1--x-s3", "euw1-az1")
        create("InvalidBucketName", "A_a--use1-az4--x-s3", ZONE)
        create("InvalidBucketName", "-a--use1-az4--x-s3", ZONE)
        create("InvalidBucketName", "plain-" + uuid.uuid4().hex[:8], ZONE)
        self.fails("InvalidRequest", self.s3.create_bucket, Bucket="bbb--use1-az4--x-s3")

    def test_objects(self):
        tags = {self.put("a/1", b"same")["ETag"], self.put("a/2", b"same")["ETag"]}
        self.assertEqual(len(tags), 2)
        for t in tags:
            self.assertRegex(t, '^"[0-9a-z]{32}"$')
        r = self.s3.get_object(Bucket=self.bucket, Key="a/1", Range="bytes=1-2")
        self.assertEqual((r["Body"].read(), r["StorageClass"]), (b"am", "EXPRESS_ONEZONE"))
        self.assertIn(r["ETag"], tags)
        self.put("b", b"x")
        self.put("a/b/c", b"x")
        page = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="a/", Delimiter="/")
        self.assertEqual(({o["Key"] for o in page["Contents"]}, [p["Prefix"] for p in page["CommonPrefixes"]]), ({"a/1", "a/2"}, ["a/b/"]))
        self.assertEqual({o["StorageClass"] for o in page["Contents"]}, {"EXPRESS_ONEZONE"})
        self.fails("InvalidArgument", self.s3.list_objects_v2, Bucket=self.bucket, Prefix="a")
        self.fails("InvalidArgument", self.s3.list_objects_v2, Bucket=self.bucket, Delimiter="-")
        self.fails("NotImplemented", self.s3.list_objects_v2, Bucket=self.bucket, StartAfter="a")
        u = self.s3.create_multipart_upload(Bucket=self.bucket, Key="m")["UploadId"]
        parts = [{"PartNumber": n, "ETag": self.s3.upload_part(Bucket=self.bucket, Key="m", UploadId=u, PartNumber=n, Body=b)["ETag"]}
                 for n, b in ((1, b"1" * 5 * MIB), (2, b"2"))]
        self.assertEqual(len(self.s3.list_parts(Bucket=self.bucket, Key="m", UploadId=u)["Parts"]), 2)
        self.assertEqual(self.s3.list_multipart_uploads(Bucket=self.bucket)["Uploads"][0]["Key"], "m")
        e = self.s3.complete_multipart_upload(Bucket=self.bucket, Key="m", UploadId=u, MultipartUpload={"Parts": parts})["ETag"]
        self.assertNotIn("-", e)
        self.assertEqual(self.read("m"), b"1" * 5 * MIB + b"2")
        # between buckets of both kinds
        general = "g-" + uuid.uuid4().hex[:20]
        self.s3.create_bucket(Bucket=general)
        self.s3.copy_object(Bucket=general, Key="out", CopySource={"Bucket": self.bucket, "Key": "a/1"})
        self.s3.copy_object(Bucket=self.bucket, Key="in", CopySource={"Bucket": general, "Key": "out"})
        self.assertEqual(self.read("in"), b"same")
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="in")["StorageClass"], "EXPRESS_ONEZONE")
        self.assertNotIn("StorageClass", self.s3.head_object(Bucket=general, Key="out"))
        gone = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": k} for k in ("a/1", "a/2", "b", "none")]})
        self.assertEqual(len(gone["Deleted"]), 4)
        self.fails("NoSuchKey", self.read, "a/1")

    def test_what_is_not_there(self):
        for call, kw in ((self.s3.put_bucket_versioning, {"VersioningConfiguration": {"Status": "Enabled"}}),
                         (self.s3.get_bucket_versioning, {}), (self.s3.list_object_versions, {}), (self.s3.list_objects, {}),
                         (self.s3.get_bucket_acl, {}), (self.s3.put_bucket_tagging, {"Tagging": {"TagSet": []}}),
                         (self.s3.get_object_tagging, {"Key": "k"}), (self.s3.get_bucket_location, {}),
                         (self.s3.get_bucket_notification_configuration, {}), (self.s3.get_bucket_website, {})):
            self.refused("MethodNotAllowed", 405, call, Bucket=self.bucket, **kw)
        for kw in ({"ACL": "private"}, {"Tagging": "a=b"}, {"WebsiteRedirectLocation": "/x"}):
            self.fails("NotImplemented", self.put, "k", b"", **kw)
        self.fails("InvalidStorageClass", self.put, "k", b"", StorageClass="STANDARD")
        self.fails("InvalidRequest", self.put, "k", b"", ServerSideEncryption="aws:kms:dsse")
        self.fails("InvalidStorageClass", self.s3.put_object, Bucket=self.general(), Key="k", StorageClass="EXPRESS_ONEZONE")
        self.refused("MethodNotAllowed", 405, self.s3.create_session, Bucket=self.general())

    def general(self):
        name = "g-" + uuid.uuid4().hex[:20]
        self.s3.create_bucket(Bucket=name)
        return name

    def user(self, *statements):
        iam, name = self.virga.client("iam"), "u-" + uuid.uuid4().hex[:12]
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", **s} for s in statements]}))
        k = iam.create_access_key(UserName=name)["AccessKey"]
        return self.virga.client("s3", key=k["AccessKeyId"], secret=k["SecretAccessKey"])

    def test_sessions(self):
        self.put("k", b"1")
        s = self.s3.create_session(Bucket=self.bucket, SessionMode="ReadOnly")
        self.assertEqual(s["ServerSideEncryption"], "AES256")
        k = s["Credentials"]

        def ask(method, path, body=b"", token=k["SessionToken"], secret=k["SecretAccessKey"], signing="s3express"):
            """As an SDK that signs with these credentials."""
            from botocore.auth import S3SigV4Auth
            from botocore.awsrequest import AWSRequest
            from botocore.credentials import Credentials
            import urllib.error
            import urllib.request
            r = AWSRequest(method=method, url=self.virga.endpoint + path, data=body, headers={"x-amz-s3session-token": token})
            S3SigV4Auth(Credentials(k["AccessKeyId"], secret), signing, "us-east-1").add_auth(r)
            try:
                with urllib.request.urlopen(urllib.request.Request(r.url, data=body or None, method=method, headers=dict(r.headers))) as a:
                    return a.status, a.read()
            except urllib.error.HTTPError as e:
                with e:
                    return e.code, e.read()
        self.assertEqual(ask("GET", f"/{self.bucket}/k"), (200, b"1"))
        self.assertEqual(ask("GET", f"/{self.bucket}?list-type=2")[0], 200)
        self.assertEqual(ask("PUT", f"/{self.bucket}/k", b"2")[0], 403)
        self.assertEqual(ask("DELETE", f"/{self.bucket}/k")[0], 403)
        self.assertEqual(ask("DELETE", f"/{self.bucket}")[0], 403)
        self.assertEqual(ask("GET", f"/{self.bucket}?session")[0], 403)
        self.assertEqual(ask("GET", f"/{self.make()}/k")[0], 403)
        self.assertIn(ask("GET", f"/{self.bucket}/k", token="other")[0], (400, 403))
        self.assertEqual(ask("GET", f"/{self.bucket}/k", secret="wrong")[0], 403)
        # nowhere else, and not for long
        general = self.general()
        self.s3.put_object(Bucket=general, Key="k", Body=b"g")
        self.assertEqual(ask("GET", f"/{general}/k")[0], 403)
        self.assertEqual(ask("GET", "/")[0], 403)
        self.virga.get("/_virga/clock?advance=6m", "POST")
        self.assertIn(ask("GET", f"/{self.bucket}/k")[0], (400, 403))

    def test_permissions(self):
        arn = f"arn:aws:s3express:us-east-1:000000000000:bucket/{self.bucket}"
        self.put("k", b"1")
        nobody = self.user({"Action": "s3:*", "Resource": "*"})
        self.fails("AccessDenied", nobody.get_object, Bucket=self.bucket, Key="k")
        self.fails("AccessDenied", nobody.list_directory_buckets)
        self.fails("AccessDenied", nobody.delete_bucket, Bucket=self.bucket)
        both = self.user({"Action": "s3express:CreateSession", "Resource": arn})
        both.put_object(Bucket=self.bucket, Key="k", Body=b"2")
        self.assertEqual(both.get_object(Bucket=self.bucket, Key="k")["Body"].read(), b"2")
        self.fails("AccessDenied", both.get_object, Bucket=self.make(), Key="k")
        reads = self.user({"Action": "s3express:CreateSession", "Resource": arn,
                           "Condition": {"StringEquals": {"s3express:SessionMode": "ReadOnly"}}})
        self.fails("AccessDenied", reads.create_session, Bucket=self.bucket)
        self.assertIn("Credentials", reads.create_session(Bucket=self.bucket, SessionMode="ReadOnly"))
        lists = self.user({"Action": "s3express:ListAllMyDirectoryBuckets", "Resource": "*"})
        self.assertIn(self.bucket, self.names(lists))
        # the bucket's own policy
        self.fails("MalformedPolicy", self.s3.put_bucket_policy, Bucket=self.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "s3:GetObject", "Resource": arn}]}))
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "s3express:CreateSession", "Resource": arn}]}))
        other = self.virga.client("s3", key="111122223333")
        self.assertEqual(other.get_object(Bucket=self.bucket, Key="k")["Body"].read(), b"2")
        self.s3.delete_bucket_policy(Bucket=self.bucket)
        self.fails("AccessDenied", self.virga.client("s3", key="111122223333").get_object, Bucket=self.bucket, Key="k")

    def test_rename(self):
        e = self.put("dir/a", b"body", Metadata={"m": "1"})["ETag"]
        before = self.s3.head_object(Bucket=self.bucket, Key="dir/a")["LastModified"]
        self.s3.rename_object(Bucket=self.bucket, Key="new name", RenameSource=f"{self.bucket}/dir/a")
        self.fails("NoSuchKey", self.read, "dir/a")
        r = self.s3.get_object(Bucket=self.bucket, Key="new name")
        self.assertEqual((r["Body"].read(), r["ETag"], r["Metadata"], r["LastModified"]), (b"body", e, {"m": "1"}, before))
        rename = self.s3.rename_object
        self.fails("NoSuchKey", rename, Bucket=self.bucket, Key="x", RenameSource=f"{self.bucket}/dir/a")
        self.fails("InvalidRequest", rename, Bucket=self.bucket, Key="new name", RenameSource=f"/{self.bucket}/new%20name")
        self.fails("InvalidRequest", rename, Bucket=self.bucket, Key="x/", RenameSource=f"{self.bucket}/new%20name")
        self.fails("InvalidRequest", rename, Bucket=self.bucket, Key="x", RenameSource=f"{self.make()}/new%20name")
        # over another one, under conditions
        old = self.put("target", b"old" * MIB)["ETag"]
        self.fails("PreconditionFailed", rename, Bucket=self.bucket, Key="target", RenameSource=f"{self.bucket}/new%20name", DestinationIfNoneMatch="*")
        self.fails("PreconditionFailed", rename, Bucket=self.bucket, Key="target", RenameSource=f"{self.bucket}/new%20name", SourceIfMatch=old)
        rename(Bucket=self.bucket, Key="target", RenameSource=f"{self.bucket}/new%20name", DestinationIfMatch=old, SourceIfMatch=e)
        self.assertEqual(self.read("target"), b"body")
        self.assertEqual(self.s3.list_objects_v2(Bucket=self.bucket)["KeyCount"], 1)
        self.refused("MethodNotAllowed", 405, rename, Bucket=self.general(), Key="x", RenameSource="b/y")

    def test_append(self):
        r = self.put("log", b"line 0\n", WriteOffsetBytes=0, Metadata={"m": "1"})
        self.assertNotIn("Size", r)
        text, etags = b"line 0\n", {r["ETag"]}
        for i in range(1, 40):
            line = b"line %d\n" % i
            r = self.put("log", line, WriteOffsetBytes=len(text))
            text += line
            self.assertEqual(r["Size"], len(text))
            etags.add(r["ETag"])
        self.assertEqual(len(etags), 40)
        self.assertEqual(self.read("log"), text)
        r = self.s3.get_object(Bucket=self.bucket, Key="log", ChecksumMode="ENABLED")  # which the SDK checks
        self.assertEqual((r["Body"].read(), r["Metadata"], r["ContentLength"]), (text, {"m": "1"}, len(text)))
        self.fails("InvalidWriteOffset", self.put, "log", b"x", WriteOffsetBytes=3)
        self.fails("NoSuchKey", self.put, "none", b"x", WriteOffsetBytes=3)
        self.fails("InvalidRequest", self.put, "log", b"x", WriteOffsetBytes=len(text), ChecksumAlgorithm="SHA256")
        self.put("big", b"1" * 3 * MIB)
        self.put("big", b"2" * 3 * MIB, WriteOffsetBytes=3 * MIB)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="big", Range=f"bytes={3 * MIB - 1}-{3 * MIB}")["Body"].read(), b"12")
        self.put("log", b"anew")
        self.assertEqual(self.read("log"), b"anew")
        self.fails("NotImplemented", self.s3.put_object, Bucket=self.general(), Key="k", Body=b"", WriteOffsetBytes=0)

    def test_encryption_by_kms(self):
        key = self.virga.client("kms").create_key()["KeyMetadata"]["Arn"]
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": [{
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, "BucketKeyEnabled": True}]})
        self.put("k", b"1")
        self.put("k", b"2", WriteOffsetBytes=1)
        r = self.s3.get_object(Bucket=self.bucket, Key="k")
        self.assertEqual((r["Body"].read(), r["ServerSideEncryption"], r["SSEKMSKeyId"]), (b"12", "aws:kms", key))
        self.assertEqual(self.s3.create_session(Bucket=self.bucket)["ServerSideEncryption"], "aws:kms")
        self.s3.rename_object(Bucket=self.bucket, Key="k2", RenameSource=f"{self.bucket}/k")
        self.assertEqual(self.read("k2"), b"12")
        # a session asks for the key when it begins
        arn = f"arn:aws:s3express:us-east-1:000000000000:bucket/{self.bucket}"
        session = {"Action": "s3express:CreateSession", "Resource": arn}
        self.fails("AccessDenied", self.user(session).create_session, Bucket=self.bucket)
        self.assertEqual(self.user(session, {"Action": "kms:*", "Resource": key}).get_object(Bucket=self.bucket, Key="k2")["Body"].read(), b"12")

    def test_a_crash(self):
        self.put("k", b"1")
        self.put("k", b"2", WriteOffsetBytes=1)
        self.s3.rename_object(Bucket=self.bucket, Key="r", RenameSource=f"{self.bucket}/k")
        self.virga.restart()
        self.assertEqual(self.read("r"), b"12")
        self.assertIn(self.bucket, self.names())

    def test_host_names(self):
        for host, path in ((f"{self.bucket}.s3express-{ZONE}.us-east-1.amazonaws.com", "/k"), (f"{self.bucket}.localhost:4566", "/k"),
                           (f"s3express-control.us-east-1.amazonaws.com", f"/{self.bucket}/k")):
            self.assertEqual(self.raw("PUT", path, body=b"1", host=host).code, 200)
            self.assertEqual(self.raw("GET", path, host=host).body, b"1")
        self.assertEqual(self.read("k"), b"1")


if __name__ == "__main__":
    unittest.main()
