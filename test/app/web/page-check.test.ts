// What a look at the page of a web app says before it is served: its base path, and what is missing.

import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { checkPage } from '../../../src/app/web/page-check.ts';
import { type Files, writeSite } from './site.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function create(files: Files): string {
  const folder = writeSite(files);
  folders.push(folder);
  return folder;
}

const check = (files: Files, wanted = 'auto') => checkPage(create(files), wanted);
const script = (src: string) =>
  `<!doctype html><div id="root"></div><script type="module" src="${src}"></script>`;

describe('the base path', () => {
  const asset = { 'assets/x.js': '' };

  it.each([
    ['Vite', '/repo/', { 'index.html': script('/repo/assets/x.js'), ...asset }],
    ['a path of two segments', '/org/repo/', { 'index.html': script('/org/repo/assets/x.js'), ...asset }],
    ['a query', '/repo/', { 'index.html': script('/repo/assets/x.js?v=1#a'), ...asset }],
    [
      'encoded names',
      '/my%20repo/',
      { 'index.html': script('/my repo/assets/%C3%BC.js'), 'assets/ü.js': '' },
    ],
    ['a file in the root', '/repo/', { 'index.html': script('/repo/main.js'), 'main.js': '' }],
    [
      'Create React App',
      '/repo/',
      {
        'index.html':
          '<link rel="icon" href="/repo/favicon.ico"/><script defer="defer" src="/repo/static/js/main.js"></script>',
        'static/js/main.js': '',
        'favicon.ico': '',
      },
    ],
    [
      'Angular, Flutter and Blazor',
      '/repo/',
      { 'index.html': '<base href="/repo/"><script src="main.js" type="module"></script>', 'main.js': '' },
    ],
    ['<base href> alone', '/repo/', { 'index.html': '<base href="/repo/"><script>start()</script>' }],
    [
      'Trunk',
      '/repo/',
      {
        'index.html':
          '<link rel="modulepreload" href="/repo/a.js"><script type="module">import init from "/repo/a.js"; init();</script>',
        'a.js': '',
      },
    ],
    [
      'a stylesheet alone',
      '/repo/',
      { 'index.html': '<link rel=stylesheet href=/repo/a.css>Text', 'a.css': '' },
    ],
    ['precompressed files', '/repo/', { 'index.html': script('/repo/x.js'), 'x.js': '', 'x.js.gz': '' }],
    [
      'a file that also exists without it',
      '/repo/',
      { 'index.html': `${script('/repo/x.js')}<link rel=icon href=/i.png>`, 'x.js': '', 'i.png': '' },
    ],
    ['no base', '/', { 'index.html': script('/assets/x.js'), ...asset }],
    [
      'a wrong link to an icon',
      '/',
      { 'index.html': `<link rel=icon href=/static/i.png>${script('/assets/x.js')}`, ...asset, 'i.png': '' },
    ],
    ['relative links', '/', { 'index.html': script('./assets/x.js'), ...asset }],
    ['a folder of that name', '/', { 'index.html': script('/repo/x.js'), 'repo/x.js': '', 'x.js': '' }],
    [
      '<base href> to a folder that is there',
      '/',
      { 'index.html': '<base href="/app/"><script src="x.js"></script>', 'app/x.js': '' },
    ],
    ['<base href="./">', '/', { 'index.html': '<base href="./"><script src="x.js"></script>', 'x.js': '' }],
    [
      'other hosts',
      '/',
      {
        'index.html':
          '<script src="https://cdn.example/repo/x.js"></script><script src="//cdn.example/repo/x.js"></script>Text',
        'x.js': '',
      },
    ],
    [
      'a <base href> to another host',
      '/',
      { 'index.html': '<base href="https://a.example/repo/"><script src="x.js"></script>', 'x.js': '' },
    ],
    ['a comment', '/', { 'index.html': '<!-- <script src="/repo/x.js"></script> -->Text', 'x.js': '' }],
    [
      'the text of a script',
      '/',
      { 'index.html': `<script>document.write('<script src="/repo/x.js"><\\/script>')</script>`, 'x.js': '' },
    ],
    [
      'a page without scripts',
      '/repo/',
      { 'index.html': '<link rel=stylesheet href=/repo/a.css>Text', 'a.css': '' },
    ],
  ] satisfies [string, string, Files][])('is found for %s: %s', (_, expected, files) => {
    expect(check(files)).toEqual({ basePath: expected, warnings: [] });
  });

  it('is the one that most references fit, and the others are named', () => {
    const result = check({
      'index.html':
        '<script src="/a/x.js"></script><script src="/b/y.js"></script><script src="/b/z.js"></script>',
      'x.js': '',
      'y.js': '',
      'z.js': '',
    });
    expect(result.basePath).toBe('/b/');
    expect(result.warnings).toEqual([expect.stringContaining('index.html loads /a/x.js, missing from')]);
  });

  it('is not taken from a stylesheet or from few of the scripts', () => {
    const files = { 'assets/x.js': '', 'assets/y.js': '', 'a.css': '', 'env.js': '' };
    const app = `${script('/assets/x.js')}${script('/assets/y.js')}`;
    for (const wrong of ['<link rel=stylesheet href=/css/a.css>', '<script src=/js/env.js></script>']) {
      const result = check({ ...files, 'index.html': `${wrong}${app}` });
      expect(result.basePath).toBe('/');
      expect(result.warnings).toHaveLength(1);
    }
  });

  it('does not help a relative link', () => {
    const files = { 'index.html': '<script src="js/x.js"></script>', 'x.js': '' };
    expect(() => check(files)).toThrow('index.html loads /js/x.js, missing from');
  });

  it('is taken as it is given', () => {
    expect(check({ 'index.html': 'Text' }, '/x/').basePath).toBe('/x/');
    expect(check({ 'index.html': script('x.js'), 'x.js': '' }, '/x/')).toEqual({
      basePath: '/x/',
      warnings: [],
    });
  });

  it('that does not fit the page is refused, with the one that does', () => {
    const files = { 'index.html': script('/repo/x.js'), 'x.js': '' };
    for (const wanted of ['/other/', '/'])
      expect(() => check(files, wanted)).toThrow('It fits the base path /repo/');
  });
});

