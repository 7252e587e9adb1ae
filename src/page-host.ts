// Entry of the page host's process: `node page-host.js http://127.0.0.1:PORT/`. Reports to its parent in lines of
// JSON on stdout; text that is too long for one line is sent in pieces.

import { runNodePage } from './app/os/page-host/node-page.ts';
import type { PageMessage } from './app/os/page-host/page-message.ts';

/** The reader takes lines of 16,384 characters, and JSON may write one character as six. */
const MAX_TEXT_LENGTH = 2_048;

function report(message: PageMessage): void {
  if (message.type !== 'stdout' && message.type !== 'stderr') write(message);
  else
    for (let at = 0; at < message.text.length; at += MAX_TEXT_LENGTH)
      write({ type: message.type, text: message.text.slice(at, at + MAX_TEXT_LENGTH) });
}

function write(message: PageMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function fail(error: unknown): void {
  write({
    type: 'page-error',
    message: (error instanceof Error ? (error.stack ?? error.message) : String(error)).slice(
      0,
      MAX_TEXT_LENGTH,
    ),
  });
  process.exit(1);
}

// A browser only logs a rejection that nothing handles.
process.on('unhandledRejection', reason => process.stderr.write(`${String(reason)}\n`));
process.on('uncaughtException', fail);
// The parent is gone.
process.stdout.on('error', () => process.exit(1));
runNodePage(process.argv[2] ?? '', report).catch(fail);
