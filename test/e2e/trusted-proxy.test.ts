// A job whose preview is behind a proxy, over a real bore server: the visitor's address in app, record and log.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { startSmallProxy } from '../support/small-proxy.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createPreview, SECRET } from './job-rig.ts';

const BORE = '127.0.14.20';
/** Where bore listens for visitors: its `--bind-tunnels`. */
const INNER = '127.0.14.21';
const VISITOR = '203.0.113.7';
const KEY = 'K3y-of-this-preview_0123456789';
const WITH_HEADERS = `require('node:http').createServer((request, response) => {
  response.end(JSON.stringify(request.rawHeaders));
}).listen(process.env.PORT, '127.0.0.1');
`;

describeWithReal(['bore'], 'a job with `trusted-proxy`', () => {
  it('passes on the address that the proxy reports: to the app, the record and the log', async () => {
    await startRealServer(BORE, { secret: SECRET, bindTunnels: INNER });
    const proxy = await startSmallProxy(
      headers => ({ ...headers, 'x-forwarded-for': VISITOR }),
      () => ({ host: INNER, port: 20_777 }),
    );
    const { job } = await createPreview(
      {
        ...{
          server: BORE,
          command: 'node app.js',
          'remote-port': '20777',
          access: 'link',
          'access-key': KEY,
        },
        ...{ 'public-url': proxy, 'trusted-proxy': 'true' },
      },
      { 'app.js': WITH_HEADERS },
    );
    const main = await job.main();
    expect(main.code, main.log).toBe(0);
    expect(main.log).not.toContain('trusted-proxy` is true');

    const forged = { 'x-forwarded-for': '10.0.0.1', 'x-real-ip': '10.0.0.1', 'client-ip': '10.0.0.1' };
    const headers = { ...forged, authorization: `Bearer ${KEY}` };
    const answer = await fetch(`${proxy}/hook`, { method: 'POST', body: 'hi', headers });
    const raw: string[] = JSON.parse(await answer.text());
    expect(raw).not.toContain('10.0.0.1');
    expect(raw.filter(text => text === VISITOR)).toHaveLength(1);
    expect((await fetch(`${proxy}/?expose-key=wrong`)).status).toBe(401);

    const file = job.outputs['requests-file'] ?? expect.fail('no requests-file');
    const read = () => readFileSync(file, 'utf8').trim();
    await waitUntil(() => read() !== '', 'the request is in the file');
    expect(JSON.parse(read())).toMatchObject({ method: 'POST', visitor_address: VISITOR });
    const log = job.outputs['log-file'] ?? expect.fail('no log-file');
    await waitUntil(
      () => readFileSync(log, 'utf8').includes(`a wrong key or password from ${VISITOR}`),
      'the log names the address',
    );
    expect((await job.post()).code).toBe(0);
  });

  it('is refused before anything starts if there is no proxy', async () => {
    const { job } = await createPreview(
      { server: '127.0.14.22', command: 'node app.js', 'trusted-proxy': 'true' },
      { 'app.js': WITH_HEADERS },
    );
    const { code, log } = await job.main();
    expect(code).toBe(1);
    expect(log).toContain(
      'where no proxy sets X-Forwarded-For and visitors could forge it: set `public-url`',
    );
  });
});
