// Whether a bore server answers at the control port, at each address of its name.

import { isIPv6 } from 'node:net';
import { hasCode } from '../../shared/errors.ts';
import { renderAddress } from '../../tunnel/address.ts';
import { explainNotBore, hintAtFirewall, isHangUp, type TunnelFailure } from '../../tunnel/failure.ts';
import { isCloudflare } from '../addresses.ts';
import { type Check, type Finding, fault, ok, warning } from '../check.ts';
import type { FailedTunnel } from '../own-tunnel.ts';
import type { Subject } from '../subject.ts';
import { NoVisit, openTcp, openTls, portOf, type Target } from '../visit.ts';

/** Addresses of the name that are tried. */
const MAX_ADDRESSES = 4;
const IDENTIFY_MS = 1_500;

export const controlPort: Check = {
  name: 'control-port',
  title: 'Control port',
  needs: ['dns'],
  deadlineMs: 12_000,
  async run(subject, signal) {
    const opened = await subject.openTunnel();
    if ('failure' in opened && !hasSpokenBore(opened))
      return [await explain(subject, opened.failure, signal)];
    const others = await tryOthers(subject, signal);
    return [ok(`${subject.name} answers like a bore server`), ...others];
  },
};

/** Whether the server spoke bore with us: then the failure is about the secret or a port. */
function hasSpokenBore({ failure, isConnected }: FailedTunnel): boolean {
  if (!isConnected || failure.kind === 'not-bore' || failure.kind === 'silent') return false;
  return !isHangUp(failure);
}

async function explain(subject: Subject, failure: TunnelFailure, signal: AbortSignal): Promise<Finding> {
  const { server } = subject.question;
  if (failure.kind === 'silent' || isHangUp(failure)) {
    const other = await identify(subject, signal);
    if (other !== undefined) return fault(other);
  }
  if (isHangUp(failure))
    return fault(
      `${failure.message}: a proxy is in between, or the server is starting or overloaded; see its log`,
    );
  if (failure.kind !== 'transient') return fault(failure.message);
  const addresses = await subject.resolve(server.host);
  const proxied = addresses.find(isCloudflare);
  if (proxied !== undefined)
    return fault(
      `${failure.message}: ${proxied} belongs to Cloudflare, whose proxy passes on web ports only; set the record of ${server.host} to "DNS only"`,
    );
  if (hasCode(failure.cause, 'ECONNREFUSED'))
    return fault(
      `${failure.message}: the machine is up, and nothing listens there, or a firewall rejects; start the bore server, check its --bind-addr (BORE_BIND_ADDR), and let port ${server.port} in`,
    );
  return fault(`${failure.message}: ${hintAtFirewall(server)}`);
}

/** Web servers and TLS servers send nothing to a bore client. Undefined if it answers neither HTTP nor TLS. */
async function identify(subject: Subject, signal: AbortSignal): Promise<string | undefined> {
  const [target] = await listTargets(subject);
  if (target === undefined) return undefined;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(IDENTIFY_MS)]);
  const [answer, speaksTls] = await Promise.all([tryHttp(target, limit), tryTls(target, limit)]);
  if (speaksTls)
    return `${subject.name} does not answer like a bore server (it speaks TLS): a proxy is in front of it, which must pass on port ${portOf(target)} as plain TCP; or check host and port in \`server\``;
  return answer === undefined ? undefined : explainNotBore(subject.question.server, answer).message;
}

async function tryHttp(target: Target, limit: AbortSignal): Promise<Buffer | undefined> {
  try {
    const socket = await openTcp(target, limit);
    limit.addEventListener('abort', () => socket.destroy(), { once: true });
    socket.write(`GET / HTTP/1.1\r\nHost: ${target.url.host}\r\nConnection: close\r\n\r\n`);
    for await (const chunk of socket) return Buffer.from(chunk);
  } catch {}
  return undefined;
}

async function tryTls(target: Target, limit: AbortSignal): Promise<boolean> {
  try {
    (await openTls(await openTcp(target, limit), target, [], limit)).destroy();
    return true;
  } catch {
    return false;
  }
}

/** Runners take any of the addresses, and the tunnel has shown only that one of them answers. */
async function tryOthers(subject: Subject, signal: AbortSignal): Promise<Finding[]> {
  const targets = await listTargets(subject);
  if (targets.length < 2) return [];
  const found = await Promise.all(
    targets.slice(0, MAX_ADDRESSES).map(target => tryOther(subject, target, signal)),
  );
  return found.flat();
}

async function tryOther(subject: Subject, target: Target, signal: AbortSignal): Promise<Finding[]> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(3_000)]);
  try {
    const socket = await openTcp(target, limit);
    socket.resetAndDestroy();
    return [];
  } catch (error) {
    // Without IPv6 here, nothing can be said about an IPv6 address.
    if (!(error instanceof NoVisit) || (error.kind === 'unreachable' && isIPv6(target.address))) return [];
    const where = renderAddress({ host: target.address, port: subject.question.server.port });
    const remedy =
      error.kind === 'refused'
        ? 'let bore listen there (--bind-addr, BORE_BIND_ADDR; `::` is IPv4 and IPv6), and the firewall let it in'
        : `let port ${portOf(target)} in there, at the machine and at its cloud's firewall`;
    return [
      warning(
        `${where}, another address of ${subject.question.server.host}, does not answer (${error.message}): connections that try it first are slow, and those that can try no other fail; ${remedy}, or remove the record`,
      ),
    ];
  }
}

async function listTargets(subject: Subject): Promise<Target[]> {
  const { server } = subject.question;
  const url = new URL(`http://${renderAddress(server)}`);
  return (await subject.resolve(server.host)).map(address => ({ url, address }));
}
