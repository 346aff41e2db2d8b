/**
 * How a command that runs until somebody stops it is stopped.
 * @module
 */
import { Fault } from '../base/fault/index.ts';
import type { Log } from '../base/log/index.ts';
import { reportFault } from './report.ts';
import type { Terminal } from './terminal.ts';

/** A wait for the end. */
export interface Stop {
  /** Resolves when a person or the system wants an end. */
  readonly asked: Promise<void>;
  forget(): void;
}

/** The signals that ask for an end; the second one is the end, at once. */
export function stopSignal(
  terminal: Terminal,
  signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'],
): Stop {
  let again = false;
  let stop = (): void => undefined;
  const asked = new Promise<void>((resolve) => {
    stop = () => {
      if (again) process.exit(130);
      again = true;
      terminal.line();
      resolve();
    };
  });
  for (const signal of signals) process.on(signal, stop);
  return {
    asked,
    forget: () => {
      for (const signal of signals) process.off(signal, stop);
    },
  };
}

/**
 * What a seller's code throws outside of a call, in a timer or a promise that nobody waits for, is
 * logged and ends nothing. What our own code throws there is a broken invariant: it ends the
 * process, and what was answered is in the file.
 */
export function keepServing(log: Log): void {
  const take = (error: unknown): void => {
    if (isOurs(error)) process.exit(reportFault(new Fault('HOST_BROKEN', {}, error)));
    log.error('code of a service failed outside of a call', {}, error);
  };
  process.on('unhandledRejection', take);
  process.on('uncaughtException', take);
}

const OUR_CODE = new URL('..', import.meta.url).href;

/** True when every place in its stack that is not Node's is in our own code. */
function isOurs(error: unknown): boolean {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const places = stack.split('\n').filter((line) => /^ {4}at .*(file:|\/)/.test(line));
  return places.length > 0 && places.every((line) => line.includes(OUR_CODE));
}
