// A virga of a test's own, as tests/clients/virga.py makes one: `const v = await startVirga(); … await v.close()`.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, openSync, closeSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const binary = process.env.VIRGA ?? join(dirname(fileURLToPath(import.meta.url)), '../../../build/virga');

export async function startVirga(...args) {
  const folder = mkdtempSync(join(tmpdir(), 'virga-js-'));
  const log = openSync(join(folder, 'log'), 'a');
  const child = spawn(binary, ['serve', '--listen', '127.0.0.1:0', '--data', join(folder, 'data'), ...args],
    { stdio: ['ignore', 'pipe', log] });
  closeSync(log);
  const ended = new Promise((resolve) => child.on('close', resolve));
  let endpoint;
  for await (const line of createInterface({ input: child.stdout })) {
    const at = /^Listening on (http:\/\/\S+?)\/?$/.exec(line);
    if (at) endpoint ??= at[1];
    if (line === 'Ready.') break;
  }
  if (!endpoint || child.exitCode !== null) {
    await ended;
    const text = readFileSync(join(folder, 'log'), 'utf8');
    rmSync(folder, { recursive: true, force: true });
    throw new Error(`virga did not start: ${text}`);
  }
  child.stdout.resume();
  return {
    endpoint,
    /** What every SDK client takes: new S3Client(v.config()). */
    config: (more = {}) => ({
      endpoint, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' }, forcePathStyle: true,
      maxAttempts: 1, ...more,
    }),
    async close() {
      child.kill('SIGTERM');
      const code = await ended;
      rmSync(folder, { recursive: true, force: true });
      if (code !== 0) throw new Error(`virga ended with ${code}`);
    },
  };
}
