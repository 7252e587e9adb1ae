// What the demo and its worker tell each other, over the worker's IPC channel. The worker plays `Runner.Worker`: a
// process of its own, as on a real runner, so that nothing stays behind when the demo itself is killed.

import * as v from 'valibot';

const TextSchema = v.record(v.string(), v.string());

/** A job, as the demo orders it. */
const PlanSchema = v.object({
  root: v.string(),
  tempFolder: v.string(),
  machine: v.object({ PATH: v.string(), HOME: v.exactOptional(v.string()) }),
  inputs: TextSchema,
  eventName: v.string(),
  event: v.unknown(),
  environment: TextSchema,
  apiUrl: v.string(),
  /** Path in the workspace → what is copied there: what a checkout and a build leave. */
  checkout: TextSchema,
});

export type JobPlan = v.InferOutput<typeof PlanSchema>;

/** From the demo. `leave`: end at once, without the post step. */
export const OrderSchema = v.variant('order', [
  v.object({ order: v.literal('run'), plan: PlanSchema }),
  v.object({ order: v.literal('cancel') }),
  v.object({ order: v.literal('leave') }),
]);

export type Order = v.InferOutput<typeof OrderSchema>;

const EntrySchema = v.picklist(['main', 'post', 'stop', 'wait']);

/** From the worker. The folders are there until `done`. */
export const NewsSchema = v.variant('news', [
  v.object({ news: v.literal('started'), temp: v.string() }),
  v.object({ news: v.literal('text'), entry: EntrySchema, text: v.string() }),
  v.object({
    news: v.literal('ended'),
    entry: EntrySchema,
    code: v.nullable(v.number()),
    outputs: TextSchema,
    summary: v.string(),
  }),
  v.object({ news: v.literal('done') }),
]);

export type News = v.InferOutput<typeof NewsSchema>;
