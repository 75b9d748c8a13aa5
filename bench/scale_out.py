#!/usr/bin/env python3
"""How long a group of machines takes to grow under load: from the load's rise over the alarm to the first request that a new machine
answers, and back; and how many requests failed on the way. Needs root. Two machines of a whole processor each can only pass 60 %
where the host has more than two to spare, so a vCPU is a fifth of a processor here: --vcpu says otherwise.

    bench/scale_out.py [--real] [--type t2.micro] [--high 60] [--vcpu 20]

Without --real virtual time is moved a minute at a time; with it nothing is moved, and it takes about eight minutes.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/clients"))
from scale_out_test import Load, Shop  # noqa: E402
from virga import Virga  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--type", default="t2.micro")
    parser.add_argument("--high", type=float, default=60)
    parser.add_argument("--vcpu", default="20", help="percent of a processor")
    parser.add_argument("--only-out", action="store_true", help="end once the new machines serve")
    options = parser.parse_args()
    print("load of the machine before:", *os.getloadavg())
    with Virga("--vcpu", options.vcpu) as virga:
        shop = Shop(virga, options.high, options.high / 2, options.type)
        begin = time.monotonic()

        def until(what, why, moving=False):
            while not what():
                assert time.monotonic() < begin + 1800, f"{why}: it did not happen"
                if moving and not options.real:
                    shop.advance("61s")
                time.sleep(0.1)
            print(f"  {time.monotonic() - begin:7.1f} s  {why}", flush=True)
        print("from nothing:")
        until(lambda: shop.serving(2), "two machines serve")
        until(shop.calm, "their processors are calm", True)
        load = Load(virga.port, shop.host)
        try:
            begin = time.monotonic()
            print("the load rises:")
            load.rise()
            until(lambda: shop.busy()[-1] > options.high, f"the processors pass {options.high:.0f} %", True)
            until(lambda: shop.alarm("out") == "ALARM", "the alarm is in ALARM", True)
            print("  minutes so far:", ", ".join(f"{b:.0f} %" for b in shop.busy()))
            begin = time.monotonic()
            print("from the alarm on:")
            until(lambda: shop.group()["DesiredCapacity"] == 4, "four machines are desired", True)
            until(lambda: len(load.first) > 2, "the first request that a new machine answers")
            until(lambda: shop.serving(4), "four machines are healthy")
            if not options.only_out:
                begin = time.monotonic()
                print("the load falls:")
                load.fall()
                until(lambda: shop.group()["DesiredCapacity"] == 2, "two machines are desired", True)
                until(lambda: shop.serving(2), "two machines are left, the others have drained and gone")
        finally:
            load.end()
        print(f"{load.good} requests answered by {len(load.first)} machines, {len(load.failed)} failed")
        shop.asg.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
        while shop.asg.describe_auto_scaling_groups()["AutoScalingGroups"]:
            time.sleep(0.2)


if __name__ == "__main__":
    main()
