"""Application Auto Scaling through boto3: capacity of DynamoDB's tables and indexes, which alarms and schedules set."""
import subprocess
import time
import unittest


from virga import BINARY, Refusals, Virga

NEEDS_BOTO3 = (1, 40)
READS, WRITES = "dynamodb:table:ReadCapacityUnits", "dynamodb:table:WriteCapacityUnits"


class Targets(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga("--simulated").start()
        cls.addClassCleanup(cls.virga.close)
        cls.aas, cls.ddb, cls.cw = (cls.virga.client(s) for s in ("application-autoscaling", "dynamodb", "cloudwatch"))

    def until(self, what, limit=60):
        end = time.monotonic() + limit
        while not what():
            self.assertLess(time.monotonic(), end, "it did not happen")
            time.sleep(0.02)

    def advance(self, duration):
        subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", duration], check=True, capture_output=True)

    def table(self, reads=5, writes=5, **kw):
        name = self.id().rsplit(".", 1)[-1]
        self.ddb.create_table(TableName=name, KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                              AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
                              ProvisionedThroughput={"ReadCapacityUnits": reads, "WriteCapacityUnits": writes}, **kw)
        self.ddb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        return name

    def provisioned(self, name, index=None):
        t = self.ddb.describe_table(TableName=name)["Table"]
        if index:
            t = next(i for i in t["GlobalSecondaryIndexes"] if i["IndexName"] == index)
        p = t["ProvisionedThroughput"]
        return p["ReadCapacityUnits"], p["WriteCapacityUnits"]

    def of(self, name, dimension=READS, index=None):
        resource = f"table/{name}/index/{index}" if index else f"table/{name}"
        return {"ServiceNamespace": "dynamodb", "ResourceId": resource, "ScalableDimension": dimension}

    def test_target(self):
        n = self.table()
        arn = self.aas.register_scalable_target(**self.of(n), MinCapacity=5, MaxCapacity=100, Tags={"a": "b"})["ScalableTargetARN"]
        t = self.aas.describe_scalable_targets(ServiceNamespace="dynamodb", ResourceIds=[f"table/{n}"])["ScalableTargets"][0]
        self.assertEqual((t["MinCapacity"], t["MaxCapacity"], t["ScalableTargetARN"]), (5, 100, arn))
        self.assertTrue(t["RoleARN"].endswith("/AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"))
        self.assertFalse(t["SuspendedState"]["DynamicScalingInSuspended"])
        self.aas.tag_resource(ResourceARN=arn, Tags={"c": "d"})
        self.aas.untag_resource(ResourceARN=arn, TagKeys=["a"])
        self.assertEqual(self.aas.list_tags_for_resource(ResourceARN=arn)["Tags"], {"c": "d"})
        # What is out of bounds is brought within.
        self.aas.register_scalable_target(**self.of(n), MinCapacity=8)
        self.until(lambda: self.provisioned(n) == (8, 5))
        self.until(lambda: [a["StatusCode"] for a in self.activities(n)] == ["Successful"])
        a = self.activities(n)[0]
        self.assertEqual((a["Description"], a["Cause"]), ("Setting read capacity units to 8.", "minimum capacity was set to 8"))
        self.aas.deregister_scalable_target(**self.of(n))
        self.assertEqual(self.aas.describe_scalable_targets(ServiceNamespace="dynamodb", ResourceIds=[f"table/{n}"])["ScalableTargets"], [])
        put = self.aas.register_scalable_target
        self.refused("ObjectNotFoundException", self.aas.deregister_scalable_target, **self.of(n))
        self.refused("ValidationException", put, **self.of("nobody"), MinCapacity=1, MaxCapacity=2)
        self.refused("ValidationException", put, **self.of(n), MinCapacity=3, MaxCapacity=2)
        self.refused("ValidationException", put, **self.of(n), MinCapacity=3)
        self.refused("ValidationException", put, **self.of(n, dimension="dynamodb:index:ReadCapacityUnits"), MinCapacity=1, MaxCapacity=2)
        self.refused("ResourceNotFoundException", self.aas.list_tags_for_resource, ResourceARN=arn)

    def activities(self, name):
        return self.aas.describe_scaling_activities(ServiceNamespace="dynamodb", ResourceId=f"table/{name}")["ScalingActivities"]

    def load(self, value, what):
        """A minute of this value after another, until it has happened."""
        def step():
            self.cw.put_metric_data(Namespace="App", MetricData=[{"MetricName": self.id(), "Value": value}])
            self.advance("1m")
            return what()
        self.until(step)

    def test_tracking(self):
        n = self.table(reads=10)
        self.aas.register_scalable_target(**self.of(n), MinCapacity=2, MaxCapacity=30)
        config = {"TargetValue": 50.0, "CustomizedMetricSpecification": {"Namespace": "App", "MetricName": self.id(), "Statistic": "Average"}}
        put = {**self.of(n), "PolicyName": "half", "PolicyType": "TargetTrackingScaling"}
        p = self.aas.put_scaling_policy(**put, TargetTrackingScalingPolicyConfiguration=config)
        names = [a["AlarmName"] for a in p["Alarms"]]
        self.assertTrue(names[0].startswith(f"TargetTracking-table/{n}-AlarmHigh-"), names)
        self.assertEqual(len(self.cw.describe_alarms(AlarmNames=names)["MetricAlarms"]), 2)
        self.load(100, lambda: self.provisioned(n)[0] >= 20)
        self.assertEqual(self.provisioned(n)[1], 5)
        self.assertIn(f"monitor alarm {names[0]} in state ALARM triggered policy half", [a["Cause"] for a in self.activities(n)])
        self.load(1, lambda: self.provisioned(n)[0] == 2)
        found = self.aas.describe_scaling_policies(ServiceNamespace="dynamodb", PolicyNames=["half"])["ScalingPolicies"][0]
        self.assertEqual((found["PolicyARN"], found["Alarms"]), (p["PolicyARN"], p["Alarms"]))
        self.aas.delete_scaling_policy(**self.of(n), PolicyName="half")
        self.assertEqual(self.cw.describe_alarms(AlarmNames=names)["MetricAlarms"], [])
        # DynamoDB's own metrics: alarms against what is provisioned, which move with it.
        spec = {"PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"}, "TargetValue": 70.0}
        p = self.aas.put_scaling_policy(**put, TargetTrackingScalingPolicyConfiguration=spec)
        high = p["Alarms"][0]["AlarmName"]

        def threshold():
            a = self.cw.describe_alarms(AlarmNames=[high])["MetricAlarms"][0]
            return a["MetricName"], round(a["Threshold"], 6)
        self.assertEqual(threshold(), ("ConsumedReadCapacityUnits", 84.0))
        self.aas.register_scalable_target(**self.of(n), MinCapacity=10)
        self.until(lambda: threshold() == ("ConsumedReadCapacityUnits", 420.0))
        spec["PredefinedMetricSpecification"]["PredefinedMetricType"] = "DynamoDBWriteCapacityUtilization"
        self.refused("ValidationException", self.aas.put_scaling_policy, **put, TargetTrackingScalingPolicyConfiguration=spec)
        self.aas.deregister_scalable_target(**self.of(n))
        self.assertEqual(self.cw.describe_alarms(AlarmNames=[high])["MetricAlarms"], [])

    def test_steps_of_index(self):
        n = self.id().rsplit(".", 1)[-1]
        units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
        self.ddb.create_table(
            TableName=n, KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], ProvisionedThroughput=units,
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}, {"AttributeName": "g", "AttributeType": "S"}],
            GlobalSecondaryIndexes=[{"IndexName": "by-g", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                                     "Projection": {"ProjectionType": "ALL"}, "ProvisionedThroughput": units}])
        self.ddb.get_waiter("table_exists").wait(TableName=n, WaiterConfig={"Delay": 1})
        of = self.of(n, dimension="dynamodb:index:WriteCapacityUnits", index="by-g")
        self.aas.register_scalable_target(**of, MinCapacity=5, MaxCapacity=40)
        arn = self.aas.put_scaling_policy(**of, PolicyName="up", PolicyType="StepScaling", StepScalingPolicyConfiguration={
            "AdjustmentType": "PercentChangeInCapacity", "Cooldown": 60,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 100}]})["PolicyARN"]
        self.cw.put_metric_alarm(AlarmName="hot", Namespace="App", MetricName=self.id(), Statistic="Average", Period=60, EvaluationPeriods=1,
                                 Threshold=10, ComparisonOperator="GreaterThanThreshold", AlarmActions=[arn])
        self.load(50, lambda: self.provisioned(n, "by-g")[1] >= 10)
        self.assertEqual(self.provisioned(n), (5, 5))
        self.refused("ValidationException", self.aas.put_scaling_policy, **of, PolicyName="x", PolicyType="StepScaling")

    def test_schedule(self):
        n = self.table()
        self.aas.register_scalable_target(**self.of(n, WRITES), MinCapacity=1, MaxCapacity=50)
        put = self.aas.put_scheduled_action
        put(**self.of(n, WRITES), ScheduledActionName="often", Schedule="rate(2 hours)", ScalableTargetAction={"MinCapacity": 9})
        put(**self.of(n, WRITES), ScheduledActionName="never", Schedule="cron(0 0 1 1 ? 2100)", ScalableTargetAction={"MaxCapacity": 9})
        found = self.aas.describe_scheduled_actions(ServiceNamespace="dynamodb", ResourceId=f"table/{n}")["ScheduledActions"]
        self.assertEqual(sorted((a["ScheduledActionName"], a["Schedule"]) for a in found),
                         [("never", "cron(0 0 1 1 ? 2100)"), ("often", "rate(2 hours)")])
        self.advance("2h")
        self.until(lambda: self.provisioned(n) == (5, 9))
        self.assertIn("scheduled action name often was triggered", [a["Cause"] for a in self.activities(n)])
        t = self.aas.describe_scalable_targets(ServiceNamespace="dynamodb", ResourceIds=[f"table/{n}"])["ScalableTargets"][0]
        self.assertEqual((t["MinCapacity"], t["MaxCapacity"]), (9, 50))
        self.aas.delete_scheduled_action(**self.of(n, WRITES), ScheduledActionName="often")
        self.refused("ObjectNotFoundException", self.aas.delete_scheduled_action, **self.of(n, WRITES), ScheduledActionName="often")
        put(**self.of(n, WRITES), ScheduledActionName="there", Schedule="cron(0 9 * * ? *)", Timezone="Asia/Tokyo", ScalableTargetAction={"MinCapacity": 3})
        self.assertEqual([a["Timezone"] for a in self.aas.describe_scheduled_actions(
            ServiceNamespace="dynamodb", ScheduledActionNames=["there"])["ScheduledActions"]], ["Asia/Tokyo"])
        self.refused("ValidationException", put, **self.of(n, WRITES), ScheduledActionName="x", Schedule="cron(0 9 * * ? *)",
                     Timezone="Nowhere", ScalableTargetAction={"MinCapacity": 1})
        for bad in ("rate(0 hours)", "rate(1 hours)", "cron(* * * * * *)", "at(yesterday)", "daily", "at(2020-01-01T00:00:00)"):
            self.refused("ValidationException", put, **self.of(n, WRITES), ScheduledActionName="x", Schedule=bad,
                         ScalableTargetAction={"MinCapacity": 1})
        self.refused("ObjectNotFoundException", put, **self.of(n), ScheduledActionName="x", Schedule="rate(1 hour)",
                     ScalableTargetAction={"MinCapacity": 1})


if __name__ == "__main__":
    unittest.main()
