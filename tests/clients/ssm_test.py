"""Parameter Store through boto3: names and hierarchies, types and tiers, versions and labels, filters, policies on the virtual
clock, SecureStrings under KMS, tags, what policies let through, what a crash leaves and what lies in the data folder."""
import base64
import datetime
import json
import os
import re
import subprocess
import unittest
import uuid

from botocore.config import Config
from botocore.exceptions import ClientError

from virga import BINARY, Refusals, Virga

ACCOUNT = "000000000000"


class Case(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ssm, cls.kms = cls.virga.client("ssm"), cls.virga.client("kms")
        cls.unchecked = cls.virga.client("ssm", config=Config(parameter_validation=False))

    def put(self, name, value="v", type="String", **kw):
        return self.ssm.put_parameter(Name=name, Value=value, Type=type, **kw)["Version"]

    def over(self, name, value, **kw):
        return self.ssm.put_parameter(Name=name, Value=value, Overwrite=True, **kw)["Version"]

    def get(self, name, **kw):
        return self.ssm.get_parameter(Name=name, **kw)["Parameter"]

    def described(self, name):
        return self.ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [name]}])["Parameters"][0]

    def advance(self, duration):
        run = subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", duration], capture_output=True,
                             text=True)
        self.assertEqual(run.returncode, 0, run.stderr)

    def now(self):
        """Virtual time: of a parameter that is written now."""
        self.over("clock", "x", Type="String")
        return self.get("clock")["LastModifiedDate"].astimezone(datetime.timezone.utc)


