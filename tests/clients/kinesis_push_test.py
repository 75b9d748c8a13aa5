"""Kinesis's enhanced fan-out: SubscribeToShard pushes records over the request's own connection."""
import datetime
import threading
import unittest

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EventStreamError

import kinesis_test
from virga import Virga, wait_until

NEEDS_BOTO3 = (1, 40)


class Reader(threading.Thread):
    """Collects a subscription's events until it ends."""

    def __init__(self, client, arn, shard, position):
        super().__init__(daemon=True)
        self.stream = client.subscribe_to_shard(ConsumerARN=arn, ShardId=shard, StartingPosition=position)["EventStream"]
        self.events, self.error = [], None
        self.start()

    def run(self):
        try:
            for event in self.stream:
                self.events.append(event["SubscribeToShardEvent"])
        except EventStreamError as e:
            self.error = e
        except Exception as e:  # the connection ends with virga
            self.error = e

    def data(self):
        return [r["Data"] for e in list(self.events) for r in e["Records"]]


class Push(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.k = cls.virga.client("kinesis")

    def stream(self, name, shards=1):
        self.k.create_stream(StreamName=name, ShardCount=shards)
        arn = self.k.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
        return arn, self.k.register_stream_consumer(StreamARN=arn, ConsumerName="app")["Consumer"]["ConsumerARN"]

    def put(self, name, *data):
        return [self.k.put_record(StreamName=name, PartitionKey="k", Data=d)["SequenceNumber"] for d in data]

    def advance(self, how):
        self.virga.get(f"/_virga/clock?advance={how}", "POST")

    def shard(self, name, i=0):
        return self.k.list_shards(StreamName=name)["Shards"][i]["ShardId"]

    def test_records_are_pushed_as_they_come(self):
        arn, consumer = self.stream("live")
        first, second = self.put("live", b"one", b"two")
        shard = self.shard("live")
        whole = Reader(self.k, consumer, shard, {"Type": "TRIM_HORIZON"})
        self.assertTrue(wait_until(lambda: whole.data() == [b"one", b"two"]), whole.data())
        self.put("live", *[b"%d" % i for i in range(50)])
        self.assertTrue(wait_until(lambda: len(whole.data()) == 52))
        self.assertEqual(whole.data()[2:], [b"%d" % i for i in range(50)])
        last = whole.events[-1]
        self.assertEqual(last["MillisBehindLatest"], 0)
        self.assertEqual(last["ContinuationSequenceNumber"], last["Records"][-1]["SequenceNumber"])
        # Another consumer reads by itself, from where it wants.
        other = self.k.register_stream_consumer(StreamARN=arn, ConsumerName="other")["Consumer"]["ConsumerARN"]
        after = Reader(self.k, other, shard, {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": first})
        self.assertTrue(wait_until(lambda: len(after.data()) == 51))
        self.assertEqual(after.data()[0], b"two")
        self.assertEqual(after.events[0]["Records"][0]["SequenceNumber"], second)
        third = self.k.register_stream_consumer(StreamARN=arn, ConsumerName="third")["Consumer"]["ConsumerARN"]
        latest = Reader(self.k, third, shard, {"Type": "LATEST"})
        self.put("live", b"new")
        for reader in (whole, after, latest):
            self.assertTrue(wait_until(lambda r=reader: r.data()[-1:] == [b"new"]))
        self.assertEqual(latest.data(), [b"new"])
        # Who has nothing to be told is told that every five seconds.
        self.assertTrue(wait_until(lambda: any(not e["Records"] for e in latest.events), 30))
        # Five minutes, and it is over; it goes on from what it was told.
        self.advance("5m")
        for reader in (whole, after, latest):
            reader.join(20)
            self.assertFalse(reader.is_alive())
            self.assertIsNone(reader.error)
        again = Reader(self.k, consumer, shard, {"Type": "AFTER_SEQUENCE_NUMBER",
            "SequenceNumber": whole.events[-1]["ContinuationSequenceNumber"]})
        self.put("live", b"later")
        self.assertTrue(wait_until(lambda: again.data() == [b"later"]), again.data())
        self.advance("6m")
        again.join(20)

    def test_one_subscription_for_a_consumer_and_shard(self):
        _, consumer = self.stream("single")
        shard = self.shard("single")
        one = Reader(self.k, consumer, shard, {"Type": "LATEST"})
        with self.assertRaises(ClientError) as caught:
            self.k.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard, StartingPosition={"Type": "LATEST"})
        self.assertEqual(caught.exception.response["Error"]["Code"], "ResourceInUseException")
        self.advance("6s")
        two = Reader(self.k, consumer, shard, {"Type": "LATEST"})
        one.join(20)
        self.assertFalse(one.is_alive())
        self.put("single", b"x")
        self.assertTrue(wait_until(lambda: two.data() == [b"x"]))
        self.assertEqual(one.data(), [])
        # A consumer that is deregistered is told so.
        self.k.deregister_stream_consumer(ConsumerARN=consumer)
        two.join(20)
        self.assertIn("ResourceNotFoundException", str(two.error))

    def test_a_shard_that_is_split_ends_with_its_children(self):
        _, consumer = self.stream("split")
        shard = self.shard("split")
        reader = Reader(self.k, consumer, shard, {"Type": "TRIM_HORIZON"})
        self.put("split", b"a")
        self.k.split_shard(StreamName="split", ShardToSplit=shard, NewStartingHashKey=str(2**127))
        reader.join(20)
        self.assertFalse(reader.is_alive())
        self.assertEqual(reader.data(), [b"a"])
        children = [c["ShardId"] for c in reader.events[-1]["ChildShards"]]
        self.assertEqual(sorted(children), sorted(s["ShardId"] for s in self.k.list_shards(StreamName="split")["Shards"]
            if s.get("ParentShardId") == shard))

    def test_bad_requests(self):
        arn, consumer = self.stream("bad")
        latest = {"Type": "LATEST"}
        for code, kw in (("ResourceNotFoundException", dict(ConsumerARN=consumer.replace("app", "none"),
                    ShardId=self.shard("bad"), StartingPosition=latest)),
                ("ResourceNotFoundException", dict(ConsumerARN=consumer, ShardId="shardId-000000000099",
                    StartingPosition=latest)),
                ("InvalidArgumentException", dict(ConsumerARN=consumer, ShardId=self.shard("bad"),
                    StartingPosition={"Type": "AT_SEQUENCE_NUMBER"})),
                ("InvalidArgumentException", dict(ConsumerARN=consumer, ShardId=self.shard("bad"), StartingPosition={
                    "Type": "AT_TIMESTAMP", "Timestamp": datetime.datetime(2090, 1, 1)}))):
            with self.assertRaises(ClientError) as caught:
                self.k.subscribe_to_shard(**kw)
            self.assertEqual(caught.exception.response["Error"]["Code"], code)

    def test_only_in_json(self):
        _, consumer = self.stream("binary")
        body = kinesis_test.cbor({"ConsumerARN": consumer, "ShardId": self.shard("binary"),
            "StartingPosition": {"Type": "LATEST"}})
        request = AWSRequest("POST", self.virga.endpoint + "/", data=body, headers={
            "Content-Type": "application/x-amz-cbor-1.1", "X-Amz-Target": "Kinesis_20131202.SubscribeToShard"})
        SigV4Auth(Credentials("test", "test"), "kinesis", "us-east-1").add_auth(request)
        self.assertEqual(self.virga.get("/", "POST", body=body, headers=dict(request.headers.items()))[0], 501)

    def test_a_client_that_vanishes(self):
        _, consumer = self.stream("left")
        shard = self.shard("left")
        stream = self.k.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard, StartingPosition={"Type": "LATEST"})["EventStream"]
        stream.close()
        self.put("left", *[b"x" * 100_000] * 5)
        self.advance("6s")
        again = Reader(self.k, consumer, shard, {"Type": "TRIM_HORIZON"})
        self.assertTrue(wait_until(lambda: len(again.data()) == 5))
        self.advance("6m")
        again.join(20)
        self.assertIsNone(again.error)

    def test_many_subscribers_hold_no_thread_and_a_stop_ends_them(self):
        v = Virga().start()
        self.addCleanup(v.close)
        k = v.client("kinesis")
        k.create_stream(StreamName="many", ShardCount=20)
        arn = k.describe_stream_summary(StreamName="many")["StreamDescriptionSummary"]["StreamARN"]
        consumer = k.register_stream_consumer(StreamARN=arn, ConsumerName="app")["Consumer"]["ConsumerARN"]
        shards = [s["ShardId"] for s in k.list_shards(StreamName="many")["Shards"]]
        first = Reader(k, consumer, shards[0], {"Type": "TRIM_HORIZON"})

        def threads():
            with open(f"/proc/{v.process.pid}/status") as f:
                return next(int(line.split()[1]) for line in f if line.startswith("Threads:"))

        before = threads()
        readers = [first] + [Reader(v.client("kinesis"), consumer, s, {"Type": "TRIM_HORIZON"}) for s in shards[1:]]
        self.assertLessEqual(threads(), before + 4)
        for s in range(40):
            k.put_record(StreamName="many", PartitionKey=str(s), Data=b"x")
        self.assertTrue(wait_until(lambda: sum(len(r.data()) for r in readers) == 40))
        self.assertEqual(v.stop(), 0)
        for r in readers:
            r.join(20)
            self.assertFalse(r.is_alive())
        v.start(v.port)


if __name__ == "__main__":
    unittest.main()
