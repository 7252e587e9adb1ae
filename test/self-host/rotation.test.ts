// The steps of docs/bore-server.md by which a new secret replaces the old one, with real bore servers and our tunnel.

import { expect, it } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { exchange, failToOpen, openTunnel, portOf, startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const [OLD, NEW] = ['the old secret', 'the new secret'];
const AUTO = { kind: 'auto', min: 20_000, max: 29_999 } as const;

describeWithReal(['bore'], 'the rotation of the secret', () => {
  it('interrupts no preview if the old server runs until its last preview has ended', async () => {
    const [oldHost, newHost] = ['127.0.89.10', '127.0.89.11'];
    const { address: oldServer } = await startRealServer(oldHost, { secret: OLD });
    const before = await openTunnel({ server: oldServer, secret: OLD, remotePort: AUTO });
    const port = portOf(before.tunnel);

    const { address: newServer } = await startRealServer(newHost, { secret: NEW });
    const after = await openTunnel({ server: newServer, secret: NEW, remotePort: AUTO });
    expect(await exchange(newHost, portOf(after.tunnel), 'new')).toBe('new');
    expect(await exchange(oldHost, port, 'old')).toBe('old');
    expect(portOf(before.tunnel)).toBe(port);
    expect(before.tunnel.reconnects).toBe(0);

    const { message } = await failToOpen({ server: newServer, secret: OLD });
    expect(message).toContain('127.0.89.11:7835 refused the secret');
  });

  it('moves the previews that know both secrets to the new server when the old one gets the new secret', async () => {
    // As behind a proxy: both servers give out their ports on the address that the proxy connects to.
    const [oldHost, newHost, proxied] = ['127.0.89.12', '127.0.89.13', '127.0.89.14'];
    const options = { bindTunnels: proxied, maxPort: 29_999 };
    const oldServer = await startRealServer(oldHost, { ...options, secret: OLD });
    const newServer = await startRealServer(newHost, { ...options, secret: NEW });
    const list = [
      { address: oldServer.address, secret: OLD },
      { address: newServer.address, secret: NEW },
    ];
    // Each preview has an order of its own of the servers; these two begin with the old one.
    const preferred = { host: oldHost, port: 20_042 };
    const knowing = await openTunnel({ servers: list, preferred, remotePort: 20_042 });
    const ignorant = await openTunnel({ servers: list.slice(0, 1), remotePort: AUTO });
    expect(knowing.tunnel.state).toMatchObject({ host: oldHost });

    await oldServer.kill();
    await startRealServer(oldHost, { ...options, secret: NEW });
    await waitUntil(() => knowing.tunnel.reconnects === 1, 'the preview that knows both secrets has moved');
    expect(knowing.tunnel.state).toMatchObject({ status: 'Connected', host: newHost, port: 20_042 });
    expect(await exchange(proxied, 20_042, 'moved')).toBe('moved');
    expect(knowing.log.find(line => line.includes('going on with'))).toMatch(
      /^warn 127\.0\.89\.12:7835 refused the secret: .*; going on with 127\.0\.89\.13:7835$/,
    );

    await waitUntil(() => ignorant.tunnel.state.status === 'Failed', 'the preview without the new one ends');
    expect(ignorant.tunnel.state).toMatchObject({
      reason: expect.stringContaining('127.0.89.12:7835 refused the secret'),
    });
  });
});
