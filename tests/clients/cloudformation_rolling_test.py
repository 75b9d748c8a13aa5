"""Auto Scaling groups by their UpdatePolicy and CreationPolicy: batches, signals, replacement, sizes left alone."""
import json
import os
import subprocess
import time
import unittest

from cloudformation_case import Case
from virga import BINARY

NETWORK = {
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.1.0.0/16"}},
    "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.1.1.0/24"}}}


class Rolling(Case):
    SERVICES = ("ec2", "autoscaling")
    ARGS = ("--durability", "relaxed", "--simulated")

    def template(self, kind, policy, size=2, largest=4, more=(), **attributes):
        image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        return {"Resources": {
            **NETWORK,
            "T": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {"InstanceType": kind, "ImageId": image}}},
            "G": {"Type": "AWS::AutoScaling::AutoScalingGroup", "UpdatePolicy": policy, **attributes,
                  "Properties": {"MinSize": str(size), "MaxSize": str(largest), "VPCZoneIdentifier": [{"Ref": "Subnet"}], "LaunchTemplate": {
                      "LaunchTemplateId": {"Ref": "T"}, "Version": {"Fn::GetAtt": "T.LatestVersionNumber"}}, **dict(more)}}}}

    def group(self, stack):
        return self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.physical(stack, "G")])["AutoScalingGroups"][0]

    def serving(self, stack):
        return {i["InstanceId"]: i["InstanceType"] for i in self.group(stack)["Instances"] if i["LifecycleState"] == "InService"}

    def begin(self, stack, template):
        self.cfn.update_stack(StackName=stack, TemplateBody=json.dumps(template))

    def until(self, what, found, limit=120):
        end = time.monotonic() + limit
        while True:
            got = found()
            if got:
                return got
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    def told(self, stack, words, times=1):
        return self.until(words, lambda: sum(words in (r[2] or "") for r in self.reasons(stack)) >= times)

    def signal(self, stack, instance, status="SUCCESS", logical="G"):
        self.cfn.signal_resource(StackName=stack, LogicalResourceId=logical, UniqueId=instance, Status=status)

    def advance(self, by):
        subprocess.run([BINARY, "clock", "advance", by, "--endpoint", self.virga.endpoint], check=True, stdout=subprocess.DEVNULL)

    def roll(self, stack, signalled, status="SUCCESS"):
        """Signals for each new instance, one after the other, until the stack is at its end; the fewest that served meanwhile."""
        fewest, end = 99, time.monotonic() + 120
        while self.cfn.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"].endswith("_IN_PROGRESS"):
            self.assertLess(time.monotonic(), end, self.reasons(stack))
            serving = self.serving(stack)
            fewest = min(fewest, len(serving))
            for instance, kind in serving.items():
                if kind == signalled[0] and instance not in signalled[1]:
                    try:
                        self.signal(stack, instance, status)
                        signalled[1].add(instance)
                    except self.cfn.exceptions.ClientError:
                        pass  # it is over
            time.sleep(0.05)
        return fewest

    def test_a_batch_waits_for_its_signals(self):
        policy = {"AutoScalingRollingUpdate": {"MaxBatchSize": 1, "MinInstancesInService": 2, "WaitOnResourceSignals": True, "PauseTime": "PT30M",
                                               "SuspendProcesses": ["AlarmNotification"]}}
        stack = self.create("signals", self.template("t3.micro", policy))["StackId"]
        before = self.until("two serve", lambda: len(self.serving(stack)) == 2 and self.serving(stack))
        self.begin(stack, self.template("t3.small", policy))
        self.told(stack, "Rolling update initiated. Terminating 2 obsolete instance(s) in batches of 1, while keeping at least 2 instance(s) in service. "
                         "Waiting on resource signals with a timeout of PT30M")
        self.told(stack, "Temporarily setting autoscaling group MinSize and DesiredCapacity to 3.")
        self.told(stack, "New instance(s) added to autoscaling group - Waiting on 1 resource signal(s) with a timeout of PT30M.")
        self.assertEqual([p["ProcessName"] for p in self.group(stack)["SuspendedProcesses"]], ["AlarmNotification"])
        # Nobody has signalled: nothing goes on, and a crash changes nothing of it.
        self.virga.kill()
        self.virga.start(self.virga.port)
        self.assertEqual(set(before) - set(self.serving(stack)), set())
        self.assertGreaterEqual(self.roll(stack, ("t3.small", set())), 2)
        self.assertEqual(self.settle(stack)["StackStatus"], "UPDATE_COMPLETE", self.reasons(stack))
        self.assertEqual(sorted(self.serving(stack).values()), ["t3.small"] * 2)
        after = self.group(stack)
        self.assertEqual((after["MinSize"], after["DesiredCapacity"], after["SuspendedProcesses"]), (2, 2, []))
        # The same again changes nothing of the group; a tag of the stack is no reason to roll.
        self.cfn.update_stack(StackName=stack, UsePreviousTemplate=True, Tags=[{"Key": "a", "Value": "b"}])
        self.assertEqual(self.settle(stack)["StackStatus"], "UPDATE_COMPLETE", self.reasons(stack))
        self.assertEqual(sum("Rolling update initiated" in (r[2] or "") for r in self.reasons(stack)), 1)

    def test_a_failure_rolls_back(self):
        policy = {"AutoScalingRollingUpdate": {"WaitOnResourceSignals": "true", "PauseTime": "PT20M"}}
        stack = self.create("failure", self.template("t3.micro", policy, size=1))["StackId"]
        self.until("one serves", lambda: self.serving(stack))
        self.begin(stack, self.template("t3.small", policy, size=1))
        [new] = self.until("a new one serves", lambda: [i for i, kind in self.serving(stack).items() if kind == "t3.small"])
        self.signal(stack, new, "FAILURE")
        self.told(stack, "Received 1 FAILURE signal(s) out of 1.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement")
        # The way back waits for signals, too.
        self.roll(stack, ("t3.micro", set()))
        self.assertEqual(self.settle(stack)["StackStatus"], "UPDATE_ROLLBACK_COMPLETE", self.reasons(stack))
        self.assertEqual(list(self.serving(stack).values()), ["t3.micro"])

    def test_some_may_be_silent(self):
        policy = {"AutoScalingRollingUpdate": {"MaxBatchSize": 2, "MinSuccessfulInstancesPercent": 50, "WaitOnResourceSignals": True, "PauseTime": "PT20M"}}
        stack = self.create("silent", self.template("t3.micro", policy))["StackId"]
        self.until("two serve", lambda: len(self.serving(stack)) == 2)
        self.begin(stack, self.template("t3.small", policy))
        self.told(stack, "Waiting on 2 resource signal(s)")
        new = self.until("new ones serve", lambda: [i for i, kind in self.serving(stack).items() if kind == "t3.small"])
        self.signal(stack, new[0])
        self.advance("21m")
        self.assertEqual(self.settle(stack)["StackStatus"], "UPDATE_COMPLETE", self.reasons(stack))
        strict = {"AutoScalingRollingUpdate": {**policy["AutoScalingRollingUpdate"], "MinSuccessfulInstancesPercent": 51}}
        self.begin(stack, self.template("t3.medium", strict))
        self.told(stack, "Waiting on 2 resource signal(s)", times=2)
        self.advance("21m")
        self.told(stack, "Failed to receive 2 resource signal(s) within the specified duration")
        self.roll(stack, ("t3.small", set()))
        self.assertEqual(self.settle(stack)["StackStatus"], "UPDATE_ROLLBACK_COMPLETE", self.reasons(stack))

    def test_what_a_policy_may_not_say(self):
        policy = {"AutoScalingRollingUpdate": {"MinInstancesInService": 4}}
        stack = self.create("bad", self.template("t3.micro", {"AutoScalingRollingUpdate": {"PauseTime": "soon"}}, size=1))["StackId"]
        self.until("one serves", lambda: self.serving(stack))
        self.update(stack, self.template("t3.small", policy, size=1), "UPDATE_ROLLBACK_FAILED")
        reasons = " ".join(r[2] or "" for r in self.reasons(stack))
        self.assertIn("MinInstancesInService must be less than the autoscaling group's MaxSize", reasons)
        self.assertIn("Invalid PauseTime in UpdatePolicy: soon", reasons)

    def test_a_group_is_replaced_as_a_whole(self):
        policy = {"AutoScalingReplacingUpdate": {"WillReplace": True}}
        creation = {"CreationPolicy": {"AutoScalingCreationPolicy": {"MinSuccessfulInstancesPercent": 50}, "ResourceSignal": {"Count": 2, "Timeout": "PT20M"}}}
        stack = self.cfn.create_stack(StackName="replace", TemplateBody=json.dumps(self.template("t3.micro", policy, **creation)))["StackId"]
        self.addCleanup(self.remove, stack)
        self.told(stack, "Resource creation Initiated", times=4)
        self.signal(stack, "i-1")
        self.assertEqual(self.settle(stack)["StackStatus"], "CREATE_COMPLETE", self.reasons(stack))
        old = self.physical(stack, "G")
        # A size alone is changed in place; the change set tells that a template is not.
        for kind, size, replacement in (("t3.micro", 1, "False"), ("t3.small", 1, "Conditional")):
            id = self.cfn.create_change_set(StackName=stack, ChangeSetName=f"c{replacement}", TemplateBody=json.dumps(self.template(kind, policy, size=size, **creation)))["Id"]
            [change] = [c["ResourceChange"] for c in self.cfn.describe_change_set(ChangeSetName=id)["Changes"] if c["ResourceChange"]["LogicalResourceId"] == "G"]
            self.assertEqual(change["Replacement"], replacement)
        self.begin(stack, self.template("t3.small", policy, **creation))
        new = self.until("another group", lambda: self.physical(stack, "G") not in ("", old) and self.physical(stack, "G"))
        self.advance("21m")
        self.assertEqual(self.settle(stack)["StackStatus"], "UPDATE_ROLLBACK_COMPLETE", self.reasons(stack))
        self.assertIn("Failed to receive 1 resource signal(s) within the specified duration", " ".join(r[2] or "" for r in self.reasons(stack)))
        self.assertEqual(self.physical(stack, "G"), old)
        self.begin(stack, self.template("t3.small", policy, **creation))
        newer = self.until("another group", lambda: self.physical(stack, "G") not in ("", old, new) and self.physical(stack, "G"))
        self.assertEqual(len(self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[old, newer])["AutoScalingGroups"]), 2)
        self.signal(stack, "i-1")
        self.assertEqual(self.settle(stack)["StackStatus"], "UPDATE_COMPLETE", self.reasons(stack))
        self.until("the old one goes", lambda: [g["AutoScalingGroupName"] for g in self.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
                                               if g["AutoScalingGroupName"] in (old, new, newer)] == [newer])

    def test_sizes_that_a_schedule_set_stay(self):
        policy = {"AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": True}}
        stack = self.create("sizes", self.template("t3.micro", policy, size=1))["StackId"]
        name = self.physical(stack, "G")
        self.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=2, DesiredCapacity=3)
        self.update(stack, self.template("t3.micro", policy, size=1, more={"Cooldown": "10"}.items()))
        after = self.group(stack)
        self.assertEqual((after["MinSize"], after["DesiredCapacity"], after["DefaultCooldown"]), (2, 3, 10))
        self.update(stack, self.template("t3.micro", policy, size=1, largest=5, more={"Cooldown": "10"}.items()))
        after = self.group(stack)
        self.assertEqual((after["MinSize"], after["MaxSize"], after["DesiredCapacity"]), (2, 5, 3))
        self.update(stack, self.template("t3.micro", {}, size=1, largest=5, more={"Cooldown": "11"}.items()))
        self.assertEqual(self.group(stack)["MinSize"], 1)


