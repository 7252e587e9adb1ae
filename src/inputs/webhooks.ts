// The inputs about webhooks: which requests are recorded, whether they are kept while the app is away, what people see of
// them, and which must be signed. Used by inputs.

import type { Capture } from '../gateway/webhooks/record/capture.ts';
import { parseRules } from '../gateway/webhooks/verify/parse-rules.ts';
import { PROVIDERS } from '../gateway/webhooks/verify/providers.ts';
import { NAMED_PROVIDERS, type SignatureRule } from '../gateway/webhooks/verify/rule.ts';
import { renderPublicUrl, SAMPLE_PORT } from '../shared/public-url.ts';
import type { Protocol } from '../shared/state.ts';
import { checkTcpUse, parsePatterns } from './gateway.ts';
import type { InputSource, Problems } from './problems.ts';
import type { TunnelInputs } from './tunnel.ts';
import { parseBoolean } from './values.ts';

// For step/, which masks them before the inputs are parsed.
export { listRuleSecrets } from '../gateway/webhooks/verify/parse-rules.ts';

const DEFAULT_CAPTURE = 'auto';

export interface WebhookInputs {
  capture: Capture;
  /** Whether captured requests are kept while the app is away. */
  queue: boolean;
  /** Whether credentials and signatures are blanked in pages and in `requests-file`. */
  redact: boolean;
  /** The paths on which only signed requests reach the app. */
  verify: SignatureRule[];
}

/**
 * Notes every problem in `problems`; throws if there is one. `publicPaths` is undefined if they could not be read: then
 * their own problem is reported.
 */
export function parseWebhookInputs(
  read: InputSource,
  { protocol, publicPaths, problems }: WebhookContext,
): WebhookInputs {
  const verify = problems.check(() => parseRules(read('verify')));
  const exempt = [...(publicPaths ?? []), ...(verify.known ?? []).map(({ path }) => path)];
  const capture = problems.check(() => parseCapture(read('capture'), exempt));
  const queue = problems.check(() => parseBoolean(read('queue').trim(), 'queue', true));
  const redact = problems.check(() => parseBoolean(read('redact').trim(), 'redact', true));
  if (protocol === 'tcp') checkUnused(read, problems);
  return { capture: capture.value, queue: queue.value, redact: redact.value, verify: verify.value };
}

/** With `protocol: tcp` there are no requests. `capture: none` says the same, and is allowed. */
function checkUnused(read: InputSource, problems: Problems): void {
  const check = (input: string, fallback: string, why: string) => {
    const given = read(input).trim();
    const isNone = input === 'capture' && given.toLowerCase() === 'none';
    if (!isNone) problems.check(() => checkTcpUse(input, given, fallback, why));
  };
  check('capture', DEFAULT_CAPTURE, 'there are no requests to record');
  check('queue', 'true', 'there are no requests to keep');
  check('verify', '', 'there are no requests to check');
  check('redact', 'true', 'there are no requests to show');
}

interface WebhookContext {
  protocol: Protocol;
  publicPaths: readonly string[] | undefined;
  problems: Problems;
}

/** `auto`: the paths that need no key, or, without any, every request that may change something. */
function parseCapture(text: string, exempt: readonly string[]): Capture {
  const word = text.trim().toLowerCase();
  if (word === 'none') return { kind: 'none' };
  if (word !== '' && word !== DEFAULT_CAPTURE)
    return { kind: 'paths', patterns: parsePatterns(text, 'capture') };
  return exempt.length > 0 ? { kind: 'paths', patterns: [...new Set(exempt)] } : { kind: 'unsafe methods' };
}

/** Shorter secrets are easily guessed, and masking one blanks out the same letters elsewhere in the log. */
const MIN_SECRET_LENGTH = 8;

/** One warning for each provider that needs https while the link has none, and for each secret that is too short. */
export function listVerifyWarnings(rules: readonly SignatureRule[], tunnel: TunnelInputs): string[] {
  const { servers, publicUrl } = tunnel;
  const isPlain = servers.some(({ address }) =>
    renderPublicUrl(publicUrl, address.host, SAMPLE_PORT).startsWith('http:'),
  );
  const used = NAMED_PROVIDERS.filter(name => rules.some(({ provider }) => provider === name));
  const demanding = used
    .map(name => PROVIDERS[name])
    .filter(({ httpsOnly }) => isPlain && httpsOnly !== undefined);
  const short = rules.filter(({ secret }) => secret.length < MIN_SECRET_LENGTH);
  return [
    ...demanding.map(
      ({ title, httpsOnly }) =>
        `${title} sends ${httpsOnly} to https addresses only, and the link has plain http: set \`tls-cert\`, or put a proxy with https in front and set \`public-url\` to https://…`,
    ),
    ...short.map(
      ({ provider, path }) =>
        `the secret of \`verify\` for ${provider} ${path} is shorter than ${MIN_SECRET_LENGTH} characters: it is easily guessed`,
    ),
  ];
}
