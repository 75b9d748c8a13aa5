"""Kinesis Data Streams through boto3: streams and shards, records and iterators, limits, retention, encryption, consumers,
policies, CBOR, and what survives a crash."""
import hashlib
import json
import random
import struct
import threading
import unittest
from datetime import datetime, timedelta, timezone

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from virga import Older, Refusals, Virga, wait_until

NEEDS_BOTO3 = (1, 40)
TOP = 2 ** 128 - 1


class Case(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.kinesis = Older(cls.virga.client("kinesis"))

    def stream(self, shards=1, **kw):
        name = f"s-{random.getrandbits(48):x}"
        if shards:
            kw["ShardCount"] = shards
        self.kinesis.create_stream(StreamName=name, **kw)
        return name

    def summary(self, name):
        return self.kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]

    def shards(self, name, **kw):
        return self.kinesis.list_shards(StreamName=name, **kw)["Shards"]

    def open_shards(self, name):
        return [s for s in self.shards(name) if "EndingSequenceNumber" not in s["SequenceNumberRange"]]

    def iterator(self, name, shard, kind="TRIM_HORIZON", **kw):
        return self.kinesis.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType=kind, **kw)["ShardIterator"]

    def get(self, iterator, **kw):
        """A read, which waits its turn: a shard may be read five times a second."""
        got = []

        def read():
            try:
                got.append(self.kinesis.get_records(ShardIterator=iterator, **kw))
            except ClientError as e:
                if e.response["Error"]["Code"] != "ProvisionedThroughputExceededException":
                    raise
            return got
        self.assertTrue(wait_until(read, limit=60))
        return got[0]

    def read(self, name, shard, kind="TRIM_HORIZON", **kw):
        return self.get(self.iterator(name, shard, kind, **kw))["Records"]

    def advance(self, **kw):
        """Moves virga's clock; what was due has happened."""
        status, _, body = self.virga.get(f"/_virga/clock?advance={int(timedelta(**kw).total_seconds())}s", "POST")
        self.assertEqual(status, 200, body)


