// The stand-in for GitHub, tested by itself.

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { startReleasesServer } from './releases-server.ts';

describe('the releases server', () => {
  it('lists what it publishes, with size and digest, and lets it be downloaded', async () => {
    const content = Buffer.from('a package');
    const server = await startReleasesServer([{ name: 'x.deb', content }]);
    const release = JSON.parse(await (await fetch(`${server.url}/tags/v1.0.0`)).text());
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    expect(release.assets).toMatchObject([{ name: 'x.deb', size: 9, digest }]);
    expect(await (await fetch(release.assets[0].browser_download_url)).text()).toBe('a package');
    expect((await fetch(`${server.url}/tags/v9.9.9`)).status).toBe(404);
    await server.close();
  });

  it('breaks a download off as often as it is told to', async () => {
    const content = Buffer.alloc(100_000, 'x');
    const server = await startReleasesServer([{ name: 'x.deb', content, breaks: { after: 10, times: 1 } }]);
    const download = async () =>
      (await fetch(server.url.replace('releases', 'download/x.deb'))).arrayBuffer();
    await expect(download()).rejects.toThrow();
    expect((await download()).byteLength).toBe(100_000);
    await server.close();
  });

  it('refuses and redirects as it is told to', async () => {
    const behind = await startReleasesServer([], { refuse: token => (token ? { status: 401 } : undefined) });
    const server = await startReleasesServer([], { redirectTo: new URL(behind.url).origin });
    expect((await fetch(`${server.url}/tags/v1.0.0`)).url).toBe(`${behind.url}/tags/v1.0.0`);
    const headers = { authorization: 'Bearer x' };
    expect((await fetch(`${behind.url}/tags/v1.0.0`, { headers })).status).toBe(401);
    expect([...behind.tokens.api]).toEqual(['Bearer x']);
    await server.close();
    await behind.close();
  });
});
