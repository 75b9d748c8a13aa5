"""The reference architecture made with boto3, probed by real packets from every tier. Needs root."""
import os
import unittest

from reference import Reference, boto3_call
from virga import Virga

NEEDS_BOTO3 = (1, 40)


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class ReferenceArchitecture(unittest.TestCase):
    def test_matrix(self):
        with Virga() as virga:
            r = Reference(virga, boto3_call(virga.client("ec2")))
            self.addCleanup(r.close)
            r.make()
            r.stand(self)
            r.check(self)


if __name__ == "__main__":
    unittest.main()
