"""CDK from npm, unchanged: bootstrap, deploy, deploy a change, diff, destroy."""
import unittest

from cdk_case import ABSENT, PRESENT, CdkCase


@unittest.skipUnless(PRESENT, ABSENT)
class Cdk(CdkCase):
    SERVICES = ("s3", "sqs", "ec2", "iam", "ecr", "ssm")
    APP = "app.js"

    def test_an_app_lives_and_changes(self):
        self.cdk("bootstrap", "aws://000000000000/us-east-1")
        self.assertEqual(self.ssm.get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Type"], "String")
        self.assertEqual(self.ecr.describe_repositories()["repositories"][0]["repositoryName"], "cdk-hnb659fds-container-assets-000000000000-us-east-1")
        out = self.deploy("first", "Shop")
        self.assertEqual(len(self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [out["VpcId"]]}])["Subnets"]), 4)
        visible = lambda: self.sqs.get_queue_attributes(QueueUrl=out["JobsUrl"], AttributeNames=["VisibilityTimeout"])["Attributes"]["VisibilityTimeout"]  # noqa: E731
        self.assertEqual(visible(), "30")
        said = self.cdk(*self.app("second"), "diff", "--fail", "Shop", status=(1,))
        self.assertIn("[~] AWS::SQS::Queue Jobs", said)
        self.assertIn("[+] AWS::SQS::Queue More", said)
        self.deploy("second", "Shop")
        self.assertEqual(visible(), "45")
        self.assertEqual(self.cfn.describe_stacks(StackName="Shop")["Stacks"][0]["StackStatus"], "UPDATE_COMPLETE")
        self.cdk(*self.app("second"), "destroy", "--force", "Shop")
        self.assertEqual([s["StackName"] for s in self.cfn.describe_stacks()["Stacks"]], ["CDKToolkit"])
        self.assertEqual(self.ec2.describe_vpcs(Filters=[{"Name": "tag:aws:cloudformation:stack-name", "Values": ["Shop"]}])["Vpcs"], [])
        self.assertNotIn(out["ImagesName"], [b["Name"] for b in self.s3.list_buckets()["Buckets"]])


if __name__ == "__main__":
    unittest.main()
