/**
 * A payment that failed, as the fault a caller can throw.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import type { Outgoing } from './wallet.ts';

/** The fault of a failed payment, with the facts that say what to do. */
export function paymentFault(failed: Outgoing & { readonly state: 'failed' }): Fault {
  const { reason, liquidity } = failed;
  if (!liquidity) return new Fault(reason);
  const { neededMsat, sendableMsat } = liquidity;
  return new Fault(reason, { neededMsat: `${neededMsat}`, sendableMsat: `${sendableMsat}` });
}
