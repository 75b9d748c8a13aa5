"""Classic Load Balancers (the API of 2012): made, changed, refused; and as root what goes through one to real instances."""
import os
import unittest

from elbv2_test import Case
from elbv2case import Place
from virga import wait_until

NEEDS_BOTO3 = (1, 40)
WEB = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstanceProtocol": "HTTP", "InstancePort": 8001}


class Classic:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.classic = cls.virga.client("elb")

    def make(self, *listeners, **kw):
        name = self.name("classic")
        out = self.classic.create_load_balancer(LoadBalancerName=name, Listeners=list(listeners) or [WEB], **{
            "Subnets": self.subnets, "SecurityGroups": [self.sg], "Scheme": "internal", **kw})
        self.addCleanup(self.classic.delete_load_balancer, LoadBalancerName=name)
        return name, out["DNSName"]

    def see(self, name):
        return self.classic.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"][0]

    def image(self):
        return self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]

    def instance(self, subnet, group):
        i = self.ec2.run_instances(ImageId=self.image(), InstanceType="t3.nano", MinCount=1, MaxCount=1, SubnetId=subnet,
                                   SecurityGroupIds=[group])["Instances"][0]["InstanceId"]
        self.addCleanup(self.ec2.terminate_instances, InstanceIds=[i])
        return i

    def states(self, name, *ids):
        return {s["InstanceId"]: s["State"] for s in self.classic.describe_instance_health(
            LoadBalancerName=name, Instances=[{"InstanceId": i} for i in ids])["InstanceStates"]}


