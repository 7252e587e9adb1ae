// Visits a public address as a browser would: over a new connection to one address of its name, without following
// anything. Used by the checks.

import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { connect, isIP, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { raceSignal } from '../shared/abort.ts';
import { describeError } from '../shared/errors.ts';
import { stripBrackets } from '../shared/public-url.ts';
import { MAX_START_BYTES, readStart } from '../shared/read-start.ts';
import { resetSocket } from '../shared/reset.ts';
import { sanitise } from '../shared/sanitise.ts';
import { quote } from '../tunnel/failure.ts';

/** A public address, and one IP address of its name. */
export interface Target {
  url: URL;
  address: string;
}

/** How long a visit may take, in ms, on a server that is near. */
export const VISIT_MS = 3_000;

export interface Visit {
  status: number;
  headers: IncomingMessage['headers'];
  /** The first 4 KB. */
  body: string;
}

/** `send` writes the body and ends the request. */
type AskOptions = Pick<RequestOptions, 'headers' | 'method'> & { send?: (request: ClientRequest) => void };

/** Thrown when there was no connection, or no HTTP answer. */
export class NoVisit extends Error {
  /** `refused`: by the machine or its firewall; `silent`: no answer in time; `broken`: connected, then no valid answer. */
  readonly kind: 'refused' | 'silent' | 'unreachable' | 'broken';

  constructor(kind: NoVisit['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NoVisit';
    this.kind = kind;
  }
}

/** The port of the URL, or that of its scheme. */
export function portOf({ url }: Pick<Target, 'url'>): number {
  return Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
}

/** Opens a TCP connection. Rejects with NoVisit. */
export function openTcp(target: Target, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host: target.address, port: portOf(target), noDelay: true, allowHalfOpen: true });
  return waitFor(socket, 'connect', signal);
}

/** Opens a TCP connection, and TLS on it for https. Accepts any certificate. Rejects with NoVisit. */
export async function openConnection(
  target: Target,
  signal: AbortSignal,
  protocols: readonly string[] = ['http/1.1'],
): Promise<Socket> {
  const socket = await openTcp(target, signal);
  return target.url.protocol === 'https:' ? openTls(socket, target, protocols, signal) : socket;
}

/** TLS on an open connection. Accepts any certificate: checks/certificate.ts checks it. Rejects with NoVisit. */
export function openTls(
  socket: Socket,
  target: Target,
  protocols: readonly string[],
  signal: AbortSignal,
): Promise<TLSSocket> {
  const host = stripBrackets(target.url.hostname);
  const tls = connectTls({
    socket,
    ...(isIP(host) === 0 && { servername: host }),
    ALPNProtocols: [...protocols],
    rejectUnauthorized: false,
  });
  return waitFor(tls, 'secureConnect', signal);
}

/** Sends one request and reads the beginning of its answer. Rejects with NoVisit, also when `limit` is aborted. */
export async function visit(
  target: Target,
  path: string,
  limit: AbortSignal,
  options: AskOptions = {},
): Promise<Visit> {
  return visitOver(await openConnection(target, limit), target, path, limit, options);
}

/** The same over an open connection, which is closed after it. */
export async function visitOver(
  socket: Socket,
  target: Target,
  path: string,
  limit: AbortSignal,
  options: AskOptions = {},
): Promise<Visit> {
  try {
    const response = await raceSignal(ask(socket, target, path, options), limit);
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: await raceSignal(readStart(response), limit),
    };
  } catch (error) {
    throw explain(error, limit, true);
  } finally {
    resetSocket(socket);
  }
}

/** Sends one request over an open connection; resolves with the head of its answer. */
export function ask(
  socket: Socket,
  { url }: Target,
  path: string,
  options: AskOptions = {},
): Promise<IncomingMessage> {
  const { send, headers, ...rest } = options;
  return new Promise((resolve, reject) => {
    const sent = request({
      ...rest,
      createConnection: () => socket,
      path,
      headers: { Host: url.host, 'User-Agent': 'expose-doctor', Connection: 'close', ...headers },
    });
    // Stays: an answer may come before all of an upload was taken, and then the rest fails.
    sent.on('error', reject).once('response', resolve);
    if (send === undefined) sent.end();
    else send(sent);
  });
}

/** What came until `end` came; rejects with NoVisit if it does not come. */
export async function readUntil(source: Readable, end: string, signal: AbortSignal): Promise<string> {
  let text = '';
  const read = async () => {
    // Not destroyed: the connection is used further.
    for await (const chunk of source.iterator({ destroyOnReturn: false })) {
      text += Buffer.from(chunk).toString('latin1');
      if (text.includes(end) || text.length > MAX_START_BYTES) return;
    }
  };
  try {
    await raceSignal(read(), signal);
  } catch (error) {
    throw explain(error, signal, true);
  }
  if (text.includes(end)) return text;
  throw new NoVisit('broken', text === '' ? 'the connection was closed' : `it answered ${quote(text)}`);
}

function waitFor<T extends Socket>(socket: T, event: string, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      reject(explain(error, signal, event !== 'connect'));
    };
    const onAbort = () => fail(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', fail); // stays: the other side may break the connection later
    socket.once('close', () => fail(new Error('the connection was closed')));
    socket.once(event, () => {
      signal.removeEventListener('abort', onAbort);
      resolve(socket);
    });
  });
}

function explain(error: unknown, signal: AbortSignal, isConnected: boolean): NoVisit {
  if (error instanceof NoVisit) return error;
  const options = { cause: error };
  if (signal.aborted) return new NoVisit('silent', 'no answer in time', options);
  const text = sanitise(describeError(error));
  if (isConnected) return new NoVisit('broken', text, options);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  // EACCES: the firewall of an IPv6 machine rejects (ICMPv6 "administratively prohibited").
  if (code === 'ECONNREFUSED' || code === 'EACCES') return new NoVisit('refused', text, options);
  if (code === 'ETIMEDOUT') return new NoVisit('silent', text, options);
  return new NoVisit(
    /^E(?:NETUNREACH|HOSTUNREACH|ADDRNOTAVAIL|AFNOSUPPORT)$/.test(code) ? 'unreachable' : 'broken',
    text,
    options,
  );
}
