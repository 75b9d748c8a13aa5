"""Reserved Instances, reservations of addresses, groups of several VPCs, endpoint services' notifications, Allowed AMIs and other
options of EC2 through boto3, with simulated compute."""
import datetime
import ipaddress
import json
import unittest

from ec2_instance_test import Case, OTHER

NEEDS_BOTO3 = (1, 40)


class Reserved(Case):
    def offers(self, **kw):
        return self.ec2.describe_reserved_instances_offerings(**{"InstanceType": "m5.large", **kw})["ReservedInstancesOfferings"]

    def test_life(self):
        regional = self.offers(OfferingClass="standard", Filters=[{"Name": "scope", "Values": ["Region"]}])
        self.assertEqual({(o["OfferingType"], o["Duration"]) for o in regional}, {
            (t, d) for t in ("No Upfront", "Partial Upfront", "All Upfront") for d in (31536000, 94608000)})
        self.assertEqual(self.offers(), self.offers())
        by = {(o["OfferingType"], o["Duration"]): o for o in regional}
        self.assertEqual(by["No Upfront", 31536000]["FixedPrice"], 0)
        self.assertEqual(by["All Upfront", 31536000]["RecurringCharges"][0]["Amount"], 0)
        zonal = self.offers(OfferingType="All Upfront", Filters=[{"Name": "availability-zone", "Values": ["us-east-1a"]}])
        self.assertEqual({o["Scope"] for o in zonal}, {"Availability Zone"})
        offer = by["Partial Upfront", 31536000]["ReservedInstancesOfferingId"]
        buy = self.ec2.purchase_reserved_instances_offering
        self.refused("InvalidReservedInstancesOfferingId", buy, InstanceCount=1, ReservedInstancesOfferingId="none")
        self.refused("InvalidParameterValue", buy, InstanceCount=0, ReservedInstancesOfferingId=offer)
        self.refused("ReservedInstancesLimitExceeded", buy, InstanceCount=21, ReservedInstancesOfferingId=offer)
        self.refused("InvalidParameterValue", buy, InstanceCount=2, ReservedInstancesOfferingId=offer,
                     LimitPrice={"Amount": 1.0, "CurrencyCode": "USD"})
        r = buy(InstanceCount=2, ReservedInstancesOfferingId=offer)["ReservedInstancesId"]
        later = buy(InstanceCount=1, ReservedInstancesOfferingId=offer,
                    PurchaseTime=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30))["ReservedInstancesId"]
        told = {x["ReservedInstancesId"]: x for x in self.ec2.describe_reserved_instances()["ReservedInstances"]}
        self.assertEqual((told[r]["State"], told[r]["InstanceCount"], told[r]["InstanceType"]), ("active", 2, "m5.large"))
        self.assertEqual((told[r]["End"] - told[r]["Start"]).days, 365)
        self.assertEqual(told[later]["State"], "queued")
        self.refused("InvalidReservedInstancesId", self.ec2.describe_reserved_instances, ReservedInstancesIds=[offer])
        self.virga.restart()
        self.advance("366d")
        of = lambda i: self.ec2.describe_reserved_instances(ReservedInstancesIds=[i])["ReservedInstances"][0]["State"]  # noqa: E731
        self.assertEqual((of(r), of(later)), ("retired", "active"))


