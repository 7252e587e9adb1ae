// The identity of a preview, which stays the same from run to run. own-comment.ts finds the preview's comment by it, so
// that several previews of one pull request never edit each other's comments. Used by the step.

import { createHash } from 'node:crypto';
import type { Job } from './job.ts';
import { readSubject } from './pull-request.ts';

/** `key`: 32 hex digits, the same for every run of the same step. `name`: what people see. */
export interface PreviewIdentity {
  key: string;
  name: string;
}

/** 128 bits: no two previews of a repository share a key by chance. */
const KEY_DIGITS = 32;
/** 64 bits: a repository has few workflows. */
const WORKFLOW_DIGITS = 16;

/** Makes the identity from workflow file, job, step, matrix leg and name; the name defaults to `job (value, value)`. */
export function identifyPreview(job: Job, name: string | undefined): PreviewIdentity {
  const workflow = readWorkflowFile(job);
  const leg = isRecord(job.matrix) ? job.matrix : {};
  const shown = name?.trim() || renderJobName(job.jobId, leg);
  const parts = [workflow, job.jobId, job.stepId, sortKeys(leg), shown];
  return { key: hash(JSON.stringify(parts), KEY_DIGITS), name: shown };
}

/** Hex digits that stand for the workflow file that was started; for a called workflow, that is its caller. */
export function identifyWorkflow(job: Job): string {
  return hash(readWorkflowFile(job), WORKFLOW_DIGITS);
}

/**
 * The text from which the preview's public address is derived: repository, pull request or branch, and the preview's
 * key. Sends no request to GitHub, because a missing answer must not change the address.
 */
export function identifyAddress(job: Job, { key }: PreviewIdentity, number: number | undefined): string {
  const { owner, name } = job.repository;
  return JSON.stringify([owner, name, number ?? readSubject(job), key]);
}

/** Whether a job may have more previews like this one: the name or the matrix tells them apart. */
export function isOneOfSeveral(job: Job, name: string | undefined): boolean {
  return Boolean(name?.trim()) || (isRecord(job.matrix) && Object.keys(job.matrix).length > 0);
}

/** Without the branch. */
function readWorkflowFile(job: Job): string {
  return job.workflowRef.split('@')[0] ?? '';
}

function hash(text: string, digits: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits);
}

/** As GitHub shows it in the list of checks: `test (ubuntu, 24)`. */
function renderJobName(jobId: string, leg: Record<string, unknown>): string {
  const values = Object.values(leg).map(value => (typeof value === 'string' ? value : JSON.stringify(value)));
  const job = jobId || 'preview';
  return values.length === 0 ? job : `${job} (${values.join(', ')})`;
}

/** Sorts the keys, so that their order does not change the identity. */
function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, sortKeys(inner)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
