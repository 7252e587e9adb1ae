// Decides which header fields pass the gateway. Fields about one connection do not, forwarding fields are replaced by our
// own, and names.ts maps the fields that name the preview. Used by proxy.ts, answer-relay.ts and upgrade.ts. Pure.

import { Memo } from '../../shared/memo.ts';
import { dropUpgrade } from '../../shared/upgrade-policy.ts';
import { foldName, forEachField, type RawHeaders } from '../raw-headers.ts';
import type { Names, RequestNames } from './names.ts';

// RFC 9110, 7.6.1, with the older ones of RFC 2616, 13.5.1. They describe one connection and must not be forwarded.
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

// Replaced by our own values, or handled by the gateway: the app must not trust what a visitor claims about itself. The
// addresses are those that frameworks, their plug-ins and clients of content delivery networks read by default: Rails
// (`Client-IP`), chi and gin (Go), request-ip (npm), django-ipware, WebLogic, App Engine, Envoy, Netlify and others.
// `Trailer` is removed because the client cannot send the trailers of a request. The two `-url` fields make some frameworks
// serve a path other than the requested one, for which access.ts might have required a key. `Proxy` would become HTTP_PROXY
// in the environment of CGI programs, which then send their own requests through it (https://httpoxy.org).
const NOT_FROM_VISITORS: ReadonlySet<string> = new Set([
  ...['expect', 'host', 'proxy', 'trailer', 'x-original-url', 'x-rewrite-url'],
  ...['cdn-src-ip', 'cf-connecting-ipv6', 'cf-pseudo-ipv4', 'cloudfront-viewer-address', 'forwarded'],
  ...['remote-addr', 'remote-ip'],
  ...['x-appengine-remote-addr', 'x-azure-socketip', 'x-envoy-external-address', 'x-nf-client-connection-ip'],
  ...['x-original-for', 'x-originating-ip', 'x-remote-addr', 'x-remote-ip'],
]);

/** How the other names of such fields end: `Client-IP`, `True-Client-IP`, `CF-Connecting-IP`, `X-Real-IP` … */
const ADDRESS_END = /(?:^|-)(?:client|connecting|proxyuser|real|user)-?ip$|(?:^|-)forwarded-?for$/;

// A trailer must not change the framing, routing or cookies of the head (RFC 9110, 6.5.1).
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set(['content-length', 'host', 'set-cookie', 'trailer']);

/** What a name says about its field. */
interface FieldName {
  /** In lower case. */
  key: string;
  isHopByHop: boolean;
  /** Whether the field says something that only the gateway, or a proxy in front, may say. */
  isClaim: boolean;
}

const NAMES = new Memo<FieldName>(name => {
  const key = name.toLowerCase();
  return { key, isHopByHop: HOP_BY_HOP.has(key), isClaim: isClaim(foldName(key)) };
});

/** What else a `Connection` lists: usually nothing. */
const CONNECTION_OPTIONS = new Memo<ReadonlySet<string>>(value => {
  const options = value.split(',').map(option => option.trim().toLowerCase());
  return new Set(options.filter(option => !HOP_BY_HOP.has(option)));
});

/**
 * The head for the app. Only with a `visitorAddress` there is an `X-Forwarded-For`: bore does not pass on the address, so
 * only a proxy in front can know it.
 */
export function renderRequestHeaders(
  raw: RawHeaders,
  names: RequestNames,
  visitorAddress?: string | undefined,
): string[] {
  const headers = ['host', names.host];
  const listed = readConnectionOptions(raw);
  forEachField(raw, (name, value) => {
    const { key, isHopByHop, isClaim } = NAMES.read(name);
    if (isHopByHop || isClaim || listed.has(key)) return;
    const mapped = names.toApp(key, value);
    if (mapped !== undefined) headers.push(name, mapped);
  });
  headers.push(...names.forwardedFields);
  if (visitorAddress !== undefined) headers.push('x-forwarded-for', visitorAddress);
  return headers;
}

function isClaim(name: string): boolean {
  return NOT_FROM_VISITORS.has(name) || name.startsWith('x-forwarded') || ADDRESS_END.test(name);
}

/** The head for the visitor. `keepsTrailer`: whether the answer is sent chunked, the only form with trailers. */
export function renderResponseHeaders(
  raw: RawHeaders,
  names: Names,
  { status, keepsTrailer }: { status: number; keepsTrailer: boolean },
): string[] {
  const listed = readConnectionOptions(raw);
  const headers: string[] = [];
  forEachField(raw, (name, value) => {
    const { key, isHopByHop } = NAMES.read(name);
    if (isHopByHop || listed.has(key) || (key === 'trailer' && !keepsTrailer)) return;
    // RFC 9110, 8.6: these answers have no length, and some clients would wait for that many bytes.
    if (key === 'content-length' && (status === 204 || status < 200)) return;
    const mapped = names.toVisitor(key, value);
    const shown = names.isPlain && key === 'content-security-policy' ? dropUpgrade(mapped) : mapped;
    if (shown !== '' || value === '') headers.push(name, shown);
  });
  return headers;
}

/** Trailers as `[name, value]` pairs, without fields that are not allowed there. */
export function renderTrailers(raw: RawHeaders, names: Names): [string, string][] {
  const trailers: [string, string][] = [];
  forEachField(raw, (name, value) => {
    const { key, isHopByHop } = NAMES.read(name);
    if (!isHopByHop && !NOT_IN_TRAILERS.has(key)) trailers.push([name, names.toVisitor(key, value)]);
  });
  return trailers;
}

/** The names that `Connection` lists: their fields describe this connection too (RFC 9110, 7.6.1). */
function readConnectionOptions(raw: RawHeaders): ReadonlySet<string> {
  let listed: ReadonlySet<string> = NONE;
  forEachField(raw, (name, value) => {
    if (NAMES.read(name).key === 'connection') listed = join(listed, CONNECTION_OPTIONS.read(value));
  });
  return listed;
}

const NONE: ReadonlySet<string> = new Set();

function join(some: ReadonlySet<string>, others: ReadonlySet<string>): ReadonlySet<string> {
  return some.size === 0 ? others : new Set([...some, ...others]);
}
