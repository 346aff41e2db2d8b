/**
 * The examples of BOLT 11: what each of them says, and that its own key signs it to the same text.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBase58check, bech32 } from '@scure/base';
import { fromHex, toHex, utf8 } from '../../src/base/bytes/index.ts';
import { Fault, type FaultCode } from '../../src/base/fault/index.ts';
import { sha256 } from '../../src/base/hash/index.ts';
import {
  decodeInvoice,
  encodeInvoice,
  type Fallback,
  type Invoice,
  type InvoiceDraft,
} from '../../src/bitcoin/bolt/index.ts';
import { SPEC_KEY, SPEC_PAYEE, signerOf } from '../fixtures/invoices.ts';
import { need, vectors } from '../need.ts';

interface Example {
  readonly title: string;
  readonly invoice: string;
}

const FILE = 'bolt11/examples.json';
const missing = need('vectors');
const load = (at: 'valid' | 'invalid', count: number): readonly Example[] =>
  missing === false ? vectors<Example>(FILE, { at, count }) : [];
const VALID = load('valid', 15);
const INVALID = load('invalid', 10);

/** What the examples say unless they say otherwise. */
const USUAL = {
  network: 'mainnet',
  timestampSeconds: 1_496_314_658,
  expirySeconds: 3600,
  paymentHash: '0001020304050607080900010203040506070809000102030405060708090102',
  paymentSecret: '11'.repeat(32),
  payee: SPEC_PAYEE,
  minFinalCltvExpiryBlocks: 18,
  features: [8, 14],
  routes: [],
  fallbacks: [],
} as const;
const DONATION = { description: 'Please consider supporting this project' };
const THINGS = {
  amountMsat: 2_000_000_000n,
  descriptionHash: toHex(
    sha256(
      utf8(
        'One piece of chocolate cake, one icecream cone, one pickle, one slice of swiss cheese, ' +
          'one slice of salami, one lollypop, one piece of cherry pie, one sausage, one cupcake, ' +
          'and one slice of watermelon',
      ),
    ),
  ),
};
const BEANS = { amountMsat: 2_500_000_000n, description: 'coffee beans', features: [8, 14, 99] };

/** Each valid example, in the order of the file, and whether it keeps our order of fields. */
const SAYS: readonly [found: object, sameOrder: boolean][] = [
  [DONATION, true],
  [{ amountMsat: 250_000_000n, description: '1 cup coffee', expirySeconds: 60 }, true],
  [{ amountMsat: 250_000_000n, description: 'ナンセンス 1杯', expirySeconds: 60 }, true],
  [THINGS, true],
  [
    { ...THINGS, network: 'testnet', fallbacks: [address('mk2QpYatsKicvFVuTAQLBryyccRXMUaGHP')] },
    false,
  ],
  [
    {
      ...THINGS,
      fallbacks: [address('1RustyRX2oai4EYYDpQGWvEL62BBGqN9T')],
      routes: [
        [
          hop('029e03a901b85534ff1e92c43c74431f7ce72046060fcf7a95c37e148f78c77255', [
            [66051n, 263430n, 1800n],
            [1, 20, 3],
          ]),
          hop('039e03a901b85534ff1e92c43c74431f7ce72046060fcf7a95c37e148f78c77255', [
            [197637n, 395016n, 2314n],
            [2, 30, 4],
          ]),
        ],
      ],
    },
    true,
  ],
  [{ ...THINGS, fallbacks: [address('3EktnHQD7RiAE6uzMj2ZifT9YgRrkSgzQX')] }, false],
  [{ ...THINGS, fallbacks: [address('bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4')] }, false],
  [
    {
      ...THINGS,
      fallbacks: [address('bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3')],
    },
    false,
  ],
  [
    {
      amountMsat: 967_878_534n,
      timestampSeconds: 1_572_468_703,
      expirySeconds: 604_800,
      minFinalCltvExpiryBlocks: 10,
      paymentHash: '462264ede7e14047e9b249da94fefc47f41f7d02ee9b091815a5506bc8abf75f',
      description:
        'Blockstream Store: 88.85 USD for Blockstream Ledger Nano S x 1, "Back In My Day" ' +
        'Sticker x 2, "I Got Lightning Working" Sticker x 2 and 1 more items',
      routes: [
        [
          hop('03d06758583bb5154774a6eb221b1276c9e82d65bbaceca806d90e20c108f4b1c7', [
            [589390n, 3312n, 1n],
            [1000, 2500, 40],
          ]),
        ],
      ],
    },
    false,
  ],
  [BEANS, false],
  [BEANS, false],
  [BEANS, false],
  [
    {
      amountMsat: 1_000_000_000n,
      description: 'payment metadata inside',
      features: [8, 14, 48],
      metadata: fromHex('01fafaf0', 'metadata'),
    },
    false,
  ],
  // The high s comes with the recovery id of the low one, so that another key is recovered.
  [
    {
      ...DONATION,
      payee: '02d0139ce7427d6dfffd26a326c18be754ef1e64672b42694ba5b23ef6e6e7803d',
    },
    true,
  ],
];

