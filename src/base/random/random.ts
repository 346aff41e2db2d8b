/**
 * Randomness comes in as an argument. This is the only place that makes any.
 * @module
 */
import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import type { Bytes } from '../bytes/index.ts';

/** A source of random bytes; the simulator has its own. */
export interface Random {
  /** `length` bytes. */
  bytes(length: number): Bytes;
  /** A whole number from 0 to `bound - 1`; the bound is 1 to 2^32. */
  below(bound: number): number;
}

/** The operating system's generator: for everything secret. */
export const systemRandom: Random = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
  below: (bound) => {
    assertBound(bound);
    // 48 random bits: the bias is below bound / 2^48.
    const word = new DataView(systemRandom.bytes(8).buffer).getBigUint64(0) >> 16n;
    return Number(word % BigInt(bound));
  },
};

/** A generator for simulations and tests: one seed, one sequence. Never for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    // SplitMix32: a Weyl sequence through a bit mixer.
    state = (state + 0x9e3779b9) >>> 0;
    let word = state;
    word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    return (word ^ (word >>> 16)) >>> 0;
  };
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
    below: (bound) => {
      assertBound(bound);
      return next() % bound;
    },
  };
}

function assertBound(bound: number): void {
  assert(Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 32, 'bound of a random number');
}
