"""CDK from npm, unchanged: a deployment that fails half-way and is left so, and `cdk rollback`."""
import unittest

from cdk_case import ABSENT, PRESENT, CdkCase


@unittest.skipUnless(PRESENT, ABSENT)
class Rollback(CdkCase):
    ARGS = ("--durability", "relaxed", "--simulated")
    SERVICES = ("sqs",)
    APP = "tools.js"

    def test_a_deployment_that_fails(self):
        self.cdk("bootstrap", "aws://000000000000/us-east-1")
        url = self.deploy("first", "Tools")["JobsUrl"]
        visible = lambda: self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]["VisibilityTimeout"]  # noqa: E731
        self.cdk(*self.app("failing"), "deploy", "--require-approval", "never", "--no-rollback", "Tools", status=(1,))
        self.assertEqual((self.settle("Tools")["StackStatus"], visible()), ("UPDATE_FAILED", "60"))
        self.cdk(*self.app("first"), "rollback", "Tools")
        self.assertEqual((self.settle("Tools")["StackStatus"], visible()), ("UPDATE_ROLLBACK_COMPLETE", "30"))


if __name__ == "__main__":
    unittest.main()
