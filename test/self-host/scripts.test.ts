// Every shell script of self-host/, by shellcheck.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWithReal, requirePart } from '../support/real-parts.ts';

const scripts = readdirSync('self-host', { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile())
  .map(entry => join(entry.parentPath, entry.name))
  .filter(file => /^#!.*\b(ba|da)?sh\n/.test(readFileSync(file, 'utf8')));

describeWithReal(['shellcheck'], 'the shell scripts of self-host', () => {
  it('are found by this test', () => {
    expect(scripts).toContain('self-host/health-check');
  });

  it.each(scripts.map(script => [script]))('%s has no fault that shellcheck can see', script => {
    execFileSync(requirePart('shellcheck'), [script], { stdio: 'pipe' });
  });
});
