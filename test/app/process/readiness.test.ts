// What a program is told if it does not get up: by the answers to its first requests.

import { createServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { findListening, type HealthOutcome, waitForHealth } from '../../../src/app/process/readiness.ts';
import { listen } from '../../support/listen.ts';
import { TestCa } from '../../support/test-ca.ts';

let ca: TestCa;
beforeAll(() => {
  ca = new TestCa();
});
afterAll(() => ca.remove());

/** Resolves with the first outcome, or the first that `isWanted`. */
async function firstOutcome(
  server: Server,
  isWanted: (outcome: HealthOutcome) => boolean = () => true,
): Promise<HealthOutcome> {
  const port = await listen(server);
  onTestFinished(() => void server.close());
  const end = new AbortController();
  return await new Promise((resolve, reject) => {
    const onAttempt = (outcome: HealthOutcome) => {
      if (!isWanted(outcome)) return;
      end.abort();
      resolve(outcome);
    };
    const address = { kind: 'address' as const, host: '127.0.0.1', port };
    waitForHealth({ address, host: `localhost:${port}`, path: '/', onAttempt }, end.signal).then(
      resolve,
      error => (end.signal.aborted ? undefined : reject(error)),
    );
  });
}

/** Sends `bytes` in answer to any request, then closes the connection. */
const answerWith = (bytes: string) =>
  createServer(socket => {
    socket.on('error', () => {}).once('data', () => socket.end(bytes, 'latin1'));
  });

describe('an app that does not answer with HTTP', () => {
  it.each([
    ['bare line feeds', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok', 'without CR LF'],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok',
      'two Content-Length',
    ],
    ['a space in a name', 'HTTP/1.1 200 OK\r\nA b: c\r\nContent-Length: 2\r\n\r\nok', 'header line'],
    ['a head over 64 KB', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(70_000)}\r\n\r\n`, 'longer than 64 KB'],
    ['a TLS alert', '\x15\x03\x01\x00\x02\x02\x46', 'speaks TLS'],
    ['HTTP/2 alone', '\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x80', 'HTTP/2 only'],
    ['SSH', 'SSH-2.0-x\r\n', 'speaks SSH'],
    ['PostgreSQL', 'E\0\0\0\x8aSFATAL', 'speaks PostgreSQL'],
    ['garbage', 'hello\n', 'begins with "hello'],
  ])('is told what was wrong with the answer: %s', async (_, bytes, problem) => {
    const outcome = await firstOutcome(answerWith(bytes));
    expect(outcome).toMatchObject({ kind: 'invalid', problem: expect.stringContaining(problem) });
  });

  it('that speaks TLS and closes without a word is recognised', async () => {
    const server = createTlsServer(ca.issue(['DNS:localhost']));
    server.on('tlsClientError', (_, socket) => socket.destroy());
    expect(await firstOutcome(server, outcome => outcome.kind === 'invalid')).toMatchObject({
      problem: 'it speaks TLS (https)',
      remedy: expect.stringContaining('`tls-cert`'),
    });
  });

  it('that speaks TLS and refuses plain HTTP with 400, as Go, nginx and Apache do, does not count as up', async () => {
    const { cert, key } = ca.issue(['DNS:localhost']);
    const secure = createTlsServer({ cert, key });
    const server = createServer(socket => {
      socket
        .on('error', () => {})
        .once('data', chunk => {
          if (chunk[0] !== 0x16)
            return socket.end('HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request');
          socket.pause().unshift(chunk);
          return secure.emit('connection', socket);
        });
    });
    expect(await firstOutcome(server)).toMatchObject({ kind: 'invalid', problem: 'it speaks TLS (https)' });
  });

  it('that answers 400 without TLS counts as up', async () => {
    const bytes = 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n';
    expect(await firstOutcome(answerWith(bytes))).toMatchObject({ kind: 'answer', status: 400 });
  });

  it('that closes every connection is told apart from one that is silent', async () => {
    expect(await firstOutcome(answerWith(''))).toEqual({ kind: 'closed' });
  });

  it('may have a head between 16 and 64 KB, as the gateway passes it on', async () => {
    const bytes = `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(40_000)}\r\nContent-Length: 0\r\n\r\n`;
    expect(await firstOutcome(answerWith(bytes))).toMatchObject({ kind: 'answer', status: 200 });
  });
});

it('the question whether a port accepts does no harm to a program that greets its visitors', async () => {
  const failures: Error[] = [];
  const server = createServer(socket => {
    // Many programs have no such listener, and end if there is an error.
    socket.on('error', error => failures.push(error));
    socket.end('220 hello\r\n');
  });
  const port = await listen(server);
  for (let question = 0; question < 50; question += 1)
    expect(await findListening({ hosts: ['127.0.0.1'], port })).toBeDefined();
  await new Promise(resolve => server.close(resolve));
  expect(failures).toEqual([]);
});

it('a port at which nobody listens accepts nothing, also if a socket is connected to itself', async () => {
  const taken = createServer();
  // Linux gives odd ports to servers and even ones to clients.
  const port = (await listen(taken)) - 1;
  await new Promise(resolve => taken.close(resolve));
  // The system gives its ports to clients in turn: this is more than it has.
  for (let question = 0; question < 15_000; question += 1)
    expect(await findListening({ hosts: ['127.0.0.1'], port })).toBeUndefined();
});