SCRIPT = """#!/bin/sh
# What cfn-signal --stack --resource sends, signed as the instance's role.
M=http://169.254.169.254/latest
T=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' $M/api/token)
get() { curl -sf -H "X-aws-ec2-metadata-token: $T" $M/meta-data/$1; }
value() { tr ',' '\\n' < keys | sed -n 's/.*"'$1'" *: *"\\([^"]*\\)".*/\\1/p'; }
get iam/security-credentials/$(get iam/security-credentials/) > keys
curl -sf --retry 5 --retry-all-errors --aws-sigv4 aws:amz:${AWS::Region}:cloudformation --user "$(value AccessKeyId):$(value SecretAccessKey)" \\
  -H "x-amz-security-token: $(value Token)" https://cloudformation.${AWS::Region}.amazonaws.com/ --data-urlencode 'StackName=${AWS::StackId}' \\
  -d "Action=SignalResource&Version=2010-05-15&LogicalResourceId=G&UniqueId=$(get instance-id)&Status=SUCCESS" # WORD
"""


@unittest.skipIf(os.geteuid() != 0, "machines need root")
class Inside(Rolling):
    ARGS = ("--durability", "relaxed")

    test_a_batch_waits_for_its_signals = test_a_failure_rolls_back = test_some_may_be_silent = None
    test_what_a_policy_may_not_say = test_a_group_is_replaced_as_a_whole = test_sizes_that_a_schedule_set_stay = None

    def test_machines_signal(self):
        """Creation and a rolling update go on by what machines send, by nothing else."""
        images = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"]
        trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        allow = {"Statement": [{"Effect": "Allow", "Action": "cloudformation:SignalResource", "Resource": "*"}]}

        def template(word):
            policy = {"AutoScalingRollingUpdate": {"MaxBatchSize": 1, "MinInstancesInService": 1, "WaitOnResourceSignals": True, "PauseTime": "PT60M"}}
            creation = {"CreationPolicy": {"ResourceSignal": {"Count": 2, "Timeout": "PT60M"}}}
            t = self.template("t3.micro", policy, **creation)
            r = t["Resources"]
            r["G"]["DependsOn"] = ["Default", "Association"]
            r.update({
                "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust, "Policies": [{"PolicyName": "signal", "PolicyDocument": allow}]}},
                "Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "Role"}]}},
                "Gateway": {"Type": "AWS::EC2::InternetGateway"},
                "Attachment": {"Type": "AWS::EC2::VPCGatewayAttachment", "Properties": {"VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Ref": "Gateway"}}},
                "Routes": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "Vpc"}}},
                "Default": {"Type": "AWS::EC2::Route", "DependsOn": "Attachment", "Properties": {
                    "RouteTableId": {"Ref": "Routes"}, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": {"Ref": "Gateway"}}},
                "Association": {"Type": "AWS::EC2::SubnetRouteTableAssociation", "Properties": {"SubnetId": {"Ref": "Subnet"}, "RouteTableId": {"Ref": "Routes"}}}})
            r["Subnet"]["Properties"]["MapPublicIpOnLaunch"] = True
            r["T"]["Properties"]["LaunchTemplateData"].update(
                ImageId=images[0]["ImageId"], IamInstanceProfile={"Arn": {"Fn::GetAtt": "Profile.Arn"}}, UserData={"Fn::Base64": {"Fn::Sub": SCRIPT.replace("WORD", word)}})
            return t

        id = self.cfn.create_stack(StackName="inside", TemplateBody=json.dumps(template("one")), Capabilities=["CAPABILITY_IAM"])["StackId"]
        self.addCleanup(self.remove, id)
        stack = self.settle(id, limit=300)
        self.assertEqual(stack["StackStatus"], "CREATE_COMPLETE", self.reasons(id))
        before = self.serving(id)
        self.cfn.update_stack(StackName=id, TemplateBody=json.dumps(template("two")), Capabilities=["CAPABILITY_IAM"])
        self.assertEqual(self.settle(id, limit=300)["StackStatus"], "UPDATE_COMPLETE", self.reasons(id))
        signalled = {r[2].rsplit(" ", 1)[1] for r in self.reasons(id) if "Received SUCCESS signal with UniqueId" in (r[2] or "")}
        self.assertLessEqual(set(before) | set(self.serving(id)), signalled)
        self.assertEqual(set(before) & set(self.serving(id)), set())


if __name__ == "__main__":
    unittest.main()
