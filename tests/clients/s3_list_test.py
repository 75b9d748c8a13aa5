"""S3's listings: order, prefixes, delimiters, pages, tokens, encodings; their cost is that of the page."""
import random
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from s3case import S3Case


class Listings(S3Case):
    def fill(self, keys):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda k: self.put(k, k.encode()), keys))

    def page(self, v2=True, **query):
        parts = [f"{k.replace('_', '-')}={quote(str(v), safe='')}" for k, v in query.items()]
        r = self.raw("GET", f"/{self.bucket}?" + "&".join((["list-type=2"] if v2 else []) + parts))
        self.assertEqual(r.code, 200, r.body)
        return r

    @staticmethod
    def shown(r):
        x = r.xml()
        return ([e.findtext("Key") for e in x.findall("Contents")],
                [e.findtext("Prefix") for e in x.findall("CommonPrefixes")])

    def all_pages(self, v2=True, **query):
        """Everything, in order, page by page; and the number of pages."""
        keys, prefixes, pages, after = [], [], 0, {}
        while True:
            r = self.page(v2, **query, **after)
            k, p = self.shown(r)
            self.assertLessEqual(len(k) + len(p), query.get("max_keys", 1000))
            if v2:
                self.assertEqual(r.text("KeyCount"), str(len(k) + len(p)))
            keys, prefixes, pages = keys + k, prefixes + p, pages + 1
            if r.text("IsTruncated") == "false":
                self.assertIsNone(r.text("NextContinuationToken"))
                self.assertIsNone(r.text("NextMarker"))
                return keys, prefixes, pages
            if v2:
                after = {"continuation_token": r.text("NextContinuationToken")}
            else:
                after = {"marker": r.text("NextMarker") if "delimiter" in query else k[-1]}

    def test_against_a_model(self):
        rng = random.Random(7)
        alphabet = ["a", "b", "/", "//", "é", "0", "-", "ab"]
        keys = sorted({"".join(rng.choices(alphabet, k=rng.randint(1, 6))) for _ in range(250)}, key=str.encode)
        self.fill(keys)
        for _ in range(60):
            prefix = rng.choice(["", "", "a", "a/", "b", "/", "é", "zz", rng.choice(keys)[:3]])
            delimiter = rng.choice(["", "/", "//", "b", "ab", "é"])
            after = rng.choice(["", "", rng.choice(keys), rng.choice(keys) + "x", "a/", "zzz"])
            limit = rng.choice([1, 2, 7, 50, 1000])
            want_keys, want_prefixes = [], []
            for k in keys:
                if not k.startswith(prefix):
                    continue
                at = k.find(delimiter, len(prefix)) if delimiter else -1
                if at < 0:
                    if k.encode() > after.encode():
                        want_keys.append(k)
                else:
                    common = k[:at + len(delimiter)]
                    passed = after.startswith(common) or common.encode() <= after.encode()
                    if not passed and common not in want_prefixes:
                        want_prefixes.append(common)
            query = {"max_keys": limit}
            if prefix:
                query["prefix"] = prefix
            if delimiter:
                query["delimiter"] = delimiter
            with self.subTest(prefix=prefix, delimiter=delimiter, after=after, limit=limit):
                v2 = dict(query, start_after=after) if after else query
                got = self.all_pages(True, **v2)
                self.assertEqual(got[:2], (want_keys, want_prefixes))
                total = len(want_keys) + len(want_prefixes)
                self.assertEqual(got[2], max(1, -(-total // limit)))
                if not after:
                    self.assertEqual(self.all_pages(False, **query)[:2], (want_keys, want_prefixes))

    def test_fields(self):
        self.put("dir/a b", b"12345")
        r = self.page(delimiter="-", prefix="dir/", fetch_owner="true").xml()
        self.assertEqual((r.tag, r.findtext("Name"), r.findtext("Prefix"), r.findtext("Delimiter"), r.findtext("MaxKeys"),
                          r.findtext("IsTruncated"), r.findtext("KeyCount")),
                         ("ListBucketResult", self.bucket, "dir/", "-", "1000", "false", "1"))
        c = r.find("Contents")
        self.assertEqual((c.findtext("Key"), c.findtext("Size"), c.findtext("StorageClass"), c.findtext("ETag")),
                         ("dir/a b", "5", "STANDARD", '"827ccb0eea8a706c4c34a16891f84e7b"'))
        self.assertRegex(c.findtext("LastModified"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$")
        self.assertRegex(c.findtext("Owner/ID"), "^[0-9a-f]{64}$")
        self.assertIsNone(self.page().xml().find("Contents/Owner"))
        old = self.page(v2=False)
        self.assertIsNotNone(old.xml().find("Contents/Owner/ID"))
        self.assertEqual((old.text("Marker"), old.text("Prefix"), old.text("KeyCount")), ("", "", None))

    def test_encoding(self):
        key = "a b+ü/\n\x01%"
        self.put(key, b"x")
        r = self.page(encoding_type="url", prefix="a b", delimiter="%", start_after="a")
        self.assertEqual((r.text("CommonPrefixes/Prefix"), r.text("Prefix"), r.text("Delimiter"), r.text("StartAfter"),
                          r.text("EncodingType")), ("a+b%2B%C3%BC/%0A%01%25", "a+b", "%25", "a", "url"))
        self.assertEqual(self.page(encoding_type="url").text("Contents/Key"), "a+b%2B%C3%BC/%0A%01%25")
        self.assertEqual(self.raw("GET", f"/{self.bucket}?encoding-type=utf8").error, "InvalidArgument")
        self.assertEqual([o["Key"] for o in self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]], [key])

    def test_limits(self):
        self.fill([f"k{n:04}" for n in range(1005)])
        r = self.page(max_keys=0)
        self.assertEqual((self.shown(r), r.text("IsTruncated"), r.text("MaxKeys")), (([], []), "false", "0"))
        for v2 in (True, False):
            r = self.page(v2, max_keys=5000)
            self.assertEqual((len(self.shown(r)[0]), r.text("IsTruncated"), r.text("MaxKeys")), (1000, "true", "1000"))
        self.assertIsNone(self.page(False).text("NextMarker"))
        for bad in ("-1", "abc", "99999999999"):
            r = self.raw("GET", f"/{self.bucket}?list-type=2&max-keys={bad}")
            self.assertEqual((r.code, r.error), (400, "InvalidArgument"), bad)
        r = self.raw("GET", f"/{self.bucket}?list-type=2&continuation-token=bogus")
        self.assertEqual((r.code, r.error), (400, "InvalidArgument"))
        got = [o["Key"] for p in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
               for o in p["Contents"]]
        self.assertEqual(got, [f"k{n:04}" for n in range(1005)])
        got = [o["Key"] for p in self.s3.get_paginator("list_objects").paginate(Bucket=self.bucket) for o in p["Contents"]]
        self.assertEqual(len(got), 1005)

    def test_empty(self):
        r = self.s3.list_objects_v2(Bucket=self.bucket)
        self.assertEqual((r["KeyCount"], r["IsTruncated"], r.get("Contents")), (0, False, None))
        self.assertEqual(self.raw("GET", f"/{self.bucket}", {"x-amz-optional-object-attributes": "Colour"}).error,
                         "InvalidArgument")
        self.assertEqual(self.raw("GET", f"/{self.bucket}", {"x-amz-optional-object-attributes": "RestoreStatus"}).code, 200)

    def test_listed_at_once_and_gone_at_once(self):
        for n in range(50):
            self.put(f"k{n}", b"x")
            self.assertIn(f"k{n}", self.shown(self.page())[0])
            self.s3.delete_object(Bucket=self.bucket, Key=f"k{n}")
            self.assertNotIn(f"k{n}", self.shown(self.page())[0])

    def test_prefixes_are_jumped_over(self):
        """A page of common prefixes costs what it shows, however many keys they hold."""
        self.fill([f"few/{n:02}/k" for n in range(20)])
        few = self.cost("few/")
        self.fill([f"many/{n:02}/{i:03}" for n in range(20) for i in range(150)])
        self.assertLess(self.cost("many/"), few * 4 + 0.002)

    def cost(self, prefix):
        self.assertEqual(len(self.shown(self.page(prefix=prefix, delimiter="/"))[1]), 20)
        best = 9.0
        for _ in range(15):
            start = time.perf_counter()
            self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
            best = min(best, time.perf_counter() - start)
        return best


if __name__ == "__main__":
    unittest.main()
