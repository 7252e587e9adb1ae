// The command that people paste to reach a TCP preview.

import { describe, expect, it } from 'vitest';
import { renderClientLine } from '../../src/shared/public-url.ts';

describe('the command to paste', () => {
  it('exists only for tcp addresses, and has IPv6 addresses without brackets', () => {
    expect(renderClientLine('tcp://bore.example.com:23456')).toBe('nc bore.example.com 23456');
    expect(renderClientLine('tcp://[2001:db8::1]:23456')).toBe('nc 2001:db8::1 23456');
    expect(renderClientLine('http://bore.example.com:23456')).toBeUndefined();
    expect(renderClientLine('')).toBeUndefined();
  });
});
