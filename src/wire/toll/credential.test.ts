/**
 * Credentials: one text for each, and nothing else parses.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { toHex } from '../../base/bytes/index.ts';
import {
  fromAuthorization,
  parseAsk,
  parseCall,
  printAsk,
  printCall,
  toAuthorization,
  type CallCredential,
} from './index.ts';

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const numbers = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const credentials: fc.Arbitrary<CallCredential> = fc.record(
  {
    session: bytes(16).map(toHex),
    n: numbers,
    done: numbers,
    salt: bytes(16),
    code: bytes(32),
  },
  { noNullPrototype: true },
);
const MALFORMED = { code: 'CODE_MALFORMED' };
const CALL = printCall({
  session: 'ab'.repeat(16),
  n: 1n,
  done: 0n,
  salt: new Uint8Array(16),
  code: new Uint8Array(32),
});

test('the credential of a call reads back; 80 bytes have one text', () => {
  fc.assert(
    fc.property(credentials, (credential) => {
      const text = printCall(credential);
      assert.match(text, /^b1\.[\w-]{107}$/);
      assert.deepEqual(parseCall(text), credential);
    }),
  );
});

test('the credential of a question reads back; 64 bytes have one text', () => {
  fc.assert(
    fc.property(credentials, ({ session, salt, code }) => {
      const text = printAsk({ session, salt, code });
      assert.match(text, /^a1\.[\w-]{86}$/);
      assert.deepEqual(parseAsk(text), { session, salt, code });
    }),
  );
});

test('the form is pinned for other implementations', () => {
  assert.equal(CALL, `b1.q6urq6urq6urq6urq6urqwAAAAAAAAAB${'A'.repeat(75)}`);
});

test('a credential that is cut, longer, of another kind or not canonical is refused', () => {
  const ask = printAsk({
    session: 'ab'.repeat(16),
    salt: new Uint8Array(16),
    code: new Uint8Array(32),
  });
  const bad = [
    '',
    'b1.',
    CALL.slice(0, -1),
    `${CALL}A`,
    `${CALL}=`,
    `${CALL} `,
    ` ${CALL}`,
    CALL.slice(0, -1) + 'B',
    CALL.replace('b1', 'B1'),
    CALL.replace('b1', 'a1'),
    CALL.replace('.', ':'),
    CALL.slice(3),
    ask,
    'b1.' + 'A'.repeat(1_000_000),
  ];
  for (const text of bad) assert.throws(() => parseCall(text), MALFORMED, text.slice(0, 120));
  for (const text of ['', CALL, `${ask}A`, ask.replace('a1', 'b1')]) {
    assert.throws(() => parseAsk(text), MALFORMED);
  }
});

test('numbers that do not fit are not printed', () => {
  const credential = parseCall(CALL);
  for (const change of [{ n: -1n }, { done: 2n ** 64n }, { salt: new Uint8Array(15) }]) {
    assert.throws(() => printCall({ ...credential, ...change }), { code: 'BYTES_LENGTH' });
  }
  assert.throws(() => printCall({ ...credential, session: 'AB' }), { code: 'BYTES_MALFORMED' });
});

test('the header carries the credential; schemes have no case', () => {
  assert.equal(fromAuthorization(toAuthorization(CALL)), CALL);
  for (const header of [`toll ${CALL}`, `TOLL   ${CALL}`, `Toll ${CALL}  `]) {
    assert.equal(fromAuthorization(header), CALL);
  }
});

test('a header for someone else is a missing credential', () => {
  const headers = [
    undefined,
    '',
    'Toll',
    `Toll${CALL}`,
    `Bearer ${CALL}`,
    ` Toll ${CALL}`,
    'L402 a:b',
  ];
  for (const header of headers) {
    assert.throws(() => fromAuthorization(header), { code: 'CODE_MISSING' });
  }
});
