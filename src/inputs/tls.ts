// The inputs for TLS that ends on the runner: certificate and key, checked before anything is started. Messages reveal
// nothing of the key except what kind of text it is. Used by inputs.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import { describeError, InputError } from '../shared/errors.ts';
import {
  PLAIN_PUBLIC_URLS,
  renderPublicUrl,
  SAMPLE_PORT,
  stripBrackets,
  TLS_PUBLIC_URL,
} from '../shared/public-url.ts';
import { sanitise } from '../shared/sanitise.ts';
import type { Protocol } from '../shared/state.ts';
import type { Checked, InputSource, Problems } from './problems.ts';
import type { TunnelInputs } from './tunnel.ts';

/** Certificates are usually renewed weeks before they expire: so close to the end, a renewal was missed. */
const NEAR_END_MS = 3 * 24 * 60 * 60_000;
/** How many names of a certificate a message lists. */
const MAX_NAMES = 10;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

export interface TlsInputs {
  /** PEM: the certificate first, then its intermediates. */
  cert: string;
  /** PEM. */
  key: string;
  /** The template of the public address, which is https. */
  publicUrl: string;
  expiresAt: Date;
}

/** Undefined if neither input is given. Notes every problem in `problems`; throws if there is one. */
export function parseTlsInputs(
  read: InputSource,
  context: { protocol: Protocol; tunnel: Checked<TunnelInputs>; problems: Problems },
): TlsInputs | undefined {
  const { protocol, tunnel, problems } = context;
  const [cert, key] = [read('tls-cert').trim(), read('tls-key').trim()];
  if (cert === '' && key === '') return undefined;
  if (protocol === 'tcp')
    throw new InputError(
      '`tls-cert` cannot be used with `protocol: tcp`: the bytes go to the app as they are, so let the app speak TLS; leave it out',
    );
  const chain = problems.check(() => parseChain(cert));
  const privateKey = problems.check(() => parseKey(key));
  const leaf = problems.check(() => findLeaf(chain.value, privateKey.known));
  problems.check(() => checkPair(chain.value, privateKey.value, key));
  problems.check(() => checkDates(leaf.value, new Date()));
  const publicUrl = problems.check(() => chooseTemplate(tunnel.value.publicUrl));
  problems.check(() => checkNames(leaf.value, tunnel.value, publicUrl.value));
  return {
    cert: renderChain(chain.value),
    key,
    publicUrl: publicUrl.value,
    expiresAt: new Date(leaf.value.validTo),
  };
}

/** The certificate that matches the key, otherwise the first: the chain may be out of order. */
function findLeaf(chain: readonly X509Certificate[], key: KeyObject | undefined): X509Certificate {
  const leaf = chain.find(one => key && one.checkPrivateKey(key)) ?? chain[0];
  if (leaf === undefined)
    throw new InputError('`tls-cert` holds no certificate: give the text of the file (fullchain.pem)');
  return leaf;
}

/** What is allowed but unwise. */
export function listTlsWarnings({ expiresAt }: TlsInputs, durationMs: number | undefined): string[] {
  const leftMs = expiresAt.getTime() - Date.now();
  if (durationMs !== undefined && leftMs < durationMs)
    return [
      `the certificate of \`tls-cert\` ends at ${expiresAt.toISOString()}, before the preview does: browsers will refuse the link from then on; renew it`,
    ];
  if (leftMs >= NEAR_END_MS) return [];
  return [`the certificate of \`tls-cert\` ends soon, at ${expiresAt.toISOString()}: renew it`];
}

function parseChain(text: string): X509Certificate[] {
  if (text === '')
    throw new InputError(
      '`tls-key` is given without `tls-cert`: is the secret it comes from set? Give both, or leave both out',
    );
  if (text.includes('PRIVATE KEY'))
    throw new InputError(
      '`tls-cert` holds a private key: it belongs in `tls-key` alone; give the text of the certificate (fullchain.pem)',
    );
  const blocks = text.match(CERTIFICATE);
  if (blocks === null)
    throw new InputError(
      `\`tls-cert\` is not a PEM certificate, but ${describeText(text)}: give the text of the file (fullchain.pem), from -----BEGIN CERTIFICATE----- on`,
    );
  return blocks.map((block, index) => parseCertificate(block, index));
}

function parseCertificate(block: string, index: number): X509Certificate {
  try {
    return new X509Certificate(block);
  } catch (cause) {
    throw new InputError(
      `certificate ${index + 1} of \`tls-cert\` cannot be read (${describeError(cause)}): give the text of the file as it is, line breaks included`,
      { cause },
    );
  }
}

