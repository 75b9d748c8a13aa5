#!/usr/bin/env python3
"""Start-up and idle memory of a virga: bench/start.py [BINARY] (build/virga), the median of RUNS starts.

"fresh" makes its data folder, certificate authority and root key; "again" opens them, up to the first answer.
"""
import http.client
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 12


def start(binary, data):
    begun = time.monotonic()
    process = subprocess.Popen([binary, "serve", "--listen", "127.0.0.1:0", "--data", data], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    for line in process.stdout:
        if line.startswith("Listening on "):
            port = int(line.rsplit(":", 1)[1])
        if line == "Ready.\n":
            break
    ready = time.monotonic() - begun
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/_localstack/health")
    connection.getresponse().read()
    answered = time.monotonic() - begun
    connection.close()
    time.sleep(0.2)
    with open(f"/proc/{process.pid}/status") as f:
        memory = {k: int(v.split()[0]) for k, _, v in (line.partition(":") for line in f) if k in ("VmRSS", "RssAnon")}
    process.terminate()
    process.wait()
    process.stdout.close()
    return ready * 1000, answered * 1000, memory


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else "build/virga"
    fresh, again, resident, own = [], [], [], []
    for _ in range(RUNS):
        folder = tempfile.mkdtemp(prefix="virga-bench-")
        try:
            fresh.append(start(binary, folder + "/data")[0])
            _, answered, memory = start(binary, folder + "/data")
            again.append(answered)
            resident.append(memory["VmRSS"] / 1024)
            own.append(memory["RssAnon"] / 1024)
        finally:
            shutil.rmtree(folder)
    loads = []
    for _ in range(RUNS):
        begun = time.monotonic()
        subprocess.run([binary, "version"], stdout=subprocess.DEVNULL, check=True)
        loads.append((time.monotonic() - begun) * 1000)
    print(f"load {statistics.median(loads):.1f} ms, ready on a fresh folder {statistics.median(fresh):.1f} ms, "
          f"first answer on an old one {statistics.median(again):.1f} ms, "
          f"resident {statistics.median(resident):.1f} MiB, of it own {statistics.median(own):.1f} MiB")


if __name__ == "__main__":
    main()
