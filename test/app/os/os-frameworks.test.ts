// Express, Koa and Hono in OS mode, bundled as examples/os-express shows.

import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createOsRig, type OsRig } from '../../support/os-rig.ts';
import { describeWithReal, requirePart } from '../../support/real-parts.ts';

const EXAMPLE = resolve('examples/os-express');

const KOA = `
  const Koa = require('koa');
  const app = new Koa();
  app.use(async context => {
    const chunks = [];
    for await (const chunk of context.req) chunks.push(chunk);
    if (context.path === '/moved') context.redirect('/');
    else context.body = { path: context.path, query: context.query, sent: Buffer.concat(chunks).toString() };
  });
  app.listen(3000);
`;

const HONO = `
  const { serve } = require('@hono/node-server');
  const { Hono } = require('hono');
  const app = new Hono();
  app.get('/moved', context => context.redirect('/'));
  app.all('*', async context =>
    context.json({ path: context.req.path, query: context.req.query(), sent: await context.req.text() }));
  serve({ fetch: app.fetch, port: 3000 });
`;

describeWithReal(['wasmrun', 'runtime', 'os-frameworks'], 'a bundled framework in OS mode', () => {
  let rig: OsRig;
  beforeEach(async () => {
    rig = await createOsRig();
  });
  afterEach(() => rig.stop());

  /** The example's folder, bundled; `server` replaces its app. */
  function bundle(server?: string): string {
    const project = rig.createProject({});
    cpSync(EXAMPLE, project, {
      recursive: true,
      filter: path => !/\/(node_modules|bundle)$/.test(path),
    });
    if (server !== undefined) writeFileSync(join(project, 'server.js'), server);
    symlinkSync(requirePart('os-frameworks'), join(project, 'node_modules'));
    execFileSync(process.execPath, ['bundle.js'], { cwd: project });
    rmSync(join(project, 'node_modules'));
    return project;
  }

  it('runs the example: Express with a form, JSON and static files', async () => {
    const { url } = await rig.start(bundle(), 'node');
    expect(await (await fetch(url)).text()).toContain('<h1>Guests</h1>');
    const posted = await fetch(`${url}/guests`, {
      method: 'POST',
      body: new URLSearchParams({ name: 'Zoë <b>' }),
    });
    expect(posted.url).toBe(`${url}/`);
    expect(await posted.text()).toContain('<li>Zoë &#60;b&#62;</li>');
    expect(await (await fetch(`${url}/guests`)).json()).toEqual(['Zoë <b>']);
    const style = await fetch(`${url}/style.css`);
    expect(style.headers.get('content-type')).toBe('text/css; charset=utf-8');
    expect(await style.text()).toBe(readFileSync(join(EXAMPLE, 'public/style.css'), 'utf8'));
    const range = await fetch(`${url}/style.css`, { headers: { range: 'bytes=0-3' } });
    expect([range.status, await range.text()]).toEqual([206, 'body']);
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
  });

  it.each([
    ['Koa', KOA],
    ['Hono', HONO],
  ])('runs %s', async (_, server) => {
    const { url } = await rig.start(bundle(server), 'node');
    const answer = await fetch(`${url}/a?b=1`, { method: 'POST', body: 'sent' });
    expect(await answer.json()).toEqual({ path: '/a', query: { b: '1' }, sent: 'sent' });
    const moved = await fetch(`${url}/moved`, { redirect: 'manual' });
    expect([moved.status, moved.headers.get('location')]).toEqual([302, '/']);
  });
});
