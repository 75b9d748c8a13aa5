"""Secrets Manager through boto3: every operation and what it refuses, values sealed by KMS, versions and their labels, replicas,
deletion on the virtual clock, what policies let through, what a crash leaves and what lies in the data folder."""
import concurrent.futures
import json
import os
import random
import re
import string
import subprocess
import time
import unittest
import uuid

from botocore.config import Config
from botocore.exceptions import ClientError

from virga import BINARY, Refusals, Virga

NEEDS_BOTO3 = (1, 40)

ACCOUNT = "000000000000"


class Case(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.sm, cls.kms = cls.virga.client("secretsmanager"), cls.virga.client("kms")

    def create(self, name=None, sm=None, **kw):
        if "SecretBinary" not in kw:
            kw.setdefault("SecretString", "s3cret")
        return (sm or self.sm).create_secret(Name=name or f"n/{uuid.uuid4()}", **kw)

    def value(self, secret, sm=None, **kw):
        return (sm or self.sm).get_secret_value(SecretId=secret, **kw)["SecretString"]

    def stages(self, secret, sm=None):
        """{label: version}"""
        d = (sm or self.sm).describe_secret(SecretId=secret)
        return {label: v for v, labels in d.get("VersionIdsToStages", {}).items() for label in labels}

    def advance(self, duration):
        run = subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", duration], capture_output=True,
                             text=True)
        self.assertEqual(run.returncode, 0, run.stderr)


class Secrets(Case):
    def test_create_and_read(self):
        s = self.create("app/db", Description="d", Tags=[{"Key": "a", "Value": "1"}])
        self.assertRegex(s["ARN"], rf"^arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:app/db-[A-Za-z0-9]{{6}}$")
        for name in ("app/db", s["ARN"], s["ARN"][:-7]):
            v = self.sm.get_secret_value(SecretId=name)
            self.assertEqual((v["SecretString"], v["VersionId"], v["VersionStages"], v["Name"], v["ARN"]),
                             ("s3cret", s["VersionId"], ["AWSCURRENT"], "app/db", s["ARN"]))
        d = self.sm.describe_secret(SecretId="app/db")
        self.assertEqual(d["VersionIdsToStages"], {s["VersionId"]: ["AWSCURRENT"]})
        self.assertEqual((d["Description"], d["Tags"]), ("d", [{"Key": "a", "Value": "1"}]))
        for absent in ("KmsKeyId", "RotationEnabled", "DeletedDate", "ReplicationStatus", "PrimaryRegion"):
            self.assertNotIn(absent, d)
        self.assertEqual((d["LastAccessedDate"].hour, d["LastAccessedDate"].minute), (0, 0))
        other = self.virga.client("secretsmanager", region="eu-west-1")
        self.refused("ResourceNotFoundException", other.get_secret_value, SecretId="app/db")
        self.refused("ResourceNotFoundException", self.sm.get_secret_value, SecretId=s["ARN"][:-6] + "AAAAAA")

    def test_binary(self):
        blob = bytes(range(256))
        s = self.create(SecretBinary=blob)
        v = self.sm.get_secret_value(SecretId=s["ARN"])
        self.assertEqual(v["SecretBinary"], blob)
        self.assertNotIn("SecretString", v)

    def test_without_value(self):
        s = self.sm.create_secret(Name="empty")
        self.assertNotIn("VersionId", s)
        self.assertNotIn("VersionIdsToStages", self.sm.describe_secret(SecretId="empty"))
        self.assertEqual(self.refused("ResourceNotFoundException", self.sm.get_secret_value, SecretId="empty"),
                         "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT")
        v = self.sm.put_secret_value(SecretId="empty", SecretString="x", VersionStages=["MINE"])
        self.assertEqual(v["VersionStages"], ["AWSCURRENT", "MINE"])

    def test_refusals(self):
        s = self.create("taken")
        self.assertEqual(self.refused("ResourceExistsException", self.sm.create_secret, Name="taken", SecretString="other"),
                         "The operation failed because the secret taken already exists.")
        self.assertIn("Invalid name.", self.refused("ValidationException", self.sm.create_secret, Name="a b"))
        self.refused("InvalidParameterException", self.sm.create_secret, Name="both", SecretString="a", SecretBinary=b"b")
        self.refused("InvalidRequestException", self.sm.put_secret_value, SecretId="taken")
        self.assertEqual(self.refused("ResourceNotFoundException", self.sm.get_secret_value, SecretId="nobody"),
                         "Secrets Manager can't find the specified secret.")
        self.assertIn("VersionId", self.refused("ResourceNotFoundException", self.sm.get_secret_value, SecretId="taken",
                                                VersionId=str(uuid.uuid4())))
        for tag in ([{"Key": "aws:x", "Value": "1"}], [{"Key": "a", "Value": "1"}] * 2,
                    [{"Key": str(i), "Value": ""} for i in range(51)]):
            self.refused("InvalidParameterException", self.sm.create_secret, Name="tags", SecretString="x", Tags=tag)
        self.refused("ValidationException", self.sm.create_secret, Name="x" * 513)
        self.refused("EncryptionFailure", self.sm.create_secret, Name="k", SecretString="x", KmsKeyId="alias/nobody")
        self.refused("ResourceNotFoundException", self.sm.describe_secret, SecretId="k")
        unchecked = self.virga.client("secretsmanager", config=Config(parameter_validation=False))
        self.assertEqual(self.sm.put_secret_value(SecretId="taken", SecretString="x" * 65536)["ARN"], s["ARN"])
        self.refused("ValidationException", unchecked.put_secret_value, SecretId="taken", SecretString="x" * 65537)
        # Bytes count, not characters.
        self.refused("ValidationException", unchecked.put_secret_value, SecretId="taken", SecretString="\u00e9" * 40000)

    def test_token(self):
        token = str(uuid.uuid4())
        s = self.create("again", ClientRequestToken=token)
        self.assertEqual(s["VersionId"], token)
        self.assertEqual(self.create("again", ClientRequestToken=token)["ARN"], s["ARN"])
        self.refused("ResourceExistsException", self.create, name="again", ClientRequestToken=token, SecretString="other")
        self.refused("ResourceExistsException", self.create, name="again")
        self.sm.put_secret_value(SecretId="again", SecretString="new")
        self.sm.put_secret_value(SecretId="again", ClientRequestToken=token, SecretString="s3cret")
        self.assertEqual(self.value("again"), "new")
        self.refused("ResourceExistsException", self.sm.put_secret_value, SecretId="again", ClientRequestToken=token,
                     SecretString="other")
        self.refused("ResourceExistsException", self.sm.put_secret_value, SecretId="again", ClientRequestToken=token,
                     SecretBinary=b"s3cret")

    def test_update(self):
        s = self.create("updated", Description="old")
        self.assertNotIn("VersionId", self.sm.update_secret(SecretId="updated", Description="new"))
        self.assertEqual(self.sm.describe_secret(SecretId="updated")["Description"], "new")
        v = self.sm.update_secret(SecretId="updated", SecretString="two")["VersionId"]
        self.assertEqual(self.stages("updated"), {"AWSCURRENT": v, "AWSPREVIOUS": s["VersionId"]})
        self.assertEqual(self.value("updated"), "two")
        self.assertEqual(self.value("updated", VersionStage="AWSPREVIOUS"), "s3cret")

    def test_tags(self):
        s = self.create("tagged", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        self.sm.tag_resource(SecretId="tagged", Tags=[{"Key": "b", "Value": "3"}, {"Key": "c", "Value": ""}])
        self.sm.untag_resource(SecretId=s["ARN"], TagKeys=["a", "absent"])
        self.assertEqual(self.sm.describe_secret(SecretId="tagged")["Tags"],
                         [{"Key": "b", "Value": "3"}, {"Key": "c", "Value": ""}])
        self.refused("InvalidParameterException", self.sm.tag_resource, SecretId="tagged",
                     Tags=[{"Key": str(i), "Value": ""} for i in range(49)])

    def test_rotation_says_that_it_is_missing(self):
        self.create("rotated")
        function = "arn:aws:lambda:us-east-1:000000000000:function:f"
        for call, kw in ((self.sm.rotate_secret, {"RotationLambdaARN": function}), (self.sm.cancel_rotate_secret, {})):
            with self.assertRaises(ClientError) as caught:
                call(SecretId="rotated", **kw)
            self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 501)
        self.assertNotIn("RotationRules", self.sm.describe_secret(SecretId="rotated"))


