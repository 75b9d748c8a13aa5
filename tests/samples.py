#!/usr/bin/env python3
"""Deploys, updates and deletes every CloudFormation template below a folder, each in an account of its own, and counts.

    VIRGA_SAMPLES=~/aws-cloudformation-templates tests/samples.py [WORDS...]

For AWS's public samples (github.com/aws-cloudformation/aws-cloudformation-templates), which are not part of this repository. Only
templates whose types virga all makes are tried; a WORD keeps to those whose path holds it. What a template asks of its user is made up:
parameters by their type and name, images by one that virga has. Signals that an instance's own tools would send are sent from here
(cfn-signal is in no Debian image). Machines are simulated unless SAMPLES_REAL is set: this is about the templates.
"""
import collections
import concurrent.futures
import ipaddress
import json
import os
import re
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients"))
import yaml
from botocore.exceptions import ClientError
from virga import Virga

HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = os.path.join(HERE, "../src/services/cloudformation/types")
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


class Loader(yaml.SafeLoader):
    pass


def function(loader, name, node):
    build = {yaml.ScalarNode: lambda: loader.construct_scalar(node), yaml.SequenceNode: lambda: loader.construct_sequence(node, True),
             yaml.MappingNode: lambda: loader.construct_mapping(node, True)}[type(node)]
    return {name if name in ("Ref", "Condition") else "Fn::" + name: build()}


Loader.add_multi_constructor("!", function)
Loader.yaml_implicit_resolvers = {k: [r for r in v if r[0] != "tag:yaml.org,2002:timestamp"] for k, v in Loader.yaml_implicit_resolvers.items()}


def templates(folder):
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f != ".git")
        for name in sorted(files):
            path = os.path.join(where, name)
            if not name.endswith((".yml", ".yaml", ".json", ".template")):
                continue
            with open(path, encoding="utf-8", errors="replace") as f:
                text = f.read()
            try:
                document = yaml.load(text, Loader)
            except yaml.YAMLError:
                continue
            # Types that are no text are directives of AWS's Rain, which makes templates of such files.
            if isinstance(document, dict) and isinstance(document.get("Resources"), dict) and all(
                    isinstance(r, dict) and ("Type" not in r or isinstance(r["Type"], str)) for k, r in document["Resources"].items() if not k.startswith("Fn::")):
                yield path, text, document


def made_types():
    found = set()
    for name in os.listdir(TYPES):
        with open(os.path.join(TYPES, name)) as f:
            found |= set(re.findall(r"^type (\S+)|\{\"((?:AWS|Custom)::\S+?)\"", f.read(), re.M))
    return {a or b for a, b in found}


def types_of(document):
    return {r.get("Type") for r in document["Resources"].values() if isinstance(r, dict) and isinstance(r.get("Type"), str)}


# What rules of a template want to be answered otherwise than by its defaults.
ANSWERS = {"CreateVPCFlowLogsToCloudWatch": "Yes", "CreateVPCFlowLogsToS3": "Yes", "TemplatesS3KeyPrefix": "sample/"}


