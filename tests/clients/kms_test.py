"""KMS through boto3: every operation and what it refuses, real cryptography checked by OpenSSL outside, rotation and deletion
on the virtual clock, imported material, what a crash leaves and what lies in the data folder."""
import base64
import concurrent.futures
import ctypes
import datetime
import hashlib
import hmac
import json
import os
import random
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from botocore.config import Config
from botocore.exceptions import ClientError

from virga import BINARY, Refusals, Virga, wait_until

NEEDS_BOTO3 = (1, 40)

ACCOUNT = "000000000000"
SYMMETRIC = "SYMMETRIC_DEFAULT"


def openssl(*args, stdin=None, check=True):
    run = subprocess.run(["openssl", *args], input=stdin, capture_output=True)
    if check and run.returncode:
        raise AssertionError(run.stderr.decode())
    return run.stdout if check else run


def aes_gcm_open(key, iv, tag, aad, ciphertext):
    """By OpenSSL's library, which its command does not do for GCM."""
    lib = ctypes.CDLL("libcrypto.so.3")
    for name in ("EVP_CIPHER_CTX_new", "EVP_aes_256_gcm"):
        getattr(lib, name).restype = ctypes.c_void_p
    ctx, n, out = ctypes.c_void_p(lib.EVP_CIPHER_CTX_new()), ctypes.c_int(), ctypes.create_string_buffer(len(ciphertext) + 16)
    assert lib.EVP_DecryptInit_ex(ctx, ctypes.c_void_p(lib.EVP_aes_256_gcm()), None, key, iv) == 1
    assert lib.EVP_DecryptUpdate(ctx, None, ctypes.byref(n), aad, len(aad)) == 1
    assert lib.EVP_DecryptUpdate(ctx, out, ctypes.byref(n), ciphertext, len(ciphertext)) == 1
    assert lib.EVP_CIPHER_CTX_ctrl(ctx, 0x11, 16, tag) == 1  # EVP_CTRL_AEAD_SET_TAG
    good = lib.EVP_DecryptFinal_ex(ctx, ctypes.byref(ctypes.create_string_buffer(16)), ctypes.byref(n)) == 1
    lib.EVP_CIPHER_CTX_free(ctx)
    return out.raw[:len(ciphertext)] if good else None


def split_blob(blob):
    """src/services/kms/blob.h tells this layout."""
    assert blob[:2] == b"\x01\x01"
    end = 4 + struct.unpack(">H", blob[2:4])[0]
    return {"header": blob[:end + 32], "arn": blob[4:end].decode(), "material": blob[end:end + 32], "iv": blob[end + 32:end + 44],
            "tag": blob[end + 44:end + 60], "ciphertext": blob[end + 60:]}


def context_bytes(context):
    return b"".join(struct.pack(">I", len(x)) + x for k, v in sorted((k.encode(), v.encode()) for k, v in context.items())
                    for x in (k, v))


