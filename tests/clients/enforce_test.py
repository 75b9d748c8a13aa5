"""What IAM and STS say is enforced, in every service and protocol: real SDK calls with issued keys, nothing mocked."""
import base64
import hashlib
import hmac
import json
import random
import re
import struct
import threading
import time
import unittest
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

from botocore.exceptions import ClientError

from virga import Refusals, Virga

NEEDS_BOTO3 = (1, 40)

ACCOUNT = "000000000000"


def allow(actions, resources="*", **more):
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def deny(actions, resources="*", **more):
    return {"Effect": "Deny", "Action": actions, "Resource": resources, **more}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal, action="sts:AssumeRole", **more):
    return document({"Effect": "Allow", "Principal": principal, "Action": action, **more})


def totp(seed, at):
    mac = hmac.new(base64.b32decode(seed), struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    offset = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[offset:offset + 4])[0] & 0x7FFFFFFF) % 1000000:06d}"


class Case(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.iam = cls.virga.client("iam")

    def name(self, prefix="x"):
        return f"{prefix}-{random.getrandbits(40):x}"

    def user(self, *statements, **kw):
        """(name, function that makes clients) of a new user with these statements."""
        name = self.name("u")
        self.iam.create_user(UserName=name, **kw)
        if statements:
            self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return name, lambda service, **more: self.virga.client(service, key["AccessKeyId"], key["SecretAccessKey"],
            **more)

    def role(self, trusted, *statements, **kw):
        name = self.name("r")
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted, **kw)["Role"]["Arn"]
        if statements:
            self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
        return arn

    def session(self, answer):
        c = answer["Credentials"]
        return lambda service, **kw: self.virga.client(service, c["AccessKeyId"], c["SecretAccessKey"],
            c["SessionToken"], **kw)


class ReadOnly(Case):
    def test_in_every_protocol(self):
        name, client = self.user()
        self.iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
        who = f"User: arn:aws:iam::{ACCOUNT}:user/{name} is not authorized to perform: "
        why = " because no identity-based policy allows the "
        queue = self.virga.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        bucket = self.name("b")
        self.virga.client("s3").create_bucket(Bucket=bucket)
        self.virga.client("s3").put_object(Bucket=bucket, Key="k", Body=b"v")
        table = dict(TableName=name, KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
                     AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}])
        # Reading passes.
        client("sts").get_caller_identity()
        client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
        self.assertEqual(client("s3").get_object(Bucket=bucket, Key="k")["Body"].read(), b"v")
        client("s3").list_objects_v2(Bucket=bucket)
        client("iam").list_users()
        client("dynamodb").list_tables()
        # Writing does not: json, rest-xml with and without a stream, query.
        refused = [
            ("AccessDeniedException", "sqs:SendMessage", f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}",
             lambda: client("sqs").send_message(QueueUrl=queue, MessageBody="x")),
            ("AccessDenied", "s3:PutObject", f'"arn:aws:s3:::{bucket}/k"',
             lambda: client("s3").put_object(Bucket=bucket, Key="k", Body=b"new")),
            ("AccessDenied", "s3:DeleteBucket", f'"arn:aws:s3:::{bucket}"',
                lambda: client("s3").delete_bucket(Bucket=bucket)),
            ("AccessDenied", "iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/other",
             lambda: client("iam").create_user(UserName="other")),
            ("AccessDeniedException", "dynamodb:CreateTable", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{name}",
             lambda: client("dynamodb").create_table(**table)),
        ]
        for code, action, resource, call in refused:
            with self.subTest(action=action):
                message = self.refused(code, call)
                self.assertEqual(message, f"{who}{action} on resource: {resource}{why}{action} action")
        self.assertEqual(self.virga.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read(), b"v")
        # DeleteObjects answers for each key; the copy's source is asked for too.
        self.assertEqual(client("s3").head_object(Bucket=bucket, Key="k")["ContentLength"], 1)

    def test_unsigned_requests(self):
        for path in ("/?Action=GetCallerIdentity&Version=2011-06-15", "/?Action=ListUsers&Version=2010-05-08",
                     "/?Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::000000000000:role/r&RoleSessionName=abc"):
            code, _, body = self.virga.get(path)
            self.assertEqual((code, b"MissingAuthenticationToken" in body), (403, True), body)

    def test_nothing_is_allowed_by_nothing(self):
        _, client = self.user()
        client("sts").get_caller_identity()
        self.refused("AccessDenied", client("s3").list_buckets)
        self.refused("AccessDeniedException", client("sqs").list_queues)
        self.refused("AccessDenied", client("iam").list_users)


