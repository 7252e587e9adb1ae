// WebSockets over HTTP/2 (RFC 8441), which browsers use if a proxy offers them.

import { once } from 'node:events';
import { expect, it } from 'vitest';
import type { World } from '../proxy-world.ts';

export function defineHttp2WebSockets(read: () => World, offered: boolean): void {
  it(`${offered ? 'offers' : 'does not offer'} WebSockets over HTTP/2`, async () => {
    const { visitor, name, app } = read().first;
    const session = await visitor.openHttp2(name);
    const [settings] = await once(session, 'remoteSettings');
    expect(settings.enableConnectProtocol).toBe(offered);
    if (offered) {
      app.onSocket = socket => socket.send('hi');
      const target = { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https' };
      const stream = session.request({
        ...target,
        ...{ ':authority': name, ':path': '/socket', 'sec-websocket-version': '13' },
      });
      const [head] = await once(stream, 'response');
      expect(head[':status']).toBe(200);
      // One text message of two bytes (RFC 6455, 5.2).
      expect((await once(stream, 'data'))[0]).toEqual(Buffer.from([0x81, 2, ...Buffer.from('hi')]));
      stream.on('error', () => {}).close();
    }
    session.destroy();
  });
}
