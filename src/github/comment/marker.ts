// The hidden first line of our comment: which preview it belongs to, and which run wrote it last. Used by
// comment-writer.ts and own-comment.ts.

/** One attempt of one workflow run. `runId` is a decimal number that may outgrow a double. */
export interface Run {
  runId: string;
  runAttempt: number;
}

export interface Marker extends Run {
  key: string;
}

/** The values are only hex and decimal digits, so that none can close the HTML comment early. */
const MARKER = /^<!-- expose-action preview=([0-9a-f]{1,64}) run=(\d{1,20}) attempt=(\d{1,6}) -->/;

export function renderMarker({ key, runId, runAttempt }: Marker): string {
  return `<!-- expose-action preview=${key} run=${runId} attempt=${runAttempt} -->`;
}

/** The marker that opens a comment's body; a marker further down is a quote and does not count. */
export function readMarker(body: string): Marker | undefined {
  const [, key, runId, attempt] = MARKER.exec(body) ?? [];
  if (key === undefined || runId === undefined || attempt === undefined) return undefined;
  return { key, runId, runAttempt: Number(attempt) };
}

/** Negative if `a` is the older run, positive if it is the newer one, 0 if both are the same attempt. */
export function compareRuns(a: Run, b: Run): number {
  const [idA, idB] = [BigInt(a.runId), BigInt(b.runId)];
  if (idA !== idB) return idA < idB ? -1 : 1;
  return a.runAttempt - b.runAttempt;
}
