// sqs-consumer, the library that many applications read queues with, in the ways that its documentation shows.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageBatchCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { Consumer } from 'sqs-consumer';
import { startVirga } from './virga.mjs';

let virga, sqs;
before(async () => {
  virga = await startVirga();
  sqs = new SQSClient(virga.config());
});
after(() => virga?.close());

/** Fails after a while instead of waiting for ever. */
function within(seconds, promise, what) {
  let timer;
  return Promise.race([promise, new Promise((_, fail) => { timer = setTimeout(() => fail(new Error(`not in time: ${what}`)), seconds * 1000); })])
    .finally(() => clearTimeout(timer));
}

async function queue(QueueName, Attributes = {}) {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes }));
  return QueueUrl;
}

async function attributes(QueueUrl) {
  return (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes;
}

/** The consumer tells that it has handled a message before its deletion is answered: it is waited for. */
async function emptied(QueueUrl) {
  let left;
  for (let n = 0; n < 100; n++) {
    const a = await attributes(QueueUrl);
    left = [a.ApproximateNumberOfMessages, a.ApproximateNumberOfMessagesNotVisible];
    if (left.join() === '0,0') return;
    await new Promise((r) => setTimeout(r, 100));
  }
  assert.deepEqual(left, ['0', '0']);
}

/** Runs a consumer until done() is true of what it has handled. */
async function consume(options, done) {
  const handled = [], errors = [];
  const consumer = Consumer.create({ sqs, waitTimeSeconds: 1, suppressFifoWarning: true, ...options(handled) });
  const finished = new Promise((resolve) => {
    for (const event of ['message_processed', 'response_processed', 'processing_error'])
      consumer.on(event, () => { if (done(handled)) resolve(); });
  });
  const stopped = new Promise((resolve) => { consumer.on('stopped', resolve); });
  consumer.on('error', (e) => errors.push(e));
  consumer.start();
  try {
    await within(60, finished, `handled ${handled.length}`);
  } finally {
    consumer.stop();
    await within(30, stopped, 'the consumer stops');
  }
  return { handled, errors };
}

test('sqs-consumer: handles messages with their attributes and deletes them', async () => {
  const queueUrl = await queue('consumed');
  for (let n = 0; n < 5; n++)
    await sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: Array.from({ length: 10 }, (_, i) => ({
      Id: `e${i}`, MessageBody: `m${n * 10 + i}`, MessageAttributes: { kind: { DataType: 'String', StringValue: 'test' } } })) }));
  const { handled, errors } = await consume((list) => ({ queueUrl, batchSize: 10, messageAttributeNames: ['All'], attributeNames: ['All'],
    handleMessage: async (m) => { list.push(m); return m; } }), (list) => list.length >= 50);
  assert.deepEqual(errors, []);
  assert.deepEqual(handled.map((m) => m.Body).sort(), Array.from({ length: 50 }, (_, i) => `m${i}`).sort());
  assert.ok(handled.every((m) => m.MessageAttributes.kind.StringValue === 'test' && m.Attributes.ApproximateReceiveCount === '1'));
  await emptied(queueUrl);
});

test('sqs-consumer: a batch handler, long work kept by heartbeats', async () => {
  const queueUrl = await queue('batches');
  await sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: [1, 2, 3].map((n) => ({ Id: `e${n}`, MessageBody: `m${n}` })) }));
  // The work outlasts the visibility timeout: without the heartbeats (ChangeMessageVisibilityBatch) the messages would come again.
  const { handled, errors } = await consume((list) => ({ queueUrl, batchSize: 10, visibilityTimeout: 2, heartbeatInterval: 1,
    handleMessageBatch: async (messages) => { await new Promise((r) => setTimeout(r, 3500)); list.push(...messages); return messages; } }),
  (list) => list.length >= 3);
  assert.deepEqual(errors, []);
  assert.deepEqual(handled.map((m) => m.Body).sort(), ['m1', 'm2', 'm3']);
  await emptied(queueUrl);
});

test('sqs-consumer: what fails comes again at once, then goes to the dead letters', async () => {
  const dead = await queue('dead');
  const queueUrl = await queue('failing', { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: (await attributes(dead)).QueueArn, maxReceiveCount: 2 }) });
  await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: 'poison' }));
  let tries = 0;
  const consumer = Consumer.create({ sqs, queueUrl, waitTimeSeconds: 1, terminateVisibilityTimeout: true,
    handleMessage: async () => { tries++; throw new Error('no'); } });
  consumer.on('processing_error', () => {});
  consumer.on('error', () => {});
  const stopped = new Promise((resolve) => { consumer.on('stopped', resolve); });
  consumer.start();
  try {
    const { handled } = await consume((list) => ({ queueUrl: dead, handleMessage: async (m) => { list.push(m); return m; } }), (list) => list.length >= 1);
    assert.deepEqual(handled.map((m) => m.Body), ['poison']);
  } finally {
    consumer.stop();
    await within(30, stopped, 'the failing consumer stops');
  }
  assert.equal(tries, 2);
});

test('sqs-consumer: a FIFO queue in the order of its groups', async () => {
  const queueUrl = await queue('ordered.fifo', { FifoQueue: 'true', ContentBasedDeduplication: 'true' });
  for (let n = 0; n < 20; n++)
    await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: `m${n}`, MessageGroupId: `g${n % 2}` }));
  const { handled } = await consume((list) => ({ queueUrl, batchSize: 4, attributeNames: ['All'],
    handleMessageBatch: async (messages) => { list.push(...messages); return messages; } }), (list) => list.length >= 20);
  for (const group of ['g0', 'g1'])
    assert.deepEqual(handled.filter((m) => m.Attributes.MessageGroupId === group).map((m) => +m.Body.slice(1)),
      Array.from({ length: 10 }, (_, i) => 2 * i + (group === 'g1' ? 1 : 0)));
});
