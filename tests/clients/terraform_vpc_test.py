"""The reference architecture (three tiers in two zones, five security groups) made by Terraform: applied, a second plan is empty,
a change is one change, destroyed."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from virga import Virga

MIRROR = os.environ.get("VIRGA_TERRAFORM_MIRROR", "/opt/tf-plugins")
PROVIDER = pathlib.Path(MIRROR, "registry.terraform.io/hashicorp/aws")

CONFIGURATION = """
terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "000000000021"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  endpoints {
    ec2 = "ENDPOINT"
    sts = "ENDPOINT"
    iam = "ENDPOINT"
  }
  default_tags { tags = { project = "reference" } }
}
data "aws_availability_zones" "all" { state = "available" }
locals { zones = slice(data.aws_availability_zones.all.names, 0, 2) }

resource "aws_vpc" "v" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "reference" }
}
resource "aws_internet_gateway" "g" { vpc_id = aws_vpc.v.id }
resource "aws_subnet" "public" {
  count                   = 2
  vpc_id                  = aws_vpc.v.id
  cidr_block              = "10.0.${1 + count.index}.0/24"
  availability_zone       = local.zones[count.index]
  map_public_ip_on_launch = true
}
resource "aws_subnet" "app" {
  count             = 2
  vpc_id            = aws_vpc.v.id
  cidr_block        = "10.0.${3 + count.index}.0/24"
  availability_zone = local.zones[count.index]
}
resource "aws_subnet" "database" {
  count             = 2
  vpc_id            = aws_vpc.v.id
  cidr_block        = "10.0.${5 + count.index}.0/24"
  availability_zone = local.zones[count.index]
}
resource "aws_eip" "nat" {
  count  = 2
  domain = "vpc"
}
resource "aws_nat_gateway" "n" {
  count         = 2
  allocation_id = aws_eip.nat[count.index].id
  subnet_id     = aws_subnet.public[count.index].id
  depends_on    = [aws_internet_gateway.g]
}
resource "aws_route_table" "public" {
  vpc_id = aws_vpc.v.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.g.id
  }
}
resource "aws_route_table_association" "public" {
  count          = 2
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}
resource "aws_route_table" "app" {
  count  = 2
  vpc_id = aws_vpc.v.id
}
resource "aws_route" "nat" {
  count                  = 2
  route_table_id         = aws_route_table.app[count.index].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.n[count.index].id
}
resource "aws_route_table_association" "app" {
  count          = 2
  subnet_id      = aws_subnet.app[count.index].id
  route_table_id = aws_route_table.app[count.index].id
}
resource "aws_security_group" "external" {
  name        = "external"
  description = "external balancer"
  vpc_id      = aws_vpc.v.id
  dynamic "ingress" {
    for_each = [80, 443]
    content {
      from_port   = ingress.value
      to_port     = ingress.value
      protocol    = "tcp"
      cidr_blocks = ["0.0.0.0/0"]
    }
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
resource "aws_security_group" "tier" {
  for_each    = toset(["web", "internal", "app", "database"])
  name        = each.key
  description = each.key
  vpc_id      = aws_vpc.v.id
}
resource "aws_vpc_security_group_ingress_rule" "web" {
  for_each                     = toset(["80", "443"])
  security_group_id            = aws_security_group.tier["web"].id
  referenced_security_group_id = aws_security_group.external.id
  from_port                    = tonumber(each.key)
  to_port                      = tonumber(each.key)
  ip_protocol                  = "tcp"
}
resource "aws_vpc_security_group_ingress_rule" "internal" {
  for_each                     = toset(["3000", "5000"])
  security_group_id            = aws_security_group.tier["internal"].id
  referenced_security_group_id = aws_security_group.external.id
  from_port                    = tonumber(each.key)
  to_port                      = tonumber(each.key)
  ip_protocol                  = "tcp"
}
resource "aws_vpc_security_group_ingress_rule" "app" {
  security_group_id            = aws_security_group.tier["app"].id
  referenced_security_group_id = aws_security_group.tier["internal"].id
  from_port                    = 3000
  to_port                      = 5000
  ip_protocol                  = "tcp"
}
resource "aws_security_group_rule" "database" {
  type                     = "ingress"
  security_group_id        = aws_security_group.tier["database"].id
  source_security_group_id = aws_security_group.tier["app"].id
  from_port                = 5432
  to_port                  = DATABASE_PORT
  protocol                 = "tcp"
}
resource "aws_network_acl" "database" {
  vpc_id     = aws_vpc.v.id
  subnet_ids = aws_subnet.database[*].id
  ingress {
    rule_no    = 100
    protocol   = "tcp"
    action     = "allow"
    cidr_block = "10.0.0.0/16"
    from_port  = 5432
    to_port    = 5432
  }
  egress {
    rule_no    = 100
    protocol   = "-1"
    action     = "allow"
    cidr_block = "10.0.0.0/16"
    from_port  = 0
    to_port    = 0
  }
}
resource "aws_vpc_endpoint" "s3" {
  vpc_id          = aws_vpc.v.id
  service_name    = "com.amazonaws.us-east-1.s3"
  route_table_ids = aws_route_table.app[*].id
}
resource "aws_network_interface" "probe" {
  subnet_id       = aws_subnet.app[0].id
  security_groups = [aws_security_group.tier["app"].id]
}
"""


@unittest.skipUnless(shutil.which("terraform"), "terraform is not here")
@unittest.skipUnless(PROVIDER.is_dir(), f"no AWS provider of Terraform in {MIRROR} (VIRGA_TERRAFORM_MIRROR)")
class Terraform(unittest.TestCase):
    CONFIGURATION = CONFIGURATION

    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.folder = tempfile.mkdtemp(prefix="virga-terraform-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.write("5432")
        with open(os.path.join(cls.folder, "rc"), "w") as f:
            f.write(f'disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    path = "{MIRROR}"\n  }}\n}}\n')

    @classmethod
    def write(cls, port):
        with open(os.path.join(cls.folder, "main.tf"), "w") as f:
            f.write(cls.CONFIGURATION.replace("ENDPOINT", cls.virga.endpoint).replace("DATABASE_PORT", port))

    def terraform(self, *words, codes=(0,)):
        run = subprocess.run(["terraform", f"-chdir={self.folder}", *words, "-no-color", "-input=false"], capture_output=True,
                             text=True, env={**os.environ, "TF_CLI_CONFIG_FILE": os.path.join(self.folder, "rc")})
        self.assertIn(run.returncode, codes, run.stdout[-3000:] + run.stderr[-3000:])
        return run

    def test_reference_architecture(self):
        self.terraform("init")
        self.terraform("apply", "-auto-approve")
        second = self.terraform("plan", "-detailed-exitcode", codes=(0, 2))
        self.assertEqual(second.returncode, 0, second.stdout)
        ec2 = self.virga.client("ec2", key="000000000021")
        groups = {g["GroupName"]: g for g in ec2.describe_security_groups(
            Filters=[{"Name": "tag:project", "Values": ["reference"]}])["SecurityGroups"]}
        self.assertEqual(set(groups), {"external", "web", "internal", "app", "database"})
        self.assertEqual(groups["database"]["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"], groups["app"]["GroupId"])
        self.assertEqual(len(ec2.describe_nat_gateways(Filters=[{"Name": "state", "Values": ["available"]}])["NatGateways"]), 2)
        self.write("5433")
        # What is there was read a moment ago.
        self.terraform("plan", "-out=changed", "-refresh=false", "-detailed-exitcode", codes=(2,))
        plan = json.loads(subprocess.run(["terraform", f"-chdir={self.folder}", "show", "-json", "changed"], capture_output=True,
                                         text=True, check=True,
                                         env={**os.environ, "TF_CLI_CONFIG_FILE": os.path.join(self.folder, "rc")}).stdout)
        changed = [c["address"] for c in plan["resource_changes"] if c["change"]["actions"] != ["no-op"]]
        self.assertEqual(changed, ["aws_security_group_rule.database"])
        self.terraform("destroy", "-auto-approve", "-refresh=false")
        self.assertEqual([v["IsDefault"] for v in ec2.describe_vpcs()["Vpcs"]], [True])


if __name__ == "__main__":
    unittest.main()
