"""EC2 Fleets and Spot Fleets through boto3, with simulated compute: what is launched where, replaced, shed and ended."""
import datetime
import unittest
import uuid

from ec2_instance_test import Case

NEEDS_BOTO3 = (1, 40)
OLD = datetime.datetime(2020, 1, 1)


class Fleets(Case):
    def setUp(self):
        self.template = self.ec2.create_launch_template(
            LaunchTemplateName=f"t-{uuid.uuid4()}", LaunchTemplateData={"ImageId": self.image, "InstanceType": "t3.micro"},
        )["LaunchTemplate"]["LaunchTemplateId"]
        vpc = self.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        self.subnets = {s["AvailabilityZone"]: s["SubnetId"] for s in self.ec2.describe_subnets(
            Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]}

    def config(self, *overrides):
        return [{"LaunchTemplateSpecification": {"LaunchTemplateId": self.template, "Version": "$Latest"}, "Overrides": list(overrides)}]

    def fleet(self, f):
        return self.ec2.describe_fleets(FleetIds=[f])["Fleets"][0]

    def active(self, f):
        return self.ec2.describe_fleet_instances(FleetId=f)["ActiveInstances"]

    def instances(self, ids):
        return [i for r in self.ec2.describe_instances(InstanceIds=ids)["Reservations"] for i in r["Instances"]]

    def test_instant(self):
        a, b = self.subnets["us-east-1a"], self.subnets["us-east-1b"]
        token = str(uuid.uuid4())
        ask = {"Type": "instant", "ClientToken": token, "TargetCapacitySpecification": {
            "TotalTargetCapacity": 5, "OnDemandTargetCapacity": 2, "DefaultTargetCapacityType": "spot"},
            "SpotOptions": {"AllocationStrategy": "diversified"},
            "OnDemandOptions": {"AllocationStrategy": "prioritized"},
            "LaunchTemplateConfigs": self.config({"SubnetId": a, "Priority": 2.0}, {"SubnetId": b, "Priority": 1.0},
                                                 {"InstanceType": "m5.large", "SubnetId": a, "Priority": 3.0}),
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]},
                                  {"ResourceType": "fleet", "Tags": [{"Key": "f", "Value": "g"}]}]}
        made = self.ec2.create_fleet(**ask)
        self.assertEqual(made["Errors"], [])
        f = made["FleetId"]
        groups = {(g["Lifecycle"], g["InstanceType"], g["LaunchTemplateAndOverrides"]["Overrides"]["SubnetId"]): g["InstanceIds"]
                  for g in made["Instances"]}
        # On-Demand by priority: all in b. Spot over all three pools.
        self.assertEqual({k: len(v) for k, v in groups.items()}, {
            ("on-demand", "t3.micro", b): 2, ("spot", "t3.micro", a): 1, ("spot", "t3.micro", b): 1, ("spot", "m5.large", a): 1})
        ids = [i for v in groups.values() for i in v]
        for i in self.instances(ids):
            tags = {t["Key"]: t["Value"] for t in i["Tags"]}
            self.assertEqual((tags["aws:ec2:fleet-id"], tags["k"]), (f, "v"))
            self.assertEqual(i.get("InstanceLifecycle") == "spot", i["InstanceId"] not in groups["on-demand", "t3.micro", b])
        again = self.ec2.create_fleet(**ask)
        self.assertEqual((again["FleetId"], again["Instances"]), (f, made["Instances"]))
        self.refused("IdempotentParameterMismatch", self.ec2.create_fleet, **{**ask, "SpotOptions": {"AllocationStrategy": "lowest-price"}})
        told = self.fleet(f)
        self.assertEqual((told["FleetState"], told["FulfilledCapacity"], told["FulfilledOnDemandCapacity"]), ("active", 5.0, 2.0))
        self.assertEqual(told["Tags"], [{"Key": "f", "Value": "g"}])
        self.assertNotIn("ActivityStatus", told)
        self.assertNotIn(f, [x["FleetId"] for x in self.ec2.describe_fleets()["Fleets"]])
        # Not without its instances; with them they end.
        no = self.ec2.delete_fleets(FleetIds=[f, "fleet-0", "x"], TerminateInstances=False)["UnsuccessfulFleetDeletions"]
        self.assertEqual([e["Error"]["Code"] for e in no], ["fleetNotInDeletableState", "fleetIdDoesNotExist", "fleetIdMalformed"])
        [gone] = self.ec2.delete_fleets(FleetIds=[f], TerminateInstances=True)["SuccessfulFleetDeletions"]
        self.assertEqual((gone["PreviousFleetState"], gone["CurrentFleetState"]), ("active", "deleted_terminating"))
        self.until(lambda: self.fleet(f)["FleetState"] == "deleted")
        self.assertEqual({i["State"]["Name"] for i in self.instances(ids)}, {"terminated"})

    def test_instant_where_some_cannot(self):
        small = self.ec2.create_vpc(CidrBlock="10.9.0.0/28")["Vpc"]["VpcId"]
        s = self.ec2.create_subnet(VpcId=small, CidrBlock="10.9.0.0/28", AvailabilityZone="us-east-1c")["Subnet"]["SubnetId"]
        target = {"TotalTargetCapacity": 13, "DefaultTargetCapacityType": "on-demand"}
        made = self.ec2.create_fleet(Type="instant", LaunchTemplateConfigs=self.config({"SubnetId": s}), TargetCapacitySpecification=target)
        self.assertEqual(len(made["Instances"][0]["InstanceIds"]), 11)
        [e] = made["Errors"]
        self.assertEqual((e["ErrorCode"], e["Lifecycle"]), ("InsufficientFreeAddressesInSubnet", "on-demand"))
        self.ec2.delete_fleets(FleetIds=[made["FleetId"]], TerminateInstances=True)
        # A minimum: all or nothing.
        before = len(self.ec2.describe_instances()["Reservations"])
        other = self.ec2.create_subnet(VpcId=self.ec2.create_vpc(CidrBlock="10.8.0.0/28")["Vpc"]["VpcId"], CidrBlock="10.8.0.0/28")["Subnet"]
        self.refused("InsufficientInstanceCapacity", self.ec2.create_fleet, Type="instant", TargetCapacitySpecification=target,
                     LaunchTemplateConfigs=self.config({"SubnetId": other["SubnetId"]}), OnDemandOptions={"MinTargetCapacity": 12})
        self.assertEqual(len(self.ec2.describe_instances()["Reservations"]), before)
        # A price below that of the market.
        made = self.ec2.create_fleet(Type="instant", LaunchTemplateConfigs=self.config({"MaxPrice": "0.0001"}),
                                     TargetCapacitySpecification={"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"})
        self.assertEqual([e["ErrorCode"] for e in made["Errors"]], ["SpotMaxPriceTooLow"])
        self.assertEqual(made["Instances"], [])

    def test_attributes_instead_of_types(self):
        wanted = {"VCpuCount": {"Min": 2, "Max": 2}, "MemoryMiB": {"Min": 8192, "Max": 8192}, "InstanceGenerations": ["current"],
                  "CpuManufacturers": ["intel"]}
        ask = {"ArchitectureTypes": ["x86_64"], "VirtualizationTypes": ["hvm"], "InstanceRequirements": wanted}
        found = [t["InstanceType"] for t in self.ec2.get_instance_types_from_instance_requirements(**ask)["InstanceTypes"]]
        self.assertIn("m5.large", found)
        for t in self.ec2.describe_instance_types(InstanceTypes=found)["InstanceTypes"]:
            self.assertEqual((t["VCpuInfo"]["DefaultVCpus"], t["MemoryInfo"]["SizeInMiB"]), (2, 8192))
            self.assertFalse(t["BurstablePerformanceSupported"])
        with_burstable = self.ec2.get_instance_types_from_instance_requirements(
            **{**ask, "InstanceRequirements": {**wanted, "BurstablePerformance": "required"}})["InstanceTypes"]
        self.assertIn({"InstanceType": "t3.large"}, with_burstable)
        self.refused("InvalidParameterCombination", self.ec2.get_instance_types_from_instance_requirements, **{
            **ask, "InstanceRequirements": {**wanted, "AllowedInstanceTypes": ["m5.*"], "ExcludedInstanceTypes": ["c5.*"]}})
        made = self.ec2.create_fleet(Type="instant", LaunchTemplateConfigs=self.config({"InstanceRequirements": {**wanted, "AllowedInstanceTypes": ["m5*"]}}),
                                     TargetCapacitySpecification={"TotalTargetCapacity": 2, "DefaultTargetCapacityType": "on-demand"})
        self.assertTrue(all(g["InstanceType"].startswith("m5") for g in made["Instances"]), made)
        self.assertEqual(sum(len(g["InstanceIds"]) for g in made["Instances"]), 2)
        self.refused("InvalidParameterValue", self.ec2.create_fleet, Type="instant",
                     LaunchTemplateConfigs=self.config({"InstanceRequirements": {"VCpuCount": {"Min": 9999}, "MemoryMiB": {"Min": 1}}}),
                     TargetCapacitySpecification={"TotalTargetCapacity": 1})

    def test_maintain(self):
        f = self.ec2.create_fleet(Type="maintain", LaunchTemplateConfigs=self.config({"WeightedCapacity": 2.0}),
                                  TargetCapacitySpecification={"TotalTargetCapacity": 5, "DefaultTargetCapacityType": "on-demand"})["FleetId"]
        self.until(lambda: self.fleet(f)["ActivityStatus"] == "fulfilled")
        told = self.fleet(f)
        self.assertEqual((told["FleetState"], told["FulfilledCapacity"]), ("active", 6.0))
        ids = [i["InstanceId"] for i in self.active(f)]
        self.assertEqual(len(ids), 3)
        # What ends is replaced.
        self.wait(ids[0], "running")
        self.ec2.terminate_instances(InstanceIds=[ids[0]])
        self.until(lambda: len(set(i["InstanceId"] for i in self.active(f)) - set(ids)) == 1)
        # More, then less.
        self.ec2.modify_fleet(FleetId=f, TargetCapacitySpecification={"TotalTargetCapacity": 10})
        self.until(lambda: self.fleet(f)["FulfilledCapacity"] == 10.0)
        self.ec2.modify_fleet(FleetId=f, TargetCapacitySpecification={"TotalTargetCapacity": 2})
        self.until(lambda: self.fleet(f)["FulfilledCapacity"] == 2.0)
        self.assertEqual(self.fleet(f)["FleetState"], "active")
        self.ec2.modify_fleet(FleetId=f, ExcessCapacityTerminationPolicy="no-termination",
                              TargetCapacitySpecification={"TotalTargetCapacity": 0})
        self.until(lambda: self.fleet(f)["FleetState"] == "active")
        self.assertEqual(self.fleet(f)["FulfilledCapacity"], 2.0)
        events = self.ec2.describe_fleet_history(FleetId=f, StartTime=OLD)["HistoryRecords"]
        subtypes = [e["EventInformation"]["EventSubType"] for e in events]
        self.assertEqual(subtypes[:2], ["submitted", "active"])
        # It outlives a crash, with its instances.
        [last] = [i["InstanceId"] for i in self.active(f)]
        self.virga.restart()
        self.assertEqual([i["InstanceId"] for i in self.active(f)], [last])
        self.ec2.delete_fleets(FleetIds=[f], TerminateInstances=False)
        self.assertEqual(self.fleet(f)["FleetState"], "deleted_running")
        self.ec2.terminate_instances(InstanceIds=[last])
        self.until(lambda: self.fleet(f)["FleetState"] == "deleted")
        self.advance("49h")
        self.refused("InvalidFleetId.NotFound", self.ec2.describe_fleets, FleetIds=[f])

    def test_request_and_its_end(self):
        f = self.ec2.create_fleet(Type="request", LaunchTemplateConfigs=self.config(), TerminateInstancesWithExpiration=True,
                                  ValidUntil=datetime.datetime.now() + datetime.timedelta(days=400),
                                  TargetCapacitySpecification={"TotalTargetCapacity": 2, "DefaultTargetCapacityType": "spot"})["FleetId"]
        self.until(lambda: len(self.active(f)) == 2)
        [a, b] = [i["InstanceId"] for i in self.active(f)]
        self.assertTrue(all(i["SpotInstanceRequestId"].startswith("sir-") for i in self.active(f)))
        # Not replaced.
        self.ec2.terminate_instances(InstanceIds=[a])
        self.wait(a, "terminated")
        self.until(lambda: self.fleet(f)["FulfilledCapacity"] == 1.0)
        self.assertEqual([i["InstanceId"] for i in self.active(f)], [b])
        self.refused("InvalidParameterValue", self.ec2.modify_fleet, FleetId=f, TargetCapacitySpecification={"TotalTargetCapacity": 9})
        self.advance("401d")
        self.until(lambda: self.fleet(f)["FleetState"] in ("deleted_terminating", "deleted"))

    def test_bad_input(self):
        ask = {"LaunchTemplateConfigs": self.config(), "TargetCapacitySpecification": {"TotalTargetCapacity": 1}}
        self.refused("InvalidLaunchTemplateId.NotFound", self.ec2.create_fleet, **{**ask, "LaunchTemplateConfigs": [
            {"LaunchTemplateSpecification": {"LaunchTemplateId": "lt-0123456789abcdef0", "Version": "1"}}]})
        self.refused("InvalidParameterValue", self.ec2.create_fleet, **{**ask, "TargetCapacitySpecification": {
            "TotalTargetCapacity": 1, "OnDemandTargetCapacity": 5, "DefaultTargetCapacityType": "spot"}})
        self.refused("InvalidParameterValue", self.ec2.create_fleet, **{**ask, "LaunchTemplateConfigs": self.config({"WeightedCapacity": 0.0})})
        self.refused("InvalidFleetId.NotFound", self.ec2.describe_fleet_history, FleetId=f"fleet-{uuid.uuid4()}", StartTime=OLD)
        self.refused("NotImplemented", self.ec2.create_fleet, **{**ask, "OnDemandOptions": {"MaxTotalPrice": "1"}})

    def test_spot_fleet(self):
        role = "arn:aws:iam::000000000000:role/aws-ec2-spot-fleet-tagging-role"
        a, b = self.subnets["us-east-1a"], self.subnets["us-east-1b"]
        config = {"IamFleetRole": role, "TargetCapacity": 4, "AllocationStrategy": "diversified", "LaunchSpecifications": [
            {"ImageId": self.image, "InstanceType": "t3.micro", "SubnetId": f"{a}, {b}", "TagSpecifications": [
                {"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}]}]}
        f = self.ec2.request_spot_fleet(SpotFleetRequestConfig=config)["SpotFleetRequestId"]

        def told():
            return self.ec2.describe_spot_fleet_requests(SpotFleetRequestIds=[f])["SpotFleetRequestConfigs"][0]

        self.until(lambda: told()["ActivityStatus"] == "fulfilled")
        self.assertEqual((told()["SpotFleetRequestState"], told()["SpotFleetRequestConfig"]["FulfilledCapacity"]), ("active", 4.0))
        active = self.ec2.describe_spot_fleet_instances(SpotFleetRequestId=f)["ActiveInstances"]
        made = self.instances([i["InstanceId"] for i in active])
        self.assertEqual(sorted(i["SubnetId"] for i in made), sorted([a, a, b, b]))
        self.assertEqual({i["InstanceLifecycle"] for i in made}, {"spot"})
        self.assertIn({"Key": "k", "Value": "v"}, made[0]["Tags"])
        self.ec2.modify_spot_fleet_request(SpotFleetRequestId=f, TargetCapacity=1)
        self.until(lambda: told()["SpotFleetRequestConfig"]["FulfilledCapacity"] == 1.0)
        events = self.ec2.describe_spot_fleet_request_history(SpotFleetRequestId=f, StartTime=OLD, EventType="instanceChange")["HistoryRecords"]
        self.assertEqual([e["EventInformation"]["EventSubType"] for e in events].count("launched"), 4)
        both = {**config, "LaunchTemplateConfigs": [{"LaunchTemplateSpecification": {"LaunchTemplateId": self.template, "Version": "1"}}]}
        self.refused("InvalidSpotFleetRequestConfig", self.ec2.request_spot_fleet, SpotFleetRequestConfig=both)
        out = self.ec2.cancel_spot_fleet_requests(SpotFleetRequestIds=[f, f"sfr-{uuid.uuid4()}"], TerminateInstances=True)
        self.assertEqual(out["SuccessfulFleetRequests"][0]["CurrentSpotFleetRequestState"], "cancelled_terminating")
        self.assertEqual(out["UnsuccessfulFleetRequests"][0]["Error"]["Code"], "fleetRequestIdDoesNotExist")
        self.until(lambda: told()["SpotFleetRequestState"] == "cancelled")


if __name__ == "__main__":
    unittest.main()
