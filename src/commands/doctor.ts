// `expose doctor --server HOST`: checks a bore server from this machine, and says what is wrong with it.

import { examine } from '../doctor/doctor.ts';
import { countFindings, renderReports, reportJson } from '../doctor/report.ts';
import type { Question } from '../doctor/subject.ts';
import { Problems } from '../inputs/problems.ts';
import { parseTrustedProxy } from '../inputs/trusted-proxy.ts';
import { parseTunnelInputs } from '../inputs/tunnel.ts';
import { InputError } from '../shared/errors.ts';
import type { Command, CommandCall } from './command.ts';
import { readSecret } from './secrets.ts';
import { print, printJson } from './terminal.ts';

/** For all of it, on the worst server. */
const LIMIT_MS = 20_000;

export const doctor: Command = {
  summary: 'Check a bore server from here, and say what is wrong.',
  usage: '--server HOST [--port-range RANGE] [--public-url URL] [--trusted-proxy]',
  notes:
    'It opens a tunnel of its own for some seconds. The secret comes from BORE_SECRET or\n--secret-file. Exit codes: 0 no fault, 1 a fault, 2 wrong usage.',
  flags: {
    'server HOST': 'bore server, HOST or HOST:PORT; with commas',
    'secret-file FILE': 'file that holds its secret',
    'port-range RANGE': "the server's --min-port and --max-port, as 20000-29999",
    'public-url URL': 'template of the address behind a proxy of your own',
    'trusted-proxy': 'the proxy is the only way in, and sets X-Forwarded-For',
  },
  async run(call) {
    const questions = readQuestions(call, AbortSignal.timeout(LIMIT_MS));
    const reports = await examine(questions);
    if (call.flags.json) printJson(reportJson(reports));
    else print(renderReports(reports));
    return countFindings(reports, 'fault') === 0 ? 0 : 1;
  },
};

/** The doctor checks the server, so TLS that ends on the runner is left out. */
const NO_TLS = { value: undefined, known: undefined };

/** Throws an InputError. */
function readQuestions(call: CommandCall, signal: AbortSignal): Question[] {
  const { flags } = call;
  if (flags.server === undefined) throw new InputError('which server? Give --server HOST or HOST:PORT');
  const problems = new Problems();
  const read = (name: string) => {
    const flag = flags[name];
    return name === 'secret' ? readSecret(name, call) : typeof flag === 'string' ? flag : '';
  };
  // Our own answers are HTTP, also where previews are raw TCP.
  const protocol = read('public-url').trim().startsWith('tcp:') ? 'tcp' : 'http';
  const tunnel = problems.check(() => parseTunnelInputs(read, protocol, problems));
  const trusted = String(flags['trusted-proxy'] ?? '');
  const trustedProxy =
    problems.check(() => parseTrustedProxy(trusted, { protocol, tunnel, tls: NO_TLS })).known ?? false;
  problems.throwIfAny();
  const { servers, remotePort, publicUrl } = tunnel.value;
  const range = flags['port-range'] !== undefined && remotePort.kind === 'auto' ? remotePort : undefined;
  return servers.map(({ address, secret }) => ({
    server: address,
    secret,
    range,
    publicUrl: publicUrl.replace(/^tcp:/, 'http:'),
    trustedProxy,
    isWebPage: protocol === 'http',
    signal,
  }));
}
