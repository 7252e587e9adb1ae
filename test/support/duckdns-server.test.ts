import { once } from 'node:events';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { startDuckdnsServer } from './duckdns-server.ts';
import { TestCa } from './test-ca.ts';

const ca = new TestCa();
afterAll(() => ca.remove());

async function start() {
  const server = await startDuckdnsServer(ca.issue(['DNS:localhost']), { name: 'me', token: 'secret' });
  onTestFinished(() => server.stop());
  const get = async (path: string): Promise<[number | undefined, string]> => {
    const call = request({
      host: '127.0.0.1',
      servername: 'localhost',
      port: server.port,
      path,
      ca: ca.pem,
    }).end();
    const [response] = await once(call, 'response');
    return [response.statusCode, await text(response)];
  };
  return { ...server, get };
}

it('keeps the address of the visitor, or the ones it is given, and says whether something changed', async () => {
  const { get, records } = await start();
  const update = '/update?domains=me&token=secret';
  expect(await get(`${update}&ip=`)).toEqual([200, 'OK']);
  expect(records.ip).toBe('127.0.0.1');
  expect(await get(`${update}&ipv6=2001:db8::1&verbose=true`)).toEqual([
    200,
    'OK\n127.0.0.1\n2001:db8::1\nUPDATED',
  ]);
  expect(await get(`${update}&ip=192.0.2.1&ipv6=2001:db8::1`)).toEqual([200, 'OK']);
  expect(await get(`${update}&ip=192.0.2.1&verbose=true`)).toEqual([
    200,
    'OK\n192.0.2.1\n2001:db8::1\nNOCHANGE',
  ]);
  expect(await get(`${update}&clear=true&verbose=true`)).toEqual([200, 'OK\n\n\nUPDATED']);
});

it('has one TXT record', async () => {
  const { get, records } = await start();
  expect(await get('/update?domains=me&token=secret&txt=one')).toEqual([200, 'OK']);
  expect(await get('/update?domains=me&token=secret&txt=two&verbose=true')).toEqual([
    200,
    'OK\ntwo\nUPDATED',
  ]);
  expect(records).toEqual({ ip: '', ipv6: '', txt: 'two' });
  await get('/update?domains=me&token=secret&txt=&clear=true');
  expect(records.txt).toBe('');
});

it.each([
  'domains=you&token=secret',
  'domains=me&token=guess',
  'domains=me',
  'domains=me&token=secret&ip=1.2.3',
])('answers KO with status 200 to %s', async query => {
  const { get, records } = await start();
  expect(await get(`/update?${query}`)).toEqual([200, 'KO']);
  expect(records).toEqual({ ip: '', ipv6: '', txt: '' });
});

it('answers with a fault once, and with 404 to other paths', async () => {
  const { get, faults, requests } = await start();
  faults.push({ status: 503, body: 'busy' });
  expect(await get('/update')).toEqual([503, 'busy']);
  expect(await get('/')).toEqual([404, 'not found']);
  expect(requests).toEqual(['/update', '/']);
});
