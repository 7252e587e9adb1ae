// The deployments of the pull request, as GitHub lists them below the conversation.

                                                  
import { byId, el, setHidden } from './dom.js';

const DOTS                                   = {
  success: 'good',
  failure: 'bad',
  error: 'bad',
  in_progress: 'busy',
  queued: 'busy',
  pending: 'busy',
};

export function showDeployments(deployments                       )       {
  setHidden('deployments', deployments.length === 0);
  byId('deployment-rows', HTMLElement).replaceChildren(
    ...deployments.map(({ environment, state, url }) =>
      el(
        'li',
        { class: 'row' },
        el('span', { class: `dot ${DOTS[state] ?? ''}` }),
        el(
          'span',
          { class: 'grow' },
          el('strong', {}, environment),
          el('span', { class: 'soft' }, ` ${state.replace('_', ' ')}`),
        ),
        url === undefined
          ? undefined
          : el(
              'a',
              { class: 'button small', href: url, target: '_blank', rel: 'noopener' },
              'View deployment',
            ),
      ),
    ),
  );
}
