/** The regtest chain. Loads bcoin, which a production install does not have. @module */
export { openRegtest, type RegtestChain, type RegtestOptions } from './regtest.ts';
