// Many requests at a time through a proxy, and visitors who leave.

import { once } from 'node:events';
import { request as sendRequest } from 'node:https';
import { expect, it } from 'vitest';
import { waitUntil } from '../../support/wait-until.ts';
import type { World } from '../proxy-world.ts';
import { askHttp2 } from '../visitor.ts';

const REQUESTS = 100;

export function defineManyVisitors(read: () => World): void {
  it('gives each of many requests at a time on one HTTP/2 connection to its own preview', async () => {
    const { first, second, network } = read();
    for (const { app } of [first, second])
      app.answer = ({ url }, response) => response.end(`${url} of ${app.name}`);
    const session = await first.visitor.at(`${network}.25`).openHttp2(first.name);
    // The second round finds connections to both previews that the proxy has kept.
    for (const round of ['first', 'second']) {
      const paths = Array.from({ length: REQUESTS }, (_, at) => `/${round}/${at}`);
      const answers = paths.map((path, at) =>
        askHttp2(session, { name: (at % 2 === 0 ? first : second).name, path }),
      );
      const bodies = (await Promise.all(answers)).map(({ body }) => String(body));
      expect(bodies).toEqual(
        paths.map((path, at) => `${path} of ${(at % 2 === 0 ? first : second).app.name}`),
      );
    }
    session.close();
  });

  it.each(['http/1.1', 'h2'])('tells the app that a visitor has left an event stream over %s', async kind => {
    const { visitor, name, app } = read().first;
    let hasLeft = false;
    app.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
      response.once('close', () => {
        hasLeft = true;
      });
    };
    const session = kind === 'h2' ? await visitor.openHttp2(name) : undefined;
    const request =
      session?.request({ ':authority': name, ':path': '/' }) ?? sendRequest(visitor.describe({ name })).end();
    request.on('error', () => {});
    await once(request, 'response');
    expect(hasLeft).toBe(false);
    if (session === undefined) request.destroy();
    else session.destroy();
    await waitUntil(() => hasLeft, 'the app has seen it');
  });
}
