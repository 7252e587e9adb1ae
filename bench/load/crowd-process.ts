// Visits previews at a set rate, watches some of them closely, and holds WebSockets open. Started by crowd.ts.

import { connect } from 'node:net';
import { WebSocket } from 'ws';
import type { Address, CrowdEvent, CrowdOrder, CrowdReport, Failure, Probe } from './crowd.ts';

/** Longer than the server keeps a visitor waiting. */
const VISIT_LIMIT_MS = 12_000;
const ECHO_LIMIT_MS = 2_000;
/**
 * Until it is served, a preview gets another visitor only when the last one has its answer, or has waited this long: more
 * visitors would make a busy machine busier. One who came while the link was silently dead waits until the server gives up.
 */
const NEXT_VISITOR_MS = 1_500;
/** Timers count in milliseconds: faster rates send several visits at a time. */
const TICK_MS = 10;
/** Enough for quantiles. */
const MAX_TIMES = 100_000;

const addresses = new Map<string, Address>();
let visits = 0;
let failures: Failure[] = [];
let times: number[] = [];
let probes = new Map<string, Probe[]>();
let lost: { name: string; at: number }[] = [];
const sockets = new Map<string, WebSocket>();
let visiting: NodeJS.Timeout | undefined;
const watching = new Map<string, { timer: NodeJS.Timeout; visit: () => void }>();

// With a callback, a parent that has just ended is no error.
const send = (event: CrowdEvent) =>
  void (process.connected && process.send?.(event, undefined, undefined, () => {}));

process.on('message', message => follow(message as CrowdOrder));
process.once('disconnect', () => process.exit(0));

function follow(order: CrowdOrder): void {
  switch (order.kind) {
    case 'addresses':
      for (const address of order.addresses) moveTo(address);
      return;
    case 'forget':
      for (const name of order.names) forget(name);
      return;
    case 'visit':
      visitAll(order.perSecond);
      return;
    case 'watch':
      watch(order.names, order.everyMs, order.untilServed);
      return;
    case 'unwatch':
      for (const name of watching.keys()) unwatch(name);
      return;
    case 'hold':
      for (const name of order.names) hold(name);
      return;
    case 'report':
      void report().then(made => send({ kind: 'report', id: order.id, report: made }));
  }
}

/** A WebSocket to it is closed from here, so it does not count as lost. */
function forget(name: string): void {
  addresses.delete(name);
  sockets.get(name)?.removeAllListeners('close').terminate();
  sockets.delete(name);
}

function visitAll(perSecond: number): void {
  clearInterval(visiting);
  if (perSecond === 0) return;
  let names: string[] = [];
  let begun = 0;
  const startedAt = performance.now();
  visiting = setInterval(() => {
    for (const due = ((performance.now() - startedAt) / 1_000) * perSecond; begun < due; begun += 1) {
      if (names.length === 0) names = [...addresses.keys()];
      const name = names.pop();
      if (name !== undefined) void countVisit(name);
    }
  }, TICK_MS);
}

async function countVisit(name: string): Promise<void> {
  const visit = await visitPreview(name);
  // A preview that has ended meanwhile owes no answer.
  if (!addresses.has(name)) return;
  visits += 1;
  if ('reason' in visit) failures.push({ name, ...visit });
  else if (times.length < MAX_TIMES) times.push(visit.to - visit.from);
}

/** A preview that is watched and has just got its address is visited at once. */
function moveTo(address: Address): void {
  addresses.set(address.name, address);
  watching.get(address.name)?.visit();
}

function watch(names: readonly string[], everyMs: number, untilServed: boolean): void {
  for (const [index, name] of names.entries()) {
    unwatch(name);
    const list = probes.get(name) ?? [];
    probes.set(name, list);
    let lastFrom = 0;
    let isWaiting = false;
    const visit = () => {
      const now = Date.now();
      if (untilServed && isWaiting && now - lastFrom < NEXT_VISITOR_MS) return;
      lastFrom = now;
      isWaiting = true;
      void probe(name, list, untilServed).finally(() => {
        isWaiting = false;
      });
    };
    // Spread evenly, so that they do not all come at one moment.
    const timer = setTimeout(
      () => watching.set(name, { timer: setInterval(visit, everyMs), visit }),
      (everyMs * index) / names.length,
    );
    watching.set(name, { timer, visit });
  }
}

async function probe(name: string, list: Probe[], untilServed: boolean): Promise<void> {
  const { from, to, ...rest } = await visitPreview(name);
  const isGood = !('reason' in rest);
  list.push({ from, to, isGood });
  if (!(isGood && untilServed && watching.has(name))) return;
  unwatch(name);
  send({ kind: 'served', name, at: to });
}

function unwatch(name: string): void {
  clearInterval(watching.get(name)?.timer);
  watching.delete(name);
}

type Visit = { from: number; to: number } | { from: number; to: number; reason: string };

/** One request on a new connection. Good is an answer from this preview: another one may have taken its port. */
function visitPreview(name: string): Promise<Visit> {
  const from = Date.now();
  const address = addresses.get(name);
  if (address === undefined) return Promise.resolve({ from, to: from, reason: 'it has no address' });
  const { host, port } = address;
  return new Promise(resolve => {
    let answer = '';
    const finish = (reason?: string) => {
      clearTimeout(timer);
      socket.destroy();
      const to = Date.now();
      resolve(reason === undefined ? { from, to } : { from, to, reason });
    };
    const timer = setTimeout(() => finish('no answer in time'), VISIT_LIMIT_MS);
    const socket = connect({ host, port, noDelay: true }, () =>
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}:${port}\r\nConnection: close\r\n\r\n`),
    );
    socket.setEncoding('latin1');
    socket.on('data', text => {
      answer += text;
    });
    socket.once('error', error => finish(error.message));
    socket.once('close', () => finish(checkAnswer(answer, name)));
  });
}

function checkAnswer(answer: string, name: string): string | undefined {
  if (!answer.startsWith('HTTP/1.1 200')) return `the answer was "${answer.slice(0, 40)}"`;
  return answer.includes(`\r\n${name}`) ? undefined : 'another preview answered';
}

function hold(name: string): void {
  const address = addresses.get(name);
  if (address === undefined) return;
  const socket = new WebSocket(`ws://${address.host}:${address.port}/`);
  sockets.set(name, socket);
  socket.on('error', () => {});
  socket.once('close', () => {
    sockets.delete(name);
    lost.push({ name, at: Date.now() });
  });
}

async function report(): Promise<CrowdReport> {
  const echoes = await Promise.all([...sockets.values()].map(hasEcho));
  const byStart = (list: readonly Probe[]) => list.toSorted((a, b) => a.from - b.from);
  const made: CrowdReport = {
    visits,
    failures,
    times,
    probes: Object.fromEntries([...probes].map(([name, list]) => [name, byStart(list)])),
    echoing: echoes.filter(Boolean).length,
    lost,
  };
  visits = 0;
  failures = [];
  times = [];
  probes = new Map();
  lost = [];
  return made;
}

function hasEcho(socket: WebSocket): Promise<boolean> {
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve(false), ECHO_LIMIT_MS);
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.once('message', () => {
      clearTimeout(timer);
      resolve(true);
    });
    socket.send('are you there?');
  });
}
