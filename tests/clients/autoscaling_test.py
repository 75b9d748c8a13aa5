"""Auto Scaling through boto3, with simulated compute: groups, balance over zones, replacement, hooks, standby, and that a crash
anywhere launches nothing twice."""
import datetime
import json
import os
import subprocess
import time
import unittest

from ec2_instance_test import Case
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)
ZONES = ["us-east-1a", "us-east-1b"]


class Groups(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.asg = cls.virga.client("autoscaling")
        cls.template = cls.ec2.create_launch_template(
            LaunchTemplateName="web", LaunchTemplateData={
                "ImageId": cls.image, "InstanceType": "t3.micro",
                "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "from", "Value": "template"}]},
                                      {"ResourceType": "volume", "Tags": [{"Key": "of", "Value": "template"}]}]},
        )["LaunchTemplate"]["LaunchTemplateId"]

    def make(self, name=None, min=0, max=4, wait=True, **kw):
        name = name or self.id().rsplit(".", 1)[-1]
        if not {"LaunchConfigurationName", "MixedInstancesPolicy"} & set(kw):
            kw.setdefault("LaunchTemplate", {"LaunchTemplateId": self.template})
        kw.setdefault("AvailabilityZones", ZONES)
        self.asg.create_auto_scaling_group(AutoScalingGroupName=name, MinSize=min, MaxSize=max, **kw)
        self.addCleanup(self.drop, name)
        if wait:
            self.serving(name, kw.get("DesiredCapacity", min))
        return name

    def drop(self, name):
        if self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]:
            for hook in self.asg.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]:
                self.asg.delete_lifecycle_hook(AutoScalingGroupName=name, LifecycleHookName=hook["LifecycleHookName"])
            try:
                self.asg.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
            except self.asg.exceptions.ClientError:
                pass
            self.until(lambda: not self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"])

    def group(self, name):
        return self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]

    def instances(self, name):
        return self.group(name)["Instances"]

    def states(self, name):
        return sorted(i["LifecycleState"] for i in self.instances(name))

    def serving(self, name, n):
        self.until(lambda: self.states(name) == ["InService"] * n)
        return [i["InstanceId"] for i in self.instances(name)]

    def activities(self, name, **kw):
        return self.asg.describe_scaling_activities(AutoScalingGroupName=name, **kw)["Activities"]

    def of_group(self, name):
        """What EC2 has of the group, whatever the group says."""
        r = self.ec2.describe_instances(Filters=[{"Name": "tag:aws:autoscaling:groupName", "Values": [name]}, {
            "Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}])["Reservations"]
        return sorted(i["InstanceId"] for x in r for i in x["Instances"])


class Basics(Groups):
    def test_group(self):
        g = self.make(min=1, max=5, DesiredCapacity=4, Tags=[
            {"Key": "app", "Value": "shop", "PropagateAtLaunch": True}, {"Key": "mine", "Value": "x", "PropagateAtLaunch": False}])
        d = self.group(g)
        self.assertEqual((d["MinSize"], d["MaxSize"], d["DesiredCapacity"], d["DefaultCooldown"]), (1, 5, 4, 300))
        self.assertEqual((d["HealthCheckType"], d["HealthCheckGracePeriod"]), ("EC2", 0))
        self.assertEqual(d["TerminationPolicies"], ["Default"])
        self.assertRegex(d["AutoScalingGroupARN"], rf"^arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:[-0-9a-f]+:"
                                                   rf"autoScalingGroupName/{g}$")
        self.assertTrue(d["ServiceLinkedRoleARN"].endswith("/AWSServiceRoleForAutoScaling"))
        self.virga.client("iam").get_role(RoleName="AWSServiceRoleForAutoScaling")
        zones = [i["AvailabilityZone"] for i in d["Instances"]]
        self.assertEqual([zones.count(z) for z in ZONES], [2, 2])
        i = d["Instances"][0]
        self.assertEqual((i["HealthStatus"], i["ProtectedFromScaleIn"], i["InstanceType"]), ("Healthy", False, "t3.micro"))
        self.assertEqual(i["LaunchTemplate"]["LaunchTemplateName"], "web")
        self.assertEqual(i["LaunchTemplate"]["Version"], "1")
        tags = {t["Key"]: t["Value"] for t in self.describe(i["InstanceId"])["Tags"]}
        self.assertEqual({k: v for k, v in tags.items() if not k.startswith("aws:ec2")},
                         {"aws:autoscaling:groupName": g, "app": "shop", "from": "template"})
        v = self.describe(i["InstanceId"])["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        self.assertEqual(self.ec2.describe_volumes(VolumeIds=[v])["Volumes"][0]["Tags"], [{"Key": "of", "Value": "template"}])
        a = self.activities(g)
        self.assertEqual({x["StatusCode"] for x in a}, {"Successful"})
        self.assertEqual({x["Description"] for x in a}, {f"Launching a new EC2 instance: {x['InstanceId']}" for x in d["Instances"]})
        self.assertRegex(a[0]["Cause"], r"^At \S+Z a user request created an AutoScalingGroup changing the desired capacity from 0 "
                                        r"to 4\.  At \S+Z an instance was started in response to a difference between desired and "
                                        r"actual capacity, increasing the capacity from 0 to 4\.$")
        self.assertEqual(json.loads(a[0]["Details"])["Availability Zone"][:-1], "us-east-1")
        s = self.asg.describe_auto_scaling_instances(InstanceIds=[i["InstanceId"]])["AutoScalingInstances"][0]
        self.assertEqual((s["AutoScalingGroupName"], s["LifecycleState"], s["HealthStatus"]), (g, "InService", "HEALTHY"))

        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=2)
        left = self.serving(g, 2)
        self.assertEqual(sorted(x["AvailabilityZone"] for x in self.instances(g)), ZONES)
        self.assertEqual(self.of_group(g), sorted(left))
        ended = [x for x in self.activities(g) if x["Description"].startswith("Terminating")]
        self.assertEqual({x["StatusCode"] for x in ended}, {"Successful"})
        self.assertRegex(ended[0]["Cause"], r"^At \S+Z a user request explicitly set group desired capacity changing the desired "
                                            r"capacity from 4 to 2\.  At \S+Z an instance was taken out of service in response to a "
                                            r"difference between desired and actual capacity, shrinking the capacity from 4 to 2\."
                                            r"  At \S+Z instance i-\w+ was selected for termination\.$")
        self.asg.update_auto_scaling_group(AutoScalingGroupName=g, MinSize=3)
        self.assertEqual(self.group(g)["DesiredCapacity"], 3)
        self.serving(g, 3)
        self.assertRegex(self.activities(g)[0]["Cause"], r"a user request update of AutoScalingGroup constraints to min: 3, max: 5, "
                                                         r"desired: 3 changing the desired capacity from 2 to 3\.")
        self.refused("ResourceInUse", self.asg.delete_auto_scaling_group, AutoScalingGroupName=g)
        self.asg.delete_auto_scaling_group(AutoScalingGroupName=g, ForceDelete=True)
        self.until(lambda: not self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[g])["AutoScalingGroups"])
        self.assertEqual(self.of_group(g), [])
        self.refused("ValidationError", self.asg.describe_scaling_activities, AutoScalingGroupName=g)
        self.assertEqual({x["AutoScalingGroupState"] for x in self.activities(g, IncludeDeletedGroups=True)}, {"Deleted"})

    def test_refused(self):
        make, at = self.asg.create_auto_scaling_group, {"AvailabilityZones": ZONES, "LaunchTemplate": {"LaunchTemplateId": self.template}}
        say = self.refused("ValidationError", make, AutoScalingGroupName="r", MinSize=2, MaxSize=1, **at)
        self.assertEqual(say, "Max bound, 1, must be greater than or equal to min bound, 2")
        say = self.refused("ValidationError", make, AutoScalingGroupName="r", MinSize=1, MaxSize=2, DesiredCapacity=3, **at)
        self.assertEqual(say, "Desired capacity:3 must be between the specified min size:1 and max size:2")
        say = self.refused("ValidationError", make, AutoScalingGroupName="r", MinSize=1, MaxSize=2, AvailabilityZones=ZONES)
        self.assertIn("Valid requests must contain either launchTemplate", say)
        self.refused("ValidationError", make, AutoScalingGroupName="r", MinSize=1, MaxSize=2, AvailabilityZones=ZONES,
                     LaunchTemplate={"LaunchTemplateId": "lt-0123456789abcdef0"})
        self.refused("ValidationError", make, AutoScalingGroupName="r", MinSize=1, MaxSize=2, AvailabilityZones=["us-east-1z"],
                     LaunchTemplate={"LaunchTemplateId": self.template})
        self.refused("ValidationError", make, AutoScalingGroupName="r", MinSize=1, MaxSize=2, VPCZoneIdentifier="subnet-0123456789abcdef0",
                     LaunchTemplate={"LaunchTemplateId": self.template})
        self.refused("ValidationError", make, AutoScalingGroupName="r", MinSize=1, MaxSize=2,
                     LaunchTemplate={"LaunchTemplateId": self.template})
        self.refused("ValidationError", make, AutoScalingGroupName="r", MinSize=1, MaxSize=2, TerminationPolicies=["Youngest"], **at)
        self.refused("ValidationError", make, AutoScalingGroupName="r", MinSize=1, MaxSize=2, HealthCheckType="PING", **at)
        g = self.make(max=1)
        self.refused("AlreadyExists", make, AutoScalingGroupName=g, MinSize=1, MaxSize=2, **at)
        say = self.refused("ValidationError", self.asg.set_desired_capacity, AutoScalingGroupName=g, DesiredCapacity=2)
        self.assertEqual(say, "New SetDesiredCapacity value 2 is above max value 1 for the AutoScalingGroup.")
        self.refused("ValidationError", self.asg.update_auto_scaling_group, AutoScalingGroupName="nobody", MinSize=1)
        self.refused("ValidationError", self.asg.terminate_instance_in_auto_scaling_group, InstanceId="i-0123456789abcdef0",
                     ShouldDecrementDesiredCapacity=True)
        self.refused("InvalidNextToken", self.asg.describe_auto_scaling_groups, NextToken="later")

    def test_launch_configuration(self):
        self.asg.create_launch_configuration(LaunchConfigurationName="old", ImageId=self.image, InstanceType="t3.nano",
                                             BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 9}}])
        self.refused("AlreadyExists", self.asg.create_launch_configuration, LaunchConfigurationName="old", ImageId=self.image,
                     InstanceType="t3.nano")
        self.refused("ValidationError", self.asg.create_launch_configuration, LaunchConfigurationName="half", ImageId=self.image)
        d = self.asg.describe_launch_configurations(LaunchConfigurationNames=["old"])["LaunchConfigurations"][0]
        self.assertEqual((d["ImageId"], d["InstanceType"], d["InstanceMonitoring"]), (self.image, "t3.nano", {"Enabled": True}))
        g = self.make(min=1, LaunchConfigurationName="old")
        i = self.instances(g)[0]
        self.assertEqual((i["LaunchConfigurationName"], i["InstanceType"]), ("old", "t3.nano"))
        v = self.describe(i["InstanceId"])["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        self.assertEqual(self.ec2.describe_volumes(VolumeIds=[v])["Volumes"][0]["Size"], 9)
        self.refused("ResourceInUse", self.asg.delete_launch_configuration, LaunchConfigurationName="old")
        self.drop(g)
        self.asg.delete_launch_configuration(LaunchConfigurationName="old")
        self.assertEqual(self.asg.describe_launch_configurations()["LaunchConfigurations"], [])

    def test_subnets(self):
        subnets = {s["AvailabilityZone"]: s["SubnetId"] for s in self.ec2.describe_subnets()["Subnets"]}
        g = self.make(min=2, AvailabilityZones=[], VPCZoneIdentifier=",".join(subnets[z] for z in ZONES))
        self.assertEqual(self.group(g)["AvailabilityZones"], ZONES)
        used = {self.describe(i["InstanceId"])["SubnetId"] for i in self.instances(g)}
        self.assertEqual(used, {subnets[z] for z in ZONES})

    def test_mixed(self):
        g = self.make(max=8, min=6, MixedInstancesPolicy={
            "LaunchTemplate": {"LaunchTemplateSpecification": {"LaunchTemplateId": self.template, "Version": "$Latest"},
                               "Overrides": [{"InstanceType": "t3.small"}, {"InstanceType": "t3.nano"}]},
            "InstancesDistribution": {"OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": 40,
                                      "SpotAllocationStrategy": "lowest-price"}})
        spot = [i for i in self.instances(g) if self.describe(i["InstanceId"]).get("InstanceLifecycle") == "spot"]
        self.assertEqual(len(spot), 3)
        self.assertEqual({i["InstanceType"] for i in spot}, {"t3.nano"})
        self.assertEqual({i["InstanceType"] for i in self.instances(g) if i not in spot}, {"t3.small"})

    def test_weights(self):
        g = self.make(max=10, min=8, wait=False, MixedInstancesPolicy={
            "LaunchTemplate": {"LaunchTemplateSpecification": {"LaunchTemplateId": self.template},
                               "Overrides": [{"InstanceType": "t3.small", "WeightedCapacity": "4"}]}})
        self.serving(g, 2)
        self.assertEqual({i["WeightedCapacity"] for i in self.instances(g)}, {"4"})

    def test_tags(self):
        g = self.make()
        tag = {"ResourceId": g, "ResourceType": "auto-scaling-group", "Key": "stage", "Value": "test", "PropagateAtLaunch": True}
        self.asg.create_or_update_tags(Tags=[tag])
        self.assertEqual(self.asg.describe_tags(Filters=[{"Name": "auto-scaling-group", "Values": [g]}])["Tags"], [tag])
        found = self.asg.describe_auto_scaling_groups(Filters=[{"Name": "tag:stage", "Values": ["test"]}])["AutoScalingGroups"]
        self.assertEqual([x["AutoScalingGroupName"] for x in found], [g])
        self.refused("ValidationError", self.asg.create_or_update_tags, Tags=[{**tag, "Key": "aws:mine"}])
        self.refused("ValidationError", self.asg.create_or_update_tags, Tags=[{**tag, "ResourceId": "nobody"}])
        self.asg.delete_tags(Tags=[{k: tag[k] for k in ("ResourceId", "ResourceType", "Key")}])
        self.assertEqual(self.asg.describe_tags(Filters=[{"Name": "key", "Values": ["stage"]}])["Tags"], [])

    def test_lists(self):
        self.assertIn("AZRebalance", [p["ProcessName"] for p in self.asg.describe_scaling_process_types()["Processes"]])
        self.assertEqual(len(self.asg.describe_adjustment_types()["AdjustmentTypes"]), 3)
        self.assertEqual(len(self.asg.describe_lifecycle_hook_types()["LifecycleHookTypes"]), 2)
        self.assertIn("Default", self.asg.describe_termination_policy_types()["TerminationPolicyTypes"])
        self.assertIn("autoscaling:TEST_NOTIFICATION",
                      self.asg.describe_auto_scaling_notification_types()["AutoScalingNotificationTypes"])
        before = self.asg.describe_account_limits()
        self.make()
        after = self.asg.describe_account_limits()
        self.assertEqual(after["NumberOfAutoScalingGroups"], before["NumberOfAutoScalingGroups"] + 1)
        self.assertEqual(after["MaxNumberOfAutoScalingGroups"], 500)


class Health(Groups):
    def test_replaced(self):
        g = self.make(min=2, HealthCheckGracePeriod=300)
        a, b = self.serving(g, 2)
        self.ec2.terminate_instances(InstanceIds=[a])
        self.until(lambda: a not in [i["InstanceId"] for i in self.instances(g)])
        now = self.serving(g, 2)
        self.assertIn(b, now)
        self.ec2.stop_instances(InstanceIds=[b])
        self.until(lambda: b not in [i["InstanceId"] for i in self.instances(g)])
        now = self.serving(g, 2)
        causes = [x["Cause"] for x in self.activities(g) if x["Description"].startswith("Terminating")]
        self.assertEqual(len(causes), 2)
        for cause in causes:
            self.assertRegex(cause, r"^At \S+Z an instance was taken out of service in response to an EC2 health check indicating it "
                                    r"has been terminated or stopped\.$")
        self.assertEqual(self.of_group(g), sorted(now))

    def test_called_unhealthy(self):
        g = self.make(min=1, HealthCheckGracePeriod=300)
        i = self.serving(g, 1)[0]
        self.asg.set_instance_health(InstanceId=i, HealthStatus="Unhealthy")
        self.assertEqual(self.instances(g)[0]["HealthStatus"], "Healthy")  # within the grace period
        self.asg.set_instance_health(InstanceId=i, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
        self.until(lambda: i not in [x["InstanceId"] for x in self.instances(g)])
        self.serving(g, 1)
        self.assertIn("in response to a user health-check.", [x for x in self.activities(g) if i in x["Description"]][0]["Cause"])
        self.refused("ValidationError", self.asg.set_instance_health, InstanceId=i, HealthStatus="Unhealthy")

    def test_suspended(self):
        g = self.make(min=1)
        i = self.serving(g, 1)[0]
        self.asg.suspend_processes(AutoScalingGroupName=g, ScalingProcesses=["ReplaceUnhealthy", "Launch"])
        self.assertEqual({p["ProcessName"] for p in self.group(g)["SuspendedProcesses"]}, {"ReplaceUnhealthy", "Launch"})
        self.assertRegex(self.group(g)["SuspendedProcesses"][0]["SuspensionReason"], r"^User suspended at \S+Z$")
        self.ec2.terminate_instances(InstanceIds=[i])
        self.until(lambda: self.instances(g)[0]["HealthStatus"] == "Unhealthy")
        self.asg.resume_processes(AutoScalingGroupName=g, ScalingProcesses=["ReplaceUnhealthy"])
        self.until(lambda: self.instances(g) == [])
        self.asg.resume_processes(AutoScalingGroupName=g)
        self.serving(g, 1)
        self.refused("ValidationError", self.asg.suspend_processes, AutoScalingGroupName=g, ScalingProcesses=["Sleep"])

    def test_terminate_in_group(self):
        g = self.make(min=1, DesiredCapacity=2)
        a, b = self.serving(g, 2)
        act = self.asg.terminate_instance_in_auto_scaling_group(InstanceId=a, ShouldDecrementDesiredCapacity=True)["Activity"]
        self.assertEqual((act["Description"], act["StatusCode"]), (f"Terminating EC2 instance: {a}", "InProgress"))
        self.assertEqual(self.group(g)["DesiredCapacity"], 1)
        self.assertEqual(self.serving(g, 1), [b])
        self.refused("ValidationError", self.asg.terminate_instance_in_auto_scaling_group, InstanceId=b,
                     ShouldDecrementDesiredCapacity=True)
        self.asg.terminate_instance_in_auto_scaling_group(InstanceId=b, ShouldDecrementDesiredCapacity=False)
        self.until(lambda: b not in [x["InstanceId"] for x in self.instances(g)])
        self.serving(g, 1)

    def test_lifetime(self):
        g = self.make(min=1, MaxInstanceLifetime=86400)
        i = self.serving(g, 1)[0]
        self.advance("25h")
        self.until(lambda: i not in [x["InstanceId"] for x in self.instances(g)])
        self.serving(g, 1)
        self.refused("ValidationError", self.asg.update_auto_scaling_group, AutoScalingGroupName=g, MaxInstanceLifetime=60)


class Distribution(Groups):
    def test_zone_joins_and_leaves(self):
        g = self.make(min=4, AvailabilityZones=["us-east-1a"])
        self.asg.update_auto_scaling_group(AutoScalingGroupName=g, AvailabilityZones=ZONES)

        def spread():
            zones = [i["AvailabilityZone"] for i in self.instances(g) if i["LifecycleState"] == "InService"]
            return len(zones) == 4 and [zones.count(z) for z in ZONES] == [2, 2] and len(self.instances(g)) == 4
        self.until(spread)
        causes = " ".join(x["Cause"] for x in self.activities(g))
        self.assertIn("launched to balance instances in zones us-east-1a with other zones", causes)
        self.asg.update_auto_scaling_group(AutoScalingGroupName=g, AvailabilityZones=["us-east-1b"])
        self.until(lambda: self.states(g) == ["InService"] * 4 and {i["AvailabilityZone"] for i in self.instances(g)} == {"us-east-1b"})

    def test_zone_fails(self):
        """A zone that is down gets no launches: they fail there, and go elsewhere."""
        g = self.make(min=2, AvailabilityZones=["us-east-1c", "us-east-1d"])

        def fault(state):
            subprocess.run([BINARY, "fault", "--endpoint", self.virga.endpoint, "az", "us-east-1d", state], check=True,
                           capture_output=True)
        fault("down")
        self.addCleanup(fault, "up")
        self.until(lambda: self.states(g) == ["InService"] * 2 and {i["AvailabilityZone"] for i in self.instances(g)} == {"us-east-1c"})
        self.assertIn("Failed", [x["StatusCode"] for x in self.activities(g)])

    def test_protection(self):
        g = self.make(min=0, max=4, DesiredCapacity=3, NewInstancesProtectedFromScaleIn=True, AvailabilityZones=ZONES[:1])
        a, b, c = self.serving(g, 3)
        self.asg.set_instance_protection(AutoScalingGroupName=g, InstanceIds=[b], ProtectedFromScaleIn=False)
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=0)
        self.until(lambda: b not in [x["InstanceId"] for x in self.instances(g)])
        self.assertEqual(sorted(self.serving(g, 2)), sorted([a, c]))
        self.refused("ValidationError", self.asg.set_instance_protection, AutoScalingGroupName=g, InstanceIds=[b],
                     ProtectedFromScaleIn=False)

    def test_policies(self):
        order = []
        g = self.make(max=6, AvailabilityZones=ZONES[:1], TerminationPolicies=["NewestInstance"])
        for n in range(1, 5):
            self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=n)
            order += [i for i in self.serving(g, n) if i not in order]
            self.advance("1m")
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=3)
        self.assertEqual(sorted(self.serving(g, 3)), sorted(order[:3]))
        self.asg.update_auto_scaling_group(AutoScalingGroupName=g, TerminationPolicies=["OldestInstance"], DesiredCapacity=2)
        self.assertEqual(sorted(self.serving(g, 2)), sorted(order[1:3]))
        # A newer version of the template: instances of the old one go first, whatever their age.
        self.ec2.create_launch_template_version(LaunchTemplateId=self.template, SourceVersion="1",
                                                LaunchTemplateData={"InstanceType": "t3.micro"})
        self.asg.update_auto_scaling_group(AutoScalingGroupName=g, DesiredCapacity=3, TerminationPolicies=["OldestLaunchTemplate"],
                                           LaunchTemplate={"LaunchTemplateId": self.template, "Version": "$Latest"})
        young = [i for i in self.serving(g, 3) if i not in order][0]
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=1)
        self.assertEqual(self.serving(g, 1), [young])