class Parameters(Case):
    def test_put_and_get(self):
        r = self.ssm.put_parameter(Name="/app/db/host", Value="h1", Type="String", Description="d")
        self.assertEqual((r["Version"], r["Tier"]), (1, "Standard"))
        p = self.get("/app/db/host")
        self.assertEqual({k: p[k] for k in ("Name", "Type", "Value", "Version", "ARN", "DataType")},
                         {"Name": "/app/db/host", "Type": "String", "Value": "h1", "Version": 1, "DataType": "text",
                          "ARN": f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/app/db/host"})
        self.assertNotIn("Selector", p)
        self.assertEqual(self.get(p["ARN"])["Value"], "h1")
        self.assertEqual(self.refused("ParameterAlreadyExists", self.put, "/app/db/host"),
                         "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
        self.assertEqual(self.over("/app/db/host", "h2"), 2)
        d = self.described("/app/db/host")
        self.assertEqual((d["Version"], d["Description"], d["Tier"], d["Policies"]), (2, "d", "Standard", []))
        self.assertEqual(d["LastModifiedUser"], f"arn:aws:iam::{ACCOUNT}:root")
        self.put("plain")
        self.assertEqual(self.get("plain")["ARN"], f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/plain")
        self.assertEqual(self.get(f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/plain")["Name"], "plain")
        other = self.virga.client("ssm", region="eu-west-1")
        self.assertEqual(self.refused("ParameterNotFound", other.get_parameter, Name="plain"), "")

    def test_names(self):
        for bad in ("a b", "/a/b@c", "/a//b", "/a/", "a*", "/ssm/a", "ssmx", "SSM/x", "awsx", "a/b", "/"):
            self.refused("ValidationException", self.put, bad)
        self.assertIn("fully qualified", self.refused("ValidationException", self.put, "a/b"))
        self.assertIn('prefixed with "ssm"', self.refused("ValidationException", self.put, "/ssm/a"))
        self.assertEqual(self.refused("AccessDeniedException", self.put, "/aws/a"),
                "No access to reserved parameter name: /aws/a.")
        self.put("/" + "/".join("abcdefghijklmno"))
        self.refused("HierarchyLevelLimitExceededException", self.put, "/" + "/".join("abcdefghijklmnop"))
        self.refused("ValidationException", self.put, "n" * 1011)
        self.put("n" * 900)
        for name in ("/aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base", "nobody"):
            self.refused("ParameterNotFound", self.get, name)

    def test_types_and_sizes(self):
        self.refused("ValidationException", self.ssm.put_parameter, Name="t1", Value="x")
        self.refused("ValidationException", self.unchecked.put_parameter, Name="t1", Value="x", Type="Number")
        self.refused("ValidationException", self.put, "t1", "")
        self.put("list", "a,b,c", "StringList")
        self.assertEqual(self.get("list")["Value"], "a,b,c")
        self.refused("ValidationException", self.put, "list2", "a,,c", "StringList")
        self.put("max", "x" * 4096)
        self.assertIn("4096", self.refused("ValidationException", self.put, "big", "x" * 4097))
        r = self.ssm.put_parameter(Name="big", Value="x" * 4097, Type="String", Tier="Intelligent-Tiering")
        self.assertEqual(r["Tier"], "Advanced")
        self.assertIn("8192", self.refused("ValidationException", self.over, "big", "x" * 8193))
        self.assertEqual(self.over("big", "x" * 8192), 2)
        self.assertIn("downgrade", self.refused("ValidationException", self.over, "big", "x", Tier="Standard"))
        self.assertEqual(self.ssm.put_parameter(Name="small", Value="x", Type="String", Tier="Intelligent-Tiering")["Tier"],
                         "Standard")
        self.refused("ValidationException", self.put, "k", KeyId="alias/aws/ssm")
        self.put("/h/x")
        self.refused("HierarchyTypeMismatchException", self.over, "/h/x", "v", Type="SecureString")

    def test_patterns_and_data_types(self):
        self.put("digits", "123", AllowedPattern=r"^\d+$")
        self.assertIn("allowedPattern", self.refused("ParameterPatternMismatchException", self.over, "digits", "12a"))
        self.refused("InvalidAllowedPatternException", self.put, "x", AllowedPattern="(")
        # A pattern that explodes ends, too.
        self.refused("ParameterPatternMismatchException", self.put, "x", "a" * 200 + "b", AllowedPattern="(a+)+$")
        self.put("ami", "ami-0123456789abcdef0", DataType="aws:ec2:image")
        self.assertEqual(self.get("ami")["DataType"], "aws:ec2:image")
        self.refused("ValidationException", self.put, "ami2", "image", DataType="aws:ec2:image")
        self.assertIn("not supported", self.refused("ValidationException", self.put, "ami2", DataType="not_ec2"))

    def test_get_many_and_delete(self):
        for n in "abc":
            self.put(f"m/{n}" if n == "z" else f"/m/{n}", n)
        r = self.ssm.get_parameters(Names=["/m/c", "/m/nobody", "/m/a:1", "/m/a:9"])
        self.assertEqual([p["Value"] for p in r["Parameters"]], ["c", "a"])
        self.assertEqual(r["InvalidParameters"], ["/m/nobody", "/m/a:9"])
        self.refused("ValidationException", self.unchecked.get_parameters, Names=[f"n{i}" for i in range(11)])
        self.ssm.delete_parameter(Name="/m/a")
        self.refused("ParameterNotFound", self.ssm.delete_parameter, Name="/m/a")
        self.refused("ParameterNotFound", self.get, "/m/a")
        r = self.ssm.delete_parameters(Names=["/m/b", "/m/a"])
        self.assertEqual((r["DeletedParameters"], r["InvalidParameters"]), (["/m/b"], ["/m/a"]))
        # A new one of that name begins anew.
        self.assertEqual(self.put("/m/a", "again"), 1)
        self.assertEqual(len(self.ssm.get_parameter_history(Name="/m/a")["Parameters"]), 1)

    def test_tags(self):
        self.put("tagged", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        where = {"ResourceType": "Parameter", "ResourceId": "tagged"}
        self.ssm.add_tags_to_resource(**where, Tags=[{"Key": "b", "Value": "3"}, {"Key": "c", "Value": ""}])
        self.ssm.remove_tags_from_resource(**where, TagKeys=["a"])
        self.assertEqual(self.ssm.list_tags_for_resource(**where)["TagList"],
                         [{"Key": "b", "Value": "3"}, {"Key": "c", "Value": ""}])
        self.assertIn("can't be used together",
                      self.refused("ValidationException", self.over, "tagged", "v", Tags=[{"Key": "a", "Value": "1"}]))
        for type_, id_ in (("Parameter", "nobody"), ("Document", "tagged")):
            self.refused("InvalidResourceId", self.ssm.list_tags_for_resource, ResourceType=type_, ResourceId=id_)
        self.refused("TooManyTagsError", self.ssm.add_tags_to_resource, **where,
                     Tags=[{"Key": f"k{i}", "Value": ""} for i in range(49)])

    def test_default_tier(self):
        id_ = "/ssm/parameter-store/default-parameter-tier"
        self.assertEqual(self.ssm.get_service_setting(SettingId=id_)["ServiceSetting"]["Status"], "Default")
        self.ssm.update_service_setting(SettingId=id_, SettingValue="Advanced")
        self.assertEqual(self.ssm.put_parameter(Name="byset", Value="x", Type="String")["Tier"], "Advanced")
        self.assertEqual(self.ssm.reset_service_setting(SettingId=id_)["ServiceSetting"]["SettingValue"], "Standard")
        self.assertEqual(self.ssm.put_parameter(Name="byset2", Value="x", Type="String")["Tier"], "Standard")
        self.refused("ValidationException", self.ssm.update_service_setting, SettingId=id_, SettingValue="Huge")
        for call, kw in ((self.ssm.get_service_setting, {"SettingId": "/ssm/parameter-store/high-throughput-enabled"}),
                         (self.ssm.list_documents, {})):
            with self.assertRaises(ClientError) as caught:
                call(**kw)
            self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 501)


class Versions(Case):
    def test_selectors_and_labels(self):
        self.put("v", "1")
        for i in "23":
            self.over("v", i)
        p = self.get("v:2")
        self.assertEqual((p["Value"], p["Version"], p["Selector"], p["Name"]), ("2", 2, ":2", "v"))
        label = self.ssm.label_parameter_version
        r = label(Name="v", ParameterVersion=1, Labels=["old", "9x", "awsx", "SSM1", "b@d"])
        self.assertEqual((r["ParameterVersion"], r["InvalidLabels"]), (1, ["9x", "awsx", "SSM1", "b@d"]))
        self.assertEqual(label(Name="v", Labels=["prod"])["ParameterVersion"], 3)
        self.assertEqual([self.get(n)["Value"] for n in ("v:old", "v:prod", "v")], ["1", "3", "3"])
        label(Name="v", ParameterVersion=2, Labels=["prod"])
        self.assertEqual(self.get("v:prod")["Version"], 2)
        history = self.ssm.get_parameter_history(Name="v")["Parameters"]
        self.assertEqual([(h["Version"], h["Value"], h["Labels"]) for h in history], [(1, "1", ["old"]), (2, "2",
                ["prod"]), (3, "3", [])])
        r = self.ssm.unlabel_parameter_version(Name="v", ParameterVersion=2, Labels=["prod", "old"])
        self.assertEqual((r["RemovedLabels"], r["InvalidLabels"]), (["prod"], ["old"]))
        for bad in ("v:prod", "v:4", "v:0"):
            self.assertIn("could not find version", self.refused("ParameterVersionNotFound", self.get, bad))
        self.refused("ParameterVersionNotFound", label, Name="v", ParameterVersion=9, Labels=["x"])
        self.refused("ParameterNotFound", label, Name="nobody", Labels=["x"])
        label(Name="v", ParameterVersion=3, Labels=[f"l{i}" for i in range(10)])
        self.assertIn("maximum 10 labels",
                      self.refused("ParameterVersionLabelLimitExceeded", label, Name="v", ParameterVersion=3, Labels=["l10"]))
        self.assertEqual(len(self.ssm.get_parameter_history(Name="v")["Parameters"][2]["Labels"]), 10)
        pages = list(self.ssm.get_paginator("get_parameter_history").paginate(Name="v", PaginationConfig={"PageSize": 2}))
        self.assertEqual([[h["Version"] for h in p["Parameters"]] for p in pages], [[1, 2], [3]])
        self.refused("InvalidNextToken", self.ssm.get_parameter_history, Name="v", NextToken="!")

    def test_hundred(self):
        self.put("many", "1")
        for i in range(2, 102):
            self.over("many", str(i))
        history = [h["Version"] for p in self.ssm.get_paginator("get_parameter_history").paginate(Name="many") for h in p["Parameters"]]
        self.assertEqual(history, list(range(2, 102)))
        self.refused("ParameterVersionNotFound", self.get, "many:1")
        self.ssm.label_parameter_version(Name="many", ParameterVersion=2, Labels=["keep"])
        self.assertIn("Version 2, the oldest version,", self.refused("ParameterMaxVersionLimitExceeded", self.over,
                "many", "102"))
        self.ssm.label_parameter_version(Name="many", Labels=["keep"])
        self.assertEqual(self.over("many", "102"), 102)


class Lists(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        put = cls.ssm.put_parameter
        for name, kw in {"/p/a": {}, "/p/b": {"Tags": [{"Key": "env", "Value": "prod"}]}, "/p/q/c": {"Type": "StringList"},
                         "/p/q/r/d": {"Type": "SecureString"}, "/pp/e": {"Tier": "Advanced"}, "f": {},
                         "/ami": {"Value": "ami-12345678", "DataType": "aws:ec2:image"}}.items():
            put(**{"Name": name, "Value": f"value of {name}", "Type": "String", **kw})
        cls.ssm.label_parameter_version(Name="/p/a", Labels=["prod"])
        put(Name="/p/a", Value="newer", Overwrite=True)

    def below(self, path, *filters, **kw):
        found = self.ssm.get_parameters_by_path(Path=path, ParameterFilters=[{"Key": k, "Values": v} for k,
                *v in filters], **kw)
        return [p["Name"] for p in found["Parameters"]]

    def names(self, *filters):
        found = self.ssm.describe_parameters(ParameterFilters=[
            {"Key": k, **({"Values": v} if v else {}), **({"Option": o} if o else {})} for k, o, *v in filters])
        return sorted(p["Name"] for p in found["Parameters"])

    def test_by_path(self):
        self.assertEqual(self.below("/p"), ["/p/a", "/p/b"])
        self.assertEqual(self.below("/p/"), ["/p/a", "/p/b"])
        self.assertEqual(self.below("/p", Recursive=True), ["/p/a", "/p/b", "/p/q/c", "/p/q/r/d"])
        self.assertEqual(self.below("/p/a"), [])
        self.assertEqual(self.below("/"), ["/ami", "f"])
        self.assertEqual(len(self.below("/", Recursive=True)), 7)
        self.assertEqual(self.below("/p", ("Type", "StringList", "SecureString"), Recursive=True), ["/p/q/c", "/p/q/r/d"])
        self.assertEqual(self.below("/p", ("KeyId", "alias/aws/ssm"), Recursive=True), ["/p/q/r/d"])
        labelled = self.ssm.get_parameters_by_path(Path="/p", ParameterFilters=[{"Key": "Label",
                "Values": ["prod"]}])["Parameters"]
        self.assertEqual([(p["Name"], p["Value"], p["Version"]) for p in labelled], [("/p/a", "value of /p/a", 1)])
        secure = self.ssm.get_parameters_by_path(Path="/p/q/r", WithDecryption=True)["Parameters"][0]
        self.assertEqual(secure["Value"], "value of /p/q/r/d")
        pages = list(self.ssm.get_paginator("get_parameters_by_path").paginate(Path="/p", Recursive=True,
                PaginationConfig={"PageSize": 3}))
        self.assertEqual([[p["Name"] for p in x["Parameters"]] for x in pages], [["/p/a", "/p/b", "/p/q/c"], ["/p/q/r/d"]])
        self.assertIn("must begin with a forward slash", self.refused("ValidationException",
                self.ssm.get_parameters_by_path, Path="p"))
        self.refused("ValidationException", self.unchecked.get_parameters_by_path, Path="/p", MaxResults=11)
        self.refused("InvalidFilterKey", self.below, "/p", ("Name", "a"))
        self.refused("InvalidNextToken", self.ssm.get_parameters_by_path, Path="/p", NextToken="!")

    def test_describe(self):
        for expected, *filters in (
                (["/p/a"], ("Name", None, "/p/a")), (["/p/a", "/p/b", "/p/q/c", "/p/q/r/d", "/pp/e"], ("Name",
                        "BeginsWith", "/p")),
                (["/p/q/c", "/p/q/r/d"], ("Name", "Contains", "/q/")), (["/p/a", "/p/b"], ("Path", "OneLevel", "/p")),
                (["/p/a", "/p/b", "/p/q/c", "/p/q/r/d", "/pp/e"], ("Path", "Recursive", "/p", "/pp")),
                (["/p/q/r/d"], ("Type", None, "SecureString")), (["/p/q/r/d"], ("KeyId", None, "alias/aws/ssm")),
                        (["/pp/e"], ("Tier", None, "Advanced")),
                (["/ami"], ("DataType", None, "aws:ec2:image")), (["/p/b"], ("tag:env", None, "prod")), ([],
                        ("tag:env", None, "dev")),
                (["/p/b"], ("tag:env", None)), (["/p/b"], ("tag:env", None, "prod"), ("Path", "Recursive", "/p"))):
            self.assertEqual(self.names(*filters), expected, filters)
        old = self.ssm.describe_parameters(Filters=[{"Key": "Name", "Values": ["/p/q"]}])["Parameters"]
        self.assertEqual([p["Name"] for p in old], ["/p/q/c", "/p/q/r/d"])
        pages = list(self.ssm.get_paginator("describe_parameters").paginate(PaginationConfig={"PageSize": 4}))
        self.assertEqual([len(p["Parameters"]) for p in pages], [4, 3])
        self.refused("InvalidFilterKey", self.names, ("Label", None, "x"))
        self.assertIn("Valid options include: [OneLevel, Recursive]", self.refused("InvalidFilterOption", self.names,
                ("Path", "Equals", "/p")))
        self.refused("InvalidFilterValue", self.names, ("Type", None, "Number"))
        self.refused("InvalidFilterValue", self.names, ("Name", None))
        self.refused("ValidationException", self.names, ("Path", None, "p"))
        self.refused("ValidationException", self.names, ("Name", None, "p"), ("Name", None, "q"))
        self.refused("ValidationException", self.ssm.describe_parameters, Filters=[{"Key": "Name", "Values": ["a"]}],
                     ParameterFilters=[{"Key": "Name", "Values": ["a"]}])


class Secure(Case):
    def test_default_key(self):
        self.put("/s/1", "hidden", "SecureString")
        p = self.get("/s/1")
        sealed = base64.b64decode(p["Value"])
        self.assertNotIn(b"hidden", sealed)
        self.assertEqual(self.get("/s/1", WithDecryption=True)["Value"], "hidden")
        self.assertEqual(self.described("/s/1")["KeyId"], "alias/aws/ssm")
        history = self.ssm.get_parameter_history(Name="/s/1", WithDecryption=True)["Parameters"]
        self.assertEqual(history[0]["Value"], "hidden")

    def test_ciphertext_is_kms_own(self):
        """KMS decrypts what is stored with the parameter's ARN as context, and with nothing else."""
        self.put("/s/2", "hidden", "SecureString", KeyId=self.kms.create_key()["KeyMetadata"]["KeyId"])
        p = self.get("/s/2")
        sealed, context = base64.b64decode(p["Value"]), {"PARAMETER_ARN": p["ARN"]}
        self.assertEqual(self.kms.decrypt(CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"], b"hidden")
        self.refused("InvalidCiphertextException", self.kms.decrypt, CiphertextBlob=sealed)

    def test_own_key_and_disabled(self):
        key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        self.put("own", "hidden", "SecureString", KeyId=key)
        self.put("advanced", "h" * 5000, "SecureString", KeyId=key, Tier="Advanced")
        self.assertEqual(self.get("advanced", WithDecryption=True)["Value"], "h" * 5000)
        self.kms.disable_key(KeyId=key)
        for name in ("own", "advanced"):
            message = self.refused("InvalidKeyId", self.get, name, WithDecryption=True)
            self.assertIn("is disabled. (Service: AWSKMS; Status Code: 400; Error Code: DisabledException;", message)
            self.assertNotEqual(self.get(name)["Value"], "hidden")
        self.refused("InvalidKeyId", self.over, "own", "x", KeyId=key)
        self.refused("InvalidKeyId", self.ssm.get_parameters, Names=["own"], WithDecryption=True)
        self.kms.enable_key(KeyId=key)
        self.assertEqual(self.get("own", WithDecryption=True)["Value"], "hidden")
        self.refused("InvalidKeyId", self.put, "nokey", "x", "SecureString", KeyId="alias/nobody")
        self.refused("ParameterNotFound", self.get, "nokey")


class Policies(Case):
    def policy(self, kind, **attributes):
        return {"Type": kind, "Version": "1.0", "Attributes": attributes}

    def put_policies(self, name, *policies, **kw):
        kw.setdefault("Tier", "Advanced")
        return self.ssm.put_parameter(Name=name, Value="v", Type="String", Policies=json.dumps(policies), **kw)

    def expiry(self, **kw):
        return self.policy("Expiration", Timestamp=(self.now() + datetime.timedelta(**kw)).strftime("%Y-%m-%dT%H:%M:%S.000Z"))

    def status(self, name):
        return {p["PolicyType"]: p["PolicyStatus"] for p in self.described(name)["Policies"]}

    def test_expiration(self):
        self.put_policies("exp", self.expiry(days=10), self.policy("ExpirationNotification", Before="3", Unit="Days"),
                          self.policy("NoChangeNotification", After="36", Unit="Hours"))
        pending = {"Expiration": "Pending", "ExpirationNotification": "Pending", "NoChangeNotification": "Pending"}
        self.assertEqual(self.status("exp"), pending)
        self.advance("1d")
        # A new version keeps the policies; what counts from the last change begins anew.
        self.over("exp", "w")
        self.advance("1d")
        self.assertEqual(self.status("exp"), pending)
        self.advance("1d")
        self.assertEqual(self.status("exp"), {**pending, "NoChangeNotification": "Finished"})
        self.advance("5d")
        self.assertEqual(self.status("exp")["ExpirationNotification"], "Finished")
        self.virga.kill()
        self.virga.start(self.virga.port)
        self.assertEqual(self.get("exp")["Value"], "w")
        self.advance("3d")
        self.refused("ParameterNotFound", self.get, "exp")
        self.assertEqual(self.put("exp", "anew"), 1)

    def test_taken_away(self):
        self.put_policies("stay", self.expiry(days=1))
        self.ssm.put_parameter(Name="stay", Value="v", Overwrite=True, Policies="[{}]")
        self.put_policies("again", self.expiry(days=1))
        self.ssm.delete_parameter(Name="again")
        self.put("again")
        self.advance("2d")
        self.assertEqual((self.get("stay")["Version"], self.get("again")["Version"]), (2, 1))

    def test_refusals(self):
        soon = self.expiry(days=1)
        self.refused("ValidationException", self.put_policies, "bad", soon, Tier="Standard")
        self.assertEqual(self.put_policies("intelligent", soon, Tier="Intelligent-Tiering")["Tier"], "Advanced")
        self.refused("InvalidPolicyTypeException", self.put_policies, "bad", self.policy("Never"))
        for kind, attributes in (("Expiration", {}), ("Expiration", {"Timestamp": "tomorrow"}),
                                 ("Expiration", {"Timestamp": "2001-01-01T00:00:00Z"}),
                                 ("NoChangeNotification", {"After": "0", "Unit": "Days"}),
                                 ("NoChangeNotification", {"After": "3", "Unit": "Years"})):
            self.refused("InvalidPolicyAttributeException", self.put_policies, "bad", self.policy(kind, **attributes))
        notify = self.policy("ExpirationNotification", Before="1", Unit="Hours")
        self.refused("IncompatiblePolicyException", self.put_policies, "bad", notify)
        self.refused("IncompatiblePolicyException", self.put_policies, "bad", soon, soon)
        self.refused("PoliciesLimitExceededException", self.put_policies, "bad", soon, *[notify] * 10)
        self.refused("ValidationException", self.ssm.put_parameter, Name="bad", Value="v", Type="String",
                Tier="Advanced", Policies="x")
        self.refused("ParameterNotFound", self.get, "bad")


def allow(actions, resources="*", **more):
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


class Enforced(Case):
    """What IAM says of parameters counts."""

    def user(self, *statements):
        iam, name = self.virga.client("iam"), f"u-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": list(statements)}))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return self.virga.client("ssm", key["AccessKeyId"], key["SecretAccessKey"])

    def test_hierarchy(self):
        for name in ("/e/a/x", "/e/b/x", "plainname"):
            self.put(name, Tags=[{"Key": "team", "Value": name[3:4]}])
        where = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter"
        ssm = self.user(allow("ssm:*", [f"{where}/e/a/*", f"{where}/e/a"]))
        for name in ("/e/a/x", "/e/a/x:1", f"{where}/e/a/x"):
            self.assertEqual(ssm.get_parameter(Name=name)["Parameter"]["Value"], "v")
        for name in ("/e/b/x", "/e/b/x:1", f"{where}/e/b/x", "plainname", "/nobody"):
            self.assertIn("ssm:GetParameter", self.refused("AccessDeniedException", ssm.get_parameter, Name=name))
        self.refused("AccessDeniedException", ssm.get_parameters, Names=["/e/a/x", "/e/b/x"])
        self.assertEqual(len(ssm.get_parameters_by_path(Path="/e/a")["Parameters"]), 1)
        self.assertEqual(len(ssm.get_parameters_by_path(Path="/e/a/")["Parameters"]), 1)
        for path in ("/e", "/", "/e/b"):
            self.refused("AccessDeniedException", ssm.get_parameters_by_path, Path=path, Recursive=True)
        self.refused("AccessDeniedException", ssm.put_parameter, Name="/e/b/y", Value="v", Type="String")
        self.refused("AccessDeniedException", ssm.delete_parameters, Names=["/e/b/x"])
        self.refused("AccessDeniedException", ssm.get_parameter_history, Name="/e/b/x")
        self.refused("AccessDeniedException", ssm.describe_parameters)
        tags = [{"Key": "k", "Value": "v"}]
        ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="/e/a/x", Tags=tags)
        self.refused("AccessDeniedException", ssm.add_tags_to_resource, ResourceType="Parameter", ResourceId="/e/b/x",
                Tags=tags)
        ssm = self.user(allow("ssm:GetParameter", Condition={"StringEquals": {"aws:ResourceTag/team": "b"}}))
        ssm.get_parameter(Name="/e/b/x")
        self.refused("AccessDeniedException", ssm.get_parameter, Name="/e/a/x")

    def test_key_is_asked(self):
        key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.put("/s/own", "hidden", "SecureString", KeyId=key)
        self.put("/s/default", "hidden", "SecureString")
        ssm = self.user(allow("ssm:*"))
        ssm.get_parameter(Name="/s/own")
        self.assertEqual(ssm.get_parameter(Name="/s/default", WithDecryption=True)["Parameter"]["Value"], "hidden")
        for call, kw in ((ssm.get_parameter, {"Name": "/s/own"}), (ssm.get_parameter, {"Name": "/s/own:1"}),
                         (ssm.get_parameters, {"Names": ["/s/own"]}), (ssm.get_parameters_by_path, {"Path": "/s"}),
                         (ssm.get_parameter_history, {"Name": "/s/own"})):
            self.assertIn("kms:Decrypt", self.refused("AccessDeniedException", call, WithDecryption=True, **kw))
        self.assertIn("kms:Encrypt", self.refused("AccessDeniedException", ssm.put_parameter, Name="/s/new", Value="v",
                                                  Type="SecureString", KeyId=key))
        ssm = self.user(allow("ssm:*"), allow(["kms:Decrypt", "kms:Encrypt"], key))
        self.assertEqual(ssm.get_parameter(Name="/s/own", WithDecryption=True)["Parameter"]["Value"], "hidden")
        ssm.put_parameter(Name="/s/new", Value="v", Type="SecureString", KeyId=key)


class Durability(Case):
    def test_kill_and_no_plaintext(self):
        values = {f"/k/{i}": f"plain-{uuid.uuid4().hex}" for i in range(30)}
        for name, value in values.items():
            self.put(name, value, "SecureString", Tier="Advanced" if name.endswith("5") else "Standard")
        newer = f"plain-{uuid.uuid4().hex}"
        self.over("/k/0", newer, Type="SecureString")
        self.ssm.label_parameter_version(Name="/k/0", ParameterVersion=1, Labels=["first"])
        self.virga.kill()
        self.virga.start(self.virga.port)
        self.assertEqual(self.get("/k/0", WithDecryption=True)["Value"], newer)
        self.assertEqual(self.get("/k/0:first", WithDecryption=True)["Value"], values["/k/0"])
        for name, value in list(values.items())[1:]:
            self.assertEqual(self.get(name, WithDecryption=True)["Value"], value)
        self.assertEqual(self.virga.stop(), 0)
        found, files = re.compile("|".join([*values.values(), newer]).encode()), 0
        for folder, _, names in os.walk(self.virga.folder):
            for name in names:
                with open(os.path.join(folder, name), "rb") as f:
                    self.assertIsNone(found.search(f.read()), f"{folder}/{name} holds a secret")
                files += 1
        self.assertGreater(files, 2)
        self.virga.start(self.virga.port)


if __name__ == "__main__":
    unittest.main()
