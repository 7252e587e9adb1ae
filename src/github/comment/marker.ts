// The hidden first line of our comment: which preview it shows, which run wrote it last, and in which state. Runs read
// it to decide who writes the comment, so it says everything that this decision needs. Used by own-comment.ts,
// stale-comments.ts and comment-writer.ts.

import { compareRuns, type Run } from '../run.ts';
import type { PreviewState } from '../view.ts';

type StateKind = PreviewState['kind'];

/** The writer and its preview: what stays the same as long as the process lives. */
export interface Writer extends Run {
  key: string;
  /**
   * Hex digits that no other step has. It tells apart the previews of one run that share a key: those of a workflow
   * that is called twice, and those of one composite action. Absent in the comments of earlier versions.
   */
  instance?: string | undefined;
  /** Hex digits that stand for the workflow file; absent in the comments of earlier versions. */
  workflow?: string | undefined;
}

export interface Marker extends Writer {
  /** 1 for the first of the previews that share a key in one run, 2 for the next. */
  slot: number;
  /** Absent in the comments of earlier versions. */
  state?: StateKind | undefined;
  /** The latest time at which the preview can be alive; absent if it ends with its job. */
  until?: Date | undefined;
}

/** The values are only words, hex and decimal digits, so that none can close the HTML comment early. */
const MARKER = /^<!-- expose-action((?: [a-z]+=[0-9a-z]+)+) -->/;

/** Every value of a field has this form. The limits are those of the numbers that GitHub and we make. */
const FIELDS: Record<string, RegExp> = {
  preview: /^[0-9a-f]{1,64}$/,
  run: /^\d{1,20}$/,
  attempt: /^\d{1,6}$/,
  instance: /^[0-9a-f]{1,32}$/,
  workflow: /^[0-9a-f]{1,64}$/,
  slot: /^[1-9]\d{0,2}$/,
  state: /^(?:starting|live|reconnecting|ended|failed)$/,
  until: /^\d{1,11}$/,
};

/** Without a slot, it is the first one. */
export function renderMarker(marker: Writer & Partial<Marker>): string {
  const { key, runId, runAttempt, instance, workflow, slot, state, until } = marker;
  const fields = {
    preview: key,
    run: runId,
    attempt: runAttempt,
    instance,
    workflow,
    slot: slot === 1 ? undefined : slot,
    state,
    until: until && Math.ceil(until.getTime() / 1000),
  };
  const shown = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  return `<!-- expose-action ${shown.join(' ')} -->`;
}

/**
 * The marker that opens a comment's body; a marker further down is a quote and does not count. Fields that a later
 * version may add are skipped.
 */
export function readMarker(body: string): Marker | undefined {
  const text = MARKER.exec(body)?.[1];
  if (text === undefined) return undefined;
  const fields = new Map(text.trim().split(' ').map(readField));
  for (const [name, value] of fields) if (FIELDS[name]?.test(value) === false) return undefined;
  const [key, runId, attempt] = [fields.get('preview'), fields.get('run'), fields.get('attempt')];
  if (key === undefined || runId === undefined || attempt === undefined) return undefined;
  const until = fields.get('until');
  return {
    key,
    runId,
    runAttempt: Number(attempt),
    instance: fields.get('instance'),
    workflow: fields.get('workflow'),
    slot: Number(fields.get('slot') ?? 1),
    state: STATES.find(state => state === fields.get('state')),
    until: until === undefined ? undefined : new Date(Number(until) * 1000),
  };
}

const STATES: readonly StateKind[] = ['starting', 'live', 'reconnecting', 'ended', 'failed'];

function readField(field: string): [name: string, value: string] {
  const at = field.indexOf('=');
  return [field.slice(0, at), field.slice(at + 1)];
}

/** Whether both markers were written by the same step. Without instances, two steps of one run cannot be told apart. */
export function isSameWriter(a: Writer, b: Writer): boolean {
  const isKnown = a.instance !== undefined && b.instance !== undefined;
  return compareRuns(a, b) === 0 && (!isKnown || a.instance === b.instance);
}

/** Whether the preview has ended or failed. Not known of earlier versions' comments, which count as alive. */
export function isOver(marker: Pick<Marker, 'state'>): boolean {
  return marker.state === 'ended' || marker.state === 'failed';
}
