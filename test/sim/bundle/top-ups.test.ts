/** Payers buy more for a session while they use it. @module */
import { testWorlds } from './world-test.ts';

testWorlds('top-ups', 300);