class Versions(Case):
    def put(self, secret, value, **kw):
        return self.sm.put_secret_value(SecretId=secret, SecretString=value, **kw)["VersionId"]

    def test_current_and_previous(self):
        a = self.create("v")["VersionId"]
        b = self.put("v", "b")
        c = self.put("v", "c")
        self.assertEqual(self.stages("v"), {"AWSCURRENT": c, "AWSPREVIOUS": b})
        self.assertEqual(self.value("v", VersionId=a), "s3cret")
        listed = self.sm.list_secret_version_ids(SecretId="v")["Versions"]
        self.assertEqual({x["VersionId"] for x in listed}, {b, c})
        self.assertEqual(listed[0]["KmsKeyIds"], ["DefaultEncryptionKey"])
        every = self.sm.list_secret_version_ids(SecretId="v", IncludeDeprecated=True)["Versions"]
        self.assertEqual([x["VersionId"] for x in every if "VersionStages" not in x], [a])
        pages, token = [], {}
        while not pages or token:
            pages.append(self.sm.list_secret_version_ids(SecretId="v", IncludeDeprecated=True, MaxResults=1, **token))
            token = {"NextToken": pages[-1]["NextToken"]} if "NextToken" in pages[-1] else {}
        self.assertEqual({x["VersionId"] for p in pages for x in p["Versions"]}, {a, b, c})
        self.assertEqual([len(p["Versions"]) for p in pages], [1, 1, 1])
        self.refused("InvalidNextTokenException", self.sm.list_secret_version_ids, SecretId="v", NextToken="bm9ib2R5")

    def test_pending(self):
        a = self.create("p")["VersionId"]
        b = self.put("p", "b", VersionStages=["AWSPENDING"])
        self.assertEqual(self.stages("p"), {"AWSCURRENT": a, "AWSPENDING": b})
        self.assertEqual(self.value("p"), "s3cret")
        self.assertEqual(self.value("p", VersionStage="AWSPENDING"), "b")
        self.assertEqual(self.value("p", VersionStage="AWSPENDING", VersionId=b), "b")
        self.assertEqual(self.refused("InvalidRequestException", self.sm.get_secret_value, SecretId="p", VersionId=a,
                                      VersionStage="AWSPENDING"),
                         "You provided a VersionStage that is not associated to the provided VersionId.")
        move = self.sm.update_secret_version_stage
        self.assertIn("RemoveFromVersionId can't be empty",
                      self.refused("InvalidParameterException", move, SecretId="p", VersionStage="AWSCURRENT",
                              MoveToVersionId=b))
        move(SecretId="p", VersionStage="AWSCURRENT", MoveToVersionId=b, RemoveFromVersionId=a)
        self.assertEqual(self.stages("p"), {"AWSCURRENT": b, "AWSPENDING": b, "AWSPREVIOUS": a})
        self.refused("InvalidParameterException", move, SecretId="p", VersionStage="AWSCURRENT", RemoveFromVersionId=b)
        self.refused("InvalidParameterException", move, SecretId="p", VersionStage="AWSPENDING", RemoveFromVersionId=a)
        self.refused("InvalidParameterException", move, SecretId="p", VersionStage="AWSPENDING")
        self.refused("ResourceNotFoundException", move, SecretId="p", VersionStage="X", MoveToVersionId=str(uuid.uuid4()))
        move(SecretId="p", VersionStage="AWSPENDING", RemoveFromVersionId=b)
        move(SecretId="p", VersionStage="MINE", MoveToVersionId=a)
        self.assertEqual(self.stages("p"), {"AWSCURRENT": b, "AWSPREVIOUS": a, "MINE": a})
        # Back: the label that stood for the old one goes to the new one.
        move(SecretId="p", VersionStage="AWSCURRENT", MoveToVersionId=a, RemoveFromVersionId=b)
        self.assertEqual(self.stages("p"), {"AWSCURRENT": a, "AWSPREVIOUS": b, "MINE": a})
        # At most 20 labels a version.
        for i in range(18):
            move(SecretId="p", VersionStage=f"L{i}", MoveToVersionId=a)
        self.refused("LimitExceededException", move, SecretId="p", VersionStage="L18", MoveToVersionId=a)

    def test_hundred_versions(self):
        self.create("many")
        for i in range(99):
            self.put("many", str(i))
        self.refused("LimitExceededException", self.sm.put_secret_value, SecretId="many", SecretString="one too many")
        self.assertEqual(self.value("many"), "98")
        self.advance("25h")
        self.put("many", "100")
        every = self.sm.list_secret_version_ids(SecretId="many", IncludeDeprecated=True)["Versions"]
        self.assertEqual(len(every), 100)
        self.assertEqual((self.value("many"), self.value("many", VersionStage="AWSPREVIOUS")), ("100", "98"))


