// The text of the gateway's own answers: one notice for each reason why a visitor does not get the app's answer. Used
// by the passes, sent by answer.ts.

import { hasCode } from '../../shared/errors.ts';
import { explainInvalidAnswer } from '../../shared/invalid-answer.ts';
import { sanitise } from '../../shared/sanitise.ts';
import type { AppState } from '../../shared/state.ts';
import { isClientError } from '../upstream/client/errors.ts';

/** All fields are plain text. `detail` comes from the app, and is sanitised to one line. */
export interface Notice {
  status: 401 | 403 | 404 | 405 | 413 | 500 | 502 | 503 | 504;
  /** Decides the colour of the mark. */
  mood: 'waiting' | 'trouble' | 'failed' | 'ended' | 'locked';
  title: string;
  /** What is wrong. */
  what: string;
  /** What happens next, or what to do. */
  next: string;
  /** What a program should do; the plain-text form shows this in place of `next`. */
  nextForScripts?: string;
  detail?: string;
  /** When to try again, in seconds: `Retry-After`, and the page's own reload; absent if that would not help. */
  retryAfterS?: number;
  /** The page does not reload by itself, although trying again may help. */
  staysAsItIs?: boolean;
  /** Where the page's form sends the key; absent if there is no form. */
  keyForm?: string;
  /** Whether the page has a link to the start page. */
  leadsHome?: boolean;
}

/** A start takes seconds; reloading more often would only fill the log. */
const STARTING_RETRY_S = 2;

/** The page waits longer after each restart, as the restarts do, but a reviewer should not wait longer than this. */
const MAX_RESTARTING_RETRY_S = 15;

/** A running app that gave no answer to one request usually answers the next. */
const NO_ANSWER_RETRY_S = 5;

/** The app does not come back by itself, but the next commit's preview has the same address. */
const OVER_RETRY_S = 30;

const STAYS =
  'This page does not reload by itself, because that would start the work again, or lose what you sent.';

/** The same notice, on a page that leaves it to the visitor to try again. */
export function withoutReload(notice: Notice): Notice {
  if (notice.retryAfterS === undefined) return notice;
  return { ...notice, staysAsItIs: true, next: `${STAYS} To try again, go back and start from there.` };
}

/** The notice for an app that is not running. */
export function describeAway(app: Exclude<AppState, { status: 'running' }>): Notice {
  switch (app.status) {
    case 'starting':
      return {
        status: 503,
        mood: 'waiting',
        title: 'The app is starting',
        what: 'The preview is open, but its app does not answer yet.',
        next: 'It shows the app as soon as the app answers.',
        retryAfterS: STARTING_RETRY_S,
      };
    case 'restarting':
      return {
        status: 503,
        mood: 'trouble',
        title: 'The app is restarting',
        what: `The app stopped and is being started again (attempt ${app.attempt}).`,
        next: 'It shows the app as soon as the app answers again.',
        detail: sanitise(app.reason),
        retryAfterS: Math.min(2 ** Math.max(1, app.attempt), MAX_RESTARTING_RETRY_S),
      };
    case 'failed':
      return {
        status: 502,
        mood: 'failed',
        title: 'The app has failed',
        what: `The app ended${app.exitCode === undefined ? '' : ` with exit code ${app.exitCode}`} and is not started again.`,
        next: "The log of the workflow run has its last lines. The next commit's preview may appear at this address.",
        detail: sanitise(app.reason),
        retryAfterS: OVER_RETRY_S,
      };
    case 'stopped':
      return {
        status: 503,
        mood: 'ended',
        title: 'This preview has ended',
        what: 'The app was stopped.',
        next: "The next commit's preview may appear at this address.",
        retryAfterS: OVER_RETRY_S,
      };
  }
}

/**
 * The notice for a visitor without the key or password. It is the same for every request, and shows nothing of the app;
 * only its title differs if a key was sent that is `wrong`. Without `keyForm` it is for a visitor who has sent a form
 * of the app: the sign-in cannot bring back what the form contained.
 */
export function describeRefusal(kind: 'link' | 'basic', wrong: boolean, keyForm: string | undefined): Notice {
  const isLink = kind === 'link';
  return {
    status: 401,
    mood: 'locked',
    title: wrong ? 'That is not the key' : 'This preview is not open to everybody',
    what: isLink
      ? 'It needs a key, which is part of the link that was handed out.'
      : 'It needs a user and a password.',
    next: keyForm === undefined ? LOST_FORM : isLink ? PASTE_KEY : ASK_AUTHOR,
    nextForScripts: isLink ? 'Send it as Authorization: Bearer KEY.' : 'Send them as HTTP Basic.',
    ...(keyForm === undefined ? { leadsHome: true } : isLink && { keyForm }),
  };
}

const PASTE_KEY = 'Open it with the whole link, or paste the key here.';
const ASK_AUTHOR = 'The author of the workflow has them; reload the page to be asked again.';
const LOST_FORM =
  'You were sent here with a form, and nothing of it has reached the app. If you have signed in before: browsers leave the cookie out if another site sends the form, such as a sign-in or payment service. The author of the workflow can then add this path to public-paths. Go on at the start page.';

/** The notice for a request to a path of `verify` without a right signature. The reason is in the record only. */
export const NOT_SIGNED: Notice = {
  status: 401,
  mood: 'locked',
  title: 'This path takes signed requests only',
  what: 'It is for webhooks: a request must have the signature that its provider makes with their common secret. Nothing of this one has reached the app.',
  next: 'The record of the requests says what is wrong with this one (expose requests).',
  nextForScripts: 'The record of the requests says what is wrong with this one (expose requests).',
};

