"""Auto Scaling through boto3, with simulated compute: groups, balance over zones, replacement, hooks, standby, and that a crash
anywhere launches nothing twice."""
import json
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

    def test_requirements(self):
        def mix(spot="price-capacity-optimized", **r):
            return {"LaunchTemplate": {"LaunchTemplateSpecification": {"LaunchTemplateId": self.template}, "Overrides": [
                {"InstanceRequirements": {"VCpuCount": {"Min": 2, "Max": 4}, "MemoryMiB": {"Min": 4096, "Max": 16384}, **r}}]},
                "InstancesDistribution": {"OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": 0, "SpotAllocationStrategy": spot}}
        g = self.make(max=4, min=4, MixedInstancesPolicy=mix())
        got = {i["InstanceId"]: i["InstanceType"] for i in self.instances(g)}
        about = {t["InstanceType"]: t for t in self.ec2.describe_instance_types(InstanceTypes=list(set(got.values())))["InstanceTypes"]}
        for t in about.values():
            self.assertIn(t["VCpuInfo"]["DefaultVCpus"], (2, 4), t)
            self.assertTrue(4096 <= t["MemoryInfo"]["SizeInMiB"] <= 16384, t)
            self.assertEqual((t["BurstablePerformanceSupported"], t["BareMetal"], "GpuInfo" in t), (False, False, False))
            self.assertIn("x86_64", t["ProcessorInfo"]["SupportedArchitectures"])
        spot = [t for i, t in got.items() if self.describe(i).get("InstanceLifecycle") == "spot"]
        self.assertEqual((len(got), len(spot)), (4, 3))  # spread over pools
        g = self.make(name="amd", max=1, min=1, MixedInstancesPolicy=mix(
            CpuManufacturers=["amd"], AllowedInstanceTypes=["m*"], InstanceGenerations=["current"]))
        self.assertRegex(self.instances(g)[0]["InstanceType"], r"^m\d+a")
        make = {"AutoScalingGroupName": "r", "MinSize": 0, "MaxSize": 1, "AvailabilityZones": ZONES}
        self.refused("ValidationError", self.asg.create_auto_scaling_group, **make, MixedInstancesPolicy=mix(MemoryMiB={"Min": 2 ** 30}))
        self.refused("ValidationError", self.asg.create_auto_scaling_group, **make, MixedInstancesPolicy=mix(
            AllowedInstanceTypes=["m*"], ExcludedInstanceTypes=["c*"]))

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

    def test_launch_before_terminating(self):
        g = self.make(min=2, max=4, InstanceMaintenancePolicy={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150})
        a, b = self.serving(g, 2)
        self.asg.put_lifecycle_hook(AutoScalingGroupName=g, LifecycleHookName="in", LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING")
        self.asg.set_instance_health(InstanceId=a, HealthStatus="Unhealthy")
        new = self.until(lambda: [i["InstanceId"] for i in self.instances(g) if i["LifecycleState"] == "Pending:Wait"])
        state = {i["InstanceId"]: (i["LifecycleState"], i["HealthStatus"]) for i in self.instances(g)}
        self.assertEqual(len(new), 1)  # half as many again as are desired
        self.assertEqual((state[a], state[b]), (("InService", "Unhealthy"), ("InService", "Healthy")))
        self.asg.complete_lifecycle_action(AutoScalingGroupName=g, LifecycleHookName="in", InstanceId=new[0], LifecycleActionResult="CONTINUE")
        self.until(lambda: a not in [i["InstanceId"] for i in self.instances(g)])
        self.assertEqual(sorted(self.serving(g, 2)), sorted([b, *new]))
        # One that does not run is not waited for.
        self.ec2.terminate_instances(InstanceIds=[b])
        self.until(lambda: b not in [i["InstanceId"] for i in self.instances(g)])

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


if __name__ == "__main__":
    unittest.main()
