/** Payers pay with ticks; loss, delay, repeats, crashes on both sides, lies. @module */
import { testWorlds } from './world-test.ts';

testWorlds('ticks', 300);
