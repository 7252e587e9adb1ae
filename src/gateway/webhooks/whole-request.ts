// A request with its whole body, as signatures cover it and as it can be sent again, and how its fields are read. Used
// by every file of webhooks/; a CapturedRequest is one too.

import { forEachField, type RawHeaders } from '../raw-headers.ts';
import { readTarget, type Visit } from '../visit.ts';

export interface WholeRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  readonly rawHeaders: RawHeaders;
  readonly body: Buffer;
  /** As in a Visit. */
  readonly visitorAddress?: string | undefined;
}

/** The request of a visit; its body is empty unless a pass has read it. */
export function readRequest({ request, body, visitorAddress }: Visit): WholeRequest {
  return {
    method: request.method ?? '',
    target: readTarget(request),
    rawHeaders: request.rawHeaders,
    body: body ?? Buffer.alloc(0),
    visitorAddress,
  };
}

/** The values of each field with this lower-case name. */
export function listValues(raw: RawHeaders, wanted: string): string[] {
  const values: string[] = [];
  forEachField(raw, (name, value) => {
    if (name.toLowerCase() === wanted) values.push(value.trim());
  });
  return values;
}

/** The value of the field with this lower-case name; undefined if there is none, or more than one. */
export function readValue(raw: RawHeaders, wanted: string): string | undefined {
  const [value, another] = listValues(raw, wanted);
  return another === undefined ? value : undefined;
}

/** The body's JSON if it is an object; undefined if it is anything else. */
export function parseObject(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
