/**
 * Opens the store of a host.
 * @module
 */
import type { HostStoreFile } from './backup.ts';
import type { HostStoreOptions } from './host-store.ts';
import { openHostCore } from './sqlite-host.ts';
import { openHostThread } from './sqlite-thread.ts';

/**
 * Opens a host's file and makes it when it is missing. One process has it at a time. A worker that
 * lives on after its primary has its log: that is `STORE_OWNED` with the log's `file` in the facts;
 * it ends by itself, so try again for some seconds.
 * @throws Fault `STORE_OWNED`, `STORE_NEWER`, `STORE_READONLY`, `STORE_CORRUPT`, `STORE_FULL`
 */
export async function openHostStore(options: HostStoreOptions): Promise<HostStoreFile> {
  if (options.thread) return openHostThread(options);
  const core = openHostCore(options);
  return {
    commit: async (groups) => core.commit(groups),
    // A copy: the core keeps what it was given, the caller may use its memory again.
    commitLanes: async (images, extra) => core.commitLanes(images.slice(), extra),
    takeLanes: async (lanes) => core.takeLanes(lanes),
    openLaneLog: async (worker) => core.openLaneLog(worker),
    foldLanes: async (worker, fold) =>
      core.foldLanes(worker, { ...fold, images: fold.images.slice() }),
    closeLaneLog: async (worker) => core.closeLaneLog(worker),
    storedLaneAnswer: async (lane, n) => core.storedLaneAnswer(lane, n),
    lanesOf: async (session) => core.lanesOf(session),
    session: async (session) => core.session(session),
    sessionBySetup: async (setup) => core.sessionBySetup(setup),
    sessionByPaymentHash: async (paymentHash) => core.sessionByPaymentHash(paymentHash),
    sessionsAfter: async (position, limit) => core.sessionsAfter(position, limit),
    transfersAfter: async (position, limit) => core.transfersAfter(position, limit),
    startedSessions: async () => core.startedSessions(),
    unpaidSessions: async (nowMs) => core.unpaidSessions(nowMs),
    lapse: async (lapse) => core.lapse(lapse),
    topUp: async (session, id) => core.topUp(session, id),
    topUpByPaymentHash: async (paymentHash) => core.topUpByPaymentHash(paymentHash),
    unpaidTopUps: async (nowMs) => core.unpaidTopUps(nowMs),
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
    openSessions: async (nowMs) => core.openSessions(nowMs),
    sheet: async () => core.sheet(),
    audit: async () => core.audit(),
    backup: async (file) => core.backup(file),
    close: async () => core.close(),
  };
}
