"""What the suites of CloudFormation share: stacks that are waited for, and their virga."""
import json
import time
import unittest

from virga import Virga


def outputs(stack):
    return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}


class Case(unittest.TestCase):
    SERVICES = ()
    ARGS = ("--durability", "relaxed")

    @classmethod
    def setUpClass(cls):
        cls.virga = Virga(*cls.ARGS).start()
        cls.addClassCleanup(cls.virga.close)
        for name in ("cloudformation", *cls.SERVICES):
            setattr(cls, name.replace("-", "_"), cls.virga.client(name))
        cls.cfn = cls.cloudformation

    def settle(self, name, limit=120):
        """The stack once its status is final; by its id it is found when it is deleted, too."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            stack = self.cfn.describe_stacks(StackName=name)["Stacks"][0]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return stack
            time.sleep(0.02)
        self.fail(f"{name} stays {stack['StackStatus']}: {self.reasons(name)}")

    def create(self, name, template, status="CREATE_COMPLETE", **kw):
        body = template if isinstance(template, str) else json.dumps(template)
        id = self.cfn.create_stack(StackName=name, TemplateBody=body, **kw)["StackId"]
        self.addCleanup(self.remove, id)
        stack = self.settle(id)
        self.assertEqual(stack["StackStatus"], status, self.failures(id))
        return stack

    def update(self, name, template, status="UPDATE_COMPLETE", **kw):
        self.cfn.update_stack(StackName=name, TemplateBody=template if isinstance(template, str) else json.dumps(template), **kw)
        stack = self.settle(name)
        self.assertEqual(stack["StackStatus"], status, self.failures(name))
        return stack

    def retag(self, name, value="blue", **kw):
        """Only the stack's tags change: whatever takes tags is given them, and nothing else happens."""
        self.cfn.update_stack(StackName=name, UsePreviousTemplate=True, Tags=[{"Key": "team", "Value": value}], **kw)
        stack = self.settle(name)
        self.assertEqual(stack["StackStatus"], "UPDATE_COMPLETE", self.failures(name))
        return stack

    def assert_nothing_drifted(self, name):
        self.cfn.detect_stack_drift(StackName=name)
        drifts = self.cfn.describe_stack_resource_drifts(StackName=name, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"])["StackResourceDrifts"]
        self.assertEqual([(d["LogicalResourceId"], d["PropertyDifferences"]) for d in drifts], [])

    def remove(self, id):
        self.cfn.delete_stack(StackName=id)
        return self.settle(id)

    def reasons(self, id):
        return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason")) for e in self.cfn.describe_stack_events(StackName=id)["StackEvents"]]

    def failures(self, id):
        return [r for r in self.reasons(id) if r[1].endswith("FAILED")]

    def physical(self, stack, logical):
        return self.cfn.describe_stack_resource(StackName=stack, LogicalResourceId=logical)["StackResourceDetail"].get("PhysicalResourceId", "")
