// Collects what is wrong with the inputs, so that one run shows all of it. Used by inputs and its parts. Every parser
// throws an InputError for a wrong value; `check` notes it and goes on.

import { InputError } from '../shared/errors.ts';

/** Returns the text of an input, '' if it was not given. */
export type InputSource = (name: string) => string;

/** The result of parsing one input. */
export interface Checked<T> {
  /** Throws if the input was refused; another `check` does not note that as a second problem. */
  readonly value: T;
  /** Undefined if the input was refused. */
  readonly known: T | undefined;
}

export class Problems {
  readonly #found: string[] = [];

  /** Notes an InputError; errors of any other kind pass through. */
  check<T>(parse: () => T): Checked<T> {
    try {
      const value = parse();
      return { value, known: value };
    } catch (error) {
      if (error instanceof InputError) this.#found.push(...error.problems);
      else if (!(error instanceof RefusedError)) throw error;
      return REFUSED;
    }
  }

  /** Throws one InputError with everything that was noted. */
  throwIfAny(): void {
    if (this.#found.length > 0) throw new InputError(this.#found);
  }
}

/** Thrown when the value of a refused input is read; its problem is noted already. */
class RefusedError extends Error {}

const REFUSED: Checked<never> = {
  get value(): never {
    throw new RefusedError('this input was refused');
  },
  known: undefined,
};
