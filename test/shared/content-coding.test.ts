// Which coding a visitor is sent, and which media types are worth one.

import { describe, expect, it } from 'vitest';
import { chooseCoding, rateMediaType } from '../../src/shared/content-coding.ts';

describe('Accept-Encoding', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['x-gzip', 'gzip'],
    ['gzip, deflate', 'gzip'],
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['zstd;q=0, br;q=0.5, gzip;q=0.5', 'br'],
    ['br;q=0.8, gzip', 'gzip'],
    ['br ; q=0.9 , gzip ; q=0.899', 'br'],
    ['deflate', undefined],
    ['identity', undefined],
    ['identity, gzip', 'gzip'],
    ['identity, gzip;q=0.9', undefined],
    ['identity;q=1, *;q=0', undefined],
    ['identity;q=0', undefined],
    ['identity;q=0, gzip;q=0.001', 'gzip'],
    ['*', 'gzip'],
    ['*;q=0', undefined],
    ['gzip;q=0, *', undefined],
    ['gzip;q=0', undefined],
    ['gzip;q=0.000', undefined],
    ['gzip;q=1.000', 'gzip'],
    ['gzip;q=much', undefined],
    ['gzip;q=-1, br', 'br'],
    ['gzip;level=9', undefined],
    [', ,gzip,', 'gzip'],
    ['notgzip, gzip2, brotli', undefined],
    ['__proto__, constructor', undefined],
  ])('%j means %s', (accepted, coding) => {
    expect(chooseCoding(accepted)).toBe(coding);
  });

  it('leaves the choice between equal codings to the sender', () => {
    const accepted = 'gzip, br, zstd';
    expect(chooseCoding(accepted, ['br', 'zstd', 'gzip'])).toBe('br');
    expect(chooseCoding(accepted, ['gzip'])).toBe('gzip');
  });
});

describe('a media type', () => {
  it.each([
    ['text/html; charset=utf-8', 'yes'],
    ['TEXT/HTML', 'yes'],
    ['text/javascript', 'yes'],
    ['application/json', 'yes'],
    ['application/problem+json;charset=utf-8', 'yes'],
    ['application/wasm', 'yes'],
    ['image/svg+xml', 'yes'],
    ['application/x-ndjson', 'yes'],
    ['font/ttf', 'yes'],
    ['application/octet-stream', 'doubtful'],
    ['', 'no'],
    ['text/event-stream', 'no'],
    ['Text/Event-Stream; charset=utf-8', 'no'],
    ['image/png', 'no'],
    ['font/woff2', 'no'],
    ['video/mp4', 'no'],
    ['application/zip', 'no'],
    ['application/gzip', 'no'],
    ['application/grpc', 'no'],
    ['application/grpc-web-text', 'no'],
    ['application/grpc+json', 'no'],
    ['multipart/x-mixed-replace; boundary=frame', 'no'],
  ])('%j is worth compressing: %s', (type, worth) => {
    expect(rateMediaType(type)).toBe(worth);
  });
});
