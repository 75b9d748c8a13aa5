"""CloudFormation's stack sets: stacks in several accounts and regions, by roles of their own or for an organization."""
import json
import time
import unittest

from cloudformation_case import Case, outputs

TEMPLATE = {"Parameters": {"Delay": {"Type": "Number", "Default": 1}}, "Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {
    "QueueName": {"Fn::Sub": "set-${AWS::Region}"}, "DelaySeconds": {"Ref": "Delay"}}}}}
ONE, TWO, THREE = "111111111111", "222222222222", "333333333333"


class StackSets(Case):
    SERVICES = ("iam", "organizations")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        trust = lambda principal: json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})  # noqa: E731
        name = "AWSCloudFormationStackSetAdministrationRole"
        cls.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"Service": "cloudformation.amazonaws.com"}))
        cls.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::*:role/AWSCloudFormationStackSetExecutionRole"}]}))
        for account in (ONE, TWO):
            iam = cls.virga.client("iam", key=account)
            iam.create_role(RoleName="AWSCloudFormationStackSetExecutionRole", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::000000000000:role/{name}"}))
            iam.attach_role_policy(RoleName="AWSCloudFormationStackSetExecutionRole", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")

    def refused(self, code, call, **kw):
        with self.assertRaises(self.cfn.exceptions.ClientError) as raised:
            call(**kw)
        self.assertEqual(raised.exception.response["Error"]["Code"], code, raised.exception)
        return str(raised.exception)

    def over(self, set, id, status="SUCCEEDED", limit=120):
        end = time.monotonic() + limit
        while True:
            o = self.cfn.describe_stack_set_operation(StackSetName=set, OperationId=id)["StackSetOperation"]
            if o["Status"] not in ("RUNNING", "QUEUED", "STOPPING"):
                self.assertEqual(o["Status"], status, self.results(set, id))
                return o
            self.assertLess(time.monotonic(), end, o)
            time.sleep(0.02)

    def results(self, set, id):
        all = self.cfn.list_stack_set_operation_results(StackSetName=set, OperationId=id)["Summaries"]
        return {(r["Account"], r["Region"]): (r["Status"], r.get("StatusReason")) for r in all}

    def instances(self, set):
        return {(i["Account"], i["Region"]): (i["Status"], i["StackInstanceStatus"]["DetailedStatus"]) for i in self.cfn.list_stack_instances(StackSetName=set)["Summaries"]}

    def delay(self, account, region, name=None):
        sqs = self.virga.client("sqs", key=account, region=region)
        url = sqs.get_queue_url(QueueName=name or f"set-{region}")["QueueUrl"]
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"]

    def create_set(self, name, template=TEMPLATE, **kw):
        return self.cfn.create_stack_set(StackSetName=name, TemplateBody=json.dumps(template), **kw)["StackSetId"]

    def test_self_managed(self):
        id = self.create_set("set", Parameters=[{"ParameterKey": "Delay", "ParameterValue": "2"}], Tags=[{"Key": "a", "Value": "b"}])
        self.refused("NameAlreadyExistsException", self.create_set, name="set")
        where = {"Accounts": [ONE, TWO], "Regions": ["eu-west-1", "us-east-1"]}
        op = self.cfn.create_stack_instances(StackSetName="set", OperationPreferences={"MaxConcurrentCount": 2, "RegionOrder": ["us-east-1", "eu-west-1"]}, **where)["OperationId"]
        self.assertEqual(self.over("set", op)["Action"], "CREATE")
        self.assertEqual(self.instances("set"), {(a, r): ("CURRENT", "SUCCEEDED") for a in (ONE, TWO) for r in ("eu-west-1", "us-east-1")})
        self.assertEqual({self.delay(a, r) for a in (ONE, TWO) for r in where["Regions"]}, {"2"})
        i = self.cfn.describe_stack_instance(StackSetName=id, StackInstanceAccount=ONE, StackInstanceRegion="eu-west-1")["StackInstance"]
        there = self.virga.client("cloudformation", key=ONE, region="eu-west-1")
        stack = there.describe_stacks(StackName=i["StackId"])["Stacks"][0]
        self.assertTrue(stack["StackName"].startswith("StackSet-set-"))
        self.assertEqual(stack["Tags"], [{"Key": "a", "Value": "b"}])
        # One instance's own value stays when the set's changes.
        op = self.cfn.update_stack_instances(StackSetName="set", Accounts=[TWO], Regions=["us-east-1"],
                                             ParameterOverrides=[{"ParameterKey": "Delay", "ParameterValue": "7"}])["OperationId"]
        self.over("set", op)
        op = self.cfn.update_stack_set(StackSetName="set", UsePreviousTemplate=True, Parameters=[{"ParameterKey": "Delay", "ParameterValue": "3"}],
                                       OperationPreferences={"RegionConcurrencyType": "PARALLEL", "MaxConcurrentPercentage": 100, "FailureToleranceCount": 1})["OperationId"]
        self.virga.restart()
        self.over("set", op)
        self.assertEqual([self.delay(a, r) for a, r in ((ONE, "us-east-1"), (ONE, "eu-west-1"), (TWO, "eu-west-1"), (TWO, "us-east-1"))], ["3", "3", "3", "7"])
        sqs = self.virga.client("sqs", key=ONE, region="eu-west-1")
        sqs.set_queue_attributes(QueueUrl=sqs.get_queue_url(QueueName="set-eu-west-1")["QueueUrl"], Attributes={"DelaySeconds": "9"})
        op = self.cfn.detect_stack_set_drift(StackSetName="set")["OperationId"]
        self.over("set", op)
        drift = self.cfn.describe_stack_set(StackSetName="set")["StackSet"]["StackSetDriftDetectionDetails"]
        self.assertEqual((drift["DriftStatus"], drift["TotalStackInstancesCount"], drift["DriftedStackInstancesCount"], drift["InSyncStackInstancesCount"]), ("DRIFTED", 4, 1, 3))
        in_it = {"StackSetName": "set", "StackInstanceAccount": ONE, "StackInstanceRegion": "eu-west-1"}
        [found] = self.cfn.list_stack_instance_resource_drifts(**in_it, OperationId=op, StackInstanceResourceDriftStatuses=["MODIFIED"])["Summaries"]
        self.assertEqual((found["ResourceType"], [(d["PropertyPath"], d["ExpectedValue"], d["ActualValue"]) for d in found["PropertyDifferences"]]),
                         ("AWS::SQS::Queue", [("/DelaySeconds", "3", "9")]))
        in_it["StackInstanceRegion"] = "us-east-1"
        self.assertEqual({s["StackResourceDriftStatus"] for s in self.cfn.list_stack_instance_resource_drifts(**in_it, OperationId=op)["Summaries"]}, {"IN_SYNC"})
        self.refused("OperationNotFoundException", self.cfn.list_stack_instance_resource_drifts, **in_it, OperationId="another")
        self.refused("StackSetNotEmptyException", self.cfn.delete_stack_set, StackSetName="set")
        op = self.cfn.delete_stack_instances(StackSetName="set", RetainStacks=True, Accounts=[ONE], Regions=["eu-west-1"])["OperationId"]
        self.over("set", op)
        self.assertEqual(there.describe_stacks(StackName=i["StackId"])["Stacks"][0]["StackStatus"], "UPDATE_COMPLETE")
        self.remove_all("set", {"Accounts": [ONE, TWO], "Regions": where["Regions"]})
        self.refused("StackSetNotFoundException", self.cfn.describe_stack_set, StackSetName="set")
        self.assertIn(("set", "DELETED"), [(s["StackSetName"], s["Status"]) for s in self.cfn.list_stack_sets()["Summaries"]])
        there.delete_stack(StackName=i["StackId"])

    def remove_all(self, set, where):
        self.over(set, self.cfn.delete_stack_instances(StackSetName=set, RetainStacks=False, **where)["OperationId"])
        self.assertEqual(self.instances(set), {})
        self.cfn.delete_stack_set(StackSetName=set)

    def test_failures_and_tolerance(self):
        template = json.loads(json.dumps(TEMPLATE).replace("set-$", "fails-$"))
        self.create_set("fails", template)
        # No execution role in the third account: by the second failure the rest is cancelled.
        op = self.cfn.create_stack_instances(StackSetName="fails", Accounts=[THREE, ONE], Regions=["us-east-1", "us-west-2"])["OperationId"]
        self.over("fails", op, "FAILED")
        found = self.results("fails", op)
        self.assertEqual({k: v[0] for k, v in found.items()}, {
            (THREE, "us-east-1"): "FAILED", (ONE, "us-east-1"): "CANCELLED", (ONE, "us-west-2"): "CANCELLED", (THREE, "us-west-2"): "CANCELLED"})
        self.assertEqual(found[THREE, "us-east-1"][1], f"Account {THREE} should have 'AWSCloudFormationStackSetExecutionRole' role with trust relationship to Role "
                         "'AWSCloudFormationStackSetAdministrationRole'.")
        op = self.cfn.create_stack_instances(StackSetName="fails", Accounts=[THREE, ONE], Regions=["us-east-1", "us-west-2"],
                                             OperationPreferences={"FailureToleranceCount": 1})["OperationId"]
        self.over("fails", op)
        self.assertEqual({k: v[0] for k, v in self.results("fails", op).items()}, {
            (THREE, "us-east-1"): "FAILED", (ONE, "us-east-1"): "SUCCEEDED", (ONE, "us-west-2"): "SUCCEEDED", (THREE, "us-west-2"): "FAILED"})
        # A stack that fails tells why, and is made anew by the next update.
        bad = json.loads(json.dumps(template))
        bad["Resources"]["Q"]["Properties"]["DelaySeconds"] = 901
        op = self.cfn.update_stack_set(StackSetName="fails", TemplateBody=json.dumps(bad), Accounts=[ONE], Regions=["us-east-1"])["OperationId"]
        self.over("fails", op, "FAILED")
        self.assertIn("ResourceLogicalId:Q, ResourceType:AWS::SQS::Queue", self.results("fails", op)[ONE, "us-east-1"][1])
        self.assertEqual(self.instances("fails")[ONE, "us-west-2"], ("OUTDATED", "SUCCEEDED"))
        self.refused("StackInstanceNotFoundException", self.cfn.update_stack_instances, StackSetName="fails", Accounts=[TWO], Regions=["us-east-1"])
        self.refused("ValidationError", self.cfn.create_stack_instances, StackSetName="fails", Accounts=[ONE], Regions=["us-east-1"],
                     ParameterOverrides=[{"ParameterKey": "None", "ParameterValue": "1"}])
        self.refused("OperationNotFoundException", self.cfn.describe_stack_set_operation, StackSetName="fails", OperationId="none")
        self.refused("InvalidOperationException", self.cfn.stop_stack_set_operation, StackSetName="fails", OperationId=op)
        self.remove_all("fails", {"Accounts": [ONE, THREE], "Regions": ["us-east-1", "us-west-2"]})

    def test_stopping(self):
        waiting = {"Resources": {"H": {"Type": "AWS::CloudFormation::WaitConditionHandle"}, "W": {"Type": "AWS::CloudFormation::WaitCondition", "Properties": {
            "Handle": {"Ref": "H"}, "Timeout": "5", "Count": 1}}}}
        self.create_set("stops", waiting)
        op = self.cfn.create_stack_instances(StackSetName="stops", Accounts=[ONE, TWO], Regions=["us-east-1"])["OperationId"]
        end = time.monotonic() + 60
        while self.results("stops", op)[ONE, "us-east-1"][0] != "RUNNING":
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        self.refused("OperationInProgressException", self.cfn.update_stack_set, StackSetName="stops", UsePreviousTemplate=True)
        self.refused("OperationInProgressException", self.cfn.delete_stack_set, StackSetName="stops")
        self.cfn.stop_stack_set_operation(StackSetName="stops", OperationId=op)
        self.over("stops", op, "STOPPED")
        self.assertEqual({k[0]: v[0] for k, v in self.results("stops", op).items()}, {ONE: "FAILED", TWO: "CANCELLED"})
        self.remove_all("stops", {"Accounts": [ONE, TWO], "Regions": ["us-east-1"]})

    def test_as_a_resource(self):
        inner = json.loads(json.dumps(TEMPLATE).replace("set-$", "resource-$"))
        group = lambda *regions, **kw: {"DeploymentTargets": {"Accounts": [ONE]}, "Regions": list(regions), **kw}  # noqa: E731
        template = lambda *groups: {"Resources": {"Set": {"Type": "AWS::CloudFormation::StackSet", "Properties": {  # noqa: E731
            "StackSetName": "resource", "PermissionModel": "SELF_MANAGED", "TemplateBody": json.dumps(inner), "StackInstancesGroup": list(groups)}}},
            "Outputs": {"Id": {"Value": {"Ref": "Set"}}}}
        stack = self.create("sets", template(group("us-east-1")))
        self.assertTrue(outputs(stack)["Id"].startswith("resource:"))
        self.assertEqual(self.delay(ONE, "us-east-1", "resource-us-east-1"), "1")
        self.update("sets", template(group("us-west-1", ParameterOverrides=[{"ParameterKey": "Delay", "ParameterValue": "4"}])))
        self.assertEqual(self.instances("resource"), {(ONE, "us-west-1"): ("CURRENT", "SUCCEEDED")})
        self.assertEqual(self.delay(ONE, "us-west-1", "resource-us-west-1"), "4")
        self.assertEqual(self.remove(stack["StackId"])["StackStatus"], "DELETE_COMPLETE")
        self.refused("StackSetNotFoundException", self.cfn.describe_stack_set, StackSetName="resource")

    def test_for_an_organization(self):
        master = "999999999999"
        cfn, org = self.virga.client("cloudformation", key=master), self.virga.client("organizations", key=master)
        self.refused("ValidationError", cfn.create_stack_set, StackSetName="all", TemplateBody=json.dumps(TEMPLATE), PermissionModel="SERVICE_MANAGED")
        org.create_organization(FeatureSet="ALL")
        cfn.activate_organizations_access()
        self.assertEqual(cfn.describe_organizations_access()["Status"], "ENABLED")
        root = org.list_roots()["Roots"][0]["Id"]
        unit = org.create_organizational_unit(ParentId=root, Name="apps")["OrganizationalUnit"]["Id"]

        def account(name):
            id = org.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]["Id"]
            end = time.monotonic() + 60
            while (s := org.describe_create_account_status(CreateAccountRequestId=id)["CreateAccountStatus"])["State"] == "IN_PROGRESS":
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)
            return s["AccountId"]
        first, second = account("first"), account("second")
        org.move_account(AccountId=first, SourceParentId=root, DestinationParentId=unit)
        template = json.loads(json.dumps(TEMPLATE).replace("set-$", "org-$"))
        cfn.create_stack_set(StackSetName="all", TemplateBody=json.dumps(template), PermissionModel="SERVICE_MANAGED",
                             AutoDeployment={"Enabled": True, "RetainStacksOnAccountRemoval": False})
        self.refused("ValidationError", cfn.create_stack_instances, StackSetName="all", Accounts=[first], Regions=["us-east-1"])
        op = cfn.create_stack_instances(StackSetName="all", DeploymentTargets={"OrganizationalUnitIds": [unit]}, Regions=["us-east-1"])["OperationId"]
        own, self.cfn = self.cfn, cfn
        try:
            self.over("all", op)
            self.assertEqual(list(self.instances("all")), [(first, "us-east-1")])
            self.assertEqual(cfn.list_stack_set_auto_deployment_targets(StackSetName="all")["Summaries"], [{"OrganizationalUnitId": unit, "Regions": ["us-east-1"]}])
            org.move_account(AccountId=second, SourceParentId=root, DestinationParentId=unit)
            end = time.monotonic() + 60
            while self.instances("all").get((second, "us-east-1")) != ("CURRENT", "SUCCEEDED"):
                self.assertLess(time.monotonic(), end, self.instances("all"))
                time.sleep(0.1)
            self.assertEqual(self.delay(second, "us-east-1", "org-us-east-1"), "1")
            org.move_account(AccountId=first, SourceParentId=unit, DestinationParentId=root)
            while (first, "us-east-1") in self.instances("all"):
                self.assertLess(time.monotonic(), end, self.instances("all"))
                time.sleep(0.1)
            there = self.virga.client("sqs", key=first)
            self.refused("AWS.SimpleQueueService.NonExistentQueue", there.get_queue_url, QueueName="org-us-east-1")
            end = time.monotonic() + 60
            while any(o["Status"] in ("RUNNING", "QUEUED") for o in cfn.list_stack_set_operations(StackSetName="all")["Summaries"]):
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)
            self.remove_all("all", {"DeploymentTargets": {"OrganizationalUnitIds": [unit]}, "Regions": ["us-east-1"]})
        finally:
            self.cfn = own


if __name__ == "__main__":
    unittest.main()
