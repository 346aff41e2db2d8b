/**
 * Writes the images of sessions: the statement of every paid call, so it reads nothing that this
 * thread has written itself. The file has one owner, hence what was written last is what is there.
 * @module
 */
import { fromHex } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import {
  checkImageNumbers,
  entriesNumbers,
  type ImageRefusal,
  type NumbersRow,
} from '../../pay/ledger/index.ts';
import { MAX_WRITTEN_ROWS } from './limits.ts';
import { NUMBERS_OF_IMAGE, unpackImages, type PackedImage } from './packed-images.ts';
import type { SqliteDatabase } from './sqlite-file.ts';
import { SELECT_LEDGER_ROW, ledgerRow } from './sqlite-host-schema.ts';

type WrittenRow = NumbersRow & { readonly position: bigint };

/** What became of a list of images. */
interface Written {
  readonly refusals: (ImageRefusal | undefined)[];
  readonly numbers: BigInt64Array;
}

const UPDATE = `UPDATE session_numbers SET version = ?, charged_msat = ?, charged_calls = ?,
  started_msat = ?, started_calls = ?, entries = ? WHERE position = ? AND version = ?`;

/** The rows as they were written last. */
export class ImageWriter {
  readonly #db: SqliteDatabase;
  readonly #rows = new Map<string, WrittenRow>();

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  /** Checks and writes images, each on its own; call it inside of a transaction. */
  write(images: Uint8Array): Written {
    const refusals: (ImageRefusal | undefined)[] = [];
    const numbers: bigint[] = [];
    for (const image of unpackImages(images)) {
      const row = this.#row(image.session);
      const result = row === undefined ? 'session_unknown' : this.#write(row, image);
      if (typeof result === 'string') {
        refusals.push(result);
        numbers.push(...NO_NUMBERS);
      } else {
        refusals.push(undefined);
        const { version, counters, foldedMsat } = result;
        const { debitsPendingMsat, debitsPostedMsat } = counters;
        numbers.push(version, debitsPendingMsat, debitsPostedMsat);
        numbers.push(counters.creditsPendingMsat, counters.creditsPostedMsat, foldedMsat);
      }
    }
    return { refusals, numbers: BigInt64Array.from(numbers) };
  }

  /** Something else has written this session, or all of them are in doubt. */
  forget(session?: string): void {
    if (session === undefined) this.#rows.clear();
    else this.#rows.delete(session);
  }

  #write(row: WrittenRow, image: PackedImage): WrittenRow | ImageRefusal {
    const { version, chargedMsat, chargedCalls, entries } = image;
    const { done, entryCount, msat, calls } = entriesNumbers(entries);
    const all = { version, chargedMsat, chargedCalls, done, entryCount, msat, calls };
    const refusal = checkImageNumbers(row, all);
    if (refusal !== undefined) return refusal;
    const after = version + 1n;
    const charged = [chargedMsat, chargedCalls] as const;
    const where = [row.position, version] as const;
    const changed = this.#db.run(UPDATE, after, ...charged, msat, calls, entries, ...where);
    // The check above is on what we remember; the file must agree.
    if (changed !== 1) throw new Fault('STORE_CORRUPT', { name: 'version of a session' });
    const written = { ...row, version: after, calls: { chargedMsat, chargedCalls, done } };
    this.#rows.set(image.session, written);
    return written;
  }

  #row(session: string): WrittenRow | undefined {
    const known = this.#rows.get(session);
    if (known !== undefined) return known;
    const sql = `${SELECT_LEDGER_ROW} WHERE s.session = ?`;
    const found = this.#db.row(sql, fromHex(session, 'session'));
    if (found === undefined) return undefined;
    const { calls, ...rest } = ledgerRow(found);
    const { chargedMsat, chargedCalls, done } = calls;
    const row = { ...rest, calls: { chargedMsat, chargedCalls, done } };
    if (this.#rows.size >= MAX_WRITTEN_ROWS) this.#rows.clear();
    this.#rows.set(session, row);
    return row;
  }
}

const NO_NUMBERS: readonly bigint[] = Array.from({ length: NUMBERS_OF_IMAGE }, () => 0n);
