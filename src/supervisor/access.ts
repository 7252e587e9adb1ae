// Decides what the `access` input means in this repository or on this machine. Used by step and commands before they
// plan an exposure.

import { randomBytes } from 'node:crypto';
import type { ExposureConfig } from '../exposure/config.ts';
import type { RequestedAccess } from '../inputs/gateway.ts';
import { InputError } from '../shared/errors.ts';
import type { Protocol } from '../shared/state.ts';

/** 192 bits. */
const GENERATED_KEY_BYTES = 24;

/** Who can open the preview, and why: the log shows the reason after "access KIND: ". */
export interface ResolvedAccess {
  access: ExposureConfig['gateway']['access'];
  reason: string;
}

/**
 * Resolves `auto`: `open` if everybody can read the repository anyway, otherwise a link with a key. Throws an
 * InputError if raw bytes would be open to everybody without the workflow saying so.
 */
export function resolveAccess(
  requested: RequestedAccess,
  protocol: Protocol,
  isPublic: boolean,
): ResolvedAccess {
  switch (requested.kind) {
    case 'open':
      return { access: requested, reason: 'open to everybody, as `access` says' };
    case 'basic':
      return { access: requested, reason: 'a user and a password' };
    case 'link':
      return requested.key === undefined
        ? generateLink()
        : {
            access: { kind: 'link', key: requested.key, isGenerated: false },
            reason: 'the key that was given',
          };
    case 'auto': {
      if (isPublic)
        return { access: { kind: 'open' }, reason: 'open to everybody, because the repository is public' };
      if (protocol === 'tcp')
        throw new InputError(
          '`protocol` is tcp, so anybody who finds the port can connect, and the repository is not known to be public: write access: open if you want that',
        );
      return generateLink();
    }
  }
}

function generateLink(): ResolvedAccess {
  const key = randomBytes(GENERATED_KEY_BYTES).toString('base64url');
  return {
    access: { kind: 'link', key, isGenerated: true },
    reason: 'a key of this run, which is part of the link',
  };
}
