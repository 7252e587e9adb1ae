// Under which name the app is addressed: the two rules behind the input `host-header`. Used by inputs/, app/ (which
// chooses a rule at each start) and gateway/ (which follows it).

/**
 * - `rewrite`: the app sees itself as localhost (a service on another machine: under its name there). `Host` says so, and
 *   in `Origin` and `Referer` the preview's own address.
 * - `preserve`: the app sees the public address, as the visitor sent it.
 */
export const HOST_RULES = ['rewrite', 'preserve'] as const;
export type HostRule = (typeof HOST_RULES)[number];

/** The values of the input: a rule, or `auto` to ask the app. */
export const HOST_HEADERS = ['auto', ...HOST_RULES] as const;
export type HostHeader = (typeof HOST_HEADERS)[number];
