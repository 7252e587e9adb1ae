// One server under examination: what the user said about it, and what several checks need to know, found out once. Made
// by doctor.ts for each server, read by every check.

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { PortRange } from '../inputs/tunnel.ts';
import { PLAIN_PUBLIC_URLS, renderPublicUrl, SAMPLE_PORT, stripBrackets } from '../shared/public-url.ts';
import { renderAddress, type ServerAddress } from '../tunnel/address.ts';
import type { TunnelFailure } from '../tunnel/failure.ts';
import type { Lookup } from '../tunnel/tunnel.ts';
import { deriveKey } from '../tunnel/wire/challenge.ts';
import { isRoutable } from './addresses.ts';
import type { OwnApp } from './own-app.ts';
import { askForPort, type FailedTunnel, type OwnTunnel, openOwnTunnel } from './own-tunnel.ts';
import { findMostTelling, type Reached, reachAll } from './reach.ts';
import { type Target, VISIT_MS, type Visit } from './visit.ts';

/** What `expose doctor` is asked about one server. */
export interface Question {
  server: ServerAddress;
  /** Never part of a message. */
  secret: string | undefined;
  /** Undefined if the user did not say. */
  range: PortRange | undefined;
  /** Template with {host} and {port}. */
  publicUrl: string;
  trustedProxy: boolean;
  /** Browsers open the address; not that of a `tcp://` template. */
  isWebPage: boolean;
  /** Replaces the system's name resolution; for tests. */
  lookup?: Lookup;
  signal: AbortSignal;
}

/** Addresses of one name that are visited. */
const MAX_ADDRESSES = 4;

const lookupAll: Lookup = host => lookup(host, { all: true, order: 'verbatim' });

/** A visit to our tunnel. */
export interface Visiting {
  target: Target;
  app: OwnApp;
  /** The public port. */
  port: number;
  /** Aborted when the visit has taken too long. */
  limit: AbortSignal;
}

/** A firewall that drops is a good reason for no answer, so nobody should wait long for it. */
const PLAIN_MS = 1_000;
/** More than a visit through a proxy takes, TLS and the tunnel's own connection included. */
const ROUND_TRIPS = 12;

export class Subject {
  readonly question: Question;
  /** `Date` headers of the server's own machine or its proxy, with the time when they came. */
  readonly dates: { server: Date; here: Date }[] = [];
  #tunnel: Promise<OwnTunnel | FailedTunnel> | undefined;
  #reached: Promise<Reached[]> | undefined;
  #bareTarget: Promise<Target | undefined> | undefined;
  readonly #names = new Map<string, Promise<string[]>>();

  constructor(question: Question) {
    this.question = question;
  }

  /** `host:port` of the control port. */
  get name(): string {
    return renderAddress(this.question.server);
  }

  get isHttps(): boolean {
    return this.question.publicUrl.startsWith('https:');
  }

  /** Whether a proxy is in front: visitors do not use bore's public port. */
  get isProxied(): boolean {
    return this.isHttps || this.publicUrl(1).port === this.publicUrl(2).port;
  }

  /** All addresses of a name, an IP address being its own; asked once. Rejects as `lookup` of node:dns does. */
  resolve(host: string): Promise<string[]> {
    const known = this.#names.get(host) ?? this.#lookUp(host);
    this.#names.set(host, known);
    return known;
  }

  /** The tunnel of our own, opened at the first call. */
  openTunnel(): Promise<OwnTunnel | FailedTunnel> {
    this.#tunnel ??= openOwnTunnel(this.#request(), this.question.range);
    return this.#tunnel;
  }

  /** The tunnel, for checks that need `port-range`. Rejects if there is none. */
  async tunnel(): Promise<OwnTunnel> {
    const opened = await this.openTunnel();
    if ('failure' in opened) throw opened.failure;
    return opened;
  }

