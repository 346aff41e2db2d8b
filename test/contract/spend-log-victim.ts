/**
 * A process that commits to a store, says what was acknowledged, and is killed meanwhile. It waits
 * for a word before it opens the file: its predecessor has it until then.
 * @module
 */
import { once } from 'node:events';
import { NO_CALLS } from '../../src/pay/ledger/index.ts';
import { openHostStore, type HostStore } from '../../src/port/store/index.ts';
import { openLanes, spend } from './lanes-fixtures.ts';
import { hex, receive } from './store-fixtures.ts';

/** How far a store is. */
export interface Progress {
  /** Versions of the lanes. */
  readonly lanes: readonly number[];
  /** The version of the session. */
  readonly session: number;
}

const LANES = 4;
const SESSION = hex(1, 16);
const [file = ''] = process.argv.slice(2);

if (file !== '') await run();

async function run(): Promise<void> {
  process.on('disconnect', () => process.exit(0));
  process.send?.('loaded');
  await once(process, 'message');
  const store = await openHostStore({ file, thread: false, spendLogBytes: 65_536 });
  if ((await store.session(SESSION)) === undefined) await openLanes(store, 1, LANES);
  const problems = await store.audit();
  const { lanes, session } = await progressOf(store);
  process.send?.({ problems, progress: { lanes, session } });
  for (let round = 0; ; round++) {
    await commitRound(store, round, lanes);
    if (round % 3 === 0) process.send?.({ progress: await spendSession(store, lanes) });
    else process.send?.({ progress: { lanes, session: 0 } });
    // The parent's words and its kill come through the loop.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function progressOf(store: HostStore): Promise<Progress & { lanes: number[] }> {
  const lanes = (await store.lanesOf(SESSION)).map(({ version }) => version);
  return { lanes, session: Number((await store.session(SESSION))?.version) };
}

/** One image for each lane, sometimes after something that folds. */
async function commitRound(store: HostStore, round: number, lanes: number[]): Promise<void> {
  if (round % 7 === 6) await store.sheet();
  if (round % 5 === 4) {
    const id = `${round}:${lanes.join('.')}`;
    await store.commit([{ transfers: [{ ...receive(1, 1n), id }] }]);
  }
  const images = lanes.map((version, place) => {
    const units = Math.min(50, version + 1);
    return { place, version, index: units, spent: units };
  });
  const results = await spend(store, ...images);
  if (results.some((result) => result !== 'ok')) throw new Error(results.join());
  for (const [place, version] of lanes.entries()) lanes[place] = version + 1;
}

async function spendSession(store: HostStore, lanes: readonly number[]): Promise<Progress> {
  const version = (await store.session(SESSION))?.version ?? 0n;
  const image = { session: SESSION, version, calls: { ...NO_CALLS, done: version } };
  const [result] = await store.commit([{ images: [image] }]);
  if (result?.code !== 'ok') throw new Error(result?.code);
  return { lanes, session: Number(version) + 1 };
}
