"""CloudTrail through boto3: what each kind of caller leaves behind, LookupEvents, trails with their selectors, log files and
signed digests (checked here by OpenSSL, and by `aws cloudtrail validate-logs`), and what a crash leaves."""
import base64
import gzip
import hashlib
import json
import os
import subprocess
import tempfile
import threading
import time
import unittest

from botocore.config import Config
from botocore.exceptions import ClientError

from virga import Virga, code_of

ACCOUNT = "000000000000"
OTHER = "111122223333"


def bucket_policy(bucket, account=ACCOUNT, prefix=""):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:GetBucketAcl",
         "Resource": f"arn:aws:s3:::{bucket}"},
        {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:PutObject",
         "Resource": f"arn:aws:s3:::{bucket}/{prefix}AWSLogs/{account}/*",
         "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}}]})


def patient(client, **kw):
    """LookupEvents is limited to two a second."""
    while True:
        try:
            return client.lookup_events(**kw)
        except ClientError as e:
            if e.response["Error"]["Code"] != "ThrottlingException":
                raise
            time.sleep(0.05)


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)

    def client(self, service, region="us-east-1", **kw):
        return self.v.client(service, region_name=region, **kw)

    def trail(self, region="us-east-1", **kw):
        return self.client("cloudtrail", region, **kw)

    def lookup(self, key=None, value=None, region="us-east-1", client=None, **kw):
        c = client or self.trail(region)
        if key:
            kw["LookupAttributes"] = [{"AttributeKey": key, "AttributeValue": value}]
        events, token = [], None
        while True:
            r = patient(c, **kw, **({"NextToken": token} if token else {}))
            events += r["Events"]
            token = r.get("NextToken")
            if not token:
                return events

    def told(self, region="us-east-1", client=None):
        """The newest event of each name, and its record: one lookup for many."""
        found = {}
        for e in self.lookup(region=region, client=client):
            found.setdefault(e["EventName"], (e, json.loads(e["CloudTrailEvent"])))
        return found

    def advance(self, duration):
        subprocess.run([os.environ.get("VIRGA") or os.path.join(os.path.dirname(__file__), "../../build/virga"), "clock",
                        "advance", duration, "--endpoint", f"http://127.0.0.1:{self.v.port}"], check=True, capture_output=True)


