// Turns the text of the inputs into checked values. All problems are reported together, and an empty string means "not
// given". The action's inputs and the command line's flags pass through the same checks.

import { LOG_LEVELS, type LogLevel } from '../shared/log.ts';
import { PLAIN_PUBLIC_URLS } from '../shared/public-url.ts';
import { PROTOCOLS, type Protocol } from '../shared/state.ts';
import { type AppInputs, parseAppInputs } from './app.ts';
import { DEFAULT_MAX_BODY, type GatewayInputs, parseGatewayInputs } from './gateway.ts';
import { listHttpsWarnings } from './https-zones.ts';
import { parseInspector } from './inspector.ts';
import { type LifetimeInputs, listLifetimeWarnings, parseLifetime } from './lifetime.ts';
import { type InputSource, Problems } from './problems.ts';
import { listTlsWarnings, parseTlsInputs, type TlsInputs } from './tls.ts';
import { parseTrustedProxy } from './trusted-proxy.ts';
import { DEFAULT_PORT_RANGE, parseTunnelInputs, type TunnelInputs } from './tunnel.ts';
import {
  DEFAULT_HEALTH_PATH,
  DEFAULT_STARTUP_TIMEOUT,
  DEFAULT_STOP_TIMEOUT,
  parseBoolean,
  parseChoice,
  parseWholeNumber,
} from './values.ts';
import { listWebWarnings } from './web.ts';
import { listVerifyWarnings, parseWebhookInputs, type WebhookInputs } from './webhooks.ts';

/** Shorter secrets are easily guessed, and the runner does not mask them reliably. */
const MIN_SECRET_LENGTH = 8;

export interface Inputs extends LifetimeInputs {
  protocol: Protocol;
  app: AppInputs;
  tunnel: TunnelInputs;
  gateway: GatewayInputs;
  /** Whether the proxy in front reports visitors' addresses. */
  trustedProxy: boolean;
  webhooks: WebhookInputs;
  /** Whether the inspector also gets a public port of its own. */
  inspector: boolean;
  /** Undefined unless TLS ends on the runner. */
  tls: TlsInputs | undefined;
  comment: boolean;
  deployment: boolean;
  /** Whether an installed wasmrun is kept in the runner's cache service; in a job only. */
  cache: boolean;
  name: string | undefined;
  prNumber: number | undefined;
  failOnError: boolean;
  logLevel: LogLevel;
  /** What is allowed but unwise. */
  warnings: string[];
}

/** Every input that `action.yml` declares, with its default; a test compares the two. */
export const INPUT_DEFAULTS: Readonly<Record<string, string>> = {
  path: '.',
  mode: 'auto',
  port: '',
  command: '',
  args: '',
  env: '',
  'wasmrun-version': '',
  cache: 'true',
  vm: 'auto',
  browser: '',
  spa: 'false',
  'base-path': 'auto',
  'cross-origin-isolation': 'false',
  protocol: 'http',
  'health-path': DEFAULT_HEALTH_PATH,
  'host-header': 'auto',
  'startup-timeout': DEFAULT_STARTUP_TIMEOUT,
  'stop-timeout': DEFAULT_STOP_TIMEOUT,
  server: 'bore.pub',
  secret: '',
  'remote-port': 'auto',
  'port-range': DEFAULT_PORT_RANGE,
  'public-url': PLAIN_PUBLIC_URLS.http,
  'trusted-proxy': 'false',
  'tls-cert': '',
  'tls-key': '',
  access: 'auto',
  'access-key': '',
  'basic-auth': '',
  'public-paths': '',
  capture: 'auto',
  queue: 'true',
  redact: 'true',
  verify: '',
  inspector: 'false',
  'max-body': DEFAULT_MAX_BODY,
  compress: 'true',
  hold: 'false',
  duration: '',
  'idle-timeout': '',
  'github-token': '',
  comment: 'true',
  deployment: 'false',
  name: '',
  'pr-number': '',
  'allow-untrusted-head': 'false',
  'fail-on-error': 'true',
  'log-level': 'info',
};

/**
 * Checks every input; throws one InputError with all problems. Relative paths are resolved against `base`.
 * `inForeground`: the caller waits for the end of the preview by itself, without `hold`.
 */
