// A group of visitors' connections and what happens in it: which request begins next, and which connection loses one if the
// group is full. Used by connection-slots.ts, which has the two groups of a gateway.

import type { Duplex } from 'node:stream';

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

export interface Group {
  readonly capacity: number;
  /** The oldest connection first. */
  readonly slots: Set<Slot>;
  /** Slots with requests that wait because the connection has used up its part of the free room. */
  readonly short: Set<Slot>;
  open: number;
  active: number;
}

export interface Slot {
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

/** Closes the connection; false if there is none. */
export function cut(slot: Slot | undefined): boolean {
  if (slot === undefined) return false;
  remove(slot);
  slot.connection.destroy();
  return true;
}

export function createGroup(capacity: number): Group {
  return { capacity, slots: new Set(), short: new Set(), open: 0, active: 0 };
}

/** Moves the slot with its requests; the connections with most requests lose some if that is too many for the group. */
export function moveTo(group: Group, slot: Slot): void {
  leaveGroup(slot);
  slot.group = group;
  group.slots.add(slot);
  group.open += countOpen(slot);
  group.active += slot.active.size;
  while (group.open > group.capacity && evictNewest(findBusiest(group)));
}

function leaveGroup(slot: Slot): void {
  const { group } = slot;
  group.slots.delete(slot);
  group.short.delete(slot);
  group.open -= countOpen(slot);
  group.active -= slot.active.size;
}

export function remove(slot: Slot): void {
  if (slot.isGone) return;
  slot.isGone = true;
  const { group } = slot;
  leaveGroup(slot);
  slot.active.clear();
  slot.waiting.clear();
  advanceOthers(group);
}

export function close(slot: Slot, turn: Turn): void {
  const { group } = slot;
  if (slot.active.delete(turn)) group.active -= 1;
  else if (!slot.waiting.delete(turn)) return;
  group.open -= 1;
  if (countOpen(slot) === 0) slot.idleSince = performance.now();
  advance(slot);
  advanceOthers(group);
}

/** Begins the waiting requests that may begin. */
export function advance(slot: Slot): void {
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

export function advanceOthers({ short }: Group): void {
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
export function makeRoom(slot: Slot): boolean {
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

export function isMostlyIdle({ slots }: Group): boolean {
  let idle = 0;
  for (const slot of slots) if (countOpen(slot) === 0) idle += 1;
  return 2 * idle >= slots.size;
}

/** The slot that has been idle for longest. */
export function findIdle({ slots }: Group): Slot | undefined {
  let found: Slot | undefined;
  for (const slot of slots)
    if (countOpen(slot) === 0 && (found === undefined || slot.idleSince < found.idleSince)) found = slot;
  return found;
}

/** The slot with most requests; if there are several, the oldest. */
export function findBusiest({ slots }: Group): Slot | undefined {
  let found: Slot | undefined;
  for (const slot of slots) if (found === undefined || countOpen(slot) > countOpen(found)) found = slot;
  return found;
}

/** The newest busy slot of the visitor who has most of them, if these are too many. */
export function findGreedy({ slots, capacity }: Group): Slot | undefined {
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

export function countOpen({ active, waiting }: Slot): number {
  return active.size + waiting.size;
}
