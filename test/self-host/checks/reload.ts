// A proxy takes a new configuration, or a renewed certificate, while visitors are there.

import { once } from 'node:events';
import { expect, it } from 'vitest';
import type { World } from '../proxy-world.ts';

export function defineReload(read: () => World, reloadsSeamlessly: boolean): void {
  it('serves visitors after a reload', async () => {
    const { first, network, proxy } = read();
    await proxy.reload();
    expect((await first.visitor.at(`${network}.26`).ask({ name: first.name })).status).toBe(200);
  });

  it.runIf(reloadsSeamlessly)('refuses no visitor while it is reloaded', async () => {
    const { first, network, proxy } = read();
    const statuses = new Set<number>();
    let isReloaded = false;
    const visit = async () => {
      // Many visitors: one who came so often would reach the limit of requests.
      for (let count = 0; !isReloaded; count += 1) {
        const visitor = first.visitor.at(`${network}.${100 + (count % 100)}`);
        statuses.add((await visitor.ask({ name: first.name })).status);
      }
    };
    const reload = proxy.reload().finally(() => {
      isReloaded = true;
    });
    await Promise.all([reload, visit()]);
    expect([...statuses]).toEqual([200]);
  });

  it.runIf(reloadsSeamlessly)('leaves a WebSocket open while it is reloaded', async () => {
    const { first, network, proxy } = read();
    const socket = first.visitor.at(`${network}.27`).openWebSocket(first.name);
    await once(socket, 'open');
    await proxy.reload();
    socket.send('still here');
    expect(String((await once(socket, 'message'))[0])).toBe('still here');
    socket.close();
  });
}
