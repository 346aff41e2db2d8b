/** Human-readable parts: every form that is read, the one form that is written. @module */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Fault } from '../../base/fault/index.ts';
import { MAX_MSAT, msat } from '../../base/money/index.ts';
import { readHumanReadable, writeHumanReadable } from './amount.ts';
import type { Network } from './invoice.ts';

test('the prefix names the network', () => {
  const networks = ['mainnet', 'testnet', 'signet', 'regtest'] as const;
  const prefixes = ['lnbc', 'lntb', 'lntbs', 'lnbcrt'];
  assert.deepEqual(
    networks.map((network) => writeHumanReadable(network, undefined)),
    prefixes,
  );
  assert.deepEqual(
    prefixes.map((prefix) => readHumanReadable(prefix)),
    networks.map((network) => ({ network })),
  );
});

test('an amount is read with every multiplier', () => {
  const rows: readonly [text: string, network: Network, amountMsat: bigint][] = [
    ['lnbc1', 'mainnet', 100_000_000_000n],
    ['lnbc20m', 'mainnet', 2_000_000_000n],
    ['lntb2500u', 'testnet', 250_000_000n],
    ['lntbs1n', 'signet', 100n],
    ['lnbcrt10p', 'regtest', 1n],
    ['lnbc9678785340p', 'mainnet', 967_878_534n],
    // Not the largest multiplier, but seen in the wild.
    ['lnbc1000000n', 'mainnet', 100_000_000n],
    ['lnbc21000000', 'mainnet', MAX_MSAT],
    ['lnbc21000000000000000000p', 'mainnet', MAX_MSAT],
  ];
  for (const [text, network, amountMsat] of rows) {
    assert.deepEqual(readHumanReadable(text), { network, amountMsat }, text);
  }
});

test('an amount is written with the largest multiplier that fits', () => {
  const rows: readonly [amountMsat: bigint, text: string][] = [
    [1n, 'lnbcrt10p'],
    [99n, 'lnbcrt990p'],
    [100n, 'lnbcrt1n'],
    [1_000n, 'lnbcrt10n'],
    [100_000n, 'lnbcrt1u'],
    [250_000_000n, 'lnbcrt2500u'],
    [100_000_000n, 'lnbcrt1m'],
    [100_000_000_000n, 'lnbcrt1'],
    [150_000_000_000n, 'lnbcrt1500m'],
    [967_878_534n, 'lnbcrt9678785340p'],
    [MAX_MSAT, 'lnbcrt21000000'],
  ];
  for (const [amountMsat, text] of rows) {
    assert.equal(writeHumanReadable('regtest', msat(amountMsat)), text);
  }
});

test('what is not a network and a positive amount is refused', () => {
  const rows = [
    '',
    'ln',
    'bc',
    'lnbc1x',
    'lnbc1mm',
    'lnbcm',
    'lnbc0',
    'lnbc0m',
    'lnbc01m',
    'lnbc-1m',
    'lnbc1.5m',
    'lnbc+1',
    'lnbc1 ',
    'lnltc1m',
    'lnbcr1m',
    'lnsb1m',
    'LNBC1M',
    // Not a whole number of millisatoshis.
    'lnbc1p',
    'lnbc2500000001p',
    // More than there are bitcoin.
    'lnbc21000001',
    'lnbc21000000000000000010p',
    `lnbc1${'0'.repeat(5000)}`,
  ];
  for (const text of rows) {
    assert.throws(() => readHumanReadable(text), isMalformed, text);
  }
});

test('nothing is written for an amount of zero: an absent amount says that', () => {
  assert.throws(() => writeHumanReadable('regtest', msat(0n)), isMalformed);
});

test('what is written is read again, and no other multiplier makes it shorter', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: MAX_MSAT }), (value) => {
      const text = writeHumanReadable('mainnet', msat(value));
      assert.deepEqual(readHumanReadable(text), { network: 'mainnet', amountMsat: value });
      for (const [letter, pico] of [
        ['', 12],
        ['m', 9],
        ['u', 6],
        ['n', 3],
        ['p', 0],
      ] as const) {
        const exact = (value * 10n) % 10n ** BigInt(pico) === 0n;
        const other = `lnbc${(value * 10n) / 10n ** BigInt(pico)}${letter}`;
        assert.ok(!exact || other.length >= text.length, other);
      }
    }),
  );
});

function isMalformed(error: unknown): boolean {
  return error instanceof Fault && error.code === 'INVOICE_MALFORMED';
}
