"""What asking every operation needs: the least input that virga's own models allow, a call in any of a service's protocols, and
what the service authorization reference (models/*.authz) says of an operation."""
import datetime
import functools
import os
import re
import shlex
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.parsers
import botocore.serialize

try:
    import re._parser as re_parser  # of Python 3.11 and later
except ImportError:
    import sre_parse as re_parser

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../models")
SERIALIZERS = {"json10": "json", "json11": "json", "cbor": "smithy-rpc-v2-cbor"}
ARNS = ["iam::000000000000:role/x", "sqs:us-east-1:000000000000:x", "kms:us-east-1:000000000000:key/x",
    "sso:::instance/ssoins-0000000000000000", "sso:::permissionSet/ssoins-0000000000000000/ps-0000000000000000",
    "iam::aws:policy/ReadOnlyAccess", "acm:us-east-1:000000000000:certificate/00000000-0000-0000-0000-000000000000",
    "access-analyzer:us-east-1:000000000000:analyzer/x", "kinesis:us-east-1:000000000000:stream/x",
    "kinesis:us-east-1:000000000000:stream/x/consumer/x:1", "s3:::readable",
    "application-autoscaling:us-east-1:000000000000:scalable-target/x", "logs:us-east-1:000000000000:log-group:x",
    "dynamodb:us-east-1:000000000000:table/abcd", "s3express:us-east-1:000000000000:bucket/x--use1-az1--x-s3",
    "cloudformation:us-east-1:000000000000:stack/x/00000000-0000-0000-0000-000000000000",
    "organizations::000000000000:account/o-0000000000/000000000000", "secretsmanager:us-east-1:000000000000:secret:x-000000"]
TEXTS = ["x", "abcd", "abcdefghijkl", "a" * 32, "000000000000", "us-east-1", "a-b", "a.b", "/a/", "1", "12345678", "123456", "v1",
    "example.com", "a.example.com", *[f"arn:aws:{a}" for a in ARNS], "00000000-0000-0000-0000-000000000000", "d-0000000000",
    "a@example.com", "ou-abcd-00000000", "r-abcd", "p-00000000", "h-00000000", "rp-0000", "rt-00000000", "car-00000000",
    "https://example.com/", "PT1H", "{}", "10.0.0.0/16", "b" * 64, "sha256:" + "b" * 64, "2020-01-01T00:00:00Z", "alias/a", "ops",
    "o-0000000000", "eyJhIjoxfQ==", "1.2.3.4/32", "i-00000000", "/aws/x", "00:00-00:30", "AAAA", "mem:x", "aws-region"]


@functools.cache
def strings(service):
    """Shapes of strings by name: (least, most, pattern) as the service's model has them."""
    found = {}
    with open(f"{MODELS}/{service}.model") as f:
        for line in f:
            if not line.startswith(("string ", "blob ")):
                continue
            words = line.split(" ", 2)
            given = dict(w.partition("=")[::2] for w in shlex.split(words[2] if len(words) > 2 else "", posix=False))
            pattern = given.get("pattern", "").strip('"').replace("\\\\", "\\")
            found[words[1].strip()] = (int(given.get("min", 0)), int(given.get("max", 1 << 20)), pattern)
    return found


@functools.cache
def protocols(service):
    spoken = []
    for name in (f"{service}.model", f"{service}.overlay"):
        if os.path.exists(f"{MODELS}/{name}"):
            with open(f"{MODELS}/{name}") as f:
                spoken = next((line.split()[1:] for line in f if line.startswith(" protocols ")), spoken)
    return spoken


@functools.cache
def reference(service):
    """(operations: the actions each is authorized on; actions: level and whether they need a resource) of a service's file."""
    operations, actions, prefix = {}, {}, None
    path, op, lines = f"{MODELS}/{service}.authz", None, []
    if os.path.exists(path):
        with open(path) as f:
            lines = f.readlines()
    for line in lines:
        words = line.split()
        if not words:
            op = None
        elif line.startswith(" prefix ") and prefix is None:
            prefix = words[1]
        elif words[0] == "action":
            needs = any(w.endswith("!") for w in words[3:])
            actions[f"{prefix}:{words[1]}".lower()] = (words[2] if len(words) > 2 else "R", needs)
        elif words[0] == "op":
            op = operations.setdefault(words[1], set())
            if len(words) > 2:
                op.add(words[2] if ":" in words[2] else f"{prefix}:{words[2]}")
        elif op is not None and line.startswith(" "):
            op.add(words[0] if ":" in words[0] else f"{prefix}:{words[0]}")
    return operations, actions


