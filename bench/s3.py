#!/usr/bin/env python3
"""S3 fast and large, as ratios within one run: listing by number of keys, many multipart uploads at once, a large object in flat
memory, ranges in parallel, deletions beside reads, versioning and encryption beside none, space that comes back.

    ninja -C build virga bench_load && bench/s3.py [KEYS [GIB]]      1000000 keys and 10 GiB, unless told
"""
import concurrent.futures
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlsplit

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/clients"))
from virga import Virga, wait_until  # noqa: E402

LOAD = os.path.join(HERE, "../build/bench_load")
KEYS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
GIB = float(sys.argv[2]) if len(sys.argv) > 2 else 10
MIB = 1 << 20


def load(v, *what, **options):
    argv = [LOAD, "-e", f"127.0.0.1:{v.port}", "-J", "-c", "16"]
    for name, value in options.items():
        argv += ["-" + name, str(value)]
    return json.loads(subprocess.run([*argv, *map(str, what)], check=True, capture_output=True, text=True).stdout)


def rate(r):
    return r.get("per_second") or r.get("rate") or r["requests"] / r["seconds"]


def seconds(fn):
    start = time.monotonic()
    fn()
    return time.monotonic() - start


def fetch(url):
    parts = urlsplit(url)
    c = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
    c.request("GET", f"{parts.path}?{parts.query}")
    n, r = 0, c.getresponse()
    while piece := r.read(MIB):
        n += len(piece)
    c.close()
    return n


def cpu_ms(v):
    with open(f"/proc/{v.process.pid}/stat") as f:
        ticks = f.read().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) * 1000 / os.sysconf("SC_CLK_TCK")


