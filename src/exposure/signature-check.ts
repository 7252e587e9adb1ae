// Answers whether a request is signed rightly. Used by exposure.ts for the control API, and by `expose verify`.

import { makeRule } from '../gateway/webhooks/verify/parse-rules.ts';
import type { SignatureRule } from '../gateway/webhooks/verify/rule.ts';
import { Verifier } from '../gateway/webhooks/verify/verifier.ts';
import { InputError } from '../shared/errors.ts';
import { cutQuery } from '../shared/http-message.ts';
import type { SignatureAnswer, SignatureQuestion } from '../shared/signature-check.ts';

/** `ownOrigin`: where the preview is now. Throws an InputError if there is no rule for the request. */
export function checkSignature(
  { request, origin, rule, at }: SignatureQuestion,
  rules: readonly SignatureRule[],
  ownOrigin: string | undefined,
): SignatureAnswer {
  const verifier = new Verifier(rule === undefined ? rules : [makeRule(rule)]);
  const path = cutQuery(request.target);
  if (!verifier.covers(path))
    throw new InputError(
      'no rule of `verify` is for the path of this request: give a rule, with its secret (--provider and --secret-file, or `rule` in the API)',
    );
  const handshake = verifier.findHandshake(path, request);
  if (handshake !== undefined) return describe({ right: true, handshake });
  const origins = [origin ?? ownOrigin ?? []].flat();
  const found = verifier.check(path, { ...request, origins }, at);
  return found.kind === 'wrong'
    ? describe({ right: false, reason: found.reason })
    : describe({ right: true, verified: found.provider, handshake: found.handshake });
}

function describe(found: {
  right: boolean;
  verified?: string;
  handshake?: string | undefined;
  reason?: string;
}): SignatureAnswer {
  const { right, verified = null, handshake = null, reason = null } = found;
  return { success: true, right, verified, handshake, reason };
}
