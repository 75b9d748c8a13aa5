"""What the suites of CDK share: its CLI from npm, unchanged, against a virga by https, as stacks with enforceSSL want it."""
import json
import os
import shutil
import subprocess
import tempfile

from cloudformation_case import Case
from virga import BINARY

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cdk")
CDK = os.path.join(HERE, "node_modules/aws-cdk/bin/cdk")
PRESENT = bool(shutil.which("node") and os.path.exists(CDK))
ABSENT = "no CDK: scripts/setup.sh --node tests/clients/cdk"


class CdkCase(Case):
    APP = None  # a program of tests/clients/cdk that writes its assemblies into the folder that it is given

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp(prefix="cdk-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        authority = os.path.join(cls.folder, "ca.pem")
        with open(authority, "wb") as out:
            out.write(subprocess.run([BINARY, "ca", "--endpoint", cls.virga.endpoint], check=True, stdout=subprocess.PIPE).stdout)
        # A home of its own, and nothing that asks the world.
        cls.environ = {**os.environ, "HOME": cls.folder, "TMPDIR": cls.folder, "AWS_ENDPOINT_URL": f"https://127.0.0.1:{cls.virga.port}",
                       "NODE_EXTRA_CA_CERTS": authority, "AWS_CA_BUNDLE": authority,
                       "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "CI": "1", "NODE_NO_WARNINGS": "1",
                       "CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_DISABLE_VERSION_CHECK": "1", "AWS_EC2_METADATA_DISABLED": "true"}
        cls.node(cls.APP, cls.folder)

    @classmethod
    def node(cls, *args, cwd=HERE, status=(0,)):
        ran = subprocess.run(["node", *args], cwd=cwd, env=cls.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        assert ran.returncode in status, ran.stdout[-6000:] + cls.virga.read_log()[-2000:]
        return ran.stdout

    def cdk(self, *args, **kw):
        return self.node(CDK, "--no-notices", "--no-version-reporting", *args, cwd=self.folder, **kw)

    def secure(self, service):
        """A client by https: what CDK's own buckets answer to."""
        return self.virga.client(service, endpoint_url=self.environ["AWS_ENDPOINT_URL"], verify=self.environ["AWS_CA_BUNDLE"])

    def app(self, name):
        return "--app", os.path.join(self.folder, name)

    def deploy(self, app, stack, *more, **kw):
        """The stack's outputs."""
        written = os.path.join(self.folder, "outputs.json")
        self.cdk(*self.app(app), "deploy", "--require-approval", "never", "--outputs-file", written, *more, stack, **kw)
        with open(written, encoding="utf-8") as f:
            return json.load(f)[stack]
