// The conditions of a wait: how they are written, what they accept, and what they say about a request that they do not.

import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCondition } from '../../../src/control/wait/conditions.ts';
import { RequestContent } from '../../../src/control/wait/content.ts';
import { FakeRequestLog } from '../../support/request-log.ts';
import { scale } from '../../support/scale.ts';

const JSON_TYPE = ['Content-Type', 'application/json'];
const FORM_TYPE = ['Content-Type', 'application/x-www-form-urlencoded'];

/** Why a request with this body does not meet the condition; undefined if it does. */
function check(
  condition: string,
  body: string | Buffer,
  rawHeaders: string[] = JSON_TYPE,
): string | undefined {
  const log = new FakeRequestLog({ kind: 'unsafe methods' });
  const request = log.add({ body: Buffer.from(body), rawHeaders });
  return parseCondition(condition).findProblem(new RequestContent(request));
}

it.each(["json:$['a=my-secret", 'json:$.a!=my-secret', 'json:$.a[?(@.b)]=my-secret', 'form:=my-secret'])(
  'a wrong condition is refused without its value, which may be a secret: %s',
  text => {
    expect(() => parseCondition(text)).toThrow(/^(?!.*my-secret)/s);
  },
);

describe('a condition', () => {
  it.each([
    ['', /write header:NAME=VALUE, json:\$\.a\.b=VALUE or form:NAME=VALUE/],
    ['body:x=1', /write header:NAME=VALUE/],
    ['constructor:x=1', /write header:NAME=VALUE/],
    ['header:X-Event', /has no =VALUE/],
    ['header:=x', /has no NAME/],
    ['header:x y=1', /'x y' is not the name of a header field/],
    ['form:a', /has no =VALUE/],
    ['json:a.b=1', /does not begin with \$/],
    ['json:$.a', /has no =VALUE/],
    ['json:$..a=1', /`\.\.` is not supported/],
    ['json:$.a[?(@.b)]=1', /cannot be read from '\[\?\(@/],
    ["json:$['a=1", /cannot be read from/],
    ['json:$.a == 1', /'=' is expected after '\$\.a'/],
    ['json:$.a!=1', /'=' is expected after '\$\.a', not '!=…'/],
    ['json:$.a==1', /write one = only/],
    ['json:$a=1', /'=' is expected after '\$'/],
  ])('%s is refused with the reason', (text, message) => {
    expect(() => parseCondition(text)).toThrow(message);
    expect(() => parseCondition(text)).toThrow(/^`match` has /);
  });
});

describe('header:', () => {
  const headers = ['X-Event', 'push', 'x-event', 'ping', 'X-Name', Buffer.from('Zoë').toString('latin1')];
  it.each([
    ['header:x-event=push', undefined],
    ['header:X-EVENT=ping', undefined],
    ['header:X-Name=Zoë', undefined],
    ['header:X-Event=Push', 'header:x-event is "push", "ping", not "Push"'],
    ['header:X-Event= push', 'header:x-event is "push", "ping", not " push"'],
    ['header:X-Other=1', 'header:x-other is missing'],
  ])('%s', (condition, problem) => {
    expect(check(condition, '', headers)).toBe(problem);
  });

  it('shows neither credentials nor signatures', () => {
    for (const name of ['Authorization', 'X-Gitlab-Token', 'X-Hub-Signature-256', 'X-Api-Key', 'Cookie']) {
      const condition = `header:${name}=my-secret`;
      expect(check(condition, '', [name, 'your-secret'])).toBe(
        `header:${name.toLowerCase()} is [redacted], not [redacted]`,
      );
      expect(parseCondition(condition).text).not.toContain('my-secret');
    }
  });

  it('does not show a header that only a rule of `verify` knows as a signature, or the value of a wrong condition', () => {
    const log = new FakeRequestLog({ kind: 'unsafe methods' });
    const content = new RequestContent(log.add({ rawHeaders: ['X-Seal', 'geheim'] }));
    const condition = parseCondition('header:X-Seal=mine', ['x-seal']);
    expect(condition.findProblem(content)).toBe('header:x-seal is [redacted], not [redacted]');
    expect(condition.text).toBe('header:x-seal=[redacted]');
    expect(() => parseCondition('json:token=geheim')).toThrow(/^`match` has 'json:token=…': its path/);
  });

  it('shows the values of strangers on one short line', () => {
    const problem = check('header:x-event=push', '', ['X-Event', `\u001b[2J::error::${'x'.repeat(500)}`]);
    expect(problem).toMatch(/^header:x-event is "\\x1b\[2J::error::x+…", not "push"$/);
    expect(problem?.length).toBeLessThan(120);
  });
});

describe('json:', () => {
  const body = JSON.stringify({
    action: 'opened',
    n: 5,
    text5: '5',
    price: 9.99,
    yes: true,
    nothing: null,
    'a.b': 'dotted',
    'it\'s "q"': 'quoted',
    'object-id': 'dashed',
    items: [{ id: 1 }, { id: 2 }],
    deep: { é: { list: ['x', 'y'] } },
    empty: '',
    '': 'no name',
  });
  it.each([
    ['json:$.action=opened', undefined],
    ['json:$.action="opened"', undefined],
    ['json:$.n=5', undefined],
    ['json:$.n=5.0', undefined],
    ['json:$.n=0.5e1', undefined],
    ['json:$.text5="5"', undefined],
    ['json:$.price=9.99', undefined],
    ['json:$.price=9.990', undefined],
    ['json:$.yes=true', undefined],
    ['json:$.nothing=null', undefined],
    ["json:$['a.b']=dotted", undefined],
    [`json:$['it\\'s "q"']=quoted`, undefined],
    ['json:$["it\'s \\"q\\""]=quoted', undefined],
    ['json:$.object-id=dashed', undefined],
    ['json:$.items[1].id=2', undefined],
    ['json:$.items[-1].id=2', undefined],
    ['json:$.items[*].id=2', undefined],
    ['json:$.deep.é.list[0]=x', undefined],
    ['json:$.deep.*.list[*]=y', undefined],
    ['json:$.empty=', undefined],
    ["json:$['']=no name", undefined],
    ['json:$.action=closed', 'json:$.action is "opened", not "closed"'],
    ['json:$.n="5"', 'json:$.n is the number 5, not "5"'],
    ['json:$.text5=5', 'json:$.text5 is "5", not the number 5'],
    ['json:$.yes="true"', 'json:$.yes is true, not "true"'],
    ['json:$.items=1', 'json:$.items is an array, not the number 1'],
    ['json:$.deep={}', 'json:$.deep is an object, not "{}"'],
    ['json:$.items[*].id=3', 'json:$.items[*].id is the number 1, the number 2, not the number 3'],
    ['json:$.items[2].id=3', 'json:$.items[2].id is missing'],
    ['json:$.items.length=2', 'json:$.items.length is missing'],
    ['json:$.toString=x', 'json:$.toString is missing'],
    ['json:$.action.x=1', 'json:$.action.x is missing'],
    ['json:$=1', 'json:$ is an object, not the number 1'],
  ])('%s', (condition, problem) => {
    expect(check(condition, body)).toBe(problem);
  });

  it('compares numbers beyond 2^53 digit by digit', () => {
    const big = '{"id":12345678901234567891,"huge":1e400}';
    expect(check('json:$.id=12345678901234567891', big)).toBeUndefined();
    expect(check('json:$.id=12345678901234567892', big)).toBe(
      'json:$.id is the number 12345678901234567891, not the number 12345678901234567892',
    );
    expect(check('json:$.huge=10e399', big)).toBeUndefined();
    expect(check('json:$.id=9007199254740993', '{"id":9007199254740992}')).toMatch(
      /is the number 9007199254740992/,
    );
  });

  it('agrees with exact arithmetic about whether two whole numbers are the same', () => {
    const whole = fc.tuple(
      fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }),
      fc.integer({ min: 0, max: 30 }),
    );
    const near = fc.tuple(whole, fc.integer({ min: -2, max: 2 }));
    fc.assert(
      fc.property(near, fc.integer({ min: 0, max: 40 }), ([[digits, power], step], zeros) => {
        const one = digits * 10n ** BigInt(power);
        const other = one + BigInt(step);
        const written = `${other * 10n ** BigInt(zeros)}e-${zeros}`;
        expect(check(`json:$=${written}`, `${digits}e${power}`) === undefined).toBe(step === 0);
      }),
    );
  });

  it('finds every value of a document by its own path', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ unit: 'binary' }),
          fc.oneof(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean()),
        ),
        document => {
          for (const [name, value] of Object.entries(document)) {
            const condition = `json:$[${JSON.stringify(name)}]=${JSON.stringify(value)}`;
            expect(check(condition, JSON.stringify(document))).toBeUndefined();
          }
        },
      ),
    );
  });

  it('reads the payload of a form, and says if there is none', () => {
    const payload = `payload=${encodeURIComponent('{"action":"opened"}')}`;
    expect(check('json:$.action=opened', payload, FORM_TYPE)).toBeUndefined();
    expect(check('json:$.action=opened', 'action=opened', FORM_TYPE)).toBe(
      'json:$.action cannot be read: the body is a form without a field `payload`: use form:NAME=VALUE',
    );
  });

  it.each([
    ['an empty body', '', 'is empty, and not JSON'],
    ['a body that is not JSON', 'action: opened', 'is not JSON'],
    ['JSON that is cut off', '{"action":"open', 'is not JSON'],
  ])('says of %s that it cannot be read', (_, text, problem) => {
    expect(check('json:$.action=opened', text)).toBe(`json:$.action cannot be read: the body ${problem}`);
  });

  it('survives JSON that is nested a million times', () => {
    const nested = `${'['.repeat(1e6)}0.5${']'.repeat(1e6)}`;
    expect(check('json:$[0]=1', nested)).toBe('json:$[0] is an array, not the number 1');
    expect(check('json:$.x=1', `{"x":1e20,"y":${nested}}`)).toMatch(
      /cannot be read: the body is nested too deeply/,
    );
  });

  it('takes numbers with a million digits as texts, at once', () => {
    const digits = `1${'0'.repeat(1e6)}1`;
    expect(check('json:$.x=1', `{"x":${digits}}`)).toMatch(/is the number 10+…, not the number 1$/);
    expect(check('json:$.x=1', `{"x":1e${digits}}`)).toMatch(/not the number 1$/);
  });
});

