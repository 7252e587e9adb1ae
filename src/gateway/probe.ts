// The probe proves that a public address leads to this exposure: it sends a challenge, and only this exposure has the
// key to sign it. Sent by exposure/ before a URL is published, answered by passes.ts. With `trusted-proxy`, a second kind
// of probe also finds out what the proxy does with a visitor's `X-Forwarded-For`.

import { createHmac, randomBytes } from 'node:crypto';
import { get as getHttp, type IncomingMessage, type RequestOptions } from 'node:http';
import { get as getHttps } from 'node:https';
import { describeError } from '../shared/errors.ts';
import { readStart } from '../shared/read-start.ts';
import { sanitise } from '../shared/sanitise.ts';
import { isSame } from '../shared/secrets.ts';
import { connectTls, ForeignPeerError } from './probe-tls.ts';

/** Path of the probe on every exposure. */
export const PROBE_PATH = '/__expose/probe';

/** A field of the query: asks for a ForwardedForAnswer, too. */
export const FORWARDED_FOR_QUESTION = 'forwarded-for';

const CHALLENGE = /^[0-9a-f]{32,128}$/;

/**
 * - `proved`: this exposure answered.
 * - `unproved`: another program answered, without our proof. `detail` says how; it is safe to show.
 * - `silent`: there was no answer, or a proxy in between answered that it could not reach us (5xx).
 */
export type ProbeAnswer =
  | { kind: 'proved' }
  | { kind: 'unproved'; detail: string }
  | { kind: 'silent'; detail: string };

/**
 * The visitor's address that a probe claims. No visitor has it: it is in the range for documentation (RFC 3849), and in the
 * middle are the letters of "expose".
 */
const CLAIMED_ADDRESS = '2001:db8:6578:706f:7365::1';

const FORWARDED_FOR = [
  /** The proxy reports the address of the client, and drops what that claims. */
  'reported',
  /** The client's own claim was believed. */
  'claimed',
  /** There is no address. */
  'absent',
] as const;

/** Whose address the gateway got for a probe. */
export type ForwardedForAnswer = (typeof FORWARDED_FOR)[number];

/** What to answer to a probe that asks for it; `address` is what the gateway has read. */
export function classifyAddress(address: string | undefined): ForwardedForAnswer {
  if (address === undefined) return 'absent';
  return address === CLAIMED_ADDRESS ? 'claimed' : 'reported';
}

/**
 * The keyed answer to a challenge (lower-case hex, 16 to 64 bytes), or undefined if it is not one. `forwardedFor`: a part of
 * the answer that only this exposure can read.
 */
export function renderProof(
  proofKey: Buffer,
  challenge: string,
  forwardedFor?: ForwardedForAnswer,
): string | undefined {
  if (!CHALLENGE.test(challenge)) return undefined;
  const text = ['expose probe', challenge, ...(forwardedFor === undefined ? [] : [forwardedFor])].join('\n');
  return createHmac('sha256', proofKey).update(text).digest('hex');
}

/**
 * Sends one challenge to `url` (no trailing slash), over a new connection, and follows no redirect. `certificate`: the
 * SHA-256 fingerprint of ours, if the gateway speaks TLS. Never rejects.
 */
export async function probeHttp(
  url: string,
  proofKey: Buffer,
  signal: AbortSignal,
  certificate?: string,
): Promise<ProbeAnswer> {
  const challenge = randomBytes(32).toString('hex');
  try {
    const response = await openPage(`${url}${PROBE_PATH}?challenge=${challenge}`, signal, certificate);
    const body = await readStart(response);
    const status = response.statusCode ?? 0;
    if (isProof(body, renderProof(proofKey, challenge))) return { kind: 'proved' };
    if (status >= 500) return { kind: 'silent', detail: `the answer was ${status}` };
    return { kind: 'unproved', detail: `the answer was ${status}, without the proof of this exposure` };
  } catch (error) {
    return describeFailure(error, signal);
  }
}

/**
 * Claims an address in `X-Forwarded-For`, and resolves with what became of it; undefined if the gateway, which must have
 * `trusted-proxy`, did not answer. Parameters as for `probeHttp`. Never rejects.
 */
export async function probeForwardedFor(
  url: string,
  proofKey: Buffer,
  signal: AbortSignal,
  certificate?: string,
): Promise<ForwardedForAnswer | undefined> {
  const challenge = randomBytes(32).toString('hex');
  const target = `${url}${PROBE_PATH}?challenge=${challenge}&${FORWARDED_FOR_QUESTION}`;
  try {
    const claim = { 'X-Forwarded-For': CLAIMED_ADDRESS };
    const body = await readStart(await openPage(target, signal, certificate, claim));
    return FORWARDED_FOR.find(answer => isProof(body, renderProof(proofKey, challenge, answer)));
  } catch {
    return undefined;
  }
}

async function openPage(
  url: string,
  signal: AbortSignal,
  certificate?: string,
  headers: Record<string, string> = {},
): Promise<IncomingMessage> {
  const get = url.startsWith('https:') ? getHttps : getHttp;
  const socket = certificate === undefined ? undefined : await connectTls(url, certificate, signal);
  // No agent: a kept-alive connection could still lead to an earlier target of the address.
  const options: RequestOptions = socket
    ? { createConnection: () => socket, headers, signal }
    : { agent: false, headers, signal };
  return new Promise((resolve, reject) => {
    get(url, options, resolve).once('error', reject);
  });
}

function isProof(body: string, proof: string | undefined): boolean {
  return proof !== undefined && isSame(body, proof);
}

function describeFailure(error: unknown, signal: AbortSignal): ProbeAnswer {
  if (signal.aborted) return { kind: 'silent', detail: 'no answer in time' };
  const detail = sanitise(describeError(error));
  if (error instanceof ForeignPeerError)
    return { kind: 'unproved', detail: `the answer was not our TLS: ${detail}` };
  // llhttp's own errors: the bytes received are not HTTP.
  const isForeign = error instanceof Error && 'code' in error && String(error.code).startsWith('HPE_');
  return isForeign
    ? { kind: 'unproved', detail: `the answer was not HTTP: ${detail}` }
    : { kind: 'silent', detail };
}