class Network(Case):
    def vpc(self, cidr):
        v = self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        return v, self.ec2.create_subnet(VpcId=v, CidrBlock=cidr.replace("/16", "/28"))["Subnet"]["SubnetId"]

    def test_subnet_reservations(self):
        _, s = self.vpc("10.91.0.0/16")
        make = lambda cidr, **kw: self.ec2.create_subnet_cidr_reservation(SubnetId=s, Cidr=cidr, ReservationType="explicit", **kw)  # noqa: E731
        self.refused("InvalidParameterValue", make, cidr="10.91.1.0/30")
        self.refused("InvalidParameterValue", make, cidr="10.91.0.9/30")
        r = make("10.91.0.4/30", Description="mine", TagSpecifications=[
            {"ResourceType": "subnet-cidr-reservation", "Tags": [{"Key": "k", "Value": "v"}]}])["SubnetCidrReservation"]
        self.assertEqual((r["Cidr"], r["ReservationType"], r["Tags"]), ("10.91.0.4/30", "explicit", [{"Key": "k", "Value": "v"}]))
        self.refused("InvalidParameterValue", make, cidr="10.91.0.6/31")
        listed = self.ec2.get_subnet_cidr_reservations(SubnetId=s)["SubnetIpv4CidrReservations"]
        self.assertEqual([x["SubnetCidrReservationId"] for x in listed], [r["SubnetCidrReservationId"]])
        # Of 16 addresses five are AWS's and four are reserved: seven are left; a reserved one is given to who asks for it.
        block = ipaddress.ip_network("10.91.0.4/30")
        got = [self.ec2.create_network_interface(SubnetId=s)["NetworkInterface"]["PrivateIpAddress"] for _ in range(7)]
        self.assertFalse([x for x in got if ipaddress.ip_address(x) in block])
        self.refused("InsufficientFreeAddressesInSubnet", self.ec2.create_network_interface, SubnetId=s)
        self.ec2.create_network_interface(SubnetId=s, PrivateIpAddress="10.91.0.5")
        self.virga.restart()
        gone = self.ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=r["SubnetCidrReservationId"])
        self.assertEqual(gone["DeletedSubnetCidrReservation"]["Cidr"], "10.91.0.4/30")
        self.assertIn(ipaddress.ip_address(self.ec2.create_network_interface(SubnetId=s)["NetworkInterface"]["PrivateIpAddress"]), block)
        self.refused("InvalidSubnetCidrReservationID.NotFound", self.ec2.delete_subnet_cidr_reservation,
                     SubnetCidrReservationId=r["SubnetCidrReservationId"])

    def test_groups_of_several_vpcs(self):
        ec2 = self.ec2
        a, _ = self.vpc("10.92.0.0/16")
        b, subnet = self.vpc("10.93.0.0/16")
        g = ec2.create_security_group(GroupName="both", Description="d", VpcId=a)["GroupId"]
        default = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [a]}, {"Name": "group-name", "Values": ["default"]}])
        default = default["SecurityGroups"][0]["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": default}]}])
        self.refused("InvalidGroup.NotFound", ec2.create_network_interface, SubnetId=subnet, Groups=[g])
        self.refused("InvalidParameterValue", ec2.associate_security_group_vpc, GroupId=g, VpcId=a)
        self.refused("InvalidParameterValue", ec2.associate_security_group_vpc, GroupId=default, VpcId=b)
        self.assertEqual(ec2.associate_security_group_vpc(GroupId=g, VpcId=b)["State"], "associating")
        self.assertIn(g, [x["GroupId"] for x in ec2.get_security_groups_for_vpc(VpcId=b)["SecurityGroupForVpcs"]])
        [told] = ec2.describe_security_group_vpc_associations(Filters=[{"Name": "group-id", "Values": [g]}])["SecurityGroupVpcAssociations"]
        self.assertEqual((told["VpcId"], told["State"]), (b, "associated"))
        e = ec2.create_network_interface(SubnetId=subnet, Groups=[g])["NetworkInterface"]["NetworkInterfaceId"]
        self.refused("DependencyViolation", ec2.disassociate_security_group_vpc, GroupId=g, VpcId=b)
        ec2.delete_network_interface(NetworkInterfaceId=e)
        ec2.disassociate_security_group_vpc(GroupId=g, VpcId=b)
        self.refused("InvalidSecurityGroupVpcAssociation.NotFound", ec2.disassociate_security_group_vpc, GroupId=g, VpcId=b)

    def test_connection_notifications(self):
        ec2, elb, sns, sqs = (self.virga.client(s) for s in ("ec2", "elbv2", "sns", "sqs"))
        subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
        nlb = elb.create_load_balancer(Name="offered", Type="network", Scheme="internal", Subnets=[subnets[0]["SubnetId"]])
        service = ec2.create_vpc_endpoint_service_configuration(
            NetworkLoadBalancerArns=[nlb["LoadBalancers"][0]["LoadBalancerArn"]], AcceptanceRequired=True)["ServiceConfiguration"]
        s = service["ServiceId"]
        topic = sns.create_topic(Name="connections")["TopicArn"]
        make = lambda **kw: ec2.create_vpc_endpoint_connection_notification(  # noqa: E731
            **{"ServiceId": s, "ConnectionNotificationArn": topic, "ConnectionEvents": ["Connect", "Accept", "Delete"], **kw})
        # The topic has to let the service publish.
        self.refused("InvalidParameter", make)
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "vpce.amazonaws.com"},
                                                    "Action": "sns:Publish", "Resource": topic}]}))
        self.refused("InvalidParameter", make, ConnectionEvents=["Explode"])
        self.refused("InvalidParameterCombination", make, VpcEndpointId="vpce-0123456789abcdef0")
        n = make()["ConnectionNotification"]
        self.assertEqual((n["ConnectionNotificationType"], n["ConnectionNotificationState"]), ("Topic", "Enabled"))
        q = sqs.create_queue(QueueName="connections")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=q, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sqs.set_queue_attributes(QueueUrl=q, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}]})})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        heard = []

        def hears(event):
            def look():
                for m in sqs.receive_message(QueueUrl=q, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
                    heard.append(json.loads(m["Body"]))
                return [m for m in heard if m["event"] == event]
            return self.until(look, 60)[0]
        e = ec2.create_vpc_endpoint(VpcEndpointType="Interface", VpcId=subnets[0]["VpcId"], ServiceName=service["ServiceName"],
                                    SubnetIds=[subnets[0]["SubnetId"]])["VpcEndpoint"]["VpcEndpointId"]
        told = hears("Connect")
        self.assertEqual((told["serviceId"], told["vpcEndpointId"]), (s, e))
        ec2.accept_vpc_endpoint_connections(ServiceId=s, VpcEndpointIds=[e])
        hears("Accept")
        i = n["ConnectionNotificationId"]
        ec2.modify_vpc_endpoint_connection_notification(ConnectionNotificationId=i, ConnectionEvents=["Delete"])
        shown = ec2.describe_vpc_endpoint_connection_notifications(ConnectionNotificationId=i)["ConnectionNotificationSet"]
        self.assertEqual(shown[0]["ConnectionEvents"], ["Delete"])
        ec2.delete_vpc_endpoints(VpcEndpointIds=[e])
        hears("Delete")
        self.assertFalse([m for m in heard if m["event"] == "Reject"])
        ec2.modify_vpc_endpoint_service_payer_responsibility(ServiceId=s, PayerResponsibility="ServiceOwner")
        self.assertEqual(ec2.describe_vpc_endpoint_service_configurations(ServiceIds=[s])["ServiceConfigurations"][0]
                         ["PayerResponsibility"], "ServiceOwner")
        self.assertEqual(ec2.delete_vpc_endpoint_connection_notifications(ConnectionNotificationIds=[i])["Unsuccessful"], [])
        [gone] = ec2.delete_vpc_endpoint_connection_notifications(ConnectionNotificationIds=[i])["Unsuccessful"]
        self.assertEqual(gone["Error"]["Code"], "InvalidConnectionNotification")


class Options(Case):
    def test_cpu_options(self):
        i = self.run_one(InstanceType="m5.2xlarge")
        change = lambda **kw: self.ec2.modify_instance_cpu_options(InstanceId=i, **kw)  # noqa: E731
        self.refused("IncorrectInstanceState", change, CoreCount=2)
        self.ec2.stop_instances(InstanceIds=[i])
        self.wait(i, "stopped")
        self.refused("InvalidParameterValue", change, CoreCount=5)
        told = change(CoreCount=2, ThreadsPerCore=1)
        self.assertEqual((told["CoreCount"], told["ThreadsPerCore"]), (2, 1))
        self.assertEqual(self.describe(i)["CpuOptions"], {"CoreCount": 2, "ThreadsPerCore": 1})
        self.assertEqual(self.ec2.get_password_data(InstanceId=i)["PasswordData"], "")

    def test_serial_console(self):
        self.assertFalse(self.ec2.get_serial_console_access_status()["SerialConsoleAccessEnabled"])
        self.assertTrue(self.ec2.enable_serial_console_access()["SerialConsoleAccessEnabled"])
        self.assertTrue(self.ec2.get_serial_console_access_status()["SerialConsoleAccessEnabled"])
        self.assertFalse(self.ec2.disable_serial_console_access()["SerialConsoleAccessEnabled"])

    def test_allowed_images(self):
        ec2 = self.virga.client("ec2", key=OTHER)
        ask = {"ImageId": self.image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
        shown = lambda: len(ec2.describe_images(ImageIds=[self.image])["Images"])  # noqa: E731
        self.assertEqual(ec2.get_allowed_images_settings()["State"], "disabled")
        ec2.replace_image_criteria_in_allowed_images_settings(ImageCriteria=[{"ImageProviders": ["123456789012"]}])
        ec2.enable_allowed_images_settings(AllowedImagesSettingsState="audit-mode")
        self.assertEqual(shown(), 1)
        ec2.run_instances(**ask)
        ec2.enable_allowed_images_settings(AllowedImagesSettingsState="enabled")
        self.assertEqual(shown(), 0)
        self.refused("InvalidAMIID.NotFound", ec2.run_instances, **ask)
        owner = self.ec2.describe_images(ImageIds=[self.image])["Images"][0]["OwnerId"]
        ec2.replace_image_criteria_in_allowed_images_settings(ImageCriteria=[{"ImageProviders": [owner], "ImageNames": ["debian-*"]}])
        told = ec2.get_allowed_images_settings()
        self.assertEqual((told["State"], told["ImageCriteria"][0]["ImageNames"]), ("enabled", ["debian-*"]))
        self.assertEqual(shown(), 1)
        ec2.run_instances(**ask)
        ec2.replace_image_criteria_in_allowed_images_settings(ImageCriteria=[{"ImageNames": ["windows-*"]}])
        self.assertEqual(shown(), 0)
        ec2.disable_allowed_images_settings()
        self.assertEqual(shown(), 1)


del Case

if __name__ == "__main__":
    unittest.main()
