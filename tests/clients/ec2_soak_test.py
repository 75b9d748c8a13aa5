"""Launches and terminations leave nothing: namespaces, mounts, control groups, processes, descriptors, files and memory are
counted before and after. VIRGA_SOAK=1000 makes it as many; by itself it is a short run."""
import os
import subprocess
import time
import unittest

from ec2_instance_test import Case
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)
COUNT = int(os.environ.get("VIRGA_SOAK", "12"))
AT_ONCE = 6


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            direct = [int(p) for p in f.read().split()]
    except OSError:
        return []
    return [p for d in direct for p in [d, *children(d)]]


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Soak(Case):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2 = cls.virga.client("ec2")
        cls.image = cls.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]

    def counted(self):
        # The keeper and the agent are the server's children; machines are the agent's or init's.
        own = [self.virga.process.pid, *children(self.virga.process.pid)]
        files = sum(len(f) for _, _, f in os.walk(os.path.join(self.virga.data, "ebs")))
        groups = subprocess.run(["find", "/sys/fs/cgroup", "-maxdepth", "4", "-type", "d", "-path", f"*{self.prefix}*"],
                                capture_output=True, text=True).stdout.split()
        with open("/proc/mounts") as f:
            mounts = sum(self.virga.data in line for line in f)
        loops = subprocess.run(["losetup", "-l", "-n", "-O", "BACK-FILE"], capture_output=True, text=True).stdout
        return {"namespaces": len([n for n in os.listdir("/run/netns") if n.startswith(self.prefix)]),
                "groups": len([g for g in groups if "/i-" in g]),
                "mounts": mounts,
                "loops": loops.count(self.virga.data),
                "processes": len(own),
                "descriptors": sum(len(os.listdir(f"/proc/{p}/fd")) for p in own),
                "files": files}, {p: resident_kib(p) for p in own}

    def turn(self, n):
        ids = [i["InstanceId"] for i in self.ec2.run_instances(
            ImageId=self.image, InstanceType="t3.nano", MinCount=n, MaxCount=n)["Instances"]]
        self.until(lambda: self.states(ids) == {"running"}, 300)
        if "StateReason" in self.describe(ids[0]):
            self.skipTest(self.describe(ids[0])["StateReason"]["Message"])
        self.prefix = next(x for x in os.listdir("/run/netns") if x.endswith(ids[0]))[:-len(ids[0])]
        self.ec2.terminate_instances(InstanceIds=ids)
        self.until(lambda: self.states(ids) == {"terminated"}, 300)

    def states(self, ids):
        return {i["State"]["Name"] for r in self.ec2.describe_instances(InstanceIds=ids)["Reservations"] for i in r["Instances"]}

    def settled(self):
        """An hour later their records have gone too; what ends in the background has ended when two looks agree."""
        subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "2h"], check=True, capture_output=True)
        self.until(lambda: not self.ec2.describe_instances()["Reservations"], 300)
        self.until(lambda: not self.ec2.describe_volumes()["Volumes"], 300)
        end = time.monotonic() + 60
        last = self.counted()
        while True:
            time.sleep(1)
            now = self.counted()
            if now[0] == last[0] or time.monotonic() > end:
                return now
            last = now

    def test_nothing_is_left(self):
        for _ in range(2):
            self.turn(AT_ONCE)
        before, memory = self.settled()
        began = time.monotonic()
        done = 0
        while done < COUNT:
            n = min(AT_ONCE, COUNT - done)
            self.turn(n)
            done += n
        seconds = time.monotonic() - began
        after, memory_after = self.settled()
        print(f"{COUNT} launches and terminations in {seconds:.0f} s: {before} then {after}; RSS {memory} then {memory_after} KiB")
        # Descriptors come and go with connections, by a few.
        spare = {"descriptors": 24}
        for k in before:
            self.assertLessEqual(after[k], before[k] + spare.get(k, 0), k)
        self.assertLess(sum(memory_after.values()), sum(memory.values()) + (64 << 10))


if __name__ == "__main__":
    unittest.main()
