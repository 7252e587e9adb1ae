// Which visitors' connections may stay, and how many requests of each may be under way. One for all servers of a
// gateway, so that TLS, HTTP/1.1 and HTTP/2 share its limits.
//
// There are two groups, connections that have shown the key and all others, and neither can use up the room of the
// other. Within a group whoever holds most makes room, so that a newcomer gets in as long as anybody holds two of
// anything. What that guarantees stands in docs/threat-model.md.

import type { Duplex } from 'node:stream';

export interface SlotLimits {
  /** Connections at a time; each idle one costs some 25 KB. As many requests may be open on authenticated ones. */
  sockets: number;
  /**
   * Unauthenticated connections at a time, and as many requests open on them; 0 if no key is needed, and every
   * connection counts as authenticated.
   */
  strangers: number;
}

/** What one connection may have at a time. */
export interface RequestShare {
  /** Requests that have begun. */
  active: number;
  /** Those, and the ones that wait for their turn. */
  open: number;
}

/** One request. */
export interface Turn {
  /** Called once, when the request may begin: at once, or when another one is over. */
  begin(): void;
  /** Called once, before or after it has begun, where the request has to make room for another connection's. */
  evict(): void;
}

/**
 * A connection may use this part of what is free in its group: the more are served, the fewer requests of one
 * connection run side by side. One always may.
 */
const PART_OF_FREE = 1 / 2;

interface Group {
  readonly capacity: number;
  /** The oldest connection first. */
  readonly slots: Set<Slot>;
  /** Those that have requests waiting because their share of the free room is used up. */
  readonly short: Set<Slot>;
  open: number;
  active: number;
}

interface Slot {
  readonly connection: Duplex;
  group: Group;
  share: RequestShare;
  /** The oldest first. */
  readonly active: Set<Turn>;
  readonly waiting: Set<Turn>;
  /** Of performance.now(): when its last request was over, or it came. */
  idleSince: number;
  isGone: boolean;
}

export class ConnectionSlots {
  readonly #limits: SlotLimits;
  readonly #unauthenticated: Group;
  readonly #authenticated: Group;
  /** The group a connection begins in. */
  readonly #newcomers: Group;
  readonly #slots = new WeakMap<Duplex, Slot>();

  constructor(limits: SlotLimits) {
    this.#limits = limits;
    this.#unauthenticated = createGroup(limits.strangers);
    this.#authenticated = createGroup(limits.sockets);
    this.#newcomers = limits.strangers === 0 ? this.#authenticated : this.#unauthenticated;
  }

