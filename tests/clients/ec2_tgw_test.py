"""Transit gateways by real packets: machines of two regions talk over a peering as the gateways' route tables say."""
import os
import subprocess
import unittest

from ec2_instance_test import Case
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)
REGIONS = ("us-east-1", "eu-west-1")


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Peering(Case):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.clients = [cls.virga.client("ec2", region=r) for r in REGIONS]

    def ssh(self, i, command):
        return subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, i, "--", "sh", "-c", command], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL)

    def pings(self, end):
        return self.ssh(end[0]["instance"], f"curl -s -o /dev/null -m 1 http://{end[1]['ip']}:80/").returncode == 0

    def side(self, n):
        ec2, block = self.clients[n], f"10.{n + 1}.0.0/16"
        v = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
        s = ec2.create_subnet(VpcId=v, CidrBlock=f"10.{n + 1}.1.0/24")["Subnet"]["SubnetId"]
        g = ec2.create_security_group(GroupName="g", Description="d", VpcId=v)["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=g, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0")
        image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
        i = ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1, SubnetId=s, SecurityGroupIds=[g],
                              UserData="#!/bin/sh\npython3 -m http.server 80 >/dev/null 2>&1 &\n")["Instances"][0]
        gateway = ec2.create_transit_gateway()["TransitGateway"]
        t = gateway["TransitGatewayId"]
        ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=t, VpcId=v, SubnetIds=[s])
        table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [v]}])["RouteTables"][0]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/8", TransitGatewayId=t)
        return {"ec2": ec2, "block": block, "tgw": t, "table": gateway["Options"]["AssociationDefaultRouteTableId"],
                "instance": i["InstanceId"], "ip": i["PrivateIpAddress"], "region": REGIONS[n]}

    def test_peering(self):
        a, b = self.side(0), self.side(1)
        for x in (a, b):
            self.until(lambda x=x: x["ec2"].describe_instances(InstanceIds=[x["instance"]])["Reservations"][0]["Instances"][0]["State"]["Name"] == "running", 120)
        if "StateReason" in a["ec2"].describe_instances(InstanceIds=[a["instance"]])["Reservations"][0]["Instances"][0]:
            self.skipTest("machines are simulated")
        self.until(lambda: self.ssh(b["instance"], f"curl -s -o /dev/null -m 1 http://{b['ip']}/").returncode == 0, 120)
        ask = {"TransitGatewayId": a["tgw"], "PeerTransitGatewayId": b["tgw"], "PeerAccountId": "000000000000", "PeerRegion": b["region"]}
        self.refused("InvalidTransitGatewayID.NotFound", a["ec2"].create_transit_gateway_peering_attachment, **{**ask, "PeerRegion": "us-west-2"})
        p = a["ec2"].create_transit_gateway_peering_attachment(**ask)["TransitGatewayPeeringAttachment"]["TransitGatewayAttachmentId"]

        def state(x):
            [told] = x["ec2"].describe_transit_gateway_peering_attachments(TransitGatewayAttachmentIds=[p])["TransitGatewayPeeringAttachments"]
            self.assertEqual((told["RequesterTgwInfo"]["Region"], told["AccepterTgwInfo"]["TransitGatewayId"]), (a["region"], b["tgw"]))
            return told["State"]

        self.assertEqual((state(a), state(b)), ("pendingAcceptance", "pendingAcceptance"))
        route = {"TransitGatewayRouteTableId": a["table"], "DestinationCidrBlock": b["block"], "TransitGatewayAttachmentId": p}
        self.refused("IncorrectState", a["ec2"].create_transit_gateway_route, **route)
        # Who has asked cannot accept.
        self.refused("IncorrectState", a["ec2"].accept_transit_gateway_peering_attachment, TransitGatewayAttachmentId=p)
        b["ec2"].accept_transit_gateway_peering_attachment(TransitGatewayAttachmentId=p)
        self.assertEqual((state(a), state(b)), ("available", "available"))
        self.refused("UnsupportedOperation", a["ec2"].enable_transit_gateway_route_table_propagation,
                     TransitGatewayRouteTableId=a["table"], TransitGatewayAttachmentId=p)
        # Routes there and back, and on each side a table for what comes by the peering: only then it passes.
        a["ec2"].create_transit_gateway_route(**route)
        b["ec2"].create_transit_gateway_route(TransitGatewayRouteTableId=b["table"], DestinationCidrBlock=a["block"], TransitGatewayAttachmentId=p)
        self.assertFalse(self.pings((a, b)))
        for x in (a, b):
            x["ec2"].associate_transit_gateway_route_table(TransitGatewayRouteTableId=x["table"], TransitGatewayAttachmentId=p)
        self.until(lambda: self.pings((a, b)), 60)
        self.until(lambda: self.pings((b, a)), 60)
        # A blackhole of the longer prefix.
        hole = {"TransitGatewayRouteTableId": a["table"], "DestinationCidrBlock": f"{b['ip']}/32"}
        a["ec2"].create_transit_gateway_route(Blackhole=True, **hole)
        self.until(lambda: not self.pings((a, b)), 60)
        a["ec2"].delete_transit_gateway_route(**hole)
        self.until(lambda: self.pings((a, b)), 60)
        found = a["ec2"].search_transit_gateway_routes(TransitGatewayRouteTableId=a["table"], Filters=[{"Name": "type", "Values": ["static"]}])
        self.assertEqual(found["Routes"][0]["TransitGatewayAttachments"][0]["ResourceType"], "peering")
        self.assertEqual(len(a["ec2"].describe_transit_gateway_vpc_attachments()["TransitGatewayVpcAttachments"]), 1)
        # It goes on both sides, and the packets with it.
        b["ec2"].delete_transit_gateway_peering_attachment(TransitGatewayAttachmentId=p)
        self.refused("InvalidTransitGatewayAttachmentID.NotFound", a["ec2"].describe_transit_gateway_peering_attachments,
                     TransitGatewayAttachmentIds=[p])
        self.until(lambda: not self.pings((a, b)), 60)
        # One that is refused.
        p = a["ec2"].create_transit_gateway_peering_attachment(**ask)["TransitGatewayPeeringAttachment"]["TransitGatewayAttachmentId"]
        b["ec2"].reject_transit_gateway_peering_attachment(TransitGatewayAttachmentId=p)
        self.assertEqual((state(a), state(b)), ("rejected", "rejected"))
        for x in (a, b):
            x["ec2"].terminate_instances(InstanceIds=[x["instance"]])


if __name__ == "__main__":
    unittest.main()
