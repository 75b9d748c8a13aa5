"""CloudWatch Logs through boto3: groups and streams, events in and out by time, filter patterns, metric filters, retention on the
virtual clock, Insights queries, and what a crash leaves."""
import datetime
import gzip
import json
import subprocess
import time
import unittest


from virga import BINARY, Virga, code_of

NEEDS_BOTO3 = (1, 40)
ACCOUNT = "000000000000"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)
        cls.logs = cls.v.client("logs")

    def advance(self, by):
        subprocess.run([BINARY, "clock", "advance", by, "--endpoint", self.v.endpoint], check=True, capture_output=True)

    def now(self):
        at = datetime.datetime.fromisoformat(json.loads(self.v.get("/_virga/clock")[2])["time"].replace("Z", "+00:00"))
        return int(at.timestamp() * 1000)

    def group(self, name, *streams):
        self.logs.create_log_group(logGroupName=name)
        for s in streams:
            self.logs.create_log_stream(logGroupName=name, logStreamName=s)
        return name

    def put(self, group, stream, *events):
        """(time, message) each."""
        return self.logs.put_log_events(logGroupName=group, logStreamName=stream,
                                        logEvents=[{"timestamp": t, "message": m} for t, m in events])

    def filtered(self, group, pattern="", **kw):
        return [e["message"] for page in self.logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern=pattern, **kw) for e in page["events"]]


