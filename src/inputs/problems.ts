// Collects what is wrong with the inputs, so that one run shows all of it. Used by inputs and its parts.

import { InputError } from '../shared/errors.ts';

/** Gives the text of an input, '' where it was not given. */
export type InputSource = (name: string) => string;

export class Problems {
  readonly found: string[] = [];

  /** The value, or undefined after its InputError was noted; other errors pass through. */
  check<T>(parse: () => T): T | undefined {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.found.push(...error.problems);
      return undefined;
    }
  }

  throwIfAny(): void {
    if (this.found.length > 0) throw new InputError(this.found);
  }
}
