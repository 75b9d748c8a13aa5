"""Access points: made by S3 Control, named by alias, by host and by ARN; their policies decide beside the bucket's."""
import json
import unittest
import uuid

from s3case import S3Case, control_client

OWNER, OTHER = "000000000000", "222222222222"


class Points(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.control = control_client(cls.virga)
        cls.other = cls.virga.client("s3", key=OTHER)

    def setUp(self):
        super().setUp()
        self.name = "ap-" + uuid.uuid4().hex[:12]
        made = self.control.create_access_point(AccountId=OWNER, Name=self.name, Bucket=self.bucket)
        self.arn, self.alias = made["AccessPointArn"], made["Alias"]

    def test_made_and_told(self):
        self.assertEqual(self.arn, f"arn:aws:s3:us-east-1:{OWNER}:accesspoint/{self.name}")
        self.assertRegex(self.alias, rf"^{self.name}-[a-z0-9]{{34}}-s3alias$")
        got = self.control.get_access_point(AccountId=OWNER, Name=self.name)
        self.assertEqual((got["Bucket"], got["NetworkOrigin"], got["Alias"]), (self.bucket, "Internet", self.alias))
        self.assertTrue(all(got["PublicAccessBlockConfiguration"].values()))
        listed = self.control.list_access_points(AccountId=OWNER, Bucket=self.bucket)["AccessPointList"]
        self.assertEqual([p["Name"] for p in listed], [self.name])
        self.fails("AccessPointAlreadyOwnedByYou", self.control.create_access_point, AccountId=OWNER, Name=self.name,
                   Bucket=self.bucket)
        self.fails("InvalidRequest", self.control.create_access_point, AccountId=OWNER, Name="Big_Name", Bucket=self.bucket)
        self.fails("NoSuchBucket", self.control.create_access_point, AccountId=OWNER, Name="some-point", Bucket="none-such")
        self.fails("AccessDenied", self.control.get_access_point, AccountId=OTHER, Name=self.name)
        self.fails("BucketHasAccessPointsAttached", self.s3.delete_bucket, Bucket=self.bucket)
        self.control.delete_access_point(AccountId=OWNER, Name=self.name)
        self.fails("NoSuchAccessPoint", self.control.get_access_point, AccountId=OWNER, Name=self.name)
        self.fails("NoSuchBucket", self.s3.list_objects_v2, Bucket=self.alias)
        self.s3.delete_bucket(Bucket=self.bucket)

    def test_tags(self):
        def listed(arn):
            return {t["Key"]: t["Value"] for t in self.control.list_tags_for_resource(AccountId=OWNER, ResourceArn=arn)["Tags"]}
        made = self.control.create_access_point(AccountId=OWNER, Name=self.name + "-t", Bucket=self.bucket, Tags=[{"Key": "a", "Value": "1"}])
        for arn, had in ((made["AccessPointArn"], {"a": "1"}), (f"arn:aws:s3:::{self.bucket}", {})):
            self.assertEqual(listed(arn), had)
            self.control.tag_resource(AccountId=OWNER, ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}])
            self.assertEqual(listed(arn), {"a": "2", "b": "3"})
            self.control.untag_resource(AccountId=OWNER, ResourceArn=arn, TagKeys=["a", "none"])
            self.assertEqual(listed(arn), {"b": "3"})
            self.fails("InvalidRequest", self.control.tag_resource, AccountId=OWNER, ResourceArn=arn, Tags=[{"Key": "aws:x", "Value": ""}])
        self.assertEqual(self.s3.get_bucket_tagging(Bucket=self.bucket)["TagSet"], [{"Key": "b", "Value": "3"}])
        self.fails("NoSuchAccessPoint", listed, self.arn + "-none")
        self.fails("NoSuchBucket", listed, "arn:aws:s3:::none-such-bucket")

    def test_pages(self):
        more = [f"{self.name}-{i}" for i in range(3)]
        for n in more:
            self.control.create_access_point(AccountId=OWNER, Name=n, Bucket=self.bucket)
        first = self.control.list_access_points(AccountId=OWNER, Bucket=self.bucket, MaxResults=3)
        rest = self.control.list_access_points(AccountId=OWNER, Bucket=self.bucket, NextToken=first["NextToken"])
        self.assertEqual([p["Name"] for p in first["AccessPointList"] + rest["AccessPointList"]], [self.name, *more])

    def test_addressed(self):
        self.s3.put_object(Bucket=self.alias, Key="a/b", Body=b"through the alias")
        self.assertEqual(self.read("a/b"), b"through the alias")
        self.assertEqual([o["Key"] for o in self.s3.list_objects_v2(Bucket=self.alias)["Contents"]], ["a/b"])
        self.s3.head_bucket(Bucket=self.alias)
        host = f"{self.name}-{OWNER}.s3-accesspoint.us-east-1.localhost:{self.virga.port}"
        answer = self.raw("GET", "/a/b", host=host, key=OWNER)
        self.assertEqual((answer.code, answer.body), (200, b"through the alias"))
        self.put("source", b"copied")
        self.s3.copy_object(Bucket=self.bucket, Key="copy", CopySource=f"{self.arn}/object/source")
        self.assertEqual(self.read("copy"), b"copied")
        upload = self.s3.create_multipart_upload(Bucket=self.alias, Key="m")["UploadId"]
        part = self.s3.upload_part(Bucket=self.alias, Key="m", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
        self.s3.complete_multipart_upload(Bucket=self.alias, Key="m", UploadId=upload,
                                          MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]})
        self.assertEqual(self.read("m"), b"part")
        self.fails("MethodNotAllowed", self.s3.put_bucket_versioning, Bucket=self.alias,
                   VersioningConfiguration={"Status": "Enabled"})

    def allow(self, *actions, **condition):
        return {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": list(actions), **condition}

    def test_policies_of_both(self):
        self.put("k", b"v")
        own = {"Version": "2012-10-17", "Statement": [self.allow("s3:GetObject", Resource=f"{self.arn}/object/k")]}
        delegated = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "*",
             "Resource": [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"],
             "Condition": {"StringEquals": {"s3:DataAccessPointAccount": OWNER}}}]}
        self.fails("AccessDenied", self.other.get_object, Bucket=self.alias, Key="k")
        self.control.put_access_point_policy(AccountId=OWNER, Name=self.name, Policy=json.dumps(own))
        self.fails("AccessDenied", self.other.get_object, Bucket=self.alias, Key="k")
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(delegated))
        self.assertEqual(self.other.get_object(Bucket=self.alias, Key="k")["Body"].read(), b"v")
        self.fails("AccessDenied", self.other.get_object, Bucket=self.bucket, Key="k")
        self.fails("AccessDenied", self.other.get_object, Bucket=self.alias, Key="other")
        self.fails("AccessDenied", self.other.put_object, Bucket=self.alias, Key="k")
        got = self.control.get_access_point_policy(AccountId=OWNER, Name=self.name)["Policy"]
        self.assertEqual(json.loads(got), own)
        status = self.control.get_access_point_policy_status(AccountId=OWNER, Name=self.name)["PolicyStatus"]
        self.assertFalse(status["IsPublic"])
        self.control.delete_access_point_policy(AccountId=OWNER, Name=self.name)
        self.fails("AccessDenied", self.other.get_object, Bucket=self.alias, Key="k")
        self.fails("NoSuchAccessPointPolicy", self.control.get_access_point_policy, AccountId=OWNER, Name=self.name)

    def test_policies_refused(self):
        def put(statement):
            self.control.put_access_point_policy(AccountId=OWNER, Name=self.name, Policy=json.dumps(
                {"Version": "2012-10-17", "Statement": [statement]}))
        self.fails("MalformedPolicy", put, self.allow("s3:GetObject", Resource=f"arn:aws:s3:::{self.bucket}/*"))
        self.fails("AccessDenied", put, {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
                                         "Resource": f"{self.arn}/object/*"})

    def test_of_a_vpc_it_is_closed(self):
        made = self.control.create_access_point(AccountId=OWNER, Name=self.name + "-v", Bucket=self.bucket,
                                                VpcConfiguration={"VpcId": "vpc-12345678"})
        self.fails("AccessDenied", self.s3.list_objects_v2, Bucket=made["Alias"])


if __name__ == "__main__":
    unittest.main()
