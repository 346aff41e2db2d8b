/**
 * What a tick costs alone: checked against the lane, and its state in memory.
 * @module
 */
import { msat } from '../src/base/money/index.ts';
import { sha256Hex } from '../src/base/hash/index.ts';
import { systemRandom } from '../src/base/random/index.ts';
import { ChainReader, LaneTable, laneId, makeChain, newLaneRow } from '../src/pay/tick/index.ts';
import { median, type Row } from './harness.ts';

const TURNS = 9;
const TICKS = 100_000;
const LANES = 100_000;
/** The arrays double, so that nothing of it is spare. */
const FULL_TABLE = 2 ** 17;

/** Measures and gives the rows. */
export function benchVerify(): Row[] {
  const chain = makeChain(systemRandom.bytes(32), TICKS);
  const reader = new ChainReader(chain);
  const secrets = Array.from({ length: TICKS }, (_, i) => reader.secret(i + 1));
  const session = '00'.repeat(16);
  const lane = (place: number, length: number): ReturnType<typeof newLaneRow> => {
    const terms = { lane: laneId(session, place), session, place, unitMsat: msat(1) };
    return newLaneRow({ ...terms, anchor: chain.anchor, length });
  };
  const ratios: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const table = new LaneTable(0);
    const slot = table.add(lane(0, TICKS));
    const hashNs = nanoseconds(() => {
      for (const secret of secrets) sha256Hex(secret);
    });
    const verifyNs = nanoseconds(() => {
      for (const [i, secret] of secrets.entries()) table.accept(slot, i + 1, secret);
    });
    if (table.index(slot) !== TICKS) throw new Error('a tick was refused');
    ratios.push(verifyNs / hashNs);
  }
  return [
    {
      name: 'tick verified, time',
      against: 'one bare SHA-256 of the same implementation',
      value: median(ratios),
      aim: 1.25,
      better: 'lower',
    },
    {
      name: 'state of an open lane, bytes',
      against: 'a full table of 131,072 lanes',
      value: bytesOfLane(lane, FULL_TABLE),
      aim: 64,
      better: 'lower',
    },
    {
      name: 'memory of an open lane with its index, bytes',
      against: '1e5 lanes of 1e6 calls',
      value: bytesOfLane(lane, LANES),
      aim: 256,
      better: 'lower',
    },
  ];
}

function bytesOfLane(
  lane: (place: number, length: number) => ReturnType<typeof newLaneRow>,
  lanes: number,
): number {
  const before = memory();
  const table = new LaneTable(0);
  for (let place = 0; place < lanes; place++) table.add(lane(place, 1e6));
  const after = memory();
  if (table.count !== lanes) throw new Error('lanes are missing');
  return (after - before) / lanes;
}

function memory(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function nanoseconds(work: () => void): number {
  const { user, system } = process.cpuUsage();
  work();
  const after = process.cpuUsage();
  return (after.user + after.system - user - system) * 1000;
}
