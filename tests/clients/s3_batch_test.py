"""S3 Batch Operations: manifests, every operation, reports, states, priorities, roles, and a crash in the middle."""
import csv
import datetime
import hashlib
import io
import json
import unittest
import urllib.parse
import uuid

from s3case import S3Case, control_client
from virga import wait_until

OWNER = "000000000000"
SERVICE = "batchoperations.s3.amazonaws.com"
OVER = ("Complete", "Failed", "Cancelled")


def allow(*actions, resource="*", effect="Allow"):
    return {"Effect": effect, "Action": list(actions), "Resource": resource}


class Batch(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.control = control_client(cls.virga)
        cls.iam = cls.virga.client("iam")
        cls.role = cls.make_role(allow("s3:*"))

    @classmethod
    def make_role(cls, *statements, trusted=SERVICE):
        name = "batch-" + uuid.uuid4().hex[:12]
        arn = cls.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
        cls.iam.put_role_policy(RoleName=name, PolicyName="p",
                                PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        return arn

    def setUp(self):
        super().setUp()
        self.work = self.make()

    def make(self, versions=False, **kw):
        name = "w-" + uuid.uuid4().hex[:20]
        self.s3.create_bucket(Bucket=name, **kw)
        if versions:
            self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def manifest(self, rows, fields=("Bucket", "Key"), key="manifest.csv"):
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        tag = self.s3.put_object(Bucket=self.work, Key=key, Body=text.getvalue().encode())["ETag"]
        return {"Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": list(fields)},
                "Location": {"ObjectArn": f"arn:aws:s3:::{self.work}/{key}", "ETag": tag}}

    def keys(self, *keys, bucket=None):
        return self.manifest([(bucket or self.bucket, urllib.parse.quote(k)) for k in keys])

    def report(self, scope="AllTasks", prefix="reports"):
        return {"Bucket": f"arn:aws:s3:::{self.work}", "Format": "Report_CSV_20180820", "Enabled": True, "ReportScope": scope,
                **({"Prefix": prefix} if prefix else {})}

    def create(self, operation, manifest=None, **kw):
        args = {"AccountId": OWNER, "ConfirmationRequired": False, "Operation": operation, "Report": {"Enabled": False},
                "Priority": 10, "RoleArn": self.role, "ClientRequestToken": uuid.uuid4().hex, **kw}
        if manifest:
            args["Manifest"] = manifest
        return self.control.create_job(**args)["JobId"]

    def job(self, id):
        return self.control.describe_job(AccountId=OWNER, JobId=id)["Job"]

    def status_of(self, id):
        return self.job(id)["Status"]

    def becomes(self, id, *states, limit=30):
        self.assertTrue(wait_until(lambda: self.status_of(id) in states, limit), self.job(id))
        return self.job(id)

    def done(self, operation, manifest=None, failed=0, **kw):
        job = self.becomes(self.create(operation, manifest, **kw), *OVER)
        self.assertEqual((job["Status"], job["ProgressSummary"]["NumberOfTasksFailed"]), ("Complete", failed), job)
        return job

    def failed(self, code, operation, manifest=None, **kw):
        job = self.becomes(self.create(operation, manifest, **kw), *OVER)
        self.assertEqual((job["Status"], job["FailureReasons"][0]["FailureCode"]), ("Failed", code), job)
        return job

    def rows(self, id, prefix="reports/"):
        """{"succeeded": [row], "failed": [row]} of the report, after its checksums."""
        base = f"{prefix}job-{id}/"
        text = self.s3.get_object(Bucket=self.work, Key=base + "manifest.json")["Body"].read()
        m, got = json.loads(text), {}
        self.assertEqual((m["Format"], m["ReportSchema"]), ("Report_CSV_20180820",
                         "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"))
        for r in m["Results"]:
            self.assertTrue(r["Key"].startswith(base + "results/"))
            o = self.s3.get_object(Bucket=r["Bucket"], Key=r["Key"])
            self.assertEqual(o["ServerSideEncryption"], "AES256")
            body = o["Body"].read()
            self.assertEqual(self.md5(body), r["MD5Checksum"])
            got.setdefault(r["TaskExecutionStatus"], []).extend(csv.reader(io.StringIO(body.decode())))
        self.assertEqual(self.s3.get_object(Bucket=self.work, Key=base + "manifest.json.md5")["Body"].read().decode(), self.md5(text))
        return got

    @staticmethod
    def md5(body):
        return hashlib.md5(body).hexdigest()

    def tags(self, key, bucket=None, **kw):
        return {t["Key"]: t["Value"] for t in self.s3.get_object_tagging(Bucket=bucket or self.bucket, Key=key, **kw)["TagSet"]}

    TAG = {"S3PutObjectTagging": {"TagSet": [{"Key": "a", "Value": "1"}]}}

    # ── operations ──

    def test_tagging_with_a_report(self):
        for k in ("one", "dir/two words", "ü,\"q\""):
            self.put(k, b"x")
        id = self.done(self.TAG, self.keys("one", "dir/two words", "ü,\"q\"", "gone"), failed=1, Report=self.report(),
                       Description="tags", Tags=[{"Key": "k", "Value": "v"}])["JobId"]
        self.assertEqual([self.tags(k) for k in ("one", "dir/two words", "ü,\"q\"")], [{"a": "1"}] * 3)
        got = self.rows(id)
        self.assertEqual([r[:6] for r in got["succeeded"]],
                         [[self.bucket, urllib.parse.quote(k), "", "succeeded", "200", ""] for k in ("one", "dir/two words", "ü,\"q\"")])
        (row,) = got["failed"]
        self.assertEqual(row[:6], [self.bucket, "gone", "", "failed", "404", "NoSuchKey"])
        self.assertIn("Error Code: NoSuchKey", row[6])
        job = self.job(id)
        self.assertEqual((job["Description"], job["Priority"], job["RoleArn"], job["ProgressSummary"]["TotalNumberOfTasks"],
                          job["ProgressSummary"]["NumberOfTasksSucceeded"]), ("tags", 10, self.role, 4, 3))
        self.assertEqual(job["JobArn"], f"arn:aws:s3:us-east-1:{OWNER}:job/{id}")
        self.assertGreaterEqual(job["TerminationDate"], job["CreationTime"])
        only = self.done({"S3DeleteObjectTagging": {}}, self.keys("one", "gone"), failed=1, Report=self.report("FailedTasksOnly", None))["JobId"]
        self.assertEqual(self.tags("one"), {})
        self.assertEqual(set(self.rows(only, "")), {"failed"})

    def test_copy(self):
        to = self.make()
        self.put("a b", b"body", ContentType="text/x", Metadata={"m": "1"}, Tagging="t=1")
        self.done({"S3PutObjectCopy": {"TargetResource": f"arn:aws:s3:::{to}", "TargetKeyPrefix": "folder"}}, self.keys("a b"))
        r = self.s3.get_object(Bucket=to, Key="folder/a b")
        self.assertEqual((r["Body"].read(), r["ContentType"], r["Metadata"], r["TagCount"]), (b"body", "text/x", {"m": "1"}, 1))
        self.done({"S3PutObjectCopy": {
            "TargetResource": f"arn:aws:s3:::{to}", "StorageClass": "STANDARD_IA",
            "NewObjectMetadata": {"ContentType": "text/y", "UserMetadata": {"n": "2"}, "SSEAlgorithm": "AES256"},
            "NewObjectTagging": [{"Key": "x+y", "Value": "= z"}]}}, self.keys("a b"))
        r = self.s3.get_object(Bucket=to, Key="a b")
        self.assertEqual((r["ContentType"], r["Metadata"], r["StorageClass"]), ("text/y", {"n": "2"}, "STANDARD_IA"))
        self.assertEqual(self.tags("a b", to), {"x+y": "= z"})
        late = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
        id = self.done({"S3PutObjectCopy": {"TargetResource": f"arn:aws:s3:::{to}", "ModifiedSinceConstraint": late}},
                       self.keys("a b"), failed=1, Report=self.report())["JobId"]
        self.assertEqual(self.rows(id)["failed"][0][4:6], ["412", "PreconditionFailed"])

    def test_versions(self):
        b = self.make(versions=True)
        first = self.s3.put_object(Bucket=b, Key="k", Body=b"1")["VersionId"]
        self.s3.put_object(Bucket=b, Key="k", Body=b"2")
        self.done(self.TAG, self.manifest([("x", b, "k", first)], ("Ignore", "Bucket", "Key", "VersionId")))
        self.assertEqual((self.tags("k", b, VersionId=first), self.tags("k", b)), ({"a": "1"}, {}))

    def test_acl(self):
        self.s3.put_bucket_ownership_controls(Bucket=self.bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
        self.put("k", b"x")
        other = self.virga.client("s3", key="222222222222").list_buckets()["Owner"]["ID"]
        me = self.s3.list_buckets()["Owner"]["ID"]
        grants = [{"Grantee": {"TypeIdentifier": "id", "Identifier": i}, "Permission": p} for i, p in ((me, "FULL_CONTROL"), (other, "READ"))]
        self.done({"S3PutObjectAcl": {"AccessControlPolicy": {"AccessControlList": {"Owner": {"ID": me}, "Grants": grants}}}}, self.keys("k"))

        def given():
            return {(g["Grantee"]["ID"], g["Permission"]) for g in self.s3.get_object_acl(Bucket=self.bucket, Key="k")["Grants"]}
        self.assertEqual(given(), {(me, "FULL_CONTROL"), (other, "READ")})
        self.done({"S3PutObjectAcl": {"AccessControlPolicy": {"CannedAccessControlList": "private"}}}, self.keys("k"))
        self.assertEqual(given(), {(me, "FULL_CONTROL")})

    def test_restore(self):
        self.put("cold", b"x", StorageClass="GLACIER")
        self.put("warm", b"x")
        id = self.done({"S3InitiateRestoreObject": {"ExpirationInDays": 3, "GlacierJobTier": "BULK"}}, self.keys("cold", "warm"),
                       failed=1, Report=self.report())["JobId"]
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="cold")["Restore"], 'ongoing-request="true"')
        self.assertEqual(self.rows(id)["failed"][0][4:6], ["403", "InvalidObjectState"])

    def test_locks(self):
        b = self.make(ObjectLockEnabledForBucket=True)
        self.s3.put_object(Bucket=b, Key="k", Body=b"1")
        self.done({"S3PutObjectLegalHold": {"LegalHold": {"Status": "ON"}}}, self.keys("k", bucket=b))
        self.assertEqual(self.s3.head_object(Bucket=b, Key="k")["ObjectLockLegalHoldStatus"], "ON")
        self.done({"S3PutObjectLegalHold": {"LegalHold": {"Status": "OFF"}}}, self.keys("k", bucket=b))
        until = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=9)

        def keep(days, **kw):
            return {"S3PutObjectRetention": {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": until - datetime.timedelta(days=days)}, **kw}}
        self.done(keep(0), self.keys("k", bucket=b))
        self.done(keep(1), self.keys("k", bucket=b), failed=1)
        self.assertEqual(self.s3.head_object(Bucket=b, Key="k")["ObjectLockRetainUntilDate"], until)
        self.done(keep(1, BypassGovernanceRetention=True), self.keys("k", bucket=b))
        self.assertEqual(self.s3.head_object(Bucket=b, Key="k")["ObjectLockRetainUntilDate"], until - datetime.timedelta(days=1))

    def test_checksums_are_told(self):
        self.put("a", b"body a")
        self.put("b", b"")
        id = self.done({"S3ComputeObjectChecksum": {"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"}},
                       self.keys("a", "b", "none"), failed=1, Report=self.report())["JobId"]
        told = {r[1]: json.loads(r[6]) for r in self.rows(id)["succeeded"]}
        self.assertEqual({k: v["checksum_hex"] for k, v in told.items()},
                         {k: hashlib.sha256(v).hexdigest() for k, v in (("a", b"body a"), ("b", b""))})
        self.assertEqual((told["a"]["checksumAlgorithm"], told["a"]["checksumType"], told["a"]["etag"]),
                         ("SHA256", "FULL_OBJECT", hashlib.md5(b"body a").hexdigest()))

    def test_encryption_is_updated(self):
        key = self.virga.client("kms").create_key()["KeyMetadata"]["Arn"]
        self.put("a", b"body a")
        operation = {"S3UpdateObjectEncryption": {"ObjectEncryption": {"SSEKMS": {"KMSKeyArn": key}}}}
        self.done(operation, self.keys("a"), failed=1)  # this role may not use the key
        self.done(operation, self.keys("a"), RoleArn=self.make_role(allow("s3:*"), allow("kms:*")))
        r = self.s3.get_object(Bucket=self.bucket, Key="a")
        self.assertEqual((r["Body"].read(), r["SSEKMSKeyId"]), (b"body a", key))

    def test_replicating_existing_objects(self):
        b, to = self.make(), self.make(versions=True)
        self.s3.put_object(Bucket=b, Key="before", Body=b"0")  # the version called null
        self.s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"})
        for i in range(3):
            self.s3.put_object(Bucket=b, Key=f"in/{i}", Body=b"%d" % i)
        self.s3.put_object(Bucket=b, Key="in/0", Body=b"new")
        self.s3.delete_object(Bucket=b, Key="in/1")
        self.s3.put_object(Bucket=b, Key="out", Body=b"x")

        def rule(prefix, n):
            return {"Status": "Enabled", "Priority": n, "Filter": {"Prefix": prefix}, "DeleteMarkerReplication": {"Status": "Enabled"},
                    "Destination": {"Bucket": f"arn:aws:s3:::{to}"}}
        self.s3.put_bucket_replication(Bucket=b, ReplicationConfiguration={
            "Role": self.make_role(allow("s3:*"), trusted="s3.amazonaws.com"), "Rules": [rule("in/", 1), rule("before", 2)]})
        generator = {"S3JobManifestGenerator": {
            "SourceBucket": f"arn:aws:s3:::{b}", "EnableManifestOutput": True,
            "ManifestOutputLocation": {"Bucket": f"arn:aws:s3:::{self.work}", "ManifestPrefix": "m",
                                       "ManifestFormat": "S3InventoryReport_CSV_20211130"},
            "Filter": {"EligibleForReplication": True, "ObjectReplicationStatuses": ["NONE", "FAILED"]}}}
        job = self.done({"S3ReplicateObject": {}}, ManifestGenerator=generator)
        self.assertEqual(job["ProgressSummary"]["TotalNumberOfTasks"], 6)

        def all_of(bucket):
            got = self.s3.list_object_versions(Bucket=bucket)
            return {(v["Key"], v["VersionId"], v.get("ETag", "marker"), v["IsLatest"]) for v in got["Versions"] + got.get("DeleteMarkers", [])
                    if v["Key"] != "out"}
        self.assertEqual(all_of(to), all_of(b))
        self.assertEqual((self.s3.head_object(Bucket=b, Key="in/0")["ReplicationStatus"],
                          self.s3.head_object(Bucket=to, Key="in/0")["ReplicationStatus"]), ("COMPLETED", "REPLICA"))
        where = job["GeneratedManifestDescriptor"]["Location"]["ObjectArn"].split(":::")[1].split("/", 1)
        text = self.s3.get_object(Bucket=where[0], Key=where[1])["Body"].read().decode()
        self.assertEqual(len(list(csv.reader(io.StringIO(text)))), 6)
        # what no rule covers is not done; what is there already is done again, without effect
        self.done({"S3ReplicateObject": {}}, self.keys("out", "in/2", bucket=b), failed=1)
        self.assertEqual(all_of(to), all_of(b))
        # nothing is left to be found
        self.failed("EmptyManifest", {"S3ReplicateObject": {}}, ManifestGenerator=generator)

    # ── manifests ──

    def test_generated_by_filter(self):
        for k, size in (("a/1.txt", 10), ("a/2.log", 10), ("b/3.txt", 1000), ("a/big.txt", 2000)):
            self.put(k, b"x" * size)
        job = self.done(self.TAG, ManifestGenerator={"S3JobManifestGenerator": {
            "SourceBucket": f"arn:aws:s3:::{self.bucket}", "EnableManifestOutput": False,
            "Filter": {"KeyNameConstraint": {"MatchAnyPrefix": ["a/"], "MatchAnySuffix": [".txt"]}, "ObjectSizeLessThanBytes": 1000,
                       "MatchAnyStorageClass": ["STANDARD"]}}})
        self.assertEqual(job["ProgressSummary"]["TotalNumberOfTasks"], 1)
        self.assertEqual([self.tags(k) for k in ("a/1.txt", "a/2.log", "a/big.txt")], [{"a": "1"}, {}, {}])

    def test_inventory(self):
        for k in ("x y", "z"):
            self.put(k, b"x")
        self.s3.put_bucket_inventory_configuration(Bucket=self.bucket, Id="i", InventoryConfiguration={
            "Destination": {"S3BucketDestination": {"Bucket": f"arn:aws:s3:::{self.work}", "Format": "CSV"}}, "IsEnabled": True, "Id": "i",
            "IncludedObjectVersions": "Current", "Schedule": {"Frequency": "Daily"}, "OptionalFields": ["Size"]})
        advance(self.virga, "1d")
        found = [o for o in self.s3.list_objects_v2(Bucket=self.work)["Contents"] if o["Key"].endswith("manifest.json")]
        self.done(self.TAG, {"Spec": {"Format": "S3InventoryReport_CSV_20161130"}, "Location": {
            "ObjectArn": f"arn:aws:s3:::{self.work}/{found[0]['Key']}", "ETag": found[0]["ETag"]}})
        self.assertEqual((self.tags("x y"), self.tags("z")), ({"a": "1"}, {"a": "1"}))

    def test_manifests_that_are_none(self):
        m = self.keys("k")
        self.failed("ManifestETagMismatch", self.TAG, {**m, "Location": {**m["Location"], "ETag": "0" * 32}})
        self.failed("ManifestNotReadable", self.TAG, {**m, "Location": {**m["Location"], "ObjectArn": f"arn:aws:s3:::{self.work}/none"}})
        self.failed("InvalidManifest", self.TAG, self.manifest([(self.bucket, "a"), (self.work, "b")]))
        self.failed("InvalidManifest", self.TAG, self.manifest([(self.bucket, "a", "extra")]))
        self.failed("InvalidManifest", self.TAG, self.manifest([(self.bucket, "%zz")]))
        self.failed("EmptyManifest", self.TAG, self.manifest([]))
        self.failed("InvalidManifest", self.TAG, {**self.keys("k"), "Spec": {"Format": "S3InventoryReport_CSV_20161130"}})

    # ── refusals, states ──

    def test_refusals(self):
        m = self.keys("k")
        bad = self.control.create_job
        args = {"AccountId": OWNER, "ConfirmationRequired": False, "Operation": self.TAG, "Report": {"Enabled": False}, "Priority": 1,
                "RoleArn": self.role, "Manifest": m, "ClientRequestToken": "t-" + uuid.uuid4().hex}
        id = bad(**args)["JobId"]
        self.assertEqual(bad(**args)["JobId"], id)
        self.fails("IdempotencyException", bad, **{**args, "Priority": 2})

        def refused(code, **kw):
            self.fails(code, bad, **{**args, "ClientRequestToken": uuid.uuid4().hex, **kw})
        refused("InvalidRequest", Operation={**self.TAG, "S3DeleteObjectTagging": {}})
        refused("InvalidRequest", Manifest={**m, "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Key"]}})
        refused("InvalidRequest", Report={"Enabled": True, "Bucket": f"arn:aws:s3:::{self.work}"})
        refused("InvalidRequest", Operation={"S3PutObjectCopy": {"TargetResource": "arn:aws:s3:::a/b"}})
        refused("NotImplemented", Operation={"LambdaInvoke": {"FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f"}})
        refused("AccessDenied", AccountId="111111111111")
        self.fails("NoSuchJobException", self.control.describe_job, AccountId=OWNER, JobId=str(uuid.uuid4()))

    def test_confirmed_and_cancelled(self):
        self.put("k", b"x")
        one, two = (self.create(self.TAG, self.keys("k"), ConfirmationRequired=True) for _ in range(2))
        job = self.becomes(one, "Suspended")
        self.assertEqual((job["SuspendedCause"], job["ProgressSummary"]["TotalNumberOfTasks"]), ("Awaiting confirmation", 1))
        self.assertIn("SuspendedDate", job)
        self.becomes(two, "Suspended")
        self.assertEqual(self.tags("k"), {})
        listed = self.control.list_jobs(AccountId=OWNER, JobStatuses=["Suspended"])["Jobs"]
        self.assertEqual([j["JobId"] for j in listed], [two, one])
        self.assertEqual((listed[0]["Operation"], listed[0]["Priority"]), ("S3PutObjectTagging", 10))
        first = self.control.list_jobs(AccountId=OWNER, JobStatuses=["Suspended"], MaxResults=1)
        rest = self.control.list_jobs(AccountId=OWNER, JobStatuses=["Suspended"], NextToken=first["NextToken"])
        self.assertEqual([j["JobId"] for j in first["Jobs"] + rest["Jobs"]], [two, one])
        update = self.control.update_job_status
        self.assertEqual(self.control.update_job_priority(AccountId=OWNER, JobId=one, Priority=7)["Priority"], 7)
        update(AccountId=OWNER, JobId=two, RequestedJobStatus="Cancelled", StatusUpdateReason="not this one")
        self.assertEqual(self.becomes(two, *OVER)["StatusUpdateReason"], "not this one")
        update(AccountId=OWNER, JobId=one, RequestedJobStatus="Ready")
        self.assertEqual((self.status_of(two), self.becomes(one, *OVER)["Status"]), ("Cancelled", "Complete"))
        self.assertEqual(self.tags("k"), {"a": "1"})
        self.fails("JobStatusException", update, AccountId=OWNER, JobId=one, RequestedJobStatus="Cancelled")
        self.fails("JobStatusException", update, AccountId=OWNER, JobId=two, RequestedJobStatus="Ready")
        self.fails("BadRequestException", self.control.update_job_priority, AccountId=OWNER, JobId=one, Priority=1)

    def test_tags_of_jobs(self):
        self.put("k", b"x")
        id = self.create(self.TAG, self.keys("k"), Tags=[{"Key": "a", "Value": "1"}], ConfirmationRequired=True)
        get = self.control.get_job_tagging
        self.assertEqual(get(AccountId=OWNER, JobId=id)["Tags"], [{"Key": "a", "Value": "1"}])
        self.control.put_job_tagging(AccountId=OWNER, JobId=id, Tags=[{"Key": "b", "Value": "2"}])
        self.assertEqual(get(AccountId=OWNER, JobId=id)["Tags"], [{"Key": "b", "Value": "2"}])
        self.fails("TooManyTagsException", self.control.put_job_tagging, AccountId=OWNER, JobId=id,
                   Tags=[{"Key": f"k{i}", "Value": ""} for i in range(51)])
        self.control.delete_job_tagging(AccountId=OWNER, JobId=id)
        self.assertEqual(get(AccountId=OWNER, JobId=id)["Tags"], [])

    def test_higher_priority_goes_first(self):
        for i in range(20):
            self.put(f"k{i}", b"x")
        m = self.keys(*(f"k{i}" for i in range(20)))
        low, high = (self.create(self.TAG, m, Priority=p, ConfirmationRequired=True) for p in (1, 50))
        self.becomes(low, "Suspended")
        self.becomes(high, "Suspended")
        for j in (high, low):
            self.control.update_job_status(AccountId=OWNER, JobId=j, RequestedJobStatus="Ready")
        low, high = self.becomes(low, "Complete"), self.becomes(high, "Complete")
        self.assertGreaterEqual(low["TerminationDate"], high["TerminationDate"])

    # ── roles ──

    def test_the_role_decides(self):
        self.put("k", b"x")
        m = self.keys("k")
        read = allow("s3:GetObject", "s3:PutObject", resource=f"arn:aws:s3:::{self.work}/*")
        id = self.done(self.TAG, m, failed=1, RoleArn=self.make_role(read), Report=self.report())["JobId"]
        self.assertEqual(self.rows(id)["failed"][0][4:6], ["403", "AccessDenied"])
        self.failed("ManifestNotReadable", self.TAG, m, RoleArn=self.make_role(allow("s3:PutObjectTagging")))
        self.failed("ReportNotWritable", self.TAG, m, Report=self.report(),
                    RoleArn=self.make_role(allow("s3:PutObjectTagging", "s3:GetObject")))
        self.failed("RoleNotAssumable", self.TAG, m, RoleArn=self.make_role(allow("s3:*"), trusted="lambda.amazonaws.com"))
        self.failed("RoleNotAssumable", self.TAG, m, RoleArn=f"arn:aws:iam::{OWNER}:role/none-such")
        self.failed("ManifestGenerationForbidden", self.TAG, RoleArn=self.make_role(allow("s3:PutObjectTagging")), ManifestGenerator={
            "S3JobManifestGenerator": {"SourceBucket": f"arn:aws:s3:::{self.bucket}", "EnableManifestOutput": False}})
        id = self.done({"S3ReplicateObject": {}}, m, failed=1, RoleArn=self.make_role(allow("s3:GetObject", "s3:PutObject")),
                       Report=self.report())["JobId"]
        self.assertEqual(self.rows(id)["failed"][0][5], "InitiateReplicationNotPermitted")

    def test_passing_the_role(self):
        name = "u-" + uuid.uuid4().hex[:12]
        self.iam.create_user(UserName=name)
        k = self.iam.create_access_key(UserName=name)["AccessKey"]
        mine = control_client(self.virga, k["AccessKeyId"], k["SecretAccessKey"])
        args = {"AccountId": OWNER, "ConfirmationRequired": True, "Operation": self.TAG, "Report": {"Enabled": False}, "Priority": 1,
                "RoleArn": self.role, "Manifest": self.keys("k"), "ClientRequestToken": uuid.uuid4().hex}

        def may(*statements):
            self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": list(statements)}))
        may(allow("s3:CreateJob"))
        self.fails("AccessDenied", mine.create_job, **args)
        passing = {**allow("iam:PassRole", resource=self.role), "Condition": {"StringEquals": {"iam:PassedToService": SERVICE}}}
        may(allow("s3:CreateJob"), passing)
        mine.create_job(**args)

    # ── failures, crashes ──

    def test_more_than_half_fail(self):
        self.put("k", b"x")
        m = self.keys("k", *(f"none-{i}" for i in range(1100)))
        job = self.failed("FailureThresholdExceeded", self.TAG, m, Report=self.report("FailedTasksOnly"))
        self.assertGreaterEqual(job["ProgressSummary"]["NumberOfTasksFailed"], 999)
        self.assertEqual(len(self.rows(job["JobId"])["failed"]), job["ProgressSummary"]["NumberOfTasksFailed"])

    def test_a_crash_in_the_middle(self):
        keys = [f"k{i:04}" for i in range(200)]
        for k in keys:
            self.put(k, b"x")
        id = self.create(self.TAG, self.keys(*keys), Report=self.report())
        self.assertTrue(wait_until(lambda: self.job(id)["ProgressSummary"]["NumberOfTasksSucceeded"] > 0, every=0.01))
        self.virga.restart()
        job = self.becomes(id, *OVER)
        p = job["ProgressSummary"]
        self.assertEqual((job["Status"], p["NumberOfTasksSucceeded"], p["NumberOfTasksFailed"]), ("Complete", 200, 0))
        self.assertEqual([r[1] for r in self.rows(id)["succeeded"]], keys)
        self.assertTrue(all(self.tags(k) == {"a": "1"} for k in keys[::37] + keys[-1:]))


def advance(virga, by):
    import subprocess
    from virga import BINARY
    subprocess.run([BINARY, "clock", "advance", by, "--endpoint", virga.endpoint], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    unittest.main()
