// What the demo's page shows, as JSON: the server sends all of it when something has changed, and the lines of the log
// one by one. Shared by the server and the page.

import type { LogLine } from '../runner/log.ts';

export interface PullRequest {
  repository: string;
  number: number;
  title: string;
  author: string;
  branch: string;
  base: string;
  commit: string;
  body: string;
}

export interface Comment {
  id: number;
  author: string;
  /** Oldest first; the last is what GitHub shows. */
  versions: readonly { body: string; at: string }[];
}

export interface Deployment {
  id: number;
  environment: string;
  state: string;
  url?: string;
}

export type Conclusion = 'success' | 'failure' | 'cancelled';

/** One run of the workflow. `main` and `post` are the two steps of the action. */
export interface Run {
  number: number;
  phase: 'main' | 'post' | 'over';
  startedAt: string;
  endedAt?: string;
  conclusion?: Conclusion;
  /** Markdown of the step summary, once the step has ended. */
  summary?: string;
}

/** Of the preview, as its control API tells it. */
export interface Preview {
  mode: string;
  phase: 'starting' | 'live' | 'ended' | 'failed';
  status: string;
  url?: string;
  link?: string;
  inspector?: string;
  visits: number;
  reconnects: number;
}

export interface Server {
  address: string;
  isUp: boolean;
  /** While it is down. */
  cutAt?: string;
  backAt?: string;
}

/** A webhook that the demo sent, in the place of GitHub. */
export interface Delivery {
  number: number;
  at: string;
  isSigned: boolean;
  /** The HTTP status, or what went wrong. */
  answer?: number | string;
}

/** A request that the preview recorded. */
export interface Recorded {
  id: number;
  at: string;
  method: string;
  target: string;
  status?: number;
  /** The provider whose signature is right. */
  verified?: string;
  /** Why it did not reach the app. */
  refusal?: string;
}

export interface Documents {
  pull: PullRequest;
  /** How the app runs, in one sentence. */
  app: string;
  comments: readonly Comment[];
  deployments: readonly Deployment[];
  run: Run;
  preview?: Preview;
  server: Server;
  events: readonly { at: string; text: string }[];
  deliveries: readonly Delivery[];
  recorded: readonly Recorded[];
  /** The demo has ended: nothing here changes any more. */
  isOver: boolean;
}

/** A line of the log, numbered from 0 in each run. */
export interface NumberedLine extends LogLine {
  run: number;
  index: number;
}

export const ACTIONS = ['cut', 'restore', 'end', 'cancel', 'again', 'signed', 'unsigned'] as const;
/** What the page's buttons do. */
export type Action = (typeof ACTIONS)[number];