class Streams(Case):
    def test_life(self):
        name = self.stream(3, Tags={"made": "so"})
        d = self.kinesis.describe_stream(StreamName=name)["StreamDescription"]
        self.assertEqual((d["StreamStatus"], d["RetentionPeriodHours"], d["EncryptionType"], len(d["Shards"]), d["HasMoreShards"],
                          d["StreamModeDetails"]), ("ACTIVE", 24, "NONE", 3, False, {"StreamMode": "PROVISIONED"}))
        self.assertEqual(d["StreamARN"], f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}")
        ranges = [(int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"])) for s in d["Shards"]]
        self.assertEqual((ranges[0][0], ranges[-1][1]), (0, TOP))
        for before, after in zip(ranges, ranges[1:]):
            self.assertEqual(before[1] + 1, after[0])
        page = self.kinesis.describe_stream(StreamName=name, Limit=2)["StreamDescription"]
        self.assertEqual((len(page["Shards"]), page["HasMoreShards"]), (2, True))
        rest = self.kinesis.describe_stream(StreamName=name, ExclusiveStartShardId=page["Shards"][1]["ShardId"])
        self.assertEqual([s["ShardId"] for s in rest["StreamDescription"]["Shards"]], ["shardId-000000000002"])
        self.assertEqual(self.summary(name)["OpenShardCount"], 3)
        self.refused("ResourceInUseException", self.kinesis.create_stream, StreamName=name, ShardCount=1)
        self.kinesis.delete_stream(StreamName=name)
        self.refused("ResourceNotFoundException", self.kinesis.describe_stream, StreamName=name)
        self.refused("ResourceNotFoundException", self.kinesis.put_record, StreamName=name, Data=b"x", PartitionKey="k")
        self.kinesis.create_stream(StreamName=name, ShardCount=1)  # the name is free, and nothing of the old one is there
        self.assertEqual(self.read(name, "shardId-000000000000"), [])

    def test_pages_and_arns(self):
        names = sorted(self.stream() for _ in range(4))
        seen, kw = [], {}
        while True:
            page = self.kinesis.list_streams(Limit=2, **kw)
            seen += page["StreamNames"]
            if not page["HasMoreStreams"]:
                break
            kw = {"NextToken": page["NextToken"]}
        self.assertEqual([n for n in seen if n in names], names)
        self.assertEqual(self.kinesis.list_streams(ExclusiveStartStreamName=names[-1] + "0")["StreamNames"],
                         [n for n in seen if n > names[-1] + "0"])
        arn = self.summary(names[0])["StreamARN"]
        self.assertEqual(self.kinesis.describe_stream_summary(StreamARN=arn)["StreamDescriptionSummary"]["StreamName"], names[0])
        self.refused("InvalidArgumentException", self.kinesis.describe_stream_summary)
        self.refused("InvalidArgumentException", self.kinesis.describe_stream_summary, StreamName=names[1], StreamARN=arn)

    def test_bad_input(self):
        self.refused("ValidationException", self.kinesis.create_stream, StreamName="none")
        self.refused("ValidationException", self.kinesis.create_stream, StreamName="bad name", ShardCount=1)
        self.refused("LimitExceededException", self.kinesis.create_stream, StreamName="many", ShardCount=20001)
        self.refused("ValidationException", self.kinesis.create_stream, StreamName="both", ShardCount=1,
                     StreamModeDetails={"StreamMode": "ON_DEMAND"})
        name = self.stream()
        self.refused("ResourceNotFoundException", self.kinesis.get_shard_iterator, StreamName=name, ShardId="shardId-000000000009",
                     ShardIteratorType="LATEST")
        self.refused("InvalidArgumentException", self.kinesis.get_records, ShardIterator="bm9uZQ==")
        for wrong in ("12", "49590338271490256608559692538361571095921575989136588898"):
            self.refused("InvalidArgumentException", self.kinesis.get_shard_iterator, StreamName=name,
                         ShardId="shardId-000000000000", ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=wrong)
        self.refused("InvalidArgumentException", self.kinesis.get_shard_iterator, StreamName=name,
                     ShardId="shardId-000000000000", ShardIteratorType="AFTER_SEQUENCE_NUMBER")
        self.refused("InvalidArgumentException", self.kinesis.put_record, StreamName=name, Data=b"x", PartitionKey="k",
                     ExplicitHashKey=str(TOP + 1))
        self.refused("ValidationException", self.kinesis.put_record, StreamName=name, Data=bytes(1024 * 1024 + 1), PartitionKey="k")

    def test_modes_and_limits(self):
        before = self.kinesis.describe_limits()
        name = self.stream(0, StreamModeDetails={"StreamMode": "ON_DEMAND"})
        arn = self.summary(name)["StreamARN"]
        self.assertEqual(len(self.open_shards(name)), 4)
        limits = self.kinesis.describe_limits()
        self.assertEqual((limits["OnDemandStreamCount"], limits["OpenShardCount"]),
                         (before["OnDemandStreamCount"] + 1, before["OpenShardCount"]))
        self.refused("ValidationException", self.kinesis.split_shard, StreamName=name, ShardToSplit="shardId-000000000000",
                     NewStartingHashKey="10")
        self.kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "PROVISIONED"})
        self.assertEqual(self.summary(name)["StreamModeDetails"], {"StreamMode": "PROVISIONED"})
        self.assertEqual(self.kinesis.describe_limits()["OpenShardCount"], before["OpenShardCount"] + 4)
        self.kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "ON_DEMAND"})
        self.refused("LimitExceededException", self.kinesis.update_stream_mode, StreamARN=arn,
                     StreamModeDetails={"StreamMode": "PROVISIONED"})

    def test_record_size(self):
        name = self.stream()
        self.kinesis.update_max_record_size(StreamARN=self.summary(name)["StreamARN"], MaxRecordSizeInKiB=2048)
        self.assertEqual(self.summary(name)["MaxRecordSizeInKiB"], 2048)
        self.kinesis.put_record(StreamName=name, Data=bytes(2048 * 1024), PartitionKey="k")
        self.assertEqual(len(self.read(name, "shardId-000000000000")[0]["Data"]), 2048 * 1024)

    def test_tags(self):
        name = self.stream(Tags={"a": "1"})
        arn = self.summary(name)["StreamARN"]
        self.kinesis.add_tags_to_stream(StreamName=name, Tags={"b": "2", "c": ""})
        page = self.kinesis.list_tags_for_stream(StreamName=name, Limit=2)
        self.assertEqual((page["Tags"], page["HasMoreTags"]), ([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}], True))
        self.kinesis.remove_tags_from_stream(StreamName=name, TagKeys=["a", "b"])
        self.assertEqual(self.kinesis.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "c", "Value": ""}])
        self.kinesis.tag_resource(ResourceARN=arn, Tags={"d": "4"})
        self.kinesis.untag_resource(ResourceARN=arn, TagKeys=["c"])
        self.assertEqual(self.kinesis.list_tags_for_stream(StreamName=name)["Tags"], [{"Key": "d", "Value": "4"}])
        self.refused("InvalidArgumentException", self.kinesis.add_tags_to_stream, StreamName=name,
                     Tags={f"t{i}": "" for i in range(50)})
        self.refused("InvalidArgumentException", self.kinesis.add_tags_to_stream, StreamName=name, Tags={"aws:x": "1"})

    def test_monitoring(self):
        name = self.stream()
        said = self.kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["IncomingBytes", "IncomingRecords"])
        self.assertEqual((said["CurrentShardLevelMetrics"], said["DesiredShardLevelMetrics"]),
                         ([], ["IncomingBytes", "IncomingRecords"]))
        self.kinesis.disable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["IncomingRecords"])
        self.assertEqual(self.summary(name)["EnhancedMonitoring"], [{"ShardLevelMetrics": ["IncomingBytes"]}])
        self.kinesis.put_records(StreamName=name, Records=[{"Data": b"12345", "PartitionKey": "k"}] * 3)
        cloudwatch = self.virga.client("cloudwatch")
        found = {(m["MetricName"], len(m["Dimensions"])) for m in cloudwatch.list_metrics(
            Namespace="AWS/Kinesis", Dimensions=[{"Name": "StreamName", "Value": name}])["Metrics"]}
        self.assertTrue({("IncomingBytes", 1), ("IncomingBytes", 2), ("IncomingRecords", 1)} <= found, found)
        self.assertNotIn(("IncomingRecords", 2), found)
        now = datetime.now(timezone.utc) + timedelta(days=2000)
        stats = cloudwatch.get_metric_statistics(
            Namespace="AWS/Kinesis", MetricName="IncomingBytes", Period=86400 * 1000, Statistics=["Sum"],
            Dimensions=[{"Name": "StreamName", "Value": name}], StartTime=now - timedelta(days=3000), EndTime=now)["Datapoints"]
        self.assertEqual(sum(p["Sum"] for p in stats), 18)


