"""RDS Proxy: pgbouncer in the VPC, in front of a PostgreSQL instance."""
import json
import os
import unittest

from rds_case import PASSWORD, Servers
from virga import wait_until

NEEDS_BOTO3 = (1, 40)
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "rds.amazonaws.com"}}]})


@unittest.skipIf(os.geteuid() != 0, "servers need root")
class Proxies(Servers):
    def health(self):
        [t] = self.rds.describe_db_proxy_targets(DBProxyName="front")["Targets"]
        return t["TargetHealth"]

    def healthy(self, state="AVAILABLE", reason=None, limit=90):
        good = lambda: (lambda h: h["State"] == state and h.get("Reason") == reason)(self.health())
        self.assertTrue(wait_until(good, limit, 0.1), f"{self.health()}\n{self.virga.read_log()[-3000:]}")

    def through(self, user="boss", password=PASSWORD, sql="SELECT current_user", mode="require"):
        e = self.rds.describe_db_proxies(DBProxyName="front")["DBProxies"][0]["Endpoint"]
        return self.inside("psql", f"postgresql://{user}:{password}@{e}:5432/postgres?connect_timeout=10&sslmode={mode}", "-AtXqc", sql)

    def test_proxy(self):
        iam, secrets, rds = self.virga.client("iam"), self.virga.client("secretsmanager"), self.rds
        d = self.create("back", MultiAZ=True)
        arn = secrets.create_secret(Name="boss", SecretString=json.dumps({"username": "boss", "password": PASSWORD}))["ARN"]
        role = iam.create_role(RoleName="proxy", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        front = self.ec2.create_security_group(GroupName="front", Description="d", VpcId=self.vpc)["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=front, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": self.app}]}])
        kw = {"DBProxyName": "Front", "EngineFamily": "POSTGRESQL", "RoleArn": role, "VpcSubnetIds": self.subnets, "VpcSecurityGroupIds": [front],
              "Auth": [{"AuthScheme": "SECRETS", "SecretArn": arn, "IAMAuth": "DISABLED"}]}
        for code, change in (("InvalidSubnet", {"VpcSubnetIds": self.subnets[:1]}), ("InvalidSubnet", {"VpcSubnetIds": [self.subnets[0], "subnet-0"]}),
                             ("NotImplemented", {"EngineFamily": "MYSQL"}), ("InvalidParameterValue", {"IdleClientTimeout": 99999}),
                             ("InvalidParameterValue", {"VpcSecurityGroupIds": ["sg-0123456789abcdef0"]})):
            self.refused(code, rds.create_db_proxy, **{**kw, **change})
        p = rds.create_db_proxy(**kw, RequireTLS=True, Tags=[{"Key": "k", "Value": "v"}])["DBProxy"]
        self.assertEqual((p["DBProxyName"], p["Status"], p["IdleClientTimeout"]), ("front", "creating", 1800))
        self.assertRegex(p["DBProxyArn"], r"^arn:aws:rds:us-east-1:000000000000:db-proxy:prx-[0-9a-f]{17}$")
        self.assertRegex(p["Endpoint"], r"^front\.proxy-c[0-9a-z]{11}\.us-east-1\.rds\.amazonaws\.com$")
        self.assertEqual(rds.list_tags_for_resource(ResourceName=p["DBProxyArn"])["TagList"], [{"Key": "k", "Value": "v"}])
        self.refused("DBProxyAlreadyExistsFault", rds.create_db_proxy, **kw)
        state = lambda: rds.describe_db_proxies(DBProxyName="front")["DBProxies"][0]["Status"]
        self.assertTrue(wait_until(lambda: state() == "available", 90, 0.1), self.virga.read_log()[-3000:])
        self.refused("DBInstanceNotFound", rds.register_db_proxy_targets, DBProxyName="front", DBInstanceIdentifiers=["none"])
        [t] = rds.register_db_proxy_targets(DBProxyName="front", DBInstanceIdentifiers=["back"])["DBProxyTargets"]
        self.assertEqual((t["RdsResourceId"], t["Type"], t["TargetHealth"]["State"]), ("back", "RDS_INSTANCE", "REGISTERING"))
        self.refused("DBProxyTargetAlreadyRegisteredFault", rds.register_db_proxy_targets, DBProxyName="front", DBInstanceIdentifiers=["back"])
        # The role may not read the secret; then it may, but the database's group lets nobody in; then it does.
        self.healthy("UNAVAILABLE", "AUTH_FAILURE")
        iam.put_role_policy(RoleName="proxy", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn}]}))
        self.healthy("UNAVAILABLE", "CONNECTION_FAILED")
        self.ec2.authorize_security_group_ingress(GroupId=self.db, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": front}]}])
        self.healthy()
        said = self.through()
        self.assertEqual((said.returncode, said.stdout.strip()), (0, "boss"), said.stderr + self.virga.read_log()[-3000:])
        self.assertNotEqual(self.through(password="nonsense-9").returncode, 0)
        self.assertNotEqual(self.through(mode="disable").returncode, 0)
        # Only users of its secrets, though the database knows more.
        self.sql(d, "CREATE USER jane PASSWORD 'pw-of-jane'")
        self.assertNotEqual(self.through("jane", "pw-of-jane").returncode, 0)
        other = secrets.create_secret(Name="jane", SecretString=json.dumps({"username": "jane", "password": "pw-of-jane"}))["ARN"]
        iam.put_role_policy(RoleName="proxy", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": [arn, other]}]}))
        rds.modify_db_proxy(DBProxyName="front", Auth=[{"SecretArn": a} for a in (arn, other)], RequireTLS=False)
        self.assertTrue(wait_until(lambda: self.through("jane", "pw-of-jane", mode="disable").stdout.strip() == "jane", 60), self.virga.read_log()[-3000:])
        # Its pool.
        g = rds.modify_db_proxy_target_group(DBProxyName="front", TargetGroupName="default", ConnectionPoolConfig={
            "MaxConnectionsPercent": 50, "ConnectionBorrowTimeout": 60, "InitQuery": "SET work_mem = '5MB'"})["DBProxyTargetGroup"]
        self.assertEqual(g["ConnectionPoolConfig"]["MaxIdleConnectionsPercent"], 25)
        self.refused("InvalidParameterValue", rds.modify_db_proxy_target_group, DBProxyName="front", TargetGroupName="default",
                     ConnectionPoolConfig={"MaxConnectionsPercent": 101})
        [g] = rds.describe_db_proxy_target_groups(DBProxyName="front")["TargetGroups"]
        self.assertEqual((g["TargetGroupName"], g["IsDefault"], g["ConnectionPoolConfig"]["ConnectionBorrowTimeout"]), ("default", True, 60))
        for _ in range(2):
            self.assertTrue(wait_until(lambda: self.through(sql="SHOW work_mem").stdout.strip() == "5MB", 60), self.virga.read_log()[-3000:])
        # What a session sets is not the next one's.
        self.assertEqual(self.through(sql="SET statement_timeout = 12345; SHOW statement_timeout").stdout.split()[-1], "12345ms")
        self.assertEqual([self.through(sql="SHOW statement_timeout").stdout.strip() for _ in range(3)], ["0"] * 3)
        # The database fails over; the proxy is where it was.
        self.whole("back")
        zone = self.describe("back")["AvailabilityZone"]
        rds.reboot_db_instance(DBInstanceIdentifier="back", ForceFailover=True)
        self.until("back")
        self.assertNotEqual(self.describe("back")["AvailabilityZone"], zone)
        self.assertTrue(wait_until(lambda: self.through().stdout.strip() == "boss", 60), self.virga.read_log()[-3000:])
        # It outlives a crash of virga, and goes without a trace.
        self.virga.restart()
        self.assertEqual(self.through().stdout.strip(), "boss")
        self.refused("DBProxyTargetNotFoundFault", rds.deregister_db_proxy_targets, DBProxyName="front", DBInstanceIdentifiers=["none"])
        rds.deregister_db_proxy_targets(DBProxyName="front", DBInstanceIdentifiers=["back"])
        self.assertEqual(rds.describe_db_proxy_targets(DBProxyName="front")["Targets"], [])
        self.assertTrue(wait_until(lambda: self.through().returncode != 0, 60))
        rds.delete_db_proxy(DBProxyName="front")

        def gone():
            try:
                rds.describe_db_proxies(DBProxyName="front")
                return False
            except rds.exceptions.DBProxyNotFoundFault:
                return True
        self.assertTrue(wait_until(gone, 60))
        left = [n["Description"] for n in self.ec2.describe_network_interfaces()["NetworkInterfaces"] if "DBProxy" in n["Description"]]
        self.assertEqual(left, [])
        self.delete("back")


if __name__ == "__main__":
    unittest.main()
