// Entity tags that the gateway has weakened. A compressed answer has other bytes than the app's, so its tag is weak
// (RFC 9110, 8.8.1). But some visitors send the tag back in If-Match, where a weak one never matches: the app gets its
// own tag then. Used by compression.ts and proxy.ts.

import { copyText } from '../../shared/memo.ts';
import { rewriteFields } from '../raw-headers.ts';

/** Far more than one visitor has in use at a time. If a tag is forgotten, the app gets the weak one. */
const MAX_TAGS = 2_000;
const MAX_TAG_LENGTH = 256;

/** Fields that the app compares with its own tag. Not If-Range: a part must not be added to compressed bytes. */
const CONDITIONS = ['if-match', 'if-none-match'] as const;

export class WeakenedTags {
  /** The app's own tags, which are strong; the one used longest ago first. */
  readonly #strong = new Set<string>();

  /** The tag for the visitor. */
  weaken(tag: string): string {
    if (!tag.startsWith('"')) return tag;
    this.#remember(tag);
    return `W/${tag}`;
  }

  /** Changes weakened tags in the conditions of a request back into the app's own. */
  restore(headers: string[]): void {
    if (this.#strong.size === 0) return;
    for (const name of CONDITIONS)
      rewriteFields(headers, name, value =>
        value.replaceAll(/W\/("[^"]*")/g, (weak, tag: string) => (this.#strong.has(tag) ? tag : weak)),
      );
  }

  /** Whether the visitor has a compressed copy with this tag of the app: a 304 must then have the weakened tag too. */
  isHeldBy(condition: string, tag: string): boolean {
    return this.#strong.has(tag) && condition.includes(`W/${tag}`);
  }

  #remember(tag: string): void {
    if (tag.length > MAX_TAG_LENGTH) return;
    this.#strong.delete(tag);
    this.#strong.add(copyText(tag));
    const [oldest] = this.#strong;
    if (this.#strong.size > MAX_TAGS && oldest !== undefined) this.#strong.delete(oldest);
  }
}