describe('a body', () => {
  const json = Buffer.from('{"name":"Zoë"}');
  const condition = 'json:$.name=Zoë';

  it.each([
    ['gzip', gzipSync(json)],
    ['x-gzip', gzipSync(json)],
    ['deflate', deflateSync(json)],
    ['deflate', deflateRawSync(json)],
    ['br', brotliCompressSync(json)],
    ['zstd', zstdCompressSync(json)],
    ['gzip, br', brotliCompressSync(gzipSync(json))],
    ['identity', json],
    ['GZIP', gzipSync(json)],
  ])('with Content-Encoding %s is decoded', (coding, body) => {
    expect(check(condition, body, [...JSON_TYPE, 'Content-Encoding', coding])).toBeUndefined();
  });

  it.each([
    ['gzip', Buffer.from('not gzip'), 'is not valid gzip'],
    ['gzip', gzipSync(json).subarray(0, 20), 'is not valid gzip'],
    ['lzma', json, "has the content coding 'lzma', which is not known"],
    ['constructor', json, "has the content coding 'constructor', which is not known"],
    ['gzip', gzipSync(Buffer.alloc(5e6, ' ')), 'has more than 4194304 bytes when it is decompressed'],
  ])('with Content-Encoding %s that cannot be decoded is not read', (coding, body, problem) => {
    expect(check(condition, body, [...JSON_TYPE, 'Content-Encoding', coding])).toBe(
      `json:$.name cannot be read: the body ${problem}`,
    );
  });

  it.each([
    ['utf-8', json],
    ['UTF8', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), json])],
    ['"iso-8859-1"', Buffer.from('{"name":"Zoë"}', 'latin1')],
    ['utf-16le', Buffer.from('{"name":"Zoë"}', 'utf16le')],
    ['utf-8', Buffer.from('\ufeff{"name":"Zoë"}', 'utf16le')],
  ])('in the charset %s is read', (charset, body) => {
    expect(check(condition, body, ['Content-Type', `application/json; charset=${charset}`])).toBeUndefined();
  });

  it('in an unknown charset is not read', () => {
    expect(check(condition, json, ['Content-Type', 'application/json; charset=klingon'])).toMatch(
      /has the charset 'klingon', which is not known/,
    );
  });

  it('of which only the beginning was kept is not read', () => {
    const log = new FakeRequestLog({ kind: 'unsafe methods' });
    const content = new RequestContent(log.add({ body: json, bodyBytes: 30_000_000 }));
    expect(parseCondition(condition).findProblem(content)).toMatch(
      /has 30000000 bytes, of which only 15 are kept/,
    );
  });

  it('of a text type is read as JSON, as Amazon SNS sends it', () => {
    expect(check(condition, json, ['Content-Type', 'text/plain; charset=UTF-8'])).toBeUndefined();
    expect(check(condition, json, [])).toBeUndefined();
  });
});

