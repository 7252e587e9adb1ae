// Which wasmrun.toml files are refused.

import { describe, expect, it } from 'vitest';
import { parseProjectConfig } from '../../../src/app/project/project-config.ts';
import { InputError } from '../../../src/shared/errors.ts';

describe('parseProjectConfig', () => {
  it.each([
    ['[os.network]\ndeny = "10.0.0.0/8"\n', /os\.network\.deny/],
    ['os = 1\n', /wasmrun\.toml: os is wrong/],
    ['[os.limits]\nmax_memory_mb = -1\n', /os\.limits\.max_memory_mb/],
    ['a = 1\na = 2\n', /line 2/],
  ])('refuses %j and names the place', (text, place) => {
    expect(() => parseProjectConfig(text)).toThrow(InputError);
    expect(() => parseProjectConfig(text)).toThrow(place);
  });
});
