// Machines for tests that need names, firewalls or several hosts: network namespaces on one switch, with a DNS server
// of their own. Root only. Nothing of them is visible outside, and nothing of the real network inside.
//
//   const rig = await startMachines({ names: ['vm', 'visitor'] });
//   await rig.setRecord('*.preview.example.com', [rig.machines.vm.ipv4]);
//   await rig.machines.vm.firewall('tcp dport 7835 drop');
//   const { stdout } = await rig.machines.visitor.finish('curl', ['http://20000.preview.example.com']);

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { requirePart } from './real-parts.ts';

/** Addresses for documentation (RFC 5737, RFC 3849): for a program they are public ones. */
const PUBLIC = { ipv4: '203.0.113.', ipv6: '2001:db8:113::' };
/** The network behind the router, private (RFC 1918). */
const HOME = '192.168.77.';
const DNS_ADDRESS = `${PUBLIC.ipv4}253`;
const ROUTER = { outside: `${PUBLIC.ipv4}254`, inside: `${HOME}254` };
/** Long: they only stop a test that hangs. */
const ANSWER_DEADLINE_MS = 20_000;
const FINISH_DEADLINE_MS = 60_000;

export interface Machine {
  readonly name: string;
  /** Of the process that holds the machine's namespaces. */
  readonly pid: number;
  readonly ipv4: string;
  /** Undefined behind the router, which passes on only IPv4. */
  readonly ipv6: string | undefined;
  /**
   * Starts a program on the machine; its pid is the program's own. It sees the files of this process, in the same
   * working folder, but has an /etc and a /run of its own.
   */
  run(command: string, args?: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Runs a program to its end. A time-out kills it, and then `code` is null. */
  finish(command: string, args?: readonly string[], options?: FinishOptions): Promise<Finished>;
  /** Replaces the rules for packets that arrive, nft's lines such as `tcp dport 7835 drop`; '' accepts all again. */
  firewall(rules: string): Promise<void>;
  /** The path by which this process finds a file of the machine, such as its /etc/hosts. */
  path(file: string): string;
}

export interface FinishOptions extends Omit<SpawnOptions, 'stdio'> {
  /** Text for stdin. */
  readonly input?: string;
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface MachinesOptions<Name extends string> {
  readonly names: readonly Name[];
  /**
   * Puts some of the machines behind a router with one public IPv4 address, like a server at home. It passes the TCP
   * ports (nft's words, such as `7835, 20000-29999`) on to one of them, but only for connections from outside: behind it,
   * the public address does not lead back in (there is no "hairpin").
   */
  readonly home?: { readonly names: readonly Name[]; readonly forward: { to: Name; ports: string } };
  /** A zone of its own, empty at first, that programs may change with DNS UPDATE (RFC 2136) and a key (TSIG, HMAC-SHA256). */
  readonly updates?: DnsUpdates;
  /** Folders, such as /usr/local and /var, of which each machine gets a copy of its own. */
  readonly ownFolders?: readonly string[];
}

export interface DnsUpdates {
  readonly zone: string;
  /** The key's name, and its bytes in Base64. */
  readonly key: { readonly name: string; readonly secret: string };
}

export interface Machines<Name extends string> {
  readonly machines: Readonly<Record<Name, Machine>>;
  /** The public address of the machines in `home`. */
  readonly routerAddress: string;
  /** IPv4 address of the DNS server. */
  readonly dnsAddress: string;
  /**
   * Sets all records of a name, wildcards too; with none, the name does not exist. IPv4 and IPv6 addresses, and other
   * records as in a zone file: `CNAME bore.example.com.`, `TXT "…"`. Holds for questions asked from then on.
   */
  setRecord(name: string, records: readonly string[]): Promise<void>;
  /** Kills everything on the machines. May be called twice. Where nobody calls it, this happens when this process ends. */
  stop(): Promise<void>;
}

/** Resolves when the machines can reach each other and their DNS server answers. Rejects where that is impossible. */
export async function startMachines<Name extends string>(
  options: MachinesOptions<Name>,
): Promise<Machines<Name>> {
  const folder = await mkdtemp(join(tmpdir(), 'machines-'));
  const network = startNetwork(options.ownFolders ?? []);
  const stop = async () => {
    await network.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const dns = await network.add('dns', { switch: 'outside', ipv4: DNS_ADDRESS });
    const setRecord = await startDns(dns, folder, options.updates);
    const machines = await addMachines(network, options);
    if (options.home !== undefined) await addRouter(network, machines, options.home);
    return { machines, routerAddress: ROUTER.outside, dnsAddress: DNS_ADDRESS, setRecord, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function addMachines<Name extends string>(
  network: Network,
  { names, home }: MachinesOptions<Name>,
): Promise<Record<Name, Machine>> {
  const machines: Partial<Record<Name, Machine>> = {};
  for (const [index, name] of names.entries()) {
    const host = index + 1;
    machines[name] = home?.names.includes(name)
      ? await network.add(name, { switch: 'inside', ipv4: HOME + host })
      : await network.add(name, { switch: 'outside', ipv4: PUBLIC.ipv4 + host, ipv6: PUBLIC.ipv6 + host });
  }
  if (!hasAll(machines, names)) throw new Error('a machine is missing');
  return machines;
}

function hasAll<Name extends string>(
  machines: Partial<Record<Name, Machine>>,
  names: readonly Name[],
): machines is Record<Name, Machine> {
  return names.every(name => machines[name] !== undefined);
}

async function addRouter<Name extends string>(
  network: Network,
  machines: Record<Name, Machine>,
  { names, forward }: NonNullable<MachinesOptions<Name>['home']>,
): Promise<void> {
  const router = await network.add('router', { switch: 'outside', ipv4: ROUTER.outside });
  await network.plug(router, 'eth1', { switch: 'inside', ipv4: ROUTER.inside });
  for (const name of names) await network.setGateway(machines[name], ROUTER.inside);
  const rules = `table ip router {
    chain from-outside { type nat hook prerouting priority dstnat; iifname eth0 tcp dport { ${forward.ports} } dnat to ${machines[forward.to].ipv4}; }
    chain to-outside { type nat hook postrouting priority srcnat; oifname eth0 masquerade; }
  }`;
  await succeed(router, 'sh', ['-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward && nft -f -'], rules);
}

interface Plug {
  readonly switch: 'outside' | 'inside';
  readonly ipv4: string;
  readonly ipv6?: string;
}

interface Network {
  add(name: string, plug: Plug): Promise<Machine>;
  /** A further connection of a machine. */
  plug(machine: Machine, device: string, plug: Plug): Promise<void>;
  setGateway(machine: Machine, ipv4: string): Promise<void>;
  stop(): Promise<void>;
}

/** Runs machines/switch, and asks it one thing at a time. */
function startNetwork(ownFolders: readonly string[]): Network {
  const program = ['--net', '--mount', '--propagation', 'private', requirePart('machines'), DNS_ADDRESS];
  const child = spawn('unshare', [...program, ...ownFolders], { stdio: ['pipe', 'pipe', 'pipe'] });
  const exited = once(child, 'exit').catch(() => {});
  const complaints = text(child.stderr);
  const answers = createInterface(child.stdout)[Symbol.asyncIterator]();
  child.stdin.on('error', () => {}); // its end is seen on stdout
  const ask = async (request: string): Promise<string> => {
    child.stdin.write(`${request}\n`);
    const timer = setTimeout(() => child.stdin.end(), ANSWER_DEADLINE_MS);
    const { value, done } = await answers.next();
    clearTimeout(timer);
    if (done === true) throw new Error(`no machines: '${request}' failed: ${await complaints}`);
    return value;
  };
  const plug = async ({ pid }: Machine, device: string, { switch: into, ipv4, ipv6 }: Plug) =>
    void (await ask(`plug ${pid} ${device} ${into} ${ipv4}/24 ${ipv6 === undefined ? '-' : `${ipv6}/64`}`));
  return {
    add: async (name, connection) => {
      const { ipv4, ipv6 } = connection;
      const machine = createMachine({ name, pid: Number(await ask(`machine ${name}`)), ipv4, ipv6 });
      await plug(machine, 'eth0', connection);
      return machine;
    },
    plug,
    setGateway: async ({ pid }, ipv4) => void (await ask(`route ${pid} ${ipv4}`)),
    stop: async () => {
      child.stdin.end();
      await exited;
    },
  };
}

function createMachine(
  identity: Pick<Machine, 'name' | 'pid' | 'ipv4'> & { ipv6: string | undefined },
): Machine {
  const enter = [`--target=${identity.pid}`, '--mount', '--net', '--uts', 'env', '-C'];
  const run: Machine['run'] = (command, args = [], options = {}) => {
    const { cwd = process.cwd(), ...rest } = options;
    return spawn('nsenter', [...enter, String(cwd), command, ...args], rest);
  };
  const machine: Machine = {
    ...identity,
    run,
    finish: async (command, args, { input = '', ...options } = {}) => {
      const child = run(command, args, { timeout: FINISH_DEADLINE_MS, ...options, stdio: 'pipe' });
      if (child.stdin === null || child.stdout === null || child.stderr === null) throw new Error('no pipes');
      child.stdin.on('error', () => {}).end(input); // it may end without reading
      const output = [text(child.stdout), text(child.stderr)] as const;
      const [code] = await once(child, 'close');
      return { code, stdout: await output[0], stderr: await output[1] };
    },
    firewall: async rules => {
      const chain = `type filter hook input priority 0; policy accept\n${rules}\n`;
      const table = `table inet machine { chain input {\n${chain}}\n}`;
      await succeed(machine, 'nft', ['-f', '-'], `table inet machine\ndelete table inet machine\n${table}`);
    },
    path: file => `/proc/${identity.pid}/root${file}`,
  };
  return machine;
}

async function succeed(machine: Machine, command: string, args: string[], input: string): Promise<void> {
  const { code, stdout, stderr } = await machine.finish(command, args, { input });
  if (code !== 0) throw new Error(`${command} on ${machine.name} exited with ${code}: ${stdout}${stderr}`);
}

/** Knot DNS with one zone, the root, so that names without a record do not exist. Resolves with what sets records. */
async function startDns(
  machine: Machine,
  folder: string,
  updates: DnsUpdates | undefined,
): Promise<Machines<string>['setRecord']> {
  const [config, zone] = [join(folder, 'knot.conf'), join(folder, 'records')];
  const records = new Map<string, readonly string[]>();
  let serial = 0;
  const writeZone = () => {
    serial += 1;
    return writeFile(zone, renderZone(serial, records));
  };
  await writeZone();
  await writeFile(join(folder, 'updates'), renderZone(serial, new Map(), updates?.zone));
  await writeFile(config, renderDnsConfig(folder, zone, updates));
  const server = machine.run(requirePart('knotd'), ['-c', config], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (server.stdout === null) throw new Error('no pipe');
  let log = '';
  for await (const line of createInterface(server.stdout)) {
    log += `${line}\n`;
    if (line.includes('server started')) break;
  }
  if (server.exitCode !== null) throw new Error(`no DNS server: ${log}`);
  server.stdout.resume();
  let last: Promise<void> = Promise.resolve();
  return (name, addresses) => {
    records.set(name, addresses);
    const changed = last.then(async () => {
      await writeZone();
      await succeed(machine, requirePart('knotc'), ['-c', config, '-b', 'zone-reload', '.'], '');
    });
    last = changed.catch(() => {});
    return changed;
  };
}

function renderZone(serial: number, records: ReadonlyMap<string, readonly string[]>, zone = ''): string {
  const lines = [`${zone}. 1 SOA ns. nobody. ${serial} 3600 600 86400 1`, `${zone}. 1 NS ns.`];
  if (zone === '') lines.push(`ns. 1 A ${DNS_ADDRESS}`);
  for (const [name, all] of records)
    for (const record of all) {
      const type = { 0: '', 4: 'A ', 6: 'AAAA ' }[isIP(record)];
      lines.push(`${name}. 1 ${type}${record}`);
    }
  return `${lines.join('\n')}\n`;
}

function renderDnsConfig(folder: string, zone: string, updates: DnsUpdates | undefined): string {
  const updatable = updates && {
    key: `
key:
  - id: ${updates.key.name}
    algorithm: hmac-sha256
    secret: ${updates.key.secret}
acl:
  - id: updates
    key: ${updates.key.name}
    action: update`,
    zone: `
  - domain: ${updates.zone}
    file: ${join(folder, 'updates')}
    zonefile-sync: -1
    acl: updates`,
  };
  return `
server:
    rundir: ${folder}
    listen: ${DNS_ADDRESS}@53
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: ${folder}
log:
  - target: stdout
    any: info${updatable?.key ?? ''}
zone:
  - domain: .
    file: ${zone}
    zonefile-sync: -1
    journal-content: none${updatable?.zone ?? ''}
`;
}
