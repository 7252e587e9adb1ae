// `expose replay`: sends a captured request again, to the app of a running preview or to another URL.

import * as v from 'valibot';
import { callControl } from '../control/client.ts';
import { renderCount } from '../shared/count.ts';
import { InputError } from '../shared/errors.ts';
import { type ReplayMessage, ReplayMessageSchema } from '../shared/replay-json.ts';
import { isRunning } from '../supervisor/session-folder.ts';
import type { Command } from './command.ts';
import { parseRequestId } from './request-table.ts';
import { findSession, SESSION_FLAG } from './running.ts';
import { print, printAside, printJson } from './terminal.ts';

/** The preview itself waits a minute for the answer. */
const TIMEOUT_MS = 75_000;

/** How much of the answer's body is printed; --json has more. */
const SHOWN_CHARACTERS = 2_000;

export const replay: Command = {
  summary: 'Send a captured request again, and print the answer.',
  usage: 'ID [--to URL] [--re-sign] [--session NAME]',
  notes:
    'Refused requests can be sent again, too. Exits with 0 if the status of the answer is below 400.\n' +
    'Most signatures are valid for five minutes: --re-sign makes a new one.',
  maxArguments: 1,
  flags: {
    'to URL': 'send it there, not to the app; without a path in URL, that of the request is used',
    're-sign': 'make a new signature, with the secret of `verify`',
    ...SESSION_FLAG,
  },
  async run(call) {
    const { flags, positionals } = call;
    const [idText] = positionals;
    if (idText === undefined)
      throw new InputError('which request? Give its id; `expose requests` lists them');
    const id = parseRequestId(idText);
    const order = {
      ...(typeof flags.to === 'string' && { to: flags.to }),
      ...(flags['re-sign'] === true && { re_sign: true }),
    };
    const found = findSession(call);
    const { session } = found;
    if (!isRunning(found)) throw new Error(`${session.name} has ended: a replay needs a running preview`);
    const answer = v.parse(
      ReplayMessageSchema,
      await callControl(session, `POST /api/requests/${id}/replay`, TIMEOUT_MS, order),
    );
    if (flags.json) printJson(answer);
    else print(renderAnswer(id, answer));
    if (answer.hint !== null && !flags.json) printAside(`expose replay: ${answer.hint}`);
    return answer.status < 400 ? 0 : 1;
  },
};

function renderAnswer(id: number, answer: ReplayMessage): string {
  const head = `request ${id} was answered with ${answer.status} after ${answer.duration_ms} ms`;
  const body = renderBody(answer);
  return body === '' ? head : `${head}\n\n${body}`;
}

function renderBody({ body, body_encoding, body_bytes }: ReplayMessage): string {
  const text = body_encoding === 'utf8' ? (body ?? '') : '';
  if (text === '') return body_bytes === 0 ? '' : `(${renderCount(body_bytes, 'byte')}, not text)`;
  const shown = text.slice(0, SHOWN_CHARACTERS).trimEnd();
  const isCut = text.length > SHOWN_CHARACTERS || Buffer.byteLength(text) < body_bytes;
  return isCut ? `${shown}\n… (${renderCount(body_bytes, 'byte')} in all; --json shows more)` : shown;
}
