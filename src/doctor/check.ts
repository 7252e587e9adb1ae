// What a check is: data with a function that finds out one thing about a server. Run by schedule.ts; each file of
// checks/ is one.

import type { Subject } from './subject.ts';

export type CheckName =
  | 'dns'
  | 'public-dns'
  | 'control-port'
  | 'secret'
  | 'port-range'
  | 'public-port'
  | 'version'
  | 'https'
  | 'certificate'
  | 'proxy'
  | 'forwarded-for'
  | 'websocket'
  | 'event-stream'
  | 'upload'
  | 'large-head'
  | 'http2'
  | 'other-ports'
  | 'https-only'
  | 'clock'
  | 'latency';

/** `fault`: previews will not work, or not safely. `warning`: worth knowing, but no fault. */
export interface Finding {
  status: 'ok' | 'warning' | 'fault';
  /** What was found, with its value, and what to do. One line, safe to print. */
  message: string;
  /** Whether the checks that need this one are skipped; default: those of a fault are. */
  blocks?: boolean;
}

export interface Check {
  name: CheckName;
  /** As it is printed. */
  title: string;
  /** Without them this check says nothing: it is skipped if one of them blocks, or was itself skipped. */
  needs: readonly CheckName[];
  /** False: the check is not part of the report, because nothing asks for it. Default: it always is. */
  applies?(subject: Subject): boolean;
  /** A backstop for the whole check: its own waits end earlier, with a better message. */
  deadlineMs: number;
  /** At least one finding, or the reason why there is nothing to find here. */
  run(subject: Subject, signal: AbortSignal): Promise<Finding[] | Skip>;
}

/** Nothing can be said from here, and that is no fault. */
export class Skip {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

export const ok = (message: string): Finding => ({ status: 'ok', message });
export const warning = (message: string): Finding => ({ status: 'warning', message });
export const fault = (message: string): Finding => ({ status: 'fault', message });