class Changes(Case):
    def test_take_effect_at_once(self):
        name, client = self.user()
        sqs = client("sqs")
        arn = self.iam.create_policy(PolicyName=name, PolicyDocument=document(allow("sqs:ListQueues")))["Policy"]["Arn"]
        self.refused("AccessDeniedException", sqs.list_queues)
        self.iam.attach_user_policy(UserName=name, PolicyArn=arn)
        sqs.list_queues()
        self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("sqs:Nothing")), SetAsDefault=True)
        self.refused("AccessDeniedException", sqs.list_queues)
        self.iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        sqs.list_queues()
        self.iam.detach_user_policy(UserName=name, PolicyArn=arn)
        self.refused("AccessDeniedException", sqs.list_queues)
        group = self.name("g")
        self.iam.create_group(GroupName=group)
        self.iam.put_group_policy(GroupName=group, PolicyName="p", PolicyDocument=document(allow("sqs:*")))
        self.iam.add_user_to_group(GroupName=group, UserName=name)
        sqs.list_queues()
        self.iam.put_user_policy(UserName=name, PolicyName="d", PolicyDocument=document(deny("sqs:List*")))
        self.assertIn("with an explicit deny in an identity-based policy",
            self.refused("AccessDeniedException", sqs.list_queues))
        self.iam.delete_user_policy(UserName=name, PolicyName="d")
        sqs.list_queues()
        self.iam.remove_user_from_group(GroupName=group, UserName=name)
        self.refused("AccessDeniedException", sqs.list_queues)

    def test_keys(self):
        name = self.name("u")
        self.iam.create_user(UserName=name)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        sts = self.virga.client("sts", key["AccessKeyId"], key["SecretAccessKey"])
        sts.get_caller_identity()
        self.refused("SignatureDoesNotMatch", self.virga.client("sts", key["AccessKeyId"], "wrong").get_caller_identity)
        self.iam.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Inactive")
        self.refused("InvalidClientTokenId", sts.get_caller_identity)
        self.iam.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Active")
        sts.get_caller_identity()
        self.iam.update_user(UserName=name, NewUserName=name + "2", NewPath="/new/")
        self.assertTrue(sts.get_caller_identity()["Arn"].endswith(f":user/new/{name}2"))
        self.iam.delete_access_key(UserName=name + "2", AccessKeyId=key["AccessKeyId"])
        self.refused("InvalidClientTokenId", sts.get_caller_identity)
        self.virga.restart()
        self.refused("InvalidClientTokenId", sts.get_caller_identity)

    def test_boundary(self):
        boundary = self.iam.create_policy(PolicyName=self.name(),
            PolicyDocument=document(allow("s3:*")))["Policy"]["Arn"]
        name, client = self.user(allow("*"), PermissionsBoundary=boundary)
        client("s3").list_buckets()
        self.assertIn("because no permissions boundary allows the sqs:ListQueues action",
                      self.refused("AccessDeniedException", client("sqs").list_queues))
        self.iam.delete_user_permissions_boundary(UserName=name)
        client("sqs").list_queues()

    def test_variables_and_paths(self):
        name, client = self.user(
            allow(["iam:*AccessKey*", "iam:GetUser"], "arn:aws:iam::*:user/team/${aws:username}"), Path="/team/")
        self.assertEqual(client("iam").get_user()["User"]["UserName"], name)
        self.assertEqual(len(client("iam").list_access_keys()["AccessKeyMetadata"]), 1)
        client("iam").list_access_keys(UserName=name)
        other, _ = self.user(Path="/team/")
        self.refused("AccessDenied", client("iam").list_access_keys, UserName=other)

    def test_tags_decide(self):
        name, client = self.user(allow("iam:DeleteUser", Condition={
            "StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}),
                Tags=[{"Key": "team", "Value": "red"}])
        ours, theirs = self.name(), self.name()
        self.iam.create_user(UserName=ours, Tags=[{"Key": "team", "Value": "red"}])
        self.iam.create_user(UserName=theirs, Tags=[{"Key": "team", "Value": "blue"}])
        client("iam").delete_user(UserName=ours)
        self.refused("AccessDenied", client("iam").delete_user, UserName=theirs)


class Roles(Case):
    def test_both_sides_have_to_allow(self):
        name, client = self.user()
        arn = self.role(trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), allow("sqs:ListQueues"))
        assume = client("sts").assume_role
        # The account is trusted: so the user needs permission of its own.
        self.refused("AccessDenied", assume, RoleArn=arn, RoleSessionName="s1")
        self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(allow("sts:AssumeRole", arn)))
        answer = assume(RoleArn=arn, RoleSessionName="s1")
        self.assertEqual(answer["AssumedRoleUser"]["Arn"],
            f"arn:aws:sts::{ACCOUNT}:assumed-role/{arn.rsplit('/', 1)[1]}/s1")
        session = self.session(answer)
        self.assertEqual(session("sts").get_caller_identity()["UserId"], answer["AssumedRoleUser"]["AssumedRoleId"])
        session("sqs").list_queues()
        self.assertIn(f"User: {answer['AssumedRoleUser']['Arn']} is not authorized to perform: s3:ListAllMyBuckets",
                      self.refused("AccessDenied", session("s3").list_buckets))
        # The user itself is trusted: that is enough.
        other, client = self.user()
        arn = self.role(trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/{other}"}))
        client("sts").assume_role(RoleArn=arn, RoleSessionName="s1")
        # Nobody's role, a service's role, a role that is not there.
        arn = self.role(trust({"Service": "lambda.amazonaws.com"}))
        self.iam.put_user_policy(UserName=other, PolicyName="p", PolicyDocument=document(allow("sts:*")))
        for a in (arn, f"arn:aws:iam::{ACCOUNT}:role/absent"):
            self.assertIn("is not authorized to perform: sts:AssumeRole on resource: " + a,
                          self.refused("AccessDenied", client("sts").assume_role, RoleArn=a, RoleSessionName="s1"))

    def test_external_id(self):
        _, client = self.user(allow("sts:AssumeRole"))
        arn = self.role(trust({"AWS": ACCOUNT}, Condition={"StringEquals": {"sts:ExternalId": "secret-7"}}))
        assume = client("sts").assume_role
        self.refused("AccessDenied", assume, RoleArn=arn, RoleSessionName="s1")
        self.refused("AccessDenied", assume, RoleArn=arn, RoleSessionName="s1", ExternalId="other")
        assume(RoleArn=arn, RoleSessionName="s1", ExternalId="secret-7")

    def test_session_policies(self):
        arn = self.role(trust({"AWS": ACCOUNT}), allow(["sqs:*", "s3:*"]))
        sts = self.virga.client("sts")
        session = self.session(sts.assume_role(RoleArn=arn, RoleSessionName="s1",
            Policy=document(allow(["s3:*", "iam:*"]))))
        session("s3").list_buckets()
        self.assertIn("because no session policy allows the sqs:ListQueues action",
                      self.refused("AccessDeniedException", session("sqs").list_queues))
        self.refused("AccessDenied", session("iam").list_users)
        session = self.session(sts.assume_role(RoleArn=arn, RoleSessionName="s1", PolicyArns=[
            {"arn": "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"}]))
        session("sqs").list_queues()
        self.refused("AccessDenied", session("s3").list_buckets)
        self.refused("MalformedPolicyDocument", sts.assume_role, RoleArn=arn, RoleSessionName="s1", Policy="{}")

    def test_durations(self):
        arn = self.role(trust({"AWS": ACCOUNT}), allow("sts:AssumeRole"), MaxSessionDuration=7200)
        sts = self.virga.client("sts")
        session = self.session(sts.assume_role(RoleArn=arn, RoleSessionName="s1", DurationSeconds=7200))
        self.assertIn("exceeds the MaxSessionDuration", self.refused(
            "ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="s1", DurationSeconds=7201))
        self.assertIn("role chaining", self.refused(
            "ValidationError", session("sts").assume_role, RoleArn=arn, RoleSessionName="s2", DurationSeconds=3601))
        session("sts").assume_role(RoleArn=arn, RoleSessionName="s2", DurationSeconds=3600)

    def test_session_tags(self):
        arn = self.role(trust({"AWS": ACCOUNT}, ["sts:AssumeRole", "sts:TagSession"]), allow(
            ["sqs:ListQueues", "sts:*"], Condition={"StringEquals": {"aws:PrincipalTag/team": "red"}}))
        sts = self.virga.client("sts")
        self.refused("AccessDeniedException", self.session(sts.assume_role(RoleArn=arn,
            RoleSessionName="s1"))("sqs").list_queues)
        tagged = self.session(sts.assume_role(RoleArn=arn, RoleSessionName="s1", Tags=[{"Key": "team", "Value": "red"}],
                                              TransitiveTagKeys=["team"]))
        tagged("sqs").list_queues()
        # Transitive tags go on to the next role, and cannot be replaced.
        chained = self.session(tagged("sts").assume_role(RoleArn=arn, RoleSessionName="s2"))
        chained("sqs").list_queues()
        self.refused("ValidationError", tagged("sts").assume_role, RoleArn=arn, RoleSessionName="s2",
                     Tags=[{"Key": "team", "Value": "blue"}])
        # Without sts:TagSession in the trust policy tags are refused.
        arn = self.role(trust({"AWS": ACCOUNT}))
        self.assertIn("sts:TagSession", self.refused(
            "AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="s1", Tags=[{"Key": "a", "Value": "b"}]))

    def test_a_deleted_role_is_gone_for_its_sessions(self):
        arn = self.role(trust({"AWS": ACCOUNT}), allow("sqs:*"))
        name = arn.rsplit("/", 1)[1]
        session = self.session(self.virga.client("sts").assume_role(RoleArn=arn, RoleSessionName="s1"))
        session("sqs").list_queues()
        self.iam.delete_role_policy(RoleName=name, PolicyName="p")
        self.iam.delete_role(RoleName=name)
        self.refused("AccessDeniedException", session("sqs").list_queues)
        # Another of the same name is not it.
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))
        self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allow("sqs:*")))
        self.refused("AccessDeniedException", session("sqs").list_queues)

    def test_across_accounts(self):
        other = self.virga.client("iam", key="123456789012")
        arn = other.create_role(RoleName="visitors", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))["Role"]["Arn"]
        other.put_role_policy(RoleName="visitors", PolicyName="p", PolicyDocument=document(allow("sqs:*")))
        _, client = self.user()
        self.refused("AccessDenied", client("sts").assume_role, RoleArn=arn, RoleSessionName="s1")
        _, client = self.user(allow("sts:AssumeRole", arn))
        session = self.session(client("sts").assume_role(RoleArn=arn, RoleSessionName="s1"))
        self.assertEqual(session("sts").get_caller_identity()["Account"], "123456789012")
        session("sqs").create_queue(QueueName="theirs")
        self.assertIn("theirs", self.virga.client("sqs", key="123456789012").list_queues()["QueueUrls"][0])
        self.assertNotIn("QueueUrls", self.virga.client("sqs").list_queues(QueueNamePrefix="theirs"))


