"""S3's checksums: claimed in headers and trailers, kept, shown, of parts and wholes; attributes of objects."""
import hashlib
import unittest

from s3case import MIB, S3Case, b64, crc32, crc32c, crc64nvme, md5, sha1, sha256

FIVE = 5 * MIB
ALGORITHMS = {"crc32": crc32, "crc32c": crc32c, "crc64nvme": crc64nvme, "sha1": sha1, "sha256": sha256}


class Checksums(S3Case):
    def sums(self, key, query="", headers=None, method="HEAD"):
        r = self.object(method, key, query, {"x-amz-checksum-mode": "ENABLED", **(headers or {})})
        found = {k.lower()[len("x-amz-checksum-"):]: v for k, v in r.headers.items()
                 if k.lower().startswith("x-amz-checksum-")}
        return found

    def test_known_values(self):
        # CRC catalogue's check values of "123456789"
        self.assertEqual((crc32c(b"123456789"), crc64nvme(b"123456789")),
                         (b64(bytes.fromhex("e3069283")), b64(bytes.fromhex("ae8b14860a799888"))))

    def test_headers(self):
        for size in (0, 9, 100_000):
            body = bytes(i % 251 for i in range(size))
            for name, of in ALGORITHMS.items():
                with self.subTest(name=name, size=size):
                    header = f"x-amz-checksum-{name}"
                    r = self.object("PUT", "k", headers={header: of(body)}, body=body)
                    self.assertEqual((r.code, r.headers[header], r.headers["x-amz-checksum-type"]),
                                     (200, of(body), "FULL_OBJECT"))
                    self.assertEqual(self.sums("k"), {name: of(body), "type": "FULL_OBJECT"})
                    self.assertEqual(self.sums("k", method="GET"), {name: of(body), "type": "FULL_OBJECT"})
                    self.assertEqual(self.object("HEAD", "k").headers[header], None)
                    r = self.object("PUT", "bad", headers={header: of(body + b"x")}, body=body)
                    self.assertEqual((r.code, r.error), (400, "BadDigest"))
                    r = self.object("PUT", "bad", headers={header: "AAAA"}, body=body)
                    self.assertEqual((r.code, r.error), (400, "InvalidRequest"))
        self.fails("NoSuchKey", self.read, "bad")

    def test_default(self):
        body = b"a body"
        self.object("PUT", "k", body=body)
        self.assertEqual(self.sums("k"), {"crc64nvme": crc64nvme(body), "type": "FULL_OBJECT"})
        r = self.object("PUT", "k", headers={"x-amz-checksum-md5": md5(body)}, body=body)
        self.assertEqual(self.sums("k"), {"md5": md5(body), "type": "FULL_OBJECT"}, r.body)

    def test_refused(self):
        body = b"x"
        for headers in ({"x-amz-checksum-crc32": crc32(body), "x-amz-checksum-sha1": sha1(body)},
                        {"x-amz-sdk-checksum-algorithm": "SHA256"}, {"x-amz-sdk-checksum-algorithm": "ROT13"},
                        {"x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": crc32(body)}):
            self.assertEqual(self.object("PUT", "k", headers=headers, body=body).error, "InvalidRequest", headers)
        self.assertEqual(self.object("PUT", "k", headers={"x-amz-checksum-sha512": b64(b"0" * 64)}, body=body).error,
                         "NotImplemented")
        self.fails("NoSuchKey", self.read, "k")

    def trailer(self, name, value, body, **more):
        chunks = b"".join(f"{len(body[i:i + 70_000]):x}\r\n".encode() + body[i:i + 70_000] + b"\r\n"
                          for i in range(0, len(body), 70_000))
        sent = chunks + b"0\r\n" + (f"x-amz-checksum-{name}:{value}\r\n".encode() if value else b"") + b"\r\n"
        # signed over the words, not over the bytes
        from botocore.auth import S3SigV4Auth
        real = S3SigV4Auth.payload
        S3SigV4Auth.payload = lambda *_: "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        try:
            return self.object("PUT", "k", headers={
                "x-amz-trailer": f"x-amz-checksum-{name}", "Content-Encoding": "aws-chunked",
                "x-amz-decoded-content-length": str(len(body)), **more}, body=sent)
        finally:
            S3SigV4Auth.payload = real

    def test_trailers(self):
        for size in (0, 5, 200_000):
            body = bytes(i % 249 for i in range(size))
            for name, of in ALGORITHMS.items():
                with self.subTest(name=name, size=size):
                    r = self.trailer(name, of(body), body)
                    self.assertEqual((r.code, r.headers[f"x-amz-checksum-{name}"]), (200, of(body)), r.body)
                    self.assertEqual(self.read("k"), body)
                    self.assertNotIn("ContentEncoding", self.s3.head_object(Bucket=self.bucket, Key="k"))
                    self.s3.delete_object(Bucket=self.bucket, Key="k")
                    self.assertEqual(self.trailer(name, of(body + b"x"), body).error, "BadDigest")
                    self.assertEqual(self.trailer(name, "", body).code, 400)
                    self.fails("NoSuchKey", self.read, "k")
        self.trailer("crc32", crc32(b"x"), b"x", **{"Content-Encoding": "gzip,aws-chunked"})
        self.assertEqual(self.object("HEAD", "k").headers["Content-Encoding"], "gzip")

    def test_ranges_have_none(self):
        self.object("PUT", "k", body=b"0123456789")
        self.assertEqual(self.sums("k", headers={"Range": "bytes=0-3"}, method="GET").get("crc64nvme"), None)
        self.assertEqual(self.sums("k", headers={"Range": "bytes=0-9"}, method="GET").get("crc64nvme"),
                         crc64nvme(b"0123456789"))

    def test_copies(self):
        body = b"to be copied"
        self.object("PUT", "src", headers={"x-amz-checksum-sha1": sha1(body)}, body=body)
        r = self.object("PUT", "dst", headers={"x-amz-copy-source": f"{self.bucket}/src"})
        self.assertEqual(r.text("ChecksumSHA1"), sha1(body))
        r = self.object("PUT", "dst", headers={"x-amz-copy-source": f"{self.bucket}/src",
                                               "x-amz-checksum-algorithm": "CRC32C"})
        self.assertEqual((r.text("ChecksumCRC32C"), self.sums("dst")["crc32c"]), (crc32c(body), crc32c(body)))
        r = self.object("PUT", "dst", headers={"x-amz-copy-source": f"{self.bucket}/src", "x-amz-checksum-algorithm": "X"})
        self.assertEqual(r.error, "InvalidRequest")

    # ── of parts ──

    def upload(self, bodies, algorithm=None, kind=None, part_sums=True, complete=None, tell=True):
        """A multipart upload by bare requests; returns the answer to its completion."""
        headers = {"x-amz-checksum-algorithm": algorithm} if algorithm else {}
        if kind:
            headers["x-amz-checksum-type"] = kind
        r = self.object("POST", "k", "uploads=", headers)
        self.assertEqual(r.code, 200, r.body)
        self.assertEqual(r.headers["x-amz-checksum-algorithm"], algorithm)
        self.upload_id, inner = r.text("UploadId"), ""
        name = (algorithm or "crc64nvme").lower()
        for n, body in enumerate(bodies, 1):
            h = {f"x-amz-checksum-{name}": ALGORITHMS[name](body)} if part_sums else {}
            p = self.object("PUT", "k", f"partNumber={n}&uploadId={self.upload_id}", h, body)
            self.assertEqual(p.code, 200, p.body)
            told = f"<Checksum{name.upper()}>{ALGORITHMS[name](body)}</Checksum{name.upper()}>" if tell else ""
            inner += f"<Part><PartNumber>{n}</PartNumber><ETag>{p.headers['ETag']}</ETag>{told}</Part>"
        return self.object("POST", "k", f"uploadId={self.upload_id}", complete,
                           f"<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>".encode())

    def test_composite(self):
        parts = [b"a" * FIVE, b"b" * 1000]
        for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256"):
            of = ALGORITHMS[algorithm.lower()]
            import base64
            want = of(b"".join(base64.b64decode(of(p)) for p in parts)) + "-2"
            r = self.upload(parts, algorithm)
            self.assertEqual((r.code, r.text(f"Checksum{algorithm}"), r.text("ChecksumType")), (200, want, "COMPOSITE"), r.body)
            self.assertEqual(self.sums("k"), {algorithm.lower(): want, "type": "COMPOSITE"})
            self.assertEqual(self.sums("k", "partNumber=2")[algorithm.lower()], of(parts[1]))
            bad = of(b"zz") + "-2"
            header = f"x-amz-checksum-{algorithm.lower()}"
            self.assertEqual(self.upload(parts, algorithm, complete={header: bad}).error, "BadDigest")
            self.assertEqual(self.upload(parts, algorithm, complete={header: want}).code, 200)
        self.assertEqual(self.upload(parts[:1], "SHA256", tell=False).error, "InvalidRequest")
        r = self.upload(parts[:1], "SHA256", complete={"x-amz-checksum-type": "FULL_OBJECT"})
        self.assertEqual(r.error, "InvalidRequest")

    def test_full_object(self):
        parts = [b"a" * FIVE, b"b" * (FIVE + 3), b"c" * 77]
        for algorithm in ("CRC32", "CRC32C", "CRC64NVME"):
            r = self.upload(parts, algorithm, "FULL_OBJECT")
            # the same bytes in one piece have the same checksum
            whole = self.object("PUT", "whole", headers={}, body=b"".join(parts)) if algorithm == "CRC64NVME" else None
            want = r.text(f"Checksum{algorithm}")
            if algorithm == "CRC32":
                self.assertEqual(want, crc32(b"".join(parts)))
            elif whole is not None:
                self.assertEqual(want, self.sums("whole")["crc64nvme"])
            self.assertEqual(r.text("ChecksumType"), "FULL_OBJECT")
            check = self.object("PUT", "whole", headers={f"x-amz-checksum-{algorithm.lower()}": want}, body=b"".join(parts))
            self.assertEqual(check.code, 200, check.body)
            bad = self.upload(parts, algorithm, "FULL_OBJECT", complete={f"x-amz-checksum-{algorithm.lower()}":
                                                                         ALGORITHMS[algorithm.lower()](b"no")})
            self.assertEqual(bad.error, "BadDigest")

    def test_implied(self):
        parts = [b"a" * FIVE, b"b"]
        for part_sums in (True, False):
            r = self.upload(parts, part_sums=part_sums, tell=part_sums)
            self.object("PUT", "whole", body=b"".join(parts))
            self.assertEqual((r.text("ChecksumCRC64NVME"), r.text("ChecksumType")),
                             (self.sums("whole")["crc64nvme"], "FULL_OBJECT"))

    def test_types_that_do_not_fit(self):
        for algorithm, kind in (("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"), (None, "FULL_OBJECT"),
                                ("CRC32", "PARTIAL"), ("ROT13", None)):
            headers = {"x-amz-checksum-algorithm": algorithm} if algorithm else {}
            if kind:
                headers["x-amz-checksum-type"] = kind
            self.assertEqual(self.object("POST", "k", "uploads=", headers).error, "InvalidRequest", headers)
        r = self.object("POST", "k", "uploads=", {"x-amz-checksum-algorithm": "SHA256"})
        u = r.text("UploadId")
        r = self.object("PUT", "k", f"partNumber=1&uploadId={u}", {"x-amz-checksum-crc32": crc32(b"x")}, b"x")
        self.assertEqual((r.error, r.text("Message")), ("InvalidRequest",
                         "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: crc32"))
        self.assertEqual(self.object("PUT", "k", f"partNumber=1&uploadId={u}", {}, b"x").error, "InvalidRequest")
        r = self.object("PUT", "k", f"partNumber=1&uploadId={u}", {"x-amz-checksum-sha256": sha256(b"y")}, b"x")
        self.assertEqual(r.error, "BadDigest")

    def test_part_listing_shows_them(self):
        self.upload([b"a" * FIVE, b"b"], "SHA256", complete={"x-amz-checksum-sha256": sha256(b"no")})
        r = self.object("GET", "k", f"uploadId={self.upload_id}")
        self.assertEqual((r.text("ChecksumAlgorithm"), r.text("ChecksumType")), ("SHA256", "COMPOSITE"))
        self.assertEqual([e.text for e in r.xml().iter("ChecksumSHA256")], [sha256(b"a" * FIVE), sha256(b"b")])

    # ── attributes ──

    def attributes(self, key, wanted, headers=None):
        return self.object("GET", key, "attributes", {"x-amz-object-attributes": wanted, **(headers or {})})

    def test_attributes(self):
        body = b"simple"
        self.object("PUT", "s", headers={"x-amz-checksum-sha256": sha256(body), "x-amz-storage-class": "STANDARD_IA"}, body=body)
        r = self.attributes("s", "ETag,Checksum,ObjectParts,StorageClass,ObjectSize")
        self.assertEqual((r.xml().tag, r.text("ETag"), r.text("Checksum/ChecksumSHA256"), r.text("Checksum/ChecksumType"),
                          r.text("StorageClass"), r.text("ObjectSize"), r.text("ObjectParts/PartsCount")),
                         ("GetObjectAttributesResponse", hashlib.md5(body).hexdigest(), sha256(body), "FULL_OBJECT",
                          "STANDARD_IA", "6", None))
        self.assertTrue(r.headers["Last-Modified"])
        r = self.attributes("s", "ObjectSize")
        self.assertEqual((r.text("ObjectSize"), r.text("ETag"), r.text("Checksum")), ("6", None, None))
        self.assertEqual(self.attributes("s", "Colour").error, "InvalidArgument")
        self.assertEqual(self.attributes("none", "ETag").error, "NoSuchKey")
        self.assertEqual(self.object("GET", "s", "attributes").code, 400)

    def test_attributes_of_parts(self):
        parts = [b"a" * FIVE, b"b" * FIVE, b"c"]
        self.upload(parts, "SHA256")
        r = self.attributes("k", "ObjectParts", {"x-amz-max-parts": "2"})
        self.assertEqual((r.text("ObjectParts/PartsCount"), r.text("ObjectParts/IsTruncated"),
                          r.text("ObjectParts/NextPartNumberMarker")), ("3", "true", "2"))
        self.assertEqual([(e.findtext("PartNumber"), e.findtext("Size"), e.findtext("ChecksumSHA256"))
                          for e in r.xml().iter("Part")], [(str(n), str(len(p)), sha256(p)) for n, p in enumerate(parts[:2], 1)])
        r = self.attributes("k", "ObjectParts", {"x-amz-part-number-marker": "2"})
        self.assertEqual(([e.findtext("PartNumber") for e in r.xml().iter("Part")], r.text("ObjectParts/IsTruncated")),
                         (["3"], "false"))
        self.upload(parts)
        self.assertEqual(self.attributes("k", "ObjectParts").text("ObjectParts/PartsCount"), "3")


if __name__ == "__main__":
    unittest.main()