class Moves(Groups):
    def test_standby(self):
        g = self.make(min=1, DesiredCapacity=2)
        a, b = self.serving(g, 2)
        act = self.asg.enter_standby(AutoScalingGroupName=g, InstanceIds=[a], ShouldDecrementDesiredCapacity=True)["Activities"][0]
        self.assertRegex(act["Cause"], rf"^At \S+Z instance {a} was moved to standby in response to a user request, shrinking the "
                                       r"capacity from 2 to 1\.$")
        self.until(lambda: self.states(g) == ["InService", "Standby"])
        self.assertEqual(self.group(g)["DesiredCapacity"], 1)
        self.refused("ValidationError", self.asg.enter_standby, AutoScalingGroupName=g, InstanceIds=[b], ShouldDecrementDesiredCapacity=True)
        self.asg.exit_standby(AutoScalingGroupName=g, InstanceIds=[a])
        self.assertEqual(self.group(g)["DesiredCapacity"], 2)
        self.assertEqual(sorted(self.serving(g, 2)), sorted([a, b]))
        self.asg.enter_standby(AutoScalingGroupName=g, InstanceIds=[a], ShouldDecrementDesiredCapacity=False)
        self.until(lambda: self.states(g) == ["InService", "InService", "Standby"])

    def test_detach_and_attach(self):
        g = self.make(min=1, DesiredCapacity=2, max=3)
        a, b = self.serving(g, 2)
        act = self.asg.detach_instances(AutoScalingGroupName=g, InstanceIds=[a], ShouldDecrementDesiredCapacity=True)["Activities"][0]
        self.assertEqual(act["Description"], f"Detaching EC2 instance: {a}")
        self.until(lambda: [i["InstanceId"] for i in self.instances(g)] == [b])
        self.assertEqual(self.describe(a)["State"]["Name"], "running")
        self.asg.attach_instances(AutoScalingGroupName=g, InstanceIds=[a])
        self.assertEqual(sorted(self.serving(g, 2)), sorted([a, b]))
        self.assertEqual(self.group(g)["DesiredCapacity"], 2)
        self.refused("ValidationError", self.asg.attach_instances, AutoScalingGroupName=g, InstanceIds=[a])
        self.refused("ValidationError", self.asg.attach_instances, AutoScalingGroupName=g, InstanceIds=["i-0123456789abcdef0"])
        self.refused("ValidationError", self.asg.detach_instances, AutoScalingGroupName=g, InstanceIds=["i-0123456789abcdef0"],
                     ShouldDecrementDesiredCapacity=True)


