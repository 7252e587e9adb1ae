// The key of this page: it comes in the URL's fragment, which browsers do not send, leaves the address bar at once, and
// stays in this tab for reloads. It is never in a cookie or in the URL of a request.

const STORAGE_NAME = 'expose-inspector-key';

/** The key from `#key=…` or of an earlier load of this tab; undefined if there is none. */
export function takeKey(): string | undefined {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = fragment.get('key');
  if (given === null) return sessionStorage.getItem(STORAGE_NAME) ?? undefined;
  fragment.delete('key');
  const rest = fragment.toString();
  history.replaceState(null, '', `${location.pathname}${location.search}${rest === '' ? '' : `#${rest}`}`);
  return given === '' ? undefined : given;
}

/** Keeps a key that was accepted. */
export function keepKey(key: string): void {
  sessionStorage.setItem(STORAGE_NAME, key);
}

export function forgetKey(): void {
  sessionStorage.removeItem(STORAGE_NAME);
}

/** What someone pasted: the key itself, or a link that carries it. */
export function readPasted(text: string): string {
  const trimmed = text.trim();
  return new URLSearchParams(trimmed.split('#')[1]).get('key') ?? trimmed;
}
