// Handshakes: requests with which a provider asks whether the address exists, before it sends deliveries. Only the app
// can answer them, mostly by sending a part of them back within seconds. Used by verify/, which lets the unsigned ones
// through if a rule names them; by the queue, which never keeps one for later; and by the recorder, which names them.

import { forEachField, type RawHeaders } from '../raw-headers.ts';
import { parseObject, readValue, type WholeRequest } from './whole-request.ts';

/** A body of a handshake has a few hundred bytes; a longer one is not parsed. */
const MAX_BODY_BYTES = 16 * 1024;

const WORDS = ['"challenge"', 'endpoint.url_validation'];

type Predicate = (request: WholeRequest, query: URLSearchParams) => boolean;

/**
 * The unsigned ones, which a rule lets through with `handshake=`. Each is exact about method and query, has no body, and
 * none has a cookie, a password or another method: so it carries no authority but that of a stranger.
 */
const UNSIGNED = {
  /** Microsoft Graph, Bot Framework: the token comes back as plain text. */
  graph: ({ method }, query) => method === 'POST' && hasOne(query, 'validationToken'),
  /** Meta: Facebook, Instagram, WhatsApp, Messenger; also Strava. */
  meta: ({ method }, query) =>
    method === 'GET' &&
    query.get('hub.mode') === 'subscribe' &&
    ['hub.mode', 'hub.challenge', 'hub.verify_token'].every(name => hasOne(query, name)),
  /** WebSub hubs, such as YouTube's (W3C WebSub, 5.3). */
  websub: ({ method }, query) =>
    method === 'GET' &&
    ['subscribe', 'unsubscribe'].includes(query.get('hub.mode') ?? '') &&
    ['hub.mode', 'hub.topic', 'hub.challenge'].every(name => hasOne(query, name)),
  dropbox: ({ method }, query) => method === 'GET' && hasOne(query, 'challenge'),
  /** Trello, Mandrill: is there anything at all? */
  head: ({ method }) => method === 'HEAD',
  /** Mailchimp, SurveyMonkey: the same with GET. */
  get: ({ method }) => method === 'GET',
} as const satisfies Record<string, Predicate>;

/** Credentials, and fields that make some frameworks take another method (as `_method` in a query does). */
const NOT_IN_HANDSHAKES: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
]);

/** The signed ones: they pass by their signature, and only need to be known as what they are. */
const SIGNED = {
  slack: ({ method, body }) => {
    const message = method === 'POST' ? parseSmall(body) : undefined;
    return message?.type === 'url_verification' && typeof message.challenge === 'string';
  },
  zoom: ({ method, body }) => method === 'POST' && parseSmall(body)?.event === 'endpoint.url_validation',
  twitch: ({ method, rawHeaders }) =>
    method === 'POST' &&
    readValue(rawHeaders, 'twitch-eventsub-message-type') === 'webhook_callback_verification',
} as const satisfies Record<string, (request: WholeRequest) => boolean>;

/** Those of providers for which `verify` has no rule: only the queue needs to know them. */
const OTHER = {
  /** The secret has to come back in the same field. */
  asana: ({ rawHeaders }) => readValue(rawHeaders, 'x-hook-secret') !== undefined,
  /** Azure Event Grid. */
  eventgrid: ({ rawHeaders }) => readValue(rawHeaders, 'aeg-event-type') === 'SubscriptionValidation',
  /** monday.com: the same object has to come back. */
  monday: ({ method, body }) => {
    const { challenge, ...rest } = (method === 'POST' && parseSmall(body)) || {};
    return typeof challenge === 'string' && Object.keys(rest).length === 0;
  },
} as const satisfies Record<string, (request: WholeRequest) => boolean>;

export type UnsignedHandshake = keyof typeof UNSIGNED;
type SignedHandshake = keyof typeof SIGNED;
type OtherHandshake = keyof typeof OTHER;
export type Handshake = UnsignedHandshake | SignedHandshake | OtherHandshake;

/** The words of `handshake=`. */
export const UNSIGNED_HANDSHAKES = Object.keys(UNSIGNED).filter(isUnsigned);
const SIGNED_HANDSHAKES = Object.keys(SIGNED).filter(word => isSigned(word));
const OTHER_HANDSHAKES = Object.keys(OTHER).filter(word => isOther(word));

/** A plain GET or HEAD is one only where a rule says so; `wait` does not count them anyway. */
const ONLY_WITH_RULE: ReadonlySet<string> = new Set(['head', 'get']);

export function isUnsigned(word: string): word is UnsignedHandshake {
  return Object.hasOwn(UNSIGNED, word);
}

function isSigned(word: string): word is SignedHandshake {
  return Object.hasOwn(SIGNED, word);
}

function isOther(word: string): word is OtherHandshake {
  return Object.hasOwn(OTHER, word);
}

/** Which handshake the request looks like, on any path and without any rule; undefined if it looks like none. */
export function findHandshake(request: WholeRequest): Handshake | undefined {
  const known = UNSIGNED_HANDSHAKES.filter(word => !ONLY_WITH_RULE.has(word));
  return (
    findUnsignedHandshake(request, known) ??
    findSignedHandshake(request) ??
    OTHER_HANDSHAKES.find(word => OTHER[word](request))
  );
}

/** Which of these unsigned handshakes it is. `body` must have been read, unless none is announced. */
export function findUnsignedHandshake(
  request: WholeRequest,
  allowed: readonly UnsignedHandshake[],
): UnsignedHandshake | undefined {
  if (allowed.length === 0 || request.body.length > 0 || hasForeignField(request.rawHeaders))
    return undefined;
  const query = readQuery(request.target);
  if (query.has('_method')) return undefined;
  return allowed.find(word => UNSIGNED[word](request, query));
}

/** Which handshake a rightly signed request is. */
export function findSignedHandshake(request: WholeRequest): SignedHandshake | undefined {
  return SIGNED_HANDSHAKES.find(word => SIGNED[word](request));
}

function hasOne(query: URLSearchParams, name: string): boolean {
  const values = query.getAll(name);
  return values.length === 1 && values[0] !== '';
}

function hasForeignField(raw: RawHeaders): boolean {
  let found = false;
  forEachField(raw, name => {
    found ||= NOT_IN_HANDSHAKES.has(name.toLowerCase().replaceAll('_', '-'));
  });
  return found;
}

function readQuery(target: string): URLSearchParams {
  const start = target.indexOf('?');
  return new URLSearchParams(start === -1 ? '' : target.slice(start + 1));
}

/** Only what has a word of a handshake: to parse each body would slow down the recorder. */
function parseSmall(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  const mayBe = body.length <= MAX_BODY_BYTES && WORDS.some(word => body.includes(word));
  return mayBe ? parseObject(body) : undefined;
}
