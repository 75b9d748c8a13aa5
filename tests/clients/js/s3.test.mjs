// S3 through the AWS SDK for JavaScript: what applications do with it, and lib-storage's parallel uploads.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { Readable } from 'node:stream';
import { after, before, beforeEach, test } from 'node:test';
import {
  AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CopyObjectCommand, CreateBucketCommand,
  CreateMultipartUploadCommand, DeleteBucketCommand, DeleteObjectCommand, DeleteObjectsCommand, GetBucketLocationCommand,
  GetObjectAttributesCommand, GetObjectCommand, HeadBucketCommand, HeadObjectCommand, ListBucketsCommand,
  ListDirectoryBucketsCommand, ListMultipartUploadsCommand, ListObjectsCommand, ListPartsCommand, PutObjectCommand,
  RenameObjectCommand, S3Client, UploadPartCommand, UploadPartCopyCommand, paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { startVirga } from './virga.mjs';

const MIB = 1 << 20;
let virga, s3, Bucket, count = 0;
before(async () => {
  virga = await startVirga();
  s3 = new S3Client(virga.config());
});
after(() => { s3?.destroy(); return virga?.close(); });
beforeEach(async () => {
  Bucket = `js-${process.pid}-${count++}`;
  await s3.send(new CreateBucketCommand({ Bucket }));
});
const put = (Key, Body, more = {}) => s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = (Key, more = {}) => s3.send(new GetObjectCommand({ Bucket, Key, ...more }));
const bytes = async (r) => Buffer.from(await r.Body.transformToByteArray());

test('buckets', async () => {
  const { Buckets } = await s3.send(new ListBucketsCommand({}));
  assert.ok(Buckets.some((b) => b.Name === Bucket && b.CreationDate instanceof Date));
  assert.equal((await s3.send(new HeadBucketCommand({ Bucket }))).BucketRegion, 'us-east-1');
  assert.equal((await s3.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint, undefined);
  await s3.send(new DeleteBucketCommand({ Bucket }));
  await assert.rejects(s3.send(new HeadBucketCommand({ Bucket })), { name: 'NotFound' });
  await assert.rejects(s3.send(new ListObjectsCommand({ Bucket })), { name: 'NoSuchBucket' });
});

test('put, get, head, delete', async () => {
  const key = 'a b/ü+%&?#€.txt';
  const r = await put(key, 'hello', { ContentType: 'text/plain', Metadata: { who: 'me' } });
  assert.equal(r.ETag, `"${createHash('md5').update('hello').digest('hex')}"`);
  const o = await get(key);
  assert.equal(await o.Body.transformToString(), 'hello');
  assert.deepEqual([o.ContentType, o.Metadata, o.ContentLength], ['text/plain', { who: 'me' }, 5]);
  const h = await s3.send(new HeadObjectCommand({ Bucket, Key: key }));
  assert.equal(h.ContentLength, 5);
  assert.ok(Math.abs(Date.now() - h.LastModified) < 10_000);
  assert.equal(await (await get(key, { Range: 'bytes=1-3' })).Body.transformToString(), 'ell');
  await s3.send(new DeleteObjectCommand({ Bucket, Key: key }));
  await assert.rejects(get(key), { name: 'NoSuchKey' });
  await assert.rejects(s3.send(new HeadObjectCommand({ Bucket, Key: key })), { name: 'NotFound' });
});

test('a stream of unknown checksum goes with a trailer', async () => {
  const body = randomBytes(300_000);
  await put('stream', Readable.from([body.subarray(0, 100_000), body.subarray(100_000)]), { ContentLength: body.length });
  assert.deepEqual(await bytes(await get('stream')), body);
});

for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']) {
  test(`checksum ${ChecksumAlgorithm}`, async (t) => {
    const member = `Checksum${ChecksumAlgorithm}`;
    let r;
    try {
      r = await put('k', 'checked', { ChecksumAlgorithm });
    } catch (e) {
      if (/aws-crt|crc64/i.test(e.message)) return t.skip('the SDK wants another package for it');
      throw e;
    }
    assert.ok(r[member]);
    const o = await get('k', { ChecksumMode: 'ENABLED' });
    assert.equal(o[member], r[member]);
    assert.equal(await o.Body.transformToString(), 'checked');
  });
}

test('conditions', async () => {
  const { ETag } = await put('k', '1', { IfNoneMatch: '*' });
  await assert.rejects(put('k', '2', { IfNoneMatch: '*' }), { name: 'PreconditionFailed' });
  await assert.rejects(put('k', '2', { IfMatch: '"other"' }), { name: 'PreconditionFailed' });
  await put('k', '2', { IfMatch: ETag });
  await assert.rejects(get('k', { IfMatch: ETag }), (e) => e.$metadata.httpStatusCode === 412);
  await assert.rejects(get('k', { IfNoneMatch: '*' }), (e) => e.$metadata.httpStatusCode === 304);
});

test('listing by pages', async () => {
  const keys = [...Array(25).keys()].map((n) => `d${n % 5}/k ${String(n).padStart(2, '0')}`).sort();
  await Promise.all(keys.map((k) => put(k, k)));
  const seen = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 4 }, { Bucket })) {
    seen.push(...page.Contents.map((o) => o.Key));
  }
  assert.deepEqual(seen, keys);
  const r = await s3.send(new ListObjectsCommand({ Bucket, Delimiter: '/' }));
  assert.deepEqual(r.CommonPrefixes.map((p) => p.Prefix), ['d0/', 'd1/', 'd2/', 'd3/', 'd4/']);
  const many = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }));
  assert.equal(many.Deleted.length, 25);
});

