"""S3 Versioning through boto3: ids, markers, suspended buckets, listing, what comes back when the newest goes."""
import unittest

from botocore.exceptions import ClientError

from virga import Virga


class Versions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.s3 = cls.virga.client("s3")
        cls.count = 0

    def bucket(self, status="Enabled"):
        type(self).count += 1
        name = f"bucket-{self.count}"
        self.s3.create_bucket(Bucket=name)
        if status:
            self.set(name, status)
        return name

    def set(self, bucket, status):
        self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    def put(self, bucket, key, body):
        return self.s3.put_object(Bucket=bucket, Key=key, Body=body).get("VersionId")

    def get(self, bucket, key, version=None):
        r = self.s3.get_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))
        return r["Body"].read().decode(), r.get("VersionId")

    def refused(self, code, status, call, **kw):
        with self.assertRaises(ClientError) as caught:
            call(**kw)
        r = caught.exception.response
        self.assertEqual((r["Error"]["Code"], r["ResponseMetadata"]["HTTPStatusCode"]), (code, status))
        return r["ResponseMetadata"]["HTTPHeaders"]

    def versions(self, bucket, **kw):
        r = self.s3.list_object_versions(Bucket=bucket, **kw)
        items = [(v["Key"], v["VersionId"], v["IsLatest"], "v") for v in r.get("Versions", [])]
        return items + [(v["Key"], v["VersionId"], v["IsLatest"], "m") for v in r.get("DeleteMarkers", [])]

    def test_status(self):
        b = self.bucket(None)
        self.assertNotIn("Status", self.s3.get_bucket_versioning(Bucket=b))
        for status in ("Enabled", "Suspended"):
            self.set(b, status)
            self.assertEqual(self.s3.get_bucket_versioning(Bucket=b)["Status"], status)
        self.refused("IllegalVersioningConfigurationException", 400, self.s3.put_bucket_versioning, Bucket=b, VersioningConfiguration={})

    def test_each_put_is_a_version(self):
        b = self.bucket()
        ids = [self.put(b, "k", f"{i}") for i in range(3)]
        self.assertEqual(len(set(ids)), 3)
        self.assertTrue(all(len(i) == 32 for i in ids))
        self.assertEqual(self.get(b, "k"), ("2", ids[2]))
        for i, version in enumerate(ids):
            self.assertEqual(self.get(b, "k", version), (f"{i}", version))
        self.assertEqual(self.versions(b), [("k", ids[2], True, "v"), ("k", ids[1], False, "v"), ("k", ids[0], False, "v")])
        self.assertEqual(self.s3.list_objects_v2(Bucket=b)["KeyCount"], 1)

    def test_marker_and_back(self):
        b = self.bucket()
        first = self.put(b, "k", "1")
        r = self.s3.delete_object(Bucket=b, Key="k")
        self.assertTrue(r["DeleteMarker"])
        headers = self.refused("NoSuchKey", 404, self.s3.get_object, Bucket=b, Key="k")
        self.assertEqual((headers["x-amz-delete-marker"], headers["x-amz-version-id"]), ("true", r["VersionId"]))
        headers = self.refused("MethodNotAllowed", 405, self.s3.get_object, Bucket=b, Key="k", VersionId=r["VersionId"])
        self.assertIn("last-modified", headers)
        self.assertEqual(self.get(b, "k", first), ("1", first))
        self.assertEqual(self.versions(b), [("k", first, False, "v"), ("k", r["VersionId"], True, "m")])
        self.assertEqual(self.s3.list_objects_v2(Bucket=b)["KeyCount"], 0)
        self.refused("BucketNotEmpty", 409, self.s3.delete_bucket, Bucket=b)
        again = self.s3.delete_object(Bucket=b, Key="k", VersionId=r["VersionId"])
        self.assertEqual((again["DeleteMarker"], again["VersionId"]), (True, r["VersionId"]))
        self.assertEqual(self.get(b, "k"), ("1", first))
        self.s3.delete_object(Bucket=b, Key="k", VersionId=first)
        self.refused("NoSuchKey", 404, self.s3.get_object, Bucket=b, Key="k")
        self.s3.delete_bucket(Bucket=b)

    def test_deleting_versions(self):
        b = self.bucket()
        ids = [self.put(b, "k", f"{i}") for i in range(3)]
        self.s3.delete_object(Bucket=b, Key="k", VersionId=ids[1])
        self.refused("NoSuchVersion", 404, self.s3.get_object, Bucket=b, Key="k", VersionId=ids[1])
        self.s3.delete_object(Bucket=b, Key="k", VersionId=ids[2])
        self.assertEqual(self.get(b, "k"), ("0", ids[0]))
        self.s3.delete_object(Bucket=b, Key="k", VersionId=ids[2])  # gone already
        self.refused("InvalidArgument", 400, self.s3.get_object, Bucket=b, Key="k", VersionId="junk")

    def test_objects_from_before(self):
        b = self.bucket(None)
        self.assertIsNone(self.put(b, "k", "old"))
        self.set(b, "Enabled")
        self.assertEqual(self.get(b, "k"), ("old", "null"))
        new = self.put(b, "k", "new")
        self.assertEqual(self.get(b, "k", "null"), ("old", "null"))
        self.assertEqual(self.versions(b), [("k", new, True, "v"), ("k", "null", False, "v")])
        self.s3.delete_object(Bucket=b, Key="k", VersionId=new)
        self.assertEqual(self.get(b, "k"), ("old", "null"))

    def test_suspended(self):
        b = self.bucket()
        first = self.put(b, "k", "1")
        self.set(b, "Suspended")
        self.assertEqual(self.put(b, "k", "2"), "null")
        self.assertEqual(self.put(b, "k", "3"), "null")
        self.assertEqual(self.versions(b), [("k", "null", True, "v"), ("k", first, False, "v")])
        r = self.s3.delete_object(Bucket=b, Key="k")
        self.assertEqual((r["DeleteMarker"], r["VersionId"]), (True, "null"))
        self.assertEqual(self.versions(b), [("k", first, False, "v"), ("k", "null", True, "m")])
        self.set(b, "Enabled")
        second = self.put(b, "k", "4")
        self.assertEqual(len(self.versions(b)), 3)
        self.set(b, "Suspended")
        self.put(b, "k", "5")  # takes the place of the null marker
        self.assertEqual([v[1] for v in self.versions(b)], ["null", second, first])
        self.assertEqual(self.get(b, "k", "null"), ("5", "null"))

    def test_pages(self):
        b = self.bucket()
        for key in ("a", "b", "dir/1", "dir/2", "z"):
            for i in range(3):
                self.put(b, key, f"{i}")
        self.s3.delete_object(Bucket=b, Key="b")
        whole = self.versions(b)
        self.assertEqual(len(whole), 16)
        for size in (1, 2, 5):
            seen, kw = [], {}
            while True:
                r = self.s3.list_object_versions(Bucket=b, MaxKeys=size, **kw)
                page = [(v["Key"], v["VersionId"], v["IsLatest"]) for v in r.get("Versions", []) + r.get("DeleteMarkers", [])]
                self.assertLessEqual(len(page), size)
                seen += page
                if not r["IsTruncated"]:
                    break
                kw = {"KeyMarker": r["NextKeyMarker"], "VersionIdMarker": r["NextVersionIdMarker"]}
            self.assertEqual(sorted(seen), sorted(v[:3] for v in whole))
        r = self.s3.list_object_versions(Bucket=b, Delimiter="/")
        self.assertEqual([p["Prefix"] for p in r["CommonPrefixes"]], ["dir/"])
        self.assertEqual(len(r["Versions"]), 9)
        self.assertEqual({v[0] for v in self.versions(b, Prefix="dir/")}, {"dir/1", "dir/2"})

    def test_delete_many(self):
        b = self.bucket()
        first, second = self.put(b, "a", "1"), self.put(b, "b", "1")
        r = self.s3.delete_objects(Bucket=b, Delete={"Objects": [{"Key": "a"}, {"Key": "b", "VersionId": second}]})
        by_key = {d["Key"]: d for d in r["Deleted"]}
        self.assertTrue(by_key["a"]["DeleteMarker"])
        self.assertNotEqual(by_key["a"]["DeleteMarkerVersionId"], first)
        self.assertEqual(by_key["b"]["VersionId"], second)
        self.assertEqual(self.get(b, "a", first)[0], "1")
        self.refused("NoSuchKey", 404, self.s3.get_object, Bucket=b, Key="b")

    def test_copy_of_a_version(self):
        b = self.bucket()
        first, second = self.put(b, "k", "1"), self.put(b, "k", "2")
        r = self.s3.copy_object(Bucket=b, Key="k", CopySource={"Bucket": b, "Key": "k", "VersionId": first})
        self.assertEqual(r["CopySourceVersionId"], first)
        self.assertEqual(self.get(b, "k"), ("1", r["VersionId"]))
        self.assertEqual(self.get(b, "k", second)[0], "2")

    def test_multipart(self):
        b = self.bucket()
        first = self.put(b, "k", "1")
        up = self.s3.create_multipart_upload(Bucket=b, Key="k")["UploadId"]
        part = self.s3.upload_part(Bucket=b, Key="k", UploadId=up, PartNumber=1, Body=b"parts")["ETag"]
        r = self.s3.complete_multipart_upload(Bucket=b, Key="k", UploadId=up, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
        self.assertEqual(self.get(b, "k"), ("parts", r["VersionId"]))
        self.assertEqual(self.get(b, "k", first)[0], "1")

    def test_survives_a_crash(self):
        with Virga() as virga:
            s3 = virga.client("s3")
            s3.create_bucket(Bucket="bucket")
            s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
            ids = [s3.put_object(Bucket="bucket", Key="k", Body=f"{i}")["VersionId"] for i in range(5)]
            virga.restart()
            self.assertEqual([s3.get_object(Bucket="bucket", Key="k", VersionId=v)["Body"].read() for v in ids],
                             [f"{i}".encode() for i in range(5)])


if __name__ == "__main__":
    unittest.main()
