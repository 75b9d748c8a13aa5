"""IPv6 between real machines: addresses, security groups, ACLs, the internet gateway, an egress-only gateway, and the
metadata service."""
import os
import subprocess
import sys
import unittest

from ec2_instance_test import Case
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)
ZONE = "us-east-1a"
OUTSIDE = "2001:db8::1"
SERVER = ("import http.server, socket\n"
          "class S(http.server.HTTPServer):\n"
          "    address_family = socket.AF_INET6\n"
          "class H(http.server.BaseHTTPRequestHandler):\n"
          "    def do_GET(self):\n"
          "        self.send_response(200)\n"
          "        self.end_headers()\n"
          "        self.wfile.write(self.client_address[0].encode())\n"
          "S(('::', 8080), H).serve_forever()\n")


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Six(Case):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2 = cls.virga.client("ec2")
        cls.image = cls.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]

    def until(self, what, limit=120):
        return super().until(what, limit)

    def ssh(self, i, command):
        run = subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, i, "--", "sh", "-c", command],
                             capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return run.returncode, run.stdout, run.stderr

    def get(self, i, url, seconds=1):
        code, out, _ = self.ssh(i, f"curl -g -s -m {seconds} '{url}'")
        return out if code == 0 else None

    def launch(self, subnet, group, **kw):
        i = self.run_one(state=None, SubnetId=subnet, SecurityGroupIds=[group],
                         UserData=f"#!/bin/sh\npython3 -c \"{SERVER}\" >/dev/null 2>&1 &\n", **kw)
        self.wait(i, "running")
        if "StateReason" in self.describe(i):
            self.skipTest(self.describe(i)["StateReason"]["Message"])
        return i, self.describe(i)["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"]

    def test_dual_stack(self):
        ec2 = self.ec2
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
        v, block = vpc["VpcId"], vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        subnets = [ec2.create_subnet(VpcId=v, CidrBlock=f"10.0.{n}.0/24", Ipv6CidrBlock=block.replace("00::/56", f"0{n}::/64"),
                                     AvailabilityZone=ZONE)["Subnet"]["SubnetId"] for n in (1, 2)]
        ec2.modify_subnet_attribute(SubnetId=subnets[1], AssignIpv6AddressOnCreation={"Value": True})
        g = ec2.create_security_group(GroupName="six", Description="d", VpcId=v)["GroupId"]
        i, a = self.launch(subnets[0], g, Ipv6AddressCount=1, MetadataOptions={"HttpProtocolIpv6": "enabled"})
        j, b = self.launch(subnets[1], g)
        self.assertIn(a, self.ssh(i, "ip -6 addr show dev eth0")[1])

        # Nothing without a rule; a rule for IPv4 is none for IPv6.
        self.until(lambda: self.get(j, f"http://[{b}]:8080/") == b)
        ec2.authorize_security_group_ingress(GroupId=g, IpProtocol="tcp", FromPort=8080, ToPort=8080, CidrIp="0.0.0.0/0")
        ten = self.describe(j)["PrivateIpAddress"]
        self.until(lambda: self.get(i, f"http://{ten}:8080/") is not None)
        self.assertIsNone(self.get(i, f"http://[{b}]:8080/"))
        ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "Ipv6Ranges": [{"CidrIpv6": f"{a}/128"}]}])
        self.until(lambda: self.get(i, f"http://[{b}]:8080/") == a)
        # The sender's gate: a group of such a VPC lets all IPv6 out from the start.
        out = [{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]
        ec2.revoke_security_group_egress(GroupId=g, IpPermissions=out)
        self.until(lambda: self.get(i, f"http://[{b}]:8080/") is None)
        self.assertIsNotNone(self.get(i, f"http://{ten}:8080/"))
        ec2.authorize_security_group_egress(GroupId=g, IpPermissions=out)
        self.until(lambda: self.get(i, f"http://[{b}]:8080/") == a)
        self.assertIsNone(self.get(j, f"http://[{a}]:8080/"))

        # The ACL of the second subnet.
        acl = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [v]}])["NetworkAcls"][0]["NetworkAclId"]
        ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=50, Protocol="6", RuleAction="deny", Egress=False,
                                     Ipv6CidrBlock=f"{a}/128", PortRange={"From": 8080, "To": 8080})
        self.until(lambda: self.get(i, f"http://[{b}]:8080/") is None)
        self.assertIsNotNone(self.get(i, f"http://{ten}:8080/"))
        ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=50, Egress=False)
        self.until(lambda: self.get(i, f"http://[{b}]:8080/") == a)

        # Metadata, by who enabled it.
        token = "curl -g -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://[fd00:ec2::254]/latest/api/token"
        ask = f'curl -g -s -H "X-aws-ec2-metadata-token: $({token})" http://[fd00:ec2::254]/latest/meta-data/instance-id'
        self.until(lambda: self.ssh(i, ask)[1] == i)
        self.assertEqual(self.ssh(j, f"{token} -o /dev/null -w '%{{http_code}}'")[1], "403")
        ec2.modify_instance_metadata_options(InstanceId=j, HttpProtocolIpv6="enabled")
        self.assertEqual(self.ssh(j, ask)[1], j)

        # Outside: the first subnet by an internet gateway, both ways; the second one outward only.
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=v)
        outward = ec2.create_egress_only_internet_gateway(VpcId=v)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        for subnet, target in ((subnets[0], {"GatewayId": gateway}), (subnets[1], {"EgressOnlyInternetGatewayId": outward})):
            t = ec2.create_route_table(VpcId=v)["RouteTable"]["RouteTableId"]
            ec2.create_route(RouteTableId=t, DestinationIpv6CidrBlock="::/0", **target)
            ec2.associate_route_table(RouteTableId=t, SubnetId=subnet)
        ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "Ipv6Ranges": [{"CidrIpv6": f"{OUTSIDE}/128"}]}])
        prefix = next(n for n in os.listdir("/run/netns") if n.endswith(v))[:-len(v)]
        space = ["ip", "netns", "exec", f"{prefix}internet"]
        server = subprocess.Popen([*space, sys.executable, "-c", SERVER], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.until(lambda: self.get(i, f"http://[{OUTSIDE}]:8080/") == a)
        self.until(lambda: self.get(j, f"http://[{OUTSIDE}]:8080/") == b)

        def enters(address):
            run = subprocess.run([*space, "curl", "-g", "-s", "-m", "1", f"http://[{address}]:8080/"], capture_output=True, text=True)
            return run.returncode == 0

        self.until(lambda: enters(a))
        self.assertFalse(enters(b))
        ec2.terminate_instances(InstanceIds=[i, j])


if __name__ == "__main__":
    unittest.main()