class Hooks(Groups):
    def queue(self, name):
        sqs = self.virga.client("sqs")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]})})

        def receive(what):
            seen = []

            def one():
                for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
                    seen.append(json.loads(m["Body"]))
                return next((m for m in seen if what(m)), None)
            return self.until(one)
        return arn, receive

    def test_both_ways(self):
        arn, receive = self.queue("hooks")
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {
            "Service": "autoscaling.amazonaws.com"}}]}
        role = self.virga.client("iam").create_role(RoleName="hooks", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        g = self.make(min=0, max=2, LifecycleHookSpecificationList=[
            {"LifecycleHookName": "in", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "HeartbeatTimeout": 300,
             "NotificationTargetARN": arn, "RoleARN": role, "NotificationMetadata": "ready?"}])
        receive(lambda m: m.get("Event") == "autoscaling:TEST_NOTIFICATION")
        self.asg.put_lifecycle_hook(AutoScalingGroupName=g, LifecycleHookName="out", HeartbeatTimeout=60, DefaultResult="CONTINUE",
                                    LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING", NotificationTargetARN=arn, RoleARN=role)
        hooks = {h["LifecycleHookName"]: h for h in self.asg.describe_lifecycle_hooks(AutoScalingGroupName=g)["LifecycleHooks"]}
        self.assertEqual((hooks["in"]["GlobalTimeout"], hooks["in"]["DefaultResult"]), (30000, "ABANDON"))
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=1)
        m = receive(lambda m: m.get("LifecycleTransition") == "autoscaling:EC2_INSTANCE_LAUNCHING")
        self.assertEqual((m["LifecycleHookName"], m["NotificationMetadata"], m["AutoScalingGroupName"]), ("in", "ready?", g))
        i = m["EC2InstanceId"]
        self.until(lambda: self.states(g) == ["Pending:Wait"])
        # A heartbeat begins the time anew.
        self.advance("200s")
        self.asg.record_lifecycle_action_heartbeat(AutoScalingGroupName=g, LifecycleHookName="in",
                                                   LifecycleActionToken=m["LifecycleActionToken"])
        self.advance("200s")
        self.assertEqual(self.states(g), ["Pending:Wait"])
        self.refused("ValidationError", self.asg.complete_lifecycle_action, AutoScalingGroupName=g, LifecycleHookName="in",
                     InstanceId="i-0123456789abcdef0", LifecycleActionResult="CONTINUE")
        self.refused("ValidationError", self.asg.complete_lifecycle_action, AutoScalingGroupName=g, LifecycleHookName="in",
                     InstanceId=i, LifecycleActionResult="MAYBE")
        self.asg.complete_lifecycle_action(AutoScalingGroupName=g, LifecycleHookName="in", InstanceId=i,
                                           LifecycleActionToken=m["LifecycleActionToken"], LifecycleActionResult="CONTINUE")
        self.assertEqual(self.serving(g, 1), [i])
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=0)
        m = receive(lambda m: m.get("LifecycleTransition") == "autoscaling:EC2_INSTANCE_TERMINATING")
        self.until(lambda: self.states(g) == ["Terminating:Wait"])
        self.assertEqual(self.describe(i)["State"]["Name"], "running")
        self.advance("61s")  # nobody answers
        self.until(lambda: self.instances(g) == [])
        self.wait(i, "terminated")

    def test_abandoned(self):
        g = self.make(min=0, max=1, LifecycleHookSpecificationList=[
            {"LifecycleHookName": "in", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "HeartbeatTimeout": 60}])
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=1)
        self.until(lambda: self.states(g) == ["Pending:Wait"])
        i = self.instances(g)[0]["InstanceId"]
        self.asg.complete_lifecycle_action(AutoScalingGroupName=g, LifecycleHookName="in", InstanceId=i, LifecycleActionResult="ABANDON")
        self.wait(i, "terminated")
        self.until(lambda: self.states(g) == ["Pending:Wait"] and self.instances(g)[0]["InstanceId"] != i)  # another one
        self.asg.delete_lifecycle_hook(AutoScalingGroupName=g, LifecycleHookName="in")
        self.serving(g, 1)
        self.refused("ValidationError", self.asg.delete_lifecycle_hook, AutoScalingGroupName=g, LifecycleHookName="in")
        self.refused("ValidationError", self.asg.put_lifecycle_hook, AutoScalingGroupName=g, LifecycleHookName="short", HeartbeatTimeout=1,
                     LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING")

    def test_notifications(self):
        arn, receive = self.queue("notes")
        sns = self.virga.client("sns")
        topic = sns.create_topic(Name="scaling")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        g = self.make()
        self.asg.put_notification_configuration(AutoScalingGroupName=g, TopicARN=topic, NotificationTypes=[
            "autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_TERMINATE"])
        receive(lambda m: m["Event"] == "autoscaling:TEST_NOTIFICATION")
        self.assertEqual(len(self.asg.describe_notification_configurations(AutoScalingGroupNames=[g])["NotificationConfigurations"]), 2)
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=1)
        i = self.serving(g, 1)[0]
        m = receive(lambda m: m["Event"] == "autoscaling:EC2_INSTANCE_LAUNCH")
        self.assertEqual((m["EC2InstanceId"], m["StatusCode"], m["AutoScalingGroupName"]), (i, "Successful", g))
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=0)
        receive(lambda m: m["Event"] == "autoscaling:EC2_INSTANCE_TERMINATE")
        self.asg.delete_notification_configuration(AutoScalingGroupName=g, TopicARN=topic)
        self.assertEqual(self.asg.describe_notification_configurations(AutoScalingGroupNames=[g])["NotificationConfigurations"], [])
        self.refused("ValidationError", self.asg.put_notification_configuration, AutoScalingGroupName=g, TopicARN=topic + "x",
                     NotificationTypes=["autoscaling:EC2_INSTANCE_LAUNCH"])
        self.refused("ValidationError", self.asg.put_notification_configuration, AutoScalingGroupName=g, TopicARN=topic,
                     NotificationTypes=["autoscaling:LUNCH"])


