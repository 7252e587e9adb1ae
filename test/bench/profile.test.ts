import { describe, expect, it } from 'vitest';
import {
  parseCollection,
  parseStrace,
  sumAllocatedMb,
  sumAllocations,
  sumCpu,
} from '../../bench/profile/shares.ts';

const frame = (functionName: string, url = '', lineNumber = 0) => ({ functionName, url, lineNumber });

describe('a profile', () => {
  it('is summed up by file and by function, without idle time', () => {
    const nodes = [
      { id: 1, callFrame: frame('check', 'file:///project/src/access.ts', 9) },
      { id: 2, callFrame: frame('issue', 'file:///project/src/access.ts', 19) },
      { id: 3, callFrame: frame('writev') },
      { id: 4, callFrame: frame('(idle)') },
    ];
    const profile = { nodes, samples: [1, 2, 3, 4, 1], timeDeltas: [10, 20, 60, 900, 10] };
    const { total, files, functions } = sumCpu(profile, '/project');
    expect(total).toBe(100);
    expect(files).toEqual([
      { name: '(V8, Node.js in C++, kernel)', share: 0.6 },
      { name: 'src/access.ts', share: 0.4 },
    ]);
    expect(functions.map(({ name }) => name)).toEqual([
      'writev',
      'check src/access.ts:10',
      'issue src/access.ts:20',
    ]);
  });

  it('of allocations counts what each function allocated itself', () => {
    const leaf = { callFrame: frame('leaf', 'node:net'), selfSize: 300, children: [] };
    const head = { callFrame: frame('(root)'), selfSize: 100, children: [leaf] };
    expect(sumAllocations(head, '/project').functions[0]).toEqual({ name: 'leaf node:net:1', share: 0.75 });
  });
});

describe('the lines of --trace-gc', () => {
  const LINE =
    '[14673:0x2cfa6000]       45 ms: Scavenge 4.8 (5.8) -> 3.8 (6.8) MB, pooled: 0 MB, 1.85 / 0.00 ms  (average mu = 1.000, current mu = 1.000) allocation failure; ';

  it('say when a collection was, how long it took, and how full the heap was', () => {
    expect(parseCollection(LINE)).toEqual({ atMs: 45, pauseMs: 1.85, beforeMb: 4.8, afterMb: 3.8 });
    expect(parseCollection('{"status":"Connected"}')).toBeUndefined();
  });

  it('say together how much was allocated', () => {
    const at = (beforeMb: number, afterMb: number) => ({ atMs: 0, pauseMs: 0, beforeMb, afterMb });
    expect(sumAllocatedMb([at(9, 4), at(10, 5), at(8, 2)])).toBe(9);
    expect(sumAllocatedMb([])).toBe(0);
  });
});

it('the table of strace is read, with and without errors', () => {
  const table = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 61.06    0.127402           6     20004           write
 12.50    0.020000           3      4000       210 read
------ ----------- ----------- --------- --------- ----------------
100.00    0.208640           5     24004       210 total
`;
  expect(parseStrace(table)).toEqual(
    new Map([
      ['write', 20_004],
      ['read', 4_000],
    ]),
  );
});
