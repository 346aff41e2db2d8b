/**
 * What happens to one call after the call machine has judged it.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import type { Msat } from '../base/money/index.ts';
import {
  chargeCall,
  entryOf,
  judgeCall,
  releaseCall,
  rerunAnswered,
  resumeCall,
  type AnswerPlace,
  type CallRequest,
  type Effect,
  type Judgement,
} from '../pay/ledger/index.ts';
import type { HostStore } from '../port/store/index.ts';
import type { UnixMs } from '../base/time/index.ts';
import type { AnswerFifo } from './answers.ts';
import type { WorkBudget } from './budget.ts';
import type { Admission, Answer } from './books.ts';
import { MAX_JOINERS } from './limits.ts';
import { pendingAnswer, rowNow, type HotSession, type Pending } from './hot-session.ts';
import type { Recover, Recovered } from './recovered.ts';
import type { Waiting, Writer } from './writer.ts';

/** What an admission works with. */
export interface AdmitContext {
  readonly store: HostStore;
  readonly writer: Writer;
  readonly answers: AnswerFifo;
  readonly budget: WorkBudget;
  readonly monotonicMs: () => number;
  /** Asked about calls that a crash has cut. */
  recover?: Recover;
  /** @throws Fault when the books are broken or closed */
  check(): void;
}

/** One call of one session. */
interface Call {
  readonly hot: HotSession;
  readonly request: CallRequest;
  /** Undefined: its service is sold no more, so nothing runs. */
  readonly effect: Effect | undefined;
}

/**
 * Admits a call of a session that is in memory; judges and reserves at once. A promise only where
 * something has to be durable first.
 * @throws Fault with the codes of `Books.admit`
 */
