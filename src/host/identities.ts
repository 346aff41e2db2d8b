/**
 * Under which of its keys a host does what: a session stays bound to the key it was sold under.
 * States, beliefs and losses: docs/keys.md.
 * @module
 */
import { sameSecret, toBase64url } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import type { UnixMs } from '../base/time/index.ts';
import type { FormerKeys, HostIdentity, HostKeys } from '../port/keys/index.ts';
import {
  MAX_FORMER_KEYS,
  MAX_REVOKED_KEYS,
  type Description,
  type FormerKeyDescription,
} from '../wire/toll/index.ts';

/** The identity that a set-up was made for, if it ever was one of this host. */
export function knownIdentity(
  keys: HostKeys,
  fingerprint: string,
): HostIdentity | FormerKeys | undefined {
  return [keys, ...keys.former].find((one) => one.fingerprint === fingerprint);
}

/** Checks that set-ups for an identity are still opened. @throws Fault `SETUP_HOST_KEY` */
export function assertOpens(identity: HostIdentity | FormerKeys, nowMs: UnixMs): void {
  if ('opensUntilMs' in identity && identity.opensUntilMs <= nowMs) {
    throw new Fault('SETUP_HOST_KEY');
  }
}

/** The fingerprints of a host: without the keys themselves. */
export interface KeyNames {
  readonly fingerprint: string;
  readonly former: readonly { readonly fingerprint: string }[];
}

/**
 * The fingerprint that a code is bound to: the current one or, for ever, a former one.
 * @param make the code under a fingerprint
 * @throws Fault `CODE_INVALID`
 */
export function boundFingerprint(
  keys: KeyNames,
  code: Uint8Array,
  make: (fingerprint: string) => Uint8Array,
): string {
  const all = [keys, ...keys.former.toReversed()];
  const found = all.find(({ fingerprint }) => sameSecret(make(fingerprint), code));
  if (found === undefined) throw new Fault('CODE_INVALID');
  return found.fingerprint;
}

/**
 * Who signs the receipts of what was sold under a fingerprint: the same key, as long as payers can
 * find it and nobody has stolen it, else the current one.
 */
export function receiptIdentity(keys: HostKeys, fingerprint: string): HostIdentity {
  return shown(keys).find((one) => one.fingerprint === fingerprint) ?? keys;
}

/** The former keys that payers are shown: those that lead to the current one. */
function shown({ former }: HostKeys): readonly FormerKeys[] {
  const stolen = former.findLastIndex(({ revoked }) => revoked);
  return former.slice(stolen + 1).slice(-MAX_FORMER_KEYS);
}

/** The members of a description that say who a host is, and was. */
export function describeKeys(
  keys: HostKeys,
): Pick<
  Description,
  'host_key' | 'host_key_fingerprint' | 'former_keys' | 'revoked_keys' | 'host_certificates'
> {
  const former = shown(keys).map(describeFormer);
  const revoked = keys.former.filter((one) => one.revoked).map((one) => one.fingerprint);
  return {
    host_key: keys.publicPem,
    host_key_fingerprint: keys.fingerprint,
    ...(former.length === 0 ? {} : { former_keys: former }),
    ...(revoked.length === 0 ? {} : { revoked_keys: revoked.slice(-MAX_REVOKED_KEYS) }),
    ...(keys.certificates === undefined ? {} : { host_certificates: keys.certificates }),
  };
}

function describeFormer({ publicPem, succession }: FormerKeys): FormerKeyDescription {
  return {
    host_key: publicPem,
    number: succession.number,
    at_ms: succession.atMs,
    until_ms: succession.untilMs,
    signature: toBase64url(succession.signature),
    countersignature: toBase64url(succession.countersignature),
  };
}
