// What `expose doctor` says of the proxy: nothing is wrong with it.

import tls from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { examineServer } from '../../doctor/rig.ts';
import type { World } from '../proxy-world.ts';

export function defineDoctor(read: () => World): void {
  it.each(['', ':8443'])(
    'is a good set-up for expose doctor, at the name with "%s" behind it',
    async suffix => {
      const { bore, secret, ca, place } = read();
      const authorities = tls.getCACertificates('default');
      tls.setDefaultCACertificates([...authorities, ca]);
      onTestFinished(() => tls.setDefaultCACertificates(authorities));
      const { report, faults, warnings } = await examineServer(bore, {
        secret,
        publicUrl: `https://{port}.preview.example.com${suffix}`,
        trustedProxy: true,
        lookup: async host => [{ address: host === bore ? bore : place.host }],
      });
      // True in a test: everything is on loopback addresses.
      const loopback = `20000.preview.example.com leads to ${place.host}, a loopback address`;
      expect([faults, warnings]).toEqual([[], [expect.stringContaining(loopback)]]);
      const skipped = report.checks.filter(({ status }) => status === 'skipped').map(({ name }) => name);
      // The plain port is closed.
      expect(['version']).toEqual(expect.arrayContaining(skipped));
    },
  );
}
