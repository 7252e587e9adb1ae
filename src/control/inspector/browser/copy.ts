// Copies to the clipboard, also where there is no clipboard API: a page over plain HTTP that is not on loopback.

import { button } from './dom.ts';
import type { Toast } from './toast.ts';

/** `title` explains it in more words. */
export function copyButton(
  label: string,
  text: () => string,
  toast: Toast,
  title?: string,
): HTMLButtonElement {
  const copy = () =>
    copyText(text()).then(
      () => toast.say('Copied'),
      () => toast.say('The browser does not let this page copy'),
    );
  return button(label, () => void copy(), { class: 'small', title });
}

async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const field = document.createElement('textarea');
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  if (!copied) throw new Error('the browser does not let this page copy');
}
