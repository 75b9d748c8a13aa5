"""DynamoDB through boto3: every operation that virga serves, and AWS's words where it refuses."""
import datetime
import decimal
import itertools
import json
import os
import random
import subprocess
import threading
import time
import unittest

import boto3
from botocore.exceptions import ClientError

from virga import BINARY, Virga, wait_until

NEEDS_BOTO3 = (1, 40)

D = decimal.Decimal
numbers = itertools.count(1)


def S(x):
    return {"S": x}


def N(x):
    return {"N": str(x)}


class Case(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)
        cls.d = cls.virga.client("dynamodb")

    def table(self, hash="pk:S", range=None, gsi=(), lsi=(), **more):
        """A new table: names and types as "pk:S"; indexes as (name, hash, range or None, projection)."""
        name = f"table-{next(numbers)}"
        types = dict(x.split(":") for x in [hash, range, *[k for i in gsi for k in i[1:3]], *[k for i in lsi for k in i[1:3]]] if x)

        def schema(h, r):
            return [{"AttributeName": h.split(":")[0], "KeyType": "HASH"}] + (
                [{"AttributeName": r.split(":")[0], "KeyType": "RANGE"}] if r else [])

        def index(i):
            projection = i[3] if len(i) > 3 else "ALL"
            p = {"ProjectionType": projection} if isinstance(projection, str) else {
                "ProjectionType": "INCLUDE", "NonKeyAttributes": list(projection)}
            return {"IndexName": i[0], "KeySchema": schema(i[1], i[2]), "Projection": p}

        if "ProvisionedThroughput" not in more:
            more.setdefault("BillingMode", "PAY_PER_REQUEST")
        if gsi:
            more["GlobalSecondaryIndexes"] = [
                {**index(i), **({"ProvisionedThroughput": more["ProvisionedThroughput"]} if "ProvisionedThroughput" in more else {})}
                for i in gsi]
        if lsi:
            more["LocalSecondaryIndexes"] = [index(i) for i in lsi]
        self.d.create_table(TableName=name, KeySchema=schema(hash, range), AttributeDefinitions=[
            {"AttributeName": k, "AttributeType": t} for k, t in types.items()], **more)
        return name

    def refused(self, code, message, call, *a, **k):
        with self.assertRaises(ClientError) as caught:
            call(*a, **k)
        error = caught.exception.response["Error"]
        self.assertEqual((error["Code"], error.get("Message", "")), (code, message))
        return caught.exception.response

    def invalid(self, message, call, *a, **k):
        return self.refused("ValidationException", message, call, *a, **k)

    def put(self, table, **item):
        return self.d.put_item(TableName=table, Item=item)

    def get(self, table, **key):
        return self.d.get_item(TableName=table, Key=key).get("Item")


