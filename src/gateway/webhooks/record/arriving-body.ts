// Keeps the bodies of captured requests while they arrive, within a budget for all of them. Used by recorder.ts
// and visit-recording.ts.

/**
 * The longest body that is kept whole. GitHub's payloads are the largest of the known senders, and it sends none above
 * 25 MB ("Webhook events and payloads", GitHub Docs).
 */
export const MAX_BODY_BYTES = 25 * 1024 ** 2;

/** Most webhooks take a few KB. */
const FIRST_BLOCK_BYTES = 4 * 1024;
/** Blocks grow with the body, so that a large one has few of them. */
const MAX_BLOCK_BYTES = 1024 ** 2;

/** A body that is announced as this long at most gets one block of its length; who announces more need not send it. */
const MAX_ANNOUNCED_BYTES = 64 * 1024;

/** What a network buffer takes at most: the first piece of a body is held with all of it. */
const MAX_HELD_BYTES = 64 * 1024;

/** Bodies up to this length share blocks of memory once they are kept. */
const MAX_SHARED_BYTES = 16 * 1024;
const SHARED_BLOCK_BYTES = 128 * 1024;

/** If less is left for a body, the rest of it is not kept. */
const MIN_BLOCK_BYTES = 256;

/** Longer bodies leave room for the first bytes of 2,000 others: most webhooks are no longer than that. */
const SHORT_BYTES = 8 * 1024;
const SHORT_ROOM_BYTES = 2_000 * SHORT_BYTES;

/** How much memory the bodies that arrive at the moment may take together. */
export class BodyBudget {
  readonly #maxBytes: number;
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Takes up to `wanted` bytes for a body that has `owned` already, and returns how many. A long body may have no more
   * than is left for all others then: so a thousand that come at once take no short one its place.
   */
  take(owned: number, wanted: number): number {
    const left = this.#maxBytes - this.#usedBytes;
    const asShort = Math.min(left, SHORT_BYTES - owned);
    const asLong = Math.min(left - SHORT_ROOM_BYTES, Math.floor((left - owned) / 2));
    const granted = Math.min(wanted, Math.max(asShort, asLong));
    if (granted < Math.min(wanted, MIN_BLOCK_BYTES)) return 0;
    this.#usedBytes += granted;
    return granted;
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/**
 * Memory for bodies that are kept: short ones share blocks, because ten thousand buffers of their own would cost more
 * time than all else. The oldest bodies are forgotten first, so a block is free soon after its first body is. Node's own
 * pool is no choice: there, others would keep a block in memory.
 */
export class BodyStore {
  #block = Buffer.alloc(0);
  #usedBytes = 0;

  /** The parts, one behind the other, up to `length`. */
  keep(parts: readonly Buffer[], length: number): Buffer {
    const body = this.#allocate(length);
    let offset = 0;
    for (const part of parts) offset += part.copy(body, offset, 0, Math.min(part.length, length - offset));
    return body;
  }

  #allocate(length: number): Buffer {
    if (length > MAX_SHARED_BYTES) return Buffer.allocUnsafeSlow(length);
    if (this.#usedBytes + length > this.#block.length) {
      this.#block = Buffer.allocUnsafeSlow(SHARED_BLOCK_BYTES);
      this.#usedBytes = 0;
    }
    this.#usedBytes += length;
    return this.#block.subarray(this.#usedBytes - length, this.#usedBytes);
  }
}

/**
 * The body of one request. If it comes in one piece, that is held until `take`. Otherwise its bytes are copied: a piece
 * of one byte may keep a whole network buffer in memory. Once the budget is short, or the body too long, the beginning
 * stays and the rest is only counted.
 */
export class ArrivingBody {
  readonly #budget: BodyBudget;
  /** As `Content-Length` says. */
  readonly #announced: number | undefined;
  /** The only piece so far. */
  #first: Buffer | undefined;
  #blocks: Buffer[] = [];
  #ownedBytes = 0;
  #keptBytes = 0;
  #isCut = false;
  /** How many bytes have come. */
  bytes = 0;

  constructor(budget: BodyBudget, announced: number | undefined) {
    this.#budget = budget;
    this.#announced = announced;
  }

  add(chunk: Buffer): void {
    const isFirst = this.bytes === 0;
    this.bytes += chunk.length;
    if (isFirst && this.#hold(chunk)) return;
    const first = this.#first;
    if (first !== undefined) {
      this.#first = undefined;
      this.#release();
      this.#copy(first);
    }
    this.#copy(chunk);
  }

  /** Returns what was kept, at most `maxBytes`, and gives its share of the budget back. */
  take(store: BodyStore, maxBytes = MAX_BODY_BYTES): Buffer {
    const parts = this.#first === undefined ? this.#blocks : [this.#first];
    const kept = this.#first?.length ?? this.#keptBytes;
    const body = store.keep(parts, Math.min(kept, maxBytes));
    this.#release();
    this.#first = undefined;
    this.#blocks = [];
    this.#keptBytes = 0;
    this.#isCut = true;
    return body;
  }

  #hold(chunk: Buffer): boolean {
    const bytes = chunk.buffer.byteLength;
    if (bytes > MAX_HELD_BYTES) return false;
    this.#ownedBytes = this.#budget.take(0, bytes);
    if (this.#ownedBytes === bytes) this.#first = chunk;
    else this.#release();
    return this.#first !== undefined;
  }

  #release(): void {
    this.#budget.giveBack(this.#ownedBytes);
    this.#ownedBytes = 0;
  }

  #copy(chunk: Buffer): void {
    for (let done = 0; done < chunk.length && !this.#isCut; ) {
      const free = this.#ownedBytes - this.#keptBytes;
      const block = free > 0 ? this.#blocks.at(-1) : this.#open(chunk.length - done);
      if (block === undefined) return;
      const copied = chunk.copy(block, free > 0 ? block.length - free : 0, done);
      done += copied;
      this.#keptBytes += copied;
    }
  }

  #open(arrived: number): Buffer | undefined {
    const room = MAX_BODY_BYTES - this.#ownedBytes;
    const granted = this.#budget.take(this.#ownedBytes, Math.min(room, this.#chooseLength(arrived)));
    if (granted === 0) {
      this.#isCut = true;
      return undefined;
    }
    // Not from Node's pool, in which a few bytes would keep 8 KB in memory.
    const block = Buffer.allocUnsafeSlow(granted);
    this.#blocks.push(block);
    this.#ownedBytes += granted;
    return block;
  }

  #chooseLength(arrived: number): number {
    const usual = Math.max(FIRST_BLOCK_BYTES, arrived, Math.min(this.#ownedBytes, MAX_BLOCK_BYTES));
    const rest = (this.#announced ?? Number.POSITIVE_INFINITY) - this.#ownedBytes;
    return rest > 0 && rest <= MAX_ANNOUNCED_BYTES ? rest : Math.min(usual, Math.max(rest, arrived));
  }
}
