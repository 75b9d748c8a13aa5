"""What the S3 suites share: a virga, a fresh bucket per test, signed requests that no SDK shaped, AWS's errors."""
import base64
import functools
import hashlib
import http.client
import json
import unittest
import uuid
import xml.etree.ElementTree as ET
import zlib
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from virga import Virga

MIB = 1 << 20


class Answer:
    """A response: code, headers (any case), body, and for XML its elements by name."""

    def __init__(self, code, headers, body):
        self.code, self.headers, self.body = code, headers, body

    def xml(self):
        root = ET.fromstring(self.body)
        for e in root.iter():
            e.tag = e.tag.rpartition("}")[2]
        return root

    def text(self, path):
        found = self.xml().find(path)
        return None if found is None else (found.text or "")

    @property
    def error(self):
        return self.text("Code")


class S3Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.s3 = cls.virga.client("s3")

    def setUp(self):
        self.bucket = "b-" + uuid.uuid4().hex[:20]
        self.s3.create_bucket(Bucket=self.bucket)

    def put(self, key, body=b"", **kw):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **kw)

    def read(self, key, **kw):
        return self.s3.get_object(Bucket=self.bucket, Key=key, **kw)["Body"].read()

    def fails(self, code, call, *args, **kw):
        """The ClientError of that code (a name or an HTTP status); returns the parsed response."""
        with self.assertRaises(ClientError) as caught:
            call(*args, **kw)
        response = caught.exception.response
        got = response["ResponseMetadata"]["HTTPStatusCode"] if isinstance(code, int) else response["Error"]["Code"]
        self.assertEqual(got, code, response)
        return response

    def raw(self, method, path, headers=None, body=b"", region="us-east-1", sign=True, key="test", host=None, sent=None):
        """A request to path (which begins with /), signed as S3 is, with exactly these headers. sent: the body that goes out,
        where it is another than the one signed."""
        url = self.virga.endpoint + path
        headers = dict(headers or {})
        if host:
            headers["Host"] = host
        if sign:
            request = AWSRequest(method=method, url=url, data=body, headers=headers)
            S3SigV4Auth(Credentials(key, "test"), "s3", region).add_auth(request)
            headers = dict(request.headers.items())
        body = body if sent is None else sent
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if "Content-Length" not in headers and "Transfer-Encoding" not in headers and (body or method in ("PUT", "POST")):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            r = connection.getresponse()
            return Answer(r.status, r.headers, r.read())
        finally:
            connection.close()

    def object(self, method, key, query="", headers=None, body=b"", **kw):
        return self.raw(method, f"/{self.bucket}/{key}{'?' + query if query else ''}", headers, body, **kw)


def make_role(virga, name, service, statements):
    """A role of the default account that the service may assume, with these statements; its ARN."""
    iam = virga.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
    allow_role(virga, name, statements)
    return arn


def allow_role(virga, name, statements):
    virga.client("iam").put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **s} for s in statements]}))


def b64(raw):
    return base64.b64encode(raw).decode()


def crc32(data):
    return b64(zlib.crc32(data).to_bytes(4, "big"))


def sha256(data):
    return b64(hashlib.sha256(data).digest())


def sha1(data):
    return b64(hashlib.sha1(data).digest())


def md5(data):
    return b64(hashlib.md5(data).digest())


def _table(polynomial, bits):
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ polynomial if n & 1 else n >> 1
        table.append(n)
    return table


_TABLES = {32: _table(0x82F63B78, 32), 64: _table(0x9A6C9329AC4BC9B5, 64)}


@functools.lru_cache(64)
def _crc(data, bits):
    table, crc = _TABLES[bits], (1 << bits) - 1
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return b64((crc ^ ((1 << bits) - 1)).to_bytes(bits // 8, "big"))


def crc32c(data):
    return _crc(data, 32)


def crc64nvme(data):
    return _crc(data, 64)


def control_client(virga, key="test", secret="test"):
    """S3 Control: the SDK sends to ACCOUNT.localhost, a name that not every machine resolves."""
    client = virga.client("s3control", key=key, secret=secret, endpoint_url=virga.endpoint.replace("127.0.0.1", "localhost"))

    def send_here(request, **_):
        request.headers["Host"] = request.url.split("/", 3)[2]  # as it was signed
        request.url = virga.endpoint + "/" + request.url.split("/", 3)[3]
    client.meta.events.register("before-send.s3-control", send_here)
    return client
