/**
 * The way from one process of a host to another one.
 * @module
 */
import { Fault, fromProblem } from '../base/fault/index.ts';
import { parseJson, type Json } from '../base/json/index.ts';
import type { HostRequest, HostResponse } from './message.ts';

/** The way to another process of this host. */
export interface Passage {
  /**
   * Sends one request, once.
   * @throws Fault `HOST_UNREACHABLE` when it certainly did not arrive, `CALL_BUSY` when there is no
   * room for it; after any other one nobody knows
   */
  send(request: HostRequest, timeoutMs: number): Promise<HostResponse>;
}

/** The fault that an answer says; `HOST_MALFORMED` when it says none. */
export function answeredFault({ body }: HostResponse): Fault {
  let problem: Json;
  try {
    problem = parseJson(body);
  } catch (error) {
    return new Fault('HOST_MALFORMED', {}, error);
  }
  return fromProblem(problem);
}
