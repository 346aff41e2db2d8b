/**
 * What happens to one call after the call machine has judged it.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import type { Msat } from '../base/money/index.ts';
import {
  chargeCall,
  judgeCall,
  releaseCall,
  rerunAnswered,
  type AnswerPlace,
  type CallRequest,
  type Effect,
} from '../pay/ledger/index.ts';
import type { HostStore } from '../port/store/index.ts';
import type { UnixMs } from '../base/time/index.ts';
import type { AnswerFifo } from './answers.ts';
import type { Admission, Answer } from './books.ts';
import { pendingAnswer, type HotSession, type Pending } from './hot-session.ts';
import type { Writer } from './writer.ts';

/** What an admission works with. */
export interface AdmitContext {
  readonly store: HostStore;
  readonly writer: Writer;
  readonly answers: AnswerFifo;
  /** @throws Fault when the books are broken or closed */
  check(): void;
}

/** One call of one session. */
interface Call {
  readonly hot: HotSession;
  readonly request: CallRequest;
  readonly effect: Effect;
}

/**
 * Admits a call of a session that is in memory; judges and reserves before its first await.
 * @throws Fault with the codes of `Books.admit`
 */
export async function admitCall(
  context: AdmitContext,
  call: Call,
  nowMs: UnixMs,
): Promise<Admission> {
  const { hot, request, effect } = call;
  const answer = placeOf(context, call);
  const judged = judgeCall({ row: hot.row, calls: hot.calls, request, effect, answer, nowMs });
  hot.calls = judged.calls;
  switch (judged.kind) {
    case 'refused':
      throw new Fault(judged.code, { n: request.n.toString() });
    case 'join':
      return { kind: 'repeat', answer: joined(call) };
    case 'repeat':
      return { kind: 'repeat', answer: repeated(context, call) };
    case 'rerun':
      return rerunning(context, call, judged.chargedMsat);
    case 'run':
      return running(context, call, judged.priceMsat);
  }
}

function placeOf({ answers }: AdmitContext, { hot, request }: Call): AnswerPlace {
  if (hot.pending.has(request.n)) return 'pending';
  return answers.get(hot.row.terms.session, request.n) === undefined ? 'gone' : 'held';
}

function joined({ hot, request }: Call): Promise<Answer> {
  const pending = hot.pending.get(request.n);
  if (pending === undefined) throw new Error('invariant: a call under way has a pending answer');
  return pending.answer;
}

/** The answer from memory, or from the store. */
async function repeated({ answers, store }: AdmitContext, { hot, request }: Call): Promise<Answer> {
  const { session } = hot.row.terms;
  const held = answers.get(session, request.n);
  if (held !== undefined) return held;
  const stored = await store.storedAnswer(session, request.n);
  // It can go while it is looked up, when the payer declares the call resolved.
  if (stored === undefined) throw new Fault('CALL_FORGOTTEN', { n: request.n.toString() });
  return { body: stored.body, chargedMsat: stored.chargedMsat };
}

async function running(context: AdmitContext, call: Call, priceMsat: Msat): Promise<Admission> {
  const pending = begin(call);
  if (call.effect === 'once') {
    // Before the handler runs it must be known that it was started: it must not run twice.
    await durable(context, call, pending);
  }
  const settle = settleOnce();
  return {
    kind: 'run',
    priceMsat,
    charge: async (body) => {
      settle();
      guarded(context, call, pending);
      return charged(context, call, pending, { body, chargedMsat: priceMsat });
    },
    release: async (reason) => {
      settle();
      guarded(context, call, pending);
      await released(context, call, pending, reason);
    },
  };
}

async function charged(
  context: AdmitContext,
  call: Call,
  pending: Pending,
  answer: Answer,
): Promise<Answer> {
  const { hot, request, effect } = call;
  const { session } = hot.row.terms;
  hot.calls = chargeCall(hot.calls, request.n);
  if (effect === 'once') hot.toStore.push({ session, n: request.n, ...answer });
  await durable(context, call, pending);
  end(call);
  context.answers.put(session, request.n, answer);
  pending.resolve(answer);
  return answer;
}

async function released(
  context: AdmitContext,
  call: Call,
  pending: Pending,
  reason: Fault | undefined,
): Promise<void> {
  const { hot, request, effect } = call;
  hot.calls = releaseCall(hot.calls, request.n);
  end(call);
  pending.reject(reason ?? new Fault('SERVICE_FAILED'));
  if (effect === 'once') await context.writer.image(hot);
}

function rerunning(context: AdmitContext, call: Call, chargedMsat: Msat): Admission {
  const pending = begin(call);
  const { hot, request } = call;
  const settle = settleOnce();
  return {
    kind: 'rerun',
    answered: async (body) => {
      settle();
      guarded(context, call, pending);
      hot.calls = rerunAnswered(hot.calls, request.n);
      end(call);
      const answer = { body, chargedMsat };
      context.answers.put(hot.row.terms.session, request.n, answer);
      pending.resolve(answer);
      return answer;
    },
    failed: (reason) => {
      settle();
      end(call);
      pending.reject(reason ?? new Fault('SERVICE_FAILED'));
    },
  };
}

function begin({ hot, request }: Call): Pending {
  const pending = pendingAnswer();
  hot.pending.set(request.n, pending);
  hot.pins++;
  return pending;
}

function end({ hot, request }: Call): void {
  hot.pending.delete(request.n);
  hot.pins--;
}

/** Waits until the session is written; whoever joined the call shares a failure. */
async function durable({ writer }: AdmitContext, { hot }: Call, pending: Pending): Promise<void> {
  try {
    await writer.image(hot);
  } catch (error) {
    pending.reject(error);
    throw error;
  }
}

/** Refuses when the books are broken or closed; whoever joined the call is told. */
function guarded(context: AdmitContext, call: Call, pending: Pending): void {
  try {
    context.check();
  } catch (error) {
    pending.reject(error);
    call.hot.pending.delete(call.request.n);
    throw error;
  }
}

/** A call ends once. */
function settleOnce(): () => void {
  let settled = false;
  return () => {
    if (settled) throw new Error('invariant: a call is charged or released once');
    settled = true;
  };
}
