// What a gateway is told that lets everybody in; for tests and benchmarks that are about something else.

import type { ExposureConfig } from '../../src/exposure/config.ts';

export const OPEN_GATEWAY: ExposureConfig['gateway'] = {
  access: { kind: 'open' },
  publicPaths: [],
  maxBodyBytes: 25 * 1024 ** 2,
};
