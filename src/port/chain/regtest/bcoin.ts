/**
 * Loads bcoin with its JavaScript crypto: its native parts are not built here.
 * @module
 */
import { createRequire } from 'node:module';

/** The parts of bcoin that are used; see `types/bcoin.d.ts`. */
export type Bcoin = typeof import('bcoin');

/** bcoin, loaded when it is first asked for: about 0.2 s. */
export function loadBcoin(): Bcoin {
  // bcrypto and its relatives choose their backend from the environment while they load.
  process.env['NODE_BACKEND'] = 'js';
  return createRequire(import.meta.url)('bcoin') as Bcoin;
}
