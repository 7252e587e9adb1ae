// A gateway in a process of its own, which survives what it does not catch and reports it. Its app seems to restart now
// and then. Started with fork by test/gateway/downstream/random-visitors.test.ts, with a Setup as JSON; leaves when its parent does.

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

export type Told =
  | { event: 'ready'; port: number }
  | { event: 'log'; line: string }
  | { event: 'unhandled'; text: string }
  | { event: 'report'; report: Report };

export interface Report {
  /** TCP connections that keep the process alive: those to visitors, and those to the app but for idle ones. */
  connections: number;
  /** The ports that visitors have at their end of those that are not closed. */
  visitors: number[];
  /** Requests that were well-formed. */
  visits: number;
}

/** Either wants a report; the process ends after the second, if nothing keeps it. */
export type Question = 'report' | 'stop';

/**
 * How often the app may change its state, and in how many of 100 cases it is restarting then. A visit that finds it so ends
 * all requests of the app: more often, none of them would last until its visitor is found to be stalled.
 */
const SWITCH_INTERVAL_MS = 50;
const RESTARTING_PERCENT = 3;
const RESTARTING: AppState = { status: 'restarting', reason: 'test', attempt: 1 };

/** Of connections, with TLS on them or not; listening ones have other names. */
const CONNECTION_HANDLES: readonly string[] = ['TCPSocketWrap', 'TCPWRAP', 'TLSWRAP'];

// Nobody listens any more where the parent is gone: the error of such a message would be one more message.
const tell = (told: Told) => void (process.connected && process.send?.(told));

for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, error => tell({ event: 'unhandled', text: `${event}: ${error?.stack ?? error}` }));
// A leak of listeners, for instance.
process.on('warning', warning => tell({ event: 'log', line: `warning ${warning.stack}` }));
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
const say = (level: string) => (line: string) => tell({ event: 'log', line: `${level} ${line}` });
const gateway = startGateway({
  app: () => app,
  place: () => place,
  rules: setup.rules,
  proofKey: PROOF_KEY,
  // What is only worth a debug line is nothing unusual here.
  logger: { debug() {}, info: say('info'), warn: say('warn'), error: say('error') },
  limits: setup.limits,
  ...(setup.tls && { tls: setup.tls }),
});
process.on('message', question => void answer(question as Question));
tell({ event: 'ready', port });

async function answer(question: Question): Promise<void> {
  if (question === 'stop') {
    clearInterval(switching);
    door.close();
    await gateway.stop();
  }
  const connections = process
    .getActiveResourcesInfo()
    .filter(name => CONNECTION_HANDLES.includes(name)).length;
  tell({ event: 'report', report: { connections, visitors: [...visitors], visits: gateway.visits } });
  if (question === 'stop') process.removeAllListeners('disconnect').disconnect();
}
