/**
 * What the tests of stores have in common.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { isFault } from '../../src/base/fault/index.ts';
import { msat, type Msat } from '../../src/base/money/index.ts';
import { unixMs } from '../../src/base/time/index.ts';
import { NO_CALLS, type CallEntry, type CallsImage } from '../../src/pay/ledger/index.ts';
import {
  sessionAccount,
  type SessionTerms,
  type TopUp,
  type Transfer,
} from '../../src/pay/ledger/index.ts';

/** A directory that is gone after the test. */
export function directory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-store-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A number as hex of so many bytes. */
export function hex(value: number, length: number): string {
  return value.toString(16).padStart(length * 2, '0');
}

/** The terms of a session. */
export function terms(s: number, change: Partial<SessionTerms> = {}): SessionTerms {
  return {
    session: hex(s, 16),
    service: 'quotes',
    calls: 10,
    totalMsat: msat(1000),
    paymentHash: hex(s, 32),
    openedAtMs: unixMs(100 + s),
    payByMs: unixMs(1000 + s),
    expiresAtMs: unixMs(9000),
    setup: hex(1000 + s, 32),
    payer: hex(5, 32),
    codeKey: new Uint8Array(32).fill(7),
    reply: new Uint8Array([1, 2, 3]),
    ...change,
  };
}

/** Half as many calls more, for a session. */
export function topUp(s: number): TopUp {
  return {
    session: hex(s, 16),
    id: hex(5, 16),
    service: 'quotes',
    calls: 5,
    totalMsat: msat(500),
    paymentHash: hex(7000 + s, 32),
    payByMs: unixMs(2000),
    expiresAtMs: unixMs(20_000),
    reply: new Uint8Array([4]),
    paid: false,
  };
}

/** A payment to a session. */
export function receive(s: number, amount: bigint): Transfer {
  return {
    id: hex(s, 32),
    kind: 'posted',
    debit: 'received',
    credit: sessionAccount(hex(s, 16)),
    amountMsat: msat(amount),
    reason: 'receive',
    atMs: unixMs(5),
  };
}

/** A refund of a session that is set aside. */
export function refund(id: string, s: number, amount: bigint): Transfer {
  return {
    ...receive(s, amount),
    id,
    kind: 'pending',
    debit: sessionAccount(hex(s, 16)),
    credit: 'refunded',
    reason: 'refund',
  };
}

/** An entry of a call. */
export function entry(n: bigint, change: Partial<CallEntry> = {}): CallEntry {
  const amountMsat: Msat = msat(100);
  return {
    n,
    digest: hex(9, 16),
    kind: 'charged',
    effect: 'none',
    amountMsat,
    reruns: 0,
    ...change,
  };
}

/** The calls of a session, of which `charged` were charged at 100 each. */
export function calls(charged: number, ...entries: readonly CallEntry[]): CallsImage {
  return { ...NO_CALLS, chargedMsat: msat(100 * charged), chargedCalls: charged, entries };
}

/** A check for `assert.rejects`: a Fault with this code. */
export function faultCode(code: string): (error: unknown) => boolean {
  return (error) => isFault(error) && error.code === code;
}
