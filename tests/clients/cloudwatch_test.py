"""CloudWatch through boto3: data in all its forms and protocols, what comes back of it, retention on the virtual clock, alarms and
what they do."""
import datetime
import gzip
import json
import subprocess
import unittest

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from botocore.exceptions import ClientError

from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)
ACCOUNT = "000000000000"
UTC = datetime.timezone.utc


def code_of(call, *args, **kw):
    try:
        call(*args, **kw)
    except ClientError as e:
        return e.response["Error"]["Code"]
    return None


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)
        cls.cw = cls.v.client("cloudwatch")

    @classmethod
    def advance(cls, by):
        subprocess.run([BINARY, "clock", "advance", by, "--endpoint", cls.v.endpoint], check=True, capture_output=True)

    @classmethod
    def now(cls):
        out = json.loads(cls.v.get("/_virga/clock")[2])
        return datetime.datetime.fromisoformat(out["time"].replace("Z", "+00:00"))

    def stats(self, space, name, start, end, period=60, stats=("SampleCount", "Sum", "Minimum", "Maximum", "Average"), **kw):
        got = self.cw.get_metric_statistics(Namespace=space, MetricName=name, StartTime=start, EndTime=end, Period=period,
                                            Statistics=list(stats), **kw)["Datapoints"] if stats else \
            self.cw.get_metric_statistics(Namespace=space, MetricName=name, StartTime=start, EndTime=end, Period=period, **kw)["Datapoints"]
        return sorted(got, key=lambda d: d["Timestamp"])


