// The rules of `verify` against the libraries that providers publish: both accept, or both refuse, on random requests
// that are signed rightly, and on what random mutations make of them. Where they must differ, DIFFERENCES says why.

import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openSigner } from '../../../../src/gateway/webhooks/verify/providers.ts';
import type { Fields, SignedRequest } from '../../../../src/gateway/webhooks/verify/signer.ts';
import { JUDGES, loadSdk, type Received } from '../../../support/provider-sdks.ts';
import { describeWithReal } from '../../../support/real-parts.ts';
import { scale } from '../../../support/scale.ts';
import { makeRule, SAMPLE_LINES } from './sample-rules.ts';

/** 14,000 in all, a few seconds. */
const RUNS = scale(2_000, 30_000);

const ORIGIN = 'https://preview.example:8443';

interface Sample {
  provider: string;
  /** What the rule has. */
  secret: string;
  target: string;
  /** As they come over the wire. */
  fields: Fields;
  body: Buffer;
  nowS: number;
}

/** Where the two must not agree. The reason is what a reader of a refusal would be told. */
interface Difference {
  reason: string;
  /** Which of the two accepts. */
  accepts: 'library' | 'rule' | 'either';
  providers?: readonly string[];
  isIt: (sample: Sample) => boolean;
}

const readField = ({ fields }: Sample, wanted: string) =>
  (fields.find(([name]) => name.toLowerCase() === wanted)?.[1] ?? '').trim();

const DIFFERENCES: readonly Difference[] = [
  {
    reason:
      'the library decodes the body as UTF-8 before it computes the HMAC, and the provider signs the bytes',
    accepts: 'rule',
    isIt: ({ body }) => !Buffer.from(body.toString()).equals(body),
  },
  {
    reason: "Stripe's library drops a byte order mark at the start of the body",
    accepts: 'rule',
    providers: ['stripe'],
    isIt: ({ body }) => body.subarray(0, 3).equals(Buffer.from('\ufeff')),
  },
  {
    reason: 'the library refuses an empty body before it looks at the signature; no provider sends one',
    accepts: 'rule',
    providers: ['github', 'stripe', 'shopify'],
    isIt: ({ body }) => body.length === 0,
  },
  {
    reason:
      'a field is there twice: Node joins them, other servers take the first or the last, so the app could read another one',
    accepts: 'library',
    isIt: ({ fields }) => new Set(fields.map(([name]) => name.toLowerCase())).size < fields.length,
  },
  {
    reason:
      'Slack documents that a time may be 5 minutes ahead, as its Python library checks; Bolt has no such limit',
    accepts: 'library',
    providers: ['slack'],
    isIt: sample => Number(readField(sample, 'x-slack-request-timestamp')) > sample.nowS + 300,
  },
  {
    reason: 'Bolt signs the number that it has read, such as 1 for 1.0 or 01, or NaN, in place of the text',
    accepts: 'library',
    providers: ['slack'],
    isIt: sample => {
      const time = readField(sample, 'x-slack-request-timestamp');
      return String(Number(time)) !== time || time === 'NaN';
    },
  },
  {
    reason:
      'one part without a value ends the check in stripe-node, and a right one beside it is enough (stripe-go #413)',
    accepts: 'rule',
    providers: ['stripe'],
    isIt: sample => /(?:^|,)v1(?:=?(?:,|$)|==)/.test(readField(sample, 'stripe-signature')),
  },
  {
    reason: "Twilio's library takes an empty body for {} when it computes the hash that is in the URL",
    accepts: 'either',
    providers: ['twilio'],
    isIt: ({ body, target }) => body.length === 0 && target.includes('bodySHA256'),
  },
  {
    reason: 'without bodySHA256 in the URL, a body that is not a form is not covered by the signature',
    accepts: 'library',
    providers: ['twilio'],
    isIt: sample =>
      sample.body.length > 0 &&
      !/^application\/x-www-form-urlencoded/i.test(readField(sample, 'content-type')),
  },
];

/** As Node's server joins them. */
function joinFields(fields: Fields): IncomingHttpHeaders {
  const headers: Record<string, string> = {};
  for (const [name, value] of fields) {
    const key = name.toLowerCase();
    const before = headers[key];
    // Of these, only the first counts.
    if (before !== undefined && key === 'content-type') continue;
    headers[key] = before === undefined ? value.trim() : `${before}, ${value.trim()}`;
  }
  return headers;
}

