#!/usr/bin/env python3
"""Write models/NAME.model from botocore's service descriptions (service-2.json).

Interface facts only: names, types, wire names and places, constraints, errors. No documentation text is read. The
language is told in models/README.md. The output is deterministic; only what operations reach is kept.

    tools/import/botocore.py [--data FOLDER] [--out models] [SERVICE ...]

FOLDER is botocore's data folder; without it, the installed botocore's. Without SERVICE, all of SERVICES.
"""
import argparse
import gzip
import json
import os
import re
import sys

SERVICES = """
accessanalyzer acm apigateway apigatewayv2 application-autoscaling athena autoscaling backup batch budgets ce
cloudcontrol cloudformation cloudfront cloudhsmv2 cloudtrail cloudwatch codebuild codecommit codedeploy codepipeline
cognito-identity cognito-idp compute-optimizer config cur dax directconnect dlm dynamodb dynamodbstreams ebs ec2
ec2-instance-connect ecr ecs efs eks elasticache elb elbv2 emr events firehose fis globalaccelerator glue guardduty
iam identitystore inspector2 kinesis kms lambda logs macie2 opensearch organizations rbin rds redshift resource-groups
resourcegroupstaggingapi route53 route53domains route53resolver s3 s3control scheduler secretsmanager securityhub
servicediscovery shield sns sqs ssm sso sso-admin sso-oidc stepfunctions sts support synthetics wafv2 xray
""".split()

SCALARS = {"string", "integer", "long", "float", "double", "boolean", "blob", "timestamp"}
TIMES = {"iso8601": "iso8601", "rfc822": "rfc822", "unixTimestamp": "unix"}
BARE = re.compile(r"[A-Za-z0-9_./:*+{}?&-]+\Z")
WIDTH = 118


def load(data, service):
    """The newest API version's description."""
    folder = os.path.join(data, service)
    version = max(v for v in os.listdir(folder) if v[0].isdigit())
    path = os.path.join(folder, version, "service-2.json")
    if os.path.exists(path + ".gz"):
        with gzip.open(path + ".gz", "rt", encoding="utf-8") as f:
            return json.load(f)
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def word(text):
    """One word of the language, quoted where it must be."""
    text = str(text)
    if BARE.match(text):
        return text
    out = []
    for c in text:
        if c in '"\\':
            out.append("\\" + c)
        elif c in "\n\t\r":
            out.append({"\n": "\\n", "\t": "\\t", "\r": "\\r"}[c])
        elif ord(c) < 32 or ord(c) == 127:
            out.append("\\u%04x" % ord(c))
        else:
            out.append(c)
    return '"' + "".join(out) + '"'


def attr(name, value):
    return "%s=%s" % (name, word(value))


def number(v):
    return repr(v) if isinstance(v, float) else str(int(v))


def limits(shape):
    return [attr(k, number(shape[k])) for k in ("min", "max") if k in shape]


def wrapped(prefix, words):
    """Lines of at most WIDTH columns, each beginning with prefix."""
    lines, line = [], prefix
    for w in words:
        if len(line) + 1 + len(w) > WIDTH and line != prefix:
            lines.append(line)
            line = prefix
        line += " " + w
    return lines + [line] if line != prefix else lines


def xmlns(d):
    """botocore writes {uri, prefix} on shapes and members."""
    ns = d.get("xmlNamespace")
    if not ns:
        return []
    if isinstance(ns, str):
        return [attr("xmlns", ns)]
    out = [attr("xmlns", ns["uri"])]
    if "prefix" in ns:
        out.append(attr("prefix", ns["prefix"]))
    return out


