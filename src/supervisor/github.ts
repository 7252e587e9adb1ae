// The supervisor's one connection to GitHub, for the reports and for what ends the preview: the limits belong to the
// token. Used by supervision, and by the post step.

import { connectGitHub, type GitHub } from '../github/api.ts';
import type { Job } from '../github/job.ts';
import type { Logger } from '../shared/log.ts';
import type { ProxyEnvironment } from '../shared/proxy.ts';
import type { SupervisorConfig } from './config.ts';

export interface SupervisorGitHub {
  connection: GitHub;
  job: Job;
}

/** Sends nothing yet. `proxy`: the job's variables that name a proxy. */
export function openGitHub(
  { job, token }: NonNullable<SupervisorConfig['github']>,
  proxy: ProxyEnvironment,
  logger: Logger,
): SupervisorGitHub {
  return { job, connection: connectGitHub({ token, apiUrl: job.apiUrl, logger, proxy }) };
}
