"""Scheduled events, event windows, Dedicated Hosts, Spot interruptions and placement groups through boto3, with simulated compute."""
import datetime
import subprocess
import time
import unittest

from ec2_instance_test import Case
from virga import BINARY

NEEDS_BOTO3 = (1, 40)
ZONE = "us-east-1a"
HOUR = datetime.timedelta(hours=1)


class Faults(Case):
    def fault(self, *words, code=0):
        run = subprocess.run([BINARY, "fault", "--endpoint", self.virga.endpoint, *words], capture_output=True, text=True)
        self.assertEqual(run.returncode != 0, code != 0, run.stderr + run.stdout)
        return run.stdout + run.stderr

    def events(self, i):
        found = self.ec2.describe_instance_status(InstanceIds=[i], IncludeAllInstances=True)["InstanceStatuses"]
        return found[0].get("Events", [])

    def now(self):
        """The virtual time, to a second."""
        import json
        return datetime.datetime.fromisoformat(json.loads(self.virga.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))


class Events(Faults):
    def test_stop_at_its_time(self):
        i = self.run_one()
        self.assertIn("scheduled", self.fault("event", i, "instance-retirement", "2d"))
        [e] = self.events(i)
        self.assertEqual((e["Code"], "NotBeforeDeadline" in e), ("instance-retirement", False))
        self.assertTrue(e["InstanceEventId"].startswith("instance-event-"))
        by = self.ec2.describe_instance_status(Filters=[{"Name": "event.code", "Values": ["instance-retirement"]}])["InstanceStatuses"]
        self.assertIn(i, [s["InstanceId"] for s in by])
        # A retirement has no deadline, so it cannot be put off.
        self.refused("InstanceEventStartTimeCannotChange", self.ec2.modify_instance_event_start_time, InstanceId=i,
                     InstanceEventId=e["InstanceEventId"], NotBefore=e["NotBefore"] + HOUR)
        self.advance("47h")
        self.assertEqual(self.describe(i)["State"]["Name"], "running")
        self.virga.restart()
        self.advance("2h")
        self.wait(i, "stopped")
        self.assertEqual(self.describe(i)["StateReason"]["Code"], "Server.ScheduledStop")
        [e] = self.events(i)
        self.assertTrue(e["Description"].startswith("[Completed] "), e)
        self.ec2.start_instances(InstanceIds=[i])
        self.wait(i, "running")
        self.advance("8d")
        self.until(lambda: not self.events(i))

    def test_change_and_cancel(self):
        i = self.run_one()
        self.fault("event", i, "system-reboot", "3d")
        [e] = self.events(i)
        self.assertEqual(e["NotAfter"] - e["NotBefore"], 2 * HOUR)
        change = lambda at, **kw: self.ec2.modify_instance_event_start_time(  # noqa: E731
            **{"InstanceId": i, "InstanceEventId": e["InstanceEventId"], "NotBefore": at, **kw})
        self.refused("InvalidInstanceEventIDNotFound", change, at=e["NotBefore"], InstanceEventId="instance-event-0")
        self.refused("InvalidInstanceEventStartTime", change, at=self.now() + HOUR / 2)
        self.refused("InvalidInstanceEventStartTime", change, at=e["NotBeforeDeadline"] + HOUR)
        later = e["NotBefore"] + 10 * HOUR
        moved = change(at=later)["Event"]
        self.assertEqual((moved["NotBefore"], moved["NotAfter"]), (later, later + 2 * HOUR))
        self.advance("3d1h")
        self.assertFalse(self.events(i)[0]["Description"].startswith("["))
        # A stop and a start bring it to other hardware.
        self.ec2.stop_instances(InstanceIds=[i])
        self.wait(i, "stopped")
        self.ec2.start_instances(InstanceIds=[i])
        self.assertTrue(self.events(i)[0]["Description"].startswith("[Canceled] "))
        # One that the user's own reboot settles.
        self.wait(i, "running")
        self.fault("event", i, "instance-reboot", "3d")
        self.ec2.reboot_instances(InstanceIds=[i])
        self.assertTrue(self.events(i)[1]["Description"].startswith("[Completed] "))

    def test_faults_refused(self):
        self.assertIn("there is no", self.fault("event", "i-00000000000000000", "instance-stop", code=1))
        i = self.run_one()
        self.assertIn("code", self.fault("event", i, "instance-explosion", code=1))
        self.assertIn("not a Spot Instance", self.fault("spot", i, code=1))
        self.fault("event", i, code=1)
        self.ec2.terminate_instances(InstanceIds=[i])
        self.fault("event", i, "instance-stop", code=1)

    def test_notification_attributes(self):
        of = lambda r: (r["InstanceTagAttribute"]["IncludeAllTagsOfInstance"], r["InstanceTagAttribute"]["InstanceTagKeys"])  # noqa: E731
        self.assertEqual(of(self.ec2.describe_instance_event_notification_attributes()), (False, []))
        self.assertEqual(of(self.ec2.register_instance_event_notification_attributes(
            InstanceTagAttribute={"InstanceTagKeys": ["a", "b"]})), (False, ["a", "b"]))
        self.ec2.register_instance_event_notification_attributes(InstanceTagAttribute={"IncludeAllTagsOfInstance": True})
        self.ec2.deregister_instance_event_notification_attributes(InstanceTagAttribute={"InstanceTagKeys": ["a"]})
        self.assertEqual(of(self.ec2.describe_instance_event_notification_attributes()), (True, ["b"]))
        self.ec2.deregister_instance_event_notification_attributes(
            InstanceTagAttribute={"IncludeAllTagsOfInstance": True, "InstanceTagKeys": ["b"]})


