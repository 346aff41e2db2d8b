/** Price: what a bundle costs and what each call of it costs. @module */
export { MAX_CALLS } from './limits.ts';
export {
  SEED_PRICE,
  affordableCalls,
  bundleTotalMsat,
  nextShareMsat,
  rootFloor,
  type BundlePrice,
} from './price.ts';
export {
  hasOutputPrice,
  mostUnitsOf,
  unitsOf,
  type CallFacts,
  type CallPrice,
  type QuotePrice,
  type UnitPrice,
} from './units.ts';
