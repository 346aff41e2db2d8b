/**
 * Questions about a session: where it stands, and its receipt. They cost nothing.
 * @module
 */
import { sameSecret } from '../base/bytes/index.ts';
import { Fault } from '../base/fault/index.ts';
import type { Json } from '../base/json/index.ts';
import { formatTime, type Clock } from '../base/time/index.ts';
import type { Books, Session } from '../books/index.ts';
import { askCode, printReceipt, type Question } from '../pay/bundle/index.ts';
import { refundableMsat } from '../pay/ledger/index.ts';
import type { HostKeys } from '../port/keys/index.ts';
import type { RefundTotals } from '../port/store/index.ts';
import { parseAsk } from '../wire/toll/index.ts';
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
  const fields = { host: parts.keys.fingerprint, session: id, salt, question };
  if (!sameSecret(askCode(session.terms.codeKey, fields), code)) throw new Fault('CODE_INVALID');
  if (!session.state.paid) await parts.payments.refresh().catch(() => undefined);
  const now = (await parts.books.session(id)) ?? session;
  switch (question) {
    case 'session':
      return describeSession(now);
    case 'receipt':
      return { receipt: receipt(parts, now, await parts.books.refundTotals(id)) };
  }
}

function describeSession({ terms, state }: Session): Json {
  return {
    session: terms.session,
    service: terms.service,
    calls: terms.calls,
    total_msat: terms.totalMsat.toString(),
    paid: state.paid,
    paid_msat: state.paidMsat.toString(),
    charged_msat: state.chargedMsat.toString(),
    charged_calls: state.chargedCalls,
    reserved_msat: state.reservedMsat.toString(),
    refunding_msat: state.refundingMsat.toString(),
    credit_msat: state.creditMsat.toString(),
    refundable_msat: refundableMsat(state.creditMsat).toString(),
    calls_left: state.callsLeft,
    expires_at_ms: terms.expiresAtMs,
  };
}

function receipt(
  { keys, clock }: QuestionParts,
  { terms, state }: Session,
  refunds: RefundTotals,
): string {
  const facts = {
    host: keys.fingerprint,
    session: terms.session,
    service: terms.service,
    paymentHash: terms.paymentHash,
    paidMsat: state.paidMsat,
    servedMsat: state.chargedMsat,
    refundedMsat: refunds.refundedMsat,
    refundFeesMsat: refunds.feesMsat,
    creditMsat: state.creditMsat,
    servedCalls: state.chargedCalls,
    at: formatTime(clock.now()),
  };
  const key = { publicKey: keys.receiptKey, certificate: keys.receiptCertificate };
  return printReceipt(facts, key, (message) => keys.signReceipt(message));
}
