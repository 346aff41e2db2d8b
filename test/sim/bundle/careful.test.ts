/** The host has caps, services that recover, and credit that expires. @module */
import { testWorlds } from './world-test.ts';

testWorlds('careful', 300);