describe('a page that can only stay blank is an error', () => {
  it.each([
    [
      'a missing module',
      { 'index.html': script('/assets/gone.js') },
      'index.html loads /assets/gone.js, missing from',
    ],
    [
      'a missing script on an empty page',
      { 'index.html': '<div id=root></div><script src=main.js></script>' },
      '/main.js',
    ],
    [
      'missing modules of a script in the page',
      { 'index.html': '<link rel=modulepreload href=/a.js><script type=module>import "/a.js"</script>' },
      '/a.js',
    ],
    [
      'a missing module beside a script in the page',
      { 'index.html': `<script>track()</script>${script('/gone.js')}` },
      '/gone.js',
    ],
    ['a hidden module', { 'index.html': script('/.build/x.js'), '.build/x.js': '' }, '/.build/x.js'],
    [
      'many missing files',
      { 'index.html': [1, 2, 3, 4, 5].map(n => script(`/${n}.js`)).join('') },
      '/1.js, /2.js, /3.js and 2 more, missing from',
    ],
  ] satisfies [string, Files, string][])('%s', (_, files, message) => {
    expect(() => check(files)).toThrow(message);
  });

  it('a module that is a link out of the folder', () => {
    const outside = create({ 'x.js': '' });
    const folder = create({ 'index.html': script('/x.js') });
    symlinkSync(join(outside, 'x.js'), join(folder, 'x.js'));
    expect(() => checkPage(folder, 'auto')).toThrow(
      /\/x\.js, missing from .*One of them is hidden, or a link/,
    );
  });

  it.each([
    [
      'Vite with TypeScript',
      { 'index.html': script('/src/main.tsx'), 'src/main.tsx': '' },
      'loads /src/main.tsx, which no browser can run',
    ],
    ['Vite with Vue', { 'index.html': script('/src/App.vue?t=1') }, 'loads /src/App.vue?t=1'],
    [
      'Create React App',
      { 'index.html': '<link rel=icon href="%PUBLIC_URL%/favicon.ico"><div id=root></div>' },
      'refers to %PUBLIC_URL%/favicon.ico',
    ],
    [
      'Vue CLI',
      { 'index.html': '<link rel=icon href="<%= BASE_URL %>favicon.ico"><div id=app></div>' },
      'refers to <%= BASE_URL %>favicon.ico',
    ],
    ['Trunk', { 'index.html': '<link data-trunk rel="rust"/>' }, 'data-trunk'],
    ['Django', { 'index.html': '<link rel=stylesheet href="{% static \'a.css\' %}">' }, '{% static'],
    ['Jekyll', { 'index.html': '---\nlayout: home\n---\nHello' }, 'front matter'],
    [
      'a template of a server',
      { 'index.html': "<script src=\"{{ url_for('static', filename='a.js') }}\"></script>" },
      '{{ url_for',
    ],
  ] satisfies [string, Files, string][])('the source of %s', (_, files, message) => {
    expect(() => check(files)).toThrow(message);
    expect(() => check(files)).toThrow('this is the source of an app, not its build; build it');
  });

  it.each([
    ['a package', "import { createApp } from 'vue'", 'vue'],
    ['a package without a binding', "import 'lit/polyfill.js';", 'lit/polyfill.js'],
    ['a package, over several lines', "import {\n  a,\n  b,\n} from '@scope/x';", '@scope/x'],
    ['a stylesheet', "import './style.css'", './style.css'],
    ['a picture', "import logo from '/logo.svg?url'", '/logo.svg?url'],
    ['a module of WebAssembly, by Vite', "import init from './y.wasm?init'", './y.wasm?init'],
    ['a component', "import App from './App.vue'", './App.vue'],
  ])('a module that imports %s', (_, code, specifier) => {
    const files = { 'index.html': script('/src/main.js'), 'src/main.js': `// start\n${code}\nrun()` };
    expect(() => check({ ...files, 'package.json': '{}' })).toThrow(
      `loads /src/main.js, which imports '${specifier}', and only a build can resolve that`,
    );
    expect(check(files).warnings).toEqual([]);
    const html = `<script type="importmap">{}</script>${script('/src/main.js')}`;
    expect(check({ ...files, 'package.json': '{}', 'index.html': html }).warnings).toEqual([]);
  });

  it('but not a module that imports only files', () => {
    const code =
      "import './a.js';\nimport x from 'https://cdn.example/x.js';\nawait import('y');\nimport sheet from './a.css' with { type: 'css' };\nconst s = `import z`;";
    const files = { 'index.html': script('/src/main.js'), 'src/main.js': code, 'package.json': '{}' };
    expect(check(files).warnings).toEqual([]);
  });

  it('but not a module whose texts or comments contain imports', () => {
    const code =
      "/*\nimport a from 'a';\n*/\n'use strict';\nimport './b.js';\nconst example = `\nimport { html } from 'lit';\n`;";
    const files = { 'index.html': script('/x.js'), 'x.js': code, 'package.json': '{}' };
    expect(check(files).warnings).toEqual([]);
  });

  it('but not a bundle of many megabytes beside a package.json', () => {
    const files = { 'index.html': script('/x.js'), 'x.js': `run();${' '.repeat(5_000_000)}` };
    expect(check({ ...files, 'package.json': '{}' }).warnings).toEqual([]);
  });

  it('but not a module beside a script that adds an import map', () => {
    const html = `<script src="importmap.js"></script>${script('/x.js')}`;
    const files = {
      'index.html': html,
      'importmap.js': "document.head.append(Object.assign(map, { type: 'importmap' }))",
      'x.js': "import 'lit'",
      'package.json': '{}',
    };
    expect(check(files).warnings).toEqual([]);
  });

  it.each([
    ['a script that another host compiles', script('https://esm.sh/gh/a/b/mod.ts')],
    ['an encoded name', '<link rel=icon href="/%E4%BD%A0ABC%E5%A5%BD.png">Text'],
    ['a script without an address', '<script src=""></script><script>start()</script>'],
    ['a script of an old type', '<script type="text/x-javascript" src="/a.js"></script>'],
  ])('but not %s', (_, html) => {
    expect(check({ 'index.html': html, 'a.js': '' }).warnings).toEqual([]);
  });

  it('an encoded name does not hide the mark of a source', () => {
    const html = '<link rel=icon href="%PUBLIC_URL%/my%20icon.png">';
    expect(() => check({ 'index.html': html })).toThrow('this is the source of an app');
  });

  it('a page that is a link out of the folder', () => {
    const [folder, outside] = [create({}), create({ 'page.html': 'Text' })];
    symlinkSync(join(outside, 'page.html'), join(folder, 'index.html'));
    expect(() => checkPage(folder, 'auto')).toThrow(
      /^path: index.html in .* a link that leads out of the folder/,
    );
  });

  it('the source of an app that was built: the folder is named', () => {
    const source = { 'index.html': script('/src/main.ts') };
    expect(() => check({ ...source, 'dist/index.html': '' })).toThrow('dist has a page');
    expect(() => check({ ...source, 'dist/shop/browser/index.html': '' })).toThrow(
      'dist/shop/browser has a page',
    );
    expect(() => check({ ...source, 'public/index.html': '%PUBLIC_URL%' })).not.toThrow('public has a page');
  });
});

