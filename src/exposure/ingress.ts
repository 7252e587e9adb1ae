// Receives visitors from the tunnel: a gateway for `protocol: http`, a relay for `protocol: tcp`. Used by exposure and
// public-tunnel.

import { randomBytes, X509Certificate } from 'node:crypto';
import { findListening } from '../app/process/readiness.ts';
import type { TlsIdentity } from '../gateway/downstream/tls-front.ts';
import { startGateway } from '../gateway/gateway.ts';
import type { PublicAddress } from '../gateway/own-address.ts';
import { type ForwardedForAnswer, probeForwardedFor, probeHttp } from '../gateway/probe.ts';
import type { RequestRecorder } from '../gateway/webhooks/record/recorder.ts';
import type { CapturedRequest } from '../shared/captured-request.ts';
import type { Logger } from '../shared/log.ts';
import { type ReplayAnswer, ReplayError, type ReplayOrder } from '../shared/replay.ts';
import type { ResponseTimes } from '../shared/response-times.ts';
import type { AppState } from '../shared/state.ts';
import { Relay } from '../tunnel/relay/relay.ts';
import { createStreamSink, type VisitorSink } from '../tunnel/visitors/visitor-sink.ts';
import type { AddressAnswer } from './address-check.ts';
import type { ExposureConfig } from './config.ts';
import { probeTcp } from './tcp-probe.ts';

export interface Ingress {
  readonly destination: VisitorSink;
  /** Requests of visitors since the start (relay: connections), without our own probes. */
  readonly visits: number;
  /** How many of them are not over yet. */
  readonly openVisits: number;
  /** How long the answers took; undefined with `protocol: tcp`. */
  readonly times: ResponseTimes | undefined;
  /** Whether `probe` needs a running app: with `protocol: tcp` there is no gateway to answer it. */
  readonly needsApp: boolean;
  /** Whether visitors' TLS ends here. */
  readonly endsTls: boolean;
  /** Sends one probe to the address, to find out whether it leads here. Never rejects. */
  probe(url: string, signal: AbortSignal): Promise<AddressAnswer>;
  /**
   * Claims an address in `X-Forwarded-For` at the URL; resolves with what became of it, and with undefined if this exposure
   * does not answer there, or without `trusted-proxy`. Never rejects.
   */
  probeForwardedFor(url: string, signal: AbortSignal): Promise<ForwardedForAnswer | undefined>;
  /** To be called when the app's state has changed. */
  followApp(): void;
  /** Sends a captured request again. Rejects with a ReplayError. */
  replay(captured: CapturedRequest, order: ReplayOrder): Promise<ReplayAnswer>;
  /** Lets visitors finish for `drainMs`; the tunnel itself drains those of a relay. */
  stop(drainMs: number): Promise<void>;
}

export interface IngressOptions {
  protocol: ExposureConfig['protocol'];
  /** Read at every visit; only a running app has an upstream. */
  app: () => AppState;
  /** The address at which visitors come in, or came in last. */
  publicAddress: () => PublicAddress | undefined;
  /** When the exposure ends, if that is known. */
  endsAt: () => Date | undefined;
  gateway: ExposureConfig['gateway'];
  /** Gets the requests on captured paths; undefined: nothing is recorded. */
  recorder: RequestRecorder | undefined;
  /** The program of a second thread for raw visitors. */
  threadScript: string | undefined;
  /** With `tls-cert`: TLS ends here. */
  tls: TlsIdentity | undefined;
  /** Gets what the preview's owner should know; absent: the log gets it. */
  onWarning?: (message: string) => void;
  logger: Logger;
}

/** Ready at once. */
export function openIngress(options: IngressOptions): Ingress {
  return options.protocol === 'tcp' ? openRelay(options) : openGateway(options);
}

function openGateway(options: IngressOptions): Ingress {
  const { app, publicAddress, endsAt, gateway: rules, recorder, tls, onWarning, logger } = options;
  const proofKey = randomBytes(32);
  const gateway = startGateway({
    app,
    place: publicAddress,
    endsAt,
    rules,
    proofKey,
    ...(recorder && { recorder }),
    ...(tls && { tls }),
    ...(onWarning && { onWarning }),
    logger,
  });
  const certificate = tls && new X509Certificate(tls.cert).fingerprint256;
  return {
    destination: createStreamSink(visitor => gateway.accept(visitor)),
    get visits() {
      return gateway.visits;
    },
    get openVisits() {
      return gateway.openVisits;
    },
    times: gateway.times,
    needsApp: false,
    endsTls: tls !== undefined,
    probe: (url, signal) => probeHttp(url, proofKey, signal, certificate),
    probeForwardedFor: (url, signal) => probeForwardedFor(url, proofKey, signal, certificate),
    followApp: () => gateway.followApp(),
    replay: (captured, order) => gateway.replay(captured, order),
    stop: drainMs => gateway.stop(drainMs),
  };
}

function openRelay({ app, threadScript, logger }: IngressOptions): Ingress {
  const target = () => {
    const state = app();
    return state.status === 'running' && state.upstream.kind === 'address' ? state.upstream : undefined;
  };
  const relay = new Relay({
    target,
    logger,
    ...(threadScript && { secondThread: { script: threadScript } }),
  });
  return {
    destination: relay,
    get visits() {
      return relay.visits;
    },
    get openVisits() {
      return relay.open;
    },
    times: undefined,
    needsApp: true,
    endsTls: false,
    probe: async (url, signal) => {
      // While the app is down, every connection is cut off: our probe would say nothing about the address.
      const address = target();
      const isUp = address && (await findListening({ hosts: [address.host], port: address.port }));
      return isUp ? probeTcp(url, relay, signal) : { kind: 'app away', detail: 'the app is away' };
    },
    probeForwardedFor: async () => undefined,
    followApp: () => relay.updateTarget(),
    replay: async () => {
      throw new ReplayError('impossible', 'with `protocol: tcp` there are no requests');
    },
    stop: async () => {},
  };
}
