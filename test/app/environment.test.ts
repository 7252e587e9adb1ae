// Which variables of the job a program gets, and how the `env` input is read.

import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  anchorCertificates,
  selectEnvironment,
  selectInstallEnvironment,
  selectWasmrunEnvironment,
} from '../../src/app/environment.ts';
import { parseEnv } from '../../src/inputs/env.ts';
import { InputError } from '../../src/shared/errors.ts';

const JOB = {
  PATH: '/bin',
  LC_ALL: 'C',
  CI: 'true',
  RUNNER_TRACKING_ID: 'github_1',
  https_proxy: 'http://proxy:1',
  NODE_EXTRA_CA_CERTS: '/ca.pem',
  GITHUB_TOKEN: 'leak',
  INPUT_SECRET: 'leak',
  ACTIONS_RUNTIME_TOKEN: 'leak',
  AWS_SECRET_ACCESS_KEY: 'leak',
  NODE_OPTIONS: 'leak',
  LD_PRELOAD: 'leak',
  WASMRUN_WASMHUB_BASE_URL: 'http://hub',
  WASMRUN_TUNNEL_SECRET: 'leak',
  CARGO_HOME: '/cargo',
  CARGO_REGISTRY_TOKEN: 'leak',
  UNSET: undefined,
};
const BASE = {
  PATH: '/bin',
  LC_ALL: 'C',
  CI: 'true',
  RUNNER_TRACKING_ID: 'github_1',
  https_proxy: 'http://proxy:1',
  NODE_EXTRA_CA_CERTS: '/ca.pem',
};

describe('the environment of a program', () => {
  it('contains only the variables of an allow-list (secrets to the child)', () => {
    expect(selectEnvironment(JOB, 'linux')).toEqual(BASE);
  });

  it('contains WASMRUN_* for wasmrun, but not its tunnel secret', () => {
    expect(selectWasmrunEnvironment(JOB, 'linux')).toEqual({
      ...BASE,
      WASMRUN_WASMHUB_BASE_URL: 'http://hub',
    });
  });

  it('contains the folder of Rust for the installation of wasmrun, but not the registry token', () => {
    expect(selectInstallEnvironment(JOB, 'linux')).toEqual({ ...BASE, CARGO_HOME: '/cargo' });
  });

  it('contains absolute paths of certificates, because programs start in other folders', () => {
    const job = {
      NODE_EXTRA_CA_CERTS: 'certs/ca.pem',
      SSL_CERT_FILE: '/etc/ca.pem',
      CURL_CA_BUNDLE: '',
      PATH: 'bin',
    };
    expect(anchorCertificates(job, '/work')).toEqual({
      ...job,
      NODE_EXTRA_CA_CERTS: resolve('/work/certs/ca.pem'),
    });
  });

  it('contains the system folders on Windows only, in upper or lower case', () => {
    const job = {
      Path: 'C:\\',
      SystemRoot: 'C:\\Windows',
      'ProgramFiles(x86)': 'C:\\x',
      ComSpec: 'cmd',
      Secret: 'leak',
    };
    expect(Object.keys(selectEnvironment(job, 'win32'))).toEqual([
      'Path',
      'SystemRoot',
      'ProgramFiles(x86)',
      'ComSpec',
    ]);
    expect(selectEnvironment(job, 'linux')).toEqual({});
  });
});

describe('parseEnv', () => {
  it('reads KEY=VALUE lines, copies bare keys, and skips empty lines and comments', () => {
    const text = 'A=1\r\n\n# note\nB=x=y \n  C=\nFROM_JOB\n__proto__=fine';
    const env = parseEnv(text, { FROM_JOB: 'copied' });
    expect(Object.entries(env)).toEqual([
      ['A', '1'],
      ['B', 'x=y '],
      ['C', ''],
      ['FROM_JOB', 'copied'],
      ['__proto__', 'fine'],
    ]);
  });

  it('reports every problem with its line and never with a value', () => {
    const text = 'A=1\nA=secret1\n2B=secret2\nsecret3 secret4\nEXPOSE_URL=secret5\nGONE\nN=se\0cret6';
    const problems = collect(text);
    expect(problems).toHaveLength(6);
    expect(problems.map(problem => /line (\d+)/.exec(problem)?.[1])).toEqual(['2', '3', '4', '5', '6', '7']);
    expect(problems.join()).not.toMatch(/secret|cret6/);
  });
});

function collect(text: string): readonly string[] {
  try {
    parseEnv(text, {});
  } catch (error) {
    if (error instanceof InputError) return error.problems;
  }
  return [];
}
