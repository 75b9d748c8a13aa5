"""Lifecycle rules: what may be configured, and the life of objects as the virtual clock moves."""
import calendar
import datetime
import email.utils
import threading
import time
import unittest

from s3case import MIB, S3Case

DAY = 86400


class LifecycleCase(S3Case):
    def advance(self, duration):
        code = self.virga.get(f"/_virga/clock?advance={duration}", method="POST")[0]
        self.assertEqual(code, 200)

    def rules(self, *rules, **kw):
        out = []
        for r in rules:
            r = {"Status": "Enabled", **r}
            if "Prefix" not in r:
                r.setdefault("Filter", {"Prefix": ""})
            out.append(r)
        return self.s3.put_bucket_lifecycle_configuration(Bucket=self.bucket, LifecycleConfiguration={"Rules": out}, **kw)

    def keys(self):
        return [o["Key"] for o in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    def versions(self):
        r = self.s3.list_object_versions(Bucket=self.bucket)
        return ([(v["Key"], v["VersionId"]) for v in r.get("Versions", [])],
                [(v["Key"], v["VersionId"]) for v in r.get("DeleteMarkers", [])])

    def storage_class(self, key, **kw):
        return self.s3.head_object(Bucket=self.bucket, Key=key, **kw).get("StorageClass", "STANDARD")

    def versioned(self):
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})


BIG = {"ObjectSizeGreaterThan": 0}


