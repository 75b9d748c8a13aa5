"""Managed rotation: RotateSecret of a secret that RDS made changes the password in the database and in the secret."""
import json
import unittest

from botocore.exceptions import ClientError

import rds_test
from virga import wait_until

NEEDS_BOTO3 = (1, 40)


class Rotation(rds_test.Case):
    @classmethod
    def setUpClass(cls):
        cls.begin()
        cls.secrets = cls.virga.client("secretsmanager")

    def code(self, call, **kw):
        with self.assertRaises(ClientError) as caught:
            call(**kw)
        return caught.exception.response["Error"]["Code"]

    def test_secrets_of_nobody(self):
        self.secrets.create_secret(Name="own", SecretString="x")
        self.assertEqual(self.code(self.secrets.rotate_secret, SecretId="own"), "InvalidRequestException")
        self.assertEqual(self.code(self.secrets.rotate_secret, SecretId="own",
            RotationLambdaARN="arn:aws:lambda:us-east-1:000000000000:function:f"), "NotImplemented")
        self.assertEqual(self.code(self.secrets.rotate_secret, SecretId="none"), "ResourceNotFoundException")
        self.assertNotIn("RotationEnabled", self.secrets.describe_secret(SecretId="own"))

    def test_the_master_password(self):
        [vpc] = self.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        group = self.ec2.create_security_group(GroupName="db", Description="d", VpcId=vpc["VpcId"])["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        self.rds.create_db_instance(DBInstanceIdentifier="kept", DBInstanceClass="db.t3.micro", Engine="postgres",
            AllocatedStorage=20, MasterUsername="boss", ManageMasterUserPassword=True, PubliclyAccessible=True,
            VpcSecurityGroupIds=[group])
        d = self.until("kept", limit=240)
        if "simulated" in self.virga.read_log():
            self.skipTest("compute is simulated here")
        arn = d["MasterUserSecret"]["SecretArn"]

        def value():
            return json.loads(self.secrets.get_secret_value(SecretId=arn)["SecretString"])

        def opens(password):
            e = d["Endpoint"]
            url = f"postgresql://boss:{password}@{e['Address']}:{e['Port']}/postgres?connect_timeout=3"
            return rds_test.Servers.outside("psql", url, "-c", "SELECT 1").returncode == 0
        first = value()["password"]
        self.assertTrue(wait_until(lambda: opens(first), 60))
        told = self.secrets.describe_secret(SecretId=arn)
        self.assertEqual((told["OwningService"], told["RotationEnabled"], told["RotationRules"]),
            ("rds", True, {"AutomaticallyAfterDays": 7}))
        self.assertEqual((told["NextRotationDate"] - told["CreatedDate"]).days, 7)
        self.assertEqual([s["ARN"] for s in self.secrets.list_secrets(Filters=[{"Key": "owning-service", "Values": ["rds"]}])[
            "SecretList"]], [arn])
        # Nobody else writes it or takes it away.
        self.assertEqual(self.code(self.secrets.put_secret_value, SecretId=arn, SecretString="x"), "InvalidRequestException")
        self.assertEqual(self.code(self.secrets.update_secret, SecretId=arn, SecretString="x"), "InvalidRequestException")
        self.assertEqual(self.code(self.secrets.delete_secret, SecretId=arn), "InvalidRequestException")
        self.secrets.rotate_secret(SecretId=arn, RotateImmediately=False)
        self.assertEqual(value()["password"], first)
        self.assertEqual(self.secrets.rotate_secret(SecretId=arn)["ARN"], arn)
        self.assertTrue(wait_until(lambda: value()["password"] != first, 60))
        second = value()["password"]
        self.assertTrue(wait_until(lambda: opens(second), 60))
        self.assertFalse(opens(first))
        self.assertEqual(json.loads(self.secrets.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")["SecretString"])[
            "password"], first)
        self.assertIn("LastRotatedDate", self.secrets.describe_secret(SecretId=arn))
        self.rds.delete_db_instance(DBInstanceIdentifier="kept", SkipFinalSnapshot=True)
        self.until("kept", "gone")


if __name__ == "__main__":
    unittest.main()
