// self-host/firewall/nftables.conf on a machine of its own, with a real bore server behind it and visitors in front.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Machine, type Machines, startMachines } from '../support/machines.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { waitUntil } from '../support/wait-until.ts';
import { readCommands } from './page-commands.ts';

const RULES = readFileSync('self-host/firewall/nftables.conf', 'utf8');
/** With the other of the two lines for visitors. */
const BEHIND_PROXY = RULES.replace(/^(define visitor_ports)/m, '#$1').replace(
  /^#(?=define visitor_ports = \{ 80)/m,
  '',
);
const TUNNEL = 20_042;
/** What Debian's /etc/nftables.conf says, in short, after an editor that leaves out the last line break. */
const DEBIAN_RULES = `flush ruleset
table inet filter {
  chain input {
    type filter hook input priority filter;
  }
}`;
/** Where something else listens on the machine; bore has 7835 and the tunnel. */
const LISTENING = [22, 80, 443, 8080, 8443, 19_999, 29_999, 30_000];
const ALL = [...LISTENING, 7835, TUNNEL];

/** Accepts on all ports given, and prints a line when it does. */
const LISTENER = `const [, ...ports] = process.argv;
  let open = 0;
  for (const port of ports) require('node:net').createServer(s => s.on('error', () => {}))
    .listen({ port, host: '::', backlog: 8192 }, () => ++open === ports.length && console.log('listening'))`;
/**
 * Opens COUNT connections at once to each PORT of HOST; prints for each port how many were accepted, when the last
 * answer is almost a second old. (After a second, TCP tries again.)
 */
const CONNECT = `const [, host, count, ...ports] = process.argv;
  const accepted = Object.fromEntries(ports.map(port => [port, 0]));
  let pending = count * ports.length;
  for (const port of ports) for (let i = 0; i < count; i++) require('node:net').connect({ host, port })
    .on('connect', () => { accepted[port]++; answer(); }).on('error', () => answer());
  let idle = 0; // ticks, not time: a busy machine gives no tick while answers wait to be read
  const answer = () => { pending--; idle = 0; };
  setInterval(() => {
    if (pending > 0 && ++idle < 90) return;
    console.log(JSON.stringify(accepted));
    process.exit();
  }, 10)`;

async function connect(
  from: Machine,
  host: string,
  ports: readonly number[],
  count = 1,
): Promise<Record<string, number>> {
  const { stdout } = await from.finish(process.execPath, [
    '-e',
    CONNECT,
    host,
    `${count}`,
    ...ports.map(String),
  ]);
  return JSON.parse(stdout) as Record<string, number>;
}

/** The ports that let a connection in, by IPv4 and by IPv6. */
function listOpen(from: Machine, to: Machine): Promise<number[][]> {
  return Promise.all(
    [to.ipv4, to.ipv6 ?? ''].map(async host => {
      const accepted = await connect(from, host, ALL);
      return ALL.filter(port => accepted[port] === 1);
    }),
  );
}

async function load(vm: Machine, rules: string): Promise<void> {
  expect(await vm.finish('nft', ['-f', '-'], { input: rules })).toMatchObject({ code: 0, stderr: '' });
}

async function countPackets(vm: Machine, counter: string): Promise<number> {
  const { stdout } = await vm.finish('nft', ['list', 'counter', 'inet', 'bore_machine', counter]);
  return Number(/packets (\d+)/.exec(stdout)?.[1]);
}

