/**
 * Bounds the time that a node's process may take: one that answers nothing any more is ended, and
 * started again like one that crashed.
 * @module
 */
import type { Clock } from '../../../base/time/index.ts';
import { ANSWER_MS } from '../limits.ts';
import type { NodeMethods } from './api.ts';

/** What may take as long as a peer, a chain or a disk takes: the process has to be alive. */
const LONG: ReadonlySet<string> = new Set<keyof NodeMethods>([
  'start',
  'pay',
  'connect',
  'openChannel',
  'chainChanged',
]);

/** What a watch works with. */
export interface WatchdogParts {
  readonly clock: Clock;
  /** Resolves when the process has answered something, whatever it is. */
  readonly ping: () => Promise<unknown>;
  /** The process has not answered a call in time. */
  readonly hung: (method: string) => void;
}

/** Watches calls: to be told of each; the result is to be told when it was answered. */
export function watchdog({ clock, ping, hung }: WatchdogParts): (method: string) => () => void {
  return (method) => {
    let answered = false;
    let cancel = (): void => undefined;
    const watch = (): void => {
      cancel = clock.timer(ANSWER_MS, () => {
        if (!LONG.has(method)) return hung(method);
        // The ping is watched itself.
        const again = (): void => (answered ? undefined : watch());
        ping().then(again, again);
      });
    };
    watch();
    return () => {
      answered = true;
      cancel();
    };
  };
}
