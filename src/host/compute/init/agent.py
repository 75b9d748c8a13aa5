#!/usr/bin/env python3
"""Ships log files to CloudWatch Logs, by the configuration and the commands of AWS's own agent ("Manually create or edit the
CloudWatch agent configuration file: Logs section"): what of it is read here is agent.region, logs_collected.files.collect_list with
file_path, log_group_name, log_stream_name, retention_in_days, and force_flush_interval. It acts as the instance's role.

    amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c file:PATH|ssm:PARAMETER
    amazon-cloudwatch-agent-ctl -a start|stop|status
"""
import argparse, datetime, glob, hashlib, hmac, json, os, signal, socket, subprocess, sys, time, urllib.error, urllib.request

ROOT = os.environ.get("CLOUDWATCH_AGENT_ROOT", "/opt/aws/amazon-cloudwatch-agent")
CONFIG, STATE, PID = ROOT + "/etc/amazon-cloudwatch-agent.json", ROOT + "/logs/state", ROOT + "/var/agent.pid"
IMDS = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254")
BATCH_BYTES, BATCH_EVENTS, EVENT_BYTES, READ_BYTES = 1000000, 10000, 250000, 4 << 20


class Metadata:
    def __init__(self):
        self.token, self.until, self.keys = None, 0, None

    def get(self, path):
        if time.time() > self.until:
            r = urllib.request.Request(IMDS + "/latest/api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "21600"})
            self.token, self.until = urllib.request.urlopen(r, timeout=5).read().decode(), time.time() + 21000
        r = urllib.request.Request(IMDS + "/latest/" + path, headers={"X-aws-ec2-metadata-token": self.token})
        return urllib.request.urlopen(r, timeout=5).read().decode()

    def credentials(self):
        """Of the role; asked for again before they end."""
        if self.keys is None or time.time() > self.keys["at"] + 300:
            roles = "meta-data/iam/security-credentials/"
            self.keys = {**json.loads(self.get(roles + self.get(roles).split()[0])), "at": time.time()}
        return self.keys


class Failed(Exception):
    pass


def ask(meta, region, service, target, version, body):
    """One request in the JSON protocol, signed ("Create a signed AWS API request")."""
    keys, now = meta.credentials(), datetime.datetime.utcnow()
    host, body = f"{service}.{region}.amazonaws.com", json.dumps(body).encode()
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {"content-type": f"application/x-amz-json-{version}", "host": host, "x-amz-date": stamp,
               "x-amz-security-token": keys["Token"], "x-amz-target": target}
    names, scope = ";".join(sorted(headers)), f"{day}/{region}/{service}/aws4_request"
    canonical = "\n".join(["POST", "/", "", *(f"{k}:{headers[k]}" for k in sorted(headers)), "", names, hashlib.sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + keys["SecretAccessKey"]).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={keys['AccessKeyId']}/{scope}, SignedHeaders={names}, "
                                f"Signature={hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}")
    url = os.environ.get("AWS_ENDPOINT_URL", "https://" + host)
    try:
        return json.loads(urllib.request.urlopen(urllib.request.Request(url + "/", body, headers), timeout=20).read() or b"{}")
    except urllib.error.HTTPError as e:
        said = e.read().decode(errors="replace")
        raise Failed(json.loads(said).get("__type", said).split("#")[-1] if said.startswith("{") else said) from None


class Tail:
    """One file: what is new in it goes out, and then how far that was is kept."""

    def __init__(self, agent, path, rule):
        self.agent, self.path, self.rule = agent, path, rule
        self.group = agent.fill(rule.get("log_group_name") or os.path.basename(path))
        self.stream = agent.fill(rule.get("log_stream_name") or "{instance_id}")
        self.state = os.path.join(STATE, path.replace("/", "_"))
        self.made = False

    def place(self):
        try:
            with open(self.state) as f:
                number, at = f.read().split()
                return int(number), int(at)
        except (OSError, ValueError):
            return 0, 0

    def keep(self, number, at):
        with open(self.state + ".new", "w") as f:
            f.write(f"{number} {at}")
        os.replace(self.state + ".new", self.state)

    def logs(self, operation, **body):
        return ask(self.agent.meta, self.agent.region, "logs", "Logs_20140328." + operation, "1.1", body)

    def make(self):
        for operation, more in (("CreateLogGroup", {}), ("CreateLogStream", {"logStreamName": self.stream})):
            try:
                self.logs(operation, logGroupName=self.group, **more)
            except Failed as e:
                if str(e) != "ResourceAlreadyExistsException":
                    raise
        if self.rule.get("retention_in_days", -1) > 0:
            self.logs("PutRetentionPolicy", logGroupName=self.group, retentionInDays=self.rule["retention_in_days"])
        self.made = True

    def ship(self):
        number, at = self.place()
        with open(self.path, "rb") as f:
            about = os.fstat(f.fileno())
            if about.st_ino != number or about.st_size < at:
                number, at = about.st_ino, 0  # another file, or it was emptied
            f.seek(at)
            text = f.read(READ_BYTES)
        end = text.rfind(b"\n") + 1
        if not end and len(text) < READ_BYTES:
            return  # not a whole line yet
        now, events, size = int(time.time() * 1000), [], 0
        if not self.made:
            self.make()
        text, until = text[:end or len(text)], at + (end or len(text))
        for line in text.split(b"\n"):
            message = line.rstrip(b"\r")[:EVENT_BYTES].decode(errors="replace")
            if message.strip():
                if size + len(line) + 26 > BATCH_BYTES or len(events) == BATCH_EVENTS:
                    self.logs("PutLogEvents", logGroupName=self.group, logStreamName=self.stream, logEvents=events)
                    self.keep(number, at)
                    events, size = [], 0
                events.append({"timestamp": now, "message": message})
                size += len(message.encode()) + 26
            at = min(at + len(line) + 1, until)
        if events:
            self.logs("PutLogEvents", logGroupName=self.group, logStreamName=self.stream, logEvents=events)
        self.keep(number, until)


class Agent:
    def __init__(self):
        self.meta = Metadata()
        with open(CONFIG) as f:
            self.config = json.load(f)
        self.region = self.config.get("agent", {}).get("region") or self.meta.get("meta-data/placement/region")
        self.tails = {}

    def fill(self, text):
        for name, path in (("instance_id", "instance-id"), ("local_hostname", "local-hostname"), ("ip_address", "local-ipv4")):
            if "{" + name + "}" in text:
                text = text.replace("{" + name + "}", self.meta.get("meta-data/" + path))
        return text.replace("{hostname}", socket.gethostname())

    def run(self):
        logs = self.config.get("logs", {})
        rules = logs.get("logs_collected", {}).get("files", {}).get("collect_list", [])
        os.makedirs(STATE, exist_ok=True)
        while True:
            for rule in rules:
                for path in glob.glob(rule["file_path"], recursive=True):
                    try:
                        if path not in self.tails:
                            self.tails[path] = Tail(self, path, rule)
                        self.tails[path].ship()
                    except (OSError, Failed, ValueError, KeyError, IndexError) as e:
                        print(f"{time.strftime('%FT%TZ', time.gmtime())} E! {path}: {e!r}", flush=True)
                        if path in self.tails:
                            self.tails[path].made = False
            time.sleep(float(logs.get("force_flush_interval", 5)))


def running():
    try:
        with open(PID) as f:
            pid = int(f.read())
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return pid if b"--run" in f.read() else None
    except (OSError, ValueError):
        return None


def stop():
    if running():
        os.kill(running(), signal.SIGTERM)
        os.remove(PID)


def start():
    stop()
    for folder in (ROOT + "/logs", ROOT + "/var"):
        os.makedirs(folder, exist_ok=True)
    with open(ROOT + "/logs/amazon-cloudwatch-agent.log", "ab") as log:
        p = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--run"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                             start_new_session=True)
    with open(PID, "w") as f:
        f.write(str(p.pid))


def fetch(where):
    kind, _, name = where.partition(":")
    if kind == "file":
        with open(name) as f:
            text = f.read()
    elif kind == "ssm":
        meta = Metadata()
        text = ask(meta, meta.get("meta-data/placement/region"), "ssm", "AmazonSSM.GetParameter", "1.1", {"Name": name})["Parameter"]["Value"]
    else:
        sys.exit("the configuration is at file:PATH or ssm:PARAMETER")
    json.loads(text)
    os.makedirs(os.path.dirname(CONFIG), exist_ok=True)
    with open(CONFIG, "w") as f:
        f.write(text)


def main():
    if sys.argv[1:] == ["--run"]:
        return Agent().run()
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-a", default="status", choices=["fetch-config", "start", "stop", "status"])
    p.add_argument("-m", default="ec2", choices=["ec2", "auto"])
    p.add_argument("-c", default="")
    p.add_argument("-s", action="store_true")
    o = p.parse_args()
    if o.a == "fetch-config":
        fetch(o.c)
    if o.a == "start" or (o.a == "fetch-config" and o.s):
        start()
    if o.a == "stop":
        stop()
    if o.a == "status":
        print(json.dumps({"status": "running" if running() else "stopped",
                          "configstatus": "configured" if os.path.exists(CONFIG) else "not configured"}))


main()
