/**
 * Columns of a SQLite row, with the type that the schema promises.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import type { Msat } from '../../base/money/index.ts';
import type { SqlValue } from './sqlite-file.ts';

/** An integer column. @throws Fault `STORE_CORRUPT` */
export function int(value: SqlValue | undefined): bigint {
  if (typeof value !== 'bigint') throw new Fault('STORE_CORRUPT', { name: 'integer column' });
  return value;
}

/**
 * An amount. Its range was checked when it was written, and by the `CHECK` of its column: a sum of
 * many can be above what one may be.
 * @throws Fault `STORE_CORRUPT`
 */
export function amount(value: SqlValue | undefined): Msat {
  return int(value) as Msat;
}

/** A text column. @throws Fault `STORE_CORRUPT` */
export function text(value: SqlValue | undefined): string {
  if (typeof value !== 'string') throw new Fault('STORE_CORRUPT', { name: 'text column' });
  return value;
}

/** A blob column. @throws Fault `STORE_CORRUPT` */
export function bytes(value: SqlValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new Fault('STORE_CORRUPT', { name: 'blob column' });
  return value;
}
