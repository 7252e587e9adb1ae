// The configuration of one exposure: the app, who may open it, and the servers. Part of the supervisor's document
// (supervisor/config.ts), and checked with it.

import * as v from 'valibot';
import { AppSpecSchema } from '../app/program.ts';
import { UNSIGNED_HANDSHAKES } from '../gateway/webhooks/handshakes.ts';
import { ENCODINGS, HMAC_PROVIDERS, NAMED_PROVIDERS } from '../gateway/webhooks/verify/rule.ts';
import { MAX_DURATION_MS } from '../shared/duration.ts';
import { HOST_HEADERS } from '../shared/host-rule.ts';
import { listKeyTexts } from '../shared/secrets.ts';
import { PROTOCOLS } from '../shared/state.ts';

const Port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));
const Milliseconds = v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_DURATION_MS));
const RemotePort = v.variant('kind', [
  v.object({ kind: v.literal('fixed'), port: Port }),
  v.object({ kind: v.literal('random') }),
  v.object({ kind: v.literal('auto'), min: Port, max: Port }),
]);
const Environment = v.record(v.string(), v.string());

const CommonRule = {
  path: v.string(),
  secret: v.string(),
  handshakes: v.array(v.picklist(UNSIGNED_HANDSHAKES)),
};
const SignatureRuleSchema = v.union([
  v.object({ provider: v.picklist(NAMED_PROVIDERS), ...CommonRule }),
  v.object({
    provider: v.picklist(HMAC_PROVIDERS),
    ...CommonRule,
    header: v.string(),
    encoding: v.picklist(ENCODINGS),
    prefix: v.string(),
    separator: v.string(),
  }),
]);

export const ExposureConfigSchema = v.object({
  /** `tcp`: visitors' bytes reach the app unread. */
  protocol: v.picklist(PROTOCOLS),
  spec: AppSpecSchema,
  env: Environment,
  baseEnvironment: Environment,
  /** Absent if an accepting port is enough. */
  healthPath: v.optional(v.string()),
  /** Absent: `auto`. Unused with `protocol: tcp`. */
  hostHeader: v.optional(v.picklist(HOST_HEADERS)),
  startupTimeoutMs: Milliseconds,
  /** Absent: DEFAULT_STOP_TIMEOUT_MS. */
  stopTimeoutMs: v.optional(Milliseconds),
  /** From "live" on; absent: until it is stopped. */
  durationMs: v.optional(Milliseconds),
  /** For the gateway; unused with `protocol: tcp`. */
  gateway: v.object({
    access: v.variant('kind', [
      v.object({ kind: v.literal('open') }),
      v.object({
        kind: v.literal('link'),
        key: v.string(),
        /** A generated key is as public as the link that contains it; a given key is never shown. */
        isGenerated: v.boolean(),
      }),
      v.object({ kind: v.literal('basic'), user: v.string(), password: v.string() }),
    ]),
    publicPaths: v.array(v.string()),
    maxBodyBytes: v.pipe(v.number(), v.minValue(1)),
    compress: v.boolean(),
    /** The paths on which only signed requests reach the app; absent: none. */
    verify: v.optional(v.array(SignatureRuleSchema)),
    /** Which requests are recorded; absent: none. */
    capture: v.optional(
      v.variant('kind', [
        v.object({ kind: v.literal('paths'), patterns: v.array(v.string()) }),
        v.object({ kind: v.literal('unsafe methods') }),
        v.object({ kind: v.literal('none') }),
      ]),
    ),
    /** Whether the visitor's address in the `X-Forwarded-For` of the proxy in front is believed; absent: no. */
    trustedProxy: v.optional(v.boolean()),
    /** Whether captured requests are kept while the app is away; absent: no. */
    queue: v.optional(v.boolean()),
    /** Whether pages and files show them without credentials and signatures; absent: yes. */
    redact: v.optional(v.boolean()),
  }),
  /** PEM; absent: plain HTTP. */
  tls: v.optional(v.object({ cert: v.string(), key: v.string() })),
  tunnel: v.object({
    servers: v.pipe(
      v.array(
        v.object({
          address: v.object({ host: v.string(), port: Port }),
          secret: v.optional(v.string()),
        }),
      ),
      v.minLength(1),
    ),
    /** Identifies the preview in every run. */
    identity: v.string(),
    remotePort: RemotePort,
    /** Template with `{host}` and `{port}`. */
    publicUrl: v.string(),
    /** Whether connections to a far server may be opened ahead of visitors; absent: yes. */
    spareConnections: v.optional(v.boolean()),
    /** The program of a second thread for raw visitors; absent: one thread for all. */
    threadScript: v.optional(v.string()),
  }),
  /** The public inspector; absent: none. */
  inspector: v.optional(
    v.object({
      key: v.string(),
      /** Whether its link is as public as the preview's: then it is shown in comment, summary and log. */
      isPublished: v.boolean(),
      remotePort: RemotePort,
    }),
  ),
});

export type ExposureConfig = v.InferOutput<typeof ExposureConfigSchema>;

/** A shorter value is a word or a number, and could not be kept secret anyway. */
const MIN_MASKED_LENGTH = 8;

/**
 * The texts to hide in pages that strangers may open: also the values of `env`, because nobody knows here which of them
 * come from secrets.
 */
export function listPageSecrets(config: ExposureConfig): string[] {
  const values = Object.values(config.env).flatMap(value => value.split('\n').map(line => line.trim()));
  return [...listSecrets(config), ...values.filter(value => value.length >= MIN_MASKED_LENGTH)];
}

/** The texts to hide in logs. A generated key is not one: it is part of the link. */
export function listSecrets({ tunnel, gateway, tls, inspector }: ExposureConfig): string[] {
  const { access } = gateway;
  return [
    ...tunnel.servers.flatMap(({ secret }) => secret ?? []),
    ...(access.kind === 'link' && !access.isGenerated ? [access.key] : []),
    ...(access.kind === 'basic' ? [access.password] : []),
    ...(gateway.verify ?? []).map(({ secret }) => secret),
    ...(inspector === undefined || inspector.isPublished ? [] : [inspector.key]),
    ...listKeyTexts(tls?.key ?? ''),
  ];
}
