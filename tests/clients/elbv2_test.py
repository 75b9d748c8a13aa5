"""Elastic Load Balancing v2: balancers, listeners, rules, target groups and what is refused. What balances is in elbv2_node_test.py."""
import re
import unittest

from virga import Refusals, Virga, wait_until

NEEDS_BOTO3 = (1, 40)


class Case(Refusals, unittest.TestCase):
    """A VPC with two public subnets in two zones, and names that are used once."""

    args = ()

    @classmethod
    def setUpClass(cls):
        cls.virga = Virga(*cls.args).start()
        cls.addClassCleanup(cls.virga.close)
        cls.elb, cls.ec2, cls.acm = (cls.virga.client(x) for x in ("elbv2", "ec2", "acm"))
        cls.count = 0
        cls.vpc = cls.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        gateway = cls.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        cls.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=cls.vpc)
        table = cls.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [cls.vpc]}])["RouteTables"][0]["RouteTableId"]
        cls.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        cls.subnets = [
            cls.ec2.create_subnet(VpcId=cls.vpc, CidrBlock=f"10.20.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
            for i, z in enumerate("ab")]
        cls.sg = cls.group([(80, 80), (443, 443), (8000, 8999)])

    @classmethod
    def group(cls, ports):
        cls.count += 1
        sg = cls.ec2.create_security_group(VpcId=cls.vpc, GroupName=f"g{cls.count}", Description="x")["GroupId"]
        cls.ec2.authorize_security_group_ingress(GroupId=sg, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": a, "ToPort": b, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]} for a, b in ports])
        return sg

    def name(self, what="n"):
        type(self).count += 1
        return f"{what}{self.count}"

    def balancer(self, clean=True, **kw):
        kw = {"Name": self.name("lb"), "Subnets": self.subnets, **kw}
        if kw.get("Type") != "network":
            kw.setdefault("SecurityGroups", [self.sg])
        b = self.elb.create_load_balancer(**kw)["LoadBalancers"][0]
        if clean:
            self.addCleanup(self.elb.delete_load_balancer, LoadBalancerArn=b["LoadBalancerArn"])
        self.assertTrue(wait_until(lambda: self.describe(b["LoadBalancerArn"])["State"]["Code"] == "active"))
        return b

    def describe(self, arn):
        return self.elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]

    def targets(self, **kw):
        kw = {"Name": self.name("tg"), "Protocol": "HTTP", "Port": 80, "VpcId": self.vpc, "TargetType": "ip", **kw}
        return self.elb.create_target_group(**kw)["TargetGroups"][0]["TargetGroupArn"]

    def listener(self, b, actions=None, **kw):
        actions = actions or [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "MessageBody": "none"}}]
        kw = {"LoadBalancerArn": b["LoadBalancerArn"], "Protocol": "HTTP", "Port": 80, "DefaultActions": actions, **kw}
        return self.elb.create_listener(**kw)["Listeners"][0]["ListenerArn"]


