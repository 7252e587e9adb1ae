// The page that plays the pull request: connects to the demo, and hands what comes to the parts of the page.

                                                                      
import { showComments } from './comments.js';
import { act, listen, takeKey } from './connection.js';
import { showDeployments } from './deployments.js';
import { byId, el, onChange, setHidden, setText } from './dom.js';
import { clear, showLines } from './log.js';
import { renderMarkdown } from './markdown.js';
import { count, showStory } from './story.js';
import { showTab, startTabs } from './tabs.js';
import { showWebhooks } from './webhooks.js';

const BUTTONS                    = ['cut', 'restore', 'end', 'cancel', 'again', 'signed', 'unsigned'];
const TICK_MS = 250;

const showPull = onChange(({ title, number, author, branch, base, body }             ) => {
  setText('title', title);
  setText('number', `#${number}`);
  setText('author', author);
  setText('description', body);
  byId('merge', HTMLElement).replaceChildren(
    el('strong', {}, author),
    ' wants to merge ',
    el('code', {}, branch),
    ' into ',
    el('code', {}, base),
  );
});
const showCommentsOnce = onChange(showComments);
const showDeploymentsOnce = onChange(showDeployments);
const showSummary = onChange((summary        ) => {
  setHidden('summary', summary === '');
  setHidden('no-summary', summary !== '');
  byId('summary', HTMLElement).replaceChildren(renderMarkdown(summary, { breaks: false }));
});

function show(documents           )       {
  setHidden('content', false);
  setHidden('notice', true);
  showPull(documents.pull);
  showCommentsOnce(documents.comments);
  showDeploymentsOnce(documents.deployments);
  showRun(documents);
  showStory(documents);
  showWebhooks(documents);
}

const CHECKS                                                                 = {
  main: ['busy', 'is running'],
  post: ['busy', 'is cleaning up'],
  success: ['good', 'succeeded'],
  failure: ['bad', 'failed'],
  cancelled: ['off', 'was cancelled'],
};

function showRun({ run }           )       {
  clear(run.number);
  // GitHub shows the summary of a step that has ended.
  showSummary(run.phase === 'main' ? '' : (run.summary ?? ''));
  const [dot = '', text = ''] = CHECKS[run.phase === 'over' ? (run.conclusion ?? '') : run.phase] ?? [];
  for (const id of ['run-dot', 'check-dot']) byId(id, HTMLElement).className = `dot ${dot}`;
  setText('check-text', `run ${run.number} ${text}`);
  setText('run-head', `Run ${run.number} of the workflow Preview ${text}.`);
}

/** Links to this page lead to GitHub in real life. */
function followOwnLinks(event            )       {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!(link instanceof HTMLAnchorElement) || link.origin !== location.origin || link.hash !== '') return;
  event.preventDefault();
  showTab(link.pathname.includes('/actions/') ? 'run' : 'conversation');
}

function start()       {
  const key = takeKey();
  if (key === undefined) return void tellLost('denied');
  startTabs();
  if (location.pathname.includes('/actions/')) showTab('run');
  for (const action of BUTTONS)
    byId(action, HTMLButtonElement).addEventListener('click', () => void act(key, action));
  byId('details', HTMLButtonElement).addEventListener('click', () => showTab('run'));
  addEventListener('click', followOwnLinks);
  setInterval(count, TICK_MS);
  void listen(key, { onState: show, onLog: showLines, onLost: tellLost });
}

function tellLost(why                   )       {
  setHidden('notice', false);
  setText(
    'notice',
    why === 'denied'
      ? 'Open the link that the demo has printed in the terminal: it ends in a key, which this address lacks.'
      : 'The demo has ended, or its terminal was closed. This page shows its last state.',
  );
}

start();
