"""Encryption at rest: what is on disk, what answers say, and what each kind of key opens."""
import base64
import hashlib
import json
import os
import unittest

import s3case
from s3case import MIB, S3Case, b64

NEEDS_BOTO3 = (1, 40)

ALPHABET = b"the quick brown fox jumps over the lazy dog, again and again. "


def plain(size):
    return (ALPHABET * (size // len(ALPHABET) + 1))[:size]


def customer(seed):
    key = hashlib.sha256(seed.encode()).digest()
    return dict(SSECustomerAlgorithm="AES256", SSECustomerKey=key)


def source(seed):
    return {"CopySource" + name: value for name, value in customer(seed).items()}


class EncryptionTest(S3Case):
    def grep(self, needle):
        """Files of the data folder that show the bytes."""
        found = []
        for folder, _, names in os.walk(self.virga.data):
            for name in names:
                with open(os.path.join(folder, name), "rb") as f:
                    if needle in f.read():
                        found.append(name)
        return found

    def kms(self, region="us-east-1"):
        return self.virga.client("kms", region_name=region)

    def multipart(self, key, sizes, part_kw=None, **kw):
        up = self.s3.create_multipart_upload(Bucket=self.bucket, Key=key, **kw)
        parts = []
        for i, n in enumerate(sizes, 1):
            r = self.s3.upload_part(Bucket=self.bucket, Key=key, UploadId=up["UploadId"], PartNumber=i, Body=plain(n + i)[i:],
                                    **(part_kw or {}))
            parts.append({"PartNumber": i, "ETag": r["ETag"]})
        done = self.s3.complete_multipart_upload(Bucket=self.bucket, Key=key, UploadId=up["UploadId"],
                                                 MultipartUpload={"Parts": parts})
        return up, done, b"".join(plain(n + i)[i:] for i, n in enumerate(sizes, 1))

    def test_nothing_is_plain_on_disk(self):
        marker = os.urandom(24).hex().encode()
        for size in (100, 20_000, 300_000):
            body = marker + plain(size) + marker
            for kw in ({}, customer("k"), dict(ServerSideEncryption="aws:kms")):
                self.put(f"x{size}", body, **kw)
        key = customer("secret of nobody")["SSECustomerKey"]
        self.put("c", b"x" * 100, **customer("secret of nobody"))
        self.virga.restart()
        self.assertEqual(self.grep(marker), [])
        self.assertNotEqual(self.grep(b"x300000"), [], "names are not secret: the search sees the records")
        self.assertEqual(self.grep(key), [])
        self.assertEqual(self.grep(b64(key).encode()), [])

    def test_default_is_sse_s3(self):
        for size in (0, 1, 1000, 16384, 65535, 65536, 65537, 1_000_000):
            body = plain(size)
            r = self.put("k", body)
            self.assertEqual(r["ServerSideEncryption"], "AES256")
            self.assertEqual(r["ETag"], f'"{hashlib.md5(body).hexdigest()}"')
            got = self.s3.get_object(Bucket=self.bucket, Key="k")
            self.assertEqual(got["ServerSideEncryption"], "AES256")
            self.assertEqual(got["Body"].read(), body)
            self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="k")["ServerSideEncryption"], "AES256")
        self.assertEqual(self.s3.get_bucket_encryption(Bucket=self.bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
                         ["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"})

    def test_ranges(self):
        body = os.urandom(400_000)
        self.put("k", body)
        self.multipart("m", [5 * MIB, 70_000])
        whole = self.read("m")
        for first, last in ((0, 0), (65535, 65536), (65536, 131071), (1, 399_999), (131072, 200_000), (399_999, 399_999)):
            self.assertEqual(self.read("k", Range=f"bytes={first}-{last}"), body[first:last + 1])
        for first in (5 * MIB - 3, 5 * MIB, 5 * MIB + 69_990):
            self.assertEqual(self.read("m", Range=f"bytes={first}-{first + 9}"), whole[first:first + 10])

    # ── customers' keys ──

    def test_customer_key(self):
        body = plain(200_000)
        r = self.put("k", body, **customer("a"))
        md5 = b64(hashlib.md5(customer("a")["SSECustomerKey"]).digest())
        self.assertEqual((r["SSECustomerAlgorithm"], r["SSECustomerKeyMD5"]), ("AES256", md5))
        self.assertNotIn("ServerSideEncryption", r)
        self.assertNotEqual(r["ETag"].strip('"'), hashlib.md5(body).hexdigest())
        got = self.s3.get_object(Bucket=self.bucket, Key="k", **customer("a"))
        self.assertEqual(got["Body"].read(), body)
        self.assertEqual(got["SSECustomerKeyMD5"], md5)
        self.assertEqual(self.read("k", Range="bytes=65530-65540", **customer("a")), body[65530:65541])
        self.fails("InvalidRequest", self.read, "k")
        self.fails("AccessDenied", self.read, "k", **customer("b"))
        self.fails(400, self.s3.head_object, Bucket=self.bucket, Key="k")
        self.fails(403, self.s3.head_object, Bucket=self.bucket, Key="k", **customer("b"))
        self.put("plain", b"x")
        self.fails("InvalidRequest", self.read, "plain", **customer("a"))

    def test_customer_headers(self):
        p = "x-amz-server-side-encryption-customer-"
        key = b"k" * 32
        good = {p + "algorithm": "AES256", p + "key": b64(key), p + "key-MD5": s3case.md5(key)}
        self.assertEqual(self.object("PUT", "k", headers=good, body=b"x").code, 200)
        for change, code in (({p + "algorithm": "AES128"}, "InvalidEncryptionAlgorithmError"),
                             ({p + "algorithm": None}, "InvalidArgument"), ({p + "key": None}, "InvalidArgument"),
                             ({p + "key": b64(b"short")}, "InvalidArgument"), ({p + "key-MD5": None}, "InvalidArgument"),
                             ({p + "key-MD5": s3case.md5(b"other")}, "InvalidArgument"),
                             ({"x-amz-server-side-encryption": "AES256"}, "InvalidArgument")):
            headers = {k: v for k, v in {**good, **change}.items() if v is not None}
            r = self.object("PUT", "k", headers=headers, body=b"x")
            self.assertEqual((r.code, r.error), (400, code), change)

    def test_customer_multipart(self):
        up, _, body = self.multipart("m", [5 * MIB, 100], part_kw=customer("a"), **customer("a"))
        self.assertEqual(up["SSECustomerAlgorithm"], "AES256")
        self.assertEqual(self.read("m", **customer("a")), body)
        self.assertEqual(self.read("m", PartNumber=2, **customer("a")), body[5 * MIB:])
        self.fails("AccessDenied", self.read, "m", **customer("b"))
        up = self.s3.create_multipart_upload(Bucket=self.bucket, Key="n", **customer("a"))
        part = dict(Bucket=self.bucket, Key="n", UploadId=up["UploadId"], PartNumber=1, Body=b"x")
        self.fails("InvalidRequest", self.s3.upload_part, **part)
        self.fails("InvalidRequest", self.s3.upload_part, **part, **customer("b"))
        up = self.s3.create_multipart_upload(Bucket=self.bucket, Key="n")
        self.fails("InvalidRequest", self.s3.upload_part, **{**part, "UploadId": up["UploadId"]}, **customer("a"))

    # ── KMS ──

    def test_kms(self):
        kms = self.kms()
        key = kms.create_key()["KeyMetadata"]
        body = plain(100_000)
        for algorithm in ("aws:kms", "aws:kms:dsse"):
            r = self.put("k", body, ServerSideEncryption=algorithm, SSEKMSKeyId=key["KeyId"])
            self.assertEqual((r["ServerSideEncryption"], r["SSEKMSKeyId"]), (algorithm, key["Arn"]))
            self.assertNotEqual(r["ETag"].strip('"'), hashlib.md5(body).hexdigest())
            got = self.s3.get_object(Bucket=self.bucket, Key="k")
            self.assertEqual((got["ServerSideEncryption"], got["SSEKMSKeyId"]), (algorithm, key["Arn"]))
            self.assertEqual(got["Body"].read(), body)
        kms.disable_key(KeyId=key["KeyId"])
        self.fails("KMS.DisabledException", self.read, "k")
        self.fails("KMS.DisabledException", self.put, "l", b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key["KeyId"])
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="k")["ContentLength"], len(body))
        kms.enable_key(KeyId=key["KeyId"])
        self.assertEqual(self.read("k"), body)
        kms.rotate_key_on_demand(KeyId=key["KeyId"])
        self.assertEqual(self.read("k"), body)
        kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
        self.fails("KMS.KMSInvalidStateException", self.read, "k")
        self.fails("KMS.NotFoundException", self.put, "l", b"x", ServerSideEncryption="aws:kms",
                   SSEKMSKeyId="00000000-0000-0000-0000-000000000000")
        self.fails("InvalidArgument", self.put, "l", b"x", SSEKMSKeyId=key["KeyId"])
        self.fails("InvalidArgument", self.put, "l", b"x", ServerSideEncryption="rot13")

    def test_kms_managed_key_context_and_bucket_key(self):
        context = b64(json.dumps({"team": "rain"}).encode())
        r = self.put("k", b"body", ServerSideEncryption="aws:kms", SSEKMSEncryptionContext=context, BucketKeyEnabled=True)
        self.assertTrue(r["BucketKeyEnabled"])
        self.assertEqual(r["SSEKMSEncryptionContext"], context)
        self.assertIn(":key/", r["SSEKMSKeyId"])
        got = self.s3.get_object(Bucket=self.bucket, Key="k")
        self.assertTrue(got["BucketKeyEnabled"])
        self.assertEqual(got["Body"].read(), b"body")
        for bad in ("nonsense", b64(b"[1]"), b64(b'{"a":1}')):
            self.fails("InvalidArgument", self.put, "k", b"x", ServerSideEncryption="aws:kms", SSEKMSEncryptionContext=bad)

    def test_kms_multipart(self):
        up, done, body = self.multipart("m", [5 * MIB, 6 * MIB, 10], ServerSideEncryption="aws:kms", BucketKeyEnabled=True)
        self.assertEqual(up["ServerSideEncryption"], "aws:kms")
        self.assertTrue(done["BucketKeyEnabled"])
        self.assertTrue(done["ETag"].endswith('-3"'))
        self.assertEqual(self.read("m"), body)

    # ── defaults ──

    def set_default(self, algorithm, key=None, bucket_key=None):
        default = {"SSEAlgorithm": algorithm, **({"KMSMasterKeyID": key} if key else {})}
        rule = {"ApplyServerSideEncryptionByDefault": default,
                **({} if bucket_key is None else {"BucketKeyEnabled": bucket_key})}
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def test_bucket_default(self):
        key = self.kms().create_key()["KeyMetadata"]["Arn"]
        self.set_default("aws:kms", key, True)
        rule = self.s3.get_bucket_encryption(Bucket=self.bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
        self.assertEqual(rule["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key})
        self.assertTrue(rule["BucketKeyEnabled"])
        r = self.put("k", b"body")
        self.assertEqual((r["ServerSideEncryption"], r["SSEKMSKeyId"], r["BucketKeyEnabled"]), ("aws:kms", key, True))
        self.assertEqual(self.put("l", b"x", ServerSideEncryption="AES256")["ServerSideEncryption"], "AES256")
        self.assertEqual(self.multipart("m", [10])[0]["SSEKMSKeyId"], key)
        self.s3.delete_bucket_encryption(Bucket=self.bucket)
        self.assertEqual(self.put("k2", b"body")["ServerSideEncryption"], "AES256")
        self.assertEqual(self.read("k"), b"body")
        self.fails("InvalidArgument", self.set_default, "AES256", key)
        self.fails("MalformedXML", self.set_default, "nonsense")

    # ── copies ──

    def test_copies(self):
        body = plain(150_000)
        kinds = {"s3": ({}, {}), "c": (customer("a"), source("a")), "kms": (dict(ServerSideEncryption="aws:kms"), {}),
                 "dsse": (dict(ServerSideEncryption="aws:kms:dsse"), {})}
        for name, (kw, _) in kinds.items():
            self.put("from-" + name, body, **kw)
        for a, (_, read_source) in kinds.items():
            for b, (kw, _) in kinds.items():
                r = self.s3.copy_object(Bucket=self.bucket, Key="to", CopySource=f"{self.bucket}/from-{a}", **kw, **read_source)
                if b != "c":
                    self.assertEqual(r["ServerSideEncryption"], {"s3": "AES256"}.get(b, kw.get("ServerSideEncryption")))
                if b == "s3":
                    self.assertEqual(r["CopyObjectResult"]["ETag"], f'"{hashlib.md5(body).hexdigest()}"')
                got = self.s3.get_object(Bucket=self.bucket, Key="to", **(kw if b == "c" else {}))
                self.assertEqual(got["Body"].read(), body, (a, b))
        self.fails("InvalidRequest", self.s3.copy_object, Bucket=self.bucket, Key="to", CopySource=f"{self.bucket}/from-c")
        self.fails("AccessDenied", self.s3.copy_object, Bucket=self.bucket, Key="to", CopySource=f"{self.bucket}/from-c",
                   **source("b"))
        # Encryption is what may change of an object that is copied onto itself; the old key opens no longer.
        self.s3.copy_object(Bucket=self.bucket, Key="from-c", CopySource=f"{self.bucket}/from-c", **source("a"), **customer("b"))
        self.assertEqual(self.read("from-c", **customer("b")), body)
        self.fails("AccessDenied", self.read, "from-c", **customer("a"))

    def test_part_copies(self):
        self.put("a", plain(6 * MIB), **customer("a"))
        self.put("b", plain(200_000), ServerSideEncryption="aws:kms")
        for kw, part_kw in (({}, {}), (customer("z"), customer("z")), (dict(ServerSideEncryption="aws:kms"), {})):
            up = self.s3.create_multipart_upload(Bucket=self.bucket, Key="m", **kw)["UploadId"]
            common = dict(Bucket=self.bucket, Key="m", UploadId=up)
            first = self.s3.upload_part_copy(**common, PartNumber=1, CopySource=f"{self.bucket}/a", **source("a"), **part_kw)
            second = self.s3.upload_part_copy(**common, PartNumber=2, CopySource=f"{self.bucket}/b",
                                              CopySourceRange="bytes=65530-140000", **part_kw)
            parts = [{"PartNumber": i, "ETag": r["CopyPartResult"]["ETag"]} for i, r in enumerate((first, second), 1)]
            self.s3.complete_multipart_upload(**common, MultipartUpload={"Parts": parts})
            self.assertEqual(self.read("m", **part_kw), plain(6 * MIB) + plain(200_000)[65530:140001])
            self.assertEqual(self.read("m", Range=f"bytes={6 * MIB - 5}-{6 * MIB + 4}", **part_kw),
                             plain(6 * MIB)[-5:] + plain(200_000)[65530:65535])

    def test_another_key_for_what_is_there(self):
        kms = self.kms()
        one, two = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))

        def update(key, arn, **kw):
            self.s3.update_object_encryption(Bucket=self.bucket, Key=key, ObjectEncryption={"SSEKMS": {"KMSKeyArn": arn, **kw}})
        before = self.put("k", b"plain words")
        update("k", one)
        r = self.s3.get_object(Bucket=self.bucket, Key="k")
        self.assertEqual((r["Body"].read(), r["ServerSideEncryption"], r["SSEKMSKeyId"], r["ETag"]), (b"plain words", "aws:kms", one, before["ETag"]))
        update("k", two, BucketKeyEnabled=True)
        kms.disable_key(KeyId=one)
        r = self.s3.get_object(Bucket=self.bucket, Key="k")
        self.assertEqual((r["Body"].read(), r["SSEKMSKeyId"], r["BucketKeyEnabled"]), (b"plain words", two, True))
        # in parts, and for good: the old key opens nothing any more
        u = self.s3.create_multipart_upload(Bucket=self.bucket, Key="m")["UploadId"]
        bodies = [b"a" * (5 << 20), b"b" * 1000]
        parts = [{"PartNumber": n + 1, "ETag": self.s3.upload_part(Bucket=self.bucket, Key="m", UploadId=u, PartNumber=n + 1, Body=b)["ETag"]}
                 for n, b in enumerate(bodies)]
        self.s3.complete_multipart_upload(Bucket=self.bucket, Key="m", UploadId=u, MultipartUpload={"Parts": parts})
        update("m", two)
        self.assertEqual(self.read("m"), b"".join(bodies))
        self.virga.restart()
        self.assertEqual(self.read("m"), b"".join(bodies))
        self.s3.delete_object(Bucket=self.bucket, Key="m")
        self.fails("NoSuchKey", update, "m", two)
        self.fails("KMS.DisabledException", update, "k", one)
        self.assertEqual(self.read("k"), b"plain words")
        key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
        self.put("c", b"1", **key)
        self.fails("InvalidRequest", update, "c", two)

    def test_survives_a_restart(self):
        body = plain(90_000)
        self.put("s", body)
        self.put("c", body, **customer("a"))
        self.put("k", body, ServerSideEncryption="aws:kms")
        self.virga.restart()
        for key, kw in (("s", {}), ("c", customer("a")), ("k", {})):
            self.assertEqual(self.read(key, **kw), body)

    def test_versions_keep_their_keys(self):
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        a = self.put("k", b"one", **customer("a"))["VersionId"]
        b = self.put("k", b"two")["VersionId"]
        self.assertEqual(self.read("k", VersionId=a, **customer("a")), b"one")
        self.fails("InvalidRequest", self.read, "k", VersionId=a)
        self.assertEqual(self.read("k", VersionId=b), b"two")


if __name__ == "__main__":
    unittest.main(verbosity=2)