class Case(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.kms = cls.virga.client("kms")
        folder = tempfile.TemporaryDirectory(prefix="virga-kms-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name

    def key(self, spec=None, usage=None, **kw):
        if spec:
            kw["KeySpec"] = spec
        if usage:
            kw["KeyUsage"] = usage
        return self.kms.create_key(**kw)["KeyMetadata"]

    def state(self, key_id, kms=None):
        return (kms or self.kms).describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"]

    def unchecked(self):
        """A client that leaves checking ranges to the server."""
        return self.virga.client("kms", config=Config(parameter_validation=False))

    def file(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def advance(self, *duration):
        run = subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", *duration], capture_output=True,
                             text=True)
        self.assertEqual(run.returncode, 0, run.stderr)


class Keys(Case):
    def test_metadata(self):
        m = self.key(Description="d", Tags=[{"TagKey": "a", "TagValue": "1"}])
        self.assertRegex(m["KeyId"], r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        self.assertEqual(m["Arn"], f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{m['KeyId']}")
        expected = {"AWSAccountId": ACCOUNT, "Enabled": True, "Description": "d", "KeyUsage": "ENCRYPT_DECRYPT",
                    "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "KeySpec": SYMMETRIC,
                    "CustomerMasterKeySpec": SYMMETRIC, "EncryptionAlgorithms": [SYMMETRIC], "MultiRegion": False}
        self.assertEqual({k: m[k] for k in expected}, expected)
        self.assertEqual(len(m["CurrentKeyMaterialId"]), 64)
        for reference in (m["KeyId"], m["Arn"]):
            self.assertEqual(self.kms.describe_key(KeyId=reference)["KeyMetadata"], m)
        self.kms.update_key_description(KeyId=m["KeyId"], Description="other")
        self.assertEqual(self.kms.describe_key(KeyId=m["KeyId"])["KeyMetadata"]["Description"], "other")

    def test_specs(self):
        for spec, usage, field, count in (("RSA_2048", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", 2),
                                          ("RSA_3072", "SIGN_VERIFY", "SigningAlgorithms", 6),
                                          ("ECC_NIST_P256", "SIGN_VERIFY", "SigningAlgorithms", 1),
                                          ("ECC_NIST_P384", "KEY_AGREEMENT", "KeyAgreementAlgorithms", 1),
                                          ("ECC_SECG_P256K1", "SIGN_VERIFY", "SigningAlgorithms", 1),
                                          ("HMAC_384", "GENERATE_VERIFY_MAC", "MacAlgorithms", 1)):
            m = self.key(spec, usage)
            self.assertEqual((m["KeySpec"], m["KeyUsage"], len(m[field])), (spec, usage, count))
            lists = {"EncryptionAlgorithms", "SigningAlgorithms", "KeyAgreementAlgorithms", "MacAlgorithms"} & set(m)
            self.assertEqual(lists, {field})
        for kw in ({"KeySpec": "RSA_2048"}, {"KeySpec": "ECC_NIST_P256", "KeyUsage": "ENCRYPT_DECRYPT"},
                   {"KeySpec": "HMAC_256", "KeyUsage": "SIGN_VERIFY"}, {"KeyUsage": "SIGN_VERIFY"},
                   {"KeySpec": "ECC_SECG_P256K1", "KeyUsage": "KEY_AGREEMENT"}, {"KeySpec": "AES"},
                   {"KeySpec": SYMMETRIC, "CustomerMasterKeySpec": SYMMETRIC}):
            self.refused("ValidationException", self.kms.create_key, **kw)
        for spec in ("SM2", "ML_DSA_65"):
            self.refused("UnsupportedOperationException", self.kms.create_key, KeySpec=spec, KeyUsage="SIGN_VERIFY")
        self.refused("UnsupportedOperationException", self.kms.create_key, Origin="AWS_CLOUDHSM", CustomKeyStoreId="cks-1")
        with self.assertRaises(ClientError) as caught:
            self.kms.describe_custom_key_stores()
        self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 501)

    def test_references(self):
        m = self.key()
        name = f"alias/{random.getrandbits(48):x}"
        self.kms.create_alias(AliasName=name, TargetKeyId=m["Arn"])
        alias_arn = f"arn:aws:kms:us-east-1:{ACCOUNT}:{name}"
        for reference in (m["KeyId"], m["Arn"], name, alias_arn):
            self.assertEqual(self.kms.encrypt(KeyId=reference, Plaintext=b"x")["KeyId"], m["Arn"])
        gone = "11111111-2222-3333-4444-555555555555"
        arn = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{gone}"
        for reference in (gone, arn):
            self.assertEqual(self.refused("NotFoundException", self.kms.encrypt, KeyId=reference, Plaintext=b"x"),
                             f"Key '{arn}' does not exist")
        for reference in ("alias/nothing", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/nothing"):
            self.assertEqual(self.refused("NotFoundException", self.kms.encrypt, KeyId=reference, Plaintext=b"x"),
                             f"Alias arn:aws:kms:us-east-1:{ACCOUNT}:alias/nothing is not found.")
        self.assertEqual(self.refused("NotFoundException", self.kms.encrypt, KeyId="junk", Plaintext=b"x"), "Invalid keyId 'junk'")
        west = m["Arn"].replace("us-east-1", "us-west-2")
        self.assertEqual(self.refused("NotFoundException", self.kms.encrypt, KeyId=west, Plaintext=b"x"), "Invalid arn us-west-2")
        for reference in ("arn:aws:s3:us-east-1:000000000000:key/x", "arn:aws:kms:us-east-1", "arn:aws:kms:us-east-1:000000000000:k/x"):
            self.refused("InvalidArnException", self.kms.encrypt, KeyId=reference, Plaintext=b"x")
        # Managing a key takes no alias.
        self.refused("NotFoundException", self.kms.disable_key, KeyId=name)
        self.refused("InvalidArnException", self.kms.disable_key, KeyId=alias_arn)

    def test_accounts_and_regions_are_apart(self):
        m = self.key()
        other = self.virga.client("kms", key="111122223333")
        west = self.virga.client("kms", region="us-west-2")
        for kms in (other, west):
            self.refused("NotFoundException", kms.describe_key, KeyId=m["KeyId"])
            self.assertNotIn(m["KeyId"], [k["KeyId"] for k in kms.list_keys()["Keys"]])
        blob = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"x")["CiphertextBlob"]
        self.refused("InvalidCiphertextException", west.decrypt, CiphertextBlob=blob)

    def test_pages(self):
        kms = self.virga.client("kms", key="222233334444")
        made = sorted(kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5))
        seen, marker = [], {}
        while True:
            page = kms.list_keys(Limit=2, **marker)
            seen += [k["KeyId"] for k in page["Keys"]]
            if not page["Truncated"]:
                break
            marker = {"Marker": page["NextMarker"]}
        self.assertEqual(seen, made)
        self.refused("InvalidMarkerException", kms.list_keys, Marker="!!")

    def test_disabled_at_once(self):
        m = self.key()
        blob = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"x")["CiphertextBlob"]
        self.kms.disable_key(KeyId=m["KeyId"])
        self.assertEqual(self.state(m["KeyId"]), "Disabled")
        for call, kw in ((self.kms.encrypt, {"KeyId": m["KeyId"], "Plaintext": b"x"}), (self.kms.decrypt, {"CiphertextBlob": blob}),
                         (self.kms.generate_data_key, {"KeyId": m["KeyId"], "KeySpec": "AES_256"}),
                         (self.kms.create_grant, {"KeyId": m["KeyId"], "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:root",
                                                  "Operations": ["Encrypt"]}),
                         (self.kms.enable_key_rotation, {"KeyId": m["KeyId"]})):
            self.assertEqual(self.refused("DisabledException", call, **kw), f"{m['Arn']} is disabled.")
        self.kms.enable_key(KeyId=m["KeyId"])
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")

    def test_tags(self):
        key_id = self.key(Tags=[{"TagKey": "a", "TagValue": "1"}])["KeyId"]
        self.kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "a", "TagValue": "2"}, {"TagKey": "b", "TagValue": ""}])
        self.assertEqual(self.kms.list_resource_tags(KeyId=key_id)["Tags"],
                         [{"TagKey": "a", "TagValue": "2"}, {"TagKey": "b", "TagValue": ""}])
        page = self.kms.list_resource_tags(KeyId=key_id, Limit=1)
        self.assertTrue(page["Truncated"])
        self.assertEqual(self.kms.list_resource_tags(KeyId=key_id, Marker=page["NextMarker"])["Tags"],
                         [{"TagKey": "b", "TagValue": ""}])
        self.kms.untag_resource(KeyId=key_id, TagKeys=["a", "absent"])
        self.assertEqual(self.kms.list_resource_tags(KeyId=key_id)["Tags"], [{"TagKey": "b", "TagValue": ""}])
        self.refused("TagException", self.kms.tag_resource, KeyId=key_id, Tags=[{"TagKey": "aws:x", "TagValue": "1"}])
        self.refused("TagException", self.kms.create_key, Tags=[{"TagKey": "x", "TagValue": "1"}] * 2)
        self.refused("LimitExceededException", self.kms.tag_resource, KeyId=key_id,
                     Tags=[{"TagKey": f"k{i}", "TagValue": ""} for i in range(50)])

    def test_policies(self):
        m = self.key()
        policy = json.loads(self.kms.get_key_policy(KeyId=m["KeyId"])["Policy"])
        self.assertEqual((policy["Id"], policy["Statement"][0]["Principal"]["AWS"]),
                         ("key-default-1", f"arn:aws:iam::{ACCOUNT}:root"))
        self.assertEqual(self.kms.list_key_policies(KeyId=m["KeyId"])["PolicyNames"], ["default"])
        new = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {
            "AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}]})
        self.kms.put_key_policy(KeyId=m["KeyId"], PolicyName="default", Policy=new)
        self.assertEqual(self.kms.get_key_policy(KeyId=m["KeyId"], PolicyName="default")["Policy"], new)
        for bad in ("{", "{}", new.replace("Allow", "Perhaps"), new.replace('"Principal"', '"Prince"')):
            self.refused("MalformedPolicyDocumentException", self.kms.put_key_policy, KeyId=m["KeyId"], Policy=bad)
        locked = new.replace("kms:*", "kms:Encrypt")
        self.assertEqual(self.refused("MalformedPolicyDocumentException", self.kms.put_key_policy, KeyId=m["KeyId"], Policy=locked),
                         "The new key policy will not allow you to update the key policy in the future.")
        self.refused("MalformedPolicyDocumentException", self.kms.create_key, Policy=locked)
        self.refused("NotFoundException", self.kms.get_key_policy, KeyId=m["KeyId"], PolicyName="other")
        self.refused("LimitExceededException", self.kms.put_key_policy, KeyId=m["KeyId"], Policy=new + " " * 32768)

    def test_aliases(self):
        first, second = self.key()["KeyId"], self.key()["KeyId"]
        name = f"alias/app/{random.getrandbits(48):x}"
        self.kms.create_alias(AliasName=name, TargetKeyId=first)
        arn = f"arn:aws:kms:us-east-1:{ACCOUNT}:{name}"
        self.assertEqual(self.refused("AlreadyExistsException", self.kms.create_alias, AliasName=name, TargetKeyId=second),
                         f"An alias with the name {arn} already exists")
        entry = self.kms.list_aliases(KeyId=first)["Aliases"][0]
        self.assertEqual((entry["AliasName"], entry["AliasArn"], entry["TargetKeyId"]), (name, arn, first))
        blob = self.kms.encrypt(KeyId=name, Plaintext=b"before")["CiphertextBlob"]
        self.kms.update_alias(AliasName=name, TargetKeyId=second)
        self.assertEqual(self.kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"], second)
        self.assertEqual(self.kms.list_aliases(KeyId=first)["Aliases"], [])
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"before")
        self.refused("IncorrectKeyException", self.kms.decrypt, CiphertextBlob=blob, KeyId=name)
        self.refused("ValidationException", self.kms.update_alias, AliasName=name,
                     TargetKeyId=self.key("HMAC_256", "GENERATE_VERIFY_MAC")["KeyId"])
        self.kms.delete_alias(AliasName=name)
        self.refused("NotFoundException", self.kms.delete_alias, AliasName=name)
        self.refused("NotFoundException", self.kms.update_alias, AliasName=name, TargetKeyId=first)
        self.assertEqual(self.refused("ValidationException", self.kms.create_alias, AliasName="plain", TargetKeyId=first),
                         "Invalid identifier")
        for bad in ("alias/aws/mine", "alias/a:b"):
            self.refused("InvalidAliasNameException", self.kms.create_alias, AliasName=bad, TargetKeyId=first)
        self.refused("NotFoundException", self.kms.create_alias, AliasName="alias/x", TargetKeyId=name)

    def test_managed_keys(self):
        kms = self.virga.client("kms", key="333344445555", region="eu-west-1")
        self.assertEqual(kms.list_aliases()["Aliases"], [])
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            found = {m["KeyMetadata"]["Arn"] for m in pool.map(lambda _: kms.describe_key(KeyId="alias/aws/s3"), range(8))}
        self.assertEqual(len(found), 1)
        m = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
        self.assertEqual(m["KeyManager"], "AWS")
        self.assertTrue(kms.get_key_rotation_status(KeyId=m["KeyId"])["KeyRotationEnabled"])
        self.assertIn("s3.eu-west-1.amazonaws.com", kms.get_key_policy(KeyId=m["KeyId"])["Policy"])
        self.assertEqual([a["AliasName"] for a in kms.list_aliases()["Aliases"]], ["alias/aws/s3"])
        self.refused("NotFoundException", kms.describe_key, KeyId="alias/aws/nothing")
        for call, kw in ((kms.schedule_key_deletion, {}), (kms.disable_key, {}), (kms.disable_key_rotation, {}),
                         (kms.update_key_description, {"Description": "x"}), (kms.tag_resource, {"Tags": []})):
            self.refused("AccessDeniedException", call, KeyId=m["KeyId"], **kw)

    def test_last_usage(self):
        m = self.key()
        before = self.kms.get_key_last_usage(KeyId=m["KeyId"])
        self.assertNotIn("KeyLastUsage", before)
        self.assertEqual(before["KeyCreationDate"], m["CreationDate"])
        r = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"x")
        usage = self.kms.get_key_last_usage(KeyId=m["KeyId"])["KeyLastUsage"]
        self.assertEqual((usage["Operation"], usage["KmsRequestId"]), ("Encrypt", r["ResponseMetadata"]["RequestId"]))
        self.virga.stop()
        self.virga.start(self.virga.port)
        self.assertEqual(self.kms.get_key_last_usage(KeyId=m["KeyId"])["KeyLastUsage"], usage)