class Control(Case):
    args = ("--simulated",)

    def test_balancer(self):
        name = self.name("lb")
        make = {"Name": name, "Subnets": self.subnets, "SecurityGroups": [self.sg], "Tags": [{"Key": "team", "Value": "web"}]}
        b = self.elb.create_load_balancer(**make)["LoadBalancers"][0]
        arn = b["LoadBalancerArn"]
        self.assertRegex(arn, rf"^arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/{name}/[0-9a-f]{{16}}$")
        self.assertEqual(b["State"]["Code"], "provisioning")
        self.assertRegex(b["DNSName"], rf"^{name}-\d+\.us-east-1\.elb\.localhost$")
        self.assertEqual(self.elb.create_load_balancer(**make)["LoadBalancers"][0]["LoadBalancerArn"], arn)
        self.refused("DuplicateLoadBalancerName", self.elb.create_load_balancer, **{**make, "Scheme": "internal"})
        self.elb.get_waiter("load_balancer_available").wait(Names=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
        enis = self.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": [f"ELB {arn.split('loadbalancer/')[1]}"]}])
        self.assertEqual({(e["SubnetId"], e["RequesterId"], e["Groups"][0]["GroupId"]) for e in enis["NetworkInterfaces"]},
                         {(s, "amazon-elb", self.sg) for s in self.subnets})
        self.assertTrue(all(e["Association"]["PublicIp"] for e in enis["NetworkInterfaces"]))
        self.refused("InvalidParameterValue", self.ec2.delete_network_interface,
                     NetworkInterfaceId=enis["NetworkInterfaces"][0]["NetworkInterfaceId"])
        other = self.group([(80, 80)])
        self.elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[other])
        self.assertEqual(self.describe(arn)["SecurityGroups"], [other])
        third = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.20.9.0/24", AvailabilityZone="us-east-1c")["Subnet"]["SubnetId"]
        zones = self.elb.set_subnets(LoadBalancerArn=arn, Subnets=[self.subnets[0], third])["AvailabilityZones"]
        self.assertEqual([z["ZoneName"] for z in zones], ["us-east-1a", "us-east-1c"])
        self.assertIn("IPv6", self.refused(
            "InvalidSubnet", self.elb.set_ip_address_type, LoadBalancerArn=arn, IpAddressType="dualstack"))
        self.assertEqual(self.elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="ipv4")["IpAddressType"], "ipv4")
        self.elb.modify_load_balancer_attributes(
            LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}])
        self.refused("OperationNotPermitted", self.elb.delete_load_balancer, LoadBalancerArn=arn)
        self.elb.modify_load_balancer_attributes(
            LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"},
                                             {"Key": "idle_timeout.timeout_seconds", "Value": "30"}])
        attributes = {x["Key"]: x["Value"] for x in self.elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]}
        self.assertEqual((attributes["idle_timeout.timeout_seconds"], attributes["routing.http2.enabled"]), ("30", "true"))
        self.refused("ValidationError", self.elb.modify_load_balancer_attributes, LoadBalancerArn=arn,
                     Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "5000"}])
        self.refused("ValidationError", self.elb.modify_load_balancer_attributes, LoadBalancerArn=arn,
                     Attributes=[{"Key": "no.such", "Value": "1"}])
        self.elb.modify_capacity_reservation(LoadBalancerArn=arn, MinimumLoadBalancerCapacity={"CapacityUnits": 200})
        self.assertEqual(self.elb.describe_capacity_reservation(LoadBalancerArn=arn)["MinimumLoadBalancerCapacity"]["CapacityUnits"], 200)
        self.virga.restart()
        self.assertEqual(self.describe(arn)["SecurityGroups"], [other])
        self.elb.delete_load_balancer(LoadBalancerArn=arn)
        self.elb.delete_load_balancer(LoadBalancerArn=arn)
        self.refused("LoadBalancerNotFound", self.elb.describe_load_balancers, LoadBalancerArns=[arn])
        self.assertTrue(wait_until(lambda: not self.ec2.describe_network_interfaces(
            Filters=[{"Name": "description", "Values": ["ELB app/" + name + "/*"]}])["NetworkInterfaces"]))
        self.ec2.delete_security_group(GroupId=other)
        self.ec2.delete_subnet(SubnetId=third)

    def test_balancer_refused(self):
        make = self.elb.create_load_balancer
        message = self.refused("ValidationError", make, Name="a_b", Subnets=self.subnets)
        self.assertIn("can only contain characters", message)
        self.refused("ValidationError", make, Name="x" * 33, Subnets=self.subnets)
        self.refused("ValidationError", make, Name="-x", Subnets=self.subnets)
        self.refused("ValidationError", make, Name="internal-x", Subnets=self.subnets)
        self.assertEqual(self.refused("ValidationError", make, Name="x", Subnets=self.subnets[:1]),
                         "At least two subnets in two different Availability Zones must be specified")
        self.refused("SubnetNotFound", make, Name="x", Subnets=[self.subnets[0], "subnet-0123456789abcdef0"])
        self.refused("InvalidSecurityGroup", make, Name="x", Subnets=self.subnets, SecurityGroups=["sg-0123456789abcdef0"])
        self.refused("NotImplemented", make, Name="x", Subnets=self.subnets, Type="gateway")
        twin = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.20.8.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
        self.refused("InvalidConfigurationRequest", make, Name="x", Subnets=[self.subnets[0], twin])
        vpc = self.ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
        alone = [self.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.30.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
                 for i, z in enumerate("ab")]
        self.assertEqual(self.refused("InvalidSubnet", make, Name="x", Subnets=alone), f"VPC {vpc} has no internet gateway")
        inside = make(Name="inside", Subnets=alone, Scheme="internal")["LoadBalancers"][0]
        self.assertTrue(inside["DNSName"].startswith("internal-inside-"))
        self.elb.delete_load_balancer(LoadBalancerArn=inside["LoadBalancerArn"])
        self.refused("ValidationError", self.elb.describe_load_balancers, LoadBalancerArns=["nonsense"])
        self.refused("LoadBalancerNotFound", self.elb.describe_load_balancers, Names=["nobody"])

    def test_listeners_and_rules(self):
        b, tg = self.balancer(), self.targets()
        other = self.targets()
        forward = [{"Type": "forward", "TargetGroupArn": tg}]
        listener = self.listener(b, forward)
        self.refused("DuplicateListener", self.listener, b=b)
        self.refused("TargetGroupNotFound", self.listener, b=b, Port=81, actions=[{"Type": "forward", "TargetGroupArn": tg[:-1] + "x"}])
        self.refused("ValidationError", self.listener, b=b, Port=81, Protocol="TCP")
        self.refused("NotImplemented", self.listener, b=b, Port=81, actions=[
            {"Type": "authenticate-cognito", "Order": 1, "AuthenticateCognitoConfig": {
                "UserPoolArn": "a", "UserPoolClientId": "b", "UserPoolDomain": "c"}}, {"Type": "forward", "TargetGroupArn": tg, "Order": 2}])
        self.refused("InvalidLoadBalancerAction", self.listener, b=b, Port=81,
                     actions=[{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}])
        self.assertEqual(self.elb.describe_target_groups(LoadBalancerArn=b["LoadBalancerArn"])["TargetGroups"][0]["TargetGroupArn"], tg)
        second = self.balancer()
        self.refused("TargetGroupAssociationLimit", self.listener, b=second, actions=forward)

        def rule(priority, condition, actions=forward, **kw):
            conditions = condition if isinstance(condition, list) else [condition]
            return self.elb.create_rule(ListenerArn=listener, Priority=priority, Conditions=conditions, Actions=actions, **kw)["Rules"][0]

        first = rule(10, {"Field": "path-pattern", "Values": ["/img/*"]}, Tags=[{"Key": "a", "Value": "b"}])
        self.assertEqual(first["Conditions"][0]["PathPatternConfig"]["Values"], ["/img/*"])
        self.assertEqual(self.refused("PriorityInUse", rule, priority=10, condition={"Field": "host-header", "Values": ["a.b"]}),
                         "Priority '10' is currently in use")
        weighted = rule(20, [
            {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com"]}},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Canary", "Values": ["y*"]}},
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2"}]}},
            {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}},
            {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}],
            [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": tg, "Weight": 9}, {"TargetGroupArn": other, "Weight": 1}],
                                                   "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60}}}])
        self.assertEqual([t["Weight"] for t in weighted["Actions"][0]["ForwardConfig"]["TargetGroups"]], [9, 1])
        for bad in ({"Field": "path-pattern", "Values": ["/a b"]}, {"Field": "nonsense", "Values": ["x"]},
                    {"Field": "host-header", "Values": []}, {"Field": "source-ip", "SourceIpConfig": {"Values": ["300.1.1.1/8"]}},
                    {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["get"]}},
                    {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/(x"]}},
                    {"Field": "path-pattern", "Values": [f"/{i}" for i in range(6)]},
                    {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "bad name", "Values": ["x"]}}):
            self.refused("ValidationError", rule, priority=30, condition=bad)
        self.refused("ValidationError", rule, priority=30, condition={"Field": "path-pattern", "Values": ["/x"]}, actions=[
            {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": tg, "Weight": 1000}]}}])
        self.elb.set_rule_priorities(RulePriorities=[{"RuleArn": first["RuleArn"], "Priority": 20}, {"RuleArn": weighted["RuleArn"], "Priority": 10}])
        rules = self.elb.describe_rules(ListenerArn=listener)["Rules"]
        self.assertEqual([(r["RuleArn"], r["Priority"]) for r in rules[:2]], [(weighted["RuleArn"], "10"), (first["RuleArn"], "20")])
        self.assertEqual((rules[2]["Priority"], rules[2]["IsDefault"]), ("default", True))
        self.refused("PriorityInUse", self.elb.set_rule_priorities, RulePriorities=[{"RuleArn": first["RuleArn"], "Priority": 10}])
        self.refused("OperationNotPermitted", self.elb.delete_rule, RuleArn=rules[2]["RuleArn"])
        changed = self.elb.modify_rule(RuleArn=first["RuleArn"], Conditions=[{"Field": "path-pattern", "Values": ["/css/*"]}])["Rules"][0]
        self.assertEqual(changed["Conditions"][0]["Values"], ["/css/*"])
        self.elb.add_tags(ResourceArns=[first["RuleArn"], listener, tg, b["LoadBalancerArn"]], Tags=[{"Key": "k", "Value": "v"}])
        self.elb.remove_tags(ResourceArns=[first["RuleArn"]], TagKeys=["k"])
        tags = {d["ResourceArn"]: d["Tags"] for d in self.elb.describe_tags(
            ResourceArns=[first["RuleArn"], listener, tg, b["LoadBalancerArn"]])["TagDescriptions"]}
        self.assertEqual(tags[first["RuleArn"]], [{"Key": "a", "Value": "b"}])
        self.assertTrue(all(tags[x] == [{"Key": "k", "Value": "v"}] for x in (listener, tg, b["LoadBalancerArn"])))
        self.elb.delete_rule(RuleArn=weighted["RuleArn"])
        self.refused("RuleNotFound", self.elb.describe_rules, RuleArns=[weighted["RuleArn"]])
        self.elb.delete_target_group(TargetGroupArn=other)
        self.refused("ResourceInUse", self.elb.delete_target_group, TargetGroupArn=tg)
        self.elb.modify_listener(ListenerArn=listener, Port=8080, DefaultActions=[
            {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}])
        shown = self.elb.describe_listeners(LoadBalancerArn=b["LoadBalancerArn"])["Listeners"][0]
        self.assertEqual((shown["Port"], shown["DefaultActions"][0]["RedirectConfig"]["Path"]), (8080, "/#{path}"))
        self.elb.modify_listener_attributes(ListenerArn=listener, Attributes=[
            {"Key": "routing.http.response.server.enabled", "Value": "false"}])
        attributes = {x["Key"]: x["Value"] for x in self.elb.describe_listener_attributes(ListenerArn=listener)["Attributes"]}
        self.assertEqual(attributes["routing.http.response.server.enabled"], "false")
        self.elb.delete_listener(ListenerArn=listener)
        self.refused("ListenerNotFound", self.elb.describe_listeners, ListenerArns=[listener])
        self.elb.delete_target_group(TargetGroupArn=tg)
        self.elb.delete_target_group(TargetGroupArn=tg)

    def test_certificates(self):
        b = self.balancer()
        arns = []
        for name in ("one.example.com", "two.example.com"):
            arns.append(self.acm.request_certificate(DomainName=name, ValidationMethod="DNS", KeyAlgorithm="EC_prime256v1")["CertificateArn"])
        wait_until(lambda: all(self.acm.describe_certificate(CertificateArn=a)["Certificate"]["Status"] == "ISSUED" for a in arns))
        secure = {"Protocol": "HTTPS", "Port": 443}
        self.assertEqual(self.refused("ValidationError", self.listener, b=b, **secure),
                         "A certificate must be specified for HTTPS listeners")
        self.refused("CertificateNotFound", self.listener, b=b, Certificates=[{"CertificateArn": arns[0][:-2] + "zz"}], **secure)
        self.refused("SSLPolicyNotFound", self.listener, b=b, Certificates=[{"CertificateArn": arns[0]}], SslPolicy="nonsense", **secure)
        listener = self.listener(b, Certificates=[{"CertificateArn": arns[0]}], **secure)
        self.assertEqual(self.elb.describe_listeners(ListenerArns=[listener])["Listeners"][0]["SslPolicy"], "ELBSecurityPolicy-2016-08")
        self.elb.add_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": arns[1]}])
        listed = self.elb.describe_listener_certificates(ListenerArn=listener)["Certificates"]
        self.assertEqual([(c["CertificateArn"], c["IsDefault"]) for c in listed], [(arns[0], True), (arns[1], False)])
        self.assertEqual(self.acm.describe_certificate(CertificateArn=arns[1])["Certificate"]["InUseBy"], [b["LoadBalancerArn"]])
        self.refused("ResourceInUseException", self.acm.delete_certificate, CertificateArn=arns[0])
        self.refused("OperationNotPermitted", self.elb.remove_listener_certificates, ListenerArn=listener,
                     Certificates=[{"CertificateArn": arns[0]}])
        self.elb.remove_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": arns[1]}])
        self.acm.delete_certificate(CertificateArn=arns[1])
        self.elb.delete_listener(ListenerArn=listener)
        self.acm.delete_certificate(CertificateArn=arns[0])

    def test_target_groups(self):
        tg = self.targets(TargetType="instance", HealthCheckPath="/ok", Matcher={"HttpCode": "200-204"}, HealthCheckIntervalSeconds=10)
        g = self.elb.describe_target_groups(TargetGroupArns=[tg])["TargetGroups"][0]
        self.assertEqual((g["HealthCheckPath"], g["Matcher"]["HttpCode"], g["HealthyThresholdCount"], g["HealthCheckTimeoutSeconds"],
                          g["ProtocolVersion"], g["LoadBalancerArns"]), ("/ok", "200-204", 5, 5, "HTTP1", []))
        self.refused("DuplicateTargetGroupName", self.targets, Name=g["TargetGroupName"], Port=81)
        self.assertEqual(self.targets(Name=g["TargetGroupName"], TargetType="instance", HealthCheckPath="/ok", HealthCheckIntervalSeconds=10), tg)
        for bad in ({"Matcher": {"HttpCode": "600"}}, {"HealthCheckPath": "ok"}, {"HealthCheckPort": "0"},
                    {"HealthCheckTimeoutSeconds": 10, "HealthCheckIntervalSeconds": 10}, {"Name": "a.b"}, {"VpcId": "vpc-0123456789abcdef0"},
                    {"ProtocolVersion": "HTTP9"}):
            self.refused("ValidationError", self.targets, **bad)
        self.refused("NotImplemented", self.targets, TargetType="lambda")
        self.refused("NotImplemented", self.targets, Protocol="QUIC")
        changed = self.elb.modify_target_group(TargetGroupArn=tg, HealthyThresholdCount=2, Matcher={"HttpCode": "200,202"})["TargetGroups"][0]
        self.assertEqual((changed["HealthyThresholdCount"], changed["Matcher"]["HttpCode"]), (2, "200,202"))
        attributes = [{"Key": "stickiness.enabled", "Value": "true"}, {"Key": "deregistration_delay.timeout_seconds", "Value": "10"}]
        got = {x["Key"]: x["Value"] for x in self.elb.modify_target_group_attributes(TargetGroupArn=tg, Attributes=attributes)["Attributes"]}
        self.assertEqual((got["stickiness.enabled"], got["stickiness.type"]), ("true", "lb_cookie"))
        again = self.elb.describe_target_group_attributes(TargetGroupArn=tg)["Attributes"]
        self.assertEqual({x["Key"]: x["Value"] for x in again}, got)
        self.refused("ValidationError", self.elb.modify_target_group_attributes, TargetGroupArn=tg,
                     Attributes=[{"Key": "slow_start.duration_seconds", "Value": "10"}])
        self.refused("InvalidTarget", self.elb.register_targets, TargetGroupArn=tg, Targets=[{"Id": "i-0123456789abcdef0"}])
        ip = self.targets()
        self.refused("ValidationError", self.elb.register_targets, TargetGroupArn=ip, Targets=[{"Id": "8.8.8.8"}])
        self.refused("ValidationError", self.elb.register_targets, TargetGroupArn=ip, Targets=[{"Id": "10.99.0.1"}])
        self.elb.register_targets(TargetGroupArn=ip, Targets=[{"Id": "10.20.0.9"}, {"Id": "10.99.0.1", "AvailabilityZone": "all", "Port": 81}])
        health = self.elb.describe_target_health(TargetGroupArn=ip)["TargetHealthDescriptions"]
        self.assertEqual({(h["Target"]["Id"], h["Target"]["Port"], h["TargetHealth"]["Reason"]) for h in health},
                         {("10.20.0.9", 80, "Target.NotInUse"), ("10.99.0.1", 81, "Target.NotInUse")})
        one = self.elb.describe_target_health(TargetGroupArn=ip, Targets=[{"Id": "10.20.0.77"}])["TargetHealthDescriptions"][0]
        self.assertEqual(one["TargetHealth"]["Reason"], "Target.NotRegistered")
        self.elb.deregister_targets(TargetGroupArn=ip, Targets=[{"Id": "10.20.0.9"}])
        self.assertEqual(len(self.elb.describe_target_health(TargetGroupArn=ip)["TargetHealthDescriptions"]), 1)
        b = self.balancer()
        self.listener(b, [{"Type": "forward", "TargetGroupArn": ip}])
        said = self.elb.describe_target_health(TargetGroupArn=ip)["TargetHealthDescriptions"][0]["TargetHealth"]
        self.assertEqual(said["State"], "unavailable")
        self.assertIn("simulated", said["Description"])
        self.elb.deregister_targets(TargetGroupArn=ip, Targets=[{"Id": "10.99.0.1"}])
        self.assertEqual(self.elb.describe_target_health(TargetGroupArn=ip)["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"],
                         "Target.DeregistrationInProgress")

    def test_network(self):
        b = self.balancer(Type="network", Subnets=self.subnets[:1])
        self.assertIn("/net/", b["LoadBalancerArn"])
        tg = self.targets(Protocol="TCP")
        g = self.elb.describe_target_groups(TargetGroupArns=[tg])["TargetGroups"][0]
        self.assertEqual((g["HealthCheckProtocol"], g.get("Matcher")), ("TCP", None))
        self.refused("IncompatibleProtocols", self.listener, b=b, Protocol="TCP", actions=[{"Type": "forward", "TargetGroupArn": self.targets()}])
        self.refused("InvalidLoadBalancerAction", self.listener, b=b, Protocol="TCP")
        self.refused("IncompatibleProtocols", self.listener, b=b, Protocol="UDP", actions=[{"Type": "forward", "TargetGroupArn": tg}])
        listener = self.listener(b, Protocol="TCP", actions=[{"Type": "forward", "TargetGroupArn": tg}])
        self.refused("InvalidConfigurationRequest", self.elb.create_rule, ListenerArn=listener, Priority=1, Actions=[
            {"Type": "forward", "TargetGroupArn": tg}], Conditions=[{"Field": "path-pattern", "Values": ["/"]}])
        address = self.ec2.allocate_address(Domain="vpc")
        fixed = self.balancer(Type="network", Subnets=[], SubnetMappings=[{"SubnetId": self.subnets[0], "AllocationId": address["AllocationId"]}])
        self.assertEqual(fixed["AvailabilityZones"][0]["LoadBalancerAddresses"],
                         [{"IpAddress": address["PublicIp"], "AllocationId": address["AllocationId"]}])

    def test_facts(self):
        limits = {x["Name"]: x["Max"] for x in self.elb.describe_account_limits()["Limits"]}
        self.assertEqual(limits["rules-per-application-load-balancer"], "100")
        policy = self.elb.describe_ssl_policies(Names=["ELBSecurityPolicy-TLS13-1-2-2021-06"])["SslPolicies"][0]
        self.assertEqual(policy["SslProtocols"], ["TLSv1.2", "TLSv1.3"])
        self.refused("SSLPolicyNotFound", self.elb.describe_ssl_policies, Names=["nonsense"])
        page = self.elb.describe_ssl_policies(PageSize=5)
        more = self.elb.describe_ssl_policies(PageSize=5, Marker=page["NextMarker"])
        self.assertFalse({p["Name"] for p in page["SslPolicies"]} & {p["Name"] for p in more["SslPolicies"]})
        self.assertTrue(all(re.match("ELBSecurityPolicy-", p["Name"]) for p in page["SslPolicies"]))


if __name__ == "__main__":
    unittest.main()
