"""CDK from npm, unchanged: bootstrap, deploy, deploy a change, diff, destroy. By https, as stacks with enforceSSL want it."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from cloudformation_case import Case
from virga import BINARY

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cdk")
CDK = os.path.join(HERE, "node_modules/aws-cdk/bin/cdk")


@unittest.skipUnless(shutil.which("node") and os.path.exists(CDK), "no CDK: scripts/setup.sh --node tests/clients/cdk")
class Cdk(Case):
    SERVICES = ("s3", "sqs", "ec2", "iam", "ecr", "ssm")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp(prefix="cdk-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        authority = os.path.join(cls.folder, "ca.pem")
        with open(authority, "wb") as out:
            out.write(subprocess.run([BINARY, "ca", "--endpoint", cls.virga.endpoint], check=True, stdout=subprocess.PIPE).stdout)
        # A home of its own, and nothing that asks the world.
        cls.environ = {**os.environ, "HOME": cls.folder, "TMPDIR": cls.folder, "AWS_ENDPOINT_URL": f"https://127.0.0.1:{cls.virga.port}",
                       "NODE_EXTRA_CA_CERTS": authority, "AWS_CA_BUNDLE": authority,
                       "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "CI": "1", "NODE_NO_WARNINGS": "1",
                       "CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_DISABLE_VERSION_CHECK": "1", "AWS_EC2_METADATA_DISABLED": "true"}
        cls.node("app.js", cls.folder)

    @classmethod
    def node(cls, *args, cwd=HERE, status=(0,)):
        ran = subprocess.run(["node", *args], cwd=cwd, env=cls.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        assert ran.returncode in status, ran.stdout[-6000:]
        return ran.stdout

    def cdk(self, *args, **kw):
        return self.node(CDK, "--no-notices", "--no-version-reporting", *args, cwd=self.folder, **kw)

    def test_an_app_lives_and_changes(self):
        self.cdk("bootstrap", "aws://000000000000/us-east-1")
        self.assertEqual(self.ssm.get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Type"], "String")
        self.assertEqual(self.ecr.describe_repositories()["repositories"][0]["repositoryName"], "cdk-hnb659fds-container-assets-000000000000-us-east-1")
        first, second = (("--app", os.path.join(self.folder, which)) for which in ("first", "second"))
        written = os.path.join(self.folder, "outputs.json")
        self.cdk(*first, "deploy", "--require-approval", "never", "--outputs-file", written, "Shop")
        with open(written, encoding="utf-8") as f:
            out = json.load(f)["Shop"]
        self.assertEqual(len(self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [out["VpcId"]]}])["Subnets"]), 4)
        visible = lambda: self.sqs.get_queue_attributes(QueueUrl=out["JobsUrl"], AttributeNames=["VisibilityTimeout"])["Attributes"]["VisibilityTimeout"]  # noqa: E731
        self.assertEqual(visible(), "30")
        said = self.cdk(*second, "diff", "--fail", "Shop", status=(1,))
        self.assertIn("[~] AWS::SQS::Queue Jobs", said)
        self.assertIn("[+] AWS::SQS::Queue More", said)
        self.cdk(*second, "deploy", "--require-approval", "never", "Shop")
        self.assertEqual(visible(), "45")
        self.assertEqual(self.cfn.describe_stacks(StackName="Shop")["Stacks"][0]["StackStatus"], "UPDATE_COMPLETE")
        self.cdk(*second, "destroy", "--force", "Shop")
        self.assertEqual([s["StackName"] for s in self.cfn.describe_stacks()["Stacks"]], ["CDKToolkit"])
        self.assertEqual(self.ec2.describe_vpcs(Filters=[{"Name": "tag:aws:cloudformation:stack-name", "Values": ["Shop"]}])["Vpcs"], [])
        self.assertNotIn(out["ImagesName"], [b["Name"] for b in self.s3.list_buckets()["Buckets"]])


if __name__ == "__main__":
    unittest.main()
