// Our one comment on a pull request: finds it by its marker and its author, decides whether this run may write it, and
// writes it. Used by comment-writer.ts, which decides when to write.
//
// Who writes: among previews that are alive the newest run, otherwise the run that ended last. Each run decides this for
// itself, from the marker that the comment has at that moment; so it reads the comment before each edit, because GitHub
// has no edit on the condition that nothing has changed. Two runs can still write in the same second: the writer looks
// again a few seconds after it took a comment over.

import type { Logger } from '../../shared/log.ts';
import { compareRuns, type Run } from '../run.ts';
import { isOver, isSameWriter, type Marker, readMarker, type Writer } from './marker.ts';
import type { MarkedComment, Page, Thread } from './thread.ts';

/** What changes from write to write in the marker. */
export type Standing = Pick<Marker, 'state' | 'until'>;

/**
 * `taken`: written, and it showed another run's preview before, so that the other may be writing at this moment.
 * `unchanged`: it reads so already. `yielded`: it shows another run's preview, and was not written.
 */
export type Written =
  | { kind: 'written' | 'taken' | 'unchanged'; slot: number }
  | { kind: 'yielded'; to: Run };

export interface OwnCommentOptions {
  thread: Thread;
  writer: Writer;
  logger: Logger;
}

/** Where to write: a comment that is there, or a new one; or nowhere. */
type Place =
  | { kind: 'comment'; comment: MarkedComment; spare: readonly MarkedComment[] }
  | { kind: 'new' }
  | { kind: 'lost'; to: MarkedComment };

export class OwnComment {
  readonly #options: OwnCommentOptions;
  /** The comment that this process writes, or has yielded, once it is known. */
  #id: number | undefined;
  #slot = 1;
  #isRunKnown: boolean | undefined;
  #seen: Page = { comments: [], next: 1 };

  constructor(options: OwnCommentOptions) {
    this.#options = options;
  }

  /** Our comment, or the one that shows another run's preview; undefined before the first write. */
  get id(): number | undefined {
    return this.#id;
  }

  /** What the last search saw of the thread, as one page. */
  get seen(): Page {
    return this.#seen;
  }

