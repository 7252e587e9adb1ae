// Finds the process that listens on a port: a program that is still starting may find its port taken, and what answers
// there meanwhile must not be published. Linux only; used by listener.ts.

import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { listProcesses, type ProcessStat, readProcessStat } from '../../shared/processes.ts';

export interface Ours {
  /** The process group of what we started. */
  group: number;
  /** A `NAME=value` entry of its environment, which a daemon that left the group still has. */
  variable: string;
}

/** Ports of `docker run -p` and similar commands belong to a process of the container engine. */
const CONTAINER_PROXIES = ['docker-proxy', 'rootlessport', 'pasta', 'slirp4netns', 'conmon'];
/** proc_pid_net(5): the state LISTEN. */
const LISTEN = '0A';

/**
 * The process that listens on `port` of a loopback host, if it is known and not ours. Undefined if it is ours or
 * unknown (another user's process, another system).
 */
export async function findForeignOwner(
  address: { host: string; port: number },
  ours: Ours,
): Promise<{ pid: number; name: string } | undefined> {
  if (process.platform !== 'linux') return undefined;
  const sockets = await listSockets(address);
  if (sockets.size === 0) return undefined;
  let foreign: { pid: number; name: string } | undefined;
  for (const pid of listProcesses()) {
    if (!(await holdsSocket(pid, sockets))) continue;
    const stat = readProcessStat(pid);
    if (stat === undefined) continue;
    if (await isOurs(pid, stat, ours)) return undefined;
    foreign = { pid, name: (await readCommand(pid)) || stat.name };
  }
  return foreign;
}

/** The program as people call it, from its command line: Node.js names its main thread `MainThread`. */
async function readCommand(pid: number): Promise<string> {
  const [command = ''] = (await readText(`/proc/${pid}/cmdline`)).split('\0');
  return basename(command);
}

async function isOurs(pid: number, stat: ProcessStat, ours: Ours): Promise<boolean> {
  if (stat.group === ours.group || CONTAINER_PROXIES.includes(stat.name)) return true;
  return (await readText(`/proc/${pid}/environ`)).split('\0').includes(ours.variable);
}

/** Names of the listening sockets a connection to the address may end at, as links of /proc/PID/fd show them. */
async function listSockets({ host, port }: { host: string; port: number }): Promise<Set<string>> {
  const files = host === '127.0.0.1' ? ['tcp', 'tcp6'] : ['tcp6'];
  const tables = await Promise.all(files.map(name => readText(`/proc/net/${name}`)));
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = tables.flatMap(table => table.split('\n')).map(line => line.trim().split(/\s+/));
  const listening = rows.filter(row => row[1]?.endsWith(suffix) === true && row[3] === LISTEN);
  return new Set(listening.map(row => `socket:[${row[9] ?? ''}]`));
}

/** False for processes of other users, whose files cannot be seen. */
async function holdsSocket(pid: number, sockets: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  const files = await readdir(folder).catch(() => []);
  for (const file of files) if (sockets.has(await readlink(`${folder}/${file}`).catch(() => ''))) return true;
  return false;
}

async function readText(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '');
}
