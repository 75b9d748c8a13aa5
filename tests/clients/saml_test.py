"""AssumeRoleWithSAML: responses signed here by OpenSSL as an identity provider's, taken and refused by a real client's calls."""
import base64
import datetime
import hashlib
import json
import os
import random
import subprocess
import unittest
import xml.sax.saxutils

from botocore.exceptions import ClientError

from virga import Virga

ACCOUNT = "000000000000"
ISSUER = "https://idp.example.com/metadata"
SIGN_IN = "https://signin.aws.amazon.com/saml"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
DS = 'xmlns:ds="http://www.w3.org/2000/09/xmldsig#"'
SAML = 'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
SAMLP = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'


def at(seconds=0):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Idp:
    """Everything that it writes is in exclusive canonical form already, so that its bytes are what is signed."""

    def __init__(self, folder, name):
        self.key, self.certificate = (os.path.join(folder, f"{name}.{kind}") for kind in ("key", "pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out",
            self.certificate, "-days", "30", "-subj", f"/CN={name}"], check=True, capture_output=True)
        with open(self.certificate) as f:
            self.der = "".join(f.read().split("-----")[2].split())

    def metadata(self):
        return (f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" {DS} entityID="{ISSUER}">'
            '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor '
            f'use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{self.der}</ds:X509Certificate></ds:X509Data>'
            '</ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService '
            'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.com/"/>'
            '</md:IDPSSODescriptor></md:EntityDescriptor>')

    def signature(self, element, id, transforms=(ENVELOPED, EXCLUSIVE), algorithm=RSA_SHA256, canonical=EXCLUSIVE):
        digest = base64.b64encode(hashlib.sha256(element.encode()).digest()).decode()
        steps = "".join(f'<ds:Transform Algorithm="{t}"></ds:Transform>' for t in transforms)
        inner = (f'<ds:CanonicalizationMethod Algorithm="{canonical}"></ds:CanonicalizationMethod><ds:SignatureMethod '
            f'Algorithm="{algorithm}"></ds:SignatureMethod><ds:Reference URI="#{id}"><ds:Transforms>{steps}</ds:Transforms>'
            f'<ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue>'
            '</ds:Reference>')
        value = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=
            f"<ds:SignedInfo {DS}>{inner}</ds:SignedInfo>".encode(), check=True, capture_output=True).stdout
        return (f'<ds:Signature {DS}><ds:SignedInfo>{inner}</ds:SignedInfo><ds:SignatureValue>'
            f'{base64.b64encode(value).decode()}</ds:SignatureValue></ds:Signature>')

    def assertion(self, roles, session="alice", attributes=(), subject="alice@example.com", audience=SIGN_IN,
            recipient=SIGN_IN, issued=0, until=240, not_before=-60, issuer=ISSUER, signer=None, **how):
        """(id, signed assertion)"""
        id = f"_{random.getrandbits(80):x}"
        values = [("https://aws.amazon.com/SAML/Attributes/Role", [f"{r},{PROVIDER}" for r in roles]),
            ("https://aws.amazon.com/SAML/Attributes/RoleSessionName", [session]), *attributes]
        told = "".join(f'<saml:Attribute Name="{n}">' + "".join(f"<saml:AttributeValue>{xml.sax.saxutils.escape(v)}"
            "</saml:AttributeValue>" for v in vs) + "</saml:Attribute>" for n, vs in values)
        head = f'<saml:Assertion {SAML} ID="{id}" IssueInstant="{at(issued)}" Version="2.0"><saml:Issuer>{issuer}</saml:Issuer>'
        tail = ('<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">'
            f'{subject}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            f'<saml:SubjectConfirmationData NotOnOrAfter="{at(until)}" Recipient="{recipient}"></saml:SubjectConfirmationData>'
            f'</saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{at(not_before)}" '
            f'NotOnOrAfter="{at(until)}"><saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience>'
            f'</saml:AudienceRestriction></saml:Conditions><saml:AttributeStatement>{told}</saml:AttributeStatement>'
            '</saml:Assertion>')
        if signer is False:
            return id, head + tail
        return id, head + (signer or self).signature(head + tail, id, **how) + tail

    @staticmethod
    def response(*assertions, status="Success", extra="", id="_r", sign=None):
        head = (f'<samlp:Response {SAMLP} ID="{id}" Version="2.0">')
        tail = (f'<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{status}"></samlp:StatusCode>'
            f'</samlp:Status>{"".join(assertions)}{extra}</samlp:Response>')
        return head + (sign.signature(head + tail, id) if sign else "") + tail