  /**
   * Creates or edits the comment; writes nothing if it reads the same already. `render` gets the marker that must open
   * the body. Can be repeated after a failure: it finds a comment that the failed attempt created. Rejects with a
   * GitHubError.
   */
  async write(standing: Standing, render: (marker: Marker) => string): Promise<Written> {
    const place = (await this.#placeKnown(standing)) ?? (await this.#search(standing));
    switch (place.kind) {
      case 'new':
        return this.#create(standing, render);
      case 'lost':
        this.#id = place.to.id;
        return { kind: 'yielded', to: place.to.marker };
      case 'comment':
        return this.#edit(place, render(this.#markerOf(standing)));
    }
  }

  async #edit({ comment, spare }: Place & { kind: 'comment' }, body: string): Promise<Written> {
    const { thread } = this.#options;
    await this.#removeAll(spare);
    const slot = this.#slot;
    this.#id = comment.id;
    if (isSameText(comment.body, body)) return { kind: 'unchanged', slot };
    await thread.edit(comment.id, body);
    return { kind: (await this.#isOwn(comment.marker)) ? 'written' : 'taken', slot };
  }

  /** The comment that was written before; undefined if it is gone, or if another step of this run has taken it. */
  async #placeKnown(standing: Standing): Promise<Place | undefined> {
    if (this.#id === undefined) return undefined;
    const comment = await this.#options.thread.read(this.#id);
    this.#id = undefined;
    if (comment === undefined) return undefined;
    const read = readMarker(comment.body);
    // Somebody who edited the comment may have removed the marker: the comment is still ours.
    const marker = read?.key === this.#options.writer.key ? read : this.#markerOf(standing);
    if (await this.#isSibling(marker)) return undefined;
    return this.#contest([{ ...comment, marker }], standing);
  }

  /**
   * Ends at the page that decides. Most threads have our comment on their first page, because the first run of a pull
   * request creates it.
   */
  async #search(standing: Standing): Promise<Place> {
    this.#seen = { comments: [], next: 1 };
    for await (const { comments, next } of this.#options.thread.readOwn()) {
      this.#seen = { comments: [...this.#seen.comments, ...comments], next };
      const found = this.#seen.comments.filter(({ marker }) => marker.key === this.#options.writer.key);
      const place = await this.#chooseSlot(found, standing);
      if (place.kind !== 'new') return place;
    }
    return { kind: 'new' };
  }

  /** The slot that this step has already, otherwise the first one that no other step of this run has. */
  async #chooseSlot(found: readonly MarkedComment[], standing: Standing): Promise<Place> {
    const siblings = await this.#filter(found, marker => this.#isSibling(marker));
    const [own] = await this.#filter(found, marker => this.#isOwn(marker));
    const rest = found.filter(comment => !siblings.includes(comment));
    if (own !== undefined) {
      this.#slot = own.marker.slot + siblings.filter(other => isAhead(other, own)).length;
    } else {
      this.#slot = 1;
      while (siblings.some(({ marker }) => marker.slot === this.#slot)) this.#slot += 1;
    }
    const slot = own?.marker.slot ?? this.#slot;
    return this.#contest(
      rest.filter(({ marker }) => marker.slot === slot),
      standing,
    );
  }

  /** This run against every comment of its slot. There are several only if two runs created theirs at once. */
  async #contest(candidates: readonly MarkedComment[], standing: Standing): Promise<Place> {
    let own: MarkedComment | undefined;
    for (const candidate of candidates) {
      if (await this.#isOwn(candidate.marker)) own ??= candidate;
      else if (!(await this.#winsAgainst(candidate, standing))) return { kind: 'lost', to: candidate };
    }
    const comment = own ?? candidates[0];
    if (comment === undefined) return { kind: 'new' };
    return { kind: 'comment', comment, spare: candidates.filter(({ id }) => id !== comment.id) };
  }

  /** Asks GitHub about the other run only if the answer decides. */
  async #winsAgainst(other: MarkedComment, standing: Standing): Promise<boolean> {
    const { writer, thread } = this.#options;
    const isNewer = compareRuns(writer, other.marker) > 0;
    const hasEnded = isOver(standing);
    if (isOver(other.marker)) return isNewer || !hasEnded;
    if (isNewer !== hasEnded) return isNewer;
    return thread.isGone(other, writer);
  }

  async #create(standing: Standing, render: (marker: Marker) => string): Promise<Written> {
    const { thread, writer, logger } = this.#options;
    const { comment, beside } = await thread.create(render(this.#markerOf(standing)));
    const created = { ...comment, marker: this.#markerOf(standing) };
    const rivals = beside.filter(({ id, marker }) => id !== created.id && marker.key === writer.key);
    const siblings = await this.#filter(rivals, marker => this.#isSibling(marker));
    const ahead = siblings.filter(other => isAhead(other, created)).length;
    if (ahead > 0) {
      this.#slot += ahead;
      await thread.edit(created.id, render(this.#markerOf(standing)));
    }
    const others = rivals.filter(rival => rival.marker.slot === this.#slot && !siblings.includes(rival));
    const place = await this.#contest([created, ...others], standing);
    if (place.kind === 'lost') {
      logger.debug(`removing comment ${created.id}: comment ${place.to.id} shows the preview of a newer run`);
      await thread.remove(created.id);
      this.#id = place.to.id;
      return { kind: 'yielded', to: place.to.marker };
    }
    await this.#removeAll(others);
    this.#id = created.id;
    return { kind: 'written', slot: this.#slot };
  }

  async #removeAll(comments: readonly MarkedComment[]): Promise<void> {
    for (const { id } of comments) {
      this.#options.logger.debug(`removing comment ${id}: another comment shows the same preview`);
      await this.#options.thread.remove(id);
    }
  }

  async #isOwn(marker: Marker): Promise<boolean> {
    const { writer } = this.#options;
    if (isSameWriter(marker, writer)) return true;
    return compareRuns(marker, writer) === 0 && !(await this.#runIsKnown());
  }

  /** Whether another step of this run wrote it: a preview of its own, which cannot be told apart in any other way. */
  async #isSibling(marker: Marker): Promise<boolean> {
    const { writer } = this.#options;
    return compareRuns(marker, writer) === 0 && !(await this.#isOwn(marker));
  }

  /** Not on a laptop: act gives each of its runs the same id. */
  async #runIsKnown(): Promise<boolean> {
    const { thread, writer } = this.#options;
    this.#isRunKnown ??= (await thread.readRun(writer)) !== 'unknown';
    return this.#isRunKnown;
  }

  async #filter(
    comments: readonly MarkedComment[],
    check: (marker: Marker) => Promise<boolean>,
  ): Promise<MarkedComment[]> {
    const checked = await Promise.all(comments.map(({ marker }) => check(marker)));
    return comments.filter((_, index) => checked[index]);
  }

  #markerOf({ state, until }: Standing): Marker {
    return { ...this.#options.writer, slot: this.#slot, state, until };
  }
}

/** Of two steps of one run that chose the same slot, the one whose comment is older keeps it. */
function isAhead(other: MarkedComment, own: MarkedComment): boolean {
  return other.marker.slot >= own.marker.slot && other.id < own.id;
}

/** GitHub may change line ends, and white space at the end. */
function isSameText(a: string, b: string): boolean {
  const normalise = (text: string) => text.replaceAll('\r\n', '\n').trimEnd();
  return normalise(a) === normalise(b);
}
