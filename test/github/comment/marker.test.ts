import { describe, expect, it } from 'vitest';
import { type Marker, readMarker, renderMarker } from '../../../src/github/comment/marker.ts';

describe('the marker', () => {
  const marker = { key: 'abc123', runId: '19123456789', runAttempt: 2 };

  it('can be read from the beginning of a comment', () => {
    const full: Marker = {
      ...marker,
      instance: 'c0ffee',
      workflow: 'facade',
      slot: 2,
      state: 'reconnecting',
      until: new Date('2026-05-04T10:32:00Z'),
    };
    expect(readMarker(`${renderMarker(full)}\r\nhello`)).toEqual(full);
    expect(readMarker(`${renderMarker(marker)}\r\nhello`)).toEqual({ ...marker, slot: 1 });
  });

  it('is read with fields that a later version adds, and without those that an earlier version did not have', () => {
    const line = '<!-- expose-action preview=abc123 run=19123456789 attempt=2 -->';
    expect(readMarker(line)).toEqual({ ...marker, slot: 1 });
    expect(readMarker(line.replace(' -->', ' mood=good -->'))).toEqual({ ...marker, slot: 1 });
  });

  it('counts only at the beginning of the body', () => {
    expect(readMarker(`> ${renderMarker(marker)}`)).toBeUndefined();
    expect(readMarker(`\n${renderMarker(marker)}`)).toBeUndefined();
  });

  it('is not read from malformed text', () => {
    expect(readMarker('<!-- expose-action preview=zz run=1 attempt=1 -->')).toBeUndefined();
    expect(readMarker('<!-- expose-action preview=a run=-1 attempt=1 -->')).toBeUndefined();
    expect(readMarker(`<!-- expose-action preview=a run=${'9'.repeat(30)} attempt=1 -->`)).toBeUndefined();
    const good = renderMarker(marker);
    for (const field of ['state=fine', 'slot=0', 'until=soon', 'instance=XY', 'workflow=-'])
      expect(readMarker(good.replace(' -->', ` ${field} -->`)), field).toBeUndefined();
    expect(readMarker('<!-- expose-action run=1 attempt=1 -->')).toBeUndefined();
  });

  it('rounds the end up to a second', () => {
    const until = new Date('2026-05-04T10:32:00.001Z');
    const read = readMarker(renderMarker({ ...marker, until }))?.until;
    expect(read).toEqual(new Date('2026-05-04T10:32:01Z'));
  });
});
