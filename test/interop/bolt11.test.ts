/** LDK reads what we write, and finds the same in it. @module */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, mock, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import {
  Bolt11Invoice,
  Currency,
  Option_u64Z_Some,
  initializeWasmFromBinary,
  type Result_Bolt11InvoiceParseOrSemanticErrorZ,
} from 'lightningdevkit';
import { toHex } from '../../src/base/bytes/index.ts';
import { decodeInvoice, encodeInvoice, type Network } from '../../src/bitcoin/bolt/index.ts';
import { TAG } from '../../src/bitcoin/bolt/words.ts';
import {
  ESSENTIAL,
  SPEC_KEY,
  craft,
  drafts,
  highS,
  publicKeyOf,
  signerOf,
  type CraftedField,
} from '../fixtures/invoices.ts';

const CURRENCIES: Readonly<Record<Network, Currency>> = {
  mainnet: Currency.LDKCurrency_Bitcoin,
  testnet: Currency.LDKCurrency_BitcoinTestnet,
  signet: Currency.LDKCurrency_Signet,
  regtest: Currency.LDKCurrency_Regtest,
};

/** What LDK takes: its sums have 64 bits in pico-bitcoin, and it knows fewer required features. */
const RANGE = {
  maxAmountMsat: 10n ** 17n,
  features: fc
    .tuple(
      fc.constantFrom([8, 14], [9, 15], [9, 14, 17], [8, 14, 16], [8, 14, 48]),
      fc.array(fc.nat({ max: 100 }).map((n) => n * 2 + 101)),
    )
    .map(([known, unknown]) => [...known, ...unknown]),
};

before(async () => {
  // The module greets on the console, where a test runner has its own words.
  mock.method(console, 'log', () => undefined);
  const file = new URL('liblightningjs.wasm', import.meta.resolve('lightningdevkit'));
  await initializeWasmFromBinary(await readFile(fileURLToPath(file)));
  mock.restoreAll();
});

test('LDK finds in our invoices what we do', () => {
  const keys = fc.constantFrom(SPEC_KEY, new Uint8Array(32).fill(7));
  fc.assert(
    fc.property(drafts(RANGE), keys, fc.boolean(), (draft, key, named) => {
      const payee = publicKeyOf(key);
      const text = encodeInvoice(named ? { ...draft, payee } : draft, signerOf(key));
      assert.deepEqual(readByLdk(text), readByUs(text));
    }),
    { numRuns: 300 },
  );
});

test('of one text, LDK and we never see two payees, hashes or amounts', () => {
  const word = fc.nat({ max: 31 });
  const words = (maxLength: number): fc.Arbitrary<number[]> => fc.array(word, { maxLength });
  const tag = fc.oneof(fc.constantFrom(...Object.values(TAG)), word);
  const field: fc.Arbitrary<CraftedField> = fc.tuple(tag, fc.oneof(words(4), words(60)));
  // From 18 million bitcoin on, LDK reads an amount as if there were none.
  const prefix = fc.stringMatching(/^ln(bc|tb|tbs|bcrt)(\d{1,6}[munp]?)?$/);
  const { s, p, d } = ESSENTIAL;
  let bothTook = 0;
  fc.assert(
    fc.property(prefix, fc.array(field, { maxLength: 4 }), (prefix, fields) => {
      const text = craft([s, p, d, ['9', [16, 8, 0]], ...fields], { prefix });
      const ours = attempt(() => essence(readByUs(text)));
      const theirs = attempt(() => essence(readByLdk(text)));
      if (ours === undefined || theirs === undefined) return;
      bothTook++;
      assert.deepEqual(theirs, ours, text);
    }),
    { numRuns: 600 },
  );
  assert.ok(bothTook > 50, `${bothTook} texts were taken by both`);
});

test('LDK refuses a high s even where BOLT 11 allows it: the payer then keeps the money', () => {
  const { s, p, d } = ESSENTIAL;
  const fields: CraftedField[] = [s, p, d, ['9', [16, 8, 0]]];
  const low = craft(fields);
  const high = craft(fields, { sign: highS(signerOf(SPEC_KEY)) });
  assert.ok(Bolt11Invoice.constructor_from_str(low).is_ok());
  assert.ok(!Bolt11Invoice.constructor_from_str(high).is_ok());
  assert.equal(decodeInvoice(high).payee, decodeInvoice(low).payee);
});

/** What both readers say of an invoice. */
interface Reading {
  readonly currency: Currency;
  readonly amountMsat: bigint | undefined;
  readonly paymentHash: string;
  readonly paymentSecret: string;
  readonly payee: string;
  readonly timestampSeconds: bigint;
  readonly expirySeconds: bigint;
  readonly finalCltvBlocks: bigint;
  readonly routes: readonly (readonly (string | bigint | number)[][])[];
}

/** What a payment depends on most. */
function essence({ currency, amountMsat, paymentHash, paymentSecret, payee }: Reading): object {
  return { currency, amountMsat, paymentHash, paymentSecret, payee };
}

function readByUs(text: string): Reading {
  const invoice = decodeInvoice(text);
  return {
    currency: CURRENCIES[invoice.network],
    amountMsat: invoice.amountMsat,
    paymentHash: invoice.paymentHash,
    paymentSecret: invoice.paymentSecret,
    payee: invoice.payee,
    timestampSeconds: BigInt(invoice.timestampSeconds),
    expirySeconds: BigInt(invoice.expirySeconds),
    finalCltvBlocks: BigInt(invoice.minFinalCltvExpiryBlocks),
    routes: invoice.routes.map((route) =>
      route.map((hop) => [hop.nodeId, hop.shortChannelId, hop.feeBaseMsat]),
    ),
  };
}

function readByLdk(text: string): Reading {
  const invoice = accepted(Bolt11Invoice.constructor_from_str(text), text);
  const amount = invoice.amount_milli_satoshis();
  return {
    currency: invoice.currency(),
    amountMsat: amount instanceof Option_u64Z_Some ? amount.some : undefined,
    paymentHash: toHex(invoice.payment_hash()),
    paymentSecret: toHex(invoice.payment_secret()),
    payee: toHex(invoice.get_payee_pub_key()),
    timestampSeconds: invoice.duration_since_epoch(),
    expirySeconds: invoice.expiry_time(),
    finalCltvBlocks: invoice.min_final_cltv_expiry_delta(),
    routes: invoice.route_hints().map((hint) =>
      hint.get_a().map((hop) => [
        toHex(hop.get_src_node_id()),
        // The bindings hand unsigned numbers over as signed ones.
        BigInt.asUintN(64, hop.get_short_channel_id()),
        hop.get_fees().get_base_msat() >>> 0,
      ]),
    ),
  };
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function accepted(result: Result_Bolt11InvoiceParseOrSemanticErrorZ, text: string): Bolt11Invoice {
  assert.ok(result.is_ok(), `LDK refuses ${text}`);
  return (result as unknown as { readonly res: Bolt11Invoice }).res;
}
