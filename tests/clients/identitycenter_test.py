"""IAM Identity Center: directory, permission sets, assignments; signing in by device and by browser; role credentials."""
import base64
import hashlib
import json
import os
import random
import subprocess
import sys
import unittest
import urllib.error
import urllib.parse
import urllib.request

from botocore.exceptions import ClientError

from virga import BINARY, Virga, wait_until

NEEDS_BOTO3 = (1, 40)

MASTER = "000000000000"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.org = cls.virga.client("organizations")
        cls.org.create_organization()
        cls.sso = cls.virga.client("sso-admin")
        cls.instance = cls.sso.create_instance(Name="main")["InstanceArn"]
        cls.store = cls.sso.describe_instance(InstanceArn=cls.instance)["IdentityStoreId"]
        cls.ids = cls.virga.client("identitystore")
        status = cls.org.create_account(AccountName="member", Email="member@example.com")["CreateAccountStatus"]["Id"]
        seen = []

        def done():
            seen[:] = [cls.org.describe_create_account_status(CreateAccountRequestId=status)["CreateAccountStatus"]]
            return seen[0]["State"] == "SUCCEEDED"

        assert wait_until(done), seen
        cls.member = seen[0]["AccountId"]

    def name(self, prefix="x"):
        return f"{prefix}-{random.getrandbits(40):x}"

    def refused(self, wanted, call, **kw):
        with self.assertRaises(ClientError) as caught:
            call(**kw)
        response = caught.exception.response
        self.assertEqual(response["Error"]["Code"], wanted, response)
        return response

    def user(self, password=None, **kw):
        """(id, name) of a new user."""
        name = self.name("u")
        made = self.ids.create_user(IdentityStoreId=self.store, UserName=name, DisplayName="A B",
            Name={"GivenName": "A", "FamilyName": "B"}, **kw)["UserId"]
        if password:
            query = urllib.parse.urlencode({"username": name, "password": password})
            self.assertEqual(self.virga.get(f"/_virga/sso-oidc/password?{query}", "POST")[0], 200)
        return made, name

    def set_(self, **kw):
        return self.sso.create_permission_set(InstanceArn=self.instance, Name=self.name("s"), **kw)["PermissionSet"][
            "PermissionSetArn"]

    def on(self, permission_set, **kw):
        return {"InstanceArn": self.instance, "PermissionSetArn": permission_set, **kw}

    def ended(self, ask, key, **kw):
        """The status once it is no longer in progress."""
        seen = []

        def done():
            seen[:] = [ask(InstanceArn=self.instance, **kw)[key]]
            return seen[0]["Status"] != "IN_PROGRESS"

        self.assertTrue(wait_until(done))
        return seen[0]

    def assign(self, permission_set, principal, account=None, type="USER", wanted="SUCCEEDED"):
        key = "AccountAssignmentCreationStatus"
        asked = self.sso.create_account_assignment(TargetId=account or self.member, TargetType="AWS_ACCOUNT",
            PrincipalType=type, PrincipalId=principal, **self.on(permission_set))[key]
        self.assertEqual(asked["Status"], "IN_PROGRESS")
        ended = self.ended(self.sso.describe_account_assignment_creation_status, key,
            AccountAssignmentCreationRequestId=asked["RequestId"])
        self.assertEqual(ended["Status"], wanted, ended)
        return ended

    def unassign(self, permission_set, principal, account=None, type="USER"):
        key = "AccountAssignmentDeletionStatus"
        asked = self.sso.delete_account_assignment(TargetId=account or self.member, TargetType="AWS_ACCOUNT",
            PrincipalType=type, PrincipalId=principal, **self.on(permission_set))[key]
        self.assertEqual(self.ended(self.sso.describe_account_assignment_deletion_status, key,
            AccountAssignmentDeletionRequestId=asked["RequestId"])["Status"], "SUCCEEDED")

    def provision(self, permission_set, wanted="SUCCEEDED", **kw):
        key = "PermissionSetProvisioningStatus"
        asked = self.sso.provision_permission_set(**self.on(permission_set, **kw))[key]
        ended = self.ended(self.sso.describe_permission_set_provisioning_status, key,
            ProvisionPermissionSetRequestId=asked["RequestId"])
        self.assertEqual(ended["Status"], wanted, ended)
        return ended

    def roles(self, account=None):
        """Reserved roles by name."""
        iam = self.virga.client("iam", account or self.member, "x")
        return {r["RoleName"]: r for r in iam.list_roles(PathPrefix="/aws-reserved/sso.amazonaws.com/")["Roles"]}

    def role_of(self, permission_set, account=None):
        name = self.sso.describe_permission_set(**self.on(permission_set))["PermissionSet"]["Name"]
        found = [r for r in self.roles(account) if r.startswith(f"AWSReservedSSO_{name}_")]
        return found[0] if found else None


