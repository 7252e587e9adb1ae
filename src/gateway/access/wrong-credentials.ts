// Logs from which addresses wrong keys and passwords come, if a proxy in front reports addresses. However many come, the
// log gets few lines. Used by gateway.ts.

import type { Logger } from '../../shared/log.ts';

/** A visitor with very many addresses (IPv6) must not fill the memory or the log. */
const MAX_ADDRESSES = 100;

export class WrongCredentials {
  readonly #logger: Logger;
  readonly #counts = new Map<string, number>();
  #isFull = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Logs the 1st, 10th, 100th … of each address. Does nothing if the address is not known. */
  note(address: string | undefined): void {
    if (address === undefined) return;
    const count = (this.#counts.get(address) ?? 0) + 1;
    const isTooMany = count === 1 && this.#counts.size >= MAX_ADDRESSES;
    if (!isTooMany) this.#counts.set(address, count);
    if (isTooMany) this.#noteFull();
    else if (count === 1) this.#logger.info(`a wrong key or password from ${address}`);
    else if (Number.isInteger(Math.log10(count)))
      this.#logger.info(`${count} wrong keys or passwords from ${address} so far`);
  }

  #noteFull(): void {
    if (this.#isFull) return;
    this.#isFull = true;
    this.#logger.info(
      `wrong keys or passwords have come from more than ${MAX_ADDRESSES} addresses: further addresses are not logged`,
    );
  }
}