class Scaling(Groups):
    def policy(self, g, name, **kw):
        return self.asg.put_scaling_policy(AutoScalingGroupName=g, PolicyName=name, **kw)["PolicyARN"]

    def test_simple(self):
        g = self.make(min=1, max=10, DesiredCapacity=2, DefaultCooldown=60)
        arn = self.policy(g, "more", AdjustmentType="PercentChangeInCapacity", ScalingAdjustment=10, MinAdjustmentMagnitude=2, Cooldown=100)
        self.assertRegex(arn, rf"^arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:[-0-9a-f]+:autoScalingGroupName/{g}:policyName/more$")
        self.asg.execute_policy(PolicyName=arn)
        self.serving(g, 4)
        self.assertRegex(self.activities(g)[0]["Cause"], r"a user request executed policy more changing the desired capacity from 2 to 4\.")
        self.refused("ScalingActivityInProgress", self.asg.execute_policy, AutoScalingGroupName=g, PolicyName="more", HonorCooldown=True)
        self.advance("101s")
        self.asg.execute_policy(AutoScalingGroupName=g, PolicyName="more", HonorCooldown=True)
        self.serving(g, 6)
        self.policy(g, "less", AdjustmentType="PercentChangeInCapacity", ScalingAdjustment=-25)
        self.asg.execute_policy(AutoScalingGroupName=g, PolicyName="less")  # 1.5 rounds to 1
        self.serving(g, 5)
        self.policy(g, "exact", AdjustmentType="ExactCapacity", ScalingAdjustment=50)
        self.asg.execute_policy(AutoScalingGroupName=g, PolicyName="exact")
        self.serving(g, 10)  # not past the maximum
        found = self.asg.describe_policies(AutoScalingGroupName=g, PolicyNames=["more"])["ScalingPolicies"]
        self.assertEqual([(p["PolicyARN"], p["PolicyType"], p["Enabled"], p["Alarms"]) for p in found], [(arn, "SimpleScaling", True, [])])
        self.assertEqual(self.policy(g, "more", AdjustmentType="ChangeInCapacity", ScalingAdjustment=1), arn)
        self.assertNotIn("MinAdjustmentMagnitude", self.asg.describe_policies(PolicyNames=[arn])["ScalingPolicies"][0])
        self.asg.delete_policy(AutoScalingGroupName=g, PolicyName="more")
        self.refused("ValidationError", self.asg.execute_policy, AutoScalingGroupName=g, PolicyName="more")
        put = self.asg.put_scaling_policy
        self.refused("ValidationError", put, AutoScalingGroupName=g, PolicyName="x", ScalingAdjustment=1)
        self.refused("ValidationError", put, AutoScalingGroupName=g, PolicyName="x", AdjustmentType="Double", ScalingAdjustment=1)
        self.refused("ValidationError", put, AutoScalingGroupName=g, PolicyName="x", PolicyType="Magic")
        self.refused("ValidationError", put, AutoScalingGroupName="nobody", PolicyName="x", AdjustmentType="ChangeInCapacity",
                     ScalingAdjustment=1)

    def test_steps(self):
        g = self.make(min=1, max=12, DesiredCapacity=4, DefaultInstanceWarmup=300)
        self.advance("301s")
        steps = [{"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
                 {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 3}]
        self.policy(g, "up", PolicyType="StepScaling", AdjustmentType="ChangeInCapacity", StepAdjustments=steps)
        self.policy(g, "down", PolicyType="StepScaling", AdjustmentType="ChangeInCapacity", StepAdjustments=[
            {"MetricIntervalUpperBound": 0, "ScalingAdjustment": -2}])

        def run(name, value):
            self.asg.execute_policy(AutoScalingGroupName=g, PolicyName=name, MetricValue=value, BreachThreshold=60)
        run("up", 65)
        self.serving(g, 5)
        run("up", 66)  # the one that warms up is it already
        self.assertEqual(self.group(g)["DesiredCapacity"], 5)
        run("up", 75)
        self.serving(g, 7)
        run("down", 10)  # not while others warm up
        self.assertEqual(self.group(g)["DesiredCapacity"], 7)
        self.advance("301s")
        run("down", 60)
        self.serving(g, 5)
        self.refused("ValidationError", self.asg.execute_policy, AutoScalingGroupName=g, PolicyName="up")
        self.refused("ValidationError", self.asg.put_scaling_policy, AutoScalingGroupName=g, PolicyName="x", PolicyType="StepScaling",
                     AdjustmentType="ChangeInCapacity", StepAdjustments=[steps[0], {**steps[1], "MetricIntervalLowerBound": 5}])

    def test_schedule(self):
        g = self.make(min=0, max=4)
        put = self.asg.put_scheduled_update_group_action
        put(AutoScalingGroupName=g, ScheduledActionName="daily", Recurrence="0 6 * * *", MinSize=1, MaxSize=6, DesiredCapacity=2)
        a = self.asg.describe_scheduled_actions(AutoScalingGroupName=g)["ScheduledUpdateGroupActions"]
        self.assertEqual([(x["ScheduledActionName"], x["Recurrence"], x["DesiredCapacity"], x["StartTime"].hour) for x in a],
                         [("daily", "0 6 * * *", 2, 6)])
        once = a[0]["StartTime"] + datetime.timedelta(hours=2)
        put(AutoScalingGroupName=g, ScheduledActionName="once", StartTime=once, DesiredCapacity=5)
        failed = self.asg.batch_put_scheduled_update_group_action(AutoScalingGroupName=g, ScheduledUpdateGroupActions=[
            {"ScheduledActionName": "evening", "Recurrence": "0 22 * * *", "MinSize": 0, "DesiredCapacity": 0},
            {"ScheduledActionName": "bad", "Recurrence": "0 25 * * *", "MinSize": 0}])["FailedScheduledUpdateGroupActions"]
        self.assertEqual([(f["ScheduledActionName"], f["ErrorCode"]) for f in failed], [("bad", "ValidationError")])
        self.set_time(a[0]["StartTime"] + datetime.timedelta(seconds=1))
        self.serving(g, 2)
        d = self.group(g)
        self.assertEqual((d["MinSize"], d["MaxSize"], d["DesiredCapacity"]), (1, 6, 2))
        self.assertRegex(self.activities(g)[0]["Cause"], r"a scheduled action update of AutoScalingGroup constraints to min: 1, max: 6, "
                                                         r"desired: 2 changing the desired capacity from 0 to 2\.")
        self.set_time(once + datetime.timedelta(seconds=1))
        self.serving(g, 5)
        left = self.asg.describe_scheduled_actions(AutoScalingGroupName=g)["ScheduledUpdateGroupActions"]
        self.assertEqual([x["ScheduledActionName"] for x in left], ["daily", "evening"])
        self.set_time(once + datetime.timedelta(hours=15))
        self.serving(g, 0)
        self.asg.delete_scheduled_action(AutoScalingGroupName=g, ScheduledActionName="daily")
        failed = self.asg.batch_delete_scheduled_action(AutoScalingGroupName=g, ScheduledActionNames=["evening", "daily"])
        self.assertEqual([f["ScheduledActionName"] for f in failed["FailedScheduledActions"]], ["daily"])
        self.refused("ValidationError", put, AutoScalingGroupName=g, ScheduledActionName="x", Recurrence="daily", MinSize=1)
        self.refused("ValidationError", put, AutoScalingGroupName=g, ScheduledActionName="x", StartTime="2020-01-01T00:00:00Z", MinSize=1)
        self.refused("ValidationError", put, AutoScalingGroupName=g, ScheduledActionName="x", Recurrence="0 6 * * *")
        self.refused("ValidationError", put, AutoScalingGroupName=g, ScheduledActionName="x", Recurrence="0 6 * * *", MinSize=3, MaxSize=2)

    def set_time(self, to):
        run = subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "set", to.strftime("%Y-%m-%dT%H:%M:%SZ")],
                             capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_warm_pool(self):
        g = self.make(min=1, max=3)
        self.asg.put_warm_pool(AutoScalingGroupName=g, InstanceReusePolicy={"ReuseOnScaleIn": True})

        def pool():
            return self.asg.describe_warm_pool(AutoScalingGroupName=g)

        def stopped(n):
            self.until(lambda: [i["LifecycleState"] for i in pool()["Instances"]] == ["Warmed:Stopped"] * n)
            return [i["InstanceId"] for i in pool()["Instances"]]
        warm = stopped(2)
        self.assertEqual({self.describe(i)["State"]["Name"] for i in warm}, {"stopped"})
        self.assertEqual(self.group(g)["WarmPoolSize"], 2)
        self.assertEqual(pool()["WarmPoolConfiguration"]["PoolState"], "Stopped")
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=2)
        now = self.serving(g, 2)
        self.assertEqual(len(set(now) & set(warm)), 1)
        self.assertEqual(self.activities(g)[0]["Description"].split(":")[0], "Launching a new EC2 instance from warm pool")
        stopped(1)
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=1)
        self.serving(g, 1)
        back = stopped(2)
        self.assertEqual(len(set(back) & (set(now) | set(warm))), 2)  # nothing was ended, nothing new was launched
        self.asg.delete_warm_pool(AutoScalingGroupName=g)
        self.until(lambda: "WarmPoolConfiguration" not in self.group(g))
        self.assertEqual(len(self.of_group(g)), 1)
        self.refused("ValidationError", self.asg.delete_warm_pool, AutoScalingGroupName=g)

    def test_collected(self):
        g = self.make(min=2)
        self.asg.enable_metrics_collection(AutoScalingGroupName=g, Granularity="1Minute", Metrics=["GroupInServiceInstances", "GroupMaxSize"])
        self.assertEqual(len(self.group(g)["EnabledMetrics"]), 2)
        cw = self.virga.client("cloudwatch")

        def told():
            m = cw.list_metrics(Namespace="AWS/AutoScaling", Dimensions=[{"Name": "AutoScalingGroupName", "Value": g}])["Metrics"]
            return sorted(x["MetricName"] for x in m)
        self.until(lambda: told() == ["GroupInServiceInstances", "GroupMaxSize"])
        self.advance("1m")
        now = self.activities(g)[0]["StartTime"]
        r = self.until(lambda: cw.get_metric_statistics(
            Namespace="AWS/AutoScaling", MetricName="GroupInServiceInstances", Period=60, Statistics=["Maximum"],
            Dimensions=[{"Name": "AutoScalingGroupName", "Value": g}], StartTime=now - datetime.timedelta(minutes=2),
            EndTime=now + datetime.timedelta(minutes=10))["Datapoints"])
        self.assertEqual({p["Maximum"] for p in r}, {2.0})
        self.asg.disable_metrics_collection(AutoScalingGroupName=g)
        self.assertEqual(self.group(g)["EnabledMetrics"], [])
        self.refused("ValidationError", self.asg.enable_metrics_collection, AutoScalingGroupName=g, Granularity="5Minutes")
        self.refused("ValidationError", self.asg.enable_metrics_collection, AutoScalingGroupName=g, Granularity="1Minute", Metrics=["Mood"])
        self.assertIn("GroupTotalCapacity", [m["Metric"] for m in self.asg.describe_metric_collection_types()["Metrics"]])


