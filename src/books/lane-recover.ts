/**
 * What became of calls with effect once that an earlier owner of their lane had started: a process
 * that has died. The lane serves meanwhile, without their units; who repeats such a call waits.
 * @module
 */
import { Fault, isFault } from '../base/fault/index.ts';
import type { Clock } from '../base/time/index.ts';
import type { LaneRun } from './lane-run.ts';
import { RECOVER_MS } from './limits.ts';
import type { Recover, Recovered } from './recovered.ts';

/** What cut calls are asked about with. */
export interface LaneRecoverContext {
  readonly timer: Clock['timer'];
  /** @throws Fault when the books are broken or closed */
  readonly check: () => void;
}

/** A call that was cut, and who may know what became of it; the session is the id of its lane. */
export interface CutRun {
  readonly run: LaneRun;
  readonly call: Parameters<Recover>[0];
  readonly recover: Recover;
}

/**
 * Ends a call that was cut: charged and its answer stored, as if it had never come, or dead. What
 * is decided is durable before anybody is told, and not asked again.
 */
export async function recoverRun({ timer, check }: LaneRecoverContext, cut: CutRun): Promise<void> {
  const { run } = cut;
  const found = await inTime(timer, cut);
  try {
    check();
    // Nothing has to be durable: until it runs, the next owner may as well ask again.
    if (found === 'not-done') run.undo(new Fault('LANE_MOVED'));
    else if (found === 'unknown') await run.forget();
    else await run.charge(found.done, found.units);
  } catch (error) {
    // The books are closed or broken, or the lane was lost: the next owner asks again.
    if (!isFault(error)) throw error;
  }
}

/** One that fails to find out, or takes too long, knows nothing: a lane must not wait for ever. */
function inTime(timer: Clock['timer'], { recover, call }: CutRun): Promise<Recovered> {
  return new Promise((resolve) => {
    const cancel = timer(RECOVER_MS, () => resolve('unknown'));
    const told = (found: Recovered): void => {
      cancel();
      resolve(found);
    };
    recover(call).then(told, () => told('unknown'));
  });
}
