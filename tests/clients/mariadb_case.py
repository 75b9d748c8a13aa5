"""What the suites of RDS for MariaDB share: databases, and a real client library inside of their VPC."""
import json

from rds_case import PASSWORD, Servers

# Debian's python3 has Debian's python3-pymysql.
CLIENT = """
import json, pymysql, sys
q = json.loads(sys.argv[1])
tls = {"ssl": {"ca": q["ca"]}} if q["ca"] else {}
try:
    c = pymysql.connect(host=q["host"], port=q["port"], user=q["user"], password=q["password"], database=q["database"], connect_timeout=5,
                        autocommit=True, **tls)
    rows = []
    with c.cursor() as k:
        for s in q["sql"]:
            k.execute(s)
            rows = k.fetchall()
    print(json.dumps(["ok", rows], default=str))
except pymysql.Error as e:
    print(json.dumps(["error", e.args], default=str))
"""


class MariaServers(Servers):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ec2.authorize_security_group_ingress(GroupId=cls.db, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "UserIdGroupPairs": [{"GroupId": cls.app}]}])

    def create(self, i, state="available", **kw):
        return super().create(i, state, **{"Engine": "mariadb", **kw})

    def ask(self, d, *sql, user="boss", password=PASSWORD, database=None, ca=None, host=None):
        """["ok", rows of the last statement] or ["error", [number, text]]."""
        q = {"host": host or d["Endpoint"]["Address"], "port": d["Endpoint"]["Port"], "user": user, "password": password, "database": database,
             "sql": sql, "ca": ca}
        r = self.inside("/usr/bin/python3", "-c", CLIENT, json.dumps(q))
        self.assertEqual(r.returncode, 0, r.stderr)
        return json.loads(r.stdout)

    def rows(self, d, *sql, **kw):
        said, what = self.ask(d, *sql, **kw)
        self.assertEqual(said, "ok", f"{what}\n{self.virga.read_log()[-3000:]}")
        return what

    def serves(self, d, **kw):
        return self.ask(d, "SELECT 1", **kw)[0] == "ok"
