"""S3's multipart uploads and copies: parts, their order and sizes, completion, concurrency, parts copied from objects."""
import base64
import hashlib
import random
import threading
import unittest

from s3case import MIB, S3Case, crc32, md5, sha256

FIVE = 5 * MIB


def tag_of(*parts):
    return f'"{hashlib.md5(b"".join(hashlib.md5(p).digest() for p in parts)).hexdigest()}-{len(parts)}"'


class Multipart(S3Case):
    def begin(self, key="k", **kw):
        return self.s3.create_multipart_upload(Bucket=self.bucket, Key=key, **kw)["UploadId"]

    def part(self, upload, number, body, key="k"):
        return self.s3.upload_part(Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)["ETag"]

    def complete(self, upload, parts, key="k", **kw):
        return self.s3.complete_multipart_upload(
            Bucket=self.bucket, Key=key, UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": n, "ETag": t} for n, t in parts]}, **kw)

    def complete_raw(self, upload, parts, key="k", headers=None):
        inner = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{t}</ETag></Part>" for n, t in parts)
        body = f"<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>".encode()
        return self.object("POST", key, f"uploadId={upload}", headers, body)

    def bodies(self, *sizes):
        return [random.Random(n + s).randbytes(s) for n, s in enumerate(sizes)]

    def test_whole_way(self):
        a, b, c = self.bodies(FIVE, FIVE + 1, 100)
        u = self.begin(ContentType="x/y", Metadata={"m": "1"}, StorageClass="STANDARD_IA", Tagging="t=1")
        tags = [(n, self.part(u, n, p)) for n, p in ((3, c), (1, a), (2, b))]
        self.assertEqual(tags[1][1], f'"{hashlib.md5(a).hexdigest()}"')
        self.fails("NoSuchKey", self.read, "k")
        r = self.complete(u, sorted(tags))
        self.assertEqual((r["ETag"], r["Bucket"], r["Key"]), (tag_of(a, b, c), self.bucket, "k"))
        self.assertIn(f"/{self.bucket}/k", r["Location"])
        h = self.s3.get_object(Bucket=self.bucket, Key="k")
        self.assertEqual(h["Body"].read(), a + b + c)
        self.assertEqual((h["ETag"], h["ContentType"], h["Metadata"], h["StorageClass"]),
                         (tag_of(a, b, c), "x/y", {"m": "1"}, "STANDARD_IA"))
        self.assertNotIn("Uploads", self.s3.list_multipart_uploads(Bucket=self.bucket))
        whole = a + b + c
        for first, last in ((FIVE - 3, FIVE + 3), (0, 0), (2 * FIVE, len(whole) - 1), (5, 2 * FIVE + 50)):
            r = self.object("GET", "k", headers={"Range": f"bytes={first}-{last}"})
            self.assertEqual((r.code, r.body == whole[first:last + 1]), (206, True))
        for n, p in enumerate((a, b, c), 1):
            r = self.object("GET", "k", f"partNumber={n}")
            self.assertEqual((r.code, r.body == p, r.headers["x-amz-mp-parts-count"]), (206, True, "3"))
            h = self.object("HEAD", "k", f"partNumber={n}")
            self.assertEqual((h.code, h.headers["Content-Length"], h.headers["x-amz-mp-parts-count"]), (206, str(len(p)), "3"))
        self.assertEqual(self.object("GET", "k", "partNumber=4").error, "InvalidPartNumber")

    def test_part_uploaded_again_replaces(self):
        a, b = self.bodies(FIVE, FIVE)
        u = self.begin()
        old, new = self.part(u, 1, a), self.part(u, 1, b)
        self.fails("InvalidPart", self.complete, u, [(1, old)])
        self.complete(u, [(1, new)])
        self.assertEqual(self.read("k"), b)

    def test_parts_left_out_are_dropped(self):
        u = self.begin()
        t2 = self.part(u, 2, b"wanted")
        self.part(u, 9, b"x" * MIB)
        self.assertEqual(self.complete(u, [(2, t2)])["ETag"], tag_of(b"wanted"))
        self.assertEqual(self.read("k"), b"wanted")

    def test_refused(self):
        a, = self.bodies(FIVE)
        u = self.begin()
        t1, t2 = self.part(u, 1, a), self.part(u, 2, b"small")
        t3 = self.part(u, 3, b"last")
        r = self.complete_raw(u, [(1, t1), (2, t2), (3, t3)])
        self.assertEqual((r.code, r.error, r.text("PartNumber"), r.text("MinSizeAllowed"), r.text("ProposedSize")),
                         (400, "EntityTooSmall", "2", str(FIVE), "5"))
        for parts, code in (([(2, t2), (1, t1)], "InvalidPartOrder"), ([(1, t1), (1, t1)], "InvalidPartOrder"),
                            ([(1, t2)], "InvalidPart"), ([(1, t1), (4, t2)], "InvalidPart"), ([], "MalformedXML"),
                            ([(0, t1)], "InvalidArgument"), ([(10001, t1)], "InvalidArgument")):
            with self.subTest(parts=parts):
                self.assertEqual(self.complete_raw(u, parts).error, code)
        r = self.object("POST", "k", f"uploadId={u}", body=b"<CompleteMultipartUpload><Part>")
        self.assertEqual(r.error, "MalformedXML")
        for n in (0, 10001, -1):
            self.assertEqual(self.object("PUT", "k", f"partNumber={n}&uploadId={u}", body=b"x").error, "InvalidArgument")
        for call in (lambda u, k: self.part(u, 1, b"x", k), lambda u, k: self.complete(u, [(1, t1)], k),
                     lambda u, k: self.s3.list_parts(Bucket=self.bucket, Key=k, UploadId=u),
                     lambda u, k: self.s3.abort_multipart_upload(Bucket=self.bucket, Key=k, UploadId=u)):
            self.fails("NoSuchUpload", call, "no-such-id", "k")
            self.fails("NoSuchUpload", call, u, "other-key")
        self.assertEqual(self.object("PUT", "k", f"partNumber=1&uploadId={u}", {"Content-MD5": md5(b"no")}, b"x").error,
                         "BadDigest")
        self.complete(u, [(1, t1), (3, t3)])

    def test_abort(self):
        u = self.begin()
        t = self.part(u, 1, b"x" * 300_000)
        self.assertEqual(self.object("DELETE", "k", f"uploadId={u}").code, 204)
        self.fails("NoSuchUpload", self.complete, u, [(1, t)])
        self.fails("NoSuchUpload", self.s3.abort_multipart_upload, Bucket=self.bucket, Key="k", UploadId=u)
        self.fails("NoSuchKey", self.read, "k")
        self.s3.delete_bucket(Bucket=self.bucket)

    def test_completed_again(self):
        u = self.begin()
        t = self.part(u, 1, b"body")
        first = self.complete(u, [(1, t)])
        again = self.complete(u, [(1, t)])
        self.assertEqual([again[k] for k in ("ETag", "Location", "Key")], [first[k] for k in ("ETag", "Location", "Key")])
        self.fails("NoSuchUpload", self.complete, u, [(1, '"' + "0" * 32 + '"')])
        self.put("k", b"other")
        self.fails("NoSuchUpload", self.complete, u, [(1, t)])
        self.assertEqual(self.read("k"), b"other")

    def test_completed_at_once(self):
        a, b = self.bodies(FIVE, 1000)
        for n in range(4):
            u = self.begin(f"k{n}")
            parts = [(1, self.part(u, 1, a, f"k{n}")), (2, self.part(u, 2, b, f"k{n}"))]
            got, start = [], threading.Barrier(6)

            def run():
                start.wait()
                r = self.complete_raw(u, parts, f"k{n}")
                got.append((r.code, r.text("ETag")))

            threads = [threading.Thread(target=run) for _ in range(6)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(got, [(200, tag_of(a, b))] * 6)
            self.assertEqual(self.read(f"k{n}"), a + b)

    def test_conditional_complete(self):
        u = self.begin()
        t = self.part(u, 1, b"new")
        tag = self.put("k", b"old")["ETag"]
        self.assertEqual(self.complete_raw(u, [(1, t)], headers={"If-None-Match": "*"}).error, "PreconditionFailed")
        self.assertEqual(self.complete_raw(u, [(1, t)], headers={"If-Match": '"x"'}).error, "PreconditionFailed")
        self.assertEqual(self.complete_raw(u, [(1, t)], headers={"x-amz-mp-object-size": "4"}).error, "InvalidRequest")
        self.assertEqual(self.read("k"), b"old")
        r = self.complete_raw(u, [(1, t)], headers={"If-Match": tag, "x-amz-mp-object-size": "3"})
        self.assertEqual(r.code, 200, r.body)
        self.assertEqual(self.read("k"), b"new")

    def test_list_parts(self):
        u = self.begin(StorageClass="STANDARD_IA")
        for n in (1, 2, 3, 500, 10000):
            self.part(u, n, b"x" * n)
        r = self.s3.list_parts(Bucket=self.bucket, Key="k", UploadId=u)
        self.assertEqual([(p["PartNumber"], p["Size"], p["ETag"]) for p in r["Parts"]],
                         [(n, n, f'"{hashlib.md5(b"x" * n).hexdigest()}"') for n in (1, 2, 3, 500, 10000)])
        self.assertEqual((r["IsTruncated"], r["MaxParts"], r["StorageClass"], r["NextPartNumberMarker"]),
                         (False, 1000, "STANDARD_IA", 10000))
        self.assertTrue(r["Initiator"]["ID"] and r["Owner"]["ID"])
        r = self.s3.list_parts(Bucket=self.bucket, Key="k", UploadId=u, MaxParts=2, PartNumberMarker=1)
        self.assertEqual(([p["PartNumber"] for p in r["Parts"]], r["IsTruncated"], r["NextPartNumberMarker"]),
                         ([2, 3], True, 3))
        pages = self.s3.get_paginator("list_parts").paginate(Bucket=self.bucket, Key="k", UploadId=u,
                                                             PaginationConfig={"PageSize": 2})
        self.assertEqual([p["PartNumber"] for page in pages for p in page["Parts"]], [1, 2, 3, 500, 10000])

    def test_list_uploads(self):
        made = [(key, self.begin(key)) for key in ("a", "b/1", "b/1", "b/2", "c", "b/1")]
        order = sorted(made, key=lambda m: (m[0], made.index(m)))
        r = self.s3.list_multipart_uploads(Bucket=self.bucket)
        self.assertEqual([(x["Key"], x["UploadId"]) for x in r["Uploads"]], order)
        self.assertEqual((r["IsTruncated"], r["MaxUploads"]), (False, 1000))
        r = self.s3.list_multipart_uploads(Bucket=self.bucket, Delimiter="/")
        self.assertEqual(([x["Key"] for x in r["Uploads"]], [p["Prefix"] for p in r["CommonPrefixes"]]), (["a", "c"], ["b/"]))
        r = self.s3.list_multipart_uploads(Bucket=self.bucket, Prefix="b/")
        self.assertEqual(len(r["Uploads"]), 4)
        for size in (1, 2, 4):
            pages = self.s3.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket,
                                                                             PaginationConfig={"PageSize": size})
            self.assertEqual([(x["Key"], x["UploadId"]) for p in pages for x in p["Uploads"]], order)
        r = self.s3.list_multipart_uploads(Bucket=self.bucket, KeyMarker="b/1")
        self.assertEqual([x["Key"] for x in r["Uploads"]], ["b/2", "c"])
        for key, upload in made:
            self.s3.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)
        self.assertNotIn("Uploads", self.s3.list_multipart_uploads(Bucket=self.bucket))

    def test_crash_between_parts(self):
        a, b = self.bodies(FIVE, 77)
        u = self.begin()
        t1 = self.part(u, 1, a)
        self.virga.restart()
        t2 = self.part(u, 2, b)
        self.virga.restart()
        self.complete(u, [(1, t1), (2, t2)])
        self.virga.restart()
        self.assertEqual(self.read("k"), a + b)

    def test_part_copies(self):
        a, b = self.bodies(FIVE, 200_000)
        self.put("src", a + b)
        source = f"{self.bucket}/src"
        u = self.begin()
        r1 = self.s3.upload_part_copy(Bucket=self.bucket, Key="k", UploadId=u, PartNumber=1, CopySource=source)
        r2 = self.s3.upload_part_copy(Bucket=self.bucket, Key="k", UploadId=u, PartNumber=2, CopySource=source,
                                      CopySourceRange=f"bytes={FIVE - 10}-{FIVE + 99}")
        piece = (a + b)[FIVE - 10:FIVE + 100]
        self.assertEqual(r2["CopyPartResult"]["ETag"], f'"{hashlib.md5(piece).hexdigest()}"')
        for bad in ("bytes=0-99999999", "bytes=5-", "bytes=-5", "0-5", "bytes=a-b", "bytes=5-1"):
            self.fails("InvalidArgument", self.s3.upload_part_copy, Bucket=self.bucket, Key="k", UploadId=u, PartNumber=3,
                       CopySource=source, CopySourceRange=bad)
        self.fails("NoSuchKey", self.s3.upload_part_copy, Bucket=self.bucket, Key="k", UploadId=u, PartNumber=3,
                   CopySource=source + "x")
        self.fails("PreconditionFailed", self.s3.upload_part_copy, Bucket=self.bucket, Key="k", UploadId=u, PartNumber=3,
                   CopySource=source, CopySourceIfMatch='"x"')
        self.complete(u, [(1, r1["CopyPartResult"]["ETag"]), (2, r2["CopyPartResult"]["ETag"])])
        self.s3.delete_object(Bucket=self.bucket, Key="src")
        self.assertEqual(self.read("k"), a + b + piece)
        # parts of a copy of parts
        u = self.begin("again")
        r = self.s3.upload_part_copy(Bucket=self.bucket, Key="again", UploadId=u, PartNumber=1,
                                     CopySource=f"{self.bucket}/k", CopySourceRange=f"bytes=7-{len(a + b) + 8}")
        self.complete(u, [(1, r["CopyPartResult"]["ETag"])], "again")
        self.s3.delete_object(Bucket=self.bucket, Key="k")
        self.assertEqual(self.read("again"), (a + b + piece)[7:len(a + b) + 9])

    def test_sdk_transfer(self):
        import io
        from boto3.s3.transfer import TransferConfig
        body = random.Random(3).randbytes(23 * MIB)
        conf = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=4)
        self.s3.upload_fileobj(io.BytesIO(body), self.bucket, "big", Config=conf)
        out = io.BytesIO()
        self.s3.download_fileobj(self.bucket, "big", out, Config=conf)
        self.assertEqual(out.getvalue(), body)
        self.s3.copy({"Bucket": self.bucket, "Key": "big"}, self.bucket, "copy", Config=conf)
        self.assertEqual(self.read("copy"), body)

    def test_ten_thousand_parts(self):
        """As many parts as there may be, all of one source's bytes."""
        u = self.begin()
        self.put("src", b"z" * FIVE)
        first = self.s3.upload_part_copy(Bucket=self.bucket, Key="k", UploadId=u, PartNumber=1,
                                         CopySource=f"{self.bucket}/src")["CopyPartResult"]["ETag"]
        t = self.part(u, 10000, b"end")
        self.fails("InvalidArgument", self.part, u, 10001, b"x")
        self.complete(u, [(1, first), (10000, t)])
        self.assertEqual(self.object("GET", "k", "partNumber=2").body, b"end")


