// A preview's own order of servers, and of ports on each server. It is the same in every run, and only someone with the
// server's secret can predict it. Used by server-rotation.ts and port-choice.ts.

import { createHash, createHmac, scryptSync } from 'node:crypto';
import type { RemotePort, TunnelServer } from '../tunnel.ts';
import { isBlockedPort } from './blocked-ports.ts';

/**
 * A preview's address is public and follows from the secret, so anybody can test guesses of the secret offline. scrypt
 * (RFC 7914) makes each guess cost some 40 ms and 16 MB; we pay that once, at the start.
 */
const STRETCH = { N: 2 ** 14, r: 8, p: 1 } as const;
const KEY_BYTES = 32;
const SALT = 'expose-action, where a preview lives';

/** The most bytes that readUIntBE reads, and far more than a port needs. */
const DRAW_BYTES = 6;

/**
 * The servers, best first, by rendezvous hashing: a server's score does not depend on the other servers. So a new
 * server moves only the previews that it gets, and a lost one only those that it had.
 */
export function orderServers(servers: readonly TunnelServer[], identity: string): TunnelServer[] {
  if (servers.length < 2) return [...servers];
  const scored = servers.map(server => {
    const { host, port } = server.address;
    return { server, score: hash(server.secret, ['server', host, port, identity]) };
  });
  return scored.sort((a, b) => Buffer.compare(b.score, a.score)).map(({ server }) => server);
}

/**
 * Every port of the range once, in the preview's own order. Ports that browsers refuse are left out, unless the range
 * has no others. Lazy: each port costs one hash.
 */
export function* listCandidates(
  identity: string,
  secret: string | undefined,
  { min, max }: Extract<RemotePort, { kind: 'auto' }>,
): Generator<number, void> {
  const isUseful = hasOpenPort(min, max) ? (port: number) => !isBlockedPort(port) : () => true;
  // Fisher-Yates shuffle from the end, one step for each port; the map holds only the entries that were swapped.
  const swapped = new Map<number, number>();
  for (let left = max - min + 1; left > 0; left -= 1) {
    const chosen = draw(secret, identity, left);
    const port = min + (swapped.get(chosen) ?? chosen);
    swapped.set(chosen, swapped.get(left - 1) ?? left - 1);
    if (isUseful(port)) yield port;
  }
}

function hasOpenPort(min: number, max: number): boolean {
  for (let port = min; port <= max; port += 1) if (!isBlockedPort(port)) return true;
  return false;
}

/** A whole number below `limit`, at most the number of ports: the bias of the remainder is below one in a billion. */
function draw(secret: string | undefined, identity: string, limit: number): number {
  return hash(secret, ['port', limit, identity]).readUIntBE(0, DRAW_BYTES) % limit;
}

/** Keyed with the secret if there is one. JSON keeps the parts apart: `ab`, `c` is not `a`, `bc`. */
function hash(secret: string | undefined, parts: readonly (string | number)[]): Buffer {
  const text = JSON.stringify(['expose-action', ...parts]);
  if (secret === undefined) return createHash('sha256').update(text).digest();
  return createHmac('sha256', stretch(secret)).update(text).digest();
}

/** One key for each secret; a process has one or a few. */
const stretched = new Map<string, Buffer>();

function stretch(secret: string): Buffer {
  const key = stretched.get(secret) ?? scryptSync(secret, SALT, KEY_BYTES, STRETCH);
  stretched.set(secret, key);
  return key;
}
