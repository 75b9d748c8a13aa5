"""A user who may only read is refused what changes things by every service that exists, in every protocol that it speaks; a user
who may nothing is refused everything. Each operation that is built is asked for with the least that its model requires, and each
refusal names an action that the service authorization reference has for that operation."""
import collections
import json
import re
import unittest

import botocore.exceptions

from authorized import ask_in, least, protocols, reference
from s3case import control_client
from virga import Virga

NEEDS_BOTO3 = (1, 40)

# Names of what reads.
READS = re.compile(r"(Get|List|Describe|BatchGet|Head|Query|Scan|Select|Search|Lookup|Filter|Test|Validate|Check|View|Preview|"
    r"Estimate|Simulate|GenerateServiceLast|TransactGet|Decode|Is)[A-Z]|(Query|Scan|GenerateCredentialReport)$")
# What the managed policy ReadOnlyAccess allows, though it sounds like more.
ALLOWED = {("cloudformation", "DetectStackDrift"), ("cloudformation", "DetectStackResourceDrift"), ("logs", "StartQuery"),
    ("logs", "StopQuery"), ("ecr", "BatchCheckLayerAvailability"), ("rds", "DownloadDBLogFilePortion"),
    ("dynamodb", "ExecuteStatement")}
# "No permissions are required to perform this operation" (the STS API reference); a password is changed by who has it.
FREE = {("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")}
REFUSALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403",
    "AuthorizationErrorException", "UnauthorizedException", "KMSAccessDeniedException"}
# What has to be real, or well formed, before permissions are asked for.
NAMED = {"Bucket": "readable", "CopySource": "readable/x", "AccountId": "000000000000", "Statement": 'SELECT * FROM "abcd"',
    "TaskPolicyArn": {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}}
ARNS = {"dynamodb": "arn:aws:dynamodb:us-east-1:000000000000:table/abcd", "iam": "arn:aws:iam::000000000000:user/reader",
    "ecr": "arn:aws:ecr:us-east-1:000000000000:repository/abcd"}
# Actions that an operation is judged by, beside those that the reference has for it: what a statement does ("IAM policies with
# PartiQL for DynamoDB"); who may not list a bucket is not told whether an object is there ("GetObject"); "Actions, resources, and condition keys for Amazon S3 Express".
FURTHER = {("dynamodb", "BatchExecuteStatement"): "dynamodb:PartiQLDelete", ("dynamodb", "ExecuteStatement"):
    "dynamodb:PartiQLSelect", ("dynamodb", "ExecuteTransaction"): "dynamodb:PartiQLDelete",
    ("s3", "ListDirectoryBuckets"): "s3express:ListAllMyDirectoryBuckets",
    **{("s3", op): "s3:ListBucket" for op in ("GetObject", "GetObjectAcl", "GetObjectAttributes", "GetObjectTagging",
        "SelectObjectContent")}}
MORE = {("kms", "RetireGrant"): {"KeyId": "arn:aws:kms:us-east-1:000000000000:key/x", "GrantId": "x"},
    ("logs", "StartQuery"): {"logGroupName": "x"},
    ("dynamodb", "BatchExecuteStatement"): {"Statements": [{"Statement": 'DELETE FROM "abcd" WHERE k = 1'}]},
    ("dynamodb", "ExecuteTransaction"): {"TransactStatements": [{"Statement": 'DELETE FROM "abcd" WHERE k = 1'}]}}


class Asked:
    def __init__(self):
        self.refused, self.others, self.passed, self.wrong = collections.Counter(), [], [], []


