// After the preview's post step: its port is closed, its session folder is gone, and so is its background process.

import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { resolve } from 'node:path';

/** The bore server looks twice a second whether its client is still there. */
const DEADLINE_MS = 10_000;

/** 'ECONNREFUSED' where nobody listens, 'open' where somebody does. */
function dial(port) {
  return new Promise(settle => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      settle('open');
    });
    socket.once('error', ({ code }) => settle(code));
  });
}

/** Windows has no `ps`; the two other checks must do there. */
function listSupervisors() {
  if (process.platform === 'win32') return [];
  const program = resolve('dist/supervisor');
  return execFileSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' })
    .split('\n')
    .filter(line => line.includes(program));
}

async function listLeft() {
  const port = process.env.INPUT_PORT;
  const answer = await dial(Number(port));
  return [
    ...(answer === 'ECONNREFUSED' ? [] : [`port ${port}: ${answer}`]),
    ...readdirSync(process.env.RUNNER_TEMP).filter(name => name.startsWith('expose-')),
    ...listSupervisors(),
  ];
}

const end = Date.now() + DEADLINE_MS;
let left = await listLeft();
while (left.length > 0 && Date.now() < end) {
  await new Promise(wake => setTimeout(wake, 200));
  left = await listLeft();
}
if (left.length > 0) {
  console.log(`::error::the preview left behind: ${left.join(', ')}`);
  process.exitCode = 1;
}
