// A company's HTTP proxy on loopback: CONNECT tunnels, and requests in absolute form (RFC 9110 9.3.6, RFC 9112 3.2.2).
// With it goes a way to run code in a Node.js process of its own, for what Node reads of a proxy at its start.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { promisify } from 'node:util';

export interface ConnectProxy {
  /** `http://127.0.0.1:PORT`, without the password. */
  readonly url: string;
  /** The same with `user:password@`, where one is asked for. */
  readonly fullUrl: string;
  /** What it was asked for, in order: `CONNECT host:port`, `GET http://host/path`; refused ones end in ` 407`. */
  readonly asked: string[];
  stop(): Promise<void>;
}

export interface ConnectProxyOptions {
  /** Refuses everybody else with 407. As it stands in a URL: `user:pass%40word`. */
  credentials?: string;
  /** Names that lead to a port of this machine, as a company's own DNS would; all others are taken as they are. */
  names?: Readonly<Record<string, number>>;
}

export async function startConnectProxy(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const { credentials, names = {} } = options;
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const wanted = credentials && `Basic ${Buffer.from(decodeURIComponent(credentials)).toString('base64')}`;
  const admit = ({ method, url, headers }: IncomingMessage): boolean => {
    const isAdmitted = !wanted || headers['proxy-authorization'] === wanted;
    asked.push(`${method} ${url}${isAdmitted ? '' : ' 407'}`);
    return isAdmitted;
  };
  const find = ({ hostname, port }: URL) => {
    const own = names[hostname];
    return own === undefined
      ? { host: hostname, port: Number(port || 80) }
      : { host: '127.0.0.1', port: own };
  };
  const server = createServer((visit, response) => {
    if (admit(visit)) forward(visit, response, find(new URL(visit.url ?? '')));
    else response.writeHead(407, { 'proxy-authenticate': 'Basic' }).end();
  });
  server.on('connect', (visit: IncomingMessage, socket: Socket) => {
    if (admit(visit)) tunnel(socket, find(new URL(`http://${visit.url}`)));
    else socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n');
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  const host = `127.0.0.1:${address.port}`;
  return {
    url: `http://${host}`,
    fullUrl: `http://${credentials === undefined ? '' : `${credentials}@`}${host}`,
    asked,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

interface Target {
  host: string;
  port: number;
}

function forward(visit: IncomingMessage, response: ServerResponse, target: Target): void {
  const { pathname, search } = new URL(visit.url ?? '');
  const { 'proxy-authorization': _, ...headers } = visit.headers;
  const onward = request({ ...target, method: visit.method, path: pathname + search, headers, agent: false });
  onward.once('response', answer => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.once('error', () => response.writeHead(502).end());
  visit.pipe(onward);
}

function tunnel(socket: Socket, target: Target): void {
  const onward = connect(target);
  const refuse = () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  onward.once('error', refuse);
  onward.once('connect', () => {
    onward.off('error', refuse);
    onward.once('error', () => socket.destroy());
    onward.once('close', () => socket.destroy());
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    socket.pipe(onward).pipe(socket);
  });
  socket.once('error', () => onward.destroy());
  socket.once('close', () => onward.destroy());
}

/** Runs an ES module in a Node.js process with no more than this environment, and gives what it printed. */
export async function runScript(code: string, environment: Record<string, string>): Promise<string> {
  const args = ['--input-type=module', '--no-warnings', '-e', code];
  const env = { PATH: process.env.PATH, ...environment };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, timeout: 50_000 });
  return stdout;
}
