// The tab of webhooks: those that were sent, and what the preview recorded.

                                                                     
import { byId, el, onChange, renderTime, setHidden, setText } from './dom.js';

const showDeliveries = onChange((deliveries                     ) =>
  fill('deliveries', deliveries.toReversed().map(renderDelivery), 'Nothing was sent yet.'),
);
const showRecorded = onChange((recorded                     ) =>
  fill('recorded', recorded.toReversed().map(renderRecorded), 'Nothing has come yet.'),
);

export function showWebhooks({ deliveries, recorded, preview, isOver }           )       {
  showDeliveries(deliveries);
  showRecorded(recorded);
  setHidden('webhook-count', recorded.length === 0);
  setText('webhook-count', String(recorded.length));
  const isLive = preview?.phase === 'live' && !isOver;
  for (const id of ['signed', 'unsigned']) byId(id, HTMLButtonElement).disabled = !isLive;
  const link = byId('inspector', HTMLAnchorElement);
  if (preview?.inspector) link.href = preview.inspector;
  link.hidden = !isLive || !preview?.inspector;
  setHidden('inspector-text', link.hidden);
}

function fill(id        , rows                        , empty        )       {
  const body = byId(id, HTMLTableSectionElement);
  const placeholder = el('tr', {}, el('td', { colspan: '3', class: 'soft' }, empty));
  body.replaceChildren(...(rows.length > 0 ? rows : [placeholder]));
}

function renderDelivery({ at, isSigned, answer }          )              {
  return el(
    'tr',
    {},
    el('td', {}, renderTime(at)),
    el('td', {}, isSigned ? 'right' : 'none'),
    el('td', {}, renderAnswer(answer)),
  );
}

const MEANINGS                                   = {
  200: 'the app has it',
  202: 'kept until the app is back',
  401: 'refused: the app never saw it',
};

function renderAnswer(answer                             )                   {
  const fragment = document.createDocumentFragment();
  if (answer === undefined) fragment.append('…');
  else if (typeof answer === 'string') fragment.append(answer);
  else {
    fragment.append(el('b', { class: answer < 400 ? 'good' : 'bad' }, String(answer)));
    const meaning = MEANINGS[answer];
    if (meaning !== undefined) fragment.append(el('span', { class: 'soft' }, ` ${meaning}`));
  }
  return fragment;
}

function renderRecorded({ at, method, target, status, verified, refusal }          )              {
  const result =
    refusal !== undefined
      ? el('span', {}, el('b', { class: 'bad' }, String(status ?? '')), ` ${refusal}`)
      : el(
          'span',
          {},
          el('b', { class: 'good' }, String(status ?? '…')),
          verified === undefined ? '' : ` signed by ${verified}`,
        );
  return el(
    'tr',
    {},
    el('td', {}, renderTime(at)),
    el('td', {}, el('code', {}, `${method} ${target}`)),
    el('td', {}, result),
  );
}
