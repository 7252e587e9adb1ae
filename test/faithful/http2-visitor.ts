// A visitor that speaks HTTP/2; used by the routes of routes.ts that offer it.

import { type ClientHttp2Stream, connect } from 'node:http2';
import type { ConnectionOptions } from 'node:tls';
import { type Ask, type Exchange, type Field, pairFields, SeenQueue, type Visitor } from './visitor.ts';

const WITH_LENGTH: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** Node's own limit is 128 fields; browsers have none. */
const LIMITS = {
  maxHeaderListPairs: 10_000,
  settings: { maxHeaderListSize: 256 << 10, initialWindowSize: 6 << 20 },
};
/** As Chrome's; with HTTP/2's own 64 KB, every one of them waits 40 ms for an acknowledgement somewhere on the way. */
const SESSION_WINDOW_BYTES = 15 << 20;

/** One connection for all requests. */
export function openHttp2Visitor(url: URL, tls: ConnectionOptions = {}): Visitor {
  const session = connect(url, { ...LIMITS, ...tls });
  session.on('error', () => {}).on('connect', () => session.setLocalWindowSize(SESSION_WINDOW_BYTES));
  return {
    request: ask => {
      const endStream = !ask.open && ask.body === undefined;
      const stream = session.request(listHeaders(url, ask), {
        endStream,
        waitForTrailers: ask.open === true,
      });
      return openExchange(stream, ask);
    },
    connections: 1,
    close: () => session.destroy(),
  };
}

function listHeaders(url: URL, ask: Ask): string[] {
  const own = [
    [':method', ask.method ?? 'GET'],
    [':path', ask.path ?? '/'],
    [':scheme', url.protocol.slice(0, -1)],
    [':authority', url.host],
  ];
  const fields = (ask.headers ?? []).map(([name, value]) => [name.toLowerCase(), value]);
  const hasLength = ask.open || fields.some(([name]) => name === 'content-length');
  const needsLength = !hasLength && (ask.body !== undefined || WITH_LENGTH.has(ask.method ?? 'GET'));
  const length = needsLength ? [['content-length', String(ask.body?.length ?? 0)]] : [];
  return [...own, ...fields, ...length].flat();
}

function openExchange(stream: ClientHttp2Stream, ask: Ask): Exchange {
  const queue = new SeenQueue();
  let trailers: readonly Field[] = [];
  watchAnswer(stream, queue);
  stream.on('wantTrailers', () => stream.sendTrailers(Object.fromEntries(trailers)));
  stream.on('error', () => {});
  if (ask.body !== undefined) stream.end(ask.body);
  return {
    next: () => queue.next(),
    write: piece => new Promise(resolve => stream.write(piece, () => resolve())),
    end: fields => {
      trailers = fields ?? [];
      stream.end();
    },
    leave: () => stream.close(8), // CANCEL
  };
}

function watchAnswer(stream: ClientHttp2Stream, queue: SeenQueue): void {
  const select = (raw: readonly string[]) => pairFields(raw).filter(([name]) => !name.startsWith(':'));
  stream.on('headers', (headers, _, raw: string[]) => {
    queue.push({ kind: 'interim', status: Number(headers[':status']), headers: select(raw) });
  });
  stream.on('continue', () => queue.push({ kind: 'interim', status: 100, headers: [] }));
  stream.on('response', (headers, _, raw: string[]) => {
    queue.push({ kind: 'head', status: Number(headers[':status']), reason: '', headers: select(raw) });
  });
  stream.on('data', bytes => queue.push({ kind: 'data', bytes }));
  let trailers: Field[] = [];
  stream.on('trailers', (_, __, raw: string[]) => {
    trailers = pairFields(raw);
  });
  stream.on('close', () => {
    const isWhole = stream.rstCode === 0 && stream.readableEnded;
    if (isWhole && trailers.length > 0) queue.push({ kind: 'trailers', fields: trailers });
    queue.push({ kind: isWhole ? 'end' : 'broken' });
  });
}
