// Names of servers: what a preview does when the name of its server leads to another machine, and why one name for two
// machines does not work. On machines with a DNS server.

import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type Machine, type Machines, startMachines } from '../support/machines.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { waitUntil } from '../support/wait-until.ts';

const SECRET = 'a secret of these tests';
const NAME = 'bore.example.com';
const APP_PORT = 3_000;
/** curl's exit code for a time-out. */
const TIMED_OUT = 28;

describeWithReal(['machines', 'bore'], 'a preview on a server with a name', () => {
  let rig: Machines<'one' | 'two' | 'runner' | 'visitor'>;
  beforeAll(async () => {
    rig = await startMachines({ names: ['one', 'two', 'runner', 'visitor'] });
    const app = `require('http').createServer((_, answer) => answer.end('the app')).listen(${APP_PORT}, '127.0.0.1')`;
    rig.machines.runner.run(process.execPath, ['-e', app], { stdio: 'ignore' });
  });
  afterAll(() => rig?.stop());

  /** A bore server on a machine, until the end of the test. */
  async function serve(machine: Machine): Promise<ChildProcess> {
    const args = ['server', '--min-port', '20000', '--max-port', '29999'];
    const env = { ...process.env, BORE_SECRET: SECRET };
    const child = machine.run(requirePart('bore'), args, { env, stdio: 'ignore' });
    onTestFinished(() => void child.kill('SIGKILL'));
    await waitUntil(
      async () => (await rig.machines.visitor.finish('self-host/health-check', [machine.ipv4])).code === 0,
      'the server answers',
    );
    return child;
  }

  /** A preview on the runner, until the end of the test. Resolves with the lines of its log, past and future. */
  function expose(): string[] {
    const flags = [
      '--port',
      `${APP_PORT}`,
      '--server',
      NAME,
      '--port-range',
      '20000-29999',
      '--access',
      'open',
    ];
    const command = ['--disable-warning=ExperimentalWarning', 'src/cli.ts', 'run', ...flags];
    const env = { ...process.env, BORE_SECRET: SECRET };
    const child = rig.machines.runner.run(process.execPath, command, { env });
    onTestFinished(() => void child.kill('SIGKILL'));
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', text => lines.push(String(text)));
    return lines;
  }

  const findUrl = (lines: readonly string[]) =>
    /http:\/\/bore\.example\.com:2\d{4}/.exec(lines.join(''))?.[0];

  const visit = (url: string) => rig.machines.visitor.finish('curl', ['-s', '-m', '2', url]);

  /** A preview on the runner and its URL, once a visitor was served. */
  async function exposeAndVisit(): Promise<string> {
    const lines = expose();
    await waitUntil(() => findUrl(lines) !== undefined, 'the preview has a URL');
    const url = findUrl(lines) ?? '';
    await waitForApp(url);
    return url;
  }

  const waitForApp = (url: string) =>
    waitUntil(async () => (await visit(url)).stdout === 'the app', 'a visitor is served');

  const portOf = (url: string) => url.slice(url.lastIndexOf(':') + 1);

  it('follows the name to another machine when its server is gone, and keeps its URL', async () => {
    const { one, two } = rig.machines;
    await rig.setRecord(NAME, [one.ipv4]);
    const first = await serve(one);
    const url = await exposeAndVisit();
    await serve(two);
    first.kill('SIGKILL');
    await rig.setRecord(NAME, [two.ipv4]);
    await waitForApp(url);
  });

  it('has its tunnel on one of two machines with the same name; visitors who reach the other one are lost as soon as something answers there', async () => {
    const { one, two } = rig.machines;
    await rig.setRecord(NAME, [one.ipv4, two.ipv4]);
    await Promise.all([serve(one), serve(two)]);
    const url = await exposeAndVisit();
    // The machine without the tunnel refuses the connection, and only then a visitor tries the next address.
    const holder = await findHolder(portOf(url));
    const wrong = holder === one ? two : one;
    await rig.setRecord(NAME, [wrong.ipv4, holder.ipv4]);
    await waitForApp(url);
    // Packets that a firewall drops, as on most machines: the visitor waits.
    await wrong.firewall(`tcp dport ${portOf(url)} drop`);
    onTestFinished(() => wrong.firewall(''));
    expect((await visit(url)).code).toBe(TIMED_OUT);
    await wrong.firewall('');
    // The same port on the other machine belongs to another preview, or to a proxy that has no tunnel behind it.
    const script = `require('http').createServer((_, answer) => answer.end('another app')).listen(${portOf(url)})`;
    const other = wrong.run(process.execPath, ['-e', script], { stdio: 'ignore' });
    onTestFinished(() => void other.kill('SIGKILL'));
    await waitUntil(
      async () => (await visit(url)).stdout === 'another app',
      'the visitor gets the answer of another app',
    );
  });

  async function findHolder(port: string): Promise<Machine> {
    for (const machine of [rig.machines.one, rig.machines.two]) {
      const { code } = await rig.machines.visitor.finish('curl', [
        '-s',
        '-m',
        '2',
        `http://${machine.ipv4}:${port}/`,
      ]);
      if (code === 0) return machine;
    }
    throw new Error('no machine has the tunnel');
  }
});
