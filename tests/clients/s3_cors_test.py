"""CORS of buckets: the configuration's checks, what a preflight and a request of another origin are answered."""
import unittest

from s3case import S3Case

RULE = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["http://app.example", "https://*.wide.example"],
        "AllowedHeaders": ["x-amz-*", "Content-Type"], "ExposeHeaders": ["ETag", "x-amz-meta-a"], "MaxAgeSeconds": 77, "ID": "one"}


class Cors(S3Case):
    def set(self, *rules):
        return self.s3.put_bucket_cors(Bucket=self.bucket, CORSConfiguration={"CORSRules": list(rules)})

    def preflight(self, origin, method="PUT", headers=None, key="k"):
        h = {"Origin": origin, "Access-Control-Request-Method": method}
        if headers:
            h["Access-Control-Request-Headers"] = headers
        return self.raw("OPTIONS", f"/{self.bucket}/{key}", {k: v for k, v in h.items() if v is not None}, sign=False)

    def test_stored_and_deleted(self):
        self.fails("NoSuchCORSConfiguration", self.s3.get_bucket_cors, Bucket=self.bucket)
        self.set(RULE, {"AllowedMethods": ["HEAD"], "AllowedOrigins": ["*"]})
        got = self.s3.get_bucket_cors(Bucket=self.bucket)["CORSRules"]
        self.assertEqual(got[0], RULE)
        self.assertEqual(got[1], {"AllowedMethods": ["HEAD"], "AllowedOrigins": ["*"]})
        self.s3.delete_bucket_cors(Bucket=self.bucket)
        self.fails("NoSuchCORSConfiguration", self.s3.get_bucket_cors, Bucket=self.bucket)
        self.s3.delete_bucket_cors(Bucket=self.bucket)

    def test_survives_a_crash_and_goes_with_the_bucket(self):
        self.set(RULE)
        self.virga.restart()
        self.assertEqual(self.s3.get_bucket_cors(Bucket=self.bucket)["CORSRules"], [RULE])
        self.s3.delete_bucket(Bucket=self.bucket)
        self.s3.create_bucket(Bucket=self.bucket)
        self.fails("NoSuchCORSConfiguration", self.s3.get_bucket_cors, Bucket=self.bucket)

    def test_bad_rules(self):
        def bad(code, **change):
            self.fails(code, self.set, {**RULE, **change})
        bad("InvalidRequest", AllowedMethods=["PATCH"])
        bad("InvalidRequest", AllowedMethods=["OPTIONS"])
        bad("InvalidRequest", AllowedOrigins=["http://*.*.example"])
        bad("InvalidRequest", AllowedHeaders=["*-*"])
        bad("InvalidRequest", ExposeHeaders=["x-*"])
        bad("InvalidArgument", ID="x" * 256)
        self.fails("InvalidRequest", self.set, *[RULE] * 101)
        self.fails("NoSuchBucket", self.s3.get_bucket_cors, Bucket="nobody-has-this-bucket")
        r = self.raw("PUT", f"/{self.bucket}?cors", body=b"<CORSConfiguration></CORSConfiguration>")
        self.assertEqual((r.code, r.error), (400, "MalformedXML"))
        body = b"<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>"
        r = self.raw("PUT", f"/{self.bucket}?cors", {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, body)
        self.assertEqual((r.code, r.error), (400, "BadDigest"))

    def test_preflight(self):
        r = self.preflight("http://app.example")
        self.assertEqual((r.code, r.error), (403, "AccessForbidden"))
        self.set(RULE, {"AllowedMethods": ["DELETE"], "AllowedOrigins": ["*"]})
        r = self.preflight("http://app.example", headers="X-Amz-Date, content-type")
        self.assertEqual((r.code, r.body), (200, b""))
        h = r.headers
        self.assertEqual(h["Access-Control-Allow-Origin"], "http://app.example")
        self.assertEqual(h["Access-Control-Allow-Methods"], "GET, PUT")
        self.assertEqual(h["Access-Control-Allow-Headers"], "x-amz-date, content-type")
        self.assertEqual(h["Access-Control-Expose-Headers"], "ETag, x-amz-meta-a")
        self.assertEqual(h["Access-Control-Max-Age"], "77")
        self.assertEqual(h["Access-Control-Allow-Credentials"], "true")
        self.assertEqual(self.preflight("https://a.wide.example").code, 200)
        r = self.preflight("http://anyone.example", "DELETE")
        self.assertEqual((r.code, r.headers["Access-Control-Allow-Origin"]), (200, "*"))
        self.assertIsNone(r.headers["Access-Control-Allow-Credentials"])
        for origin, method, headers in (("http://app.example", "POST", None), ("http://other.example", "PUT", None),
                                        ("http://app.example", "PUT", "x-other"), ("http://app.example.evil", "PUT", None)):
            r = self.preflight(origin, method, headers)
            self.assertEqual((r.code, r.error), (403, "AccessForbidden"), (origin, method, headers))
            self.assertIsNone(r.headers["Access-Control-Allow-Origin"])
        self.assertEqual(self.preflight(None).code, 400)
        self.assertEqual(self.preflight("http://app.example", "PATCH").code, 400)
        # by a virtual host too
        r = self.raw("OPTIONS", "/k", {"Origin": "http://app.example", "Access-Control-Request-Method": "GET"}, sign=False,
                     host=f"{self.bucket}.s3.localhost:{self.virga.port}")
        self.assertEqual(r.code, 200)

    def test_answers(self):
        self.put("k", b"1")
        foreign = {"Origin": "http://app.example"}
        r = self.object("GET", "k", headers=foreign)
        self.assertEqual((r.code, r.headers["Access-Control-Allow-Origin"]), (200, None))
        self.assertEqual(self.object("PUT", "k", headers=foreign, body=b"2").code, 403)
        self.assertEqual(self.read("k"), b"1")
        self.set(RULE)
        r = self.object("GET", "k", headers=foreign)
        self.assertEqual((r.code, r.headers["Access-Control-Allow-Origin"]), (200, "http://app.example"))
        self.assertEqual(r.headers["Access-Control-Expose-Headers"], "ETag, x-amz-meta-a")
        self.assertIn("Origin", r.headers["Vary"])
        self.assertEqual(self.object("PUT", "k", headers=foreign, body=b"2").code, 200)
        r = self.object("GET", "absent", headers=foreign)
        self.assertEqual((r.code, r.headers["Access-Control-Allow-Origin"]), (404, "http://app.example"))
        self.assertEqual(self.object("DELETE", "k", headers=foreign).code, 403)

    def test_local_origins(self):
        local = {"Origin": "http://localhost:3000"}
        self.put("k", b"1")
        self.assertEqual(self.object("GET", "k", headers=local).headers["Access-Control-Allow-Origin"], "http://localhost:3000")
        self.assertEqual(self.preflight("http://localhost:3000").code, 204)
        # Rules that somebody set are what a browser meets on AWS.
        self.set({"AllowedMethods": ["GET"], "AllowedOrigins": ["http://localhost:4000"]})
        self.assertEqual(self.preflight("http://localhost:3000").code, 403)
        self.assertIsNone(self.object("GET", "k", headers=local).headers["Access-Control-Allow-Origin"])
        self.assertEqual(self.preflight("http://localhost:4000", "GET").code, 200)


if __name__ == "__main__":
    unittest.main()
