"""Network Load Balancers whose targets see their clients: UDP, groups, TLS and the proxy protocol. Real packets between namespaces; needs root."""
import subprocess
import unittest

from elbv2flow import Flows

NEEDS_BOTO3 = (1, 40)


class Datagrams(Flows):
    def test_udp(self):
        a, b, client = self.places
        self.echo(a, 8011, "one"), self.echo(b, 8011, "two")
        _, ip, tg = self.network("UDP", 8100, 8011, [a, b])
        t = self.talker()
        self.assertEqual({x["Key"]: x["Value"] for x in self.elb.describe_target_group_attributes(TargetGroupArn=tg)["Attributes"]}
                         ["preserve_client_ip.enabled"], "true")
        # Only the client's own address is let in: it is what the target's group sees.
        self.assertIn("error", t.ask("udp", ip, 8100))
        kw = self.rule("udp", client["ip"] + "/32")
        self.answers(t, "udp", ip, 8100, lambda r: isinstance(r, dict) and r["peer"] == client["ip"])
        # A flow stays where it is; others go elsewhere.
        n = t.open("udp", ip, 8100)
        self.assertEqual(len({t.say(n, f"m{i}")["name"] for i in range(20)}), 1)
        self.until(lambda: {t.ask("udp", ip, 8100)["name"] for _ in range(20)} == {"one", "two"})
        # By the source alone.
        self.set(tg, {"stickiness.enabled": "true"})
        self.until(lambda: len({t.ask("udp", ip, 8100)["name"] for _ in range(20)}) == 1)
        # The target's subnet sees the client's address too.
        acl = self.ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]
        for egress in (False, True):
            self.ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Protocol="-1", RuleAction="allow", Egress=egress,
                                              CidrBlock="0.0.0.0/0")
        [old] = self.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [self.subnets[1]]}])["NetworkAcls"]
        [association] = [x["NetworkAclAssociationId"] for x in old["Associations"] if x["SubnetId"] == self.subnets[1]]
        now = self.ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)["NewAssociationId"]
        self.elb.deregister_targets(TargetGroupArn=tg, Targets=[{"Id": a["ip"]}])
        self.answers(t, "udp", ip, 8100, lambda r: isinstance(r, dict) and r["name"] == "two")
        self.ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=50, Protocol="-1", RuleAction="deny", Egress=False,
                                          CidrBlock=client["ip"] + "/32")
        self.answers(t, "udp", ip, 8100, lambda r: r == "error TimeoutError")
        self.ec2.replace_network_acl_association(AssociationId=now, NetworkAclId=old["NetworkAclId"])
        self.answers(t, "udp", ip, 8100, lambda r: isinstance(r, dict))
        self.ec2.revoke_security_group_ingress(**kw)

    def test_groups(self):
        """A target's group that names the balancer's; the balancer's own group sees the client."""
        a, _, client = self.places
        self.echo(a, 8014, "one")
        own = self.ec2.create_security_group(VpcId=self.vpc, GroupName=self.name("own"), Description="x")["GroupId"]
        at = self.ec2.create_security_group(VpcId=self.vpc, GroupName=self.name("at"), Description="x")["GroupId"]
        self.rule("tcp", own, sg=at), self.rule("udp", own, sg=at)
        self.regroup(a, self.inner, at)
        self.addCleanup(self.regroup, a, at, self.inner)
        _, ip, _ = self.network("TCP_UDP", 8103, 8014, [a], SecurityGroups=[own])
        t = self.talker(limit=1)
        self.assertEqual(t.ask("udp", ip, 8103), "error TimeoutError")
        self.rule("udp", client["ip"] + "/32", 8103, sg=own)
        self.answers(t, "udp", ip, 8103, lambda r: isinstance(r, dict) and r["peer"] == client["ip"])
        self.assertEqual(t.ask("tcp", ip, 8103), "error TimeoutError")
        self.assertEqual(t.ask("udp", a["ip"], 8014), "error TimeoutError")

    def test_tls(self):
        """A TLS listener ends TLS, and its target still sees the client; so does one behind the proxy protocol."""
        a, _, client = self.places
        self.echo(a, 8015, "one")
        arn = self.acm.request_certificate(DomainName="flows.example.com", ValidationMethod="DNS")["CertificateArn"]
        self.until(lambda: self.acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "ISSUED")
        _, ip, tg = self.network("TCP", 8104, 8015, [a], attributes={"preserve_client_ip.enabled": "true"},
                                 also=("TLS", 8105, {"Certificates": [{"CertificateArn": arn}]}))
        ask = ["ip", "netns", "exec", self.space(client["eni"]), "sh", "-c",
               f"(echo hello; sleep 2) | timeout 3 openssl s_client -quiet -connect {ip}:8105 2>/dev/null"]
        self.until(lambda: f'"peer": "{client["ip"]}"' in subprocess.run(ask, capture_output=True, text=True).stdout)
        self.set(tg, {"proxy_protocol_v2.enabled": "true"})
        raw = ["ip", "netns", "exec", self.space(client["eni"]), "python3", "-c",
               "import socket, sys\ns = socket.create_connection((sys.argv[1], 8104), 5)\ns.sendall(b'x\\n')\ns.settimeout(1)\n"
               "try:\n    while True: print(s.recv(500).decode())\nexcept TimeoutError: pass", ip]
        self.until(lambda: '"said": "QUIT"' in subprocess.run(raw, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    unittest.main()
