// Runs the server that plays GitHub's API alone, for trying things by hand: prints one JSON line with its url, and logs
// each request to standard error.

import { type LoggedRequest, startGitHubServer } from '../../src/demo/github/server.ts';

const log = ({ method, path, status }: LoggedRequest) => console.error(`${method} ${path} ${status}`);
const server = await startGitHubServer({}, log, { isOpen: true });
console.log(JSON.stringify({ url: server.url }));
