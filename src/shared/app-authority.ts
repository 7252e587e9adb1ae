// The name under which the app is addressed on its own side: for the Host that it gets, and for messages. Used by app
// and gateway.

import { addBrackets } from './public-url.ts';

/** `service`: the host of another machine, as it was given; otherwise the app is on this one. */
export interface AppName {
  port: number;
  service?: string;
}

/** `localhost:8080` or `redis:6379`, as a browser beside the app would write it: without port 80. */
export function renderAppAuthority({ port, service }: AppName): string {
  const host = addBrackets(service ?? 'localhost');
  return port === 80 ? host : `${host}:${port}`;
}

/** For a message: `port 8080` or `redis:6379`. */
export function describeAppPort({ port, service }: AppName): string {
  return service === undefined ? `port ${port}` : `${addBrackets(service)}:${port}`;
}
