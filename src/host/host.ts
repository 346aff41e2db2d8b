/**
 * The selling role: one object that takes requests and gives answers, whatever door they use.
 * @module
 */
import { Fault, asFault, isHostCode } from '../base/fault/index.ts';
import { concat, utf8 } from '../base/bytes/index.ts';
import type { Json } from '../base/json/index.ts';
import type { Log } from '../base/log/index.ts';
import type { Random } from '../base/random/index.ts';
import type { Clock } from '../base/time/index.ts';
import type { Books } from '../books/index.ts';
import type { HostKeys } from '../port/keys/index.ts';
import type { Wallet } from '../port/wallet/index.ts';
import {
  BALANCE_HEADER,
  DESCRIPTION_PATH,
  balanceToJson,
  fromAuthorization,
  printBalanceHeader,
  type Description,
} from '../wire/toll/index.ts';
import {
  printError,
  printResult,
  parseRequest,
  salvageId,
  spliceResult,
  type RpcRequest,
} from '../wire/rpc/index.ts';
import { Counter } from './calls.ts';
import { describeHost } from './describe.ts';
import { answerQuestion } from './desk.ts';
import { MAX_BATCH, MAX_BATCH_ANSWER_BYTES, MAX_BODY_BYTES, STOP_GRACE_MS } from './limits.ts';
import {
  jsonBody,
  jsonResponse,
  problemResponse,
  type HostRequest,
  type HostResponse,
} from './message.ts';
import { PaymentWatch } from './payments.ts';
import { recoverer } from './recover.ts';
import { RefundDesk } from './refunds.ts';
import type { Service } from './service.ts';
import { sweepCredit } from './sweep.ts';
import { SetupDesk } from './setup.ts';

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
}

/** A host that sells calls. */
export interface Host {
  /** What it sells, and for how much. */
  readonly description: Description;
  /** Answers a request. Never rejects: every failure is an answer. */
  handle(request: HostRequest): Promise<HostResponse>;
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
  const desk = new SetupDesk({ ...parts, services });
  const credited = (paymentHash: string): void => desk.paid(paymentHash);
  const payments = new PaymentWatch({ ...parts, credited });
  parts.books.recoverWith(recoverer(services));
  const { network } = await parts.wallet.info();
  const rooms: Rooms = {
    ...parts,
    payments,
    desk,
    refunds: new RefundDesk(parts),
    counter: new Counter({ ...parts, fingerprint: parts.keys.fingerprint, payments, services }),
    description: describeHost(network, parts),
  };
  await payments.start();
  await rooms.refunds.start();
  const stopSweeping = sweepCredit(parts);
  return {
    description: rooms.description,
    handle: (request) => handle(rooms, request),
    close: async () => {
      stopSweeping();
      await rooms.counter.stop(STOP_GRACE_MS);
      await rooms.refunds.stop(STOP_GRACE_MS);
      await payments.stop();
      await parts.books.close();
    },
  };
}

interface Rooms extends HostParts {
  readonly refunds: RefundDesk;
  readonly payments: PaymentWatch;
  readonly desk: SetupDesk;
  readonly counter: Counter;
  readonly description: Description;
}

async function handle(rooms: Rooms, request: HostRequest): Promise<HostResponse> {
  try {
    if (request.body.length > MAX_BODY_BYTES) {
      throw new Fault('REQUEST_TOO_LARGE', { max: MAX_BODY_BYTES });
    }
    return await route(rooms, request);
  } catch (error) {
    return problemResponse(reported(rooms.log, error));
  }
}

async function route(rooms: Rooms, request: HostRequest): Promise<HostResponse> {
  const { path } = request;
  if (path === '/rpc') return rpc(rooms, only('POST', request));
  if (path.startsWith('/call/')) return call(rooms, only('POST', request));
  if (path === DESCRIPTION_PATH) {
    only('GET', request);
    return jsonResponse(200, rooms.description as unknown as Json, { 'cache-control': 'no-cache' });
  }
  if (path === '/health') {
    only('GET', request);
    return jsonResponse(200, { status: 'ok' });
  }
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
  const answer = await rooms.counter.serve({ credential, service, input: jsonBody(request) });
  return jsonResponse(200, answer.body, { [BALANCE_HEADER]: printBalanceHeader(answer.balance) });
}

/** `POST /rpc`: one JSON-RPC request or a batch of them. */
async function rpc(rooms: Rooms, request: HostRequest): Promise<HostResponse> {
  let body: Json;
  try {
    body = jsonBody(request);
  } catch (error) {
    const fault = reported(rooms.log, error);
    return jsonResponse(fault.row.status, printError(null, fault));
  }
  if (!Array.isArray(body)) {
    const answer = await rpcOne(rooms, body, request.address);
    return answer === undefined ? NO_CONTENT : jsonResponse(200, answer);
  }
  if (body.length === 0 || body.length > MAX_BATCH) {
    const fault = new Fault(body.length === 0 ? 'REQUEST_MALFORMED' : 'REQUEST_TOO_LARGE', {
      max: MAX_BATCH,
    });
    return jsonResponse(fault.row.status, printError(null, fault));
  }
  const list = body as readonly Json[];
  const answers = await Promise.all(list.map((item) => rpcOne(rooms, item, request.address)));
  const batch = joinBatch(list, answers);
  return batch === undefined ? NO_CONTENT : jsonResponse(200, batch);
}

const NO_CONTENT = jsonResponse(204, new Uint8Array(0));

/** The answers as one array, as many as fit; undefined when all were notifications. */
function joinBatch(
  requests: readonly Json[],
  answers: readonly (Uint8Array | undefined)[],
): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (const [i, answer] of answers.entries()) {
    if (answer === undefined) continue;
    size += answer.length;
    const large = (): Uint8Array =>
      encodeJson(printError(salvageId(requests[i] ?? null), new Fault('CALL_ANSWER_LARGE')));
    parts.push(utf8(parts.length === 0 ? '[' : ','));
    parts.push(size <= MAX_BATCH_ANSWER_BYTES ? answer : large());
  }
  return parts.length === 0 ? undefined : concat(...parts, utf8(']'));
}

/** The answer to one request, as JSON text; nothing for a notification. */
async function rpcOne(rooms: Rooms, value: Json, address: string): Promise<Uint8Array | undefined> {
  let request: RpcRequest;
  try {
    request = parseRequest(value);
  } catch (error) {
    return encodeJson(printError(salvageId(value), reported(rooms.log, error)));
  }
  try {
    const answer = await dispatch(rooms, request, address);
    return request.id === undefined ? undefined : answer;
  } catch (error) {
    const fault = reported(rooms.log, error);
    return request.id === undefined ? undefined : encodeJson(printError(request.id, fault));
  }
}

async function dispatch(rooms: Rooms, request: RpcRequest, address: string): Promise<Uint8Array> {
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
    case 'toll.receipt':
      return await answerQuestion(rooms, 'receipt', credentialOf(request));
    default:
      throw new Fault('REQUEST_UNKNOWN');
  }
}

function encodeJson(value: Json): Uint8Array {
  return utf8(JSON.stringify(value));
}

function credentialOf(request: RpcRequest): string {
  if (request.toll === undefined) throw new Fault('CODE_MISSING');
  return request.toll;
}

/**
 * The fault to show. What is not a fault is a defect: it is logged, and the payer learns no more.
 */
function reported(log: Log, error: unknown): Fault {
  const known = asFault(error);
  const fault = isHostCode(known.code) ? known : new Fault('HOST_BROKEN', {}, known);
  if (fault.code === 'HOST_BROKEN') log.error('internal error', {}, error);
  return fault;
}