describe('form:', () => {
  it.each([
    ['form:Body=Hello World', undefined],
    ['form:From=+49', undefined],
    ['form:data[id]=7', undefined],
    ['form:tag=b', undefined],
    ['form:flag=', undefined],
    ['form:odd=100%', undefined],
    ['form:name=Zoë', undefined],
    ['form:tag=c', 'form:tag is "a", "b", not "c"'],
    ['form:other=1', 'form:other is missing'],
    ['form:token=guess', 'form:token is [redacted], not [redacted]'],
  ])('%s', (condition, problem) => {
    const body = 'Body=Hello+World&From=%2B49&data%5Bid%5D=7&tag=a&tag=b&flag&odd=100%&name=Zo%C3%AB&token=t';
    expect(check(condition, body, FORM_TYPE)).toBe(problem);
  });

  it('reads the charset of the form, as PayPal sends it', () => {
    const type = ['Content-Type', 'application/x-www-form-urlencoded; charset=windows-1252'];
    expect(check('form:name=Zoë', 'name=Zo%EB', type)).toBeUndefined();
  });

  it('reads the fields of multipart/form-data, and no files', async () => {
    const form = new FormData();
    form.append('from', 'a@example.com');
    form.append('say "hi"', 'Zoë\r\n--x\r\n');
    form.append('file', new Blob(['a@example.com']), 'a.txt');
    const { headers, body } = new Response(form);
    const bytes = Buffer.from(await new Response(body).arrayBuffer());
    const type = ['content-type', headers.get('content-type') ?? ''];
    expect(check('form:from=a@example.com', bytes, type)).toBeUndefined();
    expect(check('form:say "hi"=Zoë\r\n--x\r\n', bytes, type)).toMatch(/^form:say "hi" is/);
    expect(parseCondition('form:say "hi"=Zoë').findProblem).toBeTypeOf('function');
    expect(check('form:file=a@example.com', bytes, type)).toBe('form:file is missing');
  });

  it('says of another body that it is no form', () => {
    expect(check('form:a=1', '{"a":1}')).toBe(
      'form:a cannot be read: the body is application/json, and not a form',
    );
  });
});

