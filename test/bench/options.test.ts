import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../bench/options.ts';

const KNOWN = ['B1', 'B3'];

describe("the benchmark's command line", () => {
  it('accepts the ids of cases in lower and upper case', () => {
    expect(parseOptions(['b3', 'B1'], KNOWN).names).toEqual(['B3', 'B1']);
  });

  it('refuses a case that does not exist, and lists the cases that exist', () => {
    expect(() => parseOptions(['B99'], KNOWN)).toThrow('no such case: B99; the cases are B1, B3');
  });

  it('asks for five rounds by default, and for one with --quick', () => {
    expect(parseOptions([], KNOWN)).toMatchObject({ rounds: 5, runs: 20, quick: false, busy: false });
    expect(parseOptions(['--quick'], KNOWN)).toMatchObject({ rounds: 1, quick: true });
    expect(parseOptions(['--quick', '--rounds', '3'], KNOWN).rounds).toBe(3);
  });

  it.each(['0', '-1', '1.5', 'many'])('refuses --rounds=%s', rounds => {
    expect(() => parseOptions([`--rounds=${rounds}`], KNOWN)).toThrow(`--rounds ${rounds}`);
  });
});
