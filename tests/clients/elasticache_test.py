"""ElastiCache with real Redis and memcached servers, where virga runs as root: made, reached through the VPC, changed, failing,
saved, deleted; and the control plane, which needs no root."""
import os
import re
import subprocess
import unittest

from virga import BINARY, Refusals, Virga, wait_until

TOKEN, TOKEN2 = "correct-horse-battery", "another-horse-battery"


class Case(Refusals, unittest.TestCase):
    @classmethod
    def begin(cls, *args):
        cls.virga = Virga(*args).start()
        cls.addClassCleanup(cls.virga.close)
        cls.cache, cls.ec2 = cls.virga.client("elasticache"), cls.virga.client("ec2")

    def cluster(self, i, nodes=True):
        return self.cache.describe_cache_clusters(CacheClusterId=i, ShowCacheNodeInfo=nodes)["CacheClusters"][0]

    def group(self, i):
        return self.cache.describe_replication_groups(ReplicationGroupId=i)["ReplicationGroups"][0]

    def until(self, look, i, state="available", key=None, limit=90):
        key = key or ("Status" if look == self.group else "CacheClusterStatus")
        seen = []

        def there():
            try:
                seen.append(look(i)[key])
            except (self.cache.exceptions.CacheClusterNotFoundFault, self.cache.exceptions.ReplicationGroupNotFoundFault):
                seen.append("gone")
            self.assertNotIn("failed", seen[-1], self.virga.read_log()[-5000:])
            return seen[-1] == state
        self.assertTrue(wait_until(there, limit, 0.02), f"{seen[-1]}\n{self.virga.read_log()[-5000:]}")
        return look(i) if state != "gone" else None