class Tables(Case):
    def test_a_table_s_life(self):
        name = self.table("pk:S", "sk:N", gsi=[("gsi", "a:S", None, "KEYS_ONLY")], lsi=[("lsi", "pk:S", "b:N", ("c",))],
                          Tags=[{"Key": "k", "Value": "v"}], DeletionProtectionEnabled=True)
        t = self.d.describe_table(TableName=name)["Table"]
        self.assertEqual(t["TableStatus"], "ACTIVE")
        self.assertEqual(t["TableArn"], f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}")
        self.assertEqual(t["GlobalSecondaryIndexes"][0]["IndexStatus"], "ACTIVE")
        self.assertEqual(t["LocalSecondaryIndexes"][0]["Projection"], {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["c"]})
        self.assertEqual(t["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
        self.assertIn(name, self.d.list_tables()["TableNames"])
        self.assertEqual(self.d.list_tags_of_resource(ResourceArn=t["TableArn"])["Tags"], [{"Key": "k", "Value": "v"}])
        self.invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
                     self.d.delete_table, TableName=name)
        self.d.update_table(TableName=name, DeletionProtectionEnabled=False)
        self.assertEqual(self.d.delete_table(TableName=name)["TableDescription"]["TableStatus"], "DELETING")
        self.refused("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found",
                     self.d.describe_table, TableName=name)
        self.d.get_waiter("table_not_exists").wait(TableName=name)

    def test_a_table_made_anew_is_empty(self):
        name = self.table()
        self.put(name, pk=S("a"))
        self.d.delete_table(TableName=name)
        self.d.create_table(TableName=name, KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST")
        self.assertIsNone(self.get(name, pk=S("a")))
        self.assertEqual(self.d.scan(TableName=name)["Count"], 0)

    def test_what_is_refused(self):
        P = "One or more parameter values were invalid: "
        name = self.table()
        ok = dict(KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
                  AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST")
        new = lambda **k: self.d.create_table(**{"TableName": "refused", **ok, **k})
        self.refused("ResourceInUseException", f"Table already exists: {name}", new, TableName=name)
        self.invalid(P + "Some index key attributes are not defined in AttributeDefinitions. Keys: [b], AttributeDefinitions: [a]",
                     new, KeySchema=[{"AttributeName": "b", "KeyType": "HASH"}])
        self.invalid(P + "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
                     new, AttributeDefinitions=[{"AttributeName": x, "AttributeType": "S"} for x in "ab"])
        self.invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type", new,
                     KeySchema=[{"AttributeName": "a", "KeyType": "RANGE"}])
        self.invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name", new,
                     KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}, {"AttributeName": "a", "KeyType": "RANGE"}])
        self.invalid(P + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED", new,
                     BillingMode="PROVISIONED")
        self.invalid(P + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST", new,
                     ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})
        self.invalid(P + "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex", new,
                     LocalSecondaryIndexes=[{"IndexName": "lll", "KeySchema": ok["KeySchema"], "Projection": {"ProjectionType": "ALL"}}])
        gsi = {"IndexName": "ggg", "KeySchema": ok["KeySchema"], "Projection": {"ProjectionType": "ALL"}}
        self.invalid(P + "Duplicate index name: ggg", new, GlobalSecondaryIndexes=[gsi, gsi])
        self.invalid(P + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified", new,
                     GlobalSecondaryIndexes=[{**gsi, "Projection": {"ProjectionType": "INCLUDE"}}])
        self.invalid(P + "List of GlobalSecondaryIndexes is empty", new, GlobalSecondaryIndexes=[])
        self.refused("ResourceNotFoundException", "Requested resource not found", self.d.get_item, TableName="absent", Key={"a": S("1")})

    def test_lists_in_pages(self):
        c = self.virga.client("dynamodb", key="111122223333")
        names = [f"page-{i:02}" for i in range(7)]
        for n in names:
            c.create_table(TableName=n, KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
                           AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}])
        pages = [p["TableNames"] for p in c.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 3})]
        self.assertEqual(pages, [names[:3], names[3:6], names[6:]])

    def test_tags(self):
        arn = self.d.describe_table(TableName=self.table())["Table"]["TableArn"]
        self.d.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        self.d.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "3"}])
        self.d.untag_resource(ResourceArn=arn, TagKeys=["b"])
        self.assertEqual(self.d.list_tags_of_resource(ResourceArn=arn)["Tags"], [{"Key": "a", "Value": "3"}])
        self.refused("ResourceNotFoundException", f"Requested resource not found: ResourcArn: {arn}x not found",
                     self.d.list_tags_of_resource, ResourceArn=arn + "x")

    def test_update_table(self):
        name = self.table(ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5})
        self.d.update_table(TableName=name, ProvisionedThroughput={"ReadCapacityUnits": 6, "WriteCapacityUnits": 4})
        p = self.d.describe_table(TableName=name)["Table"]["ProvisionedThroughput"]
        self.assertEqual((p["ReadCapacityUnits"], p["WriteCapacityUnits"], p["NumberOfDecreasesToday"]), (6, 4, 1))
        self.d.update_table(TableName=name, BillingMode="PAY_PER_REQUEST", TableClass="STANDARD_INFREQUENT_ACCESS")
        t = self.d.describe_table(TableName=name)["Table"]
        self.assertEqual(t["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
        self.assertEqual(t["TableClassSummary"]["TableClass"], "STANDARD_INFREQUENT_ACCESS")
        self.invalid("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or "
                     "SSESpecification or ReplicaUpdates is required", self.d.update_table, TableName=name)

    def test_what_is_told_of_the_account(self):
        self.assertEqual(self.d.describe_limits()["TableMaxReadCapacityUnits"], 40000)
        self.assertTrue(self.d.describe_endpoints()["Endpoints"][0]["Address"])
        b = self.d.describe_continuous_backups(TableName=self.table())["ContinuousBackupsDescription"]
        self.assertEqual(b["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"], "DISABLED")

    def test_survives_a_crash(self):
        name = self.table("pk:S", "sk:N", gsi=[("gsi", "a:S", None)])
        for i in range(50):
            self.put(name, pk=S("p"), sk=N(i), a=S(f"a{i % 5}"))
        self.virga.restart()
        self.assertEqual(self.d.query(TableName=name, IndexName="gsi", KeyConditionExpression="a = :a",
                                      ExpressionAttributeValues={":a": S("a3")})["Count"], 10)
        self.assertEqual(self.d.describe_table(TableName=name)["Table"]["ItemCount"], 50)


class Items(Case):
    def test_every_type_comes_back(self):
        name = self.table()
        item = {"pk": S("x"), "n": N("-12.5"), "b": {"B": b"\x00\xff"}, "yes": {"BOOL": True}, "no": {"BOOL": False}, "nil": {"NULL": True},
                "empty": S(""), "ss": {"SS": ["b", "a"]}, "ns": {"NS": ["10", "9", "-1"]}, "bs": {"BS": [b"1", b"2"]},
                "l": {"L": [N(1), {"L": []}, {"M": {}}]}, "m": {"M": {"deep": {"M": {"deeper": {"L": [S("ü€😀")]}}}}}}
        self.put(name, **item)
        got = self.get(name, pk=S("x"))
        for k in ("ss", "ns", "bs"):
            (t, v), = item[k].items()
            self.assertEqual(sorted(got.pop(k)[t]), sorted(v))
            item.pop(k)
        self.assertEqual(got, item)

    def test_numbers(self):
        name = self.table()
        for given, stored in [("1.0", "1"), ("007", "7"), ("-0", "0"), ("1e3", "1000"), ("1" * 38, "1" * 38),
                              ("0.00001", "0.00001"), ("1E-130", "0." + "0" * 129 + "1")]:
            self.put(name, pk=S("n"), v=N(given))
            self.assertEqual(self.get(name, pk=S("n"))["v"]["N"], stored)
        put = lambda v: self.put(name, pk=S("n"), v=N(v))
        self.invalid("The parameter cannot be converted to a numeric value: abc", put, "abc")
        self.invalid("The parameter cannot be converted to a numeric value: ", put, "")
        self.invalid("Attempting to store more than 38 significant digits in a Number", put, "1" * 39)
        self.invalid("Number overflow. Attempting to store a number with magnitude larger than supported range", put, "1e126")
        self.invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range", put, "1e-131")

    def test_bad_values(self):
        name = self.table()
        P = "One or more parameter values were invalid: "
        put = lambda **v: self.put(name, pk=S("n"), **v)
        self.invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes", put, v={})
        self.invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
                     put, v={"S": "a", "N": "1"})
        self.invalid(P + "Input collection [a, a] contains duplicates.", put, v={"SS": ["a", "a"]})
        self.invalid("Input collection contains duplicates", put, v={"NS": ["1", "1.0"]})
        self.invalid(P + "An string set  may not be empty", put, v={"SS": []})
        self.invalid(P + "Null attribute value types must have the value of true", put, v={"NULL": False})
        deep = S("x")
        for _ in range(33):
            deep = {"L": [deep]}
        self.invalid("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
                     put, v=deep)
        put(v=deep["L"][0])
        self.invalid("Item size has exceeded the maximum allowed size", put, v=S("x" * 409600))
        put(v=S("x" * (409600 - 4)))

    def test_keys(self):
        name = self.table("pk:S", "sk:N", gsi=[("gsi", "a:S", None)])
        P = "One or more parameter values were invalid: "
        self.invalid(P + "Missing the key sk in the item", self.put, name, pk=S("a"))
        self.invalid(P + "Type mismatch for key sk expected: N actual: S", self.put, name, pk=S("a"), sk=S("1"))
        self.invalid(P + "Type mismatch for Index Key a Expected: S Actual: N IndexName: gsi", self.put, name, pk=S("a"), sk=N(1), a=N(1))
        self.invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string "
                     "value. Key: pk", self.put, name, pk=S(""), sk=N(1))
        self.invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The "
                     "AttributeValue for a key attribute cannot contain an empty string value. IndexName: gsi, IndexKey: a",
                     self.put, name, pk=S("a"), sk=N(1), a=S(""))
        self.invalid("The provided key element does not match the schema", self.get, name, pk=S("a"))
        self.invalid("The provided key element does not match the schema", self.get, name, pk=S("a"), sk=N(1), more=N(2))
        self.invalid(P + "Size of hashkey has exceeded the maximum size limit of2048 bytes", self.put, name, pk=S("x" * 2049), sk=N(1))
        self.put(name, pk=S("x" * 2048), sk=N(1))

    def test_conditions_and_return_values(self):
        name = self.table()
        put = lambda v, **k: self.d.put_item(TableName=name, Item={"pk": S("a"), "v": N(v)}, **k)
        self.assertNotIn("Attributes", put(1, ReturnValues="ALL_OLD"))
        self.assertEqual(put(2, ReturnValues="ALL_OLD")["Attributes"]["v"], N(1))
        self.invalid("ReturnValues can only be ALL_OLD or NONE", put, 2, ReturnValues="ALL_NEW")
        r = self.refused("ConditionalCheckFailedException", "The conditional request failed", put, 3,
                         ConditionExpression="attribute_not_exists(pk)", ReturnValuesOnConditionCheckFailure="ALL_OLD")
        self.assertEqual(r["Item"], {"pk": S("a"), "v": N(2)})
        put(3, ConditionExpression="v = :two", ExpressionAttributeValues={":two": N(2)})
        put(4, Expected={"v": {"Value": N(3)}})
        self.refused("ConditionalCheckFailedException", "The conditional request failed", put, 5, Expected={"v": {"Exists": False}})
        put(5, Expected={"v": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [N(1), N(9)]},
                         "pk": {"ComparisonOperator": "EQ", "AttributeValueList": [S("z")]}}, ConditionalOperator="OR")
        self.invalid("Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {Expected} "
                     "Expression parameters: {ConditionExpression}", put, 1, Expected={"v": {"Exists": False}},
                     ConditionExpression="attribute_exists(pk)")
        gone = self.d.delete_item(TableName=name, Key={"pk": S("a")}, ReturnValues="ALL_OLD", ConditionExpression="v = :v",
                                  ExpressionAttributeValues={":v": N(5)})
        self.assertEqual(gone["Attributes"]["v"], N(5))
        self.assertIsNone(self.get(name, pk=S("a")))
        self.d.delete_item(TableName=name, Key={"pk": S("a")})

    def test_placeholders(self):
        name = self.table()
        up = lambda **k: self.d.update_item(TableName=name, Key={"pk": S("a")}, **k)
        self.invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}", up,
                     UpdateExpression="SET a = :v", ExpressionAttributeValues={":v": N(1), ":w": N(2)})
        self.invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {#n}", up,
                     UpdateExpression="SET a = :v", ExpressionAttributeValues={":v": N(1)}, ExpressionAttributeNames={"#n": "n"})
        self.invalid("ExpressionAttributeNames can only be specified when using expressions", up, ExpressionAttributeNames={"#n": "n"})
        self.invalid("ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and ConditionExpression are "
                     "null", up, ExpressionAttributeValues={":n": N(1)})
        self.invalid("ExpressionAttributeValues must not be empty", up, UpdateExpression="SET a = b", ExpressionAttributeValues={})
        self.invalid('ExpressionAttributeNames contains invalid key: Syntax error; key: "n"', up, UpdateExpression="SET n = n",
                     ExpressionAttributeNames={"n": "x"})
        self.invalid("ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must contain exactly one of the "
                     "supported datatypes for key :v", up, UpdateExpression="SET n = :v", ExpressionAttributeValues={":v": {}})
        self.invalid('Invalid UpdateExpression: Syntax error; token: "<EOF>", near: "="', up, UpdateExpression="SET n =")
        self.invalid("Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: name", up,
                     UpdateExpression="SET name = :v", ExpressionAttributeValues={":v": N(1)})
        self.invalid("Invalid UpdateExpression: Expression size has exceeded the maximum allowed size; expression size: 4104", up,
                     UpdateExpression="SET n = " + "x" * 4096)
        self.invalid("One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key", up,
                     UpdateExpression="SET pk = :v", ExpressionAttributeValues={":v": N(1)})

    def test_updates(self):
        name = self.table()
        up = lambda expression, values=None, returns="ALL_NEW", **k: self.d.update_item(
            TableName=name, Key={"pk": S("a")}, UpdateExpression=expression, ReturnValues=returns,
            **({"ExpressionAttributeValues": values} if values else {}), **k).get("Attributes")
        self.assertEqual(up("SET n = :n, m = :m", {":n": N(1), ":m": {"M": {"l": {"L": [N(1), N(2)]}}}}),
                         {"pk": S("a"), "n": N(1), "m": {"M": {"l": {"L": [N(1), N(2)]}}}})
        self.assertEqual(up("SET n = n + :n", {":n": N("0.1")}, "UPDATED_NEW"), {"n": N("1.1")})
        self.assertEqual(up("SET m.l[1] = :n REMOVE n", {":n": S("x")}, "UPDATED_OLD"), {"n": N("1.1"), "m": {"M": {"l": {"L": [N(2)]}}}})
        self.assertEqual(up("ADD c :c, s :s", {":c": N(5), ":s": {"SS": ["a"]}}, "UPDATED_NEW"), {"c": N(5), "s": {"SS": ["a"]}})
        self.assertEqual(up("DELETE s :s", {":s": {"SS": ["a"]}}, "ALL_OLD")["s"], {"SS": ["a"]})
        self.assertNotIn("s", self.get(name, pk=S("a")))
        self.invalid("The provided expression refers to an attribute that does not exist in the item", up, "SET z = absent")
        self.invalid("The document path provided in the update expression is invalid for update", up, "SET x.y = :v", {":v": N(1)})
        self.invalid("An operand in the update expression has an incorrect data type", up, "SET m = m + :v", {":v": N(1)})
        self.d.update_item(TableName=name, Key={"pk": S("b")})
        self.assertEqual(self.get(name, pk=S("b")), {"pk": S("b")})
        old = self.d.update_item(TableName=name, Key={"pk": S("b")}, ReturnValues="ALL_NEW", AttributeUpdates={
            "n": {"Value": N(3), "Action": "ADD"}, "l": {"Value": {"L": [N(1)]}, "Action": "ADD"}, "x": {"Value": S("y")}})["Attributes"]
        self.assertEqual(old, {"pk": S("b"), "n": N(3), "l": {"L": [N(1)]}, "x": S("y")})
        self.d.update_item(TableName=name, Key={"pk": S("b")}, AttributeUpdates={"x": {"Action": "DELETE"}})
        self.assertNotIn("x", self.get(name, pk=S("b")))

    def test_projections(self):
        name = self.table()
        self.put(name, pk=S("a"), m={"M": {"x": N(1), "y": N(2)}}, l={"L": [N(1), N(2), N(3)]}, size=N(4))
        get = lambda **k: self.d.get_item(TableName=name, Key={"pk": S("a")}, **k)["Item"]
        self.assertEqual(get(ProjectionExpression="m.y, l[2], l[0], #s", ExpressionAttributeNames={"#s": "size"}),
                         {"m": {"M": {"y": N(2)}}, "l": {"L": [N(1), N(3)]}, "size": N(4)})
        self.assertEqual(get(AttributesToGet=["pk", "none"]), {"pk": S("a")})
        self.invalid("Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; "
                     "path one: [m], path two: [m, x]", get, ProjectionExpression="m, m.x")

    def test_a_counter_under_threads(self):
        name = self.table()

        def add():
            c = self.virga.client("dynamodb")
            for _ in range(50):
                c.update_item(TableName=name, Key={"pk": S("n")}, UpdateExpression="ADD c :one", ExpressionAttributeValues={":one": N(1)})

        threads = [threading.Thread(target=add) for _ in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(self.get(name, pk=S("n"))["c"], N(400))

    def test_consumed_capacity(self):
        name = self.table("pk:S", gsi=[("gsi", "a:S", None)])
        put = self.d.put_item(TableName=name, Item={"pk": S("a"), "a": S("x"), "v": S("y" * 1500)}, ReturnConsumedCapacity="INDEXES")
        self.assertEqual(put["ConsumedCapacity"], {"TableName": name, "CapacityUnits": 4, "Table": {"CapacityUnits": 2},
                                                   "GlobalSecondaryIndexes": {"gsi": {"CapacityUnits": 2}}})
        get = lambda **k: self.d.get_item(TableName=name, Key={"pk": S("a")}, ReturnConsumedCapacity="TOTAL", **k)["ConsumedCapacity"]
        self.assertEqual(get()["CapacityUnits"], 0.5)
        self.assertEqual(get(ConsistentRead=True)["CapacityUnits"], 1)

    def test_provisioned_tables_throttle(self):
        name = self.table(ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})
        with self.assertRaises(self.d.exceptions.ProvisionedThroughputExceededException):
            for i in range(400):
                self.put(name, pk=S("a"))
        self.assertGreaterEqual(i, 299)
        subprocess.run([BINARY, "clock", "advance", "10s", "--endpoint", self.virga.endpoint], check=True, stdout=subprocess.DEVNULL)
        self.put(name, pk=S("a"))


