#!/usr/bin/env python3
"""CloudWatch and CloudWatch Logs under load: data points in, a month of a hundred metrics out, log events in on one stream, and a
filter over all of them. Requests are signed once and sent many times, so that the client costs little.

    bench/cloudwatch.py [--log-megabytes N] [--only puts|gets|logs …] [--perf FILE]

--perf records what virga's processor time goes to while data points and log events come in (perf record).
"""
import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/clients"))
import botocore.auth  # noqa: E402
import botocore.awsrequest  # noqa: E402
import botocore.credentials  # noqa: E402
from virga import BINARY, Virga  # noqa: E402


def request(v, service, target, version, body):
    body = json.dumps(body).encode()
    r = botocore.awsrequest.AWSRequest("POST", v.endpoint + "/", data=body, headers={
        "Content-Type": f"application/x-amz-json-{version}", "X-Amz-Target": target})
    botocore.auth.SigV4Auth(botocore.credentials.Credentials("test", "test"), service, "us-east-1").add_auth(r)
    return body, dict(r.headers)


def send(v, prepared, times=1, connections=1):
    """Seconds that it took; the last answer."""
    last = []

    def work(n):
        c = http.client.HTTPConnection("127.0.0.1", v.port)
        for _ in range(n):
            c.request("POST", "/", prepared[0], prepared[1])
            r = c.getresponse()
            text = r.read()
            assert r.status == 200, text[:500]
        last[:] = [text]
    threads = [threading.Thread(target=work, args=(times // connections,)) for _ in range(connections)]
    begin = time.perf_counter()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return time.perf_counter() - begin, last[0]


def cpu(v):
    with open(f"/proc/{v.process.pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def advance(v, by):
    subprocess.run([BINARY, "clock", "advance", by, "--endpoint", v.endpoint], check=True, capture_output=True)


def now(v):
    return datetime.fromisoformat(json.loads(v.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))


def perf(v, o, name):
    """A running perf record of virga, or something that ends as easily."""
    if not o.perf:
        return subprocess.Popen(["true"])
    p = subprocess.Popen(["perf", "record", "-q", "-F", "999", "-g", "-p", str(v.process.pid), "-o", f"{o.perf}.{name}"], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    return p


def end_recording(p):
    if p.poll() is None:
        p.send_signal(2)
    p.wait()


def metrics(v, o):
    put = lambda data: request(v, "monitoring", "GraniteServiceVersion20100801.PutMetricData", "1.0", {"Namespace": "bench", "MetricData": data})
    many = put([{"MetricName": "m", "Value": i, "Dimensions": [{"Name": "host", "Value": f"h{i}"}]} for i in range(1000)])
    send(v, many)
    before, n, recording = cpu(v), 200, perf(v, o, "puts")
    seconds, _ = send(v, many, n, 2)
    used = cpu(v) - before
    end_recording(recording)
    print(f"PutMetricData: {n * 1000 / seconds:,.0f} data points/s of 1,000 metrics, {used / n * 1000:.1f} ms of processor for 1,000")
    if "gets" not in o.only:
        return
    for part in range(3):
        if part:
            advance(v, "14d")
        at = now(v)
        for day in range(13, -1, -1):
            for half in range(0, 100, 40):
                data = [{"MetricName": "month", "Value": h / 7, "Timestamp": (at - timedelta(days=day, hours=-h)).timestamp(),
                         "Dimensions": [{"Name": "host", "Value": f"h{i}"}]} for i in range(half, min(half + 40, 100)) for h in range(-23, 1)]
                send(v, put(data))
    advance(v, "3h")
    queries = [{"Id": f"q{i}", "MetricStat": {"Period": 3600, "Stat": "Average", "Metric": {
        "Namespace": "bench", "MetricName": "month", "Dimensions": [{"Name": "host", "Value": f"h{i}"}]}}} for i in range(100)]
    end = now(v).replace(minute=0, second=0, microsecond=0)
    get = request(v, "monitoring", "GraniteServiceVersion20100801.GetMetricData", "1.0", {
        "MetricDataQueries": queries, "StartTime": (end - timedelta(days=30)).timestamp(), "EndTime": end.timestamp()})
    took, recording = [], perf(v, o, "gets")
    for _ in range(41):
        begin, before = time.perf_counter(), cpu(v)
        _, text = send(v, get)
        took.append((time.perf_counter() - begin, cpu(v) - before))
    end_recording(recording)
    points = sum(len(r["Values"]) for r in json.loads(text)["MetricDataResults"])
    print(f"GetMetricData: 100 metrics, 30 days by the hour, {points:,} points: median {statistics.median(t for t, _ in took) * 1000:.0f} ms, "
          f"best {min(took)[0] * 1000:.0f} ms, processor {statistics.mean(c for _, c in took) * 1000:.1f} ms")


def logs(v, o):
    megabytes = o.log_megabytes
    client = v.client("logs")
    client.create_log_group(logGroupName="bench")
    client.create_log_stream(logGroupName="bench", logStreamName="s")
    at = int(now(v).timestamp() * 1000)
    line = '{"level":"INFO","request":"%08d","path":"/api/v1/items/%d","ms":%d,"message":"served from the cache of the second kind"}'
    events = [{"timestamp": at, "message": line % (i * 7919, i % 97, i % 311)} for i in range(6500)]
    size = sum(len(e["message"]) for e in events) / 1e6
    put = request(v, "logs", "Logs_20140328.PutLogEvents", "1.1", {"logGroupName": "bench", "logStreamName": "s", "logEvents": events})
    send(v, put)
    n, before, recording = int(megabytes / size), cpu(v), perf(v, o, "logs")
    seconds, _ = send(v, put, n, 2)
    used = cpu(v) - before
    end_recording(recording)
    print(f"PutLogEvents: {n * size / seconds:.0f} MB/s on one stream ({size:.2f} MB of messages a request), {used / (n * size) * 1000:.2f} ms of processor "
          f"for 1 MB")
    for pattern in ("ERROR", '{ $.ms = 310 && $.level = "ERROR" }'):
        find = request(v, "logs", "Logs_20140328.FilterLogEvents", "1.1", {"logGroupName": "bench", "filterPattern": pattern})
        before = cpu(v)
        seconds, _ = send(v, find)
        print(f"FilterLogEvents {pattern!r}: {(n + 1) * size:.0f} MB in {seconds:.2f} s, {cpu(v) - before:.2f} s of processor")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--log-megabytes", type=int, default=1000)
    p.add_argument("--only", nargs="*", default=["puts", "gets", "logs"], choices=["puts", "gets", "logs"])
    p.add_argument("--perf")
    o = p.parse_args()
    print("load of the machine before:", *os.getloadavg())
    with Virga() as v:
        if "puts" in o.only or "gets" in o.only:
            metrics(v, o)
        if "logs" in o.only:
            logs(v, o)


if __name__ == "__main__":
    main()
