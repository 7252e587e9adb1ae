// Parses single input values. Each parser names the input and the value in its InputError. Used by the files of this
// folder and by commands/server.ts.

import { InputError } from '../shared/errors.ts';
import type { Protocol } from '../shared/state.ts';

export const DEFAULT_HEALTH_PATH = '/';
export const DEFAULT_STARTUP_TIMEOUT = '120s';
export const DEFAULT_STOP_TIMEOUT = '5s';

/**
 * A template such as `https://{port}.preview.example.com`, with a scheme of the protocol and nothing after the port.
 */
export function parsePublicUrl(template: string, protocol: Protocol): string {
  const sample = template.replaceAll('{host}', 'host.example').replaceAll('{port}', '12345');
  const url = URL.canParse(sample) ? new URL(sample) : undefined;
  const problem = url === undefined ? PUBLIC_URLS[protocol].problem : findProblem(url, sample, protocol);
  if (problem === undefined) return template.replace(/\/$/, '');
  throw new InputError(
    `\`public-url\` is '${template}', which ${problem}: write it like ${PUBLIC_URLS[protocol].example}`,
  );
}

const PUBLIC_URLS = {
  http: {
    scheme: /^https?:$/,
    problem: 'is not an http or https address',
    example: 'https://{port}.preview.example.com',
  },
  tcp: {
    scheme: /^tcp:$/,
    problem: 'is not a tcp address, which `protocol: tcp` needs',
    example: 'tcp://preview.example.com:{port}',
  },
} as const;

function findProblem(url: URL, sample: string, protocol: Protocol): string | undefined {
  if (!PUBLIC_URLS[protocol].scheme.test(url.protocol)) return PUBLIC_URLS[protocol].problem;
  if (/[{}]/.test(sample)) return 'has a placeholder other than {host} and {port}';
  const rest = `${url.pathname}${url.search}${url.hash}`;
  if ((rest !== '/' && rest !== '') || url.username !== '') return 'has more than a host and a port';
  return protocol === 'tcp' && url.port === '' ? 'has no port' : undefined;
}

export function parseWholeNumber(
  text: string | undefined,
  input: string,
  min: number,
  max: number,
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new InputError(`\`${input}\` is '${text}': write a whole number from ${min} to ${max}`);
}

export function parseBoolean(text: string, input: string, fallback: boolean): boolean {
  const word = text.toLowerCase();
  if (word === '') return fallback;
  if (word === 'true' || word === 'false') return word === 'true';
  throw new InputError(`\`${input}\` is '${text}': write true or false`);
}

export function parseChoice<const T extends string>(text: string, input: string, choices: readonly T[]): T {
  const found = choices.find(choice => choice === text.toLowerCase());
  if (found !== undefined) return found;
  throw new InputError(`\`${input}\` is '${text}': write one of ${choices.join(', ')}`);
}

export function parseHealthPath(text: string): string {
  if (/^\/[^\s#]*$/.test(text) && !text.startsWith('//')) return text;
  throw new InputError(`\`health-path\` is '${text}': write a path that begins with one /`);
}

/** What no path of a folder holds: an empty or dotted segment, an encoded separator, a bare percent sign. */
const BROKEN_PATH = /\/\/|\/(\.|%2e){1,2}\/|%(2f|5c|00)|%(?![\da-f]{2})/i;

/**
 * The base path of a web app, percent-encoded and with a slash at both ends; `auto` as it is. People write it with and
 * without the last slash (Vite's `base`, `homepage` of Create React App).
 */
export function parseBasePath(text: string): string {
  if (text.toLowerCase() === 'auto') return 'auto';
  const path = text.endsWith('/') ? text : `${text}/`;
  if (/^\/[^\s?#\\]*$/.test(path) && !BROKEN_PATH.test(path))
    return new URL(path, 'http://host.example').pathname;
  throw new InputError(
    `\`base-path\` is '${text}': write auto, or a path that begins with one /, like /repo/`,
  );
}

const BYTES = { '': 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 } as const;

/** Bytes of `500KB`, `25MB` or `2GB`; as with most servers, 1 KB is 1,024 bytes. */
export function parseBytes(text: string, input: string): number {
  const [, count, unit = ''] = /^(\d{1,12}(?:\.\d{1,3})?) ?([kmg]?i?b?)$/.exec(text.toLowerCase()) ?? [];
  const factor = Object.entries(BYTES).find(
    ([name]) => name === unit.replace('i', '') || name === `${unit}b`,
  );
  const bytes = Math.floor(Number(count) * (factor?.[1] ?? 0));
  if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw new InputError(`\`${input}\` is '${text}', which is not a size: write it like 500KB, 25MB or 2GB`);
}
