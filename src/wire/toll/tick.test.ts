/**
 * The credential of a call over a lane.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { toHex } from '../../base/bytes/index.ts';
import { isTick, parseTick, printTick } from './index.ts';

const hex16 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toHex);
const number = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const credential = fc.record({
  lane: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  n: number,
  done: number,
  index: number,
  code: hex16,
  secret: fc.uint8Array({ minLength: 32, maxLength: 32 }),
});

test('a credential comes back as it was printed, and has one text', () => {
  fc.assert(
    fc.property(credential, (made) => {
      const text = printTick(made);
      const { lane, secret, ...read } = parseTick(text);
      assert(isTick(text));
      const plain = { ...read, lane: Uint8Array.from(lane), secret: Uint8Array.from(secret) };
      assert.deepEqual(plain, { ...made });
      assert.equal(printTick(plain), text);
    }),
  );
});

const TEXT = printTick({
  lane: new Uint8Array(16).fill(17),
  n: 1,
  done: 0,
  index: 1,
  code: '22'.repeat(16),
  secret: new Uint8Array(32).fill(51),
});

const MALFORMED: readonly [what: string, text: string][] = [
  ['nothing', ''],
  ['another prefix', `b1.${TEXT.slice(3)}`],
  ['a character less', TEXT.slice(0, -1)],
  ['a character more', `${TEXT}A`],
  ['padding', `${TEXT.slice(0, -1)}=`],
  ['characters of plain base64', `${TEXT.slice(0, -2)}+/`],
  ['a blank inside', `${TEXT.slice(0, 20)} ${TEXT.slice(21)}`],
  ['bits that are no part of a byte', `${TEXT.slice(0, -1)}${nextLetter(TEXT.at(-1) ?? '')}`],
];
for (const [what, text] of MALFORMED) {
  test(`a credential with ${what} is refused`, () => {
    assert.throws(() => parseTick(text), { code: 'CODE_MALFORMED' });
  });
}

function nextLetter(letter: string): string {
  return String.fromCharCode(letter.charCodeAt(0) + 1);
}
