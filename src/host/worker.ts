/**
 * The core of a worker: serves calls that are paid with ticks over its own lanes, passes those over
 * lanes of other workers on to them, and everything else to the primary. docs/workers.md.
 * @module
 */
import { Fault, asFault } from '../base/fault/index.ts';
import type { Json, JsonObject } from '../base/json/index.ts';
import type { Log } from '../base/log/index.ts';
import { MAX_WAIT_MS, type Clock } from '../base/time/index.ts';
import type { Lanes } from '../books/index.ts';
import { printRequest, spliceResult, type RpcRequest } from '../wire/rpc/index.ts';
import {
  BALANCE_HEADER,
  balanceToJson,
  fromAuthorization,
  isTick,
  printBalanceHeader,
} from '../wire/toll/index.ts';
import { isEncrypted } from './encrypted.ts';
import { answerEnvelope, encodeJson, reported, type EnvelopeParts } from './envelope.ts';
import { CallGate } from './gate.ts';
import type { KeyNames } from './identities.ts';
import { LaneCounter } from './lane-counter.ts';
import { LanePassing } from './lane-passing.ts';
import { HOST_LIMITS, PASSED_LEAVE_MS, PASSED_MARGIN_MS, type HostLimits } from './limits.ts';
import {
  jsonBody,
  jsonResponse,
  problemResponse,
  type HostRequest,
  type HostResponse,
} from './message.ts';
import type { CallMeter } from './meter.ts';
import { answeredFault, type Passage } from './passage.ts';
import { recoverer } from './recover.ts';
import { Runs } from './runs.ts';
import type { Service } from './service.ts';

/** What a worker is made of. */
export interface WorkerHostParts {
  /** Its number. */
  readonly worker: number;
  /** Fingerprints only: the keys are the primary's. */
  readonly keys: KeyNames;
  /**
   * `WorkerLanes.lanes`. When `load` rejects with `SESSION_UNPAID`, the primary has looked for the
   * payment before it said so: nobody looks again here.
   */
  readonly lanes: Lanes;
  /** `WorkerLanes.letGo`. */
  readonly letGo: (lane: Uint8Array) => Promise<void>;
  readonly services: readonly Service[];
  readonly clock: Clock;
  readonly log: Log;
  /** The share of this worker. */
  readonly limits?: Partial<HostLimits>;
  /** Told of each call that is served here, whoever took it. */
  readonly meter?: CallMeter;
  /** The way to the inner door of the primary. */
  readonly primary: Passage;
  /** The way to the inner door of a worker, also of one that has ended. */
  readonly peer: (worker: number) => Passage;
}

/** What a worker is doing. */
export interface WorkerState {
  /** It takes no more calls. */
  readonly stopping: boolean;
  /** Also those that were passed on, until they are answered. */
  readonly runningCalls: number;
}

/** A worker that answers requests, from outside and of other workers. */
export interface WorkerHost {
  /** Answers a request. Never rejects: every failure is an answer. */
  handle(request: HostRequest): Promise<HostResponse>;
  state(): WorkerState;
  /** Finishes or releases what runs. The lanes are the caller's to close, after that. */
  close(): Promise<void>;
}

/** Opens a worker. @throws Fault `CONFIG_INVALID` */
export function openWorkerHost(parts: WorkerHostParts): WorkerHost {
  const { clock, log, lanes, keys } = parts;
  const limits = { ...HOST_LIMITS, ...parts.limits };
  const services = new Map(parts.services.map((service) => [service.name, service]));
  if (services.size !== parts.services.length) {
    throw new Fault('CONFIG_INVALID', { problem: 'two services have one name' });
  }
  lanes.recoverWith(recoverer(services));
  const timeoutMs = longestMs(parts.services, limits);
  const passing = new LanePassing({ ...parts, timeoutMs });
  const runs = new Runs({ clock, log, limits });
  const load: LanePassing['load'] = (lane, call) => passing.load(lane, call);
  const seen: LanePassing['seen'] = (slot, lane, call) => passing.seen(slot, lane, call);
  const began: LanePassing['began'] = (slot, call) => passing.began(slot, call);
  const counter = new LaneCounter({ keys, lanes, load, seen, began }, runs);
  const gate = new CallGate({
    clock,
    limits,
    runs,
    meter: parts.meter,
    serve: (call) => counter.serve(call, services.get(call.service)),
  });
  const rooms: Rooms = {
    limits,
    log,
    gate,
    toPrimary: (request) => toPrimary(parts, request, timeoutMs),
    envelope: {
      limits,
      log,
      whole: (body, from) => (isOurs(body) ? undefined : rooms.toPrimary(from)),
      dispatch: (request, from) => dispatch(rooms, request, from),
    },
  };
  return {
    handle: (request) => handle(rooms, request),
    state: () => ({ stopping: gate.stopping, runningCalls: gate.running }),
    // Workers stop together: the others cut their calls now, and say so.
    close: () =>
      gate.stop(limits.stopGraceMs, () => clock.timer(PASSED_LEAVE_MS, () => passing.cut())),
  };
}

