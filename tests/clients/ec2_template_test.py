"""EC2's instance types, key pairs and launch templates through boto3."""
import base64
import subprocess
import tempfile
import unittest
import uuid


from virga import Refusals, Virga

NEEDS_BOTO3 = (1, 40)


class Case(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2 = cls.virga.client("ec2")


class Types(Case):
    def test_describe(self):
        t = self.ec2.describe_instance_types(InstanceTypes=["t3.micro", "g4dn.xlarge", "m7g.4xlarge"])["InstanceTypes"]
        by = {x["InstanceType"]: x for x in t}
        micro = by["t3.micro"]
        self.assertEqual((micro["VCpuInfo"]["DefaultVCpus"], micro["MemoryInfo"]["SizeInMiB"]), (2, 1024))
        self.assertEqual(micro["NetworkInfo"]["NetworkPerformance"], "Up to 5 Gigabit")
        self.assertEqual(micro["EbsInfo"]["EbsOptimizedInfo"]["BaselineBandwidthInMbps"], 87)
        self.assertTrue(micro["BurstablePerformanceSupported"] and micro["FreeTierEligible"])
        self.assertEqual(by["g4dn.xlarge"]["GpuInfo"]["Gpus"][0]["Name"], "T4")
        self.assertEqual(by["g4dn.xlarge"]["InstanceStorageInfo"]["TotalSizeInGB"], 125)
        self.assertEqual(by["m7g.4xlarge"]["ProcessorInfo"]["SupportedArchitectures"], ["arm64"])
        self.assertIn("[mac1.metal]", self.refused("InvalidInstanceType", self.ec2.describe_instance_types,
                                                   InstanceTypes=["t3.micro", "mac1.metal"]))
        self.refused("InvalidParameterValue", self.ec2.describe_instance_types, InstanceTypes=["zz9.large"])

    def test_filters_and_pages(self):
        want = [{"Name": "vcpu-info.default-vcpus", "Values": ["4"]}, {"Name": "processor-info.supported-architecture",
                                                                       "Values": ["x86_64"]}]
        found = [x for page in self.ec2.get_paginator("describe_instance_types").paginate(
            Filters=want, PaginationConfig={"PageSize": 5}) for x in page["InstanceTypes"]]
        self.assertTrue(len(found) > 10)
        self.assertTrue(all(x["VCpuInfo"]["DefaultVCpus"] == 4 for x in found))
        self.assertEqual(len({x["InstanceType"] for x in found}), len(found))
        self.refused("InvalidParameterValue", self.ec2.describe_instance_types, Filters=[{"Name": "colour", "Values": ["red"]}])

    def test_offerings(self):
        o = self.ec2.describe_instance_type_offerings(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["t3.*"]},
                                                       {"Name": "location", "Values": ["us-east-1a"]}])["InstanceTypeOfferings"]
        self.assertEqual({x["InstanceType"] for x in o}, {f"t3.{s}" for s in ("nano", "micro", "small", "medium", "large", "xlarge",
                                                                              "2xlarge")})
        self.assertEqual({x["Location"] for x in o}, {"us-east-1a"})


