// Sends a captured request to the app again, and shows what became of it.

import type { ReplayMessage } from '../../../shared/replay-json.ts';
import type { RequestMessage } from '../../../shared/request-json.ts';
import type { Api } from './api.ts';
import { button, el, line, lines } from './dom.ts';
import { formatBytes, formatDuration } from './format.ts';

/** So much of the app's answer is shown. */
const LONGEST_ANSWER = 4_000;

/** The button, and where its result is shown. `signingRules`: the rules that a request can be signed for again. */
export function renderReplay(
  message: RequestMessage,
  api: Api,
  signingRules: readonly string[],
): HTMLElement[] {
  const result = el('div', { class: 'result', role: 'status' });
  const signAgain = el('input', { type: 'checkbox' });
  const replay = button('Replay', () => void run(), {
    class: 'primary',
    title: 'Send this request to the app again',
  });
  const run = async () => {
    replay.disabled = true;
    result.textContent = 'Sending …';
    result.replaceChildren(
      ...(await replayOnce(() => api.replay(message.id, { re_sign: signAgain.checked }))),
    );
    replay.disabled = false;
  };
  // A signature with a time in it is refused by the app after some minutes.
  const canSign = message.verified !== null && signingRules.includes(message.verified);
  const choice = canSign ? [el('label', { class: 'check' }, signAgain, 'Sign it again')] : [];
  return [replay, ...choice, result];
}

/** What happened. */
async function replayOnce(send: () => Promise<ReplayMessage>): Promise<Node[]> {
  try {
    return renderAnswer(await send());
  } catch (error) {
    return [line(`Not replayed: ${error instanceof Error ? error.message : String(error)}`)];
  }
}

function renderAnswer({ status, duration_ms, hint, body, body_encoding, body_bytes }: ReplayMessage): Node[] {
  const summary = `The app answered ${status} after ${formatDuration(duration_ms)} with ${formatBytes(body_bytes)}.`;
  const text = body_encoding === 'utf8' && body ? body.slice(0, LONGEST_ANSWER) : '';
  return [
    el('p', {}, summary),
    ...(hint === null ? [] : [el('p', { class: 'soft' }, line(hint))]),
    ...(text === '' ? [] : [el('pre', { tabindex: 0 }, lines(text))]),
  ];
}