class Directory(Case):
    def test_users(self):
        first, name = self.user(Emails=[{"Value": self.name("e") + "@example.com", "Type": "work", "Primary": True}],
            Title="Engineer", PhoneNumbers=[{"Value": "1", "Type": "home"}])
        self.assertRegex(first, r"^[0-9a-f]{10}-[0-9a-f-]{36}$")
        shown = self.ids.describe_user(IdentityStoreId=self.store, UserId=first)
        self.assertEqual((shown["UserName"], shown["Title"], shown["Name"]), (name, "Engineer",
            {"GivenName": "A", "FamilyName": "B"}))
        self.assertEqual(shown["CreatedBy"], f"arn:aws:iam::{MASTER}:root")
        taken = self.refused("ConflictException", self.ids.create_user, IdentityStoreId=self.store, UserName=name.upper(),
            DisplayName="d", Name={"GivenName": "A", "FamilyName": "B"})
        self.assertEqual(taken["Reason"], "UNIQUENESS_CONSTRAINT_VIOLATION")
        self.refused("ValidationException", self.ids.create_user, IdentityStoreId=self.store, UserName=self.name())
        for path, value in [("userName", name), ("emails.value", shown["Emails"][0]["Value"])]:
            self.assertEqual(self.ids.get_user_id(IdentityStoreId=self.store, AlternateIdentifier={"UniqueAttribute": {
                "AttributePath": path, "AttributeValue": value}})["UserId"], first)
        self.refused("ResourceNotFoundException", self.ids.get_user_id, IdentityStoreId=self.store, AlternateIdentifier={
            "UniqueAttribute": {"AttributePath": "userName", "AttributeValue": "nobody"}})
        self.ids.update_user(IdentityStoreId=self.store, UserId=first, Operations=[
            {"AttributePath": "name.givenName", "AttributeValue": "Ada"}, {"AttributePath": "title"},
            {"AttributePath": "emails", "AttributeValue": [{"value": "ada@example.com", "type": "work", "primary": True}]},
            {"AttributePath": "userName", "AttributeValue": name + "2"}])
        shown = self.ids.describe_user(IdentityStoreId=self.store, UserId=first)
        self.assertEqual((shown["Name"]["GivenName"], shown["UserName"], shown.get("Title"), shown["Emails"]), ("Ada",
            name + "2", None, [{"Value": "ada@example.com", "Type": "work", "Primary": True}]))
        self.refused("ValidationException", self.ids.update_user, IdentityStoreId=self.store, UserId=first,
            Operations=[{"AttributePath": "displayName"}])
        self.refused("ConflictException", self.user, Emails=[{"Value": "ADA@example.com"}])
        filtered = self.ids.list_users(IdentityStoreId=self.store, Filters=[{"AttributePath": "UserName",
            "AttributeValue": name + "2"}])["Users"]
        self.assertEqual([u["UserId"] for u in filtered], [first])
        second, _ = self.user()
        everybody = {u["UserId"] for page in self.ids.get_paginator("list_users").paginate(IdentityStoreId=self.store,
            PaginationConfig={"PageSize": 1}) for u in page["Users"]}
        self.assertLessEqual({first, second}, everybody)
        self.ids.delete_user(IdentityStoreId=self.store, UserId=first)
        gone = self.refused("ResourceNotFoundException", self.ids.describe_user, IdentityStoreId=self.store, UserId=first)
        self.assertEqual(gone["ResourceType"], "USER")
        self.user()

    def test_groups(self):
        name = self.name("g")
        group = self.ids.create_group(IdentityStoreId=self.store, DisplayName=name, Description="d")["GroupId"]
        self.refused("ConflictException", self.ids.create_group, IdentityStoreId=self.store, DisplayName=name)
        self.assertEqual(self.ids.get_group_id(IdentityStoreId=self.store, AlternateIdentifier={"UniqueAttribute": {
            "AttributePath": "displayName", "AttributeValue": name}})["GroupId"], group)
        self.ids.update_group(IdentityStoreId=self.store, GroupId=group, Operations=[
            {"AttributePath": "displayName", "AttributeValue": name + "2"}, {"AttributePath": "description",
                "AttributeValue": "other"}])
        shown = self.ids.describe_group(IdentityStoreId=self.store, GroupId=group)
        self.assertEqual((shown["DisplayName"], shown["Description"]), (name + "2", "other"))
        self.assertIn(group, [g["GroupId"] for g in self.ids.list_groups(IdentityStoreId=self.store)["Groups"]])
        (one, _), (two, _) = self.user(), self.user()
        made = self.ids.create_group_membership(IdentityStoreId=self.store, GroupId=group, MemberId={"UserId": one})[
            "MembershipId"]
        self.refused("ConflictException", self.ids.create_group_membership, IdentityStoreId=self.store, GroupId=group,
            MemberId={"UserId": one})
        self.assertEqual(self.ids.get_group_membership_id(IdentityStoreId=self.store, GroupId=group,
            MemberId={"UserId": one})["MembershipId"], made)
        self.assertEqual(self.ids.describe_group_membership(IdentityStoreId=self.store, MembershipId=made)["MemberId"],
            {"UserId": one})
        self.ids.create_group_membership(IdentityStoreId=self.store, GroupId=group, MemberId={"UserId": two})
        self.assertEqual({m["MemberId"]["UserId"] for m in self.ids.list_group_memberships(IdentityStoreId=self.store,
            GroupId=group)["GroupMemberships"]}, {one, two})
        self.assertEqual([m["GroupId"] for m in self.ids.list_group_memberships_for_member(IdentityStoreId=self.store,
            MemberId={"UserId": one})["GroupMemberships"]], [group])
        self.ids.delete_group_membership(IdentityStoreId=self.store, MembershipId=made)
        self.assertEqual([r["MembershipExists"] for u in (one, two) for r in self.ids.is_member_in_groups(
            IdentityStoreId=self.store, MemberId={"UserId": u}, GroupIds=[group])["Results"]], [False, True])
        self.ids.delete_group(IdentityStoreId=self.store, GroupId=group)
        self.assertEqual(self.ids.list_group_memberships_for_member(IdentityStoreId=self.store, MemberId={"UserId": two})[
            "GroupMemberships"], [])
        self.refused("ResourceNotFoundException", self.ids.describe_group, IdentityStoreId=self.store, GroupId=group)

    def test_whose_directory(self):
        other = self.virga.client("identitystore", "700000000001", "x")
        self.refused("ResourceNotFoundException", other.list_users, IdentityStoreId=self.store)
        delegate = self.virga.client("identitystore", self.member, "x")
        self.refused("ResourceNotFoundException", delegate.list_users, IdentityStoreId=self.store)
        self.org.register_delegated_administrator(AccountId=self.member, ServicePrincipal="sso.amazonaws.com")
        self.addCleanup(self.org.deregister_delegated_administrator, AccountId=self.member,
            ServicePrincipal="sso.amazonaws.com")
        delegate.list_users(IdentityStoreId=self.store)
        admin = self.virga.client("sso-admin", self.member, "x")
        admin.list_permission_sets(InstanceArn=self.instance)
        self.refused("AccessDeniedException", admin.create_account_assignment, TargetId=MASTER, TargetType="AWS_ACCOUNT",
            PrincipalType="USER", PrincipalId=self.user()[0], **self.on(self.set_()))


