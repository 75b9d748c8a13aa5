"""CloudFormation through boto3: templates, functions, updates, rollbacks, change sets, exports; and virga killed in between."""
import json
import time
import unittest

from botocore.exceptions import ClientError, WaiterError
from virga import Virga

QUEUE = "AWS::SQS::Queue"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga("--durability", "relaxed").start()
        cls.addClassCleanup(cls.virga.close)
        cls.cfn, cls.sqs, cls.ssm = (cls.virga.client(n) for n in ("cloudformation", "sqs", "ssm"))

    def error(self, code, text, fn, *args, **kw):
        with self.assertRaises(ClientError) as caught:
            fn(*args, **kw)
        e = caught.exception.response["Error"]
        self.assertEqual(e["Code"], code, e)
        self.assertIn(text, e["Message"])
        return e["Message"]

    def settle(self, name, limit=60):
        """The stack once its status is final; by its id it is found when it is deleted, too."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            stack = self.cfn.describe_stacks(StackName=name)["Stacks"][0]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return stack
            time.sleep(0.02)
        self.fail(f"{name} stays {stack['StackStatus']}")

    def create(self, name, template, status="CREATE_COMPLETE", **kw):
        body = template if isinstance(template, str) else json.dumps(template)
        id = self.cfn.create_stack(StackName=name, TemplateBody=body, **kw)["StackId"]
        self.addCleanup(self.remove, id)
        stack = self.settle(id)
        self.assertEqual(stack["StackStatus"], status, self.reasons(id))
        return stack

    def update(self, name, template, status="UPDATE_COMPLETE", **kw):
        self.cfn.update_stack(StackName=name, TemplateBody=template if isinstance(template, str) else json.dumps(template), **kw)
        stack = self.settle(name)
        self.assertEqual(stack["StackStatus"], status, self.reasons(name))
        return stack

    def remove(self, id):
        self.cfn.delete_stack(StackName=id)
        return self.settle(id)

    def reasons(self, id):
        return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason")) for e in self.cfn.describe_stack_events(StackName=id)["StackEvents"]]

    @staticmethod
    def outputs(stack):
        return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}

    def physical(self, stack, logical):
        return self.cfn.describe_stack_resource(StackName=stack, LogicalResourceId=logical)["StackResourceDetail"]["PhysicalResourceId"]

    def queue_exists(self, url):
        try:
            self.sqs.get_queue_attributes(QueueUrl=url)
            return True
        except ClientError:
            return False


class Stacks(Case):
    def test_the_life_of_a_stack(self):
        template = {"Description": "two queues", "Resources": {
            "Dead": {"Type": QUEUE, "Properties": {"MessageRetentionPeriod": 1209600}},
            "Jobs": {"Type": QUEUE, "Properties": {"VisibilityTimeout": 30, "RedrivePolicy": {
                "deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3}}}},
            "Outputs": {"Url": {"Value": {"Ref": "Jobs"}}, "Name": {"Value": {"Fn::GetAtt": ["Jobs", "QueueName"]}, "Description": "its name"}}}
        stack = self.create("life", template, Tags=[{"Key": "team", "Value": "red"}])
        out = self.outputs(stack)
        self.assertEqual(stack["Description"], "two queues")
        self.assertRegex(out["Name"], r"^life-Jobs-[A-Z0-9]{12}$")
        got = self.sqs.get_queue_attributes(QueueUrl=out["Url"], AttributeNames=["All"])["Attributes"]
        self.assertEqual((got["VisibilityTimeout"], json.loads(got["RedrivePolicy"])["maxReceiveCount"]), ("30", 3))
        tags = self.sqs.list_queue_tags(QueueUrl=out["Url"])["Tags"]
        self.assertEqual((tags["team"], tags["aws:cloudformation:stack-name"], tags["aws:cloudformation:logical-id"]), ("red", "life", "Jobs"))
        events = self.reasons("life")
        self.assertEqual(events[-1], ("life", "CREATE_IN_PROGRESS", "User Initiated"))
        self.assertEqual(events[0][:2], ("life", "CREATE_COMPLETE"))
        order = [e[0] for e in events if e[1] == "CREATE_COMPLETE"]
        self.assertEqual(order, ["life", "Jobs", "Dead"])

        # In place: the same queue with another attribute.
        template["Resources"]["Jobs"]["Properties"]["VisibilityTimeout"] = 60
        self.update("life", template)
        self.assertEqual(self.physical("life", "Jobs"), out["Url"])
        self.assertEqual(self.sqs.get_queue_attributes(QueueUrl=out["Url"], AttributeNames=["VisibilityTimeout"])["Attributes"]["VisibilityTimeout"], "60")
        # Replaced: a queue's name cannot change; the old one goes.
        template["Resources"]["Jobs"]["Properties"]["QueueName"] = "named"
        self.update("life", template)
        new = self.physical("life", "Jobs")
        self.assertTrue(new.endswith("/named"))
        self.assertFalse(self.queue_exists(out["Url"]))
        # Taken out of the template: removed.
        dead = self.physical("life", "Dead")
        del template["Resources"]["Jobs"]["Properties"]["RedrivePolicy"], template["Resources"]["Dead"]
        self.update("life", template)
        self.assertFalse(self.queue_exists(dead))
        self.error("ValidationError", "No updates are to be performed.", self.cfn.update_stack, StackName="life", TemplateBody=json.dumps(template))
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE")
        self.assertFalse(self.queue_exists(new))
        self.error("ValidationError", "Stack with id life does not exist", self.cfn.describe_stacks, StackName="life")
        self.assertIn(stack["StackId"], [s["StackId"] for s in self.cfn.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]])

    def test_waiters_and_listings(self):
        self.create("listed", {"Resources": {"Q": {"Type": QUEUE}}})
        self.cfn.get_waiter("stack_create_complete").wait(StackName="listed", WaiterConfig={"Delay": 1})
        self.assertIn("listed", [s["StackName"] for s in self.cfn.describe_stacks()["Stacks"]])
        [r] = self.cfn.list_stack_resources(StackName="listed")["StackResourceSummaries"]
        self.assertEqual((r["LogicalResourceId"], r["ResourceType"], r["ResourceStatus"]), ("Q", QUEUE, "CREATE_COMPLETE"))
        [r] = self.cfn.describe_stack_resources(StackName="listed")["StackResources"]
        self.assertEqual(r["StackName"], "listed")
        self.assertEqual(self.cfn.get_template(StackName="listed")["TemplateBody"], {"Resources": {"Q": {"Type": QUEUE}}})
        self.cfn.update_termination_protection(StackName="listed", EnableTerminationProtection=True)
        self.error("ValidationError", "cannot be deleted while TerminationProtection is enabled", self.cfn.delete_stack, StackName="listed")
        self.cfn.update_termination_protection(StackName="listed", EnableTerminationProtection=False)

    def test_yaml_and_functions(self):
        stack = self.create("functions", """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Stage: {Type: String, Default: test, AllowedValues: [test, prod]}
  Sizes: {Type: CommaDelimitedList, Default: "1, 2,3"}
  Count: {Type: Number, Default: 2, MinValue: 1}
