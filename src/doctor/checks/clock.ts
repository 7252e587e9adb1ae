// This machine's clock against that of the server, where an HTTP answer says what time it is there.

import { type Check, ok, Skip, warning } from '../check.ts';

/** Signed webhooks and certificates tolerate more; a clock that is synchronised never differs so much. */
const TOLERANCE_MS = 60_000;

export const clock: Check = {
  name: 'clock',
  title: 'Clock',
  needs: ['control-port', 'proxy', 'https-only'],
  deadlineMs: 8_000,
  async run(subject) {
    const [date] = subject.dates;
    if (date === undefined) return new Skip('nothing there says what time it is');
    const differenceMs = date.here.getTime() - date.server.getTime();
    if (Math.abs(differenceMs) < TOLERANCE_MS) return [ok("this machine's and the server's agree")];
    const seconds = Math.round(Math.abs(differenceMs) / 1_000);
    return [
      warning(
        `this machine's clock is ${seconds} s ${differenceMs > 0 ? 'ahead of' : 'behind'} the server's (${date.server.toISOString()} there): certificates and signed webhooks depend on the time; synchronise the one that is wrong (NTP)`,
      ),
    ];
  },
};
