// The gateway: gets visitors' connections from the tunnel, refuses malformed requests, answers while the app is not running,
// and forwards everything else to the app. Started by ingress.ts. It has no port: no other program can connect to it.
//
//   downstream/ (visitors' connections: HTTP/1.1, TLS, HTTP/2) ──► passes.ts: guard, access/, own pages ──► upstream/ (the app)

import type { Duplex } from 'node:stream';
import type { CapturedRequest } from '../shared/captured-request.ts';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import type { ReplayAnswer, ReplayOrder } from '../shared/replay.ts';
import { ResponseTimes } from '../shared/response-times.ts';
import { sanitise } from '../shared/sanitise.ts';
import type { AppState } from '../shared/state.ts';
import { AccessControl, type AccessRules } from './access/access.ts';
import { SiteData } from './access/site-data.ts';
import { WrongCredentials } from './access/wrong-credentials.ts';
import { ConnectionSlots } from './downstream/connection-slots.ts';
import { Http1Server } from './downstream/http1-server.ts';
import { TlsFront, type TlsIdentity } from './downstream/tls-front.ts';
import { VISITOR_LIMITS, type VisitorLimits } from './downstream/visitor-server.ts';
import { type PublicAddress, rememberAddress } from './own-address.ts';
import { sendText } from './own-pages.ts';
import type { Pass, PassContext } from './pass.ts';
import { PASSES, PLAIN_PASSES } from './passes.ts';
import { AppLink } from './upstream/app-link.ts';
import { Compression } from './upstream/compression.ts';
import { describeVisit, type Visit, type VisitHandler } from './visit.ts';
import { VisitorAddresses } from './visitor-address.ts';
import type { QueueLimits } from './webhooks/queue/limits.ts';
import { DeliveryQueue } from './webhooks/queue/queue.ts';
import type { RequestRecorder } from './webhooks/record/recorder.ts';
import { Replayer } from './webhooks/replay.ts';
import type { SignatureRule } from './webhooks/verify/rule.ts';
import { SignedPaths } from './webhooks/verify/signed-paths.ts';

/** The inputs about visitors. */
export interface GatewayRules extends AccessRules {
  /** Longest body of a request. */
  maxBodyBytes: number;
  /** Whether answers of the app are compressed for visitors who accept that. */
  compress: boolean;
  /**
   * Whether the proxy in front is the only way in, so that the last address of its `X-Forwarded-For` is the visitor's;
   * absent: no.
   */
  trustedProxy?: boolean | undefined;
  /** Whether requests on captured paths are kept while the app is away; absent: no. */
  queue?: boolean | undefined;
  /** Paths on which only signed requests reach the app. */
  verify?: readonly SignatureRule[] | undefined;
}

export interface GatewayOptions {
  /** Called at every request; only a running app has an upstream. */
  app: () => AppState;
  /**
   * The public address, also while the tunnel is down and some visitors are still connected. Decides which Host is
   * ours.
   */
  place: () => PublicAddress | undefined;
  rules: GatewayRules;
  /** When the exposure ends, if that is known. */
  endsAt?: () => Date | undefined;
  /** 32 random bytes of this exposure, for the probe. */
  proofKey: Buffer;
  /** Gets the requests on captured paths; absent: nothing is recorded. */
  recorder?: RequestRecorder;
  /** Gets what the preview's owner should know, once; absent: the log gets it. */
  onWarning?: (message: string) => void;
  logger: Logger;
  /** If set, visitors speak TLS, and plain HTTP is redirected to https. */
  tls?: TlsIdentity;
  /** Limits that differ from VISITOR_LIMITS; for tests. */
  limits?: Partial<VisitorLimits>;
  /** Limits that differ from QUEUE_LIMITS; for tests. */
  queueLimits?: Partial<QueueLimits>;
}

export interface Gateway {
  /** Takes over a visitor's connection. Closes it if there are too many, and after `stop()`. */
  accept(socket: Duplex): void;
  /** Requests so far that were let in, without those under /__expose/. */
  readonly visits: number;
  /** How many of them are not over yet, WebSockets and event streams included. */
  readonly openVisits: number;
  /** How long their answers took. */
  readonly times: ResponseTimes;
  /** To be called when the app's state has changed. */
  followApp(): void;
  /** Sends a captured request again. Rejects with a ReplayError. */
  replay(captured: CapturedRequest, order: ReplayOrder): Promise<ReplayAnswer>;
  /**
   * Closes every connection, WebSockets too. Unfinished answers get `drainMs` (default 0) to finish. Resolves when all
   * are closed. May be called twice.
   */
  stop(drainMs?: number): Promise<void>;
}

