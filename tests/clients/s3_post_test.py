"""Browsers' uploads: forms signed by boto3's generate_presigned_post, and forms that no SDK would make."""
import base64
import hashlib
import hmac
import http.client
import json
import unittest
import uuid

from botocore.config import Config

from s3case import MIB, Answer, S3Case


class Post(S3Case):
    def form(self, fields, data, filename="local.txt", bucket=None, host=None, headers=None, raw=None):
        boundary = uuid.uuid4().hex
        parts = []
        for name, value in fields.items():
            parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
        if data is not None:
            parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
                         "Content-Type: text/plain\r\n\r\n".encode() + data + b"\r\n")
        body = raw if raw is not None else b"".join(parts) + f"--{boundary}--\r\n".encode()
        c = http.client.HTTPConnection("127.0.0.1", self.virga.port, timeout=60)
        try:
            c.request("POST", f"/{bucket or self.bucket}" if not host else "/", body,
                      {"Content-Type": f"multipart/form-data; boundary={boundary}", **({"Host": host} if host else {}), **(headers or {})})
            r = c.getresponse()
            return Answer(r.status, r.headers, r.read())
        finally:
            c.close()

    def presigned(self, key, fields=None, conditions=None, expires=600):
        s3 = self.virga.client("s3", config=Config(signature_version="s3v4"))
        return s3.generate_presigned_post(self.bucket, key, Fields=fields, Conditions=conditions, ExpiresIn=expires)["fields"]

    def signed(self, policy, **more):
        """A form of this policy document, signed by a key that nobody checks (as those of accounts are)."""
        text = base64.b64encode(json.dumps(policy).encode()).decode()
        return {"key": "k", "policy": text, "x-amz-algorithm": "AWS4-HMAC-SHA256",
                "x-amz-credential": "test/20261121/us-east-1/s3/aws4_request", "x-amz-date": "20261121T000000Z",
                "x-amz-signature": "0" * 64, **more}

    def policy(self, *conditions, expiration="2099-01-01T00:00:00.000Z"):
        return {"expiration": expiration, "conditions": [["starts-with", "$x-amz-algorithm", ""], ["starts-with", "$x-amz-credential", ""],
                                                         ["starts-with", "$x-amz-date", ""], *conditions]}

    def test_boto3(self):
        fields = self.presigned("dir/k.txt", {"Content-Type": "text/x-a", "x-amz-meta-a": "1"},
                                [{"Content-Type": "text/x-a"}, {"x-amz-meta-a": "1"}, ["content-length-range", 1, 100]])
        r = self.form(fields, b"hello")
        self.assertEqual((r.code, r.body), (204, b""), r.body)
        self.assertEqual(r.headers["ETag"], '"' + hashlib.md5(b"hello").hexdigest() + '"')
        self.assertTrue(r.headers["Location"].endswith(f"/{self.bucket}/dir/k.txt"))
        got = self.s3.get_object(Bucket=self.bucket, Key="dir/k.txt")
        self.assertEqual((got["Body"].read(), got["ContentType"], got["Metadata"]), (b"hello", "text/x-a", {"a": "1"}))
        r = self.form(fields, b"x" * 101)
        self.assertEqual((r.code, r.error, r.text("MaxSizeAllowed")), (400, "EntityTooLarge", "100"))
        r = self.form(fields, b"")
        self.assertEqual((r.code, r.error), (400, "EntityTooSmall"))
        self.assertEqual(self.read("dir/k.txt"), b"hello")

    def test_virtual_host_and_large(self):
        data = b"0123456789abcdef" * (MIB // 4)
        r = self.form(self.presigned("large"), data, host=f"{self.bucket}.s3.localhost:{self.virga.port}")
        self.assertEqual(r.code, 204, r.body)
        self.assertEqual(self.read("large"), data)

    def test_answers(self):
        f = self.presigned("a b", {"success_action_status": "201"}, [{"success_action_status": "201"}])
        r = self.form(f, b"1")
        self.assertEqual((r.code, r.text("Bucket"), r.text("Key")), (201, self.bucket, "a b"))
        self.assertEqual(r.text("ETag"), r.headers["ETag"])
        f = self.presigned("k", {"success_action_status": "200"}, [{"success_action_status": "200"}])
        self.assertEqual(self.form(f, b"1").code, 200)
        f = self.presigned("k&", {"success_action_redirect": "http://app.example/done?x=1"},
                           [["starts-with", "$success_action_redirect", "http://app.example/"]])
        r = self.form(f, b"1")
        self.assertEqual(r.code, 303)
        self.assertEqual(r.headers["Location"], f"http://app.example/done?x=1&bucket={self.bucket}&key=k%26&etag="
                         + "%22" + hashlib.md5(b"1").hexdigest() + "%22")

    def test_file_name(self):
        f = self.presigned("up/${filename}")
        self.assertEqual(self.form(f, b"1", "photo.jpg").code, 204)
        self.assertEqual(self.form(f, b"2", "C:\\docs\\x.txt").code, 204)
        self.assertEqual(self.read("up/photo.jpg"), b"1")
        self.assertEqual(self.read("up/x.txt"), b"2")

    def test_conditions(self):
        ok = self.policy({"bucket": self.bucket}, ["starts-with", "$key", "user/"], {"acl": "bucket-owner-full-control"},
                         ["starts-with", "$Content-Type", "image/"])
        good = {"key": "user/a", "acl": "bucket-owner-full-control", "Content-Type": "image/png"}
        r = self.form(self.signed(ok, **good), b"1")
        self.assertEqual(r.code, 204, r.body)
        self.assertEqual(self.form(self.signed(ok, **good, **{"x-ignore-me": "1"}), b"1").code, 204)
        for change in ({"key": "other/a"}, {"acl": "private"}, {"Content-Type": "text/html"},
                       {"Content-Type": "image/png,text/html"}, {"x-amz-meta-extra": "1"}):
            r = self.form(self.signed(ok, **{**good, **change}), b"2")
            self.assertEqual((r.code, r.error), (403, "AccessDenied"), change)
            self.assertIn("Invalid according to Policy", r.text("Message"))
        wrong = self.policy({"bucket": "another"}, ["starts-with", "$key", ""])
        self.assertEqual(self.form(self.signed(wrong), b"2").error, "AccessDenied")
        # where the form goes to counts, not what it says of it
        self.assertEqual(self.form(self.signed(wrong, key="user/b", bucket="another"), b"2").error, "AccessDenied")
        old = self.policy({"bucket": self.bucket}, ["starts-with", "$key", ""], expiration="2020-01-01T00:00:00Z")
        self.assertIn("expired", self.form(self.signed(old), b"2").text("Message"))
        self.assertEqual(self.read("user/a"), b"1")

    def test_malformed(self):
        any_key = self.policy({"bucket": self.bucket}, ["starts-with", "$key", ""])
        def refused(code, fields, data=b"1", **kw):
            r = self.form(fields, data, **kw)
            self.assertEqual(r.error, code, r.body)
        f = self.signed(any_key)
        refused("InvalidPolicyDocument", {**f, "policy": base64.b64encode(b"{").decode()})
        refused("InvalidPolicyDocument", {**f, "policy": "%%%"})
        refused("InvalidPolicyDocument", {**f, "policy": base64.b64encode(b'{"conditions":[]}').decode()})
        refused("InvalidPolicyDocument", self.signed(self.policy(["between", "$key", "a"])))
        refused("InvalidArgument", {k: v for k, v in f.items() if k != "key"})
        refused("InvalidArgument", {k: v for k, v in f.items() if k != "policy"})
        refused("InvalidArgument", {**f, "x-amz-credential": "nonsense"})
        refused("IncorrectNumberOfFilesInPostRequest", f, None)
        refused("MalformedPOSTRequest", f, raw=b"no form")
        refused("MaxPostPreDataLengthExceededError", {**f, "x-ignore-a": "x" * 30000})
        refused("NoSuchBucket", self.signed(self.policy(["starts-with", "$key", ""])), bucket="nobody-has-this-one")
        refused("AccessDenied", {"key": "k"})
        self.fails("NoSuchKey", self.read, "k")

    def test_signatures_of_issued_keys_are_checked(self):
        iam = self.virga.client("iam")
        name = "u" + uuid.uuid4().hex[:8]
        try:
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps({
                "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]}))
            key = iam.create_access_key(UserName=name)["AccessKey"]
        except Exception as e:
            if "NotImplemented" not in str(e):
                raise
            self.skipTest("no IAM")
        s3 = self.virga.client("s3", key=key["AccessKeyId"], secret=key["SecretAccessKey"], config=Config(signature_version="s3v4"))
        f = s3.generate_presigned_post(self.bucket, "k")["fields"]
        self.assertEqual(self.form(f, b"1").code, 204)
        self.assertEqual(self.form({**f, "x-amz-signature": "0" * 64}, b"2").error, "SignatureDoesNotMatch")
        # version 2
        policy = base64.b64encode(json.dumps({"expiration": "2099-01-01T00:00:00Z", "conditions": [
            {"bucket": self.bucket}, ["starts-with", "$key", ""]]}).encode()).decode()
        mac = base64.b64encode(hmac.new(key["SecretAccessKey"].encode(), policy.encode(), hashlib.sha1).digest()).decode()
        f = {"key": "v2", "AWSAccessKeyId": key["AccessKeyId"], "policy": policy, "signature": mac}
        self.assertEqual(self.form(f, b"2").code, 204)
        self.assertEqual(self.form({**f, "signature": "AAAA"}, b"2").error, "SignatureDoesNotMatch")
        # and permissions
        iam.delete_user_policy(UserName=name, PolicyName="p")
        self.assertEqual(self.form(f, b"3").error, "AccessDenied")
        self.assertEqual(self.read("v2"), b"2")


if __name__ == "__main__":
    unittest.main()
