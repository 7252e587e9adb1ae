// Entry of the second thread for raw visitors: does what the first one does, with a relay of its own. Started by
// tunnel/visitors/thread-handle.ts, which says what the messages mean.

import { parentPort, workerData } from 'node:worker_threads';
import type { Logger } from './shared/log.ts';
import { Relay } from './tunnel/relay/relay.ts';
import type { VisitorSource } from './tunnel/visitors/data-connection.ts';
import {
  THREAD_COUNTS,
  type ThreadCommand,
  type ThreadData,
  type ThreadEvent,
} from './tunnel/visitors/thread-handle.ts';
import { Visitors } from './tunnel/visitors/visitors.ts';

const port = parentPort;
if (port === null) throw new Error('this is no program of its own: tunnel/thread-handle.ts starts it');
const { counts: shared, limits, ...options } = workerData as ThreadData;
const counts = new Int32Array(shared);

const tell = (word: ThreadEvent) => port.postMessage(word);
const say = (level: keyof Logger) => (text: string) => tell({ kind: 'log', level, text });
const logger: Logger = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };

let source: VisitorSource | undefined;
let target: { host: string; port: number } | undefined;
const relay = new Relay({ ...limits, target: () => target, onClosed: publishCounts, logger });
// Lines are opened ahead by the first thread alone: twice five would be more than the server was told of.
const visitors = new Visitors({
  ...options,
  spareConnections: false,
  destination: relay,
  logger,
  onChange: publishCounts,
});

function publishCounts(): void {
  Atomics.store(counts, THREAD_COUNTS.load, visitors.load);
  Atomics.store(counts, THREAD_COUNTS.open, relay.open);
  Atomics.store(counts, THREAD_COUNTS.visits, relay.visits);
}

port.on('message', async (order: ThreadCommand) => {
  if (order.kind === 'invite') invite(order.ids, order.source);
  else if (order.kind === 'target') target = order.target;
  else {
    await visitors.stop(order.drainMs);
    port.close();
  }
});

function invite(ids: readonly string[], from = source): void {
  source = from;
  for (const id of ids) {
    if (source !== undefined) visitors.invite(id, source);
    Atomics.add(counts, THREAD_COUNTS.invited, 1);
  }
}

tell({ kind: 'ready' });
