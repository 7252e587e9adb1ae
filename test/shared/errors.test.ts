// The error classes, and the text that people read of an error.

import { describe, expect, it } from 'vitest';
import { AppError, describeError, hasCode, InputError, TunnelError } from '../../src/shared/errors.ts';

describe('an error for people', () => {
  it('carries every problem of the inputs', () => {
    const error = new InputError(['port: "x" is not a number', 'mode: "y" is unknown']);
    expect(error.problems).toHaveLength(2);
    expect(error.message).toBe('port: "x" is not a number\nmode: "y" is unknown');
    expect(new InputError('one').problems).toEqual(['one']);
  });

  it('says whether another attempt may help', () => {
    expect(new TunnelError('the secret is wrong', { retryable: false }).retryable).toBe(false);
    expect(new AppError('exit 1').restartable).toBe(true);
    expect(new AppError('exit 1', { restartable: false, exitCode: 1 })).toMatchObject({
      restartable: false,
      exitCode: 1,
      lastLines: [],
    });
  });

  it('keeps its cause and its name', () => {
    const cause = new Error('refused');
    for (const error of [
      new InputError('a', { cause }),
      new TunnelError('a', { cause, retryable: true }),
      new AppError('a', { cause }),
    ]) {
      expect(error.cause).toBe(cause);
      expect(error.name).toBe(error.constructor.name);
    }
  });
});

describe('the description of anything thrown', () => {
  it('follows the causes, and repeats nothing', () => {
    const inner = new Error('connection refused');
    const outer = new Error('no tunnel', { cause: new Error('dial failed', { cause: inner }) });
    expect(describeError(outer)).toBe('no tunnel: dial failed: connection refused');
    expect(describeError(new Error('failed: connection refused', { cause: inner }))).toBe(
      'failed: connection refused',
    );
  });

  it('turns a thrown value that is not an Error into text', () => {
    expect(describeError('thrown')).toBe('thrown');
    expect(describeError(undefined)).toBe('undefined');
    expect(describeError(new Error('a', { cause: 'b' }))).toBe('a: b');
  });

  it('leaves out a time-out as the cause of another message', () => {
    const over = new DOMException('the time is over', 'TimeoutError');
    expect(describeError(new Error('nothing listens', { cause: over }))).toBe('nothing listens');
    expect(describeError(over)).toBe(over.message);
  });

  it('lists the error of every address that was tried', () => {
    // What node:net throws when localhost is both ::1 and 127.0.0.1: no message of its own.
    const attempts = [new Error('connect ECONNREFUSED ::1:1'), new Error('connect ECONNREFUSED 127.0.0.1:1')];
    const error = new Error('fetch failed', { cause: new AggregateError(attempts) });
    expect(describeError(error)).toBe(
      'fetch failed: connect ECONNREFUSED ::1:1, connect ECONNREFUSED 127.0.0.1:1',
    );
  });
});

describe('the code of a system error', () => {
  it('is compared with a list', () => {
    const error = Object.assign(new Error('no'), { code: 'ENOENT' });
    expect(hasCode(error, 'EACCES', 'ENOENT')).toBe(true);
    expect(hasCode(error, 'EACCES')).toBe(false);
    expect(hasCode(new Error('no'), 'ENOENT')).toBe(false);
    expect(hasCode({ code: 'ENOENT' }, 'ENOENT')).toBe(false);
  });
});
