// self-host/kubernetes as an API server would judge it, and what holds its objects together.

import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import {
  buildKustomization,
  checkKustomization,
  type Deployment,
  type KubeObject,
  listKind,
} from '../support/kubernetes.ts';
import { describeWithReal } from '../support/real-parts.ts';

const SELF_HOST = resolve('self-host');
/** Those that somebody applies; the others are parts of them. */
const OVERLAYS = (await readdir(join(SELF_HOST, 'kubernetes'))).filter(name => !name.startsWith('base'));

/** The problems of self-host/kubernetes/direct after a change of one of its files, as if a hand had slipped. */
async function findProblems(file: string, change: [from: string, to: string]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kubernetes-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(join(SELF_HOST, 'kubernetes'), folder, { recursive: true });
  const before = await readFile(join(folder, file), 'utf8');
  expect(before).toContain(change[0]);
  await writeFile(join(folder, file), before.replace(...change));
  return (await checkKustomization(join(folder, 'direct'))).problems.join('\n');
}

/** The deployments whose pods have all these labels. */
const select = (objects: readonly KubeObject[], labels: Readonly<Record<string, string>>) =>
  listKind(objects, 'Deployment').filter(({ spec }) =>
    Object.entries(labels).every(([key, value]) => spec.template.metadata.labels[key] === value),
  );

/** bore's `--min-port` and `--max-port`. */
function readRange({ spec }: Deployment): [number, number] {
  const [option, from, otherOption, to] = spec.template.spec.containers[0]?.args ?? [];
  expect([option, otherOption]).toEqual(['--min-port', '--max-port']);
  return [Number(from), Number(to)];
}

it.each([
  [''],
  ['Preview.example.com'],
  ['https://preview.example.com'],
  ['.example.com'],
  ['a/e;exit 0;s/b/c'],
])(
  "the container of nginx refuses '%s' as the domain of previews, instead of running it as a part of its sed",
  domain => {
    const script = join(SELF_HOST, 'kubernetes/base-with-nginx/start-nginx');
    const { status, stderr } = spawnSync('sh', [script], { env: { ...process.env, PREVIEW_DOMAIN: domain } });
    expect([status, String(stderr)]).toEqual([
      1,
      `PREVIEW_DOMAIN must be a domain in small letters, such as preview.example.com, not '${domain}'\n`,
    ]);
  },
);

describeWithReal(['kube-check'], 'the kustomizations for Kubernetes', () => {
  const built = new Map<string, KubeObject[]>();
  const objectsOf = (overlay: string) => built.get(overlay) ?? [];

  beforeAll(async () => {
    for (const overlay of OVERLAYS)
      built.set(overlay, await buildKustomization(join(SELF_HOST, 'kubernetes', overlay)));
  });

  it.each(OVERLAYS)('%s is accepted by the code of an API server', async overlay => {
    expect(listKind(objectsOf(overlay), 'Deployment')).not.toEqual([]);
  });

  it.each<[string, string, [string, string], string]>([
    [
      'a misspelt field',
      'base/deployment.yaml',
      ['enableServiceLinks', 'enableServiceLink'],
      'unknown field',
    ],
    ['a field of the wrong type', 'base/deployment.yaml', ['replicas: 1', 'replicas: one'], 'replicas'],
    ['a missing field', 'base/deployment.yaml', ['image: bore\n', '\n'], 'image: Required value'],
    [
      'a value that does not exist',
      'base/deployment.yaml',
      ['image: bore\n', 'image: bore\n          imagePullPolicy: Sometimes\n'],
      'imagePullPolicy: Unsupported value',
    ],
    [
      'an impossible combination',
      'direct/deployment.yaml',
      ['hostPort: 7835', 'hostPort: 7836'],
      'must match `containerPort`',
    ],
    [
      'a strategy that does not fit',
      'direct/deployment.yaml',
      ['rollingUpdate: null', ''],
      'rollingUpdate: Forbidden',
    ],
    [
      'a misspelt field of the kustomization',
      'direct/kustomization.yaml',
      ['resources:', 'resource:'],
      'unknown field "resource"',
    ],
    [
      'a file outside the folder',
      'direct/kustomization.yaml',
      ['path: deployment.yaml', 'path: ../base/deployment.yaml'],
      'is not in or below',
    ],
    [
      'a level of Pod Security that the pod violates',
      'direct/namespace.yaml',
      ['privileged', 'baseline'],
      'host namespaces',
    ],
  ])('%s is a problem', async (_, file, change, problem) => {
    expect(await findProblems(file, change)).toContain(problem);
  });

  it('each Service leads to the pods of exactly one server', () => {
    for (const overlay of OVERLAYS)
      for (const { metadata, spec } of listKind(objectsOf(overlay), 'Service'))
        expect(
          select(objectsOf(overlay), spec.selector).map(one => one.metadata.name),
          overlay,
        ).toEqual([metadata.name]);
  });

  it('each Deployment owns the pods of exactly one server, of which there is one', () => {
    for (const overlay of OVERLAYS)
      for (const { metadata, spec } of listKind(objectsOf(overlay), 'Deployment')) {
        const owned = select(objectsOf(overlay), spec.selector.matchLabels);
        expect(
          owned.map(one => one.metadata.name),
          overlay,
        ).toEqual([metadata.name]);
        expect(spec.replicas, overlay).toBe(1);
      }
  });

  it('three-servers lets one server at a time go when nodes are drained', () => {
    const objects = objectsOf('three-servers');
    const [budget] = listKind(objects, 'PodDisruptionBudget');
    expect(budget?.spec.maxUnavailable).toBe(1);
    expect(select(objects, budget?.spec.selector.matchLabels ?? {}).map(one => one.metadata.name)).toEqual([
      'bore-1',
      'bore-2',
      'bore-3',
    ]);
  });

  it('every port of a Service is open in a NetworkPolicy', () => {
    for (const overlay of OVERLAYS)
      for (const { spec } of listKind(objectsOf(overlay), 'Service')) {
        const policies = listKind(objectsOf(overlay), 'NetworkPolicy').filter(
          policy => select(objectsOf(overlay), policy.spec.podSelector.matchLabels).length > 0,
        );
        const open = policies.flatMap(policy => policy.spec.ingress.flatMap(rule => rule.ports));
        const closed = spec.ports.filter(({ port, targetPort = port }) =>
          open.every(
            rule =>
              rule.port !== targetPort &&
              !(rule.endPort !== undefined && Number(rule.port) <= port && port <= rule.endPort),
          ),
        );
        expect(closed, overlay).toEqual([]);
      }
  });

  it('node-ports gives bore the ports that its Service has, with the same numbers on the node', () => {
    const [service] = listKind(objectsOf('node-ports'), 'Service');
    const [deployment] = listKind(objectsOf('node-ports'), 'Deployment');
    if (service === undefined || deployment === undefined) throw new Error('incomplete');
    const [first, last] = readRange(deployment);
    const previews = service.spec.ports.filter(port => port.name !== 'control');
    expect(previews.map(port => port.nodePort)).toEqual(
      Array.from({ length: last - first + 1 }, (_, index) => first + index),
    );
    expect(previews.filter(port => port.port !== port.nodePort)).toEqual([]);
  });
});
