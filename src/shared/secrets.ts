// What is done with secrets: they are compared without telling, by the time it takes, how much of a guess was right,
// and hidden from logs. Used by gateway, inputs and exposure.

import { hash, timingSafeEqual } from 'node:crypto';

/** A shorter line of a key tells nothing, and masking it would blank out half the log. */
const MIN_HIDDEN_LENGTH = 8;

/** Whatever the lengths; for keys, passwords and MACs. */
export function isSame(given: string, wanted: string): boolean {
  return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', wanted, 'buffer'));
}

/** Everything of a key that must be hidden from logs: the whole of it, and each line, as the runner masks by lines. */
export function listKeyTexts(key: string): string[] {
  const lines = key.split('\n').map(line => line.trim());
  return [key.trim(), ...lines].filter(
    text => text.length >= MIN_HIDDEN_LENGTH && !/^-----.*-----$/.test(text),
  );
}
