// However the demo ends, it leaves no process, no file and no port.

import { describe, expect, it, onTestFinished } from 'vitest';
import { DemoProcess } from '../support/demo-process.ts';
import { accepts } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const portOf = (link: string) => Number(new URL(link).port);

async function startLive(onFinished = onTestFinished): Promise<{ demo: DemoProcess; ports: number[] }> {
  const demo = new DemoProcess(['--web'], onFinished);
  const links = [await demo.link('pull request'), await demo.link('preview'), await demo.link('inspector')];
  for (const link of links) expect(await accepts('127.0.0.1', portOf(link))).toBe(true);
  return { demo, ports: links.map(portOf) };
}

async function expectNothingLeft(demo: DemoProcess, ports: readonly number[]): Promise<void> {
  await waitUntil(() => demo.processes().length === 0, 'all its processes have ended');
  for (const port of ports) expect(await accepts('127.0.0.1', port)).toBe(false);
  expect(demo.files()).toEqual([]);
}

describe.skipIf(process.platform !== 'linux')('the demo leaves nothing', () => {
  it.concurrent.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('after %s', async (signal, context) => {
    const { demo, ports } = await startLive(context.onTestFinished);
    expect(demo.processes().length).toBeGreaterThan(3);
    demo.child.kill(signal);
    expect(await demo.ended).toBe(0);
    await expectNothingLeft(demo, ports);
  });

  it.concurrent('after a second Ctrl-C, which does not wait', async context => {
    const { demo, ports } = await startLive(context.onTestFinished);
    demo.child.kill('SIGINT');
    await waitUntil(() => /disconnected|cleaning up/.test(demo.out), 'the end has begun');
    demo.child.kill('SIGINT');
    expect(await demo.ended).toBe(1);
    await expectNothingLeft(demo, ports);
  });

  it.concurrent('after Ctrl-C while it starts', async context => {
    const demo = new DemoProcess(['--web'], context.onTestFinished);
    await demo.link('pull request');
    demo.child.kill('SIGINT');
    expect(await demo.ended).toBe(0);
    await expectNothingLeft(demo, []);
  });

  it.concurrent('when it is killed: the process that plays the runner cleans up', async context => {
    const { demo, ports } = await startLive(context.onTestFinished);
    demo.child.kill('SIGKILL');
    expect(await demo.ended).toBe('SIGKILL');
    await expectNothingLeft(demo, ports);
  });
});

it('two demos do not disturb each other', async () => {
  const [one, other] = await Promise.all([startLive(), startLive()]);
  expect(new Set([...one.ports, ...other.ports]).size).toBe(6);
  one.demo.child.kill('SIGINT');
  expect(await one.demo.ended).toBe(0);
  await expectNothingLeft(one.demo, one.ports);
  const { status } = await fetch(await other.demo.link('preview'), { redirect: 'manual' });
  expect(status).toBe(303);
  other.demo.child.kill('SIGINT');
  expect(await other.demo.ended).toBe(0);
});

it('refuses a port for its page that is taken, and says so', async () => {
  const { ports } = await startLive();
  const second = new DemoProcess(['--web', '--port', String(ports[0])]);
  expect(await second.ended).toBe(2);
  expect(second.err).toBe(
    `expose demo: the page cannot listen on port ${ports[0]}; give another --port, or none: listen EADDRINUSE: address already in use 127.0.0.1:${ports[0]}\n`,
  );
  expect(second.files()).toEqual([]);
});
