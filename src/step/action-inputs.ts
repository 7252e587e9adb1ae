// Reads the inputs of the action, for preview. Secrets are masked the moment they are read.

import * as core from '@actions/core';
import { type Inputs, parseInputs } from '../inputs/inputs.ts';
import type { InputSource } from '../inputs/problems.ts';
import { splitSecrets } from '../inputs/tunnel.ts';
import { listKeyTexts } from '../shared/secrets.ts';
import { readSurroundings } from './runner.ts';

/** Reads the inputs of the step that is running, and masks the secrets among them. */
export function readActionInputs(): Inputs {
  // Each on its own: where only one of them is printed, the runner would not know it.
  for (const secret of [...splitSecrets(readUntrimmed('secret')), ...readCredentials(), ...readKeyTexts()])
    if (secret !== '') core.setSecret(secret);
  const source: InputSource = name => (LISTS.has(name) ? readUntrimmed(name) : core.getInput(name));
  const { environment } = readSurroundings();
  const inputs = parseInputs(source, environment, environment.GITHUB_WORKSPACE || process.cwd());
  return environment.RUNNER_DEBUG === '1' ? { ...inputs, logLevel: 'debug' } : inputs;
}

/** The visitors' key and password, in each of the forms in which they could be printed. */
function readCredentials(): string[] {
  const basicAuth = core.getInput('basic-auth');
  const password = basicAuth.slice(basicAuth.indexOf(':') + 1);
  return [core.getInput('access-key'), basicAuth, password, Buffer.from(basicAuth).toString('base64')];
}

/** A key that was put in the wrong place is a key all the same. */
function readKeyTexts(): string[] {
  const cert = core.getInput('tls-cert');
  const misplaced = cert.includes('PRIVATE KEY') ? cert : '';
  return listKeyTexts(`${core.getInput('tls-key')}\n${misplaced}`);
}

/** Where an empty line at the ends is an entry whose variable is not set. */
const LISTS: ReadonlySet<string> = new Set(['server', 'secret']);

function readUntrimmed(name: string): string {
  return core.getInput(name, { trimWhitespace: false });
}
