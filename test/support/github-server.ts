// Runs the server that plays GitHub's API alone, for trying things by hand: prints one JSON line with its url, and logs
// each request to standard error.

import { startGitHubServer } from '../../src/demo/github/server.ts';

const server = await startGitHubServer({}, ({ method, path, status }) => {
  console.error(`${method} ${path} ${status}`);
});
console.log(JSON.stringify({ url: server.url }));
