// All checks, in the order in which they are printed. Used by doctor.ts.

import type { Check } from '../check.ts';
import { certificate } from './certificate.ts';
import { clock } from './clock.ts';
import { controlPort } from './control-port.ts';
import { dns } from './dns.ts';
import { eventStream } from './event-stream.ts';
import { forwardedFor } from './forwarded-for.ts';
import { http2 } from './http2.ts';
import { https } from './https.ts';
import { httpsOnly } from './https-only.ts';
import { largeHead } from './large-head.ts';
import { latency } from './latency.ts';
import { otherPorts } from './other-ports.ts';
import { portRange } from './port-range.ts';
import { proxy } from './proxy.ts';
import { publicDns } from './public-dns.ts';
import { publicPort } from './public-port.ts';
import { secret } from './secret.ts';
import { upload } from './upload.ts';
import { version } from './version.ts';
import { websocket } from './websocket.ts';

/** A check stands behind those that it needs. */
export const CHECKS: readonly Check[] = [
  dns,
  publicDns,
  controlPort,
  secret,
  portRange,
  publicPort,
  version,
  https,
  certificate,
  proxy,
  forwardedFor,
  websocket,
  eventStream,
  upload,
  largeHead,
  http2,
  otherPorts,
  httpsOnly,
  clock,
  latency,
];