function parseKey(text: string): KeyObject {
  if (text === '')
    throw new InputError(
      '`tls-cert` is given without `tls-key`: is the secret it comes from set? Give both, or leave both out',
    );
  if (/ENCRYPTED/.test(text))
    throw new InputError(
      '`tls-key` is protected by a passphrase: give the key without one (openssl pkey -in key.pem), as a secret of the repository',
    );
  if (!/-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/.test(text))
    throw new InputError(
      `\`tls-key\` is not a PEM private key, but ${describeText(text)}: give the text of the file (privkey.pem), from -----BEGIN PRIVATE KEY----- on`,
    );
  try {
    return createPrivateKey(text);
  } catch {
    // OpenSSL's message does not help here, and as a cause it might reveal a part of the key.
    throw new InputError(
      `\`tls-key\` cannot be read as a private key (it is ${describeText(text)}): give the text of the file as it is, line breaks included`,
    );
  }
}

/** What kind of text it is, without its content. */
function describeText(text: string): string {
  const size = `a text of ${text.length} characters in ${text.split('\n').length} lines`;
  if (text.includes('\\n')) return `${size}, in which line breaks are written as \\n`;
  const kind = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text)?.[1];
  if (kind !== undefined) return `${size}, which says it is a ${kind}`;
  return /^\S*[/\\]\S*$/.test(text) && text.length < 256 ? `${size}, a file name perhaps` : size;
}

function checkPair(chain: readonly X509Certificate[], key: KeyObject, keyText: string): void {
  const position = chain.findIndex(certificate => certificate.checkPrivateKey(key));
  if (position > 0)
    throw new InputError(
      `\`tls-key\` belongs to certificate ${position + 1} of \`tls-cert\`: put that one first, then the intermediates`,
    );
  if (position === -1)
    throw new InputError(
      `\`tls-key\` is not the key of the certificate in \`tls-cert\` (${describeNames(chain[0])}): give the two files of one renewal`,
    );
  try {
    createSecureContext({ cert: renderChain(chain), key: keyText, minVersion: 'TLSv1.2' });
  } catch (cause) {
    throw new InputError(
      `\`tls-cert\` and \`tls-key\` cannot be used for TLS (${sanitise(describeError(cause))}): make new ones, with a usual key (P-256, or RSA of 2048 bits)`,
    );
  }
}

function checkDates(leaf: X509Certificate, now: Date): void {
  const [from, to] = [new Date(leaf.validFrom), new Date(leaf.validTo)];
  if (now < from)
    throw new InputError(
      `the certificate of \`tls-cert\` is not valid before ${from.toISOString()}, and it is ${now.toISOString()}: wait, or set the clock of the machine`,
    );
  if (now >= to)
    throw new InputError(
      `the certificate of \`tls-cert\` expired at ${to.toISOString()}, and it is ${now.toISOString()}: renew it, and update the secret`,
    );
}

function chooseTemplate(publicUrl: string): string {
  if (publicUrl === PLAIN_PUBLIC_URLS.http) return TLS_PUBLIC_URL;
  if (publicUrl.startsWith('https:')) return publicUrl;
  throw new InputError(
    `\`public-url\` is '${publicUrl}', and with \`tls-cert\` visitors speak https: write https://, or leave it out`,
  );
}

/** Checks the certificate's names against the public host of every server. */
function checkNames(leaf: X509Certificate, { servers }: TunnelInputs, publicUrl: string): void {
  const hosts = servers.map(
    ({ address }) => new URL(renderPublicUrl(publicUrl, address.host, SAMPLE_PORT)).hostname,
  );
  const missing = [...new Set(hosts)].filter(host => !isFor(leaf, host));
  if (missing.length > 0)
    throw new InputError(
      missing.map(
        host =>
          `the certificate of \`tls-cert\` is not for ${sanitise(host)}, which visitors use, but ${describeNames(leaf)}: get one for that name, or change \`public-url\``,
      ),
    );
}

/** Whether browsers take the certificate for this host name or IP address. */
export function isFor(leaf: X509Certificate, host: string): boolean {
  const bare = stripBrackets(host);
  if (isIP(bare) !== 0) return leaf.checkIP(bare) !== undefined;
  // Browsers look at the list of names alone, not at the subject.
  return leaf.checkHost(bare, { subject: 'never' }) !== undefined;
}

/** `for a.example, b.example`: at most ten names, safe to print. */
export function describeNames(leaf: X509Certificate | undefined): string {
  const names = (leaf?.subjectAltName ?? '')
    .split(', ')
    .map(name => name.replace(/^(?:DNS|IP Address):/, ''));
  const [first = ''] = names;
  if (first === '') return 'for no name at all';
  const rest = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : '';
  return `for ${sanitise(names.slice(0, MAX_NAMES).join(', '))}${rest}`;
}

function renderChain(chain: readonly X509Certificate[]): string {
  return chain.map(String).join('');
}
