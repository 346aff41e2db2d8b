/**
 * What a payer keeps of a purchase besides the store's own columns: secrets of the exchange before
 * the reply, the session's keys after it.
 * @module
 */
import { fromUtf8, utf8 } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import { jsonObject, parseJson, textMember } from '../base/json/index.ts';
import { parseMsat, type Msat } from '../base/money/index.ts';
import { binaryMember, member, parseSetupRequest, type SetupRequest } from '../pay/bundle/index.ts';

/** The secrets with which a set-up message was made: enough to send it again and open its reply. */
export interface SetupRecord {
  readonly stage: 'setup';
  readonly request: SetupRequest;
  readonly privatePem: string;
  readonly payerSecret: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly grant: Uint8Array;
  readonly calls: number;
  readonly maxTotalMsat: Msat;
}

/** A session that was offered: what is to be paid, and the key of its codes. */
export interface SessionRecord {
  readonly stage: 'session';
  readonly calls: number;
  readonly invoice: string;
  readonly payByMs: number;
  readonly expiresAtMs: number;
  readonly codeKey: Uint8Array;
}

/** A record as bytes for the store. */
export function printRecord(record: SetupRecord | SessionRecord): Uint8Array {
  if (record.stage === 'session') {
    return utf8(JSON.stringify({ ...record, codeKey: member(record.codeKey) }));
  }
  return utf8(
    JSON.stringify({
      ...record,
      payerSecret: member(record.payerSecret),
      ephemeral: member(record.ephemeral),
      grant: member(record.grant),
      maxTotalMsat: record.maxTotalMsat.toString(),
    }),
  );
}

/** Reads a record from the store. @throws Fault `STORE_CORRUPT` */
export function parseRecord(bytes: Uint8Array): SetupRecord | SessionRecord {
  try {
    const value = jsonObject(parseJson(fromUtf8(bytes, 'record')));
    if (value['stage'] === 'session') {
      return {
        stage: 'session',
        calls: Number(value['calls']),
        invoice: textMember(value, 'invoice'),
        payByMs: Number(value['payByMs']),
        expiresAtMs: Number(value['expiresAtMs']),
        codeKey: binaryMember(value['codeKey'], 'codeKey', 32),
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
      maxTotalMsat: parseMsat(value['maxTotalMsat']),
    };
  } catch (error) {
    throw new Fault('STORE_CORRUPT', { what: 'purchase record' }, error);
  }
}