describe('what is missing otherwise is a warning', () => {
  it.each([
    [
      'a stylesheet',
      { 'index.html': '<link rel=stylesheet href=a.css>Text' },
      'index.html loads /a.css, missing from',
    ],
    [
      'a script of a page with text',
      { 'index.html': '<h1>Hello</h1><script src=/env.js></script>' },
      '/env.js',
    ],
    [
      'a setting beside an app in the page',
      { 'index.html': '<div id=root></div><script src=/config.js></script><script>start()</script>' },
      '/config.js',
    ],
    [
      'a setting beside an app on another host',
      {
        'index.html':
          '<div id=root></div><script src=/config.js></script><script src="//cdn.example/x.js"></script>',
      },
      '/config.js',
    ],
    [
      'a module of a page with much text',
      { 'index.html': `<p>${'Much to read. '.repeat(50)}</p>${script('/gone.js')}` },
      '/gone.js',
    ],
    [
      'a module beside one on another host',
      { 'index.html': `${script('/gone.js')}${script('https://cdn.example/x.js')}` },
      '/gone.js',
    ],
    ['one of several scripts', { 'index.html': `${script('/a.js')}${script('/b.js')}`, 'a.js': '' }, '/b.js'],
    [
      'a link that a script fills in, as AngularJS does',
      { 'index.html': '<link rel=stylesheet href="/{{theme}}.css"><script src=/a.js></script>', 'a.js': '' },
      'index.html loads /%7B%7Btheme%7D%7D.css, missing',
    ],
    ['content', { 'index.html': '<title>App</title><app-root></app-root>' }, 'neither text nor a script'],
  ] satisfies [string, Files, string][])('%s', (_, files, message) => {
    expect(check(files).warnings).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    ['icons and manifests', '<link rel=icon href=/no.ico><link rel=manifest href=/no.json>Text'],
    ['scripts for old browsers', `<script nomodule src=/no.js></script>Text`],
    ['what is not loaded with scripts on', '<noscript><link rel=stylesheet href=/no.css></noscript>Text'],
    ['templates', '<template><script src=/no.js></script></template>Text'],
    ['alternate stylesheets', '<link rel="alternate stylesheet" href=/no.css>Text'],
    [
      'data',
      '<script type="application/json" src=/no.json></script><script src="data:text/javascript,1"></script>',
    ],
    ['a picture without text', '<img src=a.png>'],
    ['a redirect', '<meta http-equiv="refresh" content="0; url=/app/">'],
  ])('but not %s', (_, html) => {
    expect(check({ 'index.html': html }).warnings).toEqual([]);
  });
});

