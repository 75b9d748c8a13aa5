"""Capacity reservations through boto3, with simulated compute: instances take places and give them back."""
import datetime
import unittest

from ec2_instance_test import Case

NEEDS_BOTO3 = (1, 40)
ZONE = "us-east-1a"


class Capacity(Case):
    def reserve(self, n=2, **kw):
        ask = {"InstanceType": "m5.large", "InstancePlatform": "Linux/UNIX", "AvailabilityZone": ZONE, "InstanceCount": n, **kw}
        return self.ec2.create_capacity_reservation(**ask)["CapacityReservation"]["CapacityReservationId"]

    def left(self, r):
        return self.ec2.describe_capacity_reservations(CapacityReservationIds=[r])["CapacityReservations"][0]["AvailableInstanceCount"]

    def run_in(self, **kw):
        return self.run_one(**{"InstanceType": "m5.large", "Placement": {"AvailabilityZone": ZONE}, **kw})

    def target(self, r):
        return {"CapacityReservationTarget": {"CapacityReservationId": r}}

    def test_open(self):
        r = self.reserve(1, TagSpecifications=[{"ResourceType": "capacity-reservation", "Tags": [{"Key": "k", "Value": "v"}]}])
        [told] = self.ec2.describe_capacity_reservations(Filters=[{"Name": "tag:k", "Values": ["v"]}])["CapacityReservations"]
        self.assertEqual((told["State"], told["TotalInstanceCount"], told["EndDateType"], told["InstanceMatchCriteria"]),
                         ("active", 1, "unlimited", "open"))
        # Others do not match: another type, another zone, and who does not want to.
        self.run_in(InstanceType="t3.micro")
        self.run_in(Placement={"AvailabilityZone": "us-east-1b"})
        self.run_in(CapacityReservationSpecification={"CapacityReservationPreference": "none"})
        self.assertEqual(self.left(r), 1)
        i = self.run_in()
        self.assertEqual((self.left(r), self.describe(i)["CapacityReservationId"]), (0, r))
        usage = self.ec2.get_capacity_reservation_usage(CapacityReservationId=r)
        self.assertEqual((usage["AvailableInstanceCount"], usage["InstanceUsages"][0]["UsedInstanceCount"]), (0, 1))
        # Full: the next one runs outside.
        j = self.run_in()
        self.assertNotIn("CapacityReservationId", self.describe(j))
        # A stopped one gives its place back, and takes one when it starts.
        self.ec2.stop_instances(InstanceIds=[i])
        self.wait(i, "stopped")
        self.assertEqual(self.left(r), 1)
        self.ec2.start_instances(InstanceIds=[i])
        self.wait(i, "running")
        self.assertEqual((self.left(r), self.describe(i)["CapacityReservationId"]), (0, r))
        self.refused("InvalidParameterValue", self.ec2.modify_capacity_reservation, CapacityReservationId=r, InstanceCount=0)
        self.ec2.modify_capacity_reservation(CapacityReservationId=r, InstanceCount=3)
        self.virga.restart()
        self.assertEqual(self.left(r), 2)
        self.ec2.terminate_instances(InstanceIds=[i, j])
        self.assertEqual(self.left(r), 3)
        self.ec2.cancel_capacity_reservation(CapacityReservationId=r)
        self.refused("IncorrectState", self.ec2.cancel_capacity_reservation, CapacityReservationId=r)
        self.assertEqual(self.left(r), 0)

    def test_targeted(self):
        r = self.reserve(2, InstanceMatchCriteria="targeted")
        i = self.run_in()
        self.assertNotIn("CapacityReservationId", self.describe(i))
        k = self.run_in(CapacityReservationSpecification=self.target(r))
        self.assertEqual(self.left(r), 1)
        # As many as are left, where that is enough; else none.
        ask = {"ImageId": self.image, "InstanceType": "m5.large", "Placement": {"AvailabilityZone": ZONE},
               "CapacityReservationSpecification": self.target(r)}
        self.refused("ReservationCapacityExceeded", self.ec2.run_instances, MinCount=2, MaxCount=2, **ask)
        self.assertEqual(self.left(r), 1)
        more = self.ec2.run_instances(MinCount=1, MaxCount=5, **ask)["Instances"]
        self.assertEqual((len(more), self.left(r)), (1, 0))
        self.refused("InvalidParameterValue", self.ec2.run_instances, MinCount=1, MaxCount=1, **{**ask, "InstanceType": "t3.micro"})
        only = {"CapacityReservationPreference": "capacity-reservations-only"}
        self.refused("InsufficientInstanceCapacity", self.ec2.run_instances, MinCount=1, MaxCount=1,
                     **{**ask, "CapacityReservationSpecification": only})
        # What a stopped instance wants may change.
        self.refused("IncorrectInstanceState", self.ec2.modify_instance_capacity_reservation_attributes, InstanceId=k,
                     CapacityReservationSpecification={"CapacityReservationPreference": "none"})
        self.ec2.stop_instances(InstanceIds=[k])
        self.wait(k, "stopped")
        self.ec2.modify_instance_capacity_reservation_attributes(
            InstanceId=k, CapacityReservationSpecification={"CapacityReservationPreference": "none"})
        self.ec2.start_instances(InstanceIds=[k])
        self.wait(k, "running")
        self.assertEqual(self.left(r), 1)

    def test_end_and_bad_input(self):
        soon = datetime.datetime.now() + datetime.timedelta(hours=3)
        r = self.reserve(1, EndDateType="limited", EndDate=soon)
        self.refused("InvalidParameterCombination", self.reserve, EndDateType="limited")
        self.refused("InvalidParameterValue", self.reserve, n=0)
        self.refused("InvalidParameterValue", self.reserve, InstanceType="nonsense")
        self.refused("InvalidCapacityReservationId.NotFound", self.ec2.cancel_capacity_reservation, CapacityReservationId="cr-0123456789abcdef0")
        self.advance("4h")
        [told] = self.ec2.describe_capacity_reservations(CapacityReservationIds=[r])["CapacityReservations"]
        self.assertEqual((told["State"], told["AvailableInstanceCount"]), ("expired", 0))

    def test_default_credits(self):
        ec2 = self.virga.client("ec2", region="eu-west-3")

        def credits():
            return ec2.get_default_credit_specification(InstanceFamily="t3")["InstanceFamilyCreditSpecification"]["CpuCredits"]

        self.assertEqual(credits(), "unlimited")
        self.refused("InvalidParameterValue", ec2.modify_default_credit_specification, InstanceFamily="t3", CpuCredits="some")
        ec2.modify_default_credit_specification(InstanceFamily="t3", CpuCredits="standard")
        self.assertEqual(credits(), "standard")
        image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
        for given, told in (({}, "standard"), ({"CreditSpecification": {"CpuCredits": "unlimited"}}, "unlimited")):
            i = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, **given)["Instances"][0]["InstanceId"]
            [c] = ec2.describe_instance_credit_specifications(InstanceIds=[i])["InstanceCreditSpecifications"]
            self.assertEqual(c["CpuCredits"], told)

    def test_groups_of_a_vpc(self):
        v = self.ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
        g = self.ec2.create_security_group(GroupName="g", Description="d", VpcId=v)["GroupId"]
        found = self.ec2.get_security_groups_for_vpc(VpcId=v)["SecurityGroupForVpcs"]
        self.assertEqual({(x["GroupName"], x["PrimaryVpcId"]) for x in found}, {("g", v), ("default", v)})
        [one] = self.ec2.get_security_groups_for_vpc(VpcId=v, Filters=[{"Name": "group-name", "Values": ["g"]}])["SecurityGroupForVpcs"]
        self.assertEqual(one["GroupId"], g)


if __name__ == "__main__":
    unittest.main()
