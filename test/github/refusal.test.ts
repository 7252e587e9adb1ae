import { describe, expect, it } from 'vitest';
import { quoteRefusal } from '../../src/github/refusal.ts';

describe('what GitHub says when it refuses', () => {
  it.each([
    ['its message', { message: 'Not Found', documentation_url: 'https://docs.github.com' }, 'Not Found'],
    [
      'the message of each error',
      { message: 'Validation Failed', errors: [{ code: 'custom', message: 'Body is too long' }, 'spam'] },
      'Validation Failed: Body is too long, spam',
    ],
    [
      'the field that is wrong',
      { message: 'Validation Failed', errors: [{ resource: 'Deployment', field: 'ref', code: 'invalid' }] },
      'Validation Failed: ref invalid',
    ],
    ['the message beside errors of an unknown form', { message: 'no', errors: [7, {}] }, 'no'],
    [
      "the title of a load balancer's page",
      '<!DOCTYPE html>\n<html><head><title> Unicorn! &middot; GitHub</title></head></html>',
      'a page with the title "Unicorn! &middot; GitHub"',
    ],
    ['that it is a page', '<html><body>Bad Gateway</body></html>', 'a page without a title'],
    ['plain text', 'upstream connect error\n', 'upstream connect error'],
    ['nothing', '', 'an answer without words'],
    ['something else', { error: 7 }, 'an answer without words'],
  ])('is quoted in one line: %s', (_, data, expected) => {
    expect(quoteRefusal(data)).toBe(expected);
  });

  it('is looked for only at the beginning of a page, however long it is (CPU exhaustion)', () => {
    expect(quoteRefusal(`<!doctype html>${'<title'.repeat(60_000)}`)).toBe('a page without a title');
  }, 10_000);

  it('cannot contain commands for the runner, or fill the log', () => {
    const evil = 'x\n::error::##[add-path]/evil\u202e';
    for (const data of [
      { message: evil },
      evil,
      `<html><title>${evil}</title>`,
      { message: 'm', errors: [evil] },
    ])
      expect(quoteRefusal(data)).not.toMatch(/[\n\u202e]|##\[/);
    expect(quoteRefusal('long '.repeat(1000)).length).toBeLessThan(300);
  });
});
