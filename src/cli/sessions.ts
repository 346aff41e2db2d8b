/**
 * Which of a profile's sessions with a host is to be used.
 * @module
 */
import { Fault, isFault } from '../base/fault/index.ts';
import type { ByHand, Link, PayerSession, SessionStatus } from '../payer/index.ts';
import type { Profile } from './profile.ts';

/** Only so many of the latest sessions are asked about: earlier ones were used up before these. */
const MAX_LOOKED_AT = 16;

/** A session with calls left. */
export interface FoundSession extends SessionStatus {
  readonly session: PayerSession;
}

/**
 * Finishes what was begun before, then finds the latest session of a service with calls left, or
 * with a call that was cut before its answer came. A payment that a person makes is waited for.
 * @throws Fault `PAYMENT_UNKNOWN` while a payment of an earlier run is open: buying again now could
 * pay twice
 */
export async function findSession(
  profile: Profile,
  link: Link,
  service: string,
  byHand?: ByHand,
): Promise<FoundSession | undefined> {
  const { payer, store } = profile;
  const open = { host: link.url, states: ['made', 'paying'] as const };
  if ((await store.purchases(open)).length > 0) await payer.resume(link);
  const undecided = { host: link.url, service, states: ['paying'] as const };
  if (byHand && (await store.purchases(undecided)).length > 0) {
    await payer.resume(link, { service, byHand });
  }
  const [paying] = await store.purchases(undecided);
  if (paying) throw new Fault('PAYMENT_UNKNOWN', { purchase: paying.id });
  const bought = (await payer.sessions(link)).filter((session) => session.service === service);
  for (const session of bought.toReversed().slice(0, MAX_LOOKED_AT)) {
    const status = await standing(session);
    if (status === undefined) continue;
    const { calls } = await store.unresolvedCalls(session.session);
    if (status.callsLeft > 0 || calls.length > 0) return { session, ...status };
  }
  return undefined;
}

/** Where a session stands; undefined when the host does not know it or its time is over. */
export async function standing(session: PayerSession): Promise<SessionStatus | undefined> {
  try {
    return await session.status();
  } catch (error) {
    if (isFault(error) && error.code.startsWith('SESSION_')) return undefined;
    throw error;
  }
}

/**
 * The session that a person means: by the first digits of its id, else the latest one.
 * @throws Fault `SESSION_UNKNOWN`
 */
export function chooseSession(
  sessions: readonly PayerSession[],
  host: string,
  wanted: string | undefined,
): PayerSession {
  const found = sessions.findLast(({ session }) => session.startsWith(wanted ?? ''));
  if (found) return found;
  const next = 'see "tollcall sessions list"; buy something with "tollcall call"';
  const facts = wanted === undefined ? { problem: 'nothing was bought here' } : { session: wanted };
  throw new Fault('SESSION_UNKNOWN', { host, ...facts, next });
}