class Records(Case):
    def test_keys_decide_the_shard(self):
        name = self.stream(4)
        ranges = {s["ShardId"]: (int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"]))
                  for s in self.shards(name)}
        keys = [f"key-{i}" for i in range(40)]
        put = self.kinesis.put_records(StreamName=name, Records=[{"Data": k.encode(), "PartitionKey": k} for k in keys])
        self.assertEqual(put["FailedRecordCount"], 0)
        for key, r in zip(keys, put["Records"]):
            low, high = ranges[r["ShardId"]]
            self.assertTrue(low <= int(hashlib.md5(key.encode()).hexdigest(), 16) <= high)
        at = self.kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k", ExplicitHashKey=str(ranges["shardId-000000000002"][1]))
        self.assertEqual(at["ShardId"], "shardId-000000000002")
        for shard in ranges:
            records = self.read(name, shard)
            self.assertEqual([r["SequenceNumber"] for r in records],
                             [r["SequenceNumber"] for r in put["Records"] + [at] if r["ShardId"] == shard])
            numbers = [int(r["SequenceNumber"]) for r in records]
            self.assertEqual(numbers, sorted(set(numbers)))

    def test_iterators(self):
        name, shard = self.stream(), "shardId-000000000000"
        first = [self.kinesis.put_record(StreamName=name, Data=b"%d" % i, PartitionKey="k")["SequenceNumber"] for i in range(3)]
        latest = self.iterator(name, shard, "LATEST")
        self.advance(seconds=100)
        between = self.read(name, shard)[-1]["ApproximateArrivalTimestamp"] + timedelta(seconds=50)
        self.kinesis.put_record(StreamName=name, Data=b"3", PartitionKey="k")
        data = lambda records: [r["Data"] for r in records]
        self.assertEqual(data(self.get(latest)["Records"]), [b"3"])
        self.assertEqual(data(self.read(name, shard, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=first[1])), [b"1", b"2", b"3"])
        self.assertEqual(data(self.read(name, shard, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first[1])), [b"2", b"3"])
        self.assertEqual(data(self.read(name, shard, "AT_TIMESTAMP", Timestamp=between)), [b"3"])
        self.assertEqual(len(self.read(name, shard, "AT_TIMESTAMP", Timestamp=between - timedelta(days=1))), 4)
        start = self.shards(name)[0]["SequenceNumberRange"]["StartingSequenceNumber"]
        self.assertEqual(len(self.read(name, shard, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=start)), 4)
        page = self.get(self.iterator(name, shard), Limit=2)
        self.assertEqual(data(page["Records"]), [b"0", b"1"])
        self.assertGreater(page["MillisBehindLatest"], 0)
        page = self.get(page["NextShardIterator"])
        self.assertEqual((data(page["Records"]), page["MillisBehindLatest"]), ([b"2", b"3"], 0))
        self.advance(seconds=301)
        self.refused("ExpiredIteratorException", self.kinesis.get_records, ShardIterator=page["NextShardIterator"])

    def test_a_shard_takes_a_megabyte_a_second(self):
        name = self.stream()
        put = self.kinesis.put_records(StreamName=name, Records=[{"Data": bytes(600 * 1024), "PartitionKey": "k"}] * 3)
        self.assertEqual(put["FailedRecordCount"], 2)
        self.assertEqual([r.get("ErrorCode") for r in put["Records"]], [None] + ["ProvisionedThroughputExceededException"] * 2)
        self.assertIn("Rate exceeded for shard shardId-000000000000", put["Records"][1]["ErrorMessage"])
        self.advance(seconds=1)
        self.kinesis.put_record(StreamName=name, Data=bytes(1000 * 1024), PartitionKey="k")
        self.assertEqual(len(self.read(name, "shardId-000000000000")), 2)

    def test_a_shard_takes_a_thousand_records_a_second(self):
        name, failed = self.stream(), []

        def put():  # several at once, so that it does not depend on how fast one after the other would be
            got = self.virga.client("kinesis").put_records(StreamName=name, Records=[{"Data": b"", "PartitionKey": "k"}] * 500)
            failed.append(got["FailedRecordCount"])
        for _ in range(20):
            threads = [threading.Thread(target=put) for _ in range(6)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            if sum(failed):
                break
        self.assertGreater(sum(failed), 0)

    def test_a_shard_is_read_five_times_a_second(self):
        name = self.stream()
        it = self.iterator(name, "shardId-000000000000")
        with self.assertRaises(ClientError) as caught:
            for _ in range(2000):
                self.kinesis.get_records(ShardIterator=it)
        self.assertEqual(caught.exception.response["Error"]["Code"], "ProvisionedThroughputExceededException")

    def test_retention(self):
        name, shard = self.stream(), "shardId-000000000000"
        self.kinesis.put_record(StreamName=name, Data=b"old", PartitionKey="k")
        self.refused("InvalidArgumentException", self.kinesis.increase_stream_retention_period, StreamName=name,
                     RetentionPeriodHours=8761)
        self.refused("InvalidArgumentException", self.kinesis.decrease_stream_retention_period, StreamName=name,
                     RetentionPeriodHours=23)
        self.refused("InvalidArgumentException", self.kinesis.decrease_stream_retention_period, StreamName=name,
                     RetentionPeriodHours=48)
        self.kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
        self.advance(hours=30)
        self.assertEqual([r["Data"] for r in self.read(name, shard)], [b"old"])
        self.kinesis.put_record(StreamName=name, Data=b"new", PartitionKey="k")
        self.advance(hours=20)
        self.assertEqual([r["Data"] for r in self.read(name, shard)], [b"new"])
        self.kinesis.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=24)
        self.assertEqual([r["Data"] for r in self.read(name, shard)], [b"new"])
        self.advance(hours=24)
        self.assertEqual(self.read(name, shard), [])

    def test_crash(self):
        name, shard = self.stream(), "shardId-000000000000"
        answered, threads = [], []

        def work(n):
            client = self.virga.client("kinesis")
            for i in range(500):
                try:
                    answered.append(client.put_record(StreamName=name, Data=b"%d-%d" % (n, i), PartitionKey=str(n))["SequenceNumber"])
                except ClientError:
                    pass
                except Exception:
                    return
        for n in range(3):
            threads.append(threading.Thread(target=work, args=(n,)))
            threads[-1].start()
        self.assertTrue(wait_until(lambda: len(answered) > 60, limit=60))
        self.virga.restart()
        for t in threads:
            t.join()
        records, it = [], self.iterator(name, shard)
        while True:
            page = self.get(it)
            records += page["Records"]
            it = page["NextShardIterator"]
            if not page["Records"]:
                break
        self.assertLessEqual(set(answered), {r["SequenceNumber"] for r in records})
        for n in range(3):  # each writer's own in its order, none twice
            own = [int(r["Data"].split(b"-")[1]) for r in records if r["PartitionKey"] == str(n)]
            self.assertEqual(own, sorted(set(own)))


class Resharding(Case):
    def test_split_and_merge(self):
        name = self.stream()
        self.kinesis.put_record(StreamName=name, Data=b"parent", PartitionKey="k")
        middle = str(2 ** 127)
        for bad in ("1", str(TOP), "0"):
            self.refused("InvalidArgumentException", self.kinesis.split_shard, StreamName=name, ShardToSplit="shardId-000000000000",
                         NewStartingHashKey=bad)
        self.kinesis.split_shard(StreamName=name, ShardToSplit="shardId-000000000000", NewStartingHashKey=middle)
        self.refused("InvalidArgumentException", self.kinesis.split_shard, StreamName=name, ShardToSplit="shardId-000000000000",
                     NewStartingHashKey=middle)
        shards = self.shards(name)
        self.assertEqual([s.get("ParentShardId") for s in shards], [None] + ["shardId-000000000000"] * 2)
        self.assertEqual(shards[2]["HashKeyRange"], {"StartingHashKey": middle, "EndingHashKey": str(TOP)})
        child = self.kinesis.put_record(StreamName=name, Data=b"child", PartitionKey="k")
        # The parent is read to its end, which names the children.
        page = self.get(self.iterator(name, "shardId-000000000000"))
        self.assertEqual([r["Data"] for r in page["Records"]], [b"parent"])
        self.assertNotIn("NextShardIterator", page)
        self.assertEqual([(s["ShardId"], s["ParentShards"]) for s in page["ChildShards"]],
                         [("shardId-000000000001", ["shardId-000000000000"]), ("shardId-000000000002", ["shardId-000000000000"])])
        self.assertGreater(int(child["SequenceNumber"]), int(page["Records"][0]["SequenceNumber"]))
        self.assertEqual(shards[0]["SequenceNumberRange"]["EndingSequenceNumber"], page["Records"][0]["SequenceNumber"])
        self.kinesis.merge_shards(StreamName=name, ShardToMerge="shardId-000000000002", AdjacentShardToMerge="shardId-000000000001")
        merged = self.shards(name)[3]
        self.assertEqual((merged["ParentShardId"], merged["AdjacentParentShardId"], merged["HashKeyRange"]),
                         ("shardId-000000000002", "shardId-000000000001", {"StartingHashKey": "0", "EndingHashKey": str(TOP)}))
        self.assertEqual(self.summary(name)["OpenShardCount"], 1)

    def test_merge_needs_neighbours(self):
        name = self.stream(3)
        self.refused("InvalidArgumentException", self.kinesis.merge_shards, StreamName=name, ShardToMerge="shardId-000000000000",
                     AdjacentShardToMerge="shardId-000000000002")

    def test_update_shard_count(self):
        name = self.stream(2)
        for n in (3, 5, 3, 6, 4):
            before = len(self.open_shards(name))
            said = self.kinesis.update_shard_count(StreamName=name, TargetShardCount=n, ScalingType="UNIFORM_SCALING")
            self.assertEqual((said["CurrentShardCount"], said["TargetShardCount"]), (before, n))
            ranges = sorted((int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"]))
                            for s in self.open_shards(name))
            self.assertEqual((len(ranges), ranges[0][0], ranges[-1][1]), (n, 0, TOP))
            for (low, high), after in zip(ranges, ranges[1:] + [None]):
                self.assertAlmostEqual((high - low) / (TOP / n), 1)
                self.assertTrue(after is None or after[0] == high + 1)
        self.assertEqual(self.summary(name)["OpenShardCount"], 4)
        self.refused("InvalidArgumentException", self.kinesis.update_shard_count, StreamName=name, TargetShardCount=9,
                     ScalingType="UNIFORM_SCALING")
        self.refused("InvalidArgumentException", self.kinesis.update_shard_count, StreamName=name, TargetShardCount=1,
                     ScalingType="UNIFORM_SCALING")
        for _ in range(5):
            self.kinesis.update_shard_count(StreamName=name, TargetShardCount=4, ScalingType="UNIFORM_SCALING")
        self.refused("LimitExceededException", self.kinesis.update_shard_count, StreamName=name, TargetShardCount=4,
                     ScalingType="UNIFORM_SCALING")

    def test_list_filters(self):
        name = self.stream()
        self.advance(hours=1)
        half = datetime.fromtimestamp(self.summary(name)["StreamCreationTimestamp"].timestamp() + 1800, timezone.utc)
        self.kinesis.split_shard(StreamName=name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2 ** 127))
        ids = lambda **f: [int(s["ShardId"][-1]) for s in self.shards(name, ShardFilter=f)]
        self.assertEqual(ids(Type="AT_LATEST"), [1, 2])
        self.assertEqual(ids(Type="AT_TRIM_HORIZON"), [0])
        self.assertEqual(ids(Type="FROM_TRIM_HORIZON"), [0, 1, 2])
        self.assertEqual(ids(Type="AT_TIMESTAMP", Timestamp=half), [0])
        self.assertEqual(ids(Type="FROM_TIMESTAMP", Timestamp=half), [0, 1, 2])
        self.assertEqual(ids(Type="AFTER_SHARD_ID", ShardId="shardId-000000000000"), [1, 2])
        self.refused("InvalidArgumentException", self.kinesis.list_shards, StreamName=name, ShardFilter={"Type": "AT_TIMESTAMP"})
        page = self.kinesis.list_shards(StreamName=name, MaxResults=2)
        rest = self.kinesis.list_shards(NextToken=page["NextToken"])
        self.assertEqual([int(s["ShardId"][-1]) for s in page["Shards"] + rest["Shards"]], [0, 1, 2])
        self.assertNotIn("NextToken", rest)
        self.advance(seconds=301)
        self.refused("ExpiredNextTokenException", self.kinesis.list_shards, NextToken=page["NextToken"])
        self.advance(hours=30)  # the closed shard and what it held are past the retention
        self.assertTrue(wait_until(lambda: [int(s["ShardId"][-1]) for s in self.shards(name)] == [1, 2], limit=60))


class Encryption(Case):
    def test_records_lie_under_the_key(self):
        name, shard, kms = self.stream(), "shardId-000000000000", self.virga.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        self.kinesis.put_record(StreamName=name, Data=b"plain", PartitionKey="k")
        self.refused("KMSNotFoundException", self.kinesis.start_stream_encryption, StreamName=name, EncryptionType="KMS",
                     KeyId="alias/none")
        self.kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=key)
        s = self.summary(name)
        self.assertEqual((s["EncryptionType"], s["KeyId"]), ("KMS", key))
        self.assertEqual(self.kinesis.put_record(StreamName=name, Data=b"sealed", PartitionKey="k")["EncryptionType"], "KMS")
        self.assertEqual([(r["Data"], r.get("EncryptionType")) for r in self.read(name, shard)],
                         [(b"plain", None), (b"sealed", "KMS")])
        kms.disable_key(KeyId=key)
        self.refused("KMSDisabledException", self.kinesis.put_record, StreamName=name, Data=b"x", PartitionKey="k")
        with self.assertRaises(ClientError) as caught:
            self.read(name, shard)
        self.assertEqual(caught.exception.response["Error"]["Code"], "KMSDisabledException")
        kms.enable_key(KeyId=key)
        self.kinesis.stop_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=key)
        self.kinesis.put_record(StreamName=name, Data=b"plain again", PartitionKey="k")
        self.assertEqual([r["Data"] for r in self.read(name, shard)], [b"plain", b"sealed", b"plain again"])

    def test_the_managed_key(self):
        name = self.stream()
        self.kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId="alias/aws/kinesis")
        self.kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k")
        self.assertEqual(self.read(name, "shardId-000000000000")[0]["Data"], b"x")