class Refreshes(Groups):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ec2.create_launch_template_version(LaunchTemplateId=cls.template, SourceVersion="1", LaunchTemplateData={
            "InstanceType": "t3.small"})

    def version(self, n):
        return {"LaunchTemplateId": self.template, "Version": n}

    def refresh(self, g):
        return self.asg.describe_instance_refreshes(AutoScalingGroupName=g)["InstanceRefreshes"][0]

    def status(self, g, want):
        self.until(lambda: self.refresh(g)["Status"] == want, limit=60)

    def types(self, g):
        return sorted(i["InstanceType"] for i in self.instances(g) if i["LifecycleState"] == "InService")

    def test_rolls(self):
        g = self.make(min=4, LaunchTemplate=self.version("1"))
        before = self.serving(g, 4)
        r = self.asg.start_instance_refresh(AutoScalingGroupName=g, DesiredConfiguration={"LaunchTemplate": self.version("2")},
                                            Preferences={"MinHealthyPercentage": 50, "InstanceWarmup": 0})["InstanceRefreshId"]
        self.status(g, "Successful")
        self.assertEqual(self.types(g), ["t3.small"] * 4)
        d = self.refresh(g)
        self.assertEqual((d["InstanceRefreshId"], d["PercentageComplete"], d["InstancesToUpdate"]), (r, 100, 0))
        self.assertEqual(self.group(g)["LaunchTemplate"]["Version"], "2")
        self.until(lambda: not set(before) & set(self.of_group(g)))
        self.assertTrue([a for a in self.activities(g) if "in response to an instance refresh" in a["Cause"]])
        # What matches already is left alone.
        now = self.serving(g, 4)
        self.asg.start_instance_refresh(AutoScalingGroupName=g, DesiredConfiguration={"LaunchTemplate": self.version("2")},
                                        Preferences={"SkipMatching": True})
        self.status(g, "Successful")
        self.assertEqual(sorted(self.serving(g, 4)), sorted(now))

    def test_keeps_healthy(self):
        """At 100 % an instance goes only once another has warmed up."""
        g = self.make(min=2, max=4, LaunchTemplate=self.version("1"))
        self.asg.start_instance_refresh(AutoScalingGroupName=g, DesiredConfiguration={"LaunchTemplate": self.version("2")}, Preferences={
            "MinHealthyPercentage": 100, "MaxHealthyPercentage": 150, "InstanceWarmup": 100})
        self.until(lambda: self.types(g) == ["t3.micro", "t3.micro", "t3.small"])
        self.refused("InstanceRefreshInProgress", self.asg.start_instance_refresh, AutoScalingGroupName=g)
        self.assertEqual(self.refresh(g)["PercentageComplete"], 0)
        self.advance("101s")
        self.until(lambda: self.types(g) == ["t3.micro", "t3.small", "t3.small"])
        self.assertEqual(self.refresh(g)["PercentageComplete"], 50)
        self.advance("101s")
        self.status(g, "Successful")
        self.serving(g, 2)
        self.assertEqual(self.types(g), ["t3.small"] * 2)

    def test_checkpoint_and_back(self):
        g = self.make(min=2, max=4, LaunchTemplate=self.version("1"))
        self.asg.start_instance_refresh(AutoScalingGroupName=g, DesiredConfiguration={"LaunchTemplate": self.version("2")}, Preferences={
            "MinHealthyPercentage": 0, "InstanceWarmup": 0, "CheckpointPercentages": [50, 100], "CheckpointDelay": 7200})
        self.until(lambda: self.types(g) == ["t3.micro", "t3.small"] and self.refresh(g)["PercentageComplete"] == 50)
        self.asg.rollback_instance_refresh(AutoScalingGroupName=g)
        self.status(g, "RollbackSuccessful")
        self.assertEqual(self.types(g), ["t3.micro"] * 2)
        self.assertEqual(self.group(g)["LaunchTemplate"]["Version"], "1")
        self.assertEqual(self.refresh(g)["RollbackDetails"]["RollbackReason"], "Rolled back due to user request.")
        self.refused("ActiveInstanceRefreshNotFound", self.asg.rollback_instance_refresh, AutoScalingGroupName=g)

    def test_cancelled(self):
        g = self.make(min=2, LaunchTemplate=self.version("1"))
        self.asg.start_instance_refresh(AutoScalingGroupName=g, DesiredConfiguration={"LaunchTemplate": self.version("2")}, Preferences={
            "MinHealthyPercentage": 0, "InstanceWarmup": 0, "CheckpointPercentages": [50, 100]})
        self.until(lambda: self.types(g) == ["t3.micro", "t3.small"])
        self.asg.cancel_instance_refresh(AutoScalingGroupName=g)
        self.status(g, "Cancelled")
        self.assertEqual(self.group(g)["LaunchTemplate"]["Version"], "1")
        self.assertEqual(self.types(g), ["t3.micro", "t3.small"])
        self.refused("ActiveInstanceRefreshNotFound", self.asg.cancel_instance_refresh, AutoScalingGroupName=g)
        self.refused("ValidationError", self.asg.start_instance_refresh, AutoScalingGroupName=g, Preferences={"AutoRollback": True})
        self.asg.start_instance_refresh(AutoScalingGroupName=g, Preferences={"MinHealthyPercentage": 0, "InstanceWarmup": 0, "BakeTime": 60})
        self.status(g, "Baking")
        self.refused("IrreversibleInstanceRefresh", self.asg.rollback_instance_refresh, AutoScalingGroupName=g)
        self.advance("61s")
        self.status(g, "Successful")