class Queries(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        self = cls("table")
        cls.name = self.table("pk:S", "sk:N", gsi=[("gsi", "a:S", "b:S", "KEYS_ONLY"), ("inc", "a:S", None, ("v",))],
                              lsi=[("lsi", "pk:S", "b:S", "KEYS_ONLY")])
        for i in range(30):
            item = {"pk": S("p"), "sk": N(i - 10), "v": N(i), "w": S("w")}
            if i % 2:
                item |= {"a": S(f"a{i % 3}"), "b": S(f"b{i:02}")}
            cls.d.put_item(TableName=cls.name, Item=item)
        cls.d.put_item(TableName=cls.name, Item={"pk": S("q"), "sk": N(1)})

    def query(self, condition, values, **k):
        return self.d.query(TableName=self.name, KeyConditionExpression=condition, ExpressionAttributeValues=values, **k)

    def keys(self, condition, values, **k):
        return [int(i["sk"]["N"]) for i in self.query(condition, values, **k)["Items"]]

    def test_conditions_on_the_sort_key(self):
        p = {":p": S("p")}
        self.assertEqual(self.keys("pk = :p", p), list(range(-10, 20)))
        self.assertEqual(self.keys("pk = :p", p, ScanIndexForward=False), list(range(19, -11, -1)))
        for condition, test in [("sk < :a", lambda k: k < -3), ("sk <= :a", lambda k: k <= -3), ("sk > :a", lambda k: k > -3),
                                ("sk >= :a", lambda k: k >= -3), ("sk = :a", lambda k: k == -3), (":a < sk", lambda k: k > -3)]:
            with self.subTest(condition):
                self.assertEqual(self.keys(f"pk = :p AND {condition}", {**p, ":a": N(-3)}), [k for k in range(-10, 20) if test(k)])
        self.assertEqual(self.keys("sk BETWEEN :a AND :b AND pk = :p", {**p, ":a": N(-2), ":b": N(3)}), [-2, -1, 0, 1, 2, 3])
        self.assertEqual(self.query("a = :a AND begins_with(b, :b)", {":a": S("a1"), ":b": S("b0")}, IndexName="gsi")["Count"], 2)

    def test_pages(self):
        seen, start, pages = [], None, 0
        while True:
            r = self.query("pk = :p", {":p": S("p")}, Limit=7, **({"ExclusiveStartKey": start} if start else {}))
            seen += [int(i["sk"]["N"]) for i in r["Items"]]
            pages += 1
            start = r.get("LastEvaluatedKey")
            if not start:
                break
        self.assertEqual((seen, pages), (list(range(-10, 20)), 5))
        back = self.query("pk = :p", {":p": S("p")}, Limit=3, ScanIndexForward=False, ExclusiveStartKey={"pk": S("p"), "sk": N(0)})
        self.assertEqual([i["sk"]["N"] for i in back["Items"]], ["-1", "-2", "-3"])

    def test_filters_count_after_reading(self):
        r = self.query("pk = :p", {":p": S("p"), ":v": N(20)}, FilterExpression="v >= :v")
        self.assertEqual((r["Count"], r["ScannedCount"]), (10, 30))
        r = self.query("pk = :p", {":p": S("p")}, Select="COUNT")
        self.assertEqual((r["Count"], "Items" in r), (30, False))

    def test_indexes_hold_what_they_project(self):
        r = self.query("a = :a", {":a": S("a1")}, IndexName="gsi")
        self.assertEqual([i["b"]["S"] for i in r["Items"]], ["b01", "b07", "b13", "b19", "b25"])
        self.assertEqual(set(r["Items"][0]), {"pk", "sk", "a", "b"})
        self.assertEqual(set(self.query("a = :a", {":a": S("a1")}, IndexName="inc")["Items"][0]), {"pk", "sk", "a", "v"})
        whole = self.query("pk = :p AND b > :b", {":p": S("p"), ":b": S("b20")}, IndexName="lsi", Select="ALL_ATTRIBUTES")
        self.assertEqual(set(whole["Items"][0]), {"pk", "sk", "a", "b", "v", "w"})
        self.assertEqual(self.d.scan(TableName=self.name, IndexName="gsi")["Count"], 15)

    def test_index_follows_its_item(self):
        key = {"pk": S("moving"), "sk": N(1)}
        self.d.put_item(TableName=self.name, Item={**key, "a": S("here"), "b": S("1")})
        at = lambda a: self.query("a = :a", {":a": S(a)}, IndexName="gsi")["Count"]
        self.assertEqual(at("here"), 1)
        self.d.update_item(TableName=self.name, Key=key, UpdateExpression="SET a = :a", ExpressionAttributeValues={":a": S("there")})
        self.assertEqual((at("here"), at("there")), (0, 1))
        self.d.update_item(TableName=self.name, Key=key, UpdateExpression="REMOVE b")
        self.assertEqual(at("there"), 0)
        self.d.delete_item(TableName=self.name, Key=key)

    def test_refusals(self):
        q, p = self.query, {":p": S("p")}
        self.invalid("Query condition missed key schema element: pk", q, "sk = :p", {":p": N(1)})
        self.invalid("Query condition missed key schema element: sk", q, "pk = :p AND v = :v", {**p, ":v": N(1)})
        self.invalid("Query key condition not supported", q, "pk > :p", p)
        self.invalid("Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: OR", q, "pk = :p OR sk = :s",
                     {**p, ":s": N(1)})
        self.invalid("Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key", q,
                     "pk = :p AND pk = :s", {**p, ":s": S("1")})
        self.invalid("Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key", q,
                     "pk = :p AND sk > :s AND sk < :t", {**p, ":s": N(1), ":t": N(2)})
        self.invalid("One or more parameter values were invalid: Condition parameter type does not match schema type", q, "pk = :p",
                     {":p": N(1)})
        self.invalid("Filter Expression can only contain non-primary key attributes: Primary key attribute: sk", q, "pk = :p",
                     {**p, ":v": N(1)}, FilterExpression="sk > :v")
        self.invalid("The table does not have the specified index: nope", q, "pk = :p", p, IndexName="nope")
        self.invalid("Consistent reads are not supported on global secondary indexes", q, "a = :p", p, IndexName="gsi", ConsistentRead=True)
        self.invalid("One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index gsi "
                     "because its projection type is not ALL", q, "a = :p", p, IndexName="gsi", Select="ALL_ATTRIBUTES")
        self.invalid("One or more parameter values were invalid: Global secondary index gsi does not project [v]", q, "a = :p", p,
                     IndexName="gsi", ProjectionExpression="v")
        self.invalid("The provided starting key is invalid: The provided key element does not match the schema", q, "pk = :p", p,
                     ExclusiveStartKey={"pk": S("p")})
        self.invalid("The provided starting key is outside query boundaries based on provided conditions", q, "pk = :p", p,
                     ExclusiveStartKey={"pk": S("q"), "sk": N(1)})
        self.invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.", self.d.query,
                     TableName=self.name)

    def test_legacy_parameters(self):
        r = self.d.query(TableName=self.name, KeyConditions={
            "pk": {"ComparisonOperator": "EQ", "AttributeValueList": [S("p")]},
            "sk": {"ComparisonOperator": "GT", "AttributeValueList": [N(10)]}},
            QueryFilter={"v": {"ComparisonOperator": "IN", "AttributeValueList": [N(22), N(25), N(3)]}}, AttributesToGet=["v"])
        self.assertEqual(r["Items"], [{"v": N(22)}, {"v": N(25)}])
        r = self.d.scan(TableName=self.name, ScanFilter={"a": {"ComparisonOperator": "NOT_NULL", "AttributeValueList": []},
                                                         "b": {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [S("b2")]}})
        self.assertEqual(r["Count"], 5)

    def test_scan_in_segments_and_pages(self):
        name = self.table()
        for i in range(0, 500, 25):
            self.d.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": {"pk": S(f"k{j}"), "v": N(j)}}} for j in range(i, i + 25)]})
        seen = []
        for segment in range(4):
            start = {}
            before = len(seen)
            while True:
                r = self.d.scan(TableName=name, Segment=segment, TotalSegments=4, Limit=50, **start)
                seen += [i["pk"]["S"] for i in r["Items"]]
                if "LastEvaluatedKey" not in r:
                    break
                start = {"ExclusiveStartKey": r["LastEvaluatedKey"]}
            self.assertGreater(len(seen) - before, 60)
        self.assertEqual(sorted(seen), sorted(f"k{i}" for i in range(500)))
        self.invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 4 is not less than "
                     "TotalSegments: 4", self.d.scan, TableName=name, Segment=4, TotalSegments=4)

    def test_pages_end_at_a_megabyte(self):
        name = self.table("pk:S", "sk:N")
        for i in range(12):
            self.put(name, pk=S("p"), sk=N(i), v=S("x" * 200_000))
        r = self.d.query(TableName=name, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": S("p")})
        self.assertEqual((r["Count"], r["LastEvaluatedKey"]["sk"]), (6, N(5)))
        self.assertEqual(len(list(self.d.get_paginator("scan").paginate(TableName=name))), 2)


class Indexes(Case):
    def test_an_index_is_filled_while_the_table_serves(self):
        name = self.table()
        for i in range(0, 1000, 25):
            self.d.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": {
                "pk": S(f"k{j}"), "v": N(j), **({"a": S(f"a{j % 10}")} if j % 2 else {})}}} for j in range(i, i + 25)]})
        stop = threading.Event()

        def churn():
            c = self.virga.client("dynamodb")
            while not stop.is_set():
                j = random.randrange(1000)
                c.update_item(TableName=name, Key={"pk": S(f"k{j}")}, UpdateExpression="SET a = :a", ExpressionAttributeValues={":a": S("moved")})

        t = threading.Thread(target=churn)
        t.start()
        try:
            self.d.update_table(TableName=name, AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}], GlobalSecondaryIndexUpdates=[
                {"Create": {"IndexName": "new", "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}}])
            self.assertTrue(wait_until(lambda: self.d.describe_table(TableName=name)["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"))
        finally:
            stop.set()
            t.join()
        items = [i for p in self.d.get_paginator("scan").paginate(TableName=name) for i in p["Items"]]
        indexed = [i for p in self.d.get_paginator("scan").paginate(TableName=name, IndexName="new") for i in p["Items"]]
        order = lambda l: sorted(l, key=lambda i: i["pk"]["S"])
        self.assertEqual(order(indexed), order([i for i in items if "a" in i]))
        self.d.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "new"}}])
        self.assertNotIn("GlobalSecondaryIndexes", self.d.describe_table(TableName=name)["Table"])
        self.invalid("The table does not have the specified index: new", self.d.scan, TableName=name, IndexName="new")


