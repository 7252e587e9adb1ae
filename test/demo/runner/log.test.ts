// The log of a step as GitHub's runner makes it of what the step prints.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type LogLine, StepLog } from '../../../src/demo/runner/log.ts';
import { hostileText } from '../../support/runner-commands.ts';

function readLog(pieces: readonly string[], masks: readonly string[] = []): string[] {
  const lines: LogLine[] = [];
  const log = new StepLog('main', new Set(masks), line => lines.push(line));
  for (const piece of pieces) log.write(piece);
  log.end();
  return lines.map(({ kind, text }) => `${kind}: ${text}`);
}

it('obeys the commands of a runner, wherever the runner does', () => {
  expect(
    readLog([
      'plain\n::group::Inputs\nname: value\n::endgroup::\n',
      '  ::warning file=a,line=1::take%0Acare 100%25\n::notice::n\nlog ##[error]e\n',
      '::debug::hidden\n::unknown::x\n::no command\n: :group::x\n',
    ]),
  ).toEqual([
    'text: plain',
    'group: Inputs',
    'text: name: value',
    'end of group: ',
    'warning: take\ncare 100%',
    'notice: n',
    'error: e',
    'text: ::unknown::x',
    'text: ::no command',
    'text: : :group::x',
  ]);
});

it('masks what it is told to, from then on, the longest first', () => {
  const printed = [
    'secret and token\n::add-mask::secret-token\n::add-mask::a%0Ab\nsecret-token secret\nab\n',
  ];
  expect(readLog(printed, ['secret'])).toEqual(['text: *** and token', 'text: *** ***', 'text: ******']);
});

it('obeys nothing between stop-commands and its token', () => {
  const printed = '::stop-commands::AbC\n::group::x\n##[error]x\n::other::\n::abc::\n::group::y\n';
  expect(readLog([printed])).toEqual([
    'command: ::stop-commands::AbC',
    'text: ::group::x',
    'text: ##[error]x',
    'text: ::other::',
    'command: ::abc::',
    'group: y',
  ]);
});

it('does not depend on how the text was cut into pieces', () => {
  fc.assert(
    fc.property(hostileText, fc.array(fc.nat(200), { maxLength: 5 }), (text, cuts) => {
      const ends = [0, ...cuts.map(cut => cut % (text.length + 1)), text.length].sort((a, b) => a - b);
      const pieces = ends.slice(1).map((end, index) => text.slice(ends[index], end));
      expect(readLog(pieces)).toEqual(readLog([text]));
    }),
  );
});