describe('what a rule of _redirects leads to', () => {
  const page = { 'index.html': script('/js/x.js'), 'assets/x.js': '' };

  it.each([
    '/js/* /assets/:splat 200',
    '/js/* /assets/:splat 302',
    '/js/* https://cdn.example/:splat 302',
    '/js/* /assets/:splat 200!',
  ])('is not missing: %s', rule => {
    expect(check({ ...page, _redirects: rule }).warnings).toEqual([]);
  });

  it.each(['/* /index.html 200', '/js/* /gone/:splat 200', '/js/* https://cdn.example/:splat 200'])(
    'is missing if it is a page, or nothing: %s',
    rule => {
      expect(() => check({ ...page, _redirects: rule })).toThrow('index.html loads /js/x.js, missing from');
    },
  );
});

it('a page of many megabytes is read as far as needed', () => {
  const html = `${script('/repo/x.js')}<script>/*${'x'.repeat(8_000_000)}*/</script>`;
  expect(check({ 'index.html': html, 'x.js': '' }).basePath).toBe('/repo/');
});

it('a build with only a 200.html is checked by that', () => {
  expect(() => check({ '200.html': script('/gone.js') })).toThrow('200.html loads /gone.js');
});

it('text from a page cannot break out of a message', () => {
  expect(() => check({ 'index.html': script('/a%0a::error::b\u202e.tsx') })).toThrow(
    /^path: index.html loads [^\n\u202e]*$/,
  );
});

it('a folder named index.html is no page', () => {
  const folder = create({});
  mkdirSync(join(folder, 'index.html'));
  writeFileSync(join(folder, '200.html'), 'Text');
  expect(checkPage(folder, 'auto')).toEqual({ basePath: '/', warnings: [] });
});
