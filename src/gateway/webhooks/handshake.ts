// Recognises the requests by which a provider checks an address before it sends webhooks there. Only the app can answer
// them, and it must answer at once. Used by queue-pass.ts.

import type { HttpRequest } from '../../shared/http-message.ts';
import { readTarget } from '../visit.ts';

/** Handshakes are a few hundred bytes long; a longer body is not parsed. */
const MAX_BODY_BYTES = 16 * 1024;

/**
 * Whether the head shows it: Microsoft Graph (`validationToken` in the query), Azure Event Grid, Twitch EventSub, Asana
 * (`X-Hook-Secret`).
 */
export function isHandshakeHead(request: HttpRequest): boolean {
  const { headers } = request;
  const [, query = ''] = readTarget(request).split('?', 2);
  return (
    /(?:^|&)validationtoken=/i.test(query) ||
    headers['aeg-event-type'] === 'SubscriptionValidation' ||
    headers['twitch-eventsub-message-type'] === 'webhook_callback_verification' ||
    headers['x-hook-secret'] !== undefined
  );
}

/** Whether the body shows it: a `challenge` (Slack, Lark, monday.com), or Zoom's `endpoint.url_validation`. */
export function isHandshakeBody(body: Buffer): boolean {
  if (body.length > MAX_BODY_BYTES) return false;
  const message = parseObject(body.toString());
  return (
    message !== undefined &&
    (('challenge' in message && typeof message.challenge === 'string') ||
      ('event' in message && message.event === 'endpoint.url_validation'))
  );
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
