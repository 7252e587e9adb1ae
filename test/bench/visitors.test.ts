import { describe, expect, it } from 'vitest';
import { parseWrk } from '../../bench/rig/visitors.ts';

const REPORT = `Running 1s test @ http://127.0.0.1:8080/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   171.77us   93.54us   3.01ms   90.98%
    Req/Sec    45.02k     2.29k   48.33k    63.64%
  49265 requests in 1.10s, 6.30MB read
Requests/sec:  44807.15
Transfer/sec:      5.73MB
`;

describe("wrk's report", () => {
  it('contains the number of requests, their rate, and no errors', () => {
    expect(parseWrk(REPORT)).toEqual({ requests: 49_265, perSecond: 44_807.15, errors: 0 });
  });

  it('contains the sum of all kinds of errors', () => {
    const errors = '  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 10\n';
    expect(parseWrk(errors + REPORT).errors).toBe(20);
  });

  it('is refused if a figure is missing', () => {
    expect(() => parseWrk('unable to connect to 127.0.0.1:9')).toThrow('unable to connect');
  });
});
