// The inputs about webhooks: which requests are recorded, and whether they are kept while the app is away. Used by inputs.

import type { Capture } from '../gateway/webhooks/capture.ts';
import type { Protocol } from '../shared/state.ts';
import { checkTcpUse, parsePatterns } from './gateway.ts';
import type { InputSource, Problems } from './problems.ts';
import { parseBoolean } from './values.ts';

const DEFAULT_CAPTURE = 'auto';

export interface WebhookInputs {
  capture: Capture;
  /** Whether captured requests are kept while the app is away. */
  queue: boolean;
}

/**
 * Notes every problem in `problems`; throws if there is one. `publicPaths` is undefined if they could not be read: then
 * their own problem is reported.
 */
export function parseWebhookInputs(
  read: InputSource,
  { protocol, publicPaths, problems }: WebhookContext,
): WebhookInputs {
  const capture = problems.check(() => parseCapture(read('capture'), publicPaths));
  const given = read('capture').trim();
  if (protocol === 'tcp' && given.toLowerCase() !== 'none')
    problems.check(() => checkTcpUse('capture', given, DEFAULT_CAPTURE, 'there are no requests to record'));
  const queue = problems.check(() => parseBoolean(read('queue').trim(), 'queue', true));
  if (protocol === 'tcp')
    problems.check(() => checkTcpUse('queue', read('queue').trim(), 'true', 'there are no requests to keep'));
  return { capture: capture.value, queue: queue.value };
}

interface WebhookContext {
  protocol: Protocol;
  publicPaths: readonly string[] | undefined;
  problems: Problems;
}

/** `auto`: the paths that need no key, or, without any, every request that may change something. */
function parseCapture(text: string, publicPaths: readonly string[] = []): Capture {
  const word = text.trim().toLowerCase();
  if (word === 'none') return { kind: 'none' };
  if (word !== '' && word !== DEFAULT_CAPTURE)
    return { kind: 'paths', patterns: parsePatterns(text, 'capture') };
  return publicPaths.length > 0 ? { kind: 'paths', patterns: [...publicPaths] } : { kind: 'unsafe methods' };
}
