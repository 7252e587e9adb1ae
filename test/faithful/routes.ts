// The routes from a visitor to an app, and how to compare them: the app's own port is the reference, and every other
// route must give the same result. Each route is one row of ROUTES.

import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { connect } from 'node:net';
import { type ConnectionOptions, connect as connectSecure } from 'node:tls';
import { afterAll, beforeAll, expect } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { TestCa } from '../support/test-ca.ts';
import { type ChangeConfig, expose } from './exposed.ts';
import { openHttp1Visitor } from './http1-visitor.ts';
import { openHttp2Visitor } from './http2-visitor.ts';
import { type ProgrammableApp, startProgrammableApp } from './programmable-app.ts';
import { type Answer, type Ask, readAnswer, type Visitor } from './visitor.ts';

export type Protocol = 'http/1.1' | 'h2';

interface Route {
  title: string;
  protocol: Protocol;
  /** Whether TLS ends in the gateway. */
  isSecure: boolean;
}

const ROUTES: readonly Route[] = [
  { title: 'through bore and the gateway', protocol: 'http/1.1', isSecure: false },
  { title: 'through bore and TLS of the gateway', protocol: 'http/1.1', isSecure: true },
  { title: 'through bore, TLS of the gateway and HTTP/2', protocol: 'h2', isSecure: true },
];

/** An address of the app: its own port, or the end of a route. */
export interface Door {
  /** Base address, as a visitor types it. */
  url: URL;
  protocol: Protocol;
  /** How to check its certificate. */
  tls: ConnectionOptions;
  openVisitor(): Visitor;
  /** A connection for bytes as they are; HTTP/1.1 only. */
  openBytes(): ReturnType<typeof connect>;
}

export interface World {
  app: ProgrammableApp;
  direct: Door;
  through: Door;
  /**
   * Runs `act` at the app's own port and through the gateway. The two must be equal, except for what `differ` says:
   * it turns what was seen directly into what is expected of the other.
   */
  compare<T>(act: (door: Door) => Promise<T>, differ?: (direct: T, world: World) => unknown): Promise<T>;
}

/** Defines a suite once for each route, or for those that speak `protocol`. `host` is a loopback address of its own. */
export function describeFaithful(
  title: string,
  host: string,
  define: (world: World) => void,
  protocol?: Protocol,
): void {
  const routes = ROUTES.filter(route => protocol === undefined || route.protocol === protocol);
  for (const route of routes)
    describeWithReal(['bore'], `${title}, ${route.title}`, () => define(openWorld(host, route)));
}

/** Filled before the first test, and closed after the last. */
function openWorld(host: string, route: Route): World {
  const world = { compare: (act, differ) => compare(world, act, differ) } as World;
  const closers: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    world.app = await startProgrammableApp();
    closers.push(world.app.stop);
    const { change, tls, remove } = route.isSecure ? openTls(host) : PLAIN;
    const rewrite: ChangeConfig = usual => ({ ...change(usual), hostHeader: 'rewrite' });
    closers.push(async () => remove());
    const exposed = await expose({ port: world.app.port }, host, rewrite);
    closers.push(exposed.stop);
    world.direct = describeDoor(new URL(`http://127.0.0.1:${world.app.port}`), 'http/1.1');
    world.through = describeDoor(exposed.url, route.protocol, tls);
  });
  afterAll(async () => {
    for (const close of closers.reverse()) await close();
  });
  return world;
}

interface Tls {
  change: ChangeConfig;
  /** How visitors check the certificate. */
  tls: ConnectionOptions;
  remove(): void;
}

const PLAIN: Tls = { change: () => ({}), tls: {}, remove: () => {} };

/** A certificate for the address, of an authority that visitors know. */
function openTls(host: string): Tls {
  const ca = new TestCa();
  const identity = ca.issue([`IP:${host}`]);
  const change: ChangeConfig = ({ tunnel }) => ({
    tls: identity,
    tunnel: { ...tunnel, publicUrl: 'https://{host}:{port}' },
  });
  return { change, tls: { ca: ca.pem }, remove: () => ca.remove() };
}

function describeDoor(url: URL, protocol: Protocol, tls: ConnectionOptions = {}): Door {
  const place = { host: url.hostname, port: Number(url.port) };
  return {
    url,
    protocol,
    tls,
    openVisitor: () => (protocol === 'h2' ? openHttp2Visitor(url, tls) : openHttp1Visitor(url, tls)),
    openBytes: () => (url.protocol === 'https:' ? connectSecure({ ...place, ...tls }) : connect(place)),
  };
}

async function compare<T>(
  world: World,
  act: (door: Door) => Promise<T>,
  differ: (direct: T, world: World) => unknown = direct => direct,
): Promise<T> {
  const direct = await act(world.direct);
  const through = await act(world.through);
  const select = world.through.protocol === 'h2' ? selectForHttp2 : (value: unknown) => value;
  expect(select(through)).toEqual(select(differ(direct, world)));
  return direct;
}

/**
 * HTTP/2 has no reasons, and Node's server groups fields of one name: the order of different names says nothing
 * (RFC 9110, 5.3).
 */
function selectForHttp2(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (key, inner: unknown) => {
    if (key === 'reason') return undefined;
    const isFields = ['headers', 'trailers', 'fields'].includes(key) && Array.isArray(inner);
    return isFields ? inner.toSorted(([a], [b]) => String(a).localeCompare(String(b))) : inner;
  });
}

/** Sends bytes as they are, and resolves with all that came until the other side closed. */
export async function exchangeBytes(door: Door, bytes: string): Promise<string> {
  const socket = door.openBytes().setEncoding('latin1');
  let answer = '';
  socket.on('data', chunk => {
    answer += chunk;
  });
  socket.on('error', () => {});
  socket.write(addressTo(door, bytes), 'latin1');
  await once(socket, 'close');
  return answer;
}

/** `Host: HERE` in a request becomes the door's own address, because the gateway accepts no other. */
export function addressTo({ url }: Door, bytes: string): string {
  return bytes.replaceAll('Host: HERE', `Host: ${url.host}`);
}

/** Asks over both routes with the app answering as `listener` does; resolves with what was answered directly. */
export async function compareAnswer(
  world: World,
  question: Ask,
  listener: RequestListener,
  differ: (direct: Answer) => unknown = direct => direct,
): Promise<Answer> {
  world.app.handle(listener);
  const act = async (door: Door) => {
    const visitor = door.openVisitor();
    try {
      return await readAnswer(visitor.request(question));
    } finally {
      visitor.close();
    }
  };
  return await world.compare(act, differ);
}
