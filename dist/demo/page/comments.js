// The comments of the pull request, with a way to look at their earlier versions.

                                               
import { byId, el, renderTime, setHidden } from './dom.js';
import { renderMarkdown } from './markdown.js';

const cards = new Map                     ();

export function showComments(comments                    )       {
  setHidden('no-comment', comments.length > 0);
  for (const comment of comments) {
    const card = cards.get(comment.id) ?? addCard(comment);
    card.show(comment);
  }
  for (const [id, card] of cards) {
    if (comments.some(comment => comment.id === id)) continue;
    card.element.remove();
    cards.delete(id);
  }
}

function addCard({ id, author }         )              {
  const card = new CommentCard(author);
  cards.set(id, card);
  byId('comments', HTMLElement).append(card.element);
  return card;
}

class CommentCard {
           element             ;
           #body = el('div', { class: 'body markdown-body', 'data-comment': true });
           #when = el('span', { class: 'soft' });
           #which = el('span', { class: 'which' });
           #earlier = el('button', { type: 'button', class: 'small', 'aria-label': 'Earlier version' }, '‹');
           #later = el('button', { type: 'button', class: 'small', 'aria-label': 'Later version' }, '›');
           #versions             ;
  #comment                     ;
  /** Undefined: the newest. */
  #chosen                    ;
  #height = 0;

  constructor(author        ) {
    const name = author.replace(/\[bot\]$/, '');
    this.#versions = el('span', { class: 'versions' }, this.#earlier, this.#which, this.#later);
    this.element = el(
      'article',
      { class: 'card' },
      el(
        'header',
        {},
        el('span', { class: 'avatar bot', 'aria-hidden': 'true' }, '⚙'),
        el('strong', {}, name),
        author.endsWith('[bot]') ? el('span', { class: 'pill' }, 'bot') : undefined,
        this.#when,
        this.#versions,
      ),
      this.#body,
    );
    this.#earlier.addEventListener('click', () => this.#step(-1));
    this.#later.addEventListener('click', () => this.#step(1));
    addEventListener('resize', () => this.#forgetHeight());
  }

  show(comment         )       {
    this.#comment = comment;
    this.#render();
  }

  #step(by        )       {
    const last = (this.#comment?.versions.length ?? 1) - 1;
    const next = Math.max(0, Math.min(last, (this.#chosen ?? last) + by));
    this.#chosen = next === last ? undefined : next;
    this.#render();
  }

  #render()       {
    const versions = this.#comment?.versions ?? [];
    const index = this.#chosen ?? versions.length - 1;
    const version = versions[index];
    if (version === undefined) return;
    const edits = versions.length - 1;
    this.#when.replaceChildren(
      this.#chosen === undefined ? (edits === 0 ? 'commented ' : 'edited ') : 'as it was ',
      renderTime(version.at),
    );
    this.#versions.hidden = edits === 0;
    this.#which.textContent = `${index + 1} of ${versions.length}`;
    this.#earlier.disabled = index === 0;
    this.#later.disabled = index === edits;
    this.element.classList.toggle('old', this.#chosen !== undefined);
    this.#body.replaceChildren(renderMarkdown(version.body, { breaks: true }));
    this.#keepHeight();
  }

  /** The card only grows: what stands below it does not move when a shorter version comes. */
  #keepHeight()       {
    this.#height = Math.max(this.#height, Math.ceil(this.#body.getBoundingClientRect().height));
    this.#body.style.minHeight = `${this.#height}px`;
  }

  #forgetHeight()       {
    this.#height = 0;
    this.#body.style.minHeight = '';
  }
}
