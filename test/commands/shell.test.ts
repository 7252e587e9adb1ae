// What `expose` reads from the shell's environment, and which of these variables a child process may see.

import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { readShell } from '../../src/commands/shell.ts';

it('reads secrets, user and proxy from their variables', () => {
  const shell = readShell({
    BORE_SECRET: 'one',
    EXPOSE_ACCESS_KEY: 'two',
    USERNAME: 'mona',
    https_proxy: 'http://proxy.test',
    OTHER: 'x',
  });
  expect(shell.secrets).toEqual({ secret: 'one', 'access-key': 'two', 'basic-auth': '', verify: '' });
  expect(shell.user).toBe('mona');
  expect(shell.host.proxy).toEqual({ https_proxy: 'http://proxy.test' });
});

it('does not look for the home folder, which may not exist, unless wasmrun is installed there', () => {
  expect(readShell({}).host.toolCache).toBeUndefined();
  expect(readShell({ RUNNER_TOOL_CACHE: '/tools' }).host.toolCache).toBe('/tools');
});

it('looks for sessions in RUNNER_TEMP in a job, and makes its own in the temp folder', () => {
  const shell = readShell({ RUNNER_TEMP: '/runner/temp' });
  expect([shell.sessionsFolder, shell.host.tempFolder]).toEqual(['/runner/temp', tmpdir()]);
  expect(readShell({}).sessionsFolder).toBe(tmpdir());
});

it('lets no child process see a secret, or a variable that is not on its list', () => {
  const { host } = readShell({
    PATH: '/bin',
    BORE_SECRET: 'one',
    WASMRUN_X: '1',
    CARGO_HOME: '/c',
    OTHER: 'x',
  });
  expect(host.childEnvironments).toEqual({
    program: { PATH: '/bin' },
    wasmrun: { PATH: '/bin', WASMRUN_X: '1' },
    installation: { PATH: '/bin', CARGO_HOME: '/c' },
  });
});
