/**
 * What one of several workers may hold: the limits of a host are those of all its processes
 * together.
 * @module
 */
import { Fault } from '../../base/fault/index.ts';
import { msat } from '../../base/money/index.ts';
import { BOOKS_LIMITS, type BooksLimits, type Durability } from '../../books/index.ts';
import { DOOR_LIMITS, type DoorLimits } from '../../door/http/index.ts';
import { HOST_LIMITS, type HostLimits } from '../../host/index.ts';
import type { ShopLimits } from './shop-options.ts';

/** The limits of one worker. */
export interface WorkerLimits {
  readonly host: HostLimits;
  readonly door: DoorLimits;
  readonly books: BooksLimits;
}

/**
 * The share of one worker. What a process holds is divided; times, the size of one request and the
 * budget of a payer are not.
 * @throws Fault `CONFIG_INVALID` when less than 1 msat may be unwritten in each
 */
export function workerShare({ host, door, books }: ShopLimits, workers: number): WorkerLimits {
  const all = {
    host: { ...HOST_LIMITS, ...host },
    door: { ...DOOR_LIMITS, ...door },
    books: { ...BOOKS_LIMITS, ...books },
  };
  const share = (most: number): number => Math.max(1, Math.floor(most / workers));
  const { bodyBytes, batchAnswerBytes } = all.host;
  return {
    host: { ...all.host, runningCalls: share(all.host.runningCalls) },
    door: {
      ...all.door,
      connections: share(all.door.connections),
      connectionsPerAddress: share(all.door.connectionsPerAddress),
      // One request and its answer always fit.
      parkedBytes: Math.max(bodyBytes, share(all.door.parkedBytes)),
      parkedAnswerBytes: Math.max(batchAnswerBytes, share(all.door.parkedAnswerBytes)),
    },
    books: {
      ...all.books,
      hotLanes: share(all.books.hotLanes),
      answerBytes: share(all.books.answerBytes),
      durability: shareOfDurability(all.books.durability, workers),
    },
  };
}

function shareOfDurability(durability: Durability, workers: number): Durability {
  if (durability.kind === 'commit') return durability;
  const maxMsat = durability.maxMsat / BigInt(workers);
  if (maxMsat > 0n) return { ...durability, maxMsat: msat(maxMsat) };
  const problem = `is shared by ${workers} workers, and less than 1 msat for each`;
  throw new Fault('CONFIG_INVALID', { problems: [`durability.maxMsat: ${problem}`] });
}
