/**
 * The end of credit: what expired sessions still hold is expired too, once nothing is under way.
 * @module
 */
import { ZERO_MSAT } from '../base/money/index.ts';
import type { UnixMs } from '../base/time/index.ts';
import { creditOf, sessionAccount, type Transfer } from '../pay/ledger/index.ts';
import type { HostStore } from '../port/store/index.ts';
import { rowNow, type HotSession } from './hot-session.ts';
import { MAX_EXPIRED } from './limits.ts';
import type { Refunds } from './refunds.ts';
import type { Writer } from './writer.ts';

/** What expiry works with. */
export interface ExpiryContext {
  readonly store: Pick<HostStore, 'expiredSessions'>;
  readonly writer: Writer;
  readonly refunds: Refunds;
  /** Uses a session in memory; it has to be pinned before the first await. */
  readonly with: <T>(session: string, use: (hot: HotSession) => T | Promise<T>) => Promise<T>;
  /** Closes the lanes of a session that are not closed yet. */
  readonly endLanes: (session: string) => Promise<void>;
  readonly now: () => UnixMs;
}

/** Expires the credit of sessions that expired before `beforeMs`; gives how many. */
export async function expireCredit(context: ExpiryContext, beforeMs: UnixMs): Promise<number> {
  const sessions = await context.store.expiredSessions(beforeMs, MAX_EXPIRED);
  const expired = sessions.map(async (session) => {
    const { lanes } = await context.with(session, ({ row }) => row.terms);
    if (lanes !== undefined) await context.endLanes(session);
    return context.with(session, (hot) => expire(context, hot, beforeMs));
  });
  return (await Promise.all(expired)).filter(Boolean).length;
}

async function expire(
  { writer, refunds, now }: ExpiryContext,
  hot: HotSession,
  beforeMs: UnixMs,
): Promise<boolean> {
  const { session } = hot.row.terms;
  const { expiresAtMs } = hot.row.bought ?? hot.row.terms;
  const amountMsat = creditOf(rowNow(hot), hot.calls);
  const busy = hot.pins > 0 || refunds.isOpen(session);
  if (busy || amountMsat === ZERO_MSAT || expiresAtMs >= beforeMs) return false;
  const transfer: Transfer = {
    id: `expire:${session}:${hot.row.version}`,
    kind: 'posted',
    debit: sessionAccount(session),
    credit: 'expired',
    amountMsat,
    reason: 'expire',
    atMs: now(),
  };
  const { code } = await writer.group({ transfers: [transfer] }, hot, amountMsat);
  return code === 'ok';
}
