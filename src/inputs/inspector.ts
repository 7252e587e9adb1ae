// The `inspector` input: whether the inspector also gets a public port of its own. Used by inputs.

import { InputError } from '../shared/errors.ts';
import type { Protocol } from '../shared/state.ts';
import type { TunnelInputs } from './tunnel.ts';
import { parseBoolean } from './values.ts';

/** The public inspector needs a second port on the bore server, and an address that leads there. */
export function parseInspector(
  text: string,
  { protocol, tunnel }: { protocol: Protocol; tunnel: TunnelInputs | undefined },
): boolean {
  const isWanted = parseBoolean(text, 'inspector', false);
  if (!isWanted) return false;
  if (protocol === 'tcp')
    throw new InputError(
      '`inspector` cannot be used with `protocol: tcp`: there are no requests to show; leave it out',
    );
  // Their own problem is reported.
  if (tunnel === undefined) return false;
  const { publicUrl, inspectorPort: port } = tunnel;
  if (!publicUrl.includes('{port}'))
    throw new InputError(
      `\`inspector\` is true, and \`public-url\` is '${publicUrl}', which leads to one port only, but the inspector has a port of its own: write a template with {port}, like https://{port}.preview.example.com, or leave \`inspector\` out`,
    );
  if (port.kind === 'auto' && port.min === port.max)
    throw new InputError(
      `\`inspector\` is true, and \`port-range\` has one port only, ${port.min}, which the preview takes: give it two or more, or leave \`inspector\` out`,
    );
  return true;
}
