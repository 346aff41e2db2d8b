/**
 * The vectors of bundles and ticks: what the code makes is what the files say, byte for byte; what
 * the files say opens and verifies, and nothing that differs in one bit does.
 * @module
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromUtf8, toHex } from '../../src/base/bytes/index.ts';
import { decryptOnce, sha256 } from '../../src/base/hash/index.ts';
import { canonicalText, parseJson, type JsonObject } from '../../src/base/json/index.ts';
import {
  decryptAnswer,
  decryptRequest,
  openTopUpQuote,
  orderBox,
  parseSetupReply,
  parseSetupRequest,
  requestHash,
} from '../../src/pay/bundle/index.ts';
import { parseAsk, parseCall, parseTick } from '../../src/wire/toll/index.ts';
import { syncHostKeys, syncPayerKeys } from '../fixtures/keys.ts';
import { bundleVectors } from './bundle.ts';
import { MADE, binary, hex } from './exchange.ts';
import { tickVectors } from './tick.ts';

const read = (name: string): JsonObject =>
  JSON.parse(readFileSync(join(import.meta.dirname, name), 'utf8')) as JsonObject;
const bundle = read('bundle.json');
const tick = read('tick.json');
const text = (vector: JsonObject, name: string): string => vector[name] as string;
const list = (file: JsonObject, name: string): JsonObject[] => file[name] as JsonObject[];

/** The same bytes, one bit of the last one turned. */
function altered(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
  return copy;
}

test('the files are what the code makes', async () => {
  assert.deepEqual(bundle, JSON.parse(JSON.stringify(await bundleVectors())));
  assert.deepEqual(tick, JSON.parse(JSON.stringify(tickVectors())));
});

test('there are so many vectors', () => {
  const counts = (file: JsonObject, ...names: readonly string[]): number[] =>
    names.map((name) => list(file, name).length);
  const names = ['setups', 'calls', 'questions', 'topups', 'refunds'];
  assert.deepEqual(counts(bundle, ...names), [2, 6, 3, 2, 1]);
  assert.deepEqual(counts(tick, 'chains', 'lanes', 'calls', 'socket_proofs'), [5, 3, 4, 2]);
});

for (const vector of list(bundle, 'setups')) {
  test(`set-up of ${text(vector, 'name')}: opens for the host and for the payer`, async () => {
    const request = parseSetupRequest(vector['request']);
    const reply = parseSetupReply(vector['reply']);
    const [k1, k2] = await Promise.all([
      syncHostKeys().unwrap(binary(request.wrapped)),
      syncPayerKeys().unwrap(binary(reply.wrapped)),
    ]);
    assert.deepEqual([toHex(k1), toHex(k2)], [MADE.k1, MADE.k2]);
    const box = orderBox(k1, request);
    const order = decryptOnce(box.key, binary(request.encrypted), box.associated);
    assert.deepEqual(parseJson(order), vector['order']);
    assert.throws(() => decryptOnce(box.key, altered(binary(request.encrypted)), box.associated));
    assert.equal(toHex(sha256(canonicalText({ ...request }))), reply.setup);
  });
}

for (const vector of list(bundle, 'calls')) {
  test(`call: ${text(vector, 'name')}`, () => {
    const { n, done, salt, code } = parseCall(text(vector, 'credential'));
    const said = [`${n}`, `${done}`, toHex(salt), toHex(code)];
    assert.deepEqual(said, [vector['n'], vector['done'], vector['salt'], vector['code']]);
    const [service, credential] = [text(vector, 'service'), text(vector, 'encrypted_credential')];
    assert.equal(toHex(parseCall(credential).code), vector['encrypted_code']);
    const call = { codeKey: hex(vector['key']), salt, credential, service };
    const box = hex(vector['encrypted_input']);
    const input = decryptRequest(call, box);
    assert.equal(fromUtf8(input, 'input'), vector['input']);
    assert.equal(toHex(requestHash(service, parseJson(input))), vector['request_hash']);
    assert.throws(() => decryptRequest(call, altered(box)), { code: 'CODE_DECRYPT' });
    assert.throws(() => decryptRequest({ ...call, service: 'other' }, box), {
      code: 'CODE_DECRYPT',
    });
    for (const answer of list(vector, 'answers')) {
      const head = { status: Number(answer['status']), balance: text(answer, 'balance') };
      const encrypted = hex(answer['encrypted']);
      assert.equal(fromUtf8(decryptAnswer(call, head, encrypted), 'answer'), answer['plain']);
      const refused = { code: 'HOST_MALFORMED' };
      assert.throws(() => decryptAnswer(call, { ...head, status: 201 }, encrypted), refused);
      assert.throws(() => decryptAnswer(call, { ...head, balance: 'x' }, encrypted), refused);
      assert.throws(() => decryptAnswer(call, head, altered(encrypted)), refused);
    }
  });
}

test('questions, top-ups and refunds: the credential carries session, salt and code', () => {
  const asked = ['questions', 'topups', 'refunds'].flatMap((name) => list(bundle, name));
  for (const vector of asked) {
    const { session, salt, code } = parseAsk(text(vector, 'credential'));
    const said = [session, toHex(salt), toHex(code)];
    assert.deepEqual(said, [vector['session'], vector['salt'], vector['code']]);
  }
});

for (const vector of list(bundle, 'topups')) {
  test(`top-up: ${text(vector, 'name')}: the quotes are the host's`, () => {
    for (const quote of list(vector, 'quotes')) {
      openTopUpQuote(hex(vector['key']), quote);
      const dearer = { ...quote, total_msat: '4001' };
      assert.throws(() => openTopUpQuote(hex(vector['key']), dearer), { code: 'HOST_SIGNATURE' });
    }
  });
}

test('ticks hash down to their anchor, and credentials carry them', () => {
  for (const { anchor, ticks } of tick['chains'] as unknown as readonly Chain[]) {
    for (const { index, secret } of ticks) {
      let down = hex(secret);
      for (let i = 0; i < index; i++) down = sha256(down);
      assert.equal(toHex(down), anchor);
    }
  }
  for (const vector of list(tick, 'calls')) {
    const { lane, n, done, index, code, secret } = parseTick(text(vector, 'credential'));
    const said = { lane: toHex(lane), n, done, index, code, secret: toHex(secret) };
    assert.deepEqual({ ...vector, ...said }, vector);
  }
});

interface Chain {
  readonly anchor: string;
  readonly ticks: readonly { readonly index: number; readonly secret: string }[];
}
