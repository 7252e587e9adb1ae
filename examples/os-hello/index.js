// A small app for wasmrun's OS mode, with a page, some JSON and an echo. With `npm start` it runs in Node.js itself.

const http = require('node:http');
const { renderPage } = require('./page.js');

let visits = 0;
let webhooks = 0;

const send = (response, status, type, body) => {
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8` });
  response.end(body);
};

const readBody = (request, callback) => {
  const chunks = [];
  request.on('data', chunk => chunks.push(chunk));
  // Not chunk by chunk: one chunk may end within a character.
  request.on('end', () => callback(Buffer.concat(chunks).toString()));
};

const routes = {
  'GET /': (_request, response) => {
    visits += 1;
    const facts = { Platform: process.platform, Node: process.version, Visits: visits, Webhooks: webhooks };
    send(response, 200, 'text/html', renderPage(facts));
  },
  'GET /api/hello': (_request, response) => {
    send(response, 200, 'application/json', JSON.stringify({ hello: 'world', visits }));
  },
  'POST /echo': (request, response) => {
    readBody(request, body => {
      console.log(`echo: ${body.length} characters`);
      send(response, 200, request.headers['content-type'] || 'text/plain', body);
    });
  },
  'POST /webhooks/github': (request, response) => {
    readBody(request, body => {
      webhooks += 1;
      console.log(`webhook: ${request.headers['x-github-event']} ${JSON.parse(body).action}`);
      send(response, 200, 'text/plain', 'thank you\n');
    });
  },
};

const server = http.createServer((request, response) => {
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const route = routes[`${method} ${request.url.split('?')[0]}`];
  if (route) route(request, response);
  else send(response, 404, 'text/plain', 'There is nothing here.\n');
});

// In OS mode the number does not matter, because wasmrun gives the program a port it has already opened.
server.listen(process.env.PORT || 3000, () => {
  console.log(`listening on port ${server.address().port}`);
});
