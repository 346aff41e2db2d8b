/** Bounds of what the processes of a host ask of each other. @module */

/**
 * Questions to another process without an answer yet, about 500 bytes each; one more is refused
 * with `CALL_BUSY`. A call over a lane that is not here asks one. How large the image in a question
 * gets is bounded by the log of a worker.
 */
export const MAX_ASKED = 20_000;
