// How the inspector reads bodies: which kind they are, indented JSON, hex dumps, and decompression with a limit.

import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decode,
  detectKind,
  indentJson,
  readBytes,
  readText,
  renderHex,
} from '../../../src/control/inspector/browser/body-text.ts';

const bodyOf = (bytes: Uint8Array<ArrayBuffer>, contentType = '', isCut = false) => ({
  bytes,
  contentType,
  isCut,
});
const bytesOf = (text: string) => new TextEncoder().encode(text);

describe('indented JSON', () => {
  it('keeps numbers, escapes, order and repeated names as they came', () => {
    expect(
      indentJson('{"b":12345678901234567890,"a":1.0e+2,"a":"\\u00e9\\"{,","c":[],"d":{},"e":[1,{"f":null}]}'),
    ).toBe(
      [
        '{',
        '  "b": 12345678901234567890,',
        '  "a": 1.0e+2,',
        '  "a": "\\u00e9\\"{,",',
        '  "c": [],',
        '  "d": {},',
        '  "e": [',
        '    1,',
        '    {',
        '      "f": null',
        '    }',
        '  ]',
        '}',
      ].join('\n'),
    );
  });

  it('is the same as JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        expect(indentJson(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
      }),
    );
  });
});

describe('the kind of a body', () => {
  it.each([
    ['{"a":1}', 'application/json; charset=utf-8', 'json'],
    ['{"a":1}', 'application/cloudevents+json', 'json'],
    ['{"a":1}', 'text/plain', 'json'],
    ['{"a":', 'application/json', 'text'],
    ['a=b', 'application/x-www-form-urlencoded', 'form'],
    ['--x', 'multipart/form-data; boundary=x', 'multipart'],
    ['<a/>', 'text/xml', 'text'],
    ['hello', '', 'text'],
  ])('%s with %s is %s', (text, type, kind) => {
    const body = bodyOf(bytesOf(text), type);
    expect(detectKind(body, readText(body))).toBe(kind);
  });

  it('is binary if it is not UTF-8, or holds NUL', () => {
    expect(readText(bodyOf(new Uint8Array([0xff, 0x41])))).toBeUndefined();
    expect(readText(bodyOf(new Uint8Array([0x41, 0])))).toBeUndefined();
    expect(detectKind(bodyOf(new Uint8Array([0xff]), 'text/plain'), undefined)).toBe('binary');
  });

  it('is text if only its last character is cut', () => {
    const cut = bytesOf('caf\u00e9').subarray(0, 4);
    expect(readText(bodyOf(cut, '', true))).toBe('caf');
    expect(readText(bodyOf(cut))).toBeUndefined();
  });
});

it('a hex dump has the offset, the bytes and their characters', () => {
  expect(renderHex(new Uint8Array([0x48, 0x69, 0, 0xff, 0x21]), 16, 4)).toBe(
    '00000010  48 69 00 ff  Hi..\n00000014  21           !',
  );
});

it('bytes come as text or as base64', () => {
  expect([...readBytes('\u00e9', 'utf8')]).toEqual([0xc3, 0xa9]);
  expect([...readBytes('/wA=', 'base64')]).toEqual([255, 0]);
});

describe('a compressed body', () => {
  const plain = 'hello '.repeat(1_000);
  const decodeText = async (bytes: Buffer, coding: string, most = 100_000) => {
    const decoded = await decode(bodyOf(new Uint8Array(bytes)), coding, most);
    return decoded && { text: new TextDecoder().decode(decoded.bytes), isCut: decoded.isCut };
  };

  it('is decoded from gzip and deflate', async () => {
    expect(await decodeText(gzipSync(plain), 'gzip')).toEqual({ text: plain, isCut: false });
    expect(await decodeText(gzipSync(plain), ' X-GZIP ')).toEqual({ text: plain, isCut: false });
    expect(await decodeText(deflateSync(plain), 'deflate')).toEqual({ text: plain, isCut: false });
  });

  it('is decoded up to a limit, however much it would be', async () => {
    const bomb = gzipSync(Buffer.alloc(20_000_000));
    expect(bomb.length).toBeLessThan(100_000);
    const decoded = await decode(bodyOf(new Uint8Array(bomb)), 'gzip', 1_000_000);
    expect([decoded?.bytes.length, decoded?.isCut]).toEqual([1_000_000, true]);
  });

  it('is left as it is if it is not what its coding says, or the coding is unknown', async () => {
    expect(await decodeText(Buffer.from('no gzip'), 'gzip')).toBeUndefined();
    expect(await decodeText(gzipSync(plain), 'br')).toBeUndefined();
    expect(await decodeText(gzipSync(plain), 'gzip, gzip')).toBeUndefined();
  });

  it('that is cut shows what there is', async () => {
    const long = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * index) % 251));
    const cut = gzipSync(long).subarray(0, -100);
    const decoded = await decode(bodyOf(new Uint8Array(cut), '', true), 'gzip', 1_000_000);
    expect(decoded?.isCut).toBe(true);
    expect(Buffer.from(decoded?.bytes ?? []).equals(long.subarray(0, decoded?.bytes.length))).toBe(true);
  });
});