class Keys(Case):
    def test_own_key(self):
        key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        s = self.create("own", KmsKeyId=key)
        self.assertEqual(self.sm.describe_secret(SecretId="own")["KmsKeyId"], key)
        listed = self.sm.list_secret_version_ids(SecretId="own")["Versions"]
        self.assertEqual(listed[0]["KmsKeyIds"], [key])
        self.kms.disable_key(KeyId=key)
        self.assertIn("is disabled", self.refused("DecryptionFailure", self.sm.get_secret_value, SecretId="own"))
        self.refused("EncryptionFailure", self.sm.put_secret_value, SecretId="own", SecretString="x")
        self.refused("DecryptionFailure", self.sm.update_secret, SecretId="own", KmsKeyId="alias/aws/secretsmanager")
        batch = self.sm.batch_get_secret_value(SecretIdList=["own"])
        self.assertEqual((batch["SecretValues"], batch["Errors"][0]["ErrorCode"]), ([], "DecryptionFailure"))
        self.kms.enable_key(KeyId=key)
        self.assertEqual(self.value("own"), "s3cret")
        # Another key: the old one is needed no more.
        other = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.sm.update_secret(SecretId="own", KmsKeyId=other)
        self.kms.disable_key(KeyId=key)
        self.assertEqual(self.value("own"), "s3cret")
        self.assertEqual(self.sm.describe_secret(SecretId=s["ARN"])["KmsKeyId"], other)
        self.sm.update_secret(SecretId="own", KmsKeyId="")
        self.kms.disable_key(KeyId=other)
        self.assertEqual(self.value("own"), "s3cret")
        self.assertNotIn("KmsKeyId", self.sm.describe_secret(SecretId="own"))

    def test_default_key_is_made_on_first_use(self):
        self.create()
        aliases = [a["AliasName"] for a in self.kms.list_aliases()["Aliases"] if "TargetKeyId" in a]
        self.assertIn("alias/aws/secretsmanager", aliases)


