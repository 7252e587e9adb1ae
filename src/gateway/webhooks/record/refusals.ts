// Why a captured request did not reach the app, and what to do, in sentences for the record. Used by the passes and by
// those who refuse a body.

import { BodyTooLarge } from '../../body-limit.ts';
import type { Refusal } from '../../guard.ts';

export const PLAIN_HTTP = 'it was sent over http: register the https address with the sender';

export const TOO_SLOW =
  'its upload stood still, or came too slowly (408): the sender must send it again, without pauses of a minute';

export const APP_AWAY = 'the app was not running: the sender must send it again when it is';

export const BEHIND_MALFORMED = 'it came behind a malformed request on the same connection, which was closed';

/** `status` is that of the answer. */
export function describeAccessRefusal(status: number): string {
  switch (status) {
    case 403:
      return 'a browser sent it for a page of another site (403): if other sites may, list its path in `public-paths`';
    case 303:
      return 'it opened the link with the key, and was redirected to the same address without it (303)';
    case 204:
      return "it was a browser's question before a request of another site (a CORS preflight), and the gateway answered it";
    default:
      return `it had no key or password (${status}): list its path in \`public-paths\`, or let the sender send the key`;
  }
}

export function describeMalformed({ status, reason }: Refusal): string {
  return status === 421
    ? 'its Host is not the address of this preview (421): register the address as the output `url` gives it'
    : `it was malformed (${status}): ${reason}`;
}

export function describeRefusedBody(error: Error): string {
  return error instanceof BodyTooLarge
    ? `${error.message} (413): raise \`max-body\` if the sender may send that much`
    : `${error.message} (400): send the preview's key with it`;
}
