/**
 * Questions about a session: where it stands, and its receipt. They cost nothing.
 * @module
 */
import { toBase64url } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import type { Json, JsonObject } from '../base/json/index.ts';
import { formatTime, type Clock, type UnixMs } from '../base/time/index.ts';
import type { Books, LaneStatement, Session } from '../books/index.ts';
import { askCode, printReceipt, type Question } from '../pay/bundle/index.ts';
import { refundableMsat } from '../pay/ledger/index.ts';
import type { HostIdentity, HostKeys } from '../port/keys/index.ts';
import type { RefundTotals } from '../port/store/index.ts';
import { parseAsk } from '../wire/toll/index.ts';
import { boundFingerprint, receiptIdentity } from './identities.ts';
import type { PaymentWatch } from './payments.ts';

/** What the questions are answered from. */
export interface QuestionParts {
  readonly keys: HostKeys;
  readonly books: Books;
  readonly payments: PaymentWatch;
  readonly clock: Clock;
}

/**
 * Answers a question of a session's owner.
 * @throws Fault `CODE_MALFORMED`, `SESSION_UNKNOWN`, `CODE_INVALID`
 */
export async function answerQuestion(
  parts: QuestionParts,
  question: Question,
  credential: string,
): Promise<Json> {
  const { session: id, salt, code } = parseAsk(credential);
  const session = await parts.books.session(id);
  if (!session) throw new Fault('SESSION_UNKNOWN');
  const soldUnder = boundFingerprint(parts.keys, code, (host) =>
    askCode(session.terms.codeKey, { host, session: id, salt, question }),
  );
  if (!session.state.paid) await parts.payments.refresh().catch(() => undefined);
  const now = (await parts.books.session(id)) ?? session;
  switch (question) {
    case 'session':
      return describeSession(now, await parts.books.lanes.statement(id));
    case 'receipt': {
      const signer = receiptIdentity(parts.keys, soldUnder);
      const refunds = await parts.books.refundTotals(id);
      return { receipt: receipt(signer, now, refunds, parts.clock.now()) };
    }
  }
}

function describeSession({ terms, bought, state }: Session, lanes: readonly LaneStatement[]): Json {
  return {
    session: terms.session,
    service: terms.service,
    calls: bought.calls,
    total_msat: bought.totalMsat.toString(),
    paid: state.paid,
    paid_msat: state.paidMsat.toString(),
    charged_msat: state.chargedMsat.toString(),
    charged_calls: state.chargedCalls,
    reserved_msat: state.reservedMsat.toString(),
    refunding_msat: state.refundingMsat.toString(),
    credit_msat: state.creditMsat.toString(),
    refundable_msat: refundableMsat(state.creditMsat).toString(),
    calls_left: state.callsLeft,
    expires_at_ms: bought.expiresAtMs,
    ...describeLines(bought, state),
    ...(lanes.length === 0 ? {} : { lanes: lanes.map(describeLane) }),
  };
}

/** Whoever claims that an index was reached shows its tick. */
function describeLane({ length, closed, index, tip, spent, done }: LaneStatement): JsonObject {
  return { length, closed, index, tip: toBase64url(tip), spent, done };
}

/** With several services: what was bought of each, and what is left. */
function describeLines({ lines }: Session['bought'], state: Session['state']): JsonObject {
  if (lines === undefined) return {};
  const described = lines.map(({ service, calls, totalMsat }, i) => {
    const left = state.lines?.[i]?.callsLeft ?? 0;
    return { service, calls, total_msat: totalMsat.toString(), calls_left: left };
  });
  return { lines: described };
}

function receipt(
  signer: HostIdentity,
  { terms, state }: Session,
  refunds: RefundTotals,
  now: UnixMs,
): string {
  const facts = {
    host: signer.fingerprint,
    session: terms.session,
    service: terms.service,
    paymentHash: terms.paymentHash,
    paidMsat: state.paidMsat,
    servedMsat: state.chargedMsat,
    refundedMsat: refunds.refundedMsat,
    refundFeesMsat: refunds.feesMsat,
    creditMsat: state.creditMsat,
    servedCalls: state.chargedCalls,
    at: formatTime(now),
  };
  const key = { publicKey: signer.receiptKey, certificate: signer.receiptCertificate };
  return printReceipt(facts, key, (message) => signer.signReceipt(message));
}
