/**
 * Payments between two wallets that may be killed at any moment: each worker asks until the
 * outcome of its payment is certain, whatever happens to the processes meanwhile.
 * @module
 */
import assert from 'node:assert/strict';
import { toHex } from '../../src/base/bytes/index.ts';
import { isFault } from '../../src/base/fault/index.ts';
import { sha256 } from '../../src/base/hash/index.ts';
import { msat, type Msat } from '../../src/base/money/index.ts';
import type { Random } from '../../src/base/random/index.ts';
import { systemClock } from '../../src/base/time/index.ts';
import type { PayFailure } from '../../src/port/wallet/index.ts';
import type { LdkWallet } from '../../src/port/wallet/ldk/index.ts';

const EXPIRY_SECONDS = 3600;
const PAY_MS = 2_000;
const HOLDER_MS = 40;
/** After a payment failed since the peer was away. */
const AGAIN_MS = 100;
/** A payment that cannot be made for this long is a failure of the test. */
const PATIENCE_MS = 20_000;

/** A payment whose outcome is certain. */
export interface Outcome {
  readonly payer: LdkWallet;
  readonly payee: LdkWallet;
  readonly paymentHash: string;
  readonly amountMsat: Msat;
  readonly state: 'paid' | 'cancelled';
  readonly reason: PayFailure | undefined;
}

/** Payments that go on until they are told to stop. */
export interface Traffic {
  readonly outcomes: readonly Outcome[];
  /** Payments that were begun and are not certain yet. */
  underway(): number;
  /** Begins no more; resolves once every outcome is certain. */
  finish(): Promise<void>;
}

interface Job {
  readonly payer: LdkWallet;
  readonly payee: LdkWallet;
  readonly amountMsat: Msat;
  readonly secret: Uint8Array;
  readonly hold: boolean;
}

/** Starts as many workers as there are jobs to make; `next` makes the job of a worker. */
export function startTraffic(
  random: Random,
  options: {
    readonly wallets: readonly [LdkWallet, LdkWallet];
    readonly workers: number;
    readonly amounts: readonly Msat[];
  },
): Traffic {
  const outcomes: Outcome[] = [];
  let underway = 0;
  let stopping = false;
  const [left, right] = options.wallets;
  const next = (worker: number): Job => {
    const forward = worker % 2 === 0;
    const amountMsat = options.amounts[random.below(options.amounts.length)] ?? msat(1_000);
    return {
      payer: forward ? left : right,
      payee: forward ? right : left,
      amountMsat,
      secret: random.bytes(32),
      hold: random.below(3) === 0,
    };
  };
  const work = async (worker: number): Promise<void> => {
    while (!stopping) {
      underway++;
      outcomes.push(await carryOut(next(worker)));
      underway--;
    }
  };
  const holders = options.wallets.map((wallet) =>
    holdLoop(wallet, () => stopping && underway === 0),
  );
  const all = Promise.all([
    ...Array.from({ length: options.workers }, (_, worker) => work(worker)),
    ...holders,
  ]);
  all.catch(() => undefined);
  return {
    outcomes,
    underway: () => underway,
    finish: async () => {
      stopping = true;
      await all;
    },
  };
}

async function carryOut(job: Job): Promise<Outcome> {
  const { payer, payee, amountMsat, hold } = job;
  const { invoice, paymentHash } = hold ? await holdInvoice(job) : await plainInvoice(job);
  const deadlineMs = systemClock.monotonicMs() + PATIENCE_MS;
  let reason: PayFailure | undefined;
  for (;;) {
    const request = { invoice, maxFeeMsat: msat(0), timeoutMs: PAY_MS };
    const outgoing = await untilRunning(() => payer.pay(request));
    const overMs = systemClock.monotonicMs() - deadlineMs;
    const late = overMs > 0;
    if (outgoing.state === 'pending') {
      assert.ok(
        overMs < 100_000,
        `${paymentHash} of ${amountMsat} msat does not become certain: ${reason}`,
      );
      continue;
    }
    const facts = { payer, payee, paymentHash, amountMsat };
    if (outgoing.state === 'paid') return { ...facts, state: 'paid', reason: undefined };
    reason = outgoing.reason;
    // The other direction has to pay first, and may not: the payee does not wait for it, nor for a
    // payment that keeps failing. Each failure is certain.
    if (reason === 'PAYMENT_LIQUIDITY' || late) await untilRunning(() => payee.cancel(paymentHash));
    const incoming = await untilRunning(() => payee.incoming(paymentHash));
    if (incoming?.state === 'cancelled') return { ...facts, state: 'cancelled', reason };
    // It failed for certain, since the peer was away: asking again starts again.
    await systemClock.sleep(AGAIN_MS);
  }
}

async function plainInvoice({ payee, amountMsat }: Job): Promise<Made> {
  const request = { amountMsat, description: '', expirySeconds: EXPIRY_SECONDS };
  return await untilRunning(() => payee.createInvoice(request));
}

type Made = { readonly invoice: string; readonly paymentHash: string };

/** The holder finds the preimage of a hash in `secrets`, as somebody who learnt it would. */
const secrets = new Map<string, Uint8Array>();

async function holdInvoice({ payee, amountMsat, secret }: Job): Promise<Made> {
  // A crash may have cut the answer, not the invoice: each attempt takes a hash of its own.
  for (let attempt = 0; ; attempt++) {
    const preimage = sha256(Uint8Array.of(...secret, attempt));
    const paymentHash = toHex(sha256(preimage));
    secrets.set(paymentHash, preimage);
    const common = { description: 'hold', expirySeconds: EXPIRY_SECONDS };
    const request = { ...common, amountMsat, paymentHash };
    const made = await payee.createInvoice(request).catch(onlyStopped);
    if (made) return made;
  }
}

/** Settles three of four held payments and cancels the others; the hash says which. */
async function holdLoop(wallet: LdkWallet, done: () => boolean): Promise<void> {
  while (!done()) {
    for (const { paymentHash } of await untilRunning(() => wallet.heldAfter(0n, 100))) {
      const preimage = toHex(secrets.get(paymentHash) ?? new Uint8Array(0));
      const settled = !isCancelled(paymentHash);
      await (settled ? wallet.settle(preimage) : wallet.cancel(paymentHash)).catch(onlyStopped);
    }
    await systemClock.sleep(HOLDER_MS);
  }
}

/** What the holder does with a held payment. */
function isCancelled(paymentHash: string): boolean {
  return Number.parseInt(paymentHash.slice(-1), 16) % 4 === 0;
}

/** Asks again while the process is down: nothing else is forgiven. */
async function untilRunning<T>(ask: () => Promise<T>): Promise<T> {
  const deadlineMs = systemClock.monotonicMs() + PATIENCE_MS;
  for (;;) {
    assert.ok(systemClock.monotonicMs() < deadlineMs, 'a wallet does not run again');
    const answer = await ask().then((value) => ({ value }), onlyStopped);
    if (answer) return answer.value;
    await systemClock.sleep(1);
  }
}

function onlyStopped(error: unknown): undefined {
  if (isFault(error) && error.code === 'WALLET_STOPPED') return undefined;
  throw error;
}