class Instances(Case):
    def test_instances(self):
        self.refused("ConflictException", self.sso.create_instance)
        shown = self.sso.describe_instance(InstanceArn=self.instance)
        self.assertEqual((shown["Status"], shown["OwnerAccountId"], shown["Name"]), ("ACTIVE", MASTER, "main"))
        self.sso.update_instance(InstanceArn=self.instance, Name="renamed")
        self.assertEqual([(i["InstanceArn"], i["Name"]) for i in self.sso.list_instances()["Instances"]],
            [(self.instance, "renamed")])
        self.assertEqual(len(self.virga.client("sso-admin", self.member, "x").list_instances()["Instances"]), 1)
        self.assertEqual(self.virga.client("sso-admin", region="eu-west-1").list_instances()["Instances"], [])
        self.assertIn("sso.amazonaws.com", [s["ServicePrincipal"] for s in
            self.org.list_aws_service_access_for_organization()["EnabledServicePrincipals"]])
        # A single account's has a directory, and no permission sets.
        alone = self.virga.client("sso-admin", "700000000002", "x")
        arn = alone.create_instance(Tags=[{"Key": "a", "Value": "b"}])["InstanceArn"]
        self.refused("ValidationException", alone.create_permission_set, InstanceArn=arn, Name="s")
        self.assertEqual(alone.list_tags_for_resource(ResourceArn=arn)["Tags"], [{"Key": "a", "Value": "b"}])
        self.refused("AccessDeniedException", alone.describe_instance, InstanceArn=self.instance)
        alone.delete_instance(InstanceArn=arn)
        self.refused("ResourceNotFoundException", alone.describe_instance, InstanceArn=arn)

    def test_attributes_for_access_control(self):
        kw = dict(InstanceArn=self.instance, InstanceAccessControlAttributeConfiguration={"AccessControlAttributes": [
            {"Key": "team", "Value": {"Source": ["${path:userType}"]}}]})
        self.refused("ResourceNotFoundException", self.sso.describe_instance_access_control_attribute_configuration,
            InstanceArn=self.instance)
        self.sso.create_instance_access_control_attribute_configuration(**kw)
        self.refused("ConflictException", self.sso.create_instance_access_control_attribute_configuration, **kw)
        self.sso.update_instance_access_control_attribute_configuration(**kw)
        shown = self.sso.describe_instance_access_control_attribute_configuration(InstanceArn=self.instance)
        self.assertEqual((shown["Status"], shown["InstanceAccessControlAttributeConfiguration"]), ("ENABLED",
            kw["InstanceAccessControlAttributeConfiguration"]))
        self.sso.delete_instance_access_control_attribute_configuration(InstanceArn=self.instance)


