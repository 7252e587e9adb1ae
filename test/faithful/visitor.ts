// What every visitor of the comparison suite can do, whichever protocol it speaks: send a request piece by piece, and
// see each piece of the answer in the order of arrival. Implemented by http1-visitor.ts and http2-visitor.ts.

import { createHash } from 'node:crypto';

export type Field = readonly [name: string, value: string];

export interface Ask {
  /** GET where absent. */
  method?: string;
  path?: string;
  /** In this order, repeated where they are repeated. Host, or its successor in HTTP/2, is the visitor's own. */
  headers?: readonly Field[];
  /** The whole body, sent with its length. */
  body?: Buffer;
  /** The body comes by `write` and `end`, without a length unless `headers` has one. */
  open?: boolean;
}

/** Names are in lower case, values as latin1. */
export type Seen =
  | { kind: 'interim'; status: number; headers: Field[] }
  | { kind: 'head'; status: number; reason: string; headers: Field[] }
  | { kind: 'data'; bytes: Buffer }
  | { kind: 'trailers'; fields: Field[] }
  | { kind: 'end' }
  /** The connection, or the stream, ended before the answer was whole. */
  | { kind: 'broken' };

export interface Exchange {
  /** What came next; waits for it. */
  next(): Promise<Seen>;
  /** Resolves when the piece has left. */
  write(piece: Buffer | string): Promise<void>;
  end(trailers?: readonly Field[]): void;
  leave(): void;
}

export interface Visitor {
  request(ask: Ask): Exchange;
  /** Opened so far. */
  readonly connections: number;
  close(): void;
}

/** A whole answer, in a form that can be compared. */
export interface Answer {
  interim: { status: number; headers: Field[] }[];
  status: number;
  reason: string;
  headers: Field[];
  body: { bytes: number; sha256: string };
  /** The body as latin1. */
  text: string;
  trailers: Field[];
  end: 'whole' | 'broken' | 'no answer';
}

/**
 * Fields that each connection has for itself, and the date, which tells when an answer passed. Whatever else differs is
 * a finding.
 */
const NOT_COMPARED: ReadonlySet<string> = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding']);

/** Without what the gateway adds to `Vary`, which differences.test.ts shows. */
export function selectCompared(fields: readonly Field[]): Field[] {
  return fields.flatMap(([name, value]) => {
    if (NOT_COMPARED.has(name)) return [];
    if (name !== 'vary') return [[name, value] as const];
    const rest = value.replace(/(?:^|, )Accept-Encoding$/, '');
    return rest === '' ? [] : [[name, rest] as const];
  });
}

/** Pairs of a list as Node has it, `[name, value, name, value, …]`. */
export function pairFields(raw: readonly string[]): Field[] {
  return raw.flatMap((name, index) =>
    index % 2 === 0 ? [[name.toLowerCase(), raw[index + 1] ?? ''] as const] : [],
  );
}

export function describeBody(body: Buffer): Answer['body'] {
  return { bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') };
}

/** Reads an exchange to its end. */
export async function readAnswer(exchange: Exchange): Promise<Answer> {
  const pieces: Buffer[] = [];
  const answer: Omit<Answer, 'body' | 'text' | 'end'> = {
    interim: [],
    status: 0,
    reason: '',
    headers: [],
    trailers: [],
  };
  for (;;) {
    const seen = await exchange.next();
    if (seen.kind === 'interim')
      answer.interim.push({ status: seen.status, headers: selectCompared(seen.headers) });
    else if (seen.kind === 'head')
      Object.assign(answer, {
        status: seen.status,
        reason: seen.reason,
        headers: selectCompared(seen.headers),
      });
    else if (seen.kind === 'data') pieces.push(seen.bytes);
    else if (seen.kind === 'trailers') answer.trailers = seen.fields;
    else {
      const body = Buffer.concat(pieces);
      const whole = seen.kind === 'end' ? 'whole' : 'broken';
      const end = answer.status === 0 ? 'no answer' : whole;
      return { ...answer, body: describeBody(body), end, text: body.toString('latin1') };
    }
  }
}

/** Generous: it only names what a hanging test waits for. */
const DEADLINE_MS = 15_000;

/** What was seen, kept until somebody asks. */
export class SeenQueue {
  readonly #kept: Seen[] = [];
  #wake: (() => void) | undefined;
  #ended = false;

  push(seen: Seen): void {
    if (this.#ended) return;
    this.#ended = seen.kind === 'end' || seen.kind === 'broken';
    this.#kept.push(seen);
    this.#wake?.();
  }

  async next(): Promise<Seen> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error('nothing more came of the answer')), DEADLINE_MS);
    this.#wake = resolve;
    if (this.#kept.length > 0) resolve();
    await promise.finally(() => clearTimeout(timer));
    const seen = this.#kept.shift();
    if (seen === undefined) throw new Error('two were waiting for one event');
    return seen;
  }
}
