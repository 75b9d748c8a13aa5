"""IAM database authentication: a token instead of a password, and what policies say of it."""
import json
import os
import subprocess
import time
import unittest

from rds_case import PASSWORD, Servers
from virga import BINARY, wait_until


@unittest.skipIf(os.geteuid() != 0, "servers need root")
class Tokens(Servers):
    def user(self, name, *resources, effect="Allow"):
        """Keys of a user who may connect to these, as a client of RDS."""
        iam = self.virga.client("iam")
        iam.create_user(UserName=name)
        if resources:
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "rds-db:connect", "Resource": list(resources)}]}))
        k = iam.create_access_key(UserName=name)["AccessKey"]
        return self.virga.client("rds", key=k["AccessKeyId"], secret=k["SecretAccessKey"])

    def connect(self, d, user, password, mode="require", host=None):
        url = f"postgresql://{user}@{host or d['Endpoint']['Address']}:{d['Endpoint']['Port']}/postgres?connect_timeout=10&sslmode={mode}"
        return self.inside("psql", url, "-AtXqc", "SELECT current_user", env={**os.environ, "PGPASSWORD": password})

    def test_tokens(self):
        d = self.create("tok", EnableIAMDatabaseAuthentication=True)
        self.assertTrue(d["IAMDatabaseAuthenticationEnabled"])
        self.sql(d, "CREATE USER jane; GRANT rds_iam TO jane; CREATE USER joe PASSWORD 'pw'; GRANT rds_iam TO joe")
        e, place = d["Endpoint"], f"arn:aws:rds-db:us-east-1:000000000000:dbuser:{d['DbiResourceId']}"
        may, other, none = self.user("may", place + "/jane"), self.user("other", place + "/joe"), self.user("none")
        token = lambda rds, user="jane", port=e["Port"], host=e["Address"], **kw: rds.generate_db_auth_token(host, port, user, **kw)
        said = self.connect(d, "jane", token(may))
        self.assertEqual((said.returncode, said.stdout.strip()), (0, "jane"), said.stderr + self.virga.read_log()[-3000:])
        t, spent = token(may), []
        for user, password in (("jane", t), ("boss", PASSWORD)):
            began = time.monotonic()
            self.assertEqual([self.connect(d, user, password).returncode for _ in range(3)], [0] * 3)
            spent.append((time.monotonic() - began) * 333)
        print("psql with a token %.1f ms, with a password %.1f ms" % tuple(spent))
        # The command line's own.
        k = may._request_signer._credentials
        cli = subprocess.run(["aws", "rds", "generate-db-auth-token", "--hostname", e["Address"], "--port", str(e["Port"]), "--username", "jane",
                              "--region", "us-east-1"], capture_output=True, text=True,
                             env={**os.environ, "AWS_ACCESS_KEY_ID": k.access_key, "AWS_SECRET_ACCESS_KEY": k.secret_key})
        self.assertEqual(cli.returncode, 0, cli.stderr)
        self.assertEqual(self.connect(d, "jane", cli.stdout.strip()).stdout.strip(), "jane")
        # A role's session.
        iam = self.virga.client("iam")
        iam.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "000000000000"}}]}))
        iam.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "rds-db:connect", "Resource": place + "/*"}]}))
        c = self.virga.client("sts").assume_role(RoleArn="arn:aws:iam::000000000000:role/app", RoleSessionName="web")["Credentials"]
        role = self.virga.client("rds", key=c["AccessKeyId"], secret=c["SecretAccessKey"], token=c["SessionToken"])
        self.assertEqual(self.connect(d, "jane", token(role)).stdout.strip(), "jane")
        # Whoever may not, and tokens for something else; passwords of those who have tokens; no TLS.
        for why, user, password in (
                ("no policy", "jane", token(none)), ("a policy for another user", "jane", token(other)),
                ("another user's token", "joe", token(may)), ("another port", "jane", token(may, port=5433)),
                ("another host", "jane", token(may, host="db.example.com")), ("another Region", "jane", token(may, Region="eu-west-1")),
                ("a changed signature", "jane", token(may)[:-4] + "0000"), ("a password", "joe", "pw"), ("nothing like it", "jane", "x")):
            said = self.connect(d, user, password)
            self.assertNotEqual(said.returncode, 0, why)
            self.assertIn("authentication failed for user", said.stderr, why)
        said = self.connect(d, "jane", token(may), mode="disable")
        self.assertNotEqual(said.returncode, 0)
        # Everybody else has a password as before.
        self.assertEqual(self.sql(d, "SELECT current_user"), "boss")
        # A policy counts when somebody connects; a token ends after 15 minutes; what is connected stays.
        kept = token(may)
        self.virga.client("iam").delete_user_policy(UserName="may", PolicyName="p")
        self.assertNotEqual(self.connect(d, "jane", kept).returncode, 0)
        self.virga.client("iam").put_user_policy(UserName="may", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "rds-db:connect", "Resource": place + "/jane"}]}))
        self.assertEqual(self.connect(d, "jane", kept).returncode, 0)
        # After a crash, tokens are checked again.
        self.virga.restart()
        self.assertTrue(wait_until(lambda: self.connect(d, "jane", token(may)).returncode == 0, 60), self.virga.read_log()[-3000:])
        subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "16m"], check=True, capture_output=True)
        self.assertNotEqual(self.connect(d, "jane", kept).returncode, 0)
        self.assertTrue(wait_until(lambda: self.connect(d, "jane", token(may)).returncode == 0, 30))
        # Switched off, such a user has a password again; on, none.
        m = self.rds.modify_db_instance(DBInstanceIdentifier="tok", EnableIAMDatabaseAuthentication=False)["DBInstance"]
        self.assertFalse(m["PendingModifiedValues"]["IAMDatabaseAuthenticationEnabled"])
        self.assertTrue(self.describe("tok")["IAMDatabaseAuthenticationEnabled"])
        self.rds.modify_db_instance(DBInstanceIdentifier="tok", EnableIAMDatabaseAuthentication=False, ApplyImmediately=True)
        self.assertTrue(wait_until(lambda: self.connect(d, "joe", "pw").returncode == 0, 30))
        self.until("tok")
        self.assertFalse(self.describe("tok")["IAMDatabaseAuthenticationEnabled"])
        self.assertNotEqual(self.connect(d, "jane", token(may)).returncode, 0)
        self.delete("tok")


if __name__ == "__main__":
    unittest.main()
