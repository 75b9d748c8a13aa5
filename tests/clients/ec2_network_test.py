"""VPCs by real packets: the interfaces of two endpoints talk to each other through what EC2's API has said, ask the VPC's
resolver, and are refused as soon as a group, an ACL or a zone says so. Needs root; no machine is started."""
import gzip
import json
import os
import subprocess
import sys
import unittest

from botocore.exceptions import ClientError

from virga import BINARY, Virga, wait_until

NEEDS_BOTO3 = (1, 40)

ASK = """
import socket, struct, sys
name, kind, server = sys.argv[1], int(sys.argv[2]), sys.argv[3]
q = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\\0" + struct.pack(">HH", kind, 1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.sendto(q, (server, 53))
a = s.recv(512)
n = struct.unpack(">H", a[6:8])[0]
at = len(q)
print("code", a[3] & 15)
for _ in range(n):
    t, _, _, l = struct.unpack(">HHIH", a[at + 2:at + 12])
    d = a[at + 12:at + 12 + l]
    print(socket.inet_ntoa(d) if t == 1 else d)
    at += 12 + l
"""
CONNECT = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=0.5)
s.sendall(b"GET /_localstack/health HTTP/1.0\\r\\n\\r\\n")
print(s.recv(64))
"""


CALL = """
import boto3, json, sys
from botocore.config import Config
from botocore.exceptions import ClientError
service, operation = sys.argv[1].split(".")
request = json.loads(sys.argv[2])
c = boto3.client(service, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
                 endpoint_url=request.pop("endpoint"), config=Config(connect_timeout=1, retries={"max_attempts": 0}))
try:
    getattr(c, operation)(**request)
    print(json.dumps({"code": "OK"}))
except ClientError as e:
    print(json.dumps({"code": e.response["Error"]["Code"], "message": e.response["Error"]["Message"]}))
