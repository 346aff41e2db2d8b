/**
 * What a host says of its keys, past and present, when it may be hostile.
 * @module
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fixtureRotatedKeys, syncHostKeys } from '../../test/fixtures/keys.ts';
import { onlyFaults, spoiled, values } from '../../test/fuzz/hostile.ts';
import { toBase64url } from '../base/bytes/index.ts';
import type { Json, JsonObject } from '../base/json/index.ts';
import { unixMs } from '../base/time/index.ts';
import { MAX_FORMER_KEYS, MAX_REVOKED_KEYS, parseDescription } from '../wire/toll/index.ts';
import { keyOf, readKeys, setupKey } from './trust.ts';

const keys = await fixtureRotatedKeys({ atMs: unixMs(5), untilMs: unixMs(9) });
const [before] = keys.former;
assert.ok(before);
const { succession } = before;
const FORMER: JsonObject = {
  host_key: before.publicPem,
  number: 1,
  at_ms: 5,
  until_ms: 9,
  signature: toBase64url(succession.signature),
  countersignature: toBase64url(succession.countersignature),
};
const GOOD: JsonObject = {
  protocol: 'tollcall-1',
  network: 'regtest',
  host_key: keys.publicPem,
  host_key_fingerprint: keys.fingerprint,
  services: [],
};
const showing = (...former: readonly Json[]): JsonObject => ({ ...GOOD, former_keys: former });
const stranger = syncHostKeys(0);

test('a former key leads to the current one, and signs set-ups until its overlap ends', () => {
  const shown = readKeys(parseDescription(showing(FORMER)));
  assert.deepEqual(shown.former[0]?.succession, succession);
  assert.equal(keyOf(shown, before.fingerprint)?.publicPem, before.publicPem);
  assert.equal(keyOf(shown, keys.fingerprint), shown.key);
  assert.equal(keyOf(shown, '00'.repeat(32)), undefined);
  assert.equal(setupKey(shown, before.fingerprint, unixMs(8)).fingerprint, before.fingerprint);
  assert.equal(setupKey(shown, keys.fingerprint, unixMs(9)), shown.key);
  const late = (): unknown => setupKey(shown, before.fingerprint, unixMs(9));
  assert.throws(late, { code: 'SETUP_HOST_KEY' });
  assert.throws(() => setupKey(shown, '00'.repeat(32), unixMs(8)), { code: 'SETUP_HOST_KEY' });
});

test('a succession that is not signed by both keys, or is for other ones, is refused', () => {
  const { signature, countersignature } = FORMER;
  const lies: readonly Json[] = [
    showing({ ...FORMER, signature: countersignature ?? null }),
    showing({ ...FORMER, countersignature: signature ?? null }),
    showing({ ...FORMER, number: 2 }),
    showing({ ...FORMER, at_ms: 6 }),
    showing({ ...FORMER, until_ms: 10 }),
    showing({ ...FORMER, host_key: keys.publicPem }),
    showing(FORMER, FORMER),
    {
      ...showing(FORMER),
      host_key: stranger.publicPem,
      host_key_fingerprint: stranger.fingerprint,
    },
  ];
  for (const lie of lies) {
    assert.throws(() => readKeys(parseDescription(lie)), { code: 'HOST_SIGNATURE' });
  }
});

test('members beyond their form and bounds are refused', () => {
  const bad: readonly Json[] = [
    showing({ ...FORMER, colour: 'red' }),
    showing({ ...FORMER, number: 0 }),
    showing({ ...FORMER, at_ms: -1 }),
    showing({ ...FORMER, at_ms: 2 ** 53 }),
    showing({ ...FORMER, signature: 'AA' }),
    showing({ ...FORMER, signature: `${toBase64url(succession.signature)}\n` }),
    showing(...Array.from({ length: MAX_FORMER_KEYS + 1 }, () => FORMER)),
    { ...GOOD, former_keys: FORMER },
    { ...GOOD, revoked_keys: ['x'] },
    { ...GOOD, revoked_keys: Array.from({ length: MAX_REVOKED_KEYS + 1 }, () => '00'.repeat(32)) },
    { ...GOOD, host_certificates: 'x'.repeat(30_000) },
    { ...GOOD, host_certificates: 7 },
  ];
  for (const value of bad) {
    assert.throws(() => parseDescription(value), { code: 'HOST_MALFORMED' });
  }
});

test('whatever a host says of its keys, it is understood or refused', () => {
  const names = ['former_keys', 'revoked_keys', 'host_certificates', ...Object.keys(FORMER)];
  const members = fc.record(
    {
      former_keys: fc.array(fc.oneof(fc.constant(FORMER), spoiled(FORMER)), { maxLength: 3 }),
      revoked_keys: fc.oneof(fc.array(fc.string()), values(names)),
      host_certificates: fc.oneof(fc.string(), values(names)),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(members, (some) => {
      const description = onlyFaults(() => parseDescription({ ...GOOD, ...some }));
      const shown = description && onlyFaults(() => readKeys(description));
      for (const { key } of shown?.former ?? []) assert.equal(key.fingerprint, before.fingerprint);
    }),
    { numRuns: 500 },
  );
});
