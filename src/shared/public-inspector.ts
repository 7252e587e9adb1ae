// What visitors of the public inspector's port reach. Made by control/inspector/public.ts; exposure/ puts a gateway and a
// tunnel in front of it.

import type { HttpRequest, HttpResponse } from './http-message.ts';

export interface PublicInspector {
  handle(request: HttpRequest, response: HttpResponse): void;
  /** Ends what would go on by itself: the event streams. */
  endStreams(): void;
}
