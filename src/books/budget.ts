/**
 * The budget for work that nobody pays for: runs that were released or made again. Two leaky
 * buckets per payer, in memory: failing on purpose is not free work.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import { BUDGET_WINDOW_MS, MAX_BUDGETS, type BooksLimits } from './limits.ts';

interface Bucket {
  readonly runs: number;
  readonly workMs: number;
  readonly atMs: number;
}

/** The budgets of all payers. Times are monotonic. */
export class WorkBudget {
  readonly #limits: BooksLimits;
  /** The one used least recently is the first. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: BooksLimits) {
    this.#limits = limits;
  }

  /** Refuses new work of a payer whose budget is used up. @throws Fault `CALL_BUDGET` */
  check(payer: string, nowMs: number): void {
    if (!this.#buckets.has(payer)) return;
    const { runs, workMs } = this.#now(payer, nowMs);
    if (runs < this.#limits.budgetRuns && workMs < this.#limits.budgetWorkMs) return;
    throw new Fault('CALL_BUDGET', { runs: Math.round(runs), workMs: Math.round(workMs) });
  }

  /** A run of that length was not paid for. */
  spend(payer: string, workMs: number, nowMs: number): void {
    const before = this.#now(payer, nowMs);
    this.#buckets.delete(payer);
    const { budgetRuns, budgetWorkMs } = this.#limits;
    // Twice the budget at most: after one window there is some again.
    const after = {
      runs: Math.min(before.runs + 1, 2 * budgetRuns),
      workMs: Math.min(before.workMs + workMs, 2 * budgetWorkMs),
      atMs: nowMs,
    };
    this.#buckets.set(payer, after);
    if (this.#buckets.size <= MAX_BUDGETS) return;
    for (const [oldest] of this.#buckets) return void this.#buckets.delete(oldest);
  }

  /** What has not drained yet. */
  #now(payer: string, nowMs: number): Bucket {
    const { runs, workMs, atMs } = this.#buckets.get(payer) ?? { runs: 0, workMs: 0, atMs: nowMs };
    const drained = Math.max(0, nowMs - atMs) / BUDGET_WINDOW_MS;
    return {
      runs: Math.max(0, runs - drained * this.#limits.budgetRuns),
      workMs: Math.max(0, workMs - drained * this.#limits.budgetWorkMs),
      atMs: nowMs,
    };
  }
}