"""


@unittest.skipUnless(os.geteuid() == 0, "needs root for network namespaces")
class Packets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2 = cls.virga.client("ec2")
        ec2 = cls.ec2
        cls.v = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=cls.v, EnableDnsHostnames={"Value": True})
        cls.subnets = [ec2.create_subnet(VpcId=cls.v, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
                       for i, z in ((1, "a"), (2, "b"))]
        cls.open, cls.closed = (ec2.create_security_group(GroupName=n, Description=n, VpcId=cls.v)["GroupId"]
                                for n in ("open", "closed"))
        ec2.authorize_security_group_ingress(GroupId=cls.open, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": cls.open}]}])
        cls.a, cls.b = (cls.endpoint(s, cls.subnets[i]) for i, s in enumerate(("sqs", "kms")))

    @classmethod
    def endpoint(cls, service, subnet):
        e = cls.ec2.create_vpc_endpoint(VpcId=cls.v, VpcEndpointType="Interface", ServiceName=f"com.amazonaws.us-east-1.{service}",
                                        SubnetIds=[subnet], SecurityGroupIds=[cls.open])["VpcEndpoint"]
        [n] = cls.ec2.describe_network_interfaces(NetworkInterfaceIds=e["NetworkInterfaceIds"])["NetworkInterfaces"]
        return {"id": e["VpcEndpointId"], "eni": n["NetworkInterfaceId"], "ip": n["PrivateIpAddress"]}

    def inside(self, eni, code, *args, python="python3"):
        """Runs Python in the namespace of an interface; its output, or None where it failed."""
        names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.split()
        found = [n for n in names if n.endswith(eni)]
        if not found:
            return None
        run = subprocess.run(["ip", "netns", "exec", found[0], python, "-c", code, *args], capture_output=True, text=True)
        return run.stdout if run.returncode == 0 else None

    def reaches(self, a, b, port=80):
        return self.inside(a["eni"], CONNECT, b["ip"], str(port)) is not None

    def setUp(self):
        if "simulated" in self.virga.read_log():
            self.skipTest("networks are simulated here")
        self.assertTrue(wait_until(lambda: self.reaches(self.a, self.b)), self.virga.read_log()[-3000:])

    def test_groups(self):
        self.assertFalse(self.reaches(self.a, self.b, 81))
        self.ec2.modify_vpc_endpoint(VpcEndpointId=self.b["id"], AddSecurityGroupIds=[self.closed], RemoveSecurityGroupIds=[self.open])
        self.assertTrue(wait_until(lambda: not self.reaches(self.a, self.b)))
        run = subprocess.run([BINARY, "trace", "--endpoint", self.virga.endpoint, self.a["eni"], self.b["eni"], "80"],
                             capture_output=True, text=True)
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        self.assertIn("does not arrive", run.stdout)
        told = self.analyse()
        self.assertFalse(told["NetworkPathFound"])
        self.assertIn("ENI_SG_RULES_MISMATCH", [e["ExplanationCode"] for e in told["Explanations"]])
        self.ec2.modify_vpc_endpoint(VpcEndpointId=self.b["id"], AddSecurityGroupIds=[self.open], RemoveSecurityGroupIds=[self.closed])
        self.assertTrue(wait_until(lambda: self.reaches(self.a, self.b)))
        run = subprocess.run([BINARY, "trace", "--endpoint", self.virga.endpoint, self.a["eni"], self.b["eni"], "80"],
                             capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        told = self.analyse()
        self.assertTrue(told["NetworkPathFound"])
        self.assertIn(self.a["eni"], [c["Component"]["Id"] for c in told["ForwardPathComponents"]])

    def analyse(self):
        p = self.ec2.create_network_insights_path(Source=self.a["eni"], Destination=self.b["eni"], Protocol="tcp",
                                                  DestinationPort=80)["NetworkInsightsPath"]["NetworkInsightsPathId"]
        a = self.ec2.start_network_insights_analysis(NetworkInsightsPathId=p)["NetworkInsightsAnalysis"]["NetworkInsightsAnalysisId"]
        [told] = self.ec2.describe_network_insights_analyses(NetworkInsightsAnalysisIds=[a])["NetworkInsightsAnalyses"]
        self.assertEqual(told["Status"], "succeeded", told.get("StatusMessage"))
        return told

    def test_acl(self):
        [acl] = self.ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [self.v]}])["NetworkAcls"]
        entry = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 50, "Egress": False}
        self.ec2.create_network_acl_entry(Protocol="-1", RuleAction="deny", CidrBlock=f"{self.a['ip']}/32", **entry)
        self.assertTrue(wait_until(lambda: not self.reaches(self.a, self.b)))
        self.ec2.delete_network_acl_entry(**entry)
        self.assertTrue(wait_until(lambda: self.reaches(self.a, self.b)))

    def test_resolver(self):
        def ask(name, kind=1, server="10.0.0.2"):
            return (self.inside(self.a["eni"], ASK, name, str(kind), server) or "").splitlines()

        self.assertEqual(ask("kms.us-east-1.amazonaws.com"), ["code 0", self.b["ip"]])
        self.assertEqual(ask("kms.us-east-1.amazonaws.com", server="169.254.169.253"), ["code 0", self.b["ip"]])
        label = self.b["ip"].replace(".", "-")
        self.assertEqual(ask(f"ip-{label}.ec2.internal"), ["code 0", self.b["ip"]])
        self.assertEqual(ask("ip-10-9-9-9.ec2.internal"), ["code 3"])
        self.assertEqual(ask(f"ip-{label}.ec2.internal", kind=28), ["code 0"])
        back = ".".join(reversed(self.b["ip"].split("."))) + ".in-addr.arpa"
        self.assertIn(f"ip-{label}".encode(), eval(ask(back, kind=12)[1]))
        self.assertEqual(ask("s3.us-east-1.amazonaws.com"), ["code 0", "198.18.1.10"])
        self.assertEqual(ask("example.com"), ["code 3"])

    def test_a_zone_fails(self):
        def fault(state):
            subprocess.run([BINARY, "fault", "--endpoint", self.virga.endpoint, "az", "us-east-1b", state], check=True, capture_output=True)

        fault("down")
        self.assertTrue(wait_until(lambda: not self.reaches(self.a, self.b)))
        fault("up")
        self.assertTrue(wait_until(lambda: self.reaches(self.a, self.b)))

    def test_flow_log(self):
        s3 = self.virga.client("s3")
        s3.create_bucket(Bucket="flows")
        self.ec2.create_flow_logs(ResourceIds=[self.v], ResourceType="VPC", TrafficType="ALL", LogDestinationType="s3",
                                  LogDestination="arn:aws:s3:::flows", MaxAggregationInterval=60,
                                  LogFormat="${interface-id} ${srcaddr} ${dstaddr} ${dstport} ${action}")

        def lines():
            self.reaches(self.a, self.b, 81)
            subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "2m"], check=True, capture_output=True)
            told = set()
            for o in s3.list_objects_v2(Bucket="flows").get("Contents", []):
                told |= set(gzip.decompress(s3.get_object(Bucket="flows", Key=o["Key"])["Body"].read()).decode().splitlines())
            return told

        refused = f"{self.b['eni']} {self.a['ip']} {self.b['ip']} 81 REJECT"
        self.assertTrue(wait_until(lambda: refused in lines(), every=1), self.virga.read_log()[-2000:])

    def test_flow_log_to_cloudwatch(self):
        iam, logs = self.virga.client("iam"), self.virga.client("logs")
        trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "vpc-flow-logs.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        role = iam.create_role(RoleName="flows", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        ask = {"ResourceIds": [self.b["eni"]], "ResourceType": "NetworkInterface", "TrafficType": "REJECT", "LogGroupName": "flows",
               "MaxAggregationInterval": 60}
        with self.assertRaises(ClientError) as refused:
            self.ec2.create_flow_logs(**ask)
        self.assertEqual(refused.exception.response["Error"]["Code"], "MissingParameter")
        [f] = self.ec2.create_flow_logs(DeliverLogsPermissionArn=role, LogFormat="${version} ${az-id} ${dstaddr} ${dstport} ${action}",
                                        **ask)["FlowLogIds"]
        self.addCleanup(self.ec2.delete_flow_logs, FlowLogIds=[f])

        def told():
            self.reaches(self.a, self.b, 82)
            subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "2m"], check=True, capture_output=True)
            return self.ec2.describe_flow_logs(FlowLogIds=[f])["FlowLogs"][0]

        # The role may not: that is told, and nothing is there.
        self.assertTrue(wait_until(lambda: told()["DeliverLogsStatus"] == "FAILED", every=1))
        self.assertEqual(told()["DeliverLogsErrorMessage"], "Access error")
        self.assertEqual(logs.describe_log_groups()["logGroups"], [])
        policy = {"Statement": [{"Effect": "Allow", "Resource": "*", "Action": [
            "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups", "logs:DescribeLogStreams"]}]}
        iam.put_role_policy(RoleName="flows", PolicyName="p", PolicyDocument=json.dumps(policy))
        self.assertTrue(wait_until(lambda: told()["DeliverLogsStatus"] == "SUCCESS", every=1))
        self.assertNotIn("DeliverLogsErrorMessage", told())
        [stream] = logs.describe_log_streams(logGroupName="flows")["logStreams"]
        self.assertEqual(stream["logStreamName"], f"{self.b['eni']}-reject")
        zones = self.ec2.describe_availability_zones()["AvailabilityZones"]
        [zone] = [z["ZoneId"] for z in zones if z["ZoneName"] == "us-east-1b"]
        for e in logs.get_log_events(logGroupName="flows", logStreamName=stream["logStreamName"], startFromHead=True)["events"]:
            self.assertEqual(e["message"], f"4 {zone} {self.b['ip']} 82 REJECT")

    def test_endpoint_policies(self):
        def called(operation, **request):
            out = self.inside(self.a["eni"], CALL, operation, json.dumps(request), python=sys.executable)
            return json.loads(out) if out else None

        kms = f"http://{self.b['ip']}"
        self.assertEqual(called("kms.list_aliases", endpoint=kms)["code"], "OK")
        policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:ListAliases", "Resource": "*"}]}
        self.ec2.modify_vpc_endpoint(VpcEndpointId=self.b["id"], PolicyDocument=json.dumps(policy))
        self.assertEqual(called("kms.list_aliases", endpoint=kms)["code"], "OK")
        told = called("kms.list_keys", endpoint=kms)
        self.assertEqual(told["code"], "AccessDeniedException")
        self.assertIn("because no VPC endpoint policy allows the kms:ListKeys action", told["message"])
        self.virga.client("kms").list_keys()  # by another way
        with self.assertRaises(ClientError) as refused:
            self.ec2.modify_vpc_endpoint(VpcEndpointId=self.b["id"], PolicyDocument="{}")
        self.assertEqual(refused.exception.response["Error"]["Code"], "InvalidPolicyDocument")
        self.ec2.modify_vpc_endpoint(VpcEndpointId=self.b["id"], ResetPolicy=True)
        self.assertEqual(called("kms.list_keys", endpoint=kms)["code"], "OK")

    def test_conditions_of_a_gateway_endpoint(self):
        def called(operation, **request):
            out = self.inside(self.a["eni"], CALL, operation, json.dumps(dict(request, endpoint="http://198.18.1.10")),
                              python=sys.executable)
            return json.loads(out)["code"] if out else None

        s3 = self.virga.client("s3")
        s3.create_bucket(Bucket="inner")
        [table] = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.v]}])["RouteTables"]
        e = self.ec2.create_vpc_endpoint(VpcId=self.v, ServiceName="com.amazonaws.us-east-1.s3",
                                         RouteTableIds=[table["RouteTableId"]])["VpcEndpoint"]["VpcEndpointId"]
        self.addCleanup(self.ec2.delete_vpc_endpoints, VpcEndpointIds=[e])

        def only_if(key, value):
            s3.delete_bucket_policy(Bucket="inner")
            s3.put_bucket_policy(Bucket="inner", Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
                "Effect": "Deny", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::inner",
                "Condition": {"StringNotEquals": {key: value}}}]}))

        self.assertTrue(wait_until(lambda: called("s3.list_objects_v2", Bucket="inner") == "OK", limit=60), self.virga.read_log()[-2000:])
        for key, right in (("aws:SourceVpce", e), ("aws:SourceVpc", self.v), ("aws:VpcSourceIp", self.a["ip"])):
            only_if(key, right)
            self.assertEqual(called("s3.list_objects_v2", Bucket="inner"), "OK", key)
            with self.assertRaises(ClientError):
                s3.list_objects_v2(Bucket="inner")
            only_if(key, "other")
            self.assertEqual(called("s3.list_objects_v2", Bucket="inner"), "AccessDenied", key)
        s3.delete_bucket_policy(Bucket="inner")
        self.ec2.modify_vpc_endpoint(VpcEndpointId=e, PolicyDocument=json.dumps({"Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::other"}]}))
        self.assertEqual(called("s3.list_objects_v2", Bucket="inner"), "AccessDenied")

    def test_endpoint_service(self):
        """A service of another VPC, which even has the same addresses, through its network load balancer."""
        ec2, elb = self.ec2, self.virga.client("elbv2")
        v = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=v, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
        near = ec2.create_security_group(GroupName="near", Description="near", VpcId=v)["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=near, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="10.0.0.0/16")
        t = ec2.create_vpc_endpoint(VpcId=v, VpcEndpointType="Interface", ServiceName="com.amazonaws.us-east-1.sqs", SubnetIds=[subnet],
                                    SecurityGroupIds=[near], PrivateDnsEnabled=False)["VpcEndpoint"]["NetworkInterfaceIds"]
        target = ec2.describe_network_interfaces(NetworkInterfaceIds=t)["NetworkInterfaces"][0]["PrivateIpAddress"]
        lb = elb.create_load_balancer(Name="offered", Type="network", Scheme="internal", Subnets=[subnet])["LoadBalancers"][0]["LoadBalancerArn"]
        group = elb.create_target_group(Name="offered", Protocol="TCP", Port=80, VpcId=v, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": target}])
        elb.create_listener(LoadBalancerArn=lb, Protocol="TCP", Port=8080, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])

        service = ec2.create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=[lb])["ServiceConfiguration"]
        self.assertEqual((service["AcceptanceRequired"], service["AvailabilityZones"]), (True, ["us-east-1a"]))
        abroad = self.virga.client("ec2", key="111122223333")
        names = lambda c: c.describe_vpc_endpoint_services(Filters=[{"Name": "owner", "Values": ["000000000000"]}])["ServiceNames"]
        self.assertEqual((names(ec2), names(abroad)), ([service["ServiceName"]], []))
        ec2.modify_vpc_endpoint_service_permissions(ServiceId=service["ServiceId"],
                                                    AddAllowedPrincipals=["arn:aws:iam::111122223333:root"])
        [allowed] = ec2.describe_vpc_endpoint_service_permissions(ServiceId=service["ServiceId"])["AllowedPrincipals"]
        self.assertEqual((allowed["PrincipalType"], names(abroad)), ("Account", [service["ServiceName"]]))

        linked = ec2.create_security_group(GroupName="linked", Description="linked", VpcId=self.v)["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=linked, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [{"GroupId": self.open}]}])
        new = {"VpcId": self.v, "VpcEndpointType": "Interface", "ServiceName": service["ServiceName"], "SecurityGroupIds": [linked]}
        with self.assertRaises(ClientError) as refused:
            ec2.create_vpc_endpoint(SubnetIds=[self.subnets[1]], **new)
        self.assertIn("does not support the availability zone", str(refused.exception))
        made = ec2.create_vpc_endpoint(SubnetIds=[self.subnets[0]], **new)["VpcEndpoint"]
        self.assertEqual(made["State"], "pendingAcceptance")
        e = {"eni": made["NetworkInterfaceIds"][0]}
        e["ip"] = ec2.describe_network_interfaces(NetworkInterfaceIds=[e["eni"]])["NetworkInterfaces"][0]["PrivateIpAddress"]

        def state():
            [there] = ec2.describe_vpc_endpoint_connections(Filters=[{"Name": "service-id", "Values": [service["ServiceId"]]}])["VpcEndpointConnections"]
            [here] = ec2.describe_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])["VpcEndpoints"]
            self.assertEqual(there["VpcEndpointState"], here["State"])
            return here["State"]

        def reaches():
            return "HTTP/1" in (self.inside(self.a["eni"], CONNECT, e["ip"], "8080") or "")

        ids = {"ServiceId": service["ServiceId"], "VpcEndpointIds": [made["VpcEndpointId"]]}
        self.assertEqual((state(), reaches()), ("pendingAcceptance", False))
        self.assertEqual(ec2.accept_vpc_endpoint_connections(**ids)["Unsuccessful"], [])
        self.assertEqual(state(), "available")
        if not wait_until(reaches, limit=20 if os.path.exists("/usr/sbin/haproxy") else 0.1):
            # No balancer's node runs here: something else that listens in its place.
            [node] = ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["ELB net/offered/*"]}])["NetworkInterfaces"]
            self.assertTrue(wait_until(lambda: self.inside(node["NetworkInterfaceId"], "pass") is not None), self.virga.read_log()[-2000:])
            names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.split()
            [space] = [n for n in names if n.endswith(node["NetworkInterfaceId"])]
            server = subprocess.Popen(["ip", "netns", "exec", space, sys.executable, "-m", "http.server", "8080"],
                                      cwd=self.virga.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(server.wait)
            self.addCleanup(server.kill)
        self.assertTrue(wait_until(reaches, limit=60), self.virga.read_log()[-3000:])
        name = made["DnsEntries"][0]["DnsName"]
        self.assertEqual((self.inside(self.a["eni"], ASK, name, "1", "10.0.0.2") or "").splitlines(), ["code 0", e["ip"]])
        [kept] = ec2.delete_vpc_endpoint_service_configurations(ServiceIds=[service["ServiceId"]])["Unsuccessful"]
        self.assertEqual(kept["Error"]["Code"], "ExistingVpcEndpointConnections")
        ec2.reject_vpc_endpoint_connections(**ids)
        self.assertEqual(state(), "rejected")
        self.assertTrue(wait_until(lambda: not reaches()))
        self.assertEqual([u["Error"]["Code"] for u in ec2.accept_vpc_endpoint_connections(**ids)["Unsuccessful"]], ["InvalidState"])
        self.assertEqual(ec2.delete_vpc_endpoint_service_configurations(ServiceIds=[service["ServiceId"]])["Unsuccessful"], [])
        ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])

    def test_survives_a_crash(self):
        self.virga.restart()
        self.assertTrue(wait_until(lambda: self.reaches(self.a, self.b)), self.virga.read_log()[-2000:])


if __name__ == "__main__":
    unittest.main()
