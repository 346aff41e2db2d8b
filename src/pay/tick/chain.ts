/**
 * The payer's side of a lane: a chain of secrets, each the SHA-256 of the next, revealed from its
 * start.
 *
 * x(i - 1) = SHA256(x(i)); x(0) is the anchor, which the host knows; x(n) is random. Keeping every
 * √n-th secret, and the secrets up to the next one kept, makes each next secret cost about one hash
 * in √n memory (PayWord: Rivest and Shamir, 1996).
 * @module
 */
import { sha256 } from '../../base/hash/index.ts';
import { bytes32 } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import { HASHES_PER_TURN, MAX_LANE_TICKS } from './limits.ts';

const SECRET_BYTES = 32;

/** A lane's secrets, complete. */
export interface Chain {
  /** How many ticks it has: x(1) to x(length). */
  readonly length: number;
  /** x(0), 32 bytes. */
  readonly anchor: Uint8Array;
  /** Every `spacing`-th secret, x(spacing), x(2 spacing), ..., and x(length) last. */
  readonly marks: Uint8Array;
  readonly spacing: number;
}

/** A chain on its way from its last secret to its anchor. */
export interface ChainWork {
  readonly length: number;
  readonly spacing: number;
  readonly marks: Uint8Array;
  /** x(at) is `secret`; done when `at` is 0. */
  at: number;
  secret: Uint8Array;
}

/**
 * Begins a chain. `last` is x(length): 32 random bytes, the only secret that has to be kept.
 * @throws Fault `LANE_LENGTH` unless length is 1 to 1e8
 */
export function beginChain(last: Uint8Array, length: number): ChainWork {
  if (!Number.isInteger(length) || length < 1 || length > MAX_LANE_TICKS) {
    throw new Fault('LANE_LENGTH', { max: MAX_LANE_TICKS });
  }
  const spacing = Math.ceil(Math.sqrt(length));
  const marks = new Uint8Array(Math.ceil(length / spacing) * SECRET_BYTES);
  return { length, spacing, marks, at: length, secret: bytes32(last, 'last secret').slice() };
}

/**
 * Hashes on, at most `hashes` times. The result is the chain once it is complete; between two calls
 * others can run.
 */
export function stepChain(work: ChainWork, hashes: number = HASHES_PER_TURN): Chain | undefined {
  const { length, spacing, marks } = work;
  for (let i = 0; i < hashes && work.at > 0; i++) {
    if (work.at === length || work.at % spacing === 0) {
      marks.set(work.secret, (Math.ceil(work.at / spacing) - 1) * SECRET_BYTES);
    }
    work.secret = sha256(work.secret);
    work.at -= 1;
  }
  return work.at > 0 ? undefined : { length, spacing, marks, anchor: work.secret };
}

/** A whole chain at once, for short ones. */
export function makeChain(last: Uint8Array, length: number): Chain {
  const work = beginChain(last, length);
  return stepChain(work, length) ?? unreachable();
}

/** Gives a chain's secrets, cheapest in rising order. */
export class ChainReader {
  readonly #chain: Chain;
  /** The secrets of one stretch between two marks, in rising order. */
  readonly #stretch: Uint8Array;
  /** The stretch's number; -1 while there is none. */
  #held = -1;

  constructor(chain: Chain) {
    this.#chain = chain;
    this.#stretch = new Uint8Array(chain.spacing * SECRET_BYTES);
  }

  /** x(index), for 1 to length; 32 bytes. @throws Fault `TICK_INDEX` */
  secret(index: number): Uint8Array {
    const { length, spacing } = this.#chain;
    if (!Number.isInteger(index) || index < 1 || index > length) throw new Fault('TICK_INDEX');
    const stretch = Math.ceil(index / spacing) - 1;
    if (stretch !== this.#held) this.#fill(stretch);
    const at = (index - stretch * spacing - 1) * SECRET_BYTES;
    return this.#stretch.slice(at, at + SECRET_BYTES);
  }

  #fill(stretch: number): void {
    const { length, spacing, marks } = this.#chain;
    let secret: Uint8Array = marks.slice(stretch * SECRET_BYTES, (stretch + 1) * SECRET_BYTES);
    const first = stretch * spacing + 1;
    const last = Math.min(first + spacing - 1, length);
    for (let index = last; index >= first; index--) {
      this.#stretch.set(secret, (index - first) * SECRET_BYTES);
      if (index > first) secret = sha256(secret);
    }
    this.#held = stretch;
  }
}

function unreachable(): never {
  throw new Error('invariant: a chain is complete after its length in hashes');
}