class ReadOnly(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        iam = cls.virga.client("iam")
        cls.virga.client("s3").create_bucket(Bucket="readable")
        cls.virga.client("dynamodb").create_table(TableName="abcd", BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "N"}],
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}])
        cls.keys = {}
        for user in ("reader", "nobody"):
            iam.create_user(UserName=user)
            made = iam.create_access_key(UserName=user)["AccessKey"]
            cls.keys[user] = (made["AccessKeyId"], made["SecretAccessKey"])
        iam.attach_user_policy(UserName="reader", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
        done = json.loads(cls.virga.get("/_virga/ops")[2])
        cls.services = [json.loads(cls.virga.get(f"/_virga/ops?service={s['name']}")[2]) for s in done["services"] if s["done"]]

    def operations(self, service, keys):
        """(client, method, api, model) of what is built and needs a signature."""
        name = service["name"]
        try:
            client = control_client(self.virga, *keys) if name == "s3control" else self.virga.client(name, *keys)
        except botocore.exceptions.UnknownServiceError:
            return
        methods = {api: method for method, api in client.meta.method_to_api_mapping.items()}
        for api, built in service["operations"].items():
            if not built or api not in methods:
                continue
            model = client.meta.service_model.operation_model(api)
            if model.auth_type != "none" and (name, api) not in FREE and (name, api) != ("iam", "ChangePassword"):
                yield client, methods[api], api, model

    def given(self, name, api, model):
        given = least(name, model.input_shape) if model.input_shape else {}
        given.update({k: v for k, v in NAMED.items() if k in given})
        given.update({k: ARNS[name] for k in given if k.lower() in ("arn", "resourcearn") and name in ARNS})
        given.update(MORE.get((name, api), {}))
        return given

    def judge(self, asked, name, api, code, message):
        if code not in REFUSALS:
            asked.others.append((name, api, code, message))
            return
        asked.refused[name] += 1
        told = re.search(r"not authorized to perform: (\S+) on resource: (\S+)", message or "")
        operations, actions = reference(name)
        if not told or api not in operations:
            return
        action, resource = told[1], told[2].strip('"')
        if action not in operations[api] and FURTHER.get((name, api)) != action:
            asked.wrong.append((name, api, action, operations[api]))
        # Only where the reference knows no resource does "*" stand for one.
        elif resource == "*" and actions.get(action.lower(), ("", False))[1]:
            asked.wrong.append((name, api, action, resource))

    def ask(self, user, service, asked, wanted):
        name, keys = service["name"], self.keys[user]
        for client, method, api, model in self.operations(service, keys):
            if not wanted(name, api):
                continue
            given = self.given(name, api, model)
            try:
                getattr(client, method)(**given)
            except botocore.exceptions.ClientError as e:
                self.judge(asked, name, api, e.response["Error"]["Code"], e.response["Error"].get("Message"))
            except botocore.exceptions.BotoCoreError as e:
                asked.others.append((name, api, type(e).__name__, str(e)))
            else:
                asked.passed.append((name, api))

    def settle(self, asked, what, bad=12):
        print(f"{what}: refused {sum(asked.refused.values())} operations of {len(asked.refused)} services; "
            f"{len(asked.others)} were bad requests first")
        for other in [*asked.others, *asked.wrong]:
            print("  ", *other)
        self.assertEqual(asked.passed, [])
        self.assertEqual(asked.wrong, [])
        self.assertEqual([o for o in asked.others if not asked.refused[o[0]]], [])
        # Hardly any request was bad before it came to that: a new operation may want more than its model tells.
        self.assertLessEqual(len(asked.others), bad)

    def test_writing_is_refused_to_who_may_read(self):
        asked = Asked()
        for service in self.services:
            self.ask("reader", service, asked, lambda name, api: not READS.match(api) and (name, api) not in ALLOWED)
        self.settle(asked, "reader")

    def test_everything_is_refused_to_who_may_nothing(self):
        asked = Asked()
        for service in self.services:
            self.ask("nobody", service, asked, lambda name, api: True)
        self.settle(asked, "nobody")

    def test_in_every_protocol(self):
        asked, spoken = Asked(), set()
        for service in self.services:
            name = service["name"]
            for client, _, api, model in self.operations(service, self.keys["nobody"]):
                for protocol in protocols(name)[1:] if len(protocols(name)) > 1 else ():
                    spoken.add(protocol)
                    status, code, message = ask_in(self.virga, client, protocol, api, self.given(name, api, model),
                        self.keys["nobody"])
                    if status < 400:
                        asked.passed.append((name, api, protocol))
                    else:
                        self.judge(asked, name, api, code, message)
        self.assertLessEqual({"json10", "query"}, spoken)
        # The SDK's description of SQS does not know how the older protocol names maps.
        self.settle(asked, "further protocols", bad=2)


if __name__ == "__main__":
    unittest.main()
