// Plays DuckDNS's API, https://www.duckdns.org/spec.jsp. For the tests of self-host/duckdns.

import { once } from 'node:events';
import { createServer } from 'node:https';
import { isIPv4, isIPv6 } from 'node:net';
import type { TestCertificate } from './test-ca.ts';

export interface DuckdnsServer {
  readonly port: number;
  /** Of the one name; '' where there is none. */
  readonly records: { ip: string; ipv6: string; txt: string };
  /** Paths and queries of all requests so far. */
  readonly requests: readonly string[];
  /** Answers the next requests with these instead, one each. */
  readonly faults: { status: number; body: string }[];
  /** Is called with each request, before it changes anything. */
  onRequest: () => void;
  /** Is called after each request that changed the records, before its answer. */
  onChange: () => void;
  stop(): Promise<void>;
}

export interface DuckdnsAccount {
  /** The part before .duckdns.org. */
  readonly name: string;
  readonly token: string;
}

/** An account with one name. */
export async function startDuckdnsServer(
  certificate: TestCertificate,
  account: DuckdnsAccount,
  { host = '127.0.0.1', port = 0 } = {},
): Promise<DuckdnsServer> {
  const records = { ip: '', ipv6: '', txt: '' };
  const requests: string[] = [];
  const faults: DuckdnsServer['faults'] = [];
  const duckdns: Omit<DuckdnsServer, 'port' | 'stop'> = {
    records,
    requests,
    faults,
    onRequest: () => {},
    onChange: () => {},
  };
  const server = createServer(certificate, (request, response) => {
    requests.push(request.url ?? '');
    duckdns.onRequest();
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://www.duckdns.org');
    const fault = faults.shift();
    if (fault !== undefined) response.writeHead(fault.status).end(fault.body);
    else if (pathname !== '/update') response.writeHead(404).end('not found');
    else {
      const before = JSON.stringify(records);
      const answer = update(records, account, searchParams, request.socket.remoteAddress ?? '');
      if (JSON.stringify(records) !== before) duckdns.onChange();
      response.end(answer);
    }
  });
  await once(server.listen(port, host), 'listening');
  const address = server.address();
  return Object.assign(duckdns, {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    stop: async () => {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  });
}

/** What the service answers. It is `KO` for every mistake, without a reason. */
function update(
  records: DuckdnsServer['records'],
  account: DuckdnsAccount,
  parameters: URLSearchParams,
  visitor: string,
): string {
  const get = (name: string) => parameters.get(name) ?? '';
  const [ip, ipv6, clear] = [get('ip'), get('ipv6'), get('clear') === 'true'];
  if (get('domains') !== account.name || get('token') !== account.token) return 'KO';
  if ((ip !== '' && !isIPv4(ip) && !isIPv6(ip)) || (ipv6 !== '' && !isIPv6(ipv6))) return 'KO';
  const before = JSON.stringify(records);
  if (parameters.has('txt')) records.txt = clear ? '' : get('txt');
  else if (clear) Object.assign(records, { ip: '', ipv6: '' });
  else if (isIPv6(ip)) records.ipv6 = ip;
  else {
    // An address is recognised only where none is given.
    if (ip !== '' || ipv6 === '') records.ip = ip === '' ? visitor.replace('::ffff:', '') : ip;
    if (ipv6 !== '') records.ipv6 = ipv6;
  }
  if (get('verbose') !== 'true') return 'OK';
  const current = parameters.has('txt') ? [records.txt] : [records.ip, records.ipv6];
  return ['OK', ...current, JSON.stringify(records) === before ? 'NOCHANGE' : 'UPDATED'].join('\n');
}
