// Decides which requests are let in. Refuses unauthenticated visitors, all with the same answer. Removes the key or
// password from the requests that it lets in, so that the app never sees it. Used by pass.ts, before any pass whose
// answer depends on the app.

import type { HttpRequest } from '../../shared/http-message.ts';
import { compilePatterns } from '../../shared/path-patterns.ts';
import { createComparison } from '../../shared/secrets.ts';
import { sendNotice, wantsPage } from '../pages/answer.ts';
import { describeRefusal } from '../pages/notice.ts';
import { readPath, readTarget, type Visit } from '../visit.ts';
import {
  dropAuthorization,
  dropOwnCookies,
  readBasic,
  readBearer,
  renderBasic,
  renderBearer,
  splitKey,
  takeKey,
} from './credentials.ts';
import { isCrossSite, refuseCrossSite } from './cross-site.ts';
import { isPreflight, READABLE_BY_ALL, sendPreflight } from './preflight.ts';
import { SessionCookies } from './session-cookie.ts';
import type { SiteData } from './site-data.ts';

/** What visitors need to get in. */
export type Access =
  | { kind: 'open' }
  | { kind: 'link'; key: string }
  | { kind: 'basic'; user: string; password: string };

export interface AccessRules {
  access: Access;
  /** Patterns of paths that need no credential. */
  publicPaths: readonly string[];
}

/** What access control gets from the rest of the gateway. */
export interface AccessContext {
  siteData: SiteData;
  /** Whether a path needs no credential for another reason: only signed requests on it reach the app. */
  needsNoKey: (path: string) => boolean;
  /** Called for each refused request with a wrong key or password. */
  onWrongCredential: (visit: Visit) => void;
  /** Returns when the exposure ends, if that is known; no session lasts longer. */
  endsAt: () => Date | undefined;
}

/**
 * `answered`: with a step of the sign-in, or a refusal that only some visitors get. `refused`: there is no credential,
 * and the caller sends the refusal, with `refuse`.
 */
export type Decision = 'let in' | 'answered' | 'refused';

/** Where the sign-in page sends the key. */
const SIGN_IN_PATH = '/__expose/sign-in';

/** A key and the name of its field take a few hundred bytes. */
const MAX_FORM_BYTES = 4_096;

/**
 * Why a request is let in:
 * - `public`: its path needs no credential.
 * - `shown`: it contains the key itself, which a browser does not send on its own.
 * - `ambient`: it contains a cookie or password, which a browser sends on its own, even for a page of another site.
 */
type Grant = 'public' | 'shown' | 'ambient';

/** What `Authorization` contained, if it was a credential of the gateway. */
type Credential = 'key' | 'password';

/** The right credential, and how to recognise it. All comparisons take the same time for every guess. */
interface Wanted {
  kind: Credential;
  /** The credential in a value of `Authorization`, however that is written. */
  read(authorization: string): string | undefined;
  isRight(given: string): boolean;
  /** Whether this is the right value of `Authorization` as nearly every client writes it: then it need not be read. */
  isUsualField(authorization: string): boolean;
}

function describeWanted(access: Access): Wanted | undefined {
  if (access.kind === 'open') return undefined;
  if (access.kind === 'link')
    return {
      kind: 'key',
      read: readBearer,
      isRight: createComparison(access.key),
      isUsualField: createComparison(renderBearer(access.key)),
    };
  const credential = `${access.user}:${access.password}`;
  return {
    kind: 'password',
    read: readBasic,
    isRight: createComparison(credential),
    isUsualField: createComparison(renderBasic(credential)),
  };
}

export class AccessControl {
  /** Undefined with `access: open`. */
  readonly #wanted: Wanted | undefined;
  readonly #isPublic: (path: string) => boolean;
  readonly #cookies = new SessionCookies();
  readonly #siteData: SiteData;
  readonly #onWrongCredential: (visit: Visit) => void;
  readonly #endsAt: () => Date | undefined;

  constructor(rules: AccessRules, { siteData, needsNoKey, onWrongCredential, endsAt }: AccessContext) {
    this.#wanted = describeWanted(rules.access);
    const isPublic = compilePatterns(rules.publicPaths);
    this.#isPublic = path => isPublic(path) || needsNoKey(path);
    this.#siteData = siteData;
    this.#onWrongCredential = onWrongCredential;
    this.#endsAt = endsAt;
  }

