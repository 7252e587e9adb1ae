// The pods that self-host/kubernetes renders to, run as a node would: the real bore and nginx with the very commands,
// environment, volumes, users and probes of the manifests. A preview on another machine is visited from a third one.

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { buildKustomization, listKind } from '../support/kubernetes.ts';
import { type Machine, type Machines, startMachines } from '../support/machines.ts';
import { type Pod, type RunningContainer, startPod } from '../support/pod.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { isFull } from '../support/scale.ts';
import { TestCa } from '../support/test-ca.ts';
import { waitUntil } from '../support/wait-until.ts';

const NAMES = ['pod', 'next-pod', 'balancer', 'runner', 'visitor'] as const;
type Name = (typeof NAMES)[number];
const DOCKERFILE = readFileSync(resolve('self-host/image/Dockerfile'), 'utf8');
const SECRET = 'the secret of the cluster';
/** Each starts a pod or two: the gate has one test of each kind. */
const nightly = it.runIf(isFull);
/** Answers with the visitor's address that it is told. */
const APP = `require('node:http').createServer((request, response) =>
    response.end('from ' + request.headers['x-forwarded-for'] + '\\n')).listen(3000, '127.0.0.1', () => console.log('up'))`;

describeWithReal(['bore', 'nginx', 'kube-check', 'machines'], 'the pods for Kubernetes', () => {
  let ca: TestCa;
  let rig: Machines<Name>;
  let machines: Readonly<Record<Name, Machine>>;

  beforeAll(async () => {
    ca = new TestCa();
    rig = await startMachines({ names: NAMES });
    machines = rig.machines;
    const addresses = [machines.pod.ipv4, machines.pod.ipv6 ?? ''];
    await rig.setRecord('bore-3.example.com', [machines.balancer.ipv4]);
    await rig.setRecord('*.bore-3.example.com', [machines.balancer.ipv4]);
    for (const name of ['bore', '*.preview', 'bore-2', '*.bore-2'])
      await rig.setRecord(`${name}.example.com`, addresses);
    const app = machines.runner.run(process.execPath, ['-e', APP], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (app.stdout === null) throw new Error('no pipe');
    await once(app.stdout, 'data');
  });
  afterAll(async () => {
    await rig?.stop();
    ca?.remove();
  });

  /** Starts the pod of a Deployment, and resolves when all its startup and readiness probes succeed. */
  async function start(
    overlay: string,
    name = 'bore',
    { machine = machines.pod, programs = [] }: { machine?: Machine; programs?: string[] } = {},
  ): Promise<Pod> {
    const objects = await buildKustomization(resolve('self-host/kubernetes', overlay));
    const deployment = listKind(objects, 'Deployment').find(one => one.metadata.name === name);
    if (deployment === undefined) throw new Error(`${overlay} has no ${name}`);
    const certificate = ca.issue(
      ['preview', 'bore-2', 'bore-3'].map(domain => `DNS:*.${domain}.example.com`),
    );
    const pod = await startPod({
      machine,
      deployment,
      objects,
      secrets: {
        bore: { BORE_SECRET: SECRET },
        'preview-certificate': { 'tls.crt': certificate.cert, 'tls.key': certificate.key },
      },
      programs: [requirePart('bore'), ...listCopied().map(file => resolve('self-host', file)), ...programs],
    });
    onTestFinished(() => pod.stop());
    for (const { name } of deployment.spec.template.spec.containers) await becomesReady(pod, name);
    return pod;
  }

  /** The link that `expose run` shows on the runner. */
  async function preview(...args: string[]): Promise<string> {
    const child = machines.runner.run(
      process.execPath,
      [join('src', 'cli.ts'), 'run', '--port', '3000', '--access', 'open', ...args],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, BORE_SECRET: SECRET, NODE_EXTRA_CA_CERTS: ca.file },
      },
    );
    onTestFinished(() => void child.kill());
    if (child.stdout === null) throw new Error('no pipe');
    let output = '';
    for await (const line of createInterface(child.stdout)) {
      output += `${line}\n`;
      const link = /https?:\/\/\S+example\.com\S*/.exec(line)?.[0];
      if (link !== undefined) {
        child.stdout.resume();
        return link;
      }
    }
    throw new Error(`no link: ${output}`);
  }

  const visit = (url: string, ...args: string[]) =>
    machines.visitor.finish('curl', ['-sS', '--max-time', '20', '--cacert', ca.file, ...args, url]);

  /** What the app says to a visitor. A preview is reachable some moments before its app is known to answer. */
  async function open(link: string, ...args: string[]): Promise<string> {
    let answer = await visit(link, '--fail', ...args);
    await waitUntil(async () => {
      answer = await visit(link, '--fail', ...args);
      return answer.code === 0;
    }, `${link} answers`);
    return answer.stdout;
  }

  /** The status with which nginx answers. */
  const readStatus = async (url: string, ...args: string[]) =>
    (await visit(url, '-o', '/dev/null', '-w', '%{http_code}', ...args)).stdout;

  it('behind nginx, a preview has https and learns the address of its visitor', async () => {
    await start('behind-nginx');
    const link = await preview(
      ...['--server', 'bore.example.com', '--port-range', '20000-29999', '--trusted-proxy'],
      ...['--public-url', 'https://{port}.preview.example.com'],
    );
    expect(link).toMatch(/^https:\/\/2\d{4}\.preview\.example\.com/);
    expect(await open(link, '-4')).toBe(`from ${machines.visitor.ipv4}\n`);
    expect(await open(link, '-6')).toBe(`from ${machines.visitor.ipv6}\n`);
    expect(await readStatus('https://30000.preview.example.com')).toBe('404');
    // bore's own port: visitors come only through nginx.
    const { hostname } = new URL(link);
    const direct = await visit(`http://bore.example.com:${hostname.slice(0, 5)}`);
    expect(direct.stderr).toMatch(/connection refused|Failed to connect/i);
  });

  nightly('each of three servers serves the names below its own', async () => {
    await start('three-servers', 'bore-2');
    const link = await preview(
      ...['--server', 'bore-2.example.com', '--port-range', '20000-29999', '--trusted-proxy'],
      ...['--public-url', 'https://{port}.{host}'],
    );
    expect(link).toMatch(/^https:\/\/2\d{4}\.bore-2\.example\.com/);
    expect(await open(link)).toMatch(/^from /);
    expect((await visit('https://20000.preview.example.com')).stderr).toContain('unrecognized name');
  });

  it.each([
    ['direct', '20000-29999'],
    ['node-ports', '32000-32099'],
  ])('%s gives visitors the ports of bore', async (overlay, range) => {
    await start(overlay);
    const link = await preview('--server', 'bore.example.com', '--port-range', range);
    expect(link).toMatch(/^http:\/\/bore\.example\.com:\d{5}/);
    expect(await open(link, '-4')).toMatch(/^from /);
    expect(await open(link, '-6')).toMatch(/^from /);
  });

  nightly('a new pod takes over from the old one, and the preview keeps its link', async () => {
    const old = await start('three-servers', 'bore-3');
    await lead(machines.balancer, machines.pod);
    const link = await preview(
      ...['--server', 'bore-3.example.com', '--port-range', '20000-29999'],
      ...['--public-url', 'https://{port}.{host}'],
    );
    await open(link);
    // As a Deployment does with maxSurge: the new one is ready before the Service forgets the old one.
    await start('three-servers', 'bore-3', { machine: machines['next-pod'] });
    await lead(machines.balancer, machines['next-pod']);
    process.kill(old.container('nginx').pid, 'SIGQUIT');
    process.kill(old.container('bore').pid, 'SIGTERM');
    await old.container('bore').exited;
    expect(await open(link)).toMatch(/^from /);
  });

  it('the probes fail while bore hangs, and succeed when it goes on', async () => {
    const bore = (await start('direct')).container('bore');
    expect(await bore.probe('startupProbe')).toEqual({
      ok: true,
      said: expect.stringContaining('is a bore'),
    });
    await signalBore(bore, 'SIGSTOP');
    const [ready, live] = await Promise.all([bore.probe('readinessProbe'), bore.probe('livenessProbe')]);
    expect(ready).toEqual({ ok: false, said: expect.stringContaining('sent nothing within 2 s') });
    expect(live).toEqual({ ok: false, said: expect.stringContaining('sent nothing within 5 s') });
    await signalBore(bore, 'SIGCONT');
    expect((await bore.probe('livenessProbe')).ok).toBe(true);
    // Process 1 also reaps what the probes leave behind.
    await waitUntil(async () => (await listChildren(bore)).size === 1, 'only bore is left');
  });

  nightly('nginx has a probe too, and reads a renewed certificate', async () => {
    // Instead of each minute, it looks all the time.
    const sleep = join(ca.folder, 'sleep');
    await writeFile(sleep, '#!/bin/sh\nexec /bin/sleep 0.1\n', { mode: 0o755 });
    const pod = await start('behind-nginx', 'bore', { programs: [sleep] });
    expect(await pod.container('nginx').probe('livenessProbe')).toEqual({ ok: true, said: 'nginx answers' });
    const renewed = ca.issue(['DNS:*.preview.example.com']);
    await pod.replace('certificate', 'privkey.pem', renewed.key);
    await pod.replace('certificate', 'fullchain.pem', renewed.cert);
    const serial = new X509Certificate(renewed.cert).serialNumber;
    const read =
      'openssl s_client -connect bore.example.com:443 -servername 20000.preview.example.com </dev/null | openssl x509 -noout -serial';
    await waitUntil(
      async () => (await machines.visitor.finish('sh', ['-c', read])).stdout.includes(serial),
      'nginx shows the renewed certificate',
    );
  });

  it('each container ends at once when it is told to, and when its program dies', async () => {
    const pod = await start('behind-nginx');
    const [bore, nginx] = [pod.container('bore'), pod.container('nginx')];
    process.kill(bore.pid, 'SIGTERM');
    process.kill(nginx.pid, 'SIGQUIT');
    expect(await bore.exited).toBe(143);
    expect(await nginx.exited).toBe(0);
    const again = (await start('direct')).container('bore');
    await signalBore(again, 'SIGKILL');
    expect(await again.exited).toBe(137);
  });

  it('the image has the version of bore that the tests run', async () => {
    const { stdout } = await machines.pod.finish(requirePart('bore'), ['--version']);
    const version = /--version (\S+)/.exec(DOCKERFILE)?.[1];
    expect(stdout.trim()).toBe(`bore-cli ${version}`);
  });

  it('bore does not start with an empty secret', async () => {
    const script = resolve('self-host/image/start-bore');
    const { code, stderr } = await machines.pod.finish(script, [], { env: { BORE_SECRET: '' } });
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('BORE_SECRET is missing') });
  });

  it('bore has as many file descriptors as its container may have', async () => {
    const bore = (await start('direct')).container('bore');
    const limits = await readFile(`/proc/${await findBore(bore)}/limits`, 'utf8');
    const [, soft, hard] = /Max open files +(\d+) +(\d+)/.exec(limits) ?? [];
    expect(soft).toBe(hard);
    expect(Number(soft)).toBeGreaterThan(1_024);
  });
});

