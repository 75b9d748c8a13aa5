"""DynamoDB's changes in a Kinesis data stream: what they say, in their order, each once, also through crashes; and what else tables
are given: policies with CreateTable."""
import json
import random
import threading
import time
import unittest

from botocore.exceptions import ClientError

from virga import Refusals, Virga, wait_until

NEEDS_BOTO3 = (1, 40)


class Destination(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.d, cls.k = cls.virga.client("dynamodb"), cls.virga.client("kinesis")

    def both(self, shards=1, enable=True, **more):
        """A table and a stream that gets its changes."""
        name = f"t-{random.getrandbits(48):x}"
        self.d.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}], **more)
        self.k.create_stream(StreamName=name, ShardCount=shards)
        arn = self.k.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
        if enable:
            self.d.enable_kinesis_streaming_destination(TableName=name, StreamArn=arn)
        return name, arn

    def put(self, table, pk, **attributes):
        self.d.put_item(TableName=table, Item={"pk": {"S": pk}, **{k: {"N": str(v)} for k, v in attributes.items()}})

    def read(self, name):
        """All that is in the stream, shard by shard."""
        found = []
        for shard in self.k.list_shards(StreamName=name)["Shards"]:
            it = self.k.get_shard_iterator(StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            while it:
                try:
                    page = self.k.get_records(ShardIterator=it)
                except ClientError as e:
                    self.assertEqual(e.response["Error"]["Code"], "ProvisionedThroughputExceededException")
                    time.sleep(0.2)
                    continue
                found += [json.loads(r["Data"]) for r in page["Records"]]
                if not page["Records"] and not page["MillisBehindLatest"]:
                    break
                it = page.get("NextShardIterator")
        return found

    def wait(self, name, n):
        found = []

        def enough():
            found[:] = self.read(name)
            return len(found) >= n
        self.assertTrue(wait_until(enough, limit=120, every=0.3), f"{len(found)} of {n}")
        return found

    def status(self, name):
        return [(d["DestinationStatus"], d["ApproximateCreationDateTimePrecision"])
                for d in self.d.describe_kinesis_streaming_destination(TableName=name)["KinesisDataStreamDestinations"]]

    def test_what_a_change_says(self):
        name, arn = self.both(enable=False)
        self.assertEqual(self.status(name), [])
        self.put(name, "before", n=0)
        said = self.d.enable_kinesis_streaming_destination(TableName=name, StreamArn=arn)
        self.assertEqual((said["DestinationStatus"], said["StreamArn"]), ("ENABLING", arn))
        self.assertEqual(self.status(name), [("ACTIVE", "MILLISECOND")])
        self.put(name, "a", n=1)
        self.put(name, "a", n=2)
        self.put(name, "a", n=2)  # changes nothing, says nothing
        self.d.delete_item(TableName=name, Key={"pk": {"S": "a"}})
        events = self.wait(name, 3)
        self.assertEqual([e["eventName"] for e in events], ["INSERT", "MODIFY", "REMOVE"])
        first, second, third = events
        self.assertEqual((first["tableName"], first["awsRegion"], first["recordFormat"], first["eventSource"], first["userIdentity"]),
                         (name, "us-east-1", "application/json", "aws:dynamodb", None))
        self.assertEqual(first["dynamodb"]["Keys"], {"pk": {"S": "a"}})
        self.assertEqual(first["dynamodb"]["NewImage"], {"pk": {"S": "a"}, "n": {"N": "1"}})
        self.assertNotIn("OldImage", first["dynamodb"])
        self.assertEqual((second["dynamodb"]["OldImage"]["n"], second["dynamodb"]["NewImage"]["n"]), ({"N": "1"}, {"N": "2"}))
        self.assertEqual(third["dynamodb"]["OldImage"], {"pk": {"S": "a"}, "n": {"N": "2"}})
        self.assertNotIn("NewImage", third["dynamodb"])
        self.assertEqual(len({e["eventID"] for e in events}), 3)
        self.assertLess(first["dynamodb"]["ApproximateCreationDateTime"], 10 ** 14)

    def test_precision(self):
        name, arn = self.both()
        self.refused("ValidationException", self.d.update_kinesis_streaming_destination, TableName=name, StreamArn=arn,
                     UpdateKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": "MILLISECOND"})
        said = self.d.update_kinesis_streaming_destination(
            TableName=name, StreamArn=arn, UpdateKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": "MICROSECOND"})
        self.assertEqual(said["DestinationStatus"], "UPDATING")
        self.assertEqual(self.status(name), [("ACTIVE", "MICROSECOND")])
        self.put(name, "a")
        event = self.wait(name, 1)[0]["dynamodb"]
        self.assertGreater(event["ApproximateCreationDateTime"], 10 ** 15)
        self.assertEqual(event["ApproximateCreationDateTimePrecision"], "MICROSECOND")

    def test_disabled_and_enabled_again(self):
        name, arn = self.both()
        self.put(name, "a")
        self.refused("ValidationException", self.d.enable_kinesis_streaming_destination, TableName=name, StreamArn=arn)
        self.wait(name, 1)
        self.assertEqual(self.d.disable_kinesis_streaming_destination(TableName=name, StreamArn=arn)["DestinationStatus"], "DISABLING")
        self.assertEqual(self.status(name), [("DISABLED", "MILLISECOND")])
        self.refused("ValidationException", self.d.disable_kinesis_streaming_destination, TableName=name, StreamArn=arn)
        self.put(name, "b")
        self.d.enable_kinesis_streaming_destination(TableName=name, StreamArn=arn)
        self.put(name, "c")
        self.wait(name, 2)
        self.assertEqual([e["dynamodb"]["Keys"]["pk"]["S"] for e in self.read(name)], ["a", "c"])

    def test_bad_input(self):
        name, arn = self.both()
        self.refused("ResourceNotFoundException", self.d.enable_kinesis_streaming_destination, TableName="none", StreamArn=arn)
        self.refused("ResourceNotFoundException", self.d.enable_kinesis_streaming_destination, TableName=name, StreamArn=arn + "0")
        self.refused("ValidationException", self.d.enable_kinesis_streaming_destination, TableName=name,
                     StreamArn=arn.replace("us-east-1", "eu-west-1"))
        self.refused("ValidationException", self.d.update_kinesis_streaming_destination, TableName=name, StreamArn=arn)

    def test_expired_items_name_the_service(self):
        name, _ = self.both()
        self.d.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone"})
        self.put(name, "a", gone=int(time.time()) + 3600)
        self.wait(name, 1)
        self.virga.get("/_virga/clock?advance=3h", "POST")
        self.assertEqual(self.wait(name, 2)[1]["userIdentity"], {"type": "Service", "principalId": "dynamodb.amazonaws.com"})

    def test_more_than_the_stream_takes(self):
        name, _ = self.both()
        big = "x" * 300_000
        for i in range(8):  # 2.4 MB, of which a shard takes one a second
            self.d.put_item(TableName=name, Item={"pk": {"S": f"{i}"}, "big": {"S": big}})
        self.assertEqual([e["dynamodb"]["Keys"]["pk"]["S"] for e in self.wait(name, 8)], [str(i) for i in range(8)])

    def test_crashes(self):
        name, _ = self.both(2)
        answered, stop = {}, threading.Event()

        def work(n):
            client = self.virga.client("dynamodb")
            i = 0
            while not stop.is_set() and i < 400:
                try:
                    client.put_item(TableName=name, Item={"pk": {"S": f"{n}"}, "i": {"N": str(i)}})
                    answered[n] = i
                except Exception:
                    time.sleep(0.05)
                    continue  # perhaps written, perhaps not: the same again says nothing if it was
                i += 1
        threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
        for t in threads:
            t.start()
        for least in (30, 60, 90):
            self.assertTrue(wait_until(lambda: sum(answered.values()) > least, limit=120))
            self.virga.restart()
        self.assertTrue(wait_until(lambda: sum(answered.values()) > 150, limit=120))
        stop.set()
        for t in threads:
            t.join()
        total = sum(answered.values()) + len(answered)
        events = self.wait(name, total)
        for n in range(3):  # every change once, in its order, and nothing else
            own = [int(e["dynamodb"]["NewImage"]["i"]["N"]) for e in events if e["dynamodb"]["Keys"]["pk"]["S"] == str(n)]
            self.assertEqual(own, list(range(answered[n] + 1)))
        self.assertEqual(len(self.read(name)), total)

    def test_a_deleted_table_still_delivers(self):
        name, _ = self.both()
        for i in range(5):
            self.put(name, str(i))
        self.d.delete_table(TableName=name)
        self.assertEqual(len(self.wait(name, 5)), 5)

    def test_table_with_a_policy(self):
        name = f"t-{random.getrandbits(48):x}"
        arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}"
        other = self.virga.client("dynamodb", key="222233334444")
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": "222233334444"}, "Action": "dynamodb:GetItem", "Resource": arn}]})
        table = {"TableName": name, "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                 "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}]}
        self.refused("ValidationException", self.d.create_table, ResourcePolicy="{}", **table)
        self.d.create_table(ResourcePolicy=policy, **table)
        self.assertEqual(self.d.get_resource_policy(ResourceArn=arn)["Policy"], policy)
        self.put(name, "a")
        self.assertIn("Item", other.get_item(TableName=arn, Key={"pk": {"S": "a"}}))
        self.refused("AccessDeniedException", other.delete_item, TableName=arn, Key={"pk": {"S": "a"}})

    def test_a_policy_needs_its_permission(self):
        iam, user = self.virga.client("iam"), f"u-{random.getrandbits(40):x}"
        iam.create_user(UserName=user)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "dynamodb:CreateTable", "Resource": "*"}]}))
        d = self.virga.client("dynamodb", key=key["AccessKeyId"], secret=key["SecretAccessKey"])
        table = {"TableName": user, "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                 "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}]}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": "222233334444"}, "Action": "dynamodb:GetItem", "Resource": "*"}]})
        self.refused("AccessDeniedException", d.create_table, ResourcePolicy=policy, **table)
        d.create_table(**table)


if __name__ == "__main__":
    unittest.main()
