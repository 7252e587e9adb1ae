// The demo in OS mode, with the real wasmrun.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { DemoProcess } from '../support/demo-process.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { startWasmhub } from '../support/wasmhub-server.ts';

function makeHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'home-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

describeWithReal(['wasmrun', 'runtime'], 'with wasmrun on this machine', () => {
  it.each([
    ['its runtime too', [], true],
    ['no runtime, but --os', ['--os'], true],
    ['its runtime too, but --web', ['--web'], false],
    ['no runtime, which would have to be downloaded', [], false],
  ] as const)('and %s, the demo chooses the app', async (_, args, isOs) => {
    const hub = await startWasmhub({ runtime: requirePart('runtime') });
    onTestFinished(() => hub.stop());
    const home = makeHome();
    const runtimes = join(home, '.wasmrun', 'runtimes');
    mkdirSync(runtimes, { recursive: true });
    if (_.startsWith('its')) writeFileSync(join(runtimes, 'nodejs'), '');
    const PATH = [dirname(requirePart('wasmrun')), process.env.PATH].join(delimiter);
    const environment = { HOME: home, PATH, WASMRUN_WASMHUB_BASE_URL: hub.url };
    const demo = new DemoProcess([...args, '--json'], onTestFinished, environment);
    await demo.printed(/"phase":"live"/);
    expect(demo.out).toContain(isOs ? '"mode":"os"' : '"mode":"port"');
    const page = new URL((await demo.printed(/"page_url":"([^"]+)"/))[1] ?? '');
    const authorization = `Bearer ${page.hash.replace('#key=', '')}`;
    await fetch(new URL('/api/signed', page), { method: 'POST', headers: { authorization } });
    const { body } = await fetch(new URL('/api/events', page), { headers: { authorization } });
    let events = '';
    for await (const text of (body ?? new ReadableStream<Uint8Array>()).pipeThrough(
      new TextDecoderStream(),
    )) {
      events += text;
      if (/"isSigned":true,"answer":/.test(events)) break;
    }
    expect(events).toContain('"isSigned":true,"answer":200');
    demo.child.kill('SIGINT');
    expect(await demo.ended).toBe(0);
    expect(demo.files()).toEqual([]);
  });
});
