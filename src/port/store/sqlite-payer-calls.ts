/**
 * The calls that a payer has recorded, and their numbers.
 * @module
 */
import { sameBytes } from '../../base/bytes/index.ts';
import { CALL_WINDOW_SIZE } from '../../pay/ledger/index.ts';
import { MAX_RESOLVED_CALLS } from './limits.ts';
import type { NewCall, RecordedCall, Unresolved } from './payer-store.ts';
import { bytes, int } from './sqlite-columns.ts';
import type { SqlRow, SqliteDatabase } from './sqlite-file.ts';
import { assertHere } from './sqlite-payer-moved.ts';
import { unresolvedOf } from './sqlite-payer-schema.ts';

/** Where the numbering of a session stands. */
interface Numbering {
  /** The lowest number that nobody has taken. */
  readonly next: bigint;
  /** No call below it will be recorded any more. */
  readonly done: bigint;
}

/** Calls of all sessions. */
export class CallTable {
  readonly #db: SqliteDatabase;

  constructor(db: SqliteDatabase) {
    this.#db = db;
  }

  /** Records a call, or finds the one of that name. */
  record(call: NewCall): RecordedCall {
    const { session, callId, request } = call;
    return this.#db.transaction((): RecordedCall => {
      assertHere(this.#db, session);
      const sql = 'SELECT * FROM call WHERE session = ? AND call_id = ?';
      const known = this.#db.row(sql, session, callId);
      if (known !== undefined) return this.#known(session, known, request);
      const n = this.#numbering(session).next;
      const done = this.#lowest(session) ?? n;
      if (n >= done + CALL_WINDOW_SIZE) return { kind: 'window', done };
      this.#db.run(
        'INSERT INTO call (session, call_id, n, request) VALUES (?, ?, ?, ?)',
        session,
        callId,
        n,
        request,
      );
      this.#write(session, { next: n + 1n, done });
      return { kind: 'recorded', n, done, request };
    });
  }

  /** The outcome of a call is known. */
  resolve(session: string, callId: string, answer: Uint8Array | undefined): void {
    this.#db.transaction(() => {
      const where = 'WHERE session = ? AND call_id = ? AND answer IS NULL';
      if (answer === undefined) {
        this.#db.run(`DELETE FROM call ${where}`, session, callId);
        return;
      }
      this.#db.run(`UPDATE call SET answer = ? ${where}`, answer, session, callId);
      this.#db.run(
        `DELETE FROM call WHERE session = ?1 AND answer IS NOT NULL AND n < (SELECT n FROM call
          WHERE session = ?1 AND answer IS NOT NULL ORDER BY n DESC LIMIT 1 OFFSET ?2)`,
        session,
        MAX_RESOLVED_CALLS - 1,
      );
    });
  }

  /** What a resolved call was answered. */
  answerOf(session: string, callId: string): Uint8Array | undefined {
    const sql = 'SELECT answer FROM call WHERE session = ? AND call_id = ? AND answer IS NOT NULL';
    const row = this.#db.row(sql, session, callId);
    return row && bytes(row['answer']);
  }

  /** Calls without an outcome. */
  unresolved(session: string): Unresolved {
    return this.#db.transaction(() => {
      const sql = 'SELECT * FROM call WHERE session = ? AND answer IS NULL ORDER BY n';
      const calls = this.#db.rows(sql, session).map(unresolvedOf);
      return { done: this.#advance(session), calls };
    });
  }

  #known(session: string, row: SqlRow, request: Uint8Array): RecordedCall {
    const recorded = bytes(row['request']);
    if (!sameBytes(recorded, request)) return { kind: 'conflict' };
    const n = int(row['n']);
    if (row['answer'] !== null) return { kind: 'resolved', n, answer: bytes(row['answer']) };
    return { kind: 'exists', n, done: this.#advance(session), request: recorded };
  }

  /**
   * Declares all below the lowest unresolved call done, durably: nothing is recorded there later.
   */
  #advance(session: string): bigint {
    const { next, done } = this.#numbering(session);
    const lowest = this.#lowest(session);
    if (lowest === undefined || lowest <= done) return done;
    this.#write(session, { next, done: lowest });
    return lowest;
  }

  #lowest(session: string): bigint | undefined {
    const sql = 'SELECT min(n) FROM call WHERE session = ? AND answer IS NULL';
    const lowest = this.#db.value(sql, session);
    return lowest === null ? undefined : int(lowest);
  }

  #numbering(session: string): Numbering {
    const row = this.#db.row('SELECT next, done FROM numbering WHERE session = ?', session);
    return row === undefined
      ? { next: 0n, done: 0n }
      : { next: int(row['next']), done: int(row['done']) };
  }

  #write(session: string, { next, done }: Numbering): void {
    this.#db.run('REPLACE INTO numbering VALUES (?, ?, ?)', session, next, done);
  }
}
