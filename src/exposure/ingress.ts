// What takes visitors in where the tunnel ends: the gateway for http, a relay for raw bytes. Used by exposure and
// public-tunnel.

import { randomBytes, X509Certificate } from 'node:crypto';
import { findListening } from '../app/process/readiness.ts';
import type { TlsIdentity } from '../gateway/downstream/tls-front.ts';
import { startGateway } from '../gateway/gateway.ts';
import type { Place } from '../gateway/own-address.ts';
import { askForProof } from '../gateway/probe.ts';
import type { Logger } from '../shared/log.ts';
import type { AppState } from '../shared/state.ts';
import { Relay } from '../tunnel/relay/relay.ts';
import type { TunnelOptions } from '../tunnel/tunnel.ts';
import type { AddressAnswer } from './address-check.ts';
import type { ExposureConfig } from './config.ts';
import { askForToken } from './tcp-probe.ts';

export interface Entrance {
  readonly destination: TunnelOptions['destination'];
  /** Requests, or with raw bytes connections, of visitors since the start; our own probes are not counted. */
  readonly visits: number;
  /** Whether `ask` needs the app: there is nobody else to tell our own bytes from a visitor's. */
  readonly needsApp: boolean;
  /** Whether TLS of visitors ends here. */
  readonly endsTls: boolean;
  /** Asks once at the address whether it leads here. Never rejects. */
  ask(url: string, signal: AbortSignal): Promise<AddressAnswer>;
  /** The app's state has changed. */
  followApp(): void;
  /** Lets visitors finish for `drainMs`; those of a relay are the tunnel's to drain. */
  stop(drainMs: number): Promise<void>;
}

export interface EntranceOptions {
  protocol: ExposureConfig['protocol'];
  /** Asked with every visit; only a running app has an upstream. */
  app: () => AppState;
  /** Where visitors come in, or came in last. */
  place: () => Place | undefined;
  /** When the exposure ends, where that is known. */
  endsAt: () => Date | undefined;
  gateway: ExposureConfig['gateway'];
  /** The program of a second thread for raw visitors. */
  threadScript: string | undefined;
  /** For TLS of our own, with `protocol: http`. */
  tls: TlsIdentity | undefined;
  logger: Logger;
}

/** Ready at once. */
export function openEntrance(options: EntranceOptions): Entrance {
  return options.protocol === 'tcp' ? openRelay(options) : openGateway(options);
}

function openGateway({ app, place, endsAt, gateway: rules, tls, logger }: EntranceOptions): Entrance {
  const proofKey = randomBytes(32);
  const gateway = startGateway({ app, place, endsAt, rules, proofKey, ...(tls && { tls }), logger });
  const certificate = tls && new X509Certificate(tls.cert).fingerprint256;
  return {
    destination: visitor => gateway.accept(visitor),
    get visits() {
      return gateway.visits;
    },
    needsApp: false,
    endsTls: tls !== undefined,
    ask: (url, signal) => askForProof(url, proofKey, signal, certificate),
    followApp: () => {},
    stop: drainMs => gateway.stop(drainMs),
  };
}

function openRelay({ app, threadScript, logger }: EntranceOptions): Entrance {
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
    needsApp: true,
    endsTls: false,
    ask: async (url, signal) => {
      // Its visitors are cut off, and so would our own bytes be: that says nothing about the address.
      const address = target();
      const isUp = address && (await findListening({ hosts: [address.host], port: address.port }));
      return isUp ? askForToken(url, relay, signal) : { kind: 'app away', detail: 'the app is away' };
    },
    followApp: () => relay.updateTarget(),
    stop: async () => {},
  };
}
