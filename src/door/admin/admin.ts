/**
 * The local admin socket of a host: it owns its store alone, so it answers whoever may read it.
 * @module
 */
import { join } from 'node:path';
import { Fault } from '../../base/fault/index.ts';
import type { Log } from '../../base/log/index.ts';
import type { Msat } from '../../base/money/index.ts';
import type { UnixMs } from '../../base/time/index.ts';
import { withLanes } from '../../books/index.ts';
import { stateOf, type SessionRow, type Sheet, type Transfer } from '../../pay/ledger/index.ts';
import type { LaneRow } from '../../pay/tick/index.ts';
import type { HostStoreFile } from '../../port/store/index.ts';
import { connectLine, openLineServer, type LineServer } from './line-socket.ts';

/** A session as its host's owner sees it: no secrets. */
export interface SessionFacts {
  readonly session: string;
  readonly service: string;
  /** SHA-256 of the payer's public key, hex. */
  readonly payer: string;
  readonly openedAtMs: UnixMs;
  readonly expiresAtMs: UnixMs;
  readonly calls: number;
  readonly chargedCalls: number;
  readonly callsLeft: number;
  readonly totalMsat: Msat;
  readonly paidMsat: Msat;
  readonly chargedMsat: Msat;
  readonly creditMsat: Msat;
  readonly paid: boolean;
}

/** Sessions in the order in which they were opened. */
export interface SessionPage {
  readonly sessions: readonly SessionFacts[];
  /** Where the next page starts. */
  readonly cursor: bigint;
}

/** Transfers in the order in which they were made. */
export interface JournalPage {
  readonly transfers: readonly Transfer[];
  /** Where the next page starts. */
  readonly cursor: bigint;
}

/** What the owner of a host can ask. */
export interface HostAdmin {
  sheet(): Promise<Sheet>;
  /** At most a thousand sessions after `cursor`, 0 at first; an empty page ends the list. */
  sessions(cursor: bigint): Promise<SessionPage>;
  /** At most a thousand transfers after `cursor`, the same. */
  journal(cursor: bigint): Promise<JournalPage>;
  /** Every problem that an audit of the store finds. */
  audit(): Promise<readonly string[]>;
  /** Copies the store into a new file. */
  backup(file: string): Promise<void>;
}

/** The admin of a host. */
export interface AdminParts {
  readonly store: Pick<
    HostStoreFile,
    'sessionsAfter' | 'transfersAfter' | 'lanesOf' | 'audit' | 'backup' | 'sheet'
  >;
  /** The sheet as the running books know it; by default what is stored. */
  readonly sheet?: () => Promise<Sheet>;
  /** Brings into the store what other processes have charged, before it is read. */
  readonly flush?: () => Promise<void>;
}

/** Answers from the store itself. */
export function hostAdmin(parts: AdminParts): HostAdmin {
  const { store, sheet = () => store.sheet(), flush = async () => undefined } = parts;
  return {
    sheet,
    sessions: async (cursor) => {
      await flush();
      const { rows, position } = await store.sessionsAfter(cursor, ROWS_PER_PAGE);
      const sessions = rows.map(async (row) => {
        const { lanes, session } = row.terms;
        return sessionFacts(row, lanes === undefined ? undefined : await store.lanesOf(session));
      });
      return { sessions: await Promise.all(sessions), cursor: position };
    },
    journal: async (cursor) => {
      await flush();
      const { rows, position } = await store.transfersAfter(cursor, ROWS_PER_PAGE);
      return { transfers: rows, cursor: position };
    },
    audit: async () => {
      await flush();
      return store.audit();
    },
    backup: async (file) => {
      await flush();
      return store.backup(file);
    },
  };
}

/** Each is less than a kilobyte: a page fits a line. */
const ROWS_PER_PAGE = 1000;

/** Where the socket of a host stands in its directory. */
export function adminSocket(dir: string): string {
  return join(dir, 'admin.sock');
}

/** Opens the admin socket in a host's directory. @throws Fault `CONFIG_INVALID` */
export function openAdminDoor(dir: string, admin: HostAdmin, log: Log): Promise<LineServer> {
  return openLineServer(
    adminSocket(dir),
    {
      sheet: () => admin.sheet(),
      sessions: (cursor: unknown) => admin.sessions(whole(cursor)),
      journal: (cursor: unknown) => admin.journal(whole(cursor)),
      audit: () => admin.audit(),
      backup: (file: unknown) => {
        if (typeof file !== 'string') throw new Fault('REQUEST_MALFORMED');
        return admin.backup(file);
      },
    },
    log,
  );
}

/** The admin of the host that runs in this directory; undefined when none does. */
export async function connectAdmin(
  dir: string,
): Promise<(HostAdmin & { close(): void }) | undefined> {
  const line = await connectLine(adminSocket(dir), () => new Fault('HOST_STOPPING'));
  if (line === undefined) return undefined;
  return {
    sheet: async () => (await line.ask('sheet')) as Sheet,
    sessions: async (cursor) => (await line.ask('sessions', cursor)) as SessionPage,
    journal: async (cursor) => (await line.ask('journal', cursor)) as JournalPage,
    audit: async () => (await line.ask('audit')) as string[],
    backup: async (file) => void (await line.ask('backup', file)),
    close: () => line.close(),
  };
}

/** What lanes have spent is not in the row of their session. */
function sessionFacts(row: SessionRow, lanes?: readonly LaneRow[]): SessionFacts {
  const { session, service, payer, openedAtMs } = row.terms;
  const { expiresAtMs, calls, totalMsat } = row.bought ?? row.terms;
  const { chargedCalls, callsLeft, paidMsat, chargedMsat, creditMsat, paid } =
    lanes === undefined
      ? stateOf(row)
      : withLanes(
          stateOf(row),
          lanes.map(({ terms, closed, spent }) => ({ ...terms, closed, spent })),
        );
  return {
    session,
    service,
    payer,
    openedAtMs,
    expiresAtMs,
    calls,
    chargedCalls,
    callsLeft,
    totalMsat,
    paidMsat,
    chargedMsat,
    creditMsat,
    paid,
  };
}

function whole(value: unknown): bigint {
  if (typeof value !== 'string' || !/^\d{1,18}$/.test(value)) throw new Fault('REQUEST_MALFORMED');
  return BigInt(value);
}
