// The code that docs/recipes/from-a-test.md shows is the code in examples/webhooks, which the tests run.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';

const page = readFileSync(resolve('docs/recipes/from-a-test.md'), 'utf8');
const shown = [...page.matchAll(/^```(?!yaml)\w+\n([\s\S]*?)^```/gm)].map(([, text = '']) => text);
const FILES = ['test_webhook.py', 'webhook.test.js', 'webhook_test.go', 'webhook.sh', 'expose-wait.sh'];

it.each(FILES)('docs/recipes/from-a-test.md shows %s as it is', file => {
  expect(shown).toContain(readFileSync(resolve('examples/webhooks', file), 'utf8'));
});

it('docs/recipes/from-a-test.md shows no other code', () => {
  expect(shown).toHaveLength(FILES.length);
});
