// A server that runs out of file descriptors, as with the usual limit of 1,024: what does it do? Run by main.ts.

import { startVisitor } from '../../rig/visitors.ts';
import type { Section } from '../results.ts';
import { World } from '../world.ts';

const HOST = '127.0.0.220';
/** The limit of most systems for a service that sets none (systemd: DefaultLimitNOFILESoft). */
const MAX_FILES = 1_024;
const TUNNELS = 20;

export async function runFiles(): Promise<Section[]> {
  const options = { hosts: [HOST], previews: TUNNELS, maxFiles: MAX_FILES };
  await using world = await World.start({ ...options, modes: ['raw'] });
  await world.openAll();
  const [place] = world.places.values();
  const server = world.server(HOST);
  const before = server.sample().files;
  const visitors = startVisitor('idle', [
    '-address',
    `${place?.host}:${place?.port}`,
    '-count',
    `${MAX_FILES}`,
  ]);
  await world.waitFor(() => server.exit !== undefined, 'the server has ended');
  const said = /^Error: (.*)$/m.exec(server.readLog())?.[1] ?? 'nothing';
  visitors.kill('SIGKILL');
  await visitors.ended;
  return [
    {
      id: 'files',
      title: `A server that may open ${MAX_FILES.toLocaleString('en')} files gets more visitors`,
      rows: [
        { what: `file descriptors with ${TUNNELS} tunnels`, value: before, unit: '' },
        { what: 'the server', value: `ended with exit code ${server.exit}: ${said}`, unit: '' },
      ],
    },
  ];
}