  /**
   * A slot until the connection is closed, which counts as unauthenticated. False where none is free and nobody has to
   * make room. May be called twice.
   */
  take(connection: Duplex): boolean {
    if (this.#slots.has(connection)) return true;
    if (!this.#freeSlot()) return false;
    const slot: Slot = {
      connection,
      group: this.#newcomers,
      share: { active: 1, open: 1 },
      active: new Set(),
      waiting: new Set(),
      idleSince: performance.now(),
      isGone: false,
    };
    this.#slots.set(connection, slot);
    slot.group.slots.add(slot);
    connection.once('close', () => remove(slot));
    return true;
  }

  /** `stream`, for instance the plain text of a TLS connection, has the slot of `connection`. */
  join(stream: Duplex, connection: Duplex): void {
    const slot = this.#slots.get(connection);
    if (slot !== undefined) this.#slots.set(stream, slot);
  }

  /** The connection that has the slot of this stream. */
  connectionOf(stream: Duplex): Duplex {
    return this.#slots.get(stream)?.connection ?? stream;
  }

  /** It has shown the key, or needs none: from now on it is closed to make room only while it is idle. */
  markAuthenticated(stream: Duplex): void {
    const slot = this.#slots.get(stream);
    if (slot === undefined || slot.isGone || slot.group === this.#authenticated) return;
    leaveGroup(slot);
    joinGroup(slot, this.#authenticated);
    while (slot.group.open > slot.group.capacity && evictNewest(findBusiest(slot.group)));
    advance(slot);
  }

  isAuthenticated(stream: Duplex): boolean {
    return this.#slots.get(stream)?.group === this.#authenticated;
  }

  /** Whether a request is open there. */
  isBusy(stream: Duplex): boolean {
    const slot = this.#slots.get(stream);
    return slot !== undefined && countOpen(slot) > 0;
  }

  /**
   * Opens a request; returns what to call when it is over (calling it twice, or after its eviction, changes nothing).
   * Evicts it at once where the connection has too many, or its group has, and nobody in it holds more.
   */
  open(stream: Duplex, share: RequestShare, turn: Turn): () => void {
    const slot = this.#slots.get(stream);
    if (slot === undefined || slot.isGone || countOpen(slot) >= share.open || !makeRoom(slot)) {
      turn.evict();
      return () => {};
    }
    slot.share = share;
    slot.waiting.add(turn);
    slot.group.open += 1;
    advance(slot);
    return () => close(slot, turn);
  }

  /**
   * An idle connection makes room, and of unauthenticated ones also a busy one, where idle ones hold less than half of
   * their slots: newcomers, who are idle too, would else only push out one another.
   */
  #freeSlot(): boolean {
    const [unauthenticated, authenticated] = [this.#unauthenticated, this.#authenticated];
    const isFull = unauthenticated.slots.size + authenticated.slots.size >= this.#limits.sockets;
    const isCrowded =
      this.#newcomers === unauthenticated && unauthenticated.slots.size >= this.#limits.strangers;
    if (!isFull && !isCrowded) return true;
    const leaving =
      (isMostlyIdle(unauthenticated) ? findIdle(unauthenticated) : undefined) ??
      (isCrowded ? undefined : findIdle(authenticated)) ??
      findBusiest(unauthenticated);
    if (leaving === undefined) return false;
    remove(leaving);
    leaving.connection.destroy();
    return true;
  }
}

function createGroup(capacity: number): Group {
  return { capacity, slots: new Set(), short: new Set(), open: 0, active: 0 };
}

function joinGroup(slot: Slot, group: Group): void {
  slot.group = group;
  group.slots.add(slot);
  group.open += countOpen(slot);
  group.active += slot.active.size;
}

function leaveGroup(slot: Slot): void {
  const { group } = slot;
  group.slots.delete(slot);
  group.short.delete(slot);
  group.open -= countOpen(slot);
  group.active -= slot.active.size;
}

function remove(slot: Slot): void {
  if (slot.isGone) return;
  slot.isGone = true;
  const { group } = slot;
  leaveGroup(slot);
  slot.active.clear();
  slot.waiting.clear();
  advanceOthers(group);
}

function close(slot: Slot, turn: Turn): void {
  const { group } = slot;
  if (slot.active.delete(turn)) group.active -= 1;
  else if (!slot.waiting.delete(turn)) return;
  group.open -= 1;
  if (countOpen(slot) === 0) slot.idleSince = performance.now();
  advance(slot);
  advanceOthers(group);
}

/** Begins what may begin. */
function advance(slot: Slot): void {
  const { group } = slot;
  for (const turn of slot.waiting) {
    if (slot.active.size >= findLimit(slot)) {
      if (slot.active.size < slot.share.active) group.short.add(slot);
      return;
    }
    slot.waiting.delete(turn);
    slot.active.add(turn);
    group.active += 1;
    turn.begin();
  }
  group.short.delete(slot);
}

function advanceOthers({ short }: Group): void {
  for (const slot of short) advance(slot);
}

/** How many requests of it may be under way now. */
function findLimit({ group, share }: Slot): number {
  const free = group.capacity - group.active;
  return Math.max(1, Math.min(share.active, Math.floor(free * PART_OF_FREE)));
}

/** For one more request of this slot; only of one that holds more, or two connections would push each other out. */
function makeRoom(slot: Slot): boolean {
  const { group } = slot;
  if (group.open < group.capacity) return true;
  const busiest = findBusiest(group);
  if (busiest === undefined || countOpen(busiest) < countOpen(slot) + 2) return false;
  return evictNewest(busiest);
}

/** What waits goes first: the app has not heard of it. */
function evictNewest(slot: Slot | undefined): boolean {
  const newest = [...(slot?.active ?? []), ...(slot?.waiting ?? [])].at(-1);
  if (slot === undefined || newest === undefined) return false;
  close(slot, newest);
  newest.evict();
  return true;
}

function isMostlyIdle({ slots }: Group): boolean {
  let idle = 0;
  for (const slot of slots) if (countOpen(slot) === 0) idle += 1;
  return 2 * idle >= slots.size;
}

/** The one idle for longest. */
function findIdle({ slots }: Group): Slot | undefined {
  let found: Slot | undefined;
  for (const slot of slots)
    if (countOpen(slot) === 0 && (found === undefined || slot.idleSince < found.idleSince)) found = slot;
  return found;
}

/** The one that holds most; the oldest of several. */
function findBusiest({ slots }: Group): Slot | undefined {
  let found: Slot | undefined;
  for (const slot of slots) if (found === undefined || countOpen(slot) > countOpen(found)) found = slot;
  return found;
}

function countOpen({ active, waiting }: Slot): number {
  return active.size + waiting.size;
}