class Groups(Case):
    def test_groups_and_streams(self):
        self.logs.create_log_group(logGroupName="/app/one", tags={"a": "1"})
        self.assertEqual(code_of(self.logs.create_log_group, logGroupName="/app/one"), "ResourceAlreadyExistsException")
        self.group("/app/two", "s2", "s1")
        names = lambda **kw: [g["logGroupName"] for g in self.logs.describe_log_groups(**kw)["logGroups"]]
        self.assertEqual(names(logGroupNamePrefix="/app/"), ["/app/one", "/app/two"])
        self.assertEqual(names(logGroupNamePattern="TWO"), ["/app/two"])
        page = self.logs.describe_log_groups(logGroupNamePrefix="/app/", limit=1)
        self.assertEqual(names(logGroupNamePrefix="/app/", nextToken=page["nextToken"]), ["/app/two"])
        one = page["logGroups"][0]
        self.assertEqual((one["arn"], one["storedBytes"], one["metricFilterCount"], one["logGroupClass"]),
                         (f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/app/one:*", 0, 0, "STANDARD"))
        self.assertNotIn("retentionInDays", one)
        self.logs.put_retention_policy(logGroupName="/app/one", retentionInDays=7)
        self.assertEqual(self.logs.describe_log_groups(logGroupNamePrefix="/app/one")["logGroups"][0]["retentionInDays"], 7)
        self.logs.delete_retention_policy(logGroupName="/app/one")
        self.assertNotIn("retentionInDays", self.logs.describe_log_groups(logGroupNamePrefix="/app/one")["logGroups"][0])
        self.assertEqual(code_of(self.logs.put_retention_policy, logGroupName="/app/one", retentionInDays=8), "InvalidParameterException")
        arn = one["logGroupArn"]
        self.logs.tag_resource(resourceArn=arn, tags={"b": "2"})
        self.logs.tag_log_group(logGroupName="/app/one", tags={"c": "3"})
        self.logs.untag_resource(resourceArn=arn, tagKeys=["a"])
        self.logs.untag_log_group(logGroupName="/app/one", tags=["c"])
        self.assertEqual(self.logs.list_tags_for_resource(resourceArn=arn)["tags"], {"b": "2"})
        self.assertEqual(self.logs.list_tags_log_group(logGroupName="/app/one")["tags"], {"b": "2"})
        t = self.now()
        self.put("/app/two", "s1", (t - 5000, "a"), (t, "b"))
        self.put("/app/two", "s2", (t - 9000, "c"))
        by_name = self.logs.describe_log_streams(logGroupName="/app/two")["logStreams"]
        self.assertEqual([s["logStreamName"] for s in by_name], ["s1", "s2"])
        self.assertEqual((by_name[0]["firstEventTimestamp"], by_name[0]["lastEventTimestamp"]), (t - 5000, t))
        by_time = self.logs.describe_log_streams(logGroupName="/app/two", orderBy="LastEventTime", descending=True, limit=1)
        self.assertEqual(by_time["logStreams"][0]["logStreamName"], "s1")
        rest = self.logs.describe_log_streams(logGroupName="/app/two", orderBy="LastEventTime", descending=True, nextToken=by_time["nextToken"])
        self.assertEqual([s["logStreamName"] for s in rest["logStreams"]], ["s2"])
        self.assertEqual(self.logs.describe_log_groups(logGroupNamePrefix="/app/two")["logGroups"][0]["storedBytes"], 3 * 27)
        self.logs.delete_log_stream(logGroupName="/app/two", logStreamName="s1")
        self.assertEqual(code_of(self.logs.get_log_events, logGroupName="/app/two", logStreamName="s1"), "ResourceNotFoundException")
        self.logs.create_log_stream(logGroupName="/app/two", logStreamName="s1")
        self.assertEqual(self.logs.get_log_events(logGroupName="/app/two", logStreamName="s1")["events"], [])
        self.logs.put_log_group_deletion_protection(logGroupIdentifier="/app/two", deletionProtectionEnabled=True)
        self.assertEqual(code_of(self.logs.delete_log_group, logGroupName="/app/two"), "ValidationException")
        self.logs.put_log_group_deletion_protection(logGroupIdentifier="/app/two", deletionProtectionEnabled=False)
        self.logs.delete_log_group(logGroupName="/app/two")
        self.assertEqual(code_of(self.logs.describe_log_streams, logGroupName="/app/two"), "ResourceNotFoundException")
        self.assertEqual(code_of(self.logs.create_log_group, logGroupName="bad name"), "InvalidParameterException")

    def test_listed_by_pattern(self):
        for name, tags in (("/list/api-a", {"team": "x"}), ("/list/api-b", {"team": "y"}), ("/list/web", {"other": "1"}), ("other/list/web", {"team": "x"})):
            self.logs.create_log_group(logGroupName=name, tags=tags)

        def names(**kw):
            return [g["logGroupName"] for page in self.pages(self.logs.list_log_groups, **kw) for g in page["logGroups"]]
        self.assertEqual(names(logGroupNamePattern="^/list/"), ["/list/api-a", "/list/api-b", "/list/web"])
        self.assertEqual(names(logGroupNamePattern="list/web"), ["/list/web", "other/list/web"])
        self.assertEqual(names(logGroupNamePattern="api-a|^other"), ["/list/api-a", "other/list/web"])
        self.assertEqual(names(logGroupNamePattern="list/api.b", limit=1), ["/list/api-b"])
        self.assertEqual(names(logGroupNamePattern="list", limit=1), ["/list/api-a", "/list/api-b", "/list/web", "other/list/web"])
        self.assertEqual(names(logGroupNamePattern="list", logGroupTags=[{"key": "team", "values": ["x"]}]), ["/list/api-a", "other/list/web"])
        self.assertEqual(names(logGroupNamePattern="list", logGroupTags=[{"key": "team"}]), ["/list/api-a", "/list/api-b", "other/list/web"])
        self.assertEqual(names(logGroupClass="INFREQUENT_ACCESS"), [])
        self.assertEqual(names(includeLinkedAccounts=True, accountIdentifiers=["111111111111"]), [])
        one = self.logs.list_log_groups(logGroupNamePattern="^/list/web")["logGroups"][0]
        self.assertEqual(one, {"logGroupName": "/list/web", "logGroupArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/list/web",
                               "logGroupClass": "STANDARD"})
        self.assertEqual(code_of(self.logs.list_log_groups, accountIdentifiers=[ACCOUNT]), "InvalidParameterException")
        self.assertEqual(code_of(self.logs.list_log_groups, nextToken="%"), "InvalidParameterException")

    def pages(self, call, **kw):
        token = {}
        while token is not None:
            page = call(**kw, **token)
            yield page
            token = {"nextToken": page["nextToken"]} if "nextToken" in page else None

    def test_fields(self):
        g = self.group("fields", "s")
        now = self.now()
        self.put(g, "s", (now - 3600000, '{"old": 1}'), *((now - i, json.dumps({"ms": i, "http": {"path": "/"}, "hosts": ["a", "b"]}))
                                                          for i in range(3, 0, -1)), (now, "plain"))
        share = {f["name"]: f.get("percent") for f in self.logs.get_log_group_fields(logGroupName=g)["logGroupFields"]}
        self.assertEqual(share, {**dict.fromkeys(("@ingestionTime", "@log", "@logStream", "@message", "@timestamp"), 100),
                                 **dict.fromkeys(("ms", "http.path", "hosts.0", "hosts.1"), 75)})
        arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{g}"
        then = self.logs.get_log_group_fields(logGroupIdentifier=arn, time=now // 1000 - 3600)["logGroupFields"]
        self.assertIn({"name": "old", "percent": 100}, then)
        self.assertNotIn("ms", [f["name"] for f in then])
        self.assertEqual(self.logs.get_log_group_fields(logGroupName=g, time=1)["logGroupFields"], [])
        self.assertEqual(code_of(self.logs.get_log_group_fields, logGroupName="none"), "ResourceNotFoundException")
        self.assertEqual(code_of(self.logs.get_log_group_fields), "InvalidParameterException")

    def test_policies_and_definitions(self):
        document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "es.amazonaws.com"},
                                                                       "Action": "logs:PutLogEvents", "Resource": "*"}]})
        self.logs.put_resource_policy(policyName="p", policyDocument=document)
        self.assertEqual([p["policyDocument"] for p in self.logs.describe_resource_policies()["resourcePolicies"]], [document])
        self.assertEqual(code_of(self.logs.put_resource_policy, policyName="q", policyDocument="{"), "InvalidParameterException")
        self.logs.delete_resource_policy(policyName="p")
        self.assertEqual(code_of(self.logs.delete_resource_policy, policyName="p"), "ResourceNotFoundException")
        id = self.logs.put_query_definition(name="d", queryString="fields @message")["queryDefinitionId"]
        self.logs.put_query_definition(name="e", queryString="fields @timestamp", queryDefinitionId=id)
        self.assertEqual([(d["name"], d["queryString"]) for d in self.logs.describe_query_definitions()["queryDefinitions"]], [("e", "fields @timestamp")])
        self.assertTrue(self.logs.delete_query_definition(queryDefinitionId=id)["success"])
        self.assertEqual(self.logs.describe_query_definitions()["queryDefinitions"], [])


