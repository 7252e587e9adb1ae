// The `wait` action: waits for requests, shows how far it is, and hands them to later steps as outputs. Used by the
// program wait.

import * as core from '@actions/core';
import { awaitRequests, renderProgress, WaitError, type WaitOrder } from '../control/wait/client.ts';
import type { WaitProgress, WaitResult } from '../control/wait/messages.ts';
import { renderCount } from '../shared/count.ts';
import { cutQuery } from '../shared/http-message.ts';
import type { RequestMessage } from '../shared/request-json.ts';
import { renderJson, sanitise } from '../shared/sanitise.ts';
import { chooseSession, isRunning, listSessions, type Session } from '../supervisor/session-folder.ts';
import { readTempFolder, readWaitInputs } from './job-environment.ts';
import { print } from './print.ts';

/** Often enough to see that the step is alive, and no more lines than can be read. */
const PROGRESS_MS = 30_000;

/**
 * The longest output. A later step gets outputs as environment variables, and Linux starts no program with one that has
 * more than 128 KiB (MAX_ARG_STRLEN, execve(2)): the step would fail with "Argument list too long".
 */
const MAX_OUTPUT_BYTES = 120_000;

export async function runWait(): Promise<void> {
  const { session: wanted, ...order } = readWaitInputs();
  const tempFolder = readTempFolder();
  // If the preview was skipped (in a pull request of a fork), this step must not fail.
  if (wanted === undefined && listSessions(tempFolder).length === 0) {
    setOutputs({ requests: [], count: 0, last_id: 0 });
    print.notice('nothing is exposed in this job, so there is no request to wait for');
    return;
  }
  const found = chooseSession(tempFolder, wanted);
  if (!isRunning(found)) throw new Error(`${found.session.name} has ended, so no request can come`);
  const result = await awaitWithProgress(found.session, order);
  print.group(`${renderCount(result.count, 'request')} came`, result.requests.map(renderRequest));
  setOutputs(result);
}

async function awaitWithProgress(session: Session, order: WaitOrder): Promise<WaitResult> {
  const begun = performance.now();
  let latest: WaitProgress | undefined;
  const report = () => {
    if (latest !== undefined) print.info(renderProgress(order, latest, performance.now() - begun));
  };
  const timer = setInterval(report, PROGRESS_MS);
  try {
    return await awaitRequests(session, order, progress => {
      const isFirst = latest === undefined;
      latest = progress;
      if (isFirst) report();
    });
  } catch (error) {
    if (error instanceof WaitError) core.setOutput('count', error.failure.matched);
    throw error;
  } finally {
    clearInterval(timer);
  }
}

function setOutputs({ requests, count, last_id }: Pick<WaitResult, 'requests' | 'count' | 'last_id'>): void {
  const [first] = requests;
  core.setOutput('requests', renderRequests(requests));
  core.setOutput('body', renderBody(first));
  core.setOutput('headers', renderJson(joinHeaders(first?.headers ?? [])));
  core.setOutput('count', count);
  core.setOutput('last-id', last_id);
}

/** With as much of each request as fits into an output. */
function renderRequests(requests: readonly RequestMessage[]): string {
  const whole = renderJson(requests);
  if (fits(whole)) return whole;
  const withoutBodies = requests.map(request => ({ ...request, body: null, body_encoding: null }));
  print.warning(
    `the requests are too long for an output: their bodies are left out of \`requests\`; ${describeWhole(requests)}`,
  );
  const short = renderJson(withoutBodies);
  return fits(short) ? short : renderJson(withoutBodies.map(request => ({ ...request, headers: [] })));
}

function renderBody(request: RequestMessage | undefined): string {
  const body = request?.body ?? '';
  if (request === undefined || fits(body)) return body;
  print.warning(
    `the body of request ${request.id} has ${request.body_bytes} bytes, which is too long for an output: \`body\` is empty; ${describeWhole([request])}`,
  );
  return '';
}

function fits(text: string): boolean {
  return Buffer.byteLength(text) <= MAX_OUTPUT_BYTES;
}

/** How a later step gets what an output cannot hold. */
function describeWhole(requests: readonly RequestMessage[]): string {
  const [only, ...others] = requests;
  return others.length === 0 && only !== undefined
    ? `\`expose requests ${only.id} --json\` prints it`
    : '`expose requests --json` prints them';
}

/** One value for each name: those of a field that came several times are joined as RFC 9110, 5.2 allows. */
function joinHeaders(headers: RequestMessage['headers']): Record<string, string> {
  const joined = new Map<string, string>();
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    const before = joined.get(key);
    joined.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return Object.fromEntries(joined);
}

/** Without its query and its body, which may hold what a public log must not show. */
function renderRequest({ id, method, target, status, body_bytes, verified }: RequestMessage): string {
  const path = sanitise(cutQuery(target));
  const parts = [
    status === null ? 'no answer' : `→ ${status}`,
    renderCount(body_bytes, 'byte'),
    ...(verified === null ? [] : [`signed (${verified})`]),
  ];
  return `${id} ${sanitise(method, 20)} ${path} ${parts.join(', ')}`;
}
