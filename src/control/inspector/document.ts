// `GET /api/inspector`: what the inspector's page shows apart from the events. Used by api.ts.

import { encode } from 'uqr';
import { describeState } from '../../shared/state-json.ts';
import { type Call, checkParameters, send } from '../call.ts';

export function showInspector({ controls, audience, query, response }: Call): void {
  checkParameters(query, []);
  const { inspection } = controls;
  const { preview_url: link } = describeState(controls.state);
  send(response, 200, {
    success: true,
    is_public: audience === 'public',
    redact: inspection.redacts,
    signing_rules: inspection.signingRules,
    link,
    qr: link !== null && /^https?:/.test(link) ? drawQr(link) : null,
    public_inspector_url: inspection.publicLink ?? null,
  });
}

/** The rows of a QR code (ISO/IEC 18004) without its quiet zone, from the top: `1` is dark. */
function drawQr(text: string): string[] {
  return encode(text, { ecc: 'M', border: 0 }).data.map(row => row.map(dark => (dark ? '1' : '0')).join(''));
}
