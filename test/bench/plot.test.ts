import { describe, expect, it } from 'vitest';
import { renderPlot, scoreToX } from '../../bench/plot.ts';
import { createResult, createRow } from './samples.ts';

describe('the plot', () => {
  it('draws a figure that is twice as good as far to the right of the target as one half as good to the left', () => {
    const target = scoreToX(1);
    expect(scoreToX(2) - target).toBeCloseTo(target - scoreToX(0.5), 0);
    expect(scoreToX(2)).toBeGreaterThan(target);
  });

  it('draws a score beyond the scale at the end of the scale', () => {
    expect(scoreToX(1_000)).toBe(scoreToX(8));
    expect(scoreToX(0)).toBe(scoreToX(1 / 4));
  });

  it('draws a dot for each target that is met, a square for each that is missed, and nothing without a target', () => {
    const rows = [
      createRow({ reach: 1 }),
      createRow({ samples: [0.5], reach: 1 }),
      createRow({ samples: [0.5], reach: 1, better: 'lower' }),
      createRow(),
    ];
    const plot = renderPlot([createResult(rows)]);
    expect(plot.match(/<circle class="met"/g)).toHaveLength(2);
    expect(plot.match(/<rect class="missed"/g)).toHaveLength(1);
  });

  it('draws a lower value further right if lower is better', () => {
    const at = (sample: number) =>
      Number(
        /class="(?:met|missed)" c?x="([\d.]+)"/.exec(
          renderPlot([createResult([createRow({ samples: [sample], reach: 1, better: 'lower' })])]),
        )?.[1],
      );
    expect(at(0.5)).toBeGreaterThan(at(0.9));
  });

  it('escapes XML characters in names, and says so if there are no results', () => {
    const plot = renderPlot([createResult([createRow({ what: 'a < b & c', reach: 1 })])]);
    expect(plot).toContain('a &lt; b &amp; c');
    expect(renderPlot([])).toContain('no results yet');
  });

  it('has colours for a light and a dark background', () => {
    expect(renderPlot([])).toContain('prefers-color-scheme: dark');
  });
});
