// Reads the inputs of the action, and masks the secrets among them at once. Used by preview.

import * as core from '@actions/core';
import { type Inputs, parseInputs } from '../inputs/inputs.ts';
import type { InputSource } from '../inputs/problems.ts';
import { splitSecrets } from '../inputs/tunnel.ts';
import { listRuleSecrets } from '../inputs/webhooks.ts';
import { listKeyTexts } from '../shared/secrets.ts';
import { limitToJob } from './job-limit.ts';
import type { Machine } from './machine.ts';

/** Reads and checks all inputs of the step. Throws an InputError. */
export function readActionInputs(machine: Machine): Inputs {
  const { variables, workspace, isDebug } = machine;
  // One by one: the runner masks only the exact texts that it gets, and each of these could be printed alone.
  for (const secret of [
    ...splitSecrets(readUntrimmed('secret')),
    ...readCredentials(),
    ...readKeyTexts(),
    ...listRuleSecrets(readUntrimmed('verify')),
  ])
    if (secret !== '') core.setSecret(secret);
  const source: InputSource = name => (LISTS.has(name) ? readUntrimmed(name) : core.getInput(name));
  const inputs = limitToJob(parseInputs(source, variables, workspace), machine, new Date());
  return isDebug ? { ...inputs, logLevel: 'debug' } : inputs;
}

/** The visitors' key and password, in each form in which they could be printed. */
function readCredentials(): string[] {
  const basicAuth = core.getInput('basic-auth');
  const password = basicAuth.slice(basicAuth.indexOf(':') + 1);
  return [core.getInput('access-key'), basicAuth, password, Buffer.from(basicAuth).toString('base64')];
}

/** The private key, even if it is in the input for the certificate by mistake. */
function readKeyTexts(): string[] {
  const cert = core.getInput('tls-cert');
  const misplaced = cert.includes('PRIVATE KEY') ? cert : '';
  return listKeyTexts(`${core.getInput('tls-key')}\n${misplaced}`);
}

/** These lists are read untrimmed, because an empty first or last line means an unset variable. */
const LISTS: ReadonlySet<string> = new Set(['server', 'secret']);

function readUntrimmed(name: string): string {
  return core.getInput(name, { trimWhitespace: false });
}
