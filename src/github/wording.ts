// Sentences about missing permissions, and about who can open a preview. Used by step/report-target,
// report-queue.ts and pull-request-watch.ts.

import { describeError } from '../shared/errors.ts';
import { GitHubError } from './api.ts';
import type { Job } from './job.ts';
import type { Visibility } from './pull-request.ts';

/** What the token is used for. */
export type Feature = 'comment' | 'deployment' | 'pull request lookup' | 'pull request watch';

const PERMISSIONS: Record<Feature, { does: string; line: string }> = {
  comment: { does: 'comment on the pull request', line: 'pull-requests: write' },
  deployment: { does: 'create a deployment', line: 'deployments: write' },
  'pull request lookup': { does: 'find the pull request', line: 'pull-requests: read' },
  'pull request watch': {
    does: 'see whether the pull request is closed or changed, which would end the preview',
    line: 'pull-requests: read',
  },
};

/** A warning in one line: GitHub's message and, if a permission is missing, the two lines of YAML that give it. */
export function describeReportFailure(feature: Feature, error: unknown): string {
  const { does, line } = PERMISSIONS[feature];
  if (!(error instanceof GitHubError)) return `could not ${does}: ${describeError(error)}`;
  // Without its cause, which is not sanitised; the message says the same.
  const problem = `could not ${does}: ${error.message}`;
  const advice = `two lines to the job: "permissions:", and indented below it "${line}"`;
  if (error.lacksPermission) return `${problem}. The token lacks the permission: add ${advice}`;
  // To a token that may not see something, GitHub says that it does not exist.
  if (error.status === 404) return `${problem}. If the token lacks the permission, add ${advice}`;
  return error.status === 401 ? `${problem}. The token is wrong, or not valid any more` : problem;
}

/** The warning about a number that GitHub does not know, or does not show to this token. */
export function describeUnknownNumber(number: number, { repository }: Job, error: GitHubError): string {
  return (
    `there is no comment: \`pr-number\` is ${number}, but ${repository.owner}/${repository.name} has no pull request with ` +
    `that number, or the token may not read it: ${error.message}`
  );
}

/** How visitors get access. `given key`: the workflow's own key, which is never shown. */
export const ACCESSES = ['open', 'link', 'given key', 'basic'] as const;
export type Access = (typeof ACCESSES)[number];

/** What a visitor needs apart from the link; undefined if the link is enough. */
export function describeEntry(access: Access): string | undefined {
  if (access === 'given key') return 'It asks for a key: the author of the workflow has it.';
  if (access === 'basic') return 'It asks for a user and a password: the author of the workflow has them.';
  return undefined;
}

/** The warning for previews that show more than the repository does; undefined if they do not. */
export function describeOpenWarning(access: Access, visibility: Visibility): string | undefined {
  if (visibility === 'public') return undefined;
  if (access === 'open') return 'Anyone with the address can open this preview, and port scans can find it.';
  if (access === 'link') return 'Anyone with the link can open this preview.';
  return undefined;
}