export function parseInputs(
  read: InputSource,
  environment: NodeJS.ProcessEnv,
  base: string,
  { inForeground = false } = {},
): Inputs {
  const problems = new Problems();
  const text = (name: string) => read(name).trim();
  const boolean = (name: string, fallback: boolean) =>
    problems.check(() => parseBoolean(text(name), name, fallback));
  const wanted = problems.check(() => parseChoice(text('protocol') || 'http', 'protocol', PROTOCOLS));
  const protocol = wanted.known ?? 'http';
  const app = problems.check(() => parseAppInputs(read, { environment, base, protocol, problems }));
  const tunnel = problems.check(() => parseTunnelInputs(read, protocol, problems));
  const gateway = problems.check(() => parseGatewayInputs(read, protocol, problems));
  const webhooks = problems.check(() =>
    parseWebhookInputs(read, { protocol, publicPaths: gateway.known?.publicPaths, problems }),
  );
  const tls = problems.check(() => parseTlsInputs(read, { protocol, tunnel, problems }));
  const trustedProxy = problems.check(() =>
    parseTrustedProxy(text('trusted-proxy'), { protocol, tunnel, tls }),
  );
  const inspector = problems.check(() =>
    parseInspector(text('inspector'), { protocol, tunnel: tunnel.known }),
  );
  const lifetime = problems.check(() => parseLifetime(read, inForeground));
  const prNumber = problems.check(() =>
    parseWholeNumber(text('pr-number') || undefined, 'pr-number', 1, 2 ** 31),
  );
  const comment = boolean('comment', true);
  const deployment = boolean('deployment', false);
  const cache = boolean('cache', true);
  const failOnError = boolean('fail-on-error', true);
  // The fork rules have read this input before; only here is a wrong word reported.
  boolean('allow-untrusted-head', false);
  const logLevel = problems.check(() => parseChoice(text('log-level') || 'info', 'log-level', LOG_LEVELS));
  problems.throwIfAny();
  const publicTunnel = tls.value ? { ...tunnel.value, publicUrl: tls.value.publicUrl } : tunnel.value;
  return {
    protocol,
    app: app.value,
    tunnel: publicTunnel,
    tls: tls.value,
    gateway: gateway.value,
    trustedProxy: trustedProxy.value,
    webhooks: webhooks.value,
    inspector: inspector.value,
    ...lifetime.value,
    prNumber: prNumber.value,
    comment: comment.value,
    deployment: deployment.value,
    cache: cache.value,
    failOnError: failOnError.value,
    name: text('name') || undefined,
    logLevel: logLevel.value,
    warnings: [
      ...app.value.warnings,
      ...listWebWarnings(app.value, publicTunnel),
      ...listWarnings(tunnel.value, gateway.value),
      ...listLifetimeWarnings(lifetime.value),
      ...listHttpsWarnings(publicTunnel),
      ...listVerifyWarnings(webhooks.value.verify, publicTunnel),
      ...(tls.value ? listTlsWarnings(tls.value, lifetime.value.durationMs) : []),
    ],
  };
}

function listWarnings(tunnel: TunnelInputs, { access }: GatewayInputs): string[] {
  const { servers, publicUrl } = tunnel;
  const secrets = servers.flatMap(({ secret }) => secret ?? []);
  const shown = [publicUrl, ...servers.map(({ address }) => address.host)].join(' ');
  return [
    ...(secrets.some(secret => secret.length < MIN_SECRET_LENGTH)
      ? [
          `the secret is shorter than ${MIN_SECRET_LENGTH} characters: it is easily guessed, and the runner masks it wherever the same characters occur`,
        ]
      : []),
    ...(access.kind === 'basic' && access.password.length < MIN_SECRET_LENGTH
      ? [
          `the password of \`basic-auth\` is shorter than ${MIN_SECRET_LENGTH} characters: it is easily guessed`,
        ]
      : []),
    ...(secrets.some(secret => shown.includes(secret))
      ? [
          "the secret occurs in the server's address: the runner will mask the link, and drop outputs that hold it",
        ]
      : []),
    ...(servers.length > 1 && !publicUrl.includes('{host}')
      ? [
          `\`public-url\` has no {host}, so the address stays the same when another server takes over: put the proxy in front of all of them, or write it like ${publicUrl.startsWith('tcp:') ? 'tcp://{host}:{port}' : 'https://{port}.{host}'}`,
        ]
      : []),
  ];
}
