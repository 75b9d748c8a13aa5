"""Metrics of real instances, and what alarms on them do: a busy processor is seen, and stops its instance."""
import datetime
import json
import os
import subprocess
import unittest

from ec2_instance_test import Case
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Machines(Case):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2, cls.cw = cls.virga.client("ec2"), cls.virga.client("cloudwatch")
        cls.image = cls.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]

    def until(self, what, limit=120):
        return super().until(what, limit)

    def advance(self, by):
        subprocess.run([BINARY, "clock", "advance", by, "--endpoint", self.virga.endpoint], check=True, capture_output=True)

    def newest(self, i, name, stat):
        now = datetime.datetime.fromisoformat(json.loads(self.virga.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))
        got = self.cw.get_metric_statistics(Namespace="AWS/EC2", MetricName=name, Dimensions=[{"Name": "InstanceId", "Value": i}],
                                            StartTime=now - datetime.timedelta(minutes=3), EndTime=now, Period=60, Statistics=[stat])["Datapoints"]
        return max(got, key=lambda d: d["Timestamp"])[stat] if got else None

    def test_busy_instance_is_stopped(self):
        i = self.run_one(state=None, Monitoring={"Enabled": True},
                         UserData="#!/bin/sh\nfor n in $(seq $(nproc)); do (while :; do :; done) & done\n")
        self.wait(i, "running")
        if "StateReason" in self.describe(i):
            self.skipTest(self.describe(i)["StateReason"]["Message"])
        self.cw.put_metric_alarm(AlarmName="busy", Namespace="AWS/EC2", MetricName="CPUUtilization", Statistic="Maximum", Period=60,
                                 Dimensions=[{"Name": "InstanceId", "Value": i}], EvaluationPeriods=1, Threshold=1,
                                 ComparisonOperator="GreaterThanThreshold", AlarmActions=["arn:aws:automate:us-east-1:ec2:stop"])

        def looked():
            self.advance("61s")
            return (self.newest(i, "CPUUtilization", "Maximum") or 0) > 1
        self.until(looked)
        self.assertEqual(self.newest(i, "StatusCheckFailed", "Maximum"), 0)
        self.assertGreaterEqual(self.newest(i, "NetworkIn", "Sum"), 0)
        self.assertGreater(self.cw.get_metric_statistics(
            Namespace="AWS/EC2", MetricName="EBSReadOps", Dimensions=[{"Name": "InstanceId", "Value": i}], Period=3600, Statistics=["Sum"],
            StartTime=self.launched(i), EndTime=self.launched(i) + datetime.timedelta(hours=3))["Datapoints"][0]["Sum"], 0)
        root = self.describe(i)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        total = lambda name: sum(d["Sum"] for d in self.cw.get_metric_statistics(
            Namespace="AWS/EBS", MetricName=name, Dimensions=[{"Name": "VolumeId", "Value": root}], Period=3600, Statistics=["Sum"],
            StartTime=self.launched(i), EndTime=self.launched(i) + datetime.timedelta(hours=3))["Datapoints"])
        self.assertGreater(total("VolumeReadOps"), 0)

        def stopped():
            self.advance("61s")
            return self.describe(i)["State"]["Name"] in ("stopping", "stopped")
        self.until(stopped)
        told = self.cw.describe_alarm_history(AlarmName="busy", HistoryItemType="Action")["AlarmHistoryItems"]
        self.assertEqual(told[0]["HistorySummary"], "Successfully executed action arn:aws:automate:us-east-1:ec2:stop")

    def test_other_actions(self):
        """An alarm restarts an instance ("recover" starts the same machine anew), and another one ends it."""
        i = self.run_one(state=None)
        self.wait(i, "running")
        if "StateReason" in self.describe(i):
            self.skipTest(self.describe(i)["StateReason"]["Message"])

        def inside(*command):
            return subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, i, "--", *command], capture_output=True).returncode == 0

        def alarm(what):
            self.cw.put_metric_alarm(AlarmName=what, Namespace="Mine", MetricName="Ill", Statistic="Maximum", Period=60,
                                     Dimensions=[{"Name": "InstanceId", "Value": i}], EvaluationPeriods=1, Threshold=1,
                                     ComparisonOperator="GreaterThanThreshold", AlarmActions=[f"arn:aws:automate:us-east-1:ec2:{what}"])
            self.cw.set_alarm_state(AlarmName=what, StateValue="ALARM", StateReason="x")
            told = lambda: self.cw.describe_alarm_history(AlarmName=what, HistoryItemType="Action")["AlarmHistoryItems"]
            self.until(told)
            self.assertEqual(told()[0]["HistorySummary"], f"Successfully executed action arn:aws:automate:us-east-1:ec2:{what}")
        for what in ("reboot", "recover"):
            with self.subTest(what):
                self.until(lambda: inside("touch", "/run/marker"))  # of memory: gone with the machine's end
                alarm(what)
                self.until(lambda: inside("test", "!", "-e", "/run/marker"))
                self.assertEqual(self.describe(i)["State"]["Name"], "running")
        alarm("terminate")
        self.wait(i, "terminated")

    def launched(self, i):
        return self.describe(i)["LaunchTime"].replace(minute=0, second=0)


if __name__ == "__main__":
    unittest.main()
