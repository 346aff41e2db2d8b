/**
 * A worker process of a test: it has lanes, writes its log as fast as it can, and is killed
 * meanwhile. What it folds goes through the parent, which has the store.
 * @module
 */
import { once } from 'node:events';
import { concat } from '../../src/base/bytes/index.ts';
import { openWorkerLog, type LaneLogFold, type LaneLogPlace } from '../../src/port/store/index.ts';
import { TICKS, laneImage } from './lanes-fixtures.ts';

/** What the parent tells it first. */
export interface Begin {
  readonly log: LaneLogPlace;
  /** The epoch and the version of each lane. */
  readonly lanes: readonly { readonly epoch: number; readonly version: number }[];
}

/** What it says: what it has acknowledged, or what is to be folded. */
export type Said =
  | { readonly versions: readonly number[] }
  | { readonly id: number; readonly fold: LaneLogFold };

if (process.send !== undefined) await run(process.send.bind(process));

async function run(send: (said: Said | 'loaded') => boolean): Promise<void> {
  process.on('disconnect', () => process.exit(0));
  send('loaded');
  const [begin] = (await once(process, 'message')) as [Begin];
  const folds = new Map<number, () => void>();
  process.on('message', (id: number) => folds.get(id)?.());
  let id = 0;
  const fold = (one: LaneLogFold): Promise<void> => {
    id++;
    send({ id, fold: one });
    return new Promise((resolve) => folds.set(id, resolve));
  };
  const log = await openWorkerLog(begin.log, { fold });
  const lanes = begin.lanes.map((lane) => ({ ...lane }));
  for (let round = 0; ; round++) {
    const images = lanes.map(({ epoch, version }, place) => {
      const units = Math.min(TICKS, version + 1);
      return laneImage({ place, epoch, version, index: units, spent: units, done: version });
    });
    await log.commitLanes(concat(...images), round % 13 === 12 ? { answers: [] } : undefined);
    for (const lane of lanes) lane.version++;
    send({ versions: lanes.map(({ version }) => version) });
    if (round % 11 === 10) void log.flush();
    // The parent's words and its kill come through the loop.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
