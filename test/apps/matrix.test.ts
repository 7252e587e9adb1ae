// Real apps behind a real bore server, driven in Chromium from another network namespace. The gate runs the light rows;
// all of them run where EXPOSE_FULL=1 is set, and in `npm run apps`.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { isFull } from '../support/scale.ts';
import { type Drive, startDrive } from './drive.ts';
import { isInstalled } from './installed.ts';
import { type AppRow, listSurprises } from './row.ts';
import { ROWS } from './rows.ts';

const PARTS = ['bore', 'chromium', 'tun-rig', 'wasmrun', 'runtime'] as const;
const ROW_MS = 180_000;
const mustRun = Boolean(process.env.CI || process.env.REQUIRE_REAL);
const rows = ROWS.filter(({ heavy }) => isFull || !heavy);
const [present, absent] = [rows.filter(isHere), rows.filter(row => !isHere(row))];

function isHere({ app }: AppRow): boolean {
  return mustRun || isInstalled(app, ROWS);
}

describeWithReal(PARTS, 'a real app works for a reviewer', () => {
  let drive: Drive;
  beforeAll(async () => {
    drive = await startDrive(ROWS);
  });
  afterAll(() => drive?.stop());

  // Whoever gets in with a key gets in without one; the night tries both.
  for (const access of isFull ? (['open', 'link'] as const) : (['link'] as const))
    it.each(present)(
      `${access === 'open' ? 'with open access' : 'with a key'}: $title`,
      async row => {
        expect(listSurprises(row, access, await drive.visit(row, access))).toEqual([]);
      },
      ROW_MS,
    );

  it.skip.each(absent)(
    '$title (skipped: its app is not installed, see scripts/install-real-parts)',
    () => {},
  );
});
