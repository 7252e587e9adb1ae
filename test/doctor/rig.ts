// Examines servers as `expose doctor` does, in this process, and a real nginx in front of them. Used by the tests of the
// doctor.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { examine } from '../../src/doctor/doctor.ts';
import type { CheckReport, ServerReport } from '../../src/doctor/report.ts';
import type { Question } from '../../src/doctor/subject.ts';
import { writeNginxConfig } from '../support/nginx-config.ts';
import { requirePart } from '../support/real-parts.ts';
import type { TestCertificate } from '../support/test-ca.ts';
import { accepts } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const DEADLINE_MS = 30_000;

/** The messages of docs/troubleshooting.md, each in its pieces between dots. */
const EXPLAINED = [
  ...readFileSync('docs/troubleshooting.md', 'utf8').matchAll(/^\| (`+) ?(.+?) ?\1 \|/gm),
].map(([, , message = '']) =>
  message
    .replaceAll('\\`', '`')
    .split('…')
    .map(piece => piece.trim()),
);

/** The ports of the tests' servers. */
export const RANGE = { min: 20_000, max: 29_999 };

export interface Examined {
  report: ServerReport;
  faults: string[];
  warnings: string[];
  find(name: CheckReport['name']): CheckReport | undefined;
}

/** The report on one server: by default that at `host`, without secret, with the range of the tests. */
export async function examineServer(
  host: string,
  { server = { host, port: 7835 }, ...rest }: Partial<Question> = {},
): Promise<Examined> {
  const [report] = await examine([
    {
      server,
      secret: undefined,
      range: RANGE,
      publicUrl: 'http://{host}:{port}',
      trustedProxy: false,
      isWebPage: true,
      signal: AbortSignal.timeout(DEADLINE_MS),
      ...rest,
    },
  ]);
  if (report === undefined) throw new Error('no report');
  const list = (status: string) =>
    report.checks.flatMap(({ messages }) =>
      messages.flatMap(one => (one.status === status ? one.message : [])),
    );
  for (const message of [...list('fault'), ...list('warning')])
    expect(isExplained(message), message).toBe(true);
  return {
    report,
    faults: list('fault'),
    warnings: list('warning'),
    find: name => report.checks.find(check => check.name === name),
  };
}

/** Whether docs/troubleshooting.md has a row for the message. */
export function isExplained(message: string): boolean {
  return EXPLAINED.some(pieces => pieces.every(piece => message.includes(piece)));
}

/** Runs nginx until the end of the test. `servers` are its `server` blocks; `certificate` is in cert.pem and key.pem. */
export async function startNginx(
  host: string,
  servers: string,
  certificate?: TestCertificate,
  port = 443,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-nginx-'));
  if (certificate !== undefined) {
    writeFileSync(join(folder, 'cert.pem'), certificate.cert);
    writeFileSync(join(folder, 'key.pem'), certificate.key);
  }
  const upgrades = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }";
  const args = writeNginxConfig(folder, `${upgrades}\n${servers}`);
  const child = spawn(requirePart('nginx'), args, { stdio: 'ignore' });
  onTestFinished(async () => {
    await end(child);
    rmSync(folder, { recursive: true, force: true });
  });
  await waitUntil(() => accepts(host, port), `nginx listens on ${host}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
