"""Certificate Manager: certificates that the installation's own authority signs, certificates that clients bring."""
import os
import subprocess
import tempfile
import unittest
import unittest.mock

from virga import BINARY, Refusals, Virga, wait_until

NEEDS_BOTO3 = (1, 40)


def openssl(*args, **kw):
    return subprocess.run(["openssl", *args], check=True, capture_output=True, text=True, **kw).stdout


class Acm(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.acm = cls.virga.client("acm")
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name)) as f:
            return f.read()

    def describe(self, arn):
        return self.acm.describe_certificate(CertificateArn=arn)["Certificate"]

    def issued(self, **kw):
        arn = self.acm.request_certificate(**kw)["CertificateArn"]
        self.assertTrue(wait_until(lambda: self.describe(arn)["Status"] == "ISSUED"), self.describe(arn))
        return arn

    def advance(self, how_long):
        subprocess.run([BINARY, "clock", "--endpoint", self.other.endpoint, "advance", how_long], check=True, capture_output=True)

    def test_requested(self):
        arn = self.acm.request_certificate(
            DomainName="www.example.com", SubjectAlternativeNames=["example.com", "*.example.com"], ValidationMethod="DNS",
            IdempotencyToken="once", Tags=[{"Key": "team", "Value": "web"}])["CertificateArn"]
        self.assertEqual(self.acm.request_certificate(DomainName="www.example.com", ValidationMethod="DNS",
                                                      IdempotencyToken="once")["CertificateArn"], arn)
        d = self.describe(arn)
        options = {x["DomainName"]: x for x in d["DomainValidationOptions"]}
        self.assertEqual(set(options), {"www.example.com", "example.com", "*.example.com"})
        self.assertEqual(options["example.com"]["ResourceRecord"], options["*.example.com"]["ResourceRecord"])
        self.assertRegex(options["www.example.com"]["ResourceRecord"]["Name"], r"^_[0-9a-f]{32}\.www\.example\.com\.$")
        self.assertTrue(wait_until(lambda: self.describe(arn)["Status"] == "ISSUED"))
        d = self.describe(arn)
        self.assertEqual((d["Type"], d["KeyAlgorithm"], d["Subject"]), ("AMAZON_ISSUED", "RSA_2048", "CN=www.example.com"))
        self.assertEqual({x["ValidationStatus"] for x in d["DomainValidationOptions"]}, {"SUCCESS"})
        self.assertEqual((d["NotAfter"] - d["NotBefore"]).days, 394)
        got = self.acm.get_certificate(CertificateArn=arn)
        ca = self.write("ca.pem", self.virga.get("/_virga/ca")[2].decode())
        self.assertEqual(got["CertificateChain"].strip(), self.read("ca.pem").strip())
        leaf = self.write("leaf.pem", got["Certificate"])
        openssl("verify", "-CAfile", ca, "-verify_hostname", "a.example.com", leaf)
        self.assertIn(d["Serial"].replace(":", "").upper(), openssl("x509", "-in", leaf, "-noout", "-serial"))
        listed = {x["CertificateArn"]: x for x in self.acm.list_certificates(CertificateStatuses=["ISSUED"])["CertificateSummaryList"]}
        self.assertEqual(listed[arn]["DomainName"], "www.example.com")
        self.assertFalse(listed[arn]["InUse"])
        self.assertIn("not exportable", self.refused("ValidationException", self.acm.export_certificate, CertificateArn=arn,
                                                     Passphrase=b"secret"))
        self.acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "stage", "Value": "prod"}])
        self.acm.remove_tags_from_certificate(CertificateArn=arn, Tags=[{"Key": "team"}, {"Key": "stage", "Value": "test"}])
        self.assertEqual(self.acm.list_tags_for_certificate(CertificateArn=arn)["Tags"], [{"Key": "stage", "Value": "prod"}])
        self.acm.update_certificate_options(
            CertificateArn=arn, Options={"CertificateTransparencyLoggingPreference": "DISABLED"})
        self.assertEqual(self.describe(arn)["Options"]["CertificateTransparencyLoggingPreference"], "DISABLED")
        self.virga.restart()
        self.assertEqual(self.acm.get_certificate(CertificateArn=arn), {**got, "ResponseMetadata": unittest.mock.ANY})
        self.acm.delete_certificate(CertificateArn=arn)
        self.refused("ResourceNotFoundException", self.acm.describe_certificate, CertificateArn=arn)

    def test_imported(self):
        key, leaf = self.path("own.key"), self.path("own.pem")
        root_key, root = self.path("root.key"), self.path("root.pem")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", root_key, "-out", root, "-subj", "/CN=root", "-days", "90")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", self.path("own.csr"), "-subj", "/CN=own.example.org")
        openssl("x509", "-req", "-in", self.path("own.csr"), "-CA", root, "-CAkey", root_key, "-CAcreateserial", "-days", "30", "-out", leaf)
        good = {"Certificate": self.read("own.pem").encode(), "PrivateKey": self.read("own.key").encode(),
                "CertificateChain": self.read("root.pem").encode()}

        def bad(**kw):
            return self.refused("ValidationException", self.acm.import_certificate, **{**good, **kw})

        self.assertIn("does not match", bad(PrivateKey=self.read("root.key").encode()))
        self.assertIn("chain", bad(CertificateChain=self.read("own.pem").encode()))
        self.assertIn("chain", bad(CertificateChain=b"nonsense"))
        self.assertIn("not supported", bad(PrivateKey=b"nonsense"))
        self.assertIn("PEM", bad(Certificate=b"nonsense"))
        self.assertIn("more than one", bad(Certificate=good["Certificate"] + good["CertificateChain"]))
        locked = openssl("pkcs8", "-topk8", "-in", key, "-passout", "pass:secret").encode()
        self.assertIn("encrypted", bad(PrivateKey=locked))
        arn = self.acm.import_certificate(**good)["CertificateArn"]
        d = self.describe(arn)
        self.assertEqual((d["Type"], d["Status"], d["DomainName"]), ("IMPORTED", "ISSUED", "own.example.org"))
        self.assertEqual(d["RenewalEligibility"], "INELIGIBLE")
        self.assertEqual(self.acm.get_certificate(CertificateArn=arn)["CertificateChain"].strip(), self.read("root.pem").strip())
        self.assertEqual(self.acm.import_certificate(CertificateArn=arn, **good)["CertificateArn"], arn)
        self.refused("ValidationException", self.acm.import_certificate, CertificateArn=arn, Tags=[{"Key": "a", "Value": "b"}], **good)
        openssl("req", "-x509", "-key", key, "-out", self.path("other.pem"), "-subj", "/CN=other.example.org", "-days", "30")
        self.assertIn("must not change", self.refused(
            "ValidationException", self.acm.import_certificate, CertificateArn=arn, PrivateKey=good["PrivateKey"],
            Certificate=self.read("other.pem").encode()))
        self.refused("ResourceNotFoundException", self.acm.describe_certificate,
                     CertificateArn="arn:aws:acm:us-east-1:000000000000:certificate/nobody")
        self.refused("InvalidArnException", self.acm.describe_certificate,
                     CertificateArn="arn:aws:acm:us-east-1:000000000000:something/else")
        with open(os.path.join(self.virga.data, "ca.key")) as f:
            self.assertIn("PRIVATE KEY", f.read())

    def test_exported_and_renewed(self):
        self.other = Virga().start()
        self.addCleanup(self.other.close)
        self.acm = self.other.client("acm")
        arn = self.issued(DomainName="api.example.net", ValidationMethod="EMAIL", KeyAlgorithm="EC_prime256v1",
                          Options={"Export": "ENABLED"},
                          DomainValidationOptions=[{"DomainName": "api.example.net", "ValidationDomain": "example.net"}])
        d = self.describe(arn)
        self.assertIn("admin@example.net", d["DomainValidationOptions"][0]["ValidationEmails"])
        idle = self.issued(DomainName="idle.example.net", ValidationMethod="DNS", KeyAlgorithm="EC_prime256v1")
        self.assertEqual(self.describe(arn)["RenewalEligibility"], "INELIGIBLE")
        got = self.acm.export_certificate(CertificateArn=arn, Passphrase=b"open sesame")
        key = self.write("exported.key", got["PrivateKey"])
        leaf = self.write("exported.pem", got["Certificate"])
        self.assertEqual(openssl("pkey", "-in", key, "-passin", "pass:open sesame", "-pubout"),
                         openssl("x509", "-in", leaf, "-noout", "-pubkey"))
        self.assertEqual(self.describe(arn)["RenewalEligibility"], "ELIGIBLE")
        self.advance("340d")
        self.assertTrue(wait_until(lambda: "RenewalSummary" in self.describe(arn)))
        renewed = self.describe(arn)
        self.assertEqual(renewed["RenewalSummary"]["RenewalStatus"], "SUCCESS")
        self.assertNotEqual(renewed["Serial"], d["Serial"])
        self.assertGreater(renewed["NotAfter"], d["NotAfter"])
        self.advance("60d")
        self.assertEqual((self.describe(arn)["Status"], self.describe(idle)["Status"]), ("ISSUED", "EXPIRED"))
        self.refused("ValidationException", self.acm.revoke_certificate, CertificateArn=idle, RevocationReason="SUPERSEDED")
        self.acm.revoke_certificate(CertificateArn=arn, RevocationReason="KEY_COMPROMISE")
        self.assertEqual(self.describe(arn)["Status"], "REVOKED")

    def test_bad_requests(self):
        request = self.acm.request_certificate
        self.refused("ValidationException", request, DomainName="no_domain")
        self.refused("LimitExceededException", request, DomainName="a.example.com",
                     SubjectAlternativeNames=[f"s{i}.example.com" for i in range(10)])
        self.refused("InvalidDomainValidationOptionsException", request, DomainName="a.example.com",
                     DomainValidationOptions=[{"DomainName": "a.example.com", "ValidationDomain": "example.org"}])
        self.refused("InvalidTagException", request, DomainName="a.example.com", Tags=[{"Key": "aws:x", "Value": ""}])


if __name__ == "__main__":
    unittest.main()
