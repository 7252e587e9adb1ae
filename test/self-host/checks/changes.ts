// A proxy follows previews that end, come back and leave their port to another one.

import { expect, it } from 'vitest';
import { accepts } from '../../support/tunnel-rig.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { RAW_PORT, type World } from '../proxy-world.ts';
import { startRawServer } from '../raw-server.ts';
import { askHttp2 } from '../visitor.ts';

export function defineChanges(read: () => World, triesAgain: boolean): void {
  it('follows a port that another preview has now', async () => {
    const { visitor } = read().first;
    const before = await startRawServer(read(), 'before');
    for (let at = 0; at < 5; at += 1)
      expect(String((await visitor.ask({ name: before.name })).body)).toBe('before');
    before.stop();
    expect([502, 503]).toContain((await visitor.ask({ name: before.name })).status);
    const after = await startRawServer(read(), 'after');
    await waitUntil(
      async () => String((await visitor.ask({ name: after.name })).body) === 'after',
      'the new preview answers',
    );
    for (let at = 0; at < 5; at += 1)
      expect(String((await visitor.ask({ name: after.name })).body)).toBe('after');
  });

  it.runIf(triesAgain)(
    'tries again when a port refuses a visitor, because its preview may be reconnecting',
    async () => {
      const { visitor } = read().first;
      const name = `${RAW_PORT}.preview.example.com`;
      const session = await visitor.openHttp2(name);
      const early = askHttp2(session, { name });
      // The answer to this one shows that the proxy has begun with the one before.
      expect((await askHttp2(session, { name: '7835.preview.example.com' })).status).toBe(404);
      await startRawServer(read(), 'back again');
      const { status, body } = await early;
      expect([status, String(body)]).toEqual([200, 'back again']);
      session.close();
    },
  );

  it('follows a preview that ends and starts again', async () => {
    const { first, tunnels } = read();
    await first.stop();
    // bore keeps a visitor who comes right now for 10 s.
    await waitUntil(async () => !(await accepts(tunnels, 20_042)), 'bore has closed the port');
    expect([502, 503]).toContain((await first.visitor.ask({ name: first.name })).status);
    await read().restartFirst();
    const again = read().first;
    expect(again.isVerified).toBe(true);
    expect(String((await again.visitor.ask({ name: again.name })).body)).toBe(`this is ${again.app.name}`);
  });
}
