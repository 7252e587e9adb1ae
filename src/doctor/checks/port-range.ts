// Whether the server gives out the ports of `port-range`: at both ends, one in between, and none above.

import { DEFAULT_RANGE, type PortRange } from '../../inputs/tunnel.ts';
import { renderAddress } from '../../tunnel/address.ts';
import type { TunnelFailure } from '../../tunnel/failure.ts';
import { SERVER_RANGE } from '../../tunnel/server-options.ts';
import { isSharedServer } from '../../tunnel/session/session.ts';
import { type Check, type Finding, fault, ok, Skip, warning } from '../check.ts';
import { isAboutPort } from '../own-tunnel.ts';
import type { Subject } from '../subject.ts';

export const portRange: Check = {
  name: 'port-range',
  title: 'Ports',
  needs: ['secret'],
  deadlineMs: 10_000,
  async run(subject) {
    const opened = await subject.openTunnel();
    const { range, server } = subject.question;
    if ('failure' in opened) return [fault(opened.failure.message)];
    const given = `${renderAddress(server)} gave port ${opened.port}`;
    const isShared = isSharedServer(server);
    if (isShared && opened.refusal?.kind !== 'port-refused')
      return new Skip(`${given}; a server that many people share is asked for no more`);
    const asked = range ?? DEFAULT_RANGE;
    const ports = isShared ? [] : [...new Set([asked.min, asked.max])];
    const ends = await Promise.all(ports.map(port => askFor(subject, port)));
    const refused = ends.filter(({ failure }) => failure !== undefined && failure.kind !== 'port-taken');
    if (opened.refusal?.kind === 'port-refused' || refused.length > 0)
      return range === undefined ? [adviseRange(given)] : [explainRefused(range, refused, opened)];
    const wider = range === undefined ? [] : await findWider(subject, range);
    const taken = ends.filter(({ failure }) => failure?.kind === 'port-taken');
    const note = taken.length === 0 ? '' : `; ${taken.map(({ port }) => port).join(' and ')} in use now`;
    return [ok(`${given}, and gives out ${asked.min} to ${asked.max}${note}`), ...wider];
  },
};

interface Answer {
  port: number;
  failure: TunnelFailure | undefined;
}

async function askFor(subject: Subject, port: number): Promise<Answer> {
  return { port, failure: await subject.askForPort(port) };
}

function explainRefused(
  range: PortRange,
  refused: readonly Answer[],
  opened: { port: number; refusal: TunnelFailure | undefined },
): Finding {
  const shown = `${range.min}-${range.max}`;
  const [first] = refused;
  const reason = first?.failure?.message ?? opened.refusal?.message ?? '';
  const instead =
    opened.refusal?.kind === 'port-refused' ? `, and gives ${opened.port} if it may choose` : '';
  if (first?.failure !== undefined && !isAboutPort(first.failure)) return fault(reason);
  return fault(`${reason}${instead}: set \`port-range\`, which is ${shown}, to ${SERVER_RANGE}`);
}

/** The default range is not the user's word, and `remote-port: auto` works with it, only less well. */
function adviseRange(given: string): Finding {
  return warning(
    `${given}, but not every port from ${DEFAULT_RANGE.min} to ${DEFAULT_RANGE.max}: set \`port-range\` to ${SERVER_RANGE}, so that a preview has the same address in every run`,
  );
}

/** Harmless for previews with `port-range`; others may get ports that no firewall or proxy lets through. */
async function findWider(subject: Subject, range: PortRange): Promise<Finding[]> {
  const port = range.max < 65_535 ? range.max + 1 : range.min - 1;
  if (port < DEFAULT_RANGE.min) return [];
  const { failure } = await askFor(subject, port);
  if (failure !== undefined && failure.kind !== 'port-taken') return [];
  return [
    warning(
      `the server also gives out port ${port}, which is outside \`port-range\`, ${range.min}-${range.max}: make this the same as ${SERVER_RANGE}, so that no tunnel gets a port that visitors cannot reach`,
    ),
  ];
}
