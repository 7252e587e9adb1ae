// Comments of runs that were killed: they still say that their preview is alive. The next run of the same workflow marks
// them as ended, also those of jobs, matrix legs and names that no longer exist. Used by comment-writer.ts.

import { compareRuns } from '../run.ts';
import { renderStale } from './markdown.ts';
import { isOver, readMarker, renderMarker, type Writer } from './marker.ts';
import type { MarkedComment, Page, Thread } from './thread.ts';

/** A run is polite: it marks this many, and leaves the rest to the next run. */
const MAX_EDITS = 5;
/** Comments that are looked at more closely; most of them ask GitHub about one run. */
const MAX_CHECKS = 10;

/**
 * Resolves with the number of comments that were marked. `keep`: the comment of this run. `seen`: what is known of the
 * thread already. Rejects as `Thread` does.
 */
export async function endStaleComments(options: {
  thread: Thread;
  writer: Writer;
  keep: number | undefined;
  seen: Page;
}): Promise<number> {
  const { thread, writer, keep, seen } = options;
  let [edits, checks] = [0, 0];
  for await (const { comments } of readAll(thread, seen)) {
    for (const comment of comments.filter(({ id, marker }) => id !== keep && isSuspect(marker, writer))) {
      if (edits === MAX_EDITS || checks === MAX_CHECKS) return edits;
      checks += 1;
      if ((await thread.isGone(comment, writer)) && (await end(thread, comment))) edits += 1;
    }
  }
  return edits;
}

async function* readAll(thread: Thread, seen: Page): AsyncGenerator<Page, void> {
  yield seen;
  if (seen.next !== undefined) yield* thread.readOwn({ from: seen.next });
}

/** A comment of this workflow that says it is alive, and that is not from this attempt of this run. */
function isSuspect(marker: MarkedComment['marker'], writer: Writer): boolean {
  const isOurs = marker.workflow !== undefined && marker.workflow === writer.workflow;
  return isOurs && !isOver(marker) && compareRuns(marker, writer) !== 0;
}

/** False if somebody else wrote the comment meanwhile. */
async function end(thread: Thread, { id, marker }: MarkedComment): Promise<boolean> {
  const comment = await thread.read(id);
  const now = comment && readMarker(comment.body);
  if (comment === undefined || now === undefined || renderMarker(now) !== renderMarker(marker)) return false;
  await thread.edit(id, renderStale(comment.body, renderMarker({ ...marker, state: 'ended' }), new Date()));
  return true;
}
