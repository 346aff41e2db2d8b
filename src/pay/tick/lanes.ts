/**
 * Lanes that are in use, on the host's side: flat arrays, so that a hundred thousand lanes are a
 * few megabytes and a call makes no garbage.
 *
 * A tick is value, never authority: credit is the highest index accepted less what was spent, so
 * ticks may arrive in any order, and the tick of a call that failed pays the next one. Who may
 * spend is decided by the call's authenticator (`codes.ts`), never by knowing a tick. A number
 * means one request, is charged at most once, and is forgotten when the payer has declared it
 * resolved.
 * @module
 */
import { fromHex, toHex } from '../../base/bytes/index.ts';
import { isSha256Of, sha256 } from '../../base/hash/index.ts';
import { EntryKind, LaneEntries, NONE, grown } from './entries.ts';
import { EntryMark, IMAGE_ENTRY_BYTES, IMAGE_HEAD_BYTES, entryWord, readEntry } from './image.ts';
import type { LaneCall, LaneCallRefusal, LaneJudgement, TickRefusal } from './lane-call.ts';
import { LANE_WINDOW, MAX_LANE_RUNNING, MAX_RERUNS, MAX_STEPS } from './limits.ts';
import type { LaneRow } from './terms.ts';

const ID_BYTES = 16;
const TIP_BYTES = 32;

/** The table. A slot stands for a lane as long as it is here. */
export class LaneTable {
  readonly entries: LaneEntries;
  /** How many lanes are here. */
  count = 0;
  #ids = new Uint8Array(0);
  #tips = new Uint8Array(0);
  #index = new Uint32Array(0);
  #spent = new Uint32Array(0);
  #reserved = new Uint32Array(0);
  #length = new Uint32Array(0);
  #done = new Uint32Array(0);
  #epoch = new Uint32Array(0);
  #version = new Uint32Array(0);
  #first = new Int32Array(0);
  #running = new Uint8Array(0);
  readonly #free: number[] = [];
  /** Open addressing: slot + 1, 0 empty, -1 left. */
  #places = new Int32Array(1024);
  #left = 0;

  /** @param answerBytes of answers that are kept for repeats; beyond it the oldest go */
  constructor(answerBytes: number) {
    this.entries = new LaneEntries(answerBytes);
  }

