"""SNS and HTTP endpoints: confirmation by token, signed notifications, raw ones, retries and delivery policies on virga's clock,
dead letters, leaving by URL; and topics whose messages lie under a key of KMS."""
import base64
import http.server
import json
import os
import subprocess
import tempfile
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request

from botocore.exceptions import ClientError

from virga import Refusals, Virga, wait_until

NEEDS_BOTO3 = (1, 40)
ACCOUNT = "000000000000"


class Endpoint:
    """A server of the test's own: keeps what was posted, answers what it is told to."""

    def __init__(self):
        self.got, self.answers, self.lock = [], [], threading.Lock()
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with endpoint.lock:
                    code = endpoint.answers.pop(0) if endpoint.answers else 200
                    endpoint.got.append((self.path, dict(self.headers.items()), body.decode()))
                self.send_response(code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def wait(self, n):
        assert wait_until(lambda: len(self.got) >= n, limit=60), f"{len(self.got)} of {n}"
        return self.got


class Case(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)
        cls.sns, cls.sqs = cls.v.client("sns"), cls.v.client("sqs")

    def setUp(self):
        self.end = Endpoint()
        self.addCleanup(self.end.close)
        self.topic = self.sns.create_topic(Name=self.id().rsplit(".", 1)[1])["TopicArn"]

    def subscribe(self, confirm=True, **attributes):
        arn = self.sns.subscribe(TopicArn=self.topic, Protocol="http", Endpoint=self.end.url, Attributes=attributes,
                                 ReturnSubscriptionArn=True)["SubscriptionArn"]
        if confirm:
            told = json.loads(self.end.wait(1)[0][2])
            self.assertEqual(self.sns.confirm_subscription(TopicArn=self.topic, Token=told["Token"])["SubscriptionArn"], arn)
            self.end.got.clear()
        return arn

    def attributes(self, arn):
        return self.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]

    def verify(self, m, names):
        """By openssl, with the certificate that the message names."""
        text = "".join(f"{n}\n{m[n]}\n" for n in names if n in m)
        address = urllib.parse.urlsplit(m["SigningCertURL"])
        status, _, pem = self.v.get(address.path)
        self.assertEqual(status, 200)
        with tempfile.TemporaryDirectory() as d:
            for name, data in (("cert", pem), ("text", text.encode()), ("sig", base64.b64decode(m["Signature"]))):
                with open(os.path.join(d, name), "wb") as f:
                    f.write(data)
            key = subprocess.run(["openssl", "x509", "-pubkey", "-noout", "-in", f"{d}/cert"], check=True, capture_output=True).stdout
            with open(f"{d}/key", "wb") as f:
                f.write(key)
            subprocess.run(["openssl", "dgst", {"1": "-sha1", "2": "-sha256"}[m["SignatureVersion"]], "-verify", f"{d}/key",
                            "-signature", f"{d}/sig", f"{d}/text"], check=True, capture_output=True)


