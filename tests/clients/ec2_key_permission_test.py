"""Who may not use a KMS key cannot have EC2, EBS or EFS use it for them: volumes end in error, instances end with
Client.InternalError, copies of snapshots fail, as soon as the key's policy, the caller's own or a grant does not let them, by way of
the service. With simulated compute."""
import json
import unittest

from ec2_instance_test import Case

NEEDS_BOTO3 = (1, 40)
ZONE = "us-east-1a"


class Permissions(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        iam = cls.virga.client("iam")
        cls.user = iam.create_user(UserName="u")["User"]["Arn"]
        k = iam.create_access_key(UserName="u")["AccessKey"]
        cls.own = lambda _, service: cls.virga.client(service, key=k["AccessKeyId"], secret=k["SecretAccessKey"])
        cls.theirs, cls.iam, cls.kms = cls.own(None, "ec2"), iam, cls.virga.client("kms")

    def allow(self, *statements):
        """Everything of EC2, EBS and EFS, and of KMS only this."""
        all_of = [{"Effect": "Allow", "Action": ["ec2:*", "ebs:*", "elasticfilesystem:*"], "Resource": "*"}]
        self.iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": all_of + [{"Effect": "Allow", "Resource": "*", **s} for s in statements]}))

    MAKE = {"Action": ["kms:GenerateDataKeyWithoutPlaintext", "kms:Decrypt"],
            "Condition": {"StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}}}
    GRANT = {"Action": "kms:CreateGrant", "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}}

    def key(self):
        return self.kms.create_key()["KeyMetadata"]["Arn"]

    def created(self, **kw):
        """A volume of theirs, and what became of it."""
        v = self.theirs.create_volume(AvailabilityZone=ZONE, Size=1, **kw)
        self.assertEqual(v["State"], "creating")
        self.until(lambda: self.state(v["VolumeId"]) != "creating")
        return v["VolumeId"], self.state(v["VolumeId"])

    def state(self, v):
        return self.ec2.describe_volumes(VolumeIds=[v])["Volumes"][0]["State"]

    def launched(self, key):
        i = self.theirs.run_instances(ImageId=self.image, InstanceType="t3.micro", MinCount=1, MaxCount=1, Placement={
            "AvailabilityZone": ZONE}, BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "KmsKeyId": key}}])
        i = i["Instances"][0]["InstanceId"]
        self.until(lambda: self.describe(i)["State"]["Name"] in ("running", "terminated"))
        return i

    def fails(self, i, state):
        self.until(lambda: self.describe(i)["State"]["Name"] == state)
        self.assertEqual(self.describe(i)["StateReason"],
                         {"Code": "Client.InternalError", "Message": "Client.InternalError: Client error on launch"})

    def test_volumes(self):
        key = self.key()
        ask = {"Encrypted": True, "KmsKeyId": key}
        self.allow()
        v, state = self.created(**ask)
        self.assertEqual(state, "error")
        self.theirs.delete_volume(VolumeId=v)
        # By another service is not by this one.
        self.allow({**self.MAKE, "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}})
        self.assertEqual(self.created(**ask)[1], "error")
        self.allow(self.MAKE)
        v, state = self.created(**ask)
        self.assertEqual(state, "available")
        # Not by the caller's own hands.
        own = self.own("kms")
        self.refused("AccessDeniedException", own.generate_data_key_without_plaintext, KeyId=key, KeySpec="AES_256")
        # The context is the volume's.
        self.allow({**self.MAKE, "Condition": {"StringLike": {"kms:EncryptionContext:aws:ebs:id": "vol-*"}}})
        self.assertEqual(self.created(**ask)[1], "available")
        self.allow({**self.MAKE, "Condition": {"StringLike": {"kms:EncryptionContext:aws:ebs:id": "snap-*"}}})
        self.assertEqual(self.created(**ask)[1], "error")
        # The key that AWS manages is everybody's in the account, by way of EC2.
        self.allow()
        self.assertEqual(self.created(Encrypted=True)[1], "available")
        self.assertEqual(self.created(Encrypted=True)[1], "available")
        # A key policy that says no means no.
        self.allow(self.MAKE)
        deny = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Deny", "Principal": {"AWS": self.user}, "Action": "kms:GenerateDataKeyWithoutPlaintext", "Resource": "*"}]}
        self.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(deny))
        self.assertEqual(self.created(**ask)[1], "error")

    def test_a_grant(self):
        key = self.key()
        self.allow()
        self.assertEqual(self.created(Encrypted=True, KmsKeyId=key)[1], "error")
        self.kms.create_grant(KeyId=key, GranteePrincipal=self.user, Operations=["GenerateDataKeyWithoutPlaintext"])
        self.assertEqual(self.created(Encrypted=True, KmsKeyId=key)[1], "available")

    def test_attachments(self):
        key = self.key()
        self.allow(self.MAKE)
        i = self.run_one(Placement={"AvailabilityZone": ZONE})
        v, _ = self.created(Encrypted=True, KmsKeyId=key)
        self.assertEqual(self.theirs.attach_volume(VolumeId=v, InstanceId=i, Device="/dev/sdf")["State"], "attaching")
        self.until(lambda: self.state(v) == "available")
        self.assertEqual([b["DeviceName"] for b in self.describe(i)["BlockDeviceMappings"]], ["/dev/xvda"])
        self.allow(self.MAKE, self.GRANT)
        self.theirs.attach_volume(VolumeId=v, InstanceId=i, Device="/dev/sdf")
        self.until(lambda: [a["State"] for a in self.ec2.describe_volumes(VolumeIds=[v])["Volumes"][0]["Attachments"]] == ["attached"])
        # Whoever starts an instance needs the keys of all that it has.
        self.theirs.stop_instances(InstanceIds=[i])
        self.wait(i, "stopped")
        self.allow(self.MAKE)
        self.theirs.start_instances(InstanceIds=[i])
        self.fails(i, "stopped")
        self.ec2.start_instances(InstanceIds=[i])
        self.wait(i, "running")

    def test_launches(self):
        key = self.key()
        self.allow()
        self.fails(self.launched(key), "terminated")
        self.allow(self.MAKE)
        self.fails(self.launched(key), "terminated")
        self.allow(self.MAKE, self.GRANT)
        self.wait(self.launched(key), "running")

    def test_snapshots(self):
        from_key, to_key = self.key(), self.key()
        v = self.ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=from_key)["VolumeId"]
        self.volume(v)
        s = self.ec2.create_snapshot(VolumeId=v)["SnapshotId"]
        self.until(lambda: self.told(s)["State"] == "completed")
        ask = {"SourceRegion": "us-east-1", "SourceSnapshotId": s, "KmsKeyId": to_key}

        def copied():
            c = self.theirs.copy_snapshot(**ask)["SnapshotId"]
            self.until(lambda: self.told(c)["State"] != "pending")
            return self.told(c)

        self.allow()
        self.assertEqual((copied()["State"], copied()["StateMessage"]), ("error", "Given key ID is not accessible"))
        self.allow(self.MAKE)
        self.assertEqual(copied()["State"], "error")
        self.allow({**self.MAKE, "Resource": to_key}, self.GRANT)
        self.assertEqual(copied()["State"], "error")
        self.allow(self.MAKE, self.GRANT)
        self.assertEqual(copied()["State"], "completed")
        # A volume of it needs the snapshot's key; so does who reads its blocks.
        ebs = self.own("ebs")
        ebs.list_snapshot_blocks(SnapshotId=s)
        self.allow(self.GRANT)
        self.assertEqual(self.created(SnapshotId=s)[1], "error")
        self.refused("AccessDeniedException", ebs.list_snapshot_blocks, SnapshotId=s)
        self.refused("AccessDeniedException", ebs.start_snapshot, VolumeSize=1, Encrypted=True, KmsKeyArn=to_key)

    def told(self, s):
        return self.ec2.describe_snapshots(SnapshotIds=[s])["Snapshots"][0]

    def test_file_systems(self):
        key, efs = self.key(), self.own("efs")
        via = {"Action": ["kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant"],
               "Condition": {"StringEquals": {"kms:ViaService": "elasticfilesystem.us-east-1.amazonaws.com"}}}
        self.allow(self.MAKE)
        self.refused("AccessDeniedException", efs.create_file_system, CreationToken="t", Encrypted=True, KmsKeyId=key)
        self.assertEqual(self.virga.client("efs").describe_file_systems()["FileSystems"], [])
        self.allow(via)
        self.assertEqual(efs.create_file_system(CreationToken="t", Encrypted=True, KmsKeyId=key)["KmsKeyId"], key)
        self.allow()
        self.assertTrue(efs.create_file_system(CreationToken="d", Encrypted=True)["Encrypted"])


if __name__ == "__main__":
    unittest.main()