class Records(Case):
    def test_a_change_is_told_with_its_parameters_and_its_answer(self):
        iam = self.client("iam")
        iam.create_user(UserName="alice", Tags=[{"Key": "team", "Value": "blue"}])
        event, record = self.told()["CreateUser"]
        self.assertEqual(event["Username"], "root")
        self.assertEqual(event["ReadOnly"], "false")
        self.assertIn({"ResourceType": "AWS::IAM::User", "ResourceName": "alice"}, event["Resources"])
        self.assertEqual(record["eventVersion"], "1.11")
        self.assertEqual(record["userIdentity"]["type"], "Root")
        self.assertEqual(record["userIdentity"]["arn"], f"arn:aws:iam::{ACCOUNT}:root")
        self.assertEqual((record["eventSource"], record["awsRegion"]), ("iam.amazonaws.com", "us-east-1"))
        self.assertEqual(record["requestParameters"], {"userName": "alice", "tags": [{"key": "team", "value": "blue"}]})
        self.assertEqual(record["responseElements"]["user"]["userName"], "alice")
        self.assertRegex(record["responseElements"]["user"]["createDate"], r"^\w{3} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M$")
        self.assertEqual(record["eventID"], event["EventId"])
        self.assertEqual(record["recipientAccountId"], ACCOUNT)
        self.assertEqual((record["eventType"], record["eventCategory"]), ("AwsApiCall", "Management"))
        self.assertIs(record["readOnly"], False)
        self.assertIs(record["managementEvent"], True)
        self.assertIn("Boto3", record["userAgent"])
        self.assertEqual(record["sourceIPAddress"], "127.0.0.1")

    def test_reading_is_told_without_its_answer_and_failures_with_their_code(self):
        iam = self.client("iam")
        iam.list_users()
        self.assertEqual(code_of(iam.get_user, UserName="nobody"), "NoSuchEntity")
        told = self.told()
        _, record = told["ListUsers"]
        self.assertIsNone(record["responseElements"])
        self.assertIs(record["readOnly"], True)
        _, record = told["GetUser"]
        self.assertEqual(record["errorCode"], "NoSuchEntityException")
        self.assertIn("nobody", record["errorMessage"])

    def test_secrets_are_not_told(self):
        iam, secrets, ssm = self.client("iam"), self.client("secretsmanager"), self.client("ssm")
        iam.create_user(UserName="carol")
        key = iam.create_access_key(UserName="carol")["AccessKey"]
        secrets.create_secret(Name="s", SecretString="hunter2-secret")
        ssm.put_parameter(Name="p", Value="hunter2-parameter", Type="SecureString")
        iam.create_login_profile(UserName="carol", Password="hunter2-Password!")
        session = self.client("sts").get_session_token()["Credentials"]
        kms = self.client("kms")
        kms_key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.encrypt(KeyId=kms_key, Plaintext=b"hunter2-plain", EncryptionContext={"a": "b"})
        told = self.told()
        everything = json.dumps([t[1] for t in told.values()])
        for word in (key["SecretAccessKey"], "hunter2", base64.b64encode(b"hunter2-plain").decode(),
                     session["SecretAccessKey"], session["SessionToken"]):
            self.assertNotIn(word, everything)
        _, record = told["CreateAccessKey"]
        self.assertEqual(record["responseElements"]["accessKey"]["accessKeyId"], key["AccessKeyId"])
        _, record = told["PutParameter"]
        self.assertEqual(record["requestParameters"]["value"], "HIDDEN_DUE_TO_SECURITY_REASONS")
        _, record = told["Encrypt"]
        self.assertEqual(record["requestParameters"]["encryptionContext"], {"a": "b"})
        self.assertEqual(record["resources"][0]["type"], "AWS::KMS::Key")
        self.assertIs(record["readOnly"], True)

    def test_users_roles_sessions_and_other_accounts(self):
        iam, sts = self.client("iam"), self.client("sts")
        iam.create_user(UserName="dora")
        iam.put_user_policy(UserName="dora", PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
        key = iam.create_access_key(UserName="dora")["AccessKey"]
        as_dora = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        self.client("iam", **as_dora).list_roles()
        trust = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": [ACCOUNT, OTHER]}, "Action": "sts:AssumeRole"}]})
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
        iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
        arn = f"arn:aws:iam::{ACCOUNT}:role/r"
        s = self.client("sts", **as_dora).assume_role(RoleArn=arn, RoleSessionName="here")["Credentials"]
        session = {"aws_access_key_id": s["AccessKeyId"], "aws_secret_access_key": s["SecretAccessKey"],
                   "aws_session_token": s["SessionToken"]}
        self.client("iam", **session).list_groups()
        self.assertEqual(code_of(self.client("iam", **session).create_user, UserName="x"), "AccessDenied")
        told = self.told()
        event, record = told["ListRoles"]
        self.assertEqual(event["Username"], "dora")
        self.assertEqual(event["AccessKeyId"], key["AccessKeyId"])
        self.assertEqual(record["userIdentity"]["type"], "IAMUser")
        self.assertTrue(record["userIdentity"]["principalId"].startswith("AIDA"))
        _, record = told["AssumeRole"]
        self.assertEqual(record["responseElements"]["credentials"]["accessKeyId"], s["AccessKeyId"])
        self.assertEqual(record["resources"], [{"accountId": ACCOUNT, "type": "AWS::IAM::Role", "ARN": arn}])
        event, record = told["ListGroups"]
        who = record["userIdentity"]
        self.assertEqual((who["type"], event["Username"]), ("AssumedRole", "here"))
        self.assertEqual(who["sessionContext"]["sessionIssuer"]["arn"], arn)
        self.assertEqual(who["sessionContext"]["sessionIssuer"]["userName"], "r")
        self.assertEqual(who["sessionContext"]["attributes"]["mfaAuthenticated"], "false")
        self.assertEqual(told["CreateUser"][1]["errorCode"], "AccessDenied")
        # Across accounts both are told, under one shared id.
        foreign = {"aws_access_key_id": OTHER, "aws_secret_access_key": "x"}
        self.client("sts", **foreign).assume_role(RoleArn=arn, RoleSessionName="there")
        _, theirs = self.told(client=self.trail(**foreign))["AssumeRole"]
        mine = [json.loads(e["CloudTrailEvent"]) for e in self.lookup("EventName", "AssumeRole")]
        mine = [m for m in mine if m.get("sharedEventID") == theirs["sharedEventID"]]
        self.assertEqual(len(mine), 1)
        self.assertEqual(mine[0]["userIdentity"], {"type": "AWSAccount", "principalId": OTHER, "accountId": OTHER})
        self.assertEqual(mine[0]["recipientAccountId"], ACCOUNT)

    def test_s3_names_its_bucket_its_own_way(self):
        s3 = self.client("s3")
        s3.create_bucket(Bucket="told")
        s3.put_bucket_versioning(Bucket="told", VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket="told", Key="k", Body=b"x")
        told = self.told()
        event, record = told["PutBucketVersioning"]
        self.assertEqual(record["requestParameters"]["bucketName"], "told")
        self.assertEqual(record["requestParameters"]["versioning"], "")
        self.assertEqual(record["requestParameters"]["VersioningConfiguration"]["Status"], "Enabled")
        self.assertEqual(record["resources"], [{"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::told"}])
        self.assertEqual(record["additionalEventData"]["SignatureVersion"], "SigV4")
        self.assertEqual([e["EventName"] for e in self.lookup("ResourceName", "told")], ["PutBucketVersioning", "CreateBucket"])
        self.assertNotIn("PutObject", told)  # a data event: not in the history


class Lookups(Case):
    def test_attributes_times_pages_and_refusals(self):
        sqs = self.client("sqs", "eu-west-1")
        for i in range(7):
            sqs.create_queue(QueueName=f"q{i}")
        sqs.tag_queue(QueueUrl=sqs.get_queue_url(QueueName="q1")["QueueUrl"], Tags={"a": "b"})
        there = lambda *a, **kw: self.lookup(*a, region="eu-west-1", **kw)  # noqa: E731
        events = there("EventName", "CreateQueue", MaxResults=3)  # over three pages, the newest first
        self.assertEqual([json.loads(e["CloudTrailEvent"])["requestParameters"]["queueName"] for e in events],
                         [f"q{i}" for i in range(6, -1, -1)])
        one = there("EventId", events[3]["EventId"])
        self.assertEqual([e["EventId"] for e in one], [events[3]["EventId"]])
        self.assertEqual({e["EventSource"] for e in there("EventSource", "sqs.amazonaws.com")}, {"sqs.amazonaws.com"})
        self.assertEqual([e["EventName"] for e in there("ResourceName", "q1")], ["TagQueue", "CreateQueue"])
        self.assertEqual(len(there("ResourceType", "AWS::SQS::Queue")), 8)
        self.assertGreaterEqual(len(there("Username", "root")), 8)
        self.assertTrue(all(e["ReadOnly"] == "true" for e in there("ReadOnly", "true")))
        self.assertEqual(len(there("EventName", "CreateQueue", StartTime=events[2]["EventTime"])) >= 3, True)
        self.assertEqual(self.lookup("EventName", "CreateQueue"), [])  # another region's
        c = self.trail("eu-west-1")
        first = patient(c, MaxResults=1)
        self.assertEqual(code_of(patient, c, NextToken="bm9uZQ=="), "InvalidNextTokenException")
        self.assertEqual(code_of(patient, c, NextToken=first["NextToken"], LookupAttributes=[
            {"AttributeKey": "EventName", "AttributeValue": "x"}]), "InvalidNextTokenException")
        self.assertEqual(code_of(c.lookup_events, LookupAttributes=[
            {"AttributeKey": "EventName", "AttributeValue": "x"}, {"AttributeKey": "EventId", "AttributeValue": "y"}]),
            "InvalidLookupAttributesException")
        self.assertEqual(code_of(c.lookup_events, StartTime=2000000000, EndTime=1000000000), "InvalidTimeRangeException")

    def test_more_than_two_a_second_are_too_many(self):
        c = self.client("cloudtrail", "ap-south-1", config=Config(retries={"max_attempts": 0}, max_pool_connections=32))
        codes, barrier = [], threading.Barrier(32)

        def ask():
            barrier.wait()
            codes.append(code_of(c.lookup_events))

        threads = [threading.Thread(target=ask) for _ in range(32)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertIn(None, codes)
        self.assertIn("ThrottlingException", codes)
        self.assertLessEqual(set(codes), {None, "ThrottlingException"})


class Trails(Case):
    def bucket(self, name, **kw):
        s3 = self.client("s3")
        s3.create_bucket(Bucket=name)
        s3.put_bucket_policy(Bucket=name, Policy=bucket_policy(name, **kw))
        return s3

    def tearDown(self):
        c = self.client("cloudtrail")
        for t in c.list_trails()["Trails"]:
            c.delete_trail(Name=t["TrailARN"])

    def logs(self, s3, bucket, prefix="", what="CloudTrail"):
        """Every record that was delivered, by its name."""
        out = []
        for o in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
            if f"/{what}/" in o["Key"]:
                out += json.loads(gzip.decompress(s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read()))["Records"]
        return out

    def test_made_changed_told_and_deleted(self):
        c = self.client("cloudtrail")
        self.bucket("places", prefix="pre/")
        made = c.create_trail(Name="one", S3BucketName="places", S3KeyPrefix="pre", TagsList=[{"Key": "a", "Value": "b"}])
        arn = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/one"
        self.assertEqual(made["TrailARN"], arn)
        self.assertIs(made["IncludeGlobalServiceEvents"], True)
        self.assertIs(made["IsMultiRegionTrail"], False)
        self.assertEqual(code_of(c.create_trail, Name="one", S3BucketName="places", S3KeyPrefix="pre"), "TrailAlreadyExistsException")
        self.assertIs(c.get_trail_status(Name="one")["IsLogging"], False)
        elsewhere = self.client("cloudtrail", "eu-west-1")
        self.assertEqual(code_of(elsewhere.get_trail, Name="one"), "TrailNotFoundException")
        c.update_trail(Name=arn, IsMultiRegionTrail=True)
        self.assertEqual(elsewhere.get_trail(Name="one")["Trail"]["HomeRegion"], "us-east-1")
        self.assertEqual(len(elsewhere.describe_trails()["trailList"]), 1)
        self.assertEqual(elsewhere.describe_trails(includeShadowTrails=False)["trailList"], [])
        self.assertEqual(code_of(elsewhere.update_trail, Name="one", IsMultiRegionTrail=False), "InvalidHomeRegionException")
        self.assertEqual(elsewhere.list_trails()["Trails"], [{"TrailARN": arn, "Name": "one", "HomeRegion": "us-east-1"}])
        self.assertEqual(code_of(c.update_trail, Name="one", IncludeGlobalServiceEvents=False), "InvalidParameterCombinationException")
        c.add_tags(ResourceId=arn, TagsList=[{"Key": "c", "Value": "d"}, {"Key": "a", "Value": "e"}])
        c.remove_tags(ResourceId=arn, TagsList=[{"Key": "c"}])
        self.assertEqual(c.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"], [{"Key": "a", "Value": "e"}])
        for name in ("ab", "-abc", "abc_", "a..b", "192.168.5.4", "a b c", "x" * 129):
            self.assertEqual(code_of(c.create_trail, Name=name, S3BucketName="places"), "InvalidTrailNameException", name)
        self.assertEqual(code_of(c.create_trail, Name="two", S3BucketName="nowhere"), "S3BucketDoesNotExistException")
        self.assertEqual(code_of(c.create_trail, Name="two", S3BucketName="places"), "InsufficientS3BucketPolicyException")
        self.assertEqual(code_of(c.create_trail, Name="two", S3BucketName="places", S3KeyPrefix="p" * 201), "InvalidS3PrefixException")
        self.assertEqual(code_of(c.get_trail, Name="arn:aws:s3:::x"), "CloudTrailARNInvalidException")
        for i in range(2, 6):
            c.create_trail(Name=f"trail{i}", S3BucketName="places", S3KeyPrefix="pre")
        self.assertEqual(code_of(c.create_trail, Name="six", S3BucketName="places", S3KeyPrefix="pre"),
                         "MaximumNumberOfTrailsExceededException")
        for t in c.list_trails()["Trails"]:
            c.delete_trail(Name=t["TrailARN"])
        self.assertEqual(code_of(c.delete_trail, Name="one"), "TrailNotFoundException")

    def test_events_go_to_a_log_group(self):
        self.bucket("logged")
        c, iam, logs = self.client("cloudtrail"), self.client("iam"), self.client("logs")
        logs.create_log_group(logGroupName="trail-events")
        group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:trail-events:*"
        role = iam.create_role(RoleName="to-logs", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "sts:AssumeRole"}}))["Role"]["Arn"]
        allow = lambda: iam.put_role_policy(RoleName="to-logs", PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                                                   "Resource": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:trail-events:*"}}))
        make = lambda group, role: c.create_trail(Name="logged", S3BucketName="logged", CloudWatchLogsLogGroupArn=group,
                                                  CloudWatchLogsRoleArn=role)
        self.assertEqual(code_of(make, "trail-events", role), "InvalidCloudWatchLogsLogGroupArnException")
        self.assertEqual(code_of(make, group, role + "x"), "InvalidCloudWatchLogsRoleArnException")
        self.assertEqual(make(group, role)["CloudWatchLogsLogGroupArn"], group)
        self.assertEqual(c.get_trail(Name="logged")["Trail"]["CloudWatchLogsRoleArn"], role)
        c.start_logging(Name="logged")
        iam.create_user(UserName="logged-user")
        self.lookup()
        self.advance("6m")  # the role may not yet
        self.assertEqual(c.get_trail_status(Name="logged")["LatestCloudWatchLogsDeliveryError"], "AccessDeniedException")
        allow()
        self.lookup()
        self.advance("6m")
        status = c.get_trail_status(Name="logged")
        self.assertNotIn("LatestCloudWatchLogsDeliveryError", status)
        self.assertIn("LatestCloudWatchLogsDeliveryTime", status)
        self.assertEqual([s["logStreamName"] for s in logs.describe_log_streams(logGroupName="trail-events")["logStreams"]],
                         [f"{ACCOUNT}_CloudTrail_us-east-1"])
        told = [json.loads(e["message"]) for e in logs.filter_log_events(logGroupName="trail-events")["events"]]
        users = [e for e in told if e["eventName"] == "CreateUser"]
        self.assertEqual([e["requestParameters"]["userName"] for e in users], ["logged-user"])
        self.assertNotIn("PutLogEvents", {e["eventName"] for e in told})

    def test_a_topic_is_told_of_deliveries(self):
        s3, c, sns, sqs = self.bucket("noted"), self.client("cloudtrail"), self.client("sns"), self.client("sqs")
        topic = sns.create_topic(Name="trail-news")["TopicArn"]
        self.assertEqual(code_of(c.create_trail, Name="news", S3BucketName="noted", SnsTopicName="trail-news"),
                         "InsufficientSnsTopicPolicyException")
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "SNS:Publish", "Resource": topic}]}))
        made = c.create_trail(Name="news", S3BucketName="noted", SnsTopicName="trail-news")
        self.assertEqual((made["SnsTopicName"], made["SnsTopicARN"]), ("trail-news", topic))
        queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:news"
        url = sqs.create_queue(QueueName="news", Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue}]})})["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
        c.start_logging(Name="news")
        self.advance("6m")
        told = json.loads(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][0]["Body"])
        self.assertEqual(told["s3Bucket"], "noted")
        self.assertEqual(told["s3ObjectKey"], [o["Key"] for o in s3.list_objects_v2(Bucket="noted")["Contents"]])
        self.assertIn("LatestNotificationTime", c.get_trail_status(Name="news"))

    def test_the_bucket_decides_by_the_trail_that_asks(self):
        s3, c = self.client("s3"), self.client("cloudtrail")
        s3.create_bucket(Bucket="confined")
        policy = json.loads(bucket_policy("confined"))
        for statement in policy["Statement"]:
            statement.setdefault("Condition", {}).setdefault("StringEquals", {})["aws:SourceArn"] = (
                f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/good")
        s3.put_bucket_policy(Bucket="confined", Policy=json.dumps(policy))
        self.assertEqual(code_of(c.create_trail, Name="bad", S3BucketName="confined"), "InsufficientS3BucketPolicyException")
        c.create_trail(Name="good", S3BucketName="confined")
        c.start_logging(Name="good")
        # Whoever takes the permission away stops the deliveries; what happened waits.
        s3.delete_bucket_policy(Bucket="confined")
        self.client("iam").create_group(GroupName="waits")
        self.advance("6m")
        self.assertEqual(c.get_trail_status(Name="good")["LatestDeliveryError"], "AccessDenied")
        self.assertEqual(self.logs(s3, "confined"), [])
        s3.put_bucket_policy(Bucket="confined", Policy=json.dumps(policy))
        self.advance("6m")
        self.assertIn("CreateGroup", [r["eventName"] for r in self.logs(s3, "confined")])
        self.assertNotIn("LatestDeliveryError", c.get_trail_status(Name="good"))
        c.delete_trail(Name="good")

    def test_data_events_by_selectors(self):
        s3, c, db = self.bucket("chosen"), self.client("cloudtrail"), self.client("dynamodb")
        s3.create_bucket(Bucket="watched")
        s3.create_bucket(Bucket="ignored")
        c.create_trail(Name="data", S3BucketName="chosen")
        default = c.get_event_selectors(TrailName="data")["EventSelectors"]
        self.assertEqual(default, [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [],
                                    "ExcludeManagementEventSources": []}])
        c.put_event_selectors(TrailName="data", EventSelectors=[{
            "ReadWriteType": "WriteOnly", "IncludeManagementEvents": False, "DataResources": [
                {"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::watched/logs/"]},
                {"Type": "AWS::DynamoDB::Table", "Values": ["arn:aws:dynamodb"]}]}])
        c.start_logging(Name="data")
        table = db.create_table(TableName="tab", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                                AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}])["TableDescription"]["TableArn"]
        s3.put_object(Bucket="watched", Key="logs/a", Body=b"123")
        s3.get_object(Bucket="watched", Key="logs/a")["Body"].read()
        s3.put_object(Bucket="watched", Key="other", Body=b"123")
        s3.put_object(Bucket="ignored", Key="logs/a", Body=b"123")
        db.put_item(TableName="tab", Item={"k": {"S": "a"}, "v": {"S": "hunter2"}})
        db.get_item(TableName="tab", Key={"k": {"S": "a"}})
        self.advance("6m")
        told = self.logs(s3, "chosen")
        self.assertEqual(sorted(r["eventName"] for r in told), ["PutItem", "PutObject"])
        put = [r for r in told if r["eventName"] == "PutObject"][0]
        self.assertEqual((put["eventCategory"], put["managementEvent"]), ("Data", False))
        self.assertEqual(put["requestParameters"]["key"], "logs/a")
        self.assertEqual(put["resources"], [
            {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::watched/logs/a"},
            {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::watched"}])
        self.assertEqual(put["additionalEventData"]["bytesTransferredIn"], 3)
        item = [r for r in told if r["eventName"] == "PutItem"][0]
        self.assertEqual(item["resources"][0]["ARN"], table)
        self.assertNotIn("hunter2", json.dumps(told))
        c.put_event_selectors(TrailName="data", AdvancedEventSelectors=[{"Name": "reads", "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
            {"Field": "readOnly", "Equals": ["true"]}, {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::watched/"]},
            {"Field": "eventName", "NotEquals": ["HeadObject"]}]},
            {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]},
                                {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}]}])
        self.assertEqual(len(c.get_event_selectors(TrailName="data")["AdvancedEventSelectors"]), 2)
        s3.head_object(Bucket="watched", Key="other")
        s3.get_object(Bucket="watched", Key="other")["Body"].read()
        s3.put_object(Bucket="watched", Key="other", Body=b"4")
        self.client("kms").list_keys()
        self.client("sqs").create_queue(QueueName="managed")
        self.advance("6m")
        now = [r["eventName"] for r in self.logs(s3, "chosen")]
        for _ in ("PutItem", "PutObject"):
            now.remove(_)
        self.assertEqual(sorted(set(now)), ["CreateQueue", "GetEventSelectors", "GetObject", "PutEventSelectors"])
        bad = lambda **kw: code_of(c.put_event_selectors, TrailName="data", **kw)  # noqa: E731
        refused = "InvalidEventSelectorsException"
        self.assertEqual(bad(), refused)
        self.assertEqual(bad(EventSelectors=[{"DataResources": [{"Type": "AWS::SQS::Queue", "Values": ["x"]}]}]), refused)
        self.assertEqual(bad(EventSelectors=[{}] * 6), refused)
        self.assertEqual(bad(AdvancedEventSelectors=[{"FieldSelectors": [{"Field": "readOnly", "Equals": ["true"]}]}]), refused)
        self.assertEqual(bad(AdvancedEventSelectors=[{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]), refused)
        c.stop_logging(Name="data")
        status = c.get_trail_status(Name="data")
        self.assertIs(status["IsLogging"], False)
        self.assertIn("LatestDeliveryTime", status)
        self.assertIn("StopLoggingTime", status)
        c.delete_trail(Name="data")

    def test_regions_global_events_and_encryption(self):
        s3, c, kms = self.bucket("many"), self.client("cloudtrail"), self.client("kms")
        key = kms.create_key()["KeyMetadata"]["Arn"]
        self.assertEqual(code_of(c.create_trail, Name="all", S3BucketName="many", KmsKeyId=key), "InsufficientEncryptionPolicyException")
        self.assertEqual(code_of(c.create_trail, Name="all", S3BucketName="many", KmsKeyId="alias/none"), "KmsKeyNotFoundException")
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "kms:GenerateDataKey*",
             "Resource": "*", "Condition": {"StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn":
                                                           f"arn:aws:cloudtrail:*:{ACCOUNT}:trail/*"}}}]}))
        c.create_trail(Name="all", S3BucketName="many", IsMultiRegionTrail=True, KmsKeyId=key)
        c.create_trail(Name="here", S3BucketName="many", IncludeGlobalServiceEvents=False)
        c.start_logging(Name="all")
        self.client("sqs", "eu-north-1").create_queue(QueueName="north")
        self.client("iam").create_group(GroupName="everywhere")
        self.advance("6m")
        keys = [o["Key"] for o in s3.list_objects_v2(Bucket="many")["Contents"]]
        self.assertEqual({k.split("/")[3] for k in keys}, {"eu-north-1", "us-east-1"})
        for k in keys:
            self.assertRegex(k, rf"^AWSLogs/{ACCOUNT}/CloudTrail/([a-z0-9-]+)/\d{{4}}/\d\d/\d\d/{ACCOUNT}_CloudTrail_\1_\d{{8}}T\d{{4}}Z_\w{{16}}\.json\.gz$")
            head = s3.head_object(Bucket="many", Key=k)
            self.assertEqual((head["ServerSideEncryption"], head["SSEKMSKeyId"]), ("aws:kms", key))
            self.assertEqual((head["ContentType"], head["ContentEncoding"]), ("application/json", "gzip"))
        self.assertIn("north", [r["requestParameters"]["queueName"] for r in self.logs(s3, "many") if r["eventName"] == "CreateQueue"])
        self.assertIn("CreateGroup", [r["eventName"] for r in self.logs(s3, "many")])
        c.stop_logging(Name="all")
        before = len(self.logs(s3, "many"))
        c.start_logging(Name="here")
        self.client("iam").create_group(GroupName="unseen")
        self.client("sqs").create_queue(QueueName="seen")
        self.advance("6m")
        later = [r["eventName"] for r in self.logs(s3, "many")]
        self.assertGreater(len(later), before)
        self.assertIn("CreateQueue", later)
        self.assertEqual(later.count("CreateGroup"), 1)
        # A key that is disabled stops deliveries, and says so.
        c.start_logging(Name="all")
        kms.disable_key(KeyId=key)
        self.advance("6m")
        self.assertEqual(c.get_trail_status(Name="all")["LatestDeliveryError"], "KMS.DisabledException")
        for t in ("all", "here"):
            c.delete_trail(Name=t)


