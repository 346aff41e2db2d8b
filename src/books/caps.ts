/**
 * The caps on what is prepaid: how much a host owes to one payer, and to all.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import { ZERO_MSAT, type Msat } from '../base/money/index.ts';
import type { UnixMs } from '../base/time/index.ts';
import type { Room } from './books.ts';
import type { BooksLimits } from './limits.ts';
import type { Order, UnpaidSessions } from './unpaid.ts';

/** What the caps are held against. */
export interface CapContext {
  readonly unpaid: UnpaidSessions;
  readonly limits: BooksLimits;
  /** What the sessions of a payer hold. */
  readonly prepaidMsat: (payer: string) => Promise<Msat>;
  /** What all sessions hold. */
  readonly owedMsat: () => bigint;
  readonly now: () => UnixMs;
}

/** Room for an order, if no cap is in its way. @throws Fault `SETUP_PREPAID`, `SETUP_LIABILITY` */
export async function findRoom(order: Order, context: CapContext): Promise<Room> {
  const { unpaid, limits, now } = context;
  const { payer, totalMsat } = order;
  const leave = unpaid.order(order);
  try {
    // What is unpaid is counted before what is paid: what changes sides meanwhile counts twice.
    const openMsat = unpaid.totalMsat(now(), payer);
    const prepaidMsat = openMsat + (await context.prepaidMsat(payer));
    const owedMsat = context.owedMsat() + unpaid.totalMsat(now());
    if (totalMsat === ZERO_MSAT) return { leave };
    if (prepaidMsat > limits.maxPrepaidMsat) {
      const facts = {
        prepaidMsat: `${prepaidMsat - totalMsat}`,
        capMsat: `${limits.maxPrepaidMsat}`,
      };
      throw new Fault('SETUP_PREPAID', facts);
    }
    if (owedMsat > limits.maxLiabilityMsat) throw new Fault('SETUP_LIABILITY');
    return { leave };
  } catch (error) {
    leave();
    throw error;
  }
}
