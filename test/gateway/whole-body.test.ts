// Bodies that are read whole, over real connections.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, onTestFinished } from 'vitest';
import { readWhole } from '../../src/gateway/whole-body.ts';
import { listen } from '../support/listen.ts';

const MB = 1024 ** 2;

/** Without what is garbage. */
function readMemory(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

it('a body that comes byte by byte takes little more memory than its bytes (memory exhaustion)', async () => {
  const bytes = MB / 2;
  let before = 0;
  const { promise: taken, resolve } = Promise.withResolvers<number>();
  const { promise: body, resolve: setBody } = Promise.withResolvers<unknown>();
  const server = createServer(async (request, response) => {
    const mayGrow = (_: number, total: number) => {
      if (total === 1) before = readMemory();
      if (total === bytes) resolve(readMemory() - before);
      return true;
    };
    setBody(await readWhole({ request, response, awaitsContinue: false }, mayGrow));
    response.end();
  });
  const socket = connect(await listen(server), '127.0.0.1').resume();
  onTestFinished(() => {
    socket.destroy();
    server.close();
  });
  const chunks = '1\r\nx\r\n'.repeat(bytes);
  await once(socket, 'connect');
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
  // As a buffer of its own, each byte took more than 100.
  expect(await taken).toBeLessThan(16 * bytes);
  expect(await body).toEqual(Buffer.from('x'.repeat(bytes)));
});
