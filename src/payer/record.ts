/**
 * What a payer keeps of a purchase besides the store's own columns: secrets of the exchange before
 * the reply, the session's keys after it.
 * @module
 */
import { fromUtf8, utf8 } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import {
  jsonObject,
  parseJson,
  textMember,
  type Json,
  type JsonObject,
} from '../base/json/index.ts';
import { parseMsat, type Msat } from '../base/money/index.ts';
import {
  binaryMember,
  member,
  parseOrderLines,
  parseSetupRequest,
  type OrderLine,
  type SetupRequest,
} from '../pay/bundle/index.ts';

/** What lanes are made from. */
export interface LaneSeed {
  /** 32 bytes: all secrets of all lanes follow from it. */
  readonly seed: Uint8Array;
  /** Ticks of each lane. */
  readonly lengths: readonly number[];
}

/** The secrets with which a set-up message was made: enough to send it again and open its reply. */
export interface SetupRecord {
  readonly stage: 'setup';
  readonly request: SetupRequest;
  readonly privatePem: string;
  readonly payerSecret: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly grant: Uint8Array;
  /** Of all lines. */
  readonly calls: number;
  /** What is ordered of each of several services; absent for one. */
  readonly lines?: readonly OrderLine[];
  /** Present when it is paid with ticks. */
  readonly lanes?: LaneSeed;
  readonly maxTotalMsat: Msat;
}

/** A top-up: what is asked for and, once there is a quote, what is to be paid. */
export interface TopUpRecord {
  readonly stage: 'topup';
  readonly calls: number;
  readonly maxTotalMsat: Msat;
  /** Empty until there is a quote. */
  readonly invoice: string;
  readonly payByMs: number;
}

/** A session that was offered: what is to be paid, and the key of its codes. */
export interface SessionRecord {
  readonly stage: 'session';
  /** The fingerprint under which it was sold; records of earlier versions do not say it. */
  readonly host?: string;
  readonly calls: number;
  readonly lines?: readonly OrderLine[];
  /** Present when it is paid with ticks. */
  readonly lanes?: LaneSeed;
  readonly invoice: string;
  readonly payByMs: number;
  readonly expiresAtMs: number;
  readonly codeKey: Uint8Array;
  /** A person pays it: no wallet of ours may pay it as well. */
  readonly byHand?: true;
}

/** What is kept of a purchase or a top-up. */
export type PurchaseRecord = SetupRecord | SessionRecord | TopUpRecord;

/** A record as bytes for the store. */
export function printRecord(record: PurchaseRecord): Uint8Array {
  if (record.stage === 'topup') {
    return utf8(JSON.stringify({ ...record, maxTotalMsat: record.maxTotalMsat.toString() }));
  }
  if (record.stage === 'session') {
    const codeKey = member(record.codeKey);
    return utf8(JSON.stringify({ ...record, codeKey, ...seedToJson(record) }));
  }
  return utf8(
    JSON.stringify({
      ...record,
      payerSecret: member(record.payerSecret),
      ephemeral: member(record.ephemeral),
      grant: member(record.grant),
      maxTotalMsat: record.maxTotalMsat.toString(),
      ...seedToJson(record),
    }),
  );
}

/** Reads a record from the store. @throws Fault `STORE_CORRUPT` */
export function parseRecord(bytes: Uint8Array): PurchaseRecord {
  try {
    const value = jsonObject(parseJson(fromUtf8(bytes, 'record')));
    if (value['stage'] === 'topup') {
      return {
        stage: 'topup',
        calls: Number(value['calls']),
        maxTotalMsat: parseMsat(value['maxTotalMsat']),
        invoice: textMember(value, 'invoice'),
        payByMs: Number(value['payByMs']),
      };
    }
    const lines =
      value['lines'] === undefined ? {} : { lines: parseOrderLines({ lines: value['lines'] }) };
    const lanes = value['lanes'] === undefined ? {} : { lanes: seedFromJson(value['lanes']) };
    if (value['stage'] === 'session') {
      return {
        stage: 'session',
        ...(value['host'] === undefined ? {} : { host: textMember(value, 'host') }),
        calls: Number(value['calls']),
        ...lines,
        ...lanes,
        invoice: textMember(value, 'invoice'),
        payByMs: Number(value['payByMs']),
        expiresAtMs: Number(value['expiresAtMs']),
        codeKey: binaryMember(value['codeKey'], 'codeKey', 32),
        ...(value['byHand'] === true ? { byHand: true } : {}),
      };
    }
    return {
      stage: 'setup',
      request: parseSetupRequest(value['request']),
      privatePem: textMember(value, 'privatePem'),
      payerSecret: binaryMember(value['payerSecret'], 'payerSecret', 32),
      ephemeral: binaryMember(value['ephemeral'], 'ephemeral', 32),
      grant: binaryMember(value['grant'], 'grant', 32),
      calls: Number(value['calls']),
      ...lines,
      ...lanes,
      maxTotalMsat: parseMsat(value['maxTotalMsat']),
    };
  } catch (error) {
    throw new Fault('STORE_CORRUPT', { what: 'purchase record' }, error);
  }
}

function seedToJson({ lanes }: { readonly lanes?: LaneSeed }): JsonObject {
  if (lanes === undefined) return {};
  return { lanes: { seed: member(lanes.seed), lengths: lanes.lengths } };
}

function seedFromJson(value: Json): LaneSeed {
  const { seed, lengths } = jsonObject(value);
  if (!Array.isArray(lengths)) throw new Fault('STORE_CORRUPT', { what: 'lanes' });
  return { seed: binaryMember(seed, 'seed', 32), lengths: lengths.map(Number) };
}
