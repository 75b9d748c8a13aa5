"""What CloudWatch knows of DynamoDB: contributor insights (which keys are accessed and throttled most, by CloudWatch's reports) and
the metrics of tables."""
import datetime
import json
import unittest

from botocore.exceptions import ClientError

from virga import Virga

NEEDS_BOTO3 = (1, 40)


class Insights(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.d, cls.cw = cls.virga.client("dynamodb"), cls.virga.client("cloudwatch")

    def table(self, name, **more):
        more.setdefault("BillingMode", "PAY_PER_REQUEST")
        self.d.create_table(TableName=name, AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in (
            ("pk", "S"), ("sk", "N"), ("g", "S"))], KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"}], GlobalSecondaryIndexes=[{"IndexName": "by-g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"},
                **({"ProvisionedThroughput": more["ProvisionedThroughput"]} if "ProvisionedThroughput" in more else {})}], **more)

    def put(self, table, pk, sk, **more):
        self.d.put_item(TableName=table, Item={"pk": {"S": pk}, "sk": {"N": str(sk)}, **more})

    def advance(self, how="61s"):
        self.virga.get(f"/_virga/clock?advance={how}", "POST")

    def now(self):
        return datetime.datetime.fromisoformat(json.loads(self.virga.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))

    def report(self, rule, **more):
        now = self.now()
        return self.cw.get_insight_rule_report(RuleName=rule, StartTime=now - datetime.timedelta(hours=2),
            EndTime=now + datetime.timedelta(minutes=5), Period=more.pop("Period", 86400), **more)

    def top(self, rule, **more):
        return [(c["Keys"], c["ApproximateAggregateValue"]) for c in self.report(rule, **more)["Contributors"]]

    def rules(self, table, **more):
        told = self.d.describe_contributor_insights(TableName=table, **more)["ContributorInsightsRuleList"]
        return {r.split("-")[1]: r for r in told}

    def total(self, metric, **dimensions):
        now = self.now()
        points = self.cw.get_metric_statistics(Namespace="AWS/DynamoDB", MetricName=metric, Statistics=["Sum"], Period=86400,
            StartTime=now - datetime.timedelta(days=1), EndTime=now + datetime.timedelta(minutes=5),
            Dimensions=[{"Name": k, "Value": v} for k, v in dimensions.items()])["Datapoints"]
        return sum(p["Sum"] for p in points)

    def test_accessed_keys(self):
        self.table("seen")
        self.assertEqual(self.d.describe_contributor_insights(TableName="seen")["ContributorInsightsStatus"], "DISABLED")
        self.put("seen", "before", 1)
        made = self.d.update_contributor_insights(TableName="seen", ContributorInsightsAction="ENABLE")
        self.assertEqual((made["ContributorInsightsStatus"], made["ContributorInsightsMode"]),
            ("ENABLING", "ACCESSED_AND_THROTTLED_KEYS"))
        self.d.update_contributor_insights(TableName="seen", IndexName="by-g", ContributorInsightsAction="ENABLE",
            ContributorInsightsMode="ACCESSED_AND_THROTTLED_KEYS")
        rules, index = self.rules("seen"), self.rules("seen", IndexName="by-g")
        self.assertEqual((set(rules), set(index)), ({"PKC", "SKC", "PKT", "SKT"}, {"PKC", "PKT"}))
        for _ in range(3):
            self.put("seen", "hot", 1, g={"S": "x"})
        self.d.get_item(TableName="seen", Key={"pk": {"S": "hot"}, "sk": {"N": "1.0"}}, ConsistentRead=True)
        self.put("seen", "hot", 2)
        self.d.batch_write_item(RequestItems={"seen": [{"PutRequest": {"Item": {"pk": {"S": "cold"}, "sk": {"N": "1"}}}}]})
        self.d.query(TableName="seen", KeyConditionExpression="pk = :p", ConsistentRead=True,
            ExpressionAttributeValues={":p": {"S": "cold"}})
        self.d.query(TableName="seen", IndexName="by-g", KeyConditionExpression="g = :g",
            ExpressionAttributeValues={":g": {"S": "x"}})
        self.advance()
        # Three for each unit written, one for each unit read.
        self.assertEqual(self.top(rules["PKC"]), [(["hot"], 13), (["cold"], 4)])
        self.assertEqual(self.top(rules["SKC"]), [(["hot", "1"], 10), (["cold", "1"], 3), (["hot", "2"], 3)])
        self.assertEqual(self.top(rules["PKC"], MaxContributorCount=1), [(["hot"], 13)])
        # An index entry that does not change costs no write; the query half a unit.
        self.assertEqual(self.top(index["PKC"]), [(["x"], 3.5)])
        self.assertEqual(self.top(rules["PKT"]), [])
        report = self.report(rules["SKC"], Period=60, Metrics=["MaxContributorValue", "UniqueContributors", "Sum"])
        self.assertEqual((report["KeyLabels"], report["AggregateValue"], report["ApproximateUniqueCount"]), (["pk", "sk"], 16, 3))
        points = report["MetricDatapoints"]
        self.assertEqual(sum(p["Sum"] for p in points), 16)
        self.assertEqual(sum(p["ApproximateValue"] for p in report["Contributors"][0]["Datapoints"]), 10)
        told, page = {}, {}
        while not page or page.get("NextToken"):
            page = self.cw.describe_insight_rules(MaxResults=3, **{k: v for k, v in page.items() if k == "NextToken"})
            told.update({r["Name"]: r for r in page["InsightRules"]})
        self.assertLessEqual({*rules.values(), *index.values()}, set(told))
        self.assertTrue(told[rules["PKC"]]["ManagedRule"])
        self.assertEqual(told[rules["PKC"]]["State"], "ENABLED")
        # What was counted outlives a stop and a crash after the minute.
        self.put("seen", "late", 1)
        self.virga.stop()
        self.virga.start(self.virga.port)
        self.assertEqual(self.top(rules["PKC"])[-1], (["late"], 3))
        self.virga.restart()
        self.assertEqual(self.top(rules["PKC"])[0], (["hot"], 13))
        # Bad reports.
        for code, more in (("InvalidParameterValue", {"MaxContributorCount": 26}), ("InvalidParameterValue", {"Period": 90}),
                ("InvalidParameterValue", {"OrderBy": "Name"}), ("InvalidParameterValue", {"Metrics": ["Median"]})):
            with self.assertRaises(ClientError) as caught:
                self.report(rules["PKC"], **more)
            self.assertIn(code, caught.exception.response["Error"]["Code"])
        with self.assertRaises(ClientError) as caught:
            self.report("none")
        self.assertIn("ResourceNotFound", caught.exception.response["Error"]["Code"])

        listed = [(s["TableName"], s.get("IndexName")) for s in self.d.list_contributor_insights(TableName="seen")[
            "ContributorInsightsSummaries"]]
        self.assertEqual(sorted(listed, key=str), sorted([("seen", None), ("seen", "by-g")], key=str))
        first = self.d.list_contributor_insights(MaxResults=1)
        second = self.d.list_contributor_insights(MaxResults=1, NextToken=first["NextToken"])
        self.assertNotEqual(first["ContributorInsightsSummaries"], second["ContributorInsightsSummaries"])
        # The throttled keys' rules stay over a change of mode, the others go; disabling takes all.
        self.d.update_contributor_insights(TableName="seen", ContributorInsightsAction="ENABLE",
            ContributorInsightsMode="THROTTLED_KEYS")
        self.assertEqual(self.rules("seen"), {k: rules[k] for k in ("PKT", "SKT")})
        with self.assertRaises(ClientError):
            self.report(rules["PKC"])
        self.d.update_contributor_insights(TableName="seen", ContributorInsightsAction="DISABLE")
        with self.assertRaises(ClientError):
            self.report(rules["PKT"])
        self.d.delete_table(TableName="seen")
        self.assertEqual([r for r in self.cw.describe_insight_rules()["InsightRules"] if "-seen-" in r["Name"]], [])
        with self.assertRaises(ClientError) as caught:
            self.d.describe_contributor_insights(TableName="seen")
        self.assertEqual(caught.exception.response["Error"]["Code"], "ResourceNotFoundException")

    def test_throttled_keys_and_metrics(self):
        units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
        self.table("slow", BillingMode="PROVISIONED", ProvisionedThroughput=units)
        self.d.update_contributor_insights(TableName="slow", ContributorInsightsAction="ENABLE",
            ContributorInsightsMode="THROTTLED_KEYS")
        rules = self.rules("slow")
        self.put("slow", "big", 1, data={"S": "x" * 390_000})  # more than the burst of 300 units
        for i in range(3):
            with self.assertRaises(ClientError) as caught:
                self.put("slow", "many", i % 2)
            self.assertEqual(caught.exception.response["Error"]["Code"], "ProvisionedThroughputExceededException")
        while True:  # one write's burst of reads is 300 units, 98 a time
            try:
                self.d.query(TableName="slow", KeyConditionExpression="pk = :p", ConsistentRead=True,
                    ExpressionAttributeValues={":p": {"S": "big"}})
            except ClientError as e:
                self.assertEqual(e.response["Error"]["Code"], "ProvisionedThroughputExceededException")
                break
        self.advance()
        self.assertEqual(self.top(rules["PKT"]), [(["many"], 3), (["big"], 1)])
        self.assertEqual(self.top(rules["SKT"]), [(["many", "0"], 2), (["many", "1"], 1)])
        of = {"TableName": "slow"}
        self.assertEqual(self.total("WriteThrottleEvents", **of), 3)
        self.assertEqual(self.total("ReadThrottleEvents", **of), 1)
        self.assertEqual(self.total("ThrottledRequests", **of, Operation="PutItem"), 3)
        self.assertEqual(self.total("ThrottledRequests", **of, Operation="Query"), 1)
        self.assertGreaterEqual(self.total("ProvisionedWriteCapacityUnits", **of), 1)
        self.assertGreaterEqual(self.total("ProvisionedReadCapacityUnits", **of, GlobalSecondaryIndexName="by-g"), 1)

    def test_metrics_of_calls(self):
        self.table("told")
        self.put("told", "a", 1)
        self.put("told", "a", 2)
        for _ in range(2):
            with self.assertRaises(ClientError):
                self.d.put_item(TableName="told", Item={"pk": {"S": "a"}, "sk": {"N": "1"}},
                    ConditionExpression="attribute_not_exists(pk)")
        with self.assertRaises(ClientError):
            self.d.put_item(TableName="told", Item={"pk": {"S": "a"}})
        self.d.query(TableName="told", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "a"}})
        arn = self.d.describe_table(TableName="told")["Table"]["TableArn"]
        self.d.scan(TableName=arn)
        self.d.update_time_to_live(TableName="told", TimeToLiveSpecification={"Enabled": True, "AttributeName": "t"})
        self.put("told", "dies", 1, t={"N": str(int(self.now().timestamp()) + 60)})
        self.advance("10m")
        self.advance()
        self.assertEqual(self.total("ReturnedItemCount", TableName="told", Operation="Query"), 2)
        self.assertEqual(self.total("ReturnedItemCount", TableName="told", Operation="Scan"), 2)
        self.assertEqual(self.total("ConditionalCheckFailedRequests", TableName="told"), 2)
        self.assertEqual(self.total("TimeToLiveDeletedItemCount", TableName="told"), 1)
        self.assertGreaterEqual(self.total("UserErrors"), 1)
        self.assertEqual(self.total("ConsumedWriteCapacityUnits", TableName="told"), 5)


if __name__ == "__main__":
    unittest.main()