class Copies(S3Case):
    def copy(self, source, key, **kw):
        return self.s3.copy_object(Bucket=self.bucket, Key=key, CopySource=f"{self.bucket}/{source}", **kw)

    def test_directives(self):
        self.put("src", b"body", ContentType="a/b", CacheControl="no-cache", Metadata={"m": "1"}, Tagging="t=1&u=2",
                 WebsiteRedirectLocation="/elsewhere", StorageClass="STANDARD_IA")
        r = self.copy("src", "plain")
        self.assertEqual(r["CopyObjectResult"]["ETag"], '"841a2d689ad86bd1611447453c22c6fc"')
        h = self.s3.head_object(Bucket=self.bucket, Key="plain")
        self.assertEqual((h["ContentType"], h["CacheControl"], h["Metadata"]), ("a/b", "no-cache", {"m": "1"}))
        # neither the class nor the redirect is copied
        self.assertNotIn("StorageClass", h)
        self.assertNotIn("WebsiteRedirectLocation", h)
        self.assertEqual(self.object("HEAD", "plain").headers["x-amz-tagging-count"], "2")
        self.copy("src", "new", MetadataDirective="REPLACE", Metadata={"n": "2"}, ContentType="c/d", StorageClass="ONEZONE_IA")
        h = self.s3.head_object(Bucket=self.bucket, Key="new")
        self.assertEqual((h["ContentType"], h.get("CacheControl"), h["Metadata"], h["StorageClass"]),
                         ("c/d", None, {"n": "2"}, "ONEZONE_IA"))
        self.copy("src", "tagged", TaggingDirective="REPLACE", Tagging="x=1")
        self.assertEqual(self.object("HEAD", "tagged").headers["x-amz-tagging-count"], "1")
        for name in ("x-amz-metadata-directive", "x-amz-tagging-directive"):
            r = self.object("PUT", "z", headers={"x-amz-copy-source": f"/{self.bucket}/src", name: "MAYBE"})
            self.assertEqual(r.error, "InvalidArgument")

    def test_onto_itself(self):
        self.put("k", b"x" * 100_000, Metadata={"a": "1"})
        self.fails("InvalidRequest", self.copy, "k", "k")
        self.copy("k", "k", MetadataDirective="REPLACE", Metadata={"a": "2"})
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="k")["Metadata"], {"a": "2"})
        self.copy("k", "k", StorageClass="STANDARD_IA")
        self.assertEqual(self.read("k"), b"x" * 100_000)

    def test_shared_bytes_outlive_the_source(self):
        for size in (10, 300_000):
            body = random.Random(size).randbytes(size)
            self.put("src", body)
            for n in range(3):
                self.copy("src", f"c{n}")
            self.put("src", b"changed")
            self.s3.delete_object(Bucket=self.bucket, Key="c0")
            self.virga.restart()
            self.assertEqual((self.read("c1"), self.read("c2"), self.read("src")), (body, body, b"changed"))

    def test_of_parts_is_one_piece(self):
        a, b = b"a" * FIVE, b"b" * 9
        u = self.s3.create_multipart_upload(Bucket=self.bucket, Key="src")["UploadId"]
        tags = [self.s3.upload_part(Bucket=self.bucket, Key="src", UploadId=u, PartNumber=n, Body=p)["ETag"]
                for n, p in ((1, a), (2, b))]
        self.s3.complete_multipart_upload(Bucket=self.bucket, Key="src", UploadId=u, MultipartUpload={
            "Parts": [{"PartNumber": n, "ETag": t} for n, t in enumerate(tags, 1)]})
        r = self.copy("src", "dst")
        self.assertEqual(r["CopyObjectResult"]["ETag"], f'"{hashlib.md5(a + b).hexdigest()}"')
        self.s3.delete_object(Bucket=self.bucket, Key="src")
        self.assertEqual(self.read("dst"), a + b)
        self.assertEqual(self.object("GET", "dst", "partNumber=1").headers["x-amz-mp-parts-count"], None)

    def test_conditions(self):
        tag = self.put("src", b"x")["ETag"]
        at = self.s3.head_object(Bucket=self.bucket, Key="src")["LastModified"]
        import datetime
        hour = datetime.timedelta(hours=1)
        self.copy("src", "d", CopySourceIfMatch=tag, CopySourceIfUnmodifiedSince=at - hour)
        self.copy("src", "d", CopySourceIfNoneMatch='"x"', CopySourceIfModifiedSince=at - hour)
        for kw in ({"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": tag}, {"CopySourceIfModifiedSince": at},
                   {"CopySourceIfUnmodifiedSince": at - hour}, {"CopySourceIfNoneMatch": tag,
                                                               "CopySourceIfModifiedSince": at - hour}):
            self.fails("PreconditionFailed", self.copy, "src", "d", **kw)
        source = {"x-amz-copy-source": f"{self.bucket}/src"}
        self.assertEqual(self.object("PUT", "d", headers={**source, "If-None-Match": "*"}).error, "PreconditionFailed")
        self.assertEqual(self.object("PUT", "fresh", headers={**source, "If-None-Match": "*"}).code, 200)

    def test_sources(self):
        self.put("dir/a b+ü", b"x")
        for source in (f"{self.bucket}/dir/a%20b%2B%C3%BC", f"/{self.bucket}/dir%2Fa%20b%2B%C3%BC",
                       f"{self.bucket}/dir/a%20b%2B%C3%BC?versionId=null"):
            with self.subTest(source=source):
                r = self.object("PUT", "d", headers={"x-amz-copy-source": source})
                self.assertEqual(r.code, 200, r.body)
        for source, code in (("nobucket", "InvalidArgument"), (f"{self.bucket}/", "InvalidArgument"),
                             (f"{self.bucket}/nope", "NoSuchKey"), ("no-such-bucket-here/k", "NoSuchBucket"),
                             (f"{self.bucket}/%zz", "InvalidArgument")):
            with self.subTest(source=source):
                self.assertEqual(self.object("PUT", "d", headers={"x-amz-copy-source": source}).error, code)
        other = self.virga.client("s3", key="123456789012")
        other.create_bucket(Bucket=self.bucket + "-o")
        self.fails("AccessDenied", other.copy_object, Bucket=self.bucket + "-o", Key="k",
                   CopySource={"Bucket": self.bucket, "Key": "dir/a b+ü"})

    def test_from_another_region(self):
        west = self.virga.client("s3", region="eu-west-1")
        west.create_bucket(Bucket=self.bucket + "-w", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.put("src", b"far")
        west.copy_object(Bucket=self.bucket + "-w", Key="k", CopySource=f"{self.bucket}/src")
        self.assertEqual(west.get_object(Bucket=self.bucket + "-w", Key="k")["Body"].read(), b"far")


if __name__ == "__main__":
    unittest.main()
