"""S3 Select: SQL over CSV and JSON objects, answered as an event stream."""
import bz2
import gzip
import json
import unittest

from botocore.exceptions import ClientError, EventStreamError

from s3case import S3Case

PEOPLE = 'name,age,city\nAnn,31,Berlin\nBob,4,"New York, NY"\nCid,25,\nDora,,"said ""hi"""\n'
LINES = "\n".join(json.dumps(x) for x in (
    {"id": 1, "name": "x", "tags": ["a", "b"], "in": {"Deep": 1.5}, "on": "2007-02-23T12:14:33.079-08:00"},
    {"id": 2, "name": None, "tags": [], "in": {"Deep": -2}},
    {"id": 30, "tags": ["c"], "in": {}}))


class SelectCase(S3Case):
    def select(self, sql, body=None, key="o", csv=None, js=None, out=None, **kw):
        if body is not None:
            self.put(key, body)
        source = {"JSON": js} if js else {"CSV": csv if csv is not None else {"FileHeaderInfo": "USE"}}
        source["CompressionType"] = kw.pop("compression", "NONE")
        r = self.s3.select_object_content(
            Bucket=self.bucket, Key=key, Expression=sql, ExpressionType="SQL", InputSerialization=source,
            OutputSerialization=out or {"CSV": {}}, **kw)
        text, self.stats, self.progress, ended = b"", None, [], False
        for event in r["Payload"]:
            text += event.get("Records", {}).get("Payload", b"")
            self.stats = event.get("Stats", {}).get("Details", self.stats)
            if "Progress" in event:
                self.progress.append(event["Progress"]["Details"])
            ended |= "End" in event
        self.assertTrue(ended)
        return text.decode()

    def refused(self, code, sql, **kw):
        with self.assertRaises(ClientError) as caught:
            self.select(sql, **kw)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception

    def value(self, expression):
        """What an expression is, over a record that does not matter."""
        return self.select(f"SELECT {expression} FROM S3Object", "1,2\n", csv={}).rstrip("\n")


