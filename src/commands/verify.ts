// `expose verify`: says whether a request is signed rightly: a recorded one of a running preview, or a saved one.

import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import * as v from 'valibot';
import { callControl } from '../control/client.ts';
import { checkSignature } from '../exposure/signature-check.ts';
import { describeError, InputError } from '../shared/errors.ts';
import {
  type GivenRule,
  type SignatureAnswer,
  SignatureAnswerSchema,
  type SignatureOrder,
  splitUrl,
} from '../shared/signature-check.ts';
import type { Command, CommandCall, Flags } from './command.ts';
import { parseRequestId } from './request-table.ts';
import { findSession, SESSION_FLAG } from './running.ts';
import { readFlagFile } from './secrets.ts';
import { print, printJson } from './terminal.ts';

/** If the provider does not sign the URL, any will do. */
const ANY_URL = 'https://localhost/';

export const verify: Command = {
  summary: 'Say whether a request is signed rightly, and what is wrong with it otherwise.',
  usage: '[ID] [--provider NAME --secret-file FILE] [--header LINE] … [--body-file FILE]',
  notes:
    'With ID: a recorded request, by the rules of the running preview, or by --provider.\n' +
    'Without: the request that --header, --body-file and --url describe. Exits with 0 if right.',
  maxArguments: 1,
  flags: {
    'provider NAME': 'github, stripe, slack, … as in the input `verify`',
    'secret-file FILE': 'file that holds the secret of the provider',
    'option NAME=VALUE…': 'an option of the rule, such as header=X-Signature; may be repeated',
    'header LINE…': "a header field, like 'X-Hub-Signature-256: sha256=…'; may be repeated",
    'body-file FILE': 'the body, byte for byte; - for standard input (default: none)',
    'url URL': 'the URL that was called (Twilio and Square sign it)',
    'method NAME': 'default POST',
    'at TIME': 'when it came, like 2026-01-31T12:00:00Z (default: when recorded, else now)',
    ...SESSION_FLAG,
  },
  async run(call) {
    const [id] = call.positionals;
    const answer = id === undefined ? await checkSaved(call) : await checkRecorded(call, id);
    if (call.flags.json) printJson(answer);
    else print(renderAnswer(answer));
    return answer.right ? 0 : 1;
  },
};

async function checkRecorded(call: CommandCall, idText: string): Promise<SignatureAnswer> {
  const { flags } = call;
  for (const name of ['header', 'body-file', 'url', 'method'])
    if (flags[name] !== undefined)
      throw new InputError(`--${name} describes a saved request: leave it out, or leave the id out`);
  const id = parseRequestId(idText);
  const at = readTime(flags);
  const order: SignatureOrder = {
    id,
    ...(flags.provider !== undefined && { rule: readRule(flags) }),
    ...(at !== undefined && { at: at.toISOString() }),
  };
  const { session } = findSession(call);
  return v.parse(SignatureAnswerSchema, await callControl(session, 'POST /api/verify', undefined, order));
}

async function checkSaved({ flags }: CommandCall): Promise<SignatureAnswer> {
  const rule = readRule(flags);
  const { origin, target } = parseUrl(typeof flags.url === 'string' ? flags.url : ANY_URL);
  const request = {
    method: typeof flags.method === 'string' ? flags.method.toUpperCase() : 'POST',
    target,
    rawHeaders: readHeaders(flags),
    body: await readBody(flags['body-file']),
  };
  return checkSignature({ request, origin, rule, at: readTime(flags) ?? new Date() }, [], undefined);
}

function readRule(flags: Flags): GivenRule {
  const { provider, 'secret-file': file } = flags;
  if (typeof provider !== 'string')
    throw new InputError('which provider? Give --provider, or the id of a recorded request');
  if (typeof file !== 'string') throw new InputError('which secret? Give --secret-file');
  const options = readList(flags.option).map((text): [string, string] => {
    const end = text.indexOf('=');
    if (end < 1) throw new InputError(`--option is not written like header=X-Signature`);
    return [text.slice(0, end), text.slice(end + 1)];
  });
  return { provider, secret: readFlagFile('secret-file', file), options: Object.fromEntries(options) };
}

function readHeaders(flags: Flags): string[] {
  return readList(flags.header).flatMap(line => {
    const [, name, value] = /^([^\s:]+):\s*(.*?)\s*$/s.exec(line) ?? [];
    if (name === undefined || value === undefined)
      throw new InputError("--header is not written like 'X-Hub-Signature-256: sha256=…'");
    return [name, value];
  });
}

function readList(flag: Flags[string]): readonly string[] {
  return typeof flag === 'object' ? flag : [];
}

async function readBody(file: Flags[string]): Promise<Buffer> {
  if (typeof file !== 'string') return Buffer.alloc(0);
  if (file === '-') return await buffer(process.stdin);
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new InputError(`--body-file ${file} cannot be read: ${describeError(cause)}`, { cause });
  }
}

function readTime({ at }: Flags): Date | undefined {
  if (typeof at !== 'string') return undefined;
  const seconds = /^\d{9,11}$/.test(at) ? Number(at) * 1000 : at;
  const time = new Date(seconds);
  if (Number.isNaN(time.getTime()))
    throw new InputError(`--at is '${at}': write a time like 2026-01-31T12:00:00Z, or Unix seconds`);
  return time;
}

function parseUrl(url: string): { origin: string; target: string } {
  const parts = splitUrl(url);
  if (parts === undefined)
    throw new InputError(`--url is '${url}': write it like https://preview.example/webhooks/github`);
  return parts;
}

function renderAnswer({ right, verified, handshake, reason }: SignatureAnswer): string {
  if (!right) return `wrong: ${reason}`;
  const what = handshake === null ? '' : ` (the handshake ${handshake})`;
  return verified === null
    ? `let through without a signature${what}`
    : `right: signed for ${verified}${what}`;
}
