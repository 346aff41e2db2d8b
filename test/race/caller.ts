/**
 * One of several processes of a payer's profile: it shares the store and calls in a session that
 * another one has bought.
 * @module
 */
import { isFault } from '../../src/base/fault/index.ts';
import { jsonObject } from '../../src/base/json/index.ts';
import { openShop } from './shop.ts';

/** What a caller is asked to do. */
export interface Round {
  readonly session: string;
  /** The names of its calls, which others may use too. */
  readonly callIds: readonly string[];
}

/** What became of each call: its answer, or the code of a fault. */
export type Outcomes = readonly (readonly [callId: string, outcome: number | string])[];

/** Calls of one process under way at once. */
const CALLS_AT_ONCE = 6;

if (import.meta.main) {
  const [dir = '', url = ''] = process.argv.slice(2);
  const { payer } = await openShop(dir);
  const link = await payer.connect(url);
  const call = async ({ session: id, callIds }: Round): Promise<Outcomes> => {
    const session = (await payer.sessions(link)).find((one) => one.session === id);
    if (!session) throw new Error('the session is not in the store');
    const waiting = [...callIds];
    const outcomes: [string, number | string][] = [];
    const work = async (): Promise<void> => {
      for (let callId = waiting.shift(); callId; callId = waiting.shift()) {
        const outcome = await session.call({ value: valueOf(callId) }, { callId }).then(
          ({ result }) => Number(jsonObject(result)['value']),
          (error: unknown) => (isFault(error) ? error.code : String(error)),
        );
        outcomes.push([callId, outcome]);
      }
    };
    await Promise.all(Array.from({ length: CALLS_AT_ONCE }, work));
    return outcomes;
  };
  process.on('message', (round: Round) => {
    void call(round).then((outcomes) => process.send?.(outcomes));
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.('ready');
}

/** What a call asks for; the same name is the same request. No fifth number: those fail. */
export function valueOf(callId: string): number {
  return 5 * callId.length;
}
