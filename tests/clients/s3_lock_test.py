"""Object Lock through boto3, on the virtual clock: retention in both modes, legal holds, defaults, bypass."""
import datetime
import unittest
import uuid

from s3case import S3Case

DAY = datetime.timedelta(days=1)


class Lock(S3Case):
    def setUp(self):
        self.bucket = "b-" + uuid.uuid4().hex[:20]
        self.s3.create_bucket(Bucket=self.bucket, ObjectLockEnabledForBucket=True)

    def advance(self, duration):
        self.virga.get(f"/_virga/clock?advance={duration}", "POST")

    def until(self, days):
        return (self.virtual_now() + days * DAY).replace(microsecond=0)

    def virtual_now(self):
        self.put("clock")
        return self.s3.head_object(Bucket=self.bucket, Key="clock")["LastModified"]

    def where(self, r, key="k"):
        return {"Bucket": self.bucket, "Key": key, "VersionId": r["VersionId"]}

    def test_configuration(self):
        b = self.bucket
        self.assertEqual(self.s3.get_bucket_versioning(Bucket=b)["Status"], "Enabled")
        get = lambda: self.s3.get_object_lock_configuration(Bucket=b)["ObjectLockConfiguration"]
        self.assertEqual(get(), {"ObjectLockEnabled": "Enabled"})

        def put(code=None, enabled="Enabled", **retention):
            conf = {"ObjectLockEnabled": enabled, "Rule": {"DefaultRetention": retention}}
            call = lambda: self.s3.put_object_lock_configuration(Bucket=b, ObjectLockConfiguration=conf)
            return self.fails(code, call) if code else call()

        put(Mode="GOVERNANCE", Days=3)
        self.assertEqual(get()["Rule"]["DefaultRetention"], {"Mode": "GOVERNANCE", "Days": 3})
        put(Mode="COMPLIANCE", Years=2)
        self.assertEqual(get()["Rule"]["DefaultRetention"], {"Mode": "COMPLIANCE", "Years": 2})
        put("MalformedXML", Mode="COMPLIANCE", Years=2, Days=1)
        put("MalformedXML", Mode="COMPLIANCE")
        put("MalformedXML", Mode="abc", Days=1)
        put("MalformedXML", enabled="No", Mode="COMPLIANCE", Days=1)
        put("InvalidArgument", Mode="COMPLIANCE", Days=0)
        put("InvalidArgument", Mode="COMPLIANCE", Years=-1)
        put("InvalidArgument", Mode="COMPLIANCE", Days=36501)
        self.s3.put_object_lock_configuration(Bucket=b, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
        self.assertEqual(get(), {"ObjectLockEnabled": "Enabled"})
        self.fails("InvalidBucketState", self.s3.put_bucket_versioning, Bucket=b, VersioningConfiguration={"Status": "Suspended"})

    def test_bucket_without(self):
        b = "p-" + uuid.uuid4().hex[:20]
        self.s3.create_bucket(Bucket=b)
        self.s3.put_object(Bucket=b, Key="k")
        r = self.fails("ObjectLockConfigurationNotFoundError", self.s3.get_object_lock_configuration, Bucket=b)
        self.assertEqual(r["ResponseMetadata"]["HTTPStatusCode"], 404)
        conf = {"ObjectLockEnabled": "Enabled"}
        self.fails("InvalidBucketState", self.s3.put_object_lock_configuration, Bucket=b, ObjectLockConfiguration=conf)
        for call, kw in ((self.s3.get_object_retention, {}), (self.s3.get_object_legal_hold, {}),
                         (self.s3.put_object_legal_hold, {"LegalHold": {"Status": "ON"}}),
                         (self.s3.put_object, {"ObjectLockLegalHoldStatus": "ON"})):
            self.fails("InvalidRequest", call, Bucket=b, Key="k", **kw)
        self.s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_object_lock_configuration(Bucket=b, ObjectLockConfiguration=conf)
        self.assertEqual(self.s3.get_object_lock_configuration(Bucket=b)["ObjectLockConfiguration"], conf)

    def test_governance(self):
        until = self.until(10)
        w = self.where(self.put("k", b"1", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until))
        self.assertEqual(self.s3.get_object_retention(**w)["Retention"], {"Mode": "GOVERNANCE", "RetainUntilDate": until})
        head = self.s3.head_object(**w)
        self.assertEqual((head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]), ("GOVERNANCE", until))
        r = self.fails("AccessDenied", self.s3.delete_object, **w)
        self.assertEqual(r["Error"]["Message"], "Access Denied because object protected by object lock.")
        put = lambda mode, days, **kw: self.s3.put_object_retention(
            Retention={"Mode": mode, "RetainUntilDate": self.until(days)}, **w, **kw)
        self.fails("AccessDenied", put, "GOVERNANCE", 5)
        self.fails("AccessDenied", put, "COMPLIANCE", 20)
        put("GOVERNANCE", 12)
        put("GOVERNANCE", 5, BypassGovernanceRetention=True)
        self.fails("AccessDenied", self.s3.put_object_retention, Retention={}, **w)
        # A marker above it is no deletion of it.
        self.assertTrue(self.s3.delete_object(Bucket=self.bucket, Key="k")["DeleteMarker"])
        many = {"Objects": [{"Key": "k", "VersionId": w["VersionId"]}]}
        r = self.s3.delete_objects(Bucket=self.bucket, Delete=many)
        self.assertEqual(r["Errors"][0]["Code"], "AccessDenied")
        r = self.s3.delete_objects(Bucket=self.bucket, Delete=many, BypassGovernanceRetention=True)
        self.assertNotIn("Errors", r)
        self.fails("NoSuchVersion", self.s3.get_object, **w)

    def test_compliance_ends_with_the_clock(self):
        w = self.where(self.put("k", b"1", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=self.until(30)))
        self.fails("AccessDenied", self.s3.delete_object, BypassGovernanceRetention=True, **w)
        shorter = {"Mode": "COMPLIANCE", "RetainUntilDate": self.until(20)}
        self.fails("AccessDenied", self.s3.put_object_retention, Retention=shorter, BypassGovernanceRetention=True, **w)
        weaker = {"Mode": "GOVERNANCE", "RetainUntilDate": self.until(40)}
        self.fails("AccessDenied", self.s3.put_object_retention, Retention=weaker, BypassGovernanceRetention=True, **w)
        self.s3.put_object_retention(Retention={"Mode": "COMPLIANCE", "RetainUntilDate": self.until(31)}, **w)
        self.advance("30d")
        self.fails("AccessDenied", self.s3.delete_object, **w)
        self.advance("2d")
        self.s3.delete_object(**w)
        self.fails("NoSuchVersion", self.s3.get_object, **w)

    def test_legal_hold(self):
        w = self.where(self.put("k", b"1"))
        self.fails("NoSuchObjectLockConfiguration", self.s3.get_object_legal_hold, **w)
        self.fails("NoSuchObjectLockConfiguration", self.s3.get_object_retention, **w)
        self.s3.put_object_legal_hold(LegalHold={"Status": "ON"}, **w)
        self.assertEqual(self.s3.get_object_legal_hold(**w)["LegalHold"], {"Status": "ON"})
        self.assertEqual(self.s3.get_object(**w)["ObjectLockLegalHoldStatus"], "ON")
        self.fails("AccessDenied", self.s3.delete_object, BypassGovernanceRetention=True, **w)
        self.advance("3650d")
        self.fails("AccessDenied", self.s3.delete_object, **w)
        self.fails("MalformedXML", self.s3.put_object_legal_hold, LegalHold={"Status": "MAYBE"}, **w)
        self.s3.put_object_legal_hold(LegalHold={"Status": "OFF"}, **w)
        self.s3.delete_object(**w)

    def test_default_and_copies(self):
        rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 7}}}
        self.s3.put_object_lock_configuration(Bucket=self.bucket, ObjectLockConfiguration=rule)
        put = self.where(self.put("k", b"1"))
        got = self.s3.get_object_retention(**put)["Retention"]
        made = self.s3.head_object(**put)["LastModified"]
        self.assertEqual(got["Mode"], "GOVERNANCE")
        self.assertLess(abs((got["RetainUntilDate"] - made - 7 * DAY).total_seconds()), 5)
        copy = self.where(self.s3.copy_object(Bucket=self.bucket, Key="c", CopySource={"Bucket": self.bucket, "Key": "k"},
                                              ObjectLockLegalHoldStatus="ON"), "c")
        self.assertEqual(self.s3.head_object(**copy)["ObjectLockLegalHoldStatus"], "ON")
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="m")
        part = self.s3.upload_part(Bucket=self.bucket, Key="m", UploadId=upload["UploadId"], PartNumber=1, Body=b"x")
        done = self.s3.complete_multipart_upload(Bucket=self.bucket, Key="m", UploadId=upload["UploadId"],
                                                 MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        self.assertEqual(self.s3.head_object(**self.where(done, "m"))["ObjectLockMode"], "GOVERNANCE")
        self.fails("AccessDenied", self.s3.delete_object, **self.where(done, "m"))
        self.fails("BucketNotEmpty", self.s3.delete_bucket, Bucket=self.bucket)

    def test_bad_headers(self):
        until = self.until(3)
        for kw in ({"ObjectLockMode": "GOVERNANCE"}, {"ObjectLockRetainUntilDate": until},
                   {"ObjectLockMode": "abc", "ObjectLockRetainUntilDate": until},
                   {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": self.until(-3)},
                   {"ObjectLockLegalHoldStatus": "abc"}):
            self.fails("InvalidArgument", self.put, "k", **kw)
        r = self.object("PUT", "k", headers={"x-amz-object-lock-legal-hold": "ON"}, body=b"x")
        self.assertEqual(r.error, "InvalidRequest")


if __name__ == "__main__":
    unittest.main()
