/**
 * Trust: whether the key that a host shows is the one that the payer expects, or leads back to it.
 * What each way of knowing a host is worth: docs/keys.md.
 * @module
 */
import { fromBase64url } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { unixMs, type Clock, type UnixMs } from '../base/time/index.ts';
import {
  checkCertificates,
  checkSuccessions,
  peerKey,
  type FormerPeerKey,
  type PeerKey,
} from '../port/keys/index.ts';
import type { PayerStore } from '../port/store/index.ts';
import type { Description, FormerKeyDescription } from '../wire/toll/index.ts';

/**
 * How to know that a host is the right one: its key, the key's fingerprint, a CA that certifies it,
 * or else the first one it shows. Of several, all have to agree.
 */
export interface Trust {
  /** SPKI in PEM, from a file that the seller gave out. */
  readonly hostKeyPem?: string;
  /** SHA-256 of the key in DER, hex. */
  readonly fingerprint?: string;
  /** Certificates of CAs, in PEM: one of them has to vouch for the key. */
  readonly caPem?: string;
  /** The name in the host's certificate. Absent: that of its address. */
  readonly name?: string;
}

/** The keys that a host shows, of which each vouches for the next one. */
export interface ShownKeys {
  readonly key: PeerKey;
  /** Those that it had before, oldest first. */
  readonly former: readonly FormerPeerKey[];
}

/**
 * Reads the keys of a description and checks what they say of each other.
 * @throws Fault `KEY_MALFORMED`, `HOST_FOREIGN`, `HOST_SIGNATURE`
 */
export function readKeys(description: Description): ShownKeys {
  const key = peerKey(description.host_key);
  if (key.fingerprint !== description.host_key_fingerprint) throw new Fault('HOST_FOREIGN');
  const list = description.former_keys ?? [];
  const keys = [...list.map((one) => peerKey(one.host_key)), key];
  const former = list.map((one, i) => formerKey(one, keys[i] ?? key, keys[i + 1] ?? key));
  checkSuccessions(key, former);
  return { key, former };
}

function formerKey(shown: FormerKeyDescription, key: PeerKey, next: PeerKey): FormerPeerKey {
  const succession = {
    from: key.fingerprint,
    to: next.fingerprint,
    number: shown.number,
    atMs: unixMs(shown.at_ms),
    untilMs: unixMs(shown.until_ms),
    signature: fromBase64url(shown.signature, 'signature'),
    countersignature: fromBase64url(shown.countersignature, 'countersignature'),
  };
  return { key, succession };
}

/** A key of a host by its fingerprint: the current one, or one that leads to it. */
export function keyOf({ key, former }: ShownKeys, fingerprint: string): PeerKey | undefined {
  return [key, ...former.map((one) => one.key)].find((one) => one.fingerprint === fingerprint);
}

/**
 * The key whose word counts for a set-up that was made for it.
 * @throws Fault `SETUP_HOST_KEY` when it was replaced too long ago: order anew
 */
export function setupKey(shown: ShownKeys, fingerprint: string, nowMs: UnixMs): PeerKey {
  const open = shown.former.filter(({ succession }) => nowMs < succession.untilMs);
  const key = keyOf({ ...shown, former: open }, fingerprint);
  if (key === undefined) throw new Fault('SETUP_HOST_KEY');
  return key;
}

/** A host that shows itself, and what the payer remembers. */
export interface Meeting {
  readonly url: string;
  readonly description: Description;
  readonly shown: ShownKeys;
  readonly store: PayerStore;
  readonly clock: Clock;
}

/**
 * Checks the key of a host in each way that was asked for, else by the pin.
 * @throws Fault `HOST_KEY_CHANGED`, `HOST_CERTIFICATE`
 */
export async function checkTrust(meeting: Meeting, trust: Trust): Promise<void> {
  const { hostKeyPem, fingerprint, caPem } = trust;
  const told = [
    ...(hostKeyPem === undefined ? [] : [peerKey(hostKeyPem).fingerprint]),
    ...(fingerprint === undefined ? [] : [fingerprint]),
  ];
  for (const expected of told) assertLeads(meeting, expected);
  if (caPem !== undefined) await checkCa(meeting, caPem, trust.name);
  if (told.length === 0 && caPem === undefined) await checkPin(meeting);
}

/** Follows the pinned key to the one that the host shows, and pins that from now on. */
async function checkPin(meeting: Meeting): Promise<void> {
  const { url, shown, store, clock } = meeting;
  const { fingerprint } = shown.key;
  const pin = { host: url, fingerprint, pinnedAtMs: clock.now() };
  const pinned = await store.pin(pin);
  if (pinned.fingerprint === fingerprint) return;
  assertLeads(meeting, pinned.fingerprint);
  // Another process may have moved it in the meantime: what is pinned then counts.
  if ((await store.repin(pin, pinned.fingerprint)) === 'stale') await checkPin(meeting);
}

/** @throws Fault `HOST_KEY_CHANGED` unless the expected key leads to the one that is shown */
function assertLeads({ url, shown, description }: Meeting, expected: string): void {
  const revoked = description.revoked_keys?.includes(expected) === true;
  if (keyOf(shown, expected) !== undefined && !revoked) return;
  throw new Fault('HOST_KEY_CHANGED', {
    host: url,
    expected,
    shown: shown.key.fingerprint,
    ...(revoked ? { revoked: 'the host says that the expected key was stolen' } : {}),
  });
}

async function checkCa(
  { url, shown, description, clock }: Meeting,
  caPem: string,
  name: string | undefined,
): Promise<void> {
  await checkCertificates({
    certificates: description.host_certificates ?? '',
    caPem,
    name: name ?? new URL(url).hostname.replace(/^\[(.*)\]$/, '$1'),
    fingerprint: shown.key.fingerprint,
    nowMs: clock.now(),
  });
}
