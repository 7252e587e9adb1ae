import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { identifyAddress, identifyPreview } from '../../src/github/identity.ts';
import type { Job } from '../../src/github/job.ts';
import { sampleJob, samplePull, sampleWorkflowRun } from './samples.ts';

describe('the identity of a preview', () => {
  it('is the same for every run and commit of the same step', () => {
    const first = identifyPreview(sampleJob(), undefined);
    const later = sampleJob({
      runId: '200',
      runAttempt: 3,
      sha: 'e'.repeat(40),
      eventName: 'push',
      event: {},
    });
    expect(identifyPreview(later, undefined)).toEqual(first);
    expect(first.key).toMatch(/^[0-9a-f]{32}$/);
  });

  it('differs with workflow file, job, step, matrix leg and name', () => {
    const keys = [
      identifyPreview(sampleJob(), undefined),
      identifyPreview(sampleJob({ workflowRef: '.github/workflows/other.yml' }), undefined),
      identifyPreview(sampleJob({ jobId: 'other' }), undefined),
      identifyPreview(sampleJob({ stepId: '__wasmrun_expose-action_2' }), undefined),
      identifyPreview(sampleJob({ matrix: { app: 'a' } }), undefined),
      identifyPreview(sampleJob({ matrix: { app: 'b' } }), undefined),
      identifyPreview(sampleJob(), 'docs'),
    ].map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('treats null and {} alike, and ignores the order of matrix keys', () => {
    const key = (matrix: unknown) => identifyPreview(sampleJob({ matrix }), 'same').key;
    expect(key({})).toBe(key(null));
    expect(key({ b: { y: 1, x: [2] }, a: 1 })).toBe(key({ a: 1, b: { x: [2], y: 1 } }));
  });

  it('ignores the ref the workflow file was taken from', () => {
    const at = (ref: string) =>
      identifyPreview(sampleJob({ workflowRef: `o/r/.github/w.yml@${ref}` }), undefined).key;
    expect(at('refs/pull/7/merge')).toBe(at('refs/heads/main'));
  });

  it('differs even if the parts joined together are equal', () => {
    const key = (jobId: string, stepId: string) => identifyPreview(sampleJob({ jobId, stepId }), 'n').key;
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (a, b, c) => {
        fc.pre(b !== '');
        expect(key(a + b, c)).not.toBe(key(a, b + c));
      }),
    );
  });

  it('is shown as job and matrix leg, or by the name given', () => {
    const matrix = { os: 'ubuntu', node: 24 };
    expect(identifyPreview(sampleJob({ matrix }), undefined).name).toBe('preview (ubuntu, 24)');
    expect(identifyPreview(sampleJob(), '  ').name).toBe('preview');
    expect(identifyPreview(sampleJob({ matrix }), ' docs ').name).toBe('docs');
  });
});

describe('the identity of an address', () => {
  const address = (changes: Partial<Job> = {}, number?: number) => {
    const job = sampleJob(changes);
    return identifyAddress(job, identifyPreview(job, undefined), number);
  };

  it('is the same in every run of one pull request, whatever event started it', () => {
    const first = address();
    expect(address({ runId: '200', runAttempt: 2, sha: 'e'.repeat(40) })).toBe(first);
    const target = { eventName: 'pull_request_target', ref: 'refs/heads/main' };
    expect(address(target)).toBe(first);
    const comment = { issue: { number: 7, pull_request: {} } };
    expect(address({ eventName: 'issue_comment', event: comment, ref: 'refs/heads/main' })).toBe(first);
    expect(address({ eventName: 'workflow_dispatch', event: {}, ref: 'refs/heads/x' }, 7)).toBe(first);
  });

  it('differs with repository, pull request, branch and preview', () => {
    const push = { eventName: 'push', event: {} };
    const run = (head_branch: string) => ({
      eventName: 'workflow_run',
      event: sampleWorkflowRun({ head_sha: 'e'.repeat(40), head_branch }),
    });
    const all = [
      address(),
      address({ event: { pull_request: { ...samplePull('octo/app'), number: 8 } } }),
      address({ repository: { owner: 'octo', name: 'other' } }),
      address({ jobId: 'other' }),
      address({ ...push, ref: 'refs/heads/main' }),
      address({ ...push, ref: 'refs/heads/next' }),
      address(run('main')),
      address(run('next')),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});
