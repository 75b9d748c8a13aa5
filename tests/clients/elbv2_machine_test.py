"""Network Load Balancers before EC2 instances: who their machines see, what their groups and flow logs say of it, and the same by AWS
PrivateLink. Real packets; needs root."""
import gzip
import subprocess
import unittest

from elbv2flow import Flows
from virga import BINARY

NEEDS_BOTO3 = (1, 40)


class Machines(Flows):
    def machine(self, group):
        """(instance, interface, address); it answers at port 8016."""
        image = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
        i = self.ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1, SubnetId=self.subnets[0],
                                   SecurityGroupIds=[group])["Instances"][0]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[i["InstanceId"]])
        self.until(lambda: self.space(i["InstanceId"]))
        self.echo({"eni": i["InstanceId"]}, 8016, "machine")
        return i["InstanceId"], i["NetworkInterfaces"][0]["NetworkInterfaceId"], i["PrivateIpAddress"]

    def flows(self):
        """The lines of the flow log, as far as the clock has come."""
        subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "2m"], check=True, capture_output=True)
        told = set()
        for o in self.s3.list_objects_v2(Bucket="flows").get("Contents", []):
            told |= set(gzip.decompress(self.s3.get_object(Bucket="flows", Key=o["Key"])["Body"].read()).decode().splitlines())
        return told

    def consumer(self, lb):
        """Another VPC with the same addresses: (the endpoint's address, a client there)."""
        ec2 = self.ec2
        service = ec2.create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=[lb["LoadBalancerArn"]],
                                                                AcceptanceRequired=False)["ServiceConfiguration"]
        self.addCleanup(ec2.delete_vpc_endpoint_service_configurations, ServiceIds=[service["ServiceId"]])
        vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.0.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
        sg = ec2.create_security_group(VpcId=vpc, GroupName="linked", Description="x")["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=sg, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 8106, "ToPort": 8106, "IpRanges": [{"CidrIp": "10.20.0.0/16"}]}])
        found = []
        for name in (service["ServiceName"], "com.amazonaws.us-east-1.sqs"):
            e = ec2.create_vpc_endpoint(VpcId=vpc, VpcEndpointType="Interface", ServiceName=name, SubnetIds=[subnet], SecurityGroupIds=[sg],
                                        PrivateDnsEnabled=False)["VpcEndpoint"]
            self.addCleanup(ec2.delete_vpc_endpoints, VpcEndpointIds=[e["VpcEndpointId"]])
            [n] = ec2.describe_network_interfaces(NetworkInterfaceIds=e["NetworkInterfaceIds"])["NetworkInterfaces"]
            found.append(n)
        self.until(lambda: self.space(found[1]["NetworkInterfaceId"]))
        return found[0]["PrivateIpAddress"], self.talker(self.space(found[1]["NetworkInterfaceId"]))

    def test_instance(self):
        a, b, client = self.places
        group = self.ec2.create_security_group(VpcId=self.vpc, GroupName=self.name("machine"), Description="x")["GroupId"]
        for protocol in ("tcp", "udp"):
            self.rule(protocol, client["ip"] + "/32", sg=group)
        i, eni, address = self.machine(group)
        self.s3 = self.virga.client("s3")
        self.s3.create_bucket(Bucket="flows")
        self.ec2.create_flow_logs(ResourceIds=[eni], ResourceType="NetworkInterface", TrafficType="ALL", LogDestinationType="s3",
                                  LogDestination="arn:aws:s3:::flows", MaxAggregationInterval=60,
                                  LogFormat="${interface-id} ${srcaddr} ${dstaddr} ${dstport} ${protocol} ${action}")
        lb, ips = self.inside(Type="network")
        for ip in ips:  # its checks
            self.rule("tcp", ip + "/32", sg=group)
        tg = self.elb.create_target_group(
            Name=self.name("tg"), Protocol="TCP_UDP", Port=8016, VpcId=self.vpc, TargetType="instance", HealthCheckProtocol="TCP",
            HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2, UnhealthyThresholdCount=2)[
                "TargetGroups"][0]["TargetGroupArn"]
        self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": i}])
        self.listener(lb, [{"Type": "forward", "TargetGroupArn": tg}], Protocol="TCP_UDP", Port=8106)
        self.healthy(tg, 1)
        # The machine sees its client; and its group decides by that.
        t, other = self.talker(), self.talker(self.space(b["eni"]), limit=1)
        for protocol in ("tcp", "udp"):
            self.answers(t, protocol, ips[0], 8106, lambda r: isinstance(r, dict) and (r["name"], r["peer"]) == ("machine", client["ip"]))
            self.assertEqual(other.ask(protocol, ips[0], 8106), "error TimeoutError")
        want = {f"{eni} {who} {address} 8016 {number} {action}" for number in (6, 17)
                for who, action in ((client["ip"], "ACCEPT"), (b["ip"], "REJECT"))}

        def missing():
            for protocol in ("tcp", "udp"):
                t.ask(protocol, ips[0], 8106), other.ask(protocol, ips[0], 8106)
            return want - self.flows()

        self.until(lambda: not missing(), missing, self.flows)
        # By AWS PrivateLink it sees a node.
        endpoint, far = self.consumer(lb)
        self.answers(far, "tcp", endpoint, 8106, lambda r: isinstance(r, dict) and r["peer"] in ips)
        # A machine that ends is deregistered by that.
        self.ec2.terminate_instances(InstanceIds=[i])
        self.until(lambda: not self.health(tg))


if __name__ == "__main__":
    unittest.main()
