"""A user who may only read is refused by every service that exists, in whatever protocol it speaks: each operation that is built
and does not read is asked for through the SDK with the least that its model requires."""
import collections
import datetime
import json
import re
import unittest

import botocore.exceptions

from s3case import control_client
from virga import Virga

NEEDS_BOTO3 = (1, 40)

# Names of what reads, and of what no permission is asked for ("GetCallerIdentity", "GetSessionToken": the STS reference).
READS = re.compile(r"(Get|List|Describe|BatchGet|Head|Query|Scan|Select|Search|Lookup|Filter|Test|Validate|Check|View|Preview|"
    r"Estimate|Simulate|GenerateServiceLast|TransactGet|Decode|Is)[A-Z]|(Query|Scan|GenerateCredentialReport)$")
REFUSALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403",
    "AuthorizationErrorException", "UnauthorizedException", "KMSAccessDeniedException"}
TEXTS = ["x", "abcd", "abcdefghijkl", "a" * 32, "000000000000", "us-east-1", "a-b", "a.b", "/a/", "1", "12345678",
    "arn:aws:iam::000000000000:role/x", "arn:aws:sqs:us-east-1:000000000000:x", "arn:aws:kms:us-east-1:000000000000:key/x",
    "arn:aws:iam::aws:policy/ReadOnlyAccess", "00000000-0000-0000-0000-000000000000", "d-0000000000", "a@example.com",
    "ou-abcd-00000000", "r-abcd", "p-00000000", "h-00000000", "rp-0000", "rt-00000000", "car-00000000", "https://example.com/",
    "arn:aws:sso:::instance/ssoins-0000000000000000", "PT1H", "{}", "10.0.0.0/16", "b" * 64,
    "arn:aws:sso:::permissionSet/ssoins-0000000000000000/ps-0000000000000000", "2020-01-01T00:00:00Z", "alias/a", "ops"]


# What has to be real, or well formed, before permissions are asked for.
NAMED = {"Bucket": "readable", "CopySource": "readable/x", "AccountId": "000000000000", "Statement": "SELECT * FROM tbl",
    "TaskPolicyArn": {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}}


def text_for(shape):
    if shape.enum:
        return shape.enum[0]
    low, high = int(shape.metadata.get("min", 0)), int(shape.metadata.get("max", 1 << 20))
    pattern = shape.metadata.get("pattern")
    for text in [*TEXTS, "x" * max(low, 1)]:
        try:
            if low <= len(text) <= high and (not pattern or re.search(pattern, text)):
                return text
        except re.error:
            return text
    return "x" * max(low, 1)


def least(shape, depth=0):
    """The least value of a shape that its model allows."""
    kind = shape.type_name
    if kind == "structure":
        names = shape.required_members
        if getattr(shape, "is_tagged_union", False) and not names:
            names = list(shape.members)[:1]
        return {n: least(shape.members[n], depth + 1) for n in names if depth < 6}
    if kind == "list":
        return [least(shape.member, depth + 1)] if depth < 6 else []
    if kind == "map":
        return {least(shape.key): least(shape.value, depth + 1)} if depth < 6 else {}
    if kind in ("integer", "long", "float", "double"):
        return max(int(shape.metadata.get("min", 1)), 1)
    if kind == "boolean":
        return False
    if kind == "timestamp":
        return datetime.datetime(2030, 1, 1)
    return b"x" if kind == "blob" else text_for(shape)


class ReadOnly(unittest.TestCase):
    def test_every_operation_of_every_service(self):
        virga = Virga().start()
        self.addCleanup(virga.close)
        iam = virga.client("iam")
        virga.client("s3").create_bucket(Bucket="readable")
        iam.create_user(UserName="reader")
        iam.attach_user_policy(UserName="reader", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        done = json.loads(virga.get("/_virga/ops")[2])
        refused, others, passed = collections.Counter(), collections.Counter(), []
        for service in done["services"]:
            if service["done"]:
                service = json.loads(virga.get(f"/_virga/ops?service={service['name']}")[2])
                self.ask(virga, key, service, refused, others, passed)
        self.assertEqual(passed, [])
        print(f"refused {sum(refused.values())} operations of {len(refused)} services; "
            f"{sum(others.values())} were bad requests first")
        # Every service that has such operations has refused some; hardly any request was bad before it came to that.
        self.assertEqual([s for s in others if not refused[s]], [])
        self.assertGreater(sum(refused.values()), 8 * sum(others.values()))

    def ask(self, virga, key, service, refused, others, passed):
        name, keys = service["name"], (key["AccessKeyId"], key["SecretAccessKey"])
        try:
            client = control_client(virga, *keys) if name == "s3control" else virga.client(name, *keys)
        except botocore.exceptions.UnknownServiceError:
            return
        methods = {api: method for method, api in client.meta.method_to_api_mapping.items()}
        for api, built in service["operations"].items():
            if not built or READS.match(api) or api not in methods:
                continue
            model = client.meta.service_model.operation_model(api)
            if model.auth_type == "none" or (name, api) in {("iam", "ChangePassword")}:
                continue
            given = least(model.input_shape) if model.input_shape else {}
            given.update({k: v for k, v in NAMED.items() if k in given})
            try:
                getattr(client, methods[api])(**given)
            except botocore.exceptions.ClientError as e:
                code = e.response["Error"]["Code"]
                (refused if code in REFUSALS else others)[name] += 1
                if code not in REFUSALS:
                    print(name, api, code, e.response["Error"].get("Message"))
            except botocore.exceptions.BotoCoreError as e:
                print(name, api, e)
                others[name] += 1
            else:
                passed.append((name, api))


if __name__ == "__main__":
    unittest.main()
