// What the `access` input comes to in this repository or on this machine. Used before an exposure is planned.

import { randomBytes } from 'node:crypto';
import type { ExposureConfig } from '../exposure/config.ts';
import type { AccessWish } from '../inputs/gateway.ts';
import { InputError } from '../shared/errors.ts';
import type { Protocol } from '../shared/state.ts';

/** 192 bits. */
const GENERATED_KEY_BYTES = 24;

/** Who is let in, and why, to follow "access: ". */
export interface SettledAccess {
  access: ExposureConfig['gateway']['access'];
  reason: string;
}

/**
 * What `auto` means here: `open` where everybody can see the code anyway, else a link with a key. Throws an InputError
 * where raw bytes would have to be open without anybody having said so.
 */
export function settleAccess(wish: AccessWish, protocol: Protocol, isPublic: boolean): SettledAccess {
  switch (wish.kind) {
    case 'open':
      return { access: wish, reason: 'open to everybody, as `access` says' };
    case 'basic':
      return { access: wish, reason: 'a user and a password' };
    case 'link': {
      const [key, reason] = wish.key ? [wish.key, 'the key that was given'] : [generateKey(), GENERATED];
      return { access: { kind: 'link', key, isGenerated: wish.key === undefined }, reason };
    }
    case 'auto': {
      if (isPublic)
        return { access: { kind: 'open' }, reason: 'open to everybody, for the repository is public' };
      if (protocol === 'tcp')
        throw new InputError(
          '`protocol` is tcp, so that everybody who finds the port is in, and it is not known that everybody may see this: write access: open if that is meant',
        );
      return { access: { kind: 'link', key: generateKey(), isGenerated: true }, reason: GENERATED };
    }
  }
}

const GENERATED = 'a key of this run, which is part of the link';

function generateKey(): string {
  return randomBytes(GENERATED_KEY_BYTES).toString('base64url');
}
