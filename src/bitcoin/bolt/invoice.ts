/**
 * What a BOLT 11 invoice says, and what one that is to be made shall say.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import type { Msat } from '../../base/money/index.ts';
import { unixMs, type UnixMs } from '../../base/time/index.ts';

/** A Bitcoin network. */
export type Network = 'mainnet' | 'testnet' | 'signet' | 'regtest';

/** One hop of a private route to the payee (BOLT 11, field `r`). */
export interface RouteHop {
  /** 33 bytes, hex. */
  readonly nodeId: string;
  readonly shortChannelId: bigint;
  readonly feeBaseMsat: number;
  readonly feeProportionalMillionths: number;
  readonly cltvExpiryDeltaBlocks: number;
}

/** A fallback address (BOLT 11, field `f`): witness version 0 to 16, or 17 (P2PKH) or 18 (P2SH). */
export interface Fallback {
  readonly version: number;
  /** The witness program, or the 20 bytes of a public key hash or script hash. */
  readonly program: Uint8Array;
}

/** A decoded invoice whose signature holds. */
export interface Invoice {
  /** The text it was decoded from, lower case, without `lightning:`. */
  readonly text: string;
  readonly network: Network;
  /** Absent: the payer chooses. */
  readonly amountMsat?: Msat;
  readonly timestampSeconds: number;
  readonly expirySeconds: number;
  /** 32 bytes, hex. */
  readonly paymentHash: string;
  /** 32 bytes, hex. */
  readonly paymentSecret: string;
  /** Compressed public key of the payee, 33 bytes, hex. */
  readonly payee: string;
  /** The payee's words: never show them without escaping. */
  readonly description?: string;
  /** 32 bytes, hex: SHA-256 of a longer description. */
  readonly descriptionHash?: string;
  readonly minFinalCltvExpiryBlocks: number;
  /** Feature bits that are set, ascending (BOLT 9). */
  readonly features: readonly number[];
  readonly routes: readonly (readonly RouteHop[])[];
  /** Fallback addresses, the payee's favourite first. */
  readonly fallbacks: readonly Fallback[];
  /** To be sent along with the payment. */
  readonly metadata?: Uint8Array;
}

/** An invoice to make. A field that is absent is not written; a reader then takes its default. */
export interface InvoiceDraft {
  readonly network: Network;
  /** Absent: the payer chooses. */
  readonly amountMsat?: Msat;
  readonly timestampSeconds: number;
  /** Absent: one hour. */
  readonly expirySeconds?: number;
  /** 32 bytes, hex. */
  readonly paymentHash: string;
  /** 32 bytes, hex. */
  readonly paymentSecret: string;
  /** Compressed public key, 33 bytes, hex; written as field `n`. Absent: the reader recovers it. */
  readonly payee?: string;
  /** At most 639 bytes of UTF-8. Either this or `descriptionHash`. */
  readonly description?: string;
  /** 32 bytes, hex. */
  readonly descriptionHash?: string;
  /** Absent: 18. */
  readonly minFinalCltvExpiryBlocks?: number;
  /** Feature bits to set, in any order. */
  readonly features?: readonly number[];
  readonly routes?: readonly (readonly RouteHop[])[];
  readonly fallbacks?: readonly Fallback[];
  /** At most 639 bytes. */
  readonly metadata?: Uint8Array;
}

/** When the invoice runs out: after this moment no payment should be tried. */
export function invoiceExpiresAtMs(
  invoice: Pick<Invoice, 'timestampSeconds' | 'expirySeconds'>,
): UnixMs {
  return unixMs((invoice.timestampSeconds + invoice.expirySeconds) * 1000);
}

/** The fault of a text or a draft that breaks a rule of BOLT 11; `reason` says which. */
export function malformed(reason: string): Fault {
  return new Fault('INVOICE_MALFORMED', { reason });
}
