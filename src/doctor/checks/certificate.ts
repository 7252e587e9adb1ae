// Whether browsers accept the certificate of the https address: its time, names and chain.

import type { X509Certificate } from 'node:crypto';
import { describeNames, isFor } from '../../inputs/tls.ts';
import { stripBrackets } from '../../shared/public-url.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { type Check, type Finding, fault, ok, warning } from '../check.ts';
import { openTcp, openTls, VISIT_MS } from '../visit.ts';

/** Let's Encrypt's certificates are renewed 30 days before their end: so close to it, a renewal was missed. */
const NEAR_END_MS = 14 * 24 * 60 * 60_000;

export const certificate: Check = {
  name: 'certificate',
  title: 'Certificate',
  needs: ['https'],
  applies: subject => subject.isHttps,
  deadlineMs: 8_000,
  async run(subject, signal) {
    const { target, limit } = await subject.beginVisit(VISIT_MS, signal);
    const socket = await openTls(await openTcp(target, limit), target, ['http/1.1'], limit);
    try {
      const leaf = socket.getPeerX509Certificate();
      if (leaf === undefined) return [fault(`${target.url.origin} has no certificate: give the proxy one`)];
      return checkCertificate(
        leaf,
        stripBrackets(target.url.hostname),
        String(socket.authorizationError ?? ''),
        new Date(),
      );
    } finally {
      socket.destroy();
    }
  },
};

/** `reason`: OpenSSL's code for what is wrong with the chain; '' if nothing is. */
function checkCertificate(leaf: X509Certificate, host: string, reason: string, now: Date): Finding[] {
  const found = [...checkTime(leaf, now), ...checkNames(leaf, host), ...checkChain(leaf, reason)];
  const end = new Date(leaf.validTo).toISOString();
  return found.length > 0 ? found : [ok(`valid ${describeNames(leaf)}, until ${end}`)];
}

function checkTime(leaf: X509Certificate, now: Date): Finding[] {
  const [from, to] = [new Date(leaf.validFrom), new Date(leaf.validTo)];
  if (now < from)
    return [
      fault(
        `the certificate is not valid before ${from.toISOString()}, and it is ${now.toISOString()}: wait, or set the clock of this machine`,
      ),
    ];
  if (now >= to)
    return [
      fault(
        `the certificate expired at ${to.toISOString()}, and it is ${now.toISOString()}: renew it, and let the proxy load it again`,
      ),
    ];
  if (to.getTime() - now.getTime() >= NEAR_END_MS) return [];
  return [
    warning(`the certificate ends soon, at ${to.toISOString()}: renew it, and let the proxy load it again`),
  ];
}

function checkNames(leaf: X509Certificate, host: string): Finding[] {
  if (isFor(leaf, host)) return [];
  return [
    fault(
      `the certificate is not for ${host}, which visitors use, but ${describeNames(leaf)}: get one for *.${host.slice(host.indexOf('.') + 1)}, or change \`public-url\``,
    ),
  ];
}

function checkChain(leaf: X509Certificate, reason: string): Finding[] {
  const top = findTop(leaf);
  const issuer = sanitise(top.issuer.split('\n').join(', '));
  switch (reason) {
    // Checked above.
    case '':
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return [];
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return [
        fault(
          'the certificate is signed by nobody but itself, so browsers warn every visitor: get one from an authority that they know',
        ),
      ];
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return [top === leaf ? explainIncomplete(issuer) : explainUnknown(issuer)];
    default:
      return [fault(`the certificate is not accepted (${sanitise(reason)}): get a new one`)];
  }
}

function explainIncomplete(issuer: string): Finding {
  return fault(
    `the chain of the certificate is not complete: that of its issuer (${issuer}) is missing; give the proxy fullchain.pem, not cert.pem, or, for an authority of your own, set NODE_EXTRA_CA_CERTS to its certificate here`,
  );
}

function explainUnknown(issuer: string): Finding {
  return fault(
    `the certificate is from an authority that this machine does not know (${issuer}), and browsers probably neither: set NODE_EXTRA_CA_CERTS to its certificate here if all visitors trust it`,
  );
}

/** The last certificate of the chain that the proxy sent. */
function findTop(leaf: X509Certificate): X509Certificate {
  let top = leaf;
  for (let next = top.issuerCertificate; next !== undefined && next !== top; next = next.issuerCertificate)
    top = next;
  return top;
}