class Consumers(Case):
    def test_life(self):
        name = self.stream()
        arn = self.summary(name)["StreamARN"]
        c = self.kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader", Tags={"a": "b"})["Consumer"]
        self.assertTrue(c["ConsumerARN"].startswith(arn + "/consumer/reader:"), c)
        self.refused("ResourceInUseException", self.kinesis.register_stream_consumer, StreamARN=arn, ConsumerName="reader")
        d = self.kinesis.describe_stream_consumer(ConsumerARN=c["ConsumerARN"])["ConsumerDescription"]
        self.assertEqual((d["ConsumerStatus"], d["StreamARN"]), ("ACTIVE", arn))
        self.assertEqual(self.kinesis.list_tags_for_resource(ResourceARN=c["ConsumerARN"])["Tags"], [{"Key": "a", "Value": "b"}])
        for i in range(19):
            self.kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=f"c{i:02}")
        self.refused("LimitExceededException", self.kinesis.register_stream_consumer, StreamARN=arn, ConsumerName="more")
        self.assertEqual(self.summary(name)["ConsumerCount"], 20)
        page = self.kinesis.list_stream_consumers(StreamARN=arn, MaxResults=15)
        rest = self.kinesis.list_stream_consumers(StreamARN=arn, NextToken=page["NextToken"])
        self.assertEqual([c["ConsumerName"] for c in page["Consumers"] + rest["Consumers"]],
                         [f"c{i:02}" for i in range(19)] + ["reader"])
        self.refused("ResourceInUseException", self.kinesis.delete_stream, StreamName=name)
        self.kinesis.deregister_stream_consumer(StreamARN=arn, ConsumerName="reader")
        self.refused("ResourceNotFoundException", self.kinesis.describe_stream_consumer, ConsumerARN=c["ConsumerARN"])
        self.kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)


