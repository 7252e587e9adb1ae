// Creates results like those in bench/results. Used by the tests of the report and the plot.

import type { CaseResult, Row } from '../../bench/results.ts';

export function createRow(overrides: Partial<Row> = {}): Row {
  return {
    what: 'raw, down',
    samples: [1.1, 1.3, 1.2],
    unit: '×',
    take: 'median',
    better: 'higher',
    peer: 'bore local',
    ...overrides,
  };
}

export function createResult(rows: readonly Row[], overrides: Partial<CaseResult> = {}): CaseResult {
  return {
    id: 'B1',
    date: '2026-01-02T03:04:05.000Z',
    seconds: 12,
    rounds: 5,
    quick: false,
    load: 0.1,
    busy: false,
    source: 'dist',
    machine: { cores: 2, processor: 'a processor', memoryGb: 8, kernel: '6.1.0' },
    versions: {
      expose: '1.2.3',
      commit: 'abc1234',
      node: '24.0.0',
      bore: '0.6.0',
      wasmrun: '1.0.0',
      rathole: '0.5.0',
      caddy: '2.6.2',
      wrk: '4.1.0',
      iperf3: '3.12',
      go: '1.26',
    },
    rows,
    notes: [],
    ...overrides,
  };
}