  /** What the server says to a request for this port; undefined: it opened it. */
  askForPort(port: number): Promise<TunnelFailure | undefined> {
    return askForPort(this.#request(), port);
  }

  /** The public address of a port; default: of some port. */
  publicUrl(port = this.question.range?.min ?? SAMPLE_PORT): URL {
    return new URL(renderPublicUrl(this.question.publicUrl, this.question.server.host, port));
  }

  /** Where visitors of a public port connect: once for each address of its name, up to 4. */
  targets(port?: number): Promise<Target[]> {
    return this.#targetsOf(this.publicUrl(port));
  }

  /** Addresses without a route from here are left out: nothing can be said about them. */
  async #targetsOf(url: URL): Promise<Target[]> {
    const addresses = await this.resolve(stripBrackets(url.hostname));
    const routable = await Promise.all(addresses.map(isRoutable));
    const reachable = addresses.filter((_, index) => routable[index]);
    const tried = reachable.length > 0 ? reachable : addresses;
    return tried.slice(0, MAX_ADDRESSES).map(address => ({ url, address }));
  }

  /**
   * For a check that visits our tunnel: where it connects, at an address of the name that works if there is one, and how
   * long it waits. Rejects if there is no tunnel, or no address.
   */
  async beginVisit(waitMs: number, signal: AbortSignal): Promise<Visiting> {
    const { app, port } = await this.tunnel();
    const reached = await this.reach();
    const target = findOurs(reached) ?? findMostTelling(reached)?.target;
    if (target === undefined) throw new Error('the public name has no address');
    return { target, app, port, limit: await this.limit(waitMs, signal) };
  }

  /** Aborted with `signal`, or after `waitMs`, and later the farther away the server is. Rejects if there is no tunnel. */
  async limit(waitMs: number, signal: AbortSignal): Promise<AbortSignal> {
    const { connectMs } = await this.tunnel();
    return AbortSignal.any([signal, wait(waitMs, connectMs)]);
  }

  /** One visit to our tunnel at each address of its public name, made at the first call. */
  reach(): Promise<Reached[]> {
    this.#reached ??= this.#reach();
    return this.#reached;
  }

  /** Where our tunnel answers without a proxy in between; undefined: nowhere. Looked for at the first call. */
  findBareTarget(): Promise<Target | undefined> {
    this.#bareTarget ??= this.isProxied ? this.#tryPlainPort() : this.reach().then(findOurs);
    return this.#bareTarget;
  }

  /** Notes what time it is at the other end. */
  noteDate({ date }: Visit['headers']): void {
    const server = new Date(date ?? '');
    if (!Number.isNaN(server.getTime())) this.dates.push({ server, here: new Date() });
  }

  async stop(): Promise<void> {
    const opened = await this.#tunnel?.catch(() => undefined);
    if (opened !== undefined && 'stop' in opened) await opened.stop();
  }

  async #reach(): Promise<Reached[]> {
    const tunnel = await this.tunnel();
    const limit = await this.limit(VISIT_MS, this.question.signal);
    const reached = await reachAll(await this.targets(tunnel.port), tunnel, limit);
    for (const { answer } of reached) if ('headers' in answer) this.noteDate(answer.headers);
    return reached;
  }

  /** The server's own address, which a proxy leads to. */
  async #tryPlainPort(): Promise<Target | undefined> {
    const tunnel = await this.tunnel();
    const url = new URL(renderPublicUrl(PLAIN_PUBLIC_URLS.http, this.question.server.host, tunnel.port));
    const limit = await this.limit(PLAIN_MS, this.question.signal);
    return findOurs(await reachAll(await this.#targetsOf(url), tunnel, limit));
  }

  #request() {
    const { server, secret, signal } = this.question;
    const key = secret === undefined ? undefined : deriveKey(secret);
    const lookup: Lookup = async host => (await this.resolve(host)).map(address => ({ address }));
    return { server, key, lookup, signal };
  }

  async #lookUp(host: string): Promise<string[]> {
    if (isIP(host) !== 0) return [host];
    const found = await (this.question.lookup ?? lookupAll)(host);
    return [...new Set(found.map(({ address }) => address))];
  }
}

/** Aborted after `ms`, and later the farther away the server is. */
function wait(ms: number, roundTripMs: number): AbortSignal {
  return AbortSignal.timeout(ms + Math.ceil(ROUND_TRIPS * roundTripMs));
}

function findOurs(reached: readonly Reached[]): Target | undefined {
  return reached.find(({ isOurs }) => isOurs)?.target;
}
