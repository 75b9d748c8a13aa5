"""Websites: the configuration's checks, and what the website endpoint of a bucket answers."""
import json
import unittest

from botocore.exceptions import ClientError
from s3case import S3Case


class Website(S3Case):
    def set(self, **conf):
        return self.s3.put_bucket_website(Bucket=self.bucket, WebsiteConfiguration=conf)

    def get(self, path, method="GET", form="s3-website.localhost", headers=None, bucket=None):
        return self.raw(method, path, headers, sign=False, host=f"{bucket or self.bucket}.{form}:{self.virga.port}")

    def public(self, actions=("s3:GetObject",), prefix="*"):
        """Opens the bucket to everybody, as AWS's documentation tells."""
        try:
            self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration={
                "BlockPublicAcls": False, "IgnorePublicAcls": False, "BlockPublicPolicy": False, "RestrictPublicBuckets": False})
            self.s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": "*", "Action": list(actions),
                 "Resource": [f"arn:aws:s3:::{self.bucket}/{prefix}", f"arn:aws:s3:::{self.bucket}"]}]}))
        except ClientError as e:
            if e.response["Error"]["Code"] != "NotImplemented":
                raise
            self.skipTest("bucket policies are not implemented")

    def test_stored_and_deleted(self):
        self.fails("NoSuchWebsiteConfiguration", self.s3.get_bucket_website, Bucket=self.bucket)
        conf = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"},
                "RoutingRules": [{"Condition": {"KeyPrefixEquals": "a/"}, "Redirect": {"ReplaceKeyPrefixWith": "b/"}}]}
        self.set(**conf)
        got = self.s3.get_bucket_website(Bucket=self.bucket)
        self.assertEqual({k: got[k] for k in conf}, conf)
        self.s3.delete_bucket_website(Bucket=self.bucket)
        self.fails("NoSuchWebsiteConfiguration", self.s3.get_bucket_website, Bucket=self.bucket)

    def test_refusals(self):
        index = {"IndexDocument": {"Suffix": "index.html"}}
        def bad(code, **conf):
            self.fails(code, self.set, **conf)
        bad("InvalidArgument", ErrorDocument={"Key": "e"})
        bad("InvalidArgument", IndexDocument={"Suffix": "a/b"})
        bad("InvalidArgument", IndexDocument={"Suffix": ""})
        bad("InvalidArgument", RedirectAllRequestsTo={"HostName": "a"}, **index)
        bad("InvalidRequest", RoutingRules=[{"Redirect": {"ReplaceKeyWith": "a", "ReplaceKeyPrefixWith": "b"}}], **index)
        bad("InvalidRequest", RoutingRules=[{"Redirect": {"HttpRedirectCode": "200"}}], **index)
        bad("InvalidRequest", RoutingRules=[{"Redirect": {"HttpRedirectCode": "300"}}], **index)
        bad("InvalidRequest", RoutingRules=[{"Condition": {"HttpErrorCodeReturnedEquals": "302"}, "Redirect": {"HostName": "a"}}], **index)
        bad("InvalidRequest", RoutingRules=[{"Redirect": {"HostName": "a"}}] * 51, **index)

    def test_redirects(self):
        r = self.get("/", bucket="nobody-has-this-one")
        self.assertEqual(r.code, 404)
        self.assertIn(b"<li>Code: NoSuchBucket</li>", r.body)
        r = self.get("/")
        self.assertEqual((r.code, r.headers["Content-Type"]), (404, "text/html; charset=utf-8"))
        self.assertIn(b"<li>Code: NoSuchWebsiteConfiguration</li>", r.body)
        self.set(RedirectAllRequestsTo={"HostName": "new.example", "Protocol": "https"})
        r = self.get("/a%20b?x=1")
        self.assertEqual((r.code, r.headers["Location"]), (301, "https://new.example/a%20b?x=1"))
        self.set(IndexDocument={"Suffix": "index.html"}, RoutingRules=[
            {"Condition": {"KeyPrefixEquals": "docs/"}, "Redirect": {"ReplaceKeyPrefixWith": "documents/"}},
            {"Condition": {"KeyPrefixEquals": "old"}, "Redirect": {"ReplaceKeyWith": "new.html", "HttpRedirectCode": "302",
                                                                     "HostName": "h.example", "Protocol": "https"}},
            {"Condition": {"HttpErrorCodeReturnedEquals": "403"}, "Redirect": {"ReplaceKeyWith": "denied", "HttpRedirectCode": "307"}}])
        r = self.get("/docs/a?x=1")
        self.assertEqual((r.code, r.headers["Location"]),
                         (301, f"http://{self.bucket}.s3-website.localhost:{self.virga.port}/documents/a"))
        r = self.get("/old/things", form="s3-website-us-east-1.amazonaws.com")
        self.assertEqual((r.code, r.headers["Location"]), (302, "https://h.example/new.html"))
        r = self.get("/private", "HEAD")
        self.assertEqual((r.code, r.headers["Location"].rpartition("/")[2], r.body), (307, "denied", b""))
        r = self.get("/x", "PUT")
        self.assertEqual(r.code, 405)
        self.assertIn(b"MethodNotAllowed", r.body)

    def test_private_stays_private(self):
        self.set(IndexDocument={"Suffix": "index.html"}, ErrorDocument={"Key": "error.html"})
        self.put("index.html", b"secret")
        self.put("error.html", b"secret")
        r = self.get("/")
        self.assertEqual(r.code, 403)
        self.assertNotIn(b"secret", r.body)
        self.assertIn(b"<li>Code: AccessDenied</li>", r.body)
        self.assertIn(b"An Error Occurred While Attempting to Retrieve a Custom Error Document", r.body)
        # nor is told what is there
        self.assertEqual(self.get("/absent").code, 403)

    def test_pages(self):
        self.public(("s3:GetObject", "s3:ListBucket"))
        self.set(IndexDocument={"Suffix": "index.html"}, ErrorDocument={"Key": "error.html"}, RoutingRules=[
            {"Condition": {"HttpErrorCodeReturnedEquals": "404", "KeyPrefixEquals": "blog/"}, "Redirect": {"ReplaceKeyPrefixWith": "archive/"}}])
        self.put("index.html", b"<h1>home</h1>", ContentType="text/html")
        self.put("folder/index.html", b"folder", ContentType="text/html")
        self.put("error.html", b"sorry", ContentType="text/html")
        self.put("moved", b"x", WebsiteRedirectLocation="/index.html")
        self.put("a+b c.txt", b"plus")
        r = self.get("/")
        self.assertEqual((r.code, r.body, r.headers["Content-Type"]), (200, b"<h1>home</h1>", "text/html"))
        self.assertEqual(self.get("/folder/").body, b"folder")
        r = self.get("/folder")
        self.assertEqual((r.code, r.headers["Location"]), (302, "/folder/"))
        r = self.get("/moved")
        self.assertEqual((r.code, r.headers["Location"]), (301, "/index.html"))
        self.assertEqual(self.get("/a+b%20c.txt").body, b"plus")
        r = self.get("/absent")
        self.assertEqual((r.code, r.body), (404, b"sorry"))
        r = self.get("/blog/absent")
        self.assertEqual((r.code, r.headers["Location"].endswith("/archive/absent")), (301, True))
        r = self.get("/index.html", "HEAD")
        self.assertEqual((r.code, r.headers["Content-Length"], r.body), (200, "13", b""))
        etag = r.headers["ETag"]
        self.assertEqual(self.get("/index.html", headers={"If-None-Match": etag}).code, 304)
        r = self.get("/index.html", headers={"Range": "bytes=0-3"})
        self.assertEqual((r.code, r.body), (206, b"<h1>"))
        self.s3.delete_object(Bucket=self.bucket, Key="error.html")
        r = self.get("/absent")
        self.assertEqual(r.code, 404)
        self.assertIn(b"<li>Code: NoSuchKey</li>", r.body)


if __name__ == "__main__":
    unittest.main()
