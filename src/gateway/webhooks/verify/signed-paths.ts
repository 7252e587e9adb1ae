// Decides which requests to the paths of `verify` reach the app. Used by access/pass.ts.

import type { OwnAddress } from '../../own-address.ts';
import { rewriteFields } from '../../raw-headers.ts';
import { hasBody, readPath, type Visit } from '../../visit.ts';
import type { Identity } from '../record/recording.ts';
import { readRequest, type WholeRequest } from '../whole-request.ts';
import { BodyReader, MAX_BODY_BYTES, type Unread } from './body-reader.ts';
import type { SignatureRule } from './rule.ts';
import type { SignedRequest } from './signer.ts';
import { Verifier } from './verifier.ts';

/** `busy`: it was not checked, but may be right when it is sent again. `left`: nobody waits for an answer. */
export type Examination =
  | { kind: 'admitted'; identity: Identity }
  | { kind: 'refused' | 'busy'; reason: string }
  | { kind: 'left' };

export class SignedPaths {
  readonly #verifier: Verifier;
  readonly #bodies = new BodyReader();

  constructor(rules: readonly SignatureRule[]) {
    this.#verifier = new Verifier(rules);
  }

  /** Whether a path needs no key, because only signed requests on it reach the app. */
  needsNoKey(path: string): boolean {
    return this.#verifier.needsNoKey(path);
  }

  /** Whether only signed requests on this path may reach the app. */
  covers(path: string): boolean {
    return this.#verifier.covers(path);
  }

  /**
   * Reads the body and checks the signature. Behaves in the same way on every path, so that a request that is refused
   * does not tell whether its path has a rule: the body is read if there is a signature of any rule, and only then.
   */
  async examine(visit: Visit): Promise<Examination> {
    const path = readPath(visit.request);
    if (visit.upgrade !== undefined)
      return { kind: 'refused', reason: 'a request for a WebSocket cannot be signed' };
    const handshake = hasBody(visit.request)
      ? undefined
      : this.#verifier.findHandshake(path, readRequest(visit));
    if (handshake !== undefined) return { kind: 'admitted', identity: { handshake } };
    if (this.#verifier.hasSignature(visit.request.rawHeaders)) {
      const body = await this.#bodies.read(visit);
      if (typeof body === 'string') return describeUnread(body);
    }
    const found = this.#verifier.check(path, readSigned(visit), new Date());
    if (found.kind === 'wrong') return { kind: 'refused', reason: found.reason };
    const { provider: verified, deliveryId, handshake: signed } = found;
    return { kind: 'admitted', identity: { verified, deliveryId, handshake: signed } };
  }

  /**
   * The request with a new signature, made with the secret of a rule for the path: of that for `provider`, if there is
   * one. `verified` is the provider of that rule. Undefined if no rule is for the path.
   */
  sign(
    path: string,
    request: SignedRequest,
    provider: string | undefined,
  ): (WholeRequest & { verified: string }) | undefined {
    const signed = this.#verifier.sign(path, request, new Date(), provider);
    if (signed === undefined) return undefined;
    const { fields, provider: verified } = signed;
    const rawHeaders = [...request.rawHeaders];
    for (const [name] of fields) rewriteFields(rawHeaders, name.toLowerCase(), () => '');
    return { ...request, rawHeaders: [...rawHeaders, ...fields.flat()], verified };
  }

  /** Whether the request is rightly signed for this path, but its timestamp is too old now. */
  isStale(path: string, request: SignedRequest): boolean {
    const found = this.#verifier.check(path, request, new Date());
    return found.kind === 'wrong' && found.isStale;
  }
}

function describeUnread(why: Unread): Examination {
  switch (why) {
    case 'sender left':
      return { kind: 'left' };
    case 'too long':
      return {
        kind: 'busy',
        reason: `its body is longer than the ${MAX_BODY_BYTES} bytes that are read to check a signature`,
      };
    case 'too many':
      return {
        kind: 'busy',
        reason: 'its body was not read: too many bodies came at once to check their signatures',
      };
  }
}

function readSigned(visit: Visit): SignedRequest {
  const { address, request } = visit;
  return { ...readRequest(visit), origins: listOrigins(address, request.headers.host) };
}

/**
 * The public URL, and what the sender calls it: a proxy in front may have several names, and some providers sign the
 * letter case as it was typed. Only the preview's own names count.
 */
export function listOrigins(address: OwnAddress | undefined, host: string | undefined): string[] {
  if (address === undefined) return [];
  const called = host === undefined ? undefined : address.hosts.get(host.toLowerCase());
  const origins = [
    address.url.origin,
    ...(called === undefined ? [] : [called, `${address.url.protocol}//${host}`]),
  ];
  return [...new Set(origins)];
}
