// Previews by the hundred: some processes (fleet-process.ts), each with many tunnels of this project's own client. Used by
// world.ts.

import type { TunnelServer } from '../../src/tunnel/tunnel.ts';
import { type Child, startChild } from './child.ts';
import { PORT_RANGE } from './servers.ts';

/** `gateway`: as http previews; `raw`: bytes are passed on (`protocol: tcp`). Both have a tiny app behind them. */
export type Mode = 'gateway' | 'raw';

export interface PreviewSettings {
  /** The preview's identity, and what its app answers. */
  name: string;
  mode: Mode;
  servers: readonly TunnelServer[];
  range: { min: number; max: number };
}

export type FleetOrder =
  | { kind: 'open'; previews: readonly PreviewSettings[] }
  | { kind: 'close'; names: readonly string[] };

/** All times are those of Date.now(). */
export type FleetEvent =
  | { kind: 'connected'; name: string; host: string; port: number; at: number }
  | { kind: 'lost'; name: string; reason: string; at: number }
  | { kind: 'failed'; name: string; reason: string; at: number }
  | { kind: 'closed'; name: string; at: number };

export interface Fleet {
  /** Of its processes. */
  readonly pids: readonly number[];
  /** Spreads new previews over the processes. */
  open(names: readonly string[]): void;
  close(names: readonly string[]): void;
  stop(): Promise<void>;
}

export interface FleetOptions {
  processes: number;
  servers: readonly TunnelServer[];
  /** Every second preview has the other mode; default both. */
  modes?: readonly Mode[];
  range?: { min: number; max: number };
  namespace?: string | undefined;
  onEvent: (event: FleetEvent) => void;
  onEnd: (error: Error) => void;
}

export function startFleet(options: FleetOptions): Fleet {
  const { processes, servers, modes = ['gateway', 'raw'], range = PORT_RANGE } = options;
  const children = Array.from({ length: processes }, () =>
    startChild<FleetOrder, FleetEvent>('fleet-process.ts', options),
  );
  const homes = new Map<string, Child<FleetOrder>>();
  let opened = 0;
  return {
    pids: children.map(({ pid }) => pid),
    open: names => {
      const orders = new Map<Child<FleetOrder>, PreviewSettings[]>();
      for (const name of names) {
        const child = children[opened % children.length];
        const mode = modes[Math.floor(opened / children.length) % modes.length];
        if (child === undefined || mode === undefined) throw new Error('a fleet needs a process and a mode');
        opened += 1;
        homes.set(name, child);
        orders.set(child, [...(orders.get(child) ?? []), { name, mode, servers, range }]);
      }
      for (const [child, previews] of orders) child.tell({ kind: 'open', previews });
    },
    close: names => {
      for (const name of names) homes.get(name)?.tell({ kind: 'close', names: [name] });
    },
    stop: async () => void (await Promise.all(children.map(child => child.stop()))),
  };
}
