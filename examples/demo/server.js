// The server of the app that `expose demo` shows: it sends the built web app in dist/, and takes webhooks.

const { createReadStream } = require('node:fs');
const { stat } = require('node:fs/promises');
const { createServer } = require('node:http');
const { extname, join } = require('node:path');

const FOLDER = join(__dirname, 'dist');
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
};

async function answer(request, response) {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (request.method === 'POST' && pathname === '/webhooks/github') return takeWebhook(request, response);
  const path = join(FOLDER, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
  const file = await stat(path).catch(() => undefined);
  if (!file?.isFile()) return response.writeHead(404).end('There is nothing here.\n');
  response.writeHead(200, { 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream' });
  if (request.method === 'HEAD') return response.end();
  createReadStream(path).pipe(response);
}

async function takeWebhook(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { action, repository } = JSON.parse(Buffer.concat(chunks).toString());
  console.log(`webhook: ${request.headers['x-github-event']} ${action} in ${repository.full_name}`);
  response.writeHead(200, { 'Content-Type': 'text/plain' }).end('thank you\n');
}

createServer((request, response) => {
  answer(request, response).catch(error => response.writeHead(400).end(`${error.message}\n`));
}).listen(process.env.PORT, '127.0.0.1', () => console.log('ready'));
