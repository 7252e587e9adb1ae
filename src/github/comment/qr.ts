// Draws a link as a QR code made of text, so that no picture has to be fetched from anywhere. Used by markdown.ts.
//
// The element is `<kbd>`, because GitHub sets its lines closer (10 px for letters of 11 px) than the letters are high.
// In a code block there are gaps between the lines, and readers fail. A module is two letters wide, which makes it
// nearly square: half blocks would be smaller, but where lines overlap, they grow to a different size than the rest.
// In a dark theme the code is light on dark. The readers of phones accept both.

import { encode } from 'uqr';

/** Modules of a side; a link of 270 characters has 57. A longer one would be too fine to be read from a screen. */
const MAX_SIZE = 57;
/** ISO/IEC 18004 wants four modules around the code; with the frame of the element, readers need two. */
const BORDER = 2;
/** Two letters for each module. The spaces are of the kind that nobody joins or trims. */
const [DARK, LIGHT] = ['██', '\u00a0\u00a0'];

/** A block of HTML, which scrolls where it is too wide; undefined if the link is too long. Shows no text of the link. */
export function renderQrCode(link: string): string | undefined {
  // A byte needs eight bits, and a code of the largest size holds 271 of them.
  if (Buffer.byteLength(link) > 271) return undefined;
  const { data, size } = encode(link, { ecc: 'L', border: BORDER });
  if (size > MAX_SIZE + 2 * BORDER) return undefined;
  const rows = data.map(row => row.map(isDark => (isDark ? DARK : LIGHT)).join(''));
  return `<pre><kbd>${rows.join('\n')}</kbd></pre>`;
}