  check(visit: Visit): Decision {
    const key = takeKey(visit.request);
    if (this.#wanted === undefined) return letIn(visit);
    const decision = this.#decide(visit, key);
    if (decision !== 'refused') return decision;
    visit.markUnauthenticated();
    const { authorization = '' } = visit.request.headers;
    if (key !== undefined || (this.#wanted.kind === 'password' && readBasic(authorization) !== undefined))
      this.#onWrongCredential(visit);
    return decision;
  }

  #decide(visit: Visit, key: string | undefined): Decision {
    const { request } = visit;
    const hasSession = this.#hasSession(visit);
    const credential = this.#takeAuthorization(request);
    if (readPath(request) === SIGN_IN_PATH) return this.#answerSignIn(visit, hasSession);
    const isRightKey = this.#isKey(key);
    if (isRightKey && isPageLoad(visit) && !isForeignFetch(request))
      return this.#signIn(visit, readTarget(request));
    const grant = isRightKey ? 'shown' : this.#findGrant(visit, credential, hasSession);
    if (grant === undefined) return 'refused';
    if (grant === 'ambient' && refuseCrossSite(visit)) return 'answered';
    if (grant !== 'public') return letIn(visit);
    // A request to a public path does not authenticate its connection, unless it has a session or a credential as well.
    const isKnown = hasSession || credential !== undefined;
    visit.isPublicOnly = !isKnown || isCrossSite(visit);
    if (isKnown) return letIn(visit);
    visit.markUnauthenticated();
    return 'let in';
  }

  /** Removes key, password and cookies from a request that was refused before `check`, and is recorded. */
  removeCredentials(request: HttpRequest): void {
    takeKey(request);
    this.#takeAuthorization(request);
    dropOwnCookies(request);
  }

  #findGrant(visit: Visit, credential: Credential | undefined, hasSession: boolean): Grant | undefined {
    if (credential === 'key') return 'shown';
    if (this.#isPublic(readPath(visit.request))) return 'public';
    if (credential === 'password') {
      // Scripts of the app may later replace the browser's `Authorization` with one of their own; then the cookie
      // counts.
      if (!hasSession && visit.address) visit.ownHeaders.push(['set-cookie', this.#issue(visit.address.url)]);
      return 'ambient';
    }
    return hasSession ? 'ambient' : undefined;
  }

  /** Removes the gateway's credential from every request, because browsers send a password to public paths too. */
  #takeAuthorization(request: HttpRequest): Credential | undefined {
    const { authorization } = request.headers;
    if (this.#wanted === undefined || authorization === undefined) return undefined;
    if (!hasCredential(authorization, this.#wanted)) return undefined;
    dropAuthorization(request);
    return this.#wanted.kind;
  }

  #isKey(given: string | undefined): boolean {
    return this.#wanted?.kind === 'key' && given !== undefined && this.#wanted.isRight(given);
  }

  #hasSession({ request, address }: Visit): boolean {
    return address !== undefined && this.#cookies.accepts(request.headers.cookie, address.url);
  }

  #issue(url: URL): string {
    return this.#cookies.issue(url, this.#endsAt());
  }

  /**
   * Redirects to `target`, which lacks the key: the key must not stay in the address bar, in histories and in
   * `Referer`.
   */
  #signIn(visit: Visit, target: string): Decision {
    const { request, response, address } = visit;
    if (address === undefined) return 'refused';
    visit.markAuthenticated();
    response.writeHead(303, [
      ...['location', target],
      ...['set-cookie', this.#issue(address.url)],
      ...this.#siteData.clearFor(request, address.url).flat(),
      ...['content-length', '0'],
      ...['cache-control', 'no-store'],
      ...['referrer-policy', 'no-referrer'],
    ]);
    response.end();
    return 'answered';
  }

  #answerSignIn(visit: Visit, hasSession: boolean): Decision {
    if (visit.request.method === 'POST' && visit.upgrade === undefined) {
      this.#readForm(visit);
      return 'answered';
    }
    return hasSession && isPageLoad(visit) ? this.#signIn(visit, '/') : 'refused';
  }

  /** Reads the only body that the gateway itself uses. Anybody can send one, so its length is limited. */
  #readForm(visit: Visit): void {
    const { request, response, awaitsContinue } = visit;
    visit.markUnauthenticated();
    if (refuseCrossSite(visit)) return;
    if (awaitsContinue) response.writeContinue();
    let form = '';
    request.setEncoding('latin1');
    request.on('data', (text: string) => {
      if (response.headersSent) return;
      form += text;
      if (form.length > MAX_FORM_BYTES) this.refuse(visit);
    });
    request.once('end', () => {
      if (response.headersSent) return;
      const key = new URLSearchParams(form).get('key') ?? '';
      const isRight = this.#isKey(key.trim());
      const wrongKey = !isRight && key !== '';
      if (wrongKey) this.#onWrongCredential(visit);
      if (!isRight || this.#signIn(visit, readReturn(visit)) === 'refused') this.refuse(visit, { wrongKey });
    });
  }

  /**
   * The same answer for every path, method and upgrade, whether the app runs or not; only preflights get another one.
   * The page says more to a visitor who sent a form. The connection is closed.
   */
  refuse(visit: Visit, { wrongKey = false } = {}): void {
    const { request } = visit;
    if (isPreflight(request)) {
      sendPreflight(visit);
      return;
    }
    const kind = this.#wanted?.kind === 'password' ? 'basic' : 'link';
    const isLostForm = request.method === 'POST' && wantsPage(request) && readPath(request) !== SIGN_IN_PATH;
    sendNotice(visit, describeRefusal(kind, wrongKey, isLostForm ? undefined : SIGN_IN_PATH), {
      ...READABLE_BY_ALL,
      connection: 'close',
      'www-authenticate':
        kind === 'basic' ? 'Basic realm="preview", charset="UTF-8"' : 'Bearer realm="preview"',
    });
  }
}

function letIn(visit: Visit): Decision {
  visit.markAuthenticated();
  return 'let in';
}

function hasCredential(authorization: string, { isUsualField, read, isRight }: Wanted): boolean {
  if (isUsualField(authorization)) return true;
  const given = read(authorization);
  return given !== undefined && isRight(given);
}

function isPageLoad({ request, upgrade }: Visit): boolean {
  return (request.method === 'GET' || request.method === 'HEAD') && upgrade === undefined;
}

/**
 * Whether a script of another origin reads the answer, with `fetch` or `EventSource`. It could not use the cookie of a
 * sign-in. Some browsers send `Origin` with page loads too, after a redirect.
 */
function isForeignFetch(request: HttpRequest): boolean {
  return request.headers.origin !== undefined && !wantsPage(request);
}

/** Where to go after the sign-in: back to the page that showed the form. */
function readReturn({ request, address }: Visit): string {
  const from = URL.parse(request.headers.referer ?? '');
  if (from === null || !address?.origins.has(from.origin)) return '/';
  const target = splitKey(`${from.pathname}${from.search}`).rest;
  // Two slashes would redirect to another host.
  return /^\/[/\\]/.test(target) || target.startsWith(SIGN_IN_PATH) ? '/' : target;
}
