"""EC2's instances, volumes, snapshots and images through boto3, with simulated compute: what is answered, kept and refused."""
import base64
import subprocess
import time
import unittest
import uuid


from virga import BINARY, Refusals, Virga

NEEDS_BOTO3 = (1, 40)
OTHER = "111122223333"


class Case(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga("--simulated").start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2 = cls.virga.client("ec2")
        images = cls.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"]
        cls.image = images[0]["ImageId"]

    def until(self, what, limit=20):
        end = time.monotonic() + limit
        while True:
            value = what()
            if value:
                return value
            self.assertLess(time.monotonic(), end, "it did not happen")
            time.sleep(0.02)

    def run_one(self, state="running", **kw):
        args = {"ImageId": self.image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, **kw}
        i = self.ec2.run_instances(**args)["Instances"][0]["InstanceId"]
        return self.wait(i, state) if state else i

    def describe(self, i):
        return self.ec2.describe_instances(InstanceIds=[i])["Reservations"][0]["Instances"][0]

    def wait(self, i, state):
        self.until(lambda: self.describe(i)["State"]["Name"] == state)
        return i

    def volume(self, v, state="available"):
        return self.until(lambda: next((x for x in self.ec2.describe_volumes(VolumeIds=[v])["Volumes"] if x["State"] == state), None))

    def advance(self, duration):
        run = subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", duration], capture_output=True,
                             text=True)
        self.assertEqual(run.returncode, 0, run.stderr)