class Symmetric(Case):
    def test_round_trip(self):
        m = self.key()
        for plain in (b"\0", os.urandom(4096)):
            for context in ({}, {"a": "1"}, {"b": "2", "a": "1", "": ""}):
                r = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=plain, EncryptionContext=context)
                self.assertEqual((r["KeyId"], r["EncryptionAlgorithm"]), (m["Arn"], SYMMETRIC))
                d = self.kms.decrypt(CiphertextBlob=r["CiphertextBlob"], EncryptionContext=dict(reversed(context.items())))
                self.assertEqual((d["Plaintext"], d["KeyId"], d["KeyMaterialId"]), (plain, m["Arn"], m["CurrentKeyMaterialId"]))
        self.refused("ValidationException", self.kms.encrypt, KeyId=m["KeyId"], Plaintext=b"x" * 4097)
        self.refused("ValidationException", self.kms.encrypt, KeyId=m["KeyId"], Plaintext=b"")
        self.refused("ValidationException", self.kms.encrypt, KeyId=m["KeyId"], Plaintext=b"x", EncryptionContext={"a": "x" * 8192})

    def test_tampering(self):
        m = self.key()
        context = {"purpose": "test", "a": "b"}
        blob = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"secret", EncryptionContext=context)["CiphertextBlob"]
        for at in range(len(blob)):
            bad = blob[:at] + bytes([blob[at] ^ (1 << random.randrange(8))]) + blob[at + 1:]
            self.refused("InvalidCiphertextException", self.kms.decrypt, CiphertextBlob=bad, EncryptionContext=context)
        for bad in (blob[:-1], blob + b"x", blob[:64], b"x", b"\x01\x01\xff\xff" + blob[4:]):
            self.refused("InvalidCiphertextException", self.kms.decrypt, CiphertextBlob=bad, EncryptionContext=context)
        for other in ({}, {"purpose": "test"}, {**context, "c": "d"}, {"purpose": "testa", "": "b"}, {"purposea": "test", "": "b"}):
            self.refused("InvalidCiphertextException", self.kms.decrypt, CiphertextBlob=blob, EncryptionContext=other)
        another = self.key()["KeyId"]
        self.refused("IncorrectKeyException", self.kms.decrypt, CiphertextBlob=blob, EncryptionContext=context, KeyId=another)
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob, EncryptionContext=context, KeyId=m["Arn"])["Plaintext"], b"secret")

    def test_re_encrypt(self):
        one, two = self.key(), self.key()
        blob = self.kms.encrypt(KeyId=one["KeyId"], Plaintext=b"s", EncryptionContext={"a": "1"})["CiphertextBlob"]
        r = self.kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext={"a": "1"}, DestinationKeyId=two["KeyId"],
                                DestinationEncryptionContext={"b": "2"})
        self.assertEqual((r["SourceKeyId"], r["KeyId"]), (one["Arn"], two["Arn"]))
        self.assertEqual((r["SourceKeyMaterialId"], r["DestinationKeyMaterialId"]),
                         (one["CurrentKeyMaterialId"], two["CurrentKeyMaterialId"]))
        self.assertEqual(self.kms.decrypt(CiphertextBlob=r["CiphertextBlob"], EncryptionContext={"b": "2"})["Plaintext"], b"s")
        self.refused("InvalidCiphertextException", self.kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=two["KeyId"])
        self.refused("IncorrectKeyException", self.kms.re_encrypt, CiphertextBlob=blob, SourceEncryptionContext={"a": "1"},
                     SourceKeyId=two["KeyId"], DestinationKeyId=two["KeyId"])
        rsa = self.key("RSA_2048", "ENCRYPT_DECRYPT")
        r = self.kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext={"a": "1"}, DestinationKeyId=rsa["KeyId"],
                                DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_256")
        self.assertEqual(self.kms.decrypt(CiphertextBlob=r["CiphertextBlob"], KeyId=rsa["KeyId"],
                                          EncryptionAlgorithm="RSAES_OAEP_SHA_256")["Plaintext"], b"s")

    def test_data_keys(self):
        m = self.key()
        for kw, n in (({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 1024}, 1024)):
            r = self.kms.generate_data_key(KeyId=m["KeyId"], EncryptionContext={"a": "b"}, **kw)
            self.assertEqual((len(r["Plaintext"]), r["KeyId"], r["KeyMaterialId"]), (n, m["Arn"], m["CurrentKeyMaterialId"]))
            self.assertEqual(self.kms.decrypt(CiphertextBlob=r["CiphertextBlob"], EncryptionContext={"a": "b"})["Plaintext"],
                             r["Plaintext"])
            r = self.kms.generate_data_key_without_plaintext(KeyId=m["KeyId"], **kw)
            self.assertNotIn("Plaintext", r)
            self.assertEqual(len(self.kms.decrypt(CiphertextBlob=r["CiphertextBlob"])["Plaintext"]), n)
        for kw in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 32}):
            self.assertEqual(self.refused("ValidationException", self.kms.generate_data_key, KeyId=m["KeyId"], **kw),
                             "Please specify either number of bytes or key spec.")
        for bad in (0, 1025):
            self.refused("ValidationException", self.unchecked().generate_data_key, KeyId=m["KeyId"], NumberOfBytes=bad)
        rsa = self.key("RSA_2048", "ENCRYPT_DECRYPT")["KeyId"]
        self.refused("InvalidKeyUsageException", self.kms.generate_data_key, KeyId=rsa, KeySpec="AES_256")

    def test_data_key_pairs(self):
        m = self.key()
        for spec in ("RSA_2048", "ECC_NIST_P256", "ECC_NIST_P521", "ECC_SECG_P256K1"):
            r = self.kms.generate_data_key_pair(KeyId=m["KeyId"], KeyPairSpec=spec)
            self.assertEqual(self.kms.decrypt(CiphertextBlob=r["PrivateKeyCiphertextBlob"])["Plaintext"], r["PrivateKeyPlaintext"])
            private = self.file("pair.der", r["PrivateKeyPlaintext"])
            self.assertEqual(openssl("pkey", "-inform", "DER", "-in", private, "-pubout", "-outform", "DER"), r["PublicKey"])
        r = self.kms.generate_data_key_pair_without_plaintext(KeyId=m["KeyId"], KeyPairSpec="ECC_NIST_P384")
        self.assertNotIn("PrivateKeyPlaintext", r)
        private = self.file("pair.der", self.kms.decrypt(CiphertextBlob=r["PrivateKeyCiphertextBlob"])["Plaintext"])
        self.assertEqual(openssl("pkey", "-inform", "DER", "-in", private, "-pubout", "-outform", "DER"), r["PublicKey"])
        self.refused("UnsupportedOperationException", self.kms.generate_data_key_pair, KeyId=m["KeyId"], KeyPairSpec="SM2")

    def test_random(self):
        seen = {self.kms.generate_random(NumberOfBytes=32)["Plaintext"] for _ in range(8)}
        self.assertEqual({len(x) for x in seen}, {32})
        self.assertEqual(len(seen), 8)
        self.refused("ValidationException", self.kms.generate_random, NumberOfBytes=1025)
        self.refused("ValidationException", self.kms.generate_random)

    def test_dry_run(self):
        m = self.key()
        self.refused("DryRunOperationException", self.kms.encrypt, KeyId=m["KeyId"], Plaintext=b"x", DryRun=True)
        self.refused("DryRunOperationException", self.kms.generate_data_key, KeyId=m["KeyId"], KeySpec="AES_256", DryRun=True)
        blob = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"x", DryRun=False)["CiphertextBlob"]
        self.refused("DryRunOperationException", self.kms.decrypt, CiphertextBlob=blob, DryRun=True)
        self.refused("InvalidCiphertextException", self.kms.decrypt, CiphertextBlob=b"junk", DryRun=True)
        self.refused("DryRunOperationException", self.kms.create_grant, KeyId=m["KeyId"], Operations=["Encrypt"],
                     GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:root", DryRun=True)
        self.assertEqual(self.kms.list_grants(KeyId=m["KeyId"])["Grants"], [])
        self.kms.disable_key(KeyId=m["KeyId"])
        self.refused("DisabledException", self.kms.encrypt, KeyId=m["KeyId"], Plaintext=b"x", DryRun=True)

    def test_usage_is_checked(self):
        mac = self.key("HMAC_256", "GENERATE_VERIFY_MAC")
        self.assertEqual(self.refused("InvalidKeyUsageException", self.kms.encrypt, KeyId=mac["KeyId"], Plaintext=b"x"),
                         f"{mac['Arn']} key usage is GENERATE_VERIFY_MAC which is not valid for Encrypt.")
        m = self.key()
        self.refused("InvalidKeyUsageException", self.kms.sign, KeyId=m["KeyId"], Message=b"x", SigningAlgorithm="ECDSA_SHA_256")
        self.refused("InvalidKeyUsageException", self.kms.generate_mac, KeyId=m["KeyId"], Message=b"x", MacAlgorithm="HMAC_SHA_256")
        self.refused("InvalidKeyUsageException", self.kms.encrypt, KeyId=m["KeyId"], Plaintext=b"x",
                     EncryptionAlgorithm="RSAES_OAEP_SHA_1")
        self.refused("UnsupportedOperationException", self.kms.get_public_key, KeyId=m["KeyId"])


class Asymmetric(Case):
    def public(self, key_id):
        r = self.kms.get_public_key(KeyId=key_id)
        path = self.file(f"{key_id}.der", r["PublicKey"])
        return path, r

    def test_rsa_encryption_with_openssl(self):
        for spec, bits in (("RSA_2048", 2048), ("RSA_3072", 3072), ("RSA_4096", 4096)):
            m = self.key(spec, "ENCRYPT_DECRYPT")
            path, r = self.public(m["KeyId"])
            self.assertEqual((r["KeySpec"], r["KeyUsage"], r["EncryptionAlgorithms"]),
                             (spec, "ENCRYPT_DECRYPT", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]))
            for algorithm, digest, size in (("RSAES_OAEP_SHA_1", "sha1", 20), ("RSAES_OAEP_SHA_256", "sha256", 32)):
                outside = openssl("pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", path, "-pkeyopt",
                                  "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{digest}", "-pkeyopt",
                                  f"rsa_mgf1_md:{digest}", stdin=b"from outside")
                self.assertEqual(self.kms.decrypt(KeyId=m["KeyId"], CiphertextBlob=outside, EncryptionAlgorithm=algorithm)
                                 ["Plaintext"], b"from outside")
                most = bits // 8 - 2 * size - 2
                blob = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"x" * most, EncryptionAlgorithm=algorithm)["CiphertextBlob"]
                self.assertEqual(self.kms.decrypt(KeyId=m["KeyId"], CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
                                 ["Plaintext"], b"x" * most)
                self.refused("ValidationException", self.kms.encrypt, KeyId=m["KeyId"], Plaintext=b"x" * (most + 1),
                             EncryptionAlgorithm=algorithm)
                self.refused("InvalidCiphertextException", self.kms.decrypt, KeyId=m["KeyId"], EncryptionAlgorithm=algorithm,
                             CiphertextBlob=blob[:-1] + bytes([blob[-1] ^ 1]))
            self.refused("ValidationException", self.kms.encrypt, KeyId=m["KeyId"], Plaintext=b"x",
                         EncryptionAlgorithm="RSAES_OAEP_SHA_1", EncryptionContext={"a": "b"})

    def test_rsa_signatures_with_openssl(self):
        message = self.file("message", b"sign me")
        for spec in ("RSA_2048", "RSA_4096"):
            m = self.key(spec, "SIGN_VERIFY")
            path, r = self.public(m["KeyId"])
            for algorithm in r["SigningAlgorithms"]:
                digest = "sha" + algorithm[-3:]
                signed = {}
                signed["RAW"] = self.kms.sign(KeyId=m["KeyId"], Message=b"sign me", SigningAlgorithm=algorithm)["Signature"]
                hashed = hashlib.new(digest, b"sign me").digest()
                signed["DIGEST"] = self.kms.sign(KeyId=m["KeyId"], Message=hashed, MessageType="DIGEST",
                                                 SigningAlgorithm=algorithm)["Signature"]
                pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"] if "PSS" in algorithm else []
                for signature in signed.values():
                    openssl("dgst", f"-{digest}", "-verify", path, "-keyform", "DER", *pss, "-signature",
                            self.file("signature", signature), message)
                    for kw in ({"Message": b"sign me"}, {"Message": hashed, "MessageType": "DIGEST"}):
                        r = self.kms.verify(KeyId=m["KeyId"], Signature=signature, SigningAlgorithm=algorithm, **kw)
                        self.assertIs(r["SignatureValid"], True)
                    self.refused("KMSInvalidSignatureException", self.kms.verify, KeyId=m["KeyId"], Message=b"sign you",
                                 Signature=signature, SigningAlgorithm=algorithm)
                self.assertEqual(self.refused("ValidationException", self.kms.sign, KeyId=m["KeyId"], Message=hashed[:-1],
                                              MessageType="DIGEST", SigningAlgorithm=algorithm),
                                 f"Digest is invalid length for algorithm {algorithm}.")

    def test_ecc_signatures_with_openssl(self):
        message = self.file("message", b"sign me")
        for spec, algorithm in (("ECC_NIST_P256", "ECDSA_SHA_256"), ("ECC_NIST_P384", "ECDSA_SHA_384"),
                                ("ECC_NIST_P521", "ECDSA_SHA_512"), ("ECC_SECG_P256K1", "ECDSA_SHA_256")):
            m = self.key(spec, "SIGN_VERIFY")
            path, r = self.public(m["KeyId"])
            self.assertEqual(r["SigningAlgorithms"], [algorithm])
            signature = self.kms.sign(KeyId=m["KeyId"], Message=b"sign me", SigningAlgorithm=algorithm)["Signature"]
            openssl("dgst", f"-sha{algorithm[-3:]}", "-verify", path, "-keyform", "DER", "-signature",
                    self.file("signature", signature), message)
            self.assertTrue(self.kms.verify(KeyId=m["KeyId"], Message=b"sign me", Signature=signature,
                                            SigningAlgorithm=algorithm)["SignatureValid"])
            self.refused("KMSInvalidSignatureException", self.kms.verify, KeyId=m["KeyId"], Message=b"sign me",
                         Signature=b"\x30\x00", SigningAlgorithm=algorithm)
            self.refused("InvalidKeyUsageException", self.kms.sign, KeyId=m["KeyId"], Message=b"x",
                         SigningAlgorithm="RSASSA_PSS_SHA_256")
        self.refused("DryRunOperationException", self.kms.sign, KeyId=m["KeyId"], Message=b"x", SigningAlgorithm=algorithm,
                     DryRun=True)
        self.kms.disable_key(KeyId=m["KeyId"])
        self.refused("DisabledException", self.kms.sign, KeyId=m["KeyId"], Message=b"x", SigningAlgorithm=algorithm)
        self.refused("DisabledException", self.kms.get_public_key, KeyId=m["KeyId"])

    def test_shared_secrets_with_openssl(self):
        for spec, curve in (("ECC_NIST_P256", "P-256"), ("ECC_NIST_P384", "P-384"), ("ECC_NIST_P521", "P-521")):
            m = self.key(spec, "KEY_AGREEMENT")
            path, r = self.public(m["KeyId"])
            self.assertEqual(r["KeyAgreementAlgorithms"], ["ECDH"])
            own = self.file("own.pem", openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}"))
            mine = openssl("pkey", "-in", own, "-pubout", "-outform", "DER")
            peer = self.file("peer.pem", openssl("pkey", "-pubin", "-inform", "DER", "-in", path))
            outside = openssl("pkeyutl", "-derive", "-inkey", own, "-peerkey", peer)
            r = self.kms.derive_shared_secret(KeyId=m["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=mine)
            self.assertEqual((r["SharedSecret"], r["KeyId"], r["KeyOrigin"]), (outside, m["Arn"], "AWS_KMS"))
            self.refused("ValidationException", self.kms.derive_shared_secret, KeyId=m["KeyId"], KeyAgreementAlgorithm="ECDH",
                         PublicKey=mine[:-1])
        other = openssl("pkey", "-in", self.file("own.pem", openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                                                                    "ec_paramgen_curve:P-256")), "-pubout", "-outform", "DER")
        self.refused("ValidationException", self.kms.derive_shared_secret, KeyId=m["KeyId"], KeyAgreementAlgorithm="ECDH",
                     PublicKey=other)
        self.refused("InvalidKeyUsageException", self.kms.derive_shared_secret, KeyId=self.key("ECC_NIST_P256", "SIGN_VERIFY")
                     ["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=other)

    def test_macs(self):
        for bits in (224, 256, 384, 512):
            m, algorithm = self.key(f"HMAC_{bits}", "GENERATE_VERIFY_MAC"), f"HMAC_SHA_{bits}"
            r = self.kms.generate_mac(KeyId=m["KeyId"], Message=b"m", MacAlgorithm=algorithm)
            self.assertEqual((len(r["Mac"]), r["KeyId"]), (bits // 8, m["Arn"]))
            self.assertTrue(self.kms.verify_mac(KeyId=m["KeyId"], Message=b"m", MacAlgorithm=algorithm, Mac=r["Mac"])["MacValid"])
            for kw in ({"Message": b"n", "Mac": r["Mac"]}, {"Message": b"m", "Mac": r["Mac"][:-1]}):
                self.refused("KMSInvalidMacException", self.kms.verify_mac, KeyId=m["KeyId"], MacAlgorithm=algorithm, **kw)
        self.refused("InvalidKeyUsageException", self.kms.generate_mac, KeyId=m["KeyId"], Message=b"m", MacAlgorithm="HMAC_SHA_256")


class Grants(Case):
    def test_life(self):
        m = self.key()
        role = f"arn:aws:iam::{ACCOUNT}:role/r"
        r = self.kms.create_grant(KeyId=m["KeyId"], GranteePrincipal=role, Operations=["Encrypt", "Decrypt", "Encrypt"],
                                  RetiringPrincipal=role, Name="g", Constraints={"EncryptionContextSubset": {"a": "b"}})
        g = self.kms.list_grants(KeyId=m["Arn"])["Grants"][0]
        self.assertEqual((g["GrantId"], g["KeyId"], g["GranteePrincipal"], g["Operations"], g["Name"], g["IssuingAccount"]),
                         (r["GrantId"], m["Arn"], role, ["Encrypt", "Decrypt"], "g", f"arn:aws:iam::{ACCOUNT}:root"))
        self.assertEqual(g["Constraints"], {"EncryptionContextSubset": {"a": "b"}})
        # The same again is the same grant, with another token; without a name each is its own.
        again = self.kms.create_grant(KeyId=m["KeyId"], GranteePrincipal=role, Operations=["Encrypt", "Decrypt"],
                                      RetiringPrincipal=role, Name="g", Constraints={"EncryptionContextSubset": {"a": "b"}})
        self.assertEqual(again["GrantId"], r["GrantId"])
        self.assertNotEqual(again["GrantToken"], r["GrantToken"])
        nameless = [self.kms.create_grant(KeyId=m["KeyId"], GranteePrincipal=role, Operations=["Decrypt"])["GrantId"]
                    for _ in range(2)]
        self.assertEqual(len(set(nameless)), 2)
        self.assertEqual(len(self.kms.list_grants(KeyId=m["KeyId"])["Grants"]), 3)
        self.assertEqual([x["GrantId"] for x in self.kms.list_grants(KeyId=m["KeyId"], GrantId=r["GrantId"])["Grants"]], [r["GrantId"]])
        self.assertEqual(self.kms.list_grants(KeyId=m["KeyId"], GranteePrincipal=role + "x")["Grants"], [])
        self.assertEqual([x["GrantId"] for x in self.kms.list_retirable_grants(RetiringPrincipal=role)["Grants"]], [r["GrantId"]])
        self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"x", GrantTokens=[r["GrantToken"]])
        self.refused("InvalidGrantTokenException", self.kms.encrypt, KeyId=m["KeyId"], Plaintext=b"x",
                     GrantTokens=[r["GrantToken"][:-8] + "AAAAAAA="])
        self.kms.retire_grant(GrantToken=r["GrantToken"])
        self.kms.revoke_grant(KeyId=m["KeyId"], GrantId=nameless[0])
        self.kms.retire_grant(KeyId=m["Arn"], GrantId=nameless[1])
        self.assertEqual(self.kms.list_grants(KeyId=m["KeyId"])["Grants"], [])
        self.refused("NotFoundException", self.kms.revoke_grant, KeyId=m["KeyId"], GrantId=nameless[0])
        self.refused("NotFoundException", self.kms.retire_grant, GrantToken=r["GrantToken"])

    def test_pages(self):
        m = self.key()
        ids = sorted(self.kms.create_grant(KeyId=m["KeyId"], GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/u", Operations=["Decrypt"],
                                           RetiringPrincipal=f"arn:aws:iam::{ACCOUNT}:user/pages")["GrantId"] for _ in range(5))
        for call, kw in ((self.kms.list_grants, {"KeyId": m["KeyId"]}),
                         (self.kms.list_retirable_grants, {"RetiringPrincipal": f"arn:aws:iam::{ACCOUNT}:user/pages"})):
            seen, marker = [], {}
            while True:
                page = call(Limit=2, **kw, **marker)
                seen += [g["GrantId"] for g in page["Grants"]]
                if not page["Truncated"]:
                    break
                marker = {"Marker": page["NextMarker"]}
            self.assertEqual(seen, ids)

    def test_bad_input(self):
        m, sign = self.key(), self.key("ECC_NIST_P256", "SIGN_VERIFY")
        role = f"arn:aws:iam::{ACCOUNT}:role/r"
        for key, kw in ((m, {"Operations": ["Sign"]}), (sign, {"Operations": ["Encrypt"]}), (m, {"Operations": []}),
                        (m, {"Operations": ["Fly"]}),
                        (sign, {"Operations": ["Sign"], "Constraints": {"EncryptionContextEquals": {"a": "b"}}})):
            self.refused("ValidationException", self.kms.create_grant, KeyId=key["KeyId"], GranteePrincipal=role, **kw)
        self.refused("InvalidArnException", self.kms.create_grant, KeyId=m["KeyId"], GranteePrincipal="nobody", Operations=["Encrypt"])
        self.refused("InvalidGrantIdException", self.kms.revoke_grant, KeyId=m["KeyId"], GrantId="x")
        self.refused("InvalidGrantTokenException", self.kms.retire_grant, GrantToken="x")
        self.refused("ValidationException", self.kms.retire_grant)

    def test_only_who_may_retires(self):
        m = self.key()
        r = self.kms.create_grant(KeyId=m["KeyId"], GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/u", Operations=["Decrypt"])
        self.refused("AccessDeniedException", self.virga.client("kms", key="111122223333").retire_grant, GrantToken=r["GrantToken"])


class Rotation(Case):
    def setUp(self):
        self.virga = Virga().start()
        self.addCleanup(self.virga.close)
        self.kms = self.virga.client("kms")

    def rotations(self, key_id, **kw):
        return self.kms.list_key_rotations(KeyId=key_id, **kw)["Rotations"]

    def test_automatic(self):
        m = self.key()
        old = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"old")["CiphertextBlob"]
        self.assertFalse(self.kms.get_key_rotation_status(KeyId=m["KeyId"])["KeyRotationEnabled"])
        self.kms.enable_key_rotation(KeyId=m["KeyId"], RotationPeriodInDays=90)
        status = self.kms.get_key_rotation_status(KeyId=m["KeyId"])
        self.assertEqual((status["KeyRotationEnabled"], status["RotationPeriodInDays"]), (True, 90))
        self.advance("89d")
        self.assertEqual(self.rotations(m["KeyId"]), [])
        self.advance("2d")
        done = self.rotations(m["KeyId"])
        self.assertEqual([r["RotationType"] for r in done], ["AUTOMATIC"])
        now = self.kms.describe_key(KeyId=m["KeyId"])["KeyMetadata"]
        self.assertNotEqual(now["CurrentKeyMaterialId"], m["CurrentKeyMaterialId"])
        self.assertEqual(done[0]["KeyMaterialId"], now["CurrentKeyMaterialId"])
        d = self.kms.decrypt(CiphertextBlob=old)
        self.assertEqual((d["Plaintext"], d["KeyMaterialId"]), (b"old", m["CurrentKeyMaterialId"]))
        new = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"new")["CiphertextBlob"]
        self.assertEqual(split_blob(new)["material"].hex(), now["CurrentKeyMaterialId"])
        self.advance("90d")
        self.assertEqual(len(self.rotations(m["KeyId"])), 2)
        self.virga.restart()
        for blob, plain in ((old, b"old"), (new, b"new")):
            self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], plain)
        self.kms.disable_key_rotation(KeyId=m["KeyId"])
        self.advance("200d")
        self.assertEqual(len(self.rotations(m["KeyId"])), 2)
        states = [r["KeyMaterialState"] for r in self.rotations(m["KeyId"], IncludeKeyMaterial="ALL_KEY_MATERIAL")]
        self.assertEqual(states, ["NON_CURRENT", "NON_CURRENT", "CURRENT"])

    def test_time_moved_over_several(self):
        m = self.key()
        self.kms.enable_key_rotation(KeyId=m["KeyId"], RotationPeriodInDays=90)
        self.advance("400d")
        dates = [r["RotationDate"] for r in self.rotations(m["KeyId"])]
        self.assertEqual([round((d - m["CreationDate"]).total_seconds() / 86400) for d in dates], [90, 180, 270, 360])
        self.assertEqual(round((self.kms.get_key_rotation_status(KeyId=m["KeyId"])["NextRotationDate"] - dates[-1]).total_seconds()),
                         90 * 86400)

    def test_disabled_keys_wait(self):
        m = self.key()
        self.kms.enable_key_rotation(KeyId=m["KeyId"])
        self.kms.disable_key(KeyId=m["KeyId"])
        self.advance("1500d")
        self.assertEqual(self.rotations(m["KeyId"]), [])
        self.kms.enable_key(KeyId=m["KeyId"])
        self.advance("2d")
        self.assertEqual(len(self.rotations(m["KeyId"])), 1)

    def test_on_demand(self):
        m = self.key()
        blobs = []
        for i in range(25):
            blobs.append(self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"%d" % i)["CiphertextBlob"])
            self.kms.rotate_key_on_demand(KeyId=m["KeyId"])
        self.refused("LimitExceededException", self.kms.rotate_key_on_demand, KeyId=m["KeyId"])
        self.assertEqual([self.kms.decrypt(CiphertextBlob=b)["Plaintext"] for b in blobs], [b"%d" % i for i in range(25)])
        seen, marker = [], {}
        while True:
            page = self.kms.list_key_rotations(KeyId=m["KeyId"], Limit=10, **marker)
            seen += page["Rotations"]
            if not page["Truncated"]:
                break
            marker = {"Marker": page["NextMarker"]}
        self.assertEqual((len(seen), len({r["KeyMaterialId"] for r in seen})), (25, 25))

    def test_refused(self):
        for m in (self.key("RSA_2048", "SIGN_VERIFY"), self.key("HMAC_256", "GENERATE_VERIFY_MAC")):
            for call in (self.kms.enable_key_rotation, self.kms.rotate_key_on_demand, self.kms.get_key_rotation_status):
                self.refused("UnsupportedOperationException", call, KeyId=m["KeyId"])
        m = self.key()
        for days in (89, 2561):
            self.refused("ValidationException", self.unchecked().enable_key_rotation, KeyId=m["KeyId"], RotationPeriodInDays=days)

    def test_killed_while_rotating(self):
        m = self.key()
        blobs, stop = {}, threading.Event()

        def rotate():
            kms, i = self.virga.client("kms"), 0
            while not stop.is_set() and i < 24:
                try:
                    blobs[b"%d" % i] = kms.encrypt(KeyId=m["KeyId"], Plaintext=b"%d" % i)["CiphertextBlob"]
                    kms.rotate_key_on_demand(KeyId=m["KeyId"])
                except Exception:
                    return
                i += 1

        for _ in range(4):
            thread = threading.Thread(target=rotate)
            thread.start()
            time.sleep(random.uniform(0.005, 0.06))
            self.virga.kill()
            stop.set()
            thread.join()
            stop.clear()
            self.virga.restart()
            now = self.kms.describe_key(KeyId=m["KeyId"])["KeyMetadata"]
            materials = self.rotations(m["KeyId"], IncludeKeyMaterial="ALL_KEY_MATERIAL")
            # Either all of a rotation is there, or none.
            self.assertEqual([r["KeyMaterialId"] for r in materials if r["KeyMaterialState"] == "CURRENT"],
                             [now["CurrentKeyMaterialId"]])
            self.assertEqual(materials[-1]["KeyMaterialState"], "CURRENT")
            for plain, blob in blobs.items():
                self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], plain)


