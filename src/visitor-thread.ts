// Program of the second thread for raw visitors: fetches visitors and relays their bytes, as the first thread does.
// Started by tunnel/visitors/thread-handle.ts, which describes the messages.

import { parentPort, workerData } from 'node:worker_threads';
import type { Logger } from './shared/log.ts';
import type { Target } from './tunnel/relay/pipe.ts';
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
if (port === null)
  throw new Error('this is not a program of its own: tunnel/visitors/thread-handle.ts starts it as a thread');
const { counts: shared, limits, ...options } = workerData as ThreadData;
const counts = new Int32Array(shared);

const send = (event: ThreadEvent) => port.postMessage(event);
const log = (level: keyof Logger) => (text: string) => send({ kind: 'log', level, text });
const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };

let source: VisitorSource | undefined;
let target: Target | undefined;
const relay = new Relay({ ...limits, target: () => target, onClosed: publishCounts, logger });
// Only the first thread opens spare connections: two threads with five each would exceed the documented number.
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

port.on('message', async (command: ThreadCommand) => {
  if (command.kind === 'fetch') fetchVisitors(command.ids, command.source);
  else if (command.kind === 'target') target = command.target;
  else {
    await visitors.stop(command.drainMs);
    port.close();
  }
});

function fetchVisitors(ids: readonly string[], from = source): void {
  source = from;
  for (const id of ids) {
    if (source !== undefined) visitors.fetch(id, source);
    Atomics.add(counts, THREAD_COUNTS.fetched, 1);
  }
}

send({ kind: 'ready' });