class QueuePolicies(Case):
    """SQS's resource policies, within the account, across accounts, and for nobody."""

    def setUp(self):
        self.sqs = self.virga.client("sqs")
        self.queue_name = self.name("q")
        self.url = self.sqs.create_queue(QueueName=self.queue_name)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{self.queue_name}"

    def allow(self, principal, *actions, **more):
        statement = {"Effect": "Allow", "Principal": principal, "Action": list(actions), "Resource": self.arn, **more}
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": document(statement)})

    def test_within_the_account(self):
        name, client = self.user()
        send = lambda: client("sqs").send_message(QueueUrl=self.url, MessageBody="x")
        self.refused("AccessDeniedException", send)
        self.allow({"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}, "sqs:SendMessage")
        send()
        self.refused("AccessDeniedException", client("sqs").receive_message, QueueUrl=self.url)
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": document(
            {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": self.arn})})
        self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(allow("sqs:*")))
        self.assertIn("with an explicit deny in a resource-based policy", self.refused("AccessDeniedException", send))

    def test_across_accounts(self):
        iam = self.virga.client("iam", key="123456789012")
        name = self.name("u")
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        theirs = self.virga.client("sqs", key["AccessKeyId"], key["SecretAccessKey"])
        send = lambda: theirs.send_message(QueueUrl=self.url, MessageBody="x")
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(allow("sqs:*")))
        self.refused("AccessDeniedException", send)
        self.allow({"AWS": "123456789012"}, "sqs:SendMessage")
        send()
        # Both sides: the queue's policy alone does not do across accounts.
        iam.delete_user_policy(UserName=name, PolicyName="p")
        self.refused("AccessDeniedException", send)

    def test_nobody_in_particular(self):
        path = "/?" + urllib.parse.urlencode({"Action": "SendMessage", "QueueUrl": self.url, "MessageBody": "hello"})
        self.assertEqual(self.virga.get(path)[0], 403)
        self.allow("*", "sqs:SendMessage")
        self.assertEqual(self.virga.get(path)[0], 200)
        self.assertEqual(self.sqs.receive_message(QueueUrl=self.url)["Messages"][0]["Body"], "hello")

    def test_tags(self):
        _, client = self.user(allow("sqs:*", Condition={"StringEquals": {"aws:ResourceTag/team": "red"}}))
        self.refused("AccessDeniedException", client("sqs").send_message, QueueUrl=self.url, MessageBody="x")
        self.sqs.tag_queue(QueueUrl=self.url, Tags={"team": "red"})
        client("sqs").send_message(QueueUrl=self.url, MessageBody="x")


class Users(Case):
    def test_session_token(self):
        name, client = self.user(allow(["sqs:*", "iam:*"]))
        session = self.session(client("sts").get_session_token())
        session("sqs").list_queues()
        self.assertTrue(session("sts").get_caller_identity()["Arn"].endswith("user/" + name))
        # Without MFA no calls to IAM; never to STS's token operations.
        self.refused("InvalidClientTokenId", session("iam").list_users)
        self.refused("AccessDenied", session("sts").get_session_token)

    def test_federation_token(self):
        name, client = self.user(allow(["sqs:*", "sts:GetFederationToken"]))
        bare = client("sts").get_federation_token(Name="bob")
        self.assertEqual(bare["FederatedUser"]["Arn"], f"arn:aws:sts::{ACCOUNT}:federated-user/bob")
        self.refused("AccessDeniedException", self.session(bare)("sqs").list_queues)
        session = self.session(client("sts").get_federation_token(Name="bob",
            Policy=document(allow(["sqs:List*", "s3:*"]))))
        session("sqs").list_queues()
        self.assertEqual(session("sts").get_caller_identity()["UserId"], f"{ACCOUNT}:bob")
        self.refused("AccessDenied", session("s3").list_buckets)
        self.refused("AccessDeniedException", session("sqs").create_queue, QueueName="q")

    def test_tampered_tokens(self):
        c = self.virga.client("sts").assume_role(
            RoleArn=self.role(trust({"AWS": ACCOUNT})), RoleSessionName="s1")["Credentials"]
        token = c["SessionToken"]
        for wrong in (None, token[:-8] + "AAAAAAA=", token + "A"):
            client = self.virga.client("sts", c["AccessKeyId"], c["SecretAccessKey"], wrong)
            self.refused("InvalidClientTokenId", client.get_caller_identity)

    def test_mfa(self):
        name, client = self.user(
            allow(["sqs:*", "iam:*MFA*", "sts:*"]),
            deny("sqs:DeleteQueue", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}))
        device = self.iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
        serial, seed = device["SerialNumber"], device["Base32StringSeed"].decode()
        now = time.time()
        self.refused("InvalidAuthenticationCode", self.iam.enable_mfa_device, UserName=name, SerialNumber=serial,
                     AuthenticationCode1="000000", AuthenticationCode2="000001")
        self.refused("InvalidAuthenticationCode", self.iam.enable_mfa_device, UserName=name, SerialNumber=serial,
                     AuthenticationCode1=totp(seed, now), AuthenticationCode2=totp(seed, now))
        self.iam.enable_mfa_device(UserName=name, SerialNumber=serial, AuthenticationCode1=totp(seed, now - 60),
                                   AuthenticationCode2=totp(seed, now - 30))
        queue = self.virga.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        self.assertIn("explicit deny", self.refused("AccessDeniedException", client("sqs").delete_queue,
            QueueUrl=queue))
        plain = self.session(client("sts").get_session_token())
        self.refused("AccessDeniedException", plain("sqs").delete_queue, QueueUrl=queue)
        code = totp(seed, time.time())
        wrong = f"{(int(code) + 1) % 1000000:06d}"
        self.assertIn("invalid MFA", self.refused("AccessDenied", client("sts").get_session_token,
            SerialNumber=serial, TokenCode=wrong))
        strong = self.session(client("sts").get_session_token(SerialNumber=serial, TokenCode=code))
        # A code passes once.
        self.refused("AccessDenied", client("sts").get_session_token, SerialNumber=serial, TokenCode=code)
        strong("iam").list_mfa_devices()
        strong("sqs").delete_queue(QueueUrl=queue)
        # AssumeRole: MFA that the trust policy asks for.
        arn = self.role(trust({"AWS": ACCOUNT}, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}))
        self.refused("AccessDenied", client("sts").assume_role, RoleArn=arn, RoleSessionName="s1")
        strong("sts").assume_role(RoleArn=arn, RoleSessionName="s1")
        client("sts").assume_role(RoleArn=arn, RoleSessionName="s1", SerialNumber=serial,
            TokenCode=totp(seed, time.time() + 30))


