// Remembers which request carried a delivery first: senders repeat a delivery, with the same id, until it is answered
// with 2xx. Used by recorder.ts.

/** Providers repeat within minutes to days; a job sees far fewer deliveries than this. */
const MAX_DELIVERIES = 10_000;

/** Ids are sent by whoever has a secret; no provider's is longer. */
const MAX_ID_LENGTH = 512;

export class KnownDeliveries {
  /** Id of a delivery → id of its first request; the oldest first. */
  readonly #first = new Map<string, number>();

  /** The id of the first request with this delivery; undefined if it is this one, or if there is no delivery. */
  findFirst(deliveryId: string | undefined, id: number): number | undefined {
    if (deliveryId === undefined || deliveryId.length > MAX_ID_LENGTH) return undefined;
    const first = this.#first.get(deliveryId);
    if (first !== undefined) return first;
    this.#first.set(deliveryId, id);
    const [oldest] = this.#first.keys();
    if (this.#first.size > MAX_DELIVERIES && oldest !== undefined) this.#first.delete(oldest);
    return undefined;
  }
}
