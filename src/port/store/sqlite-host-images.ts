/**
 * Writes the images of sessions: the statement of every paid call, so it reads nothing that this
 * thread has written itself.
 * @module
 */
import { fromHex } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import {
  checkImageNumbers,
  entriesNumbers,
  type ImageNumbers,
  type ImageRefusal,
  type NumbersRow,
} from '../../pay/ledger/index.ts';
import { AheadRows } from './ahead-rows.ts';
import { NUMBERS_OF_IMAGE, unpackImages, type PackedImage } from './packed-images.ts';
import type { SqliteDatabase } from './sqlite-file.ts';
import { SELECT_LEDGER_ROW, ledgerRow } from './sqlite-host-schema.ts';

/** A session as it was written last, into the log or into the database. */
interface WrittenRow extends NumbersRow {
  readonly position: bigint;
  /** The version in the database. */
  readonly stored: bigint;
  /** What the image said; undefined when the row was read. */
  readonly image?: SessionImageRead;
}

/** An image, read and counted. */
export interface SessionImageRead {
  readonly session: string;
  readonly numbers: ImageNumbers;
  readonly entries: Uint8Array;
  /** It has a call with effect once: it belongs into the database. */
  readonly once: boolean;
  /** Its bytes. */
  readonly packed: Uint8Array;
}

const UPDATE = `UPDATE session_numbers SET version = ?, charged_msat = ?, charged_calls = ?,
  started_msat = ?, started_calls = ?, entries = ? WHERE position = ? AND version = ?`;

/** Reads what `packCommit` made. */
export function readImages(images: Uint8Array): SessionImageRead[] {
  return Array.from(unpackImages(images), (image: PackedImage) => {
    const { session, version, chargedMsat, chargedCalls, entries, packed } = image;
    const { once, ...counted } = entriesNumbers(entries);
    return {
      session,
      numbers: { version, chargedMsat, chargedCalls, ...counted },
      entries,
      once,
      packed,
    };
  });
}

/** The sessions as they were written last. */
export class SessionImages {
  readonly rows = new AheadRows<WrittenRow>();
  readonly #db: SqliteDatabase;

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  /** Takes an image as the row from now on, if it may be: it is in the log, or will be folded. */
  take(image: SessionImageRead): ImageRefusal | undefined {
    const row = this.#row(image.session);
    if (row === undefined) return 'session_unknown';
    const refusal = checkImageNumbers(row, image.numbers);
    if (refusal !== undefined) return refusal;
    const { version, chargedMsat, chargedCalls, done } = image.numbers;
    const calls = { chargedMsat, chargedCalls, done };
    this.rows.set(image.session, { ...row, version: version + 1n, calls, image });
    return undefined;
  }

  /** True for an image that the row has left behind: it was folded before. */
  isOld(image: SessionImageRead): boolean {
    const row = this.#row(image.session);
    return row !== undefined && image.numbers.version < row.version;
  }

  /** Brings the database up to the row; call it inside of a transaction. */
  fold(session: string): void {
    const row = this.rows.ahead(session);
    if (row === undefined) return;
    const { position, stored, version, image } = row;
    if (image === undefined) throw new Error('invariant: a row is ahead by an image');
    const { chargedMsat, chargedCalls, msat, calls } = image.numbers;
    const values = [chargedMsat, chargedCalls, msat, calls, image.entries] as const;
    const changed = this.#db.run(UPDATE, version, ...values, position, stored);
    // The checks were on what we remember; the file must agree.
    if (changed !== 1) throw new Fault('STORE_CORRUPT', { name: 'version of a session' });
    this.rows.set(session, { ...row, stored: version });
  }

  /** What the books need to know of a session after its image was written. */
  numbersOf(session: string): readonly bigint[] {
    const row = this.rows.get(session);
    if (row === undefined) return NO_NUMBERS;
    const { version, counters, foldedMsat } = row;
    const { debitsPendingMsat, debitsPostedMsat, creditsPendingMsat, creditsPostedMsat } = counters;
    const moved = [debitsPendingMsat, debitsPostedMsat, creditsPendingMsat, creditsPostedMsat];
    return [version, ...moved, foldedMsat];
  }

  #row(session: string): WrittenRow | undefined {
    const known = this.rows.get(session);
    if (known !== undefined) return known;
    const sql = `${SELECT_LEDGER_ROW} WHERE s.session = ?`;
    const found = this.#db.row(sql, fromHex(session, 'session'));
    if (found === undefined) return undefined;
    const { calls, ...rest } = ledgerRow(found);
    const { chargedMsat, chargedCalls, done } = calls;
    const row = { ...rest, stored: rest.version, calls: { chargedMsat, chargedCalls, done } };
    this.rows.set(session, row);
    return row;
  }
}

/** Of an image that was refused. */
export const NO_NUMBERS: readonly bigint[] = Array.from({ length: NUMBERS_OF_IMAGE }, () => 0n);
