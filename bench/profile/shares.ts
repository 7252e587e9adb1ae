// Sums up profiles: which files and functions take which share. No I/O. Used by main.ts.

/** Of `Profiler.stop` in the Chrome DevTools Protocol. */
export interface CpuProfile {
  nodes: readonly { id: number; callFrame: CallFrame }[];
  /** The id of the node that ran, for each sample. */
  samples: readonly number[];
  /** Microseconds from the previous sample to each sample. */
  timeDeltas: readonly number[];
}

/** Of `HeapProfiler.stopSampling`. */
export interface AllocationNode {
  callFrame: CallFrame;
  /** Bytes that the function allocated itself. */
  selfSize: number;
  children: readonly AllocationNode[];
}

export interface CallFrame {
  functionName: string;
  /** Empty for V8 and for functions in C++. */
  url: string;
  /** From 0. */
  lineNumber: number;
}

export interface Shares {
  /** Without idle time, in the unit of the profile. */
  total: number;
  files: Share[];
  functions: Share[];
}

export interface Share {
  name: string;
  /** Of the total, 0 to 1. */
  share: number;
}

const IDLE = '(idle)';
const NATIVE = '(V8, Node.js in C++, kernel)';

/** `root`: the folder of the project, which is left out of the names. */
export function sumCpu(profile: CpuProfile, root: string): Shares {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const costs = profile.samples.flatMap((id, index) => {
    const frame = frames.get(id);
    return frame === undefined ? [] : [{ frame, cost: profile.timeDeltas[index] ?? 0 }];
  });
  return sum(costs, root);
}

export function sumAllocations(head: AllocationNode, root: string): Shares {
  const nodes = [head];
  for (const node of nodes) nodes.push(...node.children);
  return sum(
    nodes.map(({ callFrame, selfSize }) => ({ frame: callFrame, cost: selfSize })),
    root,
  );
}

function sum(costs: readonly { frame: CallFrame; cost: number }[], root: string): Shares {
  const files = new Map<string, number>();
  const functions = new Map<string, number>();
  const add = (sums: Map<string, number>, name: string, cost: number) =>
    sums.set(name, (sums.get(name) ?? 0) + cost);
  let total = 0;
  for (const { frame, cost } of costs) {
    if (frame.functionName === IDLE) continue;
    const file = shorten(frame.url, root);
    const where = frame.url === '' ? '' : ` ${file}:${frame.lineNumber + 1}`;
    total += cost;
    add(files, file, cost);
    add(functions, `${frame.functionName || '(anonymous)'}${where}`, cost);
  }
  return { total, files: sort(files, total), functions: sort(functions, total) };
}

function shorten(url: string, root: string): string {
  if (url === '') return NATIVE;
  const path = url.replace('file://', '');
  return path.startsWith(root) ? path.slice(root.length + 1) : path;
}

function sort(sums: ReadonlyMap<string, number>, total: number): Share[] {
  return [...sums]
    .map(([name, cost]) => ({ name, share: total === 0 ? 0 : cost / total }))
    .sort((a, b) => b.share - a.share);
}

/** One collection that `node --trace-gc` reported. */
export interface Collection {
  /** Since the start of the process. */
  atMs: number;
  /** How long JavaScript waited for it. */
  pauseMs: number;
  beforeMb: number;
  afterMb: number;
}

/** Undefined for a line that is not about a garbage collection. */
export function parseCollection(line: string): Collection | undefined {
  const pattern =
    /^\[\d+:\S+\]\s+(\d+) ms: .*? ([\d.]+) \([\d.]+\) -> ([\d.]+) \([\d.]+\) MB,.*? ([\d.]+) \/ [\d.]+ ms/;
  const [, atMs, beforeMb, afterMb, pauseMs] = pattern.exec(line)?.map(Number) ?? [];
  if (atMs === undefined || beforeMb === undefined || afterMb === undefined || pauseMs === undefined)
    return undefined;
  return { atMs, pauseMs, beforeMb, afterMb };
}

/** How much was allocated from the first collection to the last. */
export function sumAllocatedMb(collections: readonly Collection[]): number {
  return collections
    .slice(1)
    .reduce((sum, one, index) => sum + one.beforeMb - (collections[index]?.afterMb ?? one.beforeMb), 0);
}

/** The table of `strace -c`: system call → how many. */
export function parseStrace(text: string): Map<string, number> {
  const rows = text.matchAll(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/gm);
  return new Map(
    [...rows].flatMap(([, count, name]) => (name === 'total' ? [] : [[name ?? '', Number(count)]])),
  );
}
