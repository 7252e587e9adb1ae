// What a page host reports about wasmrun's page: messages between the page and its Worker, refused requests, and
// failures of the page. Used by both hosts and by page-program.ts.

import * as v from 'valibot';

/** wasmrun's own message types (os.js of wasmrun 1.0.0); `terminated` and those in kebab-case are ours. */
const PageMessageSchema = v.variant('type', [
  /** A piece of the program's console; lines may be cut anywhere. */
  v.object({ type: v.picklist(['stdout', 'stderr']), text: v.string() }),
  /** How far the Worker is; `running` comes right before the program's first instruction. */
  v.object({ type: v.literal('status'), status: v.string() }),
  v.object({ type: v.literal('exit'), code: v.number() }),
  v.object({ type: v.literal('error'), message: v.string() }),
  /** The page starts the program; `address` is `127.0.0.1:PORT`, empty without a port, null without a network. */
  v.object({ type: v.literal('start'), address: v.nullable(v.string()) }),
  /** The page ended its Worker, as it does silently after `[os.limits] timeout_secs`. */
  v.object({ type: v.literal('terminated') }),
  /** The Run button was pressed. */
  v.object({ type: v.literal('run-pressed') }),
  /** wasmrun refused something the page needs before the program can start. */
  v.object({ type: v.literal('request-failed'), path: v.string(), status: v.number(), reason: v.string() }),
  /** The page itself broke. */
  v.object({ type: v.literal('page-error'), message: v.string() }),
]);

export type PageMessage = v.InferOutput<typeof PageMessageSchema>;

/** Checks what came through a pipe; undefined if it is not a message. */
export function readPageMessage(message: unknown): PageMessage | undefined {
  const result = v.safeParse(PageMessageSchema, message);
  return result.success ? result.output : undefined;
}
