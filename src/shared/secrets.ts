// Compares secrets in constant time, and hides them in logs and pages. Used by gateway, control, tunnel, exposure,
// supervisor and step.

import { hash, timingSafeEqual } from 'node:crypto';

/** A shorter line of a key reveals nothing, and masking it would blank out half of the log. */
const MIN_HIDDEN_LENGTH = 8;

/** Takes the same time for every guess, of any length. For keys, passwords and MACs. */
export function isSame(given: string, wanted: string): boolean {
  return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', wanted, 'buffer'));
}

/** The lengths of texts that `createComparison` keeps apart: a shorter one takes as long as one of this length. */
const COMPARED_BLOCK_BYTES = 256;

/**
 * A function that compares texts with one secret, as `isSame` does, but without a hash for each of them: the gateway
 * compares the credential of every request. Takes the same time for every text that is no longer than the secret, rounded
 * up to whole blocks.
 */
export function createComparison(wanted: string): (given: string) => boolean {
  const blocks = 1 + Math.floor(Buffer.byteLength(wanted) / COMPARED_BLOCK_BYTES);
  const expected = Buffer.alloc(blocks * COMPARED_BLOCK_BYTES);
  expected.write(wanted);
  const compared = Buffer.alloc(expected.length);
  return given => {
    compared.fill(0).write(given);
    // The length distinguishes a text that is cut, or ends with NUL bytes.
    return timingSafeEqual(compared, expected) && given.length === wanted.length;
  };
}

/** A function that replaces each of the texts by `***`, wherever it stands. */
export function createMask(hidden: readonly string[]): (text: string) => string {
  // The longest first: otherwise a secret that begins with another one would leave its end behind.
  const longestFirst = hidden.filter(text => text !== '').sort((a, b) => b.length - a.length);
  return text => longestFirst.reduce((masked, secret) => masked.replaceAll(secret, '***'), text);
}

/**
 * The texts of a PEM key to hide in logs: the whole key, and each of its lines, because the runner masks line by line.
 */
export function listKeyTexts(key: string): string[] {
  const lines = key.split('\n').map(line => line.trim());
  return [key.trim(), ...lines].filter(
    text => text.length >= MIN_HIDDEN_LENGTH && !/^-----.*-----$/.test(text),
  );
}
