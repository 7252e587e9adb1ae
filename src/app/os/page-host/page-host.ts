// The common interface of the two hosts of wasmrun's page: node.ts, a process of Node.js, and browser.ts, a headless
// Chrome. Used by os.ts.

import { AppError } from '../../../shared/errors.ts';
import type { ProgramContext } from '../../program.ts';
import type { PageMessage } from './page-message.ts';

export interface PageHostOptions {
  /** The address of wasmrun's page: `http://127.0.0.1:PORT/`. */
  url: string;
  context: ProgramContext;
  onMessage: (message: PageMessage) => void;
}

/** A page on which Run was pressed. */
export interface PageHost {
  readonly pid: number;
  /** Resolves, never rejects, with how the host ended: `the page host ended by signal SIGKILL`. */
  readonly ended: Promise<string>;
  /** Resolves when all its processes are gone; may be called twice. */
  stop(): Promise<void>;
}

/** The page cannot be started in this host; another host may work. */
export class PageHostError extends AppError {
  constructor(message: string, options: ErrorOptions & { lastLines?: readonly string[] } = {}) {
    super(message, { ...options, restartable: false });
    this.name = 'PageHostError';
  }
}

/** Page and script are 90 KB from loopback, and start within a second; a busy machine may need longer. */
export const PAGE_TIMEOUT_MS = 30_000;

/** The few variables a host needs: system folders on Windows, and the mark by which the runner finds what is left. */
export function selectHostEnvironment(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => /^(SYSTEMROOT|WINDIR|RUNNER_TRACKING_ID)$/i.test(name)),
  );
}
