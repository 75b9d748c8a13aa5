"""What the shop needs of AWS with nothing but Python: credentials of the instance's role (IMDSv2), Signature Version 4, S3 and
Secrets Manager. An application of yours would use boto3; the calls are the same."""
import datetime
import hashlib
import hmac
import json
import threading
import time
import urllib.parse
import urllib.request

METADATA = "http://169.254.169.254/latest/"


def metadata(path):
    ask = urllib.request.Request(METADATA + "api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "300"})
    token = urllib.request.urlopen(ask, timeout=5).read().decode()
    get = urllib.request.Request(METADATA + path, headers={"X-aws-ec2-metadata-token": token})
    return urllib.request.urlopen(get, timeout=5).read().decode()


class Aws:
    def __init__(self, region):
        self.region, self.lock, self.keys, self.until = region, threading.Lock(), None, 0

    def credentials(self):
        with self.lock:
            if time.time() > self.until:
                role = metadata("meta-data/iam/security-credentials/").strip()
                self.keys = json.loads(metadata("meta-data/iam/security-credentials/" + role))
                ends = datetime.datetime.strptime(self.keys["Expiration"], "%Y-%m-%dT%H:%M:%SZ")
                ends = ends.replace(tzinfo=datetime.timezone.utc).timestamp()
                self.until = min(ends - 300, time.time() + 600)
            return self.keys

    def call(self, service, method, host, path, body=b"", headers=None):
        """The answer's body; urllib's HTTPError where AWS refuses."""
        keys = self.credentials()
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        signed = {k.lower(): v for k, v in (headers or {}).items()}
        signed.update({"host": host, "x-amz-date": now, "x-amz-content-sha256": digest, "x-amz-security-token": keys["Token"]})
        names = ";".join(sorted(signed))
        path = urllib.parse.quote(path)
        canonical = "\n".join([method, path, "", *(f"{k}:{signed[k]}" for k in sorted(signed)), "", names, digest])
        scope = f"{now[:8]}/{self.region}/{service}/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + keys["SecretAccessKey"]).encode()
        for part in (now[:8], self.region, service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        signed["authorization"] = (f"AWS4-HMAC-SHA256 Credential={keys['AccessKeyId']}/{scope}, SignedHeaders={names}, "
                                   f"Signature={signature}")
        ask = urllib.request.Request(f"https://{host}{path}", data=body if method != "GET" else None, method=method, headers=signed)
        return urllib.request.urlopen(ask, timeout=20).read()

    def s3_put(self, bucket, key, body, kind):
        self.call("s3", "PUT", f"{bucket}.s3.{self.region}.amazonaws.com", "/" + key, body, {"Content-Type": kind})

    def s3_get(self, bucket, key):
        return self.call("s3", "GET", f"{bucket}.s3.{self.region}.amazonaws.com", "/" + key)

    def secret(self, arn):
        answer = self.call("secretsmanager", "POST", f"secretsmanager.{self.region}.amazonaws.com", "/",
                           json.dumps({"SecretId": arn}).encode(),
                           {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "secretsmanager.GetSecretValue"})
        return json.loads(json.loads(answer)["SecretString"])
