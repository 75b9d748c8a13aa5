"""Every operation of every model, with random members, between botocore and the wire room.

    tests/wire/botocore_cases.py BUILD_FOLDER [SERVICE…]

Requests are made by botocore's serializers and must be decoded to the same parameters; results are encoded by us and must
be parsed by botocore to the same values. Needs botocore; says so and exits 77 where it is absent."""

import base64
import datetime
import email.utils
import json
import os
import random
import re
import subprocess
import sys
import tempfile

try:
    import botocore
    import botocore.loaders
    import botocore.model
    import botocore.parsers
    import botocore.serialize
except ImportError:
    print("skipped: no botocore")
    sys.exit(77)
# An older one describes other services than models/ does, and lacks a protocol.
if tuple(map(int, botocore.__version__.split(".")[:2])) < (1, 40):
    print(f"skipped: botocore {botocore.__version__} is older than the models")
    sys.exit(77)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROTOCOLS = {"query": (1, "query"), "ec2": (2, "ec2"), "json10": (4, "json"), "json11": (8, "json"),
             "rest-json": (16, "rest-json"), "rest-xml": (32, "rest-xml"), "cbor": (64, "smithy-rpc-v2-cbor")}
DEPTH = 4
# What the generator does not set, or the HTTP layer adds: the status, the content's type, S3's Expires (text for us).
IGNORED = ("ResponseMetadata", "StatusCode", "ContentType", "contentType", "Expires")
# Dates that models/s3.overlay leaves to the service to read, as text.
S3_TEXT_DATES = ("IfModifiedSince", "IfUnmodifiedSince", "CopySourceIfModifiedSince", "CopySourceIfUnmodifiedSince")
# Operations that a request alone does not tell, or that botocore treats outside of its serializers and parsers.
LEFT_OUT = {
    ("s3", "GetBucketLocation"): "botocore reads it in a handler",
    ("s3", "ListDirectoryBuckets"): "ListBuckets at another host",
    ("s3", "GetBucketLifecycle"): "deprecated twin of GetBucketLifecycleConfiguration",
    ("s3", "PutBucketLifecycle"): "deprecated twin of PutBucketLifecycleConfiguration",
    ("s3", "GetBucketNotification"): "deprecated twin of GetBucketNotificationConfiguration",
    ("s3", "PutBucketNotification"): "deprecated twin of PutBucketNotificationConfiguration",
    ("s3control", "CreateBucket"): "S3 on Outposts, told by its host",
    ("apigateway", "PutRestApi"): "as ImportRestApi",
    ("apigateway", "ImportRestApi"): "a server puts all query parameters in the map, the client only its own",
}


def models():
    """Our models: name, service id, protocols."""
    for entry in sorted(os.listdir(os.path.join(ROOT, "models"))):
        if not entry.endswith(".model"):
            continue
        name = entry[:-6]
        text = open(os.path.join(ROOT, "models", entry), encoding="utf-8").read()
        service_id = re.search(r'^ id (?:"([^"]*)"|(\S+))', text, re.M)
        yield name, service_id[1] or service_id[2], re.search(r"^ protocols (.*)$", text, re.M)[1].split()


def text(rnd, shape, place):
    if shape.enum:
        return rnd.choice(shape.enum)
    if place == "header":
        return rnd.choice(["plain", 'with "quotes", commas', "a=b;c"])
    if place == "uri":
        return rnd.choice(["plain", "sp ace&+%", "\u00e9t\u00e9", "a/b:c"])
    return rnd.choice(["", "plain", "<&>\"'\n\t x", "\u00e9\U0001f600", "a,b c=d&e%2F+"]) if place == "body" else rnd.choice(
        ["plain", "sp ace&=+%", "\u00e9t\u00e9"])


