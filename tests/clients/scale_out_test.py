"""A web application on a group of two to four real machines over two zones behind a balancer: its load rises, their processors
pass 60 %, the alarm fires, machines come and serve; the load falls, they drain and go; one whose program dies is replaced. Not
one request may fail on the way. A vCPU is a fifth of a processor here, so that four machines, the balancer and the clients have
room on two. bench/scale_out.py tells the times."""
import base64
import datetime
import http.client
import json
import os
import subprocess
import threading
import time
import unittest

from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)

# / answers at once, with the machine's own id; /burn uses a twentieth of a second of the processor; /end ends the program.
SERVER = r"""#!/bin/bash
M=http://169.254.169.254/latest
T=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' $M/api/token)
export ME=$(curl -sf -H "X-aws-ec2-metadata-token: $T" $M/meta-data/instance-id)
cat > /opt/web.py <<'END'
import http.server, os, socketserver, threading, time
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/burn":
            end = time.thread_time() + 0.05
            while time.thread_time() < end: pass
        body = os.environ["ME"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/end": self.wfile.flush(); threading.Timer(0.5, os._exit, [0]).start()
    def log_message(self, *a): pass
class S(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads, request_queue_size = True, 128
S(("0.0.0.0", 80), H).serve_forever()
END
setsid python3 /opt/web.py > /var/log/web.log 2>&1 &
"""


class Load:
    """Clients that keep their connections and ask again and again; who answered when, and what failed."""

    def __init__(self, port, host):
        self.port, self.host, self.path, self.pause = port, host, "/", 0.2
        self.failed, self.first, self.last, self.good, self.ended = [], {}, {}, 0, False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(4)]
        for t in self.threads:
            t.start()

    def client(self):
        c = None
        while not self.ended:
            try:
                c = c or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                c.request("GET", self.path, headers={"Host": self.host})
                r = c.getresponse()
                body = r.read().decode()
                with self.lock:
                    now = time.monotonic()
                    if r.status != 200:
                        self.failed.append((r.status, body[:200]))
                    else:
                        self.good += 1
                        self.first.setdefault(body, now)
                        self.last[body] = now
                if r.will_close:
                    c.close()
                    c = None
            except (OSError, http.client.HTTPException) as e:
                with self.lock:
                    self.failed.append(repr(e))
                c = None
            time.sleep(self.pause)

    def rise(self):
        self.path, self.pause = "/burn", 0

    def fall(self):
        self.path, self.pause = "/", 0.2

    def end(self):
        self.ended = True
        for t in self.threads:
            t.join()


class Shop:
    """The network, the balancer and the group."""

    def __init__(self, virga, high, low, type="t2.micro"):
        self.virga, self.low = virga, low
        self.ec2, self.elb, self.asg, self.cw = (virga.client(s) for s in ("ec2", "elbv2", "autoscaling", "cloudwatch"))
        image = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
        vpc = self.ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        table = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        subnets = [self.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.30.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
                   for i, z in enumerate("ab")]
        self.sg = self.ec2.create_security_group(VpcId=vpc, GroupName="web", Description="x")["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=self.sg, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        balancer = self.elb.create_load_balancer(Name="web", Subnets=subnets, SecurityGroups=[self.sg])["LoadBalancers"][0]
        self.host = balancer["DNSName"]
        self.targets = self.elb.create_target_group(
            Name="web", Protocol="HTTP", Port=80, VpcId=vpc, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=4,
            HealthyThresholdCount=2, UnhealthyThresholdCount=2)["TargetGroups"][0]["TargetGroupArn"]
        self.elb.modify_target_group_attributes(TargetGroupArn=self.targets, Attributes=[
            {"Key": "deregistration_delay.timeout_seconds", "Value": "10"}])
        self.elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
                                 DefaultActions=[{"Type": "forward", "TargetGroupArn": self.targets}])
        self.ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={
            "ImageId": image, "InstanceType": type, "SecurityGroupIds": [self.sg], "Monitoring": {"Enabled": True}, "UserData": base64.b64encode(SERVER.encode()).decode()})
        self.asg.create_auto_scaling_group(
            AutoScalingGroupName="web", MinSize=2, MaxSize=4, LaunchTemplate={"LaunchTemplateName": "web"}, DefaultInstanceWarmup=30,
            VPCZoneIdentifier=",".join(subnets), TargetGroupARNs=[self.targets])
        for name, sign, of in (("out", 1, "GreaterThanThreshold"), ("in", -1, "LessThanThreshold")):
            policy = self.asg.put_scaling_policy(
                AutoScalingGroupName="web", PolicyName=name, PolicyType="StepScaling", AdjustmentType="ChangeInCapacity",
                StepAdjustments=[{"MetricIntervalLowerBound" if sign > 0 else "MetricIntervalUpperBound": 0, "ScalingAdjustment": 2 * sign}])
            self.cw.put_metric_alarm(
                AlarmName=name, Namespace="AWS/EC2", MetricName="CPUUtilization", Statistic="Average", Period=60,
                Dimensions=[{"Name": "AutoScalingGroupName", "Value": "web"}], EvaluationPeriods=1 if sign > 0 else 3,
                Threshold=high if sign > 0 else low, ComparisonOperator=of, AlarmActions=[policy["PolicyARN"]])

    def busy(self):
        """The group's processors, in percent, minute by minute."""
        at = datetime.datetime.fromisoformat(json.loads(self.virga.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))
        points = self.cw.get_metric_statistics(
            Namespace="AWS/EC2", MetricName="CPUUtilization", Period=60, Statistics=["Average"],
            Dimensions=[{"Name": "AutoScalingGroupName", "Value": "web"}], StartTime=at - datetime.timedelta(hours=1), EndTime=at)
        return [p["Average"] for p in sorted(points["Datapoints"], key=lambda p: p["Timestamp"])]

    def calm(self):
        """The work of starting is over, and what the alarms made of it."""
        busy = self.busy()
        return busy and busy[-1] < self.low and self.alarm("out") == "OK" and self.serving(2)

    def group(self):
        return self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"][0]

    def health(self):
        return {h["Target"]["Id"]: h["TargetHealth"]["State"] for h in
                self.elb.describe_target_health(TargetGroupArn=self.targets)["TargetHealthDescriptions"]}

    def serving(self, n):
        """n machines serve, and nothing else is in the group or behind the balancer."""
        return list(self.health().values()) == ["healthy"] * n and [i["LifecycleState"] for i in self.group()["Instances"]] == ["InService"] * n

    def alarm(self, name):
        return self.cw.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]

    def advance(self, by):
        subprocess.run([BINARY, "clock", "advance", by, "--endpoint", self.virga.endpoint], check=True, capture_output=True)


