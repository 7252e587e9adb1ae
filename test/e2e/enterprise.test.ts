// The built action at an Enterprise server: its API is below a path, its GraphQL API below another, its certificate is of
// a company's own authority, and its pages are not on github.com. Main, the background process and post all reach it.

import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { TestCa } from '../support/test-ca.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { awaitFree, awaitGone, createPreview, goLive, type Preview, SECRET } from './job-rig.ts';

/** The file with the authority's certificate, in the workspace. */
const CA_FILE = 'company-ca.pem';

/** An Enterprise server in front of the server that plays GitHub. */
async function startEnterprise(ca: TestCa) {
  const asked: string[] = [];
  let target = '';
  const front = createServer(ca.issue(['IP:127.0.0.1']), (incoming, response) => {
    const { url = '', method, headers } = incoming;
    asked.push(`${method} ${url}`);
    const path = url.replace(/^\/api\/v3(?=\/)/, '').replace(/^\/api\/graphql$/, '/graphql');
    if (path === url) return void response.writeHead(404).end('<html>Page not found</html>');
    const onward = request(new URL(path, target), { method, headers }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(onward);
  });
  await once(front.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    front.closeAllConnections();
    front.close();
  });
  const { port } = front.address() as AddressInfo;
  const leadTo = (url: string) => {
    target = url;
  };
  return { apiUrl: `https://127.0.0.1:${port}/api/v3`, asked, leadTo };
}

/** A job at an Enterprise server. Its event does not say whether the repository is public, so that main asks. */
async function createJob(server: string, environment: Record<string, string>) {
  const ca = new TestCa();
  onTestFinished(() => ca.remove());
  const enterprise = await startEnterprise(ca);
  const preview = await createPreview(
    { server, deployment: 'true' },
    { 'index.html': 'the preview' },
    { GITHUB_API_URL: enterprise.apiUrl, GITHUB_SERVER_URL: 'https://github.inside.test/', ...environment },
    undefined,
    null,
  );
  enterprise.leadTo(preview.github.url);
  copyFileSync(ca.file, join(preview.job.workspace, CA_FILE));
  return { enterprise, preview };
}

async function kill(preview: Preview, url: string): Promise<void> {
  const records = preview.processes();
  process.kill(preview.find('supervisor').pid, 'SIGKILL');
  await awaitFree(url);
  expect((await preview.job.post()).code).toBe(0);
  await awaitGone(records);
}

describeWithReal(['bore'], 'an Enterprise server with a certificate of its own authority', () => {
  it('is used by main, by the background process and by post, if NODE_EXTRA_CA_CERTS names the authority', async () => {
    const host = '127.0.4.218';
    await startRealServer(host, { secret: SECRET });
    // A relative path: the background process has another working directory.
    const { enterprise, preview } = await createJob(host, { NODE_EXTRA_CA_CERTS: CA_FILE });
    const { comments, deploymentList } = preview.github.state;
    const url = await goLive(preview);
    expect(enterprise.asked).toContain('GET /api/v3/repos/octo/app');
    await waitUntil(() => preview.titles().includes('is live'), 'the comment has the link');
    await waitUntil(() => deploymentList[0]?.statuses.at(-1)?.state === 'success', 'it is deployed');
    const pages = 'https://github.inside.test/octo/app';
    expect(comments[0]?.body).toContain(`](<${pages}/commit/${'a'.repeat(40)}>)`);
    expect(comments[0]?.body).toContain(`](<${pages}/actions/runs/100/attempts/1>)`);
    expect(deploymentList[0]?.statuses[0]?.logUrl).toBe(`${pages}/actions/runs/100/attempts/1`);
    await kill(preview, url);
    expect(preview.titles().at(-1)).toBe('failed');
    expect(deploymentList[0]?.statuses.at(-1)?.state).toBe('inactive');
    expect(comments).toHaveLength(1);
    // Post finds the comment by its author, whom it asks for.
    expect(enterprise.asked).toContain('POST /api/graphql');
    expect(enterprise.asked.filter(line => !/^[A-Z]+ \/api\/(v3\/|graphql$)/.test(line))).toEqual([]);
  });

  it('is not reached otherwise, and the warning says what to set', async () => {
    const host = '127.0.4.219';
    await startRealServer(host, { secret: SECRET });
    const { enterprise, preview } = await createJob(host, {});
    const url = await goLive(preview);
    expect(enterprise.asked).toEqual([]);
    const log = join(preview.folder(), 'expose.log');
    const isWarned = () => /could not create a deployment/.test(readFileSync(log, 'utf8'));
    await waitUntil(isWarned, 'there is a warning');
    const warnings = readFileSync(log, 'utf8')
      .split('\n')
      .filter(line => /warn/i.test(line));
    expect(warnings.toSorted()).toEqual([
      expect.stringMatching(
        /could not comment on the pull request: .*certificate.*; set NODE_EXTRA_CA_CERTS to a file/,
      ),
      expect.stringMatching(
        /could not create a deployment: .*certificate.*; set NODE_EXTRA_CA_CERTS to a file/,
      ),
    ]);
    await kill(preview, url);
  });
});
