/**
 * The selling role: one object that takes requests and gives answers, whatever door they use.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import type { Json } from '../base/json/index.ts';
import type { Log } from '../base/log/index.ts';
import type { Random } from '../base/random/index.ts';
import type { Clock } from '../base/time/index.ts';
import type { Books } from '../books/index.ts';
import type { HostKeys } from '../port/keys/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import {
  BALANCE_HEADER,
  balanceToJson,
  fromAuthorization,
  printBalanceHeader,
  type Description,
} from '../wire/toll/index.ts';
import { printResult, spliceResult, type RpcRequest } from '../wire/rpc/index.ts';
import { Counter } from './calls.ts';
import { describeHost } from './describe.ts';
import { answerQuestion } from './desk.ts';
import { Documents, type PageMaker } from './documents.ts';
import {
  answerEnvelope,
  credentialOf,
  encodeJson,
  reported,
  type EnvelopeParts,
} from './envelope.ts';
import { HOST_LIMITS, type HostLimits } from './limits.ts';
import {
  jsonBody,
  jsonResponse,
  problemResponse,
  unavailableResponse,
  type HostRequest,
  type HostResponse,
} from './message.ts';
import type { CallMeter } from './meter.ts';
import { PaymentWatch } from './payments.ts';
import { recoverer } from './recover.ts';
import { RefundDesk } from './refunds.ts';
import type { Service } from './service.ts';
import { sweepBooks } from './sweep.ts';
import { isEncrypted, encryptedCall } from './encrypted.ts';
import { SetupDesk } from './setup.ts';
import { TopUpDesk } from './topups.ts';
import { UnpaidPlaces } from './unpaid-places.ts';

/** What a host is made of. */
export interface HostParts {
  readonly keys: HostKeys;
  readonly wallet: Wallet;
  readonly books: Books;
  readonly services: readonly Service[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /**
   * Credit of a session that expired longer ago is no longer owed. Absent: it is owed for ever.
   */
  readonly creditKeepDays?: number;
  /** What a browser is shown at `/`. */
  readonly page?: PageMaker;
  readonly limits?: Partial<HostLimits>;
  /** Told of each call. */
  readonly meter?: CallMeter;
  /** Ends other processes that write into these books, before the books are closed. */
  readonly endOthers?: () => Promise<void>;
}

/** What a host is doing. */
export interface HostState {
  /** It takes no more calls. */
  readonly stopping: boolean;
  /** The books can be written. */
  readonly booksOpen: boolean;
  /** The wallet has answered within the last ten seconds. */
  readonly walletAnswers: boolean;
  readonly runningCalls: number;
  /** Set-ups under way and invoices that can still be paid. */
  readonly unpaidSetups: number;
}

/** A host that sells calls. */
export interface Host {
  /** What it sells, and for how much. */
  readonly description: Description;
  /** Answers a request. Never rejects: every failure is an answer. */
  handle(request: HostRequest): Promise<HostResponse>;
  state(): HostState;
  /** Books what the wallet has received by now: a payer may be faster than the wallet's wake-up. */
  bookPayments(): Promise<void>;
  /**
   * Finishes or releases what runs, then closes the books. The wallet stays open: it is the
   * caller's.
   */
  close(): Promise<void>;
}

/**
 * Opens a host: books what was paid while it was away, then serves.
 * @throws Fault `CONFIG_INVALID`
 */
export async function openHost(parts: HostParts): Promise<Host> {
  const services = new Map(parts.services.map((service) => [service.name, service]));
  if (services.size !== parts.services.length) {
    throw new Fault('CONFIG_INVALID', { problem: 'two services have one name' });
  }
  const keepDays = parts.creditKeepDays ?? 0;
  if (!Number.isInteger(keepDays) || keepDays < 0) {
    throw new Fault('CONFIG_INVALID', { problem: 'creditKeepDays' });
  }
  const limits = { ...HOST_LIMITS, ...parts.limits };
  const places = new UnpaidPlaces(limits);
  const desk = new SetupDesk({ ...parts, services, limits, places });
  const credited = (paymentHash: string): void => places.paid(paymentHash);
  const payments = new PaymentWatch({ ...parts, credited });
  parts.books.recoverWith(recoverer(services));
  const { network } = await parts.wallet.info();
  const description = describeHost(network, parts);
  const rooms: Rooms = {
    ...parts,
    limits,
    envelope: {
      limits,
      log: parts.log,
      dispatch: (request, from) => dispatch(rooms, request, from),
    },
    payments,
    desk,
    topUps: new TopUpDesk({ ...parts, payments, services, places }),
    refunds: new RefundDesk(parts),
    counter: new Counter({
      ...parts,
      limits,
      meter: parts.meter,
      payments,
      services,
    }),
    description,
    documents: new Documents(description, parts.page),
  };
  await payments.start();
  await rooms.refunds.start();
  const stopSweeping = sweepBooks({ ...parts, payments });
  return {
    description: rooms.description,
    handle: (request) => handle(rooms, request),
    state: () => stateOf(rooms),
    bookPayments: () => payments.refresh(),
    close: async () => {
      stopSweeping();
      await rooms.counter.stop(limits.stopGraceMs);
      await rooms.refunds.stop(limits.stopGraceMs);
      await payments.stop();
      await parts.endOthers?.();
      await parts.books.close();
    },
  };
}

interface Rooms extends HostParts {
  readonly limits: HostLimits;
  readonly envelope: EnvelopeParts;
  readonly refunds: RefundDesk;
  readonly payments: PaymentWatch;
  readonly desk: SetupDesk;
  readonly topUps: TopUpDesk;
  readonly counter: Counter;
  readonly description: Description;
  readonly documents: Documents;
}

function stateOf({ books, counter, desk, payments }: Rooms): HostState {
  return {
    stopping: counter.stopping,
    booksOpen: isOpen(books),
    walletAnswers: payments.walletAnswers,
    runningCalls: counter.running,
    unpaidSetups: desk.unpaidCount(),
  };
}

function isOpen(books: Books): boolean {
  try {
    books.assertOpen();
    return true;
  } catch {
    return false;
  }
}

/** `GET /health`: 503 when it serves nothing any more, and has to be started again. */
function health({ stopping, booksOpen }: HostState): HostResponse {
  if (stopping) return problemResponse(new Fault('HOST_STOPPING'));
  if (booksOpen) return jsonResponse(200, { status: 'ok' });
  return unavailableResponse(new Fault('HOST_BROKEN', { reason: 'the books cannot be written' }));
}

/** `GET /ready`: 503 tells a load balancer to send calls elsewhere. */
function readiness(state: HostState): HostResponse {
  const { stopping, booksOpen, walletAnswers } = state;
  const waiting = [
    ...(stopping ? ['stopping'] : []),
    ...(booksOpen ? [] : ['books']),
    ...(walletAnswers ? [] : ['wallet']),
  ];
  return waiting.length === 0
    ? jsonResponse(200, { status: 'ready' })
    : jsonResponse(503, { status: 'not ready', waiting });
}

async function handle(rooms: Rooms, request: HostRequest): Promise<HostResponse> {
  try {
    const { bodyBytes: max } = rooms.limits;
    // What was passed on was small enough where it came in.
    if (request.via === undefined && request.body.length > max) {
      throw new Fault('REQUEST_TOO_LARGE', { max });
    }
    return await route(rooms, request);
  } catch (error) {
    return problemResponse(reported(rooms.log, error));
  }
}

function route(rooms: Rooms, request: HostRequest): HostResponse | Promise<HostResponse> {
  const { path } = request;
  if (path === '/rpc') return answerEnvelope(rooms.envelope, only('POST', request));
  if (path.startsWith('/call/')) return call(rooms, only('POST', request));
  if (path === '/health') {
    only('GET', request);
    return health(stateOf(rooms));
  }
  if (path === '/ready') {
    only('GET', request);
    return readiness(stateOf(rooms));
  }
  const document = rooms.documents.answer(request);
  if (document !== undefined) return document;
  throw new Fault('REQUEST_UNKNOWN');
}

function only(method: string, request: HostRequest): HostRequest {
  if (request.method !== method) throw new Fault('REQUEST_METHOD', { allow: method });
  return request;
}

/** `POST /call/<service>`: the body is the input, the answer's body is the result. */
async function call(rooms: Rooms, request: HostRequest): Promise<HostResponse> {
  const service = request.path.slice('/call/'.length);
  const credential = fromAuthorization(request.header('authorization'));
  if (isEncrypted(request)) {
    const { counter, random, log } = rooms;
    const parts = { counter, random, reported: (error: unknown) => reported(log, error) };
    return encryptedCall(parts, { credential, service, body: request.body });
  }
  const answer = await rooms.counter.serve({ credential, service, input: jsonBody(request) });
  return jsonResponse(200, answer.body, { [BALANCE_HEADER]: printBalanceHeader(answer.balance) });
}

/** One request of an envelope. */
async function dispatch(
  rooms: Rooms,
  request: RpcRequest,
  { address }: HostRequest,
): Promise<Uint8Array> {
  const id = request.id ?? null;
  if (!request.method.startsWith('toll.')) {
    const { method: service, params: input } = request;
    const answer = await rooms.counter.serve({ credential: credentialOf(request), service, input });
    return spliceResult(id, answer.body, balanceToJson(answer.balance));
  }
  return encodeJson(printResult(id, await control(rooms, request, address)));
}

/** What is not a paid call. */
async function control(rooms: Rooms, request: RpcRequest, address: string): Promise<Json> {
  switch (request.method) {
    case 'toll.describe':
      return rooms.description as unknown as Json;
    case 'toll.setup':
      return await rooms.desk.answer(request.params, address);
    case 'toll.session':
      return await answerQuestion(rooms, 'session', credentialOf(request));
    case 'toll.refund':
      return await rooms.refunds.answer(request.params, credentialOf(request));
    case 'toll.topup':
      return await rooms.topUps.answer(request.params, credentialOf(request), address);
    case 'toll.receipt':
      return await answerQuestion(rooms, 'receipt', credentialOf(request));
    default:
      throw new Fault('REQUEST_UNKNOWN');
  }
}
