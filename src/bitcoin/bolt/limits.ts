/** Bounds on what an invoice can make its reader do. @module */

/**
 * Characters of an invoice, without the `lightning:` in front; a longer one is malformed. It is the
 * bound that LDK uses as well (the most that one QR code can carry), so no wallet takes more. It
 * also bounds the number of fields, routes and feature bits.
 */
export const MAX_INVOICE_CHARS = 7089;
/** Bytes of a field's data (BOLT 11: 1023 words of 5 bits); a draft with more is refused. */
export const MAX_FIELD_BYTES = 639;
/**
 * The longest expiry that is told apart: 136 years. A larger one in an invoice is read as this one,
 * so that the moment of expiry in milliseconds stays an exact number; a draft with more is refused.
 */
export const MAX_EXPIRY_SECONDS = 2 ** 32 - 1;
/** The same for the delta of the final hop: no payer locks money for that many blocks. */
export const MAX_FINAL_CLTV_BLOCKS = 2 ** 32 - 1;
/** Seconds since 1970 have 35 bits (BOLT 11); a draft with a later time is refused. */
export const MAX_TIMESTAMP_SECONDS = 2 ** 35 - 1;
/** The highest feature bit that one field can hold; a draft with a higher one is refused. */
export const MAX_FEATURE_BIT = 1023 * 5 - 1;