def matching(pattern):
    """A short text that the pattern matches; None where that takes more than this knows."""
    try:
        parsed = re_parser.parse(pattern)
    except (re.error, OverflowError):
        return None

    def of(items):
        return "".join(one(*i) for i in items)

    def one(op, arg):
        name = str(op)
        if name == "LITERAL":
            return chr(arg)
        if name == "NOT_LITERAL":
            return "a" if arg != ord("a") else "b"
        if name == "ANY":
            return "a"
        if name == "IN":
            return member(arg)
        if name == "BRANCH":
            return of(arg[1][0])
        if name == "SUBPATTERN":
            return of(arg[-1])
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            return of(arg[2]) * max(arg[0], min(arg[1], 1))
        return ""  # anchors, look-arounds

    def member(items):
        negated = str(items[0][0]) == "NEGATE"
        if negated:
            return next(c for c in "a0-/ " if re.fullmatch(f"[^{re.escape(''.join(chr(a) for o, a in items if str(o) == 'LITERAL'))}]", c))
        op, arg = items[0]
        if str(op) == "RANGE":
            return chr(arg[0])
        if str(op) == "CATEGORY":
            return {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " "}.get(str(arg), "a")
        return chr(arg)

    try:
        text = of(parsed)
        return text if re.fullmatch(pattern, text) else None
    except (StopIteration, IndexError, TypeError, re.error):
        return None


def text_for(service, shape):
    if shape.enum:
        return shape.enum[0]
    low, high, pattern = strings(service).get(shape.name, (0, 1 << 20, ""))
    low, high = max(low, int(shape.metadata.get("min", 0))), min(high, int(shape.metadata.get("max", 1 << 20)))
    for text in [*TEXTS, "x" * max(low, 1)]:
        try:
            if low <= len(text) <= high and (not pattern or re.fullmatch(pattern, text)):
                return text
        except re.error:  # a dialect that Python does not speak
            pattern = ""
    return (matching(pattern) if pattern else None) or "x" * max(low, 1)


def least(service, shape, depth=0):
    """The least value of a shape that its model allows. A structure that is a list's element, or the only member, is not empty:
    the query protocols would not send it."""
    kind = shape.type_name
    if kind == "structure":
        names = list(shape.required_members)
        if depth and not names:
            plain = [n for n, s in shape.members.items() if s.type_name in ("string", "integer", "boolean")]
            names = (plain or list(shape.members))[:1]
        return {n: least(service, shape.members[n], depth + 1) for n in names if depth < 6}
    if kind == "list":
        return [least(service, shape.member, depth + 1)] * max(1, int(shape.metadata.get("min", 1))) if depth < 6 else []
    if kind == "map":
        return {least(service, shape.key, depth + 1): least(service, shape.value, depth + 1)} if depth < 6 else {}
    if kind in ("integer", "long", "float", "double"):
        return max(int(shape.metadata.get("min", 1)), 1)
    if kind == "boolean":
        return False
    if kind == "timestamp":
        return datetime.datetime(2030, 1, 1)
    if kind == "blob":
        return b"x" * max(strings(service).get(shape.name, (1,))[0], 1)
    return text_for(service, shape)


def ask_in(virga, client, protocol, operation, given, keys, region="us-east-1"):
    """One signed call in a protocol that is not the SDK's choice: (HTTP status, error code, message)."""
    model = client.meta.service_model
    op = model.operation_model(operation)
    name = SERIALIZERS.get(protocol, protocol)
    made = botocore.serialize.create_serializer(name).serialize_to_request(given, op)
    body, url = made["body"], made["url_path"]
    if isinstance(body, dict):
        body = urllib.parse.urlencode(body)
    body = body.encode() if isinstance(body, str) else body
    request = botocore.awsrequest.AWSRequest(made["method"], virga.endpoint + url, headers=made["headers"], data=body)
    botocore.auth.SigV4Auth(botocore.credentials.Credentials(*keys), model.signing_name, region).add_auth(request)
    status, headers, answer = virga.get(url, made["method"], dict(request.prepare().headers), body)
    if status < 400:
        return status, "", ""
    parsed = botocore.parsers.create_parser(name).parse(
        {"status_code": status, "headers": {k.lower(): v for k, v in headers.items()}, "body": answer}, op.output_shape)
    return status, parsed["Error"]["Code"], parsed["Error"]["Message"]
