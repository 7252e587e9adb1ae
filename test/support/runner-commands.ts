// The runner's side of a log: which commands it finds there, and text made to smuggle some in. Tried in
// test/shared/log.test.ts.

import fc from 'fast-check';

/**
 * The commands the runner would find in what a step printed, as actions/runner reads them: output is split at CR, LF
 * and CRLF (ProcessInvoker reads lines), then ActionCommand.TryParseV2 looks for `::name…::` at the start of the
 * trimmed line, and ActionCommand.TryParse for `##[name…]` anywhere in it.
 */
export function findCommands(output: string): string[] {
  return output.split(/\r\n|\r|\n/).flatMap(line => {
    // .NET's Trim knows U+0085 as white space, JavaScript's does not.
    const trimmed = line.replace(/^[\s\u0085]+/u, '');
    const modern = trimmed.startsWith('::') && trimmed.indexOf('::', 2) > 0 ? [trimmed] : [];
    const start = line.indexOf('##[');
    const old = start >= 0 && line.indexOf(']', start) > start ? [line.slice(start)] : [];
    return [...modern, ...old];
  });
}

const COMMANDS = ['set-env', 'add-path', 'stop-commands', 'warning', 'error', 'debug', 'group'];
const SPACES = [' ', '\t', '\v', '\f', '\u00a0', '\u0085', '\u1680', '\u2003', '\u3000', '\u2028', '\ufeff'];
const PIECES = [
  '::',
  ':',
  '##[',
  '##',
  '#',
  '[',
  ']',
  '\r',
  '\n',
  '\r\n',
  '\x1b[31m',
  '\u202e',
  '\u200b',
  ...SPACES,
];

/** Text with the makings of a command, in any order. */
export const hostile = fc
  .array(fc.oneof(fc.constantFrom(...PIECES, ...COMMANDS), fc.string({ unit: 'binary', maxLength: 5 })), {
    maxLength: 20,
  })
  .map(pieces => pieces.join(''));

/** The same, with a command more often than not. */
export const hostileText = hostile.chain(text =>
  fc.constantFrom(`::set-env name=a::${text}`, `${text}\r::add-path::x`, `${text}##[error]x`, text),
);
