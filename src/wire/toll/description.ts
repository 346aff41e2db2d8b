/**
 * What a host says about itself at `/.well-known/tollcall.json`.
 * @module
 */
import { z } from 'zod';
import { parseMsat } from '../../base/money/index.ts';
import type { BundlePrice } from '../../pay/price/index.ts';
import { Fault } from '../../base/fault/index.ts';
import type { Json } from '../../base/json/index.ts';
import { MAX_CERTIFICATES_TEXT } from '../../port/keys/index.ts';
import { MAX_FORMER_KEYS, MAX_REVOKED_KEYS } from './limits.ts';
import { ticksSchema } from './tick-price.ts';

/** A name of a service; it is part of an address. */
export const SERVICE_NAME = /^[a-z][a-z0-9-]{0,63}$/;

/**
 * True for what a terminal shows as it is: no control characters but line feed, nothing that turns
 * text around.
 */
export function isDescriptionText(text: string): boolean {
  return (
    text.length <= MAX_DESCRIPTION &&
    /^[^\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]*$/u.test(text.replaceAll('\n', ' '))
  );
}

const MAX_DESCRIPTION = 1000;
const amount = z.string().regex(/^(0|[1-9]\d{0,18})$/);

/** A price as it is published; amounts are decimal texts in millisatoshis. */
const priceSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('each'), price_msat: amount }),
  z.object({ kind: z.literal('fixed'), total_msat: amount }),
  z.object({ kind: z.literal('root'), unit_msat: amount, minimum_msat: amount }),
]);

const serviceSchema = z.object({
  name: z.string().regex(SERVICE_NAME),
  description: z.string().refine(isDescriptionText),
  price: priceSchema,
  /** Absent: it is not sold by ticks. */
  ticks: ticksSchema.optional(),
  effect: z.enum(['none', 'once']),
  max_calls: z.number().int().positive(),
  input: z.unknown().optional(),
  output: z.unknown().optional(),
});

const fingerprint = z.string().regex(/^[0-9a-f]{64}$/);
const moment = z.number().int().nonnegative();
/** An RSA-4096 signature, base64url. */
const signature = z.string().regex(/^[\w-]{683}$/);

/** A key that the host had before: what it and the next one say of each other (docs/keys.md). */
const formerKeySchema = z.strictObject({
  /** SPKI in PEM. */
  host_key: z.string().max(2000),
  number: z.number().int().positive(),
  at_ms: moment,
  /** Set-ups for it are opened before this moment. */
  until_ms: moment,
  /** By this key: the next one follows it. */
  signature,
  /** By the next key: it follows this one. */
  countersignature: signature,
});

const descriptionSchema = z.object({
  protocol: z.literal('tollcall-1'),
  network: z.enum(['mainnet', 'testnet', 'signet', 'regtest']),
  /** The host's RSA public key (SPKI, PEM). */
  host_key: z.string().max(2000),
  /** SHA-256 of that key in DER, hex. */
  host_key_fingerprint: fingerprint,
  /** Oldest first; each is followed by the next one, the last by `host_key`. */
  former_keys: z.array(formerKeySchema).max(MAX_FORMER_KEYS).optional(),
  /** Fingerprints of former keys that were declared stolen. */
  revoked_keys: z.array(fingerprint).max(MAX_REVOKED_KEYS).optional(),
  /** The chain from this key's certificate up to a CA, in PEM. */
  host_certificates: z.string().max(MAX_CERTIFICATES_TEXT).optional(),
  /** What becomes of what was paid and is not used. */
  credit: z
    .object({
      /** The most that one payer may have prepaid, and all together. */
      max_prepaid_msat: amount,
      max_liability_msat: amount,
      /** From a payment or refund to the next refund. */
      refund_after_ms: z.number().int().nonnegative(),
      /** After a session's end; absent: for ever. */
      keep_days: z.number().int().nonnegative().optional(),
    })
    .optional(),
  services: z.array(serviceSchema).max(1000),
});

/** The description of a host. */
export type Description = z.infer<typeof descriptionSchema>;
/** A price as it is published. */
export type PriceDescription = z.infer<typeof priceSchema>;
/** A key that the host had before, as it is published. */
export type FormerKeyDescription = z.infer<typeof formerKeySchema>;
/** The description of one service. */
export type ServiceDescription = z.infer<typeof serviceSchema>;

/** Where the description is. */
export const DESCRIPTION_PATH = '/.well-known/tollcall.json';

/** Reads a description. @throws Fault `HOST_MALFORMED` */
export function parseDescription(value: Json): Description {
  try {
    return descriptionSchema.parse(value);
  } catch {
    // zod's own error, or a TypeError: its length checks read `length` of what is not a text, too.
    throw new Fault('HOST_MALFORMED', { where: DESCRIPTION_PATH });
  }
}

/** A price, ready to be published. */
export function priceToJson(price: BundlePrice): PriceDescription {
  switch (price.kind) {
    case 'each':
      return { kind: 'each', price_msat: `${price.priceMsat}` };
    case 'fixed':
      return { kind: 'fixed', total_msat: `${price.totalMsat}` };
    case 'root':
      return { kind: 'root', unit_msat: `${price.unitMsat}`, minimum_msat: `${price.minimumMsat}` };
  }
}

/** Reads a published price. @throws Fault `MONEY_RANGE` */
export function priceFromJson(price: PriceDescription): BundlePrice {
  switch (price.kind) {
    case 'each':
      return { kind: 'each', priceMsat: parseMsat(price.price_msat) };
    case 'fixed':
      return { kind: 'fixed', totalMsat: parseMsat(price.total_msat) };
    case 'root':
      return {
        kind: 'root',
        unitMsat: parseMsat(price.unit_msat),
        minimumMsat: parseMsat(price.minimum_msat),
      };
  }
}
