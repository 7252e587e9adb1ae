// The workflows of docs/on-demand.md as users paste them, run by act: who gets a preview, who does not, and how it ends.
// act knows no concurrency groups, so what they cancel is not seen here.

import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type FakeState, type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { type ActRun, findProcesses, startAct } from '../support/act.ts';
import { type Gate, startGate } from '../support/github-gate.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { readDocumented } from '../support/workflows.ts';

const LABEL = readDocumented('docs/on-demand.md', 0);
const COMMENT = readDocumented('docs/on-demand.md', 1);
const FORK = readDocumented('docs/on-demand.md', 2);

const NEWER = 'b'.repeat(40);
const COMMENT_ID = 555;

interface Scene {
  run: ActRun;
  github: GitHubServer;
  /** Until it is opened, the preview does not see what happens to its pull request. */
  gate: Gate;
}

interface Play {
  workflow: string;
  host: string;
  eventName: string;
  /** What the payload has besides repository and pull request. */
  event: object;
  /** The repository of the pull request's head. */
  headRepository?: string;
  state?: Partial<FakeState>;
  /** What the gate keeps back; by default every look at the pull request. */
  keep?: RegExp;
}

async function play(options: Play): Promise<Scene> {
  const { workflow, host, eventName, event, headRepository = 'octo/app', state, keep } = options;
  const secret = randomBytes(16).toString('hex');
  const pull = {
    number: 7,
    state: 'open' as const,
    head: { sha: 'a'.repeat(40), ref: 'feature', repo: { full_name: headRepository } },
    labels: ['preview'],
  };
  const github = await startGitHubServer({ repository: 'octo/app', pulls: [pull], ...state });
  const gate = await startGate(keep ?? /^GET .*\/pulls\/7$/);
  gate.guard(github.url);
  onTestFinished(() => github.stop());
  await startRealServer(host, { secret });
  const run = startAct({
    workflow,
    eventName,
    event: {
      ...(eventName !== 'issue_comment' && {
        pull_request: { ...pull, labels: pull.labels.map(name => ({ name })) },
      }),
      repository: { private: false, full_name: 'octo/app' },
      ...event,
    },
    checkout: 'web-hello',
    programs: [requirePart('jq')],
    secrets: { BORE_SECRET: secret, GITHUB_TOKEN: github.state.token },
    variables: { BORE_SERVER: host },
    environment: { GITHUB_API_URL: gate.url },
  });
  return { run, github, gate };
}

const comment = (body: string, login = 'mona') => ({
  action: 'created',
  issue: { number: 7, pull_request: {} },
  comment: { id: COMMENT_ID, body, user: { login } },
});

/** The state in which the comment can be answered. */
const commented = (roles: Record<string, string>): Partial<FakeState> => ({
  roles,
  comments: [{ id: COMMENT_ID, issue: 7, login: 'mona', body: '/preview' }],
});

const reactions = ({ state }: GitHubServer) =>
  state.reactions.map(({ comment: id, content }) => `${content} on ${id}`);

/** The text of the preview's own comment. */
const readReport = ({ state }: GitHubServer) =>
  state.comments.find(({ id }) => id !== COMMENT_ID)?.body ?? '';

async function awaitLive({ run, github }: Scene): Promise<string> {
  let over = false;
  void run.finished.then(() => {
    over = true;
  });
  await waitUntil(() => over || readReport(github).includes('is live'), 'the comment says live', 60_000);
  const [, link] = /\]\(<?(http[^>)]+)>?\)/.exec(readReport(github)) ?? [];
  if (link === undefined) throw new Error(`no preview is live:\n${run.log}`);
  return link;
}

/** The folders in which a job of the run works. */
function findWorkspaces({ home }: ActRun): string[] {
  return readdirSync(home, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('/hostexecutor/index.html'))
    .map(file => join(home, dirname(file)));
}

/** act's own exit is the result of all jobs. */
async function expectGreen({ run }: Scene): Promise<void> {
  const code = await run.finished;
  if (code !== 0) throw new Error(`act ended with ${code}:\n${run.log}`);
  await waitUntil(() => findProcesses(run.home).length === 0, 'no process of the run is left');
  expect(readdirSync(resolve(run.home, '../temp'))).toEqual([]);
}