class Organization(Case):
    """A virga of its own: the account becomes an organization's management account."""

    def member(self, org, name):
        status = org.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]
        while status["State"] == "IN_PROGRESS":
            time.sleep(0.05)
            status = org.describe_create_account_status(CreateAccountRequestId=status["Id"])["CreateAccountStatus"]
        self.assertEqual(status["State"], "SUCCEEDED", status)
        return status["AccountId"]

    def test_every_members_events_in_the_management_accounts_bucket(self):
        org, c, s3 = self.client("organizations"), self.client("cloudtrail"), self.client("s3")
        s3.create_bucket(Bucket="all")
        s3.put_bucket_policy(Bucket="all", Policy=bucket_policy("all"))
        make = lambda **kw: c.create_trail(Name="org", S3BucketName="all", IsOrganizationTrail=True, **kw)
        self.assertEqual(code_of(make), "OrganizationsNotInUseException")
        id = org.create_organization()["Organization"]["Id"]
        one, two = self.member(org, "one"), self.member(org, "two")
        self.advance("8d")  # a new account cannot leave within seven days
        self.assertEqual(code_of(make), "CloudTrailAccessNotEnabledException")
        org.enable_aws_service_access(ServicePrincipal="cloudtrail.amazonaws.com")
        self.assertEqual(code_of(make), "InsufficientS3BucketPolicyException")  # it lets in the account, not the organization
        s3.put_bucket_policy(Bucket="all", Policy=bucket_policy("all", account=id))
        made = make(IsMultiRegionTrail=True)
        arn = made["TrailARN"]
        self.assertIs(made["IsOrganizationTrail"], True)
        c.start_logging(Name="org")

        # Members see it, and cannot change it; others do not see it.
        theirs = self.trail(key=one)
        self.assertEqual([(t["TrailARN"], t["IsOrganizationTrail"]) for t in theirs.describe_trails()["trailList"]], [(arn, True)])
        self.assertIs(theirs.get_trail_status(Name=arn)["IsLogging"], True)
        for call in (theirs.stop_logging, theirs.delete_trail, theirs.update_trail):
            self.assertEqual(code_of(call, Name=arn), "NotOrganizationMasterAccountException")
        self.assertEqual(code_of(theirs.create_trail, Name="mine", S3BucketName="all", IsOrganizationTrail=True),
                         "NotOrganizationMasterAccountException")
        stranger = self.trail(key="999988887777")
        self.assertEqual(stranger.describe_trails()["trailList"], [])
        self.assertEqual(code_of(stranger.get_trail, Name=arn), "AccessDeniedException")

        for account, name in ((one, "of-one"), (two, "of-two"), (ACCOUNT, "of-master"), ("999988887777", "of-stranger")):
            self.client("sqs", "eu-west-1", key=account).create_queue(QueueName=name)
        self.lookup()  # all is filed, while they are members
        org.remove_account_from_organization(AccountId=two)
        self.client("sqs", "eu-west-1", key=two).create_queue(QueueName="after-leaving")
        self.lookup()  # all is filed
        self.advance("6m")
        where = {}
        for o in s3.list_objects_v2(Bucket="all")["Contents"]:
            if "/CloudTrail/" in o["Key"]:
                for r in json.loads(gzip.decompress(s3.get_object(Bucket="all", Key=o["Key"])["Body"].read()))["Records"]:
                    if r["eventName"] == "CreateQueue":
                        where[r["requestParameters"]["queueName"]] = o["Key"]
        self.assertEqual(set(where), {"of-one", "of-two", "of-master"})
        for account, name in ((one, "of-one"), (two, "of-two"), (ACCOUNT, "of-master")):
            self.assertTrue(where[name].startswith(f"AWSLogs/{id}/{account}/CloudTrail/eu-west-1/"), where[name])
        c.update_trail(Name="org", IsOrganizationTrail=True)
        s3.put_bucket_policy(Bucket="all", Policy=bucket_policy("all"))
        self.assertIs(c.update_trail(Name="org", IsOrganizationTrail=False)["IsOrganizationTrail"], False)
        self.assertEqual(theirs.describe_trails()["trailList"], [])


