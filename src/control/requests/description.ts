// How requests are shown to a client: whole, or without credentials and signatures. Used by every route that sends some.

import type { CapturedRequest } from '../../shared/captured-request.ts';
import { InputError } from '../../shared/errors.ts';
import { createRedactor } from '../../shared/redaction.ts';
import type { ReplayAnswer } from '../../shared/replay.ts';
import { describeReplay, type ReplayMessage } from '../../shared/replay-json.ts';
import { describeRequest, type RequestMessage } from '../../shared/request-json.ts';
import type { Call } from '../call.ts';

export interface Description {
  ofRequest(request: CapturedRequest, options: { withBody: boolean }): RequestMessage;
  /** What the app answered to a replay: cookies and tokens are credentials, too. */
  ofReplay(answer: ReplayAnswer): ReplayMessage;
}

/**
 * `redact`: `true`, `false` (the default), or `auto`, which means what the `redact` input says. In the public inspector
 * it is always `auto`. Throws an InputError for any other word.
 */
export function readDescription({
  controls,
  audience,
  query,
}: Pick<Call, 'controls' | 'audience' | 'query'>): Description {
  const word = query.get('redact') ?? 'false';
  if (!['true', 'false', 'auto'].includes(word))
    throw new InputError(`\`redact\` is '${word}': write true, false or auto`);
  const isAuto = audience === 'public' || word === 'auto';
  if (isAuto ? !controls.inspection.redacts : word === 'false')
    return { ofRequest: describeRequest, ofReplay: describeReplay };
  const redact = createRedactor(controls.requests.signatureHeaders);
  return {
    ofRequest: (request, options) => redact(describeRequest(request, options)),
    ofReplay: answer => redact(describeReplay(answer)),
  };
}
