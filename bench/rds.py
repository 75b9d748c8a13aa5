#!/usr/bin/env python3
"""How long databases of RDS take. As root, from anywhere, with a built virga:
    bench/rds.py [available] [failover] [sealed] [restore] [--rounds 3] [--gb 1]
VIRGA=FILE in the environment: another one than build/virga. Without a word: all of it.
available  from CreateDBInstance to "available": PostgreSQL, its Multi-AZ pair, with encrypted storage, MariaDB
failover   from kill -9 of a Multi-AZ pair's primary to the next write that a client gets answered
sealed     transactions a second of pgbench (four clients, from inside the VPC), on plain and on encrypted storage, in turns
restore    of --gb of data: from a snapshot that has them, and to a moment whose log has to be replayed upon an empty database"""
import argparse
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/clients"))
from rds_case import PASSWORD, Servers  # noqa: E402
from virga import wait_until  # noqa: E402

PGBENCH = "/usr/lib/postgresql/15/bin/pgbench"
ROWS_MB = 15  # of pgbench, for each unit of its scale
WRITE = 'i=0; while [ ! -e "$2" ]; do i=$((i + 1)); psql "$1" -qXc "INSERT INTO w VALUES ($i)" 2>/dev/null && date +%s%N; done'


class Bench(Servers):
    def runTest(self):
        pass

    def timed(self, i, **kw):
        began = time.monotonic()
        d = self.create(i, **kw)
        return time.monotonic() - began, d

    def available(self, rounds):
        for what, kw in (("PostgreSQL", {}), ("PostgreSQL, Multi-AZ", {"MultiAZ": True}), ("PostgreSQL, encrypted", {"StorageEncrypted": True}),
                         ("PostgreSQL, Multi-AZ, encrypted", {"MultiAZ": True, "StorageEncrypted": True}), ("MariaDB", {"Engine": "mariadb"})):
            self.timed("first", **kw)  # templates, spare folders
            self.delete("first")
            spent = []
            for _ in range(rounds):
                time.sleep(2)
                spent.append(self.timed("db", **kw)[0])
                self.delete("db")
            print(f"available: {what}: median {statistics.median(spent):.2f} s of {' '.join(f'{s:.2f}' for s in spent)}", flush=True)

    def failover(self, rounds):
        d = self.create("pair", MultiAZ=True)
        self.sql(d, "CREATE TABLE w (i int)")
        stop, told = (os.path.join(self.virga.folder, n) for n in ("stop", "told"))
        spent = []
        with open(told, "w") as f:
            writer = subprocess.Popen(["ip", "netns", "exec", self.namespace(self.host), "sh", "-c",
                                       f"mount --bind {self.virga.folder}/resolv.conf /etc/resolv.conf; {WRITE}", "sh",
                                       self.url(d).replace("connect_timeout=3", "connect_timeout=2"), stop], stdout=f)
        answered = lambda: [int(line) for line in open(told) if line.endswith("\n")]
        try:
            for _ in range(rounds):
                self.whole("pair")
                n = len(answered())
                assert wait_until(lambda: len(answered()) > n + 3, 60)
                killed = time.time_ns()
                os.kill(self.server(self.describe("pair")), 9)
                after = lambda: [t for t in answered() if t > killed + 50_000_000]
                assert wait_until(after, 60, 0.02), self.virga.read_log()[-2000:]
                spent.append((after()[0] - killed) / 1e9)
        finally:
            open(stop, "w").close()
            writer.wait(60)
        print(f"failover: median {statistics.median(spent):.2f} s of {' '.join(f'{s:.2f}' for s in spent)}", flush=True)
        self.delete("pair")

    def bench(self, d, *args):
        r = self.inside(PGBENCH, *args, self.url(d))
        assert r.returncode == 0, r.stderr[-2000:]
        return r.stdout

    def sealed(self, rounds):
        kinds = {"plain": self.create("plain", DBInstanceClass="db.t3.medium"),
                 "encrypted": self.create("shut", DBInstanceClass="db.t3.medium", StorageEncrypted=True)}
        tps = {k: [] for k in kinds}
        for d in kinds.values():
            self.bench(d, "-i", "-q", "-s", "5")
        for _ in range(rounds):
            for k, d in kinds.items():
                out = self.bench(d, "-c", "4", "-T", "8", "-n")
                tps[k].append(next(float(line.split()[2]) for line in out.splitlines() if line.startswith("tps")))
        for k, v in tps.items():
            print(f"sealed: {k}: median {statistics.median(v):.0f} transactions/s of {' '.join(f'{x:.0f}' for x in v)}", flush=True)
        self.delete("plain", "shut")

    def restore(self, gb):
        d = self.create("source", DBInstanceClass="db.t3.medium")
        assert wait_until(lambda: "LatestRestorableTime" in self.describe("source"), 60)
        self.bench(d, "-i", "-q", "-s", str(max(1, round(gb * 1024 / ROWS_MB))))
        size = int(self.sql(d, "SELECT pg_database_size('postgres')")) / (1 << 30)
        log = int(self.sql(d, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")) / (1 << 30)
        kw = {"PubliclyAccessible": False, "VpcSecurityGroupIds": [self.db]}
        began = time.monotonic()
        self.rds.restore_db_instance_to_point_in_time(SourceDBInstanceIdentifier="source", TargetDBInstanceIdentifier="then", UseLatestRestorableTime=True, **kw)
        self.until("then", limit=600)
        spent = time.monotonic() - began
        print(f"restore: to a moment: {spent:.1f} s for {log:.2f} GiB of log, {spent / log:.1f} s a GiB", flush=True)
        began = time.monotonic()
        self.rds.create_db_snapshot(DBInstanceIdentifier="source", DBSnapshotIdentifier="s")
        self.until("source", limit=600)
        print(f"restore: the snapshot: {time.monotonic() - began:.1f} s for {size:.2f} GiB of data, {(time.monotonic() - began) / size:.1f} s a GiB")
        began = time.monotonic()
        self.rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="copy", DBSnapshotIdentifier="s", DBSubnetGroupName="dbs", **kw)
        self.until("copy", limit=600)
        spent = time.monotonic() - began
        print(f"restore: from a snapshot: {spent:.1f} s for {size:.2f} GiB of data, {spent / size:.1f} s a GiB", flush=True)
        self.delete("then", "copy", "source")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", nargs="*")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--gb", type=float, default=1)
    args = p.parse_args()
    assert os.geteuid() == 0 and PASSWORD, "servers need root"
    Bench.setUpClass()
    try:
        b = Bench()
        for what in args.what or ("available", "failover", "sealed", "restore"):
            getattr(b, what)(args.gb if what == "restore" else args.rounds)
    finally:
        Bench.doClassCleanups()


if __name__ == "__main__":
    main()
