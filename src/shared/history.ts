// What happened to an exposure over its life, for the summary: exposure/history.ts records it, outcome.json holds it, and
// github/summary/ shows it. Its size is bounded, whatever happens.

import * as v from 'valibot';

/** Part of the preview that can be away by itself. */
export const PARTS = ['tunnel', 'app'] as const;
export type Part = (typeof PARTS)[number];

/** Times are ISO 8601. Paths are without their query, and secrets in them are masked; both are strangers' text. */
export const HistorySchema = v.object({
  /** The last public URL; null if there was none. */
  address: v.nullable(v.string()),
  /** Visits from `from` on, in steps of `minutes`; the last step may be shorter. */
  visits: v.object({ from: v.string(), minutes: v.number(), counts: v.array(v.number()) }),
  /** Of requests; from a histogram, exact to 5 %. Null without requests. */
  times: v.nullable(v.object({ count: v.number(), median_ms: v.number(), p95_ms: v.number() })),
  /** One for each method and path, the slowest first. Durations are up to the end of the answer. */
  slowest: v.array(
    v.object({ method: v.string(), path: v.string(), status: v.number(), duration_ms: v.number() }),
  ),
  /** While live; the first ones. `until` is null if it lasted to the end. */
  outages: v.array(
    v.object({
      part: v.picklist(PARTS),
      from: v.string(),
      until: v.nullable(v.string()),
      reason: v.nullable(v.string()),
    }),
  ),
  /** Of all outages, also those that are not listed. */
  away: v.object({
    tunnel: v.object({ count: v.number(), ms: v.number() }),
    app: v.object({ count: v.number(), ms: v.number() }),
  }),
  /** New public URLs after the first one; the last ones. */
  moves: v.array(v.object({ at: v.string(), url: v.string() })),
  /** The recorded requests. `status` is null if the sender left before the answer. */
  webhooks: v.object({
    count: v.number(),
    refused: v.number(),
    /** Kept while the app was away. */
    queued: v.number(),
    dropped: v.number(),
    replayed: v.number(),
    /** The first paths; `count` above has all. */
    paths: v.array(
      v.object({
        method: v.string(),
        path: v.string(),
        status: v.nullable(v.number()),
        isRefused: v.boolean(),
        count: v.number(),
      }),
    ),
  }),
});

export type HistoryMessage = v.InferOutput<typeof HistorySchema>;
