"""Subscription filters through boto3: events in a Kinesis stream as CloudWatch Logs sends them, in order and once, over crashes;
roles that may and may not; logical destinations of another account; the account's policy; groups under a KMS key."""
import datetime
import gzip
import json
import os
import subprocess
import time
import unittest

from botocore.exceptions import ClientError

from virga import BINARY, Virga, code_of, wait_until

NEEDS_BOTO3 = (1, 40)
ACCOUNT, OTHER = "000000000000", "222222222222"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)
        cls.logs, cls.kinesis, cls.iam = (cls.v.client(s) for s in ("logs", "kinesis", "iam"))

    def now(self):
        at = datetime.datetime.fromisoformat(json.loads(self.v.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))
        return int(at.timestamp() * 1000)

    def stream(self, name, shards=1, client=None):
        client = client or self.kinesis
        client.create_stream(StreamName=name, ShardCount=shards)
        self.assertTrue(wait_until(lambda: client.describe_stream(StreamName=name)["StreamDescription"]["StreamStatus"] == "ACTIVE"))
        return client.describe_stream(StreamName=name)["StreamDescription"]["StreamARN"]

    def role(self, name, stream_arn, client=None, service="logs.us-east-1.amazonaws.com", source=None):
        client = client or self.iam
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        if source:
            statement["Condition"] = {"StringLike": {"aws:SourceArn": source}}
        arn = client.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": statement}))["Role"]["Arn"]
        if stream_arn:
            client.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {
                "Effect": "Allow", "Action": "kinesis:PutRecord", "Resource": stream_arn}}))
        return arn

    def group(self, name, *streams, **kw):
        self.logs.create_log_group(logGroupName=name, **kw)
        for s in streams:
            self.logs.create_log_stream(logGroupName=name, logStreamName=s)
        return name

    def put(self, group, stream, *messages):
        t = self.now()
        self.logs.put_log_events(logGroupName=group, logStreamName=stream,
                                 logEvents=[{"timestamp": t, "message": m} for m in messages])

    def records(self, name, client=None):
        """What lies in the stream: each record unpacked, with its partition key, shard by shard."""
        client, out = client or self.kinesis, []
        for shard in client.list_shards(StreamName=name)["Shards"]:
            at = client.get_shard_iterator(StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            while True:
                try:
                    page = client.get_records(ShardIterator=at)
                except ClientError as e:  # five reads a second
                    if e.response["Error"]["Code"] != "ProvisionedThroughputExceededException":
                        raise
                    time.sleep(0.3)
                    continue
                out += [(r["PartitionKey"], json.loads(gzip.decompress(r["Data"]))) for r in page["Records"]]
                at = page.get("NextShardIterator")
                if not at or not page["Records"] and not page["MillisBehindLatest"]:
                    break
        return out

    def messages(self, name, client=None):
        return [e["message"] for _, r in self.records(name, client) if r["messageType"] == "DATA_MESSAGE" for e in r["logEvents"]]

    def arrives(self, name, wanted, client=None):
        seen = []

        def there():
            seen[:] = self.messages(name, client)
            return len(seen) >= len(wanted)
        self.assertTrue(wait_until(there, 60, 0.4), f"{name}: {seen}")
        self.assertEqual(seen, wanted)


class Subscriptions(Case):
    def test_filter(self):
        arn = self.stream("sub")
        role = self.role("sub", arn, source=f"arn:aws:logs:us-east-1:{ACCOUNT}:*")
        self.group("/sub", "s1", "s2")
        put = lambda name="f", to=arn, by=role, pattern="ERROR", **kw: self.logs.put_subscription_filter(
            logGroupName="/sub", filterName=name, filterPattern=pattern, destinationArn=to, **({"roleArn": by} if by else {}), **kw)
        put()
        (found,) = self.logs.describe_subscription_filters(logGroupName="/sub")["subscriptionFilters"]
        self.assertEqual((found["filterName"], found["destinationArn"], found["roleArn"], found["distribution"], found["filterPattern"]),
                         ("f", arn, role, "ByLogStream", "ERROR"))
        ((_, test),) = self.records("sub")
        self.assertEqual((test["messageType"], test["owner"]), ("CONTROL_MESSAGE", "CloudwatchLogs"))
        self.put("/sub", "s1", "ERROR one", "fine", "ERROR \"two\"\n")
        self.put("/sub", "s2", "fine too")
        self.arrives("sub", ["ERROR one", "ERROR \"two\"\n"])
        key, message = self.records("sub")[1]
        self.assertEqual((message["messageType"], message["owner"], message["logGroup"], message["logStream"], message["subscriptionFilters"]),
                         ("DATA_MESSAGE", ACCOUNT, "/sub", "s1", ["f"]))
        ids = {e["message"]: e["eventId"] for e in self.logs.filter_log_events(logGroupName="/sub")["events"]}
        for e in message["logEvents"]:
            self.assertEqual((len(e["id"]), e["id"]), (56, ids[e["message"]]))
        # The same log stream goes to the same shard.
        self.put("/sub", "s1", "ERROR three")
        self.arrives("sub", ["ERROR one", "ERROR \"two\"\n", "ERROR three"])
        self.assertEqual(self.records("sub")[2][0], key)
        # Another pattern; then none.
        put(pattern="fine")
        self.put("/sub", "s1", "fine now", "ERROR no")
        self.arrives("sub", ["ERROR one", "ERROR \"two\"\n", "ERROR three", "fine now"])
        put("g", distribution="Random")
        self.assertEqual(code_of(put, "h"), "LimitExceededException")
        self.logs.delete_subscription_filter(logGroupName="/sub", filterName="g")
        self.assertEqual(code_of(self.logs.delete_subscription_filter, logGroupName="/sub", filterName="g"), "ResourceNotFoundException")
        for kw in ({"to": arn + "x"}, {"by": None}, {"by": role + "x"}, {"to": "arn:aws:sqs:us-east-1:000000000000:q"}, {"pattern": "{ broken"},
                   {"to": f"arn:aws:logs:us-east-1:{ACCOUNT}:destination:none"}, {"by": self.role("weak", None)},
                   {"by": self.role("foreign", arn, service="ec2.amazonaws.com")},
                   {"by": self.role("elsewhere", arn, source=f"arn:aws:logs:us-east-1:{OTHER}:*")}):
            self.assertEqual(code_of(put, **kw), "InvalidParameterException", kw)
        self.assertEqual(code_of(put, to="arn:aws:lambda:us-east-1:000000000000:function:f"), "NotImplemented")
        self.assertEqual(code_of(self.logs.put_subscription_filter, logGroupName="/none", filterName="f", filterPattern="", destinationArn=arn,
                                 roleArn=role), "ResourceNotFoundException")
        self.logs.delete_log_group(logGroupName="/sub")
        self.group("/sub", "s1")
        self.assertEqual(self.logs.describe_subscription_filters(logGroupName="/sub")["subscriptionFilters"], [])

    def test_order_over_crashes(self):
        arn = self.stream("crash")
        self.group("/crash", "s")
        self.logs.put_subscription_filter(logGroupName="/crash", filterName="f", filterPattern="", destinationArn=arn, roleArn=self.role("crash", arn))
        wanted = []
        for round in range(3):
            for i in range(20):
                wanted.append(f"{round}/{i}")
                self.put("/crash", "s", wanted[-1])
            self.v.restart()
        self.arrives("crash", wanted)

    def test_waits_for_its_role(self):
        """A stream that the role may no longer put into gets what waits once the role may again."""
        arn = self.stream("wait")
        role = self.role("wait", arn)
        self.group("/wait", "s")
        self.logs.put_subscription_filter(logGroupName="/wait", filterName="f", filterPattern="", destinationArn=arn, roleArn=role)
        policy = self.iam.get_role_policy(RoleName="wait", PolicyName="p")["PolicyDocument"]
        self.iam.delete_role_policy(RoleName="wait", PolicyName="p")
        self.put("/wait", "s", "late")
        metric = lambda name: self.v.client("cloudwatch").list_metrics(Namespace="AWS/Logs", MetricName=name, Dimensions=[
            {"Name": "FilterName", "Value": "f"}, {"Name": "LogGroupName", "Value": "/wait"}])["Metrics"]
        self.assertTrue(wait_until(lambda: metric("DeliveryErrors"), 30, 0.2))
        self.assertEqual(self.messages("wait"), [])
        self.iam.put_role_policy(RoleName="wait", PolicyName="p", PolicyDocument=json.dumps(policy))
        self.advance("2m")
        self.arrives("wait", ["late"])
        self.assertTrue(metric("ForwardedLogEvents"))

    def advance(self, by):
        subprocess.run([BINARY, "clock", "advance", by, "--endpoint", self.v.endpoint], check=True, capture_output=True)

    def test_another_account(self):
        theirs = {s: self.v.client(s, key=OTHER) for s in ("kinesis", "iam", "logs")}
        arn = self.stream("theirs", client=theirs["kinesis"])
        role = self.role("theirs", arn, client=theirs["iam"], service="logs.amazonaws.com")
        made = theirs["logs"].put_destination(destinationName="d", targetArn=arn, roleArn=role)["destination"]
        self.assertEqual(made["arn"], f"arn:aws:logs:us-east-1:{OTHER}:destination:d")
        self.group("/mine", "s")
        subscribe = lambda: self.logs.put_subscription_filter(logGroupName="/mine", filterName="f", filterPattern="", destinationArn=made["arn"])
        self.assertEqual(code_of(subscribe), "AccessDeniedException")
        document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "logs:PutSubscriptionFilter",
                                                           "Resource": made["arn"]}}
        theirs["logs"].put_destination_policy(destinationName="d", accessPolicy=json.dumps(document))
        self.assertEqual(code_of(theirs["logs"].put_destination_policy, destinationName="d", accessPolicy="{"), "InvalidParameterException")
        subscribe()
        self.put("/mine", "s", "across")
        self.arrives("theirs", ["across"], client=theirs["kinesis"])
        (shown,) = theirs["logs"].describe_destinations(DestinationNamePrefix="d")["destinations"]
        self.assertEqual((shown["targetArn"], json.loads(shown["accessPolicy"])), (arn, document))
        self.assertEqual(self.logs.describe_destinations()["destinations"], [])
        theirs["logs"].delete_destination(destinationName="d")
        self.assertEqual(code_of(theirs["logs"].delete_destination, destinationName="d"), "ResourceNotFoundException")
        self.assertEqual(code_of(subscribe), "AccessDeniedException")

    def test_stack(self):
        """A destination and a filter on it, as a stack makes them."""
        cfn, template = self.v.client("cloudformation"), """
Resources:
  Stream: {Type: AWS::Kinesis::Stream, Properties: {Name: stacked, ShardCount: 1}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: logs.amazonaws.com}, Action: 'sts:AssumeRole'}]}
      Policies: [{PolicyName: p, PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 'kinesis:PutRecord', Resource: !GetAtt Stream.Arn}]}}]
  Destination:
    Type: AWS::Logs::Destination
    Properties:
      DestinationName: stacked
      TargetArn: !GetAtt Stream.Arn
      RoleArn: !GetAtt Role.Arn
      DestinationPolicy: !Sub '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "${AWS::AccountId}"},
        "Action": "logs:PutSubscriptionFilter", "Resource": "*"}]}'
  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /stacked}}
  Filter:
    Type: AWS::Logs::SubscriptionFilter
    Properties: {LogGroupName: !Ref Group, FilterPattern: '', DestinationArn: !GetAtt Destination.Arn}
"""
        cfn.create_stack(StackName="subscribed", TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
        status = lambda: cfn.describe_stacks(StackName="subscribed")["Stacks"][0]["StackStatus"]
        self.assertTrue(wait_until(lambda: not status().endswith("IN_PROGRESS"), 60, 0.2))
        self.assertEqual(status(), "CREATE_COMPLETE", [e.get("ResourceStatusReason") for e in cfn.describe_stack_events(StackName="subscribed")["StackEvents"]])
        self.logs.create_log_stream(logGroupName="/stacked", logStreamName="s")
        self.put("/stacked", "s", "by a stack")
        self.arrives("stacked", ["by a stack"])
        cfn.delete_stack(StackName="subscribed")
        self.assertTrue(wait_until(lambda: not self.logs.describe_destinations(DestinationNamePrefix="stacked")["destinations"], 60, 0.2))

    def test_account_policy(self):
        client = self.v.client("logs", key="333333333333")
        kinesis, iam = self.v.client("kinesis", key="333333333333"), self.v.client("iam", key="333333333333")
        arn = self.stream("whole", client=kinesis)
        document = json.dumps({"DestinationArn": arn, "RoleArn": self.role("whole", arn, client=iam), "FilterPattern": "", "Distribution": "Random"})
        kw = {"policyName": "all", "policyType": "SUBSCRIPTION_FILTER_POLICY", "policyDocument": document, "scope": "ALL"}
        for g in ("/a", "/b", "/not"):
            client.create_log_group(logGroupName=g)
            client.create_log_stream(logGroupName=g, logStreamName="s")
        client.put_account_policy(**kw, selectionCriteria='LogGroupName NOT IN ["/not"]')
        for g in ("/a", "/not", "/b"):
            client.put_log_events(logGroupName=g, logStreamName="s", logEvents=[{"timestamp": self.now(), "message": g}])
        self.arrives("whole", ["/a", "/b"], client=kinesis)
        (shown,) = client.describe_account_policies(policyType="SUBSCRIPTION_FILTER_POLICY")["accountPolicies"]
        self.assertEqual((shown["policyName"], shown["policyDocument"], shown["accountId"]), ("all", document, "333333333333"))
        self.assertEqual(code_of(client.put_account_policy, **{**kw, "policyName": "second"}), "LimitExceededException")
        self.assertEqual(code_of(client.put_account_policy, **kw, selectionCriteria="Everything"), "InvalidParameterException")
        client.delete_account_policy(policyName="all", policyType="SUBSCRIPTION_FILTER_POLICY")
        self.assertEqual(client.describe_account_policies(policyType="SUBSCRIPTION_FILTER_POLICY")["accountPolicies"], [])
        self.assertEqual(code_of(client.delete_account_policy, policyName="all", policyType="SUBSCRIPTION_FILTER_POLICY"), "ResourceNotFoundException")


class Sealed(Case):
    def test_kms(self):
        kms = self.v.client("kms")
        key = kms.create_key()["KeyMetadata"]["Arn"]
        self.assertEqual(code_of(self.logs.create_log_group, logGroupName="/sealed", kmsKeyId=key), "AccessDeniedException")
        self.assertEqual(code_of(self.logs.create_log_group, logGroupName="/sealed", kmsKeyId=key[:-4] + "ffff"), "InvalidParameterException")
        policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
        policy["Statement"].append({"Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"}, "Action": [
            "kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"], "Resource": "*", "Condition": {
                "ArnEquals": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/sealed"}}})
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
        self.group("/sealed", "s", kmsKeyId=key)
        self.group("/plain", "s")
        self.assertEqual(self.logs.describe_log_groups(logGroupNamePrefix="/sealed")["logGroups"][0]["kmsKeyId"], key)
        self.assertEqual(code_of(self.logs.associate_kms_key, logGroupName="/plain", kmsKeyId=key), "AccessDeniedException")
        secret = "nobody-reads-this-in-the-folder"
        self.put("/sealed", "s", secret, "and that")
        self.put("/plain", "s", "everybody-reads-this-in-the-folder")
        read = lambda: [e["message"] for e in self.logs.get_log_events(logGroupName="/sealed", logStreamName="s", startFromHead=True)["events"]]
        self.assertEqual(read(), [secret, "and that"])
        self.assertEqual([e["message"] for e in self.logs.filter_log_events(logGroupName="/sealed", filterPattern="elsewhere")["events"]], [])
        self.assertEqual([e["message"] for e in self.logs.filter_log_events(logGroupName="/sealed", filterPattern="that")["events"]], ["and that"])
        self.v.stop()
        found = set()
        for folder, _, files in os.walk(self.v.data):
            for f in files:
                with open(os.path.join(folder, f), "rb") as h:
                    bytes = h.read()
                    found |= {w for w in (b"nobody-reads-this", b"everybody-reads-this") if w in bytes}
        self.assertEqual(found, {b"everybody-reads-this"})
        self.v.start(self.v.port)
        kms.disable_key(KeyId=key)
        self.assertEqual(code_of(read), "AccessDeniedException")
        self.assertEqual(code_of(self.put, "/sealed", "s", "x"), "AccessDeniedException")
        kms.enable_key(KeyId=key)
        self.logs.disassociate_kms_key(logGroupName="/sealed")
        self.put("/sealed", "s", "open")
        self.assertEqual(read(), [secret, "and that", "open"])
        self.logs.associate_kms_key(logGroupName="/sealed", kmsKeyId=key)
        self.put("/sealed", "s", "closed")
        self.assertEqual(read(), [secret, "and that", "open", "closed"])


if __name__ == "__main__":
    unittest.main()