class Control(Classic, Case):
    args = ("--simulated",)

    def test_balancer(self):
        name, dns = self.make(WEB, {"Protocol": "TCP", "LoadBalancerPort": 81, "InstancePort": 8002}, Tags=[{"Key": "a", "Value": "b"}])
        self.assertRegex(dns, rf"^internal-{name}-\d+\.us-east-1\.elb\.localhost$")
        b = self.see(name)
        self.assertEqual((b["DNSName"], b["Scheme"], b["VPCId"]), (dns, "internal", self.vpc))
        self.assertEqual(sorted(b["AvailabilityZones"]), ["us-east-1a", "us-east-1b"])
        self.assertEqual(sorted(b["Subnets"]), sorted(self.subnets))
        self.assertEqual({x["Listener"]["LoadBalancerPort"]: (x["Listener"]["Protocol"], x["Listener"]["InstanceProtocol"],
                                                             x["Listener"]["InstancePort"]) for x in b["ListenerDescriptions"]},
                         {80: ("HTTP", "HTTP", 8001), 81: ("TCP", "TCP", 8002)})
        self.assertEqual(b["HealthCheck"], {"Target": "TCP:8001", "Interval": 30, "Timeout": 5, "UnhealthyThreshold": 2, "HealthyThreshold": 10})
        self.assertEqual(b["SourceSecurityGroup"]["OwnerAlias"], "000000000000")
        # The newer API does not know it, and its interfaces are the balancer's.
        self.assertEqual(self.elb.describe_load_balancers()["LoadBalancers"], [])
        self.assertEqual(self.elb.describe_target_groups()["TargetGroups"], [])
        enis = self.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": [f"ELB {name}"]}])["NetworkInterfaces"]
        self.assertEqual(len(enis), 2)
        self.refused("DuplicateLoadBalancerName", self.classic.create_load_balancer, LoadBalancerName=name, Listeners=[WEB],
                     Subnets=self.subnets)
        for change, back in ((self.classic.detach_load_balancer_from_subnets, self.classic.attach_load_balancer_to_subnets),):
            self.assertEqual(change(LoadBalancerName=name, Subnets=self.subnets[1:])["Subnets"], self.subnets[:1])
            self.assertEqual(sorted(back(LoadBalancerName=name, Subnets=self.subnets[1:])["Subnets"]), sorted(self.subnets))
        self.assertEqual(self.classic.disable_availability_zones_for_load_balancer(
            LoadBalancerName=name, AvailabilityZones=["us-east-1b"])["AvailabilityZones"], ["us-east-1a"])
        self.refused("InvalidConfigurationRequest", self.classic.disable_availability_zones_for_load_balancer, LoadBalancerName=name,
                     AvailabilityZones=["us-east-1a"])
        self.refused("InvalidConfigurationRequest", self.classic.enable_availability_zones_for_load_balancer, LoadBalancerName=name,
                     AvailabilityZones=["us-east-1c"])
        other = self.group([(80, 80)])
        self.assertEqual(self.classic.apply_security_groups_to_load_balancer(LoadBalancerName=name, SecurityGroups=[other])["SecurityGroups"],
                         [other])
        self.classic.delete_load_balancer(LoadBalancerName=name)
        self.classic.delete_load_balancer(LoadBalancerName=name)
        self.refused("LoadBalancerNotFound", self.see, name=name)
        self.assertTrue(wait_until(lambda: not self.ec2.describe_network_interfaces(
            Filters=[{"Name": "description", "Values": [f"ELB {name}"]}])["NetworkInterfaces"]))

    def test_refused(self):
        make = {"LoadBalancerName": self.name("classic"), "Listeners": [WEB], "Subnets": self.subnets}
        create = self.classic.create_load_balancer
        self.refused("ValidationError", create, **{**make, "LoadBalancerName": "-x"})
        self.refused("SubnetNotFound", create, **{**make, "Subnets": ["subnet-1"]})
        self.refused("InvalidScheme", create, **make, Scheme="outward")
        self.refused("InvalidSecurityGroup", create, **make, SecurityGroups=["sg-1"])
        self.refused("ValidationError", create, **{**make, "Listeners": [{**WEB, "InstanceProtocol": "TCP"}]})
        self.refused("UnsupportedProtocol", create, **{**make, "Listeners": [{**WEB, "Protocol": "UDP"}]})
        self.refused("CertificateNotFound", create, **{**make, "Listeners": [{**WEB, "Protocol": "HTTPS", "SSLCertificateId": "arn:x"}]})
        self.refused("DuplicateListener", create, **{**make, "Listeners": [WEB, {**WEB, "InstancePort": 9}]})

    def test_listeners_and_policies(self):
        name, _ = self.make()
        on = {"LoadBalancerName": name}
        cert = self.acm.request_certificate(DomainName="c.example.com", ValidationMethod="DNS")["CertificateArn"]
        self.assertTrue(wait_until(lambda: self.acm.describe_certificate(CertificateArn=cert)["Certificate"]["Status"] == "ISSUED"))
        self.classic.create_load_balancer_listeners(**on, Listeners=[{
            "Protocol": "HTTPS", "LoadBalancerPort": 443, "InstancePort": 8001, "SSLCertificateId": cert}])
        self.assertEqual(len(self.acm.describe_certificate(CertificateArn=cert)["Certificate"]["InUseBy"]), 1)
        self.classic.set_load_balancer_listener_ssl_certificate(**on, LoadBalancerPort=443, SSLCertificateId=cert)
        self.refused("InvalidConfigurationRequest", self.classic.set_load_balancer_listener_ssl_certificate, **on, LoadBalancerPort=80,
                     SSLCertificateId=cert)
        self.refused("ListenerNotFound", self.classic.set_load_balancer_listener_ssl_certificate, **on, LoadBalancerPort=444,
                     SSLCertificateId=cert)
        self.classic.create_lb_cookie_stickiness_policy(**on, PolicyName="lb", CookieExpirationPeriod=60)
        self.classic.create_app_cookie_stickiness_policy(**on, PolicyName="app", CookieName="sid")
        self.classic.create_load_balancer_policy(**on, PolicyName="proxy", PolicyTypeName="ProxyProtocolPolicyType", PolicyAttributes=[
            {"AttributeName": "ProxyProtocol", "AttributeValue": "true"}])
        self.classic.create_load_balancer_policy(**on, PolicyName="tls", PolicyTypeName="SSLNegotiationPolicyType", PolicyAttributes=[
            {"AttributeName": "Reference-Security-Policy", "AttributeValue": "ELBSecurityPolicy-TLS-1-2-2017-01"}])
        self.refused("DuplicatePolicyName", self.classic.create_lb_cookie_stickiness_policy, **on, PolicyName="lb")
        self.refused("PolicyTypeNotFound", self.classic.create_load_balancer_policy, **on, PolicyName="x", PolicyTypeName="x")
        self.refused("PolicyNotFound", self.classic.set_load_balancer_policies_of_listener, **on, LoadBalancerPort=80, PolicyNames=["x"])
        self.refused("InvalidConfigurationRequest", self.classic.set_load_balancer_policies_of_listener, **on, LoadBalancerPort=80,
                     PolicyNames=["lb", "app"])
        self.classic.set_load_balancer_policies_of_listener(**on, LoadBalancerPort=80, PolicyNames=["lb"])
        self.classic.set_load_balancer_policies_of_listener(**on, LoadBalancerPort=443, PolicyNames=["tls"])
        self.classic.set_load_balancer_policies_for_backend_server(**on, InstancePort=8001, PolicyNames=["proxy"])
        b = self.see(name)
        self.assertEqual(b["Policies"], {"AppCookieStickinessPolicies": [{"PolicyName": "app", "CookieName": "sid"}],
                                         "LBCookieStickinessPolicies": [{"PolicyName": "lb", "CookieExpirationPeriod": 60}],
                                         "OtherPolicies": ["proxy", "tls"]})
        self.assertEqual({x["Listener"]["LoadBalancerPort"]: x["PolicyNames"] for x in b["ListenerDescriptions"]}, {80: ["lb"], 443: ["tls"]})
        self.assertEqual(b["BackendServerDescriptions"], [{"InstancePort": 8001, "PolicyNames": ["proxy"]}])
        self.refused("InvalidConfigurationRequest", self.classic.delete_load_balancer_policy, **on, PolicyName="lb")
        self.classic.delete_load_balancer_policy(**on, PolicyName="app")
        named = self.classic.describe_load_balancer_policies(**on)["PolicyDescriptions"]
        self.assertEqual([p["PolicyName"] for p in named], ["lb", "proxy", "tls"])
        self.assertEqual(len(self.classic.describe_load_balancer_policy_types()["PolicyTypeDescriptions"]), 4)
        self.classic.delete_load_balancer_listeners(**on, LoadBalancerPorts=[443])
        self.assertEqual(self.acm.describe_certificate(CertificateArn=cert)["Certificate"]["InUseBy"], [])

    def test_the_rest(self):
        name, _ = self.make()
        on = {"LoadBalancerName": name}
        check = {"Target": "HTTP:8001/health", "Interval": 10, "Timeout": 3, "UnhealthyThreshold": 2, "HealthyThreshold": 2}
        self.assertEqual(self.classic.configure_health_check(**on, HealthCheck=check)["HealthCheck"], check)
        self.assertEqual(self.see(name)["HealthCheck"], check)
        for bad in ("HTTP:80", "TCP:80/x", "UDP:1", "HTTP:0/"):
            self.refused("ValidationError", self.classic.configure_health_check, **on, HealthCheck={**check, "Target": bad})
        self.classic.modify_load_balancer_attributes(**on, LoadBalancerAttributes={
            "CrossZoneLoadBalancing": {"Enabled": True}, "ConnectionDraining": {"Enabled": True, "Timeout": 9}, "ConnectionSettings": {"IdleTimeout": 7}})
        a = self.classic.describe_load_balancer_attributes(**on)["LoadBalancerAttributes"]
        self.assertEqual((a["CrossZoneLoadBalancing"], a["ConnectionDraining"], a["ConnectionSettings"]),
                         ({"Enabled": True}, {"Enabled": True, "Timeout": 9}, {"IdleTimeout": 7}))
        self.classic.add_tags(LoadBalancerNames=[name], Tags=[{"Key": "k", "Value": "v"}, {"Key": "l", "Value": ""}])
        self.classic.remove_tags(LoadBalancerNames=[name], Tags=[{"Key": "l"}])
        self.assertEqual(self.classic.describe_tags(LoadBalancerNames=[name])["TagDescriptions"], [
            {"LoadBalancerName": name, "Tags": [{"Key": "k", "Value": "v"}]}])
        self.assertEqual(len(self.classic.describe_account_limits()["Limits"]), 3)
        i = self.instance(self.subnets[0], self.sg)
        self.refused("InvalidInstance", self.classic.register_instances_with_load_balancer, **on, Instances=[{"InstanceId": "i-1"}])
        self.assertEqual(self.classic.register_instances_with_load_balancer(**on, Instances=[{"InstanceId": i}])["Instances"],
                         [{"InstanceId": i}])
        self.assertEqual(set(self.states(name, i)), {i})
        self.assertEqual(self.classic.deregister_instances_from_load_balancer(**on, Instances=[{"InstanceId": i}])["Instances"], [])
        self.refused("InvalidInstance", self.classic.deregister_instances_from_load_balancer, **on, Instances=[{"InstanceId": i}])


