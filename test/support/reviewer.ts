// A reviewer who clicks the link of a preview and stays: a browser's cookie and redirect, without the browser.

export interface Reviewer {
  /** The preview's address, without the key and without a trailing slash. */
  readonly url: string;
  /** Fetches a path of it with what the click brought. */
  visit(path?: string, init?: RequestInit): Promise<Response>;
}

/** Clicks `link`, with or without a key. Throws where a key does not let in. */
export async function click(link: string): Promise<Reviewer> {
  const { origin, searchParams } = new URL(link);
  let cookie = '';
  if (searchParams.has('expose-key')) {
    const response = await fetch(link, { redirect: 'manual', signal: AbortSignal.timeout(20_000) });
    cookie = (response.headers.getSetCookie()[0] ?? '').split(';')[0] ?? '';
    if (response.status !== 303 || cookie === '')
      throw new Error(`the link was answered with ${response.status}`);
  }
  return {
    url: origin,
    visit: (path = '/', init = {}) =>
      fetch(`${origin}${path}`, {
        signal: AbortSignal.timeout(20_000),
        ...init,
        headers: { ...(cookie !== '' && { cookie }), ...(init.headers as Record<string, string>) },
      }),
  };
}