test('copy', async () => {
  await put('src/ä b', 'body', { Metadata: { a: '1' } });
  const source = encodeURI(`${Bucket}/src/ä b`);
  const r = await s3.send(new CopyObjectCommand({ Bucket, Key: 'dst', CopySource: source }));
  assert.equal(r.CopyObjectResult.ETag, `"${createHash('md5').update('body').digest('hex')}"`);
  assert.deepEqual((await get('dst')).Metadata, { a: '1' });
});

test('multipart by hand', async () => {
  const parts = [randomBytes(5 * MIB), randomBytes(1000)];
  const Key = 'mp';
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: 'SHA256' }));
  const Parts = [];
  for (const [n, Body] of parts.entries()) {
    const r = await s3.send(new UploadPartCommand({
      Bucket, Key, UploadId, PartNumber: n + 1, Body, ChecksumAlgorithm: 'SHA256' }));
    Parts.push({ PartNumber: n + 1, ETag: r.ETag, ChecksumSHA256: r.ChecksumSHA256 });
  }
  const listed = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId }));
  assert.deepEqual(listed.Parts.map((p) => [p.PartNumber, p.Size]), [[1, 5 * MIB], [2, 1000]]);
  assert.equal((await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads.length, 1);
  const done = await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
  assert.match(done.ETag, /^"[0-9a-f]{32}-2"$/);
  assert.match(done.ChecksumSHA256, /-2$/);
  assert.deepEqual(await bytes(await get(Key)), Buffer.concat(parts));
  assert.deepEqual(await bytes(await get(Key, { PartNumber: 2 })), parts[1]);
  const a = await s3.send(new GetObjectAttributesCommand({
    Bucket, Key, ObjectAttributes: ['ObjectParts', 'ObjectSize', 'Checksum'] }));
  assert.deepEqual([a.ObjectParts.TotalPartsCount, a.ObjectParts.Parts.length, a.ObjectSize], [2, 2, 5 * MIB + 1000]);

  const other = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'copied' }));
  const c = await s3.send(new UploadPartCopyCommand({ Bucket, Key: 'copied', UploadId: other.UploadId, PartNumber: 1,
    CopySource: `${Bucket}/${Key}`, CopySourceRange: `bytes=${5 * MIB - 5}-${5 * MIB + 4}` }));
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'copied', UploadId: other.UploadId,
    MultipartUpload: { Parts: [{ PartNumber: 1, ETag: c.CopyPartResult.ETag }] } }));
  assert.deepEqual(await bytes(await get('copied')), Buffer.concat(parts).subarray(5 * MIB - 5, 5 * MIB + 5));

  const gone = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: gone.UploadId }));
  await assert.rejects(s3.send(new ListPartsCommand({ Bucket, Key, UploadId: gone.UploadId })), { name: 'NoSuchUpload' });
});

