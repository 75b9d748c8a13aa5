"""Cloud Control: resources one by one, over the handlers of CloudFormation's stacks."""
import json
import time
import unittest

from botocore.exceptions import ClientError
from virga import Virga


class CloudControl(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga("--durability", "relaxed", "--simulated").start()
        cls.addClassCleanup(cls.virga.close)
        for name in ("cloudcontrol", "sqs", "iam", "ec2", "s3", "logs", "acm"):
            setattr(cls, name, cls.virga.client(name))
        cls.cc = cls.cloudcontrol

    def refused(self, code, call, *args, **kw):
        with self.assertRaises(ClientError) as raised:
            call(*args, **kw)
        self.assertEqual(raised.exception.response["Error"]["Code"], code, raised.exception)
        return str(raised.exception)

    def settle(self, event, status="SUCCESS", limit=120):
        end = time.monotonic() + limit
        token = event["ProgressEvent"]["RequestToken"]
        while True:
            e = self.cc.get_resource_request_status(RequestToken=token)["ProgressEvent"]
            if e["OperationStatus"] not in ("IN_PROGRESS", "PENDING"):
                self.assertEqual(e["OperationStatus"], status, e)
                return e
            self.assertLess(time.monotonic(), end, e)
            time.sleep(0.02)

    def create(self, type_, desired, status="SUCCESS", **kw):
        return self.settle(self.cc.create_resource(TypeName=type_, DesiredState=json.dumps(desired), **kw), status)

    def update(self, type_, id, *patch, status="SUCCESS"):
        return self.settle(self.cc.update_resource(TypeName=type_, Identifier=id, PatchDocument=json.dumps(patch)), status)

    def delete(self, type_, id, status="SUCCESS"):
        return self.settle(self.cc.delete_resource(TypeName=type_, Identifier=id), status)

    def get(self, type_, id):
        r = self.cc.get_resource(TypeName=type_, Identifier=id)["ResourceDescription"]
        self.assertEqual(r["Identifier"], id)
        return json.loads(r["Properties"])

    def listed(self, type_, **kw):
        pages, found = dict(kw), []
        while True:
            r = self.cc.list_resources(TypeName=type_, **pages)
            found += [d["Identifier"] for d in r["ResourceDescriptions"]]
            if "NextToken" not in r:
                return found
            pages["NextToken"] = r["NextToken"]

    def test_the_life_of_a_queue(self):
        e = self.create("AWS::SQS::Queue", {"QueueName": "cc", "DelaySeconds": 3, "Tags": [{"Key": "a", "Value": "b"}]})
        url = e["Identifier"]
        self.assertEqual((e["TypeName"], e["Operation"], url.split(":")[0], url.rsplit("/", 1)[1]), ("AWS::SQS::Queue", "CREATE", "http", "cc"))
        self.assertEqual(self.sqs.list_queue_tags(QueueUrl=url)["Tags"]["a"], "b")
        found = self.get("AWS::SQS::Queue", url)
        self.assertEqual((found["QueueName"], int(found["DelaySeconds"]), found["Arn"].rsplit(":", 1)[1]), ("cc", 3, "cc"))
        self.update("AWS::SQS::Queue", url, {"op": "test", "path": "/DelaySeconds", "value": 3}, {"op": "replace", "path": "/DelaySeconds", "value": 9},
                    {"op": "add", "path": "/Tags/-", "value": {"Key": "c", "Value": "d"}}, {"op": "remove", "path": "/Tags/0"})
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]
        tags = {k: v for k, v in self.sqs.list_queue_tags(QueueUrl=url)["Tags"].items() if not k.startswith("aws:")}
        self.assertEqual((attributes["DelaySeconds"], tags), ("9", {"c": "d"}))
        self.assertIn(url, self.listed("AWS::SQS::Queue"))
        self.assertIn("createOnlyProperties [/properties/QueueName]", self.refused(
            "NotUpdatableException", self.cc.update_resource, TypeName="AWS::SQS::Queue", Identifier=url,
            PatchDocument=json.dumps([{"op": "replace", "path": "/QueueName", "value": "other"}])))
        for patch, why in (([{"op": "test", "path": "/DelaySeconds", "value": 1}], "test failed"), ([{"op": "remove", "path": "/None/0"}], "no such path"),
                           ([{"op": "move", "path": "/Tags/0/x", "from": "/Tags/0"}], "into itself"), ({"op": "remove"}, "list of operations"),
                           ([{"op": "replace", "path": "/DelaySeconds", "value": "soon"}], "Model validation failed")):
            self.assertIn(why, self.refused("InvalidRequestException", self.cc.update_resource, TypeName="AWS::SQS::Queue", Identifier=url,
                                            PatchDocument=json.dumps(patch)))
        self.delete("AWS::SQS::Queue", url)
        self.refused("ResourceNotFoundException", self.cc.get_resource, TypeName="AWS::SQS::Queue", Identifier=url)
        self.assertNotIn(url, self.listed("AWS::SQS::Queue"))
        self.assertEqual(self.delete("AWS::SQS::Queue", url, "FAILED")["ErrorCode"], "NotFound")
        operations = [r["Operation"] for r in self.cc.list_resource_requests(ResourceRequestStatusFilter={"OperationStatuses": ["SUCCESS"]})["ResourceRequestStatusSummaries"]
                      if r.get("Identifier") == url]
        self.assertEqual(sorted(operations), ["CREATE", "DELETE", "UPDATE"])

    def test_what_others_made(self):
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        self.iam.create_role(RoleName="others", AssumeRolePolicyDocument=json.dumps(trust), Description="before")
        found = self.get("AWS::IAM::Role", "others")
        self.assertEqual((found["RoleName"], found["Description"], found["Arn"]), ("others", "before", "arn:aws:iam::000000000000:role/others"))
        self.update("AWS::IAM::Role", "others", {"op": "replace", "path": "/Description", "value": "after"}, {"op": "add", "path": "/Policies", "value": [
            {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}}]})
        self.assertEqual(self.iam.get_role(RoleName="others")["Role"]["Description"], "after")
        self.assertEqual(self.iam.list_role_policies(RoleName="others")["PolicyNames"], ["p"])
        self.assertIn("others", self.listed("AWS::IAM::Role", MaxResults=2))
        self.delete("AWS::IAM::Role", "others")
        self.refused("NoSuchEntity", self.iam.get_role, RoleName="others")
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.assertEqual(self.get("AWS::EC2::VPC", vpc)["CidrBlock"], "172.31.0.0/16")
        self.assertIn(vpc, self.listed("AWS::EC2::VPC"))
        self.s3.create_bucket(Bucket="cc-bucket")
        self.assertIn("cc-bucket", self.listed("AWS::S3::Bucket"))
        self.delete("AWS::S3::Bucket", "cc-bucket")

    def test_identifiers_of_several_parts(self):
        self.create("AWS::Logs::LogGroup", {"LogGroupName": "/cc"})
        self.assertEqual(self.create("AWS::Logs::LogStream", {"LogGroupName": "/cc", "LogStreamName": "s"})["Identifier"], "/cc|s")
        self.assertEqual([s["logStreamName"] for s in self.logs.describe_log_streams(logGroupName="/cc")["logStreams"]], ["s"])
        self.delete("AWS::Logs::LogStream", "/cc|s")
        self.assertEqual(self.logs.describe_log_streams(logGroupName="/cc")["logStreams"], [])
        self.logs.create_log_stream(logGroupName="/cc", logStreamName="t")
        self.delete("AWS::Logs::LogStream", "/cc|t")
        self.assertEqual(self.logs.describe_log_streams(logGroupName="/cc")["logStreams"], [])
        self.delete("AWS::Logs::LogGroup", "/cc")

    def test_bad_requests(self):
        create = self.cc.create_resource
        self.refused("TypeNotFoundException", create, TypeName="AWS::None::Such", DesiredState="{}")
        self.refused("UnsupportedActionException", create, TypeName="AWS::Lambda::Function", DesiredState="{}")
        self.refused("UnsupportedActionException", self.cc.list_resources, TypeName="AWS::IAM::RolePolicy")
        self.refused("InvalidRequestException", create, TypeName="AWS::SQS::Queue", DesiredState="[]")
        self.refused("RequestTokenNotFoundException", self.cc.get_resource_request_status, RequestToken="none")
        e = self.create("AWS::SQS::Queue", {"Nonsense": 1}, "FAILED")
        self.assertEqual((e["ErrorCode"], e["StatusMessage"]), ("InvalidRequest", "Model validation failed (#: extraneous key [Nonsense] is not permitted)"))
        self.create("AWS::Logs::LogGroup", {"LogGroupName": "/twice"})
        self.assertEqual(self.create("AWS::Logs::LogGroup", {"LogGroupName": "/twice"}, "FAILED")["ErrorCode"], "AlreadyExists")
        given = {"TypeName": "AWS::SQS::Queue", "DesiredState": json.dumps({"QueueName": "token"}), "ClientToken": "mine"}
        first = create(**given)["ProgressEvent"]["RequestToken"]
        self.assertEqual(create(**given)["ProgressEvent"]["RequestToken"], first)
        self.refused("ClientTokenConflictException", create, **{**given, "DesiredState": "{}"})
        self.settle({"ProgressEvent": {"RequestToken": first}})
        self.refused("ConcurrentModificationException", self.cc.cancel_resource_request, RequestToken=first)

    def test_cancelling_and_a_crash(self):
        # A certificate that nobody validates does not settle.
        begun = self.cc.create_resource(TypeName="AWS::CertificateManager::Certificate", DesiredState=json.dumps({"DomainName": "cc.example.com", "ValidationMethod": "EMAIL"}))
        token = begun["ProgressEvent"]["RequestToken"]
        end = time.monotonic() + 60
        while not self.acm.list_certificates()["CertificateSummaryList"]:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        self.virga.restart()
        self.assertEqual(self.cc.get_resource_request_status(RequestToken=token)["ProgressEvent"]["OperationStatus"], "IN_PROGRESS")
        self.assertEqual(self.cc.cancel_resource_request(RequestToken=token)["ProgressEvent"]["OperationStatus"], "CANCEL_IN_PROGRESS")
        self.settle(begun, "CANCEL_COMPLETE")
        self.assertEqual(self.acm.list_certificates()["CertificateSummaryList"], [])


if __name__ == "__main__":
    unittest.main()
