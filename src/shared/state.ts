// What is known about one exposure: two facts (tunnel, app) and the phase they add up to.
// exposure.ts is the only writer; control, github and the gateway's pages only read.

import type { HostRule } from './host-rule.ts';
import type { HttpRequest, HttpResponse } from './http-message.ts';

/** The status of the tunnel, in the words of wasmrun's own API. `host` and `port` are the bore server's. */
export type TunnelState =
  | { status: 'Not started' }
  | { status: 'Connecting'; reason?: string }
  | { status: 'Connected'; host: string; port: number }
  | { status: 'Reconnecting'; host: string; port: number; reason: string }
  | { status: 'Disconnected' }
  | { status: 'Failed'; reason: string };

/**
 * Why the public address is unverified: no answer (no hairpin NAT), an answer without our proof, or, with `protocol:
 * tcp`, the app was down.
 */
export const UNVERIFIED_REASONS = ['silent', 'unproved', 'app away'] as const;
export type UnverifiedReason = (typeof UNVERIFIED_REASONS)[number];

/**
 * The public address. It stays while the tunnel reconnects, and is gone once the tunnel is closed. `url` is the base
 * URL without a trailing slash; `unchecked` until the first check is over.
 */
export type AddressState =
  | { kind: 'none' }
  | { kind: 'unchecked'; url: string }
  | { kind: 'verified'; url: string }
  | { kind: 'unverified'; url: string; reason: UnverifiedReason };

/**
 * Where the app's answers come from: a port of an IP address, or a handler in this process (`mode: web`). `service` is
 * the name of another machine, which `host` is an address of; absent for this machine. Without `hostHeader`, the rule is
 * `rewrite`. `leavesBodies`: the app may take the unread rest of a body for the next request.
 */
export type Upstream =
  | {
      kind: 'address';
      host: string;
      port: number;
      service?: string;
      hostHeader?: HostRule;
      leavesBodies?: true;
    }
  | { kind: 'handler'; handle: Handler };

/** Answers one request, or calls `refuse`. */
export type Handler = (request: HttpRequest, response: HttpResponse, refuse: Refuse) => void;

/** Answers with one of the gateway's own pages: not found (404), wrong method (405), cannot be read (500). */
export type Refuse = (status: 404 | 405 | 500) => void;

/** An app that is not `running` has no upstream: its old port may already belong to another process. */
export type AppState =
  | { status: 'starting' }
  | { status: 'running'; upstream: Upstream }
  | { status: 'restarting'; reason: string; attempt: number }
  | { status: 'stopped' }
  | { status: 'failed'; reason: string; exitCode?: number; lastLines: readonly string[] };

/** The four ways the app can be run; `auto` is resolved before anything starts. */
export const APP_MODES = ['os', 'exec', 'web', 'port'] as const;
export type AppMode = (typeof APP_MODES)[number];

/** What visitors send: HTTP requests, which the gateway reads, or bytes that reach the app unread. */
export const PROTOCOLS = ['http', 'tcp'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/**
 * Why an exposure ended as planned. A new reason also needs a sentence in github/comment/markdown.ts, and a place in
 * control/api.ts if clients may give it.
 */
export const END_REASONS = [
  'job ended',
  'duration over',
  'idle timeout',
  'continue file',
  'stopped',
  'pull request closed',
  'pull request merged',
  'newer commit',
  'label removed',
  'runner gone',
] as const;
export type EndReason = (typeof END_REASONS)[number];

export type Phase =
  | { kind: 'starting' }
  | { kind: 'live'; liveAt: Date; expiresAt?: Date }
  | { kind: 'ended'; reason: EndReason; liveAt?: Date; endedAt: Date }
  | { kind: 'failed'; reason: string; lastLines: readonly string[]; liveAt?: Date; endedAt: Date };

/** One consistent snapshot, which is never changed afterwards. */
export interface ExposureState {
  readonly mode: AppMode;
  readonly phase: Phase;
  readonly tunnel: TunnelState;
  /** Since when it is connected; undefined unless it is. */
  readonly connectedAt: Date | undefined;
  readonly app: AppState;
  readonly address: AddressState;
  /** The URL to click: that of `address`, with the key if one was generated for this run. */
  readonly link: string | undefined;
  /** The public inspector's link, with its key; undefined if there is none, or if it is not to be published. */
  readonly inspectorLink: string | undefined;
  readonly restarts: number;
  readonly reconnects: number;
  /** How often the public address changed after it was announced. */
  readonly addressChanges: number;
  /** Requests of visitors since the start (with `protocol: tcp`: connections), without our own probes. */
  readonly visits: number;
  /** Problems that did not end the exposure, such as a log that could not be written. */
  readonly warnings: readonly string[];
}
