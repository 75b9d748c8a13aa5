"""What the suites of DB clusters with real servers share."""
import os
import subprocess

from rds_case import PASSWORD, Servers
from virga import wait_until


class Clusters(Servers):
    WRITE = """
i=0
while [ ! -e "$2" ]; do
  i=$((i + 1))
  if psql "$1" -qXc "INSERT INTO w VALUES ($i)" 2>/dev/null; then echo $i $(date +%s%N); fi
done
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        third = cls.ec2.create_subnet(VpcId=cls.vpc, CidrBlock="10.0.3.0/24", AvailabilityZone="us-east-1c")["Subnet"]["SubnetId"]
        cls.rds.modify_db_subnet_group(DBSubnetGroupName="dbs", SubnetIds=cls.subnets + [third])

    def cluster(self, i):
        return self.rds.describe_db_clusters(DBClusterIdentifier=i)["DBClusters"][0]

    def until_cluster(self, i, state="available", limit=120):
        seen = []

        def there():
            try:
                seen.append(self.cluster(i)["Status"])
            except self.rds.exceptions.DBClusterNotFoundFault:
                seen.append("gone")
            return seen[-1] == state
        self.assertTrue(wait_until(there, limit, 0.02), f"{seen[-1]}\n{self.virga.read_log()[-5000:]}")
        return self.cluster(i) if state != "gone" else None

    def writer(self, i):
        return next((m["DBInstanceIdentifier"] for m in self.cluster(i)["DBClusterMembers"] if m["IsClusterWriter"]), None)

    def make(self, i, **kw):
        kw = {"Engine": "aurora-postgresql", "MasterUsername": "boss", "MasterUserPassword": PASSWORD, "DBSubnetGroupName": "dbs",
              "VpcSecurityGroupIds": [self.db], **kw}
        made = self.rds.create_db_cluster(DBClusterIdentifier=i, **kw)["DBCluster"]
        self.assertEqual(made["Status"], "creating")
        return made

    def member(self, cluster, i, **kw):
        return self.rds.create_db_instance(DBInstanceIdentifier=i, DBClusterIdentifier=cluster, Engine="aurora-postgresql",
                                           **{"DBInstanceClass": "db.t3.medium", "PubliclyAccessible": False, **kw})["DBInstance"]

    @staticmethod
    def at(address):
        return {"Endpoint": {"Address": address, "Port": 5432}}

    def full(self, i, n):
        """Until all members answer, and follow their writer."""
        def there():
            members = self.cluster(i)["DBClusterMembers"]
            return len(members) == n and all(self.describe(m["DBInstanceIdentifier"])["DBInstanceStatus"] == "available" for m in members)
        self.assertTrue(wait_until(there, 120), self.virga.read_log()[-3000:])

    def begin_writing(self, cluster):
        stop, told = (os.path.join(self.virga.folder, n) for n in (f"stop-{cluster}", f"told-{cluster}"))
        url = self.url(self.at(self.cluster(cluster)["Endpoint"])).replace("connect_timeout=3", "connect_timeout=2")
        self.inside("true")
        with open(told, "w") as f:
            process = subprocess.Popen(["ip", "netns", "exec", self.namespace(self.host), "sh", "-c",
                                        f"mount --bind {self.virga.folder}/resolv.conf /etc/resolv.conf && {self.WRITE}", "sh", url, stop], stdout=f,
                                       stderr=subprocess.DEVNULL)

        def answered():
            with open(told) as f:
                return [tuple(map(int, line.split())) for line in f if line.endswith("\n")]

        def end():
            open(stop, "w").close()
            process.wait(60)
            return answered()
        self.addCleanup(end)
        self.assertTrue(wait_until(lambda: len(answered()) > 3, 60), self.virga.read_log()[-3000:])
        return answered, end

    def goes_on(self, answered):
        n = len(answered())
        self.assertTrue(wait_until(lambda: len(answered()) > n + 3, 60), self.virga.read_log()[-3000:])
