#!/usr/bin/env python3
"""The shop under constant orders while things fail, one after the other, and what each cost.

    sudo examples/three-tier/faults.py [--times 2] [--clients 2] [--keep] [FAULT...]     (make demo-faults)

Starts a virga of its own on a free port, deploys the example, and breaks it:

    instance   every process of an application server is killed
    terminate  an application server is terminated by TerminateInstances
    database   the primary's server is killed (kill -9)
    virga      virga itself is killed (kill -9) and started again a second later
    rolling    the stack is updated to another instance type: all servers are replaced, one after the other
    zone       the zone of the database's primary goes down; it comes back after the measurement

For each: requests and how many of them failed, the seconds from the fault until the last request that failed (0: none did), and orders
that were acknowledged and are not in the database (there must be none). An order whose answer never came may be there or not.
Before the next fault everything has to be whole again: all servers healthy, and a standby beside the database.
"""
import argparse
import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date

from load import Load, Shop

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
VIRGA = os.environ.get("VIRGA", os.path.join(ROOT, "build/virga"))
STACK = "shop"


class Cloud:
    """A virga of its own, and what is asked of it, through the AWS CLI."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="virga-faults-")
        self.process, self.port = None, 0

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen([VIRGA, "serve", "--listen", f"127.0.0.1:{self.port}", "--data", os.path.join(self.folder, "data")],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        for line in self.process.stdout:
            if line.startswith("Listening on "):
                self.port = int(line.split()[2].rstrip("/").rsplit(":", 1)[1])
            if line.strip() == "Ready.":
                return
        sys.exit("virga did not start: " + os.path.join(self.folder, "log"))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def environment(self):
        return {**os.environ, "VIRGA_ENDPOINT": self.endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}

    def aws(self, *words):
        run = subprocess.run(["aws", "--endpoint-url", self.endpoint, *words], capture_output=True, text=True, env=self.environment())
        if run.returncode:
            raise RuntimeError(run.stderr)
        return json.loads(run.stdout) if run.stdout.strip() else {}

    def run(self, *command):
        subprocess.run(command, check=True, env=self.environment(), stdout=subprocess.DEVNULL)

    # ── what there is ──

    def servers(self, name="application"):
        found = self.aws("ec2", "describe-instances", "--filters", f"Name=tag:Name,Values={name}", "Name=instance-state-name,Values=running")
        return [i for r in found["Reservations"] for i in r["Instances"]]

    def database(self):
        return self.aws("rds", "describe-db-instances")["DBInstances"][0]

    def whole(self):
        """Is everything as the template says?"""
        groups = self.aws("autoscaling", "describe-auto-scaling-groups")["AutoScalingGroups"]
        if any(len([i for i in g["Instances"] if i["LifecycleState"] == "InService"]) != g["DesiredCapacity"] or len(g["Instances"]) != g["DesiredCapacity"]
               for g in groups):
            return False
        for target_group in self.aws("elbv2", "describe-target-groups")["TargetGroups"]:
            health = self.aws("elbv2", "describe-target-health", "--target-group-arn", target_group["TargetGroupArn"])["TargetHealthDescriptions"]
            if len(health) != 2 or any(h["TargetHealth"]["State"] != "healthy" for h in health):
                return False
        d = self.database()
        return d["DBInstanceStatus"] == "available" and "SecondaryAvailabilityZone" in d

    def until_whole(self, limit=300):
        end = time.monotonic() + limit
        while not self.whole():
            if time.monotonic() > end:
                raise SystemExit(f"not whole again within {limit} s")
            time.sleep(1)

    def processes(self, id):
        """Of the network namespace that holds this interface or instance."""
        names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.split()
        return [int(p) for n in names if n.endswith(id)
                for p in subprocess.run(["ip", "netns", "pids", n], capture_output=True, text=True).stdout.split()]

    # ── what fails ──

    def kill_all(self, pids):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def fault_instance(self):
        i = random.choice(self.servers())
        pids = [p for n in (i["InstanceId"], *(n["NetworkInterfaceId"] for n in i["NetworkInterfaces"])) for p in self.processes(n)]
        assert pids, "the server has no processes here"
        return lambda: self.kill_all(pids)

    def fault_terminate(self):
        id = random.choice(self.servers())["InstanceId"]
        return lambda: self.aws("ec2", "terminate-instances", "--instance-ids", id)

    def fault_database(self):
        zone = self.database()["AvailabilityZone"]
        interfaces = self.aws("ec2", "describe-network-interfaces", "--filters", "Name=requester-id,Values=amazon-rds",
                              f"Name=availability-zone,Values={zone}")["NetworkInterfaces"]
        pids = [p for n in interfaces for p in self.processes(n["NetworkInterfaceId"])]
        servers = []
        for p in pids:
            try:
                with open(f"/proc/{p}/cmdline", "rb") as f:
                    if f.read().startswith(b"/usr/lib/postgresql/"):
                        servers.append(p)
            except FileNotFoundError:
                pass

        def parent(p):
            with open(f"/proc/{p}/stat") as f:
                return int(f.read().rsplit(")", 1)[1].split()[1])
        first = [p for p in servers if os.path.exists(f"/proc/{p}") and parent(p) not in servers]
        assert len(first) == 1, "the primary's server was not found"
        return lambda: self.kill_all(first)

    def fault_virga(self):
        def again():
            self.kill()
            time.sleep(1)
            self.start()
        return again

    def fault_rolling(self):
        parameters = self.aws("cloudformation", "describe-stacks", "--stack-name", STACK)["Stacks"][0]["Parameters"]
        now = next(p["ParameterValue"] for p in parameters if p["ParameterKey"] == "InstanceType")
        given = [f"ParameterKey={p['ParameterKey']},UsePreviousValue=true" for p in parameters if p["ParameterKey"] != "InstanceType"]
        other = "t3.small" if now != "t3.small" else "t3.medium"

        def roll():
            self.aws("cloudformation", "update-stack", "--stack-name", STACK, "--use-previous-template", "--capabilities", "CAPABILITY_IAM",
                     "--parameters", *given, f"ParameterKey=InstanceType,ParameterValue={other}")
            while True:
                status = self.aws("cloudformation", "describe-stacks", "--stack-name", STACK)["Stacks"][0]["StackStatus"]
                if not status.endswith("_IN_PROGRESS"):
                    break
                time.sleep(0.5)
            assert status == "UPDATE_COMPLETE", status
        return roll

    def fault_zone(self):
        zone = self.database()["AvailabilityZone"]
        return lambda: self.run(VIRGA, "fault", "az", zone, "down", "--endpoint", self.endpoint)

    def mended_zone(self):
        down = re.findall(r"us-east-1[a-f]", subprocess.run([VIRGA, "fault", "--endpoint", self.endpoint], capture_output=True, text=True).stdout)
        for zone in down:
            self.run(VIRGA, "fault", "az", zone, "up", "--endpoint", self.endpoint)


FAULTS = [n[6:] for n in ("fault_instance", "fault_terminate", "fault_database", "fault_virga", "fault_rolling", "fault_zone")]


def ids(shop):
    """Read at the end, when it may still meet a server that leaves."""
    end = time.monotonic() + 120
    while True:
        try:
            return set(shop.ask("/api/orders/ids"))
        except (OSError, http.client.HTTPException, ValueError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def measure(cloud, fault, clients, calm):
    cloud.until_whole()
    act = getattr(cloud, f"fault_{fault}")()  # whom it meets is found out before
    shop = Shop(cloud.endpoint, STACK, 30)
    load = Load(shop)
    threads = [threading.Thread(target=load.client) for _ in range(clients)]
    for t in threads:
        t.start()
    time.sleep(5)
    before, begun = len(load.failures), time.monotonic()
    act()
    acted = time.monotonic() - begun
    # Until nothing has failed for a while.
    while time.monotonic() - max([begun, *(f[1] for f in load.failures)]) < max(calm, 5):
        time.sleep(0.2)
        if time.monotonic() - begun > 180:
            break
    load.over = True
    for t in threads:
        t.join()
    assert not before, f"requests failed before the fault: {load.failures[0]}"
    lost = load.orders - ids(shop)
    failed = [f for f in load.failures]
    recovery = max([0.0, *(f[1] - begun for f in failed)])
    if hasattr(cloud, f"mended_{fault}"):
        getattr(cloud, f"mended_{fault}")()
    whole = time.monotonic()
    cloud.until_whole()
    row = (fault, load.requests, len(failed), recovery, load.slowest, len(load.orders), len(lost), acted, time.monotonic() - whole)
    print("| {} | {} | {} | {:.1f} | {:.1f} | {} | {} |".format(*row[:7]), flush=True)
    for f in failed[:3] if os.environ.get("FAULTS_WHY") else []:
        print(f"    {f[0] - begun:.1f} to {f[1] - begun:.1f} s: {f[2]} {f[3]}", flush=True)
    return row


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--times", type=int, default=2)
    p.add_argument("--clients", type=int, default=2)
    p.add_argument("--calm", type=float, default=15, help="seconds without a failure that end a measurement")
    p.add_argument("--keep", action="store_true", help="leave virga's folder, with its log")
    p.add_argument("faults", nargs="*", default=FAULTS, metavar="FAULT", choices=[*FAULTS, []])
    a = p.parse_args()
    cloud = Cloud()
    cloud.start()
    lost = 1
    try:
        subprocess.run(["bash", os.path.join(ROOT, "scripts/demo.sh"), "up"], check=True, env=cloud.environment(), stdout=subprocess.DEVNULL)
        print(f"{date.today()}, load of the machine {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, {a.clients} clients")
        print("| fault | requests | failed | seconds until the last failure | slowest request, s | orders acknowledged | lost |\n|---|---|---|---|---|---|---|", flush=True)
        lost = sum(measure(cloud, f, a.clients, a.calm)[6] for f in a.faults for _ in range(a.times))
        print(f"load of the machine at the end {os.getloadavg()[0]:.1f}; orders lost: {lost}")
        subprocess.run(["bash", os.path.join(ROOT, "scripts/demo.sh"), "down"], check=True, env=cloud.environment(), stdout=subprocess.DEVNULL)
    finally:
        if a.keep:
            cloud.process.terminate()
            cloud.process.wait()
            print(cloud.folder)
        else:
            cloud.close()
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
