/**
 * The sessions of a profile with one host.
 * @module
 */
import { Fault, isFault } from '../base/fault/index.ts';
import type { Link, PayerSession, SessionStatus } from '../payer/index.ts';
import type { Profile } from './profile.ts';

/** Only so many of the latest sessions are asked about: earlier ones were used up before these. */
const MAX_LOOKED_AT = 16;

/** A session with calls left. */
export interface FoundSession extends SessionStatus {
  readonly session: PayerSession;
}

/**
 * Finishes what was begun before, then finds the latest session of a service with calls left, or
 * with a call that was cut before its answer came.
 * @throws Fault `PAYMENT_UNKNOWN` while a payment of an earlier run is open: buying again now could
 * pay twice
 */
export async function findSession(
  profile: Profile,
  link: Link,
  service: string,
): Promise<FoundSession | undefined> {
  const { payer, store } = profile;
  const open = { host: link.url, states: ['made', 'paying'] as const };
  if ((await store.purchases(open)).length > 0) await payer.resume(link);
  const [paying] = await store.purchases({ host: link.url, service, states: ['paying'] });
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
