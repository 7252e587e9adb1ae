// The media types of the files a web app is built of. Used by response.ts and stored-encoding.ts.

import { decodeSegment } from './files.ts';

const TEXT = 'text/plain; charset=utf-8';
const HTML = 'text/html; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';
const JSON_TYPE = 'application/json';
const XML = 'application/xml';
const ICON = 'image/vnd.microsoft.icon';

/**
 * `application/wasm` decides whether a browser compiles while it loads; a module with a wrong type does not load. Text
 * that browsers would download under its own type is shown as plain text.
 */
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  html: HTML,
  htm: HTML,
  xhtml: 'application/xhtml+xml',
  css: 'text/css; charset=utf-8',
  js: SCRIPT,
  mjs: SCRIPT,
  cjs: SCRIPT,
  wasm: 'application/wasm',
  json: JSON_TYPE,
  map: JSON_TYPE,
  topojson: JSON_TYPE,
  geojson: 'application/geo+json',
  jsonld: 'application/ld+json',
  webmanifest: 'application/manifest+json',
  txt: TEXT,
  log: TEXT,
  ini: TEXT,
  toml: TEXT,
  jsonl: TEXT,
  wat: TEXT,
  wgsl: TEXT,
  glsl: TEXT,
  vert: TEXT,
  frag: TEXT,
  md: 'text/markdown; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  tsv: 'text/tab-separated-values; charset=utf-8',
  yaml: 'text/yaml; charset=utf-8',
  yml: 'text/yaml; charset=utf-8',
  vtt: 'text/vtt; charset=utf-8',
  ics: 'text/calendar; charset=utf-8',
  xml: XML,
  xsl: XML,
  xslt: 'application/xslt+xml',
  rss: 'application/rss+xml',
  atom: 'application/atom+xml',
  svg: 'image/svg+xml',
  png: 'image/png',
  apng: 'image/apng',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  jfif: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  jxl: 'image/jxl',
  heic: 'image/heic',
  tif: 'image/tiff',
  tiff: 'image/tiff',
  ico: ICON,
  cur: ICON,
  bmp: 'image/bmp',
  ktx2: 'image/ktx2',
  woff: 'font/woff',
  woff2: 'font/woff2',
  ttf: 'font/ttf',
  otf: 'font/otf',
  ttc: 'font/collection',
  eot: 'application/vnd.ms-fontobject',
  mp3: 'audio/mpeg',
  ogg: 'audio/ogg',
  oga: 'audio/ogg',
  opus: 'audio/ogg',
  wav: 'audio/wav',
  flac: 'audio/flac',
  aac: 'audio/aac',
  m4a: 'audio/mp4',
  weba: 'audio/webm',
  mid: 'audio/midi',
  mp4: 'video/mp4',
  m4v: 'video/mp4',
  m4s: 'video/iso.segment',
  mov: 'video/quicktime',
  ogv: 'video/ogg',
  webm: 'video/webm',
  mkv: 'video/matroska',
  ts: 'video/mp2t',
  m3u8: 'application/vnd.apple.mpegurl',
  mpd: 'application/dash+xml',
  pdf: 'application/pdf',
  epub: 'application/epub+zip',
  zip: 'application/zip',
  gz: 'application/gzip',
  tgz: 'application/gzip',
  zst: 'application/zstd',
  tar: 'application/x-tar',
  glb: 'model/gltf-binary',
  gltf: 'model/gltf+json',
  obj: 'model/obj',
  mtl: 'model/mtl',
  stl: 'model/stl',
  usdz: 'model/vnd.usdz+zip',
};

/** Files without an ending whose readers insist on a type (Apple, Supporting associated domains). */
const NAMED_TYPES: Readonly<Record<string, string>> = { 'apple-app-site-association': JSON_TYPE };

/** The type for the ending of a URL path; bytes of an unknown kind are offered as a download. */
export function findMediaType(path: string): string {
  const name = decodeSegment(path.slice(path.lastIndexOf('/') + 1)).toLowerCase();
  const ending = /\.([^.]+)$/.exec(name)?.[1] ?? '';
  return lookUp(MEDIA_TYPES, ending) ?? lookUp(NAMED_TYPES, name) ?? 'application/octet-stream';
}

function lookUp(types: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(types, name) ? types[name] : undefined;
}
