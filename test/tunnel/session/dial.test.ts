import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import {
  type BoreServer,
  type BoreServerOptions,
  startBoreServer,
} from '../../../src/tunnel/server/server.ts';
import type { Lookup } from '../../../src/tunnel/tunnel.ts';
import { describeWithReal } from '../../support/real-parts.ts';
import { startSilentAddress } from '../../support/silent-address.ts';
import { exchange, failToOpen, openTunnel, portOf, startRealServer } from '../../support/tunnel-rig.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** The host name of all servers here. */
const NAME = 'bore.example';
/** Longer than any test. */
const PATIENT = { dialAddress: 50_000, dial: 55_000 };

async function start(options?: BoreServerOptions): Promise<BoreServer> {
  const server = await startBoreServer(options);
  onTestFinished(() => server.stop());
  return server;
}

/** A look-up that always gives these addresses, and counts its calls. */
function answer(...addresses: string[]): { lookup: Lookup; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    lookup: async host => {
      asked.push(host);
      return addresses.map(address => ({ address }));
    },
  };
}

/** How many connections to `host:port` wait for their first answer (proc(5), state 02). */
function countDials(host: string, port: number): number {
  const bytes = host.split('.').toReversed();
  const hex = (value: string | number, length: number) =>
    Number(value).toString(16).toUpperCase().padStart(length, '0');
  const remote = `${bytes.map(byte => hex(byte, 2)).join('')}:${hex(port, 4)} 02 `;
  return readFileSync('/proc/net/tcp', 'latin1').split(remote).length - 1;
}

it('dials the next address at once when one refuses, even if that one is the second', async () => {
  const server = await start({ host: '127.0.0.114' });
  const { lookup } = answer('127.0.0.115', '127.0.0.116', server.host);
  // Dialled at once: its regular turn would come after the test.
  const settings = {
    server: { host: NAME, port: server.controlPort },
    lookup,
    timings: { dialNext: 60_000 },
  };
  const { tunnel } = await openTunnel(settings);
  expect(tunnel.state).toMatchObject({ status: 'Connected', host: NAME });
  expect(await exchange(server.host, portOf(tunnel), 'found')).toBe('found');
});

it('dials the next address before a silent one has timed out', async () => {
  const server = await start({ host: '127.0.0.117' });
  const silent = await startSilentAddress('127.0.0.118', server.controlPort);
  const before = countDials('127.0.0.118', silent.port);
  const { lookup } = answer('127.0.0.118', server.host);
  const settings = { server: { host: NAME, port: silent.port }, lookup, timings: PATIENT };
  const { tunnel } = await openTunnel(settings);
  expect(await exchange(server.host, portOf(tunnel), 'found')).toBe('found');
  await waitUntil(() => countDials('127.0.0.118', silent.port) <= before, 'all other dials are given up');
});

it('dials a silent address again without ending the first dial, and connects when the link works again', async () => {
  const silent = await startSilentAddress('127.0.0.119');
  const before = countDials('127.0.0.119', silent.port);
  const opening = openTunnel({ server: { host: '127.0.0.119', port: silent.port }, timings: PATIENT });
  await waitUntil(
    () => countDials('127.0.0.119', silent.port) >= before + 3,
    'three dials wait for an answer',
  );
  await silent.stop();
  const server = await start({ host: '127.0.0.119', controlPort: silent.port });
  expect(await exchange(server.host, portOf((await opening).tunnel), 'healed')).toBe('healed');
  expect(server.tunnels).toBe(1);
});

it('leaves no connection open when dials are abandoned', async () => {
  const silent = await startSilentAddress('127.0.0.120');
  const before = countDials('127.0.0.120', silent.port);
  const signal = AbortSignal.timeout(1_000);
  const { message } = await failToOpen({
    server: { host: '127.0.0.120', port: silent.port },
    timings: PATIENT,
    signal,
  });
  expect(message).toBe(`127.0.0.120:${silent.port} did not answer in time`);
  await waitUntil(() => countDials('127.0.0.120', silent.port) <= before, 'no dial is left');
});

it('fails with the reason for a name without an address, and for one whose addresses all fail', async () => {
  for (const [addresses, expected] of [
    [[], /could not reach bore\.example:7835: the host name has no address/],
    [
      ['127.0.0.115', '127.0.0.116'],
      /could not reach bore\.example:7835: connect ECONNREFUSED 127\.0\.0\.11[56]:7835/,
    ],
  ] as const) {
    const { lookup } = answer(...addresses);
    const signal = AbortSignal.timeout(500);
    const { message } = await failToOpen({ server: { host: NAME, port: 7835 }, lookup, signal });
    expect(message).toMatch(expected);
  }
});

it('does not mistake a stall of its own process for a silent address', async () => {
  const server = await start();
  const stall = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  // The dial begins before the stall: after it, the event loop runs the due timer before it reads the answer.
  const lookup: Lookup = () =>
    new Promise(resolve => {
      setImmediate(() => resolve([{ address: server.host }]));
      setImmediate(stall);
    });
  const { states } = await openTunnel({
    server: { host: NAME, port: server.controlPort },
    lookup,
    timings: { dialAddress: 150 },
  });
  expect(states.map(({ status }) => status)).toEqual(['Connecting', 'Connected']);
});

it('dials a server on an IPv6 address', async () => {
  const server = await start({ host: '::1' });
  const { tunnel } = await openTunnel({ server: { host: '::1', port: server.controlPort } });
  expect(tunnel.state).toMatchObject({ host: '::1' });
  expect(await exchange('::1', portOf(tunnel), 'six')).toBe('six');
});

describeWithReal(['bore'], 'a name in the DNS', () => {
  it('is resolved again after an outage', async () => {
    const first = await startRealServer('127.0.0.121');
    const second = await startRealServer('127.0.0.122');
    let address = first.address.host;
    const lookup: Lookup = async () => [{ address }];
    const { tunnel } = await openTunnel({ server: { host: NAME, port: 7835 }, lookup });
    const port = portOf(tunnel);
    expect(await exchange(first.address.host, port, 'one')).toBe('one');
    address = second.address.host;
    await first.kill();
    await waitUntil(() => tunnel.reconnects === 1, 'the tunnel is back');
    expect(portOf(tunnel)).toBe(port);
    expect(await exchange(second.address.host, port, 'two')).toBe('two');
  });

  it('of two servers: visitors are fetched from the one that has the tunnel, without another look-up', async () => {
    const servers = [await startRealServer('127.0.0.123'), await startRealServer('127.0.0.124')];
    const { lookup, asked } = answer(...servers.map(({ address }) => address.host));
    const { tunnel } = await openTunnel({ server: { host: NAME, port: 7835 }, lookup });
    for (const text of ['one', 'two', 'three'])
      expect(await exchange('127.0.0.123', portOf(tunnel), text)).toBe(text);
    expect(asked).toEqual([NAME]);
  });
});
