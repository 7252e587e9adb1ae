// Long and large things through a proxy: WebSockets, uploads, downloads, event streams.

import { createHash, randomBytes } from 'node:crypto';
import { type EventEmitter, once } from 'node:events';
import { request as sendRequest } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import {
  END_HEADERS,
  FRAME,
  FrameClient,
  listRequestFields,
  renderHeaders,
} from '../../support/http2-frames.ts';
import { isFull, scale } from '../../support/scale.ts';
import { waitUntil } from '../../support/wait-until.ts';
import type { World } from '../proxy-world.ts';

const MB = 1_024 ** 2;
const BIG_MB = 200;
const DOWNLOAD_MB = scale(20, BIG_MB);
/** One minute is the default limit of nginx, and more than that of most others. */
const IDLE_MS = 75_000;

/** RFC 9113, 6.5.2: SETTINGS_INITIAL_WINDOW_SIZE, and what it is without one. */
const INITIAL_WINDOW_SETTING = 4;
const DEFAULT_WINDOW = 65_535;

export function defineStreams(read: () => World): void {
  it('carries WebSockets: both kinds of message, 1 MB, and the code of the close', async () => {
    const { visitor, name, app } = read().first;
    const socket = visitor.openWebSocket(name);
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('hello');
    const large = randomBytes(MB);
    socket.send(large);
    expect(large.equals((await once(socket, 'message'))[0])).toBe(true);
    socket.close(4_321, 'the reason');
    const [code, reason] = await once(socket, 'close');
    expect([code, String(reason)]).toEqual([4_321, 'the reason']);
    expect(app.requests).toHaveLength(1);
  });

  it("passes the app's own close of a WebSocket", async () => {
    const { visitor, name, app } = read().first;
    app.onSocket = opened => opened.once('message', () => opened.close(4_000, 'enough'));
    const socket = visitor.openWebSocket(name);
    await once(socket, 'open');
    socket.send('hello');
    const [code, reason] = await once(socket, 'close');
    expect([code, String(reason)]).toEqual([4_000, 'enough']);
  });

  it(`streams an upload of ${BIG_MB} MB: the app has the start before the visitor has sent the end`, async () => {
    const { visitor, name, app } = read().first;
    const [sent, received] = [createHash('sha256'), createHash('sha256')];
    let arrived = 0;
    app.answer = (request, response) => {
      request.on('data', chunk => {
        received.update(chunk);
        arrived += chunk.length;
      });
      request.once('end', () => response.end(`${arrived}`));
    };
    const headers = { 'content-length': `${BIG_MB * MB}` };
    const request = sendRequest(visitor.describe({ name, method: 'PUT', headers }));
    const answered = once(request, 'response');
    const block = randomBytes(MB);
    for (let at = 0; at < BIG_MB; at += 1) {
      block.writeUInt32BE(at);
      sent.update(block);
      if (!request.write(Buffer.from(block))) await once(request, 'drain');
      if (at === 0) await waitUntil(() => arrived > 0, 'the app has the first bytes');
    }
    request.end();
    const [response] = await answered;
    response.resume();
    expect([response.statusCode, arrived]).toEqual([200, BIG_MB * MB]);
    expect(received.digest('hex')).toBe(sent.digest('hex'));
  });

  it('streams an upload without a length over HTTP/2', async () => {
    const { visitor, name, app } = read().first;
    let arrived = 0;
    app.answer = (request, response) => {
      request.on('data', chunk => (arrived += chunk.length));
      request.once('end', () => response.end());
    };
    const session = await visitor.openHttp2(name);
    const stream = session.request({ ':authority': name, ':path': '/', ':method': 'POST' });
    stream.write(randomBytes(1_000));
    await waitUntil(() => arrived === 1_000, 'the app has the first bytes');
    stream.end(randomBytes(MB));
    const [response] = await once(stream, 'response');
    stream.resume();
    expect([response[':status'], arrived]).toEqual([200, MB + 1_000]);
    session.close();
  });

  it('lets a visitor with HTTP/2 send 256 KB ahead, so that uploads from far away are not slow', async () => {
    const { visitor, name, app } = read().first;
    app.answer = () => {};
    const socket = await visitor.connect(name, ['h2']);
    const client = FrameClient.over(socket);
    const head = listRequestFields({ ':method': 'POST', ':authority': name }, ['content-length', `${MB}`]);
    client.write(renderHeaders(1, head, END_HEADERS));
    await expect.poll(() => readWindow(client), { timeout: 20_000 }).toBeGreaterThanOrEqual(262_144);
    client.close();
  });

  it(`passes a download of ${DOWNLOAD_MB} MB`, async () => {
    const { visitor, name, app } = read().first;
    const [sent, received] = [createHash('sha256'), createHash('sha256')];
    app.answer = async (_, response) => {
      response
        .setHeader('content-type', 'application/octet-stream')
        .setHeader('content-length', DOWNLOAD_MB * MB);
      const block = randomBytes(MB);
      for (let at = 0; at < DOWNLOAD_MB; at += 1) {
        block.writeUInt32BE(at);
        sent.update(block);
        if (!response.write(Buffer.from(block))) await once(response, 'drain');
      }
      response.end();
    };
    const request = sendRequest(visitor.describe({ name }));
    request.end();
    const [response] = await once(request, 'response');
    for await (const chunk of response) received.update(chunk);
    expect(received.digest('hex')).toBe(sent.digest('hex'));
  });

  it('passes each event of a stream when it is sent', async () => {
    const { visitor, name, app } = read().first;
    let send: ((text: string) => void) | undefined;
    app.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      send = text => void response.write(text);
    };
    const readEvents = async (stream: EventEmitter, version: string) => {
      let seen = '';
      stream.on('data', (chunk: Buffer) => {
        seen += chunk;
      });
      for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
        send?.(event);
        await waitUntil(() => seen.endsWith(event), `${JSON.stringify(event)} over ${version}`);
      }
    };
    const headers = { accept: 'text/event-stream' };
    const request = sendRequest(visitor.describe({ name, headers })).end();
    const [response] = await once(request, 'response');
    await readEvents(response, 'HTTP/1.1');
    request.destroy();
    send = undefined;
    const session = await visitor.openHttp2(name);
    const stream = session.request({ ':authority': name, ':path': '/', ...headers });
    // Not for the head: nginx keeps it back over HTTP/2, until the first event.
    await waitUntil(() => send !== undefined, 'the app has the request');
    await readEvents(stream, 'HTTP/2');
    session.destroy();
  });

  it.runIf(isFull)(
    'leaves a silent event stream and a silent WebSocket open',
    { timeout: 120_000 },
    async () => {
      const { visitor, name, app } = read().first;
      let send = (_: string) => {};
      app.answer = (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
        send = text => void response.write(text);
      };
      app.onSocket = opened => opened.on('message', data => opened.send(data));
      const socket = visitor.openWebSocket(name);
      await once(socket, 'open');
      const request = sendRequest(visitor.describe({ name })).end();
      const [response] = await once(request, 'response');
      let seen = '';
      response.on('data', (chunk: Buffer) => (seen += chunk)).on('error', () => {});
      await delay(IDLE_MS);
      send('data: late\n\n');
      await waitUntil(() => seen === 'data: late\n\n', 'the event after the silence');
      socket.send('late');
      expect(String((await once(socket, 'message'))[0])).toBe('late');
      socket.close();
      request.destroy();
    },
  );
}

/** How many bytes of the body of its first request the client may send before the proxy asks for more. */
function readWindow(client: FrameClient): number {
  let window = DEFAULT_WINDOW;
  const { payload = Buffer.alloc(0) } = client.ofType(FRAME.settings)[0] ?? {};
  for (let at = 0; at < payload.length; at += 6)
    if (payload.readUInt16BE(at) === INITIAL_WINDOW_SETTING) window = payload.readUInt32BE(at + 2);
  return client
    .ofType(FRAME.windowUpdate, 1)
    .reduce((sum, update) => sum + update.payload.readUInt32BE(0), window);
}