describeWithReal(['machines', 'bore'], 'the firewall of self-host', () => {
  let rig: Machines<'vm' | 'runner' | 'visitor'>;

  /** The machine with these rules, and with a bore server and a preview on TUNNEL. */
  beforeAll(async () => {
    rig = await startMachines({ names: ['vm', 'runner', 'visitor'] });
    const { vm, runner } = rig.machines;
    const bore = (machine: Machine, ...args: string[]) =>
      machine.run(requirePart('bore'), args, { stdio: 'ignore' });
    const opens = (port: number) =>
      waitUntil(async () => (await connect(runner, vm.ipv4, [port]))[port] === 1, `port ${port} is open`);
    bore(vm, 'server', '--bind-addr', '::', '--min-port', '20000');
    await opens(7835);
    bore(runner, 'local', '5000', '--to', vm.ipv4, '--port', `${TUNNEL}`);
    await opens(TUNNEL);
    const listener = vm.run(process.execPath, ['-e', LISTENER, ...LISTENING.map(String)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (listener.stdout === null) throw new Error('no pipe');
    await once(listener.stdout, 'data');
  });
  afterAll(() => rig?.stop());

  it('lets runners, visitors and ssh in and nothing else, without a proxy', async () => {
    const { vm, visitor } = rig.machines;
    expect(await listOpen(visitor, vm)).toEqual([ALL, ALL]);
    await load(vm, RULES);
    const open = [22, 29_999, 7835, TUNNEL];
    expect(await listOpen(visitor, vm)).toEqual([open, open]);
    expect(await countPackets(vm, 'refused')).toBeGreaterThan(0);
  });

  it('closes the ports of bore to visitors, behind a proxy', async () => {
    const { vm, visitor } = rig.machines;
    await load(vm, BEHIND_PROXY);
    const open = [22, 80, 443, 8443, 7835];
    expect(await listOpen(visitor, vm)).toEqual([open, open]);
    // The proxy itself reaches them.
    expect(await connect(vm, '127.0.0.2', [TUNNEL])).toEqual({ [TUNNEL]: 1 });
  });

  it('lets only the listed runners in', async () => {
    const { vm, runner, visitor } = rig.machines;
    const ipv4 = RULES.replace('{ 0.0.0.0/0 }', `{ ${runner.ipv4}, 198.51.100.0/24 }`);
    await load(vm, ipv4.replace('{ ::/0 }', `{ ${runner.ipv6} }`));
    expect(await listOpen(runner, vm)).toEqual([
      [22, 29_999, 7835, TUNNEL],
      [22, 29_999, 7835, TUNNEL],
    ]);
    expect(await listOpen(visitor, vm)).toEqual([
      [22, 29_999, TUNNEL],
      [22, 29_999, TUNNEL],
    ]);
  });

  it.each([
    ['runners_limited', 'ipv4', 7835, 2000],
    ['visitors_limited', 'ipv6', 29_999, 1000],
  ] as const)(
    'limits how fast an address connects, counts it as %s, and lets others in meanwhile',
    async (counter, family, port, burst) => {
      const { vm, runner, visitor } = rig.machines;
      await load(vm, RULES);
      const host = vm[family] ?? '';
      const { [port]: accepted } = await connect(visitor, host, [port], 4 * burst);
      expect(accepted).toBeGreaterThanOrEqual(burst);
      expect(accepted).toBeLessThan(4 * burst);
      expect(await countPackets(vm, counter)).toBeGreaterThan(0);
      expect(await connect(runner, host, [port])).toEqual({ [port]: 1 });
    },
  );

  it('can be loaded again without breaking a connection, and beside the rules of others', async () => {
    const { vm, runner, visitor } = rig.machines;
    await load(vm, RULES);
    await vm.finish('nft', ['add', 'table', 'ip', 'other']);
    const script = `const socket = require('node:net').connect(29999, '${vm.ipv4}', () => console.log('connected'));
      process.stdin.on('data', text => socket.write(text))`;
    const child = visitor.run(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (child.stdout === null || child.stdin === null) throw new Error('no pipes');
    await once(child.stdout, 'data');
    await load(vm, RULES);
    child.stdin.write('x'.repeat(1000));
    const received = async () => (await vm.finish('ss', ['-tniH', 'sport', '=', ':29999'])).stdout;
    await waitUntil(async () => / bytes_received:1000 /.test(await received()), 'the bytes arrive');
    expect((await vm.finish('nft', ['list', 'tables'])).stdout.trim().split('\n').toSorted()).toEqual([
      'table inet bore_machine',
      'table ip other',
    ]);
    expect(await connect(runner, vm.ipv4, [7835])).toEqual({ 7835: 1 });
  });

  it('is loaded at boot after the commands of the page were run twice, beside the rules that were there', async () => {
    const { vm, visitor } = rig.machines;
    await writeFile(vm.path('/etc/nftables.conf'), DEBIAN_RULES);
    const commands = readCommands(['bore-server.md', '/etc/nftables.d-bore.conf']);
    // The machine has no systemd. What nftables.service does at boot follows below.
    const script = `set -e; systemctl() { :; }; ${commands}`;
    for (let run = 0; run < 2; run += 1)
      expect(await vm.finish('bash', ['-c', script])).toEqual({ code: 0, stdout: '', stderr: '' });
    await vm.finish('nft', ['flush', 'ruleset']);
    expect(await listOpen(visitor, vm)).toEqual([ALL, ALL]);
    expect(await vm.finish('nft', ['-f', '/etc/nftables.conf'])).toMatchObject({ code: 0, stderr: '' });
    const open = [22, 29_999, 7835, TUNNEL];
    expect(await listOpen(visitor, vm)).toEqual([open, open]);
    expect((await vm.finish('nft', ['list', 'tables'])).stdout).toContain('table inet filter\n');
  });
});
