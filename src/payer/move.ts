/**
 * Sessions that move to another profile, on this machine or another one.
 *
 * A session has one holder. It leaves the old profile before its file is given out. Whoever imports
 * a file goes on at a number far ahead, which nobody else has: a copy of the file, or the profile
 * that gave it away, never uses the same ones, and the host refuses those that lie behind.
 * @module
 */
import { fromBase64url, fromHex, toBase64url } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { jsonObject, parseJson, textMember } from '../base/json/index.ts';
import { parseMsat } from '../base/money/index.ts';
import { unixMs } from '../base/time/index.ts';
import type { MovedSession } from '../port/store/index.ts';
import { SERVICE_NAME } from '../wire/toll/index.ts';
import { JUMP_BYTES } from './limits.ts';
import { normalizeUrl, type LinkParts } from './link.ts';
import { parseRecord } from './record.ts';

const FORM = 'tollcall-session-1';

/** Gives a session away. */
export async function exportSession({ store, clock }: LinkParts, session: string): Promise<string> {
  const moved = await store.giveSession(session, clock.now());
  if (moved === undefined) throw new Fault('SESSION_UNKNOWN', { session });
  const { id, host, service, paymentHash, amountMsat, madeAtMs, record } = moved.purchase;
  const pinned = await store.pinned(host);
  const file = {
    form: FORM,
    host,
    ...(pinned === undefined ? {} : { fingerprint: pinned.fingerprint }),
    purchase: id,
    session,
    service,
    payment_hash: paymentHash ?? '',
    amount_msat: amountMsat.toString(),
    made_at_ms: madeAtMs,
    next: moved.next.toString(),
    record: toBase64url(record),
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** Takes a session. */
export async function importSession(
  { store, clock, random }: LinkParts,
  text: string,
): Promise<{ readonly host: string; readonly session: string }> {
  const { moved, fingerprint } = read(text);
  const { host, session = '' } = moved.purchase;
  // A pin that is here stays: the host may have a new key since, or the file an old one.
  if (fingerprint !== undefined) await store.pin({ host, fingerprint, pinnedAtMs: clock.now() });
  const jump = random.bytes(JUMP_BYTES).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  const taken = await store.takeSession({ ...moved, next: moved.next + 1n + jump });
  if (taken === 'here') throw new Fault('PURCHASE_CONFLICT', { session, problem: 'it is here' });
  return { host, session };
}

function read(text: string): { readonly moved: MovedSession; readonly fingerprint?: string } {
  try {
    const file = jsonObject(parseJson(text));
    if (file['form'] !== FORM) throw new Fault('JSON_MALFORMED', { name: 'form' });
    const record = fromBase64url(file['record'], 'record');
    if (parseRecord(record).stage !== 'session') throw new Fault('JSON_MALFORMED');
    const next = textMember(file, 'next');
    if (!/^\d{1,18}$/.test(next)) throw new Fault('JSON_MALFORMED', { name: 'next' });
    const [host, service] = [textMember(file, 'host'), textMember(file, 'service')];
    const madeAtMs = Number(file['made_at_ms']);
    const good =
      normalizeUrl(host) === host &&
      service.split(',').every((name) => SERVICE_NAME.test(name)) &&
      Number.isSafeInteger(madeAtMs);
    if (!good) throw new Fault('JSON_MALFORMED', { name: 'host, service or made_at_ms' });
    const purchase = {
      id: hexMember(file, 'purchase', 16),
      host,
      service,
      state: 'paid',
      session: hexMember(file, 'session', 16),
      paymentHash: hexMember(file, 'payment_hash', 32),
      amountMsat: parseMsat(file['amount_msat']),
      madeAtMs: unixMs(madeAtMs),
      record,
      version: 1,
    } as const;
    const moved = { purchase, next: BigInt(next) };
    if (file['fingerprint'] === undefined) return { moved };
    return { moved, fingerprint: hexMember(file, 'fingerprint', 32) };
  } catch (error) {
    throw new Fault('CONFIG_INVALID', { problem: 'not the file of a session' }, error);
  }
}

function hexMember(file: Parameters<typeof textMember>[0], name: string, bytes: number): string {
  const value = textMember(file, name);
  if (fromHex(value, name).length !== bytes) throw new Fault('BYTES_LENGTH', { name });
  return value;
}