  /** Where a lane is; -1 when it is not here. @param id its 16 bytes, from `at` on */
  slotOf(id: Uint8Array, at = 0): number {
    const mask = this.#places.length - 1;
    for (let place = hashOf(id, at) & mask; ; place = (place + 1) & mask) {
      const found = this.#places[place] ?? 0;
      if (found === 0) return -1;
      if (found > 0 && this.#isAt(found - 1, id, at)) return found - 1;
    }
  }

  /** Brings a lane in; it must not be here. Gives its slot. */
  add(row: LaneRow): number {
    if ((this.count + this.#left + 1) * 2 > this.#places.length) this.#rehash();
    const slot = this.#free.pop() ?? this.#grow();
    const id = fromHex(row.terms.lane, 'lane');
    this.#ids.set(id, slot * ID_BYTES);
    this.#tips.set(row.tip, slot * TIP_BYTES);
    this.#index[slot] = row.index;
    this.#spent[slot] = row.spent;
    this.#reserved[slot] = 0;
    this.#length[slot] = row.terms.length;
    this.#done[slot] = row.done;
    this.#epoch[slot] = row.epoch;
    this.#version[slot] = row.version;
    this.#first[slot] = NONE;
    this.#running[slot] = 0;
    this.#readEntries(slot, row.entries);
    this.#place(slot);
    this.count++;
    return slot;
  }

  /** Lets a lane go. Nothing of it may be under way. */
  remove(slot: number): void {
    if ((this.#running[slot] ?? 0) > 0) throw new Error('invariant: a lane in use stays');
    const mask = this.#places.length - 1;
    let place = hashOf(this.#ids, slot * ID_BYTES) & mask;
    while (this.#places[place] !== slot + 1) place = (place + 1) & mask;
    this.#places[place] = -1;
    this.#left++;
    for (let entry = this.#first[slot] ?? NONE; entry !== NONE;) {
      const next = this.entries.next[entry] ?? NONE;
      this.entries.free(entry);
      entry = next;
    }
    this.#free.push(slot);
    this.count--;
  }

  /** Under which epoch it was taken. */
  epoch(slot: number): number {
    return this.#epoch[slot] ?? 0;
  }

  /** The lane's id, hex. */
  id(slot: number): string {
    return toHex(this.#ids.subarray(slot * ID_BYTES, (slot + 1) * ID_BYTES));
  }

  /** Units that calls can still spend: revealed, not spent, not reserved. */
  credit(slot: number): number {
    return this.index(slot) - this.spent(slot) - (this.#reserved[slot] ?? 0);
  }

  /** Units that the lane still has, revealed or not. */
  unitsLeft(slot: number): number {
    return (this.#length[slot] ?? 0) - this.spent(slot) - (this.#reserved[slot] ?? 0);
  }

  /** The index of the highest tick accepted. */
  index(slot: number): number {
    return this.#index[slot] ?? 0;
  }

  /** More ticks of the lane are money; false when they are not more. */
  lengthen(slot: number, length: number): boolean {
    if (length <= (this.#length[slot] ?? 0)) return false;
    this.#length[slot] = length;
    return true;
  }

  /** Units charged, ever. */
  spent(slot: number): number {
    return this.#spent[slot] ?? 0;
  }

  /** Calls under way, or waiting for their commit. */
  running(slot: number): number {
    return this.#running[slot] ?? 0;
  }

  /** The payer's lowest number that is not resolved yet. */
  done(slot: number): number {
    return this.#done[slot] ?? 0;
  }

  /** The highest tick accepted, 32 bytes. */
  tip(slot: number): Uint8Array {
    return this.#tips.slice(slot * TIP_BYTES, (slot + 1) * TIP_BYTES);
  }

  /**
   * Accepts a tick. One that is not above the highest adds nothing and costs no hash: its value was
   * in the higher one, so it is not looked at. Gives why it is refused, or undefined.
   * @param secret 32 bytes
   */
  accept(slot: number, index: number, secret: Uint8Array): TickRefusal | undefined {
    const steps = index - this.index(slot);
    if (steps <= 0) return undefined;
    if (index > (this.#length[slot] ?? 0)) return 'TICK_INDEX';
    if (steps > MAX_STEPS) return 'TICK_STEPS';
    let link = secret;
    for (let i = 1; i < steps; i++) link = sha256(link);
    if (!isSha256Of(this.#tips, slot * TIP_BYTES, link)) return 'TICK_INVALID';
    this.#tips.set(secret, slot * TIP_BYTES);
    this.#index[slot] = index;
    return undefined;
  }

  /** Judges a call, after its tick; reserves what it costs when it runs. */
  judge(slot: number, call: LaneCall): LaneJudgement {
    this.#resolve(slot, call.done);
    const done = this.done(slot);
    if (call.n < done) return refused('CALL_FORGOTTEN');
    if (call.n >= done + LANE_WINDOW) return refused('CALL_WINDOW');
    const entry = this.#find(slot, call.n);
    return entry === NONE ? this.#new(slot, call) : this.#known(slot, entry, call);
  }

  /** The handler returned: what was reserved is spent, perhaps less. It waits for its commit. */
  charge(slot: number, entry: number, units: number): void {
    const { entries } = this;
    const reserved = entries.units[entry] ?? 0;
    if (entries.kind[entry] !== EntryKind.running || units > reserved) {
      throw new Error('invariant: a running call is charged, at most what was reserved');
    }
    this.#reserved[slot] = (this.#reserved[slot] ?? 0) - reserved;
    this.#spent[slot] = this.spent(slot) + units;
    entries.units[entry] = units;
    entries.kind[entry] = EntryKind.waiting;
    if (entries.mark[entry] === EntryMark.started) entries.mark[entry] = EntryMark.answered;
  }

  /**
   * A call with effect once is not charged: it failed, or nobody knows. Its units are credit again;
   * it waits for its commit, for images have it as started.
   */
  end(slot: number, entry: number, mark: typeof EntryMark.failed | typeof EntryMark.unknown): void {
    const { entries } = this;
    if (entries.kind[entry] !== EntryKind.running) throw new Error('invariant: a call ends once');
    this.#reserved[slot] = (this.#reserved[slot] ?? 0) - (entries.units[entry] ?? 0);
    entries.units[entry] = 0;
    entries.kind[entry] = EntryKind.waiting;
    entries.mark[entry] = mark;
  }

  /** How it ended is durable, unless another owner has the lane. */
  ended(slot: number, entry: number): void {
    this.entries.kind[entry] = EntryKind.charged;
    this.#leave(slot);
    if ((this.entries.n[entry] ?? 0) < this.done(slot)) this.#drop(slot, entry);
  }

  /** Whether it is of a service with effect once. */
  isOnce(entry: number): boolean {
    return this.entries.mark[entry] !== EntryMark.charged;
  }

  /** Calls that an earlier owner had started, in a lane that was just brought in. */
  cut(slot: number): readonly number[] {
    const found: number[] = [];
    for (let entry = this.#first[slot] ?? NONE; entry !== NONE;) {
      if (this.entries.kind[entry] === EntryKind.running) found.push(entry);
      entry = this.entries.next[entry] ?? NONE;
    }
    return found;
  }

  /** The charge is durable: the answer may leave and is kept for repeats, unless resolved. */
  charged(slot: number, entry: number, answer: Uint8Array): void {
    this.entries.kind[entry] = EntryKind.charged;
    this.#leave(slot);
    if ((this.entries.n[entry] ?? 0) < this.done(slot)) this.#drop(slot, entry);
    else this.entries.keep(entry, answer);
  }

  /**
   * The handler failed: its units are credit again, and its number is dead. With `trace` false
   * nothing remains: the call was cut by us, and the payer sends it again.
   */
  release(slot: number, entry: number, trace: boolean): void {
    const { entries } = this;
    this.#reserved[slot] = (this.#reserved[slot] ?? 0) - (entries.units[entry] ?? 0);
    entries.kind[entry] = EntryKind.failed;
    entries.units[entry] = 0;
    this.#leave(slot);
    const resolved = (entries.n[entry] ?? 0) < this.done(slot);
    if (resolved || !trace) this.#drop(slot, entry);
  }

  /** A rerun has ended; with an answer there will be no other. */
  reran(slot: number, entry: number, answer: Uint8Array | undefined): void {
    if (answer !== undefined) this.entries.reruns[entry] = MAX_RERUNS;
    this.entries.kind[entry] = EntryKind.charged;
    this.#leave(slot);
    if ((this.entries.n[entry] ?? 0) < this.done(slot)) this.#drop(slot, entry);
    else if (answer !== undefined) this.entries.keep(entry, answer);
  }

  /** Numbers that its image has: of calls that can be asked for again, or that were started. */
  numbers(slot: number): number {
    let count = 0;
    for (let entry = this.#first[slot] ?? NONE; entry !== NONE;) {
      if (this.#isStored(slot, entry)) count++;
      entry = this.entries.next[entry] ?? NONE;
    }
    return count;
  }

  /** Bytes that the lane's image takes now. */
  imageBytes(slot: number): number {
    return IMAGE_HEAD_BYTES + this.numbers(slot) * IMAGE_ENTRY_BYTES;
  }

  /** Writes the image of a lane as it is now; gives where it ends. */
  writeImage(slot: number, view: DataView, bytes: Uint8Array, at: number): number {
    bytes.set(this.#ids.subarray(slot * ID_BYTES, (slot + 1) * ID_BYTES), at);
    view.setUint32(at + 16, this.#epoch[slot] ?? 0, true);
    view.setUint32(at + 20, this.#version[slot] ?? 0, true);
    view.setUint32(at + 24, this.index(slot), true);
    view.setUint32(at + 28, this.spent(slot), true);
    view.setUint32(at + 32, this.done(slot), true);
    bytes.set(this.#tips.subarray(slot * TIP_BYTES, (slot + 1) * TIP_BYTES), at + 40);
    const { entries } = this;
    let end = at + IMAGE_HEAD_BYTES;
    for (let entry = this.#first[slot] ?? NONE; entry !== NONE;) {
      if (this.#isStored(slot, entry)) {
        view.setUint32(end, entries.n[entry] ?? 0, true);
        const word = entryWord(entries.units[entry] ?? 0, entries.mark[entry] ?? 0);
        view.setUint32(end + 4, word, true);
        for (let word = 0; word < 4; word++) {
          view.setUint32(end + 8 + 4 * word, entries.digests[4 * entry + word] ?? 0, true);
        }
        end += IMAGE_ENTRY_BYTES;
      }
      entry = entries.next[entry] ?? NONE;
    }
    view.setUint32(at + 36, (end - at - IMAGE_HEAD_BYTES) / IMAGE_ENTRY_BYTES, true);
    return end;
  }

  /** An image of it was written: the next one is made from that. */
  written(slot: number): void {
    this.#version[slot] = (this.#version[slot] ?? 0) + 1;
  }

  #new(slot: number, { n, units, digest, once }: LaneCall): LaneJudgement {
    if (units > this.unitsLeft(slot)) return refused('LANE_EXHAUSTED');
    if (units > this.credit(slot)) return refused('TICK_SHORT');
    if (this.running(slot) >= MAX_LANE_RUNNING) return refused('CALL_BUSY');
    const { entries } = this;
    const entry = entries.take();
    entries.n[entry] = n;
    entries.units[entry] = units;
    entries.kind[entry] = EntryKind.running;
    entries.mark[entry] = once === true ? EntryMark.started : EntryMark.charged;
    entries.setDigest(entry, digest);
    entries.next[entry] = this.#first[slot] ?? NONE;
    this.#first[slot] = entry;
    this.#reserved[slot] = (this.#reserved[slot] ?? 0) + units;
    this.#running[slot] = this.running(slot) + 1;
    return { kind: 'run', entry };
  }

  #known(slot: number, entry: number, call: LaneCall): LaneJudgement {
    const { entries } = this;
    if (!entries.isFor(entry, call.digest)) return refused('CALL_CONFLICT');
    const kind = entries.kind[entry];
    const mark = entries.mark[entry];
    if (kind === EntryKind.failed) return refused('CALL_FAILED');
    if (kind !== EntryKind.charged) return { kind: 'join', entry };
    if (mark === EntryMark.unknown) return refused('CALL_OUTCOME_UNKNOWN');
    if (mark === EntryMark.failed) return refused('CALL_FAILED');
    if (entries.answer(entry) !== undefined) return { kind: 'repeat', entry };
    if (mark === EntryMark.answered) return this.#again(slot, entry, 'read');
    const reruns = entries.reruns[entry] ?? 0;
    if (reruns >= MAX_RERUNS) return refused('CALL_RERUNS');
    entries.reruns[entry] = reruns + 1;
    return this.#again(slot, entry, 'rerun');
  }

  #again(slot: number, entry: number, kind: 'rerun' | 'read'): LaneJudgement {
    this.entries.kind[entry] = EntryKind.rerunning;
    this.#running[slot] = this.running(slot) + 1;
    return { kind, entry };
  }

  /** Forgets what the payer has resolved, except what is under way. */
  #resolve(slot: number, done: number): void {
    if (done <= this.done(slot)) return;
    this.#done[slot] = done;
    const { entries } = this;
    let before = NONE;
    for (let entry = this.#first[slot] ?? NONE; entry !== NONE;) {
      const next = entries.next[entry] ?? NONE;
      const kind = entries.kind[entry];
      const over = kind === EntryKind.charged || kind === EntryKind.failed;
      if (over && (entries.n[entry] ?? 0) < done) {
        if (before === NONE) this.#first[slot] = next;
        else entries.next[before] = next;
        entries.free(entry);
      } else before = entry;
      entry = next;
    }
  }

  #drop(slot: number, gone: number): void {
    const { next } = this.entries;
    if (this.#first[slot] === gone) this.#first[slot] = next[gone] ?? NONE;
    else {
      let before = this.#first[slot] ?? NONE;
      while (next[before] !== gone) before = next[before] ?? NONE;
      next[before] = next[gone] ?? NONE;
    }
    this.entries.free(gone);
  }

  #leave(slot: number): void {
    this.#running[slot] = this.running(slot) - 1;
  }

  #find(slot: number, n: number): number {
    const { entries } = this;
    let entry = this.#first[slot] ?? NONE;
    while (entry !== NONE && entries.n[entry] !== n) entry = entries.next[entry] ?? NONE;
    return entry;
  }

  /** What was charged and can be asked for again has to survive a crash, and what was started. */
  #isStored(slot: number, entry: number): boolean {
    const kind = this.entries.kind[entry];
    if (kind === EntryKind.running) return this.entries.mark[entry] === EntryMark.started;
    return kind !== EntryKind.failed && (this.entries.n[entry] ?? 0) >= this.done(slot);
  }

  #readEntries(slot: number, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const digest = new Uint32Array(4);
    for (let at = 0; at < bytes.length; at += IMAGE_ENTRY_BYTES) {
      const entry = this.entries.take();
      const { n, units, mark } = readEntry(view, at);
      for (let word = 0; word < 4; word++) digest[word] = view.getUint32(at + 8 + 4 * word, true);
      const started = mark === EntryMark.started;
      this.entries.n[entry] = n;
      this.entries.units[entry] = units;
      this.entries.kind[entry] = started ? EntryKind.running : EntryKind.charged;
      this.entries.mark[entry] = mark;
      if (started) {
        this.#reserved[slot] = (this.#reserved[slot] ?? 0) + units;
        this.#running[slot] = this.running(slot) + 1;
      }
      this.entries.setDigest(entry, digest);
      this.entries.next[entry] = this.#first[slot] ?? NONE;
      this.#first[slot] = entry;
    }
  }

  #isAt(slot: number, id: Uint8Array, at: number): boolean {
    const base = slot * ID_BYTES;
    for (let i = 0; i < ID_BYTES; i++) if (this.#ids[base + i] !== id[at + i]) return false;
    return true;
  }

  #place(slot: number): void {
    const mask = this.#places.length - 1;
    let place = hashOf(this.#ids, slot * ID_BYTES) & mask;
    while ((this.#places[place] ?? 0) > 0) place = (place + 1) & mask;
    if (this.#places[place] === -1) this.#left--;
    this.#places[place] = slot + 1;
  }

  #rehash(): void {
    const here = this.#places.filter((found) => found > 0);
    let size = this.#places.length;
    while ((here.length + 1) * 4 > size) size *= 2;
    this.#places = new Int32Array(size);
    this.#left = 0;
    for (const found of here) this.#place(found - 1);
  }

  /** Room for more lanes; gives the first new slot and keeps the others for later. */
  #grow(): number {
    const old = this.#index.length;
    const size = Math.max(64, old * 2);
    this.#ids = grown(this.#ids, new Uint8Array(size * ID_BYTES));
    this.#tips = grown(this.#tips, new Uint8Array(size * TIP_BYTES));
    this.#index = grown(this.#index, new Uint32Array(size));
    this.#spent = grown(this.#spent, new Uint32Array(size));
    this.#reserved = grown(this.#reserved, new Uint32Array(size));
    this.#length = grown(this.#length, new Uint32Array(size));
    this.#done = grown(this.#done, new Uint32Array(size));
    this.#epoch = grown(this.#epoch, new Uint32Array(size));
    this.#version = grown(this.#version, new Uint32Array(size));
    this.#first = grown(this.#first, new Int32Array(size));
    this.#running = grown(this.#running, new Uint8Array(size));
    for (let slot = size - 1; slot > old; slot--) this.#free.push(slot);
    return old;
  }
}

/** The id is a hash already. */
function hashOf(id: Uint8Array, at: number): number {
  const [a, b, c, d] = [id[at] ?? 0, id[at + 1] ?? 0, id[at + 2] ?? 0, id[at + 3] ?? 0];
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
}

function refused(code: LaneCallRefusal): LaneJudgement {
  return { kind: 'refused', code };
}
