// The gateway: takes visitors' streams out of the tunnel, refuses what is malformed, answers for an app that is away,
// and hands the rest to the app. Started by ingress.ts; nothing else on the machine can connect to it.
//
//   downstream/ (visitors' connections: HTTP/1.1, TLS, HTTP/2) ──► passes: guard, access/, own pages ──► upstream/ (the app)

import type { Duplex } from 'node:stream';
import { describeError } from '../shared/errors.ts';
import { type Logger, sanitise } from '../shared/log.ts';
import type { AppState } from '../shared/state.ts';
import { AccessControl, type AccessRules } from './access/access.ts';
import { dropOwnCookies } from './access/credentials.ts';
import { SiteData } from './access/site-data.ts';
import { BodyTooLarge, refuseLargeBody, sendTooLarge } from './body-limit.ts';
import { startTlsFront, type TlsIdentity } from './downstream/tls-front.ts';
import {
  type Arrival,
  startVisitorServer,
  VISITOR_LIMITS,
  type VisitorLimits,
} from './downstream/visitor-server.ts';
import { findRefusal } from './guard.ts';
import { sendToHttps } from './https-only.ts';
import { type PublicAddress, rememberAddress } from './own-address.ts';
import { answerProbe, refuseOwnPath, sendText } from './own-pages.ts';
import { sendNotice } from './pages/answer.ts';
import { describeAway, describeFile, describeNoAnswer } from './pages/notice.ts';
import { AppLink } from './upstream/app-link.ts';
import { forwardRequest, type Route } from './upstream/proxy.ts';
import { forwardUpgrade } from './upstream/upgrade.ts';
import { type Pass, readPath, type Visit } from './visit.ts';

/** What the inputs say about visitors. */
export interface GatewayRules extends AccessRules {
  /** Longest body of a request. */
  maxBodyBytes: number;
}

export interface GatewayOptions {
  /** Asked at every request; only a running app has an upstream. */
  app: () => AppState;
  /** Where visitors come in; also while the tunnel is away, for who is here already. Decides which Host is ours. */
  place: () => PublicAddress | undefined;
  rules: GatewayRules;
  /** When the exposure ends, where that is known. */
  endsAt?: () => Date | undefined;
  /** 32 random bytes of this exposure, for the probe. */
  proofKey: Buffer;
  logger: Logger;
  /** Visitors then speak TLS, and who does not is sent to https. */
  tls?: TlsIdentity;
  /** Other limits than the usual ones; for tests. */
  limits?: Partial<VisitorLimits>;
}

export interface Gateway {
  /** A visitor's byte stream, owned by the gateway from here on; closed where too many are here, and after `stop()`. */
  accept(socket: Duplex): void;
  /** Visitors' requests that were well-formed; /__expose/ is not counted. */
  readonly visits: number;
  readonly lastVisitAt: Date | undefined;
  /**
   * Closes every connection, WebSockets too; answers under way get `drainMs` (0) to be finished. Resolves when all are
   * closed. May be called twice.
   */
  stop(drainMs?: number): Promise<void>;
}

interface Tally {
  visits: number;
  lastVisitAt: Date | undefined;
}

