/** Bounds on what a local caller can make this door hold. @module */

/** One line, question or answer; a longer one ends the connection. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024;
/**
 * Questions of one connection under way at once; it is not read meanwhile, nor while more than
 * `MAX_LINE_BYTES` of its answers wait for it to read them.
 */
export const MAX_QUESTIONS = 16;
/** Connections at once; one more is closed. */
export const MAX_CONNECTIONS = 64;
/** The longest path that a Unix socket can have: sun_path, less its final zero. */
export const MAX_PATH_BYTES = 107;
