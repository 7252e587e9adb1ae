// A client for the debugger of another Node.js process (the Chrome DevTools Protocol). Used by main.ts.

import { waitUntil } from '../rig/process.ts';
import type { AllocationNode, CpuProfile } from './shares.ts';

/** Microseconds from one sample of the processor to the next. */
const CPU_SAMPLE_US = 200;
/** Bytes from one sample of the allocations to the next, on average. */
const ALLOCATION_SAMPLE_BYTES = 8_192;

export interface Inspector extends Disposable {
  /** Samples which functions run during `work`. */
  profileCpu(work: () => Promise<unknown>): Promise<CpuProfile>;
  /** Samples which functions allocate JavaScript objects during `work`, also objects that are collected meanwhile. */
  profileAllocations(work: () => Promise<unknown>): Promise<AllocationNode>;
}

/** `port`: what the process was given with `--inspect=127.0.0.1:PORT`. */
export async function openInspector(port: number): Promise<Inspector> {
  const address = await waitUntil(() => findAddress(port), 'the debugger');
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error(`no debugger at ${address}`)), { once: true });
  });
  const send = createSender(socket);
  return {
    profileCpu: async work => {
      await send('Profiler.enable');
      await send('Profiler.setSamplingInterval', { interval: CPU_SAMPLE_US });
      await send('Profiler.start');
      await work();
      const { profile } = (await send('Profiler.stop')) as { profile: CpuProfile };
      await send('Profiler.disable');
      return profile;
    },
    profileAllocations: async work => {
      await send('HeapProfiler.startSampling', {
        samplingInterval: ALLOCATION_SAMPLE_BYTES,
        includeObjectsCollectedByMajorGC: true,
        includeObjectsCollectedByMinorGC: true,
      });
      await work();
      const { profile } = (await send('HeapProfiler.stopSampling')) as { profile: { head: AllocationNode } };
      return profile.head;
    },
    [Symbol.dispose]: () => socket.close(),
  };
}

async function findAddress(port: number): Promise<string | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/json/list`);
    const [target] = (await answer.json()) as { webSocketDebuggerUrl: string }[];
    return target?.webSocketDebuggerUrl;
  } catch {
    return undefined; // it does not listen yet
  }
}

function createSender(socket: WebSocket): (method: string, params?: object) => Promise<unknown> {
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(String(data)) as {
      id?: number;
      result?: unknown;
      error?: { message: string };
    };
    const call = waiting.get(id ?? 0);
    if (error !== undefined) call?.reject(new Error(error.message));
    else call?.resolve(result);
  });
  socket.addEventListener('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('the process ended'));
  });
  return (method, params = {}) => {
    const id = waiting.size + 1;
    socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  };
}
