// What a pass is: one step of everything that happens to a request. passes.ts has the list of them, and those that have
// no file of their own.

import type { Duplex } from 'node:stream';
import type { Logger } from '../shared/log.ts';
import type { ResponseTimes } from '../shared/response-times.ts';
import type { AppState } from '../shared/state.ts';
import type { AccessControl } from './access/access.ts';
import type { SiteData } from './access/site-data.ts';
import type { AppLink } from './upstream/app-link.ts';
import type { Compression } from './upstream/compression.ts';
import type { Visit } from './visit.ts';
import type { VisitorAddresses } from './visitor-address.ts';
import type { DeliveryQueue } from './webhooks/queue/queue.ts';
import type { RequestRecorder } from './webhooks/record/recorder.ts';
import type { SignedPaths } from './webhooks/verify/signed-paths.ts';

/**
 * Returns true if it has answered the request, or will: no later pass sees the request. A pass that must wait,
 * for instance for the body, returns a promise of that.
 */
export type Pass = (visit: Visit, context: PassContext) => boolean | Promise<boolean>;

/** What the passes of one gateway share. */
export interface PassContext {
  readonly readApp: () => AppState;
  readonly access: AccessControl;
  readonly siteData: SiteData;
  readonly link: AppLink;
  /** Connections that sent a malformed request: no later request on them is served. */
  readonly rejectedConnections: WeakSet<Duplex>;
  readonly proofKey: Buffer;
  readonly maxBodyBytes: number;
  /** Undefined with `compress: false`. */
  readonly compression: Compression | undefined;
  /** Undefined without `verify`. */
  readonly signedPaths: SignedPaths | undefined;
  /** Undefined if nothing is recorded. */
  readonly recorder: RequestRecorder | undefined;
  /** Undefined with `queue: false`. */
  readonly queue: DeliveryQueue | undefined;
  readonly logger: Logger;
  readonly tally: Tally;
  /** Reads visitors' addresses; undefined without `trusted-proxy`. */
  readonly addresses: VisitorAddresses | undefined;
}

/** Counts the requests that were let in, without those to the gateway's own paths. */
export interface Tally {
  visits: number;
  /** Those that are not over yet: an upload, an answer, an event stream, a WebSocket. */
  open: number;
  /** Without WebSockets and event streams, which last as long as their page is open. */
  readonly times: ResponseTimes;
}
