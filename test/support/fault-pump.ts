// One direction of a relayed connection, and the faults it can have. Used by fault-relay.ts.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { resetSocket } from '../../src/shared/reset.ts';

/**
 * What happens to the bytes of one direction. `after`: how many bytes still pass after the fault was applied to the
 * connection; default 0.
 * - `delay`: each byte arrives `ms` milliseconds later, in order
 * - `cut`: the receiver gets a reset; the sender gets one when it next sends, as on any network
 * - `end`: the receiver gets a clean end; the remaining bytes are lost
 * - `blackhole`: bytes, end and reset are lost; the connection stays open
 * - `stop`: nothing is read, so that the sender's buffers fill up, until the fault is removed
 * - `slice`: bytes arrive in pieces of `bytes`
 * - `throttle`: at most `bytesPerSecond`
 * - `corrupt`: one byte in `every` is changed
 */
export type Fault =
  | { kind: 'delay'; ms: number }
  | { kind: 'cut' | 'end' | 'blackhole' | 'stop'; after?: number }
  | { kind: 'slice'; bytes: number }
  | { kind: 'throttle'; bytesPerSecond: number }
  | { kind: 'corrupt'; every: number };

/** The interval at which a throttled direction passes its share: short, as on a slow link. */
const THROTTLE_STEP_MS = 20;
/** Most bytes in transit in a delayed direction; the sender keeps the rest, as on a link of that length. */
const MAX_DELAYED_BYTES = 16_000_000;

export class Pump {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #signal: AbortSignal;
  readonly #onBytes: (bytes: Buffer) => void;
  #fault: Fault | undefined;
  /** Bytes since the current fault was applied. */
  #seen = 0;
  #changed = Promise.withResolvers<void>();
  /** The number of delayed bytes, and a promise that resolves when they have been passed on. */
  #delayed = 0;
  #behind: Promise<void> = Promise.resolve();
  #passed = 0;

  /** `onBytes` gets the bytes before the fault changes them; `signal` ends every wait. */
  constructor(from: Socket, to: Socket, signal: AbortSignal, onBytes: (bytes: Buffer) => void) {
    this.#from = from;
    this.#to = to;
    this.#signal = signal;
    this.#onBytes = onBytes;
  }

  /** Bytes that were passed on. */
  get passed(): number {
    return this.#passed;
  }

