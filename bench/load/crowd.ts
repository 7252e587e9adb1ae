// The visitors of the simulator, in a process of their own (crowd-process.ts). Used by world.ts and the scenarios.

import { startChild } from './child.ts';

export interface Address {
  name: string;
  host: string;
  port: number;
}

export type CrowdOrder =
  /** Where the previews are from now on. */
  | { kind: 'addresses'; addresses: readonly Address[] }
  /** These previews are not visited any more. */
  | { kind: 'forget'; names: readonly string[] }
  /** So many visits per second, each on a new connection, to all previews in turn; 0 ends them. */
  | { kind: 'visit'; perSecond: number }
  /**
   * Visits each of these previews every so often, without waiting for answers, and at once when it gets an address.
   * `untilServed`: until the first good answer, and with few visitors at a time.
   */
  | { kind: 'watch'; names: readonly string[]; everyMs: number; untilServed: boolean }
  | { kind: 'unwatch' }
  /** Opens one WebSocket to each of these previews. */
  | { kind: 'hold'; names: readonly string[] }
  /** Asks for a report, and forgets what is in it. */
  | { kind: 'report'; id: number };

/** All times are those of Date.now(). */
export interface Failure {
  name: string;
  from: number;
  to: number;
  reason: string;
}

export interface Probe {
  from: number;
  to: number;
  isGood: boolean;
}

export interface CrowdReport {
  visits: number;
  failures: readonly Failure[];
  /** How long good visits took, in milliseconds. */
  times: readonly number[];
  /** Name → the probes of `watch`, in the order in which they began. */
  probes: Readonly<Record<string, readonly Probe[]>>;
  /** WebSockets that are open and echo a message. */
  echoing: number;
  /** WebSockets that were lost. */
  lost: readonly { name: string; at: number }[];
}

export type CrowdEvent =
  | { kind: 'served'; name: string; at: number }
  | { kind: 'report'; id: number; report: CrowdReport };

export interface Crowd {
  readonly pid: number;
  tell(order: Exclude<CrowdOrder, { kind: 'report' }>): void;
  report(): Promise<CrowdReport>;
  stop(): Promise<void>;
}

/** `onServed` is called at the first good probe of each `watch` with `untilServed`. */
export function startCrowd(options: {
  namespace?: string | undefined;
  onServed: (name: string, at: number) => void;
  onEnd: (error: Error) => void;
}): Crowd {
  const reports = new Map<number, (report: CrowdReport) => void>();
  const child = startChild<CrowdOrder, CrowdEvent>('crowd-process.ts', {
    ...options,
    onEvent: event => {
      if (event.kind === 'served') options.onServed(event.name, event.at);
      else reports.get(event.id)?.(event.report);
    },
  });
  let asked = 0;
  return {
    pid: child.pid,
    tell: order => child.tell(order),
    report: () =>
      new Promise(resolve => {
        asked += 1;
        reports.set(asked, resolve);
        child.tell({ kind: 'report', id: asked });
      }),
    stop: () => child.stop(),
  };
}
