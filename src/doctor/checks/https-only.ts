// Whether browsers open http links to the public name at all: some zones are on the list with which they force https
// (HSTS preload), and a web site of the domain can ask for the same (RFC 6797).

import { isIP } from 'node:net';
import { listHttpsWarnings } from '../../inputs/https-zones.ts';
import { raceSignal } from '../../shared/abort.ts';
import { stripBrackets } from '../../shared/public-url.ts';
import { type Check, type Finding, fault, ok, warning } from '../check.ts';
import type { Subject } from '../subject.ts';
import { NoVisit, openTcp, openTls, type Target, visitOver } from '../visit.ts';

/** Most bore servers have no web site, and a firewall that drops. */
const WAIT_MS = 1_500;

export const httpsOnly: Check = {
  name: 'https-only',
  title: 'http links',
  needs: ['dns', 'public-dns'],
  applies: subject => !subject.isHttps && subject.question.isWebPage,
  deadlineMs: 8_000,
  async run(subject, signal) {
    const { server, secret, publicUrl } = subject.question;
    const forced = listHttpsWarnings({ servers: [{ address: server, secret }], publicUrl });
    if (forced.length > 0) return forced.map(message => ({ ...fault(message), blocks: false }));
    const host = stripBrackets(subject.publicUrl().hostname);
    if (isIP(host) !== 0) return [ok('browsers open them: an address has no https-only rule')];
    const found = await Promise.all(listSites(host).map(site => askSite(subject, site, host, signal)));
    const rules = found.flat();
    return rules.length > 0
      ? rules
      : [ok(`browsers open them: no rule for https only was found for ${host}`)];
  },
};

/** The name itself and those above it, without the top-level domain. */
function listSites(host: string): string[] {
  const labels = host.split('.');
  return labels.slice(0, Math.max(1, labels.length - 1)).map((_, index) => labels.slice(index).join('.'));
}

/** A site that does not answer, or has no valid certificate, makes no rule. */
async function askSite(
  subject: Subject,
  site: string,
  host: string,
  signal: AbortSignal,
): Promise<Finding[]> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(WAIT_MS)]);
  try {
    const [address] = await raceSignal(subject.resolve(site), limit);
    if (address === undefined) return [];
    const target: Target = { url: new URL(`https://${site}`), address };
    const socket = await openTls(await openTcp(target, limit), target, ['http/1.1'], limit);
    const { headers } = await visitOver(socket, target, '/', limit);
    if (site === host) subject.noteDate(headers);
    const rule = headers['strict-transport-security'];
    if (!socket.authorized || rule === undefined || !applies(rule, site === host)) return [];
    return [
      warning(
        `https://${site} sends Strict-Transport-Security${site === host ? '' : ' with includeSubDomains'}, so browsers that have opened it open ${host} only with https, and the link will show an error: set \`tls-cert\`, put a proxy with https in front, or give previews a domain of their own`,
      ),
    ];
  } catch (error) {
    const isUnknown = error instanceof Error && 'syscall' in error;
    if (limit.aborted || isUnknown || error instanceof NoVisit) return [];
    throw error;
  }
}

/** RFC 6797, 6.1: a max-age of 0 deletes the rule. */
function applies(rule: string, isSameHost: boolean): boolean {
  const age = Number(/max-age\s*=\s*"?(\d+)/i.exec(rule)?.[1] ?? 0);
  return age > 0 && (isSameHost || /includesubdomains/i.test(rule));
}
