// Entry of the second thread for raw visitors: does what the first one does, with a relay of its own. Started by
// tunnel/second-thread.ts, which says what the messages mean.

import { parentPort, workerData } from 'node:worker_threads';
import type { Logger } from './log.ts';
import type { VisitorSource } from './tunnel/data-line.ts';
import { Relay } from './tunnel/relay.ts';
import { THREAD_COUNTS, type ThreadData, type ThreadOrder, type ThreadWord } from './tunnel/second-thread.ts';
import { Visitors } from './tunnel/visitors.ts';

const { counts: shared, limits, ...options } = workerData as ThreadData;
const counts = new Int32Array(shared);
const port = parentPort;
if (port === null) throw new Error('this is no program of its own: src/tunnel/second-thread.ts starts it');

const tell = (word: ThreadWord) => port.postMessage(word);
const say = (level: keyof Logger) => (text: string) => tell({ kind: 'log', level, text });
const logger: Logger = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };

let source: VisitorSource | undefined;
let target: { host: string; port: number } | undefined;
const relay = new Relay({ ...limits, target: () => target, logger });
const visitors = new Visitors({ ...options, destination: relay, logger, onChange: publishCounts });

function publishCounts(): void {
  Atomics.store(counts, THREAD_COUNTS.load, visitors.load);
  Atomics.store(counts, THREAD_COUNTS.open, visitors.open);
  Atomics.store(counts, THREAD_COUNTS.visits, relay.visits);
}

port.on('message', async (order: ThreadOrder) => {
  if (order.kind === 'stop') {
    await visitors.stop(order.drainMs);
    port.close();
    return;
  }
  source = order.source ?? source;
  target = order.target;
  if (source !== undefined) for (const id of order.ids) visitors.invite(id, source);
  Atomics.add(counts, THREAD_COUNTS.invited, order.ids.length);
});
tell({ kind: 'ready' });
