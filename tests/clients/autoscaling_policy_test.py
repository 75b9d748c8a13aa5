"""Auto Scaling through boto3, with simulated compute: policies and alarms, schedules, warm pools, instance refreshes, and target
groups; and a group of real machines."""
import base64
import datetime
import json
import os
import subprocess
import unittest

from autoscaling_test import ZONES, Groups
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)


class Scaling(Groups):
    def policy(self, g, name, **kw):
        return self.asg.put_scaling_policy(AutoScalingGroupName=g, PolicyName=name, **kw)["PolicyARN"]

    def test_simple(self):
        g = self.make(min=1, max=10, DesiredCapacity=2, DefaultCooldown=60)
        arn = self.policy(g, "more", AdjustmentType="PercentChangeInCapacity", ScalingAdjustment=10, MinAdjustmentMagnitude=2, Cooldown=100)
        self.assertRegex(arn, rf"^arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:[-0-9a-f]+:autoScalingGroupName/{g}:policyName/more$")
        self.asg.execute_policy(PolicyName=arn)
        self.serving(g, 4)
        self.assertRegex(self.activities(g)[0]["Cause"], r"a user request executed policy more changing the desired capacity from 2 to 4\.")
        self.refused("ScalingActivityInProgress", self.asg.execute_policy, AutoScalingGroupName=g, PolicyName="more", HonorCooldown=True)
        self.advance("101s")
        self.asg.execute_policy(AutoScalingGroupName=g, PolicyName="more", HonorCooldown=True)
        self.serving(g, 6)
        self.policy(g, "less", AdjustmentType="PercentChangeInCapacity", ScalingAdjustment=-25)
        self.asg.execute_policy(AutoScalingGroupName=g, PolicyName="less")  # 1.5 rounds to 1
        self.serving(g, 5)
        self.policy(g, "exact", AdjustmentType="ExactCapacity", ScalingAdjustment=50)
        self.asg.execute_policy(AutoScalingGroupName=g, PolicyName="exact")
        self.serving(g, 10)  # not past the maximum
        found = self.asg.describe_policies(AutoScalingGroupName=g, PolicyNames=["more"])["ScalingPolicies"]
        self.assertEqual([(p["PolicyARN"], p["PolicyType"], p["Enabled"], p["Alarms"]) for p in found], [(arn, "SimpleScaling", True, [])])
        self.assertEqual(self.policy(g, "more", AdjustmentType="ChangeInCapacity", ScalingAdjustment=1), arn)
        self.assertNotIn("MinAdjustmentMagnitude", self.asg.describe_policies(PolicyNames=[arn])["ScalingPolicies"][0])
        self.asg.delete_policy(AutoScalingGroupName=g, PolicyName="more")
        self.refused("ValidationError", self.asg.execute_policy, AutoScalingGroupName=g, PolicyName="more")
        put = self.asg.put_scaling_policy
        self.refused("ValidationError", put, AutoScalingGroupName=g, PolicyName="x", ScalingAdjustment=1)
        self.refused("ValidationError", put, AutoScalingGroupName=g, PolicyName="x", AdjustmentType="Double", ScalingAdjustment=1)
        self.refused("ValidationError", put, AutoScalingGroupName=g, PolicyName="x", PolicyType="Magic")
        self.refused("ValidationError", put, AutoScalingGroupName="nobody", PolicyName="x", AdjustmentType="ChangeInCapacity",
                     ScalingAdjustment=1)

    def test_steps(self):
        g = self.make(min=1, max=12, DesiredCapacity=4, DefaultInstanceWarmup=300)
        self.advance("301s")
        steps = [{"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
                 {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 3}]
        self.policy(g, "up", PolicyType="StepScaling", AdjustmentType="ChangeInCapacity", StepAdjustments=steps)
        self.policy(g, "down", PolicyType="StepScaling", AdjustmentType="ChangeInCapacity", StepAdjustments=[
            {"MetricIntervalUpperBound": 0, "ScalingAdjustment": -2}])

        def run(name, value):
            self.asg.execute_policy(AutoScalingGroupName=g, PolicyName=name, MetricValue=value, BreachThreshold=60)
        run("up", 65)
        self.serving(g, 5)
        run("up", 66)  # the one that warms up is it already
        self.assertEqual(self.group(g)["DesiredCapacity"], 5)
        run("up", 75)
        self.serving(g, 7)
        run("down", 10)  # not while others warm up
        self.assertEqual(self.group(g)["DesiredCapacity"], 7)
        self.advance("301s")
        run("down", 60)
        self.serving(g, 5)
        self.refused("ValidationError", self.asg.execute_policy, AutoScalingGroupName=g, PolicyName="up")
        self.refused("ValidationError", self.asg.put_scaling_policy, AutoScalingGroupName=g, PolicyName="x", PolicyType="StepScaling",
                     AdjustmentType="ChangeInCapacity", StepAdjustments=[steps[0], {**steps[1], "MetricIntervalLowerBound": 5}])

    def test_schedule(self):
        g = self.make(min=0, max=4)
        put = self.asg.put_scheduled_update_group_action
        put(AutoScalingGroupName=g, ScheduledActionName="daily", Recurrence="0 6 * * *", MinSize=1, MaxSize=6, DesiredCapacity=2)
        a = self.asg.describe_scheduled_actions(AutoScalingGroupName=g)["ScheduledUpdateGroupActions"]
        self.assertEqual([(x["ScheduledActionName"], x["Recurrence"], x["DesiredCapacity"], x["StartTime"].hour) for x in a],
                         [("daily", "0 6 * * *", 2, 6)])
        once = a[0]["StartTime"] + datetime.timedelta(hours=2)
        put(AutoScalingGroupName=g, ScheduledActionName="once", StartTime=once, DesiredCapacity=5)
        failed = self.asg.batch_put_scheduled_update_group_action(AutoScalingGroupName=g, ScheduledUpdateGroupActions=[
            {"ScheduledActionName": "evening", "Recurrence": "0 22 * * *", "MinSize": 0, "DesiredCapacity": 0},
            {"ScheduledActionName": "bad", "Recurrence": "0 25 * * *", "MinSize": 0}])["FailedScheduledUpdateGroupActions"]
        self.assertEqual([(f["ScheduledActionName"], f["ErrorCode"]) for f in failed], [("bad", "ValidationError")])
        self.set_time(a[0]["StartTime"] + datetime.timedelta(seconds=1))
        self.serving(g, 2)
        d = self.group(g)
        self.assertEqual((d["MinSize"], d["MaxSize"], d["DesiredCapacity"]), (1, 6, 2))
        self.assertRegex(self.activities(g)[0]["Cause"], r"a scheduled action update of AutoScalingGroup constraints to min: 1, max: 6, "
                                                         r"desired: 2 changing the desired capacity from 0 to 2\.")
        self.set_time(once + datetime.timedelta(seconds=1))
        self.serving(g, 5)
        left = self.asg.describe_scheduled_actions(AutoScalingGroupName=g)["ScheduledUpdateGroupActions"]
        self.assertEqual([x["ScheduledActionName"] for x in left], ["daily", "evening"])
        self.set_time(once + datetime.timedelta(hours=15))
        self.serving(g, 0)
        self.asg.delete_scheduled_action(AutoScalingGroupName=g, ScheduledActionName="daily")
        failed = self.asg.batch_delete_scheduled_action(AutoScalingGroupName=g, ScheduledActionNames=["evening", "daily"])
        self.assertEqual([f["ScheduledActionName"] for f in failed["FailedScheduledActions"]], ["daily"])
        self.refused("ValidationError", put, AutoScalingGroupName=g, ScheduledActionName="x", Recurrence="daily", MinSize=1)
        self.refused("ValidationError", put, AutoScalingGroupName=g, ScheduledActionName="x", StartTime="2020-01-01T00:00:00Z", MinSize=1)
        self.refused("ValidationError", put, AutoScalingGroupName=g, ScheduledActionName="x", Recurrence="0 6 * * *")
        self.refused("ValidationError", put, AutoScalingGroupName=g, ScheduledActionName="x", Recurrence="0 6 * * *", MinSize=3, MaxSize=2)

    def test_schedule_elsewhere(self):
        g = self.make(min=0, max=4)
        put = self.asg.put_scheduled_update_group_action
        next_of = lambda name: self.asg.describe_scheduled_actions(AutoScalingGroupName=g, ScheduledActionNames=[name])[
            "ScheduledUpdateGroupActions"][0]
        for zone, hour in (("Asia/Kolkata", (3, 30)), ("Etc/UTC", (9, 0)), ("America/Phoenix", (16, 0))):
            put(AutoScalingGroupName=g, ScheduledActionName=zone.split("/")[1], Recurrence="0 9 * * *", TimeZone=zone, DesiredCapacity=1)
            a = next_of(zone.split("/")[1])
            self.assertEqual((a["TimeZone"], (a["StartTime"].hour, a["StartTime"].minute)), (zone, hour))
        # Half a year on, daylight time has come or gone.
        put(AutoScalingGroupName=g, ScheduledActionName="january", Recurrence="0 9 15 1 *", TimeZone="Europe/Berlin", DesiredCapacity=2)
        put(AutoScalingGroupName=g, ScheduledActionName="july", Recurrence="0 9 15 7 *", TimeZone="Europe/Berlin", DesiredCapacity=3)
        self.assertEqual((next_of("january")["StartTime"].hour, next_of("july")["StartTime"].hour), (8, 7))
        self.refused("ValidationError", put, AutoScalingGroupName=g, ScheduledActionName="x", Recurrence="0 9 * * *", TimeZone="Moon/Base",
                     DesiredCapacity=1)
        self.refused("ValidationError", put, AutoScalingGroupName=g, ScheduledActionName="x", Recurrence="0 9 * * *", DesiredCapacity=1,
                     TimeZone="../../../etc/passwd")

    def test_predictive(self):
        g = self.make(min=0, max=10)
        now = datetime.datetime.fromisoformat(json.loads(self.virga.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))
        hour = now.replace(minute=0, second=0, microsecond=0)
        # 240 orders at even hours, 60 at odd ones, of the last three days.
        cw = self.virga.client("cloudwatch")
        points = [{"MetricName": "orders", "Timestamp": t, "Value": 240.0 if t.hour % 2 == 0 else 60.0}
                  for t in (hour - datetime.timedelta(minutes=30 * i) for i in range(1, 3 * 48))]
        orders = {"MetricDataQueries": [{"Id": "m1", "MetricStat": {"Metric": {"Namespace": "shop", "MetricName": "orders"}, "Stat": "Sum"}}]}
        custom = {"CustomizedLoadMetricSpecification": orders, "CustomizedScalingMetricSpecification": orders}
        cpu = {"PredefinedMetricPairSpecification": {"PredefinedMetricType": "ASGCPUUtilization"}}

        def put(mode="ForecastOnly", target=60, **kw):
            self.asg.put_scaling_policy(AutoScalingGroupName=g, PolicyName="ahead", PolicyType="PredictiveScaling",
                                        PredictiveScalingConfiguration={"Mode": mode, "MetricSpecifications": [{"TargetValue": target, **kw}]})
        put(**cpu)
        ask = lambda **kw: self.asg.get_predictive_scaling_forecast(AutoScalingGroupName=g, PolicyName="ahead", **{
            "StartTime": hour + datetime.timedelta(hours=1), "EndTime": hour + datetime.timedelta(hours=48), **kw})
        self.assertEqual(ask()["CapacityForecast"]["Values"], [])  # nothing is known yet
        put(**custom)
        for i in range(0, len(points), 100):
            cw.put_metric_data(Namespace="shop", MetricData=points[i:i + 100])
        got = ask()
        self.assertEqual(len(got["CapacityForecast"]["Values"]), 48)
        for t, load, capacity in zip(got["CapacityForecast"]["Timestamps"], got["LoadForecast"][0]["Values"], got["CapacityForecast"]["Values"]):
            even = t.astimezone(datetime.timezone.utc).hour % 2 == 0
            self.assertAlmostEqual(load, 240 if even else 60, delta=1)
            self.assertEqual(capacity, 4 if even else 1)
        self.assertEqual(got["LoadForecast"][0]["MetricSpecification"]["TargetValue"], 60)
        put("ForecastAndScale", **custom)
        for _ in range(2):
            hour += datetime.timedelta(hours=1)
            self.set_time(hour - datetime.timedelta(minutes=1))
        self.serving(g, 4)
        self.assertIn("a predictive scaling forecast of policy ahead changing the desired capacity", " ".join(a["Cause"] for a in self.activities(g)))
        self.refused("ValidationError", ask, EndTime=hour - datetime.timedelta(days=9))
        self.refused("ValidationError", put, target=0, **cpu)
        self.refused("ValidationError", put, CustomizedLoadMetricSpecification=orders)
        self.refused("ValidationError", put, **cpu, PredefinedLoadMetricSpecification={"PredefinedMetricType": "ASGTotalCPUUtilization"})
        self.refused("ValidationError", self.asg.get_predictive_scaling_forecast, AutoScalingGroupName=g, PolicyName="none",
                     StartTime=hour, EndTime=hour + datetime.timedelta(hours=1))

    def set_time(self, to):
        run = subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "set", to.strftime("%Y-%m-%dT%H:%M:%SZ")],
                             capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_warm_pool(self):
        g = self.make(min=1, max=3)
        self.asg.put_warm_pool(AutoScalingGroupName=g, InstanceReusePolicy={"ReuseOnScaleIn": True})

        def pool():
            return self.asg.describe_warm_pool(AutoScalingGroupName=g)

        def stopped(n):
            self.until(lambda: [i["LifecycleState"] for i in pool()["Instances"]] == ["Warmed:Stopped"] * n)
            return [i["InstanceId"] for i in pool()["Instances"]]
        warm = stopped(2)
        self.assertEqual({self.describe(i)["State"]["Name"] for i in warm}, {"stopped"})
        self.assertEqual(self.group(g)["WarmPoolSize"], 2)
        self.assertEqual(pool()["WarmPoolConfiguration"]["PoolState"], "Stopped")
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=2)
        now = self.serving(g, 2)
        self.assertEqual(len(set(now) & set(warm)), 1)
        self.assertEqual(self.activities(g)[0]["Description"].split(":")[0], "Launching a new EC2 instance from warm pool")
        stopped(1)
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=1)
        self.serving(g, 1)
        back = stopped(2)
        self.assertEqual(len(set(back) & (set(now) | set(warm))), 2)  # nothing was ended, nothing new was launched
        self.asg.delete_warm_pool(AutoScalingGroupName=g)
        self.until(lambda: "WarmPoolConfiguration" not in self.group(g))
        self.assertEqual(len(self.of_group(g)), 1)
        self.refused("ValidationError", self.asg.delete_warm_pool, AutoScalingGroupName=g)

    def test_collected(self):
        g = self.make(min=2)
        self.asg.enable_metrics_collection(AutoScalingGroupName=g, Granularity="1Minute", Metrics=["GroupInServiceInstances", "GroupMaxSize"])
        self.assertEqual(len(self.group(g)["EnabledMetrics"]), 2)
        cw = self.virga.client("cloudwatch")

        def told():
            m = cw.list_metrics(Namespace="AWS/AutoScaling", Dimensions=[{"Name": "AutoScalingGroupName", "Value": g}])["Metrics"]
            return sorted(x["MetricName"] for x in m)
        self.until(lambda: told() == ["GroupInServiceInstances", "GroupMaxSize"])
        self.advance("1m")
        now = self.activities(g)[0]["StartTime"]
        r = self.until(lambda: cw.get_metric_statistics(
            Namespace="AWS/AutoScaling", MetricName="GroupInServiceInstances", Period=60, Statistics=["Maximum"],
            Dimensions=[{"Name": "AutoScalingGroupName", "Value": g}], StartTime=now - datetime.timedelta(minutes=2),
            EndTime=now + datetime.timedelta(minutes=10))["Datapoints"])
        self.assertEqual({p["Maximum"] for p in r}, {2.0})
        self.asg.disable_metrics_collection(AutoScalingGroupName=g)
        self.assertEqual(self.group(g)["EnabledMetrics"], [])
        self.refused("ValidationError", self.asg.enable_metrics_collection, AutoScalingGroupName=g, Granularity="5Minutes")
        self.refused("ValidationError", self.asg.enable_metrics_collection, AutoScalingGroupName=g, Granularity="1Minute", Metrics=["Mood"])
        self.assertIn("GroupTotalCapacity", [m["Metric"] for m in self.asg.describe_metric_collection_types()["Metrics"]])