Mappings:
  Timeouts:
    test: {seconds: 11}
    prod: {seconds: 22}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  NotProd: !Not [!Condition IsProd]
  Both: !And [!Condition NotProd, !Equals [!Ref Count, "2"]]
Resources:
  Q:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: !FindInMap [Timeouts, !Ref Stage, seconds]
      DelaySeconds: !If [IsProd, 5, !Ref AWS::NoValue]
  OnlyProd:
    Type: AWS::SQS::Queue
    Condition: IsProd
  P:
    Type: AWS::SSM::Parameter
    Properties:
      Type: String
      Name: !Sub "/${AWS::StackName}/${Stage}"
      Value: !Sub ["${x}-${Q.QueueName}-${!literal}", {x: !Select [1, !Ref Sizes]}]
Outputs:
  Joined: {Value: !Join ["|", !Ref Sizes]}
  Split: {Value: !Select [2, !Split ["-", a-b-c]]}
  Encoded: {Value: !Base64 hello}
  Cidrs: {Value: !Join [" ", !Cidr [10.0.0.0/16, 3, 8]]}
  Both: {Value: yes-both, Condition: Both}
  Prod: {Value: never, Condition: IsProd}
  Where: {Value: !Sub "${AWS::Region}.${AWS::AccountId}.${AWS::Partition}.${AWS::URLSuffix}"}
