"""Alarm mute rules through boto3: windows once and again, what they keep quiet and what follows them, lists, tags, refusals."""
import datetime
import json
import subprocess
import unittest


from virga import BINARY, Virga, code_of, wait_until

NEEDS_BOTO3 = (1, 43)
ACCOUNT = "000000000000"


class Mute(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)
        cls.cw, cls.sns, cls.sqs = (cls.v.client(s) for s in ("cloudwatch", "sns", "sqs"))

    def advance(self, by):
        subprocess.run([BINARY, "clock", "advance", by, "--endpoint", self.v.endpoint], check=True, capture_output=True)

    def now(self):
        return datetime.datetime.fromisoformat(json.loads(self.v.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))

    def topic(self, name):
        topic = self.sns.create_topic(Name=name)["TopicArn"]
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}]}
        url = self.sqs.create_queue(QueueName=name, Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return topic, url

    def told(self, url):
        got = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for m in got:
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
        return [(n["AlarmName"], n["OldStateValue"], n["NewStateValue"]) for n in (json.loads(json.loads(m["Body"])["Message"]) for m in got)]

    def hears(self, url, what):
        self.assertTrue(wait_until(lambda: what in self.told(url), limit=30), what)

    def put(self, name, value):
        self.cw.put_metric_data(Namespace="mute", MetricData=[{"MetricName": name, "Value": value}])
        self.advance("61s")

    def state(self, name):
        return (lambda r: (r["MetricAlarms"] + r["CompositeAlarms"])[0]["StateValue"])(
            self.cw.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]))

    def alarm(self, name, topic):
        self.cw.put_metric_alarm(AlarmName=name, Namespace="mute", MetricName=name, Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=10,
                                 ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore", AlarmActions=[topic], OKActions=[topic])

    def mute(self, name, expression, duration, *alarms, zone=None, **kw):
        schedule = {"Expression": expression, "Duration": duration, **({"Timezone": zone} if zone else {})}
        self.cw.put_alarm_mute_rule(Name=name, Rule={"Schedule": schedule}, MuteTargets={"AlarmNames": list(alarms)}, **kw)

    def status(self, name):
        return self.cw.get_alarm_mute_rule(AlarmMuteRuleName=name)["Status"]

    def test_a_window_once(self):
        topic, url = self.topic("once")
        self.alarm("once", topic)
        self.cw.put_composite_alarm(AlarmName="above", AlarmRule="ALARM(once)", AlarmActions=[topic])
        self.mute("window", f"at({self.now().replace(second=0).strftime('%Y-%m-%dT%H:%M')})", "PT1H", "once", "above")
        self.assertEqual(self.status("window"), "ACTIVE")
        self.put("once", 50)
        self.assertEqual((self.state("once"), self.state("above")), ("ALARM", "ALARM"))
        self.assertEqual(self.told(url), [])
        history = self.cw.describe_alarm_history(AlarmName="once", HistoryItemType="Action")["AlarmHistoryItems"]
        self.assertIn("window", history[0]["HistorySummary"])
        self.v.restart()
        self.advance("61m")
        self.assertEqual(self.status("window"), "EXPIRED")
        # Still in that state: what was kept quiet is told after the window, once for each.
        heard = []
        self.assertTrue(wait_until(lambda: heard.extend(self.told(url)) or {h[0] for h in heard} == {"once", "above"}, limit=30), heard)
        self.assertEqual({(name, new) for name, _, new in heard}, {("once", "ALARM"), ("above", "ALARM")})
        self.assertIn(("once", "INSUFFICIENT_DATA", "ALARM"), heard)
        self.put("once", 1)
        self.hears(url, ("once", "ALARM", "OK"))

    def test_a_state_that_passes_within_the_window_is_not_told(self):
        topic, url = self.topic("passing")
        self.alarm("passing", topic)
        self.put("passing", 1)
        self.hears(url, ("passing", "INSUFFICIENT_DATA", "OK"))
        self.mute("passing", "cron(* * * * *)", "PT5M", "passing")
        self.put("passing", 50)
        self.assertEqual(self.state("passing"), "ALARM")
        self.cw.delete_alarm_mute_rule(AlarmMuteRuleName="passing")
        self.put("passing", 2)  # the rule is gone: what follows is told, and what was is not
        self.hears(url, ("passing", "ALARM", "OK"))
        self.assertEqual(code_of(self.cw.get_alarm_mute_rule, AlarmMuteRuleName="passing"), "ResourceNotFoundException")

    def test_windows_that_come_again(self):
        at = self.now().replace(minute=30) + datetime.timedelta(hours=2)
        self.mute("nightly", f"cron({at.minute} {at.hour} * * *)", "PT1H", "x", StartDate=at - datetime.timedelta(hours=1), ExpireDate=at + datetime.timedelta(days=3))
        self.mute("berlin", "cron(0 0 1 1 *)", "P1DT1H30M", "y", zone="Europe/Berlin", Description="new year", Tags=[{"Key": "a", "Value": "b"}])
        self.assertEqual(self.status("nightly"), "SCHEDULED")
        until = lambda t: self.advance(f"{max(1, int((t - self.now()).total_seconds()))}s")
        until(at + datetime.timedelta(minutes=5))
        self.assertEqual(self.status("nightly"), "ACTIVE")
        until(at + datetime.timedelta(minutes=65))
        self.assertEqual(self.status("nightly"), "SCHEDULED")
        until(at + datetime.timedelta(days=1, minutes=5))
        self.assertEqual(self.status("nightly"), "ACTIVE")
        arns = lambda **kw: [r["AlarmMuteRuleArn"].rsplit(":", 1)[1] for r in self.cw.list_alarm_mute_rules(**kw)["AlarmMuteRuleSummaries"]]
        self.assertIn("nightly", arns(Statuses=["ACTIVE"]))
        self.assertEqual((arns(AlarmName="y"), arns(AlarmName="none")), (["berlin"], []))
        until(at + datetime.timedelta(days=4))
        self.assertEqual(self.status("nightly"), "EXPIRED")
        got = self.cw.get_alarm_mute_rule(AlarmMuteRuleName="berlin")
        self.assertEqual((got["Rule"]["Schedule"], got["MuteTargets"], got["Description"]), (
            {"Expression": "cron(0 0 1 1 *)", "Duration": "P1DT1H30M", "Timezone": "Europe/Berlin"}, {"AlarmNames": ["y"]}, "new year"))
        arn = got["AlarmMuteRuleArn"]
        self.assertEqual(arn, f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm-mute-rule:berlin")
        self.cw.tag_resource(ResourceARN=arn, Tags=[{"Key": "c", "Value": "d"}])
        self.cw.untag_resource(ResourceARN=arn, TagKeys=["a"])
        self.assertEqual(self.cw.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "c", "Value": "d"}])
        page = self.cw.list_alarm_mute_rules(MaxRecords=1)
        self.assertEqual(len(page["AlarmMuteRuleSummaries"]), 1)
        self.assertNotEqual(self.cw.list_alarm_mute_rules(MaxRecords=1, NextToken=page["NextToken"])["AlarmMuteRuleSummaries"], page["AlarmMuteRuleSummaries"])

    def test_refused(self):
        for expression, duration, zone in [("cron(* *)", "PT1H", None), ("rate(1 hour)", "PT1H", None), ("at(tomorrow)", "PT1H", None), ("cron(0 2 * * *)", "1h", None),
                                           ("cron(0 2 * * *)", "PT0M", None), ("cron(0 2 * * *)", "P16D", None), ("cron(0 2 * * *)", "PT1H", "Mars/Base")]:
            with self.subTest((expression, duration, zone)):
                self.assertEqual(code_of(self.mute, "bad", expression, duration, "x", zone=zone), "ValidationError")
        now = self.now()
        self.assertEqual(code_of(self.mute, "bad", "cron(0 2 * * *)", "PT1H", "x", StartDate=now, ExpireDate=now - datetime.timedelta(days=1)), "ValidationError")
        self.assertEqual(code_of(self.cw.get_alarm_mute_rule, AlarmMuteRuleName="bad"), "ResourceNotFoundException")


if __name__ == "__main__":
    unittest.main()
