// Renders the comment as Markdown. Pure: the same view gives the same text. The text always names the end of the
// preview, because a runner that dies cannot correct it. Used by comment-writer.ts; ../summary/ shares some words.

import { renderClientLine } from '../../shared/public-url.ts';
import type { EndReason, UnverifiedReason } from '../../shared/state.ts';
import { renderTime } from '../../shared/utc.ts';
import { renderCode, renderCodeBlock, renderLink, renderSentence } from '../escaping.ts';
import type { Outage, PreviewFacts, PreviewState, PreviewView } from '../view.ts';
import { renderQrCode } from './qr.ts';

/** GitHub refuses longer comments. The limits of the parts are much lower, so that their sum stays below this one. */
export const MAX_COMMENT_LENGTH = 65_536;

/** How many of the app's last lines are shown; more are in the log. */
const MAX_LAST_LINES = 20;

/** How many warnings are shown; all are in the log. */
const MAX_WARNINGS = 10;

/** The whole comment. The marker comes first: a quoted comment has it further down, and does not count as ours. */
export function renderComment(view: PreviewView, marker: string): string {
  return `${marker}\n${renderPreview(view)}\n`;
}

/**
 * A code span of a heading, whose fence may be longer than one backtick. With limits of length, above those of a name:
 * otherwise a comment that somebody has edited could take seconds to read.
 */
const NAME = /^### \S{1,9} Preview ((`{1,110})[^\n]{0,120}?[^`\n]\2(?!`)|\(empty\))/m;
const ADDRESS = /`((?:https?|tcp):\/\/[\w.[\]:-]+)`/;
const FOOTER = /^(\[`.*) · updated [\d: -]+ UTC$/m;

/**
 * What is shown instead of a comment whose run is over and which nobody corrected. Takes name, address and footer from
 * the old text, which our own user wrote.
 */
export function renderStale(body: string, marker: string, now: Date): string {
  const name = NAME.exec(body)?.[1];
  const footer = FOOTER.exec(body)?.[1];
  const paragraphs = [
    `### ⚪ Preview ${name === undefined ? '' : `${name} `}has ended`,
    `Its run is over and could not say so itself.${renderOldAddress(ADDRESS.exec(body)?.[1])}`,
    NEW_RUN,
    `${footer === undefined ? '' : `${footer} · `}updated ${renderTime(now)}`,
  ];
  return `${marker}\n${paragraphs.join('\n\n')}\n`;
}

function renderPreview(view: PreviewView): string {
  const { preview, state } = view;
  const paragraphs = [
    `### ${renderTitle(preview.name, state)}`,
    ...renderState(preview, state),
    ...renderScan(state),
    ...renderCautions(preview, state),
    renderFooter(view),
  ];
  return paragraphs.join('\n\n');
}

const TITLES: Record<PreviewState['kind'], [sign: string, words: string]> = {
  starting: ['🟡', 'is starting'],
  live: ['🟢', 'is live'],
  reconnecting: ['🟠', 'is away for a moment'],
  ended: ['⚪', 'has ended'],
  failed: ['🔴', 'failed'],
};

function renderTitle(name: string, state: PreviewState): string {
  const [sign, words] = TITLES[state.kind];
  return `${sign} Preview ${renderCode(name, 100)} ${words}`;
}

function renderState(preview: PreviewFacts, state: PreviewState): string[] {
  switch (state.kind) {
    case 'starting':
      return [`The link will appear here. ${renderEnd(preview, state.endsAt)}`];
    case 'live':
      return renderLive(preview, state);
    case 'reconnecting':
      return [
        `${OUTAGES[state.outage]} since ${renderTime(state.since)}. ${OUTLOOKS[state.outage]}`,
        `${renderEnd(preview, state.endsAt)}${state.url === undefined ? '' : ` Its address: ${renderAddress(state.url)}.`}`,
      ];
    case 'ended':
      return [
        `${ENDINGS[state.reason]} at ${renderTime(state.endedAt)}.${renderOldAddress(state.url)}`,
        ...renderAgain(state.reason),
      ];
    case 'failed':
      return renderFailed(state);
  }
}

function renderLive(preview: PreviewFacts, state: PreviewState & { kind: 'live' }): string[] {
  const host = renderAddress(state.url);
  const isWeb = /^https?:/i.test(state.url);
  const address = isWeb
    ? `**${renderLink('Open the preview', state.url)}** at ${host}`
    : `Connect to **${host}**, for instance with`;
  const line = renderClientLine(state.url);
  const lines = [address, ...(line === undefined ? [] : [renderCodeBlock([line])])];
  if (state.inspectorUrl !== undefined)
    lines.push(
      `${renderLink('Open the inspector', state.inspectorUrl)} to see its requests and console as they come.`,
    );
  lines.push(renderEnd(preview, state.endsAt));
  if (preview.entry !== undefined) lines.push(renderSentence(preview.entry));
  if (state.unverifiedReason !== undefined) lines.push(UNVERIFIED[state.unverifiedReason]);
  return lines;
}

