#!/usr/bin/env python3
"""Writes models/cloudformation.types: what CloudFormation's resource types look like.

    npm pack @aws-cdk/aws-service-spec && tar xzf aws-cdk-aws-service-spec-*.tgz
    tools/import/cloudformation.py package

Only facts of the interface are taken: types, properties with their types, which are required, which replace the resource,
attributes, primary identifiers. Deterministic. See models/README.md for the language.
"""
import gzip
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SERVICES = """AccessAnalyzer ApiGateway ApiGatewayV2 ApplicationAutoScaling AutoScaling Backup CertificateManager CDK CloudFormation
CloudFront CloudTrail CloudWatch CodeBuild CodeCommit CodeDeploy CodePipeline Cognito Config DLM DynamoDB EC2 ECR ECS EFS EKS
ElastiCache ElasticLoadBalancing ElasticLoadBalancingV2 Events IAM IdentityStore KMS Kinesis KinesisFirehose Lambda Logs
Organizations RDS ResourceGroups Route53 Route53Resolver S3 S3Express SNS SQS SSM SSO Scheduler SecretsManager ServiceDiscovery
StepFunctions WAFv2""".split()
SCALARS = {"string", "integer", "number", "boolean", "json", "date-time", "tag", "null"}


class Importer:
    def __init__(self, folder):
        self.version = json.loads((folder / "package.json").read_text())["version"]
        schema = json.loads(gzip.decompress((folder / "db.json.gz").read_bytes()))["schema"]
        self.resources = {r["cloudFormationType"]: r for r in schema["resource"]["entities"]}
        self.structs = {t["$id"]: t for t in schema["typeDefinition"]["entities"]}

    def type(self, t, used):
        kind = t["type"]
        if kind in SCALARS:
            return kind
        if kind == "array":
            return f"[{self.type(t['element'], used)}]"
        if kind == "map":
            return f"{{{self.type(t['element'], used)}}}"
        if kind == "ref":
            used.append(t["reference"]["$ref"])
            return "." + self.structs[used[-1]]["name"]
        if kind == "union":
            return "|".join(dict.fromkeys(self.type(u, used) for u in t["types"]))
        raise SystemExit(f"unknown type {t}")

    def property(self, name, p, used):
        words = [name, self.type(p["type"], used)]
        if p.get("required"):
            words.append("required")
        if p.get("causesReplacement") in ("yes", "maybe"):
            words.append("replace" if p["causesReplacement"] == "yes" else "maybe")
        return " " + " ".join(words)

    def resource(self, name, r):
        used, lines = [], [f"type {name}"]
        if r.get("primaryIdentifier"):
            lines.append(" id " + " ".join(r["primaryIdentifier"]))
        if r.get("isStateful"):
            lines.append(" stateful")
        tags = r.get("tagInformation")
        if tags:
            lines.append(f" tags {tags['tagPropertyName']} {tags['variant']}")
        for attribute in sorted(r.get("attributes", {})):
            lines.append(f" attr {attribute}")
        for p in sorted(r.get("properties", {})):
            lines.append(" prop" + self.property(p, r["properties"][p], used))
        seen = set()
        while used:
            id = used.pop(0)
            if id in seen:
                continue
            seen.add(id)
            struct = self.structs[id]
            lines.append(f"struct {struct['name']}")
            lines += [self.property(p, struct["properties"][p], used) for p in sorted(struct["properties"])]
        return lines

    def write(self, path):
        lines = ["# CloudFormation's resource types; written by tools/import/cloudformation.py from the npm package",
                 f"# @aws-cdk/aws-service-spec {self.version} (Apache License 2.0). Never edit it by hand."]
        for name in sorted(self.resources):
            if name.split("::")[1] in SERVICES and name.startswith("AWS::"):
                lines += self.resource(name, self.resources[name])
        path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    Importer(Path(sys.argv[1])).write(ROOT / "models" / "cloudformation.types")
