/** The wallets lie; the books are right all the same, and nobody pays twice. @module */
import { testWorlds } from './world-test.ts';

testWorlds('lying-wallets', 300);
