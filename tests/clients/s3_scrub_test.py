"""Stored bytes: a flipped bit is found and never served; the space of what is deleted comes back."""
import json
import os
import time
import unittest

from s3case import MIB, S3Case


class ScrubTest(S3Case):
    def blobs(self):
        out = {}
        for folder, _, names in os.walk(os.path.join(self.virga.data, "blobs")):
            for name in names:
                path = os.path.join(folder, name)
                out[path] = os.path.getsize(path)
        return out

    def scrub(self):
        answer = self.virga.get("/_virga/scrub", method="POST")
        code, text = answer[0], answer[-1]
        self.assertEqual(code, 200)
        return json.loads(text)

    def flip(self, path, at):
        with open(path, "r+b") as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 4]))

    def test_a_flipped_bit(self):
        body = os.urandom(300_000)
        before = set(self.blobs())
        self.put("sound", body)
        between = set(self.blobs())
        self.put("hurt", body)
        path = (set(self.blobs()) - between).pop()
        self.assertEqual(len(between - before), 1)
        self.assertEqual(self.scrub()["damaged"], [])
        self.flip(path, 150_000)
        report = self.scrub()
        self.assertEqual([(d["bucket"], d["key"]) for d in report["damaged"]], [(self.bucket, "hurt")])
        self.assertGreaterEqual(report["bodies"], 2)
        # What lies before the damage is served, the damaged chunk never.
        self.assertEqual(self.read("hurt", Range="bytes=0-65535"), body[:65536])
        with self.assertRaises(Exception):
            self.read("hurt", Range="bytes=140000-160000")
        with self.assertRaises(Exception):
            self.read("hurt")
        self.assertEqual(self.read("sound"), body)
        # A copy shares the sealed bytes, and so the damage; a new body ends it.
        self.put("hurt", body)
        self.assertEqual(self.scrub()["damaged"], [])

    def test_parts_and_versions(self):
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        before = set(self.blobs())
        version = self.put("old", os.urandom(100_000))["VersionId"]
        self.put("old", b"new")
        up = self.s3.create_multipart_upload(Bucket=self.bucket, Key="m")["UploadId"]
        part = self.s3.upload_part(Bucket=self.bucket, Key="m", UploadId=up, PartNumber=1, Body=os.urandom(200_000))
        for path in set(self.blobs()) - before:
            self.flip(path, 70_000)
        found = {(d["key"], d["version"]) for d in self.scrub()["damaged"] if d["bucket"] == self.bucket}
        self.assertIn(("old", version), found)
        self.assertEqual(len(found), 2)
        self.s3.complete_multipart_upload(Bucket=self.bucket, Key="m", UploadId=up,
                                          MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        self.assertIn("m", {d["key"] for d in self.scrub()["damaged"]})
        for key, kw in (("m", {}), ("old", {"VersionId": version})):
            for v in self.s3.list_object_versions(Bucket=self.bucket, Prefix=key)["Versions"]:
                self.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=v["VersionId"])

    def test_space_comes_back(self):
        def total():
            return sum(self.blobs().values())
        before = total()
        for i in range(3):
            self.put("k", os.urandom(4 * MIB))  # overwritten twice
        up = self.s3.create_multipart_upload(Bucket=self.bucket, Key="m")["UploadId"]
        self.s3.upload_part(Bucket=self.bucket, Key="m", UploadId=up, PartNumber=1, Body=os.urandom(MIB))
        self.s3.copy_object(Bucket=self.bucket, Key="copy", CopySource=f"{self.bucket}/k")
        self.assertLess(total() - before, 6 * MIB)
        self.s3.delete_object(Bucket=self.bucket, Key="k")
        self.s3.abort_multipart_upload(Bucket=self.bucket, Key="m", UploadId=up)
        self.assertGreater(total() - before, 4 * MIB)
        self.s3.delete_object(Bucket=self.bucket, Key="copy")
        deadline = time.monotonic() + 10
        while total() > before and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(total(), before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
