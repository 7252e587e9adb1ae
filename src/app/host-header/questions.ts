// Asks a healthy app for its page under localhost and under its public address, as a browser would, for the choice of
// `host-header: auto` (choice.ts). Used by host-header.ts.

import { get } from 'node:http';
import { renderAppAuthority } from '../../shared/app-authority.ts';
import type { Upstream } from '../../shared/state.ts';
import type { HostAnswers, PageAnswer } from './choice.ts';

type Address = Extract<Upstream, { kind: 'address' }>;

/** The app has answered before, so it need not be waited for. */
const ANSWER_TIMEOUT_MS = 2_000;
/** Time for all questions: they delay the start. */
const TOTAL_TIMEOUT_MS = 5_000;
/** A page's head, and what its first screen is made of. */
const MAX_PAGE_BYTES = 262_144;
/** `/` → `/login`, `/` → `/en/`. */
const MAX_REDIRECTS = 3;

/** An address under which the app is asked. */
interface Name {
  origin: string;
  authority: string;
  /** What tells the app of this address. */
  fields: Readonly<Record<string, string>>;
}

interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  /** At most MAX_PAGE_BYTES, as latin1. */
  text: string;
}

interface Page extends Answer {
  /** Where the redirects ended. */
  url: URL;
}

export interface Questions {
  address: Address;
  /** A path that has answered; `/` is asked for if it has no page. */
  path: string;
  publicUrl: URL;
}

/** Sends a few requests, one after the other. A question that gets no answer in time counts as unanswered. */
export async function askUnderBothNames(
  { address, path, publicUrl }: Questions,
  signal: AbortSignal,
): Promise<Omit<HostAnswers, 'isTold'>> {
  const authority = renderAppAuthority(address);
  const local: Name = { origin: `http://${authority}`, authority, fields: {} };
  const open: Name = {
    origin: publicUrl.origin,
    authority: publicUrl.host,
    fields: { 'x-forwarded-host': publicUrl.host, 'x-forwarded-proto': publicUrl.protocol.slice(0, -1) },
  };
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(TOTAL_TIMEOUT_MS)]);
  const ask = (name: Name, target: string) =>
    fetchAnswer(address, name, target, AbortSignal.any([deadline, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]));
  const given = await fetchPage(ask, local, path);
  const isPage = path === '/' || given?.headers['content-type']?.includes('html') === true;
  const atLocal = isPage ? given : await fetchPage(ask, local, '/');
  const atPublic = await fetchPage(ask, open, isPage ? path : '/');
  const scriptPath = atPublic && findScript(atPublic);
  const describe = (page: Page | undefined) => page && describePage(page, { local, open });
  return {
    atLocal: describe(atLocal),
    atPublic: describe(atPublic),
    script: scriptPath
      ? {
          atLocal: (await ask(local, scriptPath))?.status,
          atPublic: (await ask(open, scriptPath))?.status,
        }
      : undefined,
    isHttps: publicUrl.protocol === 'https:',
  };
}

type Ask = (name: Name, target: string) => Promise<Answer | undefined>;

/** Follows redirects within the origin. */
async function fetchPage(ask: Ask, name: Name, path: string): Promise<Page | undefined> {
  let url = new URL(path, name.origin);
  for (let left = MAX_REDIRECTS; ; left -= 1) {
    const answer = await ask(name, `${url.pathname}${url.search}`);
    if (answer === undefined) return undefined;
    const next = findRedirect(answer, url);
    if (next === undefined || next.origin !== name.origin || left === 0) return { ...answer, url };
    url = next;
  }
}

function findRedirect({ status, headers }: Answer, base: URL): URL | undefined {
  if (status < 300 || status >= 400 || typeof headers.location !== 'string') return undefined;
  return URL.parse(headers.location, base.href) ?? undefined;
}

function describePage(page: Page, { local, open }: { local: Name; open: Name }): PageAnswer {
  const { status, headers, text, url } = page;
  const next = findRedirect(page, url);
  const everything = `${JSON.stringify(headers)} ${text}`;
  return {
    status,
    hasScript: findScript(page) !== undefined,
    leadsAway: next !== undefined && next.origin !== url.origin,
    namesLocal: listSchemes(everything, local.authority).length > 0,
    publicSchemes: listSchemes(everything, open.authority),
    isSecure:
      headers['strict-transport-security'] !== undefined ||
      /;\s*secure\b/i.test(String(headers['set-cookie'] ?? '')),
    // SvelteKit's Node.js adapter: it compares a form's Origin with https://HOST, on localhost too.
    assumesHttps: headers['x-sveltekit-page'] !== undefined,
  };
}

/** The schemes of the URLs with exactly this authority. JSON may escape their slashes. */
function listSchemes(text: string, authority: string): string[] {
  const urls = new RegExp(`([a-z]+):\\\\?/\\\\?/${authority.replace(/[.[\]]/g, '\\$&')}(?![\\w.:@-])`, 'gi');
  return [...text.matchAll(urls)].map(([, scheme = '']) => scheme.toLowerCase());
}

/** The path of the first script that comes from the page's own origin. */
function findScript({ text, url }: Page): string | undefined {
  for (const [, source = ''] of text.matchAll(/<script\b[^>]*?\ssrc\s*=\s*["']?([^"'\s>]+)/gi)) {
    const script = URL.parse(source.replaceAll('&amp;', '&'), url.href);
    if (script?.origin === url.origin) return `${script.pathname}${script.search}`;
  }
  return undefined;
}

/** One GET, with the Origin that scripts of the page send. Undefined if no whole head came in time. */
async function fetchAnswer(
  { host, port }: Address,
  { authority, origin, fields }: Name,
  path: string,
  signal: AbortSignal,
): Promise<Answer | undefined> {
  return await new Promise(resolve => {
    let answer: Answer | undefined;
    const request = get({
      ...{ host, port, path, signal, agent: false },
      headers: {
        host: authority,
        origin,
        accept: 'text/html, */*',
        'user-agent': 'expose-action',
        ...fields,
      },
    });
    // A page that is still being sent, such as an event stream, is judged by what has come.
    const finish = () => {
      resolve(answer);
      request.destroy();
    };
    request.once('error', finish).once('response', response => {
      const begun = { status: response.statusCode ?? 0, headers: response.headers, text: '' };
      answer = begun;
      response.setEncoding('latin1').on('data', (chunk: string) => {
        begun.text += chunk;
        if (begun.text.length >= MAX_PAGE_BYTES) finish();
      });
      response.once('end', finish).on('error', finish);
    });
  });
}
