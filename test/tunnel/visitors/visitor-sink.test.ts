// The stream that the gateway gets for each visitor.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createStreamSink } from '../../../src/tunnel/visitors/visitor-sink.ts';

/** Local ports of connections for which the kernel runs a keep-alive timer (proc(5), tcp). */
function readKeptAlive(): number[] {
  const lines = readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1);
  return lines.flatMap(line => {
    const [, local = '', , , , timer = ''] = line.trim().split(/\s+/);
    return timer.startsWith('02:') ? [Number.parseInt(local.split(':')[1] ?? '', 16)] : [];
  });
}

it.runIf(process.platform === 'linux')(
  'keeps a silent connection alive, because networks forget it after some minutes',
  async () => {
    const server = createServer(() => {});
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    onTestFinished(() => {
      socket.destroy();
      server.close();
    });
    await once(socket, 'connect');
    expect(readKeptAlive()).not.toContain(socket.localPort);
    createStreamSink(() => {}).accept(socket, Buffer.alloc(0), undefined);
    expect(readKeptAlive()).toContain(socket.localPort);
  },
);
