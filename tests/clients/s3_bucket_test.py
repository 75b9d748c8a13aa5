"""S3's buckets: names, owners, regions, listing, removal."""
import os
import threading
import unittest
import uuid

from botocore.config import Config

from s3case import MIB, S3Case
from virga import Virga, wait_until


def name():
    return "b-" + uuid.uuid4().hex[:20]


class Buckets(S3Case):
    def test_create_head_list_delete(self):
        self.assertIn(self.bucket, [b["Name"] for b in self.s3.list_buckets()["Buckets"]])
        head = self.s3.head_bucket(Bucket=self.bucket)
        self.assertEqual(head["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"], "us-east-1")
        owner = self.s3.list_buckets()["Owner"]
        self.assertRegex(owner["ID"], "^[0-9a-f]{64}$")
        self.s3.delete_bucket(Bucket=self.bucket)
        self.fails(404, self.s3.head_bucket, Bucket=self.bucket)
        r = self.fails("NoSuchBucket", self.s3.list_objects, Bucket=self.bucket)
        self.assertEqual(r["Error"]["BucketName"], self.bucket)
        self.fails("NoSuchBucket", self.s3.delete_bucket, Bucket=self.bucket)
        self.assertNotIn(self.bucket, [b["Name"] for b in self.s3.list_buckets()["Buckets"]])

    def test_names(self):
        for bad in ("ab", "a" * 64, "Upper", "under_score", "-begin", "end-", "a..b", "192.168.5.4", "xn--a", "sthree-a",
                    "a-s3alias", "a--ol-s3", "a.mrap", "a--x-s3", "amzn-s3-demo-bucket", ".dot", "dot."):
            with self.subTest(bad):
                r = self.raw("PUT", f"/{bad}")
                self.assertEqual((r.code, r.error), (400, "InvalidBucketName"))
        for good in ("abc", "a" * 63, "a.b-c.d", "1.2.3.4.5", "my.bucket.1"):
            with self.subTest(good):
                self.assertEqual(self.raw("PUT", f"/{good}").code, 200)
                self.assertEqual(self.raw("DELETE", f"/{good}").code, 204)
        self.assertEqual(self.raw("GET", "/a!b").error, "InvalidBucketName")
        self.assertEqual(self.raw("GET", "/Not_There_1").error, "NoSuchBucket")

    def test_created_again(self):
        self.assertEqual(self.s3.create_bucket(Bucket=self.bucket)["Location"], "/" + self.bucket)
        other = self.virga.client("s3", key="123456789012")
        r = self.fails("BucketAlreadyExists", other.create_bucket, Bucket=self.bucket)
        self.assertEqual(r["Error"]["BucketName"], self.bucket)
        west = self.virga.client("s3", region="eu-west-1")
        where = {"LocationConstraint": "eu-west-1"}
        self.fails("BucketAlreadyOwnedByYou", west.create_bucket, Bucket=self.bucket, CreateBucketConfiguration=where)
        b = name()
        west.create_bucket(Bucket=b, CreateBucketConfiguration=where)
        self.fails("BucketAlreadyOwnedByYou", west.create_bucket, Bucket=b, CreateBucketConfiguration=where)
        self.fails("BucketAlreadyOwnedByYou", self.s3.create_bucket, Bucket=b)

    def test_location_constraints(self):
        west = self.virga.client("s3", region="eu-west-1")
        self.fails("IllegalLocationConstraintException", west.create_bucket, Bucket=name())
        self.fails("IllegalLocationConstraintException", west.create_bucket, Bucket=name(),
                   CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
        self.fails("InvalidLocationConstraint", self.s3.create_bucket, Bucket=name(),
                   CreateBucketConfiguration={"LocationConstraint": "us-east-1"})
        self.fails("InvalidLocationConstraint", self.s3.create_bucket, Bucket=name(),
                   CreateBucketConfiguration={"LocationConstraint": "middle-earth"})
        b = name()
        r = self.s3.create_bucket(Bucket=b, CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
        self.assertIn(b, r["Location"])
        south = self.virga.client("s3", region="ap-south-1")
        self.assertEqual(south.get_bucket_location(Bucket=b)["LocationConstraint"], "ap-south-1")
        self.assertIsNone(self.s3.get_bucket_location(Bucket=self.bucket)["LocationConstraint"])
        b = name()
        self.assertEqual(self.raw("PUT", "/" + b, body=b"<CreateBucketConfiguration><LocationConstraint>EU"
                                  b"</LocationConstraint></CreateBucketConfiguration>").code, 200)
        self.assertEqual(west.get_bucket_location(Bucket=b)["LocationConstraint"], "eu-west-1")

    def test_malformed_configuration(self):
        r = self.raw("PUT", "/" + name(), body=b"<CreateBucketConfiguration><Loc")
        self.assertEqual((r.code, r.error), (400, "MalformedXML"))

    def test_wrong_region(self):
        west = self.virga.client("s3", region="eu-west-1")
        b = name()
        west.create_bucket(Bucket=b, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        r = self.raw("GET", f"/{b}", region="us-east-1")
        self.assertEqual((r.code, r.error, r.headers["x-amz-bucket-region"]), (301, "PermanentRedirect", "eu-west-1"))
        self.assertEqual(r.text("Bucket"), b)
        r = self.raw("GET", "/", region="us-east-1", host=f"{b}.s3.localhost:{self.virga.port}")
        self.assertEqual((r.code, r.error, r.text("Region")), (400, "AuthorizationHeaderMalformed", "eu-west-1"))
        r = self.raw("HEAD", f"/{b}", region="us-east-1")
        self.assertEqual((r.code, r.headers["x-amz-bucket-region"]), (301, "eu-west-1"))
        # the SDK finds its way
        wandering = self.virga.client("s3", config=Config(retries={"total_max_attempts": 3}))
        wandering.put_object(Bucket=b, Key="k", Body=b"found")
        self.assertEqual(west.get_object(Bucket=b, Key="k")["Body"].read(), b"found")
        self.assertEqual(wandering.get_bucket_location(Bucket=b)["LocationConstraint"], "eu-west-1")

    def test_owners(self):
        other = self.virga.client("s3", key="123456789012")
        self.put("k", b"mine")
        self.fails("AccessDenied", other.get_object, Bucket=self.bucket, Key="k")
        self.fails("AccessDenied", other.put_object, Bucket=self.bucket, Key="k", Body=b"x")
        self.fails("AccessDenied", other.list_objects_v2, Bucket=self.bucket)
        self.fails("AccessDenied", other.delete_bucket, Bucket=self.bucket)
        self.fails(403, other.head_bucket, Bucket=self.bucket)
        self.assertNotIn(self.bucket, [b["Name"] for b in other.list_buckets()["Buckets"]])
        self.assertEqual(self.raw("GET", f"/{self.bucket}/k", sign=False).error, "AccessDenied")
        self.assertEqual(self.raw("GET", f"/{self.bucket}", sign=False).error, "AccessDenied")

    def test_expected_owner(self):
        self.s3.head_bucket(Bucket=self.bucket, ExpectedBucketOwner="000000000000")
        self.fails("AccessDenied", self.s3.list_objects_v2, Bucket=self.bucket, ExpectedBucketOwner="123456789012")
        self.fails("AccessDenied", self.s3.put_object, Bucket=self.bucket, Key="k", ExpectedBucketOwner="123456789012")
        self.fails("InvalidBucketOwnerAWSAccountID", self.s3.list_objects_v2, Bucket=self.bucket,
                   ExpectedBucketOwner="nobody")

    def test_not_empty(self):
        self.put("k")
        r = self.fails("BucketNotEmpty", self.s3.delete_bucket, Bucket=self.bucket)
        self.assertEqual(r["ResponseMetadata"]["HTTPStatusCode"], 409)
        self.assertEqual(r["Error"]["BucketName"], self.bucket)
        self.s3.delete_object(Bucket=self.bucket, Key="k")
        self.s3.delete_bucket(Bucket=self.bucket)

    def test_unfinished_uploads_go_with_the_bucket(self):
        before = self.disk_files()
        for n in range(20):
            u = self.s3.create_multipart_upload(Bucket=self.bucket, Key=f"k{n}")["UploadId"]
            self.s3.upload_part(Bucket=self.bucket, Key=f"k{n}", UploadId=u, PartNumber=1, Body=b"x" * MIB)
        self.assertGreaterEqual(self.disk_files(), before + 20)
        self.s3.delete_bucket(Bucket=self.bucket)
        self.s3.create_bucket(Bucket=self.bucket)
        self.assertNotIn("Uploads", self.s3.list_multipart_uploads(Bucket=self.bucket))
        self.fails("NoSuchUpload", self.s3.upload_part, Bucket=self.bucket, Key="k19", UploadId=u, PartNumber=2, Body=b"x")
        self.assertTrue(wait_until(lambda: self.disk_files() <= before), "the parts' bytes stay")

    def test_reset_gives_the_disk_back(self):
        virga = Virga().start()
        self.addCleanup(virga.close)
        s3 = virga.client("s3")
        for b in ("one", "two"):
            s3.create_bucket(Bucket=b)
            for n in range(5):
                s3.put_object(Bucket=b, Key=f"k{n}", Body=b"x" * MIB)
            s3.copy_object(Bucket=b, Key="copy", CopySource=f"{b}/k0")
            u = s3.create_multipart_upload(Bucket=b, Key="mp")["UploadId"]
            for n in (1, 2):
                s3.upload_part(Bucket=b, Key="mp", UploadId=u, PartNumber=n, Body=b"y" * MIB)
        self.assertEqual(self.disk_files(virga), 14)
        self.assertEqual(virga.get("/_virga/reset?service=s3", "POST")[0], 200)
        self.assertEqual(s3.list_buckets()["Buckets"], [])
        self.assertTrue(wait_until(lambda: self.disk_files(virga) == 0), "bodies stay")
        s3.create_bucket(Bucket="one")
        self.assertEqual(s3.list_objects_v2(Bucket="one")["KeyCount"], 0)

    def disk_files(self, virga=None):
        return sum(len(files) for _, _, files in os.walk(os.path.join((virga or self.virga).data, "blobs")))

    def test_removal_races_with_puts(self):
        for round_ in range(6):
            b, kept, gone = name(), [], []
            self.s3.create_bucket(Bucket=b)
            start = threading.Barrier(5)

            def put(n):
                client = self.virga.client("s3")
                start.wait()
                for i in range(20):
                    try:
                        client.put_object(Bucket=b, Key=f"{n}-{i}", Body=b"x")
                        kept.append(f"{n}-{i}")
                    except client.exceptions.ClientError as e:
                        self.assertEqual(e.response["Error"]["Code"], "NoSuchBucket")
                        gone.append(f"{n}-{i}")

            threads = [threading.Thread(target=put, args=(n,)) for n in range(4)]
            for t in threads:
                t.start()
            start.wait()
            try:
                self.s3.delete_bucket(Bucket=b)
                deleted = True
            except self.s3.exceptions.ClientError as e:
                self.assertEqual(e.response["Error"]["Code"], "BucketNotEmpty")
                deleted = False
            for t in threads:
                t.join()
            # Nobody was told that an object is stored in a bucket that then went.
            if deleted:
                self.assertEqual((kept, len(gone)), ([], 80))
            else:
                self.assertEqual(gone, [])
                listed = [o["Key"] for o in self.s3.list_objects_v2(Bucket=b)["Contents"]]
                self.assertEqual(sorted(kept), listed)

    def test_listing_pages_prefix_region(self):
        client = "555555555555"
        names = sorted(f"pg-{uuid.uuid4().hex[:8]}-{n}" for n in range(7))
        for n in names:
            region = "eu-west-1" if n.endswith(("1", "3")) else "us-east-1"
            body = b"" if region == "us-east-1" else (
                b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>")
            self.assertEqual(self.raw("PUT", "/" + n, body=body, key=client).code, 200)
        got, token, pages = [], "", 0
        while True:
            r = self.raw("GET", f"/?max-buckets=3{token}", key=client)
            self.assertEqual(r.code, 200)
            got += [e.text for e in r.xml().iter("Name")]
            pages += 1
            if r.text("ContinuationToken") is None:
                break
            token = "&continuation-token=" + r.text("ContinuationToken").replace("+", "%2B").replace("=", "%3D")
        self.assertEqual((got, pages), (names, 3))
        r = self.raw("GET", "/?bucket-region=eu-west-1", key=client)
        self.assertEqual([e.text for e in r.xml().iter("Name")], [n for n in names if n.endswith(("1", "3"))])
        self.assertEqual({e.text for e in r.xml().iter("BucketRegion")}, {"eu-west-1"})
        r = self.raw("GET", f"/?prefix={names[2][:8]}", key=client)
        self.assertEqual([e.text for e in r.xml().iter("Name")], [n for n in names if n.startswith(names[2][:8])])
        self.assertEqual(r.text("Prefix"), names[2][:8])
        self.assertEqual(self.raw("GET", "/?max-buckets=0", key=client).error, "InvalidArgument")
        self.assertEqual(self.raw("GET", "/?continuation-token=bogus", key=client).error, "InvalidArgument")

    def test_acls_at_creation(self):
        self.assertEqual(self.raw("PUT", "/" + name(), {"x-amz-acl": "public-read"}).error,
                         "InvalidBucketAclWithObjectOwnership")
        self.assertEqual(self.raw("PUT", "/" + name(), {"x-amz-object-ownership": "Nobody"}).error, "InvalidArgument")
        b = name()
        self.assertEqual(self.raw("PUT", "/" + b, {"x-amz-object-ownership": "ObjectWriter"}).code, 200)
        self.assertEqual(self.raw("PUT", f"/{b}/k", {"x-amz-acl": "private"}, b"x").code, 200)
        self.assertEqual(self.raw("PUT", f"/{b}/k", {"x-amz-acl": "public-read"}, b"x").error, "AccessDenied")
        self.assertEqual(self.raw("PUT", f"/{self.bucket}/k", {"x-amz-acl": "public-read"}, b"x").error,
                         "AccessControlListNotSupported")
        self.assertEqual(self.raw("PUT", f"/{self.bucket}/k", {"x-amz-acl": "bucket-owner-full-control"}, b"x").code, 200)
        self.assertEqual(self.raw("PUT", f"/{self.bucket}/k", {"x-amz-acl": "nonsense"}, b"x").error, "InvalidArgument")

    def test_what_is_not_there_says_so(self):
        self.fails("NotImplemented", self.s3.get_object_torrent, Bucket=self.bucket, Key="k")

    def test_virtual_host(self):
        host = f"{self.bucket}.s3.localhost:{self.virga.port}"
        self.assertEqual(self.raw("PUT", "/dir/key", body=b"by name", host=host).code, 200)
        self.assertEqual(self.read("dir/key"), b"by name")
        self.assertEqual(self.raw("GET", "/dir/key", host=host).body, b"by name")
        self.assertEqual(self.raw("GET", "/?list-type=2", host=host).text("Contents/Key"), "dir/key")

    def test_survives_a_crash(self):
        self.put("kept", b"bytes", Metadata={"a": "b"})
        self.virga.restart()
        r = self.s3.get_object(Bucket=self.bucket, Key="kept")
        self.assertEqual((r["Body"].read(), r["Metadata"]), (b"bytes", {"a": "b"}))


if __name__ == "__main__":
    unittest.main()