class Alarms(Groups):
    """Policies that alarms of CloudWatch ask for."""
    def setUp(self):
        self.cw = self.virga.client("cloudwatch")

    def minutes(self, n, name, value):
        """n minutes, each with this value of the metric."""
        for _ in range(n):
            self.cw.put_metric_data(Namespace="App", MetricData=[{"MetricName": name, "Value": value}])
            self.advance("1m")

    def until_load(self, name, value, what):
        """Minute by minute, until it has happened."""
        def step():
            self.minutes(1, name, value)
            return what()
        self.until(step, limit=60)

    def test_target_tracking(self):
        g = self.make(min=1, max=8, DesiredCapacity=2, DefaultInstanceWarmup=0)
        metric = {"Namespace": "App", "MetricName": "Load", "Statistic": "Average"}
        p = self.asg.put_scaling_policy(AutoScalingGroupName=g, PolicyName="track", PolicyType="TargetTrackingScaling",
                                        TargetTrackingConfiguration={"CustomizedMetricSpecification": metric, "TargetValue": 50.0})
        names = [a["AlarmName"] for a in p["Alarms"]]
        self.assertRegex(names[0], rf"^TargetTracking-{g}-AlarmHigh-[-0-9a-f]+$")
        self.assertRegex(names[1], rf"^TargetTracking-{g}-AlarmLow-[-0-9a-f]+$")
        high, low = sorted(self.cw.describe_alarms(AlarmNames=names)["MetricAlarms"], key=lambda a: a["AlarmName"])
        self.assertEqual((high["Threshold"], high["EvaluationPeriods"], high["ComparisonOperator"]), (50.0, 3, "GreaterThanThreshold"))
        self.assertEqual((low["Threshold"], low["EvaluationPeriods"], low["ComparisonOperator"]), (45.0, 15, "LessThanThreshold"))
        self.assertEqual((high["Period"], high["MetricName"], high["AlarmActions"]), (60, "Load", [p["PolicyARN"]]))
        self.until_load("Load", 100, lambda: self.group(g)["DesiredCapacity"] > 2)
        self.until(lambda: "triggered policy" in " ".join(a["Cause"] for a in self.activities(g)))
        # Twice the target: twice as many.
        self.assertIn(f"a monitor alarm {names[0]} in state ALARM triggered policy track changing the desired capacity from 2 to 4.",
                      " ".join(a["Cause"] for a in self.activities(g)))
        self.until_load("Load", 5, lambda: self.group(g)["DesiredCapacity"] == 1)
        self.serving(g, 1)
        found = self.asg.describe_policies(AutoScalingGroupName=g)["ScalingPolicies"][0]
        self.assertEqual([a["AlarmName"] for a in found["Alarms"]], names)
        self.asg.put_scaling_policy(AutoScalingGroupName=g, PolicyName="track", PolicyType="TargetTrackingScaling",
                                    TargetTrackingConfiguration={"CustomizedMetricSpecification": metric, "TargetValue": 60.0,
                                                                 "DisableScaleIn": True})
        left = self.cw.describe_alarms(AlarmNamePrefix=f"TargetTracking-{g}-")["MetricAlarms"]
        self.assertEqual([(a["AlarmName"], a["Threshold"]) for a in left], [(names[0], 60.0)])
        self.asg.delete_policy(AutoScalingGroupName=g, PolicyName="track")
        self.assertEqual(self.cw.describe_alarms(AlarmNamePrefix=f"TargetTracking-{g}-")["MetricAlarms"], [])

    def test_predefined(self):
        g = self.make(max=2)
        put = self.asg.put_scaling_policy
        p = put(AutoScalingGroupName=g, PolicyName="cpu", PolicyType="TargetTrackingScaling", TargetTrackingConfiguration={
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": 60.0})
        a = self.cw.describe_alarms(AlarmNames=[p["Alarms"][0]["AlarmName"]])["MetricAlarms"][0]
        self.assertEqual((a["Namespace"], a["MetricName"], a["Dimensions"]),
                         ("AWS/EC2", "CPUUtilization", [{"Name": "AutoScalingGroupName", "Value": g}]))
        self.drop(g)
        self.assertEqual(self.cw.describe_alarms(AlarmNames=[x["AlarmName"] for x in p["Alarms"]])["MetricAlarms"], [])
        g = self.make(max=2)
        for bad in ({"TargetValue": 50.0}, {"TargetValue": -1.0, "PredefinedMetricSpecification": {
                "PredefinedMetricType": "ASGAverageCPUUtilization"}}, {"TargetValue": 5.0, "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ALBRequestCountPerTarget"}}):
            self.refused("ValidationError", put, AutoScalingGroupName=g, PolicyName="bad", PolicyType="TargetTrackingScaling",
                         TargetTrackingConfiguration=bad)
        self.assertEqual(self.asg.describe_policies(AutoScalingGroupName=g)["ScalingPolicies"], [])

    def test_own_alarm(self):
        g = self.make(min=1, max=4)
        arn = self.asg.put_scaling_policy(AutoScalingGroupName=g, PolicyName="up", PolicyType="StepScaling",
                                          AdjustmentType="ChangeInCapacity", StepAdjustments=[
                                              {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 1},
                                              {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 2}])["PolicyARN"]
        self.cw.put_metric_alarm(AlarmName="busy", Namespace="App", MetricName="Depth", Statistic="Average", Period=60, EvaluationPeriods=1,
                                 Threshold=100, ComparisonOperator="GreaterThanThreshold", AlarmActions=[arn])
        found = self.asg.describe_policies(PolicyNames=[arn])["ScalingPolicies"][0]
        self.assertEqual([a["AlarmName"] for a in found["Alarms"]], ["busy"])
        self.until_load("Depth", 125, lambda: self.group(g)["DesiredCapacity"] == 3)
        self.serving(g, 3)


class Traffic(Groups):
    def test_target_group(self):
        elb = self.virga.client("elbv2")
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        t = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
        other = elb.create_target_group(Name="api", Protocol="HTTP", Port=81, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]

        def registered(arn):
            return sorted(d["Target"]["Id"] for d in elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"])
        g = self.make(min=2, max=3, TargetGroupARNs=[t])
        now = sorted(self.serving(g, 2))
        self.until(lambda: registered(t) == now)
        self.assertEqual(self.group(g)["TargetGroupARNs"], [t])
        self.assertEqual(self.group(g)["TrafficSources"], [{"Identifier": t, "Type": "elbv2"}])
        states = self.asg.describe_load_balancer_target_groups(AutoScalingGroupName=g)["LoadBalancerTargetGroups"]
        self.assertEqual(states, [{"LoadBalancerTargetGroupARN": t, "State": "InService"}])
        self.asg.attach_traffic_sources(AutoScalingGroupName=g, TrafficSources=[{"Identifier": other, "Type": "elbv2"}])
        self.until(lambda: registered(other) == now)
        self.asg.detach_load_balancer_target_groups(AutoScalingGroupName=g, TargetGroupARNs=[t])
        self.until(lambda: registered(t) == [])
        self.asg.attach_load_balancer_target_groups(AutoScalingGroupName=g, TargetGroupARNs=[t])
        self.until(lambda: registered(t) == now)
        self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=3)
        self.until(lambda: registered(t) == sorted(self.serving(g, 3)))
        self.asg.enter_standby(AutoScalingGroupName=g, InstanceIds=now[:1], ShouldDecrementDesiredCapacity=True)
        self.until(lambda: now[0] not in registered(t) and now[0] not in registered(other))
        sources = self.asg.describe_traffic_sources(AutoScalingGroupName=g)["TrafficSources"]
        self.assertEqual({x["Identifier"] for x in sources}, {t, other})
        self.asg.detach_traffic_sources(AutoScalingGroupName=g, TrafficSources=[{"Identifier": other}])
        self.until(lambda: registered(other) == [])
        # What is ended leaves its target groups first.
        self.drop(g)
        self.assertEqual(registered(t), [])
        self.refused("ValidationError", self.asg.create_auto_scaling_group, AutoScalingGroupName="x", MinSize=0, MaxSize=1,
                     AvailabilityZones=ZONES, LaunchTemplate={"LaunchTemplateId": self.template}, TargetGroupARNs=[t + "0"])


class Crash(Groups):
    def test_nothing_twice(self):
        """kill -9 at every few milliseconds of a group's growing and shrinking."""
        g = self.make(max=12)
        for n, size in enumerate([5, 9, 3, 10, 1, 6]):
            self.asg.set_desired_capacity(AutoScalingGroupName=g, DesiredCapacity=size)
            time.sleep(0.004 * n)
            self.virga.restart()
        now = self.serving(g, 6)
        self.assertEqual(self.of_group(g), sorted(now))


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Machines(Groups):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2, cls.asg = cls.virga.client("ec2"), cls.virga.client("autoscaling")
        cls.image = cls.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
        cls.template = cls.ec2.create_launch_template(
            LaunchTemplateName="web", LaunchTemplateData={"ImageId": cls.image, "InstanceType": "t3.micro"},
        )["LaunchTemplate"]["LaunchTemplateId"]

    def until(self, what, limit=120):
        return super().until(what, limit)

    def test_real(self):
        g = self.make(min=2, max=3)
        a = self.serving(g, 2)[0]
        if "StateReason" in self.describe(a):
            self.skipTest(self.describe(a)["StateReason"]["Message"])
        # One that powers itself off is replaced.
        subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, a, "--", "sh", "-c", "poweroff -f || kill -TERM 1"],
                       capture_output=True)
        self.until(lambda: a not in [i["InstanceId"] for i in self.instances(g)])
        now = self.serving(g, 2)
        self.assertEqual(self.of_group(g), sorted(now))


# The frame itself has no tests.
del Case


if __name__ == "__main__":
    unittest.main()
