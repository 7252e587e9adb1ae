// Whether the proxy takes a request head nearly as long as the gateway does, 16 KB: apps with many cookies send such.

import { type Check, ok, warning } from '../check.ts';
import { NoVisit, VISIT_MS, visit } from '../visit.ts';

/** Together 15 KB, and no single field is longer than nginx takes without a setting. */
const FIELDS = Object.fromEntries([1, 2, 3, 4, 5].map(n => [`X-Doctor-${n}`, 'x'.repeat(2_900)]));

export const largeHead: Check = {
  name: 'large-head',
  title: 'Large head',
  needs: ['proxy'],
  applies: subject => subject.isProxied,
  deadlineMs: 8_000,
  async run(subject, signal) {
    const { target, app, limit } = await subject.beginVisit(VISIT_MS, signal);
    const path = app.pathOf('proof');
    const explain = (said: string) => [
      warning(
        `the proxy refuses a request head of 15 KB (${said}): apps with many or long cookies may fail; raise its limit`,
      ),
    ];
    try {
      const { status, body } = await visit(target, path, limit, { headers: FIELDS });
      return body === app.proof ? [ok('15 KB pass')] : explain(`the answer was ${status}`);
    } catch (error) {
      if (error instanceof NoVisit) return explain(error.message);
      throw error;
    }
  },
};
