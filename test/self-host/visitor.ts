// A visitor of a preview behind a proxy: chooses the name in the TLS handshake, the Host and its own address, as no
// ordinary client lets it. Used by proxy-suite.ts.

import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { type RequestOptions, request as sendRequest } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';

export interface VisitorOptions {
  /** Where the proxy listens. */
  host: string;
  port: number;
  /** PEM of the authority that the visitor trusts. */
  ca: string;
  /** The visitor's own address. */
  from: string;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

export interface Question {
  /** The name in the handshake; with no `host`, also in the request. */
  name: string;
  host?: string;
  path?: string;
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
}

export class Visitor {
  readonly options: VisitorOptions;

  constructor(options: VisitorOptions) {
    this.options = options;
  }

  /** The same visitor at another address of the machine. */
  at(from: string): Visitor {
    return new Visitor({ ...this.options, from });
  }

  /** The same visitor of another address of the proxy. */
  through(options: Partial<VisitorOptions>): Visitor {
    return new Visitor({ ...this.options, ...options });
  }

  /** What node:https needs for one request over a connection of its own. */
  describe({ name, host = name, path = '/', method = 'GET', headers = {} }: Question): RequestOptions {
    const { port, ca, from } = this.options;
    const where = { host: this.options.host, port, localAddress: from, servername: name, ca, agent: false };
    return { ...where, path, method, headers: { host, ...headers } };
  }

  /** One request over HTTP/1.1. Rejects if the handshake fails or no answer comes. */
  async ask(question: Question): Promise<Answer> {
    const request = sendRequest(this.describe(question));
    request.end(question.body);
    const [response] = await once(request, 'response');
    return { status: response.statusCode, headers: response.headers, body: await readAll(response) };
  }

  /** A TLS connection. `name` undefined: the handshake names no host. */
  async connect(name: string | undefined, protocols: readonly string[] = ['http/1.1']): Promise<TLSSocket> {
    const { host, port, ca, from } = this.options;
    const socket = connect({
      ...{ host, port, ca, localAddress: from, ALPNProtocols: [...protocols] },
      ...(name === undefined ? { checkServerIdentity: () => undefined } : { servername: name }),
    });
    await once(socket, 'secureConnect');
    return socket;
  }

  /** Sends bytes as they are, and returns everything until the proxy closes, or until `isEnough`. */
  async send(name: string, bytes: string, isEnough = (_: string) => false): Promise<string> {
    const socket = await this.connect(name);
    socket.on('error', () => {});
    socket.setTimeout(20_000, () => socket.destroy());
    let received = '';
    socket.on('data', chunk => {
      received += chunk.toString('latin1');
      if (isEnough(received)) socket.destroy();
    });
    socket.write(bytes, 'latin1');
    if (!socket.closed) await new Promise(resolve => socket.once('close', resolve));
    return received;
  }

  /** An HTTP/2 connection. */
  async openHttp2(name: string): Promise<ClientHttp2Session> {
    const socket = await this.connect(name, ['h2']);
    const session = connectHttp2(`https://${name}`, { createConnection: () => socket });
    session.on('error', () => {});
    return session;
  }

  /** A WebSocket over HTTP/1.1, not open yet. */
  openWebSocket(name: string, path = '/socket'): WebSocket {
    const { host, port, ca, from } = this.options;
    return new WebSocket(`wss://${host}:${port}${path}`, {
      ...{ ca, servername: name, localAddress: from, headers: { host: name }, maxPayload: 64 << 20 },
      perMessageDeflate: false,
    });
  }
}

/** One request of an HTTP/2 connection. */
export async function askHttp2(session: ClientHttp2Session, question: Question): Promise<Answer> {
  const { name, host = name, path = '/', method = 'GET', headers = {}, body } = question;
  const fields = { ':authority': host, ':path': path, ':method': method, ...headers };
  const stream = session.request(fields, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  // A short answer is over in the same packet: it has to be read while the head is awaited.
  const [[response], received] = await Promise.all([once(stream, 'response'), readAll(stream)]);
  return { status: response[constants.HTTP2_HEADER_STATUS], headers: response, body: received };
}

export async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
