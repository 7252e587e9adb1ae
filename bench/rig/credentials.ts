// The key and the password of the previews that are not open, and what a visitor sends to be let in. Used by tunnels.ts
// and caddy.ts.

export const USER = 'preview';
export const PASSWORD = 'the-password-of-the-benchmark';
/** The value of the input `basic-auth`. */
export const LOGIN = `${USER}:${PASSWORD}`;
/** The value of the input `access-key`. */
export const VISITORS_KEY = 'the-visitors-key-of-the-benchmark';
export const PASSWORD_VALUE = `Basic ${Buffer.from(LOGIN).toString('base64')}`;
export const PASSWORD_HEADER = `Authorization: ${PASSWORD_VALUE}`;

/** Opens the link with the key, as a reviewer does. Resolves with the header line of the cookie that replaces the key. */
export async function openSession(url: string): Promise<string> {
  const link = `${url}/?expose-key=${VISITORS_KEY}`;
  const answer = await fetch(link, { redirect: 'manual', headers: { Accept: 'text/html' } });
  const cookies = answer.headers.getSetCookie().map(cookie => cookie.split(';')[0]);
  if (cookies.length === 0) throw new Error(`${link} answered ${answer.status} without a cookie`);
  return `Cookie: ${cookies.join('; ')}`;
}
