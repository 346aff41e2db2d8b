/**
 * What lanes remember of their calls: one pool for all lanes, in typed arrays. The entries of a
 * lane are a list, seldom longer than what it has in flight.
 * @module
 */

/** What became of a number. */
export const EntryKind = {
  /** Its handler runs. */
  running: 1,
  /** What its mark says is not durable yet: nobody is told. */
  waiting: 2,
  /** What its mark says is durable: charged, as a rule. */
  charged: 3,
  /** Not charged, and dead: what the payer was told had failed does not run later. */
  failed: 4,
  /** Charged, and run again because its answer is gone; or its stored answer is read. */
  rerunning: 5,
} as const;

/** No entry. */
export const NONE = -1;

const DIGEST_WORDS = 4;
/** What an answer takes besides its bytes. */
const ANSWER_OVERHEAD_BYTES = 128;

/** The pool. */
export class LaneEntries {
  next = new Int32Array(0);
  n = new Uint32Array(0);
  units = new Uint32Array(0);
  kind = new Uint8Array(0);
  /** What images say of it, once it is in them: one of `EntryMark`. */
  mark = new Uint8Array(0);
  /** Times that a lost answer was made again. */
  reruns = new Uint8Array(0);
  digests = new Uint32Array(0);
  readonly #answers: (Uint8Array | undefined)[] = [];
  /** Entries whose answers are kept, oldest first. */
  readonly #kept = new Set<number>();
  readonly #maxBytes: number;
  #bytes = 0;
  #free = NONE;

  /** @param maxBytes of answers that are kept for repeats; beyond it the oldest go */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The answer of a charged call, as long as it is kept. */
  answer(entry: number): Uint8Array | undefined {
    return this.#answers[entry];
  }

  /** Keeps an answer for repeats. */
  keep(entry: number, answer: Uint8Array): void {
    this.#forget(entry);
    this.#answers[entry] = answer;
    this.#kept.add(entry);
    this.#bytes += answer.length + ANSWER_OVERHEAD_BYTES;
    while (this.#bytes > this.#maxBytes) {
      const [oldest] = this.#kept;
      if (oldest === undefined) return;
      this.#forget(oldest);
    }
  }

  /** Takes a place; its fields are the caller's to set. */
  take(): number {
    if (this.#free === NONE) this.#grow();
    const entry = this.#free;
    this.#free = this.next[entry] ?? NONE;
    this.reruns[entry] = 0;
    return entry;
  }

  /** Gives a place back. */
  free(entry: number): void {
    this.#forget(entry);
    this.kind[entry] = 0;
    this.next[entry] = this.#free;
    this.#free = entry;
  }

  /** Whether it was made for the same request. @param digest 16 bytes as four words */
  isFor(entry: number, digest: Uint32Array): boolean {
    const at = entry * DIGEST_WORDS;
    const { digests } = this;
    return (
      digests[at] === digest[0] &&
      digests[at + 1] === digest[1] &&
      digests[at + 2] === digest[2] &&
      digests[at + 3] === digest[3]
    );
  }

  /** Sets the digest, four words. */
  setDigest(entry: number, digest: Uint32Array): void {
    this.digests.set(digest, entry * DIGEST_WORDS);
  }

  #forget(entry: number): void {
    const answer = this.#answers[entry];
    if (answer === undefined) return;
    this.#answers[entry] = undefined;
    this.#kept.delete(entry);
    this.#bytes -= answer.length + ANSWER_OVERHEAD_BYTES;
  }

  #grow(): void {
    const old = this.n.length;
    const size = Math.max(256, old * 2);
    this.next = grown(this.next, new Int32Array(size));
    this.n = grown(this.n, new Uint32Array(size));
    this.units = grown(this.units, new Uint32Array(size));
    this.kind = grown(this.kind, new Uint8Array(size));
    this.mark = grown(this.mark, new Uint8Array(size));
    this.reruns = grown(this.reruns, new Uint8Array(size));
    this.digests = grown(this.digests, new Uint32Array(size * DIGEST_WORDS));
    for (let entry = size - 1; entry >= old; entry--) this.free(entry);
  }
}

/** A larger array with the content of a smaller one. */
export function grown<T extends { set(from: T): void }>(from: T, into: T): T {
  into.set(from);
  return into;
}
