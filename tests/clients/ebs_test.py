"""The EBS direct APIs through boto3: snapshots written block by block, made into volumes, read again, compared."""
import base64
import hashlib
import unittest

from ec2_instance_test import Case

NEEDS_BOTO3 = (1, 40)
BLOCK = 512 << 10


def sha(data):
    return hashlib.sha256(data).digest()


class Blocks(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ebs = cls.virga.client("ebs")

    def put(self, snapshot, index, data, **kw):
        args = {"SnapshotId": snapshot, "BlockIndex": index, "BlockData": data, "DataLength": len(data),
                "Checksum": base64.b64encode(sha(data)).decode(), "ChecksumAlgorithm": "SHA256", **kw}
        return self.ebs.put_snapshot_block(**args)

    def write(self, blocks, **kw):
        s = self.ebs.start_snapshot(VolumeSize=1, **kw)["SnapshotId"]
        for index, data in blocks.items():
            self.put(s, index, data)
        whole = base64.b64encode(sha(b"".join(sha(blocks[i]) for i in sorted(blocks)))).decode()
        self.ebs.complete_snapshot(SnapshotId=s, ChangedBlocksCount=len(blocks), Checksum=whole, ChecksumAlgorithm="SHA256",
                                   ChecksumAggregationMethod="LINEAR")
        return s

    def read(self, snapshot):
        return {b["BlockIndex"]: self.ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=b["BlockIndex"],
                                                             BlockToken=b["BlockToken"])["BlockData"].read()
                for b in self.ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]}

    def test_written_and_read(self):
        first = {0: b"a" * BLOCK, 5: bytes(range(256)) * 2048, 2047: b"z" * BLOCK}
        one = self.write(first, Description="one", Tags=[{"Key": "k", "Value": "v"}])
        [told] = self.ec2.describe_snapshots(SnapshotIds=[one])["Snapshots"]
        self.assertEqual((told["State"], told["Progress"], told["VolumeSize"], told["Description"], told["Tags"]),
                         ("completed", "100%", 1, "one", [{"Key": "k", "Value": "v"}]))
        self.assertEqual(self.read(one), first)
        got = self.ebs.list_snapshot_blocks(SnapshotId=one, MaxResults=100, StartingBlockIndex=1)
        self.assertEqual(([b["BlockIndex"] for b in got["Blocks"]], got["VolumeSize"], got["BlockSize"]), ([5, 2047], 1, BLOCK))

        two = self.write({5: b"b" * BLOCK, 7: b"c" * BLOCK}, ParentSnapshotId=one)
        self.assertEqual(self.read(two), {**first, 5: b"b" * BLOCK, 7: b"c" * BLOCK})
        changed = self.ebs.list_changed_blocks(FirstSnapshotId=one, SecondSnapshotId=two)["ChangedBlocks"]
        self.assertEqual([(b["BlockIndex"], "FirstBlockToken" in b, "SecondBlockToken" in b) for b in changed],
                         [(5, True, True), (7, False, True)])
        self.assertEqual(len(self.ebs.list_changed_blocks(SecondSnapshotId=two)["ChangedBlocks"]), 4)
        old = self.ebs.get_snapshot_block(SnapshotId=one, BlockIndex=5, BlockToken=changed[0]["FirstBlockToken"])
        self.assertEqual((old["BlockData"].read(), old["Checksum"]), (first[5], base64.b64encode(sha(first[5])).decode()))
        # The parent may go; what it shared stays.
        self.ec2.delete_snapshot(SnapshotId=one)
        self.assertEqual(self.read(two)[0], first[0])

    def test_through_a_volume(self):
        blocks = {1: b"v" * BLOCK, 100: b"w" * BLOCK}
        s = self.write(blocks)
        v = self.ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=s)["VolumeId"]
        self.volume(v)
        t = self.ec2.create_snapshot(VolumeId=v)["SnapshotId"]
        self.until(lambda: self.ec2.describe_snapshots(SnapshotIds=[t])["Snapshots"][0]["State"] == "completed")
        self.assertEqual(self.read(t), blocks)

    def test_encrypted(self):
        s = self.write({3: b"secret!!" * (BLOCK // 8)}, Encrypted=True)
        [told] = self.ec2.describe_snapshots(SnapshotIds=[s])["Snapshots"]
        self.assertTrue(told["Encrypted"] and told["KmsKeyId"])
        self.assertEqual(self.read(s), {3: b"secret!!" * (BLOCK // 8)})

    def test_refused(self):
        s = self.ebs.start_snapshot(VolumeSize=1, ClientToken="once")["SnapshotId"]
        self.assertEqual(self.ebs.start_snapshot(VolumeSize=1, ClientToken="once")["SnapshotId"], s)
        self.refused("ConflictException", self.ebs.start_snapshot, VolumeSize=2, ClientToken="once")
        data = b"x" * BLOCK
        self.refused("ValidationException", self.put, snapshot=s, index=0, data=b"short")
        self.refused("ValidationException", self.put, snapshot=s, index=0, data=data, Checksum=base64.b64encode(sha(b"")).decode())
        self.refused("ValidationException", self.put, snapshot=s, index=2048, data=data)
        self.refused("ResourceNotFoundException", self.put, snapshot="snap-0123456789abcdef0", index=0, data=data)
        self.refused("ValidationException", self.ebs.list_snapshot_blocks, SnapshotId=s)  # pending
        self.put(s, 0, data)
        self.refused("ValidationException", self.ebs.complete_snapshot, SnapshotId=s, ChangedBlocksCount=2)
        self.ebs.complete_snapshot(SnapshotId=s, ChangedBlocksCount=1)
        self.refused("ValidationException", self.put, snapshot=s, index=1, data=data)
        [b] = self.ebs.list_snapshot_blocks(SnapshotId=s)["Blocks"]
        other = self.write({0: b"y" * BLOCK})
        self.refused("ValidationException", self.ebs.get_snapshot_block, SnapshotId=other, BlockIndex=0, BlockToken=b["BlockToken"])
        abroad = self.virga.client("ebs", key="111122223333")
        self.refused("ResourceNotFoundException", abroad.list_snapshot_blocks, SnapshotId=s)
        self.ec2.modify_snapshot_attribute(SnapshotId=s, Attribute="createVolumePermission", OperationType="add",
                                           UserIds=["111122223333"])
        self.assertEqual(len(abroad.list_snapshot_blocks(SnapshotId=s)["Blocks"]), 1)

    def test_left_alone(self):
        s = self.ebs.start_snapshot(VolumeSize=1, Timeout=10)["SnapshotId"]
        self.advance("11m")
        self.until(lambda: self.ec2.describe_snapshots(SnapshotIds=[s])["Snapshots"][0]["State"] == "error")


del Case

if __name__ == "__main__":
    unittest.main()