class Csv(SelectCase):
    def test_columns_rows_and_quotes(self):
        self.put("o", PEOPLE)
        self.assertEqual(self.select("SELECT * FROM S3Object"), PEOPLE.split("\n", 1)[1])
        self.assertEqual(self.select("select s.name, s.CITY from s3object s where s.age > 20"), "Ann,Berlin\nCid,\n")
        self.assertEqual(self.select('select "name" from S3Object where "age" = \'4\''), "Bob\n")
        self.assertEqual(self.select("SELECT s._1 FROM S3Object s LIMIT 2"), "Ann\nBob\n")
        self.assertEqual(self.select("SELECT _1 FROM S3Object LIMIT 2", csv={"FileHeaderInfo": "IGNORE"}), "Ann\nBob\n")
        self.assertEqual(self.select("SELECT _1 FROM S3Object LIMIT 1", csv={}), "name\n")
        self.assertEqual(self.stats["BytesReturned"], 5)
        self.assertIn("MissingHeaders", str(self.fails_in_stream('SELECT nope FROM S3Object')))

    def fails_in_stream(self, sql, **kw):
        with self.assertRaises(EventStreamError) as caught:
            self.select(sql, **kw)
        return caught.exception

    def test_formats(self):
        body = "#no\n'a''b'|1;x|2;"
        csv = {"FieldDelimiter": "|", "RecordDelimiter": ";", "QuoteCharacter": "'", "Comments": "#"}
        self.assertEqual(self.select("SELECT * FROM S3Object", body.replace("\n", ";"), csv=csv), "a'b,1\nx,2\n")
        out = {"CSV": {"FieldDelimiter": "\t", "RecordDelimiter": "!", "QuoteFields": "ALWAYS"}}
        self.assertEqual(self.select("SELECT * FROM S3Object", csv=csv, out=out), '"a\'b"\t"1"!"x"\t"2"!')
        self.assertEqual(self.select("SELECT * FROM S3Object", csv=csv, out={"JSON": {}}),
                         '{"_1":"a\'b","_2":"1"}\n{"_1":"x","_2":"2"}\n')
        multi = {"AllowQuotedRecordDelimiter": True}
        self.assertEqual(self.select("SELECT s._2 FROM S3Object s", 'a,"1\n2"\r\nb,c\r\n', csv=multi), '"1\n2"\nc\n')
        self.assertEqual(self.select("SELECT _1 FROM S3Object", gzip.compress(b"q,r\ns,t\n") + gzip.compress(b"u,v\n"),
                                     csv={}, compression="GZIP"), "q\ns\nu\n")
        self.assertEqual(self.select("SELECT _1 FROM S3Object", bz2.compress(b"q,r\ns,t\n") + bz2.compress(b"u,v\n"),
                                     csv={}, compression="BZIP2"), "q\ns\nu\n")
        rows = "".join(f"{i},{i * 7919 % 10007}\n" for i in range(200000)).encode()
        self.assertEqual(self.select("SELECT COUNT(*), SUM(CAST(_1 AS INT)) FROM S3Object", bz2.compress(rows), csv={},
                                     compression="BZIP2"), "200000,19999900000\n")
        whole = bz2.compress(rows)
        for damaged in (whole[:-100], whole[:2000] + b"?" + whole[2001:], b"BZh9nonsense", gzip.compress(b"a,b\n")):
            self.put("o", damaged)
            self.assertIn("InvalidCompressionFormat", str(self.fails_in_stream("SELECT COUNT(*) FROM S3Object", compression="BZIP2")))

    def test_aggregates(self):
        self.put("o", PEOPLE)
        sql = "SELECT COUNT(*), COUNT(name), SUM(CAST(age AS INT)), AVG(CAST(age AS FLOAT)), MIN(name), MAX(CAST(age AS INT))"
        self.assertEqual(self.select(sql + " FROM S3Object WHERE age <> ''"), "3,3,60,20,Ann,31\n")
        self.assertEqual(self.select("SELECT MAX(name), COUNT(*) + 1 FROM S3Object WHERE name = 'nobody'"), ",1\n")
        self.refused("UnsupportedSqlStructure", "SELECT name, COUNT(*) FROM S3Object")
        self.refused("UnsupportedSqlStructure", "SELECT SUM(SUM(_1)) FROM S3Object")

    def test_large_objects_come_in_pieces(self):
        rows = [f"{i},{'x' * 40}" for i in range(60000)]
        text = self.select("SELECT * FROM S3Object WHERE CAST(_1 AS INT) % 2 = 0", "\n".join(rows), csv={},
                           RequestProgress={"Enabled": True})
        self.assertEqual(text, "".join(r + "\n" for r in rows[::2]))
        self.assertGreater(len(self.progress), 2)
        self.assertEqual(self.stats["BytesScanned"], len("\n".join(rows)))
        self.assertEqual(self.select("SELECT _1 FROM S3Object WHERE _1 = 'none'", csv={}), "")

    def test_scan_ranges(self):
        self.put("o", "".join(f"{i:03}\n" for i in range(100)))
        got = [self.select("SELECT _1 FROM S3Object", csv={}, ScanRange=r) for r in
               ({"Start": 0, "End": 41}, {"Start": 42, "End": 399})]
        self.assertEqual("".join(got), "".join(f"{i:03}\n" for i in range(100)))
        self.assertEqual(self.select("SELECT _1 FROM S3Object", csv={}, ScanRange={"End": 8}), "098\n099\n")
        self.refused("InvalidScanRange", "SELECT * FROM S3Object", csv={}, ScanRange={"Start": 9, "End": 3})

    def test_encrypted_and_denied(self):
        key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
        self.put("o", "1,2\n", **key)
        self.assertEqual(self.select("SELECT _2 FROM S3Object", csv={}, **key), "2\n")
        self.refused("InvalidRequest", "SELECT _2 FROM S3Object", csv={})
        other = self.virga.client("s3", key="222222222222")
        with self.assertRaises(ClientError) as caught:
            other.select_object_content(Bucket=self.bucket, Key="o", Expression="SELECT * FROM S3Object", ExpressionType="SQL",
                                        InputSerialization={"CSV": {}}, OutputSerialization={"CSV": {}})
        self.assertEqual(caught.exception.response["Error"]["Code"], "AccessDenied")


class Json(SelectCase):
    def ask(self, sql, body=None, kind="LINES", out=None):
        return self.select(sql, body, js={"Type": kind}, out=out or {"JSON": {"RecordDelimiter": "\n"}})

    def test_lines(self):
        self.put("o", LINES)
        self.assertEqual(self.ask("SELECT s.id, s.tags[0] AS t FROM S3Object s WHERE s.id < 10"), '{"id":1,"t":"a"}\n{"id":2}\n')
        self.assertEqual(self.ask("SELECT s.name FROM S3Object s WHERE s.name IS NULL"), '{"name":null}\n{}\n')
        self.assertEqual(self.ask("SELECT s.id FROM S3Object s WHERE s.name IS MISSING"), '{"id":30}\n')
        self.assertEqual(self.ask('SELECT s."in"."Deep" FROM S3Object s WHERE s.id = 1'), '{"Deep":1.5}\n')
        self.assertEqual(self.ask("SELECT * FROM S3Object s WHERE s.id = 2").strip(),
                         '{"id":2,"name":null,"tags":[],"in":{"Deep":-2}}')
        self.assertEqual(self.ask("SELECT t FROM S3Object[*].tags[*] t"), '{"t":"a"}\n{"t":"b"}\n{"t":"c"}\n')
        self.assertEqual(self.ask("SELECT s.id FROM S3Object s WHERE s.id = 30", out={"CSV": {}}), "30\n")

    def test_documents(self):
        body = json.dumps({"all": [{"a": 1}, {"a": 2, "b": {"c": [5, 6]}}]}, indent=1)
        self.assertEqual(self.ask("SELECT r.a FROM S3Object[*].all[*] r", body, "DOCUMENT"), '{"a":1}\n{"a":2}\n')
        self.assertEqual(self.ask("SELECT r.b.c[1] AS x FROM S3Object[*].all[*] r WHERE r.a = 2", None, "DOCUMENT"), '{"x":6}\n')
        with self.assertRaises(EventStreamError) as caught:
            self.ask("SELECT * FROM S3Object s", '{"a": 1} {', "DOCUMENT")
        self.assertIn("JSONParsingError", str(caught.exception))