class Windows(Faults):
    def window(self, **kw):
        return self.ec2.create_instance_event_window(**kw)["InstanceEventWindow"]["InstanceEventWindowId"]

    def shown(self, w):
        return self.ec2.describe_instance_event_windows(InstanceEventWindowIds=[w])["InstanceEventWindows"][0]

    def test_times(self):
        make = self.ec2.create_instance_event_window
        ranges = lambda *hours: [{"StartWeekDay": "monday", "StartHour": a, "EndWeekDay": "monday", "EndHour": b} for a, b in hours]  # noqa: E731
        self.refused("MissingParameter", make, Name="none")
        self.refused("InvalidParameterCombination", make, TimeRanges=ranges((2, 8)), CronExpression="* 0-4 * * 1")
        self.refused("InvalidParameterValue", make, TimeRanges=ranges((2, 3), (5, 9)))
        self.refused("InvalidParameterValue", make, TimeRanges=ranges((2, 5)))
        for bad in ("* 0-1 * * 1", "0 0-4 * * *", "* 4 * * 1", "* 0-4 * *", "* 0-4 * * 7", "* 0-24 * * *", "* 0-3 * * SUN", "* a-b * * *"):
            self.refused("InvalidParameterValue", make, CronExpression=bad)
        w = self.window(Name="nights", CronExpression="* 21-23,1-4 * * MON-FRI", TagSpecifications=[
            {"ResourceType": "instance-event-window", "Tags": [{"Key": "k", "Value": "v"}]}])
        self.assertEqual((self.shown(w)["State"], self.shown(w)["Tags"]), ("active", [{"Key": "k", "Value": "v"}]))
        self.assertEqual(self.ec2.describe_instance_event_windows(
            Filters=[{"Name": "event-window-name", "Values": ["nights"]}])["InstanceEventWindows"][0]["InstanceEventWindowId"], w)
        told = self.ec2.modify_instance_event_window(InstanceEventWindowId=w, TimeRanges=ranges((2, 8)))["InstanceEventWindow"]
        self.assertEqual((told["TimeRanges"][0]["EndHour"], "CronExpression" in told), (8, False))
        self.assertEqual(self.ec2.delete_instance_event_window(InstanceEventWindowId=w)["InstanceEventWindowState"]["State"], "deleting")
        self.refused("InvalidInstanceEventWindowId.NotFound", self.ec2.describe_instance_event_windows, InstanceEventWindowIds=[w])

    def test_events_are_scheduled_within(self):
        i = self.run_one(TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "night", "Value": "yes"}]}])
        w, v = self.window(CronExpression="* 2-6 * * 0"), self.window(CronExpression="* 0-4 * * *")
        associate = lambda w, **t: self.ec2.associate_instance_event_window(InstanceEventWindowId=w, AssociationTarget=t)  # noqa: E731
        self.refused("InvalidParameterCombination", associate, w=w, InstanceIds=[i], InstanceTags=[{"Key": "a", "Value": "b"}])
        self.refused("InvalidInstanceID.NotFound", associate, w=w, InstanceIds=["i-00000000000000000"])
        told = associate(w, InstanceTags=[{"Key": "night", "Value": "yes"}])["InstanceEventWindow"]["AssociationTarget"]
        self.assertEqual(told["Tags"], [{"Key": "night", "Value": "yes"}])
        self.refused("InvalidParameterValue", associate, w=v, InstanceTags=[{"Key": "night", "Value": "yes"}])
        self.refused("InvalidParameterCombination", associate, w=w, InstanceIds=[i])
        self.fault("event", i, "instance-stop", "1h")
        [e] = self.events(i)
        at = e["NotBefore"]
        self.assertEqual((at.weekday(), 2 <= at.hour < 6), (6, True), at)
        self.assertGreaterEqual(at, self.now() + HOUR - 2 * HOUR / 60)
        self.refused("DependencyViolation", self.ec2.delete_instance_event_window, InstanceEventWindowId=w)
        out = self.ec2.disassociate_instance_event_window(InstanceEventWindowId=w, AssociationTarget={
            "InstanceTags": [{"Key": "night", "Value": "yes"}]})["InstanceEventWindow"]
        self.assertNotIn("AssociationTarget", out)
        associate(v, InstanceIds=[i])
        self.ec2.delete_instance_event_window(InstanceEventWindowId=v, ForceDelete=True)
        self.advance(f"{int((at - self.now()).total_seconds()) + 60}s")
        self.wait(i, "stopped")


