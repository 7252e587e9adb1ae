import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/shared/errors.ts';
import { parseServerAddress, renderAddress } from '../../src/tunnel/address.ts';

describe('parseServerAddress', () => {
  it.each([
    ['bore.pub', 'bore.pub', 7835],
    [' Bore.Example:80\n', 'bore.example', 80],
    ['127.0.0.1:1', '127.0.0.1', 1],
    ['[::1]', '::1', 7835],
    ['[::1]:65535', '::1', 65_535],
    ['bücher.example', 'xn--bcher-kva.example', 7835],
  ])('parses %j', (text, host, port) => {
    expect(parseServerAddress(text)).toEqual({ host, port });
  });

  it.each([
    ['', 'is empty'],
    ['http://bore.pub', 'without http://'],
    ['https://bore.pub:7835/', 'without http://'],
    ['::1', 'in brackets, [::1]'],
    ['[bore.pub]:1', 'must be an IPv6 address'],
    ['bore.pub:0', 'from 1 to 65535'],
    ['bore.pub:65536', 'from 1 to 65535'],
    ['bore.pub:', 'from 1 to 65535'],
    ['bore pub', 'write host or host:port'],
    [':7835', 'write host or host:port'],
    ['[::1', 'write host or host:port'],
  ])('refuses %j with a remedy', (text, remedy) => {
    expect(() => parseServerAddress(text)).toThrow(InputError);
    expect(() => parseServerAddress(text)).toThrow(remedy);
  });

  it('ignores the final dot of a host name', () => {
    expect(parseServerAddress('bore.pub.').host).toBe('bore.pub');
  });

  it('escapes control characters in the message', () => {
    expect(() => parseServerAddress('a\u001b[31mb')).toThrow('a\\x1b[31mb');
  });

  it('reads back what renderAddress writes, with brackets around an IPv6 address', () => {
    expect(renderAddress(parseServerAddress('[::1]:5'))).toBe('[::1]:5');
    expect(renderAddress(parseServerAddress('a.b'))).toBe('a.b:7835');
  });
});
