// The link between the tunnels of a soak and their bore server: can cut or end connections, or fall silent. Used by
// soak-world.ts.

import { connect, createServer, type Socket } from 'node:net';
import { resetSocket } from '../../src/shared/reset.ts';
import type { ServerAddress } from '../../src/tunnel/address.ts';
import { listen } from './listen.ts';

interface Pair {
  /** The tunnel's socket, and the one to the server, which is dialled later. */
  near: Socket;
  far: Socket | undefined;
  role: 'control' | 'data' | undefined;
}

export interface SoakLink {
  address: ServerAddress;
  /** Cuts both ends of every control connection: with a reset, or with an end, as a server that hangs up. */
  cutControl(how: 'reset' | 'end'): void;
  /** Resets up to `count` of the data connections. Returns how many it reset. */
  cutData(count: number): number;
  /** From now on nothing passes, not even an end or a reset; new connections are neither served nor refused. */
  fallSilent(): void;
  /** Ends the silence: everything that was held back passes. */
  heal(): void;
  stop(): Promise<void>;
}

export async function openSoakLink(target: ServerAddress): Promise<SoakLink> {
  const pairs = new Set<Pair>();
  let silent = false;
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, near => {
    const pair: Pair = { near, far: undefined, role: undefined };
    pairs.add(pair);
    near.on('error', () => {}).once('close', () => silent || tearDown(pair));
    near.once('data', chunk => {
      pair.role = chunk.includes('"Hello"') ? 'control' : 'data';
    });
    near.pause();
    if (!silent) dial(pair);
  });
  const tearDown = (pair: Pair) => {
    pairs.delete(pair);
    for (const socket of [pair.near, pair.far]) if (socket?.destroyed === false) resetSocket(socket);
  };
  const dial = (pair: Pair) => {
    const far = connect({ ...target, allowHalfOpen: true, noDelay: true });
    pair.far = far;
    far.on('error', () => {}).once('close', () => silent || tearDown(pair));
    join(pair);
  };
  const join = ({ near, far }: Pair) => {
    if (far === undefined) return;
    near.pipe(far);
    far.pipe(near);
  };
  const port = await listen(server);
  const withRole = (role: Pair['role']) => [...pairs].filter(pair => pair.role === role);
  return {
    address: { host: '127.0.0.1', port },
    cutControl: how => {
      for (const { near, far } of withRole('control')) {
        if (how === 'reset') near.resetAndDestroy();
        else near.end();
        far?.resetAndDestroy();
      }
    },
    cutData: count => {
      const chosen = withRole('data').slice(0, count);
      for (const pair of chosen) tearDown(pair);
      return chosen.length;
    },
    fallSilent: () => {
      silent = true;
      for (const { near, far } of pairs) for (const socket of [near, far]) socket?.unpipe().pause();
    },
    heal: () => {
      silent = false;
      for (const pair of pairs) {
        if (pair.near.destroyed || pair.far?.destroyed) tearDown(pair);
        else if (pair.far === undefined) dial(pair);
        else join(pair);
      }
    },
    stop: async () => {
      const closed = new Promise(resolve => server.close(resolve));
      for (const pair of pairs) tearDown(pair);
      await closed;
    },
  };
}
