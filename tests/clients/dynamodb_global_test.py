"""Global tables (version 2019.11.21): replicas in several regions, through boto3."""
import threading
import unittest

from botocore.exceptions import ClientError

from virga import Virga, wait_until

NEEDS_BOTO3 = (1, 40)
REGIONS = "us-east-1", "eu-west-1", "ap-south-1"


class Global(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.at = {r: cls.virga.client("dynamodb", region=r) for r in REGIONS}
        cls.streams = {r: cls.virga.client("dynamodbstreams", region=r) for r in REGIONS}
        cls.d = cls.at["us-east-1"]

    def table(self, name, **more):
        self.d.create_table(TableName=name, BillingMode="PAY_PER_REQUEST",
                            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"}],
                            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                            GlobalSecondaryIndexes=[{"IndexName": "by-n", "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
                                                     "Projection": {"ProjectionType": "ALL"}}], **more)

    def replicate(self, name, *regions):
        for r in regions:
            self.d.update_table(TableName=name, ReplicaUpdates=[{"Create": {"RegionName": r}}])
            self.assertTrue(wait_until(lambda r=r: self.replicas(name).get(r) == "ACTIVE"))

    def replicas(self, name, region="us-east-1"):
        return {r["RegionName"]: r["ReplicaStatus"] for r in self.at[region].describe_table(TableName=name)["Table"].get("Replicas", [])}

    def put(self, region, table, pk, n):
        self.at[region].put_item(TableName=table, Item={"pk": {"S": pk}, "n": {"N": str(n)}})

    def content(self, region, table):
        pages = self.at[region].get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return {i["pk"]["S"]: int(i["n"]["N"]) for p in pages for i in p["Items"]}

    def changes(self, region, table):
        s, arn = self.streams[region], self.at[region].describe_table(TableName=table)["Table"]["LatestStreamArn"]
        shard, = s.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        iterator = s.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        out = []
        while iterator:
            got = s.get_records(ShardIterator=iterator)
            if not got["Records"]:
                return out
            out += [(r["eventName"], r["dynamodb"]["Keys"]["pk"]["S"]) for r in got["Records"]]
            iterator = got.get("NextShardIterator")
        return out

    def invalid(self, part, call, **k):
        with self.assertRaises(ClientError) as caught:
            call(**k)
        self.assertEqual(caught.exception.response["Error"]["Code"], "ValidationException")
        self.assertIn(part, caught.exception.response["Error"]["Message"])

    def test_every_region_reads_and_writes(self):
        self.table("world")
        for i in range(300):
            self.put("us-east-1", "world", f"old{i}", i)
        self.replicate("world", "eu-west-1", "ap-south-1")
        described = self.d.describe_table(TableName="world")["Table"]
        self.assertEqual(described["GlobalTableVersion"], "2019.11.21")
        self.assertEqual(described["StreamSpecification"]["StreamViewType"], "NEW_AND_OLD_IMAGES")
        for r in REGIONS:
            self.assertEqual(self.replicas("world", r), {x: "ACTIVE" for x in REGIONS if x != r})
            self.assertEqual(len(self.content(r, "world")), 300)
            self.assertIn(r, self.at[r].describe_table(TableName="world")["Table"]["TableArn"])
        self.put("eu-west-1", "world", "from-europe", 7)
        self.at["ap-south-1"].update_item(TableName="world", Key={"pk": {"S": "old0"}}, UpdateExpression="SET n = :n",
                                          ExpressionAttributeValues={":n": {"N": "1000"}})
        self.d.delete_item(TableName="world", Key={"pk": {"S": "old1"}})
        self.d.transact_write_items(TransactItems=[{"Put": {"TableName": "world", "Item": {"pk": {"S": x}, "n": {"N": "1"}}}} for x in "xy"])
        want = {**{f"old{i}": i for i in range(300)}, "from-europe": 7, "old0": 1000, "x": 1, "y": 1}
        del want["old1"]
        for r in REGIONS:
            self.assertTrue(wait_until(lambda r=r: self.content(r, "world") == want))
            found = self.at[r].query(TableName="world", IndexName="by-n", KeyConditionExpression="n = :n",
                                     ExpressionAttributeValues={":n": {"N": "1000"}})["Items"]
            self.assertEqual([i["pk"]["S"] for i in found], ["old0"])
        # Streams of their own, without what was there before.
        for r in "eu-west-1", "ap-south-1":
            self.assertEqual(self.changes(r, "world"), [("INSERT", "from-europe"), ("MODIFY", "old0"), ("REMOVE", "old1"),
                                                        ("INSERT", "x"), ("INSERT", "y")])

    def test_the_last_writer_wins_everywhere(self):
        self.table("contended")
        self.replicate("contended", "eu-west-1", "ap-south-1")

        def write(region, base):
            for i in range(40):
                self.put(region, "contended", f"k{i % 3}", base + i)

        threads = [threading.Thread(target=write, args=(r, (n + 1) * 1000)) for n, r in enumerate(REGIONS)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        one = self.content("us-east-1", "contended")
        self.assertEqual(len(one), 3)
        for r in REGIONS:
            self.assertTrue(wait_until(lambda r=r: self.content(r, "contended") == one))

    def test_writes_while_a_replica_is_made(self):
        self.table("growing")
        for i in range(500):
            self.put("us-east-1", "growing", f"k{i}", i)
        stop = threading.Event()

        def write():
            i = 0
            while not stop.is_set():
                self.put("us-east-1", "growing", f"k{i % 500}", i + 10000)
                self.d.delete_item(TableName="growing", Key={"pk": {"S": f"k{(i * 7 + 3) % 500}"}})
                i += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            self.replicate("growing", "eu-west-1")
        finally:
            stop.set()
            writer.join()
        self.assertEqual(self.content("eu-west-1", "growing"), self.content("us-east-1", "growing"))

    def test_settings_are_common(self):
        self.table("common")
        self.replicate("common", "eu-west-1")
        self.at["eu-west-1"].update_table(
            TableName="common", AttributeDefinitions=[{"AttributeName": "m", "AttributeType": "S"}],
            GlobalSecondaryIndexUpdates=[{"Create": {"IndexName": "by-m", "KeySchema": [{"AttributeName": "m", "KeyType": "HASH"}],
                                                     "Projection": {"ProjectionType": "KEYS_ONLY"}}}])
        self.d.update_time_to_live(TableName="common", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"})
        for r in "us-east-1", "eu-west-1":
            names = lambda r=r: {g["IndexName"]: g["IndexStatus"]
                                 for g in self.at[r].describe_table(TableName="common")["Table"]["GlobalSecondaryIndexes"]}
            self.assertTrue(wait_until(lambda: names() == {"by-n": "ACTIVE", "by-m": "ACTIVE"}))
            self.assertEqual(self.at[r].describe_time_to_live(TableName="common")["TimeToLiveDescription"],
                             {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"})
        self.d.put_item(TableName="common", Item={"pk": {"S": "a"}, "n": {"N": "1"}, "until": {"N": "1700000000"}})
        self.d.put_item(TableName="common", Item={"pk": {"S": "b"}, "n": {"N": "1"}})
        self.virga.get("/_virga/clock?advance=5m", "POST")
        self.assertEqual([i["pk"]["S"] for i in self.at["eu-west-1"].scan(TableName="common")["Items"]], ["b"])

    def test_replicas_go(self):
        self.table("leaving")
        self.replicate("leaving", "eu-west-1", "ap-south-1")
        self.put("us-east-1", "leaving", "a", 1)
        self.at["ap-south-1"].delete_table(TableName="leaving")
        self.assertEqual(self.replicas("leaving"), {"eu-west-1": "ACTIVE"})
        self.d.update_table(TableName="leaving", ReplicaUpdates=[{"Delete": {"RegionName": "eu-west-1"}}])
        self.assertEqual(self.replicas("leaving"), {})
        with self.assertRaises(ClientError) as caught:
            self.at["eu-west-1"].describe_table(TableName="leaving")
        self.assertEqual(caught.exception.response["Error"]["Code"], "ResourceNotFoundException")
        self.put("us-east-1", "leaving", "b", 2)
        self.assertEqual(self.content("us-east-1", "leaving"), {"a": 1, "b": 2})

    def test_refusals(self):
        self.table("refused", StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
        update = self.d.update_table
        create = lambda r: {"TableName": "refused", "ReplicaUpdates": [{"Create": {"RegionName": r}}]}
        self.invalid("NEW_AND_OLD_IMAGES", update, **create("eu-west-1"))
        self.invalid("local region", update, **create("us-east-1"))
        self.invalid("not part of the global table", update, TableName="refused",
                     ReplicaUpdates=[{"Delete": {"RegionName": "eu-west-1"}}])
        update(TableName="refused", StreamSpecification={"StreamEnabled": False})
        self.at["eu-west-1"].create_table(TableName="refused", BillingMode="PAY_PER_REQUEST",
                                          AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                                          KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}])
        self.invalid("already existed as tables", update, **create("eu-west-1"))
        self.assertEqual(self.replicas("refused"), {})


if __name__ == "__main__":
    unittest.main()