class Time(unittest.TestCase):
    setUpClass = Case.__dict__["setUpClass"]
    refused, session, name, role = Case.refused, Case.session, Case.name, Case.role

    def test_sessions_end(self):
        arn = self.role(trust({"AWS": ACCOUNT}), allow("*"))
        c = self.virga.client("sts").assume_role(RoleArn=arn, RoleSessionName="s1", DurationSeconds=900)
        session = self.session(c)
        session("s3").list_buckets()
        self.assertEqual(self.virga.get("/_virga/clock?advance=14m", method="POST")[0], 200)
        session("sqs").list_queues()
        self.assertEqual(self.virga.get("/_virga/clock?advance=2m", method="POST")[0], 200)
        self.refused("ExpiredToken", session("sts").get_caller_identity)
        self.refused("ExpiredToken", session("s3").list_buckets)
        self.refused("ExpiredTokenException", session("sqs").list_queues)

    def test_devices_go_by_the_machine(self):
        """Virtual time was moved: a code of the machine's clock passes, one of virtual time too, each once."""
        name = self.name("u")
        self.iam.create_user(UserName=name)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        sts = self.virga.client("sts", key["AccessKeyId"], key["SecretAccessKey"])
        device = self.iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
        serial, seed = device["SerialNumber"], device["Base32StringSeed"].decode()
        self.virga.get("/_virga/clock?advance=30d", method="POST")
        now = time.time()
        self.iam.enable_mfa_device(UserName=name, SerialNumber=serial, AuthenticationCode1=totp(seed, now - 60),
                                   AuthenticationCode2=totp(seed, now - 30))
        moved = json.loads(self.virga.get("/_virga/clock")[2])["offset_ms"] / 1000
        for at in (now, time.time() + moved):
            sts.get_session_token(SerialNumber=serial, TokenCode=totp(seed, at))
            self.refused("AccessDenied", sts.get_session_token, SerialNumber=serial, TokenCode=totp(seed, at))