class Keys(Case):
    def keygen(self, *args, text=None):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write(text)
            f.flush()
            return subprocess.run(["ssh-keygen", *args, "-f", f.name], capture_output=True, text=True, check=True).stdout

    def test_create_rsa(self):
        k = self.ec2.create_key_pair(KeyName="rsa", TagSpecifications=[
            {"ResourceType": "key-pair", "Tags": [{"Key": "a", "Value": "b"}]}])
        self.assertTrue(k["KeyMaterial"].startswith("-----BEGIN RSA PRIVATE KEY-----"))
        self.assertEqual(k["Tags"], [{"Key": "a", "Value": "b"}])
        der = subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-outform", "DER"], input=k["KeyMaterial"].encode(),
                             capture_output=True, check=True).stdout
        sha = subprocess.run(["openssl", "sha1", "-c"], input=der, capture_output=True, check=True).stdout.decode().split()[-1]
        self.assertEqual(k["KeyFingerprint"], sha)
        shown = self.ec2.describe_key_pairs(KeyNames=["rsa"], IncludePublicKey=True)["KeyPairs"][0]
        self.assertEqual((shown["KeyPairId"], shown["KeyType"], shown["KeyFingerprint"]), (k["KeyPairId"], "rsa", sha))
        self.assertEqual(shown["PublicKey"].split()[:2], self.keygen("-y", text=k["KeyMaterial"]).split()[:2])
        self.assertNotIn("PublicKey", self.ec2.describe_key_pairs(KeyPairIds=[k["KeyPairId"]])["KeyPairs"][0])
        self.refused("InvalidKeyPair.Duplicate", self.ec2.create_key_pair, KeyName="rsa")
        found = self.ec2.describe_key_pairs(Filters=[{"Name": "tag:a", "Values": ["b"]}])["KeyPairs"]
        self.assertEqual([x["KeyName"] for x in found], ["rsa"])
        self.assertEqual(self.ec2.delete_key_pair(KeyName="rsa")["KeyPairId"], k["KeyPairId"])
        self.ec2.delete_key_pair(KeyName="rsa")
        self.refused("InvalidKeyPair.NotFound", self.ec2.describe_key_pairs, KeyNames=["rsa"])

    def test_create_ed25519(self):
        k = self.ec2.create_key_pair(KeyName="ed", KeyType="ed25519")
        public = self.keygen("-y", text=k["KeyMaterial"])
        mine = self.keygen("-l", text=public).split()[1]
        self.assertEqual("SHA256:" + k["KeyFingerprint"].rstrip("="), mine)
        ppk = self.ec2.create_key_pair(KeyName="ppk", KeyFormat="ppk")["KeyMaterial"]
        self.assertTrue(ppk.startswith("PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nComment: ppk\n"))
        lines = ppk.splitlines()
        n = int(lines[3].split()[1])
        blob = base64.b64decode("".join(lines[4:4 + n]))
        shown = self.ec2.describe_key_pairs(KeyNames=["ppk"], IncludePublicKey=True)["KeyPairs"][0]
        self.assertEqual(base64.b64decode(shown["PublicKey"].split()[1]), blob)

    def test_import(self):
        with tempfile.TemporaryDirectory() as d:
            for kind, bits in (("rsa", "3072"), ("ed25519", "256")):
                subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-f", f"{d}/{kind}"], check=True)
                with open(f"{d}/{kind}.pub", "rb") as f:
                    line = f.read()
                if kind == "rsa":
                    self.refused("InvalidKey.Format", self.ec2.import_key_pair, KeyName="in-rsa", PublicKeyMaterial=line)
                    continue
                k = self.ec2.import_key_pair(KeyName="in-ed", PublicKeyMaterial=line)
                self.assertEqual("SHA256:" + k["KeyFingerprint"].rstrip("="), self.keygen("-l", text=line.decode()).split()[1])

    def test_import_kinds(self):
        with tempfile.TemporaryDirectory() as d:
            subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", f"{d}/k"], check=True)
            with open(f"{d}/k.pub", "rb") as f:
                line = f.read()
            rfc = subprocess.run(["ssh-keygen", "-e", "-f", f"{d}/k.pub"], capture_output=True, check=True).stdout
            der = subprocess.run(["openssl", "rsa", "-in", f"{d}/k", "-pubout", "-outform", "DER"], capture_output=True,
                                 check=True).stdout
            md5 = subprocess.run(["openssl", "md5", "-c"], input=der, capture_output=True, check=True).stdout.decode().split()[-1]
            for i, form in enumerate((line, rfc, base64.b64encode(der))):
                k = self.ec2.import_key_pair(KeyName=f"form-{i}", PublicKeyMaterial=form)
                self.assertEqual(k["KeyFingerprint"], md5)
        for bad in (b"ssh-rsa AAAA", b"", b"ssh-dss AAAAB3NzaC1kc3M=", b"\x00" * 20, line[:-40]):
            self.refused("InvalidKey.Format", self.ec2.import_key_pair, KeyName=str(uuid.uuid4()), PublicKeyMaterial=bad)


