// llhttp, the HTTP parser of Node.js, as WebAssembly: what undici ships, used as undici does. Used by answer-parser.ts.
//
// Its callbacks only record what was found. What follows from that happens after `execute` has returned: so nothing
// can call into the parser while it works, or free what it works on.

import { ERROR } from 'undici/lib/llhttp/constants.js';
import wasm from 'undici/lib/llhttp/llhttp-wasm.js';
import { ParseError } from './errors.ts';

/** Gets what one `execute` finds, in the order of the bytes. */
export interface Findings {
  /** Pieces of the reason, of a name, and of a value: each may come in several. */
  onReason(piece: string): void;
  onName(piece: string): void;
  onValue(piece: string): void;
  onHeadComplete(status: number, isUpgrade: boolean, keepsAlive: boolean): void;
  /** Positions in the bytes given to `execute`. */
  onBody(start: number, end: number): void;
  onMessageComplete(): void;
}

/** The exports that are used here (llhttp.h). */
interface Library {
  memory: { buffer: ArrayBuffer };
  malloc(bytes: number): number;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  llhttp_reset(parser: number): void;
  llhttp_resume(parser: number): void;
  llhttp_execute(parser: number, start: number, length: number): number;
  llhttp_finish(parser: number): number;
  llhttp_get_error_pos(parser: number): number;
  llhttp_get_error_reason(parser: number): number;
}

/** The most bytes that `execute` takes. */
export const MAX_FEED_BYTES = 256 * 1_024;

/** Up to this length, one string for all pieces costs less than one conversion for each. */
const TEXT_BYTES = 8 * 1_024;

const RESPONSE = 2;
const OK = 0;
const PAUSED = 21;

let library: Library | undefined;
/** Where in its memory the bytes are that it parses, and a view of them. */
let feed = 0;
let memory = Buffer.alloc(0);
/** Set during `execute`. `text` is empty if the bytes are too many. */
let findings: Findings | undefined;
let text = '';

/** The parser of one connection's answers. To be freed. */
export class Llhttp {
  readonly #library: Library;
  readonly #parser: number;

  constructor() {
    library ??= load();
    this.#library = library;
    this.#parser = library.llhttp_alloc(RESPONSE);
  }

  /** Begins with another message. */
  reset(): void {
    this.#library.llhttp_reset(this.#parser);
  }

  /**
   * Parses `bytes` up to the end of the head, or of the message. Returns how many of them that were. Call it with the rest:
   * after a head, its message goes on. Throws a ParseError.
   */
  execute(bytes: Buffer, to: Findings): number {
    const { length } = bytes;
    this.#put(bytes);
    text = length <= TEXT_BYTES ? bytes.toString('latin1') : '';
    findings = to;
    const result = this.#library.llhttp_execute(this.#parser, feed, length);
    findings = undefined;
    if (result === OK) return length;
    const position = this.#library.llhttp_get_error_pos(this.#parser) - feed;
    if (result !== PAUSED) throw this.#explain(result, bytes.subarray(position));
    this.#library.llhttp_resume(this.#parser);
    return position;
  }

  /** The connection has ended. Whether that is a proper end of the message. */
  finish(to: Findings): boolean {
    findings = to;
    const result = this.#library.llhttp_finish(this.#parser);
    findings = undefined;
    return result === OK || result === PAUSED;
  }

  free(): void {
    this.#library.llhttp_free(this.#parser);
  }

  #put(bytes: Buffer): void {
    const { buffer } = this.#library.memory;
    // The memory may have grown.
    if (memory.buffer !== buffer) memory = Buffer.from(buffer, feed, MAX_FEED_BYTES);
    memory.set(bytes);
  }

  #explain(result: number, rest: Buffer): ParseError {
    const [name = String(result)] = Object.entries(ERROR).find(([, code]) => code === result) ?? [];
    const start = this.#library.llhttp_get_error_reason(this.#parser);
    const all = Buffer.from(this.#library.memory.buffer);
    return new ParseError(
      `HPE_${name}`,
      all.toString('latin1', start, all.indexOf(0, start)),
      Buffer.from(rest),
    );
  }
}

function load(): Library {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env: CALLBACKS });
  if (!isLibrary(exports)) throw new Error('llhttp has other exports than expected');
  feed = exports.malloc(MAX_FEED_BYTES);
  return exports;
}

function isLibrary(exports: object): exports is Library {
  return 'llhttp_execute' in exports && 'memory' in exports && exports.memory instanceof WebAssembly.Memory;
}

/** The number returned says how to go on: PAUSED stops behind the head, and behind the message. */
const CALLBACKS = {
  wasm_on_url: () => OK,
  wasm_on_message_begin: () => OK,
  wasm_on_status: (_: number, start: number, length: number) => {
    findings?.onReason(read(start, length));
    return OK;
  },
  wasm_on_header_field: (_: number, start: number, length: number) => {
    findings?.onName(read(start, length));
    return OK;
  },
  wasm_on_header_value: (_: number, start: number, length: number) => {
    findings?.onValue(read(start, length));
    return OK;
  },
  wasm_on_headers_complete: (_: number, status: number, upgrade: number, keepAlive: number) => {
    findings?.onHeadComplete(status, upgrade === 1, keepAlive === 1);
    return PAUSED;
  },
  wasm_on_body: (_: number, start: number, length: number) => {
    findings?.onBody(start - feed, start - feed + length);
    return OK;
  },
  wasm_on_message_complete: () => {
    findings?.onMessageComplete();
    return PAUSED;
  },
};

function read(start: number, length: number): string {
  const from = start - feed;
  return text === '' ? memory.toString('latin1', from, from + length) : text.slice(from, from + length);
}
