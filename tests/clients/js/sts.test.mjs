// GetCallerIdentity and NotImplemented through the AWS SDK for JavaScript.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { GetObjectTorrentCommand, S3Client } from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { startVirga } from './virga.mjs';

let virga;
before(async () => { virga = await startVirga(); });
after(() => virga?.close());

test('the default account', async () => {
  const who = await new STSClient(virga.config()).send(new GetCallerIdentityCommand({}));
  assert.equal(who.Account, '000000000000');
  assert.equal(who.Arn, 'arn:aws:iam::000000000000:root');
});

test('an account by its key', async () => {
  const credentials = { accessKeyId: '123456789012', secretAccessKey: 'x' };
  const who = await new STSClient(virga.config({ credentials })).send(new GetCallerIdentityCommand({}));
  assert.equal(who.Account, '123456789012');
});

test('an unbuilt operation says so', async () => {
  const s3 = new S3Client(virga.config());
  await assert.rejects(s3.send(new GetObjectTorrentCommand({ Bucket: 'somewhere', Key: 'k' })),
    (e) => /NotImplemented/.test(e.name) && e.$metadata.httpStatusCode === 501 &&
      /GetObjectTorrent/.test(e.message));
});
