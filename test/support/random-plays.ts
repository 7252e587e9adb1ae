// Random plays for random-bore-server.ts, made by fast-check, and the result of each for a tunnel, as the failure kinds
// of src/tunnel/failure.ts define it. Used by test/tunnel/session-fuzz.test.ts.

import fc from 'fast-check';
import { ERROR_TEXT, MAX_FRAME_LENGTH } from '../../src/tunnel/wire/protocol.ts';
import type { Opening, Play, Step } from './random-bore-server.ts';

/**
 * `again`: another attempt; `doubtful`: fatal from a server that never served us; `other port`: served if any port will
 * do, fatal if one was asked for; `either`: `again` or `fatal`, because a reset may overtake the text, or because it
 * depends on the port.
 */
export type Verdict = 'served' | 'other port' | 'again' | 'doubtful' | 'fatal' | 'either';

const OTHER_PORT = '{"Hello":1}\0';
const FATAL_ERRORS: readonly string[] = [ERROR_TEXT.invalidSecret, ERROR_TEXT.secretRequired];
const NO_PORT = '{"Hello":0}\0';
const ID = '6ba7b810-9dad-41d1-80b4-00c04fd430c8';
/** Another port may work; but a server that refuses any port at all is useless. */
const PORT_ERRORS: readonly string[] = [
  ERROR_TEXT.portOutOfRange,
  ERROR_TEXT.portForbidden,
  ERROR_TEXT.portTaken,
];
const HARMLESS_ERRORS = [ERROR_TEXT.bindFailed, ERROR_TEXT.noPortFree];

/** The result for the tunnel of a control connection that begins like this; `request`: the client's, if it sent one. */
export function expectedVerdict(
  start: Opening,
  asksForSecret: boolean,
  request: string | undefined,
): Verdict {
  switch (start.opening) {
    case 'well':
      return 'served';
    case 'silent':
      return 'doubtful';
    case 'hang up late':
      return asksForSecret ? 'doubtful' : 'again';
    case 'hang up':
    case 'reset':
      return 'again';
    case 'send':
      if (start.after === 'reset') return 'either';
      // If a challenge is expected, a port is not an answer.
      if (asksForSecret && [OTHER_PORT, NO_PORT].includes(start.text)) return 'doubtful';
      return verdictOnText(start.text, request, asksForSecret);
    case 'answer':
      return verdictOnText(start.text, request, asksForSecret);
  }
}

function verdictOnText(text: string, request: string | undefined, hasSecret: boolean): Verdict {
  if (text === OTHER_PORT) return 'other port';
  if (text === NO_PORT) return 'fatal';
  const error = /^\{"Error":"([^"]*)"\}\0/.exec(text)?.[1];
  if (error === undefined) return 'doubtful';
  if (error === ERROR_TEXT.secretRequired && hasSecret) return 'again';
  if (FATAL_ERRORS.includes(error)) return 'fatal';
  const asksForOne = request !== undefined && !request.includes('"Hello":0');
  return PORT_ERRORS.includes(error) && !asksForOne ? 'either' : 'again';
}

const bytes = (maxLength: number) =>
  fc.uint8Array({ minLength: 1, maxLength }).map(some => Buffer.from(some).toString('latin1'));
const errorFrame = (texts: readonly string[]) =>
  fc.constantFrom(...texts).map(text => `${JSON.stringify({ Error: text })}\0`);

/** None of these is an `Error` frame. */
const oddText = fc.oneof(
  bytes(600).map(text => `?${text}`),
  fc.constantFrom(
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n',
    '"Heartbeat"\0',
    NO_PORT,
    OTHER_PORT,
    '{"Hello":99999}\0',
    `{"Connection":"${ID}"}\0`,
    '\0',
    '\0'.repeat(700),
    'A'.repeat(MAX_FRAME_LENGTH + 1),
    '{"Hel',
  ),
);
const afterwards = fc.constantFrom('stay' as const, 'end' as const, 'reset' as const);
const send = (text: fc.Arbitrary<string>): fc.Arbitrary<Opening> =>
  fc.record({ opening: fc.constant('send' as const), text, after: afterwards });
const answer = (text: fc.Arbitrary<string>): fc.Arbitrary<Opening> =>
  fc.record({ opening: fc.constant('answer' as const), text });

const harmless: fc.Arbitrary<Opening> = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Opening>({ opening: 'well' }) },
  fc.constant<Opening>({ opening: 'hang up' }),
  fc.constant<Opening>({ opening: 'reset' }),
  send(errorFrame([...HARMLESS_ERRORS, 'timed out waiting for initial message', ''])).map(start => ({
    ...start,
    after: 'stay' as const,
  })),
  answer(errorFrame([...HARMLESS_ERRORS, 'x'])),
);
const harmful: fc.Arbitrary<Opening> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Opening>({ opening: 'silent' }) },
  fc.constant<Opening>({ opening: 'hang up late' }),
  send(oddText).map(start => ({ ...start, after: 'stay' as const })),
  send(oddText),
  answer(oddText),
  answer(errorFrame([...FATAL_ERRORS, ...PORT_ERRORS])),
  send(errorFrame(FATAL_ERRORS)).map(start => ({ ...start, after: 'stay' as const })),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('pause' as const), ms: fc.nat(30) }),
  fc.record({
    do: fc.constant('announce' as const),
    count: fc.oneof(fc.nat(5), fc.constant(200)),
    ids: fc.constantFrom('old' as const, 'new' as const),
  }),
  fc.record({
    do: fc.constant('send' as const),
    text: fc.oneof(
      oddText,
      bytes(300).map(text => `${text}\0`),
      errorFrame(Object.values(ERROR_TEXT)),
      fc.constant('"Heartbeat"\0'),
      fc.constant('\0'.repeat(2_000)),
    ),
  }),
  fc.constant<Step>({ do: 'reset' }),
  fc.constant<Step>({ do: 'end' }),
);

const playOf = (start: fc.Arbitrary<Opening>): fc.Arbitrary<Play> =>
  fc.record({
    start,
    steps: fc.array(step, { maxLength: 8 }),
    slice: fc.constantFrom(0, 0, 1, 7, 100),
  });

/** Plays after which a tunnel must try again, and plays of any kind. */
export const HARMLESS_PLAYS = fc.array(playOf(harmless), { minLength: 1, maxLength: 6 });
export const ALL_PLAYS = fc.array(playOf(fc.oneof(harmless, harmful)), { minLength: 1, maxLength: 6 });
/** A server that announces more visitors than a tunnel may fetch, and then sends nothing on data connections. */
export const FLOOD_PLAYS = fc
  .tuple(
    fc.nat(300),
    fc.array(fc.constant<Opening>({ opening: 'silent' }), { minLength: 1, maxLength: 3 }),
    ALL_PLAYS,
  )
  .map(([count, silent, others]): Play[] => [
    { start: { opening: 'well' }, steps: [{ do: 'announce', count, ids: 'new' }], slice: 0 },
    ...silent.map(start => ({ start, steps: [], slice: 0 })),
    ...others.slice(2),
  ]);