class Confirmation(Case):
    def test_by_token(self):
        said = self.sns.subscribe(TopicArn=self.topic, Protocol="http", Endpoint=self.end.url)["SubscriptionArn"]
        self.assertEqual(said, "pending confirmation")
        path, headers, body = self.end.wait(1)[0]
        m = json.loads(body)
        self.assertEqual((path, headers["x-amz-sns-message-type"], headers["x-amz-sns-topic-arn"], headers["Content-Type"]),
                         ("/hook", "SubscriptionConfirmation", self.topic, "text/plain; charset=UTF-8"))
        self.assertNotIn("x-amz-sns-subscription-arn", headers)
        self.assertEqual((m["Type"], m["TopicArn"]), ("SubscriptionConfirmation", self.topic))
        self.verify(m, ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"))
        self.assertEqual([s["SubscriptionArn"] for s in self.sns.list_subscriptions_by_topic(TopicArn=self.topic)["Subscriptions"]],
                         ["PendingConfirmation"])
        counts = self.sns.get_topic_attributes(TopicArn=self.topic)["Attributes"]
        self.assertEqual((counts["SubscriptionsPending"], counts["SubscriptionsConfirmed"]), ("1", "0"))
        self.sns.publish(TopicArn=self.topic, Message="nobody hears this")
        self.refused("InvalidParameter", self.sns.confirm_subscription, TopicArn=self.topic, Token="0" * 192)
        arn = self.sns.confirm_subscription(TopicArn=self.topic, Token=m["Token"])["SubscriptionArn"]
        self.assertEqual(self.sns.confirm_subscription(TopicArn=self.topic, Token=m["Token"])["SubscriptionArn"], arn)
        a = self.attributes(arn)
        self.assertEqual((a["PendingConfirmation"], a["ConfirmationWasAuthenticated"]), ("false", "true"))
        self.sns.publish(TopicArn=self.topic, Message="heard")
        self.assertEqual(json.loads(self.end.wait(2)[1][2])["Message"], "heard")

    def test_by_url_and_leaving_by_url(self):
        arn = self.subscribe(confirm=False)
        self.assertEqual(self.attributes(arn)["PendingConfirmation"], "true")
        url = urllib.parse.urlsplit(json.loads(self.end.wait(1)[0][2])["SubscribeURL"])
        wrong = url.query.replace("Token=", "Token=0")
        self.assertEqual(self.v.get("/?" + wrong)[0], 403)
        status, _, body = self.v.get("/?" + url.query)
        self.assertEqual((status, arn.encode() in body), (200, True), body)
        self.assertEqual(self.attributes(arn)["ConfirmationWasAuthenticated"], "false")
        self.sns.publish(TopicArn=self.topic, Message="x")
        leave = urllib.parse.urlsplit(json.loads(self.end.wait(2)[1][2])["UnsubscribeURL"])
        self.assertEqual(self.v.get("/?" + leave.query)[0], 200)
        self.refused("NotFound", self.sns.get_subscription_attributes, SubscriptionArn=arn)

    def test_leaving_needs_a_signature_where_asked_for(self):
        arn = self.subscribe(confirm=False)
        self.sns.confirm_subscription(TopicArn=self.topic, Token=json.loads(self.end.wait(1)[0][2])["Token"],
                                      AuthenticateOnUnsubscribe="true")
        self.assertEqual(self.v.get("/?Action=Unsubscribe&SubscriptionArn=" + arn)[0], 403)
        self.sns.unsubscribe(SubscriptionArn=arn)

    def test_tokens_end(self):
        arn = self.subscribe(confirm=False)
        token = json.loads(self.end.wait(1)[0][2])["Token"]
        self.v.get("/_virga/clock?advance=49h", "POST")
        self.refused("InvalidParameter", self.sns.confirm_subscription, TopicArn=self.topic, Token=token)
        self.refused("NotFound", self.sns.get_subscription_attributes, SubscriptionArn=arn)

    def test_bad_input(self):
        say = lambda endpoint, protocol="http", topic=None: dict(TopicArn=topic or self.topic, Protocol=protocol, Endpoint=endpoint)
        self.refused("InvalidParameter", self.sns.subscribe, **say("https://127.0.0.1/x"))
        self.refused("InvalidParameter", self.sns.subscribe, **say("http://192.0.2.1/x"))
        self.refused("InvalidParameter", self.sns.subscribe, **say("http://example.com/"))
        self.refused("InvalidParameter", self.sns.subscribe, **say("http://127.0.0.1:0/"))
        self.refused("InvalidParameter", self.sns.subscribe, **say("http://127.0.0.1:80/a\r\nHost: b"))
        self.refused("NotImplemented", self.sns.subscribe, **say("https://127.0.0.1/", "https"))
        fifo = self.sns.create_topic(Name="f.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
        self.refused("InvalidParameter", self.sns.subscribe, **say(self.end.url, topic=fifo))
        arn = self.subscribe()
        for policy in ("{", json.dumps({"healthyRetryPolicy": {"minDelayTarget": 30, "maxDelayTarget": 20, "numRetries": 3}}),
                       json.dumps({"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 101}})):
            self.refused("InvalidParameter", self.sns.set_subscription_attributes, SubscriptionArn=arn,
                         AttributeName="DeliveryPolicy", AttributeValue=policy)


class Delivery(Case):
    def test_notifications_are_signed(self):
        arn = self.subscribe()
        for version in ("1", "2"):
            self.sns.set_topic_attributes(TopicArn=self.topic, AttributeName="SignatureVersion", AttributeValue=version)
            self.end.got.clear()
            self.sns.publish(TopicArn=self.topic, Message="héllo", Subject="s",
                             MessageAttributes={"k": {"DataType": "String", "StringValue": "v"}})
            _, headers, body = self.end.wait(1)[0]
            m = json.loads(body)
            self.assertEqual((m["Type"], m["Message"], m["Subject"], m["MessageAttributes"], m["SignatureVersion"]),
                             ("Notification", "héllo", "s", {"k": {"Type": "String", "Value": "v"}}, version))
            self.assertEqual((headers["x-amz-sns-subscription-arn"], headers["x-amz-sns-message-id"]), (arn, m["MessageId"]))
            self.verify(m, ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"))

    def test_raw_and_filtered(self):
        self.subscribe(RawMessageDelivery="true", FilterPolicy=json.dumps({"k": ["yes"]}), DeliveryPolicy=json.dumps(
            {"requestPolicy": {"headerContentType": "application/json"}}))
        for k in ("no", "yes"):
            self.sns.publish(TopicArn=self.topic, Message=k, MessageAttributes={"k": {"DataType": "String", "StringValue": k}})
        _, headers, body = self.end.wait(1)[0]
        self.assertEqual((body, headers["x-amz-sns-rawdelivery"], headers["Content-Type"]), ("yes", "true", "application/json"))

    def test_retries_and_dead_letters(self):
        dead = f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead"
        url = self.sqs.create_queue(QueueName="dead", Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": dead}]})})
        self.subscribe(RawMessageDelivery="true", RedrivePolicy=json.dumps({"deadLetterTargetArn": dead}), DeliveryPolicy=json.dumps(
            {"healthyRetryPolicy": {"minDelayTarget": 100, "maxDelayTarget": 200, "numRetries": 3, "numMaxDelayRetries": 1}}))
        self.end.answers = [500, 503]
        self.sns.publish(TopicArn=self.topic, Message="third time")
        self.end.wait(1)
        self.v.get("/_virga/clock?advance=50s", "POST")
        self.assertEqual(len(self.end.got), 1)
        self.v.get("/_virga/clock?advance=51s", "POST")
        self.end.wait(2)
        self.v.get("/_virga/clock?advance=201s", "POST")
        self.assertEqual([b for _, _, b in self.end.wait(3)], ["third time"] * 3)
        self.end.got.clear()
        self.end.answers = [500] * 4
        self.sns.publish(TopicArn=self.topic, Message="never")
        for n in range(1, 5):
            self.end.wait(n)
            self.v.get("/_virga/clock?advance=201s", "POST")
        receive = lambda: self.sqs.receive_message(QueueUrl=url["QueueUrl"], WaitTimeSeconds=10)["Messages"][0]
        m = receive()
        self.assertEqual(m["Body"], "never")
        self.sqs.delete_message(QueueUrl=url["QueueUrl"], ReceiptHandle=m["ReceiptHandle"])
        self.assertEqual(len(self.end.got), 4)
        self.end.got.clear()
        self.end.answers = [404]  # its own fault: not tried again
        self.sns.publish(TopicArn=self.topic, Message="lost")
        self.assertEqual(receive()["Body"], "lost")
        self.assertEqual(len(self.end.got), 1)

    def test_nothing_is_lost_by_a_crash(self):
        self.subscribe(RawMessageDelivery="true")
        for i in range(20):
            self.sns.publish(TopicArn=self.topic, Message=str(i))
        self.v.restart()
        self.assertTrue(wait_until(lambda: {b for _, _, b in self.end.got} == {str(i) for i in range(20)}, limit=60))


class Keys(Case):
    def test_messages_lie_under_the_key(self):
        kms = self.v.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:sealed"
        url = self.sqs.create_queue(QueueName="sealed", Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]})})["QueueUrl"]
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)
        self.subscribe()
        self.sns.set_topic_attributes(TopicArn=self.topic, AttributeName="KmsMasterKeyId", AttributeValue=key)
        self.assertEqual(self.sns.get_topic_attributes(TopicArn=self.topic)["Attributes"]["KmsMasterKeyId"], key)
        secret = "the-secret-that-must-not-lie-about"
        self.end.answers = [500]  # so that it waits, stored
        self.sns.publish(TopicArn=self.topic, Message=secret, Subject="s")
        m = json.loads(self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][0]["Body"])
        self.assertEqual((m["Message"], m["Subject"]), (secret, "s"))
        self.end.wait(1)
        # A queue of SQS seals by itself; nothing else may hold it.
        for folder, _, files in os.walk(self.v.data):
            for name in files:
                with open(os.path.join(folder, name), "rb") as f:
                    self.assertNotIn(secret.encode(), f.read(), name)
        self.v.get("/_virga/clock?advance=21s", "POST")
        self.assertEqual(json.loads(self.end.wait(2)[1][2])["Message"], secret)
        kms.disable_key(KeyId=key)
        self.refused("KMSDisabled", self.sns.publish, TopicArn=self.topic, Message="x")
        self.sns.set_topic_attributes(TopicArn=self.topic, AttributeName="KmsMasterKeyId", AttributeValue="alias/none")
        self.refused("KMSNotFound", self.sns.publish, TopicArn=self.topic, Message="x")

    def test_who_publishes_needs_the_key(self):
        iam, kms, user = self.v.client("iam"), self.v.client("kms"), "publisher"
        key = kms.create_key()["KeyMetadata"]
        self.sns.set_topic_attributes(TopicArn=self.topic, AttributeName="KmsMasterKeyId", AttributeValue=key["KeyId"])
        self.subscribe()
        iam.create_user(UserName=user)
        made = iam.create_access_key(UserName=user)["AccessKey"]
        sns = self.v.client("sns", key=made["AccessKeyId"], secret=made["SecretAccessKey"])
        allow = lambda *statements: iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": a, "Resource": r} for a, r in statements]}))
        allow(("sns:Publish", self.topic))
        with self.assertRaises(ClientError) as caught:
            sns.publish(TopicArn=self.topic, Message="x")
        self.assertIn(caught.exception.response["Error"]["Code"], ("AuthorizationError", "AccessDenied", "KMSAccessDenied"))
        allow(("sns:Publish", self.topic), (["kms:GenerateDataKey", "kms:Decrypt"], key["Arn"]))
        sns.publish(TopicArn=self.topic, Message="with the key")
        self.assertEqual(json.loads(self.end.wait(1)[0][2])["Message"], "with the key")


if __name__ == "__main__":
    unittest.main()
