// A preview with TLS of its own through a real bore server, as a job and from the command line.

import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { TestCa } from '../support/test-ca.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createPreview, SECRET, SERVER } from './job-rig.ts';

const run = promisify(execFile);
const WITH_HEADERS = `require('node:http').createServer((request, response) => {
  response.end(JSON.stringify(request.headers));
}).listen(process.env.PORT, '127.0.0.1');
`;
let ca: TestCa;
beforeAll(() => {
  ca = new TestCa();
});
afterAll(() => ca.remove());

const curl = async (...args: string[]) => (await run('curl', ['-sS', '--max-time', '20', ...args])).stdout;

describeWithReal(['bore'], 'a job with a certificate', () => {
  it('hands out an https link that is proved, and its key is seen nowhere', async () => {
    const host = '127.0.0.234';
    await startRealServer(host, { secret: SECRET });
    const { cert, key } = ca.issue([`IP:${host}`]);
    const preview = await createPreview(
      { server: host, command: 'node app.js', 'host-header': 'preserve', 'tls-cert': cert, 'tls-key': key },
      { 'app.js': WITH_HEADERS },
    );
    const { job, github } = preview;
    const main = await job.main();
    expect(main.code, main.log).toBe(0);
    const { url = '', port } = job.outputs;
    expect(url).toBe(`https://${host}:${port}`);
    expect(main.log).not.toContain('did not answer from here');

    const seen = JSON.parse(await curl('--cacert', ca.file, '--http2', `${url}/`));
    expect(seen).toMatchObject({ 'x-forwarded-proto': 'https', 'x-forwarded-host': `${host}:${port}` });
    const version = ['-o', '/dev/null', '-w', '%{http_version} %{http_code}'];
    expect(await curl('--cacert', ca.file, '--http2', ...version, url)).toBe('2 200');
    expect(await curl('--cacert', ca.file, '--http1.1', ...version, url)).toBe('1.1 200');
    const redirect = await curl('-i', `http://${host}:${port}/a?b`);
    expect(redirect).toMatch(new RegExp(`^HTTP/1.1 308 [\\s\\S]*location: ${url}/a\\?b\r\n`));
    await waitUntil(() => github.state.comments[0]?.body.includes(url) ?? false, 'the comment has the link');

    const lines = key.split('\n').filter(line => line.length > 8 && !line.startsWith('-----'));
    const texts = [...preview.processes().flatMap(readProcess), ...readFiles(job.temp)];
    const post = await job.post();
    expect(post.code).toBe(0);
    const said = [main.log, post.log, job.summary, ...github.requests.map(one => JSON.stringify(one))];
    for (const line of lines)
      expect([...texts, ...said.map(removeMasks)].filter(text => text.includes(line))).toEqual([]);
  });

  it('reports what is wrong with the certificate before anything starts', async () => {
    const { cert } = ca.issue(['DNS:bore.example']);
    const { key } = ca.issue(['DNS:bore.example']);
    const { job } = await createPreview(
      { server: '127.0.0.235', command: 'node app.js', 'tls-cert': cert, 'tls-key': key },
      { 'app.js': SERVER },
    );
    const { code, log } = await job.main();
    expect(code).toBe(1);
    expect(log).toContain('`tls-key` is not the key of the certificate in `tls-cert` (for bore.example)');
    expect(log).toContain('is not for 127.0.0.235, which visitors use, but for bore.example');
  });
});

describeWithReal(['bore'], 'expose run with a certificate', () => {
  it('takes it from files', async () => {
    const host = '127.0.0.236';
    await startRealServer(host);
    const { cert, key } = ca.issue([`IP:${host}`]);
    const [certFile, keyFile] = [join(ca.folder, 'full.pem'), join(ca.folder, 'priv.pem')];
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    const files = ['--tls-cert', certFile, '--tls-key', keyFile];
    const args = ['run', 'examples/web-hello', '--server', host, ...files, '--json'];
    const child = spawn(process.execPath, [resolve('dist/cli/index.js'), ...args]);
    onTestFinished(() => void child.kill());
    let said = '';
    child.stdout.on('data', chunk => {
      said += chunk;
    });
    await waitUntil(() => said.includes('"phase":"live"'), 'it is live');
    const [, link = ''] = /"preview_url":"(https:[^"]+)"/.exec(said) ?? [];
    // As a browser: the key is traded for a cookie, which is brought along.
    const asBrowser = ['--cacert', ca.file, '--http2', '--location', '--cookie', ''];
    expect(await curl(...asBrowser, link)).toContain('<!doctype html>');
  });
});

function removeMasks(text: string): string {
  return text.replaceAll(/^::add-mask::.*$/gm, '');
}

function readProcess({ pid }: { pid: number }): string[] {
  return ['cmdline', 'environ'].map(name => readFileSync(`/proc/${pid}/${name}`, 'latin1'));
}

function readFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
}
