// The logger and the sanitiser, with texts that try to reach the runner as commands.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogger, type LogLevel } from '../../src/shared/log.ts';
import { MAX_UNTRUSTED_LENGTH, renderJson, sanitise } from '../../src/shared/sanitise.ts';
import { findCommands, hostile, hostileText } from '../support/runner-commands.ts';

describe('the search for workflow commands that these tests use', () => {
  it('finds commands where the runner finds them', () => {
    expect(findCommands('  ::error::x')).toHaveLength(1);
    expect(findCommands('a\r::add-path::/x')).toHaveLength(1);
    expect(findCommands('a ##[error]x')).toHaveLength(1);
    expect(findCommands('a ::error::x')).toEqual([]);
  });
});

describe('JSON', () => {
  it('has no workflow command and no character that a terminal obeys or hides, and says the same', () => {
    fc.assert(
      fc.property(hostileText, text => {
        const value = { [text]: [text, `\\##[error]${text}\u009b31m\u{e0041}`] };
        const json = renderJson(value);
        expect(findCommands(json)).toEqual([]);
        expect(json).not.toMatch(/[\0-\u001f\u007f-\u009f\u2028-\u202e]|\u{e0041}/u);
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe('the sanitiser', () => {
  it('leaves no workflow command that the runner would run, at the start of a line or later in it (workflow-command injection)', () => {
    fc.assert(
      fc.property(hostileText, text => {
        expect(findCommands(sanitise(text))).toEqual([]);
        expect(findCommands(`visitor: ${sanitise(text)}`)).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('returns one well-formed line without control characters, within the limit', () => {
    const invisible = /[\p{Cc}\u2028\u2029]|\p{Bidi_Control}|\u200b|\ufeff/u;
    fc.assert(
      fc.property(
        fc.oneof(hostileText, fc.string({ unit: 'binary' })),
        fc.integer({ min: 1, max: 300 }),
        (text, limit) => {
          const clean = sanitise(text, limit);
          expect(clean).not.toMatch(invisible);
          expect(clean.isWellFormed()).toBe(true);
          expect(clean.length).toBeLessThanOrEqual(limit);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('stays within the limit if every character has to be escaped', () => {
    expect(sanitise('\0'.repeat(1_000))).toHaveLength(MAX_UNTRUSTED_LENGTH);
    expect(sanitise('\ud800')).toBe('\ufffd');
  });

  it('leaves ordinary text unchanged', () => {
    for (const text of ['GET /a?b=c::d 200', 'Grüße, 世界 🎉', 'a # b ## c', ''])
      expect(sanitise(text)).toBe(text);
  });

  it('shows which characters it replaced, and that it cut the text', () => {
    expect(sanitise('a\x1b[2Jb\r\n\u202ec')).toBe('a\\x1b[2Jb\\x0d\\x0a\\u{202e}c');
    expect(sanitise('abcdef', 4)).toBe('abc…');
    expect(sanitise(' ::error::x')).toBe(' :\\x3aerror::x');
    expect(sanitise('##[error]')).toBe('#\\x23[error]');
  });
});

describe('the logger', () => {
  function record(level: LogLevel, hidden: string[] = []) {
    const lines: string[] = [];
    const logger = createLogger({ level, hidden, write: (line, at) => lines.push(`${at} ${line}`) });
    for (const at of ['debug', 'info', 'warn', 'error'] as const) logger[at]('said');
    return { logger, lines };
  }

  it('shows warnings and errors at every level', () => {
    expect(record('quiet').lines).toEqual(['warn said', 'error said']);
    expect(record('info').lines).toEqual(['info said', 'warn said', 'error said']);
    expect(record('debug').lines).toEqual(['debug said', 'info said', 'warn said', 'error said']);
  });

  it('writes no workflow command for any message', () => {
    fc.assert(
      fc.property(hostileText, message => {
        const written: string[] = [];
        createLogger({ level: 'info', write: line => written.push(line) }).info(message);
        for (const line of written) expect(line).not.toMatch(/[\r\n]/);
        expect(findCommands(written.join('\n'))).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('never writes a hidden text, even if it begins with another one', () => {
    const secret = fc.string({ minLength: 8, maxLength: 20, unit: fc.constantFrom(...'abcABC0123') });
    fc.assert(
      fc.property(secret, secret, hostile, (first, rest, around) => {
        const both = first + rest;
        const written: string[] = [];
        const write = (line: string) => written.push(line);
        createLogger({ level: 'info', hidden: ['', first, both], write }).warn(
          `${around} ${both} ${around} ${first}`,
        );
        const all = written.join('\n');
        expect(all).not.toContain(first);
        expect(all).not.toContain(rest);
        expect(all).toContain('***');
      }),
    );
  });
});
