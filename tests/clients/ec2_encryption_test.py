"""Encryption at rest of EBS: volumes, snapshots and their copies by keys of KMS, with simulated compute; and real machines, where
virga runs as root, whose encrypted disks show nothing of what they hold, live on when a key is disabled, and do not start then."""
import base64
import hashlib
import os
import signal
import subprocess
import unittest

from ec2_instance_test import Case
from ondisk import shows
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)
ZONE = "us-east-1a"
BLOCK = 512 << 10
SECRET = b"a secret that must not lie in the data folder"


class Encryption(Case):
    def create(self, **kw):
        v = self.ec2.create_volume(**{"AvailabilityZone": ZONE, "Size": 1, **kw})["VolumeId"]
        self.volume(v)
        return v

    def told(self, v):
        return self.ec2.describe_volumes(VolumeIds=[v])["Volumes"][0]

    def complete(self, s):
        self.until(lambda: self.ec2.describe_snapshots(SnapshotIds=[s])["Snapshots"][0]["State"] == "completed")
        return s

    def snapshot(self, v):
        return self.complete(self.ec2.create_snapshot(VolumeId=v)["SnapshotId"])

    def blocks(self, s):
        ebs = self.virga.client("ebs")
        return {b["BlockIndex"]: ebs.get_snapshot_block(SnapshotId=s, BlockIndex=b["BlockIndex"], BlockToken=b["BlockToken"])
                ["BlockData"].read() for b in ebs.list_snapshot_blocks(SnapshotId=s)["Blocks"]}

    def written(self, data, **kw):
        """A snapshot with that block, by the direct APIs."""
        ebs = self.virga.client("ebs")
        s = ebs.start_snapshot(VolumeSize=1, **kw)["SnapshotId"]
        ebs.put_snapshot_block(SnapshotId=s, BlockIndex=7, BlockData=data, DataLength=BLOCK, ChecksumAlgorithm="SHA256",
                               Checksum=base64.b64encode(hashlib.sha256(data).digest()).decode())
        ebs.complete_snapshot(SnapshotId=s, ChangedBlocksCount=1)
        return self.complete(s)

    def test_volumes_and_snapshots(self):
        kms = self.virga.client("kms")
        key = kms.create_key()["KeyMetadata"]
        data = SECRET + b"." * (BLOCK - len(SECRET))
        plain, shut = self.written(data), self.written(data, Encrypted=True, KmsKeyArn=key["Arn"])
        self.assertTrue(shows(self.virga.data, SECRET))
        # An encrypted volume of either, and what is made of them.
        a, b = self.create(SnapshotId=plain, Encrypted=True, KmsKeyId=key["KeyId"]), self.create(SnapshotId=shut)
        c = self.create(Encrypted=True)
        for v in (a, b):
            self.assertEqual((self.told(v)["Encrypted"], self.told(v)["KmsKeyId"]), (True, key["Arn"]))
        alias = [x for x in kms.list_aliases()["Aliases"] if x["AliasName"] == "alias/aws/ebs"][0]
        self.assertTrue(self.told(c)["KmsKeyId"].endswith(alias["TargetKeyId"]))
        self.refused("InvalidParameterCombination", self.ec2.create_volume, AvailabilityZone=ZONE, SnapshotId=shut, Encrypted=False)
        self.refused("InvalidParameterValue", self.ec2.create_volume, AvailabilityZone=ZONE, Size=1, Encrypted=True,
                     KmsKeyId="alias/none")
        s, t = self.snapshot(a), self.snapshot(b)
        copy = self.complete(self.ec2.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=plain, Encrypted=True,
                                                    KmsKeyId=key["KeyId"])["SnapshotId"])
        for x in (shut, s, t, copy):
            self.assertEqual(self.blocks(x), {7: data})
            told = self.ec2.describe_snapshots(SnapshotIds=[x])["Snapshots"][0]
            self.assertEqual((told["Encrypted"], told["KmsKeyId"]), (True, key["Arn"]))
        # Their files have what is not zeros, and stay as sparse as others.
        taken = os.stat(os.path.join(self.virga.data, "ebs", a)).st_blocks * 512
        self.assertTrue(BLOCK <= taken < 2 * BLOCK, taken)
        # Once the plain one is gone, nothing shows it: neither volumes, nor snapshots, nor their records.
        self.ec2.delete_snapshot(SnapshotId=plain)
        self.until(lambda: not shows(self.virga.data, SECRET))
        self.virga.restart()
        self.assertEqual(self.blocks(self.snapshot(a)), {7: data})
        kms.disable_key(KeyId=key["KeyId"])
        self.refused("CustomerKeyHasBeenRevoked", self.ec2.create_volume, AvailabilityZone=ZONE, SnapshotId=s)
        self.refused("CustomerKeyHasBeenRevoked", self.ec2.create_snapshot, VolumeId=a)
        kms.enable_key(KeyId=key["KeyId"])
        self.create(SnapshotId=s)

    def test_by_default(self):
        key = self.virga.client("kms").create_key()["KeyMetadata"]
        self.assertFalse(self.ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"])
        self.ec2.enable_ebs_encryption_by_default()
        self.assertEqual(self.ec2.get_ebs_default_kms_key_id()["KmsKeyId"], "alias/aws/ebs")
        self.ec2.modify_ebs_default_kms_key_id(KmsKeyId=key["KeyId"])
        self.assertEqual(self.ec2.get_ebs_default_kms_key_id()["KmsKeyId"], key["Arn"])
        d = self.told(self.create())
        self.assertEqual((d["Encrypted"], d["KmsKeyId"]), (True, key["Arn"]))
        i = self.run_one(Placement={"AvailabilityZone": ZONE})
        self.assertTrue(self.told(self.describe(i)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"])["Encrypted"])
        self.ec2.reset_ebs_default_kms_key_id()
        self.ec2.disable_ebs_encryption_by_default()
        self.assertFalse(self.told(self.create())["Encrypted"])


@unittest.skipIf(os.geteuid() != 0 or not os.path.exists("/dev/fuse"), "encrypted disks of machines need root, and FUSE")
class Machines(Encryption):
    test_volumes_and_snapshots = test_by_default = None

    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2, cls.kms = cls.virga.client("ec2"), cls.virga.client("kms")
        cls.image = cls.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]

    def until(self, what, limit=120):
        return super().until(what, limit)

    def ssh(self, i, command, code=0):
        run = subprocess.run([BINARY, "ssh", "--endpoint", self.virga.endpoint, i, "--", "sh", "-c", command], capture_output=True,
                             text=True)
        self.assertEqual(run.returncode, code, run.stderr)
        return run.stdout

    def launch(self, **kw):
        i = self.run_one(state=None, Placement={"AvailabilityZone": ZONE}, **kw)
        self.wait(i, "running")
        if "StateReason" in self.describe(i):
            self.skipTest(self.describe(i)["StateReason"]["Message"])
        return i

    def attach(self, v, i, device):
        self.ec2.attach_volume(VolumeId=v, InstanceId=i, Device=device)
        self.until(lambda: self.volume(v, "in-use")["Attachments"][0]["State"] == "attached")

    def children(self, name):
        return self.virga.children(name)

    def alive(self, pids):
        """A zombie is none: who has become its parent is not virga's to say."""
        found = []
        for p in pids:
            try:
                with open(f"/proc/{p}/stat") as f:
                    found += [p] if f.read().rpartition(")")[2].split()[0] != "Z" else []
            except OSError:
                pass
        return found

    def test_life(self):
        key = self.kms.create_key()["KeyMetadata"]
        ebs = {"Encrypted": True, "KmsKeyId": key["KeyId"]}
        i = self.launch(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": ebs},
                                             {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, **ebs}}])
        root, data = [b["Ebs"]["VolumeId"] for b in self.describe(i)["BlockDeviceMappings"]]
        self.assertEqual({self.told(v)["KmsKeyId"] for v in (root, data)}, {key["Arn"]})
        secret = SECRET.decode()
        # What is written is what is read, also by whoever comes later; on disk it shows nowhere but on a volume without.
        open_one = self.create()
        self.attach(open_one, i, "/dev/sdg")
        self.ssh(i, f"mkfs.ext4 -q /dev/xvdf && mkdir /data && mount -t ext4 /dev/xvdf /data && echo {secret} | "
                    "tee /data/it > /root/it && sync && tail -c 1000 /root/it > /dev/xvdg && sync")
        self.assertEqual(set(shows(os.path.join(self.virga.data, "ebs"), SECRET)), {open_one})

        # Grown while it is written; a snapshot, and what is made of it.
        self.ec2.modify_volume(VolumeId=data, Size=2)
        self.until(lambda: self.ssh(i, "blockdev --getsize64 /dev/xvdf").strip() == str(2 << 30))
        self.ssh(i, "resize2fs -f /dev/xvdf >/dev/null 2>&1 || true; cat /data/it")
        s = self.snapshot(data)
        again = self.create(SnapshotId=s, Size=2)
        self.attach(again, i, "/dev/sdh")
        self.ssh(i, f"mkdir /again && mount -t ext4 /dev/xvdh /again && grep -q '{secret}' /again/it")

        # The agent and virga die under writes; the machine does not notice.
        self.ssh(i, "(while [ ! -e /data/end ]; do echo x >> /data/log || touch /root/failed; done) >/dev/null 2>&1 &")
        sealers = self.children("virga-sealer")
        self.assertEqual(len(sealers), 3)
        agent = self.virga.agent()
        os.kill(agent, signal.SIGKILL)
        self.virga.restart()
        self.ssh(i, "a=$(wc -c < /data/log); while [ $(wc -c < /data/log) = $a ]; do :; done; touch /data/end; sync")
        self.ssh(i, f"test ! -e /root/failed && grep -q '{secret}' /data/it")
        self.assertEqual(self.alive(sealers), sealers)

        # A key that is disabled: what is attached goes on, nothing new begins.
        self.ssh(i, "umount /again")
        self.ec2.detach_volume(VolumeId=again)
        self.volume(again)
        self.until(lambda: len(self.alive(sealers)) == 2)
        self.kms.disable_key(KeyId=key["KeyId"])
        self.ssh(i, "echo more >> /data/it && sync && tail -n 1 /data/it")
        self.refused("CustomerKeyHasBeenRevoked", self.ec2.attach_volume, VolumeId=again, InstanceId=i, Device="/dev/sdh")
        self.ec2.stop_instances(InstanceIds=[i])
        self.wait(i, "stopped")
        self.until(lambda: not self.alive(sealers))
        self.ec2.start_instances(InstanceIds=[i])
        self.until(lambda: self.describe(i).get("StateReason", {}).get("Code") == "Client.InvalidKMSKey.InvalidState")
        self.wait(i, "stopped")
        self.kms.enable_key(KeyId=key["KeyId"])
        self.ec2.start_instances(InstanceIds=[i])
        self.wait(i, "running")
        self.ssh(i, f"mount -t ext4 /dev/xvdf /data && grep -q '{secret}' /root/it && tail -n 1 /data/it | grep -q more")
        self.assertEqual(set(shows(os.path.join(self.virga.data, "ebs"), SECRET)), {open_one})

        # One that two machines have at once: what the one writes, past its cache, the other reads.
        both = self.create(Encrypted=True, VolumeType="io2", Iops=100, Size=4, MultiAttachEnabled=True)
        k = self.launch()
        for x, device in ((i, "/dev/sdi"), (k, "/dev/sdi")):
            self.ec2.attach_volume(VolumeId=both, InstanceId=x, Device=device)
        self.until(lambda: [a["State"] for a in self.told(both)["Attachments"]] == ["attached"] * 2)
        put = "printf '{}%511s' '' | dd of=/dev/xvdi bs=512 seek={} oflag=direct conv=notrunc 2>/dev/null"
        self.ssh(i, put.format("i", 3))
        self.ssh(k, put.format("k", 4))
        for x in (i, k):
            self.assertEqual(self.ssh(x, "dd if=/dev/xvdi bs=512 skip=3 count=2 iflag=direct 2>/dev/null | tr -d ' '"), "ik")

        # An image of it is encrypted too.
        a = self.ec2.create_image(InstanceId=i, Name="sealed", NoReboot=True)["ImageId"]
        self.until(lambda: self.ec2.describe_images(ImageIds=[a])["Images"][0]["State"] == "available")
        j = self.launch(ImageId=a)
        self.ssh(j, f"grep -q '{secret}' /root/it")
        self.assertTrue(self.told(self.describe(j)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"])["Encrypted"])
        self.ec2.terminate_instances(InstanceIds=[i, j, k])
        for x in (i, j, k):
            self.wait(x, "terminated")
        self.until(lambda: not self.children("virga-sealer"))


if __name__ == "__main__":
    unittest.main()