class Refreshes(Groups):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ec2.create_launch_template_version(LaunchTemplateId=cls.template, SourceVersion="1", LaunchTemplateData={
            "InstanceType": "t3.small"})

    def version(self, n):
        return {"LaunchTemplateId": self.template, "Version": n}

    def refresh(self, g):
        return self.asg.describe_instance_refreshes(AutoScalingGroupName=g)["InstanceRefreshes"][0]

    def status(self, g, want):
        self.until(lambda: self.refresh(g)["Status"] == want, limit=60)

    def types(self, g):
        return sorted(i["InstanceType"] for i in self.instances(g) if i["LifecycleState"] == "InService")

    def test_rolls(self):
        g = self.make(min=4, LaunchTemplate=self.version("1"))
        before = self.serving(g, 4)
        r = self.asg.start_instance_refresh(AutoScalingGroupName=g, DesiredConfiguration={"LaunchTemplate": self.version("2")},
                                            Preferences={"MinHealthyPercentage": 50, "InstanceWarmup": 0})["InstanceRefreshId"]
        self.status(g, "Successful")
        self.assertEqual(self.types(g), ["t3.small"] * 4)
        d = self.refresh(g)
        self.assertEqual((d["InstanceRefreshId"], d["PercentageComplete"], d["InstancesToUpdate"]), (r, 100, 0))
        self.assertEqual(self.group(g)["LaunchTemplate"]["Version"], "2")
        self.until(lambda: not set(before) & set(self.of_group(g)))
        self.assertTrue([a for a in self.activities(g) if "in response to an instance refresh" in a["Cause"]])
        # What matches already is left alone.
        now = self.serving(g, 4)
        self.asg.start_instance_refresh(AutoScalingGroupName=g, DesiredConfiguration={"LaunchTemplate": self.version("2")},
                                        Preferences={"SkipMatching": True})
        self.status(g, "Successful")
        self.assertEqual(sorted(self.serving(g, 4)), sorted(now))

    def test_keeps_healthy(self):
        """At 100 % an instance goes only once another has warmed up."""
        g = self.make(min=2, max=4, LaunchTemplate=self.version("1"))
        self.asg.start_instance_refresh(AutoScalingGroupName=g, DesiredConfiguration={"LaunchTemplate": self.version("2")}, Preferences={
            "MinHealthyPercentage": 100, "MaxHealthyPercentage": 150, "InstanceWarmup": 100})
        self.until(lambda: self.types(g) == ["t3.micro", "t3.micro", "t3.small"])
        self.refused("InstanceRefreshInProgress", self.asg.start_instance_refresh, AutoScalingGroupName=g)
        self.assertEqual(self.refresh(g)["PercentageComplete"], 0)
        self.advance("101s")
        self.until(lambda: self.types(g) == ["t3.micro", "t3.small", "t3.small"])
        self.assertEqual(self.refresh(g)["PercentageComplete"], 50)
        self.advance("101s")
        self.status(g, "Successful")
        self.serving(g, 2)
        self.assertEqual(self.types(g), ["t3.small"] * 2)

    def test_checkpoint_and_back(self):
        g = self.make(min=2, max=4, LaunchTemplate=self.version("1"))
        self.asg.start_instance_refresh(AutoScalingGroupName=g, DesiredConfiguration={"LaunchTemplate": self.version("2")}, Preferences={
            "MinHealthyPercentage": 0, "InstanceWarmup": 0, "CheckpointPercentages": [50, 100], "CheckpointDelay": 7200})
        self.until(lambda: self.types(g) == ["t3.micro", "t3.small"] and self.refresh(g)["PercentageComplete"] == 50)
        self.asg.rollback_instance_refresh(AutoScalingGroupName=g)
        self.status(g, "RollbackSuccessful")
        self.assertEqual(self.types(g), ["t3.micro"] * 2)
        self.assertEqual(self.group(g)["LaunchTemplate"]["Version"], "1")
        self.assertEqual(self.refresh(g)["RollbackDetails"]["RollbackReason"], "Rolled back due to user request.")
        self.refused("ActiveInstanceRefreshNotFound", self.asg.rollback_instance_refresh, AutoScalingGroupName=g)

    def test_cancelled(self):
        g = self.make(min=2, LaunchTemplate=self.version("1"))
        self.asg.start_instance_refresh(AutoScalingGroupName=g, DesiredConfiguration={"LaunchTemplate": self.version("2")}, Preferences={
            "MinHealthyPercentage": 0, "InstanceWarmup": 0, "CheckpointPercentages": [50, 100]})
        self.until(lambda: self.types(g) == ["t3.micro", "t3.small"])
        self.asg.cancel_instance_refresh(AutoScalingGroupName=g)
        self.status(g, "Cancelled")
        self.assertEqual(self.group(g)["LaunchTemplate"]["Version"], "1")
        self.assertEqual(self.types(g), ["t3.micro", "t3.small"])
        self.refused("ActiveInstanceRefreshNotFound", self.asg.cancel_instance_refresh, AutoScalingGroupName=g)
        self.refused("ValidationError", self.asg.start_instance_refresh, AutoScalingGroupName=g, Preferences={"AutoRollback": True})
        self.asg.start_instance_refresh(AutoScalingGroupName=g, Preferences={"MinHealthyPercentage": 0, "InstanceWarmup": 0, "BakeTime": 60})
        self.status(g, "Baking")
        self.refused("IrreversibleInstanceRefresh", self.asg.rollback_instance_refresh, AutoScalingGroupName=g)
        self.advance("61s")
        self.status(g, "Successful")