/** The link as a QR code, for a phone that looks at the screen. */
function renderScan(state: PreviewState): string[] {
  const isWeb = state.kind === 'live' && /^https?:/i.test(state.url);
  const code = isWeb ? renderQrCode(state.url) : undefined;
  return code === undefined ? [] : ['<details><summary>Open on a phone</summary>', code, '</details>'];
}

const UNVERIFIED: Record<UnverifiedReason, string> = {
  silent: 'The runner could not reach this address itself, so it is not verified from here.',
  unproved:
    'The runner could not tell whether this address leads to the preview: **another program may have it**, so it is not verified from here.',
  'app away': 'The app was away when this address was checked, so it is not verified from here.',
};

export const OUTAGES: Record<Outage, string> = {
  tunnel: 'The tunnel has been down',
  'tunnel closed': 'The tunnel has been closed by the workflow',
  app: 'The app has been down',
};

const OUTLOOKS: Record<Outage, string> = {
  tunnel: 'It is being opened again, and this comment will show when it is open.',
  'tunnel closed': 'This comment will show when it is open again.',
  app: 'It is being started again, and this comment will show when it answers.',
};

/** Each is followed by "at" and the time. */
export const ENDINGS: Record<EndReason, string> = {
  'job ended': 'It ended with its job',
  'duration over': 'Its time was over',
  'idle timeout': 'Nobody used it any more, so it ended',
  'continue file': 'The workflow continued',
  stopped: 'It was stopped',
  'pull request closed': 'The pull request was closed, so it ended',
  'pull request merged': 'The pull request was merged, so it ended',
  'newer commit': 'A newer commit was pushed, so it ended',
  'label removed': 'Its label was removed, so it ended',
  'runner gone': 'The runner went away',
};

const NEW_RUN = 'Push a commit or run the workflow again to get a new one.';

/** How to get a new preview; after a pull request is closed, nobody wants one. */
function renderAgain(reason: EndReason): string[] {
  if (reason === 'pull request closed' || reason === 'pull request merged') return [];
  if (reason === 'label removed') return ['Add the label again to get a new one.'];
  return [NEW_RUN];
}

function renderFailed(state: PreviewState & { kind: 'failed' }): string[] {
  const paragraphs = [renderCode(state.reason, 1_000)];
  const lines = state.lastLines.slice(-MAX_LAST_LINES);
  if (lines.length > 0) {
    paragraphs.push(
      '<details><summary>Last lines of the app</summary>',
      renderCodeBlock(lines),
      '</details>',
    );
  }
  paragraphs.push(`It failed at ${renderTime(state.endedAt)}.${renderOldAddress(state.url)}`);
  return paragraphs;
}

/** The end. It is shown from the first write on, because a runner that dies cannot add it later. */
function renderEnd(preview: PreviewFacts, endsAt: Date | undefined): string {
  if (endsAt === undefined) {
    return `The preview ends with its ${renderLink('job', preview.runUrl)} and may be gone after that.`;
  }
  return `The preview runs until **${renderTime(endsAt)}** at the latest and may be gone after that.`;
}

/** The last address, not as a link, because another program may get the port later. */
function renderOldAddress(url: string | undefined): string {
  return url === undefined
    ? ''
    : ` Its address was ${renderAddress(url)}, which may be somebody else's by now.`;
}

/** The address as text, without path and query, because they may contain the key. */
export function renderAddress(url: string): string {
  const parsed = URL.parse(url);
  return renderCode(parsed === null || parsed.host === '' ? url : `${parsed.protocol}//${parsed.host}`);
}

/** Warnings about what visitors can reach; none once the preview is over. */
function renderCautions({ openWarning, warnings }: PreviewFacts, state: PreviewState): string[] {
  if (state.kind === 'ended' || state.kind === 'failed') return [];
  const cautions = openWarning === undefined ? [...warnings] : [openWarning, ...warnings];
  if (cautions.length === 0) return [];
  const shown = cautions.slice(0, MAX_WARNINGS).map(caution => renderSentence(caution));
  return [`> [!WARNING]\n${shown.map(caution => `> ${caution}`).join('\n>\n')}`];
}

function renderFooter({ preview, updatedAt }: PreviewView): string {
  const commit = renderLink(renderCode(preview.commit.slice(0, 7)), preview.commitUrl);
  const run = renderLink('workflow run', preview.runUrl);
  // Not in `<sub>`, whose lines GitHub sets over one another where the text is wider than a phone.
  return `${commit} · ${preview.mode} mode · ${run} · updated ${renderTime(updatedAt)}`;
}
