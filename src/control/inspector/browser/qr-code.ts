// Draws the QR code of the link, which the API computes.

import type { Api } from './api.ts';
import { byId, el, line, svg } from './dom.ts';

/** ISO/IEC 18004 wants so many light modules around a code. */
const QUIET_ZONE = 4;

/** Opens the dialog with the code of the link as it is now. */
export async function showQrCode(api: Api): Promise<void> {
  const dialog = byId('qr-dialog', HTMLDialogElement);
  const close = el('form', { method: 'dialog' }, el('button', { class: 'primary' }, 'Close'));
  dialog.replaceChildren(await renderCodeOrProblem(api), close);
  dialog.showModal();
}

async function renderCodeOrProblem(api: Api): Promise<Node> {
  try {
    const { qr } = await api.readDocument();
    return qr === null
      ? el('p', {}, 'There is no link at the moment.')
      : renderQrCode(qr, 'QR code of the public link');
  } catch (error) {
    return el('p', {}, line(error instanceof Error ? error.message : String(error)));
  }
}

/** `rows` has a character per module: `1` is dark. */
function renderQrCode(rows: readonly string[], label: string): SVGElement {
  const size = rows.length + 2 * QUIET_ZONE;
  const path = rows
    .flatMap((row, y) => [...row].map((cell, x) => (cell === '1' ? moduleAt(x, y) : '')))
    .join('');
  return svg(
    'svg',
    {
      viewBox: `0 0 ${size} ${size}`,
      role: 'img',
      'aria-label': label,
      class: 'qr',
      'shape-rendering': 'crispEdges',
    },
    svg('rect', { width: size, height: size, class: 'light' }),
    svg('path', { d: path, class: 'dark' }),
  );
}

function moduleAt(x: number, y: number): string {
  return `M${x + QUIET_ZONE} ${y + QUIET_ZONE}h1v1h-1z`;
}