class Events(Case):
    def test_order_pages_and_crash(self):
        g, t = self.group("order", "s"), self.now() - 100000
        # Two writers: their batches overlap.
        self.put(g, "s", *[(t + i, f"even {i}") for i in range(0, 100, 2)])
        self.put(g, "s", *[(t + i, f"odd {i}") for i in range(1, 100, 2)])
        self.put(g, "s", (t + 50, "late"))
        self.v.restart()
        want = [f"{'even' if i % 2 == 0 else 'odd'} {i}" for i in range(51)] + ["late"] + \
               [f"{'even' if i % 2 == 0 else 'odd'} {i}" for i in range(51, 100)]
        r = self.logs.get_log_events(logGroupName=g, logStreamName="s", startFromHead=True)
        self.assertEqual([e["message"] for e in r["events"]], want)
        got, token = [], None
        while True:
            r = self.logs.get_log_events(logGroupName=g, logStreamName="s", startFromHead=True, limit=7, **({"nextToken": token} if token else {}))
            got += [e["message"] for e in r["events"]]
            if r["nextForwardToken"] == token:
                break
            token = r["nextForwardToken"]
        self.assertEqual(got, want)
        got, token = [], None
        while True:
            r = self.logs.get_log_events(logGroupName=g, logStreamName="s", limit=9, **({"nextToken": token} if token else {}))
            got = [e["message"] for e in r["events"]] + got
            if r["nextBackwardToken"] == token:
                break
            token = r["nextBackwardToken"]
        self.assertEqual(got, want)
        # What comes later is found behind the forward token; the range's start is in it, its end is not.
        forward = self.logs.get_log_events(logGroupName=g, logStreamName="s", startFromHead=True)["nextForwardToken"]
        self.put(g, "s", (t + 200, "new"))
        r = self.logs.get_log_events(logGroupName=g, logStreamName="s", nextToken=forward)
        self.assertEqual([e["message"] for e in r["events"]], ["new"])
        r = self.logs.get_log_events(logGroupName=g, logStreamName="s", startTime=t + 10, endTime=t + 12)
        self.assertEqual([e["message"] for e in r["events"]], ["even 10", "odd 11"])
        self.assertEqual(code_of(self.logs.get_log_events, logGroupName=g, logStreamName="s", nextToken="x"), "InvalidParameterException")

    def test_refused_and_rejected(self):
        g, t = self.group("refused", "s"), self.now()
        self.assertEqual(code_of(self.put, g, "s", (t, "a"), (t - 1, "b")), "InvalidParameterException")
        self.assertEqual(code_of(self.put, g, "s", (t - 86400001, "a"), (t, "b")), "InvalidParameterException")
        self.assertEqual(code_of(self.put, g, "s", (t, "x" * 1048570)), "InvalidParameterException")
        self.assertEqual(code_of(self.put, g, "none", (t, "x")), "ResourceNotFoundException")
        self.assertEqual(code_of(self.put, "none", "s", (t, "x")), "ResourceNotFoundException")
        r = self.put(g, "s", (t, "good"), (t + 3 * 3600000, "too new"))
        self.assertEqual(r["rejectedLogEventsInfo"], {"tooNewLogEventStartIndex": 1})
        r = self.put(g, "s", (t - 15 * 86400000, "too old"), (t - 15 * 86400000 + 1, "too old too"))
        self.assertEqual(r["rejectedLogEventsInfo"], {"tooOldLogEventEndIndex": 2})
        self.assertEqual(self.filtered(g), ["good"])

    def test_retention(self):
        g, t = self.group("kept", "s"), self.now()
        self.put(g, "s", (t - 2 * 86400000, "old"))
        self.put(g, "s", (t, "new"))
        self.logs.put_retention_policy(logGroupName=g, retentionInDays=1)
        self.assertEqual(self.filtered(g), ["new"])
        self.assertEqual(self.put(g, "s", (t - 86400001, "expired"))["rejectedLogEventsInfo"], {"expiredLogEventEndIndex": 1})
        self.advance("2h")
        self.assertEqual(self.logs.describe_log_groups(logGroupNamePrefix=g)["logGroups"][0]["storedBytes"], 29)
        self.advance("1d")
        self.assertEqual(self.filtered(g), [])
        self.assertEqual(self.logs.describe_log_groups(logGroupNamePrefix=g)["logGroups"][0]["storedBytes"], 0)

    def test_filter_patterns(self):
        g, t = self.group("patterns", "a", "b"), self.now() - 1000
        lines = ["ERROR disk full", "WARN disk slow", "INFO ok", '{"level":"ERROR","latency":120,"user":{"name":"ann"},"tags":["x","y"],"ok":true,"none":null}',
                 '{"level":"INFO","latency":12.5,"user":{"name":"bob"}}', '127.0.0.1 - frank [10/Oct/2000:13:25:15] "GET /a.gif" 200 1534',
                 '10.0.0.7 - - [10/Oct/2000:13:25:16] "GET /b.gif" 404 0']
        for i, m in enumerate(lines):
            self.put(g, "ab"[i % 2], (t + i, m))
        disk_full, disk_slow, ok, ann, bob, frank, lost = lines
        for pattern, want in {
            "": lines, "ERROR": [disk_full, ann], "disk": [disk_full, disk_slow], "ERROR disk": [disk_full], "disk -slow": [disk_full],
            "?full ?slow": [disk_full, disk_slow], '"disk full"': [disk_full], "%d[a-z]+k f%": [disk_full],
            '{ $.level = "ERROR" }': [ann], "{ $.latency > 12.4 }": [ann, bob], "{ $.latency >= 12 && $.latency < 100 }": [bob],
            '{ $.user.name = "b*" }': [bob], '{ $.tags[1] = "y" }': [ann], "{ $.ok IS TRUE }": [ann], "{ $.none IS NULL }": [ann],
            "{ $.ok NOT EXISTS && $.level = * }": [bob], '{ ($.level = "INFO") || ($.user.name != "bob") }': [ann, bob],
            "[ip, id, user, time, request, status, size]": [frank, lost], "[ip, id, user, time, request, status = 4*, size]": [lost],
            '[ip = 127.*, ..., size > 1000]': [frank], "[..., status = 200 || status = 404, size = 0]": [lost],
        }.items():
            with self.subTest(pattern):
                self.assertEqual(self.filtered(g, pattern), want)
        self.assertEqual(self.filtered(g, "disk", logStreamNames=["a"]), [disk_full])
        self.assertEqual(self.filtered(g, "disk", startTime=t + 1, endTime=t + 1), [disk_slow])
        self.assertEqual(self.filtered(g, "", limit=2), lines)  # page by page
        ids = [e["eventId"] for e in self.logs.filter_log_events(logGroupName=g)["events"]]
        self.assertEqual((len(set(ids)), {len(i) for i in ids}), (len(lines), {56}))
        for bad in ["{ $.a", "{ a = 1 }", "[a, b", "[..., x, ...]", '"open', "a+b", "{ $.a < b }", "%(%", "{" + "(" * 100]:
            self.assertEqual(code_of(self.filtered, g, bad), "InvalidParameterException", bad)
        r = self.logs.test_metric_filter(filterPattern="[ip, ..., status, size]", logEventMessages=[frank, "short"])["matches"]
        self.assertEqual(len(r), 1)
        self.assertEqual((r[0]["eventNumber"], r[0]["extractedValues"]["$status"], r[0]["extractedValues"]["$size"]), (1, "200", "1534"))

    def test_metric_filters(self):
        g, cw = self.group("metrics", "s"), self.v.client("cloudwatch")
        put = lambda name, pattern, **t: self.logs.put_metric_filter(logGroupName=g, filterName=name, filterPattern=pattern,
                                                                     metricTransformations=[{"metricNamespace": "App", **t}])
        put("errors", "ERROR", metricName="Errors", metricValue="1", defaultValue=0)
        put("latency", "{ $.latency = * }", metricName="Latency", metricValue="$.latency", unit="Milliseconds", dimensions={"Path": "$.path"})
        t = self.now()
        self.put(g, "s", (t, "ERROR one"), (t, "fine"), (t, '{"latency": 20, "path": "/a"}'), (t, '{"latency": 40, "path": "/a"}'))
        self.put(g, "s", (t, "fine"))

        def total(name, **kw):
            at = datetime.datetime.fromtimestamp(t / 1000, datetime.timezone.utc)
            got = cw.get_metric_statistics(Namespace="App", MetricName=name, Period=3600, Statistics=["Sum", "SampleCount"],
                                           StartTime=at - datetime.timedelta(hours=1), EndTime=at + datetime.timedelta(hours=1), **kw)["Datapoints"]
            return sum(d["Sum"] for d in got), sum(d["SampleCount"] for d in got)
        self.assertEqual(total("Errors"), (1, 2))
        self.assertEqual(total("Latency", Dimensions=[{"Name": "Path", "Value": "/a"}], Unit="Milliseconds"), (60, 2))
        self.assertEqual([f["filterName"] for f in self.logs.describe_metric_filters(logGroupName=g)["metricFilters"]], ["errors", "latency"])
        self.assertEqual([f["filterName"] for f in self.logs.describe_metric_filters(metricName="Errors", metricNamespace="App")["metricFilters"]], ["errors"])
        self.assertEqual(self.logs.describe_log_groups(logGroupNamePrefix=g)["logGroups"][0]["metricFilterCount"], 2)
        self.assertEqual(code_of(put, "bad", "{", metricName="x", metricValue="1"), "InvalidParameterException")
        self.assertEqual(code_of(put, "bad", "x", metricName="x", metricValue="y"), "InvalidParameterException")
        self.logs.delete_metric_filter(logGroupName=g, filterName="errors")
        self.put(g, "s", (t, "ERROR two"))
        self.assertEqual(total("Errors"), (1, 2))
        self.assertEqual(code_of(self.logs.delete_metric_filter, logGroupName=g, filterName="errors"), "ResourceNotFoundException")


