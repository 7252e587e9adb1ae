// Reads server-sent events (WHATWG HTML §9.2) from a response: EventSource could not send the key as a header.

export interface ServerEvent {
  readonly type: string;
  /** Empty if it has none. */
  readonly id: string;
  readonly data: string;
}

/** Calls `heard` with every chunk, comments included. */
export async function* splitEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  heard: () => void,
): AsyncGenerator<ServerEvent> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      heard();
      const blocks = `${rest}${chunk.value}`.split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const event = parseEvent(block);
        if (event !== undefined) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Undefined for a block without data, such as a comment. */
function parseEvent(block: string): ServerEvent | undefined {
  const fields = new Map(block.split('\n').map(splitField));
  const data = fields.get('data');
  return data === undefined
    ? undefined
    : { type: fields.get('event') ?? '', id: fields.get('id') ?? '', data };
}

/** The API writes each field once, and a space after the colon. */
function splitField(line: string): [string, string] {
  const colon = line.indexOf(': ');
  return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 2)];
}
