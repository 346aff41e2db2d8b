/**
 * Columns of a SQLite row, with the type that the schema promises.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import type { SqlValue } from './sqlite-file.ts';

/** An integer column. @throws Fault `STORE_CORRUPT` */
export function int(value: SqlValue | undefined): bigint {
  if (typeof value !== 'bigint') throw new Fault('STORE_CORRUPT', { name: 'integer column' });
  return value;
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