class Export(Case):
    def finished(self, id):
        end = time.monotonic() + 60
        while True:
            t = self.logs.describe_export_tasks(taskId=id)["exportTasks"][0]
            if t["status"]["code"] not in ("PENDING", "RUNNING"):
                return t
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def test_export(self):
        g, t, s3 = self.group("export", "a/1", "b"), self.now() // 1000 * 1000, self.v.client("s3")
        self.put(g, "a/1", (t - 5000, "first"), (t - 4000, "second"))
        self.put(g, "b", (t - 3000, "third"), (t, "outside"))
        s3.create_bucket(Bucket="logs")
        task = lambda **kw: self.logs.create_export_task(**{**dict(logGroupName=g, fromTime=t - 10000, to=t, destination="logs"), **kw})["taskId"]
        id = task(destinationPrefix="p")
        done = self.finished(id)
        self.assertEqual((done["status"]["code"], done["logGroupName"], done["destination"]), ("COMPLETED", g, "logs"))
        keys = [o["Key"] for o in s3.list_objects_v2(Bucket="logs")["Contents"]]
        self.assertIn("p/aws-logs-write-test", keys)
        keys.remove("p/aws-logs-write-test")
        self.assertEqual(keys, [f"p/{id}/a-1/000000.gz", f"p/{id}/b/000000.gz"])
        lines = gzip.decompress(s3.get_object(Bucket="logs", Key=keys[0])["Body"].read()).decode().splitlines()
        self.assertEqual([l.split(" ", 1)[1] for l in lines], ["first", "second"])
        self.assertEqual(gzip.decompress(s3.get_object(Bucket="logs", Key=keys[1])["Body"].read()).decode().split(" ", 1)[1], "third\n")
        self.assertEqual(self.finished(task(destination="missing"))["status"]["code"], "FAILED")
        self.assertEqual(code_of(self.logs.cancel_export_task, taskId=id), "InvalidOperationException")
        self.assertEqual(code_of(self.logs.cancel_export_task, taskId="none"), "ResourceNotFoundException")
        self.assertEqual(code_of(task, fromTime=t, to=t), "InvalidParameterException")
        self.assertEqual(code_of(task, logStreamNamePrefix="z"), "ResourceNotFoundException")
        self.assertEqual([x["taskId"] for x in self.logs.describe_export_tasks(statusCode="COMPLETED")["exportTasks"]], [id])


