// Which answers of the public address count as ours, and what follows from the others.

import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type AddressCheck, checkAddress } from '../../src/exposure/address-check.ts';
import { probeHttp, renderProof } from '../../src/gateway/probe.ts';
import { createLogger } from '../../src/shared/log.ts';
import { isPlainPublicUrl, renderPublicUrl } from '../../src/shared/public-url.ts';
import { listen } from '../support/listen.ts';

const KEY = randomBytes(32);

/** An HTTP server on loopback; resolves with its URL. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  const port = await listen(server);
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${port}`;
}

const us: RequestListener = (request, response) => {
  const challenge = new URLSearchParams(request.url?.split('?')[1]).get('challenge') ?? '';
  response.end(renderProof(KEY, challenge));
};
const other: RequestListener = (_, response) => response.end('welcome to another app');

/** Starts a check of the first address; each change of port leads to the next address. */
function check(urls: string[], changes: Partial<AddressCheck> = {}) {
  const log: string[] = [];
  let portChanges = 0;
  const options: AddressCheck = {
    readUrl: () => urls[portChanges],
    probe: (url, signal) => probeHttp(url, KEY, signal),
    isPlain: true,
    isCertain: true,
    changePort: async () => {
      portChanges += 1;
    },
    logger: createLogger({ level: 'info', write: line => log.push(line) }),
    signal: AbortSignal.timeout(20_000),
    ...changes,
  };
  return { result: checkAddress(options), log, portChanges: () => portChanges };
}

describe('the public address', () => {
  it('is verified by our own answer', async () => {
    const url = await serve(us);
    const { result, log } = check([url]);
    expect(await result).toEqual({ kind: 'verified', url });
    expect(log).toEqual([]);
  });

  it('is changed if another program answers there', async () => {
    const ours = await serve(us);
    const { result, log, portChanges } = check([await serve(other), ours]);
    expect(await result).toEqual({ kind: 'verified', url: ours });
    expect(portChanges()).toBe(1);
    expect(log.join()).toContain('another program answers');
  });

  it('is not published if another program answers at every port', async () => {
    const url = await serve(other);
    const { result } = check([url, url, url, url]);
    await expect(result).rejects.toThrow('another program answers');
  });

  it('is published with a warning if nothing answers', async () => {
    const { result, log } = check(['http://127.0.0.1:9']);
    expect(await result).toMatchObject({ kind: 'unverified', reason: 'silent' });
    expect(log.join()).toContain('did not answer from here');
  });

  it("is kept, unverified, if the user's own proxy answers", async () => {
    const { result, portChanges } = check([await serve(other)], { isPlain: false });
    expect(await result).toMatchObject({ kind: 'unverified', reason: 'unproved' });
    expect(portChanges()).toBe(0);
  });

  it('is kept, unverified, if every port answers without proof, and the network may be the reason', async () => {
    const urls = [await serve(other), await serve(other), await serve(other)];
    const { result, log, portChanges } = check(urls, { isCertain: false });
    expect(await result).toEqual({ kind: 'unverified', url: urls[2], reason: 'unproved' });
    expect(portChanges()).toBe(2);
    expect(log.at(-1)).toMatch(/could not be verified .*another program may have this address/);
    expect(log.join()).not.toContain('did not answer from here');
  });

  it('is probed again if it changes during a probe: the old answer is dropped', async () => {
    const urls = [await serve(us), await serve(other)];
    let turn = 0;
    const seen = new Set<string>();
    const { result } = check([], {
      readUrl: () => urls[Math.min(turn, 1)],
      probe: async (url, signal) => {
        seen.add(url);
        const answer = await probeHttp(url, KEY, signal);
        turn += 1;
        return answer;
      },
      isPlain: false,
    });
    expect(await result).toMatchObject({ kind: 'unverified', url: urls[1] });
    expect([...seen]).toEqual(urls);
  });

  it('is waited for while the tunnel is away', async () => {
    const url = await serve(us);
    let looks = 0;
    const readUrl = () => {
      looks += 1;
      return looks > 2 ? url : undefined;
    };
    const { result } = check([], { readUrl });
    expect(await result).toMatchObject({ kind: 'verified', url });
  });

  it('is not waited for once the exposure has ended', async () => {
    const { result } = check(['http://127.0.0.1:9'], { signal: AbortSignal.abort() });
    expect(await result).toBeUndefined();
  });

  it('is written from the template, with an IPv6 host in brackets', () => {
    expect(renderPublicUrl('https://{port}.preview.example', 'x', 12)).toBe('https://12.preview.example');
    expect(renderPublicUrl('http://{host}:{port}', '::1', 80)).toBe('http://[::1]:80');
  });
});

describe('the template of a public address', () => {
  it.each([
    ['http://{host}:{port}', false, true],
    ['tcp://{host}:{port}', false, true],
    ['https://{host}:{port}', true, true],
    // TLS ends at a proxy in front.
    ['https://{host}:{port}', false, false],
    ['https://{port}.preview.example.com', true, false],
    ['https://preview.example.com:{port}', true, false],
  ])('%s with TLS on the runner (%s) is the bore server’s own address: %s', (template, endsTls, isPlain) => {
    expect(isPlainPublicUrl(template, endsTls)).toBe(isPlain);
  });
});
