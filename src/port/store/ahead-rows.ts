/**
 * Rows of one table as the writer knows them. The file has one owner, hence what was written last
 * is what is there; with a spend log some rows are ahead of the database by what only the log has.
 * @module
 */
import { MAX_WRITTEN_ROWS } from './limits.ts';

/** A row that knows which version of it is in the database. */
export interface AheadRow {
  readonly version: bigint | number;
  readonly stored: bigint | number;
}

/** What was true before a transaction. */
interface Before<Row> {
  readonly rows: Map<string, Row | undefined>;
  readonly newer: Set<string>;
  readonly older: Set<string>;
}

/** The rows, by id. */
export class AheadRows<Row extends AheadRow> {
  readonly #rows = new Map<string, Row>();
  /** Those with an image in the half of the log that is in use; some may be stored. */
  #newer = new Set<string>();
  /** Those with an image in the other half, which is not folded yet. */
  #older = new Set<string>();
  #before: Before<Row> | undefined;

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  set(key: string, row: Row): void {
    this.#remember(key);
    const full = this.#rows.size >= MAX_WRITTEN_ROWS + 2 * this.size;
    if (full && !this.#rows.has(key)) this.#dropStored();
    this.#rows.set(key, row);
  }

  /** Something else has written this row; it was folded before. */
  forget(key: string): void {
    this.#remember(key);
    this.#rows.delete(key);
  }

  /** All that is in the database as it is. */
  forgetAll(): void {
    this.#dropStored();
  }

  /** An image of it goes into the log. */
  logged(key: string): void {
    this.#newer.add(key);
  }

  /** The row when the database is behind it. */
  ahead(key: string): Row | undefined {
    const row = this.#rows.get(key);
    return row === undefined || row.version === row.stored ? undefined : row;
  }

  /** How many rows may be ahead. */
  get size(): number {
    return this.#newer.size + this.#older.size;
  }

  /** At most so many with an image in the half of the log that is not in use. */
  older(limit: number): string[] {
    return [...this.#older.values().take(limit)];
  }

  /** These were folded, durably. */
  dropOlder(keys: readonly string[]): void {
    for (const key of keys) this.#older.delete(key);
  }

  /** The log goes on in its other half. */
  turn(): void {
    if (this.#older.size > 0) throw new Error('invariant: what the half held is folded');
    this.#older = this.#newer;
    this.#newer = new Set();
  }

  /** All that may be ahead; from now on none is. */
  takeAll(): string[] {
    const keys = [...this.#older, ...this.#newer];
    this.#older = new Set();
    this.#newer = new Set();
    return keys;
  }

  /** From now on what changes can be taken back. */
  begin(): void {
    this.#before = { rows: new Map(), newer: this.#newer, older: this.#older };
  }

  /** What changed is durable. */
  settle(): void {
    this.#before = undefined;
  }

  /** What changed since `begin` was not written. */
  revert(): void {
    const before = this.#before;
    if (before === undefined) return;
    this.#before = undefined;
    for (const [key, row] of before.rows) {
      if (row === undefined) this.#rows.delete(key);
      else this.#rows.set(key, row);
    }
    this.#newer = before.newer;
    this.#older = before.older;
  }

  #remember(key: string): void {
    const before = this.#before?.rows;
    if (before !== undefined && !before.has(key)) before.set(key, this.#rows.get(key));
  }

  #dropStored(): void {
    for (const [key, row] of this.#rows) {
      if (row.version !== row.stored) continue;
      this.#remember(key);
      this.#rows.delete(key);
    }
  }
}