class Batches(Case):
    def test_batch_get_and_write(self):
        one, two = self.table(), self.table("pk:S", "sk:N")
        self.d.batch_write_item(RequestItems={
            one: [{"PutRequest": {"Item": {"pk": S(f"k{i}"), "v": N(i)}}} for i in range(5)],
            two: [{"PutRequest": {"Item": {"pk": S("p"), "sk": N(i)}}} for i in range(5)]})
        r = self.d.batch_get_item(RequestItems={one: {"Keys": [{"pk": S(f"k{i}")} for i in range(3, 9)], "ProjectionExpression": "v"},
                                                two: {"Keys": [{"pk": S("p"), "sk": N(4)}]}}, ReturnConsumedCapacity="TOTAL")
        self.assertEqual(sorted(i["v"]["N"] for i in r["Responses"][one]), ["3", "4"])
        self.assertEqual(r["Responses"][two], [{"pk": S("p"), "sk": N(4)}])
        self.assertEqual(r["UnprocessedKeys"], {})
        self.assertEqual({c["TableName"]: c["CapacityUnits"] for c in r["ConsumedCapacity"]}, {one: 3, two: 0.5})
        self.d.batch_write_item(RequestItems={one: [{"DeleteRequest": {"Key": {"pk": S("k0")}}}]})
        self.assertEqual(self.d.scan(TableName=one)["Count"], 4)

    def test_refusals(self):
        name = self.table()
        key = {"pk": S("a")}
        self.invalid("Provided list of item keys contains duplicates", self.d.batch_get_item, RequestItems={name: {"Keys": [key, key]}})
        self.invalid("Provided list of item keys contains duplicates", self.d.batch_write_item, RequestItems={
            name: [{"PutRequest": {"Item": key}}, {"DeleteRequest": {"Key": key}}]})
        other = self.table()
        self.invalid("Too many items requested for the BatchWriteItem call", self.d.batch_write_item, RequestItems={
            n: [{"PutRequest": {"Item": {"pk": S(str(i))}}} for i in range(13)] for n in (name, other)})
        self.refused("ResourceNotFoundException", "Requested resource not found", self.d.batch_get_item, RequestItems={
            "absent": {"Keys": [key]}})

    def test_16_mb_come_in_several_answers(self):
        name = self.table()
        for i in range(50):
            self.put(name, pk=S(str(i)), v=S("x" * 400_000))
        got, left = 0, {name: {"Keys": [{"pk": S(str(i))} for i in range(50)]}}
        answers = 0
        while left:
            r = self.d.batch_get_item(RequestItems=left)
            got += len(r["Responses"][name])
            left = r["UnprocessedKeys"]
            answers += 1
        self.assertEqual((got, answers), (50, 2))


