"""What a DynamoDB table was: point-in-time recovery to any second, exports to and imports from S3, system backups."""
import base64
import datetime
import gzip
import hashlib
import json
import subprocess
import unittest


from virga import Refusals, Virga, wait_until

NEEDS_BOTO3 = (1, 40)


def at(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


class Past(Refusals, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.d, cls.s3 = cls.virga.client("dynamodb"), cls.virga.client("s3")
        cls.s3.create_bucket(Bucket="data")

    def table(self, name, pitr=True, **more):
        self.d.create_table(TableName=name, BillingMode="PAY_PER_REQUEST",
                            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"}],
                            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                            GlobalSecondaryIndexes=[{"IndexName": "by-n", "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
                                                     "Projection": {"ProjectionType": "ALL"}}], **more)
        if pitr:
            self.d.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
            self.tick()
        return self.d.describe_table(TableName=name)["Table"]["TableArn"]

    def tick(self, seconds=2):
        """Moves virga's clock; returns a whole second that lies between all that was before and all that comes."""
        self.virga.get(f"/_virga/clock?advance={seconds}s", "POST")
        told = json.loads(self.virga.get("/_virga/clock")[2])["time"]
        return int(datetime.datetime.fromisoformat(told.replace("Z", "+00:00")).timestamp())

    def put(self, table, pk, n):
        self.d.put_item(TableName=table, Item={"pk": {"S": pk}, "n": {"N": str(n)}})

    def content(self, table):
        return {i["pk"]["S"]: int(i["n"]["N"]) for p in self.d.get_paginator("scan").paginate(TableName=table) for i in p["Items"]}

    def test_every_second_comes_back(self):
        self.table("past")
        states = {}
        for step in range(6):
            second = self.tick()
            states[second] = self.content("past")
            for i in range(5):
                self.put("past", f"k{(step * 3 + i) % 9}", step * 10 + i)
                self.put("past", f"k{(step * 3 + i) % 9}", step * 100 + i)
            if step % 2:
                self.d.delete_item(TableName="past", Key={"pk": {"S": f"k{step}"}})
            self.d.transact_write_items(TransactItems=[
                {"Put": {"TableName": "past", "Item": {"pk": {"S": "t1"}, "n": {"N": str(step)}}}},
                {"Put": {"TableName": "past", "Item": {"pk": {"S": "t2"}, "n": {"N": str(step)}}}}])
        self.tick()
        states["latest"] = self.content("past")
        for k, (second, state) in enumerate(states.items()):
            target = f"past-{k}"
            when = {"UseLatestRestorableTime": True} if second == "latest" else {"RestoreDateTime": at(second)}
            got = self.d.restore_table_to_point_in_time(SourceTableName="past", TargetTableName=target, **when)["TableDescription"]
            self.assertEqual(got["RestoreSummary"]["SourceTableArn"].split("/")[-1], "past")
            self.assertEqual(self.content(target), state, second)
            self.assertEqual(state.get("t1"), state.get("t2"))
            for pk, n in state.items():
                found = self.d.query(TableName=target, IndexName="by-n", KeyConditionExpression="n = :n",
                                     ExpressionAttributeValues={":n": {"N": str(n)}})["Items"]
                self.assertIn(pk, [i["pk"]["S"] for i in found])
        self.virga.restart()
        second = max(s for s in states if s != "latest")
        self.d.restore_table_to_point_in_time(SourceTableName="past", TargetTableName="after-kill", RestoreDateTime=at(second))
        self.assertEqual(self.content("after-kill"), states[second])

    def test_refusals(self):
        self.table("plain", pitr=False)
        describe = lambda: self.d.describe_continuous_backups(TableName="plain")["ContinuousBackupsDescription"]
        self.assertEqual(describe()["PointInTimeRecoveryDescription"], {"PointInTimeRecoveryStatus": "DISABLED"})
        restore = self.d.restore_table_to_point_in_time
        self.refused("PointInTimeRecoveryUnavailableException", restore, SourceTableName="plain", TargetTableName="other",
                     UseLatestRestorableTime=True)
        self.refused("PointInTimeRecoveryUnavailableException", self.d.export_table_to_point_in_time, S3Bucket="data",
                     TableArn=self.d.describe_table(TableName="plain")["Table"]["TableArn"])
        self.refused("TableNotFoundException", restore, SourceTableName="nowhere", TargetTableName="other", UseLatestRestorableTime=True)
        self.refused("TableNotFoundException", self.d.update_continuous_backups, TableName="nowhere",
                     PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
        self.d.update_continuous_backups(TableName="plain", PointInTimeRecoverySpecification={
            "PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7})
        p = describe()["PointInTimeRecoveryDescription"]
        self.assertEqual((p["PointInTimeRecoveryStatus"], p["RecoveryPeriodInDays"]), ("ENABLED", 7))
        self.tick(2)
        p = describe()["PointInTimeRecoveryDescription"]
        self.assertLessEqual(p["EarliestRestorableDateTime"], p["LatestRestorableDateTime"])
        hour = datetime.timedelta(hours=1)
        for wrong in p["EarliestRestorableDateTime"] - hour, p["LatestRestorableDateTime"] + hour:
            self.refused("InvalidRestoreTimeException", restore, SourceTableName="plain", TargetTableName="other", RestoreDateTime=wrong)
        self.refused("ValidationException", restore, SourceTableName="plain", TargetTableName="other")
        self.refused("TableAlreadyExistsException", restore, SourceTableName="plain", TargetTableName="plain", UseLatestRestorableTime=True)
        self.d.update_continuous_backups(TableName="plain", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False})
        self.assertEqual(describe()["PointInTimeRecoveryDescription"], {"PointInTimeRecoveryStatus": "DISABLED"})

    def test_deleted_table_leaves_a_backup(self):
        self.table("gone")
        for i in range(20):
            self.put("gone", f"k{i}", i)
        before = self.content("gone")
        self.d.delete_table(TableName="gone")
        self.assertEqual(self.d.list_backups(TableName="gone")["BackupSummaries"], [])
        found, = self.d.list_backups(TableName="gone", BackupType="SYSTEM")["BackupSummaries"]
        self.assertEqual((found["BackupName"], found["BackupType"]), ("gone$DeletedTableBackup", "SYSTEM"))
        d = self.d.describe_backup(BackupArn=found["BackupArn"])["BackupDescription"]
        self.assertEqual(d["SourceTableDetails"]["ItemCount"], 20)
        self.d.restore_table_from_backup(TargetTableName="gone", BackupArn=found["BackupArn"])
        self.assertEqual(self.content("gone"), before)

    # ── exports ──

    def finished(self, arn):
        look = lambda: self.d.describe_export(ExportArn=arn)["ExportDescription"]
        self.assertTrue(wait_until(lambda: look()["ExportStatus"] != "IN_PROGRESS"))
        return look()

    def read(self, key):
        return self.s3.get_object(Bucket="data", Key=key)["Body"].read()

    def lines(self, export, manifest_key):
        summary = json.loads(self.read(manifest_key))
        files = self.read(summary["manifestFilesS3Key"])
        self.assertEqual(self.read(summary["manifestFilesS3Key"].replace(".json", ".checksum")),
                         base64.b64encode(hashlib.md5(files).digest()))
        self.assertEqual(summary["exportArn"], export)
        out = []
        for f in map(json.loads, files.splitlines()):
            packed = self.read(f["dataFileS3Key"])
            self.assertEqual(f["md5Checksum"], base64.b64encode(hashlib.md5(packed).digest()).decode())
            got = gzip.decompress(packed).decode().splitlines()
            self.assertEqual(len(got), f["itemCount"])
            out += got
        self.assertEqual(summary["itemCount"], len(out))
        return summary, out

    def test_export_and_import(self):
        arn = self.table("exported")
        item = {"pk": {"S": "all \"types\"\n"}, "n": {"N": "-1.5"}, "b": {"B": b"\x00\xff"}, "ss": {"SS": ["a", "b"]},
                "ns": {"NS": ["1", "2.5"]}, "bs": {"BS": [b"x"]}, "l": {"L": [{"S": "x"}, {"NULL": True}, {"BOOL": False}]},
                "m": {"M": {"deep": {"M": {"er": {"L": []}}}}}}
        self.d.put_item(TableName="exported", Item=item)
        for i in range(50):
            self.put("exported", f"k{i}", i)
        then = self.tick()
        self.put("exported", "later", 1)
        self.d.delete_item(TableName="exported", Key={"pk": {"S": "k0"}})
        asked = self.d.export_table_to_point_in_time(TableArn=arn, S3Bucket="data", S3Prefix="exports", ExportTime=at(then),
                                                     ClientToken="once")["ExportDescription"]
        self.assertEqual(asked["ExportStatus"], "IN_PROGRESS")
        again = self.d.export_table_to_point_in_time(TableArn=arn, S3Bucket="data", S3Prefix="exports", ExportTime=at(then),
                                                     ClientToken="once")["ExportDescription"]
        self.assertEqual(again["ExportArn"], asked["ExportArn"])
        self.refused("ExportConflictException", self.d.export_table_to_point_in_time, TableArn=arn, S3Bucket="other", ClientToken="once")
        done = self.finished(asked["ExportArn"])
        self.assertEqual((done["ExportStatus"], done["ItemCount"]), ("COMPLETED", 51))
        summary, lines = self.lines(asked["ExportArn"], done["ExportManifest"])
        self.assertEqual(summary["outputFormat"], "DYNAMODB_JSON")
        items = [json.loads(x)["Item"] for x in lines]
        self.assertEqual({i["pk"]["S"] for i in items}, {f"k{i}" for i in range(50)} | {item["pk"]["S"]})
        self.assertEqual([i for i in items if i["pk"] == item["pk"]][0]["b"], {"B": base64.b64encode(b"\x00\xff").decode()})
        self.assertIn(asked["ExportArn"], [e["ExportArn"] for e in self.d.list_exports(TableArn=arn)["ExportSummaries"]])
        # … and back in, as another table.
        data = done["ExportManifest"].rpartition("/")[0] + "/data/"
        asked = self.d.import_table(S3BucketSource={"S3Bucket": "data", "S3KeyPrefix": data}, InputFormat="DYNAMODB_JSON",
                                    InputCompressionType="GZIP", TableCreationParameters=self.parameters("imported"))
        done = self.imported(asked["ImportTableDescription"]["ImportArn"])
        self.assertEqual((done["ImportStatus"], done["ImportedItemCount"], done["ErrorCount"]), ("COMPLETED", 51, 0))
        self.assertEqual(self.d.get_item(TableName="imported", Key={"pk": item["pk"]})["Item"], item)
        self.assertEqual(self.d.scan(TableName="imported", Select="COUNT")["Count"], 51)
        self.assertEqual(self.d.query(TableName="imported", IndexName="by-n", KeyConditionExpression="n = :n",
                                      ExpressionAttributeValues={":n": {"N": "7"}})["Count"], 1)
        self.assertIn(done["ImportArn"], [i["ImportArn"] for i in self.d.list_imports()["ImportSummaryList"]])

    def test_incremental_export(self):
        arn = self.table("changing")
        for k in "same", "changed", "removed":
            self.put("changing", k, 1)
        start = self.tick()
        for n in 2, 3:
            self.put("changing", "changed", n)
        self.put("changing", "new", 4)
        self.put("changing", "brief", 5)
        for k in "removed", "brief":
            self.d.delete_item(TableName="changing", Key={"pk": {"S": k}})
        end = self.tick(20 * 60)
        self.put("changing", "new", 6)
        period = {"ExportFromTime": at(start), "ExportToTime": at(end)}
        asked = self.d.export_table_to_point_in_time(TableArn=arn, S3Bucket="data", ExportType="INCREMENTAL_EXPORT",
                                                     IncrementalExportSpecification=period)["ExportDescription"]
        done = self.finished(asked["ExportArn"])
        self.assertEqual(done["ExportStatus"], "COMPLETED", done)
        summary, lines = self.lines(asked["ExportArn"], done["ExportManifest"])
        records = {r["Keys"]["pk"]["S"]: (r.get("OldImage", {}).get("n"), r.get("NewImage", {}).get("n")) for r in map(json.loads, lines)}
        self.assertEqual(records, {"changed": ({"N": "1"}, {"N": "3"}), "removed": ({"N": "1"}, None), "new": (None, {"N": "4"})})
        self.assertEqual(summary["exportType"], "INCREMENTAL_EXPORT")
        self.refused("ValidationException", self.d.export_table_to_point_in_time, TableArn=arn, S3Bucket="data",
                     ExportType="INCREMENTAL_EXPORT",
                     IncrementalExportSpecification={"ExportFromTime": at(start), "ExportToTime": at(start + 60)})

    def test_export_as_ion(self):
        arn = self.table("ion")
        self.d.put_item(TableName="ion", Item={"pk": {"S": "a\"b"}, "n": {"N": "12"}, "ss": {"SS": ["x", "y"]}, "b": {"B": b"hi"}})
        done = self.finished(self.d.export_table_to_point_in_time(TableArn=arn, S3Bucket="data", S3Prefix="ion", ExportFormat="ION")
                             ["ExportDescription"]["ExportArn"])
        _, lines = self.lines(done["ExportArn"], done["ExportManifest"])
        self.assertEqual(len(lines), 1)
        for part in '$ion_1_0 {Item:{', '"pk":"a\\"b"', '"n":12.', '"ss":$dynamodb_SS::["x","y"]', '"b":{{aGk=}}':
            self.assertIn(part, lines[0])

        asked = self.d.import_table(S3BucketSource={"S3Bucket": "data", "S3KeyPrefix": done["ExportManifest"].rpartition("/")[0] + "/data/"},
                                    InputFormat="ION", InputCompressionType="GZIP", TableCreationParameters=self.parameters("from-ion"))
        done = self.imported(asked["ImportTableDescription"]["ImportArn"])
        self.assertEqual((done["ImportStatus"], done["ImportedItemCount"], done["ErrorCount"]), ("COMPLETED", 1, 0))
        self.assertEqual(self.d.scan(TableName="from-ion")["Items"], self.d.scan(TableName="ion")["Items"])

    def test_export_to_no_bucket_fails(self):
        arn = self.table("nowhere-to-go")
        asked = self.d.export_table_to_point_in_time(TableArn=arn, S3Bucket="there-is-none")["ExportDescription"]
        done = self.finished(asked["ExportArn"])
        self.assertEqual((done["ExportStatus"], done["FailureCode"]), ("FAILED", "S3NoSuchBucket"))
        self.refused("ExportNotFoundException", self.d.describe_export, ExportArn=arn + "/export/01234567890123-a1b2c3d4")

    # ── imports ──

    def parameters(self, name):
        return {"TableName": name, "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "GlobalSecondaryIndexes": [{"IndexName": "by-n", "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
                                            "Projection": {"ProjectionType": "ALL"}}]}

    def imported(self, arn):
        look = lambda: self.d.describe_import(ImportArn=arn)["ImportTableDescription"]
        self.assertTrue(wait_until(lambda: look()["ImportStatus"] != "IN_PROGRESS"))
        return look()

    def test_import_ion(self):
        """Ion as others write it, compressed by the zstd command in two frames; what is no item is counted."""
        good = [
            b"$ion_1_0 {Item:{pk:\"a\",n:1.5e1,'m':{x:[1_000,-2.,3d2,null,null.int,true]},b:{{ aGk= }},e:\"\"}}",
            b"{ /* all of it */ Item : { 'pk' : '''long ''' '''b''', n: 2, s: $dynamodb_SS::[\"\\u00e9\", \"\\x41\"], "
            b"ns:'$dynamodb_NS'::[1,2.5,], bs:$dynamodb_BS::[{{AA==}}] } } // the end"]
        bad = [b"$ion_1_0 {pk:\"x\"}", b"{Item:{pk:symbol}}", b"{Item:{pk:\"x\",n:2020-01-01}}", b"{Item:{pk:\"x\",c:{{\"clob\"}}}}",
               b"{Item:{pk:\"x\",s:(1 2)}}", b"{Item:{pk:\"x\"}", b"{Item:{pk:1}}", b"{Item:{pk:\"x\",n:0x10}}",
               b"{Item:{pk:\"x\",l:" + b"[" * 70 + b"]" * 70 + b"}}", b"{Item:{pk:\"\\ud800\"}}", b"{Item:{pk:\"x\",s:$dynamodb_SS::[]}}"]
        pack = lambda lines: subprocess.run(["zstd", "-q"], input=b"\n".join(lines) + b"\n", capture_output=True, check=True).stdout
        self.s3.put_object(Bucket="data", Key="ions/1.ion.zst", Body=pack(good) + pack(bad))
        self.s3.put_object(Bucket="data", Key="cut/1.ion.zst", Body=pack(good)[:-9])
        ask = lambda name: self.imported(self.d.import_table(
            S3BucketSource={"S3Bucket": "data", "S3KeyPrefix": name + "/"}, InputFormat="ION", InputCompressionType="ZSTD",
            TableCreationParameters=self.parameters(name))["ImportTableDescription"]["ImportArn"])
        done = ask("ions")
        self.assertEqual((done["ImportStatus"], done["ImportedItemCount"], done["ErrorCount"]), ("COMPLETED", 2, len(bad)))
        items = {i["pk"]["S"]: i for i in self.d.scan(TableName="ions")["Items"]}
        self.assertEqual(items["a"], {"pk": {"S": "a"}, "n": {"N": "15"}, "b": {"B": b"hi"}, "e": {"S": ""}, "m": {"M": {"x": {"L": [
            {"N": "1000"}, {"N": "-2"}, {"N": "300"}, {"NULL": True}, {"NULL": True}, {"BOOL": True}]}}}})
        self.assertEqual(items["long b"], {"pk": {"S": "long b"}, "n": {"N": "2"}, "s": {"SS": ["A", "é"]},
                                           "ns": {"NS": ["1", "2.5"]}, "bs": {"BS": [b"\x00"]}})
        done = ask("cut")
        self.assertEqual((done["ImportStatus"], done["FailureCode"]), ("FAILED", "InvalidInput"))

    def test_import_csv(self):
        self.s3.put_object(Bucket="data", Key="csv/1.csv", Body=b"pk;n;text\r\na;1;\"one; \"\"two\"\"\nthree\"\r\nb;x;bad number\r\nc;3\r\n")
        asked = self.d.import_table(S3BucketSource={"S3Bucket": "data", "S3KeyPrefix": "csv/"}, InputFormat="CSV",
                                    InputFormatOptions={"Csv": {"Delimiter": ";"}}, TableCreationParameters=self.parameters("csv"))
        done = self.imported(asked["ImportTableDescription"]["ImportArn"])
        self.assertEqual((done["ImportStatus"], done["ImportedItemCount"], done["ProcessedItemCount"], done["ErrorCount"]),
                         ("COMPLETED", 1, 3, 2))
        self.assertEqual(self.d.scan(TableName="csv")["Items"],
                         [{"pk": {"S": "a"}, "n": {"N": "1"}, "text": {"S": 'one; "two"\nthree'}}])
        self.refused("ResourceInUseException", self.d.import_table, S3BucketSource={"S3Bucket": "data"}, InputFormat="CSV",
                     TableCreationParameters=self.parameters("csv"))

    def test_imports_that_fail(self):
        self.s3.put_object(Bucket="data", Key="broken/1.json.gz", Body=b"this is not gzip")
        ask = lambda name, **k: self.imported(self.d.import_table(
            InputFormat="DYNAMODB_JSON", TableCreationParameters=self.parameters(name), **k)["ImportTableDescription"]["ImportArn"])
        done = ask("broken", S3BucketSource={"S3Bucket": "data", "S3KeyPrefix": "broken/"}, InputCompressionType="GZIP")
        self.assertEqual((done["ImportStatus"], done["FailureCode"]), ("FAILED", "InvalidInput"))
        done = ask("no-source", S3BucketSource={"S3Bucket": "there-is-none"})
        self.assertEqual((done["ImportStatus"], done["FailureCode"]), ("FAILED", "S3NoSuchBucket"))
        self.refused("ResourceNotFoundException", self.d.describe_table, TableName="broken")
        self.refused("ImportNotFoundException", self.d.describe_import,
                     ImportArn="arn:aws:dynamodb:us-east-1:000000000000:table/x/import/01234567890123-a1b2c3d4")


if __name__ == "__main__":
    unittest.main()
