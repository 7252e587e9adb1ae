// What a row of the matrix of real apps (docs/apps.md) is made of: how its users start the app, and what a reviewer
// does with it. rows.ts lists the rows, drive.ts runs them.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame, Page } from 'puppeteer-core';

/** The columns of the table, in its order. */
export const STEP_NAMES = ['page', 'click', 'form', 'socket', 'reload'] as const;
export type StepName = (typeof STEP_NAMES)[number];

export type Access = 'open' | 'link';

export interface Visit {
  /** Shows the first page of the app, through the tunnel. */
  page: Page;
  /** Where the elements are that a step uses: the page, or a frame of it (`inFrame`). */
  view: Page | Frame;
  /** The app's folder of this run: a step may edit a file in it. */
  folder: string;
}

export interface Step {
  name: StepName;
  /** Rejects with what the reviewer sees instead. */
  run(visit: Visit): Promise<void>;
}

export interface Limit {
  step: StepName;
  /** Only with this access; otherwise with each. */
  access?: Access;
  /** Part of what the user sees. */
  seen: string;
  /** The reason, and what helps. */
  remedy: string;
}

/** One app, started as its users start it and without any configuration for tunnels. */
export interface AppRow {
  /** Names the row in `npm run apps -- ID` and in the test. */
  id: string;
  title: string;
  /** Folder of test/apps with its sources, and with package-lock.json, requirements.txt or go.mod. */
  app: string;
  /** Packages whose versions the table shows, as the app's lock file has them. */
  versions: readonly string[];
  /** What the user runs before, as a step of the workflow; done once, when the app is installed. */
  build?: string;
  /** The action's inputs. `command` or `path` among them is what the table shows. */
  inputs: Readonly<Record<string, string>>;
  steps: readonly Step[];
  /** Needs minutes or hundreds of megabytes: only where EXPOSE_FULL=1 is set. */
  heavy?: true;
  /** What cannot work, and what the user sees. The test fails when it works after all. */
  limit?: Limit;
}

/** `ok` for each step that worked, otherwise what the reviewer saw instead. */
export type Seen = Partial<Record<StepName, string>>;

/** What cannot work with this access. */
export const limitWith = ({ limit }: AppRow, access: Access): Limit | undefined =>
  limit?.access === undefined || limit.access === access ? limit : undefined;

/** The steps that did not go as the row says, each with what was seen. */
export function listSurprises(row: AppRow, access: Access, seen: Seen): string[] {
  const { steps } = row;
  const limit = limitWith(row, access);
  const names = [...new Set(steps.map(({ name }) => name))];
  return names
    .filter(name => (limit?.step === name ? !seen[name]?.includes(limit.seen) : seen[name] !== 'ok'))
    .map(name => `${name}: ${seen[name] ?? 'not tried'}`);
}

/** How long a step may take: a development server compiles a page when it is asked for. */
const STEP_MS = 30_000;
/** How often an edited file is saved again: the page may not be connected yet when it is saved first. */
const SAVE_AGAIN_MS = 3_000;

/** Enough of a page to see why it is not the expected one. */
const EXCERPT_LENGTH = 200;

/** The first page shows this. What the browser's console says in all steps together fails this one (drive.ts). */
export const shows = (text: string, selector = 'h1'): Step => ({
  name: 'page',
  run: ({ view }) => waitForText(view, selector, text),
});

/** A click needs the code on the client. It is repeated, as the page is there before its code. */
export const counts = (): Step => ({
  name: 'click',
  run: async ({ view }) => {
    const clicked = `(() => {
      const button = document.querySelector('#count');
      if (button?.textContent.trim() === '0') button.click();
      return Number(button?.textContent) > 0;
    })()`;
    await view.waitForFunction(clicked, { timeout: STEP_MS, polling: 200 }).catch(() => {
      throw new Error('the counter stays at 0');
    });
  },
});

/** `hello` is posted with a form, and the answer has `text` in the element `shown`. */
export const posts = (field = 'word', shown = '#said', text = 'hello'): Step => ({
  name: 'form',
  run: async ({ view }) => {
    await view.type(`input[name=${field}]`, 'hello');
    await view.click('form button');
    await waitForText(view, shown, text);
  },
});

/** The page opens a WebSocket, says `ping` and shows the answer. */
export const talks = (): Step => ({
  name: 'socket',
  run: ({ view }) => waitForText(view, '#socket', 'pong'),
});

/** An edited file of the app changes the page that is open. */
export const reloads = (file: string, selector = 'h1'): Step => ({
  name: 'reload',
  run: async ({ view, folder }) => {
    const path = join(folder, file);
    const edited = readFileSync(path, 'utf8').replace('first words', 'second words');
    const save = () => writeFileSync(path, edited);
    save();
    const timer = setInterval(save, SAVE_AGAIN_MS);
    await waitForText(view, selector, 'second words').finally(() => clearInterval(timer));
  },
});

/** The step is done inside a frame of the page. */
export const inFrame = (frameName: string, step: Step): Step => ({
  name: step.name,
  run: async ({ page, folder }) => {
    const frame = await page.waitForSelector(`iframe#${frameName}`, { timeout: STEP_MS });
    const inside = await frame?.contentFrame();
    if (!inside) throw new Error(`there is no frame ${frameName}`);
    await step.run({ page, view: inside, folder });
  },
});

/** Waits until the element has exactly this text. */
async function waitForText(view: Page | Frame, selector: string, text: string): Promise<void> {
  const seen = `document.querySelector(${JSON.stringify(selector)})?.textContent.trim()`;
  const [wanted, timeout] = [JSON.stringify(text), STEP_MS];
  await view.waitForFunction(`${seen} === ${wanted}`, { timeout }).catch(async () => {
    const found = await view.evaluate(seen).catch(() => undefined);
    const shown = String(await view.evaluate('document.body.innerText').catch(() => '')).trim();
    const excerpt = shown.replace(/\s+/g, ' ').slice(0, EXCERPT_LENGTH);
    throw new Error(
      `${selector} says ${JSON.stringify(found)} and not ${wanted}; the page says "${excerpt}"`,
    );
  });
}
