/** Bounds on what a host can make of a terminal, of a person's time and of types. @module */

/** The last question of a command, where a session stands; without an answer it is left out. */
export const SUMMARY_MS = 3_000;
/** Rows of a list of the wallet that are shown at once. */
export const WALLET_PAGE = 100;

/** Types deeper than this are `unknown`: nobody reads them. */
export const MAX_TYPE_DEPTH = 24;
/** Named types of one schema; further references are `unknown`. */
export const MAX_TYPES = 200;
/** Values of an enum, places of a tuple; above it an enum is `unknown`, a tuple open. */
export const MAX_ENUM = 200;
/** Alternatives that a type may unfold into: the compiler gives up at 100,000. */
export const MAX_UNION = 1000;
/** Characters of a comment; the rest is left out. */
export const MAX_COMMENT = 1000;
/** A schema of more characters is `unknown`: hosts publish at most 16 kB. */
export const MAX_SCHEMA_CHARS = 64 * 1024;
