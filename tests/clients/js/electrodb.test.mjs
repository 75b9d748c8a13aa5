// A library that applications use, on virga: ElectroDB's entities in one table, with its indexes, collections, patches, batches,
// transactions and pages.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Entity, Service } from 'electrodb';
import { startVirga } from './virga.mjs';

const table = 'electro';
const schema = (name, attributes, indexes) => ({ model: { entity: name, version: '1', service: 'taskapp' }, attributes, indexes });

let virga, tasks, people, app;
before(async () => {
  virga = await startVirga();
  const client = new DynamoDBClient(virga.config());
  const keys = ['pk', 'sk', 'gsi1pk', 'gsi1sk'];
  const key = (h, r) => [{ AttributeName: h, KeyType: 'HASH' }, { AttributeName: r, KeyType: 'RANGE' }];
  await client.send(new CreateTableCommand({
    TableName: table, BillingMode: 'PAY_PER_REQUEST', KeySchema: key('pk', 'sk'),
    AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    GlobalSecondaryIndexes: [{ IndexName: 'gsi1', KeySchema: key('gsi1pk', 'gsi1sk'), Projection: { ProjectionType: 'ALL' } }],
  }));
  tasks = new Entity(schema('task', {
    team: { type: 'string', required: true }, task: { type: 'string', required: true }, owner: { type: 'string' },
    points: { type: 'number', default: 0 }, tags: { type: 'set', items: 'string' }, state: { type: ['open', 'closed'], default: 'open' },
    notes: { type: 'list', items: { type: 'map', properties: { text: { type: 'string' } } } },
  }, {
    task: { pk: { field: 'pk', composite: ['team'] }, sk: { field: 'sk', composite: ['task'] } },
    assigned: { index: 'gsi1', collection: 'workload', pk: { field: 'gsi1pk', composite: ['owner'] }, sk: { field: 'gsi1sk', composite: ['state', 'task'] } },
  }), { client, table });
  people = new Entity(schema('person', { owner: { type: 'string', required: true }, name: { type: 'string' } }, {
    person: { pk: { field: 'pk', composite: ['owner'] }, sk: { field: 'sk', composite: [] } },
    mine: { index: 'gsi1', collection: 'workload', pk: { field: 'gsi1pk', composite: ['owner'] }, sk: { field: 'gsi1sk', composite: [] } },
  }), { client, table });
  app = new Service({ tasks, people }, { client, table });
});
after(() => virga?.close());

test('create refuses what is there, put replaces it', async () => {
  await tasks.create({ team: 'red', task: 't01', owner: 'ada', points: 3, tags: ['x', 'y'] }).go();
  await assert.rejects(tasks.create({ team: 'red', task: 't01' }).go(), /The conditional request failed/);
  const { data } = await tasks.get({ team: 'red', task: 't01' }).go();
  assert.deepEqual({ ...data, tags: data.tags.sort() }, { team: 'red', task: 't01', owner: 'ada', points: 3, tags: ['x', 'y'], state: 'open' });
});

test('patches with conditions', async () => {
  const { data } = await tasks.patch({ team: 'red', task: 't01' }).add({ points: 2, tags: ['z'] }).append({ notes: [{ text: 'one' }] })
    .where(({ state }, { eq }) => eq(state, 'open')).go({ response: 'all_new' });
  assert.deepEqual([data.points, data.tags.sort(), data.notes], [5, ['x', 'y', 'z'], [{ text: 'one' }]]);
  await assert.rejects(tasks.patch({ team: 'red', task: 'none' }).set({ points: 1 }).go(), /The conditional request failed/);
  await tasks.update({ team: 'red', task: 't01' }).data((a, o) => o.set(a.notes[0].text, 'changed')).go();
  assert.deepEqual((await tasks.get({ team: 'red', task: 't01' }).go()).data.notes, [{ text: 'changed' }]);
});

test('batches, ranges and cursors', async () => {
  await tasks.put(Array.from({ length: 40 }, (_, i) => ({ team: 'blue', task: `b${String(i).padStart(2, '0')}`, owner: i % 2 ? 'ada' : 'bob', points: i }))).go();
  const some = await tasks.query.task({ team: 'blue' }).between({ task: 'b05' }, { task: 'b09' }).go();
  assert.deepEqual(some.data.map((t) => t.points), [5, 6, 7, 8, 9]);
  let cursor = null, seen = [];
  do {
    const page = await tasks.query.task({ team: 'blue' }).where(({ points }, { gte }) => gte(points, 10)).go({ cursor, limit: 7 });
    seen.push(...page.data.map((t) => t.points));
    cursor = page.cursor;
  } while (cursor);
  assert.deepEqual(seen, Array.from({ length: 30 }, (_, i) => i + 10));
  const got = await tasks.get([{ team: 'blue', task: 'b00' }, { team: 'blue', task: 'nope' }]).go();
  assert.deepEqual(got.data.map((t) => t.points), [0]);
});

test('a collection is one query over two entities', async () => {
  await people.put({ owner: 'ada', name: 'Ada' }).go();
  const { data } = await app.collections.workload({ owner: 'ada' }).go({ pages: 'all' });
  assert.deepEqual([data.people.map((p) => p.name), data.tasks.length], [['Ada'], 21]);
});

test('transactions', async () => {
  const done = await app.transaction.write(({ tasks: t, people: p }) => [
    t.patch({ team: 'red', task: 't01' }).set({ owner: 'bob', state: 'closed' }).commit(),
    p.check({ owner: 'ada' }).where(({ name }, { eq }) => eq(name, 'Ada')).commit(),
  ]).go();
  assert.equal(done.canceled, false);
  const failed = await app.transaction.write(({ tasks: t }) => [
    t.create({ team: 'red', task: 't01' }).commit(), t.delete({ team: 'blue', task: 'b01' }).commit(),
  ]).go();
  assert.deepEqual([failed.canceled, failed.data[0].code], [true, 'ConditionalCheckFailed']);
  const read = await app.transaction.get(({ tasks: t }) => [t.get({ team: 'red', task: 't01' }).commit(), t.get({ team: 'blue', task: 'b01' }).commit()]).go();
  assert.deepEqual(read.data.map((x) => x.item.owner), ['bob', 'ada']);
});

test('scans', async () => {
  const { data } = await tasks.scan.where(({ owner }, { eq }) => eq(owner, 'bob')).go({ pages: 'all' });
  assert.equal(data.length, 21);
});
