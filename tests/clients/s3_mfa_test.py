"""MFA delete, and the caller's own permission to use KMS keys."""
import base64
import hashlib
import hmac
import json
import struct
import unittest
import uuid

from s3case import S3Case


def totp(seed, at):
    mac = hmac.new(base64.b32decode(seed), struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    o = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[o:o + 4])[0] & 0x7fffffff) % 1000000:06}"


class MfaDelete(S3Case):
    def setUp(self):
        super().setUp()
        self.iam = self.virga.client("iam")
        name = "u" + uuid.uuid4().hex[:10]
        self.iam.create_user(UserName=name)
        device = self.iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
        self.serial, self.seed = device["SerialNumber"], device["Base32StringSeed"].decode()
        self.minutes = 0
        self.iam.enable_mfa_device(UserName=name, SerialNumber=self.serial, AuthenticationCode1=self.code(), AuthenticationCode2=self.code())

    def code(self):
        """A code not used yet: the clock moves on by a step."""
        now = json.loads(self.virga.get("/_virga/clock?advance=30s", method="POST")[2])["time"]
        from datetime import datetime

        return totp(self.seed, datetime.fromisoformat(now.replace("Z", "+00:00")).timestamp())

    def mfa(self):
        return f"{self.serial} {self.code()}"

    def versioning(self, **conf):
        mfa = {"MFA": conf.pop("MFA")} if "MFA" in conf else {}
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration=conf, **mfa)

    def test_versions_go_only_with_a_code(self):
        self.fails("AccessDenied", self.versioning, Status="Enabled", MFADelete="Enabled")
        self.fails("AccessDenied", self.versioning, Status="Enabled", MFADelete="Enabled", MFA=self.serial + " 000000")
        self.versioning(Status="Enabled", MFADelete="Enabled", MFA=self.mfa())
        self.assertEqual(self.s3.get_bucket_versioning(Bucket=self.bucket)["MFADelete"], "Enabled")
        version = self.put("k", b"1")["VersionId"]
        one = {"Bucket": self.bucket, "Key": "k", "VersionId": version}
        self.fails("AccessDenied", self.s3.delete_object, **one)
        self.fails("AccessDenied", self.s3.delete_objects, Bucket=self.bucket,
                   Delete={"Objects": [{"Key": "k", "VersionId": version}]})
        marker = self.s3.delete_object(Bucket=self.bucket, Key="k")["VersionId"]
        used = self.mfa()
        self.s3.delete_object(**one, MFA=used)
        self.fails("AccessDenied", self.s3.delete_object, Bucket=self.bucket, Key="k", VersionId=marker, MFA=used)
        self.s3.delete_objects(Bucket=self.bucket, MFA=self.mfa(), Delete={"Objects": [{"Key": "k", "VersionId": marker}]})
        self.assertNotIn("Versions", self.s3.list_object_versions(Bucket=self.bucket))
        self.fails("AccessDenied", self.versioning, Status="Suspended")
        self.fails("InvalidBucketState", self.s3.put_bucket_lifecycle_configuration, Bucket=self.bucket, LifecycleConfiguration={
            "Rules": [{"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}]})
        self.versioning(Status="Enabled", MFADelete="Disabled", MFA=self.mfa())
        version = self.put("k", b"2")["VersionId"]
        self.s3.delete_object(Bucket=self.bucket, Key="k", VersionId=version)


class Keys(S3Case):
    def test_the_callers_permission_on_the_key(self):
        kms, iam = self.virga.client("kms"), self.virga.client("iam")
        key = kms.create_key()["KeyMetadata"]["Arn"]
        name = "u" + uuid.uuid4().hex[:10]
        iam.create_user(UserName=name)

        def allow(*actions, resource="*"):
            return {"Effect": "Allow", "Action": list(actions), "Resource": resource}

        def policy(*statements):
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": list(statements)}))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        user = self.virga.client("s3", key=made["AccessKeyId"], secret=made["SecretAccessKey"])
        what = {"Bucket": self.bucket, "Key": "k"}
        kept = {**what, "Body": b"v", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        policy(allow("s3:*"))
        user.put_object(Bucket=self.bucket, Key="plain", Body=b"p")
        self.assertIn("kms:GenerateDataKey", self.fails("AccessDenied", user.put_object, **kept)["Error"]["Message"])
        policy(allow("s3:*"), allow("kms:GenerateDataKey", resource=key))
        user.put_object(**kept)
        self.assertIn("kms:Decrypt", self.fails("AccessDenied", user.get_object, **what)["Error"]["Message"])
        self.fails("AccessDenied", user.copy_object, Bucket=self.bucket, Key="c", CopySource=f"{self.bucket}/k",
                   ServerSideEncryption="AES256")
        user.head_object(**what)
        policy(allow("s3:*"), allow("kms:GenerateDataKey", "kms:Decrypt", resource=key))
        self.assertEqual(user.get_object(**what)["Body"].read(), b"v")
        upload = user.create_multipart_upload(**what, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)["UploadId"]
        part = user.upload_part(**what, UploadId=upload, PartNumber=1, Body=b"m")["ETag"]
        user.complete_multipart_upload(**what, UploadId=upload, MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]})
        self.assertEqual(user.get_object(**what)["Body"].read(), b"m")


if __name__ == "__main__":
    unittest.main()
