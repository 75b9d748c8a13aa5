"""STS's GetCallerIdentity, and what every service has from the first day: accounts by key, regions, NotImplemented."""
import unittest

from botocore.exceptions import ClientError

from virga import Virga


class CallerIdentity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)

    def identity(self, **kw):
        return self.virga.client("sts", **kw).get_caller_identity()

    def test_any_key_is_the_default_account(self):
        who = self.identity()
        self.assertEqual((who["Account"], who["Arn"], who["UserId"]),
                         ("000000000000", "arn:aws:iam::000000000000:root", "000000000000"))
        self.assertTrue(who["ResponseMetadata"]["RequestId"])

    def test_a_key_of_12_digits_is_that_account(self):
        who = self.identity(key="123456789012", secret="anything")
        self.assertEqual((who["Account"], who["Arn"]), ("123456789012", "arn:aws:iam::123456789012:root"))

    def test_partition_follows_the_region(self):
        self.assertEqual(self.identity(region="cn-north-1")["Arn"], "arn:aws-cn:iam::000000000000:root")

    def test_unbuilt_operations_say_so_in_every_protocol(self):
        calls = [
            ("dax", "json", lambda c: c.describe_clusters()),
            ("xray", "rest-json", lambda c: c.get_groups()),
            ("route53", "rest-xml", lambda c: c.list_hosted_zones()),
            ("redshift", "query", lambda c: c.describe_clusters()),
            ("ec2", "ec2", lambda c: c.describe_fpga_images()),
        ]
        for service, protocol, call in calls:
            with self.subTest(service=service, protocol=protocol):
                with self.assertRaises(ClientError) as caught:
                    call(self.virga.client(service))
                error, meta = caught.exception.response["Error"], caught.exception.response["ResponseMetadata"]
                self.assertEqual(meta["HTTPStatusCode"], 501)
                self.assertIn("NotImplemented", error["Code"])
                self.assertIn(caught.exception.operation_name, error["Message"])
                self.assertTrue(meta.get("RequestId"))


class Strict(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga("--strict").start()
        cls.addClassCleanup(cls.virga.close)
        with open(f"{cls.virga.data}/credentials") as f:
            pairs = dict(map(str.strip, line.split("=", 1)) for line in f if "=" in line)
        cls.key, cls.secret = pairs["aws_access_key_id"], pairs["aws_secret_access_key"]

    def code(self, **kw):
        try:
            self.virga.client("sts", **kw).get_caller_identity()
        except ClientError as e:
            return e.response["Error"]["Code"]
        return None

    def test_only_issued_keys_pass(self):
        self.assertEqual(self.code(), "InvalidClientTokenId")
        self.assertEqual(self.code(key="123456789012"), "InvalidClientTokenId")
        self.assertIsNone(self.code(key=self.key, secret=self.secret))
        self.assertEqual(self.code(key=self.key, secret="wrong"), "SignatureDoesNotMatch")

    def test_the_root_key_survives_a_crash(self):
        self.virga.restart()
        self.assertIsNone(self.code(key=self.key, secret=self.secret))


if __name__ == "__main__":
    unittest.main()
