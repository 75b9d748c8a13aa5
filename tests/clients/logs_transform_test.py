"""Log transformers through boto3: what each processor makes, what Insights, metric filters and subscriptions see of it."""
import datetime
import gzip
import json
import subprocess
import unittest


from virga import BINARY, Virga, code_of, wait_until

NEEDS_BOTO3 = (1, 40)
ACCOUNT = "000000000000"


class Processors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)
        cls.logs = cls.v.client("logs")

    def made(self, message, *processors):
        text = message if isinstance(message, str) else json.dumps(message)
        got = self.logs.test_transformer(transformerConfig=list(processors), logEventMessages=[text])["transformedLogs"]
        self.assertEqual((got[0]["eventNumber"], got[0]["eventMessage"]), (1, text))
        return json.loads(got[0]["transformedEventMessage"]) if got[0].get("transformedEventMessage") else None

    def test_parsers(self):
        self.assertEqual(self.made({"a": {"b": [1, "x"]}, "c.d": True}, {"parseJSON": {}}), {"a": {"b": [1, "x"]}, "c.d": True})
        self.assertEqual(self.made({"a": 1}, {"parseJSON": {"destination": "in.side"}}), {"in": {"side": {"a": 1}}})
        self.assertEqual(self.made({"text": '{"x":"y"}'}, {"parseJSON": {}}, {"parseJSON": {"source": "text", "destination": "more"}}),
                         {"text": '{"x":"y"}', "more": {"x": "y"}})
        self.assertEqual(self.made("a=1&b=two&c&a=3", {"parseKeyValue": {"nonMatchValue": "none"}}), {"a": "1", "b": "two", "c": "none"})
        self.assertEqual(self.made("a:1;a:2", {"parseKeyValue": {"fieldDelimiter": ";", "keyValueDelimiter": ":", "keyPrefix": "p_", "overwriteIfExists": True,
                                                                 "destination": "kv"}}), {"kv": {"p_a": "2"}})
        self.assertEqual(self.made('x,"y, ""z""",', {"csv": {}}), {"column_1": "x", "column_2": 'y, "z"', "column_3": ""})
        self.assertEqual(self.made("1|'a|b'|3", {"csv": {"delimiter": "|", "quoteCharacter": "'", "columns": ["n", "t"]}}), {"n": "1", "t": "a|b"})
        self.assertEqual(self.made('10.0.0.7 - [29/Nov/2026:21:00:00 +0000] "GET /a?b=c" 200 0.25 warn',
                                   {"grok": {"match": '%{IP:client.ip} - \\[%{HTTPDATE:at}\\] "%{WORD:verb} %{URIPATHPARAM:path}" %{INT:code} %{NUMBER:s} %{LOGLEVEL:level}'}}),
                         {"client": {"ip": "10.0.0.7"}, "at": "29/Nov/2026:21:00:00 +0000", "verb": "GET", "path": "/a?b=c", "code": "200", "s": "0.25", "level": "warn"})
        self.assertIsNone(self.made("no JSON", {"parseJSON": {}}))
        self.assertIsNone(self.made("other", {"grok": {"match": "%{IP:ip}"}}))

    def test_mutators(self):
        event = {"a": " Text ", "n": "17", "f": "2.50", "t": "true", "l": "x,y,z", "o": {"k": "v"}, "list": [
            {"id": "one", "v": 1}, {"id": "two", "v": 2}, {"id": "one", "v": 3}]}
        for processor, want in [
            ({"lowerCaseString": {"withKeys": ["a", "o.k", "none"]}}, {"a": " text "}),
            ({"upperCaseString": {"withKeys": ["a", "o.k"]}}, {"a": " TEXT ", "o": {"k": "V"}}),
            ({"trimString": {"withKeys": ["a"]}}, {"a": "Text"}),
            ({"splitString": {"entries": [{"source": "l", "delimiter": ","}]}}, {"l": ["x", "y", "z"]}),
            ({"substituteString": {"entries": [{"source": "a", "from": "(T)e", "to": "<$1>"}]}}, {"a": " <T>xt "}),
            ({"addKeys": {"entries": [{"key": "new.deep", "value": "w"}, {"key": "n", "value": "no"}, {"key": "f", "value": "yes", "overwriteIfExists": True}]}},
             {"new": {"deep": "w"}, "f": "yes"}),
            ({"deleteKeys": {"withKeys": ["o.k", "list", "none"]}}, {"o": {}, "list": None}),
            ({"copyValue": {"entries": [{"source": "o", "target": "p"}, {"source": "@accountId", "target": "account"}, {"source": "@logGroupName", "target": "group"}]}},
             {"p": {"k": "v"}, "account": ACCOUNT, "group": "TestLogGroup"}),
            ({"moveKeys": {"entries": [{"source": "n", "target": "o"}]}}, {"n": None, "o": {"k": "v", "n": "17"}}),
            ({"renameKeys": {"entries": [{"key": "n", "renameTo": "m"}, {"key": "f", "renameTo": "t"}]}}, {"n": None, "m": "17"}),
            ({"typeConverter": {"entries": [{"key": "n", "type": "integer"}, {"key": "f", "type": "double"}, {"key": "t", "type": "boolean"}, {"key": "a", "type": "integer"}]}},
             {"n": 17, "f": 2.5, "t": True}),
            ({"listToMap": {"source": "list", "key": "id", "valueKey": "v", "target": "map"}}, {"map": {"one": [1, 3], "two": [2]}}),
            ({"listToMap": {"source": "list", "key": "id", "valueKey": "v", "target": "map", "flatten": True, "flattenedElement": "last"}}, {"map": {"one": 3, "two": 2}}),
        ]:
            with self.subTest(processor):
                expected = {k: v for k, v in {**event, **want}.items() if v is not None}
                self.assertEqual(self.made(event, {"parseJSON": {}}, processor), expected)

    def test_refused(self):
        test = lambda *p: code_of(self.logs.test_transformer, transformerConfig=list(p), logEventMessages=["x"])
        add = {"addKeys": {"entries": [{"key": "a", "value": "b"}]}}
        for processors in [[add], [{"parseJSON": {}}, add, add], [{"parseJSON": {}}] * 6, [{"grok": {"match": "%{NOPE:x}"}}], [{"grok": {"match": "%{WORD"}}],
                           [{"grok": {"match": "(%{WORD}"}}], [{"parseJSON": {}, **add}], [{}],
                           [{"parseJSON": {}}, {"substituteString": {"entries": [{"source": "a", "from": "(", "to": "x"}]}}]]:
            with self.subTest(processors):
                self.assertEqual(test(*processors), "InvalidParameterException")
        self.assertEqual(test({"parseVPC": {}}), "NotImplemented")
        self.assertEqual(code_of(self.logs.put_transformer, logGroupIdentifier="none", transformerConfig=[{"parseJSON": {}}]), "ResourceNotFoundException")


