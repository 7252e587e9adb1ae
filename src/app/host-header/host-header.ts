// Which address the app should see as its own: the rule of the input `host-header`, or one that fits the app's answers.
// Used by app.ts at each start of the app.

import { renderAppAuthority } from '../../shared/app-authority.ts';
import type { HostHeader, HostRule } from '../../shared/host-rule.ts';
import type { Logger } from '../../shared/log.ts';
import type { Upstream } from '../../shared/state.ts';
import type { AppSpec } from '../program.ts';
import { chooseHostRule } from './choice.ts';
import { askUnderBothNames } from './questions.ts';

type Address = Extract<Upstream, { kind: 'address' }>;

export interface HostHeaderOptions {
  hostHeader: HostHeader;
  /** Read again for each use, because it may change while the app starts. */
  publicUrl: () => string;
  spec: AppSpec;
  /** The `env` input, with its placeholders. */
  env: Readonly<Record<string, string>>;
  logger: Logger;
}

/** The Host of requests before the rule is known. Development servers refuse any other than localhost. */
export function renderFirstHost(address: Address, { hostHeader, publicUrl }: HostHeaderOptions): string {
  const open = hostHeader === 'preserve' ? URL.parse(publicUrl()) : null;
  return open?.host ?? renderAppAuthority(address);
}

/** With `auto`, asks the app, which must have answered GET `path` before. Logs the choice. Never rejects. */
export async function findHostRule(
  address: Address,
  path: string,
  options: HostHeaderOptions,
  signal: AbortSignal,
): Promise<HostRule> {
  if (options.hostHeader !== 'auto') return options.hostHeader;
  const publicUrl = URL.parse(options.publicUrl());
  if (publicUrl === null) return 'rewrite';
  const answers = await askUnderBothNames({ address, path, publicUrl }, signal);
  const { rule, reason } = chooseHostRule({ ...answers, isTold: isTold(options) });
  options.logger.info(`host-header ${rule}: the app ${reason}`);
  return rule;
}

/** What tells a program its public address, or where to read it: SvelteKit's PROTOCOL_HEADER=x-forwarded-proto. */
const PUBLIC_ADDRESS = /\{url\}|\bEXPOSE_URL\b|\bx-forwarded-(?:host|proto)\b/i;

/** Whether the app is started with its public address. */
function isTold({ spec, env }: HostHeaderOptions): boolean {
  const command = spec.mode === 'port' ? spec.command : undefined;
  const args = spec.mode === 'exec' ? spec.args : [];
  return [command ?? '', ...args, ...Object.values(env)].some(text => PUBLIC_ADDRESS.test(text));
}
