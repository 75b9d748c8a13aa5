"""Storage class analysis: each day's rows in the exported CSV, by storage class and age, with what was read."""
import csv
import io
import unittest
import uuid

from s3case import MIB, S3Case
from virga import wait_until

COLUMNS = ["Date", "ConfigId", "Filter", "StorageClass", "ObjectAge", "ObjectCount", "DataUploaded_MB", "Storage_MB",
           "DataRetrieved_MB", "GetRequestCount", "CumulativeAccessRatio", "ObjectAgeForSIATransition",
           "RecommendedObjectAgeForSIATransition"]


class Analysis(S3Case):
    def setUp(self):
        super().setUp()
        self.target = "t-" + uuid.uuid4().hex[:20]
        self.s3.create_bucket(Bucket=self.target)

    def advance(self, by):
        code, _, body = self.virga.get(f"/_virga/clock?advance={by}", "POST")
        self.assertEqual(code, 200, body)

    def configure(self, name, filter=None, **change):
        conf = {"Id": name, **({"Filter": filter} if filter else {}), "StorageClassAnalysis": {"DataExport": {
            "OutputSchemaVersion": "V_1", "Destination": {"S3BucketDestination": {
                "Format": "CSV", "Bucket": f"arn:aws:s3:::{self.target}", "Prefix": "out", **change}}}}}
        self.s3.put_bucket_analytics_configuration(Bucket=self.bucket, Id=name, AnalyticsConfiguration=conf)

    def rows(self, name):
        try:
            text = self.s3.get_object(Bucket=self.target, Key=f"out/{self.bucket}/{name}.csv")["Body"].read().decode()
        except self.s3.exceptions.NoSuchKey:
            return []
        return list(csv.DictReader(io.StringIO(text)))

    def days(self, name, n):
        """The rows of that many days, once they are there."""
        self.assertTrue(wait_until(lambda: len({r["Date"] for r in self.rows(name)}) >= n), self.rows(name))
        return self.rows(name)

    def test_rows_of_a_day(self):
        self.configure("all")
        self.configure("some", {"And": {"Prefix": "logs/", "Tags": [{"Key": "k", "Value": "v"}]}})
        self.put("logs/1", b"1" * MIB, Tagging="k=v")
        self.put("logs/2", b"1" * MIB)
        self.put("ia", b"1" * MIB, StorageClass="STANDARD_IA")
        for _ in range(3):
            self.read("logs/1")
        self.s3.head_object(Bucket=self.bucket, Key="logs/1")
        self.fails("NoSuchKey", self.read, "none")
        self.assertEqual(self.rows("all"), [])
        self.advance("24h")
        rows = self.days("all", 1)
        self.assertEqual(list(rows[0]), COLUMNS)
        got = {(r["StorageClass"], r["ObjectAge"]): (r["ObjectCount"], r["DataUploaded_MB"], r["Storage_MB"], r["DataRetrieved_MB"],
                                                     r["GetRequestCount"], r["CumulativeAccessRatio"]) for r in rows}
        self.assertEqual(got, {
            ("STANDARD", "ALL"): ("2", "2.000000", "2.000000", "3.000000", "3", "1.500000"),
            ("STANDARD", "000-014"): ("", "", "2.000000", "3.000000", "3", "1.500000"),
            ("STANDARD_IA", "ALL"): ("1", "1.000000", "1.000000", "0.000000", "0", "0.000000"),
            ("STANDARD_IA", "000-014"): ("", "", "1.000000", "0.000000", "0", "0.000000")})
        some = self.days("some", 1)
        self.assertEqual([(r["Filter"], r["Storage_MB"], r["GetRequestCount"]) for r in some],
                         [("prefix=logs/&tag:k=v", "1.000000", "3")] * 2)
        # the next day is added; what was counted survives a restart
        self.read("logs/1")
        self.assertEqual(self.virga.stop(), 0)
        self.virga.start(self.virga.port)
        self.advance("24h")
        rows = self.days("all", 2)
        self.assertEqual([r["GetRequestCount"] for r in rows if (r["StorageClass"], r["ObjectAge"]) == ("STANDARD", "ALL")], ["3", "1"])
        self.s3.delete_bucket_analytics_configuration(Bucket=self.bucket, Id="all")
        self.advance("24h")
        self.days("some", 3)
        self.assertEqual(len({r["Date"] for r in self.rows("all")}), 2)

    def test_recommendation(self):
        self.configure("all")
        self.put("old", b"1" * MIB)
        for day in range(75):
            self.advance("24h")
            self.days("all", day + 1)
        last = [r for r in self.rows("all") if r["ObjectAge"] == "ALL"]
        observed = [r["ObjectAgeForSIATransition"] for r in last]
        self.assertEqual((set(observed[:29]), observed[40:45]), ({""}, ["30"] * 5))
        self.assertEqual(last[-1]["RecommendedObjectAgeForSIATransition"], "30")
        self.assertEqual({r["ObjectAge"] for r in self.rows("all")}, {"ALL", "000-014", "015-029", "030-044", "045-059", "060-074", "075-089"})

    def test_refusals(self):
        self.fails("MalformedXML", self.configure, "x", Format="ORC")
        self.fails("InvalidArgument", self.configure, "x", Bucket="arn:aws:s3:::nobody-has-this-one")


if __name__ == "__main__":
    unittest.main()
