"""Mutual TLS: trust stores from S3, revocations, verify and passthrough listeners with what targets are told. Needs root for the packets."""
import os
import subprocess
import unittest
import urllib.parse

from elbv2case import Place

NEEDS_BOTO3 = (1, 40)


class Mutual(Place):
    def make(self, *args, **kw):
        return subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=self.folder, **kw)

    def setUp(self):
        super().setUp()
        self.folder = os.path.join(self.virga.folder, self.name("ca"))
        os.mkdir(self.folder)
        self.s3 = self.virga.client("s3")
        self.s3.create_bucket(Bucket="trust")
        for ca in ("good", "bad"):
            self.make("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{ca}.key", "-out",
                      f"{ca}.pem", "-subj", f"/O=Test/CN={ca}", "-days", "30")
        for name, ca in (("alice", "good"), ("bob", "good"), ("mallory", "bad")):
            self.make("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key", "-out",
                      f"{name}.csr", "-subj", f"/O=Test/CN={name}")
            self.make("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-out", f"{name}.pem",
                      "-days", "20")
        # By an authority between.
        with open(os.path.join(self.folder, "between.ext"), "w") as f:
            f.write("basicConstraints=CA:TRUE\n")
        for name, ca, *also in (("between", "good", "-extfile", "between.ext"), ("carol", "between")):
            self.make("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key", "-out",
                      f"{name}.csr", "-subj", f"/O=Test/CN={name}")
            self.make("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-out", f"{name}.pem",
                      "-days", "20", *also)
        with open(os.path.join(self.folder, "carol-chain.pem"), "w") as f:
            for name in ("carol", "between"):
                with open(os.path.join(self.folder, name + ".pem")) as g:
                    f.write(g.read())
        with open(os.path.join(self.folder, "ca.cnf"), "w") as f:
            f.write("[ca]\ndefault_ca=x\n[x]\ndatabase=index\ndefault_md=sha256\ndefault_crl_days=10\ncrlnumber=number\n")
        for name, text in (("index", ""), ("number", "01\n")):
            with open(os.path.join(self.folder, name), "w") as f:
                f.write(text)
        self.make("ca", "-config", "ca.cnf", "-revoke", "bob.pem", "-cert", "good.pem", "-keyfile", "good.key")
        self.make("ca", "-config", "ca.cnf", "-gencrl", "-cert", "good.pem", "-keyfile", "good.key", "-out", "crl.pem")
        for name in ("good.pem", "bad.pem", "crl.pem"):
            self.s3.upload_file(os.path.join(self.folder, name), "trust", name)
        self.s3.put_object(Bucket="trust", Key="nonsense", Body=b"nonsense")

    def ask(self, url, who=None):
        cert = ["--cert", os.path.join(self.folder, who + ".pem"), "--key", os.path.join(self.folder, who + ".key")] if who else []
        return self.curl(url, "-k", *cert)

    def test_mutual(self):
        bundle = {"CaCertificatesBundleS3Bucket": "trust", "CaCertificatesBundleS3Key": "good.pem"}
        create = self.elb.create_trust_store
        self.refused("CaCertificatesBundleNotFound", create, Name="t", **{**bundle, "CaCertificatesBundleS3Key": "missing"})
        self.refused("InvalidCaCertificatesBundle", create, Name="t", **{**bundle, "CaCertificatesBundleS3Key": "nonsense"})
        store = create(Name="t", Tags=[{"Key": "a", "Value": "b"}], **bundle)["TrustStores"][0]
        self.assertEqual((store["Status"], store["NumberOfCaCertificates"], store["TotalRevokedEntries"]), ("ACTIVE", 1, 0))
        trust = store["TrustStoreArn"]
        self.refused("DuplicateTrustStoreName", create, Name="t", **bundle)
        self.assertEqual(self.elb.describe_tags(ResourceArns=[trust])["TagDescriptions"][0]["Tags"], [{"Key": "a", "Value": "b"}])
        self.assertEqual(self.elb.describe_trust_stores(Names=["t"])["TrustStores"], [store])
        self.refused("TrustStoreNotFound", self.elb.describe_trust_stores, TrustStoreArns=[trust[:-1] + "x"])

        self.serve(self.places[0], 8021, "one")
        lb, ips = self.inside()
        tg = self.quick(Port=8021)
        self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": self.places[0]["ip"]}])
        cert = self.acm.request_certificate(DomainName="mutual.example.com", ValidationMethod="DNS")["CertificateArn"]
        self.until(lambda: self.acm.describe_certificate(CertificateArn=cert)["Certificate"]["Status"] == "ISSUED")
        forward = [{"Type": "forward", "TargetGroupArn": tg}]
        self.refused("ValidationError", self.listener, b=lb, actions=forward, Protocol="HTTPS", Port=443,
                     Certificates=[{"CertificateArn": cert}], MutualAuthentication={"Mode": "verify"})
        self.refused("InvalidConfigurationRequest", self.listener, b=lb, actions=forward, Port=80,
                     MutualAuthentication={"Mode": "passthrough"})
        front = self.listener(lb, forward, Protocol="HTTPS", Port=443, Certificates=[{"CertificateArn": cert}],
                              MutualAuthentication={"Mode": "verify", "TrustStoreArn": trust})
        got = self.elb.describe_listeners(ListenerArns=[front])["Listeners"][0]["MutualAuthentication"]
        self.assertEqual((got["Mode"], got["TrustStoreArn"], got["AdvertiseTrustStoreCaNames"]), ("verify", trust, "off"))
        self.assertEqual(self.elb.describe_trust_store_associations(TrustStoreArn=trust)["TrustStoreAssociations"], [{"ResourceArn": front}])
        self.refused("TrustStoreInUse", self.elb.delete_trust_store, TrustStoreArn=trust)
        self.healthy(tg, 1)
        url = f"https://{ips[0]}/x"
        self.until(lambda: self.ask(url, "alice")[0] == 200, lambda: self.ask(url, "alice"))
        self.assertEqual((self.ask(url)[0], self.ask(url, "mallory")[0]), (0, 0))
        h = self.told(url, "-k", "--cert", self.folder + "/alice.pem", "--key", self.folder + "/alice.key", "-H",
                      "X-Amzn-Mtls-Clientcert-Subject: forged")["headers"]
        with open(os.path.join(self.folder, "alice.pem")) as f:
            pem = f.read()
        serial = self.make("x509", "-in", "alice.pem", "-noout", "-serial").stdout.decode().strip().split("=")[1]
        self.assertEqual(urllib.parse.unquote(h["x-amzn-mtls-clientcert-leaf"]), pem)
        self.assertEqual((h["x-amzn-mtls-clientcert-serial-number"], h["x-amzn-mtls-clientcert-subject"], h["x-amzn-mtls-clientcert-issuer"]),
                         (serial, "CN=alice,O=Test", "CN=good,O=Test"))
        self.assertRegex(h["x-amzn-mtls-clientcert-validity"], r"^NotBefore=20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ;NotAfter=20\d\d-.*Z$")
        # Revoked, and let in again.
        self.assertEqual(self.ask(url, "bob")[0], 200)
        add = self.elb.add_trust_store_revocations
        self.refused("RevocationContentNotFound", add, TrustStoreArn=trust, RevocationContents=[{"S3Bucket": "trust", "S3Key": "x"}])
        self.refused("InvalidRevocationContent", add, TrustStoreArn=trust, RevocationContents=[{"S3Bucket": "trust", "S3Key": "nonsense"}])
        made = add(TrustStoreArn=trust, RevocationContents=[{"S3Bucket": "trust", "S3Key": "crl.pem"}])["TrustStoreRevocations"][0]
        self.assertEqual(made["NumberOfRevokedEntries"], 1)
        self.until(lambda: self.ask(url, "bob")[0] == 0)
        self.assertEqual(self.ask(url, "alice")[0], 200)
        listed = self.elb.describe_trust_store_revocations(TrustStoreArn=trust)["TrustStoreRevocations"]
        self.assertEqual([r["RevocationId"] for r in listed], [made["RevocationId"]])
        self.refused("RevocationIdNotFound", self.elb.remove_trust_store_revocations, TrustStoreArn=trust, RevocationIds=[99])
        self.elb.remove_trust_store_revocations(TrustStoreArn=trust, RevocationIds=[made["RevocationId"]])
        self.until(lambda: self.ask(url, "bob")[0] == 200)
        # Another authority.
        self.elb.modify_trust_store(TrustStoreArn=trust, **{**bundle, "CaCertificatesBundleS3Key": "bad.pem"})
        self.until(lambda: self.ask(url, "mallory")[0] == 200)
        self.assertEqual(self.ask(url, "alice")[0], 0)
        # Passthrough: anybody, and the target is told; by another name.
        self.elb.modify_listener(ListenerArn=front, MutualAuthentication={"Mode": "passthrough"})
        self.elb.modify_listener_attributes(ListenerArn=front, Attributes=[
            {"Key": "routing.http.request.x_amzn_mtls_clientcert.header_name", "Value": "X-Who"}])
        self.until(lambda: self.ask(url)[0] == 200)
        def headers():
            return self.told(url, "-k", "--cert", self.folder + "/alice.pem", "--key", self.folder + "/alice.key")["headers"]

        self.until(lambda: "x-who" in headers())
        h = headers()
        self.assertEqual(urllib.parse.unquote(h["x-who"]), pem)
        # With all that the client has shown.
        said = self.told(url, "-k", "--cert", self.folder + "/carol-chain.pem", "--key", self.folder + "/carol.key")["headers"]["x-who"]
        with open(os.path.join(self.folder, "carol-chain.pem")) as f:
            self.assertEqual(urllib.parse.unquote(said), f.read())
        self.assertNotIn("%2F", said)
        self.elb.delete_trust_store(TrustStoreArn=trust)


if __name__ == "__main__":
    unittest.main()
