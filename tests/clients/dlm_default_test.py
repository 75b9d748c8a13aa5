"""Default policies of Data Lifecycle Manager through boto3: what has no recent snapshot or image gets one, day by day of the virtual
clock, but for what is excluded; and what becomes of it when its source is gone."""
import unittest

from dlm_test import ROLE, Policies as Base
from ec2_volume_test import ZONE

NEEDS_BOTO3 = (1, 40)


def without_tests(base):
    return type(base.__name__, (base,), {n: None for n in dir(base) if n.startswith("test_")})


class Defaults(without_tests(Base)):
    def default(self, kind, **kw):
        p = self.dlm.create_lifecycle_policy(ExecutionRoleArn=ROLE, Description="default", State="ENABLED", DefaultPolicy=kind, **kw)["PolicyId"]
        self.addCleanup(self.dlm.delete_lifecycle_policy, PolicyId=p)
        return p

    def test_records(self):
        ask = {"ExecutionRoleArn": ROLE, "Description": "d", "State": "ENABLED"}
        create = self.dlm.create_lifecycle_policy
        for wrong in ({"CreateInterval": 8}, {"RetainInterval": 15}, {"RetainInterval": 1}, {"CreateInterval": 5, "RetainInterval": 5},
                      {"CrossRegionCopyTargets": [{"TargetRegion": "us-east-1"}]}):
            self.refused("InvalidRequestException", create, DefaultPolicy="VOLUME", **wrong, **ask)
        self.refused("InvalidRequestException", create, DefaultPolicy="INSTANCE", Exclusions={"ExcludeBootVolumes": True}, **ask)
        self.refused("InvalidRequestException", create, CreateInterval=1, **ask)
        p = self.default("VOLUME")
        told = self.get(p)
        d = told["PolicyDetails"]
        self.assertTrue(told["DefaultPolicy"])
        self.assertEqual((d["PolicyLanguage"], d["PolicyType"], d["ResourceType"], d["CreateInterval"], d["RetainInterval"], d["CopyTags"],
                          d["ExtendDeletion"]), ("SIMPLIFIED", "EBS_SNAPSHOT_MANAGEMENT", "VOLUME", 1, 7, False, False))
        self.refused("InvalidRequestException", create, DefaultPolicy="VOLUME", **ask)
        q = self.default("INSTANCE", CopyTags=True)

        def listed(kind):
            return {x["PolicyId"] for x in self.dlm.get_lifecycle_policies(DefaultPolicyType=kind)["Policies"]}

        self.assertEqual((listed("VOLUME"), listed("INSTANCE"), listed("ALL")), ({p}, {q}, {p, q}))
        self.dlm.update_lifecycle_policy(PolicyId=p, CreateInterval=3, RetainInterval=9)
        self.refused("InvalidRequestException", self.dlm.update_lifecycle_policy, PolicyId=p, RetainInterval=2)
        d = self.get(p)["PolicyDetails"]
        self.assertEqual((d["CreateInterval"], d["RetainInterval"]), (3, 9))

    def test_volumes(self):
        tag = {"Key": "keep", "Value": "out"}
        v = self.tagged("x")
        out = self.create(TagSpecifications=[{"ResourceType": "volume", "Tags": [tag]}])
        kind = self.create(VolumeType="gp3")
        i = self.run_one(Placement={"AvailabilityZone": ZONE})
        root = self.describe(i)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        p = self.default("VOLUME", CopyTags=True, RetainInterval=2, CrossRegionCopyTargets=[{"TargetRegion": "eu-west-1"}], Exclusions={
            "ExcludeBootVolumes": True, "ExcludeVolumeTypes": ["gp3"], "ExcludeTags": [tag]})
        self.advance("24h")
        self.until(lambda: v in [s["VolumeId"] for s in self.made(p)])
        first = next(s for s in self.made(p) if s["VolumeId"] == v)
        self.assertIn({"Key": "app", "Value": "x"}, first["Tags"])
        self.until(lambda: self.made(p, self.far))
        self.assertEqual({out, kind, root} & {s["VolumeId"] for s in self.made(p)}, set())
        # Another day, but for what somebody else has made a snapshot of since then.
        other = self.tagged("y")
        self.advance("20h")
        own = self.ec2.create_snapshot(VolumeId=other)["SnapshotId"]
        self.advance("4h")
        self.until(lambda: len([s for s in self.made(p) if s["VolumeId"] == v]) == 2)
        self.assertNotIn(other, [s["VolumeId"] for s in self.made(p)])
        self.assertTrue(own)
        # The last of a volume that is gone is kept, for good; the others go with their age.
        self.ec2.delete_volume(VolumeId=v)
        self.advance("10d")
        self.until(lambda: len([s for s in self.made(p) if s["VolumeId"] == v]) == 1)
        self.assertNotEqual([s for s in self.made(p) if s["VolumeId"] == v][0]["SnapshotId"], first["SnapshotId"])
        self.dlm.update_lifecycle_policy(PolicyId=p, ExtendDeletion=True)
        self.advance("24h")
        self.until(lambda: not [s for s in self.made(p) if s["VolumeId"] == v])
        self.ec2.terminate_instances(InstanceIds=[i])

    def test_instances(self):
        i = self.run_one(Placement={"AvailabilityZone": ZONE})
        p = self.default("INSTANCE", CreateInterval=2, RetainInterval=4)

        def images():
            return self.ec2.describe_images(Owners=["self"], Filters=[{"Name": "tag:aws:dlm:lifecycle-policy-id", "Values": [p]}])["Images"]

        self.advance("24h")
        [a] = self.until(images)
        self.assertEqual(a["SourceInstanceId"], i)
        self.advance("24h")
        self.advance("24h")
        self.until(lambda: len(images()) == 2)
        self.ec2.terminate_instances(InstanceIds=[i])


del Base

if __name__ == "__main__":
    unittest.main()
