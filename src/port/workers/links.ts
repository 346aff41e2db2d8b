/**
 * The two ends of the line between a primary and one of its workers.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import type { Channel } from './channel.ts';
import { Questions } from './questions.ts';
import type { PrimaryLink, WorkerLink } from './workers.ts';

/** What a worker does for its primary. */
export type WorkerDuty = Omit<WorkerLink, 'worker'>;

/**
 * The worker's end.
 * @param ended the primary is gone: the process must end at once, without another answer
 */
export function linkPrimary(
  channel: Channel,
  ended: () => void,
): { readonly primary: PrimaryLink; readonly serve: (duty: WorkerDuty) => void } {
  const line = new Questions(channel, ended);
  return {
    primary: {
      take: (lane) => line.ask('take', lane),
      fold: (fold) => line.ask('fold', fold),
      storedLaneAnswer: (lane, n) => line.ask('storedLaneAnswer', lane, n),
      release: (lanes) => line.tell('release', lanes),
    },
    serve: (duty) =>
      line.serve({
        flush: (session: string | undefined) => duty.flush(session),
        close: (session: string) => duty.close(session),
      }),
  };
}

/** The primary's end of its line with one worker. */
export function linkWorker(
  channel: Channel,
  worker: number,
): { readonly worker: WorkerLink; readonly serve: (primary: PrimaryLink) => void } {
  const line: Questions = new Questions(channel, () => line.end(new Fault('HOST_STOPPING')));
  return {
    worker: {
      worker,
      flush: (session) => line.ask('flush', session),
      close: (session) => line.ask('close', session),
    },
    serve: (primary) =>
      line.serve({
        take: (lane: string) => primary.take(lane),
        fold: (fold: Parameters<PrimaryLink['fold']>[0]) => primary.fold(fold),
        storedLaneAnswer: (lane: string, n: number) => primary.storedLaneAnswer(lane, n),
        release: (lanes: Parameters<PrimaryLink['release']>[0]) => primary.release(lanes),
      }),
  };
}
