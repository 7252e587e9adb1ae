// Everything around one proxy under test: a real bore server behind it, two previews as `expose run` makes them, their
// apps in this process, and listeners on the ports that nobody may reach. Used by proxy-suite.ts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { listen } from '../support/listen.ts';
import { TestCa } from '../support/test-ca.ts';
import { launchRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { TestApp } from './test-app.ts';
import { Visitor } from './visitor.ts';

const SECRET = 'the-secret-of-the-bore-server';
/** Behind the proxy on 443, and behind the one on 8443, whose visitors have the port in the name. */
const PORTS = { first: 20_042, second: 20_043 } as const;
/** For servers of the tests' own in bore's place, which see what the proxy sends. */
export const RAW_PORT = 20_050;
/** Nothing is there. */
export const EMPTY_PORT = 20_099;
/** bore's own, the two beside the range, and those of other programs. */
const FORBIDDEN_PORTS = [7835, 1_042, 10_022, 19_999, 30_000, 42, 80];

/** Where a proxy under test listens, what it leads to, and its files. */
export interface ProxyPlace {
  /** An empty folder for configuration, logs and whatever it writes. */
  folder: string;
  /** It listens on this address, on both ports. */
  host: string;
  httpsPort: number;
  httpPort: number;
  /** It also listens on `[::1]` at these ports; undefined on a machine without IPv6. */
  ipv6: { httpsPort: number; httpPort: number } | undefined;
  /** The address of `--bind-tunnels`, in the files 127.0.0.2. */
  tunnels: string;
  /** Files of the wildcard certificate for *.preview.example.com, PEM: instead of /etc/letsencrypt/live/…. */
  certificate: string;
  key: string;
}

export interface RunningProxy {
  /** Everything that it has logged so far, all files together. */
  readLog(): string;
  /** Makes it read its configuration and its certificate again, as `systemctl reload` does; resolves when it has. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the proxy with its file of self-host/, changed only where `place` says so; resolves when it listens. */
export type StartProxy = (place: ProxyPlace) => Promise<RunningProxy>;

export interface Preview {
  app: TestApp;
  /** What visitors type, without a port. */
  name: string;
  /** Host as a browser sends it. */
  host: string;
  /** A visitor of the proxy at whose port this preview is published. */
  visitor: Visitor;
  /** What `expose run` found out: its own address leads to it, through the proxy. */
  isVerified: boolean;
  /** What `expose run` has printed so far. */
  readOutput(): string;
  stop(): Promise<void>;
}

export interface World {
  first: Preview;
  second: Preview;
  proxy: RunningProxy;
  place: ProxyPlace;
  /** The address of the bore server itself. */
  bore: string;
  secret: string;
  /** The authority of the proxy's certificate, PEM. */
  ca: string;
  tunnels: string;
  /** The first three numbers of all addresses. */
  network: string;
  /** How often somebody connected to a port outside the range. */
  countForbidden(): number;
  /** Ends the first preview, and starts it again with the same port. */
  restartFirst(): Promise<void>;
  stop(): Promise<void>;
}

/** What ends everything that was started, the last one first. */
type Closers = (() => unknown)[];

interface Setting {
  network: string;
  ca: TestCa;
  folder: string;
  bore: string;
  tunnels: string;
  host: string;
  closers: Closers;
}

/** `network`: the first three numbers of the loopback addresses that only this test file uses. */
export async function createWorld(network: string, startProxy: StartProxy): Promise<World> {
  const closers: Closers = [];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const ca = new TestCa();
    closers.push(() => ca.remove());
    const folder = mkdtempSync(join(tmpdir(), 'proxy-suite-'));
    closers.push(() => rmSync(folder, { recursive: true, force: true }));
    const [bore, tunnels, host] = [`${network}.10`, `${network}.11`, `${network}.12`];
    const ports = { minPort: 20_000, maxPort: 29_999 };
    const server = await launchRealServer(bore, { secret: SECRET, bindTunnels: tunnels, ...ports });
    closers.push(server.kill);
    const forbidden = await listenWhereNobodyMay(tunnels);
    closers.push(forbidden.stop);
    const setting: Setting = { network, ca, folder, bore, tunnels, host, closers };
    const { proxy, place } = await startProxies(setting, startProxy);
    const previews = await startPreviews(setting);
    const known = { proxy, place, bore, secret: SECRET, ca: ca.pem, tunnels, network };
    return Object.assign(previews, { ...known, countForbidden: forbidden.count, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

/** One on 443 and one on 8443; resolves with the first. */
async function startProxies(
  { ca, folder, host, tunnels, closers }: Setting,
  startProxy: StartProxy,
): Promise<Pick<World, 'proxy' | 'place'>> {
  const { cert, key } = ca.issue(['DNS:*.preview.example.com']);
  const files = { certificate: join(folder, 'fullchain.pem'), key: join(folder, 'privkey.pem') };
  writeFileSync(files.certificate, cert);
  writeFileSync(files.key, key, { mode: 0o600 });
  const open = async (httpsPort: number, httpPort: number) => {
    const own = join(folder, `${httpsPort}`);
    mkdirSync(own);
    const ipv6 = await findIpv6Ports();
    const place = { folder: own, host, httpsPort, httpPort, ipv6, tunnels, ...files };
    const proxy = await startProxy(place);
    closers.push(() => proxy.stop());
    return { place, proxy };
  };
  const [usual] = await Promise.all([open(443, 80), open(8443, 8080)]);
  return usual;
}

async function startPreviews(setting: Setting): Promise<Pick<World, 'first' | 'second' | 'restartFirst'>> {
  const { network, ca, folder, bore, host, closers } = setting;
  const hosts = join(folder, 'hosts');
  const names = Object.values(PORTS).map(port => `${host} ${port}.preview.example.com`);
  writeFileSync(hosts, ['127.0.0.1 localhost', ...names, ''].join('\n'));
  const start = async (port: number, httpsPort: number, app: TestApp): Promise<Preview> => {
    const suffix = httpsPort === 443 ? '' : `:${httpsPort}`;
    const name = `${port}.preview.example.com`;
    const preview = await startPreview({ bore, port, suffix, app, hosts, ca: ca.file });
    closers.push(preview.stop);
    const visitor = new Visitor({ host, ca: ca.pem, from: `${network}.20`, port: httpsPort });
    return { ...preview, app, name, host: name + suffix, visitor };
  };
  const [a, b] = [new TestApp('the first preview'), new TestApp('the second preview')];
  for (const app of [a, b]) closers.push(() => app.stop());
  const [first, second] = await Promise.all([start(PORTS.first, 443, a), start(PORTS.second, 8443, b)]);
  const previews = {
    first,
    second,
    restartFirst: async () => {
      await previews.first.stop();
      previews.first = await start(PORTS.first, 443, a);
    },
  };
  return previews;
}

interface PreviewOptions {
  bore: string;
  port: number;
  /** The port of the proxy, `:8443`, or ''. */
  suffix: string;
  app: TestApp;
  /** Is /etc/hosts for this process alone. */
  hosts: string;
  /** File of the authority to trust. */
  ca: string;
}

/** `expose run` in a process of its own, for which the names of the previews lead to the proxy. */
async function startPreview(
  options: PreviewOptions,
): Promise<Pick<Preview, 'isVerified' | 'readOutput' | 'stop'>> {
  const { bore, port, suffix, app, hosts, ca } = options;
  const expose = [process.execPath, '--disable-warning=ExperimentalWarning', resolve('src/cli.ts'), 'run'];
  const args = ['--port', `${await app.start()}`, '--server', bore, '--remote-port', `${port}`];
  const more = ['--public-url', `https://{port}.preview.example.com${suffix}`, '--access', 'open', '--json'];
  const trust = ['--trusted-proxy', '--log-level', 'debug'];
  const command = [...expose, ...args, ...more, ...trust, '--max-body', '300MB', '--host-header', 'preserve'];
  const script = 'mount --bind "$0" /etc/hosts && exec "$@"';
  const child = spawn('unshare', ['--mount', 'sh', '-c', script, hosts, ...command], {
    env: { ...process.env, BORE_SECRET: SECRET, NODE_EXTRA_CA_CERTS: ca },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      said += chunk;
    });
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  const stop = async () => {
    app.stop();
    if (isOver()) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  };
  const live = () => said.split('\n').find(line => line.includes('"phase":"live"'));
  try {
    await waitUntil(() => live() !== undefined || isOver(), `the preview on port ${port} is live`);
    const state = live();
    if (state === undefined) throw new Error(`the preview on port ${port} ended:\n${said}`);
    return { isVerified: JSON.parse(state).verified, readOutput: () => said, stop };
  } catch (error) {
    await stop();
    throw new Error(`no preview on port ${port}; it said:\n${said}`, { cause: error });
  }
}

async function listenWhereNobodyMay(host: string): Promise<{ count: () => number; stop: () => void }> {
  let count = 0;
  const servers: TcpServer[] = [];
  for (const port of FORBIDDEN_PORTS) {
    const server = createTcpServer(socket => {
      count += 1;
      socket.on('error', () => {}).end('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret');
    });
    servers.push(server);
    await listen(server, { host, port });
  }
  return {
    count: () => count,
    stop: () => {
      for (const server of servers) server.close();
    },
  };
}

/** Two free ports of `[::1]`; undefined on a machine without IPv6. */
async function findIpv6Ports(): Promise<ProxyPlace['ipv6']> {
  const servers = [createTcpServer(), createTcpServer()] as const;
  try {
    const [httpsPort, httpPort] = [
      await listen(servers[0], { host: '::1' }),
      await listen(servers[1], { host: '::1' }),
    ];
    return { httpsPort, httpPort };
  } catch {
    return undefined;
  } finally {
    for (const server of servers) server.close();
  }
}