class Integrity(Case):
    def validate(self, *args):
        env = {**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
               "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.v.port}", "AWS_CONFIG_FILE": "/nonexistent"}
        return subprocess.run(["aws", "cloudtrail", "validate-logs", *args], env=env, capture_output=True, text=True)

    def test_digests_are_signed_and_chained(self):
        s3, c = self.client("s3"), self.client("cloudtrail")
        s3.create_bucket(Bucket="chain")
        s3.put_bucket_policy(Bucket="chain", Policy=bucket_policy("chain"))
        arn = c.create_trail(Name="signed", S3BucketName="chain", EnableLogFileValidation=True)["TrailARN"]
        c.start_logging(Name="signed")
        began = c.get_trail_status(Name="signed")["StartLoggingTime"]
        for i in range(3):
            self.client("iam").create_group(GroupName=f"g{i}")
            self.advance("61m")
        c.stop_logging(Name="signed")
        self.advance("6m")
        keys = sorted(o["Key"] for o in s3.list_objects_v2(Bucket="chain")["Contents"] if "CloudTrail-Digest" in o["Key"])
        self.assertEqual(len(keys), 4)
        previous, found = None, {k["Fingerprint"]: k["Value"] for k in c.list_public_keys(StartTime=began)["PublicKeyList"]}
        logs = []
        for k in keys:
            o = s3.get_object(Bucket="chain", Key=k)
            text = gzip.decompress(o["Body"].read())
            d = json.loads(text)
            self.assertEqual((d["digestS3Bucket"], d["digestS3Object"]), ("chain", k))
            self.assertEqual(d["previousDigestSignature"], previous)
            previous = o["Metadata"]["signature"]
            signed = f"{d['digestEndTime']}\nchain/{k}\n{hashlib.sha256(text).hexdigest()}\n{d['previousDigestSignature'] or 'null'}"
            with tempfile.TemporaryDirectory() as folder:
                for name, content in (("text", signed.encode()), ("signature", bytes.fromhex(previous)),
                                      ("key", found[d["digestPublicKeyFingerprint"]])):
                    with open(os.path.join(folder, name), "wb") as f:
                        f.write(content)
                subprocess.run(["openssl", "rsa", "-RSAPublicKey_in", "-inform", "DER", "-in", f"{folder}/key", "-out", f"{folder}/pem"],
                               check=True, capture_output=True)
                subprocess.run(["openssl", "dgst", "-sha256", "-verify", f"{folder}/pem", "-signature", f"{folder}/signature",
                                f"{folder}/text"], check=True, capture_output=True)
            for f in d["logFiles"]:
                body = gzip.decompress(s3.get_object(Bucket=f["s3Bucket"], Key=f["s3Object"])["Body"].read())
                self.assertEqual(hashlib.sha256(body).hexdigest(), f["hashValue"])
                logs.append(f["s3Object"])
        self.assertGreaterEqual(len(logs), 3)
        span = ["--trail-arn", arn, "--start-time", began.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "--end-time", began.replace(year=began.year + 1).strftime("%Y-%m-%dT%H:%M:%SZ")]
        good = self.validate(*span)
        self.assertEqual(good.returncode, 0, good.stdout + good.stderr)
        self.assertIn("4/4 digest files valid", good.stdout)
        self.assertIn(f"{len(logs)}/{len(logs)} log files valid", good.stdout)
        body = gzip.decompress(s3.get_object(Bucket="chain", Key=logs[0])["Body"].read())
        s3.put_object(Bucket="chain", Key=logs[0], Body=gzip.compress(body.replace(b"CreateGroup", b"DeleteGroup")))
        tampered = self.validate(*span)
        self.assertEqual(tampered.returncode, 1)
        self.assertIn("INVALID: hash value doesn't match", tampered.stderr)
        text = gzip.decompress(s3.get_object(Bucket="chain", Key=keys[1])["Body"].read())
        metadata = s3.head_object(Bucket="chain", Key=keys[1])["Metadata"]
        s3.put_object(Bucket="chain", Key=keys[1], Body=gzip.compress(text + b" "), Metadata=metadata)
        forged = self.validate(*span)
        self.assertEqual(forged.returncode, 1)
        self.assertIn("signature verification failed", forged.stderr)
        self.assertEqual(code_of(c.list_public_keys, StartTime=2000000000, EndTime=1000000000), "InvalidTimeRangeException")


class Crashes(unittest.TestCase):
    def test_what_changed_is_told_after_a_crash_and_goes_after_90_days(self):
        with Virga() as v:
            iam = v.client("iam", region_name="us-east-1")
            for i in range(5):
                iam.create_group(GroupName=f"g{i}")
            v.kill()
            v.start(v.port)
            c = v.client("cloudtrail", region_name="us-east-1")
            by_name = [{"AttributeKey": "EventName", "AttributeValue": "CreateGroup"}]
            self.assertEqual(len(patient(c, LookupAttributes=by_name)["Events"]), 5)
            subprocess.run([os.environ.get("VIRGA") or os.path.join(os.path.dirname(__file__), "../../build/virga"), "clock",
                            "advance", "92d", "--endpoint", f"http://127.0.0.1:{v.port}"], check=True, capture_output=True)
            self.assertEqual(patient(c, LookupAttributes=by_name)["Events"], [])
            self.assertTrue(patient(c)["Events"])  # what was asked now


if __name__ == "__main__":
    unittest.main()