interface Rooms {
  readonly limits: HostLimits;
  readonly log: Log;
  readonly gate: CallGate;
  readonly envelope: EnvelopeParts;
  readonly toPrimary: (request: HostRequest) => Promise<HostResponse>;
}

/** Longer than any request takes that another process serves. */
function longestMs(services: readonly Service[], { callTimeoutMs }: HostLimits): number {
  const times = services.map(({ timeoutMs = callTimeoutMs }) => timeoutMs);
  return Math.min(Math.max(callTimeoutMs, ...times) + PASSED_MARGIN_MS, MAX_WAIT_MS);
}

async function handle(rooms: Rooms, request: HostRequest): Promise<HostResponse> {
  try {
    const { bodyBytes: max } = rooms.limits;
    if (request.via === undefined && request.body.length > max) {
      throw new Fault('REQUEST_TOO_LARGE', { max });
    }
    return await route(rooms, request);
  } catch (error) {
    return problemResponse(reported(rooms.log, error));
  }
}

function route(rooms: Rooms, request: HostRequest): Promise<HostResponse> {
  const { path, method, via } = request;
  if (method === 'POST' && path.startsWith('/call/')) {
    const credential = tickOf(request);
    if (credential !== undefined) return call(rooms, request, credential);
  }
  // Only calls over lanes are passed on to a worker, and nothing twice.
  if (via !== undefined) throw new Fault('REQUEST_UNKNOWN');
  if (method === 'POST' && path === '/rpc') return answerEnvelope(rooms.envelope, request);
  return rooms.toPrimary(request);
}

/** The credential of a call that is paid with a tick. */
function tickOf(request: HostRequest): string | undefined {
  const header = request.header('authorization');
  if (header === undefined || isEncrypted(request)) return undefined;
  try {
    const credential = fromAuthorization(header);
    return isTick(credential) ? credential : undefined;
  } catch {
    return undefined;
  }
}

async function call(
  { gate }: Rooms,
  request: HostRequest,
  credential: string,
): Promise<HostResponse> {
  const { path, via } = request;
  const service = path.slice('/call/'.length);
  const answer = await gate.serve({ credential, service, input: jsonBody(request), via });
  return jsonResponse(200, answer.body, { [BALANCE_HEADER]: printBalanceHeader(answer.balance) });
}

/** True when at least one call in it is paid with a tick. */
function isOurs(body: Json): boolean {
  return Array.isArray(body) ? (body as readonly Json[]).some(isTickCall) : isTickCall(body);
}

function isTickCall(value: Json): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { toll, method } = value as JsonObject;
  return (
    typeof toll === 'string' && isTick(toll) && !(typeof method === 'string' && isControl(method))
  );
}

function isControl(method: string): boolean {
  return method.startsWith('toll.');
}

/** One request of an envelope: what is no call over a lane goes to the primary alone. */
async function dispatch(rooms: Rooms, request: RpcRequest, from: HostRequest): Promise<Uint8Array> {
  const { id, method, params: input, toll } = request;
  if (toll !== undefined && isTick(toll) && !isControl(method)) {
    const answer = await rooms.gate.serve({ credential: toll, service: method, input });
    return spliceResult(id ?? null, answer.body, balanceToJson(answer.balance));
  }
  const body = encodeJson(printRequest(request));
  const answer = await rooms.toPrimary({ ...from, body });
  if (answer.status === 200 || answer.status === 204) return answer.body;
  throw answeredFault(answer);
}

/** Passes a request on as it came. @throws Fault when there is no answer */
async function toPrimary(
  { primary, worker: via }: Pick<WorkerHostParts, 'primary' | 'worker'>,
  request: HostRequest,
  timeoutMs: number,
): Promise<HostResponse> {
  // Such as the `*` of OPTIONS.
  if (!request.path.startsWith('/')) throw new Fault('REQUEST_UNKNOWN');
  try {
    return await primary.send({ ...request, via }, timeoutMs);
  } catch (error) {
    const fault = asFault(error);
    if (fault.code === 'CALL_BUSY') throw fault;
    // Without its primary a worker ends.
    if (fault.code === 'HOST_UNREACHABLE') throw new Fault('HOST_STOPPING', {}, fault);
    throw new Fault('HOST_BROKEN', { reason: 'the primary did not answer' }, fault);
  }
}
