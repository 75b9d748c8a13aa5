"""A stack's tags are on whatever of it takes tags: from its creation, after a change of them alone, and as they were after a rollback."""
import json
import unittest

from botocore.exceptions import ClientError
from cloudformation_case import Case, outputs

TEMPLATE = """
Parameters: {Bad: {Type: String, Default: 'no'}, Inner: {Type: String}}
Conditions: {Bad: !Equals [!Ref Bad, 'yes']}
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {Tags: [{Key: own, Value: mine}]}}
  Parameter: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: v}}
  Topic: {Type: AWS::SNS::Topic}
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24}}
  Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  Association: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref Subnet, RouteTableId: !Ref Table}}
  Template: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {ImageId: IMAGE, InstanceType: t3.micro}}}
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      MinSize: '1'
      MaxSize: '1'
      VPCZoneIdentifier: [!Ref Subnet]
      LaunchTemplate: {LaunchTemplateId: !Ref Template, Version: !GetAtt Template.LatestVersionNumber}
      Tags: [{Key: own, Value: mine, PropagateAtLaunch: false}]
  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: !Ref Inner}}
  Wrong:
    Type: AWS::SQS::Queue
    Condition: Bad
    DependsOn: [Queue, Parameter, Topic, Group, Nested]
    Properties: {QueueName: not-by-its-name, FifoQueue: true}
Outputs:
  Queue: {Value: !Ref Queue}
  Parameter: {Value: !Ref Parameter}
  Topic: {Value: !Ref Topic}
  Group: {Value: !Ref Group}
  Vpc: {Value: !Ref Vpc}
  Inner: {Value: !GetAtt Nested.Outputs.Queue}
  Nested: {Value: !Ref Nested}
"""
INNER = {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"Queue": {"Value": {"Ref": "Q"}}}}


def tag(key, value):
    return {"Key": key, "Value": value}


class Tags(Case):
    ARGS = ("--durability", "relaxed", "--simulated")
    SERVICES = ("sqs", "ssm", "sns", "ec2", "autoscaling", "s3")

    def seen(self):
        """What each says that its tag "team" is."""
        tags = {"queue": self.sqs.list_queue_tags(QueueUrl=self.out["Queue"])["Tags"], "inner": self.sqs.list_queue_tags(QueueUrl=self.out["Inner"])["Tags"]}
        lists = {"parameter": self.ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=self.out["Parameter"])["TagList"],
                 "topic": self.sns.list_tags_for_resource(ResourceArn=self.out["Topic"])["Tags"],
                 "vpc": self.ec2.describe_vpcs(VpcIds=[self.out["Vpc"]])["Vpcs"][0]["Tags"],
                 "group": self.group()["Tags"], "nested": self.cfn.describe_stacks(StackName=self.out["Nested"])["Stacks"][0]["Tags"]}
        tags.update({k: {t["Key"]: t["Value"] for t in v} for k, v in lists.items()})
        self.assertEqual({k for k, v in tags.items() if k != "nested" and "aws:cloudformation:logical-id" not in v}, set())
        return {k: v.get("team") for k, v in tags.items()}

    def group(self):
        return self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.out["Group"]])["AutoScalingGroups"][0]

    def test_tags_of_the_stack(self):
        self.s3.create_bucket(Bucket="templates")
        self.s3.put_object(Bucket="templates", Key="inner", Body=json.dumps(INNER).encode())
        image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        parameters = [{"ParameterKey": "Inner", "ParameterValue": f"{self.virga.endpoint}/templates/inner"}]
        template = TEMPLATE.replace("IMAGE", image)
        stack = self.create("tagged", template, Parameters=parameters, Tags=[tag("team", "red"), tag("old", "1")])
        self.out = outputs(stack)
        self.assertEqual(set(self.seen().values()), {"red"})
        propagate = {t["Key"]: t["PropagateAtLaunch"] for t in self.group()["Tags"]}
        self.assertEqual((propagate["team"], propagate["own"], propagate["aws:cloudformation:stack-name"]), (True, False, True))
        [instance] = self.group()["Instances"]
        on_it = {t["Key"]: t["Value"] for t in self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [instance["InstanceId"]]}])["Tags"]}
        self.assertEqual((on_it["team"], on_it["aws:cloudformation:logical-id"], on_it["aws:cloudformation:stack-name"]), ("red", "Group", "tagged"))
        self.assertNotIn("own", on_it)

        previous = [{"ParameterKey": "Inner", "UsePreviousValue": True}]
        with self.assertRaises(ClientError) as e:
            self.cfn.update_stack(StackName="tagged", UsePreviousTemplate=True, Parameters=previous, Tags=[tag("old", "1"), tag("team", "red")])
        self.assertEqual(e.exception.response["Error"]["Message"], "No updates are to be performed.")
        # A change set tells of it, and nothing is replaced.
        self.cfn.create_change_set(StackName="tagged", ChangeSetName="c", UsePreviousTemplate=True, Parameters=previous, Tags=[tag("team", "blue")])
        changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"]
                   for c in self.cfn.describe_change_set(StackName="tagged", ChangeSetName="c")["Changes"]}
        self.assertEqual(set(changes), {"Queue", "Parameter", "Topic", "Vpc", "Subnet", "Table", "Group", "Nested"})
        self.assertEqual({(tuple(c["Scope"]), c["Replacement"], c["Details"][0]["Target"]["RequiresRecreation"]) for c in changes.values()},
                         {(("Tags",), "False", "Never")})
        self.cfn.execute_change_set(StackName="tagged", ChangeSetName="c")
        self.assertEqual(self.settle("tagged")["StackStatus"], "UPDATE_COMPLETE", self.failures("tagged"))
        self.assertEqual(set(self.seen().values()), {"blue"})
        queue = self.sqs.list_queue_tags(QueueUrl=self.out["Queue"])["Tags"]
        self.assertEqual((queue["own"], "old" in queue), ("mine", False))
        self.assertNotIn("old", {t["Key"] for t in self.group()["Tags"]})
        self.assertEqual(self.ssm.get_parameter(Name=self.out["Parameter"])["Parameter"]["Version"], 1)

        # An update that fails leaves them as they were.
        self.update("tagged", template, "UPDATE_ROLLBACK_COMPLETE", Parameters=[*previous, {"ParameterKey": "Bad", "ParameterValue": "yes"}], Tags=[tag("team", "green")])
        self.assertIn(("Queue", "UPDATE_COMPLETE", None), self.reasons("tagged"))
        self.assertEqual(set(self.seen().values()), {"blue"})
        self.assertEqual(self.cfn.describe_stacks(StackName="tagged")["Stacks"][0]["Tags"], [tag("team", "blue")])
        self.update("tagged", template, Parameters=previous, Tags=[])
        self.assertEqual(set(self.seen().values()), {None})
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))


if __name__ == "__main__":
    unittest.main()
