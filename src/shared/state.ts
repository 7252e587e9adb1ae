// What is known about one exposure: two facts (tunnel, app) and the phase they add up to.
// exposure.ts is the only writer; control, github and the gateway's pages only read.

import type { IncomingMessage, ServerResponse } from 'node:http';

/** How visitors get in; the words are those of wasmrun's own API. `host` and `port` are the bore server's. */
export type TunnelState =
  | { status: 'Not started' }
  | { status: 'Connecting'; reason?: string }
  | { status: 'Connected'; host: string; port: number }
  | { status: 'Reconnecting'; host: string; port: number; reason: string }
  | { status: 'Disconnected' }
  | { status: 'Failed'; reason: string };

/** Where the app's answers come from: a port on this machine, or a handler in this process (`mode: web`). */
export type Upstream = { kind: 'address'; host: string; port: number } | { kind: 'handler'; handle: Handler };

/** Answers one request, or has it refused. */
export type Handler = (request: IncomingMessage, response: ServerResponse, refuse: Refuse) => void;

/** Answers in the gateway's words and look that something is not there, not asked for rightly, or not readable. */
export type Refuse = (status: 404 | 405 | 500) => void;

/** An app that is not `running` has no upstream: its old port may already belong to another process. */
export type AppState =
  | { status: 'starting' }
  | { status: 'running'; upstream: Upstream }
  | { status: 'restarting'; reason: string; attempt: number }
  | { status: 'stopped' }
  | { status: 'failed'; reason: string; exitCode?: number; lastLines: readonly string[] };

/** The four ways the app can be run; `auto` is resolved before anything starts. */
export type AppMode = 'os' | 'exec' | 'web' | 'port';

/** What visitors' bytes are: requests for the gateway, or nobody's business but the app's. */
export const PROTOCOLS = ['http', 'tcp'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** Why an exposure ended well. */
export type EndReason =
  | 'job ended'
  | 'duration over'
  | 'continue file'
  | 'stopped'
  | 'cancelled'
  | 'runner gone';

export type Phase =
  | { phase: 'starting' }
  | { phase: 'live'; liveAt: Date; expiresAt?: Date }
  | { phase: 'ended'; reason: EndReason; liveAt?: Date; endedAt: Date }
  | { phase: 'failed'; reason: string; lastLines: readonly string[]; liveAt?: Date; endedAt: Date };

/**
 * Why it is not known that an address leads here: nobody answered, as in networks that do not route back to themselves;
 * somebody answered who may be another; or the app, whose answer it takes, was away.
 */
export type Doubt = 'silent' | 'unproved' | 'app away';

/** One consistent snapshot; never changed after it was handed out. */
export interface ExposureState {
  readonly mode: AppMode;
  readonly phase: Phase;
  readonly tunnel: TunnelState;
  readonly app: AppState;
  /** Public base URL without a trailing slash, as long as the tunnel has an address (or is getting it back). */
  readonly url: string | undefined;
  /** The address to click: `url`, with the key where one was made for this run. */
  readonly link: string | undefined;
  /** Whether our own proof came back through `url`; undefined before it was tried. */
  readonly verified: boolean | undefined;
  /** Why not, where `verified` is false. */
  readonly doubt: Doubt | undefined;
  readonly restarts: number;
  readonly reconnects: number;
  /** How often the public address changed after it was announced. */
  readonly moves: number;
  /** Requests (with raw bytes: connections) of visitors since the start, our own probes not counted. */
  readonly visits: number;
  /** What is not as it should be although the exposure goes on, such as a log that could not be written. */
  readonly warnings: readonly string[];
}
