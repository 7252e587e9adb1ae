import { describe, expect, it } from 'vitest';
import { startBoreServer } from '../../src/tunnel/server/server.ts';
import { flood, greetWith, reply, startBadBoreServer, staySilent } from '../support/bad-bore-server.ts';
import { failToOpen, openTunnel } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const SECRET = 'correct horse battery';
const CHALLENGE = '{"Challenge":"6ba7b810-9dad-11d1-80b4-00c04fd430c8"}\0';

describe('a start at an address where another program answers', () => {
  it('fails with the first line of an HTTP answer, made safe to print', async () => {
    const { address } = await startBadBoreServer((socket, n) => {
      reply('HTTP/1.1 400 Bad Request\r\n\r\n')(socket, n);
      socket.once('data', () => socket.end());
    });
    const { message, states } = await failToOpen({ server: address });
    expect(message).toContain(`127.0.0.1:${address.port} does not answer like a bore server`);
    expect(message).toContain('(it sent "HTTP/1.1 400 Bad Request")');
    expect(states.at(-1)).toEqual({ status: 'Failed', reason: message });
  });

  it('fails with an error that reports the silence if nothing is sent', async () => {
    const { address } = await startBadBoreServer(staySilent);
    for (const secret of [{}, { secret: SECRET }]) {
      const { message, states } = await failToOpen({ server: address, ...secret });
      expect(message).toMatch(/sends nothing.*`server`/);
      // It fails before the time for the start is over.
      expect(states.at(-1)).toEqual({ status: 'Failed', reason: message });
    }
  });

  it('fails with at most 60 characters of an endless answer', async () => {
    const { address } = await startBadBoreServer(flood);
    const { message } = await failToOpen({ server: address });
    expect(message).toContain(`"${'A'.repeat(59)}…"`);
  });

  it.each([
    ['another port', 4_001, '{"Hello":4002}\0', 'port 4002 instead of 4001'],
    ['port 0', { kind: 'random' } as const, '{"Hello":0}\0', 'answered with port 0'],
  ])('fails if the answer is %s', async (_, remotePort, text, expected) => {
    const { address } = await startBadBoreServer(reply(text));
    expect((await failToOpen({ server: address, remotePort })).message).toContain(expected);
  });

  it('fails with a message without control characters and runner commands', async () => {
    const { address } = await startBadBoreServer(reply('\u001b[2J\r\n::error::x##[group]\0'));
    const { message } = await failToOpen({ server: address });
    expect(message).not.toMatch(/[\u001b\r\n]|##\[/);
    expect(message).toContain('\\x1b[2J');
  });
});

describe('the secret', () => {
  it('is never shown when it is wrong', async () => {
    const server = await startBoreServer({ secret: 'another' });
    const address = { host: server.host, port: server.controlPort };
    const { message, log } = await failToOpen({ server: address, secret: SECRET });
    expect(message).toMatch(/refused the secret: `secret` must be/);
    expect(`${message} ${log.join(' ')}`).not.toContain(SECRET);
    await server.stop();
  });

  it('is requested in the error message when it is missing', async () => {
    const { address } = await startBadBoreServer(greetWith(CHALLENGE));
    expect((await failToOpen({ server: address })).message).toMatch(
      /requires a secret: set the `secret` input/,
    );
  });

  it('fails the start when the server does not require one', async () => {
    const server = await startBoreServer();
    const address = { host: server.host, port: server.controlPort };
    const { message } = await failToOpen({ server: address, secret: SECRET });
    expect(message).toMatch(
      /requires no secret, but one was given: start it with this one .*, remove `secret`/,
    );
    await server.stop();
  });

  it('is proved in the same write that requests the port', async () => {
    const { address, received } = await startBadBoreServer((socket, number) => {
      greetWith(CHALLENGE)(socket, number);
      socket.once('data', () => socket.write('{"Hello":5000}\0"Heartbeat"\0'));
    });
    await openTunnel({ server: address, secret: SECRET });
    expect(received[0]).toMatch(/^\{"Authenticate":"[0-9a-f]{64}"\}\0\{"Hello":0\}\0$/);
  });
});

describe('a start with a server that cannot be reached', () => {
  it('fails with a hint at a typo if the host name does not exist', async () => {
    const { message } = await failToOpen({ server: { host: 'no-such-host.invalid', port: 7835 } });
    expect(message).toMatch(/there is no host no-such-host\.invalid \(.*\): check `server` for a typo$/);
  }, 30_000);

  it('fails only after the host name was not found three times', async () => {
    let asked = 0;
    const { message, states } = await failToOpen({
      server: { host: 'bore.example', port: 7835 },
      lookup: async () => {
        asked += 1;
        throw Object.assign(new Error('getaddrinfo ENOTFOUND bore.example'), { code: 'ENOTFOUND' });
      },
    });
    expect(asked).toBe(3);
    expect(states.at(-1)).toEqual({ status: 'Failed', reason: message });
  });

  it('retries until the signal is aborted, and fails with the last failure', async () => {
    const closed = await startBoreServer();
    await closed.stop();
    const server = { host: closed.host, port: closed.controlPort };
    const { message, states, log } = await failToOpen({ server, signal: AbortSignal.timeout(2_500) });
    expect(message).toMatch(
      /could not reach 127\.0\.0\.1:\d+: connect ECONNREFUSED .*; is the bore server running, and does a firewall block port \d+: .* from here\? `npx expose-action doctor --server 127\.0\.0\.1:\d+` checks the way there$/,
    );
    expect(states.at(-1)).toEqual({ status: 'Disconnected' });
    expect(log.filter(line => line.startsWith('warn'))).toEqual([expect.stringContaining('firewall')]);
  });
});

it('stops waiting for a silent server when the signal is aborted before the first failure', async () => {
  const { address } = await startBadBoreServer(staySilent);
  const { message } = await failToOpen({ server: address, signal: AbortSignal.timeout(300) });
  expect(message).toBe(`127.0.0.1:${address.port} did not answer in time`);
});

describe('after the handshake', () => {
  it('a server that comes back with another secret ends the tunnel', async () => {
    const first = await startBoreServer({ secret: SECRET });
    const address = { host: first.host, port: first.controlPort };
    const { tunnel, states } = await openTunnel({ server: address, secret: SECRET });
    await first.stop();
    const second = await startBoreServer({ secret: 'another', controlPort: address.port });
    await expect.poll(() => tunnel.state.status, { timeout: 10_000 }).toBe('Failed');
    expect(states.at(-1)).toMatchObject({ reason: expect.stringContaining('refused the secret') });
    await second.stop();
  });

  it('errors, unknown messages and garbage are logged once, and the session goes on', async () => {
    const { address } = await startBadBoreServer(
      reply('{"Hello":5000}\0{"Error":"invalid secret"}\0"Sing"\0\u0007\0{"Challenge":"x"}\0'),
    );
    const { tunnel, log } = await openTunnel({ server: address });
    await expect.poll(() => log).toEqual([expect.stringContaining('"invalid secret"; the tunnel goes on')]);
    expect(tunnel.state.status).toBe('Connected');
  });
});

describe('a server that served before', () => {
  const hello = '{"Hello":5000}\0';
  it.each([
    ['while a proxy answers for it', 'HTTP/1.1 502 Bad Gateway\r\n\r\n', /502 Bad Gateway/],
    ['when it hangs up in the middle of a frame', '{"Hel', /it sent/],
  ])('is retried %s', async (_, text, expected) => {
    let begin: (() => void) | undefined;
    const { address } = await startBadBoreServer((socket, number) => {
      if (number === 0) {
        socket.once('data', () => socket.write(hello));
        begin = () => socket.destroy();
      } else if (number < 3) socket.once('data', () => socket.end(text));
      else socket.once('data', () => socket.write(hello));
    });
    const { tunnel, states } = await openTunnel({ server: address });
    begin?.();
    await waitUntil(() => tunnel.reconnects === 1, 'the tunnel is back');
    expect(JSON.stringify(states)).toMatch(expected);
  });

  it('is retried when it reports that no proof of the secret came', async () => {
    const { address } = await startBadBoreServer((socket, number) => {
      socket.write('{"Challenge":"6ba7b810-9dad-11d1-80b4-00c04fd430c8"}\0');
      const text = number === 0 ? '{"Error":"server requires secret, but no secret was provided"}\0' : hello;
      socket.once('data', () => socket.write(text));
    });
    const { states } = await openTunnel({ server: address, secret: 'sesame' });
    expect(JSON.stringify(states)).toMatch(/did not get the proof of the secret/);
  });
});
