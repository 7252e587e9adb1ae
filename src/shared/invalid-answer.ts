// Says what is wrong with an answer that is not HTTP/1.1, and what to do about it. Used for the app's answers, by
// app/process/readiness.ts and gateway/pages/notice.ts. Pure.

import { hasCode } from './errors.ts';
import { sanitise } from './sanitise.ts';

export interface InvalidAnswer {
  /** The end of a sentence about the answer: "it …". */
  problem: string;
  /** What to do, as a sentence without its full stop; begins in lower case. */
  remedy: string;
}

/** Browsers accept 256 KB, and apps with long policies or many cookies exceed Node's default of 16 KB. */
export const MAX_ANSWER_HEAD_BYTES = 65_536;

/** An app that expects TLS, and got plain HTTP. */
export const SPEAKS_TLS: InvalidAnswer = {
  problem: 'it speaks TLS (https)',
  remedy: 'let the app speak plain http here; visitors get https with `tls-cert`, or from a proxy in front',
};

/** How much of an unknown answer a message shows. */
const MAX_QUOTE = 40;

const USE_LIBRARY = 'let the HTTP library of the app write the head of its answers';
const USE_TCP = 'give the port of an HTTP server, or use `protocol: tcp`';

/** What llhttp reports, and what that means for the app. The first that matches counts. */
const REASONS: readonly [reported: RegExp, problem: string, remedy: string][] = [
  [
    /expected (?:CR|LF)|CRLF/i,
    'it ends a line of its head without CR LF (\\r\\n)',
    'let the app end every line of the head with \\r\\n',
  ],
  [
    /present with/,
    'it has both Content-Length and Transfer-Encoding',
    'let the app send only one of the two',
  ],
  [/Duplicate Content-Length/, 'it has two Content-Length fields', 'let the app send one'],
  [/in Content-Length|Content-Length overflow/, 'its Content-Length is not a number', USE_LIBRARY],
  [
    /header/i,
    'it has a header line that is not valid: a space in a name, no colon, or a control character',
    USE_LIBRARY,
  ],
  [/status/i, 'its status is not a number from 100 to 999', USE_LIBRARY],
  [/version|dot/i, 'its first line names another version than HTTP/1.0 or HTTP/1.1', USE_LIBRARY],
  [/chunk/i, 'its body is not chunked correctly', USE_LIBRARY],
];

/** What servers of other protocols say first, or in answer to an HTTP request. */
const OTHER_PROTOCOLS: readonly [begins: RegExp, protocol: string][] = [
  [/^SSH-/, 'SSH'],
  [/^-(?:ERR|NOAUTH|DENIED)/, 'Redis'],
  [/^220[ -]/, 'SMTP or FTP'],
  [/^.\0\0\0[\n\xff]/s, 'MySQL'],
  [/^E\0\0\0|^[NS]$/, 'PostgreSQL'],
  [/^AMQP/, 'AMQP'],
  [/^I?t looks like you are trying to access MongoDB/, 'MongoDB'],
  [/^(?:ERROR|CLIENT_ERROR)\r\n/, 'Memcached'],
];

/** Undefined if the error does not come from the bytes of an answer. */
export function explainInvalidAnswer(error: unknown): InvalidAnswer | undefined {
  if (!(error instanceof Error)) return undefined;
  if (hasCode(error, 'HPE_HEADER_OVERFLOW'))
    return {
      problem: `its head is longer than ${MAX_ANSWER_HEAD_BYTES / 1024} KB`,
      remedy: 'let the app send fewer or shorter headers, such as cookies',
    };
  if (!isParseError(error)) return undefined;
  if (/Expected HTTP/.test(error.message)) return explainFirstBytes(readRest(error));
  const [, problem, remedy] = REASONS.find(([reported]) => reported.test(error.message)) ?? [];
  if (problem === undefined || remedy === undefined)
    return { problem: `it is not valid HTTP (${sanitise(error.message)})`, remedy: USE_LIBRARY };
  return { problem, remedy };
}

/** llhttp's, as Node's own server and client report it, and ParseError of gateway/upstream/client/. */
function isParseError(error: Error): boolean {
  return 'code' in error && String(error.code).startsWith('HPE_');
}

/** What came in the same read. */
function readRest(error: Error): string {
  return 'rawPacket' in error && Buffer.isBuffer(error.rawPacket) ? error.rawPacket.toString('latin1') : '';
}

function explainFirstBytes(text: string): InvalidAnswer {
  // An alert or a handshake (RFC 8446, 5.1).
  if (/^[\x15\x16]\x03/.test(text)) return SPEAKS_TLS;
  // SETTINGS or GOAWAY of the connection itself (RFC 9113, 4.1).
  if (/^\0[\s\S]{2}[\x04\x07][\s\S]\0{4}/.test(text))
    return {
      problem: 'it speaks HTTP/2 only, as gRPC servers do',
      remedy: 'let the app speak HTTP/1.1 too, or use `protocol: tcp`',
    };
  const protocol = OTHER_PROTOCOLS.find(([begins]) => begins.test(text))?.[1];
  if (protocol !== undefined) return { problem: `it speaks ${protocol}`, remedy: USE_TCP };
  if (/^(?:status|content-type|[\w-]+):/i.test(text))
    return {
      problem: 'it has no status line (HTTP/1.1 200 OK) before its headers',
      remedy: 'a CGI script needs a server in front; let that answer here',
    };
  const quote = sanitise(text.slice(0, MAX_QUOTE)).trim();
  return {
    problem: `it begins with "${quote}" instead of a status line (HTTP/1.1 200 OK)`,
    remedy: USE_TCP,
  };
}
