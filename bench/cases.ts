// The list of all cases, in the order in which they run. Used by main.ts.

import type { Case } from './case.ts';
import { firstByte } from './cases/distance.ts';
import { endurance } from './cases/endurance.ts';
import { addedLatency, twoWrites } from './cases/latency.ts';
import { memory } from './cases/memory.ts';
import { osAnswers, osMode } from './cases/os-mode.ts';
import { outages, reconnecting } from './cases/outages.ts';
import { page } from './cases/pages.ts';
import { recording } from './cases/recording.ts';
import { keptConnections, newConnections } from './cases/requests.ts';
import { sameJob } from './cases/same-job.ts';
import { scale } from './cases/scale.ts';
import { silence } from './cases/silence.ts';
import { portFree, start } from './cases/start.ts';
import { oneStream, sixteenStreams } from './cases/throughput.ts';
import { webApp } from './cases/web-app.ts';

export const CASES: readonly Case[] = [
  oneStream,
  sixteenStreams,
  keptConnections,
  newConnections,
  addedLatency,
  twoWrites,
  firstByte,
  page,
  memory,
  outages,
  silence,
  portFree,
  start,
  osMode,
  osAnswers,
  endurance,
  webApp,
  sameJob,
  recording,
  reconnecting,
  scale,
];
