#!/usr/bin/env python3
"""Constant orders on the shop while something breaks, and what came of it: failed requests, seconds without an answer, orders lost.

    examples/three-tier/load.py [--seconds 120] [--clients 4] [--endpoint http://localhost:4566] [-- COMMAND...]

COMMAND (make demo, virga fault az us-east-1a down, …) is run after a quarter of the time. An order counts as lost when its
acknowledgement was seen and the database does not have it at the end; an order whose answer never came may be there or not.
"""
import argparse
import http.client
import json
import os
import subprocess
import threading
import time
import urllib.parse
import uuid


class Shop:
    """By the balancer's name, at virga's own address. A connection for each request, as a new visitor has."""

    def __init__(self, endpoint, stack, limit):
        self.at, self.limit = urllib.parse.urlsplit(endpoint), limit
        self.host = self.balancer(stack)

    def balancer(self, stack):
        answer = subprocess.run(["curl", "-s", "--aws-sigv4", "aws:amz:us-east-1:cloudformation", "--user", "test:test", self.at.geturl() + "/",
                                 "--data", f"Action=DescribeStacks&Version=2010-05-15&StackName={stack}"], capture_output=True, text=True).stdout
        for member in answer.split("<member>"):
            if "<OutputKey>Balancer</OutputKey>" in member:
                return member.split("<OutputValue>")[1].split("<")[0]
        raise SystemExit(f"the stack {stack} has no balancer")

    def ask(self, path, body=None):
        c = http.client.HTTPConnection(self.at.hostname, self.at.port, timeout=self.limit)
        try:
            c.request("POST" if body else "GET", path, json.dumps(body) if body else None, {"Host": self.host})
            r = c.getresponse()
            content = r.read()
            if r.status not in (200, 201):
                raise http.client.HTTPException(f"{r.status} {content[:120]!r}")
            return json.loads(content)
        finally:
            c.close()


class Load:
    def __init__(self, shop):
        self.shop, self.lock = shop, threading.Lock()
        self.requests, self.failures, self.orders, self.slowest, self.over = 0, [], set(), 0.0, False

    def measured(self, path, body):
        began = time.monotonic()
        try:
            answer, why = self.shop.ask(path, body), None
        except (OSError, http.client.HTTPException, ValueError) as e:
            answer, why = None, repr(e)
        with self.lock:
            self.requests += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            if why:
                self.failures.append((began, time.monotonic(), path, why))
        return answer, not why

    def client(self):
        while not self.over:
            cart, order = str(uuid.uuid4()), str(uuid.uuid4())
            if self.measured(f"/api/carts/{cart}", {"product": 1})[1]:
                made, good = self.measured("/api/orders", {"cart": cart, "order": order})
                if good and made.get("order") == order:
                    with self.lock:
                        self.orders.add(order)
            time.sleep(0.1)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--seconds", type=float, default=120)
    p.add_argument("--clients", type=int, default=4)
    p.add_argument("--limit", type=float, default=30, help="seconds that a request may take")
    p.add_argument("--stack", default="shop")
    p.add_argument("--endpoint", default=os.environ.get("VIRGA_ENDPOINT", "http://localhost:4566"))
    p.add_argument("command", nargs="*")
    a = p.parse_args()
    shop = Shop(a.endpoint, a.stack, a.limit)
    load = Load(shop)
    threads = [threading.Thread(target=load.client) for _ in range(a.clients)]
    began = time.monotonic()
    for t in threads:
        t.start()
    time.sleep(a.seconds / 4)
    code, ran = None, 0.0
    if a.command:
        at = time.monotonic()
        print(f"{at - began:6.1f} s: {' '.join(a.command)}", flush=True)
        code = subprocess.run(a.command).returncode
        ran = time.monotonic() - at
    time.sleep(max(a.seconds / 4, a.seconds - (time.monotonic() - began)))
    load.over = True
    for t in threads:
        t.join()
    end = time.monotonic()
    while True:  # what is read at the end may itself meet a server that leaves
        try:
            there = set(shop.ask("/api/orders/ids"))
            break
        except (OSError, http.client.HTTPException, ValueError):
            if time.monotonic() - end > 60:
                raise
    lost = load.orders - there
    if a.command:
        print(f"the command ended with {code} after {ran:.1f} s")
    print(f"{load.requests} requests in {end - began:.1f} s, {len(load.failures)} failed, slowest {load.slowest:.2f} s")
    if load.failures:
        print(f"failures from {load.failures[0][0] - began:.1f} s to {max(f[1] for f in load.failures) - began:.1f} s; the first: {load.failures[0][2]} {load.failures[0][3]}")
    print(f"{len(load.orders)} orders acknowledged, {len(load.orders & there)} of them in the database, {len(lost)} lost")
    raise SystemExit(1 if lost else 0)


if __name__ == "__main__":
    main()
