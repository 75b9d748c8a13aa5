#!/usr/bin/env python3
"""How long a stack of many simple resources takes to be created, updated in all of them, and deleted.

    bench/stack.py [--resources 500] [--runs 3] [--kinds queue,parameter]       (VIRGA: the program, else build/virga)

Resources that need nothing of each other: queues, parameters and topics by turns. The seconds are a client's, from the call to the status
that ends it, asked for every 20 ms; the processor's are virga's.
"""
import argparse
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/clients"))
from virga import Virga

KINDS = {"queue": ("AWS::SQS::Queue", lambda n: {"DelaySeconds": n}), "parameter": ("AWS::SSM::Parameter", lambda n: {"Type": "String", "Value": str(n)}),
         "topic": ("AWS::SNS::Topic", lambda n: {"DisplayName": f"n{n}"})}


def template(kinds, resources, n):
    made = {}
    for i in range(resources):
        kind, properties = KINDS[kinds[i % len(kinds)]]
        made[f"R{i}"] = {"Type": kind, "Properties": properties(n)}
    return json.dumps({"Resources": made})


def processor(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--resources", type=int, default=500)
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--kinds", default="queue,parameter")
    a = p.parse_args()
    print(f"{a.resources} resources ({a.kinds}), {a.runs} runs, load of the machine {os.getloadavg()[0]:.1f}: seconds (of these virga's processor)")
    for durability in ("strict", "relaxed"):
        with Virga("--durability", durability, "--log", "off") as virga:
            cfn = virga.client("cloudformation")
            for run in range(a.runs):
                told = []
                for what in ("create", "update", "delete"):
                    begun, used = time.monotonic(), processor(virga.process.pid)
                    if what == "delete":
                        cfn.delete_stack(StackName=id)
                    elif what == "create":
                        id = cfn.create_stack(StackName=f"s{run}", TemplateBody=template(a.kinds.split(","), a.resources, 1))["StackId"]
                    else:
                        cfn.update_stack(StackName=id, TemplateBody=template(a.kinds.split(","), a.resources, 2))
                    while True:
                        status = cfn.describe_stacks(StackName=id)["Stacks"][0]["StackStatus"]
                        if not status.endswith("_IN_PROGRESS"):
                            break
                        time.sleep(0.02)
                    assert status == what.upper() + "_COMPLETE", status
                    told.append(f"{what}d {time.monotonic() - begun:.2f} ({processor(virga.process.pid) - used:.2f})".replace("eed", "ed"))
                print(f"{durability:8} {', '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
