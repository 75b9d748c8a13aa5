"""virga killed in the middle of updates and rollbacks: they go on and end where they would have; and rollbacks that cannot end."""
import json
import unittest
import urllib.request

from botocore.exceptions import ClientError
from cloudformation_case import Case
from virga import wait_until

LENGTH = 12
# No such attribute value: the service refuses it, and what was before it goes back.
BAD = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "no such name!"}, "DependsOn": f"Q{LENGTH - 1}"}


def chain(delay, **more):
    """One after the other, so that there is a middle to be killed in."""
    return {"Resources": {**{f"Q{i}": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": delay}, **({"DependsOn": f"Q{i - 1}"} if i else {})}
                             for i in range(LENGTH)}, **more}}


class Crash(Case):
    SERVICES = ("sqs",)

    def delays(self):
        return sorted(self.sqs.get_queue_attributes(QueueUrl=u, AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"]
                      for u in self.sqs.list_queues(MaxResults=1000).get("QueueUrls", []))

    def kill_now_and_then(self, id, word, times=2):
        """While the stack's status has that word."""
        for n in range(times):
            reached = wait_until(lambda: sum(r[0].startswith("Q") and word in r[1] for r in self.reasons(id)) > 3 * n, limit=60)
            self.virga.kill()
            self.virga.start(self.virga.port)
            self.assertTrue(reached, self.reasons(id))

    def test_an_update_goes_on(self):
        id = self.create("update", chain(1))["StackId"]
        self.cfn.update_stack(StackName=id, TemplateBody=json.dumps(chain(2)))
        self.kill_now_and_then(id, "UPDATE_COMPLETE")
        self.assertEqual(self.settle(id)["StackStatus"], "UPDATE_COMPLETE", self.failures(id))
        self.assertEqual(self.delays(), ["2"] * LENGTH)
        self.assertEqual(self.remove(id)["StackStatus"], "DELETE_COMPLETE")

    def test_a_rollback_of_a_creation_goes_on(self):
        id = self.cfn.create_stack(StackName="rollback", TemplateBody=json.dumps(chain(1, Bad=BAD)))["StackId"]
        self.addCleanup(self.remove, id)
        self.kill_now_and_then(id, "DELETE_COMPLETE")
        self.assertEqual(self.settle(id)["StackStatus"], "ROLLBACK_COMPLETE", self.failures(id))
        self.assertEqual(self.delays(), [])

    def test_a_rollback_of_an_update_goes_on(self):
        id = self.create("back", chain(1))["StackId"]
        self.cfn.update_stack(StackName=id, TemplateBody=json.dumps(chain(2, Bad=BAD)))
        self.assertTrue(wait_until(lambda: any(r[1] == "UPDATE_ROLLBACK_IN_PROGRESS" for r in self.reasons(id)), limit=60))
        for _ in range(3):
            self.virga.kill()
            self.virga.start(self.virga.port)
        self.assertEqual(self.settle(id)["StackStatus"], "UPDATE_ROLLBACK_COMPLETE", self.failures(id))
        self.assertEqual(self.delays(), ["1"] * LENGTH)
        self.assertEqual(self.remove(id)["StackStatus"], "DELETE_COMPLETE")

    def test_a_rollback_that_fails_is_continued(self):
        queue = {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 1}}
        id = self.create("stuck", {"Resources": {"A": queue, "B": queue}})["StackId"]
        changed = {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 2}}
        self.cfn.update_stack(StackName=id, TemplateBody=json.dumps({"Resources": {
            "A": changed, "B": changed, "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Wait": {"Type": "AWS::CloudFormation::WaitCondition", "DependsOn": ["A", "B"], "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "3600"}}}}))
        self.assertTrue(wait_until(lambda: ("Wait", "CREATE_IN_PROGRESS") in [r[:2] for r in self.reasons(id)], limit=60))
        # What the rollback is to change is gone.
        self.sqs.delete_queue(QueueUrl=self.physical(id, "A"))
        url = self.virga.endpoint + "/" + self.physical(id, "Handle").split("/", 3)[3]
        urllib.request.urlopen(urllib.request.Request(url, data=b'{"Status": "FAILURE", "UniqueId": "1", "Reason": "no"}', method="PUT"))
        self.assertEqual(self.settle(id)["StackStatus"], "UPDATE_ROLLBACK_FAILED", self.reasons(id))
        with self.assertRaises(ClientError):
            self.cfn.update_stack(StackName=id, TemplateBody=json.dumps({"Resources": {"B": queue}}))
        self.cfn.continue_update_rollback(StackName=id)
        self.assertEqual(self.settle(id)["StackStatus"], "UPDATE_ROLLBACK_FAILED", self.reasons(id))
        with self.assertRaises(ClientError):
            self.cfn.continue_update_rollback(StackName=id, ResourcesToSkip=["Nobody"])
        self.cfn.continue_update_rollback(StackName=id, ResourcesToSkip=["A"])
        self.assertEqual(self.settle(id)["StackStatus"], "UPDATE_ROLLBACK_COMPLETE", self.reasons(id))
        self.assertEqual(self.delays(), ["1"])
        self.assertEqual(self.remove(id)["StackStatus"], "DELETE_COMPLETE", self.failures(id))


if __name__ == "__main__":
    unittest.main()
