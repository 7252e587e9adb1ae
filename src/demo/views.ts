// What the demo's page shows of GitHub, of the preview and of its requests, from what those say themselves. Used by the
// demo's story.

import type { RequestMessage } from '../shared/request-json.ts';
import type { StateMessage } from '../shared/state-json.ts';
import type { DemoApp } from './apps.ts';
import type { FakeDeployment } from './github/server.ts';
import type { Deployment, Documents, Preview, Recorded } from './page/documents.ts';
import { PULL } from './pull-request.ts';

/** Keeps the address that was known `before`, while there is none. */
export function describePreview(state: StateMessage, before: Preview | undefined): Preview {
  const [url, link] = [state.public_url ?? before?.url, state.preview_url ?? before?.link];
  return {
    mode: state.mode,
    phase: state.exposure.phase,
    status: state.status,
    ...(url !== undefined && { url }),
    ...(link !== undefined && { link }),
    visits: state.visits,
    reconnects: state.reconnects,
  };
}

export function describeRecorded(request: RequestMessage): Recorded {
  const { id, received_at, method, target, status, verified, refusal } = request;
  return {
    id,
    at: received_at,
    method,
    target,
    ...(status !== null && { status }),
    ...(verified !== null && { verified }),
    ...(refusal !== null && { refusal }),
  };
}

export function describeDeployment({ id, environment, statuses }: FakeDeployment): Deployment {
  const { state = 'pending', environmentUrl = '' } = statuses.at(-1) ?? {};
  return { id, environment, state, ...(environmentUrl !== '' && { url: environmentUrl }) };
}

/** The comment's heading, without its marks. */
export function readTitle(body: string): string {
  return (/^#+ (.*)$/m.exec(body)?.[1] ?? 'without a title').replaceAll('`', '');
}

/** What the page shows before the first run. */
export function describeStart(app: DemoApp): Documents {
  return {
    pull: PULL,
    app: app.description,
    comments: [],
    deployments: [],
    run: { number: 0, phase: 'over', startedAt: new Date().toISOString() },
    server: { address: '', isUp: false },
    events: [],
    deliveries: [],
    recorded: [],
    isOver: false,
  };
}
