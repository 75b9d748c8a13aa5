"""IAM Access Analyzer through boto3: what ValidatePolicy finds and where, custom policy checks, and findings of external access
that come and go with the policies of buckets, roles, keys, queues, secrets and tables."""
import json
import subprocess
import unittest


from virga import BINARY, Virga, code_of

NEEDS_BOTO3 = (1, 40)
ACCOUNT = "000000000000"
OTHER = "111122223333"


def document(*statements, version="2012-10-17"):
    return json.dumps({"Version": version, "Statement": list(statements)} if version else {"Statement": list(statements)})


def allow(action="s3:GetObject", resource="*", **kw):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **kw}


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)
        cls.a = cls.v.client("accessanalyzer")


class Validation(Case):
    def codes(self, text, kind="IDENTITY_POLICY", **kw):
        text = text if isinstance(text, str) else document(*text)
        return [(f["findingType"], f["issueCode"]) for f in self.a.validate_policy(policyDocument=text, policyType=kind, **kw)["findings"]]

    def test_findings_say_what_and_where(self):
        text = document(allow("s3:GetObjectt"))
        f = self.a.validate_policy(policyDocument=text, policyType="IDENTITY_POLICY")["findings"]
        self.assertEqual(len(f), 1)
        self.assertEqual((f[0]["findingType"], f[0]["issueCode"]), ("ERROR", "INVALID_ACTION"))
        self.assertIn("s3:GetObjectt", f[0]["findingDetails"])
        self.assertIn("#access-analyzer-reference-policy-checks-error-invalid-action", f[0]["learnMoreLink"])
        where = f[0]["locations"][0]
        self.assertEqual(where["path"], [{"value": "Statement"}, {"index": 0}, {"value": "Action"}])
        start, end = where["span"]["start"], where["span"]["end"]
        self.assertEqual(text[start["offset"]:end["offset"]], '"s3:GetObjectt"')
        self.assertEqual((start["line"], start["column"]), (1, start["offset"]))
        self.assertEqual(self.codes([allow()]), [])

    def test_each_kind(self):
        error, warning, security, hint = "ERROR", "WARNING", "SECURITY_WARNING", "SUGGESTION"
        cases = [
            ("{", (error, "JSON_SYNTAX_ERROR")),
            ("[]", (error, "DATA_TYPE_MISMATCH")),
            (document(allow(), version=None), (warning, "MISSING_VERSION")),
            (document(allow(), version="2020-01-01"), (error, "INVALID_VERSION")),
            ('{"Version": "2012-10-17"}', (error, "MISSING_STATEMENT")),
            ([{"Action": "s3:GetObject", "Resource": "*"}], (error, "MISSING_EFFECT")),
            ([{**allow(), "Effect": "allow"}], (error, "INVALID_EFFECT")),
            ([{"Effect": "Allow", "Resource": "*"}], (error, "MISSING_ACTION")),
            ([{"Effect": "Allow", "Action": "s3:GetObject"}], (error, "MISSING_RESOURCE")),
            ([{**allow(), "NotAction": "s3:PutObject"}], (error, "UNSUPPORTED_ELEMENT_COMBINATION")),
            ([{**allow(), "Principal": "*"}], (error, "UNSUPPORTED_PRINCIPAL")),
            ([{**allow(), "Colour": "red"}], (error, "INVALID_POLICY_ELEMENT")),
            ([allow(Sid="a b")], (error, "UNSUPPORTED_SID")),
            ([allow(Sid="a"), allow("s3:PutObject", Sid="a")], (error, "UNIQUE_SIDS_REQUIRED")),
            ([allow(Sid="")], (hint, "EMPTY_SID_VALUE")),
            ([allow("nothing:Do")], (error, "INVALID_SERVICE_IN_ACTION")),
            ([allow("GetObject")], (error, "INVALID_ACTION")),
            ([allow("s3*:GetObject")], (hint, "WILDCARD_IN_SERVICE_NAME")),
            ([allow([])], (hint, "EMPTY_ARRAY_ACTION")),
            ([allow(["s3:*", "s3:GetObject"])], (hint, "REDUNDANT_ACTION")),
            ([allow(resource=["arn:aws:s3:::b/*", "arn:aws:s3:::b/k"])], (hint, "REDUNDANT_RESOURCE")),
            ([allow(resource="s3:::b")], (error, "INVALID_ARN_PREFIX")),
            ([allow(resource="arn:aws:s3:b")], (error, "MISSING_ARN_FIELD")),
            ([allow(resource="arn:amazon:s3:::b")], (error, "INVALID_PARTITION")),
            ([allow("sqs:SendMessage", "arn:aws:sqs:us-east-1:12345:q")], (error, "INVALID_ARN_ACCOUNT")),
            ([allow("sqs:SendMessage", "arn:aws:SQS:us-east-1:111122223333:q")], (error, "INVALID_ARN_SERVICE_CASE")),
            ([allow(resource="arn:aws:s3::111122223333:b")], (error, "ARN_ACCOUNT_NOT_ALLOWED")),
            ([allow("iam:GetUser", "arn:aws:iam:us-east-1:111122223333:user/a")], (error, "ARN_REGION_NOT_ALLOWED")),
            ([allow("iam:PassRole")], (security, "PASS_ROLE_WITH_STAR_IN_RESOURCE")),
            ([allow("*")], (security, "PASS_ROLE_WITH_STAR_IN_ACTION_AND_RESOURCE")),
            ([{"Effect": "Allow", "Action": "iam:PassRole", "NotResource": "arn:aws:iam::111122223333:role/x"}],
             (security, "PASS_ROLE_WITH_NOTRESOURCE")),
            ([allow(Condition={"StringEqual": {"aws:username": "x"}})], (error, "INVALID_CONDITION_OPERATOR")),
            ([allow(Condition={"StringEquals": {"aws:nothing": "x"}})], (error, "INVALID_GLOBAL_CONDITION_KEY")),
            ([allow(Condition={"StringEquals": {"s3:nothing": "x"}})], (error, "INVALID_SERVICE_CONDITION_KEY")),
            ([allow(Condition={"StringEquals": {"username": "x"}})], (error, "INVALID_CONDITION_KEY_FORMAT")),
            ([allow(Condition={"Bool": {"aws:SecureTransport": "maybe"}})], (error, "TYPE_MISMATCH_BOOLEAN")),
            ([allow(Condition={"Bool": {"aws:SecureTransport": ["true", "false"]}})], (error, "INVALID_CONDITION_MULTIPLE_BOOLEAN")),
            ([allow(Condition={"NumericEquals": {"aws:MultiFactorAuthAge": "x"}})], (error, "TYPE_MISMATCH_NUMBER")),
            ([allow(Condition={"IpAddress": {"aws:SourceIp": "300.0.0.1"}})], (error, "TYPE_MISMATCH_IP_RANGE")),
            ([allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], (error, "PRIVATE_IP_ADDRESS")),
            ([allow(Condition={"DateLessThan": {"aws:CurrentTime": "soon"}})], (warning, "INVALID_DATE_VALUE")),
            ([allow(Condition={"StringEquals": {"aws:username": "a*"}})], (warning, "WILDCARD_WITHOUT_LIKE_OPERATOR")),
            ([allow(Condition={"NullIfExists": {"aws:username": "true"}})], (error, "NULL_WITH_IF_EXISTS")),
            ([allow(Condition={"ForAllValues:StringEquals": {"aws:username": "a"}})], (security, "FORALLVALUES_WITH_SINGLE_VALUED_KEY")),
            ([allow(Condition={"StringEquals": {"aws:TagKeys": "a"}})], (error, "MISSING_QUALIFIER")),
            ([allow(Condition={"NumericEquals": {"aws:MultiFactorAuthAge": "${aws:username}"}})], (error, "INVALID_VARIABLE_FOR_OPERATOR")),
            ([allow(Condition={})], (hint, "EMPTY_OBJECT_CONDITION")),
            ([allow(resource="arn:aws:s3:::b/${aws:username")], (error, "MISSING_BRACE_IN_VARIABLE")),
            ([allow(resource="arn:aws:s3:::b/${}")], (error, "EMPTY_VARIABLE")),
            ([allow("s3:${aws:username}")], (error, "VARIABLE_UNSUPPORTED_IN_ELEMENT")),
            (document(allow(resource="arn:aws:s3:::b/${aws:username}"), version="2008-10-17"), (error, "VARIABLE_UNSUPPORTED_IN_VERSION")),
        ]
        for text, wanted in cases:
            with self.subTest(wanted[1]):
                self.assertIn(wanted, self.codes(text))

    def test_policies_with_principals(self):
        who = {"Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}}
        resource = lambda **kw: self.codes([{**allow(resource="arn:aws:s3:::b/*"), **kw}], "RESOURCE_POLICY")  # noqa: E731
        self.assertEqual(resource(**who), [])
        self.assertIn(("ERROR", "MISSING_PRINCIPAL"), resource())
        self.assertIn(("ERROR", "INVALID_PRINCIPAL_KEY"), resource(Principal={"Aws": "*"}))
        self.assertIn(("ERROR", "UNSUPPORTED_WILDCARD_IN_PRINCIPAL"), resource(Principal={"AWS": "arn:aws:iam::*:root"}))
        self.assertIn(("ERROR", "INVALID_SERVICE_PRINCIPAL_FORMAT"), resource(Principal={"Service": "sns"}))
        self.assertIn(("SECURITY_WARNING", "ALLOW_WITH_NOTPRINCIPAL"), resource(NotPrincipal={"AWS": OTHER}))
        self.assertIn(("SECURITY_WARNING", "RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL"), resource(Principal={"Service": "cloudtrail.amazonaws.com"}))
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", **who}
        kind = {"kind": "RESOURCE_POLICY", "validatePolicyResourceType": "AWS::IAM::AssumeRolePolicyDocument"}
        self.assertEqual(self.codes([trust], **kind), [])
        self.assertIn(("ERROR", "UNSUPPORTED_ACTION_IN_POLICY"), self.codes([{**trust, "Action": "s3:GetObject"}], **kind))
        self.assertIn(("ERROR", "SCP_SYNTAX_ERROR_ACTION_WILDCARD"), self.codes([allow("s3:*Object")], "SERVICE_CONTROL_POLICY"))
        self.assertIn(("WARNING", "POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA"), self.codes([allow(resource="arn:aws:s3:::b/" + "k" * 6200)]))


class Checks(Case):
    def new(self, new, old, kind="IDENTITY_POLICY"):
        return self.a.check_no_new_access(newPolicyDocument=document(*new), existingPolicyDocument=document(*old), policyType=kind)

    def test_no_new_access(self):
        narrow, wide = allow("s3:GetObject", "arn:aws:s3:::b/k"), allow("s3:Get*", "arn:aws:s3:::b/*")
        self.assertEqual(self.new([narrow], [wide])["result"], "PASS")
        fails = self.new([wide], [narrow])
        self.assertEqual(fails["result"], "FAIL")
        self.assertEqual(fails["reasons"][0]["statementIndex"], 0)
        both = [allow("s3:GetObject", "arn:aws:s3:::b/*"), allow("s3:PutObject", "arn:aws:s3:::b/*")]
        self.assertEqual(self.new([allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::b/*")], both)["result"], "PASS")
        confined = {**wide, "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}
        self.assertEqual(self.new([confined], [wide])["result"], "PASS")
        self.assertEqual(self.new([wide], [confined])["result"], "FAIL")
        deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}
        self.assertEqual(self.new([wide], [wide, deny])["result"], "FAIL")
        self.assertEqual(self.new([wide, deny], [wide])["result"], "PASS")
        mine, theirs = {**narrow, "Principal": {"AWS": ACCOUNT}}, {**narrow, "Principal": {"AWS": [ACCOUNT, OTHER]}}
        self.assertEqual(self.new([mine], [theirs], "RESOURCE_POLICY")["result"], "PASS")
        self.assertEqual(self.new([theirs], [mine], "RESOURCE_POLICY")["result"], "FAIL")
        self.assertEqual(code_of(self.a.check_no_new_access, newPolicyDocument="{", existingPolicyDocument=document(wide),
                                 policyType="IDENTITY_POLICY"), "InvalidParameterException")

    def test_access_not_granted(self):
        check = lambda policy, **access: self.a.check_access_not_granted(  # noqa: E731
            policyDocument=document(*policy), access=[access], policyType="IDENTITY_POLICY")["result"]
        self.assertEqual(check([allow("s3:Get*")], actions=["s3:PutObject"]), "PASS")
        self.assertEqual(check([allow("s3:*")], actions=["s3:PutObject"]), "FAIL")
        self.assertEqual(check([allow("s3:*", "arn:aws:s3:::a/*")], actions=["s3:PutObject"], resources=["arn:aws:s3:::b/*"]), "PASS")
        self.assertEqual(check([allow("s3:*", "arn:aws:s3:::*/k")], actions=["s3:PutObject"], resources=["arn:aws:s3:::b/*"]), "FAIL")
        deny = {"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"}
        self.assertEqual(check([allow("s3:*"), deny], actions=["s3:PutObject"]), "PASS")
        self.assertEqual(check([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], actions=["s3:PutObject"]), "FAIL")
        self.assertEqual(check([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], actions=["s3:PutObject"]), "PASS")
        stars = "*a" * 200
        self.assertEqual(check([allow("s3:*", "arn:aws:s3:::" + stars + "*b")], actions=["s3:PutObject"],
                               resources=["arn:aws:s3:::" + stars]), "PASS")

    def test_no_public_access(self):
        check = lambda *s: self.a.check_no_public_access(policyDocument=document(*s), resourceType="AWS::S3::Bucket")["result"]  # noqa: E731
        everyone = {**allow(resource="arn:aws:s3:::b/*"), "Principal": "*"}
        self.assertEqual(check(everyone), "FAIL")
        self.assertEqual(check({**everyone, "Principal": {"AWS": OTHER}}), "PASS")
        self.assertEqual(check({**everyone, "Condition": {"StringEquals": {"aws:PrincipalAccount": OTHER}}}), "PASS")
        self.assertEqual(check({**everyone, "Condition": {"StringLike": {"aws:PrincipalArn": "*"}}}), "FAIL")


class Findings(Case):
    def test_what_is_shared_is_found_and_goes(self):
        v, a = self.v, self.a
        s3, iam, kms, sqs, secrets, db = (v.client(n) for n in ("s3", "iam", "kms", "sqs", "secretsmanager", "dynamodb"))
        s3.create_bucket(Bucket="shared")
        s3.create_bucket(Bucket="own")
        s3.put_bucket_policy(Bucket="shared", Policy=document(
            {**allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::shared/*"), "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
             "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
            {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::shared/*"}))
        s3.put_bucket_policy(Bucket="own", Policy=document(
            {**allow(resource="arn:aws:s3:::own/*"), "Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}}))
        iam.create_role(RoleName="open", AssumeRolePolicyDocument=document(
            {"Effect": "Allow", "Principal": {"AWS": OTHER, "Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}))
        key = kms.create_key()["KeyMetadata"]
        kms.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=document(
            {**allow("kms:*"), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
            {**allow("kms:Decrypt"), "Principal": {"AWS": f"arn:aws:iam::{OTHER}:user/eve"}}))
        url = sqs.create_queue(QueueName="public")["QueueUrl"]
        queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:public"
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document({**allow("sqs:SendMessage", queue), "Principal": "*"})})
        secret = secrets.create_secret(Name="told", SecretString="x")["ARN"]
        secrets.put_resource_policy(SecretId="told", ResourcePolicy=document(
            {**allow("secretsmanager:GetSecretValue"), "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}}))
        table = db.create_table(TableName="tab", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                                AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}])["TableDescription"]["TableArn"]
        db.put_resource_policy(ResourceArn=table, Policy=document(
            {**allow("dynamodb:GetItem", table), "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}}))
        arn = a.create_analyzer(analyzerName="mine", type="ACCOUNT", tags={"a": "b"}, archiveRules=[
            {"ruleName": "known", "filter": {"resourceType": {"eq": ["AWS::SecretsManager::Secret"]}}}])["arn"]
        self.assertEqual(code_of(a.create_analyzer, analyzerName="mine", type="ACCOUNT"), "ConflictException")
        self.assertEqual(code_of(a.create_analyzer, analyzerName="two", type="ACCOUNT"), "ServiceQuotaExceededException")
        found = {f["resource"]: f for f in a.list_findings(analyzerArn=arn)["findings"]}
        self.assertEqual(set(found), {"arn:aws:s3:::shared", f"arn:aws:iam::{ACCOUNT}:role/open", key["Arn"], queue, secret, table})
        bucket = found["arn:aws:s3:::shared"]
        self.assertEqual(bucket["action"], ["s3:GetObject"])  # the Deny takes the other
        self.assertEqual(bucket["principal"], {"AWS": f"arn:aws:iam::{OTHER}:root"})
        self.assertEqual(bucket["condition"], {"aws:SecureTransport": "true"})
        self.assertEqual((bucket["isPublic"], bucket["status"], bucket["resourceType"]), (False, "ACTIVE", "AWS::S3::Bucket"))
        self.assertIs(found[queue]["isPublic"], True)
        self.assertEqual(found[key["Arn"]]["action"], ["kms:Decrypt"])
        self.assertEqual(found[f"arn:aws:iam::{ACCOUNT}:role/open"]["principal"], {"AWS": OTHER})
        self.assertEqual(found[secret]["status"], "ARCHIVED")
        stats = a.get_findings_statistics(analyzerArn=arn)["findingsStatistics"][0]["externalAccessFindingsStatistics"]
        self.assertEqual((stats["totalActiveFindings"], stats["totalArchivedFindings"]), (5, 1))
        # It goes with the policy, and comes back under its id.
        one = bucket["id"]
        s3.delete_bucket_policy(Bucket="shared")
        self.assertEqual(a.get_finding(analyzerArn=arn, id=one)["finding"]["status"], "RESOLVED")
        s3.put_bucket_policy(Bucket="shared", Policy=document(
            {**allow("s3:GetObject", "arn:aws:s3:::shared/*"), "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
             "Condition": {"Bool": {"aws:SecureTransport": "true"}}}))
        again = a.get_finding_v2(analyzerArn=arn, id=one)
        self.assertEqual((again["status"], again["findingType"]), ("ACTIVE", "ExternalAccess"))
        self.assertEqual(again["findingDetails"][0]["externalAccessDetails"]["action"], ["s3:GetObject"])
        a.update_findings(analyzerArn=arn, status="ARCHIVED", ids=[one])
        active = a.list_findings_v2(analyzerArn=arn, filter={"status": {"eq": ["ACTIVE"]}})["findings"]
        self.assertNotIn(one, [f["id"] for f in active])
        a.create_archive_rule(analyzerName="mine", ruleName="public", filter={"isPublic": {"eq": ["true"]}})
        a.update_archive_rule(analyzerName="mine", ruleName="public", filter={"isPublic": {"eq": ["true"]}, "resource": {"contains": ["public"]}})
        self.assertEqual(a.get_archive_rule(analyzerName="mine", ruleName="public")["archiveRule"]["filter"]["resource"], {"contains": ["public"]})
        self.assertEqual(len(a.list_archive_rules(analyzerName="mine")["archiveRules"]), 2)
        a.apply_archive_rule(analyzerArn=arn, ruleName="public")
        self.assertEqual(a.get_finding(analyzerArn=arn, id=found[queue]["id"])["finding"]["status"], "ARCHIVED")
        a.delete_archive_rule(analyzerName="mine", ruleName="public")
        listed = {r["resourceArn"] for r in a.list_analyzed_resources(analyzerArn=arn)["analyzedResources"]}
        self.assertIn("arn:aws:s3:::own", listed)
        resource = a.get_analyzed_resource(analyzerArn=arn, resourceArn=queue)["resource"]
        self.assertEqual((resource["isPublic"], resource["actions"]), (True, ["sqs:SendMessage"]))
        a.start_resource_scan(analyzerArn=arn, resourceArn=queue)
        self.assertEqual(code_of(a.start_resource_scan, analyzerArn=arn, resourceArn="arn:aws:s3:::none"), "ResourceNotFoundException")
        a.tag_resource(resourceArn=arn, tags={"c": "d"})
        a.untag_resource(resourceArn=arn, tagKeys=["a"])
        self.assertEqual(a.list_tags_for_resource(resourceArn=arn)["tags"], {"c": "d"})
        self.assertEqual(a.get_analyzer(analyzerName="mine")["analyzer"]["status"], "ACTIVE")
        self.assertEqual(len(a.list_analyzers(type="ACCOUNT")["analyzers"]), 1)
        self.assertEqual(code_of(a.list_findings, analyzerArn=arn, filter={"colour": {"eq": ["red"]}}), "ValidationException")
        a.delete_analyzer(analyzerName="mine")
        self.assertEqual(code_of(a.get_analyzer, analyzerName="mine"), "ResourceNotFoundException")


class Unused(unittest.TestCase):
    def test_what_nobody_used_and_what_somebody_did(self):
        with Virga() as v:
            a, iam = v.client("accessanalyzer"), v.client("iam")
            iam.create_user(UserName="old")
            iam.create_login_profile(UserName="old", Password="a-Password-1!")
            idle = iam.create_access_key(UserName="old")["AccessKey"]["AccessKeyId"]
            trust = document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
            iam.create_role(RoleName="idle", AssumeRolePolicyDocument=trust)
            iam.create_user(UserName="busy")
            iam.put_user_policy(UserName="busy", PolicyName="p", PolicyDocument=document(allow(["iam:*", "sqs:*"])))
            key = iam.create_access_key(UserName="busy")["AccessKey"]
            advance = [BINARY, "clock", "advance", "40d", "--endpoint", v.endpoint]
            subprocess.run(advance, check=True, stdout=subprocess.DEVNULL)
            mine = v.client("iam", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
            mine.list_users()
            self.assertEqual(code_of(mine.get_role, RoleName="none"), "NoSuchEntity")
            arn = a.create_analyzer(analyzerName="unused", type="ACCOUNT_UNUSED_ACCESS", configuration={"unusedAccess": {"unusedAccessAge": 30}})["arn"]
            self.assertEqual(a.get_analyzer(analyzerName="unused")["analyzer"]["configuration"], {"unusedAccess": {"unusedAccessAge": 30}})
            found = {f["findingType"]: f for f in a.list_findings_v2(analyzerArn=arn)["findings"]}
            user = f"arn:aws:iam::{ACCOUNT}:user/"
            self.assertEqual({k: f["resource"] for k, f in found.items()}, {
                "UnusedIAMRole": f"arn:aws:iam::{ACCOUNT}:role/idle", "UnusedIAMUserAccessKey": user + "old",
                "UnusedIAMUserPassword": user + "old", "UnusedPermission": user + "busy"})
            detail = lambda kind: a.get_finding_v2(analyzerArn=arn, id=found[kind]["id"])["findingDetails"]  # noqa: E731
            self.assertEqual(detail("UnusedIAMUserAccessKey")[0]["unusedIamUserAccessKeyDetails"]["accessKeyId"], idle)
            self.assertEqual([d["unusedPermissionDetails"]["serviceNamespace"] for d in detail("UnusedPermission")], ["sqs"])
            stats = a.get_findings_statistics(analyzerArn=arn)["findingsStatistics"][0]["unusedAccessFindingsStatistics"]
            self.assertEqual(stats["totalActiveFindings"], 4)
            iam.delete_role(RoleName="idle")
            self.assertEqual(a.get_finding_v2(analyzerArn=arn, id=found["UnusedIAMRole"]["id"])["status"], "RESOLVED")
            self.assertEqual(code_of(a.list_findings, analyzerArn=arn), "ValidationException")
            self.assertEqual(code_of(a.create_analyzer, analyzerName="x", type="ACCOUNT_UNUSED_ACCESS",
                                     configuration={"unusedAccess": {"unusedAccessAge": 400}}), "ValidationException")
            # A policy of what was called, also in vain.
            job = a.start_policy_generation(policyGenerationDetails={"principalArn": user + "busy"})["jobId"]
            got = a.get_generated_policy(jobId=job)
            self.assertEqual(got["jobDetails"]["status"], "SUCCEEDED")
            policy = json.loads(got["generatedPolicyResult"]["generatedPolicies"][0]["policy"])
            self.assertEqual(policy["Statement"], [{"Effect": "Allow", "Action": ["iam:GetRole", "iam:ListUsers"], "Resource": "*"}])
            none = a.start_policy_generation(policyGenerationDetails={"principalArn": user + "old"})["jobId"]
            self.assertEqual(a.get_generated_policy(jobId=none)["generatedPolicyResult"]["generatedPolicies"], [])
            self.assertEqual([j["jobId"] for j in a.list_policy_generations(principalArn=user + "busy")["policyGenerations"]], [job])
            self.assertEqual(code_of(a.get_generated_policy, jobId="none"), "ValidationException")
            self.assertEqual(code_of(a.start_policy_generation, policyGenerationDetails={
                "principalArn": f"arn:aws:iam::{OTHER}:user/x"}), "ValidationException")


if __name__ == "__main__":
    unittest.main()