def value(rnd, shape, depth, place="body", top=False):
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return {"a": [1, 2.5, None, "x"]}
    if kind == "structure":
        out = {}
        names = list(shape.members)
        union = getattr(shape, "is_tagged_union", False)
        if union:
            scalars = [n for n in names if shape.members[n].type_name not in ("structure", "list", "map")]
            names = [rnd.choice(scalars if scalars and depth <= 0 else names)] if names else []
        for name in names:
            member = shape.members[name]
            where = {"uri": "uri", "querystring": "query", "header": "header", "headers": "header", "statusCode": "status"}.get(
                member.serialization.get("location"), "body") if top else place
            required = name in shape.required_members
            if name == "Expires" and member.type_name == "timestamp" and where == "header":
                continue
            if where == "status" or member.serialization.get("streaming") or member.serialization.get("eventstream"):
                continue
            if member.serialization.get("jsonvalue") or getattr(member, "serialization", {}).get("requiresLength"):
                continue
            if getattr(member, "is_document_type", False) and place != "body":
                continue
            if top and name == shape.serialization.get("payload"):
                out[name] = "plain" if member.type_name == "string" else value(rnd, member, max(depth - 1, 1), where)
                continue
            # forms and XML cannot tell an empty structure from none: the last member is there when no other is
            last = not out and name == names[-1] and depth > -6
            if not required and not union and not last and (depth <= 0 or rnd.random() < 0.35) and where != "uri":
                continue
            # a host label: the host's name must hold it
            labels = member.serialization.get("hostLabel") or name in ("RequestRoute", "AccountId")
            out[name] = "label" if labels and top and member.type_name == "string" else value(rnd, member, depth - 1, where)
        return out
    if kind == "list":
        if depth <= -3:
            return []
        return [value(rnd, shape.member, depth - 1, place) for _ in range(rnd.choice([1, 2, 3]))]
    if kind == "map":
        if depth <= -3:
            return {}
        keys = shape.key.enum[:2] if shape.key.enum else ["key-one", "key-two"]
        return {k: value(rnd, shape.value, depth - 1, place) for k in keys}
    if kind in ("string", "character"):
        return text(rnd, shape, place)
    if kind == "blob":
        return b"bytes \x01\x7f" if place == "body" else b"bytes"
    if kind == "boolean":
        return rnd.random() < 0.5
    if kind in ("integer", "byte", "short"):
        return rnd.randrange(-100, 100)
    if kind == "long":
        return rnd.randrange(-(1 << 40), 1 << 40)
    if kind in ("float", "double"):
        return rnd.randrange(-80, 80) / 8
    if kind == "timestamp":
        return rnd.randrange(0, 2000000000)
    raise ValueError(kind)


def expected_params(name, op, params):
    params = plain(params)
    for member, shape in op.input_shape.members.items() if name == "s3" and op.input_shape else ():
        if shape.name in S3_TEXT_DATES and member in params:
            params[member] = email.utils.formatdate(params[member], usegmt=True)
    return params


def plain(v, ignored=()):
    """Values as JSON tells them: bytes as text, times as seconds."""
    if isinstance(v, bytes):
        return v.decode("latin-1")
    if isinstance(v, datetime.datetime):
        return int(v.timestamp())
    if isinstance(v, dict):
        return {k: plain(x, ignored) for k, x in v.items() if k not in ignored}
    if isinstance(v, (list, tuple)):
        return [plain(x, ignored) for x in v]
    if hasattr(v, "read"):
        return v.read().decode("latin-1")
    return v