class Instances(Case):
    def test_further_interfaces(self):
        i = self.run_one()
        first = self.describe(i)["NetworkInterfaces"][0]
        e = self.ec2.create_network_interface(SubnetId=first["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
        self.refused("InvalidParameterValue", self.ec2.attach_network_interface, NetworkInterfaceId=e, InstanceId=i, DeviceIndex=0)
        a = self.ec2.attach_network_interface(NetworkInterfaceId=e, InstanceId=i, DeviceIndex=1)["AttachmentId"]
        shown = {n["NetworkInterfaceId"]: n["Attachment"] for n in self.describe(i)["NetworkInterfaces"]}
        self.assertEqual((shown[e]["DeviceIndex"], shown[e]["AttachmentId"], shown[e]["DeleteOnTermination"]), (1, a, False))
        self.refused("InvalidNetworkInterface.InUse", self.ec2.attach_network_interface, NetworkInterfaceId=e, InstanceId=i,
                     DeviceIndex=2)
        f = self.ec2.create_network_interface(SubnetId=first["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
        self.refused("AttachmentLimitExceeded", self.ec2.attach_network_interface, NetworkInterfaceId=f, InstanceId=i, DeviceIndex=2)
        self.refused("OperationNotPermitted", self.ec2.detach_network_interface, AttachmentId=first["Attachment"]["AttachmentId"])
        self.ec2.detach_network_interface(AttachmentId=a)
        self.refused("InvalidAttachmentID.NotFound", self.ec2.detach_network_interface, AttachmentId=a)
        self.assertEqual(len(self.describe(i)["NetworkInterfaces"]), 1)
        self.assertEqual(self.ec2.describe_network_interfaces(NetworkInterfaceIds=[e])["NetworkInterfaces"][0]["Status"], "available")
        other = self.ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1f"]}])["Subnets"]
        if other and other[0]["SubnetId"] != first["SubnetId"]:
            g = self.ec2.create_network_interface(SubnetId=other[0]["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
            self.refused("InvalidParameterCombination", self.ec2.attach_network_interface, NetworkInterfaceId=g, InstanceId=i,
                         DeviceIndex=1)

    def test_life(self):
        r = self.ec2.run_instances(
            ImageId=self.image, InstanceType="t3.micro", MinCount=2, MaxCount=2, UserData="#!/bin/sh\necho hi",
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]},
                               {"ResourceType": "volume", "Tags": [{"Key": "of", "Value": "web"}]}])
        self.assertEqual((len(r["Instances"]), r["OwnerId"]), (2, "000000000000"))
        a, b = r["Instances"]
        self.assertEqual([x["State"]["Name"] for x in (a, b)], ["pending", "pending"])
        self.assertEqual([x["AmiLaunchIndex"] for x in (a, b)], [0, 1])
        self.assertEqual(a["Tags"], [{"Key": "Name", "Value": "web"}])
        for x in (a, b):
            self.wait(x["InstanceId"], "running")
        d = self.describe(a["InstanceId"])
        self.assertEqual(d["StateReason"]["Code"], "Server.SimulatedCompute")
        self.assertEqual(d["PrivateIpAddress"], a["PrivateIpAddress"])
        self.assertEqual(d["PrivateDnsName"], "ip-" + d["PrivateIpAddress"].replace(".", "-") + ".ec2.internal")
        self.assertTrue(d["PublicIpAddress"])
        self.assertEqual(len(d["NetworkInterfaces"]), 1)
        self.assertEqual(d["NetworkInterfaces"][0]["Attachment"]["DeviceIndex"], 0)
        self.assertEqual(d["MetadataOptions"]["HttpTokens"], "required")
        self.assertEqual(d["CpuOptions"], {"CoreCount": 1, "ThreadsPerCore": 2})
        root = d["BlockDeviceMappings"][0]
        self.assertEqual((root["DeviceName"], root["Ebs"]["Status"]), ("/dev/xvda", "attached"))
        v = self.ec2.describe_volumes(VolumeIds=[root["Ebs"]["VolumeId"]])["Volumes"][0]
        self.assertEqual((v["Size"], v["VolumeType"], v["State"], v["Tags"]), (8, "gp3", "in-use", [{"Key": "of", "Value": "web"}]))
        text = base64.b64decode(self.ec2.describe_instance_attribute(InstanceId=a["InstanceId"], Attribute="userData")
                                ["UserData"]["Value"])
        self.assertEqual(text, b"#!/bin/sh\necho hi")
        self.assertIn(b"simulated", self.ec2.get_console_output(InstanceId=a["InstanceId"])["Output"].encode())

        s = self.ec2.stop_instances(InstanceIds=[a["InstanceId"]])["StoppingInstances"][0]
        self.assertEqual((s["PreviousState"]["Name"], s["CurrentState"]["Name"]), ("running", "stopping"))
        self.wait(a["InstanceId"], "stopped")
        d2 = self.describe(a["InstanceId"])
        self.assertNotIn("PublicIpAddress", d2)
        self.assertEqual(d2["PrivateIpAddress"], d["PrivateIpAddress"])
        self.assertEqual(d2["StateReason"]["Code"], "Client.UserInitiatedShutdown")
        self.assertIn("User initiated", d2["StateTransitionReason"])
        self.ec2.modify_instance_attribute(InstanceId=a["InstanceId"], InstanceType={"Value": "m5.large"})
        s = self.ec2.start_instances(InstanceIds=[a["InstanceId"]])["StartingInstances"][0]
        self.assertEqual(s["CurrentState"]["Name"], "pending")
        self.wait(a["InstanceId"], "running")
        d3 = self.describe(a["InstanceId"])
        self.assertEqual(d3["InstanceType"], "m5.large")
        self.assertTrue(d3["PublicIpAddress"])
        self.ec2.reboot_instances(InstanceIds=[a["InstanceId"]])

        self.virga.restart()
        self.assertEqual(self.describe(a["InstanceId"])["State"]["Name"], "running")
        t = self.ec2.terminate_instances(InstanceIds=[a["InstanceId"], b["InstanceId"]])["TerminatingInstances"]
        self.assertEqual({x["CurrentState"]["Name"] for x in t}, {"shutting-down"})
        for x in (a, b):
            self.wait(x["InstanceId"], "terminated")
        self.until(lambda: not self.ec2.describe_volumes(Filters=[{"Name": "tag:of", "Values": ["web"]}])["Volumes"])
        enis = self.ec2.describe_network_interfaces(Filters=[{"Name": "private-ip-address", "Values": [d["PrivateIpAddress"]]}])
        self.assertEqual(enis["NetworkInterfaces"], [])
        self.refused("IncorrectInstanceState", self.ec2.start_instances, InstanceIds=[a["InstanceId"]])
        self.advance("2h")
        self.until(lambda: not self.ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": [a["InstanceId"]]}])
                   ["Reservations"])
        self.refused("InvalidInstanceID.NotFound", self.ec2.describe_instances, InstanceIds=[a["InstanceId"]])

    def test_refusals(self):
        run = self.ec2.run_instances
        ok = {"ImageId": self.image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
        self.refused("DryRunOperation", run, **ok, DryRun=True)
        self.refused("InvalidAMIID.NotFound", run, **{**ok, "ImageId": "ami-0123456789abcdef0"})
        self.refused("InvalidAMIID.Malformed", run, **{**ok, "ImageId": "image"})
        self.refused("InvalidParameterValue", run, **{**ok, "MinCount": 2})
        self.refused("InvalidParameterValue", run, **{**ok, "InstanceType": "t4g.micro"})
        self.refused("InvalidKeyPair.NotFound", run, **ok, KeyName="nobody")
        self.refused("InvalidSubnetID.NotFound", run, **ok, SubnetId="subnet-0123456789abcdef0")
        self.refused("InvalidParameterValue", run, **ok, IamInstanceProfile={"Name": "nobody"})
        self.refused("InvalidParameterValue", run, **ok, UserData="x" * 16385)
        self.refused("InvalidGroup.NotFound", run, **ok, SecurityGroups=["nobody"])
        self.refused("InvalidInstanceID.NotFound", self.ec2.stop_instances, InstanceIds=["i-0123456789abcdef0"])
        self.refused("InvalidInstanceID.Malformed", self.ec2.stop_instances, InstanceIds=["i-xyz"])
        self.refused("InvalidBlockDeviceMapping", run, **ok, BlockDeviceMappings=[{"DeviceName": "/dev/xvda",
                                                                                    "Ebs": {"VolumeSize": 4}}])

    def test_token(self):
        token = str(uuid.uuid4())
        args = {"ImageId": self.image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "ClientToken": token}
        a, b = self.ec2.run_instances(**args), self.ec2.run_instances(**args)
        self.assertEqual(a["ReservationId"], b["ReservationId"])
        self.assertEqual(a["Instances"][0]["InstanceId"], b["Instances"][0]["InstanceId"])
        self.refused("IdempotentParameterMismatch", self.ec2.run_instances, **{**args, "InstanceType": "t3.small"})

    def test_template_and_filters(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]
        group = self.ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
        self.ec2.create_key_pair(KeyName="lt")
        self.ec2.create_launch_template(LaunchTemplateName="tmpl", LaunchTemplateData={
            "ImageId": self.image, "InstanceType": "t3.micro", "KeyName": "lt",
            "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 3, "VolumeType": "gp3"}}],
            "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": subnet["SubnetId"], "Groups": [group],
                                   "PrivateIpAddress": "10.7.1.50"}],
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "from", "Value": "template"}]}]})
        i = self.ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "tmpl"}, InstanceType="t3.small", MinCount=1,
                                   MaxCount=1)["Instances"][0]["InstanceId"]
        self.wait(i, "running")
        d = self.describe(i)
        self.assertEqual((d["InstanceType"], d["KeyName"], d["PrivateIpAddress"], d["SubnetId"], d["VpcId"]),
                         ("t3.small", "lt", "10.7.1.50", subnet["SubnetId"], vpc))
        self.assertEqual(d["Placement"]["AvailabilityZone"], subnet["AvailabilityZone"])
        self.assertEqual([g["GroupId"] for g in d["SecurityGroups"]], [group])
        self.assertEqual([m["DeviceName"] for m in d["BlockDeviceMappings"]], ["/dev/xvda", "/dev/sdf"])
        self.assertNotIn("PublicIpAddress", d)
        for name, value in (("tag:from", "template"), ("vpc-id", vpc), ("private-ip-address", "10.7.1.5?"), ("key-name", "lt"),
                            ("instance.group-id", group), ("network-interface.subnet-id", subnet["SubnetId"])):
            found = self.ec2.describe_instances(Filters=[{"Name": name, "Values": [value]},
                                                         {"Name": "instance-state-name", "Values": ["running"]}])
            self.assertEqual([x["InstanceId"] for r in found["Reservations"] for x in r["Instances"]], [i], name)
        self.ec2.terminate_instances(InstanceIds=[i])

    def test_protection_and_attributes(self):
        i = self.run_one(DisableApiTermination=True, InstanceInitiatedShutdownBehavior="terminate")
        self.refused("OperationNotPermitted", self.ec2.terminate_instances, InstanceIds=[i])
        self.ec2.modify_instance_attribute(InstanceId=i, DisableApiTermination={"Value": False}, DisableApiStop={"Value": True})
        self.refused("OperationNotPermitted", self.ec2.stop_instances, InstanceIds=[i])
        self.ec2.modify_instance_attribute(InstanceId=i, DisableApiStop={"Value": False})
        get = self.ec2.describe_instance_attribute
        self.assertEqual(get(InstanceId=i, Attribute="instanceInitiatedShutdownBehavior")["InstanceInitiatedShutdownBehavior"],
                         {"Value": "terminate"})
        self.refused("IncorrectInstanceState", self.ec2.modify_instance_attribute, InstanceId=i, InstanceType={"Value": "t3.nano"})
        self.ec2.modify_instance_attribute(InstanceId=i, SourceDestCheck={"Value": False})
        self.assertFalse(get(InstanceId=i, Attribute="sourceDestCheck")["SourceDestCheck"]["Value"])
        self.ec2.reset_instance_attribute(InstanceId=i, Attribute="sourceDestCheck")
        self.assertTrue(get(InstanceId=i, Attribute="sourceDestCheck")["SourceDestCheck"]["Value"])
        m = self.ec2.modify_instance_metadata_options(InstanceId=i, HttpTokens="optional", HttpPutResponseHopLimit=3)
        self.assertEqual(m["InstanceMetadataOptions"]["HttpPutResponseHopLimit"], 3)
        self.assertEqual(self.ec2.monitor_instances(InstanceIds=[i])["InstanceMonitorings"][0]["Monitoring"]["State"], "pending")
        self.assertEqual(self.describe(i)["Monitoring"]["State"], "enabled")
        self.ec2.unmonitor_instances(InstanceIds=[i])
        self.assertEqual(self.describe(i)["Monitoring"]["State"], "disabled")
        c = self.ec2.describe_instance_credit_specifications(InstanceIds=[i])["InstanceCreditSpecifications"][0]
        self.assertEqual(c["CpuCredits"], "unlimited")
        self.ec2.modify_instance_credit_specification(InstanceCreditSpecifications=[{"InstanceId": i, "CpuCredits": "standard"}])
        c = self.ec2.describe_instance_credit_specifications(InstanceIds=[i])["InstanceCreditSpecifications"][0]
        self.assertEqual(c["CpuCredits"], "standard")
        o = self.ec2.modify_instance_maintenance_options(InstanceId=i, AutoRecovery="disabled")
        self.assertEqual(o["AutoRecovery"], "disabled")
        s = self.ec2.describe_instance_status(InstanceIds=[i])["InstanceStatuses"][0]
        self.assertEqual((s["InstanceStatus"]["Status"], s["SystemStatus"]["Status"]), ("ok", "ok"))
        self.ec2.create_placement_group(GroupName="pg", Strategy="spread")
        self.ec2.stop_instances(InstanceIds=[i])
        self.wait(i, "stopped")
        self.assertEqual(self.ec2.describe_instance_status(InstanceIds=[i])["InstanceStatuses"], [])
        self.assertEqual(len(self.ec2.describe_instance_status(InstanceIds=[i], IncludeAllInstances=True)["InstanceStatuses"]), 1)
        self.ec2.modify_instance_placement(InstanceId=i, GroupName="pg")
        self.assertEqual(self.describe(i)["Placement"]["GroupName"], "pg")
        self.refused("InvalidPlacementGroup.InUse", self.ec2.delete_placement_group, GroupName="pg")
        self.ec2.terminate_instances(InstanceIds=[i])
        self.wait(i, "terminated")
        self.assertEqual(self.ec2.describe_placement_groups(GroupNames=["pg"])["PlacementGroups"][0]["Strategy"], "spread")
        self.ec2.delete_placement_group(GroupName="pg")
        self.refused("InvalidPlacementGroup.Unknown", self.ec2.delete_placement_group, GroupName="pg")
        self.ec2.modify_instance_metadata_defaults(HttpTokens="optional")
        self.assertEqual(self.ec2.get_instance_metadata_defaults()["AccountLevel"]["HttpTokens"], "optional")
        self.ec2.modify_instance_metadata_defaults(HttpTokens="no-preference")

    def test_profiles(self):
        iam = self.virga.client("iam")
        for n in ("p1", "p2"):
            iam.create_instance_profile(InstanceProfileName=n)
        i = self.run_one(IamInstanceProfile={"Name": "p1"})
        self.assertTrue(self.describe(i)["IamInstanceProfile"]["Arn"].endswith(":instance-profile/p1"))
        a = self.ec2.describe_iam_instance_profile_associations(Filters=[{"Name": "instance-id", "Values": [i]}])
        a = a["IamInstanceProfileAssociations"][0]
        self.assertEqual(a["State"], "associated")
        self.refused("IncorrectState", self.ec2.associate_iam_instance_profile, InstanceId=i, IamInstanceProfile={"Name": "p2"})
        n = self.ec2.replace_iam_instance_profile_association(AssociationId=a["AssociationId"], IamInstanceProfile={"Name": "p2"})
        self.assertTrue(self.describe(i)["IamInstanceProfile"]["Arn"].endswith("/p2"))
        self.ec2.disassociate_iam_instance_profile(
            AssociationId=n["IamInstanceProfileAssociation"]["AssociationId"])
        self.assertNotIn("IamInstanceProfile", self.describe(i))
        self.ec2.associate_iam_instance_profile(InstanceId=i, IamInstanceProfile={"Name": "p1"})
        self.ec2.terminate_instances(InstanceIds=[i])

    def test_spot(self):
        prices = self.ec2.describe_spot_price_history(InstanceTypes=["t3.micro"])["SpotPriceHistory"]
        self.assertTrue(prices and float(prices[0]["SpotPrice"]) > 0)
        i = self.run_one(InstanceMarketOptions={"MarketType": "spot"})
        d = self.describe(i)
        self.assertEqual(d["InstanceLifecycle"], "spot")
        r = self.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[d["SpotInstanceRequestId"]])["SpotInstanceRequests"][0]
        self.assertEqual((r["State"], r["Status"]["Code"], r["InstanceId"]), ("active", "fulfilled", i))
        self.refused("UnsupportedOperation", self.ec2.stop_instances, InstanceIds=[i])
        self.refused("SpotMaxPriceTooLow", self.run_one, InstanceMarketOptions={"MarketType": "spot",
                                                                               "SpotOptions": {"MaxPrice": "0.000001"}})
        c = self.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[r["SpotInstanceRequestId"]])
        self.assertEqual(c["CancelledSpotInstanceRequests"][0]["State"], "cancelled")
        self.assertEqual(self.describe(i)["State"]["Name"], "running")
        self.ec2.terminate_instances(InstanceIds=[i])
        q = self.ec2.request_spot_instances(LaunchSpecification={"ImageId": self.image, "InstanceType": "t3.nano"})
        q = q["SpotInstanceRequests"][0]
        self.assertEqual(q["State"], "active")
        self.ec2.terminate_instances(InstanceIds=[q["InstanceId"]])
        r = self.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[q["SpotInstanceRequestId"]])["SpotInstanceRequests"][0]
        self.assertEqual((r["State"], r["Status"]["Code"]), ("closed", "instance-terminated-by-user"))


if __name__ == "__main__":
    unittest.main()
