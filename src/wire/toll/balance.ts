/**
 * The state of a session as it travels with each answer: the header `Toll-Session` on HTTP, the
 * member `toll` on JSON-RPC.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import { jsonObject, type Json } from '../../base/json/index.ts';
import { parseMsat, type Msat } from '../../base/money/index.ts';

/** What a call cost and what is left. */
export interface CallBalance {
  /** What this message charged: zero for a repeat. */
  readonly chargedMsat: Msat;
  readonly creditMsat: Msat;
  readonly callsLeft: number;
}

/** The header's name. */
export const BALANCE_HEADER = 'toll-session';

/** As a structured header (RFC 9651 dictionary): `charged=500, credit=1500, calls-left=3`. */
export function printBalanceHeader(balance: CallBalance): string {
  const { chargedMsat, creditMsat, callsLeft } = balance;
  return `charged=${chargedMsat}, credit=${creditMsat}, calls-left=${callsLeft}`;
}

/** Reads the header. @throws Fault `HOST_MALFORMED` */
export function parseBalanceHeader(text: string | undefined): CallBalance {
  const match = /^charged=(\d+), credit=(\d+), calls-left=(\d{1,15})$/.exec(text ?? '');
  if (!match) throw malformed(BALANCE_HEADER);
  return {
    chargedMsat: amount(match[1], BALANCE_HEADER),
    creditMsat: amount(match[2], BALANCE_HEADER),
    callsLeft: Number(match[3]),
  };
}

/** As a member of a JSON-RPC response. */
export function balanceToJson(balance: CallBalance): Json {
  return {
    charged_msat: balance.chargedMsat.toString(),
    credit_msat: balance.creditMsat.toString(),
    calls_left: balance.callsLeft,
  };
}

/** Reads the member of a JSON-RPC response. @throws Fault `HOST_MALFORMED` */
export function balanceFromJson(value: Json | undefined): CallBalance {
  try {
    const { charged_msat: charged, credit_msat: credit, calls_left: left } = jsonObject(value);
    if (!Number.isSafeInteger(left) || Number(left) < 0) throw malformed('calls_left');
    return {
      chargedMsat: parseMsat(charged),
      creditMsat: parseMsat(credit),
      callsLeft: Number(left),
    };
  } catch {
    throw malformed('toll');
  }
}

/**
 * An amount after which nobody knows what the call cost: not the `MONEY_RANGE` of a refused call.
 */
function amount(text: string | undefined, where: string): Msat {
  try {
    return parseMsat(text);
  } catch {
    throw malformed(where);
  }
}

function malformed(where: string): Fault {
  return new Fault('HOST_MALFORMED', { where });
}
