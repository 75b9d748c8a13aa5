"""Drift-aware change sets: they tell what was changed or deleted behind CloudFormation's back, and their execution brings it back."""
import json
import unittest

from cloudformation_case import Case, outputs

NEEDS_BOTO3 = (1, 42)


def template(delay=30, retention=600):
    return {"Resources": {
        "Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": delay, "MessageRetentionPeriod": retention}},
        "Gone": {"Type": "AWS::SQS::Queue"},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "hello"}},
        "Same": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v"}}},
        "Outputs": {"Jobs": {"Value": {"Ref": "Jobs"}}, "Gone": {"Value": {"Ref": "Gone"}}, "Topic": {"Value": {"Ref": "Topic"}}}}


class Revert(Case):
    ARGS = ("--durability", "relaxed", "--simulated")
    SERVICES = ("sqs", "sns")

    def change_set(self, body, name="back", **kw):
        self.cfn.create_change_set(StackName="drifting", ChangeSetName=name, TemplateBody=json.dumps(body), **kw)
        told = self.cfn.describe_change_set(StackName="drifting", ChangeSetName=name, IncludePropertyValues=True)
        return told, {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in told["Changes"]}

    def attribute(self, name):
        return self.sqs.get_queue_attributes(QueueUrl=self.out["Jobs"], AttributeNames=[name])["Attributes"][name]

    def test_reverting_drift(self):
        stack = self.create("drifting", template())
        self.out = outputs(stack)
        told, changes = self.change_set(template(), DeploymentMode="REVERT_DRIFT")
        self.assertEqual((told["Status"], told["StackDriftStatus"], changes), ("FAILED", "IN_SYNC", {}))
        self.cfn.delete_change_set(StackName="drifting", ChangeSetName="back")
        self.sqs.set_queue_attributes(QueueUrl=self.out["Jobs"], Attributes={"VisibilityTimeout": "77"})
        self.sqs.delete_queue(QueueUrl=self.out["Gone"])
        # An ordinary one does not see it.
        told, _ = self.change_set(template())
        self.assertEqual(told["Status"], "FAILED")
        self.cfn.delete_change_set(StackName="drifting", ChangeSetName="back")
        told, changes = self.change_set(template(retention=900), DeploymentMode="REVERT_DRIFT")
        self.assertEqual((told["DeploymentMode"], told["StackDriftStatus"], set(changes)), ("REVERT_DRIFT", "DRIFTED", {"Jobs", "Gone"}))
        self.assertEqual((changes["Gone"]["Action"], changes["Gone"]["ResourceDriftStatus"]), ("Add", "DELETED"))
        self.assertEqual((changes["Jobs"]["Action"], changes["Jobs"]["ResourceDriftStatus"]), ("Modify", "MODIFIED"))
        targets = {d["Target"]["Name"]: d["Target"] for d in changes["Jobs"]["Details"]}
        drift = targets["VisibilityTimeout"]
        self.assertEqual((drift["BeforeValue"], drift["AfterValue"], drift["BeforeValueFrom"], drift["AfterValueFrom"], drift["AttributeChangeType"]),
                         ("77", "30", "ACTUAL_STATE", "TEMPLATE", "Modify"))
        self.assertEqual((drift["Drift"]["PreviousValue"], drift["Drift"]["ActualValue"]), ("30", "77"))
        self.assertEqual((targets["MessageRetentionPeriod"]["AfterValue"], "Drift" in targets["MessageRetentionPeriod"]), ("900", False))
        self.cfn.execute_change_set(StackName="drifting", ChangeSetName="back")
        self.assertEqual(self.settle("drifting")["StackStatus"], "UPDATE_COMPLETE", self.failures("drifting"))
        self.assertEqual((self.attribute("VisibilityTimeout"), self.attribute("MessageRetentionPeriod")), ("30", "900"))
        self.assertIn(outputs(self.settle("drifting"))["Gone"].rsplit("/", 1)[1], [u.rsplit("/", 1)[1] for u in self.sqs.list_queues()["QueueUrls"]])
        self.assert_nothing_drifted("drifting")
        # A template that says by now what is there already changes the record alone.
        self.sqs.set_queue_attributes(QueueUrl=self.out["Jobs"], Attributes={"VisibilityTimeout": "88"})
        _, changes = self.change_set(template(88, 900), "same", DeploymentMode="REVERT_DRIFT")
        self.assertEqual({k: c["Action"] for k, c in changes.items()}, {"Jobs": "SyncWithActual"})
        self.cfn.execute_change_set(StackName="drifting", ChangeSetName="same")
        self.assertEqual(self.settle("drifting")["StackStatus"], "UPDATE_COMPLETE", self.failures("drifting"))
        self.assert_nothing_drifted("drifting")
        self.assertEqual(self.attribute("VisibilityTimeout"), "88")
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE", self.failures(stack["StackId"]))


if __name__ == "__main__":
    unittest.main()
