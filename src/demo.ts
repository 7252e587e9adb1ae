// The program of `expose demo`, which loads it: a bundle of its own, because users of the action do not need it.

export { runDemo } from './demo/demo.ts';
