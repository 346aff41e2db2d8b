/**
 * Opens the store of a host.
 * @module
 */
import type { HostStoreFile } from './backup.ts';
import type { HostStoreOptions } from './host-store.ts';
import { openHostCore } from './sqlite-host.ts';
import { openHostThread } from './sqlite-thread.ts';

/**
 * Opens a host's file and makes it when it is missing. One process has it at a time.
 * @throws Fault `STORE_OWNED`, `STORE_NEWER`, `STORE_READONLY`, `STORE_CORRUPT`, `STORE_FULL`
 */
export async function openHostStore(options: HostStoreOptions): Promise<HostStoreFile> {
  if (options.thread) return openHostThread(options);
  const core = openHostCore(options);
  return {
    commit: async (groups) => core.commit(groups),
    session: async (session) => core.session(session),
    sessionBySetup: async (setup) => core.sessionBySetup(setup),
    sessionByPaymentHash: async (paymentHash) => core.sessionByPaymentHash(paymentHash),
    sessionsAfter: async (position, limit) => core.sessionsAfter(position, limit),
    startedSessions: async () => core.startedSessions(),
    unpaidSessions: async (nowMs) => core.unpaidSessions(nowMs),
    refund: async (paymentHash) => core.refund(paymentHash),
    openRefunds: async () => core.openRefunds(),
    refundTotals: async (session) => core.refundTotals(session),
    prepaidMsat: async (payer) => core.prepaidMsat(payer),
    attributable: async () => core.attributable(),
    expiredSessions: async (beforeMs, limit) => core.expiredSessions(beforeMs, limit),
    storedAnswer: async (session, n) => core.storedAnswer(session, n),
    account: async (id) => core.account(id),
    transfer: async (id) => core.transfer(id),
    walletCursor: async () => core.walletCursor(),
    sheet: async () => core.sheet(),
    audit: async () => core.audit(),
    backup: async (file) => core.backup(file),
    close: async () => core.close(),
  };
}
