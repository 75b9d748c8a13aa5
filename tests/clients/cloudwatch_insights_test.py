"""Metrics Insights through boto3: SELECT in GetMetricData, within metric math, and in alarms."""
import datetime
import json
import subprocess
import unittest

from botocore.exceptions import ClientError

from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)


def error_of(call, *args, **kw):
    try:
        call(*args, **kw)
    except ClientError as e:
        return e.response["Error"]["Code"], e.response["Error"]["Message"]
    return None, None


class Select(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)
        cls.cw = cls.v.client("cloudwatch")
        now = datetime.datetime.fromisoformat(json.loads(cls.v.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))
        cls.at = now.replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=2)
        data = []
        for i, (host, kind) in enumerate([("h1", "web"), ("h2", "web"), ("h3", "db")]):
            for minute in range(3):
                data.append(cls.point("load", (i + 1) * 10 + minute, minute, Host=host, Kind=kind))
        data.append(cls.point("load", 1000, 0, Host="h1"))
        data.append(cls.point("load", 500, 0))
        data.append(cls.point("odd name", 7, 0, **{"a b": "it's"}))
        cls.cw.put_metric_data(Namespace="Shop/Api", MetricData=data)

    @classmethod
    def point(cls, name, value, minute, **dims):
        return {"MetricName": name, "Value": value, "Timestamp": cls.at + datetime.timedelta(minutes=minute),
                "Dimensions": [{"Name": k, "Value": v} for k, v in dims.items()]}

    def get(self, *queries, period=60, minutes=60):
        queries = [{"Id": "q", "Expression": q, "Period": period} if isinstance(q, str) else q for q in queries]
        return self.cw.get_metric_data(MetricDataQueries=queries, StartTime=self.at, ScanBy="TimestampAscending",
                                       EndTime=self.at + datetime.timedelta(minutes=minutes))["MetricDataResults"]

    def found(self, text, **kw):
        return [(r["Label"], r["Values"]) for r in self.get(text, **kw)]

    def test_clauses(self):
        three = 'FROM SCHEMA("Shop/Api", Host, Kind)'
        for text, expected in {
            f"SELECT AVG(load) {three}": [("load", [20, 21, 22])],
            f"select sum(load) from schema(\"Shop/Api\", Kind, Host) where Kind = 'web'": [("load", [30, 32, 34])],
            f"SELECT COUNT(load) {three} WHERE Kind != 'web' AND Host = 'h3'": [("load", [1, 1, 1])],
            'SELECT MAX(load) FROM "Shop/Api"': [("load", [1000, 31, 32])],
            'SELECT MIN(load) FROM SCHEMA("Shop/Api")': [("load", [500])],
            f"SELECT MAX(load) {three} GROUP BY Kind": [("db", [30, 31, 32]), ("web", [20, 21, 22])],
            f"SELECT MAX(load) {three} GROUP BY Host ORDER BY AVG() DESC LIMIT 2": [("h3", [30, 31, 32]), ("h2", [20, 21, 22])],
            f"SELECT SUM(load) {three} GROUP BY Kind, Host ORDER BY MAX() ASC LIMIT 1": [("web h1", [10, 11, 12])],
            'SELECT SUM("odd name") FROM "Shop/Api" WHERE "a b" = \'it\\\'s\'': [("odd name", [7])],
            f"SELECT SUM(load) {three} WHERE Host = 'none'": [("load", [])],
            f"SELECT SUM(load) {three} WHERE Host = 'none' GROUP BY Host": [],
            'SELECT SUM(load) FROM "Shop/Api" GROUP BY Kind ORDER BY SUM() DESC LIMIT 1': [("Other", [1500])],
            'SELECT SUM(Load) FROM "Shop/Api"': [("Load", [])],
            f"SELECT SUM(load) {three} GROUP BY AWS.AccountId": [("000000000000", [60, 63, 66])],
        }.items():
            with self.subTest(text):
                got = self.found(text)
                self.assertEqual(sorted(got) if "ORDER" not in text else got, expected)
        self.assertEqual(self.found(f"SELECT SUM(load) {three}", period=300), [("load", [189])])
        self.assertEqual(self.found(f"SELECT SUM(load) {three}", period=10), [("load", [60, 63, 66])])  # by the minute at least

    def test_within_math(self):
        q = {"Id": "q", "Expression": 'SELECT SUM(load) FROM SCHEMA("Shop/Api", Host, Kind) GROUP BY Host', "Period": 60, "ReturnData": False}
        self.assertEqual([r["Values"] for r in self.get(q, {"Id": "e", "Expression": "SUM(q) / 2"})], [[30, 31.5, 33]])
        self.assertEqual([r["Values"] for r in self.get(q, {"Id": "e", "Expression": "FIRST(SORT(q, MAX, DESC))"})], [[30, 31, 32]])

    def test_without_what_is_too_old(self):
        before = self.found('SELECT SUM(load) FROM "Shop/Api" GROUP BY Host ORDER BY SUM() DESC')
        advance = lambda by: subprocess.run([BINARY, "clock", "advance", by, "--endpoint", self.v.endpoint], check=True, capture_output=True)
        advance("2h")
        self.assertEqual(self.found('SELECT SUM(load) FROM "Shop/Api" GROUP BY Host ORDER BY SUM() DESC'), before)
        advance("15d")
        self.assertEqual(self.found('SELECT SUM(load) FROM "Shop/Api"', period=3600), [("load", [])])

    def test_refused(self):
        for text in ["SELECT", "SELECT AVG(load)", "SELECT AVG(load) FROM", "SELECT MEAN(load) FROM x", 'SELECT AVG(load) FROM "x', "SELECT AVG() FROM x",
                     "SELECT AVG(load) FROM x WHERE a = b", "SELECT AVG(load) FROM x WHERE a = 'b' OR a = 'c'", "SELECT AVG(load) FROM x LIMIT 501",
                     "SELECT AVG(load) FROM x LIMIT 0", "SELECT AVG(load) FROM x GROUP Host", "SELECT AVG(load) FROM x ORDER BY Host",
                     "SELECT AVG(load) FROM SCHEMA()", "SELECT AVG(load) FROM x trailing"]:
            with self.subTest(text):
                self.assertEqual(error_of(self.get, text)[0], "ValidationError")
        good = "SELECT AVG(load) FROM x"
        self.assertIn("Period", error_of(self.get, {"Id": "q", "Expression": good})[1])
        two = [{"Id": i, "Expression": good, "Period": 60} for i in ("a", "b")]
        self.assertEqual(error_of(self.get, *two)[0], "ValidationError")


