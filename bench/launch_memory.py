#!/usr/bin/env python3
"""Does virga grow with what was launched and terminated? Launches and terminates instances, fifty at a time; each time after --every of them
the clock is moved on by two hours (so that their records go too), the store is left alone until it falls idle, and a line tells what
is held: by the processes, by virga's heap, by its store.
    bench/launch_memory.py [--count 6000] [--every 1000] [--real]
--real: as root, with machines; without it compute is simulated: the same way through virga, but for its talk with its agent."""
import argparse
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/clients"))
from virga import BINARY, Virga, wait_until  # noqa: E402

AT_ONCE = 50
IDLE_S = 12  # src/store/sync.c


def resident(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return f.read().split()


class Bench:
    def __init__(self, args):
        self.args = args
        self.virga = Virga(*([] if args.real else ["--simulated"])).start()
        self.ec2 = self.virga.client("ec2")
        self.image = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]

    def states(self, ids):
        return {i["State"]["Name"] for r in self.ec2.describe_instances(InstanceIds=ids)["Reservations"] for i in r["Instances"]}

    def turn(self):
        ids = [i["InstanceId"] for i in self.ec2.run_instances(
            ImageId=self.image, InstanceType="t3.nano", MinCount=AT_ONCE, MaxCount=AT_ONCE)["Instances"]]
        assert wait_until(lambda: self.states(ids) == {"running"}, 300)
        self.ec2.terminate_instances(InstanceIds=ids)
        assert wait_until(lambda: self.states(ids) == {"terminated"}, 300)

    def settle(self):
        subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "2h"], check=True, capture_output=True)
        assert wait_until(lambda: not self.ec2.describe_instances()["Reservations"], 300)
        assert wait_until(lambda: not self.ec2.describe_volumes()["Volumes"], 300)
        time.sleep(IDLE_S)

    def tell(self, done):
        text = self.virga.get("/_virga/metrics")[2].decode()
        mib = lambda name: int(re.search(rf"^{name} (\d+)", text, re.M)[1]) / 2**20
        pid = self.virga.process.pid
        agents = [a for k in children(pid) for a in children(k)]
        print(f"{done:6} launched: virga {resident(pid) / 1024:6.1f} MiB, its heap {mib('virga_heap_used_bytes'):6.2f} used of "
              f"{mib('virga_heap_held_bytes'):6.2f} held, its store {mib('virga_store_memory_bytes'):6.2f} (on disk "
              f"{mib('virga_store_disk_bytes'):6.1f}); agent {sum(map(resident, agents[:1])) / 1024:.1f} MiB", flush=True)

    def run(self):
        self.turn()
        self.settle()
        self.tell(AT_ONCE)
        for done in range(AT_ONCE, self.args.count, AT_ONCE):
            self.turn()
            if done % self.args.every == 0:
                self.settle()
                self.tell(done + AT_ONCE)
        self.virga.close()


parser = argparse.ArgumentParser()
parser.add_argument("--count", type=int, default=6000)
parser.add_argument("--every", type=int, default=1000)
parser.add_argument("--real", action="store_true")
Bench(parser.parse_args()).run()
