// Content codings (RFC 9110, 8.4): which one a visitor is sent, and which media types are worth one. Used by the
// gateway for the app's answers, and by `mode: web` for files. Pure.

import { Memo } from './memo.ts';

/** In our order: zstd takes the least time. */
const CODINGS = ['zstd', 'br', 'gzip'] as const;
export type Coding = (typeof CODINGS)[number];

const ALIASES: Readonly<Record<string, string>> = { 'x-gzip': 'gzip' };

/** A shorter body fits into one packet anyway. */
export const MIN_BYTES = 1_024;

/** Types besides text/* and those that end like +json. */
const COMPRESSIBLE: ReadonlySet<string> = new Set([
  'application/ecmascript',
  'application/graphql',
  'application/javascript',
  'application/json',
  'application/json5',
  'application/jsonlines',
  'application/jwk-set',
  'application/manifest',
  'application/ndjson',
  'application/rtf',
  'application/sql',
  'application/toml',
  'application/typescript',
  'application/vnd.ms-fontobject',
  'application/wasm',
  'application/x-font-ttf',
  'application/x-javascript',
  'application/x-jsonlines',
  'application/x-ndjson',
  'application/x-sh',
  'application/x-yaml',
  'application/xml',
  'application/xml-dtd',
  'application/yaml',
  'font/collection',
  'font/otf',
  'font/sfnt',
  'font/ttf',
  'image/bmp',
  'image/svg',
  'image/vnd.microsoft.icon',
  'image/x-icon',
  'image/x-ms-bmp',
]);

/** Types that say little about the bytes: a sample of them decides. */
const DOUBTFUL: ReadonlySet<string> = new Set([
  'application/cbor',
  'application/msgpack',
  'application/octet-stream',
  'application/protobuf',
  'application/vnd.msgpack',
  'application/vnd.sqlite3',
  'application/x-msgpack',
  'application/x-protobuf',
  'application/x-sqlite3',
  'application/x-tar',
  'model/gltf-binary',
]);

/** `doubtful`: ask `savesEnough` about the first bytes. */
export type Worth = 'yes' | 'no' | 'doubtful';

/** Whether bytes of this `Content-Type` usually get smaller. Not streams of events and calls. */
export function rateMediaType(contentType: string): Worth {
  return RATINGS.read(contentType);
}

const RATINGS = new Memo<Worth>(contentType => {
  const type = (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
  if (type === 'text/event-stream' || type.startsWith('application/grpc')) return 'no';
  if (DOUBTFUL.has(type)) return 'doubtful';
  return type.startsWith('text/') || /\+(?:json|json-seq|text|xml|yaml)$/.test(type) || COMPRESSIBLE.has(type)
    ? 'yes'
    : 'no';
});

/**
 * The coding that the visitor weights highest in its `Accept-Encoding` (RFC 9110, 12.5.3); of equal ones, the first in
 * `offered`. Undefined: send the bytes as they are. `*` stands for gzip, the only coding that everybody knows.
 */
export function chooseCoding(
  accepted: string | undefined,
  offered: readonly Coding[] = CODINGS,
): Coding | undefined {
  if (accepted === undefined || accepted === '') return undefined;
  const weights = WEIGHTS.read(accepted);
  const weightOf = (name: string) =>
    weights.get(name) ?? (name === 'gzip' ? weights.get('*') : undefined) ?? 0;
  let best: Coding | undefined;
  let bestWeight = weights.get('identity') ?? 0;
  for (const coding of offered) {
    const weight = weightOf(coding);
    if (weight === 0 || (best === undefined ? weight < bestWeight : weight <= bestWeight)) continue;
    [best, bestWeight] = [coding, weight];
  }
  return best;
}

/** Coding → weight from 0 to 1. An element that is not well-formed is ignored. */
const WEIGHTS = new Memo<ReadonlyMap<string, number>>(accepted => {
  const weights = new Map<string, number>();
  for (const element of accepted.toLowerCase().split(',')) {
    const match = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?$/.exec(element);
    if (match?.[1] === undefined) continue;
    const weight = Math.min(1, Number(match[2] ?? 1));
    weights.set(ALIASES[match[1]] ?? match[1], weight);
  }
  return weights;
});
