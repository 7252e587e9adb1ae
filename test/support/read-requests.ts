// Reads the bytes of one connection as a strict app does: which requests are in it. Used by the tests that look at exactly
// what the gateway sends to the app.

export interface SentRequest {
  method: string;
  target: string;
  /** As on the wire, without line ends. */
  lines: string[];
  /** In latin1, without its chunks. */
  body: string;
  trailers: string[];
  /** Whether all of its body is there. */
  isWhole: boolean;
}

/** `bytes` (latin1) may end in the middle of the last one. Throws on bytes that no gateway may send. */
export function readRequests(bytes: string): SentRequest[] {
  const requests: SentRequest[] = [];
  for (let left = bytes; left !== ''; ) {
    const end = left.indexOf('\r\n\r\n');
    if (end < 0) break;
    const { rest, ...request } = readRequest(left.slice(0, end), left.slice(end + 4));
    requests.push(request);
    if (!request.isWhole) break;
    left = rest;
  }
  return requests;
}

function readRequest(head: string, behind: string): SentRequest & { rest: string } {
  const [first = '', ...lines] = head.split('\r\n');
  const [, method, target] = /^([\w!#$%&'*+.^`|~-]+) ([^\s]+) HTTP\/1\.1$/.exec(first) ?? [];
  if (method === undefined || target === undefined)
    throw new Error(`not a request line: ${JSON.stringify(first)}`);
  for (const line of lines)
    if (!/^[\w!#$%&'*+.^`|~-]+: ?[^\r\n\0]*$/.test(line))
      throw new Error(`not a field: ${JSON.stringify(line)}`);
  return { method, target, lines, ...readBody(lines, behind) };
}

type Body = Pick<SentRequest, 'body' | 'trailers' | 'isWhole'> & { rest: string };

function readBody(lines: readonly string[], bytes: string): Body {
  const framing = lines.filter(line => /^(?:content-length|transfer-encoding):/i.test(line));
  if (framing.length > 1) throw new Error(`two framings: ${framing}`);
  const [, length] = /^content-length: (\d+)$/i.exec(framing[0] ?? 'content-length: 0') ?? [];
  if (length === undefined) return readChunks(bytes);
  const size = Number(length);
  return { body: bytes.slice(0, size), trailers: [], isWhole: bytes.length >= size, rest: bytes.slice(size) };
}

function readChunks(bytes: string): Body {
  let body = '';
  for (let left = bytes; ; ) {
    const [line, digits = ''] = /^([\da-f]+)\r\n/i.exec(left) ?? [];
    if (line === undefined) return { body, trailers: [], isWhole: false, rest: '' };
    const size = Number.parseInt(digits, 16);
    left = left.slice(line.length);
    if (size === 0) {
      const end = left.startsWith('\r\n') ? 0 : left.indexOf('\r\n\r\n') + 2;
      const trailers = left.slice(0, end).split('\r\n').filter(Boolean);
      return { body, trailers, isWhole: left.slice(end, end + 2) === '\r\n', rest: left.slice(end + 2) };
    }
    body += left.slice(0, size);
    if (left.length < size + 2) return { body, trailers: [], isWhole: false, rest: '' };
    left = left.slice(size + 2);
  }
}
