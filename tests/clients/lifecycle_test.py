"""virga's life: reset forgets all of it and its files, stopping finishes what is in flight, a kill loses nothing acknowledged."""
import json
import os
import socket
import subprocess
import threading
import time
import unittest

from botocore.config import Config
from botocore.exceptions import ClientError

from virga import BINARY, Virga, wait_until

LARGE = os.urandom(300_000)


def files_of(v):
    return [os.path.join(d, f) for d, _, files in os.walk(os.path.join(v.data, "blobs")) for f in files]


class Reset(unittest.TestCase):
    def setUp(self):
        self.virga = Virga().start()
        self.addCleanup(self.virga.close)
        self.s3, self.sqs = self.virga.client("s3"), self.virga.client("sqs")

    def reset(self, *args):
        run = subprocess.run([BINARY, "reset", "--endpoint", self.virga.endpoint, *args], capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)

    def fill(self):
        for bucket in ("first", "second"):
            self.s3.create_bucket(Bucket=bucket)
            self.s3.put_object(Bucket=bucket, Key="small", Body=b"x")
            self.s3.put_object(Bucket=bucket, Key="large", Body=LARGE)
        self.s3.copy_object(Bucket="second", Key="copy", CopySource="first/large")
        upload = self.s3.create_multipart_upload(Bucket="first", Key="unfinished", ChecksumAlgorithm="CRC32")["UploadId"]
        self.s3.upload_part(Bucket="first", Key="unfinished", UploadId=upload, PartNumber=1, Body=LARGE,
                            ChecksumAlgorithm="CRC32")
        upload = self.s3.create_multipart_upload(Bucket="first", Key="whole", ChecksumAlgorithm="CRC32")["UploadId"]
        part = self.s3.upload_part(Bucket="first", Key="whole", UploadId=upload, PartNumber=1, Body=LARGE,
                                   ChecksumAlgorithm="CRC32")
        self.s3.complete_multipart_upload(Bucket="first", Key="whole", UploadId=upload, MultipartUpload={
            "Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]})
        url = self.sqs.create_queue(QueueName="q")["QueueUrl"]
        self.sqs.send_message(QueueUrl=url, MessageBody="hello")

    def buckets(self):
        return [b["Name"] for b in self.s3.list_buckets()["Buckets"]]

    def test_everything_and_its_files(self):
        self.fill()
        self.assertGreaterEqual(len(files_of(self.virga)), 4)
        self.reset()
        self.assertEqual(self.buckets(), [])
        self.assertNotIn("QueueUrls", self.sqs.list_queues())
        self.assertTrue(wait_until(lambda: not files_of(self.virga)), files_of(self.virga))
        # The names are free again, and nothing of the old buckets shows in the new ones, after a crash neither.
        self.s3.create_bucket(Bucket="first")
        self.sqs.create_queue(QueueName="q")
        self.virga.restart()
        self.s3, self.sqs = self.virga.client("s3"), self.virga.client("sqs")
        self.assertEqual(self.buckets(), ["first"])
        self.assertEqual(self.s3.list_objects_v2(Bucket="first")["KeyCount"], 0)
        self.assertNotIn("Uploads", self.s3.list_multipart_uploads(Bucket="first"))
        url = self.sqs.get_queue_url(QueueName="q")["QueueUrl"]
        self.assertNotIn("Messages", self.sqs.receive_message(QueueUrl=url))

    def test_one_service_leaves_the_others(self):
        self.fill()
        self.reset("--service", "s3")
        self.assertEqual(self.buckets(), [])
        self.assertEqual(len(self.sqs.list_queues()["QueueUrls"]), 1)

    def test_receipt_handles_outlive_a_restart_after_reset(self):
        self.reset()
        url = self.sqs.create_queue(QueueName="q")["QueueUrl"]
        self.sqs.send_message(QueueUrl=url, MessageBody="hello")
        handle = self.sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
        self.virga.restart()
        self.virga.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=handle)

    def test_writes_under_way_do_not_come_through_half(self):
        self.s3.create_bucket(Bucket="busy")
        done, refused = threading.Event(), []

        def write(number):
            s3 = self.virga.client("s3")
            i = 0
            while not done.is_set():
                try:
                    s3.put_object(Bucket="busy", Key=f"{number}/{i}", Body=LARGE)
                except ClientError as e:
                    refused.append(e.response["Error"]["Code"])
                    return
                i += 1

        writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for w in writers:
            w.start()
        time.sleep(0.3)
        self.reset()
        for w in writers:
            w.join(30)
        done.set()
        self.assertEqual(set(refused), {"NoSuchBucket"})
        self.s3.create_bucket(Bucket="busy")
        self.assertEqual(self.s3.list_objects_v2(Bucket="busy")["KeyCount"], 0)
        self.assertTrue(wait_until(lambda: not files_of(self.virga)), files_of(self.virga))


class Stop(unittest.TestCase):
    def setUp(self):
        self.virga = Virga().start()
        self.addCleanup(self.virga.close)

    def test_an_upload_in_flight_is_answered(self):
        self.virga.client("s3").create_bucket(Bucket="bucket")
        signer = self.virga.client("s3", config=Config(signature_version="s3v4"))
        url = signer.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "k"})
        target = url[len(self.virga.endpoint):]
        with socket.create_connection(("127.0.0.1", self.virga.port), 30) as s:
            head = f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1:{self.virga.port}\r\nContent-Length: {len(LARGE)}\r\n\r\n"
            s.sendall(head.encode() + LARGE[:1000])
            time.sleep(0.2)
            self.virga.process.terminate()
            time.sleep(0.3)
            s.sendall(LARGE[1000:])
            self.assertIn(b"HTTP/1.1 200", s.recv(4096))
        self.assertEqual(self.virga.process.wait(20), 0)
        self.virga._ended()
        self.virga.start()
        self.assertEqual(self.virga.client("s3").get_object(Bucket="bucket", Key="k")["Body"].read(), LARGE)

    def test_a_long_poll_does_not_hold_it_up(self):
        sqs = self.virga.client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        answers = []
        poll = threading.Thread(target=lambda: answers.append(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)))
        poll.start()
        time.sleep(0.5)
        begun = time.monotonic()
        self.assertEqual(self.virga.stop(), 0)
        self.assertLess(time.monotonic() - begun, 5)
        poll.join(10)
        self.assertEqual(len(answers), 1)
        self.assertNotIn("Messages", answers[0])

    def test_an_idle_connection_does_not_hold_it_up(self):
        with socket.create_connection(("127.0.0.1", self.virga.port), 10) as s:
            s.sendall(b"GET /_localstack/health HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"200", s.recv(65536))
            begun = time.monotonic()
            self.assertEqual(self.virga.stop(), 0)
            self.assertLess(time.monotonic() - begun, 5)

    def test_half_a_request_does_not_hold_it_up_for_ever(self):
        with socket.create_connection(("127.0.0.1", self.virga.port), 10) as s:
            s.sendall(b"GET /_localstack/health HTTP/1.1\r\nHost:")
            time.sleep(0.2)
            begun = time.monotonic()
            self.assertEqual(self.virga.stop(), 0)
            self.assertLess(time.monotonic() - begun, 15)


class Clock(unittest.TestCase):
    def test_a_delayed_message_comes_with_the_time(self):
        with Virga() as v:
            sqs = v.client("sqs")
            url = sqs.create_queue(QueueName="q")["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=900)
            self.assertNotIn("Messages", sqs.receive_message(QueueUrl=url))
            subprocess.run([BINARY, "clock", "advance", "15m", "--endpoint", v.endpoint], check=True, stdout=subprocess.DEVNULL)
            self.assertEqual(sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"], "later")

    def test_requests_signed_by_the_machines_clock_still_pass(self):
        """A client cannot know that virga's time was moved: its signatures carry the machine's."""
        with Virga("--strict") as v:
            with open(f"{v.data}/credentials") as f:
                pairs = dict(map(str.strip, line.split("=", 1)) for line in f if "=" in line)
            keys = {"key": pairs["aws_access_key_id"], "secret": pairs["aws_secret_access_key"]}
            code, _, _ = v.get("/_virga/clock?advance=400d", method="POST")
            self.assertEqual(code, 200)
            self.assertEqual(v.client("sts", **keys).get_caller_identity()["Account"], "000000000000")


class Metrics(unittest.TestCase):
    def test_calls_are_counted(self):
        with Virga() as v:
            v.client("sts").get_caller_identity()
            with self.assertRaises(ClientError):
                v.client("s3").get_object(Bucket="nowhere", Key="k")
            _, headers, text = v.get("/_virga/metrics")
            self.assertIn("version=0.0.4", headers["Content-Type"])
            lines = text.decode().splitlines()
            self.assertIn('virga_calls_total{service="sts",status="2xx"} 1', lines)
            self.assertIn('virga_calls_total{service="s3",status="4xx"} 1', lines)
            status = json.loads(v.get("/_virga/status")[2])
            self.assertGreater(status["uptime_ms"], 0)


if __name__ == "__main__":
    unittest.main()
