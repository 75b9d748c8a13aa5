"""Stack refactors: resources move between stacks and are renamed, without being touched."""
import json
import unittest

from botocore.exceptions import ClientError
from cloudformation_case import Case

NEEDS_BOTO3 = (1, 40)


def queue(**properties):
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


class Refactor(Case):
    SERVICES = ("sqs",)

    def refactor(self, definitions, *mappings, **kw):
        if mappings:
            kw["ResourceMappings"] = [{"Source": {"StackName": a, "LogicalResourceId": b}, "Destination": {"StackName": c, "LogicalResourceId": d}}
                                      for a, b, c, d in mappings]
        return self.cfn.create_stack_refactor(StackDefinitions=[{"StackName": n, "TemplateBody": json.dumps(t)} for n, t in definitions.items()],
                                              **kw)["StackRefactorId"]

    def described(self, id):
        d = self.cfn.describe_stack_refactor(StackRefactorId=id)
        return d["Status"], d["ExecutionStatus"], d.get("StatusReason") or d.get("ExecutionStatusReason") or ""

    def ids(self, stack):
        return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in self.cfn.describe_stack_resources(StackName=stack)["StackResources"]}

    def test_resources_move_to_a_new_stack_and_are_renamed(self):
        letters = {"Resources": {"Dead": queue(DelaySeconds=3),
                                 "Main": queue(RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": "Dead.Arn"}, "maxReceiveCount": 3})},
                   "Outputs": {"Main": {"Value": {"Ref": "Main"}}}}
        self.create("whole", letters, Tags=[{"Key": "team", "Value": "one"}])
        before = self.ids("whole")
        rest = {"Resources": {"Main": queue(RedrivePolicy={"deadLetterTargetArn": {"Fn::ImportValue": "dead-arn"}, "maxReceiveCount": 3})},
                "Outputs": letters["Outputs"]}
        new = {"Resources": {"Letters": queue(DelaySeconds=3)}, "Outputs": {"Arn": {"Value": {"Fn::GetAtt": "Letters.Arn"}, "Export": {"Name": "dead-arn"}}}}
        mapping = ("whole", "Dead", "letters", "Letters")
        id = self.refactor({"whole": rest, "letters": new}, mapping, EnableStackCreation=True, Description="two of one")
        self.assertEqual(self.described(id), ("CREATE_COMPLETE", "AVAILABLE", ""))
        actions = self.cfn.list_stack_refactor_actions(StackRefactorId=id)["StackRefactorActions"]
        self.assertEqual([(a["Action"], a["Entity"]) for a in actions], [("CREATE", "STACK"), ("MOVE", "RESOURCE")])
        self.assertEqual((actions[1]["PhysicalResourceId"], actions[1]["Detection"]), (before["Dead"], "MANUAL"))
        self.assertIn({"Key": "aws:cloudformation:logical-id", "Value": "Letters"}, actions[1]["TagResources"])
        # Nothing has happened yet.
        self.assertEqual(self.ids("whole"), before)
        self.cfn.execute_stack_refactor(StackRefactorId=id)
        self.assertEqual(self.described(id), ("CREATE_COMPLETE", "EXECUTE_COMPLETE", ""))
        self.addCleanup(self.remove, self.cfn.describe_stacks(StackName="letters")["Stacks"][0]["StackId"])
        self.assertEqual((self.ids("whole"), self.ids("letters")), ({"Main": before["Main"]}, {"Letters": before["Dead"]}))
        self.assertEqual([self.cfn.describe_stacks(StackName=s)["Stacks"][0]["StackStatus"] for s in ("whole", "letters")], ["UPDATE_COMPLETE", "CREATE_COMPLETE"])
        tags = self.sqs.list_queue_tags(QueueUrl=before["Dead"])["Tags"]
        self.assertEqual((tags["aws:cloudformation:stack-name"], tags["aws:cloudformation:logical-id"]), ("letters", "Letters"))
        # Both stacks are whole: the export is in use, an update changes the moved queue, and deletion is in order.
        self.assertEqual(self.cfn.list_imports(ExportName="dead-arn")["Imports"], ["whole"])
        with self.assertRaises(ClientError):
            self.cfn.delete_stack(StackName="letters")
        new["Resources"]["Letters"]["Properties"]["DelaySeconds"] = 5
        self.update("letters", new)
        self.assertEqual(self.sqs.get_queue_attributes(QueueUrl=before["Dead"], AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"], "5")
        with self.assertRaises(ClientError):
            self.cfn.execute_stack_refactor(StackRefactorId=id)
        self.assertIn(id, [s["StackRefactorId"] for s in self.cfn.list_stack_refactors(ExecutionStatusFilter=["EXECUTE_COMPLETE"])["StackRefactorSummaries"]])
        whole = self.cfn.describe_stacks(StackName="whole")["Stacks"][0]["StackId"]
        self.assertEqual(self.remove(whole)["StackStatus"], "DELETE_COMPLETE")

    def test_between_stacks_by_their_names(self):
        self.create("left", {"Resources": {"A": queue(), "B": queue(DelaySeconds=1)}})
        self.create("right", {"Resources": {"C": queue()}})
        before = {**self.ids("left"), **self.ids("right")}
        id = self.refactor({"left": {"Resources": {"A": queue()}}, "right": {"Resources": {"C": queue(), "B": queue(DelaySeconds=1)}}})
        [action] = self.cfn.list_stack_refactor_actions(StackRefactorId=id)["StackRefactorActions"]
        self.assertEqual(action["Detection"], "AUTO")
        # A crash between creation and execution loses nothing; another operation on a stack makes it obsolete.
        self.virga.kill()
        self.virga.start(self.virga.port)
        self.cfn.execute_stack_refactor(StackRefactorId=id)
        self.assertEqual((self.ids("left"), self.ids("right")), ({"A": before["A"]}, {"B": before["B"], "C": before["C"]}))
        back = self.refactor({"left": {"Resources": {"A": queue(), "B": queue(DelaySeconds=1)}}, "right": {"Resources": {"C": queue()}}})
        self.update("right", {"Resources": {"C": queue(), "B": queue(DelaySeconds=1), "D": queue()}})
        self.cfn.execute_stack_refactor(StackRefactorId=back)
        self.assertEqual(self.described(back)[1], "OBSOLETE")
        self.assertEqual(self.ids("left"), {"A": before["A"]})

    def test_nothing_else_may_change(self):
        self.create("one", {"Resources": {"A": queue(), "B": queue(DelaySeconds=1)}})
        self.create("two", {"Resources": {"C": queue()}})
        two = {"Resources": {"C": queue(), "B": queue(DelaySeconds=1)}}
        for definitions, mappings, words in (
                ({"one": {"Resources": {"A": queue()}}, "two": {"Resources": {"C": queue(), "B": queue(DelaySeconds=2)}}}, (), "modifying resources: B of two"),
                ({"one": {"Resources": {"A": queue()}}, "two": {"Resources": {"C": queue()}}}, (), "removing resources: B of one"),
                ({"one": {"Resources": {"A": queue(), "B": queue(DelaySeconds=1), "N": queue()}}}, (), "creating resources: N of one"),
                ({"one": {"Resources": {"A": queue()}}, "two": two}, (("one", "Z", "two", "B"),), "no resource of the source stack"),
                ({"one": {"Resources": {"A": queue()}}, "two": {"Resources": {"C": queue(), "B": {"Type": "AWS::SNS::Topic"}}}}, (("one", "B", "two", "B"),), "can not become"),
                ({"one": {"Resources": {"A": queue()}}, "three": {"Resources": {"B": queue(DelaySeconds=1)}}}, (), "EnableStackCreation")):
            id = self.refactor(definitions, *mappings)
            status, execution, why = self.described(id)
            self.assertEqual((status, execution), ("CREATE_FAILED", "UNAVAILABLE"), why)
            self.assertIn(words, why)
            with self.assertRaises(ClientError):
                self.cfn.execute_stack_refactor(StackRefactorId=id)
        with self.assertRaises(ClientError) as e:
            self.cfn.describe_stack_refactor(StackRefactorId="nobody")
        self.assertEqual(e.exception.response["Error"]["Code"], "StackRefactorNotFoundException")


if __name__ == "__main__":
    unittest.main()