/** Ready at once: there is no port to listen on. */
export function startGateway(options: GatewayOptions): Gateway {
  const link = new AppLink();
  const tally: Tally = { visits: 0, lastVisitAt: undefined };
  const rejectedConnections = new WeakSet<Duplex>();
  const readAddress = rememberAddress(options.place);
  const siteData = new SiteData();
  const access = new AccessControl(options.rules, siteData, options.endsAt ?? (() => undefined));
  const passes: readonly Pass[] = [
    visit => refuseMalformed(rejectedConnections, visit),
    visit => answerProbe(visit, options.proofKey),
    visit => access.check(visit),
    visit => siteData.renew(visit),
    visit => withholdCookies(visit),
    visit => refuseOwnPath(visit),
    () => countVisit(tally),
    visit => refuseLargeBody(visit, options.rules.maxBodyBytes),
    visit => answerWhileAway(link, visit),
    visit => handToApp(link, options, visit),
  ];
  const plainPasses: readonly Pass[] = [
    visit => refuseMalformed(rejectedConnections, visit),
    visit => sendToHttps(visit),
  ];
  const limits = { ...VISITOR_LIMITS, ...options.limits };
  if (options.rules.access.kind === 'open') limits.strangers = 0;
  const serve = (arrival: Arrival, among = passes) => {
    const visit = { ...arrival, app: options.app(), address: readAddress(), ownHeaders: [] };
    runPasses(among, visit, options.logger);
  };
  const server = options.tls
    ? startTlsFront(options.tls, limits, { secure: serve, plain: arrival => serve(arrival, plainPasses) })
    : startVisitorServer(limits, serve);
  return {
    accept: socket => {
      if (!server.admit(socket))
        options.logger.debug('a visitor was turned away: too many are here, or we are leaving');
    },
    get visits() {
      return tally.visits;
    },
    get lastVisitAt() {
      return tally.lastVisitAt;
    },
    stop: async drainMs => {
      await server.stop(drainMs);
      await link.forget();
    },
  };
}

/** A mistake of ours costs one visit, not the tunnel. */
function runPasses(passes: readonly Pass[], visit: Visit, logger: Logger): void {
  visit.response.on('error', error => logger.debug(`an answer broke off: ${sanitise(describeError(error))}`));
  try {
    for (const pass of passes) if (pass(visit)) return;
  } catch (error) {
    logger.warn(`${describeVisit(visit)} failed: ${sanitise(describeError(error))}`);
    if (visit.response.headersSent) visit.response.destroy();
    else sendText(visit, 500, 'the gateway failed on this request\n');
  }
}

/**
 * Where two readers could disagree about one request, nothing behind it can be trusted: its connection is closed, and
 * the requests that came in the same packet, which Node would still hand over, are dropped.
 */
function refuseMalformed(rejectedConnections: WeakSet<Duplex>, visit: Visit): boolean {
  const { socket } = visit.request;
  if (rejectedConnections.has(socket)) return true;
  const refusal = findRefusal(visit);
  if (refusal === undefined) return false;
  rejectedConnections.add(socket);
  const allow = refusal.status === 405 ? { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' } : {};
  sendText(visit, refusal.status, `${refusal.reason}\n`, { connection: 'close', ...allow });
  return true;
}

function withholdCookies({ request }: Visit): boolean {
  dropOwnCookies(request);
  return false;
}

function countVisit(tally: Tally): boolean {
  tally.visits += 1;
  tally.lastVisitAt = new Date();
  return false;
}

function answerWhileAway(link: AppLink, visit: Visit): boolean {
  if (visit.app.status === 'running') return false;
  void link.forget();
  sendNotice(visit, describeAway(visit.app));
  return true;
}

function handToApp(link: AppLink, options: GatewayOptions, visit: Visit): boolean {
  if (visit.app.status !== 'running') return false;
  const { upstream } = visit.app;
  if (upstream.kind === 'handler') {
    for (const [name, value] of visit.ownHeaders) visit.response.appendHeader(name, value);
    upstream.handle(visit.request, visit.response, status => sendNotice(visit, describeFile(status)));
    return true;
  }
  const { maxBodyBytes } = options.rules;
  const onNoAnswer = (error: Error) => {
    if (error instanceof BodyTooLarge) return sendTooLarge(visit, maxBodyBytes);
    options.logger.debug(`no answer to ${describeVisit(visit)}: ${sanitise(describeError(error))}`);
    const app = options.app();
    sendNotice(visit, app.status === 'running' ? describeNoAnswer(error) : describeAway(app));
  };
  const route: Route = { link, address: upstream, maxBodyBytes, onNoAnswer };
  if (visit.upgrade === undefined) forwardRequest(visit, route);
  else forwardUpgrade(visit, visit.upgrade, route);
  return true;
}

function describeVisit({ request }: Visit): string {
  return sanitise(`${request.method} ${readPath(request)}`);
}
