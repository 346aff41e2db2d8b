/** The host lies; its payers pay once, never above their limit, and know what they have. @module */
import { testWorlds } from './world-test.ts';

testWorlds('lying-host', 300);