""")
        out = self.outputs(stack)
        self.assertEqual(out["Joined"], "1|2|3")
        self.assertEqual((out["Split"], out["Encoded"], out["Both"]), ("c", "aGVsbG8=", "yes-both"))
        self.assertEqual(out["Cidrs"], "10.0.0.0/24 10.0.1.0/24 10.0.2.0/24")
        self.assertEqual(out["Where"], "us-east-1.000000000000.aws.amazonaws.com")
        self.assertNotIn("Prod", out)
        q = self.physical("functions", "Q")
        attributes = self.sqs.get_queue_attributes(QueueUrl=q, AttributeNames=["All"])["Attributes"]
        self.assertEqual((attributes["VisibilityTimeout"], attributes["DelaySeconds"]), ("11", "0"))
        value = self.ssm.get_parameter(Name="/functions/test")["Parameter"]["Value"]
        self.assertEqual(value, f"2-{q.rsplit('/', 1)[1]}-${{literal}}")
        self.assertEqual({r["LogicalResourceId"] for r in self.cfn.describe_stack_resources(StackName="functions")["StackResources"]}, {"Q", "P"})
        # The other stage: another mapping, one more queue; given values stay.
        self.cfn.update_stack(StackName="functions", UsePreviousTemplate=True, Parameters=[
            {"ParameterKey": "Stage", "ParameterValue": "prod"}, {"ParameterKey": "Sizes", "UsePreviousValue": True}])
        stack = self.settle("functions")
        self.assertEqual((stack["StackStatus"], self.outputs(stack)["Prod"]), ("UPDATE_COMPLETE", "never"))
        self.assertTrue(self.queue_exists(self.physical("functions", "OnlyProd")))

    def test_references_to_parameters_and_secrets(self):
        self.ssm.put_parameter(Name="/cfn/timeout", Type="String", Value="17")
        secret = self.virga.client("secretsmanager").create_secret(Name="cfn/secret", SecretString='{"n": "s3cr3t"}')
        self.addCleanup(self.virga.client("secretsmanager").delete_secret, SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
        stack = self.create("dynamic", {
            "Parameters": {"T": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cfn/timeout"}, "Hidden": {"Type": "String", "NoEcho": True, "Default": "x"}},
            "Resources": {"Q": {"Type": QUEUE, "Properties": {"VisibilityTimeout": {"Ref": "T"}, "DelaySeconds": "{{resolve:ssm:/cfn/timeout}}"}},
                          "P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "{{resolve:secretsmanager:cfn/secret:SecretString:n}}"}}}})
        got = self.sqs.get_queue_attributes(QueueUrl=self.physical("dynamic", "Q"), AttributeNames=["All"])["Attributes"]
        self.assertEqual((got["VisibilityTimeout"], got["DelaySeconds"]), ("17", "17"))
        self.assertEqual(self.ssm.get_parameter(Name=self.physical("dynamic", "P"))["Parameter"]["Value"], "s3cr3t")
        parameters = {p["ParameterKey"]: p for p in stack["Parameters"]}
        self.assertEqual((parameters["T"]["ParameterValue"], parameters["T"]["ResolvedValue"], parameters["Hidden"]["ParameterValue"]), ("/cfn/timeout", "17", "****"))

    def test_exports(self):
        exporting = self.create("exporting", {"Resources": {"Q": {"Type": QUEUE}}, "Outputs": {"A": {"Value": {"Fn::GetAtt": ["Q", "Arn"]}, "Export": {"Name": "queue-arn"}}}})
        importing = {"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::ImportValue": "queue-arn"}}}}}
        importing = self.create("importing", importing)
        self.assertEqual(self.cfn.list_imports(ExportName="queue-arn")["Imports"], ["importing"])
        [e] = [e for e in self.cfn.list_exports()["Exports"] if e["Name"] == "queue-arn"]
        self.assertIn(":stack/exporting/", e["ExportingStackId"])
        self.error("ValidationError", "Export queue-arn cannot be deleted as it is in use by importing", self.cfn.delete_stack, StackName="exporting")
        second = self.create("exporting2", {"Resources": {"Q": {"Type": QUEUE}}, "Outputs": {"A": {"Value": "x", "Export": {"Name": "queue-arn"}}}}, "ROLLBACK_COMPLETE")
        self.assertIn("is already exported by stack", str(self.reasons(second["StackId"])))
        self.remove(importing["StackId"])
        self.remove(exporting["StackId"])
        self.assertEqual([e for e in self.cfn.list_exports()["Exports"] if e["Name"] == "queue-arn"], [])

    def test_language_extensions(self):
        self.create("loops", {"Transform": "AWS::LanguageExtensions", "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": "One,Two"}}, "Resources": {
            "Fn::ForEach::Queues": ["Name", {"Ref": "Names"}, {"Queue${Name}": {"Type": QUEUE, "Properties": {"QueueName": {"Fn::Sub": "loop-${Name}"}}}}],
            "P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::ToJsonString": {"n": {"Fn::Length": {"Ref": "Names"}}}}}}}})
        self.assertTrue(self.physical("loops", "QueueTwo").endswith("/loop-Two"))
        self.assertEqual(self.ssm.get_parameter(Name=self.physical("loops", "P"))["Parameter"]["Value"], '{"n":2}')
        self.assertIn("QueueOne", str(self.cfn.get_template(StackName="loops", TemplateStage="Processed")["TemplateBody"]))


class Failures(Case):
    def test_creation_that_fails_is_rolled_back(self):
        template = {"Resources": {"Good": {"Type": QUEUE}, "Bad": {"Type": QUEUE, "DependsOn": "Good", "Properties": {"DelaySeconds": 100000}}}}
        stack = self.create("fails", template, "ROLLBACK_COMPLETE")
        events = self.reasons(stack["StackId"])
        self.assertIn(("fails", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Bad]. Rollback requested by user."), events)
        self.assertIn(("Good", "DELETE_COMPLETE", None), events)
        [bad] = [e for e in events if e[:2] == ("Bad", "CREATE_FAILED")]
        self.assertIn("DelaySeconds", bad[2])
        self.error("ValidationError", "is in ROLLBACK_COMPLETE state and can not be updated", self.cfn.update_stack, StackName="fails", TemplateBody=json.dumps(template))
        with self.assertRaises(WaiterError):
            self.cfn.get_waiter("stack_create_complete").wait(StackName="fails", WaiterConfig={"Delay": 1})
        kept = self.create("kept", template, "CREATE_FAILED", OnFailure="DO_NOTHING")
        self.assertTrue(self.queue_exists(self.physical(kept["StackId"], "Good")))
        gone = self.cfn.create_stack(StackName="gone", TemplateBody=json.dumps(template), OnFailure="DELETE")["StackId"]
        self.assertEqual(self.settle(gone)["StackStatus"], "DELETE_COMPLETE")

    def test_update_that_fails_goes_back(self):
        first = {"Resources": {"A": {"Type": QUEUE, "Properties": {"VisibilityTimeout": 10}}, "B": {"Type": QUEUE, "Properties": {"QueueName": "update-b1"}}}}
        self.create("back", first)
        a, b = self.physical("back", "A"), self.physical("back", "B")
        second = {"Resources": {"A": {"Type": QUEUE, "Properties": {"VisibilityTimeout": 20}}, "B": {"Type": QUEUE, "Properties": {"QueueName": "update-b2"}},
                                "New": {"Type": QUEUE}, "Bad": {"Type": QUEUE, "DependsOn": ["A", "B", "New"], "Properties": {"DelaySeconds": 100000}}}}
        self.update("back", second, "UPDATE_ROLLBACK_COMPLETE")
        self.assertEqual((self.physical("back", "A"), self.physical("back", "B")), (a, b))
        self.assertEqual(self.sqs.get_queue_attributes(QueueUrl=a, AttributeNames=["All"])["Attributes"]["VisibilityTimeout"], "10")
        self.assertTrue(self.queue_exists(b))
        self.assertFalse(self.queue_exists(b.replace("update-b1", "update-b2")))
        self.assertEqual({r["LogicalResourceId"] for r in self.cfn.describe_stack_resources(StackName="back")["StackResources"]}, {"A", "B"})
        # The name of a queue that was deleted is free again after a minute only.
        del second["Resources"]["Bad"], second["Resources"]["B"]["Properties"]["QueueName"]
        self.update("back", second)

    def test_policies_of_deletion(self):
        template = {"Resources": {"Kept": {"Type": QUEUE, "DeletionPolicy": "Retain"}, "Gone": {"Type": QUEUE}}}
        stack = self.create("retain", template)
        kept, gone = self.physical("retain", "Kept"), self.physical("retain", "Gone")
        self.remove(stack["StackId"])
        self.assertEqual((self.queue_exists(kept), self.queue_exists(gone)), (True, False))
        self.assertIn(("Kept", "DELETE_SKIPPED", None), self.reasons(stack["StackId"]))
        self.sqs.delete_queue(QueueUrl=kept)

    def test_templates_that_are_refused(self):
        def refuse(template, text, code="ValidationError", **kw):
            body = template if isinstance(template, str) else json.dumps(template)
            self.error(code, text, self.cfn.create_stack, StackName="refused", TemplateBody=body, **kw)
        q = {"Type": QUEUE}
        refuse({"Resources": {}}, "At least one Resources member must be defined")
        refuse("{", "not well-formed")
        refuse("a: [", "not well-formed")
        refuse("Resources: &a\n  Q: {Type: AWS::SQS::Queue}\nOutputs: *a", "aliases")
        refuse("Resources:\n  Q: {Type: AWS::SQS::Queue}\n  Q: {Type: AWS::SQS::Queue}", "twice")
        refuse({"Resources": {"A": {**q, "DependsOn": "B"}, "B": {**q, "DependsOn": "A"}}}, "Circular dependency between resources: [A, B]")
        refuse({"Resources": {"A": {**q, "Properties": {"QueueName": {"Ref": "None"}}}}}, "Unresolved resource dependencies [None] in the Resources block of the template")
        refuse({"Resources": {"A": {**q, "Properties": {"QueueName": {"Fn::GetAtt": ["X", "Y"]}}}}}, "references undefined resource X")
        refuse({"Resources": {"A": {"Type": "AWS::No::Such"}}}, "Unrecognized resource types: [AWS::No::Such]")
        refuse({"Resources": {"A": {}}}, "must contain a Type member")
        refuse({"Resources": {"A": q}, "What": {}}, "Invalid template property or properties [What]")
        refuse({"Resources": {"A-b": q}}, "non alphanumeric")
        refuse({"Resources": {"A": {**q, "DeletionPolicy": "Keep"}}}, "DeletionPolicy")
        refuse({"Resources": {"A": {**q, "Properties": None}}}, "'null' values are not allowed in templates")
        refuse({"Parameters": {"P": {"Type": "String"}}, "Resources": {"A": q}}, "Parameters: [P] must have values")
        refuse({"Resources": {"A": q}}, "Parameters: [P] do not exist in the template", Parameters=[{"ParameterKey": "P", "ParameterValue": "x"}])
        limited = {"Parameters": {"P": {"Type": "String", "AllowedPattern": "[a-z]+", "MaxLength": 3}}, "Resources": {"A": q}}
        refuse(limited, "must match pattern [a-z]+", Parameters=[{"ParameterKey": "P", "ParameterValue": "A"}])
        refuse(limited, "must contain at most 3 characters", Parameters=[{"ParameterKey": "P", "ParameterValue": "abcd"}])
        refuse({"Conditions": {"A": {"Condition": "B"}, "B": {"Condition": "A"}}, "Resources": {"Q": q}}, "Circular dependency between conditions")
        refuse({"Resources": {"A": {**q, "Condition": "No"}}}, "Unresolved condition dependency No")
        refuse({"Transform": "Some::Macro", "Resources": {"A": q}}, "No transform named Some::Macro found.")
        refuse({"Resources": {f"Q{i}": q for i in range(501)}}, "greater than maximum allowed, 500")
        refuse("x" * 60000, "51200")
        self.error("ValidationError", "does not exist", self.cfn.describe_stacks, StackName="refused")

    def test_properties_are_checked(self):
        for properties, text in (({"Colour": "red"}, "extraneous key [Colour] is not permitted"), ({"DelaySeconds": ["x"]}, "#/DelaySeconds: expected type: Integer, found: JSONArray")):
            stack = self.create("properties", {"Resources": {"Q": {"Type": QUEUE, "Properties": properties}}}, "ROLLBACK_COMPLETE")
            self.assertIn(text, str(self.reasons(stack["StackId"])))
            self.remove(stack["StackId"])


class ChangeSets(Case):
    def test_a_change_set_tells_and_does(self):
        first = {"Resources": {"A": {"Type": QUEUE}, "B": {"Type": QUEUE}, "C": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "A"}}}}}
        made = self.cfn.create_change_set(StackName="set", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(first))
        self.addCleanup(self.remove, made["StackId"])
        self.assertEqual(self.cfn.describe_stacks(StackName="set")["Stacks"][0]["StackStatus"], "REVIEW_IN_PROGRESS")
        self.cfn.get_waiter("change_set_create_complete").wait(StackName="set", ChangeSetName="first", WaiterConfig={"Delay": 1})
        told = self.cfn.describe_change_set(ChangeSetName=made["Id"])
        self.assertEqual(sorted((c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"]) for c in told["Changes"]), [("Add", "A"), ("Add", "B"), ("Add", "C")])
        self.cfn.execute_change_set(ChangeSetName="first", StackName="set")
        self.assertEqual(self.settle("set")["StackStatus"], "CREATE_COMPLETE")
        second = {"Resources": {"A": {"Type": QUEUE, "Properties": {"QueueName": "set-a"}}, "C": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "A"}}}}}
        self.cfn.create_change_set(StackName="set", ChangeSetName="second", TemplateBody=json.dumps(second))
        told = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in self.cfn.describe_change_set(StackName="set", ChangeSetName="second")["Changes"]}
        self.assertEqual((told["A"]["Action"], told["A"]["Replacement"]), ("Modify", "True"))
        self.assertEqual((told["B"]["Action"], told["C"]["Replacement"]), ("Remove", "False"))
        self.assertEqual(told["A"]["Details"][0]["Target"]["RequiresRecreation"], "Always")
        self.assertEqual([s["ChangeSetName"] for s in self.cfn.list_change_sets(StackName="set")["Summaries"] if s["ExecutionStatus"] == "AVAILABLE"], ["second"])
        self.cfn.execute_change_set(ChangeSetName="second", StackName="set")
        self.assertEqual(self.settle("set")["StackStatus"], "UPDATE_COMPLETE")
        self.assertTrue(self.ssm.get_parameter(Name=self.physical("set", "C"))["Parameter"]["Value"].endswith("/set-a"))
        self.cfn.create_change_set(StackName="set", ChangeSetName="none", TemplateBody=json.dumps(second))
        told = self.cfn.describe_change_set(StackName="set", ChangeSetName="none")
        self.assertEqual(told["Status"], "FAILED")
        self.assertIn("didn't contain changes", told["StatusReason"])
        self.error("InvalidChangeSetStatus", "cannot be executed", self.cfn.execute_change_set, StackName="set", ChangeSetName="none")
        self.cfn.delete_change_set(StackName="set", ChangeSetName="none")
        self.error("ChangeSetNotFound", "does not exist", self.cfn.describe_change_set, StackName="set", ChangeSetName="none")

    def test_summaries(self):
        body = json.dumps({"Description": "d", "Parameters": {"P": {"Type": "String", "Default": "x", "NoEcho": True}}, "Resources": {"Q": {"Type": QUEUE}, "R": {"Type": "AWS::IAM::Role"}}})
        v = self.cfn.validate_template(TemplateBody=body)
        self.assertEqual((v["Description"], v["Parameters"][0]["NoEcho"], v["Capabilities"]), ("d", True, ["CAPABILITY_IAM"]))
        s = self.cfn.get_template_summary(TemplateBody=body)
        self.assertEqual((sorted(s["ResourceTypes"]), s["Parameters"][0]["DefaultValue"]), (["AWS::IAM::Role", QUEUE], "x"))
        self.error("ValidationError", "Unresolved resource dependencies", self.cfn.validate_template, TemplateBody=json.dumps({"Resources": {"Q": {"Type": QUEUE, "DependsOn": "N"}}}))

    def test_template_from_a_bucket(self):
        s3 = self.virga.client("s3")
        s3.create_bucket(Bucket="cfn-templates")
        s3.put_object(Bucket="cfn-templates", Key="a b.json", Body=json.dumps({"Resources": {"Q": {"Type": QUEUE}}}))
        urls = (f"{self.virga.endpoint}/cfn-templates/a%20b.json", "https://cfn-templates.s3.amazonaws.com/a%20b.json",
                "https://s3.us-east-1.amazonaws.com/cfn-templates/a%20b.json")
        for i, url in enumerate(urls):
            id = self.cfn.create_stack(StackName=f"bucket{i}", TemplateURL=url)["StackId"]
            self.assertEqual(self.settle(id)["StackStatus"], "CREATE_COMPLETE")
            self.remove(id)
        self.error("ValidationError", "S3 error", self.cfn.create_stack, StackName="x", TemplateURL=f"{self.virga.endpoint}/cfn-templates/none")


class Crash(unittest.TestCase):
    def test_a_stack_deleted_while_it_is_made_leaves_nothing(self):
        with Virga("--durability", "relaxed") as v:
            case = Case()
            case.cfn = v.client("cloudformation")
            body = json.dumps({"Resources": {f"Q{i}": {"Type": QUEUE, "DependsOn": [f"Q{i - 9}"]} if i > 8 else {"Type": QUEUE} for i in range(40)}})
            for i in range(10):
                id = case.cfn.create_stack(StackName=f"early{i}", TemplateBody=body)["StackId"]
                case.cfn.delete_stack(StackName=id)
                self.assertEqual(case.settle(id)["StackStatus"], "DELETE_COMPLETE")
            self.assertEqual(v.client("sqs").list_queues().get("QueueUrls", []), [])

    def test_stacks_go_on_after_a_crash(self):
        with Virga("--durability", "relaxed") as v:
            body = json.dumps({"Resources": {f"Q{i}": {"Type": QUEUE, **({"DependsOn": f"Q{i - 1}"} if i else {})} for i in range(40)}})
            ids = [v.client("cloudformation").create_stack(StackName=f"crash{i}", TemplateBody=body)["StackId"] for i in range(3)]
            for round in range(4):
                v.restart()
                if round == 1:
                    v.client("cloudformation").delete_stack(StackName=ids[2])
            case = Case()
            case.cfn = v.client("cloudformation")
            self.assertEqual([case.settle(i)["StackStatus"] for i in ids], ["CREATE_COMPLETE", "CREATE_COMPLETE", "DELETE_COMPLETE"])
            queues = v.client("sqs").list_queues(MaxResults=1000).get("QueueUrls", [])
            self.assertEqual(len(queues), 80)
            case.remove(ids[0])
            self.assertEqual(len(v.client("sqs").list_queues(MaxResults=1000).get("QueueUrls", [])), 40)


if __name__ == "__main__":
    unittest.main()