class Hosts(Faults):
    def allocate(self, **kw):
        return self.ec2.allocate_hosts(**{"InstanceType": "m5.large", "AvailabilityZone": ZONE, "Quantity": 1, **kw})["HostIds"]

    def host(self, h):
        return self.ec2.describe_hosts(HostIds=[h])["Hosts"][0]

    def release(self, h):
        return self.ec2.release_hosts(HostIds=[h])

    def left(self, h):
        return self.host(h)["AvailableCapacity"]["AvailableInstanceCapacity"][0]["AvailableCapacity"]

    def run_on(self, host=None, state="running", **placement):
        where = {"AvailabilityZone": ZONE, "Tenancy": "host", **({"HostId": host} if host else {}), **placement}
        return self.run_one(InstanceType="m5.large", Placement=where, state=state)

    def test_life(self):
        self.refused("InvalidParameterCombination", self.allocate, InstanceFamily="m5")
        self.refused("InvalidParameterValue", self.allocate, InstanceType="m5.huge")
        [h] = self.allocate(AutoPlacement="off", ClientToken="once", TagSpecifications=[
            {"ResourceType": "dedicated-host", "Tags": [{"Key": "k", "Value": "v"}]}])
        self.assertEqual(self.allocate(AutoPlacement="off", ClientToken="once"), [h])
        told = self.host(h)
        self.assertEqual((told["State"], told["HostProperties"]["TotalVCpus"], told["AllowsMultipleInstanceTypes"], told["Tags"]),
                         ("available", 96, "off", [{"Key": "k", "Value": "v"}]))
        self.assertEqual(self.left(h), 48)
        # Only who names it gets a place.
        self.refused("InsufficientCapacityOnHost", self.run_on)
        self.refused("UnsupportedInstanceTypeOnHost", self.run_one, InstanceType="m5.xlarge",
                     Placement={"AvailabilityZone": ZONE, "Tenancy": "host", "HostId": h})
        self.refused("InvalidParameterValue", self.run_on, host=h, AvailabilityZone="us-east-1b")
        self.refused("InvalidParameterCombination", self.run_one, Placement={"HostId": h})
        i = self.run_on(h, Affinity="host")
        p = self.describe(i)["Placement"]
        self.assertEqual((p["HostId"], p["Tenancy"], p["Affinity"]), (h, "host", "host"))
        self.assertEqual((self.left(h), self.host(h)["Instances"][0]["InstanceId"]), (47, i))
        [bad] = self.release(h)["Unsuccessful"]
        self.assertEqual((bad["ResourceId"], bad["Error"]["Code"]), (h, "Client.InvalidHost.Occupied"))
        self.ec2.stop_instances(InstanceIds=[i])
        self.wait(i, "stopped")
        self.assertEqual((self.left(h), self.describe(i)["Placement"]["HostId"]), (48, h))
        # On to another host.
        [g] = self.allocate()
        self.ec2.modify_instance_placement(InstanceId=i, HostId=g)
        self.assertEqual(self.release(h)["Successful"], [h])
        self.assertEqual(self.host(h)["State"], "released")
        self.ec2.start_instances(InstanceIds=[i])
        self.assertEqual((self.describe(i)["Placement"]["HostId"], self.left(g)), (g, 47))
        [r] = [x for x in self.ec2.modify_hosts(HostIds=[g], InstanceType="m5.xlarge")["Unsuccessful"]]
        self.assertEqual(r["Error"]["Code"], "Client.InvalidHostConfiguration")
        self.assertEqual(self.ec2.modify_hosts(HostIds=[g], InstanceFamily="m5", AutoPlacement="on")["Successful"], [g])
        self.assertEqual(self.host(g)["AllowsMultipleInstanceTypes"], "on")
        j = self.run_on()
        self.assertEqual(self.describe(j)["Placement"]["HostId"], g)
        self.virga.restart()
        self.assertEqual({x["InstanceId"] for x in self.host(g)["Instances"]}, {i, j})
        self.ec2.terminate_instances(InstanceIds=[i, j])
        self.until(lambda: self.release(g)["Successful"] == [g])

    def test_full(self):
        [h] = self.allocate(InstanceType="c5.large", AutoPlacement="on")
        total = self.left(h)
        self.assertGreater(total, 10)
        [g] = self.allocate(InstanceType="t3.2xlarge", AutoPlacement="off")
        place = {"AvailabilityZone": ZONE, "Tenancy": "host", "HostId": g}
        n = self.left(g)
        full = [self.run_one(InstanceType="t3.2xlarge", Placement=place) for _ in range(n)]
        self.refused("InsufficientCapacityOnHost", self.run_one, InstanceType="t3.2xlarge", Placement=place)
        self.ec2.terminate_instances(InstanceIds=full)
        self.assertEqual(self.left(g), n)
        self.release(g), self.release(h)

    def test_failure(self):
        [h] = self.allocate(HostRecovery="on")
        i = self.run_on(h)
        self.fault("host", h)
        self.assertEqual(self.host(h)["State"], "released-permanent-failure")
        g = self.describe(i)["Placement"]["HostId"]
        self.assertNotEqual(g, h)
        self.assertEqual((self.host(g)["State"], self.host(g)["Instances"][0]["InstanceId"]), ("available", i))
        self.assertEqual(self.describe(i)["State"]["Name"], "running")
        # Without recovery its instances retire.
        self.ec2.modify_hosts(HostIds=[g], HostRecovery="off")
        self.fault("host", g, "1d")
        self.assertEqual((self.host(g)["State"], self.events(i)[0]["Code"]), ("permanent-failure", "instance-retirement"))
        self.advance("25h")
        self.wait(i, "stopped")
        self.refused("InsufficientCapacityOnHost", self.ec2.start_instances, InstanceIds=[i])
        self.assertEqual(self.release(g)["Successful"], [g])
        self.assertIn("there is no", self.fault("host", "h-00000000000000000", code=1))

    def test_dedicated_vpc(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.77.0.0/16", InstanceTenancy="dedicated")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.1.0/24")["Subnet"]["SubnetId"]
        i = self.run_one(SubnetId=subnet)
        self.assertEqual(self.describe(i)["Placement"]["Tenancy"], "dedicated")


