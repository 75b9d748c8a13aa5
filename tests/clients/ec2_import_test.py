"""`virga ami import` with small root file systems as they come: a tar, `docker save`'s, an OCI image layout. Where virga runs as
root, instances of them run. And that `virga reset` leaves no file of theirs."""
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import unittest

from ec2_instance_test import Case
from virga import BINARY, Virga

NEEDS_BOTO3 = (1, 40)
FOLDERS = ("dev", "proc", "sys", "tmp", "run", "root", "var", "etc")


def layer(files, gone=(), folders=()):
    """A tar of {path: bytes or the host's file}, with whiteouts."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for path in folders:
            i = tarfile.TarInfo(path)
            i.type, i.mode = tarfile.DIRTYPE, 0o755
            t.addfile(i)
        for path, data in files.items():
            i = tarfile.TarInfo(path)
            i.size, i.mode = len(data), 0o755
            t.addfile(i, io.BytesIO(data))
        for path in gone:
            folder, name = os.path.split(path)
            t.addfile(tarfile.TarInfo(f"{folder}/.wh.{name}"))
    return out.getvalue()


def base():
    """A shell, cat, and what they are linked with."""
    files = {}
    for program in ("/bin/dash", "/bin/cat"):
        linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for path in [program, *re.findall(r"(/\S+) \(", linked)]:
            with open(path, "rb") as f:
                files[path.lstrip("/")] = f.read()
    files["bin/sh"] = files.pop("bin/dash")
    return {**files, "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n", "etc/marker": b"first\n", "etc/old": b"old\n"}


def archive(path, files):
    with tarfile.open(path, "w") as t:
        for name, data in files.items():
            i = tarfile.TarInfo(name)
            i.size = len(data)
            t.addfile(i, io.BytesIO(data))


def docker_save(path, layers):
    names = [f"{hashlib.sha256(x).hexdigest()}/layer.tar" for x in layers]
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [
        "sha256:" + hashlib.sha256(x).hexdigest() for x in layers]}}).encode()
    archive(path, {**dict(zip(names, layers)), "config.json": config, "manifest.json": json.dumps(
        [{"Config": "config.json", "RepoTags": ["small:latest"], "Layers": names}]).encode()})


def oci_layout(path, layers):
    blobs = {}

    def blob(data, kind):
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    kind = "application/vnd.oci.image."
    config = blob(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [
        "sha256:" + hashlib.sha256(x).hexdigest() for x in layers]}}).encode(), kind + "config.v1+json")
    manifest = blob(json.dumps({"schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "config": config,
                                "layers": [blob(x, kind + "layer.v1.tar") for x in layers]}).encode(), kind + "manifest.v1+json")
    archive(path, {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
                   "index.json": json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode(), **blobs})


class Import(Case):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.ec2 = cls.virga.client("ec2")
        cls.image = None
        cls.real = os.geteuid() == 0 and "simulated" not in cls.virga.read_log()

    def run_virga(self, *args):
        return subprocess.run([BINARY, *args[:1], "--endpoint", self.virga.endpoint, *args[1:]], capture_output=True, text=True)

    def imported(self, name):
        run = self.run_virga("ami", "--name", name, "import", os.path.join(self.virga.folder, name))
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout.strip()

    def inside(self, i, command):
        run = self.run_virga("ssh", i, "--", "/bin/sh", "-c", command)
        return run.stdout if run.returncode == 0 else run.stderr

    def test_import(self):
        first, second = layer(base(), folders=FOLDERS), layer({"etc/marker": b"second\n"}, gone=["etc/old"])
        at = lambda name: os.path.join(self.virga.folder, name)
        with open(at("rootfs.tar"), "wb") as f:
            f.write(first)
        docker_save(at("docker.tar"), [first, second])
        oci_layout(at("oci.tar"), [first, second])
        if not self.real:
            run = self.run_virga("ami", "import", at("rootfs.tar"))
            self.assertIn("simulated", run.stderr)
            self.assertNotEqual(run.returncode, 0)
            return
        images = {n: self.imported(n) for n in ("rootfs.tar", "docker.tar", "oci.tar")}
        told = {i["ImageId"]: i for i in self.ec2.describe_images(Owners=["self"])["Images"]}
        self.assertEqual({told[i]["Name"] for i in images.values()}, set(images))
        ids = {n: self.run_one(state=None, ImageId=i) for n, i in images.items()}
        for n, want in (("rootfs.tar", "first\nold\n"), ("docker.tar", "second\n"), ("oci.tar", "second\n")):
            self.until(lambda: self.describe(ids[n])["State"]["Name"] == "running", 60)
            self.assertEqual(self.inside(ids[n], "cat /etc/marker; [ ! -e /etc/old ] || cat /etc/old"), want)
        # What is none is refused, and nothing is left of it.
        with open(at("junk.tar"), "wb") as f:
            f.write(b"no archive at all" * 100)
        self.assertNotEqual(self.run_virga("ami", "import", at("junk.tar")).returncode, 0)
        self.assertNotEqual(self.run_virga("ami", "import", at("absent.tar")).returncode, 0)
        self.assertNotEqual(self.run_virga("ami", "--name", "oci.tar", "import", at("oci.tar")).returncode, 0)
        self.assertEqual(len(self.ec2.describe_images(Owners=["self"])["Images"]), 3)
        self.reset()

    def reset(self):
        v = self.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
        self.volume(v)
        with open(os.path.join(self.virga.data, "ebs", v), "r+b") as f:
            f.write(os.urandom(1 << 20))
        s = self.ec2.create_snapshot(VolumeId=v)["SnapshotId"]
        self.until(lambda: self.ec2.describe_snapshots(SnapshotIds=[s])["Snapshots"][0]["State"] == "completed")
        f = self.virga.client("efs").create_file_system(CreationToken="f")["FileSystemId"]
        self.assertTrue(os.path.isdir(os.path.join(self.virga.data, "efs", f)))
        run = self.run_virga("reset")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(os.listdir(os.path.join(self.virga.data, "ebs")), [])
        self.assertEqual(self.ec2.describe_images(Owners=["self"])["Images"], [])
        self.assertEqual(self.ec2.describe_instances()["Reservations"], [])
        self.assertEqual(os.listdir(os.path.join(self.virga.data, "efs")), [])
        images = os.path.join(self.virga.data, "host", "images")
        self.assertFalse(os.path.exists(images) and os.listdir(images))


del Case

if __name__ == "__main__":
    unittest.main()
