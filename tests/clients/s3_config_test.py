"""Buckets' other configurations: payment, acceleration, metrics, analytics, inventory with its reports, access logs."""
import base64
import csv
import gzip
import hashlib
import io
import json
import unittest
import uuid

from s3case import S3Case
from virga import wait_until


class Config(S3Case):
    def target(self):
        name = "t-" + uuid.uuid4().hex[:20]
        self.s3.create_bucket(Bucket=name)
        return name

    def advance(self, by):
        code, _, body = self.virga.get(f"/_virga/clock?advance={by}", "POST")
        self.assertEqual(code, 200, body)

    def keys(self, bucket):
        return [o["Key"] for o in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def test_payment(self):
        self.assertEqual(self.s3.get_bucket_request_payment(Bucket=self.bucket)["Payer"], "BucketOwner")
        self.s3.put_bucket_request_payment(Bucket=self.bucket, RequestPaymentConfiguration={"Payer": "Requester"})
        self.assertEqual(self.s3.get_bucket_request_payment(Bucket=self.bucket)["Payer"], "Requester")
        self.put("k", b"1")
        r = self.raw("PUT", f"/{self.bucket}?requestPayment",
                     body=b"<RequestPaymentConfiguration><Payer>Nobody</Payer></RequestPaymentConfiguration>")
        self.assertEqual(r.code, 400)
        self.s3.put_bucket_request_payment(Bucket=self.bucket, RequestPaymentConfiguration={"Payer": "BucketOwner"})
        self.assertEqual(self.s3.get_bucket_request_payment(Bucket=self.bucket)["Payer"], "BucketOwner")

    def test_acceleration(self):
        host = f"{self.bucket}.s3-accelerate.localhost:{self.virga.port}"
        self.put("k", b"fast")
        self.assertNotIn("Status", self.s3.get_bucket_accelerate_configuration(Bucket=self.bucket))
        r = self.raw("GET", "/k", host=host)
        self.assertEqual((r.code, r.error), (400, "InvalidRequest"))
        for status, code in (("Enabled", 200), ("Suspended", 400)):
            self.s3.put_bucket_accelerate_configuration(Bucket=self.bucket, AccelerateConfiguration={"Status": status})
            self.assertEqual(self.s3.get_bucket_accelerate_configuration(Bucket=self.bucket)["Status"], status)
            r = self.raw("GET", "/k", host=host)
            self.assertEqual(r.code, code, r.body)
        dotted = "a.b-" + uuid.uuid4().hex[:10]
        self.s3.create_bucket(Bucket=dotted)
        self.fails("InvalidRequest", self.s3.put_bucket_accelerate_configuration, Bucket=dotted,
                   AccelerateConfiguration={"Status": "Enabled"})

    def test_metrics_and_analytics(self):
        for kind, plural, conf in (("metrics", "MetricsConfiguration", {"Filter": {"Prefix": "a/"}}),
                                   ("analytics", "AnalyticsConfiguration", {"StorageClassAnalysis": {}})):
            put = getattr(self.s3, f"put_bucket_{kind}_configuration")
            get = getattr(self.s3, f"get_bucket_{kind}_configuration")
            listed = getattr(self.s3, f"list_bucket_{kind}_configurations")
            delete = getattr(self.s3, f"delete_bucket_{kind}_configuration")
            self.fails("NoSuchConfiguration", get, Bucket=self.bucket, Id="one")
            for i in range(103):
                put(Bucket=self.bucket, Id=f"c{i:03}", **{plural: {"Id": f"c{i:03}", **conf}})
            self.assertEqual(get(Bucket=self.bucket, Id="c007")[plural]["Id"], "c007")
            first = listed(Bucket=self.bucket)
            self.assertEqual((len(first[plural + "List"]), first["IsTruncated"]), (100, True))
            rest = listed(Bucket=self.bucket, ContinuationToken=first["NextContinuationToken"])
            self.assertEqual([c["Id"] for c in rest[plural + "List"]], ["c100", "c101", "c102"])
            delete(Bucket=self.bucket, Id="c007")
            self.fails("NoSuchConfiguration", delete, Bucket=self.bucket, Id="c007")
            self.fails("InvalidArgument", put, Bucket=self.bucket, Id="other", **{plural: {"Id": "one", **conf}})
            self.fails("InvalidArgument", put, Bucket=self.bucket, Id="x y", **{plural: {"Id": "x y", **conf}})

    def inventory(self, target, **change):
        return {"Id": "inv", "IsEnabled": True, "IncludedObjectVersions": "Current", "Schedule": {"Frequency": "Daily"},
                "Destination": {"S3BucketDestination": {"Bucket": f"arn:aws:s3:::{target}", "Format": "CSV", "Prefix": "reports"}},
                "OptionalFields": ["Size", "ETag", "StorageClass", "EncryptionStatus"], **change}

    def report(self, target, which):
        """The rows and the manifest of the newest report."""
        base = f"reports/{self.bucket}/{which}/"
        found = sorted(k for k in self.keys(target) if k.startswith(base) and k.endswith("manifest.json"))
        raw = self.s3.get_object(Bucket=target, Key=found[-1])["Body"].read()
        check = self.s3.get_object(Bucket=target, Key=found[-1].replace(".json", ".checksum"))["Body"].read().decode()
        self.assertEqual(check, hashlib.md5(raw).hexdigest())
        manifest, rows = json.loads(raw), []
        for f in manifest["files"]:
            data = self.s3.get_object(Bucket=target, Key=f["key"])["Body"].read()
            self.assertEqual((len(data), hashlib.md5(data).hexdigest()), (f["size"], f["MD5checksum"]))
            rows += csv.reader(io.StringIO(gzip.decompress(data).decode()))
        return manifest, rows

    def test_inventory(self):
        target = self.target()
        self.s3.put_bucket_inventory_configuration(Bucket=self.bucket, Id="inv", InventoryConfiguration=self.inventory(target))
        got = self.s3.get_bucket_inventory_configuration(Bucket=self.bucket, Id="inv")["InventoryConfiguration"]
        self.assertEqual(got["OptionalFields"], ["Size", "ETag", "StorageClass", "EncryptionStatus"])
        etags = {k: self.put(k, k.encode())["ETag"].strip('"') for k in ("a b", 'q"uote', "z")}
        self.assertEqual(self.keys(target), [])
        self.advance("24h")
        self.assertTrue(wait_until(lambda: self.keys(target)))
        manifest, rows = self.report(target, "inv")
        self.assertEqual((manifest["sourceBucket"], manifest["destinationBucket"], manifest["fileFormat"], manifest["fileSchema"]),
                         (self.bucket, f"arn:aws:s3:::{target}", "CSV", "Bucket, Key, Size, ETag, StorageClass, EncryptionStatus"))
        self.assertEqual(rows, [[self.bucket, q, str(len(k)), etags[k], "STANDARD", "SSE-S3"]
                                for k, q in (("a b", "a%20b"), ('q"uote', "q%22uote"), ("z", "z"))])
        # every day one; with all versions, and no further once it is deleted
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        v = self.put("z", b"new")["VersionId"]
        m = self.s3.delete_object(Bucket=self.bucket, Key="a b")["VersionId"]
        self.s3.put_bucket_inventory_configuration(Bucket=self.bucket, Id="all", InventoryConfiguration=self.inventory(
            target, Id="all", IncludedObjectVersions="All", OptionalFields=["Size"]))
        before = len(self.keys(target))
        self.advance("24h")
        self.assertTrue(wait_until(lambda: len(self.keys(target)) >= before + 6))
        _, rows = self.report(target, "all")
        self.assertEqual(sorted(r[1:] for r in rows), sorted([
            ["z", v, "true", "false", "3"], ["z", "", "false", "false", "1"], ["a%20b", m, "true", "true", ""],
            ["a%20b", "", "false", "false", "3"], ["q%22uote", "", "true", "false", "6"]]))
        _, rows = self.report(target, "inv")
        self.assertEqual([r[1] for r in rows], ["q%22uote", "z"])
        for i in ("inv", "all"):
            self.s3.delete_bucket_inventory_configuration(Bucket=self.bucket, Id=i)
        before = len(self.keys(target))
        self.advance("48h")
        self.assertEqual(len(self.keys(target)), before)

    def test_inventory_fields_and_encryption(self):
        target, key = self.target(), self.virga.client("kms").create_key()["KeyMetadata"]["Arn"]
        self.s3.put_bucket_lifecycle_configuration(Bucket=self.bucket, LifecycleConfiguration={
            "Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "t/"}, "Expiration": {"Days": 40}}]})
        self.put("t/1", b"1", StorageClass="INTELLIGENT_TIERING")
        self.put("2", b"2")
        fields = ["LifecycleExpirationDate", "IntelligentTieringAccessTier", "ObjectAccessControlList"]
        for id, encryption in (("kms", {"SSEKMS": {"KeyId": key}}), ("s3", {"SSES3": {}})):
            self.s3.put_bucket_inventory_configuration(Bucket=self.bucket, Id=id, InventoryConfiguration=self.inventory(
                target, Id=id, OptionalFields=fields, Destination={"S3BucketDestination": {
                    "Bucket": f"arn:aws:s3:::{target}", "Format": "CSV", "Prefix": "reports", "Encryption": encryption}}))
        self.advance("24h")
        self.assertTrue(wait_until(lambda: len(self.keys(target)) == 6))
        _, rows = self.report(target, "kms")
        self.assertEqual([(r[1], bool(r[2]), r[3]) for r in rows], [("2", False, ""), ("t/1", True, "FREQUENT")])
        self.assertRegex(rows[1][2], r"^\d{4}-\d\d-\d\dT00:00:00.000Z$")
        acl = json.loads(base64.b64decode(rows[0][4]))
        owner = self.s3.get_bucket_acl(Bucket=self.bucket)["Owner"]["ID"]
        self.assertEqual(acl, {"version": "2022-11-10", "status": "AVAILABLE",
                               "grants": [{"canonicalId": owner, "type": "CanonicalUser", "permission": "FULL_CONTROL"}]})
        for k in self.keys(target):
            head = self.s3.head_object(Bucket=target, Key=k)
            self.assertEqual((head["ServerSideEncryption"], head.get("SSEKMSKeyId")),
                             ("aws:kms", key) if "/kms/" in k else ("AES256", None))
        self.advance("30d")
        self.assertTrue(wait_until(lambda: self.report(target, "s3")[1][1][3] == "INFREQUENT"))

    def test_inventory_refusals(self):
        target = self.target()
        def bad(code, **change):
            self.fails(code, self.s3.put_bucket_inventory_configuration, Bucket=self.bucket, Id="inv",
                       InventoryConfiguration=self.inventory(target, **change))
        bad("InvalidArgument", Destination={"S3BucketDestination": {"Bucket": "no-arn", "Format": "CSV"}})
        bad("InvalidArgument", Destination={"S3BucketDestination": {"Bucket": "arn:aws:s3:::nobody-has-this-one", "Format": "CSV"}})
        bad("NotImplemented", Destination={"S3BucketDestination": {"Bucket": f"arn:aws:s3:::{target}", "Format": "Parquet"}})
        bad("InvalidArgument", Id="other")

    def test_access_logs(self):
        target = self.target()
        self.assertNotIn("LoggingEnabled", self.s3.get_bucket_logging(Bucket=self.bucket))
        self.put("unlogged", b"1")
        self.s3.put_bucket_logging(Bucket=self.bucket, BucketLoggingStatus={
            "LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "logs/"}})
        self.assertEqual(self.s3.get_bucket_logging(Bucket=self.bucket)["LoggingEnabled"]["TargetPrefix"], "logs/")
        self.put("a key", b"12345")
        self.read("a key")
        self.fails("NoSuchKey", self.read, "absent")
        self.s3.list_objects_v2(Bucket=self.bucket)
        self.object("GET", "x", headers={"User-Agent": 'forged"'})
        self.assertEqual(self.object("GET", "denied", sign=False).code, 403)
        lines = []
        def logged():
            self.advance("61s")
            lines.clear()
            for k in self.keys(target):
                self.assertRegex(k, r"^logs/\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9A-F]{16}$")
                lines.extend(self.s3.get_object(Bucket=target, Key=k)["Body"].read().decode().splitlines())
            return len(lines) >= 6
        self.assertTrue(wait_until(logged), lines)
        def one(operation, key):
            found = [x for x in lines if f" {operation} {key} " in x]
            self.assertEqual(len(found), 1, lines)
            return found[0]
        put = one("REST.PUT.OBJECT", "a%20key")
        self.assertRegex(put, r"^[0-9a-f]{64} " + self.bucket + r" \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] 127\.0\.0\.1 \S+ \S+ "
                         r'REST\.PUT\.OBJECT a%20key "PUT /' + self.bucket + r'/a%20key HTTP/1\.1" 200 - ')
        self.assertIn(' 200 - 5 ', one("REST.GET.OBJECT", "a%20key"))
        self.assertIn(' 404 NoSuchKey ', one("REST.GET.OBJECT", "absent"))
        self.assertIn('"forged%22"', one("REST.GET.OBJECT", "x"))
        self.assertIn(' 403 AccessDenied ', one("REST.GET.OBJECT", "denied"))
        one("REST.GET.BUCKET", "-")
        self.assertFalse([x for x in lines if "unlogged" in x])
        self.s3.put_bucket_logging(Bucket=self.bucket, BucketLoggingStatus={})
        self.assertNotIn("LoggingEnabled", self.s3.get_bucket_logging(Bucket=self.bucket))

    def test_logging_refusals(self):
        def bad(code, **conf):
            self.fails(code, self.s3.put_bucket_logging, Bucket=self.bucket, BucketLoggingStatus={"LoggingEnabled": conf})
        bad("InvalidTargetBucketForLogging", TargetBucket="nobody-has-this-one", TargetPrefix="")
        far = "far-" + uuid.uuid4().hex[:10]
        self.s3.create_bucket(Bucket=far, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        bad("CrossLocationLoggingProhibited", TargetBucket=far, TargetPrefix="")


if __name__ == "__main__":
    unittest.main()