class Importer:
    def __init__(self, name, description):
        self.name = name
        self.meta = description["metadata"]
        self.ops = description["operations"]
        self.shapes = dict(description["shapes"])
        self.lines = []

    # ── what botocore says of a member but the language says of a shape ──

    def give_members_their_shapes(self):
        """A streaming member, or one with an enumeration of its own, gets a shape of its own."""
        for name in sorted(self.shapes):
            for member, ref in self.shapes[name].get("members", {}).items():
                if ref.get("streaming"):
                    ref["shape"] = self.variant(ref["shape"] + "Stream", ref["shape"], {"streaming": True})
                if "enum" in ref:
                    ref["shape"] = self.variant(name + member, ref["shape"], {"enum": ref["enum"]})

    def variant(self, name, of, more):
        shape = {**self.shapes[of], **more}
        if self.shapes.get(name, shape) != shape:
            sys.exit("%s: a shape %s exists already" % (self.name, name))
        self.shapes[name] = shape
        return name

    def reached(self):
        """Names of the shapes that operations reach."""
        seen, todo = set(), []
        for op in self.ops.values():
            todo += [op[side]["shape"] for side in ("input", "output") if side in op]
            todo += [e["shape"] for e in op.get("errors", [])]
        # Any operation may answer any error of its service.
        todo += [n for n, s in self.shapes.items() if s.get("exception")]
        while todo:
            n = todo.pop()
            if n in seen:
                continue
            seen.add(n)
            shape = self.shapes[n]
            todo += [m["shape"] for m in shape.get("members", {}).values()]
            todo += [shape[k]["shape"] for k in ("member", "key", "value") if k in shape]
        return sorted(seen)

    # ── the parts of a model ──

    def write(self):
        self.give_members_their_shapes()
        self.service()
        for name in sorted(self.ops):
            self.op(name, self.ops[name])
        for name in self.reached():
            self.shape(name, self.shapes[name])
        return "\n".join(self.lines) + "\n"

    def protocols(self):
        """The model's own first."""
        json_word = "json11" if self.meta.get("jsonVersion") == "1.1" else "json10"
        words = {"json": json_word, "smithy-rpc-v2-cbor": "cbor"}
        first = self.meta["protocol"]
        every = [first] + [p for p in self.meta.get("protocols", []) if p != first]
        return [words.get(p, p) for p in every]

    def namespace(self):
        """The service's XML namespace; where only its requests tell theirs, that one."""
        ns = self.meta.get("xmlNamespace")
        if ns:
            return ns["uri"] if isinstance(ns, dict) else ns
        told = {op["input"]["xmlNamespace"]["uri"] for op in self.ops.values() if "xmlNamespace" in op.get("input", {})}
        return told.pop() if len(told) == 1 else None

    def service(self):
        m = self.meta
        put = self.lines.append
        put("service %s %s" % (self.name, word(m["serviceFullName"])))
        put(" id %s" % word(m["serviceId"]))
        put(" endpoint %s" % word(m["endpointPrefix"]))
        put(" signing %s" % word(m.get("signingName", m["endpointPrefix"])))
        if "targetPrefix" in m:
            put(" target %s" % word(m["targetPrefix"]))
        put(" protocols %s" % " ".join(self.protocols()))
        put(" version %s" % word(m["apiVersion"]))
        ns = self.namespace()
        if ns:
            put(" xmlns %s" % word(ns))
        if "awsQueryCompatible" in m:
            put(" query-compatible")

    def op(self, name, op):
        http = op["http"]
        words = ["op", word(name)]
        if (http["method"], http["requestUri"]) != ("POST", "/"):
            words += [word(http["method"]), word(http["requestUri"])]
        if http.get("responseCode", 200) != 200:
            words.append(attr("code", http["responseCode"]))
        self.lines += ["", " ".join(words)]
        if "input" in op:
            i = op["input"]
            words = [" in", word(i["shape"])]
            if "locationName" in i:
                words.append(attr("name", i["locationName"]))
            self.lines.append(" ".join(words + xmlns(i)))
        if "output" in op:
            o = op["output"]
            words = [" out", word(o["shape"])]
            if "resultWrapper" in o:
                words.append(attr("wrapper", o["resultWrapper"]))
            self.lines.append(" ".join(words))
        self.lines += wrapped(" err", sorted({word(e["shape"]) for e in op.get("errors", [])}))
        flags = self.flags(op)
        if flags:
            self.lines.append(" flags " + " ".join(flags))

    @staticmethod
    def flags(op):
        checksum = op.get("httpChecksum", {})
        flags = []
        if op.get("authtype") == "none" or op.get("auth") == ["smithy.api#noAuth"]:
            flags.append("anonymous")
        if op.get("unsignedPayload") or op.get("authtype") == "v4-unsigned-body":
            flags.append("unsigned-payload")
        if "requestAlgorithmMember" in checksum:
            flags.append("checksum")
        if checksum.get("requestChecksumRequired"):
            flags.append("checksum-required")
        if op.get("httpChecksumRequired"):
            flags.append("md5")
        flags += [w for k, w in (("idempotent", "idempotent"), ("readonly", "read-only"), ("deprecated", "deprecated"))
                  if op.get(k)]
        return flags

    def shape(self, name, shape):
        kind = shape["type"]
        if kind == "structure" and shape.get("document"):
            self.lines += ["", " ".join(["document", word(name)] + self.marks(shape))]
        elif kind == "structure":
            self.structure(name, shape)
        elif kind == "list":
            element = shape["member"]
            words = ["list", word(name), word(element["shape"])]
            # A list's own locationName stands in for its element's (EC2's "item").
            given = element.get("locationName", shape.get("locationName"))
            if given:
                words.append(attr("name", given))
            self.lines += ["", " ".join(words + limits(shape) + self.marks(shape))]
        elif kind == "map":
            words = ["map", word(name), word(shape["key"]["shape"]), word(shape["value"]["shape"])]
            words += [attr(k, shape[k]["locationName"]) for k in ("key", "value") if "locationName" in shape[k]]
            self.lines += ["", " ".join(words + limits(shape) + self.marks(shape))]
        elif kind in SCALARS:
            words = [kind, word(name)] + limits(shape)
            if "timestampFormat" in shape:
                words.append(attr("time", TIMES[shape["timestampFormat"]]))
            if "pattern" in shape:
                words.append("pattern=" + word(shape["pattern"]))
            self.lines += ["", " ".join(words + self.marks(shape))]
            self.lines += wrapped(" enum", [word(e) for e in shape.get("enum", [])])
        else:
            sys.exit("%s: %s: unknown type %s" % (self.name, name, kind))

    @staticmethod
    def marks(shape):
        return [w for w in ("flattened", "sensitive", "streaming") if shape.get(w)]

    def structure(self, name, shape):
        words = ["struct", word(name)]
        words += [w for w in ("union", "exception", "fault", "wrapper", "eventstream", "sensitive") if shape.get(w)]
        error = shape.get("error", {})
        if shape.get("exception"):
            status = error.get("httpStatusCode", 500 if shape.get("fault") or error.get("fault") else 400)
            words.append(attr("status", status))
            if error.get("code", name) != name:
                # Where the query protocol is the older one, this is the code that its clients know.
                key = "query-code" if "awsQueryCompatible" in self.meta else "code"
                words.append(attr(key, error["code"]))
        if "retryable" in shape:
            words.append("retryable")
        if "locationName" in shape:
            words.append(attr("name", shape["locationName"]))
        words += xmlns(shape)
        if "payload" in shape:
            words.append(attr("payload", shape["payload"]))
        self.lines += ["", " ".join(words)]
        required = set(shape.get("required", []))
        for member, ref in shape["members"].items():
            self.lines.append(" " + " ".join(self.member(member, ref, member in required)))

    @staticmethod
    def member(name, ref, required):
        words = [word(name), word(ref["shape"])]
        place = {None: "xml", "uri": "uri", "querystring": "query", "header": "header", "headers": "headers",
                 "statusCode": "status"}[ref.get("location")]
        given = ref.get("locationName")
        if given is not None and given != name:
            words.append(attr(place, given))
        elif given is not None or place != "xml":
            words.append(place)
        if "queryName" in ref:
            words.append(attr("query-name", ref["queryName"]))
        if required:
            words.append("required")
        if ref.get("flattened"):
            words.append("flattened")
        if ref.get("xmlAttribute"):
            words.append("attribute")
        if "timestampFormat" in ref:
            words.append(attr("time", TIMES[ref["timestampFormat"]]))
        if ref.get("idempotencyToken"):
            words.append("token")
        if ref.get("hostLabel"):
            words.append("host-label")
        return words + xmlns(ref)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--data", help="botocore's data folder; without it, the installed botocore's")
    p.add_argument("--out", default=os.path.join(here, "..", "..", "models"))
    p.add_argument("services", nargs="*", metavar="SERVICE")
    args = p.parse_args()
    data = args.data
    if not data:
        import botocore
        data = os.path.join(os.path.dirname(botocore.__file__), "data")
        print("botocore", botocore.__version__)
    for service in args.services or SERVICES:
        text = Importer(service, load(data, service)).write()
        with open(os.path.join(args.out, service + ".model"), "w", encoding="utf-8") as f:
            f.write(text)


if __name__ == "__main__":
    main()
