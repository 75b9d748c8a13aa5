"""The reference architecture made with the AWS CLI, probed by real packets from every tier. Needs root."""
import json
import os
import shutil
import subprocess
import unittest

from reference import Reference, boto3_call
from virga import Virga

NEEDS_BOTO3 = (1, 40)


@unittest.skipUnless(shutil.which("aws"), "the AWS CLI is not here")
@unittest.skipIf(os.geteuid() != 0, "machines need root")
class ReferenceArchitecture(unittest.TestCase):
    def test_matrix(self):
        with Virga() as virga:
            env = {**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}

            def call(operation, **parameters):
                run = subprocess.run(["aws", "--endpoint-url", virga.endpoint, "--output", "json", "ec2", operation, "--cli-input-json",
                                      json.dumps(parameters)], capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL)
                self.assertEqual(run.returncode, 0, f"aws ec2 {operation}: {run.stderr}")
                return json.loads(run.stdout) if run.stdout.strip() else {}

            r = Reference(virga, call)
            self.addCleanup(r.close)
            r.make()
            r.call = boto3_call(virga.client("ec2"))  # each word of the CLI's costs a second
            r.stand(self)
            r.check(self)


if __name__ == "__main__":
    unittest.main()
