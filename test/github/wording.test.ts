import { describe, expect, it } from 'vitest';
import { GitHubError } from '../../src/github/api.ts';
import {
  describeEntry,
  describeOpenWarning,
  describeReportFailure,
  describeUnknownNumber,
} from '../../src/github/wording.ts';
import { sampleJob } from './samples.ts';

describe('the warning about a report that failed', () => {
  it.each([
    ['comment', 'pull-requests: write'],
    ['deployment', 'deployments: write'],
    ['pull request lookup', 'pull-requests: read'],
  ] as const)('names what a %s needs', (feature, line) => {
    const lacking = new GitHubError('no', { status: 403, retryable: false, lacksPermission: true });
    const hidden = new GitHubError('no', { status: 404, retryable: false });
    for (const error of [lacking, hidden]) {
      const text = describeReportFailure(feature, error);
      expect(text).toMatch(/^could not .*: no\. /);
      expect(text).toContain(`"permissions:", and indented below it "${line}"`);
      expect(text).not.toContain('\n');
    }
  });

  it('names no permission when GitHub refuses for another reason', () => {
    const locked = new GitHubError('the issue is locked', { status: 403, retryable: false });
    expect(describeReportFailure('comment', locked)).toBe(
      'could not comment on the pull request: the issue is locked',
    );
    const revoked = new GitHubError('Bad credentials', { status: 401, retryable: false });
    expect(describeReportFailure('comment', revoked)).toMatch(/: Bad credentials\. The token is wrong, or/);
  });

  it('does not blame permissions for an outage', () => {
    const text = describeReportFailure('comment', new GitHubError('502', { status: 502, retryable: true }));
    expect(text).toBe('could not comment on the pull request: 502');
  });
});

describe('the warning about `pr-number`', () => {
  it('names number, repository and what GitHub said', () => {
    const error = new GitHubError('GitHub answered 404', { status: 404, retryable: false });
    expect(describeUnknownNumber(99, sampleJob(), error)).toBe(
      'there is no comment: `pr-number` is 99, but octo/app has no pull request with that number, or the token may not read it: GitHub answered 404',
    );
  });
});

describe('who can open a preview', () => {
  const hidden = 'not known to be public';

  it('causes a warning if the repository is not public', () => {
    expect(describeOpenWarning('open', 'public')).toBeUndefined();
    expect(describeOpenWarning('open', hidden)).toMatch(/^Anyone/);
    expect(describeOpenWarning('link', hidden)).toMatch(/^Anyone with the link/);
    expect(describeOpenWarning('basic', hidden)).toBeUndefined();
    expect(describeOpenWarning('given key', hidden)).toBeUndefined();
  });

  it('is explained if the link is not enough', () => {
    expect(describeEntry('open')).toBeUndefined();
    expect(describeEntry('link')).toBeUndefined();
    expect(describeEntry('given key')).toContain('key');
    expect(describeEntry('basic')).toContain('password');
  });
});
