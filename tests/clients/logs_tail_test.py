"""Live tails of log groups: StartLiveTail pushes what comes, over the request's own connection."""
import datetime
import json
import threading
import time
import unittest

from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from virga import Virga, wait_until as wait

NEEDS_BOTO3 = (1, 40)
ARN = "arn:aws:logs:us-east-1:000000000000:log-group:"


def wait_until(condition, limit):
    assert wait(condition, limit), "it did not happen"


class Tail(threading.Thread):
    """Collects a session's messages until it ends."""

    def __init__(self, client, *groups, arn=ARN, **kw):
        super().__init__(daemon=True)
        self.stream = client.start_live_tail(logGroupIdentifiers=[arn + g for g in groups], **kw)["responseStream"]
        self.begun, self.updates, self.error = None, [], None
        self.start()

    def run(self):
        try:
            for event in self.stream:
                if "sessionStart" in event:
                    self.begun = event["sessionStart"]
                else:
                    self.updates.append(event["sessionUpdate"])
        except EventStreamError as e:
            self.error = e
        except Exception as e:  # the connection ends with virga
            self.error = e

    def events(self):
        return [e for u in list(self.updates) for e in u["sessionResults"]]

    def messages(self):
        return [e["message"] for e in self.events()]

    def close(self):
        self.stream.close()
        self.join(10)


class LiveTail(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga("--simulated").start()
        cls.addClassCleanup(cls.virga.close)
        # The host's prefix, "stream-", has no name to go before at 127.0.0.1.
        cls.logs = cls.virga.client("logs", config=Config(inject_host_prefix=False, read_timeout=30, retries={"max_attempts": 0}))

    def group(self, *streams, **kw):
        name = self.id().rsplit(".", 1)[-1]
        self.logs.create_log_group(logGroupName=name, **kw)
        self.addCleanup(self.logs.delete_log_group, logGroupName=name)
        for s in streams:
            self.logs.create_log_stream(logGroupName=name, logStreamName=s)
        return name

    def tail(self, *groups, **kw):
        t = Tail(self.logs, *groups, **kw)
        self.addCleanup(t.close)
        wait_until(lambda: t.begun, 30)
        return t

    def now(self):
        at = datetime.datetime.fromisoformat(json.loads(self.virga.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))
        return int(at.timestamp() * 1000)

    def put(self, group, stream, *messages):
        now = self.now()
        self.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[
            {"timestamp": now, "message": m} for m in messages])

    def refused(self, code, **kw):
        with self.assertRaises(ClientError) as e:
            self.logs.start_live_tail(**kw)
        self.assertEqual(e.exception.response["Error"]["Code"], code)

    def test_what_comes(self):
        g = self.group("a", "b")
        self.put(g, "a", "before")
        t = self.tail(g)
        self.assertEqual(t.begun["logGroupIdentifiers"], [ARN + g])
        self.assertTrue(t.begun["sessionId"])
        self.put(g, "a", "one", "two")
        self.put(g, "b", "three")
        wait_until(lambda: len(t.events()) == 3, 30)
        self.assertEqual(t.messages(), ["one", "two", "three"])
        e = t.events()[2]
        self.assertEqual((e["logStreamName"], e["logGroupIdentifier"]), ("b", ARN + g))
        self.assertLessEqual(e["timestamp"], e["ingestionTime"])
        # A second in which nothing came has an update too, and none of them was sampled.
        n = len(t.updates)
        wait_until(lambda: len(t.updates) > n and not t.updates[-1]["sessionResults"], 30)
        self.assertEqual({u["sessionMetadata"]["sampled"] for u in t.updates}, {False})

    def test_chosen(self):
        g = self.group("web-1", "web-2", "db")
        both = self.tail(g, logStreamNamePrefixes=["web-"])
        one = self.tail(g, logStreamNames=["web-2"], logEventFilterPattern="ERROR")
        self.assertEqual(one.begun["logEventFilterPattern"], "ERROR")
        selector = self.tail(g, logEventFilterPattern="{ $.ms > 10 }")
        self.put(g, "db", "ERROR of the database", '{"ms": 11}')
        self.put(g, "web-1", "ERROR 1", '{"ms": 9}')
        self.put(g, "web-2", "ERROR 2", "INFO 2")
        wait_until(lambda: len(both.events()) == 4 and len(one.events()) == 1 and len(selector.events()) == 1, 30)
        self.assertEqual(one.messages(), ["ERROR 2"])
        self.assertEqual(selector.messages(), ['{"ms": 11}'])
        self.assertEqual(both.messages(), ["ERROR 1", '{"ms": 9}', "ERROR 2", "INFO 2"])

    def test_sampled(self):
        g = self.group("s")
        t = self.tail(g)
        self.put(g, "s", *(f"{i}" for i in range(2000)))
        wait_until(lambda: len(t.events()) == 500, 30)
        full = next(u for u in t.updates if u["sessionResults"])
        self.assertTrue(full["sessionMetadata"]["sampled"])
        self.assertEqual(len(set(t.messages())), 500)
        self.assertGreater(max(int(m) for m in t.messages()), 500)  # one of 1,500 others stays, but for one chance in 10^60

    def test_three_hours(self):
        g = self.group("s")
        t = self.tail(g)
        self.virga.get("/_virga/clock?advance=3h", "POST")
        wait_until(lambda: t.error, 30)
        self.assertIn("SessionTimeoutException", str(t.error))

    def test_client_leaves(self):
        """An account may have 15 at once, and one that has gone makes room."""
        other = self.virga.client("logs", key="111122223333", config=Config(inject_host_prefix=False))
        other.create_log_group(logGroupName="g")
        other.create_log_stream(logGroupName="g", logStreamName="s")

        def tail():
            t = Tail(other, "g", arn=ARN.replace("000000000000", "111122223333"))
            self.addCleanup(t.close)
            return t
        tails = [tail() for _ in range(15)]
        with self.assertRaises(other.exceptions.LimitExceededException):
            tail()
        tails[0].close()

        def again():
            try:
                tails.append(tail())
                return True
            except other.exceptions.LimitExceededException:
                time.sleep(0.2)
        wait_until(again, 60)
        other.put_log_events(logGroupName="g", logStreamName="s", logEvents=[{"timestamp": self.now(), "message": "x"}])
        wait_until(lambda: all(t.messages() == ["x"] for t in tails[1:]), 30)

    def test_refused(self):
        g = self.group("s")
        for code, kw in (("InvalidParameterException", {"logGroupIdentifiers": [g]}),
                         ("InvalidParameterException", {"logGroupIdentifiers": [ARN + g + ":*"]}),
                         ("InvalidParameterException", {"logGroupIdentifiers": [ARN + g], "logEventFilterPattern": "{ $.a"}),
                         ("InvalidParameterException", {"logGroupIdentifiers": [ARN + g], "logStreamNames": ["s"], "logStreamNamePrefixes": ["s"]}),
                         ("ResourceNotFoundException", {"logGroupIdentifiers": [ARN + "none"]})):
            self.refused(code, **kw)


class End(unittest.TestCase):
    def test_virga_ends(self):
        """A session does not keep virga from ending, and its client sees the end."""
        with Virga("--simulated") as v:
            logs = v.client("logs", config=Config(inject_host_prefix=False, retries={"max_attempts": 0}))
            logs.create_log_group(logGroupName="g")
            t = Tail(logs, "g")
            wait_until(lambda: t.begun, 30)
            v.stop()
            t.join(30)
            self.assertFalse(t.is_alive())


if __name__ == "__main__":
    unittest.main()