/** The files of self-host/ that the Dockerfile puts into /usr/local/bin. */
function listCopied(): string[] {
  const copied = /^COPY ([^-].*) \/usr\/local\/bin\/$/m.exec(DOCKERFILE)?.[1] ?? '';
  return copied.split(' ');
}

/** Resolves when the container's readiness probe succeeds; rejects with its log where the container ends instead. */
async function becomesReady(pod: Pod, name: string): Promise<void> {
  const container = pod.container(name);
  let ended = false;
  void container.exited.then(() => {
    ended = true;
  });
  await waitUntil(async () => ended || (await container.probe('readinessProbe')).ok, `${name} is ready`);
  if (ended) throw new Error(`${name} ended: ${await container.readLog()}`);
}

/** The balancer, like a Service, leads new connections to this pod. Those that exist stay where they are. */
async function lead(balancer: Machine, pod: Machine): Promise<void> {
  const rules = `table ip service
    delete table ip service
    table ip service {
      chain in { type nat hook prerouting priority dstnat; tcp dport { 7835, 443 } dnat to ${pod.ipv4}; }
      chain out { type nat hook postrouting priority srcnat; masquerade; }
    }`;
  const script = 'echo 1 >/proc/sys/net/ipv4/ip_forward && exec nft -f -';
  expect(await balancer.finish('sh', ['-c', script], { input: rules })).toMatchObject({ code: 0 });
}

/** The children of process 1: bore, and what a probe may have left to it, by the names of their programs. */
async function listChildren({ pid }: RunningContainer): Promise<Map<string, number>> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const names = new Map<string, number>();
  for (const child of children.trim().split(' ')) {
    const name = await readFile(`/proc/${child}/comm`, 'utf8').catch(() => 'ended');
    names.set(name.trim(), Number(child));
  }
  return names;
}

async function findBore(container: RunningContainer): Promise<number> {
  const pid = (await listChildren(container)).get('bore');
  if (pid === undefined) throw new Error(`bore does not run: ${await container.readLog()}`);
  return pid;
}

async function signalBore(container: RunningContainer, signal: NodeJS.Signals): Promise<void> {
  process.kill(await findBore(container), signal);
}
