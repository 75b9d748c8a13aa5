"""CloudFormation's registry, change sets of nested stacks, and types of the services that came last."""
import json
import unittest

from cloudformation_case import Case, outputs

NEEDS_BOTO3 = (1, 40)


class Registry(Case):
    SERVICES = ("s3", "sqs", "efs", "dlm", "cloudwatch", "logs", "iam", "rds", "ec2", "elbv2", "kinesis")
    ARGS = ("--durability", "relaxed", "--simulated")

    def test_types_and_their_schemas(self):
        self.assertEqual(self.cfn.list_types()["TypeSummaries"], [])  # private ones
        found = [t for p in self.cfn.get_paginator("list_types").paginate(Visibility="PUBLIC", Type="RESOURCE") for t in p["TypeSummaries"]]
        names = [t["TypeName"] for t in found]
        self.assertEqual(names, sorted(set(names)))
        self.assertLessEqual({"AWS::SQS::Queue", "AWS::EC2::VPC", "AWS::CloudFormation::StackSet"}, set(names))
        self.assertNotIn("AWS::Lambda::Function", names)
        queue = next(t for t in found if t["TypeName"] == "AWS::SQS::Queue")
        self.assertEqual(queue["TypeArn"], "arn:aws:cloudformation:us-east-1::type/resource/AWS-SQS-Queue")
        some = self.cfn.list_types(Filters={"Category": "AWS_TYPES", "TypeNamePrefix": "AWS::KMS::"})["TypeSummaries"]
        self.assertEqual([t["TypeName"] for t in some], ["AWS::KMS::Alias", "AWS::KMS::Key", "AWS::KMS::ReplicaKey"])
        for given in ({"Type": "RESOURCE", "TypeName": "AWS::SQS::Queue"}, {"Arn": queue["TypeArn"]}):
            t = self.cfn.describe_type(**given)
            schema = json.loads(t["Schema"])
            self.assertEqual((t["TypeName"], t["ProvisioningType"], schema["typeName"], schema["primaryIdentifier"]), (
                "AWS::SQS::Queue", "FULLY_MUTABLE", "AWS::SQS::Queue", ["/properties/QueueUrl"]))
            self.assertIn("/properties/QueueName", schema["createOnlyProperties"])
            self.assertIn("/properties/Arn", schema["readOnlyProperties"])
            self.assertEqual((schema["properties"]["DelaySeconds"], schema["properties"]["Tags"]), ({"type": "integer"}, {
                "type": "array", "items": {"$ref": "#/definitions/Tag"}}))
        with self.assertRaises(self.cfn.exceptions.TypeNotFoundException):
            self.cfn.describe_type(Type="RESOURCE", TypeName="AWS::Lambda::Function")

    def test_change_sets_of_nested_stacks(self):
        self.s3.create_bucket(Bucket="nested")
        inner = {"Parameters": {"Delay": {"Type": "Number", "Default": 0}}, "Resources": {
            "Q": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": {"Ref": "Delay"}}}}}
        self.s3.put_object(Bucket="nested", Key="t", Body=json.dumps(inner))
        url = f"{self.virga.endpoint}/nested/t"
        template = lambda delay, other: {"Resources": {  # noqa: E731
            "Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url, "Parameters": {"Delay": delay}}},
            "Same": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url, "Parameters": {"Delay": 1}}},
            "Other": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": other}}}}
        id = self.create("outer", template(1, 1))["StackId"]
        make = lambda name: self.cfn.create_change_set(StackName="outer", ChangeSetName=name, TemplateBody=json.dumps(template(5, 2)), IncludeNestedStacks=True)["Id"]  # noqa: E731
        root = make("one")
        found = self.cfn.describe_change_set(ChangeSetName=root)
        changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in found["Changes"]}
        self.assertEqual(set(changes), {"Inner", "Other"})
        self.assertNotIn("ChangeSetId", changes["Other"])
        within = self.cfn.describe_change_set(ChangeSetName=changes["Inner"]["ChangeSetId"])
        self.assertEqual((within["ParentChangeSetId"], within["RootChangeSetId"], within["StackId"]), (root, root, self.physical("outer", "Inner")))
        self.assertEqual([(c["ResourceChange"]["LogicalResourceId"], c["ResourceChange"]["Action"]) for c in within["Changes"]], [("Q", "Modify")])
        with self.assertRaisesRegex(self.cfn.exceptions.ClientError, "is nested and cannot be executed"):
            self.cfn.execute_change_set(ChangeSetName=within["ChangeSetId"])
        self.cfn.delete_change_set(ChangeSetName=root)
        with self.assertRaises(self.cfn.exceptions.ChangeSetNotFoundException):
            self.cfn.describe_change_set(ChangeSetName=within["ChangeSetId"])
        self.cfn.execute_change_set(ChangeSetName=make("two"))
        self.assertEqual(self.settle(id)["StackStatus"], "UPDATE_COMPLETE", self.failures(id))
        url = self.physical(self.physical("outer", "Inner"), "Q")
        self.assertEqual(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"], "5")

    def test_types_that_came_last(self):
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": ["logs.amazonaws.com", "dlm.amazonaws.com"]}, "Action": "sts:AssumeRole"}]}
        allow = {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}
        policy = lambda count: {"PolicyType": "EBS_SNAPSHOT_MANAGEMENT", "ResourceTypes": ["VOLUME"], "TargetTags": [{"Key": "back", "Value": "up"}], "Schedules": [  # noqa: E731
            {"Name": "daily", "CreateRule": {"Interval": 24, "IntervalUnit": "HOURS", "Times": ["03:00"]}, "RetainRule": {"Count": count}}]}
        template = lambda n: {"Resources": {  # noqa: E731
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust, "Policies": [allow]}},
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}},
            "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.9.0.0/24"}},
            "Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "g", "VpcId": {"Ref": "Vpc"}}},
            "Files": {"Type": "AWS::EFS::FileSystem", "Properties": {"FileSystemTags": [{"Key": "n", "Value": str(n)}], "LifecyclePolicies": [
                {"TransitionToIA": f"AFTER_{'7' if n == 1 else '14'}_DAYS"}]}},
            "Target": {"Type": "AWS::EFS::MountTarget", "Properties": {"FileSystemId": {"Ref": "Files"}, "SubnetId": {"Ref": "Subnet"}, "SecurityGroups": [{"Ref": "Group"}]}},
            "Point": {"Type": "AWS::EFS::AccessPoint", "Properties": {"FileSystemId": {"Ref": "Files"}, "PosixUser": {"Uid": "1", "Gid": "1"}}},
            "Policy": {"Type": "AWS::DLM::LifecyclePolicy", "Properties": {"Description": "d", "State": "ENABLED",
                "ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "PolicyDetails": policy(n)}},
            "Anomaly": {"Type": "AWS::CloudWatch::AnomalyDetector", "Properties": {"SingleMetricAnomalyDetector": {"Namespace": "x", "MetricName": "m", "Stat": "Average"}}},
            "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}},
            "Destination": {"Type": "AWS::Logs::Destination", "Properties": {"DestinationName": "dest", "TargetArn": {"Fn::GetAtt": ["Stream",
                "Arn"]}, "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}},
            "Options": {"Type": "AWS::RDS::OptionGroup", "Properties": {"EngineName": "postgres", "MajorEngineVersion": "15", "OptionGroupDescription": "none"}}},
            "Outputs": {"Files": {"Value": {"Fn::GetAtt": ["Files", "Arn"]}}, "Point": {"Value": {"Fn::GetAtt": ["Point", "Arn"]}},
                "Destination": {"Value": {"Fn::GetAtt": ["Destination", "Arn"]}}}}
        given = {"Capabilities": ["CAPABILITY_IAM"]}
        stack = self.create("last", template(1), **given)
        files = self.physical("last", "Files")
        self.assertTrue(outputs(stack)["Files"].endswith(":file-system/" + files))
        self.assertEqual(len(self.efs.describe_mount_targets(FileSystemId=files)["MountTargets"]), 1)
        self.update("last", template(2), **given)
        self.assertEqual(self.efs.describe_lifecycle_configuration(FileSystemId=files)["LifecyclePolicies"], [{"TransitionToIA": "AFTER_14_DAYS"}])
        tags = {t["Key"]: t["Value"] for t in self.efs.list_tags_for_resource(ResourceId=files)["Tags"]}
        self.assertEqual(tags["n"], "2")
        details = self.dlm.get_lifecycle_policy(PolicyId=self.physical("last", "Policy"))["Policy"]["PolicyDetails"]
        self.assertEqual(details["Schedules"][0]["RetainRule"]["Count"], 2)
        self.assertEqual(self.cloudwatch.describe_anomaly_detectors()["AnomalyDetectors"][0]["SingleMetricAnomalyDetector"]["MetricName"], "m")
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))
        self.assertEqual((self.efs.describe_file_systems()["FileSystems"], self.dlm.get_lifecycle_policies()["Policies"], self.logs.describe_destinations()["destinations"]), ([], [], []))


if __name__ == "__main__":
    unittest.main()
