"""Insights queries through boto3: functions of JSON, addresses and strings; unnest, pattern, filterIndex; results by pages."""
import datetime
import json
import unittest


from virga import Virga, code_of, wait_until

NEEDS_BOTO3 = (1, 40)


class Insights(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)
        cls.logs = cls.v.client("logs")
        now = datetime.datetime.fromisoformat(json.loads(cls.v.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))
        cls.t = int(now.timestamp()) * 1000 - 600000

    def group(self, name, *messages):
        self.logs.create_log_group(logGroupName=name)
        self.logs.create_log_stream(logGroupName=name, logStreamName="s")
        self.logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=[
            {"timestamp": self.t + i, "message": m if isinstance(m, str) else json.dumps(m)} for i, m in enumerate(messages)])
        return name

    def start(self, group, text, **kw):
        return self.logs.start_query(**{"logGroupName": group, "startTime": self.t // 1000, "endTime": self.t // 1000 + 60, "queryString": text, **kw})["queryId"]

    def ask(self, group, text, **kw):
        id = self.start(group, text, **kw)
        self.assertTrue(wait_until(lambda: self.logs.get_query_results(queryId=id)["status"] == "Complete", limit=60), text)
        return [{f["field"]: f["value"] for f in row if f["field"] != "@ptr"} for row in self.logs.get_query_results(queryId=id)["results"]]

    def test_functions(self):
        g = self.group("functions", 'request {"user":{"first name":"Ann"},"ids":[7,{"x":8}]} done',
                       {"ip": "10.1.2.3", "six": "2001:db8::1", "bad": "10.1.2", "body": '{"a":{"b":[1,2]}}', "padded": "xxhixx", "list": [{"n": 1}, {"n": 2}]})
        last = "filter ispresent(ip) | fields "
        for text, want in {
            "parse @message 'request * done' as text | filter ispresent(text) | fields jsonParse(text) as j | display j.user['first name'], j.ids[0], j.ids[1].x":
                {"j.user['first name']": "Ann", "j.ids[0]": "7", "j.ids[1].x": "8"},
            last + "jsonParse(body) as j | display j.a.b[1] , list[0].n": {"j.a.b[1]": "2", "list[0].n": "1"},
            last + "jsonStringify(jsonParse(body)) as s | display s": {"s": '{"a":{"b":[1,2]}}'},
            last + "isValidIp(ip) as a, isValidIpv4(six) as b, isValidIpv6(six) as c, isValidIp(bad) as d": {"a": "1", "b": "0", "c": "1", "d": "0"},
            last + "isIpInSubnet(ip, '10.1.0.0/16') as a, isIpv4InSubnet(ip, '10.2.0.0/16') as b, isIpv6InSubnet(six, '2001:db8::/32') as c, isIpv4InSubnet(six, '2001:db8::/32') as d":
                {"a": "1", "b": "0", "c": "1", "d": "0"},
            last + "trim(padded, 'x') as a, ltrim(padded, 'x') as b, rtrim(padded, 'x') as c": {"a": "hi", "b": "hixx", "c": "xxhi"},
            last + "now() > 1600000000 as a, jsonParse(ip) as b": {"a": "1"},
        }.items():
            with self.subTest(text):
                self.assertEqual(self.ask(g, text), [want])

    def test_unnest(self):
        g = self.group("orders", {"order": 1, "items": [{"name": "a", "n": 2}, {"name": "b", "n": 3}]}, {"order": 2, "items": []}, {"order": 3, "items": "none"},
                       {"order": 4, "items": [{"name": "a", "n": 5}]})
        self.assertEqual(self.ask(g, "unnest items into item | stats sum(item.n) as n by item.name | sort item.name"),
                         [{"item.name": "a", "n": "7"}, {"item.name": "b", "n": "3"}])
        self.assertEqual(self.ask(g, "fields jsonParse(@message) as m | unnest m.items into item | filter order = 1 | display order, item.name | sort item.name"),
                         [{"order": "1", "item.name": "a"}, {"order": "1", "item.name": "b"}])

    def test_pattern(self):
        lines = [f"INFO request {i * 7} from 10.0.0.{i} took {i}ms at 2026-01-01T00:00:{i:02}Z" for i in range(30)]
        lines += [f"ERROR cannot reach db-{'abc'[i % 3]} at all: refused" for i in range(9)] + ["started"]
        g = self.group("patterns", *lines)
        got = self.ask(g, "pattern @message")
        self.assertEqual([(r["@sampleCount"], r["@severityLabel"]) for r in got], [("30", "Info"), ("9", "Error"), ("1", "None")])
        self.assertEqual(got[0]["@pattern"], "INFO request <Number-1> from <IP-2> took <Token-3> at <Time-4>")
        self.assertEqual(got[1]["@pattern"], "ERROR cannot reach <Token-1> at all: refused")
        self.assertEqual((got[2]["@pattern"], got[1]["@ratio"]), ("started", "0.225"))
        self.assertEqual([r["@sampleCount"] for r in self.ask(g, "filter @message like 'ERROR' | pattern @message | limit 1")], ["9"])

    def test_pages(self):
        g = self.group("pages", *[{"n": i} for i in range(7)])
        id = self.start(g, "fields n | sort n")
        self.assertTrue(wait_until(lambda: self.logs.get_query_results(queryId=id)["status"] == "Complete", limit=60))
        got, token = [], {}
        while True:
            r = self.logs.get_query_results(queryId=id, maxItems=3, **token)
            got.append([f["value"] for row in r["results"] for f in row if f["field"] == "n"])
            if "nextToken" not in r:
                break
            token = {"nextToken": r["nextToken"]}
        self.assertEqual(got, [["0", "1", "2"], ["3", "4", "5"], ["6"]])
        self.assertEqual(code_of(self.logs.get_query_results, queryId=id, nextToken="bm90aGluZw=="), "InvalidParameterException")

    def test_refused(self):
        g = self.group("refused", "x")
        for bad in ["unnest items", "unnest items into", "pattern", "filterIndex a > 1", "filterIndex", "filterIndex 'a' = 'b'", "fields a[", "fields jsonParse("]:
            with self.subTest(bad):
                self.assertEqual(code_of(self.start, g, bad), "MalformedQueryException")


if __name__ == "__main__":
    unittest.main()
