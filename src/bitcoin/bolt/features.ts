/**
 * Feature bits of invoices (BOLT 9; BOLT 11, feature bits): even bits are required, odd optional.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import { malformed } from './invoice.ts';
import { MAX_FEATURE_BIT } from './limits.ts';
import type { Words } from './words.ts';

/** Every node has these (BOLT 9, "ASSUMED"), by their even bits. */
const ASSUMED = {
  option_data_loss_protect: 0,
  var_onion_optin: 8,
  option_static_remotekey: 12,
  payment_secret: 14,
  option_channel_type: 44,
} as const;

/** Those that BOLT 9 allows in invoices (context 9), by their even bits. */
const IN_INVOICES = {
  basic_mpp: 16,
  option_route_blinding: 24,
  option_attribution_data: 36,
  option_payment_metadata: 48,
} as const;

const KNOWN: ReadonlySet<number> = new Set([
  ...Object.values(ASSUMED),
  ...Object.values(IN_INVOICES),
]);

/**
 * Refuses what nobody here understands.
 * @throws Fault `INVOICE_FEATURE` for a required unknown feature, or one without what it builds on
 */
export function checkFeatures(features: readonly number[]): void {
  const unknown = features.find((bit) => bit % 2 === 0 && !KNOWN.has(bit));
  if (unknown !== undefined) throw new Fault('INVOICE_FEATURE', { bit: unknown });
  const offers = (even: number): boolean => features.includes(even) || features.includes(even + 1);
  if (offers(IN_INVOICES.basic_mpp) && !offers(ASSUMED.payment_secret)) {
    throw new Fault('INVOICE_FEATURE', { bit: IN_INVOICES.basic_mpp, reason: 'dependency' });
  }
}

/** The bits that are set, ascending; bit 0 is the lowest bit of the last word. */
export function readFeatures(words: Words): readonly number[] {
  const bits: number[] = [];
  for (const [i, word] of words.toReversed().entries()) {
    for (let bit = 0; bit < 5; bit++) {
      if ((word >> bit) & 1) bits.push(i * 5 + bit);
    }
  }
  return bits;
}

/** Feature bits in as few words as possible. @throws Fault `INVOICE_MALFORMED` */
export function writeFeatures(features: readonly number[]): Words {
  const words: number[] = [];
  for (const bit of features) {
    if (!Number.isInteger(bit) || bit < 0 || bit > MAX_FEATURE_BIT) throw malformed('features');
    const i = Math.floor(bit / 5);
    while (words.length <= i) words.push(0);
    words[i] = (words[i] ?? 0) | (1 << (bit % 5));
  }
  return words.toReversed();
}
