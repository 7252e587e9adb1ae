// A machine of machines.ts as DuckDNS: its API under its real name, and its records in the machines' DNS.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DuckdnsAccount, DuckdnsServer } from './duckdns-server.ts';
import type { Machine, Machines } from './machines.ts';
import type { TestCa } from './test-ca.ts';

/** Resolves when it answers. Records are in the DNS a moment after they were changed, as with the real one. */
export async function startDuckdnsMachine(
  machine: Machine,
  setRecord: Machines<string>['setRecord'],
  ca: TestCa,
  account: DuckdnsAccount,
): Promise<void> {
  const file = join(ca.folder, 'duckdns.json');
  await writeFile(file, JSON.stringify({ certificate: ca.issue(['DNS:www.duckdns.org']), account }));
  await setRecord('www.duckdns.org', [machine.ipv4]);
  const program = join(import.meta.dirname, 'duckdns-child.ts');
  const child = machine.run(process.execPath, [program, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.stdout === null) throw new Error('no pipe');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  await lines.next();
  void follow(lines, account.name, setRecord);
}

async function follow(
  lines: AsyncIterator<string>,
  name: string,
  setRecord: Machines<string>['setRecord'],
): Promise<void> {
  for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
    const { ip, ipv6, txt }: DuckdnsServer['records'] = JSON.parse(line.value);
    const records = [ip, ipv6, txt && `TXT "${txt}"`].filter(record => record !== '');
    // Everything below the name has its records, too.
    for (const owner of [name, `*.${name}`]) await setRecord(`${owner}.duckdns.org`, records);
  }
}