def b64url(b):
    return base64.urlsafe_b64encode(b).rstrip(b"=").decode()


class WebIdentity(Case):
    """An issuer on the loopback, with keys made here by the cryptography package."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            from cryptography.hazmat.primitives.asymmetric import ec, rsa
        except ImportError:
            raise unittest.SkipTest("no python3-cryptography")
        cls.rsa, cls.ec = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
        n, p = cls.rsa.public_key().public_numbers(), cls.ec.public_key().public_numbers()
        number = lambda x, size: b64url(x.to_bytes(size, "big"))
        jwks = {"keys": [{"kty": "RSA", "kid": "r", "use": "sig", "n": number(n.n, 256), "e": number(n.e, 3)},
                         {"kty": "EC", "kid": "e", "crv": "P-256", "x": number(p.x, 32), "y": number(p.y, 32)}]}

        class Issuer(BaseHTTPRequestHandler):
            def do_GET(self):
                here = f"http://127.0.0.1:{self.server.server_port}"
                answer = jwks if self.path == "/keys" else {"issuer": here, "jwks_uri": here + "/keys"}
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        cls.server = HTTPServer(("127.0.0.1", 0), Issuer)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.server.server_close)
        cls.addClassCleanup(cls.server.shutdown)
        cls.issuer = f"http://127.0.0.1:{cls.server.server_port}"
        cls.provider = cls.iam.create_open_id_connect_provider(Url=cls.issuer,
            ClientIDList=["app"])["OpenIDConnectProviderArn"]

    def token(self, kind="r", key=None, **claims):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

        head = {"alg": "RS256" if kind == "r" else "ES256", "kid": kind}
        body = {"iss": self.issuer, "aud": "app", "sub": "repo:me/it", "exp": int(time.time()) + 600,
            "iat": int(time.time()), **claims}
        text = (b64url(json.dumps(head).encode()) + "." + b64url(json.dumps(body).encode())).encode()
        if kind == "r":
            signature = (key or self.rsa).sign(text, padding.PKCS1v15(), hashes.SHA256())
        else:
            r, s = utils.decode_dss_signature(self.ec.sign(text, ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return text.decode() + "." + b64url(signature)

    def assume(self, arn, token):
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        sts = boto3.session.Session().client("sts", region_name="us-east-1", endpoint_url=self.virga.endpoint,
                                             config=Config(signature_version=UNSIGNED,
                                                 retries={"total_max_attempts": 1}))
        return sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="web", WebIdentityToken=token)

    def test_tokens(self):
        from cryptography.hazmat.primitives.asymmetric import rsa

        host = self.issuer.split("//")[1]
        arn = self.role(trust({"Federated": self.provider}, "sts:AssumeRoleWithWebIdentity", Condition={
            "StringEquals": {f"{host}:aud": "app"}, "StringLike": {f"{host}:sub": "repo:me/*"}}), allow("sqs:*"))
        for kind in "re":
            answer = self.assume(arn, self.token(kind))
            self.assertEqual((answer["SubjectFromWebIdentityToken"], answer["Provider"], answer["Audience"]),
                             ("repo:me/it", self.provider, "app"))
            self.session(answer)("sqs").list_queues()
        self.refused("AccessDenied", self.assume, arn=arn, token=self.token(sub="repo:them/it"))
        self.refused("ExpiredTokenException", self.assume, arn=arn, token=self.token(exp=int(time.time()) - 1))
        self.refused("InvalidIdentityToken", self.assume, arn=arn, token=self.token(aud="other"))
        self.refused("InvalidIdentityToken", self.assume, arn=arn, token=self.token(iss="http://127.0.0.1:1"))
        foreign = rsa.generate_private_key(65537, 2048)
        self.refused("InvalidIdentityToken", self.assume, arn=arn, token=self.token(key=foreign))
        good = self.token()
        head, body, signature = good.split(".")
        forged = json.loads(base64.urlsafe_b64decode(body + "=="))
        forged["sub"] = "repo:me/admin"
        self.refused("InvalidIdentityToken", self.assume, arn=arn,
                     token=".".join((head, b64url(json.dumps(forged).encode()), signature)))
        none = b64url(json.dumps({"alg": "none"}).encode())
        self.refused("InvalidIdentityToken", self.assume, arn=arn, token=f"{none}.{body}.")


class Messages(Case):
    def test_decode(self):
        _, client = self.user(allow("sts:Decode*"))
        message = self.refused("UnauthorizedOperation", client("ec2").describe_vpcs) if self.has_ec2() else None
        if not message:
            self.skipTest("no operation of EC2 is built yet")
        encoded = re.search(r"message: (\S+)$", message).group(1)
        decoded = json.loads(client("sts").decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
        self.assertEqual((decoded["allowed"], decoded["context"]["action"]), (False, "ec2:DescribeVpcs"))

    def has_ec2(self):
        try:
            self.virga.client("ec2").describe_vpcs()
            return True
        except ClientError as e:
            return "NotImplemented" not in e.response["Error"]["Code"]

    def test_garbage(self):
        self.refused("InvalidAuthorizationMessageException", self.virga.client("sts").decode_authorization_message,
                     EncodedMessage="bm90aGluZw==")

    def test_key_info(self):
        key = self.iam.create_access_key(UserName=self.user()[0])["AccessKey"]
        self.assertEqual(self.virga.client("sts").get_access_key_info(AccessKeyId=key["AccessKeyId"])["Account"],
            ACCOUNT)


if __name__ == "__main__":
    unittest.main()
