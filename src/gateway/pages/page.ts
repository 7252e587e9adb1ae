// Renders a notice as HTML (no script, no external assets, light and dark, from 320 px), plain text or JSON. Used by
// answer.ts. Pure.

import { createHash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Notice } from './notice.ts';

const STYLE = `
:root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--line:#dfe3e8;--text:#1d2330;--soft:#566072;--waiting:#2563eb;--trouble:#b45309;--failed:#b42318;--action:#1d4ed8;--on-action:#fff}
@media (prefers-color-scheme:dark){:root{--ground:#12151b;--card:#1a1f28;--line:#2c3440;--text:#e8ebf0;--soft:#9ba6b6;--waiting:#7aa7ff;--trouble:#f0b35c;--failed:#ff8f82;--action:#8fb4ff;--on-action:#10182b}}
*{box-sizing:border-box;margin:0}
body{min-height:100vh;min-height:100svh;display:grid;place-items:center;padding:1rem;background:var(--ground);color:var(--text);font:1rem/1.55 system-ui,sans-serif}
main{width:100%;max-width:34rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}
.waiting{--mark:var(--waiting)}.trouble{--mark:var(--trouble)}.failed{--mark:var(--failed)}.ended,.locked{--mark:var(--soft)}
.mark{display:block;width:2.5rem;height:.25rem;margin-bottom:1.25rem;border-radius:1rem;background:var(--mark)}
h1{margin-bottom:.5rem;font-size:1.375rem;line-height:1.3;font-weight:600}
p+p{margin-top:.5rem}
.soft{color:var(--soft)}
pre{margin:1.25rem 0;padding:.75rem 1rem;border-left:3px solid var(--mark);border-radius:.25rem;background:var(--ground);font:.875rem/1.5 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
form{display:flex;flex-wrap:wrap;gap:.5rem;margin-top:1.25rem}
label{width:100%;font-size:.875rem;font-weight:600}
input,button,.button{min-height:2.75rem;padding:.5rem .875rem;border-radius:.5rem;font:inherit}
input{flex:1 1 12rem;min-width:0;border:1px solid var(--soft);background:var(--ground);color:inherit}
button,.button{flex:0 0 auto;border:0;background:var(--action);color:var(--on-action);font-weight:600;cursor:pointer}
:focus-visible{outline:2px solid var(--action);outline-offset:2px}
a.button{display:inline-block;margin-top:1.25rem;text-decoration:none}
footer{margin-top:1.5rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.8125rem}
@media (max-width:30rem){main{padding:1.5rem 1.25rem}button{flex:1 1 100%}}
`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** The page's Content-Security-Policy: allows only our own style sheet, by its hash, and our own form. */
export function renderPolicy({ keyForm }: Notice): string {
  return [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    "base-uri 'none'",
    `form-action ${keyForm === undefined ? "'none'" : "'self'"}`,
    "frame-ancestors 'none'",
  ].join('; ');
}

/** A whole HTML document. */
export function renderPage(notice: Notice): string {
  const detail = notice.detail === undefined ? '' : `<pre>${escapeHtml(notice.detail)}</pre>\n`;
  const reload = notice.staysAsItIs ? undefined : notice.retryAfterS;
  const next = reload === undefined ? notice.next : `This page reloads by itself. ${notice.next}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${reload === undefined ? '' : `<meta http-equiv="refresh" content="${reload}">\n`}<title>${escapeHtml(notice.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main class="${notice.mood}">
<span class="mark"></span>
<h1>${escapeHtml(notice.title)}</h1>
<p>${escapeHtml(notice.what)}</p>
${detail}<p class="soft">${escapeHtml(next)}</p>
${renderForm(notice.keyForm)}${notice.leadsHome ? '<a class="button" href="/">To the start page</a>\n' : ''}<footer>${notice.status} ${STATUS_CODES[notice.status]}${reload === undefined ? '' : ` · next try in ${reload} s`}</footer>
</main>
</body>
</html>
`;
}

/** The form has a password field, so that keyboards do not learn the key, and browsers offer to store it. */
function renderForm(action: string | undefined): string {
  if (action === undefined) return '';
  return `<form method="post" action="${escapeHtml(action)}">
<label for="key">Key</label>
<input id="key" name="key" type="password" required autofocus autocomplete="current-password" spellcheck="false">
<button>Open the preview</button>
</form>
`;
}

/** Plain text, for a terminal. */
export function renderText({ title, what, nextForScripts, detail, retryAfterS }: Notice): string {
  const again = retryAfterS === undefined ? undefined : `Try again in ${retryAfterS} s.`;
  const lines = [`${title}.`, what, detail, nextForScripts, again];
  return `${lines.filter(line => line !== undefined).join('\n')}\n`;
}

/**
 * JSON, for a program: `{"error","detail"?,"status","retry_after"?}`; `retry_after` in seconds, if trying again may
 * help.
 */
export function renderJson(notice: Notice): string {
  const { title, what, detail, status, retryAfterS } = notice;
  return `${JSON.stringify({ error: `${title}: ${what}`, detail, status, retry_after: retryAfterS })}\n`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
}
