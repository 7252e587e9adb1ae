// `host-header: auto`: which address the app should see as its own, decided from what it answered when it was asked
// under both (questions.ts). Used by host-header.ts. Pure.
//
// `rewrite` suits development servers, which refuse every Host but localhost. `preserve` suits servers that build
// absolute URLs, or that know their public address. Where both work, plain http is preserved: then the app sees what the
// browser sent. Behind https it is not: the app itself speaks http, and if it compares `Origin` with its own scheme, it
// refuses its own forms (Django, Astro). The evidence is in docs/host-header.md.

import type { HostRule } from '../../shared/host-rule.ts';

/** What the app answered to GET of its page, at one of the two addresses. */
export interface PageAnswer {
  status: number;
  /** It loads a script from its own origin. */
  hasScript: boolean;
  /** It redirects to another origin. */
  leadsAway: boolean;
  /** It contains a URL with `localhost:PORT`. */
  namesLocal: boolean;
  /** The schemes of the URLs with the public address in it. */
  publicSchemes: readonly string[];
  /** It has a field that belongs to https: `Strict-Transport-Security`, or a cookie with `Secure`. */
  isSecure: boolean;
  /** It is from a framework that takes its own address for https unless it is told otherwise. */
  assumesHttps: boolean;
}

export interface HostAnswers {
  /** Undefined: no answer in time. */
  atLocal: PageAnswer | undefined;
  atPublic: PageAnswer | undefined;
  /** The statuses of the page's first script, which a browser asks for with an Origin; undefined without a script. */
  script: { atLocal: number | undefined; atPublic: number | undefined } | undefined;
  /** The app is started with its public address, or with the name of a field that contains it. */
  isTold: boolean;
  /** The public address is https. */
  isHttps: boolean;
}

export interface HostChoice {
  rule: HostRule;
  /** For the log, after "the app". */
  reason: string;
}

/** The first row that applies. */
export function chooseHostRule(answers: HostAnswers): HostChoice {
  const { atLocal, atPublic, script, isTold, isHttps } = answers;
  const rewrite = (reason: string): HostChoice => ({ rule: 'rewrite', reason });
  const preserve = (reason: string): HostChoice => ({ rule: 'preserve', reason });
  if (atPublic === undefined) return rewrite('did not answer in time at its public address');
  const [local, open] = [rankPage(atLocal), rankPage(atPublic)];
  if (open > local)
    return rewrite(
      isRefusal(atPublic.status) || !atPublic.leadsAway
        ? `refuses its public address with status ${atPublic.status}`
        : 'redirects from its public address to another one',
    );
  if (script && rank(script.atPublic) > rank(script.atLocal))
    return rewrite(`refuses its script at its public address with status ${script.atPublic}`);
  // webpack-dev-server 4, and so Vue CLI 5 and Create React App 5, refuse a Host with status 200 and a short text.
  if (atLocal?.hasScript && !atPublic.hasScript && open === local)
    return rewrite('shows a page without its script at its public address');
  if (local > open) return preserve('answers only at its public address');
  if (isHttps && atPublic.publicSchemes.includes('http'))
    return rewrite('takes itself for http, and its public address is https');
  if (isTold) return preserve('is started with its public address');
  if (atPublic.namesLocal) return rewrite('calls itself localhost, whatever its address is');
  if (!isHttps) return preserve('answers at its public address as at localhost');
  if (atPublic.assumesHttps) return preserve('takes itself for https');
  const seesHttps = atPublic.publicSchemes.includes('https') || (atPublic.isSecure && !atLocal?.isSecure);
  return seesHttps
    ? preserve('knows that its public address is https')
    : rewrite('does not show that it knows of https');
}

/** The statuses of a server that refuses a Host or an Origin, or fails because of it. */
function isRefusal(status: number): boolean {
  return status === 400 || status === 403 || status === 421 || status >= 500;
}

/** How well a request went: 0 is best. */
function rank(status: number | undefined): number {
  if (status === undefined) return 3;
  if (isRefusal(status)) return 2;
  return status >= 400 ? 1 : 0;
}

function rankPage(page: PageAnswer | undefined): number {
  return Math.max(rank(page?.status), page?.leadsAway ? 1 : 0);
}