class Deletion(Case):
    def setUp(self):
        self.virga = Virga().start()
        self.addCleanup(self.virga.close)
        self.kms = self.virga.client("kms")

    def test_life(self):
        m = self.key()
        self.kms.create_alias(AliasName="alias/doomed", TargetKeyId=m["KeyId"])
        blob = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"x")["CiphertextBlob"]
        r = self.kms.schedule_key_deletion(KeyId=m["KeyId"], PendingWindowInDays=7)
        self.assertEqual((r["KeyId"], r["KeyState"], r["PendingWindowInDays"]), (m["Arn"], "PendingDeletion", 7))
        self.assertAlmostEqual((r["DeletionDate"] - m["CreationDate"]).total_seconds(), 7 * 86400, delta=60)
        for call, kw in ((self.kms.encrypt, {"KeyId": m["KeyId"], "Plaintext": b"x"}), (self.kms.decrypt, {"CiphertextBlob": blob}),
                         (self.kms.enable_key, {"KeyId": m["KeyId"]}), (self.kms.schedule_key_deletion, {"KeyId": m["KeyId"]}),
                         (self.kms.tag_resource, {"KeyId": m["KeyId"], "Tags": [{"TagKey": "a", "TagValue": "b"}]})):
            self.assertEqual(self.refused("KMSInvalidStateException", call, **kw), f"{m['Arn']} is pending deletion.")
        self.advance("6d")
        self.assertEqual(self.kms.cancel_key_deletion(KeyId=m["KeyId"])["KeyId"], m["Arn"])
        self.assertEqual(self.state(m["KeyId"]), "Disabled")
        self.advance("5d")
        self.kms.enable_key(KeyId=m["KeyId"])
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")
        self.refused("KMSInvalidStateException", self.kms.cancel_key_deletion, KeyId=m["KeyId"])
        self.kms.schedule_key_deletion(KeyId=m["KeyId"], PendingWindowInDays=30)
        self.virga.restart()
        self.advance("29d")
        self.assertEqual(self.state(m["KeyId"]), "PendingDeletion")
        self.advance("2d")
        self.refused("NotFoundException", self.kms.describe_key, KeyId=m["KeyId"])
        self.refused("InvalidCiphertextException", self.kms.decrypt, CiphertextBlob=blob)
        self.assertEqual(self.kms.list_aliases()["Aliases"], [])
        self.assertEqual(self.kms.list_keys()["Keys"], [])

    def test_windows(self):
        m = self.key()
        for days in (0, 6, 31):
            self.refused("ValidationException", self.unchecked().schedule_key_deletion, KeyId=m["KeyId"], PendingWindowInDays=days)
        self.assertEqual(self.kms.schedule_key_deletion(KeyId=m["KeyId"])["PendingWindowInDays"], 30)


