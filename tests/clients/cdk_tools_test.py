"""CDK's further tools from npm, unchanged: drift and import."""
import json
import os
import unittest

from cdk_case import ABSENT, PRESENT, CdkCase


@unittest.skipUnless(PRESENT, ABSENT)
class Tools(CdkCase):
    ARGS = ("--durability", "relaxed", "--simulated")
    SERVICES = ("s3", "sqs")
    APP = "tools.js"

    def test_drift(self):
        url = self.deploy("first", "Tools")["JobsUrl"]
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "77"})
        said = self.cdk(*self.app("first"), "drift", "--fail", "Tools", status=(1,))
        self.assertIn("AWS::SQS::Queue", said)
        self.assertIn("77", said)

    def test_import(self):
        self.s3.create_bucket(Bucket="was-here-before")
        self.s3.put_object(Bucket="was-here-before", Key="kept", Body=b"kept")
        with open(os.path.join(self.folder, "taken", "Taken.template.json"), encoding="utf-8") as f:
            [logical] = [k for k, r in json.load(f)["Resources"].items() if r["Type"] == "AWS::S3::Bucket"]
        mapping = os.path.join(self.folder, "mapping.json")
        with open(mapping, "w", encoding="utf-8") as f:
            json.dump({logical: {"BucketName": "was-here-before"}}, f)
        self.cdk(*self.app("taken"), "import", "--resource-mapping", mapping, "Taken")
        self.assertEqual((self.settle("Taken")["StackStatus"], self.physical("Taken", logical)), ("IMPORT_COMPLETE", "was-here-before"))
        self.cdk(*self.app("taken"), "destroy", "--force", "Taken")
        self.assertEqual(self.s3.get_object(Bucket="was-here-before", Key="kept")["Body"].read(), b"kept")


if __name__ == "__main__":
    unittest.main()
