import { describe, expect, it } from 'vitest';
import {
  renderRequestHeaders,
  renderResponseHeaders,
  renderTrailers,
} from '../../../src/gateway/upstream/headers.ts';

const ADDRESS = { port: 8080, publicUrl: new URL('https://8.preview.example') };
const OURS = ['x-forwarded-host', '8.preview.example', 'x-forwarded-proto', 'https'];

describe('the head an app gets', () => {
  it('names the app as its host, and the public address as the one that was asked for', () => {
    const headers = renderRequestHeaders(['Host', 'evil.example', 'Accept', '*/*'], ADDRESS);
    expect(headers).toEqual(['host', 'localhost:8080', 'Accept', '*/*', ...OURS]);
  });

  it('says nothing about a public address that is not known', () => {
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
  ])('has no %s of the visitor', name => {
    expect(renderRequestHeaders([name, '10.0.0.1'], ADDRESS)).toEqual(['host', 'localhost:8080', ...OURS]);
  });

  it('has no fields of the visitor’s connection, and none that its Connection names', () => {
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

  it('keeps ours when Connection names them', () => {
    expect(renderRequestHeaders(['Connection', 'x-forwarded-host'], ADDRESS).slice(2)).toEqual(OURS);
  });

  it('keeps order, spelling and repetition of everything else', () => {
    const raw = ['Cookie', 'a=1', 'X-One', '1', 'cookie', 'b=2', 'X-One', '2'];
    expect(renderRequestHeaders(raw, ADDRESS).slice(2, -4)).toEqual(raw);
  });
});

describe('the head a visitor gets', () => {
  it('keeps every cookie, and loses the fields of the app’s connection', () => {
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

  it('announces trailers only where there can be some', () => {
    expect(renderResponseHeaders(['Trailer', 'X-Sum'], 200, true)).toEqual(['Trailer', 'X-Sum']);
    expect(renderResponseHeaders(['Trailer', 'X-Sum'], 200, false)).toEqual([]);
  });

  it('has no length where the status means that there is no body', () => {
    expect(renderResponseHeaders(['Content-Length', '5'], 204, false)).toEqual([]);
    expect(renderResponseHeaders(['Content-Length', '5'], 304, false)).toEqual(['Content-Length', '5']);
  });
});

it('lets no trailer change what the head has said', () => {
  expect(
    renderTrailers(['X-Sum', '1', 'Content-Length', '9', 'Set-Cookie', 'a=b', 'Connection', 'close']),
  ).toEqual([['X-Sum', '1']]);
});
