// The one interface of the two hosts of wasmrun's page: a process of Node.js, or a headless Chrome.

import { AppError } from '../../../shared/errors.ts';
import type { ProgramContext } from '../../program.ts';
import type { PageMessage } from './page-message.ts';

export interface PageHostOptions {
  /** Of wasmrun's page: `http://127.0.0.1:PORT/`. */
  url: string;
  context: ProgramContext;
  onMessage: (message: PageMessage) => void;
}

/** A page on which Run was pressed. */
export interface PageHost {
  readonly pid: number;
  /** Resolves, never rejects, with the reason of the host's end: `the page host ended by signal SIGKILL`. */
  readonly ended: Promise<string>;
  /** Resolves when all its processes are gone; may be called twice. */
  stop(): Promise<void>;
}

/** The page cannot be brought up in this host; another host may work. */
export class PageHostError extends AppError {
  constructor(message: string, options: ErrorOptions & { lastLines?: readonly string[] } = {}) {
    super(message, { ...options, restartable: false });
    this.name = 'PageHostError';
  }
}

/** Page and script are 90 KB from loopback and up within a second; this is a busy machine's share. */
export const PAGE_TIMEOUT_MS = 30_000;

/** The little environment a host needs: a system folder on Windows, and the mark by which a runner finds its own. */
export function selectHostEnvironment(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => /^(SYSTEMROOT|WINDIR|RUNNER_TRACKING_ID)$/i.test(name)),
  );
}
