import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { followLog, readLines } from '../../src/step/log-tail.ts';
import { waitUntil } from '../support/wait-until.ts';

let file: string;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'log-tail-'));
  file = join(folder, 'expose.log');
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

function follow(from?: number) {
  const lines: string[] = [];
  const tail = followLog(file, line => lines.push(line), from);
  onTestFinished(() => void tail.stop());
  return { lines, tail };
}

describe('a followed log', () => {
  it('may be created later, and is read as it grows', async () => {
    const { lines } = follow();
    writeFileSync(file, 'one\ntwo\n');
    await waitUntil(() => lines.length === 2, 'two lines came');
    appendFileSync(file, 'three\n');
    await waitUntil(() => lines.length === 3, 'the third line came');
    expect(lines).toEqual(['one', 'two', 'three']);
  });

  it('yields whole lines and whole characters, however they were written', async () => {
    const { lines, tail } = follow();
    const text = Buffer.from('grüß Gott\n');
    // In the middle of the ü, with a poll in between.
    writeFileSync(file, Buffer.concat([Buffer.from('first\n'), text.subarray(0, 3)]));
    await waitUntil(() => lines.length === 1, 'the first line came');
    appendFileSync(file, text.subarray(3));
    tail.stop();
    expect(lines).toEqual(['first', 'grüß Gott']);
  });

  it('is read to its present end when it is stopped, and no further', async () => {
    const { lines, tail } = follow();
    writeFileSync(file, 'last words\n');
    tail.stop();
    expect(lines).toEqual(['last words']);
    appendFileSync(file, 'after the stop\n');
    const { lines: seen } = follow();
    await waitUntil(() => seen.length === 2, 'another reader has polled');
    expect(lines).toEqual(['last words']);
  });

  it('starts at the given byte', () => {
    writeFileSync(file, 'old\nnew\n');
    const { lines, tail } = follow(4);
    tail.stop();
    expect(lines).toEqual(['new']);
  });

  it('loses nothing when it is longer than one read', () => {
    const all = Array.from({ length: 20_000 }, (_, at) => `line ${at}`);
    writeFileSync(file, `${all.join('\n')}\n`);
    const { lines, tail } = follow();
    tail.stop();
    expect(lines).toEqual(all);
  });
});

describe('the rest of a log', () => {
  it('is every whole line from the given byte on', () => {
    writeFileSync(file, 'one\ntwo\nthree\nhalf');
    expect(readLines(file, 4)).toEqual(['two', 'three']);
    expect(readLines(file)).toEqual(['one', 'two', 'three']);
  });

  it('is empty if the file does not exist', () => {
    expect(readLines(file)).toEqual([]);
  });
});
