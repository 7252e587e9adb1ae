import { describe, expect, it } from 'vitest';
import { compare } from '../../bench/compare.ts';
import { divideRounds, measureRounds, pick } from '../../bench/rig/rounds.ts';

describe('the rounds of a comparison', () => {
  it('measure A B C, then C B A, in every round', async () => {
    const order: string[] = [];
    await measureRounds(['A', 'B', 'C'], 2, async name => {
      order.push(name);
      return {};
    });
    expect(order.join('')).toBe('ABCCBAABCCBA');
  });

  it('give the mean of the two measurements of each round', async () => {
    let figure = 0;
    const rounds = await measureRounds(['A', 'B'], 2, async () => {
      figure += 1;
      return { figure };
    });
    // A B B A is 1 2 3 4, then 5 6 7 8.
    expect(pick(rounds.A, 'figure')).toEqual([2.5, 6.5]);
    expect(pick(rounds.B, 'figure')).toEqual([2.5, 6.5]);
  });

  it('are divided round by round, so that a slow moment of the machine affects both sides', () => {
    expect(divideRounds([10, 5, 20], [10, 5, 10])).toEqual([1, 1, 2]);
  });
});

describe('a comparison', () => {
  const measured = {
    'bore local': [{ rate: 10, cpu: 4 }],
    wasmrun: [{ rate: 20, cpu: 2 }],
    raw: [{ rate: 15, cpu: 1 }],
  };
  const rows = compare({
    what: 'a load',
    measured,
    key: 'rate',
    unit: 'MB/s',
    better: 'higher',
    cpu: { key: 'cpu', unit: 's/GB' },
    targets: { raw: { 'bore local': { reach: 1.2 } } },
  });

  it('has a row for each pair of our tunnel and a peer that were both measured', () => {
    expect(rows.map(({ what, peer }) => [what, peer])).toEqual([
      ['raw, a load', 'bore local'],
      ['raw, a load', 'wasmrun'],
    ]);
  });

  it("divides our figure by the peer's, and keeps both", () => {
    expect(rows[0]).toMatchObject({
      samples: [1.5],
      reach: 1.2,
      absolute: { ours: 15, peer: 10, unit: 'MB/s' },
      cpu: { ours: 1, peer: 4, unit: 's/GB' },
    });
    expect(rows[1]).toMatchObject({ samples: [0.75] });
    expect(rows[1]).not.toHaveProperty('reach');
  });
});
