// Where the story is: its steps, what happens now, what to do next, and what happened so far.

                                                 
import { byId, el, onChange, renderTime, setHidden, setText } from './dom.js';

                                                            

const STEPS                                       = [
  ['starting', 'Starting'],
  ['live', 'Live'],
  ['away', 'Reconnecting'],
  ['back', 'Live again'],
  ['ended', 'Ended'],
];
/** The action edits its comment when an outage has lasted so long. */
const SHOWN_AFTER_S = 15;

                  
             
                
               
 

let documents                       ;
/** The steps that this run has been through. */
let seen = new Set      ();
let seenRun = 0;

const showSteps = onChange(({ current, passed }                                            ) =>
  byId('steps', HTMLElement).replaceChildren(
    ...STEPS.map(([step, name]) =>
      el(
        'li',
        {
          class: passed.includes(step) ? 'done' : undefined,
          'aria-current': step === current ? 'step' : undefined,
        },
        name,
      ),
    ),
  ),
);

const showEvents = onChange((events                     ) =>
  byId('events', HTMLElement).replaceChildren(
    ...events.toReversed().map(({ at, text }) => el('li', {}, renderTime(at), el('span', {}, text))),
  ),
);

export function showStory(latest           )       {
  documents = latest;
  const { run, preview, server, events, isOver } = latest;
  if (run.number !== seenRun) seen = new Set();
  seenRun = run.number;
  const { step, title, text } = describeMoment(latest);
  if (seen.size > 0 || step === 'live' || step === 'ended') seen.add('starting');
  if (step === 'away' || step === 'back') seen.add('live');
  seen.add(step);
  showSteps({
    current: step,
    passed: STEPS.map(([name]) => name).filter(name => seen.has(name) && name !== step),
  });
  setText('now', title);
  setText('now-text', text);
  showEvents(events);
  const isUp = step === 'live' || step === 'back';
  const open = byId('open', HTMLAnchorElement);
  if (preview?.link) open.href = preview.link;
  setHidden('open', !isUp || !preview?.link);
  setHidden('cut', !isUp);
  setHidden('restore', server.isUp || isOver);
  setHidden('end', !isUp && step !== 'away');
  setHidden('cancel', run.phase !== 'main' || isOver);
  setHidden('again', run.phase !== 'over' || isOver);
  count();
}

function describeMoment({ run, preview, server, app, isOver, comments }           )         {
  if (isOver)
    return {
      step: 'ended',
      title: 'The demo has ended',
      text: 'It has removed everything that it had started. Run it again from the terminal.',
    };
  if (run.phase === 'over') return describeEnd(run.conclusion);
  if (run.phase === 'post')
    return {
      step: 'ended',
      title: 'Cleaning up',
      text: 'The post step frees the public port, ends every process, and gives the comment its last edit.',
    };
  if (preview === undefined || preview.phase === 'starting')
    return {
      step: 'starting',
      title: 'The preview is starting',
      text: `The workflow's step opens the tunnel and starts the app. ${app}`,
    };
  if (preview.phase !== 'live' || ['Disconnected', 'Failed'].includes(preview.status))
    return {
      step: 'ended',
      title: 'The preview is ending',
      text: 'The step ends with it, and then the post step cleans up.',
    };
  if (!server.isUp || preview.status !== 'Connected')
    return {
      step: 'away',
      title: server.isUp ? 'Reconnecting' : 'The server is down',
      text: `The tunnel is gone, and the action tries to open it again. An outage of less than ${SHOWN_AFTER_S} s is not worth an edit of the comment.`,
    };
  if (!comments.some(({ versions }) => versions.at(-1)?.body.includes(preview.link ?? '')))
    return {
      step: preview.reconnects > 0 ? 'back' : 'live',
      title: 'The preview answers',
      text: 'The action edits its comment in a moment: GitHub wants a short pause between two writes.',
    };
  if (preview.reconnects > 0)
    return {
      step: 'back',
      title: 'Live again, at the same address',
      text: 'The link in the comment works again: nobody needs a new one. Now end the preview, or cancel the run.',
    };
  return {
    step: 'live',
    title: 'The preview is live',
    text: 'The comment has the link, which leads through the tunnel to the app on the runner. Open it. Then cut the server and see what happens.',
  };
}

function describeEnd(conclusion                                )         {
  if (conclusion === 'failure')
    return {
      step: 'ended',
      title: 'The step has failed',
      text: 'The comment says why; the log has the details. No process and no port is left on the runner.',
    };
  return {
    step: 'ended',
    title: conclusion === 'cancelled' ? 'The run was cancelled' : 'The preview has ended',
    text: 'The comment says so, and shows the old address as plain text, because another program may get it. The summary is in the workflow run. A new run edits the same comment, and has the same address.',
  };
}

/** Counts the seconds of an outage. */
export function count()       {
  const cutAt = documents?.server.cutAt;
  const isAway = cutAt !== undefined && documents?.run.phase === 'main';
  setHidden('count', !isAway);
  if (!isAway) return;
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(cutAt)) / 1000));
  setText('seconds', `${seconds} s`);
  const untilShown = SHOWN_AFTER_S - seconds;
  setText(
    'count-text',
    untilShown > 0
      ? `without a tunnel. The comment says so after ${SHOWN_AFTER_S} s.`
      : 'without a tunnel. The comment says so now. The server starts again by itself in a moment.',
  );
}
