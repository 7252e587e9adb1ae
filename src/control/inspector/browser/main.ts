// Starts the page: takes the key, or asks for it.

import { Api } from './api.ts';
import { byId } from './dom.ts';
import { forgetKey, keepKey, readPasted, takeKey } from './key.ts';
import { Page } from './page.ts';

const keyPage = byId('key-page', HTMLElement);
const app = byId('app', HTMLElement);

function openWith(key: string): void {
  keyPage.hidden = true;
  app.hidden = false;
  const page = new Page(new Api(key));
  void page
    .run(() => keepKey(key))
    .then(() => {
      forgetKey();
      // A page of its own: nothing that was shown stays.
      app.remove();
      ask('The preview refused this key. It may belong to another run.');
    });
}

function ask(problem: string): void {
  byId('key-problem', HTMLElement).textContent = problem;
  keyPage.hidden = false;
  const field = byId('key', HTMLInputElement);
  field.focus();
  byId('key-form', HTMLFormElement).addEventListener('submit', event => {
    event.preventDefault();
    keepKey(readPasted(field.value));
    location.reload();
  });
}

const key = takeKey();
if (key === undefined) ask('There was no key in the link.');
else openWith(key);
