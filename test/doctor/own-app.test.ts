import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { OwnApp, type Page } from '../../src/doctor/own-app.ts';
import { listen } from '../support/listen.ts';

const PAGES: readonly Page[] = ['proof', 'half-close', 'events', 'upload', 'websocket'];

async function start(): Promise<{ app: OwnApp; port: number }> {
  const app = new OwnApp();
  const server = createServer({ allowHalfOpen: true }, app.receive);
  onTestFinished(() => void server.close());
  return { app, port: await listen(server) };
}

async function visit(port: number, path: string): Promise<{ status: number | undefined; body: string }> {
  const request = get({ host: '127.0.0.1', port, path, agent: false });
  const [response]: IncomingMessage[] = await once(request, 'response');
  return { status: response?.statusCode, body: response === undefined ? '' : await text(response) };
}

it("answers strangers who find the doctor's port with 404 alone, whatever they ask for", async () => {
  const { app, port } = await start();
  for (const path of ['/', '/proof', ...PAGES.map(page => `/${'0'.repeat(32)}/x/${page}`)]) {
    expect(await visit(port, path)).toEqual({ status: 404, body: '' });
    expect(app.arrivalAt(path)).toBeUndefined();
  }
  expect(await visit(port, app.pathOf('proof'))).toEqual({ status: 200, body: app.proof });
});

it("closes strangers' upgrades, and TLS, which it notices", async () => {
  const { app, port } = await start();
  const say = async (bytes: string | Buffer) => {
    const socket = connect(port, '127.0.0.1');
    socket.write(bytes);
    return text(socket);
  };
  expect(await say('GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')).toBe(
    '',
  );
  expect(app.sawTls).toBe(false);
  expect(await say(Buffer.from([0x16, 3, 1, 0, 5]))).toBe('');
  expect(app.sawTls).toBe(true);
});