for (const [what, more] of [['as the SDK does by itself', {}], ['with SHA-256', { ChecksumAlgorithm: 'SHA256' }]]) {
  test(`lib-storage, ${what}`, async () => {
    const body = randomBytes(17 * MIB + 5);
    const upload = new Upload({ client: s3, params: { Bucket, Key: 'big', Body: Readable.from([body]), ...more },
      queueSize: 4, partSize: 5 * MIB });
    const r = await upload.done();
    assert.match(r.ETag, /-4"$/);
    assert.deepEqual(createHash('sha256').update(await bytes(await get('big'))).digest('hex'),
      createHash('sha256').update(body).digest('hex'));
  });
}

test('presigned', async () => {
  const up = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: 'p q' }), { expiresIn: 60 });
  assert.equal((await fetch(up, { method: 'PUT', body: 'signed' })).status, 200);
  const down = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: 'p q' }), { expiresIn: 60 });
  assert.equal(await (await fetch(down)).text(), 'signed');
});

test('virtual host style', async () => {
  const port = new URL(virga.endpoint).port;
  // Not every machine's resolver knows names below localhost.
  const lookup = (name, options, back) => options.all
    ? back(null, [{ address: '127.0.0.1', family: 4 }]) : back(null, '127.0.0.1', 4);
  const httpAgent = new http.Agent({ lookup });
  const client = new S3Client(virga.config({
    endpoint: `http://s3.localhost:${port}`, forcePathStyle: false, requestHandler: { httpAgent } }));
  await client.send(new PutObjectCommand({ Bucket, Key: 'v', Body: 'by name' }));
  assert.equal(await (await get('v')).Body.transformToString(), 'by name');
  client.destroy();
});

test('a directory bucket, with the sessions that the SDK begins by itself', async () => {
  const name = `js-${process.pid}-${count++}--use1-az4--x-s3`;
  await s3.send(new CreateBucketCommand({ Bucket: name, CreateBucketConfiguration: {
    Location: { Type: 'AvailabilityZone', Name: 'use1-az4' }, Bucket: { Type: 'Directory', DataRedundancy: 'SingleAvailabilityZone' },
  } }));
  const { Buckets } = await s3.send(new ListDirectoryBucketsCommand({}));
  assert.ok(Buckets.some((b) => b.Name === name));
  await s3.send(new PutObjectCommand({ Bucket: name, Key: 'a', Body: 'one' }));
  await s3.send(new PutObjectCommand({ Bucket: name, Key: 'a', Body: 'two', WriteOffsetBytes: 3 }));
  await s3.send(new RenameObjectCommand({ Bucket: name, Key: 'b', RenameSource: `${name}/a` }));
  const r = await s3.send(new GetObjectCommand({ Bucket: name, Key: 'b' }));
  assert.equal(await r.Body.transformToString(), 'onetwo');
  assert.equal(r.StorageClass, 'EXPRESS_ONEZONE');
  await s3.send(new DeleteObjectCommand({ Bucket: name, Key: 'b' }));
  await s3.send(new DeleteBucketCommand({ Bucket: name }));
  await assert.rejects(s3.send(new GetObjectCommand({ Bucket: name, Key: 'b' })), { name: 'NoSuchBucket' });
});
