// The conformance suite for HTTP/2 against the gateway, through TLS.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openDoor } from '../../support/gateway-door.ts';
import { describeWithReal, requirePart } from '../../support/real-parts.ts';
import { TestCa } from '../../support/test-ca.ts';

/** Section and number in h2spec → why the failure is correct. nghttp2 decides all of them. */
const KNOWN: Readonly<Record<string, string>> = {
  // RFC 9113, 5.1: an endpoint may ignore frames on streams it has closed, or forgotten.
  'http2/5.1/8': 'DATA after our RST_STREAM is ignored',
  'http2/5.1/9': 'HEADERS after our RST_STREAM are ignored',
  'http2/5.1/11': 'DATA on a closed stream is ignored',
  'http2/5.1/12': 'HEADERS on a closed stream are ignored',
  // Only if the answer is sent before the DATA comes: otherwise the stream is half closed, and the case passes.
  'http2/6.1/2': 'DATA on a closed stream is ignored',
  'http2/5.1.1/2': 'HEADERS with a smaller number are ignored, as those of a closed stream',
  // RFC 9113, 5.3.2 removed priorities: their frames are ignored.
  'http2/5.3.1/2': 'PRIORITY that depends on itself is ignored',
  'http2/6.3/1': 'PRIORITY of stream 0 is ignored',
  // nghttp2 is stricter than the suite: it ends the connection where the suite expects an answer.
  'http2/6.7/2': 'an acknowledgement without a ping ends the connection',
  'http2/6.9.1/3': 'a stream’s window beyond its limit ends the connection',
};

describeWithReal(['h2spec'], 'h2spec', () => {
  it('finds only the known deviations', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'h2spec-'));
    const ca = new TestCa();
    const app = createServer((request, response) => {
      request.resume().on('end', () => response.end('hello from the app'));
    }).listen(0, '127.0.0.1');
    await once(app, 'listening');
    const door = await openDoor((app.address() as AddressInfo).port, { tls: ca.issue(['DNS:localhost']) });
    onTestFinished(async () => {
      await door.stop();
      app.closeAllConnections();
      app.close();
      ca.remove();
      rmSync(folder, { recursive: true });
    });
    const report = join(folder, 'report.xml');
    const args = ['-h', 'localhost', '-p', `${door.port}`, '-t', '-k', '-o', '1', '-j', report];
    // Its exit code is 1 if a case failed.
    await new Promise(resolve => execFile(requirePart('h2spec'), args, resolve));
    const { passed, failed } = readReport(readFileSync(report, 'utf8'));
    expect(failed.filter(name => KNOWN[name] === undefined)).toEqual([]);
    expect(passed).toBeGreaterThanOrEqual(135);
  });
});

/** The cases of its JUnit report, by section and number in the section. */
function readReport(xml: string): { passed: number; failed: string[] } {
  const failed: string[] = [];
  let passed = 0;
  for (const [, suite = ''] of xml.matchAll(/<testsuite ([\s\S]*?<\/testsuite>)/g)) {
    const section = /package="([^"]+)"/.exec(suite)?.[1] ?? '';
    const cases = [...suite.matchAll(/<testcase ([\s\S]*?)<\/testcase>/g)];
    for (const [index, [, text = '']] of cases.entries())
      if (/<(?:failure|error)/.test(text)) failed.push(`${section}/${index + 1}`);
      else passed += 1;
  }
  return { passed, failed };
}