class Templates(Case):
    def test_versions(self):
        t = self.ec2.create_launch_template(
            LaunchTemplateName="web", VersionDescription="one", LaunchTemplateData={
                "ImageId": "ami-12345678", "InstanceType": "t3.micro", "UserData": base64.b64encode(b"hi").decode(),
                "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3"}}],
                "MetadataOptions": {"HttpTokens": "required"},
                "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]},
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": [{"Key": "team", "Value": "x"}]}])["LaunchTemplate"]
        self.assertEqual((t["DefaultVersionNumber"], t["LatestVersionNumber"]), (1, 1))
        self.assertEqual(t["Tags"], [{"Key": "team", "Value": "x"}])
        two = self.ec2.create_launch_template_version(
            LaunchTemplateName="web", SourceVersion="1", LaunchTemplateData={"InstanceType": "m5.large"})["LaunchTemplateVersion"]
        self.assertEqual(two["VersionNumber"], 2)
        self.assertEqual(two["LaunchTemplateData"]["InstanceType"], "m5.large")
        self.assertEqual(two["LaunchTemplateData"]["BlockDeviceMappings"][0]["Ebs"], {"VolumeSize": 20, "VolumeType": "gp3"})
        three = self.ec2.create_launch_template_version(LaunchTemplateId=t["LaunchTemplateId"],
                                                        LaunchTemplateData={"ImageId": "ami-00000001"})["LaunchTemplateVersion"]
        self.assertEqual(three["LaunchTemplateData"], {"ImageId": "ami-00000001"})
        d = self.ec2.describe_launch_template_versions(LaunchTemplateName="web")["LaunchTemplateVersions"]
        self.assertEqual([v["VersionNumber"] for v in d], [3, 2, 1])
        self.assertEqual([v["DefaultVersion"] for v in d], [False, False, True])
        d = self.ec2.describe_launch_template_versions(LaunchTemplateName="web", Versions=["$Default", "$Latest"])
        self.assertEqual([v["VersionNumber"] for v in d["LaunchTemplateVersions"]], [1, 3])
        d = self.ec2.describe_launch_template_versions(LaunchTemplateName="web", MinVersion="2", MaxVersion="2")
        self.assertEqual([v["VersionNumber"] for v in d["LaunchTemplateVersions"]], [2])
        d = self.ec2.describe_launch_template_versions(Versions=["$Latest"], Filters=[{"Name": "image-id",
                                                                                       "Values": ["ami-00000001"]}])
        self.assertEqual([v["VersionNumber"] for v in d["LaunchTemplateVersions"]], [3])
        m = self.ec2.modify_launch_template(LaunchTemplateName="web", DefaultVersion="2")["LaunchTemplate"]
        self.assertEqual((m["DefaultVersionNumber"], m["LatestVersionNumber"]), (2, 3))
        gone = self.ec2.delete_launch_template_versions(LaunchTemplateName="web", Versions=["1", "2", "9"])
        self.assertEqual([x["VersionNumber"] for x in gone["SuccessfullyDeletedLaunchTemplateVersions"]], [1])
        self.assertEqual([(x["VersionNumber"], x["ResponseError"]["Code"]) for x in
                          gone["UnsuccessfullyDeletedLaunchTemplateVersions"]],
                         [(2, "unexpectedError"), (9, "launchTemplateVersionDoesNotExist")])
        self.refused("InvalidLaunchTemplateId.VersionNotFound", self.ec2.describe_launch_template_versions,
                     LaunchTemplateName="web", Versions=["1"])
        self.assertEqual([x["LaunchTemplateName"] for x in
                          self.ec2.describe_launch_templates(LaunchTemplateNames=["web"])["LaunchTemplates"]], ["web"])
        self.virga.restart()
        d = self.ec2.describe_launch_template_versions(LaunchTemplateName="web", Versions=["2"])["LaunchTemplateVersions"][0]
        self.assertEqual(d["LaunchTemplateData"]["MetadataOptions"]["HttpTokens"], "required")
        self.ec2.delete_launch_template(LaunchTemplateId=t["LaunchTemplateId"])
        self.refused("InvalidLaunchTemplateName.NotFoundException", self.ec2.describe_launch_templates, LaunchTemplateNames=["web"])
        self.refused("InvalidLaunchTemplateId.NotFound", self.ec2.describe_launch_templates,
                     LaunchTemplateIds=[t["LaunchTemplateId"]])

    def test_refusals(self):
        make, data = self.ec2.create_launch_template, {"InstanceType": "t3.micro"}
        token = str(uuid.uuid4())
        t = make(LaunchTemplateName="again", LaunchTemplateData=data, ClientToken=token)["LaunchTemplate"]
        same = make(LaunchTemplateName="again", LaunchTemplateData=data, ClientToken=token)["LaunchTemplate"]
        self.assertEqual(same["LaunchTemplateId"], t["LaunchTemplateId"])
        self.refused("InvalidLaunchTemplateName.AlreadyExistsException", make, LaunchTemplateName="again", LaunchTemplateData=data)
        self.refused("InvalidParameterValue", make, LaunchTemplateName="a b c", LaunchTemplateData=data)
        self.refused("InvalidParameterValue", make, LaunchTemplateName="bad", LaunchTemplateData={"InstanceType": "mac1.metal"})
        self.refused("InvalidParameterValue", make, LaunchTemplateName="bad", LaunchTemplateData={"UserData": "%%%"})
        self.refused("DryRunOperation", make, LaunchTemplateName="dry", LaunchTemplateData=data, DryRun=True)
        self.refused("InvalidLaunchTemplateId.NotFound", self.ec2.modify_launch_template,
                     LaunchTemplateId="lt-0123456789abcdef0", DefaultVersion="1")


if __name__ == "__main__":
    unittest.main()