class PermissionSets(Case):
    def test_records(self):
        name = self.name("s")
        made = self.sso.create_permission_set(InstanceArn=self.instance, Name=name, Description="d", SessionDuration="PT2H",
            Tags=[{"Key": "k", "Value": "v"}])["PermissionSet"]
        arn = made["PermissionSetArn"]
        self.assertRegex(arn, r"^arn:aws:sso:::permissionSet/ssoins-[0-9a-f]{16}/ps-[0-9a-f]{16}$")
        self.refused("ConflictException", self.sso.create_permission_set, InstanceArn=self.instance, Name=name)
        self.refused("ValidationException", self.set_, SessionDuration="PT13H")
        self.sso.update_permission_set(**self.on(arn, Description="e", SessionDuration="PT1H30M"))
        shown = self.sso.describe_permission_set(**self.on(arn))["PermissionSet"]
        self.assertEqual((shown["Name"], shown["Description"], shown["SessionDuration"]), (name, "e", "PT1H30M"))
        self.assertIn(arn, self.sso.list_permission_sets(InstanceArn=self.instance)["PermissionSets"])
        self.sso.tag_resource(InstanceArn=self.instance, ResourceArn=arn, Tags=[{"Key": "l", "Value": "w"}])
        self.sso.untag_resource(InstanceArn=self.instance, ResourceArn=arn, TagKeys=["k"])
        self.assertEqual(self.sso.list_tags_for_resource(InstanceArn=self.instance, ResourceArn=arn)["Tags"],
            [{"Key": "l", "Value": "w"}])
        self.sso.delete_permission_set(**self.on(arn))
        self.refused("ResourceNotFoundException", self.sso.describe_permission_set, **self.on(arn))

    def test_what_they_allow(self):
        arn, aws = self.set_(), "arn:aws:iam::aws:policy/ReadOnlyAccess"
        self.sso.attach_managed_policy_to_permission_set(**self.on(arn, ManagedPolicyArn=aws))
        self.refused("ConflictException", self.sso.attach_managed_policy_to_permission_set, **self.on(arn, ManagedPolicyArn=aws))
        self.refused("ResourceNotFoundException", self.sso.attach_managed_policy_to_permission_set,
            **self.on(arn, ManagedPolicyArn="arn:aws:iam::aws:policy/None"))
        self.assertEqual(self.sso.list_managed_policies_in_permission_set(**self.on(arn))["AttachedManagedPolicies"],
            [{"Name": "ReadOnlyAccess", "Arn": aws}])
        self.sso.detach_managed_policy_from_permission_set(**self.on(arn, ManagedPolicyArn=aws))
        self.refused("ResourceNotFoundException", self.sso.detach_managed_policy_from_permission_set,
            **self.on(arn, ManagedPolicyArn=aws))
        own = {"Name": "own", "Path": "/a/"}
        self.sso.attach_customer_managed_policy_reference_to_permission_set(**self.on(arn, CustomerManagedPolicyReference=own))
        self.assertEqual(self.sso.list_customer_managed_policy_references_in_permission_set(**self.on(arn))[
            "CustomerManagedPolicyReferences"], [own])
        self.sso.detach_customer_managed_policy_reference_from_permission_set(
            **self.on(arn, CustomerManagedPolicyReference=own))
        inline = document({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"})
        self.refused("ValidationException", self.sso.put_inline_policy_to_permission_set, **self.on(arn, InlinePolicy="{}"))
        self.sso.put_inline_policy_to_permission_set(**self.on(arn, InlinePolicy=inline))
        self.assertEqual(self.sso.get_inline_policy_for_permission_set(**self.on(arn))["InlinePolicy"], inline)
        self.sso.delete_inline_policy_from_permission_set(**self.on(arn))
        self.assertEqual(self.sso.get_inline_policy_for_permission_set(**self.on(arn))["InlinePolicy"], "")
        self.refused("ResourceNotFoundException", self.sso.get_permissions_boundary_for_permission_set, **self.on(arn))
        self.sso.put_permissions_boundary_to_permission_set(**self.on(arn, PermissionsBoundary={"ManagedPolicyArn": aws}))
        self.assertEqual(self.sso.get_permissions_boundary_for_permission_set(**self.on(arn))["PermissionsBoundary"],
            {"ManagedPolicyArn": aws})
        self.sso.delete_permissions_boundary_from_permission_set(**self.on(arn))

    def test_assignments_provision_roles(self):
        user, _ = self.user()
        arn = self.set_()
        self.sso.put_inline_policy_to_permission_set(**self.on(arn, InlinePolicy=document(
            {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"})))
        self.refused("ResourceNotFoundException", self.assign, permission_set=arn, principal=user, account="999999999999")
        self.refused("ResourceNotFoundException", self.assign, permission_set=arn,
            principal="9067000000-00000000-0000-0000-0000-000000000000")
        self.assign(arn, user)
        role = self.roles()[self.role_of(arn)]
        self.assertEqual(role["Path"], "/aws-reserved/sso.amazonaws.com/")
        iam = self.virga.client("iam", self.member, "x")
        self.assertEqual(iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"], ["AwsSSOInlinePolicy"])
        self.refused("UnmodifiableEntity", iam.delete_role, RoleName=role["RoleName"])
        self.assertEqual(self.sso.list_account_assignments(AccountId=self.member, **self.on(arn))["AccountAssignments"],
            [{"AccountId": self.member, "PermissionSetArn": arn, "PrincipalType": "USER", "PrincipalId": user}])
        self.assertEqual([a["PermissionSetArn"] for a in self.sso.list_account_assignments_for_principal(
            InstanceArn=self.instance, PrincipalId=user, PrincipalType="USER")["AccountAssignments"]], [arn])
        self.assertEqual(self.sso.list_accounts_for_provisioned_permission_set(**self.on(arn))["AccountIds"], [self.member])
        self.assertIn(arn, self.sso.list_permission_sets_provisioned_to_account(InstanceArn=self.instance,
            AccountId=self.member)["PermissionSets"])
        self.refused("ConflictException", self.sso.delete_permission_set, **self.on(arn))
        # A change is in the account once it is provisioned.
        self.sso.attach_managed_policy_to_permission_set(**self.on(arn, ManagedPolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess"))
        old = dict(InstanceArn=self.instance, AccountId=self.member,
            ProvisioningStatus="LATEST_PERMISSION_SET_NOT_PROVISIONED")
        self.assertIn(arn, self.sso.list_permission_sets_provisioned_to_account(**old)["PermissionSets"])
        self.assertEqual(iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"], [])
        self.provision(arn, TargetType="ALL_PROVISIONED_ACCOUNTS")
        self.assertNotIn(arn, self.sso.list_permission_sets_provisioned_to_account(**old)["PermissionSets"])
        self.assertEqual(iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"][0]["PolicyName"],
            "ReadOnlyAccess")
        self.assertEqual(self.roles()[self.role_of(arn)]["RoleId"], role["RoleId"])
        # A customer managed policy has to be there.
        self.sso.attach_customer_managed_policy_reference_to_permission_set(
            **self.on(arn, CustomerManagedPolicyReference={"Name": "own"}))
        failed = self.provision(arn, wanted="FAILED", TargetType="AWS_ACCOUNT", TargetId=self.member)
        self.assertIn(f"arn:aws:iam::{self.member}:policy/own does not exist", failed["FailureReason"])
        iam.create_policy(PolicyName="own", PolicyDocument=document({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}))
        self.provision(arn, TargetType="AWS_ACCOUNT", TargetId=self.member)
        self.assertIn("SUCCEEDED", [s["Status"] for s in self.sso.list_permission_set_provisioning_status(
            InstanceArn=self.instance, Filter={"Status": "SUCCEEDED"})["PermissionSetsProvisioningStatus"]])
        # The last assignment's end is the role's.
        self.unassign(arn, user)
        self.assertIsNone(self.role_of(arn))
        for method, key in (("creation", "AccountAssignmentsCreationStatus"), ("deletion", "AccountAssignmentsDeletionStatus")):
            listed = getattr(self.sso, f"list_account_assignment_{method}_status")(InstanceArn=self.instance)[key]
            self.assertIn("SUCCEEDED", [s["Status"] for s in listed])
        self.sso.delete_permission_set(**self.on(arn))


class SignIn(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc, cls.portal = (cls.virga.client(s, None, None) for s in ("sso-oidc", "sso"))
        cls.start_url = f"https://{cls.store}.awsapps.com/start"

    def page(self, path, **form):
        """(status, headers, text) of a form that is sent to a page, redirects not followed."""

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_):
                return None

        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)
        data = urllib.parse.urlencode(form).encode() if form else None
        try:
            with opener.open(urllib.request.Request(self.virga.endpoint + path, data), timeout=30) as r:
                return r.status, r.headers, r.read().decode()
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.headers, e.read().decode()

    def client(self, **kw):
        c = self.oidc.register_client(clientName="test", clientType="public", **kw)
        return {"clientId": c["clientId"], "clientSecret": c["clientSecret"]}

    def by_device(self, name, password, **kw):
        client = self.client(**kw)
        device = self.oidc.start_device_authorization(startUrl=self.start_url, **client)
        token = dict(grantType=DEVICE, deviceCode=device["deviceCode"], **client)
        pending = self.refused("AuthorizationPendingException", self.oidc.create_token, **token)
        self.assertEqual(pending["error"], "authorization_pending")
        form = self.page("/_virga/sso-oidc/device?user_code=" + device["userCode"])
        self.assertIn(device["userCode"], form[2])
        self.assertEqual(self.page("/_virga/sso-oidc/device", user_code=device["userCode"], username=name,
            password="wrong")[0], 403)
        self.refused("AuthorizationPendingException", self.oidc.create_token, **token)
        self.assertEqual(self.page("/_virga/sso-oidc/device", user_code=device["userCode"], username=name,
            password=password)[0], 200)
        answer = self.oidc.create_token(**token)
        # A device code is good for one token.
        self.refused("InvalidGrantException", self.oidc.create_token, **token)
        return client, answer

    def test_by_device_to_role_credentials(self):
        user, name = self.user("secret-1", UserType="red")
        arn = self.set_(SessionDuration="PT2H")
        label = self.sso.describe_permission_set(**self.on(arn))["PermissionSet"]["Name"]
        self.sso.put_inline_policy_to_permission_set(**self.on(arn, InlinePolicy=document({"Effect": "Allow",
            "Action": "sqs:*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red"}}})))
        group = self.ids.create_group(IdentityStoreId=self.store, DisplayName=self.name("g"))["GroupId"]
        self.ids.create_group_membership(IdentityStoreId=self.store, GroupId=group, MemberId={"UserId": user})
        self.assign(arn, group, type="GROUP")
        self.sso.create_instance_access_control_attribute_configuration(InstanceArn=self.instance,
            InstanceAccessControlAttributeConfiguration={"AccessControlAttributes": [
                {"Key": "team", "Value": {"Source": ["${path:userType}"]}}]})
        _, answer = self.by_device(name, "secret-1")
        token = answer["accessToken"]
        self.assertEqual((answer["tokenType"], answer["expiresIn"]), ("Bearer", 28800))
        self.assertEqual(self.portal.list_accounts(accessToken=token)["accountList"], [{"accountId": self.member,
            "accountName": "member", "emailAddress": "member@example.com"}])
        self.assertEqual(self.portal.list_account_roles(accessToken=token, accountId=self.member)["roleList"],
            [{"roleName": label, "accountId": self.member}])
        c = self.portal.get_role_credentials(accessToken=token, accountId=self.member, roleName=label)["roleCredentials"]
        use = lambda service: self.virga.client(service, c["accessKeyId"], c["secretAccessKey"], c["sessionToken"])
        self.assertEqual(use("sts").get_caller_identity()["Arn"],
            f"arn:aws:sts::{self.member}:assumed-role/{self.role_of(arn)}/{name}")
        use("sqs").create_queue(QueueName="q")
        self.refused("AccessDeniedException", use("ssm").describe_parameters)
        # What is not assigned is not given.
        self.refused("ForbiddenException", self.portal.get_role_credentials, accessToken=token, accountId=self.member,
            roleName="other")
        self.refused("ForbiddenException", self.portal.list_account_roles, accessToken=token, accountId=MASTER)
        self.refused("UnauthorizedException", self.portal.list_accounts, accessToken=token + "x")
        # Control policies bind these sessions too.
        scp = self.org.create_policy(Name=self.name(), Description="", Type="SERVICE_CONTROL_POLICY", Content=document(
            {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}))["Policy"]["PolicySummary"]["Id"]
        self.org.attach_policy(PolicyId=scp, TargetId=self.member)
        self.refused("AccessDeniedException", use("sqs").list_queues)
        self.org.detach_policy(PolicyId=scp, TargetId=self.member)
        self.portal.logout(accessToken=token)
        self.refused("UnauthorizedException", self.portal.list_accounts, accessToken=token)
        # What was given lasts its two hours.
        use("sqs").list_queues()
        self.virga.get("/_virga/clock?advance=2h", "POST")
        self.refused("ExpiredTokenException", use("sqs").list_queues)

    def test_refreshing(self):
        _, name = self.user("secret-2")
        client, answer = self.by_device(name, "secret-2", scopes=["sso:account:access"])
        self.assertEqual(answer["expiresIn"], 3600)
        self.virga.get("/_virga/clock?advance=1h", "POST")
        self.refused("UnauthorizedException", self.portal.list_accounts, accessToken=answer["accessToken"])
        again = self.oidc.create_token(grantType="refresh_token", refreshToken=answer["refreshToken"], **client)
        self.assertEqual(self.portal.list_accounts(accessToken=again["accessToken"])["accountList"], [])
        self.portal.logout(accessToken=again["accessToken"])
        self.refused("InvalidGrantException", self.oidc.create_token, grantType="refresh_token",
            refreshToken=answer["refreshToken"], **client)

    def test_by_browser(self):
        _, name = self.user("secret-3")
        redirect, verifier = "http://127.0.0.1:12345/oauth/callback", "v" * 60
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        client = self.client(issuerUrl=self.start_url, redirectUris=["http://127.0.0.1/oauth/callback"],
            grantTypes=["authorization_code", "refresh_token"], scopes=["sso:account:access"])
        query = dict(response_type="code", client_id=client["clientId"], redirect_uri=redirect, state="s 1",
            code_challenge_method="S256", code_challenge=challenge)
        self.assertEqual(self.page("/authorize?" + urllib.parse.urlencode(query))[0], 200)
        self.assertEqual(self.page("/authorize?" + urllib.parse.urlencode({**query, "redirect_uri": "http://evil/"}))[0], 400)
        path = "/authorize?" + urllib.parse.urlencode(query)
        self.assertEqual(self.page(path, username=name, password="wrong", **query)[0], 403)
        code, headers, _ = self.page(path, username=name, password="secret-3", **query)
        self.assertEqual(code, 302)
        self.assertTrue(headers["Location"].startswith(redirect + "?code="))
        given = urllib.parse.parse_qs(urllib.parse.urlsplit(headers["Location"]).query)
        self.assertEqual(given["state"], ["s 1"])
        kw = dict(grantType="authorization_code", code=given["code"][0], redirectUri=redirect, **client)
        self.refused("InvalidGrantException", self.oidc.create_token, codeVerifier="w" * 60, **kw)
        token = self.oidc.create_token(codeVerifier=verifier, **kw)["accessToken"]
        self.portal.list_accounts(accessToken=token)
        self.refused("InvalidGrantException", self.oidc.create_token, codeVerifier=verifier, **kw)

    def test_bad_clients(self):
        client = self.client()
        self.refused("InvalidClientException", self.oidc.start_device_authorization, startUrl=self.start_url,
            clientId=client["clientId"], clientSecret="no")
        self.refused("InvalidRequestException", self.oidc.start_device_authorization, startUrl="https://d-0000000000.x/start",
            **client)
        self.refused("InvalidGrantException", self.oidc.create_token, grantType=DEVICE, deviceCode="no", **client)
        self.refused("UnsupportedGrantTypeException", self.oidc.create_token, grantType="password", **client)
        self.refused("InvalidClientMetadataException", self.oidc.register_client, clientName="c", clientType="secret")
        self.refused("InvalidRedirectUriException", self.oidc.register_client, clientName="c", clientType="public",
            redirectUris=["https://evil.example/"])
        device = self.oidc.start_device_authorization(startUrl=self.start_url, **client)
        self.virga.get("/_virga/clock?advance=11m", "POST")
        self.refused("ExpiredTokenException", self.oidc.create_token, grantType=DEVICE, deviceCode=device["deviceCode"],
            **client)

    def test_the_operator(self):
        _, name = self.user()
        run = lambda *args, stdin="": subprocess.run([BINARY, "sso", *args, "--endpoint", self.virga.endpoint], input=stdin,
            capture_output=True, text=True, timeout=30).returncode
        self.assertEqual(run("password", name, stdin="secret-5\n"), 0)
        self.by_device(name, "secret-5")
        self.assertNotEqual(run("password", "nobody", "--instance", self.store, stdin="x\n"), 0)
        client = self.client()
        device = self.oidc.start_device_authorization(startUrl=self.start_url, **client)
        self.assertNotEqual(run("approve", "WRONG-CODE", name), 0)
        self.assertEqual(run("approve", device["userCode"], name), 0)
        token = self.oidc.create_token(grantType=DEVICE, deviceCode=device["deviceCode"], **client)["accessToken"]
        self.assertEqual(self.portal.list_accounts(accessToken=token)["accountList"], [])

    def test_a_bucket_called_authorize(self):
        s3 = self.virga.client("s3")
        s3.create_bucket(Bucket="authorize")
        s3.put_object(Bucket="authorize", Key="k", Body=b"x")
        self.assertEqual([o["Key"] for o in s3.list_objects_v2(Bucket="authorize")["Contents"]], ["k"])

    def test_the_sdk_signs_in_by_profile(self):
        """botocore's own provider, with a cached token as `aws sso login` leaves it."""
        user, name = self.user("secret-4")
        arn = self.set_()
        label = self.sso.describe_permission_set(**self.on(arn))["PermissionSet"]["Name"]
        self.sso.put_inline_policy_to_permission_set(**self.on(arn, InlinePolicy=document(
            {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"})))
        self.assign(arn, user)
        _, answer = self.by_device(name, "secret-4")
        home = os.path.join(self.virga.folder, "home")
        cache = os.path.join(home, ".aws/sso/cache")
        os.makedirs(cache, exist_ok=True)
        with open(os.path.join(home, "config"), "w") as f:
            f.write(f"[profile p]\nsso_start_url = {self.start_url}\nsso_region = us-east-1\nregion = us-east-1\n"
                f"sso_account_id = {self.member}\nsso_role_name = {label}\nendpoint_url = {self.virga.endpoint}\n")
        with open(os.path.join(cache, hashlib.sha1(self.start_url.encode()).hexdigest() + ".json"), "w") as f:
            json.dump({"startUrl": self.start_url, "region": "us-east-1", "accessToken": answer["accessToken"],
                "expiresAt": "2999-01-01T00:00:00Z"}, f)
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        env.update(HOME=home, AWS_CONFIG_FILE=os.path.join(home, "config"), AWS_PROFILE="p")
        program = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
        said = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)
        self.assertEqual(said.stdout.strip(), f"arn:aws:sts::{self.member}:assumed-role/{self.role_of(arn)}/{name}",
            said.stderr)


if __name__ == "__main__":
    unittest.main()
