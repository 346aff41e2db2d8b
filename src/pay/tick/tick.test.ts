/**
 * Ticks: what a chain gives, and what an authenticator binds.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../../base/hash/index.ts';
import { seededRandom } from '../../base/random/index.ts';
import {
  ChainReader,
  LaneCodes,
  beginChain,
  laneKey,
  makeChain,
  stepChain,
  type LaneName,
  type TickNumbers,
} from './index.ts';

const LAST = seededRandom(1).bytes(32);

/** All secrets, the slow way: x(0) first. */
function slowChain(length: number): Uint8Array[] {
  const secrets: Uint8Array[] = [LAST];
  for (let i = 0; i < length; i++) secrets.unshift(sha256(secrets[0] ?? LAST));
  return secrets;
}

test('every secret of every length is the hash of the next', () => {
  for (let length = 1; length <= 70; length++) {
    const chain = makeChain(LAST, length);
    const reader = new ChainReader(chain);
    const expected = slowChain(length);
    assert.deepEqual(chain.anchor, expected[0]);
    for (let i = 1; i <= length; i++) assert.deepEqual(reader.secret(i), expected[i]);
    for (const i of [length, 1, Math.ceil(length / 2)]) {
      assert.deepEqual(reader.secret(i), expected[i], 'in any order');
    }
  }
});

test('a chain made in small steps is the same chain', () => {
  const work = beginChain(LAST, 1000);
  let chain = stepChain(work, 7);
  let turns = 1;
  for (; chain === undefined; turns++) chain = stepChain(work, 7);
  assert.deepEqual(chain, makeChain(LAST, 1000));
  assert.equal(turns, Math.ceil(1000 / 7));
});

test('what is kept of a million ticks fits 64 kB', () => {
  const { marks, spacing } = beginChain(LAST, 1_000_000);
  assert(marks.length + spacing * 32 <= 64_000);
});

for (const length of [0, -1, 1.5, 100_000_001, Number.NaN]) {
  test(`a lane of ${length} ticks is refused`, () => {
    assert.throws(() => beginChain(LAST, length), { code: 'LANE_LENGTH' });
  });
}

test('an authenticator is bound to each field', () => {
  const session = seededRandom(4).bytes(32);
  const name: LaneName = { host: '11'.repeat(32), lane: '22'.repeat(16) };
  const numbers: TickNumbers = { n: 5, done: 3, index: 9 };
  const hash = '00'.repeat(32);
  const code = (
    change: Partial<LaneName & TickNumbers & { hash: string; session: Uint8Array }>,
  ): string => {
    const all = { ...name, ...numbers, hash, session, ...change };
    return new LaneCodes(laneKey(all.session, all)).code(all, all.hash);
  };
  const codes = [
    code({}),
    code({ session: seededRandom(5).bytes(32) }),
    code({ host: '12'.repeat(32) }),
    code({ lane: '23'.repeat(16) }),
    code({ n: 6 }),
    code({ done: 4 }),
    code({ index: 10 }),
    code({ hash: '01'.repeat(32) }),
  ];
  assert.equal(new Set(codes).size, codes.length);
  assert.equal(codes[0]?.length, 32);
  assert.throws(() => code({ hash: '00' }), { code: 'BYTES_LENGTH' });
});