class Deletion(Case):
    def test_window(self):
        s = self.create("gone")
        d = self.sm.delete_secret(SecretId="gone", RecoveryWindowInDays=7)
        described = self.sm.describe_secret(SecretId="gone")
        self.assertEqual(described["DeletedDate"], d["DeletionDate"])
        self.assertEqual(self.refused("InvalidRequestException", self.sm.get_secret_value, SecretId="gone"),
                         "You can't perform this operation on the secret because it was marked for deletion.")
        self.refused("InvalidRequestException", self.sm.put_secret_value, SecretId="gone", SecretString="x")
        self.refused("InvalidRequestException", self.sm.update_secret, SecretId="gone", Description="x")
        self.refused("InvalidRequestException", self.sm.delete_secret, SecretId="gone")
        self.assertIn("scheduled for deletion", self.refused("InvalidRequestException", self.create, name="gone"))
        self.assertNotIn("gone", [x["Name"] for x in self.sm.list_secrets()["SecretList"]])
        self.assertIn("gone", [x["Name"] for x in self.sm.list_secrets(IncludePlannedDeletion=True)["SecretList"]])
        self.advance("6d")
        self.assertEqual(self.sm.restore_secret(SecretId="gone")["ARN"], s["ARN"])
        self.advance("2d")
        self.assertEqual(self.value("gone"), "s3cret")
        self.assertNotIn("DeletedDate", self.sm.describe_secret(SecretId="gone"))
        self.sm.delete_secret(SecretId="gone", RecoveryWindowInDays=7)
        self.virga.kill()
        self.virga.start(self.virga.port)
        self.advance("6d")
        self.sm.describe_secret(SecretId="gone")
        self.advance("2d")
        self.refused("ResourceNotFoundException", self.sm.describe_secret, SecretId="gone")
        again = self.create("gone")
        self.assertNotEqual(again["ARN"], s["ARN"])

    def test_force(self):
        self.create("now")
        self.sm.delete_secret(SecretId="now", RecoveryWindowInDays=30)
        self.sm.delete_secret(SecretId="now", ForceDeleteWithoutRecovery=True)
        self.refused("ResourceNotFoundException", self.sm.describe_secret, SecretId="now")
        self.assertEqual(self.sm.delete_secret(SecretId="now", ForceDeleteWithoutRecovery=True)["Name"], "now")
        self.create("now")
        self.advance("31d")
        self.assertEqual(self.value("now"), "s3cret")

    def test_refusals(self):
        self.create("d")
        for days in (6, 31):
            self.assertIn("between 7 and 30", self.refused("InvalidParameterException", self.sm.delete_secret, SecretId="d",
                                                           RecoveryWindowInDays=days))
        self.refused("InvalidParameterException", self.sm.delete_secret, SecretId="d", RecoveryWindowInDays=7,
                     ForceDeleteWithoutRecovery=True)
        self.refused("ResourceNotFoundException", self.sm.delete_secret, SecretId="nobody")
        self.refused("ResourceNotFoundException", self.sm.restore_secret, SecretId="nobody")


