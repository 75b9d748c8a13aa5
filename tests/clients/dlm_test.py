"""Data Lifecycle Manager through boto3: policies, and the snapshots and images that their schedules make, copy, share and
delete as the virtual clock goes on."""
import json
import unittest

from ec2_volume_test import ZONE, Volumes

NEEDS_BOTO3 = (1, 40)
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "dlm.amazonaws.com"},
                                                 "Action": "sts:AssumeRole"}]}
ROLE = "arn:aws:iam::000000000000:role/lifecycle"
COUNT = {"Count": 2}


class Policies(Volumes):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dlm = cls.virga.client("dlm")
        cls.far = cls.virga.client("ec2", region="eu-west-1")
        iam = cls.virga.client("iam")
        iam.create_role(RoleName="lifecycle", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.put_role_policy(RoleName="lifecycle", PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}))

    def policy(self, schedules, tag, role=ROLE, state="ENABLED", **details):
        p = self.dlm.create_lifecycle_policy(
            ExecutionRoleArn=role, Description="daily", State=state, Tags={"owner": "ops"},
            PolicyDetails={"ResourceTypes": ["VOLUME"], "TargetTags": [{"Key": "backup", "Value": tag}], "Schedules": schedules,
                           **details})["PolicyId"]
        self.addCleanup(self.dlm.delete_lifecycle_policy, PolicyId=p)
        return p

    def tagged(self, tag, **kw):
        return self.create(TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "backup", "Value": tag}, {"Key": "app", "Value": "x"}]}],
                           **kw)

    def made(self, policy, ec2=None):
        found = (ec2 or self.ec2).describe_snapshots(OwnerIds=["self"], Filters=[
            {"Name": "tag:aws:dlm:lifecycle-policy-id", "Values": [policy]}])["Snapshots"]
        return sorted(found, key=lambda s: s["StartTime"])

    def get(self, policy):
        return self.dlm.get_lifecycle_policy(PolicyId=policy)["Policy"]

    def test_by_count(self):
        v, other = self.tagged("count"), self.create()
        p = self.policy([{"Name": "often", "CreateRule": {"Interval": 12, "IntervalUnit": "HOURS"}, "RetainRule": COUNT, "CopyTags": True,
                          "TagsToAdd": [{"Key": "made", "Value": "by dlm"}],
                          "CrossRegionCopyRules": [{"TargetRegion": "eu-west-1", "Encrypted": False, "CopyTags": True,
                                                    "RetainRule": {"Interval": 1, "IntervalUnit": "DAYS"}}]}], "count")
        self.assertEqual(self.made(p), [])
        self.advance("12h")
        [first] = self.until(lambda: self.made(p))
        self.assertEqual(first["VolumeId"], v)
        tags = {t["Key"]: t["Value"] for t in first["Tags"]}
        self.assertEqual((tags["app"], tags["made"], tags["dlm:managed"], tags["aws:dlm:lifecycle-schedule-name"]),
                         ("x", "by dlm", "true", "often"))
        [copy] = self.until(lambda: self.made(p, self.far))
        self.assertIn(("app", "x"), [(t["Key"], t["Value"]) for t in copy["Tags"]])
        self.advance("12h")
        self.until(lambda: len(self.made(p)) == 2)
        self.advance("12h")
        self.until(lambda: len(self.made(p)) == 2 and self.made(p)[0]["SnapshotId"] != first["SnapshotId"])
        self.until(lambda: copy["SnapshotId"] not in [s["SnapshotId"] for s in self.made(p, self.far)])
        self.assertEqual(self.get(p)["State"], "ENABLED")
        # A crash in between makes nothing twice.
        self.virga.restart()
        self.advance("12h")
        self.until(lambda: len(self.made(p)) == 2)
        self.assertFalse([s for s in self.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] if s["VolumeId"] == other])
        # Disabled, it neither makes nor deletes.
        self.dlm.update_lifecycle_policy(PolicyId=p, State="DISABLED")
        kept = [s["SnapshotId"] for s in self.made(p)]
        self.advance("3d")
        self.assertEqual([s["SnapshotId"] for s in self.made(p)], kept)

    def test_by_age(self):
        v = self.tagged("age")
        p = self.policy([{"Name": "cron", "CreateRule": {"CronExpression": "cron(30 4 1 1 ? 2198)"},
                          "RetainRule": {"Interval": 1, "IntervalUnit": "DAYS"}}], "age")
        self.advance("2d")
        self.assertEqual(self.made(p), [])
        self.dlm.update_lifecycle_policy(PolicyId=p, PolicyDetails={"Schedules": [
            {"Name": "cron", "CreateRule": {"CronExpression": "cron(0 0 ? * * *)"}, "RetainRule": {"Interval": 2, "IntervalUnit": "DAYS"},
             "FastRestoreRule": {"Interval": 1, "IntervalUnit": "DAYS", "AvailabilityZones": [ZONE]},
             "ShareRules": [{"TargetAccounts": ["111122223333"], "UnshareInterval": 1, "UnshareIntervalUnit": "DAYS"}]}]})
        self.advance("24h")
        first = self.until(lambda: self.made(p))[0]["SnapshotId"]
        shared = lambda: [x["UserId"] for x in self.ec2.describe_snapshot_attribute(
            SnapshotId=first, Attribute="createVolumePermission")["CreateVolumePermissions"]]
        fast = lambda: [x["State"] for x in self.ec2.describe_fast_snapshot_restores(
            Filters=[{"Name": "snapshot-id", "Values": [first]}])["FastSnapshotRestores"]]
        self.until(lambda: shared() == ["111122223333"] and fast() and fast()[0] != "disabled")
        self.ec2.delete_volume(VolumeId=v)
        self.advance("25h")
        self.until(lambda: shared() == [] and fast() and fast()[0].startswith("disabl"))
        self.advance("48h")
        self.until(lambda: self.made(p) == [])

    def test_images(self):
        tags = [{"Key": "backup", "Value": "image"}]
        i = self.run_one(Placement={"AvailabilityZone": ZONE}, TagSpecifications=[{"ResourceType": "instance", "Tags": tags}])
        p = self.policy([{"Name": "images", "CreateRule": {"Interval": 24, "IntervalUnit": "HOURS"}, "RetainRule": {"Count": 1},
                          "VariableTags": [{"Key": "of", "Value": "from $(instance-id)"}],
                          "DeprecateRule": {"Interval": 1, "IntervalUnit": "DAYS"}}],
                        "image", ResourceTypes=["INSTANCE"], PolicyType="IMAGE_MANAGEMENT")
        images = lambda: self.ec2.describe_images(Owners=["self"], Filters=[
            {"Name": "tag:aws:dlm:lifecycle-policy-id", "Values": [p]}])["Images"]
        self.advance("24h")
        [first] = self.until(images)
        self.assertIn({"Key": "of", "Value": f"from {i}"}, first["Tags"])
        self.until(lambda: images()[0].get("DeprecationTime"))
        self.advance("24h")
        self.until(lambda: [x["ImageId"] for x in images()] not in ([], [first["ImageId"]]) and len(images()) == 1)
        self.until(lambda: len(self.made(p)) == 1)  # the old one's snapshot went with it
        sets = self.policy([{"Name": "sets", "CreateRule": {"Interval": 24, "IntervalUnit": "HOURS"}, "RetainRule": {"Count": 1}}],
                           "image", ResourceTypes=["INSTANCE"], Parameters={"ExcludeBootVolume": False})
        v = self.create()
        self.ec2.attach_volume(VolumeId=v, InstanceId=i, Device="/dev/sdf")
        self.until(lambda: self.volume(v, "in-use")["Attachments"][0]["State"] == "attached")
        self.advance("24h")
        self.until(lambda: len(self.made(sets)) == 2)
        self.advance("24h")
        self.until(lambda: len({s["StartTime"].date() for s in self.made(sets)}) == 1 and len(self.made(sets)) == 2)

    def test_role(self):
        self.tagged("role")
        p = self.policy([{"Name": "s", "CreateRule": {"Interval": 1, "IntervalUnit": "HOURS"}, "RetainRule": COUNT}], "role",
                        role="arn:aws:iam::000000000000:role/absent")
        self.advance("1h")
        self.until(lambda: self.get(p)["State"] == "ERROR")
        self.assertIn("absent", self.get(p)["StatusMessage"])
        self.dlm.update_lifecycle_policy(PolicyId=p, ExecutionRoleArn=ROLE)
        self.advance("1h")
        self.until(lambda: len(self.made(p)) == 1)
        self.assertEqual(self.get(p)["State"], "ENABLED")

    def test_told_and_refused(self):
        good = {"Name": "s", "CreateRule": {"Interval": 24, "IntervalUnit": "HOURS", "Times": ["03:00"]}, "RetainRule": COUNT,
                "TagsToAdd": [{"Key": "k", "Value": "v"}]}
        p = self.policy([good], "told", state="DISABLED")
        got = self.get(p)
        self.assertEqual((got["State"], got["Tags"], got["PolicyDetails"]["PolicyType"], got["PolicyDetails"]["Schedules"][0]["CreateRule"]["Times"]),
                         ("DISABLED", {"owner": "ops"}, "EBS_SNAPSHOT_MANAGEMENT", ["03:00"]))
        ids = lambda **kw: [x["PolicyId"] for x in self.dlm.get_lifecycle_policies(**kw)["Policies"]]
        self.assertEqual((ids(TargetTags=["backup=told"]), ids(TargetTags=["backup=not"]), ids(TagsToAdd=["k=v"], PolicyIds=[p])), ([p], [], [p]))
        arn = got["PolicyArn"]
        self.dlm.tag_resource(ResourceArn=arn, Tags={"more": "1"})
        self.dlm.untag_resource(ResourceArn=arn, TagKeys=["owner"])
        self.assertEqual(self.dlm.list_tags_for_resource(ResourceArn=arn)["Tags"], {"more": "1"})
        for bad in ({"CreateRule": {"Interval": 5, "IntervalUnit": "HOURS"}}, {"CreateRule": {"CronExpression": "cron(0 0 nonsense * * *)"}},
                    {"RetainRule": {"Count": 1, "Interval": 1, "IntervalUnit": "DAYS"}}, {"RetainRule": {"Interval": 101, "IntervalUnit": "YEARS"}},
                    {"CrossRegionCopyRules": [{"TargetRegion": "us-east-1", "Encrypted": False}]},
                    {"DeprecateRule": {"Interval": 1, "IntervalUnit": "DAYS"}}):
            self.refused("InvalidRequestException", self.policy, schedules=[{**good, **bad}], tag="bad")
        self.refused("InvalidRequestException", self.policy, schedules=[good, good], tag="bad")
        self.refused("ResourceNotFoundException", self.dlm.get_lifecycle_policy, PolicyId="policy-0123456789abcdef0")


# Theirs run in their own suite.
for name in [n for n in dir(Volumes) if n.startswith("test_") and n not in vars(Policies)]:
    setattr(Policies, name, None)
del Volumes

if __name__ == "__main__":
    unittest.main()
