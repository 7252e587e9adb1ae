// What can go wrong between us and a bore server: each failure with its kind and with what the user should do.
// Thrown by session/, reconnect.ts and retry/port-choice.ts; retry/retry-policy.ts decides what follows.

import { describeError, hasCode, TunnelError } from '../shared/errors.ts';
import { sanitise } from '../shared/sanitise.ts';
import { renderAddress, type ServerAddress } from './address.ts';
import { SERVER_RANGE } from './server-options.ts';
import { ATTEMPTS_BEFORE_HINT } from './timings.ts';
import { ERROR_TEXT } from './wire/protocol.ts';

/** Enough to recognise an HTTP server or an SSH banner. */
const MAX_QUOTE_LENGTH = 60;

/**
 * - `secret`: it is wrong or missing
 * - `secret-unwanted`: one was given, but the server requires none; after a session the server may just be starting
 * - `not-bore`: another program answers there; after a session perhaps a proxy in front of a server that is starting
 * - `silent`: the server accepts connections and sends nothing; after a session it may just be starting
 * - `wrong-port`: the server opened a port that we did not ask for
 * - `unknown-host`: the name does not exist; permanent only when the look-up fails repeatedly
 * - `port-refused`: the server will never open this port, but perhaps another one
 * - `port-taken`: the server may open this port later
 * - `transient`: try again
 */
export type FailureKind =
  | 'secret'
  | 'secret-unwanted'
  | 'not-bore'
  | 'silent'
  | 'wrong-port'
  | 'unknown-host'
  | 'port-refused'
  | 'port-taken'
  | 'transient';

export class TunnelFailure extends TunnelError {
  readonly kind: FailureKind;
  /** What to do about the port if the user chose it. */
  readonly portAdvice: string | undefined;

  constructor(kind: FailureKind, message: string, options: ErrorOptions & { portAdvice?: string } = {}) {
    super(message, {
      ...(options.cause === undefined ? {} : { cause: options.cause }),
      retryable: kind !== 'secret' && kind !== 'not-bore' && kind !== 'wrong-port',
    });
    this.kind = kind;
    this.portAdvice = options.portAdvice;
  }
}

/**
 * True if trying this server again cannot help. `hasServed`: there was a session in this run, on any server;
 * `failures`: how often this server has failed since. Not used for port failures, which port-choice.ts decides.
 */
export function isPermanent({ kind }: TunnelFailure, hasServed: boolean, failures: number): boolean {
  if (kind === 'secret' || kind === 'wrong-port') return true;
  if (kind === 'secret-unwanted' || kind === 'not-bore' || kind === 'silent') return !hasServed;
  return kind === 'unknown-host' && !hasServed && failures >= ATTEMPTS_BEFORE_HINT;
}

/** True if the workflow has to change: another server would only hide the mistake, until that server is lost, too. */
export function isMisconfiguration({ kind }: TunnelFailure): boolean {
  return kind === 'secret' || kind === 'secret-unwanted' || kind === 'port-refused';
}

/** Bytes from the network, in quotes: short, and safe to print. */
export function quote(text: string | Buffer): string {
  return `"${sanitise(typeof text === 'string' ? text : text.toString('latin1'), MAX_QUOTE_LENGTH)}"`;
}

/** The server could not be reached: `error` comes from node:net or node:dns, or is a time-out. */
export function explainDial(server: ServerAddress, error: unknown): TunnelFailure {
  const cause = { cause: error };
  if (hasCode(error, 'ENOTFOUND'))
    return new TunnelFailure(
      'unknown-host',
      `there is no host ${server.host} (${describeError(error)}): check \`server\` for a typo`,
      cause,
    );
  const message = `could not reach ${renderAddress(server)}: ${describeError(error)}`;
  return new TunnelFailure('transient', message, cause);
}

const HANG_UP = 'closed the connection during the handshake';

/** The server ended the connection without a word. */
export function explainHangUp(server: ServerAddress, cause: unknown): TunnelFailure {
  return new TunnelFailure('transient', `${renderAddress(server)} ${HANG_UP}`, { cause });
}

/** Whether `explainHangUp` made this failure. */
export function isHangUp({ message }: TunnelFailure): boolean {
  return message.endsWith(HANG_UP);
}

/** The attempt reached its time limit. */
export function explainTimeout(server: ServerAddress): TunnelFailure {
  return new TunnelFailure('transient', `${renderAddress(server)} did not answer in time`);
}

/** What is added to a transient failure that repeats. */
export function hintAtFirewall(server: ServerAddress): string {
  return `is the bore server running, and does a firewall block port ${server.port}: at the server, at its cloud, or on the way out from here?`;
}

/** Where to find out more: docs/doctor.md. */
export function hintAtDoctor(server: ServerAddress): string {
  return `\`npx expose-action doctor --server ${renderAddress(server)}\` checks the way there`;
}

