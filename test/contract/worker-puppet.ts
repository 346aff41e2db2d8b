/**
 * A worker without lanes: does what its primary says, by the name of the session.
 * @module
 */
import { Fault, asFault } from '../../src/base/fault/index.ts';
import type { PrimaryLink, WorkerDuty } from '../../src/port/workers/index.ts';

/** How many lanes it asks for at once. */
export const MANY = 500;

/** What a puppet does for its primary. @param die ends its process */
export function puppet(primary: PrimaryLink, die: () => void): WorkerDuty {
  const acts: Readonly<Record<string, () => Promise<void> | void>> = {
    /** Takes a lane, and gives back what it got in a fold. */
    take: async () => {
      const place = await primary.take('aa');
      if (place.kind === 'elsewhere') return;
      const images = new Uint8Array([...place.row.tip, place.row.terms.unitMsat === 7n ? 1 : 0]);
      await primary.fold({ images, through: place.row.epoch });
    },
    /** What it was refused with is what it throws. */
    refused: async () => {
      const fault = await primary.take('closed').catch((error: unknown) => asFault(error));
      if (fault instanceof Fault) throw fault;
    },
    many: async () => {
      const lanes = Array.from({ length: MANY }, (_, i) => `${i}`);
      const places = await Promise.all(lanes.map((lane) => primary.take(lane)));
      const epochs = places.map((place) => (place.kind === 'here' ? place.row.epoch : -1));
      primary.release(epochs.map((epoch, i) => ({ lane: `${i}`, epoch })));
    },
    hang: () => new Promise<void>(() => undefined),
    die: async () => {
      die();
      await new Promise<void>(() => undefined);
    },
  };
  return {
    flush: async (session) => {
      await acts[session ?? '']?.();
      return [];
    },
    close: async (session) => primary.release([{ lane: session, epoch: 1 }]),
  };
}