class Data(Case):
    def test_forms(self):
        at = self.now().replace(second=0, microsecond=0) - datetime.timedelta(minutes=5)
        self.cw.put_metric_data(Namespace="forms", MetricData=[
            {"MetricName": "m", "Timestamp": at, "Value": 3, "Unit": "Count"},
            {"MetricName": "m", "Timestamp": at, "Values": [1, 5, 10], "Counts": [2, 1, 7], "Unit": "Count"},
            {"MetricName": "m", "Timestamp": at + datetime.timedelta(minutes=1), "Unit": "Count",
             "StatisticValues": {"SampleCount": 4, "Sum": 40, "Minimum": 1, "Maximum": 30}}])
        got = self.stats("forms", "m", at, at + datetime.timedelta(minutes=5))
        self.assertEqual([(d["SampleCount"], d["Sum"], d["Minimum"], d["Maximum"], d["Unit"]) for d in got],
                         [(11, 80, 1, 10, "Count"), (4, 40, 1, 30, "Count")])
        p = self.stats("forms", "m", at, at + datetime.timedelta(minutes=5), stats=(),
                       ExtendedStatistics=["p50", "p10", "tm90", "TC(2:10)", "PR(:5)", "wm80", "IQM"])
        self.assertEqual(len(p), 2)
        e = p[0]["ExtendedStatistics"]
        self.assertEqual((e["p50"], e["p10"], e["TC(2:10)"]), (10, 1, 9))
        self.assertAlmostEqual(e["PR(:5)"], 400 / 11)
        self.assertNotIn("ExtendedStatistics", p[1])  # a set's values are not known
        self.assertEqual(self.stats("forms", "m", at, at + datetime.timedelta(minutes=5), Unit="Bytes"), [])
        whole = self.stats("forms", "m", at, at + datetime.timedelta(minutes=5), period=300)
        self.assertEqual([(d["SampleCount"], d["Sum"]) for d in whole], [(15, 120)])

    def test_protocols_and_compression(self):
        """CBOR is boto3's own; JSON, query and packed bodies are sent by hand, signed as they are."""
        def send(headers, body, path="/"):
            request = botocore.awsrequest.AWSRequest("POST", self.v.endpoint + path, data=body, headers=headers)
            botocore.auth.SigV4Auth(botocore.credentials.Credentials("test", "test"), "monitoring", "us-east-1").add_auth(request)
            return self.v.get(path, "POST", dict(request.headers), body)

        form = b"Action=PutMetricData&Version=2010-08-01&Namespace=wire&MetricData.member.1.MetricName=m&MetricData.member.1.Value=2" \
               b"&MetricData.member.1.Dimensions.member.1.Name=d&MetricData.member.1.Dimensions.member.1.Value=v"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        self.assertEqual(send(kind, form)[0], 200)
        self.assertEqual(send({**kind, "Content-Encoding": "gzip"}, gzip.compress(form))[0], 200)
        code, _, text = send({**kind, "Content-Encoding": "gzip"}, b"no gzip")
        self.assertEqual(code, 400)
        self.assertIn(b"gzip", text)
        target = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData"}
        body = json.dumps({"Namespace": "wire", "MetricData": [
            {"MetricName": "m", "Value": 3, "Dimensions": [{"Name": "d", "Value": "v"}]}]}).encode()
        self.assertEqual(send(target, body)[0], 200)
        self.assertEqual(send({**target, "Content-Encoding": "gzip"}, gzip.compress(body))[0], 200)
        many = [{"MetricName": "m", "Value": 1, "Dimensions": [{"Name": "d", "Value": "v"}]}] * 1000
        self.cw.put_metric_data(Namespace="wire", MetricData=many)  # boto3 packs what is larger than 10 KiB
        now = self.now()
        got = self.stats("wire", "m", now - datetime.timedelta(minutes=10), now + datetime.timedelta(minutes=10), period=3600,
                         Dimensions=[{"Name": "d", "Value": "v"}])
        self.assertEqual(sum(d["Sum"] for d in got), 2 + 2 + 3 + 3 + 1000)

    def test_refused(self):
        put = lambda **d: code_of(self.cw.put_metric_data, Namespace="bad", MetricData=[{"MetricName": "m", **d}])
        now = self.now()
        self.assertEqual(put(), "InvalidParameterCombination")
        self.assertEqual(put(Value=1, Values=[1]), "InvalidParameterCombination")
        self.assertEqual(put(Value=float("nan")), "InvalidParameterValue")
        self.assertEqual(put(Value=1e200), "InvalidParameterValue")
        self.assertEqual(put(Values=[1, 2], Counts=[1]), "InvalidParameterValue")
        self.assertEqual(put(Values=list(range(151))), "InvalidParameterValue")
        self.assertEqual(put(Value=1, Timestamp=now - datetime.timedelta(days=15)), "InvalidParameterValue")
        self.assertEqual(put(Value=1, Timestamp=now + datetime.timedelta(hours=3)), "InvalidParameterValue")
        self.assertEqual(put(Value=1, StorageResolution=30), "InvalidParameterValue")
        self.assertEqual(put(Value=1, Dimensions=[{"Name": "a", "Value": "1"}, {"Name": "a", "Value": "2"}]), "InvalidParameterValue")
        self.assertEqual(put(Value=1, Dimensions=[{"Name": f"d{i}", "Value": "1"} for i in range(31)]), "ValidationException")
        self.assertEqual(code_of(self.cw.put_metric_data, Namespace="AWS/EC2", MetricData=[{"MetricName": "m", "Value": 1}]),
                         "InvalidParameterValue")
        self.assertEqual(self.cw.list_metrics(Namespace="bad")["Metrics"], [])
        get = lambda **kw: code_of(self.cw.get_metric_statistics, **{**dict(
            Namespace="n", MetricName="m", StartTime=now - datetime.timedelta(hours=1), EndTime=now, Period=60,
            Statistics=["Sum"]), **kw})
        self.assertEqual(get(Period=45), "InvalidParameterValue")
        self.assertEqual(get(EndTime=now - datetime.timedelta(hours=2)), "InvalidParameterCombination")
        self.assertEqual(get(StartTime=now - datetime.timedelta(days=3)), "InvalidParameterCombination")
        self.assertEqual(get(ExtendedStatistics=["p101"]), "InvalidParameterValue")

    def test_list(self):
        for i in range(510):
            if i % 255 == 0:
                self.cw.put_metric_data(Namespace="many", MetricData=[
                    {"MetricName": f"m{k % 3}", "Value": 1, "Dimensions": [{"Name": "n", "Value": str(k)}]} for k in range(i, i + 255)])
        pages = list(self.cw.get_paginator("list_metrics").paginate(Namespace="many"))
        self.assertEqual([len(p["Metrics"]) for p in pages], [500, 10])
        self.assertEqual(len({json.dumps(m, sort_keys=True) for p in pages for m in p["Metrics"]}), 510)
        self.assertEqual(len(self.cw.list_metrics(Namespace="many", MetricName="m1")["Metrics"]), 170)
        one = self.cw.list_metrics(Dimensions=[{"Name": "n", "Value": "7"}])["Metrics"]
        self.assertEqual(one, [{"Namespace": "many", "MetricName": "m1", "Dimensions": [{"Name": "n", "Value": "7"}]}])
        self.assertEqual(code_of(self.cw.list_metrics, NextToken="%"), "InvalidParameterValue")


