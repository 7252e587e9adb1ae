// The log of the job: a block for each step, with numbered lines, groups that fold, and annotations.

                                                    
import { renderAnsi } from './ansi.js';
import { byId, el, renderTime, setHidden } from './dom.js';

const STEP_NAMES                                   = {
  main: 'wasmrun/expose-action@v1',
  post: 'Post wasmrun/expose-action@v1',
};
/** Near enough to the end to follow it, in pixels. */
const NEAR_END = 40;

let shownRun = 0;
const steps = new Map                   ();

export function showLines(lines                         )       {
  for (const line of lines) {
    if (line.run !== shownRun) clear(line.run);
    const step = steps.get(line.step) ?? addStep(line.step);
    step.add(line);
  }
}

/** A new run begins. */
export function clear(run        )       {
  if (run === shownRun) return;
  shownRun = run;
  steps.clear();
  byId('log', HTMLElement).replaceChildren();
  byId('annotation-rows', HTMLElement).replaceChildren();
  setHidden('annotations', true);
}

function addStep(name        )            {
  const step = new StepBlock(STEP_NAMES[name] ?? name);
  steps.set(name, step);
  byId('log', HTMLElement).append(step.element);
  return step;
}

class StepBlock {
           element             ;
           #lines = el('div', { class: 'lines', tabindex: '0', role: 'region' });
  #target              = this.#lines;
  #count = 0;

  constructor(name        ) {
    this.#lines.setAttribute('aria-label', `Log of ${name}`);
    this.element = el('details', { open: true }, el('summary', {}, name), this.#lines);
  }

  add(line              )       {
    if (line.kind === 'end of group') {
      this.#target = this.#lines;
      return;
    }
    const lines = this.#lines;
    const isAtEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < NEAR_END;
    if (line.kind === 'group') {
      const content = el('div', {});
      const summary = el('summary', { class: 'line' }, this.#number(), el('span', {}, line.text));
      this.#lines.append(el('details', { class: 'group' }, summary, content));
      this.#target = content;
    } else for (const text of line.text.split('\n')) this.#target.append(this.#row(line, text));
    if (isAtEnd) lines.scrollTop = lines.scrollHeight;
    if (line.kind === 'notice' || line.kind === 'warning' || line.kind === 'error') annotate(line);
  }

  #row({ kind, at }              , text        )              {
    const label = ['notice', 'warning', 'error'].includes(kind)
      ? el('b', {}, `${kind[0]?.toUpperCase()}${kind.slice(1)}: `)
      : undefined;
    const time = new Date(at).toLocaleTimeString('en-GB');
    return el(
      'div',
      { class: `line ${kind}`, title: time },
      this.#number(),
      el('span', {}, label, renderAnsi(text)),
    );
  }

  #number()              {
    this.#count += 1;
    return el('span', { class: 'n', 'aria-hidden': 'true' }, String(this.#count));
  }
}

function annotate({ kind, text, at }              )       {
  setHidden('annotations', false);
  byId('annotation-rows', HTMLElement).append(
    el(
      'li',
      { class: 'row' },
      el('span', { class: `pill ${kind}` }, kind),
      el('span', { class: 'grow' }, text),
      renderTime(at),
    ),
  );
}
