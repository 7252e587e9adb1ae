// Visitors who keep a connection open and do nothing. Used by cases/memory.ts and cases/scale.ts.

import { startVisitor } from './visitors.ts';

export interface IdleVisitors extends AsyncDisposable {
  /** How many connected. */
  readonly connected: number;
  /** Ends them. Resolves with how many were still connected. */
  leave(): Promise<number>;
}

/** Each visitor sends one request and keeps the connection, as browsers do, or sends nothing. */
export async function openIdleVisitors(
  { host, port }: { host: string; port: number },
  count: number,
  sendsRequest = true,
): Promise<IdleVisitors> {
  const args = ['-address', `${host}:${port}`, '-count', `${count}`, ...(sendsRequest ? ['-ask'] : [])];
  const visitors = startVisitor('idle', args);
  // The first line says how many visitors are connected, the second how many still were at the end.
  const readLine = async (line: 1 | 2) => {
    let seen = 0;
    const { value } = await visitors.waitFor(text => {
      seen += 1;
      return seen === line ? (JSON.parse(text) as { open: number }).open : undefined;
    }, 'the number of connected visitors');
    return value;
  };
  return {
    connected: await readLine(1),
    leave: () => {
      visitors.closeInput();
      return readLine(2);
    },
    [Symbol.asyncDispose]: () => visitors.stop(),
  };
}
