// `port: host:port`: a service on another machine, such as a service container. The other machine is another loopback
// address here; the name is this machine's own.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isNeverExposed } from '../../../src/app/port/service-address.ts';
import { findFreePort } from '../../../src/app/process/free-port.ts';
import type { AppSpec } from '../../../src/app/program.ts';
import { fail, folder, start } from '../../support/apps.ts';

/** A service that notes the Host of each request, and listens on `host` only. */
async function serve(host: string) {
  const hosts: (string | undefined)[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    hosts.push(request.headers.host);
    response.end('a service');
  });
  server.listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { hosts, port: (server.address() as AddressInfo).port };
}

const specOf = (service: string, port: number): AppSpec => ({ mode: 'port', path: folder, port, service });

/** The service is asked for its health only. */
const REWRITE = { hostHeader: 'rewrite' } as const;

describe('a service on another machine', () => {
  it('is reached at its address, and sees its own name as the Host of the health request', async () => {
    const { hosts, port } = await serve('127.0.0.2');
    const { app } = await start(specOf('127.0.0.2', port), REWRITE);
    const upstream = { kind: 'address', host: '127.0.0.2', port, service: '127.0.0.2' };
    expect(app.state).toMatchObject({ status: 'running', upstream });
    expect(hosts).toEqual([`127.0.0.2:${port}`]);
  });

  it('is reached by its name, and pinned to the address that answered', async () => {
    const { hosts, port } = await serve('0.0.0.0');
    const { app } = await start(specOf(hostname(), port), REWRITE);
    expect(app.state).toMatchObject({
      upstream: { host: expect.stringMatching(/^[\d.]+$/), service: hostname() },
    });
    expect(hosts).toEqual([`${hostname().toLowerCase()}:${port}`]);
  });

  it('is reached over IPv6, with brackets in its Host', async () => {
    const { hosts, port } = await serve('::1');
    await start(specOf('::1', port), REWRITE);
    expect(hosts).toEqual([`[::1]:${port}`]);
  });

  it('is waited for, because a container may start late', async () => {
    const port = await findFreePort();
    const server = createServer((_, response) => response.end());
    onTestFinished(() => void server.close());
    const started = start(specOf('127.0.0.2', port), REWRITE);
    server.listen(port, '127.0.0.2');
    expect((await started).app.state.status).toBe('running');
  });

  it('that does not listen is reported with its name and port', async () => {
    const port = await findFreePort();
    const failure = await fail(specOf('127.0.0.2', port), { signal: AbortSignal.timeout(300) });
    expect(failure.message).toContain(`nothing listens on 127.0.0.2:${port}; is it the port inside`);
  });

  it('whose name is not known is reported with what to do in a job without a container', async () => {
    const failure = await fail(specOf('no-such-service.invalid', 6379), { signal: AbortSignal.timeout(400) });
    expect(failure.message).toMatch(
      /the host no-such-service\.invalid is not known here; .*`container:`.*`port: 6379`/,
    );
  });

  it('is never the one that hands out credentials, also where a name leads there', async () => {
    // The decimal form stands for a name: only the resolver turns it into the address.
    const failure = await fail(specOf('2852039166', 80));
    expect(failure.message).toContain('`port`: 2852039166 is 169.254.169.254, which is never exposed');
    expect(failure.restartable).toBe(false);
  });

  it.each([
    ['169.254.169.254', true],
    ['::ffff:169.254.169.254', true],
    ['::ffff:a9fe:a9fe', true],
    ['fe80::1', true],
    ['fd00:ec2::254', true],
    ['168.63.129.16', true],
    ['100.100.100.200', true],
    ['0.0.0.0', true],
    ['::', true],
    ['239.1.2.3', true],
    ['255.255.255.255', true],
    ['172.18.0.2', false],
    ['10.0.0.5', false],
    ['100.64.0.1', false],
    ['fd12::5', false],
    ['127.0.0.1', false],
    ['redis', false],
  ])('may not be at every address: %s is refused: %s', (address, refused) => {
    expect(isNeverExposed(address)).toBe(refused);
  });
});