class Alarms(Groups):
    """Policies that alarms of CloudWatch ask for."""
    def setUp(self):
        self.cw = self.virga.client("cloudwatch")

    def minutes(self, n, name, value):
        """n minutes, each with this value of the metric."""
        for _ in range(n):
            self.cw.put_metric_data(Namespace="App", MetricData=[{"MetricName": name, "Value": value}])
            self.advance("1m")

    def until_load(self, name, value, what):
        """Minute by minute, until it has happened."""
        def step():
            self.minutes(1, name, value)
            return what()
        self.until(step, limit=60)

    def test_target_tracking(self):
        g = self.make(min=1, max=8, DesiredCapacity=2, DefaultInstanceWarmup=0)
        metric = {"Namespace": "App", "MetricName": "Load", "Statistic": "Average"}
        p = self.asg.put_scaling_policy(AutoScalingGroupName=g, PolicyName="track", PolicyType="TargetTrackingScaling",
                                        TargetTrackingConfiguration={"CustomizedMetricSpecification": metric, "TargetValue": 50.0})
        names = [a["AlarmName"] for a in p["Alarms"]]
        self.assertRegex(names[0], rf"^TargetTracking-{g}-AlarmHigh-[-0-9a-f]+$")
        self.assertRegex(names[1], rf"^TargetTracking-{g}-AlarmLow-[-0-9a-f]+$")
        high, low = sorted(self.cw.describe_alarms(AlarmNames=names)["MetricAlarms"], key=lambda a: a["AlarmName"])
        self.assertEqual((high["Threshold"], high["EvaluationPeriods"], high["ComparisonOperator"]), (50.0, 3, "GreaterThanThreshold"))
        self.assertEqual((low["Threshold"], low["EvaluationPeriods"], low["ComparisonOperator"]), (45.0, 15, "LessThanThreshold"))
        self.assertEqual((high["Period"], high["MetricName"], high["AlarmActions"]), (60, "Load", [p["PolicyARN"]]))
        self.until_load("Load", 100, lambda: self.group(g)["DesiredCapacity"] > 2)
        self.until(lambda: "triggered policy" in " ".join(a["Cause"] for a in self.activities(g)))
        # Twice the target: twice as many.
        self.assertIn(f"a monitor alarm {names[0]} in state ALARM triggered policy track changing the desired capacity from 2 to 4.",
                      " ".join(a["Cause"] for a in self.activities(g)))
        self.until_load("Load", 5, lambda: self.group(g)["DesiredCapacity"] == 1)
        self.serving(g, 1)
        found = self.asg.describe_policies(AutoScalingGroupName=g)["ScalingPolicies"][0]
        self.assertEqual([a["AlarmName"] for a in found["Alarms"]], names)
        self.asg.put_scaling_policy(AutoScalingGroupName=g, PolicyName="track", PolicyType="TargetTrackingScaling",
                                    TargetTrackingConfiguration={"CustomizedMetricSpecification": metric, "TargetValue": 60.0,
                                                                 "DisableScaleIn": True})
        left = self.cw.describe_alarms(AlarmNamePrefix=f"TargetTracking-{g}-")["MetricAlarms"]
        self.assertEqual([(a["AlarmName"], a["Threshold"]) for a in left], [(names[0], 60.0)])
        self.asg.delete_policy(AutoScalingGroupName=g, PolicyName="track")
        self.assertEqual(self.cw.describe_alarms(AlarmNamePrefix=f"TargetTracking-{g}-")["MetricAlarms"], [])

    def test_predefined(self):
        g = self.make(max=2)
        put = self.asg.put_scaling_policy
        p = put(AutoScalingGroupName=g, PolicyName="cpu", PolicyType="TargetTrackingScaling", TargetTrackingConfiguration={
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": 60.0})
        a = self.cw.describe_alarms(AlarmNames=[p["Alarms"][0]["AlarmName"]])["MetricAlarms"][0]
        self.assertEqual((a["Namespace"], a["MetricName"], a["Dimensions"]),
                         ("AWS/EC2", "CPUUtilization", [{"Name": "AutoScalingGroupName", "Value": g}]))
        self.drop(g)
        self.assertEqual(self.cw.describe_alarms(AlarmNames=[x["AlarmName"] for x in p["Alarms"]])["MetricAlarms"], [])
        g = self.make(max=2)
        for bad in ({"TargetValue": 50.0}, {"TargetValue": -1.0, "PredefinedMetricSpecification": {
                "PredefinedMetricType": "ASGAverageCPUUtilization"}}, {"TargetValue": 5.0, "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ALBRequestCountPerTarget"}}):
            self.refused("ValidationError", put, AutoScalingGroupName=g, PolicyName="bad", PolicyType="TargetTrackingScaling",
                         TargetTrackingConfiguration=bad)
        self.assertEqual(self.asg.describe_policies(AutoScalingGroupName=g)["ScalingPolicies"], [])

    def test_own_alarm(self):
        g = self.make(min=1, max=4)
        arn = self.asg.put_scaling_policy(AutoScalingGroupName=g, PolicyName="up", PolicyType="StepScaling",
                                          AdjustmentType="ChangeInCapacity", StepAdjustments=[
                                              {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 1},
                                              {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 2}])["PolicyARN"]
        self.cw.put_metric_alarm(AlarmName="busy", Namespace="App", MetricName="Depth", Statistic="Average", Period=60, EvaluationPeriods=1,
                                 Threshold=100, ComparisonOperator="GreaterThanThreshold", AlarmActions=[arn])
        found = self.asg.describe_policies(PolicyNames=[arn])["ScalingPolicies"][0]
        self.assertEqual([a["AlarmName"] for a in found["Alarms"]], ["busy"])
        self.until_load("Depth", 125, lambda: self.group(g)["DesiredCapacity"] == 3)
        self.serving(g, 3)


class Traffic(Groups):
    def test_target_group(self):
        elb = self.virga.client("elbv2")
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        t = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
        other = elb.create_target_group(Name="api", Protocol="HTTP", Port=81, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]

        def registered(arn):
            return sorted(d["Target"]["Id"] for d in elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"])
        g = self.make(min=2, max=3, TargetGroupARNs=[t])
        now = sorted(self.serving(g, 2))
        self.until(lambda: registered(t) == now)
        self.assertEqual(self.group(g)["TargetGroupARNs"], [t])
        self.assertEqual(self.group(g)["TrafficSources"], [{"Identifier": t, "Type": "elbv2"}])
        states = self.asg.describe_load_balancer_target_groups(AutoScalingGroupName=g)["LoadBalancerTargetGroups"]
        self.assertEqual(states, [{"LoadBalancerTargetGroupARN": t, "State": "InService"}])
        self.asg.attach_traffic_sources(AutoScalingGroupName=g, TrafficSources=[{"Identifier": other, "Type": "elbv2"}])
        self.until(lambda: registered(other) == now)
        self.asg.detach_load_balancer_target_groups(AutoScalingGroupName=g, TargetGroupARNs=[t])
        self.until(lambda: registered(t) == [])
        self.asg.attach_load_balancer_target_groups(AutoScalingGroupName=g, TargetGroupARNs=[t])
        self.until(lambda: registered(t) == now)
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=3)
        self.until(lambda: registered(t) == sorted(self.serving(g, 3)))
        self.asg.enter_standby(AutoScalingGroupName=g, InstanceIds=now[:1], ShouldDecrementDesiredCapacity=True)
        self.until(lambda: now[0] not in registered(t) and now[0] not in registered(other))
        sources = self.asg.describe_traffic_sources(AutoScalingGroupName=g)["TrafficSources"]
        self.assertEqual({x["Identifier"] for x in sources}, {t, other})
        self.asg.detach_traffic_sources(AutoScalingGroupName=g, TrafficSources=[{"Identifier": other}])
        self.until(lambda: registered(other) == [])
        # What is ended leaves its target groups first.
        self.drop(g)
        self.assertEqual(registered(t), [])
        self.refused("ValidationError", self.asg.create_auto_scaling_group, AutoScalingGroupName="x", MinSize=0, MaxSize=1,
                     AvailabilityZones=ZONES, LaunchTemplate={"LaunchTemplateId": self.template}, TargetGroupARNs=[t + "0"])


    def test_classic(self):
        """Classic balancers by their own operations, as traffic sources, and beside a target group."""
        elb = self.virga.client("elb")
        for name in ("old", "older"):
            elb.create_load_balancer(LoadBalancerName=name, AvailabilityZones=ZONES, Scheme="internal", Listeners=[
                {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}])
            self.addCleanup(elb.delete_load_balancer, LoadBalancerName=name)
        v2 = self.virga.client("elbv2")
        t = v2.create_target_group(Name="beside", Protocol="HTTP", Port=80, VpcId=self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"])
        t = t["TargetGroups"][0]["TargetGroupArn"]

        def registered(name):
            return sorted(i["InstanceId"] for i in elb.describe_load_balancers(
                LoadBalancerNames=[name])["LoadBalancerDescriptions"][0]["Instances"])

        def states(g):
            return {x["LoadBalancerName"]: x["State"] for x in self.asg.describe_load_balancers(AutoScalingGroupName=g)["LoadBalancers"]}
        g = self.make(min=1, max=3, DesiredCapacity=2, LoadBalancerNames=["old"])
        now = sorted(self.serving(g, 2))
        self.until(lambda: registered("old") == now)
        self.assertEqual(self.group(g)["LoadBalancerNames"], ["old"])
        self.assertEqual(self.group(g)["TrafficSources"], [{"Identifier": "old", "Type": "elb"}])
        self.assertEqual(states(g), {"old": "InService"})  # made with it
        self.asg.attach_load_balancers(AutoScalingGroupName=g, LoadBalancerNames=["older"])
        self.until(lambda: registered("older") == now and states(g) == {"old": "InService", "older": "Added"})
        self.asg.attach_traffic_sources(AutoScalingGroupName=g, TrafficSources=[{"Identifier": t, "Type": "elbv2"}])
        sources = self.asg.describe_traffic_sources(AutoScalingGroupName=g)["TrafficSources"]
        self.assertEqual({(x["Identifier"], x["Type"]) for x in sources}, {(t, "elbv2"), ("old", "elb"), ("older", "elb")})
        self.assertEqual(len(self.asg.describe_traffic_sources(AutoScalingGroupName=g, TrafficSourceType="elb")["TrafficSources"]), 2)
        # With connection draining an instance that leaves is there until its requests are over.
        elb.modify_load_balancer_attributes(LoadBalancerName="old", LoadBalancerAttributes={
            "ConnectionDraining": {"Enabled": True, "Timeout": 600}})
        self.asg.enter_standby(AutoScalingGroupName=g, InstanceIds=now[:1], ShouldDecrementDesiredCapacity=True)
        self.until(lambda: registered("old") == registered("older") == now[1:])

        def health(i):
            return elb.describe_instance_health(LoadBalancerName="old", Instances=[{"InstanceId": i}])["InstanceStates"][0]
        self.assertEqual((health(now[0])["State"], health(now[0])["Description"]),
                         ("InService", "Instance deregistration currently in progress."))
        self.assertIn("EnteringStandby", self.states(g))
        self.advance("11m")
        self.until(lambda: self.states(g) == ["InService", "Standby"])
        self.assertEqual((health(now[0])["State"], health(now[0])["ReasonCode"]), ("OutOfService", "Instance"))
        self.asg.exit_standby(AutoScalingGroupName=g, InstanceIds=now[:1])
        self.until(lambda: registered("old") == registered("older") == now)
        elb.modify_load_balancer_attributes(LoadBalancerName="old", LoadBalancerAttributes={"ConnectionDraining": {"Enabled": False}})
        # EC2 ends one of them: the balancers know it no more, and have its successor.
        self.ec2.terminate_instances(InstanceIds=now[:1])
        self.until(lambda: len(registered("old")) == 2 and now[0] not in registered("old") and registered("older") == registered("old"))
        self.asg.detach_load_balancers(AutoScalingGroupName=g, LoadBalancerNames=["old"])
        self.until(lambda: registered("old") == [] and states(g) == {"older": "Added"})
        self.asg.detach_traffic_sources(AutoScalingGroupName=g, TrafficSources=[{"Identifier": "older", "Type": "elb"}])
        self.until(lambda: registered("older") == [] and states(g) == {})
        for call, kw in ((self.asg.attach_load_balancers, {"LoadBalancerNames": ["none"]}),
                         (self.asg.attach_load_balancers, {"LoadBalancerNames": [t]}),
                         (self.asg.detach_load_balancers, {"LoadBalancerNames": ["old"]}),
                         (self.asg.attach_load_balancer_target_groups, {"TargetGroupARNs": ["old"]}),
                         (self.asg.attach_traffic_sources, {"TrafficSources": [{"Identifier": "old"}]}),
                         (self.asg.attach_traffic_sources, {"TrafficSources": [{"Identifier": "old", "Type": "elbv2"}]})):
            self.refused("ValidationError", call, AutoScalingGroupName=g, **kw)
        self.refused("ValidationError", self.asg.attach_load_balancers, AutoScalingGroupName="none", LoadBalancerNames=["old"])
        self.drop(g)


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Machines(Groups):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2, cls.asg = cls.virga.client("ec2"), cls.virga.client("autoscaling")
        cls.image = cls.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
        cls.template = cls.ec2.create_launch_template(
            LaunchTemplateName="web", LaunchTemplateData={"ImageId": cls.image, "InstanceType": "t3.micro"},
        )["LaunchTemplate"]["LaunchTemplateId"]

    def until(self, what, limit=120):
        return super().until(what, limit)

    def test_real(self):
        g = self.make(min=2, max=3)
        a = self.serving(g, 2)[0]
        if "StateReason" in self.describe(a):
            self.skipTest(self.describe(a)["StateReason"]["Message"])
        # One that powers itself off is replaced.
        subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, a, "--", "sh", "-c", "poweroff -f || kill -TERM 1"],
                       capture_output=True)
        self.until(lambda: a not in [i["InstanceId"] for i in self.instances(g)])
        now = self.serving(g, 2)
        self.assertEqual(self.of_group(g), sorted(now))

    @unittest.skipUnless(os.path.exists("/usr/sbin/haproxy"), "haproxy is not installed")
    def test_classic_checks(self):
        """What a Classic balancer finds ill is replaced, where the group asks it."""
        elb = self.virga.client("elb")
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        sg = self.ec2.create_security_group(VpcId=vpc, GroupName="web", Description="x")["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=sg, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        elb.create_load_balancer(LoadBalancerName="old", AvailabilityZones=ZONES, Scheme="internal", SecurityGroups=[sg], Listeners=[
            {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}])
        self.addCleanup(elb.delete_load_balancer, LoadBalancerName="old")
        elb.configure_health_check(LoadBalancerName="old", HealthCheck={
            "Target": "HTTP:80/", "Interval": 5, "Timeout": 2, "UnhealthyThreshold": 2, "HealthyThreshold": 2})
        script = b"#!/bin/sh\nmkdir /srv/web; cd /srv/web; setsid python3 -m http.server 80 >/dev/null 2>&1 &\n"
        self.ec2.create_launch_template_version(LaunchTemplateId=self.template, LaunchTemplateData={
            "ImageId": self.image, "InstanceType": "t3.micro", "SecurityGroupIds": [sg],
            "UserData": base64.b64encode(script).decode()})
        g = self.make(min=1, max=2, HealthCheckType="ELB", HealthCheckGracePeriod=3600,
                      LaunchTemplate={"LaunchTemplateId": self.template, "Version": "2"})
        a = self.serving(g, 1)[0]
        if "StateReason" in self.describe(a):
            self.skipTest(self.describe(a)["StateReason"]["Message"])
        self.asg.attach_load_balancers(AutoScalingGroupName=g, LoadBalancerNames=["old"])
        self.until(lambda: self.asg.describe_load_balancers(AutoScalingGroupName=g)["LoadBalancers"] == [
            {"LoadBalancerName": "old", "State": "InService"}])
        self.asg.update_auto_scaling_group(AutoScalingGroupName=g, HealthCheckGracePeriod=0)
        subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, a, "--", "pkill", "-f", "http.server"], capture_output=True)
        self.until(lambda: self.instances(g) and a not in [i["InstanceId"] for i in self.instances(g)])
        self.assertIn("in response to an ELB system health check failure", " ".join(x["Cause"] for x in self.activities(g)))
        self.drop(g)


if __name__ == "__main__":
    unittest.main()
