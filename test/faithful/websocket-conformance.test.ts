// Autobahn's conformance cases, played by kosoku against an echo server: their verdicts on what they meet through the
// tunnel and the gateway must be those on the server itself.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { type Door, describeFaithful } from './routes.ts';

/** Framing (1-7), limits (9), and of compression (12, 13), where a case takes seconds, the first of each kind. */
const CASES = [
  '1.*',
  '2.*',
  '3.*',
  '4.*',
  '5.*',
  '6.*',
  '7.*',
  '9.*',
  '10.*',
  '12.1.1',
  '13.1.1',
  '13.3.1',
  '13.7.1',
];
/** A message in 65,536 fragments: more than the echo server takes. */
const LEFT_OUT = ['9.3.1', '9.4.1'];
/** Cases at a time. */
const PARALLEL = '4';

interface Verdict {
  behavior: string;
  behaviorClose: string;
  remoteCloseCode: number | null;
}

async function judge(door: Door): Promise<Record<string, Verdict>> {
  const folder = mkdtempSync(join(tmpdir(), 'expose-kosoku-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const args = [
    '-p',
    PARALLEL,
    '-o',
    folder,
    ...CASES.flatMap(one => ['-i', one]),
    ...LEFT_OUT.flatMap(one => ['-x', one]),
    door.url.host,
  ];
  const child = spawn(requirePart('kosoku'), args, { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'exit');
  const report: Record<string, Record<string, Verdict>> = JSON.parse(
    readFileSync(join(folder, 'index.json'), 'utf8'),
  );
  const verdicts = Object.entries(Object.values(report)[0] ?? {});
  return Object.fromEntries(
    verdicts.map(([id, { behavior, behaviorClose, remoteCloseCode }]) => [
      id,
      { behavior, behaviorClose, remoteCloseCode },
    ]),
  );
}

describeWithReal(['kosoku'], 'Autobahn’s cases', () => {
  describeFaithful(
    'WebSockets',
    '127.0.0.137',
    world => {
      it('get the verdicts that they get directly', async context => {
        if (world.through.url.protocol === 'https:') context.skip('kosoku speaks no TLS');
        const server = new WebSocketServer({ noServer: true, maxPayload: 64 << 20, perMessageDeflate: true });
        world.app.handleUpgrade((request, socket, head) =>
          server.handleUpgrade(request, socket, head, opened => {
            opened.on('error', () => {}).on('message', (data, binary) => opened.send(data, { binary }));
          }),
        );
        const verdicts = Object.values(await world.compare(judge));
        expect(verdicts.length).toBeGreaterThan(290);
        // NON-STRICT is Autobahn's word for "late, but right"; INFORMATIONAL has no right or wrong.
        expect(verdicts.filter(({ behavior }) => behavior === 'FAILED')).toEqual([]);
        // Each of 300 cases is run twice; beside other tests that takes a minute on two processors.
      }, 180_000);
    },
    'http/1.1',
  );
});
