// Runs the action's step as the runner does, and times what people see in the job's log. Used by cases/start.ts and
// cases/os-mode.ts.

import { RunnerJob } from '../../test/support/runner.ts';
import { PORT_RANGE, SECRET } from './bore-server.ts';

export interface StepTimes {
  /** Milliseconds from the start of the process to its first line in the log. */
  firstLineMs: number;
  /** Milliseconds from the start of the process to the line with the URL. */
  announcedMs: number;
}

/** Runs main, which announces the preview, and post, which ends it. No request goes to GitHub. */
export async function timeStep(
  server: string,
  inputs: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>> = {},
): Promise<StepTimes> {
  let firstLineAt: number | undefined;
  let announcedAt: number | undefined;
  const job = new RunnerJob({
    inputs: { ...COMMON, server, ...inputs },
    environment,
    onText: (entry, text) => {
      if (entry !== 'main') return;
      firstLineAt ??= performance.now();
      if (text.includes('Preview: http')) announcedAt ??= performance.now();
    },
  });
  try {
    const began = performance.now();
    const { log } = await job.main();
    await job.post();
    if (firstLineAt === undefined || announcedAt === undefined)
      throw new Error(`the step announced no URL:\n${log}`);
    return { firstLineMs: firstLineAt - began, announcedMs: announcedAt - began };
  } finally {
    job.remove();
  }
}

const COMMON = {
  secret: SECRET,
  access: 'open',
  comment: 'false',
  deployment: 'false',
  'port-range': `${PORT_RANGE.min}-${PORT_RANGE.max}`,
};
