// The list of requests, newest first. Only the rows in view are in the page, however many requests there are.
// A listbox (WAI-ARIA): it takes the focus as a whole, and `aria-activedescendant` names the row that the keys act on.

import { el } from './dom.ts';
import type { Entry } from './requests.ts';
import { fillRow } from './row.ts';

/** As in style.css. */
const ROW_PX = 52;
/** Rows beyond the visible ones, so that quick scrolling shows no gap. */
const MARGIN_ROWS = 8;

export interface ListEvents {
  /** A row was chosen. */
  open(id: number): void;
  /** The keys moved to another row. */
  activate(id: number): void;
  scroll(isAtTop: boolean): void;
}

export class RequestList {
  readonly #box: HTMLElement;
  readonly #events: ListEvents;
  readonly #rows = new Map<number, { element: HTMLElement; head: Entry['head'] }>();
  readonly #spacer = el('div', { class: 'spacer', role: 'presentation' });
  #entries: readonly Entry[] = [];
  #activeId: number | undefined;
  #openId: number | undefined;
  #scheduled = false;

  constructor(box: HTMLElement, events: ListEvents) {
    this.#box = box;
    this.#events = events;
    box.append(this.#spacer);
    box.addEventListener('scroll', () => this.#schedule(), { passive: true });
    box.addEventListener('click', event => this.#clicked(event));
    box.addEventListener('focus', () => this.#activateSome());
    new ResizeObserver(() => this.#schedule()).observe(box);
  }

  /** Oldest first. Rows that are being read stay where they are when new ones come above them. */
  show(entries: readonly Entry[]): void {
    const top = this.#box.scrollTop;
    const anchor = top > 0 ? this.#entryAt(Math.floor(top / ROW_PX)) : undefined;
    const before = anchor && this.#positionOf(anchor.head.id);
    this.#entries = entries;
    this.#spacer.style.height = `${entries.length * ROW_PX}px`;
    const after = anchor && this.#positionOf(anchor.head.id);
    if (before !== undefined && after !== undefined && after >= 0 && after !== before)
      this.#box.scrollTop = top + (after - before) * ROW_PX;
    this.#schedule();
  }

  /** Marks the row whose request is open beside the list. */
  markOpen(id: number | undefined): void {
    this.#openId = id;
    if (id !== undefined) this.#activeId = id;
    this.#schedule();
  }

  /** Moves the active row by so many; infinite for the ends. */
  move(rows: number): void {
    if (this.#entries.length === 0) return;
    const from = this.#activeId === undefined ? -1 : this.#positionOf(this.#activeId);
    const to = Math.min(Math.max(from + rows, 0), this.#entries.length - 1);
    this.#activate(to);
  }

  get hasOpen(): boolean {
    return this.#openId !== undefined;
  }

  /**
   * As `move`, from anywhere on the page: the list takes the focus, so that Enter opens the row. The first time, the row
   * is the first one in view.
   */
  enter(rows: number): void {
    const isFirst = this.#activeId === undefined || this.#positionOf(this.#activeId) < 0;
    this.focus();
    if (!isFirst) this.move(rows);
  }

  /** How many rows a page up or down moves. */
  get pageRows(): number {
    return Math.max(1, Math.floor(this.#box.clientHeight / ROW_PX) - 1);
  }

  openActive(): void {
    if (this.#activeId !== undefined && this.#positionOf(this.#activeId) >= 0)
      this.#events.open(this.#activeId);
  }

  focus(): void {
    this.#box.focus({ preventScroll: true });
  }

  scrollToTop(): void {
    this.#box.scrollTop = 0;
    this.focus();
  }

  #activateSome(): void {
    if (this.#activeId === undefined || this.#positionOf(this.#activeId) < 0)
      this.#activeId = this.#entryAt(Math.ceil(this.#box.scrollTop / ROW_PX))?.head.id;
    this.#schedule();
  }

  #activate(position: number): void {
    const entry = this.#entryAt(position);
    if (entry === undefined) return;
    this.#activeId = entry.head.id;
    this.#scrollTo(position);
    this.#draw();
    this.#events.activate(entry.head.id);
  }

  #scrollTo(position: number): void {
    const [top, height] = [position * ROW_PX, this.#box.clientHeight];
    if (top < this.#box.scrollTop) this.#box.scrollTop = top;
    if (top + ROW_PX > this.#box.scrollTop + height) this.#box.scrollTop = top + ROW_PX - height;
  }

  #clicked(event: MouseEvent): void {
    const row = event.target instanceof Element ? event.target.closest('[role=option]') : null;
    const id = Number(row?.id.replace('request-', ''));
    if (row === null || Number.isNaN(id)) return;
    this.#activeId = id;
    this.#events.open(id);
  }

  /** The newest one is at 0. */
  #entryAt(position: number): Entry | undefined {
    return this.#entries[this.#entries.length - 1 - position];
  }

  /** Negative if it is not in the list. */
  #positionOf(id: number): number {
    let [low, high] = [0, this.#entries.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.#entries[middle]?.head.id ?? 0;
      if (found === id) return this.#entries.length - 1 - middle;
      if (found < id) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  #draw(): void {
    this.#events.scroll(this.#box.scrollTop < ROW_PX);
    const wanted = this.#positionsInView();
    for (const [id, { element }] of this.#rows)
      if (!wanted.has(id)) {
        element.remove();
        this.#rows.delete(id);
      }
    for (const [id, position] of wanted) this.#drawRow(id, position);
    this.#nameActive(wanted);
  }

  /** By id. The active row is always among them: screen readers follow a reference to it. */
  #positionsInView(): Map<number, number> {
    const first = Math.floor(this.#box.scrollTop / ROW_PX) - MARGIN_ROWS;
    const last = Math.ceil((this.#box.scrollTop + this.#box.clientHeight) / ROW_PX) + MARGIN_ROWS;
    const positions = new Map<number, number>();
    for (let position = Math.max(0, first); position <= Math.min(last, this.#entries.length - 1); position++)
      positions.set(this.#entryAt(position)?.head.id ?? 0, position);
    const active = this.#activeId === undefined ? -1 : this.#positionOf(this.#activeId);
    if (this.#activeId !== undefined && active >= 0) positions.set(this.#activeId, active);
    return positions;
  }

  #drawRow(id: number, position: number): void {
    const head = this.#entryAt(position)?.head;
    if (head === undefined) return;
    const known = this.#rows.get(id);
    const element = known?.element ?? el('div', { role: 'option', id: `request-${id}` });
    if (known?.head !== head) {
      fillRow(element, head);
      this.#rows.set(id, { element, head });
    }
    element.style.transform = `translateY(${position * ROW_PX}px)`;
    element.ariaPosInSet = String(position + 1);
    element.ariaSetSize = String(this.#entries.length);
    element.ariaSelected = String(id === this.#openId);
    element.classList.toggle('active', id === this.#activeId);
    if (known === undefined) this.#spacer.append(element);
  }

  #nameActive(drawn: ReadonlyMap<number, number>): void {
    if (this.#activeId !== undefined && drawn.has(this.#activeId))
      this.#box.setAttribute('aria-activedescendant', `request-${this.#activeId}`);
    else this.#box.removeAttribute('aria-activedescendant');
  }
}