class Saml(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.iam = cls.virga.client("iam")
        cls.idp, cls.other = Idp(cls.virga.folder, "idp"), Idp(cls.virga.folder, "other")
        cls.iam.create_saml_provider(Name="corp", SAMLMetadataDocument=cls.idp.metadata())
        cls.role = cls.make_role("app", {"StringEquals": {"SAML:aud": SIGN_IN}})
        cls.iam.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}))
        cls.sts = cls.virga.client("sts", None, None)

    @classmethod
    def make_role(cls, name, condition, actions=("sts:AssumeRoleWithSAML", "sts:TagSession"), **kw):
        statement = {"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": list(actions)}
        if condition:
            statement["Condition"] = condition
        return cls.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": statement}), **kw)["Role"]["Arn"]

    def assume(self, text, role=None, provider=PROVIDER, **kw):
        return self.sts.assume_role_with_saml(RoleArn=role or self.role, PrincipalArn=provider,
            SAMLAssertion=base64.b64encode(text.encode()).decode(), **kw)

    def refused(self, wanted, text, **kw):
        with self.assertRaises(ClientError) as caught:
            self.assume(text, **kw)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], wanted, error)
        return error["Message"]

    def good(self, **kw):
        return self.idp.response(self.idp.assertion([self.role], **kw)[1])

    def test_a_session(self):
        answer = self.assume(self.good())
        self.assertEqual((answer["Subject"], answer["SubjectType"], answer["Issuer"], answer["Audience"]),
            ("alice@example.com", "persistent", ISSUER, SIGN_IN))
        self.assertEqual(answer["NameQualifier"], base64.b64encode(hashlib.sha1(
            f"{ISSUER}{ACCOUNT}/corp".encode()).digest()).decode())
        self.assertEqual(answer["AssumedRoleUser"]["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/app/alice")
        c = answer["Credentials"]
        use = lambda service: self.virga.client(service, c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])
        use("sqs").list_queues()
        with self.assertRaises(ClientError):
            use("ssm").describe_parameters()

    def test_the_whole_response_signed(self):
        _, unsigned = self.idp.assertion([self.role], signer=False)
        self.assume(self.idp.response(unsigned, sign=self.idp))
        self.refused("InvalidIdentityToken", self.idp.response(unsigned, sign=self.other))
        self.refused("InvalidIdentityToken", self.idp.response(unsigned))

    def test_tampered(self):
        text = self.good()
        self.refused("InvalidIdentityToken", text.replace("alice@", "admin@"))
        self.refused("InvalidIdentityToken", text.replace("RoleSessionName\"><saml:AttributeValue>alice",
            "RoleSessionName\"><saml:AttributeValue>admin"))
        at_ = text.index("<ds:SignatureValue>") + 30
        self.refused("InvalidIdentityToken", text[:at_] + ("A" if text[at_] != "A" else "B") + text[at_ + 1:])
        # Nothing of it was redeemed: the true one still is good.
        self.assume(text)

    def test_somebody_elses_signature(self):
        self.refused("InvalidIdentityToken", self.good(signer=self.other))
        # A key that the message brings along does not count.
        text = self.good(signer=self.other)
        info = f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{self.other.der}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        self.refused("InvalidIdentityToken", text.replace("</ds:SignatureValue>", "</ds:SignatureValue>" + info))
        # One that goes with it and is right does no harm.
        self.assume(self.good().replace("</ds:SignatureValue>", "</ds:SignatureValue>" + info.replace(self.other.der,
            self.idp.der)))

    def test_wrapping(self):
        _, real = self.idp.assertion([self.role])
        _, forged = self.idp.assertion([self.role], subject="admin@example.com", signer=False)
        # Two assertions; the signed one hidden elsewhere; a forged one with the signed one's signature and ID.
        self.refused("InvalidIdentityToken", self.idp.response(forged, real))
        self.refused("InvalidIdentityToken", self.idp.response(forged, extra=f"<x>{real}</x>"))
        signature = real[real.index("<ds:Signature "):real.index("</ds:Signature>") + 15]
        id = real[real.index('ID="') + 4:].split('"')[0]
        wrapped = forged.replace(forged[forged.index('ID="') + 4:].split('"')[0], id).replace("</saml:Issuer>",
            "</saml:Issuer>" + signature, 1)
        self.refused("InvalidIdentityToken", self.idp.response(wrapped))
        self.refused("InvalidIdentityToken", self.idp.response(wrapped, extra=f"<x>{real}</x>"))
        self.refused("InvalidIdentityToken", self.idp.response(wrapped.replace(signature, signature.replace(
            "</ds:Signature>", f"<ds:Object>{real}</ds:Object></ds:Signature>"))))

    def test_forms_that_are_not_taken(self):
        for how in ({"transforms": (EXCLUSIVE,)}, {"transforms": (ENVELOPED,)},
                {"transforms": (ENVELOPED, "http://www.w3.org/TR/1999/REC-xslt-19991116")},
                {"transforms": (ENVELOPED, EXCLUSIVE, EXCLUSIVE)}, {"canonical": "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"},
                {"algorithm": "http://www.w3.org/2000/09/xmldsig#rsa-sha1"},
                {"algorithm": "http://www.w3.org/2000/09/xmldsig#hmac-sha1"}):
            with self.subTest(**how):
                self.refused("InvalidIdentityToken", self.good(**how))

    def test_comments_do_not_cut(self):
        self.assertEqual(self.assume(self.good().replace("alice@example.com", "alice@<!-- x -->example.com"))["Subject"],
            "alice@example.com")

    def test_no_document_types(self):
        text = self.good()
        self.refused("InvalidIdentityToken", '<!DOCTYPE x [<!ENTITY e "alice">]>' + text)
        self.refused("InvalidIdentityToken", "not xml")
        self.refused("InvalidIdentityToken", text[:-1])
        with self.assertRaises(ClientError) as caught:
            self.sts.assume_role_with_saml(RoleArn=self.role, PrincipalArn=PROVIDER, SAMLAssertion="%%%%")
        self.assertEqual(caught.exception.response["Error"]["Code"], "InvalidIdentityToken")

    def test_once(self):
        text = self.good()
        self.assume(text)
        self.assertIn("redeemed before", self.refused("InvalidIdentityToken", text))
        self.virga.restart()
        self.refused("InvalidIdentityToken", text)

    def test_time_and_purpose(self):
        self.refused("ExpiredTokenException", self.good(issued=-301))
        self.refused("ExpiredTokenException", self.good(until=-1))
        self.refused("InvalidIdentityToken", self.good(not_before=3600))
        self.refused("InvalidIdentityToken", self.good(audience="https://other.example.com/"))
        self.refused("InvalidIdentityToken", self.good(recipient="https://other.example.com/saml"))
        self.refused("InvalidIdentityToken", self.good(recipient="https://evilsignin.aws.amazon.com.example/saml"))
        self.refused("InvalidIdentityToken", self.good(issuer="https://other.example.com/"))
        self.refused("IDPRejectedClaim", self.idp.response(self.idp.assertion([self.role])[1], status="Requester"))

    def test_roles_and_trust(self):
        other = self.make_role("only-bob", {"StringEquals": {"SAML:sub": "bob@example.com", "SAML:iss": ISSUER,
            "SAML:sub_type": "persistent", "SAML:doc": f"{ACCOUNT}/corp"}})
        both = lambda **kw: self.idp.response(self.idp.assertion([self.role, other], **kw)[1])
        self.refused("AccessDenied", both(), role=other)
        self.assume(both(subject="bob@example.com"), role=other)
        # A role that the assertion does not name; one that is not there; a provider that is not.
        self.refused("AccessDenied", self.good(), role=other)
        gone = f"arn:aws:iam::{ACCOUNT}:role/gone"
        self.refused("AccessDenied", self.idp.response(self.idp.assertion([gone])[1]), role=gone)
        self.refused("InvalidIdentityToken", self.good(), provider=PROVIDER + "2")

    def test_what_the_assertion_sets(self):
        base = "https://aws.amazon.com/SAML/Attributes/"
        role = self.make_role("tagged", {"StringEquals": {"aws:RequestTag/team": "red"}}, MaxSessionDuration=7200)
        self.iam.put_role_policy(RoleName="tagged", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*",
                "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red", "saml:sub": "alice@example.com"}}}}))
        make = lambda tag, *more: self.idp.response(self.idp.assertion([role], attributes=[
            (base + "PrincipalTag:team", [tag]), (base + "SessionDuration", ["7200"]), *more])[1])
        answer = self.assume(make("red"), role=role)
        c = answer["Credentials"]
        left = c["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
        self.assertAlmostEqual(left.total_seconds(), 7200, delta=60)
        self.virga.client("sqs", c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"]).list_queues()
        self.refused("AccessDenied", make("blue"), role=role)
        # Source identities are a permission of their own.
        self.refused("AccessDenied", make("red", (base + "SourceIdentity", ["alice"])), role=role)
        self.refused("AccessDenied", self.idp.response(self.idp.assertion([role])[1]), role=role)
        self.refused("InvalidIdentityToken", self.good(session="a"))


if __name__ == "__main__":
    unittest.main()
