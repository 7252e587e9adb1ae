// The pull request that the demo previews: as its page shows it, as the server that plays GitHub knows it, and as the
// event of the run describes it. Used by the demo's story.

import type { FakePullRequest } from './github/state.ts';
import type { PullRequest } from './page/documents.ts';

export const PULL: PullRequest = {
  repository: 'octo/app',
  number: 7,
  title: 'Draw the picture in WebAssembly',
  author: 'mona',
  branch: 'julia-set',
  base: 'main',
  commit: '8f3c1e9ad27b60415c9e0b7f4a6d8e2153f7c0aa',
  body: 'The picture is now computed by a WebAssembly module. Please have a look at it before we merge.',
};

const HEAD = { sha: PULL.commit, ref: PULL.branch, repo: { full_name: PULL.repository } };

export const PULL_ON_GITHUB: FakePullRequest = {
  number: PULL.number,
  state: 'open',
  head: HEAD,
  base: { sha: '2b7d40f1c85ea3960d1f7be4926ac05d83e1f6b9', ref: PULL.base },
  title: PULL.title,
  login: PULL.author,
};

/** The repository is private, so that the preview's link gets a key. */
export const PULL_EVENT = {
  pull_request: { number: PULL.number, state: 'open', head: HEAD, base: { ref: PULL.base } },
  repository: { full_name: PULL.repository, private: true },
};
