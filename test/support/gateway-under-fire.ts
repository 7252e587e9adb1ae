// A gateway in a process of its own, which survives uncaught errors and reports them. Its app seems to restart now and
// then. Forked by test/gateway/downstream/random-visitors.test.ts with a Setup as JSON; ends when its parent ends.

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { VisitorLimits } from '../../src/gateway/downstream/visitor-server.ts';
import type { GatewayRules } from '../../src/gateway/gateway.ts';
import type { AppState } from '../../src/shared/state.ts';
import { PROOF_KEY, runningOn } from './gateway-door.ts';
import { Seeded } from './seeded.ts';
import type { TestCertificate } from './test-ca.ts';

export interface Setup {
  /** URL of the folder that holds gateway/gateway.ts. */
  sources: string;
  seed: number;
  /** Port of the app on 127.0.0.1. */
  app: number;
  rules: GatewayRules;
  limits: Partial<VisitorLimits>;
  tls?: TestCertificate;
}

export type ChildMessage =
  | { event: 'ready'; port: number }
  | { event: 'log'; line: string }
  | { event: 'unhandled'; text: string }
  | { event: 'report'; report: Report };

export interface Report {
  /** TCP connections that keep the process alive: to visitors, and to the app except idle ones. */
  connections: number;
  /** The visitors' own ports of the connections that are not closed. */
  visitors: number[];
  /** Well-formed requests. */
  visits: number;
}

/** Both are answered with a report; after `stop` the process ends, if nothing keeps it alive. */
export type ParentCommand = 'report' | 'stop';

/**
 * How often the app may change its state, and how likely it is restarting then. A visit to a restarting app ends all
 * requests of the app: if it restarted more often, no request would last until its visitor is found to be stalled.
 */
const SWITCH_INTERVAL_MS = 50;
const RESTARTING_PERCENT = 3;
const RESTARTING: AppState = { status: 'restarting', reason: 'test', attempt: 1 };

/** The handles of connections, with TLS or without; listening sockets have other names. */
const CONNECTION_HANDLES: readonly string[] = ['TCPSocketWrap', 'TCPWRAP', 'TLSWRAP'];

// Not if the parent is gone: the error of such a message would cause another message.
const send = (message: ChildMessage) => void (process.connected && process.send?.(message));

for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, error => send({ event: 'unhandled', text: `${event}: ${error?.stack ?? error}` }));
// For instance a leak of event listeners.
process.on('warning', warning => send({ event: 'log', line: `warning ${warning.stack}` }));
process.once('disconnect', () => process.exit());

const setup = JSON.parse(process.argv[2] ?? '{}') as Setup;
const { startGateway } = (await import(
  new URL('gateway/gateway.ts', setup.sources).href
)) as typeof import('../../src/gateway/gateway.ts');

let app: AppState = runningOn(setup.app);
const seeded = new Seeded(setup.seed);
const switching = setInterval(() => {
  app = seeded.chance(RESTARTING_PERCENT) ? RESTARTING : runningOn(setup.app);
}, SWITCH_INTERVAL_MS);

const visitors = new Set<number>();
// Half open, as the tunnel's sockets are.
const door = createServer({ allowHalfOpen: true }, socket => {
  const { remotePort = 0 } = socket;
  visitors.add(remotePort);
  socket.once('close', () => visitors.delete(remotePort));
  gateway.accept(socket);
});
await once(door.listen({ port: 0, host: '127.0.0.1', backlog: 1_024 }), 'listening');
const { port } = door.address() as AddressInfo;
const place = { url: `${setup.tls ? 'https' : 'http'}://127.0.0.1:${port}`, host: '127.0.0.1', port };
const logAs = (level: string) => (line: string) => send({ event: 'log', line: `${level} ${line}` });
const gateway = startGateway({
  app: () => app,
  place: () => place,
  rules: setup.rules,
  proofKey: PROOF_KEY,
  // Debug lines are usual here.
  logger: { debug() {}, info: logAs('info'), warn: logAs('warn'), error: logAs('error') },
  limits: setup.limits,
  ...(setup.tls && { tls: setup.tls }),
});
process.on('message', question => void answer(question as ParentCommand));
send({ event: 'ready', port });

async function answer(question: ParentCommand): Promise<void> {
  if (question === 'stop') {
    clearInterval(switching);
    door.close();
    await gateway.stop();
  }
  const connections = process
    .getActiveResourcesInfo()
    .filter(name => CONNECTION_HANDLES.includes(name)).length;
  send({ event: 'report', report: { connections, visitors: [...visitors], visits: gateway.visits } });
  if (question === 'stop') process.removeAllListeners('disconnect').disconnect();
}