/** Ready at once: there is no port to listen on. */
export function startGateway(options: GatewayOptions): Gateway {
  const context = createContext(options);
  const readAddress = rememberAddress(options.place);
  const replayer = new Replayer({ ...context, readAddress });
  const serveWith = (passes: readonly Pass[]): VisitHandler => ({
    readApp: options.app,
    readAddress,
    handle: visit => runPasses(passes, visit, context),
  });
  const limits = { ...VISITOR_LIMITS, ...options.limits };
  if (options.rules.access.kind === 'open') limits.strangers = 0;
  const server = options.tls
    ? new TlsFront(options.tls, limits, {
        secure: serveWith(PASSES),
        plain: serveWith(PLAIN_PASSES),
        isBehindProxy: options.rules.trustedProxy === true,
      })
    : new Http1Server(limits, serveWith(PASSES), new ConnectionSlots(limits));
  return {
    accept: socket => {
      if (!server.admit(socket))
        options.logger.debug('a connection was refused: there are too many, or the gateway is stopping');
    },
    get visits() {
      return context.tally.visits;
    },
    get openVisits() {
      return context.tally.open;
    },
    times: context.tally.times,
    followApp: () => context.queue?.follow(),
    replay: (captured, order) => replayer.replay(captured, order),
    stop: async drainMs => {
      await Promise.all([server.stop(drainMs), context.queue?.stop(drainMs ?? 0), replayer.stop()]);
      await context.link.forget();
    },
  };
}

function createContext(options: GatewayOptions): PassContext {
  const { app, rules, endsAt, proofKey, recorder, queueLimits, logger } = options;
  const warn = options.onWarning ?? (message => logger.warn(message));
  const siteData = new SiteData();
  const wrongCredentials = new WrongCredentials(logger);
  const compression = rules.compress ? new Compression() : undefined;
  const signedPaths = rules.verify?.length ? new SignedPaths(rules.verify) : undefined;
  const needsNoKey = (path: string) => signedPaths?.needsNoKey(path) === true;
  return {
    readApp: app,
    access: new AccessControl(rules, {
      siteData,
      needsNoKey,
      onWrongCredential: ({ visitorAddress }) => wrongCredentials.note(visitorAddress),
      endsAt: endsAt ?? (() => undefined),
    }),
    siteData,
    link: new AppLink(),
    rejectedConnections: new WeakSet(),
    proofKey,
    maxBodyBytes: rules.maxBodyBytes,
    compression,
    signedPaths,
    recorder,
    queue: rules.queue
      ? new DeliveryQueue({ readApp: app, compression, logger, ...(queueLimits && { limits: queueLimits }) })
      : undefined,
    logger,
    tally: { visits: 0, open: 0, times: new ResponseTimes() },
    addresses: rules.trustedProxy ? new VisitorAddresses(logger, warn) : undefined,
  };
}

function runPasses(passes: readonly Pass[], visit: Visit, context: PassContext): void {
  const { logger } = context;
  visit.response.on('error', error =>
    logger.debug(
      `the answer to ${describeVisit(visit)} could not be completed: ${sanitise(describeError(error))}`,
    ),
  );
  runFrom(passes, visit, context);
}

/** Runs the passes in order, at once as long as none of them waits. */
function runFrom(passes: readonly Pass[], visit: Visit, context: PassContext): void {
  let next = 0;
  try {
    for (const pass of passes) {
      next += 1;
      const isAnswered = pass(visit, context);
      if (isAnswered === true) return;
      if (isAnswered !== false) return void runLater(isAnswered, passes.slice(next), visit, context);
    }
  } catch (error) {
    failVisit(visit, context, error);
  }
}

async function runLater(
  isAnswered: Promise<boolean>,
  rest: readonly Pass[],
  visit: Visit,
  context: PassContext,
): Promise<void> {
  try {
    if ((await isAnswered) || visit.response.destroyed) return;
    visit.app = context.readApp();
    runFrom(rest, visit, context);
  } catch (error) {
    failVisit(visit, context, error);
  }
}

/** An exception (a bug of the gateway) fails this one request, not the whole preview. */
function failVisit(visit: Visit, { logger }: PassContext, error: unknown): void {
  logger.warn(`${describeVisit(visit)} failed: ${sanitise(describeError(error))}`);
  visit.recording?.refuse('the gateway failed on it, which is a bug: please report the line in its log');
  if (visit.response.headersSent) visit.response.destroy();
  else sendText(visit, 500, 'the gateway failed on this request\n');
}
