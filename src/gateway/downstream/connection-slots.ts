// Decides which visitors' connections may stay open, and how many requests of each may run. All servers of a gateway
// share one ConnectionSlots, so that TLS, HTTP/1.1 and HTTP/2 share its limits. Used by them, and by connection-set.ts.
//
// There are two groups, authenticated connections and all others; neither can use up the room for requests of the
// other. In a full group the connection with most requests loses one first. So the first request of a connection is
// served as long as another connection of the group has two. docs/threat-model.md describes what this guarantees.

import type { Duplex } from 'node:stream';

export interface SlotLimits {
  /**
   * Connections at a time; an idle one costs about 25 KB. Also the limit of open requests on authenticated connections.
   */
  sockets: number;
  /**
   * Unauthenticated connections at a time, and also the limit of open requests on them. 0 if no key is needed: then
   * every connection counts as authenticated.
   */
  strangers: number;
}

/** The limits of one connection. */
export interface RequestShare {
  /** Requests that run at a time. */
  active: number;
  /** Requests that run or wait for their turn. */
  open: number;
}

/** One request. */
export interface Turn {
  /** Called once, when the request may begin: at once, or when another one has ended. */
  begin(): void;
  /** Called once, before or after `begin`, if the request must end to make room for a request of another connection. */
  evict(): void;
}

/**
 * A connection may use this part of the room that is free in its group: the more requests run, the fewer of them one
 * connection may have. One request may always run.
 */
const PART_OF_FREE = 1 / 2;

/** If no slot is free, a visitor whose address is known loses requests above this part of them. */
const PART_OF_ONE_VISITOR = 1 / 8;

interface Group {
  readonly capacity: number;
  /** The oldest connection first. */
  readonly slots: Set<Slot>;
  /** Slots with requests that wait because the connection has used up its part of the free room. */
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
  /** A time of performance.now(): when its last request ended, or the connection was opened. */
  idleSince: number;
  /** Whose request was the last one; undefined if nobody knows. */
  visitor: string | undefined;
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
   * Gives the connection a slot until it is closed; the connection begins unauthenticated. False if no slot is free and
   * no other connection can be closed to free one. May be called twice.
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
      visitor: undefined,
      isGone: false,
    };
    this.#slots.set(connection, slot);
    slot.group.slots.add(slot);
    connection.once('close', () => remove(slot));
    return true;
  }

  /** Gives `stream`, for instance the decrypted side of a TLS connection, the slot of `connection`. */
  join(stream: Duplex, connection: Duplex): void {
    const slot = this.#slots.get(connection);
    if (slot !== undefined) this.#slots.set(stream, slot);
  }

  /** The connection that has the slot of this stream. */
  connectionOf(stream: Duplex): Duplex {
    return this.#slots.get(stream)?.connection ?? stream;
  }

  /**
   * Call this if the visitor has shown the key, or needs none: to make room, its connection is then closed only if
   * idle.
   */
  markAuthenticated(stream: Duplex): void {
    const slot = this.#slots.get(stream);
    if (slot === undefined || slot.isGone || slot.group === this.#authenticated) return;
    leaveGroup(slot);
    joinGroup(slot, this.#authenticated);
    while (slot.group.open > slot.group.capacity && evictNewest(findBusiest(slot.group)));
    advance(slot);
  }

  /**
   * Call this if a request on the connection has neither the key nor the password: a proxy in front sends requests of many
   * visitors over one connection, and this one must not use the room of those that were let in. Makes room among the
   * unauthenticated connections as for a new one.
   */
  markUnauthenticated(stream: Duplex): void {
    const slot = this.#slots.get(stream);
    if (slot === undefined || slot.isGone || slot.group === this.#newcomers) return;
    if (this.#unauthenticated.slots.size >= this.#limits.strangers) this.#closeUnauthenticated();
    leaveGroup(slot);
    joinGroup(slot, this.#unauthenticated);
    while (slot.group.open > slot.group.capacity && evictNewest(findBusiest(slot.group)));
    advanceOthers(this.#authenticated);
  }

  /** Says whose request has begun on the connection: behind a proxy, the connections of one visitor count together. */
  nameVisitor(stream: Duplex, visitor: string | undefined): void {
    const slot = this.#slots.get(stream);
    if (slot !== undefined) slot.visitor = visitor;
  }

  isAuthenticated(stream: Duplex): boolean {
    return this.#slots.get(stream)?.group === this.#authenticated;
  }

  /** Whether the connection has an open request. */
  isBusy(stream: Duplex): boolean {
    const slot = this.#slots.get(stream);
    return slot !== undefined && countOpen(slot) > 0;
  }

  /**
   * Opens a request. Returns the function to call when it has ended; a second call, or one after an eviction, does
   * nothing. Evicts the request at once if its connection has too many, or if its group is full and no other connection
   * in it has at least two more.
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
   * Closes an idle connection. If less than half of the unauthenticated ones are idle, closes a busy unauthenticated
   * one: otherwise new connections, which are idle at first, would only push out one another. If no connection is idle,
   * closes one of a visitor who has very many.
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
      findGreedy(unauthenticated) ??
      findBusiest(unauthenticated) ??
      findGreedy(authenticated);
    return cut(leaving);
  }

  #closeUnauthenticated(): void {
    const group = this.#unauthenticated;
    cut((isMostlyIdle(group) ? findIdle(group) : undefined) ?? findGreedy(group) ?? findBusiest(group));
  }
}

/** Closes the connection; false if there is none. */
function cut(slot: Slot | undefined): boolean {
  if (slot === undefined) return false;
  remove(slot);
  slot.connection.destroy();
  return true;
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

/** Begins the waiting requests that may begin. */
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

/** How many requests of the slot may run now. */
function findLimit({ group, share }: Slot): number {
  const free = group.capacity - group.active;
  return Math.max(1, Math.min(share.active, Math.floor(free * PART_OF_FREE)));
}

/**
 * Makes room in the group for one more request of this slot. Only a slot with at least two more requests loses one:
 * otherwise two connections would push out each other's requests forever.
 */
function makeRoom(slot: Slot): boolean {
  const { group } = slot;
  if (group.open < group.capacity) return true;
  const busiest = findBusiest(group);
  if (busiest === undefined || countOpen(busiest) < countOpen(slot) + 2) return false;
  return evictNewest(busiest);
}

/** Takes a waiting request first, because the app has not seen it. */
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

/** The slot that has been idle for longest. */
function findIdle({ slots }: Group): Slot | undefined {
  let found: Slot | undefined;
  for (const slot of slots)
    if (countOpen(slot) === 0 && (found === undefined || slot.idleSince < found.idleSince)) found = slot;
  return found;
}

/** The slot with most requests; if there are several, the oldest. */
function findBusiest({ slots }: Group): Slot | undefined {
  let found: Slot | undefined;
  for (const slot of slots) if (found === undefined || countOpen(slot) > countOpen(found)) found = slot;
  return found;
}

/** The newest busy slot of the visitor who has most of them, if these are too many. */
function findGreedy({ slots, capacity }: Group): Slot | undefined {
  const counts = new Map<string, number>();
  let most = Math.floor(capacity * PART_OF_ONE_VISITOR);
  let found: Slot | undefined;
  for (const slot of slots) {
    if (slot.visitor === undefined || countOpen(slot) === 0) continue;
    const count = (counts.get(slot.visitor) ?? 0) + 1;
    counts.set(slot.visitor, count);
    if (count > most || (count === most && slot.visitor === found?.visitor)) [most, found] = [count, slot];
  }
  return found;
}

function countOpen({ active, waiting }: Slot): number {
  return active.size + waiting.size;
}
