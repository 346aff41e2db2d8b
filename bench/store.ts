/**
 * The store of lanes: images of 64 and 256 lanes in a commit, with the spend log against SQLite
 * alone, the file in a thread of its own; and what a start costs after a crash.
 * @module
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { msat } from '../src/base/money/index.ts';
import { unixMs } from '../src/base/time/index.ts';
import {
  IMAGE_ENTRY_BYTES,
  IMAGE_HEAD_BYTES,
  laneId,
  type LaneTerms,
} from '../src/pay/tick/index.ts';
import { openHostStore, type HostStore } from '../src/port/store/index.ts';
import {
  interleave,
  perCpuSecond,
  perSecond,
  ratio,
  type Contender,
  type Row,
  type Size,
} from './harness.ts';

const LANES_EACH = 256;
const TICKS = 100_000_000;
/** Calls that a lane remembers: what was under way a moment ago. */
const ENTRIES = 8;
const IMAGE_BYTES = IMAGE_HEAD_BYTES + ENTRIES * IMAGE_ENTRY_BYTES;
/** A session for each 256 lanes. */
const SESSIONS = 16;
const RESTART_LANES = 1_000_000;

/** Measures and gives the rows. */
export async function benchStore(size: Size): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tollcall-bench-'));
  const stores: HostStore[] = [];
  try {
    const contenders: Contender[] = [];
    for (const spendLog of [false, true]) {
      const store = await openHostStore({
        file: join(dir, `${spendLog}.db`),
        thread: true,
        spendLog,
      });
      stores.push(store);
      const lanes = await openLanes(store, SESSIONS * LANES_EACH);
      for (const each of [64, 256]) contenders.push(contender(nameOf(spendLog, each), lanes, each));
    }
    const found = await interleave(contenders, size);
    const rows = [64, 256].flatMap((each) => {
      const pair = [nameOf(true, each), nameOf(false, each)] as const;
      const row = (figure: string, value: number): Row => {
        const name = `${figure} of images, ${each} in a commit, with the spend log`;
        return { name, against: 'SQLite alone', value, aim: 1, better: 'higher' };
      };
      return [
        row('number per second', ratio(found, pair, perSecond)),
        row('number per CPU-second', ratio(found, pair, perCpuSecond)),
      ];
    });
    return rows;
  } finally {
    for (const store of stores) await store.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

function nameOf(spendLog: boolean, each: number): string {
  return `${each} images in a commit, ${spendLog ? 'spend log' : 'SQLite alone'}`;
}

/** Lanes of one store, and how often each was written. */
interface Lanes {
  readonly store: HostStore;
  readonly ids: readonly string[];
  readonly versions: Uint32Array;
}

async function openLanes(store: HostStore, count: number): Promise<Lanes> {
  const ids: string[] = [];
  for (let s = 0; ids.length < count; s++) {
    const lanes = Array.from({ length: LANES_EACH }, (_, place) => termsOf(s, place));
    await store.commit([{ open: sessionOf(s), lanes }]);
    ids.push(...lanes.map(({ lane }) => lane));
  }
  return { store, ids, versions: new Uint32Array(ids.length) };
}

function contender(name: string, lanes: Lanes, each: number): Contender {
  let next = 0;
  return {
    name,
    turn: async (count) => {
      const [cpu, startMs] = [process.cpuUsage(), performance.now()];
      for (let done = 0; done < count; done += each) {
        await commit(lanes, next, each);
        next = (next + each) % lanes.ids.length;
      }
      const wallMs = performance.now() - startMs;
      const { user, system } = process.cpuUsage(cpu);
      return { count, wallMs, cpuMs: (user + system) / 1000 };
    },
  };
}

async function commit({ store, ids, versions }: Lanes, from: number, each: number): Promise<void> {
  const images = new Uint8Array(each * IMAGE_BYTES);
  const view = new DataView(images.buffer);
  for (let i = 0; i < each; i++) {
    const [at, slot] = [i * IMAGE_BYTES, from + i];
    const version = versions[slot] ?? 0;
    Buffer.from(images.buffer).write(ids[slot] ?? '', at, 'hex');
    view.setUint32(at + 20, version, true);
    view.setUint32(at + 24, version + 1, true);
    view.setUint32(at + 28, version + 1, true);
    view.setUint32(at + 36, ENTRIES, true);
    images.fill(1 + (version % 200), at + 40, at + IMAGE_HEAD_BYTES);
    versions[slot] = version + 1;
  }
  const results = await store.commitLanes(images);
  if (results.some((result) => result !== 0)) throw new Error('an image was refused');
}

/** How long a store takes to open: a million lanes, and a log that is full of them. */
export async function benchRestart(dir: string, size: Size): Promise<Row[]> {
  const count = size.turns > 1 ? RESTART_LANES : 10_000;
  const file = join(dir, 'many.db');
  const store = await openHostStore({ file, thread: false });
  try {
    const lanes = await openLanes(store, count);
    // The second half is full then, and the first one folded: more is never to be read.
    for (let i = 0; i < 240; i++) await commit(lanes, ((i * 997) % (count >> 8)) << 8, 256);
    for (const end of ['', '-wal', '-spend']) {
      if (existsSync(file + end)) copyFileSync(file + end, join(dir, `copy.db${end}`));
    }
  } finally {
    await store.close();
  }
  const startMs = performance.now();
  const copy = await openHostStore({ file: join(dir, 'copy.db'), thread: false });
  const seconds = (performance.now() - startMs) / 1000;
  await copy.close();
  const name = `seconds to open ${count} lanes with a full spend log`;
  return [{ name, against: 'a second', value: seconds, aim: 2, better: 'lower' }];
}

function termsOf(s: number, place: number): LaneTerms {
  const session = hex(s, 32);
  const anchor = new Uint8Array(32);
  return { lane: laneId(session, place), session, place, anchor, length: TICKS, unitMsat: msat(1) };
}

function sessionOf(s: number) {
  return {
    session: hex(s, 32),
    service: 'work',
    calls: 1,
    totalMsat: msat(LANES_EACH * TICKS),
    paymentHash: hex(s, 64),
    openedAtMs: unixMs(1),
    payByMs: unixMs(2),
    expiresAtMs: unixMs(3),
    setup: hex(s, 64),
    payer: hex(1, 64),
    codeKey: new Uint8Array(32),
    reply: new Uint8Array(0),
  };
}

function hex(i: number, length: number): string {
  return i.toString(16).padStart(length, '0');
}
