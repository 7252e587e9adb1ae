// An app that takes webhooks, as the text of a Node.js program. Used by tests of whole previews.

/**
 * Writes its process id to `pid`, and a line for each request with a body to `got`: its target, and the body as base64.
 * The body `poison` kills it. Listens once the file `go` exists.
 */
export const WEBHOOK_PROGRAM = `
const { appendFileSync, existsSync, writeFileSync } = require('fs');
const server = require('http').createServer((request, response) => {
  const chunks = [];
  request.on('data', chunk => chunks.push(chunk)).on('end', () => {
    if (chunks.length > 0) appendFileSync('got', request.url + ' ' + Buffer.concat(chunks).toString('base64') + '\\n');
    if (Buffer.concat(chunks).equals(Buffer.from('poison'))) process.kill(process.pid, 'SIGKILL');
    response.end('done');
  });
});
const timer = setInterval(() => {
  if (!existsSync('go')) return;
  clearInterval(timer);
  server.listen(process.env.PORT, '127.0.0.1', () => writeFileSync('pid', String(process.pid)));
}, 20);
`;
