// Shows a request's body: indented JSON, fields of forms, text, or a hex dump; long ones a part at a time.

import type { RequestMessage } from '../../../shared/request-json.ts';
import {
  type Body,
  type BodyKind,
  decode,
  detectKind,
  indentJson,
  readBytes,
  readText,
  renderHex,
} from './body-text.ts';
import { button, el, line, lines } from './dom.ts';
import { formatBytes } from './format.ts';

/** What a compressed body may grow to here. */
const MOST_DECODED = 8_000_000;
/** Characters that are shown first, and that "show more" adds. */
const TEXT_PART = 100_000;
/** Bytes of a hex dump that are shown first, and that "show more" adds. */
const HEX_PART = 8_192;
/** Fields of a form that are shown. */
const MOST_FIELDS = 1_000;
/** A dump of 16 bytes a line needs about so much room. */
const WIDE_DUMP_PX = 560;

interface View {
  readonly name: string;
  render(): Node | Promise<Node>;
}

/** The body with buttons that choose how it is shown. */
export async function renderBody(message: RequestMessage): Promise<HTMLElement> {
  if (message.body_bytes === 0) return el('p', { class: 'soft' }, 'No body.');
  const sent = readBody(message);
  const coding = findHeader(message, 'content-encoding');
  const decoded = coding === '' ? undefined : await decode(sent, coding, MOST_DECODED);
  const body = decoded === undefined ? sent : { ...sent, ...decoded, isCut: sent.isCut || decoded.isCut };
  const views = listViews(body);
  if (decoded !== undefined)
    views.push({ name: `As sent (${coding})`, render: () => renderDump(sent.bytes) });
  return el('div', { class: 'body' }, describeBody(message, sent, decoded && body), chooseView(views));
}

function readBody(message: RequestMessage): Body {
  return {
    bytes: readBytes(message.body ?? '', message.body_encoding ?? 'utf8'),
    contentType: findHeader(message, 'content-type'),
    isCut: message.body_cut,
  };
}

function findHeader({ headers }: RequestMessage, name: string): string {
  return headers.find(([given]) => given.toLowerCase() === name)?.[1] ?? '';
}

function describeBody({ body_bytes }: RequestMessage, sent: Body, decoded: Body | undefined): HTMLElement {
  const parts = [formatBytes(body_bytes)];
  if (sent.contentType !== '') parts.push(sent.contentType);
  if (sent.isCut) parts.push(`only the first ${formatBytes(sent.bytes.length)} were kept`);
  if (decoded !== undefined) parts.push(describeDecoded(decoded));
  return el('p', { class: 'soft' }, line(parts.join(' · ')));
}

function describeDecoded({ bytes, isCut }: Body): string {
  return `${isCut ? 'the first ' : ''}${formatBytes(bytes.length)} when decoded`;
}

function listViews(body: Body): View[] {
  const text = readText(body);
  const views: View[] = [];
  const kind = detectKind(body, text);
  const readable = text === undefined ? undefined : renderKind(kind, body, text);
  if (kind === 'multipart') views.push({ name: 'Parts', render: () => renderParts(body) });
  if (readable !== undefined) views.push(readable);
  if (text !== undefined) views.push({ name: 'Text', render: () => renderText(text) });
  views.push({ name: 'Hex', render: () => renderDump(body.bytes) });
  return views;
}

function renderKind(kind: BodyKind, body: Body, text: string): View | undefined {
  if (kind === 'json') return { name: 'JSON', render: () => renderJson(text) };
  if (kind === 'form' && !body.isCut)
    return { name: 'Fields', render: () => renderFields(new URLSearchParams(text)) };
  return undefined;
}

function chooseView(views: readonly View[]): HTMLElement {
  const shown = el('div', { class: 'shown' });
  const buttons = views.map(view => button(view.name, () => void choose(view), { class: 'choice' }));
  const choose = async (view: View) => {
    for (const [index, one] of buttons.entries()) one.ariaPressed = String(views[index] === view);
    shown.replaceChildren(await view.render());
  };
  if (views[0] !== undefined) void choose(views[0]);
  return el(
    'div',
    {},
    el('div', { class: 'choices', role: 'group', 'aria-label': 'Show the body as' }, ...buttons),
    shown,
  );
}

