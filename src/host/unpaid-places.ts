/**
 * Who holds how many unpaid set-ups: nobody takes all places alone, neither from one address nor
 * with one key.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import type { Msat } from '../base/money/index.ts';
import type { UnixMs } from '../base/time/index.ts';
import { LIABILITY_SHARES, type HostLimits } from './limits.ts';

/** Who asks for an invoice. */
export interface Asker {
  readonly address: string;
  /** The fingerprint of the payer's key. */
  readonly payer: string;
}

/** An unpaid invoice: who holds it, over how much, and when it runs out. */
interface Held {
  readonly holders: readonly string[];
  readonly totalMsat: Msat;
  readonly endMs: UnixMs;
}

/** The places. What is in them is bounded by `unpaidSessions`. */
export class UnpaidPlaces {
  readonly #limits: HostLimits;
  /** Set-ups under way, by address and by payer. */
  readonly #running = new Map<string, number>();
  /** Unpaid invoices, by payment hash. */
  readonly #held = new Map<string, Held>();

  constructor(limits: HostLimits) {
    this.#limits = limits;
  }

  /**
   * A place for a set-up that begins; call the result when it has ended.
   * @param allUnpaid unpaid sessions of everybody, set-ups under way included
   * @throws Fault `SETUP_BUSY` when too many invoices are open
   */
  begin({ address, payer }: Asker, allUnpaid: number, now: UnixMs): () => void {
    const { unpaidSessions, unpaidPerAddress, unpaidPerPayer } = this.#limits;
    for (const [hash, { endMs }] of this.#held) if (endMs <= now) this.#held.delete(hash);
    const holders = holdersOf({ address, payer });
    const [ofAddress = 0, ofPayer = 0] = holders.map((holder) => this.#count(holder));
    if (allUnpaid >= unpaidSessions || ofAddress >= unpaidPerAddress || ofPayer >= unpaidPerPayer) {
      throw new Fault('SETUP_BUSY');
    }
    for (const holder of holders) this.#running.set(holder, (this.#running.get(holder) ?? 0) + 1);
    return () => {
      for (const holder of holders) {
        const left = (this.#running.get(holder) ?? 1) - 1;
        if (left === 0) this.#running.delete(holder);
        else this.#running.set(holder, left);
      }
    };
  }

  /**
   * Unpaid orders count towards what a host wants to owe at most: beyond its first one an address
   * has a share of that, so that nobody keeps others from buying for nothing.
   * @throws Fault `SETUP_BUSY`
   */
  assertShare({ address }: Asker, totalMsat: Msat, maxLiabilityMsat: Msat): void {
    const [holder = ''] = holdersOf({ address, payer: '' });
    let heldMsat = 0n;
    for (const one of this.#held.values()) {
      if (one.holders.includes(holder)) heldMsat += one.totalMsat;
    }
    if (heldMsat > 0n && (heldMsat + totalMsat) * LIABILITY_SHARES > maxLiabilityMsat) {
      throw new Fault('SETUP_BUSY');
    }
  }

  /** An invoice went out: it holds its place until it is paid or runs out. */
  take(asker: Asker, invoice: Omit<Held, 'holders'> & { readonly paymentHash: string }): void {
    const { paymentHash, totalMsat, endMs } = invoice;
    this.#held.set(paymentHash, { holders: holdersOf(asker), totalMsat, endMs });
  }

  /** An invoice was paid: its place is free again. */
  paid(paymentHash: string): void {
    this.#held.delete(paymentHash);
  }

  #count(holder: string): number {
    let count = this.#running.get(holder) ?? 0;
    for (const { holders } of this.#held.values()) if (holders.includes(holder)) count++;
    return count;
  }
}

function holdersOf({ address, payer }: Asker): readonly string[] {
  return [`address ${address}`, `payer ${payer}`];
}
