"""A virga of a test's own: on a free port of the loopback, with a data folder that goes with it."""
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

BINARY = os.environ.get("VIRGA") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/virga")
# Sanitized builds start slower.
START_LIMIT_S = 60


# Debian's boto3 is of 2022: what it does not know yet cannot be asked through it.
YOUNG_ENOUGH = (1, 40)


class Older:
    """A client of an old boto3: a test that needs an operation or a parameter which it does not know is skipped, and says so."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        found = getattr(self._client, name, None)
        if found is None:
            raise unittest.SkipTest(f"this boto3 is too old for {name}")
        if name not in self._client.meta.method_to_api_mapping:
            return found

        def call(*args, **kw):
            from botocore.exceptions import ParamValidationError

            try:
                return found(*args, **kw)
            except ParamValidationError as e:
                if "Unknown parameter" in str(e):
                    raise unittest.SkipTest(f"this boto3 is too old: {name}: {e}") from None
                raise
        return call


class Virga:
    """with Virga() as v: v.client("s3").create_bucket(Bucket="b")

    args: further arguments of `virga serve`. env: further environment. The data folder is kept over kill(), stop()
    and start(), so that a test can look at what survived; close() removes it.
    """

    def __init__(self, *args, env=None, ephemeral=False):
        self.folder = tempfile.mkdtemp(prefix="virga-")
        self.data = os.path.join(self.folder, "data")
        self.args, self.env, self.ephemeral = list(args), dict(env or {}), ephemeral
        self.process, self.port, self.log = None, None, os.path.join(self.folder, "log")

    def start(self, port=0):
        assert self.process is None, "it runs already"
        where = ["--ephemeral"] if self.ephemeral else ["--data", self.data]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--listen", f"127.0.0.1:{port}", *where, *self.args], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, env={**os.environ, **self.env}, text=True)
        deadline = threading.Timer(START_LIMIT_S, self.process.kill)
        deadline.start()
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.startswith("Listening on "):
                self.port = int(line.split()[2].rstrip("/").rsplit(":", 1)[1])
            if line.strip() == "Ready.":
                break
        deadline.cancel()
        if not said or said[-1].strip() != "Ready.":
            code = self.process.wait()
            self._ended()
            raise RuntimeError(f"virga did not start (exit code {code}): {''.join(said)}\n{self.read_log()}")
        return self

    def _ended(self):
        self.process.stdout.close()
        self.process = None

    def stop(self, limit=30):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(limit)
        self._ended()
        return code

    def kill(self):
        """SIGKILL: the crash."""
        self.process.kill()
        self.process.wait()
        self._ended()

    def children(self, name):
        """Processes of that name below this virga's keeper."""
        found, keepers = [], []
        for wanted, parents, out in (("virga-keeper", [self.process.pid], keepers), (name, keepers, found)):
            for p in os.listdir("/proc"):
                try:
                    with open(f"/proc/{p}/stat") as f:
                        head, _, rest = f.read().rpartition(")")
                except OSError:
                    continue
                if head.partition("(")[2] == wanted[:15] and int(rest.split()[1]) in parents:
                    out.append(int(p))
        return found

    def agent(self):
        """The agent's process. What it forks to mount something for a machine stands beside it for a moment."""
        assert wait_until(lambda: len(self.children("virga-agent")) == 1), self.children("virga-agent")
        [pid] = self.children("virga-agent")
        return pid

    def restart(self):
        """The crash, and the start after it on the same port with the same data."""
        if self.process:
            self.kill()
        return self.start(self.port)

    def close(self):
        """Ends it; fails when it did not end well, as it does not when a sanitizer found something."""
        try:
            code = self.stop() if self.process else 0
            assert code == 0, f"virga ended with {code}:\n{self.read_log()[-8000:]}"
        finally:
            if self.process:
                self.kill()
            shutil.rmtree(self.folder, ignore_errors=True)

    __enter__ = start

    def __exit__(self, *_):
        self.close()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def client(self, service, key="test", secret="test", token=None, region="us-east-1", **kw):
        """A boto3 client. config= merges with: path style, no retries, a short wait."""
        import boto3
        from botocore.config import Config

        config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=120, s3={"addressing_style": "path"})
        given = kw.pop("config", None)
        if given is not None:
            config = config.merge(given)
        kw.setdefault("endpoint_url", self.endpoint)
        session = boto3.session.Session(key, secret, token, region_name=region)
        # The services' descriptions are read once, not for each client.
        session._session.register_component("data_loader", _loader())
        return session.client(service, config=config, **kw)

    def get(self, path, method="GET", headers=None, body=None):
        """(status, headers, bytes) of a plain request."""
        request = urllib.request.Request(self.endpoint + path, data=body, method=method, headers=headers or {})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as r:
                return r.status, r.headers, r.read()
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.headers, e.read()

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def read_log(self):
        with open(self.log, errors="replace") as f:
            return f.read()


def sdk_knows(service, method):
    """False where this boto3 is older than the operation: @unittest.skipUnless(sdk_knows(…), "boto3 is too old")."""
    import boto3

    return hasattr(boto3.session.Session("x", "x", region_name="us-east-1").client(service), method)


def code_of(call, *args, **kw):
    """The code of the error that a call ends with; None when it succeeds."""
    from botocore.exceptions import ClientError

    try:
        call(*args, **kw)
    except ClientError as e:
        return e.response["Error"]["Code"]
    return None


class Refusals:
    """For a TestCase: self.refused("NoSuchBucket", s3.head_bucket, Bucket="b")"""

    def refused(self, code, call, *args, **kw):
        """The message of the error, which is the client's fault and has this code."""
        from botocore.exceptions import ClientError

        with self.assertRaises(ClientError) as caught:
            call(*args, **kw)
        answer = caught.exception.response
        self.assertEqual(answer["Error"]["Code"], code, caught.exception)
        # NotImplemented is 501.
        self.assertLessEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 501)
        return answer["Error"].get("Message", "")


@functools.cache
def _loader():
    import botocore.session

    return botocore.session.get_session().get_component("data_loader")


def wait_until(condition, limit=20, every=0.05):
    """True once condition() is; False when it was not within the limit."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(every)
    return bool(condition())
