// The drop-in of docs/https-proxy.md for proxies that keep connections to previews, with a real systemd and the hardened
// service of self-host.

import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { bootSystemd } from '../support/systemd-machine.ts';

const UNITS = '/etc/systemd/system';
const [, dropIn = ''] =
  /```ini\n(\[Service\]\nExecStartPre=.*?)```/s.exec(readFileSync('docs/https-proxy.md', 'utf8')) ?? [];

describeWithReal(['systemd', 'bore', 'ip'], 'the drop-in for quick acknowledgements', () => {
  it('has an effect although the service has no rights', async () => {
    const machine = await bootSystemd({
      '/usr/local/bin/bore': { from: requirePart('bore') },
      [`${UNITS}/bore.service`]: { from: 'self-host/systemd/bore.service' },
      [`${UNITS}/bore.service.d/override.conf`]: { text: dropIn },
      '/etc/bore/bore.env': { text: 'BORE_SECRET=the-secret\n' },
    });
    onTestFinished(() => machine.stop());
    const { output } = await machine.run(
      'systemctl start bore; systemctl is-active bore; ip route get 127.0.0.2; journalctl -u bore | tail',
    );
    expect(output).toMatch(/^active$/m);
    expect(output).toMatch(/^local 127\.0\.0\.2 .*quickack 1/ms);
  });
});
