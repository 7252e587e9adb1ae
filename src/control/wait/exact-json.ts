// JSON whose numbers keep their digits: ids of 19 digits are common, and a JavaScript number rounds them. Used by
// conditions.ts.

/** A number as it is written in the document. */
export class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Parses JSON; every number is an ExactNumber. Throws a SyntaxError. Several times slower than `JSON.parse`. */
export function parseExactly(text: string): unknown {
  // The third argument holds the number's text (ECMAScript 2026, JSON.parse source text access).
  return JSON.parse(text, (...[, value, context]: readonly unknown[]) =>
    typeof value === 'number' ? new ExactNumber(readSource(context) ?? String(value)) : value,
  );
}

function readSource(context: unknown): string | undefined {
  return typeof context === 'object' &&
    context !== null &&
    'source' in context &&
    typeof context.source === 'string'
    ? context.source
    : undefined;
}

/** Longer numbers are compared as texts: working on millions of digits takes seconds. */
const MAX_DIGITS = 1_000;

/** Whether both texts are the same JSON number: `1`, `1.0` and `10e-1` are. */
export function isSameNumber(one: string, other: string): boolean {
  if (one === other) return true;
  if (Math.max(one.length, other.length) > MAX_DIGITS) return false;
  return normalise(one) === normalise(other);
}

/** Sign, digits without zeros around them, and exponent. */
function normalise(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${sign}${significant}e${power}`;
}
