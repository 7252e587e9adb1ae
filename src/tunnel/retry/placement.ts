// Where a preview lives: in which order it asks the servers, and each of them for which ports. The same in every run,
// and unknown beforehand to whoever does not know the server's secret. Used by server-choice.ts and port-choice.ts.

import { createHash, createHmac, scryptSync } from 'node:crypto';
import type { RemotePort, TunnelServer } from '../tunnel.ts';
import { isBlockedPort } from './blocked-ports.ts';

/**
 * A preview's address is public, so each one lets anybody test guesses of the secret, at home and without asking the
 * server. This makes a guess cost some 40 ms and 16 MB (scrypt, RFC 7914), as it costs us once at the start.
 */
const STRETCH = { N: 2 ** 14, r: 8, p: 1 } as const;
const KEY_BYTES = 32;
const SALT = 'expose-action, where a preview lives';

/** As many as readUIntBE reads exactly, and far more than a port needs. */
const DRAW_BYTES = 6;

/**
 * The servers, best first, by rendezvous hashing: each one's score is its own affair, so that a server that is added
 * or lost moves only the previews it gets or had.
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
 * Every port of the range once, in an order that is the preview's own; those that browsers refuse are left out, unless
 * there are no others. Lazily: a port costs one hash.
 */
export function* listCandidates(
  identity: string,
  secret: string | undefined,
  { min, max }: Extract<RemotePort, { kind: 'auto' }>,
): Generator<number, void> {
  const isUseful = hasOpenPort(min, max) ? (port: number) => !isBlockedPort(port) : () => true;
  // Fisher and Yates' shuffle from the end, one step for each port that is asked for; only what was moved is written.
  const moved = new Map<number, number>();
  for (let left = max - min + 1; left > 0; left -= 1) {
    const chosen = draw(secret, identity, left);
    const port = min + (moved.get(chosen) ?? chosen);
    moved.set(chosen, moved.get(left - 1) ?? left - 1);
    if (isUseful(port)) yield port;
  }
}

function hasOpenPort(min: number, max: number): boolean {
  for (let port = min; port <= max; port += 1) if (!isBlockedPort(port)) return true;
  return false;
}

/** A whole number below `limit`, a port count: the remainder favours the smaller ones by less than one in a billion. */
function draw(secret: string | undefined, identity: string, limit: number): number {
  return hash(secret, ['port', limit, identity]).readUIntBE(0, DRAW_BYTES) % limit;
}

/** Keyed with the secret where there is one. The parts keep their borders: `ab`, `c` is not `a`, `bc`. */
function hash(secret: string | undefined, parts: readonly (string | number)[]): Buffer {
  const text = JSON.stringify(['expose-action', ...parts]);
  if (secret === undefined) return createHash('sha256').update(text).digest();
  return createHmac('sha256', stretch(secret)).update(text).digest();
}

/** By secret; a process knows one, or a few. */
const stretched = new Map<string, Buffer>();

function stretch(secret: string): Buffer {
  const key = stretched.get(secret) ?? scryptSync(secret, SALT, KEY_BYTES, STRETCH);
  stretched.set(secret, key);
  return key;
}