class Policies(Case):
    def test_another_account(self):
        name = self.stream()
        arn = self.summary(name)["StreamARN"]
        other = self.virga.client("kinesis", key="222233334444")
        self.refused("AccessDeniedException", other.put_record, StreamARN=arn, Data=b"x", PartitionKey="k")
        self.refused("ResourceNotFoundException", self.kinesis.get_resource_policy, ResourceARN=arn)
        self.refused("InvalidArgumentException", self.kinesis.put_resource_policy, ResourceARN=arn, Policy="{}")
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": "222233334444"}, "Action": ["kinesis:PutRecord", "kinesis:GetShardIterator"],
            "Resource": arn}]})
        self.kinesis.put_resource_policy(ResourceARN=arn, Policy=policy)
        self.assertEqual(self.kinesis.get_resource_policy(ResourceARN=arn)["Policy"], policy)
        other.put_record(StreamARN=arn, Data=b"x", PartitionKey="k")
        it = other.get_shard_iterator(StreamARN=arn, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        self.refused("AccessDeniedException", other.get_records, ShardIterator=it)  # whatever ARN it would name
        self.assertEqual(len(self.get(it)["Records"]), 1)
        self.kinesis.delete_resource_policy(ResourceARN=arn)
        self.refused("AccessDeniedException", other.put_record, StreamARN=arn, Data=b"x", PartitionKey="k")

    def test_a_user_of_one_stream(self):
        iam, mine, yours = self.virga.client("iam"), self.stream(), self.stream()
        user = f"u-{mine}"
        iam.create_user(UserName=user)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "kinesis:*", "Resource": self.summary(mine)["StreamARN"]}]}))
        client = self.virga.client("kinesis", key=key["AccessKeyId"], secret=key["SecretAccessKey"])
        client.put_record(StreamName=mine, Data=b"x", PartitionKey="k")
        it = client.get_shard_iterator(StreamName=mine, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")
        client.get_records(ShardIterator=it["ShardIterator"])
        self.refused("AccessDeniedException", client.put_record, StreamName=yours, Data=b"x", PartitionKey="k")
        self.refused("AccessDeniedException", client.get_records, ShardIterator=self.iterator(yours, "shardId-000000000000"))


class Cbor(Case):
    """As the SDKs of Java and C++ ask: application/x-amz-cbor-1.1."""

    def ask(self, op, fields):
        request = AWSRequest("POST", self.virga.endpoint + "/", data=cbor(fields), headers={
            "Content-Type": "application/x-amz-cbor-1.1", "X-Amz-Target": f"Kinesis_20131202.{op}"})
        SigV4Auth(Credentials("test", "test"), "kinesis", "us-east-1").add_auth(request)
        status, headers, body = self.virga.get("/", "POST", body=request.data, headers=dict(request.headers.items()))
        return status, headers["Content-Type"], uncbor(body)[0] if body else None

    def test_put_and_get(self):
        name = self.stream()
        status, kind, put = self.ask("PutRecord", {"StreamName": name, "Data": b"\x00\xffbytes", "PartitionKey": "k"})
        self.assertEqual((status, kind, put["ShardId"]), (200, "application/x-amz-cbor-1.1", "shardId-000000000000"))
        at = self.read(name, "shardId-000000000000")[0]["ApproximateArrivalTimestamp"]
        millis = int(at.timestamp() * 1000)
        _, _, it = self.ask("GetShardIterator", {"StreamName": name, "ShardId": "shardId-000000000000",
                                                 "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": Millis(millis - 1000)})
        status, _, got = self.ask("GetRecords", {"ShardIterator": it["ShardIterator"], "Limit": 10})
        self.assertEqual(status, 200, got)
        self.assertEqual([(r["Data"], r["PartitionKey"]) for r in got["Records"]], [(b"\x00\xffbytes", "k")])
        self.assertLessEqual(abs(got["Records"][0]["ApproximateArrivalTimestamp"] - millis), 1)
        status, kind, error = self.ask("PutRecord", {"StreamName": "none", "Data": b"", "PartitionKey": "k"})
        self.assertEqual((status, kind, error["__type"]), (400, "application/x-amz-cbor-1.1", "ResourceNotFoundException"))
        status, _, body = self.ask("AddTagsToStream", {"StreamName": name, "Tags": {"a": "b"}})
        self.assertEqual((status, body), (200, None))


class Millis(int):
    """A timestamp: tag 1 over milliseconds, as the SDK for Java writes them."""


def cbor(v):
    def head(major, n):
        return bytes([major << 5 | n]) if n < 24 else bytes([major << 5 | 27]) + struct.pack(">Q", n)
    if isinstance(v, Millis):
        return head(6, 1) + head(0, int(v))
    if isinstance(v, int):
        return head(0, v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    return head(5, len(v)) + b"".join(cbor(k) + cbor(x) for k, x in v.items())


def uncbor(b):
    """(value, rest) of what virga writes; tags are left out."""
    major, info, b = b[0] >> 5, b[0] & 31, b[1:]
    n = info
    if 24 <= info < 28:
        size = 1 << info - 24
        n, b = int.from_bytes(b[:size], "big"), b[size:]
    if major == 0:
        return n, b
    if major in (2, 3):
        return (b[:n] if major == 2 else b[:n].decode()), b[n:]
    if major == 6:
        return uncbor(b)
    if major == 7:
        return {20: False, 21: True, 22: None}[info], b
    out = []
    while (b[:1] != b"\xff") if info == 31 else n:
        x, b = uncbor(b)
        if major == 5:
            y, b = uncbor(b)
            x = (x, y)
        out.append(x)
        n -= 1
    return (dict(out) if major == 5 else out), b[1:] if info == 31 else b


if __name__ == "__main__":
    unittest.main()
