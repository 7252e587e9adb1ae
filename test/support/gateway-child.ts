// A gateway in a process of its own, so that its memory can be measured. Run as `node gateway-child.ts APP_PORT
// [OPTIONS]`, with the options of `openDoor` as JSON. Prints its port as the first line, and ends with its standard
// input.

import { openDoor } from './gateway-door.ts';

const options = JSON.parse(process.argv[3] ?? '{}');
const maxBodyBytes = 16 * 1024 ** 3;
const door = await openDoor(Number(process.argv[2]), {
  ...options,
  rules: { maxBodyBytes, ...options.rules },
});
process.stdout.write(`${door.port}\n`);
process.stdin.resume().once('end', () => void door.stop());
