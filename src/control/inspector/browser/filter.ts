// Which requests the list shows. Pure.

import type { RequestHead } from './api.ts';

export interface Filter {
  /** Words that must all occur, in lower case. */
  readonly words: readonly string[];
  /** Empty: any. */
  readonly method: string;
  /** The first digit of the status, `none` for no answer, or empty for any. */
  readonly status: string;
  readonly refusedOnly: boolean;
}

export function matches(entry: { head: RequestHead; haystack: string }, filter: Filter): boolean {
  const { method, status, refusal } = entry.head;
  if (filter.refusedOnly && refusal === null) return false;
  if (filter.method !== '' && method !== filter.method) return false;
  if (filter.status !== '' && filter.status !== nameStatusClass(status)) return false;
  return filter.words.every(word => entry.haystack.includes(word));
}

function nameStatusClass(status: number | null): string {
  return status === null ? 'none' : String(Math.floor(status / 100));
}

export function splitWords(search: string): string[] {
  return search
    .toLowerCase()
    .split(/\s+/)
    .filter(word => word !== '');
}

export function isFiltering({ words, method, status, refusedOnly }: Filter): boolean {
  return words.length > 0 || method !== '' || status !== '' || refusedOnly;
}

/** All that the search looks through, in lower case: the head, the sender's address, and why the request was refused. */
export function toHaystack({ method, target, headers, visitor_address, refusal }: RequestHead): string {
  const parts = [
    `${method} ${target}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    visitor_address ?? '',
    refusal ?? '',
  ];
  return parts.join('\n').toLowerCase();
}