@unittest.skipIf(os.geteuid() != 0, "machines need root")
@unittest.skipUnless(os.path.exists("/usr/sbin/haproxy"), "haproxy is not installed")
class ScaleOut(unittest.TestCase):
    def until(self, what, limit=240, every=0.2):
        end = time.monotonic() + limit
        while not what():
            if time.monotonic() > end:
                self.fail((self.shop.health(), self.shop.group(), self.load and self.load.failed[:5]))
            time.sleep(every)

    def test_load_rises_and_falls(self):
        self.virga, self.load = Virga("--vcpu", "20").start(), None
        self.addCleanup(self.virga.close)
        self.shop = shop = Shop(self.virga, high=60, low=30)
        self.until(lambda: shop.serving(2) or self.simulated())
        self.assertEqual({i["AvailabilityZone"] for i in shop.group()["Instances"]}, {"us-east-1a", "us-east-1b"})
        first = {i["InstanceId"] for i in shop.group()["Instances"]}
        self.load = load = Load(self.virga.port, shop.host)
        self.addCleanup(load.end)
        self.until(lambda: set(load.first) == first)

        def calm():
            shop.advance("61s")
            return shop.calm()
        self.until(calm, every=1)
        # Starting is work too, and may have been answered by two machines more.
        load.first.clear()
        self.until(lambda: len(load.first) == 2)
        load.rise()

        def risen():
            shop.advance("61s")
            return shop.group()["DesiredCapacity"] == 4
        self.until(risen, every=1)
        self.until(lambda: shop.serving(4))
        self.assertIn("in state ALARM triggered policy out", self.causes())
        # The alarm tells what it saw, and so do the metrics.
        reason = json.loads(shop.cw.describe_alarm_history(AlarmName="out", HistoryItemType="StateUpdate")["AlarmHistoryItems"][0]["HistoryData"])
        self.assertGreater(max(reason["newState"]["stateReasonData"]["recentDatapoints"]), 60)
        self.assertGreater(max(shop.busy()), 60)
        self.until(lambda: len(load.first) == 4)
        self.assertEqual(sorted(i["AvailabilityZone"] for i in shop.group()["Instances"]), ["us-east-1a"] * 2 + ["us-east-1b"] * 2)
        self.assertEqual(load.failed, [])

        load.fall()

        def fallen():
            shop.advance("61s")
            return shop.group()["DesiredCapacity"] == 2
        self.until(fallen, every=1)
        self.until(lambda: shop.serving(2))
        self.assertEqual(load.failed, [])

        # The program of one dies; the balancer sees it, and the group replaces the machine.
        load.end()
        shop.asg.update_auto_scaling_group(AutoScalingGroupName="web", HealthCheckType="ELB", HealthCheckGracePeriod=0)
        shop.asg.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["AlarmNotification"])
        c = http.client.HTTPConnection("127.0.0.1", self.virga.port, timeout=60)
        c.request("GET", "/end", headers={"Host": shop.host})
        ended = c.getresponse().read().decode()
        c.close()
        self.assertIn(ended, {i["InstanceId"] for i in shop.group()["Instances"]})
        self.until(lambda: ended not in {i["InstanceId"] for i in shop.group()["Instances"]})
        shop.asg.update_auto_scaling_group(AutoScalingGroupName="web", HealthCheckType="EC2")
        self.until(lambda: shop.serving(2))
        self.assertIn("in response to an ELB system health check failure", self.causes())

        shop.asg.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
        self.until(lambda: not shop.asg.describe_auto_scaling_groups()["AutoScalingGroups"])

    def causes(self):
        return " ".join(a["Cause"] for a in self.shop.asg.describe_scaling_activities(AutoScalingGroupName="web")["Activities"])

    def simulated(self):
        for r in self.shop.ec2.describe_instances()["Reservations"]:
            for i in r["Instances"]:
                if "StateReason" in i and i["State"]["Name"] == "running":
                    self.skipTest(i["StateReason"]["Message"])
        return False


if __name__ == "__main__":
    unittest.main()
