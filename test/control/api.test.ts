// The routes of the control API and who may call them, and that openapi.yaml describes them.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ControlApi, ROUTE_NAMES, startControlApi } from '../../src/control/api.ts';
import type { Controls } from '../../src/control/call.ts';
import { callControl, followStates, readState } from '../../src/control/client.ts';
import { RequestRecorder } from '../../src/gateway/webhooks/record/recorder.ts';
import { ConsoleLines } from '../../src/shared/console-lines.ts';
import { TunnelError } from '../../src/shared/errors.ts';
import type { EndReason, ExposureState } from '../../src/shared/state.ts';
import { LIVE as SAMPLE } from '../support/sample-state.ts';

const TOKEN = 'a-token-of-this-test';
const LIVE: ExposureState = { ...SAMPLE, link: 'http://bore.example:12345/?expose-key=k' };

/** Controls that only record their calls. */
class RecordingControls implements Controls {
  state = LIVE;
  requests = new RequestRecorder({ kind: 'none' });
  consoleLines = new ConsoleLines();
  inspection = { redacts: true, signingRules: ['github'], publicLink: undefined };
  ending = new AbortController().signal;
  asked: string[] = [];
  failure: Error | undefined;
  #listeners = new Set<(state: ExposureState) => void>();

  subscribe(listener: (state: ExposureState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  change(change: Partial<ExposureState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.#listeners) listener(this.state);
  }

  async startTunnel(): Promise<void> {
    if (this.failure) throw this.failure;
    this.asked.push('start');
  }

  async stopTunnel(): Promise<void> {
    this.asked.push('stop tunnel');
    this.change({ tunnel: { status: 'Disconnected' }, address: { kind: 'none' } });
  }

  async stop(reason: EndReason): Promise<void> {
    this.asked.push(`stop: ${reason}`);
  }

  async replay(): Promise<never> {
    throw new Error('no replays here');
  }

  checkSignature(): never {
    throw new Error('no rules here');
  }

  describeApp() {
    return { pid: 4321, console: ['hello'] };
  }
}

let api: ControlApi | undefined;
afterEach(() => api?.stop());

async function start() {
  const controls = new RecordingControls();
  api = await startControlApi(controls, TOKEN);
  return { controls, address: { controlUrl: api.url, controlToken: TOKEN } };
}

function ask(method: string, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${api?.url}${path}`, { method, headers: { Authorization: `Bearer ${TOKEN}`, ...headers } });
}

describe('the control API', () => {
  it("answers wasmrun's three tunnel routes with exactly wasmrun's fields", async () => {
    await start();
    expect(await (await ask('POST', '/api/tunnel/start')).text()).toBe(
      '{"success":true,"public_url":"http://bore.example:12345","status":"Connected"}\n',
    );
    expect(await (await ask('GET', '/api/tunnel/status')).json()).toMatchObject({
      success: true,
      status: 'Connected',
      public_url: 'http://bore.example:12345',
      public_port: 12345,
    });
    expect(await (await ask('POST', '/api/tunnel/stop')).text()).toBe(
      '{"success":true,"message":"Tunnel stopped"}\n',
    );
  });

  it('shows no address after the tunnel was stopped', async () => {
    const { address } = await start();
    await callControl(address, 'POST /api/tunnel/stop');
    expect(await readState(address)).toMatchObject({
      status: 'Disconnected',
      public_url: null,
      public_port: null,
    });
  });

  it('ends the exposure with the given reason', async () => {
    const { controls, address } = await start();
    await callControl(address, 'POST /api/stop?reason=job+ended');
    await callControl(address, 'POST /api/stop');
    expect(controls.asked).toEqual(['stop: job ended', 'stop: stopped']);
    await expect(callControl(address, 'POST /api/stop?reason=because')).rejects.toThrow('reason');
  });

  it('shows the app with its process and its console', async () => {
    await start();
    expect(await (await ask('GET', '/api/app')).json()).toEqual({
      success: true,
      mode: 'os',
      pid: 4321,
      port: 3000,
      status: 'running',
      restarts: 0,
      console: ['hello'],
    });
  });

  it('tells the inspector its link, as text and as a QR code, and what it may offer', async () => {
    const { controls } = await start();
    const read = async () => (await ask('GET', '/api/inspector')).json() as Promise<{ qr: string[] | null }>;
    const document = await read();
    expect(document).toMatchObject({
      success: true,
      is_public: false,
      redact: true,
      signing_rules: ['github'],
      link: LIVE.link,
      public_inspector_url: null,
    });
    // The finder pattern in three corners (ISO/IEC 18004, 6.3.3).
    const { qr } = document;
    const size = qr?.length ?? 0;
    expect(qr?.every(row => row.length === size)).toBe(true);
    for (const [top, left] of [
      [0, 0],
      [0, size - 7],
      [size - 7, 0],
    ] as const) {
      const corner = qr?.slice(top, top + 7).map(row => row.slice(left, left + 7));
      expect(corner?.join(' ')).toBe('1111111 1000001 1011101 1011101 1011101 1000001 1111111');
    }
    controls.change({ tunnel: { status: 'Disconnected' }, address: { kind: 'none' }, link: undefined });
    expect(await read()).toMatchObject({ link: null, qr: null });
  });

  it('streams the current state and every later one', async () => {
    const { controls, address } = await start();
    const over = new AbortController();
    const states = followStates(address, over.signal);
    expect((await states.next()).value).toMatchObject({ status: 'Connected', visits: 7 });
    const next = states.next();
    controls.change({ visits: 8 });
    expect((await next).value).toMatchObject({ visits: 8 });
    over.abort();
    expect((await states.next()).done).toBe(true);
  });

  it('ends the streams when it stops', async () => {
    const { address } = await start();
    const states = followStates(address, AbortSignal.timeout(30_000));
    await states.next();
    const end = states.next();
    await api?.stop();
    expect((await end).done).toBe(true);
  });

  it('refuses every route without the token', async () => {
    await start();
    for (const route of ROUTE_NAMES) {
      const [method = '', path = ''] = route.split(' ');
      for (const authorization of ['', 'Bearer', 'Bearer wrong', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`]) {
        const answer = await ask(method, path, { Authorization: authorization });
        expect([route, authorization, answer.status]).toEqual([route, authorization, 401]);
      }
    }
  });

  it('refuses a host name that points to 127.0.0.1 (DNS rebinding)', async () => {
    await start();
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:80'])
      expect(await sendRaw(host)).toMatch(/^HTTP\/1\.1 403 /);
    expect(await sendRaw(`localhost:${new URL(api?.url ?? '').port}`)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('lets pages of other origins read nothing (cross-origin)', async () => {
    await start();
    const origin = { Origin: 'http://bore.example:4321' };
    for (const method of ['OPTIONS', 'GET', 'POST']) {
      const answer = await ask(method, '/api/tunnel/status', { ...origin, Authorization: '' });
      expect(answer.status).toBe(401);
      expect([...answer.headers.keys()].filter(name => name.startsWith('access-control-'))).toEqual([]);
    }
  });

  it('sends a status and an error for a wrong route, and for a tunnel that cannot be opened', async () => {
    const { controls } = await start();
    expect((await ask('GET', '/api/nothing')).status).toBe(404);
    const wrongMethod = await ask('GET', '/api/stop');
    expect([wrongMethod.status, wrongMethod.headers.get('allow')]).toEqual([405, 'POST']);
    controls.failure = new TunnelError('the server is away', { retryable: true });
    const failed = await ask('POST', '/api/tunnel/start');
    expect([failed.status, await failed.json()]).toEqual([
      502,
      { success: false, error: 'the server is away' },
    ]);
  });
});

function sendRaw(host: string): Promise<string> {
  const socket = connect(Number(new URL(api?.url ?? '').port), '127.0.0.1');
  socket.end(
    `GET /api/app HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\n\r\n`,
  );
  return text(socket);
}

describe('openapi.yaml', () => {
  const document = parse(readFileSync(new URL('../../src/control/openapi.yaml', import.meta.url), 'utf8'));

  it('describes exactly the routes of the API', () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods as object).map(method => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual([...ROUTE_NAMES].sort());
  });

  it('names every field of the responses, and requires those that are always present', async () => {
    await start();
    const state = document.components.schemas.State;
    const { success, ...body } = (await (await ask('GET', '/api/tunnel/status')).json()) as Record<
      string,
      unknown
    >;
    expect(success).toBe(true);
    expect(Object.keys(body).sort()).toEqual(Object.keys(state.properties).sort());
    expect([...state.required].sort()).toEqual(Object.keys(state.properties).sort());
    for (const [path, method] of [
      ['/api/app', 'get'],
      ['/api/inspector', 'get'],
      ['/api/tunnel/start', 'post'],
      ['/api/tunnel/stop', 'post'],
    ] as const) {
      const answer = document.paths[path][method].responses['200'];
      const schema = (answer.$ref ? document.components.responses.Done : answer).content['application/json']
        .schema;
      const fields = Object.keys((await (await ask(method.toUpperCase(), path)).json()) as object);
      expect([path, fields.sort()]).toEqual([path, [...schema.required].sort()]);
    }
  });
});
