// What a wait keeps of requests that the log has forgotten: strangers may send as much as they like while it goes on.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { it } from 'vitest';
import { readWaitQuery } from '../../../src/control/wait/query.ts';
import { Wait } from '../../../src/control/wait/wait.ts';
import { useClosers } from '../../support/closers.ts';
import { FakeRequestLog } from '../../support/request-log.ts';
import { waitUntil } from '../../support/wait-until.ts';

const closers = useClosers();
setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

function start(query: string) {
  const log = new FakeRequestLog({ kind: 'unsafe methods' });
  const wait = new Wait(readWaitQuery(new URLSearchParams(query), log), log, new AbortController().signal);
  closers.push(() => wait.drop());
  return { log, wait };
}

/** A request with a body of its own, which the log forgets at once. */
function sendAndForget(log: FakeRequestLog): WeakRef<Buffer> {
  const request = log.add({ body: Buffer.alloc(64 * 1024) });
  const body = new WeakRef(request.body);
  log.forget(request.id);
  return body;
}

async function expectToBeForgotten(body: WeakRef<Buffer>): Promise<void> {
  await waitUntil(async () => {
    await nextTurn();
    collectGarbage();
    return body.deref() === undefined;
  }, 'the body is forgotten');
}

it('keeps no body of a request that did not match', async () => {
  const { log, wait } = start('match=json:$.a=1');
  const body = sendAndForget(log);
  await waitUntil(() => wait.counts.other === 1, 'it was looked at');
  await expectToBeForgotten(body);
});

it('keeps nothing that comes while it waits for answers', async () => {
  const { log, wait } = start('');
  log.add({ answer: undefined, isFinished: false });
  await waitUntil(() => wait.matched.length === 1, 'it matched');
  await expectToBeForgotten(sendAndForget(log));
});