  /** Replaces the fault from now on; undefined: none. */
  setFault(fault: Fault | undefined): void {
    if (fault === this.#fault) return;
    this.#fault = fault;
    this.#seen = 0;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    if (this.#left() === 0) this.#strike();
  }

  /** Runs until the sender has ended or reset its direction and this was passed on. Never rejects. */
  async carry(answerReset: () => void): Promise<void> {
    let last = () => void this.#to.end();
    try {
      for await (const chunk of this.#from.iterator({ destroyOnReturn: false })) {
        this.#onBytes(chunk);
        await this.#pass(chunk, answerReset);
      }
    } catch {
      // If we cut the sender ourselves, the receiver gets no reset.
      last = () => void (this.#from.errored && resetSocket(this.#to));
    }
    await this.#behind;
    await this.#untilOpen();
    if (!this.#signal.aborted) last();
  }

  /** The receiver of the other direction is gone: its sender gets a reset. */
  async reset(): Promise<void> {
    await this.#untilOpen();
    if (!this.#signal.aborted) resetSocket(this.#to);
  }

  async #pass(chunk: Buffer, answerReset: () => void): Promise<void> {
    for (let rest = chunk; rest.length > 0 && !this.#signal.aborted; ) {
      if (this.#to.destroyed) {
        if (!this.#isSwallowing()) answerReset();
        return;
      }
      rest = rest.subarray(await this.#passSome(rest));
    }
  }

  /** Resolves with the number of bytes that were passed on or dropped. */
  async #passSome(bytes: Buffer): Promise<number> {
    const fault = this.#fault;
    if (fault?.kind === 'delay') return await this.#passLate(bytes, fault.ms);
    await this.#behind;
    if (fault === undefined) return await this.#write(bytes);
    if (fault.kind === 'slice') return await this.#passAlone(bytes.subarray(0, fault.bytes));
    if (fault.kind === 'throttle') return await this.#passSlowly(bytes, fault.bytesPerSecond);
    if (fault.kind === 'corrupt') return await this.#write(this.#corrupt(bytes, fault.every));
    if (this.#left() > 0) return await this.#passLast(bytes);
    if (fault.kind === 'stop') return await this.#changed.promise.then(() => 0);
    return bytes.length; // dropped
  }

  async #passLate(bytes: Buffer, ms: number): Promise<number> {
    const due = performance.now() + ms;
    this.#delayed += bytes.length;
    this.#behind = this.#behind.then(async () => {
      await this.#pause(due - performance.now());
      await this.#write(bytes);
      this.#delayed -= bytes.length;
    });
    if (this.#delayed > MAX_DELAYED_BYTES) await this.#behind;
    return bytes.length;
  }

  /** Writes a slice in its own turn of the event loop, so that it becomes its own TCP segment. */
  async #passAlone(bytes: Buffer): Promise<number> {
    await this.#write(bytes);
    return await nextTurn(bytes.length);
  }

  async #passSlowly(bytes: Buffer, bytesPerSecond: number): Promise<number> {
    const share = Math.max(1, Math.round((bytesPerSecond * THROTTLE_STEP_MS) / 1_000));
    const passed = await this.#write(bytes.subarray(0, share));
    await this.#pause((1_000 * passed) / bytesPerSecond);
    return passed;
  }

  #corrupt(bytes: Buffer, every: number): Buffer {
    const changed = Buffer.from(bytes);
    const first = every - 1 - (this.#seen % every);
    for (let at = first; at < changed.length; at += every) changed[at] = (changed[at] ?? 0) ^ 0x55;
    this.#seen += bytes.length;
    return changed;
  }

  async #passLast(bytes: Buffer): Promise<number> {
    const fault = this.#fault;
    const last = bytes.subarray(0, this.#left());
    this.#seen += last.length;
    await this.#write(last);
    if (fault === this.#fault && this.#left() === 0) this.#strike();
    return last.length;
  }

  async #write(bytes: Buffer): Promise<number> {
    if (this.#to.destroyed || this.#to.writableEnded) return bytes.length;
    this.#passed += bytes.length;
    if (!this.#to.write(bytes)) {
      const gone = Promise.withResolvers<void>();
      this.#to.once('close', gone.resolve);
      await Promise.race([once(this.#to, 'drain').catch(() => {}), gone.promise]);
    }
    return bytes.length;
  }

  /** How many bytes pass before the fault takes effect; Infinity for kinds that do not count. */
  #left(): number {
    const fault = this.#fault;
    const strikes = fault !== undefined && ['cut', 'end', 'blackhole', 'stop'].includes(fault.kind);
    return strikes && 'after' in fault
      ? Math.max(0, (fault.after ?? 0) - this.#seen)
      : strikes
        ? 0
        : Infinity;
  }

  #strike(): void {
    if (this.#fault?.kind === 'cut') resetSocket(this.#to);
    if (this.#fault?.kind === 'end') this.#to.end();
  }

  /** Nothing is passed on, not even an end or a reset. */
  #isSwallowing(): boolean {
    return (this.#fault?.kind === 'blackhole' || this.#fault?.kind === 'stop') && this.#left() === 0;
  }

  async #untilOpen(): Promise<void> {
    if (this.#fault?.kind === 'delay') await this.#pause(this.#fault.ms);
    while (this.#isSwallowing() && !this.#signal.aborted) await this.#changed.promise;
  }

  /** Ends early if the relay is stopped. */
  async #pause(ms: number): Promise<void> {
    if (ms > 0) await sleep(ms, undefined, { signal: this.#signal }).catch(() => {});
  }
}
