// `protocol: tcp` as people use it: a real Redis, and its own client, through the action and a real bore server.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { awaitFree, createPreview, goLive, type Preview, SECRET } from './job-rig.ts';

const REDIS = "exec redis-server --port $PORT --bind 127.0.0.1 --save '' --appendonly no";

/** What `redis-cli` says, and its exit code; a failure to connect is an answer too. */
async function askRedis(url: string, ...args: string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  const child = spawn(requirePart('redis-cli'), ['-h', hostname, '-p', port, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 10_000,
  });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return (out + err).trim();
}

function runRedis(host: string, inputs: Record<string, string> = {}): Promise<Preview> {
  return createPreview({ server: host, protocol: 'tcp', command: REDIS, ...inputs });
}

/**
 * A gRPC service without its library: HTTP/2 in plain text, and the status in the trailers. It answers each call with
 * the message it got.
 */
const GRPC = `const { createServer } = require('node:http2');
createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'application/grpc', trailer: 'grpc-status' });
  request.on('data', chunk => response.write(chunk));
  request.on('end', () => {
    response.addTrailers({ 'grpc-status': '0' });
    response.end();
  });
}).listen(process.env.PORT, '127.0.0.1');`;

/** A gRPC message of this text: a byte that says it is not compressed, its length, its bytes. */
function frameMessage(text: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([head, Buffer.from(text)]);
}

/** One call with a stream of messages in each direction; resolves with what came back, and its status. */
async function call(session: ClientHttp2Session, messages: readonly string[]) {
  const stream = session.request({ ':method': 'POST', ':path': '/echo.Echo/Chat', te: 'trailers' });
  const trailers = once(stream, 'trailers');
  for (const message of messages) stream.write(frameMessage(message));
  stream.end();
  const received = Buffer.concat(await stream.toArray());
  return { received, status: (await trailers)[0]['grpc-status'] };
}

describeWithReal(['bore'], 'gRPC', () => {
  it('reaches a service in plain text, with many calls at a time', async () => {
    const host = '127.0.2.13';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview(
      { server: host, protocol: 'tcp', command: 'node grpc.js' },
      { 'grpc.js': GRPC },
    );
    const session = connectHttp2((await goLive(preview)).replace('tcp:', 'http:'));
    const texts = ['hello', 'x'.repeat(200_000)];
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(session, texts)));
    for (const { received, status } of answers) {
      expect(received.equals(Buffer.concat(texts.map(frameMessage)))).toBe(true);
      expect(status).toBe('0');
    }
    session.close();
    expect((await preview.job.post()).code).toBe(0);
  });
});

describeWithReal(['bore', 'redis-server', 'redis-cli'], 'raw bytes', () => {
  it('reach a Redis on the runner from outside', async () => {
    const host = '127.0.0.150';
    await startRealServer(host, { secret: SECRET });
    const preview = await runRedis(host);
    const url = await goLive(preview);
    const { outputs, log } = preview.job;
    expect(url).toBe(`tcp://${host}:${outputs.port}`);
    expect(outputs).toMatchObject({ 'preview-url': url, host, status: 'Connected', mode: 'port' });
    expect(log).toContain(`Preview: ${url}\nConnect with: nc ${host} ${outputs.port}\n`);

    expect(await askRedis(url, 'set', 'greeting', 'hello from outside')).toBe('OK');
    expect(await askRedis(url, 'get', 'greeting')).toBe('hello from outside');
    const large = 'x'.repeat(100_000);
    expect(await askRedis(url, 'set', 'large', large)).toBe('OK');
    expect(await askRedis(url, 'get', 'large')).toBe(large);

    const comment = () => preview.github.state.comments[0]?.body ?? '';
    await waitUntil(() => comment().includes(url), 'the comment has the address');
    expect(comment()).toContain(`\`\`\`text\nnc ${host} ${outputs.port}\n\`\`\``);
    expect(comment()).not.toContain(`(<${url}`);
    expect((await preview.job.shell('expose url')).log).toBe(`${url}\n`);
    expect((await preview.job.shell('expose status')).log).toContain(
      `connect   nc ${host} ${outputs.port}\n`,
    );
    expect(await preview.status()).toMatchObject({ status: 'Connected', verified: true, visits: 4 });

    const post = await preview.job.post();
    expect(post.code).toBe(0);
    await awaitFree(url.replace('tcp:', 'http:'));
    expect(preview.titles()).toEqual(['is starting', 'is live', 'has ended']);
  });

  it('are refused while the app is away, and flow again when it is back', async () => {
    const host = '127.0.0.151';
    await startRealServer(host, { secret: SECRET });
    const preview = await runRedis(host);
    const url = await goLive(preview);
    expect(await askRedis(url, 'ping')).toBe('PONG');
    const idle = spawn(requirePart('redis-cli'), ['-h', host, '-p', new URL(url).port, 'monitor'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [greeting] = await once(idle.stdout, 'data');
    expect(String(greeting)).toContain('OK');
    process.kill(preview.find('the command').pid, 'SIGKILL');
    await once(idle, 'close');
    await waitUntil(async () => (await askRedis(url, 'ping')) === 'PONG', 'Redis is back');
    expect(await preview.status()).toMatchObject({ restarts: 1, reconnects: 0, exposure: { phase: 'live' } });
    expect((await preview.job.post()).code).toBe(0);
  });

  it('have the same address in every run', async () => {
    const host = '127.0.0.152';
    await startRealServer(host, { secret: SECRET });
    const urls: string[] = [];
    for (const run of ['100', '101']) {
      const preview = await runRedis(host, { name: 'redis' });
      urls.push(await goLive(preview));
      expect((await preview.job.post()).code).toBe(0);
      await awaitFree((urls.at(-1) ?? run).replace('tcp:', 'http:'));
    }
    expect(urls[0]).toBe(urls[1]);
  });

  it('cannot have what only a gateway can do', async () => {
    const preview = await createPreview(
      { server: '127.0.0.153', protocol: 'tcp', mode: 'web', spa: 'true', 'public-url': 'https://{host}' },
      { 'index.html': '' },
    );
    const { code, log } = await preview.job.main();
    expect(code).toBe(1);
    const [, annotation = ''] = /^::error::(.*)$/m.exec(log) ?? [];
    expect(annotation.split('%0A')).toEqual([
      expect.stringMatching(/^`protocol` is tcp, and `mode: web` has no port/),
      expect.stringMatching(/^`spa` cannot be used with `protocol: tcp`/),
      expect.stringMatching(/^`public-url` is 'https:\/\/\{host\}', which is not a tcp address/),
    ]);
  });
});
