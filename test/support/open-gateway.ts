// The configuration of a gateway that lets everybody in; for tests and benchmarks of other things.

import type { ExposureConfig } from '../../src/exposure/config.ts';

export const OPEN_GATEWAY: ExposureConfig['gateway'] = {
  access: { kind: 'open' },
  publicPaths: [],
  maxBodyBytes: 25 * 1024 ** 2,
  compress: true,
};
