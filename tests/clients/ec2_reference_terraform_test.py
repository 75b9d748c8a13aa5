"""The reference architecture made with Terraform, probed by real packets from every tier; with them a second plan is empty. Needs
root."""
import os
import unittest

import terraform_vpc_test
from reference import Reference, boto3_call

NEEDS_BOTO3 = (1, 40)
ACCOUNT = "000000000021"
# Terraform takes the rule away with which a group lets everything out: here each tier may ask.
ASKING = """
resource "aws_vpc_security_group_egress_rule" "tier" {
  for_each          = toset(["web", "internal", "app", "database"])
  security_group_id = aws_security_group.tier[each.key].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}
"""


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class ReferenceArchitecture(terraform_vpc_test.Terraform):
    CONFIGURATION = terraform_vpc_test.CONFIGURATION + ASKING
    test_reference_architecture = None  # that suite's own

    def test_matrix(self):
        self.terraform("init")
        self.terraform("apply", "-auto-approve", "-parallelism=4")
        ec2 = self.virga.client("ec2", key=ACCOUNT)
        [v] = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["reference"]}])["Vpcs"]
        r = Reference(self.virga, boto3_call(ec2), ACCOUNT)
        self.addCleanup(r.close)
        r.find(v["VpcId"])
        # Its ACL lets into the database's subnets only what asks for 5432: no answers to what is asked from there.
        r.without = {("database", "external", 80), ("database", "external", 443)}
        r.stand(self)
        r.check(self)
        second = self.terraform("plan", "-detailed-exitcode", codes=(0, 2))
        self.assertEqual(second.returncode, 0, second.stdout)


if __name__ == "__main__":
    unittest.main()
