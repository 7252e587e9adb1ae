// What happened to a preview, for tests of the summary.

import type { HistoryMessage } from '../../src/shared/history.ts';

export const NOTHING: HistoryMessage = {
  address: null,
  visits: { from: '2026-05-04T10:00:00.000Z', minutes: 1, counts: [] },
  times: null,
  slowest: [],
  outages: [],
  away: { tunnel: { count: 0, ms: 0 }, app: { count: 0, ms: 0 } },
  moves: [],
  webhooks: { count: 0, refused: 0, queued: 0, dropped: 0, replayed: 0, paths: [] },
};

/** Half an hour with an outage of each part, and webhooks. */
export const EVENTFUL: HistoryMessage = {
  address: 'http://bore.pub:23456',
  visits: {
    from: '2026-05-04T10:00:00.000Z',
    minutes: 1,
    counts: Array.from({ length: 31 }, (_, at) => (at * 7) % 13),
  },
  times: { count: 180, median_ms: 12, p95_ms: 1_250 },
  slowest: [
    { method: 'GET', path: '/report.pdf', status: 200, duration_ms: 61_300 },
    { method: 'POST', path: '/api|v1', status: 500, duration_ms: 1_250 },
  ],
  outages: [
    {
      part: 'tunnel',
      from: '2026-05-04T10:05:00.000Z',
      until: '2026-05-04T10:05:14.200Z',
      reason: 'no heartbeat for 3 s',
    },
    {
      part: 'app',
      from: '2026-05-04T10:20:00.000Z',
      until: '2026-05-04T10:20:01.500Z',
      reason: 'the app exited with code 1',
    },
  ],
  away: { tunnel: { count: 1, ms: 14_200 }, app: { count: 1, ms: 1_500 } },
  moves: [{ at: '2026-05-04T10:05:14.200Z', url: 'http://bore.pub:23456' }],
  webhooks: {
    count: 12,
    refused: 1,
    queued: 2,
    dropped: 0,
    replayed: 1,
    paths: [
      { method: 'POST', path: '/hooks/github', status: 200, isRefused: false, count: 11 },
      { method: 'POST', path: '/hooks/github', status: 401, isRefused: true, count: 1 },
    ],
  },
};