const text = fc.oneof(
  fc.json(),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.constant('{"emoji":"🎉","line":"\u2028"}'),
  fc.constant('\ufeff{"after":"a byte order mark"}'),
);
const body = fc.oneof(
  { weight: 8, arbitrary: text.map(each => Buffer.from(each)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map(each => Buffer.from(each)) },
  { weight: 1, arbitrary: fc.constant(Buffer.alloc(0)) },
);
const form = fc
  .array(
    fc.tuple(fc.constantFrom('To', 'From', 'Body', 'a b', 'é', '10', '9'), fc.string({ unit: 'grapheme' })),
    {
      maxLength: 6,
    },
  )
  .map(pairs => Buffer.from(new URLSearchParams(pairs).toString()));
const query = fc.constantFrom('', '?a=1&b=%20', "?q='x'", '?', '?bodySHA256=00');

/** A request that is signed rightly, at a time that is mostly right too. */
const signed = (provider: string) =>
  fc
    .record({
      body: provider === 'twilio' ? fc.oneof(form, form, fc.constant(Buffer.from('?a=b')), body) : body,
      query,
      isForm: fc.boolean(),
      ageS: fc.constantFrom(0, 0, 0, 10, 290, -10, -290, 310, -310, 100_000, -100_000, 1_700_000_000),
      event: fc.boolean(),
    })
    .map(({ body: given, query: rest, isForm, ageS, event }): Sample => {
      const rule = makeRule(SAMPLE_LINES[provider] ?? '');
      const nowS = Math.floor(Date.now() / 1000);
      const hasHash = provider === 'twilio' && !isForm && !event;
      const hashed = hasHash ? `?x=1&bodySHA256=${createHash('sha256').update(given).digest('hex')}` : rest;
      const type: Fields = [
        ['Content-Type', isForm ? 'application/x-www-form-urlencoded; charset=utf-8' : 'application/json'],
      ];
      const sample = { provider, secret: rule.secret, target: `/hooks${hashed}`, body: given, nowS };
      const names: Fields = provider === 'shopify' && event ? [['shopify-hmac-sha256', 'x']] : [];
      const request = toRequest({ ...sample, fields: [...type, ...names] });
      const kept: Fields = [...type, ...openSigner(rule).sign(request, nowS - ageS)];
      return { ...sample, fields: kept };
    });

type Mutation = (sample: Sample) => Sample;

const changeField =
  (change: (value: string) => string): ((place: number) => Mutation) =>
  place =>
  sample => ({
    ...sample,
    fields: sample.fields.map(([name, value], index) =>
      index === place % sample.fields.length ? [name, change(value)] : [name, value],
    ),
  });

const flipByte = (bytes: Buffer, place: number) => {
  const flipped = Buffer.from(bytes);
  if (flipped.length > 0)
    flipped[place % flipped.length] = (flipped[place % flipped.length] ?? 0) ^ (1 + (place % 7));
  return flipped;
};

/** `place` chooses the field, or the byte. */
const MUTATIONS: readonly ((place: number) => Mutation)[] = [
  place => sample => ({ ...sample, body: flipByte(sample.body, place) }),
  () => sample => ({ ...sample, body: Buffer.concat([sample.body, Buffer.from('\n')]) }),
  () => sample => ({ ...sample, body: sample.body.subarray(1) }),
  () => sample => ({ ...sample, body: Buffer.alloc(0) }),
  () => sample => ({ ...sample, secret: SECRETS[sample.provider] ?? `${sample.secret}x` }),
  place => sample => ({ ...sample, target: `${sample.target}${place % 2 === 0 ? '' : '/'}&` }),
  () => sample => ({ ...sample, fields: [...sample.fields].reverse() }),
  () => sample => ({ ...sample, fields: sample.fields.map(([name, value]) => [name.toUpperCase(), value]) }),
  place => sample => ({
    ...sample,
    fields: sample.fields.filter((_, index) => index !== place % sample.fields.length),
  }),
  place => sample => {
    const field = sample.fields[place % Math.max(1, sample.fields.length)];
    return field === undefined ? sample : { ...sample, fields: [...sample.fields, field] };
  },
  changeField(value => `${value}, ${value}`),
  changeField(value => `${value} ${value}`),
  changeField(value => `v1,AAAA ${value}`),
  changeField(value => `${value} v1a,AAAA v2,BBBB`),
  changeField(value => `${value},v1=${'0'.repeat(64)},v0=11`),
  changeField(value => `v1=${'0'.repeat(64)},${value}`),
  changeField(value => `v1,${value}`),
  changeField(value => `${value},v1`),
  changeField(value => `${value},t=12`),
  changeField(value => value.replace('v1', 'v0')),
  changeField(value => value.replace('v0', 'v1')),
  changeField(value => value.replaceAll(',', ', ')),
  changeField(value => value.replace('=', '')),
  changeField(value => `${value}=x`),
  changeField(value => `${value}x`),
  changeField(value => `0${value}`),
  changeField(value => `${value}.5`),
  changeField(value => value.toUpperCase()),
  changeField(value => value.slice(0, -1)),
  changeField(value => value.slice(1)),
  changeField(value => value.replace(/^sha256=/, 'sha1=')),
  changeField(value => value.replaceAll('+', '-').replaceAll('/', '_')),
  changeField(value => value.replace(/=+$/, '')),
  changeField(value => `  ${value}\t`),
  changeField(() => ''),
  changeField(() => 'undefined'),
  changeField(() => 'NaN'),
];

const SECRETS: Readonly<Record<string, string>> = {
  'standard-webhooks': 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
};

const mutations = fc.array(
  fc.tuple(fc.constantFrom(...MUTATIONS), fc.nat({ max: 5_000 })).map(([mutation, place]) => mutation(place)),
  { maxLength: 3 },
);

function toRequest({ target, fields, body: bytes }: Sample): SignedRequest {
  return { method: 'POST', target, rawHeaders: fields.flat(), body: bytes, origins: [ORIGIN] };
}

function toReceived({ secret, target, fields, body: bytes, nowS }: Sample): Received {
  return { headers: joinFields(fields), body: bytes, url: `${ORIGIN}${target}`, secret, nowMs: nowS * 1000 };
}

describeWithReal(['provider-sdks'], 'the rules of verify and the libraries of the providers', () => {
  const met = new Set<Difference>();

  it.each(Object.keys(JUDGES))(
    'agree on random requests, right ones and mutated ones: %s',
    async provider => {
      const judge = JUDGES[provider]?.();
      if (judge === undefined) throw new Error(`no library for ${provider}`);
      const accepted = { both: 0, neither: 0 };
      await fc.assert(
        fc.asyncProperty(signed(provider), mutations, async (start, changes) => {
          const sample = changes.reduce((changed, change) => change(changed), start);
          const rule = { ...makeRule(SAMPLE_LINES[provider] ?? ''), secret: sample.secret };
          const ours = openSigner(rule).check(toRequest(sample), sample.nowS).kind === 'right';
          const theirs = await Promise.resolve()
            .then(() => judge(toReceived(sample)))
            .catch(() => false);
          if (ours === theirs) {
            accepted[ours ? 'both' : 'neither'] += 1;
            return;
          }
          const side = ours ? 'rule' : 'library';
          const known = DIFFERENCES.filter(
            ({ accepts, providers }) =>
              (accepts === side || accepts === 'either') && (providers ?? [provider]).includes(provider),
          );
          const difference = known.find(({ isIt }) => isIt(sample));
          if (difference === undefined)
            throw new Error(
              `only the ${side} accepts ${JSON.stringify({ ...sample, body: sample.body.toString('latin1') })}`,
            );
          met.add(difference);
        }),
        { numRuns: RUNS },
      );
      // Otherwise, the test would say little.
      expect(accepted.both).toBeGreaterThan(RUNS / 20);
      expect(accepted.neither).toBeGreaterThan(RUNS / 4);
    },
    120_000,
  );

  it('differ in each way that is listed here', () => {
    expect(DIFFERENCES.filter(one => !met.has(one)).map(({ reason }) => reason)).toEqual([]);
  });

  it('agree on every example payload of @octokit/webhooks-examples', async () => {
    const judge = JUDGES.github?.();
    const events: { name: string; examples: object[] }[] = loadSdk('@octokit/webhooks-examples');
    const rule = makeRule(SAMPLE_LINES.github ?? '');
    const payloads = events.flatMap(({ examples }) => examples).map(one => Buffer.from(JSON.stringify(one)));
    expect(payloads.length).toBeGreaterThan(200);
    for (const payload of payloads) {
      const request = { method: 'POST', target: '/hooks', rawHeaders: [], body: payload, origins: [] };
      const fields = openSigner(rule).sign(request, 0);
      const sample = {
        provider: 'github',
        secret: rule.secret,
        target: '/hooks',
        body: payload,
        nowS: 0,
        fields,
      };
      expect(openSigner(rule).check(toRequest(sample), 0).kind).toBe('right');
      expect(await judge?.(toReceived(sample))).toBe(true);
    }
  });
});
