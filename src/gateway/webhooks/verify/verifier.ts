// Checks requests against the rules of `verify`. Used by passes.ts, and by exposure/ for the control API and the command
// line.

import { compilePatterns, compileSpelling, listSpellings } from '../../../shared/path-patterns.ts';
import { isOwnPath } from '../../own-pages.ts';
import type { RawHeaders } from '../../raw-headers.ts';
import {
  findSignedHandshake,
  findUnsignedHandshake,
  type Handshake,
  type UnsignedHandshake,
} from '../handshakes.ts';
import { listValues, type WholeRequest } from '../whole-request.ts';
import { openSigner } from './providers.ts';
import type { ProviderName, SignatureRule } from './rule.ts';
import { type Fields, MISMATCH, type SignedRequest, type Signer, type Verdict } from './signer.ts';

/** `deliveryId` is the same text for each attempt to deliver the same thing to the same rule. */
export type Finding =
  | {
      kind: 'right';
      provider: ProviderName;
      deliveryId: string | undefined;
      handshake: Handshake | undefined;
    }
  | { kind: 'wrong'; reason: string; isStale: boolean };

interface OpenRule {
  readonly rule: SignatureRule;
  readonly signer: Signer;
  /** Whether this spelling of a path is one of the rule. */
  readonly covers: (spelling: readonly string[]) => boolean;
}

export class Verifier {
  /** Whether a path (target without its query) is one of a rule in every reading: then it needs no key. */
  readonly needsNoKey: (path: string) => boolean;
  readonly #rules: readonly OpenRule[];
  readonly #headers: ReadonlySet<string>;
  #latest: { path: string; own: OwnRules } | undefined;