/** The `Error` frame that answered our `Hello(port)`; `hasSecret`: we sent a proof before it. */
export function explainErrorFrame(
  server: ServerAddress,
  port: number,
  text: string,
  hasSecret: boolean,
): TunnelFailure {
  const where = renderAddress(server);
  switch (text) {
    case ERROR_TEXT.invalidSecret:
      return new TunnelFailure(
        'secret',
        `${where} refused the secret: \`secret\` must be the one the server was started with`,
      );
    case ERROR_TEXT.secretRequired:
      // The proof was lost on the way.
      if (hasSecret) return new TunnelFailure('transient', `${where} did not get the proof of the secret`);
      return explainSecretRequired(server);
    case ERROR_TEXT.portOutOfRange:
      return new TunnelFailure('port-refused', `${where} does not give out port ${port}`, {
        portAdvice: `choose a \`remote-port\` between ${SERVER_RANGE}`,
      });
    case ERROR_TEXT.portForbidden:
      return new TunnelFailure(
        'port-refused',
        `${where} may not open port ${port} (permission denied there)`,
        { portAdvice: 'choose a `remote-port` of 1024 or above' },
      );
    case ERROR_TEXT.portTaken:
      return new TunnelFailure('port-taken', `port ${port} of ${server.host} is in use`, {
        portAdvice: 'wait for the other tunnel to end, or choose another `remote-port`',
      });
    case ERROR_TEXT.noPortFree:
    case ERROR_TEXT.bindFailed:
      return new TunnelFailure('transient', `${where} could not open a port (${text}): it may be full`);
    default:
      return new TunnelFailure('transient', `${where} answered with an error: ${quote(text)}`);
  }
}

/** The failure with advice about the port, for a user who chose the port. */
export function explainFixedPort(failure: TunnelFailure): TunnelFailure {
  const { kind, message, portAdvice, cause } = failure;
  return portAdvice === undefined ? failure : new TunnelFailure(kind, `${message}: ${portAdvice}`, { cause });
}

const FIT_RANGE = `set \`port-range\` to ${SERVER_RANGE}`;

/** The result for those of the preview's own ports that one server was asked for. */
export interface AskedPorts {
  count: number;
  /** All of them were in use; none was refused as out of range. */
  allTaken: boolean;
}

/** The server gave none of the ports that `auto` asked for. */
export function explainNoCandidate(
  server: ServerAddress,
  { min, max }: { min: number; max: number },
  { count, allTaken }: AskedPorts,
): TunnelFailure {
  const ports =
    count === 1
      ? `did not give the only port of \`port-range\`, ${min === max ? min : `${min}-${max}`}`
      : `gave none of ${count} ports between ${min} and ${max}`;
  const remedy = allTaken
    ? `${count === 1 ? 'it is' : 'they are'} in use: choose a wider \`port-range\``
    : FIT_RANGE;
  return new TunnelFailure(
    allTaken ? 'port-taken' : 'port-refused',
    `${renderAddress(server)} ${ports}: ${remedy}`,
  );
}

/** Not a failure yet: if any port will do, the server is asked to choose one. */
export function explainAnyPort(server: ServerAddress, { allTaken }: AskedPorts): string {
  const remedy = allTaken ? 'they are all in use' : FIT_RANGE;
  return `${renderAddress(server)} gives none of this preview's own ports, so it picks one, and may pick another in the next run: ${remedy}`;
}

export function explainSecretRequired(server: ServerAddress): TunnelFailure {
  return new TunnelFailure(
    'secret',
    `the server ${renderAddress(server)} requires a secret: set the \`secret\` input`,
  );
}

export function explainSecretUnwanted(server: ServerAddress): TunnelFailure {
  return new TunnelFailure(
    'secret-unwanted',
    `the server ${renderAddress(server)} requires no secret, but one was given: start it with this one (BORE_SECRET), remove \`secret\`, or check \`server\``,
  );
}

/** `received` is not what a bore server sends; it may be empty. */
export function explainNotBore(server: ServerAddress, received: Buffer): TunnelFailure {
  const silent = received.length === 0;
  const detail = silent
    ? 'it accepts connections and sends nothing'
    : `it sent ${quote(firstLine(received))}`;
  return new TunnelFailure(
    silent ? 'silent' : 'not-bore',
    `${renderAddress(server)} does not answer like a bore server (${detail}): check host and port in \`server\``,
  );
}

/** The first line: enough for an HTTP answer, whose first line is the status. */
function firstLine(received: Buffer): string {
  const text = received.toString('latin1');
  return /^[^\r\n]+/.exec(text)?.[0] ?? text;
}

export function explainWrongPort(server: ServerAddress, asked: number, got: number): TunnelFailure {
  const instead = asked === 0 ? '' : ` instead of ${asked}`;
  return new TunnelFailure(
    'wrong-port',
    `the server ${renderAddress(server)} answered with port ${got}${instead}: it cannot be relied on, check \`server\``,
  );
}