class Traffic(Classic, Place):
    def test_serves(self):
        ids = [self.instance(s, self.inner) for s in self.subnets]
        name, dns = self.make(WEB, {"Protocol": "TCP", "LoadBalancerPort": 8100, "InstancePort": 8001})
        on = {"LoadBalancerName": name}
        self.classic.configure_health_check(**on, HealthCheck={
            "Target": "HTTP:8001/health", "Interval": 5, "Timeout": 2, "UnhealthyThreshold": 2, "HealthyThreshold": 2})
        self.classic.modify_load_balancer_attributes(**on, LoadBalancerAttributes={"CrossZoneLoadBalancing": {"Enabled": True}})
        self.classic.register_instances_with_load_balancer(**on, Instances=[{"InstanceId": i} for i in ids])
        self.until(lambda: all(self.space(i) for i in ids))
        for i, n in zip(ids, ("one", "two")):
            self.serve({"eni": i}, 8001, n)
        self.until(lambda: set(self.states(name, *ids).values()) == {"InService"}, lambda: self.states(name, *ids))
        enis = self.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": [f"ELB {name}"]}])["NetworkInterfaces"]
        ip = enis[0]["PrivateIpAddress"]
        # Each zone's node finds out for itself who is well.
        self.until(lambda: {self.curl(f"http://{ip}/x")[0] for _ in range(4)} == {200})
        self.until(lambda: {self.told(f"http://{ip}/x")["name"] for _ in range(4)} == {"one", "two"})
        self.assertEqual(self.told(f"http://{ip}/x")["headers"]["x-forwarded-port"], "80")
        self.assertNotIn("x-forwarded-port", self.told(f"http://{ip}:8100/x")["headers"])
        self.classic.create_lb_cookie_stickiness_policy(**on, PolicyName="lb")
        self.classic.set_load_balancer_policies_of_listener(**on, LoadBalancerPort=80, PolicyNames=["lb"])
        self.until(lambda: "AWSELB=" in self.curl(f"http://{ip}/x")[1].get("set-cookie", ""))
        cookie = self.curl(f"http://{ip}/x")[1]["set-cookie"].split(";")[0]
        self.assertEqual(len({self.told(f"http://{ip}/x", "-H", "Cookie: " + cookie)["name"] for _ in range(6)}), 1)
        self.classic.deregister_instances_from_load_balancer(**on, Instances=[{"InstanceId": ids[0]}])
        self.until(lambda: {self.curl(f"http://{ip}/x")[0] for _ in range(4)} == {200}
                   and {self.told(f"http://{ip}/x")["name"] for _ in range(4)} == {"two"})
        self.classic.deregister_instances_from_load_balancer(**on, Instances=[{"InstanceId": ids[1]}])
        self.until(lambda: self.curl(f"http://{ip}/x")[0] == 503)


if __name__ == "__main__":
    unittest.main()