const REFUSED: readonly FaultCode[] = [
  'INVOICE_FEATURE', // unknown feature 100
  'INVOICE_MALFORMED', // checksum
  'INVOICE_MALFORMED', // no separator
  'INVOICE_MALFORMED', // mixed case
  'INVOICE_SIGNATURE', // not recoverable
  'INVOICE_MALFORMED', // too short
  'INVOICE_MALFORMED', // multiplier
  'INVOICE_MALFORMED', // below a millisatoshi
  'INVOICE_MALFORMED', // no `s`
  'INVOICE_SIGNATURE', // high s beside `n`
];

test('each valid example says what its breakdown says', { skip: missing }, () => {
  assert.equal(SAYS.length, VALID.length);
  for (const [i, { title, invoice }] of VALID.entries()) {
    const expected = { ...USUAL, ...SAYS[i]?.[0], text: invoice.toLowerCase() };
    assert.deepEqual(decodeInvoice(invoice), expected, title);
    assert.deepEqual(decodeInvoice(`lightning:${invoice}`), expected, title);
  }
});

test('each invalid example is refused for its reason', { skip: missing }, () => {
  assert.equal(REFUSED.length, INVALID.length);
  for (const [i, { title, invoice }] of INVALID.entries()) {
    const fits = (error: unknown): boolean => error instanceof Fault && error.code === REFUSED[i];
    assert.throws(() => decodeInvoice(invoice), fits, title);
  }
});

test('the key of the examples signs them again', { skip: missing }, () => {
  const again = VALID.map(({ invoice }) => {
    const decoded = decodeInvoice(invoice);
    return { decoded, text: encodeInvoice(draftOf(decoded), signerOf(SPEC_KEY)) };
  });
  for (const { decoded, text } of again) {
    assert.deepEqual(decodeInvoice(text), { ...decoded, text, payee: SPEC_PAYEE });
  }
  const sameText = again.filter((_, i) => SAYS[i]?.[1] === true).map(({ text }) => text);
  const [first = ''] = sameText;
  const expected = VALID.filter((_, i) => SAYS[i]?.[1] === true).map(({ invoice }) => invoice);
  // The last one has the high s; signed again, it is the first.
  assert.deepEqual(sameText, [...expected.slice(0, -1), first]);
});

/** A draft of what was decoded; the examples do not write out the defaults. */
function draftOf(invoice: Invoice): InvoiceDraft {
  const { text: _, payee: __, expirySeconds, minFinalCltvExpiryBlocks, ...rest } = invoice;
  return {
    ...rest,
    ...(expirySeconds === 3600 ? {} : { expirySeconds }),
    ...(minFinalCltvExpiryBlocks === 18 ? {} : { minFinalCltvExpiryBlocks }),
  };
}

/** An address as an `f` field has it. */
function address(text: string): Fallback {
  if (text.startsWith('bc1')) {
    const [version = -1, ...program] = bech32.decode(text as `bc1${string}`).words;
    return { version, program: bech32.fromWords(program) };
  }
  const [prefix, ...program] = createBase58check(sha256).decode(text);
  const isScriptHash = prefix === 0x05;
  return { version: isScriptHash ? 18 : 17, program: Uint8Array.from(program) };
}

function hop(
  nodeId: string,
  [[block, transaction, output], [feeBaseMsat, feeProportionalMillionths, cltvExpiryDeltaBlocks]]: [
    channel: [block: bigint, transaction: bigint, output: bigint],
    policy: [baseMsat: number, millionths: number, blocks: number],
  ],
): Invoice['routes'][number][number] {
  const shortChannelId = (block << 40n) | (transaction << 16n) | output;
  return {
    nodeId,
    shortChannelId,
    feeBaseMsat,
    feeProportionalMillionths,
    cltvExpiryDeltaBlocks,
  };
}
