"""ECR through boto3: repositories and their policies, images and layers, lifecycle on the virtual clock."""
import hashlib
import json
import subprocess
import time
import unittest

from botocore.exceptions import ClientError
from virga import BINARY, Virga


class Ecr(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga("--durability", "relaxed").start()
        cls.addClassCleanup(cls.virga.close)
        cls.ecr = cls.virga.client("ecr")

    def fails(self, code, fn, **kw):
        with self.assertRaises(ClientError) as caught:
            fn(**kw)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)

    def layer(self, repository, body, part=None):
        upload = self.ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
        part = part or len(body)
        for at in range(0, len(body), part):
            piece = body[at:at + part]
            self.ecr.upload_layer_part(repositoryName=repository, uploadId=upload, partFirstByte=at, partLastByte=at + len(piece) - 1, layerPartBlob=piece)
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        self.fails("InvalidLayerException", self.ecr.complete_layer_upload, repositoryName=repository, uploadId=upload, layerDigests=["sha256:" + "0" * 64])
        self.assertEqual(self.ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[digest])["layerDigest"], digest)
        return digest

    def image(self, repository, tag, config, layers):
        manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                               "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": config},
                               "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 3, "digest": d} for d in layers]})
        return self.ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)["image"]

    def test_repositories(self):
        made = self.ecr.create_repository(repositoryName="team/app", imageTagMutability="IMMUTABLE", tags=[{"Key": "a", "Value": "b"}])["repository"]
        self.assertEqual(made["repositoryUri"], "000000000000.dkr.ecr.us-east-1.amazonaws.com/team/app")
        self.fails("RepositoryAlreadyExistsException", self.ecr.create_repository, repositoryName="team/app")
        self.fails("RepositoryNotFoundException", self.ecr.describe_repositories, repositoryNames=["other"])
        self.ecr.put_image_tag_mutability(repositoryName="team/app", imageTagMutability="MUTABLE")
        self.ecr.put_image_scanning_configuration(repositoryName="team/app", imageScanningConfiguration={"scanOnPush": True})
        [found] = self.ecr.describe_repositories(repositoryNames=["team/app"])["repositories"]
        self.assertEqual((found["imageTagMutability"], found["imageScanningConfiguration"]["scanOnPush"]), ("MUTABLE", True))
        arn = made["repositoryArn"]
        self.ecr.tag_resource(resourceArn=arn, tags=[{"Key": "c", "Value": "d"}])
        self.ecr.untag_resource(resourceArn=arn, tagKeys=["a"])
        self.assertEqual(self.ecr.list_tags_for_resource(resourceArn=arn)["tags"], [{"Key": "c", "Value": "d"}])
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"}, "Action": "ecr:ListImages"}]}
        other = self.virga.client("ecr", aws_access_key_id="222222222222", aws_secret_access_key="x")
        self.fails("AccessDeniedException", other.list_images, registryId="000000000000", repositoryName="team/app")
        self.ecr.set_repository_policy(repositoryName="team/app", policyText=json.dumps(policy))
        self.assertEqual(other.list_images(registryId="000000000000", repositoryName="team/app")["imageIds"], [])
        self.fails("AccessDeniedException", other.describe_images, registryId="000000000000", repositoryName="team/app")
        self.assertEqual(json.loads(self.ecr.get_repository_policy(repositoryName="team/app")["policyText"]), policy)
        self.ecr.delete_repository_policy(repositoryName="team/app")
        self.fails("RepositoryPolicyNotFoundException", self.ecr.get_repository_policy, repositoryName="team/app")
        self.ecr.delete_repository(repositoryName="team/app")
        self.assertNotIn("team/app", [r["repositoryName"] for r in self.ecr.describe_repositories()["repositories"]])

    def test_images_and_layers(self):
        self.ecr.create_repository(repositoryName="images")
        config, big = self.layer("images", b"{}"), self.layer("images", bytes(range(256)) * 1000, part=100000)
        states = self.ecr.batch_check_layer_availability(repositoryName="images", layerDigests=[big, "sha256:" + "1" * 64])["layers"]
        self.assertEqual([s["layerAvailability"] for s in states], ["AVAILABLE", "UNAVAILABLE"])
        self.assertEqual(states[0]["layerSize"], 256000)
        self.fails("LayersNotFoundException", self.image, repository="images", tag="x", config=config, layers=["sha256:" + "2" * 64])
        one = self.image("images", "one", config, [big])
        self.fails("ImageAlreadyExistsException", self.image, repository="images", tag="one", config=config, layers=[big])
        self.image("images", "latest", config, [big])
        two = self.image("images", "latest", config, [])
        self.assertNotEqual(one["imageId"]["imageDigest"], two["imageId"]["imageDigest"])
        self.virga.restart()
        listed = {(i.get("imageTag"), i["imageDigest"]) for i in self.ecr.list_images(repositoryName="images")["imageIds"]}
        self.assertEqual(listed, {("one", one["imageId"]["imageDigest"]), ("latest", two["imageId"]["imageDigest"])})
        [detail] = self.ecr.describe_images(repositoryName="images", imageIds=[{"imageTag": "one"}])["imageDetails"]
        self.assertEqual((detail["imageTags"], detail["imageSizeInBytes"]), (["one"], 5))
        got = self.ecr.batch_get_image(repositoryName="images", imageIds=[{"imageTag": "latest"}, {"imageTag": "none"}])
        self.assertEqual((got["images"][0]["imageManifest"], got["failures"][0]["failureCode"]), (two["imageManifest"], "ImageNotFound"))
        self.fails("RepositoryNotEmptyException", self.ecr.delete_repository, repositoryName="images")
        self.ecr.batch_delete_image(repositoryName="images", imageIds=[{"imageTag": "one"}])
        [state] = self.ecr.batch_check_layer_availability(repositoryName="images", layerDigests=[big])["layers"]
        self.assertEqual(state["layerAvailability"], "UNAVAILABLE", "no image has it any more")
        self.ecr.delete_repository(repositoryName="images", force=True)

    def test_lifecycle(self):
        self.ecr.create_repository(repositoryName="old")
        config = self.layer("old", b"{}")
        for tag, layers in (("a", []), ("b", [self.layer("old", b"1")]), ("c", [self.layer("old", b"2")])):
            self.image("old", tag, config, layers)
            subprocess.run([BINARY, "clock", "advance", "1m", "--endpoint", self.virga.endpoint], check=True, stdout=subprocess.DEVNULL)
        policy = {"rules": [{"rulePriority": 1, "description": "keep the newest two of all that there are here", "selection": {
            "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 2}, "action": {"type": "expire"}}]}
        self.ecr.put_lifecycle_policy(repositoryName="old", lifecyclePolicyText=json.dumps(policy))
        policy["rules"][0]["action"]["type"] = "paint"
        self.fails("InvalidParameterException", self.ecr.put_lifecycle_policy, repositoryName="old", lifecyclePolicyText=json.dumps(policy))
        subprocess.run([BINARY, "clock", "advance", "25h", "--endpoint", self.virga.endpoint], check=True, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while "lastEvaluatedAt" not in self.ecr.get_lifecycle_policy(repositoryName="old") and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual({i["imageTag"] for i in self.ecr.list_images(repositoryName="old")["imageIds"]}, {"b", "c"})
        self.ecr.delete_lifecycle_policy(repositoryName="old")
        self.fails("LifecyclePolicyNotFoundException", self.ecr.get_lifecycle_policy, repositoryName="old")
        self.ecr.delete_repository(repositoryName="old", force=True)


if __name__ == "__main__":
    unittest.main()