class Alarm(unittest.TestCase):
    def test_alarm(self):
        with Virga() as v:
            cw = v.client("cloudwatch")
            put = lambda **hosts: cw.put_metric_data(Namespace="fleet", MetricData=[
                {"MetricName": "cpu", "Value": x, "Dimensions": [{"Name": "Host", "Value": h}]} for h, x in hosts.items()])
            advance = lambda by: subprocess.run([BINARY, "clock", "advance", by, "--endpoint", v.endpoint], check=True, capture_output=True)
            query = lambda text: [{"Id": "q", "Expression": text, "Period": 60, "ReturnData": True}]
            alarm = lambda text: cw.put_metric_alarm(AlarmName="fleet", Metrics=query(text), Threshold=50, EvaluationPeriods=1,
                                                     ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching")
            alarm("SELECT AVG(cpu) FROM SCHEMA(fleet, Host)")
            state = lambda: cw.describe_alarms(AlarmNames=["fleet"])["MetricAlarms"][0]["StateValue"]
            put(a=10, b=20)
            advance("61s")
            self.assertEqual(state(), "OK")
            put(a=90, b=80, c=40)  # a metric that was not there when the alarm was made
            advance("61s")
            self.assertEqual(state(), "ALARM")
            self.assertEqual(cw.describe_alarms(AlarmNames=["fleet"])["MetricAlarms"][0]["Metrics"], query("SELECT AVG(cpu) FROM SCHEMA(fleet, Host)"))
            self.assertEqual(error_of(alarm, "SELECT AVG(cpu) FROM SCHEMA(fleet, Host) GROUP BY Host")[0], "NotImplemented")
            self.assertEqual(error_of(alarm, "SELECT AVG(cpu FROM x")[0], "ValidationError")


if __name__ == "__main__":
    unittest.main()
