/**
 * When answers of calls over lanes leave.
 * @module
 */
import type { Msat } from '../base/money/index.ts';

/**
 * When an answer leaves. `commit`: once its charge is durable. `lazy`: at once, as long as what is
 * not durable yet is younger and worth less than the bounds; a crash forgets at most that much, and
 * those calls can be paid for with the same ticks again. Beyond the bounds answers wait.
 */
export type Durability =
  | { readonly kind: 'commit' }
  | { readonly kind: 'lazy'; readonly maxMs: number; readonly maxMsat: Msat };
