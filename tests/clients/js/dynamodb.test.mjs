// DynamoDB through the AWS SDK for JavaScript: its document client, which turns plain objects into attribute values.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CreateTableCommand, DynamoDBClient, waitUntilTableExists } from '@aws-sdk/client-dynamodb';
import { DescribeStreamCommand, DynamoDBStreamsClient, GetRecordsCommand, GetShardIteratorCommand } from '@aws-sdk/client-dynamodb-streams';
import {
  BatchGetCommand, BatchWriteCommand, DeleteCommand, DynamoDBDocumentClient, ExecuteStatementCommand, GetCommand, NumberValue, PutCommand,
  QueryCommand, TransactWriteCommand, UpdateCommand, paginateQuery, paginateScan,
} from '@aws-sdk/lib-dynamodb';
import { startVirga } from './virga.mjs';

let virga, plain, docs, stream;
before(async () => {
  virga = await startVirga();
  plain = new DynamoDBClient(virga.config());
  docs = DynamoDBDocumentClient.from(plain, { marshallOptions: { removeUndefinedValues: true }, unmarshallOptions: { wrapNumbers: (n) => (Number.isSafeInteger(+n) ? +n : NumberValue.from(n)) } });
  const made = await plain.send(new CreateTableCommand({
    TableName: 'orders', BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [['customer', 'S'], ['number', 'N'], ['state', 'S']].map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
    KeySchema: [{ AttributeName: 'customer', KeyType: 'HASH' }, { AttributeName: 'number', KeyType: 'RANGE' }],
    GlobalSecondaryIndexes: [{ IndexName: 'by-state', KeySchema: [{ AttributeName: 'state', KeyType: 'HASH' }], Projection: { ProjectionType: 'ALL' } }],
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
  }));
  stream = made.TableDescription.LatestStreamArn;
  await waitUntilTableExists({ client: plain, maxWaitTime: 60 }, { TableName: 'orders' });
});
after(() => virga?.close());

const TableName = 'orders';

test('documents come back as they were', async () => {
  const Item = { customer: 'ada', number: 1, state: 'open', entries: [{ sku: 'x', count: 2 }, []], tags: new Set(['a', 'b']), paid: false, note: null,
    bytes: new Uint8Array([0, 255]), exact: NumberValue.from('0.1234567890123456789012345678901234567') };
  await docs.send(new PutCommand({ TableName, Item }));
  const got = (await docs.send(new GetCommand({ TableName, Key: { customer: 'ada', number: 1 } }))).Item;
  assert.deepEqual({ ...got, exact: got.exact.value }, { ...Item, exact: Item.exact.value });
});

test('conditions, updates, errors', async () => {
  await assert.rejects(docs.send(new PutCommand({ TableName, Item: { customer: 'ada', number: 1 }, ConditionExpression: 'attribute_not_exists(customer)' })),
    { name: 'ConditionalCheckFailedException', message: 'The conditional request failed' });
  const { Attributes } = await docs.send(new UpdateCommand({ TableName, Key: { customer: 'ada', number: 1 }, ReturnValues: 'UPDATED_NEW',
    UpdateExpression: 'SET entries[0].#c = entries[0].#c + :one, paid = :yes', ExpressionAttributeNames: { '#c': 'count' }, ExpressionAttributeValues: { ':one': 1, ':yes': true } }));
  assert.deepEqual(Attributes, { entries: [{ count: 3 }], paid: true });
  await assert.rejects(docs.send(new UpdateCommand({ TableName, Key: { customer: 'ada' }, UpdateExpression: 'REMOVE x' })),
    { name: 'ValidationException', message: 'The provided key element does not match the schema' });
});

test('batches, queries and scans in pages', async () => {
  const requests = Array.from({ length: 25 }, (_, i) => ({ PutRequest: { Item: { customer: 'bob', number: i, state: i % 2 ? 'open' : 'done' } } }));
  await docs.send(new BatchWriteCommand({ RequestItems: { orders: requests } }));
  const seen = [];
  for await (const page of paginateQuery({ client: docs, pageSize: 10 }, { TableName, KeyConditionExpression: 'customer = :c', ExpressionAttributeValues: { ':c': 'bob' } }))
    seen.push(...page.Items.map((i) => i.number));
  assert.deepEqual(seen, Array.from({ length: 25 }, (_, i) => i));
  const open = await docs.send(new QueryCommand({ TableName, IndexName: 'by-state', KeyConditionExpression: '#s = :s', FilterExpression: 'customer = :c',
    ExpressionAttributeNames: { '#s': 'state' }, ExpressionAttributeValues: { ':s': 'open', ':c': 'bob' } }));
  assert.equal(open.Count, 12);
  let scanned = 0;
  for await (const page of paginateScan({ client: docs, pageSize: 7 }, { TableName })) scanned += page.Count;
  assert.equal(scanned, 26);
  const some = await docs.send(new BatchGetCommand({ RequestItems: { orders: { Keys: [{ customer: 'bob', number: 3 }, { customer: 'bob', number: 99 }] } } }));
  assert.deepEqual(some.Responses.orders, [{ customer: 'bob', number: 3, state: 'open' }]);
});

test('a transaction that fails says why, and does nothing', async () => {
  await assert.rejects(docs.send(new TransactWriteCommand({ TransactItems: [
    { Delete: { TableName, Key: { customer: 'bob', number: 0 } } },
    { Put: { TableName, Item: { customer: 'ada', number: 1 }, ConditionExpression: 'attribute_not_exists(customer)' } },
  ] })), (e) => e.name === 'TransactionCanceledException' && e.CancellationReasons[1].Code === 'ConditionalCheckFailed');
  assert.ok((await docs.send(new GetCommand({ TableName, Key: { customer: 'bob', number: 0 } }))).Item);
});

test('PartiQL', async () => {
  const { Items } = await docs.send(new ExecuteStatementCommand({ Statement: 'SELECT number FROM orders WHERE customer = ? AND number > ?', Parameters: ['bob', 22] }));
  assert.deepEqual(Items, [{ number: 23 }, { number: 24 }]);
});

test('the stream tells every change in order', async () => {
  await docs.send(new DeleteCommand({ TableName, Key: { customer: 'ada', number: 1 } }));
  const streams = new DynamoDBStreamsClient(virga.config());
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn: stream }));
  const { ShardIterator } = await streams.send(new GetShardIteratorCommand({ StreamArn: stream, ShardId: StreamDescription.Shards[0].ShardId, ShardIteratorType: 'TRIM_HORIZON' }));
  const { Records } = await streams.send(new GetRecordsCommand({ ShardIterator }));
  assert.deepEqual(Records.filter((r) => r.dynamodb.Keys.customer.S === 'ada').map((r) => r.eventName), ['INSERT', 'MODIFY', 'REMOVE']);
  assert.equal(Records.length, 28);
});
