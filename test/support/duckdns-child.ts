// duckdns-server.ts as a program, on a machine of machines.ts. Its argument is a file with the certificate and the
// account (JSON). Prints `ready`, then the records after each change, one line each.

import { readFileSync } from 'node:fs';
import { startDuckdnsServer } from './duckdns-server.ts';

const { certificate, account } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const duckdns = await startDuckdnsServer(certificate, account, { host: '0.0.0.0', port: 443 });
duckdns.onChange = () => console.log(JSON.stringify(duckdns.records));
console.log('ready');
