// How the problems of several inputs are collected.

import { describe, expect, it } from 'vitest';
import { Problems } from '../../src/inputs/problems.ts';
import { InputError } from '../../src/shared/errors.ts';

const refuse = (problem: string) => () => {
  throw new InputError(problem);
};

describe('the problems of inputs', () => {
  it('are thrown together, in the order they were found', () => {
    const problems = new Problems();
    problems.check(refuse('one'));
    problems.check(refuse('two'));
    expect(() => problems.throwIfAny()).toThrow(new InputError(['one', 'two']));
  });

  it('are noted once, even if a later check needs a value that was refused', () => {
    const problems = new Problems();
    const port = problems.check<number>(refuse('the port is wrong'));
    const doubled = problems.check(() => port.value * 2);
    expect([port.known, doubled.known]).toEqual([undefined, undefined]);
    expect(() => problems.throwIfAny()).toThrow(new InputError('the port is wrong'));
  });

  it('do not include errors of another kind, which are thrown', () => {
    const bug = new TypeError('a bug');
    const check = () =>
      new Problems().check(() => {
        throw bug;
      });
    expect(check).toThrow(bug);
  });

  it('are an empty list if every value is right', () => {
    const problems = new Problems();
    expect(problems.check(() => undefined)).toEqual({ value: undefined, known: undefined });
    expect(() => problems.throwIfAny()).not.toThrow();
  });
});
