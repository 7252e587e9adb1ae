import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type AddressCheck, proveAddress } from '../../src/exposure/address-check.ts';
import { askForProof, renderProof } from '../../src/gateway/probe.ts';
import { createLogger } from '../../src/shared/log.ts';
import { isPlainPublicUrl, renderPublicUrl } from '../../src/shared/public-url.ts';

const KEY = randomBytes(32);

/** An HTTP server on loopback; resolves with its URL. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const us: RequestListener = (request, response) => {
  const challenge = new URLSearchParams(request.url?.split('?')[1]).get('challenge') ?? '';
  response.end(renderProof(KEY, challenge));
};
const stranger: RequestListener = (_, response) => response.end('welcome to another app');

/** A check over these addresses, each `move` going on to the next. */
function check(urls: string[], changes: Partial<AddressCheck> = {}) {
  const log: string[] = [];
  let moves = 0;
  const options: AddressCheck = {
    readUrl: () => urls[moves],
    ask: (url, signal) => askForProof(url, KEY, signal),
    isPlain: true,
    isCertain: true,
    move: async () => {
      moves += 1;
    },
    logger: createLogger({ level: 'info', write: line => log.push(line) }),
    signal: AbortSignal.timeout(20_000),
    ...changes,
  };
  return { result: proveAddress(options), log, moves: () => moves };
}

describe('the public address', () => {
  it('is proved by our own answer', async () => {
    const url = await serve(us);
    const { result, log } = check([url]);
    expect(await result).toEqual({ url, verified: true, doubt: undefined });
    expect(log).toEqual([]);
  });

  it('is left to a stranger who answers there, and the next one is tried', async () => {
    const ours = await serve(us);
    const { result, log, moves } = check([await serve(stranger), ours]);
    expect(await result).toEqual({ url: ours, verified: true, doubt: undefined });
    expect(moves()).toBe(1);
    expect(log.join()).toContain('somebody else answers');
  });

  it('is given up when strangers answer everywhere', async () => {
    const url = await serve(stranger);
    const { result } = check([url, url, url, url]);
    await expect(result).rejects.toThrow('somebody else answers');
  });

  it('is handed out with a warning when nobody answers', async () => {
    const { result, log } = check(['http://127.0.0.1:9']);
    expect(await result).toMatchObject({ verified: false, doubt: 'silent' });
    expect(log.join()).toContain('did not answer from here');
  });

  it("is not judged by what a proxy of the user's own answers", async () => {
    const { result, moves } = check([await serve(stranger)], { isPlain: false });
    expect(await result).toMatchObject({ verified: false, doubt: 'unproved' });
    expect(moves()).toBe(0);
  });

  it('is kept, unverified, where strangers answer everywhere and that may be the network', async () => {
    const urls = [await serve(stranger), await serve(stranger), await serve(stranger)];
    const { result, log, moves } = check(urls, { isCertain: false });
    expect(await result).toEqual({ url: urls[2], verified: false, doubt: 'unproved' });
    expect(moves()).toBe(2);
    expect(log.at(-1)).toMatch(/is not known to lead here .*somebody else may have this address/);
    expect(log.join()).not.toContain('did not answer from here');
  });

  it('that changes while it is asked is asked anew: the old answer says nothing about it', async () => {
    const urls = [await serve(us), await serve(stranger)];
    let turn = 0;
    const seen = new Set<string>();
    const { result } = check([], {
      readUrl: () => urls[Math.min(turn, 1)],
      ask: async (url, signal) => {
        seen.add(url);
        const answer = await askForProof(url, KEY, signal);
        turn += 1;
        return answer;
      },
      isPlain: false,
    });
    expect(await result).toMatchObject({ url: urls[1], verified: false });
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
    expect(await result).toMatchObject({ url, verified: true });
  });

  it('is not waited for once the exposure is over', async () => {
    const { result } = check(['http://127.0.0.1:9'], { signal: AbortSignal.abort() });
    expect(await result).toBeUndefined();
  });

  it('is written from the template, an IPv6 host in brackets', () => {
    expect(renderPublicUrl('https://{port}.preview.example', 'x', 12)).toBe('https://12.preview.example');
    expect(renderPublicUrl('http://{host}:{port}', '::1', 80)).toBe('http://[::1]:80');
  });
});

describe('an address with nothing but the bore server before us', () => {
  it.each([
    ['http://{host}:{port}', false, true],
    ['tcp://{host}:{port}', false, true],
    ['https://{host}:{port}', true, true],
    // A proxy speaks it there.
    ['https://{host}:{port}', false, false],
    ['https://{port}.preview.example.com', true, false],
    ['https://preview.example.com:{port}', true, false],
  ])('is %s, where TLS ends here: %s → %s', (template, endsTls, isPlain) => {
    expect(isPlainPublicUrl(template, endsTls)).toBe(isPlain);
  });
});