class Retention(Case):
    def test_tiers_survive_joining_and_crash(self):
        start = self.now().replace(minute=0, second=0, microsecond=0)
        data = [{"MetricName": "m", "Timestamp": start - datetime.timedelta(minutes=i), "Value": i} for i in range(1, 181)]
        self.cw.put_metric_data(Namespace="r", MetricData=data)
        self.cw.put_metric_data(Namespace="r", MetricData=[
            {"MetricName": "h", "Timestamp": start - datetime.timedelta(seconds=i), "Value": i, "StorageResolution": 1} for i in range(1, 61)])
        back = lambda **kw: start - datetime.timedelta(**kw)
        before = self.stats("r", "m", back(hours=3), start)
        self.assertEqual([d["Sum"] for d in before], list(range(180, 0, -1)))
        seconds = self.stats("r", "h", back(minutes=1), start, period=10)
        self.assertEqual([d["SampleCount"] for d in seconds], [10] * 6)
        hours = self.stats("r", "m", back(hours=3), start, period=3600, stats=(), ExtendedStatistics=["p50", "p90"])
        self.advance("2h")  # joins what is older than this hour
        self.v.restart()
        self.assertEqual(self.stats("r", "m", back(hours=3), start), before)
        self.assertEqual(self.stats("r", "h", back(minutes=1), start, period=10), seconds)
        self.assertEqual(self.stats("r", "m", back(hours=3), start, period=3600, stats=(), ExtendedStatistics=["p50", "p90"]), hours)
        self.assertEqual([d["Sum"] for d in self.stats("r", "m", back(hours=3), start, period=300)][:2], [180 + 179 + 178 + 177 + 176, 175 + 174 + 173 + 172 + 171])
        # Late points are joined to what is there.
        self.cw.put_metric_data(Namespace="r", MetricData=[{"MetricName": "m", "Timestamp": back(minutes=1), "Value": 100}])
        self.assertEqual(self.stats("r", "m", back(minutes=1), start)[0]["Sum"], 101)
        self.advance("2h")
        self.assertEqual(self.stats("r", "m", back(minutes=1), start)[0]["Sum"], 101)
        # Three hours for seconds, 15 days for minutes, 63 days for five, 455 for hours.
        self.assertEqual(self.stats("r", "h", back(minutes=1), start, period=10), [])
        self.assertEqual(len(self.stats("r", "h", back(minutes=1), start)), 1)
        self.advance("16d")
        self.assertEqual(self.cw.list_metrics(Namespace="r")["Metrics"], [])
        self.assertEqual(self.stats("r", "m", back(hours=3), start), [])
        self.assertEqual(len(self.stats("r", "m", back(hours=3), start, period=300)), 36)
        self.advance("50d")
        self.assertEqual(self.stats("r", "m", back(hours=3), start, period=300), [])
        self.assertEqual(sum(d["Sum"] for d in self.stats("r", "m", back(hours=3), start, period=3600)), 180 * 181 / 2 + 100)
        self.advance("400d")
        self.assertEqual(self.stats("r", "m", back(hours=3), start, period=3600), [])


if __name__ == "__main__":
    unittest.main()
