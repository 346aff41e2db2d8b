/**
 * What a service says of a call that a crash has cut.
 * @module
 */

/** What became of a call with effect once that a crash has cut. */
export type Recovered =
  /** With ticks it costs so many units; absent, or if more, what was reserved. */
  { readonly done: Uint8Array; readonly units?: number } | 'not-done' | 'unknown';

/** Finds out what became of a call that a crash has cut: only its service can know. */
export type Recover = (call: {
  readonly service: string;
  readonly session: string;
  readonly n: bigint;
}) => Promise<Recovered>;
