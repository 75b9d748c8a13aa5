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

from virga import BINARY, Virga, code_of, wait_until

NEEDS_BOTO3 = (1, 40)
ACCOUNT = "000000000000"
UTC = datetime.timezone.utc


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
        self.assertEqual(put(Value=1, Dimensions=[{"Name": f"d{i}", "Value": "1"} for i in range(31)]), "InvalidParameterValue")
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


class Math(Case):
    def setUp(self):
        self.at = self.now().replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=1)

    def put(self, space, name, values, **dims):
        self.cw.put_metric_data(Namespace=space, MetricData=[
            {"MetricName": name, "Timestamp": self.at + datetime.timedelta(minutes=i), "Value": v,
             "Dimensions": [{"Name": k, "Value": d} for k, d in dims.items()]} for i, v in enumerate(values) if v is not None])

    def metric(self, id, space, name, stat="Sum", period=60, hidden=True, **dims):
        return {"Id": id, "ReturnData": not hidden, "MetricStat": {"Period": period, "Stat": stat, "Metric": {
            "Namespace": space, "MetricName": name, "Dimensions": [{"Name": k, "Value": d} for k, d in dims.items()]}}}

    def get(self, *queries, minutes=10, **kw):
        return self.cw.get_metric_data(MetricDataQueries=list(queries), StartTime=self.at, ScanBy="TimestampAscending",
                                       EndTime=self.at + datetime.timedelta(minutes=minutes), **kw)

    def value(self, expression, *metrics, **kw):
        r = self.get({"Id": "e", "Expression": expression}, *metrics, **kw)["MetricDataResults"]
        return [[None if i not in got else got[i] for i in range(10)] for one in r
                for got in [{int((t - self.at).total_seconds()) // 60: v for t, v in zip(one["Timestamps"], one["Values"])}]]

    def test_functions(self):
        self.put("math", "a", [1, 2, None, 4, 5])
        self.put("math", "b", [10, 0, 30, 40, 50])
        m = [self.metric("a", "math", "a"), self.metric("b", "math", "b")]
        n = None
        for expression, expected in {
            "a+b": [11, 2, n, 44, 55], "b/a - 1": [9, -1, n, 9, 9], "a/b": [.1, n, n, .1, .1], "-a^2": [1, 4, n, 16, 25],
            "a*2 > 5 || b == 10": [1, 0, n, 1, 1], "IF(a > 2 AND b > 0, a, 0)": [0, 0, 0, 4, 5] + [0] * 5,
            "FILL(a, 7)": [1, 2, 7, 4, 5] + [7] * 5, "FILL(a, REPEAT)": [1, 2, 2, 4, 5] + [5] * 5,
            "FILL(a, LINEAR)": [1, 2, 3, 4, 5], "SUM([a, b])": [11, 2, 30, 44, 55], "MAX([a, b])": [10, 2, 30, 40, 50],
            "AVG(METRICS())": [5.5, 1, 30, 22, 27.5], "a / MAX(a)": [.2, .4, n, .8, 1], "a - AVG(a)": [-2, -1, n, 1, 2],
            "RUNNING_SUM(a)": [1, 3, n, 7, 12], "DIFF(a)": [n, 1, n, 2, 1], "DIFF_TIME(a)": [n, 60, n, 120, 60],
            "RATE(b)": [n, -10 / 60, .5, 10 / 60, 10 / 60], "ABS(DIFF(b))": [n, 10, 30, 10, 10], "MINUTE(b)": [0, 1, 2, 3, 4],
            "TIME_SERIES(PERIOD(a))": [60] * 10, "DATAPOINT_COUNT([a, b])": [2, 2, 1, 2, 2, 0, 0, 0, 0, 0],
            "CEIL(a / 2) + FLOOR(a / 2)": [1, 2, n, 4, 5], "LOG10(b)": [1, n, 1.4771212547196624, 1.6020599913279623, 1.6989700043360187],
            "FIRST(SORT([a, b], SUM, DESC))": [10, 0, 30, 40, 50], "a * METRIC_COUNT([a, b])": [2, 4, n, 8, 10],
            "STDDEV([a, b])": [4.5, 1, 0, 18, 22.5],
        }.items():
            with self.subTest(expression):
                got = self.value(expression, *m)
                self.assertEqual(len(got), 1)
                want = (expected + [n] * 10)[:10]
                self.assertEqual([v is None for v in got[0]], [v is None for v in want], got)
                for x, y in zip(got[0], want):
                    if y is not None:
                        self.assertAlmostEqual(x, y)
        self.assertEqual(self.value("SLICE(SORT([a, b], MAX, ASC, 2), 1)", *m), [[10, 0, 30, 40, 50] + [n] * 5])
        self.assertEqual(len(self.value("REMOVE_EMPTY([a, b, c])", *m, self.metric("c", "math", "none"))), 2)

    def test_periods_labels_and_pages(self):
        self.put("pages", "m", range(1, 11), host="h1")
        r = self.get({**self.metric("m", "pages", "m", hidden=False, host="h1"), "Label": "${PROP('Dim.host')} max ${MAX} of ${LABEL}"},
                     self.metric("five", "pages", "m", "Average", 300, hidden=False, host="h1"),
                     {"Id": "p", "Expression": "five * 2"}, self.metric("p90", "pages", "m", "p90", 600, hidden=False, host="h1"))
        by = {x["Id"]: x for x in r["MetricDataResults"]}
        self.assertEqual(by["m"]["Label"], "h1 max 10 of m")
        self.assertEqual((by["five"]["Values"], by["p"]["Values"], by["p"]["Label"], by["p90"]["Values"]), ([3, 8], [6, 16], "p", [9]))
        self.assertEqual({x["StatusCode"] for x in by.values()}, {"Complete"})
        got, token = [], None
        while True:
            r = self.get(self.metric("m", "pages", "m", hidden=False, host="h1"), MaxDatapoints=4, **({"NextToken": token} if token else {}))
            got += r["MetricDataResults"][0]["Values"]
            token = r.get("NextToken")
            if not token:
                break
            self.assertEqual(r["MetricDataResults"][0]["StatusCode"], "PartialData")
        self.assertEqual(got, list(range(1, 11)))

    def test_search(self):
        for i in range(3):
            self.put("Shop/Api", "RequestCount", [i + 1], Host=f"web-{i}", Zone="a")
            self.put("Shop/Api", "ErrorCount", [i], Host=f"web-{i}")
        def found(text):
            r = self.get({"Id": "e", "Expression": f"SEARCH('{text}', 'Sum', 60)"})["MetricDataResults"]
            return sorted((x["Label"], sum(x["Values"])) for x in r)
        self.assertEqual(found("{Shop/Api,Host,Zone}"), [("web-0", 1), ("web-1", 2), ("web-2", 3)])
        self.assertEqual(found('{Shop/Api,Host} MetricName="ErrorCount" NOT Host="web-1"'), [("web-0", 0), ("web-2", 2)])
        self.assertEqual([v for _, v in found("Namespace=Shop (request AND web-2) OR error")], [0, 1, 2, 3])
        self.assertEqual(found("{Shop/Api,Zone}"), [])
        r = self.get({"Id": "s", "Expression": "SUM(SEARCH('{Shop/Api,Host,Zone} RequestCount', 'Sum', 60))"})
        self.assertEqual(r["MetricDataResults"][0]["Values"], [6])

    def test_refused(self):
        m = self.metric("m", "x", "x")
        for expression in ["m +", "n + 1", "(m", "NOPE(m)", "1 + 2", "e", "SUM()", "FILL(m)", "[m", "m m", "'x", "SEARCH('{', 'Sum', 60)", "-" * 100 + "m",
                           "(" * 100 + "m" + ")" * 100]:
            with self.subTest(expression):
                self.assertEqual(code_of(self.get, m, {"Id": "e", "Expression": expression}), "ValidationError")
        self.assertEqual(code_of(self.get, m, m), "ValidationError")
        self.assertEqual(code_of(self.get, {"Id": "e", "Expression": "f"}, {"Id": "f", "Expression": "e"}), "ValidationError")
        chain = [{"Id": f"e{i}", "Expression": f"e{i - 1} + e{i - 1}", "ReturnData": i == 60} for i in range(1, 61)]
        self.assertEqual(self.get({"Id": "e0", "Expression": "TIME_SERIES(1)", "ReturnData": False}, *chain)["MetricDataResults"][0]["Values"][0], 2 ** 60)
        self.assertEqual(code_of(self.get, {"Id": "Upper", "Expression": "1"}), "ValidationError")
        self.assertEqual(code_of(self.get, {"Id": "x"}), "ValidationError")
        self.assertEqual(code_of(self.get, self.metric("m", "x", "x", "p200")), "ValidationError")
        self.assertEqual(code_of(self.get, self.metric("m", "x", "x", period=61)), "ValidationError")


class Alarms(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sns, cls.sqs = cls.v.client("sns"), cls.v.client("sqs")

    def topic(self, name):
        """A topic, and a queue that hears it."""
        topic = self.sns.create_topic(Name=name)["TopicArn"]
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}]}
        url = self.sqs.create_queue(QueueName=name, Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return topic, url

    def heard(self, url):
        got = self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10).get("Messages", [])
        self.assertEqual(len(got), 1)
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
        envelope = json.loads(got[0]["Body"])
        return envelope["Subject"], json.loads(envelope["Message"])

    def silent(self, url):
        self.assertEqual(self.sqs.receive_message(QueueUrl=url).get("Messages", []), [])

    def alarm(self, name, **kw):
        base = dict(MetricName=name, Namespace="alarms", Statistic="Average", Period=60, EvaluationPeriods=1, Threshold=10,
                    ComparisonOperator="GreaterThanThreshold")
        if "Metrics" in kw:
            base = {k: v for k, v in base.items() if k in ("EvaluationPeriods", "Threshold", "ComparisonOperator")}
        self.cw.put_metric_alarm(AlarmName=name, **{**base, **kw})

    def put(self, name, *values):
        """One value a minute, up to the minute before this one; then the next minute begins."""
        at = self.now().replace(second=0, microsecond=0) - datetime.timedelta(minutes=len(values) - 1)
        self.cw.put_metric_data(Namespace="alarms", MetricData=[
            {"MetricName": name, "Timestamp": at + datetime.timedelta(minutes=i), "Value": v} for i, v in enumerate(values) if v is not None])
        self.advance("61s")

    def state(self, name):
        got = self.cw.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return (got["MetricAlarms"] + got["CompositeAlarms"])[0]

    def test_life(self):
        topic, url = self.topic("life")
        self.alarm("life", AlarmActions=[topic], OKActions=[topic], AlarmDescription="too much", Tags=[{"Key": "k", "Value": "v"}])
        a = self.state("life")
        self.assertEqual((a["StateValue"], a["StateReason"]), ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation"))
        self.put("life", 50)
        a = self.state("life")
        self.assertEqual(a["StateValue"], "ALARM")
        self.assertRegex(a["StateReason"], r"^Threshold Crossed: 1 out of the last 1 datapoints \[50\.0 \(\d\d/\d\d/\d\d \d\d:\d\d:00\)\] was greater than the "
                                           r"threshold \(10\.0\) \(minimum 1 datapoint for OK -> ALARM transition\)\.$")
        data = json.loads(a["StateReasonData"])
        self.assertEqual((data["recentDatapoints"], data["threshold"], data["evaluatedDatapoints"][0]["value"]), ([50.0], 10.0, 50.0))
        subject, message = self.heard(url)
        self.assertEqual(subject, 'ALARM: "life" in US East (N. Virginia)')
        self.assertEqual((message["NewStateValue"], message["OldStateValue"], message["Trigger"]["Threshold"], message["Trigger"]["Statistic"],
                          message["AlarmDescription"]), ("ALARM", "INSUFFICIENT_DATA", 10, "AVERAGE", "too much"))
        self.v.restart()  # states and jobs are durable
        self.put("life", 5)
        self.assertEqual(self.state("life")["StateValue"], "OK")
        self.assertEqual(self.heard(url)[1]["NewStateValue"], "OK")
        self.advance("10m")
        self.assertEqual(self.state("life")["StateValue"], "INSUFFICIENT_DATA")
        self.silent(url)
        history = self.cw.describe_alarm_history(AlarmName="life")["AlarmHistoryItems"]
        self.assertEqual([(h["HistoryItemType"], h["HistorySummary"]) for h in history], [
            ("StateUpdate", "Alarm updated from OK to INSUFFICIENT_DATA"),
            ("Action", f"Successfully executed action {topic}"), ("StateUpdate", "Alarm updated from ALARM to OK"),
            ("Action", f"Successfully executed action {topic}"), ("StateUpdate", "Alarm updated from INSUFFICIENT_DATA to ALARM"),
            ("ConfigurationUpdate", 'Alarm "life" created')])
        update = json.loads(history[2]["HistoryData"])
        self.assertEqual((update["oldState"]["stateValue"], update["newState"]["stateValue"]), ("ALARM", "OK"))
        # What is disabled does nothing; what is set by hand does, and goes back.
        self.cw.disable_alarm_actions(AlarmNames=["life"])
        self.cw.set_alarm_state(AlarmName="life", StateValue="ALARM", StateReason="trying")
        self.assertEqual(self.state("life")["StateReason"], "trying")
        self.silent(url)
        self.cw.enable_alarm_actions(AlarmNames=["life"])
        self.cw.set_alarm_state(AlarmName="life", StateValue="OK", StateReason="trying")
        self.assertEqual(self.heard(url)[1]["NewStateReason"], "trying")
        self.advance("61s")
        self.assertEqual(self.state("life")["StateValue"], "INSUFFICIENT_DATA")
        arn = a["AlarmArn"]
        self.assertEqual(self.cw.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "k", "Value": "v"}])
        self.cw.tag_resource(ResourceARN=arn, Tags=[{"Key": "k", "Value": "w"}, {"Key": "l", "Value": ""}])
        self.cw.untag_resource(ResourceARN=arn, TagKeys=["k"])
        self.assertEqual(self.cw.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "l", "Value": ""}])
        self.cw.delete_alarms(AlarmNames=["life"])
        self.assertEqual(self.cw.describe_alarms(AlarmNames=["life"])["MetricAlarms"], [])
        self.assertEqual(self.cw.describe_alarm_history(AlarmName="life")["AlarmHistoryItems"][0]["HistorySummary"], 'Alarm "life" deleted')
        self.assertEqual(code_of(self.cw.delete_alarms, AlarmNames=["life"]), "ResourceNotFound")
        self.assertEqual(code_of(self.cw.list_tags_for_resource, ResourceARN=arn), "ResourceNotFoundException")

    def test_m_of_n_missing_math_and_percentiles(self):
        self.alarm("two", EvaluationPeriods=3, DatapointsToAlarm=2)
        self.alarm("quiet", TreatMissingData="notBreaching")
        self.alarm("loud", TreatMissingData="breaching")
        self.cw.put_metric_alarm(AlarmName="p90", MetricName="two", Namespace="alarms", ExtendedStatistic="p90", Period=300, EvaluationPeriods=1,
                                 Threshold=99, ComparisonOperator="GreaterThanOrEqualToThreshold")
        stat = lambda id, name: {"Id": id, "ReturnData": False, "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": {
            "Namespace": "alarms", "MetricName": name}}}
        self.alarm("rate", Metrics=[stat("a", "two"), stat("b", "all"), {"Id": "r", "Expression": "100 * a / b"}],
                   Threshold=50, ComparisonOperator="LessThanOrEqualToThreshold")
        at = self.now().replace(second=0, microsecond=0)
        self.cw.put_metric_data(Namespace="alarms", MetricData=[{"MetricName": "all", "Timestamp": at, "Value": 400}])
        self.put("two", 100, 1, 100)
        self.assertEqual({n: self.state(n)["StateValue"] for n in ("two", "quiet", "loud", "p90", "rate")},
                         {"two": "ALARM", "quiet": "OK", "loud": "ALARM", "p90": "ALARM", "rate": "ALARM"})
        self.assertIn("no datapoints were received for 1 period and 1 missing datapoint was treated as [Breaching]", self.state("loud")["StateReason"])
        self.assertIn("2 out of the last 3 datapoints [100.0 (", self.state("two")["StateReason"])
        names = lambda **kw: [a["AlarmName"] for a in self.cw.describe_alarms(**kw)["MetricAlarms"]]
        self.assertEqual(names(AlarmNamePrefix="q"), ["quiet"])
        self.assertEqual(names(StateValue="OK", AlarmNamePrefix="q"), ["quiet"])
        first = self.cw.describe_alarms(MaxRecords=2)
        self.assertEqual(len(first["MetricAlarms"]), 2)
        self.assertNotIn(first["MetricAlarms"][0]["AlarmName"], names(NextToken=first["NextToken"]))
        for_metric = self.cw.describe_alarms_for_metric(Namespace="alarms", MetricName="two")["MetricAlarms"]
        self.assertEqual({a["AlarmName"] for a in for_metric}, {"two", "p90", "rate"})

    def told_at_once(self, url):
        """The alarms of what has come: SNS may deliver one twice."""
        got = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for m in got:
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
        return [json.loads(json.loads(m["Body"])["Message"])["AlarmName"] for m in got]

    def heard_of(self, url, name):
        self.assertTrue(wait_until(lambda: name in self.told_at_once(url), limit=30), name)

    def test_composite_and_suppression(self):
        topic, url = self.topic("composite")
        for n in ("c1", "c2", "hush"):
            self.alarm(n, TreatMissingData="ignore")  # it stays as it is set
            self.cw.set_alarm_state(AlarmName=n, StateValue="OK", StateReason="test")
        self.cw.put_composite_alarm(AlarmName="both", AlarmRule='ALARM(c1) AND (ALARM("c2") OR NOT OK(c2))', AlarmActions=[topic])
        self.cw.put_composite_alarm(AlarmName="top", AlarmRule="ALARM(both)")
        self.cw.put_composite_alarm(AlarmName="calm", AlarmRule="ALARM(c1)", AlarmActions=[topic], ActionsSuppressor="hush",
                                    ActionsSuppressorWaitPeriod=30, ActionsSuppressorExtensionPeriod=60)
        self.advance("61s")
        states = lambda: [self.state(n)["StateValue"] for n in ("both", "top", "calm")]
        by = lambda: self.state("calm").get("ActionsSuppressedBy")
        until = lambda ask, value: self.assertTrue(wait_until(lambda: ask() == value, limit=30), f"{ask()}, not {value}")
        until(states, ["OK"] * 3)
        set_state = lambda n, s: (self.cw.set_alarm_state(AlarmName=n, StateValue=s, StateReason="test"), self.advance("1s"))
        set_state("hush", "ALARM")
        set_state("c1", "ALARM")
        until(states, ["OK", "OK", "ALARM"])
        until(by, "Alarm")
        set_state("c2", "ALARM")
        self.heard_of(url, "both")
        until(states, ["ALARM"] * 3)
        self.assertNotIn("calm", self.told_at_once(url))
        set_state("hush", "OK")
        until(by, "ExtensionPeriod")
        self.advance("61s")
        self.heard_of(url, "calm")
        until(by, None)
        d = self.cw.describe_alarms(ChildrenOfAlarmName="both")
        self.assertEqual([a["AlarmName"] for a in d["MetricAlarms"]], ["c1", "c2"])
        d = self.cw.describe_alarms(ParentsOfAlarmName="c1")
        self.assertEqual([a["AlarmName"] for a in d["CompositeAlarms"]], ["both", "calm"])
        put = lambda rule: code_of(self.cw.put_composite_alarm, AlarmName="both", AlarmRule=rule)
        for rule in ("ALARM(c1", "ALARM()", "c1", "ALARM(c1) c2", "ALARM(top)", "ALARM(both)", "ALARM(nowhere)", "NOT " * 100 + "TRUE"):
            self.assertEqual(put(rule), "ValidationError", rule)
        self.assertEqual(code_of(self.cw.delete_alarms, AlarmNames=["both", "top"]), "ValidationError")
        self.cw.delete_alarms(AlarmNames=["top"])

    def test_refused(self):
        def put(**kw):
            return code_of(self.alarm, "refused", **kw)
        self.assertEqual(put(EvaluationPeriods=1441), "ValidationError")
        self.assertEqual(put(DatapointsToAlarm=2), "ValidationError")
        self.assertEqual(put(Period=45), "ValidationError")
        self.assertEqual(put(TreatMissingData="maybe"), "ValidationError")
        self.assertEqual(put(AlarmActions=["not an arn"]), "ValidationError")
        self.assertEqual(put(AlarmActions=["arn:aws:automate:us-east-1:ec2:stop"]), "ValidationError")
        self.assertEqual(put(AlarmActions=[f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"]), "NotImplemented")
        self.assertEqual(put(ExtendedStatistic="p99"), "ValidationError")
        self.assertEqual(put(Metrics=[{"Id": "e", "Expression": "m + 1"}]), "ValidationError")
        self.assertEqual(put(ComparisonOperator="GreaterThanUpperThreshold"), "ValidationError")
        self.assertEqual(self.cw.describe_alarms(AlarmNames=["refused"])["MetricAlarms"], [])
        self.assertEqual(code_of(self.cw.set_alarm_state, AlarmName="refused", StateValue="OK", StateReason=""), "ResourceNotFound")
        missing, _ = self.topic("gone")
        self.sns.delete_topic(TopicArn=missing)
        self.alarm("lonely", AlarmActions=[missing, f"arn:aws:autoscaling:us-east-1:{ACCOUNT}:scalingPolicy:x:autoScalingGroupName/g:policyName/p"],
                   TreatMissingData="breaching")
        self.advance("61s")
        told = [h["HistorySummary"] for h in self.cw.describe_alarm_history(AlarmName="lonely", HistoryItemType="Action")["AlarmHistoryItems"]]
        self.assertEqual([t.startswith("Failed to execute action") for t in told], [True, True], told)


class Services(Case):
    """What other services count of what they are asked."""

    def total(self, space, name, stat="Sum", **dims):
        now = self.now()
        got = self.cw.get_metric_statistics(Namespace=space, MetricName=name, StartTime=now - datetime.timedelta(hours=1), EndTime=now,
                                            Period=3600, Statistics=[stat], Dimensions=[{"Name": k, "Value": v} for k, v in dims.items()])["Datapoints"]
        return sum(d[stat] for d in got)

    def test_queues_topics_and_tables(self):
        sqs, sns, ddb = self.v.client("sqs"), self.v.client("sns"), self.v.client("dynamodb")
        url = sqs.create_queue(QueueName="counted")["QueueUrl"]
        for i in range(5):
            sqs.send_message(QueueUrl=url, MessageBody="abc")
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": "x"} for i in range(3)])
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=2)["Messages"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
        topic = sns.create_topic(Name="counted")["TopicArn"]
        sns.publish(TopicArn=topic, Message="hello")
        ddb.create_table(TableName="counted", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                         AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}])
        ddb.get_waiter("table_exists").wait(TableName="counted", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        ddb.put_item(TableName="counted", Item={"k": {"S": "a"}, "v": {"S": "x" * 1500}})
        ddb.get_item(TableName="counted", Key={"k": {"S": "a"}}, ConsistentRead=True)
        self.advance("61s")
        self.assertEqual([self.total("AWS/SQS", n, QueueName="counted") for n in (
            "NumberOfMessagesSent", "SentMessageSize", "NumberOfMessagesReceived", "NumberOfMessagesDeleted")], [8, 15, len(got), 1])
        self.assertEqual(self.total("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", QueueName="counted"), 7)  # all but the deleted one
        self.assertEqual(self.total("AWS/SNS", "NumberOfMessagesPublished", TopicName="counted"), 1)
        self.assertEqual(self.total("AWS/DynamoDB", "ConsumedWriteCapacityUnits", TableName="counted"), 2)
        self.assertEqual(self.total("AWS/DynamoDB", "ConsumedReadCapacityUnits", TableName="counted"), 1)
        self.assertEqual(self.total("AWS/DynamoDB", "SuccessfulRequestLatency", "SampleCount", TableName="counted", Operation="PutItem"), 1)
        # A restart in order loses nothing of what was counted since.
        sqs.send_message(QueueUrl=url, MessageBody="abc")
        self.v.stop()
        self.v.start(self.v.port)
        self.advance("61s")
        self.assertEqual(self.total("AWS/SQS", "NumberOfMessagesSent", QueueName="counted"), 9)


class Dashboards(Case):
    def test_life(self):
        body = json.dumps({"widgets": [{"type": "text", "x": 0, "y": 0, "width": 6, "height": 3, "properties": {"markdown": "hello"}},
                                       {"type": "metric", "properties": {"metrics": [["AWS/SQS", "NumberOfMessagesSent"]]}}]})
        self.assertEqual(self.cw.put_dashboard(DashboardName="one", DashboardBody=body).get("DashboardValidationMessages", []), [])
        self.cw.put_dashboard(DashboardName="other", DashboardBody=json.dumps({"widgets": []}))
        got = self.cw.get_dashboard(DashboardName="one")
        self.assertEqual((got["DashboardBody"], got["DashboardArn"]), (body, f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/one"))
        self.assertEqual([(d["DashboardName"], d["Size"]) for d in self.cw.list_dashboards(DashboardNamePrefix="on")["DashboardEntries"]], [("one", len(body))])
        self.cw.tag_resource(ResourceARN=got["DashboardArn"], Tags=[{"Key": "a", "Value": "b"}])
        self.assertEqual(self.cw.list_tags_for_resource(ResourceARN=got["DashboardArn"])["Tags"], [{"Key": "a", "Value": "b"}])
        bad = self.cw.put_dashboard(DashboardName="w", DashboardBody=json.dumps({"widgets": [{"type": "metric", "properties": {}}]}))
        self.assertEqual(bad["DashboardValidationMessages"][0]["DataPath"], "/widgets/0/properties")
        for body in ("{", "[]", "{}", '{"widgets":[{"type":"nope","properties":{}}]}', '{"widgets":[1]}'):
            self.assertEqual(code_of(self.cw.put_dashboard, DashboardName="bad", DashboardBody=body), "InvalidParameterInput", body)
        self.assertEqual(code_of(self.cw.delete_dashboards, DashboardNames=["one", "none"]), "ResourceNotFound")
        self.cw.delete_dashboards(DashboardNames=["one", "other", "w"])
        self.assertEqual(self.cw.list_dashboards()["DashboardEntries"], [])
        self.assertEqual(code_of(self.cw.get_dashboard, DashboardName="one"), "ResourceNotFound")


if __name__ == "__main__":
    unittest.main()
