"""AWS Organizations: the tree, its accounts, invitations, policies and delegations; and that control policies bind members."""
import json
import random
import threading
import time
import unittest

from botocore.exceptions import ClientError

from virga import Virga, wait_until

NEEDS_BOTO3 = (1, 40)

MASTER = "000000000000"
SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions, resources="*", **more):
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def deny(actions, resources="*", **more):
    return {"Effect": "Deny", "Action": actions, "Resource": resources, **more}


class Case(unittest.TestCase):
    """An installation with an organization; every test works in accounts and units of its own."""

    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.org = cls.virga.client("organizations")
        cls.organization = cls.org.create_organization()["Organization"]
        cls.root = cls.org.list_roots()["Roots"][0]["Id"]
        if cls.wants_rcps:
            cls.org.enable_policy_type(RootId=cls.root, PolicyType=RCP)

    wants_rcps = False

    def name(self, prefix="x"):
        return f"{prefix}-{random.getrandbits(40):x}"

    def refused(self, code, call, reason=None, **kw):
        with self.assertRaises(ClientError) as caught:
            call(**kw)
        response = caught.exception.response
        self.assertEqual(response["Error"]["Code"], code, response)
        if reason:
            self.assertEqual(response.get("Reason"), reason, response)
        return response["Error"]["Message"]

    def advance(self, how):
        code, _, body = self.virga.get(f"/_virga/clock?advance={how}", "POST")
        self.assertEqual(code, 200, body)

    def account(self, parent=None, **kw):
        """The number of a new member account."""
        name = self.name("acct")
        status = self.org.create_account(AccountName=name, Email=f"{name}@example.com", **kw)["CreateAccountStatus"]
        self.assertEqual(status["State"], "IN_PROGRESS")
        ended = []

        def done():
            ended[:] = [self.org.describe_create_account_status(CreateAccountRequestId=status["Id"])["CreateAccountStatus"]]
            return ended[0]["State"] != "IN_PROGRESS"

        self.assertTrue(wait_until(done))
        self.assertEqual(ended[0]["State"], "SUCCEEDED", ended)
        number = ended[0]["AccountId"]
        if parent:
            self.org.move_account(AccountId=number, SourceParentId=self.root, DestinationParentId=parent)
        return number

    def unit(self, parent=None, **kw):
        return self.org.create_organizational_unit(ParentId=parent or self.root, Name=self.name("ou"), **kw)[
            "OrganizationalUnit"]["Id"]

    def policy(self, content, type=SCP, target=None, **kw):
        made = self.org.create_policy(Name=self.name("p"), Description="d", Type=type, Content=content, **kw)["Policy"]
        if target:
            self.org.attach_policy(PolicyId=made["PolicySummary"]["Id"], TargetId=target)
        return made["PolicySummary"]["Id"]

    def policy_arn(self, policy):
        return self.org.describe_policy(PolicyId=policy)["Policy"]["PolicySummary"]["Arn"]

    def as_root(self, account):
        return lambda service, **kw: self.virga.client(service, account, "x", **kw)

    def as_admin(self, account):
        """With the role that every created account has."""
        c = self.virga.client("sts").assume_role(RoleArn=f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole",
            RoleSessionName="me")["Credentials"]
        return lambda service, **kw: self.virga.client(service, c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"],
            **kw)


