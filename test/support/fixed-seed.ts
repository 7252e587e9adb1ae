// Runs before every test file: property tests draw the same examples in every run of the gate, new ones every night.

import fc from 'fast-check';
import { chooseSeed } from './scale.ts';

fc.configureGlobal({ seed: chooseSeed(20_261_123) });