describeWithReal(['act', 'bore', 'wasmrun', 'jq'], 'a preview on demand', () => {
  it('is started by the label, and ends when the label is removed', async () => {
    const event = { action: 'labeled', label: { name: 'preview' } };
    const scene = await play({ workflow: LABEL, host: '127.0.3.20', eventName: 'pull_request', event });
    const link = await awaitLive(scene);
    expect(await (await fetch(link)).text()).toContain('app.js');
    scene.github.state.pulls = scene.github.state.pulls.map(pull => ({ ...pull, labels: [] }));
    scene.gate.open();
    await expectGreen(scene);
    expect(scene.run.log).toContain('the preview has ended: label removed');
    expect(readReport(scene.github)).toContain('Its label was removed, so it ended');
  });

  it.each([
    ['another label is added', { action: 'labeled', label: { name: 'bug' } }, ['preview', 'bug']],
    ['another label is removed', { action: 'unlabeled', label: { name: 'bug' } }, ['preview']],
    ['the label is removed', { action: 'unlabeled', label: { name: 'preview' } }, []],
    ['a commit comes without the label', { action: 'synchronize' }, ['bug']],
  ])('is not started when %s', async (_, event, labels) => {
    const pull_request = { number: 7, labels: labels.map(name => ({ name })) };
    const scene = await play({
      workflow: LABEL,
      host: '127.0.3.21',
      eventName: 'pull_request',
      event: { ...event, pull_request },
    });
    await expectGreen(scene);
    expect(scene.run.log).not.toContain('Run Main wasmrun/expose-action');
    expect(scene.github.state.comments).toEqual([]);
  });

  it('is started by the comment of somebody with write access, for the newest commit', async () => {
    const scene = await play({
      workflow: COMMENT,
      host: '127.0.3.22',
      eventName: 'issue_comment',
      event: comment('/preview\r\nplease'),
      state: commented({ mona: 'maintain' }),
      keep: /^$/,
    });
    const link = await awaitLive(scene);
    expect(reactions(scene.github)).toEqual([`rocket on ${COMMENT_ID}`]);
    expect(await (await fetch(link)).text()).toContain('app.js');
    expect(readReport(scene.github)).toContain('aaaaaaa');
    const [continueFolder = ''] = findWorkspaces(scene.run);
    writeFileSync(join(continueFolder, 'continue'), '');
    await expectGreen(scene);
  });

  it.each([
    ['somebody who may only read', comment('/preview', 'stranger'), ['-1 on 555']],
    ['somebody with the triage role', comment('/preview', 'helper'), ['-1 on 555']],
    ['another word that begins alike', comment('/previews are great'), []],
    ['a command in the text', comment('/preview"; exit 1; $(exit 1) `exit 1`'), []],
  ])('is not started by the comment of %s', async (_, event, answer) => {
    const scene = await play({
      workflow: COMMENT,
      host: '127.0.3.23',
      eventName: 'issue_comment',
      event,
      state: commented({ mona: 'admin', helper: 'triage' }),
      keep: /^$/,
    });
    await expectGreen(scene);
    expect(reactions(scene.github)).toEqual(answer);
    expect(scene.run.log).not.toContain('Run Main wasmrun/expose-action');
  });

  it('is ended by the comment of somebody with write access: a job takes its place', async () => {
    const scene = await play({
      workflow: COMMENT,
      host: '127.0.3.24',
      eventName: 'issue_comment',
      event: comment('/preview stop  '),
      state: commented({ mona: 'write' }),
      keep: /^$/,
    });
    await expectGreen(scene);
    expect(reactions(scene.github)).toEqual([`rocket on ${COMMENT_ID}`]);
    expect(scene.run.log).toContain('the preview is cancelled, because this job took its place');
    expect(scene.run.log).not.toContain('Run Main wasmrun/expose-action');
  });

  it('is not started for a fork, although somebody with write access has asked', async () => {
    const scene = await play({
      workflow: COMMENT,
      host: '127.0.3.25',
      eventName: 'issue_comment',
      event: comment('/preview'),
      headRepository: 'stranger/app',
      state: commented({ mona: 'admin' }),
      keep: /^$/,
    });
    await expectGreen(scene);
    expect(reactions(scene.github)).toEqual([`-1 on ${COMMENT_ID}`]);
    expect(scene.run.log).not.toContain('Run Main wasmrun/expose-action');
  });

  it('of an approved commit of a fork ends when a newer commit is pushed', async () => {
    const scene = await play({
      workflow: FORK,
      host: '127.0.3.26',
      eventName: 'pull_request_target',
      event: { action: 'labeled', label: { name: 'preview' } },
      headRepository: 'stranger/app',
    });
    await awaitLive(scene);
    scene.github.state.pulls = scene.github.state.pulls.map(pull => ({
      ...pull,
      head: { ...pull.head, sha: NEWER },
    }));
    scene.gate.open();
    await expectGreen(scene);
    expect(scene.run.log).toContain('the preview has ended: newer commit');
  });
});
