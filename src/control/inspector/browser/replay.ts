// Sends a captured request to the app again, and shows what became of it.

import type { RequestMessage } from '../../../shared/request-json.ts';
import type { Api } from './api.ts';
import { button, el, line } from './dom.ts';

/** The button, and where its result is shown. */
export function renderReplay(message: RequestMessage, api: Api): HTMLElement[] {
  const result = el('p', { class: 'result', role: 'status' });
  const signAgain = el('input', { type: 'checkbox' });
  const replay = button('Replay', () => void run(), { class: 'primary' });
  const run = async () => {
    replay.disabled = true;
    result.textContent = 'Sending …';
    result.replaceChildren(
      line(await replayOnce(() => api.replay(message.id, { re_sign: signAgain.checked }))),
    );
    replay.disabled = false;
  };
  // A signature with a time in it is refused after some minutes.
  const choice =
    message.verified === null ? [] : [el('label', { class: 'check' }, signAgain, 'Sign it again')];
  return [replay, ...choice, result];
}

/** What happened, in a sentence. */
async function replayOnce(send: () => Promise<Record<string, unknown>>): Promise<string> {
  try {
    const { status, duration_ms } = await send();
    return `The app answered ${status}${duration_ms === undefined ? '' : ` after ${duration_ms} ms`}.`;
  } catch (error) {
    return `Not replayed: ${error instanceof Error ? error.message : String(error)}`;
  }
}