class Lists(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for i, (name, description, tags) in enumerate((
                ("prod/db", "The database of production", {"env": "prod", "Team": "red"}),
                ("prod/api", "API key", {"env": "prod"}), ("dev/db", "database", {"env": "dev"}), ("Other", "", {}))):
            cls.sm.create_secret(Name=name, Description=description, SecretString=f"v{i}",
                                 Tags=[{"Key": k, "Value": v} for k, v in tags.items()])

    def names(self, *filters, **kw):
        found = self.sm.list_secrets(Filters=[{"Key": k, "Values": v} for k, *v in filters], **kw)["SecretList"]
        return [s["Name"] for s in found]

    def test_filters(self):
        for expected, *filters in (
                ({"prod/db", "prod/api"}, ("name", "prod/")), (set(), ("name", "PROD")), ({"prod/db", "Other"},
                        ("name", "prod/d", "O")),
                ({"dev/db", "Other"}, ("name", "!prod")), ({"prod/db", "dev/db"}, ("description", "DATA")),
                ({"prod/db", "prod/api", "dev/db"}, ("tag-key", "env")), ({"prod/db"}, ("tag-key", "Team")), (set(),
                        ("tag-key", "team")),
                ({"dev/db"}, ("tag-value", "dev")), ({"prod/db"}, ("tag-value", "prod"), ("description", "database")),
                ({"prod/api"}, ("all", "api")), ({"prod/db"}, ("all", "RED")), ({"prod/db", "prod/api"}, ("tag-value",
                        "!dev"), ("tag-key", "env")),
                (set(), ("owning-service", "rds")), (set(), ("primary-region", "us"))):
            self.assertEqual(set(self.names(*filters)), expected, filters)

    def test_order_and_pages(self):
        created = ["prod/db", "prod/api", "dev/db", "Other"]
        self.assertEqual(self.names(SortOrder="asc"), created)
        self.assertEqual(self.names(), created[::-1])
        self.assertEqual(self.names(SortOrder="asc", SortBy="name"), sorted(created))
        self.assertEqual(self.names(SortOrder="desc", SortBy="name"), sorted(created, reverse=True))
        pages = list(self.sm.get_paginator("list_secrets").paginate(SortBy="name", SortOrder="asc",
                PaginationConfig={"PageSize": 3}))
        self.assertEqual([[s["Name"] for s in p["SecretList"]] for p in pages], [sorted(created)[:3], sorted(created)[3:]])
        self.refused("InvalidNextTokenException", self.sm.list_secrets, NextToken="!")

    def test_batch(self):
        b = self.sm.batch_get_secret_value(SecretIdList=["prod/db", "nobody", "Other"])
        self.assertEqual([v["SecretString"] for v in b["SecretValues"]], ["v0", "v3"])
        self.assertEqual([(e["SecretId"], e["ErrorCode"]) for e in b["Errors"]], [("nobody", "ResourceNotFoundException")])
        prod = [{"Key": "name", "Values": ["prod"]}]
        one = self.sm.batch_get_secret_value(Filters=prod, MaxResults=1)
        two = self.sm.batch_get_secret_value(Filters=prod, MaxResults=1, NextToken=one["NextToken"])
        self.assertEqual({one["SecretValues"][0]["SecretString"], two["SecretValues"][0]["SecretString"]}, {"v0", "v1"})
        self.assertNotIn("NextToken", two)
        self.refused("InvalidParameterException", self.sm.batch_get_secret_value)
        self.refused("InvalidParameterException", self.sm.batch_get_secret_value, SecretIdList=["Other"], Filters=prod)
        self.refused("InvalidParameterException", self.sm.batch_get_secret_value, SecretIdList=["Other"], MaxResults=2)


class Passwords(Case):
    def password(self, **kw):
        return self.sm.get_random_password(**kw)["RandomPassword"]

    def test_options(self):
        lower, upper, digits, marks = map(set, (string.ascii_lowercase, string.ascii_uppercase, string.digits,
                string.punctuation))
        for _ in range(20):
            p = set(self.password(PasswordLength=4))
            self.assertTrue(p & lower and p & upper and p & digits and p & marks, p)
        self.assertEqual(len(self.password()), 32)
        long = set(self.password(PasswordLength=4096))
        self.assertEqual(long, lower | upper | digits | marks)
        self.assertEqual(set(self.password(PasswordLength=4096, IncludeSpace=True)), long | {" "})
        self.assertEqual(set(self.password(PasswordLength=4096, ExcludeLowercase=True)), long - lower)
        self.assertEqual(set(self.password(PasswordLength=4096, ExcludeUppercase=True)), long - upper)
        self.assertEqual(set(self.password(PasswordLength=4096, ExcludeNumbers=True)), long - digits)
        self.assertEqual(set(self.password(PasswordLength=4096, ExcludePunctuation=True)), long - marks)
        self.assertEqual(set(self.password(PasswordLength=4096, ExcludeCharacters="aZ5\"\\/@")), long - set("aZ5\"\\/@"))
        self.assertEqual(len(self.password(PasswordLength=1, RequireEachIncludedType=False)), 1)
        self.assertNotEqual(self.password(), self.password())

    def test_refusals(self):
        self.assertIn("too short", self.refused("InvalidParameterException", self.password, PasswordLength=3))
        self.refused("InvalidParameterException", self.password, ExcludeLowercase=True, ExcludeUppercase=True,
                ExcludeNumbers=True,
                     ExcludePunctuation=True)
        unchecked = self.virga.client("secretsmanager", config=Config(parameter_validation=False))
        for n in (0, 4097):
            self.refused("ValidationException", unchecked.get_random_password, PasswordLength=n)


class Replicas(Case):
    def setUp(self):
        self.eu, self.ap = (self.virga.client("secretsmanager", region=r) for r in ("eu-west-1", "ap-south-1"))

    def test_follow(self):
        s = self.create("r", AddReplicaRegions=[{"Region": "eu-west-1"}])
        self.assertEqual([(r["Region"], r["Status"]) for r in s["ReplicationStatus"]], [("eu-west-1", "InSync")])
        self.assertEqual(self.value("r", self.eu), "s3cret")
        d = self.eu.describe_secret(SecretId="r")
        self.assertEqual((d["PrimaryRegion"], d["ARN"]), ("us-east-1", s["ARN"].replace("us-east-1", "eu-west-1")))
        v = self.sm.put_secret_value(SecretId="r", SecretString="two")["VersionId"]
        self.sm.tag_resource(SecretId="r", Tags=[{"Key": "k", "Value": "v"}])
        self.sm.put_resource_policy(SecretId="r", ResourcePolicy=POLICY)
        self.sm.replicate_secret_to_regions(SecretId="r", AddReplicaRegions=[{"Region": "ap-south-1"}])
        for there in (self.eu, self.ap):
            self.assertEqual(self.value("r", there), "two")
            self.assertEqual(self.value("r", there, VersionStage="AWSPREVIOUS"), "s3cret")
            self.assertEqual(self.stages("r", there)["AWSCURRENT"], v)
            self.assertEqual(there.describe_secret(SecretId="r")["Tags"], [{"Key": "k", "Value": "v"}])
            self.assertEqual(json.loads(there.get_resource_policy(SecretId="r")["ResourcePolicy"]), json.loads(POLICY))
        self.assertIn("replica secret", self.refused("InvalidRequestException", self.eu.put_secret_value, SecretId="r",
                SecretString="x"))
        self.refused("InvalidRequestException", self.eu.delete_secret, SecretId="r")
        self.assertIn("still has replica regions", self.refused("InvalidRequestException", self.sm.delete_secret,
                SecretId="r"))
        self.refused("InvalidParameterException", self.sm.replicate_secret_to_regions, SecretId="r",
                     AddReplicaRegions=[{"Region": "us-east-1"}])
        # One becomes a secret of its own, the other goes.
        self.refused("InvalidRequestException", self.sm.stop_replication_to_replica, SecretId="r")
        self.eu.stop_replication_to_replica(SecretId="r")
        left = self.sm.remove_regions_from_replication(SecretId="r", RemoveReplicaRegions=["ap-south-1"])
        self.assertEqual(left["ReplicationStatus"], [])
        self.refused("ResourceNotFoundException", self.ap.describe_secret, SecretId="r")
        self.sm.put_secret_value(SecretId="r", SecretString="three")
        self.assertEqual(self.value("r", self.eu), "two")
        self.eu.put_secret_value(SecretId="r", SecretString="own")
        self.assertEqual((self.value("r", self.eu), self.value("r")), ("own", "three"))
        self.assertNotIn("PrimaryRegion", self.eu.describe_secret(SecretId="r"))
        self.sm.delete_secret(SecretId="r", ForceDeleteWithoutRecovery=True)
        self.assertEqual(self.value("r", self.eu), "own")

    def test_in_the_way(self):
        self.create("way", sm=self.eu, SecretString="theirs")
        s = self.create("way", AddReplicaRegions=[{"Region": "eu-west-1"}])
        self.assertEqual(s["ReplicationStatus"][0]["Status"], "Failed")
        self.assertIn("already exists", s["ReplicationStatus"][0]["StatusMessage"])
        self.sm.put_secret_value(SecretId="way", SecretString="two")
        self.assertEqual(self.value("way", self.eu), "theirs")
        r = self.sm.replicate_secret_to_regions(SecretId="way", AddReplicaRegions=[{"Region": "eu-west-1"}],
                                                ForceOverwriteReplicaSecret=True)
        self.assertEqual(r["ReplicationStatus"][0]["Status"], "InSync")
        self.assertEqual(self.value("way", self.eu), "two")

    def test_key_of_the_region(self):
        kms = self.virga.client("kms", region="eu-west-1")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        self.create("keyed", AddReplicaRegions=[{"Region": "eu-west-1", "KmsKeyId": key}])
        self.assertEqual(self.eu.describe_secret(SecretId="keyed")["KmsKeyId"], key)
        kms.disable_key(KeyId=key)
        self.refused("DecryptionFailure", self.eu.get_secret_value, SecretId="keyed")
        self.assertEqual(self.value("keyed"), "s3cret")
        self.sm.put_secret_value(SecretId="keyed", SecretString="two")
        status = self.sm.describe_secret(SecretId="keyed")["ReplicationStatus"][0]
        self.assertEqual(status["Status"], "Failed")
        kms.enable_key(KeyId=key)
        self.sm.replicate_secret_to_regions(SecretId="keyed", AddReplicaRegions=[{"Region": "eu-west-1", "KmsKeyId": key}])
        self.assertEqual(self.value("keyed", self.eu), "two")


POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "secretsmanager:GetSecretValue",
    "Resource": "*"}]})
