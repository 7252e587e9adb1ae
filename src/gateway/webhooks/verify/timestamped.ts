// Providers that sign the time with the body: Stripe, Slack, and all that follow Standard Webhooks.

import { isSame } from '../../../shared/secrets.ts';
import { parseObject, readValue, type WholeRequest } from '../whole-request.ts';
import { checkAge, findFieldProblem, MISMATCH, parseTimestamp, type Signer, sign } from './signer.ts';

/**
 * docs.stripe.com/webhooks/signature: `t=TIME,v1=HEX,v1=HEX,v0=HEX`. There are several v1 while a secret is rolled; v0
 * is for test events, and never enough. As stripe-node, this accepts a time in the future.
 */
export function signStripe(secret: string): Signer {
  const render = (timestamp: number, body: Buffer) => sign('sha256', secret, [`${timestamp}.`, body], 'hex');
  return {
    headers: ['stripe-signature'],
    check: ({ rawHeaders, body }, nowS) => {
      const problem = findFieldProblem(rawHeaders, ['Stripe-Signature']);
      if (problem !== undefined) return problem;
      const { timestamp, signatures } = parseStripe(readValue(rawHeaders, 'stripe-signature') ?? '');
      if (timestamp === undefined)
        return { kind: 'malformed', reason: 'its Stripe-Signature has no time (t=…)' };
      if (signatures.length === 0)
        return { kind: 'malformed', reason: 'its Stripe-Signature has no signature of version v1' };
      const wanted = render(timestamp, body);
      return signatures.some(one => isSame(one, wanted)) ? checkAge(timestamp, nowS, true) : MISMATCH;
    },
    sign: ({ body }, nowS) => [['Stripe-Signature', `t=${nowS},v1=${render(nowS, body)}`]],
    findDeliveryId: ({ body }) => readText(body, 'id'),
  };
}

/** A part that is malformed is skipped (stripe-go, pull request 413); the last time counts, as in stripe-node. */
function parseStripe(value: string): { timestamp: number | undefined; signatures: string[] } {
  const pairs = value.split(',').map(part => part.split('='));
  const last = pairs.findLast(([name]) => name === 't');
  return {
    timestamp: parseTimestamp(last?.[1]),
    signatures: pairs.flatMap(([name, signature]) => (name === 'v1' && signature ? [signature] : [])),
  };
}

const SLACK_TIME = 'X-Slack-Request-Timestamp';
const SLACK_SIGNATURE = 'X-Slack-Signature';

/** docs.slack.dev, "Verifying requests from Slack": `v0=` and the HMAC of `v0:TIME:BODY` in hex. */
export function signSlack(secret: string): Signer {
  const render = (timestamp: string, body: Buffer) =>
    sign('sha256', secret, [`v0:${timestamp}:`, body], 'hex');
  return {
    headers: [SLACK_SIGNATURE.toLowerCase()],
    check: ({ rawHeaders, body }, nowS) => {
      const problem = findFieldProblem(rawHeaders, [SLACK_SIGNATURE, SLACK_TIME]);
      if (problem !== undefined) return problem;
      const time = readValue(rawHeaders, SLACK_TIME.toLowerCase()) ?? '';
      const [version, given = ''] = (readValue(rawHeaders, SLACK_SIGNATURE.toLowerCase()) ?? '').split('=');
      if (!/^\d{1,15}$/.test(time))
        return { kind: 'malformed', reason: `its ${SLACK_TIME} is not a number of seconds` };
      if (version !== 'v0')
        return { kind: 'malformed', reason: `its ${SLACK_SIGNATURE} is not of version v0` };
      return isSame(given, render(time, body)) ? checkAge(Number(time), nowS, false) : MISMATCH;
    },
    sign: ({ body }, nowS) => [
      [SLACK_TIME, `${nowS}`],
      [SLACK_SIGNATURE, `v0=${render(`${nowS}`, body)}`],
    ],
    findDeliveryId: ({ body }) => readText(body, 'event_id'),
  };
}

/** Both families of names; Svix, who began it, still sends the second. */
const FAMILIES = ['webhook', 'svix'] as const;

interface Message {
  id: string;
  timestamp: string;
  signature: string;
}

/**
 * standardwebhooks.com: the HMAC of `ID.TIME.BODY` in base64, as `v1,SIGNATURE`, several with spaces between them. Other
 * versions are skipped; v1a is made with a key pair.
 */
export function signStandardWebhooks(secret: string): Signer {
  const key = Buffer.from(stripPrefix(secret), 'base64');
  const render = (id: string, timestamp: number, body: Buffer) =>
    sign('sha256', key, [`${id}.${timestamp}.`, body], 'base64');
  return {
    headers: FAMILIES.map(family => `${family}-signature`),
    check: ({ rawHeaders, body }, nowS) => {
      const family = findFamily(rawHeaders);
      const names = ['signature', 'id', 'timestamp'].map(part => `${family}-${part}`);
      const problem = findFieldProblem(rawHeaders, names);
      if (problem !== undefined) return problem;
      const { id, timestamp: time, signature } = readMessage(rawHeaders, family);
      const timestamp = parseTimestamp(time);
      if (timestamp === undefined)
        return { kind: 'malformed', reason: `its ${family}-timestamp is not a number of seconds` };
      const signatures = signature.split(' ').flatMap(part => {
        const [version, given] = part.split(',');
        return version === 'v1' && given ? [given] : [];
      });
      if (signatures.length === 0)
        return { kind: 'malformed', reason: `its ${family}-signature has no signature of version v1` };
      const wanted = render(id, timestamp, body);
      return signatures.some(one => isSame(one, wanted)) ? checkAge(timestamp, nowS, false) : MISMATCH;
    },
    sign: ({ rawHeaders, body }, nowS) => {
      const family = findFamily(rawHeaders);
      const id = readMessage(rawHeaders, family).id || `msg_${nowS}`;
      return [
        [`${family}-id`, id],
        [`${family}-timestamp`, `${nowS}`],
        [`${family}-signature`, `v1,${render(id, nowS, body)}`],
      ];
    },
    findDeliveryId: ({ rawHeaders }) => readMessage(rawHeaders, findFamily(rawHeaders)).id || undefined,
  };
}

/** The base64 of a secret, which is written with `whsec_` before it, by Supabase even with `v1,whsec_`. */
export function stripPrefix(secret: string): string {
  return secret.replace(/^(?:v1,)?whsec_/, '');
}

/** `svix` if only its names are there. */
function findFamily(raw: WholeRequest['rawHeaders']): (typeof FAMILIES)[number] {
  const isThere = (family: string) => readValue(raw, `${family}-signature`) !== undefined;
  return !isThere('webhook') && isThere('svix') ? 'svix' : 'webhook';
}

function readMessage(raw: WholeRequest['rawHeaders'], family: string): Message {
  const read = (part: string) => readValue(raw, `${family}-${part}`) ?? '';
  return { id: read('id'), timestamp: read('timestamp'), signature: read('signature') };
}

function readText(body: Buffer, name: string): string | undefined {
  const value = parseObject(body)?.[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