class Account:
    """What a user has before a template is deployed: a network, a key pair, a bucket, a role."""

    def __init__(self, virga, number):
        self.id = f"{500000000000 + number}"
        self.virga = virga
        self.cfn = self.client("cloudformation")
        self.ec2 = self.client("ec2")
        self.made = {}

    def client(self, name):
        return self.virga.client(name, key=self.id)

    @property
    def other_account(self):
        """With what a template that is for two accounts makes in this one: a bucket and a key, named after the stack."""
        other = str(int(self.id) + 1000)

        def make():
            s3, kms = (self.virga.client(n, key=other) for n in ("s3", "kms"))
            s3.create_bucket(Bucket=f"sample-{other}-bucket")
            s3.put_bucket_versioning(Bucket=f"sample-{other}-bucket", VersioningConfiguration={"Status": "Enabled"})
            kms.create_alias(AliasName=f"alias/sample-{other}-kms-key", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
            return other
        return self.once("other_account", make)

    def once(self, name, make):
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    @property
    def vpc(self):
        return self.once("vpc", lambda: self.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"])

    @property
    def subnets(self):
        return self.once("subnets", lambda: [s["SubnetId"] for s in sorted(
            self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["Subnets"], key=lambda s: s["AvailabilityZone"])])

    def subnet(self, name):
        """Subnets that are named one after the other are of different zones."""
        given = self.made.setdefault("given", [])
        if name not in given:
            given.append(name)
        return self.subnets[given.index(name) % len(self.subnets)]

    @property
    def zones(self):
        return self.once("zones", lambda: [z["ZoneName"] for z in self.ec2.describe_availability_zones()["AvailabilityZones"]])

    @property
    def key(self):
        return self.once("key", lambda: self.ec2.create_key_pair(KeyName="samples")["KeyName"])

    @property
    def group(self):
        return self.once("group", lambda: self.ec2.create_security_group(GroupName="samples", Description="samples", VpcId=self.vpc)["GroupId"])

    @property
    def image(self):
        return self.once("image", lambda: self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"])

    @property
    def bucket(self):
        name = f"samples-{self.id}"
        s3 = self.client("s3")
        return self.once("bucket", lambda: (s3.create_bucket(Bucket=name), s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"}), name)[2])

    @property
    def role(self):
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        return self.once("role", lambda: self.client("iam").create_role(RoleName="samples", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"])

    @property
    def topic(self):
        return self.once("topic", lambda: self.client("sns").create_topic(Name="samples")["TopicArn"])

    @property
    def certificate(self):
        def make():
            acm = self.client("acm")
            arn = acm.request_certificate(DomainName="samples.example.com", ValidationMethod="DNS")["CertificateArn"]
            for _ in range(200):
                if acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "ISSUED":
                    break
                time.sleep(0.1)
            return arn
        return self.once("certificate", make)

    @property
    def kms_key(self):
        """One that the account and the services that work for it may use."""
        policy = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{self.id}:root"}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"Service": ["logs.us-east-1.amazonaws.com", "delivery.logs.amazonaws.com"]}, "Action": "kms:*", "Resource": "*"}]}
        return self.once("kms_key", lambda: self.client("kms").create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"])

    @property
    def other_vpc(self):
        return self.once("other_vpc", lambda: self.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"])

    @property
    def peering(self):
        def make():
            made = self.ec2.create_vpc_peering_connection(VpcId=self.vpc, PeerVpcId=self.other_vpc)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
            self.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=made)
            return made
        return self.once("peering", make)

    @property
    def unit(self):
        """An organizational unit with an account in it, in an organization that trusts CloudFormation."""
        def make():
            organizations = self.client("organizations")
            organizations.create_organization(FeatureSet="ALL")
            organizations.enable_aws_service_access(ServicePrincipal="member.org.stacksets.cloudformation.amazonaws.com")
            self.cfn.activate_organizations_access()
            root = organizations.list_roots()["Roots"][0]["Id"]
            unit = organizations.create_organizational_unit(ParentId=root, Name="samples")["OrganizationalUnit"]["Id"]
            status = organizations.create_account(Email=f"sample-{self.id}@example.com", AccountName="sample")["CreateAccountStatus"]
            while status["State"] == "IN_PROGRESS":
                time.sleep(0.1)
                status = organizations.describe_create_account_status(CreateAccountRequestId=status["Id"])["CreateAccountStatus"]
            if status["State"] != "SUCCEEDED":
                raise RuntimeError(f"no account: {status}")
            organizations.move_account(AccountId=status["AccountId"], SourceParentId=root, DestinationParentId=unit)
            return unit
        return self.once("unit", make)

    def address(self, name):
        """Free ones of the first subnet, one for each name."""
        given = self.made.setdefault("addresses", [])
        if name not in given:
            given.append(name)
        block = self.ec2.describe_subnets(SubnetIds=[self.subnets[0]])["Subnets"][0]["CidrBlock"]
        return str(ipaddress.ip_network(block)[50 + given.index(name)])

    @property
    def queue(self):
        sqs = self.client("sqs")
        return self.once("queue", lambda: sqs.get_queue_attributes(QueueUrl=sqs.create_queue(QueueName="samples")["QueueUrl"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    @property
    def route_table(self):
        return self.once("route_table", lambda: self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["RouteTables"][0]["RouteTableId"])

    @property
    def target_group(self):
        return self.once("target_group", lambda: self.client("elbv2").create_target_group(
            Name="samples", Protocol="HTTP", Port=80, VpcId=self.vpc)["TargetGroups"][0]["TargetGroupArn"])

    def value(self, name, p):
        """What a user would answer."""
        guess = self.guess(name, p)
        pattern = p.get("AllowedPattern")

        def fits(v):
            long_enough = p.get("Type", "String") != "String" or int(p.get("MinLength", 0)) <= len(v) <= int(p.get("MaxLength", 4096))
            try:
                return long_enough and (not pattern or re.fullmatch(pattern, v))
            except re.error:
                return True
        if p.get("Type", "String") not in ("String", "CommaDelimitedList") or p.get("AllowedValues") or fits(guess):
            return guess
        key = f"arn:aws:kms:us-east-1:{self.id}:key/"
        for make in (lambda: self.id, lambda: "Sample4Passw0rd", lambda: "sample1", lambda: "sample", lambda: "10.20.0.0/16", lambda: "10.20.0.5", lambda: self.vpc,
                     lambda: self.subnets[0], lambda: self.route_table, lambda: self.kms_key, lambda: self.kms_key.rsplit("/", 1)[1], lambda: self.role,
                     lambda: "sample@example.com", lambda: "sample.example.com", lambda: "https://sample.example.com/", lambda: "us-east-1", lambda: "o-sample1234",
                     lambda: "2026-11-29", lambda: "sample-sample", lambda: key, lambda: self.bucket, lambda: "SAMPLE", lambda: "/sample", lambda: "1"):
            if fits(make()):
                return make()
        return guess

    def guess(self, name, p):
        kind, low = p.get("Type", "String"), name.lower()
        many = kind.startswith("List<") or kind == "CommaDelimitedList"
        if "VPC::Id" in kind:
            return self.vpc
        if "Subnet::Id" in kind:
            return ",".join(self.subnets[:2]) if many and not name[-1].isdigit() else self.subnet(name)
        if "KeyPair" in kind:
            return self.key
        if "SecurityGroup" in kind:
            return "samples" if "GroupName" in kind else self.group
        if "AvailabilityZone" in kind:
            return ",".join(self.zones[:2]) if many else self.zones[int((re.findall(r"\d", name) or ["0"])[-1]) % len(self.zones)]
        if "Image::Id" in kind:
            return self.image
        if name in ANSWERS:
            return "true" if ANSWERS[name] == "Yes" and True in p.get("AllowedValues", []) else ANSWERS[name]  # YAML 1.1's Yes
        if p.get("AllowedValues"):
            return str(p["AllowedValues"][0])
        if kind == "Number":
            return str(max(int(p.get("MinValue", 1)), 1))
        for words, value in ((("certificate",), "certificate"), (("peervpcid",), "other_vpc"), (("peeringconnection",), "peering"), (("ouid",), "unit"),
                             (("vpcid", "vpc-id"), "vpc"), (("keyname", "keypair"), "key"),
                             (("imageid", "amiid"), "image"), (("bucket",), "bucket"), (("rolearn",), "role"), (("topic", "snsarn"), "topic"),
                             (("targetgroup",), "target_group"), (("sqs", "queuearn", "subscriptionendpoint"), "queue"), (("kmskey",), "kms_key"), (("securitygroup",), "group")):
            if any(w in low for w in words):
                return self.bucket + "-2" if value == "bucket" and re.search("source|dest|log", low) and not low.startswith("dest") else getattr(self, value)
        if "ipaddress" in low:
            return self.address(name)
        if "accountid" in low and "destination" in low:
            return self.other_account
        if "subnet" in low and "cidr" not in low:
            return ",".join(self.subnets[:2]) if many else self.subnet(name)
        for words, value in ((("email",), "sample@example.com"), (("password", "secret", "token"), "Sample4Passw0rd"), (("username", "dbuser", "adminuser"), "sampleuser"),
                             (("cidr", "location", "range"), "10.20.0.0/16"), (("accountid", "account"), self.id), (("region",), "us-east-1"),
                             (("zone",), self.zones[0]), (("domain", "host", "dns"), "sample.example.com"), (("url", "endpoint"), "https://sample.example.com/"),
                             (("dbname", "database"), "sample"), (("ip",), "10.20.0.5")):
            if any(w in low for w in words):
                return value
        return ("sample" * 20)[:max(6, int(p.get("MinLength", 0)))]

    def parameters(self, document):
        wanted = document.get("Parameters") or {}
        return [{"ParameterKey": k, "ParameterValue": self.value(k, p)} for k, p in wanted.items()
                if "Default" not in p or k in ANSWERS or k == "OUID" or (str(p["Default"]) == "" and (p.get("AllowedPattern") or p.get("MinLength") or "::" in p.get("Type", "")))]


def prepare(account, path, text):
    """What the samples take for granted."""
    if "TemplatesS3BucketName" in text:
        for name in os.listdir(os.path.dirname(path)):
            with open(os.path.join(os.path.dirname(path), name), "rb") as f:
                body = f.read()
            for prefix in ("", "sample/"):
                account.client("s3").put_object(Bucket=account.bucket, Key=f"{prefix}templates/{name}", Body=body)
    for name in ("sample", "slinger_testing"):
        if name in text:
            try:
                account.ec2.create_key_pair(KeyName=name)
            except ClientError:
                pass
    for name in set(re.findall(r"\bCloudWatchAgent(?:Admin|Server)Role\b", text)):
        iam = account.client("iam")
        account.role
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName="samples")


# Why one cannot be, where that is not virga's to mend; the first that is found in the reasons.
WHYS = (("the template's own fault (null, a statement id twice, a directive of AWS's Rain, a parameter that its nested one lacks)",
         r"'null' values are not allowed|SID\) in a single policy|Rain|TemplateBody: expected type: String|LambdaRoleName\] do not exist"),
        ("a macro or custom resource, which needs Lambda", r"No transform named|Invalid template resource property '(Count|ExplodeMap)'|Lambda"),
        ("an image that virga does not have", r"Unable to fetch parameters \[/aws/service|/aws/service/\S*arm64|ami-windows"),
        ("a database engine that virga does not have", r"Invalid DB engine|not a valid parameter group family"),
        ("a subscription by e-mail, which virga does not send", r"protocol email"))


def why_not(reasons):
    return next((name for name, pattern in WHYS if re.search(pattern, " ".join(reasons))), "another")


def send_signals(account, stack, resources):
    """What cfn-signal would send from inside: for creation policies and wait conditions that are waited for."""
    for r in account.cfn.describe_stack_resources(StackName=stack)["StackResources"]:
        declared = resources.get(r["LogicalResourceId"], {})
        wanted = (declared.get("CreationPolicy") or {}).get("ResourceSignal") or {}
        if r["ResourceStatus"] == "CREATE_IN_PROGRESS" and "ResourceSignal" in (declared.get("CreationPolicy") or {}):
            count = wanted.get("Count", 1)
            for n in range(int(count) if str(count).isdigit() else 6):
                try:
                    account.cfn.signal_resource(StackName=stack, LogicalResourceId=r["LogicalResourceId"], UniqueId=f"s{n}", Status="SUCCESS")
                except ClientError:
                    break
        if r["ResourceType"].endswith("WaitConditionHandle") and r["ResourceStatus"] == "CREATE_COMPLETE":
            try:
                for n in range(3):
                    body = json.dumps({"Status": "SUCCESS", "UniqueId": f"s{n}", "Data": "d", "Reason": "r"}).encode()
                    urllib.request.urlopen(urllib.request.Request(account.reach(r["PhysicalResourceId"]), data=body, method="PUT", headers=account.host_of(r["PhysicalResourceId"])))
            except OSError:
                pass


def settle(account, stack, resources, limit=90):
    end, began = time.monotonic() + limit, time.monotonic()
    while True:
        now = account.cfn.describe_stacks(StackName=stack)["Stacks"][0]
        if not now["StackStatus"].endswith("_IN_PROGRESS"):
            return now["StackStatus"]
        if time.monotonic() > end:
            return "STAYS_" + now["StackStatus"]
        if time.monotonic() - began > 1:
            send_signals(account, stack, resources)
        time.sleep(0.1)


def reasons(account, stack):
    events = account.cfn.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [f"{e['LogicalResourceId']} ({e['ResourceType']}): {e.get('ResourceStatusReason')}" for e in events if e["ResourceStatus"].endswith("FAILED")]
    for nested in set(re.findall(r"Embedded stack (arn:\S+)", " ".join(failed))):
        failed += reasons(account, nested)
    return [f for f in failed if "cancelled" not in f and "failed to" not in f.split(": ", 1)[-1][:30]] or failed


def attempt(virga, number, path, text, document):
    account = Account(virga, number)
    phase = "create"
    try:
        text = re.sub(r"\bami-[0-9a-f]{8,17}\b", lambda _: account.image, text)
        text = re.sub(r"/aws/service/(?:ami-windows-latest|canonical/ubuntu/server/[a-z]+|canonical/ubuntu/eks-pro|debian/release/10)[^\"'\s}]*",
                      "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2", text)
        # Images of ARM machines by those of this one.
        text = re.sub(r"(/aws/service/ami-amazon-linux-latest/\S*)arm64", r"\1x86_64", text)
        text = re.sub(r"\b[tcmr](?:4g|6g|7g)d?\.(?=[a-z0-9])", "t3.", text)
        text = re.sub(r"\bami-(?!amazon|linux)[A-Za-z-]+(?=\")", account.image, text)
        prepare(account, path, text)
        given = account.parameters(document)
        where = {"TemplateBody": text}
        if len(text.encode()) > 51200:
            account.client("s3").put_object(Bucket=account.bucket, Key="t", Body=text.encode())
            where = {"TemplateURL": f"{virga.endpoint}/{account.bucket}/t"}
        stack = account.cfn.create_stack(StackName="sample", Parameters=given, Capabilities=CAPABILITIES, DisableRollback=True, **where)["StackId"]
        outcome = []
        for phase, good in (("create", "CREATE_COMPLETE"), ("update", "UPDATE_COMPLETE"), ("delete", "DELETE_COMPLETE")):
            if phase == "update":
                account.cfn.update_stack(StackName=stack, Parameters=given, Capabilities=CAPABILITIES, Tags=[{"Key": "changed", "Value": "yes"}], **where)
            elif phase == "delete":
                account.cfn.delete_stack(StackName=stack)
            status = settle(account, stack, document["Resources"])
            if status != good:
                outcome.append((phase, status, reasons(account, stack)))
                if phase == "create":
                    account.cfn.delete_stack(StackName=stack)
                    status = settle(account, stack, document["Resources"])
                    if status != "DELETE_COMPLETE":
                        outcome.append(("delete after it", status, reasons(account, stack)))
                    break
        return path, outcome
    except ClientError as e:
        return path, [(phase, "REFUSED", [str(e)])]
    except Exception as e:  # noqa: BLE001: a template that this script does not understand is told as such
        return path, [(phase, "SCRIPT", [repr(e)])]


def main():
    folder = os.environ.get("VIRGA_SAMPLES")
    if not folder:
        sys.exit(__doc__)
    all_of_them = list(templates(folder))
    made = made_types()
    known = {t.split("::")[1] for t in made if t.count("::") > 1}
    usable = [t for t in all_of_them if types_of(t[2]) <= made]
    absent = collections.Counter(x for t in all_of_them for x in types_of(t[2]) - made if x.count("::") > 1 and x.split("::")[1] in known)
    tried = [t for t in usable if not sys.argv[1:] or any(w in t[0] for w in sys.argv[1:])]
    options = ["--durability", "relaxed", *([] if os.environ.get("SAMPLES_REAL") else ["--simulated"])]
    with Virga(*options) as virga:
        Account.reach = lambda self, url: re.sub(r"^https?://[^/]*", virga.endpoint, url)
        Account.host_of = lambda self, url: {"Host": url.split("/")[2]}
        with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("SAMPLES_AT_ONCE", "4"))) as pool:
            results = list(pool.map(lambda nt: attempt(virga, nt[0], *nt[1]), enumerate(tried)))
        if os.environ.get("SAMPLES_LOG"):
            with open(os.environ["SAMPLES_LOG"], "w") as f:
                f.write(virga.read_log())
    clean = [p for p, outcome in results if not outcome]
    for path, outcome in results:
        for phase, status, why in outcome:
            print(f"{os.path.relpath(path, folder)}: {phase}: {status}")
            for reason in why[:6]:
                print(f"    {reason}")
    for name, n in collections.Counter(why_not([r for _, _, why in outcome for r in why]) for _, outcome in results if outcome).most_common():
        print(f"{n:4} need {name}" if not name.startswith(("the ", "another")) else f"{n:4} {name}")
    print(f"{len(all_of_them)} templates; {len(usable)} use only types that virga makes; of {len(tried)} tried {len(clean)} were created, updated and deleted cleanly")
    if absent:
        print("types of existing services that are missing:", ", ".join(f"{t} ({n})" for t, n in absent.most_common()))


if __name__ == "__main__":
    main()
