// `GET /api/events`: server-sent events (WHATWG HTML, 9.2) about the state, the captured requests and the console. Used
// by api.ts.
//
// A stream has no queue. Each of its sources knows how far the client has read, and is asked for the next event when the
// connection can take one: a client that reads slowly gets the latest state, requests as they are by then, and the
// lines of the console that are still kept.

import { InputError } from '../shared/errors.ts';
import { renderJson } from '../shared/sanitise.ts';
import type { ExposureState } from '../shared/state.ts';
import { describeState } from '../shared/state-json.ts';
import { type Call, CallError, type Controls, checkParameters } from './call.ts';
import { type Description, readDescription } from './requests/description.ts';
import type { RequestFeed } from './requests/feed.ts';
import { parseId } from './requests/filter.ts';

const EVENT_TYPES = ['state', 'request', 'console'] as const;
type EventType = (typeof EVENT_TYPES)[number];

/** A comment line now and then shows a client that a quiet stream is not dead. */
const KEEPALIVE_MS = 15_000;
/** A client that has read nothing for this many keepalives is gone. */
const MAX_MISSED_KEEPALIVES = 4;
/** Each costs a connection and its buffers. */
const MAX_STREAMS = 64;
/** Lines of the console that a new client gets first. */
const FIRST_LINES = 200;

/** Where a client is: it has read everything up to this change and this line of the console. */
interface Position {
  change: number;
  line: number;
}

interface Source {
  /** The text of the next event, once; undefined if there is none yet. */
  next(): string | undefined;
  /** `onNews`: there may be a next event. Returns the function that unsubscribes. */
  subscribe(onNews: () => void): () => void;
}

/**
 * `types`: some of EVENT_TYPES with commas, by default `state`. `since`: only requests with a greater id, at first;
 * later changes of all. A client that sends the last `id:` as `Last-Event-ID` misses none.
 */
export function streamEvents(call: Call): void {
  const { controls, feed, streams, query, request } = call;
  checkParameters(query, ['types', 'since', 'redact']);
  const types = readTypes(query.get('types') ?? 'state');
  const since = parseId(query.get('since') ?? '0', 'since');
  const description = readDescription(call);
  if (streams.size >= MAX_STREAMS) throw new CallError(503, `${MAX_STREAMS} event streams are open already`);
  const position = readPosition(String(request.headers['last-event-id'] ?? ''), controls.consoleLines, feed);
  const sources: Readonly<Record<EventType, () => Source>> = {
    state: () => followState(controls),
    request: () => followRequests(feed, position, { since, description }),
    console: () => followConsole(controls.consoleLines, position),
  };
  sendSources(
    call,
    types.map(type => sources[type]()),
  );
}

/** In the order in which their events are sent if several are waiting. */
function readTypes(text: string): EventType[] {
  const words = text.split(',').map(word => word.trim());
  const unknown = words.find(word => !EVENT_TYPES.some(known => known === word));
  if (unknown !== undefined)
    throw new InputError(`\`types\` has '${unknown}': write some of ${EVENT_TYPES.join(', ')}, with commas`);
  return EVENT_TYPES.filter(type => words.includes(type));
}

/** Where a new client begins, or one that comes again with the id of the last event it got. */
function readPosition(lastEventId: string, lines: Controls['consoleLines'], feed: RequestFeed): Position {
  const [, change, line] = /^(\d{1,15})-(\d{1,15})$/.exec(lastEventId) ?? [];
  const firstLine = Math.max(0, lines.lastNumber - FIRST_LINES);
  if (change === undefined || Number(change) > feed.lastChange || Number(line) > lines.lastNumber)
    return { change: feed.cleared.change, line: firstLine };
  return { change: Number(change), line: Number(line) };
}

function sendSources({ streams, response }: Call, sources: readonly Source[]): void {
  let [isFull, missed] = [false, 0];
  const pump = () => {
    while (!isFull && !response.writableEnded && !response.destroyed) {
      const event = firstOf(sources);
      if (event === undefined) return;
      isFull = !response.write(event);
    }
  };
  response.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    // Otherwise nginx would collect the events (ngx_http_proxy_module, proxy_buffering).
    'X-Accel-Buffering': 'no',
  });
  response.flushHeaders();
  streams.add(response);
  response.on('drain', () => {
    [isFull, missed] = [false, 0];
    pump();
  });
  const unsubscribers = sources.map(source => source.subscribe(pump));
  const keepalive = setInterval(() => {
    if (!isFull && !response.writableEnded) isFull = !response.write(':\n\n');
    else if (++missed === MAX_MISSED_KEEPALIVES) response.destroy();
  }, KEEPALIVE_MS);
  response.once('close', () => {
    streams.delete(response);
    clearInterval(keepalive);
    for (const unsubscribe of unsubscribers) unsubscribe();
  });
  pump();
}

function firstOf(sources: readonly Source[]): string | undefined {
  for (const source of sources) {
    const event = source.next();
    if (event !== undefined) return event;
  }
  return undefined;
}

function renderEvent(type: EventType | 'cleared', data: object, id?: Position): string {
  const idLine = id === undefined ? '' : `id: ${id.change}-${id.line}\n`;
  return `event: ${type}\n${idLine}data: ${renderJson(data)}\n\n`;
}

/** The current state first, and then every later one. */
function followState(controls: Controls): Source {
  let latest: ExposureState | undefined = controls.state;
  return {
    next: () => {
      const state = latest;
      latest = undefined;
      return state && renderEvent('state', describeState(state));
    },
    subscribe: onNews =>
      controls.subscribe(state => {
        latest = state;
        onNews();
      }),
  };
}

/** Each request that is new or has changed, without its body; `cleared` when all up to `last_id` were removed. */
function followRequests(
  feed: RequestFeed,
  position: Position,
  { since, description }: { since: number; description: Description },
): Source {
  const start = feed.lastChange;
  return {
    next: () => {
      const { cleared } = feed;
      if (position.change < cleared.change) {
        position.change = cleared.change;
        return renderEvent('cleared', { last_id: cleared.lastId }, position);
      }
      for (;;) {
        const next = feed.next(position.change);
        if (next === undefined) return undefined;
        position.change = next.change;
        if (next.change > start || next.request.id > since)
          return renderEvent('request', description.ofRequest(next.request, { withBody: false }), position);
      }
    },
    subscribe: onNews => feed.subscribe(onNews),
  };
}

/** The last lines first, and then every later one; `missed`: how many before it the client was too slow for. */
function followConsole(lines: Controls['consoleLines'], position: Position): Source {
  return {
    next: () => {
      const line = lines.next(position.line);
      if (line === undefined) return undefined;
      const { number, at, run, text } = line;
      const missed = number - position.line - 1;
      position.line = number;
      return renderEvent('console', { number, at: at.toISOString(), run, text, missed }, position);
    },
    subscribe: onNews => lines.subscribe(onNews),
  };
}
