"""What S3 tells CloudWatch: request metrics by the filters of metrics configurations, and each day what buckets hold."""
import datetime
import json
import unittest

from s3case import MIB, S3Case, control_client
from virga import wait_until

DAY = datetime.timedelta(days=1)


class Metrics(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cw = cls.virga.client("cloudwatch")

    def advance(self, by):
        code, _, body = self.virga.get(f"/_virga/clock?advance={by}", "POST")
        self.assertEqual(code, 200, body)

    def now(self):
        return datetime.datetime.strptime(json.loads(self.virga.get("/_virga/clock")[2])["time"], "%Y-%m-%dT%H:%M:%S.%f%z")

    def stat(self, metric, what="Sum", period=300, **dimensions):
        now = self.now().replace(hour=0, minute=0, second=0)
        points = self.cw.get_metric_statistics(
            Namespace="AWS/S3", MetricName=metric, StartTime=now - 2 * DAY, EndTime=now + 2 * DAY, Period=period, Statistics=[what],
            Dimensions=[{"Name": n, "Value": v} for n, v in {"BucketName": self.bucket, **dimensions}.items()])["Datapoints"]
        return sorted((p["Timestamp"], p[what]) for p in points)

    def total(self, metric, filter_id, what="Sum"):
        return sum(v for _, v in self.stat(metric, what, FilterId=filter_id))

    def configure(self, name, filter=None):
        conf = {"Id": name, **({"Filter": filter} if filter else {})}
        self.s3.put_bucket_metrics_configuration(Bucket=self.bucket, Id=name, MetricsConfiguration=conf)

    def written(self):
        """Counts are written with the minute."""
        self.advance("61s")

    def test_kinds_and_bytes(self):
        self.configure("all")
        self.put("k", b"x" * 1000)
        self.read("k")
        self.s3.get_object(Bucket=self.bucket, Key="k", Range="bytes=0-99")["Body"].read()
        self.s3.head_object(Bucket=self.bucket, Key="k")
        self.fails("NoSuchKey", self.read, "none")
        self.s3.list_objects_v2(Bucket=self.bucket)
        u = self.s3.create_multipart_upload(Bucket=self.bucket, Key="m")["UploadId"]
        self.s3.abort_multipart_upload(Bucket=self.bucket, Key="m", UploadId=u)
        self.s3.delete_object(Bucket=self.bucket, Key="k")
        self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
        self.s3.get_bucket_location(Bucket=self.bucket)
        self.written()
        self.assertTrue(wait_until(lambda: self.total("AllRequests", "all") >= 11), self.total("AllRequests", "all"))
        got = {m: self.total(m, "all") for m in ("PutRequests", "GetRequests", "HeadRequests", "ListRequests", "PostRequests",
                                                 "DeleteRequests", "BytesUploaded", "4xxErrors", "5xxErrors")}
        up = got.pop("BytesUploaded")
        self.assertEqual(got, {"PutRequests": 1, "GetRequests": 3, "ListRequests": 1, "PostRequests": 1,
                               "DeleteRequests": 3, "HeadRequests": 1,
                               "4xxErrors": 1, "5xxErrors": 0})
        self.assertGreaterEqual(up, 1000)
        self.assertGreaterEqual(self.total("BytesDownloaded", "all"), 1100)
        # one sample of each error metric and latency for each request: averages are rates
        n = self.total("4xxErrors", "all", "SampleCount")
        self.assertGreaterEqual(n, 11)
        self.assertGreaterEqual(self.total("TotalRequestLatency", "all", "SampleCount"), 11)
        self.assertGreaterEqual(self.total("FirstByteLatency", "all", "SampleCount"), 11)

    def test_filters(self):
        control = control_client(self.virga)
        point = "p" + self.bucket[-12:]
        control.create_access_point(AccountId="000000000000", Name=point, Bucket=self.bucket)
        alias = control.get_access_point(AccountId="000000000000", Name=point)["Alias"]
        arn = f"arn:aws:s3:us-east-1:000000000000:accesspoint/{point}"
        self.configure("prefix", {"Prefix": "logs/"})
        self.configure("tag", {"Tag": {"Key": "team", "Value": "blue"}})
        self.configure("both", {"And": {"Prefix": "logs/", "Tags": [{"Key": "team", "Value": "blue"}]}})
        self.configure("point", {"AccessPointArn": arn})
        self.put("logs/1", b"1")
        self.put("logs/2", b"2", Tagging="team=blue")
        self.put("else", b"3", Tagging="team=blue")
        self.put("else2", b"3", Tagging="team=red")
        for k in ("logs/1", "logs/2", "else", "else2"):
            self.read(k)
        self.s3.get_object(Bucket=alias, Key="logs/1")["Body"].read()
        self.s3.list_objects_v2(Bucket=self.bucket, Prefix="logs/")
        self.s3.delete_object(Bucket=self.bucket, Key="logs/2")
        self.written()
        self.assertTrue(wait_until(lambda: self.total("AllRequests", "prefix") == 6), self.total("AllRequests", "prefix"))
        self.assertEqual([self.total("PutRequests", f) for f in ("prefix", "tag", "both", "point")], [2, 2, 1, 0])
        self.assertEqual([self.total("GetRequests", f) for f in ("prefix", "tag", "both", "point")], [3, 2, 1, 1])
        self.assertEqual([self.total("DeleteRequests", f) for f in ("prefix", "tag", "both", "point")], [1, 1, 1, 0])
        self.assertEqual([self.total("ListRequests", f) for f in ("prefix", "tag", "both", "point")], [0, 0, 0, 0])

    def test_a_configuration_that_goes(self):
        self.configure("one")
        self.put("k")
        self.s3.delete_bucket_metrics_configuration(Bucket=self.bucket, Id="one")
        self.configure("two")
        self.put("k")
        self.put("k")
        self.written()
        self.assertTrue(wait_until(lambda: self.total("PutRequests", "two") == 2))
        self.assertEqual(self.total("PutRequests", "one"), 1)

    def storage(self, type, metric="BucketSizeBytes"):
        points = self.stat(metric, "Average", 86400, StorageType=type)
        return points[-1][1] if points else None

    def test_what_a_bucket_holds(self):
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        self.put("a", b"1" * 100)
        self.put("a", b"1" * 50)
        self.put("ia", b"1" * 1024, StorageClass="STANDARD_IA")
        self.put("it", b"1" * 2000, StorageClass="INTELLIGENT_TIERING")
        self.put("gl", b"1" * 3000, StorageClass="GLACIER")
        self.put("da", b"1" * 4000, StorageClass="DEEP_ARCHIVE")
        self.s3.delete_object(Bucket=self.bucket, Key="a")
        u = self.s3.create_multipart_upload(Bucket=self.bucket, Key="m")["UploadId"]
        self.s3.upload_part(Bucket=self.bucket, Key="m", UploadId=u, PartNumber=1, Body=b"p" * MIB)
        self.advance("24h")
        self.assertTrue(wait_until(lambda: self.storage("AllStorageTypes", "NumberOfObjects") == 8))
        self.assertEqual([self.storage(t) for t in (
            "StandardStorage", "StandardIAStorage", "StandardIASizeOverhead", "IntelligentTieringFAStorage", "GlacierStorage",
            "GlacierObjectOverhead", "GlacierS3ObjectOverhead", "DeepArchiveStorage", "OneZoneIAStorage")],
            [150 + MIB, 1024, 127 * 1024, 2000, 3000, 32768, 8192, 4000, None])
        # midnight of the day is its time, and a start within the day adds nothing to it
        at, _ = self.stat("NumberOfObjects", "SampleCount", 86400, StorageType="AllStorageTypes")[-1]
        self.assertEqual((at.hour, at.minute, at.second), (0, 0, 0))
        self.virga.restart()
        self.put("later", b"1")
        self.assertEqual(self.stat("NumberOfObjects", "SampleCount", 86400, StorageType="AllStorageTypes")[-1], (at, 1.0))
        self.advance("32d")
        self.assertTrue(wait_until(lambda: self.storage("IntelligentTieringIAStorage") == 2000))


if __name__ == "__main__":
    unittest.main()
