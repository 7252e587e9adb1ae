// `expose requests`: lists the requests that a running preview has captured, shows one, or prints each that comes.

import * as v from 'valibot';
import { callControl, openEvents } from '../control/client.ts';
import { readFilter } from '../control/requests/filter.ts';
import { InputError } from '../shared/errors.ts';
import { RequestMessageSchema } from '../shared/request-json.ts';
import { isRunning, type Session } from '../supervisor/session-folder.ts';
import type { Command, CommandCall, ExitCode } from './command.ts';
import { renderRow, renderTable, renderWhole } from './request-table.ts';
import { findSession, SESSION_FLAG } from './running.ts';
import { print, printAside, printJson, printWholeJson } from './terminal.ts';

/** Long lists, with 64 MB of bodies, take a while. */
const TIMEOUT_MS = 60_000;

/** People see requests as pages show them: a terminal may be the log of a job. */
const SHOWN = 'redact=auto';

const ListSchema = v.looseObject({ requests: v.array(RequestMessageSchema) });
const OneSchema = v.looseObject({ request: RequestMessageSchema });

export const requests: Command = {
  summary: 'List the requests that a preview has captured, or print one of them.',
  usage: '[ID] [--path PATTERN] [--method METHODS] [--since ID] [--follow]',
  notes:
    'Refused requests are listed too, with the reason. Times are in UTC. Credentials and\n' +
    'signatures are blanked unless `redact` is false; --json has everything as it came.',
  maxArguments: 1,
  flags: {
    'path PATTERN': 'only requests to these paths, for example /webhooks/**',
    'method METHODS': 'only these methods, with commas',
    'since ID': 'only requests after this one',
    follow: 'print each request that comes, until Ctrl-C or the end of the preview',
    ...SESSION_FLAG,
  },
  async run(call) {
    const found = findSession(call);
    const { session } = found;
    if (!isRunning(found)) throw new Error(`${session.name} has ended, and its captured requests with it`);
    const [id] = call.positionals;
    const filters = ['path', 'method', 'since'].filter(name => call.flags[name] !== undefined);
    if (id !== undefined) {
      if (filters.length > 0 || call.flags.follow)
        throw new InputError(`an ID names one request: leave out --${filters[0] ?? 'follow'}`);
      return showOne(session, id, call.flags.json === true);
    }
    if (call.flags.follow) return follow(session, call);
    return list(session, call);
  },
};

async function showOne(session: Session, id: string, json: boolean): Promise<ExitCode> {
  const query = json ? '' : `?${SHOWN}`;
  const answer = await callControl(
    session,
    `GET /api/requests/${encodeURIComponent(id)}${query}`,
    TIMEOUT_MS,
  );
  const { request } = v.parse(OneSchema, answer);
  if (json) await printWholeJson(request);
  else print(renderWhole(request));
  return 0;
}

async function list(session: Session, call: CommandCall): Promise<ExitCode> {
  const query = `${readQuery(call)}${call.flags.json ? '' : `&bodies=false&${SHOWN}`}`;
  const answer = await callControl(session, `GET /api/requests?${query}`, TIMEOUT_MS);
  const { requests: found } = v.parse(ListSchema, answer);
  if (call.flags.json) await printWholeJson(answer);
  else if (found.length > 0) print(renderTable(found));
  else printAside('expose requests: there are none');
  return 0;
}

/** Those that came already, and then each when it has its answer. */
async function follow(session: Session, call: CommandCall): Promise<ExitCode> {
  const query = readQuery(call);
  const { hasPath, hasMethod, since } = readFilter(query, Number.POSITIVE_INFINITY);
  const shown = new Set<number>();
  const shape = call.flags.json ? '' : `&${SHOWN}`;
  const route = `GET /api/events?types=request&since=${since}${shape}` as const;
  const endless = new AbortController();
  for await (const { type, data } of openEvents(session, route, endless.signal)) {
    if (type !== 'request') continue;
    const request = v.parse(RequestMessageSchema, JSON.parse(data));
    if (!request.finished || shown.has(request.id) || !hasPath(request) || !hasMethod(request)) continue;
    shown.add(request.id);
    if (call.flags.json) printJson(request);
    else print(renderRow(request));
  }
  return 0;
}

function readQuery({ flags }: CommandCall): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of ['path', 'method', 'since'])
    if (typeof flags[name] === 'string') query.set(name, flags[name]);
  return query;
}