class ConfigurationTest(LifecycleCase):
    def test_round_trip(self):
        self.fails("NoSuchLifecycleConfiguration", self.s3.get_bucket_lifecycle_configuration, Bucket=self.bucket)
        rule = {"ID": "all", "Status": "Enabled",
                "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "b"}], "ObjectSizeGreaterThan": 500}},
                "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
                "Expiration": {"Days": 365},
                "NoncurrentVersionTransitions": [{"NoncurrentDays": 30, "StorageClass": "STANDARD_IA"}],
                "NoncurrentVersionExpiration": {"NoncurrentDays": 60, "NewerNoncurrentVersions": 3}}
        old = {"ID": "old", "Status": "Disabled", "Prefix": "tmp/", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}
        r = self.s3.put_bucket_lifecycle_configuration(Bucket=self.bucket, LifecycleConfiguration={"Rules": [rule, old]})
        self.assertEqual(r["TransitionDefaultMinimumObjectSize"], "all_storage_classes_128K")
        got = self.s3.get_bucket_lifecycle_configuration(Bucket=self.bucket)
        self.assertEqual(got["Rules"], [rule, old])
        self.s3.delete_bucket_lifecycle(Bucket=self.bucket)
        self.fails("NoSuchLifecycleConfiguration", self.s3.get_bucket_lifecycle_configuration, Bucket=self.bucket)
        self.rules({"Expiration": {"Days": 1}})
        made = self.s3.get_bucket_lifecycle_configuration(Bucket=self.bucket)["Rules"][0]["ID"]
        self.assertTrue(made)
        self.assertEqual(self.s3.get_bucket_lifecycle_configuration(Bucket=self.bucket)["Rules"][0]["ID"], made)

    def test_contradictions(self):
        midnight = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
        tagged = {"Filter": {"Tag": {"Key": "a", "Value": "b"}}}
        for code, *rules in (
                ("InvalidRequest", {}),
                ("MalformedXML", {"Status": "enabled", "Expiration": {"Days": 1}}),
                ("MalformedXML", {"Prefix": "a", "Filter": {"Prefix": "a"}, "Expiration": {"Days": 1}}),
                ("MalformedXML", {"Expiration": {"Days": 1, "Date": midnight}}),
                ("MalformedXML", {"Filter": {"And": {"Prefix": "a"}}, "Expiration": {"Days": 1}}),
                ("InvalidArgument", {"Expiration": {"Days": 0}}),
                ("InvalidArgument", {"Expiration": {"Days": -1}}),
                ("InvalidArgument", {"Expiration": {"Date": midnight + datetime.timedelta(hours=1)}}),
                ("InvalidArgument", {"ID": "x" * 256, "Expiration": {"Days": 1}}),
                ("InvalidArgument", {"ID": "x", "Expiration": {"Days": 1}}, {"ID": "x", "Expiration": {"Days": 2}}),
                ("InvalidRequest", {**tagged, "Expiration": {"ExpiredObjectDeleteMarker": True}}),
                ("InvalidRequest", {**tagged, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}),
                ("InvalidArgument", {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 0}}),
                ("InvalidArgument", {"Transitions": [{"Days": 29, "StorageClass": "STANDARD_IA"}]}),
                ("MalformedXML", {"Transitions": [{"Days": 30, "StorageClass": "STANDARD"}]}),
                ("MalformedXML", {"Transitions": [{"Days": 30, "StorageClass": "nonsense"}]}),
                ("InvalidArgument", {"Transitions": [{"Days": 30, "StorageClass": "GLACIER"}], "Expiration": {"Days": 30}}),
                ("InvalidRequest", {"Transitions": [{"Days": 30, "StorageClass": "GLACIER"}], "Expiration": {"Date": midnight}}),
                ("InvalidRequest", {"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}, {"Days": 2, "StorageClass": "GLACIER"}]}),
                ("InvalidArgument", {"Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"},
                                                     {"Days": 40, "StorageClass": "GLACIER"}]}),
                ("InvalidArgument", {"NoncurrentVersionExpiration": {"NoncurrentDays": 0}}),
                ("InvalidArgument", {"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 101}}),
                ("InvalidRequest", {"Filter": {"And": {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}},
                                    "Expiration": {"Days": 1}}),
                ("InvalidRequest", {"Filter": {"And": {"ObjectSizeGreaterThan": 9, "ObjectSizeLessThan": 5}},
                                    "Expiration": {"Days": 1}})):
            with self.subTest(rules=rules):
                self.fails(code, self.rules, *rules)
        self.fails("NoSuchLifecycleConfiguration", self.s3.get_bucket_lifecycle_configuration, Bucket=self.bucket)


class LifeTest(LifecycleCase):
    def test_whole_life_of_an_object(self):
        """Every class in turn, and the end, by moving the clock."""
        self.rules({"Filter": BIG, "Expiration": {"Days": 400}, "Transitions": [
            {"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 60, "StorageClass": "INTELLIGENT_TIERING"},
            {"Days": 90, "StorageClass": "GLACIER_IR"}, {"Days": 120, "StorageClass": "GLACIER"},
            {"Days": 210, "StorageClass": "DEEP_ARCHIVE"}]})
        body = b"x" * 200_000
        self.put("k", body)
        seen = []
        for days in (29, 2, 30, 30, 30, 90):
            began = time.monotonic()
            self.advance(f"{days}d")
            self.assertLess(time.monotonic() - began, 1)
            seen.append(self.storage_class("k"))
        self.assertEqual(seen, ["STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"])
        self.fails("InvalidObjectState", self.read, "k")
        self.advance("190d")
        self.assertEqual(self.keys(), [])

    def test_a_leap_is_as_the_days_one_by_one(self):
        """90 days at once: expired on day 2, the old version gone 30 days after that, then its marker."""
        self.versioned()
        self.rules({"ID": "a", "Expiration": {"Days": 1}, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}},
                   {"ID": "b", "Filter": BIG, "NoncurrentVersionTransitions": [{"NoncurrentDays": 5, "StorageClass": "GLACIER"}]})
        self.put("k", b"x")
        began = time.monotonic()
        self.advance("20d")
        versions, markers = self.versions()
        self.assertEqual((len(versions), len(markers)), (1, 1))
        self.assertEqual(self.storage_class("k", VersionId=versions[0][1]), "GLACIER")
        self.advance("90d")
        self.assertLess(time.monotonic() - began, 1)
        self.assertEqual(self.versions(), ([], []))

    def test_expiration_header_and_rounding(self):
        self.rules({"ID": "soon & later", "Expiration": {"Days": 3}, "Filter": {"Prefix": "a"}})
        r = self.put("a", b"x")
        created = calendar.timegm(self.s3.head_object(Bucket=self.bucket, Key="a")["LastModified"].timetuple())
        due = -(-(created + 3 * DAY) // DAY) * DAY
        expected = f'expiry-date="{email.utils.formatdate(due, usegmt=True)}", rule-id="soon%20%26%20later"'
        self.assertEqual(r["Expiration"], expected)
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="a")["Expiration"], expected)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="a")["Expiration"], expected)
        self.assertNotIn("Expiration", self.put("b", b"x"))
        self.advance("71h")
        self.assertEqual(self.keys(), ["a", "b"])
        self.advance("26h")
        self.assertEqual(self.keys(), ["b"])

    def test_filters(self):
        self.rules({"ID": "1", "Filter": {"Prefix": "p/"}, "Expiration": {"Days": 1}},
                   {"ID": "2", "Filter": {"Tag": {"Key": "gone", "Value": "yes"}}, "Expiration": {"Days": 1}},
                   {"ID": "3", "Filter": {"And": {"Prefix": "s/", "ObjectSizeGreaterThan": 10, "ObjectSizeLessThan": 20}},
                    "Expiration": {"Days": 1}},
                   {"ID": "4", "Status": "Disabled", "Expiration": {"Days": 1}},
                   {"ID": "5", "Prefix": "old/", "Expiration": {"Days": 1}})
        for key, size, tags in (("p/1", 1, ""), ("t", 1, "gone=yes"), ("u", 1, "gone=no"), ("s/10", 10, ""), ("s/11", 11, ""),
                                ("s/19", 19, ""), ("s/20", 20, ""), ("old/1", 1, ""), ("keep", 1, "")):
            self.put(key, b"x" * size, Tagging=tags)
        self.advance("3d")
        self.assertEqual(self.keys(), ["keep", "s/10", "s/20", "u"])

    def test_dates(self):
        self.put("k", b"x")
        created = self.s3.head_object(Bucket=self.bucket, Key="k")["LastModified"]
        date = (created + datetime.timedelta(days=5)).replace(hour=0, minute=0, second=0)
        self.rules({"Expiration": {"Date": date}})
        self.advance("3d")
        self.assertEqual(self.keys(), ["k"])
        self.advance("3d")
        self.assertEqual(self.keys(), [])

    def test_small_objects_stay(self):
        rule = {"Transitions": [{"Days": 0, "StorageClass": "GLACIER"}]}
        self.rules(rule)
        self.put("small", b"x")
        self.put("large", b"x" * (128 << 10))
        self.advance("2d")
        self.assertEqual((self.storage_class("small"), self.storage_class("large")), ("STANDARD", "GLACIER"))
        self.rules(rule, TransitionDefaultMinimumObjectSize="varies_by_storage_class")
        self.advance("2d")
        self.assertEqual(self.storage_class("small"), "GLACIER")

    def test_newer_noncurrent_versions(self):
        self.versioned()
        self.rules({"NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 2}})
        ids = [self.put("k", str(i).encode())["VersionId"] for i in range(6)]
        self.advance("10d")
        self.assertEqual([v for _, v in self.versions()[0]], ids[:-4:-1])
        self.assertEqual(self.read("k"), b"5")

    def test_expired_delete_markers(self):
        self.versioned()
        self.rules({"Expiration": {"ExpiredObjectDeleteMarker": True}})
        kept = self.put("kept", b"x")["VersionId"]
        lone = self.put("lone", b"x")["VersionId"]
        self.s3.delete_object(Bucket=self.bucket, Key="kept")
        self.s3.delete_object(Bucket=self.bucket, Key="lone")
        self.s3.delete_object(Bucket=self.bucket, Key="lone", VersionId=lone)
        self.advance("3d")
        versions, markers = self.versions()
        self.assertEqual(versions, [("kept", kept)])
        self.assertEqual([k for k, _ in markers], ["kept"])

    def test_incomplete_uploads(self):
        self.rules({"ID": "abort", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}})
        up = self.s3.create_multipart_upload(Bucket=self.bucket, Key="m")
        self.assertEqual(up["AbortRuleId"], "abort")
        self.s3.upload_part(Bucket=self.bucket, Key="m", UploadId=up["UploadId"], PartNumber=1, Body=b"x" * MIB)
        self.advance("1d")
        self.assertEqual(len(self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])), 1)
        self.advance("3d")
        self.assertEqual(self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", []), [])

    def test_locked_versions_outlive_rules(self):
        bucket = self.bucket + "-l"
        self.s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
        self.bucket = bucket
        self.rules({"Expiration": {"Days": 1}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}})
        self.put("k", b"x")
        created = self.s3.head_object(Bucket=bucket, Key="k")["LastModified"]
        self.s3.put_object_retention(Bucket=bucket, Key="k", Retention={
            "Mode": "COMPLIANCE", "RetainUntilDate": created + datetime.timedelta(days=20)})
        self.advance("15d")
        versions, markers = self.versions()
        self.assertEqual((len(versions), len(markers)), (1, 1))
        self.advance("15d")
        self.assertEqual(self.versions(), ([], []))

    def test_many_objects_and_a_crash(self):
        """Pages of a run: 2,500 keys, ended by SIGKILL somewhere within; in the end all have expired."""
        self.rules({"Filter": {"Prefix": "x/"}, "Expiration": {"Days": 1}})
        for i in range(2500):
            self.put(f"x/{i}" if i % 5 else f"y/{i}", b"")
        t = threading.Thread(target=lambda: self.quietly(self.advance, "3d"))
        t.start()
        time.sleep(0.03)
        self.virga.restart()
        t.join()
        self.advance("2d")
        names = [k for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
                 for k in (o["Key"] for o in page.get("Contents", []))]
        self.assertEqual(len(names), 500)
        self.assertTrue(all(n.startswith("y/") for n in names))

    def quietly(self, fn, *args):
        try:
            fn(*args)
        except Exception:
            pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