/** Calls `next` for one part after the other, each time "show more" is pressed. */
function renderInParts(
  length: number,
  partLength: number,
  next: (from: number, to: number) => Node,
  className = '',
): Node {
  const pre = el('pre', { class: className, tabindex: 0 });
  const more = button('', () => showPart(), { class: 'more' });
  let shown = 0;
  const showPart = () => {
    const to = Math.min(shown + partLength, length);
    pre.append(next(shown, to));
    shown = to;
    more.textContent = `Show more (${formatBytes(length - shown)} left)`;
    more.hidden = shown === length;
  };
  showPart();
  return el('div', {}, pre, more);
}

export function renderText(text: string): Node {
  return renderInParts(text.length, TEXT_PART, (from, to) => lines(text.slice(from, to)));
}

function renderDump(bytes: Uint8Array): Node {
  const perLine = document.body.clientWidth < WIDE_DUMP_PX ? 8 : 16;
  return renderInParts(
    bytes.length,
    HEX_PART,
    (from, to) => {
      const dump = renderHex(bytes.subarray(from, to), from, perLine);
      return document.createTextNode(`${dump}\n`);
    },
    'dump',
  );
}

function renderJson(text: string): Node {
  const indented = indentJson(text);
  return renderInParts(indented.length, TEXT_PART, (from, to) => colourJson(indented.slice(from, to)));
}

const JSON_WORD = /("(?:[^"\\\n]|\\.)*")(:)?|\b(?:true|false|null)\b|-?\d[\d.eE+-]*/g;

function colourJson(text: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  let from = 0;
  for (const match of text.matchAll(JSON_WORD)) {
    const [whole, string, colon] = match;
    const word = string ?? whole;
    const tone = string === undefined ? 'literal' : colon === undefined ? 'string' : 'name';
    fragment.append(lines(text.slice(from, match.index)), el('span', { class: tone }, lines(word)));
    from = match.index + word.length;
  }
  fragment.append(lines(text.slice(from)));
  return fragment;
}

/** Name and value in turn. A value that is JSON (GitHub's `payload=`) is indented. */
function renderFields(fields: Iterable<[string, string]>): Node {
  const rows = [...fields];
  const table = renderPairs(rows.slice(0, MOST_FIELDS), ['Field', 'Value']);
  if (rows.length <= MOST_FIELDS) return table;
  return el('div', {}, table, el('p', { class: 'soft' }, `${rows.length - MOST_FIELDS} more are not shown.`));
}

async function renderParts({ bytes, contentType }: Body): Promise<Node> {
  try {
    const form = await new Response(bytes, { headers: { 'Content-Type': contentType } }).formData();
    return renderFields(Array.from(form, ([name, value]): [string, string] => [name, describePart(value)]));
  } catch {
    return el('p', { class: 'soft' }, 'The parts cannot be told apart.');
  }
}

function describePart(part: string | File): string {
  if (typeof part === 'string') return part;
  return `a file: ${part.name}, ${part.type || 'no type'}, ${formatBytes(part.size)}`;
}

/** A table of names and values, as they came. */
export function renderPairs(
  pairs: readonly (readonly [string, string])[],
  titles: [string, string],
): HTMLElement {
  const head = el('tr', {}, ...titles.map(title => el('th', { scope: 'col' }, title)));
  const rows = pairs.map(([name, value]) =>
    el('tr', {}, el('th', { scope: 'row' }, el('bdi', {}, line(name))), el('td', {}, renderValue(value))),
  );
  return el('table', {}, el('thead', {}, head), el('tbody', {}, ...rows));
}

function renderValue(value: string): Node {
  const isObject = /^\s*[[{]/.test(value);
  const body: Body = { bytes: new Uint8Array(), contentType: '', isCut: false };
  if (isObject && detectKind(body, value) === 'json') return renderJson(value);
  return value.length > TEXT_PART ? renderText(value) : el('bdi', {}, line(value));
}
