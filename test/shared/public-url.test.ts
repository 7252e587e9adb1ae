import { describe, expect, it } from 'vitest';
import { renderClientLine } from '../../src/shared/public-url.ts';

describe('the command to paste', () => {
  it('exists for tcp addresses, with an IPv6 host without its brackets', () => {
    expect(renderClientLine('tcp://bore.example.com:23456')).toBe('nc bore.example.com 23456');
    expect(renderClientLine('tcp://[2001:db8::1]:23456')).toBe('nc 2001:db8::1 23456');
    expect(renderClientLine('http://bore.example.com:23456')).toBeUndefined();
    expect(renderClientLine('')).toBeUndefined();
  });
});
