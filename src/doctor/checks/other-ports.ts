// Whether the proxy refuses names with ports that bore does not give out: they would lead to other programs.

import { type Check, fault, ok } from '../check.ts';
import { NoVisit, VISIT_MS, visit } from '../visit.ts';

/** SSH: no range contains it, and most machines have it. */
const NEVER_GIVEN = 22;
/** A proxy that tries to reach the port and cannot, or gets no HTTP from it. */
const PASSED_ON: readonly number[] = [500, 502, 503, 504];

export const otherPorts: Check = {
  name: 'other-ports',
  title: 'Other ports',
  needs: ['proxy'],
  applies: subject => subject.isProxied && subject.publicUrl(1).host !== subject.publicUrl(2).host,
  deadlineMs: 8_000,
  async run(subject, signal) {
    const { range } = subject.question;
    const port = range === undefined ? NEVER_GIVEN : range.max < 65_535 ? range.max + 1 : range.min - 1;
    // The proxy is where our own name leads: the other one may have no DNS record.
    const { target: own, limit } = await subject.beginVisit(VISIT_MS, signal);
    const target = { ...own, url: subject.publicUrl(port) };
    const refused = [ok(`the proxy refuses ${target.url.host}`)];
    try {
      const { status } = await visit(target, '/', limit);
      if (!PASSED_ON.includes(status)) return refused;
      return [
        fault(
          `the proxy passes on to port ${port} (${target.url.host} answered ${status}), which is not a port of previews: it opens the other programs of its machine to everybody; let its pattern contain only the server's range`,
        ),
      ];
    } catch (error) {
      if (error instanceof NoVisit) return refused;
      throw error;
    }
  },
};