def same(a, b):
    """Is b what was sent as a? Empty lists, maps and structures may be lost where a format cannot tell them."""
    if isinstance(a, dict) and isinstance(b, dict):
        return all(same(a.get(k), b.get(k)) for k in set(a) | set(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, float) or isinstance(b, float):
        return a is not None and b is not None and abs(a - b) < 1e-6 * max(1, abs(a))
    return a == b or (a in (None, [], {}, "") and b in (None, [], {}, ""))


def request_of(serialized):
    path, _, query = serialized["url_path"].partition("?")
    pairs = serialized["query_string"]
    from botocore.compat import urlencode
    from botocore.utils import percent_encode_sequence
    if pairs:
        query = (query + "&" if query else "") + percent_encode_sequence(pairs)
    body = serialized["body"]
    if isinstance(body, dict):
        body = urlencode(body, doseq=True)
    if isinstance(body, str):
        body = body.encode("utf-8")
    if hasattr(body, "read"):
        body = body.read()
    return {"method": serialized["method"], "path": path, "query": query or None,
            "headers": {k: str(v) for k, v in dict(serialized["headers"]).items()},
            "body": base64.b64encode(bytes(body or b"")).decode()}


def main():
    build, wanted = sys.argv[1], sys.argv[2:]
    loader = botocore.loaders.Loader()
    by_id = {}
    for entry in loader.list_available_services("service-2"):
        data = loader.load_service_model(entry, "service-2")
        by_id[data["metadata"].get("serviceId")] = data
    cases, expected = [], []
    rnd = random.Random(int(os.environ.get("VIRGA_SEED", "20260101")))
    for name, service_id, protocols in models():
        if (wanted and name not in wanted) or service_id not in by_id:
            continue
        data = by_id[service_id]
        service = botocore.model.ServiceModel(data, name)
        for protocol in protocols:
            number, theirs = PROTOCOLS[protocol]
            if protocol == "json10" and data["metadata"].get("jsonVersion") not in ("1.0", None):
                continue
            serializer = botocore.serialize.create_serializer(theirs, include_validation=False)
            for op_name in service.operation_names:
                op = service.operation_model(op_name)
                if (name, op_name) in LEFT_OUT:
                    continue
                if op.has_event_stream_input or op.has_event_stream_output:
                    continue
                for _ in range(2):
                    # (Expires, S3's alone, is a time for botocore and text for us.)
                    params = value(rnd, op.input_shape, DEPTH, top=theirs.startswith("rest")) if op.input_shape else {}
                    result = value(rnd, op.output_shape, DEPTH, top=theirs.startswith("rest")) if op.output_shape else {}
                    request = request_of(serializer.serialize_to_request(params, op))
                    cases.append({"service": name, "op": op_name, "protocol": number, "request": request,
                                  "params": expected_params(name, op, params), "result": plain(result, IGNORED)})
                    expected.append((op, theirs, plain(result, IGNORED)))
    with tempfile.TemporaryDirectory() as folder:
        path, back = os.path.join(folder, "cases"), os.path.join(folder, "responses")
        with open(path, "w", encoding="utf-8") as f:
            for c in cases:
                f.write(json.dumps(c) + "\n")
        done = subprocess.run([os.path.join(os.path.abspath(build), "wire_botocore_test")], check=False,
                              env=dict(os.environ, VIRGA_BOTOCORE_CASES=path, VIRGA_BOTOCORE_RESPONSES=back))
        failed = 0
        for (op, theirs, result), line in zip(expected, open(back, encoding="utf-8")):
            got = json.loads(line)
            response = {"status_code": got["code"], "headers": {k.lower(): v for k, v in got["headers"]},
                        "body": base64.b64decode(got["body"]), "context": {"operation_name": op.name}}
            from botocore.awsrequest import HeadersDict
            response["headers"] = HeadersDict(response["headers"])
            try:
                parsed = plain(botocore.parsers.create_parser(theirs).parse(response, op.output_shape), IGNORED)
            except Exception as e:  # pylint: disable=broad-except
                parsed = {"exception": repr(e)}
            for member, shape in op.output_shape.members.items() if op.output_shape else ():
                if shape.serialization.get("location") == "statusCode":
                    parsed.pop(member, None)
            if not same(result, parsed):
                failed += 1
                print("response:", op.service_model.service_name, op.name, theirs, "\n  sent", json.dumps(result)[:700],
                      "\n  read", json.dumps(parsed)[:700], "\n  body", response["body"][:400])
    requests = "ok" if done.returncode == 0 else "failed"
    print(len(cases), "requests and responses,", failed, "responses failed; requests:", requests)
    return 1 if failed or done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
