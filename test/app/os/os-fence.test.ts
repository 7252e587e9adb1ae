// Programs in the VM that attack the runner: plain wasmrun allows it, OS mode does not.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startOsServer } from '../../../src/app/os/os-server.ts';
import { startNodeHost } from '../../../src/app/os/page-host/node.ts';
import { PageProgram } from '../../../src/app/os/page-program.ts';
import { createOsRig, type OsRig } from '../../support/os-rig.ts';
import { describeWithReal, requirePart } from '../../support/real-parts.ts';

/**
 * Tries every target while it answers its first visitor: once an inbound connection was closed, wasmnet 0.2.0 refuses
 * every outbound one with "max connections reached", and the test would pass whatever the policy says. It stops at the
 * first target that it reaches, because one is enough to fail.
 */
const PROGRAM = `
  const http = require('http');
  const net = require('net');

  const connectTo = ({ host, port, text }) => new Promise(resolve => {
    const socket = net.connect(port, host, () => {
      if (text) socket.write(text);
      resolve('connected');
    });
    socket.on('error', ({ code }) => resolve({ EACCES: 'denied', ECONNREFUSED: 'refused' }[code] || 'failed: ' + code));
  });

  http.createServer((request, response) => {
    let body = '';
    request.on('data', chunk => { body += chunk; });
    request.on('end', async () => {
      const results = [];
      for (const target of JSON.parse(body)) {
        const result = await connectTo(target);
        results.push([target.host + ' ' + target.port, result]);
        if (/connected|refused/.test(result)) break;
      }
      response.end(JSON.stringify(results));
    });
  }).listen(3000);
`;
/** What a pull request would write to open the network again. */
const OPENED = '[os.network]\nallow = ["*", "0.0.0.0/0", "::/0", "localhost", "127.0.0.1/32"]\ndeny = []\n';

const LITERALS = [
  ...['127.0.0.1', '127.0.0.2', '127.255.255.254', '0.0.0.0', '0.1.2.3', '::1', '::', '0:0:0:0:0:0:0:1'],
  ...['::ffff:127.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:ffff:7f00:1', '::FFFF:0.0.0.0', '::127.0.0.1'],
  ...['64:ff9b::7f00:1', '64:ff9b:1::7f00:1', '2002:7f00:1::', '::ffff:10.0.0.1', '::ffff:169.254.169.254'],
  ...['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1', '169.254.169.254', '100.64.0.1'],
  ...['168.63.129.16', '192.0.0.8', '198.18.0.1', 'fe80::1', 'fc00::1', 'fd00:ec2::254', 'fec0::1'],
];
const NAMES = [
  ...['localhost', 'LOCALHOST', 'localhost.', 'ip6-localhost', 'ip6-loopback', hostname()],
  ...['0', '127.1', '127.0.1', '0177.0.0.1', '0x7f.0.0.1', '0x7f000001', '2130706433', '0x0', '[::1]'],
];
const OWN = Object.values(networkInterfaces())
  .flatMap(addresses => addresses ?? [])
  .map(({ address }) => address);
/** Not a denied address. A TCP connection to the broadcast address fails in the kernel, before anything is sent. */
const OUTSIDE = '255.255.255.255';

describeWithReal(['wasmrun', 'runtime', 'chromium'], 'the fence around the VM', () => {
  let rig: OsRig;
  let canary: Server;
  let canaryPort = 0;
  let visits = 0;
  beforeAll(async () => {
    rig = await createOsRig();
    canary = createServer(socket => {
      visits += 1;
      socket.destroy();
    }).listen(0);
    await once(canary, 'listening');
    const address = canary.address();
    canaryPort = typeof address === 'object' ? (address?.port ?? 0) : 0;
  });
  afterAll(async () => {
    canary.close();
    await rig.stop();
  });
  beforeEach(() => {
    visits = 0;
    rig.log.length = 0;
  });

  const createProject = () => rig.createProject({ 'index.js': PROGRAM, 'wasmrun.toml': OPENED });

  it('is missing in plain wasmrun: the program overwrites a file of the project through its API', async () => {
    const project = createProject();
    const context = rig.createContext();
    const server = await startOsServer(requirePart('wasmrun'), project, context);
    const program = new PageProgram(() => undefined);
    const host = await startNodeHost({
      url: server.url,
      context,
      onMessage: message => program.receive(message),
      script: resolve('src/page-host.ts'),
    });
    try {
      const url = `http://127.0.0.1:${await program.started}`;
      const results = await attack(url, [{ host: '0.0.0.0', ...describeWrite(project, rig.log) }]);
      expect([...results.values()]).toEqual(['connected']);
      await expect.poll(() => readFileSync(join(project, 'index.js'), 'utf8')).toBe('overwritten');
    } finally {
      await host.stop();
      await server.stop();
    }
  });

  it.each(['node', 'browser'] as const)(
    'keeps an attacking program away from the runner (vm: %s)',
    async vm => {
      const project = createProject();
      const before = hashFolder(project);
      const { program, url } = await rig.start(project, vm);
      const ports = [canaryPort, readPort(rig.log, 'OS Mode server'), readPort(rig.log, 'Network proxy')];
      const targets = [...LITERALS, ...NAMES, ...OWN].flatMap(host => ports.map(port => ({ host, port })));
      const write = { host: '0.0.0.0', ...describeWrite('project', rig.log) };
      const results = await attack(url, [...targets, write, { host: OUTSIDE, port: 9 }]);
      const outside = `${OUTSIDE} 9`;
      for (const [target, result] of results) {
        if (target === outside) continue;
        expect.soft(result, target).not.toMatch(/connected|refused/);
        const literal = LITERALS.includes(target.split(' ')[0] ?? '');
        if (literal) expect.soft(result, target).toBe('denied');
      }
      expect(results.get(outside)).toMatch(/^failed/);
      expect(visits).toBe(0);
      await program.stop();
      expect(hashFolder(project)).toBe(before);
    },
  );

  it('keeps the checkout unchanged when wasmrun writes into the folder that it serves', async () => {
    const project = createProject();
    const before = hashFolder(project);
    const { program } = await rig.start(project, 'node');
    const port = readPort(rig.log, 'OS Mode server');
    const answer = await fetch(`http://127.0.0.1:${port}/api/fs/write/project/index.js`, {
      method: 'POST',
      body: 'overwritten',
    });
    expect(await answer.json()).toMatchObject({ success: true });
    expect(hashFolder(project)).toBe(before);
    await program.stop();
  });
});

interface Target {
  host: string;
  port: number;
  text?: string;
}

async function attack(url: string, targets: Target[]): Promise<Map<string, string>> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(targets) });
  return new Map((await response.json()) as [string, string][]);
}

/** The request to wasmrun's API that overwrites the program's own file. */
function describeWrite(project: string, log: readonly string[]) {
  const name = project.slice(project.lastIndexOf('/') + 1);
  const text = `POST /api/fs/write/${name}/index.js HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\noverwritten`;
  return { port: readPort(log, 'OS Mode server'), text };
}

function readPort(log: readonly string[], what: string): number {
  const line = log.find(text => text.includes(`${what} listening on`));
  return Number(/:(\d+)$/.exec(line ?? '')?.[1]);
}

function hashFolder(folder: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).sort()) hash.update(name).update(readFileSync(join(folder, name)));
  return hash.digest('hex');
}
