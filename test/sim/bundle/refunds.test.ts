/** Payers get a part of what they bought back, from a host with a bad wallet. @module */
import { testWorlds } from './world-test.ts';

testWorlds('refunds', 300);