  constructor(rules: readonly SignatureRule[]) {
    const paths = rules.map(({ path }) => path);
    const isCovered = compilePatterns(paths);
    this.needsNoKey = path => isCovered(path) && !isOwnPath(path);
    this.#rules = rules.map(rule => ({
      rule,
      signer: openSigner(rule),
      covers: compileSpelling([rule.path]),
    }));
    this.#headers = new Set(this.#rules.flatMap(({ signer }) => signer.headers));
  }

  /** Whether only signed requests may reach the app on this path: some reading of it is a path of a rule. */
  covers(path: string): boolean {
    const own = this.#select(path);
    return this.#rules.length > 0 && (own.isDoubtful || own.rules.length > 0);
  }

  /** Whether the request has a signature of any rule: only then is its body read. */
  hasSignature(raw: RawHeaders): boolean {
    return [...this.#headers].some(name => listValues(raw, name).length > 0);
  }

  /** Which unsigned handshake it is, if the rules for the path let that through. */
  findHandshake(path: string, request: WholeRequest): UnsignedHandshake | undefined {
    const own = this.#select(path);
    const words = new Set(own.rules.flatMap(({ rule }) => rule.handshakes));
    const allowed = [...words].filter(word => own.suffices(({ rule }) => rule.handshakes.includes(word)));
    return findUnsignedHandshake(request, allowed);
  }

  /**
   * Checks the request against all rules, also those of other paths: so the time that it takes does not tell whether the
   * path has a rule.
   */
  check(path: string, request: SignedRequest, now: Date): Finding {
    const nowS = Math.floor(now.getTime() / 1000);
    const verdicts = new Map(this.#rules.map(open => [open, open.signer.check(request, nowS)]));
    const isRight = (open: OpenRule) => verdicts.get(open)?.kind === 'right';
    const own = this.#select(path);
    const found = own.rules.find(isRight);
    if (found === undefined) {
      const checked = own.rules.map(open => ({ ...open, verdict: verdicts.get(open) ?? MISMATCH }));
      return {
        kind: 'wrong',
        reason: own.isDoubtful ? DOUBTFUL : explain(checked, this.#rules.find(isRight)?.rule),
        isStale: checked.some(({ verdict }) => verdict.kind === 'stale'),
      };
    }
    if (!own.suffices(isRight)) return { kind: 'wrong', reason: AMBIGUOUS, isStale: false };
    const id = found.signer.findDeliveryId(request);
    return {
      kind: 'right',
      provider: found.rule.provider,
      deliveryId: id && `${found.rule.provider} ${this.#rules.indexOf(found)} ${id}`,
      handshake: findSignedHandshake(request),
    };
  }

  /**
   * The fields of a new signature, by the first rule for the path, or by that for `provider` if there is one, and the
   * provider of the rule; undefined if no rule is for the path. They take the place of the request's fields of the same
   * names.
   */
  sign(
    path: string,
    request: SignedRequest,
    now: Date,
    provider?: string,
  ): { fields: Fields; provider: ProviderName } | undefined {
    const { rules } = this.#select(path);
    const { signer, rule } = rules.find(one => one.rule.provider === provider) ?? rules[0] ?? {};
    if (signer === undefined || rule === undefined) return undefined;
    return { fields: signer.sign(request, Math.floor(now.getTime() / 1000)), provider: rule.provider };
  }

  /** The rules for the path, in any spelling; none if it is doubtful how an app reads it. */
  #select(path: string): OwnRules {
    // Each request asks several times.
    if (this.#latest?.path !== path) this.#latest = { path, own: this.#find(path) };
    return this.#latest.own;
  }

  #find(path: string): OwnRules {
    const spellings = listSpellings(path);
    const sets = (spellings ?? []).map(spelling => this.#rules.filter(({ covers }) => covers(spelling)));
    return {
      rules: this.#rules.filter(rule => sets.some(set => set.includes(rule))),
      isDoubtful: spellings === undefined,
      suffices: isRight => sets.every(set => set.length === 0 || set.some(isRight)),
    };
  }
}

interface OwnRules {
  readonly rules: readonly OpenRule[];
  readonly isDoubtful: boolean;
  /** Whether one rule is right for each spelling: the secret of one path must not open another. */
  suffices(isRight: (rule: OpenRule) => boolean): boolean;
}

const DOUBTFUL =
  'its path has dot segments, or is encoded many times, so that the app could read it as another one: send it to the plain path';
const AMBIGUOUS =
  'its path can also be read as one of another rule, whose secret has not signed it: send it to the plain path';

type Checked = OpenRule & { readonly verdict: Verdict };

/** The reason that helps most: a right signature that is too old says more than one that is missing. */
function explain(checked: readonly Checked[], elsewhere: SignatureRule | undefined): string {
  const verdicts = checked.map(({ verdict }) => verdict);
  if (elsewhere !== undefined)
    return `it is signed with the ${elsewhere.provider} secret of another path (${elsewhere.path})`;
  const stale = verdicts.flatMap(one => (one.kind === 'stale' ? [one.reason] : []));
  if (stale[0] !== undefined) return stale[0];
  const mismatched = checked.filter(({ verdict }) => verdict.kind === 'mismatch');
  if (mismatched.length > 0) return explainMismatch(mismatched.map(({ rule }) => rule));
  const malformed = verdicts.flatMap(one => (one.kind === 'malformed' ? [one.reason] : []));
  if (malformed[0] !== undefined) return malformed[0];
  const headers = verdicts.flatMap(one => (one.kind === 'missing' ? [one.header] : []));
  return `it is not signed: it has no ${[...new Set(headers)].join(' and no ')}`;
}

function explainMismatch(rules: readonly SignatureRule[]): string {
  const names = [...new Set(rules.map(({ provider }) => provider))];
  const secrets =
    rules.length === 1
      ? `the ${names[0]} secret`
      : `any of the ${rules.length} secrets (${names.join(', ')})`;
  const url = names.some(name => name === 'twilio' || name === 'square')
    ? ', or the URL that was signed is not the public URL'
    : '';
  return `its signature does not match ${secrets} of this path: the body was changed on the way, or the secret is another one${url}`;
}
