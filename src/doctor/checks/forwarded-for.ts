// What the proxy does with X-Forwarded-For: it must set it to the visitor's address, and pass on none that visitors send.

import { isIP } from 'node:net';
import { sanitise } from '../../shared/sanitise.ts';
import { kindOf } from '../addresses.ts';
import { type Check, fault, ok, Skip, warning } from '../check.ts';
import { FORGED_ADDRESS } from '../reach.ts';

const REMEDY =
  "let the proxy set it to the visitor's address (nginx: proxy_set_header X-Forwarded-For $remote_addr)";

export const forwardedFor: Check = {
  name: 'forwarded-for',
  title: 'X-Forwarded-For',
  needs: ['proxy'],
  applies: subject => subject.isProxied,
  deadlineMs: 8_000,
  async run(subject) {
    const { app } = await subject.tunnel();
    const ours = (await subject.reach()).find(({ isOurs }) => isOurs);
    if (ours === undefined) return new Skip('no visit arrived');
    const { trustedProxy } = subject.question;
    const field = app.arrivalAt(ours.path)?.headers['x-forwarded-for'];
    const shown = sanitise(String(field ?? ''));
    const addresses = shown.split(',').map(address => address.trim());
    if (addresses.includes(FORGED_ADDRESS))
      return [
        (trustedProxy ? fault : warning)(
          `the proxy passes on the X-Forwarded-For of visitors (${shown} arrived, and ${FORGED_ADDRESS} was forged): ${REMEDY}${trustedProxy ? '' : '; harmless while `trusted-proxy` is off'}`,
        ),
      ];
    const visitor = addresses.at(-1) ?? '';
    if (isIP(visitor) === 0)
      return trustedProxy
        ? [fault(`the proxy sends no X-Forwarded-For, which \`trusted-proxy\` needs: ${REMEDY}`)]
        : [ok('a forged one does not arrive')];
    if (trustedProxy && kindOf(visitor) === 'loopback' && kindOf(ours.target.address) !== 'loopback')
      return [
        fault(
          `the proxy says that the visitor's address is ${visitor}, which is its own machine: another proxy is in front of it, and this one must take the address from there`,
        ),
      ];
    return [ok(`a forged one does not arrive, and yours does: ${visitor}`)];
  },
};