class Spot(Faults):
    def spot(self, state="running", **options):
        return self.run_one(state=state, InstanceMarketOptions={"MarketType": "spot", "SpotOptions": options})

    def request(self, i):
        r = self.describe(i)["SpotInstanceRequestId"]
        return self.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[r])["SpotInstanceRequests"][0]

    def again(self, r):
        return self.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[r])["SpotInstanceRequests"][0]

    def test_terminated(self):
        i = self.spot()
        self.fault("spot", i)
        r = self.request(i)
        self.assertEqual((r["State"], r["Status"]["Code"]), ("active", "marked-for-termination"))
        self.assertIn("interrupted", self.fault("spot", i, code=1))
        self.assertEqual(self.describe(i)["State"]["Name"], "running")
        self.advance("3m")
        self.wait(i, "terminated")
        self.assertEqual(self.describe(i)["StateReason"]["Code"], "Server.SpotInstanceTermination")
        r = self.again(r["SpotInstanceRequestId"])
        self.assertEqual((r["State"], r["Status"]["Code"]), ("closed", "instance-terminated-no-capacity"))

    def test_stopped_and_fulfilled_anew(self):
        i = self.spot(SpotInstanceType="persistent", InstanceInterruptionBehavior="stop")
        self.fault("spot", i)
        self.assertEqual(self.request(i)["Status"]["Code"], "marked-for-stop")
        self.advance("3m")
        self.wait(i, "stopped")
        r = self.request(i)
        self.assertEqual((r["State"], r["Status"]["Code"]), ("disabled", "instance-stopped-no-capacity"))
        self.virga.restart()
        self.advance("10m")
        self.wait(i, "running")
        self.assertEqual((self.request(i)["State"], self.request(i)["Status"]["Code"]), ("active", "fulfilled"))
        # Stopped by its user, the request waits for him.
        self.ec2.stop_instances(InstanceIds=[i])
        self.assertEqual(self.request(i)["Status"]["Code"], "instance-stopped-by-user")
        self.wait(i, "stopped")
        self.ec2.start_instances(InstanceIds=[i])
        self.assertEqual(self.request(i)["State"], "active")

    def test_persistent_is_launched_again(self):
        group = self.ec2.create_security_group(GroupName="spot-group", Description="d")["GroupId"]
        i = self.run_one(SecurityGroupIds=[group], UserData="#!/bin/sh\ntrue\n",
                         InstanceMarketOptions={"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "persistent"}})
        r = self.request(i)["SpotInstanceRequestId"]
        self.ec2.terminate_instances(InstanceIds=[i])
        self.until(lambda: self.again(r).get("InstanceId", i) != i)
        j = self.again(r)["InstanceId"]
        self.wait(j, "running")
        self.assertEqual((self.describe(j)["SecurityGroups"][0]["GroupId"], self.again(r)["State"]), (group, "active"))
        self.assertIn("Value", self.ec2.describe_instance_attribute(InstanceId=j, Attribute="userData")["UserData"])
        self.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[r])
        self.ec2.terminate_instances(InstanceIds=[j])
        self.advance("20m")
        self.assertEqual((self.again(r)["State"], self.again(r)["InstanceId"]), ("cancelled", j))


class Groups(Faults):
    def test_spread(self):
        self.ec2.create_placement_group(GroupName="spread", Strategy="spread")
        place = {"AvailabilityZone": ZONE, "GroupName": "spread"}
        ask = {"ImageId": self.image, "InstanceType": "t3.micro", "Placement": place}
        made = self.ec2.run_instances(MinCount=1, MaxCount=10, **ask)["Instances"]
        self.assertEqual(len(made), 7)
        self.refused("InsufficientInstanceCapacity", self.ec2.run_instances, MinCount=1, MaxCount=1, **ask)
        self.run_one(Placement={"AvailabilityZone": "us-east-1b", "GroupName": "spread"})
        i = made[0]["InstanceId"]
        self.wait(i, "running")
        self.ec2.stop_instances(InstanceIds=[i])
        self.wait(i, "stopped")
        self.run_one(Placement=place)
        self.refused("InsufficientInstanceCapacity", self.ec2.start_instances, InstanceIds=[i])

    def test_partitions_and_cluster(self):
        g = self.ec2.create_placement_group(GroupName="parts", Strategy="partition", PartitionCount=3)["PlacementGroup"]["GroupId"]
        made = self.ec2.run_instances(ImageId=self.image, InstanceType="t3.micro", MinCount=6, MaxCount=6,
                                      Placement={"GroupId": g})["Instances"]
        self.assertEqual(sorted(i["Placement"]["PartitionNumber"] for i in made), [1, 1, 2, 2, 3, 3])
        self.assertEqual({i["Placement"]["GroupName"] for i in made}, {"parts"})
        own = self.run_one(Placement={"GroupName": "parts", "PartitionNumber": 2})
        self.assertEqual(self.describe(own)["Placement"]["PartitionNumber"], 2)
        self.refused("InvalidParameterValue", self.run_one, Placement={"GroupName": "parts", "PartitionNumber": 4})
        self.ec2.create_placement_group(GroupName="near", Strategy="cluster")
        self.refused("InvalidParameterCombination", self.run_one, Placement={"GroupName": "near"})
        self.refused("InvalidParameterCombination", self.run_one, InstanceType="m5.large",
                     Placement={"GroupName": "near", "PartitionNumber": 1})
        self.run_one(InstanceType="m5.large", Placement={"GroupName": "near"})

    def test_hibernation_asks(self):
        ask = {"HibernationOptions": {"Configured": True}}
        self.refused("UnsupportedHibernationConfiguration", self.run_one, InstanceType="m5.large", **ask)
        device = lambda **e: [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, **e}}]  # noqa: E731
        self.refused("UnsupportedHibernationConfiguration", self.run_one, InstanceType="m5.xlarge",
                     BlockDeviceMappings=device(VolumeSize=10), **ask)
        i = self.run_one(InstanceType="m5.large", BlockDeviceMappings=device(VolumeSize=20), **ask)
        self.assertTrue(self.describe(i)["HibernationOptions"]["Configured"])
        self.ec2.stop_instances(InstanceIds=[i], Hibernate=True)
        self.wait(i, "stopped")
        self.assertEqual(self.describe(i)["StateReason"]["Code"], "Client.UserInitiatedHibernate")
        self.ec2.start_instances(InstanceIds=[i])
        self.wait(i, "running")
        plain = self.run_one()
        self.refused("UnsupportedHibernationConfiguration", self.ec2.stop_instances, InstanceIds=[plain], Hibernate=True)


if __name__ == "__main__":
    unittest.main()
