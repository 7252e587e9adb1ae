// Searches sorted lists. Used by gateway/webhooks/record/ and control/requests/.

/** The first index from `low` on, and below `high`, whose value is larger than `value`; `high` if there is none. */
export function findFirstAbove(
  value: number,
  [low, high]: readonly [low: number, high: number],
  valueAt: (index: number) => number,
): number {
  let [from, to] = [low, high];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (valueAt(middle) > value) to = middle;
    else from = middle + 1;
  }
  return from;
}
