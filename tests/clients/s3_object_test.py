"""S3's objects: put, get, head, delete, copy, their conditions, ranges and metadata."""
import datetime
import http.client
import random
import socket
import threading
import unittest
import urllib.parse
import urllib.request
import uuid
from email.utils import format_datetime, parsedate_to_datetime

from botocore.config import Config

from s3case import MIB, S3Case, crc32, md5, sha256

UTC = datetime.timezone.utc
EMPTY = "d41d8cd98f00b204e9800998ecf8427e"


class Objects(S3Case):
    def test_put_get_head(self):
        body = random.Random(1).randbytes(100_000)
        r = self.put("a key", body, ContentType="text/plain", CacheControl="max-age=5", ContentDisposition="inline",
                     ContentLanguage="de", ContentEncoding="x-own", Metadata={"Mixed-Case": "Value", "b": "c d"})
        import hashlib
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        self.assertEqual(r["ETag"], tag)
        r = self.s3.get_object(Bucket=self.bucket, Key="a key")
        self.assertEqual(r["Body"].read(), body)
        h = self.s3.head_object(Bucket=self.bucket, Key="a key")
        for x in (r, h):
            self.assertEqual((x["ETag"], x["ContentLength"], x["ContentType"], x["CacheControl"], x["ContentDisposition"],
                              x["ContentLanguage"], x["ContentEncoding"], x["AcceptRanges"], x["Metadata"]),
                             (tag, 100_000, "text/plain", "max-age=5", "inline", "de", "x-own", "bytes",
                              {"mixed-case": "Value", "b": "c d"}))
            self.assertLess(abs((datetime.datetime.now(UTC) - x["LastModified"]).total_seconds()), 10)
            self.assertNotIn("StorageClass", x)

    def test_empty_and_overwritten(self):
        self.assertEqual(self.put("k")["ETag"], f'"{EMPTY}"')
        self.assertEqual(self.read("k"), b"")
        for size in (1, 65_536, 65_537, 300_000, 0, 7):
            body = bytes([size % 251]) * size
            self.put("k", body)
            self.assertEqual(self.read("k"), body)
            self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="k")["ContentLength"], size)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="k")["ContentType"], "binary/octet-stream")

    def test_keys_of_any_byte(self):
        keys = ["a b+c", "ä/ö/€/𝄞", "per%20cent", "%", "a//b", "/lead", "trail/", "dots/../x/./y", "q?x=1&y", "#frag",
                "tab\tnew\nline", "\x01\x02", "'\"<>&;", "a" * 1024, "ü" * 512, "*()!~_-.", "x:y@z=$,"]
        for key in keys:
            with self.subTest(key=key):
                self.put(key, key.encode())
                self.assertEqual(self.read(key), key.encode())
        listed = self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]
        self.assertEqual([o["Key"] for o in listed], sorted(keys, key=str.encode))
        for key in keys:
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        self.assertEqual(self.s3.list_objects_v2(Bucket=self.bucket)["KeyCount"], 0)

    def test_keys_refused(self):
        for key in ("a" * 1025, "ü" * 513):
            r = self.fails("KeyTooLongError", self.put, key, b"x")
            self.assertEqual(r["Error"]["MaxSizeAllowed"], "1024")
        self.fails("KeyTooLongError", self.read, "a" * 1025)
        r = self.object("PUT", "%ff%fe", body=b"x")
        self.assertEqual((r.code, r.error), (400, "InvalidURI"))

    def test_missing(self):
        r = self.fails("NoSuchKey", self.read, "nope")
        self.assertEqual(r["Error"]["Key"], "nope")
        r = self.object("HEAD", "nope")
        self.assertEqual((r.code, r.body), (404, b""))
        b = "b-" + uuid.uuid4().hex[:20]
        self.fails("NoSuchBucket", self.s3.put_object, Bucket=b, Key="k", Body=b"x" * 3 * MIB)
        self.fails("NoSuchBucket", self.s3.get_object, Bucket=b, Key="k")

    def test_metadata_limit(self):
        self.put("k", Metadata={"a": "x" * 2047})
        r = self.fails("MetadataTooLarge", self.put, "k", b"", Metadata={"a": "x" * 2048})
        self.assertEqual((r["Error"]["Size"], r["Error"]["MaxSizeAllowed"]), ("2049", "2048"))

    def test_headers_refused(self):
        for headers, code in (
                ({"x-amz-storage-class": "PAPER"}, "InvalidStorageClass"),
                ({"x-amz-website-redirect-location": "ftp://x"}, "InvalidRedirectLocation"),
                ({"x-amz-object-lock-legal-hold": "ON"}, "InvalidRequest"),
                ({"Content-MD5": "bogus"}, "InvalidDigest"),
                ({"Content-MD5": md5(b"other")}, "BadDigest"),
                ({"x-amz-write-offset-bytes": "0"}, "NotImplemented"),
                ({"If-None-Match": '"tag"'}, "NotImplemented"),
                ({"x-amz-server-side-encryption-customer-algorithm": "AES256"}, "InvalidArgument")):
            with self.subTest(headers=headers):
                self.assertEqual(self.object("PUT", "k", headers=headers, body=b"x").error, code)
        self.fails("NoSuchKey", self.read, "k")
        self.assertEqual(self.object("PUT", "k", headers={"Content-MD5": md5(b"x")}, body=b"x").code, 200)

    def test_half_a_part_is_no_object(self):
        for query in ("partNumber=1", "uploadId=abc"):
            self.assertEqual(self.object("PUT", "k", query, body=b"x").error, "InvalidArgument")
        self.fails("NoSuchKey", self.read, "k")

    def test_storage_classes(self):
        for name in ("STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "REDUCED_REDUNDANCY"):
            self.put(name, b"x", StorageClass=name)
            self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key=name).get("StorageClass", "STANDARD"), name)
            self.assertEqual(self.read(name), b"x")
        listed = {o["Key"]: o["StorageClass"] for o in self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]}
        self.assertTrue(all(k == v for k, v in listed.items()), listed)
        self.put("cold", b"x", StorageClass="GLACIER")
        self.fails("InvalidObjectState", self.read, "cold")
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="cold")["StorageClass"], "GLACIER")

    def test_tags(self):
        self.put("k", b"x", Tagging="a=1&b=two%20words&c=")
        self.assertEqual(self.object("GET", "k").headers["x-amz-tagging-count"], "3")
        for tagging, code in (("a=1&a=2", "InvalidArgument"), ("a=%zz", "InvalidArgument"), ("=v", "InvalidTag"),
                              ("aws:x=1", "InvalidTag"), ("a=" + "x" * 257, "InvalidTag"), ("x" * 129 + "=1", "InvalidTag"),
                              ("a=%3C", "InvalidTag"), ("&".join(f"k{i}=v" for i in range(11)), "BadRequest")):
            with self.subTest(tagging=tagging):
                self.assertEqual(self.object("PUT", "t", headers={"x-amz-tagging": tagging}, body=b"x").error, code)

    def test_no_length(self):
        c = http.client.HTTPConnection("127.0.0.1", self.virga.port)
        c.request("PUT", f"/{self.bucket}/k", body=iter([b"abc"]), encode_chunked=True,
                  headers={"Transfer-Encoding": "chunked", "Authorization": self.authorization(),
                           "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
                           "x-amz-date": datetime.datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")})
        with c.getresponse() as r:
            self.assertEqual((r.status, b"<Code>MissingContentLength</Code>" in r.read()), (411, True))
        c.close()

    def authorization(self):
        date = datetime.datetime.now(UTC).strftime("%Y%m%d")
        return (f"AWS4-HMAC-SHA256 Credential=test/{date}/us-east-1/s3/aws4_request, "
                "SignedHeaders=host, Signature=" + "0" * 64)

    def test_body_cut_short_leaves_nothing(self):
        date = datetime.datetime.now(UTC)
        head = (f"PUT /{self.bucket}/cut HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n"
                f"x-amz-date: {date.strftime('%Y%m%dT%H%M%SZ')}\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"
                f"Authorization: {self.authorization()}\r\n\r\n").encode()
        with socket.create_connection(("127.0.0.1", self.virga.port)) as s:
            s.sendall(head + b"x" * 200_000)
        self.fails("NoSuchKey", self.read, "cut")

    def test_wrong_payload_hash(self):
        r = self.object("PUT", "k", body=b"x", sent=b"y")
        self.assertEqual((r.code, r.error), (400, "XAmzContentSHA256Mismatch"))
        self.fails("NoSuchKey", self.read, "k")

    # ── ranges ──

    def test_ranges(self):
        for size in (1000, 200_000):
            body = random.Random(size).randbytes(size)
            self.put("k", body)
            for spec, first, last in (("0-0", 0, 0), ("10-19", 10, 19), ("990-", 990, size - 1), ("-10", size - 10, size - 1),
                                      ("0-99999999", 0, size - 1), ("-99999999", 0, size - 1)):
                with self.subTest(size=size, spec=spec):
                    r = self.object("GET", "k", headers={"Range": "bytes=" + spec})
                    self.assertEqual((r.code, r.headers["Content-Range"]), (206, f"bytes {first}-{last}/{size}"))
                    self.assertEqual(r.body, body[first:last + 1])
                    h = self.object("HEAD", "k", headers={"Range": "bytes=" + spec})
                    self.assertEqual((h.code, h.headers["Content-Length"]), (206, str(last - first + 1)))
            for spec in ("bytes=1-0", "bytes=a-b", "bytes=0-1,5-6", "lines=0-1", "bytes="):
                with self.subTest(size=size, spec=spec):
                    r = self.object("GET", "k", headers={"Range": spec})
                    self.assertEqual((r.code, r.body == body), (200, True))
            for spec in (f"bytes={size}-", "bytes=-0", f"bytes={size}-{size + 5}"):
                with self.subTest(size=size, spec=spec):
                    r = self.object("GET", "k", headers={"Range": spec})
                    self.assertEqual((r.code, r.error, r.text("ActualObjectSize"), r.headers["Content-Range"]),
                                     (416, "InvalidRange", str(size), f"bytes */{size}"))
        self.put("empty")
        self.assertEqual(self.object("GET", "empty", headers={"Range": "bytes=0-"}).code, 416)
        self.assertEqual(self.object("GET", "empty", headers={"Range": "bytes=-5"}).code, 416)

    def test_part_number_of_a_single_object(self):
        self.put("k", b"whole")
        r = self.object("GET", "k", "partNumber=1")
        self.assertEqual((r.code, r.body, r.headers["Content-Range"], r.headers["x-amz-mp-parts-count"]),
                         (206, b"whole", "bytes 0-4/5", None))
        r = self.object("GET", "k", "partNumber=2")
        self.assertEqual((r.code, r.error), (416, "InvalidPartNumber"))
        self.assertEqual(self.object("GET", "k", "partNumber=0").error, "InvalidArgument")
        self.assertEqual(self.object("GET", "k", "partNumber=1", headers={"Range": "bytes=0-1"}).error, "InvalidRequest")

    # ── conditions ──

    def test_read_conditions(self):
        tag = self.put("k", b"body")["ETag"]
        at = parsedate_to_datetime(self.object("HEAD", "k").headers["Last-Modified"])
        earlier, later = (format_datetime(at + datetime.timedelta(seconds=s), usegmt=True) for s in (-60, 60))
        match, none, since, unmod = "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"
        cases = [
            ({match: tag}, 200), ({match: tag.strip('"')}, 200), ({match: "*"}, 200), ({match: '"x", ' + tag}, 200),
            ({match: '"x"'}, 412), ({none: tag}, 304), ({none: "*"}, 304), ({none: '"x"'}, 200),
            ({since: earlier}, 200), ({since: format_datetime(at, usegmt=True)}, 304),
            ({unmod: later}, 200), ({unmod: earlier}, 412), ({unmod: format_datetime(at, usegmt=True)}, 200),
            ({match: tag, unmod: earlier}, 200), ({match: '"x"', unmod: later}, 412),
            ({none: tag, since: earlier}, 304), ({none: '"x"', since: later}, 200),
            ({since: "no date"}, 200), ({unmod: "no date"}, 200),
        ]
        for method in ("GET", "HEAD"):
            for headers, code in cases:
                with self.subTest(method=method, headers=headers):
                    r = self.object(method, "k", headers=headers)
                    self.assertEqual(r.code, code)
                    if code == 304:
                        self.assertEqual((r.body, r.headers["ETag"]), (b"", tag))
                        self.assertTrue(r.headers["Last-Modified"])
                    if code == 412 and method == "GET":
                        self.assertEqual(r.error, "PreconditionFailed")
                        self.assertIn(r.text("Condition"), headers)

    def test_conditional_writes(self):
        tag = self.object("PUT", "k", headers={"If-None-Match": "*"}, body=b"1").headers["ETag"]
        r = self.object("PUT", "k", headers={"If-None-Match": "*"}, body=b"2")
        self.assertEqual((r.code, r.error, r.text("Condition")), (412, "PreconditionFailed", "If-None-Match"))
        self.assertEqual(self.object("PUT", "k", headers={"If-Match": '"wrong"'}, body=b"2").error, "PreconditionFailed")
        self.assertEqual(self.object("PUT", "gone", headers={"If-Match": tag}, body=b"2").error, "NoSuchKey")
        self.assertEqual(self.read("k"), b"1")
        self.assertEqual(self.object("PUT", "k", headers={"If-Match": tag}, body=b"2").code, 200)
        self.assertEqual(self.object("DELETE", "k", headers={"If-Match": tag}).error, "PreconditionFailed")
        self.assertEqual(self.read("k"), b"2")
        self.assertEqual(self.object("DELETE", "k", headers={"If-Match": "*"}).code, 204)
        self.assertEqual(self.object("DELETE", "k", headers={"If-Match": "*"}).code, 404)

    def test_one_of_many_creators_wins(self):
        for n in range(5):
            codes, start = [], threading.Barrier(8)

            def create():
                start.wait()
                codes.append(self.object("PUT", f"k{n}", headers={"If-None-Match": "*"}, body=b"x" * 100_000).code)

            threads = [threading.Thread(target=create) for _ in range(8)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(sorted(codes), [200] + [412] * 7)

    # ── overrides, presigned ──

    def test_response_overrides(self):
        self.put("k", b"x", ContentType="text/plain")
        r = self.s3.get_object(Bucket=self.bucket, Key="k", ResponseContentType="image/png", ResponseCacheControl="no-store",
                               ResponseContentDisposition='attachment; filename="x"', ResponseContentEncoding="own",
                               ResponseContentLanguage="fr", ResponseExpires=datetime.datetime(2030, 1, 1, tzinfo=UTC))
        h = r["ResponseMetadata"]["HTTPHeaders"]
        self.assertEqual((h["content-type"], h["cache-control"], h["content-disposition"], h["content-encoding"],
                          h["content-language"], h["expires"]),
                         ("image/png", "no-store", 'attachment; filename="x"', "own", "fr", "Tue, 01 Jan 2030 00:00:00 GMT"))

    def test_presigned(self):
        s3 = self.virga.client("s3", config=Config(signature_version="s3v4"))
        url = s3.generate_presigned_url("put_object", {"Bucket": self.bucket, "Key": "a b/ü"}, ExpiresIn=60)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url, data=b"signed", method="PUT")) as r:
            self.assertEqual(r.status, 200)
        url = s3.generate_presigned_url("get_object", {"Bucket": self.bucket, "Key": "a b/ü",
                                                       "ResponseContentType": "text/x"}, ExpiresIn=60)
        with opener.open(url) as r:
            self.assertEqual((r.read(), r.headers["Content-Type"]), (b"signed", "text/x"))
        stale = urllib.parse.urlsplit(url)
        query = dict(urllib.parse.parse_qsl(stale.query))
        query["X-Amz-Date"] = "20200101T000000Z"
        query["X-Amz-Credential"] = query["X-Amz-Credential"].replace(query["X-Amz-Credential"].split("/")[1], "20200101")
        with self.assertRaises(urllib.error.HTTPError) as caught:
            opener.open(urllib.parse.urlunsplit(stale._replace(query=urllib.parse.urlencode(query))))
        with caught.exception as e:
            self.assertEqual((e.code, b"<Code>AccessDenied</Code>" in e.read()), (403, True))

    # ── deletes ──

    def test_delete(self):
        self.put("k", b"x")
        self.assertEqual(self.object("DELETE", "k").code, 204)
        self.assertEqual(self.object("DELETE", "k").code, 204)
        self.fails("NoSuchKey", self.read, "k")
        self.put("k", b"x")
        self.assertEqual(self.object("DELETE", "k", "versionId=null").code, 204)
        self.fails("NoSuchKey", self.read, "k")
        self.put("k", b"x")
        self.assertEqual(self.object("DELETE", "k", "versionId=bogus").error, "InvalidArgument")
        self.assertEqual(self.object("GET", "k", "versionId=" + "a" * 32).error, "NoSuchVersion")
        self.assertEqual(self.object("GET", "k", "versionId=null").body, b"x")

    def test_delete_many(self):
        keys = [f"k/{n:04}" for n in range(1000)] + ["<&>"]
        for key in keys[::100] + ["<&>"]:
            self.put(key, b"x")
        r = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": k} for k in keys[:999] + ["<&>"]]})
        self.assertEqual(sorted(d["Key"] for d in r["Deleted"]), sorted(keys[:999] + ["<&>"]))
        self.assertEqual(self.s3.list_objects_v2(Bucket=self.bucket)["KeyCount"], 0)
        self.put("a", b"1")
        r = self.s3.delete_objects(Bucket=self.bucket, Delete={
            "Quiet": True, "Objects": [{"Key": "a"}, {"Key": "b"}, {"Key": "c", "VersionId": "a" * 32}, {"Key": "d", "VersionId": "junk"}]})
        self.assertNotIn("Deleted", r)
        self.assertEqual([(e["Key"], e["Code"], e["VersionId"]) for e in r["Errors"]], [("d", "InvalidArgument", "junk")])
        self.fails("NoSuchKey", self.read, "a")
        self.fails("MalformedXML", self.s3.delete_objects, Bucket=self.bucket,
                   Delete={"Objects": [{"Key": k} for k in keys]})

    def delete_xml(self, inner, headers=None):
        body = f"<Delete>{inner}</Delete>".encode()
        return self.raw("POST", f"/{self.bucket}?delete", {"Content-MD5": md5(body)} if headers is None else headers, body)

    def test_delete_many_needs_a_checksum(self):
        inner = "<Object><Key>k</Key></Object>"
        body = f"<Delete>{inner}</Delete>".encode()
        self.put("k", b"x")
        self.assertEqual(self.delete_xml(inner, {}).error, "InvalidRequest")
        self.assertEqual(self.delete_xml(inner, {"Content-MD5": md5(b"other")}).error, "BadDigest")
        self.assertEqual(self.delete_xml(inner, {"Content-MD5": "short"}).error, "InvalidDigest")
        self.assertEqual(self.delete_xml(inner, {"x-amz-checksum-crc32": crc32(b"other")}).error, "BadDigest")
        self.assertEqual(self.read("k"), b"x")
        self.assertEqual(self.delete_xml(inner, {"x-amz-checksum-sha256": sha256(body)}).code, 200)
        self.fails("NoSuchKey", self.read, "k")
        self.assertEqual(self.delete_xml("").error, "MalformedXML")
        body = b"<Delete><Object>"
        self.assertEqual(self.raw("POST", f"/{self.bucket}?delete", {"Content-MD5": md5(body)}, body).error, "MalformedXML")

    def test_delete_many_by_e_tag(self):
        tag = self.put("k", b"x")["ETag"]
        r = self.delete_xml('<Object><Key>k</Key><ETag>"no"</ETag></Object>')
        self.assertEqual(r.text("Error/Code"), "PreconditionFailed")
        self.assertEqual(self.read("k"), b"x")
        self.assertEqual(self.delete_xml(f"<Object><Key>k</Key><ETag>{tag}</ETag></Object>").text("Deleted/Key"), "k")
        self.fails("NoSuchKey", self.read, "k")

    def test_a_reader_is_served_although_the_object_goes(self):
        body = random.Random(5).randbytes(40 * MIB)
        self.put("k", body)
        stream = self.s3.get_object(Bucket=self.bucket, Key="k")["Body"]
        got = stream.read(MIB)
        self.put("k", b"new")
        self.s3.delete_object(Bucket=self.bucket, Key="k")
        self.assertEqual(got + stream.read(), body)


if __name__ == "__main__":
    unittest.main()