class Insights(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.logs.create_log_group(logGroupName="web")
        cls.logs.create_log_stream(logGroupName="web", logStreamName="s")
        cls.t = json.loads(cls.v.get("/_virga/clock")[2])["time"]
        cls.t = int(datetime.datetime.fromisoformat(cls.t.replace("Z", "+00:00")).timestamp()) // 60 * 60000 - 600000
        rows = [(i * 1000, json.dumps({"level": "ERROR" if i % 5 == 0 else "INFO", "ms": i, "http": {"path": f"/p{i % 3}"}})) for i in range(20)]
        rows += [(30000, "user=ann, method:GET took 15 ms"), (31000, "user=bob, method:PUT took 25 ms")]
        cls.logs.put_log_events(logGroupName="web", logStreamName="s", logEvents=[{"timestamp": cls.t + a, "message": m} for a, m in rows])

    def ask(self, text, **kw):
        id = self.logs.start_query(logGroupName="web", startTime=self.t // 1000, endTime=self.t // 1000 + 3600, queryString=text, **kw)["queryId"]
        end = time.monotonic() + 60
        while True:
            r = self.logs.get_query_results(queryId=id)
            if r["status"] == "Complete":
                break
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        self.last = r
        return [{f["field"]: f["value"] for f in row if f["field"] != "@ptr"} for row in r["results"]]

    def test_queries(self):
        for text, want in {
            "filter level = 'ERROR' | stats count(*) as n": [{"n": "4"}],
            "stats count(*) as n, avg(ms) as mean, max(ms), pct(ms, 50) as median by level | sort n": [
                {"level": "ERROR", "n": "4", "mean": "7.5", "max(ms)": "15", "median": "5"},
                {"level": "INFO", "n": "16", "mean": "10", "max(ms)": "19", "median": "9"}] ,
            "fields ms, http.path | filter ms in [3, 4] and http.path like /p[01]/ | sort ms desc": [{"ms": "4", "http.path": "/p1"}, {"ms": "3", "http.path": "/p0"}],
            "fields ms * 2 + 1 as x | filter ms = 7": [{"x": "15"}],
            "filter @message like 'method' | parse @message 'user=*, method:* took * ms' as user, m, took | stats sum(took) as s by user | sort user": [
                {"user": "ann", "s": "15"}, {"user": "bob", "s": "25"}],
            "parse @message /user=(?<who>[a-z]+)/ | filter ispresent(who) | display who | sort who desc": [{"who": "bob"}, {"who": "ann"}],
            "filter ispresent(ms) | stats count_distinct(http.path) as paths": [{"paths": "3"}],
            "filter ms < 12 | sort ms | dedup http.path | fields ms": [{"ms": "0"}, {"ms": "1"}, {"ms": "2"}],
            "filter not (level = 'INFO') and ms >= 10 | fields toupper(concat(level, '-', ms)) as t | sort ms": [{"t": "ERROR-10"}, {"t": "ERROR-15"}],
            "fields ms | filter ispresent(ms) | sort ms desc | limit 2": [{"ms": "19"}, {"ms": "18"}],
        }.items():
            with self.subTest(text):
                got = self.ask(text)
                if "by level" in text:  # what has no level is a group of its own
                    got = [g for g in got if "level" in g]
                self.assertEqual(got, want)
        self.assertEqual(self.last["statistics"]["recordsScanned"], 22)
        bins = self.ask("stats count(*) as n by bin(10s) as at | sort at")
        self.assertEqual([b["n"] for b in bins], ["10", "10", "2"])
        newest = self.ask("fields @timestamp, @message, @logStream, @log", limit=1)
        self.assertEqual((newest[0]["@logStream"], newest[0]["@log"]), ("s", f"{ACCOUNT}:web"))
        self.assertIn("bob", newest[0]["@message"])
        ptr = {f["field"]: f["value"] for f in self.last["results"][0]}["@ptr"]
        self.assertEqual(self.logs.get_log_record(logRecordPointer=ptr)["logRecord"]["@message"], newest[0]["@message"])

    def test_refused_and_listed(self):
        start = lambda text, **kw: code_of(self.logs.start_query, **{**dict(logGroupName="web", startTime=1, endTime=2, queryString=text), **kw})
        for bad in ["", "nope", "fields", "filter ms >", "stats ms", "stats count(*) by", "parse @message 'a*' as x, y", "limit 0", "sort",
                    "fields nope(ms)", "filter a like", "filter a like /(/", "fields a | ", "filter " + "(" * 200, "fields 'x"]:
            self.assertIn(start(bad), ("MalformedQueryException", "InvalidParameterException"), bad)
        self.assertEqual(start("fields a", logGroupName="none"), "ResourceNotFoundException")
        self.assertEqual(start("fields a", startTime=5), "InvalidParameterException")
        self.ask("fields @message | limit 1")
        listed = self.logs.describe_queries(logGroupName="web", status="Complete")["queries"]
        self.assertIn("fields @message | limit 1", [q["queryString"] for q in listed])
        self.assertEqual(code_of(self.logs.stop_query, queryId=listed[0]["queryId"]), "InvalidParameterException")
        self.assertEqual(code_of(self.logs.get_query_results, queryId="none"), "ResourceNotFoundException")
        self.assertEqual(self.logs.list_log_groups_for_query(queryId=listed[0]["queryId"])["logGroupIdentifiers"], ["web"])
        self.assertEqual(code_of(self.logs.list_log_groups_for_query, queryId="none"), "ResourceNotFoundException")


if __name__ == "__main__":
    unittest.main()