def page_ms(v, s3, bucket, times=200):
    """Of a page of 1000 keys from the middle of the bucket: the median time, and what it costs virga's processor, which other
    programs on the machine hardly change."""
    middle = sorted(o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"])[500]
    url = s3.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket, "StartAfter": middle[:-1] + "5"})
    fetch(url)
    before = cpu_ms(v)
    median = sorted(seconds(lambda: fetch(url)) for _ in range(times))[times // 2] * 1000
    return median, (cpu_ms(v) - before) / times


def listing(v, s3):
    for name, keys in (("few", 10000), ("many", KEYS)):
        s3.create_bucket(Bucket=name)
        load(v, "s3-put", 1, b=name, k=keys, n=keys)
    few, many = page_ms(v, s3, "few"), page_ms(v, s3, "many")
    print(f"list a page: {few[0]:.2f} ms of 10000 keys, {many[0]:.2f} ms of {KEYS}: {many[0] / few[0]:.2f} times; "
          f"processor {few[1]:.2f} and {many[1]:.2f} ms: {many[1] / few[1]:.2f} times")


def uploads(v, s3):
    s3.create_bucket(Bucket="parts")
    part = os.urandom(5 * MIB)

    def one(i):
        k = {"Bucket": "parts", "Key": f"u{i}"}
        u = s3.create_multipart_upload(**k)["UploadId"]
        tags = [s3.upload_part(**k, UploadId=u, PartNumber=n, Body=part)["ETag"] for n in (1, 2)]
        s3.complete_multipart_upload(**k, UploadId=u, MultipartUpload={
            "Parts": [{"ETag": t, "PartNumber": n + 1} for n, t in enumerate(tags)]})
    before = v.rss_bytes()
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        t = seconds(lambda: list(pool.map(one, range(100))))
    print(f"100 multipart uploads of 10 MiB at once: {1000 / t:.0f} MiB/s; memory {before / MIB:.0f} -> {v.rss_bytes() / MIB:.0f} MiB")


def large(v, s3):
    """One part is copied many times: the object is large, and its bytes are read."""
    s3.create_bucket(Bucket="large")
    k = {"Bucket": "large", "Key": "o"}
    piece = tempfile.TemporaryFile()
    for _ in range(256):
        piece.write(os.urandom(MIB))
    piece.seek(0)
    s3.put_object(Bucket="large", Key="piece", Body=piece)
    u = s3.create_multipart_upload(**k)["UploadId"]
    parts = [{"ETag": s3.upload_part_copy(**k, UploadId=u, PartNumber=n + 1, CopySource="large/piece")["CopyPartResult"]["ETag"],
              "PartNumber": n + 1} for n in range(int(GIB * 4))]
    s3.complete_multipart_upload(**k, UploadId=u, MultipartUpload={"Parts": parts})
    url, before = s3.generate_presigned_url("get_object", Params=k), v.rss_bytes()
    t = seconds(lambda: fetch(url))
    print(f"an object of {GIB} GiB: read with {GIB * 1024 / t:.0f} MiB/s; memory {before / MIB:.0f} -> {v.rss_bytes() / MIB:.0f} MiB")

    def ranges(threads):
        def one(i):
            return len(s3.get_object(**k, Range=f"bytes={i * 8 * MIB}-{(i + 1) * 8 * MIB - 1}")["Body"].read())
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            return seconds(lambda: list(pool.map(one, range(min(64, int(GIB * 128))))))
    alone, eight = ranges(1), ranges(8)
    print(f"ranges of 8 MiB: 8 at once are {alone / eight:.2f} times as fast as one after the other")


class Noise:
    """Bytes to send, as many as wanted, without keeping them."""

    def __init__(self, n):
        self.n, self.at, self.piece = n, 0, os.urandom(MIB)

    def __len__(self):
        return self.n

    def read(self, n=-1):
        start = self.at % MIB
        n = min(MIB if n < 0 else n, MIB - start, self.n - self.at)
        self.at += n
        return self.piece[start:start + n]

    def tell(self):
        return self.at

    def seek(self, at, whence=0):
        self.at = at if whence == 0 else self.at + at if whence == 1 else self.n + at


def sent(v, s3):
    """The bytes of an object of that size come and lie on the disk, and go back: nothing is shared."""
    s3.create_bucket(Bucket="sent")
    k, before, top = {"Bucket": "sent", "Key": "o"}, v.rss_bytes(), [0]
    u = s3.create_multipart_upload(**k)["UploadId"]
    parts, start = [], time.monotonic()
    for n in range(1, int(GIB * 4) + 1):
        parts.append({"PartNumber": n, "ETag": s3.upload_part(
            **k, UploadId=u, PartNumber=n, Body=Noise(256 * MIB), ContentLength=256 * MIB)["ETag"]})
        top.append(v.rss_bytes())
    s3.complete_multipart_upload(**k, UploadId=u, MultipartUpload={"Parts": parts})
    t = time.monotonic() - start
    used = disk(v)
    read = seconds(lambda: fetch(s3.generate_presigned_url("get_object", Params=k)))
    top.append(v.rss_bytes())
    print(f"an object of {GIB} GiB sent in parts: {GIB * 1024 / t:.0f} MiB/s (by boto3), read with {GIB * 1024 / read:.0f} MiB/s; memory "
          f"{before / MIB:.0f} MiB before, at most {max(top) / MIB:.0f}", flush=True)
    t = seconds(lambda: s3.delete_object(**k))
    wait_until(lambda: disk(v) < used - GIB * 1000 * MIB, 60)
    print(f"deleted in {t * 1000:.0f} ms; {(used - disk(v)) / MIB:.0f} MiB came back", flush=True)


def damaged(v, s3):
    """A bit flips in a stored body: reads do not return it, and the scrubber tells of it."""
    s3.create_bucket(Bucket="damaged")
    body = os.urandom(8 * MIB)
    s3.put_object(Bucket="damaged", Key="k", Body=body)
    newest = max((os.path.join(d, f) for d, _, files in os.walk(v.data) for f in files
                  if os.path.getsize(os.path.join(d, f)) > 8 * MIB - 1), key=os.path.getmtime)
    with open(newest, "r+b") as f:
        f.seek(4 * MIB)
        byte = f.read(1)
        f.seek(4 * MIB)
        f.write(bytes([byte[0] ^ 1]))
    try:
        got = s3.get_object(Bucket="damaged", Key="k")["Body"].read()
        told = f"{len(got)} bytes, {'the right ones' if got == body else 'WRONG ONES'}"
    except Exception as e:
        told = type(e).__name__
    t = time.monotonic()
    found = json.loads(v.get("/_virga/scrub", "POST")[2])
    print(f"a flipped bit: the read ends with {told}; scrubbing {found.get('bytes', 0) / MIB:.0f} MiB in "
          f"{time.monotonic() - t:.1f} s finds {len(found.get('damaged', []))}: {found.get('damaged')}", flush=True)
    s3.delete_object(Bucket="damaged", Key="k")


def disk(v):
    total = 0
    for d, _, files in os.walk(v.data):
        for f in files:
            try:
                total += os.path.getsize(os.path.join(d, f))
            except FileNotFoundError:
                pass
    return total


def deletions(v, s3):
    s3.create_bucket(Bucket="bench-load")
    load(v, "s3-put", 1024, n=1000)
    quiet = rate(load(v, "s3-get", 1024, t=5))

    def delete():
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket="many"):
            s3.delete_objects(Bucket="many", Delete={"Objects": [{"Key": o["Key"]} for o in page["Contents"]], "Quiet": True})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        going = pool.submit(delete)
        beside = load(v, "s3-get", 1024, t=5)
        print(f"reads beside deletions: {rate(beside) / quiet:.2f} of those without")
        going.result()


def variants(v, s3):
    kms = v.client("kms").create_key()["KeyMetadata"]["Arn"]
    base = {}
    for name in ("plain", "versioned", "kms"):
        s3.create_bucket(Bucket=name)
        if name == "versioned":
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        if name == "kms":
            s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [{
                "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": kms}, "BucketKeyEnabled": True}]})
        for op in ("s3-put", "s3-get"):
            got = rate(load(v, op, 1024, b=name, t=5))
            base.setdefault(op, got)
            print(f"{op} of 1 KiB, {name}: {got:.0f}/s, {got / base[op]:.2f} of plain")


def space(v, s3):
    s3.create_bucket(Bucket="space")
    body, before = os.urandom(64 * MIB), disk(v)
    for _ in range(8):
        s3.put_object(Bucket="space", Key="k", Body=body)
    s3.delete_object(Bucket="space", Key="k")
    back = wait_until(lambda: disk(v) < before + 8 * MIB, 60)
    print(f"512 MiB overwritten and deleted: {(disk(v) - before) / MIB:.1f} MiB more than before; all came back: {back}")


def main():
    from botocore.config import Config

    with Virga("--durability=relaxed") as v:
        s3 = v.client("s3", config=Config(max_pool_connections=100, signature_version="s3v4"))
        for part in (damaged, uploads, sent, large, space, variants, listing, deletions):
            part(v, s3)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
