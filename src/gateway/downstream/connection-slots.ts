// Decides which visitors' connections may stay open, and how many requests of each may run. All servers of a gateway
// share one ConnectionSlots, so that TLS, HTTP/1.1 and HTTP/2 share its limits. Used by them, and by connection-set.ts.
//
// There are two groups, authenticated connections and all others; neither can use up the room for requests of the
// other. In a full group the connection with most requests loses one first. So the first request of a connection is
// served as long as another connection of the group has two. docs/threat-model.md describes what this guarantees.

import type { Duplex } from 'node:stream';
import {
  advance,
  advanceOthers,
  close,
  countOpen,
  createGroup,
  cut,
  findBusiest,
  findGreedy,
  findIdle,
  type Group,
  isMostlyIdle,
  makeRoom,
  moveTo,
  type RequestShare,
  remove,
  type Slot,
  type Turn,
} from './slot-groups.ts';

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
    moveTo(this.#authenticated, slot);
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
    moveTo(this.#unauthenticated, slot);
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
