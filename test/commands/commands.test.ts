// Help and wrong usage of every command, called as cli calls it. Tests that need a process of their own are in
// e2e/cli.test.ts.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runPrinting } from '../support/run-command.ts';

const NAMES = ['demo', 'run', 'doctor', 'server', 'url', 'status', 'requests', 'wait', 'replay', 'stop'];
const SITE = resolve('examples/web-hello');
const SECRET = 'a-secret-of-the-bore-server';

let temp: string;
beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'commands-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(temp, { recursive: true });
});

/** Runs a command to its end in this process, and keeps what it prints. */
async function expose(args: readonly string[]) {
  return runPrinting(args, temp);
}

describe('help', () => {
  it.each(NAMES)('of %s goes to standard output, with exit code 0, in at most 80 columns', async name => {
    const { code, out, err } = await expose([name, '--help']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(new RegExp(`^Usage: expose ${name}\\b[^]*?\\n\\n[A-Z].*\\.\\n`));
    expect(out).toContain('--json');
    expect(out).not.toMatch(/[ \t]$|.{81}/m);
  });

  it.each(['--help', '-h', 'help'])('lists every command: %s', async word => {
    const { code, out } = await expose([word]);
    expect(code).toBe(0);
    for (const name of NAMES) expect(out).toMatch(new RegExp(`^ {2}${name} +[A-Z]`, 'm'));
  });

  it('names every flag of run', async () => {
    const { out } = await expose(['run', '--help']);
    for (const flag of 'mode port command args env vm protocol server remote-port port-range public-url access public-paths max-body name duration secret-file access-key-file basic-auth-file'.split(
      ' ',
    ))
      expect(out).toMatch(new RegExp(`^ {2}--${flag} [A-Z]`, 'm'));
  });
});

it('--version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(await expose(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
});

describe('wrong usage', () => {
  it.each<[string, string[], string | RegExp]>([
    ['an unknown command', ['bogus'], /^expose: there is no command 'bogus'\n\nUsage: /],
    ['an unknown flag', ['run', '--hold'], 'expose run: there is no flag --hold; see --help\n'],
    [
      'a flag without its value',
      ['run', '--server'],
      /^expose run: .*--server.* argument missing; see --help\n$/,
    ],
    ['two paths', ['run', 'a', 'b'], "expose run: unexpected argument 'b'; see --help\n"],
    ['replay without an id', ['replay'], /^expose replay: which request\? Give its id/],
    ['replay of no id', ['replay', 'last'], /^expose replay: 'last' is not the id of a request/],
    ['an argument for demo', ['demo', 'x'], "expose demo: unexpected argument 'x'; see --help\n"],
    ...[
      ['secret', 'BORE_SECRET'],
      ['access-key', 'EXPOSE_ACCESS_KEY'],
      ['basic-auth', 'EXPOSE_BASIC_AUTH'],
    ].map(
      ([flag = '', variable]) =>
        [
          `--${flag} in the arguments`,
          ['run', `--${flag}`, SECRET],
          new RegExp(`^expose run: a secret .*${variable}.*--${flag}-file`),
        ] as [string, string[], RegExp],
    ),
    [
      'a secret file that does not exist',
      ['run', SITE, '--secret-file', '/nowhere'],
      /^expose run: --secret-file \/nowhere cannot/,
    ],
    [
      'a port that is not a number',
      ['server', '--port', 'x'],
      /^expose server: `--port` is 'x': write a whole number/,
    ],
    [
      'a reversed range',
      ['server', '--min-port', '9', '--max-port', '8'],
      /--min-port 9 is above --max-port 8/,
    ],
    ['no session', ['status'], /^expose status: nothing is exposed here .*: start it first\n$/],
    ['an unknown session', ['stop', '--session', 'x'], /^expose stop: no exposure is called 'x' here/],
  ])('with %s ends with exit code 2 and one message', async (_, args, message) => {
    const { code, out, err } = await expose(args);
    if (typeof message === 'string') expect(err).toBe(message);
    else expect(err).toMatch(message);
    expect(out + err).not.toContain(SECRET);
    expect(code).toBe(2);
  });

  it.each([
    ['--cross-origin-isolation', []],
    ['--cross-origin-isolation=credentialless', []],
    ['--cross-origin-isolation=maybe', [/^expose run: `cross-origin-isolation` is 'maybe'/]],
  ] as const)('%s is understood without and with a value', async (flag, messages) => {
    const { err } = await expose(['run', SITE, flag, '--vm', 'foo']);
    expect(err.trim().split('\n')).toEqual([
      expect.stringMatching(/^expose run: `vm` is 'foo'/),
      ...messages.map(message => expect.stringMatching(message)),
    ]);
  });

  it('with several wrong flags names each of them on a line', async () => {
    const { code, err } = await expose(['run', '/nowhere', '--server', 'http://x', '--vm', 'foo']);
    expect(code).toBe(2);
    expect(err.trim().split('\n')).toEqual([
      expect.stringMatching(/^expose run: path: \/nowhere does not exist/),
      expect.stringMatching(/^expose run: `vm` is 'foo': write one of auto, node, browser/),
      expect.stringMatching(/^expose run: `server` 'http:\/\/x' is not an address/),
    ]);
  });
});
