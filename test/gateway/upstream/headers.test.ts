import { describe, expect, it } from 'vitest';
import {
  renderRequestHeaders,
  renderResponseHeaders,
  renderTrailers,
} from '../../../src/gateway/upstream/headers.ts';

const ADDRESS = { port: 8080, publicUrl: new URL('https://8.preview.example') };
const OURS = ['x-forwarded-host', '8.preview.example', 'x-forwarded-proto', 'https'];

describe('the head for the app', () => {
  it('has the app as Host, and the public address in X-Forwarded-Host and -Proto', () => {
    const headers = renderRequestHeaders(['Host', 'evil.example', 'Accept', '*/*'], ADDRESS);
    expect(headers).toEqual(['host', 'localhost:8080', 'Accept', '*/*', ...OURS]);
  });

  it.each([
    [{ port: 6379, service: 'redis' }, 'redis:6379'],
    [{ port: 80, service: 'web' }, 'web'],
    [{ port: 80, service: 'fd12::5' }, '[fd12::5]'],
    [{ port: 80 }, 'localhost'],
  ])('has the name of a service on another machine as Host: %j', (address, host) => {
    expect(renderRequestHeaders([], { ...address, publicUrl: undefined })).toEqual(['host', host]);
  });

  it('has no forwarding fields if the public address is not known', () => {
    expect(renderRequestHeaders(['Host', 'a'], { port: 1, publicUrl: undefined })).toEqual([
      'host',
      'localhost:1',
    ]);
  });

  it.each([
    'X-Forwarded-For',
    'x-forwarded-HOST',
    'X-Forwarded-Port',
    'X_Forwarded_Proto',
    'Forwarded',
    'X-Real-IP',
  ])('has no %s from the visitor', name => {
    expect(renderRequestHeaders([name, '10.0.0.1'], ADDRESS)).toEqual(['host', 'localhost:8080', ...OURS]);
  });

  it('has no hop-by-hop fields, and none that the visitor’s Connection names', () => {
    const raw = ['Connection', 'close, X-Secret', 'connection', 'keep-alive', 'Keep-Alive', 'timeout=5'];
    raw.push(
      'x-secret',
      'a',
      'TE',
      'trailers',
      'Upgrade',
      'h2c',
      'Proxy-Authorization',
      'b',
      'Expect',
      '100-continue',
    );
    expect(renderRequestHeaders(raw, ADDRESS)).toEqual(['host', 'localhost:8080', ...OURS]);
  });

  it('keeps our own fields even if the visitor’s Connection names them', () => {
    expect(renderRequestHeaders(['Connection', 'x-forwarded-host'], ADDRESS).slice(2)).toEqual(OURS);
  });

  it('keeps order, spelling and repetition of everything else', () => {
    const raw = ['Cookie', 'a=1', 'X-One', '1', 'cookie', 'b=2', 'X-One', '2'];
    expect(renderRequestHeaders(raw, ADDRESS).slice(2, -4)).toEqual(raw);
  });
});

describe('the head for the visitor', () => {
  it('keeps every cookie, and has no hop-by-hop fields', () => {
    const raw = [
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2',
      'Connection',
      'x-hop',
      'X-Hop',
      '1',
      'Transfer-Encoding',
      'chunked',
    ];
    expect(renderResponseHeaders(raw, 200, true)).toEqual(['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']);
  });

  it('announces trailers only if the answer can have some', () => {
    expect(renderResponseHeaders(['Trailer', 'X-Sum'], 200, true)).toEqual(['Trailer', 'X-Sum']);
    expect(renderResponseHeaders(['Trailer', 'X-Sum'], 200, false)).toEqual([]);
  });

  it('has no length if the status means that there is no body', () => {
    expect(renderResponseHeaders(['Content-Length', '5'], 204, false)).toEqual([]);
    expect(renderResponseHeaders(['Content-Length', '5'], 304, false)).toEqual(['Content-Length', '5']);
  });
});

it('drops trailers that would change what the head says', () => {
  expect(
    renderTrailers(['X-Sum', '1', 'Content-Length', '9', 'Set-Cookie', 'a=b', 'Connection', 'close']),
  ).toEqual([['X-Sum', '1']]);
});
