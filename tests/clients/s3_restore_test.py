"""Storage classes, archives and their restores, Intelligent-Tiering."""
import calendar
import unittest

from s3case import S3Case

CLASSES = ["STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER",
           "DEEP_ARCHIVE"]


class RestoreTest(S3Case):
    def advance(self, duration):
        self.assertEqual(self.virga.get(f"/_virga/clock?advance={duration}", method="POST")[0], 200)

    def head(self, key):
        return self.s3.head_object(Bucket=self.bucket, Key=key)

    def restore(self, key, days=2, tier=None):
        request = {**({"Days": days} if days else {}), **({"GlacierJobParameters": {"Tier": tier}} if tier else {})}
        return self.s3.restore_object(Bucket=self.bucket, Key=key, RestoreRequest=request)["ResponseMetadata"]["HTTPStatusCode"]

    def test_classes(self):
        for name in CLASSES:
            self.put(name, b"body", StorageClass=name)
            shown = self.head(name).get("StorageClass", "STANDARD")
            self.assertEqual(shown, name)
            if name in ("GLACIER", "DEEP_ARCHIVE"):
                r = self.fails("InvalidObjectState", self.read, name)
                self.assertEqual(r["Error"]["StorageClass"], name)
                self.fails("ObjectNotInActiveTierError", self.s3.copy_object, Bucket=self.bucket, Key="to",
                           CopySource=f"{self.bucket}/{name}")
            else:
                self.assertEqual(self.read(name), b"body")
                self.fails("InvalidObjectState", self.restore, name)
        listed = {o["Key"]: o["StorageClass"] for o in self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]}
        self.assertEqual(listed, {n: n for n in CLASSES})
        self.s3.copy_object(Bucket=self.bucket, Key="STANDARD", CopySource=f"{self.bucket}/STANDARD", StorageClass="GLACIER")
        self.assertEqual(self.head("STANDARD")["StorageClass"], "GLACIER")
        self.fails("InvalidStorageClass", self.put, "k", b"", StorageClass="LUKEWARM")

    def test_tiers_and_times(self):
        for name, tier, before, rest in (("GLACIER", "Expedited", "1m", "5m"), ("GLACIER", "Standard", "3h", "2h"),
                                         ("GLACIER", None, "3h", "2h"), ("GLACIER", "Bulk", "5h", "7h"),
                                         ("DEEP_ARCHIVE", "Standard", "11h", "2h"), ("DEEP_ARCHIVE", "Bulk", "47h", "2h")):
            self.put("k", b"body", StorageClass=name)
            self.assertNotIn("Restore", self.head("k"))
            self.assertEqual(self.restore("k", tier=tier), 202)
            self.assertEqual(self.head("k")["Restore"], 'ongoing-request="true"')
            self.fails("RestoreAlreadyInProgress", self.restore, "k", tier=tier)
            self.advance(before)
            self.fails("InvalidObjectState", self.read, "k")
            self.advance(rest)
            self.assertEqual(self.read("k"), b"body")
            self.assertEqual(self.head("k")["StorageClass"], name)
            self.assertRegex(self.head("k")["Restore"],
                             r'^ongoing-request="false", expiry-date="\w{3}, \d\d \w{3} \d{4} 00:00:00 GMT"$')
        self.fails("InvalidArgument", self.restore, "k", tier="Expedited")

    def test_the_copy_ends(self):
        self.put("k", b"body", StorageClass="GLACIER")
        self.restore("k", days=2, tier="Expedited")
        self.advance("10m")
        listed = self.s3.list_objects_v2(Bucket=self.bucket, OptionalObjectAttributes=["RestoreStatus"])["Contents"][0]
        self.assertFalse(listed["RestoreStatus"]["IsRestoreInProgress"])
        until = calendar.timegm(listed["RestoreStatus"]["RestoreExpiryDate"].timetuple())
        self.assertEqual(until % 86400, 0)
        # Asked again, the copy stays longer.
        self.assertEqual(self.restore("k", days=5), 200)
        self.advance("4d")
        self.assertEqual(self.read("k"), b"body")
        self.advance("3d")
        self.fails("InvalidObjectState", self.read, "k")
        self.assertNotIn("Restore", self.head("k"))
        self.assertEqual(self.restore("k", tier="Bulk"), 202)
        self.assertEqual(self.restore("k", tier="Expedited"), 202)
        self.advance("10m")
        self.assertEqual(self.read("k"), b"body")

    def test_bad_requests(self):
        self.put("k", b"body", StorageClass="GLACIER")
        self.fails("MalformedXML", self.restore, "k", days=None)
        self.fails("InvalidArgument", self.restore, "k", days=0 or -1)
        self.fails("MalformedXML", self.restore, "k", tier="Hasty")
        self.fails("NoSuchKey", self.restore, "absent")

    def test_restored_copies_may_be_copied(self):
        self.put("k", b"body", StorageClass="DEEP_ARCHIVE")
        self.restore("k")
        self.advance("13h")
        self.s3.copy_object(Bucket=self.bucket, Key="to", CopySource=f"{self.bucket}/k")
        self.assertEqual(self.read("to"), b"body")
        self.assertNotIn("Restore", self.head("to"))

    def test_intelligent_tiering(self):
        conf = {"Id": "cold", "Status": "Enabled", "Filter": {"Prefix": "a/"},
                "Tierings": [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}, {"Days": 180, "AccessTier": "DEEP_ARCHIVE_ACCESS"}]}
        put = self.s3.put_bucket_intelligent_tiering_configuration
        put(Bucket=self.bucket, Id="cold", IntelligentTieringConfiguration=conf)
        get = self.s3.get_bucket_intelligent_tiering_configuration
        self.assertEqual(get(Bucket=self.bucket, Id="cold")["IntelligentTieringConfiguration"], conf)
        listed = self.s3.list_bucket_intelligent_tiering_configurations(Bucket=self.bucket)
        self.assertEqual(listed["IntelligentTieringConfigurationList"], [conf])
        for tierings in ([{"Days": 89, "AccessTier": "ARCHIVE_ACCESS"}], [{"Days": 179, "AccessTier": "DEEP_ARCHIVE_ACCESS"}],
                         [{"Days": 731, "AccessTier": "ARCHIVE_ACCESS"}]):
            self.fails("InvalidArgument", put, Bucket=self.bucket, Id="cold",
                       IntelligentTieringConfiguration={**conf, "Tierings": tierings})
        self.put("a/k", b"body", StorageClass="INTELLIGENT_TIERING")
        self.put("b/k", b"body", StorageClass="INTELLIGENT_TIERING")
        self.advance("60d")
        self.assertEqual(self.read("a/k"), b"body")  # a read keeps it
        self.advance("60d")
        self.assertNotIn("ArchiveStatus", self.head("a/k"))
        self.advance("31d")
        self.assertEqual(self.head("a/k")["ArchiveStatus"], "ARCHIVE_ACCESS")
        r = self.fails("InvalidObjectState", self.read, "a/k")
        self.assertEqual(r["Error"]["AccessTier"], "ARCHIVE_ACCESS")
        self.assertEqual(self.read("b/k"), b"body")
        self.advance("90d")
        self.assertEqual(self.head("a/k")["ArchiveStatus"], "DEEP_ARCHIVE_ACCESS")
        self.fails("MalformedXML", self.restore, "a/k", days=3)
        self.assertEqual(self.restore("a/k", days=None), 202)
        self.advance("11h")
        self.assertEqual(self.head("a/k")["Restore"], 'ongoing-request="true"')
        self.advance("2h")
        self.assertNotIn("ArchiveStatus", self.head("a/k"))
        self.assertEqual(self.read("a/k"), b"body")
        self.s3.delete_bucket_intelligent_tiering_configuration(Bucket=self.bucket, Id="cold")
        self.fails("NoSuchConfiguration", get, Bucket=self.bucket, Id="cold")


if __name__ == "__main__":
    unittest.main(verbosity=2)
