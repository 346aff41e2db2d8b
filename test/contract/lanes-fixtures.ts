/**
 * What the tests of lanes in a store have in common.
 * @module
 */
import assert from 'node:assert/strict';
import { concat } from '../../src/base/bytes/index.ts';
import { msat } from '../../src/base/money/index.ts';
import {
  IMAGE_ENTRY_BYTES,
  IMAGE_HEAD_BYTES,
  LANE_REFUSALS,
  EntryMark,
  entryWord,
  laneId,
  type LaneTerms,
} from '../../src/pay/tick/index.ts';
import type { HostStore, LaneExtra } from '../../src/port/store/index.ts';
import { hex, receive, terms } from './store-fixtures.ts';

/** Ticks of each lane here, and what one is worth. */
export const TICKS = 50;
/** The worth of a tick. */
export const UNIT_MSAT = msat(3);

/** The terms of a lane of session `s`. */
export function laneTerms(s: number, place: number): LaneTerms {
  const session = hex(s, 16);
  const anchor = new Uint8Array(32).fill(place);
  const lane = laneId(session, place);
  return { lane, session, place, anchor, length: TICKS, unitMsat: UNIT_MSAT };
}

/** What an image says; what is left out is as a new lane has it. */
export interface ImageFields {
  readonly s?: number;
  readonly place?: number;
  readonly epoch?: number;
  readonly version?: number;
  readonly index?: number;
  readonly spent?: number;
  readonly done?: number;
  /** Numbers that were charged one unit each. */
  readonly entries?: readonly number[];
  /** What their mark says: one of `EntryMark`. */
  readonly mark?: number;
}

/** The tick of an index, for tests that do not hash. */
export function tip(place: number, index: number): Uint8Array {
  return new Uint8Array(32).fill(index === 0 ? place : 100 + index);
}

/** An image as bytes. */
export function laneImage(fields: ImageFields): Uint8Array {
  const { s = 1, place = 0, epoch = 0, version = 0, index = 0, spent = 0, done = 0 } = fields;
  const { entries = [], mark = EntryMark.charged } = fields;
  const bytes = Buffer.alloc(IMAGE_HEAD_BYTES + entries.length * IMAGE_ENTRY_BYTES);
  bytes.write(laneTerms(s, place).lane, 'hex');
  for (const [i, value] of [epoch, version, index, spent, done, entries.length].entries()) {
    bytes.writeUInt32LE(value, 16 + 4 * i);
  }
  bytes.set(tip(place, index), 40);
  for (const [i, n] of entries.entries()) {
    const at = IMAGE_HEAD_BYTES + i * IMAGE_ENTRY_BYTES;
    bytes.writeUInt32LE(n, at);
    bytes.writeUInt32LE(entryWord(1, mark), at + 4);
    bytes.fill(9, at + 8, at + IMAGE_ENTRY_BYTES);
  }
  return new Uint8Array(bytes);
}

/** Commits images; what became of each, by name. */
export async function spend(store: HostStore, ...images: ImageFields[]): Promise<string[]> {
  return results(await store.commitLanes(concat(...images.map(laneImage))));
}

/** The same, with answers. */
export async function spendOnce(
  store: HostStore,
  images: readonly ImageFields[],
  answers: LaneExtra['answers'],
): Promise<string[]> {
  return results(await store.commitLanes(concat(...images.map(laneImage)), { answers }));
}

function results(bytes: Uint8Array): string[] {
  return Array.from(bytes, (result) =>
    result === 0 ? 'ok' : (LANE_REFUSALS[result - 1] ?? 'no reason'),
  );
}

/** A session that was paid for, with so many lanes. */
export async function openLanes(store: HostStore, s: number, count: number): Promise<void> {
  const lanes = Array.from({ length: count }, (_, place) => laneTerms(s, place));
  const results = await store.commit([
    { open: terms(s), lanes },
    { transfers: [receive(s, 1000n)] },
  ]);
  assert.deepEqual(
    results.map(({ code }) => code),
    ['ok', 'ok'],
  );
}
