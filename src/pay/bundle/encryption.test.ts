/** Encrypted calls, top-ups and orders: the bytes of docs/bundle.md, what is bound. @module */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBase64url, toHex, utf8 } from '../../base/bytes/index.ts';
import { isFault } from '../../base/fault/index.ts';
import type { Json } from '../../base/json/index.ts';
import { callCode, requestHash } from './codes.ts';
import {
  decryptAnswer,
  decryptRequest,
  encryptAnswer,
  encryptRequest,
  encryptedHash,
  type EncryptedCall,
} from './encryption.ts';
import { parseOrderLines, printOrderLines } from './setup.ts';
import { openTopUpQuote, printTopUpQuote, topUpCode } from './topup.ts';

const HOST = '22'.repeat(32);
const SESSION = '33'.repeat(16);
const KEY = new Uint8Array(32).fill(0x11);
const SALT = new Uint8Array(16).fill(0x44);
const CREDENTIAL =
  'b1.MzMzMzMzMzMzMzMzMzMzMwAAAAAAAAAHAAAAAAAAAAVERERERERERERERERERERE7' +
  'FchouRxgkav6u30LcxNaYK9dLmQ7dkjOONac2ICFJI';
const call: EncryptedCall = { codeKey: KEY, salt: SALT, credential: CREDENTIAL, service: 'quotes' };
const plain = utf8('{"symbol":"BTC"}');
const head = { status: 200, balance: 'charged=1000, credit=3000, calls-left=3' };
const answer = { ...head, salt: new Uint8Array(16).fill(0x55), plain: utf8('{"price":1}') };
const order = { id: '66'.repeat(16), service: 'quotes', calls: 4 };
const quote = {
  id: order.id,
  session: SESSION,
  service: 'quotes',
  calls: 4,
  total_msat: '4000',
  invoice: 'lnbcrt40n1example',
  pay_by_ms: 1700000600000,
  expires_at_ms: 1702592000000,
};

function code(attempt: () => unknown): string {
  try {
    attempt();
    return 'ok';
  } catch (error) {
    return isFault(error) ? error.code : 'strange';
  }
}

test('the worked example of docs/bundle.md', () => {
  const fields = { host: HOST, session: SESSION, n: 7n, done: 5n, salt: SALT };
  const hash = requestHash('quotes', { symbol: 'BTC' });
  const made = {
    hash: toHex(hash),
    code: toHex(callCode(KEY, { ...fields, requestHash: hash })),
    boxCode: toHex(callCode(KEY, { ...fields, requestHash: encryptedHash(hash) })),
    request: toHex(encryptRequest(call, plain)),
    answer: toHex(encryptAnswer(call, answer)),
    topUp: toHex(topUpCode(KEY, { host: HOST, session: SESSION, salt: SALT, ...order })),
    quote: printTopUpQuote(KEY, quote)['code'],
  };
  assert.deepEqual(made, {
    hash: '140d55963095ae579999a6cbd44c8b4c0ddb251742d14db835049d7303d5d916',
    code: '2a5082a049152e59f8608b459b005beadd24750c382d51d2d46ba18bcf93b769',
    boxCode: 'ec5721a2e4718246afeaedf42dcc4d6982bd74b990edd92338e35a7362021492',
    request: '70634b894de689c2795c9675c16645ad3084a9a35218829b7b88a47076de86f5',
    answer:
      '5555555555555555555555555555555507d49320ad5c9b92b723f3bbc3a91736ce6d060dd14fa2c5589bb3',
    topUp: '631eeeda66d1fdab3414396824c17e0214d2cea64c313926706a5b1ff8f7649c',
    quote: 'RIdiGyV5pmp-U_TLfwudzoGTo1QKXuZ1i1WrADCexJo',
  });
});

test('a box opens for what it was made for, and for nothing else', () => {
  const encrypted = encryptRequest(call, plain);
  assert.deepEqual(new Uint8Array(decryptRequest(call, encrypted)), plain);
  const others: Partial<EncryptedCall>[] = [
    { codeKey: new Uint8Array(32) },
    { salt: new Uint8Array(16) },
    { credential: `${CREDENTIAL.slice(0, -1)}g` },
    { service: 'other' },
  ];
  for (const other of others) {
    assert.equal(
      code(() => decryptRequest({ ...call, ...other }, encrypted)),
      'CODE_DECRYPT',
    );
  }
  for (const cut of [0, 15, 31]) {
    assert.equal(
      code(() => decryptRequest(call, encrypted.subarray(0, cut))),
      'CODE_DECRYPT',
    );
  }
});

test('an answer opens with its status and balance, and is no request', () => {
  const encrypted = encryptAnswer(call, answer);
  assert.deepEqual(new Uint8Array(decryptAnswer(call, head, encrypted)), answer.plain);
  const bad = 'HOST_MALFORMED';
  assert.equal(
    code(() => decryptAnswer(call, { ...head, status: 201 }, encrypted)),
    bad,
  );
  assert.equal(
    code(() => decryptAnswer(call, { ...head, balance: '' }, encrypted)),
    bad,
  );
  assert.equal(
    code(() => decryptAnswer(call, head, encryptRequest(call, plain))),
    bad,
  );
  assert.equal(
    code(() => decryptRequest(call, encrypted)),
    'CODE_DECRYPT',
  );
});

test('the quote of a top-up holds only as it was made', () => {
  const printed = printTopUpQuote(KEY, quote);
  assert.deepEqual(openTopUpQuote(KEY, printed), quote);
  const changes = [{ invoice: 'lnbcrt1other' }, { calls: 5 }, { more: 1 }, { code: '' }];
  for (const change of changes) {
    assert.equal(
      code(() => openTopUpQuote(KEY, { ...printed, ...change })),
      'HOST_SIGNATURE',
    );
  }
  assert.equal(
    code(() => openTopUpQuote(SALT, printed)),
    'HOST_SIGNATURE',
  );
  assert.equal(toBase64url(SALT).length, 22);
});

test('orders: one service as ever, several as a list', () => {
  const one = [{ service: 'a', calls: 1 }];
  const two = [...one, { service: 'b', calls: 2 }];
  assert.deepEqual(printOrderLines(one), one[0]);
  assert.deepEqual(printOrderLines(two), { lines: two });
  for (const lines of [one, two]) assert.deepEqual(parseOrderLines(printOrderLines(lines)), lines);
});

const BAD: readonly [string, Record<string, Json>][] = [
  ['nothing', {}],
  ['no list', { lines: 'x' }],
  ['an empty list', { lines: [] }],
  ['a list of one', { lines: [{ service: 'a', calls: 1 }] }],
  ['both forms', { service: 'a', calls: 1, lines: [{ service: 'a', calls: 1 }] }],
  ['strange lines', { lines: [1, null] }],
  ['calls as text', { service: 'a', calls: '1' }],
  ['17 lines', { lines: Array.from({ length: 17 }, (_, i) => ({ service: `s${i}`, calls: 1 })) }],
];

for (const [what, value] of BAD) {
  test(`orders, ${what}: SETUP_MALFORMED`, () => {
    assert.equal(
      code(() => parseOrderLines(value)),
      'SETUP_MALFORMED',
    );
  });
}