const TOO_LARGE_TO_CHECK = 'Send it again later, or with a body of at most 1 MB.';

/** The notice for a body that is not read to check its signature: it is too long, or too many came at once. */
export const NOT_CHECKED: Notice = {
  status: 503,
  mood: 'trouble',
  title: 'The signature was not checked',
  what: 'The body is too long for that, or too many requests came at once.',
  next: TOO_LARGE_TO_CHECK,
  nextForScripts: TOO_LARGE_TO_CHECK,
  retryAfterS: NO_ANSWER_RETRY_S,
};

/** The notice for a request that has only a cookie or password, and may come from another site. */
export function describeForeignRequest(sender: 'foreign' | 'unnamed'): Notice {
  const common = { status: 403, mood: 'locked', leadsHome: true } as const;
  if (sender === 'foreign')
    return {
      ...common,
      title: 'This request comes from another site',
      what: "Its Origin is not the address of this preview, so the visitor's cookie or password does not count. Nothing of it has reached the app.",
      next: 'Go on at the start page. If another site has to send such requests, the author of the workflow can add their path to public-paths.',
      nextForScripts: 'Send the key as Authorization: Bearer KEY, or add the path to public-paths.',
    };
  return {
    ...common,
    title: 'This request does not say which page sent it',
    what: 'Its Origin is "null", so it may come from another site. Nothing of it has reached the app.',
    next: `The app's own pages do this if they have Referrer-Policy: no-referrer, which is the default of helmet. ${SAY_ORIGIN}`,
    nextForScripts: `Send the key as Authorization: Bearer KEY. If a page of the app sent this: ${SAY_ORIGIN}`,
  };
}

const SAY_ORIGIN =
  'Set Referrer-Policy: same-origin in the app, or use https (input tls-cert): then browsers say in Sec-Fetch-Site that it is the own page.';

/** The notice for a file that `mode: web` cannot serve. */
export function describeFile(status: 404 | 405 | 500): Notice {
  const common = {
    status,
    next: 'The start page may lead to what you are looking for.',
    leadsHome: true,
  } as const;
  switch (status) {
    case 404:
      return {
        ...common,
        mood: 'trouble',
        title: 'Nothing is here',
        what: 'The app has no file of this name.',
      };
    case 405:
      return {
        ...common,
        mood: 'trouble',
        title: 'Files can only be read',
        what: 'Only GET and HEAD are answered.',
      };
    case 500:
      return {
        ...common,
        mood: 'failed',
        title: 'The file cannot be read',
        what: 'It exists, but it is not readable.',
      };
  }
}

const MAX_BODY_HINT = 'The author of the workflow can allow more with the input max-body.';

/** The notice for an upload that is longer than `max-body`. */
export function describeTooLarge(maxBytes: number): Notice {
  return {
    status: 413,
    mood: 'failed',
    title: 'This upload is too large',
    what: `The preview takes at most ${renderBytes(maxBytes)} in one request.`,
    next: MAX_BODY_HINT,
    nextForScripts: MAX_BODY_HINT,
  };
}

/** In the units of `max-body`, in the largest that fits. */
function renderBytes(bytes: number): string {
  for (const [unit, factor] of [
    ['GB', 1024 ** 3],
    ['MB', 1024 ** 2],
    ['KB', 1024],
  ] as const)
    if (bytes >= factor) return `${Number((bytes / factor).toFixed(2))} ${unit}`;
  return bytes === 1 ? '1 byte' : `${bytes} bytes`;
}

/** The notice for an app that runs but gave no answer to this request, or none that is valid. */
export function describeNoAnswer(error: Error): Notice {
  const invalid = explainInvalidAnswer(error);
  if (invalid !== undefined) {
    const remedy = `${invalid.remedy.charAt(0).toUpperCase()}${invalid.remedy.slice(1)}.`;
    return {
      status: 502,
      mood: 'failed',
      title: 'The app answered, but not with valid HTTP',
      what: `What it sent could not be understood as an HTTP answer: ${invalid.problem}.`,
      next: remedy,
      nextForScripts: remedy,
      retryAfterS: NO_ANSWER_RETRY_S,
    };
  }
  if (isClientError(error, 'ERR_APP_ANSWER_TIMEOUT'))
    return {
      status: 504,
      mood: 'trouble',
      title: 'The app did not answer in time',
      what: 'It accepted the request, but sent no answer for an hour.',
      next: `${STAYS} The log of the workflow run shows what the app printed.`,
    };
  return {
    status: 502,
    mood: 'trouble',
    title: 'The app did not answer',
    what: explainNoAnswer(error),
    next: 'If that does not help, the log of the workflow run shows what the app printed.',
    retryAfterS: NO_ANSWER_RETRY_S,
  };
}

function explainNoAnswer(error: Error): string {
  if (isClientError(error, 'ERR_APP_CONNECT_TIMEOUT') || hasCode(error, 'ECONNREFUSED'))
    return 'Nothing accepts connections on its port.';
  if (isClientError(error, 'ERR_APP_CLOSED') || hasCode(error, 'ECONNRESET', 'EPIPE'))
    return 'It closed the connection without an answer.';
  if (isClientError(error, 'ERR_APP_LEFT'))
    return 'It stopped, or moved to another port, during the request.';
  if (isClientError(error, 'ERR_REQUEST_INVALID')) return 'The request could not be sent to it as it is.';
  return 'What it sent could not be understood as an HTTP answer.';
}