class Transactions(Case):
    def test_all_or_nothing(self):
        name = self.table()
        self.d.transact_write_items(TransactItems=[{"Put": {"TableName": name, "Item": {"pk": S(k), "v": N(1)}}} for k in "abc"])
        r = self.refused(
            "TransactionCanceledException",
            "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed, None]",
            self.d.transact_write_items, TransactItems=[
                {"Update": {"TableName": name, "Key": {"pk": S("a")}, "UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": N(2)}}},
                {"ConditionCheck": {"TableName": name, "Key": {"pk": S("b")}, "ConditionExpression": "v = :v",
                                    "ExpressionAttributeValues": {":v": N(9)}, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}},
                {"Delete": {"TableName": name, "Key": {"pk": S("c")}}}])
        self.assertEqual(r["CancellationReasons"], [{"Code": "None"}, {
            "Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": {"pk": S("b"), "v": N(1)}}, {"Code": "None"}])
        got = self.d.transact_get_items(TransactItems=[{"Get": {"TableName": name, "Key": {"pk": S(k)}}} for k in "abcd"])
        self.assertEqual([i.get("Item", {}).get("v") for i in got["Responses"]], [N(1), N(1), N(1), None])
        self.invalid("Transaction request cannot include multiple operations on one item", self.d.transact_write_items, TransactItems=[
            {"Put": {"TableName": name, "Item": {"pk": S("a")}}}, {"Delete": {"TableName": name, "Key": {"pk": S("a")}}}])
        self.refused("TransactionCanceledException",
                     "Transaction cancelled, please refer cancellation reasons for specific reasons [ValidationError]",
                     self.d.transact_write_items, TransactItems=[{"Put": {"TableName": name, "Item": {"x": S("a")}}}])

    def test_tokens(self):
        name = self.table()
        add = lambda n, token: self.d.transact_write_items(ClientRequestToken=token, ReturnConsumedCapacity="TOTAL", TransactItems=[
            {"Update": {"TableName": name, "Key": {"pk": S("a")}, "UpdateExpression": "ADD v :v", "ExpressionAttributeValues": {":v": N(n)}}}])
        self.assertIn("WriteCapacityUnits", add(1, "t1")["ConsumedCapacity"][0])
        self.assertIn("ReadCapacityUnits", add(1, "t1")["ConsumedCapacity"][0])
        self.assertEqual(self.get(name, pk=S("a"))["v"], N(1))
        self.refused("IdempotentParameterMismatchException", "The provided client token is already in use for a different request", add, 2, "t1")
        add(1, "t2")
        self.assertEqual(self.get(name, pk=S("a"))["v"], N(2))

    def test_money_is_neither_made_nor_lost(self):
        """Transfers by transactions while the server is killed again and again: the sum stays, the stream tells it all, once."""
        rounds = int(os.environ.get("VIRGA_KILLS", "20"))
        virga = Virga().start()
        self.addCleanup(virga.close)
        d = virga.client("dynamodb")
        d.create_table(TableName="bank", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
                       AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                       StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        accounts = [f"acc{i}" for i in range(10)]
        for a in accounts:
            d.put_item(TableName="bank", Item={"pk": S(a), "v": N(100), "n": N(0)})
        # A replica and a history go along.
        d.update_table(TableName="bank", ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])
        self.assertTrue(wait_until(lambda: d.describe_table(TableName="bank")["Table"]["Replicas"][0]["ReplicaStatus"] == "ACTIVE"))
        d.update_continuous_backups(TableName="bank", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
        virga.get("/_virga/clock?advance=2s", "POST")
        stop, answered, lock = threading.Event(), [0], threading.Lock()

        def transfer(seed):
            r = random.Random(seed)
            c = virga.client("dynamodb")
            while not stop.is_set():
                x, y = r.sample(accounts, 2)
                amount = r.randint(1, 30)
                try:
                    c.transact_write_items(TransactItems=[
                        {"Update": {"TableName": "bank", "Key": {"pk": S(x)}, "UpdateExpression": "SET v = v - :a, n = n + :one",
                                    "ConditionExpression": "v >= :a", "ExpressionAttributeValues": {":a": N(amount), ":one": N(1)}}},
                        {"Update": {"TableName": "bank", "Key": {"pk": S(y)}, "UpdateExpression": "SET v = v + :a, n = n + :one",
                                    "ExpressionAttributeValues": {":a": N(amount), ":one": N(1)}}}])
                    with lock:
                        answered[0] += 1
                except c.exceptions.TransactionCanceledException:
                    pass
                except Exception:
                    time.sleep(0.02)

        threads = [threading.Thread(target=transfer, args=(i,)) for i in range(4)]
        [t.start() for t in threads]
        try:
            for _ in range(rounds):
                time.sleep(random.uniform(0.1, 0.5))
                virga.restart()
        finally:
            time.sleep(0.2)
            stop.set()
            [t.join() for t in threads]
        items = {i["pk"]["S"]: i for i in d.scan(TableName="bank", ConsistentRead=True)["Items"]}
        self.assertEqual(sum(int(i["v"]["N"]) for i in items.values()), 1000)
        europe = virga.client("dynamodb", region="eu-west-1")
        self.assertEqual({i["pk"]["S"]: i for i in europe.scan(TableName="bank", ConsistentRead=True)["Items"]}, items)
        recovery = d.describe_continuous_backups(TableName="bank")["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        first, last = (recovery[k].timestamp() for k in ("EarliestRestorableDateTime", "LatestRestorableDateTime"))
        for n in range(3):  # at any instant no transfer is half done
            when = datetime.datetime.fromtimestamp(first + (last - first) * n // 2, datetime.timezone.utc)
            d.restore_table_to_point_in_time(SourceTableName="bank", TargetTableName=f"bank-{n}", RestoreDateTime=when)
            then = d.scan(TableName=f"bank-{n}", ConsistentRead=True)["Items"]
            self.assertEqual((len(then), sum(int(i["v"]["N"]) for i in then)), (len(accounts), 1000))
        self.assertTrue(all(int(i["v"]["N"]) >= 0 for i in items.values()))
        changes = sum(int(i["n"]["N"]) for i in items.values())
        self.assertGreaterEqual(changes, 2 * answered[0])
        self.assertGreater(answered[0], rounds)
        records = read_stream(virga, d, "bank")
        self.assertEqual(len(records), changes + len(accounts))
        for a in accounts:
            steps = [int(r["dynamodb"]["NewImage"]["n"]["N"]) for r in records if r["dynamodb"]["Keys"]["pk"]["S"] == a]
            self.assertEqual(steps, list(range(int(items[a]["n"]["N"]) + 1)))


def read_stream(virga, d, table):
    s = virga.client("dynamodbstreams")
    arn = d.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    records = []
    for shard in s.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        it = s.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        while it:
            r = s.get_records(ShardIterator=it)
            records += r["Records"]
            it = r.get("NextShardIterator")
            if not r["Records"]:
                break
    return records


class Streams(Case):
    def test_every_view(self):
        s = self.virga.client("dynamodbstreams")
        wanted = {"KEYS_ONLY": (0, 0), "NEW_IMAGE": (1, 0), "OLD_IMAGE": (0, 1), "NEW_AND_OLD_IMAGES": (1, 1)}
        for view, (new, old) in wanted.items():
            with self.subTest(view):
                name = self.table(StreamSpecification={"StreamEnabled": True, "StreamViewType": view})
                self.put(name, pk=S("a"), v=N(1))
                self.put(name, pk=S("a"), v=N(2))
                self.put(name, pk=S("a"), v=N(2))  # changes nothing, writes nothing
                self.d.delete_item(TableName=name, Key={"pk": S("a")})
                records = read_stream(self.virga, self.d, name)
                self.assertEqual([r["eventName"] for r in records], ["INSERT", "MODIFY", "REMOVE"])
                self.assertEqual(["NewImage" in r["dynamodb"] for r in records], [bool(new), bool(new), False])
                self.assertEqual(["OldImage" in r["dynamodb"] for r in records], [False, bool(old), bool(old)])
                self.assertEqual({r["dynamodb"]["Keys"]["pk"]["S"] for r in records}, {"a"})
        self.assertEqual(len(s.list_streams(TableName=name)["Streams"]), 1)

    def test_iterators(self):
        s = self.virga.client("dynamodbstreams")
        name = self.table(StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
        for i in range(5):
            self.put(name, pk=S("a"), v=N(i))
        arn = self.d.describe_table(TableName=name)["Table"]["LatestStreamArn"]
        shard = s.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        at = lambda kind, **k: s.get_records(ShardIterator=s.get_shard_iterator(
            StreamArn=arn, ShardId=shard, ShardIteratorType=kind, **k)["ShardIterator"])["Records"]
        third = at("TRIM_HORIZON")[2]["dynamodb"]["SequenceNumber"]
        values = lambda records: [int(r["dynamodb"]["NewImage"]["v"]["N"]) for r in records]
        self.assertEqual(values(at("AT_SEQUENCE_NUMBER", SequenceNumber=third)), [2, 3, 4])
        self.assertEqual(values(at("AFTER_SEQUENCE_NUMBER", SequenceNumber=third)), [3, 4])
        self.assertEqual(at("LATEST"), [])
        it = s.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="LATEST")["ShardIterator"]
        self.put(name, pk=S("a"), v=N(9))
        self.assertEqual(values(s.get_records(ShardIterator=it)["Records"]), [9])
        self.d.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
        self.put(name, pk=S("a"), v=N(10))
        r = s.get_records(ShardIterator=it)
        self.assertEqual((values(r["Records"]), r.get("NextShardIterator")), ([9], None))
        self.assertEqual(s.describe_stream(StreamArn=arn)["StreamDescription"]["StreamStatus"], "DISABLED")
        self.refused("ValidationException", "Invalid ShardIterator", s.get_records, ShardIterator="x" * 30)


class TimeToLive(Case):
    def test_items_go_when_their_time_has_come(self):
        name = self.table(StreamSpecification={"StreamEnabled": True, "StreamViewType": "OLD_IMAGE"}, gsi=[("gsi", "a:S", None)])
        now = int(time.time())
        for k, at in [("old", now - 10), ("soon", now + 3600), ("late", now + 10 * 86400), ("ancient", now - 6 * 365 * 86400)]:
            self.put(name, pk=S(k), until=N(at), a=S("x"))
        self.put(name, pk=S("text"), until=S(str(now - 10)))
        self.d.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"})
        self.assertEqual(self.d.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
                         {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"})
        left = lambda: {i["pk"]["S"] for i in self.d.scan(TableName=name)["Items"]}
        self.assertTrue(wait_until(lambda: left() == {"soon", "late", "ancient", "text"}), left())
        self.d.update_item(TableName=name, Key={"pk": S("late")}, UpdateExpression="SET #u = :n",
                           ExpressionAttributeNames={"#u": "until"}, ExpressionAttributeValues={":n": N(now + 7200)})
        subprocess.run([BINARY, "clock", "advance", "3h", "--endpoint", self.virga.endpoint], check=True, stdout=subprocess.DEVNULL)
        self.assertTrue(wait_until(lambda: left() == {"ancient", "text"}), left())
        self.assertEqual(self.d.scan(TableName=name, IndexName="gsi")["Count"], 1)
        removed = [r for r in read_stream(self.virga, self.d, name) if r["eventName"] == "REMOVE"]
        self.assertEqual({r["dynamodb"]["OldImage"]["pk"]["S"] for r in removed}, {"old", "soon", "late"})
        self.assertTrue(all(r["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"} for r in removed))
        self.invalid("TimeToLive is already enabled", self.d.update_time_to_live, TableName=name,
                     TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"})


class PartiQL(Case):
    def run_(self, statement, *parameters, **k):
        return self.d.execute_statement(Statement=statement, **({"Parameters": list(parameters)} if parameters else {}), **k)

    def test_statements(self):
        name = self.table("pk:S", "sk:N", gsi=[("gsi", "a:S", None)])
        t = f'"{name}"'
        for i in range(6):
            self.run_(f"INSERT INTO {t} VALUE {{'pk': 'p', 'sk': ?, 'a': 'x', 'm': {{'l': [1, 'it''s', {{}}], 's': <<'a','b'>>, 'b': true, 'n': null}}}}", N(i))
        item = self.get(name, pk=S("p"), sk=N(3))
        self.assertEqual(sorted(item["m"]["M"].pop("s")["SS"]), ["a", "b"])
        self.assertEqual(item["m"], {"M": {"l": {"L": [N(1), S("it's"), {"M": {}}]}, "b": {"BOOL": True}, "n": {"NULL": True}}})
        self.refused("DuplicateItemException", "Duplicate primary key exists in table", self.run_,
                     f"INSERT INTO {t} VALUE {{'pk': 'p', 'sk': 1}}")
        sks = lambda q, *p, **k: [int(i["sk"]["N"]) for i in self.run_(q, *p, **k)["Items"]]
        self.assertEqual(sks(f"SELECT sk FROM {t} WHERE pk = ? AND sk BETWEEN 1 AND 3", S("p")), [1, 2, 3])
        self.assertEqual(sks(f"SELECT * FROM {t} WHERE pk = 'p' ORDER BY sk DESC"), [5, 4, 3, 2, 1, 0])
        self.assertEqual(sorted(sks(f"SELECT * FROM {t} WHERE sk IN [1, 4] AND m.l[0] = 1")), [1, 4])
        self.assertEqual(len(sks(f'SELECT * FROM {t}."gsi" WHERE a = \'x\'')), 6)
        self.assertEqual(sks(f"SELECT * FROM {t} WHERE pk = 'p' AND other IS NOT MISSING"), [])
        self.assertEqual(len(sks(f"SELECT * FROM {t} WHERE m.n IS NULL AND NOT contains(m.s, 'z') AND size(m.l) >= 3")), 6)
        first = self.run_(f"SELECT * FROM {t} WHERE pk = 'p'", Limit=4)
        rest = self.run_(f"SELECT * FROM {t} WHERE pk = 'p'", NextToken=first["NextToken"])
        self.assertEqual([i["sk"]["N"] for i in first["Items"] + rest["Items"]], list("012345"))
        r = self.run_(f"UPDATE {t} SET v = 5 SET m.l[1] = 'new' REMOVE a WHERE pk = 'p' AND sk = 1 RETURNING MODIFIED NEW *")
        self.assertEqual(r["Items"], [{"v": N(5), "m": {"M": {"l": {"L": [S("new")]}}}}])
        self.run_(f"UPDATE {t} SET v = v + ? WHERE pk = 'p' AND sk = 1 AND v = 5", N(2))
        self.run_(f"UPDATE {t} SET m.s = set_add(m.s, <<'c'>>) WHERE pk = 'p' AND sk = 1")
        got = self.get(name, pk=S("p"), sk=N(1))
        self.assertEqual((got["v"], sorted(got["m"]["M"]["s"]["SS"])), (N(7), ["a", "b", "c"]))
        self.refused("ConditionalCheckFailedException", "The conditional request failed", self.run_,
                     f"UPDATE {t} SET v = 1 WHERE pk = 'p' AND sk = 99")
        self.assertEqual(self.run_(f"DELETE FROM {t} WHERE pk = 'p' AND sk = 1 RETURNING ALL OLD *")["Items"][0]["v"], N(7))
        self.run_(f"DELETE FROM {t} WHERE pk = 'p' AND sk = 1")
        self.refused("ConditionalCheckFailedException", "The conditional request failed", self.run_,
                     f"DELETE FROM {t} WHERE pk = 'p' AND sk = 2 AND a = 'y'")
        self.invalid("Where clause does not contain a mandatory equality on all key attributes", self.run_, f"DELETE FROM {t} WHERE pk = 'p'")
        self.invalid("Number of parameters in request and statement don't match.", self.run_, f"SELECT * FROM {t} WHERE pk = ?")
        self.invalid("Statement wasn't well formed, can't be processed: Unexpected token: SELEC at position 1", self.run_, "SELEC * FROM x")

    def test_batches_and_transactions(self):
        name = self.table()
        t = f'"{name}"'
        r = self.d.batch_execute_statement(Statements=[
            {"Statement": f"INSERT INTO {t} VALUE {{'pk': '{k}', 'v': 1}}"} for k in "aab"])["Responses"]
        self.assertEqual([x.get("Error", {}).get("Code") for x in r], [None, "DuplicateItem", None])
        r = self.d.batch_execute_statement(Statements=[
            {"Statement": f"SELECT * FROM {t} WHERE pk = ?", "Parameters": [S(k)]} for k in "abc"])["Responses"]
        self.assertEqual([x.get("Item", {}).get("v") for x in r], [N(1), N(1), None])
        self.d.execute_transaction(TransactStatements=[
            {"Statement": f"EXISTS(SELECT * FROM {t} WHERE pk = 'a' AND v = 1)"},
            {"Statement": f"UPDATE {t} SET v = 2 WHERE pk = 'b'"}, {"Statement": f"INSERT INTO {t} VALUE {{'pk': 'c'}}"}])
        r = self.refused("TransactionCanceledException",
                         "Transaction cancelled, please refer cancellation reasons for specific reasons [ConditionalCheckFailed, None]",
                         self.d.execute_transaction, TransactStatements=[
                             {"Statement": f"EXISTS(SELECT * FROM {t} WHERE pk = 'a' AND v = 9)"},
                             {"Statement": f"DELETE FROM {t} WHERE pk = 'b'"}])
        got = self.d.execute_transaction(TransactStatements=[{"Statement": f"SELECT v FROM {t} WHERE pk = '{k}'"} for k in "ab"])
        self.assertEqual([x["Item"]["v"] for x in got["Responses"]], [N(1), N(2)])


class Backups(Case):
    def test_a_backup_is_the_table_as_it_was(self):
        name = self.table("pk:S", "sk:N", gsi=[("gsi", "a:S", None), ("two", "a:S", "sk:N", "KEYS_ONLY")], lsi=[("lsi", "pk:S", "b:N")])
        for i in range(1200 // 25):
            self.d.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": {
                "pk": S(f"p{j % 7}"), "sk": N(j), "a": S(f"a{j % 3}"), "b": N(-j)}}} for j in range(i * 25, i * 25 + 25)]})
        b = self.d.create_backup(TableName=name, BackupName="first")["BackupDetails"]
        self.d.delete_item(TableName=name, Key={"pk": S("p0"), "sk": N(0)})
        told = self.d.describe_backup(BackupArn=b["BackupArn"])["BackupDescription"]
        self.assertEqual((told["BackupDetails"]["BackupStatus"], told["SourceTableDetails"]["ItemCount"]), ("AVAILABLE", 1200))
        self.assertEqual([x["BackupName"] for x in self.d.list_backups(TableName=name)["BackupSummaries"]], ["first"])
        self.d.delete_table(TableName=name)
        back = self.d.restore_table_from_backup(TargetTableName=name + "-back", BackupArn=b["BackupArn"],
                                                GlobalSecondaryIndexOverride=[{"IndexName": "gsi", "KeySchema": [
                                                    {"AttributeName": "a", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}])
        self.assertEqual(back["TableDescription"]["RestoreSummary"]["SourceBackupArn"], b["BackupArn"])
        t = self.d.describe_table(TableName=name + "-back")["Table"]
        self.assertEqual((t["ItemCount"], [g["IndexName"] for g in t["GlobalSecondaryIndexes"]]), (1200, ["gsi"]))
        q = lambda **k: self.d.query(TableName=name + "-back", **k)["Count"]
        self.assertEqual(q(IndexName="gsi", KeyConditionExpression="a = :a", ExpressionAttributeValues={":a": S("a1")}), 400)
        self.assertEqual(q(IndexName="lsi", KeyConditionExpression="pk = :p AND b < :b", ExpressionAttributeValues={
            ":p": S("p0"), ":b": N(-1000)}), len([j for j in range(0, 1200, 7) if j > 1000]))
        self.refused("TableAlreadyExistsException", f"Table already exists: {name}-back", self.d.restore_table_from_backup,
                     TargetTableName=name + "-back", BackupArn=b["BackupArn"])
        self.assertEqual(self.d.delete_backup(BackupArn=b["BackupArn"])["BackupDescription"]["BackupDetails"]["BackupStatus"], "DELETED")
        self.refused("BackupNotFoundException", f"Backup not found: {b['BackupArn']}", self.d.describe_backup, BackupArn=b["BackupArn"])
        self.refused("TableNotFoundException", f"Table not found: {name}", self.d.create_backup, TableName=name, BackupName="none")


class Access(Case):
    """Policies that look at keys and attributes: what "Using IAM policy conditions for fine-grained access control" shows."""

    def user(self, name, *statements):
        iam = self.virga.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
        k = iam.create_access_key(UserName=name)["AccessKey"]
        return self.virga.client("dynamodb", key=k["AccessKeyId"], secret=k["SecretAccessKey"])

    def denied(self, call, *a, **k):
        with self.assertRaises(ClientError) as caught:
            call(*a, **k)
        self.assertEqual(caught.exception.response["Error"]["Code"], "AccessDeniedException")

    def test_leading_keys(self):
        name, other = self.table("pk:S", "sk:N"), self.table()
        arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}"
        u = self.user("leading", {"Effect": "Allow", "Action": "dynamodb:*", "Resource": arn, "Condition": {
            "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["mine"]}, "Null": {"dynamodb:LeadingKeys": "false"}}})
        key = lambda pk, sk=1: {"pk": S(pk), "sk": N(sk)}
        u.put_item(TableName=name, Item=key("mine"))
        self.denied(u.put_item, TableName=name, Item=key("yours"))
        u.get_item(TableName=name, Key=key("mine"))
        self.denied(u.get_item, TableName=name, Key=key("yours"))
        q = lambda pk: u.query(TableName=name, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": S(pk)})
        self.assertEqual(q("mine")["Count"], 1)
        self.denied(q, "yours")
        self.denied(u.scan, TableName=name)
        u.batch_get_item(RequestItems={name: {"Keys": [key("mine"), key("mine", 2)]}})
        self.denied(u.batch_get_item, RequestItems={name: {"Keys": [key("mine"), key("yours", 2)]}})
        self.denied(u.batch_write_item, RequestItems={name: [{"PutRequest": {"Item": key("yours")}}]})
        self.denied(u.transact_write_items, TransactItems=[{"Put": {"TableName": name, "Item": key("mine")}},
                                                           {"Delete": {"TableName": name, "Key": key("yours")}}])
        u.transact_write_items(TransactItems=[{"Put": {"TableName": name, "Item": key("mine")}}, {"Delete": {"TableName": name, "Key": key("mine", 2)}}])
        u.execute_statement(Statement=f"SELECT * FROM \"{name}\" WHERE pk = 'mine'")
        self.denied(u.execute_statement, Statement=f"SELECT * FROM \"{name}\" WHERE pk = 'yours'")
        self.denied(u.execute_statement, Statement=f"SELECT * FROM \"{name}\"")
        self.denied(u.get_item, TableName=other, Key={"pk": S("mine")})

    def test_policies_of_tables(self):
        name = self.table()
        arn = self.d.describe_table(TableName=name)["Table"]["TableArn"]
        other = self.virga.client("dynamodb", key="444455556666")
        self.put(name, pk=S("a"), v=N(1))
        self.denied(other.get_item, TableName=arn, Key={"pk": S("a")})
        say = lambda *statements: self.d.put_resource_policy(ResourceArn=arn, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Resource": arn, **s} for s in statements]}))["RevisionId"]
        revision = say({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::444455556666:root"}, "Action": "dynamodb:GetItem"})
        self.assertEqual(other.get_item(TableName=arn, Key={"pk": S("a")})["Item"]["v"], N(1))
        self.denied(other.put_item, TableName=arn, Item={"pk": S("a")})
        self.refused("ResourceNotFoundException", "Requested resource not found", other.get_item, TableName=name, Key={"pk": S("a")})
        got = self.d.get_resource_policy(ResourceArn=arn)
        self.assertEqual((got["RevisionId"], json.loads(got["Policy"])["Statement"][0]["Action"]), (revision, "dynamodb:GetItem"))
        say({"Effect": "Deny", "Principal": "*", "Action": "dynamodb:DeleteItem"})
        self.denied(self.d.delete_item, TableName=name, Key={"pk": S("a")})
        self.denied(other.get_item, TableName=arn, Key={"pk": S("a")})
        self.d.delete_resource_policy(ResourceArn=arn)
        self.d.delete_item(TableName=name, Key={"pk": S("a")})
        self.refused("PolicyNotFoundException", f"Resource-based policy not found for the provided ResourceArn: {arn}",
                     self.d.get_resource_policy, ResourceArn=arn)
        with self.assertRaises(ClientError):
            self.d.put_resource_policy(ResourceArn=arn, Policy="{}")

    def test_attributes(self):
        name = self.table()
        u = self.user("attributes", {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*", "Condition": {
            "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "open"]},
            "StringEqualsIfExists": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES", "dynamodb:ReturnValues": ["NONE", "UPDATED_OLD", "UPDATED_NEW"]}}})
        self.put(name, pk=S("a"), open=N(1), secret=N(2))
        get = lambda **k: u.get_item(TableName=name, Key={"pk": S("a")}, **k)["Item"]
        self.assertEqual(get(ProjectionExpression="#o", ExpressionAttributeNames={"#o": "open"}), {"open": N(1)})
        self.denied(get)
        self.denied(get, ProjectionExpression="secret")
        up = lambda e, **k: u.update_item(TableName=name, Key={"pk": S("a")}, UpdateExpression=e, **k)
        up("REMOVE #o", ExpressionAttributeNames={"#o": "open"})
        self.denied(up, "REMOVE secret")
        self.denied(up, "SET #o = secret", ExpressionAttributeNames={"#o": "open"})
        self.denied(u.put_item, TableName=name, Item={"pk": S("a"), "secret": N(1)})


class Resources(Case):
    def test_boto3_s_table(self):
        name = self.table("pk:S", "sk:N")
        r = boto3.session.Session("test", "test", region_name="us-east-1").resource("dynamodb", endpoint_url=self.virga.endpoint)
        t = r.Table(name)
        with t.batch_writer() as b:
            for i in range(60):
                b.put_item(Item={"pk": "p", "sk": i, "d": D("1.5") * i, "s": {"a", "b"}})
        from boto3.dynamodb.conditions import Attr, Key
        got = t.query(KeyConditionExpression=Key("pk").eq("p") & Key("sk").between(10, 12), FilterExpression=Attr("d").gt(15))
        self.assertEqual([(i["sk"], i["d"], i["s"]) for i in got["Items"]], [(11, D("16.5"), {"a", "b"}), (12, D("18"), {"a", "b"})])


if __name__ == "__main__":
    unittest.main()