class Tree(Case):
    def test_the_organization(self):
        o = self.organization
        self.assertRegex(o["Id"], r"^o-[a-z0-9]{10}$")
        self.assertEqual(o["Arn"], f"arn:aws:organizations::{MASTER}:organization/{o['Id']}")
        self.assertEqual((o["FeatureSet"], o["MasterAccountId"]), ("ALL", MASTER))
        self.assertEqual(self.org.describe_organization()["Organization"]["Id"], o["Id"])
        root = self.org.list_roots()["Roots"][0]
        self.assertEqual((root["Name"], root["Arn"]), ("Root", f"arn:aws:organizations::{MASTER}:root/{o['Id']}/{self.root}"))
        self.assertEqual(root["PolicyTypes"], [{"Type": SCP, "Status": "ENABLED"}])
        self.refused("AlreadyInOrganizationException", self.org.create_organization)
        alone = self.as_root("300000000001")("organizations")
        self.refused("AWSOrganizationsNotInUseException", alone.describe_organization)

    def test_units(self):
        unit = self.unit(Tags=[{"Key": "k", "Value": "v"}])
        self.assertRegex(unit, rf"^ou-{self.root[2:]}-[a-z0-9]{{8}}$")
        shown = self.org.describe_organizational_unit(OrganizationalUnitId=unit)["OrganizationalUnit"]
        self.assertEqual(shown["Arn"], f"arn:aws:organizations::{MASTER}:ou/{self.organization['Id']}/{unit}")
        self.refused("DuplicateOrganizationalUnitException", self.org.create_organizational_unit, ParentId=self.root,
            Name=shown["Name"])
        renamed = self.name("ou")
        self.org.update_organizational_unit(OrganizationalUnitId=unit, Name=renamed)
        listed = {u["Id"]: u["Name"] for page in self.org.get_paginator("list_organizational_units_for_parent").paginate(
            ParentId=self.root, PaginationConfig={"PageSize": 1}) for u in page["OrganizationalUnits"]}
        self.assertEqual(listed[unit], renamed)
        inner = self.unit(unit)
        self.assertEqual(self.org.list_parents(ChildId=inner)["Parents"], [{"Id": unit, "Type": "ORGANIZATIONAL_UNIT"}])
        self.assertEqual(self.org.list_children(ParentId=unit, ChildType="ORGANIZATIONAL_UNIT")["Children"],
            [{"Id": inner, "Type": "ORGANIZATIONAL_UNIT"}])
        self.refused("OrganizationalUnitNotEmptyException", self.org.delete_organizational_unit, OrganizationalUnitId=unit)
        deep = inner
        for _ in range(3):
            deep = self.unit(deep)
        self.refused("ConstraintViolationException", self.unit, reason="OU_DEPTH_LIMIT_EXCEEDED", parent=deep)
        self.refused("ParentNotFoundException", self.unit, parent=f"ou-{self.root[2:]}-00000000")
        self.refused("OrganizationalUnitNotFoundException", self.org.describe_organizational_unit,
            OrganizationalUnitId=f"ou-{self.root[2:]}-00000000")
        self.refused("ChildNotFoundException", self.org.list_parents, ChildId="999999999999")
        gone = self.unit()
        self.org.delete_organizational_unit(OrganizationalUnitId=gone)
        self.refused("OrganizationalUnitNotFoundException", self.org.describe_organizational_unit, OrganizationalUnitId=gone)

    def test_accounts(self):
        number = self.account(Tags=[{"Key": "team", "Value": "red"}])
        shown = self.org.describe_account(AccountId=number)["Account"]
        self.assertEqual((shown["Status"], shown["JoinedMethod"]), ("ACTIVE", "CREATED"))
        self.assertEqual(shown["Arn"], f"arn:aws:organizations::{MASTER}:account/{self.organization['Id']}/{number}")
        self.assertEqual(self.org.list_tags_for_resource(ResourceId=number)["Tags"], [{"Key": "team", "Value": "red"}])
        everybody = {a["Id"] for page in self.org.get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 1})
            for a in page["Accounts"]}
        self.assertLessEqual({MASTER, number}, everybody)
        # Its number is its root's key; the access role lets the management account in.
        self.assertEqual(self.as_root(number)("sts").get_caller_identity()["Arn"], f"arn:aws:iam::{number}:root")
        admin = self.as_admin(number)
        self.assertEqual(admin("sts").get_caller_identity()["Account"], number)
        admin("iam").create_user(UserName="u")
        roles = {r["RoleName"] for r in self.as_root(number)("iam").list_roles()["Roles"]}
        self.assertEqual(roles, {"AWSServiceRoleForOrganizations", "OrganizationAccountAccessRole"})
        self.assertEqual(self.as_root(number)("iam").list_attached_role_policies(RoleName="OrganizationAccountAccessRole")[
            "AttachedPolicies"][0]["PolicyName"], "AdministratorAccess")
        # A member may ask what it is in, and no more.
        member = self.as_root(number)("organizations")
        self.assertEqual(member.describe_organization()["Organization"]["Id"], self.organization["Id"])
        self.refused("AccessDeniedException", member.list_accounts)
        # One address, one account.
        again = self.org.create_account(AccountName="a", Email=shown["Email"])["CreateAccountStatus"]["Id"]
        self.assertTrue(wait_until(lambda: self.org.describe_create_account_status(CreateAccountRequestId=again)[
            "CreateAccountStatus"]["State"] == "FAILED"))
        failed = self.org.list_create_account_status(States=["FAILED"])["CreateAccountStatuses"]
        self.assertIn(("EMAIL_ALREADY_EXISTS", again), [(f["FailureReason"], f["Id"]) for f in failed])
        self.refused("CreateAccountStatusNotFoundException", self.org.describe_create_account_status,
            CreateAccountRequestId="car-00000000000000000000000000000000")
        self.refused("AccountNotFoundException", self.org.describe_account, AccountId="999999999999")

    def test_moving(self):
        number, unit = self.account(), self.unit()
        self.org.move_account(AccountId=number, SourceParentId=self.root, DestinationParentId=unit)
        self.assertEqual(self.org.list_parents(ChildId=number)["Parents"][0]["Id"], unit)
        self.assertEqual([a["Id"] for a in self.org.list_accounts_for_parent(ParentId=unit)["Accounts"]], [number])
        self.refused("DuplicateAccountException", self.org.move_account, AccountId=number, SourceParentId=unit,
            DestinationParentId=unit)
        self.refused("SourceParentNotFoundException", self.org.move_account, AccountId=number, SourceParentId=self.root,
            DestinationParentId=unit)
        self.refused("DestinationParentNotFoundException", self.org.move_account, AccountId=number, SourceParentId=unit,
            DestinationParentId=f"ou-{self.root[2:]}-00000000")

    def test_tags(self):
        unit = self.unit()
        self.org.tag_resource(ResourceId=unit, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        self.org.tag_resource(ResourceId=self.root, Tags=[{"Key": "r", "Value": "1"}])
        self.org.untag_resource(ResourceId=unit, TagKeys=["a"])
        self.assertEqual(self.org.list_tags_for_resource(ResourceId=unit)["Tags"], [{"Key": "b", "Value": "2"}])
        self.refused("InvalidInputException", self.org.tag_resource, reason="INVALID_SYSTEM_TAGS_PARAMETER", ResourceId=unit,
            Tags=[{"Key": "aws:x", "Value": ""}])
        self.refused("InvalidInputException", self.org.tag_resource, reason="DUPLICATE_TAG_KEY", ResourceId=unit,
            Tags=[{"Key": "x", "Value": ""}, {"Key": "x", "Value": ""}])
        self.refused("ConstraintViolationException", self.org.tag_resource, reason="MAX_TAG_LIMIT_EXCEEDED", ResourceId=unit,
            Tags=[{"Key": f"k{i}", "Value": ""} for i in range(50)])
        self.refused("TargetNotFoundException", self.org.list_tags_for_resource, ResourceId="999999999999")

    def test_an_organization_ends_empty(self):
        alone = self.as_root("300000000002")("organizations")
        alone.create_organization(FeatureSet="CONSOLIDATED_BILLING")
        root = alone.list_roots()["Roots"][0]
        self.assertEqual(root["PolicyTypes"], [])
        self.refused("PolicyTypeNotAvailableForOrganizationException", alone.create_policy, Name="p", Description="",
            Type=SCP, Content=document(deny("*")))
        unit = alone.create_organizational_unit(ParentId=root["Id"], Name="u")["OrganizationalUnit"]["Id"]
        self.refused("OrganizationNotEmptyException", alone.delete_organization)
        alone.delete_organizational_unit(OrganizationalUnitId=unit)
        alone.delete_organization()
        self.refused("AWSOrganizationsNotInUseException", alone.describe_organization)
        alone.create_organization()
        alone.delete_organization()


class Handshakes(Case):
    def invite(self, number, **kw):
        return self.org.invite_account_to_organization(Target={"Id": number, "Type": "ACCOUNT"}, **kw)["Handshake"]

    def test_an_invitation_is_accepted(self):
        number = "400000000001"
        guest = self.as_root(number)("organizations")
        h = self.invite(number, Notes="come", Tags=[{"Key": "k", "Value": "v"}])
        self.assertEqual((h["State"], h["Action"]), ("OPEN", "INVITE"))
        self.assertIn({"Id": number, "Type": "ACCOUNT"}, h["Parties"])
        self.assertEqual((h["ExpirationTimestamp"] - h["RequestedTimestamp"]).days, 15)
        self.refused("DuplicateHandshakeException", self.invite, number=number)
        self.assertEqual([x["Id"] for x in guest.list_handshakes_for_account()["Handshakes"]], [h["Id"]])
        self.assertIn(h["Id"], [x["Id"] for x in self.org.list_handshakes_for_organization(
            Filter={"ActionType": "INVITE"})["Handshakes"]])
        self.refused("HandshakeNotFoundException", self.as_root("400000000009")("organizations").accept_handshake,
            HandshakeId=h["Id"])
        self.refused("AccessDeniedException", self.org.accept_handshake, HandshakeId=h["Id"])
        self.assertEqual(guest.accept_handshake(HandshakeId=h["Id"])["Handshake"]["State"], "ACCEPTED")
        self.refused("HandshakeAlreadyInStateException", guest.accept_handshake, HandshakeId=h["Id"])
        self.assertEqual(guest.describe_organization()["Organization"]["Id"], self.organization["Id"])
        account = self.org.describe_account(AccountId=number)["Account"]
        self.assertEqual(account["JoinedMethod"], "INVITED")
        self.assertEqual(self.org.list_tags_for_resource(ResourceId=number)["Tags"], [{"Key": "k", "Value": "v"}])
        self.refused("HandshakeConstraintViolationException", self.invite, reason="ALREADY_IN_AN_ORGANIZATION", number=number)
        # Who was invited may go at once.
        guest.leave_organization()
        self.refused("AWSOrganizationsNotInUseException", guest.describe_organization)
        self.refused("AccountNotFoundException", self.org.describe_account, AccountId=number)

    def test_declined_canceled_expired(self):
        number = "400000000002"
        guest = self.as_root(number)("organizations")
        h = self.invite(number)["Id"]
        self.assertEqual(guest.decline_handshake(HandshakeId=h)["Handshake"]["State"], "DECLINED")
        self.refused("InvalidHandshakeTransitionException", guest.accept_handshake, HandshakeId=h)
        h = self.invite(number)["Id"]
        self.assertEqual(self.org.cancel_handshake(HandshakeId=h)["Handshake"]["State"], "CANCELED")
        h = self.invite(number)["Id"]
        self.advance("15d")
        self.assertEqual(self.org.describe_handshake(HandshakeId=h)["Handshake"]["State"], "EXPIRED")
        self.refused("InvalidHandshakeTransitionException", guest.accept_handshake, HandshakeId=h)
        self.refused("InvalidInputException", self.org.invite_account_to_organization,
            reason="INVALID_PATTERN_TARGET_ID", Target={"Id": "abc", "Type": "ACCOUNT"})

    def test_by_address(self):
        # An account that was in an organization keeps its address.
        number = "400000000003"
        guest = self.as_root(number)("organizations")
        email = guest.create_organization()["Organization"]["MasterAccountEmail"]
        guest.delete_organization()
        h = self.org.invite_account_to_organization(Target={"Id": email, "Type": "EMAIL"})["Handshake"]["Id"]
        guest.accept_handshake(HandshakeId=h)
        self.org.remove_account_from_organization(AccountId=number)
        self.refused("AWSOrganizationsNotInUseException", guest.describe_organization)

    def test_all_features_need_approval(self):
        master, member = (self.as_root(n)("organizations") for n in ("400000000004", "400000000005"))
        master.create_organization(FeatureSet="CONSOLIDATED_BILLING")
        h = master.invite_account_to_organization(Target={"Id": "400000000005", "Type": "ACCOUNT"})["Handshake"]["Id"]
        member.accept_handshake(HandshakeId=h)
        parent = master.enable_all_features()["Handshake"]
        self.assertEqual((parent["Action"], parent["State"]), ("ENABLE_ALL_FEATURES", "REQUESTED"))
        self.refused("HandshakeConstraintViolationException", master.enable_all_features,
            reason="ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION")
        self.refused("InvalidHandshakeTransitionException", master.accept_handshake, HandshakeId=parent["Id"])
        asked = member.list_handshakes_for_account(Filter={"ActionType": "APPROVE_ALL_FEATURES"})["Handshakes"][0]["Id"]
        member.accept_handshake(HandshakeId=asked)
        self.assertEqual(master.describe_handshake(HandshakeId=parent["Id"])["Handshake"]["State"], "OPEN")
        master.accept_handshake(HandshakeId=parent["Id"])
        self.assertEqual(master.describe_organization()["Organization"]["FeatureSet"], "ALL")
        self.refused("HandshakeConstraintViolationException", master.enable_all_features,
            reason="ORGANIZATION_ALREADY_HAS_ALL_FEATURES")


class Policies(Case):
    def test_records(self):
        p = self.org.create_policy(Name=self.name("p"), Description="d", Type=SCP, Content=document(deny("ec2:*")),
            Tags=[{"Key": "k", "Value": "v"}])["Policy"]
        summary = p["PolicySummary"]
        self.assertRegex(summary["Id"], r"^p-[a-z0-9]{8}$")
        self.assertEqual(summary["Arn"], f"arn:aws:organizations::{MASTER}:policy/{self.organization['Id']}/"
            f"service_control_policy/{summary['Id']}")
        self.refused("DuplicatePolicyException", self.org.create_policy, Name=summary["Name"], Description="", Type=SCP,
            Content=document(deny("*")))
        self.org.update_policy(PolicyId=summary["Id"], Description="other", Content=document(deny("rds:*")))
        shown = self.org.describe_policy(PolicyId=summary["Id"])["Policy"]
        self.assertEqual((shown["PolicySummary"]["Description"], shown["Content"]), ("other", document(deny("rds:*"))))
        names = {x["Name"] for x in self.org.list_policies(Filter=SCP)["Policies"]}
        self.assertLessEqual({"FullAWSAccess", summary["Name"]}, names)
        self.refused("InvalidInputException", self.org.update_policy, reason="IMMUTABLE_POLICY", PolicyId="p-FullAWSAccess",
            Name="x")
        unit = self.unit()
        self.org.attach_policy(PolicyId=summary["Id"], TargetId=unit)
        self.refused("PolicyInUseException", self.org.delete_policy, PolicyId=summary["Id"])
        self.refused("DuplicatePolicyAttachmentException", self.org.attach_policy, PolicyId=summary["Id"], TargetId=unit)
        self.assertEqual({x["Id"] for x in self.org.list_policies_for_target(TargetId=unit, Filter=SCP)["Policies"]},
            {"p-FullAWSAccess", summary["Id"]})
        self.assertEqual([(t["TargetId"], t["Type"]) for t in self.org.list_targets_for_policy(PolicyId=summary["Id"])[
            "Targets"]], [(unit, "ORGANIZATIONAL_UNIT")])
        self.org.detach_policy(PolicyId=summary["Id"], TargetId=unit)
        self.refused("PolicyNotAttachedException", self.org.detach_policy, PolicyId=summary["Id"], TargetId=unit)
        self.refused("ConstraintViolationException", self.org.detach_policy,
            reason="MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", PolicyId="p-FullAWSAccess", TargetId=unit)
        self.org.delete_policy(PolicyId=summary["Id"])
        self.refused("PolicyNotFoundException", self.org.describe_policy, PolicyId=summary["Id"])
        self.refused("TargetNotFoundException", self.org.attach_policy, PolicyId="p-FullAWSAccess", TargetId="999999999999")

    def test_bad_content(self):
        for type, content in [(SCP, "{"), (SCP, document({"Effect": "Allow", "Action": "*"})),
                (SCP, document(deny("*", Principal="*"))), (RCP, document(deny("*"))), ("TAG_POLICY", '{"tags":{"a":"b"}}'),
                ("TAG_POLICY", '{"plans":{}}'), ("TAG_POLICY", '{"tags":{"a":{"@@assign":"x","b":{}}}}')]:
            with self.subTest(type=type, content=content):
                self.refused("MalformedPolicyDocumentException", self.org.create_policy, Name=self.name(), Description="",
                    Type=type, Content=content)
        self.refused("ConstraintViolationException", self.org.create_policy, reason="POLICY_CONTENT_LIMIT_EXCEEDED",
            Name=self.name(), Description="", Type=SCP, Content=document(deny(["s3:" + "a" * 50 + "*"] * 100)))

    def test_types_are_enabled_and_attachments_limited(self):
        unit = self.unit()
        tag_policy = self.policy('{"tags":{"k":{"tag_key":{"@@assign":"K"}}}}', type="TAG_POLICY")
        self.refused("PolicyTypeNotEnabledException", self.org.attach_policy, PolicyId=tag_policy, TargetId=unit)
        self.org.enable_policy_type(RootId=self.root, PolicyType="TAG_POLICY")
        self.refused("PolicyTypeAlreadyEnabledException", self.org.enable_policy_type, RootId=self.root,
            PolicyType="TAG_POLICY")
        self.org.attach_policy(PolicyId=tag_policy, TargetId=unit)
        self.org.disable_policy_type(RootId=self.root, PolicyType="TAG_POLICY")
        self.assertEqual(self.org.list_targets_for_policy(PolicyId=tag_policy)["Targets"], [])
        self.refused("PolicyTypeNotEnabledException", self.org.disable_policy_type, RootId=self.root, PolicyType="TAG_POLICY")
        for _ in range(4):
            self.policy(document(deny("ec2:*")), target=unit)
        self.refused("ConstraintViolationException", self.policy, reason="MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
            content=document(deny("ec2:*")), target=unit)

    def test_effective_policies(self):
        self.org.enable_policy_type(RootId=self.root, PolicyType="BACKUP_POLICY")
        self.addCleanup(self.org.disable_policy_type, RootId=self.root, PolicyType="BACKUP_POLICY")
        unit = self.unit()
        number = self.account(unit)
        member = self.as_root(number)("organizations")
        self.refused("EffectivePolicyNotFoundException", member.describe_effective_policy, PolicyType="BACKUP_POLICY")
        top = {"plans": {"p": {"regions": {"@@assign": ["us-east-1", "eu-west-1"]},
            "vault": {"@@assign": "main", "@@operators_allowed_for_child_policies": ["@@none"]},
            "kept": {"@@assign": "1", "@@operators_allowed_for_child_policies": ["@@append"]}}}}
        below = {"plans": {"p": {"regions": {"@@append": ["eu-central-1"], "@@remove": ["eu-west-1"]},
            "vault": {"@@assign": "mine"}, "kept": {"@@append": ["2"], "@@remove": ["1"]}, "new": {"@@assign": "x"}}}}
        self.policy(json.dumps(top), type="BACKUP_POLICY", target=self.root)
        self.policy(json.dumps(below), type="BACKUP_POLICY", target=unit)
        effective = member.describe_effective_policy(PolicyType="BACKUP_POLICY")["EffectivePolicy"]
        self.assertEqual(effective["TargetId"], number)
        plan = json.loads(effective["PolicyContent"])["plans"]["p"]
        self.assertEqual(plan, {"regions": ["us-east-1", "eu-central-1"], "vault": "main", "kept": ["1", "2"], "new": "x"})
        self.assertEqual(self.org.describe_effective_policy(PolicyType="BACKUP_POLICY", TargetId=number)["EffectivePolicy"][
            "PolicyContent"], effective["PolicyContent"])


class Delegation(Case):
    def test_services_and_their_administrators(self):
        number, service = self.account(), "config.amazonaws.com"
        member = self.as_root(number)("organizations")
        register = dict(AccountId=number, ServicePrincipal=service)
        self.refused("ConstraintViolationException", self.org.register_delegated_administrator,
            reason="SERVICE_ACCESS_NOT_ENABLED", **register)
        self.refused("InvalidInputException", self.org.enable_aws_service_access, reason="UNRECOGNIZED_SERVICE_PRINCIPAL",
            ServicePrincipal="nobody")
        self.org.enable_aws_service_access(ServicePrincipal=service)
        self.assertIn(service, [s["ServicePrincipal"] for s in self.org.list_aws_service_access_for_organization()[
            "EnabledServicePrincipals"]])
        self.refused("ConstraintViolationException", self.org.register_delegated_administrator,
            reason="CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR", AccountId=MASTER, ServicePrincipal=service)
        self.refused("AccountNotRegisteredException", self.org.list_delegated_services_for_account, AccountId=number)
        self.org.register_delegated_administrator(**register)
        self.refused("AccountAlreadyRegisteredException", self.org.register_delegated_administrator, **register)
        self.assertEqual([a["Id"] for a in self.org.list_delegated_administrators(ServicePrincipal=service)[
            "DelegatedAdministrators"]], [number])
        self.assertEqual([s["ServicePrincipal"] for s in self.org.list_delegated_services_for_account(AccountId=number)[
            "DelegatedServices"]], [service])
        # It may read, and not change.
        self.assertIn(number, [a["Id"] for a in member.list_accounts()["Accounts"]])
        self.refused("AccessDeniedException", member.create_organizational_unit, ParentId=self.root, Name="u")
        self.refused("ConstraintViolationException", member.leave_organization,
            reason="CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG")
        self.org.deregister_delegated_administrator(**register)
        self.refused("AccountNotRegisteredException", self.org.deregister_delegated_administrator, **register)
        self.refused("AccessDeniedException", member.list_accounts)
        self.org.register_delegated_administrator(**register)
        self.org.disable_aws_service_access(ServicePrincipal=service)
        self.assertEqual(self.org.list_delegated_administrators(ServicePrincipal=service)["DelegatedAdministrators"], [])

    def test_the_resource_policy_lends_operations(self):
        number, unit = self.account(), self.unit()
        member = self.as_root(number)("organizations")
        self.refused("ResourcePolicyNotFoundException", self.org.describe_resource_policy)
        self.refused("InvalidInputException", self.org.put_resource_policy, reason="INVALID_RESOURCE_POLICY_JSON", Content="{}")
        content = document({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{number}:root"},
            "Action": ["organizations:CreatePolicy", "organizations:DescribePolicy", "organizations:AttachPolicy"],
            "Resource": ["arn:aws:organizations::*:policy/*/service_control_policy/*",
                f"arn:aws:organizations::{MASTER}:ou/{self.organization['Id']}/{unit}"]})
        made = self.org.put_resource_policy(Content=content)["ResourcePolicy"]
        self.assertEqual(self.org.describe_resource_policy()["ResourcePolicy"], made)
        policy = member.create_policy(Name=self.name(), Description="", Type=SCP, Content=document(deny("ec2:*")))["Policy"][
            "PolicySummary"]["Id"]
        member.describe_policy(PolicyId=policy)
        member.attach_policy(PolicyId=policy, TargetId=unit)
        self.refused("AccessDeniedException", member.attach_policy, PolicyId=policy, TargetId=self.root)
        self.refused("AccessDeniedException", member.detach_policy, PolicyId=policy, TargetId=unit)
        self.org.delete_resource_policy()
        self.refused("AccessDeniedException", member.describe_policy, PolicyId=policy)


class Bound(Case):
    """What control policies do to the calls of members."""

    wants_rcps = True

    def test_a_root_is_bound_by_a_deny(self):
        number = self.account()
        root = self.as_root(number)
        root("sqs").create_queue(QueueName="before")
        policy = self.policy(document(deny("sqs:*")), target=number)
        message = self.refused("AccessDeniedException", root("sqs").create_queue, QueueName="q")
        self.assertEqual(message, f"User: arn:aws:iam::{number}:root is not authorized to perform: sqs:CreateQueue on resource: "
            f"arn:aws:sqs:us-east-1:{number}:q with an explicit deny in a service control policy: {self.policy_arn(policy)}")
        # Users and roles with every permission too; others' accounts and the management account not.
        self.refused("AccessDeniedException", self.as_admin(number)("sqs").list_queues)
        self.as_admin(self.account())("sqs").list_queues()
        self.org.attach_policy(PolicyId=policy, TargetId=MASTER)
        self.virga.client("sqs").list_queues()
        # At once again.
        self.org.detach_policy(PolicyId=policy, TargetId=number)
        root("sqs").create_queue(QueueName="q")

    def test_every_protocol(self):
        number = self.account()
        root = self.as_root(number)
        root("s3").create_bucket(Bucket=f"b-{number}")
        policy = self.policy(document(deny("*")), target=number)
        for code, call in [("AccessDenied", lambda: root("s3").put_object(Bucket=f"b-{number}", Key="k", Body=b"x")),
                ("AccessDenied", lambda: root("iam").create_user(UserName="u")),
                ("AccessDeniedException", lambda: root("dynamodb").list_tables()),
                ("AccessDeniedException", lambda: root("kms").list_keys()),
                ("AccessDeniedException", lambda: root("ssm").describe_parameters()),
                ("AccessDeniedException", lambda: root("organizations").describe_organization())]:
            self.assertIn(f"with an explicit deny in a service control policy: {self.policy_arn(policy)}",
                self.refused(code, call))

    def test_every_level_has_to_allow(self):
        outer = self.unit()
        inner = self.unit(outer)
        number = self.account(inner)
        root = self.as_root(number)
        only_sqs = self.policy(document(allow("sqs:*")), target=outer)
        root("ssm").describe_parameters()
        self.org.detach_policy(PolicyId="p-FullAWSAccess", TargetId=outer)
        root("sqs").list_queues()
        message = self.refused("AccessDeniedException", root("ssm").describe_parameters)
        self.assertEqual(message, f"User: arn:aws:iam::{number}:root is not authorized to perform: ssm:DescribeParameters on "
            f"resource: * because no service control policy allows the ssm:DescribeParameters action")
        # An account that moves is bound by where it is.
        self.org.move_account(AccountId=number, SourceParentId=inner, DestinationParentId=self.root)
        root("ssm").describe_parameters()
        self.org.move_account(AccountId=number, SourceParentId=self.root, DestinationParentId=outer)
        self.refused("AccessDeniedException", root("ssm").describe_parameters)
        self.org.update_policy(PolicyId=only_sqs, Content=document(allow(["sqs:*", "ssm:*"])))
        root("ssm").describe_parameters()

    def test_conditions_know_the_organization(self):
        unit = self.unit()
        number = self.account(unit)
        outsider = self.as_root("500000000001")
        s3 = self.virga.client("s3")
        path = f"{self.organization['Id']}/{self.root}/{unit}/"
        for name, condition, member_may in [
                ("id", {"StringEquals": {"aws:PrincipalOrgID": self.organization["Id"]}}, True),
                ("path", {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": path + "*"}}, True),
                ("elsewhere", {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": path + "ou-*"}}, False),
                ("resource", {"StringEquals": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}}, True)]:
            with self.subTest(name=name):
                bucket = f"b-{name}-{number}"
                s3.create_bucket(Bucket=bucket)
                s3.put_object(Bucket=bucket, Key="k", Body=b"x")
                s3.delete_public_access_block(Bucket=bucket)
                s3.put_bucket_policy(Bucket=bucket, Policy=document({"Effect": "Allow", "Principal": {"AWS": "*"},
                    "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*", "Condition": condition}))
                if member_may:
                    self.as_root(number)("s3").get_object(Bucket=bucket, Key="k")
                else:
                    self.refused("AccessDenied", self.as_root(number)("s3").get_object, Bucket=bucket, Key="k")
                self.refused("AccessDenied", outsider("s3").get_object, Bucket=bucket, Key="k")

    def test_resource_control_policies(self):
        number, neighbour = self.account(), self.account()
        owner, bucket = self.as_root(number), f"b-{number}"
        owner("s3").create_bucket(Bucket=bucket)
        owner("s3").put_object(Bucket=bucket, Key="k", Body=b"x")
        owner("s3").delete_public_access_block(Bucket=bucket)
        owner("s3").put_bucket_policy(Bucket=bucket, Policy=document({"Effect": "Allow", "Principal": {"AWS": "*"},
            "Action": "s3:*", "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}))
        outsider = self.as_root("500000000002")
        outsider("s3").get_object(Bucket=bucket, Key="k")
        policy = self.policy(document({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": self.organization["Id"]}}}), type=RCP, target=number)
        self.refused("AccessDenied", outsider("s3").get_object, Bucket=bucket, Key="k")
        self.as_root(neighbour)("s3").get_object(Bucket=bucket, Key="k")
        owner("s3").get_object(Bucket=bucket, Key="k")
        # Of one's own account too, with the reason told.
        self.org.update_policy(PolicyId=policy, Content=document({"Effect": "Deny", "Principal": "*",
            "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/k"}))
        message = self.refused("AccessDenied", owner("s3").get_object, Bucket=bucket, Key="k")
        self.assertIn(f"with an explicit deny in a resource control policy: {self.policy_arn(policy)}", message)
        # Not a service that has no such policies.
        self.org.update_policy(PolicyId=policy, Content=document({"Effect": "Deny", "Principal": "*", "Action": "*",
            "Resource": "*"}))
        owner("ssm").describe_parameters()
        self.refused("AccessDeniedException", owner("sqs").list_queues)
        self.refused("InvalidInputException", self.org.detach_policy, reason="NON_DETACHABLE_POLICY",
            PolicyId="p-RCPFullAWSAccess", TargetId=number)

    def test_switching_the_type_off_frees(self):
        alone = self.as_root("500000000003")("organizations")
        alone.create_organization()
        root = alone.list_roots()["Roots"][0]["Id"]
        made = alone.create_policy(Name="p", Description="", Type=SCP, Content=document(deny("*")))["Policy"]["PolicySummary"]
        h = alone.invite_account_to_organization(Target={"Id": "500000000004", "Type": "ACCOUNT"})["Handshake"]["Id"]
        member = self.as_root("500000000004")
        member("organizations").accept_handshake(HandshakeId=h)
        alone.attach_policy(PolicyId=made["Id"], TargetId=root)
        self.refused("AccessDeniedException", member("sqs").list_queues)
        alone.disable_policy_type(RootId=root, PolicyType=SCP)
        member("sqs").list_queues()
        alone.enable_policy_type(RootId=root, PolicyType=SCP)
        member("sqs").list_queues()

    def test_it_survives_a_crash(self):
        number = self.account()
        root = self.as_root(number)
        self.policy(document(deny("sqs:*")), target=number)
        self.virga.restart()
        self.refused("AccessDeniedException", root("sqs").list_queues)


class RootAccess(Case):
    def test_a_members_root_for_one_task(self):
        iam, sts, number = self.virga.client("iam"), self.virga.client("sts"), self.account()
        task = "arn:aws:iam::aws:policy/root-task/"
        ask = dict(TargetPrincipal=number, TaskPolicyArn={"arn": task + "SQSUnlockQueuePolicy"})
        self.refused("ServiceAccessNotEnabledException", iam.list_organizations_features)
        self.org.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
        self.assertEqual(iam.list_organizations_features()["EnabledFeatures"], [])
        self.refused("AccessDenied", sts.assume_root, **ask)
        self.assertEqual(iam.enable_organizations_root_credentials_management()["EnabledFeatures"],
            ["RootCredentialsManagement"])
        self.refused("AccessDenied", sts.assume_root, **ask)
        self.assertEqual(sorted(iam.enable_organizations_root_sessions()["EnabledFeatures"]),
            ["RootCredentialsManagement", "RootSessions"])
        # A queue whose policy locks everybody out is opened again by its account's root.
        queue = self.as_root(number)("sqs").create_queue(QueueName="locked")["QueueUrl"]
        c = sts.assume_root(**ask)["Credentials"]
        root = lambda service: self.virga.client(service, c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])
        self.assertEqual(root("sts").get_caller_identity()["Arn"], f"arn:aws:iam::{number}:root")
        root("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "5"})
        self.refused("AccessDeniedException", root("sqs").delete_queue, QueueUrl=queue)
        self.refused("AccessDeniedException", root("ssm").describe_parameters)
        self.refused("ValidationError", sts.assume_root, TargetPrincipal=number,
            TaskPolicyArn={"arn": "arn:aws:iam::aws:policy/AdministratorAccess"})
        for who in (MASTER, "999999999999"):
            self.refused("AccessDenied", sts.assume_root, TargetPrincipal=who, TaskPolicyArn=ask["TaskPolicyArn"])
        member = self.as_root(number)
        self.refused("AccountNotManagementOrDelegatedAdministratorException", member("iam").list_organizations_features)
        self.refused("AccessDenied", member("sts").assume_root, **ask)
        self.advance("15m")
        self.refused("ExpiredTokenException", root("sqs").list_queues)
        iam.disable_organizations_root_sessions()
        self.assertEqual(iam.disable_organizations_root_credentials_management()["EnabledFeatures"], [])
        self.refused("AccessDenied", sts.assume_root, **ask)


class Killed(Case):
    def test_no_half_of_a_change_survives(self):
        """Attaching and detaching while virga is killed: both ways of looking at it agree, and enforcement with them."""
        number = self.account()
        policy = self.policy(document(deny("sqs:*")))
        stop, root = threading.Event(), self.as_root(number)

        def change():
            while not stop.is_set():
                for call in (self.org.attach_policy, self.org.detach_policy):
                    try:
                        call(PolicyId=policy, TargetId=number)
                    except Exception:  # it is being killed
                        pass

        for _ in range(4):
            stop.clear()
            thread = threading.Thread(target=change)
            thread.start()
            time.sleep(random.uniform(0.05, 0.3))
            self.virga.kill()
            stop.set()
            thread.join()
            self.virga.start(self.virga.port)
            attached = policy in [p["Id"] for p in self.org.list_policies_for_target(TargetId=number, Filter=SCP)["Policies"]]
            targets = [t["TargetId"] for t in self.org.list_targets_for_policy(PolicyId=policy)["Targets"]]
            self.assertEqual(targets, [number] if attached else [])
            if attached:
                self.refused("AccessDeniedException", root("sqs").list_queues)
            else:
                root("sqs").list_queues()


class Closing(Case):
    def test_closing_and_waiting(self):
        number = self.account()
        self.refused("ConstraintViolationException", self.org.remove_account_from_organization, reason="WAIT_PERIOD_ACTIVE",
            AccountId=number)
        self.refused("MasterCannotLeaveOrganizationException", self.org.leave_organization)
        self.advance("7d")
        self.org.remove_account_from_organization(AccountId=number)
        closed = self.account()
        self.as_root(closed)("sqs").list_queues()
        self.org.close_account(AccountId=closed)
        self.assertTrue(wait_until(lambda: self.org.describe_account(AccountId=closed)["Account"]["Status"] == "SUSPENDED"))
        self.refused("AccountAlreadyClosedException", self.org.close_account, AccountId=closed)
        self.refused("UnrecognizedClientException", self.as_root(closed)("sqs").list_queues)
        self.refused("ConstraintViolationException", self.org.close_account, reason="CANNOT_CLOSE_MANAGEMENT_ACCOUNT",
            AccountId=MASTER)
        self.advance("90d")
        self.refused("AccountNotFoundException", self.org.describe_account, AccountId=closed)


if __name__ == "__main__":
    unittest.main()