class Records(Case):
    """What needs no server: the same with and without root."""

    @classmethod
    def setUpClass(cls):
        cls.begin("--simulated")

    def test_subnet_groups(self):
        v = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        a, b = (self.ec2.create_subnet(VpcId=v, CidrBlock=f"10.9.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
                for i, z in ((1, "a"), (2, "b")))
        kw = {"CacheSubnetGroupName": "Web", "CacheSubnetGroupDescription": "d"}
        self.refused("InvalidSubnet", self.cache.create_cache_subnet_group, SubnetIds=["subnet-0123456789abcdef0"], **kw)
        g = self.cache.create_cache_subnet_group(SubnetIds=[a], Tags=[{"Key": "k", "Value": "v"}], **kw)["CacheSubnetGroup"]
        self.assertEqual((g["CacheSubnetGroupName"], g["VpcId"], len(g["Subnets"])), ("web", v, 1))
        self.refused("CacheSubnetGroupAlreadyExists", self.cache.create_cache_subnet_group, SubnetIds=[a], **kw)
        tags = lambda: self.cache.list_tags_for_resource(ResourceName=g["ARN"])["TagList"]
        self.assertEqual(tags(), [{"Key": "k", "Value": "v"}])
        self.cache.add_tags_to_resource(ResourceName=g["ARN"], Tags=[{"Key": "x", "Value": "y"}])
        self.cache.remove_tags_from_resource(ResourceName=g["ARN"], TagKeys=["k"])
        self.assertEqual(tags(), [{"Key": "x", "Value": "y"}])
        self.cache.modify_cache_subnet_group(CacheSubnetGroupName="web", SubnetIds=[a, b])
        [g] = self.cache.describe_cache_subnet_groups(CacheSubnetGroupName="web")["CacheSubnetGroups"]
        self.assertEqual({s["SubnetAvailabilityZone"]["Name"] for s in g["Subnets"]}, {"us-east-1a", "us-east-1b"})
        self.cache.create_cache_cluster(CacheClusterId="inside", Engine="redis", CacheNodeType="cache.t3.micro", CacheSubnetGroupName="web")
        self.until(self.cluster, "inside")
        self.refused("CacheSubnetGroupInUse", self.cache.delete_cache_subnet_group, CacheSubnetGroupName="web")
        self.cache.delete_cache_cluster(CacheClusterId="inside")
        self.until(self.cluster, "inside", "gone")
        self.cache.delete_cache_subnet_group(CacheSubnetGroupName="web")
        self.refused("CacheSubnetGroupNotFoundFault", self.cache.describe_cache_subnet_groups, CacheSubnetGroupName="web")

    def test_parameter_groups(self):
        kw = {"CacheParameterGroupName": "mine", "CacheParameterGroupFamily": "redis7", "Description": "d"}
        self.refused("InvalidParameterValue", self.cache.create_cache_parameter_group, **{**kw, "CacheParameterGroupFamily": "redis99"})
        self.cache.create_cache_parameter_group(**kw)
        self.refused("CacheParameterGroupAlreadyExists", self.cache.create_cache_parameter_group, **kw)

        def change(name, value, group="mine"):
            return self.cache.modify_cache_parameter_group(CacheParameterGroupName=group, ParameterNameValues=[
                {"ParameterName": name, "ParameterValue": value}])

        change("maxmemory-policy", "allkeys-lru")
        change("timeout", "30")
        for name, value in (("maxmemory-policy", "none"), ("timeout", "10"), ("nonsense", "1"), ("appendonly", "yes"), ("databases", "x y")):
            self.refused("InvalidParameterValue", change, name, value)
        self.refused("InvalidParameterValue", change, "timeout", "30", "default.redis7")
        user = lambda: {p["ParameterName"]: p["ParameterValue"] for p in
                        self.cache.describe_cache_parameters(CacheParameterGroupName="mine", Source="user")["Parameters"]}
        self.assertEqual(user(), {"maxmemory-policy": "allkeys-lru", "timeout": "30"})
        self.cache.reset_cache_parameter_group(CacheParameterGroupName="mine", ParameterNameValues=[{"ParameterName": "timeout"}])
        self.assertEqual(user(), {"maxmemory-policy": "allkeys-lru"})
        self.cache.reset_cache_parameter_group(CacheParameterGroupName="mine", ResetAllParameters=True)
        self.assertEqual(user(), {})
        names = {g["CacheParameterGroupName"] for g in self.cache.describe_cache_parameter_groups()["CacheParameterGroups"]}
        self.assertLessEqual({"mine", "default.redis7", "default.redis7.cluster.on", "default.memcached1.6"}, names)
        self.cache.delete_cache_parameter_group(CacheParameterGroupName="mine")
        self.refused("CacheParameterGroupNotFound", self.cache.describe_cache_parameters, CacheParameterGroupName="mine")
        d = self.cache.describe_engine_default_parameters(CacheParameterGroupFamily="memcached1.6")["EngineDefaults"]
        self.assertIn("max_item_size", {p["ParameterName"] for p in d["Parameters"]})

    def test_versions(self):
        versions = {v["Engine"]: v["CacheParameterGroupFamily"] for v in self.cache.describe_cache_engine_versions()["CacheEngineVersions"]}
        self.assertEqual(versions, {"redis": "redis7", "memcached": "memcached1.6"})
        [v] = self.cache.describe_cache_engine_versions(Engine="redis", EngineVersion="7.0")["CacheEngineVersions"]
        self.assertTrue(v["EngineVersion"].startswith("7.0."))

    def test_users(self):
        kw = {"UserId": "app", "UserName": "app", "Engine": "redis", "AccessString": "on ~app:* +@all"}
        self.refused("InvalidParameterCombination", self.cache.create_user, **kw)
        self.refused("InvalidParameterValue", self.cache.create_user, Passwords=["short"], **kw)
        self.refused("InvalidParameterValue", self.cache.create_user, NoPasswordRequired=True, **{**kw, "AccessString": "on >secret +@all"})
        u = self.cache.create_user(Passwords=[TOKEN, TOKEN2], **kw)
        self.assertEqual((u["Status"], u["Authentication"]), ("active", {"Type": "password", "PasswordCount": 2}))
        self.refused("UserAlreadyExists", self.cache.create_user, Passwords=[TOKEN], **kw)
        self.refused("DefaultUserRequired", self.cache.create_user_group, UserGroupId="g", Engine="redis", UserIds=["app"])
        self.refused("UserNotFound", self.cache.create_user_group, UserGroupId="g", Engine="redis", UserIds=["default", "nobody"])
        g = self.cache.create_user_group(UserGroupId="g", Engine="redis", UserIds=["default", "app"])
        self.assertEqual(g["UserIds"], ["default", "app"])
        self.assertEqual(self.cache.describe_users(UserId="app")["Users"][0]["UserGroupIds"], ["g"])
        self.assertEqual({u["UserId"] for u in self.cache.describe_users()["Users"]}, {"default", "app"})
        u = self.cache.modify_user(UserId="app", AppendAccessString="-flushall")
        self.assertEqual(u["AccessString"], "on ~app:* +@all -flushall")
        self.cache.modify_user_group(UserGroupId="g", UserIdsToRemove=["app"])
        self.assertEqual(self.cache.describe_user_groups(UserGroupId="g")["UserGroups"][0]["UserIds"], ["default"])
        self.cache.delete_user(UserId="app")
        self.refused("UserNotFound", self.cache.describe_users, UserId="app")
        self.refused("InvalidUserState", self.cache.delete_user, UserId="default")
        self.cache.delete_user_group(UserGroupId="g")
        self.refused("UserGroupNotFound", self.cache.describe_user_groups, UserGroupId="g")

    def test_bad_requests(self):
        kw = {"CacheClusterId": "c1", "Engine": "redis", "CacheNodeType": "cache.t3.micro"}
        for code, change in (
                ("InvalidParameterValue", {"CacheClusterId": "1c"}), ("InvalidParameterValue", {"Engine": "valkey"}),
                ("InvalidParameterValue", {"CacheNodeType": "cache.huge"}), ("InvalidParameterValue", {"NumCacheNodes": 2}),
                ("InvalidParameterCombination", {"EngineVersion": "6.2"}), ("CacheParameterGroupNotFound", {"CacheParameterGroupName": "none"}),
                ("InvalidParameterCombination", {"CacheParameterGroupName": "default.memcached1.6"}),
                ("CacheSubnetGroupNotFoundFault", {"CacheSubnetGroupName": "none"}), ("SnapshotNotFoundFault", {"SnapshotName": "none"}),
                ("InvalidParameterValue", {"SecurityGroupIds": ["sg-0123456789abcdef0"]}),
                ("InvalidParameterValue", {"PreferredMaintenanceWindow": "sun:05:00-sun:05:10"})):
            self.refused(code, self.cache.create_cache_cluster, **{**kw, **change})
        kw = {"ReplicationGroupId": "r1", "ReplicationGroupDescription": "d", "CacheNodeType": "cache.t3.micro", "Engine": "redis"}
        for code, change in (
                ("InvalidParameterCombination", {"AutomaticFailoverEnabled": True}), ("InvalidParameterCombination", {"AuthToken": TOKEN}),
                ("InvalidParameterValue", {"AuthToken": "short", "TransitEncryptionEnabled": True}),
                ("InvalidParameterCombination", {"NumNodeGroups": 2}), ("InvalidParameterValue", {"NumCacheClusters": 9}),
                ("InvalidParameterCombination", {"MultiAZEnabled": True, "NumCacheClusters": 2}),
                ("InvalidParameterCombination", {"UserGroupIds": ["x"]}), ("NotImplemented", {"DataTieringEnabled": True})):
            self.refused(code, self.cache.create_replication_group, **{**kw, **change})
        self.assertEqual(self.cache.describe_replication_groups()["ReplicationGroups"], [])
        self.refused("CacheClusterNotFound", self.cache.describe_cache_clusters, CacheClusterId="none")
        self.refused("ReplicationGroupNotFoundFault", self.cache.describe_replication_groups, ReplicationGroupId="none")

    def test_simulated(self):
        self.cache.create_replication_group(ReplicationGroupId="sim", ReplicationGroupDescription="d", CacheNodeType="cache.t3.micro",
                                            NumCacheClusters=2, AutomaticFailoverEnabled=True)
        g = self.until(self.group, "sim")
        self.assertEqual([m["CurrentRole"] for m in g["NodeGroups"][0]["NodeGroupMembers"]], ["primary", "replica"])
        self.assertRegex(g["NodeGroups"][0]["PrimaryEndpoint"]["Address"], r"^sim\.[a-z0-9]{6}\.ng\.0001\.use1\.cache\.amazonaws\.com$")
        messages = [e["Message"] for e in self.cache.describe_events(SourceType="replication-group", SourceIdentifier="sim")["Events"]]
        self.assertTrue(any("simulated" in m for m in messages), messages)
        self.cache.delete_replication_group(ReplicationGroupId="sim")
        self.until(self.group, "sim", "gone")


class Real(Case):
    @classmethod
    def setUpClass(cls):
        cls.begin()
        ec2 = cls.ec2
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
                   for i, z in ((1, "a"), (2, "b"), (3, "c"))]
        cls.app, cls.sg = (ec2.create_security_group(VpcId=vpc, GroupName=n, Description=n)["GroupId"] for n in ("app", "cache"))
        cls.rule = {"IpProtocol": "tcp", "FromPort": 6000, "ToPort": 12000, "UserIdGroupPairs": [{"GroupId": cls.app}]}
        ec2.authorize_security_group_ingress(GroupId=cls.sg, IpPermissions=[cls.rule])
        cls.cache.create_cache_subnet_group(CacheSubnetGroupName="caches", CacheSubnetGroupDescription="d", SubnetIds=subnets)
        # A place in the VPC from which clients call: a cache of the application's group.
        cls.cache.create_cache_cluster(CacheClusterId="host", Engine="memcached", CacheNodeType="cache.t3.micro",
                                       CacheSubnetGroupName="caches", SecurityGroupIds=[cls.app])

    def setUp(self):
        self.until(self.cluster, "host")
        if "simulated" in self.virga.read_log():
            self.skipTest("compute is simulated here")

    def eni(self, cluster):
        [n] = self.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": [f"ElastiCache {cluster}"]}])["NetworkInterfaces"]
        return n["NetworkInterfaceId"]

    def namespace(self, eni):
        names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.split()
        return next((n for n in names if n.endswith(eni)), None)

    def inside(self, *command, **kw):
        """Runs a command at the application's place in the VPC, which asks the VPC's resolver."""
        resolv = os.path.join(self.virga.folder, "resolv.conf")
        with open(resolv, "w") as f:
            f.write("nameserver 10.0.0.2\n")
        line = f"mount --bind {resolv} /etc/resolv.conf && exec \"$@\""
        return subprocess.run(["ip", "netns", "exec", self.namespace(self.eni("host")) or "none", "sh", "-c", line, "sh", *command],
                              capture_output=True, text=True, timeout=60, **kw)

    def redis(self, endpoint, *words, token=None, user=None, tls=False, cluster=False):
        """What redis-cli says, from inside the VPC."""
        command = ["timeout", "8", "redis-cli", "-h", endpoint["Address"], "-p", str(endpoint["Port"]), "--no-auth-warning"]
        command += ["-a", token] if token else []
        command += ["--user", user] if user else []
        command += ["--tls", "--cacert", os.path.join(self.virga.data, "ca.pem"), "--sni", endpoint["Address"]] if tls else []
        command += ["-c"] if cluster else []
        r = self.inside(*command, *words)
        return (r.stdout + r.stderr).strip()

    def settle(self, f, want, limit=30):
        seen = []

        def there():
            seen.append(f())
            return seen[-1] == want
        self.assertTrue(wait_until(there, limit, 0.1), f"{seen[-1]!r} is not {want!r}\n{self.virga.read_log()[-4000:]}")

    def create(self, i, **kw):
        self.cache.create_replication_group(ReplicationGroupId=i, ReplicationGroupDescription="d", Engine="redis",
                                            CacheNodeType="cache.t3.micro", CacheSubnetGroupName="caches", SecurityGroupIds=[self.sg], **kw)
        return self.until(self.group, i)

    def delete(self, *ids, **kw):
        for i in ids:
            self.cache.delete_replication_group(ReplicationGroupId=i, **kw)
        for i in ids:
            self.until(self.group, i, "gone")

    def kill(self, cluster):
        """kill -9 of a node's server."""
        pids = subprocess.run(["ip", "netns", "pids", self.namespace(self.eni(cluster))], capture_output=True, text=True).stdout.split()
        for p in pids:
            with open(f"/proc/{p}/comm") as f:
                if f.read().startswith("redis"):
                    os.kill(int(p), 9)

    def members(self, i):
        return {m["CurrentRole"]: m["CacheClusterId"] for m in self.group(i)["NodeGroups"][0]["NodeGroupMembers"]}

    def test_memcached(self):
        self.cache.create_cache_cluster(CacheClusterId="mem", Engine="memcached", NumCacheNodes=2, CacheNodeType="cache.t3.micro",
                                        CacheSubnetGroupName="caches", SecurityGroupIds=[self.sg], AZMode="cross-az")
        c = self.until(self.cluster, "mem")
        self.assertRegex(c["ConfigurationEndpoint"]["Address"], r"^mem\.[a-z0-9]{6}\.cfg\.use1\.cache\.amazonaws\.com$")
        self.assertEqual([n["CacheNodeId"] for n in c["CacheNodes"]], ["0001", "0002"])
        self.assertEqual(len({n["CustomerAvailabilityZone"] for n in c["CacheNodes"]}), 2)

        def ask(n, text):
            e = c["CacheNodes"][n]["Endpoint"]
            code = ("import socket,sys; s=socket.create_connection((sys.argv[1],int(sys.argv[2])),3); s.sendall(sys.argv[3].encode()); "
                    "s.settimeout(3); print(s.recv(4096).decode().replace(chr(13),''),end='')")
            return self.inside("python3", "-c", code, e["Address"], str(e["Port"]), text).stdout
        self.assertEqual(ask(0, "set a 0 0 2\r\nhi\r\n"), "STORED\n")
        self.assertEqual(ask(0, "get a\r\n"), "VALUE a 0 2\nhi\nEND\n")
        self.assertEqual(ask(1, "get a\r\n"), "END\n")
        self.assertIn("STAT threads 2", ask(0, "stats\r\n"))
        # One node more, and one less.
        self.cache.modify_cache_cluster(CacheClusterId="mem", NumCacheNodes=3, ApplyImmediately=True)
        c = self.until(self.cluster, "mem")
        self.assertEqual(ask(2, "get a\r\n"), "END\n")
        self.cache.modify_cache_cluster(CacheClusterId="mem", NumCacheNodes=2, CacheNodeIdsToRemove=["0002"], ApplyImmediately=True)
        c = self.until(self.cluster, "mem")
        self.assertEqual([n["CacheNodeId"] for n in c["CacheNodes"]], ["0001", "0003"])
        self.assertEqual(ask(0, "get a\r\n"), "VALUE a 0 2\nhi\nEND\n")
        # A reboot empties a cache.
        self.cache.reboot_cache_cluster(CacheClusterId="mem", CacheNodeIdsToReboot=["0001"])
        self.until(self.cluster, "mem")
        self.assertEqual(ask(0, "get a\r\n"), "END\n")
        self.cache.delete_cache_cluster(CacheClusterId="mem")
        self.until(self.cluster, "mem", "gone")

    def test_single(self):
        self.cache.create_cache_parameter_group(CacheParameterGroupName="pg", CacheParameterGroupFamily="redis7", Description="d")
        self.cache.create_cache_cluster(CacheClusterId="one", Engine="redis", CacheNodeType="cache.t3.micro", CacheSubnetGroupName="caches",
                                        SecurityGroupIds=[self.sg], CacheParameterGroupName="pg")
        c = self.until(self.cluster, "one")
        e = c["CacheNodes"][0]["Endpoint"]
        self.assertEqual(self.redis(e, "SET", "k", "v"), "OK")
        self.assertEqual(self.redis(e, "CONFIG", "GET", "maxmemory")[:6], "NOPERM")
        self.assertIn("NOPERM", self.redis(e, "SHUTDOWN"))
        info = self.redis(e, "INFO")
        self.assertIn("maxmemory:402653", info)  # three quarters of 512 MiB
        self.assertIn("redis_version:" + c["EngineVersion"], info)
        # Security groups decide.
        self.ec2.revoke_security_group_ingress(GroupId=self.sg, IpPermissions=[self.rule])
        self.settle(lambda: "PONG" in self.redis(e, "PING"), False)
        self.ec2.authorize_security_group_ingress(GroupId=self.sg, IpPermissions=[self.rule])
        self.settle(lambda: "PONG" in self.redis(e, "PING"), True)
        # Parameters: at once, or after a reboot.
        self.cache.modify_cache_parameter_group(CacheParameterGroupName="pg", ParameterNameValues=[
            {"ParameterName": "maxmemory-policy", "ParameterValue": "allkeys-lru"}, {"ParameterName": "databases", "ParameterValue": "3"}])
        self.settle(lambda: "maxmemory_policy:allkeys-lru" in self.redis(e, "INFO", "memory"), True)
        self.settle(lambda: self.cluster("one")["CacheParameterGroup"]["ParameterApplyStatus"], "pending-reboot")
        self.assertEqual(self.redis(e, "-n", "9", "PING"), "PONG")
        # A crash of virga is not the cache's.
        run = next(x for x in self.redis(e, "INFO", "server").split() if x.startswith("run_id:"))
        self.virga.restart()
        self.settle(lambda: run in self.redis(e, "INFO", "server"), True)
        self.assertEqual(self.redis(e, "GET", "k"), "v")
        # Snapshots.
        self.cache.create_snapshot(SnapshotName="snap", CacheClusterId="one")
        shot = lambda n="snap": self.cache.describe_snapshots(SnapshotName=n, ShowNodeGroupConfig=True)["Snapshots"][0]
        self.settle(lambda: shot()["SnapshotStatus"], "available")
        self.until(self.cluster, "one")
        self.refused("SnapshotAlreadyExistsFault", self.cache.create_snapshot, SnapshotName="snap", CacheClusterId="one")
        self.cache.copy_snapshot(SourceSnapshotName="snap", TargetSnapshotName="copy")
        self.settle(lambda: shot("copy")["SnapshotStatus"], "available")
        s3 = self.virga.client("s3")
        s3.create_bucket(Bucket="exports")
        self.refused("InvalidParameterValue", self.cache.copy_snapshot, SourceSnapshotName="snap", TargetSnapshotName="out", TargetBucket="no-such")
        self.cache.copy_snapshot(SourceSnapshotName="snap", TargetSnapshotName="out", TargetBucket="exports")
        self.settle(lambda: shot()["SnapshotStatus"], "available")
        self.assertEqual(s3.get_object(Bucket="exports", Key="out.rdb")["Body"].read()[:5], b"REDIS")
        self.cache.delete_snapshot(SnapshotName="snap")
        # A reboot empties it, and brings the static parameters.
        self.cache.reboot_cache_cluster(CacheClusterId="one", CacheNodeIdsToReboot=["0001"])
        self.until(self.cluster, "one")
        self.assertEqual(self.redis(e, "GET", "k"), "")
        self.assertIn("ERR", self.redis(e, "-n", "9", "PING"))
        self.settle(lambda: self.cluster("one")["CacheParameterGroup"]["ParameterApplyStatus"], "in-sync")
        # A larger node, at once.
        self.assertIn("cache.m5.large", self.cache.list_allowed_node_type_modifications(CacheClusterId="one")["ScaleUpModifications"])
        m = self.cache.modify_cache_cluster(CacheClusterId="one", CacheNodeType="cache.t3.small")["CacheCluster"]
        self.assertEqual(m["PendingModifiedValues"]["CacheNodeType"], "cache.t3.small")
        self.cache.modify_cache_cluster(CacheClusterId="one", CacheNodeType="cache.t3.small", ApplyImmediately=True)
        self.settle(lambda: "maxmemory:11032" in self.redis(e, "INFO", "memory"), True)
        # Another from the copy.
        self.cache.create_cache_cluster(CacheClusterId="two", Engine="redis", CacheNodeType="cache.t3.micro", CacheSubnetGroupName="caches",
                                        SecurityGroupIds=[self.sg], SnapshotName="copy")
        e2 = self.until(self.cluster, "two")["CacheNodes"][0]["Endpoint"]
        self.assertEqual(self.redis(e2, "GET", "k"), "v")
        # What it held when virga was stopped is there when it is started again.
        self.assertEqual(self.virga.stop(), 0)
        self.virga.start(self.virga.port)
        self.settle(lambda: self.redis(e2, "GET", "k"), "v")
        # Metrics.
        cw = self.virga.client("cloudwatch")

        def names():
            subprocess.run([BINARY, "clock", "--endpoint", self.virga.endpoint, "advance", "2m"], check=True, capture_output=True)
            pages = cw.get_paginator("list_metrics").paginate(Namespace="AWS/ElastiCache", Dimensions=[{"Name": "CacheClusterId", "Value": "two"}])
            return {m["MetricName"] for p in pages for m in p["Metrics"]}
        self.settle(lambda: {"CurrConnections", "CacheHits", "BytesUsedForCache", "CPUUtilization"} - names(), set())
        for i in ("one", "two"):
            self.cache.delete_cache_cluster(CacheClusterId=i)
        for i in ("one", "two"):
            self.until(self.cluster, i, "gone")
        self.cache.delete_snapshot(SnapshotName="copy")

    def test_failover(self):
        g = self.create("rg", NumCacheClusters=3, AutomaticFailoverEnabled=True, MultiAZEnabled=True)
        n = g["NodeGroups"][0]
        write, read = n["PrimaryEndpoint"], n["ReaderEndpoint"]
        self.assertEqual(g["MemberClusters"], ["rg-001", "rg-002", "rg-003"])
        self.assertEqual(len({m["PreferredAvailabilityZone"] for m in n["NodeGroupMembers"]}), 3)
        self.assertEqual(self.redis(write, "SET", "k", "v"), "OK")
        self.settle(lambda: self.redis(read, "GET", "k"), "v")
        self.assertIn("READONLY", self.redis(read, "SET", "k", "w"))
        # The primary dies: a replica takes over, the endpoint moves, nothing is lost, and the old one comes back as a replica.
        old = self.members("rg")["primary"]
        self.assertEqual(self.redis(write, "WAIT", "2", "3000"), "2")
        self.kill(old)
        self.settle(lambda: self.members("rg")["primary"] != old, True)
        self.settle(lambda: self.redis(write, "SET", "after", "1"), "OK")
        self.assertEqual(self.redis(write, "GET", "k"), "v")
        self.settle(lambda: "connected_slaves:2" in self.redis(write, "INFO", "replication"), True)
        messages = [e["Message"] for e in self.cache.describe_events(SourceType="replication-group", SourceIdentifier="rg")["Events"]]
        self.assertTrue(any("Failover from master node" in m for m in messages), messages)
        # By hand, and to a replica of one's choice.
        self.settle(lambda: self.group("rg")["Status"], "available")
        old = self.members("rg")["primary"]
        self.refused("NodeGroupNotFoundFault", self.cache.test_failover, ReplicationGroupId="rg", NodeGroupId="0002")
        self.cache.test_failover(ReplicationGroupId="rg", NodeGroupId="0001")
        self.until(self.group, "rg")
        self.assertNotEqual(self.members("rg")["primary"], old)
        self.refused("InvalidParameterCombination", self.cache.modify_replication_group, ReplicationGroupId="rg", PrimaryClusterId=old)
        self.cache.modify_replication_group(ReplicationGroupId="rg", AutomaticFailoverEnabled=False, MultiAZEnabled=False, ApplyImmediately=True)
        self.cache.modify_replication_group(ReplicationGroupId="rg", PrimaryClusterId=old, ApplyImmediately=True)
        self.until(self.group, "rg")
        self.assertEqual(self.members("rg")["primary"], old)
        self.settle(lambda: self.redis(write, "GET", "k"), "v")
        # Fewer and more replicas.
        self.cache.decrease_replica_count(ReplicationGroupId="rg", NewReplicaCount=1, ApplyImmediately=True)
        self.assertEqual(len(self.until(self.group, "rg")["MemberClusters"]), 2)
        self.cache.increase_replica_count(ReplicationGroupId="rg", NewReplicaCount=2, ApplyImmediately=True)
        self.assertEqual(len(self.until(self.group, "rg")["MemberClusters"]), 3)
        self.settle(lambda: "connected_slaves:2" in self.redis(write, "INFO", "replication"), True)
        # A zone goes down.
        self.cache.modify_replication_group(ReplicationGroupId="rg", AutomaticFailoverEnabled=True, ApplyImmediately=True)
        primary = next(m for m in self.group("rg")["NodeGroups"][0]["NodeGroupMembers"] if m["CurrentRole"] == "primary")
        zone = ["--endpoint", self.virga.endpoint, "az", primary["PreferredAvailabilityZone"]]
        subprocess.run([BINARY, "fault", *zone, "down"], check=True, capture_output=True)
        self.settle(lambda: self.members("rg")["primary"] != primary["CacheClusterId"], True)
        subprocess.run([BINARY, "fault", *zone, "up"], check=True, capture_output=True)
        self.settle(lambda: self.redis(write, "GET", "k"), "v")
        self.settle(lambda: "connected_slaves:2" in self.redis(write, "INFO", "replication"), True)
        self.settle(lambda: self.group("rg")["Status"], "available")
        # Deleted with a last snapshot.
        self.delete("rg", FinalSnapshotIdentifier="last")
        self.assertEqual(self.cache.describe_snapshots(SnapshotName="last")["Snapshots"][0]["SnapshotStatus"], "available")
        self.cache.delete_snapshot(SnapshotName="last")

    def test_tls_and_users(self):
        g = self.create("safe", NumCacheClusters=2, AutomaticFailoverEnabled=True, TransitEncryptionEnabled=True, AuthToken=TOKEN)
        write = g["NodeGroups"][0]["PrimaryEndpoint"]
        self.assertRegex(write["Address"], r"^master\.safe\.[a-z0-9]{6}\.use1\.cache\.amazonaws\.com$")
        self.assertNotIn("PONG", self.redis(write, "PING", token=TOKEN))
        self.assertIn("NOAUTH", self.redis(write, "PING", tls=True))
        self.assertEqual(self.redis(write, "SET", "k", "v", token=TOKEN, tls=True), "OK")
        # A new token beside the old one, then alone.
        ask = lambda token: self.redis(write, "GET", "k", token=token, tls=True)
        self.cache.modify_replication_group(ReplicationGroupId="safe", AuthToken=TOKEN2, AuthTokenUpdateStrategy="ROTATE", ApplyImmediately=True)
        self.settle(lambda: (ask(TOKEN), ask(TOKEN2)), ("v", "v"))
        self.cache.modify_replication_group(ReplicationGroupId="safe", AuthToken=TOKEN2, AuthTokenUpdateStrategy="SET", ApplyImmediately=True)
        self.settle(lambda: ("NOAUTH" in ask(TOKEN) or "WRONGPASS" in ask(TOKEN), ask(TOKEN2)), (True, "v"))
        # Users.
        self.cache.create_user(UserId="off", UserName="default", Engine="redis", AccessString="off ~* -@all", NoPasswordRequired=True)
        self.cache.create_user(UserId="app", UserName="app", Engine="redis", AccessString="on ~app:* +@read +set", Passwords=[TOKEN])
        self.cache.create_user_group(UserGroupId="team", Engine="redis", UserIds=["off", "app"])
        self.cache.modify_replication_group(ReplicationGroupId="safe", AuthTokenUpdateStrategy="DELETE", UserGroupIdsToAdd=["team"], ApplyImmediately=True)
        app = lambda *words: self.redis(write, *words, user="app", token=TOKEN, tls=True)
        self.settle(lambda: app("SET", "app:1", "x"), "OK")
        self.assertIn("NOPERM", app("SET", "other", "x"))
        self.assertIn("NOPERM", app("DEL", "app:1"))
        self.assertIn("WRONGPASS", self.redis(write, "PING", user="app", token=TOKEN2, tls=True))
        self.cache.modify_user(UserId="app", AccessString="on ~app:* +@all")
        self.settle(lambda: app("DEL", "app:1"), "1")
        self.refused("InvalidUserGroupState", self.cache.delete_user_group, UserGroupId="team")
        # After a failover its users are there, too.
        old = self.members("safe")["primary"]
        self.kill(old)
        self.settle(lambda: self.members("safe")["primary"] != old, True)
        self.settle(lambda: app("SET", "app:2", "y"), "OK")
        self.delete("safe")

    def test_cluster_mode(self):
        g = self.create("spread", NumNodeGroups=3, ReplicasPerNodeGroup=1, AutomaticFailoverEnabled=True)
        self.assertEqual([n["Slots"] for n in g["NodeGroups"]], ["0-5460", "5461-10921", "10922-16383"])
        e = g["ConfigurationEndpoint"]
        self.assertEqual(self.redis(e, "SET", "foo", "1", cluster=True), "OK")
        self.assertEqual(self.redis(e, "SET", "bar", "2", cluster=True), "OK")
        self.assertIn("cluster_state:ok", self.redis(e, "CLUSTER", "INFO"))
        self.assertIn("NOPERM", self.redis(e, "CLUSTER", "RESET"))
        # foo's slot is 12182: the third shard's primary dies.
        node = g["NodeGroups"][2]
        self.settle(lambda: self.redis(e, "CLUSTER", "NODES").count("slave"), 3)
        self.kill(node["NodeGroupMembers"][0]["CacheClusterId"])
        self.settle(lambda: self.redis(e, "GET", "foo", cluster=True), "1", 60)
        self.settle(lambda: re.findall(r"\bfail\b", self.redis(e, "CLUSTER", "NODES")), [], 60)
        # A snapshot of all shards, and what comes of it.
        self.until(self.group, "spread")
        self.cache.create_snapshot(SnapshotName="shards", ReplicationGroupId="spread")
        self.settle(lambda: self.cache.describe_snapshots(SnapshotName="shards")["Snapshots"][0]["SnapshotStatus"], "available")
        self.until(self.group, "spread")
        self.delete("spread")
        g = self.create("again", SnapshotName="shards", AutomaticFailoverEnabled=True, ReplicasPerNodeGroup=0,
                        CacheParameterGroupName="default.redis7.cluster.on")
        self.assertEqual(len(g["NodeGroups"]), 3)
        self.settle(lambda: (self.redis(g["ConfigurationEndpoint"], "GET", "foo", cluster=True),
                             self.redis(g["ConfigurationEndpoint"], "GET", "bar", cluster=True)), ("1", "2"))
        self.delete("again")
        self.cache.delete_snapshot(SnapshotName="shards")


if __name__ == "__main__":
    unittest.main()
