// Random answers of an app, many of them damaged, as a visitor of the gateway gets them, and as Node's own HTTP client reads
// them directly at the app. Where both accept an answer, they must agree; what Node refuses must not look whole behind the
// gateway. Each is followed by a request whose answer must be its own. EXPOSE_SEED repeats the night's choice.

import { Agent, type IncomingMessage, request as sendRequest } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sendRaw } from '../../support/gateway-door.ts';
import { makeAnswer, type RandomAnswer } from '../../support/random-answers.ts';
import { readAnswers, type SeenAnswer } from '../../support/read-answers.ts';
import { chooseSeed, scale } from '../../support/scale.ts';
import { HOST, letRead, play, type Scripted, startScripted } from '../../support/scripted-app.ts';
import { Seeded } from '../../support/seeded.ts';

const SEED = chooseSeed(20_261_129);
const ROUNDS = scale(250, 20_000);
/** Fields that the gateway leaves out, replaces or adds: those of one connection, and what Node adds. */
const NOT_COMPARED: ReadonlySet<string> = new Set([
  ...[
    'connection',
    'date',
    'keep-alive',
    'proxy-authenticate',
    'proxy-authorization',
    'proxy-connection',
    'te',
  ],
  ...['trailer', 'transfer-encoding', 'upgrade'],
]);
/** They must not be there, and the gateway drops them. */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set(['content-length', 'host', 'set-cookie', 'trailer']);
/** Nothing is waited for longer: the app has sent everything, and an answer that needs an end gets one. */
const DEADLINE_MS = 10_000;

let scripted: Scripted;
beforeAll(async () => {
  scripted = await startScripted();
});
afterAll(() => scripted.stop());

/** What a client made of a whole answer. */
type Read = Pick<SeenAnswer, 'status' | 'body' | 'fields' | 'trailers'>;

const trim = ([name, value]: [string, string]): [string, string] => [name, value.trim()];

interface Through {
  /** Undefined: nothing that looks whole. */
  seen: Read | undefined;
  /** Whether the gateway has answered in place of the app. */
  isOwn: boolean;
}

/** Behind the gateway. */
async function askGateway(path: string, method: string): Promise<Through> {
  const length = method === 'POST' ? 'Content-Length: 0\r\n' : '';
  const bytes = `${method} ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n${length}\r\n`;
  const { answers, rest } = readAnswers(await sendRaw(scripted.door.port, bytes, DEADLINE_MS), [method]);
  const [answer] = answers;
  if (answer === undefined || !answer.isWhole) return { seen: undefined, isOwn: false };
  expect(rest).toBe('');
  // Only the gateway's own answers have this field.
  const isOwn = answer.status === 502 && answer.fields.some(([name]) => name === 'retry-after');
  const fields = answer.fields.filter(([name]) => !NOT_COMPARED.has(name)).map(trim);
  return { seen: { ...answer, fields }, isOwn };
}

/** Directly at the app. */
async function askDirectly(method: string): Promise<Read | undefined> {
  const agent = new Agent({ keepAlive: false });
  const { port } = scripted.app;
  const options = { host: '127.0.0.1', port, path: '/random', method, agent, maxHeaderSize: 65_536 };
  const head = Promise.withResolvers<IncomingMessage | undefined>();
  const request = sendRequest(options);
  request.once('response', head.resolve).once('upgrade', () => head.resolve(undefined));
  // Also for bytes behind a whole answer, which is there then.
  request.on('error', () => head.resolve(undefined)).end();
  const timer = setTimeout(() => request.destroy(), DEADLINE_MS);
  const response = await head.promise;
  const read = response && (await readWhole(response));
  clearTimeout(timer);
  request.destroy();
  return read;
}

async function readWhole(response: IncomingMessage): Promise<Read | undefined> {
  const pieces = await response.toArray().catch(() => undefined);
  if (pieces === undefined || response.statusCode === undefined) return undefined;
  const body = Buffer.concat(pieces).toString('latin1');
  const { rawHeaders, rawTrailers, statusCode: status } = response;
  return { status, body, fields: pairUp(rawHeaders), trailers: pairUp(rawTrailers) };
}

const pairUp = (raw: readonly string[]) =>
  Array.from({ length: raw.length / 2 }, (_, index): [string, string] => [
    (raw[2 * index] ?? '').toLowerCase(),
    (raw[2 * index + 1] ?? '').trim(),
  ]);

/** Without what the gateway leaves out on purpose. */
function expectThrough({ status, body, fields, trailers }: Read): Read {
  const named = fields
    .filter(([name]) => name === 'connection')
    .flatMap(([, value]) => value.toLowerCase().split(','))
    .map(name => name.trim());
  const isLeftOut = (name: string) =>
    NOT_COMPARED.has(name) || named.includes(name) || (name === 'content-length' && status === 204);
  return {
    status,
    body,
    fields: fields.filter(([name]) => !isLeftOut(name)),
    trailers: trailers.filter(([name]) => !NOT_COMPARED.has(name) && !NOT_IN_TRAILERS.has(name)),
  };
}

/** Resolves when the app has sent everything, twice if the gateway has asked again after a broken connection. */
function playRandom({ packets, ends }: RandomAnswer): () => Promise<unknown> {
  const plays: Promise<void>[] = [];
  scripted.answer = socket => plays.push(play(socket, { pieces: packets, ...(ends && { end: 'close' }) }));
  return async () => {
    await Promise.all(plays);
    expect(plays.length).toBeLessThanOrEqual(3);
    await letRead();
  };
}

function playNext(text: string): void {
  scripted.answer = socket =>
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
}

it(`random answers are read as Node reads them, and never mixed up (seed ${SEED})`, async () => {
  const seeded = new Seeded(SEED);
  const counts = { agreed: 0, refused: 0, stricter: 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    const answer = makeAnswer(seeded);
    const played = playRandom(answer);
    const direct = await askDirectly(answer.method);
    const through = await askGateway('/random', answer.method);
    await played();
    playNext(`next of ${round}`);
    const next = await askGateway(`/next-${round}`, 'GET');
    const what = JSON.stringify({ round, ...answer });
    expect(next.seen?.body, what).toBe(`next of ${round}`);
    counts[compare(direct, through, what)] += 1;
  }
  // Otherwise the comparison says little.
  expect(counts.agreed).toBeGreaterThan(ROUNDS / 2);
  expect(counts.refused).toBeGreaterThan(ROUNDS / 20);
  expect(counts.stricter).toBeLessThan(ROUNDS / 20);
}, 900_000);

function compare(
  direct: Read | undefined,
  { seen, isOwn }: Through,
  what: string,
): 'agreed' | 'refused' | 'stricter' {
  if (seen === undefined || isOwn) return direct === undefined ? 'refused' : 'stricter';
  expect(direct, `only the gateway takes this for whole: ${what}`).toBeDefined();
  if (direct !== undefined) {
    const { status, body, fields, trailers } = seen;
    expect({ status, body, fields, trailers: trailers.map(trim) }, what).toEqual(expectThrough(direct));
  }
  return 'agreed';
}