class Regions(Case):
    def setUp(self):
        self.virga = Virga().start()
        self.addCleanup(self.virga.close)
        self.kms = self.virga.client("kms")
        self.west, self.eu = (self.virga.client("kms", region=r) for r in ("us-west-2", "eu-west-1"))

    def test_replicas(self):
        m = self.key(MultiRegion=True)
        key_id = m["KeyId"]
        self.assertRegex(key_id, "^mrk-[0-9a-f]{32}$")
        self.assertEqual(m["MultiRegionConfiguration"]["MultiRegionKeyType"], "PRIMARY")
        r = self.kms.replicate_key(KeyId=key_id, ReplicaRegion="us-west-2", Description="copy", Tags=[{"TagKey": "a", "TagValue": "b"}])
        self.assertEqual((r["ReplicaKeyMetadata"]["Description"], r["ReplicaTags"]), ("copy", [{"TagKey": "a", "TagValue": "b"}]))
        config = self.west.describe_key(KeyId=key_id)["KeyMetadata"]["MultiRegionConfiguration"]
        self.assertEqual((config["MultiRegionKeyType"], config["PrimaryKey"]["Region"], [k["Region"] for k in config["ReplicaKeys"]]),
                         ("REPLICA", "us-east-1", ["us-west-2"]))
        blob = self.kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
        d = self.west.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
        self.assertEqual((d["Plaintext"], d["KeyId"]), (b"x", m["Arn"].replace("us-east-1", "us-west-2")))
        self.refused("InvalidCiphertextException", self.eu.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b"})
        # Each has its own state; rotation is the primary's, and reaches all.
        self.west.disable_key(KeyId=key_id)
        self.refused("DisabledException", self.west.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b"})
        self.west.enable_key(KeyId=key_id)
        self.refused("UnsupportedOperationException", self.west.enable_key_rotation, KeyId=key_id)
        self.kms.enable_key_rotation(KeyId=key_id)
        self.assertTrue(self.west.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"])
        self.kms.rotate_key_on_demand(KeyId=key_id)
        self.assertEqual(*(k.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"] for k in (self.kms, self.west)))
        back = self.west.encrypt(KeyId=key_id, Plaintext=b"y")["CiphertextBlob"]
        self.assertEqual(self.kms.decrypt(CiphertextBlob=back)["Plaintext"], b"y")
        self.assertEqual(self.west.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"], b"x")
        self.refused("AlreadyExistsException", self.kms.replicate_key, KeyId=key_id, ReplicaRegion="us-west-2")
        self.refused("UnsupportedOperationException", self.west.replicate_key, KeyId=key_id, ReplicaRegion="eu-west-1")
        self.refused("UnsupportedOperationException", self.kms.replicate_key, KeyId=self.key()["KeyId"], ReplicaRegion="eu-west-1")

    def test_the_primary_moves(self):
        key_id = self.key(MultiRegion=True)["KeyId"]
        self.kms.replicate_key(KeyId=key_id, ReplicaRegion="us-west-2")
        self.kms.enable_key_rotation(KeyId=key_id)
        self.kms.update_primary_region(KeyId=key_id, PrimaryRegion="us-west-2")
        for kms, kind in ((self.kms, "REPLICA"), (self.west, "PRIMARY")):
            config = kms.describe_key(KeyId=key_id)["KeyMetadata"]["MultiRegionConfiguration"]
            self.assertEqual((config["MultiRegionKeyType"], config["PrimaryKey"]["Region"],
                              [k["Region"] for k in config["ReplicaKeys"]]), (kind, "us-west-2", ["us-east-1"]))
        self.refused("UnsupportedOperationException", self.kms.update_primary_region, KeyId=key_id, PrimaryRegion="us-west-2")
        self.refused("NotFoundException", self.west.update_primary_region, KeyId=key_id, PrimaryRegion="eu-west-1")
        self.advance("366d")
        self.assertEqual(len(self.west.list_key_rotations(KeyId=key_id)["Rotations"]), 1)

    def test_a_primary_waits_for_its_replicas(self):
        key_id = self.key(MultiRegion=True)["KeyId"]
        self.kms.replicate_key(KeyId=key_id, ReplicaRegion="us-west-2")
        blob = self.kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
        r = self.kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
        self.assertEqual(r["KeyState"], "PendingReplicaDeletion")
        self.advance("40d")
        self.assertEqual(self.state(key_id), "PendingReplicaDeletion")
        self.assertEqual(self.west.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")
        self.west.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
        self.advance("8d")
        self.refused("NotFoundException", self.west.describe_key, KeyId=key_id)
        self.assertEqual(self.state(key_id), "PendingDeletion")
        self.kms.cancel_key_deletion(KeyId=key_id)
        self.kms.enable_key(KeyId=key_id)
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")
        self.assertEqual(self.kms.describe_key(KeyId=key_id)["KeyMetadata"]["MultiRegionConfiguration"]["ReplicaKeys"], [])


class Imports(Case):
    def setUp(self):
        self.virga = Virga().start()
        self.addCleanup(self.virga.close)
        self.kms = self.virga.client("kms")

    def wrap(self, public, material, algorithm):
        path = self.file("wrapping.der", public)
        digest = "sha1" if algorithm.endswith("SHA_1") else "sha256"
        payload, rest = material, b""
        if algorithm.startswith("RSA_AES"):
            payload = os.urandom(32)
            rest = openssl("enc", "-id-aes256-wrap-pad", "-K", payload.hex(), "-iv", "A65959A6", stdin=material)
        return openssl("pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", path, "-pkeyopt", "rsa_padding_mode:oaep",
                       "-pkeyopt", f"rsa_oaep_md:{digest}", "-pkeyopt", f"rsa_mgf1_md:{digest}", stdin=payload) + rest

    def give(self, key_id, material, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048", kms=None, **kw):
        kms = kms or self.kms
        p = kms.get_parameters_for_import(KeyId=key_id, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
        if "ValidTo" not in kw:
            kw.setdefault("ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE")
        return kms.import_key_material(KeyId=key_id, ImportToken=p["ImportToken"],
                                       EncryptedKeyMaterial=self.wrap(p["PublicKey"], material, algorithm), **kw)

    def test_decrypted_outside(self):
        m = self.key(Origin="EXTERNAL")
        self.assertEqual((m["KeyState"], m["Enabled"]), ("PendingImport", False))
        self.assertEqual(self.refused("KMSInvalidStateException", self.kms.encrypt, KeyId=m["KeyId"], Plaintext=b"x"),
                         f"{m['Arn']} is pending import.")
        material = os.urandom(32)
        r = self.give(m["KeyId"], material)
        self.assertEqual(r["KeyId"], m["Arn"])
        now = self.kms.describe_key(KeyId=m["KeyId"])["KeyMetadata"]
        self.assertEqual((now["KeyState"], now["ExpirationModel"], now["CurrentKeyMaterialId"]),
                         ("Enabled", "KEY_MATERIAL_DOES_NOT_EXPIRE", r["KeyMaterialId"]))
        context = {"tenant": "one", "a": "b"}
        blob = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"for outside", EncryptionContext=context)["CiphertextBlob"]
        b = split_blob(blob)
        self.assertEqual((b["arn"], b["material"].hex()), (m["Arn"], r["KeyMaterialId"]))
        aad = b["header"] + context_bytes(context)
        self.assertEqual(aes_gcm_open(material, b["iv"], b["tag"], aad, b["ciphertext"]), b"for outside")
        self.assertIsNone(aes_gcm_open(material, b["iv"], b["tag"], aad + b"x", b["ciphertext"]))

    def test_wrappings(self):
        for spec in ("RSA_2048", "RSA_3072", "RSA_4096"):
            for algorithm in ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"):
                m = self.key("HMAC_256", "GENERATE_VERIFY_MAC", Origin="EXTERNAL")
                material = os.urandom(32)
                self.give(m["KeyId"], material, algorithm, spec)
                self.assertEqual(self.kms.generate_mac(KeyId=m["KeyId"], Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"],
                                 hmac.new(material, b"m", "sha256").digest())
        for algorithm, spec in (("RSAES_PKCS1_V1_5", "RSA_2048"), ("SM2PKE", "SM2")):
            self.refused("UnsupportedOperationException", self.kms.get_parameters_for_import, KeyId=m["KeyId"],
                         WrappingAlgorithm=algorithm, WrappingKeySpec=spec)

    def test_private_keys(self):
        for spec, usage, args in (("RSA_2048", "SIGN_VERIFY", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
                                  ("ECC_NIST_P256", "SIGN_VERIFY", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
                                  ("ECC_SECG_P256K1", "SIGN_VERIFY", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"])):
            m = self.key(spec, usage, Origin="EXTERNAL")
            der = openssl("genpkey", *args, "-outform", "DER")
            der = openssl("pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER", stdin=der)
            self.give(m["KeyId"], der, "RSA_AES_KEY_WRAP_SHA_256", "RSA_4096")
            public = openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", stdin=der)
            self.assertEqual(self.kms.get_public_key(KeyId=m["KeyId"])["PublicKey"], public)
            algorithm = "RSASSA_PSS_SHA_256" if spec.startswith("RSA") else "ECDSA_SHA_256"
            # The other way round: signed outside, verified here.
            private = self.file("private.der", der)
            pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"] if "PSS" in algorithm else []
            outside = openssl("dgst", "-sha256", "-sign", private, "-keyform", "DER", *pss, stdin=b"from outside")
            self.assertTrue(self.kms.verify(KeyId=m["KeyId"], Message=b"from outside", Signature=outside,
                                            SigningAlgorithm=algorithm)["SignatureValid"])
            another = self.key("ECC_NIST_P384", "SIGN_VERIFY", Origin="EXTERNAL")
            self.refused("IncorrectKeyMaterialException", self.give, key_id=another["KeyId"], material=der,
                         algorithm="RSA_AES_KEY_WRAP_SHA_256", spec="RSA_4096")

    def test_bad_input(self):
        m, other = self.key(Origin="EXTERNAL"), self.key(Origin="EXTERNAL")
        p = self.kms.get_parameters_for_import(KeyId=m["KeyId"], WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
        good = {"KeyId": m["KeyId"], "ImportToken": p["ImportToken"], "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
                "EncryptedKeyMaterial": self.wrap(p["PublicKey"], os.urandom(32), "RSAES_OAEP_SHA_256")}
        call = self.kms.import_key_material
        self.refused("InvalidImportTokenException", call, **{**good, "ImportToken": p["ImportToken"][:-1] + b"x"})
        self.refused("InvalidImportTokenException", call, **{**good, "KeyId": other["KeyId"]})
        self.refused("InvalidCiphertextException", call, **{**good, "EncryptedKeyMaterial": b"x" * 256})
        self.refused("IncorrectKeyMaterialException", call,
                     **{**good, "EncryptedKeyMaterial": self.wrap(p["PublicKey"], os.urandom(31), "RSAES_OAEP_SHA_256")})
        self.refused("IncorrectKeyMaterialException", call, **good, KeyMaterialId="0" * 64)
        self.refused("ValidationException", call, **{**good, "ExpirationModel": "KEY_MATERIAL_EXPIRES"})
        self.refused("ValidationException", call, **{**good, "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": 1})
        self.refused("UnsupportedOperationException", self.kms.get_parameters_for_import, KeyId=self.key()["KeyId"],
                     WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
        self.assertEqual(self.state(m["KeyId"]), "PendingImport")
        self.advance("25h")
        self.refused("ExpiredImportTokenException", call, **good)

    def test_expiry_and_deletion(self):
        m = self.key(Origin="EXTERNAL")
        material = os.urandom(32)
        until = m["CreationDate"] + datetime.timedelta(days=10)
        r = self.give(m["KeyId"], material, ValidTo=until, ExpirationModel="KEY_MATERIAL_EXPIRES")
        self.assertEqual(self.kms.describe_key(KeyId=m["KeyId"])["KeyMetadata"]["ExpirationModel"], "KEY_MATERIAL_EXPIRES")
        blob = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"x")["CiphertextBlob"]
        self.advance("11d")
        self.refused("KMSInvalidStateException", self.kms.decrypt, CiphertextBlob=blob)
        self.assertEqual(self.state(m["KeyId"]), "PendingImport")
        self.refused("IncorrectKeyMaterialException", self.give, key_id=m["KeyId"], material=os.urandom(32))
        self.assertEqual(self.give(m["KeyId"], material)["KeyMaterialId"], r["KeyMaterialId"])
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")
        d = self.kms.delete_imported_key_material(KeyId=m["KeyId"])
        self.assertEqual((d["KeyId"], d["KeyMaterialId"]), (m["Arn"], r["KeyMaterialId"]))
        self.refused("KMSInvalidStateException", self.kms.decrypt, CiphertextBlob=blob)
        self.refused("UnsupportedOperationException", self.kms.delete_imported_key_material, KeyId=self.key()["KeyId"])

    def test_rotation_to_imported_material(self):
        m = self.key(Origin="EXTERNAL")
        first, second = os.urandom(32), os.urandom(32)
        one = self.give(m["KeyId"], first)["KeyMaterialId"]
        blob = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"old")["CiphertextBlob"]
        self.refused("KMSInvalidStateException", self.kms.rotate_key_on_demand, KeyId=m["KeyId"])
        two = self.give(m["KeyId"], second, ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="next")["KeyMaterialId"]
        self.assertEqual(self.kms.describe_key(KeyId=m["KeyId"])["KeyMetadata"]["CurrentKeyMaterialId"], one)
        listed = self.kms.list_key_rotations(KeyId=m["KeyId"], IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
        self.assertEqual([(r["KeyMaterialId"], r["KeyMaterialState"]) for r in listed], [(one, "CURRENT"), (two, "PENDING_ROTATION")])
        self.kms.rotate_key_on_demand(KeyId=m["KeyId"])
        self.assertEqual(self.kms.describe_key(KeyId=m["KeyId"])["KeyMetadata"]["CurrentKeyMaterialId"], two)
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"old")
        self.kms.delete_imported_key_material(KeyId=m["KeyId"], KeyMaterialId=one)
        self.assertEqual(self.state(m["KeyId"]), "PendingImport")
        self.refused("UnsupportedOperationException", self.kms.enable_key_rotation, KeyId=self.give_and_id())

    def give_and_id(self):
        m = self.key(Origin="EXTERNAL")
        self.give(m["KeyId"], os.urandom(32))
        return m["KeyId"]

    def test_multi_region(self):
        west = self.virga.client("kms", region="us-west-2")
        key_id, material = self.key(Origin="EXTERNAL", MultiRegion=True)["KeyId"], os.urandom(32)
        self.give(key_id, material)
        self.kms.replicate_key(KeyId=key_id, ReplicaRegion="us-west-2")
        self.assertEqual(self.state(key_id, west), "PendingImport")
        self.refused("IncorrectKeyMaterialException", self.give, key_id=key_id, material=os.urandom(32), kms=west)
        self.give(key_id, material, kms=west)
        blob = self.kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
        self.assertEqual(west.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")
        self.kms.delete_imported_key_material(KeyId=key_id)
        self.assertEqual(west.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")

    def test_nothing_plain_in_the_data_folder(self):
        m, mac = self.key(Origin="EXTERNAL"), self.key("HMAC_256", "GENERATE_VERIFY_MAC", Origin="EXTERNAL")
        materials = [os.urandom(32), os.urandom(32)]
        for key, material in zip((m, mac), materials):
            self.give(key["KeyId"], material)
        data_key = self.kms.generate_data_key(KeyId=m["KeyId"], KeySpec="AES_256")["Plaintext"]
        pair = self.kms.generate_data_key_pair(KeyId=m["KeyId"], KeyPairSpec="ECC_NIST_P256")["PrivateKeyPlaintext"]
        needles = [*materials, data_key, pair, pair[36:68]]
        # That the search finds at all: a key's ARN lies there in plain text.
        present = m["KeyId"].encode()
        found = set()
        self.virga.stop()
        for folder, _, files in os.walk(self.virga.folder):
            for name in files:
                with open(os.path.join(folder, name), "rb") as f:
                    data = f.read()
                for needle in needles:
                    for form in (needle, needle.hex().encode(), base64.b64encode(needle)):
                        self.assertNotIn(form, data, name)
                if present in data:
                    found.add(name)
        self.assertTrue(found)
        self.virga.start(self.virga.port)
        self.assertEqual(self.kms.generate_mac(KeyId=mac["KeyId"], Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"],
                         hmac.new(materials[1], b"m", "sha256").digest())


class Permissions(Case):
    """Key policies, identity policies and grants decide together ("Determining access to AWS KMS keys")."""

    def user(self, *statements):
        iam, name = self.virga.client("iam"), f"u{random.getrandbits(40):x}"
        arn = iam.create_user(UserName=name)["User"]["Arn"]
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="p",
                                PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return arn, self.virga.client("kms", key=key["AccessKeyId"], secret=key["SecretAccessKey"])

    def allow(self, actions, resource="*", **kw):
        return {"Effect": "Allow", "Action": actions, "Resource": resource, **kw}

    def policy(self, *statements):
        return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

    def root(self, account=ACCOUNT, actions="kms:*"):
        return {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": actions, "Resource": "*"}

    def test_identity_policies_through_the_account(self):
        m, other = self.key(), self.key()
        name = f"alias/{random.getrandbits(40):x}"
        self.kms.create_alias(AliasName=name, TargetKeyId=m["KeyId"])
        arn, nobody = self.user()
        message = self.refused("AccessDeniedException", nobody.encrypt, KeyId=name, Plaintext=b"x")
        self.assertIn(f"User: {arn} is not authorized to perform: kms:Encrypt on resource: {m['Arn']}", message)
        _, user = self.user(self.allow("kms:Encrypt", m["Arn"]))
        for reference in (m["KeyId"], m["Arn"], name, f"arn:aws:kms:us-east-1:{ACCOUNT}:{name}"):
            blob = user.encrypt(KeyId=reference, Plaintext=b"x")["CiphertextBlob"]
        self.refused("AccessDeniedException", user.encrypt, KeyId=other["KeyId"], Plaintext=b"x")
        # The key behind a ciphertext is the resource, though no parameter names it.
        self.refused("AccessDeniedException", user.decrypt, CiphertextBlob=blob)
        _, reader = self.user(self.allow("kms:Decrypt", m["Arn"]))
        self.assertEqual(reader.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")
        self.refused("AccessDeniedException", reader.re_encrypt, CiphertextBlob=blob, DestinationKeyId=other["KeyId"])
        _, mover = self.user(self.allow("kms:ReEncryptFrom", m["Arn"]), self.allow("kms:ReEncryptTo", other["Arn"]))
        mover.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other["KeyId"])
        self.refused("AccessDeniedException", mover.re_encrypt, CiphertextBlob=blob, DestinationKeyId=m["KeyId"])

    def test_key_policies(self):
        arn, user = self.user(self.allow("kms:*"))
        m = self.key()
        blob = user.encrypt(KeyId=m["KeyId"], Plaintext=b"x")["CiphertextBlob"]
        # Without the account in the key policy, no identity policy counts, nor does being the root.
        only_admin = self.policy(self.root(actions=["kms:PutKeyPolicy", "kms:GetKeyPolicy"]))
        self.kms.put_key_policy(KeyId=m["KeyId"], Policy=only_admin)
        self.refused("AccessDeniedException", user.decrypt, CiphertextBlob=blob)
        self.refused("AccessDeniedException", self.kms.decrypt, CiphertextBlob=blob)
        direct = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:Decrypt", "Resource": "*"}
        self.kms.put_key_policy(KeyId=m["KeyId"], Policy=self.policy(json.loads(only_admin)["Statement"][0], direct))
        self.assertEqual(user.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")
        bare_arn, bare = self.user()
        self.refused("AccessDeniedException", bare.decrypt, CiphertextBlob=blob)
        direct["Principal"]["AWS"] = bare_arn
        self.kms.put_key_policy(KeyId=m["KeyId"], Policy=self.policy(json.loads(only_admin)["Statement"][0], direct))
        self.assertEqual(bare.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")
        deny = {**direct, "Effect": "Deny"}
        self.kms.put_key_policy(KeyId=m["KeyId"], Policy=self.policy(self.root(), direct, deny))
        self.refused("AccessDeniedException", bare.decrypt, CiphertextBlob=blob)

    def test_conditions(self):
        m = self.key(Tags=[{"TagKey": "team", "TagValue": "a"}])
        name = f"alias/{random.getrandbits(40):x}"
        self.kms.create_alias(AliasName=name, TargetKeyId=m["KeyId"])
        cases = [
            ({"StringEquals": {"kms:EncryptionContext:tenant": "one"}}, {"EncryptionContext": {"tenant": "one", "x": "y"}},
             {"EncryptionContext": {"tenant": "two"}}),
            ({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["tenant"]}, "Null": {"kms:EncryptionContextKeys": "false"}},
             {"EncryptionContext": {"tenant": "one"}}, {"EncryptionContext": {"tenant": "one", "x": "y"}}),
            ({"StringEquals": {"kms:RequestAlias": name}}, {"KeyId": name}, {}),
            ({"StringEquals": {"kms:EncryptionAlgorithm": SYMMETRIC}}, {"EncryptionAlgorithm": SYMMETRIC}, {}),
        ]
        for condition, good, bad in cases:
            _, user = self.user(self.allow("kms:Encrypt", Condition=condition))
            user.encrypt(**{"KeyId": m["KeyId"], "Plaintext": b"x", **good})
            self.refused("AccessDeniedException", user.encrypt, **{"KeyId": m["KeyId"], "Plaintext": b"x", **bad})
        plain = self.key()
        for condition in ({"StringEquals": {"aws:ResourceTag/team": "a"}}, {"ForAnyValue:StringLike": {"kms:ResourceAliases": name}}):
            _, user = self.user(self.allow("kms:Encrypt", Condition=condition))
            user.encrypt(KeyId=m["KeyId"], Plaintext=b"x")
            self.refused("AccessDeniedException", user.encrypt, KeyId=plain["KeyId"], Plaintext=b"x")

    def test_grants(self):
        m = self.key()
        arn, user = self.user()
        blob = self.kms.encrypt(KeyId=m["KeyId"], Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
        self.refused("AccessDeniedException", user.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b"})
        r = self.kms.create_grant(KeyId=m["KeyId"], GranteePrincipal=arn, Operations=["Decrypt", "DescribeKey"], RetiringPrincipal=arn,
                                  Constraints={"EncryptionContextEquals": {"a": "b"}})
        self.assertEqual(user.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"], b"x")
        user.describe_key(KeyId=m["KeyId"])
        self.refused("AccessDeniedException", user.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "c"})
        self.refused("AccessDeniedException", user.encrypt, KeyId=m["KeyId"], Plaintext=b"x", EncryptionContext={"a": "b"})
        _, stranger = self.user()
        self.refused("AccessDeniedException", stranger.retire_grant, GrantToken=r["GrantToken"])
        user.retire_grant(GrantToken=r["GrantToken"])
        self.refused("AccessDeniedException", user.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b"})
        _, manager = self.user(self.allow("kms:RetireGrant"))
        r = self.kms.create_grant(KeyId=m["KeyId"], GranteePrincipal=arn, Operations=["Decrypt"])
        manager.retire_grant(KeyId=m["Arn"], GrantId=r["GrantId"])

    def test_grants_are_passed_on_no_wider(self):
        m = self.key()
        arn, user = self.user()
        other, _ = self.user()
        self.kms.create_grant(KeyId=m["KeyId"], GranteePrincipal=arn, Operations=["CreateGrant", "Decrypt"],
                              Constraints={"EncryptionContextSubset": {"a": "b"}})
        for kw in ({"Operations": ["Encrypt"], "Constraints": {"EncryptionContextSubset": {"a": "b"}}}, {"Operations": ["Decrypt"]},
                   {"Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"a": "c"}}}):
            self.refused("AccessDeniedException", user.create_grant, KeyId=m["KeyId"], GranteePrincipal=other, **kw)
        for limits in ({"EncryptionContextSubset": {"a": "b", "c": "d"}}, {"EncryptionContextEquals": {"a": "b"}}):
            user.create_grant(KeyId=m["KeyId"], GranteePrincipal=other, Operations=["Decrypt"], Constraints=limits)

    def test_other_accounts(self):
        m = self.key()
        stranger = self.virga.client("kms", key="444455556666")
        self.refused("AccessDeniedException", stranger.encrypt, KeyId=m["Arn"], Plaintext=b"x")
        self.kms.put_key_policy(KeyId=m["KeyId"], Policy=self.policy(self.root(), self.root("444455556666", ["kms:Encrypt"])))
        blob = stranger.encrypt(KeyId=m["Arn"], Plaintext=b"x")["CiphertextBlob"]
        self.refused("AccessDeniedException", stranger.decrypt, CiphertextBlob=blob)
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")

    def test_managed_keys_serve_their_service_only(self):
        m = self.kms.describe_key(KeyId="alias/aws/sns")["KeyMetadata"]
        self.refused("AccessDeniedException", self.kms.encrypt, KeyId=m["KeyId"], Plaintext=b"x")
        self.kms.get_key_policy(KeyId=m["KeyId"])

    def test_unsigned_requests(self):
        m = self.key()
        everybody = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
        self.kms.put_key_policy(KeyId=m["KeyId"], Policy=self.policy(everybody))
        body = json.dumps({"KeyId": m["KeyId"], "Plaintext": "eA=="}).encode()
        code, _, text = self.virga.get("/", "POST", {"X-Amz-Target": "TrentService.Encrypt",
                                                     "Content-Type": "application/x-amz-json-1.1"}, body)
        self.assertEqual((code, json.loads(text)["__type"].split("#")[-1]), (400, "MissingAuthenticationTokenException"), text)

    def test_aliases_need_their_key_too(self):
        m = self.key()
        name = f"alias/{random.getrandbits(40):x}"
        alias_arn = f"arn:aws:kms:us-east-1:{ACCOUNT}:{name}"
        actions = ["kms:CreateAlias", "kms:DeleteAlias"]
        _, half = self.user(self.allow(actions, alias_arn))
        _, whole = self.user(self.allow(actions, [alias_arn, m["Arn"]]))
        self.refused("AccessDeniedException", half.create_alias, AliasName=name, TargetKeyId=m["KeyId"])
        whole.create_alias(AliasName=name, TargetKeyId=m["KeyId"])
        self.refused("AccessDeniedException", half.delete_alias, AliasName=name)
        whole.delete_alias(AliasName=name)


class RootKey(unittest.TestCase):
    def refuses_to_start(self, virga):
        with self.assertRaises(RuntimeError) as caught:
            virga.start()
        return str(caught.exception)

    def test_file(self):
        with Virga() as v:
            path = os.path.join(v.data, "root.key")
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            kms = v.client("kms")
            key_id = kms.create_key()["KeyMetadata"]["KeyId"]
            blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
            v.stop()
            os.chmod(path, 0o644)
            self.assertIn("chmod 600", self.refuses_to_start(v))
            os.chmod(path, 0o600)
            with open(path) as f:
                good = f.read()
            with open(path, "w") as f:
                f.write("virga-root-key-1 " + "00" * 32 + "\n")
            self.assertIn("not the one", self.refuses_to_start(v))
            os.unlink(path)
            self.assertIn("not the one", self.refuses_to_start(v))
            with open(path, "w") as f:
                f.write(good)
            v.start()
            self.assertEqual(v.client("kms").decrypt(CiphertextBlob=blob)["Plaintext"], b"x")

    def test_passphrase(self):
        v = Virga(env={"VIRGA_PASSPHRASE": "correct horse"})
        with v:
            kms = v.client("kms")
            blob = kms.encrypt(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], Plaintext=b"x")["CiphertextBlob"]
            with open(os.path.join(v.data, "root.key")) as f:
                self.assertTrue(f.read().startswith("virga-root-passphrase-1 "))
            v.stop()
            v.env = {"VIRGA_PASSPHRASE": "wrong"}
            self.assertIn("passphrase is not", self.refuses_to_start(v))
            v.env = {}
            self.assertIn("needs its passphrase", self.refuses_to_start(v))
            path = os.path.join(v.folder, "passphrase")
            with open(path, "w") as f:
                f.write("correct horse\n")
            v.args = ["--passphrase-file", path]
            v.start()
            self.assertEqual(v.client("kms").decrypt(CiphertextBlob=blob)["Plaintext"], b"x")


if __name__ == "__main__":
    unittest.main()
