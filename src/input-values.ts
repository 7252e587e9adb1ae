// How single input values are written. Each parser names the input and the value in its InputError; used by inputs.

import { InputError } from './errors.ts';

/** A template such as `https://{port}.preview.example.com`: http or https, and nothing after the port. */
export function parsePublicUrl(template: string): string {
  const sample = template.replaceAll('{host}', 'host.example').replaceAll('{port}', '12345');
  const url = URL.canParse(sample) ? new URL(sample) : undefined;
  const problem =
    url === undefined || !/^https?:$/.test(url.protocol)
      ? 'is no http or https address'
      : /[{}]/.test(sample)
        ? 'has a placeholder other than {host} and {port}'
        : `${url.pathname}${url.search}${url.hash}` !== '/' || url.username !== ''
          ? 'has more than a host and a port'
          : undefined;
  if (problem === undefined) return template.replace(/\/$/, '');
  throw new InputError(
    `\`public-url\` is '${template}', which ${problem}: write it like https://{port}.preview.example.com`,
  );
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

export function parseVersion(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (!/^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(text))
    throw new InputError(`\`wasmrun-version\` is '${text}': write an exact version like 1.0.0`);
  const version = text.replace(/^v/, '');
  if (/^0\.|^1\.0\.0-/.test(version))
    throw new InputError(`\`wasmrun-version\` is '${text}', which is too old: 1.0.0 is the first that works`);
  return version;
}

export function parseHealthPath(text: string): string {
  if (/^\/[^\s#]*$/.test(text) && !text.startsWith('//')) return text;
  throw new InputError(`\`health-path\` is '${text}': write a path that begins with one /`);
}
