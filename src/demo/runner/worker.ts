// Plays the runner's worker: runs one job's main and post, and removes its folder. When the demo is gone it cancels the
// job, as a runner does when GitHub tells it to. Used by the program demo-runner.

import { cpSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { removeFolder } from '../../shared/folders.ts';
import { reapJournal } from '../../supervisor/process-journal.ts';
import { sessionFiles } from '../../supervisor/session-folder.ts';
import { type Entry, Job, type StepResult } from './job.ts';
import { type JobPlan, type News, type Order, OrderSchema } from './messages.ts';

/** The action looks for an ancestor of this name, and ends the preview when it is gone. Linux shows it. */
const TITLE = 'Runner.Worker';
/** How long the processes may take to end on `leave`. */
const LEAVE_MS = 500;

/** Waits for orders; the process ends after the job. */
export function startWorker(): void {
  process.title = TITLE;
  let job: Job | undefined;
  let over = Promise.resolve();
  let demoFolder: string | undefined;
  const obey = (order: Order) => {
    switch (order.order) {
      case 'run':
        job = new Job({ ...order.plan, onText: (entry, text) => tell({ news: 'text', entry, text }) });
        demoFolder = order.plan.tempFolder;
        over = runJob(job, order.plan).then(() => {
          if (!process.connected) return;
          // The demo is there, and still needs its folder. The channel would keep this process alive.
          demoFolder = undefined;
          process.disconnect();
        });
        break;
      case 'cancel':
        void job?.cancel();
        break;
      case 'leave':
        if (job) void leave(job);
    }
  };
  process.on('message', message => obey(v.parse(OrderSchema, message)));
  process.once('disconnect', () => {
    void job?.cancel();
    void over.finally(() => {
      if (demoFolder !== undefined) removeEmptyFolder(demoFolder);
      process.exit();
    });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void job?.cancel());
}

async function runJob(job: Job, plan: JobPlan): Promise<void> {
  for (const [target, source] of Object.entries(plan.checkout))
    cpSync(source, join(job.workspace, target), { recursive: true });
  tell({ news: 'started', temp: job.temp });
  report(job, 'main', await job.main());
  report(job, 'post', await job.post());
  await removeFolder(job.folder);
  tell({ news: 'done' });
}

/** All that a demo that was killed has left. */
function removeEmptyFolder(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Not empty, or removed by the demo.
  }
}

function report(job: Job, entry: Entry, { code }: StepResult): void {
  tell({ news: 'ended', entry, code, outputs: job.outputs, summary: job.summary });
  job.summary = '';
}

/** A second Ctrl-C: no post step, and nobody is waited for. */
async function leave(job: Job): Promise<void> {
  job.signal('SIGKILL');
  const folders = readdirSync(job.temp).filter(name => name.startsWith('expose-'));
  await Promise.all(
    folders.map(folder => reapJournal(sessionFiles(join(job.temp, folder)).journal, LEAVE_MS)),
  );
  await removeFolder(job.folder);
  process.exit();
}

/** Nobody may listen any more. */
function tell(news: News): void {
  if (process.connected) process.send?.(news, undefined, {}, () => {});
}