export function admitCall(
  context: AdmitContext,
  call: Call,
  nowMs: UnixMs,
): Admission | Promise<Admission> {
  const { hot, request, effect } = call;
  const answer = placeOf(context, call);
  const input = { row: rowNow(hot), calls: hot.calls, request, answer, nowMs };
  const judged = judgeCall({ ...input, effect: effect ?? 'none' });
  if (effect === undefined) assertNotRun(judged.kind);
  if (judged.kind === 'run') context.budget.check(hot.row.terms.payer, context.monotonicMs());
  forgetResolved(context, hot, judged.calls.done);
  hot.calls = judged.calls;
  switch (judged.kind) {
    case 'refused':
      if (judged.code === 'CALL_OUTCOME_UNKNOWN' && context.recover) {
        return recovering(context, call, nowMs, context.recover);
      }
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

/** @throws Fault `SERVICE_UNKNOWN`, `CALL_RERUN_FAILED` for what would have to run */
function assertNotRun(kind: Judgement['kind']): void {
  if (kind === 'run') throw new Fault('SERVICE_UNKNOWN');
  if (kind === 'rerun') throw new Fault('CALL_RERUN_FAILED', { reason: 'sold no more' });
}

function placeOf({ answers }: AdmitContext, { hot, request }: Call): AnswerPlace {
  if (hot.pending.has(request.n)) return 'pending';
  if (entryOf(hot.calls, request.n) === undefined) return 'gone';
  return answers.get(hot.row.terms.session, request.n) === undefined ? 'gone' : 'held';
}

/** Whoever declares a call resolved can ask for its answer no more. */
function forgetResolved({ answers }: AdmitContext, { row, calls }: HotSession, done: bigint): void {
  if (done === calls.done) return;
  for (const { n } of calls.entries) {
    if (n >= done) return;
    answers.forget(row.terms.session, n);
  }
}

function joined({ hot, request }: Call): Promise<Answer> {
  const pending = hot.pending.get(request.n);
  if (pending === undefined) throw new Error('invariant: a call under way has a pending answer');
  if (pending.joiners >= MAX_JOINERS) throw new Fault('CALL_BUSY', { n: request.n.toString() });
  pending.joiners++;
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

/** A call that a crash has cut: whoever asks for it meanwhile waits for the same answer. */
async function recovering(
  context: AdmitContext,
  call: Call,
  nowMs: UnixMs,
  recover: Recover,
): Promise<Admission> {
  const { hot, request, effect } = call;
  const { session } = hot.row.terms;
  const { service = hot.row.terms.service } = request;
  const pending = begin(call);
  let priceMsat: Msat;
  let found: Recovered;
  try {
    found = await recover({ service, session, n: request.n });
    context.check();
    if (found === 'unknown') throw new Fault('CALL_OUTCOME_UNKNOWN', { n: request.n.toString() });
    if (entryOf(hot.calls, request.n) === undefined) throw new Fault('CALL_FORGOTTEN');
    const input = { row: rowNow(hot), calls: hot.calls, request, nowMs };
    const judged = resumeCall({ ...input, effect: effect ?? 'once', answer: 'gone' });
    if (judged.kind === 'refused') throw new Fault(judged.code, { n: request.n.toString() });
    if (judged.kind !== 'run') throw new Error('invariant: it runs or is refused');
    hot.calls = judged.calls;
    ({ priceMsat } = judged);
  } catch (error) {
    end(call);
    pending.reject(error);
    throw error;
  }
  if (found !== 'not-done') {
    const answer = { body: found.done, chargedMsat: priceMsat };
    return {
      kind: 'repeat',
      answer: new Promise((resolve, reject) => {
        charge(context, call, pending, answer, { resolve, reject });
      }),
    };
  }
  await durable(context, call, pending);
  return admitted(context, call, pending, priceMsat);
}

function running(
  context: AdmitContext,
  call: Call,
  priceMsat: Msat,
): Admission | Promise<Admission> {
  const pending = begin(call);
  if (call.effect === 'none') return admitted(context, call, pending, priceMsat);
  // Before the handler runs it must be known that it was started: it must not run twice.
  return durable(context, call, pending).then(() => admitted(context, call, pending, priceMsat));
}

function admitted(context: AdmitContext, call: Call, pending: Pending, priceMsat: Msat): Admission {
  const ends = endOnce();
  const unpaid = stopwatch(context, call);
  return {
    kind: 'run',
    priceMsat,
    charge: (body) =>
      new Promise((resolve, reject) => {
        ends();
        guarded(context, call, pending);
        charge(context, call, pending, { body, chargedMsat: priceMsat }, { resolve, reject });
      }),
    release: async (reason) => {
      ends();
      unpaid();
      guarded(context, call, pending);
      await released(context, call, pending, reason);
    },
  };
}

/** Charges; the answer goes to whoever waits for it once that is durable. */
function charge(
  context: AdmitContext,
  call: Call,
  pending: Pending,
  answer: Answer,
  waiting: Waiting<Answer>,
): void {
  const { hot, request, effect } = call;
  const { session } = hot.row.terms;
  hot.calls = chargeCall(hot.calls, request.n);
  if (effect === 'once') hot.toStore.push({ session, n: request.n, ...answer });
  context.writer.imageThen(hot, {
    resolve: () => {
      end(call);
      context.answers.put(session, request.n, answer);
      pending.resolve(answer);
      waiting.resolve(answer);
    },
    reject: (reason) => {
      pending.reject(reason);
      waiting.reject(reason);
    },
  });
}

async function released(
  context: AdmitContext,
  call: Call,
  pending: Pending,
  reason: Fault | undefined,
): Promise<void> {
  const { hot, request, effect } = call;
  // A host that stops has cut the call; whether a handler with effect once took place is unknown.
  const trace = effect === 'once' || reason?.code !== 'HOST_STOPPING';
  hot.calls = releaseCall(hot.calls, request.n, trace);
  end(call);
  pending.reject(reason ?? new Fault('SERVICE_FAILED'));
  if (effect === 'once') await context.writer.image(hot);
}

function rerunning(context: AdmitContext, call: Call, chargedMsat: Msat): Admission {
  const pending = begin(call);
  const { hot, request } = call;
  const ends = endOnce();
  const unpaid = stopwatch(context, call);
  return {
    kind: 'rerun',
    answered: async (body) => {
      ends();
      unpaid();
      guarded(context, call, pending);
      hot.calls = rerunAnswered(hot.calls, request.n);
      end(call);
      const answer = { body, chargedMsat };
      context.answers.put(hot.row.terms.session, request.n, answer);
      pending.resolve(answer);
      return answer;
    },
    failed: (reason) => {
      ends();
      unpaid();
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

/** Measures a run from now; the result books it as work that nobody pays for. */
function stopwatch({ budget, monotonicMs }: AdmitContext, { hot }: Call): () => void {
  const beginMs = monotonicMs();
  return () => {
    const nowMs = monotonicMs();
    budget.spend(hot.row.terms.payer, nowMs - beginMs, nowMs);
  };
}

/** A call ends once. */
function endOnce(): () => void {
  let ended = false;
  return () => {
    if (ended) throw new Error('invariant: a call is charged or released once');
    ended = true;
  };
}