it('reads whatever a stranger sends without failing, and says in one short line what is wrong', () => {
  const types = [
    'application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain; charset=utf-16',
  ];
  const pieces = [
    '--x\r\n',
    '--x--',
    '\r\n\r\n',
    'content-disposition: form-data; name="a"',
    'a=',
    '&',
    '%',
    '%ff',
    '{"a":',
    '[',
    ']',
    '}',
    '1e999',
    '"',
    '\\u00',
    'payload=',
  ];
  const body = fc
    .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 5 })), {
      maxLength: 15,
    })
    .map(list => Buffer.from(list.join('')));
  const bytes = fc.oneof(
    body,
    fc.uint8Array({ maxLength: 50 }).map(array => Buffer.from(array)),
    body.map(plain => gzipSync(plain)),
  );
  const coding = fc.constantFrom('', 'gzip', 'deflate', 'br', 'zstd', 'gzip, gzip', '??');
  const condition = fc
    .constantFrom('json:$.a=1', 'json:$[*]=x', 'form:a=1', 'header:content-type=x')
    .map(text => parseCondition(text));
  fc.assert(
    fc.property(
      bytes,
      fc.constantFrom(...types),
      coding,
      condition,
      (sent, type, encoding, { findProblem }) => {
        const rawHeaders = ['Content-Type', type, ...(encoding === '' ? [] : ['Content-Encoding', encoding])];
        const log = new FakeRequestLog({ kind: 'unsafe methods' });
        const problem = findProblem(new RequestContent(log.add({ body: sent, rawHeaders })));
        expect(problem ?? '').toMatch(/^[\x20-\u{10ffff}]{0,400}$/u);
      },
    ),
    { numRuns: scale(2_000, 200_000) },
  );
});
