// An app that receives webhooks: it keeps what is sent to /hooks/…, and lists it at GET /events.

import { createServer } from 'node:http';

const events = [];

async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function parseBody(type = '', text) {
  return type.startsWith('application/json')
    ? JSON.parse(text)
    : Object.fromEntries(new URLSearchParams(text));
}

async function answer(request, response) {
  if (request.method !== 'POST') return response.end(JSON.stringify(events));
  const event = parseBody(request.headers['content-type'], await readBody(request));
  // Slack checks the address once, and expects this answer.
  if (event.type === 'url_verification') return response.end(event.challenge);
  events.push(event);
  response.writeHead(204).end();
}

createServer((request, response) => {
  answer(request, response).catch(error => response.writeHead(400).end(`${error.message}\n`));
}).listen(process.env.PORT, '127.0.0.1');
