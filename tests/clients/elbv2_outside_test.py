"""Network Load Balancers whose targets see their clients: clients from the internet, through a peering, from the user's machine; what is
counted. Real packets between namespaces; needs root."""
import socket
import unittest

from elbv2flow import Flows

NEEDS_BOTO3 = (1, 40)


class Outside(Flows):
    def test_both(self):
        """TCP_UDP, through a peering, from the internet, from a target itself; and from the user's machine."""
        a, b, client = self.places
        self.echo(a, 8013, "one")
        lb, ip, tg = self.network("TCP_UDP", 8102, 8013, [a], internal=False)
        kw = self.rule("udp", "0.0.0.0/0")
        outside = self.talker(self.internet())
        for protocol in ("udp", "tcp"):
            self.answers(outside, protocol, ip, 8102, lambda r: isinstance(r, dict) and r["peer"] == "198.51.100.1")
        # What was counted: of flows that began, packets, bytes; and a target's reset.
        def count():
            outside.ask("udp", ip, 8102)
            n = outside.open("tcp", ip, 8102)
            outside.say(n, "bye")
            names = ("NewFlowCount", "NewFlowCount_UDP", "NewFlowCount_TCP", "ProcessedPackets", "ProcessedBytes_UDP", "ProcessedBytes_TCP",
                     "ActiveFlowCount_UDP", "TCP_Target_Reset_Count", "ConsumedLCUs")
            return [n for n in names if not self.total(lb, n)]

        self.until(lambda: not count(), count)
        # The user's machine, by the edge and the balancer's name.
        port = int(self.virga.endpoint.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
            s.sendall(f"GET / HTTP/1.1\r\nHost: {lb['DNSName']}\r\n\r\n".encode())
            self.assertIn(b'"said": "GET / HTTP/1.1"', s.recv(500))
        node = self.ec2.describe_network_interfaces(Filters=[{"Name": "association.public-ip", "Values": [ip]}])["NetworkInterfaces"][0]
        inner = node["PrivateIpAddress"]
        # Its own client: "hairpinning or loopback" does not work with the client's address preserved.
        own = self.talker(self.space(a["eni"]), limit=1)
        self.assertEqual(own.ask("tcp", inner, 8102), "error TimeoutError")
        self.assertEqual(self.talker().ask("tcp", inner, 8102)["peer"], client["ip"])
        other = self.ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=other, CidrBlock="10.77.1.0/24")["Subnet"]["SubnetId"]
        peering = self.ec2.create_vpc_peering_connection(VpcId=other, PeerVpcId=self.vpc)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        self.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
        for vpc, to in ((other, "10.20.0.0/16"), (self.vpc, "10.77.0.0/16")):
            table = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
            self.ec2.create_route(RouteTableId=table, DestinationCidrBlock=to, VpcPeeringConnectionId=peering)
        e = self.ec2.create_vpc_endpoint(VpcId=other, VpcEndpointType="Interface", ServiceName="com.amazonaws.us-east-1.sqs",
                                         SubnetIds=[subnet], PrivateDnsEnabled=False)["VpcEndpoint"]
        [n] = self.ec2.describe_network_interfaces(NetworkInterfaceIds=e["NetworkInterfaceIds"])["NetworkInterfaces"]
        self.until(lambda: self.space(n["NetworkInterfaceId"]))
        far = self.talker(self.space(n["NetworkInterfaceId"]))
        for protocol in ("udp", "tcp"):
            self.answers(far, protocol, inner, 8102, lambda r: isinstance(r, dict) and r["peer"] == n["PrivateIpAddress"])
        self.ec2.revoke_security_group_ingress(**kw)


if __name__ == "__main__":
    unittest.main()
