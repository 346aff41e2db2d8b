/**
 * The agenda of a simulation: what happens when. A binary heap; ties keep the order of entry.
 * @module
 */

/** Something that will happen. */
export interface Entry {
  readonly atMs: number;
  /** Who it belongs to, for the trace. */
  readonly owner: string;
  /** Undefined once it is cancelled: it stays in the heap and is passed over. */
  fire: (() => void) | undefined;
}

interface Node {
  readonly order: number;
  readonly entry: Entry;
}

/** What happens when, earliest first. */
export class Agenda {
  readonly #heap: Node[] = [];
  #entered = 0;

  /** Enters something; the result cancels it. */
  add(entry: Entry): () => void {
    this.#heap.push({ order: this.#entered++, entry });
    this.#raise(this.#heap.length - 1);
    return () => {
      entry.fire = undefined;
    };
  }

  /** Takes the next thing out; undefined when nothing is left. */
  next(): Entry | undefined {
    for (;;) {
      const top = this.#heap[0];
      const last = this.#heap.pop();
      if (top === undefined || last === undefined) return undefined;
      if (this.#heap.length > 0) {
        this.#heap[0] = last;
        this.#sink();
      }
      if (top.entry.fire !== undefined) return top.entry;
    }
  }

  #raise(start: number): void {
    for (let at = start; at > 0;) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfLater(parent, at)) return;
      at = parent;
    }
  }

  #sink(): void {
    for (let at = 0; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const child = right < this.#heap.length && this.#isLater(left, right) ? right : left;
      if (child >= this.#heap.length || !this.#swapIfLater(at, child)) return;
      at = child;
    }
  }

  #isLater(a: number, b: number): boolean {
    const [first, second] = [this.#heap[a]!, this.#heap[b]!];
    const gapMs = first.entry.atMs - second.entry.atMs;
    return gapMs === 0 ? first.order > second.order : gapMs > 0;
  }

  #swapIfLater(a: number, b: number): boolean {
    if (!this.#isLater(a, b)) return false;
    [this.#heap[a], this.#heap[b]] = [this.#heap[b]!, this.#heap[a]!];
    return true;
  }
}
