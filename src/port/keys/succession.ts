/**
 * Successions: a host's key names the key that follows it, and the new one signs back.
 *
 * A payer that pinned the old key follows it to the new one without asking anybody. What this is
 * worth, and what a thief of the old key can do with it: docs/keys.md.
 * @module
 */
import { fromHex, lengthPrefixed, u64, utf8 } from '../../base/bytes/index.ts';
import { Fault } from '../../base/fault/index.ts';
import type { UnixMs } from '../../base/time/index.ts';

/** What the two keys say of each other. */
export interface SuccessionFacts {
  /** SHA-256 of the old key in DER, hex. */
  readonly from: string;
  /** SHA-256 of the new one. */
  readonly to: string;
  /** The first rotation of a host is number 1. */
  readonly number: number;
  readonly atMs: UnixMs;
  /** The host opens set-ups that were made for the old key before this moment. */
  readonly untilMs: UnixMs;
}

/** The facts, signed by both keys. */
export interface Succession extends SuccessionFacts {
  /** By the old key, over `successionStatement`. */
  readonly signature: Uint8Array;
  /** By the new key, over `acceptanceStatement`. */
  readonly countersignature: Uint8Array;
}

const SUCCESSION_TAG = utf8('tollcall/host-key/succession/1');
const ACCEPTANCE_TAG = utf8('tollcall/host-key/acceptance/1');

/** What the old key signs: the new one follows me. */
export function successionStatement(facts: SuccessionFacts): Uint8Array {
  return lengthPrefixed(SUCCESSION_TAG, ...bound(facts));
}

/** What the new key signs: I follow the old one. */
export function acceptanceStatement(facts: SuccessionFacts): Uint8Array {
  return lengthPrefixed(ACCEPTANCE_TAG, ...bound(facts));
}

function bound({ from, to, number, atMs, untilMs }: SuccessionFacts): Uint8Array[] {
  const numbers = [number, atMs, untilMs].map((value) => u64(BigInt(value)));
  return [fromHex(from, 'from'), fromHex(to, 'to'), ...numbers];
}

/** What a succession is checked with: a public key. */
export interface Verifier {
  /** SHA-256 of the key in DER, hex. */
  readonly fingerprint: string;
  verify(statement: Uint8Array, signature: Uint8Array): boolean;
}

/**
 * Checks that each key follows the one before it, and the current one the last.
 * @param former oldest first
 * @throws Fault `HOST_SIGNATURE`
 */
export function checkSuccessions(
  current: Verifier,
  former: readonly { readonly key: Verifier; readonly succession: Succession }[],
): void {
  for (const [i, { key, succession }] of former.entries()) {
    const next = former[i + 1];
    const to = next?.key ?? current;
    const fits =
      succession.from === key.fingerprint &&
      succession.to === to.fingerprint &&
      succession.from !== succession.to &&
      (next === undefined || next.succession.number === succession.number + 1) &&
      key.verify(successionStatement(succession), succession.signature) &&
      to.verify(acceptanceStatement(succession), succession.countersignature);
    if (!fits)
      throw new Fault('HOST_SIGNATURE', { where: 'succession', number: succession.number });
  }
}
