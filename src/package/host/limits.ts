/** Bounds on the processes of one host. @module */

/** Worker processes; a configuration with more is refused. */
export const MAX_WORKERS = 32;
/** A worker that has not listened after so long is taken for one that cannot. */
export const WORKER_START_MS = 60_000;
/**
 * What a worker may take beyond the grace of a stop, to write what its last answers cost; then it
 * is killed. Its log is read by the primary.
 */
export const WORKER_FLUSH_MS = 5_000;
/** Answers that were made when calls were cut may still leave for this long. */
export const LEAVE_MS = 1_000;
/** A worker that has served for less was no success. */
export const WORKER_SETTLED_MS = 1_000;
/** The pause before the second start in a row without a success; each further one is twice that. */
export const RESTART_PAUSE_MS = 100;
/** After so many starts in a row without a success the host stops: something is wrong for good. */
export const MAX_RESTARTS = 6;
/** A worker is asked whether it still answers this often, */
export const WORKER_ASK_MS = 5_000;
/** and is killed when it has not for so long: refunds and the balance sheet wait for it. */
export const WORKER_SILENT_MS = 20_000;
/** How long the metrics wait for the figures of a worker; then they show its last ones. */
export const FIGURES_MS = 1_000;
/** How long a start waits for workers of a primary that was killed to let go of their logs. */
export const OLD_WORKERS_MS = 5_000;
/** It looks again after this. */
export const OLD_WORKERS_LOOK_MS = 50;
