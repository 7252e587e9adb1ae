// An HTTP/2 client that writes frames by hand over TLS, so that it can send what no library would.

import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { waitUntil } from './wait-until.ts';

export const FRAME = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;
/** Error codes of RFC 9113, 7. */
export const CODE = { protocol: 1, flowControl: 3, refused: 7, cancel: 8, enhanceYourCalm: 11 } as const;

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

export type Field = readonly [name: string, value: string];

/** The fields that every request needs, some of them replaced, and more fields after them. */
export function listRequestFields(pseudo: Record<string, string> = {}, ...more: Field[]): Field[] {
  const base = { ':method': 'GET', ':scheme': 'https', ':path': '/', ':authority': 'a', ...pseudo };
  return [...Object.entries(base), ...more];
}

/** Literals without indexing and Huffman codes (RFC 7541, 6.2.2): bytes are sent unchanged. */
export function encodeFields(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.of(0), encodeText(name), encodeText(value)]),
  );
}

function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([encodeInteger(bytes.length, 7), bytes]);
}

/** RFC 7541, 5.1. */
export function encodeInteger(value: number, prefixBits: number): Buffer {
  const max = 2 ** prefixBits - 1;
  if (value < max) return Buffer.of(value);
  const bytes = [max];
  let rest = value - max;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

export function renderFrame({ type, flags, stream, payload }: Frame): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A HEADERS frame with a complete head. */
export function renderHeaders(
  stream: number,
  fields: readonly Field[],
  flags = END_HEADERS | END_STREAM,
): Buffer {
  return renderFrame({ type: FRAME.headers, flags, stream, payload: encodeFields(fields) });
}

export function renderReset(stream: number, code: number = CODE.cancel): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return renderFrame({ type: FRAME.rstStream, flags: 0, stream, payload });
}

export class FrameClient {
  readonly socket: TLSSocket;
  readonly frames: Frame[] = [];
  closed = false;
  #buffer: Buffer = Buffer.alloc(0);

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  /** Connected, with preface and settings (`id`, `value` pairs) sent. */
  static async open(
    port: number,
    ca: string,
    settings: readonly [number, number][] = [],
  ): Promise<FrameClient> {
    const socket = connect({ port, host: 'localhost', ca, ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    return FrameClient.over(socket, settings);
  }

  /** The same over a connection that is open already. */
  static over(socket: TLSSocket, settings: readonly [number, number][] = []): FrameClient {
    const client = new FrameClient(socket);
    const payload = Buffer.concat(
      settings.map(([id, value]) => {
        const entry = Buffer.alloc(6);
        entry.writeUInt16BE(id);
        entry.writeUInt32BE(value, 2);
        return entry;
      }),
    );
    client.write(Buffer.from(PREFACE), renderFrame({ type: FRAME.settings, flags: 0, stream: 0, payload }));
    return client;
  }

  /** In one write. */
  write(...parts: readonly Buffer[]): void {
    if (!this.closed) this.socket.write(Buffer.concat(parts));
  }

  ofType(type: number, stream?: number): Frame[] {
    return this.frames.filter(frame => frame.type === type && (stream ?? frame.stream) === frame.stream);
  }

  /** Error code of the reset of a stream, or undefined. */
  resetCode(stream: number): number | undefined {
    return this.ofType(FRAME.rstStream, stream)[0]?.payload.readUInt32BE(0);
  }

  /** Error code of the last GOAWAY, or undefined. */
  get goawayCode(): number | undefined {
    return this.ofType(FRAME.goaway).at(-1)?.payload.readUInt32BE(4);
  }

  /** The status of a stream's answer, if it is in the static table (RFC 7541, appendix A). */
  status(stream: number): number | undefined {
    const first = this.ofType(FRAME.headers, stream)[0]?.payload[0];
    return [200, 204, 206, 304, 400, 404, 500][(first ?? 0) - 0x88];
  }

  /** Resolves when the stream has been answered or reset, or the connection has ended. */
  async settled(stream: number): Promise<void> {
    await waitUntil(
      () =>
        this.closed || this.resetCode(stream) !== undefined || this.ofType(FRAME.headers, stream).length > 0,
      `stream ${stream} is settled`,
    );
  }

  close(): void {
    this.socket.destroy();
  }

  /**
   * Acknowledges later settings, as every client does: the gateway takes one that does not for gone after a while. The
   * first ones are left to the test.
   */
  #acknowledge(): void {
    const last = this.frames.at(-1);
    const isFirst = this.ofType(FRAME.settings).filter(({ flags }) => flags === 0).length === 1;
    if (last?.type === FRAME.settings && last.flags === 0 && !isFirst)
      this.write(renderFrame({ type: FRAME.settings, flags: 1, stream: 0, payload: Buffer.alloc(0) }));
  }

  #read(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      if (this.#buffer.length < 9) return;
      const end = 9 + this.#buffer.readUIntBE(0, 3);
      if (this.#buffer.length < end) return;
      const head = this.#buffer;
      this.frames.push({
        type: head.readUInt8(3),
        flags: head.readUInt8(4),
        stream: head.readUInt32BE(5),
        payload: Buffer.from(head.subarray(9, end)),
      });
      this.#buffer = this.#buffer.subarray(end);
      this.#acknowledge();
    }
  }
}
