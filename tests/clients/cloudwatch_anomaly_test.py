"""Anomaly detection: bands that follow the hours of a day, detectors that leave times out, and alarms on bands."""
import datetime
import json
import subprocess
import unittest


from virga import BINARY, Refusals, Virga, wait_until

DAY, NIGHT = 100, 20


class Bands(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)
        cls.cw = cls.v.client("cloudwatch")

    def now(self):
        at = datetime.datetime.fromisoformat(json.loads(self.v.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))
        return at.replace(second=0, microsecond=0)

    def put(self, name, points):
        points = list(points)
        for i in range(0, len(points), 500):
            self.cw.put_metric_data(Namespace="N", MetricData=[{"MetricName": name, "Timestamp": t, "Value": v} for t, v in points[i:i + 500]])

    def usual(self, hour, i):
        return (DAY if 8 <= hour < 20 else NIGHT) + (i * 7919 % 11 - 5) * 0.4

    def fill(self, name, hours, step=30):
        """Busy by day, quiet by night, with a little noise: until now."""
        end = self.now()
        times = [end - datetime.timedelta(minutes=step * i) for i in range(hours * 60 // step, 0, -1)]
        self.put(name, ((t, self.usual(t.hour, i)) for i, t in enumerate(times)))
        return end

    def band(self, name, start, end, width=2, period=1800, **kw):
        got = self.cw.get_metric_data(ScanBy="TimestampAscending", StartTime=start, EndTime=end, MetricDataQueries=[
            {"Id": "m1", "MetricStat": {"Metric": {"Namespace": "N", "MetricName": name}, "Period": period, "Stat": "Average"}, "ReturnData": False},
            {"Id": "ad1", "Expression": f"ANOMALY_DETECTION_BAND(m1, {width})"}])["MetricDataResults"]
        self.assertEqual([r["Id"] for r in got], ["ad1", "ad1"])
        upper, lower = ({t.astimezone(datetime.timezone.utc): v for t, v in zip(r["Timestamps"], r["Values"])} for r in got)
        return {t: (lower[t], upper[t]) for t in upper}

    def test_hours_of_the_day(self):
        end = self.fill("daily", 4 * 24)
        band = self.band("daily", end - datetime.timedelta(days=1), end)
        self.assertEqual(len(band), 48)
        for t, (low, high) in band.items():
            usual = DAY if 8 <= t.hour < 20 else NIGHT
            self.assertTrue(low < usual < high, (t, low, high))
            self.assertLess(high - low, 20, t)  # day and night are told apart
        wide = self.band("daily", end - datetime.timedelta(hours=2), end, 6)
        for t, (low, high) in wide.items():
            self.assertAlmostEqual((high - low) / (band[t][1] - band[t][0]), 3, 5)
        # Nothing is expected of what is not known.
        self.assertEqual(self.band("nobody", end - datetime.timedelta(hours=2), end), {})
        begin = self.band("daily", end - datetime.timedelta(days=5), end - datetime.timedelta(days=3))
        self.assertLess(len(begin), 96 - 24)

    def test_detectors(self):
        end = self.fill("left", 48)
        # A day that was not like the others.
        self.put("left", ((end - datetime.timedelta(hours=h, minutes=15), 900) for h in range(12, 24)))
        at = end - datetime.timedelta(hours=1), end
        before = self.band("left", *at)
        single = {"Namespace": "N", "MetricName": "left", "Stat": "Average"}
        self.cw.put_anomaly_detector(SingleMetricAnomalyDetector=single, Configuration={"ExcludedTimeRanges": [
            {"StartTime": end - datetime.timedelta(hours=24), "EndTime": end - datetime.timedelta(hours=11)}], "MetricTimezone": "Europe/Berlin"})
        after = self.band("left", *at)
        for t in before:
            self.assertLess(after[t][1] - after[t][0], before[t][1] - before[t][0] + 1e-9)
        (d,) = self.cw.describe_anomaly_detectors(Namespace="N", MetricName="left")["AnomalyDetectors"]
        self.assertEqual((d["Stat"], d["StateValue"], d["SingleMetricAnomalyDetector"]["MetricName"], d["Configuration"]["MetricTimezone"]),
                         ("Average", "TRAINED", "left", "Europe/Berlin"))
        self.cw.put_anomaly_detector(Namespace="N", MetricName="new", Stat="p90")
        (d,) = self.cw.describe_anomaly_detectors(MetricName="new")["AnomalyDetectors"]
        self.assertEqual((d["StateValue"], d["Stat"]), ("TRAINED_INSUFFICIENT_DATA", "p90"))
        self.v.restart()
        self.cw.delete_anomaly_detector(Namespace="N", MetricName="new", Stat="p90")
        self.refused("ResourceNotFoundException", self.cw.delete_anomaly_detector, Namespace="N", MetricName="new", Stat="p90")
        self.refused("InvalidParameterValue", self.cw.put_anomaly_detector, Namespace="N", MetricName="new", Stat="Most")
        self.refused("InvalidParameterValue", self.cw.put_anomaly_detector, Namespace="N", MetricName="new", Stat="Sum",
                     Configuration={"MetricTimezone": "Nowhere"})
        self.refused("MissingParameter", self.cw.put_anomaly_detector, Namespace="N", MetricName="new")

    def alarm(self, name, metric, op, **kw):
        self.cw.put_metric_alarm(AlarmName=name, ComparisonOperator=op, EvaluationPeriods=1, **{"ThresholdMetricId": "ad1", "Metrics": [
            {"Id": "m1", "MetricStat": {"Metric": {"Namespace": "N", "MetricName": metric}, "Period": 60, "Stat": "Average"}, "ReturnData": True},
            {"Id": "ad1", "Expression": "ANOMALY_DETECTION_BAND(m1, 3)", "ReturnData": True}], **kw})

    def state(self, name):
        a = self.cw.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
        return a["StateValue"], a["StateReason"], json.loads(a.get("StateReasonData") or "{}")

    def test_alarms(self):
        end = self.now()
        self.put("load", ((end - datetime.timedelta(minutes=i), 50 + i % 3) for i in range(240, 1, -1)))
        for name, op in (("either", "LessThanLowerOrGreaterThanUpperThreshold"), ("high", "GreaterThanUpperThreshold"),
                         ("low", "LessThanLowerThreshold")):
            self.alarm(name, "load", op)
        self.assertTrue(wait_until(lambda: all(self.state(n)[0] == "OK" for n in ("either", "high", "low")), 60), self.state("either"))
        self.assertEqual(self.cw.describe_anomaly_detectors(MetricName="load")["AnomalyDetectors"][0]["Stat"], "Average")

        def jump():
            subprocess.run([BINARY, "clock", "advance", "60s", "--endpoint", self.v.endpoint], check=True, capture_output=True)
            self.put("load", [(self.now() - datetime.timedelta(minutes=1), 90)])
            return self.state("either")[0] == "ALARM" and self.state("high")[0] == "ALARM"
        self.assertTrue(wait_until(jump, 60, 0.3))
        self.assertNotEqual(self.state("low")[0], "ALARM")
        _, reason, data = self.state("high")
        self.assertRegex(reason, r"^Thresholds Crossed: 1 out of the last 1 datapoints \[90\.0 \(.*\)\] was greater than the upper thresholds \[[0-9.]+\] "
                                 r"\(minimum 1 datapoint for OK -> ALARM transition\)\.$")
        self.assertTrue(data["recentLowerThresholds"][-1] < 52 < data["recentUpperThresholds"][-1] < 90, data)
        self.refused("ValidationError", self.alarm, name="x", metric="load", op="GreaterThanThreshold", Threshold=3)
        self.refused("ValidationError", self.alarm, name="x", metric="load", op="GreaterThanUpperThreshold", Threshold=3)
        self.refused("ValidationError", self.alarm, name="x", metric="load", op="GreaterThanUpperThreshold", ThresholdMetricId="m1")
        self.refused("ValidationError", self.alarm, name="x", metric="load", op="GreaterThanUpperThreshold", ThresholdMetricId="none")


if __name__ == "__main__":
    unittest.main()
