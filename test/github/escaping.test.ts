import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderCode, renderCodeBlock, renderLink, renderSentence } from '../../src/github/escaping.ts';
import { hostileText, maskCode } from './comment/markdown-oracle.ts';

describe('untrusted text in Markdown', () => {
  it('is one code span that shows the text unchanged', () => {
    expect(renderCode('main')).toBe('`main`');
    expect(renderCode('a`b')).toBe('``a`b``');
    expect(renderCode('`a')).toBe('`` `a ``');
    expect(renderCode('')).toBe('(empty)');
    expect(renderCode('a\nb')).toBe('`a\\x0ab`');
  });

  it('is one code span, whatever the text is', () => {
    fc.assert(
      fc.property(hostileText, text => {
        fc.pre(text.trim() !== '');
        expect(maskCode(`a ${renderCode(text)} b`).masked).toBe('a ▮ b');
      }),
    );
  });

  it('stays in its block, whatever its lines are', () => {
    fc.assert(
      fc.property(fc.array(hostileText, { minLength: 1 }), lines => {
        const { masked } = maskCode(`before\n\n${renderCodeBlock(lines)}\n\nafter`);
        expect(masked).toBe('before\n\n▮\n\nafter');
      }),
    );
  });

  it('is shown as code in a sentence, apart from words and numbers', () => {
    const inert = /^(?:[A-Za-z'’"()–—-]+[.,:;!?"')]*|\d{1,4}[,;%]?|▮[.,:;]?|[.,:;])$/;
    fc.assert(
      fc.property(fc.array(fc.oneof(hostileText, fc.constantFrom('the', 'server', '(a)', 'b,'))), words => {
        const { masked } = maskCode(renderSentence(words.join(' ')));
        for (const word of masked.split(' ')) if (word !== '') expect(word).toMatch(inert);
      }),
    );
  });

  it('is shown as code if it is a name or a value in a sentence', () => {
    expect(renderSentence("The server bore.pub is public: don't use it, or set access: link.")).toBe(
      "The server `bore.pub` is public: don't use it, or set access: link.",
    );
    expect(renderSentence('run `wasmrun os .`, then wait')).toBe('run `wasmrun os .`, then wait');
    expect(renderSentence('ask @mona about #12 and GH-12')).toBe('ask `@mona` about `#12` and `GH-12`');
  });

  it('cannot leave a link', () => {
    const address = 'http://a.b/)]<>"\\ x?y=1&copy;#>`<\\';
    const link = renderLink('go', address);
    expect(link).toMatch(/^\[go\]\(<[^<>\s\\`]*>\)$/);
    expect(link).toContain('&amp;copy;');
    expect(renderLink('go', 'javascript:alert(1)')).toBe('`javascript:alert(1)`');
    expect(renderLink('go', 'tcp://bore.pub:1')).toBe('`tcp://bore.pub:1`');
  });

  it('cannot leave a link, whatever its address is', () => {
    fc.assert(
      fc.property(hostileText, text => {
        expect(renderLink('go', `http://a.b/${text}`)).toMatch(/^\[go\]\(<http:\/\/a\.b\/[^<>\s\\`]*>\)$/);
      }),
    );
  });
});
