"""Tags of buckets and objects through boto3: sets as a whole, their limits, and versions of their own."""
import unittest

from s3case import S3Case


def tags(**kw):
    return {"TagSet": [{"Key": k, "Value": v} for k, v in kw.items()]}


def read(answer):
    return {t["Key"]: t["Value"] for t in answer["TagSet"]}


class Tagging(S3Case):
    def test_bucket(self):
        b = self.bucket
        r = self.fails("NoSuchTagSet", self.s3.get_bucket_tagging, Bucket=b)
        self.assertEqual(r["ResponseMetadata"]["HTTPStatusCode"], 404)
        self.assertEqual(r["Error"]["BucketName"], b)
        self.s3.put_bucket_tagging(Bucket=b, Tagging=tags(a="1", b=""))
        self.assertEqual(read(self.s3.get_bucket_tagging(Bucket=b)), {"a": "1", "b": ""})
        self.s3.put_bucket_tagging(Bucket=b, Tagging=tags(c="3"))
        self.assertEqual(read(self.s3.get_bucket_tagging(Bucket=b)), {"c": "3"})
        self.assertEqual(self.s3.delete_bucket_tagging(Bucket=b)["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.fails("NoSuchTagSet", self.s3.get_bucket_tagging, Bucket=b)

    def test_bucket_limits(self):
        b = self.bucket
        put = self.s3.put_bucket_tagging
        put(Bucket=b, Tagging=tags(**{f"k{i}": "v" for i in range(50)}))
        self.fails(400, put, Bucket=b, Tagging=tags(**{f"k{i}": "v" for i in range(51)}))
        twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
        self.fails("InvalidTag", put, Bucket=b, Tagging=twice)
        self.fails("InvalidTag", put, Bucket=b, Tagging=tags(**{"aws:x": "1"}))
        self.fails("InvalidTag", put, Bucket=b, Tagging=tags(**{"k" * 129: "1"}))
        self.fails("InvalidTag", put, Bucket=b, Tagging=tags(a="v" * 257))
        self.assertEqual(len(read(self.s3.get_bucket_tagging(Bucket=b))), 50)

    def test_object(self):
        self.put("k", b"x", Tagging="a=1&b=two%20words")
        where = {"Bucket": self.bucket, "Key": "k"}
        self.assertEqual(read(self.s3.get_object_tagging(**where)), {"a": "1", "b": "two words"})
        self.assertEqual(self.s3.get_object(**where)["TagCount"], 2)
        before = self.s3.head_object(**where)
        self.s3.put_object_tagging(Tagging=tags(c="3"), **where)
        self.assertEqual(read(self.s3.get_object_tagging(**where)), {"c": "3"})
        self.s3.delete_object_tagging(**where)
        self.assertEqual(self.s3.get_object_tagging(**where)["TagSet"], [])
        after = self.s3.head_object(**where)
        self.assertEqual((before["ETag"], before["LastModified"]), (after["ETag"], after["LastModified"]))
        self.assertNotIn("TagCount", after)
        self.assertEqual(self.read("k"), b"x")

    def test_object_limits(self):
        self.put("k")
        put, where = self.s3.put_object_tagging, {"Bucket": self.bucket, "Key": "k"}
        put(Tagging=tags(**{f"k{i}": "v" for i in range(10)}), **where)
        r = self.fails("BadRequest", put, Tagging=tags(**{f"k{i}": "v" for i in range(11)}), **where)
        self.assertEqual(r["Error"]["Message"], "Object tags cannot be greater than 10")
        self.fails("InvalidTag", put, Tagging=tags(**{"k" * 129: ""}), **where)
        self.fails("InvalidTag", put, Tagging=tags(k="v" * 257), **where)
        put(Tagging=tags(**{"k" * 128: "v" * 256}), **where)
        self.fails("NoSuchKey", self.s3.get_object_tagging, Bucket=self.bucket, Key="none")
        self.fails("NoSuchKey", put, Bucket=self.bucket, Key="none", Tagging=tags())
        r = self.object("PUT", "k", "tagging", body=b"<Tagging><TagSet><Tag>", headers={})
        self.assertEqual((r.code, r.error), (400, "MalformedXML"))
        r = self.object("PUT", "k", "tagging", {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, b"<Tagging><TagSet/></Tagging>")
        self.assertEqual((r.code, r.error), (400, "BadDigest"))

    def test_versions_have_their_own(self):
        b = self.bucket
        self.s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"})
        old = self.put("k", b"1", Tagging="n=old")["VersionId"]
        new = self.put("k", b"2")["VersionId"]
        r = self.s3.put_object_tagging(Bucket=b, Key="k", VersionId=old, Tagging=tags(n="changed"))
        self.assertEqual(r["VersionId"], old)
        self.assertEqual(read(self.s3.get_object_tagging(Bucket=b, Key="k", VersionId=old)), {"n": "changed"})
        r = self.s3.get_object_tagging(Bucket=b, Key="k")
        self.assertEqual((r["TagSet"], r["VersionId"]), ([], new))
        self.s3.delete_object_tagging(Bucket=b, Key="k", VersionId=old)
        self.assertEqual(self.s3.get_object_tagging(Bucket=b, Key="k", VersionId=old)["TagSet"], [])
        self.assertEqual(self.s3.get_object(Bucket=b, Key="k", VersionId=old)["Body"].read(), b"1")

    def test_copies(self):
        self.put("k", b"x", Tagging="a=1")
        source = {"Bucket": self.bucket, "Key": "k"}
        self.s3.copy_object(Bucket=self.bucket, Key="same", CopySource=source)
        self.s3.copy_object(Bucket=self.bucket, Key="other", CopySource=source, TaggingDirective="REPLACE", Tagging="b=2")
        self.assertEqual(read(self.s3.get_object_tagging(Bucket=self.bucket, Key="same")), {"a": "1"})
        self.assertEqual(read(self.s3.get_object_tagging(Bucket=self.bucket, Key="other")), {"b": "2"})


if __name__ == "__main__":
    unittest.main()
