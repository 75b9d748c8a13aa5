"""Recycle Bin through boto3: rules, what they keep of deleted snapshots, images and volumes, for how long; fast restores."""
import os
import unittest

from ec2_volume_test import BLOCK, ZONE, Volumes

NEEDS_BOTO3 = (1, 43)
DAYS = {"RetentionPeriodUnit": "DAYS"}


class Bin(Volumes):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rbin = cls.virga.client("rbin")

    def rule(self, kind, days, **kw):
        r = self.rbin.create_rule(ResourceType=kind, RetentionPeriod={"RetentionPeriodValue": days, **DAYS}, **kw)
        self.addCleanup(self.rbin.delete_rule, Identifier=r["Identifier"])
        return r

    def bin(self):
        return [s["SnapshotId"] for s in self.ec2.list_snapshots_in_recycle_bin()["Snapshots"]]

    def test_rules(self):
        r = self.rbin.create_rule(ResourceType="EBS_SNAPSHOT", RetentionPeriod={"RetentionPeriodValue": 7, **DAYS}, Description="week",
                                  ResourceTags=[{"ResourceTagKey": "keep", "ResourceTagValue": "yes"}], Tags=[{"Key": "a", "Value": "b"}])
        i = r["Identifier"]
        self.assertEqual((r["Status"], r["RetentionPeriod"]["RetentionPeriodValue"]), ("available", 7))
        self.assertEqual(self.rbin.list_tags_for_resource(ResourceArn=r["RuleArn"])["Tags"], [{"Key": "a", "Value": "b"}])
        self.rbin.tag_resource(ResourceArn=r["RuleArn"], Tags=[{"Key": "c", "Value": "d"}])
        self.rbin.untag_resource(ResourceArn=r["RuleArn"], TagKeys=["a"])
        self.assertEqual(self.rbin.list_tags_for_resource(ResourceArn=r["RuleArn"])["Tags"], [{"Key": "c", "Value": "d"}])
        self.rbin.update_rule(Identifier=i, RetentionPeriod={"RetentionPeriodValue": 9, **DAYS})
        got = self.rbin.get_rule(Identifier=i)
        self.assertEqual((got["RetentionPeriod"]["RetentionPeriodValue"], got["Description"], got["ResourceTags"]),
                         (9, "week", [{"ResourceTagKey": "keep", "ResourceTagValue": "yes"}]))
        ids = lambda **kw: [x["Identifier"] for x in self.rbin.list_rules(ResourceType="EBS_SNAPSHOT", **kw)["Rules"]]
        self.assertEqual((ids(), ids(ResourceTags=[{"ResourceTagKey": "other"}]), ids(LockState="locked")), ([i], [], []))
        self.refused("ValidationException", self.rbin.update_rule, Identifier=i, ResourceType="EC2_IMAGE")
        lock = {"UnlockDelay": {"UnlockDelayValue": 7, "UnlockDelayUnit": "DAYS"}}
        self.refused("ValidationException", self.rbin.lock_rule, Identifier=i, LockConfiguration=lock)  # not the Region's
        self.refused("ValidationException", self.rbin.create_rule, ResourceType="EBS_SNAPSHOT",
                     RetentionPeriod={"RetentionPeriodValue": 366, **DAYS})
        self.refused("ValidationException", self.rbin.create_rule, ResourceType="EBS_VOLUME",
                     RetentionPeriod={"RetentionPeriodValue": 8, **DAYS})
        self.rbin.delete_rule(Identifier=i)
        self.refused("ResourceNotFoundException", self.rbin.get_rule, Identifier=i)

    def test_locks(self):
        i = self.rbin.create_rule(ResourceType="EBS_SNAPSHOT", RetentionPeriod={"RetentionPeriodValue": 1, **DAYS},
                                  LockConfiguration={"UnlockDelay": {"UnlockDelayValue": 7, "UnlockDelayUnit": "DAYS"}})["Identifier"]
        self.refused("ConflictException", self.rbin.delete_rule, Identifier=i)
        self.refused("ConflictException", self.rbin.update_rule, Identifier=i, Description="x")
        self.assertEqual(self.rbin.unlock_rule(Identifier=i)["LockState"], "pending_unlock")
        self.refused("ConflictException", self.rbin.delete_rule, Identifier=i)
        self.advance("8d")
        self.assertEqual(self.rbin.get_rule(Identifier=i)["LockState"], "unlocked")
        self.rbin.delete_rule(Identifier=i)

    def test_snapshots(self):
        v = self.create()
        self.write(v, 3 * BLOCK, b"here" * 1000)
        lost = self.snapshot(v)
        self.ec2.delete_snapshot(SnapshotId=lost)
        self.assertNotIn(lost, self.bin())
        self.rule("EBS_SNAPSHOT", 2, ResourceTags=[{"ResourceTagKey": "keep", "ResourceTagValue": "yes"}])
        self.rule("EBS_SNAPSHOT", 1, ExcludeResourceTags=[{"ResourceTagKey": "scrap"}])
        tagged = lambda **tags: {"TagSpecifications": [{"ResourceType": "snapshot", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]}
        kept, plain, scrap = (self.snapshot(v, Description=d, **t) for d, t in (("kept", tagged(keep="yes")), ("plain", {}),
                                                                                ("scrap", tagged(scrap="1"))))
        self.ec2.modify_snapshot_attribute(SnapshotId=kept, Attribute="createVolumePermission", OperationType="add",
                                           UserIds=["111122223333"])
        for s in (kept, plain, scrap):
            self.ec2.delete_snapshot(SnapshotId=s)
            self.refused("InvalidSnapshot.NotFound", self.ec2.describe_snapshots, SnapshotIds=[s])
        self.assertEqual(set(self.bin()), {kept, plain})
        [told] = self.ec2.list_snapshots_in_recycle_bin(SnapshotIds=[kept])["Snapshots"]
        self.assertEqual((told["Description"], told["VolumeId"], (told["RecycleBinExitTime"] - told["RecycleBinEnterTime"]).days),
                         ("kept", v, 2))
        self.refused("InvalidSnapshot.NotFound", self.ec2.create_volume, AvailabilityZone=ZONE, SnapshotId=kept)
        self.assertEqual(self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [kept]}])["Tags"], [])
        self.advance("25h")
        self.until(lambda: self.bin() == [kept])
        self.refused("InvalidSnapshot.NotFound", self.ec2.restore_snapshot_from_recycle_bin, SnapshotId=plain)
        self.virga.restart()
        self.assertEqual(self.ec2.restore_snapshot_from_recycle_bin(SnapshotId=kept)["State"], "completed")
        self.assertEqual(self.bin(), [])
        [back] = self.ec2.describe_snapshots(SnapshotIds=[kept])["Snapshots"]
        self.assertEqual((back["Tags"], back["Description"]), ([{"Key": "keep", "Value": "yes"}], "kept"))
        self.assertTrue(self.ec2.describe_snapshot_attribute(SnapshotId=kept, Attribute="createVolumePermission")["CreateVolumePermissions"])
        self.advance("48h")
        w = self.ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=kept)["VolumeId"]
        self.volume(w)
        self.assertEqual(self.read(w, 3 * BLOCK, 4000), b"here" * 1000)

    def test_images(self):
        self.rule("EC2_IMAGE", 3)
        s = self.snapshot(self.create())
        new = {"Name": "golden", "RootDeviceName": "/dev/xvda", "Architecture": "x86_64", "VirtualizationType": "hvm",
               "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": s}}]}
        i = self.ec2.register_image(**new)["ImageId"]
        self.ec2.deregister_image(ImageId=i)
        self.refused("InvalidAMIID.NotFound", self.ec2.describe_images, ImageIds=[i])
        [told] = self.ec2.list_images_in_recycle_bin()["Images"]
        self.assertEqual((told["ImageId"], told["Name"]), (i, "golden"))
        other = self.ec2.register_image(**new)["ImageId"]
        self.refused("InvalidAMIName.Duplicate", self.ec2.restore_image_from_recycle_bin, ImageId=i)
        self.ec2.deregister_image(ImageId=other)
        self.ec2.restore_image_from_recycle_bin(ImageId=i)
        self.assertEqual(self.ec2.describe_images(ImageIds=[i])["Images"][0]["State"], "available")
        self.advance("4d")
        self.until(lambda: not self.ec2.list_images_in_recycle_bin()["Images"])

    def test_volumes(self):
        self.rule("EBS_VOLUME", 1)
        v, w = self.create(), self.create()
        self.write(v, 0, b"data")
        for x in (v, w):
            self.ec2.delete_volume(VolumeId=x)
            self.refused("InvalidVolume.NotFound", self.ec2.describe_volumes, VolumeIds=[x])
        self.assertEqual({x["VolumeId"] for x in self.ec2.list_volumes_in_recycle_bin()["Volumes"]}, {v, w})
        self.ec2.restore_volume_from_recycle_bin(VolumeId=v)
        self.volume(v)
        self.assertEqual(self.read(v, 0, 4), b"data")
        self.assertTrue(os.path.exists(self.file(w)))
        self.advance("25h")
        self.until(lambda: not os.path.exists(self.file(w)))
        self.assertEqual(self.ec2.list_volumes_in_recycle_bin()["Volumes"], [])

    def test_fast_restores(self):
        s = self.snapshot(self.create())
        got = self.ec2.enable_fast_snapshot_restores(AvailabilityZones=[ZONE, "us-east-1b"], SourceSnapshotIds=[s])
        self.assertEqual([(x["AvailabilityZone"], x["State"]) for x in got["Successful"]], [(ZONE, "enabling"), ("us-east-1b", "enabling")])
        states = lambda: sorted(x["State"] for x in self.ec2.describe_fast_snapshot_restores(
            Filters=[{"Name": "snapshot-id", "Values": [s]}])["FastSnapshotRestores"])
        fast = lambda: self.ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=s).get("FastRestored", False)
        self.assertFalse(fast())
        self.advance("10m")
        self.assertEqual(states(), ["enabled", "enabled"])
        self.assertTrue(fast())
        got = self.ec2.disable_fast_snapshot_restores(AvailabilityZones=[ZONE, "us-east-1c"], SourceSnapshotIds=[s])
        self.assertEqual(([x["State"] for x in got["Successful"]], len(got["Unsuccessful"][0]["FastSnapshotRestoreStateErrors"])),
                         (["disabling"], 1))
        self.assertFalse(fast())
        self.advance("1m")
        self.assertEqual(states(), ["disabled", "enabled"])
        self.ec2.delete_snapshot(SnapshotId=s)
        self.assertEqual(states(), [])


# Theirs run in their own suite.
for name in [n for n in dir(Volumes) if n.startswith("test_") and n not in vars(Bin)]:
    setattr(Bin, name, None)
del Volumes

if __name__ == "__main__":
    unittest.main()
