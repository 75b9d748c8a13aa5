"""CDK from npm, unchanged: bootstrap, assets, and `cdk gc`, by which what no stack uses any more goes from the bucket of assets."""
import unittest

from cdk_case import ABSENT, PRESENT, CdkCase


@unittest.skipUnless(PRESENT, ABSENT)
class Cdk(CdkCase):
    ARGS = ("--durability", "relaxed", "--simulated")
    SERVICES = ("ssm", "ecr")
    APP = "tools.js"

    def test_bootstrap_and_assets(self):
        self.cdk("bootstrap", "aws://000000000000/us-east-1")
        self.assertEqual(self.ssm.get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Type"], "String")
        self.assertEqual(self.ecr.describe_repositories()["repositories"][0]["repositoryName"], "cdk-hnb659fds-container-assets-000000000000-us-east-1")
        one, two = self.deploy("one", "Assets"), self.deploy("two", "Assets")
        keys = lambda: {o["Key"] for o in self.secure("s3").list_objects_v2(Bucket=two["Bucket"]).get("Contents", [])}  # noqa: E731
        self.assertTrue({one["Key"], two["Key"]} <= keys())
        self.cdk(*self.app("two"), "gc", "--unstable=gc", "--type", "s3", "--rollback-buffer-days", "0", "--created-buffer-days", "0",
                 "--confirm=false", "aws://000000000000/us-east-1")
        self.assertEqual((one["Key"] in keys(), two["Key"] in keys()), (False, True))


if __name__ == "__main__":
    unittest.main()