PUBLIC = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]})


class Policies(Case):
    def test_documents(self):
        s = self.create("pol")
        self.assertNotIn("ResourcePolicy", self.sm.get_resource_policy(SecretId="pol"))
        self.assertEqual(self.sm.put_resource_policy(SecretId="pol", ResourcePolicy=POLICY)["ARN"], s["ARN"])
        self.assertEqual(json.loads(self.sm.get_resource_policy(SecretId="pol")["ResourcePolicy"]), json.loads(POLICY))
        self.refused("PublicPolicyException", self.sm.put_resource_policy, SecretId="pol", ResourcePolicy=PUBLIC,
                     BlockPublicPolicy=True)
        narrow = json.loads(PUBLIC)
        narrow["Statement"][0]["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
        self.sm.put_resource_policy(SecretId="pol", ResourcePolicy=json.dumps(narrow), BlockPublicPolicy=True)
        for bad in ("{", '{"Version":"2012-10-17","Statement":[{"Effect":"Maybe"}]}'):
            self.refused("MalformedPolicyDocumentException", self.sm.put_resource_policy, SecretId="pol", ResourcePolicy=bad)
            self.refused("MalformedPolicyDocumentException", self.sm.validate_resource_policy, ResourcePolicy=bad)
        self.assertEqual(json.loads(self.sm.get_resource_policy(SecretId="pol")["ResourcePolicy"]), narrow)
        self.assertTrue(self.sm.validate_resource_policy(SecretId="pol", ResourcePolicy=POLICY)["PolicyValidationPassed"])
        v = self.sm.validate_resource_policy(ResourcePolicy=PUBLIC)
        self.assertEqual((v["PolicyValidationPassed"], len(v["ValidationErrors"])), (False, 1))
        self.sm.delete_resource_policy(SecretId="pol")
        self.assertNotIn("ResourcePolicy", self.sm.get_resource_policy(SecretId="pol"))


def allow(actions, resources="*", **more):
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Enforced(Case):
    """What IAM and resource policies say of secrets counts."""

    def user(self, *statements, account="test"):
        """(ARN, client) of a new user with these statements."""
        iam, name = self.virga.client("iam", account), f"u-{uuid.uuid4().hex[:8]}"
        arn = iam.create_user(UserName=name)["User"]["Arn"]
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return arn, self.virga.client("secretsmanager", key["AccessKeyId"], key["SecretAccessKey"])

    def test_identity(self):
        a, b = self.create("e/a", Tags=[{"Key": "team", "Value": "red"}]), self.create("e/b")
        _, sm = self.user(allow(["secretsmanager:GetSecretValue", "secretsmanager:ListSecrets",
                "secretsmanager:BatchGetSecretValue"],
                                f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:e/a-??????"),
                          allow(["secretsmanager:ListSecrets", "secretsmanager:BatchGetSecretValue"]))
        for name in ("e/a", a["ARN"], a["ARN"][:-7]):
            self.assertEqual(self.value(name, sm), "s3cret")
        for name in ("e/b", b["ARN"], b["ARN"][:-7], "nobody"):
            self.assertIn("secretsmanager:GetSecretValue", self.refused("AccessDeniedException", sm.get_secret_value,
                    SecretId=name))
        self.refused("AccessDeniedException", sm.put_secret_value, SecretId="e/a", SecretString="x")
        # A batch needs each of its secrets.
        self.assertEqual(sm.batch_get_secret_value(SecretIdList=["e/a"])["SecretValues"][0]["SecretString"], "s3cret")
        self.refused("AccessDeniedException", sm.batch_get_secret_value, SecretIdList=["e/a", "e/b"])
        self.refused("AccessDeniedException", sm.batch_get_secret_value, Filters=[{"Key": "name", "Values": ["e/"]}])
        got = sm.batch_get_secret_value(Filters=[{"Key": "name", "Values": ["e/a"]}])
        self.assertEqual([v["Name"] for v in got["SecretValues"]], ["e/a"])
        # By tag, by label, by what is asked for.
        _, sm = self.user(allow("secretsmanager:GetSecretValue", Condition={"StringEquals": {"aws:ResourceTag/team": "red"}}))
        self.assertEqual(self.value("e/a", sm), "s3cret")
        self.refused("AccessDeniedException", sm.get_secret_value, SecretId="e/b")
        _, sm = self.user(allow("secretsmanager:GetSecretValue",
                Condition={"StringEquals": {"secretsmanager:VersionStage": "AWSCURRENT"}}))
        self.assertEqual(self.value("e/b", sm), "s3cret")
        self.refused("AccessDeniedException", sm.get_secret_value, SecretId="e/b", VersionStage="AWSPREVIOUS")
        _, sm = self.user(allow("secretsmanager:CreateSecret", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:mine/*"))
        sm.create_secret(Name="mine/x", SecretString="x")
        self.refused("AccessDeniedException", sm.create_secret, Name="theirs/x", SecretString="x")
        _, sm = self.user(allow("secretsmanager:DeleteSecret",
                Condition={"Bool": {"secretsmanager:ForceDeleteWithoutRecovery": "false"}}))
        self.refused("AccessDeniedException", sm.delete_secret, SecretId="e/b", ForceDeleteWithoutRecovery=True)
        sm.delete_secret(SecretId="e/b", RecoveryWindowInDays=7)

    def test_resource_policy(self):
        self.create("rp")
        arn, sm = self.user()
        self.refused("AccessDeniedException", sm.get_secret_value, SecretId="rp")
        self.sm.put_resource_policy(SecretId="rp", ResourcePolicy=document(
            {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}))
        self.assertEqual(self.value("rp", sm), "s3cret")
        self.refused("AccessDeniedException", sm.describe_secret, SecretId="rp")
        _, owner = self.user(allow("secretsmanager:*"))
        self.sm.put_resource_policy(SecretId="rp", ResourcePolicy=document(
            {"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
             "Condition": {"ArnNotEquals": {"aws:PrincipalArn": arn}}}))
        self.assertIn("explicit deny", self.refused("AccessDeniedException", owner.get_secret_value, SecretId="rp"))

    def test_other_account(self):
        key = self.kms.create_key()["KeyMetadata"]["Arn"]
        mine, default = self.create("shared", KmsKeyId=key), self.create("default")
        arn, sm = self.user(allow(["secretsmanager:GetSecretValue", "kms:Decrypt"]), account="111122223333")
        self.refused("AccessDeniedException", sm.get_secret_value, SecretId=mine["ARN"])
        for s in (mine, default):
            self.sm.put_resource_policy(SecretId=s["ARN"], ResourcePolicy=document(
                {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "secretsmanager:GetSecretValue",
                        "Resource": "*"}))
        # The key has to let them, too.
        self.refused("AccessDeniedException", sm.get_secret_value, SecretId=mine["ARN"])
        policy = json.loads(self.kms.get_key_policy(KeyId=key)["Policy"])
        policy["Statement"].append({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:Decrypt",
                "Resource": "*"})
        self.kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
        self.assertEqual(self.value(mine["ARN"], sm), "s3cret")
        self.assertIn("default KMS service key", self.refused("InvalidRequestException", sm.get_secret_value,
                SecretId=default["ARN"]))
        self.refused("ResourceNotFoundException", self.virga.client("secretsmanager", "111122223333").get_secret_value,
                SecretId="shared")

    def test_key_is_asked(self):
        key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.create("keyed", KmsKeyId=key)
        _, sm = self.user(allow("secretsmanager:*"))
        self.assertIn("kms:Decrypt", self.refused("AccessDeniedException", sm.get_secret_value, SecretId="keyed"))
        self.assertIn("kms:GenerateDataKey", self.refused("AccessDeniedException", sm.put_secret_value,
                SecretId="keyed", SecretString="x"))
        self.refused("AccessDeniedException", sm.create_secret, Name="keyed2", SecretString="x", KmsKeyId=key)
        sm.describe_secret(SecretId="keyed")
        _, sm = self.user(allow("secretsmanager:*"), allow("kms:Decrypt", key, Condition={
            "StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}}))
        self.assertEqual(self.value("keyed", sm), "s3cret")


class Durability(Case):
    def test_kill_and_no_plaintext(self):
        values = {}
        for i in range(40):
            name, value = f"k/{i}", f"plain-{uuid.uuid4().hex}"
            self.create(name, SecretString=value)
            values[name] = value
        long = "".join(f"LongSecretText{i:06}" for i in range(3000))
        self.create("k/long", SecretString=long)
        self.create("k/blob", SecretBinary=b"BinarySecretText" * 8)
        last = f"plain-{uuid.uuid4().hex}"
        self.sm.put_secret_value(SecretId="k/0", SecretString=last)
        self.virga.kill()
        self.virga.start(self.virga.port)
        self.assertEqual(self.value("k/0"), last)
        self.assertEqual(self.value("k/0", VersionStage="AWSPREVIOUS"), values["k/0"])
        self.assertEqual(self.value("k/long"), long)
        for name, value in list(values.items())[1:]:
            self.assertEqual(self.value(name), value)
        self.assertEqual(self.virga.stop(), 0)
        found = re.compile("|".join([*values.values(), last, "LongSecretText", "BinarySecretText"]).encode())
        files = 0
        for folder, _, names in os.walk(self.virga.folder):
            for name in names:
                with open(os.path.join(folder, name), "rb") as f:
                    self.assertIsNone(found.search(f.read()), f"{folder}/{name} holds a secret")
                files += 1
        self.assertGreater(files, 2)
        self.virga.start(self.virga.port)
        self.assertEqual(self.value("k/1"), values["k/1"])


class Crash(Case):
    def test_kill_under_load(self):
        """kill -9 while values and keys change: an answered value is current, and the primary and its replica agree."""
        eu = self.virga.client("secretsmanager", region="eu-west-1")
        key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        names, last = [f"c/{i}" for i in range(4)], {}
        for name in names:
            self.create(name, SecretString="0", AddReplicaRegions=[{"Region": "eu-west-1"}])
            last[name] = 0

        def work(name, seed):
            sm, rng = self.virga.client("secretsmanager"), random.Random(seed)
            for i in range(last[name] + 1, 1 << 30):
                try:
                    if rng.random() < 0.2:
                        sm.update_secret(SecretId=name, KmsKeyId=rng.choice((key, "")))
                    sm.put_secret_value(SecretId=name, SecretString=str(i))
                except ClientError as e:
                    if e.response["Error"]["Code"] != "LimitExceededException":
                        raise
                    return
                except Exception:
                    return  # the connection went with the process
                last[name] = i

        for round_ in range(6):
            self.advance("25h")
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                jobs = [pool.submit(work, name, f"{name} {round_}") for name in names]
                time.sleep(random.uniform(0.03, 0.25))
                self.virga.kill()
                for job in jobs:
                    job.result()
            self.virga.start(self.virga.port)
            for name in names:
                current = int(self.value(name))
                self.assertIn(current, (last[name], last[name] + 1))
                if current:
                    self.assertEqual(int(self.value(name, VersionStage="AWSPREVIOUS")), current - 1)
                self.assertEqual(int(self.value(name, eu)), current)
                self.assertEqual(self.stages(name, eu), self.stages(name))
                last[name] = current
        self.assertGreater(sum(last.values()), 24)


if __name__ == "__main__":
    unittest.main()
