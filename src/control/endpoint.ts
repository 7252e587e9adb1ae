// Answers the requests to one address of the API: the inspector's page for anybody, and the routes of this address for
// those who have its key. Used by api.ts (the control address) and by inspector/public.ts.

import { describeError, InputError, TunnelError } from '../shared/errors.ts';
import type { HttpRequest, HttpResponse } from '../shared/http-message.ts';
import { isSame } from '../shared/secrets.ts';
import { type Call, CallError, type Controls, type Route, refuse } from './call.ts';
import { sendPage } from './inspector/page.ts';
import { RequestFeed } from './requests/feed.ts';
import { Router } from './router.ts';

export interface EndpointOptions {
  controls: Controls;
  /** `METHOD /path/{name}` → route. */
  routes: Readonly<Record<string, Route>>;
  /** What a client must send as `Authorization: Bearer KEY`. Nothing else counts, and no cookie. */
  key: string;
  /** The error for a client without it. */
  keyRequired: string;
  audience: Call['audience'];
}

export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #router: Router;
  readonly #feed: RequestFeed;
  readonly #streams = new Set<HttpResponse>();

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#router = new Router(options.routes);
    this.#feed = new RequestFeed(options.controls.requests);
  }

  handle(request: HttpRequest, response: HttpResponse): void {
    response.on('error', () => {}); // a client that has disconnected needs no response
    const [path = '', query] = (request.url ?? '').split(/\?(.*)/s);
    if (sendPage(request, response, path)) return;
    const { key, keyRequired, controls, audience } = this.#options;
    // The same answer for every path: a client without the key learns nothing about the routes.
    if (!isSame(request.headers.authorization ?? '', `Bearer ${key}`))
      return void refuse(response, 401, keyRequired);
    const found = this.#router.find(request.method ?? '', path);
    if ('route' in found)
      return void runRoute(found.route, {
        controls,
        audience,
        feed: this.#feed,
        streams: this.#streams,
        path: found.path,
        query: new URLSearchParams(query),
        request,
        response,
      });
    const { allowed } = found;
    if (allowed.length === 0) refuse(response, 404, `no such route: ${path}`);
    else refuse(response, 405, `use ${allowed.join(' or ')}`, { Allow: allowed.join(', ') });
  }

  /** Ends the event streams; further ones are still answered. */
  endStreams(): void {
    for (const stream of this.#streams) stream.end();
  }
}

async function runRoute(route: Route, call: Call): Promise<void> {
  try {
    await route(call);
  } catch (error) {
    // Too late for a status: a response that breaks off shows the client that it is not whole.
    if (call.response.headersSent) call.response.destroy();
    else refuse(call.response, chooseStatus(error), describeError(error));
  }
}

function chooseStatus(error: unknown): number {
  if (error instanceof InputError) return 400;
  if (error instanceof CallError) return error.status;
  return error instanceof TunnelError ? 502 : 500;
}