class Expressions(SelectCase):
    def test_values(self):
        for expression, value in {
            "1 + 2 * 3 - 4": "3", "7 / 2": "3", "7 / 2.0": "3.5", "7 % 4": "3", "-(_1)": "-1", "_1 + 1.5": "2.5",
            "'a' || 'b'": "ab", "UPPER('aé')": "Aé", "LOWER('AB')": "ab", "CHAR_LENGTH('aé')": "2",
            "SUBSTRING('123456789', 0)": "123456789", "SUBSTRING('123456789', 0, 999)": "123456789",
            "SUBSTRING('123456789', 1, 1)": "1", "SUBSTRING('123456789' FROM 2 FOR 3)": "234",
            "TRIM('  x ')": "x", "TRIM(LEADING FROM '  x')": "x", "TRIM(BOTH '12' FROM '1121x22')": "x",
            "CASE WHEN _1 = '1' THEN 'one' ELSE 'other' END": "one", "CASE _2 WHEN 3 THEN 'a' WHEN 2 THEN 'b' END": "b",
            "COALESCE(NULL, NULL, 3)": "3", "NULLIF(1, 1) IS NULL": "true", "NULLIF(1, 2)": "1",
            "CAST('2.7' AS INT)": "2", "CAST(1 AS FLOAT) / 4": "0.25", "CAST('true' AS BOOL)": "true",
            "3 BETWEEN 1 AND 5": "true", "3 NOT IN (1, 2)": "true", "'abc' LIKE 'a%'": "true", "'a_c' LIKE 'a!_c' ESCAPE '!'": "true",
            "'abc' LIKE 'a!_c' ESCAPE '!'": "false", "NOT (1 = 2) AND (2 > 1 OR 1 = 0)": "true", "1 <> 2": "true", "1 != 1": "false",
            "EXTRACT(YEAR FROM CAST('2010-01-01T' AS TIMESTAMP))": "2010",
            "EXTRACT(TIMEZONE_HOUR FROM TO_TIMESTAMP('2010-01-01T00:00:00+08:00'))": "8",
            "DATE_ADD(month, 1, CAST('2010-01-31T' AS TIMESTAMP))": "2010-02-28",
            "DATE_ADD(minute, 10, CAST('2017-01-02T03:04:05.006Z' AS TIMESTAMP))": "2017-01-02T03:14:05.006Z",
            "DATE_DIFF(year, CAST('2010-01-01T' AS TIMESTAMP), CAST('2011-01-01T' AS TIMESTAMP))": "1",
            "DATE_DIFF(day, CAST('2010-01-01T23:00Z' AS TIMESTAMP), CAST('2010-01-02T01:00Z' AS TIMESTAMP))": "0",
            "TO_STRING(CAST('1969-07-20T20:18Z' AS TIMESTAMP), 'MMMM d, y h:mm a')": '"July 20, 1969 8:18 PM"',
            "TO_STRING(CAST('1969-07-20T20:18:13+01:00' AS TIMESTAMP), 'yyyy-MM-dd''T''HH:mm:ssXXX')": "1969-07-20T20:18:13+01:00",
        }.items():
            with self.subTest(expression):
                self.assertEqual(self.value(expression), value)
        self.assertRegex(self.value("UTCNOW()"), r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_refused(self):
        self.put("o", "1\n")
        for code, sql in (
            ("ParseSelectMissingFrom", "SELECT 1"), ("ParseUnexpectedToken", "DELETE FROM S3Object"),
            ("InvalidDataSource", "SELECT * FROM elsewhere"), ("LexerInvalidChar", "SELECT ~ FROM S3Object"),
            ("UnsupportedFunction", "SELECT SLEEP(1) FROM S3Object"), ("UnsupportedSqlStructure", "SELECT * FROM S3Object GROUP BY x"),
            ("LexerInvalidLiteral", "SELECT 'x FROM S3Object"), ("EvaluatorInvalidArguments", "SELECT LOWER('a','b') FROM S3Object"),
            ("UnsupportedSyntax", "SELECT " + "(" * 2000 + "1" + ")" * 2000 + " FROM S3Object"),
            ("UnsupportedSyntax", "SELECT " + "1+" * 5000 + "1 FROM S3Object"),
            ("ExpressionTooLong", "SELECT '" + "x" * 262144 + "' FROM S3Object"),
        ):
            with self.subTest(sql[:40]):
                self.refused(code, sql)
        with self.assertRaises(EventStreamError) as caught:
            self.select("SELECT CAST('x' AS INT) FROM S3Object", csv={})
        self.assertIn("CastFailed", str(caught.exception))
        with self.assertRaises(EventStreamError):
            self.select("SELECT 1 / 0 FROM S3Object", csv={})


if __name__ == "__main__":
    unittest.main()
