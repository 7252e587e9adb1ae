// Plays wasmrun's page: a Run button that starts a Worker with a script of the test's own. Used by the page host tests.

import { once } from 'node:events';
import { createServer } from 'node:http';

export interface OsPageServer {
  url: string;
  stop(): Promise<void>;
}

/** `worker` is the Worker's script; `page` runs before the button is there, and may define `onMessage`. */
export async function startOsPage(scripts: { worker: string; page?: string }): Promise<OsPageServer> {
  const script = `
    let onMessage = () => undefined;
    ${scripts.page ?? ''}
    const button = document.createElement('button');
    button.textContent = '▶ Run';
    button.onclick = () => {
      const source = 'data:text/javascript;charset=utf-8,' + encodeURIComponent(${JSON.stringify(scripts.worker)});
      const worker = new Worker(source);
      worker.onmessage = event => onMessage(event.data, worker);
      worker.postMessage({ type: 'start', net: { address: '127.0.0.1:3000' } });
    };
    document.getElementById('root').append(button);
  `;
  const files = new Map([
    ['/', '<!doctype html><div id="root"></div><script src="/os.js"></script>'],
    ['/os.js', script],
  ]);
  const server = createServer((request, response) => {
    const text = files.get(request.url ?? '');
    const type = request.url === '/' ? 'text/html; charset=utf-8' : 'text/javascript; charset=utf-8';
    response.writeHead(text === undefined ? 404 : 200, { 'content-type': type });
    response.end(text ?? '{"error":"nothing here"}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { url: `http://127.0.0.1:${address.port}/`, stop };
}
