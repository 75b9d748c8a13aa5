"""kill -9 at random moments under a load of puts, multipart uploads, copies and deletes: after each restart every answered
change is there and whole, and nothing unanswered is half there. Rounds: VIRGA_KILLS (30)."""
import concurrent.futures
import hashlib
import os
import random
import threading
import time
import unittest

from botocore.config import Config
from botocore.exceptions import ClientError

from s3case import MIB
from virga import Virga

ROUNDS = int(os.environ.get("VIRGA_KILLS", "30"))
WORKERS = 6
SIZES = (0, 1, 900, 20_000, 65_536, 65_537, 200_000, 1_500_000)
FIVE = 5 * MIB
GONE = None


def body_of(seed, size):
    return random.Random(seed).randbytes(size)


class Keys:
    """What each key may hold: after an answer exactly one thing; while a change is under way, what was or what will be.

    A value is the SHA-256 of a body, or GONE. Each worker has keys of its own.
    """

    def __init__(self):
        self.may, self.lock = {}, threading.Lock()

    def begin(self, key, new):
        with self.lock:
            before = self.may.get(key, {GONE})
            self.may[key] = before | {new}
        return before

    def answered(self, key, new):
        with self.lock:
            self.may[key] = {new}

    def refused(self, key, before):
        with self.lock:
            self.may[key] = before


class Kill(unittest.TestCase):
    def test_nothing_answered_is_lost(self):
        rng = random.Random(int(os.environ.get("VIRGA_SEED", time.time_ns())))
        with Virga() as virga:
            self.virga, self.keys, self.counts = virga, Keys(), {}
            self.client().create_bucket(Bucket="bucket")
            for round_ in range(ROUNDS):
                self.stop = self.killing = False
                with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
                    jobs = [pool.submit(self.work, n, rng.random()) for n in range(WORKERS)]
                    time.sleep(rng.choice((0.05, 0.3, 1.0)) * rng.uniform(0.2, 1.5))
                    self.killing = True
                    virga.kill()
                    self.stop = True
                    for job in jobs:
                        job.result()
                virga.start(virga.port)
                self.check(round_)
            self.assertGreater(self.counts.get("put", 0), ROUNDS)
            self.check_disk()
            print(f"\n{ROUNDS} kills; answered before them: "
                  + ", ".join(f"{n} {what}" for what, n in sorted(self.counts.items())), flush=True)

    def client(self):
        return self.virga.client("s3", config=Config(max_pool_connections=2))

    def count(self, what):
        with self.keys.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def work(self, worker, seed):
        rng, s3 = random.Random(f"{worker} {seed}"), self.client()
        while not self.stop:
            act = rng.choices((self.put, self.delete, self.copy, self.multipart, self.delete_many), (60, 15, 10, 4, 3))[0]
            try:
                act(rng, s3, worker)
            except ClientError:
                raise
            except Exception:
                if self.killing:
                    return
                raise

    def key(self, rng, worker):
        return f"w{worker}/k{rng.randrange(25)}"

    def change(self, key, new, call, what):
        before = self.keys.begin(key, new)
        try:
            call()
        except ClientError:
            self.keys.refused(key, before)
            raise
        self.keys.answered(key, new)
        self.count(what)

    def put(self, rng, s3, worker):
        key, body = self.key(rng, worker), body_of(rng.random(), rng.choice(SIZES))
        self.change(key, hashlib.sha256(body).hexdigest(), lambda: s3.put_object(Bucket="bucket", Key=key, Body=body), "put")

    def delete(self, rng, s3, worker):
        key = self.key(rng, worker)
        self.change(key, GONE, lambda: s3.delete_object(Bucket="bucket", Key=key), "delete")

    def delete_many(self, rng, s3, worker):
        keys = sorted({self.key(rng, worker) for _ in range(6)})
        for key in keys:
            self.keys.begin(key, GONE)
        s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": k} for k in keys]})
        for key in keys:
            self.keys.answered(key, GONE)
        self.count("delete-many")

    def copy(self, rng, s3, worker):
        source, key = self.key(rng, worker), self.key(rng, worker)
        held = self.keys.may.get(source, {GONE})
        if source == key or len(held) != 1 or held == {GONE}:
            return
        self.change(key, next(iter(held)),
                    lambda: s3.copy_object(Bucket="bucket", Key=key, CopySource=f"bucket/{source}"), "copy")

    def multipart(self, rng, s3, worker):
        key = self.key(rng, worker)
        parts = [body_of(rng.random(), FIVE), body_of(rng.random(), rng.choice(SIZES[1:]))]
        u = s3.create_multipart_upload(Bucket="bucket", Key=key)["UploadId"]
        done = [{"PartNumber": n, "ETag": s3.upload_part(Bucket="bucket", Key=key, UploadId=u, PartNumber=n, Body=p)["ETag"]}
                for n, p in enumerate(parts, 1)]
        self.change(key, hashlib.sha256(b"".join(parts)).hexdigest(),
                    lambda: s3.complete_multipart_upload(Bucket="bucket", Key=key, UploadId=u, MultipartUpload={"Parts": done}),
                    "multipart")

    def check(self, round_):
        s3 = self.client()
        listed = {o["Key"]: o["Size"] for p in s3.get_paginator("list_objects_v2").paginate(Bucket="bucket")
                  for o in p.get("Contents", [])}
        self.assertLessEqual(set(listed), set(self.keys.may), f"round {round_}: keys that nobody put")

        def read(key):
            try:
                body = s3.get_object(Bucket="bucket", Key=key)["Body"].read()
            except ClientError as e:
                self.assertEqual(e.response["Error"]["Code"], "NoSuchKey", f"round {round_}: {key}")
                return key, GONE, None
            return key, hashlib.sha256(body).hexdigest(), len(body)

        for key, may in sorted(self.keys.may.items()):
            _, got, size = read(key)
            self.assertIn(got, may, f"round {round_}: {key} holds something else")
            self.assertEqual(size, listed.get(key), f"round {round_}: {key} is listed otherwise")
            self.keys.may[key] = {got}

    def check_disk(self):
        """Uploads that were cut off are given up; then nothing but what objects hold is on the disk."""
        s3 = self.client()
        for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket="bucket"):
            for u in page.get("Uploads", []):
                s3.abort_multipart_upload(Bucket="bucket", Key=u["Key"], UploadId=u["UploadId"])
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket="bucket"):
            for o in page.get("Contents", []):
                s3.delete_object(Bucket="bucket", Key=o["Key"])
        s3.delete_bucket(Bucket="bucket")
        self.virga.restart()
        end, left = time.monotonic() + 20, None
        while time.monotonic() < end:
            left = [os.path.join(d, f) for d, _, files in os.walk(os.path.join(self.virga.data, "blobs")) for f in files]
            if not left:
                return
            time.sleep(0.1)
        self.fail(f"{len(left)} bodies of nobody are left: {left[:3]}")


if __name__ == "__main__":
    unittest.main()
