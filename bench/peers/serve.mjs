/**
 * What every peer does the same: says where it is and what pays a call, and its CPU when asked.
 * @module
 */

/** Connections wait while others have their turn. */
export const KEEP_ALIVE_MS = 600_000;

/** The paid work: adds one. */
export function addOne({ value }) {
  if (!Number.isInteger(value)) throw new Error('not a whole number');
  return { value: value + 1 };
}

/** Asks once without a payment; gives the answer, whose headers say what is to be paid. */
export function challengeOf(url) {
  return fetch(`${url}/call/work`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"value":1}',
  });
}

/** From now on the bench may call. */
export function announce(url, headers) {
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send({ cpuMs: (user + system) / 1000 });
  });
  process.on('disconnect', () => process.exit(0));
  process.send({ url, headers });
}
