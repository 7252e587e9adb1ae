// Whether the server takes the secret that was given.

import { type Check, fault, ok } from '../check.ts';

export const secret: Check = {
  name: 'secret',
  title: 'Secret',
  needs: ['control-port'],
  deadlineMs: 12_000,
  async run(subject) {
    const opened = await subject.openTunnel();
    if (
      'failure' in opened &&
      (opened.failure.kind === 'secret' || opened.failure.kind === 'secret-unwanted')
    )
      return [fault(opened.failure.message)];
    if (subject.question.secret !== undefined) return [ok('the server takes it')];
    return [ok('the server asks for none: anybody can open tunnels there')];
  },
};
