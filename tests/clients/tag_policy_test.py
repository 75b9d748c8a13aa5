"""Tag policies of an organization refuse what they are enforced for: in every service that tags, at creation and after, by the
effective policy of the account, whoever asks."""
import json
import unittest

from botocore.exceptions import ClientError

from organizations_test import MASTER, Case

NEEDS_BOTO3 = (1, 40)

TAG = "TAG_POLICY"


def rule(key, values=None, types=(), **more):
    r = {"tag_key": {"@@assign": key}}
    if values is not None:
        r["tag_value"] = {"@@assign": values}
    if types:
        r["enforced_for"] = {"@@assign": list(types)}
    return {key.lower(): {**r, **more}}


def policy(*rules):
    return json.dumps({"tags": {k: v for r in rules for k, v in r.items()}})


class TagPolicies(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.org.enable_policy_type(RootId=cls.root, PolicyType=TAG)

    def denied(self, code, key, call, what="value", **kw):
        message = self.refused(code, call, **kw)
        self.assertIn(f"The tag policy does not allow the specified {what} for the following tag key: '{key}'.", message)

    def test_every_service_that_tags(self):
        number = self.account()
        client = self.as_root(number)
        services = ["dynamodb", "sqs", "sns", "s3", "kms", "secretsmanager", "ssm", "logs", "iam", "ec2", "kinesis", "rds", "acm",
            "ecr", "elasticloadbalancing", "cloudwatch", "cloudformation", "autoscaling"]
        self.policy(policy(rule("CostCenter", ["100", "2*"], [f"{s}:*" for s in services])), type=TAG, target=number)
        bad, good, key = "17", "2xx", "CostCenter"

        def pair(value):
            return [{"Key": key, "Value": value}]

        ddb, sqs, sns, s3, kms = (client(s) for s in ("dynamodb", "sqs", "sns", "s3", "kms"))
        table = dict(TableName="tbl", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}])
        self.denied("ValidationException", key, ddb.create_table, Tags=pair(bad), **table)
        self.assertEqual(ddb.list_tables()["TableNames"], [])
        arn = ddb.create_table(Tags=pair(good), **table)["TableDescription"]["TableArn"]
        self.denied("ValidationException", key, ddb.tag_resource, ResourceArn=arn, Tags=pair(bad))
        ddb.untag_resource(ResourceArn=arn, TagKeys=[key])
        with self.assertRaises(ClientError):
            sqs.create_queue(QueueName="q", tags={key: bad})
        url = sqs.create_queue(QueueName="q", tags={key: good, "other": bad})["QueueUrl"]
        with self.assertRaises(ClientError):
            sqs.tag_queue(QueueUrl=url, Tags={key: bad})
        sqs.tag_queue(QueueUrl=url, Tags={key: "100"})
        self.assertEqual(sqs.list_queue_tags(QueueUrl=url)["Tags"], {key: "100", "other": bad})
        self.denied("TagPolicy", key, sns.create_topic, Name="t", Tags=pair(bad))
        topic = sns.create_topic(Name="t", Tags=pair(good))["TopicArn"]
        self.denied("TagPolicy", key, sns.tag_resource, ResourceArn=topic, Tags=pair(bad))
        bucket = self.name("b")
        s3.create_bucket(Bucket=bucket)
        self.denied("TagPolicyException", key, s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": pair(bad)})
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pair(good)})
        # Objects are not among what enforcement knows.
        s3.put_object(Bucket=bucket, Key="x", Body=b"x")
        s3.put_object_tagging(Bucket=bucket, Key="x", Tagging={"TagSet": pair(bad)})
        self.denied("TagException", key, kms.create_key, Tags=[{"TagKey": key, "TagValue": bad}])
        self.assertEqual(kms.list_keys()["Keys"], [])
        ec2 = client("ec2")
        self.denied("TagPolicyViolation", key, ec2.create_security_group, GroupName="g", Description="d",
            TagSpecifications=[{"ResourceType": "security-group", "Tags": pair(bad)}])
        group = ec2.create_security_group(GroupName="g", Description="d",
            TagSpecifications=[{"ResourceType": "security-group", "Tags": pair(good)}])["GroupId"]
        self.denied("TagPolicyViolation", key, ec2.create_tags, Resources=[group], Tags=pair(bad))
        ec2.delete_tags(Resources=[group], Tags=pair(good))
        iam = client("iam")
        self.denied("InvalidInput", key, iam.create_user, UserName="u", Tags=pair(bad))
        iam.create_user(UserName="u", Tags=pair(good))
        self.denied("InvalidInput", key, iam.tag_user, UserName="u", Tags=pair(bad))
        self.denied("TagPolicyException", key, client("acm").request_certificate, DomainName="a.example.com", Tags=pair(bad))
        for call, kw in ((client("secretsmanager").create_secret, dict(Name="s", SecretString="x", Tags=pair(bad))),
                (client("ssm").put_parameter, dict(Name="p", Value="x", Type="String", Tags=pair(bad))),
                (client("logs").create_log_group, dict(logGroupName="g", tags={key: bad})),
                (client("kinesis").create_stream, dict(StreamName="s", ShardCount=1, Tags={key: bad})),
                (client("rds").create_db_parameter_group, dict(DBParameterGroupName="g", Description="d",
                    DBParameterGroupFamily="postgres15", Tags=pair(bad))),
                (client("ecr").create_repository, dict(repositoryName="repo", tags=pair(bad))),
                (client("elbv2").create_target_group, dict(Name="g", Protocol="HTTP", Port=80, TargetType="ip",
                    VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"], Tags=pair(bad))),
                (client("cloudwatch").put_metric_alarm, dict(AlarmName="a", MetricName="m", Namespace="n", Statistic="Sum",
                    Period=60, EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold", Tags=pair(bad))),
                (client("autoscaling").create_auto_scaling_group, dict(AutoScalingGroupName="group", MinSize=0, MaxSize=0,
                    AvailabilityZones=["us-east-1a"], LaunchTemplate={"LaunchTemplateName": "xxx"}, Tags=pair(bad)))):
            with self.assertRaises(ClientError) as caught:
                call(**kw)
            self.assertIn("tag policy does not allow the specified value", str(caught.exception), call)

    def test_types_capitals_and_inheritance(self):
        unit = self.unit()
        number = self.account(unit)
        sqs, sns, ec2 = (self.as_root(number)(s) for s in ("sqs", "sns", "ec2"))
        self.policy(policy(rule("Stage", ["dev"], ["sns:topic", "ec2:vpc"]), rule("Owner", None, ["sqs:ALL_SUPPORTED"])), type=TAG,
            target=unit)
        # Another type, another service: only reported.
        sqs.create_queue(QueueName="q", tags={"Stage": "x", "Owner": "anyone"})
        ec2.create_security_group(GroupName="g", Description="d",
            TagSpecifications=[{"ResourceType": "security-group", "Tags": [{"Key": "Stage", "Value": "x"}]}])
        self.denied("TagPolicyViolation", "Stage", ec2.create_vpc, CidrBlock="10.0.0.0/16",
            TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Stage", "Value": "x"}]}])
        with self.assertRaises(ClientError) as caught:
            sqs.create_queue(QueueName="r", tags={"OWNER": "me"})
        self.assertIn("capitalization for the following tag key: 'OWNER'", str(caught.exception))
        self.denied("TagPolicy", "stage", sns.create_topic, "capitalization", Name="t", Tags=[{"Key": "stage", "Value": "dev"}])
        self.denied("TagPolicy", "Stage", sns.create_topic, Name="t", Tags=[{"Key": "Stage", "Value": "prod"}])
        # What the account's own policy adds takes effect at once, and goes with it.
        more = self.policy(json.dumps({"tags": {"stage": {"tag_value": {"@@append": ["prod"]}}}}), type=TAG, target=number)
        effective = json.loads(self.org.describe_effective_policy(PolicyType=TAG, TargetId=number)["EffectivePolicy"][
            "PolicyContent"])
        self.assertEqual(effective["tags"]["stage"]["tag_value"], ["dev", "prod"])
        topic = sns.create_topic(Name="t", Tags=[{"Key": "Stage", "Value": "prod"}])["TopicArn"]
        self.org.detach_policy(PolicyId=more, TargetId=number)
        self.denied("TagPolicy", "Stage", sns.tag_resource, ResourceArn=topic, Tags=[{"Key": "Stage", "Value": "prod"}])
        # Accounts elsewhere are not bound.
        self.as_root(self.account())("sns").create_topic(Name="t", Tags=[{"Key": "Stage", "Value": "x"}])

    def test_the_management_account_and_tags_of_the_organization(self):
        self.policy(policy(rule("Team", ["a"], ["organizations:*", "sqs:queue"])), type=TAG, target=MASTER)
        self.denied("ConstraintViolationException", "Team", self.org.tag_resource, ResourceId=self.root,
            Tags=[{"Key": "Team", "Value": "b"}])
        with self.assertRaises(ClientError):
            self.virga.client("sqs").create_queue(QueueName="q", tags={"Team": "b"})
        # A role's session that may do everything is bound too.
        number = self.account()
        self.policy(policy(rule("Team", ["a"], ["sqs:queue"])), type=TAG, target=number)
        with self.assertRaises(ClientError):
            self.as_admin(number)("sqs").create_queue(QueueName="q", tags={"Team": "b"})
        self.as_admin(number)("sqs").create_queue(QueueName="q", tags={"Team": "a"})


if __name__ == "__main__":
    unittest.main()