class Ingestion(unittest.TestCase):
    def test_life(self):
        with Virga() as v:
            logs, kinesis = v.client("logs"), v.client("kinesis")
            now = datetime.datetime.fromisoformat(json.loads(v.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))
            t = int(now.timestamp()) * 1000 - 60000
            logs.create_log_group(logGroupName="web")
            logs.create_log_stream(logGroupName="web", logStreamName="s")
            put = lambda *lines: logs.put_log_events(logGroupName="web", logStreamName="s", logEvents=[{"timestamp": t + i, "message": m} for i, m in enumerate(lines)])
            put("GET /before 200 1")
            config = [{"grok": {"match": "%{WORD:verb} %{NOTSPACE:path} %{INT:code} %{NUMBER:ms}"}},
                      {"typeConverter": {"entries": [{"key": "ms", "type": "double"}]}}, {"copyValue": {"entries": [{"source": "@logStreamName", "target": "from"}]}}]
            logs.put_transformer(logGroupIdentifier="web", transformerConfig=config)
            got = logs.get_transformer(logGroupIdentifier="web")
            self.assertEqual((got["transformerConfig"], got["logGroupIdentifier"]), (config, "web"))
            filters = dict(logGroupName="web", filterPattern="{ $.ms > 5 }")
            logs.put_metric_filter(**filters, filterName="made", applyOnTransformedLogs=True, metricTransformations=[
                {"metricName": "made", "metricNamespace": "t", "metricValue": "$.ms"}])
            logs.put_metric_filter(**filters, filterName="raw", metricTransformations=[{"metricName": "raw", "metricNamespace": "t", "metricValue": "$.ms"}])
            self.assertTrue([f for f in logs.describe_metric_filters(logGroupName="web")["metricFilters"] if f.get("applyOnTransformedLogs")])
            kinesis.create_stream(StreamName="out", ShardCount=1)
            kinesis.get_waiter("stream_exists").wait(StreamName="out", WaiterConfig={"Delay": 1})
            iam = v.client("iam")
            iam.create_role(RoleName="sub", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "logs.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))
            iam.put_role_policy(RoleName="sub", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "kinesis:PutRecord", "Resource": "*"}]}))
            logs.put_subscription_filter(**{**filters, "filterName": "sub"}, applyOnTransformedLogs=True, roleArn=f"arn:aws:iam::{ACCOUNT}:role/sub",
                                         destinationArn=f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/out")
            put("GET /a 200 3.5", "PUT /b 500 7.5", "nothing of the kind")
            # What was logged is as it was; queries and filters that ask for it see what was made of it.
            raw = [e["message"] for e in logs.filter_log_events(logGroupName="web")["events"]]
            self.assertEqual(raw, ["GET /before 200 1", "GET /a 200 3.5", "PUT /b 500 7.5", "nothing of the kind"])

            def ask(text):
                id = logs.start_query(logGroupName="web", startTime=t // 1000 - 10, endTime=t // 1000 + 60, queryString=text)["queryId"]
                self.assertTrue(wait_until(lambda: logs.get_query_results(queryId=id)["status"] == "Complete", limit=60))
                return [{f["field"]: f["value"] for f in row if f["field"] != "@ptr"} for row in logs.get_query_results(queryId=id)["results"]]
            self.assertEqual(ask("filter ispresent(ms) | fields path, ms + 1 as more, from | sort path"),
                             [{"path": "/a", "more": "4.5", "from": "s"}, {"path": "/b", "more": "8.5", "from": "s"}])
            self.assertEqual(ask("stats count(*) as n"), [{"n": "4"}])
            v.restart()
            self.assertEqual(ask("filter verb = 'PUT' | fields code"), [{"code": "500"}])
            cw = v.client("cloudwatch")
            total = lambda name: [d["Sum"] for d in cw.get_metric_statistics(
                Namespace="t", MetricName=name, Period=3600, Statistics=["Sum"], StartTime=now - datetime.timedelta(hours=2), EndTime=now + datetime.timedelta(hours=2))["Datapoints"]]
            self.assertEqual((sum(total("made")), total("raw")), (7.5, []))
            shard = kinesis.describe_stream(StreamName="out")["StreamDescription"]["Shards"][0]["ShardId"]

            def delivered():
                it = kinesis.get_shard_iterator(StreamName="out", ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
                messages = [json.loads(gzip.decompress(r["Data"])) for r in kinesis.get_records(ShardIterator=it)["Records"]]
                return [json.loads(e["message"])["path"] for m in messages if m["messageType"] == "DATA_MESSAGE" for e in m["logEvents"]]
            self.assertTrue(wait_until(lambda: delivered() == ["/b"], limit=60), delivered())
            logs.delete_transformer(logGroupIdentifier="web")
            self.assertNotIn("transformerConfig", logs.get_transformer(logGroupIdentifier="web"))
            self.assertEqual(code_of(logs.delete_transformer, logGroupIdentifier="web"), "ResourceNotFoundException")
            put("GET /after 200 9")
            self.assertEqual(len(ask("filter ispresent(ms)")), 2)
            # Retention takes what was made with what was logged.
            logs.put_retention_policy(logGroupName="web", retentionInDays=1)
            subprocess.run([BINARY, "clock", "advance", "3d", "--endpoint", v.endpoint], check=True, capture_output=True)
            self.assertEqual(logs.filter_log_events(logGroupName="web")["events"], [])


if __name__ == "__main__":
    unittest.main()
