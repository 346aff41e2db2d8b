/**
 * Reads the columns of a database row by type.
 * @module
 */
import type { SQLOutputValue } from 'node:sqlite';
import { Fault } from '../../base/fault/index.ts';
import { msat } from '../../base/money/index.ts';
import { unixMs } from '../../base/time/index.ts';
import type { Held } from './wallet.ts';

/** One row, by column name. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

/** A text column. */
export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new Fault('STORE_CORRUPT', { column });
  return value;
}

/** A whole number column. */
export function integer(row: Row, column: string): bigint {
  const value = row[column];
  if (typeof value !== 'bigint') throw new Fault('STORE_CORRUPT', { column });
  return value;
}

/** A bytes column. */
export function bytes(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw new Fault('STORE_CORRUPT', { column });
  return value;
}

/** A held payment, from the columns both adapters give it. */
export function heldOf(row: Row): Held {
  return {
    cursor: integer(row, 'cursor'),
    paymentHash: text(row, 'payment_hash'),
    receivedMsat: msat(integer(row, 'received_msat')),
    heldAtMs: unixMs(Number(integer(row, 'held_at_ms'))),
    cancelHeightBlocks: Number(integer(row, 'cancel_height')),
  };
}
