"""Who may use a bucket: policies, ACLs, Object Ownership, Block Public Access; other accounts and callers without a signature."""
import json
import unittest
import uuid

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from s3case import S3Case

OWNER, OTHER = "111111111111", "222222222222"
ALL = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"


class Access(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.client(OWNER)
        cls.other = cls.client(OTHER)
        cls.nobody = boto3.client("s3", endpoint_url=cls.virga.endpoint, region_name="us-east-1",
                                  config=Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}))

    @classmethod
    def client(cls, key, service="s3", secret="test"):
        return boto3.client(service, endpoint_url=cls.virga.endpoint, region_name="us-east-1", aws_access_key_id=key,
                            aws_secret_access_key=secret,
                            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}))

    def setUp(self):
        super().setUp()
        self.arn = f"arn:aws:s3:::{self.bucket}"
        self.put("k", b"x")

    def open(self):
        self.s3.delete_public_access_block(Bucket=self.bucket)

    def acls(self, ownership="ObjectWriter"):
        self.open()
        self.s3.put_bucket_ownership_controls(Bucket=self.bucket,
                                              OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]})

    def policy(self, *statements):
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))

    def allow(self, who, action, resource=None, effect="Allow", **condition):
        st = {"Effect": effect, "Principal": who, "Action": action, "Resource": resource or [self.arn, self.arn + "/*"]}
        return {**st, **({"Condition": condition} if condition else {})}

    def where(self, key="k", **kw):
        return {"Bucket": self.bucket, "Key": key, **kw}

    def id_of(self, client):
        return client.list_buckets()["Owner"]["ID"]

    # ── strangers ──

    def test_strangers(self):
        for who in (self.other, self.nobody):
            self.fails("AccessDenied", who.get_object, **self.where())
            self.fails(403, who.head_object, **self.where())
            self.fails("AccessDenied", who.list_objects_v2, Bucket=self.bucket)
            self.fails("AccessDenied", who.put_object, **self.where("new"))
            self.fails("AccessDenied", who.delete_object, **self.where())
            self.fails("AccessDenied", who.get_bucket_acl, Bucket=self.bucket)
            self.fails("AccessDenied", who.get_object_retention, **self.where())
            self.fails("AccessDenied", who.abort_multipart_upload, UploadId="u", **self.where())
            self.fails("NoSuchBucket", who.list_objects_v2, Bucket="none-" + uuid.uuid4().hex)
        self.fails("AccessDenied", self.nobody.list_buckets)
        self.fails("BucketAlreadyExists", self.other.create_bucket, Bucket=self.bucket)
        self.assertEqual(self.read("k"), b"x")
        mine = "o-" + uuid.uuid4().hex[:20]
        self.other.create_bucket(Bucket=mine)
        self.fails("AccessDenied", self.other.copy_object, Bucket=mine, Key="c", CopySource=f"{self.bucket}/k")

    # ── policies ──

    def test_policy_lets_an_account_in(self):
        self.policy(self.allow({"AWS": f"arn:aws:iam::{OTHER}:root"}, "s3:GetObject", self.arn + "/*"))
        self.assertEqual(self.other.get_object(**self.where())["Body"].read(), b"x")
        self.fails("AccessDenied", self.other.put_object, **self.where("new"))
        self.fails("AccessDenied", self.nobody.get_object, **self.where())
        # Who may not list must not learn what is there.
        self.fails("AccessDenied", self.other.get_object, **self.where("none"))
        self.policy(self.allow({"AWS": OTHER}, ["s3:GetObject", "s3:ListBucket", "s3:PutObject"]))
        self.fails("NoSuchKey", self.other.get_object, **self.where("none"))
        self.policy(self.allow({"AWS": OTHER}, "s3:ListBucket", self.arn, StringLike={"s3:prefix": "a/*"}),
                    self.allow({"AWS": OTHER}, "s3:GetObject", self.arn + "/*"))
        self.fails("NoSuchKey", self.other.get_object, **self.where("a/none"))
        self.fails("AccessDenied", self.other.get_object, **self.where("b/none"))
        self.policy(self.allow({"AWS": OTHER}, ["s3:GetObject", "s3:ListBucket", "s3:PutObject"]))
        self.other.put_object(Body=b"theirs", **self.where("new"))
        self.assertEqual(self.read("new"), b"theirs")
        self.assertEqual(self.s3.get_object_acl(**self.where("new"))["Owner"]["ID"], self.id_of(self.s3))
        mine = "o-" + uuid.uuid4().hex[:20]
        self.other.create_bucket(Bucket=mine)
        self.other.copy_object(Bucket=mine, Key="c", CopySource=f"{self.bucket}/k")
        self.fails("AccessDenied", self.other.get_bucket_policy, Bucket=self.bucket)
        self.policy(self.allow({"CanonicalUser": self.id_of(self.other)}, "s3:GetObject", self.arn + "/*"))
        self.assertEqual(self.other.get_object(**self.where())["Body"].read(), b"x")

    def test_policy_lets_everyone_in(self):
        public = self.allow("*", "s3:GetObject", self.arn + "/*")
        self.fails("AccessDenied", self.policy, public)
        self.open()
        self.policy(public)
        self.assertTrue(self.s3.get_bucket_policy_status(Bucket=self.bucket)["PolicyStatus"]["IsPublic"])
        self.assertEqual(self.nobody.get_object(**self.where())["Body"].read(), b"x")
        self.assertEqual(self.other.get_object(**self.where())["Body"].read(), b"x")
        self.fails("AccessDenied", self.nobody.put_object, **self.where("new"))
        self.fails("AccessDenied", self.nobody.list_objects_v2, Bucket=self.bucket)
        self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
        self.fails("AccessDenied", self.nobody.get_object, **self.where())
        self.fails("AccessDenied", self.other.get_object, **self.where())
        self.assertEqual(self.read("k"), b"x")
        self.open()
        self.assertEqual(self.nobody.get_object(**self.where())["Body"].read(), b"x")
        self.s3.delete_bucket_policy(Bucket=self.bucket)
        self.fails("AccessDenied", self.nobody.get_object, **self.where())
        r = self.fails("NoSuchBucketPolicy", self.s3.get_bucket_policy, Bucket=self.bucket)
        self.assertEqual(r["ResponseMetadata"]["HTTPStatusCode"], 404)
        self.fails("NoSuchBucketPolicy", self.s3.get_bucket_policy_status, Bucket=self.bucket)

    def test_deny_wins(self):
        self.policy(self.allow({"AWS": OTHER}, "s3:*"), self.allow("*", "s3:DeleteObject", self.arn + "/*", "Deny"))
        self.fails("AccessDenied", self.other.delete_object, **self.where())
        r = self.fails("AccessDenied", self.s3.delete_object, **self.where())
        self.assertIn("explicit deny in a resource-based policy", r["Error"]["Message"])
        self.policy(self.allow("*", "s3:*", effect="Deny"))
        self.fails("AccessDenied", self.s3.get_object, **self.where())
        # The owner's root never locks itself out of the policy.
        self.s3.get_bucket_policy(Bucket=self.bucket)
        self.s3.delete_bucket_policy(Bucket=self.bucket)
        self.s3.delete_object(**self.where())

    def test_conditions(self):
        who = {"AWS": OTHER}
        self.put("a/1")
        self.put("b/1")
        self.policy(self.allow(who, "s3:ListBucket", self.arn, StringLike={"s3:prefix": "a/*"}))
        self.assertEqual(self.other.list_objects_v2(Bucket=self.bucket, Prefix="a/")["KeyCount"], 1)
        self.fails("AccessDenied", self.other.list_objects_v2, Bucket=self.bucket, Prefix="b/")
        self.fails("AccessDenied", self.other.list_objects_v2, Bucket=self.bucket)
        self.policy(self.allow(who, "s3:ListBucket", self.arn, NumericLessThanEquals={"s3:max-keys": "10"}))
        self.other.list_objects_v2(Bucket=self.bucket, MaxKeys=10)
        self.fails("AccessDenied", self.other.list_objects_v2, Bucket=self.bucket, MaxKeys=11)
        self.policy(self.allow(who, "s3:GetObject", self.arn + "/*", StringEquals={"s3:ExistingObjectTag/level": "open"}))
        self.fails("AccessDenied", self.other.get_object, **self.where())
        self.s3.put_object_tagging(Tagging={"TagSet": [{"Key": "level", "Value": "open"}]}, **self.where())
        self.other.get_object(**self.where())
        self.policy(self.allow(who, ["s3:PutObject", "s3:PutObjectTagging"], self.arn + "/*",
                               StringEquals={"s3:RequestObjectTag/team": "red"}))
        self.other.put_object(Tagging="team=red", **self.where("t"))
        self.fails("AccessDenied", self.other.put_object, Tagging="team=blue", **self.where("t"))
        self.fails("AccessDenied", self.other.put_object, **self.where("t"))
        self.policy(self.allow(who, "s3:GetObject", self.arn + "/*", IpAddress={"aws:SourceIp": "127.0.0.0/8"}))
        self.other.get_object(**self.where())
        self.policy(self.allow(who, "s3:GetObject", self.arn + "/*", IpAddress={"aws:SourceIp": "10.0.0.0/8"}))
        self.fails("AccessDenied", self.other.get_object, **self.where())
        self.policy(self.allow(who, "s3:GetObject", self.arn + "/*"),
                    self.allow("*", "s3:*", effect="Deny", Bool={"aws:SecureTransport": "false"}))
        self.fails("AccessDenied", self.other.get_object, **self.where())
        self.fails("AccessDenied", self.s3.get_object, **self.where())
        self.policy(self.allow(who, ["s3:PutObject", "s3:PutObjectAcl"], self.arn + "/*",
                               StringEquals={"s3:x-amz-acl": "bucket-owner-full-control"}))
        self.other.put_object(ACL="bucket-owner-full-control", **self.where("c"))
        self.fails("AccessDenied", self.other.put_object, **self.where("c"))

    def test_versions_need_their_own_permission(self):
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        v = self.put("v", b"1")["VersionId"]
        self.policy(self.allow({"AWS": OTHER}, "s3:GetObject", self.arn + "/*"))
        self.other.get_object(**self.where("v"))
        self.fails("AccessDenied", self.other.get_object, VersionId=v, **self.where("v"))
        self.policy(self.allow({"AWS": OTHER}, "s3:GetObjectVersion", self.arn + "/*", StringEquals={"s3:VersionId": v}))
        self.other.get_object(VersionId=v, **self.where("v"))
        self.fails("AccessDenied", self.other.get_object, **self.where("v"))

    def test_bypass_is_a_permission(self):
        locked = "l-" + uuid.uuid4().hex[:20]
        self.s3.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
        rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
        self.s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=rule)
        v = self.s3.put_object(Bucket=locked, Key="k")["VersionId"]
        self.bucket, self.arn = locked, f"arn:aws:s3:::{locked}"
        self.policy(self.allow({"AWS": OTHER}, "s3:DeleteObjectVersion", self.arn + "/*"))
        gone = self.where(VersionId=v, BypassGovernanceRetention=True)
        self.fails("AccessDenied", self.other.delete_object, **gone)
        self.policy(self.allow({"AWS": OTHER}, ["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"], self.arn + "/*"))
        self.other.delete_object(**gone)

    def test_bad_policies(self):
        def bad(text, message=None):
            text = text if isinstance(text, str) else json.dumps({"Version": "2012-10-17", "Statement": [text]})
            r = self.fails("MalformedPolicy", self.s3.put_bucket_policy, Bucket=self.bucket, Policy=text)
            if message:
                self.assertEqual(r["Error"]["Message"], message)
        good = self.allow({"AWS": OTHER}, "s3:GetObject", self.arn + "/*")
        bad("hello", "Policies must be valid JSON and the first byte must be '{'")
        bad("{", "Policies must be valid JSON and the first byte must be '{'")
        bad({k: v for k, v in good.items() if k != "Principal"}, "Missing required field Principal")
        bad({**good, "Resource": "arn:aws:s3:::another/*"}, "Policy has invalid resource")
        bad({**good, "Resource": self.arn + "x/*"}, "Policy has invalid resource")
        bad({**good, "Action": "s3:Gibberish"}, "Policy has invalid action")
        bad({**good, "Action": "ec2:RunInstances"}, "Policy has invalid action")
        bad({**good, "Principal": {"AWS": "joe"}}, "Invalid principal in policy")
        bad({**good, "Resource": self.arn}, "Action does not apply to any resource(s) in statement")
        bad({**good, "Action": "s3:ListBucket"}, "Action does not apply to any resource(s) in statement")
        bad({**good, "Effect": "Perhaps"})
        bad(json.dumps({"Version": "2012-10-17", "Statement": [{**good, "Sid": "s" * 21000}]}))
        self.policy(good)
        text = json.loads(self.s3.get_bucket_policy(Bucket=self.bucket)["Policy"])
        self.assertEqual(text["Statement"], [good])
        self.assertFalse(self.s3.get_bucket_policy_status(Bucket=self.bucket)["PolicyStatus"]["IsPublic"])

    def test_users_of_the_account(self):
        iam = self.client(OWNER, "iam")
        name = "u" + uuid.uuid4().hex[:8]
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        user = self.client(key["AccessKeyId"], secret=key["SecretAccessKey"])
        r = self.fails("AccessDenied", user.get_object, **self.where())
        self.assertIn("no identity-based policy allows the s3:GetObject action", r["Error"]["Message"])
        self.policy(self.allow({"AWS": f"arn:aws:iam::{OWNER}:user/{name}"}, "s3:GetObject", self.arn + "/*"))
        user.get_object(**self.where())
        self.fails("AccessDenied", user.put_object, **self.where())
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:PutObject", "Resource": self.arn + "/home/${aws:username}/*"}]}))
        user.put_object(**self.where(f"home/{name}/f"))
        self.fails("AccessDenied", user.put_object, **self.where("home/root/f"))

    # ── ACLs ──

    def test_acls_are_off(self):
        self.fails("AccessControlListNotSupported", self.s3.put_bucket_acl, Bucket=self.bucket, ACL="private")
        self.fails("AccessControlListNotSupported", self.s3.put_object_acl, ACL="public-read", **self.where())
        self.fails("AccessControlListNotSupported", self.put, "n", ACL="public-read")
        self.put("n", ACL="bucket-owner-full-control")
        grants = self.s3.get_object_acl(**self.where("n"))["Grants"]
        self.assertEqual([(g["Grantee"]["Type"], g["Permission"]) for g in grants], [("CanonicalUser", "FULL_CONTROL")])
        self.assertEqual(self.s3.get_bucket_ownership_controls(Bucket=self.bucket)["OwnershipControls"]["Rules"],
                         [{"ObjectOwnership": "BucketOwnerEnforced"}])

    def grants(self, answer):
        return sorted((g["Grantee"].get("ID") or g["Grantee"].get("URI"), g["Permission"]) for g in answer["Grants"])

    def test_canned(self):
        self.acls()
        me = self.id_of(self.s3)
        full = (me, "FULL_CONTROL")
        for acl, more in (("private", []), ("public-read", [(ALL, "READ")]), ("public-read-write", [(ALL, "READ"), (ALL, "WRITE")]),
                          ("authenticated-read", [(AUTHENTICATED, "READ")])):
            self.s3.put_bucket_acl(Bucket=self.bucket, ACL=acl)
            self.assertEqual(self.grants(self.s3.get_bucket_acl(Bucket=self.bucket)), sorted([full, *more]))
            self.s3.put_object_acl(ACL=acl, **self.where())
            self.assertEqual(self.grants(self.s3.get_object_acl(**self.where())), sorted([full, *more]))
            self.put("put", ACL=acl)
            self.assertEqual(self.grants(self.s3.get_object_acl(**self.where("put"))), sorted([full, *more]))
        self.fails("InvalidArgument", self.s3.put_object_acl, ACL="public-ready", **self.where())
        self.fails("InvalidRequest", self.put, "n", ACL="private", GrantRead=f'uri="{ALL}"')

    def test_public_objects(self):
        self.acls()
        self.put("open", b"hello", ACL="public-read")
        self.assertEqual(self.nobody.get_object(**self.where("open"))["Body"].read(), b"hello")
        self.fails("AccessDenied", self.nobody.get_object, **self.where())
        self.fails("AccessDenied", self.nobody.list_objects_v2, Bucket=self.bucket)
        self.s3.put_object_acl(ACL="authenticated-read", **self.where("open"))
        self.fails("AccessDenied", self.nobody.get_object, **self.where("open"))
        self.other.get_object(**self.where("open"))
        self.fails("AccessDenied", self.other.get_object_acl, **self.where("open"))
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="public-read-write")
        self.nobody.list_objects_v2(Bucket=self.bucket)
        self.nobody.put_object(Body=b"anon", Tagging="a=1", **self.where("anon"))
        self.nobody.delete_object(**self.where("anon"))
        block = self.s3.put_public_access_block
        block(Bucket=self.bucket, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
        for who in (self.nobody, self.other):
            self.fails("AccessDenied", who.get_object, **self.where("open"))
            self.fails("AccessDenied", who.list_objects_v2, Bucket=self.bucket)
        block(Bucket=self.bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
        self.other.get_object(**self.where("open"))
        self.fails("AccessDenied", self.put, "n", ACL="public-read")
        self.fails("AccessDenied", self.s3.put_bucket_acl, Bucket=self.bucket, ACL="public-read")
        self.put("n", ACL="bucket-owner-read")

    def test_grants(self):
        self.acls()
        me, they = self.id_of(self.s3), self.id_of(self.other)
        self.s3.put_object_acl(GrantRead=f'id="{they}"', GrantReadACP=f'id="{they}"', **self.where())
        self.assertEqual(self.grants(self.s3.get_object_acl(**self.where())), sorted([(they, "READ"), (they, "READ_ACP")]))
        self.other.get_object(**self.where())
        self.other.get_object_acl(**self.where())
        self.fails("AccessDenied", self.other.put_object_acl, ACL="private", **self.where())
        owner = {"ID": me}
        grantee = lambda **kw: {"Grants": [{"Grantee": kw, "Permission": "READ"}], "Owner": owner}
        put = lambda policy: self.s3.put_object_acl(AccessControlPolicy=policy, **self.where())
        put(grantee(Type="Group", URI=ALL))
        self.nobody.get_object(**self.where())
        put(grantee(Type="CanonicalUser", ID=they))
        self.assertEqual(self.grants(self.s3.get_object_acl(**self.where())), [(they, "READ")])
        self.fails("InvalidArgument", put, grantee(Type="CanonicalUser", ID="f" * 64))
        self.fails("InvalidArgument", put, grantee(Type="Group", URI="http://example.com/x"))
        self.fails("UnresolvableGrantByEmailAddress", put, grantee(Type="AmazonCustomerByEmail", EmailAddress="a@b.c"))
        self.fails("MalformedACLError", put, {"Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": they}, "Permission": "ALL"}],
                                              "Owner": owner})
        self.fails("AccessDenied", put, {"Grants": [], "Owner": {"ID": they}})
        many = [{"Grantee": {"Type": "CanonicalUser", "ID": they}, "Permission": "READ"}] * 101
        self.fails("MalformedACLError", put, {"Grants": many, "Owner": owner})
        self.fails("MissingSecurityHeader", self.s3.put_object_acl, **self.where())
        self.s3.put_bucket_acl(Bucket=self.bucket, GrantWrite=f'id="{they}"', GrantFullControl=f'id="{me}"')
        self.other.put_object(**self.where("theirs"))

    def test_ownership(self):
        self.acls()
        me, they = self.id_of(self.s3), self.id_of(self.other)
        self.s3.put_bucket_acl(Bucket=self.bucket, GrantWrite=f'id="{they}"', GrantFullControl=f'id="{me}"')
        self.other.put_object(Body=b"t", **self.where("theirs"))
        self.other.get_object(**self.where("theirs"))
        self.fails("AccessDenied", self.s3.get_object, **self.where("theirs"))
        self.other.put_object(Body=b"s", ACL="bucket-owner-full-control", **self.where("shared"))
        self.s3.get_object(**self.where("shared"))
        acl = self.s3.get_object_acl(**self.where("shared"))
        self.assertEqual((acl["Owner"]["ID"], len(acl["Grants"])), (they, 2))
        owners = {o["Key"]: o["Owner"]["ID"] for o in self.s3.list_objects(Bucket=self.bucket)["Contents"]}
        self.assertEqual((owners["k"], owners["theirs"]), (me, they))
        self.acls("BucketOwnerPreferred")
        self.other.put_object(ACL="bucket-owner-full-control", **self.where("given"))
        self.assertEqual(self.s3.get_object_acl(**self.where("given"))["Owner"]["ID"], me)
        self.fails("InvalidBucketAclWithObjectOwnership", self.acls, "BucketOwnerEnforced")
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="private")
        self.acls("BucketOwnerEnforced")
        self.s3.get_object(**self.where("theirs"))
        self.fails("AccessDenied", self.other.get_object, **self.where("theirs"))
        self.s3.delete_object(**self.where("theirs"))
        self.s3.delete_bucket_ownership_controls(Bucket=self.bucket)
        self.fails("OwnershipControlsNotFoundError", self.s3.get_bucket_ownership_controls, Bucket=self.bucket)
        self.fails("MalformedXML", self.acls, "Nobody")

    # ── Block Public Access ──

    def test_public_access_block(self):
        get = lambda: self.s3.get_public_access_block(Bucket=self.bucket)["PublicAccessBlockConfiguration"]
        self.assertEqual(set(get().values()), {True})
        self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
        self.assertEqual(get(), {"BlockPublicAcls": True, "IgnorePublicAcls": False, "BlockPublicPolicy": False,
                                 "RestrictPublicBuckets": False})
        self.open()
        self.fails("NoSuchPublicAccessBlockConfiguration", get)

    def test_account_public_access_block(self):
        """With requests of our own: the SDKs put the account before the host's name, which an address does not have."""
        account, path = "333333333333", "/v20180820/configuration/publicAccessBlock"
        ask = lambda method, body=b"", key=account: self.raw(method, path, {"x-amz-account-id": account}, body, key=key)
        owner = self.client(account)
        bucket = "a-" + uuid.uuid4().hex[:20]
        owner.create_bucket(Bucket=bucket)
        owner.delete_public_access_block(Bucket=bucket)
        public = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}]})
        owner.put_bucket_policy(Bucket=bucket, Policy=public)
        owner.put_object(Bucket=bucket, Key="k")
        self.nobody.get_object(Bucket=bucket, Key="k")
        r = ask("GET")
        self.assertEqual((r.code, r.text("Error/Code")), (404, "NoSuchPublicAccessBlockConfiguration"))
        r = ask("PUT", b"<PublicAccessBlockConfiguration xmlns='http://awss3control.amazonaws.com/doc/2018-08-20/'>"
                       b"<BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>"
                       b"</PublicAccessBlockConfiguration>")
        self.assertEqual(r.code, 200)
        r = ask("GET")
        self.assertEqual((r.text("BlockPublicPolicy"), r.text("RestrictPublicBuckets"), r.text("BlockPublicAcls")),
                         ("true", "true", "false"))
        self.fails("AccessDenied", owner.put_bucket_policy, Bucket=bucket, Policy=public)
        self.fails("AccessDenied", self.nobody.get_object, Bucket=bucket, Key="k")
        self.assertEqual(ask("GET", key=OTHER).code, 403)
        self.assertEqual(ask("DELETE").code, 200)
        self.nobody.get_object(Bucket=bucket, Key="k")

    def test_what_is_public(self):
        self.open()

        def public(who="*", **condition):
            self.policy(self.allow(who, "s3:GetObject", self.arn + "/*", **condition))
            return self.s3.get_bucket_policy_status(Bucket=self.bucket)["PolicyStatus"]["IsPublic"]
        self.assertTrue(public())
        self.assertTrue(public({"AWS": "*"}))
        self.assertFalse(public({"AWS": OTHER}))
        self.assertFalse(public(IpAddress={"aws:SourceIp": "10.0.0.0/8"}))
        self.assertTrue(public(IpAddress={"aws:SourceIp": "0.0.0.0/0"}))
        self.assertTrue(public(NotIpAddress={"aws:SourceIp": "10.0.0.0/8"}))
        self.assertFalse(public(StringEquals={"aws:SourceVpc": "vpc-91237329"}))
        self.assertTrue(public(StringLike={"aws:SourceVpc": "vpc-*"}))
        self.assertTrue(public(StringEquals={"aws:UserAgent": "x"}))


if __name__ == "__main__":
    unittest.main()
