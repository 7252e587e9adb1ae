// Visits that take longer than five minutes, at full length: only in the nightly run. The short ones are in
// downstream/slow-uploads.test.ts and pages/page.test.ts.

import { createServer, request as sendRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from '../support/listen.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { isFull } from '../support/scale.ts';
import { startTunnelProcess } from '../support/tunnel-process.ts';
import { startRealServer } from '../support/tunnel-rig.ts';

/** Longer than the limits of most servers and proxies, and than the five minutes of Node's own. */
const SECONDS = 330;
/** A slow line: 16 KB each second. */
const PIECE = Buffer.alloc(16 * 1024);

describeWithReal(['bore'], 'through bore, the tunnel and the gateway', () => {
  it.runIf(isFull)(
    `an upload may take ${SECONDS} s, and so may an answer`,
    async () => {
      const { address } = await startRealServer('127.0.1.43');
      // Node's own limit for a request is five minutes.
      const app = createServer({ requestTimeout: 0 }, (request, response) => {
        let bytes = 0;
        request.on('data', chunk => {
          bytes += chunk.length;
        });
        if (request.method === 'POST') request.once('end', () => response.end(`${bytes} bytes`));
        else setTimeout(() => response.end('late'), SECONDS * 1_000);
      });
      const port = await listen(app);
      const child = await startTunnelProcess([{ mode: 'gateway', server: address, app: port }]);
      onTestFinished(() => {
        child.kill();
        app.closeAllConnections();
        app.close();
      });
      const url = { host: address.host, port: child.ports[0] };
      const answered = (method: string) => {
        const request = sendRequest({ ...url, method });
        const answer = new Promise<string>((resolve, reject) => {
          request.once('error', reject);
          request.once('response', response => resolve(text(response)));
        });
        return { request, answer };
      };
      const late = answered('GET');
      late.request.end();
      const upload = answered('POST');
      upload.answer.catch(() => {});
      for (let second = 0; second < SECONDS; second += 1) {
        upload.request.write(PIECE);
        await delay(1_000);
      }
      upload.request.end();
      expect(await Promise.all([upload.answer, late.answer])).toEqual([
        `${SECONDS * PIECE.length} bytes`,
        'late',
      ]);
    },
    (SECONDS + 60) * 1_000,
  );
});
